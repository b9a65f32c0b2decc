//! Replays: what is kept, what is made of it, and that the windows keep their room.

use std::sync::Arc;
use std::time::Duration;

use lookback_mpegts::Ticks;
use lookback_replay::{
    Angle, ClipError, Edit, Limits, Policy, Recorder, Replay, ReplayError, Replays, Save,
    Selection, Trim, WhenFull, Writer,
};

use crate::support::rig::{BEGINNING, MIB, ticks};
use crate::support::{FRAME, Gaps, Options, Rig, Sent, Synthetic, check, read_all, seconds};

/// Slabs are just under 256 KiB. A replay holds part of one before its first picture, of one behind its
/// last, and one in which its last sound may be filed.
const EXCESS_MAX: u64 = 3 * 256 * 1024;

fn replays(rig: &Rig) -> Replays {
    with(rig, Policy::default())
}

fn with(rig: &Rig, policy: Policy) -> Replays {
    Replays::new(Arc::clone(&rig.recorder), policy)
}

fn last(length: f64) -> Save {
    Save {
        selection: Selection::Last(seconds(length)),
        ..Save::default()
    }
}

fn bytes(angle: &Angle) -> Vec<u8> {
    read_all(&angle.rendition().expect("one stream").clip)
}

/// Numbers of the pictures that are to be seen, in the order in which they are shown.
#[track_caller]
fn seen(rig: &Rig, angle: &Angle) -> Vec<usize> {
    let rendition = angle.rendition().expect("one stream");
    let checked = check(&read_all(&rendition.clip), &rig.sent, Gaps::Allowed);
    let both = checked.found.iter().zip(&checked.sent);
    let mut seen: Vec<_> = both
        .filter(|(found, _)| found.pid == crate::support::VIDEO_PID)
        .map(|(found, sent)| (Ticks(found.pts as i64), sent.number))
        .filter(|(pts, _)| rendition.shown.iter().any(|span| span.contains(pts)))
        .collect();
    seen.sort_unstable();
    seen.into_iter().map(|(_, number)| number).collect()
}

fn trim(start: f64, end: f64) -> Edit {
    Edit {
        trim: Trim {
            start: Some(Ticks::from_secs_f64(start)),
            end: Some(Ticks::from_secs_f64(end)),
        },
        ..Edit::default()
    }
}

#[test]
fn a_replay_is_as_long_as_was_asked_to_the_picture() {
    let mut rig = Rig::new(16 * MIB);
    rig.run(Options::default(), 203);
    let replays = replays(&rig);
    // The source has gone: it counts back from the end of what there is.
    let replay = replays.save(last(3.0), rig.now).expect("kept").replay;
    assert_eq!(seen(&rig, replay.main()), (128..203).collect::<Vec<_>>());
    assert_eq!(replay.main().duration(), seconds(3.0));
    let window = rig.channel.status(rig.now).window.expect("a window");
    assert_eq!(replay.main().end(), window.end);
    // Its first picture is no key: those from the key on are held as well.
    assert_eq!(replay.main().trim().start, Ticks(8 * FRAME.0));
    assert_eq!((replay.name(), replay.speed()), ("Replay 1", 1.0));
    assert_eq!(replay.poster(), replay.main().trim().start);
    let from = window.start + seconds(1.0);
    let save = Save {
        selection: Selection::Span {
            from: Some(from),
            to: Some(from + seconds(2.0)),
        },
        ..Save::default()
    };
    let span = replays.save(save, rig.now).expect("kept").replay;
    assert_eq!(seen(&rig, span.main()), (25..75).collect::<Vec<_>>());
    assert_eq!(replays.all().len(), 2);
    assert!(Arc::ptr_eq(
        &replays.named(span.id()).expect("there"),
        &span
    ));
}

