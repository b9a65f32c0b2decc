//! A media source stays on a deck's feed, and shows what the deck is told to show.
//!
//! The channel is a file of the test card, so that second `s` of it is picture `30 s`.

use std::ops::Range;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::card::{self, FPS};
use crate::support::deck;
use crate::support::obs::{Expected, Eye, Obs, Shown, Verdict};
use crate::support::server::Server;
use crate::support::{eventually, folder, text};

const SECONDS: u32 = 60;

/// Of files that are encoded anew.
const SHORT: u32 = 12;

/// How long a picture is on.
const FRAME: Duration = Duration::from_nanos(1_000_000_000 / FPS);

/// The pictures that are on their way to OBS when a command comes: half a second of them at the most, at speed 1.
const UNDER_WAY: u64 = FPS / 2;

/// As many pictures may come while no screenshot does.
const BLINK: usize = 8;

/// The transport by hand: each command leads to its picture, and to no other.
#[test]
fn it_shows_the_picture_that_it_is_told_to() {
    let stage = Stage::new();
    let loaded = stage.command("load", &json!({"channel": "main", "play": true}));
    stage.shows(loaded, &numbers(0..45), FRAME);

    stage.pauses(Duration::from_secs(30));

    for (seek, first) in [
        (json!({"to_s": 40.0}), 1200),
        (json!({"to_s": 5.1}), 153),
        (json!({"to": "in"}), 0),
    ] {
        let sent = stage.command("seek", &seek);
        stage.shows(sent, &numbers(first..first + 45), FRAME);
    }

    stage.command("pause", &json!({}));
    let mut at = stage.settles();
    let mut leads = |command, body: &Value, by| {
        stage.command(command, body);
        at = at.checked_add_signed(by).expect("it is within the file");
        stage.stands_on(at);
    };
    leads("seek", &json!({"by_s": 10.0}), 300);
    leads("seek", &json!({"by_s": -3.0}), -90);
    for frames in [1, 1, -1, -1, -1, -1, 1] {
        leads("step", &json!({"frames": frames}), frames);
    }
    stage.command("seek", &json!({"to": "out"}));
    stage.stands_on(u64::from(SECONDS) * FPS - 1);
}

/// `cargo xtask soak`: a picture stands for as long as it is wanted, on a connection that lives.
#[test]
#[ignore = "takes ten minutes: cargo xtask soak"]
fn it_stands_for_ten_minutes() {
    let stage = Stage::new();
    let loaded = stage.command("load", &json!({"channel": "main", "play": true}));
    stage.shows(loaded, &numbers(0..45), FRAME);
    stage.pauses(Duration::from_secs(600));
}

/// Slow, fast, backwards, round and round, and one after the other.
#[test]
fn it_shows_any_speed_and_any_order() {
    let stage = Stage::new();
    let slow = json!({"channel": "main", "play": true, "speed": 0.25});
    let slow = stage.command("load", &slow);
    stage.shows(slow, &numbers(0..20), FRAME * 4);

    let fast = stage.command("speed", &json!({"speed": 4.0}));
    let (pictures, speed) = stage.moves(fast, 2.0);
    assert!(pictures.is_sorted(), "forward: {pictures:?}");
    assert!((3.0..5.0).contains(&speed), "{speed} times: {pictures:?}");

    let back = stage.command("speed", &json!({"speed": -4.0}));
    let (mut pictures, speed) = stage.moves(back, 1.5);
    pictures.reverse();
    assert!(pictures.is_sorted(), "backward: {pictures:?}");
    assert!((-5.5..-2.5).contains(&speed), "{speed} times: {pictures:?}");
    let is_keyframe = |number: &u64| number.is_multiple_of(FPS / 2);
    assert!(pictures.iter().all(is_keyframe), "{pictures:?}");

    let [first, second, third] = [20, 30, 10].map(|second| stage.clip(second));
    let looped = json!({"clip": first.id, "play": true, "then": "loop"});
    let looped = stage.command("load", &looped);
    stage.shows_behind(4 * UNDER_WAY, looped, &first.numbers.repeat(3), FRAME);

    let list = [json!({"clip": second.id}), json!({"clip": third.id})];
    let sequence = json!({"list": list, "play": true, "then": "next"});
    let sequence = stage.command("load", &sequence);
    let both = [&second.numbers[..], &third.numbers].concat();
    stage.shows(sequence, &both, FRAME);
    assert_eq!(Some(stage.stands()), both.last().copied());
}

