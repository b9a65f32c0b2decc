//! What makes a decoder give a picture out at once.
//!
//! libavcodec works on several pictures at a time, one for each processor and one more, and keeps that many
//! less one until more come. Where a picture is to stand, it would not be seen. On an end of sequence the
//! decoder gives out one delayed picture; that it looks at it, there has to be something in front that passes
//! for a picture: a redundant slice (ITU-T H.264, 7.4.3), which every decoder drops. It refers to parameter
//! sets of its own, so that nothing need be known of the stream.

use crate::Codec;

/// To be put behind a picture, into the same unit. Only for streams whose pictures are shown in the order in
/// which they come: of others it would change the order. Empty where nothing is known to help.
pub const fn flush(codec: Codec) -> &'static [u8] {
    match codec {
        Codec::H264 => &H264,
        _ => &[],
    }
}

/// As many pictures as decoders of 16 threads keep.
const DELAYED_MAX: usize = 15;

const DELIMITER: [u8; 6] = [0, 0, 0, 1, 0x09, 0xf0];

/// A sequence parameter set with id 31, a picture parameter set with id 255 that has redundant pictures.
const PARAMETERS: [u8; 21] = [
    0, 0, 1, 0x67, 0x42, 0xc0, 0x0a, 0x04, 0x16, 0x9e, 0x40, //
    0, 0, 1, 0x68, 0x00, 0x80, 0x02, 0x03, 0x8e, 0x60,
];

/// A redundant slice, an end of sequence, a delimiter.
const ROUND: [u8; 19] = [
    0, 0, 1, 0x01, 0x88, 0x00, 0x80, 0x02, 0xc0, //
    0, 0, 1, 0x0a, //
    0, 0, 0, 1, 0x09, 0xf0,
];

const HEAD_LEN: usize = DELIMITER.len() + PARAMETERS.len();

/// One round more than is needed, without its delimiter. For libavformat the next picture begins with the
/// first byte behind a round: where that is one of these, it misses the timestamp, which comes later.
const LEN: usize = HEAD_LEN + (DELAYED_MAX + 1) * ROUND.len() - DELIMITER.len();

const H264: [u8; LEN] = {
    let mut bytes = [0; LEN];
    let mut at = 0;
    while at < LEN {
        bytes[at] = if at < DELIMITER.len() {
            DELIMITER[at]
        } else if at < HEAD_LEN {
            PARAMETERS[at - DELIMITER.len()]
        } else {
            ROUND[(at - HEAD_LEN) % ROUND.len()]
        };
        at += 1;
    }
    bytes
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_a_picture_is_whole_units_and_no_picture() {
        let units: Vec<u8> = flush(Codec::H264)
            .windows(4)
            .filter(|bytes| bytes.starts_with(&[0, 0, 1]))
            .map(|bytes| bytes[3] & 0x1f)
            .collect();
        assert_eq!(units[..3], [9, 7, 8]);
        let rounds = units[3..].chunks_exact(3);
        assert_eq!(rounds.remainder(), [1, 10], "no delimiter at the end");
        assert_eq!(
            rounds.filter(|round| *round == [1, 10, 9]).count(),
            DELAYED_MAX
        );
        assert!(flush(Codec::Hevc).is_empty());
    }
}
