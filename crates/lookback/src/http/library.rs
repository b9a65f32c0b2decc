//! The library over HTTP: what lies there, and how it comes back into memory.

use std::io::{self, Read};
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use lookback_mpegts::Ticks;
use lookback_replay::{Replay, ReplayError};
use serde_json::Value;
use tokio::task::spawn_blocking;

use super::App;
use super::api::{Body, FRESH, Nothing};
use super::problem::Problem;
use super::replays;
use super::text;
use crate::clock;
use crate::convert::NotBegun;
use crate::library::{Entry, Library, NotRead};
use crate::time::Moment;

/// `GET library`: the newest first.
pub(super) async fn list(State(app): State<Arc<App>>) -> Result<impl IntoResponse, Problem> {
    let library = library(&app)?;
    let entries = spawn_blocking(move || library.entries()).await;
    let entries = entries.map_err(io::Error::other).flatten();
    let entries = entries.map_err(|error| failed(error.to_string()))?;
    let shown: Vec<Value> = entries.into_iter().map(shown).collect();
    Ok((FRESH, Json(shown)))
}

/// `POST library/FILE/restore`: reads a transport stream back into memory, as a replay like any other.
pub(super) async fn restore(
    State(app): State<Arc<App>>,
    Path(file): Path<String>,
    Body(Nothing {}): Body<Nothing>,
) -> Result<impl IntoResponse, Problem> {
    let library = library(&app)?;
    let read = spawn_blocking(move || read(&app, &library, &file)).await;
    let replay = read.map_err(|error| failed(error.to_string()))??;
    Ok(replays::created(&replay, replays::described(&replay)))
}

fn read(app: &App, library: &Library, file: &str) -> Result<Arc<Replay>, Problem> {
    let (entry, mut opened) = library.find(file)?;
    if !file.ends_with(".ts") {
        let detail = "only transport streams come back into memory: export replays as ts";
        return Err(Problem::unprocessable("not_restorable", detail));
    }
    let _alone = app.shelf.restoring();
    let now = clock::now();
    let replays = app.shelf.look();
    replays
        .room_for(entry.bytes, now)
        .map_err(ReplayError::from)?;
    let word = |key: &str| entry.about.get(key).and_then(Value::as_str);
    let channel = app.recorder.aside(word("channel").unwrap_or("library"));
    // It is found where it was recorded.
    let end = word("end").and_then(|end| end.parse::<Moment>().ok());
    let end = end.map_or(now, |end| end.wall(now));
    let mut writer = channel
        .connect(file, end)
        .expect("nobody else knows the channel");
    // What has grown since it was looked at is not to take more room than there is.
    let mut left = entry.bytes;
    while left > 0 {
        let spare = writer.spare();
        let most = usize::try_from(left).map_or(spare.len(), |left| left.min(spare.len()));
        match opened.read(&mut spare[..most]) {
            Ok(0) => break,
            Ok(len) => {
                writer.commit(len, end);
                left -= len as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(NotRead::Failed(file.to_owned(), error).into()),
        }
    }
    drop(writer);
    let shown: Option<Vec<[f64; 2]>> = entry
        .about
        .get("shown_s")
        .and_then(|shown| serde_json::from_value(shown.clone()).ok());
    let shown = shown.unwrap_or_default();
    let shown: Vec<_> = shown
        .iter()
        .map(|&[start, end]| Ticks::from_secs_f64(start)..Ticks::from_secs_f64(end))
        .collect();
    let name = word("name").map(text::name).transpose()?;
    let tags = entry.about.get("tags").cloned().unwrap_or_default();
    let tags: Vec<String> = serde_json::from_value(tags).unwrap_or_default();
    let tags = text::tags(&tags)?;
    Ok(app
        .shelf
        .change(|replays| replays.restore(&channel, &shown, name, tags, now))?)
}

fn library(app: &App) -> Result<Arc<Library>, Problem> {
    let library = app.jobs.library().cloned();
    library.ok_or_else(|| NotBegun::NoLibrary.into())
}

fn shown(entry: Entry) -> Value {
    let mut shown = Value::Object(entry.about);
    shown["file"] = entry.file.into();
    shown["bytes"] = entry.bytes.into();
    shown
}

fn failed(detail: String) -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "library_failed", detail)
}

impl From<NotRead> for Problem {
    fn from(error: NotRead) -> Self {
        match error {
            NotRead::Unknown(_) => {
                Self::new(StatusCode::NOT_FOUND, "unknown_file", error.to_string())
            }
            NotRead::Failed(..) => failed(error.to_string()),
        }
    }
}
