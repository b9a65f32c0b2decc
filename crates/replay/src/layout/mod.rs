//! What a clip's transport stream is made of.
//!
//! Nearly all of it is the log as it lies there. Around that:
//!
//! * in front stand PAT, PMT and, where the first picture lacks them, its parameter sets;
//! * units are cut out that belong to another moment (sound from before the first picture, leading
//!   pictures whose references were cut off, what begins before the clip and ends in it, what comes
//!   after its end), that are damaged, or that refer to damaged ones;
//! * behind a cut, and in every run but the first, continuity counters go on where they left off, and
//!   timestamps are moved: the packets of such a stretch are patched as they are read.
//!
//! Cutting out is done packet by packet only where something is to be cut out. The rest is ranges, so
//! that the layout of an hour costs no more than that of a second.

mod build;
mod cut;
mod piece;

use std::collections::BTreeSet;
use std::ops::Range;

use bytes::Bytes;
use lookback_mpegts::PACKET_LEN;

use self::build::Builder;
use self::cut::Cut;
use self::piece::{Content, Piece};
use crate::blocks::Blocks;
use crate::index::{Entry, Fault};
use crate::log::block_of;
use crate::plan::Part;

/// How far behind the last picture sound that belongs to it is looked for: 2 MiB.
pub(crate) const TAIL_BLOCKS: u64 = 8;

/// How far into a clip its streams are waited for: 4 MiB.
const HEAD_BLOCKS: u64 = 16;

/// Bytes of patched stream made at a time: few, since a reader that stalls keeps its last ones, and of
/// all that readers hold these alone are copies.
const PATCHED_LEN: usize = 85 * PACKET_LEN;

const PACKET: u64 = PACKET_LEN as u64;

/// See the module's documentation.
pub(crate) struct Layout {
    pieces: Vec<Piece>,
    len: u64,
    /// For each part, what of the index is in it.
    selections: Vec<Selected>,
}

/// The entries of a part: all in a range of bytes but some.
pub(crate) struct Selected {
    pub(crate) bytes: Range<u64>,
    /// Where the last unit of each track ends.
    ends: Vec<u64>,
    /// Offsets of the units that are left out before that.
    left_out: BTreeSet<u64>,
    /// The last block in which there is something of it: an entry may be filed behind its bytes.
    pub(crate) last_block: u64,
}

impl Selected {
    pub(crate) fn contains(&self, entry: &Entry) -> bool {
        self.bytes.contains(&entry.offset)
            && entry.offset < self.ends[entry.track()]
            && !self.left_out.contains(&entry.offset)
    }
}

impl Layout {
    /// The layout of `parts`. `faults` are those of the whole clip, `limit` the end of what may be
    /// looked at.
    pub(crate) fn new(
        parts: &[Part],
        faults: &[Fault],
        limit: u64,
        mut blocks: Blocks<'_>,
    ) -> Self {
        let mut builder = Builder::default();
        for (at, part) in parts.iter().enumerate() {
            let mut cut = Cut::new(part, faults, limit);
            cut.head(&mut blocks);
            cut.damage(&mut blocks);
            cut.tail(&mut blocks);
            builder.part(part, cut, at + 1 < parts.len(), &mut blocks);
        }
        Self {
            len: builder.len,
            pieces: builder.pieces,
            selections: builder.selections,
        }
    }

    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Memory that it takes beside itself.
    pub(crate) fn bytes(&self) -> usize {
        let pieces = self.pieces.iter().map(|piece| match &piece.content {
            Content::Own(bytes) => bytes.len(),
            Content::Log(_) => 0,
            Content::Patched(_, patch) => patch.bytes(),
        });
        let selections = self.selections.iter().map(|selected| {
            size_of::<Selected>()
                + (selected.ends.len() + selected.left_out.len()) * size_of::<u64>()
        });
        self.pieces.len() * size_of::<Piece>() + pieces.sum::<usize>() + selections.sum::<usize>()
    }

    /// The blocks that reading these parts takes: one range for each stretch of runs that lie one behind
    /// the other.
    pub(crate) fn blocks(&self, parts: &[Part]) -> Vec<Range<u64>> {
        let mut blocks: Vec<Range<u64>> = Vec::new();
        for (part, selected) in parts.iter().zip(&self.selections) {
            let first = block_of(part.key.offset);
            match blocks.last_mut().filter(|_| part.follows) {
                Some(stretch) => stretch.end = stretch.end.max(selected.last_block + 1),
                None => blocks.push(first..selected.last_block + 1),
            }
        }
        blocks
    }

    pub(crate) fn selections(&self) -> &[Selected] {
        &self.selections
    }

    /// Bytes from `offset` on; none only at the end, or where `max` is 0. `None` if the log has lost
    /// them.
    pub(crate) fn read(&self, offset: u64, max: usize, blocks: &mut Blocks<'_>) -> Option<Bytes> {
        if offset >= self.len || max == 0 {
            return Some(Bytes::new());
        }
        let piece = &self.pieces[self.pieces.partition_point(|piece| piece.at <= offset) - 1];
        let into = offset - piece.at;
        match &piece.content {
            Content::Own(bytes) => {
                let from = into as usize;
                Some(bytes.slice(from..bytes.len().min(from.saturating_add(max))))
            }
            Content::Log(range) => blocks.view(range.start + into, range.end, max),
            Content::Patched(range, patch) => {
                let skip = into % PACKET;
                let from = range.start + into - skip;
                let wanted = skip as usize + max.min(PATCHED_LEN);
                let whole = wanted.next_multiple_of(PACKET_LEN) as u64;
                let until = range.end.min(from + whole);
                let mut bytes = blocks.copy(from..until)?;
                let (packets, _) = bytes.as_chunks_mut();
                packets.iter_mut().for_each(|packet| patch.apply(packet));
                let bytes = bytes.freeze();
                Some(bytes.slice(skip as usize..bytes.len().min(wanted)))
            }
        }
    }
}

impl std::fmt::Debug for Layout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for piece in &self.pieces {
            match &piece.content {
                Content::Own(bytes) => writeln!(f, "{} own {}", piece.at, bytes.len())?,
                Content::Log(range) => writeln!(f, "{} log {range:?}", piece.at)?,
                Content::Patched(range, patch) => writeln!(
                    f,
                    "{} patched {range:?} by {} {:?}",
                    piece.at, patch.shift.0, patch.counters
                )?,
            }
        }
        Ok(())
    }
}
