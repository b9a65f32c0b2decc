//! A port that OBS, ffmpeg or another sender connects to and writes MPEG-TS.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;
use tracing::warn;

use super::{Feed, PAUSE, record};
use crate::settings::Endpoint;
use crate::usage::Usage;

/// A listening port.
#[derive(Debug)]
pub(crate) struct Source {
    listener: TcpListener,
}

impl Source {
    /// Starts to listen.
    pub(super) fn bind(endpoint: &Endpoint) -> Result<Self, Usage> {
        let listener = endpoint.resolve().and_then(listen).map_err(|error| match error.kind() {
            io::ErrorKind::AddrInUse => Usage::new(format!(
                "tcp://{endpoint} is in use by another program: stop it, or name another port with \
                 --input tcp://HOST:PORT"
            )),
            _ => Usage::new(format!("cannot listen on tcp://{endpoint}: {error}")),
        })?;
        Ok(Self { listener })
    }

    #[cfg(test)]
    pub(super) fn address(&self) -> SocketAddr {
        self.listener
            .local_addr()
            .expect("a bound socket has an address")
    }

    /// Records each connection; while one is recorded, others are refused.
    pub(super) async fn run(self, feed: Feed) {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => start(&feed, stream),
                Err(error) => {
                    warn!(
                        "{}: {} cannot accept: {error}",
                        feed.channel.name(),
                        feed.name
                    );
                    sleep(PAUSE).await;
                }
            }
        }
    }
}

/// The system's receive buffer stays as it is: it grows as needed, and asking for a size ends that.
pub(super) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = std::net::TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

fn start(feed: &Feed, stream: TcpStream) {
    let Some(writer) = feed.connect() else { return };
    // Without it, a sender that lost its power would keep the channel for ever.
    let alive = TcpKeepalive::new().with_time(Duration::from_secs(10));
    let alive = alive.with_interval(Duration::from_secs(5));
    if let Err(error) = SockRef::from(&stream).set_tcp_keepalive(&alive) {
        warn!(
            "{}: {}: no keep-alive: {error}",
            feed.channel.name(),
            feed.name
        );
    }
    let feed = feed.clone();
    tokio::spawn(async move { record(&feed, writer, stream).await });
}
