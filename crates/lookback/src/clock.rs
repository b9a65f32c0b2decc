//! The one place that reads the time of day: everything below is handed it.

use std::time::SystemTime;

use lookback_replay::Wall;

/// The time of day.
pub(crate) fn now() -> Wall {
    // A clock before 1970 is a machine without one: everything is then recorded "in 1970".
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    Wall(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
