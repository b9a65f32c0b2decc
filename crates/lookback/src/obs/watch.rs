//! Watches over an OBS, and puts instant replays on its program.
//!
//! One task stays connected, for as long as lookback runs, to an OBS that comes and goes. What OBS does is
//! known from its events, and what these do not tell is asked for once a second. The task is the only one
//! that waits for OBS: everybody else reads its [`State`], or sends it a press and waits no longer than
//! [`ANSWER_MAX`].

use std::sync::Arc;
use std::time::{Duration, Instant};

use lookback_replay::{Problem, Recorder};
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{MissedTickBehavior, interval, sleep, sleep_until, timeout};
use tracing::{info, warn};

use super::connection::{Connection, Event, Events, OpenError, Refusal, Subscriptions};
use super::destination::Destination;
use super::health::{self, Health};
use super::media_keys::{self, Action, DeckSource, Echoes};
use super::password::Password;
use super::recording::Recording;
use super::replay::Press;
use super::stage::{Outcome, Pressed, Stage};
use super::studio::{self, Studio as _};
use crate::clock;
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

/// What events do not tell is asked for so often.
const LOOK_EVERY: Duration = Duration::from_secs(1);

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
            surroundings,
            show,
            pressed,
            stage: Stage::default(),
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
struct Watch {
    settings: ObsSettings,
    surroundings: Surroundings,
    show: watch::Sender<State>,
    pressed: mpsc::Receiver<Pressed>,
    stage: Stage,
    health: Health,
    /// What the log was told last of there being no connection.
    said: Option<String>,
}

impl Watch {
    async fn run(mut self) {
        let mut wait = CONNECT_AFTER;
        loop {
            match self.open().await {
                Ok((studio, events)) => {
                    self.said = None;
                    let refusal = self.with(studio, events).await;
                    warn!("the connection to OBS is lost ({refusal}): waiting for it");
                    let state = self.show.borrow().without_obs(Link::Connecting);
                    self.show.send_replace(state);
                    self.stage.lost().await;
                    wait = CONNECT_AFTER;
                }
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
        if self.said.as_ref() != Some(&text) {
            warn!("{text}");
            self.said = Some(text);
        }
    }

    /// What is done while there is a connection. Gives how it ended.
    async fn with(&mut self, studio: Connection, mut events: Events) -> Refusal {
        let mut session = match Session::begin(self, studio).await {
            Ok(session) => session,
            Err(refusal) => return refusal,
        };
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut decks = session.watch.surroundings.decks.changes();
        loop {
            let wake = session.wake_at();
            let done = tokio::select! {
                event = events.recv() => match event {
                    Some(event) => session.happened(event).await,
                    None => return Refusal::Lost,
                },
                Some(pressed) = session.watch.pressed.recv() => {
                    session.watch.stage.press(&session.studio, pressed).await;
                    Ok(())
                }
                Ok(()) = decks.changed() => {
                    session.watch.stage.deck_changed(&session.studio).await;
                    Ok(())
                }
                () = until(wake) => session.wake().await,
                _ = looks.tick() => session.look().await,
            };
            match done {
                // One request that fails is no reason to leave; the next look asks anew.
                Err(Refusal::Lost) => return Refusal::Lost,
                Err(refusal) => tracing::debug!("{refusal}"),
                Ok(()) => {}
            }
            session.show();
        }
    }

    /// Publishes a state, and tells the log of problems that are new in it.
    fn tell(&self, state: State) {
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
}

impl NoConnection {
    /// The problem that it is; none where OBS is only not there.
    fn code(&self) -> Option<&'static str> {
        match self {
            Self::Open(OpenError::Unreachable { .. } | OpenError::Lost { .. }) => None,
            Self::Open(OpenError::Foreign { .. }) => Some("not_obs"),
            Self::Open(OpenError::PasswordNeeded { .. } | OpenError::PasswordWrong { .. })
            | Self::Password(_) => Some("obs_password"),
        }
    }
}

/// A connection to an OBS, and what is known of it.
struct Session<'a> {
    watch: &'a mut Watch,
    studio: Connection,
    state: State,
    recording: Recording,
    destination: Destination,
    echoes: Echoes,
}

impl<'a> Session<'a> {
    /// Gets to know OBS.
    async fn begin(watch: &'a mut Watch, studio: Connection) -> Result<Self, Refusal> {
        let version = studio::version(&studio).await?;
        let scenes = studio::scenes(&studio).await?;
        let studio_mode = studio::is_studio_mode_on(&studio).await?;
        let recording = studio::record_status(&studio).await?.active;
        let streaming = studio::is_streaming(&studio).await?;
        let destination = Destination::of(&studio, &watch.surroundings.inputs).await?;
        info!("connected to OBS {}", version.obs_version);
        watch.health.met();
        watch.health.leads_to(&destination);
        let program = scenes.program.unwrap_or_default();
        let state = State {
            link: Link::Connected,
            version: Some(version.obs_version),
            recording,
            streaming,
            scene: Some(program.clone()),
            studio_mode,
            ..watch.show.borrow().clone()
        };
        let preview = scenes.preview.filter(|_| studio_mode);
        watch.stage.connected(&studio, program, preview).await;
        Ok(Self {
            watch,
            studio,
            state,
            recording: Recording::met(recording, now()),
            destination,
            echoes: Echoes::default(),
        })
    }

