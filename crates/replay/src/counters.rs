//! The continuity counters around a place in the log where a clip is cut that a run does not remember.

use std::collections::BTreeMap;
use std::ops::Range;

use lookback_mpegts::{PACKET_LEN, Pid};

use crate::blocks::Blocks;
use crate::index::{Fault, FaultKind};

const PACKET: u64 = PACKET_LEN as u64;

/// How far the packets of a stream are looked for: streams that are rarer are not waited for.
const LOOK: u64 = 4 << 20;

/// The counters that streams had last before `from`, told by the packets that come next; `enough` PIDs
/// end the search.
pub(crate) fn before(
    blocks: &mut Blocks<'_>,
    bytes: Range<u64>,
    faults: &[Fault],
    enough: &[Pid],
) -> BTreeMap<Pid, u8> {
    let from = bytes.start;
    let until = bytes.end.min(from + LOOK);
    let mut missing = enough.to_vec();
    let mut found = BTreeMap::new();
    let mut holes = faults.iter().filter(is_hole).peekable();
    let mut at = from;
    while at < until && !missing.is_empty() {
        if let Some(hole) = holes.next_if(|hole| hole.offset <= at) {
            at = at.max(hole.end());
            continue;
        }
        let Some(header) = blocks.header(at) else {
            break;
        };
        let (pid, counter) = parse(header);
        found.entry(pid).or_insert_with(|| {
            missing.retain(|&other| other != pid);
            let counts = u8::from(header[3] & 0x10 != 0);
            counter
                .wrapping_sub(counts)
                .wrapping_sub(ahead(faults, pid, from, at))
                & 0x0f
        });
        at += PACKET;
    }
    found
}

/// The counters that streams have last in `bytes`; `enough` PIDs end the search.
pub(crate) fn last(
    blocks: &mut Blocks<'_>,
    bytes: Range<u64>,
    faults: &[Fault],
    enough: &[Pid],
) -> BTreeMap<Pid, u8> {
    let until = bytes.start.max(bytes.end.saturating_sub(LOOK));
    let mut holes = faults.iter().rev().filter(is_hole).peekable();
    let mut missing = enough.to_vec();
    let mut found = BTreeMap::new();
    let mut at = bytes.end;
    while at >= until + PACKET && !missing.is_empty() {
        // In front of a hole packets may lie out of step with those behind it.
        if let Some(hole) = holes.next_if(|hole| hole.end() + PACKET > at) {
            at = at.min(hole.offset);
            continue;
        }
        at -= PACKET;
        let Some(header) = blocks.header(at) else {
            break;
        };
        let (pid, counter) = parse(header);
        // What was lost behind it has been allowed for, as if another had come.
        let lost = || ahead(faults, pid, at, bytes.end - 1);
        found
            .entry(pid)
            .or_insert_with(|| counter.wrapping_add(lost()) & 0x0f);
        missing.retain(|&other| other != pid);
    }
    found
}

fn parse(header: [u8; 4]) -> (Pid, u8) {
    let pid = Pid::new(u16::from_be_bytes([header[1], header[2]]));
    (pid, header[3] & 0x0f)
}

fn is_hole(fault: &&Fault) -> bool {
    matches!(fault.kind, FaultKind::Hole { .. })
}

/// By how much a counter was ahead in all, behind one place and up to another.
fn ahead(faults: &[Fault], pid: Pid, from: u64, to: u64) -> u8 {
    let between = faults
        .iter()
        .filter(|fault| fault.offset > from && fault.offset <= to);
    between
        .filter_map(|fault| match fault.kind {
            FaultKind::Counter { pid: of, ahead } if of == pid => Some(ahead),
            _ => None,
        })
        .fold(0, u8::wrapping_add)
}
