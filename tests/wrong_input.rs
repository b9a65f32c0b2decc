//! Wrong input gets a clear word.

use std::fs;
use std::net::TcpListener;
use std::path::Path;

use serde_json::Value;

use crate::support::ffmpeg;
use crate::support::process::Process;
use crate::support::server::{self, Server};
use crate::support::{card, eventually, folder, text};

#[test]
fn matroska_is_named() {
    is_named("-c copy -f matroska", "Matroska");
}

#[test]
fn mp4_is_named() {
    is_named(
        "-c copy -bsf:a aac_adtstoasc -movflags frag_keyframe+empty_moov -f mp4",
        "MP4",
    );
}

#[test]
fn flv_is_named() {
    is_named("-c copy -f flv", "FLV");
}

#[test]
fn bare_h264_is_named() {
    is_named("-map 0:v -c copy -f h264", "H.264");
}

#[test]
fn text_is_named() {
    let folder = folder();
    let input = folder.path().join("input");
    fs::write(
        &input,
        "Not a stream at all, but a few words.\n".repeat(1000),
    )
    .expect("a file");
    is_named_in(folder.path(), &input, "text");
}

/// Random bytes are nothing that has a name, and no harm.
#[test]
fn noise_is_refused() {
    let folder = folder();
    let input = folder.path().join("input");
    let mut state = 1_u32;
    let noise = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    });
    fs::write(&input, noise.take(1 << 20).collect::<Vec<u8>>()).expect("a file");
    is_named_in(folder.path(), &input, "not MPEG-TS");
}

fn is_named(arguments: &str, name: &str) {
    let folder = folder();
    let [card, input] = ["card.ts", "input"].map(|name| folder.path().join(name));
    card::write(&card, 3);
    ffmpeg::make(&[&card], arguments, &input);
    is_named_in(folder.path(), &input, name);
}

/// The log, the status and the answer of `/video` say what it looks like and what to change in OBS.
fn is_named_in(folder: &Path, input: &Path, name: &str) {
    let server = Server::start(folder, &["--input", text(input)]);
    let problem = |channel: &Value| {
        let problems = channel["problems"].as_array().cloned().unwrap_or_default();
        problems
            .into_iter()
            .find(|problem| problem["code"] == "not_mpegts")
    };
    let channel = server.wait_for("wrong input is noticed", |channel| {
        problem(channel).is_some()
    });
    let hint = problem(&channel).expect("just seen")["hint"].to_string();
    assert!(hint.contains(name) && hint.contains("mpegts"), "{hint}");
    assert!(channel["discarded_bytes"].as_u64() > Some(0), "{channel}");

    let answer = server.get("/video");
    assert_eq!(answer.status, 503);
    assert_eq!(
        answer.header("content-type"),
        Some("application/problem+json")
    );
    let answer = answer.text();
    assert!(answer.contains(name), "{answer}");
    eventually("the log names it", || {
        server.log().contains(name).then_some(())
    });
}

#[test]
fn a_port_in_use() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("its address").to_string();
    is_refused(&["--listen", &address], &address);
    let input = format!("tcp://{address}");
    is_refused(&["--listen", "127.0.0.1:0", "--input", &input], &address);
}

#[test]
fn a_path_that_is_no_fifo() {
    let folder = folder();
    let file = folder.path().join("notes.txt");
    fs::write(&file, "keep me").expect("a file");
    is_refused(
        &["--listen", "127.0.0.1:0", "--play-to", text(&file)],
        text(&file),
    );
    assert_eq!(fs::read_to_string(&file).expect("still there"), "keep me");
    is_refused(
        &["--listen", "127.0.0.1:0", "--input", text(folder.path())],
        text(folder.path()),
    );
}

#[test]
fn more_memory_than_there_is() {
    is_refused(&["--listen", "127.0.0.1:0", "--memory", "900TiB"], "900");
}

#[test]
fn values_that_are_none() {
    is_refused(&["--memory", "plenty"], "plenty");
    is_refused(&["--keep", "forever"], "forever");
    is_refused(&["--listen", "here"], "here");
    is_refused(&["--input", "gopher://x"], "gopher://x");
}

#[test]
fn settings_that_are_none() {
    is_refused(&["--memmory", "1GiB"], "--memory");
    let folder = folder();
    let config = folder.path().join("lookback.toml");
    fs::write(&config, "memmory = \"1GiB\"\n").expect("a file");
    is_refused(&["--config", text(&config)], "memmory");
}

/// Whoever listens wider than the machine has to have a token.
#[test]
fn a_wide_address_without_a_token() {
    is_refused(&["--listen", "0.0.0.0:0"], "--token-file");
}

/// Exit code 2, and one line that names what is wrong.
fn is_refused(arguments: &[&str], word: &str) {
    let folder = folder();
    let mut command = server::command(folder.path(), arguments);
    let mut process = Process::start("lookback", folder.path(), &mut command);
    let status = process.wait();
    let log = process.log();
    assert_eq!(status.code(), Some(2), "{log}");
    assert_eq!(log.lines().count(), 1, "one line: {log}");
    assert!(log.contains(word), "{word} is named: {log}");
    assert_eq!(process.output(), "");
}
