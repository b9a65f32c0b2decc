//! What the heads of real access units say.

use lookback_codec::{Access, Codec, Head, ParameterSets, Picture, inspect};

use crate::excerpts::{VIDEO, excerpt, retyped, without};

fn picture(codec: Codec, head: &[u8]) -> Picture {
    match inspect(codec, head) {
        Head::Found(picture) => picture,
        Head::NeedMore => panic!("the head reaches its picture"),
    }
}

/// Behind the delimiter that libavformat puts in front of every access unit.
const BEHIND_H264_DELIMITER: usize = 6;
const BEHIND_HEVC_DELIMITER: usize = 7;

#[test]
fn h264() {
    let at = |head: &[u8]| {
        let picture = picture(Codec::H264, head);
        assert_eq!(picture.insert_at, BEHIND_H264_DELIMITER);
        (picture.access, picture.has_parameter_sets, picture.intra)
    };
    let idr = (Access::Closed, true, true);
    let other = (Access::None, false, false);
    assert_eq!(at(excerpt!("h264.0")), idr, "with 700 bytes of SEI");
    assert_eq!(at(excerpt!("h264.1")), other, "P");
    assert_eq!(at(excerpt!("h264.2")), other, "P");
    assert_eq!(at(excerpt!("h264.4")), idr);
    assert_eq!(at(excerpt!("h264-1080i.2")), idr);
    assert_eq!(at(excerpt!("h264-baseline.1")), idr, "of four slices");

    assert_eq!(at(excerpt!("h264-open.2")), other, "B");
    assert_eq!(at(excerpt!("h264-open.3")), (Access::Open, true, true));
    assert_eq!(at(excerpt!("h264-open.4")), other, "B that is shown before");

    assert_eq!(at(excerpt!("h264-refresh.11")), other);
    assert_eq!(
        at(excerpt!("h264-refresh.12")),
        (Access::Gradual(11), true, false)
    );
    assert_eq!(at(excerpt!("h264-refresh.13")), other);
}

#[test]
fn h264_intra_picture_without_a_recovery_point_is_only_intra() {
    const SEI: u8 = 6;
    let head = without(excerpt!("h264-open.3"), &[SEI]);
    let found = picture(Codec::H264, &head);
    assert_eq!((found.access, found.intra), (Access::None, true));
}

#[test]
fn h264_recovery_point_of_no_frames_needs_an_intra_picture_to_be_open() {
    const RECOVERY_OF_NONE: &[u8] = &[0, 0, 1, 6, 6, 1, 0xc4, 0x80];
    let inter = without(excerpt!("h264.1"), &[]);
    let head = [RECOVERY_OF_NONE, &inter[BEHIND_H264_DELIMITER..]].concat();
    assert_eq!(picture(Codec::H264, &head).access, Access::Gradual(0));
}

#[test]
fn hevc() {
    let at = |head: &[u8]| {
        let picture = picture(Codec::Hevc, head);
        assert_eq!(picture.insert_at, BEHIND_HEVC_DELIMITER);
        (picture.access, picture.has_parameter_sets, picture.intra)
    };
    let idr = (Access::Closed, true, true);
    let other = (Access::None, false, false);
    assert_eq!(at(excerpt!("hevc.0")), idr);
    assert_eq!(at(excerpt!("hevc.1")), other, "P");
    assert_eq!(at(excerpt!("hevc.2")), other, "B");
    assert_eq!(at(excerpt!("hevc.4")), idr);

    assert_eq!(at(excerpt!("hevc-open.2")), other, "B");
    assert_eq!(
        at(excerpt!("hevc-open.3")),
        (Access::Open, true, true),
        "CRA"
    );
    assert_eq!(at(excerpt!("hevc-open.4")), other, "RASL");

    // x265 marks the start of a refresh by nothing but parameter sets.
    assert_eq!(at(excerpt!("hevc-refresh.10")), (Access::None, true, false));
}

#[test]
fn hevc_broken_link_pictures_are_open() {
    const CRA: u8 = 21 << 1;
    for broken_link in 16..=18 {
        let head = retyped(excerpt!("hevc-open.3"), CRA, broken_link << 1);
        assert_eq!(picture(Codec::Hevc, &head).access, Access::Open);
    }
}

#[test]
fn hevc_recovery_point() {
    // SEI, layer 0, message 6 of 1 byte: recovery_poc_cnt 3 (00110), 0 (1) and -1 (011).
    let at = |payload: u8| {
        let sei = [0, 0, 1, 39 << 1, 1, 6, 1, payload, 0x80];
        let head = [&sei, &excerpt!("hevc.1")[BEHIND_HEVC_DELIMITER..]].concat();
        picture(Codec::Hevc, &head).access
    };
    assert_eq!(at(0b0011_0001), Access::Gradual(3));
    assert_eq!(at(0b1000_1000), Access::Gradual(0));
    assert_eq!(at(0b0110_0010), Access::Gradual(0));
}

