//! AAC: the ADTS frame header (14496-3 1.A.2.2), and what of the audio configuration ADTS and LATM
//! share (1.6, 4.4.1).

use crate::Codec;
use crate::audio::{AudioFormat, Frame, frames};
use crate::bits::Bits;

/// The header of an ADTS frame at the start of `bytes`.
pub(super) fn header(bytes: &[u8]) -> Option<(usize, Frame)> {
    let &[sync, flags, format, copy, length, buffer, blocks] = bytes.first_chunk()?;
    // 12 bits of sync, then the layer, which is always 0.
    if sync != 0xff || flags & 0b1111_0110 != 0xf0 {
        return None;
    }
    let sample_rate = *SAMPLE_RATES.get(usize::from(format >> 2 & 0xf))?;
    let configuration = (format & 1) << 2 | copy >> 6;
    let length = usize::from(copy & 3) << 11 | usize::from(length) << 3 | usize::from(buffer >> 5);
    let frame = Frame {
        samples: (u32::from(blocks & 3) + 1) * SAMPLES,
        sample_rate,
        channels: CHANNELS[usize::from(configuration)],
    };
    (length >= HEADER_LENGTH).then_some((length, frame))
}

/// The format of the first ADTS frame.
pub(super) fn format(payload: &[u8]) -> Option<AudioFormat> {
    let (frame, bytes) = frames(payload, header).next()?;
    let object_type = (bytes[2] >> 6) + 1;
    let channels = match frame.channels {
        0 => channels_within(bytes)?,
        channels => channels,
    };
    Some(AudioFormat {
        codec: Codec::AacAdts,
        codec_string: codec_string(object_type.into()),
        channels,
        sample_rate: frame.sample_rate,
    })
}

/// Bytes of the header of an ADTS frame, with its checksum.
pub(super) fn header_len(frame: &[u8]) -> usize {
    let has_checksum = frame.get(1).is_some_and(|flags| flags & 1 == 0);
    HEADER_LENGTH + if has_checksum { 2 } else { 0 }
}

/// The AudioSpecificConfig (1.6.2.1) of an ADTS stream: object type, rate, channels, and frames of 1024
/// samples without anything special.
pub(super) fn configuration(frame: &[u8]) -> Option<Vec<u8>> {
    let &[_, _, format, copy, _, _, blocks] = frame.first_chunk()?;
    let object_type = u16::from(format >> 6) + 1;
    let rate = u16::from(format >> 2 & 0xf);
    let channels = u16::from((format & 1) << 2 | copy >> 6);
    let is_plain = channels > 0 && blocks & 3 == 0;
    is_plain.then(|| {
        (object_type << 11 | rate << 7 | channels << 3)
            .to_be_bytes()
            .to_vec()
    })
}

/// How RFC 6381 writes AAC of an object type.
pub(super) fn codec_string(object_type: u32) -> String {
    format!("mp4a.40.{object_type}")
}

/// Counts the channels of a program_config_element (4.4.1.1), from behind its element id.
pub(super) fn program_channels(bits: &mut Bits<'_>) -> Option<u8> {
    let _tag_type_rate = bits.bits(4 + 2 + 4)?;
    let (front, side, back) = (bits.bits(4)?, bits.bits(4)?, bits.bits(4)?);
    let low_frequency = bits.bits(2)?;
    let _associated_data = bits.bits(3)?;
    let _coupling = bits.bits(4)?;
    for mixdown_bits in [4, 4, 3] {
        if bits.flag()? {
            bits.skip(mixdown_bits)?;
        }
    }
    let mut channels = low_frequency;
    for _ in 0..front + side + back {
        let is_pair = bits.flag()?;
        let _tag = bits.bits(4)?;
        channels += if is_pair { 2 } else { 1 };
    }
    u8::try_from(channels).ok().filter(|&channels| channels > 0)
}

/// Samples per second for a sampling frequency index (table 1.18).
pub(super) const SAMPLE_RATES: [u32; 13] = [
    96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000,
    7_350,
];

/// Channels for a channel configuration (table 1.19); 0 where the stream tells elsewhere.
pub(super) const CHANNELS: [u8; 16] = [0, 1, 2, 3, 4, 5, 6, 8, 0, 0, 0, 7, 8, 24, 8, 0];

/// Samples of one block, unless a configuration says 960, which ADTS cannot.
pub(super) const SAMPLES: u32 = 1024;

const HEADER_LENGTH: usize = 7;

/// The channels that a frame describes in its first element, for a configuration of 0.
fn channels_within(frame: &[u8]) -> Option<u8> {
    const PROGRAM_CONFIG: u32 = 5;
    let content = frame.get(header_len(frame)..)?;
    let mut bits = Bits::plain(content);
    if bits.bits(3)? != PROGRAM_CONFIG {
        return None;
    }
    program_channels(&mut bits)
}
