//! The scene with the replay: made, recognised, taken away.
//!
//! It is a scene of its own with one media source in it, which shows the feed of a deck. Sources and
//! scenes share their names in OBS, so the source is called after the scene, and not like it.

use serde_json::{Value, json};

use super::connection::Refusal;
use super::journal::fingerprint;
use super::studio::{self, Studio, VideoSettings};

/// The name of the media source in a scene of this name.
pub(crate) fn source_in(scene: &str) -> String {
    format!("{scene} feed")
}

/// Makes what is missing of a scene that shows `url`, on all of the canvas.
pub(crate) async fn make(
    studio: &impl Studio,
    scene: &str,
    url: &str,
    canvas: &VideoSettings,
) -> Result<(), Refusal> {
    if !studio::scenes(studio).await?.has(scene) {
        studio::create_scene(studio, scene).await?;
    }
    let source = source_in(scene);
    if item_of(studio, scene, &source).await?.is_some() {
        return Ok(());
    }
    let item = studio::create_input(studio, scene, &source, MEDIA_SOURCE, settings(url)).await?;
    let transform = json!({
        "positionX": 0, "positionY": 0, "alignment": TOP_LEFT,
        "boundsType": "OBS_BOUNDS_SCALE_INNER", "boundsAlignment": CENTRE,
        "boundsWidth": canvas.base_width, "boundsHeight": canvas.base_height,
    });
    studio::transform_scene_item(studio, scene, item, transform).await
}

const MEDIA_SOURCE: &str = "ffmpeg_source";

/// Values of `alignment`.
const TOP_LEFT: u32 = 5;
const CENTRE: u32 = 0;

/// A media source that stays on a feed without end. OBS must not open it again when the scene is shown,
/// nor close it when it is hidden, so that a replay is there at once; and it is to show the last picture
/// for as long as none comes.
fn settings(url: &str) -> Value {
    json!({
        "is_local_file": false, "input": url, "input_format": "mpegts", "buffering_mb": 1,
        "reconnect_delay_sec": 1, "restart_on_activate": false, "clear_on_media_end": false,
        "close_when_inactive": false, "seekable": false,
    })
}

async fn item_of(studio: &impl Studio, scene: &str, source: &str) -> Result<Option<i64>, Refusal> {
    let items = studio::scene_items(studio, scene).await?;
    let item = items.into_iter().find(|item| item.source_name == source);
    Ok(item.map(|item| item.scene_item_id))
}

/// Stands for the scene, for the source, and for where else the source is used; `None` where there is no
/// such scene with this source.
pub(crate) async fn current_fingerprint(
    studio: &impl Studio,
    scene: &str,
) -> Result<Option<String>, Refusal> {
    let scenes = studio::scenes(studio).await?;
    let source = source_in(scene);
    if !scenes.has(scene) {
        return Ok(None);
    }
    let Some(item) = item_of(studio, scene, &source).await? else {
        return Ok(None);
    };
    let mut parts = vec![studio::input_settings(studio, &source).await?.to_string()];
    let transform = studio::scene_item_transform(studio, scene, item).await?;
    // Not how large the source is, which depends on what it shows.
    for name in SHAPE {
        parts.push(format!("{name}={}", transform[name]));
    }
    for name in [scene, &source] {
        parts.push(studio::filters(studio, name).await?.to_string());
    }
    for other in &scenes.scenes {
        for item in studio::scene_items(studio, &other.name).await? {
            if other.name == scene || item.source_name == source {
                parts.push(format!("{} in {}", item.source_name, other.name));
            }
        }
    }
    Ok(Some(fingerprint(parts.iter().map(String::as_str))))
}

/// What a user changes of a scene item by hand.
const SHAPE: [&str; 14] = [
    "positionX",
    "positionY",
    "rotation",
    "scaleX",
    "scaleY",
    "alignment",
    "boundsType",
    "boundsAlignment",
    "boundsWidth",
    "boundsHeight",
    "cropLeft",
    "cropRight",
    "cropTop",
    "cropBottom",
];

/// Takes scene and source away, as far as they are there; says whether the scene was.
pub(crate) async fn remove(studio: &impl Studio, scene: &str) -> Result<bool, Refusal> {
    was_there(studio::remove_input(studio, &source_in(scene)).await)?;
    was_there(studio::remove_scene(studio, scene).await)
}

/// What is not there need not be removed.
fn was_there(answer: Result<(), Refusal>) -> Result<bool, Refusal> {
    match answer {
        Ok(()) => Ok(true),
        Err(refusal) if refusal.is_not_found() => Ok(false),
        Err(refusal) => Err(refusal),
    }
}
