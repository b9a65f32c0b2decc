//! Replays when memory is short: there is room for the windows whatever is kept, and nothing goes unseen.

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::path::Path;

use serde_json::{Value, json};

use super::{answer, array, judge, number, place, run, save, string};
use crate::support::card::{self, FPS};
use crate::support::http::{delete, post};
use crate::support::server::Server;
use crate::support::{eventually, ffmpeg, folder, free_port, text};

const LIMIT: u64 = 16 << 20;

/// Records for as long as it lives, as fast as it is read.
struct Flood {
    stream: TcpStream,
    card: lookback_testcard::Stream,
}

impl Flood {
    fn start(folder: &Path, more: &[&str]) -> (Server, Self) {
        let address = format!("127.0.0.1:{}", free_port());
        let input = format!("tcp://{address}");
        let arguments = [&["--input", &input, "--memory", "16MiB"], more].concat();
        let server = Server::start(folder, &arguments);
        let stream = TcpStream::connect(&address).expect("it listens");
        let card = lookback_testcard::TestCard::new(lookback_testcard::Config {
            width: 1280,
            height: 720,
            ..Default::default()
        });
        let card = card.expect("a size that the card can have");
        let card = lookback_testcard::Stream::new(card, 0, card::START);
        (server, Self { stream, card })
    }

    /// Sends so many seconds, and waits until they are read.
    fn send(&mut self, server: &Server, seconds: usize) {
        let chunks: Vec<_> = self.card.by_ref().take(seconds * FPS as usize).collect();
        let before = server.received();
        let mut sent = 0;
        for chunk in chunks {
            self.stream.write_all(&chunk.bytes).expect("it is read");
            sent += chunk.bytes.len() as u64;
        }
        server.wait_for_bytes(before + sent);
    }
}

/// The window keeps its room, what to delete is said, and recording goes on.
#[test]
fn beyond_its_room_a_save_is_refused() {
    let folder = folder();
    let (server, mut flood) = Flood::start(folder.path(), &["--keep-live", "4s"]);
    flood.send(&server, 10);
    let mut kept = 0;
    let refused = loop {
        let refused = server.send(&post("/api/v1/replays", &json!({"last": "3s"})));
        if refused.status != 201 {
            break answer(refused, 507);
        }
        kept += 1;
        assert!(kept < 100, "it never fills up");
        flood.send(&server, 3);
    };
    assert!(kept > 1, "there is room for {kept}");
    assert_eq!(refused["code"], "memory_full");
    let oldest = &refused["delete"][0];
    assert_eq!(oldest["name"], "Replay 1", "{refused}");
    assert!(string(&refused, "detail").contains(string(oldest, "id")));
    let told = run(&server, folder.path(), &["save", "--last", "3s"]);
    assert_eq!(told.status.code(), Some(2));
    let told = String::from_utf8_lossy(&told.stderr).into_owned();
    assert!(told.contains(string(oldest, "id")), "{told}");
    for replay in array(&refused["delete"]) {
        let place = format!("/api/v1/replays/{}", string(replay, "id"));
        assert_eq!(server.send(&delete(&place)).status, 204);
    }
    save(&server, &json!({"last": "3s"}));
    flood.send(&server, 10);
    server.stays_within(LIMIT);
    let window = server.channel()["window"].take();
    assert!(number(&window, "duration_s") >= 4.0, "{window}");
}

/// As set, the oldest goes; not the locked one, and not silently.
#[test]
fn the_oldest_is_dropped_where_that_is_wanted() {
    let folder = folder();
    let arguments = ["--keep-live", "4s", "--when-full", "drop-oldest"];
    let (server, mut flood) = Flood::start(folder.path(), &arguments);
    flood.send(&server, 10);
    let locked = save(&server, &json!({"last": "2s", "locked": true}));
    let mut dropped: Vec<Value> = Vec::new();
    let mut saved = Vec::new();
    while dropped.len() < 4 {
        assert!(saved.len() < 100, "it never fills up");
        flood.send(&server, 3);
        let replay = save(&server, &json!({"last": "3s"}));
        dropped.extend(array(&replay["dropped"]).to_vec());
        saved.push(replay["id"].clone());
        server.stays_within(LIMIT);
    }
    assert_eq!(dropped, saved[..dropped.len()]);
    let problems = server.channel()["problems"].take();
    let counted = array(&problems)
        .iter()
        .find(|it| it["code"] == "replay_dropped");
    assert!(
        counted.is_some_and(|it| it["count"] == dropped.len()),
        "{problems}"
    );
    assert!(
        server.log().contains("was dropped to make room"),
        "{}",
        server.log()
    );
    let left = server.get("/api/v1/replays").json();
    assert_eq!(array(&left).len(), 1 + saved.len() - dropped.len());
    judge(&server, folder.path(), &locked);
    assert_eq!(server.send(&delete(&place(&locked))).status, 409);
}

