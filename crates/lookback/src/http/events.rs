//! `GET /api/v1/events`: everything that changes, as it happens, on a WebSocket.
//!
//! First comes a `snapshot` of all there is, so that whoever comes back has missed nothing; then what changes. Nothing is
//! queued for a client: one that is slow gets the newest state, not those between.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep_until};

use super::App;
use super::api;
use super::problem::Problem;
use super::replays::described;
use super::status::{Deck, ObsStatus};
use crate::convert::Jobs;
use crate::decks::{Handle, State as DeckState};
use crate::obs::{Link, Obs, State as ObsState};
use crate::replays::Shelf;

/// Clients at a time.
pub(super) const CLIENTS_MAX: usize = 128;

/// Clients say nothing but that they leave.
const MESSAGE_MAX: usize = 4 << 10;

/// What is recorded changes all the time, and is told so often.
const STATUS_EVERY: Duration = Duration::from_millis(500);

/// Where nothing happens, a client is asked so often whether it is still there.
const PING_EVERY: Duration = Duration::from_secs(15);

pub(super) async fn events(
    State(app): State<Arc<App>>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    let upgrade = upgrade.map_err(|rejection| {
        let detail = format!("connect with a WebSocket: {}", rejection.body_text());
        Problem::new(StatusCode::UPGRADE_REQUIRED, "not_a_websocket", detail)
    })?;
    let Ok(place) = Arc::clone(&app.listeners).try_acquire_owned() else {
        return Err(Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "too_many_clients",
            format!("{CLIENTS_MAX} clients are listening already"),
        ));
    };
    Ok(upgrade
        .max_message_size(MESSAGE_MAX)
        .on_upgrade(move |socket| tell(socket, app, place)))
}

/// Tells one client until it leaves.
async fn tell(mut socket: WebSocket, app: Arc<App>, _place: OwnedSemaphorePermit) {
    let mut decks = app.decks.changes();
    let mut replays = app.shelf.changes();
    let mut jobs = app.jobs.changes();
    let mut obs = app.obs.changes();
    let mut told = Told::nothing(&app);
    let mut status_at = Instant::now();
    let mut ping_at = Instant::now() + PING_EVERY;
    loop {
        decks.mark_unchanged();
        replays.mark_unchanged();
        obs.mark_unchanged();
        let is_due = Instant::now() >= status_at;
        if is_due {
            status_at = Instant::now() + STATUS_EVERY;
        }
        for message in told.news(&app, is_due) {
            let message = Message::text(message.to_string());
            if socket.send(message).await.is_err() {
                return;
            }
        }
        tokio::select! {
            changed = decks.changed() => if changed.is_err() { return },
            changed = replays.changed() => if changed.is_err() { return },
            changed = jobs.changed() => if changed.is_err() { return },
            // It goes on without OBS.
            Ok(()) = obs.changed() => {}
            heard = socket.recv() => match heard {
                None | Some(Err(_) | Ok(Message::Close(_))) => return,
                Some(Ok(_)) => {}
            },
            () = sleep_until(status_at) => {}
            () = sleep_until(ping_at) => {
                if socket.send(Message::Ping(Default::default())).await.is_err() {
                    return;
                }
                ping_at = Instant::now() + PING_EVERY;
            }
        }
    }
}

/// What one client has been told.
pub(super) struct Told {
    status: Option<Value>,
    decks: Vec<Option<DeckState>>,
    replays: KnownReplays,
    jobs: Option<HashMap<String, Value>>,
    obs: Option<ObsState>,
}

impl Told {
    pub(super) fn nothing(app: &App) -> Self {
        Self {
            status: None,
            decks: vec![None; app.decks.all().len()],
            replays: KnownReplays::new(&app.shelf),
            jobs: None,
            obs: None,
        }
    }

    /// What has changed since; of what is recorded only if that `is_due`. At first all there is.
    pub(super) fn news(&mut self, app: &App, is_due: bool) -> Vec<Value> {
        let mut messages = Vec::new();
        if self.status.is_none() || is_due {
            let status = of_status(app);
            match &self.status {
                None => messages.push(snapshot(app)),
                Some(told) if *told != status => messages.push(status.clone()),
                Some(_) => {}
            }
            self.status = Some(status);
        }
        let of_decks = app.decks.all().iter().zip(&mut self.decks);
        messages.extend(of_decks.flat_map(|(deck, told)| news(deck, told)));
        messages.extend(self.replays.news(&app.shelf));
        messages.extend(job_news(&app.jobs, &mut self.jobs));
        messages.extend(obs_news(&app.obs, &mut self.obs));
        messages
    }
}

