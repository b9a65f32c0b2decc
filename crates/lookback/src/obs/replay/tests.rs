//! An OBS made of a program, a preview and one transition at a time, in virtual time, and an operator.

use proptest::prelude::*;

use super::*;

const MS: Duration = Duration::from_millis(1);

/// How OBS takes the requests, and what it tells.
struct Rig {
    replay: InstantReplay,
    now: Instant,
    program: String,
    preview: Option<String>,
    scenes: Vec<&'static str>,
    /// How long a transition takes; a cut takes none.
    length: Duration,
    /// Where to, and when it is there.
    transition: Option<(String, Instant)>,
    /// Loaded, and standing on its first picture.
    deck: Deck,
    answers: Vec<Shown>,
    /// When the scene of the replay was drawn last.
    drawn: Option<Instant>,
    /// Whether another picture comes of it.
    draws: bool,
    /// How often the first picture was asked for again.
    cues: u32,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Deck {
    Empty,
    Stands,
    Plays { since: Instant },
    Ended,
}

impl Rig {
    fn new(length: Duration) -> Self {
        let mut rig = Self {
            replay: InstantReplay::default(),
            now: Instant::now(),
            program: "Game".to_owned(),
            preview: None,
            scenes: vec!["Game", "Break", "Replay"],
            length,
            transition: None,
            deck: Deck::Empty,
            answers: Vec::new(),
            drawn: None,
            draws: true,
            cues: 0,
        };
        rig.meets();
        rig
    }

    fn meets(&mut self) {
        let (program, preview) = (self.program.clone(), self.preview.clone());
        let to_do = self.replay.connected(program, preview, self.now);
        self.carry_out(to_do);
    }

    fn press(&mut self) {
        self.press_for("Replay", true);
    }

    fn press_for(&mut self, scene: &str, back: bool) {
        self.deck = Deck::Stands;
        let scene = scene.to_owned();
        let to_do = self.replay.press(Press { scene, back }, self.now);
        self.carry_out(to_do);
    }

    fn deck_ends(&mut self) {
        self.deck = Deck::Ended;
        let to_do = self.replay.over(self.now);
        self.carry_out(to_do);
    }

    /// Somebody clicks on a scene. OBS does not do it while a transition runs.
    fn operator_shows(&mut self, scene: &str) {
        if self.transition.is_none() {
            self.begin(scene);
        }
    }

    fn begin(&mut self, scene: &str) {
        self.replay.transition_started(self.now);
        // OBS tells nothing more of a scene that is on already.
        if scene != self.program {
            self.transition = Some((scene.to_owned(), self.now + self.length));
        }
    }

    fn passes(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            let there = self.transition.as_ref().map(|(_, at)| *at);
            let next = [there, self.replay.wake_at()].into_iter().flatten().min();
            let Some(next) = next.filter(|next| *next <= end) else {
                break;
            };
            self.now = self.now.max(next);
            if there.is_some_and(|at| at <= self.now) {
                self.arrive();
            }
            let to_do = self.replay.wake(self.now);
            self.carry_out(to_do);
        }
        self.now = end;
    }

    /// As OBS does it: in studio mode the scenes are swapped, and the preview is told first.
    fn arrive(&mut self) {
        let (scene, _) = self.transition.take().expect("one runs");
        let before = std::mem::replace(&mut self.program, scene);
        if self.preview.is_some() {
            self.operator_prepares(&before);
        }
        let to_do = self.replay.program(self.program.clone(), self.now);
        self.carry_out(to_do);
    }

    fn operator_prepares(&mut self, scene: &str) {
        self.preview = Some(scene.to_owned());
        let to_do = self.replay.preview(self.preview.clone());
        self.carry_out(to_do);
    }

    fn carry_out(&mut self, to_do: Vec<Do>) {
        for next in to_do {
            match next {
                Do::Play if self.deck == Deck::Stands => {
                    self.deck = Deck::Plays { since: self.now };
                }
                Do::Play => {}
                Do::Draw(scene) => {
                    assert_ne!(scene, self.program, "that is drawn anyway");
                    self.drawn = Some(self.now);
                    if self.draws {
                        self.replay.drawn();
                    }
                }
                Do::Cue => self.cues += 1,
                Do::Switch(scene) => {
                    let result = self.switch(&scene);
                    let more = self.replay.switched(result, self.now);
                    self.carry_out(more);
                }
                Do::Preview(scene) => self.operator_prepares(&scene),
                Do::Answer(shown) => self.answers.push(shown),
            }
        }
    }

