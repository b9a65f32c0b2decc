//! Where a deck's units come from: a clip, or a channel while it is recorded.

use std::ops::Range;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use lookback_mpegts::Ticks;
use lookback_replay::{Channel, Clip, Followed, Follower, Gone, Program, Unit, Units};

/// What is played.
#[derive(Clone)]
pub enum Source {
    /// What was recorded.
    Clip(Arc<Clip>),
    /// A part of its timeline, to the picture.
    Part(Arc<Clip>, Range<Ticks>),
    /// What is being recorded.
    Live(Live),
}

/// A channel's window, which moves on while it is played.
#[derive(Clone)]
pub struct Live {
    /// The channel.
    pub channel: Arc<Channel>,
    /// How far behind the newest picture it is shown.
    pub delay: Ticks,
}

/// Sources send unevenly, some of them sound later than its pictures, and all is to be shown evenly.
const UNEVENNESS: Ticks = Ticks(45_000);

/// Pictures that a codec may hold back to show them in another order.
const REORDER_MAX: usize = 16;

/// How much later than pictures of the same time sound may come in a clip.
const SOUND_LATE_MAX: Ticks = Ticks(90_000);

/// Reads a source, unit by unit, on its timeline.
pub(crate) enum Reader {
    Clip(Part),
    Live { follower: Follower, delay: Ticks },
}

/// What may be seen of a clip.
pub(crate) struct Part {
    clip: Arc<Clip>,
    units: Units,
    range: Range<Ticks>,
    /// Where it ends before the clip does: when the last of its pictures is decoded.
    last: Option<Ticks>,
}

/// What was read.
pub(crate) enum Read {
    Unit(Unit),
    /// Other streams from here on.
    Program(Program),
    /// There is nothing yet; the waker is told.
    Pending,
    End,
}

impl Reader {
    pub(crate) fn new(source: &Source) -> Self {
        match source {
            Source::Clip(clip) => Self::of(clip),
            Source::Part(clip, range) => Self::Clip(Part::new(clip, range.clone())),
            Source::Live(live) => Self::Live {
                follower: live.channel.follow(),
                delay: live.delay,
            },
        }
    }

    pub(crate) fn of(clip: &Arc<Clip>) -> Self {
        Self::Clip(Part::new(clip, clip.timeline()))
    }

    /// Another one, on the same timeline.
    fn twin(&self) -> Self {
        match self {
            Self::Clip(part) => Self::Clip(Part::new(&part.clip, part.range.clone())),
            Self::Live { follower, delay } => Self::Live {
                follower: follower.twin(),
                delay: *delay,
            },
        }
    }

    pub(crate) fn is_live(&self) -> bool {
        matches!(self, Self::Live { .. })
    }

    /// The streams, once they are known.
    pub(crate) fn program(&self) -> Option<Program> {
        match self {
            Self::Clip(part) => Some(part.clip.program()),
            Self::Live { follower, .. } => follower.program(),
        }
    }

    /// From where to where there is something.
    pub(crate) fn timeline(&self) -> Range<Ticks> {
        match self {
            Self::Clip(part) => part.range.clone(),
            Self::Live { follower, .. } => follower.window().unwrap_or(Ticks(0)..Ticks(0)),
        }
    }

    /// What is to be shown now of a live channel whose timeline is that, even if it was not recorded; `None` of
    /// a clip, and where nothing is recorded.
    pub(crate) fn edge_of(&self, timeline: &Range<Ticks>) -> Option<Ticks> {
        match self {
            Self::Live { delay, .. } if !timeline.is_empty() => {
                Some(timeline.end - *delay - UNEVENNESS)
            }
            _ => None,
        }
    }

    /// Goes to the last keyframe at or before `to`, or to the first there is.
    pub(crate) fn seek(&mut self, to: Ticks) {
        match self {
            Self::Clip(part) => part.units.seek(to),
            Self::Live { follower, .. } => follower.seek(to),
        }
    }

    pub(crate) fn next(&mut self, waker: &Waker) -> Result<Read, Gone> {
        match self {
            Self::Clip(part) => part.next().map(read),
            Self::Live { follower, .. } => Ok(follow(|cx| follower.poll_next(cx), waker)),
        }
    }

    pub(crate) fn next_key(&mut self, waker: &Waker) -> Result<Read, Gone> {
        match self {
            Self::Clip(part) => part.next_key().map(read),
            Self::Live { follower, .. } => Ok(follow(|cx| follower.poll_next_key(cx), waker)),
        }
    }

