//! Jobs, with scripts that take the place of ffmpeg.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use lookback_replay::Product;
use rustix::process::{Pid, test_kill_process};
use tempfile::TempDir;
use tokio::task::JoinSet;

use super::*;
use crate::testing::eventually;

struct Rig {
    jobs: Jobs,
    clip: Arc<Clip>,
    folder: TempDir,
    tasks: JoinSet<()>,
}

/// Encoders are asked for before anything else.
const ENCODERS: &str = "#!/bin/sh\ncase \"$*\" in *-encoders*) echo ' A....D aac x'; exit;; esac\n";

/// Jobs in which this script takes the place of ffmpeg.
fn rig(script: &str, stall: Duration) -> Rig {
    let folder = tempfile::tempdir().expect("a folder");
    let program = folder.path().join("ffmpeg");
    fs::write(
        &program,
        format!("{ENCODERS}cd {}\n{script}", folder.path().display()),
    )
    .expect("a file");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).expect("ours");
    let recorder = recorder();
    let channel = recorder.add_channel("main");
    record(&channel, &video(3.0), clock::now());
    let clip = channel.clip(Selection::All, clock::now());
    let limits = Limits {
        stall,
        time: 2 * PATIENT,
    };
    let ffmpeg = Ffmpeg::new(program, limits);
    let (jobs, workers) = Jobs::new(recorder, ffmpeg, Presets::built_in(), None, 1);
    let mut tasks = JoinSet::new();
    for worker in workers {
        tasks.spawn(worker);
    }
    Rig {
        jobs,
        clip: clip.expect("something is recorded"),
        folder,
        tasks,
    }
}

/// Long enough that reaching it means "never".
const PATIENT: Duration = Duration::from_secs(60);

impl Rig {
    async fn begin(&self) -> Arc<Job> {
        let recipe = recipe("audio", &json!({})).expect("valid");
        let footage = Footage::of_clip(Arc::clone(&self.clip));
        let task = Task::Convert(recipe);
        let begun = self
            .jobs
            .begin("x".to_owned(), footage, task, Target::Memory);
        begun.await.expect("the queue is empty")
    }

    async fn outcome(&self) -> Json {
        let job = self.begin().await;
        eventually("the job is over", || job.is_over()).await;
        job.shown()
    }

    fn pid(&self, name: &str) -> Option<Pid> {
        let text = fs::read_to_string(self.folder.path().join(name)).ok()?;
        Pid::from_raw(text.trim().parse().ok()?)
    }
}

fn read_all(product: &Product) -> Vec<u8> {
    let mut all = Vec::new();
    while (all.len() as u64) < product.len() {
        all.extend_from_slice(&product.read(all.len() as u64, 1 << 20).expect("kept"));
    }
    all
}

fn is_gone(pid: Pid) -> bool {
    test_kill_process(pid).is_err()
}

#[tokio::test]
async fn the_clip_goes_in_and_the_result_comes_out() {
    let rig = rig("echo progress=end >&2; exec cat", PATIENT);
    let job = rig.begin().await;
    eventually("the job is over", || job.is_over()).await;
    let shown = job.shown();
    assert_eq!(shown["state"], "done", "{shown}");
    assert_eq!(shown["result"]["bytes"], rig.clip.len());
    let Some(Made::Product(product)) = job.made(clock::now()) else {
        panic!("no result: {shown}")
    };
    let mut whole = Vec::new();
    while (whole.len() as u64) < rig.clip.len() {
        whole.extend_from_slice(&rig.clip.read(whole.len() as u64, 1 << 20).expect("kept"));
    }
    assert!(read_all(&product) == whole);
}

#[tokio::test]
async fn one_that_has_enough_need_not_read_on() {
    let outcome = rig("head -c 1000; exit 0", PATIENT).outcome().await;
    assert_eq!(outcome["result"]["bytes"], 1000, "{outcome}");
}

#[tokio::test]
async fn a_crash_tells_its_last_words() {
    let script = "for i in $(seq 50); do echo line $i >&2; done; cat >/dev/null; exit 7";
    let outcome = rig(script, PATIENT).outcome().await;
    assert_eq!(outcome["state"], "failed");
    assert_eq!(outcome["error"]["code"], "ffmpeg_failed");
    let detail = outcome["error"]["detail"].as_str().expect("a text");
    assert!(
        detail.contains('7') && detail.ends_with("line 50"),
        "{detail}"
    );
    assert!(
        outcome["error"]["log"]
            .as_array()
            .is_some_and(|log| log.len() < 20)
    );
}

