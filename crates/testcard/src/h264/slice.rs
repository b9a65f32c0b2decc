//! The slice that makes up a whole picture (H.264, 7.3.3 to 7.3.5).

use super::motion::{Field, Vector};
use super::params::stop;
use super::{Change, FRAME_NUM_MODULO, Format, MACROBLOCK};
use crate::bits::BitWriter;
use crate::picture::{Picture, Plane};

/// slice_layer_without_partitioning_rbsp of a keyframe, `nth` of the stream.
pub(super) fn intra(format: Format, nth: u64, picture: &Picture) -> Vec<u8> {
    let mut w = BitWriter::new();
    header(&mut w, SliceType::Intra, 0, |w| {
        w.ue((nth % 2) as u32); // idr_pic_id: differs from the keyframe before
    });
    let (columns, rows) = format.macroblocks();
    // Whether the macroblocks so far are samples, which the code of "no coefficients" depends on.
    let mut sent_as_samples = Vec::with_capacity(columns * rows);
    for at in 0..columns * rows {
        let (x, y) = (at % columns, at / columns);
        let prediction = Prediction::find(picture, x, y);
        if let Some(prediction) = prediction {
            w.ue(MbType::INTRA_16X16 + prediction.luma as u32);
            w.ue(prediction.chroma.chroma_code());
            w.se(0); // mb_qp_delta
            let left = (x > 0).then(|| sent_as_samples[at - 1]);
            let above = (y > 0).then(|| sent_as_samples[at - columns]);
            no_coefficients(&mut w, left, above);
        } else {
            w.ue(MbType::I_PCM);
            samples(&mut w, picture, x, y);
        }
        sent_as_samples.push(prediction.is_none());
    }
    stop(w)
}

/// slice_layer_without_partitioning_rbsp of the picture that comes `since_keyframe` pictures after the last keyframe.
pub(super) fn inter(
    format: Format,
    since_keyframe: u64,
    picture: &Picture,
    previous: &Picture,
    changes: &[Change],
) -> Vec<u8> {
    let mut w = BitWriter::new();
    let frame_num = (since_keyframe % u64::from(FRAME_NUM_MODULO)) as u32;
    header(&mut w, SliceType::Predicted, frame_num, |w| {
        w.flag(false); // num_ref_idx_active_override_flag
        w.flag(false); // ref_pic_list_modification_flag_l0
    });
    let (columns, rows) = format.macroblocks();
    let change_at = changes_by_macroblock(columns, rows, changes);
    let mut field = Field::new(columns, rows);
    let mut skipped = 0;
    for (at, change) in change_at.into_iter().enumerate() {
        let (x, y) = (at % columns, at / columns);
        let vector_of_skip = field.skipped();
        let vector = match change {
            None => Some(Vector::ZERO),
            Some(change) => {
                let near = [vector_of_skip, Vector::ZERO];
                let vectors = near.iter().chain(&change.vectors).copied();
                find_copy(picture, previous, x, y, vectors)
            }
        };
        if vector == Some(vector_of_skip) {
            skipped += 1;
        } else {
            w.ue(skipped); // mb_skip_run
            skipped = 0;
            if let Some(vector) = vector {
                let predicted = field.prediction();
                w.ue(MbType::P_L0_16X16);
                w.se(4 * (vector.dx - predicted.dx));
                w.se(4 * (vector.dy - predicted.dy));
                w.ue(0); // coded_block_pattern: no residual
            } else {
                w.ue(MbType::BEHIND_P + MbType::I_PCM);
                samples(&mut w, picture, x, y);
            }
        }
        field.push(vector);
    }
    if skipped > 0 {
        w.ue(skipped);
    }
    stop(w)
}

/// mb_type (tables 7-11 and 7-13).
struct MbType;

impl MbType {
    /// Intra_16x16 without coefficients; the prediction mode is added.
    const INTRA_16X16: u32 = 1;
    const I_PCM: u32 = 25;
    const P_L0_16X16: u32 = 0;
    /// Added to a type of I slices in P slices.
    const BEHIND_P: u32 = 5;
}

