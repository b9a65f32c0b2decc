//! The deck `main`, by its HTTP interface.

use serde_json::{Value, json};

use super::http::post;
use super::server::Server;

/// A media source's settings for a deck's feed, as the guide gives them.
pub(crate) fn media_source(server: &Server) -> Value {
    json!({"is_local_file": false, "input": server.url("/decks/main.ts"), "input_format": "mpegts",
           "buffering_mb": 1, "reconnect_delay_sec": 1, "clear_on_media_end": false,
           "restart_on_activate": false})
}

/// Sends a command and gives the deck's state behind it; a refusal fails the test.
pub(crate) fn command(server: &Server, command: &str, body: &Value) -> Value {
    let answer = server.send(&post(&format!("/api/v1/decks/main/{command}"), body));
    let status = answer.status;
    let state = answer.json();
    assert_eq!(status, 200, "{command} {body}: {state}");
    state
}
