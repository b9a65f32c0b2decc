//! Follows the live edge of a channel, picture by picture.
//!
//! A follower has a cursor and nothing else: the writer does not know it. Where the log has moved on
//! without it, it jumps to the newest keyframe.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};

use lookback_mpegts::Ticks;

use crate::channel::Channel;
use crate::index::{Cursor, Entry};
use crate::layout::Blocks;
use crate::log::Log;
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
}

/// The stretch of a run that is being followed.
struct Joined {
    run: Arc<Run>,
    key_pts: Ticks,
    shift: Ticks,
    started: Vec<bool>,
    /// Pictures before the key may come.
    leading: bool,
    /// A picture was damaged: the next that can be used is a key.
    broken: bool,
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
        }
    }
}

impl Follower {
    /// The next thing that the follower comes upon. It never ends.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Followed> {
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
            if let Taken::Unit = followed {
                drop(state);
                match self.unit(&entry) {
                    Some(unit) => return Poll::Ready(Followed::Unit(unit)),
                    None => state = channel.lock(),
                }
            }
        }
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
