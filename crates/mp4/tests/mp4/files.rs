//! Whole files, and parts of them that are shown.

use std::ops::Range;

use lookback_codec::Codec;
use lookback_mp4::{Error, LeftOut, Mp4, Place};
use lookback_mpegts::Ticks;
use lookback_replay::{Selection, Wall};
use proptest::prelude::*;

use crate::reader::{Sample, Track, tracks};
use crate::rig::{
    AAC, FRAME, Nal, Picture, Recorded, SoundUnit, cut_sound, parameter_sets, read_all, record,
    record_runs,
};

/// Where the streams begin.
const START: i64 = 90_000;

/// Pictures that are shown as they come, a key every `gop`.
fn pictures(count: i64, gop: i64) -> Vec<Picture> {
    (0..count)
        .map(|n| {
            let at = START + n * FRAME;
            let content = vec![n as u8 + 1; 200 + 40 * n as usize];
            Picture::new(at, at, n % gop == 0, &content)
        })
        .collect()
}

/// Groups of I, P, B, B: shown in the order I, B, B, P.
fn reordered(groups: i64) -> Vec<Picture> {
    (0..groups * 4)
        .map(|n| {
            let shown = [0, 3, 1, 2][n as usize % 4] + n / 4 * 4;
            let dts = START + n * FRAME;
            let pts = START + (shown + 1) * FRAME;
            Picture::new(dts, pts, n % 4 == 0, &[n as u8 + 1; 300])
        })
        .collect()
}

fn sound(frames: i64) -> Vec<Vec<u8>> {
    (0..frames).map(|n| vec![n as u8 % 200 + 1; 60]).collect()
}

fn file(recorded: &Recorded, shown: &[Range<i64>]) -> Vec<Track> {
    let ticks = |shown: &Range<i64>| Ticks(shown.start)..Ticks(shown.end);
    let shown: Vec<_> = shown.iter().map(ticks).collect();
    let mp4 = Mp4::new(&recorded.clip, &shown).expect("an MP4");
    tracks(&read_all(&mp4, usize::MAX))
}

fn bytes(samples: &[Sample]) -> Vec<&[u8]> {
    samples.iter().map(|sample| &sample.bytes[..]).collect()
}

#[test]
fn a_file_has_every_picture_and_every_frame_of_sound() {
    let (pictures, contents) = (pictures(40, 10), sound(60));
    let recorded = record(&pictures, &cut_sound(&contents, START, &[67]));
    let tracks = file(&recorded, &[]);
    let [video, audio] = &tracks[..] else {
        panic!("two tracks: {}", tracks.len());
    };
    assert!(matches!(video.codec, mp4_atom::Codec::Avc1(_)));
    let expected: Vec<Vec<u8>> = pictures.iter().map(Picture::sample).collect();
    assert_eq!(bytes(&video.samples), expected);
    let keys: Vec<usize> = (0..40).filter(|&n| video.samples[n].is_key).collect();
    assert_eq!(keys, [0, 10, 20, 30]);
    assert!(video.samples.iter().all(|sample| sample.duration == 3000));
    assert_eq!(
        (video.scale, &video.edits[..]),
        (90_000, &[(120_000, Some(0))][..])
    );

    assert!(matches!(audio.codec, mp4_atom::Codec::Mp4a(_)));
    assert_eq!(bytes(&audio.samples), contents);
    assert!(audio.samples.iter().all(|sample| sample.duration == 1024));
    assert_eq!((audio.scale, audio.language.as_str()), (48_000, "deu"));
    assert_eq!(audio.edits, [(60 * 1920, Some(0))]);
}

