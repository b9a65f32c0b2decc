//! The doctor looks at the machine, finds what is wrong, and leaves everything as it was.

use std::fs::{self, DirBuilder};
use std::net::TcpListener;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::server::{self, Server};
use crate::support::{folder, free_port, text};

/// What the doctor has found, and the code that it ended with.
pub(crate) struct Report {
    code: Option<i32>,
    report: Value,
}

impl Report {
    /// Has the doctor look, in a world that ends at `folder`.
    pub(crate) fn of(folder: &Path, arguments: &[&str]) -> Self {
        let arguments = [&["doctor", "--json", "--memory", "16MiB"], arguments].concat();
        let output = server::command(folder, &arguments)
            .output()
            .expect("the program runs");
        let log = String::from_utf8_lossy(&output.stderr);
        Self {
            code: output.status.code(),
            report: serde_json::from_slice(&output.stdout)
                .unwrap_or_else(|error| panic!("{error}: {log}")),
        }
    }

    /// The verdict on one thing, and all that is said of it; none where it was not looked at.
    pub(crate) fn on(&self, title: &str) -> Option<(&str, String)> {
        let findings = self.report["findings"].as_array().expect("a list");
        let found = findings.iter().find(|finding| finding["title"] == title)?;
        let verdict = found["verdict"].as_str().expect("a word");
        Some((verdict, found.to_string()))
    }

    /// Something is as it should be, or is not, for this reason.
    pub(crate) fn says(&self, title: &str, verdict: &str, word: &str) {
        let (found, said) = self.on(title).unwrap_or_else(|| panic!("{}", self.report));
        assert!(found == verdict && said.contains(word), "{said}");
    }

    pub(crate) fn ends_with(&self, code: i32) {
        assert_eq!(self.code, Some(code), "{}", self.report);
        assert_eq!(self.report["healthy"], code == 0, "{}", self.report);
    }
}

/// The folder where the pipe for OBS belongs, and the path of that.
fn pipe(folder: &TempDir) -> PathBuf {
    let home = folder.path().join("lookback");
    let made = DirBuilder::new().mode(0o700).create(&home);
    made.expect("the test's folder takes folders");
    home.join("obs.ts")
}

fn nowhere() -> String {
    format!("http://127.0.0.1:{}", free_port())
}

#[test]
fn a_machine_on_which_nothing_runs_is_left_as_it_is() {
    let folder = folder();
    let library = folder.path().join("library");
    fs::create_dir(&library).expect("the test's folder takes folders");
    let report = Report::of(
        folder.path(),
        &["--server", &nowhere(), "--library", text(&library)],
    );
    report.says("lookback", "good", "is free for it");
    report.says("pipe for OBS", "good", "when it starts");
    report.says("memory", "good", "16MiB");
    report.says("ffmpeg", "good", "ffmpeg version");
    report.says("library", "good", "can be written to");
    let entries = |folder: &Path| folder.read_dir().expect("a folder").count();
    assert_eq!((entries(folder.path()), entries(&library)), (1, 0));
}

#[test]
fn what_is_in_the_way_is_found() {
    let folder = folder();
    fs::write(pipe(&folder), "video").expect("the folder takes files");
    let other = TcpListener::bind("127.0.0.1:0").expect("a port");
    let server = format!("http://{}", other.local_addr().expect("bound"));
    let obs = format!("127.0.0.1:{}", free_port());
    let arguments = ["--server", &server, "--obs", &obs, "--ffmpeg", "/nowhere"];
    let report = Report::of(folder.path(), &arguments);
    report.says("lookback", "bad", "another program");
    report.says("pipe for OBS", "bad", "is a file");
    report.says("OBS", "bad", "no OBS answers");
    report.says("ffmpeg", "warning", "/nowhere");
    report.ends_with(1);
}

#[test]
fn a_running_server_is_asked() {
    let folder = folder();
    let pipe = pipe(&folder);
    let server = Server::start(
        folder.path(),
        &["--input", text(&pipe), "--memory", "20MiB"],
    );
    let report = Report::of(folder.path(), &["--server", &server.url("")]);
    report.says("lookback", "good", "answers");
    report.says("pipe for OBS", "good", "is read by lookback");
    report.says("channel main", "warning", "nothing comes in");
    report.says("memory", "good", "20MiB");
    assert!(
        report.on("port for OBS").is_none(),
        "it is not of this server"
    );
}

#[test]
fn people_get_a_list() {
    let folder = folder();
    let mut doctor = server::command(folder.path(), &["doctor", "--server", &nowhere()]);
    let output = doctor.output().expect("the program runs");
    let list = String::from_utf8_lossy(&output.stdout);
    let line = list.lines().find(|line| line.contains(" is free for it"));
    assert!(
        line.is_some_and(|line| line.starts_with("✓ lookback")),
        "{list}"
    );
}
