//! An instant replay on the program of OBS: to the scene of replays, and back. No IO, no clock.
//!
//! What OBS tells and what the deck does goes in, with the time; what is to be done comes out as [`Do`].
//! The deck is loaded before, and stands on its first picture. It plays when OBS says that its scene is
//! the program, which OBS does when the picture of the transition has ended: so nothing of a replay is
//! lost behind a fade or a stinger. At its end its last picture stands while OBS goes back.
//!
//! A source that is not shown takes pictures, and does not draw them: what it drew last, the end of the replay before,
//! would be the first thing on the program. So its scene is drawn out of sight until the first picture is there.
//!
//! A scene that somebody else puts on the program is not argued with: what goes on then is theirs, and
//! there is no way back any more. In studio mode OBS swaps program and preview by itself; the preview that the
//! operator has prepared is put back.

use std::time::{Duration, Instant};

use super::connection::Refusal;

/// From a deck's command until its picture is in OBS: 30 to 70 ms, with a margin (see
/// `docs/design/decks.md`).
const FIRST_PICTURE: Duration = Duration::from_millis(120);

/// A picture can be drawn for as long as a frame of OBS takes, which is 16 ms at 60 frames a second.
const DRAW_EVERY: Duration = Duration::from_millis(5);

/// How often the first picture is sent again where it was not drawn when it came.
const CUES_MAX: u32 = 3;

/// From the end of a replay in the deck until its last picture has been seen in OBS as long as the others.
const LAST_PICTURE: Duration = Duration::from_millis(400);

/// Between two attempts while another transition runs, which OBS does not let itself be interrupted in.
const TRY_AGAIN: Duration = Duration::from_millis(50);

/// OBS says within this that a transition has begun, or there is none.
const BEGIN_MAX: Duration = Duration::from_secs(2);

/// No transition takes longer.
const TRANSITION_MAX: Duration = Duration::from_secs(30);

/// Somebody wants a replay to be seen.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Press {
    /// Where it is to be seen.
    pub(super) scene: String,
    /// Whether the scene before comes back at its end.
    pub(super) back: bool,
}

/// What is to be done.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Do {
    /// The deck is to play.
    Play,
    /// The deck is to send its first picture again.
    Cue,
    /// OBS is to draw this scene's deck where nobody sees it; [`InstantReplay::drawn`] takes what came of it.
    Draw(String),
    /// OBS is to put this scene on the program; [`InstantReplay::switched`] takes how it went.
    Switch(String),
    /// OBS is to put this scene into the preview.
    Preview(String),
    /// Those who have pressed are to be told.
    Answer(Shown),
}

/// What has become of a press.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Shown {
    /// It is on the program, or a transition leads there.
    OnProgram,
    /// OBS did not do it. The deck plays.
    Refused(Refusal),
    /// Somebody else has taken the deck or the program meanwhile.
    LetGo,
}

/// Why a scene was not put on the program.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum NotSwitched {
    /// A transition runs.
    Busy,
    /// OBS says no.
    Refused(Refusal),
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct InstantReplay {
    program: String,
    /// `None` outside of studio mode.
    preview: Option<String>,
    scene: String,
    back: bool,
    /// The scene before the first of the replays that follow each other.
    home: Option<String>,
    state: State,
}

#[derive(Debug, Default)]
enum State {
    /// The program is none of our business.
    #[default]
    Away,
    /// The deck stands on its first picture.
    Ready {
        at: Instant,
        draw_at: Instant,
        is_drawn: bool,
        cues: u32,
    },
    /// OBS was told to show it.
    Entering { transition: Transition, over: bool },
    /// It is seen.
    On,
    /// It is over.
    Returning { at: Instant },
    /// OBS was told to go back. `again` has come too late for that.
    Leaving {
        transition: Transition,
        again: Option<Press>,
    },
}

/// A transition that we have asked for.
#[derive(Clone, Copy, Debug)]
struct Transition {
    begun: bool,
    limit: Instant,
}

impl Transition {
    fn asked(now: Instant) -> Self {
        Self {
            begun: false,
            limit: now + BEGIN_MAX,
        }
    }
}

