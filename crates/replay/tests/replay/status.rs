//! What a channel says of itself, and how its time lies on the clock.

use std::time::Duration;

use lookback_codec::Codec;
use lookback_mpegts::Ticks;
use lookback_replay::{RecordingState, SILENCE, Selection, Wall};
use proptest::prelude::*;

use crate::support::rig::{BEGINNING, MIB, ticks};
use crate::support::{FRAME, Gaps, Options, Rig, Synthetic, cases, seconds};

#[test]
fn a_channel_waits_records_falls_silent_and_waits_again() {
    let mut rig = Rig::new(16 * MIB);
    let state = |rig: &Rig, now: Wall| rig.channel.status(now).state;
    assert_eq!(state(&rig, rig.now), RecordingState::Waiting);
    assert_eq!(rig.channel.status(rig.now).source, None);
    let mut writer = rig.connect();
    assert_eq!(state(&rig, rig.now), RecordingState::Recording);
    assert_eq!(state(&rig, rig.now + SILENCE), RecordingState::Silent);
    rig.record(&mut writer, &mut Synthetic::new(Options::default()), 25);
    let status = rig.channel.status(rig.now);
    assert_eq!(
        (status.name.as_str(), status.source.as_deref()),
        ("main", Some("test"))
    );
    assert_eq!(status.state, RecordingState::Recording);
    assert_eq!(
        state(&rig, rig.now + SILENCE - seconds(0.1)),
        RecordingState::Recording
    );
    assert_eq!(state(&rig, rig.now + SILENCE), RecordingState::Silent);
    rig.channel.set_paused(true);
    assert_eq!(state(&rig, rig.now), RecordingState::Paused);
    rig.channel.set_paused(false);
    drop(writer);
    assert_eq!(state(&rig, rig.now), RecordingState::Waiting);
    assert_eq!(rig.channel.status(rig.now).source, None);
}

#[test]
fn the_numbers_are_those_of_the_stream() {
    let mut rig = Rig::new(16 * MIB);
    let mut stream = Synthetic::new(Options {
        sound_tracks: 2,
        bounded: true,
        ..Options::default()
    });
    let bytes = stream.bytes(100);
    let mut writer = rig.connect();
    writer.write(&bytes, rig.now);
    writer.write(&[0; 1000], rig.now);
    drop(writer);
    let status = rig.channel.status(rig.now);
    assert_eq!(status.received_bytes, bytes.len() as u64 + 1000);
    assert_eq!(status.discarded_bytes, 1000);
    assert_eq!(status.runs, 1);
    let window = status.window.expect("something is recorded");
    assert!(window.bytes > bytes.len() as u64 - 1000 && window.bytes <= bytes.len() as u64 + 1000);
    let video = status.video.expect("there is video");
    assert_eq!(
        (video.codec, video.width, video.height),
        (Codec::H264, 320, 180)
    );
    assert_eq!(video.frame_rate, Some((25, 1)));
    assert_eq!(status.audio.len(), 2);
    assert_eq!(
        (status.audio[0].channels, status.audio[0].sample_rate),
        (2, 48_000)
    );
    rig.run(
        Options {
            width: 640,
            sound_tracks: 0,
            ..Options::default()
        },
        30,
    );
    let status = rig.channel.status(rig.now);
    assert_eq!((status.runs, status.audio.len()), (2, 0));
    assert_eq!(status.video.map(|video| video.width), Some(640));
}

#[test]
fn keyframes_that_are_far_apart_are_seen() {
    let mut rig = Rig::new(16 * MIB);
    assert_eq!(rig.channel.keyframe_interval(), None);
    let mut writer = rig.connect();
    let stream = |gop| Options {
        gop,
        b_pictures: 0,
        ..Options::default()
    };
    rig.record(&mut writer, &mut Synthetic::new(stream(10)), 100);
    let frames = |count: f64| seconds(count * FRAME.as_secs_f64());
    let interval = |rig: &Rig| rig.channel.keyframe_interval().expect("keyframes");
    assert_eq!(interval(&rig), frames(10.0));
    drop(writer);
    let one_key = Options {
        one_key: true,
        ..stream(10)
    };
    rig.run(one_key, 75);
    let overdue = interval(&rig);
    assert!(
        overdue > frames(70.0) && overdue <= frames(75.0),
        "{overdue:?}"
    );
}

#[test]
fn problems_are_counted_and_explained() {
    let rig = Rig::new(16 * MIB);
    let mut stream = Synthetic::new(Options::default());
    let mut bytes = stream.bytes(50);
    // A stretch that is lost, and one that is encrypted.
    let is_video = |packet: &[u8]| packet[1..3] == [1, 0];
    let video: Vec<usize> = (0..bytes.len())
        .step_by(188)
        .filter(|&at| is_video(&bytes[at..]))
        .collect();
    bytes[video[100] + 3] |= 0x80;
    bytes.drain(video[50]..video[50] + 188);
    rig.connect().write(&bytes, rig.now);
    for code in ["lost_packets", "scrambled"] {
        assert_eq!(rig.problem(code), 1, "{code}");
    }
    rig.channel
        .report("source_refused", "first words".to_owned());
    rig.channel
        .report("source_refused", "last words".to_owned());
    let problems = rig.channel.status(rig.now).problems;
    assert!(problems.iter().all(|problem| !problem.hint.is_empty()));
    let refused = problems
        .iter()
        .find(|problem| problem.code == "source_refused");
    assert!(refused.is_some_and(|problem| problem.count == 2 && problem.hint == "last words"));
}

