//! Errors as answers: `application/problem+json` (RFC 9457) with a stable `code`.

use axum::Json;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use lookback_replay::{ClipError, Gone, RenditionError, ReplayError};
use serde_json::{Value, json};

use super::status::Problem as Reported;
use crate::archive::NotKept;
use crate::convert::{Failure, NotBegun, Refused as NotMade};
use crate::decks::Refused;
use crate::time::rfc3339;

/// Why a request was not carried out.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    /// More members of the answer.
    members: Vec<(&'static str, Value)>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            code,
            detail: detail.into(),
            members: Vec::new(),
            headers: Vec::new(),
        }
    }

    pub(super) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", detail)
    }

    pub(super) fn unknown_channel(name: &str) -> Self {
        let detail = format!("there is no channel {name}; /api/v1/channels lists them");
        Self::new(StatusCode::NOT_FOUND, "unknown_channel", detail)
    }

    pub(super) fn unknown_deck(name: &str) -> Self {
        let detail = format!("there is no deck {name}; /api/v1/decks lists them");
        Self::new(StatusCode::NOT_FOUND, "unknown_deck", detail)
    }

    /// What makes sense in another place, or later.
    pub(super) fn unprocessable(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail)
    }

    pub(super) fn unknown_command() -> Self {
        let known = "decks take load, play, pause, seek, step, speed and stop";
        Self::new(StatusCode::NOT_FOUND, "not_found", known)
    }

    pub(super) fn unknown_clip() -> Self {
        let detail = "there is no such clip: it has expired, or it never was";
        Self::new(StatusCode::NOT_FOUND, "unknown_clip", detail)
    }

    pub(super) fn token_required(detail: &str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "token_required", detail)
            .with(header::WWW_AUTHENTICATE, "Bearer".to_owned())
    }

    pub(super) fn unknown_replay() -> Self {
        ReplayError::Unknown.into()
    }

    pub(super) fn unknown_angle(channel: &str) -> Self {
        let detail = format!("the replay has nothing of a channel {channel}");
        Self::new(StatusCode::NOT_FOUND, "unknown_channel", detail)
    }

    pub(super) fn unknown_job() -> Self {
        let detail = "there is no such job: it was forgotten, or it never was";
        Self::new(StatusCode::NOT_FOUND, "unknown_job", detail)
    }

    pub(super) fn mp4_fault() -> Self {
        let detail = "a fault in lookback: there is no MP4 of this clip; take the .ts";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "mp4_fault", detail)
    }

    /// A range that begins behind the end of what is `len` bytes long.
    pub(super) fn unsatisfiable(len: u64) -> Self {
        let detail = format!("the range lies behind the end: there are {len} bytes");
        Self::new(
            StatusCode::RANGE_NOT_SATISFIABLE,
            "range_not_satisfiable",
            detail,
        )
        .with(header::CONTENT_RANGE, format!("bytes */{len}"))
    }

    pub(super) fn with(mut self, name: HeaderName, value: String) -> Self {
        let value = HeaderValue::try_from(value).expect("headers of problems are plain text");
        self.headers.push((name, value));
        self
    }

    /// The same beside an answer to a request that was carried out all the same.
    pub(super) fn reported(self) -> Reported {
        Reported {
            code: self.code.to_owned(),
            count: 1,
            hint: self.detail,
        }
    }

    #[cfg(test)]
    pub(super) fn code(&self) -> &'static str {
        self.code
    }
}

impl From<ClipError> for Problem {
    fn from(error: ClipError) -> Self {
        match &error {
            ClipError::Empty { problem } => {
                let empty = Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "nothing_recorded",
                    error.to_string(),
                );
                let mut empty = empty.with(header::RETRY_AFTER, "1".to_owned());
                let input = problem
                    .as_ref()
                    .map(|problem| ("input", json!(problem.code)));
                empty.members.extend(input);
                empty
            }
            ClipError::EmptySpan => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "empty_span",
                error.to_string(),
            ),
            ClipError::OutsideWindow { start, end } => {
                let (start, end) = (rfc3339(*start), rfc3339(*end));
                let detail = format!("{error}, which reaches from {start} to {end}");
                let mut outside =
                    Self::new(StatusCode::UNPROCESSABLE_ENTITY, "outside_window", detail);
                outside
                    .members
                    .push(("window", json!({"start": start, "end": end})));
                outside
            }
        }
    }
}

impl From<Gone> for Problem {
    fn from(gone: Gone) -> Self {
        Self::new(StatusCode::GONE, "clip_dropped", gone.to_string())
    }
}

impl From<ReplayError> for Problem {
    fn from(error: ReplayError) -> Self {
        let detail = error.to_string();
        let (status, code) = match &error {
            ReplayError::Clip(_) => (StatusCode::UNPROCESSABLE_ENTITY, "no_clip"),
            ReplayError::Full(_) => (StatusCode::INSUFFICIENT_STORAGE, "memory_full"),
            ReplayError::Trim(_) => (StatusCode::UNPROCESSABLE_ENTITY, "outside_replay"),
            ReplayError::Unknown => (StatusCode::NOT_FOUND, "unknown_replay"),
            ReplayError::Locked => (StatusCode::CONFLICT, "locked"),
            ReplayError::Changed => (StatusCode::CONFLICT, "changed"),
            ReplayError::Growing => (StatusCode::CONFLICT, "growing"),
            ReplayError::Gone(_) => (StatusCode::GONE, "clip_dropped"),
        };
        let mut problem = Self::new(status, code, detail);
        match error {
            ReplayError::Clip(error) => return error.into(),
            ReplayError::Full(full) => {
                let delete: Vec<Value> = full
                    .delete
                    .iter()
                    .map(|replay| {
                        json!({
                            "id": replay.id(),
                            "name": replay.name(),
                            "created": rfc3339(replay.created()),
                        })
                    })
                    .collect();
                problem.members.push(("delete", delete.into()));
            }
            ReplayError::Trim(error) => {
                let length = error.length.as_secs_f64();
                problem.members.push(("length_s", length.into()));
            }
            _ => {}
        }
        problem
    }
}

