//! What a clip is made from: the stretches of runs that a selection means.
//!
//! This is the part of making a clip that needs the channel's lock. What it comes to is a value, which
//! the clip keeps.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use lookback_mpegts::{PTS_WRAP, Ticks};

use crate::channel::State;
use crate::clip::{ClipError, Selection};
use crate::index::{Cursor, Entry, Fault, Key};
use crate::layout::TAIL_BLOCKS;
use crate::log::{Block, block_of};
use crate::run::Run;
use crate::slab::SLAB_LEN;
use crate::wall::{Wall, ticks_to_duration};

/// Where the timeline of a clip begins that is not the source's own. It leaves room in front for
/// clocks, which run ahead of the pictures.
const TIMELINE_START: Ticks = Ticks(10 * 90_000);

/// How far clocks run ahead of the pictures. Many streams begin little more than a second after zero,
/// and these should be taken as they are.
const CLOCK_LEAD_MAX: Ticks = Ticks(90_000);

/// How far sound may end behind the pictures.
const SOUND_BEHIND_MAX: Ticks = Ticks(10 * 90_000);

/// Pictures that a codec may hold back to show them in another order: H.264 and HEVC allow 16.
const REORDER_MAX: usize = 16;

/// What a clip is made from. It is all that is needed to make others of the same material, when the log
/// has forgotten its keys and faults.
pub(crate) struct Plan {
    pub(crate) parts: Vec<Part>,
    /// Those among the bytes of the parts.
    pub(crate) faults: Vec<Fault>,
    /// The end of what may be looked at.
    pub(crate) limit: u64,
    pub(crate) runs_left_out: usize,
}

impl Plan {
    pub(crate) fn bytes(&self) -> usize {
        let runs = self.parts.iter().map(|part| part.run.bytes());
        runs.sum::<usize>()
            + self.parts.len() * size_of::<Part>()
            + self.faults.len() * size_of::<Fault>()
    }

    /// The blocks that may be looked at while the layout is made: one range for each stretch of runs
    /// that lie one behind the other.
    pub(crate) fn stretches(&self) -> Vec<Range<u64>> {
        let mut stretches = Vec::new();
        let mut first = None;
        for part in &self.parts {
            let start = *first.get_or_insert(part.key.offset);
            if !part.continues {
                let end = end_of_looking(part.end).min(self.limit).max(start + 1);
                stretches.push(block_of(start)..block_of(end - 1) + 1);
                first = None;
            }
        }
        stretches
    }
}

/// How far behind its last picture a stretch is looked at.
pub(crate) fn end_of_looking(end: u64) -> u64 {
    (block_of(end) + TAIL_BLOCKS + 1) * SLAB_LEN as u64
}

/// The stretch of one run in a clip.
#[derive(Clone)]
pub(crate) struct Part {
    pub(crate) run: Arc<Run>,
    pub(crate) key: Key,
    /// The last unit of the track that is cut on.
    pub(crate) last: Cursor,
    /// Where the last picture ends.
    pub(crate) end_pts: Ticks,
    pub(crate) last_dts: Ticks,
    /// Log offset behind the last unit of the track that is cut on.
    pub(crate) end: u64,
    /// Whether the clip goes on with the run behind this one.
    pub(crate) continues: bool,
    /// Whether it follows the run before this one.
    pub(crate) follows: bool,
    /// What is added to all its timestamps.
    pub(crate) shift: Ticks,
}

impl Part {
    pub(crate) fn duration(&self) -> Duration {
        ticks_to_duration(self.end_pts - self.key.pts)
    }
}

/// What a clip of a selection is made from.
pub(crate) fn plan(state: &State, selection: Selection, now: Wall) -> Result<Plan, ClipError> {
    let Resolved {
        parts,
        runs_left_out,
    } = resolve(state, selection, now)?;
    let (Some(first), Some(last)) = (parts.first(), parts.last()) else {
        return Err(ClipError::EmptySpan);
    };
    let limit = state.log.end.min(end_of_looking(last.end));
    let faults = state.log.faults_in(&(first.key.offset..limit));
    Ok(Plan {
        parts,
        faults,
        limit,
        runs_left_out,
    })
}