#[test]
fn a_replay_stays_when_memory_is_short_and_holds_little_more_than_itself() {
    let mut rig = Rig::new(6 * MIB);
    let replays = replays(&rig);
    let mut writer = rig.connect();
    let mut stream = Synthetic::new(Options {
        gop: 5,
        picture_len: 8000,
        ..Options::default()
    });
    rig.record(&mut writer, &mut stream, 1000);
    let replay = replays.save(last(10.0), rig.now).expect("kept").replay;
    let before = bytes(replay.main());
    // A clip that nobody keeps has to go.
    let clip = rig.clip(Selection::All);
    for _ in 0..40 {
        rig.record(&mut writer, &mut stream, 100);
        let memory = rig.recorder.memory();
        assert!(memory.used_bytes <= memory.limit_bytes, "{memory:?}");
    }
    assert!(clip.read(0, 1).is_err());
    assert!(bytes(replay.main()) == before);
    let held = rig.recorder.memory().held_bytes as u64;
    assert!(
        (before.len() as u64..before.len() as u64 + EXCESS_MAX).contains(&held),
        "{held} bytes are held for {}",
        before.len()
    );
    // Who is reading goes on when it is deleted.
    let rendition = replay.main().rendition().expect("one stream").clone();
    let id = replay.id().to_owned();
    drop((replay, clip));
    replays.delete(&id).expect("there");
    assert!(read_all(&rendition.clip) == before);
    assert!(matches!(replays.named(&id), Err(ReplayError::Unknown)));
    drop(rendition);
    assert_eq!(rig.recorder.memory().held_bytes, 0);
}

/// A recorder that is full, at 100 kB/s.
fn full(memory: usize) -> (Rig, Writer, Synthetic) {
    let mut rig = Rig::new(memory);
    let mut writer = rig.connect();
    let mut stream = Synthetic::new(Options {
        gop: 5,
        picture_len: 8000,
        ..Options::default()
    });
    rig.record(&mut writer, &mut stream, memory / 3500);
    (rig, writer, stream)
}

/// Records so many seconds, and forgets what it was.
fn go_on(rig: &mut Rig, writer: &mut Writer, stream: &mut Synthetic, length: usize) {
    rig.record(writer, stream, length * 25);
    rig.sent = Sent::default();
}

const KEEP_LIVE: Duration = Duration::from_secs(20);

