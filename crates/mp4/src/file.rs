//! A clip as one MP4: `ftyp`, `moov`, `mdat`, in this order, so that it plays while it is loaded.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use lookback_mpegts::Ticks;
use lookback_replay::{Clip, Counted, Gone};

use crate::boxes::Boxes;
use crate::content::{Content, Place};
use crate::movie::{self, Presentation, Samples};
use crate::reach::Wanted;
use crate::scan::Scan;
use crate::{Error, LeftOut};

/// Is raised with every change that makes other bytes of the same clip: what clients have kept is not mixed
/// with them then.
const FORMAT_VERSION: u32 = 2;

/// A clip, or the part of it between two moments, as a file that exists only while it is read.
pub struct Mp4 {
    clip: Arc<Clip>,
    plan: Arc<Plan>,
}

/// All of an [`Mp4`] but the clip: to be kept as long as the clip may be asked for, without keeping the clip.
pub struct Plan {
    /// The id of the clip.
    id: String,
    tag: String,
    header: Bytes,
    content: Content,
    left_out: Vec<LeftOut>,
    _counted: Option<Counted>,
}

impl Mp4 {
    /// The file of a clip. `shown` is what of it is shown, stretch by stretch, in ticks of [`Clip::timeline`]:
    /// the file begins with the keyframe before the first, and an edit list says what is shown, exact to the
    /// picture. Without any, all is shown.
    ///
    /// Every byte of the clip is looked at, which takes a while: keep the [`plan`](Self::plan).
    ///
    /// # Errors
    /// If the clip had to be let go, if an MP4 cannot carry it, or if nothing lies in what is shown.
    pub fn new(clip: &Arc<Clip>, shown: &[Range<Ticks>]) -> Result<Self, Error> {
        Self::presented(clip, shown, false)
    }

    /// The same samples, and nothing says that only some of them are shown: for a player that makes something else of
    /// an edit list. It still says which track begins later.
    ///
    /// # Errors
    /// As with [`new`](Self::new).
    pub fn uncut(clip: &Arc<Clip>, shown: &[Range<Ticks>]) -> Result<Self, Error> {
        Self::presented(clip, shown, true)
    }

    fn presented(clip: &Arc<Clip>, shown: &[Range<Ticks>], is_uncut: bool) -> Result<Self, Error> {
        let wanted = match shown {
            [] => Wanted::Whole,
            [first, ..] => Wanted::Shown(first.start..shown[shown.len() - 1].end),
        };
        let scan = Scan::new(clip, &wanted)?;
        let presentation = Presentation {
            shown: match shown {
                some @ [_, ..] if !is_uncut => some.to_vec(),
                _ => vec![scan.start..Ticks(i64::MAX)],
            },
            recorded: since_1904(clip),
        };
        let header = header(&scan, &presentation);
        let part: String = shown
            .iter()
            .map(|span| format!("-{}-{}", span.start.0, span.end.0))
            .collect();
        let uncut = if is_uncut { "-uncut" } else { "" };
        let bytes = size_of::<Plan>() + header.len() + scan.content.bytes();
        let plan = Plan {
            id: clip.id().to_owned(),
            tag: format!("\"{}{part}{uncut}.mp4.{FORMAT_VERSION}\"", clip.id()),
            header,
            content: scan.content,
            left_out: scan.left_out,
            _counted: clip.count(bytes),
        };
        Ok(Self {
            clip: Arc::clone(clip),
            plan: Arc::new(plan),
        })
    }

    /// The file of a clip whose plan was kept; `None` if it is that of another.
    pub fn of(clip: &Arc<Clip>, plan: &Arc<Plan>) -> Option<Self> {
        (clip.id() == plan.id).then(|| Self {
            clip: Arc::clone(clip),
            plan: Arc::clone(plan),
        })
    }

    /// What was found out about it.
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// The clip.
    pub fn clip(&self) -> &Arc<Clip> {
        &self.clip
    }

    /// Its entity tag, in quotes: the same for the same bytes.
    pub fn tag(&self) -> &str {
        &self.plan.tag
    }

    /// Streams of the clip that are not in it.
    pub fn left_out(&self) -> &[LeftOut] {
        &self.plan.left_out
    }

    /// Its bytes.
    #[expect(clippy::len_without_is_empty, reason = "there always is a header")]
    pub fn len(&self) -> u64 {
        self.plan.header.len() as u64 + self.plan.content.len()
    }

    /// Up to `max` bytes from `offset` on, at least one unless `offset` is at or behind the end, or `max`
    /// is 0. `place` is where the reading before ended, and then where this one does.
    ///
    /// # Errors
    /// If the clip had to be let go.
    pub fn read(&self, offset: u64, max: usize, place: &mut Place) -> Result<Bytes, Gone> {
        let stored = (&self.plan.header, &self.plan.content);
        read(&self.clip, stored, offset, max, place)
    }
}

/// Reads what is made of a header and content behind it.
pub(crate) fn read(
    clip: &Clip,
    (header, content): (&Bytes, &Content),
    offset: u64,
    max: usize,
    place: &mut Place,
) -> Result<Bytes, Gone> {
    match offset.checked_sub(header.len() as u64) {
        Some(offset) => content.read(clip, offset, max, place),
        None => {
            let from = offset as usize;
            Ok(header.slice(from..header.len().min(from.saturating_add(max))))
        }
    }
}

