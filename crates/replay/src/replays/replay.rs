//! One replay: a moment from one or several angles.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use lookback_mpegts::Ticks;

use super::Edit;
use crate::budget::Counted;
use crate::channel::Channel;
use crate::clip::{Clip, ClipError, Gone, Kept, OpenPin, Selection};
use crate::recorder::Recorder;
use crate::rendition::{Piece, Rendition, RenditionError};
use crate::wall::{Wall, ticks_to_duration};

/// A moment that is kept. See the [module](super).
#[derive(Clone)]
pub struct Replay {
    pub(super) id: String,
    pub(super) revision: u64,
    pub(super) name: String,
    pub(super) tags: Vec<String>,
    pub(super) locked: bool,
    /// Until when it grows.
    pub(super) until: Option<Wall>,
    speed: f64,
    poster: Option<Ticks>,
    created: Wall,
    /// At least one.
    angles: Vec<Angle>,
    counted: Option<Arc<Counted>>,
}

/// Where a replay begins and ends, counted from the start of what is held. What is `None` stays as it is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Trim {
    /// The first moment that is seen.
    pub start: Option<Ticks>,
    /// The first that is not seen any more.
    pub end: Option<Ticks>,
}

/// The place is not in the replay.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("that does not lie within the {:.3} s that are held, or ends before it begins", length.as_secs_f64())]
pub struct TrimError {
    /// How long what is held is.
    pub length: Ticks,
}

impl Replay {
    pub(super) fn new(angles: Vec<Angle>, created: Wall, until: Option<Wall>) -> Self {
        Self {
            id: String::new(),
            revision: 0,
            name: String::new(),
            tags: Vec::new(),
            locked: false,
            until,
            speed: 1.0,
            poster: None,
            created,
            angles,
            counted: None,
        }
    }

    /// What it is known by.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Another number after each change.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Words to find it by.
    pub fn tags(&self) -> &[String] {
        &self.tags
    }

    /// Whether it may only be deleted once it is unlocked.
    pub fn locked(&self) -> bool {
        self.locked
    }

    /// How fast it is to be played.
    pub fn speed(&self) -> f64 {
        self.speed
    }

    /// The moment that stands for it, counted from the start of what is held.
    pub fn poster(&self) -> Ticks {
        self.poster.unwrap_or(self.main().trim.start)
    }

    /// When it was made.
    pub fn created(&self) -> Wall {
        self.created
    }

    /// Whether it is still being recorded.
    pub fn is_growing(&self) -> bool {
        self.until.is_some()
    }

    /// What is seen of it; the first one is meant where none is named.
    pub fn angles(&self) -> &[Angle] {
        &self.angles
    }

    /// The angle of that channel.
    pub fn angle(&self, channel: &str) -> Option<&Angle> {
        self.angles.iter().find(|angle| angle.channel() == channel)
    }

    /// The first angle.
    pub fn main(&self) -> &Angle {
        &self.angles[0]
    }

    /// Another one of the same.
    pub(super) fn copy(&self, created: Wall) -> Self {
        Self {
            created,
            locked: false,
            ..self.clone()
        }
    }

    /// All that is to be seen of these, one after the other.
    pub(super) fn joined(replays: &[Arc<Self>], created: Wall) -> Result<Self, Gone> {
        let common = |angle: &&Angle| {
            replays
                .iter()
                .all(|replay| replay.angle(angle.channel()).is_some())
        };
        let first = replays.first().map_or(&[][..], |replay| replay.angles());
        let mut angles = Vec::new();
        for angle in first.iter().filter(common) {
            let same = replays
                .iter()
                .filter_map(|replay| replay.angle(angle.channel()));
            angles.push(Angle::joined(same)?);
        }
        if angles.is_empty() {
            angles.push(Angle::joined(replays.iter().map(|replay| replay.main()))?);
        }
        Ok(Self::new(angles, created, None))
    }

    /// Lets go of all that is not to be seen.
    pub(super) fn narrow(&mut self) -> Result<(), Gone> {
        self.poster = None;
        for angle in &mut self.angles {
            *angle = Angle::joined(std::iter::once(&*angle))?;
        }
        Ok(())
    }

