//! `cargo xtask latency page`: how old the picture is that the page shows live.
//!
//! The demo numbers its pictures. A clip of its last second tells when the server had which; then the page is looked at
//! again and again, and each time the number that it shows is held against the clock.

use std::io::Write;
use std::thread;
use std::time::Duration;

use serde_json::json;

use super::{LIVE, Stage};
use crate::support::card::{self, FPS};
use crate::support::server::Server;
use crate::support::window::Window;
use crate::support::{chromium::Chromium, text};

/// Times that the page is opened: where it begins is where it stays.
const OPENED: usize = 8;
const LOOKS: usize = 20;

#[test]
#[ignore = "a measurement: cargo xtask latency page"]
fn table() {
    let mut ages = Vec::new();
    for opened in 0..OPENED {
        let stage = Stage::new(6.0, &[]);
        // It has come to rest.
        thread::sleep(Duration::from_secs(8));
        let first_at = first_picture(&stage.server, &stage.folder.path().join("last.ts"));
        let of_this = looks(&stage.browser, first_at);
        eprintln!("opened {opened}: {:.0} ms", middle(&of_this));
        ages.extend(of_this);
    }
    ages.sort_by(f64::total_cmp);
    let report = format!(
        "\n| what | looks | median | worst |\n|---|---|---|---|\n\
         | the page, live, opened {OPENED} times | {} | {:.0} ms | {:.0} ms |\n",
        ages.len(),
        middle(&ages),
        ages[ages.len() - 1],
    );
    std::io::stdout()
        .write_all(report.as_bytes())
        .expect("somebody reads the report");
}

/// When the server had the picture with the number 0, in milliseconds since the Unix epoch.
fn first_picture(server: &Server, file: &std::path::Path) -> f64 {
    let clip = server.clip(&json!({"last": "1s"}));
    let url = clip["url"].as_str().expect("a URL");
    std::fs::write(file, server.get(url).bytes()).expect("the test's folder takes files");
    let counters = card::counters(text(file));
    let start: jiff::Timestamp = clip["start"]
        .as_str()
        .and_then(|at| at.parse().ok())
        .expect("a time");
    start.as_millisecond() as f64 - counters[0] as f64 * FRAME_MS
}

const FRAME_MS: f64 = 1000.0 / FPS as f64;

/// How old the picture is, at moments that have nothing to do with pictures.
fn looks(browser: &Chromium, first_at: f64) -> Vec<f64> {
    let look = |number| {
        thread::sleep(Duration::from_millis(200 + 13 * number as u64));
        let (counter, at) = browser.seen(LIVE).expect("it shows the card");
        at - (first_at + counter as f64 * FRAME_MS)
    };
    let mut ages: Vec<f64> = (0..LOOKS).map(look).collect();
    ages.sort_by(f64::total_cmp);
    ages
}

fn middle(sorted: &[f64]) -> f64 {
    sorted[sorted.len() / 2]
}
