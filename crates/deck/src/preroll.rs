//! What somebody who joins a feed is given first, so that it knows the streams at once and has a picture.

use std::sync::Arc;

use bytes::Bytes;
use lookback_mpegts::Ticks;
use lookback_replay::{Clip, Gone, Program, Unit};

use crate::deck::{FRAME, Output};
use crate::reader::Reader;

/// libavformat looks at most of a second before it is content.
const LENGTH: Ticks = Ticks(90_000);

/// The pictures and the sound of the second up to the picture at `shown`, stamped to end at `end` of a feed.
///
/// # Errors
/// If the clip had to be let go.
pub fn preroll_of(clip: &Arc<Clip>, shown: Ticks, end: Ticks) -> Result<Vec<Output>, Gone> {
    preroll(&Reader::of(clip), clip.program(), shown, end)
}

/// A second of black up to `end` of a feed. Nothing where no black picture is known of the codec.
pub fn black_of(program: &Program, end: Ticks) -> Vec<Output> {
    let Some(picture) = program.black() else {
        return Vec::new();
    };
    let start = end - LENGTH;
    let unit = |stream, at, payload| {
        Output::Unit(Unit {
            stream,
            pts: at,
            dts: at,
            random_access: true,
            payload,
        })
    };
    let sounds = (1..program.codecs().len()).filter_map(|stream| {
        let silence = program
            .silence(stream)
            .filter(|silence| silence.ticks > 0)?;
        let frames = usize::try_from(LENGTH.0 / silence.ticks).unwrap_or(0);
        let payload = Bytes::copy_from_slice(&silence.payload);
        Some(unit(stream, start, vec![payload; frames]))
    });
    let pictures = (0..LENGTH.0 / FRAME.0).map(|n| {
        let at = start + Ticks(n * FRAME.0);
        unit(0, at, vec![picture.clone()])
    });
    std::iter::once(Output::Program(program.clone()))
        .chain(sounds)
        .chain(pictures)
        .chain([Output::Still])
        .collect()
}

pub(crate) fn preroll(
    reader: &Reader,
    program: Program,
    shown: Ticks,
    end: Ticks,
) -> Result<Vec<Output>, Gone> {
    let taken = reader.up_to(shown, LENGTH)?;
    let pictures = || taken.iter().filter(|unit| unit.stream == 0);
    let last = pictures().map(|unit| unit.pts).max().unwrap_or(shown);
    let decoded: Vec<Ticks> = pictures().map(|unit| unit.dts).collect();
    let frame = match decoded[..] {
        [.., before, last] => last - before,
        _ => FRAME,
    };
    let shift = end - frame - last;
    let stamp = |mut unit: Unit| {
        unit.pts += shift;
        unit.dts += shift;
        Output::Unit(unit)
    };
    let stamped = taken
        .into_iter()
        .filter(|unit| unit.pts + shift < end)
        .map(stamp);
    Ok(std::iter::once(Output::Program(program))
        .chain(stamped)
        .collect())
}
