//! Posters: `/replays/ID.jpg` and `/clips/ID.jpg?at_s=`, one picture each.
//!
//! What goes to ffmpeg is a clip from the keyframe before the picture to a little behind it, so that one costs
//! the same wherever it lies in an hour of video.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::Query;
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use bytes::Bytes;
use lookback_mpegts::Ticks;
use lookback_replay::{Angle, Clip, Rendition, Replay};
use serde::Deserialize;

use super::App;
use super::media::{self, ClipFile};
use super::pictures::Key;
use super::problem::Problem;
use super::text;
use crate::convert::Footage;

/// Points from left to right at most: what a page shows, and not what is printed.
const WIDTH: u32 = 640;
/// Where a moment lies between two pictures, the later one is meant, as with in points; it comes within this.
const LOOK_AHEAD: Ticks = Ticks::SECOND;

/// Which picture of a clip.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct At {
    at_s: Option<f64>,
}

/// `GET /clips/ID.jpg`
pub(super) async fn of_clip(
    app: &App,
    clip: &Arc<Clip>,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let query = Query::try_from_uri(uri);
    let Query(At { at_s }) = query.map_err(|wrong| Problem::bad_request(wrong.body_text()))?;
    let length = clip.duration().as_secs_f64();
    let at_s = at_s.unwrap_or(0.0);
    if !(0.0..=length).contains(&at_s) {
        let detail = format!("at_s is a number of seconds up to {length:.3}");
        return Err(Problem::unprocessable("bad_parameter", detail));
    }
    let at = clip.timeline().start + Ticks::from_secs_f64(at_s);
    let file = ClipFile {
        clip,
        shown: &[],
        is_uncut: false,
        name: clip.channel(),
        caching: media::IMMUTABLE,
    };
    answer(app, &file, at, headers).await
}

/// `GET /replays/ID.jpg`
pub(super) async fn of_replay(
    app: &App,
    replay: &Replay,
    angle: &Angle,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let (clip, at) = replay.poster_of(angle);
    let file = ClipFile {
        clip,
        shown: &[],
        is_uncut: false,
        name: &text::file_name(replay.name()),
        caching: media::MAY_CHANGE,
    };
    answer(app, &file, at, headers).await
}

/// The first picture of a clip at or after a place on its timeline, or the last one.
async fn answer(
    app: &App,
    file: &ClipFile<'_>,
    at: Ticks,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let key = Key {
        of: file.clip.id().to_owned(),
        at: at.0,
        width: WIDTH,
    };
    let make = || made(app, file.clip, at);
    let poster = app.pictures.picture(key, file.clip, make).await?;
    let tag = format!("\"{}-{}-jpg\"", file.clip.id(), at.0);
    media::stored(headers, &tag, file.about("jpg", "image/jpeg"), &poster)
}

async fn made(app: &App, clip: &Arc<Clip>, at: Ticks) -> Result<Bytes, Problem> {
    let whole = clip.timeline();
    let at = at.clamp(whole.start, whole.end - Ticks(1));
    let cut = Rendition::new(&[(Arc::clone(clip), at..at + LOOK_AHEAD)])?;
    let into = cut.shown[0].start - cut.clip.timeline().start;
    let into = Duration::try_from_secs_f64(into.as_secs_f64()).unwrap_or_default();
    let footage = Footage::of_clip(Arc::clone(&cut.clip));
    Ok(app.jobs.still(&footage, into, WIDTH).await?)
}
