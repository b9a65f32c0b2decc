//! The JSON API, under `/api/v1`.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, Path, Request, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use lookback_replay::ClipError;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::App;
use super::decks;
use super::media;
use super::problem::Problem;
use super::replays::Words;
use super::selection::{Wanted, channel};
use super::status::{ChannelStatus, Memory, Status, Stretch};
use crate::clock;

/// `GET status`
pub(super) async fn status(State(app): State<Arc<App>>) -> impl IntoResponse {
    (FRESH, Json(now(&app)))
}

/// `GET channels`
pub(super) async fn channels(State(app): State<Arc<App>>) -> impl IntoResponse {
    (FRESH, Json(all_channels(&app)))
}

/// `GET channels/CHANNEL/timeline`: what the window consists of, in the segments of HLS.
pub(super) async fn timeline(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    Words(After { after }): Words<After>,
) -> Result<impl IntoResponse, Problem> {
    let channel = channel(&app.recorder, Some(&name))?;
    let segments = match channel.segments() {
        Ok(segments) => segments.list,
        Err(ClipError::Empty { .. }) => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    let first = segments.first().map(|segment| segment.number);
    let wanted = segments.iter();
    let wanted = wanted.filter(|segment| after.is_none_or(|after| segment.number > after));
    let shown: Vec<Stretch> = wanted.map(Stretch::from).collect();
    Ok((FRESH, Json(json!({"first": first, "segments": shown}))))
}

/// `POST clips`
pub(super) async fn make_clip(
    State(app): State<Arc<App>>,
    Body(wanted): Body<Wanted>,
) -> Result<impl IntoResponse, Problem> {
    let now = clock::now();
    let clip = wanted.clip(&app.recorder, now)?;
    app.recorder.keep_clip(&clip, now);
    let url = media::url(&clip);
    let mut answer = media::described(&clip);
    answer["id"] = clip.id().into();
    answer["url"] = url.clone().into();
    Ok((StatusCode::CREATED, [(header::LOCATION, url)], Json(answer)))
}

/// `POST channels/CHANNEL/pause`, `resume` and `clear`
pub(super) async fn control(
    State(app): State<Arc<App>>,
    Path((name, command)): Path<(String, String)>,
    Body(Nothing {}): Body<Nothing>,
) -> Result<impl IntoResponse, Problem> {
    let channel = channel(&app.recorder, Some(&name))?;
    match command.as_str() {
        "pause" => channel.set_paused(true),
        "resume" => channel.set_paused(false),
        "clear" => channel.clear(),
        _ => {
            let known = "channels take pause, resume and clear";
            return Err(Problem::new(StatusCode::NOT_FOUND, "not_found", known));
        }
    }
    tracing::info!("{name}: {command}");
    Ok(Json(ChannelStatus::from(channel.status(clock::now()))))
}

/// `GET /healthz`
pub(super) async fn health() -> impl IntoResponse {
    (FRESH, Json(json!({"status": "ok"})))
}

/// The status at this moment.
pub(super) fn now(app: &App) -> Status {
    Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        memory: Memory::from(app.recorder.memory()),
        channels: all_channels(app),
        inputs: app.inputs.clone(),
        decks: decks::all(app),
        obs: app.obs.state().into(),
    }
}

pub(super) const FRESH: [(header::HeaderName, &str); 1] = [(header::CACHE_CONTROL, "no-store")];

fn all_channels(app: &App) -> Vec<ChannelStatus> {
    let now = clock::now();
    app.recorder
        .channels()
        .iter()
        .map(|channel| channel.status(now).into())
        .collect()
}

/// Of which segments somebody knows already.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct After {
    after: Option<u64>,
}

/// A body that says nothing: `{}`, or none.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

/// A body of JSON; none is taken for `{}`. That it says so itself has been seen to by the guard.
pub(super) struct Body<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let bytes = Bytes::from_request(request, state)
            .await
            .map_err(unreadable)?;
        let json = if bytes.is_empty() { b"{}" } else { &bytes[..] };
        match serde_json::from_slice(json) {
            Ok(value) => Ok(Self(value)),
            Err(error) => Err(Problem::bad_request(format!(
                "the body cannot be read: {error}"
            ))),
        }
    }
}

fn unreadable(rejection: BytesRejection) -> Problem {
    Problem::new(rejection.status(), "bad_request", rejection.body_text())
}
