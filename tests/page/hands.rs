//! With fingers, on a tablet and in a narrow dock; and with a mouse that drags.

use std::fs;

use serde_json::json;

use super::{CLIP, LIVE, POSITION, Stage};
use crate::support::server::Server;
use crate::support::window::Window;
use crate::support::{card, eventually, ffmpeg, folder, text};

const TIMELINE: &str = "lookback-timeline";
const TIME: &str = "document.querySelector('lookback-timeline')";
const REEL: &str =
    "[...document.querySelectorAll('.reel li')].map(item => item.textContent.trim()).join(' ')";

/// A recording that is over: nothing on the timeline moves by itself.
fn over() -> Stage {
    let folder = folder();
    let input = folder.path().join("card.ts");
    card::write(&input, 20);
    let server = Server::having_read(folder.path(), &input, &[]);
    let stage = Stage::of(server, folder);
    stage.shown(LIVE);
    stage
}

/// All that somebody wants of a dock of 300 points, with a finger: each thing is there, and can be hit.
#[test]
fn a_narrow_dock_has_everything_within_reach() {
    let stage = Stage::new(20.0, &[]);
    let browser = &stage.browser;
    browser.resize(300, 900);
    browser.be_touched();
    let live = stage.shown(LIVE);
    browser.tap("#back-10");
    let back = eventually("an earlier picture", || {
        Some(stage.shown(LIVE)).filter(|back| *back < live)
    });
    browser.tap("#mark-in");
    let marked = browser.eval(POSITION).as_f64().expect("a time");
    browser.until(&format!("{POSITION} > {marked} + 1500"));
    browser.tap("#mark-out");
    browser.tap("#save");
    // The list moves up when the marks are gone.
    browser.until(
        "document.querySelectorAll('.card').length === 1 && !document.querySelector('#marked')",
    );
    browser.tap(".poster");
    browser.until("document.querySelector('lookback-clip video')?.readyState >= 2");
    let first = stage.shown(CLIP);
    assert!((back..live).contains(&first), "{first}");
    browser.tap(".speeds [data-speed='0.25']");
    browser.until("document.querySelector('lookback-clip video').playbackRate === 0.25");
    browser.tap("#on-air");
    browser.until("document.querySelector('.deck .pill').textContent === 'On air'");
    assert_eq!(stage.deck()["speed"], 0.25);
    browser.tap("[aria-label='Stop: main']");

    let downloads = browser.downloads();
    browser.tap("#download");
    let file = eventually("the file is there", || {
        let mut files = fs::read_dir(&downloads).ok()?.filter_map(Result::ok);
        let file = files.find(|file| file.path().extension().is_some_and(|end| end == "mp4"))?;
        Some(file.path())
    });
    assert_eq!(ffmpeg::complaints(text(&file)), "");
    browser.tap("#back-to-live");
    browser.tap("[data-last='5']");
    browser.until("document.querySelectorAll('.card').length === 2");
    stage.shows_live();
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

/// One finger goes to a moment, two zoom and move, and neither does what the other does.
#[test]
fn the_timeline_takes_fingers() {
    let stage = over();
    let browser = &stage.browser;
    browser.resize(1024, 768);
    browser.be_touched();
    let place = |share: f64| browser.inside(TIMELINE, share);
    let near = |moment: &str, there: f64| {
        browser.until(&format!(
            "Math.abs({TIME}.shareOf({moment}) - {there}) < 0.03"
        ));
    };
    browser.press("k");
    browser.until(&format!("document.querySelector('{LIVE}').paused"));
    browser.fingers(&[&[place(0.8)]]);
    near(POSITION, 0.8);
    browser.fingers(&[&[place(0.8), place(0.6), place(0.4), place(0.3)]]);
    near(POSITION, 0.3);

    // What lies below each finger stays there, and the position where it was.
    let position = browser.eval(POSITION).as_f64().expect("a time");
    let stands = || {
        let now = browser.eval(POSITION).as_f64().expect("a time");
        assert!((now - position).abs() < 100.0, "{now}, not {position}");
    };
    let [left, right] = [0.4, 0.6].map(|share| {
        let moment = browser.eval(&format!(
            "(() => {{ const {{from, to}} = {TIME}.model.window(), [a, b] = [{TIME}.shareOf(from), {TIME}.shareOf(to)];
               return from + ({share} - a) / (b - a) * (to - from); }})()"
        ));
        moment.to_string()
    });
    let spread = |from: f64, to: f64| [place(from), place((from + to) / 2.0), place(to)];
    browser.fingers(&[&spread(0.4, 0.2), &spread(0.6, 0.8)]);
    near(&left, 0.2);
    near(&right, 0.8);
    browser.fingers(&[&spread(0.2, 0.1), &spread(0.8, 0.7)]);
    near(&left, 0.1);
    near(&right, 0.7);
    stands();

    // The mark that is taken hold of goes along.
    let mark = format!("{TIME}.model.marks.from");
    browser.tap("#mark-in");
    browser.until(&format!("{mark} !== null"));
    browser.tap("[aria-label='Whole window']");
    near(&format!("{TIME}.model.window().from"), 0.0);
    let grip = browser.eval(&format!("{TIME}.shareOf({mark})"));
    let grip = grip.as_f64().expect("a share") + 0.015;
    browser.fingers(&[&[place(grip), place(0.45), place(0.5)]]);
    near(&mark, 0.5);
    stands();
}

