//! Channels whose stream is interrupted, jumps or changes: what is joined, and what is left out.

use std::sync::Arc;
use std::time::Duration;

use lookback_mpegts::{PTS_WRAP, Ticks};
use lookback_replay::{Clip, RecordingState, Selection};

use crate::selections::shapes;
use crate::support::rig::{MIB, ticks};
use crate::support::{FRAME, Gaps, Options, Rig, Synthetic, VIDEO_PID, check, read_all, seconds};

#[test]
fn runs_of_one_format_are_joined_without_a_seam() {
    for (name, options) in shapes() {
        println!("{name}");
        let mut rig = Rig::new(32 * MIB);
        for id in 0..3 {
            rig.run(
                Options {
                    id,
                    picture_len: options.picture_len.min(3000),
                    ..options.clone()
                },
                70,
            );
            rig.now = rig.now + seconds(3.0);
        }
        let (clip, checked) = rig.check(Selection::All, Gaps::None);
        assert_eq!((clip.runs(), clip.runs_left_out()), (3, 0));
        assert_seamless(
            &clip,
            &checked
                .found
                .iter()
                .filter(|unit| unit.pid == VIDEO_PID)
                .map(|unit| unit.pts)
                .collect::<Vec<_>>(),
        );
        for id in 0..3 {
            let pictures = checked
                .sent
                .iter()
                .filter(|unit| unit.id == id && unit.pid == VIDEO_PID)
                .count();
            assert!(pictures >= 64, "{pictures} of 70 pictures of run {id}");
        }
    }
}

/// Picture follows picture, over the joins too.
#[track_caller]
fn assert_seamless(clip: &Clip, pts: &[u64]) {
    let mut shown = pts.to_vec();
    shown.sort_unstable();
    for pair in shown.windows(2) {
        let step = pair[1] - pair[0];
        assert!(
            (FRAME.0 as u64..=3 * FRAME.0 as u64).contains(&step),
            "a step of {step} ticks"
        );
    }
    let span = Ticks((shown[shown.len() - 1] - shown[0]) as i64 + FRAME.0);
    assert!(
        clip.duration() <= ticks(span)
            && clip.duration() + ticks(Ticks(4 * FRAME.0)) >= ticks(span)
    );
}

#[test]
fn of_runs_that_differ_the_newest_are_given() {
    let mut rig = Rig::new(32 * MIB);
    for (id, width) in [(0, 320), (1, 640), (2, 320), (3, 320)] {
        rig.run(
            Options {
                id,
                width,
                bounded: true,
                ..Options::default()
            },
            50,
        );
    }
    let (clip, checked) = rig.check(Selection::All, Gaps::None);
    assert_eq!((clip.runs(), clip.runs_left_out()), (2, 2));
    assert!(checked.sent.iter().all(|unit| unit.id >= 2));
    assert_eq!(checked.pictures().len(), 100);
    assert_eq!(rig.channel.status(rig.now).runs, 4);
}

#[test]
fn a_span_within_an_older_run_gives_that_run() {
    let mut rig = Rig::new(32 * MIB);
    let mut middle = Vec::new();
    for (id, width) in [(0, 320), (1, 640), (2, 320)] {
        middle.push(rig.now + seconds(2.0));
        rig.run(
            Options {
                id,
                width,
                ..Options::default()
            },
            100,
        );
        rig.now = rig.now + seconds(5.0);
    }
    for (id, at) in middle.into_iter().enumerate() {
        let span = Selection::Span {
            from: Some(at),
            to: Some(at + seconds(1.0)),
        };
        let (clip, checked) = rig.check(span, Gaps::None);
        assert_eq!((clip.runs(), clip.runs_left_out()), (1, 0));
        assert!(checked.sent.iter().all(|unit| usize::from(unit.id) == id));
    }
}

#[test]
fn time_may_jump_within_a_connection() {
    for (what, start) in [
        ("forward", Ticks(500 * 90_000)),
        ("back", Ticks(0)),
        ("a little back", Ticks(90_000 + 30 * FRAME.0)),
        ("far", Ticks(70_000 * 90_000)),
    ] {
        println!("{what}");
        let mut rig = Rig::new(32 * MIB);
        let mut writer = rig.connect();
        let mut stream = Synthetic::new(Options {
            sound_delay: Ticks(5000),
            ..Options::default()
        });
        rig.record(&mut writer, &mut stream, 95);
        stream.change(Options {
            id: 1,
            start,
            ..stream.options().clone()
        });
        rig.record(&mut writer, &mut stream, 95);
        drop(writer);
        let (clip, checked) = rig.check(Selection::All, Gaps::Allowed);
        assert_eq!((clip.runs(), clip.runs_left_out()), (2, 0));
        assert_eq!(checked.pictures().len(), 190);
        assert!(
            checked.numbers(0x101).len() > 350,
            "{}",
            checked.numbers(0x101).len()
        );
    }
}

