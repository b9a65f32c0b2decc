//! From bytes to access units: what ingest learns of the stream as it passes.
//!
//! Each packet is touched once, at its header. Beyond that only the tables, the PES headers and the
//! first bytes of each picture are read. Nothing that arrives is an error: what cannot be used is
//! counted and reported, and the next packet is looked at.

mod assembler;
mod pids;
mod programs;
#[cfg(test)]
mod tests;
mod timeline;
mod units;

use std::mem;
use std::ops::Range;
use std::sync::Arc;

use lookback_mpegts::{Frame, Framer, PACKET_LEN, Packet, Pid, Ticks};

use self::assembler::{Assembler, Open};
use self::pids::{Count, PIDS_MAX, Pids, Role, with_counter};
use self::programs::{Chosen, Programs};
use self::timeline::Timeline;
use crate::index::{Entry, Fault, FaultKind};
use crate::run::{Run, Track};
use crate::wall::{Wall, WallMap};

/// What a stretch of bytes turned out to hold.
#[derive(Default)]
pub(crate) struct Batch {
    /// Runs that ended, in order.
    pub(crate) ended: Vec<Run>,
    /// Units that became complete, in order; with the counters of PAT and PMT where one is a key.
    pub(crate) entries: Vec<(Entry, [u8; 2])>,
    pub(crate) faults: Vec<Fault>,
    /// Bytes that are no packets.
    pub(crate) discarded: u64,
    pub(crate) problems: Vec<&'static str>,
}

/// Scans the bytes of one connection.
pub(crate) struct Scanner {
    framer: Framer,
    demux: Demux,
}

impl Scanner {
    /// A scanner for bytes whose first one has the log offset `base`.
    pub(crate) fn new(base: u64) -> Self {
        Self {
            framer: Framer::new(base),
            demux: Demux::new(base),
        }
    }

    pub(crate) fn scan(&mut self, bytes: &[u8], now: Wall) -> Batch {
        self.demux.now = now;
        let demux = &mut self.demux;
        self.framer.push(bytes, &mut |frame| demux.frame(frame));
        mem::take(&mut self.demux.batch)
    }

    /// The connection has ended at the log offset `end`.
    pub(crate) fn finish(&mut self, end: u64) -> Batch {
        let demux = &mut self.demux;
        self.framer.finish(&mut |frame| demux.frame(frame));
        demux.end_run(end);
        mem::take(&mut self.demux.batch)
    }

    /// The run as it is now, if there is one yet.
    pub(crate) fn run(&self) -> Option<&Run> {
        self.demux.run.as_ref()
    }

    /// Whether a packet has ever been found.
    pub(crate) fn has_packets(&self) -> bool {
        self.demux.pids.len() > 0
    }
}

struct Demux {
    base: u64,
    now: Wall,
    pids: Pids,
    programs: Programs,
    assemblers: Vec<Assembler>,
    /// The track whose unit has just reached its length.
    reached: Option<usize>,
    /// The newest stretch of bytes that are of no use.
    hole: Range<u64>,
    /// The PID of the newest packet, if it is one that counts.
    counted: Option<Pid>,
    run: Option<Run>,
    timeline: Timeline,
    batch: Batch,
}

impl Demux {
    fn new(base: u64) -> Self {
        Self {
            base,
            now: Wall(0),
            pids: Pids::new(),
            programs: Programs::default(),
            assemblers: Vec::new(),
            reached: None,
            hole: base..base,
            counted: None,
            run: None,
            timeline: Timeline::default(),
            batch: Batch::default(),
        }
    }

    #[inline]
    fn frame(&mut self, frame: Frame<'_>) {
        match frame {
            Frame::Packet { offset, bytes } => {
                if !self.goes_on(offset, bytes) {
                    self.packet(offset, Packet::new(bytes));
                }
            }
            Frame::Skipped { offset, len } => self.skipped(offset, len),
        }
    }

    /// The short way for nearly all packets of a video: those from the middle of a picture that has
    /// been recognised. `false` for all others, and then nothing was done.
    #[inline]
    fn goes_on(&mut self, offset: u64, bytes: &[u8; PACKET_LEN]) -> bool {
        if self.reached.is_some() {
            return false;
        }
        let Some(track) = self.pids.expected(bytes) else {
            return false;
        };
        if !self.assemblers[track].goes_on(offset) {
            return false;
        }
        self.counted = Some(self.pids.go_on(bytes));
        true
    }

