//! Bytes that no encoder made: whatever comes, an answer comes back.

use lookback_codec::{
    Codec, Head, ParameterSets, audio_configuration, audio_duration, audio_format, audio_frames,
    codec_of_stream, hdr, inspect,
};
use proptest::prelude::*;

use crate::excerpts::{AUDIO, VIDEO};

const VIDEO_CODECS: [Codec; 3] = [Codec::H264, Codec::Hevc, Codec::Mpeg2Video];

/// Bytes in which start codes, emulation prevention and sync words are as common as in real ones.
fn soup() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        prop::collection::vec(any::<u8>(), 1..12),
        prop::collection::vec(prop::sample::select(&[0u8, 1, 2, 3, 0x80, 0xff]), 1..12),
        prop::sample::select(&[
            0x01u8, 0x05, 0x06, 0x07, 0x67, 0x68, 0x09, 0x26, 0x2a, 0x40, 0x42, 0x44, 0x46, 0x4e,
            0xb3, 0xb5, 0xb8, 0x00
        ])
        .prop_map(|header| vec![0, 0, 1, header, 1]),
        prop::sample::select(&[
            [0xff, 0xf1, 0x4c],
            [0x0b, 0x77, 0x12],
            [0xff, 0xfd, 0x14],
            [0x56, 0xe0, 0x20],
            [0x7f, 0xe0, 0x03]
        ])
        .prop_map(|sync| sync.to_vec()),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

/// A real head with some bytes changed.
fn damaged(excerpts: &'static [(Codec, &'static [u8])]) -> impl Strategy<Value = (Codec, Vec<u8>)> {
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8);
    (prop::sample::select(excerpts), changes).prop_map(|((codec, head), changes)| {
        let mut head = head.to_vec();
        for (at, byte) in changes {
            let at = at.index(head.len());
            head[at] = byte;
        }
        (codec, head)
    })
}

fn any_head() -> impl Strategy<Value = (Codec, Vec<u8>)> {
    prop_oneof![
        (prop::sample::select(&VIDEO_CODECS), soup()),
        damaged(&VIDEO)
    ]
}

fn any_payload() -> impl Strategy<Value = (Codec, Vec<u8>)> {
    let codecs = prop::sample::select(&AUDIO).prop_map(|(codec, _)| codec);
    prop_oneof![(codecs, soup()), damaged(&AUDIO)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn an_answer_that_was_found_stays(head in any_head(), cut in any::<prop::sample::Index>()) {
        let (codec, head) = head;
        let cut = cut.index(head.len() + 1);
        if let Head::Found(picture) = inspect(codec, &head[..cut]) {
            prop_assert_eq!(inspect(codec, &head), Head::Found(picture));
            prop_assert!(picture.insert_at <= cut);
        }
    }

    #[test]
    fn sets_come_from_the_head((codec, head) in any_head()) {
        let mut sets = ParameterSets::new(codec);
        let changed = sets.update(&head);
        let kept = sets.annex_b();
        prop_assert_eq!(changed, !kept.is_empty());
        // Each brings the first zero of its start code along at most.
        prop_assert!(kept.len() <= head.len() + head.len() / 3);
        prop_assert_eq!(sets.video_format().is_some_and(|format| format.width == 0 || format.height == 0), false);
        let mut again = ParameterSets::new(codec);
        let slice = match codec {
            Codec::H264 => &[0, 0, 1, 0x65][..],
            Codec::Hevc => &[0, 0, 1, 0x28, 0x01],
            _ => &[0, 0, 1, 0x00],
        };
        again.update(&[&kept[..], slice].concat());
        prop_assert_eq!(again, sets);
    }

    #[test]
    fn sound((codec, payload) in any_payload(), descriptors in prop::collection::vec(any::<u8>(), 0..20)) {
        if let Some(format) = audio_format(codec, &payload, &descriptors) {
            prop_assert!(format.channels > 0 && format.sample_rate > 0);
        }
        if let Some(duration) = audio_duration(codec, &payload) {
            prop_assert!(duration >= 0);
        }
    }

    #[test]
    fn frames((codec, payload) in any_payload(), descriptors in prop::collection::vec(any::<u8>(), 0..20)) {
        let mut last = 0;
        for frame in audio_frames(codec, &payload) {
            prop_assert!(frame.bytes.start >= last && frame.bytes.start < payload.len());
            prop_assert!(frame.bytes.len() >= frame.framing && frame.sample_rate > 0);
            last = frame.bytes.end;
        }
        let _told = audio_configuration(codec, &payload, &descriptors);
    }

    #[test]
    fn records((codec, head) in any_head()) {
        let mut sets = ParameterSets::new(codec);
        sets.update(&head);
        if let Some(record) = sets.decoder_configuration(false) {
            prop_assert!(sets.is_complete() && record[0] == 1);
        }
        let _told = hdr(codec, &head);
    }

    #[test]
    fn descriptors(stream_type in any::<u8>(), descriptors in prop::collection::vec(any::<u8>(), 0..40)) {
        let told = codec_of_stream(stream_type, &descriptors);
        if stream_type != 0x06 {
            prop_assert_eq!(told, codec_of_stream(stream_type, &[]));
        }
    }
}
