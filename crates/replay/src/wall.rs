//! Wall-clock time, and how the timeline of a run lies on it.
//!
//! A run's own clock (90 kHz, from its timestamps) is exact from picture to picture but says nothing
//! of the time of day; the arrival of bytes says it, but late and unevenly. A [`WallMap`] holds the
//! two together: the earliest arrival, relative to the timestamps, is taken as the truth. A live
//! source so maps to the moment of its arrival without the jitter, and a recording that is read
//! faster than real time maps to the minutes *before* it was read.

use std::ops::{Add, Sub};
use std::time::Duration;

use lookback_mpegts::Ticks;

/// An instant of wall-clock time, in microseconds since the Unix epoch. It is always handed in: this
/// crate reads no clock.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Wall(pub i64);

impl Wall {
    /// From milliseconds since the Unix epoch.
    pub const fn from_unix_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1000))
    }

    /// Whole milliseconds since the Unix epoch, rounded down.
    pub const fn as_unix_millis(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// The time that has passed since `earlier`; zero where `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl Add<Duration> for Wall {
    type Output = Self;

    fn add(self, by: Duration) -> Self {
        Self(self.0.saturating_add(micros(by)))
    }
}

impl Sub<Duration> for Wall {
    type Output = Self;

    fn sub(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(micros(by)))
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// A stretch of 90 kHz time as a duration; zero where it is negative.
pub(crate) fn ticks_to_duration(ticks: Ticks) -> Duration {
    Duration::from_micros(u64::try_from(ticks_to_micros(ticks)).unwrap_or(0))
}

fn ticks_to_micros(ticks: Ticks) -> i64 {
    // 1 tick = 100/9 microseconds.
    i64::try_from(i128::from(ticks.0) * 100 / 9).unwrap_or(i64::MAX)
}

/// How far arrival may fall behind the timestamps before the source is taken to have stood still
/// (a machine that slept, a paused encoder) rather than to have been delayed.
const LAG_MAX_MICROS: i64 = 500_000;

/// A source that stands still again and again keeps this many stretches; older ones are merged.
const ANCHORS_MAX: usize = 256;

/// From a run's timeline to wall-clock time: non-decreasing, made of stretches in which both run at
/// the same speed.
#[derive(Clone, Debug, Default)]
pub(crate) struct WallMap {
    anchors: Vec<Anchor>,
}

#[derive(Clone, Copy, Debug)]
struct Anchor {
    /// Where the stretch begins, in run time.
    from: Ticks,
    /// Wall-clock microseconds at run time zero.
    zero: i64,
}

impl WallMap {
    /// Memory that it takes beside itself.
    pub(crate) fn bytes(&self) -> usize {
        self.anchors.len() * size_of::<Anchor>()
    }

    /// Something with the timestamp `at` has arrived.
    pub(crate) fn observe(&mut self, at: Ticks, now: Wall) {
        let zero = now.0 - ticks_to_micros(at);
        let Some(last) = self.anchors.last_mut() else {
            self.anchors.push(Anchor { from: at, zero });
            return;
        };
        if zero > last.zero + LAG_MAX_MICROS && at > last.from {
            if self.anchors.len() == ANCHORS_MAX {
                self.anchors.remove(0);
            }
            self.anchors.push(Anchor { from: at, zero });
        } else if zero < last.zero {
            last.zero = zero;
            // What looked like a stand-still was a delay that the source has caught up with.
            while let [.., before, last] = self.anchors[..]
                && last.zero <= before.zero
            {
                self.anchors.pop();
                let merged = self.anchors.len() - 1;
                self.anchors[merged].zero = last.zero;
            }
        }
    }

    /// Moves the whole run to an earlier time.
    pub(crate) fn move_back(&mut self, by: Duration) {
        for anchor in &mut self.anchors {
            anchor.zero = anchor.zero.saturating_sub(micros(by));
        }
    }

    /// The wall-clock time of a moment of the run.
    pub(crate) fn wall(&self, at: Ticks) -> Wall {
        let later = self.anchors.partition_point(|anchor| anchor.from <= at);
        match self.anchors.get(later.saturating_sub(1)) {
            Some(anchor) => Wall(anchor.zero.saturating_add(ticks_to_micros(at))),
            None => Wall(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: i64 = 90_000;

    fn wall_s(seconds: f64) -> Wall {
        Wall((seconds * 1e6) as i64)
    }

    #[test]
    fn live_source_maps_to_its_earliest_arrival() {
        let mut map = WallMap::default();
        for (at_s, jitter_s) in [(0, 0.2), (1, 0.05), (2, 0.3), (3, 0.1)] {
            map.observe(
                Ticks(at_s * SECOND),
                wall_s(1000.0 + at_s as f64 + jitter_s),
            );
        }
        assert_eq!(map.wall(Ticks(0)), wall_s(1000.05));
        assert_eq!(map.wall(Ticks(3 * SECOND)), wall_s(1003.05));
    }

    #[test]
    fn a_file_read_at_once_lies_before_its_arrival() {
        let mut map = WallMap::default();
        for at_s in 0..=60 {
            map.observe(Ticks(at_s * SECOND), wall_s(5000.0));
        }
        assert_eq!(map.wall(Ticks(60 * SECOND)), wall_s(5000.0));
        assert_eq!(map.wall(Ticks(0)), wall_s(4940.0));
    }

    #[test]
    fn a_stand_still_moves_what_comes_after_it_only() {
        let mut map = WallMap::default();
        map.observe(Ticks(0), wall_s(100.0));
        map.observe(Ticks(SECOND), wall_s(101.0));
        map.observe(Ticks(2 * SECOND), wall_s(702.0));
        assert_eq!(map.wall(Ticks(SECOND)), wall_s(101.0));
        assert_eq!(map.wall(Ticks(2 * SECOND)), wall_s(702.0));
    }

    #[test]
    fn a_delay_that_was_caught_up_leaves_no_trace() {
        let mut map = WallMap::default();
        map.observe(Ticks(0), wall_s(100.0));
        map.observe(Ticks(SECOND), wall_s(105.0));
        map.observe(Ticks(6 * SECOND), wall_s(106.0));
        assert_eq!(map.wall(Ticks(SECOND)), wall_s(101.0));
        assert_eq!(map.anchors.len(), 1);
    }

    proptest! {
        #[test]
        fn never_runs_backwards(arrivals in prop::collection::vec((0i64..20_000_000, 0i64..2_000_000), 1..400)) {
            let mut map = WallMap::default();
            let (mut at, mut now) = (0, 0);
            for (step, wait) in arrivals {
                at += step / 10;
                now += wait;
                map.observe(Ticks(at), Wall(now));
                prop_assert!(map.anchors.len() <= ANCHORS_MAX);
            }
            let mut last = Wall(i64::MIN);
            for moment in (0..=at).step_by((at as usize / 500).max(1)) {
                let wall = map.wall(Ticks(moment));
                prop_assert!(wall >= last);
                last = wall;
            }
            prop_assert!(map.wall(Ticks(at)) <= Wall(now));
        }
    }
}
