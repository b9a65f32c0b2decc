//! Posters show the picture that was asked for.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::http::{get, patch, post};
use crate::support::server::{self, Server};
use crate::support::{card, ffmpeg, folder, text};

const SECONDS: u32 = 4;

/// The number of the picture at a URL.
fn picture(server: &Server, folder: &Path, url: &str) -> u64 {
    let answer = server.get(url);
    assert_eq!(answer.status, 200, "{url}");
    assert_eq!(answer.header("content-type"), Some("image/jpeg"));
    let file = folder.join("poster.jpg");
    fs::write(&file, answer.bytes()).expect("the test's folder takes files");
    let counters = card::counters(text(&file));
    assert_eq!(counters.len(), 1, "{url}");
    counters[0]
}

fn string<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().expect("a text")
}

/// Or the next one, where the moment lies between two: of pictures that are coded in the order of showing, and of
/// those that are not.
#[test]
fn the_picture_that_was_asked_for() {
    let b_frames = "-c:v libx264 -preset veryfast -bf 3 -g 60 -b:v 2M";
    for video in ["-c:v copy", b_frames] {
        let folder = folder();
        let input = folder.path().join("recording.ts");
        card::encode(&input, SECONDS, video);
        let server = Server::start(folder.path(), &["--input", text(&input)]);
        server.wait_for_window(f64::from(SECONDS) - 0.5);
        let clip = server.clip(&json!({}));
        let url = string(&clip, "url").replace(".ts", ".jpg");
        let all = card::counters(&server.url(string(&clip, "url")));
        let seconds = |picture: f64| picture / card::FPS as f64;
        let length = clip["duration_s"].as_f64().expect("a number");
        for (at_s, wanted) in [
            (0.0, 0),
            (seconds(1.0), 1),
            (seconds(44.5), 45),
            (seconds(59.0), 59),
            (seconds(60.0), 60),
            (seconds(101.5), 102),
            (length, all.len() - 1),
        ] {
            let shown = picture(&server, folder.path(), &format!("{url}?at_s={at_s}"));
            assert_eq!(shown, all[wanted], "at {at_s} s of {video}");
        }
        assert_eq!(picture(&server, folder.path(), &url), all[0]);
    }
}

/// A replay shows its first picture, or the one that was chosen.
#[test]
fn a_replay_has_the_one_that_was_chosen() {
    let folder = folder();
    let input = folder.path().join("recording.ts");
    card::write(&input, SECONDS);
    let server = Server::start(folder.path(), &["--input", text(&input)]);
    server.wait_for_window(f64::from(SECONDS) - 0.5);
    let all = card::counters(&server.url("/video"));
    let replay = server.send(&post("/api/v1/replays", &json!({}))).json();
    let (id, place) = (string(&replay, "id"), |seconds: u64| {
        all[(seconds * card::FPS) as usize]
    });
    let url = format!("/replays/{id}.jpg");
    assert_eq!(picture(&server, folder.path(), &url), place(0));
    let tag = server.get(&url).header("etag").expect("a tag").to_owned();
    let again = server.send(&get(&url).header("If-None-Match", &tag));
    assert_eq!(again.status, 304);

    let edit = |body: &Value| {
        let answer = server.send(&patch(&format!("/api/v1/replays/{id}"), body));
        assert_eq!(answer.status, 200);
    };
    edit(&json!({"in_s": 1.0}));
    assert_eq!(picture(&server, folder.path(), &url), place(1));
    edit(&json!({"poster_s": 3.0}));
    assert_eq!(picture(&server, folder.path(), &url), place(3));
    let again = server.send(&get(&url).header("If-None-Match", &tag));
    assert_eq!(again.status, 200, "it is another picture");
    let angle = format!("{url}?channel=main");
    assert_eq!(picture(&server, folder.path(), &angle), place(3));
}

/// The picture of the demo is larger than a page shows.
#[test]
fn a_poster_is_small() {
    let folder = folder();
    let arguments = ["demo", "--listen", "127.0.0.1:0"];
    let mut demo = server::command(folder.path(), &arguments);
    let server = Server::spawn(folder.path(), &mut demo);
    server.wait_for_window(1.0);
    let clip = server.clip(&json!({}));
    let file = folder.path().join("poster.jpg");
    let url = string(&clip, "url").replace(".ts", ".jpg");
    fs::write(&file, server.get(&url).bytes()).expect("the test's folder takes files");
    let probe = ffmpeg::probe(text(&file), "-show_streams");
    assert_eq!(
        (
            &probe["streams"][0]["width"],
            &probe["streams"][0]["height"]
        ),
        (&json!(640), &json!(360))
    );
}
