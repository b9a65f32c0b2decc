//! What a browser cannot play: a preview moves in its place, or still pictures stand there.

use std::fs;
use std::path::Path;

use rustix::process::{Pid, test_kill_process};
use serde_json::Value;

use super::{CLIP, LIVE, POSITION, Stage};
use crate::support::process::Process;
use crate::support::server::Server;
use crate::support::window::Window;
use crate::support::{card, eventually, ffmpeg, folder, make_fifo, text};

/// How long the recording is; where it is to go on, it begins again.
const SECONDS: u32 = 30;

#[test]
fn hevc_moves_as_a_preview() {
    let x265 = "log-level=error:keyint=30:min-keyint=30:open-gop=0:bframes=0";
    moves_as_a_preview(
        &format!("-c:v libx265 -preset ultrafast -x265-params {x265} -c:a copy"),
        "HEVC (hvc1.",
    );
}

#[test]
fn mpeg2_moves_as_a_preview() {
    moves_as_a_preview(
        "-c:v mpeg2video -q:v 3 -bf 0 -g 15 -c:a mp2 -b:a 192k",
        "MPEG-2 (",
    );
}

fn moves_as_a_preview(encoder: &str, codec: &str) {
    let folder = folder();
    let input = folder.path().join("recording.ts");
    card::transcode(&input, SECONDS, encoder);
    is_watched_live(&input, codec);
    is_looked_back_on(&input);
}

/// What is recorded now moves, and one can go back in it; when the page is closed, nothing goes on.
fn is_watched_live(input: &Path, codec: &str) {
    let folder = folder();
    let fifo = folder.path().join("in.ts");
    make_fifo(&fifo);
    let program = noting(folder.path());
    let arguments = ["--input", text(&fifo), "--ffmpeg", text(&program)];
    let server = Server::start(folder.path(), &arguments);
    let _source = source(input, &fifo, folder.path());
    server.wait_for_window(14.0);
    let stage = Stage::of(server, folder);
    stage.shows_live();
    let browser = &stage.browser;
    browser.click(".why summary");
    browser.until("document.querySelector('.why[open] .command')");
    let why = browser.eval("document.querySelector('.why p').textContent");
    let why = why.as_str().expect("a text");
    assert!(why.contains(codec) && why.contains("full quality"), "{why}");
    browser.picture("laptop-preview");
    super::looks::judge(browser, "a preview");
    browser.click(".why summary");

    let live = stage.shown(LIVE);
    for _ in 0..5 {
        browser.press("ArrowLeft");
    }
    eventually("an earlier picture", || {
        (browser.counter(LIVE)? < live - 30).then_some(())
    });
    browser.press("End");
    stage.shows_live();
    assert_eq!(browser.complaints(), Vec::<String>::new());

    let Stage {
        browser,
        server,
        folder,
    } = stage;
    drop(browser);
    eventually("nothing is made for nobody", || {
        let runs = |pid: &Pid| test_kill_process(*pid).is_ok();
        (!pids(folder.path()).iter().any(runs)).then_some(())
    });
    let made = pids(folder.path()).len();
    server.wait_for_bytes(server.received() + 300_000);
    assert_eq!(pids(folder.path()).len(), made);
    assert_eq!(server.channel()["discarded_bytes"], 0);
}

/// Writes a recording into a FIFO in step with the clock, again and again.
fn source(input: &Path, fifo: &Path, folder: &Path) -> Process {
    let mut source = ffmpeg::ffmpeg();
    source.args(["-re", "-stream_loop", "-1", "-i", text(input)]);
    source.args(["-map", "0", "-c", "copy", "-f", "mpegts", text(fifo)]);
    let name = fifo.file_name().and_then(|name| name.to_str());
    Process::start(name.expect("a name"), folder, &mut source)
}