    fn switch(&mut self, scene: &str) -> Result<(), NotSwitched> {
        if self.transition.is_some() {
            return Err(NotSwitched::Busy);
        }
        if !self.scenes.contains(&scene) {
            return Err(NotSwitched::Refused(no_such_scene()));
        }
        self.begin(scene);
        Ok(())
    }

    fn plays_since(&self) -> Instant {
        match self.deck {
            Deck::Plays { since } => since,
            other => panic!("the deck is {other:?}"),
        }
    }
}

fn no_such_scene() -> Refusal {
    Refusal::Refused {
        request: "SetCurrentProgramScene".to_owned(),
        code: 600,
        comment: "No source was found".to_owned(),
    }
}

const CUT: Duration = Duration::ZERO;
const FADE: Duration = Duration::from_millis(300);
const STINGER: Duration = Duration::from_millis(1500);
const ALL: [Duration; 3] = [CUT, FADE, STINGER];

#[test]
fn it_plays_when_the_transition_has_ended_and_goes_back_when_the_replay_has() {
    for length in ALL {
        let mut rig = Rig::new(length);
        let pressed = rig.now;
        rig.press();
        assert_eq!((rig.deck, &rig.answers[..]), (Deck::Stands, &[][..]));
        rig.passes(FIRST_PICTURE);
        assert!(rig.drawn.is_some_and(|drawn| drawn + DRAW_EVERY >= rig.now));
        assert_eq!(rig.answers, [Shown::OnProgram]);
        assert_eq!(rig.replay.back_to(), Some("Game"));
        rig.passes(length);
        assert_eq!(rig.plays_since(), pressed + FIRST_PICTURE + length);
        assert_eq!(rig.program, "Replay");
        rig.passes(Duration::from_secs(8));
        rig.deck_ends();
        rig.passes(LAST_PICTURE - MS);
        assert_eq!((rig.program.as_str(), &rig.transition), ("Replay", &None));
        rig.passes(length + MS);
        assert_eq!(rig.program, "Game");
        assert_eq!(rig.replay.wake_at(), None, "nothing is left to do");
    }
}

/// A replay of a still scene, or an OBS that draws too rarely: it is shown all the same.
#[test]
fn a_picture_that_is_not_drawn_is_sent_again_a_few_times() {
    let mut rig = Rig::new(FADE);
    rig.draws = false;
    rig.press();
    rig.passes(FIRST_PICTURE * (CUES_MAX + 1));
    assert_eq!(
        (rig.cues, &rig.answers[..]),
        (CUES_MAX, &[Shown::OnProgram][..])
    );
    rig.passes(FADE);
    assert_eq!(rig.plays_since(), rig.now);
    let mut rig = Rig::new(FADE);
    rig.press();
    rig.passes(FIRST_PICTURE);
    assert_eq!((rig.cues, &rig.answers[..]), (0, &[Shown::OnProgram][..]));
}

#[test]
fn another_press_plays_at_once_and_leads_back_to_where_the_first_began() {
    for length in ALL {
        let mut rig = Rig::new(length);
        rig.press();
        rig.passes(Duration::from_secs(4));
        rig.press();
        assert_eq!(rig.plays_since(), rig.now, "its scene is on");
        rig.passes(Duration::from_secs(4));
        assert_eq!(rig.program, "Replay");
        rig.deck_ends();
        rig.passes(Duration::from_secs(2));
        assert_eq!(rig.program, "Game");
        assert_eq!(rig.answers, [Shown::OnProgram, Shown::OnProgram]);
    }
}

#[test]
fn another_press_during_the_transition_plays_at_its_end() {
    let mut rig = Rig::new(STINGER);
    rig.press();
    rig.passes(FIRST_PICTURE + FADE);
    rig.press();
    assert_eq!(rig.deck, Deck::Stands);
    rig.passes(STINGER);
    assert!(rig.plays_since() < rig.now);
    rig.deck_ends();
    rig.passes(LAST_PICTURE + STINGER);
    assert_eq!(rig.program, "Game");
}

