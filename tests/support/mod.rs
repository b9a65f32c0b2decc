//! What the tests stand on: processes that never outlive a test, and a client for each of the real
//! programs.

pub(crate) mod actions;
pub(crate) mod browser;
pub(crate) mod card;
pub(crate) mod chromium;
pub(crate) mod cut;
pub(crate) mod deck;
pub(crate) mod events;
pub(crate) mod ffmpeg;
pub(crate) mod firefox;
pub(crate) mod http;
pub(crate) mod link;
pub(crate) mod mpv;
pub(crate) mod obs;
pub(crate) mod process;
pub(crate) mod qr;
pub(crate) mod reader;
pub(crate) mod remote;
pub(crate) mod screen;
pub(crate) mod server;
pub(crate) mod webkit;
pub(crate) mod window;
pub(crate) mod wine;

use std::fmt::Display;
use std::net::TcpListener;
use std::path::Path;
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{CWD, FileType, Mode, mknodat};
use tempfile::TempDir;

/// Long enough that reaching it means "never", also on a slow machine with other work to do.
pub(crate) const DEADLINE: Duration = Duration::from_secs(40);

/// Asks again and again until there is an answer; without one in time the test fails.
pub(crate) fn eventually<T>(what: impl Display, mut poll: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(value) = poll() {
            return value;
        }
        assert!(
            started.elapsed() < DEADLINE,
            "did not happen in {DEADLINE:?}: {what}"
        );
        thread::sleep(Duration::from_millis(20));
    }
}

/// A folder of the test's own.
pub(crate) fn folder() -> TempDir {
    tempfile::Builder::new()
        .prefix("lookback-e2e-")
        .tempdir()
        .expect("a temporary folder")
}

/// A path as an argument or a part of a text.
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("the test's own paths are plain")
}

pub(crate) fn make_fifo(path: &Path) {
    mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("a new FIFO");
}

/// A port of 127.0.0.1 for programs that must be told one. It lies below the range from which the
/// system gives connections theirs, so nobody takes it in between.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let spread = u16::try_from(std::process::id() % 500).expect("less than 500") * 24;
    loop {
        let port = 20_000 + (spread + NEXT.fetch_add(1, Ordering::Relaxed)) % 12_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
