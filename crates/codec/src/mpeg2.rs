//! MPEG-2 video, and MPEG-1 video, which has the same start codes without extensions.
//!
//! A picture that can be entered comes as (13818-2 6.2.2) an optional sequence header with its
//! extensions, an optional group of pictures header, and the picture header.

use crate::bits::Bits;
use crate::format::{Colour, VideoFormat, rate};
use crate::parameter_sets::{Key, Kind};
use crate::picture::{Access, Picture};
use crate::start_code::units;
use crate::stream::Codec;

/// The picture that `head` reaches, if it does.
pub(crate) fn picture(head: &[u8]) -> Option<Picture> {
    let mut insert_at = None;
    let mut has_sequence = false;
    let mut closed_group = false;
    for unit in units(head) {
        let (&code, content) = unit.rest().split_first()?;
        let insert_at = *insert_at.get_or_insert(unit.prefix());
        let mut bits = Bits::plain(content);
        match code {
            SEQUENCE => has_sequence = true,
            GROUP => {
                let _time_code = bits.bits(25)?;
                closed_group = bits.flag()?;
            }
            PICTURE => {
                let _temporal_reference = bits.bits(10)?;
                let intra = bits.bits(3)? == INTRA;
                return Some(Picture {
                    access: match (intra, closed_group) {
                        (true, true) => Access::Closed,
                        (true, false) => Access::Open,
                        (false, _) => Access::None,
                    },
                    has_parameter_sets: has_sequence,
                    intra,
                    insert_at,
                });
            }
            _ => {}
        }
    }
    None
}

/// The sequence headers in front of the first picture, each with the extensions and user data that
/// follow it.
pub(crate) fn sequence_headers(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    units(head)
        .map_while(|unit| {
            let &code = unit.rest().first()?;
            (code != PICTURE).then_some((code, unit.rest()))
        })
        .filter(|(code, _)| *code == SEQUENCE)
        .filter_map(|(_, content)| {
            let is_part = |code: &u8| matches!(*code, EXTENSION | USER_DATA);
            let next = units(content).find(|unit| !unit.rest().first().is_some_and(is_part))?;
            next.rest().first()?;
            Some(&content[..next.prefix()])
        })
}

/// What a sequence header is known by; `None` for one that cannot be read.
pub(crate) fn key(header: &[u8]) -> Option<Key> {
    let _readable = Sequence::parse(header)?;
    Key::new(Kind::Sequence, 0, 1)
}

/// The format that a sequence header with its extensions describes.
pub(crate) fn video_format(header: &[u8]) -> Option<VideoFormat> {
    let sequence = Sequence::parse(header)?;
    Some(VideoFormat {
        codec: Codec::Mpeg2Video,
        codec_string: format!("mp4v.{:02X}", sequence.object_type),
        width: sequence.width,
        height: sequence.height,
        frame_rate: sequence.frame_rate,
        bit_depth: 8,
        colour: sequence.colour,
        sample_aspect: None,
    })
}

// Start code values (13818-2 table 6-1).
const PICTURE: u8 = 0x00;
const USER_DATA: u8 = 0xb2;
const SEQUENCE: u8 = 0xb3;
const EXTENSION: u8 = 0xb5;
const GROUP: u8 = 0xb8;

/// picture_coding_type of an I picture (table 6-12).
const INTRA: u32 = 1;

/// A sequence header and what its extensions add.
struct Sequence {
    width: u32,
    height: u32,
    frame_rate: Option<(u32, u32)>,
    /// The object type that MPEG-4 systems give the profile (ISO/IEC 14496-1 table 5).
    object_type: u8,
    colour: Option<Colour>,
}

impl Sequence {
    fn parse(header: &[u8]) -> Option<Self> {
        let mut bits = Bits::plain(header.get(1..)?);
        let (width, height) = (bits.bits(12)?, bits.bits(12)?);
        let _aspect_ratio = bits.bits(4)?;
        let rate_code = bits.bits(4)?;
        let (numerator, denominator) = *FRAME_RATES.get(rate_code.checked_sub(1)? as usize)?;
        let mut sequence = Self {
            width,
            height,
            frame_rate: rate(numerator, denominator),
            object_type: OBJECT_MPEG1,
            colour: None,
        };
        for unit in units(header) {
            if let Some((&EXTENSION, content)) = unit.rest().split_first() {
                sequence.extend(&mut Bits::plain(content), (numerator, denominator));
            }
        }
        (sequence.width > 0 && sequence.height > 0).then_some(sequence)
    }

