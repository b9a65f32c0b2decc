//! The control page in a real browser, used as a person uses it: clicked, typed into, and looked at.
//!
//! What is shown is read off the pictures: the test card numbers them. `E2E_PICTURES=FOLDER` keeps what the page looked like.

#[path = "page/actions.rs"]
mod actions;
#[path = "page/bad_input.rs"]
mod bad_input;
#[path = "page/browsers.rs"]
mod browsers;
#[path = "page/devices.rs"]
mod devices;
#[path = "page/dock.rs"]
mod dock;
#[path = "page/hands.rs"]
mod hands;
#[path = "page/latency.rs"]
mod latency;
#[path = "page/looks.rs"]
pub(crate) mod looks;
#[path = "page/network.rs"]
mod network;
#[path = "page/preview.rs"]
mod preview;
#[path = "page/safari.rs"]
mod safari;

use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::chromium::Chromium;
use crate::support::http::post;
use crate::support::server::{self, Server};
use crate::support::window::Window;
use crate::support::{card, eventually, folder, text};

const LAPTOP: (u32, u32) = (1280, 800);
pub(crate) const LIVE: &str = "lookback-live video";
pub(crate) const CLIP: &str = "lookback-clip video";
const POSITION: &str = "document.querySelector('lookback-timeline').model.position()";

/// `lookback demo` with a page that shows it.
pub(crate) struct Stage<W = Chromium> {
    pub(crate) browser: W,
    pub(crate) server: Server,
    folder: TempDir,
}

impl Stage {
    /// One that has so many seconds to look back on.
    fn new(seconds: f64, arguments: &[&str]) -> Self {
        Self::listening("127.0.0.1:0", seconds, arguments)
    }

    fn listening(address: &str, seconds: f64, arguments: &[&str]) -> Self {
        Self::demo(address, seconds, arguments)
    }

    /// The page of a server.
    pub(crate) fn of(server: Server, folder: TempDir) -> Self {
        let url = server.url("/");
        Self::at(&url, server, folder)
    }

    /// The same, at another address.
    fn at(url: &str, server: Server, folder: TempDir) -> Self {
        let browser = Chromium::open(url, LAPTOP);
        Self::seen_in(browser, server, folder)
    }

    /// The page of a server, in a browser that a script has changed.
    fn changed_by(script: &str, server: Server, folder: TempDir) -> Self {
        let browser = Chromium::prepared(&server.url("/"), LAPTOP, script);
        Self::seen_in(browser, server, folder)
    }
}

/// In any browser.
impl<W: Window> Stage<W> {
    /// One that has so many seconds to look back on.
    fn demo(address: &str, seconds: f64, arguments: &[&str]) -> Self {
        let folder = folder();
        let all = [&["demo", "--listen", address], arguments].concat();
        let server = Server::spawn(folder.path(), &mut server::command(folder.path(), &all));
        server.wait_for_window(seconds);
        let browser = W::open(&server.url("/"), LAPTOP);
        let stage = Self::seen_in(browser, server, folder);
        stage.shows_live();
        stage
    }

    fn seen_in(browser: W, server: Server, folder: TempDir) -> Self {
        assert_eq!(
            env!("LOOKBACK_PAGE_IS_BUILT"),
            "yes",
            "the page was left out of this build, which told why: there is nothing to test"
        );
        Self {
            browser,
            server,
            folder,
        }
    }

    /// Waits for moving pictures at the live edge.
    pub(crate) fn shows_live(&self) {
        self.browser
            .until("document.querySelector('#badge')?.textContent === 'Live'");
        let first = self.shown(LIVE);
        eventually("the live picture moves", || {
            (self.shown(LIVE) > first + 5).then_some(())
        });
    }

    /// The number of the picture that is shown.
    pub(crate) fn shown(&self, video: &str) -> u64 {
        eventually(format!("{video} shows the card"), || {
            self.browser.counter(video)
        })
    }

    pub(crate) fn replays(&self) -> Vec<Value> {
        let replays = self.server.get("/api/v1/replays").json();
        replays.as_array().expect("a list").clone()
    }

    fn deck(&self) -> Value {
        self.server.status()["decks"][0].take()
    }

