//! Which codec an elementary stream carries, as its entry in the PMT says.
//!
//! Stream types are those of ISO/IEC 13818-1 table 2-34 and, for AC-3, of ATSC A/53. Private data
//! (0x06) is named by its descriptors: a registration (13818-1 2.6.8), or one of DVB's own
//! (EN 300 468 Annex D and table 109).

/// A codec whose pictures or frames this crate can tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Codec {
    /// AAC in ADTS frames.
    AacAdts,
    /// AAC in LATM, framed by LOAS.
    AacLatm,
    /// AC-3.
    Ac3,
    /// E-AC-3.
    Eac3,
    /// H.264 in Annex B form.
    H264,
    /// HEVC in Annex B form.
    Hevc,
    /// MPEG-2 video, and MPEG-1 video, whose headers are a subset.
    Mpeg2Video,
    /// MPEG-1 and MPEG-2 audio, layers I to III.
    MpegAudio,
    /// Opus with the control header that it has in MPEG-TS.
    Opus,
}

impl Codec {
    /// Whether it carries pictures.
    #[must_use]
    pub fn is_video(self) -> bool {
        matches!(self, Self::H264 | Self::Hevc | Self::Mpeg2Video)
    }

    /// Whether it carries sound.
    #[must_use]
    pub fn is_audio(self) -> bool {
        !self.is_video()
    }

    /// The name that people know it by.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::AacAdts => "AAC",
            Self::AacLatm => "AAC (LATM)",
            Self::Ac3 => "AC-3",
            Self::Eac3 => "E-AC-3",
            Self::H264 => "H.264",
            Self::Hevc => "HEVC",
            Self::Mpeg2Video => "MPEG-2 video",
            Self::MpegAudio => "MPEG audio",
            Self::Opus => "Opus",
        }
    }
}

/// The codec of an elementary stream, from the stream type and the descriptors of its PMT entry.
///
/// `None` is a stream to be passed on as it is.
#[must_use]
pub fn codec_of_stream(stream_type: u8, descriptors: &[u8]) -> Option<Codec> {
    match stream_type {
        0x01 | 0x02 => Some(Codec::Mpeg2Video),
        0x03 | 0x04 => Some(Codec::MpegAudio),
        0x06 => descriptors_of(descriptors).find_map(codec_of_descriptor),
        0x0f => Some(Codec::AacAdts),
        0x11 => Some(Codec::AacLatm),
        0x1b => Some(Codec::H264),
        0x24 => Some(Codec::Hevc),
        0x81 => Some(Codec::Ac3),
        0x87 => Some(Codec::Eac3),
        _ => None,
    }
}

/// Walks a descriptor loop as (tag, content); a descriptor that overruns the loop ends the walk.
pub(crate) fn descriptors_of(mut rest: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    std::iter::from_fn(move || {
        let (&[tag, length], behind) = rest.split_first_chunk()?;
        let (content, behind) = behind.split_at_checked(length.into())?;
        rest = behind;
        Some((tag, content))
    })
}

/// The extension of a DVB descriptor that carries the channel configuration of Opus.
pub(crate) const OPUS_EXTENSION: u8 = 0x80;

/// The tag of DVB's extension descriptor, whose first content byte tells the extension.
pub(crate) const EXTENSION_DESCRIPTOR: u8 = 0x7f;

/// The tag of the registration descriptor, which begins with four letters.
const REGISTRATION: u8 = 0x05;

fn codec_of_descriptor((tag, content): (u8, &[u8])) -> Option<Codec> {
    match tag {
        REGISTRATION => match content.first_chunk()? {
            b"AC-3" => Some(Codec::Ac3),
            b"EAC3" | b"EC-3" => Some(Codec::Eac3),
            b"HEVC" => Some(Codec::Hevc),
            b"Opus" => Some(Codec::Opus),
            _ => None,
        },
        0x6a => Some(Codec::Ac3),
        0x7a => Some(Codec::Eac3),
        EXTENSION_DESCRIPTOR if content.first() == Some(&OPUS_EXTENSION) => Some(Codec::Opus),
        _ => None,
    }
}
