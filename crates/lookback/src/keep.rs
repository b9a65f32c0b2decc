//! `lookback save`, `list`, `delete`, `clear`, `library` and `restore`: what a running server keeps.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::client::{self, Failure, ServerOptions};
use crate::http::Status;
use crate::settings::{Name, Period};
use crate::table;
use crate::time;

/// What is to be kept of what a running server has recorded, or not.
#[derive(Debug, Subcommand)]
pub(crate) enum KeepCommand {
    /// Keep a moment as a replay: at once, of any length, without a copy.
    Save(SaveOptions),
    /// List the replays, the newest first.
    List(ListOptions),
    /// Delete replays.
    Delete {
        /// Which ones, as list shows their ids.
        #[arg(required = true, value_name = "ID")]
        ids: Vec<String>,
        #[command(flatten)]
        server: ServerOptions,
    },
    /// List what lies in the server's library, the newest first.
    Library(ServerOptions),
    /// Read a transport stream of the library back into memory, as a replay.
    Restore {
        /// Its name, as library shows it.
        #[arg(value_name = "FILE")]
        file: String,
        #[command(flatten)]
        server: ServerOptions,
    },
    /// Forget what the channels can look back on; replays stay.
    Clear {
        /// Clear this channel only; repeat it for more [default: all channels].
        #[arg(long, value_name = "NAME")]
        channel: Vec<Name>,
        #[command(flatten)]
        server: ServerOptions,
    },
}

/// Which moment to keep; without a word, all that there is.
#[derive(Args, Debug)]
pub(crate) struct SaveOptions {
    /// The last so much of the recording, such as 30s.
    #[arg(long, value_name = "DURATION", conflicts_with_all = ["from", "to"])]
    pub(crate) last: Option<Period>,
    /// Where it starts: so long ago, such as -1min, or a time, such as 20:15 or 2026-11-22T20:15:00Z.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = time::asked)]
    pub(crate) from: Option<String>,
    /// Where it ends, in the same words.
    #[arg(
        long,
        value_name = "TIME",
        allow_hyphen_values = true,
        value_parser = time::asked,
        conflicts_with = "plus"
    )]
    pub(crate) to: Option<String>,
    /// So much of what comes next as well: the replay is there at once, and grows.
    #[arg(long, value_name = "DURATION")]
    pub(crate) plus: Option<Period>,
    /// What to call it [default: Replay and a number].
    #[arg(long, value_name = "TEXT")]
    pub(crate) name: Option<String>,
    /// Keep this channel only; repeat it for more [default: all channels].
    #[arg(long, value_name = "NAME")]
    pub(crate) channel: Vec<Name>,
    /// A word to find it by; repeat it for more.
    #[arg(long, value_name = "TEXT")]
    pub(crate) tag: Vec<String>,
    /// Lock it, so that it is neither deleted nor dropped to make room.
    #[arg(long)]
    pub(crate) lock: bool,
    /// Clear the channels afterwards, as the command clear does.
    #[arg(long)]
    pub(crate) clear: bool,
    #[command(flatten)]
    pub(crate) server: ServerOptions,
}

/// Which replays to list.
#[derive(Args, Debug)]
pub(crate) struct ListOptions {
    /// Only those with this in their names.
    #[arg(value_name = "SEARCH")]
    pub(crate) search: Option<String>,
    /// Only those with this tag.
    #[arg(long, value_name = "TEXT")]
    pub(crate) tag: Option<String>,
    /// Only those that end after then: so long ago, such as -10min, or a time.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = time::asked)]
    pub(crate) from: Option<String>,
    /// Only those that begin before then: so long ago, such as -5min, or a time.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = time::asked)]
    pub(crate) to: Option<String>,
    #[command(flatten)]
    pub(crate) server: ServerOptions,
}

/// Has it carried out, and shows what came of it.
pub(crate) fn run(command: &KeepCommand) -> ExitCode {
    client::finish(match command {
        KeepCommand::Save(options) => save(options),
        KeepCommand::List(options) => list(options),
        KeepCommand::Delete { ids, server } => delete(ids, server),
        KeepCommand::Library(server) => library(server),
        KeepCommand::Restore { file, server } => restore(file, server),
        KeepCommand::Clear { channel, server } => clear(channel, server),
    })
}

/// A replay as answers tell of it.
#[derive(Deserialize)]
struct Replay {
    id: String,
    name: String,
    start: String,
    duration_s: f64,
    bytes: Option<u64>,
    tags: Vec<String>,
    locked: bool,
    growing: bool,
    angles: Vec<Angle>,
    #[serde(default)]
    dropped: Vec<String>,
    #[serde(default)]
    moved: Vec<String>,
}

#[derive(Deserialize)]
struct Angle {
    channel: String,
}

