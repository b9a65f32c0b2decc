//! Replays that leave the memory: converted, and written to the library.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use jiff::Timestamp;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::card::{self, FPS};
use crate::support::http::{Response, delete, patch, post};
use crate::support::server::{self, Server};
use crate::support::{deck, eventually, ffmpeg, folder, free_port, text};

/// Pictures from keyframe to keyframe of the card.
const GOP: u64 = 15;

#[test]
fn a_conversion_shows_what_the_replay_shows() {
    let (server, folder) = recorded(8, &[]);
    let replay = trimmed(&server, GOP + 7, 2 * FPS + 3);
    let convert = |replay: &Value, body: Value| {
        let job = begin(&server, replay, "convert", &body);
        saved(&server, folder.path(), &over(&server, &job))
    };
    let shown = card::counters(text(&convert(&replay, json!({"preset": "720p"}))));
    assert_eq!(shown, (GOP + 7..2 * FPS + 3).collect::<Vec<_>>());
    let part = json!({"preset": "720p", "in_s": 0.3, "out_s": 0.8});
    let shown = card::counters(text(&convert(&replay, part)));
    assert_eq!(shown, (GOP + 16..GOP + 31).collect::<Vec<_>>());

    // Of a reel, nothing is seen that lies between its pieces.
    let other = trimmed(&server, 4 * FPS + 1, 4 * FPS + 20);
    let ids = json!({"replays": [other["id"], replay["id"]]});
    let reel = answer(server.send(&post("/api/v1/replays/join", &ids)), 201);
    let expected: Vec<u64> = (4 * FPS + 1..4 * FPS + 20)
        .chain(GOP + 7..2 * FPS + 3)
        .collect();
    let shown = card::counters(text(&convert(&reel, json!({"preset": "720p"}))));
    assert_eq!(shown, expected);
    let part = json!({"preset": "720p", "in_s": 0.5, "out_s": 1.0});
    let shown = card::counters(text(&convert(&reel, part)));
    assert_eq!(shown, expected[15..30]);
    let copy = post(&(place(&reel) + "/convert"), &json!({"preset": "copy"}));
    let refused = answer(server.send(&copy), 422);
    assert!(string(&refused, "detail").contains("MP4"), "{refused}");
}

#[test]
fn an_export_has_what_is_known_of_the_replay_beside_it() {
    let (server, folder) = recorded(6, &["--library", "clips", "--library-name", "{name}_{n}"]);
    let replay = trimmed(&server, GOP + 7, 3 * FPS);
    let rename = json!({"name": "First: goal", "tags": ["red", "late"]});
    answer(server.send(&patch(&place(&replay), &rename)), 200);
    let job = begin(
        &server,
        &replay,
        "export",
        &json!({"format": "mp4", "tags": ["late", "cup"]}),
    );
    // What is exported stays until it is done.
    assert_eq!(server.send(&delete(&place(&replay))).status, 204);
    let done = over(&server, &job);
    assert_eq!(done["result"]["library"], "First- goal_1.mp4", "{done}");
    let file = folder.path().join("clips/First- goal_1.mp4");
    assert_eq!(ffmpeg::complaints(text(&file)), "");
    assert_eq!(
        card::counters(text(&file)),
        (GOP + 7..3 * FPS).collect::<Vec<_>>()
    );
    let about = fs::read(folder.path().join("clips/First- goal_1.mp4.json")).expect("beside it");
    let about: Value = serde_json::from_slice(&about).expect("JSON");
    assert_eq!(about["name"], "First: goal");
    assert_eq!(about["tags"], json!(["red", "late", "cup"]));
    let length = about["duration_s"].as_f64().expect("a length");
    assert!(
        (length - (3 * FPS - GOP - 7) as f64 / FPS as f64).abs() < 0.001,
        "{about}"
    );
}

/// Each replay once, when it is complete; what becomes of it later does not touch the file.
#[test]
fn replays_are_exported_by_themselves() {
    let arguments = [
        "--auto-export",
        "mp4",
        "--library",
        "clips",
        "--library-name",
        "{name}",
    ];
    let (server, folder) = recorded(4, &arguments);
    let saved = |name: &str| {
        let body = json!({"name": name, "last": "1s"});
        answer(server.send(&post("/api/v1/replays", &body)), 201)
    };
    let replay = saved("first");
    let exports = |count: usize| {
        eventually(format!("{count} exports are done"), || {
            let jobs = server.get("/api/v1/jobs").json();
            let done = jobs.as_array()?.iter().filter(|job| job["state"] == "done");
            (done.count() == count).then_some(jobs)
        })
    };
    exports(1);
    answer(
        server.send(&patch(&place(&replay), &json!({"tags": ["late"]}))),
        200,
    );
    assert_eq!(server.send(&delete(&place(&replay))).status, 204);
    saved("second");
    let jobs = exports(2);
    assert_eq!(jobs[1]["result"]["library"], "second.mp4", "{jobs}");
    for name in ["first.mp4", "second.mp4"] {
        let file = folder.path().join("clips").join(name);
        assert_eq!(card::counters(text(&file)).len() as u64, FPS, "{name}");
    }
    // One that cannot be written is told of, and the next one is.
    saved("first");
    saved("third");
    exports(3);
    assert!(
        server.log().contains("is not in the library"),
        "{}",
        server.log()
    );
}

