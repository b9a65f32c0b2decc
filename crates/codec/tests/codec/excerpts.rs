//! The excerpts under `testdata`, and small edits to them.

use lookback_codec::Codec;

/// The bytes of an excerpt.
macro_rules! excerpt {
    ($name:literal) => {
        include_bytes!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/testdata/",
            $name,
            ".bin"
        ))
        .as_slice()
    };
}
pub(crate) use excerpt;

/// The head of a picture of every video codec, and more than one kind of each.
pub(crate) const VIDEO: [(Codec, &[u8]); 8] = [
    (Codec::H264, excerpt!("h264.0")),
    (Codec::H264, excerpt!("h264-open.3")),
    (Codec::H264, excerpt!("h264-refresh.12")),
    (Codec::Hevc, excerpt!("hevc.0")),
    (Codec::Hevc, excerpt!("hevc-open.3")),
    (Codec::Hevc, excerpt!("hevc-422.1")),
    (Codec::Mpeg2Video, excerpt!("mpeg2.4")),
    (Codec::Mpeg2Video, excerpt!("mpeg2-closed.4")),
];

/// A PES payload of every audio codec.
pub(crate) const AUDIO: [(Codec, &[u8]); 9] = [
    (Codec::AacAdts, excerpt!("aac.1")),
    (Codec::AacAdts, excerpt!("aac-41.0")),
    (Codec::AacLatm, excerpt!("latm.0")),
    (Codec::Opus, excerpt!("opus.1")),
    (Codec::Opus, excerpt!("opus.last")),
    (Codec::Ac3, excerpt!("ac3-44.1")),
    (Codec::Eac3, excerpt!("eac3.1")),
    (Codec::MpegAudio, excerpt!("mp2.1")),
    (Codec::MpegAudio, excerpt!("mp3-low.2")),
];

/// The NAL units of a head with their start codes, each of which has the zero byte in front.
pub(crate) fn nal_units(head: &[u8]) -> Vec<&[u8]> {
    let mut starts: Vec<usize> = head
        .windows(3)
        .enumerate()
        .filter(|(_, window)| *window == [0, 0, 1])
        .map(|(at, _)| {
            if at > 0 && head[at - 1] == 0 {
                at - 1
            } else {
                at
            }
        })
        .collect();
    starts.push(head.len());
    starts
        .windows(2)
        .map(|span| &head[span[0]..span[1]])
        .collect()
}

/// The first byte of a NAL unit.
pub(crate) fn header(unit: &[u8]) -> u8 {
    let prefix = unit.iter().position(|&byte| byte == 1);
    unit[prefix.expect("a unit begins with a start code") + 1]
}

/// The head without the NAL units whose first byte is `left_out`.
pub(crate) fn without(head: &[u8], left_out: &[u8]) -> Vec<u8> {
    let units = nal_units(head).into_iter();
    units
        .filter(|unit| !left_out.contains(&header(unit)))
        .flatten()
        .copied()
        .collect()
}

/// The head with the first byte of some NAL units changed.
pub(crate) fn retyped(head: &[u8], from: u8, to: u8) -> Vec<u8> {
    let mut result = Vec::new();
    for unit in nal_units(head) {
        let at = result.len() + unit.iter().position(|&byte| byte == 1).unwrap() + 1;
        result.extend(unit);
        if result[at] == from {
            result[at] = to;
        }
    }
    result
}
