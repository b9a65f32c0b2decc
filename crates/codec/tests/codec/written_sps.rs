//! H.264 parameter sets that another implementation writes, with every optional part of the syntax,
//! must be read as it meant them.

use h264_reader::nal::NalHeader;
use h264_reader::nal::WritableNal;
use h264_reader::nal::sps::{
    AspectRatioInfo, ChromaFormat, ChromaInfo, ChromaLocInfo, ColourDescription, FrameCropping,
    FrameMbsFlags, OverscanAppropriate, PicOrderCntType, ScalingLists4x4, ScalingLists8x8,
    SeqParamSetId, SeqParameterSet, SeqScalingMatrix, TimingInfo, VideoSignalType, VuiParameters,
};
use lookback_codec::{Codec, Colour, ParameterSets};
use proptest::prelude::*;

proptest! {
    #[test]
    fn is_read_as_it_was_meant(sps in sequence_parameter_set()) {
        let header = NalHeader::new(0x67).expect("an SPS has this header");
        let nal = sps.to_vec_with_header(header);
        let head = [&[0, 0, 0, 1], &nal[..], &[0, 0, 1, 0x65, 0x88]].concat();
        let mut sets = ParameterSets::new(Codec::H264);
        prop_assert!(sets.update(&head));
        let format = sets.video_format().expect("an SPS tells the format");

        prop_assert_eq!(Ok((format.width, format.height)), sps.pixel_dimensions().map_err(|_| ()));
        prop_assert_eq!(&format.codec_string, &sps.rfc6381().to_string().to_lowercase());
        prop_assert_eq!(format.bit_depth, bit_depth(&sps));
        prop_assert_eq!(format.colour, colour(&sps));
        let rate = format.frame_rate.map(|(frames, seconds)| f64::from(frames) / f64::from(seconds));
        prop_assert_eq!(rate, sps.fps());
        prop_assert_eq!(sets.annex_b(), [&[0, 0, 0, 1], &nal[..]].concat());
    }
}

fn bit_depth(sps: &SeqParameterSet) -> u8 {
    match sps.profile_idc.has_chroma_info() {
        true => 8 + sps.chroma_info.bit_depth_luma_minus8,
        false => 8,
    }
}

fn colour(sps: &SeqParameterSet) -> Option<Colour> {
    let signal = sps.vui_parameters.as_ref()?.video_signal_type.as_ref()?;
    let unspecified = ColourDescription {
        colour_primaries: 2,
        transfer_characteristics: 2,
        matrix_coefficients: 2,
    };
    let told = signal.colour_description.as_ref().unwrap_or(&unspecified);
    Some(Colour {
        primaries: told.colour_primaries,
        transfer: told.transfer_characteristics,
        matrix: told.matrix_coefficients,
        full_range: signal.video_full_range_flag,
    })
}

fn sequence_parameter_set() -> impl Strategy<Value = SeqParameterSet> {
    let chroma = prop_oneof![
        Just((77, ChromaInfo::default())),
        chroma_info().prop_map(|chroma| (244, chroma)),
    ];
    let order = prop_oneof![
        Just(PicOrderCntType::TypeTwo),
        (0u8..=12).prop_map(|bits| PicOrderCntType::TypeZero {
            log2_max_pic_order_cnt_lsb_minus4: bits
        }),
        (any::<bool>(), prop::collection::vec(-70_000..70_000, 0..20)).prop_map(
            |(flag, offsets)| PicOrderCntType::TypeOne {
                delta_pic_order_always_zero_flag: flag,
                offset_for_non_ref_pic: -3,
                offset_for_top_to_bottom_field: 70_000,
                offsets_for_ref_frame: offsets,
            }
        ),
    ];
    let fields = prop_oneof![
        Just(FrameMbsFlags::Frames),
        any::<bool>().prop_map(|adaptive| FrameMbsFlags::Fields {
            mb_adaptive_frame_field_flag: adaptive
        }),
    ];
    // Offsets that no chroma format turns into more than the smallest picture.
    let cropping = prop::option::of((0u32..3, 0u32..3, 0u32..2, 0u32..2).prop_map(
        |(left_offset, right_offset, top_offset, bottom_offset)| FrameCropping {
            left_offset,
            right_offset,
            top_offset,
            bottom_offset,
        },
    ));
    let size = (0u32..512, 0u32..512);
    (
        chroma,
        order,
        fields,
        cropping,
        size,
        0u32..32,
        any::<[u8; 2]>(),
        prop::option::of(vui()),
    )
        .prop_map(
            |(
                (profile, chroma_info),
                order,
                fields,
                cropping,
                size,
                id,
                [constraints, level],
                vui,
            )| {
                SeqParameterSet {
                    profile_idc: profile.into(),
                    constraint_flags: constraints.into(),
                    level_idc: level,
                    seq_parameter_set_id: SeqParamSetId::from_u32(id).expect("below 32"),
                    chroma_info,
                    log2_max_frame_num_minus4: 4,
                    pic_order_cnt: order,
                    max_num_ref_frames: 4,
                    gaps_in_frame_num_value_allowed_flag: false,
                    pic_width_in_mbs_minus1: size.0,
                    pic_height_in_map_units_minus1: size.1,
                    frame_mbs_flags: fields,
                    direct_8x8_inference_flag: true,
                    frame_cropping: cropping,
                    vui_parameters: vui,
                }
            },
        )
}

