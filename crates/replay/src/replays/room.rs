//! Whether there is room for replays beside the live windows.
//!
//! What replays hold is counted once, however many of them hold it, and all of it, also what the windows
//! still have: in a while they will not.

use std::sync::Arc;
use std::time::Duration;

use super::Replay;
use crate::channel::Channel;
use crate::recorder::Recorder;
use crate::slab::SLAB_LEN;
use crate::wall::Wall;

/// How far channels look back beside all replays, where nobody says otherwise.
const KEEP_LIVE: Duration = Duration::from_secs(30);

/// Slabs of a channel that are not wholly looked back on: the first, the one that is being filled, and
/// those whose group of pictures has lost its key.
const SLABS_PARTLY: usize = 3;

/// There is no room for another replay.
#[derive(Debug, thiserror::Error)]
#[error(
    "there is no room for it beside what the channels look back on: {}",
    advice(delete)
)]
pub struct Full {
    /// The oldest replays that are not locked, as many as would make room. None: all of them would not.
    pub delete: Vec<Arc<Replay>>,
}

fn advice(delete: &[Arc<Replay>]) -> String {
    match delete {
        [] => "keep less of it, delete locked replays, or give lookback more --memory".to_owned(),
        [first, others @ ..] => {
            let more = match others.len() {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            format!(
                "delete {} ({}){more}, or keep less of it",
                first.name(),
                first.id()
            )
        }
    }
}

/// What replays may hold.
pub(super) struct Room {
    bytes: usize,
    now: Wall,
}

impl Room {
    pub(super) fn new(recorder: &Recorder, keep_live: Option<Duration>, now: Wall) -> Self {
        let memory = recorder.memory();
        let needs = |channel: &Arc<Channel>| {
            let wanted = rate(channel) * keep_live.unwrap_or(KEEP_LIVE).as_secs_f64();
            wanted as usize + SLABS_PARTLY * SLAB_LEN
        };
        let live: usize = recorder.channels().iter().map(needs).sum();
        let live = match keep_live {
            Some(_) => live,
            None => live.min(memory.limit_bytes / 2),
        };
        Self {
            bytes: (memory.limit_bytes - memory.index_bytes.min(memory.limit_bytes))
                .saturating_sub(live),
            now,
        }
    }

    /// Whether these are more than there is room for.
    pub(super) fn lacks<'a>(&self, replays: impl IntoIterator<Item = &'a Replay>) -> bool {
        self.lacks_beside(replays, 0)
    }

    /// Whether these and so many bytes are more than there is room for.
    pub(super) fn lacks_beside<'a>(
        &self,
        replays: impl IntoIterator<Item = &'a Replay>,
        bytes: u64,
    ) -> bool {
        let mut ranges = Vec::new();
        let mut to_come = 0.0;
        for replay in replays {
            for clip in replay.clips() {
                let channel = Arc::as_ptr(clip.source());
                ranges.extend(
                    clip.blocks()
                        .iter()
                        .map(|blocks| (channel, blocks.start, blocks.end)),
                );
                if let Some(until) = replay.until {
                    to_come += rate(clip.source()) * until.since(self.now).as_secs_f64();
                }
            }
        }
        let beside = usize::try_from(bytes).unwrap_or(usize::MAX);
        let held = count_once(ranges) as usize * SLAB_LEN + to_come as usize;
        held.saturating_add(beside) > self.bytes
    }

    /// The oldest that have to go so that there is room for a new one. Those of the ids `beside` stay.
    pub(super) fn victims(
        &self,
        all: &[Arc<Replay>],
        new: &Replay,
        beside: &[String],
    ) -> Result<Vec<Arc<Replay>>, Full> {
        let (may_go, stay): (Vec<_>, Vec<_>) = all.iter().partition(|replay| {
            !replay.locked && replay.until.is_none() && !beside.contains(&replay.id)
        });
        let lacks_without = |gone: usize| {
            let left = stay.iter().chain(&may_go[gone..]);
            self.lacks(left.map(|replay| &***replay).chain([new]))
        };
        if !lacks_without(0) {
            return Ok(Vec::new());
        }
        if lacks_without(may_go.len()) {
            return Err(Full { delete: Vec::new() });
        }
        let (mut too_few, mut enough) = (0, may_go.len());
        while too_few + 1 < enough {
            let middle = too_few + (enough - too_few) / 2;
            if lacks_without(middle) {
                too_few = middle;
            } else {
                enough = middle;
            }
        }
        Ok(may_go[..enough]
            .iter()
            .map(|&replay| Arc::clone(replay))
            .collect())
    }
}

/// How many blocks there are in ranges of them, each counted once; what is in different logs differs.
fn count_once<L: Ord + Copy>(mut ranges: Vec<(L, u64, u64)>) -> u64 {
    ranges.sort_unstable();
    let mut blocks = 0;
    let mut last = None;
    for (log, start, end) in ranges {
        let known = match last {
            Some((known, until)) if known == log => until,
            _ => 0,
        };
        blocks += end.saturating_sub(start.max(known));
        last = Some((log, end.max(known)));
    }
    blocks
}

/// Bytes that a channel records in a second.
fn rate(channel: &Channel) -> f64 {
    let window = channel.lock().window();
    window.map_or(0.0, |window| {
        window.bytes as f64 / window.duration.as_secs_f64().max(1.0)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_overlaps_is_counted_once(
            ranges in prop::collection::vec((0_u8..3, 0_u64..60, 0_u64..30), 0..40),
        ) {
            let ranges: Vec<_> = ranges.into_iter().map(|(log, start, len)| (log, start, start + len)).collect();
            let all: BTreeSet<(u8, u64)> = ranges
                .iter()
                .flat_map(|&(log, start, end)| (start..end).map(move |block| (log, block)))
                .collect();
            prop_assert_eq!(count_once(ranges), all.len() as u64);
        }
    }
}
