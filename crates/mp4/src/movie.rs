//! `moov`: all that a player must know before the samples (14496-12 8.2 to 8.8).

use std::ops::Range;

use lookback_mpegts::Ticks;

use crate::boxes::{Boxes, version_for};
use crate::entry;
use crate::scan::{Media, Scan, Track};
use crate::sound::in_scale;
use crate::timing::Timing;

/// What the movie's times count in, for a second: the clock of transport streams.
const SCALE: u32 = 90_000;

/// What is shown of the tracks.
pub(crate) struct Presentation {
    /// What is seen and heard, one after the other, on the clip's timeline. A track may end before.
    pub(crate) shown: Vec<Range<Ticks>>,
    /// When it was recorded, in seconds since 1904.
    pub(crate) recorded: u64,
}

/// Where samples are found.
#[derive(Clone, Copy)]
pub(crate) enum Samples {
    /// In this file, their first byte here.
    From { offset: u64, is_large: bool },
    /// In fragments.
    InFragments,
}

/// Writes the `moov`.
pub(crate) fn write(scan: &Scan, shown: &Presentation, samples: Samples, boxes: &mut Boxes) {
    let in_fragments = matches!(samples, Samples::InFragments);
    let edits: Vec<Edits> = scan
        .tracks
        .iter()
        .map(|track| Edits::of(track, &shown.shown))
        .collect();
    let longest = edits.iter().map(Edits::total).max().unwrap_or(0);
    let movie_duration = if in_fragments { 0 } else { longest };
    boxes.plain(b"moov", |boxes| {
        let next_track = scan.tracks.iter().map(id).max().unwrap_or(0) + 1;
        movie_header(shown.recorded, movie_duration, next_track, boxes);
        // Players play one sound track, the first: the others are there to be chosen.
        let mut sound_seen = false;
        for (track, edit) in scan.tracks.iter().zip(&edits) {
            let is_sound = matches!(track.media, Media::Sound(_));
            let is_enabled = !is_sound || !sound_seen;
            sound_seen |= is_sound;
            let edit = (!in_fragments).then_some(edit);
            boxes.plain(b"trak", |boxes| {
                track_header(track, shown.recorded, edit, is_enabled, boxes);
                if let Some(edit) = edit {
                    edit.write(boxes);
                }
                media(track, shown.recorded, samples, boxes);
            });
        }
        if in_fragments {
            boxes.plain(b"mvex", |boxes| {
                for track in &scan.tracks {
                    boxes.full(b"trex", 0, 0, |boxes| {
                        boxes.u32(id(track)).u32(1).zeros(12);
                    });
                }
            });
        }
    });
}

/// Tracks are numbered as the streams are, so that all segments of a clip agree.
pub(crate) fn id(track: &Track) -> u32 {
    track.stream as u32 + 1
}

/// How a track lies on the movie's timeline: stretches of it, and of nothing.
struct Edits(Vec<Edit>);

struct Edit {
    /// In the movie's scale.
    duration: u64,
    /// Where in the track it begins, in the track's scale; `None` for nothing.
    media_time: Option<u64>,
}

impl Edits {
    fn of(track: &Track, shown: &[Range<Ticks>]) -> Self {
        let timing = track.timing();
        let scale = track.scale();
        let ticks = |time: i64| in_ticks(time, scale);
        let (first, last) = (ticks(timing.first_shown()), ticks(timing.shown_until));
        let is_sound = matches!(track.media, Media::Sound(_));
        let mut edits = Self(Vec::new());
        let mut missing = Ticks(0);
        for span in shown {
            let mut begin = span.start.max(first);
            let end = span.end.min(last);
            let into = in_scale(begin, scale) - timing.first_shown();
            // What rounding makes of the first sample's own time is no edit.
            let mut media_time = if begin == first { 0 } else { into };
            if is_sound && edits.0.is_empty() {
                // Chromium 102, about as old as the docks of OBS 28 to 30, plays no file that begins within a frame
                // behind others. What is left out is shorter than a frame.
                media_time = timing.frame_from(media_time);
                begin = begin.max(ticks(timing.first + media_time));
            }
            if begin >= end {
                missing += span.end - span.start;
                continue;
            }
            // Without it the tracks would not be together any more.
            edits.push(missing + (begin - span.start), None);
            edits.push(end - begin, Some(u64::try_from(media_time).unwrap_or(0)));
            missing = span.end - end;
        }
        if edits.0.is_empty() {
            // Without any, all of the track would be shown.
            edits.push(missing, None);
        }
        edits
    }