    /// Keeps the last seconds, and gives what was kept.
    fn keep(&self, body: &Value) -> Value {
        let response = self.server.send(&post("/api/v1/replays", body));
        assert_eq!(response.status, 201);
        response.json()
    }

    /// Stands in the replay that is watched, which may have played to its end by now.
    pub(crate) fn stand_at(&self, seconds: f64) {
        let video = "document.querySelector('lookback-clip video')";
        if self.browser.eval(&format!("{video}.paused")) != true {
            self.browser.click("#play");
        }
        self.browser.until(&format!("{video}.paused"));
        self.browser.eval(&format!(
            "(() => {{ const position = document.querySelector('#position'); position.value = {seconds};
               position.dispatchEvent(new Event('input')); }})()"
        ));
        self.browser.until(&format!("!{video}.seeking"));
    }

    /// At a quarter of the speed, and then picture by picture.
    fn watch_slowly(&self) {
        self.browser.click(".speeds [data-speed='0.25']");
        self.browser
            .until("document.querySelector('lookback-clip video').playbackRate === 0.25");
        self.stand_at(0.5);
        let before = self.shown(CLIP);
        self.browser.click("#step-forward");
        eventually("the next picture", || {
            (self.shown(CLIP) == before + 1).then_some(())
        });
    }

    pub(crate) fn open_replay(&self, id: &Value) {
        let id = id.as_str().expect("an id");
        // One that comes in moves the others down, from under the pointer.
        let count = self.replays().len();
        self.browser.until(&format!(
            "document.querySelectorAll('.card').length === {count}"
        ));
        self.browser
            .click(&format!(".card:has(a[href='/replays/{id}.mp4']) .poster"));
        self.browser
            .until("document.querySelector('lookback-clip video')?.readyState >= 2");
    }
}

/// The timeline is dragged over, and zoomed.
#[test]
fn the_timeline_leads_anywhere_while_recording_goes_on() {
    let stage = Stage::new(12.0, &[]);
    let browser = &stage.browser;
    browser.click("lookback-timeline");
    browser.until("document.querySelector('#badge').textContent.includes('−')");
    let middle = browser.eval(&format!(
        "(() => {{ const {{from, to}} = document.querySelector('lookback-timeline').model.window();
           return ({POSITION} - from) / (to - from); }})()"
    ));
    let middle = middle.as_f64().expect("a share");
    assert!((0.35..0.65).contains(&middle), "{middle}");
    let received = stage.server.received();
    stage.server.wait_for_bytes(received + 1);

    // Dragging goes where the pointer goes; a mark is taken along where it is taken hold of.
    browser.press("k");
    browser.drag("lookback-timeline", 0.8, 0.2);
    let share = |moment: &str| {
        let share = browser.eval(&format!(
            "(() => {{ const model = document.querySelector('lookback-timeline').model;
               const {{from, to}} = model.window(); return ({moment} - from) / (to - from); }})()"
        ));
        share.as_f64().expect("a share")
    };
    let there = share("model.position()");
    assert!((0.1..0.3).contains(&there), "{there}");
    browser.press("i");
    let grip = browser.eval("document.querySelector('lookback-timeline').shareOf(document.querySelector('lookback-timeline').model.marks.from)");
    browser.drag("lookback-timeline", grip.as_f64().expect("a share"), 0.5);
    let marked = share("model.marks.from");
    assert!((0.35..0.65).contains(&marked), "{marked}");
    assert!(
        (share("model.position()") - there).abs() < 0.1,
        "one stays where one was"
    );
    browser.press("x");
    for _ in 0..8 {
        browser.press("+");
    }
    let slider = "document.querySelector('lookback-timeline').getAttribute('aria-valuetext')";
    browser.until(&format!("{slider}.includes('behind live')"));
    browser.click("#live");
    browser.until(&format!("{slider}.includes('at the live picture')"));
    stage.shows_live();
    // With whole segments alone it would never be nearer than two of them.
    browser.until(&format!(
        "document.querySelector('lookback-timeline').model.window().to - {POSITION} < 2000"
    ));
}

