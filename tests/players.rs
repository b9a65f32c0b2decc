//! mpv and ffmpeg open what was recorded, know its length and seek in it.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use crate::support::card::{self, FPS};
use crate::support::cut::assert_contiguous;
use crate::support::ffmpeg;
use crate::support::mpv::Mpv;
use crate::support::server::Server;
use crate::support::{folder, text};

const SECONDS: u32 = 60;

#[test]
fn mpv_seeks_anywhere_in_video() {
    let (folder, server) = a_minute();
    let mut mpv = Mpv::open(folder.path(), &server.url("/video"));
    assert_close(mpv.duration(), f64::from(SECONDS));
    for seconds in [55.0, 3.0, 30.5, 0.0, 41.0] {
        mpv.seek(seconds);
        let position = mpv.position();
        assert!(
            (seconds - 0.5..seconds + 3.0).contains(&position),
            "{position} for {seconds}"
        );
    }
    assert_eq!(mpv.complaints(), "");
}

#[test]
fn mpv_shows_the_length_of_a_part() {
    let (folder, server) = a_minute();
    let mut mpv = Mpv::open(folder.path(), &server.url("/video?last=20s"));
    assert_close(mpv.duration(), 20.0);
}

#[test]
fn ffprobe_knows_the_length() {
    let (_folder, server) = a_minute();
    assert_close(ffmpeg::duration(&server.url("/video")), f64::from(SECONDS));
}

/// A seek of libavformat over HTTP finds the picture that it finds in a file.
#[test]
fn ffmpeg_seeks_to_the_picture() {
    let (folder, server) = a_minute();
    let local = folder.path().join("local.ts");
    fs::write(&local, server.get("/video").bytes()).expect("the test's folder takes files");
    for seconds in ["0.5", "17.25", "48.1"] {
        let over_http = seek_to(&server.url("/video"), seconds, folder.path());
        assert_eq!(
            over_http,
            seek_to(text(&local), seconds, folder.path()),
            "at {seconds}"
        );
        assert_contiguous(&over_http);
    }
}

/// The numbers of ten pictures from a time on.
fn seek_to(media: &str, seconds: &str, folder: &Path) -> Vec<u64> {
    let cut = folder.join("seek.nut");
    // Raw pictures, so that nothing but the seek decides.
    let mut command = ffmpeg::ffmpeg();
    command.args([
        "-ss",
        seconds,
        "-i",
        media,
        "-map",
        "0:v",
        "-frames:v",
        "10",
    ]);
    let made = command
        .args(["-c:v", "rawvideo", "-pix_fmt", "gray"])
        .arg(&cut)
        .status();
    assert!(
        made.is_ok_and(|status| status.success()),
        "{media} at {seconds}"
    );
    card::counters(text(&cut))
}

/// A server that has recorded a minute of the card.
fn a_minute() -> (TempDir, Server) {
    let folder = folder();
    let input = folder.path().join("recording.ts");
    card::write(&input, SECONDS);
    let server = Server::start(folder.path(), &["--input", text(&input)]);
    server.wait_for("the minute is read", |channel| {
        channel["state"] == "waiting"
            && channel["window"]["duration_s"].as_f64() > Some(f64::from(SECONDS) - 1.0)
    });
    (folder, server)
}

fn assert_close(seconds: f64, wanted: f64) {
    // The newest seconds begin on a keyframe, half a second before at most.
    let slack = 0.6 + 1.0 / FPS as f64;
    assert!(
        (seconds - wanted).abs() < slack,
        "{seconds} s and not {wanted} s"
    );
}
