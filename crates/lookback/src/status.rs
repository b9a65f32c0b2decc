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

#[derive(Debug)]
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
    let request = format!(
        "GET /api/v1/status HTTP/1.1\r\nHost: {server}\r\n{token}Connection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes())?;
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

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    const ANSWER: &str = r#"{"version": "1.2.3",
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
        "decks": [{"name": "main", "state": "playing", "position_s": 3.21, "duration_s": 30.0, "speed": 1.0}]}"#;

    /// A server that gives one answer. Gives its URL, and what it was asked.
    fn server(answer: String) -> (String, thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let asked = thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a client");
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).expect("a request");
                request.extend(byte);
            }
            stream.write_all(answer.as_bytes()).expect("it listens");
            String::from_utf8(request).expect("text")
        });
        (url, asked)
    }

    fn options(server: &str) -> StatusOptions {
        StatusOptions {
            server: server.to_owned(),
            token_file: None,
            json: false,
        }
    }

    #[test]
    fn people_get_a_table() {
        let table = show(ANSWER, false).unwrap_or_else(|error| panic!("{}", error.line));
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(
            lines[0],
            "lookback 1.2.3: 1.0 MiB of 512.0 MiB used, 0.5 MiB of it held by clips"
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
        assert!(show(ANSWER, true).is_ok_and(|text| text == ANSWER));
    }

    #[test]
    fn a_server_is_asked_with_its_token() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("token");
        fs::write(&file, "0123456789abcdef\n").expect("a file");
        let (url, asked) = server(format!("HTTP/1.1 200 OK\r\n\r\n{ANSWER}"));
        let answer = ask(&StatusOptions {
            token_file: Some(file),
            ..options(&url)
        });
        assert!(answer.is_ok_and(|body| body == ANSWER));
        let request = asked.join().expect("no panic");
        assert!(
            request.starts_with("GET /api/v1/status HTTP/1.1\r\n"),
            "{request}"
        );
        assert!(
            request.contains("\r\nAuthorization: Bearer 0123456789abcdef\r\n"),
            "{request}"
        );
    }

    #[test]
    fn what_is_wrong_has_a_word_and_a_code() {
        let failure = |server: &str| ask(&options(server)).expect_err("no answer");
        let (locked, _) = server("HTTP/1.1 401 Unauthorized\r\n\r\n".to_owned());
        let error = failure(&locked);
        assert!(
            error.line.contains("--token-file") && error.code == MISTAKE,
            "{}",
            error.line
        );
        let (other, _) = server("SSH-2.0-OpenSSH\r\n".to_owned());
        assert_eq!(failure(&other).code, NO_ANSWER);
        let closed = TcpListener::bind("127.0.0.1:0")
            .and_then(|it| it.local_addr())
            .expect("a port");
        let error = failure(&format!("http://{closed}"));
        assert!(error.line.contains("no lookback answers") && error.code == NO_ANSWER);
        assert_eq!(failure("ftp://x").code, MISTAKE);
    }
}
