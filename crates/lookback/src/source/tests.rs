//! Real pipes, sockets and files into channels.

use std::fs::File;
use std::io::Write;
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::FutureExt;
use lookback_replay::Recorder;
use tokio::io::ReadBuf;
use tokio::task::JoinHandle;

use super::*;
use crate::testing::{eventually, recorder, video};

/// A channel and what feeds it.
struct Running {
    channel: Arc<Channel>,
    task: JoinHandle<()>,
    _recorder: Arc<Recorder>,
}

impl Running {
    fn start<F: Future<Output = ()> + Send + 'static>(run: impl FnOnce(Feed) -> F) -> Self {
        let recorder = recorder();
        let channel = recorder.add_channel("main");
        let feed = Feed {
            name: "test".into(),
            channel: Arc::clone(&channel),
        };
        Self {
            channel,
            task: tokio::spawn(run(feed)),
            _recorder: recorder,
        }
    }

    fn source(source: Source) -> Self {
        Self::start(|feed| source.run(feed.name.to_string(), feed.channel))
    }

    fn received(&self) -> usize {
        usize::try_from(self.channel.status(clock::now()).received_bytes).expect("not so many")
    }

    /// Waits until so many bytes have come and their source has left.
    async fn ends_after(&self, bytes: usize) {
        eventually("the source ends", || {
            self.received() == bytes && self.channel.status(clock::now()).source.is_none()
        })
        .await;
    }

    async fn second_is_refused(&self) {
        eventually("a second source is reported", || {
            let status = self.channel.status(clock::now());
            status
                .problems
                .iter()
                .any(|problem| problem.code == "second_source")
        })
        .await;
    }

    async fn stop(self) {
        self.task.abort();
        assert!(self.task.await.is_err_and(|error| error.is_cancelled()));
    }
}

/// Writes on a thread, since a writer may block until it is read.
#[cfg(unix)]
fn write_to(path: PathBuf, bytes: Vec<u8>) -> JoinHandle<io::Result<()>> {
    tokio::task::spawn_blocking(move || File::options().write(true).open(path)?.write_all(&bytes))
}

/// Both kinds of FIFO readers are held to the same.
#[cfg(unix)]
async fn each_writer_is_a_run(start: impl FnOnce(&Path) -> Running) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("obs.ts");
    let running = start(&path);
    let bytes = video(1.0);
    for runs in 1..=3 {
        write_to(path.clone(), bytes.clone())
            .await
            .expect("no panic")
            .expect("read");
        running.ends_after(runs * bytes.len()).await;
        assert_eq!(running.channel.status(clock::now()).runs, runs);
    }
    running.stop().await;
    assert!(!path.exists(), "what was made is removed");
}

#[cfg(unix)]
async fn a_busy_channel_refuses_the_fifo(start: impl FnOnce(&Path) -> Running) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("obs.ts");
    let running = start(&path);
    let first = running
        .channel
        .connect("first", clock::now())
        .expect("free");
    // More than the pipe holds: it ends because nobody reads.
    let refused = write_to(path.clone(), vec![0; 4 << 20])
        .await
        .expect("no panic");
    assert_eq!(
        refused.expect_err("not read").kind(),
        io::ErrorKind::BrokenPipe
    );
    running.second_is_refused().await;
    assert_eq!(
        running.channel.status(clock::now()).source.as_deref(),
        Some("first")
    );
    drop(first);
    let bytes = video(1.0);
    write_to(path, bytes.clone())
        .await
        .expect("no panic")
        .expect("read");
    running.ends_after(bytes.len()).await;
    running.stop().await;
}

/// Of these kinds none has to be waited for.
fn bound(address: &Address) -> Result<Source, Usage> {
    let binding = Source::bind(address, Path::new("ffmpeg"));
    binding.now_or_never().expect("nothing is waited for")
}

#[cfg(target_os = "linux")]
fn start_fifo(path: &Path) -> Running {
    Running::source(bound(&Address::Pipe(path.to_owned())).expect("made"))
}