/// slice_type, with the promise that all slices of the picture have the same.
#[derive(Clone, Copy, PartialEq)]
enum SliceType {
    Predicted = 5,
    Intra = 7,
}

/// slice_header; `middle` writes what only this type has.
fn header(
    w: &mut BitWriter,
    slice_type: SliceType,
    frame_num: u32,
    middle: impl FnOnce(&mut BitWriter),
) {
    w.ue(0); // first_mb_in_slice
    w.ue(slice_type as u32);
    w.ue(0); // pic_parameter_set_id
    w.bits(frame_num, FRAME_NUM_MODULO.ilog2());
    middle(w);
    if slice_type == SliceType::Intra {
        w.flag(false); // no_output_of_prior_pics_flag
        w.flag(false); // long_term_reference_flag
    } else {
        w.flag(false); // adaptive_ref_pic_marking_mode_flag: the newest picture is the reference
    }
    w.se(0); // slice_qp_delta
    w.ue(1); // disable_deblocking_filter_idc
}

/// The neighbour that an intra macroblock continues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Vertical = 0,
    Horizontal = 1,
}

impl Mode {
    /// intra_chroma_pred_mode numbers the modes otherwise than the luma does (table 7-16).
    fn chroma_code(self) -> u32 {
        match self {
            Self::Horizontal => 1,
            Self::Vertical => 2,
        }
    }

    /// Whether the square of `size` samples, `x` and `y` squares from the corner, is what this mode
    /// predicts.
    fn predicts(self, plane: Plane<'_>, x: usize, y: usize, size: usize) -> bool {
        let (left, top) = (x * size, y * size);
        match self {
            Self::Vertical => {
                y > 0 && {
                    let above = plane.row(left, top - 1, size);
                    (top..top + size).all(|row| plane.row(left, row, size) == above)
                }
            }
            Self::Horizontal => {
                x > 0
                    && (top..top + size).all(|row| {
                        let samples = plane.row(left - 1, row, size + 1);
                        samples[1..] == samples[..size]
                    })
            }
        }
    }
}

/// The modes that give exactly the content of a macroblock.
#[derive(Clone, Copy)]
struct Prediction {
    luma: Mode,
    chroma: Mode,
}

impl Prediction {
    fn find(picture: &Picture, x: usize, y: usize) -> Option<Self> {
        let [luma, cb, cr] = picture.planes();
        let modes = [Mode::Vertical, Mode::Horizontal].into_iter();
        let half = MACROBLOCK / 2;
        Some(Self {
            luma: modes
                .clone()
                .find(|mode| mode.predicts(luma, x, y, MACROBLOCK))?,
            chroma: modes
                .clone()
                .find(|mode| mode.predicts(cb, x, y, half) && mode.predicts(cr, x, y, half))?,
        })
    }
}

/// coeff_token of an Intra16x16DCLevel without coefficients (9.2.1).
///
/// Its code depends on how many coefficients the neighbours have: I_PCM counts as 16, all else here
/// has none.
fn no_coefficients(w: &mut BitWriter, left: Option<bool>, above: Option<bool>) {
    if left == Some(true) || above == Some(true) {
        w.bits(0b00_0011, 6); // 8 or 16 on average
    } else {
        w.bits(1, 1);
    }
}

/// pcm_alignment_zero_bit, pcm_sample_luma and pcm_sample_chroma.
fn samples(w: &mut BitWriter, picture: &Picture, x: usize, y: usize) {
    w.align();
    for (plane, size) in picture.planes().into_iter().zip(SIZES) {
        for row in y * size..(y + 1) * size {
            w.bytes(plane.row(x * size, row, size));
        }
    }
}

/// Samples along a side of a macroblock in each plane.
const SIZES: [usize; 3] = [MACROBLOCK, MACROBLOCK / 2, MACROBLOCK / 2];

