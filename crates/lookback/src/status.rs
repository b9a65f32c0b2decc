//! `lookback status`: asks a running server, and shows the answer to people or programs.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::process::ExitCode;
use std::time::Duration;

use crate::cli::StatusOptions;
use crate::http::{ChannelStatus, Status};
use crate::settings::Endpoint;

/// The exit code for "no server answers", so that scripts can tell it from a mistake.
const NO_ANSWER: u8 = 3;
const MISTAKE: u8 = 2;

/// Asks and shows.
pub(crate) fn run(options: &StatusOptions) -> ExitCode {
    match ask(options).and_then(|answer| show(&answer, options.json)) {
        Ok(text) => {
            // A reader that has seen enough, such as `head`, is no error.
            let _ = writeln!(io::stdout(), "{}", text.trim_end());
            ExitCode::SUCCESS
        }
        Err(error) => {
            let _ = writeln!(io::stderr(), "lookback: {}", error.line);
            ExitCode::from(error.code)
        }
    }
}

struct Failure {
    line: String,
    code: u8,
}

impl Failure {
    fn mistake(line: String) -> Self {
        Self {
            line,
            code: MISTAKE,
        }
    }
}

/// How long a server on the same network may take.
const PATIENCE: Duration = Duration::from_secs(5);

fn ask(options: &StatusOptions) -> Result<String, Failure> {
    let server = &options.server;
    let token = options
        .token_file
        .as_ref()
        .map(fs::read_to_string)
        .transpose();
    let token = token.map_err(|error| Failure::mistake(format!("--token-file: {error}")))?;
    let endpoint = server
        .strip_prefix("http://")
        .unwrap_or(server)
        .trim_end_matches('/');
    let endpoint: Endpoint = endpoint.parse().map_err(|_| {
        Failure::mistake(format!(
            "--server {server}: write it as http://127.0.0.1:1688"
        ))
    })?;
    let answer = fetch(&endpoint, token.as_deref().map(str::trim)).map_err(|error| Failure {
        line: format!(
            "no lookback answers at {server} ({error}); start one, or name it with --server"
        ),
        code: NO_ANSWER,
    })?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    match head.split(' ').nth(1) {
        Some("200") => Ok(body.to_owned()),
        Some("401") => Err(Failure::mistake(format!(
            "{server} asks for its token: --token-file FILE"
        ))),
        _ => Err(Failure {
            line: format!("what answers at {server} is no lookback"),
            code: NO_ANSWER,
        }),
    }
}

/// One request on a connection of its own; the whole answer, head and body.
fn fetch(server: &Endpoint, token: Option<&str>) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&server.resolve()?, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let token = token.map_or(String::new(), |token| {
        format!("Authorization: Bearer {token}\r\n")
    });
    write!(
        stream,
        "GET /api/v1/status HTTP/1.1\r\nHost: {server}\r\n{token}Connection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

fn show(answer: &str, json: bool) -> Result<String, Failure> {
    if json {
        return Ok(answer.to_owned());
    }
    let status: Status = serde_json::from_str(answer).map_err(|error| Failure {
        line: format!("the answer cannot be read ({error}): is the server of another version?"),
        code: NO_ANSWER,
    })?;
    Ok(table(&status))
}

/// For people: a line for each thing, and under a channel what is wrong with it.
fn table(status: &Status) -> String {
    let memory = &status.memory;
    let mut rows = vec![HEADINGS.map(str::to_owned)];
    rows.extend(status.channels.iter().map(row));
    let widths: Vec<usize> = (0..HEADINGS.len())
        .map(|column| {
            rows.iter()
                .map(|row| row[column].chars().count())
                .max()
                .unwrap_or(0)
        })
        .collect();
    let mut text = format!(
        "lookback {}: {} of {} used, {} of it held by clips\n\n",
        status.version,
        mebibytes(memory.used_bytes as u64),
        mebibytes(memory.limit_bytes as u64),
        mebibytes(memory.held_bytes as u64),
    );
    for (index, row) in rows.iter().enumerate() {
        let cells = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:width$}"));
        let _ = writeln!(text, "{}", cells.collect::<Vec<_>>().join("  ").trim_end());
        let channel = index
            .checked_sub(1)
            .and_then(|index| status.channels.get(index));
        for problem in channel.iter().flat_map(|channel| &channel.problems) {
            let _ = writeln!(
                text,
                "  {} ({} times): {}",
                problem.code, problem.count, problem.hint
            );
        }
    }
    for deck in &status.decks {
        let _ = write!(text, "\ndeck {}: {}", deck.name, deck.state);
        if deck.state != "idle" {
            let _ = write!(
                text,
                ", at {:.1} of {:.1} s",
                deck.position_s, deck.duration_s
            );
        }
        text.push('\n');
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

fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

fn length(seconds: f64) -> String {
    let whole = seconds as u64;
    format!("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60)
}
