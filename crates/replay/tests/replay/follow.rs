//! Following the live edge, and the units of clips one by one.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use lookback_mpegts::{Muxer, Ticks};
use lookback_replay::{Followed, Follower, Program, Selection, Unit, Writer};

use crate::support::damage::{Damage, apply};
use crate::support::rig::MIB;
use crate::support::{
    Checked, FRAME, Found, Gaps, Options, Rig, SOUND_PID, Synthetic, VIDEO_PID, check, demux,
    read_all, seconds, shapes,
};

#[derive(Debug)]
enum Event {
    Program(Program),
    Unit(Unit),
    Jumped,
}

/// All that there is to follow by now.
fn take(follower: &mut Follower) -> Vec<Event> {
    let mut events = Vec::new();
    while let Poll::Ready(followed) = follower.poll_next(&mut Context::from_waker(Waker::noop())) {
        events.push(match followed {
            Followed::Program(program) => Event::Program(program),
            Followed::Unit(unit) => Event::Unit(unit),
            Followed::Jumped => Event::Jumped,
        });
    }
    events
}

fn jumps(events: &[Event]) -> usize {
    events
        .iter()
        .filter(|event| matches!(event, Event::Jumped))
        .count()
}

fn programs(events: &[Event]) -> usize {
    events
        .iter()
        .filter(|event| matches!(event, Event::Program(_)))
        .count()
}

/// A stream of these units, as a server writes it.
fn mux<'a>(program: &Program, units: impl Iterator<Item = &'a Unit>) -> Vec<u8> {
    let mut muxer: Muxer = program.muxer();
    let mut bytes = Vec::new();
    muxer.write_tables(&mut bytes);
    for unit in units {
        let payload: Vec<&[u8]> = unit.payload.iter().map(|piece| &piece[..]).collect();
        muxer.write_unit(
            &mut bytes,
            lookback_mpegts::Unit {
                stream: unit.stream,
                pts: unit.pts,
                dts: unit.dts,
                random_access: unit.random_access,
                pcr: None,
                payload: &payload,
            },
        );
    }
    bytes
}

/// Holds what was followed, of one program, to the same as a clip.
#[track_caller]
fn check_events(events: &[Event], rig: &Rig, gaps: Gaps) -> Checked {
    let Some(Event::Program(program)) = events.first() else {
        panic!("a program comes first")
    };
    let units = events.iter().filter_map(|event| match event {
        Event::Unit(unit) => Some(unit),
        _ => None,
    });
    check(&mux(program, units), &rig.sent, gaps)
}

fn small(options: &Options) -> Options {
    Options {
        picture_len: options.picture_len.min(3000),
        ..options.clone()
    }
}

#[test]
fn a_follower_begins_with_the_newest_key_and_misses_nothing() {
    for (name, options) in shapes() {
        eprintln!("{name}");
        let mut rig = Rig::new(16 * MIB);
        let mut writer = rig.connect();
        let mut stream = Synthetic::new(small(&options));
        let mut early = rig.channel.follow();
        let mut late = None;
        let mut events = [take(&mut early), Vec::new()];
        assert!(events[0].is_empty());
        for n in 0..105 {
            rig.record(&mut writer, &mut stream, 1);
            if n == 44 {
                late = Some(rig.channel.follow());
            }
            events[0].extend(take(&mut early));
            events[1].extend(late.iter_mut().flat_map(take));
        }
        let newest = rig
            .sent
            .pictures()
            .rfind(|unit| unit.key && unit.number < 44)
            .expect("a key")
            .number;
        for (events, first) in events.iter().zip([0, newest]) {
            assert_eq!((programs(events), jumps(events)), (1, 0));
            let checked = check_events(events, &rig, Gaps::Allowed);
            assert_eq!(checked.pictures()[0], first);
            assert_row(&checked.pictures(), options.b_pictures);
            assert_row(&checked.numbers(SOUND_PID), 0);
            assert!(checked.pictures().contains(&100));
        }
    }
}

/// No number is missing, but for pictures shown before the first.
#[track_caller]
fn assert_row(numbers: &[usize], leading: usize) {
    for (at, pair) in numbers.windows(2).enumerate() {
        let missing = pair[1] - pair[0] - 1;
        assert!(missing == 0 || at == 0 && missing <= leading, "{numbers:?}");
    }
}

