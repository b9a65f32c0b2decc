//! Replays: kept while recording goes on, trimmed to the picture, and never more than there is room for.

mod room;

use std::fs;
use std::io::Read;
use std::net::TcpStream;
use std::path::Path;
use std::process::Output;
use std::thread;

use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};
use serde_json::{Value, json};
use tempfile::TempDir;
use tungstenite::Message;

use crate::support::browser;
use crate::support::card::{self, FPS};
use crate::support::cut::Cut;
use crate::support::http::{Response, delete, patch, post};
use crate::support::mpv::Mpv;
use crate::support::reader::Reader;
use crate::support::server::{self, Server};
use crate::support::{DEADLINE, deck, eventually, ffmpeg, folder, text};

/// Pictures from keyframe to keyframe of the card.
const GOP: u64 = 15;

/// Kept in the middle of a recording, with each picture that was asked for, and trimmed afterwards.
#[test]
fn it_is_kept_and_trimmed_while_recording_goes_on() {
    let folder = folder();
    let server = demo(folder.path());
    server.wait_for_window(4.0);
    let replay = save(&server, &json!({"last": "2s", "name": "Goal"}));
    // The newest picture may end a little after it came, and come late on a busy machine.
    let length = number(&replay, "duration_s");
    assert!((1.0..2.0 + 1.5 / FPS as f64).contains(&length), "{length}");
    let whole = judge(&server, folder.path(), &replay);
    assert_eq!(whole.first() % GOP, 0, "it begins with a keyframe");
    let before = server.get(string(&replay, "url")).bytes();
    let held = number(&replay, "out_s") * FPS as f64;
    assert_eq!(whole.counters.len() as u64, held.round() as u64);

    let received = server.received();
    server.wait_for_bytes(received + 1_000_000);
    assert_eq!(
        server.get(string(&replay, "url")).bytes(),
        before,
        "it stays"
    );
    for (start, end) in [(7, 40), (20, 21), (31, 60), (0, 15)] {
        let seconds = |picture: u64| picture as f64 / FPS as f64;
        let trim = json!({"in_s": seconds(start), "out_s": seconds(end)});
        let trimmed = answer(server.send(&patch(&place(&replay), &trim)), 200);
        assert_close(&trimmed, "duration_s", seconds(end - start));
        let cut = judge(&server, folder.path(), &trimmed);
        let first = whole.first() + start;
        assert_eq!(
            cut.first(),
            first / GOP * GOP,
            "from the keyframe before picture {first}"
        );
        assert_eq!(cut.last(), whole.first() + end - 1);
    }
}

/// It is there at once, and goes on until it is complete.
#[test]
fn it_reaches_forward() {
    let folder = folder();
    let server = demo(folder.path());
    server.wait_for_window(2.0);
    let replay = save(&server, &json!({"last": "1s", "plus": "2s"}));
    assert_eq!(replay["growing"], true);
    let early = judge(&server, folder.path(), &replay);
    let whole = eventually("it is complete", || {
        let replay = server.get(&place(&replay)).json();
        (replay["growing"] == false).then_some(replay)
    });
    // Its last pictures may come late on a busy machine.
    let length = number(&whole, "duration_s");
    assert!((2.0..3.0 + 1.5 / FPS as f64).contains(&length), "{length}");
    let cut = judge(&server, folder.path(), &whole);
    assert_eq!(cut.first(), early.first());
    assert!(
        cut.last() > early.last() + FPS,
        "{} and {}",
        cut.last(),
        early.last()
    );
}

