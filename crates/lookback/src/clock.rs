//! The one place that reads clocks: everything below is handed what they show.

use std::time::{Instant, SystemTime};

use lookback_replay::Wall;

/// The time of day.
pub(crate) fn now() -> Wall {
    // A clock before 1970 is a machine without one: everything is then recorded "in 1970".
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    Wall(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// The clock of the runtime, which tests can hold.
pub(crate) fn instant() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// Waits until then; without a time for good.
pub(crate) async fn until(wake: Option<Instant>) {
    match wake {
        Some(wake) => tokio::time::sleep_until(wake.into()).await,
        None => std::future::pending().await,
    }
}
