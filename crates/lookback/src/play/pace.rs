//! When each unit of a play is due.

use std::time::Duration;

use lookback_mpegts::Ticks;
use tokio::time::Instant;

/// A play starts with so much at once, so that its reader can tell the streams and shows the first
/// picture without delay; after that everything is so much ahead.
const LEAD: Duration = Duration::from_millis(400);

/// A reader that has held a play up for longer has paused it: what follows is due from then on,
/// instead of all at once.
const LATE_MAX: Duration = Duration::from_secs(1);

/// The pace of a play: that of its timestamps, with a lead.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// What is due at which instant.
    origin: Option<(Ticks, Instant)>,
}

impl Pace {
    /// When to send what has the timestamp `at`, of which the first may go `now`.
    pub(super) fn due(&mut self, at: Ticks, now: Instant) -> Instant {
        let begin = || (at, now.checked_sub(LEAD).unwrap_or(now));
        let (origin, start) = *self.origin.get_or_insert_with(begin);
        let due = start + duration(at - origin);
        if now > due + LATE_MAX {
            self.origin = Some((at, now));
            return now;
        }
        due
    }
}

/// Ticks of 90 kHz as time; nothing where they are negative.
pub(super) fn duration(ticks: Ticks) -> Duration {
    Duration::from_micros(u64::try_from(ticks.0).unwrap_or(0) * 100 / 9)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn ticks(millis: i64) -> Ticks {
        Ticks(millis * 90)
    }

    #[test]
    fn the_first_part_at_once_and_then_in_real_time() {
        let (mut pace, now) = (Pace::default(), Instant::now());
        assert!(pace.due(ticks(5000), now) < now);
        assert_eq!(pace.due(ticks(5400), now), now);
        assert_eq!(pace.due(ticks(5500), now), now + ms(100));
        assert_eq!(pace.due(ticks(15_400), now + ms(9_990)), now + ms(10_000));
    }

    #[test]
    fn a_little_late_is_made_up_for() {
        let (mut pace, now) = (Pace::default(), Instant::now());
        pace.due(ticks(0), now);
        let late = now + ms(1_500);
        assert_eq!(pace.due(ticks(1_400), late), now + ms(1_000));
        assert_eq!(pace.due(ticks(2_400), late), now + ms(2_000));
    }

    #[test]
    fn after_a_pause_the_pace_is_real_time_again() {
        let (mut pace, now) = (Pace::default(), Instant::now());
        pace.due(ticks(0), now);
        let resumed = now + ms(60_000);
        assert_eq!(pace.due(ticks(1_000), resumed), resumed);
        assert_eq!(pace.due(ticks(1_033), resumed), resumed + ms(33));
    }
}