/// Two halves, and both of them joined the other way round.
#[test]
fn it_is_split_and_joined_to_a_reel() {
    let (server, folder) = recorded(10);
    let replay = save(&server, &json!({}));
    let split = post(&(place(&replay) + "/split"), &json!({"at_s": 4.0}));
    let halves = answer(server.send(&split), 201);
    let pictures = |half: &Value| {
        let cut = judge(&server, folder.path(), half);
        (cut.first(), cut.last())
    };
    assert_eq!(pictures(&halves[0]), (0, 4 * FPS - 1));
    assert_eq!(pictures(&halves[1]), (4 * FPS, 10 * FPS - 1));
    let ids = json!({"replays": [halves[1]["id"], halves[0]["id"]], "name": "Reel"});
    let reel = answer(server.send(&post("/api/v1/replays/join", &ids)), 201);
    let file = download(&server, folder.path(), &reel);
    let joined = Cut::judge_joined(Path::new(&file));
    let expected: Vec<u64> = (4 * FPS..10 * FPS).chain(0..4 * FPS).collect();
    assert_eq!(joined.counters, expected);
    // An MP4 says which of the pictures are to be seen: here, all but the run-up of the second piece.
    assert_eq!(seen_in_mp4(&server, folder.path(), &reel), expected);
}

/// In and out point of an MP4 are exact to the picture, whatever it begins with.
#[test]
fn its_mp4_is_exact_to_the_picture() {
    let (server, folder) = recorded(6);
    let replay = save(&server, &json!({}));
    for (start, end) in [(0, 6 * FPS), (GOP + 7, 4 * FPS + 11), (GOP - 1, GOP + 1)] {
        let seconds = |picture: u64| (picture as f64 / FPS as f64).max(0.0);
        let trim = json!({"in_s": seconds(start), "out_s": seconds(end)});
        let trimmed = answer(server.send(&patch(&place(&replay), &trim)), 200);
        let seen = seen_in_mp4(&server, folder.path(), &trimmed);
        assert_eq!(seen, (start..end).collect::<Vec<_>>(), "{start} to {end}");
    }
    let ids = json!({"replays": [replay["id"], replay["id"]]});
    let trim = json!({"in_s": 1.5, "out_s": 2.0});
    answer(server.send(&patch(&place(&replay), &trim)), 200);
    let reel = answer(server.send(&post("/api/v1/replays/join", &ids)), 201);
    let seen = seen_in_mp4(&server, folder.path(), &reel);
    let piece = 3 * FPS / 2..2 * FPS;
    assert_eq!(seen, piece.clone().chain(piece).collect::<Vec<_>>());
}

/// Players begin its MP4 with its first picture, which is no keyframe, and find any other.
#[test]
fn players_show_its_mp4_to_the_picture() {
    let folder = folder();
    let input = folder.path().join("card.ts");
    let b_frames = "-c:v libx264 -preset veryfast -bf 2 -g 30 -pix_fmt yuv420p";
    card::encode(&input, 8, b_frames);
    let server = Server::having_read(folder.path(), &input, &[]);
    let replay = save(&server, &json!({}));
    // Two thirds of them lie early in a picture: the last frame of sound goes on behind the last picture, and browsers count it.
    let (start, end) = (57, 158);
    let seconds = |picture: u64| picture as f64 / FPS as f64;
    let trim = json!({"in_s": seconds(start), "out_s": seconds(end)});
    answer(server.send(&patch(&place(&replay), &trim)), 200);
    let path = string(&replay, "url").replace(".ts", ".mp4");

    let played = browser::play(&server, folder.path(), &path);
    assert_eq!(played.error, None);
    let length = seconds(end - start);
    assert!((played.duration - length).abs() < 0.05, "{played:?}");
    assert_eq!(
        (played.first, played.sought),
        (Some(start), Some(start + 67))
    );

    let mut mpv = Mpv::open(folder.path(), &server.url(&path));
    assert!((mpv.duration() - length).abs() < 0.05);
    mpv.pause();
    for picture in [0, 66, 99, 1] {
        mpv.seek(seconds(picture));
        assert_eq!(mpv.picture(folder.path()), start + picture);
    }
    assert_eq!(mpv.complaints(), "");
}

