//! Formats as ffprobe gives them for the same streams, and what is remembered of a stream.

use lookback_codec::{Codec, Colour, ParameterSets, VideoFormat};
use proptest::prelude::*;

use crate::excerpts::{VIDEO, excerpt, header, nal_units};

fn sets(codec: Codec, head: &[u8]) -> ParameterSets {
    let mut sets = ParameterSets::new(codec);
    assert!(sets.update(head));
    sets
}

fn format(codec: Codec, head: &[u8]) -> VideoFormat {
    let sets = sets(codec, head);
    assert!(sets.is_complete());
    sets.video_format().expect("the head has parameter sets")
}

/// A format in short: codec string, size, rate, depth.
fn brief(codec: Codec, head: &[u8]) -> (String, (u32, u32), (u32, u32), u8) {
    let format = format(codec, head);
    assert_eq!(format.codec, codec);
    let rate = format.frame_rate.expect("the encoder tells a rate");
    (
        format.codec_string,
        (format.width, format.height),
        rate,
        format.bit_depth,
    )
}

fn is(
    string: &str,
    size: (u32, u32),
    rate: (u32, u32),
    depth: u8,
) -> (String, (u32, u32), (u32, u32), u8) {
    (string.to_owned(), size, rate, depth)
}

const HDR: Colour = Colour {
    primaries: 9,
    transfer: 16,
    matrix: 9,
    full_range: false,
};

fn unspecified(full_range: bool) -> Option<Colour> {
    Some(Colour {
        primaries: 2,
        transfer: 2,
        matrix: 2,
        full_range,
    })
}

#[test]
fn h264_formats() {
    let of = |head| brief(Codec::H264, head);
    assert_eq!(
        of(excerpt!("h264.0")),
        is("avc1.64001f", (1280, 720), (30, 1), 8)
    );
    assert_eq!(
        of(excerpt!("h264-open.3")),
        is("avc1.64001e", (640, 360), (25, 1), 8)
    );
    assert_eq!(
        of(excerpt!("h264-1080i.2")),
        is("avc1.4d4028", (1920, 1080), (25, 1), 8)
    );
    assert_eq!(
        of(excerpt!("h264-hdr.1")),
        is("avc1.6e1028", (1920, 1080), (24_000, 1001), 10)
    );
    assert_eq!(
        of(excerpt!("h264-422.1")),
        is("avc1.7a101f", (720, 576), (50, 1), 8)
    );
    assert_eq!(
        of(excerpt!("h264-444.1")),
        is("avc1.f41015", (322, 182), (60_000, 1001), 8)
    );
    assert_eq!(
        of(excerpt!("h264-baseline.1")),
        is("avc1.42c00d", (320, 240), (30, 1), 8)
    );
}

#[test]
fn hevc_formats() {
    let of = |head| brief(Codec::Hevc, head);
    assert_eq!(
        of(excerpt!("hevc.0")),
        is("hvc1.1.6.L93.90", (1280, 720), (30, 1), 8)
    );
    assert_eq!(
        of(excerpt!("hevc-open.3")),
        is("hvc1.1.6.L63.90", (640, 360), (25, 1), 8)
    );
    assert_eq!(
        of(excerpt!("hevc-refresh.10")),
        is("hvc1.1.6.L90.90", (640, 480), (25, 1), 8)
    );
    assert_eq!(
        of(excerpt!("hevc-hdr.2")),
        is("hvc1.2.4.L120.90", (1920, 1080), (24_000, 1001), 10)
    );
    // With all scaling lists in the SPS.
    assert_eq!(
        of(excerpt!("hevc-422.1")),
        is("hvc1.4.10.L90.99.28", (722, 406), (50, 1), 12)
    );
    // With two temporal layers.
    assert_eq!(
        of(excerpt!("hevc-layers.0")),
        is("hvc1.1.6.L63.90", (640, 360), (30, 1), 8)
    );
}

