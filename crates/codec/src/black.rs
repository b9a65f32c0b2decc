//! A black picture, for a stream that has nothing to show.
//!
//! It is a keyframe with parameter sets of its own, under ids that encoders do not use, so that it stands in a
//! stream without touching what comes before and after it.

use crate::{Codec, VideoFormat};

mod cabac;
mod h264;
mod hevc;

/// A picture of the size of `format`, in 8 bits and 4:2:0, as one access unit with start codes. `None` where
/// no black is known of the codec, or the size is none that it can have.
#[must_use]
pub fn black(format: &VideoFormat) -> Option<Vec<u8>> {
    let (width, height) = (format.width, format.height);
    let is_possible = (1..=SIDE_MAX).contains(&width) && (1..=SIDE_MAX).contains(&height);
    match format.codec {
        Codec::H264 if is_possible => Some(h264::picture(width, height)),
        Codec::Hevc if is_possible => Some(hevc::picture(width, height)),
        _ => None,
    }
}

/// Decoders take no longer side, although level 6.2 has one.
const SIDE_MAX: u32 = 8192;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Access, Head, inspect};

    fn format(codec: Codec, width: u32, height: u32) -> VideoFormat {
        VideoFormat {
            codec,
            codec_string: String::new(),
            width,
            height,
            frame_rate: None,
            bit_depth: 8,
            colour: None,
            sample_aspect: None,
        }
    }

    #[test]
    fn it_is_a_keyframe_of_its_size() {
        let sizes = [(1920, 1080), (640, 360), (2, 2), (3840, 2160)];
        let codecs = [Codec::H264, Codec::Hevc];
        for (codec, (width, height)) in codecs
            .iter()
            .flat_map(|codec| sizes.map(|size| (*codec, size)))
        {
            let picture = black(&format(codec, width, height)).expect("a possible size");
            let mut sets = crate::ParameterSets::new(codec);
            assert!(sets.update(&picture) && sets.is_complete());
            let told = sets.video_format().expect("known");
            assert_eq!((told.width, told.height), (width, height));
            let Head::Found(found) = inspect(codec, &picture) else {
                panic!("a picture")
            };
            assert_eq!(found.access, Access::Closed);
            assert!(picture.len() < 40_000, "{}", picture.len());
        }
    }

    #[test]
    fn what_has_no_black_has_none() {
        assert_eq!(black(&format(Codec::Mpeg2Video, 640, 360)), None);
        assert_eq!(black(&format(Codec::H264, 0, 360)), None);
        assert_eq!(black(&format(Codec::H264, 640, 100_000)), None);
    }
}
