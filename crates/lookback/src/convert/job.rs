//! A job: one conversion or export, from the queue to its end.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lookback_replay::Wall;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::failure::Failure;
use super::ffmpeg::Progress;
use super::footage::Footage;
use super::output::Made;
use super::recipe::Recipe;
use crate::time::{in_digits, rfc3339};

/// See the module's documentation.
pub(crate) struct Job {
    id: String,
    /// Of which clip or replay.
    source: String,
    task: Task,
    target: Target,
    /// The name that its result is served under.
    file: String,
    created: Wall,
    cancel: Notify,
    state: Mutex<State>,
}

/// What is to be done.
#[derive(Clone, Debug)]
pub(crate) enum Task {
    /// As it was recorded.
    AsRecorded,
    /// The same as MP4, of which a part may be shown.
    Mp4,
    /// By ffmpeg.
    Convert(Recipe),
}

/// Where the result goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Target {
    Memory,
    Library,
}

struct State {
    stage: Stage,
    /// When somebody last asked for the result, or when it came.
    used: Wall,
}

enum Stage {
    /// What waits holds what it is to be made of.
    Queued(Footage),
    Running(Run),
    Done(Made),
    Failed(Arc<Failure>),
}

#[derive(Clone, Copy)]
struct Run {
    started: Instant,
    attempt: u32,
    progress: Progress,
    /// What the progress is measured by.
    input: u64,
    output: Duration,
    told: Instant,
}

/// Progress is told so often.
const TELL_EVERY: Duration = Duration::from_millis(200);

