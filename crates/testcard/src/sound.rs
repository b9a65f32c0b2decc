//! The beeps: one when each second begins, a higher one every ten seconds.

use std::f64::consts::TAU;

use crate::aac::{Encoder, FRAME_LEN, SAMPLE_RATE, WINDOW_LEN};

/// How long a beep is, in samples: 80 ms.
const BEEP_LEN: u64 = 3840;

/// How long it takes to reach its loudness, and to leave it, in samples: 4 ms.
const RAMP_LEN: u64 = 192;

/// Its loudness, a quarter of the most.
const AMPLITUDE: f64 = 8192.0;

const PITCH_HZ: f64 = 1000.0;
const HIGH_PITCH_HZ: f64 = 2000.0;

/// One beep in so many is a high one.
const HIGH_EVERY_S: u64 = 10;

/// The sound of a card.
pub(crate) struct Sound {
    encoder: Encoder,
    silence: Vec<u8>,
    /// The time of day at sample 0.
    clock_start_s: u64,
}

impl Sound {
    pub(crate) fn new(clock_start_s: u32) -> Self {
        let encoder = Encoder::new();
        let silence = encoder.silence();
        Self {
            encoder,
            silence,
            clock_start_s: clock_start_s.into(),
        }
    }

    /// Frame `k`: what is heard from sample `k` * 1024 on.
    pub(crate) fn frame(&self, k: u64) -> Vec<u8> {
        let first = k * FRAME_LEN as u64;
        let in_second = first % u64::from(SAMPLE_RATE);
        let next_second = u64::from(SAMPLE_RATE) - in_second;
        if in_second >= BEEP_LEN && next_second >= WINDOW_LEN as u64 {
            return self.silence.clone();
        }
        let samples = std::array::from_fn(|n| self.sample(first + n as u64));
        self.encoder.frame(&samples)
    }

    fn sample(&self, at: u64) -> f64 {
        let rate = u64::from(SAMPLE_RATE);
        let (second, at) = (self.clock_start_s + at / rate, at % rate);
        if at >= BEEP_LEN {
            return 0.0;
        }
        let pitch = if second.is_multiple_of(HIGH_EVERY_S) {
            HIGH_PITCH_HZ
        } else {
            PITCH_HZ
        };
        let to_edge = at.min(BEEP_LEN - 1 - at).min(RAMP_LEN);
        let ramp = 0.5 - 0.5 * (TAU / 2.0 * to_edge as f64 / RAMP_LEN as f64).cos();
        AMPLITUDE * ramp * (TAU * pitch * at as f64 / rate as f64).sin()
    }
}
