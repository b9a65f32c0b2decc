//! Whether OBS's recording ended by an error, and when to start it again. No IO, no clock.
//!
//! OBS says `STOPPING` when somebody stops the recording, by whatever means. An error does not say so: OBS
//! 29 first shows a window, and says `STOPPED` only when that is closed, maybe long after the next
//! recording has begun. So the state is asked for, and the events only tell what was on purpose.

use std::time::{Duration, Instant};

/// Until the first attempt to record again. Each further one waits twice as long.
const TRY_AFTER: Duration = Duration::from_secs(1);
const TRY_AFTER_MAX: Duration = Duration::from_secs(60);

/// A recording that has lasted so long is not the one that failed.
const LASTS: Duration = Duration::from_secs(60);

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Recording {
    /// Since when it runs; `None` while it does not.
    since: Option<Instant>,
    on_purpose: bool,
    attempts: u32,
    due: Option<Instant>,
}

impl Recording {
    /// OBS was met, and does this. What was before is not known.
    pub(super) fn met(active: bool, now: Instant) -> Self {
        Self {
            since: active.then_some(now),
            ..Self::default()
        }
    }

    /// OBS has told this `outputState`.
    pub(super) fn told(&mut self, state: &str) {
        match state {
            "OBS_WEBSOCKET_OUTPUT_STOPPING" => {
                self.on_purpose = true;
                self.due = None;
            }
            "OBS_WEBSOCKET_OUTPUT_STARTING" | "OBS_WEBSOCKET_OUTPUT_STARTED" => {
                self.on_purpose = false;
            }
            _ => {}
        }
    }

    /// OBS ends itself: nothing of what follows is an error.
    pub(super) fn exiting(&mut self) {
        self.told("OBS_WEBSOCKET_OUTPUT_STOPPING");
    }

    /// OBS was asked whether it records. Gives whether an error has ended the recording.
    pub(super) fn seen(&mut self, active: bool, now: Instant) -> bool {
        match (self.since, active) {
            (None, true) => {
                self.since = Some(now);
                self.due = None;
                false
            }
            (Some(since), true) => {
                if now >= since + LASTS {
                    self.attempts = 0;
                }
                false
            }
            (Some(_), false) => {
                self.since = None;
                let failed = !self.on_purpose;
                if failed {
                    self.plan(now);
                }
                failed
            }
            (None, false) => false,
        }
    }

    /// When to try to record again.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// It is being tried: unless it is seen to record then, again later.
    pub(super) fn tried(&mut self, now: Instant) {
        self.plan(now);
    }

    /// It is not to be tried.
    pub(super) fn give_up(&mut self) {
        self.due = None;
    }

    fn plan(&mut self, now: Instant) {
        let wait = TRY_AFTER * 2_u32.saturating_pow(self.attempts.min(16));
        self.due = Some(now + wait.min(TRY_AFTER_MAX));
        self.attempts += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STARTING: &str = "OBS_WEBSOCKET_OUTPUT_STARTING";
    const STARTED: &str = "OBS_WEBSOCKET_OUTPUT_STARTED";
    const STOPPING: &str = "OBS_WEBSOCKET_OUTPUT_STOPPING";
    const STOPPED: &str = "OBS_WEBSOCKET_OUTPUT_STOPPED";

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn an_error_starts_it_again_and_a_stop_does_not() {
        let start = Instant::now();
        let mut recording = Recording::met(true, start);
        assert!(recording.seen(false, start + seconds(5)), "an error");
        assert_eq!(recording.due(), Some(start + seconds(6)));

        let mut recording = Recording::met(true, start);
        recording.told(STOPPING);
        recording.told(STOPPED);
        assert!(!recording.seen(false, start + seconds(5)));
        assert_eq!(recording.due(), None);
        recording.told(STARTING);
        recording.told(STARTED);
        assert!(!recording.seen(true, start + seconds(9)));
        assert!(
            recording.seen(false, start + seconds(10)),
            "the stop before has nothing to do with it"
        );
    }

    /// As OBS 29 tells it: nothing at the error, and `STOPPED` when its window is closed, while the next
    /// recording runs.
    #[test]
    fn late_news_of_an_error_does_not_count() {
        let start = Instant::now();
        let mut recording = Recording::met(true, start);
        assert!(recording.seen(false, start + seconds(1)));
        recording.tried(start + seconds(2));
        recording.told(STARTING);
        recording.told(STARTED);
        assert!(!recording.seen(true, start + seconds(2)));
        assert_eq!(recording.due(), None);
        recording.told(STOPPED);
        assert!(!recording.seen(true, start + seconds(3)));
        assert_eq!(recording.due(), None);
        recording.told(STOPPING);
        assert!(!recording.seen(false, start + seconds(4)), "a stop is one");
    }

    #[test]
    fn nothing_is_known_of_what_was_before() {
        let start = Instant::now();
        let mut recording = Recording::met(false, start);
        assert!(!recording.seen(false, start + seconds(100)));
        assert_eq!(recording.due(), None);
    }

    #[test]
    fn attempts_become_rare_until_one_lasts() {
        let start = Instant::now();
        let mut recording = Recording::met(true, start);
        assert!(recording.seen(false, start));
        let mut waits = Vec::new();
        for _ in 0..9 {
            let due = recording.due().expect("another attempt");
            recording.tried(due);
            waits.push((recording.due().expect("another attempt") - due).as_secs());
        }
        assert_eq!(waits, [2, 4, 8, 16, 32, 60, 60, 60, 60]);
        assert!(!recording.seen(true, start));
        assert!(!recording.seen(true, start + LASTS));
        assert!(recording.seen(false, start + LASTS));
        assert_eq!(recording.due(), Some(start + LASTS + TRY_AFTER));
    }

    #[test]
    fn whoever_ends_obs_or_stops_while_it_is_tried_wants_no_recording() {
        let start = Instant::now();
        let mut recording = Recording::met(true, start);
        recording.exiting();
        assert!(!recording.seen(false, start));
        assert_eq!(recording.due(), None);

        let mut recording = Recording::met(true, start);
        assert!(recording.seen(false, start));
        recording.told(STOPPING);
        assert_eq!(recording.due(), None);
    }
}
