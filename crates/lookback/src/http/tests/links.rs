//! The way in for other devices.

use std::net::SocketAddr;

use super::*;

const TOKEN: &str = "0123456789+abcdef";
const VIEW: &str = "fedcba9876543210";

/// A server that listens there, and wants no token of the one who asks.
fn listening(listen: &str, view: Option<&str>) -> Server {
    let token = |text: &str| text.parse().expect("a token");
    let listen: SocketAddr = listen.parse().expect("an address");
    let links = Links::new(listen, Some(token(TOKEN)), view.map(token));
    linking(links)
}

async fn links(server: &Server, query: &str) -> Vec<Value> {
    let answer = server.get(&format!("/api/v1/links{query}")).await;
    assert_eq!(header(&answer, "cache-control"), Some("no-store"));
    let links = json_of(answer).await["links"].take();
    links.as_array().expect("a list").clone()
}

/// What a camera reads of a code.
fn read(rows: &Value) -> String {
    const SCALE: usize = 4;
    const MARGIN: usize = 4;
    let rows: Vec<&[u8]> = rows
        .as_array()
        .expect("rows")
        .iter()
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

#[tokio::test]
async fn each_way_in_is_a_link_and_a_code_that_says_the_same() {
    let server = listening("192.0.2.7:1688", Some(VIEW));
    let links = links(&server, "").await;
    let told: Vec<_> = links
        .iter()
        .map(|link| (link["access"].as_str(), link["url"].as_str()))
        .collect();
    let full = "http://192.0.2.7:1688/#token=0123456789%2Babcdef";
    let view = "http://192.0.2.7:1688/#token=fedcba9876543210";
    assert_eq!(
        told,
        [(Some("full"), Some(full)), (Some("view"), Some(view))]
    );
    assert_eq!(read(&links[0]["qr"]), full);
    assert_eq!(read(&links[1]["qr"]), view);
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
    let own = "http://192.0.2.7:1688";
    assert_eq!(
        origins("?origin=https%3A%2F%2Fobs.example").await,
        ["https://obs.example", own]
    );
    assert_eq!(
        origins("?origin=http%3A%2F%2F192.0.2.7%3A1688").await,
        [own]
    );
    for loopback in ["localhost:1688", "127.0.0.1:1688", "[::1]:1688"] {
        assert_eq!(origins(&format!("?origin=http://{loopback}")).await, [own]);
    }
    for wrong in [
        "obs.example",
        "ftp://obs.example",
        "javascript:alert(1)",
        "http://",
        "http://obs.example/x",
        "http://obs.example/",
        "http://a@obs.example",
        "http://obs.example?a",
    ] {
        let path = format!("/api/v1/links?origin={wrong}");
        let answer = problem_of(server.get(&path).await).await;
        assert_eq!(answer, (400, "bad_request".to_owned()), "{wrong}");
    }
}

#[tokio::test]
async fn what_listens_on_this_machine_only_has_none() {
    let server = listening("127.0.0.1:1688", None);
    assert_eq!(links(&server, "").await, [] as [Value; 0]);
}
