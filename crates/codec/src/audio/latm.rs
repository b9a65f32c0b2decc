//! AAC in LATM, framed by LOAS: AudioSyncStream (14496-3 1.7.2) around AudioMuxElement (1.7.3).
//!
//! The configuration comes when an encoder likes; the elements between only say that it still holds.

use crate::Codec;
use crate::audio::{AudioFormat, aac, frames, ticks};
use crate::bits::Bits;

/// The format of the first configuration.
pub(super) fn format(payload: &[u8]) -> Option<AudioFormat> {
    let configuration = configuration(payload)?;
    Some(AudioFormat {
        codec: Codec::AacLatm,
        codec_string: aac::codec_string(configuration.object_type),
        channels: configuration.channels,
        sample_rate: configuration.sample_rate,
    })
}

/// How long the elements last, if one of them has the configuration.
pub(super) fn duration(payload: &[u8]) -> Option<i64> {
    let configuration = configuration(payload)?;
    let count = frames(payload, header).count() as u64;
    let samples = count * u64::from(configuration.samples?);
    ticks(samples, configuration.core_rate)
}

/// The first configuration.
fn configuration(payload: &[u8]) -> Option<Configuration> {
    frames(payload, header).find_map(|(element, _)| element.configuration())
}

/// An AudioMuxElement, which may be cut at the end of the payload.
struct Element<'a>(&'a [u8]);

impl Element<'_> {
    fn configuration(self) -> Option<Configuration> {
        let mut bits = Bits::plain(self.0);
        let same_as_before = bits.flag()?;
        (!same_as_before).then(|| Configuration::parse(&mut bits))?
    }
}

/// The sync header at the start of `bytes` (1.7.2): 11 bits of sync, 13 of length.
fn header(bytes: &[u8]) -> Option<(usize, Element<'_>)> {
    let (&[sync, high, low], content) = bytes.split_first_chunk()?;
    if sync != 0x56 || high & 0xe0 != 0xe0 {
        return None;
    }
    let length = usize::from(high & 0x1f) << 8 | usize::from(low);
    let element = Element(&content[..length.min(content.len())]);
    Some((HEADER_LENGTH + length, element))
}

const HEADER_LENGTH: usize = 3;

/// What is of interest in a StreamMuxConfig (1.7.3.2) and the AudioSpecificConfig (1.6.2.1) of its
/// first layer.
struct Configuration {
    object_type: u32,
    channels: u8,
    /// What a decoder puts out, spectral band replication included.
    sample_rate: u32,
    /// What `samples` count in.
    core_rate: u32,
    /// Samples of an element; `None` for objects whose frames are built otherwise.
    samples: Option<u32>,
}

impl Configuration {
    fn parse(bits: &mut Bits<'_>) -> Option<Self> {
        let version = bits.bits(1)?;
        if version == 1 {
            let version_a = bits.bits(1)?;
            if version_a != 0 {
                return None;
            }
            let _buffer_fullness = variable(bits)?;
        }
        let _same_time_framing = bits.flag()?;
        let frames = bits.bits(6)? + 1;
        let _programs_and_layers = bits.bits(4 + 3)?;
        if version == 1 {
            let _configuration_length = variable(bits)?;
        }
        let mut configuration = Self::parse_object(bits)?;
        configuration.samples = configuration.samples.map(|samples| samples * frames);
        Some(configuration)
    }

    fn parse_object(bits: &mut Bits<'_>) -> Option<Self> {
        const SPECTRAL_BAND_REPLICATION: u32 = 5;
        const PARAMETRIC_STEREO: u32 = 29;
        let object_type = object_type_of(bits)?;
        let core_rate = sample_rate_of(bits)?;
        let layout = bits.bits(4)?;
        let mut sample_rate = core_rate;
        let mut core = object_type;
        if matches!(object_type, SPECTRAL_BAND_REPLICATION | PARAMETRIC_STEREO) {
            sample_rate = sample_rate_of(bits)?;
            core = object_type_of(bits)?;
        }
        let is_general = matches!(core, 1..=4 | 6 | 7 | 17 | 19..=23);
        let mut samples = None;
        let mut channels = aac::CHANNELS[layout as usize];
        if is_general {
            samples = Some(if bits.flag()? { 960 } else { aac::SAMPLES });
            if bits.flag()? {
                let _core_coder_delay = bits.bits(14)?;
            }
            let _extension = bits.flag()?;
            if layout == 0 {
                channels = aac::program_channels(bits)?;
            }
        }
        if object_type == PARAMETRIC_STEREO && channels == 1 {
            channels = 2;
        }
        (channels > 0).then_some(Self {
            object_type,
            channels,
            sample_rate,
            core_rate,
            samples,
        })
    }
}

/// GetAudioObjectType (1.6.2.1).
fn object_type_of(bits: &mut Bits<'_>) -> Option<u32> {
    const ESCAPE: u32 = 31;
    match bits.bits(5)? {
        ESCAPE => Some(32 + bits.bits(6)?),
        object_type => Some(object_type),
    }
}

