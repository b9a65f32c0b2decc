//! What of a clip is wanted, and how far a pass over it goes for that.

use std::ops::Range;
use std::sync::Arc;

use lookback_mpegts::Ticks;
use lookback_replay::{Clip, Placed};

use crate::Error;

/// What of a clip is wanted.
#[derive(Clone, Debug)]
pub(crate) enum Wanted {
    /// All of it.
    Whole,
    /// What is shown in a span, from the keyframe before it on.
    Shown(Range<Ticks>),
    /// The groups of pictures whose keyframe lies in a span, and the sound from there on.
    Groups(Range<Ticks>),
    /// Some of the pictures behind a keyframe, and the sound of their time.
    Pictures(Pieces),
}

/// See [`Wanted::Pictures`].
#[derive(Clone, Debug)]
pub(crate) struct Pieces {
    /// When the keyframe is shown.
    pub(crate) key: Ticks,
    /// When the pictures are decoded: the first one at the begin.
    pub(crate) decoded: Range<Ticks>,
    pub(crate) sound: Range<Ticks>,
}

/// How far a pass goes.
pub(crate) struct Reach {
    /// Where to look for the first keyframe; `None` at the begin of the clip.
    pub(crate) seek: Option<Ticks>,
    /// When the first picture is shown.
    pub(crate) start: Ticks,
    /// When the first picture is decoded: from those before it only parameter sets are learnt.
    pub(crate) first_dts: Ticks,
    /// When the last picture is decoded.
    pub(crate) last_dts: Ticks,
    /// When the last picture's time is over.
    pub(crate) end: Ticks,
    /// How long all of the pictures are shown, if that is what is known.
    pub(crate) length: Option<Ticks>,
    /// When frames of sound begin.
    pub(crate) sound: Range<Ticks>,
    /// Pictures that are shown before the first keyframe refer to what is not there.
    pub(crate) drops_leading: bool,
}

impl Reach {
    pub(crate) fn of(clip: &Arc<Clip>, wanted: &Wanted) -> Result<Self, Error> {
        let timeline = clip.timeline();
        let (span, in_groups) = match wanted {
            Wanted::Whole => {
                return Ok(Self {
                    seek: None,
                    start: timeline.start,
                    first_dts: Ticks(i64::MIN),
                    last_dts: Ticks(i64::MAX),
                    end: timeline.end,
                    length: None,
                    sound: Ticks(i64::MIN)..Ticks(i64::MAX),
                    drops_leading: false,
                });
            }
            Wanted::Shown(span) => (span, false),
            Wanted::Groups(span) => (span, true),
            Wanted::Pictures(pieces) => return Self::of_pictures(pieces),
        };
        if span.start >= span.end || span.start >= timeline.end || span.end <= timeline.start {
            return Err(Error::EmptySpan);
        }
        let mut units = clip.units();
        units.seek(span.start);
        let mut first: Option<Placed> = None;
        let mut last = None;
        // When the first of the pictures behind the last one is shown.
        let mut next = timeline.end;
        while let Some(placed) = units.next_placed()? {
            if placed.stream != 0 {
                continue;
            }
            let is_behind = if in_groups {
                placed.random_access && placed.pts >= span.end
            } else {
                placed.dts >= span.end
            };
            if is_behind && first.is_some() {
                next = next.min(placed.pts);
                break;
            }
            if in_groups || placed.pts < span.end || first.is_none() {
                last = Some(placed.dts);
            }
            if placed.pts >= span.end {
                next = next.min(placed.pts);
            }
            first.get_or_insert(placed);
        }
        let (Some(first), Some(last_dts)) = (first, last) else {
            return Err(Error::EmptySpan);
        };
        let has_video = clip.program().codecs()[0].is_video();
        let start = if has_video {
            first.pts
        } else {
            span.start.max(timeline.start)
        };
        Ok(Self {
            seek: Some(start),
            start,
            first_dts: Ticks(i64::MIN),
            length: None,
            last_dts: if has_video { last_dts } else { Ticks(i64::MAX) },
            end: next.max(start + Ticks(1)),
            sound: start..span.end,
            drops_leading: !in_groups,
        })
    }

    fn of_pictures(pieces: &Pieces) -> Result<Self, Error> {
        let Pieces {
            key,
            decoded,
            sound,
        } = pieces;
        if decoded.start >= decoded.end || sound.start >= sound.end {
            return Err(Error::EmptySpan);
        }
        Ok(Self {
            seek: Some(*key),
            start: *key,
            first_dts: decoded.start,
            last_dts: decoded.end - Ticks(1),
            end: sound.end,
            length: Some(decoded.end - decoded.start),
            sound: sound.clone(),
            drops_leading: false,
        })
    }
}
