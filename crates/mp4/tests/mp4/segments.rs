//! Segments: what is cut apart fits together.

use std::collections::BTreeMap;

use lookback_mp4::{Error, Place, Segment};
use lookback_mpegts::Ticks;
use lookback_replay::SegmentPart;

use crate::reader::{Sample, fragment};
use crate::rig::{FRAME, Picture, Recorded, cut_sound, record};

const START: i64 = 90_000;
const GROUP: i64 = 10;

fn recorded() -> (Vec<Picture>, Vec<Vec<u8>>, Recorded) {
    let pictures: Vec<Picture> = (0..60)
        .map(|n| {
            let dts = START + n * FRAME;
            Picture::new(dts, dts + 2 * FRAME, n % GROUP == 0, &[n as u8 + 1; 500])
        })
        .collect();
    let contents: Vec<Vec<u8>> = (0..90).map(|n| vec![n as u8 + 1; 50]).collect();
    // Packets of five and a half frames: hardly one begins with a group.
    let sound = cut_sound(&contents, START + 2 * FRAME, &[57 * 11 / 2]);
    let recorded = record(&pictures, &sound);
    (pictures, contents, recorded)
}

fn read(segment: &Segment) -> Vec<u8> {
    let (mut out, mut place) = (Vec::new(), Place::default());
    while (out.len() as u64) < segment.len() {
        let bytes = segment
            .read(out.len() as u64, 777, &mut place)
            .expect("the clip is there");
        out.extend_from_slice(&bytes);
    }
    out
}

#[test]
fn segments_from_key_to_key_make_up_the_whole() {
    let (pictures, contents, recorded) = recorded();
    let at = |group: i64| Ticks(START + 2 * FRAME + group * GROUP * FRAME);
    let mut video: Vec<Sample> = Vec::new();
    let mut audio: Vec<Sample> = Vec::new();
    let mut init = None;
    for group in 0..6 {
        let segment = Segment::new(
            &recorded.clip,
            at(group)..at(group + 1),
            group as u32 + 1,
            |_| true,
        );
        let segment = segment.expect("a segment");
        let known = init.get_or_insert_with(|| segment.init());
        assert_eq!(*known, segment.init(), "one init segment for all");
        let tracks = fragment(known, &read(&segment));
        let [(1, pictures), (2, sound)] = &tracks[..] else {
            panic!("two tracks: {tracks:?}");
        };
        assert!(pictures[0].is_key && pictures[1..].iter().all(|sample| !sample.is_key));
        video.extend(pictures.iter().cloned());
        audio.extend(sound.iter().cloned());
    }
    let bytes = |samples: &[Sample]| -> Vec<Vec<u8>> {
        samples.iter().map(|sample| sample.bytes.clone()).collect()
    };
    let expected: Vec<Vec<u8>> = pictures.iter().map(Picture::sample).collect();
    assert_eq!(bytes(&video), expected);
    for (sample, picture) in video.iter().zip(&pictures) {
        assert_eq!((sample.dts, sample.pts), (picture.dts, picture.pts));
        assert_eq!(sample.duration, 3000);
    }
    assert!(audio.len() >= 60, "{}", audio.len());
    assert_eq!(bytes(&audio), contents[..audio.len()]);
    for pair in audio.windows(2) {
        let gap = pair[1].dts - (pair[0].dts + i64::from(pair[0].duration));
        assert!(gap.abs() <= 1, "sound goes on: {gap}");
    }
}

/// What is in a part has the times that it has in its segment, and nothing is there twice.
#[test]
fn parts_make_up_a_segment() {
    let (_, _, recorded) = recorded();
    let dts = |picture: i64| Ticks(START + picture * FRAME);
    let heard = |picture: i64| dts(picture) + Ticks(2 * FRAME);
    let whole = Segment::new(&recorded.clip, heard(20)..heard(30), 3, |_| true);
    let whole = whole.expect("a segment");
    let part = |first: i64, end: i64| {
        let part = SegmentPart {
            number: 2,
            index: 0,
            run: 0,
            parameters: 0,
            key: heard(20),
            decoded: dts(first)..dts(end),
            sound: heard(first)..heard(end),
            is_independent: first == 20,
        };
        Segment::part(&recorded.clip, &part, 3, |_| true)
    };
    let parts = [(20, 24), (24, 28), (28, 30)].map(|(first, end)| {
        let part = part(first, end);
        part.expect("a part")
    });
    let init = whole.init();
    let mut joined: BTreeMap<u32, Vec<Sample>> = BTreeMap::new();
    for part in &parts {
        assert_eq!(part.streams(), whole.streams());
        assert_eq!(part.init(), init);
        for (track, samples) in fragment(&init, &read(part)) {
            joined.entry(track).or_default().extend(samples);
        }
    }
    let expected: BTreeMap<u32, Vec<Sample>> = fragment(&init, &read(&whole)).into_iter().collect();
    assert_eq!(joined, expected);
    let refused = part(24, 24).err();
    assert!(matches!(refused, Some(Error::EmptySpan)), "{refused:?}");
}

#[test]
fn a_segment_must_hold_a_picture() {
    let (_, _, recorded) = recorded();
    let refused = Segment::new(&recorded.clip, Ticks(0)..Ticks(9), 1, |_| true).err();
    assert!(matches!(refused, Some(Error::EmptySpan)), "{refused:?}");
}

#[test]
fn a_segment_has_the_streams_that_are_wanted() {
    let (pictures, contents, recorded) = recorded();
    let at = |group: i64| Ticks(START + 2 * FRAME + group * GROUP * FRAME);
    for (stream, track) in [(0, 1), (1, 2)] {
        let segment = Segment::new(&recorded.clip, at(0)..at(1), 1, |other| other == stream);
        let segment = segment.expect("a segment");
        assert_eq!(segment.streams(), [stream]);
        let tracks = fragment(&segment.init(), &read(&segment));
        let [(number, samples)] = &tracks[..] else {
            panic!("one track: {tracks:?}");
        };
        assert_eq!(*number, track);
        let first = if stream == 0 {
            pictures[0].sample()
        } else {
            contents[0].clone()
        };
        assert_eq!(samples[0].bytes, first);
    }
}
