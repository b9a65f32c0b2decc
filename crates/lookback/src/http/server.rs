//! Accepts clients and serves each in a task of its own, which ends with its connection: a panic ends
//! no other.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tracing::{debug, error, warn};

use super::socket::{Timed, WRITE_MAX};

/// Clients at a time. Each may hold some megabytes in buffers of the system; more wait to be accepted.
const CONNECTIONS_MAX: usize = 512;

/// How long a client may take to say what it wants, and to ask again on the same connection.
const REQUEST_MAX: Duration = Duration::from_secs(30);

/// What became of the clients so far.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    /// Accepted since the start.
    pub(super) accepted: AtomicU64,
    /// Connected now.
    pub(super) open: AtomicU64,
    /// Cut off because they had stopped reading.
    pub(super) cut_off: AtomicU64,
}

/// Serves for ever.
pub(crate) async fn serve(listener: TcpListener, router: Router, connections: Arc<Connections>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut tasks = JoinSet::new();
    loop {
        let place = Arc::clone(&places)
            .acquire_owned()
            .await
            .expect("it is never closed");
        let client = tokio::select! {
            client = listener.accept() => client,
            Some(ended) = tasks.join_next() => {
                log_panic(&ended);
                continue;
            }
        };
        match client {
            Ok((stream, peer)) => {
                let client = Client {
                    peer,
                    connections: Arc::clone(&connections),
                    _place: place,
                };
                tasks.spawn(client.serve(stream, router.clone()));
            }
            Err(error) => {
                // Out of file descriptors, most likely: some will come free.
                warn!("cannot accept clients: {error}");
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

fn log_panic(ended: &Result<(), tokio::task::JoinError>) {
    if ended.as_ref().is_err_and(|error| error.is_panic()) {
        error!("a fault in lookback ended the connection of a client");
    }
}

struct Client {
    peer: SocketAddr,
    connections: Arc<Connections>,
    _place: OwnedSemaphorePermit,
}

impl Client {
    async fn serve(self, stream: TcpStream, router: Router) {
        self.connections.accepted.fetch_add(1, Ordering::Relaxed);
        let _open = Open::new(&self.connections.open);
        if let Err(error) = stream.set_nodelay(true) {
            debug!("{}: {error}", self.peer);
        }
        let served = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(REQUEST_MAX)
            .serve_connection(
                TokioIo::new(Timed::new(stream)),
                TowerToHyperService::new(router),
            );
        match served.await {
            Ok(()) => {}
            Err(error) if timed_out(&error) => {
                self.connections.cut_off.fetch_add(1, Ordering::Relaxed);
                warn!(
                    "{} was cut off: it had read nothing for {} s",
                    self.peer,
                    WRITE_MAX.as_secs()
                );
            }
            // Players drop a connection whenever they seek.
            Err(error) => debug!("{}: {error}", self.peer),
        }
    }
}

/// Counts a connection for as long as it lives, also if its task panics.
struct Open<'a>(&'a AtomicU64);

impl<'a> Open<'a> {
    fn new(count: &'a AtomicU64) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn timed_out(error: &hyper::Error) -> bool {
    let io = error
        .source()
        .and_then(|source| source.downcast_ref::<io::Error>());
    io.is_some_and(|error| error.kind() == io::ErrorKind::TimedOut)
}
