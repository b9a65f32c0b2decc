//! `lookback replay`: the last seconds, on the program of OBS.

use std::process::ExitCode;

use clap::Args;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::client::{self, Failure, ServerOptions};
use crate::control::speed;
use crate::settings::{Name, Period};

/// What to show, and how.
#[derive(Args, Debug)]
pub(crate) struct ReplayOptions {
    /// How much of what was recorded last.
    #[arg(long, value_name = "DURATION", default_value = "8s")]
    last: Period,
    /// How fast.
    #[arg(long, value_name = "SPEED", default_value = "0.5", value_parser = speed)]
    speed: f64,
    /// The channel to be seen; all are kept [default: the first].
    #[arg(long, value_name = "NAME")]
    channel: Option<Name>,
    /// The deck that plays it.
    #[arg(long, value_name = "NAME", default_value = "main")]
    deck: Name,
    /// The scene in OBS that has this deck [default: what the server was started with].
    #[arg(long, value_name = "NAME")]
    scene: Option<String>,
    /// What to call it [default: Replay and a number].
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,
    /// Keep nothing: only play it.
    #[arg(long)]
    no_save: bool,
    /// Leave the program of OBS alone.
    #[arg(long)]
    no_switch: bool,
    /// Stay in the scene at the end.
    #[arg(long)]
    no_return: bool,
    #[command(flatten)]
    server: ServerOptions,
}

/// Has it carried out, and shows what came of it.
pub(crate) fn run(options: &ReplayOptions) -> ExitCode {
    client::finish(send(options))
}

/// The answer, as far as it is told.
#[derive(Deserialize)]
struct Answer {
    replay: Option<Replay>,
    scene: Option<String>,
    back_to: Option<String>,
    problems: Vec<Problem>,
}

#[derive(Deserialize)]
struct Replay {
    id: String,
    name: String,
}

#[derive(Deserialize)]
struct Problem {
    hint: String,
}

fn send(options: &ReplayOptions) -> Result<String, Failure> {
    let answer = client::post(&options.server, "/api/v1/obs/replay", &body(options))?;
    if options.server.json {
        return Ok(answer);
    }
    let answer = serde_json::from_str(&answer).map_err(Failure::unreadable)?;
    Ok(told(&options.deck, &answer))
}

/// The body of the API: what was not said is left to the server.
fn body(options: &ReplayOptions) -> Value {
    let mut body = json!({
        "last": options.last.to_string(),
        "speed": options.speed,
        "deck": options.deck.as_str(),
    });
    for (key, value) in [
        ("channel", options.channel.as_ref().map(Name::as_str)),
        ("scene", options.scene.as_deref()),
        ("name", options.name.as_deref()),
    ] {
        if let Some(value) = value {
            body[key] = value.into();
        }
    }
    for (key, is_not) in [
        ("save", options.no_save),
        ("switch", options.no_switch),
        ("return", options.no_return),
    ] {
        if is_not {
            body[key] = false.into();
        }
    }
    body
}

fn told(deck: &Name, answer: &Answer) -> String {
    let mut line = match &answer.replay {
        Some(replay) => format!("{}  {}: ", replay.id, replay.name),
        None => String::new(),
    };
    line += &match &answer.scene {
        Some(scene) => format!("on the program, in scene {scene}"),
        None => format!("plays on deck {deck}"),
    };
    if let Some(back_to) = &answer.back_to {
        line += &format!(", then back to {back_to}");
    }
    for problem in &answer.problems {
        line += &format!("\n{}", problem.hint);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Asked, Command, read};

    fn options(line: &str) -> ReplayOptions {
        let words = line.split(' ').map(Into::into);
        match read(std::iter::once("lookback".into()).chain(words)) {
            Ok(Asked::Run(command)) => match *command {
                Command::Replay(options) => options,
                other => panic!("{other:?}"),
            },
            Ok(Asked::Text(text)) => panic!("{text}"),
            Err(error) => panic!("{line}: {error}"),
        }
    }

    #[test]
    fn what_is_not_said_is_left_to_the_server() {
        assert_eq!(
            body(&options("replay")),
            json!({"last": "8s", "speed": 0.5, "deck": "main"})
        );
        let line = "replay --last 3s --speed 1 --channel cam2 --deck b --scene Slow --name goal \
                    --no-save --no-switch --no-return";
        let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(
            body(&options(&line)),
            json!({"last": "3s", "speed": 1.0, "deck": "b", "channel": "cam2", "scene": "Slow",
                   "name": "goal", "save": false, "switch": false, "return": false})
        );
    }

    #[test]
    fn people_are_told_in_a_line_what_has_happened() {
        let told = |answer: Value| {
            let answer = serde_json::from_value(answer).expect("an answer");
            told(&Name::main(), &answer)
        };
        assert_eq!(
            told(
                json!({"replay": {"id": "1a", "name": "Replay 1"}, "switched": true,
                        "scene": "Replay", "back_to": "Game", "problems": []})
            ),
            "1a  Replay 1: on the program, in scene Replay, then back to Game"
        );
        assert_eq!(
            told(
                json!({"replay": null, "switched": false, "scene": null, "back_to": null,
                        "problems": [{"code": "obs_off", "count": 1, "hint": "no OBS"}]})
            ),
            "plays on deck main\nno OBS"
        );
    }
}