fn sample_rate_of(bits: &mut Bits<'_>) -> Option<u32> {
    const EXPLICIT: u32 = 15;
    match bits.bits(4)? {
        EXPLICIT => bits.bits(24).filter(|&rate| rate > 0),
        index => aac::SAMPLE_RATES.get(index as usize).copied(),
    }
}

/// LatmGetValue (1.7.3.1).
fn variable(bits: &mut Bits<'_>) -> Option<u32> {
    let bytes = bits.bits(2)? + 1;
    bits.bits(8 * bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bits::Written;

    /// Sync, length, and the content of an element.
    fn element(content: Written) -> Vec<u8> {
        let content = content.bytes();
        let length = u16::try_from(content.len()).unwrap();
        let mut bytes = vec![0x56, 0xe0 | (length >> 8) as u8, length as u8];
        bytes.extend(content);
        bytes
    }

    /// A configuration of version 0 with `frames` in each element.
    fn configured(frames: u32) -> Written {
        Written::default().fields(&[(1, 0), (1, 0), (1, 1), (6, frames - 1), (4, 0), (3, 0)])
    }

    fn told(payload: &[u8]) -> (String, u8, u32, Option<i64>) {
        let format = format(payload).unwrap();
        let duration = duration(payload);
        (
            format.codec_string,
            format.channels,
            format.sample_rate,
            duration,
        )
    }

    #[test]
    fn a_configuration_holds_for_the_elements_behind_it() {
        let first = element(configured(2).fields(&[(5, 2), (4, 3), (4, 2), (3, 0), (8, 0)]));
        let same = element(Written::default().fields(&[(1, 1), (31, 0x1234)]));
        let payload = [&first[..], &same, &same].concat();
        assert_eq!(
            told(&payload),
            ("mp4a.40.2".to_owned(), 2, 48_000, Some(3 * 2 * 1920))
        );
        assert_eq!(duration(&same), None);
    }

    #[test]
    fn explicit_band_replication_doubles_the_rate() {
        // SBR (5) at 24 kHz (6) put out at 48 kHz (3), over AAC LC (2).
        let payload =
            element(configured(1).fields(&[(5, 5), (4, 6), (4, 2), (4, 3), (5, 2), (3, 0)]));
        assert_eq!(
            told(&payload),
            ("mp4a.40.5".to_owned(), 2, 48_000, Some(3840))
        );
        // Parametric stereo (29) makes two channels of one.
        let payload =
            element(configured(1).fields(&[(5, 29), (4, 6), (4, 1), (4, 3), (5, 2), (3, 0)]));
        assert_eq!(
            told(&payload),
            ("mp4a.40.29".to_owned(), 2, 48_000, Some(3840))
        );
    }

    #[test]
    fn rates_layouts_and_frames_that_are_spelt_out() {
        // 50 kHz, a program configuration of one pair and one low frequency channel, 960 samples.
        let object = [
            (5, 2),
            (4, 15),
            (24, 50_000),
            (4, 0),
            (1, 1),
            (1, 0),
            (1, 0),
        ];
        // Tag, object, rate, then how many elements there are: front, side, back, low frequency,
        // data, coupling.
        let counts = [
            (4, 0),
            (2, 1),
            (4, 3),
            (4, 1),
            (4, 0),
            (4, 0),
            (2, 1),
            (3, 0),
            (4, 0),
        ];
        let mixdowns = [(1, 1), (4, 9), (1, 1), (4, 9), (1, 1), (3, 5)];
        let front_pair = [(1, 1), (4, 0)];
        let program = configured(1).fields(&object).fields(&counts);
        let payload = element(program.fields(&mixdowns).fields(&front_pair));
        assert_eq!(
            told(&payload),
            ("mp4a.40.2".to_owned(), 3, 50_000, Some(1728))
        );
    }

    #[test]
    fn version_1_has_lengths_in_front() {
        let payload = element(
            Written::default()
                .fields(&[
                    (1, 0),
                    (1, 1),
                    (1, 0),
                    (2, 0),
                    (8, 0xff),
                    (1, 1),
                    (6, 0),
                    (4, 0),
                    (3, 0),
                ])
                .fields(&[(2, 1), (16, 16), (5, 2), (4, 4), (4, 1), (3, 0)]),
        );
        let ticks = 1024 * 90_000 / 44_100;
        assert_eq!(
            told(&payload),
            ("mp4a.40.2".to_owned(), 1, 44_100, Some(ticks))
        );
    }

    #[test]
    fn objects_with_other_frames_have_no_duration() {
        // USAC (42): 31, then 10 in 6 bits.
        let payload = element(configured(1).fields(&[(5, 31), (6, 10), (4, 3), (4, 2), (8, 0)]));
        assert_eq!(told(&payload), ("mp4a.40.42".to_owned(), 2, 48_000, None));
    }
}
