//! Decks over HTTP: their feeds, what they do, and the commands they take.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Json;
use axum::body::{Body as AnswerBody, Bytes};
use axum::extract::{Path, State};
use axum::http::{header, response};
use axum::response::{IntoResponse, Response};
use http_body::{Body as HttpBody, Frame};
use lookback_deck::{Item, Live, Load, Seek, Source, Speed, Then};
use lookback_mpegts::Ticks;
use lookback_replay::Recorder;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::App;
use super::api::{Body, FRESH, Nothing};
use super::media::{Finish as _, MPEG_TS};
use super::problem::Problem;
use super::replays::{self, Words};
use super::selection::Wanted;
use super::status::Deck;
use crate::clock;
use crate::decks::{Command, Feed, Handle};
use crate::settings::Period;
use crate::time::Moment;

/// `GET /decks/DECK.ts`: a range has no meaning in what never ends, and is ignored.
pub(super) async fn feed(
    State(app): State<Arc<App>>,
    Path(file): Path<String>,
    Words(form): Words<Form>,
) -> Result<Response, Problem> {
    let feed = deck_of(&app, &file)?.feed().await?;
    let feed = if form.plain { feed.plain() } else { feed };
    head().finish(AnswerBody::new(FeedBody::new(feed)))
}

/// How a feed is wanted.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Form {
    #[serde(default)]
    plain: bool,
}

/// `HEAD /decks/DECK.ts`: nobody joins the feed by it.
pub(super) async fn feed_head(
    State(app): State<Arc<App>>,
    Path(file): Path<String>,
) -> Result<Response, Problem> {
    deck_of(&app, &file)?;
    head().finish(AnswerBody::empty())
}

/// `GET decks`
pub(super) async fn list(State(app): State<Arc<App>>) -> impl IntoResponse {
    (FRESH, Json(all(&app)))
}

/// All decks as answers show them.
pub(super) fn all(app: &App) -> Vec<Deck> {
    let decks = app.decks.all().iter();
    decks.map(|deck| Deck::new(deck, &deck.state())).collect()
}

/// `POST decks/DECK/load`, `play`, `pause`, `seek`, `step`, `speed` and `stop`
pub(super) async fn command(
    State(app): State<Arc<App>>,
    Path((name, command)): Path<(String, String)>,
    Body(body): Body<Value>,
) -> Result<Json<Value>, Problem> {
    let deck = named(&app, &name)?;
    let is_seek = command == "seek";
    let command = match command.as_str() {
        "load" => Command::Load(read::<LoadBody>(body)?.load(&app)?),
        "seek" => Command::Seek(read::<SeekBody>(body)?.seek()?),
        "step" => Command::Step(read::<StepBody>(body)?.pictures()?),
        "speed" => Command::Speed(read::<SpeedBody>(body)?.speed()?),
        "play" => bare(body, Command::Play)?,
        "pause" => bare(body, Command::Pause)?,
        "stop" => bare(body, Command::Stop)?,
        _ => return Err(Problem::unknown_command()),
    };
    let done = deck.command(command).await?;
    let mut answer = serde_json::to_value(Deck::new(deck, &done.state))
        .expect("a deck's numbers are all of them numbers of JSON");
    if is_seek && done.clamped {
        answer["clamped"] = true.into();
    }
    Ok(Json(answer))
}

fn deck_of<'a>(app: &'a App, file: &str) -> Result<&'a Handle, Problem> {
    named(app, file.strip_suffix(".ts").unwrap_or_default())
        .map_err(|_| Problem::unknown_deck(file))
}

pub(super) fn named<'a>(app: &'a App, name: &str) -> Result<&'a Handle, Problem> {
    app.decks
        .named(name)
        .ok_or_else(|| Problem::unknown_deck(name))
}

fn head() -> response::Builder {
    response::Builder::new()
        .header(header::CONTENT_TYPE, MPEG_TS)
        .header(header::CACHE_CONTROL, "no-store")
}

fn read<T: DeserializeOwned>(body: Value) -> Result<T, Problem> {
    serde_json::from_value(body)
        .map_err(|error| Problem::bad_request(format!("the body cannot be read: {error}")))
}

fn bare(body: Value, command: Command) -> Result<Command, Problem> {
    read::<Nothing>(body).map(|Nothing {}| command)
}

