//! Writing bit fields, most significant bit first: fixed width fields for both codecs, and the
//! Exp-Golomb codes of H.264 (ITU-T H.264, 9.1).

/// Collects bits into bytes.
#[derive(Default)]
pub(crate) struct BitWriter {
    bytes: Vec<u8>,
    /// The bits that do not fill a byte yet, in the low end.
    partial: u64,
    partial_len: u32,
}

impl BitWriter {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// The low `count` bits of `value`; the bits above them must be zero.
    pub(crate) fn bits(&mut self, value: u32, count: u32) {
        debug_assert!(count <= 32 && u64::from(value) < 1 << count);
        self.partial = self.partial << count | u64::from(value);
        self.partial_len += count;
        while self.partial_len >= 8 {
            self.partial_len -= 8;
            self.bytes.push((self.partial >> self.partial_len) as u8);
        }
        self.partial &= (1 << self.partial_len) - 1;
    }

    pub(crate) fn flag(&mut self, value: bool) {
        self.bits(u32::from(value), 1);
    }

    /// ue(v): as many zeros as there are bits after the leading one of `value + 1`, then that number.
    pub(crate) fn ue(&mut self, value: u32) {
        let coded = u64::from(value) + 1;
        let len = coded.ilog2();
        self.bits(0, len);
        self.flag(true);
        self.bits((coded - (1 << len)) as u32, len);
    }

    /// se(v): 0, 1, -1, 2, -2, ... in the order of ue(v).
    pub(crate) fn se(&mut self, value: i32) {
        let twice = value.unsigned_abs() * 2;
        self.ue(if value > 0 { twice - 1 } else { twice });
    }

    /// Fills the last byte with zeros.
    pub(crate) fn align(&mut self) {
        self.bits(0, (8 - self.partial_len) % 8);
    }

    /// Whole bytes, which start on a byte boundary.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        debug_assert_eq!(self.partial_len, 0);
        self.bytes.extend_from_slice(bytes);
    }

    /// How many bits were written so far.
    #[cfg(test)]
    pub(crate) fn bit_len(&self) -> usize {
        self.bytes.len() * 8 + self.partial_len as usize
    }

    /// The bytes, the last one filled with zeros.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.align();
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The bits as the standard's own parsing process reads them.
    struct BitReader(Vec<bool>, usize);

    impl BitReader {
        fn new(bytes: &[u8]) -> Self {
            let bit = |i: usize| bytes[i / 8] >> (7 - i % 8) & 1 == 1;
            Self((0..bytes.len() * 8).map(bit).collect(), 0)
        }

        fn bits(&mut self, count: u32) -> u64 {
            (0..count).fold(0, |value, _| {
                self.1 += 1;
                value << 1 | u64::from(self.0[self.1 - 1])
            })
        }

        fn ue(&mut self) -> u64 {
            let mut zeros = 0;
            while self.bits(1) == 0 {
                zeros += 1;
            }
            (1 << zeros) - 1 + self.bits(zeros)
        }

        fn se(&mut self) -> i64 {
            let coded = self.ue();
            let magnitude = coded.div_ceil(2) as i64;
            if coded % 2 == 1 {
                magnitude
            } else {
                -magnitude
            }
        }
    }

    #[derive(Debug, Clone)]
    enum Field {
        Bits(u32, u32),
        Ue(u32),
        Se(i32),
        Align,
    }

    fn field() -> impl Strategy<Value = Field> {
        prop_oneof![
            (any::<u32>(), 1u32..=32)
                .prop_map(|(v, n)| Field::Bits((u64::from(v) % (1 << n)) as u32, n)),
            (any::<u32>(), 0u32..32).prop_map(|(v, s)| Field::Ue(v >> s)),
            (-i32::MAX..=i32::MAX, 0u32..31).prop_map(|(v, s)| Field::Se(v >> s)),
            Just(Field::Align),
        ]
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(fields in prop::collection::vec(field(), 0..60)) {
            let mut writer = BitWriter::new();
            for field in &fields {
                match *field {
                    Field::Bits(value, count) => writer.bits(value, count),
                    Field::Ue(value) => writer.ue(value),
                    Field::Se(value) => writer.se(value),
                    Field::Align => writer.align(),
                }
            }
            let bit_len = writer.bit_len();
            let bytes = writer.finish();
            prop_assert_eq!(bytes.len(), bit_len.div_ceil(8));

            let mut reader = BitReader::new(&bytes);
            for field in fields {
                match field {
                    Field::Bits(value, count) => prop_assert_eq!(reader.bits(count), u64::from(value)),
                    Field::Ue(value) => prop_assert_eq!(reader.ue(), u64::from(value)),
                    Field::Se(value) => prop_assert_eq!(reader.se(), i64::from(value)),
                    Field::Align => while !reader.1.is_multiple_of(8) {
                        prop_assert_eq!(reader.bits(1), 0);
                    },
                }
            }
            prop_assert_eq!(reader.1, bit_len);
        }
    }

    #[test]
    fn codes_are_those_of_the_standard() {
        // H.264 table 9-2: 0 -> 1, 1 -> 010, 2 -> 011, 3 -> 00100; table 9-3: se 1 -> 1, -1 -> 2.
        let mut writer = BitWriter::new();
        (0..4).for_each(|value| writer.ue(value));
        writer.se(1);
        writer.se(-1);
        assert_eq!(writer.finish(), [0b1010_0110, 0b0100_0100, 0b1100_0000]);
    }
}
