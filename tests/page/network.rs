//! A bad link between the page and the server: the page says what is the matter, and comes back to live by itself.

use super::Stage;
use crate::support::folder;
use crate::support::link::{Link, Way};
use crate::support::server::{self, Server};
use crate::support::window::Window;

/// The demo in this size takes a hundred times as much.
const BYTES_PER_SECOND: u32 = 4_000;

/// Live again, and no later than before: the picture is one of those that the server has just recorded.
const IS_LIVE_AGAIN: &str = "(() => {
    const live = document.querySelector('#badge')?.textContent === 'Live';
    const app = document.querySelector('lookback-timeline').model;
    return live && Math.abs(app.window().to - app.position()) < 4000;
})()";

#[test]
fn a_slow_link() {
    recovers_from(
        Way::Slow(BYTES_PER_SECOND),
        "document.querySelector('.message strong')?.textContent.includes('too slow')",
    );
}

#[test]
fn a_link_that_stands_still() {
    recovers_from(
        Way::Stalled,
        "document.querySelector('.message strong')?.textContent.includes('too slow')",
    );
}

#[test]
fn a_link_that_breaks_off() {
    recovers_from(Way::Cut, "document.querySelector('.connection.lost')");
}

/// The link becomes bad under an open page, which says so, and then good again.
fn recovers_from(way: Way, is_told: &str) {
    let folder = folder();
    let mut command = server::command(folder.path(), &["demo", "--listen", "127.0.0.1:0"]);
    let server = Server::spawn(folder.path(), &mut command);
    server.wait_for_window(6.0);
    let link = Link::to(server.address());
    let stage = Stage::at(&link.url("/"), server, folder);
    stage.shows_live();
    link.becomes(way);
    stage.browser.until(is_told);
    link.becomes(Way::Free);
    stage.browser.until(IS_LIVE_AGAIN);
    stage.shows_live();
    assert_eq!(stage.browser.complaints(), Vec::<String>::new());
}