/// What to load: one thing, or a list of them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LoadBody {
    replay: Option<String>,
    clip: Option<String>,
    channel: Option<String>,
    last: Option<Period>,
    from: Option<Moment>,
    to: Option<Moment>,
    #[serde(default)]
    live: bool,
    delay: Option<Period>,
    list: Option<Vec<Entry>>,
    speed: Option<f64>,
    #[serde(default = "at_once")]
    play: bool,
    #[serde(default)]
    then: ThenWord,
}

fn at_once() -> bool {
    true
}

/// One thing of a list.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    replay: Option<String>,
    clip: Option<String>,
    channel: Option<String>,
    last: Option<Period>,
    from: Option<Moment>,
    to: Option<Moment>,
    /// The channel while it is recorded, and so much later.
    #[serde(default)]
    live: bool,
    delay: Option<Period>,
    /// That of the whole list where it is not given.
    speed: Option<f64>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ThenWord {
    #[default]
    Hold,
    Idle,
    Live,
    Loop,
    Next,
}

/// More would take noticeable time to be found.
const LIST_MAX: usize = 1000;

impl LoadBody {
    fn load(self, app: &App) -> Result<Load, Problem> {
        let then = match self.then {
            ThenWord::Hold => Then::Hold,
            ThenWord::Idle => Then::Idle,
            ThenWord::Loop => Then::Loop,
            ThenWord::Next => Then::Next,
            ThenWord::Live => Then::Live,
        };
        let one = Entry {
            replay: self.replay,
            clip: self.clip,
            channel: self.channel,
            last: self.last,
            from: self.from,
            to: self.to,
            live: self.live,
            delay: self.delay,
            speed: self.speed,
        };
        let entries = match self.list {
            None => vec![one],
            Some(_) if !one.names_nothing() => {
                return Err(Problem::bad_request(
                    "give either a list or one thing to load",
                ));
            }
            Some(list) if (1..=LIST_MAX).contains(&list.len()) => list,
            Some(_) => {
                let detail = format!("a list has 1 to {LIST_MAX} entries");
                return Err(Problem::unprocessable("bad_list", detail));
            }
        };
        let items = entries
            .into_iter()
            .map(|entry| entry.items(app, self.speed));
        Ok(Load {
            items: items.collect::<Result<Vec<_>, Problem>>()?.concat(),
            play: self.play,
            then,
        })
    }
}

impl Entry {
    fn wanted(&self) -> Wanted {
        Wanted {
            channel: self.channel.clone(),
            last: self.last,
            from: self.from,
            to: self.to,
        }
    }

    fn names_nothing(&self) -> bool {
        self.replay.is_none() && self.clip.is_none() && !self.live && self.wanted().is_empty()
    }

    fn live(self, recorder: &Recorder) -> Result<Live, Problem> {
        let selects = [self.last.is_some(), self.from.is_some(), self.to.is_some()];
        if self.clip.is_some() || self.replay.is_some() || selects.contains(&true) {
            let detail = "what is live is a channel, and no part of it is selected";
            return Err(Problem::bad_request(detail));
        }
        let delay = self.delay.map_or(Duration::ZERO, Duration::from);
        Ok(Live {
            channel: super::selection::channel(recorder, self.channel.as_deref())?,
            delay: Ticks::from_secs_f64(delay.as_secs_f64()),
        })
    }

    /// `of_list` is the speed where this has none of its own.
    fn items(self, app: &App, of_list: Option<f64>) -> Result<Vec<Item>, Problem> {
        let wanted = self.wanted();
        let given = self.speed.or(of_list);
        if self.live {
            let source = Source::Live(self.live(&app.recorder)?);
            let speed = speed(given.unwrap_or(1.0))?;
            return Ok(vec![Item {
                source,
                speed,
                continues: false,
            }]);
        }
        if self.delay.is_some() {
            let detail = "a delay is of what is live: add \"live\": true";
            return Err(Problem::bad_request(detail));
        }
        let now = clock::now();
        let clip = match (self.replay, self.clip) {
            (Some(_), Some(_)) => {
                return Err(Problem::bad_request("give either a replay or a clip"));
            }
            (Some(id), None) => return replayed(app, &id, &wanted, given),
            (None, Some(_)) if !wanted.is_empty() => {
                return Err(Problem::bad_request(
                    "give either a clip, or a channel and a selection",
                ));
            }
            (None, Some(id)) => app
                .recorder
                .clip(&id, now)
                .ok_or_else(Problem::unknown_clip)?,
            (None, None) => wanted.clip(&app.recorder, now)?,
        };
        Ok(vec![Item {
            source: Source::Clip(clip),
            speed: speed(given.unwrap_or(1.0))?,
            continues: false,
        }])
    }
}

