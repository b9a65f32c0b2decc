//! Memory: what goes first when it runs short, and that it never runs over.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use lookback_mpegts::Ticks;
use lookback_replay::{Clip, Gone, Limits, Recorder, Selection};
use proptest::prelude::*;

use crate::support::rig::{BEGINNING, MIB, ticks};
use crate::support::{FRAME, Gaps, Options, Rig, Sent, Synthetic, cases, read_all, seconds};

#[track_caller]
fn assert_within_limit(recorder: &Recorder) {
    let memory = recorder.memory();
    assert!(memory.used_bytes <= memory.limit_bytes, "{memory:?}");
    assert!(
        memory.held_bytes + memory.index_bytes <= memory.used_bytes,
        "{memory:?}"
    );
}

#[test]
fn the_oldest_groups_of_pictures_go_as_a_whole() {
    let mut rig = Rig::new(3 * MIB);
    let mut writer = rig.connect();
    let mut stream = Synthetic::new(Options {
        gop: 7,
        ..Options::default()
    });
    let mut first = 0;
    for _ in 0..60 {
        rig.record(&mut writer, &mut stream, 50);
        assert_within_limit(&rig.recorder);
        let (clip, checked) = rig.check(Selection::All, Gaps::None);
        let now_first = checked.pictures()[0];
        assert!(now_first.is_multiple_of(7) && now_first >= first);
        assert!(clip.len() < 3 * MIB as u64);
        first = now_first;
    }
    let window = rig
        .channel
        .status(rig.now)
        .window
        .expect("something is recorded");
    assert!(
        window.bytes > 2 * MIB as u64 && window.bytes < 3 * MIB as u64,
        "{window:?}"
    );
    assert!(first > 1500, "{first}");
}

#[test]
fn no_window_is_longer_than_what_is_to_be_kept() {
    let keep = seconds(10.0);
    let mut rig = Rig::with(Limits {
        memory: 32 * MIB,
        keep: Some(keep),
    });
    let mut writer = rig.connect();
    // Slabs hold about three seconds of this, groups half a second.
    let mut stream = Synthetic::new(Options {
        gop: 12,
        picture_len: 6000,
        ..Options::default()
    });
    rig.record(&mut writer, &mut stream, 250);
    for _ in 0..50 {
        rig.record(&mut writer, &mut stream, 10);
        let window = rig
            .channel
            .status(rig.now)
            .window
            .expect("something is recorded");
        let back = rig.now.since(window.start);
        assert!(
            back >= keep - seconds(0.1) && back <= keep + seconds(0.6),
            "{back:?}"
        );
    }
    rig.check(Selection::All, Gaps::None);
    assert!(rig.recorder.memory().used_bytes < 2 * MIB);
}

#[test]
fn a_group_longer_than_the_memory_is_reported_and_recording_goes_on() {
    let mut rig = Rig::new(2 * MIB);
    let mut writer = rig.connect();
    let mut stream = Synthetic::new(Options {
        one_key: true,
        ..Options::default()
    });
    rig.record(&mut writer, &mut stream, 3000);
    assert_within_limit(&rig.recorder);
    assert!(rig.channel.status(rig.now).window.is_none() && rig.try_clip(Selection::All).is_err());
    assert_eq!(rig.problem("gop_exceeds_memory"), 1);
    let start = stream.options().start + Ticks(3000 * 3600);
    stream.change(Options {
        id: 1,
        start,
        ..Options::default()
    });
    rig.record(&mut writer, &mut stream, 100);
    let (_, checked) = rig.check(Selection::All, Gaps::None);
    assert_eq!(checked.pictures()[0], 3000);
}

#[test]
fn what_cannot_be_played_takes_no_more_memory_than_the_limit() {
    let nothing = Options {
        sound_tracks: 0,
        ..Options::default()
    };
    for options in [
        Options {
            gop: 0,
            ..Options::default()
        },
        Options {
            gop: 0,
            b_pictures: 2,
            ..nothing
        },
        Options {
            video: false,
            ..Options::default()
        },
        Options {
            video: false,
            sound_tracks: 20,
            ..Options::default()
        },
    ] {
        let mut rig = Rig::new(MIB);
        let mut writer = rig.connect();
        let mut stream = Synthetic::new(options);
        for _ in 0..40 {
            rig.record(&mut writer, &mut stream, 100);
            assert_within_limit(&rig.recorder);
        }
        assert!(rig.channel.status(rig.now).received_bytes > 2 * MIB as u64);
    }
    // No transport stream at all, in small pieces and in large ones.
    for piece in [1, 700, 100_000] {
        let rig = Rig::new(MIB);
        let mut writer = rig.connect();
        for _ in 0..(4 * MIB / piece).min(50_000) {
            writer.write(&vec![0xaa; piece], BEGINNING);
            assert_within_limit(&rig.recorder);
        }
    }
}

