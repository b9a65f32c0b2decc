//! The server watches over OBS: it stays connected, records again after an error, says what is wrong, and takes
//! OBS's own media hotkeys.

use std::fs;
use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::obs::{Obs, User};
use crate::support::server::{self, Server};
use crate::support::{deck, eventually, folder, free_port};

/// A recording that an error has ended goes on, one that somebody stops does not, and what is wrong with
/// either is said.
#[test]
fn it_records_again_after_an_error_and_not_after_a_stop() {
    let folder = folder();
    let port = free_port();
    // OBS connects to the wire, and that to the server on the same port of another address of this machine.
    let wire = Wire::new(port);
    let mut obs = Obs::recording_to(&format!("tcp://127.0.0.1:{port}"), "mpegts");
    obs.paint("Scene");
    let input = format!("tcp://127.0.0.2:{port}");
    let arguments = ["--input", &input, "--obs", &obs.address()];
    let server = Server::start(folder.path(), &arguments);
    until_obs(&server, |obs| obs["state"] == "connected");

    obs.start_recording();
    server.wait_for_window(1.0);
    for errors in 1..3 {
        wire.cut();
        let runs = server.channel()["runs"].as_u64().expect("a number");
        server.wait_for("it is recorded again", |channel| {
            channel["runs"].as_u64() > Some(runs)
        });
        until_obs(&server, |obs| {
            obs["recording"] == true
                && obs["problems"][0]["code"] == "recording_failed"
                && obs["problems"][0]["count"] == errors
        });
    }
    let metrics = String::from_utf8(server.get("/metrics").bytes().to_vec()).expect("text");
    assert!(
        metrics.contains("lookback_obs_recording_restarts_total 2"),
        "{metrics}"
    );

    obs.stop_recording();
    until_obs(&server, |obs| obs["recording"] == false);
    // An attempt would have come after a second, or after four, the third time.
    thread::sleep(Duration::from_secs(6));
    assert!(!obs.is_recording());

    obs.request(
        "SetProfileParameter",
        json!({"parameterCategory": "AdvOut", "parameterName": "FFVGOPSize", "parameterValue": "250"}),
    );
    obs.start_recording();
    until_obs(&server, |obs| has_problem(obs, "long_gop"));
    obs.stop_recording();
    until_obs(&server, |obs| !has_problem(obs, "long_gop"));
    obs.request("CreateProfile", json!({"profileName": "Other"}));
    until_obs(&server, |obs| has_problem(obs, "profile_switched"));
    obs.request("SetCurrentProfile", json!({"profileName": "Test"}));
    until_obs(&server, |obs| !has_problem(obs, "profile_switched"));
}

/// An OBS that dies is waited for, and it is the same to lookback when it comes again.
#[test]
fn it_finds_an_obs_that_comes_again() {
    let folder = folder();
    let mut obs = Obs::playing();
    obs.add_scene("Break");
    let server = Server::start(folder.path(), &["--input", "-", "--obs", &obs.address()]);
    let status = until_obs(&server, |obs| obs["state"] == "connected");
    let version = obs.request("GetVersion", json!({}));
    assert_eq!(status["version"], version["obsVersion"]);
    assert_eq!(status["scene"], "Scene");
    obs.show("Break");
    until_obs(&server, |obs| obs["scene"] == "Break");

    let dead = obs.dies();
    let status = until_obs(&server, |obs| obs["state"] == "connecting");
    assert_eq!(
        (&status["version"], &status["scene"]),
        (&Value::Null, &Value::Null)
    );
    let _obs = dead.rises();
    until_obs(&server, |obs| obs["state"] == "connected");
    let log = server.log();
    let lines = |word: &str| log.lines().filter(|line| line.contains(word)).count();
    assert_eq!(
        (lines("connected to OBS"), lines("is lost")),
        (2, 1),
        "one line each: {log}"
    );
    assert!(lines("no OBS answers") <= 1, "{log}");
}

