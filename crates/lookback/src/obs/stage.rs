//! Carries out what [`InstantReplay`] decides: in OBS, and in the deck that is on.

use std::collections::VecDeque;
use std::time::Instant;

use lookback_deck::Mode;
use serde_json::json;
use tokio::sync::oneshot;
use tracing::warn;

use super::connection::Refusal;
use super::replay::{Do, InstantReplay, NotSwitched, Press, Shown};
use super::studio::{self, Studio};
use crate::decks::{Command, Handle};

/// What becomes of a press, for who has pressed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) shown: Shown,
    /// The scene that comes back at the end.
    pub(crate) back_to: Option<String>,
}

/// Somebody who has pressed.
pub(super) struct Pressed {
    pub(super) press: Press,
    /// Stands on the first picture of the replay.
    pub(super) deck: Handle,
    /// How many items the deck had ended before.
    pub(super) ended: u64,
    pub(super) answer: oneshot::Sender<Outcome>,
}

/// See the module's documentation.
#[derive(Default)]
pub(super) struct Stage {
    replay: InstantReplay,
    /// The deck that is on, and how many items it had ended before.
    deck: Option<(Handle, u64)>,
    waiting: Vec<oneshot::Sender<Outcome>>,
}

impl Stage {
    /// There is a connection to OBS.
    pub(super) async fn connected(
        &mut self,
        studio: &impl Studio,
        program: String,
        preview: Option<String>,
    ) {
        let to_do = self.replay.connected(program, preview, now());
        self.carry_out(Some(studio), to_do).await;
    }

    /// There is none any more.
    pub(super) async fn lost(&mut self) {
        let to_do = self.replay.lost();
        self.carry_out(None::<&Gone>, to_do).await;
    }

    pub(super) async fn press(&mut self, studio: &impl Studio, pressed: Pressed) {
        self.deck = Some((pressed.deck, pressed.ended));
        self.waiting.push(pressed.answer);
        let to_do = self.replay.press(pressed.press, now());
        self.carry_out(Some(studio), to_do).await;
    }

    /// Some deck does something else than before.
    pub(super) async fn deck_changed(&mut self, studio: &impl Studio) {
        let is_over = self.deck.as_ref().is_some_and(|(deck, ended)| {
            let state = deck.state();
            match state.status.mode {
                Mode::Idle => true,
                Mode::Paused => state.ended > *ended,
                Mode::Playing => false,
            }
        });
        if is_over {
            self.deck = None;
            let to_do = self.replay.over(now());
            self.carry_out(Some(studio), to_do).await;
        }
    }

    pub(super) fn transition_started(&mut self) {
        self.replay.transition_started(now());
    }

    pub(super) async fn program(&mut self, studio: &impl Studio, scene: String) {
        let to_do = self.replay.program(scene, now());
        self.carry_out(Some(studio), to_do).await;
    }

    pub(super) async fn preview(&mut self, studio: &impl Studio, scene: Option<String>) {
        let to_do = self.replay.preview(scene);
        self.carry_out(Some(studio), to_do).await;
    }

    /// When [`Self::wake`] is to be called.
    pub(super) fn wake_at(&self) -> Option<Instant> {
        self.replay.wake_at()
    }

    pub(super) async fn wake(&mut self, studio: &impl Studio) {
        let to_do = self.replay.wake(now());
        self.carry_out(Some(studio), to_do).await;
    }

    async fn carry_out(&mut self, studio: Option<&impl Studio>, to_do: Vec<Do>) {
        let mut to_do = VecDeque::from(to_do);
        while let Some(next) = to_do.pop_front() {
            match next {
                Do::Play => self.play().await,
                Do::Draw(scene) => {
                    if let Some(studio) = studio {
                        draw(studio, &scene).await;
                    }
                }
                Do::Switch(scene) => {
                    let result = switch(studio, &scene).await;
                    if let Err(NotSwitched::Refused(refusal)) = &result {
                        warn!("scene {scene} is not put on the program: {refusal}");
                    }
                    to_do.extend(self.replay.switched(result, now()));
                }
                Do::Preview(scene) => {
                    if let Some(studio) = studio {
                        let scene = json!({"sceneName": scene});
                        // Outside of studio mode, which may have just ended, there is none.
                        let _ = studio.ask("SetCurrentPreviewScene", scene).await;
                    }
                }
                Do::Answer(shown) => self.answer(shown),
            }
        }
    }

    async fn play(&self) {
        if let Some((deck, _)) = &self.deck
            && let Err(refused) = deck.command(Command::Play).await
        {
            warn!("deck {}: {refused}", deck.name());
        }
    }

    fn answer(&mut self, shown: Shown) {
        let back_to = match &shown {
            Shown::OnProgram => self.replay.back_to().map(str::to_owned),
            Shown::Refused(_) | Shown::LetGo => None,
        };
        let outcome = Outcome { shown, back_to };
        for waiting in self.waiting.drain(..) {
            // It may have stopped waiting.
            let _ = waiting.send(outcome.clone());
        }
    }
}

/// A screenshot draws all that is in a scene; of what it shows, nothing is needed. A scene that there is not is
/// found out about when it is to be shown.
async fn draw(studio: &impl Studio, scene: &str) {
    let smallest =
        json!({"sourceName": scene, "imageFormat": "png", "imageWidth": 8, "imageHeight": 8});
    let draw = || studio.ask("GetSourceScreenshot", smallest.clone());
    // Two at a time: one is drawn while the other is on its way.
    let _ = futures_util::future::join(draw(), draw()).await;
}

async fn switch(studio: Option<&impl Studio>, scene: &str) -> Result<(), NotSwitched> {
    let studio = studio.ok_or(NotSwitched::Refused(Refusal::Lost))?;
    if is_in_transition(studio).await {
        return Err(NotSwitched::Busy);
    }
    let switched = studio::show_scene(studio, scene).await;
    switched.map_err(NotSwitched::Refused)
}

/// Whether a transition runs, in which OBS passes over some requests without a word. An OBS that does not say
/// is taken at its next word.
async fn is_in_transition(studio: &impl Studio) -> bool {
    let answer = studio
        .ask("GetCurrentSceneTransitionCursor", json!({}))
        .await;
    let cursor = answer.ok().and_then(|it| it["transitionCursor"].as_f64());
    cursor.is_some_and(|cursor| cursor < 1.0)
}

/// The clock of the runtime, which tests can hold.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// No OBS.
enum Gone {}

impl Studio for Gone {
    async fn ask(
        &self,
        _request: &str,
        _data: serde_json::Value,
    ) -> Result<serde_json::Value, Refusal> {
        match *self {}
    }
}
