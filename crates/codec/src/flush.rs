//! What makes a decoder give a picture out at once.
//!
//! libavcodec works on several pictures at a time, one for each processor and one more, and keeps that many
//! less one until more come. Where a picture is to stand, it would not be seen. What helps are units that pass
//! for pictures, so that they push the others out, but which the decoder drops without a word. Which these
//! are depends on the codec.
//!
//! Where pictures are shown in another order than they come in, the decoder also keeps those that may have
//! to be shown after one that is still to come. Nothing but the end of the sequence, or later pictures, brings
//! them out: so that is for the moment at which the stream comes to rest, and it goes on from a keyframe.

use crate::Codec;

mod h264;
mod hevc;

/// Follows the pictures of one stream and says what to send with them.
#[derive(Debug)]
pub struct Flush {
    pictures: Pictures,
    reorders: bool,
}

#[derive(Debug)]
enum Pictures {
    H264(h264::Repeat),
    Hevc(hevc::Skipped),
    /// Nothing is known to help, or nothing is needed.
    Other,
}

/// What belongs to a picture, in the same unit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Around<'a> {
    /// In front of it.
    pub before: &'a [u8],
    /// Behind its last slice.
    pub behind: &'a [u8],
}

/// As many pictures as decoders of 16 threads keep.
const DELAYED_MAX: usize = 15;

impl Flush {
    /// For a stream that begins.
    #[must_use]
    pub fn new(codec: Codec) -> Self {
        let pictures = match codec {
            Codec::H264 => Pictures::H264(h264::Repeat::new()),
            Codec::Hevc => Pictures::Hevc(hevc::Skipped::new()),
            _ => Pictures::Other,
        };
        Self {
            pictures,
            reorders: false,
        }
    }

    /// What to send with a picture. `head` are the first bytes of its unit, with its first slice header.
    /// `in_order` is whether it is shown when it is decoded: a keyframe for which that is not so announces
    /// that pictures are shown in another order than they come in.
    pub fn around(&mut self, head: &[u8], random_access: bool, in_order: bool) -> Around<'_> {
        self.reorders = !in_order || self.reorders && !random_access;
        match &mut self.pictures {
            Pictures::H264(repeat) => {
                repeat.follow(head, random_access);
                // Of what is shown in another order, an end of sequence would change the order.
                Around {
                    before: &[],
                    behind: if self.reorders { &[] } else { &h264::ROUNDS },
                }
            }
            Pictures::Hevc(skipped) => skipped.around(head, random_access, self.reorders),
            Pictures::Other => Around::default(),
        }
    }

    /// What to send when nothing follows for the moment, each in a unit of its own: it brings out what
    /// [`around`](Self::around) does not. If there is anything, the next picture has to be a keyframe.
    pub fn rest(&mut self) -> Vec<Vec<u8>> {
        match &mut self.pictures {
            _ if !self.reorders => Vec::new(),
            Pictures::H264(repeat) => repeat.units(),
            Pictures::Hevc(skipped) => skipped.end().into_iter().collect(),
            Pictures::Other => Vec::new(),
        }
    }
}

/// A NAL unit with a start code in front.
fn unit(header: &[u8], content: &[u8]) -> Vec<u8> {
    [&[0, 0, 1], header, content].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keyframe_says_whether_pictures_come_in_order() {
        let mut flush = Flush::new(Codec::H264);
        let rounds = |around: Around<'_>| around.behind == h264::ROUNDS;
        assert!(rounds(flush.around(&[], true, true)));
        assert!(rounds(flush.around(&[], false, true)));
        assert!(!rounds(flush.around(&[], true, false)));
        assert!(!rounds(flush.around(&[], false, true)), "of a B-frame");
        assert!(rounds(flush.around(&[], true, true)), "a group by itself");
        assert!(flush.rest().is_empty());
    }

    #[test]
    fn others_are_left_alone() {
        let mut flush = Flush::new(Codec::Mpeg2Video);
        assert_eq!(flush.around(&[], true, false), Around::default());
        assert!(flush.rest().is_empty());
    }
}
