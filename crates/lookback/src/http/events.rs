//! `GET /api/v1/events`: what decks, jobs and OBS do and what becomes of replays, as it happens, on a WebSocket.
//!
//! Nothing is queued for a client: one that is slow gets the newest state, not those between.

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
    let App {
        decks,
        shelf,
        jobs,
        obs,
        ..
    } = &*app;
    let mut changes = decks.changes();
    let mut kept = shelf.changes();
    let mut known = KnownReplays::new(shelf);
    let mut told: Vec<Option<DeckState>> = vec![None; decks.all().len()];
    let mut job_changes = jobs.changes();
    let mut told_jobs = None;
    let mut obs_changes = obs.changes();
    let mut told_obs = None;
    let mut ping_at = Instant::now() + PING_EVERY;
    loop {
        changes.mark_unchanged();
        kept.mark_unchanged();
        obs_changes.mark_unchanged();
        let of_decks = decks.all().iter().zip(&mut told);
        let mut messages: Vec<Value> = of_decks.flat_map(|(deck, told)| news(deck, told)).collect();
        messages.extend(known.news(shelf));
        messages.extend(job_news(jobs, &mut told_jobs));
        messages.extend(obs_news(obs, &mut told_obs));
        for message in messages {
            let message = Message::text(message.to_string());
            if socket.send(message).await.is_err() {
                return;
            }
        }
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { return },
            changed = kept.changed() => if changed.is_err() { return },
            changed = job_changes.changed() => if changed.is_err() { return },
            // It goes on without OBS.
            Ok(()) = obs_changes.changed() => {}
            heard = socket.recv() => match heard {
                None | Some(Err(_) | Ok(Message::Close(_))) => return,
                Some(Ok(_)) => {}
            },
            () = sleep_until(ping_at) => {
                if socket.send(Message::Ping(Default::default())).await.is_err() {
                    return;
                }
                ping_at = Instant::now() + PING_EVERY;
            }
        }
    }
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

/// What a client that was `told` so does not know yet of the jobs. Those that were over before it came
/// are none of its business.
fn job_news(jobs: &Jobs, told: &mut Option<HashMap<String, Value>>) -> Vec<Value> {
    let now: HashMap<String, Value> = jobs
        .all()
        .iter()
        .map(|job| (job.id().to_owned(), job.shown()))
        .collect();
    let before = told.replace(now.clone());
    let is_news = |(id, shown): &(String, Value)| match &before {
        Some(before) => before.get(id) != Some(shown),
        None => shown["progress"].is_object() || shown["state"] == "queued",
    };
    let news = now.into_iter().filter(is_news);
    news.map(|(_, mut message)| {
        message["type"] = "job".into();
        message
    })
    .collect()
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
