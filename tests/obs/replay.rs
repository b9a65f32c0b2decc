//! Instant replays on the program of OBS.

use std::path::Path;
use std::thread;
use std::time::{Duration, SystemTime};

use lookback_testcard::read_counter;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::http::post;
use crate::support::obs::Obs;
use crate::support::server::Server;
use crate::support::{card, deck, eventually, ffmpeg, folder, free_port};

/// Pictures from one keyframe of the card to the next.
const KEYFRAMES: u64 = 15;

const GAME: &str = "Scene";
const BREAK: &str = "Break";
const REPLAY: &str = "Replay";

/// OBS records what is on its program, so that each picture of a replay is looked for there: from the first, which
/// stands behind the transition, to the last, which stands behind the one that leads back.
#[test]
fn the_program_shows_a_replay_from_its_first_picture_to_its_last() {
    let folder = folder();
    let film = folder.path().join("stinger.mp4");
    let red = "-f lavfi -i color=c=red:s=640x360:r=30:d=1 -c:v libx264 -preset ultrafast";
    ffmpeg::make(&[], red, &film);
    let input = format!("tcp://127.0.0.1:{}", free_port());
    let mut stage = Stage::of(folder, &["--input", &format!("program={input}")], |_| {
        Obs::with_stinger(&input, &film)
    });
    stage.obs.start_recording();
    for (transition, duration) in [("Cut", None), ("Fade", Some(500)), ("Stinger", None)] {
        let obs = &mut stage.obs;
        let name = json!({"transitionName": transition});
        obs.request("SetCurrentSceneTransition", name);
        if let Some(ms) = duration {
            let duration = json!({"transitionDuration": ms});
            obs.request("SetCurrentSceneTransitionDuration", duration);
        }
        let pressed = SystemTime::now();
        let answer = stage.replay(json!({"last": "2s", "speed": 0.5}));
        assert_eq!(answer["problems"], json!([]), "{answer}");
        assert_eq!(
            [&answer["switched"], &answer["scene"], &answer["back_to"]],
            [&json!(true), &json!(REPLAY), &json!(GAME)]
        );
        stage.obs.until_program(REPLAY);
        stage.obs.until_program(GAME);
        stage.shows_all_of(&answer["replay"], pressed, transition);
    }
}

/// Who presses again during a replay sees the next one, and comes back to where the first was called.
#[test]
fn another_press_shows_the_next_replay() {
    let mut stage = Stage::new();
    stage.replay(json!({"last": "6s", "speed": 1.0}));
    stage.obs.until_program(REPLAY);
    stage.until_position(1.0);
    let answer = stage.replay(json!({"last": "1s", "speed": 0.5}));
    assert_eq!(
        (&answer["switched"], &answer["back_to"]),
        (&json!(true), &json!(GAME))
    );
    assert_eq!(answer["deck"]["state"], "playing", "it is on already");
    assert_eq!(stage.obs.program(), REPLAY);
    stage.obs.until_program(GAME);
    assert_eq!(stage.deck()["state"], "paused");
}

/// A scene that somebody chooses during a replay stays on.
#[test]
fn a_scene_that_is_chosen_during_a_replay_stays() {
    let mut stage = Stage::new();
    stage.replay(json!({"last": "3s", "speed": 1.0}));
    stage.obs.until_program(REPLAY);
    stage.until_position(0.5);
    stage.obs.show(BREAK);
    stage.obs.until_program(BREAK);
    eventually("the replay is over", || {
        (stage.deck()["state"] == "paused").then_some(())
    });
    thread::sleep(Duration::from_secs(1));
    assert_eq!(stage.obs.program(), BREAK);
}

/// In studio mode the program is led there and back, and what is prepared in the preview stays prepared.
#[test]
fn studio_mode_keeps_its_preview() {
    let mut stage = Stage::new();
    stage
        .obs
        .request("SetStudioModeEnabled", json!({"studioModeEnabled": true}));
    stage
        .obs
        .request("SetCurrentPreviewScene", json!({"sceneName": BREAK}));
    eventually("studio mode is known", || {
        (stage.server.status()["obs"]["studio_mode"] == true).then_some(())
    });
    for next in [BREAK, GAME] {
        stage
            .obs
            .request("SetCurrentPreviewScene", json!({"sceneName": next}));
        let answer = stage.replay(json!({"last": "1s", "speed": 0.5}));
        assert_eq!(answer["switched"], true, "{answer}");
        stage.obs.until_program(REPLAY);
        stage.until_preview(next);
        stage.obs.until_program(GAME);
        stage.until_preview(next);
    }
}