    #[inline(never)]
    fn skipped(&mut self, offset: u64, len: u64) {
        self.batch.discarded += len;
        let goes_on = self.hole.end == offset;
        self.hole(offset, len);
        if !goes_on {
            self.leave_out_torn(offset - PACKET_LEN as u64);
        }
    }

    /// Where the row of packets breaks off, the last of them may be made of two.
    fn leave_out_torn(&mut self, offset: u64) {
        let len = PACKET_LEN as u64;
        self.fault(offset, FaultKind::Hole { len });
        if let Some(pid) = self.counted.take() {
            self.fault(offset, FaultKind::Counter { pid, ahead: 1 });
        }
    }

    /// Completes the unit that has reached its length with the packet before.
    fn settle(&mut self) {
        if let Some(track) = self.reached.take()
            && let Some(open) = self.assemblers[track].open.take()
        {
            self.complete(track, open);
        }
    }

    /// Bytes that are of no use. No unit that they lie in can be walked through any more.
    fn hole(&mut self, offset: u64, len: u64) {
        self.fault(offset, FaultKind::Hole { len });
        if self.pids.len() > 0 {
            self.batch.problems.push("damaged");
        }
        if self.hole.end != offset {
            self.hole.start = offset;
        }
        self.hole.end = offset + len;
        // Where there is room for a whole round of the counters, they do not tell what was lost.
        let hides_loss = self.hole.end - self.hole.start >= 16 * PACKET_LEN as u64;
        for assembler in &mut self.assemblers {
            assembler.lost |= hides_loss;
            if let Some(open) = &mut assembler.open {
                open.damaged = true;
            }
        }
        self.settle();
    }

    // Out of the way of the short one.
    #[inline(never)]
    fn packet(&mut self, offset: u64, packet: Packet<'_>) {
        self.settle();
        let pid = packet.pid();
        self.counted = None;
        if pid == Pid::NULL {
            return;
        }
        if packet.transport_error() {
            // Nothing in it can be trusted, the PID included.
            self.batch.discarded += PACKET_LEN as u64;
            self.hole(offset, PACKET_LEN as u64);
            return;
        }
        let Some(slot) = self.pids.slot(pid) else {
            return;
        };
        if packet.has_payload() && !self.counted(slot, offset, packet) {
            return;
        }
        match self.pids.role(slot) {
            Role::Track(track) => {
                self.track_packet(track, offset, packet);
                if self.has_picture(track) && packet.has_payload() {
                    self.pids.expect_behind(slot, packet);
                }
            }
            Role::Pat => {
                if self
                    .programs
                    .push_pat(packet.unit_start(), packet.payload())
                {
                    self.pids.assign_maps(self.programs.map_pids());
                }
                if self.run.is_none() {
                    self.choose(offset);
                }
            }
            Role::Map => {
                if self
                    .programs
                    .push_map(pid, packet.unit_start(), packet.payload())
                {
                    self.choose(offset);
                }
            }
            Role::Unknown | Role::Other => {}
        }
    }

    /// Follows the continuity counter; `false` for a packet that was sent twice.
    fn counted(&mut self, slot: usize, offset: u64, packet: Packet<'_>) -> bool {
        let pid = packet.pid();
        let count = self.pids.count(slot, packet);
        if !matches!(count, Count::Twice) {
            self.counted = Some(pid);
        }
        let ahead = match count {
            Count::Twice => {
                let len = PACKET_LEN as u64;
                self.fault(offset, FaultKind::Hole { len });
                return false;
            }
            Count::First => {
                self.note_late_counter(pid, packet.counter());
                return true;
            }
            Count::Ahead(0) => return true,
            Count::Ahead(ahead) => ahead,
        };
        self.fault(offset, FaultKind::Counter { pid, ahead });
        if packet.adaptation().is_some_and(|field| field.discontinuity) {
            return true;
        }
        self.batch.problems.push("lost_packets");
        if let Role::Track(track) = self.pids.role(slot) {
            let assembler = &mut self.assemblers[track];
            assembler.lost = true;
            if let Some(open) = &mut assembler.open
                && !(packet.unit_start() && open.is_whole())
            {
                open.damaged = true;
            }
        }
        true
    }

