//! Whole matches of commands over a recorded test card.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use lookback_deck::{Item, Load, Mode, Output, Seek, Source, Speed, Then};
use lookback_mpegts::Ticks;

use crate::rig::*;

#[test]
fn plays_everything_once_in_real_time() {
    let tape = tape(4);
    let mut rig = Rig::playing(&tape, 1.0);
    rig.run(5.0);
    let pictures = rig.pictures();
    let last = pictures.len() as u64;
    assert_eq!(rig.numbers(), (0..last).collect::<Vec<_>>());
    assert!(last >= 119, "{last}");
    assert!(steps(&pictures).iter().all(|&step| step == FRAME));
    assert!(rig.sounds().len() > 180);
    let sent_at = |n: usize| pictures[n].2.as_secs_f64();
    assert_eq!((sent_at(0), sent_at(1)), (0.0, 0.0), "the first at once");
    assert!(
        (sent_at(60) - 1.95).abs() < 0.001,
        "then a little ahead, at {}",
        sent_at(60)
    );
    assert_eq!(rig.mode(), Mode::Paused);
    assert!(matches!(rig.sent.last(), Some((_, Output::Still))));
}

#[test]
fn slow_motion_stretches_without_sound() {
    let tape = tape(3);
    let mut rig = Rig::playing(&tape, 0.25);
    rig.run(4.0);
    let pictures = rig.pictures();
    assert!(steps(&pictures).iter().all(|&step| step == 4 * FRAME));
    assert_eq!(rig.sounds(), [0i64; 0]);
    let silence = rig.all_sound();
    assert!(
        silence.windows(2).all(|pair| pair[0].1 == pair[1].0),
        "{silence:?}"
    );
    assert!(silence[silence.len() - 1].1 >= pictures[pictures.len() - 1].1);
    assert!((30..=34).contains(&pictures.len()), "{}", pictures.len());
}

#[test]
fn fast_motion_shows_all_pictures_up_to_four() {
    let tape = tape(4);
    let mut rig = Rig::playing(&tape, 4.0);
    rig.run(2.0);
    assert!(steps(&rig.pictures()).iter().all(|&step| step == FRAME / 4));
    assert!(rig.numbers().len() >= 119);
}

#[test]
fn beyond_four_and_back_show_keyframes() {
    let tape = tape(6);
    let mut rig = Rig::playing(&tape, 8.0);
    rig.run(2.0);
    assert_eq!(
        rig.numbers(),
        (0..12).map(|key| key * 15).collect::<Vec<_>>()
    );
    assert!(
        steps(&rig.pictures())
            .iter()
            .all(|&step| step == 15 * FRAME / 8)
    );

    let mut rig = Rig::playing(&tape, -4.0);
    rig.run(3.0);
    assert_eq!(
        rig.numbers(),
        (0..12).rev().map(|key| key * 15).collect::<Vec<_>>()
    );
    assert!(
        steps(&rig.pictures())
            .iter()
            .all(|&step| step == 15 * FRAME / 4)
    );
    assert_eq!(rig.mode(), Mode::Paused, "stands at the first picture");
}

#[test]
fn pause_stands_and_resume_goes_on_by_one_picture() {
    let tape = tape(6);
    let mut rig = Rig::playing(&tape, 1.0);
    rig.run(2.0);
    rig.deck.pause();
    let before = rig.pictures().len();
    rig.run(3600.0);
    assert_eq!(rig.pictures().len(), before, "nothing moves for an hour");
    let resumed = rig.now - rig.start;
    rig.deck.play(rig.now);
    rig.run(1.0);
    let pictures = rig.pictures();
    assert_eq!(
        rig.numbers(),
        (0..pictures.len() as u64).collect::<Vec<_>>()
    );
    assert!(
        steps(&pictures).iter().all(|&step| step == FRAME),
        "{:?}",
        steps(&pictures)
    );
    assert_eq!(pictures[before].2, resumed, "at once");
    assert!(pictures.len() - before < 46, "without hurry");
}

