//! Decks: players inside the server, each with a feed that never ends.
//!
//! What a deck does is decided in `lookback-deck`; here it gets a clock and a task of its own
//! ([`task`]), readers on one timeline ([`feed`]), and what `--play-to` names ([`outlet`]). A
//! [`Handle`] is how everybody else speaks to it.

mod feed;
mod outlet;
mod task;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use lookback_deck::{Idle, Live, Load, Mode, Seek, Speed, Status};
use lookback_mpegts::Ticks;
use lookback_replay::{Clip, Gone, Recorder};
use tokio::sync::{mpsc, oneshot, watch};

pub(crate) use self::feed::Feed;
pub(crate) use self::outlet::play_into;
use self::task::Task;
use crate::settings::{DeckSettings, Show};
use crate::usage::Usage;

/// All decks, by their names.
#[derive(Clone)]
pub(crate) struct Decks {
    handles: Arc<[Handle]>,
    changed: watch::Receiver<()>,
}

impl Decks {
    /// These decks, and what has to run so that they play. The channels are there already.
    pub(crate) fn new(
        decks: &[DeckSettings],
        recorder: &Arc<Recorder>,
    ) -> Result<(Self, Vec<impl Future<Output = ()> + Send + use<>>), Usage> {
        let (change, changed) = watch::channel(());
        let change = Arc::new(change);
        let mut handles = Vec::new();
        let mut tasks = Vec::new();
        for deck in decks {
            let (requests, asked) = mpsc::channel(REQUESTS_MAX);
            let (show, state) = watch::channel(State::IDLE);
            let name: Arc<str> = deck.name.as_str().into();
            let idle = idle(&deck.idle, recorder)?;
            let task = Task::new(
                Arc::clone(&name),
                Arc::clone(recorder),
                idle,
                show,
                Arc::clone(&change),
            );
            handles.push(Handle {
                name,
                requests,
                state,
            });
            tasks.push(task.run(asked));
        }
        let decks = Self {
            handles: handles.into(),
            changed,
        };
        Ok((decks, tasks))
    }

    /// The deck that `/play` and `--play-to` mean.
    pub(crate) fn main(&self) -> &Handle {
        &self.handles[0]
    }

    /// The deck of that name.
    pub(crate) fn named(&self, name: &str) -> Option<&Handle> {
        self.handles.iter().find(|deck| *deck.name == *name)
    }

    /// All of them.
    pub(crate) fn all(&self) -> &[Handle] {
        &self.handles
    }

    /// Told when the state of one of them changes.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changed.clone()
    }
}

fn idle(show: &Show, recorder: &Recorder) -> Result<Idle, Usage> {
    let (name, delay) = match show {
        Show::Last => return Ok(Idle::Last),
        Show::Black => return Ok(Idle::Black),
        Show::Live { channel, delay } => (channel, *delay),
    };
    let channel = match name {
        Some(name) => recorder.channel(name.as_str()),
        None => recorder.channels().into_iter().next(),
    };
    let channel = channel.ok_or_else(|| {
        let name = name.as_ref().map_or("", |name| name.as_str());
        Usage::new(format!("--idle names channel {name}, which has no --input"))
    })?;
    let delay = Ticks::from_secs_f64(delay.as_secs_f64());
    Ok(Idle::Live(Live { channel, delay }))
}

/// Commands that wait to be carried out; each takes microseconds.
const REQUESTS_MAX: usize = 64;

/// What a deck can be told.
pub(crate) enum Command {
    /// Puts something else in.
    Load(Load),
    /// Plays this, from the moment on at which somebody watches.
    Show(Arc<Clip>),
    /// Goes on.
    Play,
    /// Stands still.
    Pause,
    /// Goes to another moment.
    Seek(Seek),
    /// Goes so many pictures further, or back.
    Step(i32),
    /// Plays at another speed.
    Speed(Speed),
    /// Is empty.
    Stop,
    /// What no command does.
    #[cfg(test)]
    Fault,
}

/// How a command came out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Done {
    /// The deck right after it.
    pub(crate) state: State,
    /// A seek beyond an end went to that end.
    pub(crate) clamped: bool,
}

/// Why a command was not carried out.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum Refused {
    /// There is nothing that could play.
    #[error("nothing is loaded in this deck")]
    Empty,
    /// The clip had to be let go.
    #[error(transparent)]
    Gone(#[from] Gone),
    /// The deck met a fault of its own, and begins anew.
    #[error("the deck met a fault and begins anew")]
    Fault,
}

/// A deck as others see it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct State {
    pub(crate) status: Status,
    /// How many items were played to their end so far.
    pub(crate) ended: u64,
    /// How many clips had to be let go while they were in the deck.
    pub(crate) lost: u64,
}

impl State {
    const IDLE: Self = Self {
        status: Status {
            mode: Mode::Idle,
            item: 0,
            items: 0,
            position: Ticks::ZERO,
            duration: Ticks::ZERO,
            speed: Speed::NORMAL,
            live: false,
        },
        ended: 0,
        lost: 0,
    };
}

/// One deck.
#[derive(Clone)]
pub(crate) struct Handle {
    name: Arc<str>,
    requests: mpsc::Sender<Request>,
    state: watch::Receiver<State>,
}

enum Request {
    Command(Command, oneshot::Sender<Result<Done, Refused>>),
    Join(oneshot::Sender<Feed>),
}

impl Handle {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// What it does; the position is a fifth of a second old at most.
    pub(crate) fn state(&self) -> State {
        *self.state.borrow()
    }

    /// Carries a command out.
    pub(crate) async fn command(&self, command: Command) -> Result<Done, Refused> {
        let (answer, answered) = oneshot::channel();
        let request = Request::Command(command, answer);
        // It does not answer when it has met a fault, or when the program ends.
        let sent = self.requests.send(request).await;
        sent.map_err(|_| Refused::Fault)?;
        answered.await.map_err(|_| Refused::Fault)?
    }

    /// Joins its feed.
    pub(crate) async fn feed(&self) -> Result<Feed, Refused> {
        let (answer, answered) = oneshot::channel();
        let sent = self.requests.send(Request::Join(answer)).await;
        sent.map_err(|_| Refused::Fault)?;
        answered.await.map_err(|_| Refused::Fault)
    }
}
