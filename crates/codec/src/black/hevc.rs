//! In HEVC: the samples of the first block are written down, all others are like their neighbours.

use super::cabac::{Coder, Context};
use crate::bits::Written;

pub(super) fn picture(width: u32, height: u32) -> Vec<u8> {
    let blocks = width.div_ceil(BLOCK) * height.div_ceil(BLOCK);
    [
        [&[0x46, 0x01, 0x10][..], &[]],
        [&[0x40, 0x01], &video_parameters().nal()],
        [&[0x42, 0x01], &sequence_parameters(width, height).nal()],
        [&[0x44, 0x01], &picture_parameters().nal()],
        [&[0x28, 0x01], &slice(blocks).escaped()],
    ]
    .iter()
    .flat_map(|[header, content]| [&[0, 0, 0, 1], *header, *content].concat())
    .collect()
}

/// Coding blocks, and tree blocks as well.
const BLOCK: u32 = 16;

/// Of the video and the sequence parameter set.
const SETS_ID: u32 = 15;
const PICTURE_ID: u32 = 62;

const QUANTISER: i32 = 26;

/// video_parameter_set_rbsp (7.3.2.1)
fn video_parameters() -> Written {
    let written =
        Written::default().fields(&[(4, SETS_ID), (2, 3), (6, 0), (3, 0), (1, 1), (16, 0xffff)]);
    profile(written)
        .fields(&[(1, 1)])
        .ue(&[0, 0, 0])
        .fields(&[(6, 0)])
        .ue(&[0])
        .fields(&[(1, 0), (1, 0)])
}

/// profile_tier_level (7.3.3): Main, level 6.2.
fn profile(written: Written) -> Written {
    written
        .fields(&[(2, 0), (1, 0), (5, 1), (32, 0x6000_0000)])
        // Progressive, and frames only.
        .fields(&[(4, 0b1001), (32, 0), (12, 0), (8, 186)])
}

/// seq_parameter_set_rbsp (7.3.2.2)
fn sequence_parameters(width: u32, height: u32) -> Written {
    let [columns, rows] = [width, height].map(|side| side.div_ceil(BLOCK) * BLOCK);
    let written = Written::default().fields(&[(4, SETS_ID), (3, 0), (1, 1)]);
    profile(written)
        .ue(&[SETS_ID, 1, columns, rows])
        .fields(&[(1, 1)])
        .ue(&[0, (columns - width) / 2, 0, (rows - height) / 2])
        // 8 bits, the length of order counts.
        .ue(&[0, 0, 0])
        .fields(&[(1, 1)])
        .ue(&[0, 0, 0])
        // Coding blocks, transform blocks.
        .ue(&[1, 0, 0, 2, 0, 0])
        // No scaling lists, asymmetric parts or sample offsets. Samples can be written down, in 8 bits.
        .fields(&[(3, 0), (1, 1), (4, 7), (4, 7)])
        .ue(&[1, 0])
        .fields(&[(1, 1)])
        .ue(&[0])
        .fields(&[(5, 0)])
}

/// pic_parameter_set_rbsp (7.3.2.3): no tool, and no deblocking.
fn picture_parameters() -> Written {
    Written::default()
        .ue(&[PICTURE_ID, SETS_ID])
        .fields(&[(7, 0)])
        .ue(&[0, 0, 0])
        .fields(&[(3, 0)])
        .ue(&[0, 0])
        .fields(&[(7, 0)])
        .fields(&[(1, 1), (1, 0), (1, 1)])
        .fields(&[(2, 0)])
        .ue(&[0])
        .fields(&[(2, 0)])
}

/// slice_segment_layer_rbsp (7.3.2.9) of an IDR picture.
fn slice(blocks: u32) -> Written {
    let header = Written::default()
        .fields(&[(1, 1), (1, 0)])
        .ue(&[PICTURE_ID, 2, 0])
        .fields(&[(1, 1)])
        .aligned();
    let mut contexts = Contexts::new();
    let mut coder = Coder::new(header);
    coder.bin(&mut contexts.part, true);
    let samples = coder.end().aligned();
    let (luma, chroma) = (BLOCK * BLOCK, BLOCK * BLOCK / 2);
    let samples = (0..luma).fold(samples, |written, _| written.fields(&[(8, 16)]));
    let samples = (0..chroma).fold(samples, |written, _| written.fields(&[(8, 128)]));
    let mut coder = Coder::new(samples);
    for _ in 1..blocks {
        coder.goes_on();
        contexts.block(&mut coder);
    }
    coder.end().aligned()
}

/// What tells of a block that is like its neighbours (7.3.8.5 to 7.3.8.8), by tables 9-11 to 9-25.
struct Contexts {
    part: Context,
    luma_mode: Context,
    chroma_mode: Context,
    luma_coded: Context,
    chroma_coded: Context,
}

impl Contexts {
    fn new() -> Self {
        let context = |init| Context::new(init, QUANTISER);
        Self {
            part: context(184),
            luma_mode: context(184),
            chroma_mode: context(63),
            luma_coded: context(141),
            chroma_coded: context(94),
        }
    }

    fn block(&mut self, coder: &mut Coder) {
        coder.bin(&mut self.part, true);
        // Its samples are not written down.
        coder.goes_on();
        // It is predicted by the first of the modes that are probable, and its chroma likewise.
        coder.bin(&mut self.luma_mode, true);
        coder.bypass(false);
        coder.bin(&mut self.chroma_mode, false);
        // Nothing is added to that.
        coder.bin(&mut self.chroma_coded, false);
        coder.bin(&mut self.chroma_coded, false);
        coder.bin(&mut self.luma_coded, false);
    }
}
