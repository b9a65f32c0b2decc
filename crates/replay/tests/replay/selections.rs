//! Which part of a channel a selection means, and the shape of what it gives.

use std::time::Duration;

use lookback_mpegts::Ticks;
use lookback_replay::{ClipError, Selection, Wall};
use proptest::prelude::*;

use crate::support::rig::{BEGINNING, MIB};
use crate::support::{
    FRAME, Gaps, Options, Rig, Synthetic, VIDEO_PID, cases, check, read_all, seconds, shapes,
};

#[test]
fn a_clip_of_any_stream_is_clean() {
    for (name, options) in shapes() {
        eprintln!("{name}");
        let mut rig = Rig::new(16 * MIB);
        let mut writer = rig.connect();
        rig.record(&mut writer, &mut Synthetic::new(options.clone()), 300);
        for selection in [
            Selection::All,
            Selection::Last(seconds(5.0)),
            Selection::Span {
                from: None,
                to: Some(BEGINNING + seconds(7.0)),
            },
            Selection::Span {
                from: Some(BEGINNING + seconds(3.3)),
                to: Some(BEGINNING + seconds(8.1)),
            },
        ] {
            eprintln!("  {selection:?}");
            let (clip, checked) = rig.check(selection, Gaps::None);
            assert!(checked.pictures().len() > 50);
            let shown = Duration::from_micros((checked.shown().0 + FRAME.0) as u64 * 100 / 9);
            assert_eq!(clip.duration(), shown);
        }
    }
}

#[test]
fn all_is_from_the_first_key_to_the_last_picture() {
    let mut rig = Rig::new(16 * MIB);
    rig.run(Options::default(), 95);
    let (clip, checked) = rig.check(Selection::All, Gaps::None);
    assert_eq!(checked.pictures(), (0..95).collect::<Vec<_>>());
    assert_eq!((clip.runs(), clip.runs_left_out()), (1, 0));
    let window = rig
        .channel
        .status(rig.now)
        .window
        .expect("something is recorded");
    assert_eq!(
        (clip.start(), clip.end(), clip.duration()),
        (window.start, window.end, window.duration)
    );
}

#[test]
fn a_clip_starts_on_the_key_at_or_before_the_moment() {
    let mut rig = Rig::new(16 * MIB);
    rig.run(Options::default(), 100);
    // Picture `n` was complete when the next one came, one frame after its own time.
    let window = rig
        .channel
        .status(rig.now)
        .window
        .expect("something is recorded");
    let picture = |n: u64| window.start + Duration::from_millis(40 * n);
    for (moment, first) in [
        (picture(30), 30),
        (picture(30) + Duration::from_micros(1), 30),
        (picture(40) - Duration::from_micros(1), 30),
        (picture(40), 40),
        (picture(0), 0),
        (window.start - seconds(5.0), 0),
    ] {
        let (clip, checked) = rig.check(
            Selection::Span {
                from: Some(moment),
                to: None,
            },
            Gaps::None,
        );
        assert_eq!(
            checked.pictures(),
            (first..100).collect::<Vec<_>>(),
            "from {moment:?}"
        );
        assert_eq!(clip.start(), picture(first as u64));
    }
}

/// One picture, whatever the moment is.
#[test]
fn a_keyframe_is_taken_for_itself() {
    for (name, options) in shapes() {
        if !options.video || options.one_key {
            continue;
        }
        let mut rig = Rig::new(64 * MIB);
        rig.run(options.clone(), 100);
        rig.run(Options { id: 1, ..options }, 100);
        let window = rig.channel.status(rig.now).window;
        let window = window.expect("something is recorded");
        let (mut at, mut last) = (window.start, None);
        let mut keys = 0;
        while at < window.end + seconds(1.0) {
            let key = rig.channel.keyframe(at).expect("there is one");
            assert!(key.start <= at, "{name}");
            assert_eq!(key.is_settled, at <= window.end, "{name}");
            let checked = check(&read_all(&key.clip), &rig.sent, Gaps::None);
            assert_eq!(checked.pictures().len(), 1, "{name} at {at:?}");
            if last.is_none_or(|last| key.offset > last) {
                keys += 1;
            }
            assert!(last.is_none_or(|last| key.offset >= last), "{name}");
            last = Some(key.offset);
            at = at + seconds(0.1);
        }
        assert!(keys > 4, "{name}: {keys} keyframes in {window:?}");
        let before = rig.channel.keyframe(window.start - seconds(0.001));
        assert!(matches!(before, Err(ClipError::OutsideWindow { .. })));
    }
}

