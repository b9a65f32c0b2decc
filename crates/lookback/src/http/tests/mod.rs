//! The routes as clients see them, over a recorder that is fed in memory.

mod api;
mod decks;
mod events;
mod hls;
mod hls_rules;
mod jobs;
mod links;
mod media;
mod obs;
mod posters;
mod replays;
mod session;

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{Request, Response};
use http_body_util::BodyExt;
use lookback_mpegts::{PACKET_LEN, SYNC_BYTE};
use lookback_replay::{Policy, Replays};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tower::ServiceExt;

use super::*;
use crate::clock;
use crate::convert::{Ffmpeg, Limits, Presets};
use crate::library::Library;
use crate::testing::{main_deck, record, recorder, video};

struct Server {
    app: Arc<App>,
    router: Router,
    recorder: Arc<Recorder>,
    shelf: Arc<Shelf>,
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
    with_jobs(guard, "no-such-ffmpeg", None)
}

/// One that converts with this ffmpeg, and writes to this library.
fn with_jobs(guard: Guard, ffmpeg: &str, library: Option<Arc<Library>>) -> Server {
    server_of(guard, ffmpeg, library, Policy::default())
}

fn with_policy(policy: Policy) -> Server {
    let guard = Guard::new(Vec::new(), true, None);
    server_of(guard, "no-such-ffmpeg", None, policy)
}

/// One whose window is so long.
fn with_window(keep: Duration) -> Server {
    let limits = lookback_replay::Limits {
        memory: 64 << 20,
        keep: Some(keep),
    };
    let guard = Guard::new(Vec::new(), true, None);
    let policy = Policy::default();
    server_on(Recorder::new(limits), guard, "no-such-ffmpeg", None, policy)
}

fn server_of(guard: Guard, ffmpeg: &str, library: Option<Arc<Library>>, policy: Policy) -> Server {
    server_on(recorder(), guard, ffmpeg, library, policy)
}

fn server_on(
    recorder: Arc<Recorder>,
    guard: Guard,
    ffmpeg: &str,
    library: Option<Arc<Library>>,
    policy: Policy,
) -> Server {
    recorder.add_channel("main");
    let (decks, playing) = Decks::new(&[main_deck()], &recorder).expect("it is idle on its own");
    let mut tasks = JoinSet::new();
    for deck in playing {
        tasks.spawn(deck);
    }
    let shelf = Shelf::new(Replays::new(Arc::clone(&recorder), policy));
    let (jobs, workers) = Jobs::new(
        Arc::clone(&recorder),
        Ffmpeg::new(
            ffmpeg.into(),
            Limits {
                stall: Duration::from_secs(60),
                time: Duration::from_secs(60),
            },
        ),
        Presets::built_in(),
        library,
        1,
    );
    for worker in workers {
        tasks.spawn(worker);
    }
    let archive = Archive::new(Arc::clone(&shelf), jobs.clone(), None, false);
    let app = App::new(
        Arc::clone(&shelf),
        archive,
        Arc::default(),
        decks,
        jobs,
        "play.ts".to_owned(),
        Arc::default(),
    );
    let app = Arc::new(app);
    Server {
        router: router(Arc::clone(&app), guard),
        app,
        recorder,
        shelf,
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
