//! Replays: kept, found, changed, watched, and let go.

use super::*;
use crate::http::events::KnownReplays;

/// A replay that is made so.
async fn save(server: &Server, body: Value) -> Value {
    let response = server.post("/api/v1/replays", &body).await;
    assert_eq!(response.status(), StatusCode::CREATED, "{body}");
    let location = header(&response, "location").expect("a place").to_owned();
    let replay = json_of(response).await;
    assert_eq!(
        location,
        format!("/api/v1/replays/{}", text_of(&replay, "id"))
    );
    assert_eq!(
        json_of(server.get(&location).await).await["id"],
        replay["id"]
    );
    replay
}

async fn patch(server: &Server, replay: &Value, body: &Value) -> Response<Body> {
    let uri = format!("/api/v1/replays/{}", text_of(replay, "id"));
    let request = Request::builder()
        .method("PATCH")
        .uri(uri)
        .header("content-type", "application/json")
        .header("content-length", body.to_string().len());
    server.send(request, body.to_string().into()).await
}

async fn delete(server: &Server, replay: &Value) -> Response<Body> {
    let uri = format!("/api/v1/replays/{}", text_of(replay, "id"));
    server.ask("DELETE", &uri, &[]).await
}

fn text_of<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key]
        .as_str()
        .unwrap_or_else(|| panic!("no {key} in {value}"))
}

fn number_of(value: &Value, key: &str) -> f64 {
    value[key]
        .as_f64()
        .unwrap_or_else(|| panic!("no {key} in {value}"))
}

/// What a list of them has, by name.
async fn names(server: &Server, query: &str) -> Vec<String> {
    let list = json_of(server.get(&format!("/api/v1/replays{query}")).await).await;
    let list = list.as_array().expect("a list");
    list.iter()
        .map(|replay| text_of(replay, "name").to_owned())
        .collect()
}

#[tokio::test]
async fn a_replay_is_kept_and_served_like_a_clip() {
    let server = recorded();
    let replay = save(
        &server,
        json!({"last": "1200ms", "name": "Goal", "tags": ["red"]}),
    )
    .await;
    assert_eq!(
        (&replay["name"], &replay["tags"]),
        (&json!("Goal"), &json!(["red"]))
    );
    assert_eq!(
        (&replay["locked"], &replay["growing"]),
        (&json!(false), &json!(false))
    );
    assert_eq!(
        (&replay["speed"], &replay["channel"]),
        (&json!(1.0), &json!("main"))
    );
    assert!(
        (number_of(&replay, "duration_s") - 1.2).abs() < 0.001,
        "{replay}"
    );
    let trimmed = number_of(&replay, "out_s") - number_of(&replay, "in_s");
    assert!(
        (trimmed - 1.2).abs() < 0.001 && replay["in_s"] == replay["poster_s"],
        "{replay}"
    );
    assert!(number_of(&replay, "length_s") >= number_of(&replay, "out_s"));
    assert_eq!(
        (&replay["runs"], &replay["runs_left_out"]),
        (&json!(1), &json!(0))
    );
    assert!(replay["start"].as_str() < replay["end"].as_str());

    let url = text_of(&replay, "url");
    assert_eq!(url, format!("/replays/{}.ts", text_of(&replay, "id")));
    let whole = server.get(url).await;
    let tag = header(&whole, "etag").expect("a tag").to_owned();
    assert_eq!(header(&whole, "content-type"), Some("video/mp2t"));
    assert_eq!(header(&whole, "cache-control"), Some("private, no-cache"));
    let name = header(&whole, "content-disposition")
        .expect("a name")
        .to_owned();
    assert!(name.starts_with("inline; filename=\"Goal-2"), "{name}");
    let bytes = bytes_of(whole).await;
    assert!(is_transport_stream(&bytes));
    assert_eq!(replay["bytes"], bytes.len());
    let part = server.range(url, "bytes=188-375").await;
    assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(bytes_of(part).await, bytes[188..376]);
    let known = server.ask("GET", url, &[("if-none-match", &tag)]).await;
    assert_eq!(known.status(), StatusCode::NOT_MODIFIED);
    let angle = &replay["angles"][0];
    assert_eq!(
        bytes_of(server.get(text_of(angle, "url")).await).await,
        bytes
    );
    assert_eq!(server.ask("HEAD", url, &[]).await.status(), StatusCode::OK);

    let mp4 = server.get(&url.replace(".ts", ".mp4")).await;
    assert_eq!(header(&mp4, "content-type"), Some("video/mp4"));
    let mp4_tag = header(&mp4, "etag").expect("a tag").to_owned();
    assert!(mp4_tag != tag, "{mp4_tag}");

    // Another trim is another thing.
    let trim = json!({"in_s": 1.0, "out_s": 1.2});
    let cut = json_of(patch(&server, &replay, &trim).await).await;
    assert!((number_of(&cut, "duration_s") - 0.2).abs() < 0.001, "{cut}");
    let again = server.ask("GET", url, &[("if-none-match", &tag)]).await;
    assert_eq!(again.status(), StatusCode::OK);
    let shorter = bytes_of(again).await;
    let mp4 = server.get(&url.replace(".ts", ".mp4")).await;
    assert_ne!(header(&mp4, "etag"), Some(&*mp4_tag));
    assert!(shorter.len() < bytes.len() && cut["bytes"] == shorter.len());

    assert_eq!(
        delete(&server, &replay).await.status(),
        StatusCode::NO_CONTENT
    );
    let gone = (404, "unknown_replay".to_owned());
    assert_eq!(problem_of(server.get(url).await).await, gone);
    assert_eq!(problem_of(delete(&server, &replay).await).await, gone);
}

