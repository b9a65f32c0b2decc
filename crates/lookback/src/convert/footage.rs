//! What is converted or exported: a clip, or what is to be seen of one, and what is known of it.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use lookback_codec::Codec;
use lookback_mp4::Mp4;
use lookback_mpegts::Ticks;
use lookback_replay::{Clip, Gone, Rendition, Wall};
use serde::Deserialize;
use tokio::task::spawn_blocking;

use super::failure::Failure;
use super::input::Input;

/// See the module's documentation.
#[derive(Clone)]
pub(crate) struct Footage {
    clip: Arc<Clip>,
    codecs: Vec<Codec>,
    /// On the clip's timeline, one after the other; at least one.
    shown: Vec<Range<Ticks>>,
    /// Somebody asked for a part of what is there.
    is_part: bool,
    /// What people call it.
    pub(crate) name: Option<String>,
    /// What people find it by.
    pub(crate) tags: Vec<String>,
    /// Keeps the clip of a replay that is deleted meanwhile.
    _kept: Option<Rendition>,
}

/// A part of what is to be seen, in seconds from its start.
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
            shown: vec![clip.timeline()],
            clip,
            is_part: false,
            name: None,
            tags: Vec::new(),
            _kept: None,
        }
    }

    /// What is to be seen of a replay.
    pub(crate) fn of_replay(rendition: &Rendition, name: &str, tags: &[String]) -> Self {
        Self {
            shown: rendition.shown.clone(),
            name: Some(name.to_owned()),
            tags: tags.to_vec(),
            _kept: Some(rendition.clone()),
            ..Self::of_clip(Arc::clone(&rendition.clip))
        }
    }

    /// A part of it, exact to the picture. Says what is wrong with one that is not in it.
    pub(crate) fn part(mut self, part: Part) -> Result<Self, String> {
        let length = self.length();
        let place = |value: Option<f64>, name: &str, default: Ticks| match value {
            None => Ok(default),
            Some(value) if (0.0..=length.as_secs_f64()).contains(&value) => {
                Ok(Ticks::from_secs_f64(value))
            }
            Some(_) => Err(format!(
                "{name} is a number of seconds up to {:.3}",
                length.as_secs_f64()
            )),
        };
        let wanted = place(part.in_s, "in_s", Ticks::ZERO)?..place(part.out_s, "out_s", length)?;
        if wanted.start >= wanted.end {
            return Err("in_s lies before out_s".to_owned());
        }
        self.is_part = wanted != (Ticks::ZERO..length);
        let mut behind = Ticks::ZERO;
        let shown = self.shown.iter().filter_map(|span| {
            // From where it is in all that is shown to where it is in the clip.
            let into = span.start - behind;
            behind += span.end - span.start;
            let cut = (wanted.start + into).max(span.start)..(wanted.end + into).min(span.end);
            (cut.start < cut.end).then_some(cut)
        });
        self.shown = shown.collect();
        Ok(self)
    }

    pub(crate) fn clip(&self) -> &Arc<Clip> {
        &self.clip
    }

    /// Whether somebody asked for a part of what is there.
    pub(super) fn is_part(&self) -> bool {
        self.is_part
    }

    /// Whether there is something in between that is not to be seen.
    pub(super) fn is_reel(&self) -> bool {
        self.shown.len() > 1
    }

    /// What is to be seen, in seconds from the start of the clip.
    pub(super) fn shown_s(&self) -> Vec<[f64; 2]> {
        let start = self.clip.timeline().start;
        let shown = self.shown.iter();
        shown
            .map(|span| [span.start, span.end].map(|at| (at - start).as_secs_f64()))
            .collect()
    }

    /// How long it plays.
    pub(crate) fn duration(&self) -> Duration {
        Duration::try_from_secs_f64(self.length().as_secs_f64()).unwrap_or_default()
    }

    /// When its first picture was recorded.
    pub(crate) fn start(&self) -> Wall {
        self.clip.wall(self.shown[0].start)
    }

    /// When its last picture ended.
    pub(crate) fn end(&self) -> Wall {
        self.clip.wall(self.shown[self.shown.len() - 1].end)
    }

    pub(super) fn codecs(&self) -> &[Codec] {
        &self.codecs
    }

    /// It as MP4. Every byte is looked at, which takes a while.
    pub(super) async fn mp4(&self) -> Result<Mp4, Failure> {
        let (clip, shown) = (Arc::clone(&self.clip), self.shown.clone());
        match spawn_blocking(move || Mp4::new(&clip, &shown)).await {
            Ok(Ok(mp4)) => Ok(mp4),
            Ok(Err(lookback_mp4::Error::Gone(Gone))) => Err(Gone.into()),
            Ok(Err(error)) => Err(Failure::NoMp4(error.to_string())),
            Err(_) => Err(Failure::Fault),
        }
    }

    /// What ffmpeg is given of it.
    pub(super) async fn input(&self) -> Result<Input, Failure> {
        if self.is_reel() {
            // Its edit list says what a stream cannot: which pictures in between are not to be seen.
            return Ok(Input::mp4(self.mp4().await?));
        }
        let timeline = self.clip.timeline();
        let (shown, clip) = (&self.shown[0], Arc::clone(&self.clip));
        Ok(match *shown == timeline {
            true => Input::stream(clip, None),
            false => Input::stream(
                clip,
                Some(shown.start - timeline.start..shown.end - timeline.start),
            ),
        })
    }

    /// What ffmpeg is given to copy, which begins with a keyframe.
    pub(super) fn uncut(&self) -> Input {
        Input::stream(Arc::clone(&self.clip), None)
    }

    fn length(&self) -> Ticks {
        let lengths = self.shown.iter().map(|span| span.end - span.start);
        lengths.fold(Ticks::ZERO, |sum, length| sum + length)
    }
}