/// Wherever one goes, the picture is that of the moment.
fn is_looked_back_on(input: &Path) {
    let folder = folder();
    let server = Server::having_read(folder.path(), input, &[]);
    let stage = Stage::of(server, folder);
    let browser = &stage.browser;
    stage.shown(LIVE);
    browser.press("k");
    browser.until(&format!("document.querySelector('{LIVE}').paused"));
    // The window has all of the recording, whose first picture is number 0.
    let agrees = |what: &str| {
        let number = format!(
            "({POSITION} - document.querySelector('lookback-timeline').model.window().from) * 0.03"
        );
        eventually(format!("{what}: the picture is that of the moment"), || {
            let shown = browser.counter(LIVE)?;
            let number = browser.eval(&number).as_f64().expect("a place");
            ((shown as f64 - number).abs() <= 1.5).then_some(shown)
        })
    };
    let here = agrees("where it stands");
    for _ in 0..5 {
        browser.press("ArrowLeft");
    }
    eventually("five seconds earlier", || {
        (browser.counter(LIVE)?.abs_diff(here - 150) <= 1).then_some(())
    });
    let back = agrees("five seconds earlier");
    browser.press(".");
    eventually("the next picture", || {
        (browser.counter(LIVE)? == back + 1).then_some(())
    });
    browser.press("Home");
    eventually("the beginning", || {
        (browser.counter(LIVE)? < 60).then_some(())
    });
    agrees("at the beginning");
    watches_a_replay(&stage);
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

/// It is scrubbed, stepped through, and played slowly.
fn watches_a_replay(stage: &Stage) {
    let replay = stage.keep(&serde_json::json!({"last": "6s", "name": "Goal"}));
    stage.open_replay(&replay["id"]);
    let browser = &stage.browser;
    browser.until("document.querySelector('.why summary')?.textContent === 'Preview'");
    stage.stand_at(0.01);
    let first = stage.shown(CLIP);
    let mut there = first;
    for (place, number) in [(4.01, first + 120), (1.51, first + 45)] {
        stage.stand_at(place);
        there = eventually("the picture of that place", || {
            let shown = browser.counter(CLIP)?;
            (shown.abs_diff(number) <= 1).then_some(shown)
        });
    }
    browser.click("#step-forward");
    eventually("the next picture", || {
        (browser.counter(CLIP)? == there + 1).then_some(())
    });
    browser.click(".speeds [data-speed='0.25']");
    browser.until(&format!(
        "document.querySelector('{CLIP}').playbackRate === 0.25"
    ));
    eventually("it plays on", || {
        (browser.counter(CLIP)? > first + 50).then_some(())
    });
    browser.picture("laptop-preview-replay");
}

/// One ffmpeg at a time makes the previews of all channels that are watched: each of them goes on.
#[test]
fn two_previews_beside_each_other() {
    let folder = folder();
    let input = folder.path().join("mpeg2.ts");
    card::transcode(
        &input,
        SECONDS,
        "-c:v mpeg2video -q:v 3 -bf 0 -g 15 -c:a copy",
    );
    let fifos = ["wide", "close"].map(|name| {
        let fifo = folder.path().join(name);
        make_fifo(&fifo);
        fifo
    });
    let inputs =
        ["wide", "close"].map(|name| format!("{name}={}", text(&folder.path().join(name))));
    let arguments = ["--input", &inputs[0], "--input", &inputs[1]];
    let server = Server::start(folder.path(), &arguments);
    let _sources = fifos.map(|fifo| source(&input, &fifo, folder.path()));
    server.wait_for_window(10.0);
    let stage = Stage::of(server, folder);
    let browser = &stage.browser;
    browser.until("document.querySelectorAll('.channel').length === 3");
    browser.click(".channel:last-child");
    let videos = [1, 2].map(|number| format!(".tile:nth-of-type({number}) video"));
    let first = videos.each_ref().map(|video| stage.shown(video));
    for (video, first) in videos.iter().zip(first) {
        eventually("ten seconds later", || {
            // The recording begins again and again.
            let pictures = u64::from(SECONDS) * 30;
            let further = (browser.counter(video)? + pictures - first) % pictures;
            (300..600).contains(&further).then_some(())
        });
    }
    browser.picture("laptop-previews");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

/// An ffmpeg that notes each child of its own, but for questions of what it has.
fn noting(folder: &Path) -> std::path::PathBuf {
    let place = text(folder);
    let script = format!(
        "case \"$*\" in *-encoders*) ;; *) echo $$ >>{place}/pids;; esac\nexec ffmpeg \"$@\""
    );
    ffmpeg::script(folder, &script)
}

fn pids(folder: &Path) -> Vec<Pid> {
    let pids = fs::read_to_string(folder.join("pids")).unwrap_or_default();
    let pids = pids.lines().map(|pid| pid.parse().expect("a number"));
    pids.map(|pid| Pid::from_raw(pid).expect("an id")).collect()
}

/// A browser that cannot play what is recorded says so where there is no preview either, and
/// with what it can be watched; all the rest works.
#[test]
fn pictures_that_the_browser_cannot_play() {
    let folder = folder();
    let input = folder.path().join("mpeg2.ts");
    card::transcode(&input, 8, "-c:v mpeg2video -q:v 4 -c:a copy");
    let script =
        "case \"$*\" in *-encoders*) ffmpeg \"$@\" | grep -v 264;; *) exec ffmpeg \"$@\";; esac";
    let program = ffmpeg::script(folder.path(), script);
    let server = Server::having_read(folder.path(), &input, &["--ffmpeg", text(&program)]);
    let stage = Stage::of(server, folder);
    let browser = &stage.browser;
    browser.until("document.querySelector('.message .command')");
    let command = browser.eval("document.querySelector('.command code').textContent");
    let address = stage.server.url("/hls/main/index.m3u8");
    assert_eq!(command, format!("mpv {address}"));
    let still = "document.querySelector('lookback-live img')";
    browser.until(&format!("{still}.naturalWidth > 0"));
    browser.picture("laptop-unplayable");
    let downloads = browser.downloads();
    browser.click("[data-open]");
    eventually("a file opens it in a player", || {
        let list = fs::read_to_string(downloads.join("main.m3u")).ok()?;
        list.ends_with(&format!("\n{address}\n")).then_some(())
    });
    browser.click(".why summary");
    browser.until("!document.querySelector('.why[open]')");
    browser.press("k");
    browser.press("Home");
    let time = format!("new URL({still}.src).pathname.match(/(\\d+)\\.jpg/)[1]");
    browser.until(&format!(
        "Math.abs({time} - {POSITION}) < 500 && {still}.complete"
    ));
    browser.press("i");
    browser.press("ArrowRight");
    browser.press("ArrowRight");
    browser.press("ArrowRight");
    browser.press("o");
    browser.until("document.querySelector('#marked').textContent === '3.0 s marked'");
    browser.click("#save");
    browser.until("document.querySelectorAll('.card').length === 1");
    browser.click("[aria-label='Last 5 s on deck main']");
    browser.until("document.querySelector('.deck .pill').textContent === 'On air'");
    browser.click(".poster");
    browser.until("document.querySelector('.message strong')?.textContent === 'This browser cannot play this replay'");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

/// Where a token is wanted, the command for a player says where it goes.
#[test]
fn a_player_needs_the_token() {
    const TOKEN: &str = "correct-horse-battery-staple";
    let folder = folder();
    let input = folder.path().join("mpeg2.ts");
    card::transcode(&input, 4, "-c:v mpeg2video -q:v 4 -c:a copy");
    let token = folder.path().join("token");
    fs::write(&token, TOKEN).expect("the test's folder takes files");
    let arguments = ["--input", text(&input), "--token-file", text(&token)];
    let server = Server::start(folder.path(), &arguments);
    let page = server.url(&format!("/#token={TOKEN}"));
    let stage = Stage::at(&page, server, folder);
    let browser = &stage.browser;
    browser.until("document.querySelector('.message .command')");
    let command = browser.eval("document.querySelector('.command code').textContent");
    let path = "/hls/main/index.m3u8?token=";
    assert_eq!(command, format!("mpv \"{}TOKEN\"", stage.server.url(path)));
    assert_eq!(stage.server.get(&format!("{path}{TOKEN}")).status, 200);
    assert_eq!(
        browser.eval("document.querySelector('[data-open]')"),
        Value::Null
    );
}

/// In a browser without Media Source Extensions and without HLS of its own live pictures stand still, and replays move.
#[test]
fn a_browser_that_plays_files_alone() {
    let script = "delete window.MediaSource; delete window.ManagedMediaSource; delete window.WebKitMediaSource;
        const can = HTMLMediaElement.prototype.canPlayType;
        HTMLMediaElement.prototype.canPlayType = function (type) {
            return /mpegurl/i.test(type) ? '' : can.call(this, type);
        };";
    let stage = without(script);
    let browser = &stage.browser;
    browser.until("document.querySelector('.message strong')?.textContent === 'This browser cannot play live video'");
    let still = "document.querySelector('lookback-live img')";
    browser.until(&format!("{still}.naturalWidth > 0 && !{still}.hidden"));
    browser.picture("laptop-without-mse");
    let first = browser.eval(&format!("{still}.src"));
    browser.until(&format!("{still}.src !== {first}"));
    browser.click("[data-last='5']");
    browser.until("document.querySelectorAll('.card').length === 1");
    browser.click(".poster");
    let before = stage.shown(CLIP);
    eventually("the replay moves", || {
        (browser.counter(CLIP)? > before + 5).then_some(())
    });
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

/// A browser that plays HLS by itself needs no Media Source Extensions.
#[test]
fn a_browser_that_plays_hls_by_itself() {
    let script = "delete window.MediaSource; delete window.ManagedMediaSource; delete window.WebKitMediaSource;";
    let stage = without(script);
    stage.shows_live();
    assert_eq!(stage.browser.complaints(), Vec::<String>::new());
}

fn without(script: &str) -> Stage {
    let folder = folder();
    let mut command =
        crate::support::server::command(folder.path(), &["demo", "--listen", "127.0.0.1:0"]);
    let server = Server::spawn(folder.path(), &mut command);
    server.wait_for_window(6.0);
    Stage::changed_by(script, server, folder)
}
