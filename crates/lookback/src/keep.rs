//! `lookback save`, `list`, `delete`, `clear`, `library` and `restore`: what a running server keeps.

use std::process::ExitCode;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::cli::{KeepCommand, ListOptions, SaveOptions, ServerOptions};
use crate::client::{self, Failure};
use crate::http::Status;
use crate::settings::Name;
use crate::table;

/// Has it carried out, and shows what came of it.
pub(crate) fn run(command: &KeepCommand) -> ExitCode {
    client::finish(match command {
        KeepCommand::Save(options) => save(options),
        KeepCommand::List(options) => list(options),
        KeepCommand::Delete { ids, server } => delete(ids, server),
        KeepCommand::Library { json, server } => library(*json, server),
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
    if options.json {
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
    for (key, value) in [
        ("last", &options.last),
        ("from", &options.from),
        ("to", &options.to),
        ("plus", &options.plus),
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
    if options.json {
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
        replay.start.clone(),
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
    Ok(format!("deleted: {}", ids.join(", ")))
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

fn library(json: bool, server: &ServerOptions) -> Result<String, Failure> {
    let answer = client::get(server, "/api/v1/library")?;
    if json {
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
            file.start,
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
    Ok(format!("cleared: {}", names.join(", ")))
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
            "delete",
            "list a b",
            "clear --channel a/b",
        ] {
            assert!(asked(line).is_err(), "{line}");
        }
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
        assert_eq!(
            lines[1],
            "1a2b  Größe (locked)  2026-05-01T18:30:00.000Z  10.0 s  1.0 MiB  main      red"
        );
        assert!(
            lines[2].starts_with("3c4d  x (locked)      2026"),
            "{}",
            lines[2]
        );
        assert_eq!(shown(&[]), "no replays");
    }
}