/// Pictures that are coded in another order than they are shown in: a deck shows all that are between in
/// and out, and behind them those alone that they refer to.
#[test]
fn a_deck_shows_it_to_the_picture_among_b_frames() {
    const B_PICTURES: u64 = 3;
    let folder = folder();
    let (plain, input) = (
        folder.path().join("plain.ts"),
        folder.path().join("card.ts"),
    );
    card::write(&plain, 10);
    let codec = format!("-c:v libx264 -preset veryfast -bf {B_PICTURES} -g 30 -c:a aac");
    let x264 = "-x264-params b-adapt=0:scenecut=0";
    ffmpeg::make(&[&plain], &format!("{codec} {x264}"), &input);
    let server = Server::having_read(folder.path(), &input, &[]);
    let replay = save(&server, &json!({}));
    let (from, mut beyond) = (70, Vec::new());
    for to in 84..=84 + B_PICTURES {
        let seconds = |picture: u64| (picture as f64 / FPS as f64).max(0.0);
        let trim = json!({"in_s": seconds(from), "out_s": seconds(to)});
        answer(server.send(&patch(&place(&replay), &trim)), 200);
        let reader = Reader::start(server.get("/decks/main.ts").into_body());
        eventually("the newest is shown first", || {
            (reader.len() > 188 * 10).then_some(())
        });
        let load = json!({"replay": replay["id"], "then": "idle"});
        deck::command(&server, "load", &load);
        eventually("it has played", || {
            (server.status()["decks"][0]["state"] == "idle").then_some(())
        });
        let file = folder.path().join("feed.ts");
        fs::write(&file, reader.stop()).expect("the test's folder takes files");
        let shown = card::counters(text(&file));
        let before = shown.iter().rposition(|&counter| counter > 200);
        let played = &shown[before.expect("the newest") + 1..];
        let start = played.iter().position(|&counter| counter == from);
        let mut played = played[start.expect("the first picture")..].to_vec();
        // What brings out the last picture repeats it.
        played.dedup();
        let length = (to - from) as usize;
        assert_eq!(
            played[..length],
            (from..to).collect::<Vec<_>>(),
            "to {to}: {played:?}"
        );
        beyond.push(played.len() - length);
    }
    // A picture may need the one that all of its group refer to, and the middle one of them.
    assert!(
        beyond.contains(&0) && beyond.iter().all(|&more| more <= 2),
        "{beyond:?}"
    );
}

/// A key that is hit again and again, by several at a time.
#[test]
fn a_hundred_saves_are_a_hundred_replays() {
    let (server, _folder) = recorded(10);
    let one = save(&server, &json!({}));
    thread::scope(|scope| {
        for worker in 0..4 {
            let server = &server;
            scope.spawn(move || {
                for n in 0..25 {
                    let name = format!("{worker}/{n}");
                    save(
                        server,
                        &json!({"last": format!("{}s", n % 5 + 1), "name": name}),
                    );
                }
            });
        }
    });
    let all = server.get("/api/v1/replays").json();
    let mut ids: Vec<&str> = array(&all)
        .iter()
        .map(|replay| string(replay, "id"))
        .collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 101);
    assert_eq!(
        array(&server.get("/api/v1/replays?name=3/").json()).len(),
        25
    );
    // All of them are parts of the first, and take no more than it does.
    let clear = post("/api/v1/channels/main/clear", &json!({}));
    assert_eq!(server.send(&clear).status, 200);
    let held = server.status()["memory"]["held_bytes"].as_u64();
    assert!(held <= one["bytes"].as_u64(), "{held:?} for {one}");
}

/// What is deleted while somebody downloads it is gone for everybody else.
#[test]
fn a_download_ends_well_when_the_replay_is_deleted() {
    let (server, _folder) = recorded(120);
    let replay = save(&server, &json!({"clear": true}));
    let url = string(&replay, "url");
    let whole = server.get(url).bytes();
    // More than lies on the way: the rest is read when the replay is gone.
    assert!(whole.len() > 8 << 20, "{} bytes", whole.len());
    let mut download = server.get(url);
    let mut bytes = vec![0; 188];
    download.body().read_exact(&mut bytes).expect("it begins");
    assert_eq!(server.send(&delete(&place(&replay))).status, 204);
    assert_eq!(server.get(url).status, 404);
    download.body().read_to_end(&mut bytes).expect("it goes on");
    assert!(bytes == whole);
    eventually("its memory is free", || {
        (server.status()["memory"]["held_bytes"] == 0).then_some(())
    });
}