    fn wake_at(&self) -> Option<Instant> {
        let due = [self.watch.stage.wake_at(), self.recording.due()];
        due.into_iter().flatten().min()
    }

    /// Does what is due.
    async fn wake(&mut self) -> Result<(), Refusal> {
        self.watch.stage.wake(&self.studio).await;
        match self.recording.due() {
            Some(due) if due <= now() => self.record_again().await,
            _ => Ok(()),
        }
    }

    async fn record_again(&mut self) -> Result<(), Refusal> {
        // It may have been started, or set to something else, meanwhile.
        self.look_at_recording().await?;
        self.look_at_destination().await?;
        if self.recording.due().is_none() {
            return Ok(());
        }
        if self.destination.channel.is_none() {
            self.recording.give_up();
            return Ok(());
        }
        self.recording.tried(now());
        info!("OBS records again after an error");
        self.state.restarts += 1;
        studio::start_record(&self.studio).await?;
        self.look_at_recording().await
    }

    /// OBS tells something.
    async fn happened(&mut self, event: Event) -> Result<(), Refusal> {
        let Event { kind, data } = event;
        let text = |key: &str| data[key].as_str().map(str::to_owned);
        match kind.as_str() {
            "RecordStateChanged" => {
                self.recording
                    .told(&text("outputState").unwrap_or_default());
                return self.look_at_recording().await;
            }
            "StreamStateChanged" => self.state.streaming = data["outputActive"] == true,
            "ExitStarted" => self.recording.exiting(),
            "SceneTransitionStarted" => self.watch.stage.transition_started(),
            "CurrentProgramSceneChanged" => {
                let scene = text("sceneName").unwrap_or_default();
                self.state.scene = Some(scene.clone());
                self.watch.stage.program(&self.studio, scene).await;
            }
            "CurrentPreviewSceneChanged" => {
                self.watch
                    .stage
                    .preview(&self.studio, text("sceneName"))
                    .await;
            }
            "StudioModeStateChanged" => {
                self.state.studio_mode = data["studioModeEnabled"] == true;
                let scenes = studio::scenes(&self.studio).await?;
                let preview = scenes.preview.filter(|_| self.state.studio_mode);
                self.watch.stage.preview(&self.studio, preview).await;
            }
            "CurrentProfileChanged" => return self.look_at_destination().await,
            "MediaInputActionTriggered" if self.watch.settings.does(ObsPart::MediaKeys) => {
                if let Some(name) = text("inputName")
                    && let Some(action) = Action::named(&text("mediaAction").unwrap_or_default())
                {
                    return self.media_key(&name, action).await;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Somebody has done this to a source.
    async fn media_key(&mut self, source: &str, action: Action) -> Result<(), Refusal> {
        if self.echoes.is_one(source, action) {
            return Ok(());
        }
        let settings = studio::input_settings(&self.studio, source).await?;
        let Some(found) = DeckSource::of(&settings, self.watch.surroundings.port) else {
            return Ok(());
        };
        let Some(deck) = self.watch.surroundings.decks.named(found.deck) else {
            return Ok(());
        };
        if action == Action::Restart && found.restarts {
            return Ok(());
        }
        for command in action.commands(deck.state().status.mode) {
            // An empty deck has nothing to play or to pause.
            let _ = deck.command(command).await;
        }
        if action == Action::Pause {
            self.echoes.expect(source);
            let play = json!({"inputName": source, "mediaAction": media_keys::PLAY});
            self.studio.ask("TriggerMediaInputAction", play).await?;
        }
        Ok(())
    }

    /// Asks what events do not tell.
    async fn look(&mut self) -> Result<(), Refusal> {
        self.look_at_recording().await?;
        let stats = self.studio.ask("GetStats", json!({})).await?;
        let skipped = stats["outputSkippedFrames"].as_u64().unwrap_or_default();
        self.watch.health.skipped(skipped, now());
        Ok(())
    }

    async fn look_at_recording(&mut self) -> Result<(), Refusal> {
        let active = studio::record_status(&self.studio).await?.active;
        if active && !self.state.recording {
            self.look_at_destination().await?;
        }
        self.state.recording = active;
        if self.recording.seen(active, now()) {
            let is_ours = self.destination.channel.is_some();
            if is_ours {
                self.watch.health.recording_failed();
            }
            if !is_ours || !self.watch.settings.does(ObsPart::RestartRecording) {
                self.recording.give_up();
            }
        }
        Ok(())
    }

    async fn look_at_destination(&mut self) -> Result<(), Refusal> {
        let inputs = &self.watch.surroundings.inputs;
        self.destination = Destination::of(&self.studio, inputs).await?;
        self.watch.health.leads_to(&self.destination);
        Ok(())
    }

    /// Shows everybody what is known.
    fn show(&mut self) {
        self.state.problems = self.watch.health.problems(&self.destination, now());
        let channel = self
            .destination
            .channel
            .as_ref()
            .filter(|_| self.state.recording);
        let recorder = &self.watch.surroundings.recorder;
        if let Some(channel) = channel.and_then(|name| recorder.channel(name.as_str())) {
            let of_stream = health::of_stream(&channel, clock::now());
            self.state.problems.extend(of_stream);
        }
        self.watch.tell(self.state.clone());
    }
}

/// The clock of the runtime, which tests can hold.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

async fn until(wake: Option<Instant>) {
    match wake {
        Some(wake) => sleep_until(wake.into()).await,
        None => std::future::pending().await,
    }
}
