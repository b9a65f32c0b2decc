//! What the other walks through the page leave out: each thing that can be done or seen there is in one of them.

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::time::Instant;

use lookback_mpegts::Ticks;
use serde_json::json;

use super::{CLIP, LIVE, Stage};
use crate::support::server::Server;
use crate::support::window::Window;
use crate::support::{card, eventually, folder, free_port};

const TIMELINE: &str = "lookback-timeline";
const TIP: &str = "document.querySelector('lookback-timeline .tip')";

/// With the mouse above it the timeline tells of each moment: its picture, and how much came in; and where nothing did.
/// What came in besides is a problem, in plain words.
#[test]
fn the_timeline_and_the_problems_tell_what_was_recorded() {
    let folder = folder();
    let address = format!("127.0.0.1:{}", free_port());
    let server = Server::start(folder.path(), &["--input", &format!("tcp://{address}")]);
    let mut received = 0;
    let mut send = |bytes: &[u8]| {
        let mut source = TcpStream::connect(&address).expect("it listens");
        source.write_all(bytes).expect("it is read");
        drop(source);
        received += bytes.len();
        server.wait_for("it is read", |channel| {
            channel["received_bytes"] == received && channel["state"] == "waiting"
        });
    };
    let mut damaged = card::bytes(6, card::START);
    let middle = damaged.len() / 188 / 2 * 188;
    damaged.splice(middle..middle, [0x55; 1000]);
    send(&damaged);
    let first = Instant::now();
    // What comes at once was recorded in the seconds before: so much later there is a gap in between.
    eventually("it is later", || {
        (first.elapsed().as_secs() >= 6).then_some(())
    });
    send(&card::bytes(3, Ticks::SECOND));

    let hint = server.channel()["problems"][0]["hint"].clone();
    let stage = Stage::of(server, folder);
    let browser = &stage.browser;
    stage.shown(LIVE);
    let hover = |share: f64| browser.hover(browser.inside(TIMELINE, share));
    hover(0.2);
    browser.until(&format!(
        "/^\\d\\d:\\d\\d:\\d\\d\\.\\d\\d  \\d+(\\.\\d)? Mbit\\/s$/.test({TIP}.textContent)"
    ));
    // Of a moment that has passed, so that it is there when it is looked at again.
    eventually("there is a thumbnail", || {
        hover(0.21);
        hover(0.2);
        let is_shown = browser.eval(&format!("!{TIP}.querySelector('canvas').hidden"));
        (is_shown == true).then_some(())
    });
    hover(0.6);
    browser.until(&format!("{TIP}.textContent.endsWith('nothing recorded')"));
    browser.picture("laptop-gap");

    browser.click(".problems summary");
    let hint = hint.as_str().expect("a text");
    let told = browser.eval("document.querySelector('.problems li').textContent");
    assert!(
        told.as_str().is_some_and(|told| told.contains(hint)),
        "{told}"
    );
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

/// The last seconds by each of the four buttons; a replay is split, copied, and shows another picture; the bar of the memory
/// tells what all of that holds.
#[test]
fn the_last_seconds_are_kept_split_and_copied() {
    let stage = Stage::new(32.0, &[]);
    let browser = &stage.browser;
    let cards = |count: usize| {
        browser.until(&format!(
            "document.querySelectorAll('.card').length === {count}"
        ));
    };
    for (kept, (seconds, least)) in [(5, 5.0), (10, 10.0), (30, 30.0), (60, 32.0)]
        .into_iter()
        .enumerate()
    {
        browser.click(&format!("[data-last='{seconds}']"));
        cards(kept + 1);
        let replay = stage.replays().remove(0);
        let duration = replay["duration_s"].as_f64().expect("a length");
        // It begins on a keyframe, and that is cut away; of the window it is what there is.
        assert!(duration > least - 0.6, "{replay}");
        assert!(seconds == 60 || duration < least + 0.6, "{replay}");
    }
    browser.until("document.querySelector('.card img')?.naturalWidth > 0");
    let first = stage.replays().pop().expect("the first of them");
    stage.open_replay(&first["id"]);
    stage.stand_at(2.0);
    let poster = stage.shown(CLIP);
    browser.click_text(".viewer .chip", "Use this picture as poster");
    eventually("it has another poster", || {
        let replay = stage.replays().pop()?;
        let at = replay["poster_s"].as_f64()? - replay["in_s"].as_f64()?;
        ((1.9..2.1).contains(&at)).then_some(())
    });
    browser.click_text(".viewer .chip", "Duplicate");
    cards(5);
    browser.click_text(".viewer .chip", "Split here");
    cards(6);
    let half = stage
        .replays()
        .into_iter()
        .find(|replay| {
            let duration = replay["duration_s"].as_f64().expect("a length");
            (2.5..3.5).contains(&duration)
        })
        .expect("the second half");
    stage.open_replay(&half["id"]);
    stage.stand_at(0.0);
    assert!(stage.shown(CLIP).abs_diff(poster) <= 1);

    // What nothing but replays holds.
    browser.click("#clear");
    browser.click("#sure");
    eventually("the bar of the memory tells it", || {
        let held = stage.server.status()["memory"]["held_bytes"].as_f64()? / 1e6;
        let told = browser.eval("document.querySelector('.memory svg').getAttribute('aria-label')");
        let (_, told) = told.as_str()?.split_once(" live, ")?;
        let told: f64 = told.split_once(" MB held by replays")?.0.parse().ok()?;
        (told > 5.0 && (told - held).abs() < 0.1).then_some(())
    });
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

/// A conversion is seen to go on, another is stopped, and an export is in the library.
#[test]
fn conversions_show_their_progress_and_exports_go_to_the_library() {
    let stage = Stage::new(20.0, &["--library", "clips"]);
    let browser = &stage.browser;
    let replay = stage.keep(&json!({"last": "20s", "name": "Goal"}));
    stage.open_replay(&replay["id"]);
    let ask_for = |preset: &str| {
        browser.click("#convert");
        browser.until("document.querySelector('dialog[open] #preset')");
        browser.eval(&format!(
            "(() => {{ const choice = document.querySelector('#preset'); choice.value = '{preset}';
               choice.dispatchEvent(new Event('change')); }})()"
        ));
        browser.until(&format!("document.querySelector('dialog [id^={preset}-]')"));
        browser.click("#begin");
        browser.until("!document.querySelector('dialog')");
    };
    // From now on each step of the bar is written down.
    browser.eval(
        "(() => { window.steps = new Set(); new MutationObserver(() => {
           const bar = document.querySelector('.job progress'); if (bar) steps.add(bar.value);
         }).observe(document.body, {subtree: true, childList: true, attributes: true}); })()",
    );
    ask_for("webm");
    browser.until("[...steps].some(step => step > 0 && step < 100)");
    browser.click("[aria-label='Stop: webm']");
    browser.until("document.querySelector('.job .state')?.textContent === 'cancelled'");
    browser.click("[aria-label='Remove from list: webm']");
    browser.until("!document.querySelector('.job')");

    browser.click("#convert");
    browser.click_text("dialog .library .chip", "as MP4");
    browser.until(
        "/^in the library, [\\d.]+ MB$/.test(document.querySelector('.job .state')?.textContent)",
    );
    let library = fs::read_dir(stage.folder.path().join("clips")).expect("a folder");
    // Beside it lies what brings it back as a replay.
    let names = library.filter_map(|file| file.ok()?.file_name().into_string().ok());
    let films: Vec<String> = names.filter(|name| name.ends_with(".mp4")).collect();
    assert!(films.len() == 1 && films[0].contains("Goal"), "{films:?}");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

