//! The log of a channel: its bytes as they came, and the index over them.
//!
//! The log is addressed by an absolute 64-bit offset. Slab number `n` holds the bytes from
//! `n * SLAB_LEN` on; with the index entries that became complete in it, it makes up a [`Block`]. Blocks
//! lie in one of two places: in the **window**, which is what the channel still reaches back to, or
//! among the **held** ones, which have left the window but are pinned by a clip. A pin is a range of
//! block numbers: to make one costs the same for a second and for an hour.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use crate::budget::Budget;
use crate::index::{Cursor, Entry, Fault, FaultKind, Key};
use crate::numbering::{Numbering, Place};
use crate::run::Run;
use crate::slab::{SLAB_LEN, Slab};

/// Index entries that a block makes room for at a time.
const ENTRIES_STEP: usize = 8;

/// A slab, and the entries of the units that became complete in it.
pub(crate) struct Block {
    pub(crate) slab: Arc<Slab>,
    entries: Vec<Entry>,
    budget: Arc<Budget>,
}

impl Block {
    fn new(slab: Arc<Slab>, budget: Arc<Budget>) -> Self {
        budget.index_grows(Self::OVERHEAD);
        Self {
            slab,
            entries: Vec::new(),
            budget,
        }
    }

    /// The block itself and its places in the log and in the allocator's books.
    const OVERHEAD: usize = size_of::<Self>() + size_of::<Slab>() + 64;

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    fn push(&mut self, entry: Entry) {
        if self.entries.len() == self.entries.capacity() {
            self.entries.reserve_exact(ENTRIES_STEP);
            self.budget.index_grows(ENTRIES_STEP * size_of::<Entry>());
        }
        self.entries.push(entry);
    }

    fn index_bytes(&self) -> usize {
        Self::OVERHEAD + self.entries.capacity() * size_of::<Entry>()
    }
}

impl Clone for Block {
    fn clone(&self) -> Self {
        let mut entries = Vec::with_capacity(self.entries.capacity());
        entries.extend_from_slice(&self.entries);
        let clone = Self {
            slab: Arc::clone(&self.slab),
            entries,
            budget: Arc::clone(&self.budget),
        };
        clone.budget.index_grows(clone.index_bytes());
        clone
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        self.budget.index_shrinks(self.index_bytes());
    }
}

/// The number of the block that holds the byte at `offset`.
pub(crate) fn block_of(offset: u64) -> u64 {
    offset / SLAB_LEN as u64
}

/// See the module's documentation.
pub(crate) struct Log {
    budget: Arc<Budget>,
    /// Number of the first block in the window.
    first: u64,
    window: VecDeque<Arc<Block>>,
    held: BTreeMap<u64, Arc<Block>>,
    /// Last block of each pin, by its first block and a number of its own.
    pins: BTreeMap<(u64, u64), u64>,
    pins_made: u64,
    pub(crate) keys: VecDeque<Key>,
    /// The runs of the window, oldest first.
    pub(crate) runs: VecDeque<Arc<Run>>,
    pub(crate) faults: VecDeque<Fault>,
    /// Which segment each key is in.
    pub(crate) numbering: Numbering,
    /// Offset behind the last byte.
    pub(crate) end: u64,
}

/// Names a pin.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PinKey((u64, u64));

impl Log {
    pub(crate) fn new(budget: Arc<Budget>) -> Self {
        Self {
            budget,
            first: 0,
            window: VecDeque::new(),
            held: BTreeMap::new(),
            pins: BTreeMap::new(),
            pins_made: 0,
            keys: VecDeque::new(),
            runs: VecDeque::new(),
            faults: VecDeque::new(),
            numbering: Numbering::default(),
            end: 0,
        }
    }

    pub(crate) fn push_slab(&mut self, slab: Arc<Slab>) {
        self.window
            .push_back(Arc::new(Block::new(slab, Arc::clone(&self.budget))));
    }

    /// The number of the block that is being filled.
    pub(crate) fn last_block(&self) -> u64 {
        self.first + (self.window.len() as u64).saturating_sub(1)
    }