    pub(super) fn apply(&mut self, edit: Edit) -> Result<(), TrimError> {
        self.trim(edit.trim)?;
        if let Some(poster) = edit.poster {
            let length = self.main().length();
            if !(Ticks(0)..=length).contains(&poster) {
                return Err(TrimError { length });
            }
            self.poster = Some(poster);
        }
        self.name = edit.name.unwrap_or_else(|| self.name.clone());
        self.tags = edit.tags.unwrap_or_else(|| self.tags.clone());
        self.locked = edit.locked.unwrap_or(self.locked);
        self.speed = edit.speed.unwrap_or(self.speed);
        Ok(())
    }

    /// All angles begin and end at the same moment.
    fn trim(&mut self, Trim { start, end }: Trim) -> Result<(), TrimError> {
        let main = self.main();
        let trim = start.unwrap_or(main.trim.start)..end.unwrap_or(main.trim.end);
        let length = main.length();
        if trim.start < Ticks(0) || trim.start >= trim.end || trim.end > length {
            return Err(TrimError { length });
        }
        let places = [
            start.map(|_| main.moment(trim.start)),
            end.map(|_| main.moment(trim.end)),
        ];
        let (main, others) = self.angles.split_at_mut(1);
        main[0].set_trim(trim);
        for angle in others {
            let [start, end] = places.map(|place| place.map(|place| angle.place(place)));
            let trim = start.unwrap_or(angle.trim.start)..end.unwrap_or(angle.trim.end);
            // An angle that has nothing of that moment stays as it is.
            if trim.start < trim.end {
                angle.set_trim(trim);
            }
        }
        Ok(())
    }

    /// Takes in what has come since. Gives whether there was anything.
    pub(super) fn grow(&mut self, until: Wall, now: Wall) -> bool {
        let mut grown = false;
        for angle in &mut self.angles {
            grown |= angle.grow(until, now);
        }
        grown
    }

    /// Whether it has all that it waits for.
    pub(super) fn has_all(&self, until: Wall) -> bool {
        self.angles
            .iter()
            .flat_map(|angle| angle.segments.last())
            .all(|segment| segment.clip.end() >= until)
    }

    /// It does not grow any more.
    pub(super) fn close(&mut self) {
        self.until = None;
        for angle in &mut self.angles {
            angle.open = None;
        }
    }

    pub(super) fn clips(&self) -> impl Iterator<Item = &Arc<Clip>> {
        let segments = self.angles.iter().flat_map(|angle| &angle.segments);
        segments.map(|segment| &*segment.clip)
    }

    /// Counts what it takes beside its clips.
    pub(super) fn count(&mut self, recorder: &Recorder) {
        let angles = self.angles.iter();
        let segments: usize = angles.map(|angle| angle.segments.len()).sum();
        let bytes = size_of::<Self>()
            + self.name.len()
            + self.tags.iter().map(|tag| tag.len() + 32).sum::<usize>()
            + self.angles.len() * size_of::<Angle>()
            + segments * size_of::<Segment>();
        self.counted = Some(Arc::new(recorder.count(bytes)));
    }
}

impl fmt::Debug for Replay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Replay({} {:?})", self.id, self.name)
    }
}

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
    fn joined<'a>(angles: impl Iterator<Item = &'a Self>) -> Result<Self, Gone> {
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

    fn set_trim(&mut self, trim: Range<Ticks>) {
        if self.trim != trim {
            self.trim = trim;
            self.rendition = OnceLock::new();
        }
    }

    /// The segment that a place lies in, and when that was recorded.
    fn moment(&self, place: Ticks) -> (usize, Wall) {
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
    fn place(&self, (at, wall): (usize, Wall)) -> Ticks {
        let at = at.min(self.segments.len() - 1);
        let before = self.segments[..at].iter().map(Segment::length);
        let behind = before.fold(Ticks(0), |sum, length| sum + length);
        let Segment { clip, span } = &self.segments[at];
        behind + (clip.position(wall).clamp(span.start, span.end) - span.start)
    }

    fn grow(&mut self, until: Wall, now: Wall) -> bool {
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
