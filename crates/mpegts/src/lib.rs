//! MPEG-2 transport streams (ISO/IEC 13818-1): reading, patching and writing, a packet at a time.
//!
//! Bytes come in through [`Framer`], which finds the packets in them; [`Packet`] is a view of one.
//! [`SectionReader`] puts the tables together ([`Pat`], [`Pmt`]) and [`PesHeader`] tells the time of
//! a unit. On the way out, [`shift_timestamps`] and [`add_to_counter`] edit a packet where it lies,
//! and [`Muxer`] writes new ones.
//!
//! What is read is taken as it comes: no input panics, and what makes no sense is left out. What is
//! written keeps to the standard. Nothing here does IO, reads a clock, or allocates per packet.
#![forbid(unsafe_code)]

use std::fmt;

mod mux;
mod packet;
mod patch;
mod pes;
mod psi;
mod section;
mod sync;
mod time;

pub use mux::{MuxStream, Muxer, MuxerConfig, Unit};
pub use packet::{Adaptation, Packet};
pub use patch::{add_to_counter, shift_timestamps};
pub use pes::{PesError, PesHeader};
pub use psi::{Descriptors, Pat, Pmt, PmtStream};
pub use section::{SectionReader, packetize_section};
pub use sync::{Frame, Framer};
pub use time::{PCR_WRAP, PTS_WRAP, Pcr, Ticks, Unwrapper};

/// Length of a transport packet in bytes.
pub const PACKET_LEN: usize = 188;

/// First byte of each transport packet.
pub const SYNC_BYTE: u8 = 0x47;

/// Bytes of a packet after its four-byte header: adaptation field and payload.
const BODY_LEN: usize = PACKET_LEN - 4;

/// A packet identifier: 13 bits that say which stream of the multiplex a packet belongs to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pid(u16);

impl Pid {
    /// Carries the program association table.
    pub const PAT: Self = Self(0);
    /// Carries nothing: filler that any reader drops.
    pub const NULL: Self = Self(0x1fff);

    /// The identifier in the lower 13 bits of `value`; the upper three, which share its bytes in
    /// every header and table, are ignored.
    #[inline]
    pub const fn new(value: u16) -> Self {
        Self(value & 0x1fff)
    }

    /// The identifier as a number, at most 0x1fff.
    #[inline]
    pub const fn value(self) -> u16 {
        self.0
    }
}

impl fmt::Debug for Pid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pid({:#06x})", self.0)
    }
}

impl fmt::Display for Pid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#06x}", self.0)
    }
}
