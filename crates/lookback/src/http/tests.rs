//! The routes as clients see them, over a recorder that is fed in memory.

use axum::body::{Body, Bytes};
use axum::http::{Request, Response};
use http_body_util::BodyExt;
use lookback_mpegts::{PACKET_LEN, SYNC_BYTE};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tower::ServiceExt;

use super::*;
use crate::clock;
use crate::settings::Name;
use crate::testing::{record, recorder, video};

struct Server {
    router: Router,
    recorder: Arc<Recorder>,
    _tasks: JoinSet<()>,
}

/// A server with a channel `main`, in which nothing is recorded.
fn server() -> Server {
    guarded(Guard::new(Vec::new(), true, None))
}

/// One in which two seconds are recorded.
fn recorded() -> Server {
    let server = server();
    let channel = server.recorder.channel("main").expect("just added");
    record(&channel, &video(2.0), clock::now());
    server
}

fn guarded(guard: Guard) -> Server {
    let recorder = recorder();
    recorder.add_channel("main");
    let (decks, playing) = Decks::new(&[Name::main()], &recorder);
    let mut tasks = JoinSet::new();
    for deck in playing {
        tasks.spawn(deck);
    }
    let app = App::new(
        Arc::clone(&recorder),
        decks,
        "play.ts".to_owned(),
        Arc::default(),
    );
    Server {
        router: router(Arc::new(app), guard),
        recorder,
        _tasks: tasks,
    }
}

impl Server {
    async fn send(&self, request: axum::http::request::Builder, body: Body) -> Response<Body> {
        let request = request
            .header("host", "127.0.0.1")
            .body(body)
            .expect("a request");
        self.router
            .clone()
            .oneshot(request)
            .await
            .expect("it never fails")
    }

    async fn ask(&self, method: &str, uri: &str, headers: &[(&str, &str)]) -> Response<Body> {
        let request = Request::builder().method(method).uri(uri);
        let request = headers.iter().fold(request, |request, (name, value)| {
            request.header(*name, *value)
        });
        self.send(request, Body::empty()).await
    }

    async fn get(&self, uri: &str) -> Response<Body> {
        self.ask("GET", uri, &[]).await
    }

    async fn range(&self, uri: &str, range: &str) -> Response<Body> {
        self.ask("GET", uri, &[("range", range)]).await
    }

    async fn post(&self, uri: &str, body: &Value) -> Response<Body> {
        let request = Request::builder()
            .method("POST")
            .uri(uri)
            .header("content-type", "application/json")
            .header("content-length", body.to_string().len());
        self.send(request, body.to_string().into()).await
    }

    /// The URL of a clip of everything.
    async fn clip(&self) -> String {
        let response = self.post("/api/v1/clips", &json!({})).await;
        json_of(response).await["url"]
            .as_str()
            .expect("a text")
            .to_owned()
    }
}

fn header<'a>(response: &'a Response<Body>, name: &str) -> Option<&'a str> {
    response
        .headers()
        .get(name)
        .map(|value| value.to_str().expect("text"))
}

async fn bytes_of(response: Response<Body>) -> Bytes {
    response
        .into_body()
        .collect()
        .await
        .expect("a whole body")
        .to_bytes()
}

async fn json_of(response: Response<Body>) -> Value {
    serde_json::from_slice(&bytes_of(response).await).expect("JSON")
}

/// Status and code of a problem.
async fn problem_of(response: Response<Body>) -> (u16, String) {
    assert_eq!(
        header(&response, "content-type"),
        Some("application/problem+json")
    );
    let status = response.status().as_u16();
    let body = json_of(response).await;
    assert_eq!(body["status"], status);
    (status, body["code"].as_str().expect("a text").to_owned())
}

fn is_transport_stream(bytes: &[u8]) -> bool {
    !bytes.is_empty()
        && bytes.len().is_multiple_of(PACKET_LEN)
        && bytes
            .chunks(PACKET_LEN)
            .all(|packet| packet[0] == SYNC_BYTE)
}

