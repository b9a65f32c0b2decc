//! A media source plays what a replay is as a file: its MP4, and what a preset makes of it.

use std::ops::Range;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::card::{self, FPS};
use crate::support::http::{patch, post};
use crate::support::obs::{Expected, Obs, Verdict};
use crate::support::server::Server;
use crate::support::{eventually, folder};

/// The pictures that are seen; the first is no keyframe.
const SEEN: Range<u64> = 57..157;

/// At the end of any file OBS leaves out pictures that it has decoded in advance.
const LEFT_OUT: usize = 2;

#[test]
fn it_shows_a_replay_and_a_conversion_of_it() {
    let folder = folder();
    let input = folder.path().join("card.ts");
    card::write(&input, 8);
    let server = Server::having_read(folder.path(), &input, &[]);
    let replay = server.send(&post("/api/v1/replays", &json!({}))).json();
    let place = format!("/api/v1/replays/{}", string(&replay["id"]));
    let seconds = |picture: u64| picture as f64 / FPS as f64;
    let trim = json!({"in_s": seconds(SEEN.start), "out_s": seconds(SEEN.end)});
    assert_eq!(server.send(&patch(&place, &trim)).status, 200);
    let converted = converted(&server, &place);

    let mut obs = Obs::playing();
    let file = string(&replay["url"]).replace(".ts", ".mp4");
    plays(&mut obs, "replay", &server.url(&file));
    plays(&mut obs, "converted", &server.url(&converted));
}

/// Where the result of a preset is.
fn converted(server: &Server, place: &str) -> String {
    let convert = post(&format!("{place}/convert"), &json!({"preset": "720p"}));
    let job = server.send(&convert).json();
    let job = format!("/api/v1/jobs/{}", string(&job["id"]));
    eventually("it is converted", || {
        let job = server.get(&job).json();
        assert_eq!(job["error"], Value::Null, "{job}");
        job["result"]["url"].as_str().map(str::to_owned)
    })
}

/// Each picture that belongs to it is on in its turn, and no other ever is.
fn plays(obs: &mut Obs, source: &str, url: &str) {
    let settings = json!({"is_local_file": false, "input": url, "reconnect_delay_sec": 60});
    obs.add_media_source(source, settings);
    obs.counter(source);
    let eye = obs.watch(source);
    let again = Instant::now();
    let action = "OBS_WEBSOCKET_MEDIA_INPUT_ACTION_RESTART";
    let restart = json!({"inputName": source, "mediaAction": action});
    obs.request("TriggerMediaInputAction", restart);
    let numbers: Vec<u64> = SEEN.collect();
    let expected = Expected {
        numbers: &numbers,
        frame: Duration::from_nanos(1_000_000_000 / FPS),
        under_way: FPS,
    };
    let story = eye.story(again);
    let verdict = eventually(format_args!("{source} shows all: {story}"), || {
        let verdict = Verdict::of(again, &eye.since(again), &expected)?;
        (verdict.reached + LEFT_OUT >= numbers.len()).then_some(verdict)
    });
    let seen = eye.since(again);
    let strange = seen.iter().filter_map(|shown| shown.number);
    let strange: Vec<u64> = strange.filter(|number| !SEEN.contains(number)).collect();
    assert!(strange.is_empty(), "{source} shows {strange:?}: {story}");
    assert!(verdict.lost <= numbers.len() / 8, "{verdict}: {story}");
}

fn string(value: &Value) -> &str {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value} is no text"))
}
