//! Lines the pieces up: tables and parameter sets in front, and what is left of the log behind them.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use lookback_codec::{Head, inspect};
use lookback_mpegts::{
    Muxer, PACKET_LEN, Packet, Pat, PesHeader, Pid, Ticks, Unit, add_to_counter, packetize_section,
    shift_timestamps,
};

use super::Selected;
use super::cut::{Cut, Out};
use super::piece::{Content, Only, Patch, Piece};
use crate::blocks::Blocks;
use crate::counters;
use crate::index::{Fault, FaultKind};
use crate::plan::Part;
use crate::run::Tables;

const PACKET: u64 = PACKET_LEN as u64;

#[derive(Default)]
pub(super) struct Builder {
    pub(super) pieces: Vec<Piece>,
    pub(super) selections: Vec<Selected>,
    pub(super) len: u64,
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

    pub(super) fn part(
        &mut self,
        part: &Part,
        mut cut: Cut<'_>,
        more: bool,
        blocks: &mut Blocks<'_>,
    ) {
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