#[test]
fn a_follower_goes_on_over_runs_on_one_timeline() {
    let mut rig = Rig::new(16 * MIB);
    let mut follower = rig.channel.follow();
    let mut events = Vec::new();
    for id in 0..4 {
        let mut writer = rig.connect();
        let start = Ticks(i64::from(id % 2) * 900_000_000 + 90_000);
        let mut stream = Synthetic::new(Options {
            id,
            start,
            bounded: true,
            ..Options::default()
        });
        for _ in 0..50 {
            rig.record(&mut writer, &mut stream, 1);
            events.extend(take(&mut follower));
        }
    }
    events.extend(take(&mut follower));
    assert_eq!((programs(&events), jumps(&events)), (1, 3));
    let checked = check_events(&events, &rig, Gaps::Allowed);
    assert_eq!(checked.pictures().len(), 200);
    assert!(checked.shown().0 < 210 * FRAME.0, "{:?}", checked.shown());
}

#[test]
fn other_streams_are_announced() {
    let mut rig = Rig::new(16 * MIB);
    let mut follower = rig.channel.follow();
    let mut writer = rig.connect();
    let mut stream = Synthetic::new(Options {
        bounded: true,
        ..Options::default()
    });
    rig.record(&mut writer, &mut stream, 30);
    let first = take(&mut follower);
    let start = Ticks(90_000 + 30 * FRAME.0);
    stream.change(Options {
        id: 1,
        sound_tracks: 3,
        start,
        ..stream.options().clone()
    });
    rig.record(&mut writer, &mut stream, 30);
    let second = take(&mut follower);
    check_events(&first, &rig, Gaps::Allowed);
    let at = second
        .iter()
        .position(|event| matches!(event, Event::Program(_)))
        .expect("another program");
    let Event::Program(program) = &second[at] else {
        unreachable!("it was found so")
    };
    assert_eq!(program.codecs().len(), 4);
    assert!(at < 10, "what was left of the first program is {at} units");
    check_events(&second[at..], &rig, Gaps::Allowed);
    let dts = |events: &[Event]| -> Vec<Ticks> {
        let units = events.iter().filter_map(|event| match event {
            Event::Unit(unit) if unit.stream == 0 => Some(unit.dts),
            _ => None,
        });
        units.collect()
    };
    let (before, after) = (dts(&first), dts(&second[at..]));
    assert!(before[before.len() - 1] < after[0], "the timeline goes on");
}

#[test]
fn a_follower_that_is_overtaken_jumps_to_the_newest_key() {
    let mut rig = Rig::new(3 * MIB);
    let mut writer = rig.connect();
    let mut stream = Synthetic::new(Options {
        gop: 5,
        picture_len: 8000,
        ..Options::default()
    });
    let mut follower = rig.channel.follow();
    rig.record(&mut writer, &mut stream, 50);
    let mut events = take(&mut follower);
    rig.record(&mut writer, &mut stream, 3000);
    let later = take(&mut follower);
    assert!(
        matches!(later.first(), Some(Event::Jumped)) && jumps(&later) == 1 && programs(&later) == 0
    );
    events.extend(later);
    rig.record(&mut writer, &mut stream, 20);
    events.extend(take(&mut follower));
    let checked = check_events(&events, &rig, Gaps::Allowed);
    let pictures = checked.pictures();
    let jump = pictures
        .windows(2)
        .find(|pair| pair[1] > pair[0] + 1)
        .expect("it was overtaken");
    assert!(jump[0] >= 48 && jump[1] >= 3040, "{jump:?}");
    assert!(pictures.contains(&3068));
}

#[test]
fn a_follower_of_a_channel_that_is_cleared_waits_for_a_key() {
    let mut rig = Rig::new(16 * MIB);
    let mut writer = rig.connect();
    let mut stream = Synthetic::new(Options {
        picture_len: 8000,
        ..Options::default()
    });
    let mut follower = rig.channel.follow();
    rig.record(&mut writer, &mut stream, 95);
    let mut events = take(&mut follower);
    rig.channel.clear();
    let mut late = rig.channel.follow();
    assert!(take(&mut late).is_empty());
    rig.record(&mut writer, &mut stream, 95);
    events.extend(take(&mut follower));
    check_events(&events, &rig, Gaps::Allowed);
    let pictures = check_events(&take(&mut late), &rig, Gaps::Allowed).pictures();
    assert!(
        pictures[0].is_multiple_of(10) && pictures[0] >= 100,
        "{pictures:?}"
    );
}

