//! A picture as MP4 has it: NAL units with their lengths in front, where a byte stream has start codes.
//!
//! Some units stay out. Parameter sets stand in the sample description; only where they change they
//! stay in the pictures as well. Access unit delimiters say what the file's index says. Filler (14496-15
//! 5.2.3 and 8.3.2 do not want it in files) is there to keep a constant bit rate, which a file has no use
//! for; a stream can be half of it.

use std::ops::Range;

use lookback_codec::Codec;
use memchr::memmem;

/// What is done with a NAL unit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    /// Goes into the sample.
    Content,
    /// A parameter set.
    Parameters,
    /// Stays out.
    Dropped,
}

/// The kind of a unit that begins with `header`.
pub(crate) fn kind(codec: Codec, header: u8) -> Kind {
    match (codec, header & 0x1f, header >> 1 & 0x3f) {
        (Codec::H264, 7 | 8, _) => Kind::Parameters,
        (Codec::H264, 9 | 12, _) => Kind::Dropped,
        (Codec::Hevc, _, 32..=34) => Kind::Parameters,
        (Codec::Hevc, _, 35 | 38) => Kind::Dropped,
        _ => Kind::Content,
    }
}

/// Finds NAL units.
pub(crate) struct Splitter(memmem::Finder<'static>);

impl Splitter {
    pub(crate) fn new() -> Self {
        Self(memmem::Finder::new(&[0, 0, 1]))
    }

    /// The units of a picture, without start codes and the zeros around them.
    pub(crate) fn units<'a>(
        &'a self,
        picture: &'a [u8],
    ) -> impl Iterator<Item = Range<usize>> + 'a {
        let mut start = self.behind_start_code(picture, 0);
        std::iter::from_fn(move || {
            loop {
                let from = start?;
                start = self.behind_start_code(picture, from);
                let end = start.map_or(picture.len(), |next| next - 3);
                // The last byte of a unit is never zero.
                let zeros = picture[from..end].iter().rev();
                let end = end - zeros.take_while(|&&byte| byte == 0).count();
                if from < end {
                    return Some(from..end);
                }
            }
        })
    }

    fn behind_start_code(&self, picture: &[u8], from: usize) -> Option<usize> {
        Some(from + self.0.find(&picture[from..])? + 3)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn units_lie_between_start_codes() {
        let picture = [
            7, 0, 0, 0, 1, 9, 5, 0, 0, 0, 1, 0x67, 0, 0, 1, 0, 0, 1, 0x65, 1, 0, 0,
        ];
        let splitter = Splitter::new();
        let units: Vec<&[u8]> = splitter
            .units(&picture)
            .map(|unit| &picture[unit])
            .collect();
        assert_eq!(units, [&[9, 5][..], &[0x67], &[0x65, 1]]);
    }

    #[test]
    fn only_what_a_file_has_no_use_for_stays_out() {
        let h264: Vec<Kind> = [0x65, 0x41, 0x06, 0x67, 0x68, 0x09, 0x0c, 0x0b]
            .map(|header| kind(Codec::H264, header))
            .to_vec();
        use Kind::{Content, Dropped, Parameters};
        assert_eq!(
            h264,
            [
                Content, Content, Content, Parameters, Parameters, Dropped, Dropped, Content
            ]
        );
        let hevc = [19, 1, 32, 33, 34, 35, 38, 39].map(|kind_of| kind(Codec::Hevc, kind_of << 1));
        assert_eq!(
            hevc,
            [
                Content, Content, Parameters, Parameters, Parameters, Dropped, Dropped, Content
            ]
        );
    }

    proptest! {
        #[test]
        fn units_are_what_was_put_between_start_codes(
            contents in prop::collection::vec(prop::collection::vec(1u8.., 1..40), 0..6),
            zeros in prop::collection::vec(2usize..5, 6),
        ) {
            let mut picture = Vec::new();
            for (content, &zeros) in contents.iter().zip(&zeros) {
                picture.resize(picture.len() + zeros, 0);
                picture.push(1);
                picture.extend(content);
            }
            let splitter = Splitter::new();
            let units: Vec<&[u8]> = splitter.units(&picture).map(|unit| &picture[unit]).collect();
            prop_assert_eq!(units, contents);
        }

        #[test]
        fn any_bytes_give_units_that_end_well(picture in prop::collection::vec(0u8..3, 0..64)) {
            let splitter = Splitter::new();
            let mut last = 0;
            for unit in splitter.units(&picture) {
                prop_assert!(unit.start >= last + 3 && unit.start < unit.end);
                prop_assert!(picture[unit.end - 1] != 0);
                prop_assert!(!picture[unit.clone()].windows(3).any(|bytes| bytes == [0, 0, 1]));
                last = unit.end;
            }
        }
    }
}
