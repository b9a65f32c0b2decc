//! What a clip's transport stream is made of.
//!
//! Nearly all of it is the log as it lies there. Around that:
//!
//! * in front stand PAT, PMT and, where the first picture lacks them, its parameter sets;
//! * units are cut out that belong to another moment (sound from before the first picture, leading
//!   pictures whose references were cut off, what begins before the clip and ends in it, what comes
//!   after its end), that are damaged, or that refer to damaged ones;
//! * behind a cut, and in every run but the first, continuity counters go on where they left off, and
//!   timestamps are moved: the packets of such a stretch are patched as they are read.
//!
//! Cutting out is done packet by packet only where something is to be cut out. The rest is ranges, so
//! that the layout of an hour costs no more than that of a second.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use lookback_codec::{Head, inspect};
use lookback_mpegts::{
    Muxer, PACKET_LEN, Packet, Pat, PesHeader, Pid, Ticks, Unit, add_to_counter, packetize_section,
    shift_timestamps,
};

use crate::channel::Channel;
use crate::counters;
use crate::index::{Cursor, Entry, Fault, FaultKind};
use crate::log::{Block, block_of};
use crate::plan::Part;
use crate::run::Tables;
use crate::slab::SLAB_LEN;

/// How far behind the last picture sound that belongs to it is looked for: 2 MiB.
pub(crate) const TAIL_BLOCKS: u64 = 8;

/// How far into a clip its streams are waited for: 4 MiB.
const HEAD_BLOCKS: u64 = 16;

/// Bytes of patched stream made at a time: few, since a reader that stalls keeps its last ones, and of
/// all that readers hold these alone are copies.
const PATCHED_LEN: usize = 85 * PACKET_LEN;

const PACKET: u64 = PACKET_LEN as u64;

/// See the module's documentation.
pub(crate) struct Layout {
    pieces: Vec<Piece>,
    len: u64,
    /// For each part, what of the index is in it.
    selections: Vec<Selected>,
}

/// The entries of a part: all in a range of bytes but some.
pub(crate) struct Selected {
    pub(crate) bytes: Range<u64>,
    /// Where the last unit of each track ends.
    ends: Vec<u64>,
    /// Offsets of the units that are left out before that.
    left_out: BTreeSet<u64>,
    /// The last block in which there is something of it: an entry may be filed behind its bytes.
    pub(crate) last_block: u64,
}

impl Selected {
    pub(crate) fn contains(&self, entry: &Entry) -> bool {
        self.bytes.contains(&entry.offset)
            && entry.offset < self.ends[entry.track()]
            && !self.left_out.contains(&entry.offset)
    }
}

struct Piece {
    /// Position in the clip.
    at: u64,
    content: Content,
}

enum Content {
    /// Made for the clip.
    Own(Bytes),
    /// The log, as it is.
    Log(Range<u64>),
    /// Whole packets of the log, each changed on its way out.
    Patched(Range<u64>, Arc<Patch>),
}

impl Content {
    fn len(&self) -> u64 {
        match self {
            Self::Own(bytes) => bytes.len() as u64,
            Self::Log(range) | Self::Patched(range, _) => range.end - range.start,
        }
    }
}

/// What is changed in the packets of a stretch.
#[derive(Clone, Debug, Default)]
struct Patch {
    shift: Ticks,
    /// What is added to the counter of each PID, modulo 16.
    counters: BTreeMap<Pid, u8>,
    only: Option<Only>,
}

/// Of several programs only one is left: packets of others become null packets.
#[derive(Clone, Debug)]
struct Only {
    pids: Arc<[Pid]>,
    /// Stands in the place of each PAT.
    pat: Arc<[u8]>,
}

impl Patch {
    fn is_empty(&self) -> bool {
        self.shift == Ticks(0) && self.only.is_none() && self.counters.values().all(|&by| by == 0)
    }

    fn bytes(&self) -> usize {
        size_of::<Self>() + self.counters.len() * size_of::<(Pid, u8)>()
    }