#[tokio::test]
async fn video_without_a_range_is_answered_at_once() {
    let server = recorded();
    let response = server.get("/video").await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(header(&response, "content-type"), Some("video/mp2t"));
    assert_eq!(header(&response, "accept-ranges"), Some("bytes"));
    assert_eq!(header(&response, "cache-control"), Some("no-store"));
    assert_eq!(header(&response, "lookback-runs-left-out"), Some("0"));
    assert!(header(&response, "etag").is_some_and(|tag| tag.starts_with('"')));
    let len: usize = header(&response, "content-length")
        .expect("a length")
        .parse()
        .expect("a number");
    let bytes = bytes_of(response).await;
    assert_eq!(bytes.len(), len);
    assert!(is_transport_stream(&bytes));
}

#[tokio::test]
async fn video_with_a_range_leads_to_a_clip() {
    let server = recorded();
    let response = server.range("/video?last=1s", "bytes=0-").await;
    assert_eq!(response.status(), StatusCode::TEMPORARY_REDIRECT);
    assert_eq!(
        header(&response, "cache-control"),
        Some("s-maxage=86400, max-age=0")
    );
    assert_eq!(header(&response, "lookback-runs-left-out"), Some("0"));
    let location = header(&response, "location").expect("a place").to_owned();
    assert!(
        location.starts_with("/clips/") && location.ends_with(".ts"),
        "{location}"
    );

    let response = server.range(&location, "bytes=0-").await;
    assert_eq!(response.status(), StatusCode::PARTIAL_CONTENT);
    let whole = bytes_of(server.get(&location).await).await;
    let expected = format!("bytes 0-{}/{}", whole.len() - 1, whole.len());
    assert_eq!(header(&response, "content-range"), Some(expected.as_str()));
    assert_eq!(bytes_of(response).await, whole);
}

#[tokio::test]
async fn parts_of_a_clip_make_up_the_whole() {
    let server = recorded();
    let url = server.clip().await;
    let whole = bytes_of(server.get(&url).await).await;
    let mut parts = Vec::new();
    for start in (0..whole.len()).step_by(10_007) {
        let end = (start + 10_006).min(whole.len() - 1);
        let response = server
            .range(&url, &format!("bytes={start}-{}", start + 10_006))
            .await;
        let range = format!("bytes {start}-{end}/{}", whole.len());
        assert_eq!(header(&response, "content-range"), Some(range.as_str()));
        parts.extend(bytes_of(response).await);
    }
    assert!(parts == whole);
    let tail = bytes_of(server.range(&url, "bytes=-188").await).await;
    assert_eq!(tail, whole[whole.len() - 188..]);
}

#[tokio::test]
async fn a_clip_is_the_same_for_ever() {
    let server = recorded();
    let url = server.clip().await;
    let response = server.get(&url).await;
    let tag = header(&response, "etag").expect("a tag").to_owned();
    let cache = header(&response, "cache-control").expect("it may be kept");
    assert!(cache.contains("immutable"), "{cache}");
    let before = bytes_of(response).await;
    record(
        &server.recorder.channel("main").expect("there"),
        &video(2.0),
        clock::now(),
    );
    assert_eq!(bytes_of(server.get(&url).await).await, before);

    let part = ("range", "bytes=0-9");
    let same = server.ask("GET", &url, &[part, ("if-range", &tag)]).await;
    assert_eq!(same.status(), StatusCode::PARTIAL_CONTENT);
    let other = server
        .ask("GET", &url, &[part, ("if-range", "\"other\"")])
        .await;
    assert_eq!(other.status(), StatusCode::OK);
    assert_eq!(bytes_of(other).await, before);
    let known = server.ask("GET", &url, &[("if-none-match", &tag)]).await;
    assert_eq!(known.status(), StatusCode::NOT_MODIFIED);
    assert!(bytes_of(known).await.is_empty());
}

