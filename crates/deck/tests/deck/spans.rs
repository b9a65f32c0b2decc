//! Parts of clips, to the picture.

use lookback_deck::{Mode, Output, Seek};
use lookback_mpegts::Ticks;

use crate::rig::*;

/// The pictures that stand long enough to be seen.
fn seen(rig: &Rig<'_>) -> Vec<u64> {
    let pictures = rig.pictures();
    let follows = pictures.iter().skip(1).map(|picture| picture.1);
    let next = follows.chain([i64::MAX]);
    let both = pictures.iter().zip(next);
    both.filter(|(picture, next)| next - picture.1 >= FRAME)
        .map(|(picture, _)| picture.0)
        .collect()
}

#[test]
fn a_span_plays_from_its_first_picture_to_its_last_and_then_the_next() {
    let tape = tape(4);
    for spans in [
        &[(20, 50)][..],
        &[(75, 90), (20, 50), (31, 32)],
        &[(0, 30), (30, 60)],
    ] {
        let mut rig = Rig::new(&tape);
        rig.load_spans(spans, 1.0, true);
        rig.run(4.0);
        let expected: Vec<u64> = spans
            .iter()
            .flat_map(|&(from, to)| from as u64..to as u64)
            .collect();
        assert_eq!(seen(&rig), expected, "{spans:?}");
        let length: i64 = spans.iter().map(|&(from, to)| (to - from) * FRAME).sum();
        let heard = rig.sounds().len() as i64 * 1920;
        assert!(
            (heard - length).abs() < 4 * 1920 * spans.len() as i64,
            "{heard} of {length}"
        );
        assert_eq!(rig.mode(), Mode::Paused);
        assert!(matches!(rig.sent.last(), Some((_, Output::Still))));
        let ended = rig
            .sent
            .iter()
            .filter(|(_, it)| matches!(it, Output::Ended));
        assert_eq!(ended.count(), 1, "what continues has not ended");
    }
}

#[test]
fn nothing_outside_of_a_span_can_be_reached() {
    let tape = tape(4);
    let mut rig = Rig::new(&tape);
    rig.load_spans(&[(20, 50)], 1.0, false);
    rig.run(0.1);
    assert_eq!(rig.take().last(), Some(&20));
    assert_eq!(rig.deck.status(rig.now).duration, Ticks(30 * FRAME));
    let mut shown_after = |seek: Seek, within: bool| {
        assert_eq!(rig.deck.seek(seek, rig.now), within, "{seek:?}");
        rig.run(0.1);
        rig.take().last().copied()
    };
    assert_eq!(shown_after(Seek::To(Ticks(10 * FRAME)), true), Some(30));
    assert_eq!(shown_after(Seek::By(Ticks(-20 * FRAME)), false), Some(20));
    assert_eq!(shown_after(Seek::To(Ticks(60 * FRAME)), false), Some(49));
    rig.deck.step(1, rig.now).expect("the clip is there");
    rig.run(0.1);
    assert_eq!(rig.take(), [0u64; 0], "the last stays");
    rig.deck.step(-1, rig.now).expect("the clip is there");
    rig.run(0.1);
    assert_eq!(rig.take().last(), Some(&48));
}

#[test]
fn the_keys_of_a_span_alone_are_shown_when_it_is_wound() {
    let tape = tape(4);
    for (speed, keys) in [(8.0, [30, 45, 60]), (-4.0, [60, 45, 30])] {
        let mut rig = Rig::new(&tape);
        rig.load_spans(&[(20, 75)], speed, true);
        rig.run(3.0);
        assert_eq!(rig.numbers(), keys, "at {speed}");
        assert_eq!(rig.mode(), Mode::Paused);
    }
}
