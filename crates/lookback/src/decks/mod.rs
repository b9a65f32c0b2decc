//! Decks: players inside the server, each with a feed that never ends.
//!
//! What a deck does is decided in `lookback-deck`; here it gets a clock and a task of its own
//! ([`task`]), readers on one timeline ([`feed`]), and the pipe that `--play-to` names ([`pipe`]). A
//! [`Handle`] is how everybody else speaks to it.

mod feed;
mod pipe;
mod task;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use lookback_deck::{Load, Mode, Seek, Speed, Status};
use lookback_mpegts::Ticks;
use lookback_replay::{Clip, Gone, Recorder};
use tokio::sync::{mpsc, oneshot, watch};

pub(crate) use self::feed::Feed;
pub(crate) use self::pipe::feed_pipe;
use self::task::Task;
use crate::settings::Name;

/// All decks, by their names.
#[derive(Clone)]
pub(crate) struct Decks {
    handles: Arc<[Handle]>,
    changed: watch::Receiver<()>,
}

impl Decks {
    /// Decks of these names, and what has to run so that they play.
    pub(crate) fn new(
        names: &[Name],
        recorder: &Arc<Recorder>,
    ) -> (Self, Vec<impl Future<Output = ()> + Send + use<>>) {
        let (change, changed) = watch::channel(());
        let change = Arc::new(change);
        let (handles, tasks): (Vec<Handle>, Vec<_>) = names
            .iter()
            .map(|name| {
                let (requests, asked) = mpsc::channel(REQUESTS_MAX);
                let (show, state) = watch::channel(State::IDLE);
                let task = Task::new(name, Arc::clone(recorder), show, Arc::clone(&change));
                let handle = Handle {
                    name: name.to_string().into(),
                    requests,
                    state,
                };
                (handle, task.run(asked))
            })
            .unzip();
        let decks = Self {
            handles: handles.into(),
            changed,
        };
        (decks, tasks)
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
