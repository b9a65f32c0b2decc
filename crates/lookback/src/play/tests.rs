//! Plays into a real FIFO. Time stands still but for the waits of the player, which come to their end
//! when nothing else can happen.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use lookback_replay::{Recorder, Selection};
use tokio::task::JoinSet;

use super::*;
use crate::clock;
use crate::testing::{eventually, large_video, on_a_thread, record, recorder};

struct Stage {
    player: Player,
    path: PathBuf,
    recorder: Arc<Recorder>,
    _tasks: JoinSet<()>,
    _folder: tempfile::TempDir,
}

/// Two seconds of video in full size, and a player.
fn stage() -> Stage {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("play.ts");
    let address = path.display().to_string().parse().expect("a path");
    let (player, playing) = Player::new(Sink::bind(&address).expect("made"));
    let mut tasks = JoinSet::new();
    tasks.spawn(playing);
    let recorder = recorder();
    record(
        &recorder.add_channel("main"),
        &large_video(2.0),
        clock::now(),
    );
    Stage {
        player,
        path,
        recorder,
        _tasks: tasks,
        _folder: folder,
    }
}

impl Stage {
    fn clip(&self, selection: Selection) -> Arc<Clip> {
        let channel = self.recorder.channel("main").expect("just added");
        channel.clip(selection, clock::now()).expect("recorded")
    }

    async fn is_idle(&self) {
        eventually("the play ends", || !self.player.progress().playing).await;
    }
}

/// Reads from the FIFO until the play ends.
async fn read_all(path: &Path) -> Vec<u8> {
    let path = path.to_owned();
    on_a_thread(|| fs::read(path).expect("readable")).await
}

/// What a recorder makes of the bytes: runs, playing time, and problems.
fn understood(bytes: &[u8]) -> (usize, Duration, usize) {
    let recorder = recorder();
    let channel = recorder.add_channel("played");
    record(&channel, bytes, clock::now());
    let status = channel.status(clock::now());
    let duration = status
        .window
        .map_or(Duration::ZERO, |window| window.duration);
    (status.runs, duration, status.problems.len())
}

#[tokio::test(start_paused = true)]
async fn a_clip_is_played_to_its_end() {
    let stage = stage();
    let clip = stage.clip(Selection::All);
    stage.player.play(Arc::clone(&clip));
    let played = read_all(&stage.path).await;
    let (runs, duration, problems) = understood(&played);
    assert_eq!((runs, problems), (1, 0));
    assert_eq!(duration, clip.duration());
    stage.is_idle().await;
}

#[tokio::test(start_paused = true)]
async fn a_second_play_takes_the_place_of_the_first_and_keeps_the_reader() {
    let stage = stage();
    let first = stage.clip(Selection::All);
    stage.player.play(Arc::clone(&first));
    let path = stage.path.clone();
    let begin = || {
        let mut reader = File::open(path).expect("there");
        // More than nothing has been played, and most of it waits for this reader.
        let mut start = vec![0; 10 * 188];
        reader.read_exact(&mut start).expect("playing");
        (reader, start)
    };
    let (mut reader, mut played) = on_a_thread(begin).await;
    let second = stage.clip(Selection::Last(Duration::from_millis(500)));
    stage.player.play(Arc::clone(&second));
    let go_on = move || reader.read_to_end(&mut played).map(|_| played);
    let played = on_a_thread(go_on).await.expect("readable");
    let (runs, duration, problems) = understood(&played);
    assert_eq!((runs, problems), (1, 0), "one timeline");
    assert!(duration >= second.duration());
    assert!(duration < first.duration() + second.duration());
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_only_looked_leaves_the_clip_to_the_next() {
    let stage = stage();
    let clip = stage.clip(Selection::All);
    stage.player.play(Arc::clone(&clip));
    let path = stage.path.clone();
    on_a_thread(|| drop(File::open(path).expect("there"))).await;
    // One that comes before the player has seen the first one leave gets what that one left behind.
    while understood(&read_all(&stage.path).await).1 != clip.duration() {}
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_leaves_ends_the_play() {
    let stage = stage();
    stage.player.play(stage.clip(Selection::All));
    let path = stage.path.clone();
    let part = large_video(1.8).len() as u64;
    let watch_most = move || {
        let mut reader = File::open(path).expect("there").take(part);
        io::copy(&mut reader, &mut io::sink())
    };
    assert_eq!(on_a_thread(watch_most).await.expect("playing"), part);
    stage.is_idle().await;
}
