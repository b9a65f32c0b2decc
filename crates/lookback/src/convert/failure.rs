//! Why a conversion or an export did not come out.

use std::io;
use std::time::Duration;

use lookback_replay::{Gone, NoRoom};
use serde_json::{Value, json};

use crate::library::NotSaved;
use crate::programs;
use crate::settings::Size;

/// See the module's documentation.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// It cannot be started.
    #[error("{program} cannot be started ({error}): {}", programs::INSTALL_FFMPEG)]
    NoFfmpeg {
        /// What was to be started.
        program: String,
        /// What the system says.
        error: String,
    },
    /// It lacks what the preset needs.
    #[error("this ffmpeg has no encoder {}: install one that has, or take another preset", .0.join(", "))]
    NoEncoder(Vec<String>),
    /// It ended with an error.
    #[error("ffmpeg ended with {status}{}", last(said))]
    Crashed {
        /// How it ended.
        status: String,
        /// Its last lines.
        said: Vec<String>,
    },
    /// It wrote nothing.
    #[error("ffmpeg wrote nothing{}", last(said))]
    Nothing {
        /// Its last lines.
        said: Vec<String>,
    },
    /// Nothing moved any more.
    #[error("ffmpeg stood still for {} s and was ended", after.as_secs_f64())]
    Stalled {
        /// For so long.
        after: Duration,
    },
    /// It took too long.
    #[error("ffmpeg was not done after {} s and was ended", after.as_secs_f64())]
    TooSlow {
        /// For so long.
        after: Duration,
    },
    /// More came than there may be.
    #[error("the result is larger than {} and was given up", Size(*max))]
    TooLarge {
        /// So many bytes may be.
        max: u64,
    },
    /// What has to fit does not.
    #[error("it cannot be made as small as {0}: choose a larger size or a shorter part")]
    Misfit(Size),
    /// An MP4 cannot carry it.
    #[error("{0}")]
    NoMp4(String),
    /// The clip went.
    #[error(transparent)]
    Gone(#[from] Gone),
    /// Memory ran short.
    #[error(transparent)]
    NoRoom(#[from] NoRoom),
    /// The library did not take it.
    #[error(transparent)]
    NotSaved(#[from] NotSaved),
    /// A pipe broke.
    #[error("ffmpeg cannot be read: {0}")]
    Pipe(#[from] io::Error),
    /// It was told to stop.
    #[error("it was cancelled")]
    Cancelled,
    /// A fault in lookback.
    #[error("a fault in lookback ended it")]
    Fault,
}

impl Failure {
    /// Whether the library takes nothing else either.
    pub(crate) fn is_of_the_library(&self) -> bool {
        matches!(self, Self::NotSaved(error) if !matches!(error, NotSaved::NameTaken(_)))
    }

    /// A word for programs.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::NoFfmpeg { .. } => "no_ffmpeg",
            Self::NoEncoder(_) => "no_encoder",
            Self::Crashed { .. } => "ffmpeg_failed",
            Self::Nothing { .. } => "nothing_came_out",
            Self::Stalled { .. } => "ffmpeg_stalled",
            Self::TooSlow { .. } => "too_slow",
            Self::TooLarge { .. } => "too_large",
            Self::NoMp4(_) => "unsupported_codec",
            Self::Misfit(_) => "does_not_fit",
            Self::Gone(_) => "clip_dropped",
            Self::NoRoom(_) => "no_room",
            Self::NotSaved(error) => error.code(),
            Self::Pipe(_) => "ffmpeg_failed",
            Self::Cancelled => "cancelled",
            Self::Fault => "fault",
        }
    }

    /// As the API shows it.
    pub(crate) fn shown(&self) -> Value {
        let mut shown = json!({"code": self.code(), "detail": self.to_string()});
        if let Self::Crashed { said, .. } | Self::Nothing { said } = self {
            shown["log"] = said.as_slice().into();
        }
        shown
    }
}

fn last(said: &[String]) -> String {
    said.last()
        .map(|line| format!(": {line}"))
        .unwrap_or_default()
}
