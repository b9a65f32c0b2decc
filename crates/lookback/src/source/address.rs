//! How sources are written: `[CHANNEL=]SOURCE`.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::srt;
use crate::settings::{Endpoint, Name};
use crate::usage::Usage;

/// A source and the channel that it feeds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Input {
    pub(crate) channel: Name,
    pub(crate) address: Address,
    /// Whether nobody asked for it: then it may be missing.
    pub(crate) optional: bool,
}

/// Where bytes come from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Address {
    /// The built-in test picture.
    Demo,
    /// A path that the user gave: a file, or where the system has them a FIFO, made if missing.
    Path(PathBuf),
    /// A FIFO that must be one, or the name of a Windows pipe.
    Pipe(PathBuf),
    /// Standard input.
    Stdin,
    /// Listens there.
    Tcp(Endpoint),
    /// Takes datagrams there.
    Udp(Endpoint),
    /// Waits for senders there.
    Srt(srt::Port),
}

/// The port beside the pipe.
pub(crate) const TCP_DEFAULT: &str = "tcp://127.0.0.1:1689";

/// The pipe that OBS writes to on this system, and a port beside it, both on channel `main`.
pub(crate) fn default_inputs() -> Result<Vec<Input>, Usage> {
    let tcp = TCP_DEFAULT.parse().expect("an address and a port");
    let pipe = Input::main(Address::Pipe(default_pipe()?));
    Ok(vec![
        pipe,
        Input {
            optional: true,
            ..Input::main(tcp)
        },
    ])
}

#[cfg(unix)]
fn default_pipe() -> Result<PathBuf, Usage> {
    crate::fifo::default_folder()?;
    Ok(usual_pipe())
}

#[cfg(windows)]
fn default_pipe() -> Result<PathBuf, Usage> {
    Ok(usual_pipe())
}

/// Where the pipe for OBS is on this system, whether it is there or not.
#[cfg(unix)]
pub(crate) fn usual_pipe() -> PathBuf {
    crate::fifo::usual_folder().join("obs.ts")
}

/// Where the pipe for OBS is on this system, whether it is there or not.
#[cfg(windows)]
pub(crate) fn usual_pipe() -> PathBuf {
    PathBuf::from(r"\\.\pipe\obs_piping_to_buffer")
}

impl Input {
    /// A source of channel `main`.
    pub(crate) fn main(address: Address) -> Self {
        Self {
            channel: Name::main(),
            address,
            optional: false,
        }
    }
}

impl FromStr for Input {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (channel, address) = Name::before_equals(text);
        Ok(Self {
            channel: channel.unwrap_or_else(Name::main),
            address: address.parse()?,
            optional: false,
        })
    }
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some((scheme, rest)) = text.split_once("://") {
            return Self::with_scheme(&scheme.to_ascii_lowercase(), rest);
        }
        match text {
            "" => {
                Err("a source is a path, - or an address such as tcp://127.0.0.1:1689".to_owned())
            }
            "-" => Ok(Self::Stdin),
            text => match windows_pipe(text) {
                None => Ok(Self::Path(PathBuf::from(text))),
                Some(name) if cfg!(windows) => Ok(Self::Pipe(PathBuf::from(name))),
                Some(_) => Err("this system has no Windows pipes; give a FIFO's path".to_owned()),
            },
        }
    }
}

impl Address {
    fn with_scheme(scheme: &str, rest: &str) -> Result<Self, String> {
        match scheme {
            "tcp" => Ok(Self::Tcp(rest.parse()?)),
            "udp" => Ok(Self::Udp(rest.parse()?)),
            "srt" => Ok(Self::Srt(rest.parse()?)),
            _ => Err(format!(
                "{scheme}:// is not known here; tcp://, udp:// and srt:// are"
            )),
        }
    }

