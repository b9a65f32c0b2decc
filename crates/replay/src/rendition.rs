//! Clips made of clips: shorter ones, several in a row, and longer ones while recording goes on.
//!
//! A clip remembers what it was made from, so it can be cut long after the log has forgotten its keys.
//! What comes of it is a clip like any other: references, and a layout.

use std::collections::BTreeMap;
use std::iter::repeat_n;
use std::ops::Range;
use std::sync::Arc;

use lookback_mpegts::{Pid, Ticks};

use crate::blocks::Blocks;
use crate::channel::{Channel, State};
use crate::clip::{Clip, Gone, Kept, Selection};
use crate::counters;
use crate::index::{Cursor, Entry, Fault, Key};
use crate::log::block_of;
use crate::plan::{Part, Plan, Resolved, end_of_looking, end_of_part, resolve};
use crate::wall::Wall;

/// Before the end of a clip, where what comes next is looked for: how a run lies on the clock may have
/// been corrected a little since.
const OVERLAP: std::time::Duration = std::time::Duration::from_secs(1);

/// A part of a clip: what is to be seen of it, on its timeline.
pub type Piece = (Arc<Clip>, Range<Ticks>);

/// One clip with all that is to be seen of some pieces. It starts on the keyframe at or before the first
/// picture of each.
#[derive(Clone)]
pub struct Rendition {
    /// The stream.
    pub clip: Arc<Clip>,
    /// What is to be seen of it, one stretch of its timeline for each piece.
    pub shown: Vec<Range<Ticks>>,
    /// As long as it is there, the clip is not let go.
    pub(crate) kept: Kept,
}

/// Why pieces are not one stream.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum RenditionError {
    /// They are of different channels.
    #[error("its parts are of different channels, and not one stream")]
    SeveralChannels,
    /// Their formats differ, or their timestamps cannot be changed.
    #[error("its parts differ in their formats, and are not one stream")]
    FormatsDiffer,
    /// A clip was let go.
    #[error(transparent)]
    Gone(#[from] Gone),
}

impl Rendition {
    /// Makes one clip of the pieces. It costs the same for a second and for an hour of each.
    ///
    /// # Errors
    /// If they are not one stream.
    ///
    /// # Panics
    /// If there are none.
    pub fn new(pieces: &[Piece]) -> Result<Self, RenditionError> {
        let (first, _) = pieces.first().expect("a rendition has at least one piece");
        if pieces
            .iter()
            .any(|(clip, _)| !Arc::ptr_eq(clip.source(), first.source()))
        {
            return Err(RenditionError::SeveralChannels);
        }
        if pieces.iter().any(|(clip, _)| clip.is_revoked()) {
            return Err(Gone.into());
        }
        let cuts: Vec<Vec<Part>> = pieces.iter().map(|(clip, span)| clip.cut(span)).collect();
        let run = &cuts[0][0].run;
        let mut others = cuts.iter().flatten().skip(1);
        if !others.all(|part| run.agrees_with(&part.run)) {
            return Err(RenditionError::FormatsDiffer);
        }
        let kept = match (&cuts[..], pieces) {
            ([cut], [(whole, _)]) if is_all(whole, cut) => Kept::new(Arc::clone(whole)),
            _ => assembled(first.source(), pieces, cuts.concat())?,
        };
        let mut parts = kept.parts().iter();
        let shown = cuts.iter().zip(pieces).map(|(cut, (_, span))| {
            // By how much the first and the last part of the piece were moved.
            let moved: Vec<Ticks> = cut
                .iter()
                .zip(parts.by_ref())
                .map(|(before, after)| after.shift - before.shift)
                .collect();
            span.start + moved[0]..span.end + moved[moved.len() - 1]
        });
        let shown = shown.collect();
        let clip = Arc::clone(&kept);
        Ok(Self { clip, shown, kept })
    }
}

fn is_all(clip: &Clip, cut: &[Part]) -> bool {
    let ends = |parts: &[Part]| (parts[0].key.offset, parts[parts.len() - 1].last);
    cut.len() == clip.parts().len() && ends(cut) == ends(clip.parts())
}

/// A clip of these parts, which are cut from those of the pieces.
fn assembled(channel: &Arc<Channel>, pieces: &[Piece], mut parts: Vec<Part>) -> Result<Kept, Gone> {
    parts.iter_mut().for_each(|part| part.shift = Ticks(0));
    let plans = || pieces.iter().map(|(clip, _)| clip.plan());
    let faults = faults_of(plans());
    let plan = Plan {
        parts,
        faults,
        limit: plans().map(|plan| plan.limit).max().unwrap_or(0),
        runs_left_out: plans().map(|plan| plan.runs_left_out).sum(),
    };
    let state = channel.lock();
    if pieces.iter().any(|(clip, _)| !clip.is_pinned()) {
        return Err(Gone);
    }
    Ok(channel.make(state, plan))
}

