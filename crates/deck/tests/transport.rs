//! The transport in virtual time: whole matches of commands over a recorded test card.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use lookback_deck::{Deck, Idle, Item, Load, Mode, Next, Output, Seek, Source, Speed, Then};
use lookback_mpegts::{MuxStream, Muxer, MuxerConfig, Pcr, Pid, Ticks};
use lookback_replay::{Clip, Limits, Recorder, Selection, Unit, Wall};
use lookback_testcard::{Config, Stream, TestCard};
use proptest::prelude::*;

const FPS: u32 = 30;
const FRAME: i64 = 3000;
const FEED_START: i64 = 900_000;

/// A recorded card, and the number of each of its pictures by its bytes.
struct Tape {
    _recorder: Arc<Recorder>,
    clip: Arc<Clip>,
    numbers: HashMap<Vec<u8>, u64>,
}

fn tape(seconds: i64) -> Tape {
    let config = Config {
        width: 320,
        height: 180,
        fps: FPS,
        ..Config::default()
    };
    let recorder = Recorder::new(Limits {
        memory: 64 << 20,
        keep: None,
    });
    let channel = recorder.add_channel("main");
    let mut writer = channel.connect("card", Wall(0)).expect("free");
    let card = TestCard::new(config.clone()).expect("a known size");
    for chunk in
        Stream::new(card, 0, Ticks::SECOND).take_while(|chunk| chunk.due < Ticks(seconds * 90_000))
    {
        writer.write(&chunk.bytes, Wall(chunk.due.0 * 100 / 9));
    }
    drop(writer);
    let clip = channel
        .clip(Selection::All, Wall(seconds * 1_000_000))
        .expect("recorded");
    let mut card = TestCard::new(config).expect("a known size");
    let pictures = (seconds * i64::from(FPS)) as u64;
    let numbers = (0..pictures).map(|n| (card.picture(n), n)).collect();
    Tape {
        _recorder: recorder,
        clip,
        numbers,
    }
}

/// The tape with its sound a third of a second behind the pictures it belongs to, as some recorders write it.
fn late_tape(seconds: i64) -> Tape {
    let tape = tape(seconds);
    let mut units = Vec::new();
    let mut taken = tape.clip.units();
    while let Some(unit) = taken.next().expect("held") {
        units.push(unit);
    }
    let late = |unit: &Unit| unit.dts + Ticks(if unit.stream > 0 { 30_000 } else { 0 });
    units.sort_by_key(late);
    let recorder = Recorder::new(Limits {
        memory: 64 << 20,
        keep: None,
    });
    let channel = recorder.add_channel("main");
    let mut writer = channel.connect("card", Wall(0)).expect("free");
    let mut muxer = tape.clip.program().muxer();
    for unit in &units {
        let payload: Vec<&[u8]> = unit.payload.iter().map(|piece| &piece[..]).collect();
        let mut packets = Vec::new();
        if unit.stream == 0 && unit.random_access {
            muxer.write_tables(&mut packets);
        }
        muxer.write_unit(
            &mut packets,
            lookback_mpegts::Unit {
                stream: unit.stream,
                pts: unit.pts,
                dts: unit.dts,
                random_access: unit.random_access,
                pcr: (unit.stream == 0).then(|| Pcr::from(unit.dts - Ticks(9000))),
                payload: &payload,
            },
        );
        writer.write(&packets, Wall(unit.dts.0 * 100 / 9));
    }
    drop(writer);
    let clip = channel
        .clip(Selection::All, Wall(60_000_000))
        .expect("recorded");
    Tape {
        _recorder: recorder,
        clip,
        numbers: tape.numbers,
    }
}

/// As many pictures in groups of 15 that are shown in another order than they come in: I P B B P B B ...
fn reordered_tape(groups: u64) -> Tape {
    let config = Config {
        width: 320,
        height: 180,
        fps: FPS,
        ..Config::default()
    };
    let recorder = Recorder::new(Limits {
        memory: 64 << 20,
        keep: None,
    });
    let channel = recorder.add_channel("main");
    let mut writer = channel.connect("card", Wall(0)).expect("free");
    let mut muxer = Muxer::new(MuxerConfig {
        streams: vec![MuxStream {
            pid: Pid::new(0x100),
            stream_type: 0x1b,
            stream_id: 0xe0,
            descriptors: Vec::new(),
        }],
        ..MuxerConfig::default()
    });
    let mut card = TestCard::new(config).expect("a known size");
    let order = [0, 3, 1, 2, 6, 4, 5, 9, 7, 8, 12, 10, 11, 14, 13];
    let mut numbers = HashMap::new();
    for (at, number) in (0..groups)
        .flat_map(|group| order.map(|n| group * 15 + n))
        .enumerate()
    {
        let picture = card.picture(number);
        let dts = Ticks::SECOND + Ticks(at as i64 * FRAME);
        let mut packets = Vec::new();
        if number % 15 == 0 {
            muxer.write_tables(&mut packets);
        }
        muxer.write_unit(
            &mut packets,
            lookback_mpegts::Unit {
                stream: 0,
                pts: Ticks::SECOND + Ticks((number as i64 + 1) * FRAME),
                dts,
                random_access: number % 15 == 0,
                pcr: Some(Pcr::from(dts - Ticks(9000))),
                payload: &[&picture],
            },
        );
        writer.write(&packets, Wall(dts.0 * 100 / 9));
        numbers.insert(picture, number);
    }
    drop(writer);
    let clip = channel
        .clip(Selection::All, Wall(60_000_000))
        .expect("recorded");
    Tape {
        _recorder: recorder,
        clip,
        numbers,
    }
}