#[tokio::test]
async fn ranges_that_cannot_be_given() {
    let server = recorded();
    let url = server.clip().await;
    let whole = bytes_of(server.get(&url).await).await;
    let behind = server.range(&url, &format!("bytes={}-", whole.len())).await;
    let range = format!("bytes */{}", whole.len());
    assert_eq!(header(&behind, "content-range"), Some(range.as_str()));
    assert_eq!(
        problem_of(behind).await,
        (416, "range_not_satisfiable".to_owned())
    );
    for odd in ["bytes=0-1,5-6", "seconds=0-1", "bytes=9-3"] {
        let response = server.range(&url, odd).await;
        assert_eq!(response.status(), StatusCode::OK, "{odd}");
        assert_eq!(bytes_of(response).await, whole);
    }
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let server = recorded();
    let url = server.clip().await;
    for headers in [&[][..], &[("range", "bytes=5-9")]] {
        let get = server.ask("GET", &url, headers).await;
        let head = server.ask("HEAD", &url, headers).await;
        assert_eq!(head.status(), get.status());
        for name in [
            "content-length",
            "content-range",
            "etag",
            "accept-ranges",
            "content-type",
        ] {
            assert_eq!(header(&head, name), header(&get, name), "{name}");
        }
        assert!(bytes_of(head).await.is_empty());
    }
}

#[tokio::test]
async fn the_token_in_a_url_is_passed_on_with_the_redirect() {
    let token = "0123456789abcdef";
    let server = guarded(Guard::new(
        Vec::new(),
        false,
        Some(token.parse().expect("a token")),
    ));
    record(
        &server.recorder.channel("main").expect("there"),
        &video(1.0),
        clock::now(),
    );
    let response = server
        .range(&format!("/video?last=1s&token={token}"), "bytes=0-")
        .await;
    let location = header(&response, "location").expect("a place").to_owned();
    assert!(
        location.ends_with(&format!(".ts?token={token}")),
        "{location}"
    );
    assert_eq!(server.get(&location).await.status(), StatusCode::OK);
    let bare = location.split('?').next().expect("a path");
    assert_eq!(
        problem_of(server.get(bare).await).await,
        (401, "token_required".to_owned())
    );
}

#[tokio::test]
async fn requests_that_cannot_be_met_say_why() {
    let empty = server();
    let nothing = empty.get("/video").await;
    assert_eq!(header(&nothing, "retry-after"), Some("1"));
    assert_eq!(
        problem_of(nothing).await,
        (503, "nothing_recorded".to_owned())
    );
    let server = recorded();
    for (uri, status, code) in [
        ("/video?channel=other", 404, "unknown_channel"),
        ("/video?lats=30s", 400, "bad_request"),
        ("/video?last=30", 400, "bad_request"),
        ("/video?from=-10s&to=-20s", 422, "empty_span"),
        ("/video?from=-2h&to=-1h", 422, "outside_window"),
        ("/clips/0000.ts", 404, "unknown_clip"),
        ("/clips/0000.mp4", 404, "unknown_clip"),
        ("/live/other.ts", 404, "unknown_channel"),
        ("/nothing", 404, "not_found"),
        ("/api/v1/clips", 405, "method_not_allowed"),
    ] {
        assert_eq!(
            problem_of(server.get(uri).await).await,
            (status, code.to_owned()),
            "{uri}"
        );
    }
    let foreign = server
        .ask("GET", "/nothing", &[("origin", "http://evil.example")])
        .await;
    assert_eq!(problem_of(foreign).await, (403, "bad_origin".to_owned()));
}

#[tokio::test]
async fn wrong_input_is_named_in_the_answer() {
    let server = server();
    let channel = server.recorder.channel("main").expect("there");
    let matroska = [&[0x1a, 0x45, 0xdf, 0xa3][..], &[0; 4096]].concat();
    record(&channel, &matroska, clock::now());
    let body = json_of(server.get("/video").await).await;
    assert_eq!(body["input"], "not_mpegts");
    assert!(
        body["detail"]
            .as_str()
            .is_some_and(|detail| detail.contains("Matroska")),
        "{body}"
    );
}

#[tokio::test]
async fn live_follows_without_end() {
    let server = recorded();
    let channel = server.recorder.channel("main").expect("there");
    let response = server.range("/live/main.ts", "bytes=0-").await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(header(&response, "cache-control"), Some("no-store"));
    assert_eq!(header(&response, "content-length"), None);
    assert_eq!(header(&response, "accept-ranges"), None);
    let mut body = response.into_body();
    let first = body
        .frame()
        .await
        .expect("no end")
        .expect("no error")
        .into_data()
        .expect("data");
    assert!(is_transport_stream(&first));
    assert_eq!(&first[1..3], [0x40, 0x00], "the tables come first");
    // What is recorded from now on comes too.
    record(&channel, &video(2.0), clock::now());
    let next = body
        .frame()
        .await
        .expect("no end")
        .expect("no error")
        .into_data()
        .expect("data");
    assert!(is_transport_stream(&next));
}

