//! Replays that are written to the library without being asked for: each one that is complete
//! (`--auto-export`), and the oldest where memory is full (`--when-full move`), which is let go then.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lookback_replay::{RenditionError, Replay, ReplayError, Replays, Save, Saved, Wall};
use tracing::{info, warn};

use crate::convert::{Failure, Footage, Jobs, NotBegun, Task};
use crate::replays::Shelf;

/// See the module's documentation.
pub(crate) struct Archive {
    shelf: Arc<Shelf>,
    jobs: Jobs,
    /// What each replay is written as; `None`: only those that have to go are.
    auto: Option<Task>,
    /// Whether the oldest go where memory is full.
    moves: bool,
    /// The replays that were written, and which revision; `None`: that failed.
    written: Mutex<HashMap<String, Option<u64>>>,
}

/// Why a replay is not in the library. It is as it was.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotWritten {
    /// It is no one file.
    #[error(transparent)]
    Rendition(#[from] RenditionError),
    /// It was not even begun.
    #[error(transparent)]
    NotBegun(#[from] NotBegun),
    /// It did not come out.
    #[error("{0}")]
    Failed(Arc<Failure>),
}

/// Why nothing was kept.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotKept {
    /// As if there were no library.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// The oldest had to be moved, and could not be.
    #[error("there is no room for it, and {name} ({id}) could not be moved to the library: {why}")]
    NotMoved {
        id: String,
        name: String,
        why: NotWritten,
    },
}

impl NotWritten {
    /// Whether another replay would fare no better.
    fn is_of_the_library(&self) -> bool {
        match self {
            Self::Rendition(_) => false,
            Self::NotBegun(error) => matches!(error, NotBegun::NoLibrary),
            Self::Failed(failure) => failure.is_of_the_library(),
        }
    }
}

impl NotKept {
    fn not_moved(replay: &Replay, why: NotWritten) -> Self {
        Self::NotMoved {
            id: replay.id().to_owned(),
            name: replay.name().to_owned(),
            why,
        }
    }
}

impl Archive {
    pub(crate) fn new(shelf: Arc<Shelf>, jobs: Jobs, auto: Option<Task>, moves: bool) -> Arc<Self> {
        Arc::new(Self {
            shelf,
            jobs,
            auto,
            moves,
            written: Mutex::default(),
        })
    }

    /// Keeps a moment. Where there is no room, and that is wanted, the oldest are moved to the library first:
    /// gives their ids too. One that cannot be a file stays, and the next one goes. Recording goes on meanwhile.
    pub(crate) async fn save(
        &self,
        save: &Save,
        now: Wall,
    ) -> Result<(Saved, Vec<String>), NotKept> {
        let mut save = save.clone();
        let (mut moved, mut stuck) = (Vec::new(), None);
        loop {
            let full = match self.shelf.change(|replays| replays.save(save.clone(), now)) {
                Err(ReplayError::Full(full)) if self.moves => full,
                saved => return Ok((saved?, moved)),
            };
            if full.delete.is_empty() {
                return Err(stuck.unwrap_or(ReplayError::Full(full).into()));
            }
            for replay in full.delete {
                match self.move_out(&replay).await {
                    Ok(true) => moved.push(replay.id().to_owned()),
                    // Who has changed it meanwhile wants to keep it: another one goes then.
                    Ok(false) => {}
                    Err(why) if why.is_of_the_library() => {
                        return Err(NotKept::not_moved(&replay, why));
                    }
                    Err(why) => {
                        save.beside.push(replay.id().to_owned());
                        stuck.get_or_insert_with(|| NotKept::not_moved(&replay, why));
                        break;
                    }
                }
            }
        }
    }

    /// Writes a replay and lets it go, unless it was changed meanwhile. Says whether it went.
    async fn move_out(&self, replay: &Replay) -> Result<bool, NotWritten> {
        self.write(replay).await?;
        let delete = |replays: &Replays| replays.delete_unchanged(replay);
        let goes = self.shelf.change(delete).is_ok();
        if goes {
            info!(
                "replay {} ({}) was moved to the library",
                replay.name(),
                replay.id()
            );
        }
        Ok(goes)
    }

    /// Writes each replay when it is complete, one after the other, for ever.
    pub(crate) async fn run(self: Arc<Self>) {
        let mut changes = self.shelf.changes();
        while self.auto.is_some() {
            changes.mark_unchanged();
            let all = self.shelf.look().all();
            self.written()
                .retain(|id, _| all.iter().any(|replay| replay.id() == id));
            let next = all
                .iter()
                .find(|replay| !replay.is_growing() && !self.written().contains_key(replay.id()));
            if let Some(replay) = next {
                if let Err(error) = self.write(replay).await {
                    warn!(
                        "replay {} ({}) is not in the library: {error}",
                        replay.name(),
                        replay.id()
                    );
                    self.note(replay, None);
                }
            } else if changes.changed().await.is_err() {
                return;
            }
        }
    }

    /// Writes each angle of a replay, unless it is there.
    async fn write(&self, replay: &Replay) -> Result<(), NotWritten> {
        if self.written().get(replay.id()) == Some(&Some(replay.revision())) {
            return Ok(());
        }
        for angle in replay.angles() {
            let footage = Footage::of_replay(angle.rendition()?, replay.name(), replay.tags());
            let task = self.auto.clone().unwrap_or(Task::AsRecorded);
            let job = self
                .jobs
                .write(replay.id().to_owned(), footage, task)
                .await?;
            if let Some(failure) = job.failure() {
                return Err(NotWritten::Failed(failure));
            }
        }
        self.note(replay, Some(replay.revision()));
        Ok(())
    }

    fn note(&self, replay: &Replay, revision: Option<u64>) {
        self.written().insert(replay.id().to_owned(), revision);
    }

    fn written(&self) -> MutexGuard<'_, HashMap<String, Option<u64>>> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