    /// The next unit, if it is there.
    fn next_now(&mut self) -> Result<Option<Unit>, Gone> {
        loop {
            match self.next(Waker::noop())? {
                Read::Unit(unit) => return Ok(Some(unit)),
                Read::Program(_) => {}
                Read::Pending | Read::End => return Ok(None),
            }
        }
    }

    /// The pictures of the time `before` the one at `shown`, from a keyframe on, and that picture.
    pub(crate) fn up_to(&self, shown: Ticks, before: Ticks) -> Result<Vec<Unit>, Gone> {
        let mut reader = self.twin();
        reader.seek(shown - before);
        let mut pictures = Vec::new();
        while let Some(unit) = reader.next_now()? {
            if unit.stream > 0 {
                continue;
            }
            let arrived = unit.pts >= shown;
            pictures.push(unit);
            if arrived {
                break;
            }
        }
        Ok(pictures)
    }

    /// The picture that is shown so many after (or before) the one at `from`; at the ends, the last there
    /// is.
    pub(crate) fn neighbour(&self, from: Ticks, pictures: i32) -> Result<Ticks, Gone> {
        let back = pictures < 0;
        let count = pictures.unsigned_abs() as usize;
        let mut reader = self.twin();
        let mut start = if back { from - Ticks(1) } else { from };
        loop {
            reader.seek(start);
            let mut found: Vec<Ticks> = Vec::new();
            let mut first = None;
            while let Some(unit) = reader.next_now()? {
                if unit.stream > 0 {
                    continue;
                }
                first.get_or_insert(unit.pts);
                if back && unit.dts >= from || !back && found.len() >= count + REORDER_MAX {
                    break;
                }
                let is_beyond = if back {
                    unit.pts < from
                } else {
                    unit.pts > from
                };
                found.extend(is_beyond.then_some(unit.pts));
            }
            found.sort_unstable();
            if !back {
                let wanted = found.get(count.saturating_sub(1)).or(found.last());
                return Ok(wanted.copied().unwrap_or(from));
            }
            if found.len() >= count {
                return Ok(found[found.len() - count]);
            }
            match first.map(|first| first - Ticks(1)) {
                Some(earlier) if earlier < start && earlier >= self.timeline().start => {
                    start = earlier;
                }
                _ => return Ok(found.first().copied().unwrap_or(from)),
            }
        }
    }
}

impl Part {
    fn new(clip: &Arc<Clip>, range: Range<Ticks>) -> Self {
        let is_cut = range.end < clip.timeline().end;
        // A clip that was let go says so when it is read.
        let last = is_cut.then(|| last_before(clip, range.end).unwrap_or(range.end));
        Self {
            clip: Arc::clone(clip),
            units: clip.units(),
            range,
            last,
        }
    }

    fn next(&mut self) -> Result<Option<Unit>, Gone> {
        while let Some(unit) = self.units.next()? {
            let Some(last) = self.last else {
                return Ok(Some(unit));
            };
            let is_picture = unit.stream == 0;
            if is_picture && unit.dts >= self.range.end + SOUND_LATE_MAX {
                return Ok(None);
            }
            if is_picture && unit.dts <= last || !is_picture && unit.pts < self.range.end {
                return Ok(Some(unit));
            }
        }
        Ok(None)
    }

    fn next_key(&mut self) -> Result<Option<Unit>, Gone> {
        while let Some(unit) = self.units.next_key()? {
            if unit.pts >= self.range.start {
                return Ok((unit.pts < self.range.end).then_some(unit));
            }
        }
        Ok(None)
    }
}

/// When the last of the pictures is decoded that are shown before `end`.
fn last_before(clip: &Arc<Clip>, end: Ticks) -> Result<Ticks, Gone> {
    let mut units = clip.units();
    units.seek(end - Ticks(1));
    let mut last = Ticks(i64::MIN);
    while let Some(unit) = units.next()? {
        if unit.stream > 0 {
            continue;
        }
        if unit.dts >= end {
            break;
        }
        if unit.pts < end {
            last = last.max(unit.dts);
        }
    }
    Ok(last)
}

fn read(unit: Option<Unit>) -> Read {
    unit.map_or(Read::End, Read::Unit)
}

fn follow(mut poll: impl FnMut(&mut Context<'_>) -> Poll<Followed>, waker: &Waker) -> Read {
    let cx = &mut Context::from_waker(waker);
    loop {
        match poll(cx) {
            Poll::Ready(Followed::Unit(unit)) => return Read::Unit(unit),
            Poll::Ready(Followed::Program(program)) => return Read::Program(program),
            // The timeline goes on over what was missed.
            Poll::Ready(Followed::Jumped) => {}
            Poll::Pending => return Read::Pending,
        }
    }
}
