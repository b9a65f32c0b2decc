//! A bit reader that stops at the end of its bytes, whatever they claim.
//!
//! NAL units are read through their emulation prevention (H.264 7.4.1.1, H.265 7.4.2): the 0x03
//! behind two zero bytes is stepped over on the way, so nothing is copied.

/// Reads bits, most significant first.
#[derive(Debug, Clone)]
pub(crate) struct Bits<'a> {
    rest: &'a [u8],
    current: u8,
    /// Bits of `current` that are still unread.
    left: u32,
    /// Whether 0x03 behind two zero bytes is no data.
    escaped: bool,
    /// Zero bytes read in a row, up to 2.
    zeros: u8,
}

impl<'a> Bits<'a> {
    /// Reads the bytes as they are.
    pub(crate) fn plain(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            current: 0,
            left: 0,
            escaped: false,
            zeros: 0,
        }
    }

    /// Reads the content of a NAL unit, without its emulation prevention bytes.
    pub(crate) fn escaped(nal: &'a [u8]) -> Self {
        Self {
            escaped: true,
            ..Self::plain(nal)
        }
    }

    /// The next bit.
    pub(crate) fn flag(&mut self) -> Option<bool> {
        self.bits(1).map(|bit| bit == 1)
    }

    /// The next `count` bits, at most 32.
    pub(crate) fn bits(&mut self, mut count: u32) -> Option<u32> {
        debug_assert!(count <= 32);
        let mut value = 0;
        while count > 0 {
            if self.left == 0 {
                self.refill()?;
            }
            let taken = count.min(self.left);
            self.left -= taken;
            count -= taken;
            let chunk = (u32::from(self.current) >> self.left) & ((1 << taken) - 1);
            value = (value << taken) | chunk;
        }
        Some(value)
    }

    /// The next byte.
    pub(crate) fn byte(&mut self) -> Option<u8> {
        self.bits(8)
            .map(|value| u8::try_from(value).expect("eight bits fit a byte"))
    }

    /// Steps over `count` bits.
    pub(crate) fn skip(&mut self, mut count: u32) -> Option<()> {
        while count > 0 {
            let taken = count.min(32);
            self.bits(taken)?;
            count -= taken;
        }
        Some(())
    }

    /// An unsigned Exp-Golomb code (H.264 9.1, H.265 9.2).
    ///
    /// A code of more than 32 bits, which no standard has, reads as `u32::MAX`.
    pub(crate) fn ue(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while !self.flag()? {
            zeros += 1;
            if zeros == 32 {
                return Some(u32::MAX);
            }
        }
        Some((1 << zeros) - 1 + self.bits(zeros)?)
    }

    /// A signed Exp-Golomb code.
    pub(crate) fn se(&mut self) -> Option<i32> {
        let code = self.ue()?;
        let magnitude = i32::try_from(code / 2).expect("half of a u32 fits an i32");
        Some(if code % 2 == 1 {
            magnitude.saturating_add(1)
        } else {
            -magnitude
        })
    }

    /// Steps over `count` Exp-Golomb codes.
    pub(crate) fn skip_ue(&mut self, count: u32) -> Option<()> {
        (0..count).try_for_each(|_| self.ue().map(drop))
    }

    fn refill(&mut self) -> Option<()> {
        if self.escaped && self.zeros == 2 && self.rest.first() == Some(&3) {
            self.rest = &self.rest[1..];
            self.zeros = 0;
        }
        let (&byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        self.zeros = if byte == 0 {
            (self.zeros + 1).min(2)
        } else {
            0
        };
        self.current = byte;
        self.left = 8;
        Some(())
    }
}

/// Writes what [`Bits`] reads.
#[derive(Debug, Clone, Default)]
pub(crate) struct Written {
    bytes: Vec<u8>,
    free: u32,
}