#[test]
fn a_stream_of_jumps_takes_no_more_memory_than_the_limit() {
    let mut rig = Rig::new(2 * MIB);
    let mut writer = rig.connect();
    let base = Options {
        sound_tracks: 0,
        gop: 1,
        picture_len: 30,
        ..Options::default()
    };
    let mut stream = Synthetic::new(base.clone());
    for n in 0..20_000_i64 {
        stream.change(Options {
            start: Ticks(n % 2 * 5_000_000 + n),
            ..base.clone()
        });
        rig.record(&mut writer, &mut stream, 2);
        rig.sent = Default::default();
        if n % 100 == 0 {
            assert_within_limit(&rig.recorder);
        }
    }
    assert!(
        rig.channel.status(rig.now).runs < 2000,
        "{}",
        rig.channel.status(rig.now).runs
    );
}

#[test]
fn a_clip_keeps_its_bytes_while_the_log_moves_on() {
    let mut rig = Rig::new(4 * MIB);
    let mut writer = rig.connect();
    let mut stream = Synthetic::new(Options {
        sound_delay: Ticks(9000),
        ..Options::default()
    });
    rig.record(&mut writer, &mut stream, 200);
    let clip = rig.clip(Selection::Last(seconds(3.0)));
    let (id, len, bytes) = (clip.id().to_owned(), clip.len(), read_all(&clip));
    let times = (clip.start(), clip.end(), clip.duration());
    for _ in 0..100 {
        rig.record(&mut writer, &mut stream, 100);
        assert_within_limit(&rig.recorder);
        assert!(read_all(&clip) == bytes);
        assert_eq!((clip.id(), clip.len()), (&*id, len));
        assert_eq!((clip.start(), clip.end(), clip.duration()), times);
    }
    let memory = rig.recorder.memory();
    assert!(
        (len as usize..4 * MIB).contains(&memory.held_bytes),
        "{memory:?}"
    );
    drop(clip);
    assert_eq!(rig.recorder.memory().held_bytes, 0);
}

/// Records until the window is full, and then takes clips of all of it.
fn full(memory: usize) -> (Rig, lookback_replay::Writer, Synthetic) {
    let mut rig = Rig::new(memory);
    let mut writer = rig.connect();
    let mut stream = Synthetic::new(Options {
        gop: 5,
        picture_len: 8000,
        ..Options::default()
    });
    rig.record(&mut writer, &mut stream, memory / 3000);
    (rig, writer, stream)
}

#[test]
fn clips_push_the_window_back_to_a_quarter_and_then_the_one_used_longest_ago_goes() {
    let (mut rig, mut writer, mut stream) = full(8 * MIB);
    let clips: [Arc<Clip>; 3] = std::array::from_fn(|_| rig.clip(Selection::All));
    rig.recorder.keep_clip(&clips[2], rig.now);
    let bytes = read_all(&clips[0]);
    // The first was made first, but read since.
    assert!(clips[0].read(0, 1).is_ok());
    let mut smallest = u64::MAX;
    let mut gone_after = [None; 3];
    for round in 0..400 {
        rig.record(&mut writer, &mut stream, 10);
        assert_within_limit(&rig.recorder);
        let window = rig
            .channel
            .status(rig.now)
            .window
            .expect("something is recorded");
        smallest = smallest.min(window.bytes);
        // To ask for the bytes of a clip is to use it: only the first one is asked.
        if gone_after[0].is_none() && clips[0].read(0, 1) == Err(Gone) {
            gone_after[0] = Some(round);
        }
    }
    assert!(
        smallest >= 3 * MIB as u64 / 2,
        "the window was pushed back to {smallest} bytes"
    );
    assert!(
        smallest <= 3 * MIB as u64,
        "the window was never pushed back further than {smallest} bytes"
    );
    // All of them hold the same, so all have to go.
    assert!(gone_after[0].is_some());
    assert!(clips.iter().all(|clip| clip.read(0, 1) == Err(Gone)));
    assert!(rig.recorder.clip(clips[2].id(), rig.now).is_none());
    assert_eq!(rig.problem("clip_dropped"), 3);
    assert!(!bytes.is_empty());
    rig.check(Selection::All, Gaps::None);
}

