//! SRT, which an ffmpeg of lookback's own receives.

use std::fs::{self, File};
use std::io::Write;
use std::net::UdpSocket;
use std::path::Path;

use lookback_mpegts::Ticks;
use rustix::process::{Pid, Signal, test_kill_process};

use super::is_joined;
use crate::support::card::{self, FPS, START};
use crate::support::process::Process;
use crate::support::server::{self, Server};
use crate::support::{eventually, ffmpeg, folder, free_port, make_fifo, text};

/// A program that sends what it is given, byte for byte.
struct Sender {
    pipe: File,
    process: Process,
}

impl Sender {
    fn new(folder: &Path, name: &str, url: &str) -> Self {
        let fifo = folder.join(name);
        make_fifo(&fifo);
        let mut command = ffmpeg::ffmpeg();
        command.args(["-f", "data", "-probesize", "32", "-i", text(&fifo)]);
        // However busy the machine is, it gives nothing up.
        command.args(["-map", "0", "-c", "copy", "-snddropdelay", "-1"]);
        command.args(["-connect_timeout", "30000"]);
        command.args(["-flush_packets", "1", "-f", "data", url]);
        let process = Process::start(name, folder, &mut command);
        let pipe = File::options().write(true).open(&fifo);
        Self {
            pipe: pipe.expect("it is read"),
            process,
        }
    }

    /// Sends as much at a time as the system holds for a receiver that is late, and waits for it to arrive.
    fn send(&mut self, server: &Server, bytes: &[u8]) {
        for piece in bytes.chunks(64 << 10) {
            let received = server.received();
            self.pipe.write_all(piece).expect("it is read");
            server.wait_for_bytes(received + piece.len() as u64);
        }
    }

    /// Hangs up; what it says about that is its own.
    fn leave(mut self, server: &Server) {
        drop(self.pipe);
        self.process.wait();
        server.wait_for("the end is seen", |channel| channel["state"] == "waiting");
    }
}

/// A sender comes, leaves, and comes again with other timestamps.
#[test]
fn senders_come_and_go() {
    let folder = folder();
    let url = format!("srt://127.0.0.1:{}", free_port());
    let server = Server::start(folder.path(), &["--input", &url]);
    let streams = [card::bytes(2, START), card::bytes(1, Ticks::SECOND)];
    for (stream, name) in streams.iter().zip(["first", "second"]) {
        let mut sender = Sender::new(folder.path(), name, &url);
        sender.send(&server, stream);
        assert_eq!(server.channel()["source"], url);
        sender.leave(&server);
    }
    let channel = server.channel();
    let len: usize = streams.iter().map(Vec::len).sum();
    assert_eq!(channel["received_bytes"], len);
    assert_eq!(channel["runs"], 2);
    assert_eq!(channel["discarded_bytes"], 0);
    assert_eq!(channel["problems"], serde_json::json!([]));
    let both = folder.path().join("both.ts");
    fs::write(&both, server.get("/video").bytes()).expect("the test's folder takes files");
    is_joined(&both, &[2 * FPS, FPS]);
}

/// Only who knows the passphrase comes in. It is shown nowhere.
#[test]
fn a_passphrase_is_wanted() {
    const WORD: &str = "correct-horse-battery";
    let folder = folder();
    let url = format!("srt://127.0.0.1:{}", free_port());
    let locked = format!("{url}?passphrase={WORD}");
    let server = Server::start(folder.path(), &["--input", &locked]);
    for wrong in [url.clone(), format!("{url}?passphrase=wrong-horse-battery")] {
        let mut command = ffmpeg::ffmpeg();
        command.args(["-f", "data", "-i", "/dev/zero", "-map", "0", "-c", "copy"]);
        command.args(["-connect_timeout", "30000", "-f", "data", &wrong]);
        let mut process = Process::start("stranger", folder.path(), &mut command);
        assert!(!process.wait().success(), "{wrong}");
    }
    let channel = server.wait_for("both are reported", |channel| {
        // Who hears nothing for a while asks once more.
        channel["problems"][0]["count"].as_u64() >= Some(2)
    });
    assert_eq!(channel["problems"][0]["code"], "srt_passphrase");
    assert_eq!(channel["received_bytes"], 0);
    let mut sender = Sender::new(folder.path(), "friend", &locked);
    sender.send(&server, &card::bytes(1, START));
    sender.leave(&server);
    assert_eq!(server.channel()["runs"], 1);
    let shown = server.get("/api/v1/status").json().to_string() + &server.log();
    assert!(!shown.contains(WORD), "{shown}");
}

