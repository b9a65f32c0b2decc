//! The index: one entry for each access unit, in the order in which they became complete.
//!
//! An entry lies in the block (see [`crate::log`]) in which its last byte came in. So the index only
//! grows at its end, is never sorted, and goes with the bytes it speaks of.

use std::ops::Range;

use lookback_mpegts::Ticks;

use crate::numbering::Place;

/// One complete access unit (for audio: one PES packet, which may hold several frames).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Entry {
    /// Log offset of its first packet.
    pub(crate) offset: u64,
    pub(crate) pts: Ticks,
    /// Bytes from its first packet to the end of its last, with whatever other packets lie between.
    pub(crate) span: u32,
    /// PTS less DTS.
    pub(crate) lag: i32,
    /// Position of its stream among the run's tracks.
    pub(crate) track: u8,
    flags: u8,
}

impl Entry {
    /// Decoding can start here.
    pub(crate) const KEY: u8 = 1;
    /// A key after which pictures follow that refer to what came before it, and are shown before it.
    pub(crate) const OPEN: u8 = 2;
    /// Parameter sets are in the picture itself.
    pub(crate) const PARAMETERS: u8 = 4;
    /// Bytes of it were lost on the way here.
    pub(crate) const DAMAGED: u8 = 8;

    pub(crate) fn new(track: usize, bytes: Range<u64>, pts: Ticks, dts: Ticks) -> Self {
        Self {
            offset: bytes.start,
            pts,
            span: u32::try_from(bytes.end - bytes.start).unwrap_or(u32::MAX),
            lag: i32::try_from(pts.0 - dts.0).unwrap_or(0),
            track: track as u8,
            flags: 0,
        }
    }

    pub(crate) fn with_flags(self, flags: u8) -> Self {
        Self { flags, ..self }
    }

    pub(crate) fn is(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    pub(crate) fn track(&self) -> usize {
        usize::from(self.track)
    }

    pub(crate) fn dts(&self) -> Ticks {
        Ticks(self.pts.0 - i64::from(self.lag))
    }

    pub(crate) fn end(&self) -> u64 {
        self.offset + u64::from(self.span)
    }

    pub(crate) fn bytes(&self) -> Range<u64> {
        self.offset..self.end()
    }
}

/// A position in the index.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Cursor {
    pub(crate) block: u64,
    pub(crate) entry: usize,
}

/// Where a clip can start: a keyframe of the track that is cut on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key {
    pub(crate) offset: u64,
    pub(crate) pts: Ticks,
    /// PTS less DTS.
    pub(crate) lag: i32,
    pub(crate) cursor: Cursor,
    /// The counters that PAT and PMT had last before it.
    pub(crate) table_counters: [u8; 2],
    /// Pictures follow that refer to what came before it.
    pub(crate) is_open: bool,
    pub(crate) has_parameters: bool,
    /// The segment that it is in.
    pub(crate) place: Place,
}

impl Key {
    pub(crate) fn dts(&self) -> Ticks {
        Ticks(self.pts.0 - i64::from(self.lag))
    }
}

/// Something that breaks the sequence of packets.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Fault {
    pub(crate) offset: u64,
    pub(crate) kind: FaultKind,
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum FaultKind {
    /// Bytes that are no packets.
    Hole { len: u64 },
    /// The counter of this PID is ahead by so much, modulo 16, from the packet at the offset on. With
    /// 0 only a sign that a unit of this PID is damaged.
    Counter {
        pid: lookback_mpegts::Pid,
        ahead: u8,
    },
}

impl Fault {
    pub(crate) fn end(&self) -> u64 {
        match self.kind {
            FaultKind::Hole { len } => self.offset + len,
            FaultKind::Counter { .. } => self.offset + 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_stays_small() {
        assert_eq!(size_of::<Entry>(), 32);
    }

    #[test]
    fn an_entry_gives_back_what_it_was_made_of() {
        let entry =
            Entry::new(3, 188..1880, Ticks(5000), Ticks(2000)).with_flags(Entry::KEY | Entry::OPEN);
        assert_eq!(entry.bytes(), 188..1880);
        assert_eq!((entry.pts, entry.dts()), (Ticks(5000), Ticks(2000)));
        assert!(entry.is(Entry::KEY) && entry.is(Entry::OPEN) && !entry.is(Entry::DAMAGED));
        assert_eq!(entry.track(), 3);
    }
}
