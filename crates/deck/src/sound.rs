//! The sound of a feed, which goes on without a gap: OBS shows no picture before it has the sound of its time
//! (docs/design/decks.md). Where there is none to send, there is silence.

use bytes::Bytes;
use lookback_codec::audio_duration;
use lookback_mpegts::Ticks;
use lookback_replay::{Program, Unit};

/// By how much lengths and timestamps of sound disagree, since both are rounded.
const SOUND_OVERLAP: Ticks = Ticks(90);

/// Frames of silence in one unit.
const SILENCE_FRAMES_MAX: u64 = 64;

/// Up to where each stream of sound was sent.
#[derive(Default)]
pub(crate) struct Sound {
    /// The first stream is none of sound.
    sent: Vec<Ticks>,
}

impl Sound {
    /// Of a program that begins at this time of the feed.
    pub(crate) fn from(program: &Program, start: Ticks) -> Self {
        Self {
            sent: vec![start; program.codecs().len()],
        }
    }

    /// Recorded sound, if it is to be sent: unless there is silence in its place already.
    pub(crate) fn take(&mut self, program: &Program, unit: Unit) -> Option<Unit> {
        let sent = self.sent.get_mut(unit.stream)?;
        let codec = *program.codecs().get(unit.stream)?;
        if unit.pts + SOUND_OVERLAP < *sent {
            return None;
        }
        // What is silent afterwards begins where this ends.
        let length = audio_duration(codec, &unit.payload.concat()).unwrap_or(1);
        *sent = unit.pts + Ticks(length);
        Some(unit)
    }

    /// The silence that is missing up to a time of the feed, a unit for each stream.
    pub(crate) fn fill(&mut self, program: &Program, until: Ticks) -> Vec<Unit> {
        let streams = self.sent.iter_mut().enumerate().skip(1);
        let units = streams.filter_map(|(stream, sent)| {
            let missing = (until - *sent).0;
            let silence = program.silence(stream)?;
            if missing <= 0 || silence.ticks <= 0 {
                return None;
            }
            let frames = missing
                .unsigned_abs()
                .div_ceil(silence.ticks.unsigned_abs())
                .min(SILENCE_FRAMES_MAX);
            let at = *sent;
            *sent += Ticks(frames as i64 * silence.ticks);
            Some(silent(stream, at, &silence.payload, frames as usize))
        });
        units.collect()
    }
}

/// So many frames of silence.
pub(crate) fn silent(stream: usize, at: Ticks, payload: &[u8], frames: usize) -> Unit {
    Unit {
        stream,
        pts: at,
        dts: at,
        random_access: true,
        payload: vec![Bytes::copy_from_slice(payload); frames],
    }
}