#[tokio::test]
async fn replays_are_found_by_name_tag_channel_and_time() {
    let server = recorded();
    assert_eq!(names(&server, "").await, [""; 0]);
    save(
        &server,
        json!({"name": "First goal", "tags": ["Red", "late"]}),
    )
    .await;
    save(&server, json!({"name": "Foul", "tags": ["blue"]})).await;
    save(&server, json!({})).await;
    assert_eq!(names(&server, "").await, ["Replay 3", "Foul", "First goal"]);
    for (query, found) in [
        ("?name=GOAL", &["First goal"][..]),
        ("?name=fo&tag=blue", &["Foul"]),
        ("?tag=red", &["First goal"]),
        ("?tag=re", &[]),
        ("?name=goal&tag=blue", &[]),
        ("?channel=main&name=f", &["Foul", "First goal"]),
        ("?channel=other", &[]),
        ("?from=-1h&name=f", &["Foul", "First goal"]),
        ("?to=-1h", &[]),
    ] {
        assert_eq!(names(&server, query).await, found, "{query}");
    }
    let unknown = server.get("/api/v1/replays?nmae=x").await;
    assert_eq!(problem_of(unknown).await, (400, "bad_request".to_owned()));
}

#[tokio::test]
async fn mistakes_have_their_codes() {
    let empty = server();
    let nothing = empty.post("/api/v1/replays", &json!({})).await;
    assert_eq!(
        problem_of(nothing).await,
        (503, "nothing_recorded".to_owned())
    );
    let server = recorded();
    for (body, status, code) in [
        (json!({"lats": "1s"}), 400, "bad_request"),
        (json!({"last": "0s"}), 400, "bad_request"),
        (json!({"last": "1s", "from": "-1s"}), 400, "bad_request"),
        (json!({"to": "-1s", "plus": "1s"}), 400, "bad_request"),
        (
            json!({"channel": "main", "channels": ["main"]}),
            400,
            "bad_request",
        ),
        (json!({"channel": "other"}), 404, "unknown_channel"),
        (
            json!({"channels": ["main", "other"]}),
            404,
            "unknown_channel",
        ),
        (json!({"from": "-10s", "to": "-20s"}), 422, "empty_span"),
        (json!({"from": "-2h", "to": "-1h"}), 422, "outside_window"),
        (json!({"name": ""}), 422, "bad_name"),
        (json!({"name": "x".repeat(10_000)}), 422, "bad_name"),
        (json!({"tags": [" "]}), 422, "bad_tags"),
    ] {
        let answer = server.post("/api/v1/replays", &body).await;
        assert_eq!(
            problem_of(answer).await,
            (status, code.to_owned()),
            "{body}"
        );
    }
    assert_eq!(names(&server, "").await, [""; 0], "nothing was kept");

    let replay = save(&server, json!({"name": "a/b:c\u{0}\nCON"})).await;
    assert_eq!(replay["name"], "a/b:c CON");
    let length = number_of(&replay, "length_s");
    for (body, status, code) in [
        (json!({"in": 1}), 400, "bad_request"),
        (json!({"in_s": "1"}), 400, "bad_request"),
        (json!({"in_s": -0.5}), 422, "outside_replay"),
        (json!({"in_s": 1.0, "out_s": 1.0}), 422, "outside_replay"),
        (json!({"in_s": 1.5, "out_s": 0.5}), 422, "outside_replay"),
        (json!({"out_s": length + 0.1}), 422, "outside_replay"),
        (json!({"out_s": 1e300}), 422, "outside_replay"),
        (json!({"poster_s": 1e9}), 422, "outside_replay"),
        (json!({"speed": 0}), 422, "bad_speed"),
        (json!({"name": "\t"}), 422, "bad_name"),
    ] {
        let answer = patch(&server, &replay, &body).await;
        assert_eq!(
            problem_of(answer).await,
            (status, code.to_owned()),
            "{body}"
        );
    }
    let unchanged = json_of(patch(&server, &replay, &json!({})).await).await;
    let told_once = without(without(replay.clone(), "dropped"), "moved");
    assert_eq!(unchanged, told_once);

    let id = text_of(&replay, "id").to_owned();
    for (path, body, status, code) in [
        (
            format!("{id}/split"),
            json!({"at_s": 0.0}),
            422,
            "outside_replay",
        ),
        (
            format!("{id}/split"),
            json!({"at_s": 99}),
            422,
            "outside_replay",
        ),
        (format!("{id}/split"), json!({}), 400, "bad_request"),
        (format!("{id}/explode"), json!({}), 404, "not_found"),
        (
            "none/split".to_owned(),
            json!({"at_s": 1}),
            404,
            "unknown_replay",
        ),
        (
            "none/duplicate".to_owned(),
            json!({}),
            404,
            "unknown_replay",
        ),
        ("join".to_owned(), json!({"replays": []}), 422, "bad_list"),
        (
            "join".to_owned(),
            json!({"replays": [id, "none"]}),
            404,
            "unknown_replay",
        ),
    ] {
        let answer = server.post(&format!("/api/v1/replays/{path}"), &body).await;
        assert_eq!(
            problem_of(answer).await,
            (status, code.to_owned()),
            "{path} {body}"
        );
    }
    for uri in ["/replays/none.ts", "/replays/none", "/api/v1/replays/none"] {
        let gone = (404, "unknown_replay".to_owned());
        assert_eq!(problem_of(server.get(uri).await).await, gone, "{uri}");
    }
    let angle = server.get(&format!("/replays/{id}.ts?channel=other")).await;
    assert_eq!(problem_of(angle).await, (404, "unknown_channel".to_owned()));
}

