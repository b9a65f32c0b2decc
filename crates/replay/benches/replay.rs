//! What recording costs beside a copy of the same bytes, what a clip and a replay cost at each length,
//! and how fast clips are read.
//!
//! The stream is real (a test card's), at about 20 Mbit/s of video with sound, and lies in memory.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use lookback_mpegts::{MuxStream, Muxer, MuxerConfig, Pcr, Pid, Ticks, Unit};
use lookback_replay::{
    Channel, Clip, Limits, Policy, Recorder, Replays, Save, Selection, Wall, Writer,
};
use lookback_testcard::{Config, TestCard};

const SECOND: Ticks = Ticks(90_000);

/// As much as a read from a pipe or a socket brings.
const CHUNK_LEN: usize = 64 << 10;

const FPS: usize = 50;

/// Bytes of a picture.
const PICTURE_LEN: usize = 50_000;

const START: Wall = Wall(1_700_000_000_000_000);

/// A stream without end: its parts are the same second again and again, each at its own time.
struct Source {
    muxer: Muxer,
    key: Vec<u8>,
    picture: Vec<u8>,
    sound: Vec<u8>,
    pictures: usize,
    sounds: i64,
}

impl Source {
    fn new(picture_len: usize) -> Self {
        let config = Config {
            width: 320,
            height: 180,
            fps: 50,
            ..Config::default()
        };
        let mut card = TestCard::new(config).expect("there is such a card");
        // As large as those of a camera; what is behind the slice is not looked at.
        let padded = |mut picture: Vec<u8>| {
            picture.resize(picture_len, 0xa5);
            picture
        };
        let stream = |pid, stream_type, stream_id| MuxStream {
            pid: Pid::new(pid),
            stream_type,
            stream_id,
            descriptors: Vec::new(),
        };
        Self {
            muxer: Muxer::new(MuxerConfig {
                streams: vec![stream(0x100, 0x1b, 0xe0), stream(0x101, 0x0f, 0xc0)],
                ..MuxerConfig::default()
            }),
            key: padded(card.picture(0)),
            picture: padded(card.picture(1)),
            sound: card.sound(0),
            pictures: 0,
            sounds: 0,
        }
    }

    /// The next picture with its sound.
    fn part(&mut self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(PICTURE_LEN * 5 / 4);
        let at = SECOND + Ticks(self.pictures as i64 * SECOND.0 / FPS as i64);
        let key = self.pictures.is_multiple_of(FPS);
        if self.pictures.is_multiple_of(5) {
            self.muxer.write_tables(&mut bytes);
        }
        let picture = if key { &self.key } else { &self.picture };
        let mut write = |stream, pts, pcr, payload: &[u8]| {
            let unit = Unit {
                stream,
                pts,
                dts: pts,
                random_access: key,
                pcr,
                payload: &[payload],
            };
            self.muxer.write_unit(&mut bytes, unit);
        };
        write(0, at, Some(Pcr::from(at - Ticks(9000))), picture);
        while self.sounds * 1920 < at.0 - SECOND.0 {
            write(1, SECOND + Ticks(self.sounds * 1920), None, &self.sound);
            self.sounds += 1;
        }
        self.pictures += 1;
        bytes
    }

    fn now(&self) -> Wall {
        START + Duration::from_millis(self.pictures as u64 * 1000 / FPS as u64)
    }
}

/// A channel that has recorded so many bytes.
fn recorded(recorder: &Arc<Recorder>, bytes: usize) -> (Arc<Channel>, Writer, Source) {
    let channel = recorder.add_channel("main");
    let mut writer = channel
        .connect("bench", START)
        .expect("nothing else is connected");
    let mut source = Source::new(PICTURE_LEN);
    let mut done = 0;
    while done < bytes {
        let part = source.part();
        writer.write(&part, source.now());
        done += part.len();
    }
    (channel, writer, source)
}

