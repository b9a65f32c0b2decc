//! Stopping is quick, whoever is connected, and takes away only what the program made.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::server::Server;
use crate::support::{card, folder, make_fifo, text};

/// A second is promised. The rest is for a machine that has other work.
const AT_ONCE: Duration = Duration::from_secs(3);

#[test]
fn a_writer_and_stalled_readers_do_not_hold_it() {
    let folder = folder();
    let fifo = folder.path().join("obs.ts");
    let mut server = Server::start(folder.path(), &["--input", text(&fifo)]);
    let mut writer = File::options()
        .write(true)
        .open(&fifo)
        .expect("a FIFO to write to");
    let stream = card::bytes(20, card::START);
    writer.write_all(&stream).expect("it is read");
    server.wait_for_bytes(stream.len() as u64);

    let mut live = server.get("/live/main.ts");
    let mut video = server.get("/video");
    let mut first = [0; 188];
    live.body().read_exact(&mut first).expect("the live edge");
    video.body().read_exact(&mut first).expect("the window");

    let told = Instant::now();
    server.signal(Signal::TERM);
    assert!(server.wait().success());
    assert!(told.elapsed() < AT_ONCE, "{:?}", told.elapsed());
}

#[test]
fn a_fifo_goes_only_if_it_was_made() {
    let folder = folder();
    let [made, found] = ["made.ts", "found.ts"].map(|name| folder.path().join(name));
    let [made_play, found_play] = ["play.ts", "kept.ts"].map(|name| folder.path().join(name));
    make_fifo(&found);
    make_fifo(&found_play);
    for (input, play, stays) in [(&made, &made_play, false), (&found, &found_play, true)] {
        let arguments = ["--input", text(input), "--play-to", text(play)];
        let mut server = Server::start(folder.path(), &arguments);
        assert!(is_fifo(input) && is_fifo(play));
        server.signal(Signal::TERM);
        assert!(server.wait().success());
        assert_eq!((is_fifo(input), is_fifo(play)), (stays, stays));
    }
}

/// Others on the machine cannot write into the recording.
#[test]
fn a_made_fifo_is_private() {
    use std::os::unix::fs::PermissionsExt;

    let folder = folder();
    let fifo = folder.path().join("obs.ts");
    let _server = Server::start(folder.path(), &["--input", text(&fifo)]);
    let mode = fs::metadata(&fifo).expect("a FIFO").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

fn is_fifo(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt;

    fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_fifo())
}