#[test]
fn parameter_sets_stand_in_the_description() {
    let recorded = record(&pictures(3, 3), &[]);
    let mp4_atom::Codec::Avc1(entry) = file(&recorded, &[]).remove(0).codec else {
        panic!("avc1");
    };
    let [sps, pps] = &parameter_sets()[..] else {
        panic!("one of each");
    };
    assert_eq!(
        entry.avcc.sequence_parameter_sets,
        std::slice::from_ref(sps)
    );
    assert_eq!(entry.avcc.picture_parameter_sets, std::slice::from_ref(pps));
    assert_eq!((entry.visual.width, entry.visual.height), (320, 180));
}

#[test]
fn the_first_picture_is_shown_at_once_whatever_the_order() {
    let pictures = reordered(5);
    let tracks = file(&record(&pictures, &[]), &[]);
    let shown: Vec<i64> = tracks[0].samples.iter().map(|sample| sample.pts).collect();
    let expected: Vec<i64> = pictures
        .iter()
        .map(|picture| picture.pts - START - FRAME)
        .collect();
    assert_eq!(shown, expected);
    assert_eq!(tracks[0].edits, [(20 * 3000, Some(0))]);
}

#[test]
fn sound_that_begins_later_has_an_empty_edit_in_front() {
    let sound = cut_sound(&sound(30), START + 4320, &[67]);
    let tracks = file(&record(&pictures(30, 10), &sound), &[]);
    assert_eq!(tracks[1].edits, [(4320, None), (30 * 1920, Some(0))]);
}

#[test]
fn a_hole_in_the_sound_stays_as_long_as_it_is() {
    let contents = sound(20);
    let mut units = cut_sound(&contents[..10], START, &[67]);
    units.extend(cut_sound(&contents[10..], START + 15 * 1920, &[67]));
    let tracks = file(&record(&pictures(40, 10), &units), &[]);
    let durations: Vec<u32> = tracks[1]
        .samples
        .iter()
        .map(|sample| sample.duration)
        .collect();
    let expected: Vec<u32> = (0..20)
        .map(|n| if n == 9 { 6 * 1024 } else { 1024 })
        .collect();
    assert_eq!(durations, expected);
}

/// Where two runs meet, the last packet of the first one goes on behind its last picture.
#[test]
fn sound_that_is_there_twice_is_taken_once() {
    let (pictures, contents) = (pictures(20, 10), sound(40));
    let first = cut_sound(&contents, START, &[67 * 9]);
    let second = cut_sound(&contents, START, &[67]);
    let recorded = record_runs(&[(&pictures, &first), (&pictures, &second)], AAC);
    assert_eq!(recorded.clip.runs(), 2);
    let tracks = file(&recorded, &[]);
    let samples = &tracks[1].samples;
    // Twenty pictures last as long as 31 frames and a quarter: the fourth packet ends with the 36th.
    let dropped = samples
        .iter()
        .skip(36)
        .position(|sample| sample.bytes == contents[5]);
    assert_eq!(dropped, Some(0), "{:?}", bytes(samples));
    let expected: Vec<&[u8]> = contents[..36]
        .iter()
        .chain(&contents[5..])
        .map(Vec::as_slice)
        .collect();
    assert!(expected.starts_with(&bytes(samples)));
    let in_step = samples.iter().all(|sample| sample.duration == 1024);
    assert!(in_step, "there is no hole and no overlap");
}

