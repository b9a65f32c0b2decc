//! Clips: immutable views of part of a channel.
//!
//! A clip is made in two steps. Under the channel's lock the selection is resolved into a [`Plan`]
//! of parts, one for each run, and what they need is pinned; this is all that recording could notice. Then, without
//! the lock, the [`Layout`] is made: which bytes of the log, with what in front and changed where,
//! are the clip's transport stream.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use lookback_mpegts::Ticks;

use crate::blocks::Blocks;
use crate::budget::Counted;
use crate::channel::{Channel, State};
use crate::layout::Layout;
use crate::log::{PinKey, block_of};
use crate::plan::{Part, Plan, place_on_timeline, plan};
use crate::problem::Problem;
use crate::run::Program;
use crate::units::Units;
use crate::wall::Wall;

/// A span of wall-clock time. A clip starts on the keyframe at or before its beginning.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Selection {
    /// The whole window.
    #[default]
    All,
    /// So far back from now; where nothing is being recorded at the moment, from the end of the
    /// window.
    Last(Duration),
    /// From and to these instants; where one is missing, as far as the window goes.
    Span {
        /// The first instant.
        from: Option<Wall>,
        /// The last instant.
        to: Option<Wall>,
    },
}

/// Why there is no clip.
#[derive(Debug, thiserror::Error)]
pub enum ClipError {
    /// Nothing that can be played has come in yet.
    #[error("nothing is recorded yet{}", problem.as_ref().map(|problem| format!(": {}", problem.hint)).unwrap_or_default())]
    Empty {
        /// What came in instead.
        problem: Option<Problem>,
    },
    /// The selection ends before it begins.
    #[error("the span is empty: it must end after it begins")]
    EmptySpan,
    /// The selection lies before or after all that is there.
    #[error("the span lies outside the window")]
    OutsideWindow {
        /// Where the window begins.
        start: Wall,
        /// Where the window ends.
        end: Wall,
    },
}

/// The clip was let go to keep recording within its memory.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the clip was let go because memory ran short")]
pub struct Gone;

/// See the module's documentation.
pub struct Clip {
    id: String,
    channel: Arc<Channel>,
    pins: Mutex<Vec<PinKey>>,
    /// What is pinned, in numbers of blocks, in the order of the parts.
    blocks: Vec<Range<u64>>,
    revoked: AtomicBool,
    used: AtomicU64,
    /// Replays that it belongs to: as long as there are any, it is not let go.
    keepers: AtomicUsize,
    plan: Plan,
    layout: Layout,
    _counted: Option<Counted>,
}

impl Channel {
    /// Makes a clip. It costs the same for a second and for an hour.
    ///
    /// # Errors
    /// If there is nothing to play, or nothing in the selection.
    pub fn clip(self: &Arc<Self>, selection: Selection, now: Wall) -> Result<Arc<Clip>, ClipError> {
        let kept = self.kept_clip(selection, now)?;
        let clip = Arc::clone(&kept);
        drop(kept);
        // Now it may be the one that has to go.
        if let Some(recorder) = self.recorder() {
            recorder.settle();
        }
        Ok(clip)
    }

    /// The same, and it is not let go.
    pub(crate) fn kept_clip(
        self: &Arc<Self>,
        selection: Selection,
        now: Wall,
    ) -> Result<Kept, ClipError> {
        let state = self.lock();
        let plan = plan(&state, selection, now)?;
        Ok(self.make(state, plan))
    }

    /// Makes a clip that may be made anew with what comes after it, for as long as what comes with it
    /// lives.
    pub(crate) fn open_clip(
        self: &Arc<Self>,
        selection: Selection,
        now: Wall,
    ) -> Result<(Kept, OpenPin), ClipError> {
        let mut state = self.lock();
        let plan = plan(&state, selection, now)?;
        let first = plan
            .parts
            .first()
            .map_or(0, |part| block_of(part.key.offset));
        let pin = OpenPin {
            channel: Arc::clone(self),
            pin: state.log.pin(first..u64::MAX),
        };
        Ok((self.make(state, plan), pin))
    }

    /// Pins what a plan needs while nothing of it can go, and then makes the clip.
    pub(crate) fn make(self: &Arc<Self>, state: MutexGuard<'_, State>, mut plan: Plan) -> Kept {
        place_on_timeline(&mut plan.parts);
        self.make_as_placed(state, plan)
    }

    /// The same with parts that have their place on a timeline.
    pub(crate) fn make_as_placed(
        self: &Arc<Self>,
        mut state: MutexGuard<'_, State>,
        plan: Plan,
    ) -> Kept {
        let pins: Vec<PinKey> = plan
            .stretches()
            .into_iter()
            .map(|blocks| state.log.pin(blocks))
            .collect();
        drop(state);

        let layout = Layout::new(&plan.parts, &plan.faults, plan.limit, Blocks::new(self));
        let blocks = layout.blocks(&plan.parts);
        let pins = self.pin_instead(pins, &blocks);
        let recorder = self.recorder();
        let clip = Kept::new(Arc::new(Clip {
            id: new_id(),
            channel: Arc::clone(self),
            pins: Mutex::new(pins),
            blocks,
            revoked: AtomicBool::new(false),
            used: AtomicU64::new(recorder.as_ref().map_or(0, |recorder| recorder.next_use())),
            keepers: AtomicUsize::new(0),
            _counted: recorder
                .as_ref()
                .map(|recorder| recorder.count(size_of::<Clip>() + layout.bytes() + plan.bytes())),
            plan,
            layout,
        }));
        // It may be what is to be let go first, and is not before it is known whether it is kept.
        if let Some(recorder) = recorder {
            recorder.register(&clip);
            recorder.settle();
        }
        clip
    }
}

