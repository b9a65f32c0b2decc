//! A Windows named pipe that a media source or a player reads.
//!
//! Clients come when they like, also when nothing plays, and some open a pipe twice, first to look. So
//! a task keeps instances ready, and hands over the ones that were connected to. One is never
//! disconnected, which would throw away what its client has not read yet: it is dropped.

use std::io;
use std::path::Path;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::windows::named_pipe::{NamedPipeServer, ServerOptions};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tracing::warn;

use crate::usage::Usage;

/// A pipe, with or without readers.
#[derive(Debug)]
pub(crate) struct Pipe {
    connected: mpsc::Receiver<NamedPipeServer>,
    /// Ends with this.
    _keeper: JoinSet<()>,
}

/// The connection to one reader.
#[derive(Debug)]
pub(crate) struct Output {
    server: NamedPipeServer,
    taken: usize,
}

/// OBS and ffmpeg do not wait for a free instance: they fail.
const IDLE_INSTANCES: usize = 2;
/// Readers that wait to be played to. When there are more, the next ones are let go.
const WAITING_MAX: usize = 8;
const BUFFER_LEN: u32 = 1 << 20;
/// Who has not read the first buffer after so long only came to look.
const FIRST_READ_MAX: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_secs(1);

impl Pipe {
    /// Makes the pipe; nobody else may have one of its name.
    pub(crate) fn bind(path: &Path) -> Result<Self, Usage> {
        let name = path.display().to_string();
        let mut idle = JoinSet::new();
        for index in 0..IDLE_INSTANCES {
            let server = instance(&name, index == 0).map_err(|error| {
                Usage::new(format!(
                    "cannot make the pipe {name} ({error}): is another lookback running? stop it, or \
                     name another pipe with --play-to"
                ))
            })?;
            idle.spawn(connect(server));
        }
        let (hand_over, connected) = mpsc::channel(WAITING_MAX);
        let mut keeper = JoinSet::new();
        keeper.spawn(keep(name, idle, hand_over));
        Ok(Self {
            connected,
            _keeper: keeper,
        })
    }

    /// Waits for a reader. One that has left again is noticed at the first write.
    pub(crate) async fn reader(&mut self) -> Output {
        loop {
            match self.connected.recv().await {
                Some(server) => return Output { server, taken: 0 },
                None => sleep(PAUSE).await,
            }
        }
    }
}

/// Keeps instances ready, for ever.
async fn keep(
    name: String,
    mut idle: JoinSet<io::Result<NamedPipeServer>>,
    hand_over: mpsc::Sender<NamedPipeServer>,
) {
    loop {
        let came = idle.join_next().await;
        while idle.len() < IDLE_INSTANCES {
            match instance(&name, false) {
                Ok(server) => drop(idle.spawn(connect(server))),
                Err(error) => {
                    warn!("{name}: {error}");
                    sleep(PAUSE).await;
                }
            }
        }
        if let Some(Ok(Ok(server))) = came {
            // Full of readers that were never played to: this one is let go, and sees an end.
            let _ = hand_over.try_send(server);
        }
    }
}

async fn connect(server: NamedPipeServer) -> io::Result<NamedPipeServer> {
    server.connect().await?;
    Ok(server)
}

fn instance(name: &str, first: bool) -> io::Result<NamedPipeServer> {
    ServerOptions::new()
        .first_pipe_instance(first)
        .out_buffer_size(BUFFER_LEN)
        .create(name)
}

impl Output {
    /// Hands the bytes to the reader, at its pace.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.taken = self.taken.saturating_add(bytes.len());
        if self.taken > 2 * BUFFER_LEN as usize {
            return self.server.write_all(bytes).await;
        }
        match timeout(FIRST_READ_MAX, self.server.write_all(bytes)).await {
            Ok(result) => result,
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }
}
