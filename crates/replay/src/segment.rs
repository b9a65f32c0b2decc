//! A channel in segments, as HLS hands it out: which there are, and what each is made of.
//!
//! A segment is the pictures from one key up to another one in the order of the stream, and the sound that
//! is heard meanwhile. Sound may lie in the log in front of the pictures that it belongs to, and behind them; and
//! pictures behind an open key refer to those before it. So a segment is taken out of a clip that begins a segment
//! earlier, and it is there once no more sound of it can come. From then on it is the same for all who ask, until
//! the window has passed the segment in front of it.

use std::ops::Range;
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use lookback_mpegts::Ticks;

use crate::channel::{Channel, State};
use crate::clip::{Clip, ClipError};
use crate::index::{Entry, Key};
use crate::log::block_of;
use crate::part::{SegmentPart, pieces};
use crate::plan::{End, Part, Plan, end_of_looking, end_of_part};
use crate::run::{Program, Run};
use crate::units::Units;
use crate::wall::{Wall, ticks_to_duration};

/// A stretch of a channel of about two seconds that can be decoded from its first picture on.
#[derive(Clone, Debug)]
pub struct Segment {
    /// Segments of the channel before it, since it was made.
    pub number: u64,
    /// Runs of the channel before its own.
    pub run: u64,
    /// Segments of one run with the same of this have the same parameter sets.
    pub parameters: u64,
    /// Whether all of its pictures can be decoded without the segment before it.
    pub is_closed: bool,
    /// When its first picture was recorded.
    pub start: Wall,
    /// From when to when it goes, on the timeline of its run.
    pub span: Range<Ticks>,
    /// The bytes of the log from its first picture to the next segment's.
    pub offsets: Range<u64>,
}

impl Segment {
    /// Its playing time.
    pub fn duration(&self) -> Duration {
        ticks_to_duration(self.span.end - self.span.start)
    }
}

/// The segments of a channel's window.
#[derive(Clone, Debug)]
pub struct Segments {
    /// They themselves, their numbers in a row.
    pub list: Vec<Segment>,
    /// The parts of the newest of them, and of the one that is being recorded.
    pub parts: Vec<SegmentPart>,
    /// The one that is being recorded, without an end.
    pub current: Option<Segment>,
    /// The length of the longest that the channel ever had.
    pub longest: Duration,
    /// The streams of the newest.
    pub program: Program,
}

/// Segments whose parts are listed: more than three times the longest that there may be.
const WITH_PARTS: usize = 4;

/// The last frame of sound may go on in a packet that begins so much later.
const FRAME_OF_SOUND_MAX: Ticks = Ticks(Ticks::SECOND.0 / 10);

/// Why there is no such segment.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SegmentError {
    /// It was there.
    #[error("the window has passed the segment")]
    Passed,
    /// It may come.
    #[error("there is no such segment yet")]
    NotYet,
}

impl Channel {
    /// The segments that there are.
    ///
    /// # Errors
    /// If nothing is there yet.
    pub fn segments(&self) -> Result<Segments, ClipError> {
        let mut state = self.lock();
        let stretches = stretches(&state, 0);
        let mut list: Vec<Segment> = Vec::new();
        let mut of_newest = None;
        let mut current = None;
        for stretch in &stretches {
            match cut(&state, stretch) {
                Some(cut) => {
                    list.push(cut.segment);
                    of_newest = Some(stretch);
                    current = None;
                }
                None => current = current.or(Some(stretch)),
            }
        }
        let Some(newest) = of_newest else {
            return Err(ClipError::Empty {
                problem: state.wrong_input(),
            });
        };
        let program = newest.run.program();
        // Players count: what lies in front of a number that is missing they would take for something else.
        let gap = list
            .windows(2)
            .rposition(|pair| pair[0].number + 1 != pair[1].number);
        list.drain(..gap.map_or(0, |gap| gap + 1));
        let with_parts = list.iter().rev().take(WITH_PARTS).map(|it| it.number).min();
        let parts = stretches
            .iter()
            .filter(|stretch| with_parts.is_some_and(|from| stretch.first.place.segment >= from))
            .flat_map(|stretch| pieces(&state, stretch));
        let parts = parts.map(|piece| piece.part).collect();
        let current = current.map(|stretch| {
            let first = stretch.first;
            segment(&stretch.run, first, first.pts, first.offset)
        });
        for segment in &list {
            let length = segment.span.end - segment.span.start;
            state.log.numbering.ended_with(length);
        }
        Ok(Segments {
            list,
            parts,
            current,
            longest: ticks_to_duration(state.log.numbering.longest()),
            program,
        })
    }

    /// Whether the window has passed a segment that there was.
    pub fn has_passed(&self, number: u64) -> bool {
        let state = self.lock();
        let was_there = state.log.numbering.newest() >= Some(number);
        let is_before = |key: &Key| key.place.segment > number;
        was_there && state.log.keys.front().is_none_or(is_before)
    }

    /// A segment, and the clip that it is in.
    ///
    /// # Errors
    /// If it is not there any more, or not yet.
    pub fn segment(self: &Arc<Self>, number: u64) -> Result<(Segment, Arc<Clip>), SegmentError> {
        let state = self.lock();
        let stretch = stretches(&state, number)
            .into_iter()
            .find(|stretch| stretch.first.place.segment == number);
        let Some(stretch) = stretch else {
            let is_to_come = state.log.numbering.newest() < Some(number);
            return Err(if is_to_come {
                SegmentError::NotYet
            } else {
                SegmentError::Passed
            });
        };
        let cut = cut(&state, &stretch).ok_or(SegmentError::NotYet)?;
        let clip = self.clip_of(state, cut.run, cut.from, cut.end);
        Ok((cut.segment, clip))
    }

