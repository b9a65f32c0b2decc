//! Replays: moments that are kept, with what their user has made of them.
//!
//! A [`Replay`] is a value. Whoever looks at one holds it as it was; a change puts another in its place.
//! It consists of references: to keep a moment, to trim it, to take it apart or to join it with others
//! copies nothing.
//!
//! What replays hold is what the live windows lack, so before one is kept it is seen whether there is
//! [`room`] for it. Where there is none, the [`Policy`] says what happens.

mod angle;
mod replay;
mod room;

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lookback_mpegts::Ticks;

pub use self::angle::Angle;
pub use self::replay::{Replay, Trim, TrimError};
pub use self::room::Full;
use self::room::Room;
use crate::channel::Channel;
use crate::clip::{ClipError, Gone, Selection, new_id};
use crate::recorder::Recorder;
use crate::run::SILENCE;
use crate::wall::Wall;

/// What happens when there is no room for another replay.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum WhenFull {
    /// It is refused.
    #[default]
    Refuse,
    /// The oldest that is not locked goes.
    DropOldest,
}

/// What replays may take.
#[derive(Clone, Copy, Debug, Default)]
pub struct Policy {
    /// What happens beyond that.
    pub when_full: WhenFull,
    /// How far the channels must be able to look back beside all replays. Without it half a minute, or
    /// half of the memory where that is less.
    pub keep_live: Option<Duration>,
}

/// What is to be kept.
#[derive(Clone, Default)]
pub struct Save {
    /// Of these channels; none: of all in which anything is recorded then.
    pub channels: Vec<Arc<Channel>>,
    /// Which moment; the same in each.
    pub selection: Selection,
    /// How much of what comes next is part of it.
    pub plus: Duration,
    /// What it is called; where there is no name it is given a number.
    pub name: Option<String>,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// Whether it may only be deleted once it is unlocked.
    pub locked: bool,
    /// The ids of those that do not go for it, as if they were locked.
    pub beside: Vec<String>,
}

/// What is to be different. What is `None` stays as it is.
#[derive(Clone, Debug, Default)]
pub struct Edit {
    /// What it is called.
    pub name: Option<String>,
    /// Words to find it by.
    pub tags: Option<Vec<String>>,
    /// Whether it may only be deleted once it is unlocked.
    pub locked: Option<bool>,
    /// How fast it is played.
    pub speed: Option<f64>,
    /// Where it begins and ends.
    pub trim: Trim,
    /// Which moment stands for it.
    pub poster: Option<Ticks>,
}

