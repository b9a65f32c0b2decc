//! A player shows no picture before it has the sound of its time.

use lookback_deck::{Seek, Speed};
use lookback_mpegts::Ticks;

use crate::rig::*;

#[test]
fn sound_never_leaves_a_picture_waiting() {
    let tape = tape(6);
    let mut rig = Rig::playing(&tape, 1.0);
    rig.run(1.0);
    rig.deck.set_speed(Speed::new(0.5).expect("good"), rig.now);
    rig.run(1.0);
    rig.deck.set_speed(Speed::new(-2.0).expect("good"), rig.now);
    rig.run(0.5);
    rig.deck.seek(Seek::To(Ticks(50 * FRAME)), rig.now);
    rig.deck.set_speed(Speed::NORMAL, rig.now);
    rig.run(1.0);
    rig.deck.pause();
    rig.run(1.0);
    rig.deck.step(-2, rig.now).expect("held");
    rig.run(1.0);
    let (mut sound, mut waits) = (FEED_START, 0);
    for (_, unit) in rig.units() {
        if unit.stream == 1 {
            sound = sound.max(unit.pts.0 + 1920 * unit.payload.len() as i64);
        } else if unit.pts.0 > sound + FRAME {
            waits += 1;
        }
    }
    assert_eq!(waits, 0);
}

/// A player shows no picture before it has the sound of its time.
#[test]
fn sound_that_comes_late_in_the_recording_is_sent_in_time() {
    let tape = late_tape(5);
    let mut rig = Rig::playing(&tape, 1.0);
    rig.run(1.0);
    rig.deck.seek(Seek::To(Ticks(50 * FRAME)), rig.now);
    rig.run(2.0);
    assert!(rig.sounds().len() > 100, "{}", rig.sounds().len());
    let mut picture = 0;
    for (at, unit) in rig.units() {
        if unit.stream == 0 {
            picture = unit.pts.0;
        } else {
            assert!(
                unit.pts.0 + 2 * FRAME > picture,
                "{} {picture} at {at:?}",
                unit.pts.0
            );
        }
    }
    let all = rig.all_sound();
    assert!(
        all.windows(2).all(|pair| pair[0].1 <= pair[1].0 + 90),
        "{all:?}"
    );
}

#[test]
fn the_picture_that_stands_has_its_sound() {
    let tape = tape(6);
    for wait in 0..20 {
        let mut rig = Rig::playing(&tape, 1.0);
        rig.run(1.0 + f64::from(wait) * 0.007);
        rig.deck.pause();
        rig.run(1.0);
        let sound = rig.units().filter(|(_, unit)| unit.stream == 1);
        let until = sound.map(|(_, unit)| unit.pts.0 + 1920 * unit.payload.len() as i64);
        let (_, last, _) = rig.pictures()[rig.pictures().len() - 1];
        assert!(until.max() >= Some(last + FRAME), "after {wait} times 7 ms");
    }
}
