//! What each byte costs: on the way in, finding the packets and the walk over their headers; on the
//! way out, moving their time and counters.
//!
//! The stream lies in memory and is pushed in chunks of the size of a read, which cut packets as
//! reads do. `reading` is the bound: it looks at the same bytes of the same packets, and nothing
//! else.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lookback_mpegts::{
    Frame, Framer, MuxStream, Muxer, MuxerConfig, PACKET_LEN, Packet, Pcr, Pid, Ticks, Unit,
    add_to_counter, shift_timestamps,
};

/// As much as a read from a pipe or a socket brings; no multiple of a packet.
const CHUNK_LEN: usize = 64 << 10;

fn benches(c: &mut Criterion) {
    let stream = stream();
    let mut group = c.benchmark_group("framer");
    group.throughput(Throughput::Bytes(stream.len() as u64));
    group.bench_function("packets", |b| {
        b.iter(|| {
            let mut count = 0_u64;
            walk(&stream, |_| count += 1);
            count
        });
    });
    group.bench_function("headers", |b| {
        b.iter(|| {
            let mut sum = 0;
            walk(&stream, |packet| sum += weigh(packet));
            sum
        });
    });
    group.bench_function("reading", |b| {
        b.iter(|| {
            let packets = black_box(&stream).as_chunks::<PACKET_LEN>().0;
            packets
                .iter()
                .map(|bytes| weigh(Packet::new(bytes)))
                .sum::<usize>()
        });
    });
    let mut patched = stream.clone();
    group.bench_function("restamping", |b| {
        b.iter(|| {
            for packet in black_box(&mut patched).as_chunks_mut::<PACKET_LEN>().0 {
                shift_timestamps(packet, Ticks(3600));
                add_to_counter(packet, 5);
            }
        });
    });
    let noise: Vec<u8> = (0..stream.len()).map(noise).collect();
    group.bench_function("search in noise", |b| {
        b.iter(|| {
            let mut count = 0_u64;
            walk(&noise, |_| count += 1);
            count
        });
    });
    group.finish();
}

/// What ingest asks of each packet.
fn weigh(packet: Packet<'_>) -> usize {
    usize::from(packet.pid().value())
        + usize::from(packet.counter())
        + usize::from(packet.unit_start())
        + packet.payload().len()
}

fn walk(stream: &[u8], mut look: impl FnMut(Packet<'_>)) {
    let mut framer = Framer::new(0);
    let mut sink = |frame: Frame<'_>| {
        if let Frame::Packet { bytes, .. } = frame {
            look(Packet::new(bytes));
        }
    };
    for chunk in black_box(stream).chunks(CHUNK_LEN) {
        framer.push(chunk, &mut sink);
    }
    framer.finish(&mut sink);
}

/// Ten seconds of video at 50 Mbit/s and 60 pictures a second.
fn stream() -> Vec<u8> {
    let mut muxer = Muxer::new(MuxerConfig {
        streams: vec![MuxStream {
            pid: Pid::new(0x100),
            stream_type: 0x1b,
            stream_id: 0xe0,
            descriptors: Vec::new(),
        }],
        ..MuxerConfig::default()
    });
    let picture: Vec<u8> = (0..104_000).map(noise).collect();
    let mut out = Vec::new();
    for n in 0..600 {
        let time = Ticks(1500 * n);
        muxer.write_tables(&mut out);
        muxer.write_unit(
            &mut out,
            Unit {
                stream: 0,
                pts: time,
                dts: time,
                random_access: n % 60 == 0,
                pcr: Some(Pcr::from(time)),
                payload: &[&picture],
            },
        );
    }
    out
}

/// A byte that depends on `n` in no way that matters.
fn noise(n: usize) -> u8 {
    ((n as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8
}

criterion_group!(framer, benches);
criterion_main!(framer);
