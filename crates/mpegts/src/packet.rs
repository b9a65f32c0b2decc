//! One transport packet, looked at where it lies (13818-1, 2.4.3).
//!
//! Every question is answered from the bytes when it is asked; most are one load and a mask, since
//! ingest asks them of each packet.

use crate::{PACKET_LEN, Pcr, Pid};

/// A view of one transport packet.
#[derive(Debug, Clone, Copy)]
pub struct Packet<'a>(&'a [u8; PACKET_LEN]);

/// What the adaptation field of a packet says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Adaptation {
    /// The counter, or on the PCR's PID the clock, jumps at this packet on purpose.
    pub discontinuity: bool,
    /// Decoding can start at the unit that begins here; on audio this is nearly always set.
    pub random_access: bool,
    /// The program's clock as this packet arrives.
    pub pcr: Option<Pcr>,
}

impl<'a> Packet<'a> {
    /// A view of `bytes`, which [`Framer`](crate::Framer) has found to be a packet.
    #[inline]
    pub const fn new(bytes: &'a [u8; PACKET_LEN]) -> Self {
        Self(bytes)
    }

    /// The bytes of the whole packet.
    #[inline]
    pub const fn bytes(self) -> &'a [u8; PACKET_LEN] {
        self.0
    }

    /// The stream that the packet belongs to.
    #[inline]
    pub const fn pid(self) -> Pid {
        Pid::new(u16::from_be_bytes([self.0[1], self.0[2]]))
    }

    /// Whether a PES packet or a section begins in this packet's payload.
    #[inline]
    pub const fn unit_start(self) -> bool {
        self.0[1] & 0x40 != 0
    }

    /// Whether the transmission marked this packet as damaged.
    #[inline]
    pub const fn transport_error(self) -> bool {
        self.0[1] & 0x80 != 0
    }

    /// Whether the payload is encrypted.
    #[inline]
    pub const fn scrambled(self) -> bool {
        self.0[3] & 0xc0 != 0
    }

    /// The continuity counter, 0 to 15: it goes up by one with each packet of a PID that has a
    /// payload.
    #[inline]
    pub const fn counter(self) -> u8 {
        self.0[3] & 0x0f
    }

    /// Whether the header announces a payload.
    #[inline]
    pub const fn has_payload(self) -> bool {
        self.0[3] & 0x10 != 0
    }

    /// The payload; empty when there is none, or when the adaptation field claims more than the
    /// packet holds.
    #[inline]
    pub fn payload(self) -> &'a [u8] {
        if self.has_payload() {
            self.0.get(4 + self.adaptation_len()..).unwrap_or_default()
        } else {
            &[]
        }
    }

    /// The adaptation field, if there is one that has content and fits the packet.
    #[inline]
    pub fn adaptation(self) -> Option<Adaptation> {
        let (flags, fields) = self.adaptation_bytes()?.split_first()?;
        Some(Adaptation {
            discontinuity: flags & 0x80 != 0,
            random_access: flags & 0x40 != 0,
            pcr: fields
                .first_chunk()
                .filter(|_| flags & 0x10 != 0)
                .map(|&bytes| Pcr::from_bytes(bytes)),
        })
    }

    /// The adaptation field without its length byte.
    #[inline]
    pub(crate) fn adaptation_bytes(self) -> Option<&'a [u8]> {
        self.0.get(5..4 + self.adaptation_len())
    }

    /// Bytes that the adaptation field takes, with its length byte; at most 256, so it may claim
    /// more than there is.
    #[inline]
    fn adaptation_len(self) -> usize {
        if self.0[3] & 0x20 == 0 {
            0
        } else {
            1 + usize::from(self.0[4])
        }
    }
}
