//! Parts of segments, for players that do not want to wait for a whole one (low-latency HLS).
//!
//! A part is some of the pictures of a segment, as many as last up to a sixth of a second, and the sound of that time.
//! Where one ends follows from the pictures alone, in the order in which they are decoded: so a part is the same for all
//! who ask, as a segment is. Where pictures are damaged, or further apart, the rest of the segment comes in one.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use lookback_mpegts::Ticks;

use crate::channel::{Channel, State};
use crate::clip::Clip;
use crate::index::{Cursor, Entry, Key};
use crate::plan::End;
use crate::segment::{Cut, SegmentError, Stretch, cut, is_settled, stretches};
use crate::wall::ticks_to_duration;

/// How long a part is at most: four pictures at 24 and 25 a second, five at 30, and so on.
const LENGTH_MAX_MILLIS: u64 = 170;
const LENGTH_MAX: Ticks = Ticks(LENGTH_MAX_MILLIS as i64 * Ticks::SECOND.0 / 1000);

/// A stretch of a segment. Only the first one is sure to begin with a keyframe.
#[derive(Clone, Debug)]
pub struct SegmentPart {
    /// The number of the segment.
    pub number: u64,
    /// Parts of it before this one.
    pub index: usize,
    /// The segment's run, and its parameter sets: as [`Segment`](crate::Segment) tells them.
    pub run: u64,
    /// See `run`.
    pub parameters: u64,
    /// When the keyframe of the segment is shown.
    pub key: Ticks,
    /// When its pictures are decoded.
    pub decoded: Range<Ticks>,
    /// When its sound is heard.
    pub sound: Range<Ticks>,
    /// Whether it begins with a keyframe.
    pub is_independent: bool,
}

impl SegmentPart {
    /// How long a part is at most.
    pub const LENGTH_MAX: Duration = Duration::from_millis(LENGTH_MAX_MILLIS);

    /// Its playing time.
    pub fn duration(&self) -> Duration {
        ticks_to_duration(self.decoded.end - self.decoded.start)
    }
}

impl Channel {
    /// How far the channel is: the number of the first segment that is not complete, and how many parts of it are
    /// there.
    pub fn edge(&self) -> (u64, usize) {
        edge_of(&self.lock())
    }

    /// A part of a segment, and the clip that it is in.
    ///
    /// # Errors
    /// If it is not there any more, or not yet.
    pub fn part(
        self: &Arc<Self>,
        number: u64,
        index: usize,
    ) -> Result<(SegmentPart, Arc<Clip>), SegmentError> {
        let state = self.lock();
        let stretch = stretches(&state, number)
            .into_iter()
            .find(|stretch| stretch.first.place.segment == number);
        let Some(stretch) = stretch else {
            return Err(if (number, index) >= edge_of(&state) {
                SegmentError::NotYet
            } else {
                SegmentError::Passed
            });
        };
        let piece = pieces(&state, &stretch).into_iter().nth(index);
        let Piece { part, end } = piece.ok_or(SegmentError::NotYet)?;
        let clip = self.clip_of(state, stretch.run, stretch.from, end);
        Ok((part, clip))
    }
}

fn edge_of(state: &State) -> (u64, usize) {
    let newest = state.log.numbering.newest().unwrap_or(0);
    let mut edge = (0, 0);
    for stretch in stretches(state, newest.saturating_sub(1)) {
        let number = stretch.first.place.segment;
        match cut(state, &stretch) {
            Some(_) => edge = (number + 1, 0),
            None => return (number, pieces(state, &stretch).len()),
        }
    }
    edge
}

/// A part, and the picture behind it.
pub(crate) struct Piece {
    pub(crate) part: SegmentPart,
    end: End,
}

/// The parts of a segment that are there. A run's first segment has none: which streams it has is not known before
/// it is complete. Nor has one whose parameter sets are new.
pub(crate) fn pieces(state: &State, stretch: &Stretch) -> Vec<Piece> {
    let Stretch {
        run, first, from, ..
    } = stretch;
    let is_video = run.tracks[run.cut].codec.is_video();
    let is_known = !first.place.is_first && from.place.parameters == first.place.parameters;
    if !is_video || !is_known {
        return Vec::new();
    }
    let mut cutter = Cutter {
        state,
        stretch,
        pieces: Vec::new(),
        pictures: Vec::new(),
    };
    let done = cutter.cut();
    if done.is_some() && stretch.next.is_none() && run.end.is_some() {
        cutter.end_with_run();
    }
    cutter.pieces
}

