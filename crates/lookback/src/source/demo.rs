//! The built-in test picture as a source, in real time.

use jiff::Zoned;
use lookback_mpegts::Ticks;
use lookback_testcard::{Config, Stream, TestCard};
use tokio::time::{Duration, Instant, sleep_until};

use super::Feed;
use crate::clock;

/// Feeds the channel with the test picture, for ever.
pub(super) async fn run(feed: Feed) {
    let Some(mut writer) = feed.connect() else {
        // Somebody came first; the demo is optional then.
        return;
    };
    let started = Instant::now();
    for chunk in stream(feed.channel.name()) {
        sleep_until(started + duration(chunk.due)).await;
        writer.write(&chunk.bytes, clock::now());
    }
}

/// Begins with picture 0 and the clock of now.
fn stream(channel: &str) -> Stream {
    let time = Zoned::now().time();
    let seconds =
        (i64::from(time.hour()) * 60 + i64::from(time.minute())) * 60 + i64::from(time.second());
    let config = Config {
        channel: channel.to_owned(),
        clock_start_s: u32::try_from(seconds).expect("a day has fewer seconds"),
        ..Config::default()
    };
    let card = TestCard::new(config).expect("the default size and rate are known");
    Stream::new(card, 0, Ticks::SECOND)
}

fn duration(ticks: Ticks) -> Duration {
    Duration::from_secs_f64(ticks.as_secs_f64().max(0.0))
}