#[tokio::test]
async fn nothing_at_all_is_no_result() {
    let outcome = rig("cat >/dev/null; echo odd >&2", PATIENT).outcome().await;
    assert_eq!(outcome["error"]["code"], "nothing_came_out", "{outcome}");
}

#[tokio::test]
async fn a_flood_of_words_is_drained() {
    let script = "head -c 30000000 /dev/zero | tr '\\0' x >&2; exec cat";
    let outcome = rig(script, PATIENT).outcome().await;
    assert_eq!(outcome["state"], "done", "{outcome}");
}

/// What it writes is its own affair, and what it says is shown as text.
#[tokio::test]
async fn rubbish_is_passed_on_and_harms_nothing() {
    let rubbish = "printf 'frame=x\\nout_time_us=1e99\\n=\\n\\033[31m\\377\\000 no!\\n' >&2";
    let rig_of = |end: &str| rig(&format!("{rubbish}; {end}"), PATIENT);
    let well = rig_of("printf 'no \\377\\000 mp4'; cat >/dev/null");
    let outcome = well.outcome().await;
    assert_eq!(outcome["result"]["bytes"], 9, "{outcome}");
    let ill = rig_of("cat >/dev/null; exit 1");
    let outcome = ill.outcome().await;
    let log = outcome["error"]["log"].to_string();
    assert!(log.contains("no!"), "{outcome}");
    let told = outcome["error"]["detail"].as_str().expect("a text");
    assert!(!told.contains(char::is_control), "{told:?}");
}

#[tokio::test]
async fn a_flood_of_bytes_is_given_up() {
    let rig = rig("echo $$ >pid; exec cat /dev/zero", PATIENT);
    let outcome = rig.outcome().await;
    assert_eq!(outcome["error"]["code"], "too_large", "{outcome}");
    let pid = rig.pid("pid").expect("it ran");
    eventually("it is gone", || is_gone(pid)).await;
}

#[tokio::test]
async fn one_that_stands_still_is_ended_with_its_children() {
    let script = "sleep 1000 & echo $! >child; echo $$ >pid; exec sleep 1000";
    let rig = rig(script, Duration::from_secs(3));
    let outcome = rig.outcome().await;
    assert_eq!(outcome["error"]["code"], "ffmpeg_stalled", "{outcome}");
    for name in ["pid", "child"] {
        let pid = rig.pid(name).expect("it ran");
        eventually("it is gone", || is_gone(pid)).await;
    }
}

/// Words alone are no movement.
#[tokio::test]
async fn one_that_only_talks_stands_still() {
    let script = "while :; do echo frame=0; echo progress=continue; sleep 0.1; done >&2";
    let outcome = rig(script, Duration::from_secs(3)).outcome().await;
    assert_eq!(outcome["error"]["code"], "ffmpeg_stalled", "{outcome}");
}

#[tokio::test]
async fn what_is_cancelled_is_ended_and_the_next_one_begins() {
    let script =
        "if [ -e pid ]; then exec cat; fi; sleep 1000 & echo $! >child; echo $$ >pid; wait";
    let rig = rig(script, PATIENT);
    let (running, waiting, next) = (rig.begin().await, rig.begin().await, rig.begin().await);
    eventually("it runs", || rig.pid("pid").is_some()).await;
    assert_eq!(waiting.shown()["state"], "queued");
    for job in [&waiting, &running] {
        assert!(rig.jobs.remove(job.id()).is_some());
        eventually("it is over", || job.is_over()).await;
        assert_eq!(job.shown()["state"], "cancelled");
    }
    for name in ["pid", "child"] {
        let pid = rig.pid(name).expect("it ran");
        eventually("it is gone", || is_gone(pid)).await;
    }
    eventually("the next is over", || next.is_over()).await;
    assert_eq!(next.shown()["state"], "done");
    assert!(rig.jobs.remove(next.id()).is_some());
    assert!(rig.jobs.job(next.id()).is_none(), "forgotten");
}

#[tokio::test]
async fn nothing_is_left_running_when_the_server_stops() {
    let script = "sleep 1000 & echo $! >child; echo $$ >pid; wait";
    let mut rig = rig(script, PATIENT);
    rig.begin().await;
    eventually("it runs", || rig.pid("pid").is_some()).await;
    rig.tasks.shutdown().await;
    for name in ["pid", "child"] {
        let pid = rig.pid(name).expect("it ran");
        eventually("it is gone", || is_gone(pid)).await;
    }
}