struct Cutter<'a> {
    state: &'a State,
    stretch: &'a Stretch,
    pieces: Vec<Piece>,
    /// Those of the part that is open.
    pictures: Vec<Entry>,
}

impl Cutter<'_> {
    /// Cuts as far as there are pictures; `None` where it has to stop before.
    fn cut(&mut self) -> Option<()> {
        let Stretch {
            run, first, next, ..
        } = self.stretch;
        let mut cursor = first.cursor;
        while let Some(block) = self.state.log.block(cursor.block) {
            for (at, &entry) in block.entries().iter().enumerate().skip(cursor.entry) {
                let is_here = entry.offset >= first.offset && run.contains(entry.offset);
                if entry.track() != run.cut || !is_here {
                    continue;
                }
                if entry.is(Entry::DAMAGED) {
                    return None;
                }
                let place = Cursor {
                    block: cursor.block,
                    entry: at,
                };
                let is_next = next.is_some_and(|next| entry.offset >= next.offset);
                self.push(entry, place, is_next.then_some(*next).flatten())?;
                if is_next {
                    return None;
                }
            }
            cursor = Cursor {
                block: cursor.block + 1,
                entry: 0,
            };
        }
        Some(())
    }

    /// Takes the next picture, which may end the part before it; at the key of the next segment it does.
    fn push(&mut self, entry: Entry, place: Cursor, next: Option<Key>) -> Option<()> {
        if let (Some(&first), Some(last)) = (self.pictures.first(), self.pictures.last()) {
            let step = entry.dts() - last.dts();
            let length = entry.dts() - first.dts();
            if step <= Ticks::ZERO || length > LENGTH_MAX {
                return None;
            }
            if next.is_some() || length + step > LENGTH_MAX {
                let heard_until = next.map_or(self.heard(entry.dts()), |next| next.pts);
                let end = End {
                    cursor: place,
                    pts: self.shown_until().max(entry.pts).max(heard_until),
                    dts: entry.dts(),
                    offset: entry.end(),
                };
                self.close(entry.dts(), heard_until, end)?;
            }
        }
        self.pictures.push(entry);
        Some(())
    }

    /// The rest of a segment that is the last one of its run.
    fn end_with_run(&mut self) {
        let (Some(cut), Some(first)) = (cut(self.state, self.stretch), self.pictures.first())
        else {
            return;
        };
        let Cut { segment, end, .. } = cut;
        let decoded_until = end.dts + self.frame();
        let length = decoded_until - first.dts();
        if length > Ticks::ZERO && length <= LENGTH_MAX {
            // Nothing comes behind it.
            let _ = self.close(decoded_until, segment.span.end, end);
        }
    }

    fn close(&mut self, decoded_until: Ticks, heard_until: Ticks, end: End) -> Option<()> {
        let Stretch {
            run, first, from, ..
        } = self.stretch;
        if !is_settled(self.state, run, *from, end.offset, heard_until) {
            return None;
        }
        let begin = self.pictures[0];
        let heard_from = self
            .pieces
            .last()
            .map_or(first.pts, |piece| piece.part.sound.end);
        self.pieces.push(Piece {
            part: SegmentPart {
                number: first.place.segment,
                index: self.pieces.len(),
                run: first.place.run,
                parameters: first.place.parameters,
                key: first.pts,
                decoded: begin.dts()..decoded_until,
                sound: heard_from..heard_until,
                is_independent: begin.is(Entry::KEY),
            },
            end,
        });
        self.pictures.clear();
        Some(())
    }

    /// The sound that goes with a picture that is decoded then.
    fn heard(&self, decoded: Ticks) -> Ticks {
        self.stretch.first.pts + (decoded - self.stretch.first.dts())
    }

    fn shown_until(&self) -> Ticks {
        let shown = self
            .pictures
            .iter()
            .map(|picture| picture.pts + self.frame());
        shown.max().unwrap_or(Ticks::ZERO)
    }

    fn frame(&self) -> Ticks {
        let run = &self.stretch.run;
        run.tracks[run.cut].nominal_frame()
    }
}
