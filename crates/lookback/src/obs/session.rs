//! What is done while there is a connection to OBS: its events, what they do not tell, and those who press.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{debug, info};

use super::connection::{Connection, Event, Events, Refusal};
use super::destination::Destination;
use super::health;
use super::media_keys::{self, Action, DeckSource, Echoes};
use super::recording::Recording;
use super::studio::{self, Studio as _};
use super::watch::{Link, State, Watch};
use crate::clock;
use crate::settings::ObsPart;

/// What events do not tell is asked for so often.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A connection to an OBS, and what is known of it.
pub(super) struct Session<'a> {
    watch: &'a mut Watch,
    studio: Connection,
    state: State,
    recording: Recording,
    destination: Destination,
    echoes: Echoes,
}

impl<'a> Session<'a> {
    /// Gets to know OBS.
    pub(super) async fn begin(watch: &'a mut Watch, studio: Connection) -> Result<Self, Refusal> {
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
            recording: Recording::met(recording, clock::instant()),
            destination,
            echoes: Echoes::default(),
        })
    }

    /// Does what is to be done, until the connection ends.
    pub(super) async fn run(mut self, mut events: Events) {
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut decks = self.watch.surroundings.decks.changes();
        loop {
            let wake = self.wake_at();
            let done = tokio::select! {
                event = events.recv() => match event {
                    Some(event) => self.happened(event).await,
                    None => return,
                },
                Some(pressed) = self.watch.pressed.recv() => {
                    self.watch.stage.press(&self.studio, pressed).await;
                    Ok(())
                }
                Ok(()) = decks.changed() => {
                    self.watch.stage.deck_changed(&self.studio).await;
                    Ok(())
                }
                () = clock::until(wake) => self.wake().await,
                _ = looks.tick() => self.look().await,
            };
            match done {
                Err(Refusal::Lost) => return,
                // One request that fails is no reason to leave; the next look asks anew.
                Err(refusal) => debug!("{refusal}"),
                Ok(()) => {}
            }
            self.show();
        }
    }

    fn wake_at(&self) -> Option<Instant> {
        let due = [self.watch.stage.wake_at(), self.recording.due()];
        due.into_iter().flatten().min()
    }

    /// Does what is due.
    async fn wake(&mut self) -> Result<(), Refusal> {
        self.watch.stage.wake(&self.studio).await;
        match self.recording.due() {
            Some(due) if due <= clock::instant() => self.record_again().await,
            _ => Ok(()),
        }
    }

    async fn record_again(&mut self) -> Result<(), Refusal> {
        self.recording.tried(clock::instant());
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
        self.watch.health.skipped(skipped, clock::instant());
        Ok(())
    }

    async fn look_at_recording(&mut self) -> Result<(), Refusal> {
        let active = studio::record_status(&self.studio).await?.active;
        if active && !self.state.recording {
            self.look_at_destination().await?;
        }
        self.state.recording = active;
        if self.recording.seen(active, clock::instant()) {
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
        self.state.problems = self
            .watch
            .health
            .problems(&self.destination, clock::instant());
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