#[test]
fn another_press_on_the_way_back_turns_round_when_it_is_there() {
    let mut rig = Rig::new(STINGER);
    rig.press();
    rig.passes(Duration::from_secs(4));
    rig.deck_ends();
    rig.passes(LAST_PICTURE + FADE);
    rig.press();
    rig.passes(STINGER - FADE);
    assert_eq!((rig.program.as_str(), rig.deck), ("Game", Deck::Stands));
    rig.passes(FIRST_PICTURE + STINGER);
    assert_eq!(rig.plays_since(), rig.now);
    rig.deck_ends();
    rig.passes(LAST_PICTURE + STINGER);
    assert_eq!(rig.program, "Game");
    assert_eq!(rig.answers, [Shown::OnProgram, Shown::OnProgram]);
}

#[test]
fn another_press_before_it_leaves_stays() {
    let mut rig = Rig::new(STINGER);
    rig.press();
    rig.passes(Duration::from_secs(4));
    rig.deck_ends();
    rig.passes(LAST_PICTURE / 2);
    rig.press();
    assert_eq!(rig.plays_since(), rig.now);
    rig.passes(Duration::from_secs(4));
    assert_eq!(rig.program, "Replay");
}

#[test]
fn a_scene_that_the_operator_chooses_stays() {
    for length in ALL {
        let mut rig = Rig::new(length);
        rig.press();
        rig.passes(Duration::from_secs(4));
        rig.operator_shows("Break");
        rig.passes(Duration::from_secs(2));
        rig.deck_ends();
        rig.passes(Duration::from_secs(60));
        assert_eq!(rig.program, "Break");
        // Whoever comes back by hand stays as well.
        rig.operator_shows("Replay");
        rig.passes(Duration::from_secs(2));
        rig.deck_ends();
        rig.passes(Duration::from_secs(60));
        assert_eq!(rig.program, "Replay");
    }
}

#[test]
fn a_transition_of_the_operators_is_waited_for() {
    let mut rig = Rig::new(STINGER);
    rig.operator_shows("Break");
    rig.passes(FADE);
    rig.press();
    rig.passes(Duration::from_secs(4));
    assert_eq!(rig.program, "Replay");
    rig.deck_ends();
    rig.passes(LAST_PICTURE + STINGER);
    assert_eq!(rig.program, "Break", "where the operator went meanwhile");
}

#[test]
fn in_its_scene_it_plays_at_once_and_stays() {
    let mut rig = Rig::new(FADE);
    rig.operator_shows("Replay");
    rig.passes(FADE);
    rig.press();
    assert_eq!(rig.plays_since(), rig.now);
    assert_eq!(rig.replay.back_to(), None);
    rig.deck_ends();
    rig.passes(Duration::from_secs(60));
    assert_eq!(rig.program, "Replay");
}

#[test]
fn without_a_way_back_it_stays() {
    let mut rig = Rig::new(FADE);
    rig.press_for("Replay", false);
    rig.passes(Duration::from_secs(4));
    assert_eq!(rig.replay.back_to(), None);
    rig.deck_ends();
    rig.passes(Duration::from_secs(60));
    assert_eq!(rig.program, "Replay");
}

#[test]
fn without_its_scene_it_plays_where_it_is() {
    let mut rig = Rig::new(FADE);
    rig.press_for("Slow", true);
    rig.passes(FIRST_PICTURE);
    assert_eq!(rig.answers, [Shown::Refused(no_such_scene())]);
    assert_eq!(rig.plays_since(), rig.now);
    rig.deck_ends();
    rig.passes(Duration::from_secs(60));
    assert_eq!(rig.program, "Game");
}

#[test]
fn a_deck_that_is_emptied_before_leaves_the_program_alone() {
    let mut rig = Rig::new(FADE);
    rig.press();
    rig.deck_ends();
    rig.passes(Duration::from_secs(60));
    assert_eq!(
        (rig.program.as_str(), &rig.answers[..]),
        ("Game", &[Shown::LetGo][..])
    );
    rig.press();
    rig.passes(FIRST_PICTURE + 100 * MS);
    rig.deck_ends();
    rig.passes(Duration::from_secs(60));
    assert_eq!(
        rig.program, "Game",
        "it is back, as there is nothing to see"
    );
}

