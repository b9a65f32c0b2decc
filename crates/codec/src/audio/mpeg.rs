//! MPEG audio: the frame header (11172-3 2.4.1.3), with the lower rates of 13818-3 and of the
//! "2.5" extension that is in use for layer III.

use crate::Codec;
use crate::audio::{AudioFormat, Frame, frames};

/// The header of a frame at the start of `bytes`; a frame of free format does not tell its length.
pub(super) fn header(bytes: &[u8]) -> Option<(usize, Frame)> {
    let &[sync, kind, rates, mode] = bytes.first_chunk()?;
    if sync != 0xff || kind & 0xe0 != 0xe0 {
        return None;
    }
    let version = Version::of(kind)?;
    let layer = 4 - (kind >> 1 & 3);
    let full_rate = version == Version::One;
    let kilobits = match (full_rate, layer) {
        (true, 1) => KILOBITS_1,
        (true, 2) => KILOBITS_2,
        (true, 3) => KILOBITS_3,
        (false, 1) => KILOBITS_LOW_1,
        (false, 2 | 3) => KILOBITS_LOW_2_3,
        _ => return None,
    };
    let kilobits = *kilobits.get(usize::from(rates >> 4).checked_sub(1)?)?;
    let base = *[44_100, 48_000, 32_000].get(usize::from(rates >> 2 & 3))?;
    let sample_rate = base >> version as u32;
    let samples = match layer {
        1 => 384,
        3 if !full_rate => 576,
        _ => 1152,
    };
    // Layer I counts in slots of 4 bytes.
    let slot = if layer == 1 { 4 } else { 1 };
    let padding = u32::from(rates >> 1 & 1);
    let slots = samples / 8 * 1000 * kilobits / (slot * sample_rate) + padding;
    let frame = Frame {
        samples,
        sample_rate,
        channels: if mode >> 6 == MONO { 1 } else { 2 },
    };
    Some(((slots * slot) as usize, frame))
}

/// The format of the first frame.
pub(super) fn format(payload: &[u8]) -> Option<AudioFormat> {
    let (frame, bytes) = frames(payload, header).next()?;
    let codec_string = match Version::of(bytes[1])? {
        Version::One => "mp4a.6B",
        Version::Two | Version::TwoAndAHalf => "mp4a.69",
    };
    Some(AudioFormat {
        codec: Codec::MpegAudio,
        codec_string: codec_string.to_owned(),
        channels: frame.channels,
        sample_rate: frame.sample_rate,
    })
}

/// Each version halves the sample rates of the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    One,
    Two,
    TwoAndAHalf,
}

impl Version {
    fn of(kind: u8) -> Option<Self> {
        match kind >> 3 & 3 {
            3 => Some(Self::One),
            2 => Some(Self::Two),
            0 => Some(Self::TwoAndAHalf),
            _ => None,
        }
    }
}

const MONO: u8 = 3;

// Bit rates for bitrate_index 1 and on.
type Kilobits = &'static [u32; 14];
const KILOBITS_1: Kilobits = &[
    32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448,
];
const KILOBITS_2: Kilobits = &[
    32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384,
];
const KILOBITS_3: Kilobits = &[
    32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320,
];
const KILOBITS_LOW_1: Kilobits = &[
    32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256,
];
const KILOBITS_LOW_2_3: Kilobits = &[8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_follow_layer_rate_and_padding() {
        let of = |bytes: [u8; 4]| {
            let (length, frame) = header(&bytes)?;
            Some((length, frame.samples, frame.sample_rate, frame.channels))
        };
        // Layer I at 384 kbit/s and 48 kHz, and one slot of 4 bytes more at 44.1 kHz.
        assert_eq!(of([0xff, 0xff, 0xc4, 0]), Some((384, 384, 48_000, 2)));
        assert_eq!(of([0xff, 0xff, 0xc2, 0]), Some((420, 384, 44_100, 2)));
        // Layer II at 192 kbit/s; layer III at 128 kbit/s, joint stereo and mono.
        assert_eq!(of([0xff, 0xfd, 0xa4, 0]), Some((576, 1152, 48_000, 2)));
        assert_eq!(of([0xff, 0xfb, 0x90, 0x40]), Some((417, 1152, 44_100, 2)));
        assert_eq!(of([0xff, 0xfb, 0x92, 0xc0]), Some((418, 1152, 44_100, 1)));
        // The lower rates: layer II keeps its samples, layer III halves them.
        assert_eq!(of([0xff, 0xf5, 0x84, 0]), Some((384, 1152, 24_000, 2)));
        assert_eq!(of([0xff, 0xf3, 0x88, 0]), Some((288, 576, 16_000, 2)));
        assert_eq!(of([0xff, 0xe3, 0x88, 0]), Some((576, 576, 8_000, 2)));
        // Free format, the forbidden rate, a reserved version, layer and frequency.
        for bytes in [
            [0xfb, 0x00],
            [0xfb, 0xf0],
            [0xeb, 0x90],
            [0xf9, 0x90],
            [0xfb, 0x9c],
        ] {
            assert_eq!(of([0xff, bytes[0], bytes[1], 0]), None);
        }
    }
}
