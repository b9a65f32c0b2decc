//! The budget holds, however long the recording goes on.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use lookback_mpegts::{PACKET_LEN, Packet, Pid, Ticks, add_to_counter, shift_timestamps};

use crate::support::card::{self, FPS, START};
use crate::support::cut::Cut;
use crate::support::server::Server;
use crate::support::{ffmpeg, folder, free_port, text};

const LIMIT: u64 = 16 << 20;

/// One timeline that fills the budget a hundred times, in an encoding with little compression.
#[test]
fn a_ring_that_wraps_a_hundred_times() {
    // A whole number of sound frames, too, so that one turn follows the other without a seam.
    const SECONDS: u32 = 16;
    const TURNS: u64 = 25;

    let folder = folder();
    let mut turn = fat_recording(folder.path(), SECONDS);
    assert!(
        turn.len() as u64 * TURNS > LIMIT * 100,
        "{} bytes",
        turn.len()
    );

    let address = format!("127.0.0.1:{}", free_port());
    let input = format!("tcp://{address}");
    let arguments = ["--input", &input, "--memory", "16MiB"];
    let server = Server::start(folder.path(), &arguments);
    let mut source = TcpStream::connect(&address).expect("it listens");
    for _ in 0..TURNS {
        source.write_all(&turn).expect("it is read");
        next_turn(&mut turn, Ticks(Ticks::SECOND.0 * i64::from(SECONDS)));
    }
    drop(source);
    let total = turn.len() as u64 * TURNS;
    let channel = server.wait_for("all of it is read", |channel| {
        channel["received_bytes"] == total && channel["state"] == "waiting"
    });
    assert_eq!(
        (&channel["runs"], &channel["discarded_bytes"]),
        (&1.into(), &0.into()),
        "{channel}"
    );

    // Half of the budget at least is used for what it is there for.
    assert!(
        channel["window"]["bytes"].as_u64() > Some(LIMIT / 2),
        "{channel}"
    );

    let cut = folder.path().join("cut.ts");
    fs::write(&cut, server.get("/video").bytes()).expect("the test's folder takes files");
    let cut = Cut::judge_joined(&cut);
    let turn_pictures = u64::from(SECONDS) * FPS;
    for pair in cut.counters.windows(2) {
        assert_eq!(
            pair[1],
            (pair[0] + 1) % turn_pictures,
            "no picture is missing"
        );
    }
    assert_eq!(cut.counters.len(), cut.units, "every picture decodes");
    assert_eq!(cut.last(), turn_pictures - 1);

    server.stays_within(LIMIT);
}

/// Readers that stop reading hold up nothing, and what they hold is counted.
#[test]
fn stalled_readers_hold_nothing_up() {
    let folder = folder();
    let mut turn = fat_recording(folder.path(), 16);
    let address = format!("127.0.0.1:{}", free_port());
    let input = format!("tcp://{address}");
    let server = Server::start(folder.path(), &["--input", &input, "--memory", "64MiB"]);
    let mut source = TcpStream::connect(&address).expect("it listens");
    source.write_all(&turn).expect("it is read");
    server.wait_for_bytes(turn.len() as u64);

    let stalled = |path: &str| {
        let mut answer = server.get(path);
        answer.body().read_exact(&mut [0; 188]).expect("it begins");
        answer
    };
    let windows = ["/video", "/video?last=5s", "/video?last=1s"].map(stalled);
    let mut live = stalled("/live/main.ts");
    for _ in 0..5 {
        next_turn(&mut turn, Ticks(Ticks::SECOND.0 * 16));
        source.write_all(&turn).expect("it is read, whoever stalls");
    }
    let channel = server.wait_for_bytes(turn.len() as u64 * 6);
    assert_eq!(channel["state"], "recording");
    server.stays_within(64 << 20);

    // The follower was overtaken: it goes on at the live edge, from a keyframe.
    drop(windows);
    // What it gets of each turn depends on how far it keeps up, so there are as many as it takes.
    let enough = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !enough.load(Ordering::Relaxed) {
                next_turn(&mut turn, Ticks(Ticks::SECOND.0 * 16));
                source.write_all(&turn).expect("it is read");
            }
        });
        let mut rest = vec![0; 40 << 20];
        let outcome = live.body().read_exact(&mut rest);
        enough.store(true, Ordering::Relaxed);
        outcome.expect("it goes on");
    });
}

