//! What Safari does otherwise, on phones above all, as far as another browser can be made to do so.

use super::{LIVE, Stage};
use crate::support::server::{self, Server};
use crate::support::window::Window;
use crate::support::{card, folder};

/// Who had the sound on comes back to a browser that wants to be asked for it first.
#[test]
fn sound_waits_to_be_asked_for() {
    let stage = changed(
        "if (location.protocol === 'http:') localStorage.setItem('lookback.muted', 'no');
        const {prototype} = HTMLMediaElement;
        const {play} = prototype;
        const muted = Object.getOwnPropertyDescriptor(prototype, 'muted');
        const isAllowed = video => muted.get.call(video) || navigator.userActivation.hasBeenActive;
        prototype.play = function () {
            return isAllowed(this) ? play.call(this) : Promise.reject(new DOMException('', 'NotAllowedError'));
        };
        Object.defineProperty(prototype, 'muted', {...muted, set(isMuted) {
            muted.set.call(this, isMuted);
            if (!isAllowed(this)) this.pause();
        }});",
    );
    let browser = &stage.browser;
    stage.shows_live();
    browser.until("document.querySelector('#sound.off')");
    assert_eq!(browser.eval("localStorage.getItem('lookback.muted')"), "no");
    browser.click("#sound");
    browser.until(&format!("!document.querySelector('{LIVE}').muted"));
    stage.shows_live();
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

/// What phones stop is live no longer, and comes back to live when it goes on.
#[test]
fn a_picture_that_the_browser_stops() {
    let stage = Stage::new(6.0, &[]);
    let browser = &stage.browser;
    let video = format!("document.querySelector('{LIVE}')");
    browser.eval(&format!("{video}.pause()"));
    browser.until("document.querySelector('#badge').textContent.includes('−')");
    browser.until("document.querySelector('#live[aria-pressed=false]')");
    browser.eval(&format!("{video}.play()"));
    stage.shows_live();
}

/// Phones fill the screen with a video alone.
#[test]
fn a_phone_fills_its_screen() {
    let stage = changed(
        "delete Element.prototype.requestFullscreen;
        HTMLVideoElement.prototype.webkitEnterFullscreen = function () {
            window.filled = this.parentElement.localName;
        };",
    );
    stage.shows_live();
    stage.browser.press("f");
    stage.browser.until("window.filled === 'lookback-live'");
}

/// Over a network without encryption there is no clipboard to be asked for.
#[test]
fn a_command_is_copied_without_encryption() {
    let folder = folder();
    let input = folder.path().join("mpeg2.ts");
    card::transcode(&input, 4, "-c:v mpeg2video -q:v 4 -c:a copy");
    let server = Server::having_read(folder.path(), &input, &["--ffmpeg", "none-such"]);
    let script = "Object.defineProperty(navigator, 'clipboard', {value: undefined});
        addEventListener('copy', ({target}) => window.copied = target.value);";
    let stage = Stage::changed_by(script, server, folder);
    let browser = &stage.browser;
    browser.until("document.querySelector('.message .command')");
    browser.click(".command:not([data-open])");
    let line = format!("mpv {}", stage.server.url("/hls/main/index.m3u8"));
    browser.until(&format!("window.copied === '{line}'"));
    assert_eq!(
        browser.eval("document.querySelector('textarea')"),
        serde_json::Value::Null
    );
}

/// `lookback demo`, shown by a browser that a script has changed.
fn changed(script: &str) -> Stage {
    let folder = folder();
    let arguments = ["demo", "--listen", "127.0.0.1:0"];
    let server = Server::spawn(
        folder.path(),
        &mut server::command(folder.path(), &arguments),
    );
    server.wait_for_window(3.0);
    Stage::changed_by(script, server, folder)
}
