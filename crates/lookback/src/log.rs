//! The log on standard error: one line for each event, for people.

use std::fmt;
use std::io::{self, IsTerminal};

use jiff::Zoned;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::prelude::*;

/// From here on, what is worth telling is told. Called once.
pub(crate) fn start(levels: Targets) {
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_target(false)
        .with_timer(TimeOfDay);
    tracing_subscriber::registry()
        .with(lines.with_filter(levels))
        .init();
}

/// The user's own time: the log is read beside a clock on the wall, and beside OBS's log.
struct TimeOfDay;

impl FormatTime for TimeOfDay {
    fn format_time(&self, writer: &mut Writer<'_>) -> fmt::Result {
        write!(writer, "{}", Zoned::now().strftime("%H:%M:%S%.3f"))
    }
}
