//! The program under test.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, ExitStatus};

use rustix::process::Signal;
use serde_json::Value;

use super::http::{self, Request, Response};
use super::process::Process;
use super::{card, eventually, text};

pub(crate) struct Server {
    process: Process,
    address: SocketAddr,
}

/// The program with these arguments, in a world that ends at `folder`.
pub(crate) fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lookback"));
    command
        .args(arguments)
        .current_dir(folder)
        .env("HOME", folder);
    command.env("XDG_RUNTIME_DIR", folder);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("LOOKBACK_") {
            command.env_remove(name);
        }
    }
    command
}

impl Server {
    /// Starts the program on a port of its own choice.
    pub(crate) fn start(folder: &Path, arguments: &[&str]) -> Self {
        Self::spawn(
            folder,
            &mut command(folder, &[&["--listen", "127.0.0.1:0"], arguments].concat()),
        )
    }

    /// Starts the program and waits until it has read a file to its end.
    pub(crate) fn having_read(folder: &Path, input: &Path, arguments: &[&str]) -> Self {
        let len = fs::metadata(input).expect("the file is there").len();
        let input = ["--input", text(input)];
        let server = Self::start(folder, &[&input, arguments].concat());
        server.wait_for("the file is read", |channel| {
            channel["received_bytes"] == len && channel["state"] == "waiting"
        });
        server
    }

    /// The same with the test card, as ffmpeg encodes it with these arguments.
    pub(crate) fn having_card(folder: &Path, seconds: u32, arguments: &str) -> Self {
        let input = folder.join("recording.ts");
        card::transcode(&input, seconds, arguments);
        Self::having_read(folder, &input, &[])
    }

    /// Starts a command that runs the program and waits until it says where it listens.
    pub(crate) fn spawn(folder: &Path, command: &mut Command) -> Self {
        let mut process = Process::start("lookback", folder, command);
        let address = eventually("lookback listens", || {
            let output = process.output();
            let Some((first, _)) = output.split_once('\n') else {
                let ended = process.exit_status();
                assert!(ended.is_none(), "lookback ended: {}", process.log());
                return None;
            };
            let address = first.trim_end().strip_prefix("listening on http://");
            let address = address.and_then(|address| address.parse().ok());
            Some(address.unwrap_or_else(|| panic!("the first line tells the address: {first}")))
        });
        Self { process, address }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn log(&self) -> String {
        self.process.log()
    }

    pub(crate) fn send(&self, request: &Request) -> Response {
        request.send(self.address)
    }

    /// Sends a request whose answer nobody waits for.
    pub(crate) fn begin(&self, request: &Request) -> TcpStream {
        request.begin(self.address).expect("it listens")
    }

    pub(crate) fn get(&self, path: &str) -> Response {
        self.send(&http::get(path))
    }

    pub(crate) fn status(&self) -> Value {
        let response = self.get("/api/v1/status");
        assert_eq!(response.status, 200);
        response.json()
    }

    /// The default channel's status.
    pub(crate) fn channel(&self) -> Value {
        self.status()["channels"][0].take()
    }

    pub(crate) fn received(&self) -> u64 {
        self.channel()["received_bytes"]
            .as_u64()
            .expect("a count of bytes")
    }

    /// Waits until the default channel's status is as wanted, and gives it.
    pub(crate) fn wait_for(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        eventually(format!("{what}; the log: {}", self.log()), || {
            Some(self.channel()).filter(&wanted)
        })
    }

    /// Waits until the default channel has received so much, and gives its status.
    pub(crate) fn wait_for_bytes(&self, bytes: u64) -> Value {
        self.wait_for(&format!("{bytes} bytes are received"), |channel| {
            channel["received_bytes"].as_u64() >= Some(bytes)
        })
    }

    /// Waits until the window is so long, and gives the status.
    pub(crate) fn wait_for_window(&self, seconds: f64) -> Value {
        self.wait_for(&format!("the window holds {seconds} s"), |channel| {
            channel["window"]["duration_s"].as_f64() >= Some(seconds)
        })
    }

    /// Makes a clip; the answer of `POST /api/v1/clips`.
    pub(crate) fn clip(&self, selection: &Value) -> Value {
        let response = self.send(&http::post("/api/v1/clips", selection));
        assert_eq!(response.status, 201, "a clip of {selection}");
        response.json()
    }

    /// Fails if it ever used more than the design's bound: the limit and 3 %, and 16 MiB for the program, of
    /// which 10 are left to the program file.
    pub(crate) fn stays_within(&self, limit: u64) {
        let memory = self.status()["memory"].take();
        assert_eq!(memory["limit_bytes"], limit);
        assert!(memory["used_bytes"].as_u64() <= Some(limit), "{memory}");
        let peak = self.process.peak_bytes();
        assert!(
            peak <= limit * 103 / 100 + (6 << 20),
            "{peak} bytes, {memory}"
        );
    }

    pub(crate) fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.process.wait()
    }
}
