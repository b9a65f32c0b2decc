//! Carries out what [`InstantReplay`] decides: in OBS, and in the deck that is on.

use std::collections::VecDeque;
use std::time::Instant;

use lookback_deck::{Mode, Seek};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tracing::warn;

use super::connection::Refusal;
use super::media_keys::DeckSource;
use super::replay::{Do, InstantReplay, NotSwitched, Press, Shown};
use super::studio::{self, Studio};
use crate::clock;
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
    /// Where this server listens, by which its sources are known.
    port: u16,
    /// What is drawn out of sight, and what it looked like when that began.
    drawn: Option<Drawn>,
}

struct Drawn {
    source: String,
    before: Option<Value>,
}

impl Stage {
    pub(super) fn new(port: u16) -> Self {
        Self {
            port,
            ..Self::default()
        }
    }

    /// There is a connection to OBS.
    pub(super) async fn connected(
        &mut self,
        studio: &impl Studio,
        program: String,
        preview: Option<String>,
    ) {
        let to_do = self.replay.connected(program, preview, clock::instant());
        self.carry_out(Some(studio), to_do).await;
    }

    /// There is none any more.
    pub(super) async fn lost(&mut self) {
        let to_do = self.replay.lost();
        self.carry_out(None::<&Gone>, to_do).await;
    }