impl Clip {
    /// A name that nobody guesses.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The channel it is of.
    pub fn channel(&self) -> &str {
        self.channel.name()
    }

    /// That channel itself, which may have recorded more by now.
    pub fn source(&self) -> &Arc<Channel> {
        &self.channel
    }

    /// Bytes of its transport stream.
    #[expect(
        clippy::len_without_is_empty,
        reason = "a clip has at least one picture"
    )]
    pub fn len(&self) -> u64 {
        self.layout.len()
    }

    /// Up to `max` bytes from `offset` on, at least one unless `offset` is at or behind the end.
    /// Usually they are a view of the log.
    ///
    /// # Errors
    /// If the clip had to be let go.
    pub fn read(&self, offset: u64, max: usize) -> Result<Bytes, Gone> {
        self.touch();
        let bytes = self
            .layout
            .read(offset, max, &mut Blocks::new(&self.channel));
        bytes.filter(|_| !self.is_revoked()).ok_or(Gone)
    }

    /// When its first picture was recorded.
    pub fn start(&self) -> Wall {
        let part = &self.parts()[0];
        part.run.wall(part.key.pts)
    }

    /// When its last picture ended.
    pub fn end(&self) -> Wall {
        let part = &self.parts()[self.parts().len() - 1];
        part.run.wall(part.end_pts)
    }

    /// Its playing time.
    pub fn duration(&self) -> Duration {
        self.parts().iter().map(Part::duration).sum()
    }

    /// Runs that it joins.
    pub fn runs(&self) -> usize {
        self.parts().len()
    }

    /// Runs in the selection whose format differs from that of the newest.
    pub fn runs_left_out(&self) -> usize {
        self.plan.runs_left_out
    }

    /// Where its units begin and end on their timeline.
    pub fn timeline(&self) -> Range<Ticks> {
        let (first, last) = (&self.parts()[0], &self.parts()[self.parts().len() - 1]);
        first.key.pts + first.shift..last.end_pts + last.shift
    }

    /// Its streams.
    pub fn program(&self) -> Program {
        self.parts()[self.parts().len() - 1].run.program()
    }

    /// Its access units in the order of the stream.
    pub fn units(self: &Arc<Self>) -> Units {
        Units::new(Arc::clone(self))
    }

    /// Counts memory for something that was made of the clip, such as the index of a file. Room for it
    /// is made when more is recorded, not at once: that could take the clip away which it is for. `None`
    /// if there is no recorder any more.
    pub fn count(&self, bytes: usize) -> Option<Counted> {
        Some(self.channel.recorder()?.count(bytes))
    }

    /// Bytes that were copied out of it for a reader: they are counted in the memory until it lets go of them.
    pub fn counted(&self, bytes: Vec<u8>) -> Bytes {
        self.channel.counted(bytes)
    }

    pub(crate) fn parts(&self) -> &[Part] {
        &self.plan.parts
    }

    pub(crate) fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The blocks that it holds: ranges of their numbers.
    pub(crate) fn blocks(&self) -> &[Range<u64>] {
        &self.blocks
    }

    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    pub(crate) fn is_revoked(&self) -> bool {
        self.revoked.load(Ordering::Acquire)
    }

    pub(crate) fn last_use(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    pub(crate) fn touch(&self) {
        if let Some(recorder) = self.channel.recorder() {
            self.used.store(recorder.next_use(), Ordering::Relaxed);
        }
    }

    /// Whether it may be let go, and memory would come free.
    pub(crate) fn holds_alone(&self) -> bool {
        let in_window = self.channel.lock().log.first_block();
        let reaches_back = self.blocks.iter().any(|blocks| blocks.start < in_window);
        reaches_back && !self.is_revoked() && self.keepers.load(Ordering::Acquire) == 0
    }

    /// Lets go of all that it holds. Readers are told with their next read.
    pub(crate) fn revoke(&self) {
        self.revoked.store(true, Ordering::Release);
        self.release();
        self.channel.count_problem("clip_dropped");
    }

    /// Whether it still holds its bytes. While the caller has the channel's lock that stays so.
    pub(crate) fn is_pinned(&self) -> bool {
        !self.lock_pins().is_empty()
    }

    fn release(&self) {
        let pins = std::mem::take(&mut *self.lock_pins());
        for pin in pins {
            self.channel.unpin(pin);
        }
    }

    fn lock_pins(&self) -> MutexGuard<'_, Vec<PinKey>> {
        self.pins.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Clip {
    fn drop(&mut self) {
        self.release();
    }
}

/// A clip that belongs to a replay: it is not let go when memory runs short.
pub(crate) struct Kept(Arc<Clip>);

impl Kept {
    pub(crate) fn new(clip: Arc<Clip>) -> Self {
        clip.keepers.fetch_add(1, Ordering::AcqRel);
        Self(clip)
    }
}

impl Clone for Kept {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.0))
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.0.keepers.fetch_sub(1, Ordering::AcqRel);
    }
}

impl std::ops::Deref for Kept {
    type Target = Arc<Clip>;

    fn deref(&self) -> &Arc<Clip> {
        &self.0
    }
}

/// Holds all that is recorded from a block on, and goes on doing so.
pub(crate) struct OpenPin {
    channel: Arc<Channel>,
    pin: PinKey,
}

impl Drop for OpenPin {
    fn drop(&mut self) {
        self.channel.unpin(self.pin);
    }
}

/// 96 bits from the system's source of randomness, which seeds the hash maps of the standard library.
pub(crate) fn new_id() -> String {
    use std::hash::{BuildHasher, RandomState};
    let [high, low] = [0u8, 1].map(|salt| RandomState::new().hash_one(salt));
    format!("{high:016x}{:08x}", low >> 32)
}
