//! A small H.264 encoder (ITU-T H.264, Constrained Baseline) for pictures that are drawn, not filmed.
//!
//! It loses nothing, because it codes no differences at all: a macroblock is predicted exactly or it
//! is sent as samples.
//!
//! - In a keyframe a macroblock that continues its upper or left neighbour is one *Intra16x16*
//!   macroblock without residual, any other is *I_PCM*.
//! - In every other picture a macroblock that did not change is *P_Skip*, one whose content the
//!   picture before shows somewhere is copied by a motion vector, and what is left is *I_PCM*.
//!
//! The deblocking filter is off, so that what is drawn is what is decoded, to the last bit.

mod motion;
mod params;
mod slice;

pub(crate) use motion::Vector;

use crate::picture::{Area, Picture};

/// Pixels along a side of a macroblock.
pub(crate) const MACROBLOCK: usize = 16;

/// frame_num counts modulo this.
const FRAME_NUM_MODULO: u32 = 16;

/// What all pictures of a stream have in common.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Format {
    /// The size that is shown. The coded size is that rounded up to whole macroblocks.
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) fps: u32,
}

impl Format {
    /// The size in macroblocks.
    pub(crate) fn macroblocks(self) -> (usize, usize) {
        (
            self.width.div_ceil(MACROBLOCK),
            self.height.div_ceil(MACROBLOCK),
        )
    }

    /// The size of the pictures that are coded.
    pub(crate) fn coded_size(self) -> (usize, usize) {
        let (columns, rows) = self.macroblocks();
        (columns * MACROBLOCK, rows * MACROBLOCK)
    }
}

/// An area that may differ from the picture before, and by which vectors its content is worth
/// looking for there.
pub(crate) struct Change {
    pub(crate) area: Area,
    pub(crate) vectors: Vec<Vector>,
}

/// The access unit of a keyframe, `nth` of the stream, in Annex B form, with its parameter sets.
pub(crate) fn keyframe(format: Format, nth: u64, picture: &Picture) -> Vec<u8> {
    let mut unit = Vec::new();
    append_nal(&mut unit, Nal::Delimiter, &[ALL_INTRA]);
    append_nal(
        &mut unit,
        Nal::SequenceParameters,
        &params::sequence(format),
    );
    append_nal(&mut unit, Nal::PictureParameters, &params::picture());
    append_nal(&mut unit, Nal::Idr, &slice::intra(format, nth, picture));
    unit
}

/// The access unit of the picture that comes `since_keyframe` pictures after the last keyframe.
pub(crate) fn inter(
    format: Format,
    since_keyframe: u64,
    picture: &Picture,
    previous: &Picture,
    changes: &[Change],
) -> Vec<u8> {
    let mut unit = Vec::new();
    append_nal(&mut unit, Nal::Delimiter, &[INTRA_AND_INTER]);
    let slice = slice::inter(format, since_keyframe, picture, previous, changes);
    append_nal(&mut unit, Nal::NonIdr, &slice);
    unit
}

/// access_unit_delimiter_rbsp: primary_pic_type and the stop bit (7.3.2.4).
const ALL_INTRA: u8 = 0b000_10000;
const INTRA_AND_INTER: u8 = 0b001_10000;

/// The first byte of a NAL unit: nal_ref_idc and nal_unit_type (7.3.1).
#[derive(Clone, Copy)]
#[repr(u8)]
enum Nal {
    NonIdr = 0x41,
    Idr = 0x65,
    SequenceParameters = 0x67,
    PictureParameters = 0x68,
    Delimiter = 0x09,
}

/// Appends a NAL unit with its start code (Annex B), and with a 3 put in wherever its payload would
/// look like a start code (7.4.1.1).
fn append_nal(out: &mut Vec<u8>, nal: Nal, payload: &[u8]) {
    out.reserve(payload.len() + payload.len() / 64 + 5);
    out.extend_from_slice(&[0, 0, 0, 1, nal as u8]);
    let mut zeros = 0;
    for &byte in payload {
        if zeros == 2 && byte <= 3 {
            out.push(3);
            zeros = 0;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        out.push(byte);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_payload_never_looks_like_a_start_code(payload in prop::collection::vec(0u8..5, 1..200)) {
            let mut out = Vec::new();
            append_nal(&mut out, Nal::Idr, &payload);
            let body = &out[5..];
            for window in body.windows(3) {
                prop_assert!(!matches!(window, [0, 0, 0..=2]));
            }

            // Taking out each 3 behind two zeros gives the payload back (7.3.1).
            let mut restored = Vec::new();
            let mut zeros = 0;
            for &byte in body {
                if zeros == 2 && byte == 3 {
                    zeros = 0;
                    continue;
                }
                zeros = if byte == 0 { zeros + 1 } else { 0 };
                restored.push(byte);
            }
            prop_assert_eq!(restored, payload);
        }
    }
}
