//! Clips as MP4 files that exist only while they are read.
//!
//! A clip is a pin on a transport stream in memory. Its file is made of it in two steps: one pass over
//! the clip finds the samples (pictures, frames of sound), and of that the header is written. The
//! samples themselves are copied together from the log when their part of the file is read: packets fall
//! away, start codes become lengths, headers of sound frames stay out. So a file has an exact length, any
//! part of it can be read at once, and nothing is written anywhere.
//!
//! ```text
//! ftyp  moov                                     mdat
//!       mvhd  trak                               picture sound picture sound sound picture ..
//!             tkhd  edts  mdia                   (in the order in which they were recorded)
//!                   elst  mdhd  hdlr  minf
//!                                     vmhd/smhd  dinf  stbl
//!                                                      stsd stts ctts cslg stss stsz stsc stco
//! ```
//!
//! [`Mp4`] is such a file; [`Segment`] a piece of a fragmented one, for HLS. Both hold what they have found,
//! counted in the recorder's memory, and read through the clip: where that was let go, so are they.
//!
//! Numbers of sections refer to ISO/IEC 14496-12 (boxes), 14496-14 (MP4) and 14496-15 (NAL units); AC-3 is
//! in ETSI TS 102 366 Annex F, Opus in "Encapsulation of Opus in ISO Base Media File Format".
#![forbid(unsafe_code)]

mod boxes;
mod content;
mod entry;
mod file;
mod movie;
mod nal;
mod picture;
mod reach;
mod scan;
mod segment;
mod sound;
mod timing;

use std::fmt;

use lookback_codec::Codec;
use lookback_replay::Gone;

pub use content::Place;
pub use file::{Mp4, Plan};
pub use scan::language;
pub use segment::Segment;

/// Why there is no file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The clip was let go.
    #[error(transparent)]
    Gone(#[from] Gone),
    /// An MP4 cannot carry what there is to be seen, or, without pictures, to be heard.
    #[error("an MP4 cannot carry {}", list(.0))]
    Unsupported(Vec<LeftOut>),
    /// Nothing lies between the two moments.
    #[error("nothing of the clip lies in the span")]
    EmptySpan,
}

/// Whether a file can have streams of this codec: pictures as the first stream of a program only.
pub fn carries(codec: Codec) -> bool {
    matches!(
        codec,
        Codec::H264
            | Codec::Hevc
            | Codec::AacAdts
            | Codec::Ac3
            | Codec::Eac3
            | Codec::MpegAudio
            | Codec::Opus
    )
}

/// A stream that is not in a file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LeftOut {
    /// What it carries.
    pub codec: Codec,
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.codec.name())
    }
}

fn list(left_out: &[LeftOut]) -> String {
    let names: Vec<&str> = left_out.iter().map(|stream| stream.codec.name()).collect();
    names.join(", ")
}
