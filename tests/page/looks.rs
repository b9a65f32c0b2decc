//! What the page looks like, from OBS's dock to a wall, in dark and in light, and to those who do not see it.

use serde_json::{Value, json};

use super::{LAPTOP, Stage};
use crate::support::chromium::Chromium;
use crate::support::window::Window;

/// The widths of OBS's dock, a laptop, and a wall; and what a person would look at in each.
const SIZES: [(&str, (u32, u32)); 4] = [
    ("dock", (300, 900)),
    ("phone", (390, 844)),
    ("laptop", LAPTOP),
    ("wall", (3840, 2160)),
];

/// What the page is judged by: it is installed beside what the page is built with.
const AXE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../web/node_modules/axe-core/axe.min.js"
);

/// Everything that is seen without scrolling sideways, at every size, in the dark and in the light.
#[test]
fn it_fits_everywhere() {
    let stage = Stage::new(15.0, &[]);
    let browser = &stage.browser;
    let long =
        "A name of two hundred letters without any break in it: ".to_owned() + &"x".repeat(145);
    stage.keep(&json!({"last": "3s", "name": long, "tags": ["final", &"y".repeat(50)]}));
    let goal = stage.keep(&json!({"last": "8s", "name": "Goal", "tags": ["home"], "locked": true}));
    for theme in ["dark", "light"] {
        browser.prefer(theme);
        for (name, (width, height)) in SIZES {
            browser.resize(width, height);
            stage.shows_live();
            fits(browser, width);
            browser.picture(&format!("{name}-{theme}-live"));
            stage.open_replay(&goal["id"]);
            fits(browser, width);
            browser.picture(&format!("{name}-{theme}-replay"));
            browser.press("?");
            browser.until("document.querySelector('dialog[open]')");
            fits(browser, width);
            browser.press("Escape");
            browser.until("!document.querySelector('dialog')");
            browser.click("#back-to-live");
        }
    }
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[track_caller]
pub(crate) fn fits(browser: &impl Window, width: u32) {
    let wide = browser.eval(
        "[...document.querySelectorAll('lookback-page *')]
           .filter(element => element.getBoundingClientRect().right > innerWidth + 1
             && !element.closest('.cards, .toasts'))
           .map(element => element.outerHTML.slice(0, 120))",
    );
    assert_eq!(wide, json!([]), "at {width}");
    let scrolls = browser.eval(
        "[document.documentElement, ...document.querySelectorAll('dialog')].some(element => element.scrollWidth > element.clientWidth)",
    );
    assert_eq!(scrolls, false, "at {width}");
}

/// axe finds nothing that would keep anybody out.
#[test]
fn nobody_is_kept_out() {
    let stage = Stage::new(12.0, &[]);
    let browser = &stage.browser;
    let goal = stage.keep(&json!({"last": "8s", "name": "Goal", "tags": ["home"]}));
    stage.keep(&json!({"last": "3s", "name": "Foul", "locked": true}));
    for theme in ["dark", "light"] {
        browser.prefer(theme);
        for (width, height) in [(300, 900), LAPTOP] {
            browser.resize(width, height);
            judge(browser, "live");
            stage.open_replay(&goal["id"]);
            browser.click("#on-air");
            browser.until("document.querySelector('.deck .pill').textContent === 'On air'");
            judge(browser, "a replay");
            browser.click("#convert");
            browser.until("document.querySelector('dialog[open] #preset')");
            judge(browser, "the convert sheet");
            browser.press("Escape");
            browser.until("!document.querySelector('dialog')");
            browser.press("?");
            browser.until("document.querySelector('dialog[open] .keys')");
            judge(browser, "the help sheet");
            browser.press("Escape");
            browser.until("!document.querySelector('dialog')");
            browser.click("[aria-label='Stop: main']");
            browser.click("#back-to-live");
        }
    }
}

#[track_caller]
pub(super) fn judge(browser: &Chromium, what: &str) {
    if browser.eval("typeof axe") != "object" {
        let axe = std::fs::read_to_string(AXE).expect("`npm ci` in web/ installs axe-core");
        browser.eval(&format!("{axe}; 0"));
    }
    let found = browser.eval(
        "axe.run(document, {resultTypes: ['violations']}).then(({violations}) =>
           violations.map(({id, nodes}) => [id, ...nodes.map(({html, failureSummary}) => html.slice(0, 160) + failureSummary)]))",
    );
    assert_eq!(found, Value::Array(Vec::new()), "{what}");
}
