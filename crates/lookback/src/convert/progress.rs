//! What ffmpeg says on its standard error: how far it is (`-progress`), and what is wrong.
//!
//! Everything is read, and little of it kept: the last lines, each of them cut, so that a program that
//! floods costs nothing.

use std::collections::VecDeque;
use std::time::Duration;

/// Reads what comes, in pieces of any size.
#[derive(Debug, Default)]
pub(super) struct Listener {
    line: Vec<u8>,
    said: VecDeque<String>,
    /// How much of the result is written.
    pub(super) written: Duration,
    /// Pictures that were written.
    pub(super) pictures: u64,
}

/// Lines that are kept, and bytes of each.
const LINES_MAX: usize = 12;
const LINE_MAX: usize = 300;

impl Listener {
    pub(super) fn take(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            match byte {
                b'\n' | b'\r' => self.end_line(),
                byte if self.line.len() < LINE_MAX => self.line.push(byte),
                _ => {}
            }
        }
    }

    /// The last lines that are no progress.
    pub(super) fn said(mut self) -> Vec<String> {
        self.end_line();
        self.said.into()
    }

    fn end_line(&mut self) {
        let line = String::from_utf8_lossy(&self.line).trim().to_owned();
        self.line.clear();
        if line.is_empty() || self.is_progress(&line) {
            return;
        }
        if self.said.len() == LINES_MAX {
            self.said.pop_front();
        }
        let plain = line.chars().filter(|c| !c.is_control());
        self.said.push_back(plain.collect());
    }

    fn is_progress(&mut self, line: &str) -> bool {
        let Some((key, value)) = line.split_once('=') else {
            return false;
        };
        let value = value.trim();
        match key {
            // It is less than nothing, or N/A, before the first picture is written.
            "out_time_us" => {
                self.written = value.parse().map_or(self.written, Duration::from_micros);
            }
            "frame" => self.pictures = value.parse().unwrap_or(self.pictures),
            _ => {
                return KEYS.contains(&key) || key.starts_with("stream_");
            }
        }
        true
    }
}

const KEYS: [&str; 9] = [
    "fps",
    "bitrate",
    "total_size",
    "out_time_ms",
    "out_time",
    "dup_frames",
    "drop_frames",
    "speed",
    "progress",
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BLOCK: &str = "frame=12\nfps=0.00\nstream_0_0_q=29.0\nbitrate=N/A\ntotal_size=44\n\
        out_time_us=1500000\nout_time_ms=1500000\nout_time=00:00:01.500000\ndup_frames=0\n\
        drop_frames=0\nspeed=N/A\nprogress=continue\n";

    fn listen(pieces: &[&[u8]]) -> Listener {
        let mut listener = Listener::default();
        pieces.iter().for_each(|piece| listener.take(piece));
        listener
    }

    #[test]
    fn progress_is_read_and_not_kept_as_a_line() {
        let listener = listen(&[BLOCK.as_bytes()]);
        assert_eq!(listener.written, Duration::from_millis(1500));
        assert_eq!(listener.pictures, 12);
        assert_eq!(listener.said(), Vec::<String>::new());
        let before_the_first = listen(&[b"out_time_us=-20000\nout_time_us=N/A\n"]);
        assert_eq!(before_the_first.written, Duration::ZERO);
    }

    #[test]
    fn what_is_wrong_is_kept_with_its_end_missing() {
        let listener = listen(&[b"[aac @ 0x1] a=b\r\nframe=1\nConversion failed!"]);
        assert_eq!(listener.said(), ["[aac @ 0x1] a=b", "Conversion failed!"]);
    }

    #[test]
    fn a_flood_leaves_little() {
        let long = vec![b'x'; 1 << 20];
        let mut listener = listen(&[&long, b"\n"]);
        for line in 0..10_000 {
            listener.take(format!("line {line}\n").as_bytes());
        }
        listener.take(&long);
        let said = listener.said();
        assert_eq!(said.len(), LINES_MAX);
        assert_eq!(said[LINES_MAX - 2], "line 9999");
        assert_eq!(said[LINES_MAX - 1].len(), LINE_MAX);
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference(at in 0..BLOCK.len(), bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let whole = [BLOCK.as_bytes(), &bytes].concat();
            let (one, two) = (listen(&[&whole]), listen(&[&whole[..at], &whole[at..]]));
            prop_assert_eq!((one.written, one.pictures), (two.written, two.pictures));
            prop_assert_eq!(one.said(), two.said());
        }
    }
}
