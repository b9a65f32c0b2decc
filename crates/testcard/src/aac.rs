//! A small AAC-LC encoder (ISO/IEC 14496-3, subpart 4) for tones: 48 kHz stereo in ADTS frames.
//!
//! Both channels are the same, so they are coded as mid and side with an empty side. There are long
//! sine windows, one step size for all lines and one codebook; lines above [`LINES`] stay empty.
//!
//! A decoder gives the samples of the first half of a frame's window when it has that frame. The
//! frame that starts at sample `s` therefore looks at the samples from `s` to `s + 2048`, and what
//! is decoded is not late against what went in.

mod codebook;

use std::f64::consts::PI;

use crate::bits::BitWriter;

/// Samples a second.
pub(crate) const SAMPLE_RATE: u32 = 48_000;

/// Samples in a frame.
pub(crate) const FRAME_LEN: usize = 1024;

/// Samples under a window: those of a frame and of the next one.
pub(crate) const WINDOW_LEN: usize = 2 * FRAME_LEN;

/// Scale factor bands that are coded; at 48 kHz the first 20 have [`LINES`] lines (table 4.129).
const BANDS: u32 = 20;

/// Spectral lines that are coded: up to 3.1 kHz.
const LINES: usize = 132;

/// The step size, as a power of two in quarters from 100. A tone of -12 dB then peaks at some 600
/// steps, which keeps what is added to it some 60 dB below.
const GLOBAL_GAIN: u32 = 146;

/// The steps of a turn that the transform takes.
const COSINE_PERIOD: usize = 4 * WINDOW_LEN;

/// Quantisation adds this before it rounds down; it is less than a half because small values are
/// more frequent than large ones.
const ROUNDING: f64 = 0.4054;

/// Encodes frames; each for itself.
pub(crate) struct Encoder {
    window: Vec<f64>,
    /// One period of the cosine.
    cosine: Vec<f64>,
}

impl Encoder {
    pub(crate) fn new() -> Self {
        let window = |n| (PI / WINDOW_LEN as f64 * (n as f64 + 0.5)).sin();
        let cosine = |i| (2.0 * PI / COSINE_PERIOD as f64 * i as f64).cos();
        Self {
            window: (0..WINDOW_LEN).map(window).collect(),
            cosine: (0..COSINE_PERIOD).map(cosine).collect(),
        }
    }

    /// The frame of the samples under a window, which are between -32768 and 32767.
    pub(crate) fn frame(&self, samples: &[f64; WINDOW_LEN]) -> Vec<u8> {
        let lines = self.spectrum(samples).map(quantised);
        adts(&raw_data_block(&lines))
    }

    /// A frame without sound.
    pub(crate) fn silence(&self) -> Vec<u8> {
        adts(&raw_data_block(&[0; LINES]))
    }

    /// The lowest lines of the modified discrete cosine transform (4.6.18 has the inverse).
    fn spectrum(&self, samples: &[f64; WINDOW_LEN]) -> [f64; LINES] {
        let windowed = samples.iter().zip(&self.window);
        let windowed: Vec<f64> = windowed.map(|(sample, weight)| sample * weight).collect();
        std::array::from_fn(|k| {
            // cos(2π/N (n + N/4 + 1/2) (k + 1/2)), in steps of a 4N-th of a turn.
            let step = 2 * (2 * k + 1);
            let first = (WINDOW_LEN / 2 + 1) * (2 * k + 1);
            let angles = (0..).map(|n| (first + n * step) % COSINE_PERIOD);
            let sum: f64 = windowed
                .iter()
                .zip(angles)
                .map(|(z, at)| z * self.cosine[at])
                .sum();
            2.0 * sum
        })
    }
}

/// A line in steps; the decoder raises it to the power of 4/3 (4.6.1).
fn quantised(line: f64) -> i32 {
    let step = ((f64::from(GLOBAL_GAIN) - 100.0) / 4.0).exp2();
    let magnitude = ((line.abs() / step).powf(0.75) + ROUNDING).floor() as i32;
    if line < 0.0 { -magnitude } else { magnitude }
}

