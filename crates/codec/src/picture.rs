//! Where a video stream can be entered: what the first bytes of an access unit say of its picture.
//!
//! A recorder sees an access unit grow packet by packet. It calls [`inspect`] on what is there until
//! the answer is [`Head::Found`]; once found, more bytes never change the answer.

use crate::{Codec, h264, hevc, mpeg2};

/// What the bytes of an access unit that are there so far say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Head {
    /// They do not reach the picture yet, or hold none.
    NeedMore,
    /// They reach the picture.
    Found(Picture),
}

/// A picture, as the bytes up to its first slice describe it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Picture {
    /// Whether decoding can begin here.
    pub access: Access,
    /// Whether all that a decoder must know first lies in front of the picture: SPS and PPS, with
    /// VPS for HEVC; the sequence header for MPEG-2.
    pub has_parameter_sets: bool,
    /// Whether the picture, as far as its first slice tells, refers to no other.
    ///
    /// Some H.264 encoders begin an open group of pictures with no mark but the container's random
    /// access indicator: with that indicator an intra picture can be taken for [`Access::Open`]. For
    /// HEVC it is true for pictures that say so by their type alone (IDR, CRA, BLA).
    pub intra: bool,
    /// Where in the bytes parameter sets can be put: behind the access unit delimiter when there is
    /// one, otherwise before the first start code.
    pub insert_at: usize,
}

/// How decoding can begin at a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Nothing that follows refers to anything before: IDR, an MPEG-2 I picture of a closed group.
    Closed,
    /// The picture stands alone, but pictures that follow it in the stream and are shown before it
    /// may refer to what came earlier: CRA, BLA, an intra picture with a recovery point of 0 frames,
    /// an MPEG-2 I picture of an open group.
    Open,
    /// The picture is only right after so many further frames (HEVC: after so many steps of picture
    /// order count): a recovery point of periodic intra refresh.
    Gradual(u16),
    /// Decoding cannot begin here.
    None,
}

/// Reads the head of a video access unit: its bytes from the start of the PES payload, as many as
/// there are so far. For an audio codec there is no picture to be found.
#[must_use]
pub fn inspect(codec: Codec, head: &[u8]) -> Head {
    let found = match codec {
        Codec::H264 => h264::picture(head),
        Codec::Hevc => hevc::picture(head),
        Codec::Mpeg2Video => mpeg2::picture(head),
        _ => None,
    };
    found.map_or(Head::NeedMore, Head::Found)
}
