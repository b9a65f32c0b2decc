//! The routes as clients see them, over a recorder that is fed in memory.

mod api;
mod decks;
mod media;

use axum::body::{Body, Bytes};
use axum::http::{Request, Response};
use http_body_util::BodyExt;
use lookback_mpegts::{PACKET_LEN, SYNC_BYTE};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tower::ServiceExt;

use super::*;
use crate::clock;
use crate::settings::Name;
use crate::testing::{record, recorder, video};

struct Server {
    router: Router,
    recorder: Arc<Recorder>,
    _tasks: JoinSet<()>,
}

/// A server with a channel `main`, in which nothing is recorded.
fn server() -> Server {
    guarded(Guard::new(Vec::new(), true, None))
}

/// One in which two seconds are recorded.
fn recorded() -> Server {
    let server = server();
    let channel = server.recorder.channel("main").expect("just added");
    record(&channel, &video(2.0), clock::now());
    server
}

fn guarded(guard: Guard) -> Server {
    let recorder = recorder();
    recorder.add_channel("main");
    let (decks, playing) = Decks::new(&[Name::main()], &recorder);
    let mut tasks = JoinSet::new();
    for deck in playing {
        tasks.spawn(deck);
    }
    let app = App::new(
        Arc::clone(&recorder),
        Arc::default(),
        decks,
        "play.ts".to_owned(),
        Arc::default(),
    );
    Server {
        router: router(Arc::new(app), guard),
        recorder,
        _tasks: tasks,
    }
}

impl Server {
    async fn send(&self, request: axum::http::request::Builder, body: Body) -> Response<Body> {
        let request = request
            .header("host", "127.0.0.1")
            .body(body)
            .expect("a request");
        self.router
            .clone()
            .oneshot(request)
            .await
            .expect("it never fails")
    }

    async fn ask(&self, method: &str, uri: &str, headers: &[(&str, &str)]) -> Response<Body> {
        let request = Request::builder().method(method).uri(uri);
        let request = headers.iter().fold(request, |request, (name, value)| {
            request.header(*name, *value)
        });
        self.send(request, Body::empty()).await
    }

    async fn get(&self, uri: &str) -> Response<Body> {
        self.ask("GET", uri, &[]).await
    }

    async fn range(&self, uri: &str, range: &str) -> Response<Body> {
        self.ask("GET", uri, &[("range", range)]).await
    }

    async fn post(&self, uri: &str, body: &Value) -> Response<Body> {
        let request = Request::builder()
            .method("POST")
            .uri(uri)
            .header("content-type", "application/json")
            .header("content-length", body.to_string().len());
        self.send(request, body.to_string().into()).await
    }

    /// The URL of a clip of everything.
    async fn clip(&self) -> String {
        let response = self.post("/api/v1/clips", &json!({})).await;
        json_of(response).await["url"]
            .as_str()
            .expect("a text")
            .to_owned()
    }
}

fn header<'a>(response: &'a Response<Body>, name: &str) -> Option<&'a str> {
    response
        .headers()
        .get(name)
        .map(|value| value.to_str().expect("text"))
}

async fn bytes_of(response: Response<Body>) -> Bytes {
    response
        .into_body()
        .collect()
        .await
        .expect("a whole body")
        .to_bytes()
}

async fn json_of(response: Response<Body>) -> Value {
    serde_json::from_slice(&bytes_of(response).await).expect("JSON")
}

/// Status and code of a problem.
async fn problem_of(response: Response<Body>) -> (u16, String) {
    assert_eq!(
        header(&response, "content-type"),
        Some("application/problem+json")
    );
    let status = response.status().as_u16();
    let body = json_of(response).await;
    assert_eq!(body["status"], status);
    (status, body["code"].as_str().expect("a text").to_owned())
}

fn is_transport_stream(bytes: &[u8]) -> bool {
    !bytes.is_empty()
        && bytes.len().is_multiple_of(PACKET_LEN)
        && bytes
            .chunks(PACKET_LEN)
            .all(|packet| packet[0] == SYNC_BYTE)
}