#[test]
fn of_two_clips_the_one_that_is_read_stays() {
    let (mut rig, mut writer, mut stream) = full(8 * MIB);
    let window = rig
        .channel
        .status(rig.now)
        .window
        .expect("something is recorded");
    let half = window.start + window.duration / 2;
    let [old, new] = [(None, Some(half)), (Some(half), None)]
        .map(|(from, to)| rig.clip(Selection::Span { from, to }));
    let bytes = read_all(&old);
    for _ in 0..400 {
        rig.record(&mut writer, &mut stream, 10);
        assert!(old.read(0, 1).is_ok(), "the clip that is in use was let go");
        if rig.problem("clip_dropped") > 0 {
            break;
        }
    }
    assert_eq!(new.read(0, 1), Err(Gone));
    assert!(new.units().next().is_err());
    assert!(read_all(&old) == bytes);
}

#[test]
fn recording_goes_on_when_readers_hold_all_memory() {
    let (mut rig, mut writer, mut stream) = full(4 * MIB);
    let clip = rig.clip(Selection::All);
    let mut held: Vec<Bytes> = Vec::new();
    let mut at = 0;
    while at < clip.len() {
        held.push(clip.read(at, usize::MAX).expect("the clip is there"));
        at += held[held.len() - 1].len() as u64;
    }
    let bytes = held.concat();
    let mut received = rig.channel.status(rig.now).received_bytes;
    for _ in 0..100 {
        rig.record(&mut writer, &mut stream, 20);
        let status = rig.channel.status(rig.now);
        assert!(status.received_bytes > received);
        received = status.received_bytes;
        let memory = rig.recorder.memory();
        assert!(memory.used_bytes < memory.limit_bytes + MIB, "{memory:?}");
    }
    assert!(held.concat() == bytes);
    drop((clip, held));
    rig.record(&mut writer, &mut stream, 200);
    assert_within_limit(&rig.recorder);
    rig.check(Selection::All, Gaps::None);
}

#[test]
fn a_kept_clip_is_found_until_it_has_not_been_used_for_a_while() {
    let (rig, _writer, _) = full(4 * MIB);
    let clip = rig.clip(Selection::All);
    let id = clip.id().to_owned();
    assert!(rig.recorder.clip(&id, rig.now).is_none());
    rig.recorder.keep_clip(&clip, rig.now);
    let unused = seconds(60.0);
    let at = |seconds_on: f64| rig.now + seconds(seconds_on);
    assert!(rig.recorder.clip(&id, at(50.0)).is_some());
    // Used at 50 s, so it may stay until 110 s; and beyond, while somebody has it.
    rig.recorder.expire_clips(at(109.0), unused);
    assert!(rig.recorder.clip(&id, at(60.0)).is_some());
    rig.recorder.expire_clips(at(500.0), unused);
    let found = rig.recorder.clip(&id, at(60.0)).expect("it is in use");
    assert!(Arc::ptr_eq(&found, &clip));
    drop((found, clip));
    rig.recorder.expire_clips(at(119.0), unused);
    assert!(rig.recorder.clip(&id, at(60.0)).is_some());
    rig.recorder.expire_clips(at(121.0), unused);
    assert!(rig.recorder.clip(&id, at(121.0)).is_none());
}

#[test]
fn windows_of_several_channels_begin_at_the_same_time() {
    let recorder = Recorder::new(Limits {
        memory: 16 * MIB,
        keep: None,
    });
    let lens = [1500, 6000, 12_000];
    let mut sides = lens.map(|picture_len| {
        let channel = recorder.add_channel(&picture_len.to_string());
        let writer = channel
            .connect("test", BEGINNING)
            .expect("nothing is connected");
        (
            channel,
            writer,
            Synthetic::new(Options {
                gop: 5,
                picture_len,
                ..Options::default()
            }),
        )
    });
    for n in 0..4000 {
        for (_, writer, stream) in &mut sides {
            writer.write(&stream.part().bytes, BEGINNING + ticks(Ticks(n * 3600)));
        }
        assert_within_limit(&recorder);
    }
    let now = BEGINNING + ticks(Ticks(4000 * 3600));
    let starts = sides
        .each_ref()
        .map(|(channel, ..)| channel.status(now).window.expect("a window").start);
    let spread = starts
        .iter()
        .max()
        .map(|max| starts.iter().map(|start| max.since(*start)).max());
    assert!(
        spread
            .flatten()
            .is_some_and(|spread| spread < seconds(10.0)),
        "{starts:?}"
    );
}

