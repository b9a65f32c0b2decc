//! Replays over HTTP: to keep a moment, to find it again, to change it, and to watch it.

use std::sync::Arc;

use axum::Json;
use axum::extract::{FromRequestParts, Path, Query, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use lookback_deck::Speed;
use lookback_mpegts::Ticks;
use lookback_replay::{Angle, Edit, Replay, Save, Trim, Wall};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::App;
use super::api::{Body, FRESH, Nothing};
use super::media::{self, ClipFile};
use super::posters;
use super::problem::Problem;
use super::selection::{self, Wanted};
use super::text;
use crate::clock;
use crate::settings::Period;
use crate::time::{Moment, rfc3339};

/// `POST replays`: keeps a moment, counted from when the request came. It is carried through also when
/// whoever asked has gone while others were moved for it.
pub(super) async fn save(
    State(app): State<Arc<App>>,
    Body(body): Body<SaveBody>,
) -> Result<impl IntoResponse, Problem> {
    let now = clock::now();
    let clear = body.clear;
    let save = body.save(&app, now)?;
    let saved = tokio::spawn(async move { kept(&app, &save, clear, now).await });
    let (replay, answer) = saved.await.expect("it ends by itself")?;
    Ok(created(&replay, answer))
}

async fn kept(
    app: &App,
    save: &Save,
    clear: bool,
    now: Wall,
) -> Result<(Arc<Replay>, Value), Problem> {
    let (saved, moved) = app.archive.save(save, now).await?;
    for angle in saved.replay.angles().iter().filter(|_| clear) {
        if let Some(channel) = app.recorder.channel(angle.channel()) {
            channel.clear();
        }
    }
    for gone in &saved.dropped {
        tracing::warn!(
            "replay {} ({}) was dropped to make room",
            gone.name(),
            gone.id()
        );
    }
    let dropped: Vec<&str> = saved.dropped.iter().map(|gone| gone.id()).collect();
    let mut answer = described(&saved.replay);
    answer["dropped"] = dropped.into();
    answer["moved"] = moved.into();
    Ok((saved.replay, answer))
}

/// `GET replays`: the newest first.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    Words(search): Words<Search>,
) -> impl IntoResponse {
    let now = clock::now();
    let all = app.shelf.look().all();
    let found = all.iter().rev().filter(|replay| search.finds(replay, now));
    let found: Vec<Value> = found.map(|replay| described(replay)).collect();
    (FRESH, Json(found))
}

