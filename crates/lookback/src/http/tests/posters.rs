//! Posters as clients see them without an ffmpeg. What they show is seen end to end.

use super::*;

#[tokio::test]
async fn without_ffmpeg_the_answer_says_so() {
    let server = recorded();
    let clip = server.clip().await.replace(".ts", ".jpg");
    let replay = json_of(server.post("/api/v1/replays", &json!({})).await).await;
    let replay = replay["id"].as_str().expect("an id");
    for path in [
        clip.clone(),
        format!("{clip}?at_s=1.5"),
        format!("/replays/{replay}.jpg"),
        format!("/replays/{replay}.jpg?channel=main"),
    ] {
        let problem = problem_of(server.get(&path).await).await;
        assert_eq!(problem, (503, "no_ffmpeg".to_owned()), "{path}");
    }
    let answer = json_of(server.get(&clip).await).await;
    let detail = answer["detail"].as_str().expect("a text");
    assert!(detail.contains("install"), "{detail}");
}

#[tokio::test]
async fn what_is_not_there_has_no_poster() {
    let server = recorded();
    let clip = server.clip().await.replace(".ts", ".jpg");
    let replay = json_of(server.post("/api/v1/replays", &json!({})).await).await;
    let replay = replay["id"].as_str().expect("an id");
    for (path, status, code) in [
        ("/clips/none.jpg".to_owned(), 404, "unknown_clip"),
        ("/replays/none.jpg".to_owned(), 404, "unknown_replay"),
        (
            format!("/replays/{replay}.jpg?channel=other"),
            404,
            "unknown_channel",
        ),
        (format!("{clip}?at_s=2.1"), 422, "bad_parameter"),
        (format!("{clip}?at_s=-1"), 422, "bad_parameter"),
        (format!("{clip}?at_s=NaN"), 422, "bad_parameter"),
        (format!("{clip}?at_s=x"), 400, "bad_request"),
        (format!("{clip}?at=1"), 400, "bad_request"),
    ] {
        let problem = problem_of(server.get(&path).await).await;
        assert_eq!(problem, (status, code.to_owned()), "{path}");
    }
}

#[tokio::test]
async fn what_has_no_thumbnail_says_why() {
    let server = recorded();
    for (path, status, code) in [
        ("/thumbnails/main/-1s.jpg", 503, "no_ffmpeg"),
        ("/thumbnails/main/-1s.jpg?width=64", 503, "no_ffmpeg"),
        ("/thumbnails/other/-1s.jpg", 404, "unknown_channel"),
        ("/thumbnails/main/-1h.jpg", 422, "outside_window"),
        ("/thumbnails/main/-1s.png", 404, "not_found"),
        ("/thumbnails/main/noon.jpg", 400, "bad_request"),
        ("/thumbnails/main/.jpg", 400, "bad_request"),
        ("/thumbnails/main/-1s.jpg?width=0", 422, "bad_parameter"),
        ("/thumbnails/main/-1s.jpg?width=9999", 422, "bad_parameter"),
        ("/thumbnails/main/-1s.jpg?width=x", 400, "bad_request"),
        ("/thumbnails/main/-1s.jpg?height=9", 400, "bad_request"),
    ] {
        let problem = problem_of(server.get(path).await).await;
        assert_eq!(problem, (status, code.to_owned()), "{path}");
    }
    let empty = super::server();
    let problem = problem_of(empty.get("/thumbnails/main/-1s.jpg").await).await;
    assert_eq!(problem, (503, "nothing_recorded".to_owned()));
}

#[tokio::test]
async fn without_ffmpeg_there_is_no_preview() {
    let server = recorded();
    let replay = json_of(server.post("/api/v1/replays", &json!({})).await).await;
    let replay = replay["id"].as_str().expect("an id");
    for path in [
        "/hls/main/preview.m3u8".to_owned(),
        format!("/replays/{replay}/preview.m3u8"),
        format!("/replays/{replay}/preview.m3u8?channel=main"),
    ] {
        let problem = problem_of(server.get(&path).await).await;
        assert_eq!(problem, (503, "no_ffmpeg".to_owned()), "{path}");
    }
    for (path, status, code) in [
        (format!("{replay}/preview/0-0.ts"), 410, "replay_changed"),
        (format!("{replay}/preview/0.ts"), 404, "unknown_segment"),
        (format!("{replay}/preview/0-x.ts"), 404, "unknown_segment"),
        (format!("{replay}/preview/0-0.m4s"), 404, "unknown_segment"),
        ("none/preview/0-0.ts".to_owned(), 404, "unknown_replay"),
    ] {
        let problem = problem_of(server.get(&format!("/replays/{path}")).await).await;
        assert_eq!(problem, (status, code.to_owned()), "{path}");
    }
}
