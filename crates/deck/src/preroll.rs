//! What somebody who joins a feed is given first, so that it knows the streams at once and has a picture.
//!
//! libavformat does not open a stream before it has counted some twenty pictures, so there are that many; and
//! as what was sent is also shown, one after the other, they pass quickly. OBS, which shows nothing without
//! sound, gets silence (docs/design/decks.md).

use std::sync::Arc;

use lookback_mpegts::Ticks;
use lookback_replay::{Clip, Gone, Program, Unit};

use crate::deck::FRAME;
use crate::output::Output;
use crate::reader::Reader;
use crate::sound::silent;

/// So much of what was shown.
const LENGTH: Ticks = Ticks(90_000);

/// At least so many pictures.
const PICTURES_MIN: usize = 30;

/// From one to the next.
const STEP: Ticks = Ticks(900);

/// The pictures of the second up to the one at `shown`, in a third of that time, stamped to end at `end` of a
/// feed.
///
/// # Errors
/// If the clip had to be let go.
pub fn preroll_of(clip: &Arc<Clip>, shown: Ticks, end: Ticks) -> Result<Vec<Output>, Gone> {
    preroll(&Reader::of(clip), &clip.program(), shown, end)
}

/// As much of black. Nothing where no black picture is known of the codec.
pub fn black_of(program: &Program, end: Ticks) -> Vec<Output> {
    let Some(picture) = program.black() else {
        return Vec::new();
    };
    let unit = Unit {
        stream: 0,
        pts: end - FRAME,
        dts: end - FRAME,
        random_access: true,
        payload: vec![picture],
    };
    let mut outputs = given(program, vec![unit], end);
    outputs.push(Output::Still);
    outputs
}

pub(crate) fn preroll(
    reader: &Reader,
    program: &Program,
    shown: Ticks,
    end: Ticks,
) -> Result<Vec<Output>, Gone> {
    let mut pictures = reader.up_to(shown, LENGTH)?;
    let last = pictures.iter().map(|unit| unit.pts).max().unwrap_or(shown);
    let decoded: Vec<Ticks> = pictures.iter().map(|unit| unit.dts).collect();
    let frame = match decoded[..] {
        [.., before, last] if last > before => last - before,
        _ => FRAME,
    };
    // The last one is on until what follows, as what brings it out comes behind it.
    let squeezed = |at: Ticks| end - frame - Ticks((last - at).0 * STEP.0 / frame.0);
    for unit in &mut pictures {
        unit.pts = squeezed(unit.pts);
        unit.dts = squeezed(unit.dts);
    }
    Ok(given(program, pictures, end))
}

/// The pictures, the first of them as often as there are too few, with silence from there to the end.
fn given(program: &Program, pictures: Vec<Unit>, end: Ticks) -> Vec<Output> {
    let Some(first) = pictures.first().cloned() else {
        return Vec::new();
    };
    let again = PICTURES_MIN.saturating_sub(pictures.len()) as i64;
    let repeats = (1..=again).rev().map(|n| {
        let at = first.dts - Ticks(n * STEP.0);
        Unit {
            pts: at,
            dts: at,
            ..first.clone()
        }
    });
    let start = first.dts - Ticks(again * STEP.0);
    let sounds =
        (1..program.codecs().len()).filter_map(|stream| silence(program, stream, start, end));
    let units = sounds.chain(repeats).chain(pictures);
    std::iter::once(Output::Program(program.clone()))
        .chain(units.map(Output::Unit))
        .collect()
}

fn silence(program: &Program, stream: usize, start: Ticks, end: Ticks) -> Option<Unit> {
    let silence = program
        .silence(stream)
        .filter(|silence| silence.ticks > 0)?;
    let frames = usize::try_from((end - start).0 / silence.ticks).unwrap_or(0);
    Some(silent(stream, start, &silence.payload, frames))
}
