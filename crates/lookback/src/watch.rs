//! Tells the log what goes wrong with the channels, in the words of the status.
//!
//! Some problems come with every packet. So a problem is told when it is new or its words have changed,
//! and while it goes on once a minute.

use std::sync::Arc;
use std::time::Duration;

use lookback_replay::{Problem, Recorder};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tracing::warn;

use crate::clock;

const LOOK_EVERY: Duration = Duration::from_millis(500);
const TELL_AGAIN: Duration = Duration::from_secs(60);

/// Looks and tells, for ever.
pub(crate) async fn run(recorder: Arc<Recorder>) {
    let mut log = Log::default();
    let mut ticks = interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let now = ticks.tick().await;
        for channel in recorder.channels() {
            for problem in channel.status(clock::now()).problems {
                if log.is_news(channel.name(), &problem, now) {
                    warn!("{}: {}", channel.name(), problem.hint);
                }
            }
        }
    }
}

/// What has been told.
#[derive(Default)]
struct Log(Vec<Told>);

struct Told {
    channel: String,
    problem: Problem,
    at: Instant,
}

impl Log {
    /// Whether this is to be told now; then it counts as told.
    fn is_news(&mut self, channel: &str, problem: &Problem, now: Instant) -> bool {
        let same = |told: &&mut Told| told.channel == channel && told.problem.code == problem.code;
        let told = Told {
            channel: channel.to_owned(),
            problem: problem.clone(),
            at: now,
        };
        let Some(last) = self.0.iter_mut().find(same) else {
            self.0.push(told);
            return true;
        };
        let goes_on = last.problem.count != problem.count && now >= last.at + TELL_AGAIN;
        let is_news = goes_on || last.problem.hint != problem.hint;
        if is_news {
            *last = told;
        }
        is_news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(code: &'static str, count: u64, hint: &str) -> Problem {
        Problem {
            code,
            count,
            hint: hint.to_owned(),
        }
    }

    #[test]
    fn told_when_new_or_changed_and_then_once_a_minute() {
        let (mut log, start) = (Log::default(), Instant::now());
        let mut is_news = |channel, problem, after_s| {
            log.is_news(channel, &problem, start + Duration::from_secs(after_s))
        };
        assert!(is_news("main", problem("damaged", 1, "x"), 0));
        assert!(!is_news("main", problem("damaged", 500, "x"), 1));
        assert!(
            is_news("main", problem("damaged", 501, "y"), 2),
            "other words"
        );
        assert!(
            is_news("main", problem("scrambled", 1, "z"), 2),
            "another problem"
        );
        assert!(
            is_news("cam2", problem("damaged", 1, "x"), 2),
            "another channel"
        );
        assert!(!is_news("main", problem("damaged", 900, "y"), 61));
        assert!(
            is_news("main", problem("damaged", 901, "y"), 62),
            "it goes on"
        );
        assert!(
            !is_news("main", problem("damaged", 901, "y"), 200),
            "it is over"
        );
    }
}