#[tokio::test]
async fn what_is_too_large_is_made_anew_until_it_fits() {
    // Each attempt is told a lower rate, and writes as many bytes as that.
    let script = "cat >/dev/null; while [ \"$1\" != -b:v ]; do shift; done; \
                  echo $2 >>rates; head -c $(($2 / 2)) /dev/zero";
    let rig = rig(script, PATIENT);
    let encoders = "case \"$*\" in *-encoders*) echo ' V..... libx264 x';";
    let program = rig.folder.path().join("ffmpeg");
    let text = fs::read_to_string(&program).expect("there");
    let text = text.replace("case \"$*\" in *-encoders*) ", &format!("{encoders} "));
    fs::write(&program, text).expect("ours");
    let recipe = recipe("share", &json!({"size": "300kB"})).expect("valid");
    let footage = Footage::of_clip(Arc::clone(&rig.clip));
    let begun = rig.jobs.begin(
        "x".to_owned(),
        footage,
        Task::Convert(recipe),
        Target::Memory,
    );
    let job = begun.await.expect("the queue is empty");
    eventually("the job is over", || job.is_over()).await;
    let shown = job.shown();
    assert_eq!(shown["state"], "done", "{shown}");
    assert!(
        shown["result"]["bytes"]
            .as_u64()
            .is_some_and(|bytes| bytes <= 300_000),
        "{shown}"
    );
    let rates = fs::read_to_string(rig.folder.path().join("rates")).expect("it ran");
    let rates: Vec<u64> = rates
        .lines()
        .map(|rate| rate.parse().expect("a number"))
        .collect();
    assert!(
        rates.len() > 1 && rates.is_sorted_by(|a, b| a > b),
        "{rates:?}"
    );
}

#[tokio::test]
async fn without_ffmpeg_it_says_how_to_come_by_it() {
    let rig = rig("", PATIENT);
    fs::remove_file(rig.folder.path().join("ffmpeg")).expect("there");
    let recipe = recipe("audio", &json!({})).expect("valid");
    let footage = Footage::of_clip(Arc::clone(&rig.clip));
    let begun = rig.jobs.begin(
        "x".to_owned(),
        footage,
        Task::Convert(recipe),
        Target::Memory,
    );
    let error = begun.await.err().expect("no ffmpeg").to_string();
    assert!(error.contains("install"), "{error}");
    let presets = rig.jobs.presets().await;
    assert!(presets.iter().all(|preset| preset["available"] == false));
    assert!(
        presets[0]["missing"]
            .as_str()
            .is_some_and(|text| text.contains("install"))
    );
}

#[tokio::test]
async fn an_encoder_that_is_missing_is_named() {
    let rig = rig("", PATIENT);
    let recipe = recipe("webm", &json!({})).expect("valid");
    let footage = Footage::of_clip(Arc::clone(&rig.clip));
    let begun = rig.jobs.begin(
        "x".to_owned(),
        footage,
        Task::Convert(recipe),
        Target::Memory,
    );
    let error = begun.await.err().expect("it has aac alone").to_string();
    assert!(error.contains("libvpx-vp9"), "{error}");
}

#[tokio::test]
async fn what_is_over_is_forgotten_and_the_queue_has_an_end() {
    let rig = rig("sleep 1000", PATIENT);
    let running = rig.begin().await;
    eventually("it runs", || running.shown()["state"] == "running").await;
    for _ in 0..QUEUE_MAX {
        rig.begin().await;
    }
    let footage = Footage::of_clip(Arc::clone(&rig.clip));
    let one_more = rig
        .jobs
        .begin("x".to_owned(), footage, Task::AsRecorded, Target::Memory);
    assert!(matches!(one_more.await, Err(NotBegun::QueueFull)));
    for job in rig.jobs.all() {
        rig.jobs.remove(job.id());
    }
    eventually("all are over", || {
        rig.jobs.all().iter().all(|job| job.is_over())
    })
    .await;
    rig.jobs.expire(clock::now(), PATIENT);
    assert_eq!(rig.jobs.all().len(), QUEUE_MAX + 1, "too early");
    rig.jobs.expire(clock::now() + 2 * PATIENT, PATIENT);
    assert!(rig.jobs.all().is_empty());
}
