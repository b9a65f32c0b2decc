//! ffmpeg as a child: fed through its standard input, read from its standard output, with no file in
//! between.
//!
//! All three pipes are served at the same time, and three watches are kept: on the time since something
//! last moved, on the time it takes as a whole, and on the bytes that come out.

use std::fmt::Display;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lookback_mp4::Place;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{ChildStdin, Command};
use tokio::sync::Mutex as AsyncMutex;
use tokio::time::{Instant, sleep_until};

use super::failure::Failure;
use super::input::Input;
use super::output::Output;
use super::progress::Listener;
use crate::child::{Child, Priority};
use crate::programs;

/// Where ffmpeg is, and what it may take.
#[derive(Debug)]
pub(crate) struct Ffmpeg {
    program: PathBuf,
    limits: Limits,
    /// The encoders it has, once that is known.
    encoders: AsyncMutex<Option<Vec<String>>>,
}

/// How long a child may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Without anything moving.
    pub(crate) stall: Duration,
    /// For all of it.
    pub(crate) time: Duration,
}

/// How far a child is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Progress {
    /// Bytes that it has taken.
    pub(super) fed: u64,
    /// How much of the result it has written.
    pub(super) written: Duration,
    /// The bytes of that.
    pub(super) bytes: u64,
}

impl Ffmpeg {
    pub(crate) fn new(program: PathBuf, limits: Limits) -> Self {
        Self {
            program,
            limits,
            encoders: AsyncMutex::new(None),
        }
    }

    /// Has `input` converted into `output`, which takes no more than `max` bytes.
    pub(super) async fn run(
        &self,
        arguments: &[String],
        input: &Input,
        output: &mut Output,
        max: u64,
        report: &(dyn Fn(Progress) + Sync),
    ) -> Result<(), Failure> {
        let mut command = Command::new(&self.program);
        command
            .args(["-hide_banner", "-nostdin", "-loglevel", "error", "-nostats"])
            .args(["-stats_period", "0.1", "-progress", "pipe:2"])
            .args(input.arguments())
            .args(arguments)
            .arg("pipe:1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child =
            Child::start(command, Priority::Low).map_err(|error| self.not_started(&error))?;
        let watch = Watch::new(report);
        let done = tokio::select! {
            done = serve(&mut child, input, output, max, &watch) => done,
            failure = watch.limits(self.limits) => Err(failure),
        };
        // Whatever of it is left is ended here, before anything is said.
        drop(child);
        let said = watch.said();
        let status = done?;
        if !status.success() {
            return Err(Failure::Crashed {
                status: status.to_string(),
                said,
            });
        }
        if output.len() == 0 {
            return Err(Failure::Nothing { said });
        }
        Ok(())
    }

    /// Which of these encoders are missing; if there is no ffmpeg, that.
    pub(crate) async fn missing(&self, encoders: &[String]) -> Result<Vec<String>, Failure> {
        let mut known = self.encoders.lock().await;
        let known = match &mut *known {
            Some(known) => known,
            none => {
                let listed = programs::listed(&self.program, "-encoders").await;
                none.insert(listed.map_err(|error| self.not_started(&error))?)
            }
        };
        let missing = encoders.iter().filter(|name| !known.contains(name));
        Ok(missing.cloned().collect())
    }

    fn not_started(&self, error: &dyn Display) -> Failure {
        Failure::NoFfmpeg {
            program: self.program.display().to_string(),
            error: error.to_string(),
        }
    }
}

/// Feeds the child, takes what it writes, and waits for its end.
async fn serve(
    child: &mut Child,
    input: &Input,
    output: &mut Output,
    max: u64,
    watch: &Watch<'_>,
) -> Result<ExitStatus, Failure> {
    let stdin = child.0.stdin().take().expect("it is piped");
    let stdout = child.0.stdout().take().expect("it is piped");
    let stderr = child.0.stderr().take().expect("it is piped");
    tokio::try_join!(
        feed(stdin, input, watch),
        take(stdout, output, max, watch),
        listen(stderr, watch),
    )?;
    child.0.wait().await.map_err(Failure::from)
}

/// What is given to a child at a time, and taken from it.
const PIECE: usize = 64 << 10;

async fn feed(mut stdin: ChildStdin, input: &Input, watch: &Watch<'_>) -> Result<(), Failure> {
    let (mut at, mut place) = (0, Place::default());
    loop {
        let piece = input.read(at, PIECE, &mut place)?;
        if piece.is_empty() {
            return Ok(());
        }
        // One that has what it wants closes its input, or leaves: how that came out, its exit tells.
        if stdin.write_all(&piece).await.is_err() {
            return Ok(());
        }
        at += piece.len() as u64;
        watch.update(|progress| progress.fed = at);
    }
}

async fn take(
    mut stdout: impl AsyncRead + Unpin,
    output: &mut Output,
    max: u64,
    watch: &Watch<'_>,
) -> Result<(), Failure> {
    let mut piece = vec![0; PIECE];
    loop {
        let len = stdout.read(&mut piece).await?;
        if len == 0 {
            return Ok(());
        }
        if output.len() + len as u64 > max {
            return Err(Failure::TooLarge { max });
        }
        output.write(&piece[..len]).await?;
        watch.update(|progress| progress.bytes = output.len());
    }
}

async fn listen(mut stderr: impl AsyncRead + Unpin, watch: &Watch<'_>) -> Result<(), Failure> {
    let mut piece = vec![0; PIECE];
    loop {
        let len = stderr.read(&mut piece).await?;
        if len == 0 {
            return Ok(());
        }
        watch.hear(&piece[..len]);
    }
}

/// Watches over a child: what it does, and when it last did anything.
struct Watch<'a> {
    report: &'a (dyn Fn(Progress) + Sync),
    seen: Mutex<Seen>,
}

struct Seen {
    progress: Progress,
    listener: Listener,
    moved: Instant,
}

impl<'a> Watch<'a> {
    fn new(report: &'a (dyn Fn(Progress) + Sync)) -> Self {
        Self {
            report,
            seen: Mutex::new(Seen {
                progress: Progress::default(),
                listener: Listener::default(),
                moved: Instant::now(),
            }),
        }
    }

    fn update(&self, change: impl FnOnce(&mut Progress)) {
        let mut seen = self.seen();
        change(&mut seen.progress);
        seen.moved = Instant::now();
        let progress = seen.progress;
        drop(seen);
        (self.report)(progress);
    }

    /// That it speaks is no sign that it moves: what it says of its pictures is.
    fn hear(&self, bytes: &[u8]) {
        let mut seen = self.seen();
        let before = (seen.listener.written, seen.listener.pictures);
        seen.listener.take(bytes);
        let written = seen.listener.written;
        let moves = before != (written, seen.listener.pictures);
        drop(seen);
        if moves {
            self.update(|progress| progress.written = written);
        }
    }

    fn said(&self) -> Vec<String> {
        std::mem::take(&mut self.seen().listener).said()
    }

    /// Ends when the child has to.
    async fn limits(&self, limits: Limits) -> Failure {
        let ends = Instant::now() + limits.time;
        loop {
            let stalls = self.seen().moved + limits.stall;
            if Instant::now() >= ends {
                return Failure::TooSlow { after: limits.time };
            }
            if Instant::now() >= stalls {
                return Failure::Stalled {
                    after: limits.stall,
                };
            }
            sleep_until(stalls.min(ends)).await;
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
