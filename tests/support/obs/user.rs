//! A user with an OBS: what lies in its configuration, from one start to the next.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use rustix::process::Signal;
use serde_json::json;
use tempfile::TempDir;

use super::Obs;
use crate::support::server::{self, Server};
use crate::support::{eventually, free_port, text};

/// A configuration of OBS that is not in use.
pub(crate) struct User {
    folder: TempDir,
    port: u16,
    password: Option<String>,
}

impl User {
    /// One whose OBS has never been started, with a password or without.
    pub(crate) fn new(password: Option<&str>) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("obs-")
            .tempdir()
            .expect("a folder");
        let port = free_port();
        super::write_settings(folder.path(), port, "", &json!({}));
        if let Some(password) = password {
            let global = folder.path().join(".config/obs-studio/global.ini");
            let text = fs::read_to_string(&global).expect("it was written");
            let wanted = format!("AuthRequired=true\nServerPassword={password}");
            fs::write(&global, text.replace("AuthRequired=false", &wanted)).expect("a file");
        }
        Self {
            folder,
            port,
            password: password.map(str::to_owned),
        }
    }

    /// Starts OBS.
    pub(crate) fn start(self) -> Obs {
        Obs::run(self.folder, self.port, self.password.as_deref())
    }

    /// Another one with the same configuration.
    pub(crate) fn twin(&self) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("obs-")
            .tempdir()
            .expect("a folder");
        for (path, bytes) in self.files() {
            let path = folder.path().join(".config/obs-studio").join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(path, bytes).expect("a file");
        }
        Self {
            folder,
            port: self.port,
            password: self.password.clone(),
        }
    }

    /// All files of the configuration, but for what OBS writes of itself.
    pub(crate) fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let root = self.folder.path().join(".config/obs-studio");
        let mut files = BTreeMap::new();
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                let inside = path.strip_prefix(&root).expect("it lies in there");
                if path.is_dir() {
                    if !["logs", "profiler_data"].contains(&text(inside)) {
                        folders.push(path);
                    }
                } else {
                    files.insert(inside.to_owned(), fs::read(&path).expect("a file"));
                }
            }
        }
        files
    }
}

impl Obs {
    /// Ends OBS as a user does, so that it saves everything.
    pub(crate) fn quit(mut self) -> User {
        // One that is closed while it still lays out its windows falls over on its way out.
        let mut drawn = || self.request("GetStats", json!({}))["renderTotalFrames"].as_u64();
        let before = drawn().expect("a count of pictures");
        eventually("OBS has drawn for a second", || {
            (drawn()? > before + 30).then_some(())
        });
        // OBS waits for its clients to take leave.
        drop(self.client);
        self.process.signal(Signal::INT);
        let ended = self.process.wait();
        let told = self.process.output();
        assert!(ended.success(), "OBS ends in order: {ended}: {told}");
        User {
            folder: self.folder,
            port: self.port,
            password: self.password,
        }
    }

    /// Waits until OBS has written down that there is a source of this name. It does so some time after
    /// it was made, and does not end well in the middle of it.
    pub(crate) fn wait_until_saved(&self, source: &str) {
        let path = self
            .folder
            .path()
            .join(".config/obs-studio/basic/scenes/Test.json");
        eventually(format!("{source} is saved"), || {
            let text = fs::read_to_string(&path).ok()?;
            text.contains(&format!("\"{source}\"")).then_some(())
        });
    }

    /// Runs `lookback obs` with these arguments for this OBS and that server.
    pub(crate) fn lookback(&self, server: &Server, arguments: &[&str]) -> Output {
        lookback_obs(self.folder.path(), self.port, server, arguments)
    }

    /// The same, which must go well; gives what it said.
    pub(crate) fn lookback_says(&self, server: &Server, arguments: &[&str]) -> String {
        let output = self.lookback(server, arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {said}");
        String::from_utf8(output.stdout).expect("it is text")
    }

    /// The same, which must not go well; gives the exit code, and the one line that says why.
    pub(crate) fn lookback_refuses(&self, server: &Server, arguments: &[&str]) -> (i32, String) {
        refusal(&self.lookback(server, arguments))
    }

    /// Runs `lookback obs` on a terminal, where `typed` is typed in; gives the exit code and what was on it.
    pub(crate) fn lookback_on_a_terminal(
        &self,
        server: &Server,
        command: &str,
        typed: &str,
    ) -> (i32, String) {
        let port = self.port.to_string();
        let lookback = server::command(self.folder.path(), &["obs", command, "--port", &port]);
        let words = std::iter::once(lookback.get_program()).chain(lookback.get_args());
        let words: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
        let mut terminal = Command::new("script");
        terminal
            .args([
                "-q",
                "-e",
                "-E",
                "never",
                "-c",
                &words.join(" "),
                "/dev/null",
            ])
            .env("LOOKBACK_SERVER", server.url(""))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut terminal = terminal.spawn().expect("a terminal");
        let mut keys = terminal.stdin.take().expect("it is piped");
        keys.write_all(typed.as_bytes()).expect("it is read");
        let output = terminal.wait_with_output().expect("it ends");
        drop(keys);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.code().expect("it was not killed"), said)
    }
}

/// What a failure said, and its exit code.
pub(crate) fn refusal(output: &Output) -> (i32, String) {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(said.lines().count(), 1, "one line: {said}");
    (output.status.code().expect("it was not killed"), said)
}

/// Runs `lookback obs` for whatever is on a port.
pub(crate) fn lookback_obs(
    folder: &Path,
    port: u16,
    server: &Server,
    arguments: &[&str],
) -> Output {
    let (command, arguments) = arguments.split_first().expect("setup, status or undo");
    let port = port.to_string();
    let mut all = vec!["obs", command, "--port", &port];
    all.extend(arguments);
    let mut lookback: Command = server::command(folder, &all);
    lookback
        .env("LOOKBACK_SERVER", server.url(""))
        .stdin(Stdio::null())
        .output()
        .expect("the program starts")
}
