//! Follows the live edge of a channel, picture by picture.
//!
//! A follower has a cursor and nothing else: the writer does not know it. Where the log has moved on
//! without it, it jumps to the newest keyframe. It can be sent back to any moment of the window, and comes
//! to the edge again from there.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};

use lookback_mpegts::Ticks;

use crate::blocks::Blocks;
use crate::channel::{Channel, State};
use crate::index::{Cursor, Entry, Key};
use crate::log::{Log, block_of};
use crate::run::{Program, Run};
use crate::units::{Unit, insert_parameters, payload};

/// Where the followed timeline begins.
const TIMELINE_START: Ticks = Ticks(10 * 90_000);

/// What a follower comes upon.
#[derive(Clone, Debug)]
pub enum Followed {
    /// The streams from here on: first of all, and again when they change.
    Program(Program),
    /// A unit has become complete.
    Unit(Unit),
    /// Units were missed: the next one is a keyframe.
    Jumped,
}

/// See the module's documentation.
pub struct Follower {
    channel: Arc<Channel>,
    parked: Arc<Parked>,
    next: Option<Cursor>,
    joined: Option<Joined>,
    last_run: Option<Arc<Run>>,
    /// End of what was handed out, on the follower's timeline.
    played_until: Option<Ticks>,
    /// A seek led to other streams, and nobody knows it yet.
    new_program: bool,
}

/// The stretch of a run that is being followed.
#[derive(Clone)]
struct Joined {
    run: Arc<Run>,
    /// Where its first keyframe lies.
    from: u64,
    key_pts: Ticks,
    shift: Ticks,
    started: Vec<bool>,
    /// Pictures before the key may come.
    leading: bool,
    /// A picture was damaged: the next that can be used is a key.
    broken: bool,
}

/// A run, its keys, and what its timestamps are shifted by.
struct Placed {
    run: Arc<Run>,
    keys: Range<usize>,
    shift: Ticks,
}

/// The followers that wait for something new.
#[derive(Default)]
pub(crate) struct Waiting(Vec<Weak<Parked>>);

/// Who is to be woken; with the follower it is gone.
#[derive(Default)]
struct Parked(Mutex<Option<Waker>>);

impl Waiting {
    fn park(&mut self, parked: &Arc<Parked>, waker: &Waker) {
        if parked.lock().replace(waker.clone()).is_none() {
            self.0.retain(|other| other.strong_count() > 0);
            self.0.push(Arc::downgrade(parked));
        }
    }

    pub(crate) fn wake(self) {
        for parked in self.0.iter().filter_map(Weak::upgrade) {
            let waker = parked.lock().take();
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }
}

impl Parked {
    fn lock(&self) -> MutexGuard<'_, Option<Waker>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Taken {
    Nothing,
    Joined { new_program: bool },
    Unit,
}

impl Channel {
    /// Follows the channel from its newest keyframe, or from the first that comes.
    pub fn follow(self: &Arc<Self>) -> Follower {
        Follower {
            channel: Arc::clone(self),
            parked: Arc::default(),
            next: None,
            joined: None,
            last_run: None,
            played_until: None,
            new_program: false,
        }
    }
}

impl Follower {
    /// The channel.
    pub fn channel(&self) -> &Arc<Channel> {
        &self.channel
    }

    /// The streams, once they are known.
    pub fn program(&self) -> Option<Program> {
        self.last_run.as_ref().map(|run| run.program())
    }

    /// Another one with the same timeline.
    #[must_use]
    pub fn twin(&self) -> Self {
        Self {
            channel: Arc::clone(&self.channel),
            parked: Arc::default(),
            next: self.next,
            joined: self.joined.clone(),
            last_run: self.last_run.clone(),
            played_until: self.played_until,
            new_program: self.new_program,
        }
    }

    /// From where to where the window reaches, on the follower's timeline; `None` while nothing can be
    /// played.
    pub fn window(&self) -> Option<Range<Ticks>> {
        let state = self.channel.lock();
        let runs = self.runs(&state);
        let (first, last) = (runs.first()?, runs.last()?);
        let start = state.log.keys[first.keys.start].pts + first.shift;
        Some(start..(last.run.latest + last.shift).max(start))
    }

