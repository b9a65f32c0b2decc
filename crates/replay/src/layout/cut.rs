//! What is to be cut out of a part of a clip.

use std::collections::BTreeSet;
use std::ops::Range;

use lookback_mpegts::{Pid, Ticks};

use super::{HEAD_BLOCKS, TAIL_BLOCKS};
use crate::blocks::Blocks;
use crate::index::{Cursor, Entry, Fault, FaultKind};
use crate::log::block_of;
use crate::plan::Part;
use crate::slab::SLAB_LEN;

/// What is to be cut out of one part.
pub(super) struct Cut<'a> {
    part: &'a Part,
    pub(super) faults: &'a [Fault],
    limit: u64,
    /// The part's bytes, from the first picture to the last sound.
    pub(super) bytes: Range<u64>,
    /// Packets of these PIDs in these ranges.
    pub(super) out: Vec<Out>,
    /// The units that these packets are, up to the last one of each track.
    pub(super) left_out: BTreeSet<u64>,
    /// Where the first unit of each track is that is in the part.
    pub(super) started: Vec<Option<u64>>,
    /// Where the last unit of each track ends that is in the part.
    pub(super) ends: Vec<u64>,
    /// The last block in which there is something of it.
    pub(super) last_block: u64,
}

pub(super) struct Out {
    pub(super) bytes: Range<u64>,
    pub(super) pid: Pid,
}

impl<'a> Cut<'a> {
    pub(super) fn new(part: &'a Part, faults: &'a [Fault], limit: u64) -> Self {
        let mut started = vec![None; part.run.tracks.len()];
        started[part.run.cut] = Some(part.key.offset);
        let bytes = part.key.offset..part.end;
        let from = faults.partition_point(|fault| fault.end() <= bytes.start);
        let to = faults.partition_point(|fault| fault.offset < part.run.end.unwrap_or(limit));
        Self {
            part,
            faults: &faults[from..to.max(from)],
            limit,
            ends: vec![bytes.start; started.len()],
            last_block: part.last.block,
            bytes,
            out: Vec::new(),
            left_out: BTreeSet::new(),
            started,
        }
    }

    fn pid(&self, track: usize) -> Pid {
        self.part.run.tracks[track].pid
    }

    fn is_cut(&self, entry: &Entry) -> bool {
        entry.track() == self.part.run.cut
    }

    fn leave_out(&mut self, entry: &Entry) {
        let pid = self.pid(entry.track());
        if self.left_out.insert(entry.offset) {
            self.out.push(Out {
                bytes: entry.bytes(),
                pid,
            });
        }
    }

    /// Leaves out what belongs to the time before the first picture.
    pub(super) fn head(&mut self, blocks: &mut Blocks<'_>) {
        let key = self.part.key;
        let mut leading = key.is_open;
        let mut awaited: Vec<bool> = self.started.iter().map(Option::is_none).collect();
        let start = Cursor {
            block: block_of(key.offset),
            entry: 0,
        };
        let last_block = block_of(self.limit - 1).min(block_of(key.offset) + HEAD_BLOCKS);
        let mut left_out = Vec::new();
        blocks.entries(start, |cursor, entry| {
            if cursor.block > last_block {
                return false;
            }
            if entry.end() <= key.offset || !self.part.run.contains(entry.offset) {
                return true;
            }
            if self.is_cut(entry) {
                leading &= entry.offset <= key.offset || !entry.is(Entry::KEY);
                if entry.offset < key.offset || leading && entry.pts < key.pts {
                    left_out.push(*entry);
                }
            } else if self.started[entry.track()].is_none() {
                let is_video = self.part.run.tracks[entry.track()].codec.is_video();
                let fits = entry.offset >= key.offset
                    && entry.pts >= key.pts
                    && (!is_video || entry.is(Entry::KEY));
                if fits && !entry.is(Entry::DAMAGED) {
                    self.started[entry.track()] = Some(entry.offset);
                } else {
                    left_out.push(*entry);
                }
                awaited[entry.track()] =
                    self.started[entry.track()].is_none() && entry.pts < self.part.end_pts;
            }
            leading || awaited.contains(&true)
        });
        for entry in &left_out {
            self.leave_out(entry);
        }
    }