#[test]
fn a_clip_ends_with_the_picture_that_is_shown_at_its_end() {
    let mut rig = Rig::new(16 * MIB);
    rig.run(Options::default(), 100);
    let window = rig
        .channel
        .status(rig.now)
        .window
        .expect("something is recorded");
    let picture = |n: u64| window.start + Duration::from_millis(40 * n);
    for (moment, last) in [
        (picture(1), 0),
        (picture(1) + Duration::from_micros(1), 1),
        (picture(25), 24),
        (picture(30), 29),
        (picture(31), 30),
        (window.end, 99),
        (window.end + seconds(9.0), 99),
    ] {
        let (clip, checked) = rig.check(
            Selection::Span {
                from: None,
                to: Some(moment),
            },
            Gaps::None,
        );
        assert_eq!(
            checked.pictures(),
            (0..=last).collect::<Vec<_>>(),
            "to {moment:?}"
        );
        assert_eq!(clip.end(), picture(last as u64 + 1));
    }
}

#[test]
fn with_b_pictures_no_shown_picture_is_missing_before_the_end() {
    for open in [false, true] {
        let options = Options {
            b_pictures: 2,
            gop: 4,
            open,
            ..Options::default()
        };
        let mut rig = Rig::new(16 * MIB);
        rig.run(options, 100);
        let window = rig
            .channel
            .status(rig.now)
            .window
            .expect("something is recorded");
        for n in 1..90 {
            let to = window.start + Duration::from_millis(40 * n);
            let (clip, checked) = rig.check(
                Selection::Span {
                    from: None,
                    to: Some(to),
                },
                Gaps::None,
            );
            let late = clip.end().0 - to.0;
            assert!(
                (-80_000..=120_000).contains(&late),
                "the clip to picture {n} ends {late} us late"
            );
            assert!(!checked.pictures().is_empty());
        }
    }
}

#[test]
fn the_live_edge_is_whole_after_every_picture() {
    for (name, options) in shapes() {
        eprintln!("{name}");
        let mut rig = Rig::new(16 * MIB);
        let mut writer = rig.connect();
        let mut stream = Synthetic::new(Options {
            picture_len: options.picture_len.min(3000),
            ..options
        });
        rig.record(&mut writer, &mut stream, 30);
        for n in 31..80 {
            rig.record(&mut writer, &mut stream, 1);
            let (_, checked) = rig.check(Selection::Last(seconds(1.0)), Gaps::None);
            let last = checked.pictures().into_iter().max().expect("pictures");
            assert!(last + 6 >= n, "after {n} pictures, the last is {last}");
        }
    }
}

