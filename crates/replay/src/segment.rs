//! A channel in segments, as HLS hands it out: which there are, and what each is made of.
//!
//! A segment is the pictures from one key up to another one in the order of the stream, and the sound that
//! is heard meanwhile. Sound may lie in the log in front of the pictures that it belongs to, and behind them; and
//! pictures behind an open key refer to those before it. So a segment is taken out of a clip that begins a segment
//! earlier, and it is there once no more sound of it can come. From then on it is the same for all who ask, until
//! the window has passed the segment in front of it.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use lookback_mpegts::Ticks;

use crate::channel::{Channel, State};
use crate::clip::{Clip, ClipError};
use crate::index::{Entry, Key};
use crate::log::block_of;
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
    /// The length of the longest that the channel ever had.
    pub longest: Duration,
    /// The streams of the newest.
    pub program: Program,
}

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
        let cuts = cuts(&state, 0);
        let Some(last) = cuts.last() else {
            return Err(ClipError::Empty {
                problem: state.wrong_input(),
            });
        };
        let program = last.run.program();
        let mut list: Vec<Segment> = cuts.into_iter().map(|cut| cut.segment).collect();
        // Players count: what lies in front of a number that is missing they would take for something else.
        let gap = list
            .windows(2)
            .rposition(|pair| pair[0].number + 1 != pair[1].number);
        list.drain(..gap.map_or(0, |gap| gap + 1));
        for segment in &list {
            let length = segment.span.end - segment.span.start;
            state.log.numbering.ended_with(length);
        }
        Ok(Segments {
            list,
            longest: ticks_to_duration(state.log.numbering.longest()),
            program,
        })
    }

    /// A segment, and the clip that it is in.
    ///
    /// # Errors
    /// If it is not there any more, or not yet.
    pub fn segment(self: &Arc<Self>, number: u64) -> Result<(Segment, Arc<Clip>), SegmentError> {
        let state = self.lock();
        let Some(cut) = cuts(&state, number)
            .into_iter()
            .find(|cut| cut.segment.number == number)
        else {
            // The newest ones are not settled yet.
            let newest = state.log.numbering.newest();
            let is_to_come = newest.is_none_or(|newest| number >= newest.saturating_sub(1));
            return Err(if is_to_come {
                SegmentError::NotYet
            } else {
                SegmentError::Passed
            });
        };
        let segment = cut.segment.clone();
        let part = cut.part();
        let limit = state.log.end.min(end_of_looking(part.end));
        let faults = state.log.faults_in(&(part.key.offset..limit));
        let kept = self.make_as_placed(
            state,
            Plan {
                parts: vec![part],
                faults,
                limit,
                runs_left_out: 0,
            },
        );
        Ok((segment, Arc::clone(&kept)))
    }
}

impl Clip {
    /// The access units of a segment that the clip was made for, in the order of the stream.
    pub fn units_of(self: &Arc<Self>, segment: &Segment) -> Units {
        Units::within(Arc::clone(self), segment.clone())
    }
}

/// A segment, and what of the log it is made from.
struct Cut {
    segment: Segment,
    run: Arc<Run>,
    /// Where what is looked at begins.
    from: Key,
    /// Where it ends: the first picture of the next segment, or the last of the run.
    end: End,
}

impl Cut {
    fn part(self) -> Part {
        Part {
            key: self.from,
            last: self.end.cursor,
            end_pts: self.end.pts,
            last_dts: self.end.dts,
            end: self.end.offset,
            run: self.run,
            continues: false,
            follows: false,
            shift: Ticks::ZERO,
        }
    }
}

/// The segments that there are, from the one with the number `from` on.
fn cuts(state: &State, from: u64) -> Vec<Cut> {
    let mut cuts = Vec::new();
    let keys = &state.log.keys;
    for (run, range) in state.runs_with_keys() {
        let last_key = keys[range.end - 1];
        let starts: Vec<Key> = range
            .map(|at| keys[at])
            .filter(|key| key.place.is_start && key.place.segment + 1 >= from)
            .collect();
        for (at, &first) in starts.iter().enumerate() {
            let before = match at.checked_sub(1) {
                Some(before) => starts[before],
                None if first.place.is_first => first,
                None => continue,
            };
            let cut = match starts.get(at + 1) {
                Some(&next) => up_to(state, run, first, before, next),
                None => to_the_end(state, run, first, before, last_key),
            };
            cuts.extend(cut);
        }
    }
    cuts
}

/// The segment from `first` to `next`, if all of it is there.
fn up_to(state: &State, run: &Arc<Run>, first: Key, from: Key, next: Key) -> Option<Cut> {
    let block = |number| state.log.block(number).cloned();
    let end = end_of_part(block, run, next, next.offset, |_| true)?;
    let is_settled = run.end.is_some()
        || state.log.end >= end_of_looking(end.offset)
        || sound_has_passed(state, run, from, end.pts);
    is_settled.then(|| Cut {
        segment: segment(run, first, next.pts, next.offset),
        run: Arc::clone(run),
        from,
        end,
    })
}

/// The last segment of a run that is over.
fn to_the_end(state: &State, run: &Arc<Run>, first: Key, from: Key, last_key: Key) -> Option<Cut> {
    let run_end = run.end?;
    let block = |number| state.log.block(number).cloned();
    let end = end_of_part(block, run, last_key, last_key.offset, |_| false)?;
    Some(Cut {
        segment: segment(run, first, end.pts, run_end),
        run: Arc::clone(run),
        from,
        end,
    })
}

fn segment(run: &Run, first: Key, end: Ticks, end_offset: u64) -> Segment {
    Segment {
        number: first.place.segment,
        run: first.place.run,
        parameters: first.place.parameters,
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