#[test]
fn in_studio_mode_the_preview_stays_what_it_was() {
    for prepared in ["Break", "Game", "Replay"] {
        let mut rig = Rig::new(FADE);
        rig.preview = Some("Break".to_owned());
        rig.meets();
        rig.operator_prepares(prepared);
        rig.press();
        rig.passes(Duration::from_secs(2));
        let preview = |rig: &Rig| rig.preview.clone().expect("studio mode");
        assert_eq!(
            (rig.program.as_str(), preview(&rig)),
            ("Replay", prepared.to_owned())
        );
        rig.deck_ends();
        rig.passes(Duration::from_secs(2));
        assert_eq!(
            (rig.program.as_str(), preview(&rig)),
            ("Game", prepared.to_owned())
        );
    }
}

#[test]
fn in_studio_mode_the_operator_prepares_the_next_scene_meanwhile() {
    let mut rig = Rig::new(FADE);
    rig.preview = Some("Game".to_owned());
    rig.meets();
    rig.press();
    rig.passes(Duration::from_secs(2));
    rig.operator_prepares("Break");
    rig.deck_ends();
    rig.passes(Duration::from_secs(2));
    assert_eq!(
        (rig.program.as_str(), rig.preview.as_deref()),
        ("Game", Some("Break"))
    );
}

#[test]
fn an_obs_that_goes_leaves_no_deck_standing() {
    for after in [50 * MS, 200 * MS, 2000 * MS] {
        let mut rig = Rig::new(FADE);
        rig.press();
        rig.passes(after);
        let to_do = rig.replay.lost();
        rig.carry_out(to_do);
        assert!(matches!(rig.deck, Deck::Plays { .. }), "{after:?}");
        assert_eq!(rig.answers.len(), 1, "{after:?}");
    }
}

/// OBS itself has gone on: it is led back all the same.
#[test]
fn a_connection_that_comes_back_during_a_replay_still_leads_back() {
    let mut rig = Rig::new(FADE);
    rig.press();
    rig.passes(Duration::from_secs(2));
    let to_do = rig.replay.lost();
    rig.carry_out(to_do);
    rig.meets();
    rig.deck_ends();
    rig.passes(Duration::from_secs(2));
    assert_eq!(rig.program, "Game");
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Press,
    End,
    Operator(&'static str),
    Prepare(&'static str),
    Blink,
    Pass(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let scene = prop::sample::select(vec!["Game", "Break", "Replay"]);
    let step = prop_oneof![
        4 => Just(Step::Press),
        2 => Just(Step::End),
        2 => scene.clone().prop_map(Step::Operator),
        1 => scene.prop_map(Step::Prepare),
        1 => Just(Step::Blink),
        6 => (0..3000_u64).prop_map(Step::Pass),
    ];
    prop::collection::vec(step, 0..40)
}

proptest! {
    /// Whatever happens: each press is answered, no deck is left standing, what there is to do ends, and an
    /// operator who has the last word keeps it.
    #[test]
    fn it_comes_to_rest(steps in steps(), length in prop::sample::select(ALL.to_vec()), studio: bool) {
        let mut rig = Rig::new(length);
        rig.preview = studio.then(|| "Break".to_owned());
        rig.meets();
        for step in steps {
            match step {
                Step::Press => rig.press(),
                Step::End => rig.deck_ends(),
                Step::Operator(scene) => rig.operator_shows(scene),
                Step::Prepare(scene) if studio => rig.operator_prepares(scene),
                Step::Prepare(_) => {}
                Step::Blink => {
                    let to_do = rig.replay.lost();
                    rig.carry_out(to_do);
                    rig.meets();
                }
                Step::Pass(ms) => rig.passes(MS * u32::try_from(ms).expect("seconds")),
            }
        }
        rig.passes(Duration::from_secs(60));
        rig.answers.clear();
        rig.press();
        rig.passes(Duration::from_secs(60));
        prop_assert!(!rig.answers.is_empty());
        prop_assert!(matches!(rig.deck, Deck::Plays { .. }), "{:?}", rig.deck);
        prop_assert_eq!(rig.program.as_str(), "Replay");
        rig.operator_shows("Break");
        rig.passes(Duration::from_secs(60));
        rig.deck_ends();
        rig.passes(Duration::from_secs(60));
        prop_assert_eq!(rig.program.as_str(), "Break");
        prop_assert_eq!(rig.replay.wake_at(), None);
    }
}
