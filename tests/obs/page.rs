//! The control page, on what a real OBS records.

use std::fs;

use crate::page::{CLIP, LIVE, Stage, looks};
use crate::support::obs::Obs;
use crate::support::server::Server;
use crate::support::window::Window;
use crate::support::{card, deck, eventually, ffmpeg, folder, free_port, text};

const GAME: &str = "Scene";
const REPLAY: &str = "Replay";

/// The whole walk: live, back, a mark, a replay in slow motion, a download; and a replay on OBS's program and back.
#[test]
fn a_recording_of_obs_is_looked_back_on_and_replayed_on_its_program() {
    let folder = folder();
    let film = folder.path().join("card.ts");
    card::write(&film, 120);
    let url = format!("tcp://127.0.0.1:{}", free_port());
    let mut obs = Obs::recording_to(&url, "mpegts");
    obs.add_looping_file("card", &film);
    obs.add_scene(REPLAY);
    let arguments = ["--input", &url, "--obs", &obs.address()];
    let server = Server::start(folder.path(), &arguments);
    obs.add_media_source_to(REPLAY, "deck", deck::media_source(&server));
    obs.counter("card");
    obs.start_recording();

    let stage = Stage::of(server, folder);
    let Stage {
        browser, server, ..
    } = &stage;
    browser.until("document.querySelector('.pill.obs')?.textContent === 'OBS · records'");
    // One goes back to what was not among the first: when those were recorded is known better as more arrive.
    server.wait_for_window(16.0);
    stage.shows_live();

    let live = stage.shown(LIVE);
    browser.click("#back-10");
    let back = eventually("an earlier picture", || {
        Some(stage.shown(LIVE)).filter(|back| back + 5 * card::FPS < live)
    });
    browser.click("#mark-in");
    let position = "document.querySelector('lookback-timeline').model.position()";
    let marked = browser.eval(position).as_f64().expect("a time");
    browser.until(&format!("{position} > {marked} + 1500"));
    browser.click("#mark-out");
    browser.write("#name", "Goal");
    browser.click("#save");
    browser.until("document.querySelector('.card .name')?.textContent === 'Goal'");
    let goal = stage.replays()[0]["id"].clone();
    stage.open_replay(&goal);
    let first = stage.shown(CLIP);
    assert!(
        (back..live).contains(&first),
        "{first} is of the marked part, from {back} on, before {live}"
    );
    browser.click(".speeds [data-speed='0.25']");
    browser.until("document.querySelector('lookback-clip video').playbackRate === 0.25");
    stage.stand_at(0.5);
    let before = stage.shown(CLIP);
    // Where the machine is small, OBS records some pictures twice and leaves out others: all that are there come in turn.
    let pictures =
        card::counters(&server.url(&format!("/replays/{}.mp4", goal.as_str().expect("an id"))));
    let next = pictures.into_iter().find(|number| *number > before);
    let after = eventually("a later picture", || {
        browser.click("#step-forward");
        browser.until("!document.querySelector('lookback-clip video').seeking");
        Some(stage.shown(CLIP)).filter(|after| *after > before)
    });
    assert_eq!(Some(after), next, "after {before}");
    let downloads = browser.downloads();
    browser.click("#download");
    let file = eventually("the file is there", || {
        let mut files = fs::read_dir(&downloads).ok()?.filter_map(Result::ok);
        let file = files.find(|file| file.path().extension().is_some_and(|end| end == "mp4"))?;
        Some(file.path())
    });
    assert_eq!(ffmpeg::complaints(text(&file)), "");
    seen(&stage, "replay");
    browser.click("#back-to-live");

    let live = stage.shown(LIVE);
    browser.click("#instant");
    obs.until_program(REPLAY);
    let replayed = obs.counter("deck");
    assert!(replayed < live, "{replayed} was before {live}");
    let scene =
        |name: &str| format!("document.querySelector('.pill.obs').title.includes('{name}')");
    browser.until(&scene(REPLAY));
    browser.until("document.querySelector('.deck .pill').textContent === 'On air'");
    browser.until("document.querySelectorAll('.card').length === 2");
    seen(&stage, "instant");
    // The rest of it in no time: the transport of the deck is on the page, and its end leads back.
    browser.click(".deck .line:nth-of-type(3) .chip:last-child");
    obs.until_program(GAME);
    browser.until(&scene(GAME));
    stage.shows_live();

    obs.stop_recording();
    browser.until("document.querySelector('.pill.obs')?.textContent === 'OBS'");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

/// At the widths of a dock, a laptop and a wall, for somebody to look at.
fn seen(Stage { browser, .. }: &Stage, what: &str) {
    for (name, width, height) in [
        ("wall", 3840, 2160),
        ("dock", 300, 900),
        ("laptop", 1280, 800),
    ] {
        browser.resize(width, height);
        browser.until("document.querySelector('video')?.readyState >= 2");
        looks::fits(browser, width);
        browser.picture(&format!("{name}-obs-{what}"));
    }
}