    /// A clip of a stretch of a run, on the run's own timeline.
    pub(crate) fn clip_of(
        self: &Arc<Self>,
        state: MutexGuard<'_, State>,
        run: Arc<Run>,
        from: Key,
        end: End,
    ) -> Arc<Clip> {
        let limit = state.log.end.min(end_of_looking(end.offset));
        let faults = state.log.faults_in(&(from.offset..limit));
        let part = Part {
            key: from,
            last: end.cursor,
            end_pts: end.pts + FRAME_OF_SOUND_MAX,
            last_dts: end.dts,
            end: end.offset,
            run,
            continues: false,
            follows: false,
            shift: Ticks::ZERO,
        };
        let kept = self.make_as_placed(
            state,
            Plan {
                parts: vec![part],
                faults,
                limit,
                runs_left_out: 0,
            },
        );
        Arc::clone(&kept)
    }
}

impl Clip {
    /// The access units of a segment that the clip was made for, in the order of the stream.
    pub fn units_of(self: &Arc<Self>, segment: &Segment) -> Units {
        Units::within(Arc::clone(self), segment.clone())
    }
}

/// Where a segment lies, complete or not.
pub(crate) struct Stretch {
    pub(crate) run: Arc<Run>,
    /// Where what is looked at begins: the segment before, if it is not the run's first.
    pub(crate) from: Key,
    pub(crate) first: Key,
    /// Where the next segment of the run begins, if it has.
    pub(crate) next: Option<Key>,
    /// The last key of the run.
    last_key: Key,
}

/// A segment, and what of the log it is made from.
pub(crate) struct Cut {
    pub(crate) segment: Segment,
    run: Arc<Run>,
    from: Key,
    /// Where it ends: the first picture of the next segment, or the last of the run.
    pub(crate) end: End,
}

/// Where the segments lie, from the one with the number `from` on.
pub(crate) fn stretches(state: &State, from: u64) -> Vec<Stretch> {
    let mut stretches = Vec::new();
    let keys = &state.log.keys;
    for (run, range) in state.runs_with_keys() {
        let last_key = keys[range.end - 1];
        let starts: Vec<Key> = range
            .map(|at| keys[at])
            .filter(|key| key.place.is_start && key.place.segment + 1 >= from)
            .collect();
        for (at, &first) in starts.iter().enumerate() {
            let from = match at.checked_sub(1) {
                Some(before) => starts[before],
                None if first.place.is_first => first,
                None => continue,
            };
            stretches.push(Stretch {
                run: Arc::clone(run),
                from,
                first,
                next: starts.get(at + 1).copied(),
                last_key,
            });
        }
    }
    stretches
}

/// The segment there, if all of it has come: up to the next one, or the end of its run.
pub(crate) fn cut(state: &State, stretch: &Stretch) -> Option<Cut> {
    let Stretch {
        run, first, from, ..
    } = stretch;
    let block = |number| state.log.block(number).cloned();
    let (end, segment) = match stretch.next {
        Some(next) => {
            let end = end_of_part(block, run, next, next.offset, |_| true)?;
            if !is_settled(state, run, *from, end.offset, end.pts) {
                return None;
            }
            (end, segment(run, *first, next.pts, next.offset))
        }
        None => {
            let run_end = run.end?;
            let last_key = stretch.last_key;
            let end = end_of_part(block, run, last_key, last_key.offset, |_| false)?;
            let segment = segment(run, *first, end.pts, run_end);
            (end, segment)
        }
    };
    Some(Cut {
        segment,
        run: Arc::clone(run),
        from: *from,
        end,
    })
}

/// Whether no more sound can come that is heard before `until`, behind a picture that ends at `offset`.
pub(crate) fn is_settled(state: &State, run: &Run, from: Key, offset: u64, until: Ticks) -> bool {
    run.end.is_some()
        || state.log.end >= end_of_looking(offset)
        || sound_has_passed(state, run, from, until)
}

fn segment(run: &Run, first: Key, end: Ticks, end_offset: u64) -> Segment {
    Segment {
        number: first.place.segment,
        run: first.place.run,
        parameters: first.place.parameters,
        is_closed: !first.is_open,
        start: run.wall(first.pts),
        span: first.pts..end,
        offsets: first.offset..end_offset,
    }
}

/// Whether every track of sound has gone on beyond `until`.
fn sound_has_passed(state: &State, run: &Run, from: Key, until: Ticks) -> bool {
    let mut awaited: Vec<bool> = run
        .tracks
        .iter()
        .map(|track| track.codec.is_audio())
        .collect();
    // What is newest says most: mostly one block is enough.
    for number in (block_of(from.offset)..=state.log.last_block()).rev() {
        let Some(block) = state.log.block(number) else {
            break;
        };
        for entry in block.entries() {
            let is_behind = entry.pts >= until && !entry.is(Entry::DAMAGED);
            if is_behind && run.contains(entry.offset) {
                awaited[entry.track()] = false;
            }
        }
        if !awaited.contains(&true) {
            return true;
        }
    }
    !awaited.contains(&true)
}
