//! Decks: what players make of a feed while it is paused, slowed down and sought in. OBS shows feeds
//! in `obs`.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::card;
use crate::support::events::Events;
use crate::support::http::post;
use crate::support::mpv::Mpv;
use crate::support::process::{Process, output_of};
use crate::support::reader::Reader;
use crate::support::server::{self, Server};
use crate::support::{eventually, ffmpeg, folder, free_port, text};

const SECONDS: u32 = 20;

/// Everything a feed gave while the deck was worked is a stream that ffmpeg reads without a word, and
/// the pictures are those that were asked for.
#[test]
fn a_feed_stays_clean_whatever_the_deck_does() {
    let stage = Stage::new();
    let reader = Reader::start(stage.feed());
    eventually("something is shown before anything plays", || {
        (reader.len() > 188 * 10).then_some(())
    });
    let state = stage.deck("load", &json!({}));
    assert_eq!(state["state"], "playing");
    stage.until_position(2.0);
    let paused = stage.deck("pause", &json!({}));
    let position = number(&paused["position_s"]);
    thread::sleep(Duration::from_secs(5));
    assert_eq!(stage.state()["position_s"], position, "it stands");
    stage.deck("play", &json!({}));
    stage.until_position(position + 1.0);
    let slow = stage.deck("speed", &json!({"speed": 0.5}));
    let (started, from) = (Instant::now(), number(&slow["position_s"]));
    stage.until_position(from + 1.0);
    assert!(
        started.elapsed() > Duration::from_millis(1700),
        "{:?}",
        started.elapsed()
    );
    let sought = stage.deck("seek", &json!({"to_s": 15.0}));
    assert_eq!(sought["position_s"], 15.0);
    stage.deck("speed", &json!({"speed": 1.0}));
    stage.until_position(16.0);
    let stopped = stage.deck("stop", &json!({}));
    assert_eq!(stopped["state"], "idle");

    let bytes = reader.stop();
    let file = stage.folder.path().join("feed.ts");
    fs::write(&file, bytes).expect("the test's folder takes files");
    assert_eq!(warnings(text(&file)), "");
    let shown = card::counters(text(&file));
    // What was there before comes first: the last second of the card, up to where it ends.
    let newest = u64::from(SECONDS) * card::FPS - 1;
    let start = shown.iter().position(|&counter| counter == newest);
    let played = &shown[start.expect("the newest picture") + 1..];
    let jump = played
        .windows(2)
        .position(|pair| pair[1] != pair[0] + 1)
        .expect("it was sought in");
    assert_eq!((played[0], played[jump + 1]), (0, 15 * card::FPS));
    assert!(played[jump] > 4 * card::FPS, "{}", played[jump]);
    assert!(
        played[jump + 1..]
            .windows(2)
            .all(|pair| pair[1] == pair[0] + 1)
    );
    assert!(*played.last().expect("some") >= 16 * card::FPS);
}

/// What makes decoders give out each picture is nothing to ffmpeg, and leaves the pictures alone.
#[test]
fn feeds_of_other_encoders_are_clean() {
    let x265 = "-c:v libx265 -preset ultrafast -x265-params log-level=none:keyint=15:min-keyint=15:scenecut=0";
    for video in [
        "-c:v libx264 -preset fast -bf 3 -g 15 -keyint_min 15 -sc_threshold 0".to_owned(),
        format!("{x265}:bframes=0:open-gop=0"),
        format!("{x265}:bframes=0:open-gop=1:sao=1:slices=3"),
        format!("{x265}:bframes=3:open-gop=0"),
        format!("{x265}:bframes=3:open-gop=1"),
    ] {
        let stage = Stage::of(|input| card::encode(input, 6, &video), &[]);
        let reader = Reader::start(stage.feed());
        let state = stage.deck("load", &json!({}));
        assert_eq!(state["state"], "playing");
        stage.until_position(1.5);
        stage.deck("pause", &json!({}));
        stage.deck("play", &json!({}));
        stage.until_position(3.0);
        stage.deck("pause", &json!({}));
        stage.deck("seek", &json!({"to_s": 1.0}));
        stage.deck("play", &json!({}));
        eventually("it has played to the end", || {
            (stage.state()["state"] == "paused").then_some(())
        });
        let bytes = reader.stop();
        let file = stage.folder.path().join("feed.ts");
        fs::write(&file, bytes).expect("the test's folder takes files");
        assert_eq!(warnings(text(&file)), "", "{video}");
        let mut shown = card::counters(text(&file));
        shown.dedup();
        let sought = shown.len() - 150;
        let all: Vec<u64> = (30..180).collect();
        assert_eq!(shown[sought..], all, "{video}");
    }
}