#[tokio::test]
async fn play_answers_at_once_and_only_to_get() {
    let server = recorded();
    let response = server.get("/play?last=1s").await;
    assert_eq!(response.status(), StatusCode::OK);
    let body = json_of(response).await;
    assert_eq!(body["channel"], "main");
    assert!(body["duration_s"].as_f64() >= Some(1.0), "{body}");
    assert!(body["play_to"].is_string());
    assert_eq!(
        server.ask("HEAD", "/play", &[]).await.status(),
        StatusCode::METHOD_NOT_ALLOWED
    );
}

#[tokio::test]
async fn a_clip_made_by_a_program() {
    let server = recorded();
    let response = server
        .post("/api/v1/clips", &json!({"channel": "main", "last": "1s"}))
        .await;
    assert_eq!(response.status(), StatusCode::CREATED);
    let location = header(&response, "location").expect("a place").to_owned();
    let clip = json_of(response).await;
    assert_eq!(clip["url"], location);
    assert_eq!(
        location,
        format!("/clips/{}.ts", clip["id"].as_str().expect("a text"))
    );
    assert_eq!(
        (&clip["runs"], &clip["runs_left_out"]),
        (&json!(1), &json!(0))
    );
    let duration = clip["duration_s"].as_f64().expect("a number");
    assert!((1.0..=1.5).contains(&duration), "{duration}");
    assert!(clip["start"].as_str() < clip["end"].as_str());
    let bytes = bytes_of(server.get(&location).await).await;
    assert_eq!(clip["bytes"], bytes.len());

    for (body, status) in [
        (json!({"lats": "1s"}), 400),
        (json!({"last": 30}), 400),
        (json!([]), 400),
        (json!({"channel": "other"}), 404),
        (json!({"last": "1s", "from": "-1s"}), 400),
    ] {
        assert_eq!(
            problem_of(server.post("/api/v1/clips", &body).await)
                .await
                .0,
            status,
            "{body}"
        );
    }
    let large = json!({"channel": "x".repeat(BODY_MAX)});
    assert_eq!(
        problem_of(server.post("/api/v1/clips", &large).await)
            .await
            .0,
        413
    );
}

#[tokio::test]
async fn status_has_the_keys_that_others_rely_on() {
    let server = recorded();
    let status = json_of(server.get("/api/v1/status").await).await;
    let keys = |value: &Value| -> Vec<String> {
        value
            .as_object()
            .expect("an object")
            .keys()
            .cloned()
            .collect()
    };
    assert_eq!(keys(&status), ["channels", "decks", "memory", "version"]);
    assert_eq!(
        keys(&status["memory"]),
        ["held_bytes", "index_bytes", "limit_bytes", "used_bytes"]
    );
    let channel = &status["channels"][0];
    assert_eq!(
        keys(channel),
        [
            "audio",
            "discarded_bytes",
            "name",
            "problems",
            "received_bytes",
            "runs",
            "source",
            "state",
            "video",
            "window"
        ]
    );
    assert_eq!(channel["state"], "waiting");
    assert_eq!(channel["received_bytes"], video(2.0).len());
    assert_eq!(
        keys(&channel["window"]),
        ["bytes", "duration_s", "end", "start"]
    );
    assert_eq!(keys(&channel["video"]), ["codec", "fps", "height", "width"]);
    assert_eq!(channel["video"]["width"], 320);
    assert_eq!(
        keys(&channel["audio"][0]),
        ["channels", "codec", "sample_rate"]
    );
    let deck = json!({"name": "main", "state": "idle", "position_s": 0.0, "duration_s": 0.0, "speed": 1.0,
                      "item": 0, "items": 0});
    assert_eq!(status["decks"], json!([deck]));
    assert_eq!(
        json_of(server.get("/api/v1/channels").await).await,
        status["channels"]
    );
}

