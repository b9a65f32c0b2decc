//! One replay: a moment from one or several angles.

use std::fmt;
use std::sync::Arc;

use lookback_mpegts::Ticks;

use super::Edit;
use super::angle::Angle;
use crate::budget::Counted;
use crate::clip::{Clip, Gone};
use crate::recorder::Recorder;
use crate::wall::Wall;

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
        self.poster.unwrap_or(self.main().trim().start)
    }

    /// That moment in one of its angles: the clip that it lies in, and where on its timeline it is.
    pub fn poster_of<'a>(&self, angle: &'a Angle) -> (&'a Arc<Clip>, Ticks) {
        angle.clip_at(self.main().moment(self.poster()))
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
        let trim = start.unwrap_or(main.trim().start)..end.unwrap_or(main.trim().end);
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
            let trim = start.unwrap_or(angle.trim().start)..end.unwrap_or(angle.trim().end);
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
        self.angles.iter().all(|angle| angle.has_all(until))
    }

    /// It does not grow any more.
    pub(super) fn close(&mut self) {
        self.until = None;
        for angle in &mut self.angles {
            angle.close();
        }
    }

    pub(super) fn clips(&self) -> impl Iterator<Item = &Arc<Clip>> {
        self.angles.iter().flat_map(Angle::clips)
    }

    /// Counts what it takes beside its clips.
    pub(super) fn count(&mut self, recorder: &Recorder) {
        let bytes = size_of::<Self>()
            + self.name.len()
            + self.tags.iter().map(|tag| tag.len() + 32).sum::<usize>()
            + self.angles.iter().map(Angle::bytes).sum::<usize>();
        self.counted = Some(Arc::new(recorder.count(bytes)));
    }
}

impl fmt::Debug for Replay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Replay({} {:?})", self.id, self.name)
    }
}