pub(crate) struct Resolved {
    pub(crate) parts: Vec<Part>,
    pub(crate) runs_left_out: usize,
}

/// Finds the stretches of runs that a selection means.
pub(crate) fn resolve(
    state: &State,
    selection: Selection,
    now: Wall,
) -> Result<Resolved, ClipError> {
    let Some(window) = state.window() else {
        return Err(ClipError::Empty {
            problem: state.wrong_input(),
        });
    };
    let (from, to) = match selection {
        Selection::All => (None, None),
        Selection::Last(length) => {
            let until = if state.is_recording(now) {
                now
            } else {
                window.end
            };
            (Some(until - length), None)
        }
        Selection::Span { from, to } => (from, to),
    };
    if let (Some(from), Some(to)) = (from, to)
        && from >= to
    {
        return Err(ClipError::EmptySpan);
    }
    if from.is_some_and(|from| from > window.end) || to.is_some_and(|to| to <= window.start) {
        return Err(ClipError::OutsideWindow {
            start: window.start,
            end: window.end,
        });
    }

    let mut parts: Vec<Part> = Vec::new();
    let mut left_out = 0;
    for (run, keys) in state.runs_with_keys().rev() {
        let key_wall = |at: usize| run.wall(state.log.keys[at].pts);
        if from.is_some_and(|from| run.wall(run.latest) < from && !parts.is_empty()) {
            break;
        }
        if to.is_some_and(|to| key_wall(keys.start) >= to) {
            continue;
        }
        // A hole in the row of runs that agree would be a hole in time.
        if left_out > 0
            || parts
                .last()
                .is_some_and(|newer| !newer.run.agrees_with(run))
        {
            left_out += 1;
            continue;
        }
        let start = partition(keys.clone(), |at| {
            from.is_some_and(|from| key_wall(at) <= from)
        });
        let start = if start > keys.start {
            start - 1
        } else {
            keys.start
        };
        let until = partition(start..keys.end, |at| to.is_none_or(|to| key_wall(at) < to));
        let last = until.max(start + 1) - 1;
        let last_key = state.log.keys[last];
        // With an open key may come pictures that are shown before it, in the group before.
        let first = last
            .saturating_sub(usize::from(last_key.is_open))
            .max(start);
        let block = |number| state.log.block(number).cloned();
        let until = |end| to.is_some_and(|to| run.wall(end) >= to);
        if let Some(end) = end_of_part(block, run, state.log.keys[first], last_key.offset, until) {
            parts.push(Part {
                run: Arc::clone(run),
                key: state.log.keys[start],
                last: end.cursor,
                end_pts: end.pts,
                last_dts: end.dts,
                end: end.offset,
                continues: !parts.is_empty(),
                follows: true,
                shift: Ticks(0),
            });
        }
    }
    parts.reverse();
    if let Some(first) = parts.first_mut() {
        first.follows = false;
    }
    Ok(Resolved {
        parts,
        runs_left_out: left_out,
    })
}

/// The first of `range` for which `holds` is no longer true.
pub(crate) fn partition(range: Range<usize>, holds: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (range.start, range.end);
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(middle) {
            low = middle + 1
        } else {
            high = middle
        }
    }
    low
}

pub(crate) struct End {
    pub(crate) cursor: Cursor,
    pub(crate) pts: Ticks,
    pub(crate) dts: Ticks,
    pub(crate) offset: u64,
}