    fn extend(&mut self, bits: &mut Bits<'_>, base: (u64, u64)) -> Option<()> {
        match bits.bits(4)? {
            SEQUENCE_EXTENSION => {
                let profile_and_level = bits.byte()?;
                let _progressive = bits.flag()?;
                let _chroma_format = bits.bits(2)?;
                let (width, height) = (bits.bits(2)?, bits.bits(2)?);
                let _bit_rate = bits.bits(12)?;
                let _marker = bits.flag()?;
                let _buffer_size = bits.byte()?;
                let _low_delay = bits.flag()?;
                let (numerator, denominator) = (bits.bits(2)?, bits.bits(5)?);
                self.width |= width << 12;
                self.height |= height << 12;
                self.frame_rate = rate(
                    base.0 * u64::from(numerator + 1),
                    base.1 * u64::from(denominator + 1),
                );
                self.object_type = object_type(profile_and_level);
            }
            SEQUENCE_DISPLAY_EXTENSION => {
                let _video_format = bits.bits(3)?;
                if bits.flag()? {
                    self.colour = Some(Colour {
                        primaries: bits.byte()?,
                        transfer: bits.byte()?,
                        matrix: bits.byte()?,
                        full_range: false,
                    });
                }
            }
            _ => {}
        }
        Some(())
    }
}

/// The object type of a profile (13818-2 table 8-2).
fn object_type(profile_and_level: u8) -> u8 {
    const ESCAPED: u8 = 0x80;
    if profile_and_level & ESCAPED != 0 {
        return OBJECT_422;
    }
    match profile_and_level >> 4 {
        1 => OBJECT_HIGH,
        2 => OBJECT_SPATIAL,
        3 => OBJECT_SNR,
        5 => OBJECT_SIMPLE,
        _ => OBJECT_MAIN,
    }
}

const OBJECT_SIMPLE: u8 = 0x60;
const OBJECT_MAIN: u8 = 0x61;
const OBJECT_SNR: u8 = 0x62;
const OBJECT_SPATIAL: u8 = 0x63;
const OBJECT_HIGH: u8 = 0x64;
const OBJECT_422: u8 = 0x65;
const OBJECT_MPEG1: u8 = 0x6a;

// extension_start_code_identifier (table 6-2).
const SEQUENCE_EXTENSION: u32 = 1;
const SEQUENCE_DISPLAY_EXTENSION: u32 = 2;

/// Frames per second for frame_rate_code 1 and on (table 6-4).
const FRAME_RATES: [(u64, u64); 8] = [
    (24_000, 1001),
    (24, 1),
    (25, 1),
    (30_000, 1001),
    (30, 1),
    (50, 1),
    (60_000, 1001),
    (60, 1),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bits::Written;

    #[test]
    fn extensions_complete_size_and_rate() {
        let header = Written::default()
            .fields(&[(8, 0xb3), (12, 1920), (12, 1080), (4, 3), (4, 3)])
            .fields(&[(32, 0)]);
        // High profile, 1 and 2 to be put in front of the size, 25 * 3 / 2 frames per second.
        let extension = Written::default()
            .fields(&[(8, 0xb5), (4, 1), (8, 0x14), (1, 1), (2, 1), (2, 1), (2, 2)])
            .fields(&[(12, 0), (1, 1), (8, 0), (1, 0), (2, 2), (5, 1)]);
        let header = [&header.bytes()[..], &[0, 0, 1], &extension.bytes()].concat();
        let format = video_format(&header).unwrap();
        assert_eq!((format.width, format.height), (4096 + 1920, 8192 + 1080));
        assert_eq!(format.frame_rate, Some((75, 2)));
        assert_eq!(format.codec_string, "mp4v.64");
    }

    #[test]
    fn headers_without_size_or_rate_are_not_kept() {
        let header = |width, rate| {
            let fields = [
                (8, 0xb3),
                (12, width),
                (12, 1080),
                (4, 3),
                (4, rate),
                (32, 0),
            ];
            key(&Written::default().fields(&fields).bytes())
        };
        assert!(header(1920, 8).is_some());
        assert!(header(0, 8).is_none());
        assert!(header(1920, 0).is_none());
        assert!(header(1920, 9).is_none());
    }

    #[test]
    fn object_types_follow_the_profile() {
        let of = |profile: u8| object_type(profile << 4 | 8);
        assert_eq!([1, 2, 3, 4, 5].map(of), [0x64, 0x63, 0x62, 0x61, 0x60]);
        assert_eq!(object_type(0x85), 0x65);
    }
}
