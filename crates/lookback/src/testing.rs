//! What the tests of several modules need: video, a recorder that holds some, and waiting.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use lookback_mpegts::Ticks;
use lookback_replay::{Channel, Limits, Recorder, Wall};
use lookback_testcard::{Config, Stream, TestCard};
use tokio::sync::oneshot;
use tokio::time::sleep;

use crate::settings::{DeckSettings, Name, Show};

/// The beginning of the test picture as a transport stream, small so that tests are quick. Keyframes
/// come every half second.
pub(crate) fn video(seconds: f64) -> Vec<u8> {
    card(
        Config {
            width: 320,
            height: 180,
            ..Config::default()
        },
        seconds,
    )
}

/// The same in full size: a tenth of a second of it is more than a FIFO holds.
pub(crate) fn large_video(seconds: f64) -> Vec<u8> {
    card(
        Config {
            width: 1920,
            height: 1080,
            ..Config::default()
        },
        seconds,
    )
}

fn card(config: Config, seconds: f64) -> Vec<u8> {
    let card = TestCard::new(config).expect("a size it takes");
    let stream = Stream::new(card, 0, Ticks::SECOND);
    let parts = stream.take_while(|part| part.due < Ticks::from_secs_f64(seconds));
    parts.flat_map(|part| part.bytes).collect()
}

/// A recorder without channels, with ample memory.
pub(crate) fn recorder() -> Arc<Recorder> {
    Recorder::new(Limits {
        memory: 64 << 20,
        keep: None,
    })
}

/// Deck main, as it is if nobody says anything of it.
pub(crate) fn main_deck() -> DeckSettings {
    DeckSettings {
        name: Name::main(),
        idle: Show::Last,
    }
}

/// Records the bytes as one run, which ends.
pub(crate) fn record(channel: &Arc<Channel>, bytes: &[u8], now: Wall) {
    channel
        .connect("test", now)
        .expect("no other source")
        .write(bytes, now);
}

/// Asks again and again until it is so. Without it in good time the test fails.
pub(crate) async fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    // The time of the runtime may stand still; that of the machine does not.
    let started = std::time::Instant::now();
    while !is_so() {
        assert!(started.elapsed() < PATIENCE, "did not happen: {what}");
        sleep(Duration::from_millis(5)).await;
    }
}

/// Does what blocks on a thread of its own: while a thread of the runtime's blocks, its time does not go
/// on by itself. When it takes too long the test fails.
pub(crate) async fn on_a_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, result) = oneshot::channel();
    let (late, too_late) = oneshot::channel();
    thread::spawn(move || done.send(work()));
    thread::spawn(move || {
        thread::sleep(PATIENCE);
        late.send(())
    });
    tokio::select! {
        result = result => result.expect("no panic"),
        _ = too_late => panic!("did not end in {PATIENCE:?}"),
    }
}

/// Long enough that reaching it means "never", also on a slow machine with other work to do.
const PATIENCE: Duration = Duration::from_secs(20);