/// All that stands in front of the samples.
fn header(scan: &Scan, shown: &Presentation) -> Bytes {
    let is_large = scan.content.len() > u64::from(u32::MAX) / 2;
    let write = |offset| {
        let mut boxes = Boxes::default();
        boxes.plain(b"ftyp", |boxes| {
            let minor_version = 0;
            boxes.raw(b"mp42").u32(minor_version);
            // Signed composition offsets came with iso4.
            for brand in [b"isom", b"iso4", b"iso6", b"mp42"] {
                boxes.raw(brand);
            }
        });
        movie::write(scan, shown, Samples::From { offset, is_large }, &mut boxes);
        media_data(scan.content.len(), &mut boxes);
        boxes
    };
    // How long it is does not depend on where the samples lie.
    let len = write(0).len() as u64;
    write(len).into_bytes().into()
}

/// The head of an `mdat` with so many bytes in it.
pub(crate) fn media_data(len: u64, boxes: &mut Boxes) {
    const SHORT_LEN: u64 = 8;
    const LONG_LEN: u64 = 16;
    match u32::try_from(SHORT_LEN + len) {
        Ok(size) => boxes.u32(size).raw(b"mdat"),
        Err(_) => boxes.u32(1).raw(b"mdat").u64(LONG_LEN + len),
    };
}

/// When the clip was recorded, as MP4 counts time.
pub(crate) fn since_1904(clip: &Clip) -> u64 {
    const UNIX_EPOCH: i64 = 2_082_844_800;
    let seconds = clip.start().as_unix_millis().div_euclid(1000);
    u64::try_from(seconds.saturating_add(UNIX_EPOCH)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use lookback_replay::{Limits, Recorder, Selection, Wall};
    use lookback_testcard::{Config, Stream, TestCard};
    use mp4_atom::{Any, DecodeMaybe, Moov};

    use super::*;
    use crate::scan::Media;

    fn clip() -> Arc<Clip> {
        let card = Config {
            width: 320,
            height: 180,
            ..Config::default()
        };
        let card = TestCard::new(card).expect("a size that the card can have");
        let recorder = Recorder::new(Limits {
            memory: 8 << 20,
            keep: None,
        });
        let channel = recorder.add_channel("main");
        let mut writer = channel.connect("test", Wall(0)).expect("it is the first");
        for chunk in Stream::new(card, 0, Ticks::SECOND).take(60) {
            writer.write(&chunk.bytes, Wall(0));
        }
        drop(writer);
        let clip = channel.clip(Selection::All, Wall(0));
        clip.expect("something is recorded")
    }

    fn movie(mut header: &[u8]) -> Moov {
        loop {
            match Any::decode_maybe(&mut header) {
                Ok(Some(Any::Moov(movie))) => return movie,
                Ok(Some(_)) => {}
                other => panic!("no moov, but {other:?}"),
            }
        }
    }

    /// Where the chunks of all tracks begin.
    fn chunks(movie: &Moov) -> Vec<u64> {
        let tables = movie.trak.iter().map(|track| &track.mdia.minf.stbl);
        let offsets = |stbl: &mp4_atom::Stbl| match (&stbl.stco, &stbl.co64) {
            (Some(short), None) => short.entries.iter().map(|&at| at.into()).collect(),
            (None, Some(long)) => long.entries.clone(),
            _ => panic!("one table of chunks for each track"),
        };
        tables.flat_map(offsets).collect::<Vec<u64>>()
    }

    /// Behind more bytes than 32 bits can count all is where it is told to be, although nobody has that much memory.
    #[test]
    fn beyond_four_gigabytes_everything_is_found() {
        let clip = clip();
        let shown = Presentation {
            shown: vec![Ticks(0)..Ticks(i64::MAX)],
            recorded: since_1904(&clip),
        };
        let scan = || Scan::new(&clip, &Wanted::Whole).expect("it is whole");
        let near = scan();
        let near_header = header(&near, &shown);
        for gap in [1 << 31, u64::from(u32::MAX), 5 << 32] {
            let mut far = scan();
            far.content = far.content.behind(gap);
            for track in &mut far.tracks {
                let timing = match &mut track.media {
                    Media::Pictures(pictures) => &mut pictures.timing,
                    Media::Sound(sound) => &mut sound.timing,
                };
                timing.chunks.iter_mut().for_each(|chunk| chunk.at += gap);
            }
            let far_header = header(&far, &shown);
            let expected = chunks(&movie(&near_header)).into_iter().map(|at| {
                let in_content = at - near_header.len() as u64;
                far_header.len() as u64 + gap + in_content
            });
            assert_eq!(
                chunks(&movie(&far_header)),
                expected.collect::<Vec<_>>(),
                "{gap}"
            );
            let mut end = Boxes::default();
            media_data(far.content.len(), &mut end);
            assert!(far_header.ends_with(&end.into_bytes()));
            for offset in [0, 1, near.content.len() / 2, near.content.len() - 1] {
                let there = far
                    .content
                    .read(&clip, gap + offset, 5000, &mut Place::default());
                let here = near
                    .content
                    .read(&clip, offset, 5000, &mut Place::default());
                assert!(there.is_ok() && there == here, "{gap} and {offset}");
            }
        }
    }

    #[test]
    fn the_length_of_the_samples_is_told_in_as_many_bits_as_it_takes() {
        let head = |len| {
            let mut boxes = Boxes::default();
            media_data(len, &mut boxes);
            boxes.into_bytes()
        };
        let longest = u64::from(u32::MAX) - 8;
        assert_eq!(head(longest), b"\xff\xff\xff\xffmdat");
        let more = (longest + 1 + 16).to_be_bytes();
        assert_eq!(head(longest + 1), [b"\0\0\0\x01mdat", &more[..]].concat());
    }
}
