//! The beeps are heard when they should be, and as high as they should be.

use lookback_testcard::TestCard;

use crate::{card, ffmpeg};

const RATE: usize = 48_000;

/// The left and the right channel of the first `frames` sound frames, decoded from ADTS.
fn decoded(card: &TestCard, frames: u64) -> [Vec<f64>; 2] {
    let coded = (0..frames).flat_map(|k| card.sound(k)).collect();
    let pcm = ffmpeg(&["-f", "aac", "-i", "-", "-f", "s16le", "-"], coded);
    let samples: Vec<f64> = pcm
        .as_chunks()
        .0
        .iter()
        .map(|sample| f64::from(i16::from_le_bytes(*sample)))
        .collect();
    [0, 1].map(|channel| samples.iter().skip(channel).step_by(2).copied().collect())
}

fn mean_square(samples: &[f64]) -> f64 {
    samples.iter().map(|sample| sample * sample).sum::<f64>() / samples.len() as f64
}

fn rising_through_zero(samples: &[f64]) -> usize {
    samples
        .windows(2)
        .filter(|pair| pair[0] < 0.0 && pair[1] >= 0.0)
        .count()
}

#[test]
fn it_beeps_for_80_ms_when_a_second_begins() {
    // The card's clock starts at 23:59:58, so the third beep and the 13th are high ones.
    let card = card(1280, 720, 30);
    let frames = 14 * RATE as u64 / 1024;
    let [left, right] = decoded(&card, frames);
    assert_eq!(left.len() as u64, frames * 1024);
    assert_eq!(left, right);

    // A tone of amplitude 8192 has this mean square.
    let loud = 8192.0 * 8192.0 / 2.0;
    // The very first beep lies in the first frame, whose beginning no decoder has.
    for (second, samples) in left.chunks_exact(RATE).enumerate().skip(1) {
        for (bin, samples) in samples.chunks(RATE / 100).enumerate() {
            let level = mean_square(samples) / loud;
            match bin {
                // The edges are soft, for 4 ms.
                0 | 7 => assert!(
                    (0.5..0.9).contains(&level),
                    "{second} s, bin {bin}: {level}"
                ),
                1..7 => assert!(
                    (0.97..1.03).contains(&level),
                    "{second} s, bin {bin}: {level}"
                ),
                _ => assert!(level < 1e-5, "{second} s, bin {bin}: {level}"),
            }
        }
        let periods = rising_through_zero(&samples[RATE / 100..RATE * 6 / 100]);
        let expected = if second % 10 == 2 { 100 } else { 50 };
        assert!(
            periods.abs_diff(expected) <= 1,
            "{second} s: {periods} periods in 50 ms"
        );
    }
}

#[test]
fn the_beep_starts_on_the_sample() {
    let card = card(1280, 720, 30);
    let [samples, _] = decoded(&card, 100);
    let expected = |t: usize| {
        let ramp = (t.min(192) as f64 / 192.0 * std::f64::consts::PI).cos();
        8192.0 * (0.5 - 0.5 * ramp) * (std::f64::consts::TAU * t as f64 / 48.0).sin()
    };
    let error: Vec<f64> = (0..2000).map(|t| samples[RATE + t] - expected(t)).collect();
    let signal: Vec<f64> = (0..2000).map(expected).collect();
    let ratio = mean_square(&error) / mean_square(&signal);
    assert!(ratio < 1e-4, "{ratio}");
}