#[test]
fn a_channel_is_added_once() {
    let rig = Rig::new(MIB);
    assert!(Arc::ptr_eq(&rig.recorder.add_channel("main"), &rig.channel));
    let other = rig.recorder.add_channel("other");
    let names: Vec<_> = rig
        .recorder
        .channels()
        .iter()
        .map(|channel| channel.name().to_owned())
        .collect();
    assert_eq!(names, ["main", "other"]);
    assert!(
        rig.recorder
            .channel("other")
            .is_some_and(|found| Arc::ptr_eq(&found, &other))
    );
    assert!(rig.recorder.channel("none").is_none());
}

/// Runs [`a_thousand_clips`] in a process of its own, whose memory is its alone.
#[cfg(target_os = "linux")]
#[test]
fn resident_memory_stays_within_the_limit_whatever_is_held() {
    let program = std::env::current_exe().expect("a test has a program");
    let output = std::process::Command::new(program)
        .args(["--ignored", "--exact", "memory::a_thousand_clips"])
        .output()
        .expect("a test can run itself");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}"
    );
}

#[cfg(target_os = "linux")]
#[test]
#[ignore = "run by the test above"]
fn a_thousand_clips() {
    const LIMIT: usize = 64 * MIB;
    let rig = Rig::new(LIMIT);
    let mut writer = rig.connect();
    let mut stream = Synthetic::new(Options {
        gop: 5,
        picture_len: 30_000,
        ..Options::default()
    });
    let mut now = BEGINNING;
    let mut clips = Vec::new();
    for n in 0..10_000 {
        now = now + ticks(FRAME);
        writer.write(&stream.part().bytes, now);
        stream.sent = Sent::default();
        assert_within_limit(&rig.recorder);
        if n % 10 == 9 {
            let length = Duration::from_secs(n % 600 / 10 + 1);
            let clip = rig
                .channel
                .clip(Selection::Last(length), now)
                .expect("a clip");
            assert!(clip.read(clip.len() / 2, MIB).is_ok());
            rig.recorder.keep_clip(&clip, now);
            clips.push(clip);
        }
    }
    assert_eq!(clips.len(), 1000);
    let resident = resident_bytes();
    assert!(
        resident <= LIMIT / 100 * 103 + 16 * MIB,
        "{resident} bytes are resident"
    );
    assert!(
        resident >= LIMIT / 2,
        "{resident} bytes are resident: it measures nothing"
    );
}

#[cfg(target_os = "linux")]
fn resident_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells");
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .expect("the most that was resident");
    let kib: usize = line
        .split_whitespace()
        .nth(1)
        .and_then(|kib| kib.parse().ok())
        .expect("a number");
    kib << 10
}

proptest! {
    #![proptest_config(cases(24))]

    /// Units of a packet each: the index is as large as it gets.
    #[test]
    fn a_large_index_counts_like_anything_else(
        memory in MIB..3 * MIB,
        sound_tracks in 0_usize..30,
        pieces in prop::collection::vec(1_usize..30_000, 1..10),
    ) {
        let rig = Rig::new(memory);
        let mut writer = rig.connect();
        let mut stream = Synthetic::new(Options { picture_len: 30, sound_tracks, gop: 2, ..Options::default() });
        let mut clips = Vec::new();
        let mut now = BEGINNING;
        for piece in pieces.iter().cycle().take(300) {
            let mut bytes = Vec::new();
            while bytes.len() < *piece {
                bytes.extend(stream.part().bytes);
                now = now + ticks(Ticks(3600));
            }
            stream.sent = Default::default();
            writer.write(&bytes, now);
            assert_within_limit(&rig.recorder);
            if piece % 3 == 0 {
                clips.extend(rig.channel.clip(Selection::Last(seconds(5.0)), now));
                assert_within_limit(&rig.recorder);
            }
            if clips.len() > 5 {
                clips.swap_remove(piece % clips.len());
            }
        }
    }
}
