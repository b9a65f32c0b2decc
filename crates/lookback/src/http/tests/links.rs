//! The way in for other devices.

use std::net::SocketAddr;

use super::*;

const TOKEN: &str = "0123456789abcdef";
const VIEW: &str = "fedcba9876543210";
const OWN: &str = "http://192.0.2.7:1688";

/// A server that is said to listen there.
fn listening(listen: &str, view: Option<&str>) -> Server {
    let token = |text: &str| text.parse().expect("a token");
    let listen: SocketAddr = listen.parse().expect("an address");
    let guard = Guard::new(Vec::new(), true, Some(token(TOKEN)));
    let guard = guard.with_view_token(view.map(token));
    guarded(guard.listening_at(listen))
}

async fn links(server: &Server, query: &str) -> Vec<Value> {
    let answer = ask(server, query).await;
    assert_eq!(header(&answer, "cache-control"), Some("no-store"));
    let links = json_of(answer).await["links"].take();
    links.as_array().expect("a list").clone()
}

async fn ask(server: &Server, query: &str) -> Response<Body> {
    let shown = format!("Bearer {TOKEN}");
    let uri = format!("/api/v1/links{query}");
    server.ask("GET", &uri, &[("authorization", &shown)]).await
}

/// What a camera reads of a code.
fn read(rows: &Value) -> String {
    const SCALE: usize = 4;
    const MARGIN: usize = 4;
    let rows = rows.as_array().expect("rows").iter();
    let rows: Vec<&[u8]> = rows
        .map(|row| row.as_str().expect("a row").as_bytes())
        .collect();
    let size = (rows.len() + 2 * MARGIN) * SCALE;
    let luma = |x: usize, y: usize| {
        let square = |at: usize| (at / SCALE).checked_sub(MARGIN);
        let square = square(y).and_then(|row| rows.get(row)?.get(square(x)?));
        if square == Some(&b'1') { 0 } else { 255 }
    };
    let mut image = rqrr::PreparedImage::prepare_from_greyscale(size, size, luma);
    let codes = image.detect_grids();
    let [code] = &codes[..] else {
        panic!("{} codes", codes.len())
    };
    code.decode().expect("it can be read").1
}

/// Neither token is in a link, and what is there opens a session and nothing else.
#[tokio::test]
async fn each_way_in_is_a_link_and_a_code_that_says_the_same() {
    let server = listening("192.0.2.7:1688", Some(VIEW));
    let links = links(&server, "").await;
    assert_eq!(links.len(), 2);
    for (link, access, token) in [(&links[0], "full", TOKEN), (&links[1], "view", VIEW)] {
        assert_eq!(link["access"], access);
        let url = link["url"].as_str().expect("an address");
        assert_eq!(read(&link["qr"]), url);
        let pass = url
            .strip_prefix("http://192.0.2.7:1688/#token=")
            .expect("a pass");
        assert!(pass != TOKEN && pass != VIEW, "{pass}");

        let shown = json!({"token": pass});
        let session = server.post("/api/v1/session", &shown).await;
        let cookie = header(&session, "set-cookie").expect("a cookie").to_owned();
        assert!(cookie.contains(token), "{cookie}");
        assert_eq!(json_of(session).await["access"], access);
        let status = server.get(&format!("/api/v1/status?token={pass}")).await;
        assert_eq!(status.status(), StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn the_way_that_is_known_to_lead_here_comes_first_and_once() {
    let server = listening("192.0.2.7:1688", None);
    let origins = async |query: &str| {
        let links = links(&server, query).await;
        let origins = links.iter().map(|link| link["origin"].as_str());
        origins
            .map(|origin| origin.expect("an origin").to_owned())
            .collect::<Vec<_>>()
    };
    let known = origins("?origin=https%3A%2F%2Fobs.example").await;
    assert_eq!(known, ["https://obs.example", OWN]);
    let known = origins("?origin=http%3A%2F%2F192.0.2.7%3A1688").await;
    assert_eq!(known, [OWN]);
    for loopback in ["localhost:1688", "127.0.0.1:1688", "[::1]:1688"] {
        let known = origins(&format!("?origin=http://{loopback}")).await;
        assert_eq!(known, [OWN]);
    }
    let long = format!("http://{}.example", "x".repeat(3000));
    for wrong in [
        "obs.example",
        "ftp://obs.example",
        "javascript:alert(1)",
        "http://",
        "http://obs.example/x",
        "http://obs.example/",
        "http://a@obs.example",
        "http://obs.example?a",
        &long,
    ] {
        let answer = problem_of(ask(&server, &format!("?origin={wrong}")).await).await;
        assert_eq!(answer, (400, "bad_request".to_owned()), "{wrong}");
    }
}

#[tokio::test]
async fn what_listens_on_this_machine_only_has_none() {
    let server = listening("127.0.0.1:1688", None);
    assert_eq!(links(&server, "").await, [] as [Value; 0]);
}