/// For each macroblock the change that touches it.
fn changes_by_macroblock(columns: usize, rows: usize, changes: &[Change]) -> Vec<Option<&Change>> {
    let mut by_macroblock = vec![None; columns * rows];
    for change in changes {
        let area = change.area;
        for row in area.y / MACROBLOCK..area.bottom().div_ceil(MACROBLOCK) {
            let from = row * columns + area.x / MACROBLOCK;
            let to = row * columns + area.right().div_ceil(MACROBLOCK);
            by_macroblock[from..to].fill(Some(change));
        }
    }
    by_macroblock
}

/// The first vector by which the previous picture shows the content of a macroblock.
fn find_copy(
    picture: &Picture,
    previous: &Picture,
    x: usize,
    y: usize,
    mut vectors: impl Iterator<Item = Vector>,
) -> Option<Vector> {
    let most_x = (picture.width() - MACROBLOCK) as i32;
    let most_y = (picture.height() - MACROBLOCK) as i32;
    vectors.find(|vector| {
        let from_x = (x * MACROBLOCK) as i32 + vector.dx;
        let from_y = (y * MACROBLOCK) as i32 + vector.dy;
        (0..=most_x).contains(&from_x)
            && (0..=most_y).contains(&from_y)
            && is_copy(picture, previous, x, y, from_x as usize, from_y as usize)
    })
}

/// Whether a macroblock is the same as what `previous` has at (`from_x`, `from_y`), both even.
fn is_copy(
    picture: &Picture,
    previous: &Picture,
    x: usize,
    y: usize,
    from_x: usize,
    from_y: usize,
) -> bool {
    let planes = picture.planes().into_iter().zip(previous.planes());
    planes.zip(SIZES).all(|((new, old), size)| {
        let (old_x, old_y) = (from_x * size / MACROBLOCK, from_y * size / MACROBLOCK);
        (0..size)
            .all(|row| new.row(x * size, y * size + row, size) == old.row(old_x, old_y + row, size))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::Area;

    const FORMAT: Format = Format {
        width: 64,
        height: 48,
        fps: 25,
    };
    const GREY: [u8; 3] = [40, 128, 128];
    const WHITE: [u8; 3] = [235, 128, 128];
    const PCM_BYTES: usize = 384;

    fn dotted(x: usize) -> Picture {
        let mut picture = Picture::filled(64, 48, GREY);
        picture.fill(Area::new(x, 20, 6, 6), WHITE);
        picture
    }

    #[test]
    fn one_colour_is_one_macroblock_of_samples() {
        let len = intra(FORMAT, 0, &Picture::filled(64, 48, GREY)).len();
        assert!((PCM_BYTES..PCM_BYTES + 30).contains(&len), "{len}");
    }

    #[test]
    fn a_keyframe_is_told_from_the_one_before() {
        let [first, second, third] = [0, 1, 2].map(|nth| intra(FORMAT, nth, &dotted(4)));
        assert_ne!(first, second);
        assert_eq!(first, third);
    }

    #[test]
    fn what_stays_costs_nothing_and_what_moves_costs_a_vector() {
        let vectors = [-16, 16].map(|dx| Vector { dx, dy: 0 }).to_vec();
        let change = Change {
            area: Area::new(0, 16, 64, 16),
            vectors,
        };
        let still = inter(FORMAT, 1, &dotted(4), &dotted(4), &[]);
        assert!(still.len() < 8, "{}", still.len());
        let moved = inter(
            FORMAT,
            1,
            &dotted(20),
            &dotted(4),
            std::slice::from_ref(&change),
        );
        assert!(moved.len() < 20, "{}", moved.len());
        let new = inter(FORMAT, 1, &dotted(24), &dotted(4), &[change]);
        assert!(
            (PCM_BYTES..PCM_BYTES + 30).contains(&new.len()),
            "{}",
            new.len()
        );
    }
}
