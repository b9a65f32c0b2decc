//! The JSON API, health and metrics, and how errors are told.

use super::*;

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
async fn the_document_is_sent_once() {
    let server = server();
    let uri = "/api/v1/openapi.yaml";
    let first = server.get(uri).await;
    assert_eq!(first.status(), StatusCode::OK);
    assert_eq!(header(&first, "content-type"), Some("application/yaml"));
    let tag = header(&first, "etag").expect("a tag").to_owned();
    assert!(bytes_of(first).await.starts_with(b"openapi: 3.1"));
    let again = server.ask("GET", uri, &[("if-none-match", &tag)]).await;
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    assert!(bytes_of(again).await.is_empty());
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
    assert_eq!(
        keys(&status),
        ["channels", "decks", "inputs", "memory", "obs", "version"]
    );
    assert_eq!(
        status["obs"],
        json!({"state": "off", "version": null, "recording": false, "streaming": false, "scene": null,
               "studio_mode": false, "problems": []})
    );
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
                      "item": 0, "items": 0, "live": false});
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
