//! From bytes to access units: what ingest learns of the stream as it passes.
//!
//! Each packet is touched once, at its header. Beyond that only the tables, the PES headers and the
//! first bytes of each picture are read. Nothing that arrives is an error: what cannot be used is
//! counted and reported, and the next packet is looked at.

mod assembler;
mod programs;
#[cfg(test)]
mod tests;

use std::mem;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use lookback_codec::{Access, audio_format, silence};
use lookback_mpegts::{Frame, Framer, PACKET_LEN, Packet, Pid, Ticks, Unwrapper};

use self::assembler::{Assembler, Open, Step};
use self::programs::{Chosen, PROGRAMS_MAX, Programs, TRACKS_MAX, UNKNOWN_MAX};
use crate::index::{Entry, Fault, FaultKind};
use crate::run::{Run, Track};
use crate::wall::{Wall, WallMap};

/// A step between the timestamps of two units of one track that is no longer taken for a pause.
const JUMP: Ticks = Ticks(10 * 90_000);

/// Sound that steps back less than this is left out rather than taken for a new timeline.
const SLIP: Ticks = Ticks(90_000);

/// How far apart the keys of a stream without video are.
const AUDIO_KEY_INTERVAL: Ticks = Ticks(90_000 / 2);

/// A stream whose only entry points are gradual ones is cut at those, after this long without a
/// better one.
const GRADUAL_AFTER: Ticks = Ticks(10 * 90_000);

/// PIDs that are followed. Further ones pass unseen, unless the tables name them: then one that they do
/// not name makes room.
const PIDS_MAX: usize = 250;

// PAT, maps, tracks, and what else a map names always have room.
const _: () = assert!(1 + PROGRAMS_MAX + TRACKS_MAX + UNKNOWN_MAX < PIDS_MAX);

/// PTS and DTS of a unit, as the run counts them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Time {
    pts: Ticks,
    dts: Ticks,
}

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
        !self.demux.pids.is_empty()
    }
}

#[derive(Clone, Copy)]
enum Role {
    Pat,
    Map,
    Track(usize),
    /// The map names it, and there is no use for it.
    Unknown,
    /// No table names it.
    Other,
}

struct PidState {
    pid: Pid,
    role: Role,
    /// Of the last packet with payload.
    counter: Option<u8>,
    /// Of the one before it.
    previous: Option<u8>,
    /// How that packet began: one that is sent twice begins the same way.
    beginning: [u8; 12],
}

struct Demux {
    base: u64,
    now: Wall,
    /// Position in `pids`, plus one, of each PID.
    slots: Box<[u8]>,
    pids: Vec<PidState>,
    programs: Programs,
    assemblers: Vec<Assembler>,
    /// The track whose unit has just reached its length.
    reached: Option<usize>,
    /// The newest stretch of bytes that are of no use.
    hole: Range<u64>,
    /// The PID of the newest packet, if it is one that counts.
    counted: Option<Pid>,
    run: Option<Run>,
    clock: Clock,
    next: Next,
    batch: Batch,
}

/// How the next packet of the newest picture begins, if the picture goes on and nothing else is in
/// the packet.
#[derive(Default)]
struct Next {
    slot: usize,
    header: u32,
}

/// The timeline of the current run.
#[derive(Default)]
struct Clock {
    unwrapper: Unwrapper,
    /// DTS of the first complete unit of the track that is cut on.
    first: Option<Ticks>,
    /// DTS of the newest complete unit of that track.
    complete: Option<Ticks>,
    /// DTS of the newest unit of any track.
    latest: Option<Ticks>,
    /// DTS of the newest unit of each track.
    tracks: Vec<Option<Ticks>>,
    /// DTS of the newest key that needs no patience.
    clean_key: Option<Ticks>,
    /// PTS of the newest key.
    key: Option<Ticks>,
}

