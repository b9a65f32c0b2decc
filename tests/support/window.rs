//! A browser's window with a page of the server's own in it, used as a person uses it: pointed at, clicked, typed into, and
//! looked at.
//!
//! Each browser has its own way of being told; what is done with it, and what is looked for, is the same in all.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use lookback_testcard::read_counter;
use serde_json::{Value, json};

use super::{DEADLINE, eventually};

/// The size in which pictures are read.
const READ: (usize, usize) = (320, 176);

/// A place on the page, from its left upper corner.
pub(crate) type Place = (f64, f64);

pub(crate) trait Window {
    /// A window of this size with a page in it.
    fn open(url: &str, size: (u32, u32)) -> Self;

    /// Opens an address anew, the one that is shown as well: no script of the page before runs any more.
    fn visit(&self, url: &str);

    fn resize(&self, width: u32, height: u32);

    /// What an expression of JavaScript gives, once its promise is kept.
    #[track_caller]
    fn eval(&self, expression: &str) -> Value;

    /// Moves the mouse, with its button pressed, from place to place, and lets go.
    fn carry(&self, places: &[Place]);

    /// Presses a key and lets it go, as `KeyboardEvent.key` names it.
    fn press(&self, key: &str);

    /// Writes where the cursor is.
    fn insert(&self, text: &str);

    /// What the page looks like.
    fn png(&self) -> Vec<u8>;

    /// Where what is downloaded from now on is put.
    fn downloads(&self) -> PathBuf;

    /// Errors that the page has met since this was last asked, but for answers of the server with an error: those the page
    /// shows itself.
    fn complaints(&self) -> Vec<String>;

    /// Waits until an expression is true.
    #[track_caller]
    fn until(&self, expression: &str) {
        let started = Instant::now();
        while self.eval(&format!("!!({expression})")) != true {
            assert!(
                started.elapsed() < DEADLINE,
                "did not happen in {DEADLINE:?}: {expression}; the page: {}; it complains of: {:?}",
                self.eval("document.body?.innerText"),
                self.complaints()
            );
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Clicks in the middle of an element, when it is there, enabled, and nothing lies above it.
    #[track_caller]
    fn click(&self, selector: &str) {
        self.carry(&[self.place(selector)]);
    }

    /// Clicks at a share of the width of an element.
    #[track_caller]
    fn click_at(&self, selector: &str, share: f64) {
        self.carry(&[self.inside(selector, share)]);
    }

    /// Clicks on the one of several elements that says this.
    #[track_caller]
    fn click_text(&self, selector: &str, text: &str) {
        let found = format!(
            "(() => {{
                for (const old of document.querySelectorAll('[data-meant]')) delete old.dataset.meant;
                const all = [...document.querySelectorAll({})].filter(element => element.textContent.trim() === {});
                for (const element of all) element.dataset.meant = '';
                return all.length;
            }})()",
            json!(selector),
            json!(text)
        );
        self.until(&format!("{found} === 1"));
        self.click("[data-meant]");
    }

    /// Presses at one place of an element, moves to another, and lets go: both in shares of its width.
    #[track_caller]
    fn drag(&self, selector: &str, from: f64, to: f64) {
        let place = |share: f64| self.inside(selector, share);
        self.carry(&[place(from), place((from + to) / 2.0), place(to)]);
    }

    /// The middle of an element, when it has stood still for a picture of the page: something above it may just go.
    #[track_caller]
    fn place(&self, selector: &str) -> Place {
        let script = format!(
            "(async () => {{
                const element = document.querySelector({selector});
                if (!element || element.disabled) return null;
                element.scrollIntoView({{block: 'center', behavior: 'instant'}});
                const where = () => {{
                    const box = element.getBoundingClientRect();
                    return [box.x + box.width / 2, box.y + box.height / 2];
                }};
                const before = where();
                for (const _ of [1, 2]) await new Promise(requestAnimationFrame);
                const [x, y] = where();
                if (x !== before[0] || y !== before[1]) return null;
                const above = document.elementFromPoint(x, y);
                return element === above || element.contains(above) ? {{x, y}} : null;
            }})()",
            selector = json!(selector)
        );
        eventually(format!("{selector} can be clicked"), || {
            let place = self.eval(&script);
            Some((place["x"].as_f64()?, place["y"].as_f64()?))
        })
    }

    /// The place in an element at a share of its width.
    #[track_caller]
    fn inside(&self, selector: &str, share: f64) -> Place {
        let (x, y) = self.place(selector);
        let width = self.eval(&format!(
            "document.querySelector({}).getBoundingClientRect().width",
            json!(selector)
        ));
        let width = width.as_f64().expect("a number");
        (x + (share - 0.5) * width, y)
    }

    /// Clicks into a field and writes.
    #[track_caller]
    fn write(&self, selector: &str, text: &str) {
        self.click(selector);
        let select = format!("document.querySelector({}).select()", json!(selector));
        self.eval(&select);
        match text {
            "" => self.press("Delete"),
            text => self.insert(text),
        }
    }

    /// The number of the test card's picture that a video element shows; none while it shows none.
    fn counter(&self, selector: &str) -> Option<u64> {
        self.seen(selector).map(|(counter, _)| counter)
    }

    /// The same, and when it was on: in milliseconds since the Unix epoch.
    fn seen(&self, selector: &str) -> Option<(u64, f64)> {
        let (width, height) = READ;
        let seen = self.eval(&format!(
            "(() => {{
                const video = document.querySelector({selector});
                if (!video || video.readyState < 2) return null;
                const canvas = document.createElement('canvas');
                [canvas.width, canvas.height] = [{width}, {height}];
                const context = canvas.getContext('2d');
                context.drawImage(video, 0, 0, {width}, {height});
                const at = Date.now();
                const points = context.getImageData(0, 0, {width}, {height}).data;
                let luma = '';
                for (let at = 0; at < points.length; at += 4) {{
                    luma += String.fromCharCode(Math.round(points[at] * 0.3 + points[at + 1] * 0.59 + points[at + 2] * 0.11));
                }}
                return {{luma, at}};
            }})()",
            selector = json!(selector)
        ));
        let luma = seen["luma"].as_str()?.chars();
        let luma: Vec<u8> = luma.map(|point| point as u8).collect();
        Some((read_counter(&luma, width, height)?, seen["at"].as_f64()?))
    }

    /// Looks at the page. With `E2E_PICTURES` set to a folder what it looks like is kept there.
    #[track_caller]
    fn picture(&self, name: &str) {
        let png = self.png();
        assert!(png.len() > 7_500, "an empty picture");
        if let Some(folder) = std::env::var_os("E2E_PICTURES") {
            let path = Path::new(&folder).join(format!("{name}.png"));
            fs::write(path, png).expect("the folder takes files");
        }
    }
}

/// Base64 (RFC 4648), as browsers write it.
pub(super) fn decoded(text: &str) -> Vec<u8> {
    let value = |byte: u8| match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let (mut bits, mut held, mut bytes) = (0u32, 0, Vec::new());
    for byte in text.bytes().filter(|byte| *byte != b'=') {
        bits = bits << 6 | u32::from(value(byte));
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
        }
    }
    bytes
}