/// Without B-frames HEVC does as H.264 does: each play is seen up to its last picture, and stands on it.
#[test]
fn it_shows_each_picture_of_hevc_at_once() {
    let stage = Stage::with(SHORT, |input| {
        let closed = "bframes=0:keyint=15:min-keyint=15:scenecut=0:open-gop=0";
        card::encode(input, SHORT, &x265(closed));
    });
    stage.plays_to_the_last_picture();
    let mut at = stage.settles();
    for frames in [-1, -1, -5, 1, 1] {
        stage.command("step", &json!({"frames": frames}));
        at = at
            .checked_add_signed(frames)
            .expect("it is within the file");
        stage.stands_on(at);
    }
}

/// Keyframes that are no IDR pictures: what Quick Sync and x265 make of themselves.
#[test]
fn it_shows_each_picture_of_hevc_with_open_groups_at_once() {
    let stage = Stage::with(SHORT, |input| {
        let open = "bframes=0:keyint=15:min-keyint=15:scenecut=0:open-gop=1";
        card::encode(input, SHORT, &x265(open));
    });
    stage.plays_to_the_last_picture();
}

/// Of B-frames only those are late that wait for their turn.
#[test]
fn it_shows_each_picture_of_hevc_with_b_frames() {
    let stage = Stage::with(SHORT, |input| {
        let closed = "bframes=3:keyint=15:min-keyint=15:scenecut=0:open-gop=0";
        card::encode(input, SHORT, &x265(closed));
    });
    stage.plays_to_the_last_picture();
}

/// H.264 with B-frames begins late, but it ends with its last picture, and stands where it should.
#[test]
fn it_stands_on_the_last_picture_of_h264_with_b_frames() {
    let stage = Stage::with(SHORT, |input| {
        let b_frames = "-c:v libx264 -preset fast -bf 3 -g 15 -keyint_min 15 -sc_threshold 0";
        card::encode(input, SHORT, b_frames);
    });
    for second in [2, 5, 3, 8] {
        let clip = stage.clip(second);
        stage.command("load", &json!({"clip": clip.id, "play": true}));
        let last = clip.numbers[clip.numbers.len() - 1];
        eventually(format!("the play stands on {last}"), || {
            (stage.stands() == last).then_some(())
        });
    }
    stage.command("load", &json!({"channel": "main", "play": true}));
    for _ in 0..3 {
        thread::sleep(Duration::from_secs(1));
        stage.command("pause", &json!({}));
        stage.comes_to_stand();
        stage.command("play", &json!({}));
    }
    stage.command("pause", &json!({}));
    for seek in [5.1, 1.0, 9.2] {
        stage.command("seek", &json!({"to_s": seek}));
        let number = stage.comes_to_stand();
        // The next picture that is decoded later than it is shown may be the first that can stand.
        let sought = (seek * FPS as f64).round() as u64;
        assert!((sought..sought + 4).contains(&number), "{seek}: {number}");
    }
}

/// Another size, and other sound, is followed. Another codec is another stream: the feed ends, and OBS is back by itself, there and on
/// the way back.
#[test]
fn it_follows_to_another_codec() {
    let stage = Stage::of(SECONDS, |folder| {
        let [h264, small, hevc] = ["main.ts", "small.ts", "other.ts"].map(|name| folder.join(name));
        card::write(&h264, SECONDS);
        let x264 = "-vf scale=320:176 -c:v libx264 -preset ultrafast -tune zerolatency -g 15";
        card::transcode(&small, SHORT, &format!("{x264} -c:a aac -ac 1 -ar 44100"));
        card::encode(&hevc, SHORT, &x265("bframes=0:keyint=15:min-keyint=15"));
        let others = [("small", small), ("other", hevc)];
        let others = others.map(|(name, file)| format!("{name}={}", text(&file)));
        [vec![text(&h264).to_owned()], others.to_vec()].concat()
    });
    for (channel, last) in [
        ("small", SHORT),
        ("other", SHORT),
        ("main", SECONDS),
        ("other", SHORT),
    ] {
        let last = u64::from(last) * FPS - 1;
        let load = json!({"channel": channel, "play": false});
        stage.command("load", &load);
        stage.stands_on(0);
        stage.command("seek", &json!({"to": "out"}));
        stage.stands_on(last);
        stage.command("seek", &json!({"by_s": -2.0}));
        let start = stage.settles();
        let played = stage.command("play", &json!({}));
        stage.shows(played, &numbers(start + 1..last + 1), FRAME);
        stage.stands_on(last);
    }
}