#[test]
fn several_stretches_are_shown_one_after_the_other() {
    let (pictures, contents) = (pictures(60, 10), sound(80));
    let late = START + 5 * FRAME;
    let recorded = record(&pictures, &cut_sound(&contents, late, &[67 * 4]));
    let at = |picture: i64| START + picture * FRAME;
    let tracks = file(&recorded, &[at(13)..at(17), at(31)..at(40), at(42)..at(43)]);
    let [video, audio] = &tracks[..] else {
        panic!("two tracks: {}", tracks.len());
    };
    assert_eq!(video.samples[0].bytes, pictures[10].sample());
    assert_eq!(
        video.samples.len(),
        33,
        "from the keyframe before to the last"
    );
    let frames = |edits: &[i64]| -> Vec<u64> {
        edits
            .iter()
            .map(|&frames| (frames * FRAME) as u64)
            .collect()
    };
    let seen: Vec<u64> = video.edits.iter().map(|&(ticks, _)| ticks).collect();
    let begun: Vec<u64> = video.edits.iter().flat_map(|&(_, begin)| begin).collect();
    assert_eq!((seen, begun), (frames(&[4, 9, 1]), frames(&[3, 21, 32])));
    // Until a frame of sound begins, there is none.
    let [(silent, None), heard @ ..] = &audio.edits[..] else {
        panic!("nothing, then the sound: {:?}", audio.edits);
    };
    let mut heard: Vec<u64> = heard.iter().map(|&(ticks, _)| ticks).collect();
    heard[0] += silent;
    assert_eq!(heard, frames(&[4, 9, 1]));
    // Where the sound is missing, nothing takes its place: what comes later is heard when it is seen.
    let tracks = file(&recorded, &[at(2)..at(4), at(3)..at(8)]);
    let [(missing, None), (heard, Some(0))] = tracks[1].edits[..] else {
        panic!("nothing, then all there is: {:?}", tracks[1].edits);
    };
    assert_eq!((missing, heard), ((2 + 2) * 3000, 3 * 3000));
}

#[test]
fn what_is_shown_is_exact_to_the_picture() {
    let (pictures, contents) = (reordered(10), sound(90));
    let recorded = record(&pictures, &cut_sound(&contents, START + FRAME, &[67 * 4]));
    // The group from picture 12 on holds the begin; the end is in that from 24 on.
    let at = |picture: i64| START + FRAME + picture * FRAME;
    let tracks = file(&recorded, std::slice::from_ref(&(at(14)..at(26))));
    let [video, audio] = &tracks[..] else {
        panic!("two tracks: {}", tracks.len());
    };
    assert_eq!(video.samples[0].bytes, pictures[12].sample());
    assert_eq!(video.edits, [(12 * 3000, Some(2 * 3000))]);
    let shown = video
        .samples
        .iter()
        .filter(|sample| (2 * FRAME..14 * FRAME).contains(&sample.pts));
    assert_eq!(shown.count(), 12, "no picture of the twelve is missing");
    // Of the last group the B picture is there that is shown, and what it refers to; nothing more.
    assert_eq!(video.samples.len(), 15);
    // What is heard begins with a whole frame, the first that begins when the pictures have begun.
    let [(silent, None), (heard, Some(begin))] = audio.edits[..] else {
        panic!(
            "less than a frame of nothing, then the sound: {:?}",
            audio.edits
        );
    };
    assert_eq!(begin % 1024, 0);
    assert!((1..1920).contains(&silent), "{silent}");
    let duration = silent + heard;
    assert!(
        duration <= 12 * 3000 && duration > 12 * 3000 - 1920,
        "{duration}"
    );
    // In both, what is heard is what is seen: 14 pictures from the start are 22.4 frames and 0.4 of them.
    let first = contents
        .iter()
        .position(|content| *content == audio.samples[0].bytes);
    let sound = first.expect("it was sent") as i64 * 1024 + begin as i64;
    let seen = (14 * FRAME + silent as i64) * 48 / 90;
    assert!((sound - seen).abs() <= 1, "{sound} {seen}");
}

