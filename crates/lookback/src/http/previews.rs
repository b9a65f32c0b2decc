//! Replays for browsers that cannot play them: `/replays/ID/preview.m3u8`, a small H.264 picture as HLS.
//!
//! It begins at 0 and has what is to be seen of the replay, a reel in one piece. Its segments are made when they are
//! asked for, so that any place of a long one is there at once.

use std::fmt::Write;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;
use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header, response};
use axum::response::Response;
use lookback_mpegts::Ticks;
use lookback_replay::Rendition;

use super::App;
use super::guard::QueryToken;
use super::media::{self, Finish, MPEG_TS};
use super::pictures::Key;
use super::problem::Problem;
use super::replays::{AngleOf, Words, angle};
use crate::convert::Piece;

/// How long segments are, about.
const LENGTH: Ticks = Ticks(2 * Ticks::SECOND.0);

/// Where the result begins, so that nothing in it lies before 0.
const START: Ticks = Ticks(10 * Ticks::SECOND.0);

/// `GET /replays/ID/preview.m3u8`
pub(super) async fn playlist(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Words(AngleOf { channel, .. }): Words<AngleOf>,
    token: Option<Extension<QueryToken>>,
) -> Result<Response, Problem> {
    app.jobs.makes_previews().await?;
    let rendition = rendition(&app, &id, channel.as_deref())?;
    let token = token.map(|Extension(QueryToken(token))| ("token", token));
    let channel = channel.map(|channel| ("channel", channel));
    let query: Vec<String> = channel
        .into_iter()
        .chain(token)
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let text = text(&rendition, &query.join("&"));
    response::Builder::new()
        .header(header::CONTENT_TYPE, "application/vnd.apple.mpegurl")
        .header(header::CACHE_CONTROL, media::MAY_CHANGE)
        .finish(Body::from(text))
}

/// `GET /replays/ID/preview/VERSION-NUMBER.ts`
pub(super) async fn segment(
    State(app): State<Arc<App>>,
    Path((id, file)): Path<(String, String)>,
    Words(AngleOf { channel, .. }): Words<AngleOf>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let unknown = || Problem::new(StatusCode::NOT_FOUND, "unknown_segment", NO_SEGMENT);
    let name = file.strip_suffix(".ts").ok_or_else(unknown)?;
    let (wanted, number) = name.split_once('-').ok_or_else(unknown)?;
    let number: usize = number.parse().map_err(|_| unknown())?;
    let rendition = rendition(&app, &id, channel.as_deref())?;
    let version = version(&rendition);
    if wanted != version {
        return Err(Problem::new(StatusCode::GONE, "replay_changed", CHANGED));
    }
    let segments = segments(&rendition.shown);
    let (pictures, shift) = segments.get(number).cloned().ok_or_else(unknown)?;
    let piece = Piece {
        clip: Arc::clone(&rendition.clip),
        sound: pictures.clone(),
        pictures,
        shift,
    };
    let tag = format!("\"preview-{version}-{number}\"");
    let key = Key {
        of: version,
        at: number as i64,
        width: 0,
    };
    let make = || async { Ok(app.jobs.preview(&piece).await?) };
    let made = app.previews.picture(key, &rendition.clip, make).await?;
    let head = response::Builder::new()
        .header(header::CONTENT_TYPE, MPEG_TS)
        .header(header::CACHE_CONTROL, media::IMMUTABLE);
    media::stored(&headers, &tag, head, &made)
}

const NO_SEGMENT: &str = "there is no such segment; preview.m3u8 says which there are";
const CHANGED: &str = "the replay has been changed: load preview.m3u8 again";

fn rendition(app: &App, id: &str, channel: Option<&str>) -> Result<Rendition, Problem> {
    let replay = app.shelf.look().named(id)?;
    Ok(angle(&replay, channel)?.rendition()?.clone())
}

/// Another one when anything else is to be seen.
fn version(rendition: &Rendition) -> String {
    let mut hasher = DefaultHasher::new();
    rendition.clip.id().hash(&mut hasher);
    for span in &rendition.shown {
        (span.start.0, span.end.0).hash(&mut hasher);
    }
    format!("{:016x}", hasher.finish())
}

/// What each segment shows of the clip's timeline, and by how much that is moved.
fn segments(shown: &[Range<Ticks>]) -> Vec<(Range<Ticks>, Ticks)> {
    let mut segments = Vec::new();
    let mut played = Ticks::ZERO;
    for span in shown {
        let length = span.end - span.start;
        // None is so short that no picture might be in it.
        let count = ((length.0 + LENGTH.0 / 2) / LENGTH.0).max(1);
        let at = |number: i64| span.start + Ticks(length.0 * number / count);
        let shift = START + played - span.start;
        segments.extend((0..count).map(|number| (at(number)..at(number + 1), shift)));
        played += length;
    }
    segments
}

fn text(rendition: &Rendition, query: &str) -> String {
    let version = version(rendition);
    let query = match query {
        "" => String::new(),
        query => format!("?{query}"),
    };
    let lengths: Vec<f64> = segments(&rendition.shown)
        .iter()
        .map(|(span, _)| (span.end - span.start).as_secs_f64())
        .collect();
    let target = lengths.iter().copied().fold(1.0, f64::max).ceil();
    let mut text = format!(
        "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:{target}\n#EXT-X-MEDIA-SEQUENCE:0\n\
         #EXT-X-PLAYLIST-TYPE:VOD\n#EXT-X-INDEPENDENT-SEGMENTS\n"
    );
    for (number, length) in lengths.iter().enumerate() {
        let uri = format!("preview/{version}-{number}.ts{query}");
        write!(text, "#EXTINF:{length:.5},\n{uri}\n").expect("a String takes any text");
    }
    text.push_str("#EXT-X-ENDLIST\n");
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn segments_show_everything_once_and_in_a_row(spans in prop::collection::vec((0..1_000_000_i64, 3_000..2_000_000_i64), 1..5)) {
            let shown: Vec<_> = spans.iter().map(|(start, length)| Ticks(*start)..Ticks(start + length)).collect();
            let mut played = START;
            for (span, shift) in segments(&shown) {
                prop_assert_eq!(span.start + shift, played);
                played = span.end + shift;
                let length = span.end - span.start;
                prop_assert!(length <= LENGTH + Ticks::SECOND && length >= Ticks(3_000));
            }
            let total: i64 = spans.iter().map(|(_, length)| length).sum();
            prop_assert_eq!(played - START, Ticks(total));
        }
    }
}