/// What is to be seen of a replay, piece by piece.
pub(super) fn replayed(
    app: &App,
    id: &str,
    wanted: &Wanted,
    given: Option<f64>,
) -> Result<Vec<Item>, Problem> {
    if wanted.last.is_some() || wanted.from.is_some() || wanted.to.is_some() {
        let detail = "a replay is loaded as it is trimmed: give no selection with it";
        return Err(Problem::bad_request(detail));
    }
    let replay = app.shelf.look().named(id)?;
    let speed = speed(given.unwrap_or(replay.speed()))?;
    let angle = replays::angle(&replay, wanted.channel.as_deref())?;
    let pieces = angle.pieces();
    let last = pieces.len() - 1;
    let items = pieces
        .into_iter()
        .enumerate()
        .map(|(at, (clip, span))| Item {
            source: Source::Part(clip, span),
            speed,
            continues: at < last,
        });
    Ok(items.collect())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SeekBody {
    to_s: Option<f64>,
    by_s: Option<f64>,
    to: Option<Place>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Place {
    In,
    Out,
    Live,
}

impl SeekBody {
    fn seek(&self) -> Result<Seek, Problem> {
        match (self.to_s, self.by_s, self.to) {
            (Some(seconds), None, None) => Ok(Seek::To(ticks(seconds))),
            (None, Some(seconds), None) => Ok(Seek::By(ticks(seconds))),
            (None, None, Some(Place::In)) => Ok(Seek::In),
            (None, None, Some(Place::Out)) => Ok(Seek::Out),
            (None, None, Some(Place::Live)) => Ok(Seek::Live),
            _ => Err(Problem::bad_request("give one of to_s, by_s and to")),
        }
    }
}

/// Far beyond any window, and far from where numbers end.
const SEEK_MAX: f64 = 1e9;

fn ticks(seconds: f64) -> Ticks {
    Ticks::from_secs_f64(seconds.clamp(-SEEK_MAX, SEEK_MAX))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StepBody {
    frames: i32,
}

/// More is a seek.
const STEP_MAX: i32 = 1000;

impl StepBody {
    fn pictures(&self) -> Result<i32, Problem> {
        match self.frames {
            0 => Err(Problem::unprocessable(
                "bad_step",
                "a step of no frames goes nowhere",
            )),
            frames if frames.unsigned_abs() <= STEP_MAX.unsigned_abs() => Ok(frames),
            _ => {
                let detail = format!("a step is {STEP_MAX} frames at most: seek instead");
                Err(Problem::unprocessable("bad_step", detail))
            }
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SpeedBody {
    speed: Value,
}

impl SpeedBody {
    /// What is no number, and in JSON that is said in many ways, is no speed either.
    fn speed(&self) -> Result<Speed, Problem> {
        speed(self.speed.as_f64().unwrap_or(f64::NAN))
    }
}

pub(super) fn speed(speed: f64) -> Result<Speed, Problem> {
    Speed::new(speed).map_err(|error| Problem::unprocessable("bad_speed", error.to_string()))
}

/// A deck's feed as a body without end.
struct FeedBody {
    /// Gives the feed back with what comes next.
    next: Pin<Box<dyn Future<Output = (Feed, Option<Bytes>)> + Send>>,
    ended: bool,
}

impl FeedBody {
    fn new(feed: Feed) -> Self {
        Self {
            next: next_of(feed),
            ended: false,
        }
    }
}

fn next_of(mut feed: Feed) -> Pin<Box<dyn Future<Output = (Feed, Option<Bytes>)> + Send>> {
    Box::pin(async move {
        let bytes = feed.next().await;
        (feed, bytes)
    })
}

impl HttpBody for FeedBody {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let (feed, bytes) = ready!(self.next.as_mut().poll(cx));
        match bytes {
            Some(bytes) => {
                self.next = next_of(feed);
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            None => {
                self.ended = true;
                Poll::Ready(None)
            }
        }
    }
}
