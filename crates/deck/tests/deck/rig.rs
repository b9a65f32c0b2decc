//! What the tests share: tapes to play, and a deck in virtual time that plays them.

use std::collections::HashMap;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use lookback_deck::{Deck, Idle, Item, Load, Mode, Next, Output, Source, Speed, Then};
use lookback_mpegts::{MuxStream, Muxer, MuxerConfig, Pcr, Pid, Ticks};
use lookback_replay::{Clip, Limits, Recorder, Selection, Unit, Wall, Writer};
use lookback_testcard::{Config, Stream, TestCard};

pub(crate) const FPS: u32 = 30;
pub(crate) const FRAME: i64 = 3000;
pub(crate) const FEED_START: i64 = 900_000;

/// A recorded card, and the number of each of its pictures by its bytes.
pub(crate) struct Tape {
    _recorder: Arc<Recorder>,
    pub(crate) clip: Arc<Clip>,
    pub(crate) numbers: HashMap<Vec<u8>, u64>,
}

impl Tape {
    /// What is written into a channel.
    fn recorded(numbers: HashMap<Vec<u8>, u64>, write: impl FnOnce(&mut Writer)) -> Self {
        let recorder = Recorder::new(Limits {
            memory: 64 << 20,
            keep: None,
        });
        let channel = recorder.add_channel("main");
        let mut writer = channel.connect("card", Wall(0)).expect("free");
        write(&mut writer);
        drop(writer);
        let clip = channel.clip(Selection::All, Wall(60_000_000));
        Self {
            clip: clip.expect("recorded"),
            _recorder: recorder,
            numbers,
        }
    }
}

fn card(fps: u32) -> TestCard {
    let config = Config {
        width: 320,
        height: 180,
        fps,
        ..Config::default()
    };
    TestCard::new(config).expect("a known size")
}

pub(crate) fn tape(seconds: i64) -> Tape {
    tape_of(FPS, seconds)
}

/// The card at so many pictures a second.
pub(crate) fn tape_of(fps: u32, seconds: i64) -> Tape {
    let mut pictures = card(fps);
    let count = (seconds * i64::from(fps)) as u64;
    let numbers = (0..count).map(|n| (pictures.picture(n), n)).collect();
    Tape::recorded(numbers, |writer| {
        let end = Ticks(seconds * 90_000);
        let chunks = Stream::new(card(fps), 0, Ticks::SECOND);
        for chunk in chunks.take_while(|chunk| chunk.due < end) {
            writer.write(&chunk.bytes, Wall(chunk.due.0 * 100 / 9));
        }
    })
}

/// The tape with its sound a third of a second behind the pictures it belongs to, as some recorders write it.
pub(crate) fn late_tape(seconds: i64) -> Tape {
    let tape = tape(seconds);
    let mut units = Vec::new();
    let mut taken = tape.clip.units();
    while let Some(unit) = taken.next().expect("held") {
        units.push(unit);
    }
    let late = |unit: &Unit| unit.dts + Ticks(if unit.stream > 0 { 30_000 } else { 0 });
    units.sort_by_key(late);
    let mut muxer = tape.clip.program().muxer();
    Tape::recorded(tape.numbers, |writer| {
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
    })
}

/// As many pictures in groups of 15 that are shown in another order than they come in: I P B B P B B ...
pub(crate) fn reordered_tape(groups: u64) -> Tape {
    let mut muxer = Muxer::new(MuxerConfig {
        streams: vec![MuxStream {
            pid: Pid::new(0x100),
            stream_type: 0x1b,
            stream_id: 0xe0,
            descriptors: Vec::new(),
        }],
        ..MuxerConfig::default()
    });
    let mut card = card(FPS);
    let order = [0, 3, 1, 2, 6, 4, 5, 9, 7, 8, 12, 10, 11, 14, 13];
    let mut numbers = HashMap::new();
    let mut stream = Vec::new();
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
        stream.push((packets, Wall(dts.0 * 100 / 9)));
        numbers.insert(picture, number);
    }
    Tape::recorded(numbers, |writer| {
        for (packets, now) in stream {
            writer.write(&packets, now);
        }
    })
}

/// A deck, its clock, and what it has sent so far.
pub(crate) struct Rig<'a> {
    pub(crate) tape: &'a Tape,
    pub(crate) deck: Deck,
    pub(crate) start: Instant,
    pub(crate) now: Instant,
    pub(crate) sent: Vec<(Duration, Output)>,
}

impl<'a> Rig<'a> {
    pub(crate) fn new(tape: &'a Tape) -> Self {
        let now = Instant::now();
        Self {
            tape,
            deck: Deck::new(Idle::Last),
            start: now,
            now,
            sent: Vec::new(),
        }
    }

    pub(crate) fn load(&mut self, speeds: &[f64], play: bool, then: Then) {
        let items = speeds.iter().map(|&speed| Item {
            source: Source::Clip(Arc::clone(&self.tape.clip)),
            speed: Speed::new(speed).expect("a good speed"),
            continues: false,
        });
        let items = items.collect();
        self.deck.load(Load { items, play, then }, self.now);
    }

    /// From and to these pictures of the tape.
    pub(crate) fn load_spans(&mut self, spans: &[(i64, i64)], speed: f64, play: bool) {
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

    pub(crate) fn playing(tape: &'a Tape, speed: f64) -> Self {
        let mut rig = Self::new(tape);
        rig.load(&[speed], true, Then::Hold);
        rig
    }

    /// Lets time pass, sending what is due.
    pub(crate) fn run(&mut self, seconds: f64) {
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

    pub(crate) fn units(&self) -> impl Iterator<Item = (Duration, &Unit)> {
        self.sent.iter().filter_map(|(at, output)| match output {
            Output::Unit(unit) => Some((*at, unit)),
            _ => None,
        })
    }

    /// Number, feed time and moment of sending of each picture.
    pub(crate) fn pictures(&self) -> Vec<(u64, i64, Duration)> {
        let number = |unit: &Unit| self.tape.numbers[&unit.payload.concat()];
        let pictures = self.units().filter(|(_, unit)| unit.stream == 0);
        pictures
            .map(|(at, unit)| (number(unit), unit.pts.0, at))
            .collect()
    }

    pub(crate) fn numbers(&self) -> Vec<u64> {
        self.pictures().iter().map(|picture| picture.0).collect()
    }

    pub(crate) fn take(&mut self) -> Vec<u64> {
        let numbers = self.numbers();
        self.sent.clear();
        numbers
    }

    /// Feed time of each unit of recorded sound.
    pub(crate) fn sounds(&self) -> Vec<i64> {
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
    pub(crate) fn all_sound(&self) -> Vec<(i64, i64)> {
        let sounds = self.units().filter(|(_, unit)| unit.stream == 1);
        sounds
            .map(|(_, unit)| (unit.pts.0, unit.pts.0 + 1920 * unit.payload.len() as i64))
            .collect()
    }

    pub(crate) fn mode(&self) -> Mode {
        self.deck.status(self.now).mode
    }
}

pub(crate) fn steps(pictures: &[(u64, i64, Duration)]) -> Vec<i64> {
    pictures
        .windows(2)
        .map(|pair| pair[1].1 - pair[0].1)
        .collect()
}
