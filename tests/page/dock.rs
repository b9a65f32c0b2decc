//! As a dock of an older OBS: 300 points wide, in Chromium 102. What that does not know is not used, and what it plays is what
//! others play.

use std::fs;

use serde_json::json;

use super::{CLIP, LIVE, POSITION, Stage, looks};
use crate::support::chromium::Chromium;
use crate::support::server::{self, Server};
use crate::support::window::Window;
use crate::support::{eventually, folder};

const SIZE: (u32, u32) = (300, 900);

/// Nothing in the bar at the top lies on another.
const APART: &str = "(() => {
    const all = document.querySelectorAll('.brand, .channels > *, .memory > *, .tools > *');
    const boxes = [...all].map(element => element.getBoundingClientRect()).filter(box => box.width > 0);
    const apart = (a, b) => a.right <= b.left || b.right <= a.left || a.bottom <= b.top || b.bottom <= a.top;
    return boxes.every((one, at) => boxes.slice(at + 1).every(other => apart(one, other)));
})()";

#[test]
fn everything_is_done_in_an_older_dock() {
    let folder = folder();
    let mut command = server::command(folder.path(), &["demo", "--listen=127.0.0.1:0"]);
    let server = Server::spawn(folder.path(), &mut command);
    server.wait_for_window(12.0);
    let browser = Chromium::in_dock(&server.url("/"), SIZE);
    let stage = Stage::seen_in(browser, server, folder);
    let browser = &stage.browser;
    let version = browser.eval("Number(/Chrome\\/(\\d+)/.exec(navigator.userAgent)[1])");
    assert!(version.as_u64() <= Some(103), "no older engine: {version}");
    stage.shows_live();

    let live = stage.shown(LIVE);
    browser.click("#back-10");
    let back = eventually("an earlier picture", || {
        Some(stage.shown(LIVE)).filter(|back| *back < live)
    });
    browser.click("#mark-in");
    let marked = browser.eval(POSITION).as_f64().expect("a time");
    browser.until(&format!("{POSITION} > {marked} + 1500"));
    browser.click("#mark-out");
    browser.write("#name", "First goal");
    browser.click("#save");
    browser.until("document.querySelector('.card .name')?.textContent === 'First goal'");
    looks::fits(browser, SIZE.0);
    browser.picture("older-dock-live");

    // The replay itself, not a preview of it; slowly, and to the picture.
    browser.click(".poster");
    browser.until("document.querySelector('lookback-clip video')?.readyState >= 2");
    let first = stage.shown(CLIP);
    assert!((back..live).contains(&first), "{first}");
    browser.until("document.querySelector('lookback-clip video').currentSrc.includes('.mp4')");
    stage.watch_slowly();
    browser.click("#on-air");
    browser.until("document.querySelector('.deck .pill').textContent === 'On air'");
    assert_eq!(stage.deck()["speed"], 0.25);
    looks::fits(browser, SIZE.0);
    browser.picture("older-dock-replay");
    browser.click("[aria-label='Stop: main']");
    browser.click("#back-to-live");

    // Two in one.
    stage.keep(&json!({"last": "2s", "name": "Foul"}));
    for name in ["First goal", "Foul"] {
        browser.click(&format!("[aria-label='Add to reel: {name}']"));
    }
    browser.until("document.querySelectorAll('.reel li').length === 2");
    browser.click("#make-reel");
    browser.until("document.querySelectorAll('.card').length === 3");
    browser.press("?");
    browser.until("document.querySelector('dialog[open] .keys')");
    looks::fits(browser, SIZE.0);
    browser.picture("older-dock-help");
    browser.press("Escape");
    browser.until("!document.querySelector('dialog')");

    // As a dock that lies below the picture.
    browser.resize(600, 400);
    browser.until(APART);
    looks::fits(browser, 600);
    browser.picture("older-dock-below");
    stage.shows_live();
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

/// A dock takes no downloads, and leaves to the system's browser what opens a window.
#[test]
fn downloads_are_left_to_the_systems_browser() {
    let folder = folder();
    let mut command = server::command(folder.path(), &["demo", "--listen=127.0.0.1:0"]);
    let server = Server::spawn(folder.path(), &mut command);
    server.wait_for_window(3.0);
    // As obs-browser makes itself known.
    let stage = Stage::changed_by("window.obsstudio = {};", server, folder);
    let browser = &stage.browser;
    let replay = stage.keep(&json!({"last": "2s"}));
    stage.open_replay(&replay["id"]);
    let downloads = browser.downloads();
    browser.click("#download");
    eventually("another window shows it", || {
        let path = format!("/replays/{}.mp4", replay["id"].as_str()?);
        let mut pages = browser.pages().into_iter();
        pages.find(|page| page["url"].as_str().is_some_and(|url| url.ends_with(&path)))
    });
    let files = fs::read_dir(downloads).map_or(0, Iterator::count);
    assert_eq!(files, 0);
}
