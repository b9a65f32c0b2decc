//! What goes wrong around a page that is open all day.

use std::fs;

use rustix::process::Signal;

use super::{CLIP, LIVE, POSITION, Stage};
use crate::support::chromium::Chromium;
use crate::support::server::{self, Server};
use crate::support::window::Window;
use crate::support::{card, eventually, folder, free_port, text};

/// The server stops and comes back under an open page, which goes on with what the new one has.
#[test]
fn the_server_comes_back_under_the_page() {
    let address = format!("127.0.0.1:{}", free_port());
    let mut stage = Stage::listening(&address, 6.0, &[]);
    stage.browser.click("[data-last='5']");
    stage
        .browser
        .until("document.querySelectorAll('.card').length === 1");
    stage.server.signal(Signal::TERM);
    stage.server.wait();
    stage
        .browser
        .until("document.querySelector('.connection.lost')");
    let mut command = server::command(stage.folder.path(), &["demo", "--listen", &address]);
    stage.server = Server::spawn(stage.folder.path(), &mut command);
    stage
        .browser
        .until("!document.querySelector('.connection')");
    stage
        .browser
        .until("document.querySelectorAll('.card').length === 0");
    stage.shows_live();
}

/// A recording that is over is there to be watched and kept, and the page says that nothing comes.
#[test]
fn a_run_ends() {
    let folder = folder();
    let input = folder.path().join("card.ts");
    card::write(&input, 12);
    let server = Server::having_read(folder.path(), &input, &[]);
    let stage = Stage::of(server, folder);
    let browser = &stage.browser;
    browser.until("document.querySelector('.channel .state')?.textContent === 'Waiting'");
    let last = stage.shown(LIVE);
    browser.press("Home");
    eventually("the beginning is shown", || {
        (stage.shown(LIVE) < last.min(90)).then_some(())
    });
    browser.click("[data-last='5']");
    browser.until("document.querySelectorAll('.card').length === 1");
    browser.click(".poster");
    assert!(stage.shown(CLIP) >= 7 * card::FPS);
}

