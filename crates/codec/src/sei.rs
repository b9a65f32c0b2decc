//! Supplemental enhancement information: the list of messages that H.264 (7.3.2.3) and HEVC
//! (7.3.2.4) write alike.

use crate::bits::Bits;

/// The payload of the first recovery point message (H.264 D.1.8, H.265 D.2.8) in an SEI unit, from
/// the unit's content behind its NAL header.
pub(crate) fn recovery_point(content: &[u8]) -> Option<Bits<'_>> {
    let mut bits = Bits::escaped(content);
    loop {
        let kind = number(&mut bits)?;
        let size = number(&mut bits)?;
        if kind == RECOVERY_POINT {
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
    fn messages_that_overrun_hold_nothing() {
        assert!(recovery_point(&[5, 4, 6, 1, 0x80]).is_none());
        assert!(recovery_point(&[0xff; 40]).is_none());
        assert!(recovery_point(&[0x80]).is_none());
    }
}