/// Name, tags, search, lock, trim, delete and undo.
#[test]
fn replays_are_kept_in_order() {
    let stage = Stage::new(12.0, &[]);
    let browser = &stage.browser;
    let goal = stage.keep(&json!({"last": "8s", "name": "Goal"}));
    stage.keep(&json!({"last": "4s", "name": "Foul"}));
    stage.open_replay(&goal["id"]);
    browser.write("#replay-name", "Winning goal");
    browser.press("Tab");
    browser.until("document.querySelector('.card.open .name').textContent === 'Winning goal'");
    browser.write("#replay-tags", "home, final");
    browser.press("Tab");
    browser.until("document.querySelectorAll('.card.open .tag').length === 2");

    browser.write("#search", "FINAL win");
    browser.until("document.querySelectorAll('.card').length === 1");
    browser.write("#search", "nothing like it");
    browser.until("document.querySelectorAll('.card').length === 0");
    browser.write("#search", "");
    browser.until("document.querySelectorAll('.card').length === 2");

    stage.stand_at(2.0);
    let first = stage.shown(CLIP);
    browser.click("#trim-in");
    eventually("the trimmed replay begins there", || {
        let replays = stage.replays();
        let length = replays[1]["duration_s"].as_f64()?;
        (length < 6.2).then_some(())
    });
    browser.until("document.querySelector('lookback-clip video').duration < 6.2");
    stage.stand_at(0.0);
    eventually("its first picture is the one that was shown", || {
        (stage.shown(CLIP).abs_diff(first) <= 30).then_some(())
    });

    browser.click("[aria-label='Locked']");
    browser.until("document.querySelector('#delete').disabled");
    browser.click("[aria-label='Delete Foul']");
    browser.until("document.querySelectorAll('.card').length === 1");
    browser.click(".toast .chip");
    browser.until("document.querySelectorAll('.card').length === 2");
    assert_eq!(stage.replays().len(), 2);
    browser.click("[aria-label='Delete Foul']");
    eventually("it is gone in the end", || {
        (stage.replays().len() == 1).then_some(())
    });
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

/// Two replays become a reel, in the order in which they were put there.
#[test]
fn a_reel_is_put_together() {
    let stage = Stage::new(8.0, &[]);
    let browser = &stage.browser;
    stage.keep(&json!({"last": "2s", "name": "One"}));
    stage.keep(&json!({"last": "3s", "name": "Two"}));
    browser.click("[aria-label='Add to reel: Two']");
    browser.click("[aria-label='Add to reel: One']");
    browser.until("document.querySelectorAll('.reel li').length === 2");
    browser.eval("document.querySelectorAll('.reel li .chip')[1].focus()");
    browser.press("ArrowLeft");
    browser.until("document.querySelector('.reel li').textContent.trim() === 'One'");
    browser.click("#make-reel");
    let reel = eventually("the reel is there", || {
        let reel = stage
            .replays()
            .into_iter()
            .find(|replay| replay["pieces"] == 2)?;
        Some(reel)
    });
    let length = reel["duration_s"].as_f64().expect("a length");
    assert!((4.8..5.4).contains(&length), "{reel}");
}

/// What is on air is seen and moved.
#[test]
fn a_deck_is_worked() {
    let stage = Stage::new(12.0, &[]);
    let browser = &stage.browser;
    let replay = stage.keep(&json!({"last": "10s", "name": "Goal"}));
    stage.open_replay(&replay["id"]);
    browser.click(".speeds [data-speed='0.25']");
    browser.click("#on-air");
    browser.until("document.querySelector('.deck .pill').textContent === 'On air'");
    assert_eq!(stage.deck()["speed"], 0.25);
    browser.click("[aria-label='Pause: main']");
    browser.until("document.querySelector('.deck .pill').textContent === 'Paused'");
    let before = stage.deck()["position_s"].as_f64().expect("a place");
    browser.click("[aria-label='One picture forward: main']");
    eventually("the deck has stepped", || {
        let after = stage.deck()["position_s"].as_f64()?;
        // In slow motion it may have stood between two pictures.
        (before < after && after < before + 1.0 / 30.0 + 0.002).then_some(())
    });
    browser.click("[aria-label='Stop: main']");
    browser.until("document.querySelector('.deck .pill').textContent === 'Idle'");
    browser.click("[aria-label='Last 5 s on deck main']");
    eventually("it plays five seconds", || {
        let deck = stage.deck();
        let length = deck["duration_s"].as_f64()?;
        (deck["state"] == "playing" && (4.5..6.5).contains(&length)).then_some(())
    });
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

/// A conversion is asked for, watched, and its result taken.
#[test]
fn a_replay_is_converted() {
    let stage = Stage::new(6.0, &[]);
    let browser = &stage.browser;
    let replay = stage.keep(&json!({"last": "4s", "name": "Goal"}));
    stage.open_replay(&replay["id"]);
    browser.click("#convert");
    browser.until("document.querySelector('dialog[open] #preset')");
    browser.eval("(() => { const choice = document.querySelector('#preset'); choice.value = 'gif'; choice.dispatchEvent(new Event('change')); })()");
    browser.write("#gif-fps", "5");
    browser.click("#begin");
    browser.until("!document.querySelector('dialog')");
    browser.until(
        "document.querySelector('.job a[href^=\"/jobs/\"]')?.textContent.includes('Download')",
    );
    let url = browser.eval("document.querySelector('.job a').getAttribute('href')");
    let gif = stage.server.get(url.as_str().expect("an address")).bytes();
    assert!(gif.starts_with(b"GIF8"));
    browser.click("[aria-label^='Remove from list']");
    browser.until("!document.querySelector('.job')");
}

/// Recording is stopped, goes on, and is forgotten, which is asked for twice.
#[test]
fn a_channel_is_paused_and_cleared() {
    let stage = Stage::new(6.0, &[]);
    let browser = &stage.browser;
    browser.click("#recording");
    browser.until("document.querySelector('.channel .state').textContent === 'Paused'");
    browser.click("#recording");
    browser.until("document.querySelector('.channel .state').textContent === 'Recording'");
    browser.click("#clear");
    browser.click("dialog .quiet");
    browser.until("!document.querySelector('dialog')");
    let before = stage.server.channel()["window"]["duration_s"].as_f64();
    assert!(before > Some(5.0), "{before:?}");
    browser.click("#clear");
    browser.click("#sure");
    stage.server.wait_for("the window begins anew", |channel| {
        channel["window"]["duration_s"].as_f64() < Some(4.0)
    });
    stage.shows_live();
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

/// Two angles stand beside each other at the same moment, and are kept together.
#[test]
fn channels_are_in_step_by_the_clock() {
    let folder = folder();
    let input = folder.path().join("card.ts");
    card::write(&input, 20);
    let inputs = ["wide", "close"].map(|name| format!("{name}={}", text(&input)));
    let arguments = ["--input", &inputs[0], "--input", &inputs[1]];
    let server = Server::start(folder.path(), &arguments);
    let len = fs::metadata(&input).expect("it was written").len();
    eventually("both are read", || {
        let status = server.status();
        let both = status["channels"].as_array()?.iter();
        let is_read = |channel: &Value| channel["received_bytes"] == len;
        both.clone().all(is_read).then_some(())
    });
    let stage = Stage::of(server, folder);
    let browser = &stage.browser;
    let video = |number: u32| format!(".tile:nth-of-type({number}) video");
    browser.until("document.querySelectorAll('.channel').length === 3");
    browser.click(".channel:last-child");
    browser.until("document.querySelectorAll('.tile').length === 2");
    stage.shown(&video(2));
    browser.press("k");
    browser.press("Home");
    browser.press("ArrowRight");
    browser.press("ArrowRight");
    eventually("both show the same moment, far from the end", || {
        let [one, other] = [1, 2].map(|number| stage.shown(&video(number)));
        // They were read one after the other.
        (one < 200 && one.abs_diff(other) <= 30).then_some(())
    });
    browser.click(".tile:nth-of-type(2)");
    browser.until(
        "document.querySelector('.tile:nth-of-type(2)').getAttribute('aria-pressed') === 'true'",
    );
    browser.click("[data-last='5']");
    browser.until("document.querySelectorAll('.card').length === 1");
    let replay = &stage.replays()[0];
    assert_eq!(
        replay["angles"].as_array().map(Vec::len),
        Some(2),
        "{replay}"
    );
    stage.open_replay(&replay["id"]);
    browser.click(".viewer .chip[aria-pressed='false']");
    stage.shown(CLIP);
}
