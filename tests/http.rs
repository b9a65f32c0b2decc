//! The answers that players and scripts build on, as they are on the wire.

use serde_json::json;
use tempfile::TempDir;

use crate::support::http::{self, get, head, post};
use crate::support::server::Server;
use crate::support::{card, folder, text};

/// Players that ask for a range are led to a clip, which they may remember; others get the stream.
#[test]
fn video_leads_players_to_a_clip() {
    let (_folder, server) = recorded();
    let plain = server.get("/video");
    assert_eq!(
        (plain.status, plain.header("content-type")),
        (200, Some("video/mp2t"))
    );

    let ranged = server.send(&get("/video?last=2s").header("Range", "bytes=0-"));
    assert_eq!(ranged.status, 307);
    assert_eq!(
        ranged.header("cache-control"),
        Some("s-maxage=86400, max-age=0")
    );
    let location = ranged.header("location").expect("where to go").to_owned();
    assert!(
        location.starts_with("/clips/") && location.ends_with(".ts"),
        "{location}"
    );

    let clip = server.send(&get(&location).header("Range", "bytes=0-"));
    assert_eq!(clip.status, 206);
    let length = clip.content_length().expect("a length");
    let whole = format!("bytes 0-{}/{length}", length - 1);
    assert_eq!(clip.header("content-range"), Some(whole.as_str()));
}

#[test]
fn a_clip_answers_ranges() {
    let (_folder, server) = recorded();
    let url = clip_url(&server);
    let full = server.get(&url);
    assert_eq!(full.header("accept-ranges"), Some("bytes"));
    let etag = full.header("etag").expect("an ETag").to_owned();
    assert!(etag.starts_with('"'), "a strong one: {etag}");
    let whole = full.bytes();
    let last = whole.len() - 1;

    let part = |range: &str| server.send(&get(&url).header("Range", range));
    for (range, from, to) in [
        ("bytes=0-1".to_owned(), 0, 1),
        ("bytes=1000-200999".to_owned(), 1000, 200_999),
        (format!("bytes={last}-"), last, last),
        ("bytes=-500".to_owned(), last - 499, last),
        (format!("bytes=7-{}", last + 100), 7, last),
    ] {
        let answer = part(&range);
        assert_eq!(answer.status, 206, "{range}");
        let expected = format!("bytes {from}-{to}/{}", whole.len());
        assert_eq!(answer.header("content-range"), Some(expected.as_str()));
        assert_eq!(answer.bytes(), whole[from..=to], "{range}");
    }
    let beyond = part(&format!("bytes={}-", whole.len()));
    assert_eq!(beyond.status, 416);
    let expected = format!("bytes */{}", whole.len());
    assert_eq!(beyond.header("content-range"), Some(expected.as_str()));

    let ranged = get(&url).header("Range", "bytes=0-9");
    assert_eq!(server.send(&ranged.header("If-Range", &etag)).status, 206);
    let changed = get(&url)
        .header("Range", "bytes=0-9")
        .header("If-Range", "\"other\"");
    assert_eq!(server.send(&changed).bytes(), whole);
}

#[test]
fn head_is_get_without_a_body() {
    let (_folder, server) = recorded();
    let url = clip_url(&server);
    let (answer, full) = (server.send(&head(&url)), server.get(&url));
    assert_eq!(answer.status, 200);
    for name in ["content-length", "content-type", "etag", "accept-ranges"] {
        assert_eq!(answer.header(name), full.header(name), "{name}");
    }
}

#[test]
fn errors_have_a_code() {
    let folder = folder();
    let fifo = folder.path().join("in.ts");
    let server = Server::start(folder.path(), &["--input", text(&fifo)]);
    is_problem(server.get("/video"), 503);
    is_problem(server.get("/play"), 503);
    is_problem(server.send(&post("/api/v1/clips", &json!({}))), 503);
    is_problem(server.get("/clips/none.ts"), 404);
    is_problem(server.get("/video?channel=none"), 404);
    is_problem(server.get("/live/none.ts"), 404);

    let (_folder, server) = recorded();
    is_problem(
        server.get("/video?from=2001-01-01T00:00:00Z&to=2001-01-01T00:01:00Z"),
        422,
    );
    is_problem(server.get("/video?from=-1s&to=-2s"), 422);
    is_problem(server.get("/video?last=soon"), 400);
}

fn is_problem(answer: http::Response, status: u16) {
    assert_eq!(answer.status, status);
    assert_eq!(
        answer.header("content-type"),
        Some("application/problem+json")
    );
    let problem = answer.json();
    assert!(
        problem["code"].is_string() && problem["detail"].is_string(),
        "{problem}"
    );
}

/// A page of somebody else reaches 127.0.0.1 under its own name, or sends a form without asking.
#[test]
fn pages_of_others_get_nothing() {
    let (_folder, server) = recorded();
    assert_eq!(
        server
            .send(&get("/video").header("Host", "evil.example"))
            .status,
        403
    );
    let foreign = get("/video").header("Origin", "https://evil.example");
    assert_eq!(server.send(&foreign).status, 403);
    let form = http::post_form("/api/v1/clips", "{}");
    assert!((400..500).contains(&server.send(&form).status));
}

#[test]
fn it_says_how_it_is() {
    let (_folder, server) = recorded();
    assert_eq!(server.get("/healthz").status, 200);
    let status = server.status();
    assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(status["memory"]["limit_bytes"], 512 << 20);
    assert!(status["memory"]["used_bytes"].as_u64() > Some(0));
    let metrics = server.get("/metrics").text();
    let received = server.received().to_string();
    assert!(
        metrics.lines().any(|line| line.ends_with(&received)),
        "{metrics}"
    );
}

fn clip_url(server: &Server) -> String {
    let clip = server.clip(&json!({"channel": "main", "last": "5s"}));
    clip["url"].as_str().expect("the clip's URL").to_owned()
}

/// A server that has recorded ten seconds.
fn recorded() -> (TempDir, Server) {
    let folder = folder();
    let input = folder.path().join("recording.ts");
    card::write(&input, 10);
    let server = Server::start(folder.path(), &["--input", text(&input)]);
    server.wait_for_window(9.0);
    (folder, server)
}
