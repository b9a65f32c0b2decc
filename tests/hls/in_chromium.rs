//! hls.js in Chromium, without the control page around it: what any site would do with the playlist.
//!
//! lookback does not answer pages of other sites, so the player is put onto an empty page of its own.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::support::chromium::Chromium;
use crate::support::http::post;
use crate::support::server::{self, Server};
use crate::support::window::Window;
use crate::support::{card, eventually, ffmpeg, folder};

const VIDEO: &str = "video";

/// A player that plays channel main, and notes what goes wrong.
struct Player(Chromium);

impl Player {
    fn of(server: &Server) -> Self {
        let library = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../web/node_modules/hls.js/dist/hls.min.js");
        let library = fs::read_to_string(&library)
            .unwrap_or_else(|error| panic!("{}: {error}", library.display()));
        let browser = Chromium::open(&server.url("/healthz"), (640, 480));
        browser.until("location.pathname === '/healthz' && document.readyState === 'complete'");
        browser.eval(&format!("{library};0"));
        browser.eval(
            "(() => {
                document.body.innerHTML = '<video></video>';
                window.video = document.querySelector('video');
                window.errors = [];
                window.hls = new Hls({lowLatencyMode: true, enableWorker: false});
                hls.on(Hls.Events.ERROR, (_, {fatal, details}) => { if (fatal) errors.push(details); });
                hls.on(Hls.Events.MANIFEST_PARSED, () => void video.play());
                hls.loadSource('/hls/main/index.m3u8');
                hls.attachMedia(video);
            })()",
        );
        browser.until("video.readyState >= 2");
        Self(browser)
    }

    /// The number of the picture that is shown.
    fn shown(&self) -> u64 {
        eventually("the card is shown", || self.0.counter(VIDEO))
    }

    fn has_no_errors(&self) {
        assert_eq!(self.0.eval("errors"), json!([]));
        assert_eq!(self.0.complaints(), Vec::<String>::new());
    }
}

/// It plays live, and from an earlier run on into the next.
#[test]
fn live_and_back_over_a_seam() {
    let folder = folder();
    let mut command = server::command(folder.path(), &["demo", "--listen", "127.0.0.1:0"]);
    let server = Server::spawn(folder.path(), &mut command);
    server.wait_for_window(5.0);
    for (command, state) in [("pause", "paused"), ("resume", "recording")] {
        let path = format!("/api/v1/channels/main/{command}");
        assert_eq!(server.send(&post(&path, &json!({}))).status, 200);
        server.wait_for("it is so", |channel| channel["state"] == state);
        // What is not recorded in between is long enough for a seam.
        thread::sleep(Duration::from_secs(3));
    }
    eventually("the second run has segments with parts", || {
        let list = server.get("/hls/main/all.m3u8").text();
        let (_, second) = list.split_once("#EXT-X-DISCONTINUITY\n")?;
        second.contains("#EXT-X-PART:").then_some(())
    });
    let player = Player::of(&server);
    let browser = &player.0;
    let live = player.shown();
    eventually("the live picture moves", || {
        (player.shown() > live + 30).then_some(())
    });

    browser.eval(
        "(() => {
            const {fragments} = hls.latestLevelDetails;
            window.seam = fragments.find(({cc}) => cc > fragments[0].cc).start;
            video.currentTime = seam - 1;
        })()",
    );
    browser.until("!video.seeking && video.currentTime < seam");
    let before = player.shown();
    assert!(before < live, "{before} {live}");
    browser.until("video.currentTime > seam + 1");
    let behind = player.shown();
    assert!((before..live + 60).contains(&behind), "{before} {behind}");

    browser.eval("video.currentTime = hls.latestLevelDetails.fragments[0].start + 0.1");
    browser.until("!video.seeking");
    let first = player.shown();
    assert!(first < before, "{first} {before}");
    player.has_no_errors();
}

/// Each track of sound is a rendition, and heard when it is chosen.
#[test]
fn sound_to_choose_from() {
    let folder = folder();
    let server = with_two_tones(folder.path());
    let player = Player::of(&server);
    let browser = &player.0;
    assert_eq!(browser.eval("hls.audioTracks.length"), 2);
    listen(browser, "video");
    browser.until("Math.abs(pitch() - 500) < 50");
    // Sound that is chosen has to have time to be heard.
    browser.eval("(() => { video.currentTime = 1; hls.audioTrack = 1; })()");
    browser.until("Math.abs(pitch() - 2000) < 50");
    player.has_no_errors();
}

/// The control page plays each of them, although pictures and sound come apart.
#[test]
fn the_page_has_sound_to_choose_from() {
    let folder = folder();
    let server = with_two_tones(folder.path());
    let browser = Chromium::open(&server.url("/"), (1280, 800));
    let video = "document.querySelector('lookback-live video')";
    browser.until(&format!("{video}?.readyState >= 2"));
    let names =
        "[...document.querySelectorAll('#sounds option')].map(({textContent}) => textContent)";
    browser.until(&format!("{names}.length === 2"));
    browser.picture("laptop-sounds");
    listen(&browser, video);
    browser.click("#sound");
    browser.press("Home");
    browser.until("Math.abs(pitch() - 500) < 50");
    browser.eval(
        "(() => {
            const sounds = document.querySelector('#sounds');
            sounds.selectedIndex = 1;
            sounds.dispatchEvent(new Event('change'));
        })()",
    );
    browser.press("Home");
    browser.until("Math.abs(pitch() - 2000) < 50");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

/// Has the page tell the pitch of what a video sounds like.
fn listen(browser: &Chromium, video: &str) {
    browser.eval(&format!(
        "(() => {{
            const heard = {video};
            const context = new AudioContext();
            const analyser = context.createAnalyser();
            context.createMediaElementSource(heard).connect(analyser).connect(context.destination);
            window.pitch = () => {{
                const levels = new Float32Array(analyser.frequencyBinCount);
                analyser.getFloatFrequencyData(levels);
                const loudest = levels.indexOf(Math.max(...levels));
                return levels[loudest] > -60 ? loudest * context.sampleRate / analyser.fftSize : 0;
            }};
            heard.loop = true;
            heard.currentTime = 1;
            return context.resume();
        }})()"
    ));
}

/// A server that has the card with two tracks of sound: 500 Hz, and 2000 Hz.
fn with_two_tones(folder: &Path) -> Server {
    let card = folder.join("card.ts");
    card::write(&card, 12);
    let input = folder.join("tones.ts");
    let tone = |hertz| format!("-f lavfi -i sine=frequency={hertz}:sample_rate=48000");
    let arguments = format!(
        "{} {} -map 0:v -map 1:a -map 2:a -c:v copy -c:a aac -t 11 -f mpegts",
        tone(500),
        tone(2000)
    );
    ffmpeg::make(&[&card], &arguments, &input);
    Server::having_read(folder, &input, &[])
}