#[test]
fn encrypted_pictures_are_not_played() {
    let mut rig = Rig::new(16 * MIB);
    let mut stream = Synthetic::new(Options::default());
    let mut bytes = stream.bytes(50);
    rig.sent = std::mem::take(&mut stream.sent);
    let is_video = |packet: &[u8]| packet[1..3] == [1, 0];
    let video: Vec<usize> = (0..bytes.len())
        .step_by(188)
        .filter(|&at| is_video(&bytes[at..]))
        .collect();
    bytes[video[100] + 3] |= 0x80;
    rig.connect().write(&bytes, rig.now);
    rig.check(Selection::All, Gaps::Allowed);
}

#[test]
fn what_came_instead_of_a_stream_is_said_until_one_comes() {
    let mut rig = Rig::new(16 * MIB);
    for (head, word) in [
        (&[0x1a, 0x45, 0xdf, 0xa3, 1, 2, 3, 4][..], "Matroska"),
        (b"FLV\x01\x05\0\0\0\x09", "FLV"),
        (b"GET / HTTP/1.1\r\n\r\n", "HTTP"),
    ] {
        // Short or long, in one piece or byte by byte.
        for (len, piece) in [
            (head.len(), 1),
            (head.len(), 100),
            (5000, 1),
            (5000, 10_000),
        ] {
            let mut writer = rig.connect();
            let bytes: Vec<u8> = head
                .iter()
                .copied()
                .chain(std::iter::repeat(0x11))
                .take(len)
                .collect();
            bytes
                .chunks(piece)
                .for_each(|piece| writer.write(piece, rig.now));
            drop(writer);
            let problems = rig.channel.status(rig.now).problems;
            let wrong = problems.iter().find(|problem| problem.code == "not_mpegts");
            assert!(
                wrong.is_some_and(|problem| problem.hint.contains(word)),
                "{problems:?}"
            );
        }
    }
    assert_eq!(rig.problem("not_mpegts"), 12);
    rig.run(Options::default(), 30);
    assert_eq!(rig.problem("not_mpegts"), 12);
    rig.check(Selection::All, Gaps::None);
}

#[test]
fn a_file_that_is_read_at_once_lies_in_the_time_before_it_was_read() {
    let mut rig = Rig::new(32 * MIB);
    let mut ends = Vec::new();
    for id in 0..3 {
        let mut stream = Synthetic::new(Options {
            id,
            ..Options::default()
        });
        rig.connect().write(&stream.bytes(250), rig.now);
        rig.sent.extend(&stream.sent);
        let window = rig
            .channel
            .status(rig.now)
            .window
            .expect("something is recorded");
        ends.push(window.end);
        assert!(window.end <= rig.now + seconds(0.1), "{:?}", window.end);
        let whole = seconds(10.0) * u32::from(id + 1);
        assert!(
            window.end.since(window.start).abs_diff(whole) < seconds(0.3),
            "{window:?}"
        );
    }
    let (clip, checked) = rig.check(Selection::Last(seconds(15.0)), Gaps::Allowed);
    assert_eq!(clip.runs(), 2);
    assert!(checked.pictures().len() > 370);
}

proptest! {
    #![proptest_config(cases(48))]

    /// A live source, its pictures late by up to 400 ms each in another way.
    #[test]
    fn a_clip_of_a_live_source_covers_the_moment_asked_for(
        late_ms in prop::collection::vec(0_u64..400, 60..200),
        gop in 1_usize..12,
        asked in prop::collection::vec(0.0..1.0, 1..20),
    ) {
        let mut rig = Rig::new(16 * MIB);
        let mut writer = rig.connect();
        let mut stream = Synthetic::new(Options { gop, ..Options::default() });
        let mut now = BEGINNING;
        for (n, late) in late_ms.iter().enumerate() {
            let due = BEGINNING + ticks(Ticks(n as i64 * FRAME.0));
            now = now.max(due + Duration::from_millis(*late));
            writer.write(&stream.part().bytes, now);
        }
        rig.now = now;
        rig.sent = std::mem::take(&mut stream.sent);
        let window = rig.channel.status(now).window.expect("something is recorded");
        // The newest picture ends one picture after it came.
        prop_assert!(window.end <= now + ticks(FRAME) && now.since(window.end) < seconds(0.5));
        prop_assert!(window.start >= BEGINNING);
        let group = ticks(Ticks(gop as i64 * FRAME.0));
        for place in asked {
            let from = window.start + window.duration.mul_f64(place);
            let clip = rig.clip(Selection::Span { from: Some(from), to: None });
            prop_assert!(clip.start() <= from && from.since(clip.start()) <= group);
            let last = now.since(from);
            let clip = rig.clip(Selection::Last(last));
            prop_assert!(clip.start() <= from && from.since(clip.start()) <= group);
        }
    }
}
