//! OBS records into lookback and shows what lookback gives back.
//!
//! OBS plays a file with the test card and records its canvas, so that the numbers of the card go
//! all the way: into the recording, back into a media source, onto a screenshot.

mod decks;
mod doctor;
mod hotkeys;
mod page;
mod replay;
mod replays;
mod setup;
mod watch;

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;

use crate::support::mpv::Mpv;
use crate::support::obs::{GOP, HEIGHT, Obs, WIDTH};
use crate::support::server::Server;
use crate::support::{card, eventually, ffmpeg, folder, free_port, text};

/// Longer than any of the tests takes, so that the numbers rise.
const CARD_SECONDS: u32 = 300;

/// The main job: OBS records through the FIFO, mpv seeks in what was recorded, and OBS shows a
/// replay of it through `/play`, while the recording goes on.
#[test]
fn it_records_through_a_fifo_while_others_look_back() {
    let stage = Stage::new();
    let [input, play] = ["obs.ts", "play.ts"].map(|name| stage.path(name));
    let arguments = ["--input", text(&input), "--play-to", text(&play)];
    let server = Server::start(stage.folder.path(), &arguments);
    let mut obs = stage.obs(text(&input));
    obs.start_recording();
    let channel = server.wait_for_window(6.0);
    assert_eq!(channel["video"]["width"], WIDTH);
    assert_eq!(channel["video"]["height"], HEIGHT);

    while_recording_never_pauses(&server, || {
        let mut mpv = Mpv::open(stage.folder.path(), &server.url("/video"));
        let duration = mpv.duration();
        assert!(duration > 5.0, "{duration}");
        for part in [0.8, 0.1, 0.5, 0.9, 0.3] {
            mpv.seek(duration * part);
        }
        assert_eq!(mpv.complaints(), "");

        // The path of a FIFO as a URL, so that OBS treats it as a stream and not as a file.
        obs.add_media_source(
            "replay",
            json!({"is_local_file": false, "input": play, "input_format": "mpegts"}),
        );
        let answer = server.get("/play?last=5s");
        assert_eq!(answer.status, 200);
        let now = obs.counter("card");
        is_a_replay(&mut obs, "replay", now);
    });

    obs.stop_recording();
    server.wait_for("the run is over", |channel| channel["state"] == "waiting");
    let whole = stage.path("whole.ts");
    fs::write(&whole, server.get("/video").bytes()).expect("the test's folder takes files");
    assert_eq!(ffmpeg::complaints(text(&whole)), "");
}

/// OBS records through TCP, stops and records again: both are in the window, on one timeline. A
/// media source opens a clip over HTTP.
#[test]
fn it_records_through_tcp_and_shows_a_clip() {
    let stage = Stage::new();
    let url = format!("tcp://127.0.0.1:{}", free_port());
    let server = Server::start(stage.folder.path(), &["--input", &url]);
    let mut obs = stage.obs(&url);
    obs.start_recording();
    server.wait_for_window(3.0);
    obs.stop_recording();
    let first = server.wait_for("the run is over", |channel| channel["state"] == "waiting");
    assert_eq!(first["runs"], 1);
    obs.start_recording();
    let second = server.wait_for_bytes(first["received_bytes"].as_u64().expect("bytes") + 500_000);
    assert_eq!(
        (&second["runs"], &second["discarded_bytes"]),
        (&2.into(), &0.into())
    );

    while_recording_never_pauses(&server, || {
        let clip = server.clip(&json!({}));
        assert_eq!(clip["runs"], 2);
        let url = server.url(clip["url"].as_str().expect("the clip's URL"));
        assert_eq!(ffmpeg::complaints(&url), "");
        let frame = GOP as f64 / 30.0;
        let duration = clip["duration_s"].as_f64().expect("a duration");
        assert!(
            (ffmpeg::duration(&url) - duration).abs() < frame,
            "{duration} s"
        );

        obs.add_media_source(
            "clip",
            json!({"is_local_file": false, "input": url, "input_format": "mpegts",
                   "reconnect_delay_sec": 60}),
        );
        let now = obs.counter("card");
        is_a_replay(&mut obs, "clip", now);
    });
    assert!(obs.is_recording());
}

/// OBS records through SRT, which another machine would.
#[test]
fn it_records_through_srt() {
    let stage = Stage::new();
    let url = format!("srt://127.0.0.1:{}", free_port());
    let server = Server::start(
        stage.folder.path(),
        &["--input", &format!("{url}?passphrase=correcthorse")],
    );
    let mut obs = stage.obs(&format!("{url}?passphrase=correcthorse"));
    obs.start_recording();
    server.wait_for_window(4.0);
    obs.stop_recording();
    let channel = server.wait_for("the run is over", |channel| channel["state"] == "waiting");
    assert_eq!(channel["runs"], 1);
    assert_eq!(channel["discarded_bytes"], 0);
    assert_eq!(channel["problems"], json!([]));
    let whole = stage.path("whole.ts");
    fs::write(&whole, server.get("/video").bytes()).expect("the test's folder takes files");
    assert_eq!(ffmpeg::complaints(text(&whole)), "");
}

/// A folder, and a file in it that OBS can play.
struct Stage {
    folder: TempDir,
}

impl Stage {
    fn new() -> Self {
        let stage = Self { folder: folder() };
        card::write(&stage.path("card.ts"), CARD_SECONDS);
        stage
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// OBS, ready to record what it plays: the test card.
    fn obs(&self, url: &str) -> Obs {
        let mut obs = Obs::recording_to(url, "mpegts");
        obs.add_looping_file("card", &self.path("card.ts"));
        obs.counter("card");
        obs
    }
}

/// A source shows moving pictures that were recorded before the one that is now on.
fn is_a_replay(obs: &mut Obs, source: &str, now: u64) {
    let first = obs.counter(source);
    assert!(first < now, "{first} was recorded before {now}");
    let mut last = first;
    for _ in 0..4 {
        last = eventually("the replay goes on", || {
            Some(obs.counter(source)).filter(|&counter| counter > last)
        });
    }
    assert!(
        last < first + 10 * card::FPS,
        "{last} belongs to the same replay as {first}"
    );
}

/// Watches the channel during `work`: it is recording each time it is asked, which it is not after
/// two seconds without a byte, and there are more bytes at the end than at the beginning.
fn while_recording_never_pauses(server: &Server, work: impl FnOnce()) {
    let before = server.received();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let watch = scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let channel = server.channel();
                assert_eq!(channel["state"], "recording", "{channel}");
                thread::sleep(Duration::from_millis(50));
            }
        });
        // Also when the work fails, so that the watch ends.
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        done.store(true, Ordering::Relaxed);
        if let Err(panic) = outcome {
            std::panic::resume_unwind(panic);
        }
        watch.join().expect("the recording never paused");
    });
    server.wait_for("the recording goes on", |channel| {
        channel["received_bytes"].as_u64() > Some(before)
    });
}
