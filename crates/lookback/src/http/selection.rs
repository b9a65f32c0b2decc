//! What part of which channel a request means: in a query, and in a body of JSON.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use lookback_replay::{Channel, Clip, Recorder, Selection, Wall};
use serde::Deserialize;

use super::problem::Problem;
use crate::settings::Period;
use crate::time::Moment;

/// A selection as it is written. Nothing given: the whole window of the default channel.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    pub(super) channel: Option<String>,
    pub(super) last: Option<Period>,
    pub(super) from: Option<Moment>,
    pub(super) to: Option<Moment>,
}

impl Wanted {
    /// Whether nothing is given.
    pub(super) fn is_empty(&self) -> bool {
        self.channel.is_none() && self.last.is_none() && self.from.is_none() && self.to.is_none()
    }

    /// The clip that is meant.
    pub(super) fn clip(self, recorder: &Recorder, now: Wall) -> Result<Arc<Clip>, Problem> {
        let channel = channel(recorder, self.channel.as_deref())?;
        Ok(channel.clip(self.selection(now)?, now)?)
    }

    pub(super) fn selection(&self, now: Wall) -> Result<Selection, Problem> {
        match (self.last, self.from, self.to) {
            (None, None, None) => Ok(Selection::All),
            (Some(last), None, None) => Ok(Selection::Last(last.into())),
            (None, from, to) => Ok(Selection::Span {
                from: from.map(|moment| moment.wall(now)),
                to: to.map(|moment| moment.wall(now)),
            }),
            (Some(_), ..) => Err(Problem::bad_request("give either last, or from and to")),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Wanted {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        // serde names the parameters that are known when one is not.
        match Query::try_from_uri(&parts.uri) {
            Ok(Query(wanted)) => Ok(wanted),
            Err(rejection) => Err(Problem::bad_request(rejection.body_text())),
        }
    }
}

/// The channel of that name; the first one where none is named.
pub(super) fn channel(recorder: &Recorder, name: Option<&str>) -> Result<Arc<Channel>, Problem> {
    let found = match name {
        Some(name) => recorder.channel(name),
        None => recorder.channels().into_iter().next(),
    };
    found.ok_or_else(|| Problem::unknown_channel(name.unwrap_or("main")))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::http::Request;

    use super::*;

    const NOW: Wall = Wall(1_777_660_200_000_000);

    async fn query(query: &str) -> Result<Selection, String> {
        let request = Request::builder()
            .uri(format!("/video?{query}"))
            .body(())
            .expect("a request");
        let mut parts = request.into_parts().0;
        let wanted = Wanted::from_request_parts(&mut parts, &()).await;
        wanted
            .and_then(|wanted| wanted.selection(NOW))
            .map_err(|problem| format!("{problem:?}"))
    }

    #[tokio::test]
    async fn selections_in_a_query() {
        assert_eq!(query("").await, Ok(Selection::All));
        assert_eq!(
            query("last=1m30s").await,
            Ok(Selection::Last(Duration::from_secs(90)))
        );
        let span = |from, to| Ok(Selection::Span { from, to });
        let ago = |seconds| Some(NOW - Duration::from_secs(seconds));
        assert_eq!(query("from=-60s&to=-30s").await, span(ago(60), ago(30)));
        assert_eq!(query("from=1777660200000").await, span(Some(NOW), None));
        assert_eq!(
            query("to=2026-05-01T20:30:00+02:00").await,
            span(None, Some(NOW))
        );
    }

    #[tokio::test]
    async fn mistakes_say_what_is_known() {
        for (text, word) in [
            ("lats=30s", "`last`"),
            ("last=soon", "90s"),
            ("last=30s&from=-60s", "either"),
            ("from=noon", "-30s"),
            ("last=30s&last=40s", "last"),
        ] {
            let error = query(text).await.expect_err(text);
            assert!(error.contains(word), "{error}");
        }
    }
}