/// Why nothing was kept, or changed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// There is no such moment.
    #[error(transparent)]
    Clip(#[from] ClipError),
    /// There is no room for it.
    #[error(transparent)]
    Full(#[from] Full),
    /// There is no such part of it.
    #[error(transparent)]
    Trim(#[from] TrimError),
    /// There is no such replay.
    #[error("there is no such replay: it was deleted, or it never was")]
    Unknown,
    /// It is not what it was.
    #[error("the replay was changed meanwhile")]
    Changed,
    /// It may not be deleted.
    #[error("the replay is locked: unlock it first")]
    Locked,
    /// What it is made of was let go.
    #[error(transparent)]
    Gone(#[from] Gone),
    /// It is still being recorded.
    #[error("the replay is still growing: wait until it is complete")]
    Growing,
}

/// What was kept, and what had to go for it.
#[derive(Debug)]
pub struct Saved {
    /// The new one.
    pub replay: Arc<Replay>,
    /// Dropped because there was no room.
    pub dropped: Vec<Arc<Replay>>,
}

/// All replays that are kept in memory.
pub struct Replays {
    recorder: Arc<Recorder>,
    policy: Policy,
    store: Mutex<Store>,
}

#[derive(Default)]
struct Store {
    /// The oldest first.
    all: Vec<Arc<Replay>>,
    /// How many were made so far.
    made: u64,
    /// How many changes there were so far.
    changes: u64,
}

impl Replays {
    /// None yet.
    pub fn new(recorder: Arc<Recorder>, policy: Policy) -> Self {
        Self {
            recorder,
            policy,
            store: Mutex::default(),
        }
    }

    /// What they are made of.
    pub fn recorder(&self) -> &Arc<Recorder> {
        &self.recorder
    }

    /// Keeps a moment.
    ///
    /// # Errors
    /// If there is no such moment in any of the channels (in all of them, if they are named), or no room.
    pub fn save(&self, save: Save, now: Wall) -> Result<Saved, ReplayError> {
        let named = !save.channels.is_empty();
        let channels = match named {
            true => save.channels.clone(),
            false => self.recorder.channels(),
        };
        let span = span_of(&channels, save.selection, now);
        let until = (!save.plus.is_zero()).then(|| now + save.plus);
        let mut angles = Vec::new();
        let mut failed = None;
        for channel in &channels {
            match Angle::new(channel, span, until.is_some(), now) {
                Ok(angle) => angles.push(angle),
                Err(error) if named => return Err(error.into()),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        if let (true, Some(error)) = (angles.is_empty(), failed) {
            return Err(error.into());
        }
        let mut store = self.lock();
        let mut replay = Replay::new(angles, now, until);
        replay.name = save
            .name
            .unwrap_or_else(|| format!("Replay {}", store.made + 1));
        replay.tags = save.tags;
        replay.locked = save.locked;
        let room = Room::new(&self.recorder, self.policy.keep_live, now);
        let dropped = self.make_room(&mut store, &room, &replay, &save.beside)?;
        let replay = store.add(replay, &self.recorder);
        Ok(Saved { replay, dropped })
    }

    /// Whether there is room for one more of so many bytes.
    ///
    /// # Errors
    /// If there is none.
    pub fn room_for(&self, bytes: u64, now: Wall) -> Result<(), Full> {
        let store = self.lock();
        let room = Room::new(&self.recorder, self.policy.keep_live, now);
        match room.lacks_beside(store.all.iter().map(|replay| &**replay), bytes) {
            false => Ok(()),
            true => Err(Full { delete: Vec::new() }),
        }
    }

    /// Keeps all that a channel [aside](Recorder::aside) has, of which these stretches are to be seen, in
    /// ticks from its start; none: all.
    ///
    /// # Errors
    /// If there is nothing in it, or no such stretch.
    pub fn restore(
        &self,
        channel: &Arc<Channel>,
        shown: &[Range<Ticks>],
        name: Option<String>,
        tags: Vec<String>,
        now: Wall,
    ) -> Result<Arc<Replay>, ReplayError> {
        let whole = Angle::new(channel, Selection::All, false, now)?;
        channel.clear();
        let length = whole.length();
        let whole = Replay::new(vec![whole], now, None);
        let piece = |span: &Range<_>| {
            let mut piece = whole.clone();
            let trim = Trim {
                start: Some(span.start),
                // What is written in seconds may be a tick longer.
                end: Some(span.end.min(length)),
            };
            piece.apply(Edit {
                trim,
                ..Edit::default()
            })?;
            Ok::<_, ReplayError>(Arc::new(piece))
        };
        let pieces: Vec<_> = shown.iter().map(piece).collect::<Result<_, _>>()?;
        let mut replay = match &pieces[..] {
            [] => whole,
            [one] => Replay::clone(one),
            several => Replay::joined(several, now)?,
        };
        let mut store = self.lock();
        replay.name = name.unwrap_or_else(|| format!("Replay {}", store.made + 1));
        replay.tags = tags;
        Ok(store.add(replay, &self.recorder))
    }

    /// All of them, the oldest first.
    pub fn all(&self) -> Vec<Arc<Replay>> {
        self.lock().all.clone()
    }

    /// The one of that id.
    ///
    /// # Errors
    /// If there is none.
    pub fn named(&self, id: &str) -> Result<Arc<Replay>, ReplayError> {
        let store = self.lock();
        store.position(id).map(|at| Arc::clone(&store.all[at]))
    }

    /// Changes one.
    ///
    /// # Errors
    /// If there is none of that id, or no such part of it.
    pub fn edit(&self, id: &str, edit: Edit) -> Result<Arc<Replay>, ReplayError> {
        let mut store = self.lock();
        let at = store.position(id)?;
        let mut replay = Replay::clone(&store.all[at]);
        replay.apply(edit)?;
        Ok(store.put(at, replay, &self.recorder))
    }

    /// Lets one go. Who is reading it may go on.
    ///
    /// # Errors
    /// If there is none of that id, or it is locked.
    pub fn delete(&self, id: &str) -> Result<(), ReplayError> {
        let mut store = self.lock();
        let at = store.position(id)?;
        if store.all[at].locked() {
            return Err(ReplayError::Locked);
        }
        let gone = store.all.remove(at);
        drop(store);
        drop(gone);
        Ok(())
    }

    /// Lets one go that is still as it was when somebody looked at it.
    ///
    /// # Errors
    /// If it is gone, or was changed since.
    pub fn delete_unchanged(&self, replay: &Replay) -> Result<(), ReplayError> {
        let mut store = self.lock();
        let at = store.position(replay.id())?;
        if store.all[at].revision() != replay.revision() {
            return Err(ReplayError::Changed);
        }
        let gone = store.all.remove(at);
        drop(store);
        drop(gone);
        Ok(())
    }

    /// Another one of the same.
    ///
    /// # Errors
    /// If there is none of that id, or it still grows.
    pub fn duplicate(&self, id: &str, now: Wall) -> Result<Arc<Replay>, ReplayError> {
        let mut store = self.lock();
        let copy = store.complete(id)?.copy(now);
        Ok(store.add(copy, &self.recorder))
    }

    /// Makes two of one: the first ends at a place in it, behind its start, and is the one that it was;
    /// the second is new, and begins there.
    ///
    /// # Errors
    /// If there is none of that id, it still grows, or the place is not within it.
    pub fn split(
        &self,
        id: &str,
        place: Ticks,
        now: Wall,
    ) -> Result<[Arc<Replay>; 2], ReplayError> {
        let mut store = self.lock();
        let at = store.position(id)?;
        let mut first = Replay::clone(&*store.complete(id)?);
        let mut second = first.copy(now);
        let trim = |start, end| Edit {
            trim: Trim { start, end },
            ..Edit::default()
        };
        first.apply(trim(None, Some(place)))?;
        second.apply(trim(Some(place), None))?;
        first.narrow()?;
        second.narrow()?;
        let first = store.put(at, first, &self.recorder);
        Ok([first, store.add(second, &self.recorder)])
    }

    /// A new one that is what is to be seen of these, one after the other: from each angle that all of
    /// them have, or where there is none, from the first of each.
    ///
    /// # Errors
    /// If one is not there, or still grows.
    ///
    /// # Panics
    /// If there are none.
    pub fn join(
        &self,
        ids: &[String],
        name: Option<String>,
        now: Wall,
    ) -> Result<Arc<Replay>, ReplayError> {
        let mut store = self.lock();
        let replays: Vec<_> = ids
            .iter()
            .map(|id| store.complete(id))
            .collect::<Result<_, _>>()?;
        let mut reel = Replay::joined(&replays, now)?;
        reel.name = name.unwrap_or_else(|| format!("Reel {}", store.made + 1));
        Ok(store.add(reel, &self.recorder))
    }

    /// Lets those grow that are not complete yet. Gives whether anything has changed.
    pub fn grow(&self, now: Wall) -> bool {
        let mut store = self.lock();
        let mut changed = false;
        for at in 0..store.all.len() {
            let Some(until) = store.all[at].until else {
                continue;
            };
            let mut grown = Replay::clone(&store.all[at]);
            let has_grown = grown.grow(until, now);
            let room = Room::new(&self.recorder, self.policy.keep_live, now);
            let others = store.all.iter().filter(|other| other.id != grown.id);
            let lacks_room = room.lacks(others.map(|other| &**other).chain([&grown]));
            if lacks_room {
                // The windows come first.
                grown.main().source().count_problem("replay_cut_short");
            }
            let is_complete = grown.has_all(until) || now.since(until) > SILENCE || lacks_room;
            if is_complete {
                grown.close();
            }
            if has_grown || is_complete {
                store.put(at, grown, &self.recorder);
                changed = true;
            }
        }
        changed
    }

    /// Finds room for one more. Gives what had to go.
    fn make_room(
        &self,
        store: &mut Store,
        room: &Room,
        new: &Replay,
        beside: &[String],
    ) -> Result<Vec<Arc<Replay>>, Full> {
        let victims = room.victims(&store.all, new, beside)?;
        if victims.is_empty() {
            return Ok(victims);
        }
        match self.policy.when_full {
            WhenFull::Refuse => Err(Full { delete: victims }),
            WhenFull::DropOldest => {
                let stays = |replay: &Arc<Replay>| victims.iter().all(|gone| gone.id != replay.id);
                store.all.retain(stays);
                for angle in victims.iter().flat_map(|replay| replay.angles()) {
                    angle.source().count_problem("replay_dropped");
                }
                Ok(victims)
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store {
    fn position(&self, id: &str) -> Result<usize, ReplayError> {
        let found = self.all.iter().position(|replay| replay.id == id);
        found.ok_or(ReplayError::Unknown)
    }

    fn complete(&self, id: &str) -> Result<Arc<Replay>, ReplayError> {
        let replay = &self.all[self.position(id)?];
        match replay.until {
            None => Ok(Arc::clone(replay)),
            Some(_) => Err(ReplayError::Growing),
        }
    }

    fn add(&mut self, mut replay: Replay, recorder: &Recorder) -> Arc<Replay> {
        self.made += 1;
        loop {
            // Short enough to be typed, and never used again.
            replay.id = new_id()[..ID_LEN].to_owned();
            if self.position(&replay.id).is_err() {
                break;
            }
        }
        self.all.push(Arc::new(replay));
        let at = self.all.len() - 1;
        let replay = Replay::clone(&self.all[at]);
        self.put(at, replay, recorder)
    }

    fn put(&mut self, at: usize, mut replay: Replay, recorder: &Recorder) -> Arc<Replay> {
        self.changes += 1;
        replay.revision = self.changes;
        replay.count(recorder);
        let replay = Arc::new(replay);
        self.all[at] = Arc::clone(&replay);
        recorder.settle();
        replay
    }
}

/// Digits of an id.
const ID_LEN: usize = 8;

/// The span of time that a selection means in all of these channels together.
fn span_of(channels: &[Arc<Channel>], selection: Selection, now: Wall) -> Selection {
    let Selection::Last(length) = selection else {
        return selection;
    };
    let is_recording = channels
        .iter()
        .any(|channel| channel.lock().is_recording(now));
    let ends = channels
        .iter()
        .filter_map(|channel| Some(channel.lock().window()?.end));
    let until = match ends.max() {
        Some(end) if !is_recording => end,
        _ => now,
    };
    Selection::Span {
        from: Some(until - length),
        to: None,
    }
}
