//! `lookback play`, `pause`, `seek`, `speed`, `step` and `stop`: commands to a deck of a running server.

use std::process::ExitCode;

use serde_json::{Value, json};

use crate::cli::{DeckCommand, DeckOptions, Place, PlayOptions};
use crate::client::{self, Failure};
use crate::http::Deck;
use crate::status;

/// Has it carried out, and shows what the deck does then.
pub(crate) fn run(command: &DeckCommand) -> ExitCode {
    let (options, name, body) = request(command);
    client::finish(send(options, name, &body))
}

fn send(options: &DeckOptions, command: &str, body: &Value) -> Result<String, Failure> {
    let path = format!("/api/v1/decks/{}/{command}", options.deck);
    let answer = client::post(&options.server, &path, body)?;
    let deck: Deck = serde_json::from_str(&answer).map_err(Failure::unreadable)?;
    let answer: Value = serde_json::from_str(&answer).map_err(Failure::unreadable)?;
    let mut line = status::line(&deck);
    if answer["clamped"] == true {
        line += " (which is as far as it goes)";
    }
    Ok(line)
}

/// The command of the API, and its body.
fn request(command: &DeckCommand) -> (&DeckOptions, &'static str, Value) {
    match command {
        DeckCommand::Play(play) if play.names_something() => (&play.deck, "load", load(play)),
        DeckCommand::Play(play) => (&play.deck, "play", json!({})),
        DeckCommand::Pause(deck) => (deck, "pause", json!({})),
        DeckCommand::Stop(deck) => (deck, "stop", json!({})),
        DeckCommand::Seek { to, deck } => (
            deck,
            "seek",
            match *to {
                Place::At(seconds) => json!({"to_s": seconds}),
                Place::By(seconds) => json!({"by_s": seconds}),
                Place::In => json!({"to": "in"}),
                Place::Out => json!({"to": "out"}),
                Place::Live => json!({"to": "live"}),
            },
        ),
        DeckCommand::Speed { speed, deck } => (deck, "speed", json!({"speed": speed})),
        DeckCommand::Step { frames, deck } => (deck, "step", json!({"frames": frames})),
    }
}

fn load(play: &PlayOptions) -> Value {
    let mut body = json!({"play": true});
    for (key, value) in [
        ("clip", &play.clip),
        ("replay", &play.replay),
        ("channel", &play.channel),
        ("last", &play.last),
        ("from", &play.from),
        ("to", &play.to),
    ] {
        if let Some(value) = value {
            body[key] = value.as_str().into();
        }
    }
    if play.live {
        body["live"] = true.into();
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Asked, Command, read};

    /// What the words on a command line ask for: the deck, the command, and its body.
    fn asked(line: &str) -> (String, &'static str, Value) {
        let words = line.split(' ').map(Into::into);
        let command = match read(std::iter::once("lookback".into()).chain(words)) {
            Ok(Asked::Run(command)) => *command,
            Ok(Asked::Text(text)) => panic!("{text}"),
            Err(error) => panic!("{line}: {error}"),
        };
        let Command::Deck(command) = command else {
            panic!("{line} is no command to a deck")
        };
        let (options, name, body) = request(&command);
        (options.deck.to_string(), name, body)
    }

    #[test]
    fn commands_are_those_of_the_api() {
        for (line, command, body) in [
            ("play", "play", json!({})),
            (
                "play --last 10s",
                "load",
                json!({"play": true, "last": "10s"}),
            ),
            (
                "play --from -1min --to -30s --channel cam2",
                "load",
                json!({"play": true, "from": "-1min", "to": "-30s", "channel": "cam2"}),
            ),
            (
                "play --clip abc",
                "load",
                json!({"play": true, "clip": "abc"}),
            ),
            (
                "play --replay 1a2b --channel cam2",
                "load",
                json!({"play": true, "replay": "1a2b", "channel": "cam2"}),
            ),
            ("pause", "pause", json!({})),
            ("seek 3.5", "seek", json!({"to_s": 3.5})),
            ("seek +5", "seek", json!({"by_s": 5.0})),
            ("seek -10", "seek", json!({"by_s": -10.0})),
            ("seek in", "seek", json!({"to": "in"})),
            ("seek out", "seek", json!({"to": "out"})),
            ("seek live", "seek", json!({"to": "live"})),
            (
                "play --live --channel cam2",
                "load",
                json!({"play": true, "channel": "cam2", "live": true}),
            ),
            ("speed 0.5", "speed", json!({"speed": 0.5})),
            ("speed -4", "speed", json!({"speed": -4.0})),
            ("step", "step", json!({"frames": 1})),
            ("step -1", "step", json!({"frames": -1})),
            ("stop", "stop", json!({})),
        ] {
            assert_eq!(asked(line), ("main".to_owned(), command, body), "{line}");
        }
        assert_eq!(asked("stop --deck b").0, "b");
    }

    #[test]
    fn mistakes_are_found_before_anybody_is_asked() {
        for line in [
            "seek",
            "seek here",
            "seek inf",
            "speed fast",
            "speed 0",
            "speed 99",
            "step x",
            "pause --deck a/b",
            "play --clip abc --last 3s",
            "play --clip abc --replay abc",
            "play --last 3s --from -5s",
            "play --last 3s --live",
        ] {
            let words = line.split(' ').map(Into::into);
            let asked = read(std::iter::once("lookback".into()).chain(words));
            assert!(asked.is_err(), "{line}");
        }
    }
}
