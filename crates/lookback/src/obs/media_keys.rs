//! OBS's own media controls on a deck's source: the hotkeys *Restart*, *Play*, *Pause* and *Stop* of a media
//! source, and the buttons below the preview.
//!
//! OBS carries them out on its side of the feed, where a pause means that nothing is read. So the source is made
//! to play again at once, and the deck does what was meant. As the source always plays, OBS only ever offers to
//! pause it: that is the key that lets the deck stand and go on. A media source has no next and no previous.

use std::collections::HashMap;

use lookback_deck::{Mode, Seek};
use serde_json::Value;

use crate::decks::Command;

/// What makes a source play.
pub(super) const PLAY: &str = "OBS_WEBSOCKET_MEDIA_INPUT_ACTION_PLAY";

/// What has been done to a source.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Action {
    Play,
    Pause,
    Restart,
    Stop,
}

impl Action {
    /// By its name in obs-websocket.
    pub(super) fn named(name: &str) -> Option<Self> {
        match name.strip_prefix("OBS_WEBSOCKET_MEDIA_INPUT_ACTION_")? {
            "PLAY" => Some(Self::Play),
            "PAUSE" => Some(Self::Pause),
            "RESTART" => Some(Self::Restart),
            "STOP" => Some(Self::Stop),
            _ => None,
        }
    }

    /// What the deck does, which is in this mode.
    pub(super) fn commands(self, mode: Mode) -> Vec<Command> {
        match self {
            Self::Pause if mode == Mode::Playing => vec![Command::Pause],
            Self::Pause | Self::Play => vec![Command::Play],
            Self::Restart => vec![Command::Seek(Seek::In), Command::Play],
            Self::Stop => vec![Command::Stop],
        }
    }
}

/// A media source that shows a deck.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct DeckSource<'a> {
    /// The deck's name.
    pub(super) deck: &'a str,
    /// Whether OBS restarts it whenever it is shown, so that a restart says nothing.
    pub(super) restarts: bool,
}

impl<'a> DeckSource<'a> {
    /// By its settings, if it is one of the server that listens on `port`: by whatever name OBS reaches it.
    pub(super) fn of(settings: &'a Value, port: u16) -> Option<Self> {
        if settings["is_local_file"] != false {
            return None;
        }
        let (authority, path) = settings["input"]
            .as_str()?
            .strip_prefix("http://")?
            .split_once('/')?;
        let (_, its_port) = authority.rsplit_once(':')?;
        if its_port.parse() != Ok(port) {
            return None;
        }
        let path = path.split(['?', '#']).next()?;
        let deck = path.strip_prefix("decks/")?.strip_suffix(".ts")?;
        Some(Self {
            deck,
            restarts: settings["restart_on_activate"] != false,
        })
    }
}

/// Sources that were made to play by us, which OBS tells like all else.
#[derive(Debug, Default)]
pub(super) struct Echoes(HashMap<String, u32>);

impl Echoes {
    /// A source is being made to play.
    pub(super) fn expect(&mut self, source: &str) {
        *self.0.entry(source.to_owned()).or_default() += 1;
    }

    /// Whether this is what we have done ourselves.
    pub(super) fn is_one(&mut self, source: &str, action: Action) -> bool {
        let Some(count) = self.0.get_mut(source).filter(|_| action == Action::Play) else {
            return false;
        };
        *count -= 1;
        if *count == 0 {
            self.0.remove(source);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn sources_of_decks_are_known_by_their_address() {
        let source = |input: &str| json!({"is_local_file": false, "input": input, "restart_on_activate": false});
        for input in [
            "http://127.0.0.1:1688/decks/main.ts",
            "http://replay-pc.local:1688/decks/main.ts?token=abc",
            "http://[::1]:1688/decks/main.ts",
        ] {
            let settings = source(input);
            let found = DeckSource::of(&settings, 1688);
            let main = DeckSource {
                deck: "main",
                restarts: false,
            };
            assert_eq!(found, Some(main), "{input}");
            assert_eq!(DeckSource::of(&settings, 1689), None, "{input}");
        }
        for input in [
            "http://127.0.0.1:1688/live/main.ts",
            "http://127.0.0.1:1688/decks/main.mp4",
            "http://127.0.0.1/decks/main.ts",
            "rtmp://127.0.0.1:1688/decks/main.ts",
            "",
        ] {
            assert_eq!(DeckSource::of(&source(input), 1688), None, "{input}");
        }
    }

    /// What is as OBS has it by itself is not in the settings.
    #[test]
    fn settings_that_are_not_there_are_obs_own() {
        let input = "http://127.0.0.1:1688/decks/b.ts";
        assert_eq!(
            DeckSource::of(&json!({"input": input}), 1688),
            None,
            "a file"
        );
        let settings = json!({"is_local_file": false, "input": input});
        let found = DeckSource::of(&settings, 1688).expect("a deck");
        assert!(found.restarts && found.deck == "b");
    }

    #[test]
    fn the_pause_key_lets_the_deck_stand_and_go_on() {
        let pause = Action::named("OBS_WEBSOCKET_MEDIA_INPUT_ACTION_PAUSE").expect("an action");
        assert!(matches!(
            pause.commands(Mode::Playing)[..],
            [Command::Pause]
        ));
        assert!(matches!(pause.commands(Mode::Paused)[..], [Command::Play]));
        assert!(matches!(
            Action::Restart.commands(Mode::Paused)[..],
            [Command::Seek(Seek::In), Command::Play]
        ));
        assert_eq!(Action::named("OBS_WEBSOCKET_MEDIA_INPUT_ACTION_NEXT"), None);
    }

    #[test]
    fn what_we_do_ourselves_is_told_back_once() {
        let mut echoes = Echoes::default();
        assert!(!echoes.is_one("deck", Action::Play));
        echoes.expect("deck");
        assert!(!echoes.is_one("deck", Action::Pause));
        assert!(!echoes.is_one("other", Action::Play));
        assert!(echoes.is_one("deck", Action::Play));
        assert!(!echoes.is_one("deck", Action::Play));
    }
}