    /// Goes to the last keyframe at or before `to`, or to the first there is, or else to the first that
    /// comes.
    pub fn seek(&mut self, to: Ticks) {
        let channel = Arc::clone(&self.channel);
        let state = channel.lock();
        let keys = &state.log.keys;
        let runs = self.runs(&state);
        let later = runs.partition_point(|placed| keys[placed.keys.start].pts + placed.shift <= to);
        let Some(placed) = runs.get(later.saturating_sub(1)) else {
            self.next = None;
            self.joined = None;
            return;
        };
        let later = placed
            .keys
            .clone()
            .find(|&at| keys[at].pts + placed.shift > to);
        let at = later.unwrap_or(placed.keys.end).max(placed.keys.start + 1) - 1;
        self.enter(&keys[at], placed);
    }

    /// The next thing that the follower comes upon. It never ends.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Followed> {
        self.poll_where(|_, _| true, cx)
    }

    /// The same, without anything but keyframes.
    pub fn poll_next_key(&mut self, cx: &mut Context<'_>) -> Poll<Followed> {
        self.poll_where(
            |entry, run| entry.track() == run.cut && entry.is(Entry::KEY),
            cx,
        )
    }

    fn poll_where(
        &mut self,
        wanted: impl Fn(&Entry, &Run) -> bool,
        cx: &mut Context<'_>,
    ) -> Poll<Followed> {
        if std::mem::take(&mut self.new_program)
            && let Some(program) = self.program()
        {
            return Poll::Ready(Followed::Program(program));
        }
        let channel = Arc::clone(&self.channel);
        let mut state = channel.lock();
        loop {
            let Some(cursor) = self.position(&state.log) else {
                state.followers.park(&self.parked, cx.waker());
                return Poll::Pending;
            };
            let overtaken = cursor.block < state.log.first_block();
            if overtaken {
                self.next = None;
                self.joined = None;
                continue;
            }
            let Some(block) = state.log.block(cursor.block) else {
                state.followers.park(&self.parked, cx.waker());
                return Poll::Pending;
            };
            let Some(entry) = block.entries().get(cursor.entry).copied() else {
                if cursor.block < state.log.last_block() {
                    self.next = Some(Cursor {
                        block: cursor.block + 1,
                        entry: 0,
                    });
                    continue;
                }
                state.followers.park(&self.parked, cx.waker());
                return Poll::Pending;
            };
            let run = state.log.run_at(entry.offset).cloned();
            let is_wanted = run.as_ref().is_some_and(|run| wanted(&entry, run));
            let followed = self.take(&entry, run);
            if let Taken::Joined { new_program } = followed {
                // The key itself is taken on the next round.
                let program = self.joined.as_ref().map(|joined| joined.run.program());
                if let (true, Some(program)) = (new_program, program) {
                    return Poll::Ready(Followed::Program(program));
                }
                return Poll::Ready(Followed::Jumped);
            }
            self.next = Some(Cursor {
                block: cursor.block,
                entry: cursor.entry + 1,
            });
            if let (Taken::Unit, true) = (followed, is_wanted) {
                drop(state);
                match self.unit(&entry) {
                    Some(unit) => return Poll::Ready(Followed::Unit(unit)),
                    None => state = channel.lock(),
                }
            }
        }
    }

    /// The runs that can be played, in a row on the follower's timeline.
    fn runs(&self, state: &State) -> Vec<Placed> {
        let place = |(run, keys): (&Arc<Run>, Range<usize>)| Placed {
            run: Arc::clone(run),
            keys,
            shift: Ticks(0),
        };
        let mut runs: Vec<Placed> = state.runs_with_keys().map(place).collect();
        let Some(newest) = runs.len().checked_sub(1) else {
            return runs;
        };
        let is_joined = |joined: &Joined| {
            let at = runs
                .iter()
                .rposition(|placed| placed.run.start == joined.run.start)?;
            Some((at, joined.shift))
        };
        let (known, shift) = self.joined.as_ref().and_then(is_joined).unwrap_or_else(|| {
            let key = &state.log.keys[runs[newest].keys.end - 1];
            let from = self.played_until.unwrap_or(TIMELINE_START);
            (newest, from - key.pts)
        });
        runs[known].shift = shift;
        let first_picture = |placed: &Placed| state.log.keys[placed.keys.start].pts;
        for at in known + 1..runs.len() {
            runs[at].shift =
                runs[at - 1].run.latest + runs[at - 1].shift - first_picture(&runs[at]);
        }
        for at in (0..known).rev() {
            runs[at].shift =
                first_picture(&runs[at + 1]) + runs[at + 1].shift - runs[at].run.latest;
        }
        runs
    }

