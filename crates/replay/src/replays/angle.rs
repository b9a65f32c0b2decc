//! One angle of a replay: what one channel has recorded of the moment.

use std::ops::Range;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use lookback_mpegts::Ticks;

use crate::channel::Channel;
use crate::clip::{Clip, ClipError, Gone, Kept, OpenPin, Selection};
use crate::rendition::{Piece, Rendition, RenditionError};
use crate::wall::{Wall, ticks_to_duration};

/// A replay as one channel has recorded it.
#[derive(Clone)]
pub struct Angle {
    /// At least one, and one after the other.
    segments: Vec<Segment>,
    /// What is seen of them, counted from the start of the first.
    trim: Range<Ticks>,
    /// Made when it is first asked for.
    rendition: OnceLock<Rendition>,
    /// Held while it grows.
    open: Option<Arc<OpenPin>>,
}

/// A stretch of a clip's timeline.
#[derive(Clone)]
struct Segment {
    clip: Kept,
    span: Range<Ticks>,
}

impl Segment {
    fn length(&self) -> Ticks {
        self.span.end - self.span.start
    }
}

impl Angle {
    /// The moment in that channel, from picture to picture.
    pub(super) fn new(
        channel: &Arc<Channel>,
        selection: Selection,
        open: bool,
        now: Wall,
    ) -> Result<Self, ClipError> {
        let (clip, pin) = match open {
            true => channel
                .open_clip(selection, now)
                .map(|(clip, pin)| (clip, Some(Arc::new(pin))))?,
            false => (channel.kept_clip(selection, now)?, None),
        };
        let span = clip.timeline();
        let mut trim = Ticks(0)..span.end - span.start;
        if let Selection::Span { from, to } = selection {
            let place = |at: Wall| clip.position(at) - span.start;
            let exact = from.map_or(trim.start, place)..to.map_or(trim.end, place);
            if exact.start < exact.end {
                trim = exact;
            }
        }
        Ok(Self {
            segments: vec![Segment { clip, span }],
            trim,
            rendition: OnceLock::new(),
            open: pin,
        })
    }

    /// What is to be seen of these, one after the other.
    pub(super) fn joined<'a>(angles: impl Iterator<Item = &'a Self>) -> Result<Self, Gone> {
        let mut segments = Vec::new();
        for piece in angles.flat_map(Self::pieces) {
            let narrow = Rendition::new(&[piece]).map_err(|_| Gone)?;
            segments.push(Segment {
                clip: narrow.kept,
                span: narrow.shown[0].clone(),
            });
        }
        let length = segments.iter().map(Segment::length);
        let length = length.fold(Ticks(0), |sum, length| sum + length);
        Ok(Self {
            segments,
            trim: Ticks(0)..length,
            rendition: OnceLock::new(),
            open: None,
        })
    }

    /// The channel it is of; of a reel from several, the first one's.
    pub fn channel(&self) -> &str {
        self.source().name()
    }

    pub(super) fn source(&self) -> &Arc<Channel> {
        self.segments[0].clip.source()
    }

    /// How long what is held is.
    pub fn length(&self) -> Ticks {
        let lengths = self.segments.iter().map(Segment::length);
        lengths.fold(Ticks(0), |sum, length| sum + length)
    }

    /// What is to be seen of that, counted from its start.
    pub fn trim(&self) -> Range<Ticks> {
        self.trim.clone()
    }

    /// How long that is.
    pub fn duration(&self) -> Duration {
        ticks_to_duration(self.trim.end - self.trim.start)
    }

    /// When the first moment was recorded that is to be seen.
    pub fn start(&self) -> Wall {
        self.moment(self.trim.start).1
    }

    /// When what is to be seen had ended.
    pub fn end(&self) -> Wall {
        let pieces = self.pieces();
        pieces
            .last()
            .map_or_else(|| self.start(), |(clip, span)| clip.wall(span.end))
    }

    /// What is to be seen, piece by piece: each a stretch of a clip's timeline.
    pub fn pieces(&self) -> Vec<Piece> {
        let mut behind = Ticks(0);
        let mut pieces = Vec::new();
        for Segment { clip, span } in &self.segments {
            // From where the segment is to where it is in its clip.
            let into = span.start - behind;
            let start = (self.trim.start + into).max(span.start);
            let end = (self.trim.end + into).min(span.end);
            if start < end {
                pieces.push((Arc::clone(clip), start..end));
            }
            behind += span.end - span.start;
        }
        pieces
    }

    /// One stream with all that is to be seen.
    ///
    /// # Errors
    /// If the pieces are not one stream.
    pub fn rendition(&self) -> Result<&Rendition, RenditionError> {
        if let Some(rendition) = self.rendition.get() {
            return Ok(rendition);
        }
        let rendition = Rendition::new(&self.pieces())?;
        Ok(self.rendition.get_or_init(|| rendition))
    }

    /// Whether it has all up to then.
    pub(super) fn has_all(&self, until: Wall) -> bool {
        let last = self.segments.last();
        last.is_some_and(|segment| segment.clip.end() >= until)
    }

    /// It does not grow any more.
    pub(super) fn close(&mut self) {
        self.open = None;
    }

    pub(super) fn clips(&self) -> impl Iterator<Item = &Arc<Clip>> {
        self.segments.iter().map(|segment| &*segment.clip)
    }

    /// Memory that it takes beside its clips.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + self.segments.len() * size_of::<Segment>()
    }

    /// Changes what is to be seen.
    pub(super) fn set_trim(&mut self, trim: Range<Ticks>) {
        if self.trim != trim {
            self.trim = trim;
            self.rendition = OnceLock::new();
        }
    }

    /// The segment that a place lies in, and when that was recorded.
    pub(super) fn moment(&self, place: Ticks) -> (usize, Wall) {
        let mut behind = Ticks(0);
        for (at, segment) in self.segments.iter().enumerate() {
            let last = at + 1 == self.segments.len();
            if last || place < behind + segment.length() {
                let into = place - behind;
                return (at, segment.clip.wall(segment.span.start + into));
            }
            behind += segment.length();
        }
        unreachable!("an angle has at least one segment")
    }

    /// The place where that moment of a segment is.
    pub(super) fn place(&self, (at, wall): (usize, Wall)) -> Ticks {
        let at = at.min(self.segments.len() - 1);
        let before = self.segments[..at].iter().map(Segment::length);
        let behind = before.fold(Ticks(0), |sum, length| sum + length);
        let (_, position) = self.clip_at((at, wall));
        behind + (position - self.segments[at].span.start)
    }

    /// The clip that a moment of a segment lies in, and where on its timeline it is.
    pub(super) fn clip_at(&self, (at, wall): (usize, Wall)) -> (&Arc<Clip>, Ticks) {
        let Segment { clip, span } = &self.segments[at.min(self.segments.len() - 1)];
        (clip, clip.position(wall).clamp(span.start, span.end))
    }

    /// Takes in what has come since. Gives whether there was anything.
    pub(super) fn grow(&mut self, until: Wall, now: Wall) -> bool {
        let length = self.length();
        let [segment] = &mut self.segments[..] else {
            return false;
        };
        let Some(grown) = segment.clip.grown(until, now) else {
            return false;
        };
        let was_cut = self.trim.end < length;
        segment.span = grown.timeline();
        let end = grown.position(until) - segment.span.start;
        segment.clip = grown;
        let trim = self.trim.start..if was_cut { self.trim.end } else { end };
        self.rendition = OnceLock::new();
        self.trim = trim;
        true
    }
}
