//! Sequence and picture parameter sets (H.264, 7.3.2.1 and 7.3.2.2), and the level they name.

use super::{FRAME_NUM_MODULO, Format, MACROBLOCK};
use crate::bits::BitWriter;

const BASELINE: u32 = 66;

/// constraint_set0_flag and constraint_set1_flag: what is common to Baseline and Main, so that every
/// decoder plays it.
const CONSTRAINED: u32 = 0b1100_0000;

/// seq_parameter_set_rbsp.
pub(super) fn sequence(format: Format) -> Vec<u8> {
    let (columns, rows) = format.macroblocks();
    let mut w = BitWriter::new();
    w.bits(BASELINE, 8);
    w.bits(CONSTRAINED, 8);
    w.bits(u32::from(level(format)), 8);
    w.ue(0); // seq_parameter_set_id
    w.ue(FRAME_NUM_MODULO.ilog2() - 4);
    w.ue(2); // pic_order_cnt_type: shown in the order of coding
    w.ue(1); // max_num_ref_frames
    w.flag(false); // gaps_in_frame_num_value_allowed_flag
    w.ue(columns as u32 - 1);
    w.ue(rows as u32 - 1);
    w.flag(true); // frame_mbs_only_flag
    w.flag(true); // direct_8x8_inference_flag
    cropping(&mut w, format);
    w.flag(true); // vui_parameters_present_flag
    usability(&mut w, format);
    stop(w)
}

/// pic_parameter_set_rbsp.
pub(super) fn picture() -> Vec<u8> {
    let mut w = BitWriter::new();
    w.ue(0); // pic_parameter_set_id
    w.ue(0); // seq_parameter_set_id
    w.flag(false); // entropy_coding_mode_flag: CAVLC
    w.flag(false); // bottom_field_pic_order_in_frame_present_flag
    w.ue(0); // num_slice_groups_minus1
    w.ue(0); // num_ref_idx_l0_default_active_minus1
    w.ue(0); // num_ref_idx_l1_default_active_minus1
    w.flag(false); // weighted_pred_flag
    w.bits(0, 2); // weighted_bipred_idc
    w.se(0); // pic_init_qp_minus26
    w.se(0); // pic_init_qs_minus26
    w.se(0); // chroma_qp_index_offset
    w.flag(true); // deblocking_filter_control_present_flag: each slice turns the filter off
    w.flag(false); // constrained_intra_pred_flag
    w.flag(false); // redundant_pic_cnt_present_flag
    stop(w)
}

/// The lowest level whose limits hold the pictures (Table A-1), as level_idc.
///
/// Levels below 3 are left out: their bit rates are too low for samples sent as they are.
fn level(format: Format) -> u8 {
    /// level_idc, macroblocks a second, macroblocks in a picture.
    const LEVELS: [(u8, usize, usize); 5] = [
        (30, 40_500, 1_620),
        (31, 108_000, 3_600),
        (32, 216_000, 5_120),
        (40, 245_760, 8_192),
        (42, 522_240, 8_704),
    ];
    let (columns, rows) = format.macroblocks();
    let picture = columns * rows;
    let second = picture * format.fps as usize;
    LEVELS
        .into_iter()
        .find(|&(_, most_a_second, most)| {
            // Neither side may be longer than the root of eight times the most (A.3.1).
            second <= most_a_second && picture <= most && columns.max(rows).pow(2) <= 8 * most
        })
        .map(|(level, ..)| level)
        .expect("sizes and rates of a test card are within level 4.2")
}

/// Hides what the coded size has beyond the shown one, in units of two pixels.
fn cropping(w: &mut BitWriter, format: Format) {
    let (columns, rows) = format.macroblocks();
    let right = (columns * MACROBLOCK - format.width) / 2;
    let bottom = (rows * MACROBLOCK - format.height) / 2;
    let cropped = right + bottom > 0;
    w.flag(cropped);
    if cropped {
        for offset in [0, right, 0, bottom] {
            w.ue(offset as u32);
        }
    }
}

/// vui_parameters (E.1.1): square pixels, BT.709 in limited range, a fixed rate, nothing reordered.
fn usability(w: &mut BitWriter, format: Format) {
    w.flag(true); // aspect_ratio_info_present_flag
    w.bits(1, 8); // aspect_ratio_idc: square
    w.flag(false); // overscan_info_present_flag
    w.flag(true); // video_signal_type_present_flag
    w.bits(5, 3); // video_format: unspecified
    w.flag(false); // video_full_range_flag
    w.flag(true); // colour_description_present_flag
    for _primaries_transfer_matrix in 0..3 {
        w.bits(1, 8); // BT.709
    }
    w.flag(false); // chroma_loc_info_present_flag
    w.flag(true); // timing_info_present_flag
    w.bits(1, 32); // num_units_in_tick
    w.bits(2 * format.fps, 32); // time_scale: two ticks a frame
    w.flag(true); // fixed_frame_rate_flag
    w.flag(false); // nal_hrd_parameters_present_flag
    w.flag(false); // vcl_hrd_parameters_present_flag
    w.flag(false); // pic_struct_present_flag
    w.flag(true); // bitstream_restriction_flag
    w.flag(false); // motion_vectors_over_pic_boundaries_flag
    w.ue(0); // max_bytes_per_pic_denom: no limit
    w.ue(0); // max_bits_per_mb_denom: no limit
    w.ue(13); // log2_max_mv_length_horizontal
    w.ue(11); // log2_max_mv_length_vertical
    w.ue(0); // max_num_reorder_frames
    w.ue(1); // max_dec_frame_buffering
}

/// rbsp_trailing_bits.
pub(super) fn stop(mut w: BitWriter) -> Vec<u8> {
    w.flag(true);
    w.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_the_lowest_that_hold_the_pictures() {
        let level = |width, height, fps| level(Format { width, height, fps });
        assert_eq!(level(320, 180, 25), 30);
        assert_eq!(level(640, 360, 30), 30);
        assert_eq!(level(1280, 720, 30), 31);
        assert_eq!(level(1280, 720, 60), 32);
        assert_eq!(level(1920, 1080, 30), 40);
        assert_eq!(level(1920, 1080, 60), 42);
        assert_eq!(level(1920, 180, 25), 31, "long sides need a higher one");
    }
}
