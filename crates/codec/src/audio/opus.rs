//! Opus in MPEG-TS: packets (RFC 6716 3) behind a control header each, in the layout of the ETSI
//! draft that libavformat writes.

use crate::Codec;
use crate::audio::{AudioFormat, ticks};
use crate::stream::{EXTENSION_DESCRIPTOR, OPUS_EXTENSION, descriptors_of};

/// The format: channels from the descriptor, else from the first packet.
pub(super) fn format(payload: &[u8], descriptors: &[u8]) -> Option<AudioFormat> {
    const STEREO: u8 = 0b100;
    let channels = descriptors_of(descriptors)
        .find_map(described_channels)
        .or_else(|| {
            let packet = units(payload).next()?.packet;
            Some(if packet.first()? & STEREO != 0 { 2 } else { 1 })
        })?;
    Some(AudioFormat {
        codec: Codec::Opus,
        codec_string: "Opus".to_owned(),
        channels,
        sample_rate: SAMPLE_RATE,
    })
}

/// How long the packets last.
///
/// What is trimmed at the end is left out. What is trimmed at the start is not: the timestamp of the
/// packet is that of its first sample before trimming.
pub(super) fn duration(payload: &[u8]) -> Option<i64> {
    let mut total = None;
    for unit in units(payload) {
        let samples = samples(unit.packet)?.saturating_sub(unit.end_trim);
        total = Some(total.unwrap_or(0) + u64::from(samples));
    }
    ticks(total?, SAMPLE_RATE)
}

/// Opus always counts in this rate, whatever went into the encoder.
const SAMPLE_RATE: u32 = 48_000;

/// The channels that the extension descriptor tells: a layout by number, or a count.
fn described_channels((tag, content): (u8, &[u8])) -> Option<u8> {
    const DUAL_MONO: u8 = 0;
    const EXPLICIT: u8 = 0x81;
    match (tag, content) {
        (EXTENSION_DESCRIPTOR, &[OPUS_EXTENSION, DUAL_MONO, ..]) => Some(2),
        (EXTENSION_DESCRIPTOR, &[OPUS_EXTENSION, channels @ 1..=8, ..]) => Some(channels),
        (EXTENSION_DESCRIPTOR, &[OPUS_EXTENSION, EXPLICIT, channels, ..]) if channels > 0 => {
            Some(channels)
        }
        _ => None,
    }
}

/// A packet, which may be cut at the end of the payload, and what its control header says.
struct Unit<'a> {
    packet: &'a [u8],
    end_trim: u32,
}

fn units(payload: &[u8]) -> impl Iterator<Item = Unit<'_>> {
    let mut rest = payload;
    std::iter::from_fn(move || {
        let (unit, behind) = split_unit(rest)?;
        rest = behind;
        Some(unit)
    })
}

/// The control header is 11 bits of 0x3ff, the flags, the packet's size as a sum of bytes that ends
/// with one that is not 255, then what the flags announce.
fn split_unit(bytes: &[u8]) -> Option<(Unit<'_>, &[u8])> {
    const START_TRIM: u8 = 0x10;
    const END_TRIM: u8 = 0x08;
    const EXTENSION: u8 = 0x04;
    let (&[prefix, flags], mut rest) = bytes.split_first_chunk()?;
    if prefix != 0x7f || flags & 0xe0 != 0xe0 {
        return None;
    }
    let mut size = 0;
    loop {
        let (&byte, behind) = rest.split_first()?;
        size += usize::from(byte);
        rest = behind;
        if byte != 255 {
            break;
        }
    }
    let mut trim = |flag| {
        if flags & flag == 0 {
            return Some(0);
        }
        let (trim, behind) = rest.split_first_chunk()?;
        rest = behind;
        Some(u32::from(u16::from_be_bytes(*trim)) & 0x1fff)
    };
    let _start_trim = trim(START_TRIM)?;
    let end_trim = trim(END_TRIM)?;
    if flags & EXTENSION != 0 {
        let (&length, behind) = rest.split_first()?;
        rest = behind.get(usize::from(length)..)?;
    }
    let (packet, rest) = rest.split_at(size.min(rest.len()));
    Some((Unit { packet, end_trim }, rest))
}

/// Samples of a packet, from its table of contents (RFC 6716 3.1 and 3.2).
fn samples(packet: &[u8]) -> Option<u32> {
    let &contents = packet.first()?;
    let frame = match (contents >> 3, contents >> 3 & 3) {
        (12..16, size) => (SAMPLE_RATE / 100) << (size & 1),
        (16.., size) => (SAMPLE_RATE / 400) << size,
        (_, 3) => SAMPLE_RATE / 1000 * 60,
        (_, size) => (SAMPLE_RATE / 100) << size,
    };
    let frames = match contents & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => u32::from(packet.get(1)? & 0x3f),
    };
    Some(frame * frames)
}
