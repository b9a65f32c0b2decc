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
