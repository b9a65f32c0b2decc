//! What players, browsers and tools see: media, the JSON API, health and metrics.
//!
//! Every request passes the [`guard`] first. Handlers answer with a response or with a [`problem`].

mod api;
mod body;
mod decks;
mod events;
mod guard;
mod hls;
mod hotkeys;
mod jobs;
mod library;
mod links;
mod media;
mod metrics;
mod obs;
mod openapi;
mod page;
mod pass;
mod pictures;
mod plans;
mod posters;
mod previews;
mod problem;
mod range;
mod replays;
mod selection;
mod server;
mod session;
mod socket;
mod status;
#[cfg(test)]
mod tests;
mod text;
mod thumbnails;
mod token;

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{get, post};
use lookback_replay::Recorder;
use tokio::sync::Semaphore;

pub(crate) use self::guard::Guard;
use self::pictures::Pictures;
pub(crate) use self::plans::Plans;
use self::problem::Problem;
pub(crate) use self::server::{Connections, serve};
pub(crate) use self::status::{ChannelStatus, Deck, ObsStatus, Problem as Reported, Status};
pub(crate) use self::token::Token;
use crate::archive::Archive;
use crate::convert::Jobs;
use crate::decks::Decks;
use crate::obs::Obs;
use crate::replays::Shelf;
use crate::source::Input;

/// What the handlers work with.
pub(crate) struct App {
    recorder: Arc<Recorder>,
    /// What the channels take their bytes from.
    inputs: Vec<status::Input>,
    shelf: Arc<Shelf>,
    archive: Arc<Archive>,
    /// What is known of the MP4s of its clips.
    plans: Arc<Plans>,
    pictures: Pictures,
    /// Pieces of previews.
    previews: Pictures,
    decks: Decks,
    jobs: Jobs,
    obs: Obs,
    /// Where deck main also plays, for answers.
    play_to: String,
    connections: Arc<Connections>,
    hls: hls::Hls,
    /// Places for those who listen to events.
    listeners: Arc<Semaphore>,
}

impl App {
    pub(crate) fn new(
        shelf: Arc<Shelf>,
        archive: Arc<Archive>,
        plans: Arc<Plans>,
        decks: Decks,
        jobs: Jobs,
        play_to: String,
        connections: Arc<Connections>,
    ) -> Self {
        let recorder = Arc::clone(shelf.look().recorder());
        let limit = recorder.memory().limit_bytes;
        Self {
            pictures: Pictures::new(limit),
            previews: Pictures::new(limit),
            recorder,
            inputs: Vec::new(),
            shelf,
            archive,
            plans,
            decks,
            jobs,
            obs: Obs::off(),
            play_to,
            connections,
            hls: hls::Hls::new(limit as u64),
            listeners: Arc::new(Semaphore::new(events::CLIENTS_MAX)),
        }
    }

    /// The same with an OBS that is watched over.
    pub(crate) fn with_obs(self, obs: Obs) -> Self {
        Self { obs, ..self }
    }

    /// Tells clients what the channels take their bytes from.
    pub(crate) fn taking_from<'a>(mut self, inputs: impl IntoIterator<Item = &'a Input>) -> Self {
        self.inputs = inputs.into_iter().map(status::Input::from).collect();
        self
    }
}

/// Bodies of requests are a few fields of JSON.
const BODY_MAX: usize = 64 << 10;

/// All routes, behind the guard.
pub(crate) fn router(app: Arc<App>, guard: Guard) -> Router {
    let guard = Arc::new(guard);
    Router::new()
        .route("/", get(page::index))
        .route("/assets/{file}", get(page::asset))
        .route("/video", get(media::video))
        // HEAD would play as well: it is no question here.
        .route("/play", get(media::play).head(method_not_allowed))
        .route("/obs/lookback.lua", get(hotkeys::script))
        .route("/clips/{file}", get(media::clip))
        .route("/replays/{file}", get(replays::media))
        .route("/replays/{id}/preview.m3u8", get(previews::playlist))
        .route("/replays/{id}/preview/{file}", get(previews::segment))
        .route("/thumbnails/{channel}/{file}", get(thumbnails::thumbnail))
        .route("/live/{file}", get(media::live))
        .route("/hls/{channel}/{file}", get(hls::playlist))
        .route("/hls/{channel}/{kind}/{file}", get(hls::media))
        .route("/decks/{file}", get(decks::feed).head(decks::feed_head))
        .route("/jobs/{id}/{file}", get(jobs::result))
        .route("/healthz", get(api::health))
        .route("/metrics", get(metrics::metrics))
        .route("/api/v1/openapi.yaml", get(openapi::document))
        .route("/api/v1/status", get(api::status))
        .route("/api/v1/channels", get(api::channels))
        .route("/api/v1/channels/{channel}/timeline", get(api::timeline))
        .route("/api/v1/channels/{channel}/{command}", post(api::control))
        .route("/api/v1/clips", post(api::make_clip))
        .route("/api/v1/replays", get(replays::list).post(replays::save))
        .route("/api/v1/replays/join", post(replays::join))
        .route(
            "/api/v1/replays/{id}",
            get(replays::show)
                .patch(replays::edit)
                .delete(replays::delete),
        )
        .route("/api/v1/replays/{id}/duplicate", post(replays::duplicate))
        .route("/api/v1/replays/{id}/split", post(replays::split))
        .route("/api/v1/clips/{clip}/convert", post(jobs::convert_clip))
        .route("/api/v1/clips/{clip}/export", post(jobs::export_clip))
        .route("/api/v1/replays/{id}/convert", post(jobs::convert_replay))
        .route("/api/v1/replays/{id}/export", post(jobs::export_replay))
        .route("/api/v1/library", get(library::list))
        .route("/api/v1/library/{file}/restore", post(library::restore))
        .route("/api/v1/presets", get(jobs::presets))
        .route("/api/v1/jobs", get(jobs::list))
        .route("/api/v1/jobs/{id}", get(jobs::one).delete(jobs::remove))
        .route("/api/v1/decks", get(decks::list))
        .route("/api/v1/decks/{deck}/{command}", post(decks::command))
        .route("/api/v1/obs/replay", post(obs::replay))
        .route("/api/v1/events", get(events::events))
        .merge(session::router(Arc::clone(&guard)))
        .merge(links::router(Arc::clone(&guard)))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .layer(middleware::from_fn(closed_to_other_sites))
        .layer(middleware::from_fn_with_state(guard, guard::layer))
        .with_state(app)
}

async fn not_found(uri: Uri) -> Problem {
    let detail = format!("there is nothing at {}; / says what there is", uri.path());
    Problem::new(StatusCode::NOT_FOUND, "not_found", detail)
}

async fn method_not_allowed(method: Method, uri: Uri) -> Problem {
    let detail = format!("{} does not take {method}", uri.path());
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
}

/// What a page of another site has loaded all the same, it may not look into.
async fn closed_to_other_sites(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let policy = HeaderValue::from_static("same-origin");
    headers.insert("cross-origin-resource-policy", policy);
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    response
}