/// Where that is set the oldest go to the disk, so that nothing is lost; a disk that takes nothing lets nothing go.
#[test]
fn the_oldest_is_moved_to_the_library() {
    let folder = folder();
    let library = ["--library", "clips", "--library-name", "{name}_{n}"];
    let arguments = ["--keep-live", "4s", "--when-full", "move"];
    let (server, mut flood) = Flood::start(folder.path(), &[&arguments[..], &library].concat());
    flood.send(&server, 10);
    let mut moved: Vec<Value> = Vec::new();
    let mut saved = Vec::new();
    while moved.is_empty() {
        assert!(saved.len() < 100, "it never fills up");
        flood.send(&server, 3);
        let replay = save(&server, &json!({"last": "3s"}));
        assert_eq!(replay["dropped"], json!([]));
        moved.extend(array(&replay["moved"]).to_vec());
        saved.push(replay["id"].clone());
        server.stays_within(LIMIT);
    }
    assert_eq!(moved[0], saved[0], "the oldest");
    let on_disk = folder.path().join("clips/Replay 1_1.ts");
    assert!(fs::metadata(on_disk).expect("it is written").len() > 1_000_000);
    let kept = |server: &Server| array(&server.get("/api/v1/replays").json()).len();
    assert_eq!(kept(&server), saved.len() - moved.len());

    fs::remove_dir_all(folder.path().join("clips")).expect("it was there");
    let before = kept(&server);
    let mut more = 0;
    let refused = loop {
        flood.send(&server, 3);
        let refused = server.send(&post("/api/v1/replays", &json!({"last": "3s"})));
        if refused.status != 201 {
            break answer(refused, 507);
        }
        more += 1;
        assert!(more < 100, "it never fills up");
    };
    assert_eq!(refused["code"], "not_moved", "{refused}");
    assert_eq!(kept(&server), before + more, "nothing is let go");
    server.stays_within(LIMIT);
}

/// What is no one stream is no file: it stays, the next oldest goes, and nothing is let go unwritten.
#[test]
fn what_cannot_be_moved_stays_and_the_next_one_goes() {
    let folder = folder();
    let other = folder.path().join("other.ts");
    card::write(&other, 4);
    let other = format!("other={}", text(&other));
    let library = ["--library", "clips", "--library-name", "{name}_{n}"];
    let policy = [
        "--keep-live",
        "4s",
        "--when-full",
        "move",
        "--input",
        &other,
    ];
    let (server, mut flood) = Flood::start(folder.path(), &[&policy[..], &library].concat());
    flood.send(&server, 10);
    let pieces = ["main", "other"].map(|channel| {
        let body = json!({"channel": channel, "last": "1s"});
        eventually("it is recorded", || {
            let saved = server.send(&post("/api/v1/replays", &body));
            (saved.status == 201).then(|| saved.json()["id"].clone())
        })
    });
    let join = json!({"replays": pieces, "name": "Both"});
    let reel = answer(server.send(&post("/api/v1/replays/join", &join)), 201);
    for id in &pieces {
        let path = format!("/api/v1/replays/{}", id.as_str().expect("an id"));
        assert_eq!(server.send(&delete(&path)).status, 204);
    }
    assert_eq!(reel["url"], Value::Null, "it is for decks");
    for file in ["ts", "mp4"] {
        let url = format!("/replays/{}.{file}", string(&reel, "id"));
        let refused = answer(server.get(&url), 422);
        assert_eq!(refused["code"], "not_one_stream", "{refused}");
        let detail = string(&refused, "detail");
        assert!(detail.contains("different channels"), "{detail}");
    }
    let export = post(&(place(&reel) + "/export"), &json!({}));
    assert_eq!(answer(server.send(&export), 422)["code"], "not_one_stream");

    let body = |locked: bool| json!({"channel": "main", "last": "3s", "locked": locked});
    let first = save(&server, &body(false));
    let moved = (0..100).find_map(|_| {
        flood.send(&server, 3);
        let replay = save(&server, &body(true));
        (replay["moved"] != json!([])).then(|| replay["moved"].clone())
    });
    assert_eq!(moved, Some(json!([first["id"]])));
    let refused = (0..100).find_map(|_| {
        flood.send(&server, 3);
        let saved = server.send(&post("/api/v1/replays", &body(true)));
        (saved.status != 201).then_some(saved)
    });
    let refused = answer(refused.expect("it fills up"), 507);
    assert_eq!(refused["code"], "not_moved", "{refused}");
    assert!(string(&refused, "detail").contains("Both"), "{refused}");
    answer(server.get(&place(&reel)), 200);
    server.stays_within(LIMIT);
}

/// A save that has begun to move others is carried through, also when nobody waits for it any more.
#[test]
fn a_save_does_not_end_with_its_request() {
    let folder = folder();
    let go = folder.path().join("go");
    let script = format!(
        "case \"$*\" in *-encoders*) echo ' A....D aac x'; exit;; esac\n\
         while [ ! -e {} ]; do sleep 0.1; done; exec cat",
        text(&go)
    );
    let ffmpeg = ffmpeg::script(folder.path(), &script);
    let library = ["--library", "clips", "--auto-export", "audio"];
    let policy = ["--keep-live", "4s", "--when-full", "move"];
    let with = ["--ffmpeg", text(&ffmpeg)];
    let arguments = [&policy[..], &library, &with].concat();
    let (server, mut flood) = Flood::start(folder.path(), &arguments);
    flood.send(&server, 10);
    let first = save(&server, &json!({"last": "3s"}));
    let body = json!({"last": "3s", "name": "Late", "locked": true});
    let late = || array(&server.get("/api/v1/replays?name=Late").json()).len();
    let is_moving = || {
        let jobs = server.get("/api/v1/jobs").json();
        let of_first = array(&jobs).iter();
        // One is that of --auto-export.
        of_first.filter(|job| job["source"] == first["id"]).count() > 1
    };
    let mut before = 0;
    while !is_moving() {
        assert!(before < 100, "it never fills up");
        before = late();
        flood.send(&server, 3);
        let waits = server.begin(&post("/api/v1/replays", &body));
        eventually("it is kept, or waits", || {
            (late() > before || is_moving()).then_some(())
        });
        drop(waits);
    }
    answer(server.get(&place(&first)), 200);
    fs::write(&go, "").expect("the test's folder takes files");
    eventually("it is kept", || (late() > before).then_some(()));
    answer(server.get(&place(&first)), 404);
}
