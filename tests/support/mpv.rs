//! mpv without a picture or a sound, in real time, driven over its JSON IPC.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::process::Process;
use super::{DEADLINE, card, eventually, text};

pub(crate) struct Mpv {
    process: Process,
    socket: BufReader<UnixStream>,
    requests: u64,
    /// Those that came while something else was waited for.
    events: VecDeque<String>,
}

impl Mpv {
    /// Opens a URL or a path and waits until the first picture is there.
    pub(crate) fn open(folder: &Path, media: &str) -> Self {
        let ipc = folder.join("mpv.socket");
        let mut command = Command::new("mpv");
        command
            .args([
                "--no-config",
                "--vo=null",
                "--ao=null",
                "--msg-level=all=warn",
            ])
            // At the end it holds the last picture instead of leaving.
            .args(["--idle=yes", "--keep-open=yes"])
            // Seeks go to the server, not to what mpv remembers.
            .args(["--cache=no"])
            .arg(format!("--input-ipc-server={}", ipc.display()))
            .env("HOME", folder);
        let process = Process::start("mpv", folder, &mut command);
        let socket = eventually("mpv listens", || UnixStream::connect(&ipc).ok());
        socket
            .set_read_timeout(Some(DEADLINE))
            .expect("a socket takes a time-out");
        let socket = BufReader::new(socket);
        let mut mpv = Self {
            process,
            socket,
            requests: 0,
            events: VecDeque::new(),
        };
        mpv.command(&json!(["loadfile", media]))
            .expect("mpv takes a file");
        mpv.wait_for_event("playback-restart");
        mpv
    }

    /// Seeks to a time and waits until the picture there is shown.
    pub(crate) fn seek(&mut self, seconds: f64) {
        self.events.clear();
        self.command(&json!(["seek", seconds, "absolute+exact"]))
            .expect("mpv seeks");
        self.wait_for_event("playback-restart");
    }

    /// Stands still from now on.
    pub(crate) fn pause(&mut self) {
        self.command(&json!(["set_property", "pause", true]))
            .expect("mpv pauses");
    }

    /// The number of the picture of the card that is shown.
    pub(crate) fn picture(&mut self, folder: &Path) -> u64 {
        let file = folder.join("mpv.png");
        self.command(&json!(["screenshot-to-file", file, "video"]))
            .expect("mpv has a picture");
        card::counters(text(&file))[0]
    }

    pub(crate) fn position(&mut self) -> f64 {
        self.number("time-pos")
    }

    pub(crate) fn duration(&mut self) -> f64 {
        self.number("duration")
    }

    /// Warnings and errors, its own and those of its decoders.
    pub(crate) fn complaints(&self) -> String {
        self.process.output() + &self.process.log()
    }

    fn number(&mut self, property: &str) -> f64 {
        eventually(format!("mpv knows its {property}"), || {
            self.command(&json!(["get_property", property]))
                .ok()?
                .as_f64()
        })
    }

    fn command(&mut self, command: &Value) -> Result<Value, String> {
        self.requests += 1;
        let id = self.requests;
        let line = format!("{}\n", json!({"command": command, "request_id": id}));
        self.socket
            .get_mut()
            .write_all(line.as_bytes())
            .expect("mpv listens");
        loop {
            let mut answer = self.receive();
            if let Some(event) = answer["event"].as_str() {
                self.events.push_back(event.to_owned());
            } else if answer["request_id"] == id {
                return match answer["error"].as_str() {
                    Some("success") => Ok(answer["data"].take()),
                    error => Err(error.unwrap_or("no reason given").to_owned()),
                };
            }
        }
    }

    fn wait_for_event(&mut self, wanted: &str) {
        while let Some(event) = self.events.pop_front() {
            if event == wanted {
                return;
            }
        }
        loop {
            let event = self.receive();
            assert_ne!(
                event["event"],
                "end-file",
                "mpv gave up: {event} {}",
                self.complaints()
            );
            if event["event"] == wanted {
                return;
            }
        }
    }

    fn receive(&mut self) -> Value {
        let mut line = String::new();
        let read = self.socket.read_line(&mut line);
        assert!(
            matches!(read, Ok(1..)),
            "mpv fell silent ({read:?}): {}",
            self.complaints()
        );
        serde_json::from_str(&line).expect("mpv speaks JSON")
    }
}
