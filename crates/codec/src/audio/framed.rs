//! Sound frame by frame, and what a file has to say of it, for what stores frames and not packets.

use std::ops::Range;

use super::{Frame, aac, ac3, frames, mpeg, opus};
use crate::Codec;

/// One frame of sound in a PES payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AudioFrame {
    /// Where it lies in the payload, its framing included. It may end behind the payload, in the next
    /// one.
    pub bytes: Range<usize>,
    /// Bytes in front that only a transport stream has: of ADTS the header, of Opus the control
    /// header.
    pub framing: usize,
    /// Samples that it adds to the stream, for each channel. An E-AC-3 frame without any belongs to the
    /// frame before it.
    pub samples: u32,
    /// What `samples` count in, for a second.
    pub sample_rate: u32,
}

/// The frames that begin in `payload`. Of LATM, whose frames do not lie on bytes, there are none.
pub fn audio_frames(codec: Codec, payload: &[u8]) -> impl Iterator<Item = AudioFrame> {
    let header = move |bytes: &[u8]| {
        let plain = |header: Option<(usize, Frame)>| header.map(|(len, frame)| (len, 0, frame));
        let (len, framing, frame) = match codec {
            Codec::AacAdts => {
                let (len, frame) = aac::header(bytes)?;
                (len, aac::header_len(bytes), frame)
            }
            Codec::Ac3 | Codec::Eac3 => plain(ac3::header(bytes))?,
            Codec::MpegAudio => plain(mpeg::header(bytes))?,
            Codec::Opus => opus::framed(bytes)?,
            _ => return None,
        };
        Some((len, (len, framing, frame)))
    };
    let end = payload.len();
    frames(payload, header).map(move |((len, framing, frame), here)| {
        let start = end - here.len();
        AudioFrame {
            bytes: start..start + len,
            framing,
            samples: frame.samples,
            sample_rate: frame.sample_rate,
        }
    })
}

/// What an MP4 says of a sound stream, from the beginning of a frame of it: an AudioSpecificConfig for AAC
/// (14496-3 1.6.2.1), the content of `dac3`, `dec3` and `dOps` boxes, nothing for MPEG audio.
///
/// `None` where it cannot be told, which is so of AAC whose channels are told within or whose frames have
/// several blocks, and of LATM.
#[must_use]
pub fn audio_configuration(codec: Codec, payload: &[u8], descriptors: &[u8]) -> Option<Vec<u8>> {
    let frame = audio_frames(codec, payload).find(|frame| frame.samples > 0)?;
    let bytes = &payload[frame.bytes.start..];
    match codec {
        Codec::AacAdts => aac::configuration(bytes),
        Codec::Ac3 => ac3::configuration(bytes),
        Codec::Eac3 => ac3::enhanced_configuration(bytes),
        Codec::MpegAudio => Some(Vec::new()),
        Codec::Opus => opus::configuration(bytes, descriptors),
        _ => None,
    }
}