fn save(options: &SaveOptions) -> Result<String, Failure> {
    let answer = client::post(&options.server, "/api/v1/replays", &wanted(options))?;
    if options.server.json {
        return Ok(answer);
    }
    let replay: Replay = serde_json::from_str(&answer).map_err(Failure::unreadable)?;
    let mut line = format!("{}  {}: {:.1} s", replay.id, replay.name, replay.duration_s);
    if replay.growing {
        line += " so far";
    }
    if !replay.dropped.is_empty() {
        line += &format!("\ndropped to make room: {}", replay.dropped.join(", "));
    }
    if !replay.moved.is_empty() {
        line += &format!(
            "\nmoved to the library to make room: {}",
            replay.moved.join(", ")
        );
    }
    Ok(line)
}

/// The body of the API.
fn wanted(options: &SaveOptions) -> Value {
    let mut body = json!({});
    for (key, value) in [("last", options.last), ("plus", options.plus)] {
        if let Some(value) = value {
            body[key] = value.to_string().into();
        }
    }
    for (key, value) in [
        ("from", &options.from),
        ("to", &options.to),
        ("name", &options.name),
    ] {
        if let Some(value) = value {
            body[key] = value.as_str().into();
        }
    }
    let channels: Vec<&str> = options.channel.iter().map(Name::as_str).collect();
    for (key, values) in [("channels", json!(channels)), ("tags", json!(options.tag))] {
        if values.as_array().is_some_and(|values| !values.is_empty()) {
            body[key] = values;
        }
    }
    for (key, is_so) in [("locked", options.lock), ("clear", options.clear)] {
        if is_so {
            body[key] = true.into();
        }
    }
    body
}

fn list(options: &ListOptions) -> Result<String, Failure> {
    let answer = client::get(&options.server, &search(options))?;
    if options.server.json {
        return Ok(answer);
    }
    let replays: Vec<Replay> = serde_json::from_str(&answer).map_err(Failure::unreadable)?;
    Ok(shown(&replays))
}

fn search(options: &ListOptions) -> String {
    let mut path = "/api/v1/replays".to_owned();
    let mut joint = '?';
    for (key, value) in [
        ("name", &options.search),
        ("tag", &options.tag),
        ("from", &options.from),
        ("to", &options.to),
    ] {
        if let Some(value) = value {
            path += &format!("{joint}{key}={}", client::escaped(value));
            joint = '&';
        }
    }
    path
}

fn shown(replays: &[Replay]) -> String {
    if replays.is_empty() {
        return "no replays".to_owned();
    }
    let mut rows = vec![
        [
            "ID", "NAME", "START", "LENGTH", "MEMORY", "CHANNELS", "TAGS",
        ]
        .map(str::to_owned),
    ];
    rows.extend(replays.iter().map(row));
    table::aligned(&rows).join("\n")
}

fn row(replay: &Replay) -> [String; 7] {
    let mut name = replay.name.clone();
    for (is_so, word) in [(replay.locked, " (locked)"), (replay.growing, " (growing)")] {
        name += if is_so { word } else { "" };
    }
    let channels: Vec<&str> = replay.angles.iter().map(|angle| &*angle.channel).collect();
    [
        replay.id.clone(),
        name,
        time::local(&replay.start),
        format!("{:.1} s", replay.duration_s),
        replay.bytes.map_or("-".to_owned(), table::mebibytes),
        channels.join(", "),
        replay.tags.join(", "),
    ]
}

fn delete(ids: &[String], server: &ServerOptions) -> Result<String, Failure> {
    for id in ids {
        client::delete(server, &format!("/api/v1/replays/{}", client::escaped(id)))
            .map_err(|failure| failure.about(id))?;
    }
    Ok(told(server, "deleted", ids))
}

/// A file of the library as answers tell of it.
#[derive(Deserialize)]
struct Filed {
    file: String,
    name: Option<String>,
    start: String,
    duration_s: f64,
    bytes: u64,
    tags: Vec<String>,
}

fn library(server: &ServerOptions) -> Result<String, Failure> {
    let answer = client::get(server, "/api/v1/library")?;
    if server.json {
        return Ok(answer);
    }
    let files: Vec<Filed> = serde_json::from_str(&answer).map_err(Failure::unreadable)?;
    if files.is_empty() {
        return Ok("the library is empty".to_owned());
    }
    let mut rows = vec![["FILE", "NAME", "START", "LENGTH", "SIZE", "TAGS"].map(str::to_owned)];
    rows.extend(files.into_iter().map(|file| {
        [
            file.file,
            file.name.unwrap_or_default(),
            time::local(&file.start),
            format!("{:.1} s", file.duration_s),
            table::mebibytes(file.bytes),
            file.tags.join(", "),
        ]
    }));
    Ok(table::aligned(&rows).join("\n"))
}