/// What OBS does not do is said, and the moment is kept and played all the same.
#[test]
fn without_the_scene_or_obs_the_replay_is_played_all_the_same() {
    let mut stage = Stage::new();
    let answer = stage.replay(json!({"last": "1s", "scene": "Slow"}));
    assert_eq!(answer["problems"][0]["code"], "no_such_scene");
    assert_eq!(answer["switched"], false);
    assert_eq!(answer["deck"]["state"], "playing");
    assert!(answer["replay"]["id"].is_string(), "{answer}");
    assert_eq!(stage.obs.program(), GAME);

    let Stage { obs, server, .. } = stage;
    drop(obs);
    eventually("OBS is missed", || {
        (server.status()["obs"]["state"] == "connecting").then_some(())
    });
    let answer = replay(&server, &json!({"last": "1s"}));
    assert_eq!(answer["problems"][0]["code"], "obs_disconnected");
    assert_eq!(answer["deck"]["state"], "playing");
    assert!(answer["replay"]["id"].is_string(), "{answer}");
}

/// An OBS with three scenes, one of which has the deck, and a server that is connected to it.
struct Stage {
    // Ended in this order.
    obs: Obs,
    server: Server,
    _folder: TempDir,
}

impl Stage {
    fn new() -> Self {
        Self::of(folder(), &[], |_| Obs::playing())
    }

    fn of(folder: TempDir, arguments: &[&str], start: impl FnOnce(&Path) -> Obs) -> Self {
        let mut obs = start(folder.path());
        obs.paint(GAME);
        for scene in [BREAK, REPLAY] {
            obs.add_scene(scene);
            obs.paint(scene);
        }
        let address = obs.address();
        let arguments = [
            &["demo", "--listen=127.0.0.1:0", "--obs", &address],
            arguments,
        ]
        .concat();
        let mut command = crate::support::server::command(folder.path(), &arguments);
        let server = Server::spawn(folder.path(), &mut command);
        // Before there is anything to be seen, as OBS itself does it when it starts.
        obs.add_media_source_to(REPLAY, "deck", deck::media_source(&server));
        let eye = obs.watch("deck");
        server.wait_for_window(6.0);
        // OBS gets to know the streams by the last second, which takes a moment to be over.
        eventually("the source stands", || {
            let now = eye.now()?;
            thread::sleep(Duration::from_millis(500));
            (eye.now() == Some(now)).then_some(())
        });
        drop(eye);
        eventually("OBS is watched", || {
            (server.status()["obs"]["state"] == "connected").then_some(())
        });
        Self {
            obs,
            server,
            _folder: folder,
        }
    }

    fn replay(&self, body: Value) -> Value {
        replay(&self.server, &body)
    }

    fn deck(&self) -> Value {
        self.server.status()["decks"][0].take()
    }

    fn until_position(&self, seconds: f64) {
        eventually(format!("the deck is at {seconds} s"), || {
            (self.deck()["position_s"].as_f64() >= Some(seconds)).then_some(())
        });
    }

    fn until_preview(&mut self, scene: &str) {
        eventually(format!("{scene} is in the preview"), || {
            (self.obs.preview() == scene).then_some(())
        });
    }

    /// What was recorded of the program since then shows this replay, and of the card nothing else. What stands
    /// before it moves may be a picture of the run-up to the first, from the keyframe before it on. In between, an OBS
    /// that also records leaves out pictures where the machine is small.
    fn shows_all_of(&self, replay: &Value, since: SystemTime, transition: &str) {
        let id = replay["id"].as_str().expect("an id");
        let wanted = card::counters(&self.server.url(&format!("/replays/{id}.mp4")));
        let (first, last) = (wanted[0], wanted[wanted.len() - 1]);
        let since = since.duration_since(SystemTime::UNIX_EPOCH).expect("now");
        let program = eventually("the end is recorded", || {
            let clip = json!({"channel": "program", "from": u64::try_from(since.as_millis()).ok()});
            let numbers = self.numbers(&self.server.clip(&clip));
            // The scene before is on again.
            numbers.ends_with(&[None; 15]).then_some(numbers)
        });
        let mut shown: Vec<u64> = program.iter().copied().flatten().collect();
        shown.dedup();
        let lost = wanted.iter().filter(|number| !shown.contains(number));
        let lost = lost.count();
        let is_so = shown.is_sorted()
            && (first.saturating_sub(KEYFRAMES)..=first + 1).contains(&shown[0])
            && shown.ends_with(&[last])
            && lost <= wanted.len() / 4;
        assert!(is_so, "{transition}, {first} to {last}: {program:?}");
    }

    /// The numbers on the pictures of a clip, where there is a card.
    fn numbers(&self, clip: &Value) -> Vec<Option<u64>> {
        const WIDTH: usize = 320;
        const HEIGHT: usize = 180;
        let url = self.server.url(clip["url"].as_str().expect("an address"));
        let pictures = ffmpeg::pictures(&url, WIDTH, HEIGHT);
        let read = |luma: &Vec<u8>| read_counter(luma, WIDTH, HEIGHT);
        pictures.iter().map(read).collect()
    }
}

fn replay(server: &Server, body: &Value) -> Value {
    let answer = server.send(&post("/api/v1/obs/replay", body));
    assert_eq!(answer.status, 200, "{body}");
    answer.json()
}