    /// A PID that first comes after the run's first key has a counter before it all the same.
    fn note_late_counter(&mut self, pid: Pid, first: u8) {
        if let Some(run) = &mut self.run
            && run.counters_first.len() < PIDS_MAX
            && run.counters_first.iter().all(|&(known, _)| known != pid)
        {
            let known = run.counters_first.iter().copied();
            run.counters_first = known.chain([(pid, first.wrapping_sub(1) & 0x0f)]).collect();
        }
    }

    fn fault(&mut self, offset: u64, kind: FaultKind) {
        self.batch.faults.push(Fault { offset, kind });
    }

    /// Takes what the tables say now; other streams than before begin a new run.
    fn choose(&mut self, offset: u64) {
        let Some(Chosen {
            tables,
            tracks,
            unknown,
        }) = self.programs.choose()
        else {
            if !self.programs.waiting() && self.run.is_none() {
                self.batch.problems.push("no_known_streams");
            }
            return;
        };
        let unchanged = |run: &Run| {
            let same = |(a, b): (&Track, &Track)| {
                (a.pid, a.stream_type, &a.descriptors) == (b.pid, b.stream_type, &b.descriptors)
            };
            run.tables.pmt_pid == tables.pmt_pid
                && run.tracks.len() == tracks.len()
                && run.tracks.iter().zip(&tracks).all(same)
        };
        if let Some(run) = self.run.as_mut().filter(|run| unchanged(run)) {
            run.tables = Arc::new(tables);
            return self.assign_unknown(&unknown);
        }
        let start = if self.run.is_some() {
            offset
        } else {
            self.base
        };
        self.end_run(offset);
        self.pids
            .unassign(|role| matches!(role, Role::Track(_) | Role::Unknown));
        self.assemblers = tracks
            .iter()
            .map(|track| Assembler::new(track.codec))
            .collect();
        for (index, track) in tracks.iter().enumerate() {
            self.pids.assign(track.pid, Role::Track(index));
        }
        self.assign_unknown(&unknown);
        self.start_run(Run {
            start,
            end: None,
            tables: Arc::new(tables),
            cut: tracks
                .iter()
                .position(|track| track.codec.is_video())
                .unwrap_or(0),
            tracks: tracks.into(),
            parameters: Vec::new(),
            wall: WallMap::default(),
            counters_first: Arc::default(),
            counters_last: Arc::default(),
            patchable: true,
            first: Ticks(i64::MAX),
            latest: Ticks(i64::MIN),
        });
    }

    fn assign_unknown(&mut self, pids: &[Pid]) {
        self.pids.unassign(|role| matches!(role, Role::Unknown));
        for &pid in pids {
            self.pids.assign(pid, Role::Unknown);
        }
    }

    fn start_run(&mut self, run: Run) {
        self.timeline = Timeline::new(run.tracks.len());
        self.run = Some(run);
    }

    /// Completes what is complete and ends the run.
    fn end_run(&mut self, offset: u64) {
        for track in 0..self.assemblers.len() {
            match self.assemblers[track].open.take() {
                Some(open) if open.is_whole() => self.complete(track, open),
                Some(open) => self.leave_out(track, &open),
                None => {}
            }
        }
        if let Some(mut run) = self.run.take() {
            run.end = Some(offset);
            run.counters_last = self.pids.counters();
            self.batch.ended.push(run);
        }
    }

    /// The same streams on a new timeline, from the unit `open` of `track` on.
    fn renew_run(&mut self, track: usize, open: &Open) {
        let Some(run) = &self.run else { return };
        let pid = run.tracks[track].pid;
        let next = Run {
            start: open.start,
            end: None,
            wall: WallMap::default(),
            counters_first: Arc::default(),
            first: Ticks(i64::MAX),
            latest: Ticks(i64::MIN),
            parameters: run.parameters.last().cloned().into_iter().collect(),
            ..run.clone()
        };
        self.end_run(open.start);
        // The first packet of that unit has been counted already.
        let previous = self.pids.previous_of(pid);
        if let (Some(ended), Some(previous)) = (self.batch.ended.last_mut(), previous) {
            ended.counters_last = with_counter(&ended.counters_last, pid, previous);
        }
        self.start_run(next);
    }
}