/// mpv plays a feed, stands while it stands, and goes on with it.
#[test]
fn mpv_follows_a_deck() {
    let stage = Stage::new();
    stage.deck("load", &json!({"then": "loop"}));
    let mut mpv = Mpv::open(stage.folder.path(), &stage.server.url("/decks/main.ts"));
    let mut goes_on = |what: &str| {
        let before = mpv.position();
        eventually(what, || (mpv.position() > before + 1.0).then_some(()));
    };
    goes_on("it plays");
    stage.deck("pause", &json!({}));
    thread::sleep(Duration::from_secs(5));
    stage.deck("play", &json!({}));
    goes_on("it plays on");
    stage.deck("speed", &json!({"speed": 0.5}));
    goes_on("it plays slowly");
    stage.deck("seek", &json!({"to": "in"}));
    goes_on("it plays from the start");
}

/// The commands of the program, and what it says.
#[test]
fn the_command_line_works_a_deck() {
    let stage = Stage::new();
    let run = |line: &str| {
        let url = stage.server.url("");
        let arguments: Vec<&str> = line.split(' ').chain(["--server", &url]).collect();
        let mut command = server::command(stage.folder.path(), &arguments);
        String::from_utf8(output_of(&mut command)).expect("text")
    };
    let told = run("play --last 5s");
    assert!(told.starts_with("deck main: playing, at 0."), "{told}");
    assert!(run("pause").starts_with("deck main: paused"));
    assert!(run("seek 1.5").starts_with("deck main: paused, at 1.5 of 5."));
    let told = run("seek -10");
    assert!(
        told.contains("at 0.0") && told.contains("as far as it goes"),
        "{told}"
    );
    assert!(run("speed 0.25").contains("0.25 times"));
    assert!(run("step").contains("at 0.0 of"));
    assert!(run("play").starts_with("deck main: playing"));
    assert_eq!(run("stop"), "deck main: idle\n");
    let mut refused = server::command(stage.folder.path(), &["pause", "--deck", "other"]);
    let output = refused
        .args(["--server", &stage.server.url("")])
        .output()
        .expect("it starts");
    assert_eq!(output.status.code(), Some(2));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("there is no deck other"), "{told}");
}

/// Whoever listens hears of every change, of the position a few times a second, and of the end.
#[test]
fn events_tell_what_a_deck_does() {
    let stage = Stage::new();
    let mut events = Events::of(&stage.server);
    let mut next = || events.next();
    let first = next();
    assert_eq!(
        (&first["type"], &first["name"], &first["state"]),
        (&json!("deck"), &json!("main"), &json!("idle"))
    );
    stage.deck("load", &json!({"last": "3s", "then": "idle"}));
    let mut positions = Vec::new();
    loop {
        let event = next();
        match event["type"].as_str() {
            Some("ended") => break assert_eq!(event["deck"], "main"),
            _ => positions.push(number(&event["position_s"])),
        }
    }
    assert!((8..=30).contains(&positions.len()), "{positions:?}");
    assert!(positions.is_sorted(), "{positions:?}");
    assert_eq!(next()["state"], "idle");
}