impl Written {
    /// Fields of (bits, value), one after the other.
    pub(crate) fn fields(mut self, fields: &[(u32, u32)]) -> Self {
        for &(count, value) in fields {
            for bit in (0..count).rev() {
                if self.free == 0 {
                    self.bytes.push(0);
                    self.free = 8;
                }
                self.free -= 1;
                let bit = u8::from(value >> bit & 1 == 1);
                *self.bytes.last_mut().expect("a byte was pushed") |= bit << self.free;
            }
        }
        self
    }

    /// The bytes, the last filled up with zero bits.
    pub(crate) fn bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Unsigned Exp-Golomb codes.
    pub(crate) fn ue(mut self, values: &[u32]) -> Self {
        for value in values {
            let bits = (value + 1).ilog2();
            self = self.fields(&[(bits, 0), (bits + 1, value + 1)]);
        }
        self
    }

    /// Filled up to a whole byte with zero bits.
    pub(crate) fn aligned(mut self) -> Self {
        self.free = 0;
        self
    }

    /// The bytes of a NAL unit: with its stop bit and emulation prevention.
    pub(crate) fn nal(self) -> Vec<u8> {
        self.fields(&[(1, 1)]).escaped()
    }

    /// The bytes with emulation prevention; the stop bit is among them.
    pub(crate) fn escaped(self) -> Vec<u8> {
        let mut escaped = Vec::new();
        for byte in self.bytes {
            if byte <= 3 && escaped.ends_with(&[0, 0]) {
                escaped.push(3);
            }
            escaped.push(byte);
        }
        escaped
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_the_codes_of_the_standards_table() {
        // 1 010 011 00100 00101 00110 00111 0001000: the codes for 0 to 7 (H.264 table 9-2).
        let mut bits = Bits::plain(&[0b1010_0110, 0b0100_0010, 0b1001_1000, 0b1110_0010, 0]);
        let codes: Vec<_> = (0..8).map(|_| bits.ue()).collect();
        assert_eq!(codes, (0..8).map(Some).collect::<Vec<_>>());

        let mut bits = Bits::plain(&[0b1010_0110, 0b0100_0010, 0b1001_1000, 0b1110_0010, 0]);
        let codes: Vec<_> = (0..5).map(|_| bits.se()).collect();
        assert_eq!(codes, [Some(0), Some(1), Some(-1), Some(2), Some(-2)]);
    }

    #[test]
    fn steps_over_emulation_prevention() {
        let escaped = [0, 0, 3, 1, 0, 0, 3, 0, 0, 3, 3, 0, 3];
        let read = |mut bits: Bits<'_>| std::iter::from_fn(|| bits.byte()).collect::<Vec<_>>();
        assert_eq!(
            read(Bits::escaped(&escaped)),
            [0, 0, 1, 0, 0, 0, 0, 3, 0, 3]
        );
        assert_eq!(read(Bits::plain(&escaped)), escaped);
    }

    #[test]
    fn a_code_too_long_for_any_field_saturates() {
        let mut bits = Bits::plain(&[0, 0, 0, 0, 0xff]);
        assert_eq!(bits.ue(), Some(u32::MAX));
        assert_eq!(bits.ue(), Some(0), "32 zeros are taken, the rest is left");
        assert_eq!(Bits::plain(&[0, 0]).ue(), None);
    }

    proptest! {
        #[test]
        fn codes_are_read_as_written(values in prop::collection::vec(0u32..1 << 20, 0..40)) {
            let nal = Written::default().ue(&values).nal();
            prop_assert!(!nal.windows(3).any(|window| window[..2] == [0, 0] && window[2] < 3));
            let mut bits = Bits::escaped(&nal);
            for value in values {
                prop_assert_eq!(bits.ue(), Some(value));
            }
        }

        #[test]
        fn any_split_into_fields_reads_the_same_number(
            bytes in prop::array::uniform4(any::<u8>()),
            first in 0u32..=32,
        ) {
            let mut bits = Bits::plain(&bytes);
            let high = u64::from(bits.bits(first).unwrap());
            let low = u64::from(bits.bits(32 - first).unwrap());
            prop_assert_eq!(high << (32 - first) | low, u64::from(u32::from_be_bytes(bytes)));
            prop_assert_eq!(bits.bits(1), None);
        }
    }
}
