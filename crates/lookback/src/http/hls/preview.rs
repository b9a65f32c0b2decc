//! Segments as a small picture, for browsers that cannot play what is recorded.
//!
//! Pictures are parted as they are decoded, and sound by the clock, as in other segments: in an open group the first
//! pictures are shown in front of the keyframe.

use std::sync::Arc;

use axum::body::Bytes;
use lookback_mpegts::Ticks;
use lookback_replay::{Clip, Segment};

use crate::convert::Piece;
use crate::http::App;
use crate::http::pictures::Key;
use crate::http::problem::Problem;

/// The preview of a segment, known or made.
pub(super) async fn of(
    app: &App,
    segment: Segment,
    clip: &Arc<Clip>,
) -> Result<Arc<Bytes>, Problem> {
    let key = Key {
        of: clip.channel().to_owned(),
        at: segment.number as i64,
        width: 0,
    };
    let make = || async {
        let mut pictures = clip.units_of(&segment);
        let mut shown = segment.span.start..segment.span.start;
        while let Some(unit) = pictures.next_placed()? {
            if unit.stream == 0 {
                shown.start = shown.start.min(unit.pts);
                shown.end = shown.end.max(unit.pts + Ticks(1));
            }
        }
        let piece = Piece {
            clip: Arc::clone(clip),
            pictures: shown,
            sound: segment.span.clone(),
            shift: Ticks::ZERO,
        };
        Ok(app.jobs.preview(&piece).await?)
    };
    app.previews.picture(key, clip, make).await
}