/// The keys of a media source: the picture stands, goes on, begins anew, and is given up, and the source is never
/// left standing itself.
#[test]
fn media_hotkeys_drive_the_deck() {
    let folder = folder();
    let mut obs = Obs::playing();
    let address = obs.address();
    let arguments = ["demo", "--listen=127.0.0.1:0", "--obs", &address];
    let server = Server::spawn(
        folder.path(),
        &mut server::command(folder.path(), &arguments),
    );
    until_obs(&server, |obs| obs["state"] == "connected");
    server.wait_for_window(8.0);
    obs.add_media_source("deck", deck::media_source(&server));
    obs.counter("deck");
    let eye = obs.watch("deck");
    deck::command(&server, "load", &json!({"channel": "main", "last": "8s"}));
    until_deck(&server, |deck| deck["position_s"].as_f64() > Some(1.0));

    let mut stood = 0;
    for _ in 0..2 {
        obs.trigger("MediaSource.Pause");
        let paused = until_deck(&server, |deck| deck["state"] == "paused");
        let stands = eventually("the picture stands where the deck does", || {
            let now = eye.now()?;
            thread::sleep(Duration::from_millis(300));
            (eye.now() == Some(now)).then_some(now)
        });
        assert!(stands > stood, "{stands} after {stood}: {paused}");
        stood = stands;
        assert_eq!(media_state(&mut obs), "OBS_MEDIA_STATE_PLAYING");
        obs.trigger("MediaSource.Pause");
        until_deck(&server, |deck| deck["state"] == "playing");
        let next = stands + 20;
        eventually("the picture goes on", || {
            eye.now().filter(|now| (next..next + 60).contains(now))
        });
    }
    obs.trigger("MediaSource.Restart");
    let restarted = until_deck(&server, |deck| deck["position_s"].as_f64() < Some(1.0));
    assert_eq!(restarted["state"], "playing");
    eventually("the picture is before those that stood", || {
        eye.now().filter(|now| *now < stood)
    });

    obs.trigger("MediaSource.Stop");
    until_deck(&server, |deck| deck["state"] == "idle");
    deck::command(&server, "load", &json!({"channel": "main", "last": "6s"}));
    let now = eventually("the source shows the deck again", || {
        eye.now().filter(|now| *now > stood)
    });
    eventually("and moves", || eye.now().filter(|next| *next > now + 10));
}

/// Without the right password it says so, and comes in when that is put right.
#[test]
fn a_wrong_password_can_be_put_right() {
    let folder = folder();
    let obs = User::new(Some("open sesame")).start();
    let password = folder.path().join("password");
    let address = obs.address();
    let arguments = [
        "--input=-",
        "--obs",
        &address,
        "--obs-password-file=password",
    ];
    fs::write(&password, "close sesame\n").expect("the test's folder takes files");
    let server = Server::start(folder.path(), &arguments);
    let status = until_obs(&server, |obs| obs["state"] == "refused");
    assert_eq!(status["problems"][0]["code"], "obs_password");
    fs::write(&password, "open sesame\n").expect("the test's folder takes files");
    let status = until_obs(&server, |obs| obs["state"] == "connected");
    assert_eq!(status["problems"], json!([]));
    assert!(!server.log().contains("sesame"), "{}", server.log());
}

/// Waits until what the server says of OBS is so.
fn until_obs(server: &Server, is_so: impl Fn(&Value) -> bool) -> Value {
    let last = Mutex::new(Value::Null);
    let told = std::fmt::from_fn(|f| write!(f, "{}; {}", lock(&last), server.log()));
    eventually(told, || {
        let obs = server.status()["obs"].take();
        *lock(&last) = obs.clone();
        Some(obs).filter(&is_so)
    })
}

fn has_problem(obs: &Value, code: &str) -> bool {
    let problems = obs["problems"].as_array().expect("a list");
    problems.iter().any(|problem| problem["code"] == code)
}

fn until_deck(server: &Server, is_so: impl Fn(&Value) -> bool) -> Value {
    eventually("the deck does so", || {
        Some(server.status()["decks"][0].take()).filter(&is_so)
    })
}

fn media_state(obs: &mut Obs) -> String {
    let answer = obs.request("GetMediaInputStatus", json!({"inputName": "deck"}));
    answer["mediaState"].as_str().expect("a state").to_owned()
}

/// What lies between OBS and the server, so that it can be cut.
struct Wire(Arc<Mutex<Vec<TcpStream>>>);

impl Wire {
    fn new(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).expect("a free port");
        let ends = Arc::new(Mutex::new(Vec::new()));
        let known = ends.clone();
        thread::spawn(move || {
            for from in listener.incoming() {
                let (Ok(mut from), Ok(mut to)) = (from, TcpStream::connect(("127.0.0.2", port)))
                else {
                    continue;
                };
                let end = from.try_clone().expect("a socket can be had twice");
                lock(&known).push(end);
                // Ends when either side does.
                thread::spawn(move || io::copy(&mut from, &mut to));
            }
        });
        Self(ends)
    }

    fn cut(&self) {
        for end in lock(&self.0).drain(..) {
            // It may have been closed already.
            let _ = end.shutdown(Shutdown::Both);
        }
    }
}

fn lock<T>(value: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}