/// A deck is jogged, shuttled, sought in, and put on the live picture.
#[test]
fn a_deck_is_jogged_shuttled_and_sought_in() {
    let stage = Stage::new(20.0, &[]);
    let browser = &stage.browser;
    let position = || stage.deck()["position_s"].as_f64().expect("a place");
    browser.click("[aria-label='Last 10 s on deck main']");
    browser.until("document.querySelector('.deck .pill').textContent === 'On air'");
    browser.click("[aria-label='Pause: main']");
    browser.until("document.querySelector('.deck .pill').textContent === 'Paused'");
    browser.click_at("[aria-label='Position of deck main']", 0.5);
    eventually("it is in the middle", || {
        (4.0..6.0).contains(&position()).then_some(())
    });
    let middle = position();
    browser.click("[aria-label='One picture back: main']");
    eventually("it has stepped back", || {
        (middle - 0.05..middle - 0.01)
            .contains(&position())
            .then_some(())
    });
    browser.click("[aria-label='Back 10 s: main']");
    eventually("it is at the start", || (position() < 0.1).then_some(()));
    browser.click_text(".deck [aria-label='Shuttle: main'] .chip", "2×");
    eventually("it is faster", || {
        (stage.deck()["speed"] == 2.0).then_some(())
    });
    browser.click("[aria-label='Play: main']");
    eventually("it goes on", || (position() > 1.0).then_some(()));
    browser.click_text(".deck [aria-label='Shuttle: main'] .chip", "−1×");
    eventually("it goes back", || {
        (stage.deck()["speed"] == -1.0).then_some(())
    });
    browser.click("[aria-label='Live: main']");
    browser.until("document.querySelector('.deck .pill').textContent === 'Live channel'");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

/// The page is dark or light as it is chosen, also after it was loaded anew; it is heard, and fills the screen.
#[test]
fn the_page_is_seen_and_heard_as_one_likes_it() {
    let stage = Stage::new(4.0, &[]);
    let browser = &stage.browser;
    browser.prefer("light");
    let ground = || browser.eval("getComputedStyle(document.body).backgroundColor");
    let light = ground();
    browser.click("[aria-label='Theme: as the system']");
    browser.until("document.querySelector('[aria-label=\"Theme: dark\"]')");
    let dark = ground();
    assert_ne!(dark, light);
    browser.visit(&stage.server.url("/"));
    stage.shows_live();
    assert_eq!(ground(), dark);
    browser.prefer("dark");
    browser.click("[aria-label='Theme: dark']");
    browser.until("document.querySelector('[aria-label=\"Theme: light\"]')");
    assert_eq!(ground(), light);

    let video = format!("document.querySelector('{LIVE}')");
    assert_eq!(browser.eval(&format!("{video}.muted")), true);
    browser.click("#sound");
    browser.until(&format!("!{video}.muted && {video}.volume > 0"));
    let heard = browser.eval(&format!("{video}.webkitAudioDecodedByteCount"));
    let heard = heard.as_f64().expect("a count");
    browser.until(&format!("{video}.webkitAudioDecodedByteCount > {heard}"));
    browser.click("#fullscreen");
    browser.until("document.fullscreenElement?.matches('.screen')");
    browser.press("f");
    browser.until("!document.fullscreenElement");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}
