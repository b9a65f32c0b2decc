//! What is converted or exported: a clip, or a part of one, and what is known of it.

use std::sync::Arc;
use std::time::Duration;

use lookback_codec::Codec;
use lookback_replay::{Clip, Wall};
use serde::Deserialize;

/// See the module's documentation.
#[derive(Clone)]
pub(crate) struct Footage {
    clip: Arc<Clip>,
    codecs: Vec<Codec>,
    /// From the start of the clip.
    start: Duration,
    /// `None`: to the end of the clip.
    end: Option<Duration>,
    /// What people call it.
    pub(crate) name: Option<String>,
    /// What people find it by.
    pub(crate) tags: Vec<String>,
}

/// A part of a clip, in seconds from its start.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(crate) struct Part {
    pub(crate) in_s: Option<f64>,
    pub(crate) out_s: Option<f64>,
}

impl Footage {
    /// All of a clip.
    pub(crate) fn of_clip(clip: Arc<Clip>) -> Self {
        Self {
            codecs: clip.program().codecs().to_vec(),
            clip,
            start: Duration::ZERO,
            end: None,
            name: None,
            tags: Vec::new(),
        }
    }

    /// A part of it, exact to the picture. Says what is wrong with one that is not in it.
    pub(crate) fn part(mut self, part: Part) -> Result<Self, String> {
        let length = self.clip.duration();
        let seconds = |value: Option<f64>, name: &str| match value {
            None => Ok(None),
            Some(value) => Duration::try_from_secs_f64(value)
                .ok()
                .filter(|value| *value <= length)
                .map(Some)
                .ok_or_else(|| {
                    format!(
                        "{name} is a number of seconds up to {:.3}",
                        length.as_secs_f64()
                    )
                }),
        };
        self.start = seconds(part.in_s, "in_s")?.unwrap_or_default();
        self.end = seconds(part.out_s, "out_s")?;
        if self.start >= self.end.unwrap_or(length) {
            return Err("in_s lies before out_s".to_owned());
        }
        Ok(self)
    }

    pub(crate) fn clip(&self) -> &Arc<Clip> {
        &self.clip
    }

    pub(crate) fn is_part(&self) -> bool {
        !self.start.is_zero() || self.end.is_some()
    }

    /// How long it plays.
    pub(crate) fn duration(&self) -> Duration {
        self.end.unwrap_or_else(|| self.clip.duration()) - self.start
    }

    /// When its first picture was recorded.
    pub(crate) fn start(&self) -> Wall {
        self.clip.start() + self.start
    }

    /// When its last picture ended.
    pub(crate) fn end(&self) -> Wall {
        match self.end {
            Some(end) => self.clip.start() + end,
            None => self.clip.end(),
        }
    }

    pub(super) fn codecs(&self) -> &[Codec] {
        &self.codecs
    }

    /// What ffmpeg is told of its input, which begins with the clip.
    pub(super) fn input_arguments(&self) -> Vec<String> {
        if !self.is_part() {
            return Vec::new();
        }
        let seconds = |value: Duration| format!("{:.6}", value.as_secs_f64());
        vec![
            "-ss".to_owned(),
            seconds(self.start),
            "-t".to_owned(),
            seconds(self.duration()),
        ]
    }
}