/// Where pictures wait for their turn, what brings them out takes the references of those that follow away.
#[test]
fn resume_begins_with_a_keyframe_where_pictures_come_in_another_order() {
    let tape = reordered_tape(12);
    let mut rig = Rig::playing(&tape, 1.0);
    rig.run(2.0);
    rig.deck.set_speed(Speed::new(0.5).expect("good"), rig.now);
    rig.run(1.0);
    rig.deck.set_speed(Speed::NORMAL, rig.now);
    rig.run(0.5);
    rig.deck.pause();
    rig.run(1.0);
    assert!(matches!(rig.sent.last(), Some((_, Output::Still))));
    let position = rig.deck.status(rig.now).position;
    let sent = rig.take();
    assert!(sent.len() > 80, "{sent:?}");
    let once: HashSet<u64> = sent.iter().copied().collect();
    assert_eq!(once.len(), sent.len(), "another speed is no restart");
    let stood = *sent.iter().max().expect("some");
    assert_eq!(position, Ticks(stood as i64 * FRAME));

    rig.deck.play(rig.now);
    rig.run(1.0);
    let pictures = rig.pictures();
    assert_eq!(pictures[0].0, stood / 15 * 15, "a keyframe");
    let stands = pictures.iter().find(|picture| picture.0 == stood);
    let run_up = stands.expect("it is among them").1 - pictures[0].1;
    assert!(run_up <= 15 * FRAME / 30, "{run_up} before it moves");
    assert!(rig.numbers().contains(&(stood + 20)));
}

#[test]
fn seek_shows_the_wanted_picture_after_a_quick_run_up() {
    let tape = tape(6);
    let mut rig = Rig::playing(&tape, 1.0);
    rig.run(1.0);
    rig.take();
    assert!(rig.deck.seek(Seek::To(Ticks(100 * FRAME)), rig.now));
    rig.run(1.0);
    let pictures = rig.pictures();
    assert_eq!(pictures[0].0, 90, "from the keyframe");
    let run_up = pictures[10].1 - pictures[0].1;
    assert_eq!((pictures[10].0, run_up), (100, 10 * FRAME / 30));
    assert!(steps(&pictures[10..]).iter().all(|&step| step == FRAME));
    let sounds = rig.sounds();
    assert!(
        sounds[0] >= pictures[10].1,
        "no sound before the wanted picture"
    );
    assert!(
        sounds[0] < pictures[11].1,
        "{} {}",
        sounds[0],
        pictures[11].1
    );
}

#[test]
fn seek_beyond_the_ends_is_clamped_and_says_so() {
    let tape = tape(3);
    let mut rig = Rig::new(&tape);
    rig.load(&[1.0], false, Then::Hold);
    rig.run(0.1);
    assert_eq!(rig.take(), [0]);
    assert!(!rig.deck.seek(Seek::To(Ticks(500 * 90_000)), rig.now));
    rig.run(0.1);
    let last = *rig.take().last().expect("a picture");
    assert!((88..=89).contains(&last), "{last}");
    assert!(!rig.deck.seek(Seek::By(Ticks(-500 * 90_000)), rig.now));
    rig.run(0.1);
    assert_eq!(rig.take(), [0]);
    assert!(rig.deck.seek(Seek::Out, rig.now) && rig.deck.seek(Seek::In, rig.now));
}

#[test]
fn steps_by_pictures_both_ways_over_keyframes() {
    let tape = tape(3);
    let mut rig = Rig::new(&tape);
    rig.load(&[1.0], false, Then::Hold);
    rig.deck.seek(Seek::To(Ticks(29 * FRAME)), rig.now);
    rig.run(0.1);
    assert_eq!(rig.take().last(), Some(&29));
    for (step, shown) in [
        (1, 30),
        (1, 31),
        (-1, 30),
        (-1, 29),
        (-1, 28),
        (-20, 8),
        (5, 13),
        (-100, 0),
    ] {
        rig.deck.step(step, rig.now).expect("held");
        rig.run(0.1);
        assert_eq!(rig.take().last(), Some(&shown), "step {step}");
        assert_eq!(
            rig.deck.status(rig.now).position,
            Ticks(shown as i64 * FRAME)
        );
    }
}

#[test]
fn speed_changes_in_the_middle_without_a_restart() {
    let tape = tape(6);
    let mut rig = Rig::playing(&tape, 1.0);
    rig.run(2.0);
    rig.deck.set_speed(Speed::new(0.5).expect("good"), rig.now);
    rig.run(2.0);
    rig.deck.set_speed(Speed::NORMAL, rig.now);
    rig.run(1.0);
    let pictures = rig.pictures();
    assert_eq!(
        rig.numbers(),
        (0..pictures.len() as u64).collect::<Vec<_>>()
    );
    let steps = steps(&pictures);
    assert!(
        steps.iter().all(|&step| step == FRAME || step == 2 * FRAME),
        "{steps:?}"
    );
    assert!((28..=34).contains(&steps.iter().filter(|&&step| step == 2 * FRAME).count()));
}