/// `GET replays/ID`
pub(super) async fn show(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<impl IntoResponse, Problem> {
    let replay = app.shelf.look().named(&id)?;
    Ok((FRESH, Json(described(&replay))))
}

/// `PATCH replays/ID`
pub(super) async fn edit(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Body(body): Body<EditBody>,
) -> Result<impl IntoResponse, Problem> {
    let edit = body.edit()?;
    let replay = app.shelf.change(|replays| replays.edit(&id, edit))?;
    Ok(Json(described(&replay)))
}

/// `DELETE replays/ID`
pub(super) async fn delete(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    app.shelf.change(|replays| replays.delete(&id))?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST replays/ID/duplicate`
pub(super) async fn duplicate(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Body(Nothing {}): Body<Nothing>,
) -> Result<impl IntoResponse, Problem> {
    let copy = |replays: &lookback_replay::Replays| replays.duplicate(&id, clock::now());
    let replay = app.shelf.change(copy)?;
    Ok(created(&replay, described(&replay)))
}

/// `POST replays/ID/split`: answers with both halves.
pub(super) async fn split(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Body(SplitBody { at_s }): Body<SplitBody>,
) -> Result<impl IntoResponse, Problem> {
    let place = ticks(at_s);
    let halves = app
        .shelf
        .change(|replays| replays.split(&id, place, clock::now()))?;
    let answer = halves.each_ref().map(|half| described(half));
    Ok(created(&halves[1], answer.to_vec().into()))
}

/// `POST replays/join`
pub(super) async fn join(
    State(app): State<Arc<App>>,
    Body(body): Body<JoinBody>,
) -> Result<impl IntoResponse, Problem> {
    if !(1..=JOIN_MAX).contains(&body.replays.len()) {
        let detail = format!("a reel is joined from 1 to {JOIN_MAX} replays");
        return Err(Problem::unprocessable("bad_list", detail));
    }
    let name = body.name.as_deref().map(text::name).transpose()?;
    let reel = app
        .shelf
        .change(|replays| replays.join(&body.replays, name, clock::now()))?;
    Ok(created(&reel, described(&reel)))
}

/// `GET /replays/ID.ts`, `GET /replays/ID.mp4` and `GET /replays/ID.jpg`
pub(super) async fn media(
    State(app): State<Arc<App>>,
    Path(file): Path<String>,
    Words(FileOf { channel, edits, .. }): Words<FileOf>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    if let Some(id) = file.strip_suffix(".jpg") {
        let replay = app.shelf.look().named(id)?;
        let angle = angle(&replay, channel.as_deref())?;
        return posters::of_replay(&app, &replay, angle, &headers).await;
    }
    let (id, form) = media::form_of(&file).ok_or_else(Problem::unknown_replay)?;
    let replay = app.shelf.look().named(id)?;
    let rendition = angle(&replay, channel.as_deref())?.rendition()?.clone();
    let name = text::file_name(replay.name());
    // Who downloads it keeps the clip alone: a change, or a delete, does not touch that.
    drop(replay);
    let file = ClipFile {
        clip: &rendition.clip,
        shown: &rendition.shown,
        is_uncut: edits == Some(Edits::None),
        name: &name,
        caching: media::MAY_CHANGE,
    };
    file.answer(&app, form, &headers).await
}

/// The angle of a channel, or the first.
pub(super) fn angle<'a>(replay: &'a Replay, channel: Option<&str>) -> Result<&'a Angle, Problem> {
    match channel {
        None => Ok(replay.main()),
        Some(name) => replay
            .angle(name)
            .ok_or_else(|| Problem::unknown_angle(name)),
    }
}

/// A replay in the words of the API.
pub(super) fn described(replay: &Replay) -> Value {
    let main = replay.main();
    let trim = main.trim();
    let angles = replay.angles().iter();
    let angles: Vec<Value> = angles.map(|angle| described_angle(replay, angle)).collect();
    let mut answer = angles[0].clone();
    let url = answer["url"]
        .is_string()
        .then(|| format!("/replays/{}.ts", replay.id()));
    for (key, value) in [
        ("id", json!(replay.id())),
        ("url", json!(url)),
        ("name", json!(replay.name())),
        ("tags", json!(replay.tags())),
        ("locked", json!(replay.locked())),
        ("growing", json!(replay.is_growing())),
        ("speed", json!(replay.speed())),
        ("in_s", json!(trim.start.as_secs_f64())),
        ("out_s", json!(trim.end.as_secs_f64())),
        ("length_s", json!(main.length().as_secs_f64())),
        ("poster_s", json!(replay.poster().as_secs_f64())),
        ("created", json!(rfc3339(replay.created()))),
        ("angles", json!(angles)),
    ] {
        answer[key] = value;
    }
    answer
}

fn described_angle(replay: &Replay, angle: &Angle) -> Value {
    let url = format!("/replays/{}.ts?channel={}", replay.id(), angle.channel());
    let clip = angle.rendition().ok().map(|rendition| &rendition.clip);
    json!({
        "channel": angle.channel(),
        "url": clip.map(|_| url),
        "start": rfc3339(angle.start()),
        "end": rfc3339(angle.end()),
        "duration_s": angle.duration().as_secs_f64(),
        "bytes": clip.map(|clip| clip.len()),
        "pieces": angle.pieces().len(),
        "runs": clip.map(|clip| clip.runs()),
        "runs_left_out": clip.map(|clip| clip.runs_left_out()),
    })
}

pub(super) fn created(replay: &Replay, answer: Value) -> impl IntoResponse + use<> {
    let place = format!("/api/v1/replays/{}", replay.id());
    (
        StatusCode::CREATED,
        [(header::LOCATION, place)],
        Json(answer),
    )
}

/// Far beyond any replay, and far from where numbers end.
const SECONDS_MAX: f64 = 1e9;

fn ticks(seconds: f64) -> Ticks {
    Ticks::from_secs_f64(seconds.clamp(-SECONDS_MAX, SECONDS_MAX))
}

/// Replays in a reel.
const JOIN_MAX: usize = 1000;

/// What to keep.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SaveBody {
    channel: Option<String>,
    channels: Option<Vec<String>>,
    last: Option<Period>,
    from: Option<Moment>,
    to: Option<Moment>,
    plus: Option<Period>,
    name: Option<String>,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    clear: bool,
    #[serde(default)]
    locked: bool,
}

impl SaveBody {
    fn save(self, app: &App, now: Wall) -> Result<Save, Problem> {
        let names = match (self.channel, self.channels) {
            (Some(_), Some(_)) => {
                return Err(Problem::bad_request("give either a channel or channels"));
            }
            (Some(one), None) => vec![one],
            (None, several) => several.unwrap_or_default(),
        };
        if self.plus.is_some() && self.to.is_some() {
            return Err(Problem::bad_request("give either to or plus"));
        }
        let wanted = Wanted {
            channel: None,
            last: self.last,
            from: self.from,
            to: self.to,
        };
        let mut channels = Vec::new();
        for name in &names {
            let channel = selection::channel(&app.recorder, Some(name))?;
            if channels.iter().all(|known| !Arc::ptr_eq(known, &channel)) {
                channels.push(channel);
            }
        }
        Ok(Save {
            channels,
            selection: wanted.selection(now)?,
            plus: self.plus.map(Into::into).unwrap_or_default(),
            name: self.name.as_deref().map(text::name).transpose()?,
            tags: text::tags(&self.tags)?,
            locked: self.locked,
            ..Save::default()
        })
    }
}

/// What to change.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EditBody {
    name: Option<String>,
    tags: Option<Vec<String>>,
    locked: Option<bool>,
    speed: Option<f64>,
    in_s: Option<f64>,
    out_s: Option<f64>,
    poster_s: Option<f64>,
}

impl EditBody {
    fn edit(self) -> Result<Edit, Problem> {
        let speed = self.speed.map(Speed::new).transpose();
        let speed =
            speed.map_err(|error| Problem::unprocessable("bad_speed", error.to_string()))?;
        Ok(Edit {
            name: self.name.as_deref().map(text::name).transpose()?,
            tags: self.tags.as_deref().map(text::tags).transpose()?,
            locked: self.locked,
            speed: speed.map(Speed::value),
            trim: Trim {
                start: self.in_s.map(ticks),
                end: self.out_s.map(ticks),
            },
            poster: self.poster_s.map(ticks),
        })
    }
}

/// Where to split.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SplitBody {
    at_s: f64,
}

/// What to join.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct JoinBody {
    replays: Vec<String>,
    name: Option<String>,
}

/// Which angle is meant.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AngleOf {
    pub(super) channel: Option<String>,
    /// Nothing to the server: a browser plays an address again from what it has, unless it is another one.
    #[serde(rename = "rev")]
    _rev: Option<String>,
}

/// Which angle is meant, and whether its MP4 says what of it is shown.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileOf {
    channel: Option<String>,
    edits: Option<Edits>,
    #[serde(rename = "rev")]
    _rev: Option<String>,
}

#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Edits {
    None,
}

/// What is looked for: all that is given must be so.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Search {
    name: Option<String>,
    tag: Option<String>,
    channel: Option<String>,
    from: Option<Moment>,
    to: Option<Moment>,
}

impl Search {
    fn finds(&self, replay: &Replay, now: Wall) -> bool {
        let main = replay.main();
        let is_in = |name: &String| replay.name().to_lowercase().contains(&name.to_lowercase());
        let is_tag = |tag: &String| {
            let same = |other: &String| other.to_lowercase() == tag.to_lowercase();
            replay.tags().iter().any(same)
        };
        self.name.as_ref().is_none_or(is_in)
            && self.tag.as_ref().is_none_or(is_tag)
            && self
                .channel
                .as_ref()
                .is_none_or(|name| replay.angle(name).is_some())
            && self.from.is_none_or(|from| main.end() > from.wall(now))
            && self.to.is_none_or(|to| main.start() < to.wall(now))
    }
}

/// The parameters of a query; serde names those that are known when one is not.
pub(super) struct Words<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Words<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        match Query::try_from_uri(&parts.uri) {
            Ok(Query(words)) => Ok(Self(words)),
            Err(rejection) => Err(Problem::bad_request(rejection.body_text())),
        }
    }
}
