//! A Windows named pipe that OBS, or anything else, writes to.
//!
//! An instance serves one client. The next instance is made before a connected one is read, since a
//! client that finds none fails at once. A client that came and went before it was looked at seems
//! connected and reads as ended: it makes an empty run, and the loop goes on.

use std::io;
use std::path::Path;

use tokio::net::windows::named_pipe::{NamedPipeServer, ServerOptions};
use tokio::time::sleep;
use tracing::warn;

use super::{Feed, PAUSE, record};
use crate::usage::Usage;

/// A pipe with an instance that waits for a client.
#[derive(Debug)]
pub(crate) struct Source {
    name: String,
    next: NamedPipeServer,
}

/// What a writer may be ahead by, so that a moment without processor time does not stall OBS.
const BUFFER_LEN: u32 = 1 << 20;

impl Source {
    /// Makes the pipe; nobody else may have one of its name.
    pub(super) fn bind(name: &Path) -> Result<Self, Usage> {
        let name = name.display().to_string();
        let next = instance(&name, true).map_err(|error| {
            Usage::new(format!(
                "cannot make the pipe {name} ({error}): is another lookback running? stop it, or \
                 name another pipe with --input"
            ))
        })?;
        Ok(Self { name, next })
    }

    /// Records each client; while one is recorded, others are refused.
    pub(super) async fn run(self, feed: Feed) {
        let Self { name, mut next } = self;
        loop {
            let connected = next.connect().await;
            let client = std::mem::replace(&mut next, successor(&feed, &name).await);
            match connected {
                Ok(()) => start(&feed, client),
                Err(error) => warn!("{}: {}: {error}", feed.channel.name(), feed.name),
            }
        }
    }
}

fn start(feed: &Feed, client: NamedPipeServer) {
    let Some(writer) = feed.connect() else { return };
    let feed = feed.clone();
    tokio::spawn(async move { record(&feed, writer, client).await });
}

async fn successor(feed: &Feed, name: &str) -> NamedPipeServer {
    loop {
        match instance(name, false) {
            Ok(server) => return server,
            Err(error) => warn!("{}: {}: {error}", feed.channel.name(), feed.name),
        }
        sleep(PAUSE).await;
    }
}

fn instance(name: &str, first: bool) -> io::Result<NamedPipeServer> {
    ServerOptions::new()
        .first_pipe_instance(first)
        .in_buffer_size(BUFFER_LEN)
        .create(name)
}
