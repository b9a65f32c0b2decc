//! What is told on the WebSocket, held against `docs/reference/events.json`, which the page is held against as well.

use std::collections::BTreeMap;

use super::*;
use crate::http::events::Told;
use crate::library::Template;

const EXAMPLES: &str = include_str!("../../../../../docs/reference/events.json");

/// The examples by their type; of replays by what happened to them as well.
fn examples() -> BTreeMap<String, Value> {
    let examples: Vec<Value> = serde_json::from_str(EXAMPLES).expect("JSON");
    let named = examples
        .into_iter()
        .map(|example| (kind(&example), example));
    named.collect()
}

fn kind(message: &Value) -> String {
    let word = |key: &str| message[key].as_str().unwrap_or_default().to_owned();
    match word("type").as_str() {
        "replay" => format!("replay {}", word("change")),
        kind => kind.to_owned(),
    }
}

/// Panics where a message has another form than its example. What is `null` or empty in either may be anything in the
/// other, but a key is there or not.
#[track_caller]
fn assert_like(message: &Value, example: &Value, at: &str) {
    match (message, example) {
        (Value::Object(message), Value::Object(example)) => {
            let keys = |object: &serde_json::Map<String, Value>| -> Vec<String> {
                object.keys().cloned().collect()
            };
            if at.ends_with(".parameters") {
                return;
            }
            assert_eq!(keys(message), keys(example), "{at}");
            for (key, value) in message {
                assert_like(value, &example[key], &format!("{at}.{key}"));
            }
        }
        (Value::Array(entries), Value::Array(examples)) => {
            for entry in entries {
                if let Some(example) = examples.first() {
                    assert_like(entry, example, &format!("{at}[]"));
                }
            }
        }
        (Value::Null, _) | (_, Value::Null) => {}
        (message, example) => {
            let kinds = [message, example].map(|value| match value {
                Value::Number(_) => "number",
                Value::String(_) => "text",
                Value::Bool(_) => "flag",
                _ => "structure",
            });
            assert_eq!(kinds[0], kinds[1], "{at}: {message} is not like {example}");
        }
    }
}

/// All that can be told in one story: a replay is kept, changed, exported, played to its end, and deleted.
#[tokio::test]
async fn every_message_is_like_its_example() {
    let folder = tempfile::tempdir().expect("a folder");
    let template: Template = "{name}".parse().expect("a template");
    let library = Library::open(folder.path(), template).expect("a folder");
    let guard = Guard::new(Vec::new(), true, None);
    let server = with_jobs(guard, "no-such-ffmpeg", Some(library));
    let channel = server.recorder.channel("main").expect("just added");
    record(&channel, &video(2.0), clock::now());

    let mut told = Told::nothing(&server.app);
    let mut messages = told.news(&server.app, false);
    assert_eq!(kind(&messages[0]), "snapshot", "what is there comes first");
    let replay = server
        .post("/api/v1/replays", &json!({"name": "Goal"}))
        .await;
    let replay = json_of(replay).await;
    messages.extend(told.news(&server.app, false));
    let path = format!("/api/v1/replays/{}", replay["id"].as_str().expect("an id"));
    server.post(&format!("{path}/duplicate"), &json!({})).await;
    let patch = Request::builder()
        .method("PATCH")
        .uri(&path)
        .header("content-type", "application/json");
    server
        .send(patch, json!({"name": "Foul"}).to_string().into())
        .await;
    messages.extend(told.news(&server.app, true));
    let job = server.post(&format!("{path}/export"), &json!({})).await;
    let job = json_of(job).await;
    messages.extend(told.news(&server.app, false));
    let load = json!({"replay": replay["id"], "speed": 4, "then": "hold"});
    server.post("/api/v1/decks/main/load", &load).await;
    let job = server.over(&job).await;
    let mut changes = server.app.decks.changes();
    loop {
        messages.extend(told.news(&server.app, false));
        if messages.iter().any(|message| kind(message) == "ended") {
            break;
        }
        changes.changed().await.expect("decks live on");
    }
    server.ask("DELETE", &path, &[]).await;
    let job = format!("/api/v1/jobs/{}", job["id"].as_str().expect("an id"));
    server.ask("DELETE", &job, &[]).await;
    messages.extend(told.news(&server.app, false));
    // Whoever comes now is told of all of it at once.
    messages.extend(Told::nothing(&server.app).news(&server.app, false));

    let mut examples = examples();
    for message in &messages {
        let kind = kind(message);
        let example = examples
            .get(&kind)
            .unwrap_or_else(|| panic!("no example of {message}"));
        assert_like(message, example, &kind);
    }
    // Memory never runs short here, and there is no OBS.
    let others = ["lost", "obs"].map(|kind| examples.remove(kind).expect("an example"));
    let mut obs = json!(ObsStatus::from(server.app.obs.state()));
    obs["type"] = "obs".into();
    assert_like(&obs, &others[1], "obs");
    examples.retain(|name, _| !messages.iter().any(|message| kind(message) == *name));
    assert!(examples.is_empty(), "never told: {examples:?}");
}

#[tokio::test]
async fn what_is_recorded_is_told_when_it_is_due_and_has_changed() {
    let server = server();
    let mut told = Told::nothing(&server.app);
    assert_eq!(kind(&told.news(&server.app, false)[0]), "snapshot");
    assert!(
        told.news(&server.app, true).is_empty(),
        "nothing has changed"
    );
    let channel = server.recorder.channel("main").expect("just added");
    record(&channel, &video(2.0), clock::now());
    assert!(told.news(&server.app, false).is_empty(), "not due");
    let news = told.news(&server.app, true);
    assert_eq!(news.len(), 1);
    assert_eq!(news[0]["type"], "status");
    assert!(news[0]["channels"][0]["window"]["duration_s"].as_f64() > Some(1.0));
}

#[tokio::test]
async fn the_timeline_is_told_in_parts() {
    let server = server();
    let ask = async |query: &str| {
        let path = format!("/api/v1/channels/main/timeline{query}");
        json_of(server.get(&path).await).await
    };
    assert_eq!(ask("").await, json!({"first": null, "segments": []}));
    let channel = server.recorder.channel("main").expect("just added");
    record(&channel, &video(8.0), clock::now());
    let all = ask("").await;
    let segments = all["segments"].as_array().expect("a list");
    assert!(segments.len() >= 3, "{all}");
    assert_eq!(all["first"], segments[0]["number"]);
    for segment in segments {
        assert!(segment["duration_s"].as_f64() > Some(0.0), "{segment}");
        assert!(segment["bytes"].as_u64() > Some(0), "{segment}");
    }
    let rest = ask(&format!("?after={}", segments[1]["number"])).await;
    assert_eq!(
        rest["segments"].as_array().map(Vec::as_slice),
        Some(&segments[2..])
    );
    assert_eq!(
        problem_of(server.get("/api/v1/channels/x/timeline").await)
            .await
            .0,
        404
    );
}