fn restore(file: &str, server: &ServerOptions) -> Result<String, Failure> {
    let path = format!("/api/v1/library/{}/restore", client::escaped(file));
    let answer = client::post(server, &path, &json!({}))?;
    if server.json {
        return Ok(answer);
    }
    let replay: Replay = serde_json::from_str(&answer).map_err(Failure::unreadable)?;
    Ok(format!(
        "{}  {}: {:.1} s",
        replay.id, replay.name, replay.duration_s
    ))
}

fn clear(channels: &[Name], server: &ServerOptions) -> Result<String, Failure> {
    let mut names: Vec<String> = channels.iter().map(Name::to_string).collect();
    if names.is_empty() {
        let answer = client::get(server, "/api/v1/status")?;
        let status: Status = serde_json::from_str(&answer).map_err(Failure::unreadable)?;
        names.extend(status.channels.into_iter().map(|channel| channel.name));
    }
    for name in &names {
        client::post(
            server,
            &format!("/api/v1/channels/{name}/clear"),
            &json!({}),
        )?;
    }
    Ok(told(server, "cleared", &names))
}

/// What was done to which things.
fn told(server: &ServerOptions, done: &str, what: &[String]) -> String {
    if server.json {
        return json!({done: what}).to_string();
    }
    format!("{done}: {}", what.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Asked, Command, read};

    fn asked(line: &str) -> Result<KeepCommand, String> {
        let words = line.split(' ').map(Into::into);
        match read(std::iter::once("lookback".into()).chain(words)) {
            Ok(Asked::Run(command)) => match *command {
                Command::Keep(command) => Ok(command),
                _ => panic!("{line} keeps nothing"),
            },
            Ok(Asked::Text(text)) => panic!("{text}"),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn what_is_asked_for_is_what_the_api_takes() {
        for (line, body) in [
            ("save", json!({})),
            (
                "save --last 30s --plus 5s",
                json!({"last": "30s", "plus": "5s"}),
            ),
            (
                "save --from -1min --to -30s --name Goal --channel a --channel b",
                json!({"from": "-1min", "to": "-30s", "name": "Goal", "channels": ["a", "b"]}),
            ),
            (
                "save --tag red --tag late --lock --clear",
                json!({"tags": ["red", "late"], "locked": true, "clear": true}),
            ),
        ] {
            let Ok(KeepCommand::Save(options)) = asked(line) else {
                panic!("{line}")
            };
            assert_eq!(wanted(&options), body, "{line}");
        }
        for (line, path) in [
            ("list", "/api/v1/replays"),
            ("list goal", "/api/v1/replays?name=goal"),
            (
                "list 1:0&x --tag é --from -5min",
                "/api/v1/replays?name=1%3A0%26x&tag=%C3%A9&from=-5min",
            ),
        ] {
            let Ok(KeepCommand::List(options)) = asked(line) else {
                panic!("{line}")
            };
            assert_eq!(search(&options), path, "{line}");
        }
    }

    #[test]
    fn mistakes_are_found_before_anybody_is_asked() {
        for line in [
            "save --last 3s --from -5s",
            "save --to -5s --plus 5s",
            "save --channel a/b",
            "save --last 3",
            "delete",
            "list a b",
            "clear --channel a/b",
        ] {
            assert!(asked(line).is_err(), "{line}");
        }
    }

    #[test]
    fn programs_get_json() {
        let Ok(KeepCommand::Delete { ids, server }) = asked("delete 1a2b 3c4d --json") else {
            panic!("not understood")
        };
        assert_eq!(
            told(&server, "deleted", &ids),
            r#"{"deleted":["1a2b","3c4d"]}"#
        );
    }

    #[test]
    fn people_get_a_table() {
        let replay = |id: &str, name: &str, bytes| Replay {
            id: id.to_owned(),
            name: name.to_owned(),
            start: "2026-05-01T18:30:00.000Z".to_owned(),
            duration_s: 9.96,
            bytes,
            tags: vec!["red".to_owned()],
            locked: true,
            growing: false,
            angles: vec![Angle {
                channel: "main".to_owned(),
            }],
            dropped: Vec::new(),
            moved: Vec::new(),
        };
        let text = shown(&[
            replay("1a2b", "Größe", Some(1 << 20)),
            replay("3c4d", "x", None),
        ]);
        let lines: Vec<&str> = text.lines().collect();
        let start = time::local("2026-05-01T18:30:00.000Z");
        assert_eq!(
            lines[1],
            format!("1a2b  Größe (locked)  {start}  10.0 s  1.0 MiB  main      red")
        );
        assert!(
            lines[2].starts_with(&format!("3c4d  x (locked)      {start}")),
            "{}",
            lines[2]
        );
        assert_eq!(shown(&[]), "no replays");
    }
}
