//! Instant replays without an OBS: what is left of them.

use super::*;

async fn instant(server: &Server, body: Value) -> Value {
    let answer = server.post("/api/v1/obs/replay", &body).await;
    assert_eq!(answer.status(), 200, "{body}");
    json_of(answer).await
}

fn codes(answer: &Value) -> Vec<&str> {
    let problems = answer["problems"].as_array().expect("a list").iter();
    problems
        .map(|problem| problem["code"].as_str().expect("a text"))
        .collect()
}

#[tokio::test]
async fn without_obs_it_is_kept_and_played_all_the_same() {
    let server = recorded();
    let answer = instant(&server, json!({"last": "1s", "name": "goal"})).await;
    assert_eq!(codes(&answer), ["obs_off"]);
    assert_eq!(answer["switched"], false);
    assert_eq!(answer["replay"]["name"], "goal");
    assert_eq!(server.shelf.look().all().len(), 1);
    let deck = &answer["deck"];
    assert_eq!(
        (&deck["state"], &deck["speed"]),
        (&"playing".into(), &0.5.into())
    );
    // Asked for in so many words, it is the same.
    let answer = instant(&server, json!({"last": "1s", "switch": true})).await;
    assert_eq!(codes(&answer), ["obs_off"]);
    assert_eq!(answer["deck"]["state"], "playing");
}

#[tokio::test]
async fn what_is_switched_off_is_no_problem() {
    let server = recorded();
    let body = json!({"last": "1s", "save": false, "switch": false, "speed": 2.0});
    let answer = instant(&server, body).await;
    assert!(codes(&answer).is_empty(), "{answer}");
    assert_eq!(answer["replay"], Value::Null);
    assert!(server.shelf.look().all().is_empty());
    let deck = &answer["deck"];
    assert_eq!(
        (&deck["state"], &deck["speed"]),
        (&"playing".into(), &2.0.into())
    );
}

/// A moment on air does not wait for somebody to delete replays.
#[tokio::test]
async fn where_there_is_no_room_it_is_played_and_not_kept() {
    let policy = Policy {
        keep_live: Some(Duration::from_secs(3600)),
        ..Policy::default()
    };
    let server = with_policy(policy);
    let channel = server.recorder.channel("main").expect("it is there");
    record(&channel, &video(2.0), clock::now());
    let refused = server.post("/api/v1/replays", &json!({"last": "1s"})).await;
    assert_eq!(problem_of(refused).await, (507, "memory_full".to_owned()));
    let answer = instant(&server, json!({"last": "1s"})).await;
    assert_eq!(codes(&answer), ["memory_full", "obs_off"]);
    assert_eq!(answer["replay"], Value::Null);
    assert_eq!(answer["deck"]["state"], "playing");
}

#[tokio::test]
async fn mistakes_have_their_codes() {
    let server = recorded();
    for (body, status, code) in [
        (json!({"speed": 0.0}), 422, "bad_speed"),
        (json!({"deck": "b"}), 404, "unknown_deck"),
        (json!({"channel": "b"}), 404, "unknown_channel"),
        (json!({"name": "x".repeat(500)}), 422, "bad_name"),
        (json!({"lats": "8s"}), 400, "bad_request"),
    ] {
        let answer = server.post("/api/v1/obs/replay", &body).await;
        assert_eq!(
            problem_of(answer).await,
            (status, code.to_owned()),
            "{body}"
        );
    }
    let empty = self::server();
    let answer = empty.post("/api/v1/obs/replay", &json!({})).await;
    assert_eq!(
        problem_of(answer).await,
        (503, "nothing_recorded".to_owned())
    );
}