fn x265(parameters: &str) -> String {
    format!("-c:v libx265 -preset ultrafast -x265-params log-level=none:{parameters}")
}

fn numbers(range: Range<u64>) -> Vec<u64> {
    range.collect()
}

/// A server with the card as its channel, and OBS with a media source on deck `main`.
struct Stage {
    // Ended in this order.
    eye: Eye,
    _obs: Obs,
    server: Server,
    _folder: TempDir,
}

/// A clip, and the pictures in it.
struct Clip {
    id: String,
    numbers: Vec<u64>,
}

impl Stage {
    fn new() -> Self {
        Self::with(SECONDS, |input| card::write(input, SECONDS))
    }

    /// With a channel of so many seconds, written by `write`.
    fn with(seconds: u32, write: impl FnOnce(&Path)) -> Self {
        Self::of(seconds, |folder| {
            let input = folder.join("input.ts");
            write(&input);
            vec![text(&input).to_owned()]
        })
    }

    /// With these inputs, the first of them as long as that.
    fn of(seconds: u32, write: impl FnOnce(&Path) -> Vec<String>) -> Self {
        let folder = folder();
        let inputs = write(folder.path());
        let arguments: Vec<&str> = inputs.iter().flat_map(|input| ["--input", input]).collect();
        let server = Server::start(folder.path(), &arguments);
        eventually("the files are read", || {
            let channels = server.status()["channels"].take();
            let is_read = |channel: &Value| channel["state"] == "waiting" && channel["runs"] == 1;
            let channels = channels.as_array().expect("a list");
            channels.iter().all(is_read).then_some(())
        });
        let mut obs = Obs::playing();
        obs.add_media_source("deck", deck::media_source(&server));
        obs.counter("deck");
        let stage = Self {
            eye: obs.watch("deck"),
            _obs: obs,
            server,
            _folder: folder,
        };
        // The last second of the channel, by which OBS gets to know the streams.
        assert_eq!(stage.stands(), u64::from(seconds) * FPS - 1);
        stage
    }

    /// Plays seconds one by one, stops in the middle of one, and goes on.
    fn plays_to_the_last_picture(&self) {
        for second in [2, 5, 3, 8] {
            let clip = self.clip(second);
            let loaded = self.command("load", &json!({"clip": clip.id, "play": true}));
            self.shows(loaded, &clip.numbers, FRAME);
            assert_eq!(Some(self.stands()), clip.numbers.last().copied());
        }
        let loaded = self.command("load", &json!({"channel": "main", "play": true}));
        self.shows(loaded, &numbers(0..45), FRAME);
        self.command("pause", &json!({}));
        let stands = self.settles();
        let resumed = self.command("play", &json!({}));
        self.shows(resumed, &numbers(stands + 1..stands + 46), FRAME);
        self.command("pause", &json!({}));
        self.settles();
    }

    /// Pauses the play, and lets it go on at the next picture, neither late nor in a hurry.
    fn pauses(&self, length: Duration) {
        self.command("pause", &json!({}));
        let stands = self.settles();
        let paused = Instant::now();
        thread::sleep(length);
        let shown = self.eye.since(paused);
        assert!(
            matches!(shown[..], [Shown { number, .. }] if number == Some(stands)),
            "it stands on {stands}: {shown:?}"
        );
        let resumed = self.command("play", &json!({}));
        self.shows(resumed, &numbers(stands + 1..stands + 46), FRAME);
    }

    /// Gives a deck's command, and the instant at which it was given.
    fn command(&self, command: &str, body: &Value) -> Instant {
        let now = Instant::now();
        deck::command(&self.server, command, body);
        now
    }