fn scan(c: &mut Criterion) {
    let mut source = Source::new(PICTURE_LEN);
    let stream: Vec<u8> = (0..20 * FPS).flat_map(|_| source.part()).collect();
    let mut group = c.benchmark_group("scan");
    group.throughput(Throughput::Bytes(stream.len() as u64));
    // The memory is a recorder's, and recycled: neither side pays for new pages.
    let recorder = Recorder::new(Limits {
        memory: 16 << 20,
        keep: None,
    });
    let channel = recorder.add_channel("main");
    group.bench_function("recorded", |b| {
        b.iter_batched(
            || {
                channel
                    .connect("bench", START)
                    .expect("nothing else is connected")
            },
            |mut writer| {
                stream
                    .chunks(CHUNK_LEN)
                    .for_each(|chunk| writer.write(chunk, START))
            },
            BatchSize::PerIteration,
        );
    });
    let mut memory = vec![0; 16 << 20];
    group.bench_function("copied", |b| {
        b.iter(|| {
            let mut at = 0;
            for chunk in stream.chunks(CHUNK_LEN) {
                at = if at + chunk.len() > memory.len() {
                    0
                } else {
                    at
                };
                memory[at..at + chunk.len()].copy_from_slice(chunk);
                black_box(&mut memory);
                at += chunk.len();
            }
        });
    });
    let datagrams = stream.chunks(7 * 188);
    group.bench_function("recorded by the datagram", |b| {
        b.iter_batched(
            || {
                channel
                    .connect("bench", START)
                    .expect("nothing else is connected")
            },
            |mut writer| {
                datagrams
                    .clone()
                    .for_each(|datagram| writer.write(datagram, START))
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

fn clip(c: &mut Criterion) {
    let recorder = Recorder::new(Limits {
        memory: 2300 << 20,
        keep: None,
    });
    let (channel, _writer, source) = recorded(&recorder, 2 << 30);
    let mut group = c.benchmark_group("clip");
    let now = source.now();
    for (name, selection) in [
        ("1 second", Selection::Last(Duration::from_secs(1))),
        ("1 minute", Selection::Last(Duration::from_secs(60))),
        ("2 GB", Selection::All),
    ] {
        group.bench_function(name, |b| {
            b.iter_with_large_drop(|| channel.clip(selection, now).expect("something is recorded"));
        });
    }
    group.finish();
}

/// An hour of a small picture, without a fault and with a lost packet in each minute.
fn damaged(c: &mut Criterion) {
    const MINUTE: usize = 60 * FPS;
    let recorder = Recorder::new(Limits {
        memory: 1 << 30,
        keep: None,
    });
    let mut group = c.benchmark_group("clip of an hour");
    for (name, faults) in [("whole", 0), ("a fault each minute", 1)] {
        let channel = recorder.add_channel(name);
        let mut writer = channel
            .connect("bench", START)
            .expect("nothing else is connected");
        let mut source = Source::new(1500);
        for picture in 0..60 * MINUTE {
            let part = source.part();
            // Behind the tables and the beginning of the picture.
            let lost = usize::from(picture % MINUTE == MINUTE / 2) * faults;
            writer.write(&part[..4 * 188], source.now());
            writer.write(&part[(4 + lost) * 188..], source.now());
        }
        let now = source.now();
        group.bench_function(name, |b| {
            b.iter_with_large_drop(|| {
                let clip = channel.clip(Selection::All, now);
                clip.expect("something is recorded")
            });
        });
    }
    group.finish();
}

/// To keep a moment, as a key that is pressed does it: with the look for room, and among many others.
fn save(c: &mut Criterion) {
    let recorder = Recorder::new(Limits {
        memory: 2500 << 20,
        keep: None,
    });
    let (_channel, _writer, source) = recorded(&recorder, 2 << 30);
    let mut group = c.benchmark_group("save");
    let now = source.now();
    let save = |length| Save {
        selection: Selection::Last(Duration::from_secs(length)),
        ..Save::default()
    };
    for (name, others, length) in [
        ("5 seconds", 0, 5),
        ("1 hour", 0, 3600),
        ("5 seconds among 1000", 1000, 5),
    ] {
        let replays = Replays::new(Arc::clone(&recorder), Policy::default());
        for other in 0..others {
            replays
                .save(save(5 + other % 600), now)
                .expect("there is room");
        }
        group.bench_function(name, |b| {
            b.iter_batched(
                || {
                    for replay in replays.all().drain(others as usize..) {
                        replays.delete(replay.id()).expect("just made");
                    }
                },
                |()| replays.save(save(length), now).expect("there is room"),
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

fn read(c: &mut Criterion) {
    let recorder = Recorder::new(Limits {
        memory: 256 << 20,
        keep: None,
    });
    let (channel, writer, mut source) = recorded(&recorder, 64 << 20);
    let verbatim = channel
        .clip(Selection::All, source.now())
        .expect("something is recorded");
    drop(writer);
    // Another run, so that all behind the join is patched.
    let mut writer = channel
        .connect("bench", source.now())
        .expect("nothing else is connected");
    for _ in 0..64 * FPS / 2 {
        writer.write(&source.part(), source.now());
    }
    let joined = channel
        .clip(Selection::All, source.now())
        .expect("something is recorded");
    assert_eq!(joined.runs(), 2);
    let mut group = c.benchmark_group("read");
    for (name, clip) in [("verbatim", verbatim), ("patched", joined)] {
        group.throughput(Throughput::Bytes(clip.len()));
        group.bench_function(name, |b| b.iter(|| read_all(&clip)));
    }
    group.finish();
}

/// Reads a clip as a socket does, with a look at each piece.
fn read_all(clip: &Clip) -> u64 {
    let mut at = 0;
    while at < clip.len() {
        let bytes = clip.read(at, usize::MAX).expect("the clip is there");
        at += black_box(&bytes).len() as u64;
    }
    at
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3));
    targets = scan, clip, damaged, save, read
}
criterion_main!(benches);
