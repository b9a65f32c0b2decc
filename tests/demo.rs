//! `lookback demo` runs the main job with nothing else installed.

use rustix::process::Signal;

use crate::support::card::FPS;
use crate::support::cut::Cut;
use crate::support::process::output_of;
use crate::support::server::{self, Server};
use crate::support::{ffmpeg, folder};

fn demo(folder: &std::path::Path) -> Server {
    Server::spawn(
        folder,
        &mut server::command(folder, &["demo", "--listen", "127.0.0.1:0"]),
    )
}

#[test]
fn it_records_itself_and_gives_clips() {
    let folder = folder();
    let server = demo(folder.path());
    server.wait_for_window(4.0);
    let file = folder.path().join("demo.ts");
    std::fs::write(&file, server.get("/video").bytes()).expect("the test's folder takes files");
    let cut = Cut::judge(&file);
    assert_eq!(cut.codecs, ["h264", "aac"]);
    assert_eq!(cut.first(), 0);
    assert!(cut.last() + 1 >= 4 * FPS, "{}", cut.last());
}

/// A clip stays what it was while the recording goes on.
#[test]
fn a_clip_does_not_change() {
    let folder = folder();
    let server = demo(folder.path());
    server.wait_for_window(2.0);
    let clip = server.clip(&serde_json::json!({}));
    let url = clip["url"].as_str().expect("the clip's URL");
    let before = server.get(url).bytes();
    server.wait_for_window(4.0);
    assert_eq!(server.get(url).bytes(), before);
}

/// The live edge begins with a keyframe, at once, and goes on without a gap.
#[test]
fn live_follows_the_edge() {
    let folder = folder();
    let server = demo(folder.path());
    server.wait_for_window(3.0);
    let live = server.get("/live/main.ts");
    assert_eq!((live.status, live.content_length()), (200, None));
    assert_eq!(live.header("cache-control"), Some("no-store"));
    // As a player reads it: with a range, which is ignored.
    let file = folder.path().join("live.ts");
    let mut command = ffmpeg::ffmpeg();
    command.args([
        "-i",
        &server.url("/live/main.ts"),
        "-map",
        "0",
        "-c",
        "copy",
        "-t",
        "2",
    ]);
    output_of(command.arg(&file));
    let cut = Cut::judge_copy(&file);
    assert!(
        cut.first() > FPS,
        "it does not begin at the beginning: {}",
        cut.first()
    );
    assert!(cut.counters.len() as u64 > FPS, "{}", cut.counters.len());
}

#[test]
fn it_ends_when_told() {
    let folder = folder();
    let mut server = demo(folder.path());
    server.wait_for_window(1.0);
    server.signal(Signal::INT);
    assert!(server.wait().success());
}
