//! What ffmpeg reads: the bytes of a clip, or of a piece of one, and what it is told of them.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use lookback_mp4::{Mp4, Place};
use lookback_mpegts::Ticks;
use lookback_replay::{Clip, Gone};

use super::preview::Cut;

/// See the module's documentation.
pub(super) struct Input {
    bytes: Source,
    arguments: Vec<String>,
}

enum Source {
    Stream(Arc<Clip>),
    Mp4(Mp4),
    Cut(Box<Cut>),
}

impl Input {
    /// A clip as it is, of which a part, counted from its start, or all is to be seen.
    pub(super) fn stream(clip: Arc<Clip>, part: Option<Range<Ticks>>) -> Self {
        let seconds = |value: Ticks| format!("{:.6}", value.as_secs_f64());
        let mut arguments = Vec::new();
        if let Some(part) = part {
            let (start, length) = (seconds(part.start), seconds(part.end - part.start));
            arguments.extend(["-ss".to_owned(), start, "-t".to_owned(), length]);
        }
        arguments.extend(["-f", "mpegts", "-i", "pipe:0"].map(str::to_owned));
        Self {
            bytes: Source::Stream(clip),
            arguments,
        }
    }

    /// What an MP4 shows.
    pub(super) fn mp4(mp4: Mp4) -> Self {
        // Where one piece ends and the next begins, ffmpeg reads the same picture twice, and so goes back: in
        // memory it can. Where it cannot after all, that is not to pass as the end.
        let arguments = ["-xerror", "-f", "mov", "-i", "async:pipe:0"];
        Self {
            bytes: Source::Mp4(mp4),
            arguments: arguments.map(str::to_owned).to_vec(),
        }
    }

    /// A piece of a clip. It can be read once.
    pub(super) fn cut(cut: Cut) -> Self {
        Self {
            bytes: Source::Cut(Box::new(cut)),
            arguments: Cut::input_arguments(),
        }
    }

    /// What ffmpeg is told of its input.
    pub(super) fn arguments(&self) -> &[String] {
        &self.arguments
    }

    /// Bytes from `offset` on, where the last read has ended; none at the end.
    pub(super) fn read(&self, offset: u64, max: usize, place: &mut Place) -> Result<Bytes, Gone> {
        match &self.bytes {
            Source::Stream(clip) => clip.read(offset, max),
            Source::Mp4(mp4) => mp4.read(offset, max, place),
            Source::Cut(cut) => cut.read(max),
        }
    }
}