/// For a player that makes something else of edit lists.
#[test]
fn all_of_a_part_is_shown_when_it_is_uncut() {
    let sound = cut_sound(&sound(90), START + 4320, &[67]);
    let recorded = record(&pictures(60, 10), &sound);
    let at = |picture: i64| Ticks(START + picture * FRAME);
    // The sound begins behind the keyframe.
    for span in [at(1)..at(30), at(15)..at(30)] {
        let cut = Mp4::new(&recorded.clip, std::slice::from_ref(&span)).expect("an MP4");
        let uncut = Mp4::uncut(&recorded.clip, std::slice::from_ref(&span)).expect("an MP4");
        assert_ne!(cut.tag(), uncut.tag());
        let [cut, uncut] = [cut, uncut].map(|mp4| tracks(&read_all(&mp4, usize::MAX)));
        // How much later sound begins than pictures, in seconds.
        let lag = |tracks: &[Track]| {
            let starts = [0, 1].map(|at| {
                let (mut empty, scale) = (0.0, [90_000.0, 48_000.0][at]);
                for (duration, from) in &tracks[at].edits {
                    match from {
                        None => empty += *duration as f64 / 90_000.0,
                        Some(from) => return empty - *from as f64 / scale,
                    }
                }
                empty
            });
            starts[1] - starts[0]
        };
        assert!((lag(&cut) - lag(&uncut)).abs() < 0.000_1);
        for (cut, uncut) in cut.iter().zip(&uncut) {
            assert_eq!(bytes(&cut.samples), bytes(&uncut.samples));
            assert_eq!(uncut.edits.last().and_then(|edit| edit.1), Some(0));
        }
        assert_eq!(
            uncut[0].edits.len(),
            1,
            "pictures come first: {:?}",
            uncut[0].edits
        );
    }
}

#[test]
fn pictures_in_front_of_the_first_keyframe_stay_out() {
    // B pictures behind the second key are shown before it, and refer across it.
    let mut pictures = reordered(4);
    for group in 1..4 {
        let key = &mut pictures[group * 4];
        key.nals.insert(
            1,
            Nal {
                zeros: 3,
                bytes: vec![0x06, 6, 1, 0xc4, 0x80],
            },
        );
        let slice = key.nals.last_mut().expect("a slice");
        slice.bytes[0] = 0x41;
        key.pts += 2 * FRAME;
        pictures[group * 4 + 2].pts -= 2 * FRAME;
    }
    let recorded = record(&pictures, &[]);
    let key = pictures[8].pts;
    let tracks = file(&recorded, std::slice::from_ref(&(key..key + 4 * FRAME)));
    assert_eq!(tracks[0].samples[0].bytes, pictures[8].sample());
    assert!(tracks[0].samples.iter().all(|sample| sample.pts >= 0));
    assert!(
        tracks[0]
            .samples
            .iter()
            .all(|sample| sample.bytes != pictures[10].sample())
    );
}

#[test]
fn parameter_sets_that_change_stay_with_their_pictures() {
    let mut pictures = pictures(30, 10);
    let first = parameter_sets();
    // The same sequence with another picture parameter set under the same number.
    let mut changed = first[1].clone();
    *changed.last_mut().expect("not empty") ^= 0x40;
    pictures[20].nals[2].bytes = changed.clone();
    let tracks = file(&record(&pictures, &[]), &[]);
    let mp4_atom::Codec::Avc3(entry) = &tracks[0].codec else {
        panic!("avc3");
    };
    assert_eq!(entry.avcc.picture_parameter_sets, [first[1].clone()]);
    let expected: Vec<Vec<u8>> = pictures
        .iter()
        .map(Picture::sample_with_parameters)
        .collect();
    assert_eq!(bytes(&tracks[0].samples), expected);
}

#[test]
fn streams_that_a_file_cannot_carry_are_named() {
    let latm = [SoundUnit {
        pts: START,
        bytes: vec![0x56, 0xe0, 2, 0, 0],
    }];
    let recorded = record_runs(&[(&pictures(20, 10), &latm)], (0x11, &[]));
    let mp4 = Mp4::new(&recorded.clip, &[]).expect("the pictures are there");
    assert_eq!(
        mp4.left_out(),
        [LeftOut {
            codec: Codec::AacLatm
        }]
    );
    assert_eq!(tracks(&read_all(&mp4, usize::MAX)).len(), 1);
}