    /// Whether what is written to `url` comes in here. By which name a sender reaches a port of this machine cannot be told
    /// from here; the port is enough.
    pub(crate) fn takes(&self, url: &str) -> bool {
        let port_of = |scheme: &str| {
            let rest = url.strip_prefix(scheme)?.strip_prefix("://")?;
            let authority = rest.split(['/', '?']).next()?;
            authority.rsplit_once(':')?.1.parse::<u16>().ok()
        };
        match self {
            Self::Tcp(endpoint) => port_of("tcp") == Some(endpoint.port()),
            Self::Udp(endpoint) => port_of("udp") == Some(endpoint.port()),
            Self::Srt(port) => port_of("srt") == Some(port.endpoint.port()),
            Self::Path(path) | Self::Pipe(path) => is_path(path, url),
            Self::Demo | Self::Stdin => false,
        }
    }
}

fn is_path(path: &Path, url: &str) -> bool {
    let bare = url.strip_prefix("file:").unwrap_or(url);
    if cfg!(windows) {
        // Names of pipes are the same in capitals, and either slash will do.
        let plain = |text: &str| text.replace('/', "\\").to_lowercase();
        return path.to_str().is_some_and(|path| plain(path) == plain(bare));
    }
    let bare = Path::new(bare);
    path == bare
        || std::fs::canonicalize(bare)
            .is_ok_and(|real| std::fs::canonicalize(path).is_ok_and(|path| path == real))
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Demo => f.write_str("the test picture"),
            Self::Path(path) | Self::Pipe(path) => path.display().fmt(f),
            Self::Stdin => f.write_str("standard input"),
            Self::Tcp(endpoint) => write!(f, "tcp://{endpoint}"),
            Self::Udp(endpoint) => write!(f, "udp://{endpoint}"),
            Self::Srt(port) => port.fmt(f),
        }
    }
}

/// The name of a Windows pipe as the system wants it: OBS and ffmpeg also take forward slashes.
pub(crate) fn windows_pipe(text: &str) -> Option<String> {
    let turned = text.replace('/', "\\");
    let name = turned.strip_prefix(r"\\.\pipe\")?;
    (!name.is_empty()).then_some(turned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(text: &str) -> Input {
        text.parse().expect(text)
    }

    #[test]
    fn each_kind_of_source() {
        assert_eq!(input("-").address, Address::Stdin);
        assert_eq!(input("x.ts").address, Address::Path("x.ts".into()));
        assert_eq!(
            input("tcp://0.0.0.0:1").address.to_string(),
            "tcp://0.0.0.0:1"
        );
        assert_eq!(input("UDP://[::]:1").address.to_string(), "udp://[::]:1");
    }

    #[test]
    fn a_channel_may_stand_before_it() {
        assert_eq!(
            input("cam2=tcp://127.0.0.1:9"),
            Input {
                channel: "cam2".parse().expect("a name"),
                address: Address::Tcp("127.0.0.1:9".parse().expect("an endpoint")),
                optional: false,
            }
        );
        assert_eq!(input("/run/obs.ts").channel, Name::main());
        // What cannot be a channel's name is part of the path.
        assert_eq!(input("./a=b.ts").address, Address::Path("./a=b.ts".into()));
    }

    #[test]
    fn what_is_not_there_says_what_is() {
        for (text, word) in [
            ("rtmp://x/y", "tcp://"),
            ("tcp://:1689", "0.0.0.0"),
            ("tcp://127.0.0.1", "HOST:PORT"),
            ("", "path"),
            ("main=", "path"),
        ] {
            let error = text.parse::<Input>().expect_err(text);
            assert!(error.contains(word), "{error}");
        }
    }

    #[test]
    fn windows_pipes_have_their_place() {
        assert_eq!(windows_pipe("//./pipe/x").as_deref(), Some(r"\\.\pipe\x"));
        assert_eq!(windows_pipe(r"\\.\pipe\x").as_deref(), Some(r"\\.\pipe\x"));
        assert_eq!(windows_pipe(r"\\.\pipe\"), None);
        assert_eq!(windows_pipe("pipe"), None);
        assert_eq!(r"\\.\pipe\x".parse::<Address>().is_ok(), cfg!(windows));
    }
}