impl Job {
    pub(super) fn new(
        source: String,
        footage: Footage,
        task: Task,
        target: Target,
        now: Wall,
    ) -> Arc<Self> {
        let ending = task.ending();
        let start = in_digits(footage.start());
        Arc::new(Self {
            id: new_id(),
            source,
            file: format!("{}-{start}.{ending}", footage.clip().channel()),
            task,
            target,
            created: now,
            cancel: Notify::new(),
            state: Mutex::new(State {
                stage: Stage::Queued(footage),
                used: now,
            }),
        })
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn file(&self) -> &str {
        &self.file
    }

    pub(super) fn task(&self) -> &Task {
        &self.task
    }

    pub(super) fn target(&self) -> Target {
        self.target
    }

    /// Its result, which counts as used then.
    pub(crate) fn made(&self, now: Wall) -> Option<Made> {
        let mut state = self.state();
        let Stage::Done(made) = &state.stage else {
            return None;
        };
        let made = made.clone();
        state.used = now;
        Some(made)
    }

    /// Why it failed, if it did.
    pub(crate) fn failure(&self) -> Option<Arc<Failure>> {
        match &self.state().stage {
            Stage::Failed(failure) => Some(Arc::clone(failure)),
            _ => None,
        }
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(self.state().stage, Stage::Done(_) | Stage::Failed(_))
    }

    pub(super) fn is_forgotten(&self, now: Wall, unused_for: Duration) -> bool {
        self.is_over() && now.since(self.state().used) > unused_for
    }

    /// Stops it, whether it waits or runs.
    pub(super) fn cancel(&self, now: Wall) {
        if matches!(self.state().stage, Stage::Queued(_)) {
            self.end(Err(Failure::Cancelled), now);
        }
        self.cancel.notify_one();
    }

    pub(super) async fn cancelled(&self) {
        self.cancel.notified().await;
    }

    /// It runs now, on this; `None` if it has been cancelled meanwhile.
    pub(super) fn begin(&self) -> Option<Footage> {
        let mut state = self.state();
        let Stage::Queued(footage) = &state.stage else {
            return None;
        };
        let footage = footage.clone();
        let now = Instant::now();
        state.stage = Stage::Running(Run {
            started: now,
            attempt: 0,
            progress: Progress::default(),
            input: footage.clip().len(),
            output: match &self.task {
                Task::AsRecorded | Task::Mp4 => Duration::ZERO,
                Task::Convert(recipe) => recipe.duration(&footage),
            },
            told: now,
        });
        Some(footage)
    }

    /// It begins, once more where that is needed.
    pub(super) fn attempt(&self) {
        if let Stage::Running(run) = &mut self.state().stage {
            run.attempt += 1;
            run.progress = Progress::default();
        }
    }

    /// How far it is. Gives whether that is to be told.
    pub(super) fn advance(&self, progress: Progress) -> bool {
        let mut state = self.state();
        let Stage::Running(run) = &mut state.stage else {
            return false;
        };
        run.progress = progress;
        let tell = run.told.elapsed() >= TELL_EVERY;
        if tell {
            run.told = Instant::now();
        }
        tell
    }

    /// How much of the result is written, from 0 to 1.
    pub(super) fn share_written(&self) -> f64 {
        match &self.state().stage {
            Stage::Running(run) => run.share_written(),
            _ => 0.0,
        }
    }

    pub(super) fn end(&self, outcome: Result<Made, Failure>, now: Wall) {
        let mut state = self.state();
        state.used = now;
        let before = std::mem::replace(
            &mut state.stage,
            match outcome {
                Ok(made) => Stage::Done(made),
                Err(failure) => Stage::Failed(Arc::new(failure)),
            },
        );
        drop(state);
        // A clip that goes looks for its channel: not with the lock held.
        drop(before);
    }

    /// As the API shows it.
    pub(crate) fn shown(&self) -> Value {
        let state = self.state();
        let mut shown = json!({
            "id": self.id,
            "source": self.source,
            "created": rfc3339(self.created),
            "state": state.stage.word(),
            "preset": null,
            "parameters": {},
            "progress": null,
            "result": null,
            "error": null,
        });
        if let Task::Convert(recipe) = &self.task {
            shown["preset"] = recipe.preset().name().into();
            shown["parameters"] = recipe.parameters();
        }
        match &state.stage {
            Stage::Queued(_) => {}
            Stage::Running(run) => shown["progress"] = run.shown(),
            Stage::Done(made) => shown["result"] = self.result(made),
            Stage::Failed(failure) => shown["error"] = failure.shown(),
        }
        shown
    }

    fn result(&self, made: &Made) -> Value {
        match made {
            Made::Product(product) => json!({
                "url": format!("/jobs/{}/{}", self.id, self.file),
                "file": self.file,
                "bytes": product.len(),
                "dropped": product.is_gone(),
            }),
            Made::File { name, bytes } => json!({"library": name, "bytes": bytes}),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Task {
    /// The ending of the file that comes out.
    pub(super) fn ending(&self) -> String {
        match self {
            Self::AsRecorded => "ts".to_owned(),
            Self::Mp4 => "mp4".to_owned(),
            Self::Convert(recipe) => recipe.ending(),
        }
    }
}

impl Stage {
    fn word(&self) -> &'static str {
        match self {
            Self::Queued(_) => "queued",
            Self::Running(_) => "running",
            Self::Done(_) => "done",
            Self::Failed(failure) => match **failure {
                Failure::Cancelled => "cancelled",
                _ => "failed",
            },
        }
    }
}

impl Run {
    /// Half of the way is reading, half is writing: some presets read all before they write.
    fn share(&self) -> f64 {
        let read = self.progress.fed as f64 / self.input.max(1) as f64;
        if self.output.is_zero() {
            return read;
        }
        (read + self.share_written()) / 2.0
    }

    fn share_written(&self) -> f64 {
        let written = self.progress.written.as_secs_f64();
        (written / self.output.as_secs_f64().max(0.001)).min(1.0)
    }

    fn shown(&self) -> Value {
        let elapsed = self.started.elapsed().as_secs_f64();
        let share = self.share().min(1.0);
        let speed = self.progress.written.as_secs_f64() / elapsed.max(0.001);
        let tenths = |value: f64| (value * 10.0).round() / 10.0;
        json!({
            "percent": tenths(share * 100.0),
            "speed": (speed > 0.0).then(|| tenths(speed)),
            "left_s": (share > 0.02).then(|| tenths(elapsed * (1.0 - share) / share)),
            "attempt": self.attempt,
        })
    }
}

/// 96 bits from the system's source of randomness, which seeds the hash maps of the standard library.
fn new_id() -> String {
    use std::hash::{BuildHasher, RandomState};
    let [high, low] = [0u8, 1].map(|salt| RandomState::new().hash_one(salt));
    format!("{high:016x}{:08x}", low >> 32)
}