/// What was exported as it was recorded is there when lookback starts anew, and comes back as it was.
#[test]
fn it_comes_back_from_the_library() {
    let arguments = ["--library", "clips", "--library-name", "{name}"];
    let (server, folder) = recorded(6, &arguments);
    let replay = trimmed(&server, GOP + 7, 2 * FPS + 3);
    let other = trimmed(&server, 4 * FPS + 1, 4 * FPS + 20);
    let join = json!({"replays": [other["id"], replay["id"]], "name": "Reel"});
    let reel = answer(server.send(&post("/api/v1/replays/join", &join)), 201);
    let rename = json!({"name": "First: goal", "tags": ["red"]});
    let replay = answer(server.send(&patch(&place(&replay), &rename)), 200);
    for (replay, format) in [(&replay, "ts"), (&reel, "ts"), (&other, "mp4")] {
        over(
            &server,
            &begin(&server, replay, "export", &json!({"format": format})),
        );
    }
    drop(server);

    let port = format!("127.0.0.1:{}", free_port());
    let server = Server::start(
        folder.path(),
        &[&["--input", &format!("tcp://{port}")], &arguments[..]].concat(),
    );
    let listed = server.get("/api/v1/library").json();
    let files = listed.as_array().expect("a list").iter();
    let mut files: Vec<&str> = files.map(|file| string(file, "file")).collect();
    files.sort_unstable();
    assert_eq!(files.len(), 3, "{listed}");
    assert_eq!(files[..2], ["First- goal.ts", "Reel.ts"]);
    let table = run(&server, folder.path(), &["library"]);
    assert!(
        table.contains("First: goal") && table.lines().count() == 4,
        "{table}"
    );

    let told = run(&server, folder.path(), &["restore", "First- goal.ts"]);
    let id = told.split(' ').next().expect("an id");
    let restored = server.get(&format!("/api/v1/replays/{id}")).json();
    for key in ["name", "tags", "channel"] {
        assert_eq!(restored[key], replay[key], "{key}");
    }
    // It was recorded when it was recorded, but for the picture in which it ends.
    let end = |replay: &Value| -> Timestamp { string(replay, "end").parse().expect("a time") };
    let moved = end(&restored).duration_since(end(&replay)).abs();
    assert!(moved.as_millis() < 100, "{moved:?}");
    assert_eq!(
        seen(&server, folder.path(), &restored),
        (GOP + 7..2 * FPS + 3).collect::<Vec<_>>()
    );
    let path = "/api/v1/library/Reel.ts/restore";
    let reel = answer(server.send(&post(path, &json!({}))), 201);
    let pieces: Vec<u64> = (4 * FPS + 1..4 * FPS + 20)
        .chain(GOP + 7..2 * FPS + 3)
        .collect();
    assert_eq!(seen(&server, folder.path(), &reel), pieces);
    let loaded = deck::command(&server, "load", &json!({"replay": id}));
    let length = loaded["duration_s"].as_f64().expect("a length");
    assert!(
        (length - (2 * FPS + 3 - GOP - 7) as f64 / FPS as f64).abs() < 0.01,
        "{loaded}"
    );
    let channels = server.status()["channels"].take();
    assert_eq!(
        channels.as_array().expect("a list").len(),
        1,
        "none is added"
    );

    for (file, status, code) in [
        (files[2], 422, "not_restorable"),
        ("none.ts", 404, "unknown_file"),
        ("..%2Fcard.ts", 404, "unknown_file"),
    ] {
        let path = format!("/api/v1/library/{}/restore", file.replace(' ', "%20"));
        let refused = answer(server.send(&post(&path, &json!({}))), status);
        assert_eq!(refused["code"], code, "{file}");
    }
}

