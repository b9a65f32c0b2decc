//! Video over HTTP: `/video`, `/clips/ID.ts`, `.mp4` and `.jpg`, `/live/CHANNEL.ts`, `/play`.
//!
//! A clip's URL is a fixed thing: exact length, strong tag, ranges. `/video` is another thing with each
//! request, so one that asks for a range, as every player does, is led to a clip made for it. The
//! redirect may be kept by caches that are shared but by no browser: that is how players are made to
//! stay with one clip while they seek.

use std::ops::Range;
use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, http::response};
use lookback_mpegts::Ticks;
use lookback_replay::Clip;
use serde_json::{Value, json};

use super::App;
use super::body::{LiveBody, Stored, StoredBody};
use super::guard::QueryToken;
use super::posters;
use super::problem::Problem;
use super::range;
use super::selection::{Wanted, channel};
use crate::clock;
use crate::decks::Command;
use crate::time::{in_digits, rfc3339};

const RUNS_LEFT_OUT: HeaderName = HeaderName::from_static("lookback-runs-left-out");
const STREAMS_LEFT_OUT: HeaderName = HeaderName::from_static("lookback-streams-left-out");

/// Of what never changes, under an address that is never used again.
pub(super) const IMMUTABLE: &str = "private, max-age=86400, immutable";

/// Of what may be changed at any time, so that a cache has to ask.
pub(super) const MAY_CHANGE: &str = "private, no-cache";

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
        let file = ClipFile {
            clip: &clip,
            shown: &[],
            is_uncut: false,
            name: clip.channel(),
            caching: "no-store",
        };
        return file.answer(&app, Form::Ts, &HeaderMap::new()).await;
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

/// `GET /clips/ID.ts`, `GET /clips/ID.mp4` and `GET /clips/ID.jpg`
pub(super) async fn clip(
    State(app): State<Arc<App>>,
    Path(file): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let kept = |id| {
        let clip = app.recorder.clip(id, clock::now());
        clip.ok_or_else(Problem::unknown_clip)
    };
    if let Some(id) = file.strip_suffix(".jpg") {
        return posters::of_clip(&app, &kept(id)?, &uri, &headers).await;
    }
    let (id, form) = form_of(&file).ok_or_else(Problem::unknown_clip)?;
    let clip = kept(id)?;
    let file = ClipFile {
        clip: &clip,
        shown: &[],
        is_uncut: false,
        name: clip.channel(),
        caching: IMMUTABLE,
    };
    file.answer(&app, form, &headers).await
}

/// A clip as it is downloaded.
pub(super) struct ClipFile<'a> {
    pub(super) clip: &'a Arc<Clip>,
    /// What is to be seen of it; nothing: all. A transport stream cannot say so.
    pub(super) shown: &'a [Range<Ticks>],
    /// Whether an MP4 says nothing of that.
    pub(super) is_uncut: bool,
    /// What the file is called, before the time and the ending.
    pub(super) name: &'a str,
    pub(super) caching: &'static str,
}

/// What it is downloaded as.
#[derive(Clone, Copy)]
pub(super) enum Form {
    Ts,
    Mp4,
}

impl ClipFile<'_> {
    pub(super) async fn answer(
        &self,
        app: &App,
        form: Form,
        headers: &HeaderMap,
    ) -> Result<Response, Problem> {
        match form {
            Form::Ts => {
                let tag = format!("\"{}\"", self.clip.id());
                stored(headers, &tag, self.about("ts", MPEG_TS), self.clip)
            }
            Form::Mp4 => {
                let mp4 = app.plans.mp4(self.clip, self.shown, self.is_uncut).await?;
                let mp4 = Arc::new(mp4);
                let mut head = self.about("mp4", "video/mp4");
                let missing: Vec<String> = mp4.left_out().iter().map(ToString::to_string).collect();
                if !missing.is_empty() {
                    head = head.header(STREAMS_LEFT_OUT, missing.join(", "));
                }
                stored(headers, mp4.tag(), head, &mp4)
            }
        }
    }

    /// The head of an answer with it, or with a part of it.
    pub(super) fn about(&self, ending: &str, media_type: &'static str) -> response::Builder {
        let started = in_digits(self.clip.start());
        let file = format!("inline; filename=\"{}-{started}.{ending}\"", self.name);
        response::Builder::new()
            .header(header::CONTENT_TYPE, media_type)
            .header(header::CONTENT_DISPOSITION, file)
            .header(header::CACHE_CONTROL, self.caching)
            .header(RUNS_LEFT_OUT, self.clip.runs_left_out())
    }
}

/// What the name of a file says: the id, and the form.
pub(super) fn form_of(file: &str) -> Option<(&str, Form)> {
    match file.rsplit_once('.')? {
        (id, "ts") => Some((id, Form::Ts)),
        (id, "mp4") => Some((id, Form::Mp4)),
        _ => None,
    }
}

/// What is stored, or the part of it that is asked for. `head` says what it is.
pub(super) fn stored<T: Stored>(
    headers: &HeaderMap,
    tag: &str,
    head: response::Builder,
    stored: &Arc<T>,
) -> Result<Response, Problem> {
    let head = head
        .header(header::ETAG, tag)
        .header(header::ACCEPT_RANGES, "bytes");
    let text = |name| {
        headers
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok())
    };
    if range::none_match_names(text(header::IF_NONE_MATCH), tag) {
        return head.status(StatusCode::NOT_MODIFIED).finish(Body::empty());
    }
    let asked = text(header::RANGE).filter(|_| range::if_range_holds(text(header::IF_RANGE), tag));
    match range::wanted(asked, stored.len()) {
        range::Wanted::Whole => head.finish(part_of(stored, 0..stored.len())?),
        range::Wanted::Part(part) => head
            .status(StatusCode::PARTIAL_CONTENT)
            .header(
                header::CONTENT_RANGE,
                format!("bytes {}-{}/{}", part.start, part.end - 1, stored.len()),
            )
            .finish(part_of(stored, part)?),
        range::Wanted::Unsatisfiable => Err(Problem::unsatisfiable(stored.len())),
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

pub(super) const MPEG_TS: &str = "video/mp2t";

/// The bytes of a part, if they are still there.
fn part_of<T: Stored>(stored: &Arc<T>, part: Range<u64>) -> Result<Body, Problem> {
    stored.read(part.start, 1, &mut T::Place::default())?;
    Ok(Body::new(StoredBody::new(Arc::clone(stored), part)))
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
