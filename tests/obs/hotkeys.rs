//! Keys pressed in OBS reach lookback by the script that it serves.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::deck::media_source;
use crate::support::http;
use crate::support::obs::{Eye, Obs};
use crate::support::server::{self, Server};
use crate::support::{eventually, folder, free_port, text};

const TOKEN: &str = "0123456789abcdef";

/// Keys of the keyboard save a moment and show it; the other hotkeys lead where their names say.
#[test]
fn keys_save_and_replay_and_drive_the_deck() {
    let folder = folder();
    let server = demo(&folder, &[]);
    server.wait_for_window(8.0);
    let script = fetch(&server, &folder, "lookback.lua");
    let settings = json!({"seconds": 6, "speed": 0.25,
                          "lookback.save_10": [{"key": "OBS_KEY_F5"}],
                          "lookback.replay": [{"key": "OBS_KEY_F6"}]});
    let mut obs = Obs::with_scripts(&[(&script, settings)]);
    obs.add_media_source("deck", media_source(&server));
    obs.counter("deck");
    let eye = obs.watch("deck");

    let saved = obs.hold_key("F5", || replays(&server).first().cloned());
    let held = saved["duration_s"].as_f64().expect("a duration");
    assert!((7.5..10.5).contains(&held), "{saved}");
    let loaded = obs.hold_key("F6", || is_in(&server, "playing"));
    assert_eq!(loaded["speed"], 0.25);
    let length = loaded["duration_s"].as_f64().expect("a duration");
    assert!((5.0..7.5).contains(&length), "{loaded}");

    obs.trigger("lookback.pause");
    deck_in(&server, "paused");
    let stands = stands(&eye);
    for (hotkey, picture) in [
        ("step", stands + 1),
        ("step", stands + 2),
        ("step_back", stands + 1),
    ] {
        obs.trigger(&format!("lookback.{hotkey}"));
        eventually(format!("picture {picture} is on, {}", obs.log()), || {
            (eye.now() == Some(picture)).then_some(())
        });
    }
    obs.trigger("lookback.pause");
    deck_in(&server, "playing");
    eventually("the picture moves on", || {
        (eye.now() > Some(stands + 3)).then_some(())
    });
    for (hotkey, speed) in [("half", 0.5), ("rewind", -2.0), ("play", 1.0)] {
        obs.trigger(&format!("lookback.{hotkey}"));
        eventually(format!("{hotkey}: {speed}"), || {
            (deck(&server)["speed"] == speed).then_some(())
        });
    }
    obs.trigger("lookback.stop");
    deck_in(&server, "idle");

    // OBS has saved which keys there are, also those that nobody has set.
    obs.add_media_source("another", json!({}));
    eventually("the keys are saved", || {
        let collection = obs.collection();
        let settings = &collection["modules"]["scripts-tool"][0]["settings"];
        (settings["lookback.stop"] == json!([])
            && settings["lookback.save_10"] == json!([{"key": "OBS_KEY_F5"}]))
        .then_some(())
    });
}

/// A key that cannot do anything says why in OBS's script log, once, and holds up no other.
#[test]
fn what_goes_wrong_is_said_once() {
    let folder = folder();
    let token = folder.path().join("token");
    fs::write(&token, TOKEN).expect("the test's folder takes files");
    let server = demo(&folder, &["--token-file", text(&token)]);
    eventually("there is something to save", || {
        (ask(&server, "/api/v1/channels")[0]["window"] != Value::Null).then_some(())
    });
    let closed = format!("127.0.0.1:{}", free_port());
    let scripts = [
        ("locked.lua", "token", "", "lookback asks for its token", 1),
        ("closed.lua", "server", &closed, "no lookback answers at", 1),
        (
            "named.lua",
            "server",
            "obs.example:1688",
            "the address of lookback has a host in numbers",
            1,
        ),
        ("right.lua", "token", TOKEN, "saved ", 3),
    ];
    let paths = scripts.map(|(name, ..)| fetch(&server, &folder, name));
    let keys = scripts.map(|(_, setting, value, ..)| {
        json!({setting: value,
               "lookback.save_10": [{"key": "OBS_KEY_F5"}],
               "lookback.save_30": [{"key": "OBS_KEY_F6"}],
               "lookback.save_60": [{"key": "OBS_KEY_F7"}]})
    });
    let scripts_and_keys: Vec<_> = paths.iter().map(PathBuf::as_path).zip(keys).collect();
    let obs = Obs::with_scripts(&scripts_and_keys);

    for (key, saved) in [("F5", 1), ("F6", 2), ("F7", 3)] {
        obs.hold_key(key, || (replays(&server).len() == saved).then_some(()));
    }
    for (name, _, _, said, times) in scripts {
        let of_script = format!("[Lua: {name}] ");
        let lines = eventually(format!("{name}: {said}: {}", obs.log()), || {
            let log = obs.log();
            let lines = log.lines().filter(|line| line.contains(&of_script));
            let lines: Vec<String> = lines.map(str::to_owned).collect();
            (lines.len() >= times).then_some(lines)
        });
        let expected = of_script + said;
        assert!(
            lines.len() == times && lines.iter().all(|line| line.contains(&expected)),
            "{lines:#?}"
        );
    }
}