/// Before anything is recorded the page says what to do, and shows the first picture when it comes.
#[test]
fn nothing_is_recorded_yet() {
    let folder = folder();
    let fifo = folder.path().join("in.ts");
    let server = Server::start(folder.path(), &["--input", text(&fifo)]);
    let stage = Stage::of(server, folder);
    let browser = &stage.browser;
    browser.until(
        "document.querySelector('.message strong')?.textContent === 'Nothing is recorded yet'",
    );
    assert_eq!(
        browser.eval("document.querySelector('#save').disabled"),
        true
    );
    fs::write(&fifo, card::bytes(8, card::START)).expect("the server reads");
    stage.shown(LIVE);
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

/// The window slides past the moment that is watched: the page goes to the oldest there is, and says so.
#[test]
fn the_window_slides_past_what_is_watched() {
    let stage = Stage::new(10.0, &["--keep", "10s"]);
    let browser = &stage.browser;
    browser.press("k");
    browser.press("Home");
    browser.until("[...document.querySelectorAll('.toast')].some(toast => toast.textContent.includes('has been forgotten'))");
    browser.until(&format!(
        "{POSITION} >= document.querySelector('lookback-timeline').model.window().from"
    ));
    stage.shown(LIVE);
}

/// A replay is deleted by somebody else while it is watched.
#[test]
fn what_is_watched_is_deleted_elsewhere() {
    let stage = Stage::new(6.0, &[]);
    let replay = stage.keep(&serde_json::json!({"last": "4s"}));
    stage.open_replay(&replay["id"]);
    let path = format!("/api/v1/replays/{}", replay["id"].as_str().expect("an id"));
    stage.server.send(&crate::support::http::delete(&path));
    stage.shows_live();
}

/// What is refused is told in the server's words, and everything else goes on.
#[test]
fn a_refusal_is_told() {
    let stage = Stage::new(6.0, &["--memory", "16MiB"]);
    let browser = &stage.browser;
    browser.eval("fetch('/api/v1/replays', {method: 'POST', headers: {'Content-Type': 'application/json'}, body: '{\"last\": \"1s\"}'})");
    browser.until("document.querySelectorAll('.card').length >= 1");
    for _ in 0..20 {
        browser.press("4");
        if browser.eval("!!document.querySelector('.toast.problem')") == true {
            break;
        }
        stage
            .server
            .wait_for_bytes(stage.server.received() + 500_000);
    }
    browser.until("document.querySelector('.toast.problem')?.textContent.includes('did not work')");
    stage.shows_live();
}

/// With a token the page asks for it once; who may only view is shown nothing that changes anything.
#[test]
fn a_token_is_asked_for_once() {
    let folder = folder();
    let write = |name: &str, token: &str| {
        let path = folder.path().join(name);
        fs::write(&path, token).expect("the test's folder takes files");
        path
    };
    let all = write("token", "correct-horse-battery-staple");
    let view = write("view", "only-looking-0123456789");
    let arguments = [
        "demo",
        "--listen",
        "127.0.0.1:0",
        "--token-file",
        text(&all),
        "--view-token-file",
        text(&view),
    ];
    let mut command = server::command(folder.path(), &arguments);
    let server = Server::spawn(folder.path(), &mut command);
    let stage = Stage::of(server, folder);
    let browser = &stage.browser;
    browser.until("document.querySelector('#token')");
    super::looks::judge(browser, "the question for the token");
    browser.write("#token", "correct-horse-battery-stable");
    browser.press("Enter");
    browser.until("document.querySelector('.toast.problem')");
    browser.write("#token", "only-looking-0123456789");
    browser.click("form .primary");
    stage.shows_live();
    assert_eq!(
        browser.eval("document.cookie"),
        "",
        "scripts cannot read it"
    );
    assert_eq!(
        browser.eval("document.querySelector('#save')"),
        serde_json::Value::Null
    );

    browser.press("?");
    browser.click("dialog .chip");
    browser.until("document.querySelector('#token')");
    // The link that the host can give carries it behind the #, and loses it at once.
    let link = stage.server.url("/#token=correct-horse-battery-staple");
    browser.visit(&link);
    stage.shows_live();
    assert_eq!(browser.eval("location.hash"), "");
    browser.click("[data-last='5']");
    browser.until("document.querySelectorAll('.card').length === 1");
}

/// Two people work at once: each sees what the other does.
#[test]
fn two_operators_at_once() {
    let stage = Stage::new(8.0, &[]);
    let other = Chromium::open(&stage.server.url("/"), super::LAPTOP);
    stage.browser.write("#name", "Mine");
    stage.browser.click("#save");
    other.until("document.querySelector('.card .name')?.textContent === 'Mine'");
    other.click(".poster");
    other.write("#replay-name", "Ours");
    other.press("Tab");
    stage
        .browser
        .until("document.querySelector('.card .name')?.textContent === 'Ours'");
    stage.browser.click("[aria-label='Play Ours on air']");
    other.until("document.querySelector('.deck .pill').textContent === 'On air'");
    stage.browser.click("[aria-label='Delete Ours']");
    other.until("document.querySelectorAll('.card').length === 0");
    other.until("document.querySelector('#badge')?.textContent === 'Live'");
}

/// The server comes back with another token: the page asks for it.
#[test]
fn a_token_is_changed() {
    let folder = folder();
    let address = format!("127.0.0.1:{}", free_port());
    let token = folder.path().join("token");
    let start = |text_of_token: &str| {
        fs::write(&token, text_of_token).expect("the test's folder takes files");
        let arguments = ["demo", "--listen", &address, "--token-file", text(&token)];
        Server::spawn(
            folder.path(),
            &mut server::command(folder.path(), &arguments),
        )
    };
    let mut server = start("the-first-token-0123");
    let browser = Chromium::open(&server.url("/#token=the-first-token-0123"), super::LAPTOP);
    browser.until("document.querySelector('#badge')?.textContent === 'Live'");
    server.signal(Signal::TERM);
    server.wait();
    let _server = start("the-second-token-0123");
    browser.until("document.querySelector('#token')");
    browser.write("#token", "the-second-token-0123");
    browser.press("Enter");
    browser.until("document.querySelector('#badge')?.textContent === 'Live'");
}