impl InstantReplay {
    /// Where the program goes at the end of the replay.
    pub(super) fn back_to(&self) -> Option<&str> {
        self.home.as_deref().filter(|_| self.back)
    }

    /// There is a connection to OBS, again or for the first time.
    pub(super) fn connected(
        &mut self,
        program: String,
        preview: Option<String>,
        now: Instant,
    ) -> Vec<Do> {
        self.preview = preview;
        self.program(program, now)
    }

    /// There is none any more.
    pub(super) fn lost(&mut self) -> Vec<Do> {
        let lost = || Do::Answer(Shown::Refused(Refusal::Lost));
        match std::mem::take(&mut self.state) {
            State::Ready { .. } | State::Leaving { again: Some(_), .. } => vec![Do::Play, lost()],
            State::Entering { over: false, .. } => {
                self.state = State::On;
                vec![Do::Play]
            }
            State::On => {
                self.state = State::On;
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    /// The deck stands on the first picture of another replay.
    pub(super) fn press(&mut self, press: Press, now: Instant) -> Vec<Do> {
        match &mut self.state {
            State::Leaving { again, .. } => {
                *again = Some(press);
                return Vec::new();
            }
            State::Entering { over, .. } if self.scene == press.scene => {
                *over = false;
                self.back = press.back;
                return vec![Do::Answer(Shown::OnProgram)];
            }
            _ => {}
        }
        let is_on = self.program == press.scene;
        if matches!(self.state, State::Away) {
            self.home = Some(self.program.clone()).filter(|_| !is_on);
        }
        Press {
            scene: self.scene,
            back: self.back,
        } = press;
        if is_on {
            self.state = State::On;
            return vec![Do::Play, Do::Answer(Shown::OnProgram)];
        }
        self.state = State::Ready {
            at: now + FIRST_PICTURE,
            draw_at: now,
            is_drawn: false,
            cues: 0,
        };
        Vec::new()
    }

    /// The deck has come to the end of the replay, or was emptied.
    pub(super) fn over(&mut self, now: Instant) -> Vec<Do> {
        match &mut self.state {
            State::Ready { .. } => {
                self.state = State::Away;
                vec![Do::Answer(Shown::LetGo)]
            }
            State::Entering { over, .. } => {
                *over = true;
                Vec::new()
            }
            State::On => {
                self.go_back(now);
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    /// A transition has begun.
    pub(super) fn transition_started(&mut self, now: Instant) {
        if let State::Entering { transition, .. } | State::Leaving { transition, .. } =
            &mut self.state
        {
            *transition = Transition {
                begun: true,
                limit: now + TRANSITION_MAX,
            };
        }
    }

    /// This scene is the program now, and no transition runs.
    pub(super) fn program(&mut self, scene: String, now: Instant) -> Vec<Do> {
        self.program = scene;
        let is_ours = self.program == self.scene;
        match &mut self.state {
            State::Away => Vec::new(),
            State::Ready { .. } if is_ours => {
                self.home = None;
                self.state = State::On;
                vec![Do::Play, Do::Answer(Shown::OnProgram)]
            }
            State::Ready { .. } => {
                self.home = Some(self.program.clone());
                Vec::new()
            }
            State::Entering { over, .. } if is_ours => {
                let over = *over;
                self.state = State::On;
                match over {
                    true => {
                        self.go_back(now);
                        Vec::new()
                    }
                    false => vec![Do::Play],
                }
            }
            // The end of a transition before ours.
            State::Entering { transition, .. } if !transition.begun => {
                self.home = Some(self.program.clone());
                Vec::new()
            }
            State::Entering { .. } => {
                self.state = State::Away;
                vec![Do::Play]
            }
            State::On | State::Returning { .. } if is_ours => Vec::new(),
            State::On | State::Returning { .. } => {
                self.state = State::Away;
                Vec::new()
            }
            State::Leaving { transition, .. } if is_ours && !transition.begun => Vec::new(),
            State::Leaving { again, .. } => {
                let again = again.take();
                self.state = State::Away;
                again.map_or_else(Vec::new, |press| self.press(press, now))
            }
        }
    }

    /// This scene is in the preview now; `None` when studio mode is left.
    pub(super) fn preview(&mut self, scene: Option<String>) -> Vec<Do> {
        let is_swapped = match &self.state {
            State::Entering { transition, .. } => transition.begun && scene == self.home,
            State::Leaving { transition, .. } => {
                transition.begun && scene.as_ref() == Some(&self.scene)
            }
            _ => false,
        };
        match &self.preview {
            Some(prepared) if is_swapped && self.preview != scene => {
                vec![Do::Preview(prepared.clone())]
            }
            _ => {
                self.preview = scene;
                Vec::new()
            }
        }
    }

    /// What was drawn is another picture than before the press.
    pub(super) fn drawn(&mut self) {
        if let State::Ready { is_drawn, .. } = &mut self.state {
            *is_drawn = true;
        }
    }

    /// How [`Do::Switch`] went.
    pub(super) fn switched(&mut self, result: Result<(), NotSwitched>, now: Instant) -> Vec<Do> {
        let is_entering = matches!(self.state, State::Entering { .. });
        match result {
            Ok(()) if is_entering => vec![Do::Answer(Shown::OnProgram)],
            Ok(()) => Vec::new(),
            Err(NotSwitched::Busy) => {
                let at = now + TRY_AGAIN;
                self.state = match is_entering {
                    true => State::Ready {
                        at,
                        draw_at: at,
                        is_drawn: true,
                        cues: 0,
                    },
                    false => State::Returning { at },
                };
                Vec::new()
            }
            Err(NotSwitched::Refused(refusal)) => {
                self.state = State::Away;
                match is_entering {
                    true => vec![Do::Play, Do::Answer(Shown::Refused(refusal))],
                    false => Vec::new(),
                }
            }
        }
    }

    /// When [`Self::wake`] is to be called.
    pub(super) fn wake_at(&self) -> Option<Instant> {
        match &self.state {
            State::Away | State::On => None,
            State::Ready { at, draw_at, .. } => Some(*at.min(draw_at)),
            State::Returning { at } => Some(*at),
            State::Entering { transition, .. } | State::Leaving { transition, .. } => {
                Some(transition.limit)
            }
        }
    }

    /// Does what is due.
    pub(super) fn wake(&mut self, now: Instant) -> Vec<Do> {
        if self.wake_at().is_none_or(|at| now < at) {
            return Vec::new();
        }
        match std::mem::take(&mut self.state) {
            State::Away | State::On => Vec::new(),
            State::Ready {
                at, is_drawn, cues, ..
            } if now < at => {
                self.state = State::Ready {
                    at,
                    draw_at: now + DRAW_EVERY,
                    is_drawn,
                    cues,
                };
                vec![Do::Draw(self.scene.clone())]
            }
            State::Ready {
                is_drawn: false,
                cues,
                ..
            } if cues < CUES_MAX => {
                self.state = State::Ready {
                    at: now + FIRST_PICTURE,
                    draw_at: now,
                    is_drawn: false,
                    cues: cues + 1,
                };
                vec![Do::Cue]
            }
            State::Ready { .. } => {
                self.state = State::Entering {
                    transition: Transition::asked(now),
                    over: false,
                };
                vec![Do::Switch(self.scene.clone())]
            }
            State::Returning { .. } => {
                self.state = State::Leaving {
                    transition: Transition::asked(now),
                    again: None,
                };
                self.home.clone().map(Do::Switch).into_iter().collect()
            }
            // OBS does something else with its program.
            State::Entering { .. } => vec![Do::Play],
            State::Leaving { again, .. } => {
                again.map_or_else(Vec::new, |press| self.press(press, now))
            }
        }
    }

    fn go_back(&mut self, now: Instant) {
        self.state = match self.back_to() {
            Some(_) => State::Returning {
                at: now + LAST_PICTURE,
            },
            None => State::Away,
        };
    }
}

#[cfg(test)]
mod tests;