#[test]
fn beyond_its_room_a_save_is_refused_and_what_to_delete_is_named() {
    let (mut rig, mut writer, mut stream) = full(8 * MIB);
    let replays = with(
        &rig,
        Policy {
            keep_live: Some(KEEP_LIVE),
            ..Policy::default()
        },
    );
    let mut kept: Vec<Arc<Replay>> = Vec::new();
    let full = loop {
        match replays.save(last(10.0), rig.now) {
            Ok(saved) => kept.push(saved.replay),
            Err(ReplayError::Full(full)) => break full,
            Err(error) => panic!("{error}"),
        }
        assert!(kept.len() < 20, "it never fills up");
        go_on(&mut rig, &mut writer, &mut stream, 10);
    };
    assert!(kept.len() >= 3, "only {} had room", kept.len());
    let ids = |replays: &[Arc<Replay>]| {
        replays
            .iter()
            .map(|it| it.id().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        ids(&full.delete),
        ids(&kept[..full.delete.len()]),
        "the oldest"
    );
    assert!(full.to_string().contains(kept[0].id()), "{full}");
    // Recording goes on, and looks back as far as was promised.
    go_on(&mut rig, &mut writer, &mut stream, 60);
    let window = rig.channel.status(rig.now).window.expect("a window");
    assert!(window.duration >= KEEP_LIVE, "{window:?}");
    assert!(kept.iter().all(|replay| !bytes(replay.main()).is_empty()));
    for replay in &full.delete {
        replays.delete(replay.id()).expect("there");
    }
    drop((full, kept));
    replays
        .save(last(10.0), rig.now)
        .expect("there is room now");
    // More than there is room for is refused however much is deleted.
    for replay in replays.all() {
        let edit = Edit {
            locked: Some(true),
            ..Edit::default()
        };
        replays.edit(replay.id(), edit).expect("there");
    }
    go_on(&mut rig, &mut writer, &mut stream, 20);
    let refused = loop {
        match replays.save(
            Save {
                locked: true,
                ..last(10.0)
            },
            rig.now,
        ) {
            Ok(_) => go_on(&mut rig, &mut writer, &mut stream, 10),
            Err(error) => break error,
        }
    };
    assert!(matches!(&refused, ReplayError::Full(full) if full.delete.is_empty()));
    assert!(refused.to_string().contains("--memory"), "{refused}");
}

#[test]
fn the_oldest_that_is_not_locked_makes_room() {
    let (mut rig, mut writer, mut stream) = full(8 * MIB);
    let policy = Policy {
        when_full: WhenFull::DropOldest,
        keep_live: Some(KEEP_LIVE),
    };
    let replays = with(&rig, policy);
    let locked = replays
        .save(
            Save {
                locked: true,
                ..last(5.0)
            },
            rig.now,
        )
        .expect("room")
        .replay;
    let mut dropped = Vec::new();
    for n in 0..20 {
        go_on(&mut rig, &mut writer, &mut stream, 10);
        let name = Some(n.to_string());
        let saved = replays
            .save(Save { name, ..last(10.0) }, rig.now)
            .expect("it makes room");
        dropped.extend(saved.dropped.iter().map(|replay| replay.name().to_owned()));
        let memory = rig.recorder.memory();
        assert!(memory.used_bytes <= memory.limit_bytes, "{memory:?}");
    }
    let in_order: Vec<String> = (0..dropped.len()).map(|n| n.to_string()).collect();
    assert!(dropped.len() > 10, "{dropped:?}");
    assert_eq!(dropped, in_order);
    assert_eq!(rig.problem("replay_dropped"), dropped.len() as u64);
    assert!(!bytes(replays.named(locked.id()).expect("it stays").main()).is_empty());
    go_on(&mut rig, &mut writer, &mut stream, 60);
    let window = rig.channel.status(rig.now).window.expect("a window");
    assert!(window.duration >= KEEP_LIVE, "{window:?}");
    assert!(matches!(
        replays.delete(locked.id()),
        Err(ReplayError::Locked)
    ));
}

#[test]
fn a_thousand_saves_of_the_same_hold_it_once() {
    let (mut rig, mut writer, mut stream) = full(16 * MIB);
    let keep_live = Some(seconds(10.0));
    let replays = with(
        &rig,
        Policy {
            keep_live,
            ..Policy::default()
        },
    );
    rig.sent = Sent::default();
    for n in 0..1000 {
        let picture = stream.part();
        rig.now = rig.now + ticks(FRAME);
        writer.write(&picture.bytes, rig.now);
        replays
            .save(last(1.0 + f64::from(n % 20) / 10.0), rig.now)
            .expect("room");
        let memory = rig.recorder.memory();
        assert!(memory.used_bytes <= memory.limit_bytes, "{memory:?}");
    }
    go_on(&mut rig, &mut writer, &mut stream, 100);
    let held = rig.recorder.memory().held_bytes as u64;
    let all = replays.all();
    assert_eq!(all.len(), 1000);
    let first = all.first().expect("a thousand").main();
    let newest = all.last().expect("a thousand").main();
    let span = newest.end().since(first.start()).as_secs_f64();
    // 42 s of about 100 kB/s.
    assert!((40.0..46.0).contains(&span), "{span}");
    assert!((4_000_000..6_000_000).contains(&held), "{held}");
    assert!(all.iter().all(|replay| bytes(replay.main()).len() > 50_000));
    drop(all);
    for replay in replays.all() {
        replays.delete(replay.id()).expect("there");
    }
    assert_eq!(rig.recorder.memory().held_bytes, 0);
}

#[test]
fn trims_are_references_and_can_be_taken_back() {
    let mut rig = Rig::new(16 * MIB);
    rig.run(
        Options {
            b_pictures: 1,
            ..Options::default()
        },
        250,
    );
    let replays = replays(&rig);
    let made = replays.save(Save::default(), rig.now).expect("kept").replay;
    let all = seen(&rig, made.main());
    let whole = bytes(made.main());
    let edit = |edit| replays.edit(made.id(), edit);
    let trimmed = edit(trim(2.0, 5.0)).expect("within");
    assert_eq!(seen(&rig, trimmed.main()), all[50..125]);
    assert!(bytes(trimmed.main()).len() < whole.len() / 2);
    assert!(trimmed.revision() > made.revision());
    assert_eq!(trimmed.main().start(), made.main().start() + seconds(2.0));
    // Who had it before sees what it was then.
    assert!(bytes(made.main()) == whole);
    let length = made.main().length().as_secs_f64();
    for (start, end) in [(5.0, 5.0), (6.0, 2.0), (-1.0, 3.0), (0.0, length + 0.1)] {
        assert!(
            matches!(edit(trim(start, end)), Err(ReplayError::Trim(_))),
            "{start} to {end}"
        );
    }
    assert_eq!(
        replays.named(made.id()).expect("there").main().trim(),
        trimmed.main().trim()
    );
    let again = edit(trim(0.0, length)).expect("all of it");
    assert!(bytes(again.main()) == whole);
    let renamed = edit(Edit {
        name: Some("Goal".into()),
        tags: Some(vec!["red".into()]),
        speed: Some(0.5),
        poster: Some(Ticks(90_000)),
        ..Edit::default()
    });
    let renamed = renamed.expect("there");
    assert_eq!(
        (renamed.name(), renamed.tags()),
        ("Goal", &["red".to_owned()][..])
    );
    assert_eq!((renamed.speed(), renamed.poster()), (0.5, Ticks(90_000)));
    let far = Edit {
        poster: Some(Ticks(90_000 * 60)),
        ..Edit::default()
    };
    assert!(matches!(edit(far), Err(ReplayError::Trim(_))));
}

#[test]
fn halves_share_nothing_and_copies_everything() {
    let mut rig = Rig::new(8 * MIB);
    let replays = replays(&rig);
    let mut writer = rig.connect();
    let mut stream = Synthetic::new(Options {
        picture_len: 6000,
        ..Options::default()
    });
    rig.record(&mut writer, &mut stream, 500);
    let whole = replays.save(last(20.0), rig.now).expect("kept").replay;
    let all = seen(&rig, whole.main());
    let copy = replays.duplicate(whole.id(), rig.now).expect("there");
    assert_ne!(copy.id(), whole.id());
    replays.delete(copy.id()).expect("there");
    assert_eq!(seen(&rig, copy.main()), all);
    drop(copy);
    let place = whole.main().trim().start + Ticks(7 * 90_000);
    let [first, second] = replays.split(whole.id(), place, rig.now).expect("within");
    assert_eq!(first.id(), whole.id());
    assert_eq!(seen(&rig, first.main()), all[..175]);
    assert_eq!(seen(&rig, second.main()), all[175..]);
    drop(whole);
    rig.record(&mut writer, &mut stream, 3000);
    let held = || rig.recorder.memory().held_bytes as u64;
    let both = held();
    replays.delete(second.id()).expect("there");
    drop(second);
    let sizes = bytes(first.main()).len() as u64;
    assert!(
        both > held() && held() <= sizes + EXCESS_MAX,
        "{both}, {}",
        held()
    );
    for place in [Ticks(0), Ticks(90_000 * 60)] {
        let split = replays.split(first.id(), place, rig.now);
        assert!(matches!(split, Err(ReplayError::Trim(_))));
    }
}

#[test]
fn a_reel_shows_each_in_the_order_given() {
    let mut rig = Rig::new(16 * MIB);
    rig.run(
        Options {
            b_pictures: 2,
            gop: 4,
            ..Options::default()
        },
        300,
    );
    let replays = replays(&rig);
    let made = replays.save(Save::default(), rig.now).expect("kept").replay;
    let all = seen(&rig, made.main());
    let other = replays.duplicate(made.id(), rig.now).expect("there");
    let late = replays.edit(made.id(), trim(8.0, 9.0)).expect("within");
    let early = replays.edit(other.id(), trim(1.0, 3.0)).expect("within");
    let ids = [late.id().to_owned(), early.id().to_owned()];
    let reel = replays
        .join(&ids, Some("Best of".into()), rig.now)
        .expect("joined");
    assert_eq!((reel.name(), reel.main().pieces().len()), ("Best of", 2));
    assert_eq!(reel.main().duration(), seconds(3.0));
    let seen_then = [&all[200..225], &all[25..75]].concat();
    assert_eq!(seen(&rig, reel.main()), seen_then);
    // A reel can be trimmed and joined like any other.
    let cut = replays.edit(reel.id(), trim(0.4, 1.4)).expect("within");
    assert_eq!(seen(&rig, cut.main()), seen_then[10..35]);
    assert_eq!(cut.main().start(), late.main().start() + seconds(0.4));
    assert_eq!(cut.main().end(), early.main().start() + seconds(0.4));
    let twice = replays.join(&[cut.id().to_owned(), late.id().to_owned()], None, rig.now);
    assert_eq!(
        seen(&rig, twice.expect("joined").main()),
        [&seen_then[10..35], &all[200..225]].concat()
    );
    assert!(matches!(
        replays.join(&["none".into()], None, rig.now),
        Err(ReplayError::Unknown)
    ));
}

#[test]
fn angles_are_of_the_same_moment() {
    let recorder = Recorder::new(Limits {
        memory: 32 * MIB,
        keep: None,
    });
    let replays = Replays::new(Arc::clone(&recorder), Policy::default());
    let idle = recorder.add_channel("idle");
    let cameras = ["a", "b"].map(|name| recorder.add_channel(name));
    // Keys of one come at other moments than those of the other.
    let gops = [10, 7];
    let mut sides: Vec<_> = cameras
        .iter()
        .zip(gops)
        .map(|(channel, gop)| {
            let writer = channel.connect("test", BEGINNING).expect("free");
            (
                writer,
                Synthetic::new(Options {
                    gop,
                    ..Options::default()
                }),
            )
        })
        .collect();
    let mut now = BEGINNING;
    for _ in 0..250 {
        now = now + ticks(FRAME);
        for (writer, stream) in &mut sides {
            writer.write(&stream.part().bytes, now);
        }
    }
    let both = replays.save(last(4.0), now).expect("kept").replay;
    let names: Vec<_> = both.angles().iter().map(Angle::channel).collect();
    assert_eq!(names, ["a", "b"]);
    let moments = |replay: &Replay| {
        let of = |angle: &Angle| (angle.start(), angle.end(), angle.duration());
        replay.angles().iter().map(of).collect::<Vec<_>>()
    };
    let at = moments(&both);
    assert_eq!(at[0], at[1]);
    let cut = replays.edit(both.id(), trim(1.0, 3.0)).expect("within");
    let at = moments(&cut);
    assert_eq!((at[0], at[0].2), (at[1], seconds(2.0)));
    assert!(cut.angle("b").is_some() && cut.angle("idle").is_none());
    // The picture that stands for it is of one moment too, whichever camera it is of.
    let posters = cut.angles().iter().map(|angle| {
        let (clip, place) = cut.poster_of(angle);
        (clip.channel().to_owned(), clip.wall(place))
    });
    let moment = cut.main().start();
    let expected = ["a", "b"].map(|name| (name.to_owned(), moment));
    assert_eq!(posters.collect::<Vec<_>>(), expected);
    // Who names a channel wants it.
    let named = Save {
        channels: vec![idle],
        ..last(4.0)
    };
    let error = replays.save(named, now).err();
    assert!(matches!(
        error,
        Some(ReplayError::Clip(ClipError::Empty { .. }))
    ));
    // A reel of one camera and then the other is one, though no single stream.
    let one = |channel: &str| {
        let channels = recorder.channel(channel).into_iter().collect();
        replays
            .save(
                Save {
                    channels,
                    ..last(1.0)
                },
                now,
            )
            .expect("kept")
            .replay
            .id()
            .to_owned()
    };
    let reel = replays
        .join(&[one("a"), one("b")], None, now)
        .expect("joined");
    let pieces = reel.main().pieces();
    let of: Vec<_> = pieces.iter().map(|(clip, _)| clip.channel()).collect();
    assert_eq!(of, ["a", "b"]);
    assert!(reel.main().rendition().is_err());
}

#[test]
fn a_replay_that_reaches_forward_is_there_at_once_and_grows() {
    for keep in [None, Some(seconds(1.0))] {
        let mut rig = Rig::with(Limits {
            memory: 16 * MIB,
            keep,
        });
        let replays = replays(&rig);
        let mut writer = rig.connect();
        let mut stream = Synthetic::new(Options::default());
        rig.record(&mut writer, &mut stream, 250);
        let save = Save {
            plus: seconds(5.0),
            ..last(0.8)
        };
        let replay = replays.save(save, rig.now).expect("kept").replay;
        assert!(replay.is_growing());
        let start = seen(&rig, replay.main());
        assert!((18..=20).contains(&start.len()), "{start:?}");
        assert!(matches!(
            replays.duplicate(replay.id(), rig.now),
            Err(ReplayError::Growing)
        ));
        // The window is far shorter than what it comes to, and is even cleared in between.
        let mut longest = start.len();
        for round in 0..12 {
            rig.record(&mut writer, &mut stream, 12);
            assert_eq!(replays.grow(rig.now), round < 11);
            let grown = replays.named(replay.id()).expect("there");
            let now = seen(&rig, grown.main());
            assert_eq!(now[..start.len()], start);
            assert!(now.len() >= longest);
            longest = now.len();
            if round == 4 {
                rig.channel.clear();
            }
        }
        let whole = replays.named(replay.id()).expect("there");
        assert!(!whole.is_growing());
        let pictures = seen(&rig, whole.main());
        assert!(
            pictures.windows(2).all(|pair| pair[0] + 1 == pair[1]),
            "{pictures:?}"
        );
        let length = whole.main().duration().as_secs_f64();
        assert!((5.79..5.81).contains(&length), "{length}");
        // What comes later is no part of it, and nothing more than it is held.
        drop(replay);
        rig.record(&mut writer, &mut stream, 500);
        rig.channel.clear();
        let held = rig.recorder.memory().held_bytes as u64;
        let bytes = bytes(whole.main()).len() as u64;
        assert!(held <= bytes + EXCESS_MAX, "{held} for {bytes}");
    }
}

#[test]
fn a_replay_grows_over_a_reconnect_and_ends_when_nothing_comes() {
    let mut rig = Rig::new(16 * MIB);
    let replays = replays(&rig);
    let mut writer = rig.connect();
    rig.record(&mut writer, &mut Synthetic::new(Options::default()), 100);
    let save = || Save {
        plus: seconds(4.0),
        ..last(2.0)
    };
    let replay = replays.save(save(), rig.now).expect("kept").replay;
    rig.record(
        &mut writer,
        &mut Synthetic::new(Options {
            id: 1,
            ..Options::default()
        }),
        20,
    );
    drop(writer);
    replays.grow(rig.now);
    rig.run(
        Options {
            id: 2,
            ..Options::default()
        },
        120,
    );
    replays.grow(rig.now);
    let whole = replays.named(replay.id()).expect("there");
    assert!(!whole.is_growing());
    assert_eq!(whole.main().rendition().expect("one stream").clip.runs(), 3);
    check(&bytes(whole.main()), &rig.sent, Gaps::Allowed);

    let early = replays.save(save(), rig.now).expect("kept").replay;
    let grows = |at: f64| {
        replays.grow(rig.now + seconds(at));
        replays.named(early.id()).expect("there").is_growing()
    };
    assert!(grows(3.0) && grows(5.9));
    assert!(!grows(6.1), "nothing comes any more");

    // Of another format it can be no part.
    let before = replays.save(save(), rig.now).expect("kept").replay;
    rig.run(
        Options {
            id: 3,
            width: 640,
            ..Options::default()
        },
        120,
    );
    replays.grow(rig.now);
    let narrow = replays.named(before.id()).expect("there");
    assert_eq!(bytes(narrow.main()), bytes(before.main()));
}

#[test]
fn growing_ends_where_the_room_does() {
    let (mut rig, mut writer, mut stream) = full(8 * MIB);
    let replays = with(
        &rig,
        Policy {
            keep_live: Some(KEEP_LIVE),
            ..Policy::default()
        },
    );
    let endless = Save {
        plus: seconds(3600.0),
        ..last(5.0)
    };
    assert!(matches!(
        replays.save(endless, rig.now),
        Err(ReplayError::Full(_))
    ));
    let save = Save {
        plus: seconds(20.0),
        ..last(5.0)
    };
    let replay = replays.save(save, rig.now).expect("room").replay;
    // Suddenly far more comes in than was to be expected.
    stream.change(Options {
        picture_len: 60_000,
        id: 1,
        ..Options::default()
    });
    while replays.named(replay.id()).expect("there").is_growing() {
        rig.record(&mut writer, &mut stream, 5);
        rig.sent = Sent::default();
        replays.grow(rig.now);
        let memory = rig.recorder.memory();
        assert!(memory.used_bytes <= memory.limit_bytes, "{memory:?}");
    }
    assert_eq!(rig.problem("replay_cut_short"), 1);
    assert!(!bytes(replays.named(replay.id()).expect("there").main()).is_empty());
}

#[test]
fn what_comes_back_is_a_replay_as_it_was() {
    let mut rig = Rig::new(16 * MIB);
    rig.run(Options::default(), 203);
    let replays = replays(&rig);
    let replay = replays.save(last(3.0), rig.now).expect("kept").replay;
    let rendition = replay.main().rendition().expect("one stream").clone();
    let start = rendition.clip.timeline().start;
    let shown = rendition.shown.iter();
    let shown: Vec<_> = shown
        .map(|span| span.start - start..span.end - start + Ticks(1))
        .collect();
    let (whole, end) = (bytes(replay.main()), replay.main().end());

    let held = rig.recorder.memory().used_bytes;
    let later = rig.now + seconds(3600.0);
    let channel = rig.recorder.aside("main");
    let mut writer = channel.connect("file", later).expect("nobody else's");
    writer.write(&whole, end);
    drop(writer);
    assert_eq!(rig.recorder.channels().len(), 1, "it is not listed");
    let name = Some("Goal".to_owned());
    let restored = replays.restore(&channel, &shown, name, vec!["red".to_owned()], later);
    let restored = restored.expect("it is kept");
    drop(channel);
    assert_eq!((restored.name(), restored.created()), ("Goal", later));
    assert_eq!(restored.tags(), ["red"]);
    assert_eq!(
        restored.main().trim(),
        shown[0].start..shown[0].end - Ticks(1)
    );
    assert_eq!(restored.main().duration(), replay.main().duration());
    let apart = restored
        .main()
        .end()
        .since(end)
        .max(end.since(restored.main().end()));
    assert!(apart <= seconds(0.05), "{apart:?}");
    assert!(rig.recorder.memory().used_bytes > held);
    let id = restored.id().to_owned();
    drop(restored);
    replays.delete(&id).expect("there");
    assert!(
        rig.recorder.memory().used_bytes <= held + 4096,
        "all is let go"
    );

    let empty = rig.recorder.aside("main");
    assert!(
        replays
            .restore(&empty, &[], None, Vec::new(), later)
            .is_err()
    );
    assert!(replays.room_for(MIB as u64, rig.now).is_ok());
    assert!(replays.room_for(16 * MIB as u64, rig.now).is_err());
}

#[test]
fn who_changed_it_keeps_it() {
    let mut rig = Rig::new(16 * MIB);
    rig.run(Options::default(), 100);
    let replays = replays(&rig);
    let replay = replays.save(last(1.0), rig.now).expect("kept").replay;
    let name = Edit {
        name: Some("Goal".to_owned()),
        ..Edit::default()
    };
    let changed = replays.edit(replay.id(), name).expect("there");
    let refused = replays.delete_unchanged(&replay);
    assert!(matches!(refused, Err(ReplayError::Changed)), "{refused:?}");
    replays.delete_unchanged(&changed).expect("as it was");
    let refused = replays.delete_unchanged(&changed);
    assert!(matches!(refused, Err(ReplayError::Unknown)), "{refused:?}");
}
