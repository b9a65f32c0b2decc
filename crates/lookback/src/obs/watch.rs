//! Watches over an OBS, and puts instant replays on its program.
//!
//! One task stays connected, for as long as lookback runs, to an OBS that comes and goes ([`Session`] is one
//! connection). What OBS does is known from its events, and what these do not tell is asked for once a second. The task is the only one
//! that waits for OBS: everybody else reads its [`State`], or sends it a press and waits no longer than
//! [`ANSWER_MAX`].

use std::sync::Arc;
use std::time::Duration;

use lookback_replay::{Problem, Recorder};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{sleep, timeout};
use tracing::warn;

use super::connection::{Connection, Events, OpenError, Refusal, Subscriptions};
use super::health::Health;
use super::password::Password;
use super::replay::Press;
use super::session::Session;
use super::stage::{Outcome, Pressed, Stage};
use crate::decks::{Decks, Handle};
use crate::settings::{ObsPart, ObsSettings};
use crate::source::Input;

/// How long somebody who has pressed waits. An OBS that does not answer is not waited for on air.
const ANSWER_MAX: Duration = Duration::from_secs(3);

/// Presses that wait to be carried out.
const PRESSES_MAX: usize = 16;

/// Between two attempts to connect, at first and at most.
const CONNECT_AFTER: Duration = Duration::from_millis(500);
const CONNECT_AFTER_MAX: Duration = Duration::from_secs(5);

/// What the others see and can ask for.
pub(crate) struct Obs {
    settings: Option<ObsSettings>,
    state: watch::Receiver<State>,
    presses: mpsc::Sender<Pressed>,
}

/// OBS at one moment.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct State {
    pub(crate) link: Link,
    /// This and what follows are of the connection that there is.
    pub(crate) version: Option<String>,
    pub(crate) recording: bool,
    pub(crate) streaming: bool,
    /// The program.
    pub(crate) scene: Option<String>,
    pub(crate) studio_mode: bool,
    pub(crate) problems: Vec<Problem>,
    /// Recordings that were started again.
    pub(crate) restarts: u64,
}

/// Whether there is a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Link {
    /// None is wanted.
    Off,
    /// Nobody answers yet, or any more.
    Connecting,
    Connected,
    /// Somebody answers, and does not let us in.
    Refused,
}

impl State {
    /// One in which nothing is known of an OBS.
    pub(crate) fn new(link: Link) -> Self {
        Self {
            link,
            version: None,
            recording: false,
            streaming: false,
            scene: None,
            studio_mode: false,
            problems: Vec::new(),
            restarts: 0,
        }
    }

    /// The same without what is known of an OBS.
    fn without_obs(&self, link: Link) -> Self {
        Self {
            restarts: self.restarts,
            ..Self::new(link)
        }
    }
}

/// What the task needs of the program.
pub(crate) struct Surroundings {
    pub(crate) inputs: Vec<Input>,
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) decks: Decks,
    /// Where this server listens.
    pub(crate) port: u16,
}

impl Obs {
    /// OBS is left alone.
    pub(crate) fn off() -> Self {
        Self {
            settings: None,
            state: watch::channel(State::new(Link::Off)).1,
            presses: mpsc::channel(1).0,
        }
    }

    /// One that is watched over, and what has to run for it.
    pub(crate) fn new(
        settings: ObsSettings,
        surroundings: Surroundings,
    ) -> (Self, impl Future<Output = ()> + Send + use<>) {
        let (presses, pressed) = mpsc::channel(PRESSES_MAX);
        let (show, state) = watch::channel(State::new(Link::Connecting));
        let watch = Watch {
            settings: settings.clone(),
            stage: Stage::new(surroundings.port),
            surroundings,
            show,
            pressed,
            health: Health::default(),
            said: None,
        };
        let obs = Self {
            settings: Some(settings),
            state,
            presses,
        };
        (obs, watch.run())
    }

    pub(crate) fn state(&self) -> State {
        self.state.borrow().clone()
    }

    /// Told when the state changes.
    pub(crate) fn changes(&self) -> watch::Receiver<State> {
        self.state.clone()
    }

    /// The scene of instant replays, if no other is wanted.
    pub(crate) fn scene(&self) -> &str {
        self.settings
            .as_ref()
            .map_or("", |settings| &settings.scene)
    }

    /// Whether this is done where nobody says.
    pub(crate) fn does(&self, part: ObsPart) -> bool {
        let settings = self.settings.as_ref();
        settings.is_some_and(|settings| settings.does(part))
    }