    fn apply(&self, packet: &mut [u8; PACKET_LEN]) {
        let pid = Packet::new(packet).pid();
        if let Some(Only { pids, pat }) = &self.only {
            if !pids.contains(&pid) {
                packet[1] = 0x1f;
                packet[2] = 0xff;
                packet[3] = 0x10;
                return;
            }
            if pid == Pid::PAT {
                let counter = packet[3] & 0x0f;
                packet.copy_from_slice(pat);
                packet[3] = packet[3] & 0xf0 | counter;
            }
        }
        if self.shift != Ticks(0) {
            shift_timestamps(packet, self.shift);
        }
        if let Some(&by) = self.counters.get(&pid) {
            add_to_counter(packet, by);
        }
    }
}

impl Layout {
    /// The layout of `parts`. `faults` are those of the whole clip, `limit` the end of what may be
    /// looked at.
    pub(crate) fn new(
        parts: &[Part],
        faults: &[Fault],
        limit: u64,
        mut blocks: Blocks<'_>,
    ) -> Self {
        let mut builder = Builder::default();
        for (at, part) in parts.iter().enumerate() {
            let mut cut = Cut::new(part, faults, limit);
            cut.head(&mut blocks);
            cut.damage(&mut blocks);
            cut.tail(&mut blocks);
            builder.part(part, cut, at + 1 < parts.len(), &mut blocks);
        }
        Self {
            len: builder.len,
            pieces: builder.pieces,
            selections: builder.selections,
        }
    }

    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Memory that it takes beside itself.
    pub(crate) fn bytes(&self) -> usize {
        let pieces = self.pieces.iter().map(|piece| match &piece.content {
            Content::Own(bytes) => bytes.len(),
            Content::Log(_) => 0,
            Content::Patched(_, patch) => patch.bytes(),
        });
        let selections = self.selections.iter().map(|selected| {
            size_of::<Selected>()
                + (selected.ends.len() + selected.left_out.len()) * size_of::<u64>()
        });
        self.pieces.len() * size_of::<Piece>() + pieces.sum::<usize>() + selections.sum::<usize>()
    }

    /// The blocks that reading these parts takes: one range for each stretch of runs that lie one behind
    /// the other.
    pub(crate) fn blocks(&self, parts: &[Part]) -> Vec<Range<u64>> {
        let mut blocks: Vec<Range<u64>> = Vec::new();
        for (part, selected) in parts.iter().zip(&self.selections) {
            let first = block_of(part.key.offset);
            match blocks.last_mut().filter(|_| part.follows) {
                Some(stretch) => stretch.end = stretch.end.max(selected.last_block + 1),
                None => blocks.push(first..selected.last_block + 1),
            }
        }
        blocks
    }

    pub(crate) fn selections(&self) -> &[Selected] {
        &self.selections
    }

    /// Bytes from `offset` on; none only at the end, or where `max` is 0. `None` if the log has lost
    /// them.
    pub(crate) fn read(&self, offset: u64, max: usize, blocks: &mut Blocks<'_>) -> Option<Bytes> {
        if offset >= self.len || max == 0 {
            return Some(Bytes::new());
        }
        let piece = &self.pieces[self.pieces.partition_point(|piece| piece.at <= offset) - 1];
        let into = offset - piece.at;
        match &piece.content {
            Content::Own(bytes) => {
                let from = into as usize;
                Some(bytes.slice(from..bytes.len().min(from.saturating_add(max))))
            }
            Content::Log(range) => blocks.view(range.start + into, range.end, max),
            Content::Patched(range, patch) => {
                let skip = into % PACKET;
                let from = range.start + into - skip;
                let wanted = skip as usize + max.min(PATCHED_LEN);
                let whole = wanted.next_multiple_of(PACKET_LEN) as u64;
                let until = range.end.min(from + whole);
                let mut bytes = blocks.copy(from..until)?;
                let (packets, _) = bytes.as_chunks_mut();
                packets.iter_mut().for_each(|packet| patch.apply(packet));
                let bytes = bytes.freeze();
                Some(bytes.slice(skip as usize..bytes.len().min(wanted)))
            }
        }
    }
}