#[test]
fn hevc_slices_of_other_layers_are_passed_over() {
    const IDR: [u8; 2] = [20 << 1, 0x01];
    let enhancement = [0, 0, 1, IDR[0], 0x09, 0x80, 0x80];
    let head = [&enhancement, excerpt!("hevc.1")].concat();
    assert_eq!(picture(Codec::Hevc, &head).access, Access::None);
}

#[test]
fn mpeg2() {
    let at = |head: &[u8]| {
        let picture = picture(Codec::Mpeg2Video, head);
        assert_eq!(picture.insert_at, 0);
        (picture.access, picture.has_parameter_sets, picture.intra)
    };
    let other = (Access::None, false, false);
    assert_eq!(at(excerpt!("mpeg2.0")), (Access::Closed, true, true));
    assert_eq!(at(excerpt!("mpeg2.1")), other, "P");
    assert_eq!(at(excerpt!("mpeg2.2")), other, "B");
    assert_eq!(at(excerpt!("mpeg2.4")), (Access::Open, true, true));
    assert_eq!(at(excerpt!("mpeg2-closed.4")), (Access::Closed, true, true));
    assert_eq!(at(excerpt!("mpeg1.0")), (Access::Closed, true, true));
    assert_eq!(at(excerpt!("mpeg1.4")), (Access::Open, true, true));
}

#[test]
fn a_head_is_found_as_soon_as_its_slice_begins() {
    for (codec, head) in VIDEO {
        let first = (0..head.len()).find(|&end| inspect(codec, &head[..end]) != Head::NeedMore);
        let first = first.expect("the head reaches its picture");
        // The slice's start code, NAL header and two short codes; MPEG-2 a picture header.
        let start = head[..first]
            .windows(3)
            .rposition(|window| window == [0, 0, 1]);
        assert!(first - start.unwrap() <= 8, "{codec:?} after {first} bytes");
    }
}

#[test]
fn without_a_delimiter_parameter_sets_go_first() {
    let head = &excerpt!("h264.1")[BEHIND_H264_DELIMITER..];
    assert_eq!(picture(Codec::H264, head).insert_at, 0);
    let head = &excerpt!("hevc.1")[BEHIND_HEVC_DELIMITER..];
    assert_eq!(picture(Codec::Hevc, head).insert_at, 0);
}

#[test]
fn a_payload_that_begins_within_a_unit_is_not_split_there() {
    let head = [&[0x55, 0x66, 0x77], excerpt!("h264.1")].concat();
    assert_eq!(
        picture(Codec::H264, &head).insert_at,
        3 + BEHIND_H264_DELIMITER
    );
    let slice = &excerpt!("h264.1")[BEHIND_H264_DELIMITER..];
    let head = [&[0x55, 0x66, 0x77], slice].concat();
    assert_eq!(picture(Codec::H264, &head).insert_at, 3);
    let head = [&[0x55, 0, 0], excerpt!("mpeg2.1")].concat();
    assert_eq!(picture(Codec::Mpeg2Video, &head).insert_at, 3);
}

#[test]
fn a_picture_gets_the_parameter_sets_that_it_lacks() {
    const H264_SETS: &[u8] = &[0x67, 0x68];
    const HEVC_SETS: &[u8] = &[32 << 1, 33 << 1, 34 << 1];
    const SEQUENCE_HEADER: &[u8] = &[0xb3, 0xb5];
    for (codec, head) in VIDEO {
        let mut sets = ParameterSets::new(codec);
        sets.update(head);
        let lacking = match codec {
            Codec::H264 => without(head, H264_SETS),
            Codec::Hevc => without(head, HEVC_SETS),
            _ => without(head, SEQUENCE_HEADER),
        };
        let before = picture(codec, &lacking);
        assert!(!before.has_parameter_sets);

        let (front, back) = lacking.split_at(before.insert_at);
        let whole = [front, &sets.annex_b(), back].concat();
        let after = picture(codec, &whole);
        assert!(after.has_parameter_sets);
        assert_eq!(after.access, before.access);
        let mut again = ParameterSets::new(codec);
        again.update(&whole);
        assert_eq!(again, sets);
    }
}

#[test]
fn sound_has_no_pictures() {
    assert_eq!(inspect(Codec::AacAdts, excerpt!("h264.0")), Head::NeedMore);
}
