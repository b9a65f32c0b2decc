//! A deck's feed where `--play-to` says: in a pipe, or at a port.

use std::io;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tracing::{info, warn};

use super::{Feed, Handle};
use crate::sink::{Pipe, Port, Sink};

/// Readers of a port; each costs what the system buffers for it.
const READERS_MAX: usize = 64;

/// Who takes nothing for so long is not there any more.
const STALL_MAX: Duration = Duration::from_secs(10);

/// Writes the feed to all who come, for ever.
pub(crate) async fn play_into(sink: Sink, deck: Handle) {
    match sink {
        Sink::Pipe(pipe) => fill(pipe, deck).await,
        Sink::Port(port) => serve(port, deck).await,
    }
}

/// One reader after another: a pipe has one at a time.
async fn fill(mut pipe: Pipe, deck: Handle) {
    loop {
        let mut reader = pipe.reader().await;
        let mut feed = match deck.feed().await {
            Ok(feed) => feed,
            Err(error) => {
                warn!("{error}");
                continue;
            }
        };
        while let Some(bytes) = feed.next().await {
            if let Err(error) = reader.write(&bytes).await {
                info!("the reader of the pipe has left ({error})");
                break;
            }
        }
    }
}

async fn serve(port: Port, deck: Handle) {
    let mut readers = JoinSet::new();
    loop {
        let stream = tokio::select! {
            stream = port.reader() => stream,
            Some(_) = readers.join_next() => continue,
        };
        if readers.len() >= READERS_MAX {
            warn!("{port}: a reader is sent away, as {READERS_MAX} are there already");
            continue;
        }
        match deck.feed().await {
            Ok(feed) => drop(readers.spawn(stream_to(stream, feed))),
            Err(error) => warn!("{error}"),
        }
    }
}

async fn stream_to(mut stream: TcpStream, mut feed: Feed) {
    while let Some(bytes) = feed.next().await {
        let written = timeout(STALL_MAX, stream.write_all(&bytes)).await;
        if let Err(error) = written.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
            info!("a reader of the port has left ({error})");
            return;
        }
    }
}