/// As many clients as there may be hold no more than the bound when all of them stop reading, whatever
/// they read: the log as it is, packets that are patched, an MP4, a segment of HLS, the live edge.
#[test]
fn as_many_stalled_readers_as_there_may_be() {
    // 128, and a sixteenth of the memory in places of 48 KiB. Two are left for the questions that the test asks.
    const READERS: usize = 128 + (64 << 20) / 16 / (48 << 10) - 2;
    const OF_HLS: usize = 40;

    let folder = folder();
    // What an MP4 can carry.
    let h264 = "libx264 -preset ultrafast -bf 0 -b:v 36M";
    let mut turn = fat_recording_by(h264, folder.path(), 4);
    let address = format!("127.0.0.1:{}", free_port());
    let input = format!("tcp://{address}");
    let server = Server::start(folder.path(), &["--input", &input, "--memory", "64MiB"]);
    for _ in 0..2 {
        let mut source = TcpStream::connect(&address).expect("it listens");
        source.write_all(&turn).expect("it is read");
        drop(source);
        server.wait_for("the run has ended", |channel| channel["state"] == "waiting");
    }
    let mut source = TcpStream::connect(&address).expect("it listens");
    source.write_all(&turn).expect("it is read");
    server.wait_for_bytes(turn.len() as u64 * 3);

    let clip = server.clip(&serde_json::json!({ "last": "2s" }));
    let url = clip["url"].as_str().expect("where it is");
    let mp4 = url.replace(".ts", ".mp4");
    let list = server.get("/hls/main/all.m3u8").text();
    let segment = list
        .lines()
        .rfind(|line| line.ends_with(".m4s") && !line.starts_with('#'));
    let segment = format!("/hls/main/{}", segment.expect("there are segments"));
    let paths = ["/video", "/video?last=3s", &mp4, "/live/main.ts"];
    let stalled: Vec<_> = (0..READERS)
        .map(|at| {
            // Those of HLS come first: what the others hold pushes the window back.
            let path = if at < OF_HLS {
                &segment
            } else {
                paths[at % paths.len()]
            };
            let mut answer = server.get(path);
            assert_eq!(answer.status, 200, "{at}");
            answer.body().read_exact(&mut [0; 188]).expect("it begins");
            answer
        })
        .collect();
    for _ in 0..5 {
        next_turn(&mut turn, Ticks(Ticks::SECOND.0 * 4));
        source.write_all(&turn).expect("it is read, whoever stalls");
    }
    server.wait_for_bytes(turn.len() as u64 * 8);
    server.stays_within(64 << 20);
    drop(stalled);
}

/// `--keep` bounds the window where memory would hold more.
#[test]
fn keep_bounds_the_window() {
    let folder = folder();
    let input = folder.path().join("recording.ts");
    fs::write(&input, card::bytes(60, START)).expect("the test's folder takes files");
    let server = Server::start(folder.path(), &["--input", text(&input), "--keep", "20s"]);
    let channel = server.wait_for("the file is read", |channel| {
        channel["state"] == "waiting" && channel["runs"] == 1
    });
    let seconds = channel["window"]["duration_s"].as_f64().expect("a window");
    // Whole GOPs leave, half a second each.
    assert!((19.4..=20.6).contains(&seconds), "{seconds}");
}

/// The test card, full of noise.
fn fat_recording(folder: &Path, seconds: u32) -> Vec<u8> {
    let mpeg2 = "mpeg2video -b:v 36M -minrate 36M -maxrate 36M -bufsize 8M";
    fat_recording_by(mpeg2, folder, seconds)
}

fn fat_recording_by(encoder: &str, folder: &Path, seconds: u32) -> Vec<u8> {
    let [card, fat] = ["card.ts", "fat.ts"].map(|name| folder.join(name));
    card::write(&card, seconds);
    let arguments = format!("-vf noise=alls=20:allf=t -c:v {encoder} -g 15 -c:a copy");
    ffmpeg::make(&[&card], &arguments, &fat);
    fs::read(&fat).expect("ffmpeg has written it")
}

/// Makes the recording go on where it ended: later, and with counters that follow.
fn next_turn(turn: &mut [u8], by: Ticks) {
    let (packets, rest) = turn.as_chunks_mut::<PACKET_LEN>();
    assert!(rest.is_empty(), "whole packets");
    let mut counts: BTreeMap<Pid, u8> = BTreeMap::new();
    for packet in packets.iter() {
        let packet = Packet::new(packet);
        if packet.has_payload() {
            let count = counts.entry(packet.pid()).or_default();
            *count = (*count + 1) % 16;
        }
    }
    for packet in packets {
        let delta = counts.get(&Packet::new(packet).pid()).copied().unwrap_or(0);
        add_to_counter(packet, delta);
        shift_timestamps(packet, by);
    }
}
