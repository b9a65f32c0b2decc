//! The socket of a client, with a limit on how long it may refuse to take what is there for it.
//!
//! A reader that stalls holds on to what it reads. hyper does not ask a body for more while the socket
//! is full, so neither a body nor a handler ever learns of it: the limit belongs here, where the bytes
//! do not go away.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// How long a client may take for [`PROGRESS`] bytes.
pub(super) const WRITE_MAX: Duration = Duration::from_secs(30);

/// Fewer are no progress: a reader that takes a byte now and then holds as much as one that has
/// stopped. Far less than the slowest sound needs.
const PROGRESS: usize = 16 << 10;

/// A stream whose writes fail when its peer has stopped reading.
#[derive(Debug)]
pub(super) struct Timed<S> {
    stream: S,
    stalled: Option<Stall>,
}

/// Bytes wait to be taken.
#[derive(Debug)]
struct Stall {
    ends: Pin<Box<Sleep>>,
    taken: usize,
}

impl<S> Timed<S> {
    pub(super) fn new(stream: S) -> Self {
        Self {
            stream,
            stalled: None,
        }
    }

    /// Passes on how a write went, or fails it when the peer has had its time.
    fn watch(
        &mut self,
        cx: &mut Context<'_>,
        wrote: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        match &wrote {
            Poll::Ready(Ok(len)) => {
                if let Some(stall) = &mut self.stalled {
                    stall.taken += len;
                    if stall.taken >= PROGRESS {
                        self.stalled = None;
                    }
                }
                wrote
            }
            Poll::Ready(Err(_)) => wrote,
            Poll::Pending => {
                let stall = self.stalled.get_or_insert_with(|| Stall {
                    ends: Box::pin(sleep_until(Instant::now() + WRITE_MAX)),
                    taken: 0,
                });
                match stall.ends.as_mut().poll(cx) {
                    Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
                    Poll::Pending => Poll::Pending,
                }
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Timed<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.watch(cx, wrote)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.watch(cx, wrote)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// Comes when all that was there has been taken.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stalled = None;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Timed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::time::sleep;

    use super::*;

    const BUFFER: usize = 1024;

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_stops_is_cut_off_in_time() {
        let (ours, _theirs) = duplex(BUFFER);
        let started = Instant::now();
        let error = Timed::new(ours)
            .write_all(&[0; 2 * BUFFER])
            .await
            .expect_err("nobody reads");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(started.elapsed(), WRITE_MAX);
    }

    #[tokio::test(start_paused = true)]
    async fn a_trickle_is_no_progress() {
        let (ours, mut theirs) = duplex(BUFFER);
        let trickle = tokio::spawn(async move {
            while theirs.read_u8().await.is_ok() {
                sleep(Duration::from_secs(1)).await;
            }
        });
        let started = Instant::now();
        let error = Timed::new(ours)
            .write_all(&[0; 2 * BUFFER])
            .await
            .expect_err("too slow");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(started.elapsed() < 2 * WRITE_MAX);
        trickle.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_reader_gets_everything() {
        let (ours, mut theirs) = duplex(BUFFER);
        let reader = tokio::spawn(async move {
            let (mut total, mut buffer) = (0, [0; BUFFER]);
            loop {
                match theirs.read(&mut buffer).await.expect("still there") {
                    0 => return total,
                    len => total += len,
                }
                sleep(Duration::from_secs(1)).await;
            }
        });
        let mut timed = Timed::new(ours);
        timed
            .write_all(&[0; 200 * BUFFER])
            .await
            .expect("read in the end");
        timed.flush().await.expect("nothing is left");
        // Nothing waits now, for as long as it likes.
        sleep(10 * WRITE_MAX).await;
        timed.write_all(&[0; 100]).await.expect("taken at once");
        drop(timed);
        assert_eq!(reader.await.expect("no panic"), 200 * BUFFER + 100);
    }
}
