//! `/api/v1/session`: how the page shows the token.
//!
//! A browser that has shown it once gets it as a cookie, which scripts cannot read and other sites cannot make it send, and
//! which the [`guard`](super::guard) takes in place of the header. So media elements and the WebSocket, which
//! cannot set a header, need no token in their addresses. The cookie goes with the token: a server that has another one
//! refuses it. A [`pass`](super::pass), which a link has, is taken for the token that it stands for.

use std::sync::Arc;
use std::time::Instant;

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router, extract::State};
use serde::Deserialize;
use serde_json::json;

use super::App;
use super::api::{Body, FRESH};
use super::guard::{Access, COOKIE, Guard};
use super::problem::Problem;

/// As long as browsers keep one.
const SECONDS: u32 = 400 * 24 * 3600;

/// Whoever asks here need not have shown the token.
pub(super) fn router(guard: Arc<Guard>) -> Router<Arc<App>> {
    Router::new()
        .route("/api/v1/session", get(show).post(begin).delete(end))
        .with_state(guard)
}

/// What a browser shows.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Shown {
    token: String,
}

/// `GET session`: what this client may do.
async fn show(State(guard): State<Arc<Guard>>, headers: HeaderMap) -> Response {
    told(&guard, guard.access(&headers, None)).into_response()
}

/// `POST session`
async fn begin(
    State(guard): State<Arc<Guard>>,
    Body(Shown { token }): Body<Shown>,
) -> Result<Response, Problem> {
    let Some((access, token)) = guard.admit(&token, Instant::now()) else {
        let detail = "this is not the server's token, or no link that is still valid";
        return Err(Problem::token_required(detail));
    };
    let mut response = told(&guard, Some(access)).into_response();
    if let Some(token) = token {
        let kept = token.secret();
        let kept = format!("{COOKIE}={kept}; Path=/; Max-Age={SECONDS}; HttpOnly; SameSite=Strict");
        let kept = HeaderValue::try_from(kept).expect("a token is plain text");
        response.headers_mut().insert(header::SET_COOKIE, kept);
    }
    Ok(response)
}

fn told(guard: &Guard, access: Option<Access>) -> impl IntoResponse + use<> {
    let access = access.map_or("none", Access::word);
    (
        FRESH,
        Json(json!({"access": access, "token": guard.has_token()})),
    )
}

/// `DELETE session`: the browser forgets the token.
async fn end() -> impl IntoResponse {
    let gone = format!("{COOKIE}=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict");
    (StatusCode::NO_CONTENT, [(header::SET_COOKIE, gone)])
}