    fn push(&mut self, duration: Ticks, media_time: Option<u64>) {
        if let Some(duration) = u64::try_from(duration.0).ok().filter(|&ticks| ticks > 0) {
            self.0.push(Edit {
                duration,
                media_time,
            });
        }
    }

    fn total(&self) -> u64 {
        self.0.iter().map(|edit| edit.duration).sum()
    }

    fn write(&self, boxes: &mut Boxes) {
        const NOTHING: u64 = u64::MAX;
        let times = self
            .0
            .iter()
            .flat_map(|edit| [edit.duration, edit.media_time.unwrap_or(0)]);
        let version = version_for(&times.collect::<Vec<_>>());
        boxes.plain(b"edts", |boxes| {
            boxes.full(b"elst", version, 0, |boxes| {
                let normal_speed = 1 << 16;
                boxes.u32(self.0.len() as u32);
                for edit in &self.0 {
                    boxes.sized(version, edit.duration);
                    match (version, edit.media_time) {
                        (0, None) => boxes.u32(NOTHING as u32),
                        (_, time) => boxes.sized(version, time.unwrap_or(NOTHING)),
                    };
                    boxes.u32(normal_speed);
                }
            });
        });
    }
}

fn in_ticks(time: i64, scale: u32) -> Ticks {
    let scaled = i128::from(time) * 180_000 + i128::from(scale);
    let rounded = scaled.div_euclid(2 * i128::from(scale));
    Ticks(i64::try_from(rounded).unwrap_or(i64::MAX))
}

const MATRIX: [u32; 9] = [1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30];

fn movie_header(recorded: u64, duration: u64, next_track: u32, boxes: &mut Boxes) {
    let version = version_for(&[recorded, duration]);
    boxes.full(b"mvhd", version, 0, |boxes| {
        boxes.sized(version, recorded).sized(version, recorded);
        boxes.u32(SCALE).sized(version, duration);
        let (normal_speed, full_volume) = (1 << 16, 1 << 8);
        boxes.u32(normal_speed).u16(full_volume).zeros(10);
        MATRIX.iter().for_each(|&value| {
            boxes.u32(value);
        });
        boxes.zeros(24).u32(next_track);
    });
}

fn track_header(
    track: &Track,
    recorded: u64,
    edit: Option<&Edits>,
    is_enabled: bool,
    boxes: &mut Boxes,
) {
    const ENABLED: u32 = 1;
    const IN_MOVIE: u32 = 2;
    let duration = edit.map_or(0, Edits::total);
    let version = version_for(&[recorded, duration]);
    let flags = IN_MOVIE | if is_enabled { ENABLED } else { 0 };
    let (sound_group, volume, (width, height)) = match &track.media {
        Media::Pictures(pictures) => (0, 0, entry::shown_size(pictures)),
        Media::Sound(_) => (1, 1 << 8, (0, 0)),
    };
    boxes.full(b"tkhd", version, flags, |boxes| {
        boxes.sized(version, recorded).sized(version, recorded);
        boxes.u32(id(track)).zeros(4).sized(version, duration);
        let layer = 0;
        boxes
            .zeros(8)
            .u16(layer)
            .u16(sound_group)
            .u16(volume)
            .zeros(2);
        MATRIX.iter().for_each(|&value| {
            boxes.u32(value);
        });
        boxes.u32(width << 16).u32(height << 16);
    });
}

fn media(track: &Track, recorded: u64, samples: Samples, boxes: &mut Boxes) {
    let timing = track.timing();
    let duration = match samples {
        Samples::From { .. } => u64::try_from(timing.end - timing.first).unwrap_or(0),
        Samples::InFragments => 0,
    };
    let version = version_for(&[recorded, duration]);
    boxes.plain(b"mdia", |boxes| {
        boxes.full(b"mdhd", version, 0, |boxes| {
            boxes.sized(version, recorded).sized(version, recorded);
            boxes.u32(track.scale()).sized(version, duration);
            let packed = track.language.iter().fold(0, |packed: u16, &letter| {
                packed << 5 | u16::from(letter - b'a' + 1)
            });
            boxes.u16(packed).zeros(2);
        });
        let (kind, name) = match track.media {
            Media::Pictures(_) => (b"vide", &b"Video\0"[..]),
            Media::Sound(_) => (b"soun", &b"Sound\0"[..]),
        };
        boxes.full(b"hdlr", 0, 0, |boxes| {
            boxes.zeros(4).raw(kind).zeros(12).raw(name);
        });
        boxes.plain(b"minf", |boxes| {
            match track.media {
                Media::Pictures(_) => boxes.full(b"vmhd", 0, 1, |boxes| {
                    boxes.zeros(8);
                }),
                Media::Sound(_) => boxes.full(b"smhd", 0, 0, |boxes| {
                    boxes.zeros(4);
                }),
            }
            data_in_this_file(boxes);
            boxes.plain(b"stbl", |boxes| {
                entry::write(track, boxes);
                match samples {
                    Samples::From { offset, is_large } => {
                        tables(timing, offset, is_large, boxes);
                    }
                    Samples::InFragments => no_tables(boxes),
                }
            });
        });
    });
}