#[test]
fn last_counts_from_now_while_recording_and_from_the_end_when_not() {
    let mut rig = Rig::new(16 * MIB);
    let mut writer = rig.connect();
    rig.record(&mut writer, &mut Synthetic::new(Options::default()), 250);
    let window = rig
        .channel
        .status(rig.now)
        .window
        .expect("something is recorded");
    // A delay in the pipeline counts: the moment two seconds ago lies one second in the window.
    let later = rig.now + seconds(1.0);
    let clip = rig
        .channel
        .clip(Selection::Last(seconds(2.0)), later)
        .expect("a clip");
    assert!(clip.start() <= later - seconds(2.0) && clip.start() > later - seconds(2.5));
    // Silent, and then without a source: the end of the window counts.
    let silent = rig.now + seconds(60.0);
    let from_end = |clip: &lookback_replay::Clip| {
        let asked = window.end - seconds(2.0);
        clip.start() <= asked && clip.start() > asked - seconds(0.4)
    };
    assert!(from_end(
        &rig.channel
            .clip(Selection::Last(seconds(2.0)), silent)
            .expect("a clip")
    ));
    drop(writer);
    let window = rig
        .channel
        .status(rig.now)
        .window
        .expect("something is recorded");
    let clip = rig
        .channel
        .clip(Selection::Last(seconds(2.0)), silent)
        .expect("a clip");
    let asked = window.end - seconds(2.0);
    assert!(clip.start() <= asked && clip.start() > asked - seconds(0.4));
}

#[test]
fn what_cannot_be_given_is_told_apart() {
    let mut rig = Rig::new(16 * MIB);
    assert!(matches!(
        rig.try_clip(Selection::All),
        Err(ClipError::Empty { problem: None })
    ));
    let mut writer = rig.connect();
    writer.write(
        b"hello, this is no transport stream\n"
            .repeat(100)
            .as_slice(),
        rig.now,
    );
    match rig.try_clip(Selection::All) {
        Err(ClipError::Empty {
            problem: Some(problem),
        }) => {
            assert_eq!(problem.code, "not_mpegts");
            assert!(problem.hint.contains("text"), "{}", problem.hint);
        }
        other => panic!("{:?}", other.map(|clip| clip.len())),
    }
    drop(writer);
    rig.run(Options::default(), 100);
    let window = rig
        .channel
        .status(rig.now)
        .window
        .expect("something is recorded");
    let span = |from: Wall, to: Wall| {
        rig.try_clip(Selection::Span {
            from: Some(from),
            to: Some(to),
        })
    };
    assert!(matches!(
        span(window.start, window.start),
        Err(ClipError::EmptySpan)
    ));
    assert!(matches!(
        span(window.end, window.start),
        Err(ClipError::EmptySpan)
    ));
    let is_outside = |result: Result<_, ClipError>| match result {
        Err(ClipError::OutsideWindow { start, end }) => (start, end) == (window.start, window.end),
        _ => false,
    };
    assert!(is_outside(span(
        window.end + seconds(1.0),
        window.end + seconds(2.0)
    )));
    assert!(is_outside(span(
        window.start - seconds(2.0),
        window.start - seconds(1.0)
    )));
    assert!(is_outside(rig.try_clip(Selection::Span {
        from: Some(window.end + seconds(0.1)),
        to: None
    })));
    assert!(span(window.start - seconds(1.0), window.start + seconds(1.0)).is_ok());
}

#[test]
fn where_nothing_comes_that_can_be_played_there_is_no_clip() {
    let mut rig = Rig::new(4 * MIB);
    rig.run(
        Options {
            gop: 0,
            ..Options::default()
        },
        400,
    );
    assert!(matches!(
        rig.try_clip(Selection::All),
        Err(ClipError::Empty { problem: None })
    ));
    assert!(rig.problem("no_keyframe") > 0);
    assert!(rig.channel.status(rig.now).window.is_none());
}

#[test]
fn sound_alone_is_cut_twice_a_second() {
    let mut rig = Rig::new(16 * MIB);
    rig.run(
        Options {
            video: false,
            ..Options::default()
        },
        500,
    );
    let clip = rig.clip(Selection::All);
    let all = crate::support::demux(&read_all(&clip));
    assert_eq!(all.len(), rig.sent.units.len());
    let window = rig
        .channel
        .status(rig.now)
        .window
        .expect("something is recorded");
    for n in 1..40 {
        let from = window.start + Duration::from_millis(n * 250);
        let clip = rig.clip(Selection::Span {
            from: Some(from),
            to: Some(from + seconds(3.0)),
        });
        assert!(
            clip.start() <= from && from.since(clip.start()) < seconds(0.53),
            "{n}"
        );
        let units = crate::support::demux(&read_all(&clip));
        assert!(
            units
                .iter()
                .all(|unit| rig.sent.find(&unit.payload).is_some())
        );
    }
}

