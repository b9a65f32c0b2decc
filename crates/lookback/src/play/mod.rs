//! `/play`: a clip, in real time, into the sink.
//!
//! One task plays, for as long as the server runs. A clip that is asked for while another one plays
//! takes its place, and the reader of the sink stays: the stream goes on on the same timeline, so that
//! a media source neither reconnects nor sees time jump. When the clip has ended, the sink is closed.

mod pace;
#[cfg(all(test, unix))]
mod tests;
mod timeline;

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lookback_replay::Clip;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tracing::{info, warn};

use self::pace::Pace;
use self::timeline::Timeline;
use crate::sink::{Output, Sink};
use crate::transport::Transport;

/// Tells the playing task what to play, and others what it does.
#[derive(Clone)]
pub(crate) struct Player {
    wanted: watch::Sender<Option<Arc<Clip>>>,
    progress: Arc<Mutex<Progress>>,
}

/// How far a play is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Progress {
    /// Whether something plays, or waits for its reader.
    pub(crate) playing: bool,
    /// How much of the clip has been sent.
    pub(crate) position: Duration,
    /// The length of the clip.
    pub(crate) duration: Duration,
}

impl Player {
    /// A player, and the task that plays into the sink.
    pub(crate) fn new(sink: Sink) -> (Self, impl Future<Output = ()> + Send) {
        let (wanted, clips) = watch::channel(None);
        let player = Self {
            wanted,
            progress: Arc::default(),
        };
        let task = Task {
            clips: Clips(clips),
            progress: Arc::clone(&player.progress),
        };
        (player, task.run(sink))
    }

    /// Plays this from now on.
    pub(crate) fn play(&self, clip: Arc<Clip>) {
        self.wanted.send_replace(Some(clip));
    }

    /// How far it is.
    pub(crate) fn progress(&self) -> Progress {
        *self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A reader that leaves so soon only looked at what there is, as OBS does when it opens an input: the
/// next one gets the clip from its start.
const LOOKED_ONLY: Duration = Duration::from_secs(1);

/// The playing task.
struct Task {
    clips: Clips,
    progress: Arc<Mutex<Progress>>,
}

impl Task {
    async fn run(mut self, mut sink: Sink) {
        let mut next = self.clips.next().await;
        while let Some(clip) = next {
            self.show(Progress {
                playing: true,
                duration: clip.duration(),
                ..Progress::default()
            });
            next = tokio::select! {
                reader = sink.reader() => self.play_to(reader, clip).await,
                clip = self.clips.next() => clip,
            };
            if next.is_none() {
                self.show(Progress::default());
                next = self.clips.next().await;
            }
        }
    }

    /// Plays to one reader for as long as something is wanted. Gives the clip that it left without
    /// having seen.
    async fn play_to(&mut self, reader: Output, mut clip: Arc<Clip>) -> Option<Arc<Clip>> {
        let started = Instant::now();
        let mut session = Session::new(reader, &clip);
        loop {
            info!(
                "playing {:.1} s of {}",
                clip.duration().as_secs_f64(),
                clip.channel()
            );
            match session.play(&clip, self).await {
                End::Played => info!("played to the end"),
                End::Gone => warn!("the clip was let go while it played: memory ran short"),
                End::ReaderLeft(_) if started.elapsed() < LOOKED_ONLY => return Some(clip),
                End::ReaderLeft(error) => info!("the reader of /play has left ({error})"),
                End::Replaced(next) => {
                    clip = next;
                    continue;
                }
            }
            return None;
        }
    }

    fn show(&self, progress: Progress) {
        *self.progress.lock().unwrap_or_else(PoisonError::into_inner) = progress;
    }
}

/// What is wanted; only the newest counts.
struct Clips(watch::Receiver<Option<Arc<Clip>>>);

impl Clips {
    /// The clip that is wanted next; `None` when nobody can ask any more. It can be called off
    /// without losing any.
    async fn next(&mut self) -> Option<Arc<Clip>> {
        loop {
            self.0.changed().await.ok()?;
            if let Some(clip) = self.0.borrow_and_update().clone() {
                return Some(clip);
            }
        }
    }
}

/// How the play of a clip came to its end.
enum End {
    Gone,
    Played,
    ReaderLeft(io::Error),
    Replaced(Arc<Clip>),
}

/// What goes on from clip to clip while the reader stays.
struct Session {
    reader: Output,
    transport: Transport,
    timeline: Timeline,
    pace: Pace,
}

impl Session {
    fn new(reader: Output, clip: &Clip) -> Self {
        Self {
            reader,
            transport: Transport::new(&clip.program()),
            timeline: Timeline::default(),
            pace: Pace::default(),
        }
    }

    async fn play(&mut self, clip: &Arc<Clip>, task: &mut Task) -> End {
        self.transport.set_program(clip.program().config());
        self.timeline.next_clip();
        let mut start = None;
        let mut units = clip.units();
        let mut bytes = Vec::new();
        loop {
            let mut unit = match units.next() {
                Ok(Some(unit)) => unit,
                Ok(None) => return End::Played,
                Err(_gone) => return End::Gone,
            };
            self.timeline.place(&mut unit);
            let due = self.pace.due(unit.dts, Instant::now());
            tokio::select! {
                Some(clip) = task.clips.next() => return End::Replaced(clip),
                () = sleep_until(due) => {}
            }
            bytes.clear();
            self.transport.write(&unit, &mut bytes);
            if let Err(error) = self.reader.write(&bytes).await {
                return End::ReaderLeft(error);
            }
            let position = pace::duration(unit.dts - *start.get_or_insert(unit.dts));
            task.show(Progress {
                playing: true,
                position,
                duration: clip.duration(),
            });
        }
    }
}