/// While another source records, a sender is turned away, and comes in when that has left.
#[test]
fn a_busy_channel_refuses_it() {
    let folder = folder();
    let fifo = folder.path().join("in.ts");
    let url = format!("srt://127.0.0.1:{}", free_port());
    let arguments = ["--input", text(&fifo), "--input", &url];
    let server = Server::start(folder.path(), &arguments);
    let stream = card::bytes(1, START);
    let mut first = File::options().write(true).open(&fifo).expect("a FIFO");
    first.write_all(&stream).expect("it is read");
    server.wait_for_bytes(stream.len() as u64);

    let mut refused = Sender::new(folder.path(), "refused", &url);
    // Whether it notices in time is its own matter.
    let _ = refused.pipe.write_all(&stream);
    let channel = server.wait_for("the refusal is reported", |channel| {
        channel["problems"][0]["code"] == "second_source"
    });
    assert_eq!(channel["received_bytes"], stream.len());
    drop(refused);
    drop(first);
    server.wait_for("the first has left", |channel| {
        channel["state"] == "waiting"
    });
    let mut sender = Sender::new(folder.path(), "second", &url);
    sender.send(&server, &stream);
    sender.leave(&server);
    assert_eq!(server.channel()["runs"], 2);
}

/// What is missing is said before anything runs.
#[test]
fn what_it_needs_is_said() {
    let folder = folder();
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let taken = socket.local_addr().expect("it has one").port();
    let without = ffmpeg::script(folder.path(), "echo Input:; echo '  tcp'");
    let free = free_port();
    for (ffmpeg, port, word) in [
        ("no-such-ffmpeg", free, "install it"),
        (text(&without), free, "built without SRT"),
        ("ffmpeg", taken, "in use by another program"),
    ] {
        let input = format!("srt://127.0.0.1:{port}");
        let arguments = ["--input", &input, "--ffmpeg", ffmpeg];
        let output = server::command(folder.path(), &arguments).output();
        let output = output.expect("it starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(word) && said.contains(&input), "{said}");
    }
}

/// A crash leaves nobody on the port for long.
#[test]
fn no_ffmpeg_keeps_the_port_when_the_server_crashes() {
    let folder = folder();
    let address = format!("127.0.0.1:{}", free_port());
    let input = format!("srt://{address}");
    let mut server = Server::start(folder.path(), &["--input", &input]);
    let is_free = || UdpSocket::bind(&address).is_ok();
    eventually("ffmpeg is on the port", || (!is_free()).then_some(()));
    server.signal(Signal::KILL);
    server.wait();
    eventually("it leaves", || is_free().then_some(()));
}

/// Nor does one that waits for ever outlive a server that stops.
#[test]
fn no_ffmpeg_is_left_when_the_server_stops() {
    let folder = folder();
    let pid = folder.path().join("pid");
    let script = format!(
        "case \"$*\" in *-protocols*) exec ffmpeg \"$@\";; esac\necho $$ >{0}.new; mv {0}.new {0}\nexec sleep 1000",
        text(&pid)
    );
    let program = ffmpeg::script(folder.path(), &script);
    let input = format!("srt://127.0.0.1:{}", free_port());
    let arguments = ["--input", &input, "--ffmpeg", text(&program)];
    let mut server = Server::start(folder.path(), &arguments);
    let pid = eventually("ffmpeg runs", || {
        Pid::from_raw(fs::read_to_string(&pid).ok()?.trim().parse().ok()?)
    });
    server.signal(Signal::TERM);
    server.wait();
    eventually("it is gone", || {
        test_kill_process(pid).is_err().then_some(())
    });
}