fn without(mut value: Value, key: &str) -> Value {
    if let Some(members) = value.as_object_mut() {
        members.remove(key);
    }
    value
}

#[tokio::test]
async fn what_is_locked_stays() {
    let server = recorded();
    let replay = save(&server, json!({"locked": true})).await;
    assert_eq!(
        problem_of(delete(&server, &replay).await).await,
        (409, "locked".to_owned())
    );
    patch(&server, &replay, &json!({"locked": false})).await;
    assert_eq!(
        delete(&server, &replay).await.status(),
        StatusCode::NO_CONTENT
    );
}

#[tokio::test]
async fn replays_are_split_copied_and_joined() {
    let server = recorded();
    let replay = save(&server, json!({"name": "All"})).await;
    let id = text_of(&replay, "id").to_owned();
    let length = number_of(&replay, "duration_s");
    let split = server
        .post(
            &format!("/api/v1/replays/{id}/split"),
            &json!({"at_s": 0.6}),
        )
        .await;
    assert_eq!(split.status(), StatusCode::CREATED);
    let halves = json_of(split).await;
    assert_eq!(halves[0]["id"], replay["id"]);
    assert!(
        (number_of(&halves[0], "duration_s") - 0.6).abs() < 0.001,
        "{halves}"
    );
    assert!(
        (number_of(&halves[1], "duration_s") - length + 0.6).abs() < 0.001,
        "{halves}"
    );
    let copy = server
        .post(&format!("/api/v1/replays/{id}/duplicate"), &json!({}))
        .await;
    assert_eq!(copy.status(), StatusCode::CREATED);
    let copy = json_of(copy).await;
    let ids = json!([halves[1]["id"], copy["id"]]);
    let reel = server
        .post(
            "/api/v1/replays/join",
            &json!({"replays": ids, "name": "Reel"}),
        )
        .await;
    assert_eq!(reel.status(), StatusCode::CREATED);
    let reel = json_of(reel).await;
    assert_eq!(
        (&reel["name"], &reel["angles"][0]["pieces"]),
        (&json!("Reel"), &json!(2))
    );
    assert!(
        (number_of(&reel, "duration_s") - length).abs() < 0.001,
        "{reel}"
    );
    let bytes = bytes_of(server.get(text_of(&reel, "url")).await).await;
    assert!(is_transport_stream(&bytes) && reel["bytes"] == bytes.len());
}

#[tokio::test]
async fn a_save_that_clears_keeps_what_it_has_saved() {
    let server = recorded();
    let replay = save(&server, json!({"clear": true})).await;
    let status = json_of(server.get("/api/v1/status").await).await;
    assert_eq!(status["channels"][0]["window"], Value::Null);
    let bytes = bytes_of(server.get(text_of(&replay, "url")).await).await;
    assert_eq!(replay["bytes"], bytes.len());
}