#[test]
fn mpeg2_formats() {
    let of = |head| brief(Codec::Mpeg2Video, head);
    assert_eq!(
        of(excerpt!("mpeg2.0")),
        is("mp4v.61", (720, 576), (25, 1), 8)
    );
    assert_eq!(
        of(excerpt!("mpeg2-closed.4")),
        is("mp4v.61", (1920, 1080), (30_000, 1001), 8)
    );
    assert_eq!(
        of(excerpt!("mpeg2-422.1")),
        is("mp4v.65", (1280, 720), (60_000, 1001), 8)
    );
    assert_eq!(
        of(excerpt!("mpeg1.4")),
        is("mp4v.6A", (352, 288), (24, 1), 8)
    );
}

#[test]
fn colours() {
    assert_eq!(format(Codec::H264, excerpt!("h264.0")).colour, None);
    assert_eq!(
        format(Codec::H264, excerpt!("h264-444.1")).colour,
        unspecified(true)
    );
    assert_eq!(
        format(Codec::H264, excerpt!("h264-hdr.1")).colour,
        Some(HDR)
    );
    assert_eq!(
        format(Codec::Hevc, excerpt!("hevc.0")).colour,
        unspecified(false)
    );
    assert_eq!(
        format(Codec::Hevc, excerpt!("hevc-hdr.2")).colour,
        Some(HDR)
    );
    assert_eq!(format(Codec::Mpeg2Video, excerpt!("mpeg2.0")).colour, None);
    let sd = Colour {
        primaries: 6,
        transfer: 6,
        matrix: 6,
        full_range: false,
    };
    assert_eq!(
        format(Codec::Mpeg2Video, excerpt!("mpeg2-closed.4")).colour,
        Some(sd)
    );
}

#[test]
fn what_is_known_is_no_change() {
    for (codec, head) in VIDEO {
        let mut sets = sets(codec, head);
        let before = sets.clone();
        assert!(!sets.update(head));
        assert_eq!(sets, before);
    }
}

#[test]
fn pictures_without_sets_are_no_change() {
    let mut known = sets(Codec::H264, excerpt!("h264.0"));
    assert!(!known.update(excerpt!("h264.1")));
    let mut known = sets(Codec::Hevc, excerpt!("hevc.0"));
    assert!(!known.update(excerpt!("hevc.1")));
    let mut known = sets(Codec::Mpeg2Video, excerpt!("mpeg2.0"));
    assert!(!known.update(excerpt!("mpeg2.1")));
}

#[test]
fn a_set_takes_the_place_of_the_one_with_its_id() {
    for (codec, old, new) in [
        (Codec::H264, excerpt!("h264.0"), excerpt!("h264-open.3")),
        (Codec::Hevc, excerpt!("hevc.0"), excerpt!("hevc-open.3")),
        (
            Codec::Mpeg2Video,
            excerpt!("mpeg2.0"),
            excerpt!("mpeg2-closed.4"),
        ),
    ] {
        let mut changed = sets(codec, old);
        assert!(changed.update(new));
        assert_eq!(changed, sets(codec, new));
    }
}

#[test]
fn sets_that_came_one_by_one_go_out_in_their_order() {
    let head = excerpt!("hevc.0");
    let [_, vps, sps, pps, slice, ..] = nal_units(head)[..] else {
        panic!("a delimiter, three sets and a slice");
    };
    let mut late = ParameterSets::new(Codec::Hevc);
    for set in [pps, sps, vps] {
        assert!(!late.is_complete());
        assert!(late.update(&[set, slice].concat()));
    }
    assert!(late.is_complete());
    assert_eq!(late.annex_b(), [vps, sps, pps].concat());
    assert_eq!(late, sets(Codec::Hevc, head));
}

#[test]
fn sets_with_other_ids_are_kept_beside() {
    let mut two = sets(Codec::H264, excerpt!("h264.0"));
    let before = two.annex_b();
    // pps id 1 of sps 0: 010 1 ...
    let pps = [0, 0, 0, 1, 0x68, 0b0101_1000];
    let slice = [0, 0, 1, 0x65];
    assert!(two.update(&[&pps[..], &slice].concat()));
    assert_eq!(two.annex_b(), [&before[..], &pps].concat());
}

#[test]
fn sets_behind_the_first_slice_belong_to_no_head() {
    for (codec, head) in VIDEO {
        let slice = match codec {
            Codec::H264 => excerpt!("h264.1"),
            Codec::Hevc => excerpt!("hevc.1"),
            _ => excerpt!("mpeg2.1"),
        };
        let mut none = ParameterSets::new(codec);
        assert!(!none.update(&[slice, head].concat()));
        assert_eq!(none.video_format(), None);
    }
}

