//! Thumbnails show the keyframe at or before a moment, and cost little however many are asked for.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use jiff::Timestamp;
use rustix::process::{Pid, test_kill_process};
use tempfile::TempDir;

use crate::support::http::{Response, get};
use crate::support::server::Server;
use crate::support::{card, eventually, ffmpeg, folder, text};

const SECONDS: u32 = 20;

/// Pictures from key to key in what is encoded here.
const GOP: u64 = 30;

/// The number of the picture in an answer.
fn picture(answer: Response, folder: &Path) -> u64 {
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("image/jpeg"));
    let name = answer.header("etag").expect("a tag").replace('"', "");
    let file = folder.join(name).with_extension("jpg");
    fs::write(&file, answer.bytes()).expect("the test's folder takes files");
    let counters = card::counters(text(&file));
    assert_eq!(counters.len(), 1);
    counters[0]
}

fn millis(value: &str) -> i64 {
    let time: Timestamp = value.parse().expect("a time");
    time.as_millisecond()
}

/// When the window begins, in Unix milliseconds.
fn start(server: &Server) -> i64 {
    let window = server.channel()["window"].take();
    millis(window["start"].as_str().expect("a time"))
}

fn recorded(video: &str, arguments: &[&str]) -> (TempDir, Server) {
    let folder = folder();
    let input = folder.path().join("card.ts");
    card::encode(&input, SECONDS, video);
    let server = Server::having_read(folder.path(), &input, arguments);
    (folder, server)
}

/// Of closed groups and of open ones, where pictures are coded in another order.
#[test]
fn the_keyframe_at_or_before_the_moment() {
    let h264 = "-c:v libx264 -preset ultrafast -g 30 -keyint_min 30 -sc_threshold 0";
    let open = "log-level=error:keyint=30:min-keyint=30:scenecut=0:open-gop=1:bframes=4";
    let hevc = format!("-c:v libx265 -preset ultrafast -x265-params {open}");
    for video in [h264, &hevc] {
        let (folder, server) = recorded(video, &[]);
        let start = start(&server);
        for (into, key) in [(0, 0), (10, 0), (1010, 30), (7990, 210), (19_900, 570)] {
            let path = format!("/thumbnails/main/{}.jpg?width=320", start + into);
            let answer = server.get(&path);
            let caching = answer.header("cache-control").expect("it is told");
            assert!(caching.contains("immutable"), "{caching}");
            let time = millis(answer.header("lookback-time").expect("it is told"));
            let expected = start + key * 1000 / card::FPS as i64;
            assert!((time - expected).abs() <= 2, "{time}, not {expected}");
            let shown = picture(answer, folder.path());
            assert_eq!(shown, key as u64, "{into} ms of {video}");
        }
        let at = Timestamp::from_millisecond(start + 5010).expect("a time");
        let shown = picture(
            server.get(&format!("/thumbnails/main/{at}.jpg")),
            folder.path(),
        );
        assert_eq!(shown, 150);
    }
}

/// The newest is another one at any time: a cache has to ask, and is told that it has it.
#[test]
fn so_long_ago_is_another_picture_later() {
    let (folder, server) = recorded("-c:v libx264 -preset ultrafast -g 30", &[]);
    let now = server.get("/thumbnails/main/-0.001s.jpg");
    assert_eq!(now.header("cache-control"), Some("private, no-cache"));
    let tag = now.header("etag").expect("a tag").to_owned();
    assert_eq!(picture(now, folder.path()) % GOP, 0);
    let again = get("/thumbnails/main/-0.001s.jpg").header("If-None-Match", &tag);
    assert_eq!(server.send(&again).status, 304);
    let early = server.get("/thumbnails/main/-10min.jpg");
    assert_eq!(early.status, 422);
    assert_eq!(early.json()["code"], "outside_window");
    let small = server.get("/thumbnails/main/-1ms.jpg?width=64");
    let file = folder.path().join("small.jpg");
    fs::write(&file, small.bytes()).expect("the test's folder takes files");
    let probed = ffmpeg::probe(text(&file), "-show_streams");
    assert_eq!(probed["streams"][0]["width"], 64);
}

/// An ffmpeg that tells how often it was started, and waits until it is let go.
fn counted(folder: &TempDir) -> PathBuf {
    let script = format!(
        "case \"$*\" in *-encoders*) exec ffmpeg \"$@\";; esac\ncd {}\necho $$ >>starts\n\
         while [ ! -e go ]; do sleep 0.05; done\nexec ffmpeg \"$@\"",
        text(folder.path())
    );
    ffmpeg::script(folder.path(), &script)
}

fn starts(folder: &TempDir) -> Vec<Pid> {
    let told = fs::read_to_string(folder.path().join("starts")).unwrap_or_default();
    let pids = told
        .lines()
        .filter_map(|line| Pid::from_raw(line.parse().ok()?));
    pids.collect()
}

fn connections(server: &Server) -> u64 {
    let metrics = String::from_utf8(server.get("/metrics").bytes()).expect("text");
    let line = metrics
        .lines()
        .find_map(|line| line.strip_prefix("lookback_connections "));
    line.and_then(|count| count.parse().ok())
        .expect("it is told")
}

/// What a page asks for at once is made in a few goes.
#[test]
fn those_that_wait_are_made_together() {
    let scripts = folder();
    let program = counted(&scripts);
    let video = "-c:v libx264 -preset ultrafast -g 15 -keyint_min 15 -sc_threshold 0";
    let (folder, server) = recorded(video, &["--ffmpeg", text(&program)]);
    let start = start(&server);
    let shown: Vec<u64> = thread::scope(|scope| {
        let wanted = (0..40).map(|key| start + key * 500 + 10);
        let asked: Vec<_> = wanted
            .map(|at| {
                let server = &server;
                scope.spawn(move || server.get(&format!("/thumbnails/main/{at}.jpg")))
            })
            .collect();
        // And that of who asks for the count.
        eventually("all have asked", || {
            (connections(&server) > 40).then_some(())
        });
        fs::write(scripts.path().join("go"), "").expect("the test's folder takes files");
        asked
            .into_iter()
            .map(|asked| picture(asked.join().expect("no panic"), folder.path()))
            .collect()
    });
    assert_eq!(shown, (0..40).map(|key| key * 15).collect::<Vec<_>>());
    let starts = starts(&scripts).len();
    assert!(starts <= 10, "{starts} times for 40 pictures");
    let again = server.get(&format!("/thumbnails/main/{}.jpg", start + 10));
    assert_eq!(picture(again, folder.path()), 0);
    let more = self::starts(&scripts).len() - starts;
    assert_eq!(more, 0, "it was kept");
}

/// Who has scrolled on does not keep ffmpeg busy.
#[test]
fn one_that_nobody_waits_for_is_given_up() {
    let scripts = folder();
    let program = counted(&scripts);
    let video = "-c:v libx264 -preset ultrafast -g 30";
    let (folder, server) = recorded(video, &["--ffmpeg", text(&program)]);
    let request = server.begin(&get("/thumbnails/main/-1ms.jpg"));
    let first = eventually("it has begun", || starts(&scripts).first().copied());
    drop(request);
    eventually("it is gone", || {
        test_kill_process(first).is_err().then_some(())
    });
    fs::write(scripts.path().join("go"), "").expect("the test's folder takes files");
    picture(server.get("/thumbnails/main/-1ms.jpg"), folder.path());
    let memory = server.status()["memory"].take();
    assert_eq!(
        memory["held_bytes"], 0,
        "nothing is held any more: {memory}"
    );
}