/// raw_data_block with one channel pair (4.4.2.1).
fn raw_data_block(lines: &[i32; LINES]) -> Vec<u8> {
    let is_silent = lines.iter().all(|&line| line == 0);
    let bands = if is_silent { 0 } else { BANDS };
    let mut w = BitWriter::new();
    w.bits(1, 3); // id_syn_ele: ID_CPE
    w.bits(0, 4); // element_instance_tag
    w.flag(true); // common_window
    w.flag(false); // ics_reserved_bit
    w.bits(0, 2); // window_sequence: ONLY_LONG_SEQUENCE
    w.flag(false); // window_shape: sine
    w.bits(bands, 6); // max_sfb
    w.flag(false); // predictor_data_present
    w.bits(2, 2); // ms_mask_present: mid and side in all bands
    channel(&mut w, bands, (!is_silent).then_some(lines));
    channel(&mut w, bands, None);
    w.bits(7, 3); // id_syn_ele: ID_END
    w.finish()
}

/// individual_channel_stream with one section; without lines it is all zero (4.4.2.7).
fn channel(w: &mut BitWriter, bands: u32, lines: Option<&[i32; LINES]>) {
    w.bits(GLOBAL_GAIN, 8);
    if bands > 0 {
        w.bits(if lines.is_some() { 11 } else { 0 }, 4); // sect_cb
        w.bits(bands, 5); // sect_len_incr
    }
    if lines.is_some() {
        for _band in 0..bands {
            w.bits(0, 1); // hcod_sf: no difference to the band before
        }
    }
    w.flag(false); // pulse_data_present
    w.flag(false); // tns_data_present
    w.flag(false); // gain_control_data_present
    for pair in lines.into_iter().flat_map(|lines| lines.as_chunks().0) {
        codebook::write_pair(w, *pair);
    }
}

/// adts_frame without a CRC (1.A.2.2).
fn adts(raw_data_block: &[u8]) -> Vec<u8> {
    const HEADER_LEN: usize = 7;
    let mut w = BitWriter::new();
    w.bits(0xfff, 12); // syncword
    w.bits(0, 1); // ID: MPEG-4
    w.bits(0, 2); // layer
    w.flag(true); // protection_absent
    w.bits(1, 2); // profile_ObjectType: AAC LC
    w.bits(3, 4); // sampling_frequency_index: 48000 Hz
    w.flag(false); // private_bit
    w.bits(2, 3); // channel_configuration: stereo
    w.bits(0, 4); // original_copy, home, copyright_identification_bit and _start
    w.bits((HEADER_LEN + raw_data_block.len()) as u32, 13); // aac_frame_length
    w.bits(0x7ff, 11); // adts_buffer_fullness: variable rate
    w.bits(0, 2); // number_of_raw_data_blocks_in_frame: one
    w.bytes(raw_data_block);
    w.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_tells_its_length() {
        let encoder = Encoder::new();
        let tone = std::array::from_fn(|n| 8000.0 * (n as f64 / 7.0).sin());
        for frame in [encoder.silence(), encoder.frame(&tone)] {
            let [_, _, _, a, b, c, ..] = frame[..] else {
                panic!("a header")
            };
            let len = usize::from(a & 3) << 11 | usize::from(b) << 3 | usize::from(c) >> 5;
            assert_eq!(len, frame.len());
        }
        assert!(encoder.silence().len() < 16);
    }

    /// The inverse transform of two frames, added where they overlap, gives the sound back.
    #[test]
    fn what_the_transform_and_the_steps_lose_is_far_below_the_tone() {
        let encoder = Encoder::new();
        let tone = |t: usize| 8192.0 * (2.0 * PI * 1000.0 * t as f64 / 48_000.0).sin();
        let decoded = |start: usize| -> Vec<f64> {
            let lines = encoder
                .spectrum(&std::array::from_fn(|n| tone(start + n)))
                .map(quantised);
            let step = ((f64::from(GLOBAL_GAIN) - 100.0) / 4.0).exp2();
            let sample = |n: usize| {
                let line = |(k, &q): (usize, &i32)| {
                    let value = f64::from(q.signum()) * f64::from(q.abs()).powf(4.0 / 3.0) * step;
                    let angle = 2.0 * PI / 2048.0 * (n as f64 + 512.5) * (k as f64 + 0.5);
                    value * angle.cos()
                };
                lines.iter().enumerate().map(line).sum::<f64>() / 1024.0 * encoder.window[n]
            };
            (0..WINDOW_LEN).map(sample).collect()
        };
        let (first, second) = (decoded(0), decoded(FRAME_LEN));
        let error = |n: usize| first[FRAME_LEN + n] + second[n] - tone(FRAME_LEN + n);
        let noise: f64 = (0..FRAME_LEN).map(|n| error(n).powi(2)).sum::<f64>() / 1024.0;
        let signal = 8192.0_f64.powi(2) / 2.0;
        let decibels = 10.0 * (signal / noise).log10();
        assert!(decibels > 50.0, "{decibels} dB");
    }
}