#[test]
fn a_looped_file_plays_on() {
    let mut rig = Rig::new(32 * MIB);
    let mut writer = rig.connect();
    for id in 0..5 {
        // Each round begins with the counters of the first.
        rig.record(
            &mut writer,
            &mut Synthetic::new(Options {
                id,
                ..Options::default()
            }),
            60,
        );
    }
    drop(writer);
    let (clip, checked) = rig.check(Selection::All, Gaps::Allowed);
    assert_eq!((clip.runs(), clip.runs_left_out()), (5, 0));
    assert!(
        checked.pictures().len() >= 300 - 5,
        "{}",
        checked.pictures().len()
    );
}

#[test]
fn other_streams_begin_a_run_that_is_not_joined() {
    let mut rig = Rig::new(32 * MIB);
    let mut writer = rig.connect();
    let mut stream = Synthetic::new(Options::default());
    rig.record(&mut writer, &mut stream, 50);
    stream.change(Options {
        id: 1,
        sound_tracks: 2,
        start: Ticks(90_000 + 50 * FRAME.0),
        ..Options::default()
    });
    rig.record(&mut writer, &mut stream, 50);
    let (clip, checked) = rig.check(Selection::All, Gaps::None);
    assert_eq!((clip.runs(), clip.runs_left_out()), (1, 1));
    assert!(checked.sent.iter().all(|unit| unit.id == 1));
    assert_eq!(checked.pictures()[0], 50);
    assert_eq!(clip.program().codecs().len(), 3);
}

#[test]
fn another_format_of_picture_or_sound_begins_a_run_that_is_not_joined() {
    for changed in [
        Options {
            width: 640,
            ..Options::default()
        },
        Options {
            sound_rate: 4,
            ..Options::default()
        },
    ] {
        let mut rig = Rig::new(32 * MIB);
        let mut writer = rig.connect();
        let mut stream = Synthetic::new(Options::default());
        rig.record(&mut writer, &mut stream, 50);
        stream.change(Options {
            id: 1,
            start: Ticks(90_000 + 50 * FRAME.0),
            ..changed
        });
        rig.record(&mut writer, &mut stream, 50);
        let (clip, checked) = rig.check(Selection::All, Gaps::Allowed);
        assert_eq!((clip.runs(), clip.runs_left_out()), (1, 1));
        assert!(checked.sent.iter().all(|unit| unit.id == 1));
        assert!(checked.pictures().len() >= 39);
    }
}

#[test]
fn a_clip_over_the_wrap_of_the_timestamps_has_none() {
    for sound_delay in [-20_000, 0, 20_000] {
        let mut rig = Rig::new(32 * MIB);
        let start = Ticks(PTS_WRAP as i64 - 50 * FRAME.0);
        rig.run(
            Options {
                start,
                sound_delay: Ticks(sound_delay),
                ..Options::default()
            },
            100,
        );
        let (clip, checked) = rig.check(Selection::All, Gaps::None);
        assert_eq!((clip.runs(), checked.pictures().len()), (1, 100));
        assert_eq!(clip.duration(), seconds(4.0));
    }
}

#[test]
fn a_day_and_more_passes_through_in_flat_memory() {
    let mut rig = Rig::new(3 * MIB);
    let mut writer = rig.connect();
    let frame = Ticks(90_000);
    let mut stream = Synthetic::new(Options {
        frame,
        sound_tracks: 0,
        gop: 5,
        picture_len: 400,
        ..Options::default()
    });
    let mut reached = Duration::ZERO;
    for hour in 0..30 {
        rig.sent = Default::default();
        rig.record(&mut writer, &mut stream, 3600);
        let memory = rig.recorder.memory();
        assert!(
            memory.used_bytes <= memory.limit_bytes,
            "in hour {hour}: {memory:?}"
        );
        let window = rig
            .channel
            .status(rig.now)
            .window
            .expect("something is recorded");
        if hour > 12 {
            assert!(
                window.duration.abs_diff(reached) < seconds(1500.0),
                "in hour {hour}: {window:?}"
            );
        }
        reached = window.duration;
        let (clip, checked) = rig.check(Selection::Last(seconds(600.0)), Gaps::None);
        assert_eq!(clip.runs(), 1);
        assert!(
            (600..=606).contains(&checked.pictures().len()),
            "{}",
            checked.pictures().len()
        );
    }
    assert_eq!(rig.channel.status(rig.now).runs, 1);
}