    /// Puts a deck on the program, which stands on the first picture of a replay: it plays when it is seen, or
    /// when OBS refuses. `None`: there is no OBS that answers, and the deck still stands.
    pub(crate) async fn show(
        &self,
        deck: &Handle,
        ended: u64,
        scene: String,
        back: bool,
    ) -> Option<Outcome> {
        if self.state.borrow().link != Link::Connected {
            return None;
        }
        let (answer, answered) = oneshot::channel();
        let pressed = Pressed {
            press: Press { scene, back },
            deck: deck.clone(),
            ended,
            answer,
        };
        self.presses.try_send(pressed).ok()?;
        timeout(ANSWER_MAX, answered).await.ok()?.ok()
    }
}

/// The task.
pub(super) struct Watch {
    pub(super) settings: ObsSettings,
    pub(super) surroundings: Surroundings,
    pub(super) show: watch::Sender<State>,
    pub(super) pressed: mpsc::Receiver<Pressed>,
    pub(super) stage: Stage,
    pub(super) health: Health,
    /// What the log was told last of there being no connection.
    said: Option<String>,
}

impl Watch {
    async fn run(mut self) {
        let mut wait = CONNECT_AFTER;
        loop {
            match self.open().await {
                Ok((studio, events)) => match Session::begin(&mut self, studio).await {
                    Ok(session) => {
                        session.run(events).await;
                        self.lost().await;
                        wait = CONNECT_AFTER;
                    }
                    Err(refusal) => self.not_connected(&NoConnection::Silent(refusal)),
                },
                Err(error) => self.not_connected(&error),
            }
            self.turning_away(sleep(wait)).await;
            wait = (wait * 2).min(CONNECT_AFTER_MAX);
        }
    }

    /// The password is read each time: it may have been put right.
    async fn open(&mut self) -> Result<(Connection, Events), NoConnection> {
        let wanted = Subscriptions::GENERAL
            | Subscriptions::CONFIG
            | Subscriptions::SCENES
            | Subscriptions::TRANSITIONS
            | Subscriptions::OUTPUTS
            | Subscriptions::MEDIA
            | Subscriptions::UI;
        let settings = self.settings.clone();
        let password = Password::find(settings.password_file.as_deref());
        let password = password.map_err(|usage| NoConnection::Password(usage.to_string()))?;
        let opened = Connection::open(&settings.address, password.as_ref(), wanted);
        Ok(self.turning_away(opened).await?)
    }

    /// Waits for something while there is no OBS; whoever presses meanwhile has no answer to wait for.
    async fn turning_away<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return done,
                Some(pressed) = self.pressed.recv() => drop(pressed),
            }
        }
    }

    fn not_connected(&mut self, error: &NoConnection) {
        let text = error.to_string();
        let code = error.code();
        let link = code.map_or(Link::Connecting, |_| Link::Refused);
        let mut state = self.show.borrow().without_obs(link);
        state.problems.extend(code.map(|code| Problem {
            code,
            count: 1,
            hint: text.clone(),
        }));
        self.tell(state);
        // That it is not there needs no second line.
        let is_news = match code {
            None => self.said.is_none(),
            Some(_) => self.said.as_ref() != Some(&text),
        };
        if is_news {
            warn!("{text}");
            self.said = Some(text);
        }
    }

    async fn lost(&mut self) {
        warn!("the connection to OBS is lost: waiting for it");
        self.said = Some(String::new());
        let state = self.show.borrow().without_obs(Link::Connecting);
        self.show.send_replace(state);
        self.stage.lost().await;
    }

    /// Publishes a state, and tells the log of problems that are new in it.
    pub(super) fn tell(&self, state: State) {
        let before = self.show.borrow().clone();
        if before == state {
            return;
        }
        let is_known = |problem: &Problem| before.problems.iter().any(|it| it.code == problem.code);
        if state.link == Link::Connected {
            for problem in state.problems.iter().filter(|problem| !is_known(problem)) {
                warn!("OBS: {}", problem.hint);
            }
        }
        self.show.send_replace(state);
    }
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
enum NoConnection {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("--obs: {0}")]
    Password(String),
    /// It lets us in, and does not say what it does.
    #[error("OBS cannot be watched over: {0}")]
    Silent(Refusal),
}

impl NoConnection {
    /// The problem that it is; none where OBS is only not there.
    fn code(&self) -> Option<&'static str> {
        match self {
            Self::Open(OpenError::Unreachable { .. } | OpenError::Lost { .. })
            | Self::Silent(_) => None,
            Self::Open(OpenError::Foreign { .. }) => Some("not_obs"),
            Self::Open(OpenError::PasswordNeeded { .. } | OpenError::PasswordWrong { .. })
            | Self::Password(_) => Some("obs_password"),
        }
    }
}
