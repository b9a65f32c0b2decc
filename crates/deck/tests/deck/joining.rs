//! What whoever joins a feed is given.

use std::time::Duration;

use lookback_deck::{Output, Seek, Then};
use lookback_mpegts::Ticks;

use crate::rig::*;

#[test]
fn who_joins_is_given_the_second_before() {
    let tape = tape(6);
    let mut rig = Rig::playing(&tape, 1.0);
    assert!(rig.deck.preroll().expect("held").is_empty());
    rig.run(3.0);
    let shown = *rig.take().last().expect("a picture");
    let preroll = rig.deck.preroll().expect("held");
    assert!(matches!(preroll[0], Output::Program(_)));
    rig.sent
        .extend(preroll.into_iter().map(|output| (Duration::ZERO, output)));
    rig.run(1.0);
    let pictures = rig.pictures();
    assert_eq!(pictures[0].0 % 15, 0);
    assert!(
        pictures[0].0 + 30 <= shown && pictures[0].0 + 45 >= shown,
        "{} {shown}",
        pictures[0].0
    );
    assert_eq!(
        rig.numbers(),
        (pictures[0].0..pictures[0].0 + pictures.len() as u64).collect::<Vec<_>>()
    );
    let (quick, steps) = (steps(&pictures), 3 * FRAME / 10);
    let given = usize::try_from(shown - pictures[0].0).expect("a few");
    assert!(
        quick[..given].iter().all(|&step| step == steps),
        "in less time"
    );
    assert!(
        quick[given + 1..].iter().all(|&step| step == FRAME),
        "{quick:?}"
    );
    let sound = rig.all_sound();
    assert!(sound[0].0 <= pictures[0].1 && sound[0].1 + FRAME > pictures[given].1);
}

/// A stream is opened by what is counted of it.
#[test]
fn who_joins_is_given_enough_where_little_was_shown() {
    let tape = tape(6);
    let mut rig = Rig::new(&tape);
    rig.load(&[1.0], false, Then::Hold);
    rig.run(1.0);
    rig.deck.step(2, rig.now).expect("held");
    rig.run(1.0);
    rig.sent.clear();
    let preroll = rig.deck.preroll().expect("held").into_iter();
    rig.sent
        .extend(preroll.map(|output| (Duration::ZERO, output)));
    let pictures = rig.pictures();
    assert_eq!(rig.numbers(), [vec![0; 28], vec![1, 2]].concat());
    assert!(steps(&pictures).iter().all(|&step| step == 3 * FRAME / 10));
    assert!(pictures[29].1 < rig.deck.feed_time().0);
}

#[test]
fn who_joins_while_a_picture_stands_is_told_that_nothing_follows() {
    let tape = tape(6);
    let mut rig = Rig::playing(&tape, 1.0);
    rig.run(3.0);
    let ends_still = |rig: &Rig<'_>| {
        let preroll = rig.deck.preroll().expect("held");
        matches!(preroll.last(), Some(Output::Still))
    };
    assert!(!ends_still(&rig), "the play goes on");
    rig.deck.pause();
    rig.run(1.0);
    assert!(ends_still(&rig));
    rig.deck.seek(Seek::To(Ticks(100 * FRAME)), rig.now);
    assert!(!ends_still(&rig), "what was sought is on its way");
    rig.run(1.0);
    assert!(ends_still(&rig));
}
