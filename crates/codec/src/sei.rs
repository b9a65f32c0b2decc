//! Supplemental enhancement information: the list of messages that H.264 (7.3.2.3) and HEVC
//! (7.3.2.4) write alike.

use crate::bits::Bits;

use crate::Codec;
use crate::start_code::units;

/// How the pictures were mastered, in the words of HDR10.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Hdr {
    /// The mastering display's colour volume (H.265 D.2.28): primaries and white point, then the
    /// most and the least luminance.
    pub mastering: Option<[u8; 24]>,
    /// The content's light level (H.265 D.2.35): the most, and the most on average.
    pub light: Option<[u8; 4]>,
}

/// What the SEI in front of a picture says of HDR; `head` is the begin of its access unit.
#[must_use]
pub fn hdr(codec: Codec, head: &[u8]) -> Hdr {
    const MASTERING: u32 = 137;
    const LIGHT: u32 = 144;
    let mut hdr = Hdr::default();
    for unit in units(head).filter_map(|unit| unit.whole()) {
        let content = match (codec, unit) {
            (Codec::H264, [6, content @ ..]) => content,
            (Codec::Hevc, [header, _, content @ ..]) if header >> 1 == 39 => content,
            _ => continue,
        };
        hdr.mastering = hdr
            .mastering
            .or_else(|| bytes(message(content, MASTERING)?));
        hdr.light = hdr.light.or_else(|| bytes(message(content, LIGHT)?));
    }
    hdr
}

fn bytes<const N: usize>(mut payload: Bits<'_>) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    for byte in &mut bytes {
        *byte = payload.byte()?;
    }
    Some(bytes)
}

/// The payload of the first recovery point message (H.264 D.1.8, H.265 D.2.8) in an SEI unit, from
/// the unit's content behind its NAL header.
pub(crate) fn recovery_point(content: &[u8]) -> Option<Bits<'_>> {
    message(content, RECOVERY_POINT)
}

/// The payload of the first message of a type.
fn message(content: &[u8], wanted: u32) -> Option<Bits<'_>> {
    let mut bits = Bits::escaped(content);
    loop {
        let kind = number(&mut bits)?;
        let size = number(&mut bits)?;
        if kind == wanted {
            return Some(bits);
        }
        bits.skip(size.checked_mul(8)?)?;
    }
}

const RECOVERY_POINT: u32 = 6;

/// A message's type or size: bytes of 0xff add up with the first other one.
fn number(bits: &mut Bits<'_>) -> Option<u32> {
    let mut sum = 0u32;
    loop {
        let byte = bits.byte()?;
        sum = sum.checked_add(byte.into())?;
        if byte != 0xff {
            return Some(sum);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_is_found_behind_longer_ones() {
        let mut content = vec![5, 0xff, 1];
        content.extend([7; 256]);
        content.extend([6, 1, 0b0110_0000, 0x80]);
        let mut payload = recovery_point(&content).unwrap();
        assert_eq!(payload.ue(), Some(2));
    }

    #[test]
    fn hdr_is_found_in_either_codec() {
        let message = [144, 4, 0x03, 0xe8, 0x01, 0x90, 0x80];
        let light = Some([0x03, 0xe8, 0x01, 0x90]);
        let hevc = [&[0, 0, 1, 39 << 1, 1][..], &message, &[0, 0, 1, 38]].concat();
        assert_eq!(
            hdr(Codec::Hevc, &hevc),
            Hdr {
                mastering: None,
                light
            }
        );
        let mastering: [u8; 24] = std::array::from_fn(|n| n as u8 + 4);
        let h264 = [
            &[0, 0, 1, 6, 137, 24][..],
            &mastering,
            &message,
            &[0, 0, 1, 9],
        ]
        .concat();
        let mastering = Some(mastering);
        assert_eq!(hdr(Codec::H264, &h264), Hdr { mastering, light });
        assert_eq!(hdr(Codec::Hevc, &h264), Hdr::default());
    }

    #[test]
    fn messages_that_overrun_hold_nothing() {
        assert!(recovery_point(&[5, 4, 6, 1, 0x80]).is_none());
        assert!(recovery_point(&[0xff; 40]).is_none());
        assert!(recovery_point(&[0x80]).is_none());
    }
}
