//! Clips: immutable views of part of a channel.
//!
//! A clip is made in two steps. Under the channel's lock the selection is resolved into [`Part`]s, one
//! for each run, and what they need is pinned; this is all that recording could notice. Then, without
//! the lock, the [`Layout`] is made: which bytes of the log, with what in front and changed where,
//! are the clip's transport stream.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use lookback_mpegts::{PTS_WRAP, Ticks};

use crate::budget::Counted;
use crate::channel::{Channel, State};
use crate::index::{Cursor, Entry, Fault, Key};
use crate::layout::{Blocks, Layout, TAIL_BLOCKS};
use crate::log::{Block, PinKey, block_of};
use crate::problem::Problem;
use crate::run::{Program, Run};
use crate::units::Units;
use crate::wall::{Wall, ticks_to_duration};

/// Where the timeline of a clip begins that is not the source's own. It leaves room in front for
/// clocks, which run ahead of the pictures.
const TIMELINE_START: Ticks = Ticks(10 * 90_000);

/// How far clocks run ahead of the pictures. Many streams begin little more than a second after zero,
/// and these should be taken as they are.
const CLOCK_LEAD_MAX: Ticks = Ticks(90_000);

/// How far sound may end behind the pictures.
const SOUND_BEHIND_MAX: Ticks = Ticks(10 * 90_000);

/// Pictures that a codec may hold back to show them in another order: H.264 and HEVC allow 16.
const REORDER_MAX: usize = 16;

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

/// What a clip is made from. It is all that is needed to make others of the same material, when the log
/// has forgotten its keys and faults.
pub(crate) struct Plan {
    pub(crate) parts: Vec<Part>,
    /// Those among the bytes of the parts.
    pub(crate) faults: Vec<Fault>,
    /// The end of what may be looked at.
    pub(crate) limit: u64,
    pub(crate) runs_left_out: usize,
}

impl Plan {
    fn bytes(&self) -> usize {
        let runs = self.parts.iter().map(|part| part.run.bytes());
        runs.sum::<usize>()
            + self.parts.len() * size_of::<Part>()
            + self.faults.len() * size_of::<Fault>()
    }

    /// The blocks that may be looked at while the layout is made: one range for each stretch of runs
    /// that lie one behind the other.
    fn stretches(&self) -> Vec<Range<u64>> {
        let mut stretches = Vec::new();
        let mut first = None;
        for part in &self.parts {
            let start = *first.get_or_insert(part.key.offset);
            if !part.continues {
                let end = end_of_looking(part.end).min(self.limit).max(start + 1);
                stretches.push(block_of(start)..block_of(end - 1) + 1);
                first = None;
            }
        }
        stretches
    }
}

/// How far behind its last picture a stretch is looked at.
pub(crate) fn end_of_looking(end: u64) -> u64 {
    (block_of(end) + TAIL_BLOCKS + 1) * crate::slab::SLAB_LEN as u64
}

/// The stretch of one run in a clip.
#[derive(Clone)]
pub(crate) struct Part {
    pub(crate) run: Arc<Run>,
    pub(crate) key: Key,
    /// The last unit of the track that is cut on.
    pub(crate) last: Cursor,
    /// Where the last picture ends.
    pub(crate) end_pts: Ticks,
    pub(crate) last_dts: Ticks,
    /// Log offset behind the last unit of the track that is cut on.
    pub(crate) end: u64,
    /// Whether the clip goes on with the run behind this one.
    pub(crate) continues: bool,
    /// Whether it follows the run before this one.
    pub(crate) follows: bool,
    /// What is added to all its timestamps.
    pub(crate) shift: Ticks,
}

impl Part {
    fn duration(&self) -> Duration {
        ticks_to_duration(self.end_pts - self.key.pts)
    }
}