/// ffplay opens a feed, stands while it stands, and goes on with it.
#[test]
fn ffplay_follows_a_deck() {
    let stage = Stage::new();
    stage.deck("load", &json!({"then": "loop"}));
    let mut command = Command::new("ffplay");
    command
        .args(["-hide_banner", "-nodisp", "-stats", "-loglevel", "warning"])
        .args(["-i", &stage.server.url("/decks/main.ts")])
        .env("HOME", stage.folder.path())
        .env("SDL_AUDIODRIVER", "dummy");
    let player = Process::start("ffplay", stage.folder.path(), &mut command);
    // Its clock stands first in each line of its statistics, which end without a new line.
    let clock = || {
        let log = player.log();
        let mut words = log
            .rsplit('\r')
            .filter_map(|line| line.split_whitespace().next());
        words.find_map(|word| {
            word.parse()
                .ok()
                .filter(|seconds: &f64| seconds.is_finite())
        })
    };
    let goes_on = |what: &str| {
        let before = eventually(what, &clock);
        eventually(what, || (clock()? > before + 1.0).then_some(()));
    };
    goes_on("it plays");
    stage.deck("pause", &json!({}));
    thread::sleep(Duration::from_secs(2));
    stage.deck("play", &json!({}));
    goes_on("it plays on");
    stage.deck("seek", &json!({"to_s": 5.0}));
    goes_on("it plays from elsewhere");
}

/// What a program that copies the feed gets has the length of what was played.
#[test]
fn ffmpeg_copies_a_plain_feed() {
    let stage = Stage::new();
    stage.deck("load", &json!({"then": "loop"}));
    let file = stage.folder.path().join("copy.ts");
    let mut command = Command::new("ffmpeg");
    command.args(["-hide_banner", "-nostdin", "-v", "error", "-i"]);
    command.arg(stage.server.url("/decks/main.ts?plain=true"));
    command
        .args(["-map", "0", "-c", "copy", "-t", "3"])
        .arg(&file);
    output_of(&mut command);
    let shown = card::counters(text(&file)).len() as u64;
    assert!((2 * card::FPS..=4 * card::FPS).contains(&shown), "{shown}");
    let length = ffmpeg::duration(text(&file));
    assert!((2.8..3.3).contains(&length), "{length}");
}

/// A port is one more way to the same feed, for as many as come.
#[test]
fn a_port_plays_a_deck() {
    let address = format!("127.0.0.1:{}", free_port());
    let stage = Stage::with(&["--deck=b", &format!("--play-to=b=tcp://{address}")]);
    let connect = || TcpStream::connect(&address).expect("it listens");
    let [one, other] = [connect(), connect()].map(Reader::start);
    stage
        .server
        .send(&post("/api/v1/decks/b/load", &json!({"last": "2s"})));
    eventually("it has played", || {
        let decks = stage.server.status()["decks"].take();
        (decks[1]["state"] == "paused").then_some(())
    });
    for reader in [one, other] {
        let file = stage.folder.path().join("port.ts");
        fs::write(&file, reader.stop()).expect("the test's folder takes files");
        assert_eq!(warnings(text(&file)), "");
        let shown = card::counters(text(&file));
        assert_eq!(shown.last(), Some(&(u64::from(SECONDS) * card::FPS - 1)));
        assert!(shown.len() as u64 > 2 * card::FPS, "{}", shown.len());
    }
}

/// A deck shows what is being recorded, a second late, also when it is empty.
#[test]
fn a_deck_shows_what_is_recorded() {
    let folder = folder();
    let mut command = server::command(
        folder.path(),
        &["demo", "--listen", "127.0.0.1:0", "--idle", "live+1s"],
    );
    let server = Server::spawn(folder.path(), &mut command);
    server.wait_for_window(3.0);
    let reader = Reader::start(server.get("/decks/main.ts").into_body());
    thread::sleep(Duration::from_secs(4));
    let answer = server.send(&post("/api/v1/decks/main/load", &json!({"live": true})));
    assert_eq!(answer.json()["live"], true);
    thread::sleep(Duration::from_secs(3));
    server.send(&post("/api/v1/decks/main/pause", &json!({})));
    let file = folder.path().join("live.ts");
    fs::write(&file, reader.stop()).expect("the test's folder takes files");
    assert_eq!(warnings(text(&file)), "");
    let shown = card::counters(text(&file));
    let jumps = shown.windows(2).filter(|pair| pair[1] != pair[0] + 1);
    let jumps: Vec<_> = jumps.collect();
    assert!(
        jumps.len() <= 2,
        "what came before, late, and live: {jumps:?}"
    );
    assert!(shown.len() as u64 > 5 * card::FPS, "{}", shown.len());
}