#[cfg(unix)]
fn start_blocking_fifo(path: &Path) -> Running {
    let source = fifo_blocking::Source::bind(path).expect("made");
    Running::start(|feed| source.run(feed))
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn fifo_takes_one_writer_after_another() {
    each_writer_is_a_run(start_fifo).await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn fifo_is_refused_while_the_channel_is_busy() {
    a_busy_channel_refuses_the_fifo(start_fifo).await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn fifo_has_one_reader() {
    let folder = tempfile::tempdir().expect("a folder");
    let address = Address::Pipe(folder.path().join("obs.ts"));
    let first = bound(&address).expect("made");
    let error = bound(&address).expect_err("read already").to_string();
    assert!(error.contains("another lookback"), "{error}");
    drop(first);
    assert!(bound(&address).is_ok());
}

#[cfg(unix)]
#[tokio::test]
async fn blocking_fifo_takes_one_writer_after_another() {
    each_writer_is_a_run(start_blocking_fifo).await;
}

#[cfg(unix)]
#[tokio::test]
async fn blocking_fifo_is_refused_while_the_channel_is_busy() {
    a_busy_channel_refuses_the_fifo(start_blocking_fifo).await;
}

/// A source on a port of its own choice.
fn tcp() -> (Running, SocketAddr) {
    let source =
        tcp::Source::bind(&"127.0.0.1:0".parse().expect("an endpoint")).expect("a free port");
    let address = source.address();
    (Running::source(Source::Tcp(source)), address)
}

#[tokio::test]
async fn tcp_takes_one_connection_after_another() {
    let (running, address) = tcp();
    let bytes = video(1.0);
    for runs in 1..=3 {
        TcpStream::connect(address)
            .expect("listens")
            .write_all(&bytes)
            .expect("read");
        running.ends_after(runs * bytes.len()).await;
        assert_eq!(running.channel.status(clock::now()).runs, runs);
    }
}

#[tokio::test]
async fn tcp_closes_a_second_connection_and_leaves_the_first_alone() {
    let (running, address) = tcp();
    let bytes = video(2.0);
    let (begin, rest) = bytes.split_at(bytes.len() / 2);
    let mut first = TcpStream::connect(address).expect("listens");
    first.write_all(begin).expect("read");
    eventually("the first is recorded", || {
        running.received() == begin.len()
    })
    .await;
    let mut second = TcpStream::connect(address).expect("listens");
    let closed = tokio::task::spawn_blocking(move || second.read(&mut [0; 1]));
    assert_eq!(closed.await.expect("no panic").expect("a clean end"), 0);
    running.second_is_refused().await;
    first.write_all(rest).expect("still read");
    drop(first);
    running.ends_after(bytes.len()).await;
    assert_eq!(running.channel.status(clock::now()).runs, 1);
}

#[tokio::test]
async fn a_port_in_use_is_said_so() {
    let (_running, address) = tcp();
    let address = format!("tcp://{address}").parse().expect("an address");
    let error = bound(&address).expect_err("in use").to_string();
    assert!(
        error.contains("in use") && error.contains("--input"),
        "{error}"
    );
}

/// Time stands still but for the waits of the source: silence comes at once, and only when nothing is
/// left to read.
#[tokio::test(start_paused = true)]
async fn udp_ends_with_silence_and_has_one_sender() {
    let source =
        udp::Source::bind(&"127.0.0.1:0".parse().expect("an endpoint")).expect("a free port");
    let address = source.address();
    let running = Running::source(Source::Udp(source));
    let sender = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let other = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let bytes = video(0.5);
    let datagrams: Vec<&[u8]> = bytes.chunks(7 * 188).collect();
    sender.send_to(datagrams[0], address).expect("sent");
    other.send_to(&[0; 188], address).expect("sent");
    for datagram in &datagrams[1..] {
        sender.send_to(datagram, address).expect("sent");
    }
    running.ends_after(bytes.len()).await;
    running.second_is_refused().await;
    assert_eq!(running.channel.status(clock::now()).runs, 1);
    other.send_to(&bytes[..188], address).expect("sent");
    running.ends_after(bytes.len() + 188).await;
}

#[tokio::test]
async fn a_file_is_read_once_when_its_turn_has_come() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("match.ts");
    let bytes = video(1.0);
    fs::write(&path, &bytes).expect("a file");
    let source = bound(&Address::Path(path)).expect("readable");
    let recorder = recorder();
    let channel = recorder.add_channel("main");
    let first = channel.connect("first", clock::now()).expect("free");
    let reading = tokio::spawn(source.run("file".to_owned(), Arc::clone(&channel)));
    drop(first);
    reading.await.expect("it comes to its end");
    let status = channel.status(clock::now());
    assert_eq!(
        (status.received_bytes, status.runs),
        (bytes.len() as u64, 1)
    );
}

/// Hands out some bytes and then panics.
struct Faulty(Vec<u8>);

impl AsyncRead for Faulty {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        assert!(!self.0.is_empty(), "a fault, as the test wants it");
        let len = buffer.remaining().min(self.0.len());
        buffer.put_slice(&self.0.drain(..len).collect::<Vec<u8>>());
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn a_panic_ends_the_connection_and_not_the_recording() {
    let recorder = recorder();
    let channel = recorder.add_channel("main");
    let feed = Feed {
        name: "test".into(),
        channel: Arc::clone(&channel),
    };
    let bytes = video(1.0);
    let writer = feed.connect().expect("free");
    assert!(record(&feed, writer, Faulty(bytes.clone())).await.is_none());
    let writer = feed.connect().expect("free again");
    assert!(
        record(&feed, writer, io::Cursor::new(bytes.clone()))
            .await
            .is_some()
    );
    let status = channel.status(clock::now());
    assert_eq!(
        (status.received_bytes, status.runs),
        (2 * bytes.len() as u64, 2)
    );
}