#[tokio::test]
async fn channels_are_paused_resumed_and_cleared() {
    let server = recorded();
    let channel = server.recorder.channel("main").expect("there");
    let _source = channel.connect("test", clock::now()).expect("free");
    for (command, state) in [("pause", "paused"), ("resume", "recording")] {
        let response = server
            .post(&format!("/api/v1/channels/main/{command}"), &json!({}))
            .await;
        assert_eq!(json_of(response).await["state"], state);
    }
    let cleared = server.post("/api/v1/channels/main/clear", &json!({})).await;
    assert_eq!(json_of(cleared).await["window"], Value::Null);
    let unknown = server
        .post("/api/v1/channels/main/explode", &json!({}))
        .await;
    assert_eq!(problem_of(unknown).await.0, 404);
    let without_body = server.ask("POST", "/api/v1/channels/main/pause", &[]).await;
    assert_eq!(without_body.status(), StatusCode::OK);
}

#[tokio::test]
async fn health_metrics_and_the_page() {
    let server = recorded();
    assert_eq!(json_of(server.get("/healthz").await).await["status"], "ok");
    let metrics = bytes_of(server.get("/metrics").await).await;
    let metrics = std::str::from_utf8(&metrics).expect("text");
    let received = format!(
        "lookback_received_bytes_total{{channel=\"main\"}} {}",
        video(2.0).len()
    );
    assert!(metrics.lines().any(|line| line == received), "{metrics}");
    for line in metrics.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').expect("a name and a value");
        assert!(value.parse::<f64>().is_ok(), "{line}");
        let name = name.split('{').next().expect("a name");
        assert!(metrics.contains(&format!("# TYPE {name} ")), "{name}");
    }
    let page = server.get("/").await;
    assert_eq!(
        header(&page, "cross-origin-resource-policy"),
        Some("same-origin")
    );
    assert!(bytes_of(page).await.starts_with(b"<!doctype html>"));
}

/// Status and body of a command to deck main.
async fn deck(server: &Server, command: &str, body: &Value) -> Value {
    let response = server
        .post(&format!("/api/v1/decks/main/{command}"), body)
        .await;
    assert_eq!(response.status(), StatusCode::OK, "{command} {body}");
    json_of(response).await
}

#[tokio::test(start_paused = true)]
async fn a_deck_answers_commands_with_its_state() {
    let server = recorded();
    let clip = json_of(server.post("/api/v1/clips", &json!({})).await).await;
    let loaded = deck(&server, "load", &json!({"clip": clip["id"], "speed": 0.5})).await;
    assert_eq!(loaded["name"], "main");
    assert_eq!(
        (&loaded["state"], &loaded["speed"]),
        (&json!("playing"), &json!(0.5))
    );
    assert_eq!((&loaded["item"], &loaded["items"]), (&json!(0), &json!(1)));
    assert_eq!(loaded["duration_s"], clip["duration_s"]);
    assert_eq!(deck(&server, "pause", &json!({})).await["state"], "paused");
    let sought = deck(&server, "seek", &json!({"to_s": 1.5})).await;
    assert_eq!(sought["position_s"], 1.5);
    assert!(sought["clamped"].is_null(), "{sought}");
    let back = deck(&server, "seek", &json!({"by_s": -100})).await;
    assert_eq!(
        (&back["position_s"], &back["clamped"]),
        (&json!(0.0), &json!(true))
    );
    let stepped = deck(&server, "step", &json!({"frames": 2})).await;
    let position = stepped["position_s"].as_f64().expect("a number");
    assert!((position - 2.0 / 30.0).abs() < 0.001, "{stepped}");
    assert_eq!(
        deck(&server, "speed", &json!({"speed": -4})).await["speed"],
        -4.0
    );
    assert_eq!(deck(&server, "play", &json!({})).await["state"], "playing");
    let listed = json_of(server.get("/api/v1/decks").await).await;
    assert_eq!(listed[0]["state"], "playing");
    assert_eq!(deck(&server, "stop", &json!({})).await["state"], "idle");
    let status = json_of(server.get("/api/v1/status").await).await;
    assert_eq!(status["decks"][0]["state"], "idle");
}