impl Channel {
    /// Makes a clip. It costs the same for a second and for an hour.
    ///
    /// # Errors
    /// If there is nothing to play, or nothing in the selection.
    pub fn clip(self: &Arc<Self>, selection: Selection, now: Wall) -> Result<Arc<Clip>, ClipError> {
        Ok(Arc::clone(&*self.kept_clip(selection, now)?))
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
    pub(crate) fn make(self: &Arc<Self>, mut state: MutexGuard<'_, State>, mut plan: Plan) -> Kept {
        let pins: Vec<PinKey> = plan
            .stretches()
            .into_iter()
            .map(|blocks| state.log.pin(blocks))
            .collect();
        drop(state);

        place_on_timeline(&mut plan.parts);
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

/// What a clip of a selection is made from.
fn plan(state: &State, selection: Selection, now: Wall) -> Result<Plan, ClipError> {
    let Resolved {
        parts,
        runs_left_out,
    } = resolve(state, selection, now)?;
    let (Some(first), Some(last)) = (parts.first(), parts.last()) else {
        return Err(ClipError::EmptySpan);
    };
    let limit = state.log.end.min(end_of_looking(last.end));
    let faults = state.log.faults_in(&(first.key.offset..limit));
    Ok(Plan {
        parts,
        faults,
        limit,
        runs_left_out,
    })
}

pub(crate) struct Resolved {
    pub(crate) parts: Vec<Part>,
    pub(crate) runs_left_out: usize,
}

/// Finds the stretches of runs that a selection means.
pub(crate) fn resolve(
    state: &State,
    selection: Selection,
    now: Wall,
) -> Result<Resolved, ClipError> {
    let Some(window) = state.window() else {
        return Err(ClipError::Empty {
            problem: state.wrong_input(),
        });
    };
    let (from, to) = match selection {
        Selection::All => (None, None),
        Selection::Last(length) => {
            let until = if state.is_recording(now) {
                now
            } else {
                window.end
            };
            (Some(until - length), None)
        }
        Selection::Span { from, to } => (from, to),
    };
    if let (Some(from), Some(to)) = (from, to)
        && from >= to
    {
        return Err(ClipError::EmptySpan);
    }
    if from.is_some_and(|from| from > window.end) || to.is_some_and(|to| to <= window.start) {
        return Err(ClipError::OutsideWindow {
            start: window.start,
            end: window.end,
        });
    }

    let mut parts: Vec<Part> = Vec::new();
    let mut left_out = 0;
    for (run, keys) in state.runs_with_keys().rev() {
        let key_wall = |at: usize| run.wall(state.log.keys[at].pts);
        if from.is_some_and(|from| run.wall(run.latest) < from && !parts.is_empty()) {
            break;
        }
        if to.is_some_and(|to| key_wall(keys.start) >= to) {
            continue;
        }
        // A hole in the row of runs that agree would be a hole in time.
        if left_out > 0
            || parts
                .last()
                .is_some_and(|newer| !newer.run.agrees_with(run))
        {
            left_out += 1;
            continue;
        }
        let start = partition(keys.clone(), |at| {
            from.is_some_and(|from| key_wall(at) <= from)
        });
        let start = if start > keys.start {
            start - 1
        } else {
            keys.start
        };
        let until = partition(start..keys.end, |at| to.is_none_or(|to| key_wall(at) < to));
        let last = until.max(start + 1) - 1;
        let last_key = state.log.keys[last];
        // With an open key may come pictures that are shown before it, in the group before.
        let first = last
            .saturating_sub(usize::from(last_key.is_open))
            .max(start);
        let block = |number| state.log.block(number).cloned();
        let until = |end| to.is_some_and(|to| run.wall(end) >= to);
        if let Some(end) = end_of_part(block, run, state.log.keys[first], last_key.offset, until) {
            parts.push(Part {
                run: Arc::clone(run),
                key: state.log.keys[start],
                last: end.cursor,
                end_pts: end.pts,
                last_dts: end.dts,
                end: end.offset,
                continues: !parts.is_empty(),
                follows: true,
                shift: Ticks(0),
            });
        }
    }
    parts.reverse();
    if let Some(first) = parts.first_mut() {
        first.follows = false;
    }
    Ok(Resolved {
        parts,
        runs_left_out: left_out,
    })
}

/// The first of `range` for which `holds` is no longer true.
fn partition(range: Range<usize>, holds: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (range.start, range.end);
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(middle) {
            low = middle + 1
        } else {
            high = middle
        }
    }
    low
}

pub(crate) struct End {
    pub(crate) cursor: Cursor,
    pub(crate) pts: Ticks,
    pub(crate) dts: Ticks,
    pub(crate) offset: u64,
}

/// The last picture of a part: the first behind which it is `enough`, and, as pictures come in another
/// order than they are shown in, none is missing between. It is looked for from `key` up to what is shown
/// before the key behind the one at `last_key`.
pub(crate) fn end_of_part(
    block: impl Fn(u64) -> Option<Arc<Block>>,
    run: &Run,
    key: Key,
    last_key: u64,
    enough: impl Fn(Ticks) -> bool,
) -> Option<End> {
    let Group { pictures, is_whole } = pictures_from(block, run, key, last_key);
    // The earliest picture that follows each one.
    let mut later_pts = vec![Ticks(i64::MAX); pictures.len()];
    for at in (1..pictures.len()).rev() {
        later_pts[at - 1] = later_pts[at].min(pictures[at].1.pts);
    }

    let mut best: Option<End> = None;
    let mut shown = Ticks(i64::MIN);
    let mut behind_key = 0;
    let mut frame = run.tracks[run.cut].nominal_frame();
    for (at, &(cursor, entry)) in pictures.iter().enumerate() {
        if let Some((_, before)) = at.checked_sub(1).map(|before| pictures[before])
            && entry.dts() > before.dts()
        {
            frame = entry.dts() - before.dts();
        }
        shown = shown.max(entry.pts);
        behind_key += i64::from(entry.pts > key.pts);
        let all_known = is_whole || pictures.len() - at > REORDER_MAX;
        let evenly_spaced = || shown - key.pts == Ticks(frame.0 * behind_key);
        // A picture is never shown before it is decoded.
        let none_can_come = || shown <= entry.dts() + frame;
        if best.is_none()
            || later_pts[at] > shown && (all_known || evenly_spaced() || none_can_come())
        {
            best = Some(End {
                cursor,
                pts: shown + frame,
                dts: entry.dts(),
                offset: entry.end(),
            });
            if enough(shown + frame) {
                break;
            }
        }
    }
    best
}

/// Groups of pictures, as far as they have come.
struct Group {
    pictures: Vec<(Cursor, Entry)>,
    /// No more pictures belong to them.
    is_whole: bool,
}

/// The pictures from `key` up to the group behind that of the key at `last_key`.
fn pictures_from(
    block: impl Fn(u64) -> Option<Arc<Block>>,
    run: &Run,
    key: Key,
    last_key: u64,
) -> Group {
    let mut pictures = Vec::new();
    let mut passed = false;
    let mut cursor = key.cursor;
    while let Some(block) = block(cursor.block) {
        for (at, entry) in block.entries().iter().enumerate().skip(cursor.entry) {
            if entry.track() != run.cut || entry.offset < key.offset || entry.is(Entry::DAMAGED) {
                continue;
            }
            let is_key = entry.is(Entry::KEY) && entry.offset > last_key;
            // What comes with an open key may be shown before it.
            let next_group = is_key && (passed || !entry.is(Entry::OPEN));
            passed |= is_key;
            if next_group || !run.contains(entry.offset) {
                return Group {
                    pictures,
                    is_whole: true,
                };
            }
            let cursor = Cursor {
                block: cursor.block,
                entry: at,
            };
            pictures.push((cursor, *entry));
        }
        cursor = Cursor {
            block: cursor.block + 1,
            entry: 0,
        };
    }
    Group {
        pictures,
        is_whole: run.end.is_some(),
    }
}

/// Joins the timelines of the parts. A clip of one run keeps the source's own, unless the 33 bits of
/// its timestamps wrap within.
fn place_on_timeline(parts: &mut [Part]) {
    let epoch = |ticks: Ticks| ticks.0.div_euclid(PTS_WRAP as i64);
    let patchable = parts.iter().all(|part| part.run.patchable);
    let wraps = |part: &Part| {
        epoch(part.key.dts() - CLOCK_LEAD_MAX) != epoch(part.end_pts + SOUND_BEHIND_MAX)
    };
    if !patchable || (parts.len() == 1 && !wraps(&parts[0])) {
        return;
    }
    let mut shown_until = TIMELINE_START;
    let mut decoded_until = Ticks(i64::MIN);
    for part in parts {
        let frame = part.run.tracks[part.run.cut].nominal_frame();
        let by_picture = shown_until - part.key.pts;
        let by_decoding = if decoded_until.0 == i64::MIN {
            by_picture
        } else {
            decoded_until + frame - part.key.dts()
        };
        part.shift = by_picture.max(by_decoding);
        shown_until = part.end_pts + part.shift;
        decoded_until = part.last_dts + part.shift;
    }
}