#[test]
fn mpeg2_user_data_stays_with_its_sequence_header() {
    let head = excerpt!("mpeg2.0");
    let group = nal_units(head).iter().position(|unit| header(unit) == 0xb8);
    let at: usize = nal_units(head)[..group.unwrap()]
        .iter()
        .map(|unit| unit.len())
        .sum();
    let user_data = [0, 0, 1, 0xb2, b'h', b'i', 0, 0, 0];
    let told = [&head[..at], &user_data, &head[at..]].concat();
    let sets = sets(Codec::Mpeg2Video, &told);
    assert!(
        sets.annex_b()
            .windows(6)
            .any(|window| window == &user_data[..6])
    );
    assert_eq!(sets.video_format(), Some(format(Codec::Mpeg2Video, head)));
}

#[test]
fn unusable_sets_are_not_kept() {
    let slice = &[0, 0, 1, 0x65, 0x88][..];
    let short_sps = &[0, 0, 1, 0x67, 100, 0, 31, 0x80][..];
    let pps_of_id_256 = &[0, 0, 1, 0x68, 0x00, 0x80, 0xc0][..];
    let mut sets = ParameterSets::new(Codec::H264);
    assert!(!sets.update(&[short_sps, pps_of_id_256, slice].concat()));
    assert!(sets.annex_b().is_empty());
}

#[test]
fn sound_has_no_sets() {
    let mut sets = ParameterSets::new(Codec::Opus);
    assert!(!sets.update(excerpt!("h264.0")));
    assert!(!sets.is_complete());
    assert_eq!(sets.video_format(), None);
}

/// A head that grows as packets come in never brings a set that is cut.
#[test]
fn cut_sets_are_not_taken() {
    for (codec, head) in VIDEO {
        let whole = sets(codec, head);
        let bytes = whole.annex_b();
        // A sequence header with its extensions is one set.
        let mut ends = vec![0, bytes.len()];
        if codec != Codec::Mpeg2Video {
            ends.extend(nal_units(&bytes).iter().scan(0, |end, unit| {
                *end += unit.len();
                Some(*end)
            }));
        }
        for cut in 0..head.len() {
            let mut growing = ParameterSets::new(codec);
            growing.update(&head[..cut]);
            let kept = growing.annex_b();
            assert!(
                bytes.starts_with(&kept) && ends.contains(&kept.len()),
                "{codec:?} to {cut}"
            );
            growing.update(head);
            assert_eq!(growing, whole);
        }
    }
}

#[test]
fn a_set_of_absurd_size_is_not_kept() {
    let mut known = sets(Codec::H264, excerpt!("h264.0"));
    let before = known.clone();
    let pps = [&[0, 0, 1, 0x68, 0b0101_1000][..], &[0x55; 9000]].concat();
    assert!(!known.update(&[&pps[..], &[0, 0, 1, 0x65]].concat()));
    assert_eq!(known, before);
}

proptest! {
    /// However many sets come, they stay below the bound, and the stream's own come through.
    #[test]
    fn what_is_kept_is_bounded(lengths in prop::collection::vec(1usize..9000, 1..60)) {
        let mut sets = ParameterSets::new(Codec::H264);
        let head = excerpt!("h264.0");
        let [sps, pps] = [0x67, 0x68].map(|wanted| {
            let units = nal_units(head);
            units.into_iter().find(|unit| header(unit) == wanted).unwrap()
        });
        let slice = [0, 0, 1, 0x65];
        for (id, &length) in lengths.iter().enumerate() {
            // A PPS with id + 1 in 15 bits of Exp-Golomb, id at least 127, and much behind it.
            let code = u16::try_from(id + 128).unwrap() << 1 | 1;
            let mut set = vec![0, 0, 1, 0x68];
            set.extend(code.to_be_bytes());
            set.resize(6 + length, 0x55);
            sets.update(&[&set[..], &slice].concat());
            prop_assert!(sets.annex_b().len() <= 65 * 1024);
        }
        sets.update(&[sps, pps, &slice[..]].concat());
        prop_assert!(sets.is_complete());
        prop_assert_eq!(sets.video_format(), Some(format(Codec::H264, head)));
    }
}
