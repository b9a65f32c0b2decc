//! Conversions and exports over HTTP: `/api/v1/presets`, `convert` and `export` below `clips/ID` and
//! `replays/ID`, `jobs`, and the results at `/jobs/ID/FILE`.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use lookback_replay::ReplayError;
use serde::Deserialize;
use serde_json::Value;

use super::App;
use super::api::{Body, FRESH};
use super::media;
use super::problem::Problem;
use super::replays::{self, AngleOf, Words};
use super::text;
use crate::clock;
use crate::convert::{Footage, Job, Made, Part, Target, Task};

/// The body of `convert`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Convert {
    preset: String,
    #[serde(default)]
    parameters: BTreeMap<String, Value>,
    in_s: Option<f64>,
    out_s: Option<f64>,
}

/// The body of `export`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Export {
    /// "ts", "mp4", or a preset.
    format: Option<String>,
    #[serde(default)]
    parameters: BTreeMap<String, Value>,
    in_s: Option<f64>,
    out_s: Option<f64>,
    name: Option<String>,
    #[serde(default)]
    tags: Vec<String>,
}

/// What an export writes when nothing else is asked for: what was recorded.
const AS_RECORDED: &str = "ts";

/// `GET presets`
pub(super) async fn presets(State(app): State<Arc<App>>) -> impl IntoResponse {
    (FRESH, Json(app.jobs.presets().await))
}

/// `POST clips/ID/convert`
pub(super) async fn convert_clip(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Body(asked): Body<Convert>,
) -> Result<Response, Problem> {
    let footage = clip(&app, &id)?;
    convert(&app, id, footage, asked).await
}

/// `POST clips/ID/export`
pub(super) async fn export_clip(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Body(asked): Body<Export>,
) -> Result<Response, Problem> {
    let footage = clip(&app, &id)?;
    export(&app, id, footage, asked).await
}

/// `POST replays/ID/convert`
pub(super) async fn convert_replay(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Words(angle): Words<AngleOf>,
    Body(asked): Body<Convert>,
) -> Result<Response, Problem> {
    let footage = replay(&app, &id, &angle)?;
    convert(&app, id, footage, asked).await
}

/// `POST replays/ID/export`
pub(super) async fn export_replay(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Words(angle): Words<AngleOf>,
    Body(asked): Body<Export>,
) -> Result<Response, Problem> {
    let footage = replay(&app, &id, &angle)?;
    export(&app, id, footage, asked).await
}

fn replay(app: &App, id: &str, of: &AngleOf) -> Result<Footage, Problem> {
    let replay = app.shelf.look().named(id)?;
    if replay.is_growing() {
        return Err(ReplayError::Growing.into());
    }
    let rendition = replays::angle(&replay, of.channel.as_deref())?.rendition()?;
    Ok(Footage::of_replay(rendition, replay.name(), replay.tags()))
}

fn clip(app: &App, id: &str) -> Result<Footage, Problem> {
    let clip = app.recorder.clip(id, clock::now());
    clip.map(Footage::of_clip).ok_or_else(Problem::unknown_clip)
}

async fn convert(
    app: &App,
    source: String,
    footage: Footage,
    asked: Convert,
) -> Result<Response, Problem> {
    let Convert {
        preset,
        parameters,
        in_s,
        out_s,
    } = asked;
    let footage = part(footage, Part { in_s, out_s })?;
    let task = Task::Convert(app.jobs.recipe(&preset, &parameters)?);
    begun(
        app.jobs
            .begin(source, footage, task, Target::Memory)
            .await?,
    )
}

async fn export(
    app: &App,
    source: String,
    footage: Footage,
    asked: Export,
) -> Result<Response, Problem> {
    let Export {
        format,
        parameters,
        in_s,
        out_s,
        name,
        tags,
    } = asked;
    let mut footage = part(footage, Part { in_s, out_s })?;
    footage.name = name.or(footage.name);
    let known = std::mem::take(&mut footage.tags);
    footage.tags = text::tags(&[known, tags].concat())?;
    let task = app
        .jobs
        .task(format.as_deref().unwrap_or(AS_RECORDED), &parameters)?;
    begun(
        app.jobs
            .begin(source, footage, task, Target::Library)
            .await?,
    )
}

fn part(footage: Footage, part: Part) -> Result<Footage, Problem> {
    footage
        .part(part)
        .map_err(|detail| Problem::unprocessable("bad_parameter", detail))
}

fn begun(job: Arc<Job>) -> Result<Response, Problem> {
    let location = format!("/api/v1/jobs/{}", job.id());
    let answer = (
        StatusCode::ACCEPTED,
        [(header::LOCATION, location)],
        Json(job.shown()),
    );
    Ok(answer.into_response())
}

/// `GET jobs`
pub(super) async fn list(State(app): State<Arc<App>>) -> impl IntoResponse {
    let jobs: Vec<Value> = app.jobs.all().iter().map(|job| job.shown()).collect();
    (FRESH, Json(jobs))
}

/// `GET jobs/ID`
pub(super) async fn one(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<impl IntoResponse, Problem> {
    let job = app.jobs.job(&id).ok_or_else(Problem::unknown_job)?;
    Ok((FRESH, Json(job.shown())))
}

/// `DELETE jobs/ID`: stops it, and forgets one that is over.
pub(super) async fn remove(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<impl IntoResponse, Problem> {
    let job = app.jobs.remove(&id).ok_or_else(Problem::unknown_job)?;
    Ok((FRESH, Json(job.shown())))
}

/// `GET /jobs/ID/FILE`
pub(super) async fn result(
    State(app): State<Arc<App>>,
    Path((id, file)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let job = app.jobs.job(&id).filter(|job| job.file() == file);
    let job = job.ok_or_else(Problem::unknown_job)?;
    let Some(Made::Product(product)) = job.made(clock::now()) else {
        let detail = "the job has no result here: /api/v1/jobs says how it stands";
        return Err(Problem::new(StatusCode::CONFLICT, "no_result", detail));
    };
    let tag = format!("\"{id}\"");
    let head = Response::builder()
        .header(header::CONTENT_TYPE, content_type(&file))
        .header(
            header::CONTENT_DISPOSITION,
            format!("inline; filename=\"{file}\""),
        )
        .header(header::CACHE_CONTROL, media::IMMUTABLE);
    media::stored(&headers, &tag, head, &product)
}

fn content_type(file: &str) -> &'static str {
    match file.rsplit('.').next().unwrap_or_default() {
        "mp4" => "video/mp4",
        "m4a" => "audio/mp4",
        "mkv" => "video/x-matroska",
        "webm" => "video/webm",
        "mov" => "video/quicktime",
        "ts" => media::MPEG_TS,
        "mp3" => "audio/mpeg",
        "ogg" | "opus" => "audio/ogg",
        "wav" => "audio/wav",
        "flac" => "audio/flac",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        _ => "application/octet-stream",
    }
}
