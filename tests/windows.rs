//! The Windows program under Wine, fed and read through named pipes by a Windows ffmpeg.

use std::fs;
use std::path::Path;

use lookback_testcard::read_counter;
use serde_json::json;

use crate::support::card;
use crate::support::cut::{Cut, assert_contiguous};
use crate::support::http::get;
use crate::support::process::Process;
use crate::support::server::Server;
use crate::support::wine::Wine;
use crate::support::{eventually, folder, text};

const INPUT: &str = r"\\.\pipe\obs_piping_to_buffer";
const PLAY: &str = r"\\.\pipe\piping_to_media_source";
const SECONDS: u32 = 10;

#[test]
fn it_records_from_a_pipe_and_plays_into_another() {
    let (folder, wine) = (folder(), Wine::start());
    // Without a word on where to read and write: the pipes are the defaults of Windows.
    let mut command = wine.lookback();
    command
        .args(["--listen", "127.0.0.1:0"])
        .current_dir(folder.path());
    let server = Server::spawn(folder.path(), &mut command);

    card::write(&folder.path().join("card.ts"), SECONDS);
    feed(&wine, folder.path());
    let channel = server.wait_for("the source has left", |channel| {
        channel["state"] == "waiting" && channel["runs"] == 1
    });
    assert_eq!(channel["discarded_bytes"], 0);
    let cut = folder.path().join("video.ts");
    fs::write(&cut, server.get("/video").bytes()).expect("the test's folder takes files");
    let whole = Cut::judge(&cut);
    assert_eq!(whole.counters.len() as u64, u64::from(SECONDS) * card::FPS);

    // The same pipe takes the next source.
    feed(&wine, folder.path());
    server.wait_for("the second has left", |channel| {
        channel["state"] == "waiting" && channel["runs"] == 2
    });
    plays(&wine, &server, folder.path());
}

/// What a reader of the other pipe sees is the newest seconds. The pipe does not end behind them, so it leaves
/// a little before; and as there are fewer seconds than ffmpeg looks at before it begins, it is told to look at
/// less.
fn plays(wine: &Wine, server: &Server, folder: &Path) {
    let answer = server.get("/play?last=3s");
    assert_eq!(answer.status, 200);
    let seconds = answer.json()["duration_s"].as_f64().expect("a duration") - 0.5;
    let mut command = wine.ffmpeg();
    command
        .current_dir(folder)
        .args(["-analyzeduration", "1000000"])
        .args(["-i", PLAY, "-map", "0:v", "-t", &seconds.to_string()])
        .args(["-fps_mode", "passthrough", "-pix_fmt", "gray"])
        .args(["-f", "rawvideo", "played.gray"]);
    let mut reader = Process::start("reader", folder, &mut command);
    assert!(reader.wait().success(), "{}", reader.log());
    let played = fs::read(folder.join("played.gray")).expect("ffmpeg has written it");
    let pictures = played.chunks_exact(card::WIDTH * card::HEIGHT);
    let number = |luma| read_counter(luma, card::WIDTH, card::HEIGHT).expect("a test card");
    let played: Vec<u64> = pictures.map(number).collect();
    assert_contiguous(&played);
    assert!((66..105).contains(&played.len()), "{}", played.len());
    let last = played[played.len() - 1];
    assert!(last + card::FPS >= u64::from(SECONDS) * card::FPS, "{last}");
}

/// A seek in the window, as a player on Windows does it.
#[test]
fn its_clips_answer_ranges() {
    let (folder, wine) = (folder(), Wine::start());
    card::write(&folder.path().join("card.ts"), SECONDS);
    let mut command = wine.lookback();
    command
        .args(["--listen", "127.0.0.1:0", "--input", INPUT])
        .current_dir(folder.path());
    let server = Server::spawn(folder.path(), &mut command);
    feed(&wine, folder.path());
    server.wait_for_window(9.0);
    let clip = server.clip(&json!({"last": "5s"}));
    let url = clip["url"].as_str().expect("the clip's URL");
    let whole = server.get(url).bytes();
    let part = server.send(&get(url).header("Range", "bytes=1880-3759"));
    assert_eq!(part.status, 206);
    assert_eq!(part.bytes(), whole[1880..3760]);
}

/// Writes the card into the input pipe, as OBS would.
fn feed(wine: &Wine, folder: &Path) {
    let mut command = wine.ffmpeg();
    command
        .current_dir(folder)
        .args(["-i", "card.ts", "-map", "0", "-c", "copy"]);
    command.args(["-f", "mpegts", INPUT]);
    let mut writer = Process::start("writer", folder, &mut command);
    let status = eventually("the writer is done", || writer.exit_status());
    assert!(status.success(), "{}: {}", text(folder), writer.log());
}
