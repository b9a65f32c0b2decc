//! Sources: where the bytes of the channels come from, one module for each kind.
//!
//! A source is bound before the server says that it listens, so that what is wrong with it is said
//! at once; then it runs for ever. Each connection becomes a run of its channel: a [`Writer`] that is
//! dropped when the connection ends. Bytes are read straight into the place where they stay.
//!
//! Several sources may feed one channel, one at a time. Who comes second is refused and reported,
//! and the first is left alone. A panic while recording ends that connection, and no more.

mod address;
mod demo;
#[cfg(target_os = "linux")]
mod fifo;
#[cfg(all(unix, any(test, not(target_os = "linux"))))]
mod fifo_blocking;
mod file;
#[cfg(windows)]
mod pipe;
mod srt;
mod stdin;
mod tcp;
mod udp;

use std::fs;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use lookback_replay::{Channel, Writer};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::oneshot;
use tracing::{error, info, warn};

#[cfg(all(unix, not(target_os = "linux")))]
use self::fifo_blocking as fifo;

pub(crate) use self::address::{
    Address, Input, TCP_DEFAULT, default_inputs, usual_pipe, windows_pipe,
};
use crate::clock;
use crate::usage::Usage;

/// A source that is ready to run.
#[derive(Debug)]
pub(crate) enum Source {
    /// The built-in test picture.
    Demo,
    /// A file, read once.
    File(file::Source),
    /// A named pipe, read for ever.
    #[cfg(unix)]
    Pipe(fifo::Source),
    /// A named pipe, served for ever.
    #[cfg(windows)]
    Pipe(pipe::Source),
    /// Standard input, until it ends.
    Stdin,
    /// A listening port.
    Tcp(tcp::Source),
    /// A port that takes datagrams.
    Udp(udp::Source),
    /// A port that ffmpeg is to listen on.
    Srt(srt::Source),
}

impl Source {
    /// Takes what the source needs: a port, a pipe's name, a file, or this ffmpeg.
    pub(crate) async fn bind(address: &Address, ffmpeg: &Path) -> Result<Self, Usage> {
        Ok(match address {
            Address::Demo => Self::Demo,
            Address::Path(path) if is_file(path) => Self::File(file::Source::bind(path)?),
            #[cfg(unix)]
            Address::Path(path) | Address::Pipe(path) => Self::Pipe(fifo::Source::bind(path)?),
            #[cfg(windows)]
            Address::Path(path) => Self::File(file::Source::bind(path)?),
            #[cfg(windows)]
            Address::Pipe(name) => Self::Pipe(pipe::Source::bind(name)?),
            Address::Stdin => Self::Stdin,
            Address::Tcp(endpoint) => Self::Tcp(tcp::Source::bind(endpoint)?),
            Address::Udp(endpoint) => Self::Udp(udp::Source::bind(endpoint)?),
            Address::Srt(port) => Self::Srt(srt::Source::bind(port, ffmpeg).await?),
        })
    }

    /// Feeds the channel, for ever or to the end of a source that has one. `name` is what the status
    /// calls the source.
    pub(crate) async fn run(self, name: String, channel: Arc<Channel>) {
        let feed = Feed {
            name: name.into(),
            channel,
        };
        match self {
            Self::Demo => demo::run(feed).await,
            Self::File(source) => on_its_own_thread(feed, move |feed| source.run(feed)).await,
            Self::Pipe(source) => source.run(feed).await,
            Self::Stdin => on_its_own_thread(feed, stdin::run).await,
            Self::Tcp(source) => source.run(feed).await,
            Self::Udp(source) => source.run(feed).await,
            Self::Srt(source) => source.run(feed).await,
        }
    }
}

fn is_file(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.is_file())
}

/// How long a source that is in the way, or out of order, waits before it tries again.
pub(crate) const PAUSE: Duration = Duration::from_secs(1);

/// A channel, and the name under which a source feeds it.
#[derive(Clone)]
struct Feed {
    name: Arc<str>,
    channel: Arc<Channel>,
}

impl Feed {
    /// Starts a run, or refuses and reports it: somebody else is recording.
    fn connect(&self) -> Option<Writer> {
        let writer = self.try_connect();
        if writer.is_none() {
            self.report_second();
        }
        writer
    }

    /// Starts a run, unless somebody else is recording.
    fn try_connect(&self) -> Option<Writer> {
        let writer = self.channel.connect(&self.name, clock::now()).ok()?;
        info!("{}: recording from {}", self.channel.name(), self.name);
        Some(writer)
    }

    fn report_second(&self) {
        let hint = format!(
            "a second source came over {} while the channel was recording, and was refused; give it \
             a channel of its own: --input NAME={}",
            self.name, self.name
        );
        self.channel.report("second_source", hint);
    }

    /// Tells how a connection ended. Nothing follows from it: the next one may come.
    fn ended(&self, how: &io::Result<()>) {
        let channel = self.channel.name();
        match how {
            Ok(()) => info!("{channel}: {} has ended", self.name),
            Err(error) => warn!("{channel}: {} broke off: {error}", self.name),
        }
    }

    fn panicked(&self) {
        let channel = self.channel.name();
        error!(
            "{channel}: a fault in lookback ended this connection of {}",
            self.name
        );
    }
}

/// Records one connection to its end, in a task of its own so that a panic stays in it. Gives the
/// reader back, for those who must open the next before they close this one.
async fn record<R>(feed: &Feed, writer: Writer, reader: R) -> Option<R>
where
    R: AsyncRead + Unpin + Send + 'static,
{
    match tokio::spawn(copy(reader, writer)).await {
        Ok((reader, how)) => {
            feed.ended(&how);
            Some(reader)
        }
        Err(_) => {
            feed.panicked();
            None
        }
    }
}

async fn copy<R: AsyncRead + Unpin>(mut reader: R, mut writer: Writer) -> (R, io::Result<()>) {
    loop {
        match reader.read(writer.spare()).await {
            Ok(0) => return (reader, Ok(())),
            Ok(len) => writer.commit(len, clock::now()),
            Err(error) => return (reader, Err(error)),
        }
    }
}

/// The same for a reader that blocks.
fn record_blocking(feed: &Feed, mut writer: Writer, mut reader: impl Read) {
    let how = loop {
        match reader.read(writer.spare()) {
            Ok(0) => break Ok(()),
            Ok(len) => writer.commit(len, clock::now()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => break Err(error),
        }
    };
    drop(writer);
    feed.ended(&how);
}

/// Runs `work` on a thread that nobody waits for when the program stops, since a blocking read
/// cannot be called off.
async fn on_its_own_thread(feed: Feed, work: impl FnOnce(&Feed) + Send + 'static) {
    let (done, ended) = oneshot::channel();
    let worker = feed.clone();
    thread::spawn(move || {
        work(&worker);
        // Nobody waits any more when the program is stopping.
        let _ = done.send(());
    });
    if ended.await.is_err() {
        feed.panicked();
    }
}

#[cfg(test)]
mod tests;
