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
use lookback_replay::{Counted, Recorder};
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tracing::{debug, error, warn};

use super::body::COPIED_MAX;
use super::socket::{Timed, WRITE_MAX};

/// Clients at a time that are for nothing: with what a connection takes and a frame of copies for each, they stay
/// within what the memory limit leaves the program for itself. (Buffers of the system come on top.)
const UNCOUNTED: usize = 128;

/// Clients at a time at most; more wait to be accepted.
const CONNECTIONS_MAX: usize = 1024;

/// What each client beyond those that are for nothing is counted as in the memory.
const CLIENT_LEN: usize = 48 << 10;

/// The most of the memory limit that is counted so.
const SHARE_OF_MEMORY: usize = 16;

/// Open files that are left to everything else: sources, decks, programs that convert.
#[cfg(unix)]
const FILES_LEFT: usize = 192;

/// How long a client may take to say what it wants, and to ask again on the same connection.
const REQUEST_MAX: Duration = Duration::from_secs(30);

/// What is gathered for a client before it is written: no more than the frame that is there, since it is
/// what a stalled client holds.
const BUFFER_MAX: usize = COPIED_MAX;

/// What the system gathers beyond that. Left to itself it takes up to 4 MiB: as much as a stalled client
/// holds, and as long as the first byte may wait until the last of them is copied.
const SEND_BUFFER: usize = 256 << 10;

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

/// How many clients are served at a time.
#[derive(Clone)]
struct Places {
    /// Those that are counted in no memory.
    uncounted: usize,
    all: usize,
    recorder: Arc<Recorder>,
}

/// Serves for ever.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    connections: Arc<Connections>,
    recorder: Arc<Recorder>,
) {
    let counted = recorder.memory().limit_bytes / SHARE_OF_MEMORY / CLIENT_LEN;
    let all = (UNCOUNTED + counted).min(CONNECTIONS_MAX);
    let places = Places {
        uncounted: UNCOUNTED,
        all: all.min(files_max(all)),
        recorder,
    };
    serve_up_to(places, listener, router, connections).await;
}

async fn serve_up_to(
    places: Places,
    listener: TcpListener,
    router: Router,
    connections: Arc<Connections>,
) {
    let free = Arc::new(Semaphore::new(places.all));
    let mut tasks = JoinSet::new();
    loop {
        let place = Arc::clone(&free)
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
                let taken = places.all - free.available_permits();
                let is_counted = taken > places.uncounted;
                let client = Client {
                    peer,
                    connections: Arc::clone(&connections),
                    _place: place,
                    _counted: is_counted.then(|| places.recorder.count(CLIENT_LEN)),
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
    _counted: Option<Counted>,
}

/// As many as may be open at once beside other files, once the system was asked for so many `wanted`.
#[cfg(unix)]
fn files_max(wanted: usize) -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let wanted = (wanted + FILES_LEFT) as u64;
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < wanted) {
        let raised = Rlimit {
            current: Some(limit.maximum.map_or(wanted, |most| most.min(wanted))),
            ..limit
        };
        // Then there are as many as there were.
        let _ = setrlimit(Resource::Nofile, raised);
    }
    let open = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    usize::try_from(open).map_or(usize::MAX, |open| {
        open.saturating_sub(FILES_LEFT).max(UNCOUNTED)
    })
}

/// Sockets are no files there.
#[cfg(not(unix))]
fn files_max(_: usize) -> usize {
    usize::MAX
}

