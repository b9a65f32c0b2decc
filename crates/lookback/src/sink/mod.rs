//! The sink: where deck main plays besides HTTP, for a media source or a player to read.
//!
//! One name for what each system has: a FIFO, or a Windows named pipe. A [`Sink`] gives readers one
//! after another; an `Output` is the connection to one of them, and fails when the reader leaves.

#[cfg(unix)]
mod fifo;
#[cfg(windows)]
mod pipe;

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

#[cfg(unix)]
pub(crate) use self::fifo::Sink;
#[cfg(windows)]
pub(crate) use self::pipe::Sink;
use crate::source::windows_pipe;
use crate::usage::Usage;

/// A FIFO's path, or the name of a Windows pipe.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Address(PathBuf);

impl Address {
    /// The pipe that a media source reads on this system.
    #[cfg(unix)]
    pub(crate) fn by_default() -> Result<Self, Usage> {
        Ok(Self(crate::fifo::default_folder()?.join("play.ts")))
    }

    /// The pipe that a media source reads on this system.
    #[cfg(windows)]
    pub(crate) fn by_default() -> Result<Self, Usage> {
        Ok(Self(PathBuf::from(r"\\.\pipe\piping_to_media_source")))
    }
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match windows_pipe(text) {
            Some(name) if cfg!(windows) => Ok(Self(PathBuf::from(name))),
            None if cfg!(unix) && !text.is_empty() && !text.contains("://") => {
                Ok(Self(PathBuf::from(text)))
            }
            _ if cfg!(windows) => Err(r"name a pipe, such as \\.\pipe\NAME".to_owned()),
            _ => Err("name a FIFO by its path".to_owned()),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.display().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_system_has_its_kind() {
        assert_eq!("/run/play.ts".parse::<Address>().is_ok(), cfg!(unix));
        assert_eq!(r"\\.\pipe\x".parse::<Address>().is_ok(), cfg!(windows));
        assert!("tcp://127.0.0.1:1".parse::<Address>().is_err());
        assert!("".parse::<Address>().is_err());
    }
}
