//! Thumbnails: `/thumbnails/CHANNEL/TIME.jpg`, the keyframe at or before a moment.
//!
//! Pages that show a timeline ask for as many as they show, when they show them. A keyframe is found in the index, and
//! decoded for itself; several that are waited for are decoded by one ffmpeg.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::Response;
use serde::Deserialize;

use super::App;
use super::media::{self, ClipFile};
use super::pictures::Key;
use super::problem::Problem;
use super::replays::Words;
use super::selection::channel;
use crate::clock;
use crate::time::{Moment, rfc3339};

/// When the keyframe was recorded that is shown.
const TIME: HeaderName = HeaderName::from_static("lookback-time");

/// Points from left to right at most.
const WIDTH: u32 = 320;
const WIDTH_MIN: u32 = 16;
const WIDTH_MAX: u32 = 640;

/// Times are told in whole milliseconds, and the one that is told of a keyframe leads to it.
const ROUNDING: Duration = Duration::from_micros(999);

/// How large.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Size {
    width: Option<u32>,
}

/// `GET /thumbnails/CHANNEL/TIME.jpg`
pub(super) async fn thumbnail(
    State(app): State<Arc<App>>,
    Path((name, file)): Path<(String, String)>,
    Words(Size { width }): Words<Size>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let time = file.strip_suffix(".jpg").ok_or_else(unknown)?;
    let moment: Moment = time.parse().map_err(Problem::bad_request)?;
    let width = width.unwrap_or(WIDTH);
    if !(WIDTH_MIN..=WIDTH_MAX).contains(&width) {
        let detail = format!("width is a number of points from {WIDTH_MIN} to {WIDTH_MAX}");
        return Err(Problem::unprocessable("bad_parameter", detail));
    }
    let channel = channel(&app.recorder, Some(&name))?;
    let keyframe = channel.keyframe(moment.wall(clock::now()) + ROUNDING)?;
    let key = Key {
        of: name,
        // Logs end far before numbers do.
        at: i64::try_from(keyframe.offset).unwrap_or(i64::MAX),
        width,
    };
    // What the time is a name of today it is a name of for ever, if nothing can come in between.
    let is_for_ever = matches!(moment, Moment::At(_)) && keyframe.is_settled;
    let file = ClipFile {
        clip: &keyframe.clip,
        shown: &[],
        is_uncut: false,
        name: channel.name(),
        caching: match is_for_ever {
            true => media::IMMUTABLE,
            false => media::MAY_CHANGE,
        },
    };
    let tag = app.pictures.tag(&key);
    let head = file.about("jpg", "image/jpeg");
    let head = head.header(TIME, rfc3339(keyframe.start));
    let picture = app.pictures.of_keyframe(&app, key, &keyframe.clip).await?;
    media::stored(&headers, &tag, head, &picture)
}

fn unknown() -> Problem {
    let detail = "a thumbnail is /thumbnails/CHANNEL/TIME.jpg, with a time such as -30s";
    Problem::new(StatusCode::NOT_FOUND, "not_found", detail)
}
