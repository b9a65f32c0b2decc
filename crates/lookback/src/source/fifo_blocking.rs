//! A FIFO that OBS, or anything else, writes to, on systems where an event loop does not learn that the
//! writer has left, as on macOS: a thread reads it, and blocks.

use std::fs::File;
use std::path::Path;
use std::thread;

use tracing::warn;

use super::{Feed, PAUSE, on_its_own_thread, record_blocking};
use crate::fifo::Fifo;
use crate::usage::Usage;

/// A FIFO that a thread reads.
#[derive(Debug)]
pub(crate) struct Source {
    fifo: Fifo,
}

impl Source {
    /// Takes the FIFO, making it if missing.
    pub(super) fn bind(path: &Path) -> Result<Self, Usage> {
        Ok(Self {
            fifo: Fifo::at(path)?,
        })
    }

    /// Records each writer, for ever. The FIFO is removed when this is called off; the thread waits on
    /// until the program ends.
    pub(super) async fn run(self, feed: Feed) {
        let path = self.fifo.path().to_owned();
        let read_each = move |feed: &Feed| {
            loop {
                read_one(feed, &path);
            }
        };
        on_its_own_thread(feed, read_each).await;
    }
}

/// Waits for a writer and records it to its end.
fn read_one(feed: &Feed, path: &Path) {
    match File::open(path) {
        Ok(reader) => match feed.connect() {
            Some(writer) => return record_blocking(feed, writer, reader),
            None => drop(reader),
        },
        Err(error) => warn!(
            "{}: cannot read {}: {error}",
            feed.channel.name(),
            feed.name
        ),
    }
    thread::sleep(PAUSE);
}