    /// Adds an entry to the newest block, and gives its position.
    pub(crate) fn push_entry(&mut self, entry: Entry) -> Option<Cursor> {
        let block = self.last_block();
        // Copies the block in the rare case that a reader is looking at it right now.
        let newest = Arc::make_mut(self.window.back_mut()?);
        newest.push(entry);
        let entry = newest.entries.len() - 1;
        Some(Cursor { block, entry })
    }

    /// Finds the segment that a key is in, which has just come.
    pub(crate) fn place_key(&mut self, entry: &Entry) -> Place {
        let run = self.run_at(entry.offset);
        let parameters = run.and_then(|run| run.parameters_since(entry.offset));
        let start = run.map_or(0, |run| run.start);
        let is_whole = !entry.is(Entry::DAMAGED);
        self.numbering
            .place(start, parameters.unwrap_or(start), entry.pts, is_whole)
    }

    pub(crate) fn push_key(&mut self, key: Key) {
        self.budget.index_grows(size_of::<Key>());
        self.keys.push_back(key);
    }

    pub(crate) fn push_fault(&mut self, fault: Fault) {
        if self.window.is_empty() {
            return;
        }
        // A sign that a unit is damaged comes when the unit ends.
        let at = self
            .faults
            .partition_point(|known| known.offset <= fault.offset);
        if let FaultKind::Hole { len } = fault.kind
            && let Some(last) = at.checked_sub(1).map(|last| &mut self.faults[last])
            && last.end() == fault.offset
            && let FaultKind::Hole { len: known } = &mut last.kind
        {
            *known += len;
            return;
        }
        self.budget.index_grows(size_of::<Fault>());
        self.faults.insert(at, fault);
    }

    /// Takes over the newest state of a run.
    pub(crate) fn put_run(&mut self, run: Run) {
        self.budget.index_grows(run.bytes());
        match self.runs.back_mut() {
            Some(last) if last.start == run.start => {
                self.budget.index_shrinks(last.bytes());
                *last = Arc::new(run);
            }
            _ => self.runs.push_back(Arc::new(run)),
        }
        for next in (1..self.runs.len()).rev() {
            let Some(moved) = self.runs[next - 1].end_before(&self.runs[next]) else {
                break;
            };
            self.runs[next - 1] = Arc::new(moved);
        }
    }

    pub(crate) fn run_at(&self, offset: u64) -> Option<&Arc<Run>> {
        let later = self.runs.partition_point(|run| run.start <= offset);
        self.runs
            .get(later.checked_sub(1)?)
            .filter(|run| run.contains(offset))
    }

    pub(crate) fn block(&self, number: u64) -> Option<&Arc<Block>> {
        match number.checked_sub(self.first) {
            Some(at) => self.window.get(usize::try_from(at).ok()?),
            None => self.held.get(&number),
        }
    }

    pub(crate) fn first_block(&self) -> u64 {
        self.first
    }

    /// Bytes of slabs that the window takes.
    pub(crate) fn window_slab_bytes(&self) -> usize {
        self.window.len() * SLAB_LEN
    }

    pub(crate) fn held_slab_bytes(&self) -> usize {
        self.held.len() * SLAB_LEN
    }

    /// The faults in a range of bytes.
    pub(crate) fn faults_in(&self, range: &Range<u64>) -> Vec<Fault> {
        let from = self
            .faults
            .partition_point(|fault| fault.end() <= range.start);
        let later = self.faults.range(from..);
        later
            .take_while(|fault| fault.offset < range.end)
            .copied()
            .collect()
    }

    pub(crate) fn pin(&mut self, blocks: Range<u64>) -> PinKey {
        self.pins_made += 1;
        let key = (blocks.start, self.pins_made);
        self.pins.insert(key, blocks.end.saturating_sub(1));
        PinKey(key)
    }

