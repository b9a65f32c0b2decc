//! A FIFO that OBS, or anything else, writes to.
//!
//! Without a writer the reader waits. When the writer leaves, reads end at once and for ever, so the
//! FIFO is opened anew: before the old one is closed, since a writer that comes in between would find
//! no reader and fail.

use std::io;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};
use rustix::pipe::fcntl_setpipe_size;
use tokio::net::unix::pipe::{OpenOptions, Receiver};
use tokio::time::sleep;
use tracing::warn;

use super::{Feed, PAUSE, record};
use crate::fifo::Fifo;
use crate::usage::Usage;

/// An open FIFO.
#[derive(Debug)]
pub(crate) struct Source {
    fifo: Fifo,
    receiver: Receiver,
}

/// What a writer may be ahead by. 64 KiB, the default, are 10 ms of 50 Mbit/s.
const PIPE_LEN: usize = 1 << 20;

impl Source {
    /// Opens the FIFO, making it if missing.
    pub(super) fn bind(path: &Path) -> Result<Self, Usage> {
        let fifo = Fifo::at(path)?;
        let shown = path.display();
        let receiver = open(path)
            .map_err(|error| Usage::new(format!("cannot read the FIFO {shown}: {error}")))?;
        if lock(&receiver).is_err() {
            return Err(Usage::new(format!(
                "the FIFO {shown} is being read by another lookback: stop that one, or name another \
                 with --input"
            )));
        }
        Ok(Self { fifo, receiver })
    }

    /// Records each writer, for ever.
    pub(super) async fn run(self, feed: Feed) {
        let Self { fifo, mut receiver } = self;
        loop {
            // Nothing is ready before the first writer has come.
            let ready = receiver.readable().await;
            let writer = ready.ok().and_then(|()| feed.connect());
            let ended = match writer {
                Some(writer) => record(&feed, writer, receiver).await,
                None => {
                    // Only without any reader does the writer learn that it is not wanted.
                    drop(receiver);
                    sleep(PAUSE).await;
                    None
                }
            };
            receiver = reopen(&feed, &fifo).await;
            drop(ended);
            // Another server would have been refused when it started: there is none to tell.
            let _ = lock(&receiver);
        }
    }
}

async fn reopen(feed: &Feed, fifo: &Fifo) -> Receiver {
    loop {
        match open(fifo.path()) {
            Ok(receiver) => return receiver,
            Err(error) => warn!(
                "{}: cannot read {}: {error}",
                feed.channel.name(),
                feed.name
            ),
        }
        sleep(PAUSE).await;
    }
}

fn open(path: &Path) -> io::Result<Receiver> {
    let receiver = OpenOptions::new().open_receiver(path)?;
    // The user may have used up what pipes may hold; then it stays as it is.
    let _ = fcntl_setpipe_size(&receiver, PIPE_LEN);
    Ok(receiver)
}

/// Two servers that read one FIFO would each get a part of its bytes.
fn lock(receiver: &Receiver) -> rustix::io::Result<()> {
    flock(receiver, FlockOperation::NonBlockingLockExclusive)
}