/// The commands of the program: tables for people, JSON for programs.
#[test]
fn the_command_line_keeps_finds_and_lets_go() {
    let (server, folder) = recorded(10);
    let ask = |line: &str| {
        let output = run(&server, folder.path(), &line.split(' ').collect::<Vec<_>>());
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{line}: {told}");
        String::from_utf8(output.stdout).expect("text")
    };
    let told = ask("save --last 3s --name Goal --tag red");
    let id = told.split(' ').next().expect("the id").to_owned();
    assert_eq!(told, format!("{id}  Goal: 3.0 s\n"));
    let second: Value = serde_json::from_str(&ask("save --json --lock")).expect("JSON");
    let table = ask("list");
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines[0].starts_with("ID") && lines.len() == 3, "{table}");
    assert!(
        lines[1].contains("Replay 2 (locked)"),
        "the newest first: {table}"
    );
    assert!(
        lines[2].starts_with(&id) && lines[2].ends_with("red"),
        "{table}"
    );
    assert_eq!(ask("list go").lines().count(), 2);
    assert_eq!(ask("list --tag blue"), "no replays\n");
    let listed: Value = serde_json::from_str(&ask("list --json GOAL")).expect("JSON");
    assert_eq!(listed[0]["id"], id.as_str());
    let told = ask(&format!("play --replay {id}"));
    assert!(
        told.starts_with("deck main: playing, at 0.") && told.contains("of 3.0 s"),
        "{told}"
    );
    assert_eq!(ask("clear"), "cleared: main\n");
    assert_eq!(server.channel()["window"], Value::Null);
    assert_eq!(ask(&format!("delete {id}")), format!("deleted: {id}\n"));
    for (line, word) in [
        (format!("delete {id}"), "no such replay"),
        (format!("delete {}", string(&second, "id")), "unlock"),
        ("save".to_owned(), "nothing is recorded"),
        ("save --channel other".to_owned(), "no channel other"),
        (format!("play --replay {id}"), "no such replay"),
        ("list --from noon".to_owned(), "-30s"),
    ] {
        let output = run(&server, folder.path(), &line.split(' ').collect::<Vec<_>>());
        assert_eq!(output.status.code(), Some(2), "{line}");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            told.contains(word) && told.lines().count() == 1,
            "{line}: {told}"
        );
    }
}

/// People read and write the time of where they are, programs that of UTC.
#[test]
fn tables_show_the_time_of_here() {
    let (server, folder) = recorded(5);
    let replay = save(&server, &json!({}));
    let here = |moment: &str| {
        let moment: Timestamp = moment.parse().expect("a time");
        let india = TimeZone::fixed(Offset::from_seconds(19_800).expect("it is one"));
        moment
            .to_zoned(india)
            .strftime("%Y-%m-%d %H:%M:%S")
            .to_string()
    };
    let ask = |arguments: &[&str]| {
        let url = server.url("");
        let arguments = [arguments, &["--server", &url]].concat();
        let mut command = server::command(folder.path(), &arguments);
        let output = command.env("TZ", "IST-5:30").output().expect("it starts");
        let told = [output.stdout, output.stderr].concat();
        String::from_utf8(told).expect("text")
    };
    let start = here(string(&replay, "start"));
    let table = ask(&["list"]);
    assert!(table.contains(&start), "{start}: {table}");
    assert!(ask(&["list", "--json"]).contains(string(&replay, "start")));
    assert_eq!(ask(&["list", "--to", &start]), "no replays\n");
    let end = here(string(&replay, "end"));
    assert_eq!(ask(&["list", "--from", &start, "--to", &end]), table);
    let refused = ask(&["save", "--from", "-2h", "--to", "-1h"]);
    assert!(
        refused.contains(&start) && refused.contains(&end),
        "{refused}"
    );
}