/// All there is, for whoever comes or comes back.
fn snapshot(app: &App) -> Value {
    let replays = app.shelf.look().all();
    let replays = replays.iter().rev().map(|replay| described(replay));
    let jobs = app.jobs.all();
    let mut message = json!(api::now(app));
    message["type"] = "snapshot".into();
    message["replays"] = replays.collect();
    message["jobs"] = jobs.iter().map(|job| job.shown()).collect();
    message
}

/// What is recorded, and the memory. Of decks and OBS is told by themselves, and at once.
fn of_status(app: &App) -> Value {
    let mut message = json!(api::now(app));
    if let Some(status) = message.as_object_mut() {
        status.remove("decks");
        status.remove("obs");
    }
    message["type"] = "status".into();
    message
}

/// What a client knows of the replays: their revisions.
pub(super) struct KnownReplays(HashMap<String, u64>);

impl KnownReplays {
    /// A client asks for those that are there when it connects.
    pub(super) fn new(shelf: &Shelf) -> Self {
        let all = shelf.look().all();
        let revisions = all
            .iter()
            .map(|replay| (replay.id().to_owned(), replay.revision()));
        Self(revisions.collect())
    }

    /// What has changed since the client was told.
    pub(super) fn news(&mut self, shelf: &Shelf) -> Vec<Value> {
        let mut before = std::mem::take(&mut self.0);
        let mut messages = Vec::new();
        for replay in shelf.look().all() {
            let change = match before.remove(replay.id()) {
                None => Some("created"),
                Some(known) if known != replay.revision() => Some("changed"),
                Some(_) => None,
            };
            if let Some(change) = change {
                let mut message = described(&replay);
                message["type"] = "replay".into();
                message["change"] = change.into();
                messages.push(message);
            }
            self.0.insert(replay.id().to_owned(), replay.revision());
        }
        let deleted = before
            .into_keys()
            .map(|id| json!({"type": "replay", "change": "deleted", "id": id}));
        messages.extend(deleted);
        messages
    }
}

/// What a client that was `told` so does not know yet of a deck.
fn news(deck: &Handle, told: &mut Option<DeckState>) -> Vec<Value> {
    let state = deck.state();
    let before = told.replace(state);
    let mut messages = Vec::new();
    let happened =
        |count: fn(&DeckState) -> u64| before.is_some_and(|before| count(&before) != count(&state));
    if happened(|state| state.ended) {
        messages.push(json!({"type": "ended", "deck": deck.name()}));
    }
    if happened(|state| state.lost) {
        messages.push(json!({"type": "lost", "deck": deck.name()}));
    }
    if before.is_none_or(|before| before.status != state.status) {
        let mut message = serde_json::to_value(Deck::new(deck, &state))
            .expect("a deck's numbers are all of them numbers of JSON");
        message["type"] = "deck".into();
        messages.push(message);
    }
    messages
}

/// What a client that was `told` so does not know yet of the jobs. Of those that were over before it came the snapshot
/// tells.
fn job_news(jobs: &Jobs, told: &mut Option<HashMap<String, Value>>) -> Vec<Value> {
    let now: HashMap<String, Value> = jobs
        .all()
        .iter()
        .map(|job| (job.id().to_owned(), job.shown()))
        .collect();
    let before = told.replace(now.clone());
    let known = before.iter().flatten().map(|(id, _)| id);
    let gone: Vec<Value> = known
        .filter(|id| !now.contains_key(*id))
        .map(|id| json!({"type": "forgotten", "job": id}))
        .collect();
    let is_news = |(id, shown): &(String, Value)| match &before {
        Some(before) => before.get(id) != Some(shown),
        None => shown["progress"].is_object() || shown["state"] == "queued",
    };
    let news = now.into_iter().filter(is_news);
    let news = news.map(|(_, mut message)| {
        message["type"] = "job".into();
        message
    });
    gone.into_iter().chain(news).collect()
}

/// What a client that was `told` so does not know yet of OBS.
fn obs_news(obs: &Obs, told: &mut Option<ObsState>) -> Option<Value> {
    let state = obs.state();
    if state.link == Link::Off || told.as_ref() == Some(&state) {
        return None;
    }
    *told = Some(state.clone());
    let mut message = serde_json::to_value(ObsStatus::from(state)).expect("texts and numbers");
    message["type"] = "obs".into();
    Some(message)
}
