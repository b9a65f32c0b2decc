//! The program as it is called.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};

use serde_json::Value;

use rustix::process::Signal;

use crate::support::http::get;
use crate::support::process::Process;
use crate::support::server::{self, Server};
use crate::support::{card, eventually, folder, free_port, text};

/// Without a word on where to read: a FIFO in the user's runtime folder, and a port beside it. (In
/// `.config/nextest.toml` this test shares a group with the others that need the default port.)
#[test]
fn defaults() {
    let folder = folder();
    let mut server = Server::start(folder.path(), &[]);
    let home = folder.path().join("lookback");
    let mode = |path| {
        fs::metadata(path)
            .expect("it was made")
            .permissions()
            .mode()
            & 0o777
    };
    assert_eq!(mode(home.clone()), 0o700);
    assert_eq!(mode(home.join("obs.ts")), 0o600);
    assert_eq!(mode(home.join("play.ts")), 0o600);

    let stream = card::bytes(2, card::START);
    fs::write(home.join("obs.ts"), &stream).expect("the FIFO is read");
    server.wait_for("the FIFO's writer has left", |channel| {
        channel["received_bytes"] == stream.len() && channel["state"] == "waiting"
    });
    let mut source = std::net::TcpStream::connect("127.0.0.1:1689").expect("the default port");
    std::io::Write::write_all(&mut source, &stream).expect("it is read");
    server.wait_for_bytes(2 * stream.len() as u64);

    server.signal(Signal::TERM);
    assert!(server.wait().success());
    assert!(!home.join("obs.ts").exists() && !home.join("play.ts").exists());
}

#[test]
fn status_tells_what_runs() {
    let folder = folder();
    let input = folder.path().join("recording.ts");
    card::write(&input, 5);
    let running = Server::start(folder.path(), &["--input", text(&input)]);
    running.wait_for_window(4.5);

    let table = lookback(&["status", "--server", &running.url("")]);
    assert!(table.status.success());
    let table = String::from_utf8_lossy(&table.stdout).into_owned();
    assert!(
        table.contains("main") && table.contains("640x352"),
        "{table}"
    );
    let json = lookback(&["status", "--json", "--server", &running.url("")]);
    let status: Value = serde_json::from_slice(&json.stdout).expect("JSON");
    assert_eq!(status["channels"][0]["name"], "main");
}

#[test]
fn status_says_that_nothing_runs() {
    let server = format!("http://127.0.0.1:{}", free_port());
    let output = lookback(&["status", "--server", &server]);
    assert_eq!(output.status.code(), Some(3));
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(log.contains(&server) && log.lines().count() == 1, "{log}");
}

/// The command line wins over the environment, and that over the file.
#[test]
fn one_setting_from_three_places() {
    let folder = folder();
    let config = folder.path().join("lookback.toml");
    fs::write(&config, "memory = \"20MiB\"\n").expect("the test's folder takes files");
    let input = folder.path().join("in.ts");
    let arguments = [
        "--listen",
        "127.0.0.1:0",
        "--input",
        text(&input),
        "--config",
        text(&config),
    ];
    let limit = |environment: Option<&str>, more: &[&str]| {
        let mut command = server::command(folder.path(), &[&arguments, more].concat());
        command.envs(environment.map(|value| ("LOOKBACK_MEMORY", value)));
        let server = Server::spawn(folder.path(), &mut command);
        server.status()["memory"]["limit_bytes"]
            .as_u64()
            .expect("a limit")
            >> 20
    };
    assert_eq!(limit(None, &[]), 20);
    assert_eq!(limit(Some("30MiB"), &[]), 30);
    assert_eq!(limit(Some("30MiB"), &["--memory", "40MiB"]), 40);
}

