//! In H.264: the first macroblock is black by itself, all others are like their neighbours.

use crate::bits::Written;

const MACROBLOCK: u32 = 16;

const SEQUENCE_ID: u32 = 30;
const PICTURE_ID: u32 = 254;

/// At this quantizer one step of the first macroblock's only coefficient is four steps of brightness (8.5.10).
const QP: u32 = 40;

/// From the grey that is predicted where there is no neighbour, 128, down to 16 (ITU-R BT.709: black).
const STEPS: u32 = (128 - 16) / 4;

pub(super) fn picture(width: u32, height: u32) -> Vec<u8> {
    let (columns, rows) = (width.div_ceil(MACROBLOCK), height.div_ceil(MACROBLOCK));
    let sequence = sequence_parameters(width, height);
    let picture = picture_parameters();
    let slice = slice(columns * rows);
    [
        (&[0x09, 0xf0][..]),
        &[&[0x67], &sequence.nal()[..]].concat(),
        &[&[0x68], &picture.nal()[..]].concat(),
        &[&[0x65], &slice.nal()[..]].concat(),
    ]
    .iter()
    .flat_map(|unit| [&[0, 0, 0, 1], *unit].concat())
    .collect()
}

/// seq_parameter_set_data (7.3.2.1.1): Constrained Baseline, level 6.2.
fn sequence_parameters(width: u32, height: u32) -> Written {
    let (columns, rows) = (width.div_ceil(MACROBLOCK), height.div_ceil(MACROBLOCK));
    let right = (columns * MACROBLOCK - width) / 2;
    let bottom = (rows * MACROBLOCK - height) / 2;
    Written::default()
        .fields(&[(8, 66), (8, 0xc0), (8, 62)])
        // Its id, the length of frame_num, the order of showing is that of decoding, one reference.
        .ue(&[SEQUENCE_ID, 0, 2, 1])
        .fields(&[(1, 0)])
        .ue(&[columns - 1, rows - 1])
        // Whole frames, cropped.
        .fields(&[(1, 1), (1, 1), (1, 1)])
        .ue(&[0, right, 0, bottom])
        .fields(&[(1, 0)])
}

/// pic_parameter_set_rbsp (7.3.2.2): variable length codes, and slices that turn the deblocking filter off.
fn picture_parameters() -> Written {
    Written::default()
        .ue(&[PICTURE_ID, SEQUENCE_ID])
        .fields(&[(1, 0), (1, 0)])
        .ue(&[0, 0, 0])
        .fields(&[(1, 0), (2, 0)])
        .ue(&[0, 0, 0])
        .fields(&[(1, 1), (1, 0), (1, 0)])
}

/// slice_layer_without_partitioning_rbsp (7.3.2.8): the first macroblock is black by itself, all others are
/// like their neighbours.
fn slice(macroblocks: u32) -> Written {
    let first = Written::default()
        // From the first macroblock on, all of them I.
        .ue(&[0, 7, PICTURE_ID])
        .fields(&[(4, 0)])
        .ue(&[0])
        .fields(&[(1, 0), (1, 0)])
        .ue(&[signed(QP - 26), 1]);
    let first = macroblock(first)
        // One coefficient (table 9-5), -STEPS by an escape code (9.2.2.1), no zeros before it.
        .fields(&[
            (6, 0b000101),
            (15, 0),
            (1, 1),
            (12, 2 * STEPS - 1 - 2 - 30),
            (1, 1),
        ]);
    (1..macroblocks).fold(first, |slice, _| macroblock(slice).fields(&[(1, 1)]))
}

/// Intra 16x16 predicted by the mean of its neighbours, and its colours likewise.
fn macroblock(slice: Written) -> Written {
    slice.ue(&[3, 0, signed(0)])
}

/// se(v) of what is not negative (9.1.1), as ue(v).
fn signed(value: u32) -> u32 {
    (2 * value).saturating_sub(1)
}
