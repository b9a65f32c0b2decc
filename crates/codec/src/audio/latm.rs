//! AAC in LATM, framed by LOAS: AudioSyncStream (14496-3 1.7.2) around AudioMuxElement (1.7.3).
//!
//! The configuration comes when an encoder likes; the elements between only say that it still holds.

use crate::Codec;
use crate::audio::{AudioFormat, aac, ticks};
use crate::bits::Bits;

/// The format of the first configuration.
pub(super) fn format(payload: &[u8]) -> Option<AudioFormat> {
    let configuration = elements(payload).find_map(Element::configuration)?;
    Some(AudioFormat {
        codec: Codec::AacLatm,
        codec_string: aac::codec_string(configuration.object_type),
        channels: configuration.channels,
        sample_rate: configuration.sample_rate,
    })
}

/// How long the elements last, if one of them has the configuration.
pub(super) fn duration(payload: &[u8]) -> Option<i64> {
    let configuration = elements(payload).find_map(Element::configuration)?;
    let count = elements(payload).count() as u64;
    let samples = count * u64::from(configuration.samples?);
    ticks(samples, configuration.core_rate)
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

/// Walks the elements that begin in `payload`, as [`frames`](super::frames) does.
fn elements(payload: &[u8]) -> impl Iterator<Item = Element<'_>> {
    let mut rest = payload;
    std::iter::from_fn(move || {
        while !rest.is_empty() {
            let here = rest;
            if let Some(length) = header(here) {
                let behind = here.get(HEADER_LENGTH + length..).unwrap_or_default();
                if behind.len() < HEADER_LENGTH || header(behind).is_some() {
                    rest = behind;
                    let end = here.len().min(HEADER_LENGTH + length);
                    return Some(Element(&here[HEADER_LENGTH..end]));
                }
            }
            rest = &here[1..];
        }
        None
    })
}

/// 11 bits of sync and 13 of length (1.7.2).
const HEADER_LENGTH: usize = 3;

fn header(bytes: &[u8]) -> Option<usize> {
    let &[sync, high, low] = bytes.first_chunk()?;
    (sync == 0x56 && high & 0xe0 == 0xe0)
        .then_some(usize::from(high & 0x1f) << 8 | usize::from(low))
}

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
