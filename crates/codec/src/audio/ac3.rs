//! AC-3 and E-AC-3: the sync frame (A/52 5.3, Annex E 1.2).
//!
//! Both begin with the same sync word and have bsid at the same place, which tells them apart.

use crate::Codec;
use crate::audio::{AudioFormat, Frame, frames};
use crate::bits::{Bits, Written};

/// The header of a sync frame at the start of `bytes`.
pub(super) fn header(bytes: &[u8]) -> Option<(usize, Frame)> {
    let &[sync, word, _, _, _, stream, _, _] = bytes.first_chunk()?;
    if (sync, word) != (0x0b, 0x77) {
        return None;
    }
    match stream >> 3 {
        bsid @ 0..=10 => ac3(bytes, bsid),
        11..=16 => eac3(bytes),
        _ => None,
    }
}

/// The format of the first frame.
pub(super) fn format(codec: Codec, payload: &[u8]) -> Option<AudioFormat> {
    let (frame, _) = frames(payload, header).find(|(frame, _)| frame.samples > 0)?;
    let codec_string = match codec {
        Codec::Eac3 => "ec-3",
        _ => "ac-3",
    };
    Some(AudioFormat {
        codec,
        codec_string: codec_string.to_owned(),
        channels: frame.channels,
        sample_rate: frame.sample_rate,
    })
}

fn ac3(bytes: &[u8], bsid: u8) -> Option<(usize, Frame)> {
    let mut bits = Bits::plain(&bytes[4..]);
    let rate = bits.bits(2)? as usize;
    let size = bits.bits(6)?;
    let _bsid_and_mode = bits.bits(5 + 3)?;
    let (layout, low_frequency) = layout_of(&mut bits)?;
    let sample_rate = *SAMPLE_RATES.get(rate)?;
    let kilobits = *KILOBITS.get(size as usize / 2)?;
    // Words of 16 bits; at 44.1 kHz every other size has one more (table 5.18).
    let words = kilobits * 96_000 / sample_rate + if rate == 1 { size & 1 } else { 0 };
    let frame = Frame {
        samples: 6 * BLOCK_SAMPLES,
        // bsid 9 and 10 are in use for a half and a quarter of the rate.
        sample_rate: sample_rate >> bsid.saturating_sub(8),
        channels: channels(layout, low_frequency),
    };
    Some((2 * words as usize, frame))
}

/// acmod, and whether there is a channel for low frequencies (5.4.2.3 to 5.4.2.7).
fn layout_of(bits: &mut Bits<'_>) -> Option<(u32, bool)> {
    let layout = bits.bits(3)?;
    if layout & 1 != 0 && layout != 1 {
        let _centre_mix = bits.bits(2)?;
    }
    if layout & 4 != 0 {
        let _surround_mix = bits.bits(2)?;
    }
    if layout == 2 {
        let _surround_mode = bits.bits(2)?;
    }
    Some((layout, bits.flag()?))
}

fn eac3(bytes: &[u8]) -> Option<(usize, Frame)> {
    const DEPENDENT: u32 = 1;
    let mut bits = Bits::plain(&bytes[2..]);
    let kind = bits.bits(2)?;
    let substream = bits.bits(3)?;
    let length = 2 * (bits.bits(11)? as usize + 1);
    let (sample_rate, blocks) = match bits.bits(2)? as usize {
        3 => (SAMPLE_RATES.get(bits.bits(2)? as usize)? / 2, 6),
        rate => (SAMPLE_RATES[rate], [1, 2, 3, 6][bits.bits(2)? as usize]),
    };
    let layout = bits.bits(3)?;
    let low_frequency = bits.flag()?;
    // Further substreams sound at the same time as the first.
    let is_first = kind != DEPENDENT && substream == 0;
    let frame = Frame {
        samples: if is_first { blocks * BLOCK_SAMPLES } else { 0 },
        sample_rate,
        channels: channels(layout, low_frequency),
    };
    Some((length, frame))
}

/// The content of `dac3` (TS 102 366 F.4): rate, version, mode, layout and bit rate of the sync frame.
pub(super) fn configuration(frame: &[u8]) -> Option<Vec<u8>> {
    let mut bits = Bits::plain(frame.get(4..)?);
    let (rate, size) = (bits.bits(2)?, bits.bits(6)?);
    // E-AC-3 under the name of AC-3 has its fields elsewhere.
    let (bsid, mode) = (bits.bits(5).filter(|&bsid| bsid <= 10)?, bits.bits(3)?);
    let (layout, low_frequency) = layout_of(&mut bits)?;
    let fields = [
        (2, rate),
        (5, bsid),
        (3, mode),
        (3, layout),
        (1, u32::from(low_frequency)),
        (5, size >> 1),
        (5, 0),
    ];
    Some(Written::default().fields(&fields).bytes())
}

/// The content of `dec3` (TS 102 366 F.6) for one independent substream and those that depend on it, which
/// follow it in `frames`.
pub(super) fn enhanced_configuration(frames: &[u8]) -> Option<Vec<u8>> {
    let (mut len, first) = eac3(frames).filter(|(_, first)| first.samples > 0)?;
    let mut bits = Bits::plain(frames.get(4..)?);
    let rate = bits.bits(2)?;
    let _blocks_or_half_rate = bits.bits(2)?;
    let (layout, low_frequency) = (bits.bits(3)?, bits.bits(1)?);
    let bsid = bits.bits(5).filter(|&bsid| bsid > 10)?;
    let (mut dependent, mut places) = (0, 0);
    while let Some(channel_map) = frames.get(len..).and_then(dependent_channels) {
        dependent += 1;
        places |= channel_map;
        len += eac3(&frames[len..])?.0;
    }
    let kilobits = len as u64 * 8 * u64::from(first.sample_rate) / u64::from(first.samples) / 1000;
    let substreams_less_one = 0;
    let main_service = 0;
    let fields = [
        (13, u32::try_from(kilobits).ok()?.min(0x1fff)),
        (3, substreams_less_one),
        (2, rate),
        (5, bsid),
        (2, 0),
        (3, main_service),
        (3, layout),
        (1, low_frequency),
        (3, 0),
        (4, dependent),
    ];
    let rest = if dependent > 0 { (9, places) } else { (1, 0) };
    Some(Written::default().fields(&fields).fields(&[rest]).bytes())
}

