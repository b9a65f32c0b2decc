//! Conversion: presets run ffmpeg as a child, fed from a clip and read into memory or the library.
//!
//! A [`preset`] with values is a [`recipe`]; [`ffmpeg`] runs it; a [`job`] is what clients see of that.
//! Here is the registry: jobs wait in a queue, some workers take them, and what is over is forgotten
//! after a while. The workers are tasks of the server, so that when it stops each child is ended before
//! the program is.

mod failure;
mod ffmpeg;
mod footage;
mod input;
mod job;
mod output;
mod preset;
mod preview;
mod progress;
mod recipe;
mod still;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use lookback_mp4::Place;
use lookback_replay::{Recorder, Wall};
use serde_json::{Value, json};
use tokio::sync::{Mutex as AsyncMutex, mpsc, watch};
use tracing::{error, info, warn};

pub(crate) use self::failure::Failure;
pub(crate) use self::ffmpeg::{Ffmpeg, Limits};
pub(crate) use self::footage::{Footage, Part};
use self::input::Input;
pub(crate) use self::job::{Job, Target, Task};
pub(crate) use self::output::Made;
use self::output::Output;
pub(crate) use self::preset::{Presets, Refused};
pub(crate) use self::preview::Piece;
use self::recipe::Recipe;
use crate::clock;
use crate::library::{Library, Naming};
use crate::time::rfc3339;

/// All jobs, and all that they need.
#[derive(Clone)]
pub(crate) struct Jobs(Arc<Inner>);

struct Inner {
    recorder: Arc<Recorder>,
    ffmpeg: Ffmpeg,
    presets: Presets,
    library: Option<Arc<Library>>,
    /// The oldest first.
    jobs: Mutex<Vec<Arc<Job>>>,
    queue: mpsc::Sender<Arc<Job>>,
    change: watch::Sender<()>,
}

/// Jobs that wait.
const QUEUE_MAX: usize = 64;
/// Jobs that are over and remembered.
const OVER_MAX: usize = 200;
/// How often a result that must fit is made anew before it is given up.
const ATTEMPTS_MAX: u32 = 8;

/// Why a job was not begun.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotBegun {
    /// Too many wait already.
    #[error("{QUEUE_MAX} jobs are waiting already")]
    QueueFull,
    /// It cannot be done.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// It would fail.
    #[error(transparent)]
    Failure(#[from] Failure),
    /// There is no library.
    #[error("there is no library: start lookback with --library DIR")]
    NoLibrary,
}

impl Jobs {
    /// A registry, and the workers that have to run so that jobs are done: so many at a time.
    pub(crate) fn new(
        recorder: Arc<Recorder>,
        ffmpeg: Ffmpeg,
        presets: Presets,
        library: Option<Arc<Library>>,
        at_once: usize,
    ) -> (Self, Vec<impl Future<Output = ()> + Send + use<>>) {
        let (queue, jobs) = mpsc::channel(QUEUE_MAX);
        let inner = Arc::new(Inner {
            recorder,
            ffmpeg,
            presets,
            library,
            jobs: Mutex::default(),
            queue,
            change: watch::Sender::default(),
        });
        let waiting = Arc::new(AsyncMutex::new(jobs));
        let workers = (0..at_once).map(|_| work(Arc::clone(&inner), Arc::clone(&waiting)));
        let workers = workers.collect();
        (Self(inner), workers)
    }

    /// Where exports go.
    pub(crate) fn library(&self) -> Option<&Arc<Library>> {
        self.0.library.as_ref()
    }

    /// The presets, and why each cannot be used, if it cannot.
    pub(crate) async fn presets(&self) -> Vec<Value> {
        let mut shown = Vec::new();
        for preset in self.0.presets.all() {
            let missing = match self.0.ffmpeg.missing(&preset.encoders()).await {
                Ok(missing) if missing.is_empty() => None,
                Ok(missing) => Some(Failure::NoEncoder(missing).to_string()),
                Err(failure) => Some(failure.to_string()),
            };
            shown.push(json!({
                "name": preset.name(),
                "about": preset.about(),
                "parameters": preset.parameters(),
                "available": missing.is_none(),
                "missing": missing,
            }));
        }
        shown
    }

    /// What a preset makes of parameters.
    pub(crate) fn recipe(
        &self,
        preset: &str,
        parameters: &BTreeMap<String, Value>,
    ) -> Result<Recipe, Refused> {
        self.0.presets.recipe(preset, parameters)
    }

    /// What a format is made by: "ts" is what was recorded, "mp4" the same as MP4, others are presets.
    pub(crate) fn task(
        &self,
        format: &str,
        parameters: &BTreeMap<String, Value>,
    ) -> Result<Task, Refused> {
        match format {
            "ts" | "mp4" if !parameters.is_empty() => Err(Refused::Parameter(format!(
                "{format} has no parameters: name a preset as format"
            ))),
            "ts" => Ok(Task::AsRecorded),
            "mp4" => Ok(Task::Mp4),
            preset => Ok(Task::Convert(self.recipe(preset, parameters)?)),
        }
    }