impl From<RenditionError> for Problem {
    fn from(error: RenditionError) -> Self {
        match error {
            RenditionError::Gone(gone) => gone.into(),
            _ => Self::unprocessable("not_one_stream", error.to_string()),
        }
    }
}

impl From<NotKept> for Problem {
    fn from(not_kept: NotKept) -> Self {
        let detail = not_kept.to_string();
        match not_kept {
            NotKept::Replay(error) => error.into(),
            NotKept::NotMoved { .. } => {
                Self::new(StatusCode::INSUFFICIENT_STORAGE, "not_moved", detail)
            }
        }
    }
}

impl From<NotMade> for Problem {
    fn from(refused: NotMade) -> Self {
        let code = match &refused {
            NotMade::UnknownPreset(_) => "unknown_preset",
            NotMade::Parameter(_) => "bad_parameter",
        };
        Self::unprocessable(code, refused.to_string())
    }
}

impl From<NotBegun> for Problem {
    fn from(not_begun: NotBegun) -> Self {
        let detail = not_begun.to_string();
        match not_begun {
            NotBegun::Refused(refused) => refused.into(),
            NotBegun::NoLibrary => Self::new(StatusCode::CONFLICT, "no_library", detail),
            NotBegun::QueueFull => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_jobs", detail)
            }
            NotBegun::Failure(failure @ Failure::NoEncoder(_)) => {
                Self::unprocessable(failure.code(), detail)
            }
            NotBegun::Failure(Failure::Gone(gone)) => gone.into(),
            NotBegun::Failure(failure) => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, failure.code(), detail)
            }
        }
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Empty => {
                Self::new(StatusCode::CONFLICT, "nothing_loaded", refused.to_string())
            }
            Refused::Gone(gone) => gone.into(),
            Refused::Fault => Self::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "deck_fault",
                refused.to_string(),
            ),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let title = self.status.canonical_reason().unwrap_or_default();
        let mut body = json!({
            "type": "about:blank",
            "title": title,
            "status": self.status.as_u16(),
            "code": self.code,
            "detail": self.detail,
        });
        for (name, value) in self.members {
            body[name] = value;
        }
        let mut response = (self.status, Json(body)).into_response();
        let headers = response.headers_mut();
        let kind = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, kind);
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.extend(self.headers);
        response
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use lookback_replay::Wall;

    use super::*;

    async fn answer(problem: Problem) -> (StatusCode, Value, Response) {
        let (parts, body) = problem.into_response().into_parts();
        let bytes = body.collect().await.expect("a whole body").to_bytes();
        let status = parts.status;
        let response = Response::from_parts(parts, axum::body::Body::empty());
        (
            status,
            serde_json::from_slice(&bytes).expect("JSON"),
            response,
        )
    }

    #[tokio::test]
    async fn nothing_recorded_says_what_came_instead() {
        let problem = lookback_replay::Problem {
            code: "not_mpegts",
            count: 1,
            hint: "choose mpegts".into(),
        };
        let (status, body, response) = answer(
            ClipError::Empty {
                problem: Some(problem),
            }
            .into(),
        )
        .await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(body["code"], "nothing_recorded");
        assert_eq!(body["input"], "not_mpegts");
        assert!(
            body["detail"]
                .as_str()
                .is_some_and(|detail| detail.contains("choose mpegts"))
        );
        assert_eq!(
            response.headers()[header::CONTENT_TYPE],
            "application/problem+json"
        );
    }

    #[tokio::test]
    async fn outside_the_window_names_it() {
        let error = ClipError::OutsideWindow {
            start: Wall(0),
            end: Wall(1_000_000),
        };
        let (status, body, _) = answer(error.into()).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(body["window"]["start"], "1970-01-01T00:00:00.000Z");
        assert_eq!(body["window"]["end"], "1970-01-01T00:00:01.000Z");
    }

    #[tokio::test]
    async fn every_problem_has_status_and_code() {
        for (problem, expected, code) in [
            (Problem::from(ClipError::EmptySpan), 422, "empty_span"),
            (Problem::from(Gone), 410, "clip_dropped"),
            (Problem::unknown_channel("x"), 404, "unknown_channel"),
            (Problem::unknown_clip(), 404, "unknown_clip"),
            (Problem::bad_request("x"), 400, "bad_request"),
            (Problem::unsatisfiable(7), 416, "range_not_satisfiable"),
        ] {
            let (status, body, _) = answer(problem).await;
            assert_eq!(status.as_u16(), expected);
            assert_eq!(body["status"], expected);
            assert_eq!(body["code"], code);
        }
    }
}
