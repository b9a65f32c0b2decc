//! Single keyframes: what the picture of a moment is made from, at the price of one picture.

use std::sync::Arc;

use lookback_mpegts::Ticks;

use crate::channel::Channel;
use crate::clip::{Clip, ClipError};
use crate::plan::{Part, Plan, end_of_looking, end_of_part, partition};
use crate::wall::Wall;

/// A keyframe, taken for itself.
pub struct Keyframe {
    /// It alone, without sound.
    pub clip: Arc<Clip>,
    /// When it was recorded.
    pub start: Wall,
    /// Where it lies in the log: no other keyframe of the channel ever lies there.
    pub offset: u64,
    /// Whether no keyframe can still come that is nearer to the moment asked for.
    pub is_settled: bool,
}

impl Channel {
    /// The last keyframe at or before a moment.
    ///
    /// # Errors
    /// If nothing is recorded, or nothing so early.
    pub fn keyframe(self: &Arc<Self>, at: Wall) -> Result<Keyframe, ClipError> {
        let state = self.lock();
        let Some(window) = state.window() else {
            return Err(ClipError::Empty {
                problem: state.wrong_input(),
            });
        };
        let found = state.runs_with_keys().rev().find_map(|(run, keys)| {
            let is_before = |place: usize| run.wall(state.log.keys[place].pts) <= at;
            let later = partition(keys.clone(), is_before);
            let is_there = later > keys.start;
            is_there.then(|| (Arc::clone(run), state.log.keys[later - 1]))
        });
        let block = |number| state.log.block(number).cloned();
        let end = found.and_then(|(run, key)| {
            let end = end_of_part(block, &run, key, key.offset, |_| true)?;
            Some((run, key, end))
        });
        let Some((run, key, end)) = end else {
            return Err(ClipError::OutsideWindow {
                start: window.start,
                end: window.end,
            });
        };
        let start = run.wall(key.pts);
        let limit = state.log.end.min(end_of_looking(end.offset));
        let faults = state.log.faults_in(&(key.offset..limit));
        let part = Part {
            run,
            key,
            last: end.cursor,
            end_pts: end.pts,
            last_dts: end.dts,
            end: end.offset,
            continues: false,
            follows: false,
            shift: Ticks::ZERO,
        };
        let plan = Plan {
            parts: vec![part],
            faults,
            limit,
            runs_left_out: 0,
        };
        let kept = self.make(state, plan);
        Ok(Keyframe {
            clip: Arc::clone(&kept),
            start,
            offset: key.offset,
            is_settled: at <= window.end,
        })
    }
}