/// Where the channels of a dependent substream are (the chan_loc field of `dec3`), from its custom channel
/// map (E.1.3.1.7), if `frame` is one.
fn dependent_channels(frame: &[u8]) -> Option<u32> {
    const DEPENDENT: u32 = 1;
    let is_synced = frame.starts_with(&[0x0b, 0x77]);
    let mut bits = Bits::plain(frame.get(2..).filter(|_| is_synced)?);
    let kind = bits.bits(2)?;
    let _substream_length_and_rates = bits.bits(3 + 11 + 4)?;
    let layout = bits.bits(3)?;
    let _low_frequency_version_and_level = bits.bits(1 + 5 + 5)?;
    if bits.flag()? {
        bits.skip(8)?;
    }
    if layout == 0 {
        let _level_of_the_second = bits.bits(5)?;
        if bits.flag()? {
            bits.skip(8)?;
        }
    }
    if kind != DEPENDENT {
        return None;
    }
    // Of the 16 places from left to low frequency, chan_loc has nine, from the front pair on.
    let map = if bits.flag()? { bits.bits(16)? } else { 0 };
    let place = |bit: u32| map >> (15 - bit) & 1;
    let listed = [5, 6, 7, 8, 9, 10, 11, 12, 14];
    Some(
        listed
            .iter()
            .enumerate()
            .fold(0, |places, (at, &bit)| places | place(bit) << at),
    )
}

/// Channels for acmod (table 5.8).
fn channels(layout: u32, low_frequency: bool) -> u8 {
    [2, 1, 2, 3, 3, 4, 4, 5][layout as usize] + u8::from(low_frequency)
}

const BLOCK_SAMPLES: u32 = 256;

const SAMPLE_RATES: [u32; 3] = [48_000, 44_100, 32_000];

/// Bit rates for pairs of frmsizecod (table 5.18).
const KILOBITS: [u32; 19] = [
    32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio;

    /// An E-AC-3 frame of 32 bytes: kind, substream, then rate and blocks in 4 bits, acmod, lfeon.
    fn eac3_frame(kind: u32, substream: u32, rate: u32, layout: u32) -> Vec<u8> {
        let fields = [(16, 0x0b77), (2, kind), (3, substream), (11, 15), (4, rate)];
        let written = Written::default().fields(&fields);
        let mut frame = written.fields(&[(3, layout), (1, 1), (5, 16)]).bytes();
        frame.resize(32, 0);
        frame
    }

    #[test]
    fn further_substreams_sound_at_the_same_time() {
        let first = eac3_frame(0, 0, 0b0011, 7);
        let dependent = eac3_frame(1, 0, 0b0011, 2);
        let other = eac3_frame(0, 1, 0b0011, 2);
        let payload = [&first[..], &dependent, &other, &first].concat();
        assert_eq!(audio::audio_duration(Codec::Eac3, &payload), Some(2 * 2880));
        // A payload that begins with a dependent substream is of the same format.
        let told = format(Codec::Eac3, &payload[32..]).unwrap();
        assert_eq!((told.channels, told.sample_rate), (6, 48_000));
    }

    #[test]
    fn eac3_frames_have_1_to_6_blocks() {
        let ticks = |rate| audio::audio_duration(Codec::Eac3, &eac3_frame(0, 0, rate, 2));
        assert_eq!(
            [0b0000, 0b0001, 0b0010].map(ticks),
            [480, 960, 1440].map(Some)
        );
        // fscod 3: half of 32 kHz, with 6 blocks.
        assert_eq!(ticks(0b1110), Some(1536 * 90_000 / 16_000));
        assert_eq!(ticks(0b1111), None);
    }

    #[test]
    fn ac3_low_rates_halve() {
        let frame = |bsid: u32| {
            let fields = [
                (32, 0x0b77_0000),
                (2, 0),
                (6, 0),
                (5, bsid),
                (3, 0),
                (3, 1),
                (1, 0),
            ];
            Written::default()
                .fields(&fields)
                .fields(&[(20, 0)])
                .bytes()
        };
        let rates = [8, 9, 10].map(|bsid| header(&frame(bsid)).unwrap().1.sample_rate);
        assert_eq!(rates, [48_000, 24_000, 12_000]);
        assert!(header(&frame(17)).is_none());
    }

    #[test]
    fn channels_follow_the_mode() {
        let of = |layout: u32| {
            let skipped = [0, 0, 2, 2, 2, 4, 2, 4][layout as usize];
            let fields = [
                (32, 0x0b77_0000),
                (2, 0),
                (6, 0),
                (5, 8),
                (3, 0),
                (3, layout),
            ];
            let written = Written::default().fields(&fields);
            let bytes = written.fields(&[(skipped, 0), (1, 1), (16, 0)]).bytes();
            header(&bytes).unwrap().1.channels
        };
        assert_eq!([0, 1, 2, 3, 4, 5, 6, 7].map(of), [3, 2, 3, 4, 4, 5, 5, 6]);
    }
}