#[test]
fn a_real_stream_gives_the_pictures_asked_for() {
    use lookback_testcard::{Config, Stream, TestCard};
    let config = Config {
        width: 320,
        height: 180,
        fps: 25,
        ..Config::default()
    };
    let card = || TestCard::new(config.clone()).expect("a good configuration");
    let mut rig = Rig::new(32 * MIB);
    let mut writer = rig.connect();
    for chunk in
        Stream::new(card(), 0, Stream::LEAD).take_while(|chunk| chunk.due < Ticks(20 * 90_000))
    {
        rig.now = BEGINNING + crate::support::rig::ticks(chunk.due);
        writer.write(&chunk.bytes, rig.now);
    }
    let mut pictures = card();
    for start in [0.0, 3.2, 10.0] {
        let window = rig
            .channel
            .status(rig.now)
            .window
            .expect("something is recorded");
        let from = window.start + seconds(start);
        let clip = rig.clip(Selection::Span {
            from: Some(from),
            to: Some(from + seconds(2.0)),
        });
        let first = card().keyframe_before((start * 25.0) as u64);
        let found = crate::support::demux(&read_all(&clip));
        let found: Vec<_> = found
            .into_iter()
            .filter(|unit| unit.pid == VIDEO_PID)
            .collect();
        let last = (start * 25.0) as u64 + 50;
        assert_eq!(found.len() as u64, last - first);
        for (n, unit) in (first..).zip(found) {
            assert!(unit.payload == pictures.picture(n), "picture {n}");
        }
    }
}

fn any_shape() -> impl Strategy<Value = Options> {
    let shapes = shapes();
    (0..shapes.len()).prop_map(move |at| shapes[at].1.clone())
}

proptest! {
    #![proptest_config(cases(48))]

    #[test]
    fn however_the_input_is_cut_the_clip_is_the_same(
        options in any_shape(),
        cuts in prop::collection::vec(1_usize..5000, 1..40),
    ) {
        let mut stream = Synthetic::new(Options { picture_len: options.picture_len.min(3000), ..options });
        let bytes = stream.bytes(60);
        let whole = Rig::new(16 * MIB);
        whole.connect().write(&bytes, BEGINNING);
        let cut = Rig::new(16 * MIB);
        let mut writer = cut.connect();
        let mut rest = &bytes[..];
        for len in cuts.iter().cycle() {
            let (now, later) = rest.split_at(*len.min(&rest.len()));
            writer.write(now, BEGINNING);
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        drop(writer);
        let [whole, cut] = [whole, cut].map(|rig| read_all(&rig.clip(Selection::All)));
        prop_assert!(whole == cut);
    }

    #[test]
    fn reads_at_any_place_give_the_same_bytes(
        options in any_shape(),
        reads in prop::collection::vec((0.0..1.1, 0_usize..400_000), 1..40),
    ) {
        let mut rig = Rig::new(32 * MIB);
        rig.run(Options { picture_len: options.picture_len.min(20_000), ..options.clone() }, 60);
        rig.run(Options { id: 1, picture_len: options.picture_len.min(20_000), ..options }, 60);
        let clip = rig.clip(Selection::All);
        let whole = read_all(&clip);
        check(&whole, &rig.sent, Gaps::None);
        for (place, max) in reads {
            let offset = (whole.len() as f64 * place) as usize;
            let read = clip.read(offset as u64, max).expect("the clip is there");
            let expected = whole.get(offset..).unwrap_or_default();
            prop_assert_eq!(read.is_empty(), expected.is_empty() || max == 0);
            prop_assert!(read.len() <= max && expected.starts_with(&read));
        }
    }
}