/// The wheel zooms where the mouse is, also far from what is shown; *Live* comes back.
#[test]
fn one_can_look_elsewhere_on_the_timeline() {
    let stage = over();
    let browser = &stage.browser;
    let end = format!("{TIME}.shareOf({TIME}.model.window().to)");
    let early = format!("{TIME}.shareOf({TIME}.model.window().from + 4000)");
    browser.wheel(browser.inside(TIMELINE, 0.2), (0.0, -400.0));
    browser.until(&format!("{end} > 1.5"));
    let before = browser.eval(&early).as_f64().expect("a share");
    browser.wheel(browser.inside(TIMELINE, 0.5), (60.0, 0.0));
    browser.until(&format!("{early} < {before} - 0.03"));
    // Pictures of the page later it is still there.
    browser.eval("new Promise(done => setTimeout(done, 200)).then(() => 0)");
    browser.until(&format!("{end} > 1.3"));
    browser.press("End");
    browser.until(&format!("{end} <= 1"));
}

/// Replays are dragged into the reel, and there to where they belong, with a mouse and with a finger.
#[test]
fn a_reel_is_put_together_by_dragging() {
    let stage = Stage::new(8.0, &[]);
    let browser = &stage.browser;
    for name in ["One", "Two", "Three"] {
        stage.keep(&json!({"last": "2s", "name": name}));
    }
    let card = |name: &str| format!(".card:has([aria-label='Delete {name}'])");
    let reel_is = |names: &str| browser.until(&format!("{REEL} === '{names}'"));
    browser.until("document.querySelectorAll('.card').length === 3");
    browser.drop_onto(&card("Three"), ".reel");
    reel_is("Three");
    browser.drop_onto(&card("One"), ".reel");
    reel_is("Three One");
    // Onto another one: in front of it.
    browser.drop_onto(&card("Two"), ".reel li:nth-child(2) .chip");
    reel_is("Three Two One");

    let chip = |number: u32, share: f64| {
        browser.inside(&format!(".reel li:nth-child({number}) .chip"), share)
    };
    browser.carry(&[chip(1, 0.5), chip(2, 0.9), chip(3, 0.9)]);
    reel_is("Two One Three");
    browser.be_touched();
    browser.fingers(&[&[chip(3, 0.5), chip(2, 0.1), chip(1, 0.1)]]);
    reel_is("Three Two One");
    browser.tap("[aria-label='Take Two out of the reel']");
    reel_is("Three One");
    browser.tap(&format!("{} [aria-label='Add to reel: Two']", card("Two")));
    reel_is("Three One Two");
    // By keys it is one that goes, however far.
    browser.eval("document.querySelector('.reel li:nth-child(3) .chip').focus()");
    browser.press("ArrowLeft");
    reel_is("Three Two One");
    browser.press("ArrowLeft");
    reel_is("Two Three One");
    browser.press("Delete");
    reel_is("Three One");
    browser.tap("#make-reel");
    eventually("the reel is there", || {
        let replays = stage.replays();
        replays
            .iter()
            .any(|replay| replay["pieces"] == 2)
            .then_some(())
    });
    assert_eq!(browser.complaints(), Vec::<String>::new());
}