/// The faults that any of the plans has. Several of the same at one place are several.
fn faults_of<'a>(plans: impl Iterator<Item = &'a Plan>) -> Vec<Fault> {
    let mut counts: BTreeMap<Fault, usize> = BTreeMap::new();
    for plan in plans {
        let mut here: BTreeMap<Fault, usize> = BTreeMap::new();
        for fault in &plan.faults {
            *here.entry(*fault).or_default() += 1;
        }
        for (fault, count) in here {
            let known = counts.entry(fault).or_default();
            *known = count.max(*known);
        }
    }
    let each = counts.into_iter();
    each.flat_map(|(fault, count)| repeat_n(fault, count))
        .collect()
}

impl Clip {
    /// Where on its timeline that moment is; where it is not in it, the nearest place.
    pub fn position(&self, at: Wall) -> Ticks {
        let parts = self.parts();
        let part = parts
            .iter()
            .find(|part| at < part.run.wall(part.end_pts))
            .unwrap_or(&parts[parts.len() - 1]);
        let (mut low, mut high) = (part.key.pts, part.end_pts);
        while low < high {
            let middle = Ticks(low.0 + (high.0 - low.0) / 2);
            if part.run.wall(middle) < at {
                low = middle + Ticks(1);
            } else {
                high = middle;
            }
        }
        low + part.shift
    }

    /// When what is at that place on its timeline was recorded.
    pub fn wall(&self, at: Ticks) -> Wall {
        let parts = self.parts();
        let later = parts.partition_point(|part| part.key.pts + part.shift <= at);
        let part = &parts[later.saturating_sub(1)];
        part.run
            .wall((at - part.shift).clamp(part.key.pts, part.end_pts))
    }

    /// The last key of a part at or before `at`; `None` for the one that the part starts with.
    pub(crate) fn key_before(&self, index: usize, at: Ticks) -> Option<(Cursor, Entry)> {
        let part = &self.parts()[index];
        let selected = &self.layout().selections()[index];
        let mut blocks = Blocks::new(self.source());
        let pts = at - part.shift;
        let is_picture = |entry: &Entry| entry.track() == part.run.cut && selected.contains(entry);
        // The last block that has a picture decoded by then, then back to a key.
        let (mut low, mut high) = (block_of(part.key.offset), part.last.block + 1);
        while low + 1 < high {
            let middle = low + (high - low) / 2;
            let picture = (middle..high).find_map(|block| {
                let block = blocks.block(block)?;
                block.entries().iter().copied().find(is_picture)
            });
            match picture {
                Some(picture) if picture.dts() <= pts => low = middle,
                _ => high = middle,
            }
        }
        for block in (block_of(part.key.offset)..=low).rev() {
            let is_key =
                |entry: &Entry| is_picture(entry) && entry.is(Entry::KEY) && entry.pts <= pts;
            let entries = blocks.block(block)?.entries();
            if let Some(entry) = entries.iter().rposition(is_key) {
                return Some((Cursor { block, entry }, entries[entry]));
            }
        }
        None
    }

    /// The parts of it that a span of its timeline takes, from the keyframe before it on. They are where
    /// they are in this clip.
    fn cut(&self, span: &Range<Ticks>) -> Vec<Part> {
        let parts = self.parts();
        let starts = |part: &Part| part.key.pts + part.shift;
        let first = parts.partition_point(|part| starts(part) <= span.start);
        let first = first.saturating_sub(1);
        let last = parts.partition_point(|part| starts(part) < span.end);
        let last = last.saturating_sub(1).max(first);
        let mut cut = parts[first..=last].to_vec();
        cut[0].follows = false;
        if let Some(key) = self.start_at(first, span.start) {
            cut[0].key = key;
        }
        let whole = cut.len() == parts.len() - first;
        let ending = cut
            .last_mut()
            .expect("from the first to the last there is one");
        if !whole || span.end < ending.end_pts + ending.shift {
            ending.continues = false;
            self.end_at(last, ending, span.end);
        }
        cut
    }

