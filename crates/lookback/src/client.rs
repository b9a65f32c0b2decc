//! What asks a running server, for the commands that do: one request, one answer, one line of what is
//! wrong.

use std::fmt::{self, Display};
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde_json::Value;

use crate::settings::Endpoint;

/// Which server to ask, and for whom.
#[derive(Args, Clone, Debug)]
pub(crate) struct ServerOptions {
    /// The server to ask.
    #[arg(
        long,
        value_name = "URL",
        env = "LOOKBACK_SERVER",
        hide_env_values = true,
        default_value = "http://127.0.0.1:1688",
        help_heading = "Server"
    )]
    pub(crate) server: String,
    /// File with the server's token, if it asks for one.
    #[arg(
        long,
        value_name = "FILE",
        env = "LOOKBACK_TOKEN_FILE",
        hide_env_values = true,
        help_heading = "Server"
    )]
    pub(crate) token_file: Option<PathBuf>,
    /// Print JSON, for programs, and nothing for people.
    #[arg(long)]
    pub(crate) json: bool,
}

/// The exit code for "no server answers", so that scripts can tell it from a mistake.
const NO_ANSWER: u8 = 3;
const MISTAKE: u8 = 2;
const FAILED: u8 = 1;

/// Why there is nothing to show.
#[derive(Debug)]
pub(crate) struct Failure {
    line: String,
    code: u8,
}

impl Failure {
    pub(crate) fn mistake(line: String) -> Self {
        Self {
            line,
            code: MISTAKE,
        }
    }

    /// The same, said of one of several things.
    pub(crate) fn about(self, what: &str) -> Self {
        Self {
            line: format!("{what}: {}", self.line),
            ..self
        }
    }

    /// Whether no server answers, which may be otherwise in a moment.
    pub(crate) fn is_absence(&self) -> bool {
        self.code == NO_ANSWER
    }

    /// What was asked for was begun, and did not come out.
    pub(crate) fn failed(line: String) -> Self {
        Self { line, code: FAILED }
    }

    /// Nobody is there to ask.
    pub(crate) fn absent(line: String) -> Self {
        Self {
            line,
            code: NO_ANSWER,
        }
    }

    pub(crate) fn unreadable(error: serde_json::Error) -> Self {
        Self {
            line: format!("the answer cannot be read ({error}): is the server of another version?"),
            code: NO_ANSWER,
        }
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.line)
    }
}

/// Shows how it came out.
pub(crate) fn finish(outcome: Result<String, Failure>) -> ExitCode {
    match outcome {
        Ok(text) => {
            // A reader that has seen enough, such as `head`, is no error.
            if !text.is_empty() {
                let _ = writeln!(io::stdout(), "{}", text.trim_end());
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            let _ = writeln!(io::stderr(), "lookback: {error}");
            ExitCode::from(error.code)
        }
    }
}

/// Asks for what is there.
pub(crate) fn get(server: &ServerOptions, path: &str) -> Result<String, Failure> {
    ask(server, "GET", path, "")
}

/// Has something done.
pub(crate) fn post(server: &ServerOptions, path: &str, body: &Value) -> Result<String, Failure> {
    ask(server, "POST", path, &body.to_string())
}

/// Has something stopped, or forgotten.
pub(crate) fn delete(server: &ServerOptions, path: &str) -> Result<String, Failure> {
    ask(server, "DELETE", path, "")
}

/// Gets something large, all of it, into `into`.
pub(crate) fn download(
    options: &ServerOptions,
    path: &str,
    into: &mut impl Write,
) -> Result<(), Failure> {
    let (endpoint, token) = place(options)?;
    let lost = |error: io::Error| Failure {
        line: format!("{}{path} cannot be had: {error}", options.server),
        code: NO_ANSWER,
    };
    let stream = send(&endpoint, "GET", path, token.as_deref(), "").map_err(lost)?;
    let mut stream = BufReader::new(stream);
    let (mut status, mut length) = (String::new(), None);
    stream.read_line(&mut status).map_err(lost)?;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).map_err(lost)?;
        let Some((name, value)) = line.split_once(':') else {
            break;
        };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse::<u64>().ok();
        }
    }
    if status.split(' ').nth(1) != Some("200") {
        let mut body = String::new();
        stream.read_to_string(&mut body).map_err(lost)?;
        return Err(refusal(&body).unwrap_or_else(|| lost(io::Error::other(status))));
    }
    let got = io::copy(&mut stream, into).map_err(lost)?;
    if length.is_some_and(|length| length != got) {
        return Err(lost(io::ErrorKind::UnexpectedEof.into()));
    }
    into.flush().map_err(lost)
}

