//! Where the bytes come from: FIFO, TCP, SRT and standard input, again and again.

mod srt;

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};

use lookback_mpegts::Ticks;

use crate::support::card::{self, FPS, START};
use crate::support::cut::Cut;
use crate::support::server::{self, Server};
use crate::support::{eventually, folder, free_port, text};

#[test]
fn a_fifo() {
    let folder = folder();
    let fifo = folder.path().join("in.ts");
    let server = Server::start(folder.path(), &["--input", text(&fifo)]);
    writes_twice(&server, folder.path(), || {
        File::options()
            .write(true)
            .open(&fifo)
            .expect("a FIFO to write to")
    });
}

#[test]
fn a_tcp_connection() {
    let folder = folder();
    let address = format!("127.0.0.1:{}", free_port());
    let server = Server::start(folder.path(), &["--input", &format!("tcp://{address}")]);
    writes_twice(&server, folder.path(), || {
        TcpStream::connect(&address).expect("it listens")
    });
}

/// A source comes, leaves, and comes again with other timestamps: two runs, one timeline.
fn writes_twice<W: Write>(server: &Server, folder: &Path, connect: impl Fn() -> W) {
    let (first, second) = (card::bytes(4, START), card::bytes(3, Ticks::SECOND));
    let mut source = connect();
    source.write_all(&first).expect("it is read");
    server.wait_for_bytes(first.len() as u64);
    assert_eq!(server.channel()["state"], "recording");
    drop(source);
    server.wait_for("the end is seen", |channel| channel["state"] == "waiting");

    let mut source = connect();
    source.write_all(&second).expect("it is read");
    drop(source);
    let channel = server.wait_for("both are there", |channel| {
        channel["state"] == "waiting" && channel["received_bytes"] == first.len() + second.len()
    });
    assert_eq!(
        (&channel["runs"], &channel["discarded_bytes"]),
        (&2.into(), &0.into())
    );

    let whole = server.get("/video");
    assert_eq!(whole.header("lookback-runs-left-out"), Some("0"));
    let cut = folder.join("both.ts");
    fs::write(&cut, whole.bytes()).expect("the test's folder takes files");
    is_joined(&cut, &[4 * FPS, 3 * FPS]);
}

/// The runs follow each other on one timeline, each from its first picture to its last.
fn is_joined(cut: &Path, lengths: &[u64]) {
    let joined = Cut::judge_joined(cut);
    let expected: Vec<u64> = lengths.iter().flat_map(|&length| 0..length).collect();
    assert_eq!(joined.counters, expected);
    let seconds = expected.len() as f64 / FPS as f64;
    assert!(
        (joined.seconds - seconds).abs() < 0.3,
        "{} and not {seconds}",
        joined.seconds
    );
}

/// Formats that do not go together are not joined: the newest is given, and the answer says so.
#[test]
fn runs_that_differ() {
    let folder = folder();
    let fifo = folder.path().join("in.ts");
    let server = Server::start(folder.path(), &["--input", text(&fifo)]);
    let (card, other) = (card::bytes(3, START), in_other_size(folder.path()));
    for (place, stream) in [&card, &other].into_iter().enumerate() {
        let mut source = File::options()
            .write(true)
            .open(&fifo)
            .expect("a FIFO to write to");
        source.write_all(stream).expect("it is read");
        drop(source);
        server.wait_for("the run is over", |channel| {
            channel["runs"] == place + 1 && channel["state"] == "waiting"
        });
    }
    let answer = server.get("/video");
    assert_eq!(answer.header("lookback-runs-left-out"), Some("1"));
    let cut = folder.path().join("newest.ts");
    fs::write(&cut, answer.bytes()).expect("the test's folder takes files");
    assert_eq!(Cut::judge(&cut).counters.len(), 3 * FPS as usize);
    let clip = server.clip(&serde_json::json!({}));
    assert_eq!(
        (&clip["runs"], &clip["runs_left_out"]),
        (&1.into(), &1.into())
    );
}

fn in_other_size(folder: &Path) -> Vec<u8> {
    let [input, output] = ["card.ts", "small.ts"].map(|name| folder.join(name));
    card::write(&input, 3);
    let arguments = "-vf scale=480:272 -c:v libx264 -preset ultrafast -g 15 -c:a copy";
    crate::support::ffmpeg::make(&[&input], arguments, &output);
    fs::read(output).expect("ffmpeg has written it")
}