    /// The key that a clip starts with which is cut at a place in a part.
    fn start_at(&self, index: usize, at: Ticks) -> Option<Key> {
        let part = &self.parts()[index];
        let (cursor, entry) = self.key_before(index, at)?;
        if entry.offset <= part.key.offset {
            return None;
        }
        let (run, plan) = (&part.run, self.plan());
        let tables = [Pid::PAT, run.tables.pmt_pid];
        let mut blocks = Blocks::new(self.source());
        let behind = entry.offset..part.end;
        let mut counters = counters::before(&mut blocks, behind, &plan.faults, &tables);
        if tables.iter().any(|pid| !counters.contains_key(pid)) {
            // The part ends before any come: they go on from those in front.
            let in_front = part.key.offset..entry.offset;
            let last = counters::last(&mut blocks, in_front, &plan.faults, &tables);
            for (pid, counter) in tables.iter().zip(part.key.table_counters) {
                let known = last.get(pid).copied().unwrap_or(counter);
                counters.entry(*pid).or_insert(known);
            }
        }
        Some(Key {
            offset: entry.offset,
            pts: entry.pts,
            lag: entry.lag,
            cursor,
            table_counters: tables.map(|pid| counters[&pid]),
            is_open: entry.is(Entry::OPEN),
            has_parameters: entry.is(Entry::PARAMETERS) || !run.tracks[run.cut].codec.is_video(),
            place: part.key.place,
        })
    }

    /// Lets a part end with the picture that is shown at a place in it.
    fn end_at(&self, index: usize, part: &mut Part, at: Ticks) {
        let pts = at - part.shift;
        if pts >= part.end_pts {
            return;
        }
        let key_at = |at: Ticks| self.start_at(index, at).unwrap_or(self.parts()[index].key);
        let last = key_at(at - Ticks(1));
        // With an open key may come pictures that are shown before it, in the group before.
        let first = if last.is_open {
            key_at(last.pts + part.shift - Ticks(1))
        } else {
            last
        };
        let block = |number| self.source().block(number);
        let end = end_of_part(block, &part.run, first, last.offset, |end| end >= pts);
        if let Some(end) = end.filter(|end| end.offset < part.end) {
            part.last = end.cursor;
            part.end_pts = end.pts;
            part.last_dts = end.dts;
            part.end = end.offset;
        }
    }

    /// The same with what has been recorded since, up to `to`; `None` if there is nothing new, or nothing
    /// that goes on with it.
    pub(crate) fn grown(&self, to: Wall, now: Wall) -> Option<Kept> {
        let state = self.source().lock();
        let selection = Selection::Span {
            from: Some(self.end() - OVERLAP),
            to: Some(to),
        };
        let Resolved {
            parts: new,
            runs_left_out,
        } = resolve(&state, selection, now).ok()?;
        let (before, last) = self.parts().split_at(self.parts().len() - 1);
        let (last, first_new) = (&last[0], new.first()?);
        // Of runs that differ, the newest are given: this may not go on with them.
        let skips_some = runs_left_out > 0 && first_new.run.start > last.run.start;
        if skips_some || !last.run.agrees_with(&first_new.run) {
            return None;
        }
        let mut parts = before.to_vec();
        let mut new = new
            .into_iter()
            .skip_while(|part| part.run.start < last.run.start)
            .peekable();
        match new.next_if(|part| part.run.start == last.run.start) {
            Some(longer) if longer.end < last.end => parts.push(last.clone()),
            Some(longer) => parts.push(Part {
                key: last.key,
                follows: last.follows,
                ..longer
            }),
            None => parts.push(Part {
                continues: true,
                ..last.clone()
            }),
        }
        parts.extend(new.map(|part| Part {
            follows: true,
            ..part
        }));
        if parts.last()?.end <= last.end {
            return None;
        }
        parts.iter_mut().for_each(|part| part.shift = Ticks(0));
        let plan = self.grown_plan(&state, parts);
        Some(self.source().make(state, plan))
    }

    fn grown_plan(&self, state: &State, parts: Vec<Part>) -> Plan {
        let known = self.plan();
        let start = parts.first().map_or(0, |part| part.key.offset);
        let end = parts.last().map_or(0, |part| part.end);
        let limit = state.log.end.min(end_of_looking(end));
        // The log forgets the oldest first: what it still has, it has wholly.
        let new = state.log.faults_in(&(start..limit));
        let since = new.first().map_or(u64::MAX, |fault| fault.offset);
        let old = known.faults.iter().filter(|fault| fault.offset < since);
        Plan {
            parts,
            faults: old.copied().chain(new.iter().copied()).collect(),
            limit,
            runs_left_out: known.runs_left_out,
        }
    }
}
