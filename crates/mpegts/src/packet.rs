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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::SYNC_BYTE;

    /// A packet that begins with `head` and goes on counting up.
    fn packet(head: &[u8]) -> [u8; PACKET_LEN] {
        let mut bytes = std::array::from_fn(|n| n as u8);
        bytes[0] = SYNC_BYTE;
        bytes[1..=head.len()].copy_from_slice(head);
        bytes
    }

    #[test]
    fn header_bits_are_where_the_standard_puts_them() {
        let plain = packet(&[0x00, 0x00, 0x10]);
        let plain = Packet::new(&plain);
        assert_eq!(plain.pid(), Pid::PAT);
        assert_eq!(plain.counter(), 0);
        assert!(plain.has_payload());
        assert!(!plain.unit_start() && !plain.transport_error() && !plain.scrambled());

        let full = packet(&[0xff, 0xff, 0xcf]);
        let full = Packet::new(&full);
        assert_eq!(full.pid(), Pid::NULL);
        assert_eq!(full.counter(), 15);
        assert!(!full.has_payload());
        assert!(full.unit_start() && full.transport_error() && full.scrambled());

        let start = packet(&[0x41, 0x23, 0x57]);
        let start = Packet::new(&start);
        assert_eq!((start.pid(), start.counter()), (Pid::new(0x123), 7));
        assert!(start.scrambled() && start.has_payload());
        assert!(start.unit_start() && !start.transport_error());
        assert_eq!(start.bytes()[1], 0x41);
    }

    #[test]
    fn payload_is_what_the_adaptation_field_leaves() {
        for (head, payload_at) in [
            (&[0, 0, 0x10][..], 4),
            (&[0, 0, 0x30, 0], 5),
            (&[0, 0, 0x30, 7], 12),
            (&[0, 0, 0x30, 182], 187),
            (&[0, 0, 0x30, 183], 188),
            (&[0, 0, 0x30, 184], 188),
            (&[0, 0, 0x30, 255], 188),
            (&[0, 0, 0x20, 7], 188),
            (&[0, 0, 0x00, 7], 188),
        ] {
            let bytes = packet(head);
            assert_eq!(
                Packet::new(&bytes).payload(),
                &bytes[payload_at..],
                "{head:?}"
            );
        }
    }

    #[test]
    fn adaptation_field_tells_flags_and_clock() {
        let bytes = packet(&[0, 0, 0x30, 7, 0xd0, 0, 0, 0, 0, 0xfe, 2]);
        let adaptation = Adaptation {
            discontinuity: true,
            random_access: true,
            pcr: Some(Pcr::new(302)),
        };
        assert_eq!(Packet::new(&bytes).adaptation(), Some(adaptation));

        // From libavformat's first packet of video: keyframe, clock at 0.7 s.
        let bytes = packet(&[0x41, 0, 0x30, 7, 0x50, 0, 0, 0x7b, 0x0c, 0x7e, 0]);
        let adaptation = Adaptation {
            discontinuity: false,
            random_access: true,
            pcr: Some(Pcr::new(63_000 * 300)),
        };
        assert_eq!(Packet::new(&bytes).adaptation(), Some(adaptation));

        let bytes = packet(&[0, 0, 0x20, 183, 0x00]);
        assert_eq!(
            Packet::new(&bytes).adaptation(),
            Some(Adaptation::default())
        );
    }

    #[test]
    fn adaptation_field_that_cannot_be_is_left_out() {
        for head in [
            // None; empty; longer than the packet.
            &[0, 0, 0x10, 7, 0xff][..],
            &[0, 0, 0x30, 0, 0xff],
            &[0, 0, 0x30, 184, 0xff],
        ] {
            let bytes = packet(head);
            assert_eq!(Packet::new(&bytes).adaptation(), None, "{head:?}");
        }
        let bytes = packet(&[0, 0, 0x30, 6, 0x10]);
        let adaptation = Packet::new(&bytes).adaptation();
        assert_eq!(
            adaptation,
            Some(Adaptation::default()),
            "a clock that does not fit"
        );
    }

    proptest! {
        #[test]
        fn no_packet_upsets_the_view(bytes: [u8; PACKET_LEN]) {
            let packet = Packet::new(&bytes);
            let payload = packet.payload();
            prop_assert!(bytes.ends_with(payload));
            prop_assert!(payload.len() <= 184);
            prop_assert!(packet.has_payload() || payload.is_empty());
            let _ = packet.adaptation();
        }
    }
}
