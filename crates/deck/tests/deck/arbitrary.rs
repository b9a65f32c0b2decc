//! Any commands at all.

use lookback_deck::{Seek, Speed, Then};
use lookback_mpegts::Ticks;

use proptest::prelude::*;

use crate::rig::*;

#[derive(Clone, Debug)]
enum Command {
    Load(f64, bool, Then),
    Pause,
    Play,
    Seek(i64),
    Speed(f64),
    Step(i32),
    Stop,
    Wait(u32),
}

fn command() -> impl Strategy<Value = Command> {
    let speed = prop_oneof![Just(1.0), 0.05..4.0f64, 4.1..16.0f64, -16.0..-1.0f64];
    let then = prop_oneof![
        Just(Then::Hold),
        Just(Then::Idle),
        Just(Then::Loop),
        Just(Then::Next)
    ];
    prop_oneof![
        (speed.clone(), any::<bool>(), then)
            .prop_map(|(speed, play, then)| Command::Load(speed, play, then)),
        Just(Command::Pause),
        Just(Command::Play),
        (-100_000i64..700_000).prop_map(Command::Seek),
        speed.prop_map(Command::Speed),
        (-40i32..40).prop_map(Command::Step),
        Just(Command::Stop),
        (0u32..3000).prop_map(Command::Wait),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_commands_give_a_feed_that_decodes(commands in prop::collection::vec(command(), 1..30)) {
        thread_local!(static TAPE: Tape = tape(6));
        TAPE.with(|tape| {
            let mut rig = Rig::new(tape);
            for command in commands {
                match command {
                    Command::Load(speed, play, then) => rig.load(&[speed, 1.0], play, then),
                    Command::Pause => rig.deck.pause(),
                    Command::Play => rig.deck.play(rig.now),
                    Command::Seek(to) => { rig.deck.seek(Seek::To(Ticks(to)), rig.now); }
                    Command::Speed(speed) => rig.deck.set_speed(Speed::new(speed).expect("good"), rig.now),
                    Command::Step(pictures) => rig.deck.step(pictures, rig.now).expect("held"),
                    Command::Stop => rig.deck.stop(),
                    Command::Wait(millis) => rig.run(f64::from(millis) / 1000.0),
                }
            }
            rig.run(1.0);
            let status = rig.deck.status(rig.now);
            prop_assert!(status.position >= Ticks(0) && status.position <= status.duration);
            let pictures = rig.pictures();
            for pair in pictures.windows(2) {
                let ((before, pts_before, _), (number, pts, _)) = (pair[0], pair[1]);
                prop_assert!(pts > pts_before, "timestamps rise: {pair:?}");
                // What does not follow the picture before it decodes by itself.
                prop_assert!(number == before + 1 || number % 15 == 0, "{pair:?}");
            }
            if let Some((number, _, _)) = pictures.first() {
                prop_assert_eq!(number % 15, 0);
            }
            // What is sent is never far ahead of what can have been shown.
            for (_, pts, at) in &pictures {
                let feed = (pts - FEED_START) as f64 / 90_000.0;
                prop_assert!(feed - at.as_secs_f64() < 3.0, "{feed} at {at:?}");
            }
            let sound = rig.all_sound();
            prop_assert!(sound.windows(2).all(|pair| pair[1].0 > pair[0].0), "sound rises: {sound:?}");
            Ok(())
        })?;
    }
}
