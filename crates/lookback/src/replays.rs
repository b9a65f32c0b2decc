//! The replays of the program: what is kept, and who is told when it changes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lookback_replay::Replays;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use crate::clock;

/// See the module's documentation.
pub(crate) struct Shelf {
    replays: Replays,
    restoring: Mutex<()>,
    changed: watch::Sender<()>,
}

impl Shelf {
    pub(crate) fn new(replays: Replays) -> Arc<Self> {
        let changed = watch::Sender::new(());
        Arc::new(Self {
            replays,
            restoring: Mutex::default(),
            changed,
        })
    }

    /// What is kept, as it is now.
    pub(crate) fn look(&self) -> &Replays {
        if self.replays.grow(clock::now()) {
            self.tell();
        }
        &self.replays
    }

    /// Does something to it, and tells everybody if it was done.
    pub(crate) fn change<T, E>(
        &self,
        change: impl FnOnce(&Replays) -> Result<T, E>,
    ) -> Result<T, E> {
        let done = change(self.look())?;
        self.tell();
        Ok(done)
    }

    /// Held while something comes back: what there is room for is found out before, and one at a time.
    pub(crate) fn restoring(&self) -> MutexGuard<'_, ()> {
        self.restoring
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Told when something has changed.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    fn tell(&self) {
        self.changed.send_replace(());
    }
}

/// How often replays that are still being recorded take in what has come.
const GROW_EVERY: Duration = Duration::from_millis(250);

/// Lets replays grow, for ever.
pub(crate) async fn grow(shelf: Arc<Shelf>) {
    let mut ticks = interval(GROW_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        shelf.look();
    }
}