/// Black before the play and after it, and nothing that a decoder stumbles over in between.
#[test]
fn an_empty_deck_can_be_black() {
    let x265 = "-c:v libx265 -preset ultrafast -x265-params log-level=none:keyint=15:bframes=0";
    is_black_when_empty(&Stage::with(&["--idle", "black"]));
    is_black_when_empty(&Stage::of(
        |input| card::encode(input, 6, x265),
        &["--idle", "black"],
    ));
}

fn is_black_when_empty(stage: &Stage) {
    let reader = Reader::start(stage.feed());
    eventually("it is black at once", || {
        (reader.len() > 188 * 30).then_some(())
    });
    stage.deck("load", &json!({"last": "1s", "then": "idle"}));
    eventually("it has played", || {
        (stage.state()["state"] == "idle").then_some(())
    });
    let file = stage.folder.path().join("black.ts");
    fs::write(&file, reader.stop()).expect("the test's folder takes files");
    assert_eq!(warnings(text(&file)), "");
    let pictures = ffmpeg::pictures(text(&file), card::WIDTH, card::HEIGHT);
    let is_black = |luma: &Vec<u8>| luma.iter().all(|&sample| sample <= 16);
    let played = pictures.iter().filter(|luma| !is_black(luma)).count();
    assert!(is_black(&pictures[0]) && is_black(&pictures[pictures.len() - 1]));
    assert!((30..60).contains(&played), "{played} of {}", pictures.len());
}

/// One that connects and reads nothing is its own problem.
#[test]
fn a_stalled_reader_holds_up_nobody() {
    let stage = Stage::new();
    stage.deck("load", &json!({"then": "loop"}));
    let mut stalled =
        TcpStream::connect(stage.server.url("").replace("http://", "")).expect("it listens");
    stalled
        .write_all(b"GET /decks/main.ts HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        .expect("sent");
    let reader = Reader::start(stage.feed());
    let length = reader.len();
    eventually("the other one gets what is played", || {
        (reader.len() > length + 2_000_000).then_some(())
    });
}

/// What ffmpeg has to say about a stream that it copies and decodes, warnings as well.
fn warnings(media: &str) -> String {
    let told = |codecs: &[&str]| {
        let mut command = Command::new("ffmpeg");
        command.args(["-hide_banner", "-nostdin", "-v", "warning"]);
        command.args(["-i", media, "-map", "0"]).args(codecs);
        let output = command.args(["-f", "null", "-"]).output();
        let output = output.expect("ffmpeg starts");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    // In a run-up pictures are closer than those of any frame rate.
    let decoded = told(&["-fps_mode", "passthrough", "-enc_time_base", "-1"]);
    told(&["-c", "copy"]) + &decoded
}

fn number(value: &Value) -> f64 {
    value
        .as_f64()
        .unwrap_or_else(|| panic!("{value} is no number"))
}

/// A server that has recorded the card.
struct Stage {
    server: Server,
    folder: TempDir,
}

impl Stage {
    fn new() -> Self {
        Self::with(&[])
    }

    fn with(arguments: &[&str]) -> Self {
        Self::of(|input| card::write(input, SECONDS), arguments)
    }

    /// One that has recorded what is written to the path.
    fn of(write: impl FnOnce(&Path), arguments: &[&str]) -> Self {
        let folder = folder();
        let input = folder.path().join("input.ts");
        write(&input);
        let server = Server::having_read(folder.path(), &input, arguments);
        Self { server, folder }
    }

    fn deck(&self, command: &str, body: &Value) -> Value {
        let path = format!("/api/v1/decks/main/{command}");
        let answer = self.server.send(&post(&path, body));
        assert_eq!(answer.status, 200, "{command} {body}");
        answer.json()
    }

    fn state(&self) -> Value {
        self.server.status()["decks"][0].take()
    }

    fn until_position(&self, seconds: f64) {
        eventually(format!("the deck is at {seconds}"), || {
            (number(&self.state()["position_s"]) >= seconds).then_some(())
        });
    }

    fn feed(&self) -> impl Read + Send + use<> {
        let response = self.server.get("/decks/main.ts");
        assert_eq!(response.status, 200);
        assert_eq!(response.content_length(), None);
        response.into_body()
    }
}