#[test]
fn a_file_that_is_too_large_stays_where_it_is() {
    let (server, folder) = recorded(30, &["--library", "clips", "--library-name", "{name}"]);
    let replay = trimmed(&server, 0, 30 * FPS);
    let named = json!({"format": "ts", "name": "long"});
    over(&server, &begin(&server, &replay, "export", &named));
    drop(server);
    let path = folder.path().join("clips/long.ts");
    let mut file = fs::read(&path).expect("it was written");
    // Null packets: what they hold does not matter.
    let mut null = [0xff; 188];
    null[..4].copy_from_slice(&[0x47, 0x1f, 0xff, 0x10]);
    file.extend(null.repeat(40_000_000 / 188));
    fs::write(&path, file).expect("the test's folder takes files");
    let port = format!("tcp://127.0.0.1:{}", free_port());
    let words = ["--input", &port, "--memory", "32MiB", "--library", "clips"];
    let server = Server::start(folder.path(), &words);
    let restore = post("/api/v1/library/long.ts/restore", &json!({}));
    let refused = answer(server.send(&restore), 507);
    assert_eq!(refused["code"], "memory_full");
    assert_eq!(server.status()["memory"]["held_bytes"], 0);
}

#[test]
fn from_the_command_line() {
    let (server, folder) = recorded(6, &["--library", "clips", "--library-name", "{name}_{n}"]);
    let replay = trimmed(&server, 3, 40);
    let id = string(&replay, "id");
    let said = run(
        &server,
        folder.path(),
        &["export", id, "--format", "mp4", "--name", "a"],
    );
    assert!(said.starts_with("a_1.mp4: "), "{said}");
    let file = folder.path().join("clips/a_1.mp4");
    assert_eq!(card::counters(text(&file)), (3..40).collect::<Vec<_>>());
    run(
        &server,
        folder.path(),
        &[
            "convert",
            id,
            "--preset",
            "720p",
            "--channel",
            "main",
            "-o",
            "b.mp4",
        ],
    );
    let file = folder.path().join("b.mp4");
    assert_eq!(card::counters(text(&file)), (3..40).collect::<Vec<_>>());
    for words in [
        ["export", id, "--channel", "side"],
        ["export", "0123", "--channel", "main"],
    ] {
        let refused = ask(&server, folder.path(), &words);
        assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    }
}

/// A server that has recorded so much of the card.
fn recorded(seconds: u32, arguments: &[&str]) -> (Server, TempDir) {
    let folder = folder();
    let input = folder.path().join("card.ts");
    card::write(&input, seconds);
    let server = Server::having_read(folder.path(), &input, arguments);
    (server, folder)
}

/// A replay of which these pictures are to be seen.
fn trimmed(server: &Server, first: u64, end: u64) -> Value {
    let replay = answer(server.send(&post("/api/v1/replays", &json!({}))), 201);
    let seconds = |picture: u64| picture as f64 / FPS as f64;
    let trim = json!({"in_s": seconds(first), "out_s": seconds(end)});
    answer(server.send(&patch(&place(&replay), &trim)), 200)
}

fn begin(server: &Server, replay: &Value, command: &str, body: &Value) -> Value {
    let path = format!("{}/{command}", place(replay));
    answer(server.send(&post(&path, body)), 202)
}

/// A job when it is over.
fn over(server: &Server, job: &Value) -> Value {
    let path = format!("/api/v1/jobs/{}", string(job, "id"));
    eventually("the job is over", || {
        let job = server.get(&path).json();
        let runs = job["state"] == "queued" || job["state"] == "running";
        (!runs).then_some(job)
    })
}

/// The numbers of the pictures that a player shows of its MP4.
fn seen(server: &Server, folder: &Path, replay: &Value) -> Vec<u64> {
    let url = string(replay, "url").replace(".ts", ".mp4");
    let file = folder.join("seen.mp4");
    fs::write(&file, server.get(&url).bytes()).expect("the test's folder takes files");
    card::counters(text(&file))
}

/// The result of a job in a file.
fn saved(server: &Server, folder: &Path, job: &Value) -> PathBuf {
    assert_eq!(job["state"], "done", "{job}");
    let file = folder.join(string(job, "id").to_owned() + ".mp4");
    let bytes = server.get(string(&job["result"], "url")).bytes();
    fs::write(&file, bytes).expect("the test's folder takes files");
    file
}

fn ask(server: &Server, folder: &Path, words: &[&str]) -> Output {
    let address = server.url("");
    let arguments = [words, &["--server", &address]].concat();
    let mut command = server::command(folder, &arguments);
    command.output().expect("lookback starts")
}

/// What a command prints that goes well.
fn run(server: &Server, folder: &Path, words: &[&str]) -> String {
    let output = ask(server, folder, words);
    assert!(output.status.success(), "{words:?}: {output:?}");
    String::from_utf8(output.stdout).expect("text")
}

#[track_caller]
fn answer(response: Response, status: u16) -> Value {
    let answered = response.status;
    let body = response.json();
    assert_eq!(answered, status, "{body}");
    body
}

fn place(replay: &Value) -> String {
    format!("/api/v1/replays/{}", string(replay, "id"))
}

#[track_caller]
fn string<'a>(value: &'a Value, key: &str) -> &'a str {
    let text = value[key].as_str();
    text.unwrap_or_else(|| panic!("no {key} in {value}"))
}