/// A deck, its clock, and what it has sent so far.
struct Rig<'a> {
    tape: &'a Tape,
    deck: Deck,
    start: Instant,
    now: Instant,
    sent: Vec<(Duration, Output)>,
}

impl<'a> Rig<'a> {
    fn new(tape: &'a Tape) -> Self {
        let now = Instant::now();
        Self {
            tape,
            deck: Deck::new(Idle::Last),
            start: now,
            now,
            sent: Vec::new(),
        }
    }

    fn load(&mut self, speeds: &[f64], play: bool, then: Then) {
        let items = speeds.iter().map(|&speed| Item {
            source: Source::Clip(Arc::clone(&self.tape.clip)),
            speed: Speed::new(speed).expect("a good speed"),
            continues: false,
        });
        let items = items.collect();
        self.deck.load(Load { items, play, then }, self.now);
    }

    /// From and to these pictures of the tape.
    fn load_spans(&mut self, spans: &[(i64, i64)], speed: f64, play: bool) {
        let start = self.tape.clip.timeline().start;
        let items = spans.iter().map(|&(from, to)| Item {
            source: Source::Part(
                Arc::clone(&self.tape.clip),
                start + Ticks(from * FRAME)..start + Ticks(to * FRAME),
            ),
            speed: Speed::new(speed).expect("a good speed"),
            continues: true,
        });
        let items = items.collect();
        let then = Then::Hold;
        self.deck.load(Load { items, play, then }, self.now);
    }

    fn playing(tape: &'a Tape, speed: f64) -> Self {
        let mut rig = Self::new(tape);
        rig.load(&[speed], true, Then::Hold);
        rig
    }

    /// Lets time pass, sending what is due.
    fn run(&mut self, seconds: f64) {
        let until = self.now + Duration::from_secs_f64(seconds);
        loop {
            match self.deck.poll(self.now, Waker::noop()) {
                Next::Now(output) => self.sent.push((self.now - self.start, output)),
                Next::At(due) if due <= until => self.now = due.max(self.now),
                Next::At(_) | Next::Command => break,
            }
        }
        self.now = until;
    }

    fn units(&self) -> impl Iterator<Item = (Duration, &Unit)> {
        self.sent.iter().filter_map(|(at, output)| match output {
            Output::Unit(unit) => Some((*at, unit)),
            _ => None,
        })
    }

    /// Number, feed time and moment of sending of each picture.
    fn pictures(&self) -> Vec<(u64, i64, Duration)> {
        let number = |unit: &Unit| self.tape.numbers[&unit.payload.concat()];
        let pictures = self.units().filter(|(_, unit)| unit.stream == 0);
        pictures
            .map(|(at, unit)| (number(unit), unit.pts.0, at))
            .collect()
    }

    fn numbers(&self) -> Vec<u64> {
        self.pictures().iter().map(|picture| picture.0).collect()
    }

    fn take(&mut self) -> Vec<u64> {
        let numbers = self.numbers();
        self.sent.clear();
        numbers
    }

    /// Feed time of each unit of recorded sound.
    fn sounds(&self) -> Vec<i64> {
        let silence = self
            .tape
            .clip
            .program()
            .silence(1)
            .expect("AAC")
            .payload
            .clone();
        let sounds = self.units().filter(|(_, unit)| unit.stream == 1);
        sounds
            .filter(|(_, unit)| unit.payload[0] != silence)
            .map(|(_, unit)| unit.pts.0)
            .collect()
    }

    /// Where each unit of sound or silence begins and ends.
    fn all_sound(&self) -> Vec<(i64, i64)> {
        let sounds = self.units().filter(|(_, unit)| unit.stream == 1);
        sounds
            .map(|(_, unit)| (unit.pts.0, unit.pts.0 + 1920 * unit.payload.len() as i64))
            .collect()
    }

    fn mode(&self) -> Mode {
        self.deck.status(self.now).mode
    }
}

fn steps(pictures: &[(u64, i64, Duration)]) -> Vec<i64> {
    pictures
        .windows(2)
        .map(|pair| pair[1].1 - pair[0].1)
        .collect()
}

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