impl Client {
    async fn serve(self, stream: TcpStream, router: Router) {
        self.connections.accepted.fetch_add(1, Ordering::Relaxed);
        let _open = Open::new(&self.connections.open);
        if let Err(error) = prepare(&stream) {
            debug!("{}: {error}", self.peer);
        }
        let served = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(REQUEST_MAX)
            .max_buf_size(BUFFER_MAX)
            .serve_connection(
                TokioIo::new(Timed::new(stream)),
                TowerToHyperService::new(router),
            )
            .with_upgrades();
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

fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    SockRef::from(stream).set_send_buffer_size(SEND_BUFFER)
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

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::io::{Read, Write};
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use axum::body::Body;
    use axum::routing::get;
    use bytes::Bytes;
    use http_body::Frame;

    use super::*;
    use crate::testing::{eventually, on_a_thread, recorder};

    const PLACES: usize = 4;

    /// A body that is always ready, and never ends. It holds something, as a clip does.
    struct Endless {
        _held: Arc<()>,
    }

    impl http_body::Body for Endless {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            self: Pin<&mut Self>,
            _cx: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[0; 256 << 10])))))
        }
    }

    struct Running {
        address: SocketAddr,
        connections: Arc<Connections>,
        recorder: Arc<Recorder>,
        held: Arc<()>,
        _tasks: JoinSet<()>,
    }

    async fn start() -> Running {
        let held = Arc::new(());
        let for_bodies = Arc::clone(&held);
        let endless = move || {
            let body = Endless {
                _held: Arc::clone(&for_bodies),
            };
            async move { Body::new(body) }
        };
        let router = Router::new()
            .route("/endless", get(endless))
            .route(
                "/fault",
                get(|| async { panic!("a fault, as the test wants it") as &str }),
            )
            .route("/", get(|| async { "fine" }));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let connections = Arc::new(Connections::default());
        let recorder = recorder();
        let mut tasks = JoinSet::new();
        let places = Places {
            uncounted: PLACES - 1,
            all: PLACES,
            recorder: Arc::clone(&recorder),
        };
        tasks.spawn(serve_up_to(
            places,
            listener,
            router,
            Arc::clone(&connections),
        ));
        Running {
            address,
            connections,
            recorder,
            held,
            _tasks: tasks,
        }
    }

    fn ask(server: &Running, path: &str) -> std::net::TcpStream {
        let mut stream = std::net::TcpStream::connect(server.address).expect("it listens");
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        )
        .expect("sent");
        stream
    }

    async fn answer(mut stream: std::net::TcpStream) -> String {
        on_a_thread(move || {
            let mut text = String::new();
            stream
                .read_to_string(&mut text)
                .map(|_| text)
                .expect("an end")
        })
        .await
    }

    /// Time stands still but for the limit, which comes when nothing else can happen.
    #[tokio::test(start_paused = true)]
    async fn a_stalled_reader_is_cut_off_and_holds_nothing_any_more() {
        let server = start().await;
        let stalled = ask(&server, "/endless");
        let cut_off = || server.connections.cut_off.load(Ordering::Relaxed);
        eventually("the reader is cut off", || cut_off() == 1).await;
        eventually("what it held is free", || {
            Arc::strong_count(&server.held) == 2
        })
        .await;
        assert_eq!(server.connections.open.load(Ordering::Relaxed), 0);
        drop(stalled);
    }

    #[tokio::test]
    async fn a_panic_ends_its_own_connection_only() {
        let server = start().await;
        let bystander = std::net::TcpStream::connect(server.address).expect("it listens");
        assert_eq!(answer(ask(&server, "/fault")).await, "");
        assert!(answer(ask(&server, "/")).await.ends_with("fine"));
        eventually("only the bystander is left", || {
            server.connections.open.load(Ordering::Relaxed) == 1
        })
        .await;
        drop(bystander);
    }

    #[tokio::test]
    async fn clients_beyond_the_limit_wait_for_a_place() {
        let server = start().await;
        let open = || server.connections.open.load(Ordering::Relaxed);
        let idle: Vec<_> = (0..PLACES)
            .map(|_| std::net::TcpStream::connect(server.address).expect("it listens"))
            .collect();
        eventually("all places are taken", || open() == PLACES as u64).await;
        let counted = || server.recorder.memory().used_bytes;
        assert_eq!(counted(), CLIENT_LEN, "the last one");
        let waiting = ask(&server, "/");
        drop(idle);
        assert!(answer(waiting).await.ends_with("fine"));
        eventually("nothing is counted any more", || counted() == 0).await;
    }
}
