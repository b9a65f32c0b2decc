//! Parts of segments: they are the same whenever they are asked for, and together they are their segment.

use std::collections::BTreeMap;
use std::sync::Arc;

use lookback_mpegts::Ticks;
use lookback_replay::{Channel, Limits, SegmentError, SegmentPart};

use crate::support::rig::MIB;
use crate::support::{Options, Rig, Synthetic, seconds, shapes};

/// A picture: PTS, DTS, payload.
type Picture = (Ticks, Ticks, Vec<u8>);

/// What is told of a part, and what is in it.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    told: String,
    pictures: Vec<Picture>,
    sounds: Vec<(usize, Ticks, Vec<u8>)>,
}

type All = BTreeMap<(u64, usize), Seen>;

fn seen(channel: &Arc<Channel>, part: &SegmentPart) -> Seen {
    let (known, clip) = channel.part(part.number, part.index).expect("it is listed");
    let told = format!("{part:?}");
    assert_eq!(told, format!("{known:?}"));
    let (mut pictures, mut sounds) = (Vec::new(), Vec::new());
    let mut units = clip.units();
    while let Some(unit) = units.next().expect("the clip is there") {
        if unit.stream == 0 && part.decoded.contains(&unit.dts) {
            pictures.push((unit.pts, unit.dts, unit.payload.concat()));
        } else if unit.stream > 0 && part.sound.contains(&unit.pts) {
            sounds.push((unit.stream, unit.pts, unit.payload.concat()));
        }
    }
    Seen {
        told,
        pictures,
        sounds,
    }
}

/// Looks at the new parts, or at all `again`, which must be what they were before.
fn look(channel: &Arc<Channel>, all: &mut All, again: bool) {
    let Ok(segments) = channel.segments() else {
        return;
    };
    for pair in segments.parts.windows(2) {
        if pair[0].number == pair[1].number {
            assert_eq!(pair[0].index + 1, pair[1].index);
            assert_eq!(pair[0].decoded.end, pair[1].decoded.start);
            assert_eq!(pair[0].sound.end, pair[1].sound.start);
        } else {
            assert_eq!((pair[1].index, pair[1].is_independent), (0, true));
        }
    }
    for part in &segments.parts {
        assert!(part.duration() <= SegmentPart::LENGTH_MAX, "{part:?}");
        if !again && all.contains_key(&(part.number, part.index)) {
            continue;
        }
        let now = seen(channel, part);
        assert!(!now.pictures.is_empty(), "{part:?}");
        let before = all
            .entry((part.number, part.index))
            .or_insert_with(|| now.clone());
        assert!(*before == now, "{part:?} was {}", before.told);
    }
    let of = |number| segments.parts.iter().filter(move |it| it.number == number);
    if let Some(current) = &segments.current {
        let parts = of(current.number).count();
        assert_eq!(channel.edge(), (current.number, parts));
        let next = channel.part(current.number, parts).err();
        assert_eq!(next, Some(SegmentError::NotYet));
    }
    for segment in &segments.list {
        if let (Some(first), Some(last)) =
            (of(segment.number).next(), of(segment.number).next_back())
        {
            assert_eq!(first.sound.start, segment.span.start);
            assert_eq!(last.sound.end, segment.span.end);
        }
    }
}

#[test]
fn parts_stay_what_they_are_and_make_up_their_segments() {
    for (name, options) in shapes() {
        if !options.video || options.one_key {
            continue;
        }
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
        for round in 0..60 {
            rig.record(&mut writer, &mut stream, 5);
            look(&channel, &mut all, round % 10 == 0);
        }
        drop(writer);
        look(&channel, &mut all, true);
        let segments = channel.segments().expect("some are there");
        assert!(segments.current.is_none(), "{name}: nothing is to come");
        for segment in &segments.list[segments.list.len() - 3..] {
            let (known, clip) = channel.segment(segment.number).expect("it is listed");
            let mut units = clip.units_of(&known);
            let mut whole: Vec<Picture> = Vec::new();
            while let Some(unit) = units.next().expect("the clip is there") {
                if unit.stream == 0 {
                    whole.push((unit.pts, unit.dts, unit.payload.concat()));
                }
            }
            let parts = all.range((segment.number, 0)..(segment.number + 1, 0));
            let joined: Vec<Picture> = parts.flat_map(|(_, part)| part.pictures.clone()).collect();
            assert_eq!(joined.len(), whole.len(), "{name}: {segment:?}");
            // The first of the whole may have been given parameter sets.
            let is_same = |(part, whole): (&Picture, &Picture)| {
                (part.0, part.1) == (whole.0, whole.1) && whole.2.ends_with(&part.2[6..])
            };
            assert!(
                joined.iter().zip(&whole).all(is_same),
                "{name}: {segment:?}"
            );
        }
    }
}

/// While a segment is being recorded its parts come one after the other, not all at its end.
#[test]
fn parts_come_before_their_segment() {
    let mut rig = Rig::new(32 * MIB);
    let options = Options {
        picture_len: 3000,
        ..Options::default()
    };
    let mut stream = Synthetic::new(options);
    let mut writer = rig.connect();
    let mut edges = Vec::new();
    for _ in 0..200 {
        rig.record(&mut writer, &mut stream, 1);
        edges.push(rig.channel.edge());
    }
    assert!(edges.is_sorted(), "{edges:?}");
    edges.dedup();
    let steps = edges.iter().filter(|&&(number, _)| number == 2).count();
    assert!(steps > 5, "{edges:?}");
}

/// Behind damage there is no picture up to the next keyframe, and so there is no part.
#[test]
fn damage_ends_the_parts_of_a_segment() {
    let mut rig = Rig::new(32 * MIB);
    let mut stream = Synthetic::new(Options {
        picture_len: 3000,
        ..Options::default()
    });
    let mut writer = rig.connect();
    let channel = Arc::clone(&rig.channel);
    let mut all = All::new();
    for round in 0..60 {
        let mut parts = stream.parts(5);
        if round % 11 == 5 {
            let len = parts[2].bytes.len();
            parts[2]
                .bytes
                .drain(len / 2 / 188 * 188..len / 2 / 188 * 188 + 188);
        }
        rig.feed(&mut writer, &parts);
        if let Ok(segments) = channel.segments() {
            for part in &segments.parts {
                let now = seen(&channel, part);
                assert!(!now.pictures.is_empty(), "{part:?}");
                let before = all
                    .entry((part.number, part.index))
                    .or_insert_with(|| now.clone());
                assert!(*before == now, "{part:?} was {}", before.told);
            }
        }
    }
    assert!(
        rig.problem("lost_packets") > 0 || all.len() > 10,
        "{}",
        all.len()
    );
}
