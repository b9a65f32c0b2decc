//! Sinks: where a deck plays besides HTTP, for a media source or a player to read.
//!
//! A [`Pipe`] is one name for what each system has: a FIFO, or a Windows named pipe. It gives readers one
//! after another; an `Output` is the connection to one of them, and fails when the reader leaves. A [`Port`]
//! has as many readers as come.

#[cfg(unix)]
mod fifo;
#[cfg(windows)]
mod pipe;
mod port;

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

#[cfg(unix)]
pub(crate) use self::fifo::Pipe;
#[cfg(windows)]
pub(crate) use self::pipe::Pipe;
pub(crate) use self::port::Port;
use crate::settings::{Endpoint, Name};
use crate::source::windows_pipe;
use crate::usage::Usage;

/// A sink and the deck that plays into it, as in `[DECK=]SINK`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct PlayTo {
    pub(crate) deck: Name,
    pub(crate) address: Address,
}

/// Where readers come to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Address {
    /// A FIFO's path, or the name of a Windows pipe.
    Pipe(PathBuf),
    /// Listens there.
    Tcp(Endpoint),
}

/// Where readers come to, taken.
#[derive(Debug)]
pub(crate) enum Sink {
    Pipe(Pipe),
    Port(Port),
}

impl Sink {
    /// Takes what it needs.
    pub(crate) fn bind(address: &Address) -> Result<Self, Usage> {
        match address {
            Address::Pipe(path) => Pipe::bind(path).map(Self::Pipe),
            Address::Tcp(endpoint) => Port::bind(endpoint).map(Self::Port),
        }
    }
}

impl PlayTo {
    /// The pipe that a media source reads on this system, for deck main.
    pub(crate) fn by_default() -> Result<Self, Usage> {
        Ok(Self {
            deck: Name::main(),
            address: Address::Pipe(default_pipe()?),
        })
    }
}

#[cfg(unix)]
fn default_pipe() -> Result<PathBuf, Usage> {
    Ok(crate::fifo::default_folder()?.join("play.ts"))
}

#[cfg(windows)]
fn default_pipe() -> Result<PathBuf, Usage> {
    Ok(PathBuf::from(r"\\.\pipe\piping_to_media_source"))
}

impl FromStr for PlayTo {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (deck, address) = Name::before_equals(text);
        Ok(Self {
            deck: deck.unwrap_or_else(Name::main),
            address: address.parse()?,
        })
    }
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some((scheme, rest)) = text.split_once("://") {
            return match scheme.to_ascii_lowercase().as_str() {
                "tcp" => Ok(Self::Tcp(rest.parse()?)),
                _ => Err(format!("{scheme}:// is not known here; tcp://HOST:PORT is")),
            };
        }
        match windows_pipe(text) {
            Some(name) if cfg!(windows) => Ok(Self::Pipe(PathBuf::from(name))),
            None if cfg!(unix) && !text.is_empty() => Ok(Self::Pipe(PathBuf::from(text))),
            _ if cfg!(windows) => {
                Err(r"name a pipe, such as \\.\pipe\NAME, or tcp://HOST:PORT".to_owned())
            }
            _ => Err("name a FIFO by its path, or tcp://HOST:PORT".to_owned()),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pipe(path) => Path::display(path).fmt(f),
            Self::Tcp(endpoint) => write!(f, "tcp://{endpoint}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_system_has_its_kind_of_pipe() {
        assert_eq!("/run/play.ts".parse::<Address>().is_ok(), cfg!(unix));
        assert_eq!(r"\\.\pipe\x".parse::<Address>().is_ok(), cfg!(windows));
        assert!("tcp://127.0.0.1:1".parse::<Address>().is_ok());
        assert!("http://127.0.0.1:1".parse::<Address>().is_err());
        assert!("".parse::<Address>().is_err());
    }

    #[test]
    fn a_deck_may_be_named() {
        let play_to: PlayTo = "b=tcp://127.0.0.1:1".parse().expect("good");
        assert_eq!(play_to.deck.as_str(), "b");
        let play_to: PlayTo = "tcp://127.0.0.1:1".parse().expect("good");
        assert_eq!(play_to.deck, Name::main());
    }
}
