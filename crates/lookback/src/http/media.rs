//! Video over HTTP: `/video`, `/clips/ID.ts` and `.mp4`, `/live/CHANNEL.ts`, `/play`.
//!
//! A clip's URL is a fixed thing: exact length, strong tag, ranges. `/video` is another thing with each
//! request, so one that asks for a range, as every player does, is led to a clip made for it. The
//! redirect may be kept by caches that are shared but by no browser: that is how players are made to
//! stay with one clip while they seek.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, http::response};
use lookback_replay::Clip;
use serde_json::{Value, json};

use super::App;
use super::body::{FileBody, LiveBody};
use super::file::{File, MPEG_TS};
use super::guard::QueryToken;
use super::problem::Problem;
use super::range;
use super::selection::{Wanted, channel};
use crate::clock;
use crate::decks::Command;
use crate::time::rfc3339;

const RUNS_LEFT_OUT: HeaderName = HeaderName::from_static("lookback-runs-left-out");
const STREAMS_LEFT_OUT: HeaderName = HeaderName::from_static("lookback-streams-left-out");

/// `GET /video`
pub(super) async fn video(
    State(app): State<Arc<App>>,
    token: Option<Extension<QueryToken>>,
    headers: HeaderMap,
    wanted: Wanted,
) -> Result<Response, Problem> {
    let now = clock::now();
    let clip = wanted.clip(&app.recorder, now)?;
    if !headers.contains_key(header::RANGE) {
        let file = File::Ts(clip);
        return whole(&file)
            .header(header::CACHE_CONTROL, "no-store")
            .finish(all_of(file)?);
    }
    app.recorder.keep_clip(&clip, now);
    // Who cannot set a header shows the token there too.
    let token = token.map(|Extension(QueryToken(token))| format!("?token={token}"));
    let location = format!("{}{}", url(&clip), token.unwrap_or_default());
    response::Builder::new()
        .status(StatusCode::TEMPORARY_REDIRECT)
        .header(header::LOCATION, location)
        .header(header::CACHE_CONTROL, "s-maxage=86400, max-age=0")
        .header(RUNS_LEFT_OUT, clip.runs_left_out())
        .finish(Body::empty())
}

/// `GET /clips/ID.ts` and `GET /clips/ID.mp4`
pub(super) async fn clip(
    State(app): State<Arc<App>>,
    Path(file): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (id, form) = file.rsplit_once('.').ok_or_else(Problem::unknown_clip)?;
    let known = |id| app.recorder.clip(id, clock::now());
    let file = match (form, known(id)) {
        ("ts", Some(clip)) => File::Ts(clip),
        ("mp4", Some(clip)) => File::Mp4(app.plans.mp4(&clip).await?),
        _ => return Err(Problem::unknown_clip()),
    };
    let text = |name| {
        headers
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok())
    };
    let (tag, len) = (file.tag(), file.len());
    // The bytes never change, and the id is never used again.
    let answer = whole(&file).header(header::CACHE_CONTROL, "private, max-age=86400, immutable");
    if range::none_match_names(text(header::IF_NONE_MATCH), &tag) {
        return answer
            .status(StatusCode::NOT_MODIFIED)
            .finish(Body::empty());
    }
    let asked = text(header::RANGE).filter(|_| range::if_range_holds(text(header::IF_RANGE), &tag));
    match range::wanted(asked, len) {
        range::Wanted::Whole => answer.finish(all_of(file)?),
        range::Wanted::Part(part) => answer
            .status(StatusCode::PARTIAL_CONTENT)
            .header(
                header::CONTENT_RANGE,
                format!("bytes {}-{}/{len}", part.start, part.end - 1),
            )
            .finish(part_of(file, part)?),
        range::Wanted::Unsatisfiable => Err(Problem::unsatisfiable(len)),
    }
}

/// `GET /live/CHANNEL.ts`: a range has no meaning in what never ends, and is ignored.
pub(super) async fn live(
    State(app): State<Arc<App>>,
    Path(file): Path<String>,
) -> Result<Response, Problem> {
    let name = file
        .strip_suffix(".ts")
        .ok_or_else(|| Problem::unknown_channel(&file))?;
    let follower = channel(&app.recorder, Some(name))?.follow();
    response::Builder::new()
        .header(header::CONTENT_TYPE, MPEG_TS)
        .header(header::CACHE_CONTROL, "no-store")
        .finish(Body::new(LiveBody::new(follower)))
}

/// `GET /play`: answers at once; deck main begins when somebody watches.
pub(super) async fn play(
    State(app): State<Arc<App>>,
    wanted: Wanted,
) -> Result<impl IntoResponse, Problem> {
    let clip = wanted.clip(&app.recorder, clock::now())?;
    let mut answer = described(&clip);
    answer["play_to"] = app.play_to.clone().into();
    app.decks.main().command(Command::Show(clip)).await?;
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(answer)))
}

/// A clip in the words of the API, but for its URL.
pub(super) fn described(clip: &Clip) -> Value {
    json!({
        "channel": clip.channel(),
        "start": rfc3339(clip.start()),
        "end": rfc3339(clip.end()),
        "duration_s": clip.duration().as_secs_f64(),
        "bytes": clip.len(),
        "runs": clip.runs(),
        "runs_left_out": clip.runs_left_out(),
    })
}

/// Where a clip that is kept is found.
pub(super) fn url(clip: &Clip) -> String {
    format!("/clips/{}.ts", clip.id())
}

/// The head of an answer with a file, or with a part of it.
fn whole(file: &File) -> response::Builder {
    let clip = file.clip();
    let started: String = rfc3339(clip.start())
        .chars()
        .filter(|c| c.is_ascii_digit())
        .take(14)
        .collect();
    let name = format!(
        "inline; filename=\"{}-{started}.{}\"",
        clip.channel(),
        file.extension()
    );
    let answer = response::Builder::new()
        .header(header::CONTENT_TYPE, file.media_type())
        .header(header::CONTENT_DISPOSITION, name)
        .header(header::ACCEPT_RANGES, "bytes")
        .header(header::ETAG, file.tag())
        .header(RUNS_LEFT_OUT, clip.runs_left_out());
    match file.streams_left_out() {
        Some(streams) => answer.header(STREAMS_LEFT_OUT, streams),
        None => answer,
    }
}

fn all_of(file: File) -> Result<Body, Problem> {
    let all = 0..file.len();
    part_of(file, all)
}

/// The bytes of a part, if the clip still has them.
fn part_of(file: File, part: std::ops::Range<u64>) -> Result<Body, Problem> {
    file.read(part.start, 1)?;
    Ok(Body::new(FileBody::new(file, part)))
}

pub(super) trait Finish {
    fn finish(self, body: Body) -> Result<Response, Problem>;
}

impl Finish for response::Builder {
    fn finish(self, body: Body) -> Result<Response, Problem> {
        Ok(self
            .body(body)
            .expect("names of channels, ids and tags are plain text"))
    }
}
