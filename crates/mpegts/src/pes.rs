//! The head of a PES packet: whose it is, and when its content is shown (13818-1, 2.4.3.6).

use std::{error, fmt};

/// Bytes up to and including PES_packet_length.
const FIXED_LEN: usize = 6;

/// Bytes up to and including PES_header_data_length.
const OPTIONAL_LEN: usize = 9;

/// What the header of a PES packet says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PesHeader {
    /// Kind and number of the stream, such as 0xe0 for the first video.
    pub stream_id: u8,
    /// Bytes that follow the length field; 0 when the packet ends where the next one starts.
    pub packet_len: u16,
    /// When the first unit is shown: 33 bits at 90 kHz.
    pub pts: Option<u64>,
    /// When it is decoded, if this differs from `pts`: 33 bits at 90 kHz.
    pub dts: Option<u64>,
    /// Bytes from the start of the PES packet to its payload.
    pub header_len: usize,
    /// The payload begins with the start of a unit.
    pub data_alignment: bool,
}

/// Why bytes are not the head of a PES packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PesError {
    /// The bytes end before the timestamps do.
    Truncated,
    /// The bytes do not begin as a PES packet does.
    NotPes,
}

impl PesHeader {
    /// Reads the header at the start of `bytes`, of which nothing after the timestamps is needed.
    ///
    /// A timestamp whose marker bits are wrong is damaged, and left out.
    pub fn parse(bytes: &[u8]) -> Result<Self, PesError> {
        let Some(&fixed) = bytes.first_chunk::<FIXED_LEN>() else {
            let known = bytes.len().min(3);
            return Err(if bytes[..known] == [0, 0, 1][..known] {
                PesError::Truncated
            } else {
                PesError::NotPes
            });
        };
        let [0, 0, 1, stream_id, len_high, len_low] = fixed else {
            return Err(PesError::NotPes);
        };
        let mut header = Self {
            stream_id,
            packet_len: u16::from_be_bytes([len_high, len_low]),
            pts: None,
            dts: None,
            header_len: FIXED_LEN,
            data_alignment: false,
        };
        if has_optional_header(stream_id) {
            header.read_optional(bytes)?;
        }
        Ok(header)
    }

    fn read_optional(&mut self, bytes: &[u8]) -> Result<(), PesError> {
        let Some(&[.., flags, contents, data_len]) = bytes.first_chunk::<OPTIONAL_LEN>() else {
            return Err(PesError::Truncated);
        };
        if flags & 0xc0 != 0x80 {
            return Err(PesError::NotPes);
        }
        self.data_alignment = flags & 0x04 != 0;
        self.header_len = OPTIONAL_LEN + usize::from(data_len);
        let stamps = match contents >> 6 {
            0b10 => 1,
            0b11 => 2,
            _ => 0,
        };
        // A header too short for the timestamps it announces has none.
        if stamps * TIMESTAMP_LEN > usize::from(data_len) {
            return Ok(());
        }
        let data = bytes
            .get(OPTIONAL_LEN..OPTIONAL_LEN + stamps * TIMESTAMP_LEN)
            .ok_or(PesError::Truncated)?;
        let mut stamps = data.as_chunks().0.iter().map(|&b| decode_timestamp(b));
        self.pts = stamps.next().flatten();
        self.dts = stamps.next().flatten();
        Ok(())
    }
}

impl fmt::Display for PesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Truncated => "the bytes end within a PES header",
            Self::NotPes => "the bytes do not begin with a PES header",
        })
    }
}

impl error::Error for PesError {}

/// Bytes of a PTS or DTS: four bits that tell which it is, and 33 in three parts, each of which
/// ends with a marker bit.
pub(crate) const TIMESTAMP_LEN: usize = 5;

const MARKERS: [u8; TIMESTAMP_LEN] = [0x01, 0x00, 0x01, 0x00, 0x01];

/// The raw timestamp in `bytes`, if its marker bits are right.
pub(crate) fn decode_timestamp(bytes: [u8; TIMESTAMP_LEN]) -> Option<u64> {
    if bytes[0] & bytes[2] & bytes[4] & 1 == 0 {
        return None;
    }
    let [b0, b1, b2, b3, b4] = bytes.map(u64::from);
    Some((b0 & 0x0e) << 29 | b1 << 22 | (b2 & 0xfe) << 14 | b3 << 7 | b4 >> 1)
}

/// The bytes of a raw timestamp; `kind` is 2 for a lone PTS, 3 for a PTS before a DTS, 1 for a DTS.
pub(crate) fn encode_timestamp(kind: u8, raw: u64) -> [u8; TIMESTAMP_LEN] {
    let bits = [
        (raw >> 29) as u8 & 0x0e,
        (raw >> 22) as u8,
        (raw >> 14) as u8 & 0xfe,
        (raw >> 7) as u8,
        (raw << 1) as u8,
    ];
    let mut bytes = [0; TIMESTAMP_LEN];
    for ((byte, bits), marker) in bytes.iter_mut().zip(bits).zip(MARKERS) {
        *byte = bits | marker;
    }
    bytes[0] |= kind << 4;
    bytes
}