#[test]
fn what_is_followed_of_a_damaged_stream_is_clean() {
    for (name, options) in shapes() {
        eprintln!("{name}");
        let mut rig = Rig::new(16 * MIB);
        let mut writer = rig.connect();
        let mut follower = rig.channel.follow();
        let mut stream = Synthetic::new(Options {
            gop: options.gop.min(5),
            ..small(&options)
        });
        let mut events = Vec::new();
        for n in 0..200 {
            let bytes = stream.part().bytes;
            let damage = match n % 40 {
                13 => vec![(n, Damage::Drop(2))],
                26 => vec![(n, Damage::Garbage(777))],
                39 => vec![(n, Damage::Twice)],
                _ => Vec::new(),
            };
            writer.write(&apply(&bytes, &damage), rig.now);
            events.extend(take(&mut follower));
        }
        rig.sent = std::mem::take(&mut stream.sent);
        let checked = check_events(&events, &rig, Gaps::Allowed);
        assert!(
            checked.pictures().len() > 60,
            "{}",
            checked.pictures().len()
        );
    }
}

#[test]
fn a_follower_that_waits_is_woken() {
    #[derive(Default)]
    struct Count(AtomicUsize);
    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let mut rig = Rig::new(16 * MIB);
    let mut writer = rig.connect();
    let mut stream = Synthetic::new(Options::default());
    let count = Arc::new(Count::default());
    let waker = Waker::from(Arc::clone(&count));
    let mut follower = rig.channel.follow();
    for n in 0..20 {
        while follower
            .poll_next(&mut Context::from_waker(&waker))
            .is_ready()
        {}
        assert!(
            follower
                .poll_next(&mut Context::from_waker(&waker))
                .is_pending()
        );
        assert_eq!(count.0.load(Ordering::Relaxed), n);
        rig.record(&mut writer, &mut stream, 1);
        assert_eq!(
            count.0.load(Ordering::Relaxed),
            n + 1,
            "one wake for one write"
        );
    }
}

#[test]
fn followers_that_leave_are_forgotten() {
    struct Nothing;
    impl Wake for Nothing {
        fn wake(self: Arc<Self>) {}
    }
    let rig = Rig::new(16 * MIB);
    // Nothing is ever recorded, and each connection that follows has a waker of its own.
    let wakers: Vec<_> = (0..100).map(|_| Arc::new(Nothing)).collect();
    for waker in &wakers {
        let waker = Waker::from(Arc::clone(waker));
        assert!(
            rig.channel
                .follow()
                .poll_next(&mut Context::from_waker(&waker))
                .is_pending()
        );
    }
    let held = wakers
        .iter()
        .filter(|waker| Arc::strong_count(waker) > 1)
        .count();
    assert_eq!(held, 0);
}

/// A clip's units, muxed again and not.
#[test]
fn the_units_of_a_clip_are_those_of_its_stream() {
    for (name, options) in shapes() {
        eprintln!("{name}");
        let mut rig = Rig::new(16 * MIB);
        for id in 0..2 {
            let mut writer = rig.connect();
            let mut stream = Synthetic::new(Options {
                id,
                ..small(&options)
            });
            rig.record(&mut writer, &mut stream, 75);
            if id == 0 {
                continue;
            }
            compare(&rig, writer, stream);
        }
    }
}

#[track_caller]
fn compare(rig: &Rig, mut writer: Writer, mut stream: Synthetic) {
    let selections = [
        Selection::All,
        Selection::Last(seconds(1.7)),
        Selection::Span {
            from: None,
            to: Some(rig.now - seconds(1.0)),
        },
    ];
    let clips = selections.map(|selection| rig.clip(selection));
    // What was not complete when the clips were made is so when their units are taken.
    writer.write(&stream.bytes(20), rig.now);
    for clip in clips {
        let mut units = Vec::new();
        let mut iterator = clip.units();
        while let Some(unit) = iterator.next().expect("the clip is there") {
            units.push(unit);
        }
        let program = clip.program();
        assert_eq!(program.config().streams[0].pid.value(), VIDEO_PID);
        let from_units = demux(&mux(&program, units.iter()));
        let from_bytes = demux(&read_all(&clip));
        let of = |found: &[Found], pid: u16| -> Vec<Found> {
            found
                .iter()
                .filter(|unit| unit.pid == pid)
                .cloned()
                .collect()
        };
        for pid in [VIDEO_PID, SOUND_PID, SOUND_PID + 1] {
            let (units, bytes) = (of(&from_units, pid), of(&from_bytes, pid));
            assert_eq!(units.len(), bytes.len(), "units on {pid:#x}");
            assert!(units == bytes, "units on {pid:#x} differ");
        }
        let keys = units
            .iter()
            .filter(|unit| unit.stream == 0 && unit.random_access)
            .count();
        let sent = check(&read_all(&clip), &rig.sent, Gaps::None).sent;
        assert_eq!(keys, sent.iter().filter(|unit| unit.key).count());
    }
}

fn pictures_of(events: &[Event], rig: &Rig) -> Vec<usize> {
    check_events(events, rig, Gaps::Allowed).pictures()
}

