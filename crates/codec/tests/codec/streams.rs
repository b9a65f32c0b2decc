//! Entries of program map tables, as libavformat and broadcasters write them.

use lookback_codec::{Codec, codec_of_stream};

#[test]
fn stream_types() {
    let of = |stream_type| codec_of_stream(stream_type, &[]);
    assert_eq!(of(0x01), Some(Codec::Mpeg2Video));
    assert_eq!(of(0x02), Some(Codec::Mpeg2Video));
    assert_eq!(of(0x03), Some(Codec::MpegAudio));
    assert_eq!(of(0x04), Some(Codec::MpegAudio));
    assert_eq!(of(0x0f), Some(Codec::AacAdts));
    assert_eq!(of(0x11), Some(Codec::AacLatm));
    assert_eq!(of(0x1b), Some(Codec::H264));
    assert_eq!(of(0x24), Some(Codec::Hevc));
    assert_eq!(of(0x81), Some(Codec::Ac3));
    assert_eq!(of(0x87), Some(Codec::Eac3));
    assert_eq!(of(0x06), None);
    assert_eq!(of(0x33), None, "VVC is passed on");
}

#[test]
fn private_data_is_named_by_its_descriptors() {
    let of = |descriptors: &[u8]| codec_of_stream(0x06, descriptors);
    assert_eq!(of(b"\x05\x04Opus\x7f\x02\x80\x02"), Some(Codec::Opus));
    assert_eq!(of(b"\x7f\x02\x80\x02"), Some(Codec::Opus));
    assert_eq!(of(b"\x05\x04AC-3"), Some(Codec::Ac3));
    assert_eq!(of(b"\x05\x04EAC3"), Some(Codec::Eac3));
    assert_eq!(of(b"\x05\x04EC-3"), Some(Codec::Eac3));
    assert_eq!(of(b"\x05\x06HEVC\x01\x02"), Some(Codec::Hevc));
    assert_eq!(
        of(b"\x0a\x04eng\x00\x6a\x01\x00"),
        Some(Codec::Ac3),
        "behind a language"
    );
    assert_eq!(of(b"\x7a\x00"), Some(Codec::Eac3));
    assert_eq!(of(b"\x59\x08eng\x10\x00\x01\x00\x01"), None, "subtitles");
    assert_eq!(of(b"\x7f\x02\x06\x02"), None, "another extension");
    assert_eq!(of(b"\x05\x04KLVA"), None);
}

#[test]
fn descriptors_that_overrun_are_not_read() {
    assert_eq!(codec_of_stream(0x06, b"\x05\x05Opus"), None);
    assert_eq!(codec_of_stream(0x06, b"\x05"), None);
    assert_eq!(codec_of_stream(0x06, b"\x05\x02Op\x6a"), None);
}

#[test]
fn a_codec_is_either_seen_or_heard() {
    for codec in [Codec::H264, Codec::Hevc, Codec::Mpeg2Video] {
        assert!(codec.is_video() && !codec.is_audio());
    }
    for codec in [
        Codec::AacAdts,
        Codec::AacLatm,
        Codec::Ac3,
        Codec::Eac3,
        Codec::MpegAudio,
        Codec::Opus,
    ] {
        assert!(codec.is_audio() && !codec.is_video());
    }
    assert_eq!(Codec::H264.name(), "H.264");
}