    pub(super) async fn press(&mut self, studio: &impl Studio, pressed: Pressed) {
        // Who waits no longer has let the deck play.
        if pressed.answer.is_closed() {
            return;
        }
        self.deck = Some((pressed.deck, pressed.ended));
        self.drawn = None;
        self.waiting.push(pressed.answer);
        let to_do = self.replay.press(pressed.press, clock::instant());
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
            let to_do = self.replay.over(clock::instant());
            self.carry_out(Some(studio), to_do).await;
        }
    }

    pub(super) fn transition_started(&mut self) {
        self.replay.transition_started(clock::instant());
    }

    pub(super) async fn program(&mut self, studio: &impl Studio, scene: String) {
        let to_do = self.replay.program(scene, clock::instant());
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
        let to_do = self.replay.wake(clock::instant());
        self.carry_out(Some(studio), to_do).await;
    }

    async fn carry_out(&mut self, studio: Option<&impl Studio>, to_do: Vec<Do>) {
        let mut to_do = VecDeque::from(to_do);
        while let Some(next) = to_do.pop_front() {
            match next {
                Do::Play => self.tell_deck(Command::Play).await,
                Do::Draw(scene) => {
                    if let Some(studio) = studio {
                        self.draw(studio, scene).await;
                    }
                }
                Do::Cue => self.tell_deck(Command::Seek(Seek::In)).await,
                Do::Switch(scene) => {
                    let result = switch(studio, &scene).await;
                    if let Err(NotSwitched::Refused(refusal)) = &result {
                        warn!("scene {scene} is not put on the program: {refusal}");
                    }
                    to_do.extend(self.replay.switched(result, clock::instant()));
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

    async fn tell_deck(&self, command: Command) {
        if let Some((deck, _)) = &self.deck
            && let Err(refused) = deck.command(command).await
        {
            warn!("deck {}: {refused}", deck.name());
        }
    }

    /// A screenshot draws a source, and shows whether it is another picture by now.
    async fn draw(&mut self, studio: &impl Studio, scene: String) {
        let drawn = match &mut self.drawn {
            Some(drawn) => drawn,
            drawn => {
                let deck = self.deck.as_ref().map_or("", |(deck, _)| deck.name());
                let source = source_of(studio, &scene, deck, self.port).await;
                drawn.insert(Drawn {
                    source: source.unwrap_or(scene),
                    before: None,
                })
            }
        };
        let small = json!({"sourceName": drawn.source, "imageFormat": "png",
                           "imageWidth": 64, "imageHeight": 36});
        let shot = || studio.ask("GetSourceScreenshot", small.clone());
        // Two at a time: one is drawn while the other is on its way. A scene that there is not is found out about
        // when it is to be shown.
        let (one, another) = futures_util::future::join(shot(), shot()).await;
        for shot in [one, another].into_iter().flatten() {
            match &drawn.before {
                None => drawn.before = Some(shot),
                Some(before) if *before != shot => self.replay.drawn(),
                Some(_) => {}
            }
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

/// The source in a scene that shows this deck. One that lies deeper, in a group or another scene, is not found.
async fn source_of(studio: &impl Studio, scene: &str, deck: &str, port: u16) -> Option<String> {
    for item in studio::scene_items(studio, scene).await.ok()? {
        let settings = studio::input_settings(studio, &item.source_name).await;
        let settings = settings.unwrap_or_default();
        if DeckSource::of(&settings, port).is_some_and(|source| source.deck == deck) {
            return Some(item.source_name);
        }
    }
    None
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

/// No OBS.
enum Gone {}

impl Studio for Gone {
    async fn ask(&self, _request: &str, _data: Value) -> Result<Value, Refusal> {
        match *self {}
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use lookback_deck::{Item, Load, Source, Speed, Then};
    use lookback_replay::Selection;
    use tokio::task::JoinSet;

    use super::super::replies::Replies;
    use super::*;
    use crate::decks::Decks;
    use crate::testing::{main_deck, record, recorder, video};

    /// A deck that stands on the first picture of a replay, and an OBS that writes down what it is asked.
    struct Rig {
        stage: Stage,
        deck: Handle,
        studio: Replies,
        asked: Arc<Mutex<Vec<String>>>,
        _tasks: JoinSet<()>,
    }

    impl Rig {
        /// The transition cursor is at these places, one after the other, and then nowhere.
        async fn new(mut cursor: Vec<f64>) -> Self {
            let recorder = recorder();
            let channel = recorder.add_channel("main");
            record(&channel, &video(2.0), clock::now());
            let (decks, playing) = Decks::new(&[main_deck()], &recorder).expect("it is idle");
            let mut tasks = JoinSet::new();
            playing.into_iter().for_each(|deck| drop(tasks.spawn(deck)));
            let deck = decks.main().clone();
            let clip = channel.clip(Selection::All, clock::now()).expect("a clip");
            let load = Load {
                items: vec![Item {
                    source: Source::Clip(clip),
                    speed: Speed::NORMAL,
                    continues: false,
                }],
                play: false,
                then: Then::Hold,
            };
            deck.command(Command::Load(load)).await.expect("it loads");
            let asked = Arc::<Mutex<Vec<String>>>::default();
            let log = Arc::clone(&asked);
            let mut shots = 0;
            let studio = Replies::new(move |request, data| {
                let scene = data["sceneName"].as_str().unwrap_or_default();
                log.lock()
                    .expect("no panic")
                    .push(format!("{request} {scene}"));
                Ok(match request {
                    "GetCurrentSceneTransitionCursor" => {
                        let at = if cursor.is_empty() {
                            1.0
                        } else {
                            cursor.remove(0)
                        };
                        json!({"transitionCursor": at})
                    }
                    "GetSceneItemList" => json!({"sceneItems": [
                        {"sceneItemId": 1, "sourceName": "colour"},
                        {"sceneItemId": 2, "sourceName": "deck"}]}),
                    "GetInputSettings" if data["inputName"] == "deck" => json!({"inputSettings": {
                        "is_local_file": false, "input": "http://localhost:1688/decks/main.ts"}}),
                    "GetInputSettings" => json!({"inputSettings": {"color": 1}}),
                    "GetSourceScreenshot" => {
                        assert_eq!(data["sourceName"], "deck");
                        shots += 1;
                        json!({"imageData": shots.max(4)})
                    }
                    _ => json!({}),
                })
            });
            let mut stage = Stage::new(1688);
            stage.connected(&studio, "Game".to_owned(), None).await;
            Self {
                stage,
                deck,
                studio,
                asked,
                _tasks: tasks,
            }
        }

        async fn press(&mut self) -> oneshot::Receiver<Outcome> {
            let (answer, answered) = oneshot::channel();
            let pressed = Pressed {
                press: Press {
                    scene: "Replay".to_owned(),
                    back: true,
                },
                deck: self.deck.clone(),
                ended: self.deck.state().ended,
                answer,
            };
            self.stage.press(&self.studio, pressed).await;
            answered
        }

        /// Lets the stage do what it does by itself, until there is an answer.
        async fn wait(&mut self, mut answered: oneshot::Receiver<Outcome>) -> Outcome {
            loop {
                let at = self.stage.wake_at().expect("there is more to do");
                tokio::time::sleep_until(at.into()).await;
                self.stage.wake(&self.studio).await;
                if let Ok(outcome) = answered.try_recv() {
                    return outcome;
                }
            }
        }

        fn switches(&self) -> Vec<String> {
            let asked = self.asked.lock().expect("no panic");
            let switches = asked.iter().filter(|it| it.starts_with("SetCurrent"));
            switches.cloned().collect()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_scene_is_drawn_before_it_is_shown_and_the_deck_plays_when_it_is() {
        let mut rig = Rig::new(Vec::new()).await;
        let answered = rig.press().await;
        let outcome = rig.wait(answered).await;
        let back_to = Some("Game".to_owned());
        let shown = Shown::OnProgram;
        assert_eq!(outcome, Outcome { shown, back_to });
        let asked = rig.asked.lock().expect("no panic").clone();
        let drawn = asked
            .iter()
            .position(|it| it.starts_with("GetSourceScreenshot"));
        let switched = asked
            .iter()
            .position(|it| it == "SetCurrentProgramScene Replay");
        assert!(drawn.is_some() && drawn < switched, "{asked:?}");
        assert_eq!(rig.deck.state().status.mode, Mode::Paused);
        rig.stage.transition_started();
        rig.stage.program(&rig.studio, "Replay".to_owned()).await;
        assert_eq!(rig.deck.state().status.mode, Mode::Playing);
        rig.deck.command(Command::Stop).await.expect("it stops");
        rig.stage.deck_changed(&rig.studio).await;
        let at = rig.stage.wake_at().expect("the way back");
        tokio::time::sleep_until(at.into()).await;
        rig.stage.wake(&rig.studio).await;
        assert_eq!(
            rig.switches(),
            [
                "SetCurrentProgramScene Replay",
                "SetCurrentProgramScene Game"
            ]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_transition_that_runs_is_waited_for() {
        let mut rig = Rig::new(vec![0.0, 0.4, 0.9]).await;
        let answered = rig.press().await;
        rig.wait(answered).await;
        let asked = rig.asked.lock().expect("no panic").clone();
        let looks = asked.iter().filter(|it| it.contains("Cursor")).count();
        assert_eq!(looks, 4, "{asked:?}");
        assert_eq!(rig.switches(), ["SetCurrentProgramScene Replay"]);
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_no_longer_is_forgotten() {
        let mut rig = Rig::new(Vec::new()).await;
        let (answer, answered) = oneshot::channel();
        drop(answered);
        let pressed = Pressed {
            press: Press {
                scene: "Replay".to_owned(),
                back: true,
            },
            deck: rig.deck.clone(),
            ended: 0,
            answer,
        };
        rig.stage.press(&rig.studio, pressed).await;
        assert_eq!(rig.stage.wake_at(), None);
        assert!(rig.switches().is_empty());
    }
}
