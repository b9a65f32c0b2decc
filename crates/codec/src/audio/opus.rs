//! Opus in MPEG-TS: packets (RFC 6716 3) behind a control header each, in the layout of the ETSI
//! draft that libavformat writes.

use crate::Codec;
use crate::audio::{AudioFormat, Frame, frames, ticks};
use crate::stream::{EXTENSION_DESCRIPTOR, OPUS_EXTENSION, descriptors_of};

/// The format: channels from the descriptor, else from the first packet.
pub(super) fn format(payload: &[u8], descriptors: &[u8]) -> Option<AudioFormat> {
    const STEREO: u8 = 0b100;
    let channels = descriptors_of(descriptors)
        .find_map(described_channels)
        .or_else(|| {
            let packet = frames(payload, header).next()?.0.packet;
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
    for (unit, _) in frames(payload, header) {
        let samples = samples(unit.packet)?.saturating_sub(unit.end_trim);
        total = Some(total.unwrap_or(0) + u64::from(samples));
    }
    ticks(total?, SAMPLE_RATE)
}

/// The length of a unit at the start of `bytes`, that of its control header, and its sound.
pub(super) fn framed(bytes: &[u8]) -> Option<(usize, usize, Frame)> {
    let (length, unit) = header(bytes)?;
    let frame = Frame {
        samples: samples(unit.packet)?.saturating_sub(unit.end_trim),
        sample_rate: SAMPLE_RATE,
        channels: 0,
    };
    Some((length, length - unit.size, frame))
}

/// The content of `dOps` (4.3.2 of the encapsulation), without pre-skip: the timestamps of a transport stream
/// are those of its samples. The channels of more than two lie as RFC 7845 5.1.1.2 has them.
pub(super) fn configuration(payload: &[u8], descriptors: &[u8]) -> Option<Vec<u8>> {
    let channels = format(payload, descriptors)?.channels;
    let is_dual = descriptors_of(descriptors).any(|(tag, content)| {
        tag == EXTENSION_DESCRIPTOR && content.starts_with(&[OPUS_EXTENSION, 0])
    });
    let mut content = vec![0, channels, 0, 0];
    content.extend(SAMPLE_RATE.to_be_bytes());
    content.extend([0, 0]);
    match (channels, is_dual) {
        (2, true) => content.extend([255, 2, 0, 0, 1]),
        (1 | 2, _) => content.push(0),
        _ => {
            let at = usize::from(channels).checked_sub(3)?;
            let (streams, coupled, map) = *SURROUND.get(at)?;
            content.extend([1, streams, coupled]);
            content.extend_from_slice(map);
        }
    }
    Some(content)
}

/// Streams, those of them that are stereo, and the stream's channel for each channel, from 3 channels on.
const SURROUND: [(u8, u8, &[u8]); 6] = [
    (2, 1, &[0, 2, 1]),
    (2, 2, &[0, 1, 2, 3]),
    (3, 2, &[0, 4, 1, 2, 3]),
    (4, 2, &[0, 4, 1, 2, 3, 5]),
    (4, 3, &[0, 4, 1, 2, 3, 5, 6]),
    (5, 3, &[0, 6, 1, 2, 3, 4, 5, 7]),
];

/// Opus always counts in this rate, whatever went into the encoder.
const SAMPLE_RATE: u32 = 48_000;

/// 120 ms, the longest that a packet may be.
const SAMPLES_MAX: u32 = SAMPLE_RATE * 120 / 1000;

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
    /// Bytes of the whole packet.
    size: usize,
    end_trim: u32,
}

/// The control header is 11 bits of 0x3ff, the flags, the packet's size as a sum of bytes that ends
/// with one that is not 255, then what the flags announce.
fn header(bytes: &[u8]) -> Option<(usize, Unit<'_>)> {
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
    let length = bytes.len() - rest.len() + size;
    let packet = &rest[..size.min(rest.len())];
    let unit = Unit {
        packet,
        size,
        end_trim,
    };
    Some((length, unit))
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
    Some(frame * frames).filter(|&samples| samples <= SAMPLES_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_last_as_their_table_of_contents_says() {
        let milliseconds = |packet: &[u8]| Some(samples(packet)? as f64 / 48.0);
        // RFC 6716 table 2: SILK, hybrid and CELT, each from its shortest frame to its longest.
        let one_frame = |configuration: u8| milliseconds(&[configuration << 3]).unwrap();
        let of = |range: std::ops::Range<u8>| range.map(one_frame).collect::<Vec<_>>();
        for silk in [0..4, 4..8, 8..12] {
            assert_eq!(of(silk), [10.0, 20.0, 40.0, 60.0]);
        }
        assert_eq!(of(12..16), [10.0, 20.0, 10.0, 20.0]);
        for celt in [16..20, 20..24, 24..28, 28..32] {
            assert_eq!(of(celt), [2.5, 5.0, 10.0, 20.0]);
        }
        // Two frames in codes 1 and 2, a count in code 3, at most 120 ms.
        assert_eq!(milliseconds(&[1 << 3 | 1]), Some(40.0));
        assert_eq!(milliseconds(&[1 << 3 | 2]), Some(40.0));
        assert_eq!(milliseconds(&[1 << 3 | 3, 0xc6]), Some(120.0));
        assert_eq!(milliseconds(&[1 << 3 | 3, 7]), None);
        assert_eq!(milliseconds(&[1 << 3 | 3]), None);
    }

    #[test]
    fn control_headers_are_read_to_their_end() {
        // Both trims and an extension of 3 bytes, in front of a packet of 255 + 1 bytes.
        let mut payload = vec![0x7f, 0xfc, 255, 1, 0, 9, 0xe1, 0x02, 3, 1, 2, 3];
        payload.extend([0xfc; 256]);
        payload.extend([0x7f, 0xe0, 1, 0xfc]);
        let (length, unit) = header(&payload).unwrap();
        assert_eq!(
            (length, unit.packet.len(), unit.end_trim),
            (12 + 256, 256, 0x102)
        );
        assert_eq!(
            duration(&payload),
            Some((2 * 960 - 0x102) * 90_000 / 48_000)
        );
    }
}
