//! How lookback works with a running OBS.

use std::path::PathBuf;

use clap::ValueEnum;

use super::Endpoint;

/// What is done with OBS, and where it is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct ObsSettings {
    /// Of obs-websocket.
    pub(crate) address: Endpoint,
    /// Read each time that it is connected to.
    pub(crate) password_file: Option<PathBuf>,
    /// Where replays are seen.
    pub(crate) scene: String,
    /// What is not done.
    pub(crate) off: Vec<ObsPart>,
}

impl ObsSettings {
    /// Whether this is done by itself.
    pub(crate) fn does(&self, part: ObsPart) -> bool {
        !self.off.contains(&part)
    }
}

/// What is done by itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum ObsPart {
    /// A recording that ended by an error is started again.
    RestartRecording,
    /// An instant replay puts its scene on the program.
    Switch,
    /// At its end the scene before comes back.
    Return,
    /// The media hotkeys of a deck's source drive the deck.
    MediaKeys,
}