#[tokio::test]
async fn a_save_of_all_channels_has_an_angle_of_each() {
    let server = recorded();
    server.recorder.add_channel("idle");
    let second = server.recorder.add_channel("cam2");
    record(&second, &video(2.0), clock::now());
    let replay = save(&server, json!({"last": "1s"})).await;
    let angles = replay["angles"].as_array().expect("a list");
    let channels: Vec<&str> = angles
        .iter()
        .map(|angle| text_of(angle, "channel"))
        .collect();
    assert_eq!(channels, ["main", "cam2"]);
    let url = format!("/replays/{}.ts?channel=cam2", text_of(&replay, "id"));
    assert_eq!(angles[1]["url"], url);
    assert_eq!(
        bytes_of(server.get(&url).await).await.len(),
        angles[1]["bytes"]
    );
    let one = save(&server, json!({"channels": ["cam2", "cam2"]})).await;
    assert_eq!(
        (&one["channel"], one["angles"].as_array().map(Vec::len)),
        (&json!("cam2"), Some(1))
    );
    // A reel of several cameras is for decks: no single stream.
    let first = save(&server, json!({"channel": "main"})).await;
    let ids = json!({"replays": [first["id"], one["id"]]});
    let reel = json_of(server.post("/api/v1/replays/join", &ids).await).await;
    assert_eq!(reel["url"], Value::Null);
    let stream = server
        .get(&format!("/replays/{}.ts", text_of(&reel, "id")))
        .await;
    assert_eq!(problem_of(stream).await, (422, "not_one_stream".to_owned()));
    let load = server
        .post("/api/v1/decks/main/load", &json!({"replay": reel["id"]}))
        .await;
    assert_eq!(json_of(load).await["items"], 2);
}

#[tokio::test(start_paused = true)]
async fn a_deck_plays_replays_as_they_are_trimmed() {
    let server = recorded();
    let replay = save(&server, json!({})).await;
    patch(
        &server,
        &replay,
        &json!({"in_s": 0.4, "out_s": 1.4, "speed": 0.5}),
    )
    .await;
    let load = async |body: Value| {
        let answer = server.post("/api/v1/decks/main/load", &body).await;
        assert_eq!(answer.status(), StatusCode::OK, "{body}");
        json_of(answer).await
    };
    let loaded = load(json!({"replay": replay["id"], "play": false})).await;
    assert!(
        (number_of(&loaded, "duration_s") - 1.0).abs() < 0.001,
        "{loaded}"
    );
    assert_eq!(
        (&loaded["speed"], &loaded["items"]),
        (&json!(0.5), &json!(1))
    );
    let angle = json!({"replay": replay["id"], "channel": "main", "speed": 2});
    assert_eq!(load(angle).await["speed"], 2.0);
    let list = json!({"list": [{"replay": replay["id"]}, {"last": "1s"}], "then": "next"});
    assert_eq!(load(list).await["items"], 2);
    for (body, code) in [
        (json!({"replay": replay["id"], "last": "1s"}), 400),
        (json!({"replay": replay["id"], "clip": "x"}), 400),
        (json!({"replay": replay["id"], "channel": "other"}), 404),
    ] {
        let answer = server.post("/api/v1/decks/main/load", &body).await;
        assert_eq!(problem_of(answer).await.0, code, "{body}");
    }
}

#[tokio::test]
async fn listeners_are_told_what_becomes_of_replays() {
    let server = recorded();
    let first = save(&server, json!({})).await;
    let mut known = KnownReplays::new(&server.shelf);
    let mut changes = server.shelf.changes();
    assert!(known.news(&server.shelf).is_empty());
    let second = save(&server, json!({"name": "Goal"})).await;
    assert!(changes.has_changed().is_ok_and(|changed| changed));
    changes.mark_unchanged();
    let told = known.news(&server.shelf);
    assert_eq!(told.len(), 1);
    assert_eq!(
        (&told[0]["type"], &told[0]["change"]),
        (&json!("replay"), &json!("created"))
    );
    assert_eq!(
        (&told[0]["id"], &told[0]["name"]),
        (&second["id"], &json!("Goal"))
    );
    patch(&server, &first, &json!({"name": "x"})).await;
    delete(&server, &second).await;
    assert!(changes.has_changed().is_ok_and(|changed| changed));
    let told = known.news(&server.shelf);
    let changed: Vec<_> = told
        .iter()
        .map(|told| (&told["change"], &told["id"]))
        .collect();
    assert_eq!(
        changed,
        [
            (&json!("changed"), &first["id"]),
            (&json!("deleted"), &second["id"])
        ]
    );
    // What was refused has changed nothing.
    changes.mark_unchanged();
    patch(&server, &first, &json!({"in_s": -1})).await;
    assert!(changes.has_changed().is_ok_and(|changed| !changed));
}
