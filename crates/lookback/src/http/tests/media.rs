//! Video: whole, in parts, and live.

use super::*;

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