fn data_in_this_file(boxes: &mut Boxes) {
    boxes.plain(b"dinf", |boxes| {
        boxes.full(b"dref", 0, 0, |boxes| {
            boxes.u32(1);
            boxes.full(b"url ", 0, 1, |_| {});
        });
    });
}

/// The tables of a track's samples (8.6, 8.7).
fn tables(timing: &Timing, offset: u64, is_large: bool, boxes: &mut Boxes) {
    boxes.full(b"stts", 0, 0, |boxes| {
        let runs = timing.durations.iter();
        boxes.u32(runs.len() as u32);
        runs.for_each(|(count, duration)| {
            boxes.u32(count).u32(duration);
        });
    });
    if let Some((_, first)) = timing.offsets.iter().next() {
        composition(timing, first, boxes);
        boxes.full(b"stss", 0, 0, |boxes| {
            boxes.u32(timing.keys.len() as u32);
            timing.keys.iter().for_each(|&key| {
                boxes.u32(key);
            });
        });
    }
    boxes.full(b"stsz", 0, 0, |boxes| {
        let of_different_size = 0;
        boxes.u32(of_different_size).u32(timing.sizes.len() as u32);
        timing.sizes.iter().for_each(|&size| {
            boxes.u32(size);
        });
    });
    boxes.full(b"stsc", 0, 0, |boxes| {
        let mut first_of_runs: Vec<(u32, u32)> = Vec::new();
        for (at, chunk) in timing.chunks.iter().enumerate() {
            if first_of_runs
                .last()
                .is_none_or(|&(_, samples)| samples != chunk.samples)
            {
                first_of_runs.push((at as u32 + 1, chunk.samples));
            }
        }
        boxes.u32(first_of_runs.len() as u32);
        for (first, samples) in first_of_runs {
            let description = 1;
            boxes.u32(first).u32(samples).u32(description);
        }
    });
    let (kind, version) = if is_large { (b"co64", 1) } else { (b"stco", 0) };
    boxes.full(kind, 0, 0, |boxes| {
        boxes.u32(timing.chunks.len() as u32);
        timing.chunks.iter().for_each(|chunk| {
            boxes.sized(version, offset + chunk.at);
        });
    });
}

/// Where pictures are shown in another order than they are decoded in. Offsets are signed, and count from
/// that of the first picture, so that it is shown at the very begin of the track also by players that know no
/// edit list.
fn composition(timing: &Timing, first: i32, boxes: &mut Boxes) {
    if timing.offsets.iter().all(|(_, offset)| offset == first) {
        return;
    }
    boxes.full(b"ctts", 1, 0, |boxes| {
        let runs = timing.offsets.iter();
        boxes.u32(runs.len() as u32);
        runs.for_each(|(count, offset)| {
            boxes.u32(count).u32((offset - first) as u32);
        });
    });
    let offsets = || timing.offsets.iter().map(|(_, offset)| offset - first);
    let (least, most) = (offsets().min().unwrap_or(0), offsets().max().unwrap_or(0));
    let duration = i32::try_from(timing.end - timing.first).unwrap_or(i32::MAX);
    boxes.full(b"cslg", 0, 0, |boxes| {
        let shift = least.min(0).saturating_neg();
        for value in [shift, least, most, 0, duration] {
            boxes.u32(value as u32);
        }
    });
}

fn no_tables(boxes: &mut Boxes) {
    for kind in [b"stts", b"stsc", b"stco"] {
        boxes.full(kind, 0, 0, |boxes| {
            boxes.zeros(4);
        });
    }
    boxes.full(b"stsz", 0, 0, |boxes| {
        boxes.zeros(8);
    });
}