    /// Leaves out what is damaged, and the pictures that refer to it: up to the next key.
    pub(super) fn damage(&mut self, blocks: &mut Blocks<'_>) {
        let is_mark = |fault: &&Fault| matches!(fault.kind, FaultKind::Counter { ahead: 0, .. });
        let marks = self.faults.iter().filter(is_mark);
        let marks: BTreeSet<u64> = marks
            .map(|fault| fault.offset)
            .filter(|offset| self.bytes.contains(offset))
            .collect();
        let damaged = self.damaged(marks, blocks);
        // No unit begins within a packet: this one is looked for everywhere.
        debug_assert_eq!(
            damaged,
            self.damaged(BTreeSet::from([self.part.key.offset + 1]), blocks),
            "what is damaged is marked"
        );
        for entry in &damaged {
            self.leave_out(entry);
        }
    }

    /// What is damaged, and what refers to it. Only where `marks` say that a damaged unit begins is it
    /// looked for, from there to where all is whole again.
    fn damaged(&self, mut marks: BTreeSet<u64>, blocks: &mut Blocks<'_>) -> Vec<Entry> {
        let mut damaged = Vec::new();
        let mut broken = false;
        let mut resumed: Option<Ticks> = None;
        let mut next = Cursor { block: 0, entry: 0 };
        while let Some(&mark) = marks.first() {
            next = next.max(Cursor {
                block: block_of(mark),
                entry: 0,
            });
            let mut whole = false;
            blocks.entries(next, |cursor, entry| {
                if cursor > self.part.last {
                    return false;
                }
                next.block = cursor.block;
                next.entry = cursor.entry + 1;
                marks.remove(&entry.offset);
                if !self.bytes.contains(&entry.offset) || !self.part.run.contains(entry.offset) {
                    return true;
                }
                if self.is_cut(entry) {
                    if entry.is(Entry::KEY) && !entry.is(Entry::DAMAGED) {
                        resumed = (broken && entry.is(Entry::OPEN)).then_some(entry.pts);
                        broken = false;
                    }
                    broken |= entry.is(Entry::DAMAGED);
                    if broken || resumed.is_some_and(|key| entry.pts < key) {
                        damaged.push(*entry);
                    }
                } else if entry.is(Entry::DAMAGED) {
                    damaged.push(*entry);
                }
                let here = |&mark: &u64| block_of(mark) <= cursor.block;
                whole = !broken && resumed.is_none() && !marks.first().is_some_and(here);
                !whole
            });
            if !whole {
                break;
            }
        }
        damaged
    }

    /// Takes in the sound that belongs to the last pictures, and leaves out all else behind them.
    pub(super) fn tail(&mut self, blocks: &mut Blocks<'_>) {
        let part = self.part;
        let last_block = block_of(part.end) + TAIL_BLOCKS;
        // Sound may have come earlier than the pictures it belongs to.
        let start = Cursor {
            block: block_of(part.end)
                .saturating_sub(TAIL_BLOCKS)
                .max(block_of(part.key.offset)),
            entry: 0,
        };
        let seen_from = (start.block * SLAB_LEN as u64).max(part.key.offset);
        self.ends.fill(seen_from);
        self.ends[part.run.cut] = part.end;
        let mut done: Vec<bool> = (0..self.ends.len())
            .map(|track| track == part.run.cut)
            .collect();
        let mut damaged = Vec::new();
        blocks.entries(start, |cursor, entry| {
            if cursor.block > last_block {
                return false;
            }
            if self.is_cut(entry)
                || !part.run.contains(entry.offset)
                || entry.offset < part.key.offset
            {
                return true;
            }
            let track = entry.track();
            if entry.pts >= part.end_pts {
                done[track] = true;
            } else if entry.is(Entry::DAMAGED) {
                damaged.push(*entry);
            } else if entry.pts >= part.key.pts && !self.left_out.contains(&entry.offset) {
                self.ends[track] = self.ends[track].max(entry.end());
                self.last_block = self.last_block.max(cursor.block);
            }
            cursor <= part.last || !done.iter().all(|&done| done)
        });
        let end = match part.continues {
            true => part.run.end,
            false => self.ends.iter().max().copied(),
        };
        self.bytes.end = end.unwrap_or(part.end).min(self.limit);
        self.last_block = self.last_block.max(block_of(self.bytes.end - 1));
        for entry in &damaged {
            self.leave_out(entry);
        }
        // Units that begin before the end may be complete long after it, or not yet.
        for (track, &end) in self.ends.iter().enumerate() {
            self.out.push(Out {
                bytes: end..self.bytes.end,
                pid: part.run.tracks[track].pid,
            });
        }
    }
}
