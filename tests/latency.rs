//! `cargo xtask latency`: how long it takes from a command to the picture in OBS, and what becomes of
//! the pictures behind it.
//!
//! In one OBS lookback plays its demo through a deck, and OBS plays its own recording as its script
//! `instant-replay.lua` does. Screenshots of both media sources are read against the counter on the
//! card. The clock begins before the request and stops when OBS has given the first screenshot that
//! shows the replay, so that what the measurement takes counts as well.

use std::io::Write;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::TempDir;

use crate::support::card::{self, FPS};
use crate::support::deck;
use crate::support::obs::{Expected, Eye, Obs, Verdict};
use crate::support::server::{Server, command};
use crate::support::{eventually, folder, text};

/// Of OBS's own replays, and of first plays after a connect, there is one for so many plays.
const PLAYS_FOR_ONE_OTHER: u32 = 20;

#[test]
#[ignore = "a measurement that takes long: cargo xtask latency"]
fn table() {
    let plays: u32 = std::env::var("E2E_LATENCY_PLAYS").map_or(200, |plays| {
        plays.parse().expect("E2E_LATENCY_PLAYS is a number")
    });
    let others = plays.div_ceil(PLAYS_FOR_ONE_OTHER);
    let mut stage = Stage::new();
    let own = row("OBS's own script", others, |_| stage.play_as_obs_does());
    let mut opened = Vec::new();
    let first = row("deck, first after a connect", others, |play| {
        let name = format!("deck {play}");
        let (eye, opening) = stage.connect(&name);
        opened.push(opening);
        let verdict = stage.play(&eye);
        drop(eye);
        stage.obs.request("RemoveInput", json!({"inputName": name}));
        verdict
    });
    let eye = stage.obs.watch("deck");
    let deck = row("deck, idle for 0 to 20 s", plays, |play| {
        thread::sleep(idle(play));
        stage.play(&eye)
    });
    let rows = [deck, first, own];
    opened.sort();
    let report = format!(
        "\n{}\n\n{HEAD}{}\nA new media source shows a picture of the feed after {} (median; worst {}).\n",
        stage.machine(),
        rows.concat(),
        milliseconds(opened[opened.len() / 2]),
        milliseconds(opened[opened.len() - 1]),
    );
    std::io::stdout()
        .write_all(report.as_bytes())
        .expect("somebody reads the report");
}

/// 0 to 20 s, in no order, short ones more often.
fn idle(play: u32) -> Duration {
    let even = (f64::from(play) * 0.618_034).fract();
    Duration::from_secs_f64(20.0 * even.powi(8))
}

/// OBS with a replay buffer and its script, and a server that records its demo.
struct Stage {
    obs: Obs,
    server: Server,
    folder: TempDir,
}

impl Stage {
    fn new() -> Self {
        let folder = folder();
        let mut demo = command(folder.path(), &["demo", "--listen", "127.0.0.1:0"]);
        let server = Server::spawn(folder.path(), &mut demo);
        let card = folder.path().join("card.ts");
        card::write(&card, 300);
        let mut obs = Obs::with_replay_script(folder.path(), REPLAY);
        // The card lies above both, so that it is what OBS records.
        obs.add_media_source(REPLAY, json!({}));
        obs.add_media_source("deck", deck::media_source(&server));
        obs.add_looping_file("card", &card);
        obs.counter("card");
        obs.request("StartReplayBuffer", json!({}));
        eventually("the replay buffer runs", || {
            let status = obs.request("GetReplayBufferStatus", json!({}));
            (status["outputActive"] == true).then_some(())
        });
        server.wait_for_window(5.0);
        Self {
            obs,
            server,
            folder,
        }
    }

    /// Adds a media source on the deck, and waits until it stands on a picture. Gives the time to its
    /// first one as well.
    fn connect(&mut self, name: &str) -> (Eye, Duration) {
        let settings = deck::media_source(&self.server);
        let started = Instant::now();
        self.obs.add_media_source(name, settings);
        let eye = self.obs.watch(name);
        eventually("the source shows the feed", || eye.now());
        let opening = started.elapsed();
        // What whoever connects is given passes in real time.
        thread::sleep(Duration::from_secs(1));
        (eye, opening)
    }