/// Whoever listens wider asks for a token.
#[test]
fn a_token_is_asked_for() {
    let folder = folder();
    let [token, input] = ["token", "recording.ts"].map(|name| folder.path().join(name));
    fs::write(&token, "correct-horse-battery-staple\n").expect("the test's folder takes files");
    card::write(&input, 2);
    let arguments = [
        "--listen",
        "127.0.0.1:0",
        "--input",
        text(&input),
        "--token-file",
        text(&token),
    ];
    let server = Server::spawn(
        folder.path(),
        &mut server::command(folder.path(), &arguments),
    );
    let bearer =
        |token: &str| get("/api/v1/status").header("Authorization", &format!("Bearer {token}"));
    assert!([401, 403].contains(&server.get("/api/v1/status").status));
    assert!([401, 403].contains(&server.send(&bearer("correct-horse")).status));
    assert_eq!(
        server.send(&bearer("correct-horse-battery-staple")).status,
        200
    );
    assert_eq!(
        server
            .get("/api/v1/status?token=correct-horse-battery-staple")
            .status,
        200
    );
}

fn lookback(arguments: &[&str]) -> Output {
    let folder = folder();
    server::command(folder.path(), arguments)
        .output()
        .expect("lookback starts")
}

/// Lines while it lasts, over a server that goes and comes back; Ctrl-C ends it well.
#[test]
fn the_status_is_watched_until_it_is_stopped() {
    let folder = folder();
    let input = folder.path().join("recording.ts");
    card::write(&input, 2);
    let listen = format!("127.0.0.1:{}", free_port());
    let serve = || {
        let arguments = ["--listen", &listen, "--input", text(&input)];
        let server = Server::spawn(
            folder.path(),
            &mut server::command(folder.path(), &arguments),
        );
        server.wait_for_window(1.5);
        server
    };
    let mut running = serve();
    let url = running.url("");
    let watch = |name, more: &[&str]| {
        let arguments = [&["status", "--watch", "--server", &url], more].concat();
        let mut command = server::command(folder.path(), &arguments);
        Process::start(name, folder.path(), &mut command)
    };
    let (mut people, mut programs) = (watch("people", &[]), watch("programs", &["--json"]));
    let all = [&people, &programs];
    let lines = |process: &Process| process.output().lines().count();
    eventually("both show it again", || {
        all.iter().all(|process| lines(process) > 3).then_some(())
    });

    running.signal(Signal::TERM);
    assert!(running.wait().success());
    eventually("both miss it", || {
        let misses = |process: &&Process| process.log().contains("no lookback answers");
        all.iter().all(misses).then_some(())
    });
    let before = all.map(lines);
    let _running = serve();
    eventually("both see it again", || {
        let is_back = |(process, before): (&Process, usize)| lines(process) > before + 2;
        all.into_iter().zip(before).all(is_back).then_some(())
    });

    for process in [&mut people, &mut programs] {
        process.signal(Signal::INT);
        assert_eq!(process.wait().code(), Some(0), "{}", process.log());
        assert_eq!(process.log().lines().count(), 1, "{}", process.log());
    }
    let people = people.output();
    let line = people.lines().next().expect("some lines");
    assert!(line.contains("Z channel main: waiting, 0:00:0"), "{people}");
    for line in programs.output().lines() {
        let status: Value = serde_json::from_str(line).expect("JSON");
        assert_eq!(status["channels"][0]["name"], "main");
    }
    let nobody = format!("http://127.0.0.1:{}", free_port());
    let output = lookback(&["status", "--watch", "--server", &nobody]);
    assert_eq!(output.status.code(), Some(3), "it was never there");
}

#[test]
fn completions_and_manual_pages_come_out() {
    let script = lookback(&["completions", "bash"]);
    assert!(script.status.success());
    let folder = folder();
    let file = folder.path().join("completions");
    fs::write(&file, script.stdout).expect("the test's folder takes files");
    let complete = format!(
        "source {} && COMP_WORDS=(lookback save --la) COMP_CWORD=2 && \
         _lookback lookback --la save && echo \"${{COMPREPLY[@]}}\"",
        text(&file)
    );
    let shell = Command::new("bash").args(["-c", &complete]).output();
    let shell = shell.expect("bash starts");
    assert_eq!(
        String::from_utf8_lossy(&shell.stdout),
        "--last\n",
        "{shell:?}"
    );
    let pages = folder.path().join("man1");
    assert!(lookback(&["man", text(&pages)]).status.success());
    assert!(pages.join("lookback.1").exists() && pages.join("lookback-save.1").exists());
}
