//! Decks: commands, mistakes, and the feed.

use std::time::Duration;

use super::*;

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

#[tokio::test(start_paused = true)]
async fn a_deck_goes_live() {
    let server = recorded();
    let live = json!({"channel": "main", "live": true, "delay": "1s"});
    let loaded = deck(&server, "load", &live).await;
    assert_eq!(
        (&loaded["state"], &loaded["live"]),
        (&json!("playing"), &json!(true))
    );
    let back = deck(&server, "seek", &json!({"by_s": -0.5})).await;
    assert_eq!(back["live"], false);
    assert_eq!(
        deck(&server, "seek", &json!({"to": "live"})).await["live"],
        true
    );
    let replay = deck(&server, "load", &json!({"last": "1s", "then": "live"})).await;
    assert_eq!(replay["live"], false);
    tokio::time::sleep(Duration::from_secs(3)).await;
    let listed = json_of(server.get("/api/v1/decks").await).await;
    assert_eq!(
        (&listed[0]["state"], &listed[0]["live"]),
        (&json!("playing"), &json!(true))
    );
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
        ("main/seek", json!({"to": "live"}), 409, "nothing_loaded"),
        ("main/play", json!({"fast": true}), 400, "bad_request"),
        ("main/load", json!({"replay": "x"}), 404, "unknown_replay"),
        (
            "main/load",
            json!({"live": true, "last": "1s"}),
            400,
            "bad_request",
        ),
        ("main/load", json!({"delay": "1s"}), 400, "bad_request"),
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
