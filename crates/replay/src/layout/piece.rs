//! The pieces that a clip is made of, and what is changed in them on the way out.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use lookback_mpegts::{PACKET_LEN, Packet, Pid, Ticks, add_to_counter, shift_timestamps};

pub(super) struct Piece {
    /// Position in the clip.
    pub(super) at: u64,
    pub(super) content: Content,
}

pub(super) enum Content {
    /// Made for the clip.
    Own(Bytes),
    /// The log, as it is.
    Log(Range<u64>),
    /// Whole packets of the log, each changed on its way out.
    Patched(Range<u64>, Arc<Patch>),
}

impl Content {
    pub(super) fn len(&self) -> u64 {
        match self {
            Self::Own(bytes) => bytes.len() as u64,
            Self::Log(range) | Self::Patched(range, _) => range.end - range.start,
        }
    }
}

/// What is changed in the packets of a stretch.
#[derive(Clone, Debug, Default)]
pub(super) struct Patch {
    pub(super) shift: Ticks,
    /// What is added to the counter of each PID, modulo 16.
    pub(super) counters: BTreeMap<Pid, u8>,
    pub(super) only: Option<Only>,
}

/// Of several programs only one is left: packets of others become null packets.
#[derive(Clone, Debug)]
pub(super) struct Only {
    pub(super) pids: Arc<[Pid]>,
    /// Stands in the place of each PAT.
    pub(super) pat: Arc<[u8]>,
}

impl Patch {
    pub(super) fn is_empty(&self) -> bool {
        self.shift == Ticks(0) && self.only.is_none() && self.counters.values().all(|&by| by == 0)
    }

    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + self.counters.len() * size_of::<(Pid, u8)>()
    }

    pub(super) fn apply(&self, packet: &mut [u8; PACKET_LEN]) {
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