#[tokio::test(start_paused = true)]
async fn a_deck_takes_a_list_and_what_is_not_to_be_played_at_once() {
    let server = recorded();
    let list = json!({"list": [{"last": "1s", "speed": 2}, {"channel": "main"}], "play": false,
                      "then": "next", "speed": 0.25});
    let loaded = deck(&server, "load", &list).await;
    assert_eq!(
        (&loaded["state"], &loaded["items"]),
        (&json!("paused"), &json!(2))
    );
    assert_eq!(loaded["speed"], 2.0);
    let [to_in, to_out] = ["in", "out"].map(|to| json!({ "to": to }));
    assert!(deck(&server, "seek", &to_out).await["position_s"].as_f64() > Some(0.9));
    assert_eq!(deck(&server, "seek", &to_in).await["position_s"], 0.0);
}

#[tokio::test]
async fn mistakes_with_decks_have_their_codes() {
    let server = recorded();
    for (path, body, status, code) in [
        ("main/play", json!({}), 409, "nothing_loaded"),
        ("main/seek", json!({"to_s": 1}), 409, "nothing_loaded"),
        ("other/play", json!({}), 404, "unknown_deck"),
        ("main/eject", json!({}), 404, "not_found"),
        ("main/speed", json!({"speed": 0}), 422, "bad_speed"),
        ("main/speed", json!({"speed": "NaN"}), 422, "bad_speed"),
        ("main/speed", json!({"speed": null}), 422, "bad_speed"),
        ("main/speed", json!({"speed": 99}), 422, "bad_speed"),
        ("main/speed", json!({}), 400, "bad_request"),
        ("main/step", json!({"frames": 0}), 422, "bad_step"),
        ("main/step", json!({"frames": -100_000}), 422, "bad_step"),
        ("main/seek", json!({}), 400, "bad_request"),
        (
            "main/seek",
            json!({"to_s": 1, "by_s": 1}),
            400,
            "bad_request",
        ),
        ("main/seek", json!({"to": "live"}), 422, "not_available"),
        ("main/play", json!({"fast": true}), 400, "bad_request"),
        ("main/load", json!({"replay": "x"}), 422, "not_available"),
        ("main/load", json!({"then": "live"}), 422, "not_available"),
        ("main/load", json!({"then": "explode"}), 400, "bad_request"),
        ("main/load", json!({"clip": "x"}), 404, "unknown_clip"),
        (
            "main/load",
            json!({"clip": "x", "last": "1s"}),
            400,
            "bad_request",
        ),
        ("main/load", json!({"channel": "x"}), 404, "unknown_channel"),
        ("main/load", json!({"speed": 0}), 422, "bad_speed"),
        ("main/load", json!({"list": []}), 422, "bad_list"),
        (
            "main/load",
            json!({"list": [{}], "last": "1s"}),
            400,
            "bad_request",
        ),
        (
            "main/load",
            json!({"from": "-2h", "to": "-1h"}),
            422,
            "outside_window",
        ),
    ] {
        let response = server.post(&format!("/api/v1/decks/{path}"), &body).await;
        assert_eq!(
            problem_of(response).await,
            (status, code.to_owned()),
            "{path} {body}"
        );
    }
    for path in ["/decks/other.ts", "/decks/main", "/decks/main.mp4"] {
        let problem = problem_of(server.get(path).await).await;
        assert_eq!(problem, (404, "unknown_deck".to_owned()), "{path}");
    }
    let problem = problem_of(server.get("/api/v1/events").await).await;
    assert_eq!(problem, (426, "not_a_websocket".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_feed_begins_at_once_and_has_no_end() {
    let server = recorded();
    let response = server.range("/decks/main.ts", "bytes=100-").await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(header(&response, "content-type"), Some("video/mp2t"));
    assert_eq!(header(&response, "cache-control"), Some("no-store"));
    assert_eq!(header(&response, "content-length"), None);
    let mut body = response.into_body();
    let mut next = async || {
        let frame = body.frame().await.expect("no end").expect("no error");
        frame.into_data().expect("data")
    };
    assert!(is_transport_stream(&next().await));
    // Nothing plays, and yet it goes on.
    assert!(is_transport_stream(&next().await));
    deck(&server, "load", &json!({})).await;
    let mut pictures = next().await;
    while pictures.len() < 10 * PACKET_LEN {
        pictures = next().await;
    }
    assert!(is_transport_stream(&pictures));
    let head = server.ask("HEAD", "/decks/main.ts", &[]).await;
    assert_eq!(head.status(), StatusCode::OK);
}