/// Streams that carry no time (tables 2-21 and 2-22): program map, padding, private_stream_2, ECM,
/// EMM, DSM-CC, H.222.1 type E, and the program stream directory.
fn has_optional_header(stream_id: u8) -> bool {
    !matches!(
        stream_id,
        0xbc | 0xbe | 0xbf | 0xf0 | 0xf1 | 0xf2 | 0xf8 | 0xff
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::PTS_WRAP;

    /// The head of a video PES packet with these flag bytes and this data.
    fn pes(flags: [u8; 2], data: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0, 0, 1, 0xe0, 0, 0, flags[0], flags[1], data.len() as u8];
        bytes.extend_from_slice(data);
        bytes
    }

    #[test]
    fn a_header_as_libavformat_writes_it_is_read() {
        // First picture of a file: PTS 1.48 s, DTS 1.4 s, length open.
        let bytes = [
            0x00, 0x00, 0x01, 0xe0, 0x00, 0x00, 0x80, 0xc0, 0x0a, 0x31, 0x00, 0x09, 0x10, 0xa1,
            0x11, 0x00, 0x07, 0xd8, 0x61, 0x00, 0x00, 0x00, 0x01,
        ];
        let header = PesHeader {
            stream_id: 0xe0,
            packet_len: 0,
            pts: Some(133_200),
            dts: Some(126_000),
            header_len: 19,
            data_alignment: false,
        };
        assert_eq!(PesHeader::parse(&bytes), Ok(header));
    }

    #[test]
    fn timestamps_are_laid_out_as_in_the_standard() {
        assert_eq!(encode_timestamp(2, 0), [0x21, 0, 1, 0, 1]);
        assert_eq!(
            encode_timestamp(3, PTS_WRAP - 1),
            [0x3f, 0xff, 0xff, 0xff, 0xff]
        );
        assert_eq!(encode_timestamp(1, 1 << 30), [0x13, 0, 1, 0, 1]);
        assert_eq!(encode_timestamp(1, 1 << 15), [0x11, 0, 3, 0, 1]);
    }

    #[test]
    fn a_header_without_timestamps_has_none() {
        let header = PesHeader::parse(&pes([0x84, 0x00], &[0xff; 3])).expect("it is whole");
        assert_eq!(
            (header.pts, header.dts, header.header_len),
            (None, None, 12)
        );
        assert!(header.data_alignment);
        // DTS alone is forbidden.
        let header = PesHeader::parse(&pes([0x80, 0x40], &[0x11, 0, 1, 0, 1])).expect("tolerated");
        assert_eq!((header.pts, header.dts), (None, None));
    }

    #[test]
    fn a_damaged_timestamp_is_left_out() {
        for marker in [0, 2, 4] {
            let mut pts = encode_timestamp(3, 1000);
            pts[marker] &= !1;
            let data = [pts, encode_timestamp(1, 500)].concat();
            let header = PesHeader::parse(&pes([0x80, 0xc0], &data)).expect("the rest is fine");
            assert_eq!((header.pts, header.dts), (None, Some(500)), "byte {marker}");
        }
        let short = PesHeader::parse(&pes([0x80, 0xc0], &encode_timestamp(3, 1000)));
        assert_eq!(short.map(|header| header.pts), Ok(None), "no room for both");
    }

    #[test]
    fn a_header_is_needed_up_to_its_timestamps() {
        let mut data = [encode_timestamp(3, 9), encode_timestamp(1, 8)].concat();
        data.extend([0xff; 20]);
        let bytes = pes([0x80, 0xc0], &data);
        for len in 0..19 {
            assert_eq!(
                PesHeader::parse(&bytes[..len]),
                Err(PesError::Truncated),
                "{len} bytes"
            );
        }
        let header = PesHeader::parse(&bytes[..19]).expect("stuffing may be elsewhere");
        assert_eq!((header.dts, header.header_len), (Some(8), 39));
    }

    #[test]
    fn streams_without_time_have_the_short_header() {
        for stream_id in [0xbc, 0xbe, 0xbf, 0xf0, 0xf1, 0xf2, 0xf8, 0xff] {
            let header = PesHeader::parse(&[0, 0, 1, stream_id, 0x12, 0x34]).expect("it is whole");
            assert_eq!((header.header_len, header.packet_len), (6, 0x1234));
            assert_eq!((header.pts, header.dts), (None, None));
        }
        assert_eq!(
            PesHeader::parse(&[0, 0, 1, 0xbd, 0, 0]),
            Err(PesError::Truncated)
        );
    }

    #[test]
    fn what_begins_otherwise_is_no_pes() {
        assert_eq!(PesHeader::parse(&[0, 0, 2]), Err(PesError::NotPes));
        assert_eq!(PesHeader::parse(&[0, 1]), Err(PesError::NotPes));
        assert_eq!(
            PesHeader::parse(&[0, 0, 0, 1, 0x65, 0, 0, 0, 0]),
            Err(PesError::NotPes)
        );
        assert_eq!(
            PesHeader::parse(&pes([0x40, 0x80], &[0x21, 0, 1, 0, 1])),
            Err(PesError::NotPes)
        );
    }

    proptest! {
        #[test]
        fn timestamps_come_back(raw in 0..PTS_WRAP, kind in 1_u8..=3) {
            prop_assert_eq!(decode_timestamp(encode_timestamp(kind, raw)), Some(raw));
        }

        #[test]
        fn no_bytes_upset_the_parser(
            start in prop_oneof![Just(vec![]), Just(vec![0, 0, 1]), Just(vec![0, 0, 1, 0xe0, 0, 0, 0x80])],
            rest in prop::collection::vec(any::<u8>(), 0..40),
        ) {
            let bytes = [start, rest].concat();
            if let Ok(header) = PesHeader::parse(&bytes) {
                prop_assert!(header.pts.is_none_or(|pts| pts < PTS_WRAP));
                prop_assert!(header.dts.is_none_or(|dts| dts < PTS_WRAP));
            }
        }
    }
}