/// A replay is one request, and what of it OBS did not do stands in the script log.
#[test]
fn a_replay_says_what_was_left_out() {
    let folder = folder();
    let server = demo(&folder, &[]);
    let script = fetch(&server, &folder, "lookback.lua");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound").to_string();
    let asked = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("the script asks");
        let request = Request::read(&stream);
        let body = json!({"problems": [{"code": "no_scene", "count": 1, "hint": "there is no scene Replay"}]});
        write!(stream, "HTTP/1.0 200 OK\r\n\r\n{body}").expect("the script listens");
        request
    });
    let mut obs = Obs::with_scripts(&[(&script, json!({"server": address, "seconds": 6}))]);
    obs.trigger("lookback.replay");
    let line = "[Lua: lookback.lua] there is no scene Replay";
    eventually("what was left out is said", || {
        obs.log().contains(line).then_some(())
    });
    let asked = asked.join().expect("the script asks as it should");
    assert_eq!(asked.line, "POST /api/v1/obs/replay HTTP/1.0");
    assert_eq!(
        asked.body,
        json!({"last": "6s", "speed": 0.5, "deck": "main"})
    );
}

/// What the script sends.
struct Request {
    line: String,
    body: Value,
}

impl Request {
    fn read(stream: &TcpStream) -> Self {
        let mut stream = BufReader::new(stream);
        let mut next = || {
            let mut line = String::new();
            stream.read_line(&mut line).expect("a line");
            line.trim_end().to_owned()
        };
        let line = next();
        let mut length = 0;
        loop {
            let header = next();
            match header.split_once(": ") {
                Some(("Content-Length", value)) => length = value.parse().expect("a number"),
                Some(_) => {}
                None => break,
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).expect("the body");
        let body = serde_json::from_slice(&body).expect("JSON");
        Self { line, body }
    }
}

fn demo(folder: &TempDir, arguments: &[&str]) -> Server {
    let arguments = [&["demo", "--listen", "127.0.0.1:0"], arguments].concat();
    Server::spawn(
        folder.path(),
        &mut server::command(folder.path(), &arguments),
    )
}

/// Asks for what is there, with the token that one of the servers wants.
fn ask(server: &Server, path: &str) -> Value {
    let authorization = format!("Bearer {TOKEN}");
    let answer = server.send(&http::get(path).header("Authorization", &authorization));
    assert_eq!(answer.status, 200, "{path}");
    answer.json()
}

/// Gets the script from the server, into a file of this name.
fn fetch(server: &Server, folder: &TempDir, name: &str) -> PathBuf {
    let authorization = format!("Bearer {TOKEN}");
    let script = http::get("/obs/lookback.lua").header("Authorization", &authorization);
    let file = folder.path().join(name);
    fs::write(&file, server.send(&script).bytes()).expect("the test's folder takes files");
    file
}

fn replays(server: &Server) -> Vec<Value> {
    let replays = ask(server, "/api/v1/replays");
    replays.as_array().cloned().expect("a list")
}

fn deck(server: &Server) -> Value {
    ask(server, "/api/v1/decks")[0].take()
}

/// The deck, once it is in this state.
fn deck_in(server: &Server, state: &str) -> Value {
    eventually(format!("the deck is {state}"), || is_in(server, state))
}

fn is_in(server: &Server, state: &str) -> Option<Value> {
    Some(deck(server)).filter(|deck| deck["state"] == state)
}

/// The picture that is on once nothing moves any more.
fn stands(eye: &Eye) -> u64 {
    eventually("the picture stands", || {
        let recently = Instant::now().checked_sub(Duration::from_secs(1))?;
        match eye.since(recently)[..] {
            [shown] if shown.last - shown.first > Duration::from_millis(700) => shown.number,
            _ => None,
        }
    })
}