    /// Plays the last second on the deck, from the keyframe before it.
    fn play(&self, eye: &Eye) -> Verdict {
        let sent = Instant::now();
        let clip = self.server.clip(&json!({"last": "1s"}));
        deck::command(
            &self.server,
            "load",
            &json!({"clip": clip["id"], "play": true}),
        );
        let duration = clip["duration_s"].as_f64().expect("a duration");
        thread::sleep(Duration::from_secs_f64(duration + 0.5));
        let url = self.server.url(clip["url"].as_str().expect("a URL"));
        judge(sent, eye, &card::counters(&url))
    }

    /// Has the script save the replay buffer and show it.
    fn play_as_obs_does(&mut self) -> Verdict {
        let eye = self.obs.watch(REPLAY);
        thread::sleep(Duration::from_secs(5)); // The buffer fills up again.
        let sent = Instant::now();
        self.obs.request(
            "TriggerHotkeyByName",
            json!({"hotkeyName": "instant_replay.trigger"}),
        );
        eventually("the replay is on", || eye.now());
        eventually("the replay is over", || {
            let status = self
                .obs
                .request("GetMediaInputStatus", json!({"inputName": REPLAY}));
            (status["mediaState"] == "OBS_MEDIA_STATE_ENDED").then_some(())
        });
        let saved = self.obs.request("GetLastReplayBufferReplay", json!({}));
        let file = PathBuf::from(saved["savedReplayPath"].as_str().expect("a path"));
        assert!(file.starts_with(self.folder.path()), "{}", file.display());
        // What OBS has not recorded it cannot lose when it plays.
        let mut numbers = card::counters(text(&file));
        numbers.dedup();
        judge(sent, &eye, &numbers)
    }

    fn machine(&mut self) -> String {
        let version = self.obs.request("GetVersion", json!({}));
        let cores = thread::available_parallelism().map_or(1, usize::from);
        format!(
            "OBS {} on {}, {cores} cores, drawing in software",
            version["obsVersion"].as_str().unwrap_or_default(),
            version["platformDescription"].as_str().unwrap_or_default(),
        )
    }
}

const REPLAY: &str = "replay";

fn judge(sent: Instant, eye: &Eye, numbers: &[u64]) -> Verdict {
    let expected = Expected {
        numbers,
        frame: Duration::from_secs(1) / FPS as u32,
        under_way: 0,
    };
    Verdict::of(sent, &eye.since(sent), &expected).expect("a picture of the play was on")
}

const HEAD: &str = "\
| what | plays | first picture: median | worst | pictures | lost | late | strays | not seen |
|---|---|---|---|---|---|---|---|---|
";

/// One line of the table.
fn row(what: &str, plays: u32, play: impl FnMut(u32) -> Verdict) -> String {
    let plays: Vec<Verdict> = (0..plays)
        .map(play)
        .inspect(|play| eprintln!("{what}: {play}"))
        .collect();
    let mut firsts: Vec<Duration> = plays.iter().map(|play| play.first).collect();
    firsts.sort();
    let sum = |count: fn(&Verdict) -> usize| plays.iter().map(count).sum::<usize>();
    format!(
        "| {what} | {} | {} | {} | {} | {} | {} | {} | {} |\n",
        plays.len(),
        milliseconds(firsts[firsts.len() / 2]),
        milliseconds(firsts[firsts.len() - 1]),
        sum(|play| play.pictures),
        sum(|play| play.lost + play.pictures - play.reached),
        sum(|play| play.late),
        sum(|play| play.strays),
        sum(|play| play.unknown),
    )
}

fn milliseconds(duration: Duration) -> String {
    format!("{:.0} ms", duration.as_secs_f64() * 1000.0)
}
