//! A file, read once, as fast as it comes. While the channel is busy it waits for its turn.

use std::fs::File;
use std::path::Path;
use std::thread;

use tracing::info;

use super::{Feed, PAUSE, record_blocking};
use crate::usage::Usage;

/// An open file.
#[derive(Debug)]
pub(crate) struct Source {
    file: File,
}

impl Source {
    /// Opens the file.
    pub(super) fn bind(path: &Path) -> Result<Self, Usage> {
        let file = File::open(path).map_err(|error| {
            Usage::new(format!(
                "--input {} cannot be read: {error}",
                path.display()
            ))
        })?;
        Ok(Self { file })
    }

    /// Records the file to its end.
    pub(super) fn run(self, feed: &Feed) {
        let mut told = false;
        loop {
            if let Some(writer) = feed.try_connect() {
                return record_blocking(feed, writer, self.file);
            }
            if !told {
                info!(
                    "{}: {} waits until the channel is free",
                    feed.channel.name(),
                    feed.name
                );
                told = true;
            }
            thread::sleep(PAUSE);
        }
    }
}