/// A value as it stands in a path or a query.
pub(crate) fn escaped(value: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let escape = |byte: u8| match plain(byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    value.bytes().map(escape).collect()
}

/// How long a server on the same network may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where a server is, and the token for it.
pub(crate) fn place(options: &ServerOptions) -> Result<(Endpoint, Option<String>), Failure> {
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
    Ok((endpoint, token.map(|token| token.trim().to_owned())))
}

fn ask(options: &ServerOptions, method: &str, path: &str, body: &str) -> Result<String, Failure> {
    let server = &options.server;
    let (endpoint, token) = place(options)?;
    let answer =
        fetch(&endpoint, method, path, token.as_deref(), body).map_err(|error| Failure {
            line: format!(
                "no lookback answers at {server} ({error}); start one, or name it with --server"
            ),
            code: NO_ANSWER,
        })?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    match head.split(' ').nth(1) {
        Some(status) if status.starts_with('2') => Ok(body.to_owned()),
        Some("401") => Err(Failure::mistake(format!(
            "{server} asks for its token: --token-file FILE"
        ))),
        _ => Err(refusal(body).unwrap_or_else(|| Failure {
            line: format!("what answers at {server} is no lookback"),
            code: NO_ANSWER,
        })),
    }
}

/// What the server has to say about a mistake.
fn refusal(body: &str) -> Option<Failure> {
    let problem: Value = serde_json::from_str(body).ok()?;
    problem["code"].as_str()?;
    Some(Failure::mistake(problem["detail"].as_str()?.to_owned()))
}

/// One request on a connection of its own; the whole answer, head and body.
fn fetch(
    server: &Endpoint,
    method: &str,
    path: &str,
    token: Option<&str>,
    body: &str,
) -> io::Result<String> {
    let mut stream = send(server, method, path, token, body)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// Sends a request; what comes back is the answer.
fn send(
    server: &Endpoint,
    method: &str,
    path: &str,
    token: Option<&str>,
    body: &str,
) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect_timeout(&server.resolve()?, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut request =
        format!("{method} {path} HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\n");
    if let Some(token) = token {
        request += &format!("Authorization: Bearer {token}\r\n");
    }
    if !body.is_empty() {
        let length = body.len();
        request += &format!("Content-Type: application/json\r\nContent-Length: {length}\r\n");
    }
    write!(stream, "{request}\r\n{body}")?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    const ANSWER: &str = r#"{"version": "1.2.3"}"#;

    /// A server that gives one answer. Gives its URL, and what it was asked.
    fn server(answer: String) -> (String, thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let asked = thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a client");
            let mut request = Vec::new();
            let is_whole = |request: &[u8]| {
                let has_body = request.starts_with(b"POST");
                request.ends_with(if has_body { &b"}"[..] } else { b"\r\n\r\n" })
            };
            while !is_whole(&request) {
                let mut byte = [0];
                stream.read_exact(&mut byte).expect("a request");
                request.extend(byte);
            }
            stream.write_all(answer.as_bytes()).expect("it listens");
            String::from_utf8(request).expect("text")
        });
        (url, asked)
    }

    fn options(server: &str) -> ServerOptions {
        ServerOptions {
            server: server.to_owned(),
            token_file: None,
            json: false,
        }
    }

    #[test]
    fn a_server_is_asked_with_its_token() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("token");
        fs::write(&file, "0123456789abcdef\n").expect("a file");
        let (url, asked) = server(format!("HTTP/1.1 200 OK\r\n\r\n{ANSWER}"));
        let options = ServerOptions {
            token_file: Some(file),
            ..options(&url)
        };
        assert!(get(&options, "/api/v1/status").is_ok_and(|body| body == ANSWER));
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
    fn what_is_to_be_done_is_json() {
        let (url, asked) = server(format!("HTTP/1.1 200 OK\r\n\r\n{ANSWER}"));
        let body = serde_json::json!({"speed": 0.5});
        assert!(post(&options(&url), "/x", &body).is_ok_and(|body| body == ANSWER));
        let request = asked.join().expect("no panic");
        assert!(request.starts_with("POST /x HTTP/1.1\r\n"), "{request}");
        for part in [
            "\r\nContent-Type: application/json\r\n",
            "\r\nContent-Length: 13\r\n",
            "\r\n\r\n{\"speed\":0.5}",
        ] {
            assert!(request.contains(part), "{part} in {request}");
        }
    }

    #[test]
    fn what_is_wrong_has_a_word_and_a_code() {
        let failure = |server: &str| get(&options(server), "/").expect_err("no answer");
        let (locked, _) = server("HTTP/1.1 401 Unauthorized\r\n\r\n".to_owned());
        let error = failure(&locked);
        assert!(
            error.line.contains("--token-file") && error.code == MISTAKE,
            "{}",
            error.line
        );
        let problem = r#"{"status": 409, "code": "nothing_loaded", "detail": "nothing is loaded"}"#;
        let (refusing, _) = server(format!("HTTP/1.1 409 Conflict\r\n\r\n{problem}"));
        let error = failure(&refusing);
        assert_eq!((&*error.line, error.code), ("nothing is loaded", MISTAKE));
        for answer in ["SSH-2.0-OpenSSH\r\n", "HTTP/1.1 404 Not Found\r\n\r\n{}"] {
            let (other, _) = server(answer.to_owned());
            assert_eq!(failure(&other).code, NO_ANSWER);
        }
        let closed = TcpListener::bind("127.0.0.1:0")
            .and_then(|it| it.local_addr())
            .expect("a port");
        let error = failure(&format!("http://{closed}"));
        assert!(error.line.contains("no lookback answers") && error.code == NO_ANSWER);
        assert_eq!(failure("ftp://x").code, MISTAKE);
    }
}
