//! A FIFO that a player reads.
//!
//! It cannot be opened for writing before there is a reader, so opening is tried until it works.
//! Writes block on a thread of the runtime's: an event loop does not see the reader of a FIFO leave on
//! every system.

use std::io;
use std::path::Path;
use std::time::Duration;

use rustix::fs::{Mode, OFlags, fcntl_setfl, open};
use rustix::io::Errno;
use tokio::fs::File;
use tokio::io::AsyncWriteExt;
use tokio::time::sleep;
use tracing::warn;

use crate::fifo::Fifo;
use crate::usage::Usage;

/// A FIFO, with or without a reader.
#[derive(Debug)]
pub(crate) struct Pipe {
    fifo: Fifo,
}

/// The connection to whoever reads the FIFO.
#[derive(Debug)]
pub(crate) struct Output {
    file: File,
}

/// Between two looks for a reader: a picture's time, so that nobody sees the wait.
const LOOK_EVERY: Duration = Duration::from_millis(20);

impl Pipe {
    /// Takes the FIFO, making it if missing.
    pub(crate) fn bind(path: &Path) -> Result<Self, Usage> {
        Ok(Self {
            fifo: Fifo::at(path)?,
        })
    }

    /// Waits for a reader.
    pub(crate) async fn reader(&mut self) -> Output {
        let mut told = false;
        loop {
            match self.open() {
                Ok(file) => return Output { file },
                Err(Errno::NXIO) => {}
                Err(error) if !told => {
                    warn!("cannot write to {}: {error}", self.fifo.path().display());
                    told = true;
                }
                Err(_) => {}
            }
            sleep(LOOK_EVERY).await;
        }
    }

    fn open(&self) -> Result<File, Errno> {
        let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let fifo = open(self.fifo.path(), flags, Mode::empty())?;
        // Not to wait was for the opening only.
        fcntl_setfl(&fifo, OFlags::empty())?;
        Ok(File::from_std(fifo.into()))
    }
}

impl Output {
    /// Hands the bytes to the reader, at its pace.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes).await?;
        self.file.flush().await
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn pipe(folder: &tempfile::TempDir) -> (Pipe, std::path::PathBuf) {
        let path = folder.path().join("play.ts");
        (Pipe::bind(&path).expect("made"), path)
    }

    #[tokio::test]
    async fn a_reader_is_waited_for_and_gets_the_bytes() {
        let folder = tempfile::tempdir().expect("a folder");
        let (mut pipe, path) = pipe(&folder);
        let waiting = tokio::spawn(async move { (pipe.reader().await, pipe) });
        let reader = tokio::task::spawn_blocking(move || {
            let mut bytes = Vec::new();
            std::fs::File::open(path)?.read_to_end(&mut bytes)?;
            io::Result::Ok(bytes)
        });
        let (mut output, _pipe) = waiting.await.expect("no panic");
        let sent = vec![7; 300_000];
        output.write(&sent).await.expect("read by the other side");
        drop(output);
        assert!(reader.await.expect("no panic").expect("readable") == sent);
    }

    #[tokio::test]
    async fn a_reader_that_leaves_is_an_error() {
        let folder = tempfile::tempdir().expect("a folder");
        let (mut pipe, path) = pipe(&folder);
        let reader = tokio::task::spawn_blocking(move || std::fs::File::open(path));
        let mut output = pipe.reader().await;
        drop(reader.await.expect("no panic").expect("opened"));
        let error = output.write(b"late").await.expect_err("nobody reads");
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }
}