#[test]
fn a_second_source_is_refused_and_the_first_left_alone() {
    let mut rig = Rig::new(16 * MIB);
    let mut writer = rig.connect();
    let mut stream = Synthetic::new(Options {
        bounded: true,
        ..Options::default()
    });
    rig.record(&mut writer, &mut stream, 40);
    let busy = rig
        .channel
        .connect("another", rig.now)
        .map(drop)
        .expect_err("a source is connected");
    assert_eq!(
        (busy.channel.as_str(), busy.source_name.as_str()),
        ("main", "test")
    );
    rig.record(&mut writer, &mut stream, 40);
    let (clip, checked) = rig.check(Selection::All, Gaps::None);
    assert_eq!((clip.runs(), checked.pictures().len()), (1, 80));
    drop(writer);
    drop(
        rig.channel
            .connect("another", rig.now)
            .expect("the first has left"),
    );
}

#[test]
fn during_a_pause_bytes_are_read_and_dropped() {
    let mut rig = Rig::new(16 * MIB);
    let mut writer = rig.connect();
    let mut stream = Synthetic::new(Options {
        bounded: true,
        ..Options::default()
    });
    rig.record(&mut writer, &mut stream, 55);
    let before = rig.channel.status(rig.now);
    rig.channel.set_paused(true);
    let parts = stream.parts(50);
    rig.feed(&mut writer, &parts);
    stream.sent = Default::default();
    let paused = rig.channel.status(rig.now);
    let dropped: usize = parts.iter().map(|part| part.bytes.len()).sum();
    assert_eq!(paused.state, RecordingState::Paused);
    assert_eq!(
        paused.received_bytes,
        before.received_bytes + dropped as u64
    );
    assert_eq!(
        paused.discarded_bytes,
        before.discarded_bytes + dropped as u64
    );
    rig.channel.set_paused(false);
    rig.record(&mut writer, &mut stream, 55);
    assert_eq!(rig.channel.status(rig.now).state, RecordingState::Recording);
    drop(writer);
    let (clip, checked) = rig.check(Selection::All, Gaps::Allowed);
    assert_eq!(clip.runs(), 2);
    assert_eq!(
        checked.pictures(),
        (0..55).chain(110..160).collect::<Vec<_>>()
    );
}

#[test]
fn a_pause_may_begin_and_end_within_a_packet() {
    let mut rig = Rig::new(16 * MIB);
    let mut writer = rig.connect();
    let mut stream = Synthetic::new(Options {
        gop: 5,
        ..Options::default()
    });
    let bytes = stream.bytes(400);
    rig.sent = std::mem::take(&mut stream.sent);
    for (at, piece) in bytes.chunks(1001).enumerate() {
        rig.channel.set_paused(at % 90 > 60);
        writer.write(piece, rig.now);
    }
    drop(writer);
    let status = rig.channel.status(rig.now);
    assert_eq!(status.received_bytes, bytes.len() as u64);
    let (clip, checked) = rig.check(Selection::All, Gaps::Allowed);
    assert!(clip.runs() > 5 && checked.pictures().len() > 150);
}

#[test]
fn clearing_drops_the_window_but_no_clip() {
    let mut rig = Rig::new(16 * MIB);
    let mut writer = rig.connect();
    let mut stream = Synthetic::new(Options {
        parameters_once: true,
        ..Options::default()
    });
    rig.record(&mut writer, &mut stream, 495);
    let clip = rig.clip(Selection::All);
    let bytes = read_all(&clip);
    rig.channel.clear();
    assert!(rig.channel.status(rig.now).window.is_none());
    assert!(rig.try_clip(Selection::All).is_err());
    rig.record(&mut writer, &mut stream, 100);
    assert!(read_all(&clip) == bytes);
    let (_, checked) = rig.check(Selection::All, Gaps::None);
    assert_eq!(checked.pictures()[0], 500);
    drop(clip);
    assert_eq!(rig.recorder.memory().held_bytes, 0);
}

#[test]
fn sound_that_goes_on_behind_the_last_picture_does_not_reach_into_the_next_run() {
    let mut rig = Rig::new(16 * MIB);
    for id in 0..3 {
        let mut writer = rig.connect();
        let mut stream = Synthetic::new(Options {
            id,
            bounded: true,
            ..Options::default()
        });
        rig.record(&mut writer, &mut stream, 50);
        // The same stream goes on, but only its sound arrives.
        let sound: Vec<u8> = stream
            .bytes(50)
            .chunks(188)
            .filter(|packet| packet[1] & 0x1f == 1 && packet[2] == 1)
            .flatten()
            .copied()
            .collect();
        rig.sent.extend(&stream.sent);
        writer.write(&sound, rig.now + seconds(2.0));
        rig.now = rig.now + seconds(3.0);
    }
    let clip = rig.clip(Selection::All);
    let checked = check(&read_all(&clip), &rig.sent, Gaps::Allowed);
    assert_eq!((clip.runs(), checked.pictures().len()), (3, 150));
    assert!(
        checked.numbers(0x101).len() < 3 * 96,
        "{}",
        checked.numbers(0x101).len()
    );
    assert!(Arc::strong_count(&clip) == 1);
}
