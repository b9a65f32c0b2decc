//! The card as ffmpeg sees it: every bit of the picture, the sound and the stream.

mod picture;
mod sound;
mod stream;

use std::io::Write;
use std::process::{Command, Stdio};
use std::thread;

use lookback_testcard::{Config, TestCard};

/// What `program` writes to its standard output when it gets `input`. It must not complain.
fn run(program: &str, arguments: &[&str], input: Vec<u8>) -> Vec<u8> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{program}, which these tests need: {error}"));
    let mut stdin = child.stdin.take().expect("its input is a pipe");
    // A program may stop reading before the end; what it made of its input is what counts.
    let feed = thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().expect("the program runs");
    feed.join().expect("feeding does not panic");
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {complaints}"
    );
    assert_eq!(complaints, "", "{program} {arguments:?}");
    output.stdout
}

fn ffmpeg(arguments: &[&str], input: Vec<u8>) -> Vec<u8> {
    let quiet = ["-nostdin", "-hide_banner", "-v", "warning", "-threads", "1"];
    run("ffmpeg", &[&quiet, arguments].concat(), input)
}

fn card(width: usize, height: usize, fps: u32) -> TestCard {
    let clock_start_s = 23 * 3600 + 59 * 60 + 58;
    let config = Config {
        width,
        height,
        fps,
        clock_start_s,
        ..Config::default()
    };
    TestCard::new(config).expect("a good configuration")
}