fn chroma_info() -> impl Strategy<Value = ChromaInfo> {
    let format = prop::sample::select(&[
        ChromaFormat::Monochrome,
        ChromaFormat::YUV420,
        ChromaFormat::YUV422,
        ChromaFormat::YUV444,
    ]);
    let list = prop::option::of(prop::collection::vec(scale(), 64));
    let lists = prop::option::of(prop::collection::vec(list, 12));
    (format, 0u8..=6, any::<bool>(), lists).prop_map(|(chroma_format, depth, bypass, lists)| {
        ChromaInfo {
            chroma_format,
            separate_colour_plane_flag: false,
            bit_depth_luma_minus8: depth,
            bit_depth_chroma_minus8: 0,
            qpprime_y_zero_transform_bypass_flag: bypass,
            scaling_matrix: lists.map(|lists| Box::new(scaling_matrix(chroma_format, &lists))),
        }
    })
}

fn scaling_matrix(chroma_format: ChromaFormat, lists: &[Option<Vec<u8>>]) -> SeqScalingMatrix {
    let four = |n: usize| Some(*lists[n].as_ref()?.first_chunk().expect("64 scales"));
    let eight = |n: usize| Some(*lists[6 + n].as_ref()?.first_chunk().expect("64 scales"));
    SeqScalingMatrix {
        scaling_lists4x4: ScalingLists4x4(std::array::from_fn(four)),
        scaling_lists8x8: match chroma_format {
            ChromaFormat::YUV444 => ScalingLists8x8::YCbCr(std::array::from_fn(eight)),
            _ => ScalingLists8x8::Y(std::array::from_fn(eight)),
        },
    }
}

/// Mostly a scale, sometimes the zero that ends a list.
fn scale() -> impl Strategy<Value = u8> {
    prop_oneof![1 => Just(0u8), 30 => 1u8..=255]
}

fn vui() -> impl Strategy<Value = VuiParameters> {
    let aspect = prop::option::of(prop_oneof![
        Just(AspectRatioInfo::Ratio1_1),
        Just(AspectRatioInfo::Extended(64, 45)),
    ]);
    let overscan = prop::sample::select(&[
        OverscanAppropriate::Unspecified,
        OverscanAppropriate::Appropriate,
        OverscanAppropriate::Inappropriate,
    ]);
    let description =
        prop::option::of(
            any::<[u8; 3]>().prop_map(|[one, two, three]| ColourDescription {
                colour_primaries: one,
                transfer_characteristics: two,
                matrix_coefficients: three,
            }),
        );
    let signal = prop::option::of(
        (any::<bool>(), description).prop_map(|(full, description)| VideoSignalType {
            video_full_range_flag: full,
            colour_description: description,
            ..VideoSignalType::default()
        }),
    );
    let location = prop::option::of((0u32..=5).prop_map(|kind| ChromaLocInfo {
        chroma_sample_loc_type_top_field: kind,
        chroma_sample_loc_type_bottom_field: kind,
    }));
    // Rates that a fraction of two u32 holds exactly.
    let timing =
        prop::option::of(
            (1u32..1 << 30, 1u32..=u32::MAX).prop_map(|(ticks, scale)| TimingInfo {
                num_units_in_tick: ticks,
                time_scale: scale,
                fixed_frame_rate_flag: true,
            }),
        );
    (aspect, overscan, signal, location, timing).prop_map(
        |(aspect, overscan, signal, location, timing)| VuiParameters {
            aspect_ratio_info: aspect,
            overscan_appropriate: overscan,
            video_signal_type: signal,
            chroma_loc_info: location,
            timing_info: timing,
            ..VuiParameters::default()
        },
    )
}