#[test]
fn a_list_plays_without_a_seam_each_at_its_speed() {
    let tape = tape(2);
    let mut rig = Rig::new(&tape);
    rig.load(&[1.0, 0.5], true, Then::Next);
    rig.run(7.0);
    let pictures = rig.pictures();
    let seam = pictures
        .iter()
        .skip(1)
        .position(|picture| picture.0 == 0)
        .expect("a second start")
        + 1;
    assert_eq!(pictures[seam].1 - pictures[seam - 1].1, FRAME);
    assert!(
        steps(&pictures[seam..])
            .iter()
            .all(|&step| step == 2 * FRAME)
    );
    let status = rig.deck.status(rig.now);
    assert_eq!(
        (status.item, status.items, status.mode),
        (1, 2, Mode::Paused)
    );
    let at = |n: usize| pictures[n].2.as_secs_f64();
    assert!(
        at(seam) < 2.0 && at(seam) > 1.5,
        "the second is sent ahead as well: {}",
        at(seam)
    );
}

#[test]
fn what_happens_at_the_end() {
    let tape = tape(2);
    for (then, mode, starts) in [
        (Then::Hold, Mode::Paused, 1),
        (Then::Idle, Mode::Idle, 1),
        (Then::Loop, Mode::Playing, 5),
    ] {
        let mut rig = Rig::new(&tape);
        rig.load(&[1.0], true, then);
        rig.run(9.0);
        assert_eq!(rig.mode(), mode);
        let again = rig.numbers().iter().filter(|&&number| number == 0).count();
        assert_eq!(again, starts, "{then:?}");
    }
}

#[test]
fn a_command_cuts_short_a_picture_that_stands() {
    let tape = tape(6);
    for speed in [0.05, -1.0] {
        let mut rig = Rig::playing(&tape, speed);
        rig.run(0.7);
        rig.take();
        let asked = rig.now - rig.start;
        rig.deck.seek(Seek::To(Ticks(60 * FRAME)), rig.now);
        rig.run(0.1);
        let first = rig.pictures()[0];
        assert_eq!((first.0, first.2), (60, asked), "at {speed}");
    }
}

/// Where the last picture is a keyframe, nothing that is decoded before it tells how long a picture is on.
#[test]
fn play_at_the_end_begins_again_at_any_frame_rate() {
    let tape = tape_of(25, 3);
    let mut rig = Rig::new(&tape);
    let start = tape.clip.timeline().start;
    let end = start + Ticks(27 * 3600);
    let load = Load {
        items: vec![Item {
            source: Source::Part(Arc::clone(&tape.clip), start..end),
            speed: Speed::NORMAL,
            continues: false,
        }],
        play: false,
        then: Then::Hold,
    };
    rig.deck.load(load, rig.now);
    rig.run(0.1);
    rig.deck.seek(Seek::To(Ticks(5 * 3600)), rig.now);
    rig.run(0.1);
    rig.take();
    rig.deck.seek(Seek::Out, rig.now);
    rig.run(0.1);
    assert_eq!(rig.take(), [26]);
    rig.deck.play(rig.now);
    rig.run(2.0);
    assert_eq!(rig.take(), (0..27).collect::<Vec<_>>());
}

/// As of a machine that was asleep.
#[test]
fn a_clock_that_jumps_loses_nothing() {
    let tape = tape(6);
    let mut rig = Rig::playing(&tape, 1.0);
    rig.run(2.0);
    rig.now += Duration::from_secs(3600);
    let before = rig.numbers().len();
    rig.run(1.0);
    let pictures = rig.pictures();
    assert_eq!(
        rig.numbers(),
        (0..pictures.len() as u64).collect::<Vec<_>>()
    );
    assert!(
        (30..40).contains(&(pictures.len() - before)),
        "{} {before}",
        pictures.len()
    );
    assert!(steps(&pictures).iter().all(|&step| step == FRAME));
    assert_eq!(rig.mode(), Mode::Playing);
}

/// A key that is held down sends steps faster than pictures are sent.
#[test]
fn steps_in_a_row_are_all_taken() {
    let tape = tape(2);
    let mut rig = Rig::new(&tape);
    rig.load(&[1.0], false, Then::Hold);
    rig.run(1.0);
    for _ in 0..5 {
        rig.deck.step(1, rig.now).expect("it is all there");
    }
    let position = |rig: &Rig<'_>| rig.deck.status(rig.now).position;
    assert_eq!(position(&rig), Ticks(5 * FRAME), "before it is sent");
    rig.run(1.0);
    assert_eq!(position(&rig), Ticks(5 * FRAME));
    assert_eq!(rig.take().last(), Some(&5));
}