    /// Lets go of a pin; what nothing else holds is given back to the caller, to be dropped where it
    /// keeps nobody waiting.
    pub(crate) fn unpin(&mut self, pin: PinKey) -> Vec<Arc<Block>> {
        let Some(last) = self.pins.remove(&pin.0) else {
            return Vec::new();
        };
        let mut released = Vec::new();
        let mut free = pin.0.0;
        // Pins come ordered by their first block: what lies between them is free.
        let others: Vec<(u64, u64)> = self
            .pins
            .range(..=(last, u64::MAX))
            .map(|(&(first, _), &last)| (first, last))
            .collect();
        for (first, end) in others.into_iter().chain([(last + 1, last)]) {
            if first > free {
                let numbers: Vec<u64> = self
                    .held
                    .range(free..first.min(last + 1))
                    .map(|(&number, _)| number)
                    .collect();
                released.extend(
                    numbers
                        .into_iter()
                        .filter_map(|number| self.held.remove(&number)),
                );
            }
            free = free.max(end + 1);
        }
        released
    }

    /// Drops the oldest block and all whole groups of pictures that reach into it, up to the next
    /// key. Gives what was dropped (see [`Self::unpin`]), or `None` if nothing but the newest block
    /// is left.
    pub(crate) fn evict(&mut self) -> Option<Vec<Arc<Block>>> {
        if self.window.len() < 2 {
            return None;
        }
        let oldest = self.first;
        while self
            .keys
            .front()
            .is_some_and(|key| block_of(key.offset) <= oldest)
        {
            self.pop_key();
        }
        let next = self
            .keys
            .front()
            .map_or(oldest + 1, |key| block_of(key.offset));
        Some(self.drop_until(next))
    }

    /// Drops the oldest group of pictures, and the blocks that it alone reached into.
    pub(crate) fn evict_gop(&mut self) -> Vec<Arc<Block>> {
        self.pop_key();
        let next = self
            .keys
            .front()
            .map_or(self.last_block(), |key| block_of(key.offset));
        self.drop_until(next)
    }

    /// Drops the whole window but the block that is being filled.
    pub(crate) fn clear(&mut self) -> Vec<Arc<Block>> {
        while !self.keys.is_empty() {
            self.pop_key();
        }
        let dropped = self.drop_until(self.last_block());
        self.forget_before(self.end);
        dropped
    }

    fn drop_until(&mut self, block: u64) -> Vec<Arc<Block>> {
        let mut dropped = Vec::new();
        while self.first < block && self.window.len() > 1 {
            dropped.extend(self.pop_block());
        }
        self.forget_before(self.start());
        dropped
    }

    /// Offset from which on the window can be looked back to.
    pub(crate) fn start(&self) -> u64 {
        let first = self.first * SLAB_LEN as u64;
        self.keys.front().map_or(first, |key| key.offset.max(first))
    }

    fn pop_key(&mut self) {
        if self.keys.pop_front().is_some() {
            self.budget.index_shrinks(size_of::<Key>());
        }
    }

    fn pop_block(&mut self) -> Option<Arc<Block>> {
        let block = self.window.pop_front()?;
        let number = self.first;
        self.first += 1;
        let pinned = self
            .pins
            .range(..=(number, u64::MAX))
            .any(|(_, &last)| last >= number);
        if pinned {
            self.held.insert(number, block);
            return None;
        }
        Some(block)
    }

    fn forget_before(&mut self, start: u64) {
        while self
            .runs
            .front()
            .is_some_and(|run| run.end.is_some_and(|end| end <= start))
        {
            if let Some(run) = self.runs.pop_front() {
                self.budget.index_shrinks(run.bytes());
            }
        }
        while self
            .faults
            .front()
            .is_some_and(|fault| fault.end() <= start)
        {
            self.faults.pop_front();
            self.budget.index_shrinks(size_of::<Fault>());
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        let runs: usize = self.runs.iter().map(|run| run.bytes()).sum();
        self.budget.index_shrinks(
            self.keys.len() * size_of::<Key>() + self.faults.len() * size_of::<Fault>() + runs,
        );
    }
}
