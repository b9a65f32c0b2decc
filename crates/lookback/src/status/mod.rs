//! `lookback status`: asks a running server, and shows the answer to people or programs.

mod watch;

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::Args;

use crate::client::{self, Failure, ServerOptions};
use crate::http::{ChannelStatus, Deck, ObsStatus, Reported, Status};
use crate::table::{self, mebibytes};

/// How to ask for the status.
#[derive(Args, Clone, Debug)]
pub(crate) struct StatusOptions {
    /// Show it again each second, until Ctrl-C.
    #[arg(long, short)]
    watch: bool,
    #[command(flatten)]
    server: ServerOptions,
}

/// Asks and shows.
pub(crate) fn run(options: &StatusOptions) -> ExitCode {
    client::finish(match options.watch {
        true => watch::run(&options.server),
        false => ask(&options.server).and_then(|answer| show(&answer, options.server.json)),
    })
}

fn ask(server: &ServerOptions) -> Result<String, Failure> {
    client::get(server, "/api/v1/status")
}

fn show(answer: &str, json: bool) -> Result<String, Failure> {
    if json {
        return Ok(answer.to_owned());
    }
    Ok(table(&read(answer)?))
}

fn read(answer: &str) -> Result<Status, Failure> {
    serde_json::from_str(answer).map_err(Failure::unreadable)
}

/// For people: a line for each thing, and under a channel what is wrong with it.
fn table(status: &Status) -> String {
    let memory = &status.memory;
    let mut rows = vec![HEADINGS.map(str::to_owned)];
    rows.extend(status.channels.iter().map(row));
    let mut text = format!(
        "lookback {}: {} of {} used, {} of it held by clips and replays\n\n",
        status.version,
        mebibytes(memory.used_bytes as u64),
        mebibytes(memory.limit_bytes as u64),
        mebibytes(memory.held_bytes as u64),
    );
    for (index, row) in table::aligned(&rows).iter().enumerate() {
        let _ = writeln!(text, "{row}");
        let channel = index
            .checked_sub(1)
            .and_then(|index| status.channels.get(index));
        for problem in channel.iter().flat_map(|channel| &channel.problems) {
            let _ = writeln!(text, "{}", problem_line(problem));
        }
    }
    for deck in &status.decks {
        let _ = writeln!(text, "\n{}", line(deck));
    }
    if status.obs.state != "off" {
        let _ = writeln!(text, "\n{}", obs_line(&status.obs));
    }
    for problem in &status.obs.problems {
        let _ = writeln!(text, "{}", problem_line(problem));
    }
    text
}

/// What OBS does.
pub(crate) fn obs_line(obs: &ObsStatus) -> String {
    let mut text = "OBS".to_owned();
    if let Some(version) = &obs.version {
        let _ = write!(text, " {version}");
    }
    let _ = write!(text, ": {}", obs.state);
    if let Some(scene) = &obs.scene {
        let _ = write!(text, ", shows {scene}");
    }
    for (is_so, word) in [
        (obs.recording, "records"),
        (obs.streaming, "streams"),
        (obs.studio_mode, "in studio mode"),
    ] {
        if is_so {
            let _ = write!(text, ", {word}");
        }
    }
    text
}

fn problem_line(problem: &Reported) -> String {
    let Reported { code, count, hint } = problem;
    format!("  {code} ({count} times): {hint}")
}

/// What a deck does.
pub(crate) fn line(deck: &Deck) -> String {
    let mut text = format!("deck {}: {}", deck.name, deck.state);
    if deck.live {
        text += ", live";
    } else if deck.state != "idle" {
        let _ = write!(
            text,
            ", at {:.1} of {:.1} s",
            deck.position_s, deck.duration_s
        );
        if deck.speed != 1.0 {
            let _ = write!(text, ", at {} times the speed", deck.speed);
        }
        if deck.items > 1 {
            let _ = write!(text, ", {} of {}", deck.item + 1, deck.items);
        }
    }
    text
}