    /// Puts a job into the queue. `source` is what clients know the footage by.
    pub(crate) async fn begin(
        &self,
        source: String,
        footage: Footage,
        task: Task,
        target: Target,
    ) -> Result<Arc<Job>, NotBegun> {
        self.check(&footage, &task, target).await?;
        let job = Job::new(source, footage, task, target, clock::now());
        let place = self.0.queue.try_reserve();
        let place = place.map_err(|_| NotBegun::QueueFull)?;
        self.0.jobs().push(Arc::clone(&job));
        place.send(Arc::clone(&job));
        self.0.tell();
        Ok(job)
    }

    /// Writes something to the library. Gives the job when it is over. What needs no ffmpeg does not wait for
    /// what does.
    pub(crate) async fn write(
        &self,
        source: String,
        footage: Footage,
        task: Task,
    ) -> Result<Arc<Job>, NotBegun> {
        let mut changes = self.changes();
        if !matches!(task, Task::Convert(_)) {
            self.check(&footage, &task, Target::Library).await?;
            let job = Job::new(source, footage, task, Target::Library, clock::now());
            self.0.jobs().push(Arc::clone(&job));
            self.0.run(&job).await;
            return Ok(job);
        }
        let job = loop {
            changes.mark_unchanged();
            let begun = self.begin(
                source.clone(),
                footage.clone(),
                task.clone(),
                Target::Library,
            );
            match begun.await {
                Err(NotBegun::QueueFull) => _ = changes.changed().await,
                begun => break begun?,
            }
        };
        while !job.is_over() {
            _ = changes.changed().await;
        }
        Ok(job)
    }

    async fn check(&self, footage: &Footage, task: &Task, target: Target) -> Result<(), NotBegun> {
        if target == Target::Library && self.0.library.is_none() {
            return Err(NotBegun::NoLibrary);
        }
        if matches!(task, Task::AsRecorded) && footage.is_part() {
            let detail = "what is as recorded begins at a keyframe: leave out in_s and out_s";
            return Err(Refused::Parameter(detail.to_owned()).into());
        }
        if let Task::Convert(recipe) = task {
            recipe.check(footage)?;
            let missing = self.0.ffmpeg.missing(&recipe.encoders()).await?;
            if !missing.is_empty() {
                return Err(Failure::NoEncoder(missing).into());
            }
        }
        Ok(())
    }

    /// All of them, the oldest first.
    pub(crate) fn all(&self) -> Vec<Arc<Job>> {
        self.0.jobs().clone()
    }

    /// The job of this id.
    pub(crate) fn job(&self, id: &str) -> Option<Arc<Job>> {
        self.0.jobs().iter().find(|job| job.id() == id).cloned()
    }

    /// Stops a job, and forgets one that is over.
    pub(crate) fn remove(&self, id: &str) -> Option<Arc<Job>> {
        let job = self.job(id)?;
        if job.is_over() {
            self.0.jobs().retain(|other| other.id() != id);
        } else {
            job.cancel(clock::now());
        }
        self.0.tell();
        Some(job)
    }

    /// Forgets what is over and was not asked for in so long.
    pub(crate) fn expire(&self, now: Wall, unused_for: Duration) {
        let mut jobs = self.0.jobs();
        let over = jobs.iter().filter(|job| job.is_over()).count();
        let mut too_many = over.saturating_sub(OVER_MAX);
        let mut gone = Vec::new();
        jobs.retain(|job| {
            let surplus = too_many > 0 && job.is_over();
            too_many -= usize::from(surplus);
            let goes = surplus || job.is_forgotten(now, unused_for);
            if goes {
                gone.push(Arc::clone(job));
            }
            !goes
        });
        drop(jobs);
        drop(gone);
    }

    /// Told when something happens to one of them.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.0.change.subscribe()
    }
}

/// Takes one job after the other, for ever.
async fn work(inner: Arc<Inner>, waiting: Arc<AsyncMutex<mpsc::Receiver<Arc<Job>>>>) {
    loop {
        let Some(job) = waiting.lock().await.recv().await else {
            return;
        };
        inner.run(&job).await;
    }
}

/// A fault ends one job, not the worker.
async fn survive(made: impl Future<Output = Result<Made, Failure>>) -> Result<Made, Failure> {
    let mut made = pin!(made);
    poll_fn(|cx| {
        catch_unwind(AssertUnwindSafe(|| made.as_mut().poll(cx))).unwrap_or_else(|_| {
            error!("a fault in lookback ended a job");
            Poll::Ready(Err(Failure::Fault))
        })
    })
    .await
}

impl Inner {
    /// Does a job, from its begin to its end.
    async fn run(&self, job: &Job) {
        let Some(footage) = job.begin() else {
            return;
        };
        self.tell();
        let made = self.make(job, &footage);
        let outcome = tokio::select! {
            outcome = survive(made) => outcome,
            () = job.cancelled() => Err(Failure::Cancelled),
        };
        match &outcome {
            Ok(_) => info!("job {}: done", job.id()),
            Err(Failure::Cancelled) => info!("job {}: cancelled", job.id()),
            Err(failure) => warn!("job {}: {failure}", job.id()),
        }
        job.end(outcome, clock::now());
        self.tell();
    }

