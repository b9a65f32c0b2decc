//! `/play` sends the past into a FIFO in real time, which stays open after it. OBS reads it in `obs`; here
//! it is read by hand.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use lookback_testcard::read_counter;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::card::{self, FPS};
use crate::support::cut::assert_contiguous;
use crate::support::reader::Reader;
use crate::support::server::Server;
use crate::support::{eventually, ffmpeg, folder, text};

const SECONDS: u64 = 30;
const NEWEST: u64 = SECONDS * FPS - 1;

/// It answers before there is a reader, waits for one, and sends the pictures as fast as they are shown.
#[test]
fn it_waits_for_a_reader_and_keeps_time() {
    let stage = Stage::new();
    stage.play("/play?last=3s");
    assert_eq!(stage.deck()["state"], "playing", "it waits");

    let started = Instant::now();
    let reader = Reader::start(stage.reader());
    stage.wait_for_idle();
    assert!(
        started.elapsed() > Duration::from_secs(2),
        "{:?} is too fast",
        started.elapsed()
    );

    let played = stage.path("played.ts");
    fs::write(&played, reader.stop()).expect("the test's folder takes files");
    let shown = judge(&played);
    assert_contiguous(&shown);
    assert_eq!(shown.last(), Some(&NEWEST));
    assert!(shown[0] + 4 * FPS > NEWEST, "{}", shown[0]);
}

/// The reader stays, and sees the new pictures follow the old ones.
#[test]
fn a_second_play_takes_the_place_of_the_first() {
    let stage = Stage::new();
    stage.play("/play");
    let reader = Reader::start(stage.reader());
    eventually("it plays", || (reader.len() > 188 * 200).then_some(()));
    stage.play("/play?last=1s");
    stage.wait_for_idle();

    let played = stage.path("played.ts");
    fs::write(&played, reader.stop()).expect("the test's folder takes files");
    let shown = judge(&played);
    assert_eq!((shown[0], shown.last()), (0, Some(&NEWEST)));
    assert!(
        shown.len() as u64 * 2 < NEWEST,
        "the first was not played to its end"
    );
    let jumps = shown.windows(2).filter(|pair| pair[1] != pair[0] + 1);
    assert_eq!(jumps.count(), 1, "every picture decodes: {shown:?}");
}

/// One that leaves at once has only looked, as OBS does before it reads: the next one gets the clip
/// from its start. One that has watched and leaves ends the play.
#[test]
fn a_reader_that_leaves_ends_it() {
    let stage = Stage::new();
    stage.play("/play");
    let mut look = stage.reader();
    look.read_exact(&mut [0; 188]).expect("it plays");
    let position = || stage.deck()["position_s"].as_f64();
    eventually("it plays", || (position() > Some(0.1)).then_some(()));
    drop(look);
    // A reader that came before this is noticed would take the place of the one that looked.
    eventually("it is at the start again", || {
        (position() == Some(0.0)).then_some(())
    });

    let mut stream = Vec::new();
    let mut reader = stage.reader();
    let started = Instant::now();
    while started.elapsed() < Duration::from_millis(1500) {
        let mut packet = [0; 188];
        reader.read_exact(&mut packet).expect("it plays again");
        stream.extend(packet);
    }
    assert_eq!(stage.first_picture(&stream), 0);
    drop(reader);
    stage.wait_for_idle();

    stage.play("/play?last=1s");
    let reader = Reader::start(stage.reader());
    stage.wait_for_idle();
    assert!(stage.first_picture(&reader.stop()) + 2 * FPS > NEWEST);
}

/// A reader that takes nothing more does not hold up the recording.
#[test]
fn a_stalled_reader_is_its_own_problem() {
    let folder = folder();
    let [input, play] = ["in.ts", "play.ts"].map(|name| folder.path().join(name));
    let arguments = ["--input", text(&input), "--play-to", text(&play)];
    let server = Server::start(folder.path(), &arguments);
    let mut source = File::options()
        .write(true)
        .open(&input)
        .expect("a FIFO to write to");
    let stream = card::bytes(20, card::START);
    source.write_all(&stream).expect("it is read");
    server.wait_for_bytes(stream.len() as u64);
    assert_eq!(server.get("/play").status, 200);
    let mut reader = File::open(&play).expect("the FIFO to read from");
    reader.read_exact(&mut [0; 188]).expect("it plays");

    let later = card::bytes(60, card::START);
    source
        .write_all(&later[stream.len()..])
        .expect("it is read on");
    server.wait_for_bytes(later.len() as u64);
}

/// The pictures of a feed, which ffmpeg decodes without a word. What brings them out passes for packets, of which
/// there are more than pictures.
fn judge(feed: &Path) -> Vec<u64> {
    assert_eq!(ffmpeg::complaints(text(feed)), "");
    card::counters(text(feed))
}

/// A server that has recorded the card and plays into a FIFO.
struct Stage {
    server: Server,
    fifo: PathBuf,
    folder: TempDir,
}

impl Stage {
    fn new() -> Self {
        let folder = folder();
        let [input, fifo] = ["card.ts", "play.ts"].map(|name| folder.path().join(name));
        card::write(&input, u32::try_from(SECONDS).expect("it is small"));
        let arguments = ["--play-to", text(&fifo)];
        let server = Server::having_read(folder.path(), &input, &arguments);
        Self {
            server,
            fifo,
            folder,
        }
    }

    fn play(&self, path: &str) {
        let answer = self.server.get(path);
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.json().is_object());
    }

    fn deck(&self) -> Value {
        self.server.status()["decks"][0].take()
    }

    fn wait_for_idle(&self) {
        eventually("the deck is idle", || {
            (self.deck()["state"] == "idle").then_some(())
        });
    }

    fn reader(&self) -> File {
        File::open(&self.fifo).expect("the FIFO to read from")
    }

    fn first_picture(&self, stream: &[u8]) -> u64 {
        let file = self.path("begin.ts");
        fs::write(&file, stream).expect("the test's folder takes files");
        let picture = &ffmpeg::pictures(text(&file), card::WIDTH, card::HEIGHT)[0];
        read_counter(picture, card::WIDTH, card::HEIGHT).expect("the card")
    }

    fn path(&self, name: &str) -> PathBuf {
        Path::new(self.folder.path()).join(name)
    }
}
