//! How a clip's timeline lies on that of the feed, from one jump to the next.

use std::time::{Duration, Instant};

use lookback_mpegts::Ticks;

/// How fast pictures pass that are decoded only because the wanted one refers to them.
const RUN_UP_RATE: f64 = 30.0;

/// From a keyframe on, and at one speed: pictures before the wanted one pass quickly, then the speed
/// holds. What rises in the clip rises in the feed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stretch {
    /// The wanted moment of the clip.
    wanted: Ticks,
    /// Where it lies in the feed.
    feed: Ticks,
    rate: f64,
    /// The rate before it.
    run_up: f64,
    /// When it is shown, as near as the sender can tell.
    at: Instant,
}

impl Stretch {
    /// `first_dts` is the first thing that will be sent, and goes to `next`, where the feed is.
    pub(crate) fn new(
        first_dts: Ticks,
        wanted: Ticks,
        next: Ticks,
        rate: f64,
        now: Instant,
    ) -> Self {
        let run_up = scaled(wanted - first_dts, RUN_UP_RATE).max(Ticks(0));
        Self {
            wanted,
            feed: next + run_up,
            rate,
            run_up: RUN_UP_RATE,
            at: now,
        }
    }

    /// Reading goes on where it stopped: the picture at `clip` goes to `next`.
    pub(crate) fn resumed(clip: Ticks, next: Ticks, rate: f64, now: Instant) -> Self {
        Self {
            wanted: clip,
            feed: next,
            rate,
            run_up: rate,
            at: now,
        }
    }

    /// Where a moment of the clip lies in the feed.
    pub(crate) fn feed(&self, clip: Ticks) -> Ticks {
        let rate = if clip < self.wanted {
            self.run_up
        } else {
            self.rate
        };
        self.feed + scaled(clip - self.wanted, rate)
    }

    /// When that moment is shown.
    pub(crate) fn shown_at(&self, feed: Ticks) -> Instant {
        self.at + duration(feed - self.feed)
    }

    /// Which moment of the clip is shown `now`.
    pub(crate) fn shown(&self, now: Instant) -> Ticks {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.wanted + Ticks::from_secs_f64(passed * self.rate)
    }

    /// Shows all that follows so much later.
    pub(crate) fn wait(&mut self, delay: Duration) {
        self.at += delay;
    }

    pub(crate) fn wanted(&self) -> Ticks {
        self.wanted
    }
}

fn scaled(ticks: Ticks, rate: f64) -> Ticks {
    Ticks((ticks.0 as f64 / rate).round() as i64)
}

/// Ticks of 90 kHz as time; nothing where they are negative.
pub(crate) fn duration(ticks: Ticks) -> Duration {
    Duration::from_micros(u64::try_from(ticks.0).unwrap_or(0) * 100 / 9)
}