/// The last picture of a part: the first behind which it is `enough`, and, as pictures come in another
/// order than they are shown in, none is missing between. It is looked for from `key` up to what is shown
/// before the key behind the one at `last_key`.
pub(crate) fn end_of_part(
    block: impl Fn(u64) -> Option<Arc<Block>>,
    run: &Run,
    key: Key,
    last_key: u64,
    enough: impl Fn(Ticks) -> bool,
) -> Option<End> {
    let Group { pictures, is_whole } = pictures_from(block, run, key, last_key);
    // The earliest picture that follows each one.
    let mut later_pts = vec![Ticks(i64::MAX); pictures.len()];
    for at in (1..pictures.len()).rev() {
        later_pts[at - 1] = later_pts[at].min(pictures[at].1.pts);
    }

    let mut best: Option<End> = None;
    let mut shown = Ticks(i64::MIN);
    let mut behind_key = 0;
    let mut frame = run.tracks[run.cut].nominal_frame();
    for (at, &(cursor, entry)) in pictures.iter().enumerate() {
        if let Some((_, before)) = at.checked_sub(1).map(|before| pictures[before])
            && entry.dts() > before.dts()
        {
            frame = entry.dts() - before.dts();
        }
        shown = shown.max(entry.pts);
        behind_key += i64::from(entry.pts > key.pts);
        let all_known = is_whole || pictures.len() - at > REORDER_MAX;
        let evenly_spaced = || shown - key.pts == Ticks(frame.0 * behind_key);
        // A picture is never shown before it is decoded.
        let none_can_come = || shown <= entry.dts() + frame;
        if best.is_none()
            || later_pts[at] > shown && (all_known || evenly_spaced() || none_can_come())
        {
            best = Some(End {
                cursor,
                pts: shown + frame,
                dts: entry.dts(),
                offset: entry.end(),
            });
            if enough(shown + frame) {
                break;
            }
        }
    }
    best
}

/// Groups of pictures, as far as they have come.
struct Group {
    pictures: Vec<(Cursor, Entry)>,
    /// No more pictures belong to them.
    is_whole: bool,
}

/// The pictures from `key` up to the group behind that of the key at `last_key`.
fn pictures_from(
    block: impl Fn(u64) -> Option<Arc<Block>>,
    run: &Run,
    key: Key,
    last_key: u64,
) -> Group {
    let mut pictures = Vec::new();
    let mut passed = false;
    let mut cursor = key.cursor;
    while let Some(block) = block(cursor.block) {
        for (at, entry) in block.entries().iter().enumerate().skip(cursor.entry) {
            if entry.track() != run.cut || entry.offset < key.offset || entry.is(Entry::DAMAGED) {
                continue;
            }
            let is_key = entry.is(Entry::KEY) && entry.offset > last_key;
            // What comes with an open key may be shown before it.
            let next_group = is_key && (passed || !entry.is(Entry::OPEN));
            passed |= is_key;
            if next_group || !run.contains(entry.offset) {
                return Group {
                    pictures,
                    is_whole: true,
                };
            }
            let cursor = Cursor {
                block: cursor.block,
                entry: at,
            };
            pictures.push((cursor, *entry));
        }
        cursor = Cursor {
            block: cursor.block + 1,
            entry: 0,
        };
    }
    Group {
        pictures,
        is_whole: run.end.is_some(),
    }
}

/// Joins the timelines of the parts. A clip of one run keeps the source's own, unless the 33 bits of
/// its timestamps wrap within.
pub(crate) fn place_on_timeline(parts: &mut [Part]) {
    let epoch = |ticks: Ticks| ticks.0.div_euclid(PTS_WRAP as i64);
    let patchable = parts.iter().all(|part| part.run.patchable);
    let wraps = |part: &Part| {
        epoch(part.key.dts() - CLOCK_LEAD_MAX) != epoch(part.end_pts + SOUND_BEHIND_MAX)
    };
    if !patchable || (parts.len() == 1 && !wraps(&parts[0])) {
        return;
    }
    let mut shown_until = TIMELINE_START;
    let mut decoded_until = Ticks(i64::MIN);
    for part in parts {
        let frame = part.run.tracks[part.run.cut].nominal_frame();
        let by_picture = shown_until - part.key.pts;
        let by_decoding = if decoded_until.0 == i64::MIN {
            by_picture
        } else {
            decoded_until + frame - part.key.dts()
        };
        part.shift = by_picture.max(by_decoding);
        shown_until = part.end_pts + part.shift;
        decoded_until = part.last_dts + part.shift;
    }
}