/// From the first picture on, with the program in front; sound that belongs to it may have come before.
fn from_here(follower: &mut Follower) -> Vec<Event> {
    let program = follower.program().expect("something was found");
    let is_sound = |event: &Event| matches!(event, Event::Unit(unit) if unit.stream > 0);
    let units = take(follower).into_iter().skip_while(is_sound);
    std::iter::once(Event::Program(program))
        .chain(units)
        .collect()
}

#[test]
fn a_follower_can_be_sent_back_and_comes_to_the_edge_again() {
    for (name, options) in shapes() {
        eprintln!("{name}");
        let mut rig = Rig::new(16 * MIB);
        let mut writer = rig.connect();
        let mut stream = Synthetic::new(small(&options));
        let mut follower = rig.channel.follow();
        assert_eq!(follower.window(), None);
        follower.seek(Ticks(0));
        assert!(take(&mut follower).is_empty(), "nothing to go to");
        rig.record(&mut writer, &mut stream, 100);
        let at_the_edge = take(&mut follower);
        let window = follower.window().expect("it can be played");
        let length = (window.end - window.start).0;
        assert!((95 * FRAME.0..=101 * FRAME.0).contains(&length), "{length}");

        let wanted = window.start + Ticks(50 * FRAME.0);
        follower.seek(wanted);
        let mut events = from_here(&mut follower);
        rig.record(&mut writer, &mut stream, 5);
        events.extend(take(&mut follower));
        let pictures = pictures_of(&events, &rig);
        let key = rig
            .sent
            .pictures()
            .rfind(|unit| unit.key && unit.number <= 50)
            .expect("a key")
            .number;
        assert_eq!(pictures[0], key);
        assert_row(&pictures, options.b_pictures);
        assert!(pictures.contains(&100), "it goes on at the edge");
        assert_eq!(programs(&at_the_edge), 1);
        assert_eq!(
            (programs(&events), jumps(&events)),
            (1, 0),
            "the same streams"
        );
        let first = events.iter().find_map(|event| match event {
            Event::Unit(unit) if unit.stream == 0 => Some(unit.pts),
            _ => None,
        });
        let first = first.expect("a picture");
        assert!(first <= wanted && wanted - first < Ticks(31 * FRAME.0));

        follower.seek(Ticks(i64::MIN / 2));
        assert_eq!(pictures_of(&from_here(&mut follower), &rig)[0], 0);
        follower.seek(Ticks(i64::MAX / 2));
        assert!(pictures_of(&from_here(&mut follower), &rig)[0] >= 75);
    }
}

#[test]
fn a_follower_is_sent_back_over_runs() {
    let mut rig = Rig::new(16 * MIB);
    let mut follower = rig.channel.follow();
    for id in 0..4 {
        let mut writer = rig.connect();
        let start = Ticks(i64::from(id % 2) * 900_000_000 + 90_000);
        let mut stream = Synthetic::new(Options {
            id,
            start,
            bounded: true,
            ..Options::default()
        });
        rig.record(&mut writer, &mut stream, 50);
    }
    take(&mut follower);
    let window = follower.window().expect("it can be played");
    let length = (window.end - window.start).0;
    assert!(
        (195 * FRAME.0..=205 * FRAME.0).contains(&length),
        "{length}"
    );
    let twin = follower.twin().window();
    assert_eq!(twin, Some(window.clone()));
    follower.seek(window.start);
    let events = from_here(&mut follower);
    assert_eq!((programs(&events), jumps(&events)), (1, 3));
    let checked = check_events(&events, &rig, Gaps::Allowed);
    assert_eq!(checked.pictures().len(), 200);
    // Each run is set behind the sound of the one before it, which ends a little later than its pictures.
    let moved = follower.window().expect("it can be played").end - window.end;
    assert!(moved.0.abs() < 3 * FRAME.0, "{moved:?}");
}

#[test]
fn a_follower_among_keyframes() {
    let mut rig = Rig::new(16 * MIB);
    let mut writer = rig.connect();
    let mut stream = Synthetic::new(small(&Options::default()));
    rig.record(&mut writer, &mut stream, 100);
    let mut follower = rig.channel.follow();
    let window = follower.window().expect("it can be played");
    follower.seek(window.start);
    let mut keys = 0;
    let cx = &mut Context::from_waker(Waker::noop());
    while let Poll::Ready(followed) = follower.poll_next_key(cx) {
        if let Followed::Unit(unit) = followed {
            assert!(unit.random_access && unit.stream == 0);
            keys += 1;
        }
    }
    let sent = rig.sent.pictures().filter(|unit| unit.key).count();
    assert!(keys >= sent - 1, "{keys} of {sent}");
}
