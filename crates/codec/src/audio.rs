//! Sound: what it is and how long it lasts, from the payload of one PES packet.
//!
//! Frames of ADTS, AC-3 and MPEG audio say how long they are, so a payload is walked from header to
//! header. It may begin with the tail of a frame, which is skipped: by 13818-1 2.4.3.7 the packet's
//! timestamp belongs to the first frame that begins in it. It may end within a frame, which counts
//! as soon as its header is there. But a single frame that is cut at both ends is no evidence: what
//! looks like its header may be sound.

use crate::Codec;

mod aac;
mod ac3;
mod framed;
mod latm;
mod mpeg;
mod opus;
mod silence;

pub use framed::{AudioFrame, audio_configuration, audio_frames};
pub use silence::{Silence, silence};

/// How a sound stream is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AudioFormat {
    /// The codec.
    pub codec: Codec,
    /// The codec as RFC 6381 writes it: `mp4a.40.2`, `Opus`, `ac-3`.
    pub codec_string: String,
    /// Channels, low frequency effects included.
    pub channels: u8,
    /// Samples per second that a decoder puts out.
    pub sample_rate: u32,
}

/// The format, from the first bytes of a PES payload and the descriptors of the stream's PMT entry.
///
/// `None` when the payload does not tell; another one of the same stream may. What of a format is
/// not in the first frame is not known: AAC whose higher half is only added by a hidden SBR
/// extension is given with its lower rate, and E-AC-3 with the channels of its first substream.
#[must_use]
pub fn audio_format(codec: Codec, payload: &[u8], descriptors: &[u8]) -> Option<AudioFormat> {
    match codec {
        Codec::AacAdts => aac::format(payload),
        Codec::AacLatm => latm::format(payload),
        Codec::Ac3 | Codec::Eac3 => ac3::format(codec, payload),
        Codec::MpegAudio => mpeg::format(payload),
        Codec::Opus => opus::format(payload, descriptors),
        _ => None,
    }
}

/// How long the sound of one PES payload lasts, in ticks of 90 kHz rounded down.
///
/// `None` when no frame begins in the payload or its length cannot be told; LATM may send its
/// configuration, and with it the rate, in some of its packets only.
#[must_use]
pub fn audio_duration(codec: Codec, payload: &[u8]) -> Option<i64> {
    match codec {
        Codec::AacAdts => duration(payload, aac::header),
        Codec::AacLatm => latm::duration(payload),
        Codec::Ac3 | Codec::Eac3 => duration(payload, ac3::header),
        Codec::MpegAudio => duration(payload, mpeg::header),
        Codec::Opus => opus::duration(payload),
        _ => None,
    }
}

/// What the header of a frame says of its sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Frame {
    /// Samples that it adds to the stream, for each channel.
    samples: u32,
    sample_rate: u32,
    channels: u8,
}

/// Walks the frames that begin in `payload`: what `header` makes of each, with the bytes from its
/// start on. `header` also tells how many bytes there are to the next frame, at least 1.
fn frames<'a, T>(
    payload: &'a [u8],
    header: impl Fn(&'a [u8]) -> Option<(usize, T)>,
) -> impl Iterator<Item = (T, &'a [u8])> {
    let mut rest = payload;
    // A frame can begin where the payload does, and where the frame before it ends.
    let mut is_due = true;
    std::iter::from_fn(move || {
        while !rest.is_empty() {
            let here = rest;
            if let Some((length, frame)) = header(here) {
                // A sync word can occur within a frame: one that is found elsewhere counts only if
                // its frame ends where another begins, or with the payload.
                let behind = here.get(length..).unwrap_or_default();
                let is_frame = match behind.len() {
                    LONGEST_HEADER.. => header(behind).is_some(),
                    _ => is_due || here.len() == length,
                };
                if is_frame {
                    is_due = true;
                    rest = behind;
                    return Some((frame, here));
                }
            }
            is_due = false;
            rest = &here[1..];
        }
        None
    })
}

/// Enough bytes for the header of any frame.
const LONGEST_HEADER: usize = 8;

fn duration(payload: &[u8], header: impl Fn(&[u8]) -> Option<(usize, Frame)>) -> Option<i64> {
    let mut total: Option<(u64, u32)> = None;
    for (frame, _) in frames(payload, header) {
        let (samples, sample_rate) = total.unwrap_or((0, frame.sample_rate));
        total = Some((samples + u64::from(frame.samples), sample_rate));
    }
    let (samples, sample_rate) = total?;
    ticks(samples, sample_rate)
}

/// Ticks of 90 kHz for `samples`.
fn ticks(samples: u64, sample_rate: u32) -> Option<i64> {
    let ticks = samples
        .checked_mul(90_000)?
        .checked_div(sample_rate.into())?;
    i64::try_from(ticks).ok()
}
