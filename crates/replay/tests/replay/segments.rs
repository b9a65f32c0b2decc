//! Segments: they are the same whenever they are asked for, and together they are all that was sent.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use lookback_mpegts::{PTS_WRAP, Ticks};
use lookback_replay::{Channel, ClipError, Limits, Segment, SegmentError};

use crate::support::rig::MIB;
use crate::support::{FRAME, Options, Rig, Synthetic, seconds, shapes};

/// All that is told of a segment, and its units: stream, PTS, DTS, payload.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Seen {
    run: u64,
    span: Range<Ticks>,
    offsets: Range<u64>,
    units: Vec<(usize, Ticks, Ticks, Vec<u8>)>,
}

/// What has been seen of a channel's segments, by their numbers.
type All = BTreeMap<u64, Seen>;

fn seen(channel: &Arc<Channel>, number: u64) -> Seen {
    let (segment, clip) = channel.segment(number).expect("it is listed");
    let mut units = clip.units_of(&segment);
    let mut read = Vec::new();
    while let Some(unit) = units.next().expect("the clip is there") {
        read.push((unit.stream, unit.pts, unit.dts, unit.payload.concat()));
    }
    // When it was recorded is known the better the more has come.
    let Segment {
        run, span, offsets, ..
    } = segment;
    Seen {
        run,
        span,
        offsets,
        units: read,
    }
}

/// Looks at all segments that there are, which must be what they were before.
fn look(channel: &Arc<Channel>, all: &mut All) {
    let Ok(segments) = channel.segments() else {
        return;
    };
    for pair in segments.list.windows(2) {
        assert_eq!(pair[1].number, pair[0].number + 1);
        if pair[0].run == pair[1].run {
            assert_eq!(pair[0].offsets.end, pair[1].offsets.start);
        }
    }
    for segment in &segments.list {
        assert!(segment.duration() <= segments.longest);
        let now = seen(channel, segment.number);
        let before = all.entry(segment.number).or_insert_with(|| now.clone());
        let number = segment.number;
        let told = |seen: &Seen| (seen.run, seen.span.clone(), seen.offsets.clone());
        assert_eq!(told(before), told(&now), "segment {number}");
        let units = |seen: &Seen| -> Vec<_> {
            let units = seen.units.iter();
            units.map(|unit| (unit.0, unit.1, unit.3.len())).collect()
        };
        assert_eq!(units(before), units(&now), "segment {number}");
        assert!(*before == now, "segment {number} has changed");
    }
}

fn units_of(all: &All, run: u64, stream: usize) -> Vec<&(usize, Ticks, Ticks, Vec<u8>)> {
    let of_run = all.values().filter(|seen| seen.run == run);
    of_run
        .flat_map(|seen| &seen.units)
        .filter(|unit| unit.0 == stream)
        .collect()
}

#[test]
fn segments_stay_what_they_are_while_the_window_slides() {
    for (name, options) in shapes() {
        eprintln!("{name}");
        let options = Options {
            picture_len: options.picture_len.min(3000),
            ..options
        };
        let mut rig = Rig::with(Limits {
            memory: 32 * MIB,
            keep: Some(seconds(9.0)),
        });
        let mut all = All::new();
        let mut stream = Synthetic::new(options.clone());
        let mut writer = rig.connect();
        let channel = Arc::clone(&rig.channel);
        for _ in 0..30 {
            rig.record(&mut writer, &mut stream, 17);
            look(&channel, &mut all);
        }
        drop(writer);
        look(&channel, &mut all);
        if options.one_key {
            continue;
        }
        assert!(all.len() >= 7, "{name}: {} segments", all.len());
        let numbers: Vec<u64> = all.keys().copied().collect();
        assert_eq!(numbers, (0..all.len() as u64).collect::<Vec<_>>(), "{name}");

        // What is cut on goes on without a gap, in the order of decoding.
        let cut = units_of(&all, 0, 0);
        for pair in cut.windows(2) {
            let step = pair[1].2 - pair[0].2;
            let rounding = Ticks(2);
            let expected = if options.video { options.frame } else { step };
            assert!(step - expected <= rounding, "{name}: {step:?}");
        }
        // All segments but the first one begin where the one before ends.
        for (before, after) in all.values().zip(all.values().skip(1)) {
            assert_eq!(before.span.end, after.span.start, "{name}");
        }
    }
}

#[test]
fn sound_is_in_one_segment_each_and_none_is_missing() {
    for delay in [-0.6, 0.0, 0.6] {
        let mut rig = Rig::new(32 * MIB);
        rig.run(
            Options {
                sound_delay: Ticks::from_secs_f64(delay),
                picture_len: 3000,
                ..Options::default()
            },
            400,
        );
        let mut all = All::new();
        look(&rig.channel, &mut all);
        let sound = units_of(&all, 0, 1);
        assert!(sound.len() > 600, "{delay}: {}", sound.len());
        for pair in sound.windows(2) {
            assert_eq!(pair[1].1 - pair[0].1, Ticks(1920), "{delay}");
        }
    }
}

#[test]
fn timestamps_that_wrap_go_on() {
    let mut rig = Rig::new(32 * MIB);
    let start = Ticks(PTS_WRAP as i64 - Ticks::SECOND.0 * 3);
    rig.run(
        Options {
            start,
            ..Options::default()
        },
        200,
    );
    let mut all = All::new();
    look(&rig.channel, &mut all);
    let pictures = units_of(&all, 0, 0);
    assert_eq!(pictures.len(), 200);
    for pair in pictures.windows(2) {
        assert_eq!(pair[1].1 - pair[0].1, FRAME);
    }
}

#[test]
fn runs_are_counted_and_each_ends_with_what_it_has() {
    let mut rig = Rig::new(32 * MIB);
    for id in 0..3 {
        rig.run(
            Options {
                id,
                width: 320 + 16 * usize::from(id),
                ..Options::default()
            },
            60,
        );
        rig.now = rig.now + seconds(3.0);
    }
    let mut all = All::new();
    look(&rig.channel, &mut all);
    for run in 0..3 {
        assert_eq!(units_of(&all, run, 0).len(), 60, "run {run}");
    }
    assert_eq!(all.len(), 6, "two in each run");
}

#[test]
fn what_is_not_there_is_told_apart() {
    let mut rig = Rig::with(Limits {
        memory: 32 * MIB,
        keep: Some(seconds(5.0)),
    });
    let empty = rig.channel.segments().err();
    assert!(matches!(empty, Some(ClipError::Empty { .. })), "{empty:?}");
    let why = |rig: &Rig, number| rig.channel.segment(number).err();
    assert_eq!(why(&rig, 0), Some(SegmentError::NotYet));
    rig.run(Options::default(), 500);
    let list = rig.channel.segments().expect("there are some").list;
    assert!(list[0].number > 0);
    assert_eq!(why(&rig, 0), Some(SegmentError::Passed));
    assert_eq!(why(&rig, list[0].number), None);
    let behind = list[list.len() - 1].number + 1;
    assert_eq!(why(&rig, behind), Some(SegmentError::NotYet));
}
