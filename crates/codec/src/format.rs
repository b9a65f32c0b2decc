//! What a viewer is told about the pictures.

use crate::Codec;

/// How a video stream looks, from its parameter sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VideoFormat {
    /// The codec.
    pub codec: Codec,
    /// The codec with its profile and level, as RFC 6381 writes it: `avc1.64001f`,
    /// `hvc1.1.6.L93.90`, `mp4v.61`.
    pub codec_string: String,
    /// Width in pixels, after cropping.
    pub width: u32,
    /// Height in pixels, after cropping; of both fields when interlaced.
    pub height: u32,
    /// Frames per second as a fraction in lowest terms, where the stream tells.
    pub frame_rate: Option<(u32, u32)>,
    /// Bits of a luma sample.
    pub bit_depth: u8,
    /// How samples turn into colours, where the stream tells.
    pub colour: Option<Colour>,
    /// Width to height of a sample, where an H.264 or HEVC stream tells.
    pub sample_aspect: Option<(u32, u32)>,
}

/// How samples turn into colours, in the code points of ITU-T H.273; 2 is "unspecified".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Colour {
    /// Colour primaries: 1 is BT.709, 9 is BT.2020.
    pub primaries: u8,
    /// Transfer characteristics: 1 is BT.709, 16 is PQ, 18 is HLG.
    pub transfer: u8,
    /// Matrix coefficients: 1 is BT.709, 9 is BT.2020.
    pub matrix: u8,
    /// Whether samples use their whole range.
    pub full_range: bool,
}

impl Colour {
    /// Nothing known but the range.
    pub(crate) fn unspecified(full_range: bool) -> Self {
        Self {
            primaries: 2,
            transfer: 2,
            matrix: 2,
            full_range,
        }
    }
}

/// A rate in lowest terms; `None` for one that is no rate.
pub(crate) fn rate(numerator: u64, denominator: u64) -> Option<(u32, u32)> {
    let divisor = greatest_common_divisor(numerator, denominator);
    if numerator == 0 || denominator == 0 {
        return None;
    }
    Some((
        u32::try_from(numerator / divisor).ok()?,
        u32::try_from(denominator / divisor).ok()?,
    ))
}

fn greatest_common_divisor(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}