/// Whoever listens hears of each replay that is made, changed and deleted.
#[test]
fn events_tell_what_becomes_of_replays() {
    let (server, _folder) = recorded(5);
    let address = server.url("").replace("http://", "");
    let stream = TcpStream::connect(&address).expect("it listens");
    stream
        .set_read_timeout(Some(DEADLINE))
        .expect("a socket takes a time-out");
    let (mut socket, _) = tungstenite::client(format!("ws://{address}/api/v1/events"), stream)
        .unwrap_or_else(|error| panic!("no WebSocket: {error}"));
    let next = |socket: &mut tungstenite::WebSocket<TcpStream>| loop {
        if let Message::Text(text) = socket.read().expect("it goes on") {
            let event: Value = serde_json::from_str(&text).expect("JSON");
            if event["type"] == "replay" {
                return event;
            }
        }
    };
    // Whoever has been told something is told of everything from then on.
    socket.read().expect("the state of the deck");
    let replay = save(&server, &json!({"name": "Goal"}));
    let event = next(&mut socket);
    assert_eq!(
        (&event["change"], &event["name"]),
        (&json!("created"), &json!("Goal"))
    );
    answer(
        server.send(&patch(&place(&replay), &json!({"name": "Foul"}))),
        200,
    );
    let event = next(&mut socket);
    assert_eq!(
        (&event["change"], &event["name"]),
        (&json!("changed"), &json!("Foul"))
    );
    server.send(&delete(&place(&replay)));
    let event = next(&mut socket);
    assert_eq!(
        (&event["change"], &event["id"]),
        (&json!("deleted"), &replay["id"])
    );
}

fn demo(folder: &Path) -> Server {
    let mut command = server::command(folder, &["demo", "--listen", "127.0.0.1:0"]);
    Server::spawn(folder, &mut command)
}

/// A server that has recorded so much of the card.
fn recorded(seconds: u32) -> (Server, TempDir) {
    let folder = folder();
    let input = folder.path().join("card.ts");
    card::write(&input, seconds);
    let server = Server::having_read(folder.path(), &input, &[]);
    (server, folder)
}

fn save(server: &Server, body: &Value) -> Value {
    answer(server.send(&post("/api/v1/replays", body)), 201)
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

fn download(server: &Server, folder: &Path, replay: &Value) -> String {
    let file = folder.join("replay.ts");
    let bytes = server.get(string(replay, "url")).bytes();
    fs::write(&file, bytes).expect("the test's folder takes files");
    text(&file).to_owned()
}

/// The numbers of the pictures that a player shows of its MP4.
fn seen_in_mp4(server: &Server, folder: &Path, replay: &Value) -> Vec<u64> {
    let url = string(replay, "url").replace(".ts", ".mp4");
    let answer = server.get(&url);
    assert_eq!(answer.status, 200, "{url}");
    let file = folder.join("replay.mp4");
    fs::write(&file, answer.bytes()).expect("the test's folder takes files");
    card::counters(text(&file))
}

fn judge(server: &Server, folder: &Path, replay: &Value) -> Cut {
    Cut::judge(Path::new(&download(server, folder, replay)))
}

fn run(server: &Server, folder: &Path, arguments: &[&str]) -> Output {
    let url = server.url("");
    let arguments = [arguments, &["--server", &url]].concat();
    let mut command = server::command(folder, &arguments);
    command.output().expect("it starts")
}

fn string<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key]
        .as_str()
        .unwrap_or_else(|| panic!("no {key} in {value}"))
}

fn number(value: &Value, key: &str) -> f64 {
    value[key]
        .as_f64()
        .unwrap_or_else(|| panic!("no {key} in {value}"))
}

fn array(value: &Value) -> &[Value] {
    value
        .as_array()
        .unwrap_or_else(|| panic!("{value} is no list"))
}

#[track_caller]
fn assert_close(value: &Value, key: &str, expected: f64) {
    let found = number(value, key);
    assert!(
        (found - expected).abs() < 0.002,
        "{key} is {found}, not {expected}"
    );
}
