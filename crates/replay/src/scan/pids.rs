//! The PIDs of a stream: what each is for, and how its packets are counted.

use std::mem;
use std::sync::Arc;

use lookback_mpegts::{PACKET_LEN, Packet, Pid};

use super::programs::{PROGRAMS_MAX, TRACKS_MAX, UNKNOWN_MAX};

/// PIDs that are followed. Further ones pass unseen, unless the tables name them: then one that they do
/// not name makes room.
pub(super) const PIDS_MAX: usize = 250;

// PAT, maps, tracks, and what else a map names always have room.
const _: () = assert!(1 + PROGRAMS_MAX + TRACKS_MAX + UNKNOWN_MAX < PIDS_MAX);

#[derive(Clone, Copy)]
pub(super) enum Role {
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

/// What a continuity counter tells (13818-1, 2.4.3.3).
pub(super) enum Count {
    /// The packet was sent twice.
    Twice,
    /// The first one of its PID.
    First,
    /// It is so many ahead of what follows the packet before; modulo 16.
    Ahead(u8),
}

pub(super) struct Pids {
    /// Position in `states`, plus one, of each PID.
    slots: Box<[u8]>,
    states: Vec<PidState>,
    next: Next,
}

/// How the next packet of the newest picture begins, if the picture goes on and nothing else is in
/// the packet.
#[derive(Default)]
struct Next {
    slot: usize,
    header: u32,
}

impl Pids {
    pub(super) fn new() -> Self {
        Self {
            slots: vec![0; 1 << 13].into_boxed_slice(),
            states: Vec::new(),
            next: Next::default(),
        }
    }

    /// How many are followed.
    pub(super) fn len(&self) -> usize {
        self.states.len()
    }

    /// The track whose picture goes on with this packet, where that can be seen at its header.
    #[inline]
    pub(super) fn expected(&self, bytes: &[u8; PACKET_LEN]) -> Option<usize> {
        if header(bytes) != self.next.header {
            return None;
        }
        match self.states[self.next.slot].role {
            Role::Track(track) => Some(track),
            _ => None,
        }
    }

    /// Counts a packet that was expected.
    #[inline]
    pub(super) fn go_on(&mut self, bytes: &[u8; PACKET_LEN]) -> Pid {
        let state = &mut self.states[self.next.slot];
        let counter = bytes[3] & 0x0f;
        state.previous = Some(counter.wrapping_sub(1) & 0x0f);
        state.counter = Some(counter);
        state.beginning.copy_from_slice(&bytes[..12]);
        self.next.header = following(self.next.header);
        state.pid
    }

    /// Expects the picture in this packet to go on with the next one.
    pub(super) fn expect_behind(&mut self, slot: usize, packet: Packet<'_>) {
        let plain = header(packet.bytes()) & !(UNIT_START | FLAGS) | PAYLOAD;
        let header = following(plain);
        self.next = Next { slot, header };
    }

    pub(super) fn role(&self, slot: usize) -> Role {
        self.states[slot].role
    }

    /// The slot of a PID that a packet has.
    pub(super) fn slot(&mut self, pid: Pid) -> Option<usize> {
        if let Some(slot) = self.known(pid) {
            return Some(slot);
        }
        if pid == Pid::PAT {
            return self.assign(pid, Role::Pat);
        }
        (self.states.len() < PIDS_MAX).then(|| self.add(pid, Role::Other))
    }

    fn known(&self, pid: Pid) -> Option<usize> {
        usize::from(self.slots[usize::from(pid.value())]).checked_sub(1)
    }

    /// Gives a PID that the tables name its role, unless it has one already. There is room for it.
    pub(super) fn assign(&mut self, pid: Pid, role: Role) -> Option<usize> {
        if let Some(slot) = self.known(pid) {
            if matches!(self.states[slot].role, Role::Other) {
                self.states[slot].role = role;
            }
            return Some(slot);
        }
        if self.states.len() == PIDS_MAX {
            self.drop_other()?;
        }
        Some(self.add(pid, role))
    }

    /// These, and no others, are the PIDs of maps; whatever they were before.
    pub(super) fn assign_maps(&mut self, pids: impl Iterator<Item = Pid>) {
        self.unassign(|role| matches!(role, Role::Map));
        for pid in pids {
            if let Some(slot) = self.assign(pid, Role::Map)
                && !matches!(self.states[slot].role, Role::Pat)
            {
                self.states[slot].role = Role::Map;
            }
        }
    }

    /// Takes the roles away that one table gave.
    pub(super) fn unassign(&mut self, given: impl Fn(Role) -> bool) {
        for state in self.states.iter_mut().filter(|state| given(state.role)) {
            state.role = Role::Other;
        }
    }

    fn add(&mut self, pid: Pid, role: Role) -> usize {
        self.states.push(PidState {
            pid,
            role,
            counter: None,
            previous: None,
            beginning: [0; 12],
        });
        self.slots[usize::from(pid.value())] = self.states.len() as u8;
        self.states.len() - 1
    }

    /// Forgets a PID that no table names.
    fn drop_other(&mut self) -> Option<()> {
        let is_other = |state: &PidState| matches!(state.role, Role::Other);
        let slot = self.states.iter().position(is_other)?;
        let dropped = self.states.swap_remove(slot);
        self.slots[usize::from(dropped.pid.value())] = 0;
        if let Some(moved) = self.states.get(slot) {
            self.slots[usize::from(moved.pid.value())] = slot as u8 + 1;
        }
        self.next = Next::default();
        Some(())
    }

    /// Follows the continuity counter of a packet with payload.
    pub(super) fn count(&mut self, slot: usize, packet: Packet<'_>) -> Count {
        let state = &mut self.states[slot];
        let beginning = packet.bytes().first_chunk().copied().unwrap_or_default();
        let before = mem::replace(&mut state.beginning, beginning);
        if state.counter == Some(packet.counter()) && beginning == before {
            return Count::Twice;
        }
        state.previous = state.counter.replace(packet.counter());
        match state.previous {
            None => Count::First,
            Some(last) => Count::Ahead(packet.counter().wrapping_sub(last).wrapping_sub(1) & 0x0f),
        }
    }

    /// The counters as they are now.
    pub(super) fn counters(&self) -> Arc<[(Pid, u8)]> {
        let counted = |state: &PidState| Some((state.pid, state.counter?));
        self.states.iter().filter_map(counted).collect()
    }

    /// The counter of a PID; of one that has none, the one in front of zero.
    pub(super) fn counter_of(&self, pid: Pid) -> u8 {
        let state = self.known(pid).map(|slot| &self.states[slot]);
        state.and_then(|state| state.counter).unwrap_or(0x0f)
    }

    /// The counter of the packet before the newest one.
    pub(super) fn previous_of(&self, pid: Pid) -> Option<u8> {
        self.states[self.known(pid)?].previous
    }
}

/// The counters, with another one for `pid`.
pub(super) fn with_counter(counters: &[(Pid, u8)], pid: Pid, counter: u8) -> Arc<[(Pid, u8)]> {
    let replace = |&(other, known): &(Pid, u8)| (other, if other == pid { counter } else { known });
    counters.iter().map(replace).collect()
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
