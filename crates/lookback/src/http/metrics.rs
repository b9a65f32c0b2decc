//! `GET /metrics`: the numbers of the status, and of the connections, in Prometheus' text format.

use std::fmt::{Display, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use lookback_replay::{ChannelStatus, Memory, RecordingState};

use super::{App, Connections};
use crate::clock;
use crate::obs::{self, Link};

/// `GET /metrics`
pub(super) async fn metrics(State(app): State<Arc<App>>) -> impl IntoResponse {
    (
        [(
            header::CONTENT_TYPE,
            "text/plain; version=0.0.4; charset=utf-8",
        )],
        text(&app),
    )
}

fn text(app: &App) -> String {
    let mut page = Page(String::new());
    page.memory(app.recorder.memory());
    page.gauge(
        "replays",
        "Replays that are kept.",
        app.shelf.look().all().len(),
    );
    let now = clock::now();
    let channels = app.recorder.channels();
    page.channels(
        &channels
            .iter()
            .map(|channel| channel.status(now))
            .collect::<Vec<_>>(),
    );
    page.connections(&app.connections);
    page.obs(&app.obs.state());
    page.0
}

struct Page(String);

impl Page {
    fn memory(&mut self, memory: Memory) {
        self.gauge(
            "memory_limit_bytes",
            "The memory limit.",
            memory.limit_bytes,
        );
        self.gauge(
            "memory_used_bytes",
            "Memory that counts towards the limit.",
            memory.used_bytes,
        );
        self.gauge(
            "memory_held_bytes",
            "Of that, held by clips, replays and readers only.",
            memory.held_bytes,
        );
        self.gauge(
            "memory_index_bytes",
            "Of that, the index.",
            memory.index_bytes,
        );
    }

    fn channels(&mut self, channels: &[ChannelStatus]) {
        let mut each = |kind, name, help, value: fn(&ChannelStatus) -> f64| {
            self.head(kind, name, help);
            channels
                .iter()
                .for_each(|channel| self.channel(name, &channel.name, value(channel)));
        };
        each(
            "counter",
            "received_bytes_total",
            "Bytes that came in.",
            |it| it.received_bytes as f64,
        );
        each(
            "counter",
            "discarded_bytes_total",
            "Of those, bytes of no use.",
            |it| it.discarded_bytes as f64,
        );
        each(
            "counter",
            "problems_total",
            "Things that went wrong.",
            |it| it.problems.iter().map(|problem| problem.count).sum::<u64>() as f64,
        );
        each("gauge", "recording", "Whether bytes are coming in.", |it| {
            f64::from(u8::from(it.state == RecordingState::Recording))
        });
        each(
            "gauge",
            "window_seconds",
            "How far back the channel reaches.",
            |it| {
                it.window
                    .map_or(0.0, |window| window.duration.as_secs_f64())
            },
        );
        each("gauge", "window_bytes", "Bytes in the window.", |it| {
            it.window.map_or(0.0, |window| window.bytes as f64)
        });
    }

    fn connections(&mut self, connections: &Connections) {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        self.gauge(
            "connections",
            "Clients that are connected.",
            count(&connections.open),
        );
        self.counter(
            "connections_total",
            "Clients that connected.",
            count(&connections.accepted),
        );
        let cut_off = count(&connections.cut_off);
        self.counter(
            "connections_cut_off_total",
            "Clients that stopped reading.",
            cut_off,
        );
    }

    /// Nothing where OBS is left alone.
    fn obs(&mut self, state: &obs::State) {
        if state.link == Link::Off {
            return;
        }
        let connected = u8::from(state.link == Link::Connected);
        self.gauge("obs_connected", "Whether OBS is connected.", connected);
        let recording = u8::from(state.recording);
        self.gauge("obs_recording", "Whether OBS records.", recording);
        self.counter(
            "obs_recording_restarts_total",
            "Recordings of OBS that were started again after an error.",
            state.restarts,
        );
    }

    fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.head("gauge", name, help);
        self.line(format_args!("lookback_{name} {value}"));
    }

    fn counter(&mut self, name: &str, help: &str, value: impl Display) {
        self.head("counter", name, help);
        self.line(format_args!("lookback_{name} {value}"));
    }

    fn head(&mut self, kind: &str, name: &str, help: &str) {
        self.line(format_args!("# HELP lookback_{name} {help}"));
        self.line(format_args!("# TYPE lookback_{name} {kind}"));
    }

    /// Names of channels need no escaping: see `Name`.
    fn channel(&mut self, name: &str, channel: &str, value: f64) {
        self.line(format_args!(
            "lookback_{name}{{channel=\"{channel}\"}} {value}"
        ));
    }

    fn line(&mut self, line: impl Display) {
        writeln!(self.0, "{line}").expect("a String takes everything");
    }
}