/// The end of standard input ends the source, not the server.
#[test]
fn standard_input() {
    let folder = folder();
    let input = folder.path().join("recording.ts");
    card::write(&input, 5);
    let mut command = server::command(folder.path(), &["--listen", "127.0.0.1:0", "--input", "-"]);
    let server = Server::spawn(
        folder.path(),
        command.stdin(File::open(&input).expect("a file")),
    );
    let length = fs::metadata(&input).expect("just written").len();
    server.wait_for("all of it is read", |channel| {
        channel["received_bytes"] == length && channel["state"] == "waiting"
    });
    assert_eq!(server.get("/video").status, 200);
}

#[test]
fn several_channels() {
    let folder = folder();
    let [wide, close] = ["wide.ts", "close.ts"].map(|name| folder.path().join(name));
    card::write(&wide, 3);
    card::write(&close, 5);
    let inputs = [("wide", &wide), ("close", &close)]
        .map(|(name, path): (&str, &PathBuf)| format!("{name}={}", text(path)));
    let server = Server::start(
        folder.path(),
        &["--input", &inputs[0], "--input", &inputs[1]],
    );
    for (name, seconds) in [("wide", 3), ("close", 5)] {
        let cut = folder.path().join("cut.ts");
        let url = format!("/video?channel={name}");
        let bytes = eventually(format!("{name} is read"), || {
            let channels = server.status()["channels"].take();
            let channel = channels
                .as_array()?
                .iter()
                .find(|channel| channel["name"] == name)?;
            let read = channel["state"] == "waiting" && channel["runs"] == 1;
            read.then(|| server.get(&url).bytes())
        });
        fs::write(&cut, bytes).expect("the test's folder takes files");
        assert_eq!(Cut::judge(&cut).counters.len() as u64, seconds * FPS);
    }
}

/// A second source on a busy channel is turned away, and the first does not notice.
#[test]
fn a_second_source_is_refused() {
    let folder = folder();
    let address = format!("127.0.0.1:{}", free_port());
    let server = Server::start(folder.path(), &["--input", &format!("tcp://{address}")]);
    let (first, rest) = (card::bytes(2, START), card::bytes(4, START));
    let mut source = TcpStream::connect(&address).expect("it listens");
    source.write_all(&first).expect("it is read");
    server.wait_for_bytes(first.len() as u64);

    let mut second = TcpStream::connect(&address).expect("it listens");
    let mut byte = [0];
    // Closed in order or reset: both turn it away.
    assert!(matches!(second.read(&mut byte), Ok(0) | Err(_)));
    let channel = server.wait_for("the refusal is reported", |channel| {
        channel["problems"]
            .as_array()
            .is_some_and(|problems| !problems.is_empty())
    });
    assert_eq!(channel["problems"][0]["code"], "second_source");

    source
        .write_all(&rest[first.len()..])
        .expect("the first is read on");
    drop(source);
    let channel = server.wait_for("the first has ended", |channel| {
        channel["state"] == "waiting" && channel["received_bytes"] == rest.len()
    });
    assert_eq!(channel["runs"], 1);
}

/// Bytes that are lost, doubled or made up are skipped over, and what is cut out is whole again.
#[test]
fn damage_is_skipped() {
    let folder = folder();
    let input = folder.path().join("damaged.ts");
    let mut stream = card::bytes(6, START);
    let middle = stream.len() / 2;
    stream.splice(middle..middle + 777, std::iter::repeat_n(0x55, 5_000));
    fs::write(&input, &stream).expect("the test's folder takes files");
    let server = Server::start(folder.path(), &["--input", text(&input)]);
    let channel = server.wait_for("the file is read", |channel| {
        channel["received_bytes"] == stream.len() && channel["state"] == "waiting"
    });
    assert!(
        channel["discarded_bytes"].as_u64() > Some(1_000),
        "{channel}"
    );
    let cut = folder.path().join("newest.ts");
    fs::write(&cut, server.get("/video?last=2s").bytes()).expect("the test's folder takes files");
    assert_eq!(Cut::judge(&cut).last(), 6 * FPS - 1);
}
