//! The same walks in each browser: whoever never read a manual gets along in any of them.

use std::fs;
use std::ops::RangeInclusive;

use serde_json::{Value, json};

use super::{CLIP, LIVE, POSITION, Stage};
use crate::support::chromium::Chromium;
use crate::support::firefox::Firefox;
use crate::support::http::{patch, post};
use crate::support::webkit::WebKit;
use crate::support::window::Window;
use crate::support::{card, eventually, ffmpeg, text};

#[test]
fn chromium_by_mouse() {
    by_mouse::<Chromium>(marks_what_stands);
}

#[test]
fn chromium_by_keys() {
    by_keys::<Chromium>();
}

#[test]
fn firefox_by_mouse() {
    by_mouse::<Firefox>(marks_what_stands);
}

#[test]
fn firefox_by_keys() {
    by_keys::<Firefox>();
}

#[test]
fn firefox_shows_of_a_reel_what_belongs_to_it() {
    of_a_reel::<Firefox>();
}

#[test]
fn webkit_by_mouse() {
    by_mouse::<WebKit>(marks_what_passes);
}

/// Somebody who never read a manual: sees live, goes back ten seconds, marks, saves, watches in slow motion, and downloads.
fn by_mouse<W: Window>(mark_in: fn(&Stage<W>) -> RangeInclusive<u64>) {
    let stage = Stage::<W>::demo("127.0.0.1:0", 13.0, &[]);
    let Stage {
        browser, server, ..
    } = &stage;

    let live = stage.shown(LIVE);
    browser.click("#back-10");
    let back = eventually("an earlier picture", || {
        Some(stage.shown(LIVE)).filter(|back| *back < live)
    });
    // A few pictures were shown in between.
    assert!((150..=330).contains(&(live - back)), "{live} {back}");
    browser.until("document.querySelector('#badge')?.textContent.includes('−')");

    let first = mark_in(&stage);
    let marked = browser.eval(POSITION).as_f64().expect("a time");
    browser.until(&format!("{POSITION} > {marked} + 2000"));
    browser.click("#mark-out");
    let marked = eventually("so much is marked", || {
        let told = browser.eval("document.querySelector('#marked')?.textContent");
        let seconds = told.as_str()?.strip_suffix(" s marked")?.parse::<f64>();
        seconds.ok().filter(|seconds| *seconds >= 2.0)
    });
    browser.write("#name", "First goal");
    browser.click("#save");
    browser.until("document.querySelector('.card .name')?.textContent === 'First goal'");
    let replays = stage.replays();
    let [replay] = &replays[..] else {
        panic!("{replays:?}")
    };
    assert_eq!(replay["name"], "First goal");
    let duration = replay["duration_s"].as_f64().expect("a length");
    assert!((duration - marked).abs() < 0.1, "{marked} s: {replay}");

    // Recording has gone on meanwhile.
    stage.open_replay(&replay["id"]);
    stage.stand_at(0.0);
    eventually("its first picture is the one that was marked", || {
        first.contains(&stage.shown(CLIP)).then_some(())
    });
    for (width, height) in [(300, 900), super::LAPTOP] {
        browser.resize(width, height);
        super::looks::fits(browser, width);
    }
    browser.click("#play");
    stage.watch_slowly();

    let downloads = browser.downloads();
    browser.click("#download");
    let path = format!("/replays/{}.mp4", replay["id"].as_str().expect("an id"));
    let whole = server.get(&path).bytes();
    let file = eventually("the file is there", || {
        let mut files = fs::read_dir(&downloads).ok()?.filter_map(Result::ok);
        let file = files.find(|file| file.path().extension().is_some_and(|end| end == "mp4"))?;
        (fs::read(file.path()).ok()? == whole).then_some(file.path())
    });
    let name = file.file_name().expect("a name").to_string_lossy();
    assert!(name.starts_with("First_goal"), "{name}");
    assert!((ffmpeg::duration(text(&file)) - duration).abs() < 0.1);
    assert_eq!(ffmpeg::complaints(text(&file)), "");

    browser.click("#back-to-live");
    stage.shows_live();
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

/// Where it stands still it is known which picture is marked.
fn marks_what_stands<W: Window>(stage: &Stage<W>) -> RangeInclusive<u64> {
    stage.browser.click("#play");
    let first = stands_still(stage);
    stage.browser.click("#mark-in");
    stage.browser.click("#play");
    first..=first + 1
}

/// GStreamer's WebKit may go on by itself when it is stopped shortly after it was sent elsewhere.
fn marks_what_passes<W: Window>(stage: &Stage<W>) -> RangeInclusive<u64> {
    let before = stage.shown(LIVE);
    stage.browser.click("#mark-in");
    // What is shown may be a picture or two beside the one that it tells of.
    before - 2..=stage.shown(LIVE) + 2
}

/// The same with the keyboard alone.
fn by_keys<W: Window>() {
    let stage = Stage::<W>::demo("127.0.0.1:0", 13.0, &[]);
    let browser = &stage.browser;
    let video = |what: &str| format!("document.querySelector('{LIVE}').{what}");
    browser.press("?");
    browser.until("document.querySelector('dialog[open] .keys')");
    browser.press("Escape");
    browser.until("!document.querySelector('dialog')");

    browser.press("k");
    let still = stands_still(&stage);
    browser.press(".");
    eventually("one picture on", || {
        (stage.shown(LIVE) == still + 1).then_some(())
    });
    browser.press(",");
    eventually("and back", || (stage.shown(LIVE) == still).then_some(()));
    for key in [".", ".", ".", ","] {
        browser.press(key);
    }
    eventually("as many on as were asked for", || {
        (stage.shown(LIVE) == still + 2).then_some(())
    });
    browser.press("j");
    eventually("ten seconds back", || {
        (stage.shown(LIVE).abs_diff(still + 2 - 300) <= 1).then_some(())
    });
    browser.press("i");
    browser.press("ArrowRight");
    browser.press("ArrowRight");
    browser.press("o");
    browser.until("document.querySelector('#marked').textContent === '2.0 s marked'");
    browser.press("s");
    browser.until("document.querySelectorAll('.card').length === 1");
    browser.press("2");
    browser.until("document.querySelectorAll('.card').length === 2");
    let replays = stage.replays();
    let lengths = [1, 0].map(|at: usize| replays[at]["duration_s"].as_f64().expect("a length"));
    assert!(
        (1.9..2.2).contains(&lengths[0]) && (9.5..10.5).contains(&lengths[1]),
        "{lengths:?}"
    );
    // What is written into a field is no command.
    browser.write("#name", "jjj kl?");
    assert_eq!(
        browser.eval("document.querySelector('#name').value"),
        "jjj kl?"
    );
    browser.press("Escape");
    browser.press("<");
    browser.until(&video("playbackRate === 0.5"));
    browser.press("End");
    stage.shows_live();
    browser.press("l");
    browser.until("document.querySelector('#badge').textContent === 'Live'");
    browser.press("m");
    browser.until(&format!("!{}", video("muted")));
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

/// Waits for the live picture to stand still, and gives the number of the next one, which is shown then: one that was on its
/// way comes after the pause, but behind a step it stands.
fn stands_still<W: Window>(stage: &Stage<W>) -> u64 {
    let video = format!("document.querySelector('{LIVE}')");
    stage.browser.until(&format!("{video}.paused"));
    stage.browser.press(".");
    stage.browser.until(&format!("!{video}.seeking"));
    stage.shown(LIVE)
}

/// A file has more in it than is to be seen: what each of its pieces needs to begin with. Whether that is passed over is looked
/// at behind each border, and where a piece ends.
fn of_a_reel<W: Window>() {
    let stage = Stage::<W>::demo("127.0.0.1:0", 8.0, &[]);
    // Neither begins on a keyframe, of which there is one in each second.
    let pieces = [1.2, 1.7].map(|start| {
        let piece = stage.keep(&json!({"last": "6s"}));
        let path = format!("/api/v1/replays/{}", piece["id"].as_str().expect("an id"));
        let trim = json!({"in_s": start, "out_s": start + 2.0});
        let response = stage.server.send(&patch(&path, &trim));
        assert_eq!(response.status, 200);
        response.json()
    });
    let ids: Vec<&Value> = pieces.iter().map(|piece| &piece["id"]).collect();
    let join = json!({"replays": ids, "name": "Reel"});
    let reel = stage
        .server
        .send(&post("/api/v1/replays/join", &join))
        .json();
    let first = pieces.map(|piece| {
        let path = format!("/replays/{}.mp4", piece["id"].as_str().expect("an id"));
        let file = stage.folder.path().join("piece.mp4");
        fs::write(&file, stage.server.get(&path).bytes()).expect("the test's folder takes files");
        card::counters(text(&file))[0]
    });
    stage.open_replay(&reel["id"]);
    for (seconds, expected) in [(0.0, first[0]), (3.0, first[1] + 30), (1.5, first[0] + 45)] {
        stage.stand_at(seconds);
        eventually("the picture of that place", || {
            let shown = stage.shown(CLIP);
            (shown.abs_diff(expected) <= 1).then_some(())
        });
    }
    // From there it plays on into the second piece.
    let browser = &stage.browser;
    browser.click("#play");
    browser.until(&format!("document.querySelector('{CLIP}').ended"));
    let last = stage.shown(CLIP);
    // A browser that is late leaves some of the last pictures out.
    let end = first[1] + 45..=first[1] + 60;
    assert!(end.contains(&last), "{last} {first:?}");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}
