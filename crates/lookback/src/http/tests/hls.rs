//! HLS: playlists and segments.

use super::*;

/// The lines of a playlist that are addresses, and those of maps.
fn addresses(text: &str) -> (Vec<String>, Vec<String>) {
    let map = |line: &str| {
        Some(
            line.strip_prefix("#EXT-X-MAP:URI=\"")?
                .trim_end_matches('"')
                .to_owned(),
        )
    };
    let segments = text.lines().filter(|line| !line.starts_with('#'));
    (
        segments.map(str::to_owned).collect(),
        text.lines().filter_map(map).collect(),
    )
}

async fn text_of(server: &Server, uri: &str) -> String {
    let response = server.get(uri).await;
    assert_eq!(response.status(), StatusCode::OK, "{uri}");
    let bytes = bytes_of(response).await;
    String::from_utf8(bytes.to_vec()).expect("text")
}

/// A server that has two runs of five seconds.
fn of_two_runs() -> Server {
    let server = server();
    let channel = server.recorder.channel("main").expect("just added");
    for _ in 0..2 {
        record(&channel, &video(5.0), clock::now());
    }
    server
}

#[tokio::test]
async fn a_playlist_names_segments_and_maps() {
    let server = of_two_runs();
    let index = text_of(&server, "/hls/main/index.m3u8").await;
    assert!(index.contains("CODECS=\"avc1."), "{index}");
    assert!(
        index.contains("RESOLUTION=320x180,FRAME-RATE=30.000"),
        "{index}"
    );
    assert!(index.ends_with("\nall.m3u8\n"), "{index}");
    let list = text_of(&server, "/hls/main/all.m3u8").await;
    let (segments, maps) = addresses(&list);
    assert_eq!((segments.len(), maps.len()), (6, 2), "{list}");
    assert_eq!(list.matches("#EXT-X-DISCONTINUITY\n").count(), 1, "{list}");
    assert!(list.contains("#EXT-X-MEDIA-SEQUENCE:0\n"), "{list}");
    let lengths = ["#EXTINF:2.00000,", "#EXTINF:1.00000,"].map(|line| list.matches(line).count());
    assert_eq!(lengths, [4, 2], "{list}");
    for uri in segments.iter().chain(&maps) {
        let response = server.get(&format!("/hls/main/{uri}")).await;
        assert_eq!(response.status(), StatusCode::OK, "{uri}");
        assert!(!bytes_of(response).await.is_empty());
    }
}

#[tokio::test]
async fn a_segment_has_ranges_and_a_tag() {
    let server = of_two_runs();
    let list = text_of(&server, "/hls/main/video.m3u8").await;
    let (segments, _) = addresses(&list);
    let uri = format!("/hls/main/{}", segments[1]);
    let response = server.get(&uri).await;
    assert_eq!(header(&response, "content-type"), Some("video/iso.segment"));
    let caching = header(&response, "cache-control").expect("it may be kept");
    assert!(caching.contains("immutable"), "{caching}");
    let tag = header(&response, "etag").expect("a tag").to_owned();
    let whole = bytes_of(response).await;
    assert_eq!(&whole[4..8], b"moof");
    let part = server.range(&uri, "bytes=100-299").await;
    assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(bytes_of(part).await, whole[100..300]);
    let known = server.ask("GET", &uri, &[("if-none-match", &tag)]).await;
    assert_eq!(known.status(), StatusCode::NOT_MODIFIED);
}

