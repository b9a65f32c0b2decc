//! `lookback play`, `pause`, `seek`, `speed`, `step` and `stop`: commands to a deck of a running server.

use std::process::ExitCode;
use std::str::FromStr;

use clap::{Args, Subcommand};
use lookback_deck::Speed;
use serde_json::{Value, json};

use crate::client::{self, Failure, ServerOptions};
use crate::http::Deck;
use crate::settings::{Name, Period};
use crate::status;
use crate::time;

/// What a deck of a running server is to do.
#[derive(Debug, Subcommand)]
pub(crate) enum DeckCommand {
    /// Play a part of the recording, a replay or a clip, or play on what is loaded.
    Play(PlayOptions),
    /// Pause: the picture stands still.
    Pause(DeckOptions),
    /// Jump to another moment of what is loaded.
    Seek {
        /// Seconds from the start (3.5), forward (+5) or back (-10) from here, "in", "out" or "live".
        #[arg(value_name = "PLACE", allow_hyphen_values = true)]
        to: Place,
        #[command(flatten)]
        deck: DeckOptions,
    },
    /// Play at another speed: 0.05 to 16, or -1 to -16 to rewind.
    Speed {
        /// How fast: 1 as it was recorded, 0.5 half as fast.
        #[arg(allow_hyphen_values = true, value_parser = speed)]
        speed: f64,
        #[command(flatten)]
        deck: DeckOptions,
    },
    /// Go to the next picture, or some pictures forward or back.
    Step {
        /// How many pictures; -1 is one back.
        #[arg(allow_hyphen_values = true, default_value_t = 1)]
        frames: i32,
        #[command(flatten)]
        deck: DeckOptions,
    },
    /// Unload the deck: it shows what it shows when it is empty.
    Stop(DeckOptions),
}

/// Which deck is meant.
#[derive(Args, Debug)]
pub(crate) struct DeckOptions {
    /// The deck that is to do it.
    #[arg(long = "deck", value_name = "NAME", default_value = "main")]
    pub(crate) deck: Name,
    #[command(flatten)]
    pub(crate) server: ServerOptions,
}

/// What to play; without a word, what is loaded plays on.
#[derive(Args, Debug)]
pub(crate) struct PlayOptions {
    /// The last so much of the recording, such as 10s.
    #[arg(long, value_name = "DURATION", conflicts_with_all = ["from", "to"])]
    pub(crate) last: Option<Period>,
    /// Where to start: so long ago, such as -1min, or a time, such as 20:15 or 2026-11-22T20:15:00Z.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = time::asked)]
    pub(crate) from: Option<String>,
    /// Where to end, in the same words.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = time::asked)]
    pub(crate) to: Option<String>,
    /// The channel that this is of.
    #[arg(long, value_name = "NAME")]
    pub(crate) channel: Option<String>,
    /// A clip that was made before, by its id.
    #[arg(long, value_name = "ID", conflicts_with_all = ["last", "from", "to", "channel"])]
    pub(crate) clip: Option<String>,
    /// Play what is being recorded, as it comes.
    #[arg(long, conflicts_with_all = ["last", "from", "to", "clip"])]
    pub(crate) live: bool,
    /// A replay, by its id as list shows it; with --channel, that angle of it.
    #[arg(long, value_name = "ID", conflicts_with_all = ["last", "from", "to", "clip"])]
    pub(crate) replay: Option<String>,
    #[command(flatten)]
    pub(crate) deck: DeckOptions,
}

impl PlayOptions {
    pub(crate) fn names_something(&self) -> bool {
        let selection = [&self.from, &self.to, &self.channel];
        let mut words = selection.into_iter().chain([&self.clip, &self.replay]);
        words.any(Option::is_some) || self.last.is_some() || self.live
    }
}

/// Where to go in what is loaded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Place {
    /// So many seconds behind the start.
    At(f64),
    /// So many seconds further, or back.
    By(f64),
    /// The start.
    In,
    /// The end.
    Out,
    /// What is being recorded.
    Live,
}

impl FromStr for Place {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "in" => return Ok(Self::In),
            "out" => return Ok(Self::Out),
            "live" => return Ok(Self::Live),
            _ => {}
        }
        let seconds = text
            .parse()
            .ok()
            .filter(|seconds: &f64| seconds.is_finite());
        match seconds {
            Some(seconds) if text.starts_with(['+', '-']) => Ok(Self::By(seconds)),
            Some(seconds) => Ok(Self::At(seconds)),
            None => Err("write it as 3.5, +5, -10, in, out or live"),
        }
    }
}

/// A speed as it is written.
pub(crate) fn speed(text: &str) -> Result<f64, String> {
    let speed = text.parse().map_err(|_| "a speed is a number".to_owned())?;
    Speed::new(speed)
        .map(Speed::value)
        .map_err(|error| error.to_string())
}

/// Has it carried out, and shows what the deck does then.
pub(crate) fn run(command: &DeckCommand) -> ExitCode {
    let (options, name, body) = request(command);
    client::finish(send(options, name, &body))
}

fn send(options: &DeckOptions, command: &str, body: &Value) -> Result<String, Failure> {
    let path = format!("/api/v1/decks/{}/{command}", options.deck);
    let answer = client::post(&options.server, &path, body)?;
    if options.server.json {
        return Ok(answer);
    }
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
    if let Some(last) = play.last {
        body["last"] = last.to_string().into();
    }
    for (key, value) in [
        ("clip", &play.clip),
        ("replay", &play.replay),
        ("channel", &play.channel),
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
            "play --last 3",
            "play --last 3s --live",
        ] {
            let words = line.split(' ').map(Into::into);
            let asked = read(std::iter::once("lookback".into()).chain(words));
            assert!(asked.is_err(), "{line}");
        }
    }
}