#[test]
fn a_span_must_hold_something() {
    let recorded = record(&pictures(20, 10), &[]);
    let end = recorded.clip.timeline().end;
    for span in [end..end + Ticks(9), Ticks(0)..Ticks(1), end..Ticks(0)] {
        let refused = Mp4::new(&recorded.clip, &[span]).err();
        assert!(matches!(refused, Some(Error::EmptySpan)), "{refused:?}");
    }
}

#[test]
fn tags_tell_files_apart_and_plans_belong_to_their_clip() {
    let (one, other) = (
        record(&pictures(20, 10), &[]),
        record(&pictures(20, 10), &[]),
    );
    let whole = Mp4::new(&one.clip, &[]).expect("an MP4");
    let again = Mp4::new(&one.clip, &[]).expect("an MP4");
    assert_eq!(whole.tag(), again.tag());
    assert_eq!(read_all(&whole, 1000), read_all(&again, usize::MAX));
    let part = Mp4::new(&one.clip, &[Ticks(START)..Ticks(START + 9000)]).expect("an MP4");
    assert_ne!(whole.tag(), part.tag());
    let kept = Mp4::of(&one.clip, whole.plan()).expect("its own plan");
    assert_eq!(read_all(&kept, usize::MAX), read_all(&whole, usize::MAX));
    assert!(Mp4::of(&other.clip, whole.plan()).is_none());
}

#[test]
fn memory_is_counted_as_long_as_the_plan_is_there() {
    let recorded = record(&pictures(60, 10), &cut_sound(&sound(60), START, &[67]));
    let before = recorded.recorder.memory().index_bytes;
    let mp4 = Mp4::new(&recorded.clip, &[]).expect("an MP4");
    let plan = std::sync::Arc::clone(mp4.plan());
    drop(mp4);
    let with = recorded.recorder.memory().index_bytes;
    // A row in the index and in the tables for each of 120 samples.
    assert!(with >= before + 120 * 24, "{before} and {with}");
    drop(plan);
    assert_eq!(recorded.recorder.memory().index_bytes, before);
}

#[test]
fn a_file_goes_with_its_clip() {
    let pictures: Vec<Picture> = (0..30)
        .map(|n| {
            let at = START + n * FRAME;
            Picture::new(at, at, n % 10 == 0, &[7; 100_000])
        })
        .collect();
    let recorded = record(&pictures, &[]);
    let mp4 = Mp4::new(&recorded.clip, &[]).expect("an MP4");
    assert!(mp4.read(mp4.len() - 1, 1, &mut Place::default()).is_ok());
    // Clips that were made later hold as much as clips may, while recording goes on.
    let channel = recorded.recorder.channel("main").expect("it was added");
    let now = Wall(1_700_000_100_000_000);
    let mut writer = channel.connect("more", now).expect("free");
    let more = read_ts(&recorded.clip);
    let mut later = Vec::new();
    for _ in 0..3 {
        for _ in 0..20 {
            writer.write(&more, now);
        }
        later.push(channel.clip(Selection::All, now));
    }
    assert!(
        mp4.read(mp4.len() - 1, 1, &mut Place::default()).is_err(),
        "it was used longest ago"
    );
    assert!(matches!(Mp4::new(&recorded.clip, &[]), Err(Error::Gone(_))));
}

fn read_ts(clip: &lookback_replay::Clip) -> Vec<u8> {
    let mut out = Vec::new();
    while (out.len() as u64) < clip.len() {
        out.extend_from_slice(&clip.read(out.len() as u64, usize::MAX).expect("there"));
    }
    out
}

/// Content that is no start code.
fn content() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(1u8..0xff, 1..700)
}

fn nal() -> impl Strategy<Value = Nal> {
    let headers = prop::sample::select(vec![0x41u8, 0x06, 0x0c, 0x01]);
    (headers, content(), 2usize..6).prop_map(|(header, content, zeros)| Nal {
        zeros,
        bytes: [&[header][..], &content].concat(),
    })
}

