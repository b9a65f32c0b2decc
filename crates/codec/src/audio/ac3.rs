//! AC-3 and E-AC-3: the sync frame (A/52 5.3, Annex E 1.2).
//!
//! Both begin with the same sync word and have bsid at the same place, which tells them apart.

use crate::Codec;
use crate::audio::{AudioFormat, Frame, frames};
use crate::bits::Bits;

/// The header of a sync frame at the start of `bytes`.
pub(super) fn header(bytes: &[u8]) -> Option<Frame> {
    let &[sync, word, _, _, _, stream, _, _] = bytes.first_chunk()?;
    if (sync, word) != (0x0b, 0x77) {
        return None;
    }
    match stream >> 3 {
        bsid @ 0..=10 => ac3(bytes, bsid),
        11..=16 => eac3(bytes),
        _ => None,
    }
}

/// The format of the first frame.
pub(super) fn format(codec: Codec, payload: &[u8]) -> Option<AudioFormat> {
    let (frame, _) = frames(payload, header).next()?;
    let codec_string = match codec {
        Codec::Eac3 => "ec-3",
        _ => "ac-3",
    };
    Some(AudioFormat {
        codec,
        codec_string: codec_string.to_owned(),
        channels: frame.channels,
        sample_rate: frame.sample_rate,
    })
}

fn ac3(bytes: &[u8], bsid: u8) -> Option<Frame> {
    let mut bits = Bits::plain(&bytes[4..]);
    let rate = bits.bits(2)? as usize;
    let size = bits.bits(6)?;
    let _bsid_and_mode = bits.bits(5 + 3)?;
    let layout = bits.bits(3)?;
    if layout & 1 != 0 && layout != 1 {
        let _centre_mix = bits.bits(2)?;
    }
    if layout & 4 != 0 {
        let _surround_mix = bits.bits(2)?;
    }
    if layout == 2 {
        let _surround_mode = bits.bits(2)?;
    }
    let low_frequency = bits.flag()?;
    let sample_rate = *SAMPLE_RATES.get(rate)?;
    let kilobits = *KILOBITS.get(size as usize / 2)?;
    // Words of 16 bits; at 44.1 kHz every other size has one more (table 5.18).
    let words = kilobits * 96_000 / sample_rate + if rate == 1 { size & 1 } else { 0 };
    Some(Frame {
        length: 2 * words as usize,
        samples: 6 * BLOCK_SAMPLES,
        // bsid 9 and 10 are A/52's half and quarter rates.
        sample_rate: sample_rate >> bsid.saturating_sub(8),
        channels: channels(layout, low_frequency),
    })
}

fn eac3(bytes: &[u8]) -> Option<Frame> {
    const DEPENDENT: u32 = 1;
    let mut bits = Bits::plain(&bytes[2..]);
    let kind = bits.bits(2)?;
    let substream = bits.bits(3)?;
    let length = 2 * (bits.bits(11)? as usize + 1);
    let (sample_rate, blocks) = match bits.bits(2)? as usize {
        3 => (SAMPLE_RATES.get(bits.bits(2)? as usize)? / 2, 6),
        rate => (SAMPLE_RATES[rate], [1, 2, 3, 6][bits.bits(2)? as usize]),
    };
    let layout = bits.bits(3)?;
    let low_frequency = bits.flag()?;
    // Further substreams sound at the same time as the first.
    let is_first = kind != DEPENDENT && substream == 0;
    Some(Frame {
        length,
        samples: if is_first { blocks * BLOCK_SAMPLES } else { 0 },
        sample_rate,
        channels: channels(layout, low_frequency),
    })
}

/// Channels for acmod (table 5.8).
fn channels(layout: u32, low_frequency: bool) -> u8 {
    [2, 1, 2, 3, 3, 4, 4, 5][layout as usize] + u8::from(low_frequency)
}

const BLOCK_SAMPLES: u32 = 256;

const SAMPLE_RATES: [u32; 3] = [48_000, 44_100, 32_000];

/// Bit rates for pairs of frmsizecod (table 5.18).
const KILOBITS: [u32; 19] = [
    32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640,
];