#[tokio::test]
async fn a_segment_as_a_transport_stream() {
    let server = of_two_runs();
    let list = text_of(&server, "/hls/main/ts.m3u8").await;
    let (segments, maps) = addresses(&list);
    assert_eq!((segments.len(), maps.len()), (6, 0), "{list}");
    for uri in &segments {
        let response = server.get(&format!("/hls/main/{uri}")).await;
        assert_eq!(header(&response, "content-type"), Some("video/mp2t"));
        assert!(is_transport_stream(&bytes_of(response).await), "{uri}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_a_problem() {
    let server = server();
    let empty = problem_of(server.get("/hls/main/index.m3u8").await).await;
    assert_eq!(empty, (503, "nothing_recorded".to_owned()));
    let channel = server.recorder.channel("main").expect("just added");
    record(&channel, &video(5.0), clock::now());
    let list = text_of(&server, "/hls/main/all.m3u8").await;
    let (segments, _) = addresses(&list);
    let (id, _) = segments[0]
        .trim_start_matches("all/")
        .split_once('-')
        .expect("an id and a number");
    for (uri, status, code) in [
        ("other/all.m3u8".to_owned(), 404, "unknown_channel"),
        ("main/none.m3u8".to_owned(), 404, "not_found"),
        ("main/sound-0.m3u8".to_owned(), 404, "not_found"),
        ("main/all".to_owned(), 404, "not_found"),
        (format!("main/all/{id}-99.m4s"), 404, "unknown_segment"),
        (format!("main/all/{id}-x.m4s"), 404, "not_found"),
        (format!("main/ts/{id}-0.m4s"), 404, "not_found"),
        (format!("main/all/{id}-7-7.mp4"), 410, "segment_passed"),
        ("main/all/0-0.m4s".to_owned(), 410, "segment_passed"),
    ] {
        let problem = problem_of(server.get(&format!("/hls/{uri}")).await).await;
        assert_eq!(problem, (status, code.to_owned()), "{uri}");
    }
    let there = server.get(&format!("/hls/main/{}", segments[0])).await;
    assert_eq!(there.status(), StatusCode::OK);
    channel.clear();
    let passed = server.get(&format!("/hls/main/{}", segments[0])).await;
    assert_eq!(problem_of(passed).await, (410, "segment_passed".to_owned()));
    let newest = segments[segments.len() - 1]
        .replace("all", "ts")
        .replace("m4s", "ts");
    let passed = server.get(&format!("/hls/main/{newest}")).await;
    assert_eq!(problem_of(passed).await, (410, "segment_passed".to_owned()));
}

/// Who asks for the same within seconds is given the same bytes, which are let go of after that.
#[tokio::test(start_paused = true)]
async fn what_was_made_is_kept_for_others_for_a_while() {
    let server = of_two_runs();
    let list = text_of(&server, "/hls/main/all.m3u8").await;
    let uri = format!("/hls/main/{}", addresses(&list).0[1]);
    let used = || server.recorder.memory().index_bytes;
    let fetch = async || bytes_of(server.get(&uri).await).await;
    let len = fetch().await.len();
    let once = used();
    let (first, second) = tokio::join!(fetch(), fetch());
    assert_eq!((first == second, used()), (true, once), "they share it");
    tokio::time::sleep(Duration::from_secs(7)).await;
    let let_go = once - used();
    // But for the header.
    assert!((len * 9 / 10..=len).contains(&let_go), "{let_go} of {len}");
    assert_eq!(fetch().await, first);
}

/// Who cannot set a header has the token in all addresses.
#[tokio::test]
async fn the_token_in_a_url_is_passed_on() {
    let token = "0123456789abcdef";
    let guard = Guard::new(Vec::new(), true, Some(token.parse().expect("a token")));
    let server = guarded(guard);
    let channel = server.recorder.channel("main").expect("just added");
    record(&channel, &video(5.0), clock::now());
    let query = format!("?token={token}");
    for name in ["index", "all"] {
        let list = text_of(&server, &format!("/hls/main/{name}.m3u8{query}")).await;
        let (addresses, maps) = addresses(&list);
        assert!(!addresses.is_empty());
        for uri in addresses.iter().chain(&maps) {
            assert!(uri.ends_with(&query), "{uri}");
            let response = server.get(&format!("/hls/main/{uri}")).await;
            assert_eq!(response.status(), StatusCode::OK, "{uri}");
        }
    }
}

/// What is far away nobody waits for, and not for ever for what does not come.
#[tokio::test(start_paused = true)]
async fn a_playlist_is_waited_for_within_reason() {
    let server = server();
    let channel = server.recorder.channel("main").expect("just added");
    record(&channel, &video(9.0), clock::now());
    let (edge, _) = channel.edge();
    for (query, status, code) in [
        (format!("_HLS_msn={}", edge + 9), 400, "bad_request"),
        ("_HLS_msn=x".to_owned(), 400, "bad_request"),
        ("_HLS_part=1".to_owned(), 400, "bad_request"),
        (format!("_HLS_msn={edge}"), 503, "not_yet"),
        (format!("_HLS_msn={edge}&_HLS_part=0"), 503, "not_yet"),
    ] {
        let answer = server.get(&format!("/hls/main/all.m3u8?{query}")).await;
        assert_eq!(
            problem_of(answer).await,
            (status, code.to_owned()),
            "{query}"
        );
    }
    for query in [
        format!("_HLS_msn={}", edge - 1),
        format!("_HLS_msn={}&_HLS_part=99", edge - 1),
    ] {
        let answer = server.get(&format!("/hls/main/all.m3u8?{query}")).await;
        assert_eq!(answer.status(), StatusCode::OK, "{query}");
    }
    let list = text_of(&server, "/hls/main/all.m3u8").await;
    let part = list.lines().find(|line| line.starts_with("#EXT-X-PART:"));
    let part = part
        .and_then(|line| line.split('"').nth(1))
        .expect("an address");
    let answer = server.get(&format!("/hls/main/{part}")).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let (start, _) = part.rsplit_once('-').expect("an id");
    for (uri, status, code) in [
        (format!("{start}-1.99.m4s"), 404, "unknown_segment"),
        (format!("{start}-99.0.m4s"), 404, "unknown_segment"),
        (format!("{start}-1.x.m4s"), 404, "not_found"),
        (format!("{start}-{edge}.0.m4s"), 404, "unknown_segment"),
    ] {
        let answer = server.get(&format!("/hls/main/{uri}")).await;
        assert_eq!(problem_of(answer).await, (status, code.to_owned()), "{uri}");
    }
}

/// A player that knows the beginning is told of the rest, as it stands in the whole.
#[tokio::test]
async fn what_a_player_knows_is_left_out() {
    let server = server();
    let channel = server.recorder.channel("main").expect("just added");
    record(&channel, &video(31.0), clock::now());
    let whole = text_of(&server, "/hls/main/all.m3u8").await;
    assert!(whole.contains("CAN-SKIP-UNTIL=12.0"), "{whole}");
    let delta = text_of(&server, "/hls/main/all.m3u8?_HLS_skip=YES").await;
    let lines =
        |text: &str, start: &str| text.lines().filter(|line| line.starts_with(start)).count();
    let (all, said) = (lines(&whole, "#EXTINF"), lines(&delta, "#EXTINF"));
    // Six segments of two seconds, and one that lies over the limit if it lies within.
    assert!((6..=7).contains(&said) && all == 16, "{said} of {all}");
    let skip = format!("#EXT-X-SKIP:SKIPPED-SEGMENTS={}", all - said);
    assert!(
        delta.contains(&skip) && delta.contains("#EXT-X-VERSION:9"),
        "{delta}"
    );
    let (_, rest) = delta.split_once(&skip).expect("it is there");
    assert!(rest.len() > 100 && whole.ends_with(rest), "{rest}");
    // Of little nothing is left out.
    let short = self::server();
    let channel = short.recorder.channel("main").expect("just added");
    record(&channel, &video(5.0), clock::now());
    let uri = "/hls/main/all.m3u8";
    let whole = text_of(&short, uri).await;
    assert_eq!(
        text_of(&short, &format!("{uri}?_HLS_skip=YES")).await,
        whole
    );
}

/// The last part of a run comes with its end, of which no unit tells.
#[tokio::test]
async fn who_waits_is_told_of_the_end_of_a_run() {
    let server = server();
    let channel = server.recorder.channel("main").expect("just added");
    let mut writer = channel.connect("test", clock::now()).expect("it is free");
    writer.write(&video(9.0), clock::now());
    let (edge, parts) = channel.edge();
    assert!(parts > 0, "it is in the middle of a segment");
    let uri = format!("/hls/main/all.m3u8?_HLS_msn={edge}");
    let waits = server.get(&uri);
    let ends = async {
        tokio::task::yield_now().await;
        drop(writer);
    };
    let (answer, ()) = tokio::join!(waits, ends);
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(channel.edge(), (edge + 1, 0));
}