    /// A second of the channel.
    fn clip(&self, second: i64) -> Clip {
        let window = self.server.channel()["window"].take();
        let start: Timestamp = window["start"]
            .as_str()
            .and_then(|start| start.parse().ok())
            .expect("a time");
        let from = start.as_millisecond() + second * 1000;
        let clip = self.server.clip(&json!({"from": from, "to": from + 1000}));
        let url = clip["url"].as_str().expect("the clip's URL");
        Clip {
            id: clip["id"].as_str().expect("an id").to_owned(),
            numbers: card::counters(&self.server.url(url)),
        }
    }

    /// These pictures follow the command, and behind each only the next, each for as long as `frame`.
    fn shows(&self, command: Instant, numbers: &[u64], frame: Duration) {
        self.shows_behind(UNDER_WAY, command, numbers, frame);
    }

    /// The same where so many pictures may be on their way.
    fn shows_behind(&self, under_way: u64, command: Instant, numbers: &[u64], frame: Duration) {
        let expected = Expected {
            numbers,
            frame,
            under_way,
        };
        let seen = self.eye.story(command);
        let verdict = eventually(format_args!("{numbers:?} are on: {seen}"), || {
            let verdict = Verdict::of(command, &self.eye.since(command), &expected)?;
            (verdict.reached + BLINK >= numbers.len()).then_some(verdict)
        });
        // OBS that has other things to do leaves out a picture now and then.
        assert!(
            verdict.strays == 0 && verdict.lost <= numbers.len() / 8,
            "{verdict}: {seen}"
        );
        let promised = frame * u32::try_from(verdict.reached - 1).expect("a play is short");
        assert!(
            verdict.elapsed > promised * 3 / 4 && verdict.elapsed < promised * 3 / 2,
            "{promised:?} took {:?}: {seen}",
            verdict.elapsed
        );
    }

    /// What is on once nothing moves any more; the deck says the same.
    fn settles(&self) -> u64 {
        let settled = self.stands();
        self.stands_on(settled);
        settled
    }

    /// The picture at which the deck says that it is, once it is on.
    fn comes_to_stand(&self) -> u64 {
        let decks = self.server.status()["decks"].take();
        let position = decks[0]["position_s"].as_f64().expect("a position");
        let number = (position * FPS as f64).round() as u64;
        eventually(format!("picture {number} is on: {decks}"), || {
            (self.eye.now() == Some(number)).then_some(number)
        })
    }

    /// What is on once nothing moves any more.
    fn stands(&self) -> u64 {
        eventually("the picture stands", || {
            let recently = Instant::now().checked_sub(Duration::from_secs(1))?;
            match self.eye.since(recently)[..] {
                [shown] if shown.last - shown.first > Duration::from_millis(700) => shown.number,
                _ => None,
            }
        })
    }

    /// This picture is on, and it is where the deck says that it is.
    fn stands_on(&self, number: u64) {
        eventually(format!("picture {number} is on"), || {
            (self.eye.now() == Some(number)).then_some(())
        });
        let decks = self.server.status()["decks"].take();
        let position = decks[0]["position_s"].as_f64().expect("a position");
        let picture = (position * FPS as f64).round();
        assert_eq!(picture, number as f64, "{decks} while {number} is on");
    }

    /// The pictures of some seconds from a command on, when those under way have passed, and by how
    /// much faster they go than they were recorded.
    fn moves(&self, command: Instant, seconds: f64) -> (Vec<u64>, f64) {
        let begin = command + Duration::from_millis(700);
        let end = begin + Duration::from_secs_f64(seconds);
        thread::sleep(end.saturating_duration_since(Instant::now()));
        let shown = self.eye.since(begin);
        let numbers: Option<Vec<u64>> = shown.iter().map(|shown| shown.number).collect();
        let numbers = numbers.expect("nothing but pictures of the card");
        let (first, last) = (&shown[0], &shown[shown.len() - 1]);
        let recorded = (numbers[numbers.len() - 1] as f64 - numbers[0] as f64) / FPS as f64;
        (numbers, recorded / (last.first - first.first).as_secs_f64())
    }
}