/// Pictures with other units behind the first slice, in groups of up to 8.
fn any_pictures() -> impl Strategy<Value = Vec<Picture>> {
    let picture = (content(), prop::collection::vec(nal(), 0..4), any::<bool>());
    prop::collection::vec(picture, 1..25).prop_map(|pictures| {
        let mut since_key = 0;
        let picture = |(n, (content, more, wants_key)): (usize, (Vec<u8>, Vec<Nal>, bool))| {
            let is_key = n == 0 || wants_key || since_key == 8;
            since_key = if is_key { 0 } else { since_key + 1 };
            let at = START + n as i64 * FRAME;
            let mut picture = Picture::new(at, at, is_key, &content);
            picture.nals.extend(more);
            picture
        };
        pictures.into_iter().enumerate().map(picture).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_stream_comes_back(
        pictures in any_pictures(),
        contents in prop::collection::vec(prop::collection::vec(1u8..0xf0, 8..90), 2..40),
        cuts in prop::collection::vec(8usize..400, 1..8),
        piece in 1usize..5000,
        jumps in prop::collection::vec(any::<prop::sample::Index>(), 1..8),
    ) {
        let recorded = record(&pictures, &cut_sound(&contents, START, &cuts));
        let mp4 = Mp4::new(&recorded.clip, &[]).unwrap();
        let whole = read_all(&mp4, usize::MAX);
        prop_assert_eq!(whole.len() as u64, mp4.len());
        prop_assert!(read_all(&mp4, piece) == whole, "any pieces make up the whole");
        let mut place = Place::default();
        prop_assert!(mp4.read(mp4.len(), 1, &mut place).unwrap().is_empty());
        for from in jumps {
            let from = from.index(whole.len());
            for from in [from, from + 1, from + piece] {
                let bytes = mp4.read(from as u64, piece, &mut place).unwrap();
                let part = &whole[from.min(whole.len())..whole.len().min(from + piece)];
                prop_assert!(part.starts_with(&bytes), "a place that was left misleads nobody");
                prop_assert!(bytes.is_empty() == part.is_empty());
            }
        }

        let tracks = tracks(&whole);
        let expected: Vec<Vec<u8>> = pictures.iter().map(Picture::sample).collect();
        prop_assert_eq!(bytes(&tracks[0].samples), expected);
        // Sound behind the last picture is not part of the clip.
        let heard = tracks.get(1).map_or(&[][..], |track| &track.samples);
        prop_assert!(heard.len() <= contents.len());
        prop_assert_eq!(bytes(heard), &contents[..heard.len()]);
    }

    #[test]
    fn any_span_shows_its_pictures(from in 0i64..40, len in 1i64..40) {
        let pictures = reordered(10);
        let recorded = record(&pictures, &[]);
        let at = |picture: i64| START + FRAME + picture * FRAME;
        let until = (from + len).min(40);
        let tracks = file(&recorded, std::slice::from_ref(&(at(from)..at(until))));
        let [(duration, Some(begin))] = tracks[0].edits[..] else {
            panic!("one edit");
        };
        prop_assert_eq!(duration as i64, (until - from) * FRAME);
        let shown = begin as i64..(begin + duration) as i64;
        let mut seen: Vec<&Sample> =
            tracks[0].samples.iter().filter(|sample| shown.contains(&sample.pts)).collect();
        seen.sort_by_key(|sample| sample.pts);
        let mut expected: Vec<&Picture> =
            pictures.iter().filter(|picture| (at(from)..at(until)).contains(&picture.pts)).collect();
        expected.sort_by_key(|picture| picture.pts);
        let expected: Vec<Vec<u8>> = expected.into_iter().map(Picture::sample).collect();
        let seen: Vec<Vec<u8>> = seen.into_iter().map(|sample| sample.bytes.clone()).collect();
        prop_assert_eq!(seen, expected);
        prop_assert!(tracks[0].samples[0].is_key && begin < 4 * 3000);
    }
}