    async fn make(&self, job: &Job, footage: &Footage) -> Result<Made, Failure> {
        let output = match job.task() {
            Task::AsRecorded => self.copy(job, &footage.uncut()).await?,
            Task::Mp4 => self.copy(job, &Input::mp4(footage.mp4().await?)).await?,
            Task::Convert(recipe) => self.convert(job, footage, recipe).await?,
        };
        match output {
            Output::Memory(draft) => Ok(Made::Product(draft.finish())),
            Output::File(saving) => {
                let bytes = saving.len();
                let about = about(job, footage, bytes);
                let naming = Naming {
                    channel: footage.clip().channel().to_owned(),
                    name: footage.name.clone().unwrap_or_default(),
                    start: footage.start(),
                };
                let name = saving.finish(naming, job.task().ending(), about).await?;
                info!("job {}: {name} is in the library", job.id());
                Ok(Made::File { name, bytes })
            }
        }
    }

    async fn copy(&self, job: &Job, input: &Input) -> Result<Output, Failure> {
        job.attempt();
        let mut output = self.output(job).await?;
        let mut place = Place::default();
        loop {
            let piece = input.read(output.len(), COPY_PIECE, &mut place)?;
            if piece.is_empty() {
                return Ok(output);
            }
            output.write(&piece).await?;
            self.advance(
                job,
                ffmpeg::Progress {
                    fed: output.len(),
                    ..Default::default()
                },
            );
        }
    }

    /// One run of ffmpeg; for a result that has to fit, as many as it takes.
    ///
    /// Two passes would tell the rate beforehand, but the notes that the first leaves for the second are
    /// a file. An encoder that aims a little below the size rarely misses, and what misses is
    /// given up as soon as it is too large, and made anew with a rate that is corrected by how far it
    /// had come. So the size holds always, whatever the encoder does.
    async fn convert(
        &self,
        job: &Job,
        footage: &Footage,
        recipe: &Recipe,
    ) -> Result<Output, Failure> {
        let input = match recipe.copies() {
            true => footage.uncut(),
            false => footage.input().await?,
        };
        let fit = recipe.fit();
        let most = self.most(job, footage);
        let max = fit.map_or(most, |size| size.0.min(most));
        let mut scale = 1.0;
        for _ in 0..ATTEMPTS_MAX {
            let Some(arguments) = recipe.arguments(footage, scale) else {
                break;
            };
            job.attempt();
            let mut output = self.output(job).await?;
            let report = |progress| self.advance(job, progress);
            let run = self
                .ffmpeg
                .run(&arguments, &input, &mut output, max, &report);
            match run.await {
                Ok(()) => return Ok(output),
                Err(Failure::TooLarge { max }) if fit.is_some_and(|size| size.0 == max) => {
                    scale *= 0.93 * job.share_written().clamp(0.5, 1.0);
                }
                Err(failure) => return Err(failure),
            }
        }
        Err(fit.map_or(Failure::Fault, Failure::Misfit))
    }

    async fn output(&self, job: &Job) -> Result<Output, Failure> {
        match (job.target(), &self.library) {
            (Target::Library, Some(library)) => Ok(Output::File(library.begin(job.id()).await?)),
            _ => Ok(Output::Memory(self.recorder.draft())),
        }
    }

    /// Bytes that may come out: a quarter of the memory, or on a disk many times what goes in.
    fn most(&self, job: &Job, footage: &Footage) -> u64 {
        match job.target() {
            Target::Memory => self.recorder.memory().limit_bytes as u64 / 4,
            Target::Library => footage.clip().len() * 16 + (64 << 20),
        }
    }

    fn advance(&self, job: &Job, progress: ffmpeg::Progress) {
        if job.advance(progress) {
            self.tell();
        }
    }

    fn tell(&self) {
        self.change.send_replace(());
    }

    fn jobs(&self) -> MutexGuard<'_, Vec<Arc<Job>>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is copied at a time.
const COPY_PIECE: usize = 256 << 10;

/// What is put beside a file of the library.
fn about(job: &Job, footage: &Footage, bytes: u64) -> Value {
    let mut about = json!({
        "name": footage.name,
        "tags": footage.tags,
        "channel": footage.clip().channel(),
        "start": rfc3339(footage.start()),
        "end": rfc3339(footage.end()),
        "duration_s": footage.duration().as_secs_f64(),
        "bytes": bytes,
        "preset": null,
        "parameters": {},
    });
    if matches!(job.task(), Task::AsRecorded) {
        about["shown_s"] = footage.shown_s().into();
    }
    if let Task::Convert(recipe) = job.task() {
        about["preset"] = recipe.preset().name().into();
        about["parameters"] = recipe.parameters();
    }
    about
}