enum Verdict {
    Fits(Time),
    /// The timeline jumps here.
    Jump,
    /// Belongs to no timeline: the end of the one before, or sound that slipped back.
    Stray,
}

impl Demux {
    fn new(base: u64) -> Self {
        Self {
            base,
            now: Wall(0),
            slots: vec![0; 1 << 13].into_boxed_slice(),
            pids: Vec::new(),
            programs: Programs::default(),
            assemblers: Vec::new(),
            reached: None,
            hole: base..base,
            counted: None,
            run: None,
            clock: Clock::default(),
            next: Next::default(),
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
        let header = header(bytes);
        if header != self.next.header || self.reached.is_some() {
            return false;
        }
        let state = &mut self.pids[self.next.slot];
        let Role::Track(track) = state.role else {
            return false;
        };
        if !self.assemblers[track].goes_on(offset) {
            return false;
        }
        self.counted = Some(state.pid);
        let counter = bytes[3] & 0x0f;
        state.previous = Some(counter.wrapping_sub(1) & 0x0f);
        state.counter = Some(counter);
        state.beginning.copy_from_slice(&bytes[..12]);
        self.next.header = following(header);
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
        if !self.pids.is_empty() {
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
        let Some(slot) = self.slot(pid) else { return };
        if packet.has_payload() && !self.counted(slot, offset, packet) {
            return;
        }
        match self.pids[slot].role {
            Role::Track(track) => {
                self.track_packet(track, offset, packet);
                if self.has_picture(track) && packet.has_payload() {
                    let plain = header(packet.bytes()) & !(UNIT_START | FLAGS) | PAYLOAD;
                    let header = following(plain);
                    self.next = Next { slot, header };
                }
            }
            Role::Pat => {
                if self
                    .programs
                    .push_pat(packet.unit_start(), packet.payload())
                {
                    self.assign_maps();
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

    /// The slot of a PID that a packet has.
    fn slot(&mut self, pid: Pid) -> Option<usize> {
        let slot = usize::from(self.slots[usize::from(pid.value())]);
        if slot > 0 {
            return Some(slot - 1);
        }
        if pid == Pid::PAT {
            return self.assign(pid, Role::Pat);
        }
        (self.pids.len() < PIDS_MAX).then(|| self.add(pid, Role::Other))
    }

    /// Gives a PID that the tables name its role, unless it has one already. There is room for it.
    fn assign(&mut self, pid: Pid, role: Role) -> Option<usize> {
        let known = usize::from(self.slots[usize::from(pid.value())]).checked_sub(1);
        if let Some(slot) = known {
            if matches!(self.pids[slot].role, Role::Other) {
                self.pids[slot].role = role;
            }
            return known;
        }
        if self.pids.len() == PIDS_MAX {
            self.drop_other()?;
        }
        Some(self.add(pid, role))
    }

    fn add(&mut self, pid: Pid, role: Role) -> usize {
        self.pids.push(PidState {
            pid,
            role,
            counter: None,
            previous: None,
            beginning: [0; 12],
        });
        self.slots[usize::from(pid.value())] = self.pids.len() as u8;
        self.pids.len() - 1
    }

    /// Forgets a PID that no table names.
    fn drop_other(&mut self) -> Option<()> {
        let is_other = |state: &PidState| matches!(state.role, Role::Other);
        let slot = self.pids.iter().position(is_other)?;
        let dropped = self.pids.swap_remove(slot);
        self.slots[usize::from(dropped.pid.value())] = 0;
        if let Some(moved) = self.pids.get(slot) {
            self.slots[usize::from(moved.pid.value())] = slot as u8 + 1;
        }
        self.next = Next::default();
        Some(())
    }

    /// Takes the roles away that one table gave.
    fn unassign(&mut self, given: impl Fn(Role) -> bool) {
        for state in self.pids.iter_mut().filter(|state| given(state.role)) {
            state.role = Role::Other;
        }
    }

    /// Follows the continuity counter (13818-1, 2.4.3.3); `false` for a packet that was sent twice.
    fn counted(&mut self, slot: usize, offset: u64, packet: Packet<'_>) -> bool {
        let state = &mut self.pids[slot];
        let (pid, role) = (state.pid, state.role);
        let beginning = packet.bytes().first_chunk().copied().unwrap_or_default();
        let before = mem::replace(&mut state.beginning, beginning);
        let twice = state.counter == Some(packet.counter()) && beginning == before;
        if twice {
            let len = PACKET_LEN as u64;
            self.fault(offset, FaultKind::Hole { len });
            return false;
        }
        self.counted = Some(pid);
        state.previous = state.counter.replace(packet.counter());
        let Some(last) = state.previous else {
            self.note_late_counter(pid, packet.counter());
            return true;
        };
        let ahead = packet.counter().wrapping_sub(last).wrapping_sub(1) & 0x0f;
        if ahead == 0 {
            return true;
        }
        self.fault(offset, FaultKind::Counter { pid, ahead });
        if packet.adaptation().is_some_and(|field| field.discontinuity) {
            return true;
        }
        self.batch.problems.push("lost_packets");
        if let Role::Track(track) = role {
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

    fn assign_maps(&mut self) {
        self.unassign(|role| matches!(role, Role::Map));
        let pids: Vec<Pid> = self.programs.map_pids().collect();
        for pid in pids {
            if let Some(slot) = self.assign(pid, Role::Map)
                && !matches!(self.pids[slot].role, Role::Pat)
            {
                self.pids[slot].role = Role::Map;
            }
        }
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
        self.unassign(|role| matches!(role, Role::Track(_) | Role::Unknown));
        self.assemblers = tracks
            .iter()
            .map(|track| Assembler::new(track.codec))
            .collect();
        for (index, track) in tracks.iter().enumerate() {
            self.assign(track.pid, Role::Track(index));
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
        self.unassign(|role| matches!(role, Role::Unknown));
        for &pid in pids {
            self.assign(pid, Role::Unknown);
        }
    }

    fn start_run(&mut self, run: Run) {
        self.clock = Clock {
            tracks: vec![None; run.tracks.len()],
            ..Clock::default()
        };
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
            run.counters_last = self.counters();
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
        let previous = self
            .pids
            .iter()
            .find(|state| state.pid == pid)
            .and_then(|state| state.previous);
        if let (Some(ended), Some(previous)) = (self.batch.ended.last_mut(), previous) {
            ended.counters_last = with_counter(&ended.counters_last, pid, previous);
        }
        self.start_run(next);
    }

    fn counters(&self) -> Arc<[(Pid, u8)]> {
        self.pids
            .iter()
            .filter_map(|state| Some((state.pid, state.counter?)))
            .collect()
    }

    fn counter_of(&self, pid: Pid) -> u8 {
        let slot = usize::from(self.slots[usize::from(pid.value())]);
        let state = self.pids.get(slot.wrapping_sub(1));
        state.and_then(|state| state.counter).unwrap_or(0x0f)
    }

    fn track_packet(&mut self, track: usize, offset: u64, packet: Packet<'_>) {
        if packet.scrambled() {
            self.batch.problems.push("scrambled");
            return;
        }
        if packet.payload().is_empty() {
            return;
        }
        if Assembler::begins_unit(packet) {
            if let Some(mut open) = self.assemblers[track].open.take() {
                open.damaged |= open.is_short();
                self.complete(track, open);
            }
            let Some(run) = &self.run else { return };
            let table_counters = [Pid::PAT, run.tables.pmt_pid].map(|pid| self.counter_of(pid));
            self.assemblers[track].begin(offset, packet, table_counters);
        }
        if self.assemblers[track].open.is_none() {
            return self.orphan(track, offset);
        }
        let had_picture = self.has_picture(track);
        let step = self.assemblers[track].push(offset, packet);
        match step {
            Step::Unusable => {
                self.batch.problems.push("damaged");
                if let Some(open) = self.assemblers[track].open.take() {
                    self.leave_out(track, &open);
                }
            }
            Step::Header => self.header_known(track),
            Step::More => {}
        }
        if !had_picture && self.has_picture(track) {
            self.picture_known(track);
        }
        if self.assemblers[track]
            .open
            .as_ref()
            .is_some_and(Open::length_reached)
        {
            self.reached = Some(track);
        }
    }

    /// A packet of a unit whose beginning is not known.
    fn orphan(&mut self, track: usize, offset: u64) {
        let Some(run) = &self.run else { return };
        let (pid, len) = (run.tracks[track].pid, PACKET_LEN as u64);
        self.assemblers[track].lost = true;
        self.counted = None;
        self.fault(offset, FaultKind::Hole { len });
        self.fault(offset, FaultKind::Counter { pid, ahead: 1 });
    }

    fn has_picture(&self, track: usize) -> bool {
        self.assemblers[track]
            .open
            .as_ref()
            .is_some_and(|open| open.picture.is_some())
    }

    /// Puts the unit on the timeline, or begins another one.
    fn header_known(&mut self, track: usize) {
        let Some(mut open) = self.assemblers[track].open.take() else {
            return;
        };
        let Some(header) = open.header else { return };
        let Some(pts) = header.pts else { return };
        let mut verdict = self.place(track, &open, pts);
        if matches!(verdict, Verdict::Jump) {
            self.renew_run(track, &open);
            verdict = self.place(track, &open, pts);
        }
        let Verdict::Fits(time) = verdict else {
            self.batch.problems.push("timestamps");
            self.assemblers[track].open = Some(open);
            return;
        };
        self.clock.latest = Some(
            self.clock
                .latest
                .map_or(time.dts, |latest| latest.max(time.dts)),
        );
        self.clock.tracks[track] = Some(time.dts);
        open.time = Some(time);
        self.note_counters(track, &open);
        if let Some(run) = &mut self.run {
            run.patchable &= !open.split_header;
            if run.tracks[track].stream_id != header.stream_id {
                edit_track(run, track).stream_id = header.stream_id;
            }
            if run.tracks[track].codec.is_audio() {
                let known = &run.tracks[track];
                let format = audio_format(
                    known.codec,
                    self.assemblers[track].head(),
                    &known.descriptors,
                );
                if format.is_some() && format != known.audio {
                    if known.audio.is_some() {
                        self.renew_run_at(track, &mut open);
                    }
                    let head = self.assemblers[track].head();
                    if let Some(run) = &mut self.run {
                        let known = edit_track(run, track);
                        known.audio = format;
                        known.silence = silence(known.codec, head);
                    }
                }
            }
        }
        self.assemblers[track].open = Some(open);
    }

    /// The format changes with this unit: a run of its own begins with it.
    fn renew_run_at(&mut self, track: usize, open: &mut Open) {
        self.renew_run(track, open);
        let Some(header) = open.header else { return };
        if let Some(pts) = header.pts
            && let Verdict::Fits(time) = self.place(track, open, pts)
        {
            self.clock.latest = Some(time.dts);
            self.clock.tracks[track] = Some(time.dts);
            open.time = Some(time);
            self.note_counters(track, open);
        }
    }

    /// Until the run has a key, this unit may be the first: keeps what the counters were before it.
    fn note_counters(&mut self, track: usize, open: &Open) {
        if self.clock.key.is_some() || self.run.as_ref().is_none_or(|run| run.cut != track) {
            return;
        }
        let counters = self.counters();
        if let Some(run) = &mut self.run {
            run.counters_first = with_counter(
                &counters,
                run.tracks[track].pid,
                open.first_counter.wrapping_sub(1) & 0x0f,
            );
        }
    }

    fn place(&mut self, track: usize, open: &Open, pts: u64) -> Verdict {
        let dts = open.header.and_then(|header| header.dts);
        let is_cut = self.run.as_ref().is_some_and(|run| run.cut == track);
        let order = match () {
            () if !is_cut || !self.assemblers[track].is_video() => Order::Sound,
            // Without a DTS, pictures do not come in the order of their timestamps. But no picture
            // that decoding can start at is shown before one that came earlier.
            () if dts.is_none() && !open.random_access => Order::Shown,
            () => Order::Decoded,
        };
        let clock = &mut self.clock;
        let before = clock.unwrapper.clone();
        let dts_ticks = clock.unwrapper.unwrap(dts.unwrap_or(pts));
        let pts_ticks = Ticks::from_raw_near(pts, dts_ticks);
        let verdict = judge(clock, track, order, dts_ticks);
        match verdict {
            Placing::Fits => Verdict::Fits(Time {
                pts: pts_ticks,
                dts: dts_ticks,
            }),
            other => {
                // What does not belong here must not pull the timeline with it.
                clock.unwrapper = before;
                if matches!(other, Placing::Jump) {
                    Verdict::Jump
                } else {
                    Verdict::Stray
                }
            }
        }
    }

    /// The head of a picture was reached.
    fn picture_known(&mut self, track: usize) {
        let is_cut = self.run.as_ref().is_some_and(|run| run.cut == track);
        let Some(mut open) = self.assemblers[track].open.take() else {
            return;
        };
        if open.parameters_changed && open.time.is_some() {
            let sets = &self.assemblers[track].parameters;
            let format = sets.video_format();
            let complete = sets.is_complete();
            let sets = Bytes::from(sets.annex_b());
            let known = self
                .run
                .as_ref()
                .and_then(|run| run.tracks[track].video.clone());
            if known.is_some() && known != format {
                self.renew_run_at(track, &mut open);
            }
            if let Some(run) = &mut self.run {
                edit_track(run, track).video = format;
                if is_cut && complete {
                    run.learn_parameters(open.start, sets);
                }
            }
        }
        self.assemblers[track].open = Some(open);
    }

    /// A unit has all its bytes.
    fn complete(&mut self, track: usize, open: Open) {
        let Some(run) = &mut self.run else { return };
        let Some(time) = open.time else {
            return self.leave_out(track, &open);
        };
        if open.start < run.start {
            return;
        }
        let key = is_key(&self.clock, run, track, &open, time);
        // What was lost in front of it, it may refer to.
        let damaged = open.damaged || open.behind_loss && open.picture.is_some() && !key;
        let mut flags = 0;
        flags |= if damaged { Entry::DAMAGED } else { 0 };
        if let Some(picture) = open.picture {
            flags |= if picture.has_parameter_sets {
                Entry::PARAMETERS
            } else {
                0
            };
            flags |= if picture.access == Access::Closed {
                0
            } else {
                Entry::OPEN
            };
        }
        if key {
            flags |= Entry::KEY;
            self.clock.key = Some(time.pts);
            if matches!(open.picture, Some(picture) if matches!(picture.access, Access::Closed | Access::Open))
            {
                self.clock.clean_key = Some(time.dts);
            }
        }
        if track == run.cut {
            run.wall.observe(time.pts, self.now);
            let first = *self.clock.first.get_or_insert(time.dts);
            let frame = match self.clock.complete.replace(time.dts) {
                Some(last) if time.dts > last => time.dts - last,
                _ => run.tracks[track].nominal_frame(),
            };
            run.first = run.first.min(time.pts);
            run.latest = run.latest.max(time.pts + frame);
            if self.clock.key.is_none() && time.dts.0 - first.0 > JUMP.0 {
                self.batch.problems.push("no_keyframe");
            }
        }
        let entry = Entry::new(track, open.start..open.end, time.pts, time.dts).with_flags(flags);
        self.batch.entries.push((entry, open.table_counters));
        if damaged {
            self.mark(track, open.start);
        }
    }

    /// Packets lie in the log that no clip may hold: an entry says which, and a fault that there is
    /// something to look for.
    fn leave_out(&mut self, track: usize, open: &Open) {
        let at = self.clock.latest.unwrap_or_default();
        let entry = Entry::new(track, open.start..open.end, at, at).with_flags(Entry::DAMAGED);
        self.batch.entries.push((entry, open.table_counters));
        self.mark(track, open.start);
    }

    fn mark(&mut self, track: usize, offset: u64) {
        if let Some(run) = &self.run {
            let pid = run.tracks[track].pid;
            self.fault(offset, FaultKind::Counter { pid, ahead: 0 });
        }
    }
}

enum Placing {
    Fits,
    Jump,
    Stray,
}

/// What the timestamps of a track tell.
#[derive(Clone, Copy)]
enum Order {
    /// Sound, and what else is not cut on: they rise.
    Sound,
    /// When a picture is decoded: they rise, or else a new timeline begins.
    Decoded,
    /// When a picture is shown.
    Shown,
}

/// Whether a unit with this DTS goes on with the timeline.
fn judge(clock: &Clock, track: usize, order: Order, dts: Ticks) -> Placing {
    let near_latest = clock
        .latest
        .is_none_or(|latest| (dts.0 - latest.0).abs() <= JUMP.0);
    let Some(last) = clock.tracks[track] else {
        // The first of its track: after a jump, tracks come over one after the other.
        return if near_latest {
            Placing::Fits
        } else {
            Placing::Stray
        };
    };
    let step = dts.0 - last.0;
    match step {
        1.. if step <= JUMP.0 || near_latest => Placing::Fits,
        1.. => Placing::Jump,
        _ if step <= -SLIP.0 => Placing::Jump,
        _ => match order {
            Order::Sound => Placing::Stray,
            Order::Decoded => Placing::Jump,
            Order::Shown => Placing::Fits,
        },
    }
}

fn is_key(clock: &Clock, run: &Run, track: usize, open: &Open, time: Time) -> bool {
    if open.damaged {
        return false;
    }
    if run.tracks[track].codec.is_audio() {
        let far = |last: Ticks| time.pts.0 - last.0 >= AUDIO_KEY_INTERVAL.0;
        return track == run.cut && clock.key.is_none_or(far);
    }
    let Some(picture) = open.picture else {
        return false;
    };
    let decodable = picture.has_parameter_sets || (track == run.cut && !run.parameters.is_empty());
    decodable
        && match picture.access {
            Access::Closed | Access::Open => true,
            Access::Gradual(_) => clock
                .clean_key
                .is_none_or(|last| time.dts.0 - last.0 > GRADUAL_AFTER.0),
            Access::None => picture.intra && open.random_access,
        }
}

fn edit_track(run: &mut Run, track: usize) -> &mut Track {
    &mut Arc::make_mut(&mut run.tracks)[track]
}

/// Parts of a packet's header (13818-1, 2.4.3.2).
const UNIT_START: u32 = 0x0040_0000;
/// Scrambling, adaptation field, payload.
const FLAGS: u32 = 0xf0;
const PAYLOAD: u32 = 0x10;
const COUNTER: u32 = 0x0f;

fn header(packet: &[u8; PACKET_LEN]) -> u32 {
    let [a, b, c, d, ..] = *packet;
    u32::from_be_bytes([a, b, c, d])
}

/// The header with the next counter.
fn following(header: u32) -> u32 {
    header & !COUNTER | header.wrapping_add(1) & COUNTER
}

/// The counters, with another one for `pid`.
fn with_counter(counters: &[(Pid, u8)], pid: Pid, counter: u8) -> Arc<[(Pid, u8)]> {
    let replace = |&(other, known): &(Pid, u8)| (other, if other == pid { counter } else { known });
    counters.iter().map(replace).collect()
}
