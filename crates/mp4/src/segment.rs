//! A stretch of a clip as a fragment (14496-12 8.8): `moof`, `mdat`, and the `ftyp` and `moov` that stand
//! in front of all fragments of the same kind.
//!
//! Times are those of the clip's timeline, so that segments of clips that overlap fit together, whichever
//! was made when: of a clip of one run, that is the timeline of the source.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use lookback_mpegts::Ticks;
use lookback_replay::{Clip, Counted, Gone, SegmentPart};

use crate::Error;
use crate::boxes::Boxes;
use crate::content::{Content, Place};
use crate::file::{media_data, read};
use crate::movie::{self, Presentation, Samples, id};
use crate::reach::{Pieces, Wanted};
use crate::scan::{Media, Scan, Track};

/// One media segment, which exists only while it is read.
pub struct Segment {
    clip: Arc<Clip>,
    init: Bytes,
    header: Bytes,
    content: Content,
    streams: Vec<usize>,
    _counted: Option<Counted>,
}

impl Segment {
    /// The segment of the groups of pictures whose keyframe lies in `span`, and the sound from the first of
    /// these keyframes to the end of `span`: with spans that go from keyframe to keyframe nothing is
    /// there twice, and nothing is missing. `number` counts segments, from 1 on. Of the program's streams
    /// those are in it that are `wanted`, by their positions.
    ///
    /// # Errors
    /// If the clip had to be let go, if an MP4 cannot carry it, or if nothing lies in `span`.
    pub fn new(
        clip: &Arc<Clip>,
        span: Range<Ticks>,
        number: u32,
        wanted: impl Fn(usize) -> bool,
    ) -> Result<Self, Error> {
        Self::of(clip, &Wanted::Groups(span), number, &wanted)
    }

    /// A part of such a segment. Parts that follow one another make up the whole.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn part(
        clip: &Arc<Clip>,
        part: &SegmentPart,
        number: u32,
        wanted: impl Fn(usize) -> bool,
    ) -> Result<Self, Error> {
        let pieces = Pieces {
            key: part.key,
            decoded: part.decoded.clone(),
            sound: part.sound.clone(),
        };
        Self::of(clip, &Wanted::Pictures(pieces), number, &wanted)
    }

    fn of(
        clip: &Arc<Clip>,
        span: &Wanted,
        number: u32,
        wanted: &dyn Fn(usize) -> bool,
    ) -> Result<Self, Error> {
        let scan = Scan::of(clip, span, wanted)?;
        let init = init(&scan);
        let header = header(&scan, number);
        let bytes = size_of::<Self>() + init.len() + header.len() + scan.content.bytes();
        Ok(Self {
            _counted: clip.count(bytes),
            clip: Arc::clone(clip),
            init,
            header,
            streams: scan.tracks.iter().map(|track| track.stream).collect(),
            content: scan.content,
        })
    }

    /// The initialization segment that goes before it. It is the same for all segments of the same streams:
    /// where it changes, a player has to be told.
    pub fn init(&self) -> Bytes {
        self.init.clone()
    }

    /// The streams that are in it, by their positions in the program.
    pub fn streams(&self) -> &[usize] {
        &self.streams
    }

    /// Its bytes.
    #[expect(clippy::len_without_is_empty, reason = "there always is a header")]
    pub fn len(&self) -> u64 {
        self.header.len() as u64 + self.content.len()
    }

    /// Up to `max` bytes from `offset` on, at least one unless `offset` is at or behind the end, or `max`
    /// is 0. `place` is where the reading before ended, and then where this one does.
    ///
    /// # Errors
    /// If the clip had to be let go.
    pub fn read(&self, offset: u64, max: usize, place: &mut Place) -> Result<Bytes, Gone> {
        read(
            &self.clip,
            (&self.header, &self.content),
            offset,
            max,
            place,
        )
    }
}

fn init(scan: &Scan) -> Bytes {
    let shown = Presentation {
        shown: Vec::new(),
        recorded: 0,
    };
    let mut boxes = Boxes::default();
    boxes.plain(b"ftyp", |boxes| {
        let minor_version = 0;
        boxes
            .raw(b"iso6")
            .u32(minor_version)
            .raw(b"iso6")
            .raw(b"mp42");
    });
    movie::write(scan, &shown, Samples::InFragments, &mut boxes);
    boxes.into_bytes().into()
}

fn header(scan: &Scan, number: u32) -> Bytes {
    let write = |offset: usize| {
        let mut boxes = Boxes::default();
        boxes.plain(b"moof", |boxes| {
            boxes.full(b"mfhd", 0, 0, |boxes| {
                boxes.u32(number);
            });
            for track in &scan.tracks {
                fragment(track, offset as u64, boxes);
            }
        });
        media_data(scan.content.len(), &mut boxes);
        boxes
    };
    let len = write(0).len();
    write(len).into_bytes().into()
}

fn fragment(track: &Track, offset: u64, boxes: &mut Boxes) {
    const BASE_IS_MOOF: u32 = 0x02_0000;
    let timing = track.timing();
    boxes.plain(b"traf", |boxes| {
        boxes.full(b"tfhd", 0, BASE_IS_MOOF, |boxes| {
            boxes.u32(id(track));
        });
        boxes.full(b"tfdt", 1, 0, |boxes| {
            // A timeline that begins before zero would be one that was made by hand.
            boxes.u64(u64::try_from(timing.first).unwrap_or(0));
        });
        runs(track, offset, boxes);
    });
}

/// A `trun` for each chunk.
fn runs(track: &Track, offset: u64, boxes: &mut Boxes) {
    const OFFSET: u32 = 0x1;
    const DURATION: u32 = 0x100;
    const SIZE: u32 = 0x200;
    const FLAGS: u32 = 0x400;
    const COMPOSITION: u32 = 0x800;
    const DEPENDS_ON_NOTHING: u32 = 0x0200_0000;
    const DEPENDS_ON_OTHERS: u32 = 0x0101_0000;
    let timing = track.timing();
    let is_video = matches!(track.media, Media::Pictures(_));
    let flags = OFFSET | DURATION | SIZE | FLAGS | if is_video { COMPOSITION } else { 0 };
    let mut keys = timing.keys.iter().peekable();
    let mut samples = timing
        .sizes
        .iter()
        .zip(timing.durations.values())
        .zip(1u32..);
    let mut offsets = timing.offsets.values();
    for chunk in &timing.chunks {
        boxes.full(b"trun", 1, flags, |boxes| {
            // A segment is far smaller than 2 GiB.
            boxes.u32(chunk.samples).u32((offset + chunk.at) as u32);
            for ((&size, duration), number) in samples.by_ref().take(chunk.samples as usize) {
                let is_key = keys.next_if(|&&key| key == number).is_some() || !is_video;
                boxes.u32(duration).u32(size);
                boxes.u32(if is_key {
                    DEPENDS_ON_NOTHING
                } else {
                    DEPENDS_ON_OTHERS
                });
                if let Some(offset) = offsets.next() {
                    boxes.u32(offset as u32);
                }
            }
        });
    }
}