const HEADINGS: [&str; 7] = [
    "CHANNEL", "STATE", "BACK", "MEMORY", "VIDEO", "SOUND", "SOURCE",
];

fn row(channel: &ChannelStatus) -> [String; 7] {
    let none = || "-".to_owned();
    let window = channel.window.as_ref();
    let video = channel.video.as_ref().map(|video| {
        let fps = video.fps.map_or(String::new(), |fps| {
            format!(" {} fps", (fps * 100.0).round() / 100.0)
        });
        format!("{} {}x{}{fps}", video.codec, video.width, video.height)
    });
    let tracks = channel.audio.iter();
    let audio: Vec<String> = tracks
        .map(|audio| {
            format!(
                "{} {} Hz {} ch",
                audio.codec, audio.sample_rate, audio.channels
            )
        })
        .collect();
    [
        channel.name.clone(),
        channel.state.clone(),
        window.map_or_else(none, |window| length(window.duration_s)),
        window.map_or_else(none, |window| mebibytes(window.bytes)),
        video.unwrap_or_else(none),
        if audio.is_empty() {
            none()
        } else {
            audio.join(", ")
        },
        channel.source.clone().unwrap_or_else(none),
    ]
}

fn length(seconds: f64) -> String {
    let whole = seconds as u64;
    format!("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) const ANSWER: &str = r#"{"version": "1.2.3",
        "memory": {"limit_bytes": 536870912, "used_bytes": 1048576, "held_bytes": 524288, "index_bytes": 9},
        "channels": [
            {"name": "main", "state": "recording", "source": "/run/obs.ts", "runs": 1,
             "received_bytes": 9, "discarded_bytes": 0,
             "problems": [{"code": "second_source", "count": 2, "hint": "give it a channel"}],
             "window": {"start": "x", "end": "y", "duration_s": 3723.4, "bytes": 1048576},
             "video": {"codec": "avc1.64001f", "width": 1280, "height": 720, "fps": 29.97002997},
             "audio": [{"codec": "mp4a.40.2", "channels": 2, "sample_rate": 48000}]},
            {"name": "cam2", "state": "waiting", "source": null, "runs": 0, "received_bytes": 0,
             "discarded_bytes": 0, "problems": [], "window": null, "video": null, "audio": []}],
        "decks": [{"name": "main", "state": "playing", "position_s": 3.21, "duration_s": 30.0, "speed": 1.0,
            "item": 0, "items": 1, "live": false}],
        "obs": {"state": "connected", "version": "29.0.2", "recording": true, "streaming": false,
            "scene": "Game", "studio_mode": false,
            "problems": [{"code": "long_gop", "count": 1, "hint": "set it shorter"}]}}"#;

    #[test]
    fn people_get_a_table() {
        let table = show(ANSWER, false).unwrap_or_else(|error| panic!("{error:?}"));
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(
            lines[0],
            "lookback 1.2.3: 1.0 MiB of 512.0 MiB used, 0.5 MiB of it held by clips and replays"
        );
        for cell in [
            "1:02:03",
            "avc1.64001f 1280x720 29.97 fps",
            "mp4a.40.2 48000 Hz 2 ch",
            "/run/obs.ts",
        ] {
            assert!(lines[3].contains(cell), "{cell} in {}", lines[3]);
        }
        assert_eq!(lines[4], "  second_source (2 times): give it a channel");
        assert!(
            lines[5].starts_with("cam2     waiting    -"),
            "{}",
            lines[5]
        );
        assert_eq!(lines[7], "deck main: playing, at 3.2 of 30.0 s");
        assert_eq!(lines[9], "OBS 29.0.2: connected, shows Game, records");
        assert_eq!(lines[10], "  long_gop (1 times): set it shorter");
        assert!(show(ANSWER, true).is_ok_and(|text| text == ANSWER));
    }
}
