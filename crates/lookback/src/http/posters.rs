//! Posters: `/replays/ID.jpg` and `/clips/ID.jpg?at_s=`, one picture each.
//!
//! What goes to ffmpeg is a clip from the keyframe before the picture to a little behind it, so that one costs
//! the same wherever it lies in an hour of video. A page shows many, again and again: those asked for
//! last are kept, as many as fit into a fixed amount of memory, and only one is made at a time.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::Query;
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use bytes::Bytes;
use lookback_mpegts::Ticks;
use lookback_replay::{Angle, Clip, Gone, Rendition, Replay};
use serde::Deserialize;

use super::App;
use super::body::Stored;
use super::media::{self, ClipFile};
use super::problem::Problem;
use super::text;
use crate::convert::Footage;

/// Points from left to right at most: what a page shows, and not what is printed.
const WIDTH: u32 = 640;
/// Where a moment lies between two pictures, the later one is meant, as with in points; it comes within this.
const LOOK_AHEAD: Ticks = Ticks::SECOND;
/// For all that are kept: some dozens.
const BYTES_MAX: usize = 4 << 20;

/// Those that were asked for, those asked for last behind.
#[derive(Default)]
pub(super) struct Posters {
    kept: Mutex<VecDeque<(Key, Arc<Bytes>)>>,
    making: tokio::sync::Mutex<()>,
}

/// The clip, and the place on its timeline.
type Key = (String, Ticks);

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
    let poster = app.posters.poster(app, file.clip, at).await?;
    let tag = format!("\"{}-{}-jpg\"", file.clip.id(), at.0);
    media::stored(headers, &tag, file.about("jpg", "image/jpeg"), &poster)
}

impl Posters {
    async fn poster(&self, app: &App, clip: &Arc<Clip>, at: Ticks) -> Result<Arc<Bytes>, Problem> {
        let key = (clip.id().to_owned(), at);
        if let Some(poster) = self.known(&key) {
            return Ok(poster);
        }
        let _alone = self.making.lock().await;
        // Who waited may have waited for just this one.
        if let Some(poster) = self.known(&key) {
            return Ok(poster);
        }
        let poster = Arc::new(made(app, clip, at).await?);
        self.keep(key, Arc::clone(&poster));
        Ok(poster)
    }

    fn known(&self, key: &Key) -> Option<Arc<Bytes>> {
        let mut kept = self.lock();
        let at = kept.iter().position(|(known, _)| known == key)?;
        let found = kept.remove(at)?;
        let poster = Arc::clone(&found.1);
        kept.push_back(found);
        Some(poster)
    }

    fn keep(&self, key: Key, poster: Arc<Bytes>) {
        let mut kept = self.lock();
        kept.push_back((key, poster));
        let mut bytes: usize = kept.iter().map(|(_, poster)| poster.len()).sum();
        while bytes > BYTES_MAX
            && let Some((_, oldest)) = kept.pop_front()
        {
            bytes -= oldest.len();
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(Key, Arc<Bytes>)>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
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

impl Stored for Bytes {
    type Place = ();

    fn len(&self) -> u64 {
        self.len() as u64
    }

    fn read(&self, offset: u64, max: usize, (): &mut ()) -> Result<Bytes, Gone> {
        let from = usize::try_from(offset).map_or(self.len(), |offset| offset.min(self.len()));
        Ok(self.slice(from..self.len().min(from.saturating_add(max))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: i64) -> Key {
        ("clip".to_owned(), Ticks(number))
    }

    #[test]
    fn as_many_are_kept_as_fit_and_those_asked_for_last() {
        let posters = Posters::default();
        let poster = Arc::new(Bytes::from(vec![0; BYTES_MAX / 4]));
        for number in 0..4 {
            posters.keep(key(number), Arc::clone(&poster));
        }
        assert!(posters.known(&key(0)).is_some(), "all four fit");
        posters.keep(key(4), Arc::clone(&poster));
        let there = (0..5).filter(|number| posters.known(&key(*number)).is_some());
        assert_eq!(there.collect::<Vec<_>>(), [0, 2, 3, 4]);
        posters.keep(key(5), Arc::new(Bytes::from(vec![0; BYTES_MAX + 1])));
        assert!(
            posters.known(&key(5)).is_none(),
            "one alone may be too many"
        );
    }
}