    /// Goes on from a keyframe.
    fn enter(&mut self, key: &Key, placed: &Placed) {
        self.new_program |= self
            .last_run
            .as_ref()
            .is_none_or(|last| !last.agrees_with(&placed.run));
        // Sound that comes with the key may have become complete before it.
        self.next = Some(Cursor {
            block: block_of(key.offset),
            entry: 0,
        });
        self.joined = Some(Joined {
            from: key.offset,
            key_pts: key.pts,
            shift: placed.shift,
            started: vec![false; placed.run.tracks.len()],
            leading: key.is_open,
            broken: false,
            run: Arc::clone(&placed.run),
        });
        self.last_run = Some(Arc::clone(&placed.run));
        self.played_until = Some(key.pts + placed.shift);
    }

    fn position(&mut self, log: &Log) -> Option<Cursor> {
        if self.next.is_none() {
            self.next = log.keys.back().map(|key| key.cursor);
        }
        self.next
    }

    fn take(&mut self, entry: &Entry, run: Option<Arc<Run>>) -> Taken {
        let Some(run) = run else {
            return Taken::Nothing;
        };
        match &mut self.joined {
            // What lies in front of a keyframe that was sought.
            Some(joined) if entry.offset < joined.run.start => Taken::Nothing,
            Some(joined) if joined.run.start == run.start => {
                joined.run = run;
                if joined.takes(entry) {
                    Taken::Unit
                } else {
                    Taken::Nothing
                }
            }
            _ if entry.track() == run.cut && entry.is(Entry::KEY) => {
                let new_program = self
                    .last_run
                    .as_ref()
                    .is_none_or(|last| !last.agrees_with(&run));
                self.join(entry, run);
                Taken::Joined { new_program }
            }
            _ => {
                self.joined = None;
                Taken::Nothing
            }
        }
    }

    fn join(&mut self, entry: &Entry, run: Arc<Run>) {
        let from = self.played_until.unwrap_or(TIMELINE_START);
        self.joined = Some(Joined {
            from: entry.offset,
            key_pts: entry.pts,
            shift: (from - entry.pts).max(from - entry.dts()),
            started: vec![false; run.tracks.len()],
            leading: entry.is(Entry::OPEN),
            broken: false,
            run: Arc::clone(&run),
        });
        self.last_run = Some(run);
    }

    fn unit(&mut self, entry: &Entry) -> Option<Unit> {
        let joined = self.joined.as_ref()?;
        let track = &joined.run.tracks[entry.track()];
        let mut payload = payload(&mut Blocks::new(&self.channel), entry, track.pid)?;
        let is_first = entry.track() == joined.run.cut && entry.pts == joined.key_pts;
        if is_first && track.codec.is_video() && !entry.is(Entry::PARAMETERS) {
            let sets = joined.run.parameters_at(entry.offset);
            insert_parameters(&mut payload, track.codec, sets);
        }
        let (pts, dts) = (entry.pts + joined.shift, entry.dts() + joined.shift);
        let until = pts + track.nominal_frame();
        self.played_until = Some(self.played_until.map_or(until, |last| last.max(until)));
        Some(Unit {
            stream: joined.run.stream_of(entry.track()),
            pts,
            dts,
            random_access: entry.is(Entry::KEY) || track.codec.is_audio(),
            payload,
        })
    }
}

impl Joined {
    fn takes(&mut self, entry: &Entry) -> bool {
        if entry.track() == self.run.cut {
            if entry.offset < self.from {
                return false;
            }
            let is_key = entry.is(Entry::KEY) && !entry.is(Entry::DAMAGED);
            if is_key && entry.pts != self.key_pts {
                self.leading = self.broken && entry.is(Entry::OPEN);
                if self.leading {
                    self.key_pts = entry.pts;
                }
            }
            self.broken = !is_key && (self.broken || entry.is(Entry::DAMAGED));
            return !(self.broken || self.leading && entry.pts < self.key_pts);
        }
        let is_video = self.run.tracks[entry.track()].codec.is_video();
        let started = &mut self.started[entry.track()];
        *started |= entry.pts >= self.key_pts && (!is_video || entry.is(Entry::KEY));
        *started && !entry.is(Entry::DAMAGED)
    }
}