/// What is to be cut out of one part.
struct Cut<'a> {
    part: &'a Part,
    faults: &'a [Fault],
    limit: u64,
    /// The part's bytes, from the first picture to the last sound.
    bytes: Range<u64>,
    /// Packets of these PIDs in these ranges.
    out: Vec<Out>,
    /// The units that these packets are, up to the last one of each track.
    left_out: BTreeSet<u64>,
    /// Where the first unit of each track is that is in the part.
    started: Vec<Option<u64>>,
    /// Where the last unit of each track ends that is in the part.
    ends: Vec<u64>,
    /// The last block in which there is something of it.
    last_block: u64,
}

struct Out {
    bytes: Range<u64>,
    pid: Pid,
}

impl<'a> Cut<'a> {
    fn new(part: &'a Part, faults: &'a [Fault], limit: u64) -> Self {
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
    fn head(&mut self, blocks: &mut Blocks<'_>) {
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
    fn damage(&mut self, blocks: &mut Blocks<'_>) {
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
    fn tail(&mut self, blocks: &mut Blocks<'_>) {
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

#[derive(Default)]
struct Builder {
    pieces: Vec<Piece>,
    selections: Vec<Selected>,
    len: u64,
    /// What is added to the counters of each PID where the builder is.
    deltas: BTreeMap<Pid, u8>,
    /// The counters that the parts so far end with.
    counters: Option<BTreeMap<Pid, u8>>,
}

impl Builder {
    fn push(&mut self, content: Content) {
        let len = content.len();
        if len == 0 {
            return;
        }
        if let (
            Some(Piece {
                content: Content::Log(last),
                ..
            }),
            Content::Log(next),
        ) = (self.pieces.last_mut(), &content)
            && last.end == next.start
        {
            last.end = next.end;
        } else {
            self.pieces.push(Piece {
                at: self.len,
                content,
            });
        }
        self.len += len;
    }

    fn part(&mut self, part: &Part, mut cut: Cut<'_>, more: bool, blocks: &mut Blocks<'_>) {
        let tables = &part.run.tables;
        let only = tables.only.clone().map(|pids| Only {
            pids,
            pat: single_pat(tables),
        });
        let patch = Patch {
            shift: part.shift,
            counters: BTreeMap::new(),
            only,
        };
        let first = self.counters.is_none();
        let known = self.counters.clone().unwrap_or_default();
        let before = match first {
            true => BTreeMap::new(),
            false => counters_before(part, &cut, blocks),
        };
        let delta = |(pid, counter): (&Pid, &u8)| {
            Some((*pid, known.get(pid)?.wrapping_sub(*counter) & 0x0f))
        };
        self.deltas = before.iter().filter_map(delta).collect();
        if first {
            self.tables(tables, part.key.table_counters);
        }
        if !part.key.has_parameters {
            self.parameters(part, &mut cut, &patch, blocks);
        }
        self.log(part, &cut, first, &patch, blocks);
        if more {
            let last = counters_last(part, &cut, blocks).into_iter();
            // What this part has none of is where the parts before have left it, whatever its run remembers.
            let is_here = |pid: &Pid| before.contains_key(pid) || !known.contains_key(pid);
            let last = last.filter(|(pid, _)| is_here(pid)).map(|(pid, counter)| {
                let delta = self.deltas.get(&pid).copied().unwrap_or(0);
                (pid, counter.wrapping_add(delta) & 0x0f)
            });
            // A PID that this part does not have may be there again in a later one; the tables stand in
            // front of the first.
            let [pat, pmt] = part.key.table_counters;
            let in_front = || BTreeMap::from([(Pid::PAT, pat), (tables.pmt_pid, pmt)]);
            self.counters.get_or_insert_with(in_front).extend(last);
        }
        self.selections.push(Selected {
            bytes: cut.bytes,
            ends: cut.ends,
            left_out: cut.left_out,
            last_block: cut.last_block,
        });
    }

    /// PAT and PMT, with the counters that those in the log go on from.
    fn tables(&mut self, tables: &Tables, counters: [u8; 2]) {
        let mut out = Vec::new();
        for (section, pid, last) in [
            (&tables.pat, Pid::PAT, counters[0]),
            (&tables.pmt, tables.pmt_pid, counters[1]),
        ] {
            let from = out.len();
            packetize_section(section, pid, 0, &mut out);
            let (packets, _) = out[from..].as_chunks_mut();
            let first = last.wrapping_add(1).wrapping_sub(packets.len() as u8);
            packets
                .iter_mut()
                .for_each(|packet| add_to_counter(packet, first));
        }
        self.push(Content::Own(out.into()));
    }

    /// Puts parameter sets into the first picture, by writing its first packet anew with them in it.
    fn parameters(
        &mut self,
        part: &Part,
        cut: &mut Cut<'_>,
        patch: &Patch,
        blocks: &mut Blocks<'_>,
    ) {
        let (run, offset) = (&part.run, part.key.offset);
        let Some(sets) = run.parameters_at(offset) else {
            return;
        };
        let Some(bytes) = blocks.copy(offset..offset + PACKET) else {
            return;
        };
        let Some(packet) = bytes.first_chunk().map(Packet::new) else {
            return;
        };
        let Ok(header) = PesHeader::parse(packet.payload()) else {
            return;
        };
        let elementary = packet
            .payload()
            .get(header.header_len..)
            .unwrap_or_default();
        let track = &run.tracks[run.cut];
        let insert_at = match inspect(track.codec, &blocks.head(offset, track.pid, part.end)) {
            Head::Found(picture) => picture.insert_at.min(elementary.len()),
            Head::NeedMore => 0,
        };
        let (before, after) = elementary.split_at(insert_at);
        let program = run.program();
        let mut muxer: Muxer = program.muxer();
        let mut out = Vec::new();
        muxer.write_unit(
            &mut out,
            Unit {
                stream: run.stream_of(run.cut),
                pts: part.key.pts,
                dts: part.key.dts(),
                random_access: true,
                pcr: packet.adaptation().and_then(|field| field.pcr),
                payload: &[before, sets, after],
            },
        );
        let (packets, _) = out.as_chunks_mut::<PACKET_LEN>();
        if let Some(first) = packets.first_mut() {
            // The unit goes on in the packets of the log: its length is open.
            let pes_at = PACKET_LEN - Packet::new(first).payload().len();
            first[pes_at + 4..pes_at + 6].fill(0);
        }
        let more = packets.len() as u8 - 1;
        let first = self.counters.is_none();
        let delta = self.deltas.entry(track.pid).or_insert(0);
        if !first {
            *delta = delta.wrapping_add(more) & 0x0f;
        }
        let counter = packet.counter().wrapping_add(*delta).wrapping_sub(more);
        for packet in packets {
            if patch.shift != Ticks(0) {
                shift_timestamps(packet, patch.shift);
            }
            add_to_counter(packet, counter);
        }
        self.push(Content::Own(out.into()));
        cut.bytes.start += PACKET;
    }

    /// The part's bytes of the log without what is cut out of them.
    fn log(
        &mut self,
        part: &Part,
        cut: &Cut<'_>,
        first: bool,
        patch: &Patch,
        blocks: &mut Blocks<'_>,
    ) {
        let started = |pid: Pid, at: u64| {
            let track = part.run.tracks.iter().position(|track| track.pid == pid);
            let begun =
                track.is_none_or(|track| cut.started[track].is_some_and(|start| start < at));
            !first || begun
        };
        let mut zones: Vec<&Out> = cut
            .out
            .iter()
            .filter(|out| out.bytes.end > cut.bytes.start && out.bytes.start < cut.bytes.end)
            .collect();
        zones.sort_unstable_by_key(|out| out.bytes.start);
        let mut zones = zones.into_iter().peekable();
        let mut active: Vec<&Out> = Vec::new();
        // The counter of the first picture is known from the picture itself.
        let counts = |fault: &&Fault| {
            matches!(fault.kind, FaultKind::Hole { .. }) || fault.offset > part.key.offset
        };
        let mut faults = cut
            .faults
            .iter()
            .filter(|fault| fault.end() > cut.bytes.start)
            .filter(counts)
            .peekable();
        let mut at = cut.bytes.start;
        let mut kept = at;
        while at < cut.bytes.end {
            while let Some(fault) = faults.next_if(|fault| fault.offset <= at) {
                self.keep(kept..at, patch);
                match fault.kind {
                    FaultKind::Hole { .. } => at = at.max(fault.end()),
                    FaultKind::Counter { pid, ahead } if started(pid, at) => {
                        self.step_back(pid, ahead)
                    }
                    FaultKind::Counter { .. } => {}
                }
                kept = at;
            }
            while let Some(zone) = zones.next_if(|zone| zone.bytes.start <= at) {
                active.push(zone);
            }
            active.retain(|zone| zone.bytes.end > at);
            if at >= cut.bytes.end {
                break;
            }
            if active.is_empty() {
                // Nothing to look for up to the next event.
                let event = faults.peek().map_or(u64::MAX, |fault| fault.offset);
                let zone = zones.peek().map_or(u64::MAX, |zone| zone.bytes.start);
                at = event.min(zone).min(cut.bytes.end);
                continue;
            }
            let Some(header) = blocks.header(at) else {
                break;
            };
            let pid = Pid::new(u16::from_be_bytes([header[1], header[2]]));
            let next = (at + PACKET).min(cut.bytes.end);
            if active.iter().any(|zone| zone.pid == pid) {
                self.keep(kept..at, patch);
                kept = next;
                if header[3] & 0x10 != 0 && started(pid, at) {
                    self.step_back(pid, 1);
                }
            }
            at = next;
        }
        self.keep(kept.min(cut.bytes.end)..cut.bytes.end, patch);
    }

    fn step_back(&mut self, pid: Pid, by: u8) {
        let delta = self.deltas.entry(pid).or_insert(0);
        *delta = delta.wrapping_sub(by) & 0x0f;
    }

    fn keep(&mut self, range: Range<u64>, patch: &Patch) {
        if range.is_empty() {
            return;
        }
        let patch = Patch {
            counters: self
                .deltas
                .iter()
                .filter(|(_, by)| **by != 0)
                .map(|(pid, by)| (*pid, *by))
                .collect(),
            ..patch.clone()
        };
        if patch.is_empty() {
            self.push(Content::Log(range));
        } else {
            self.push(Content::Patched(range, Arc::new(patch)));
        }
    }
}

/// The counters that streams have before a part: a run remembers those before its first key.
fn counters_before(part: &Part, cut: &Cut<'_>, blocks: &mut Blocks<'_>) -> BTreeMap<Pid, u8> {
    if part.follows {
        return part.run.counters_first.iter().copied().collect();
    }
    counters::before(blocks, cut.bytes.clone(), cut.faults, &pids(part))
}

/// The counters that streams have at the end of a part: a run remembers those at its end.
fn counters_last(part: &Part, cut: &Cut<'_>, blocks: &mut Blocks<'_>) -> BTreeMap<Pid, u8> {
    if part.continues {
        return part.run.counters_last.iter().copied().collect();
    }
    counters::last(blocks, cut.bytes.clone(), cut.faults, &pids(part))
}

/// The PIDs that come in a part again and again.
fn pids(part: &Part) -> Vec<Pid> {
    let known = part.run.counters_first.iter().map(|(pid, _)| *pid);
    known.filter(|&pid| pid != Pid::NULL).collect()
}

fn single_pat(tables: &Tables) -> Arc<[u8]> {
    let mut packet = Vec::new();
    packetize_section(&tables.pat, Pid::PAT, 0, &mut packet);
    debug_assert!(
        Pat::parse(&tables.pat).is_some_and(|pat| pat.programs.len() == 1)
            && packet.len() == PACKET_LEN
    );
    packet.into()
}

impl std::fmt::Debug for Layout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for piece in &self.pieces {
            match &piece.content {
                Content::Own(bytes) => writeln!(f, "{} own {}", piece.at, bytes.len())?,
                Content::Log(range) => writeln!(f, "{} log {range:?}", piece.at)?,
                Content::Patched(range, patch) => writeln!(
                    f,
                    "{} patched {range:?} by {} {:?}",
                    piece.at, patch.shift.0, patch.counters
                )?,
            }
        }
        Ok(())
    }
}

/// Reads a channel's log block by block, holding on to the one that was read last.
pub(crate) struct Blocks<'a> {
    channel: &'a Channel,
    current: Option<(u64, Arc<Block>)>,
    viewed: Option<(u64, Bytes)>,
}

impl<'a> Blocks<'a> {
    pub(crate) fn new(channel: &'a Channel) -> Self {
        Self {
            channel,
            current: None,
            viewed: None,
        }
    }

    pub(crate) fn block(&mut self, number: u64) -> Option<&Arc<Block>> {
        if self
            .current
            .as_ref()
            .is_none_or(|(known, _)| *known != number)
        {
            self.current = Some((number, self.channel.block(number)?));
        }
        self.current.as_ref().map(|(_, block)| block)
    }

    /// Hands out the entries from `from` on until it is told to stop or there are no more.
    pub(crate) fn entries(&mut self, from: Cursor, mut take: impl FnMut(Cursor, &Entry) -> bool) {
        let mut cursor = from;
        while let Some(block) = self.block(cursor.block).cloned() {
            for (at, entry) in block.entries().iter().enumerate().skip(cursor.entry) {
                cursor.entry = at;
                if !take(cursor, entry) {
                    return;
                }
            }
            cursor = Cursor {
                block: cursor.block + 1,
                entry: 0,
            };
        }
    }

    /// A view of bytes from `offset` on, up to `end`, within one slab.
    pub(crate) fn view(&mut self, offset: u64, end: u64, max: usize) -> Option<Bytes> {
        let from = (offset % SLAB_LEN as u64) as usize;
        let wanted = usize::try_from(end - offset).unwrap_or(usize::MAX).min(max);
        let to = |bytes: &Bytes| bytes.len().min(from.saturating_add(wanted));
        // A unit is taken out packet by packet: all are parts of one view.
        if let Some((number, bytes)) = &self.viewed
            && *number == block_of(offset)
            && from < bytes.len()
        {
            return Some(bytes.slice(from..to(bytes)));
        }
        let number = block_of(offset);
        let bytes = self.block(number)?.slab.view();
        let part = (from < bytes.len()).then(|| bytes.slice(from..to(&bytes)));
        self.viewed = Some((number, bytes));
        part
    }

    /// A copy of a range, from as many slabs as it lies in.
    pub(crate) fn copy(&mut self, range: Range<u64>) -> Option<BytesMut> {
        let mut out = BytesMut::with_capacity((range.end - range.start) as usize);
        let mut at = range.start;
        while at < range.end {
            let block = self.block(block_of(at))?;
            let from = (at % SLAB_LEN as u64) as usize;
            let filled = block.slab.filled();
            let to = filled
                .len()
                .min(from.saturating_add((range.end - at) as usize));
            let part = filled.get(from..to).filter(|part| !part.is_empty())?;
            out.extend_from_slice(part);
            at += part.len() as u64;
        }
        Some(out)
    }

    pub(crate) fn header(&mut self, offset: u64) -> Option<[u8; 4]> {
        let from = (offset % SLAB_LEN as u64) as usize;
        let block = self.block(block_of(offset))?;
        match block
            .slab
            .filled()
            .get(from..)
            .and_then(|bytes| bytes.first_chunk())
        {
            Some(header) => Some(*header),
            None => self.copy(offset..offset + 4)?.first_chunk().copied(),
        }
    }

    /// The first bytes of the unit that begins at `offset`, behind its PES header.
    fn head(&mut self, offset: u64, pid: Pid, end: u64) -> Vec<u8> {
        const ENOUGH: usize = 4096;
        let mut head = Vec::new();
        let mut at = offset;
        while at < end && head.len() < ENOUGH {
            let Some(bytes) = self.copy(at..at + PACKET) else {
                break;
            };
            let Some(packet) = bytes.first_chunk().map(Packet::new) else {
                break;
            };
            if packet.pid() == pid {
                let skip = match PesHeader::parse(packet.payload()) {
                    Ok(header) if packet.unit_start() => header.header_len,
                    _ => 0,
                };
                head.extend_from_slice(packet.payload().get(skip..).unwrap_or_default());
            }
            at += PACKET;
        }
        head
    }
}
