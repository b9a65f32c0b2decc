//! Where a socket listens: `HOST:PORT`.

use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::str::FromStr;

/// A host name or address, and a port: `127.0.0.1:1688`, `localhost:0`, `[::1]:1688`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Endpoint {
    /// Without the brackets of an IPv6 address.
    host: String,
    port: u16,
}

impl Endpoint {
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The first address that the host stands for. Asks the system's resolver, so only at start.
    pub(crate) fn resolve(&self) -> io::Result<SocketAddr> {
        let mut addresses = (self.host.as_str(), self.port).to_socket_addrs()?;
        addresses
            .next()
            .ok_or_else(|| io::ErrorKind::AddrNotAvailable.into())
    }
}

impl FromStr for Endpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let split = text
            .rsplit_once(':')
            .and_then(|(host, port)| Some((host, port.parse().ok()?)));
        let Some((host, port)) = split else {
            return Err("write it as HOST:PORT, such as 127.0.0.1:1688".to_owned());
        };
        let bare = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        let host = match bare {
            Some(address) => address,
            None if host.contains(':') => {
                return Err(format!("put an IPv6 address in brackets: [{host}]:{port}"));
            }
            None => host,
        };
        let clean = |c: char| c.is_ascii_alphanumeric() || ".-_:%".contains(c);
        if host.is_empty() || !host.chars().all(clean) {
            return Err("write it as HOST:PORT; for all interfaces, HOST is 0.0.0.0".to_owned());
        }
        Ok(Self {
            host: host.to_owned(),
            port,
        })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_and_addresses() {
        for text in [
            "127.0.0.1:1688",
            "localhost:0",
            "[::1]:1688",
            "obs-pc.local:80",
        ] {
            let endpoint: Endpoint = text.parse().expect(text);
            assert_eq!(endpoint.to_string(), text);
        }
        let endpoint: Endpoint = "[::1]:1688".parse().expect("an address");
        assert_eq!(endpoint.host(), "::1");
        assert_eq!(endpoint.resolve().expect("a literal").port(), 1688);
    }

    #[test]
    fn anything_else_is_told_how() {
        for text in [
            "",
            "1688",
            "localhost",
            ":1688",
            "a:b",
            "a:70000",
            "a b:1",
            "h/x:1",
            "::1:80",
        ] {
            assert!(text.parse::<Endpoint>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_parses_is_shown_as_it_was_meant(text in "[a-z0-9.:\\[\\]-]{0,24}") {
            if let Ok(endpoint) = text.parse::<Endpoint>() {
                prop_assert_eq!(endpoint.to_string().parse(), Ok(endpoint));
            }
        }
    }
}
