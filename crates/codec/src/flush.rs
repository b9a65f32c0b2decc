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

/// As many pictures as decoders of 16 threads keep.
const DELAYED_MAX: usize = 15;

/// OBS reads something new before each picture and each piece of sound that it takes out of what it has read
/// already. Where sound comes late that is much, so there has to be as much to be read: this many times 16.
const STEPS: usize = 3;

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

    /// Takes note of a picture. `head` are the first bytes of its unit, with its first slice header.
    /// `in_order` is whether it is shown when it is decoded: a keyframe for which that is not so announces
    /// that pictures are shown in another order than they come in.
    pub fn follow(&mut self, head: &[u8], random_access: bool, in_order: bool) {
        self.reorders = !in_order || self.reorders && !random_access;
        match &mut self.pictures {
            Pictures::H264(repeat) => repeat.follow(head, random_access),
            Pictures::Hevc(skipped) => skipped.follow(head, random_access, self.reorders),
            Pictures::Other => {}
        }
    }

    /// What has to stand in front of that picture, in the same unit.
    #[must_use]
    pub fn before(&self) -> &'static [u8] {
        match &self.pictures {
            Pictures::Hevc(skipped) => skipped.before(),
            _ => &[],
        }
    }

    /// What brings that picture out, to be sent behind its last slice in the same unit.
    pub fn behind(&mut self) -> &[u8] {
        match &mut self.pictures {
            // Of what is shown in another order, an end of sequence would change the order.
            Pictures::H264(_) if !self.reorders => &h264::ROUNDS,
            Pictures::Hevc(skipped) => skipped.behind(),
            _ => &[],
        }
    }

    /// What to send when nothing follows for the moment, each in a unit of its own: it brings out what
    /// [`behind`](Self::behind) does not. Where pictures are shown in another order than they come in, the next
    /// has to be a keyframe.
    pub fn rest(&mut self) -> Vec<Vec<u8>> {
        if !self.reorders {
            let behind = self.behind();
            return match behind.is_empty() {
                true => Vec::new(),
                false => vec![behind.to_vec(); STEPS],
            };
        }
        match &mut self.pictures {
            Pictures::H264(repeat) => repeat.units(),
            Pictures::Hevc(skipped) => skipped.end(),
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
        let mut rounds = |random_access, in_order| {
            flush.follow(&[], random_access, in_order);
            flush.behind() == h264::ROUNDS
        };
        assert!(rounds(true, true));
        assert!(rounds(false, true));
        assert!(!rounds(true, false));
        assert!(!rounds(false, true), "of a B-frame");
        assert!(rounds(true, true), "a group by itself");
        assert_eq!(flush.rest(), vec![h264::ROUNDS.to_vec(); STEPS]);
    }

    #[test]
    fn others_are_left_alone() {
        let mut flush = Flush::new(Codec::Mpeg2Video);
        flush.follow(&[], true, false);
        assert!(flush.before().is_empty() && flush.behind().is_empty());
        assert!(flush.rest().is_empty());
    }
}
