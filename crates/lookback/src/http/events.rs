//! `GET /api/v1/events`: what decks and jobs do, as it happens, on a WebSocket.
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
use super::status::Deck;
use crate::convert::Jobs;
use crate::decks::{Decks, Handle, State as DeckState};

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
    let (decks, jobs) = (app.decks.clone(), app.jobs.clone());
    Ok(upgrade
        .max_message_size(MESSAGE_MAX)
        .on_upgrade(move |socket| tell(socket, decks, jobs, place)))
}

/// Tells one client until it leaves.
async fn tell(mut socket: WebSocket, decks: Decks, jobs: Jobs, _place: OwnedSemaphorePermit) {
    let mut changes = decks.changes();
    let mut told: Vec<Option<DeckState>> = vec![None; decks.all().len()];
    let mut job_changes = jobs.changes();
    let mut told_jobs = None;
    let mut ping_at = Instant::now() + PING_EVERY;
    loop {
        changes.mark_unchanged();
        job_changes.mark_unchanged();
        let of_decks = decks.all().iter().zip(&mut told);
        let mut messages: Vec<Value> = of_decks.flat_map(|(deck, told)| news(deck, told)).collect();
        messages.extend(job_news(&jobs, &mut told_jobs));
        for message in messages {
            let message = Message::text(message.to_string());
            if socket.send(message).await.is_err() {
                return;
            }
        }
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { return },
            changed = job_changes.changed() => if changed.is_err() { return },
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
