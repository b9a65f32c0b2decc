//! Decks in virtual time, and their feeds taken apart again.

use std::collections::HashMap;
use std::io::Write as _;
use std::process::Stdio;
use std::time::Duration;

use lookback_deck::{Item, Source, Then};
use lookback_mpegts::{PACKET_LEN, Packet, Pcr, PesHeader, Pid};
use lookback_replay::{Limits, Selection};
use proptest::prelude::*;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use super::*;
use crate::clock;
use crate::testing::{large_video, main_deck, record, recorder, video};

const SECONDS: f64 = 4.0;

struct Stage {
    decks: Decks,
    recorder: Arc<Recorder>,
    _tasks: JoinSet<()>,
}

fn empty(recorder: Arc<Recorder>) -> Stage {
    idle(recorder, Show::Last)
}

fn idle(recorder: Arc<Recorder>, idle: Show) -> Stage {
    recorder.add_channel("main");
    let deck = DeckSettings {
        idle,
        ..main_deck()
    };
    let (decks, playing) = Decks::new(&[deck], &recorder).expect("there is the channel");
    let mut tasks = JoinSet::new();
    playing.into_iter().for_each(|deck| drop(tasks.spawn(deck)));
    Stage {
        decks,
        recorder,
        _tasks: tasks,
    }
}

/// A deck, and four seconds that it can play.
fn stage() -> Stage {
    let stage = empty(recorder());
    stage.record(&video(SECONDS));
    stage
}

impl Stage {
    fn record(&self, bytes: &[u8]) {
        let channel = self.recorder.channel("main").expect("just added");
        record(&channel, bytes, clock::now());
    }

    fn clip(&self) -> Arc<Clip> {
        let channel = self.recorder.channel("main").expect("just added");
        channel
            .clip(Selection::All, clock::now())
            .expect("recorded")
    }

    fn load(&self, then: Then) -> Command {
        Command::Load(Load {
            items: vec![Item {
                source: Source::Clip(self.clip()),
                continues: false,
                speed: Speed::NORMAL,
            }],
            play: true,
            then,
        })
    }

    async fn tell(&self, command: Command) -> Done {
        self.try_tell(command).await.expect("it can")
    }

    async fn try_tell(&self, command: Command) -> Result<Done, Refused> {
        self.decks.main().command(command).await
    }

    async fn feed(&self) -> Feed {
        self.decks.main().feed().await.expect("it runs")
    }

    fn mode(&self) -> Mode {
        self.decks.main().state().status.mode
    }
}

fn speed(speed: f64) -> Command {
    Command::Speed(Speed::new(speed).expect("a good speed"))
}

/// What a reader gets in so many seconds, and whether the feed has ended.
async fn take(feed: &mut Feed, seconds: f64) -> (Vec<u8>, bool) {
    let until = Instant::now() + Duration::from_secs_f64(seconds);
    let mut bytes = Vec::new();
    loop {
        match timeout_at(until, feed.next()).await {
            Ok(Some(more)) => bytes.extend(more),
            Ok(None) => return (bytes, true),
            Err(_) => return (bytes, false),
        }
    }
}

/// What a stream turns out to be.
#[derive(Default)]
struct Taken {
    /// Time, whether decoding can start there, and bytes of each picture.
    pictures: Vec<(u64, bool, Vec<u8>)>,
    sounds: Vec<u64>,
    clocks: Vec<u64>,
    nulls: usize,
}

impl Taken {
    /// Takes it apart. Counters that do not go on fail the test, and so does what has no tables in front.
    fn from(bytes: &[u8]) -> Self {
        let (packets, rest) = bytes.as_chunks::<PACKET_LEN>();
        assert!(rest.is_empty());
        let mut taken = Self::default();
        let mut counters: HashMap<u16, u8> = HashMap::new();
        let mut tables = false;
        let mut video = None;
        for packet in packets.iter().map(Packet::new) {
            let pid = packet.pid();
            tables |= pid == Pid::PAT;
            if pid.value() == 0x1fff {
                taken.nulls += 1;
                continue;
            }
            assert!(tables, "tables come first");
            if packet.has_payload()
                && let Some(before) = counters.insert(pid.value(), packet.counter())
            {
                assert_eq!(packet.counter(), (before + 1) & 15, "PID {}", pid.value());
            }
            let field = packet.adaptation();
            taken
                .clocks
                .extend(field.and_then(|field| field.pcr).map(Pcr::base));
            if !packet.unit_start() {
                if video == Some(pid) && packet.has_payload() {
                    let picture = taken.pictures.last_mut().expect("it has begun");
                    picture.2.extend(packet.payload());
                }
            } else if let Ok(header) = PesHeader::parse(packet.payload()) {
                let pts = header.pts.expect("every unit has its time");
                if header.stream_id & 0xf0 == 0xe0 {
                    video = Some(pid);
                    let is_key = field.is_some_and(|field| field.random_access);
                    let body = packet.payload()[header.header_len..].to_vec();
                    taken.pictures.push((pts, is_key, body));
                } else {
                    taken.sounds.push(pts);
                }
            }
        }
        taken
    }

    /// Time only rises, and the clock comes often enough.
    fn keeps_time(&self) {
        for pair in self.pictures.windows(2) {
            assert!(
                pair[0].0 < pair[1].0,
                "pictures at {} and {}",
                pair[0].0,
                pair[1].0
            );
        }
        for pair in self.sounds.windows(2) {
            assert!(pair[0] < pair[1], "sound at {} and {}", pair[0], pair[1]);
        }
        for pair in self.clocks.windows(2) {
            assert!(
                pair[0] <= pair[1] && pair[1] - pair[0] <= 9_000,
                "clock at {} and {}",
                pair[0],
                pair[1]
            );
        }
        for (pts, _, _) in &self.pictures {
            assert!(self.clocks[0] <= *pts, "a picture before its clock");
        }
    }
}

/// The pictures of a clip, as they lie in it.
fn pictures_of(clip: &Arc<Clip>) -> Vec<Vec<u8>> {
    let mut units = clip.units();
    let mut pictures = Vec::new();
    while let Some(unit) = units.next().expect("it is all there") {
        if unit.stream == 0 {
            pictures.push(unit.payload.concat());
        }
    }
    pictures
}

#[tokio::test(start_paused = true)]
async fn a_play_is_a_stream_with_every_picture() {
    let stage = stage();
    let mut feed = stage.feed().await;
    let (start, _) = take(&mut feed, 0.5).await;
    assert!(
        !Taken::from(&start).pictures.is_empty(),
        "something is shown at once"
    );
    stage.tell(stage.load(Then::Hold)).await;
    let (played, ended) = take(&mut feed, SECONDS + 1.0).await;
    assert!(!ended);
    let taken = Taken::from(&[start.clone(), played.clone()].concat());
    taken.keeps_time();
    let pictures = pictures_of(&stage.clip());
    let before = Taken::from(&start).pictures.len();
    // What brings out the last one comes behind.
    assert!(taken.pictures.len() >= before + pictures.len());
    for (sent, recorded) in taken.pictures[before..].iter().zip(&pictures) {
        assert!(sent.2.starts_with(recorded));
    }
    assert_eq!(stage.mode(), Mode::Paused);
    assert_eq!(stage.decks.main().state().ended, 1);
}

/// As OBS does, which is started first. Of the first play it would show nothing until it knew the streams.
#[tokio::test(start_paused = true)]
async fn who_has_joined_before_anything_was_recorded_gets_to_know_the_streams() {
    let stage = empty(recorder());
    let mut feed = stage.feed().await;
    let (nothing, _) = take(&mut feed, 2.0).await;
    assert!(Taken::from(&nothing).pictures.is_empty());
    stage.record(&video(SECONDS));
    let (start, _) = take(&mut feed, 2.0).await;
    let before = Taken::from(&start).pictures.len();
    assert!(before >= 30, "{before}");
    stage.tell(stage.load(Then::Hold)).await;
    let (played, ended) = take(&mut feed, SECONDS + 1.0).await;
    assert!(!ended);
    let taken = Taken::from(&[start, played].concat());
    taken.keeps_time();
    let pictures = pictures_of(&stage.clip());
    for (sent, recorded) in taken.pictures[before..].iter().zip(&pictures) {
        assert!(sent.2.starts_with(recorded));
    }
    assert!(taken.pictures.len() >= before + pictures.len());
}

#[tokio::test(start_paused = true)]
async fn time_is_kept_through_every_command() {
    let stage = stage();
    let mut feed = stage.feed().await;
    let mut bytes = Vec::new();
    for command in [
        stage.load(Then::Loop),
        speed(0.05),
        speed(0.5),
        Command::Pause,
        Command::Step(1),
        Command::Step(-2),
        Command::Play,
        Command::Seek(Seek::To(Ticks::from_secs_f64(2.2))),
        speed(4.0),
        speed(-2.0),
        Command::Seek(Seek::Out),
        Command::Seek(Seek::In),
        speed(1.0),
        Command::Stop,
        stage.load(Then::Hold),
    ] {
        stage.tell(command).await;
        let (more, ended) = take(&mut feed, 3.0).await;
        assert!(!ended);
        bytes.extend(more);
    }
    let taken = Taken::from(&bytes);
    taken.keeps_time();
    assert!(taken.pictures.len() > 300, "{}", taken.pictures.len());
}

#[tokio::test(start_paused = true)]
async fn all_readers_see_the_same_and_late_ones_can_decode_at_once() {
    let stage = stage();
    let mut first = stage.feed().await;
    stage.tell(stage.load(Then::Hold)).await;
    let (before, _) = take(&mut first, 1.7).await;
    let mut second = stage.feed().await;
    let ((rest, _), (all, _)) = tokio::join!(take(&mut first, 4.0), take(&mut second, 4.0));
    let first = Taken::from(&[before, rest.clone()].concat());
    let second = Taken::from(&all);
    second.keeps_time();
    assert!(second.pictures[0].1, "a keyframe comes first");
    let pictures = |rest: &[u8]| {
        let starts = rest.chunks(PACKET_LEN).filter(|packet| {
            let packet = Packet::new(packet.first_chunk().expect("whole packets"));
            packet.unit_start() && packet.payload().starts_with(&[0, 0, 1, 0xe0])
        });
        starts.count()
    };
    let common = pictures(&rest);
    assert!(common > 60, "{common}");
    assert_eq!(
        first.pictures[first.pictures.len() - common..],
        second.pictures[second.pictures.len() - common..]
    );
    // What it got in advance is the second up to where the others were.
    let advance = second.pictures.len() - common;
    assert!((25..=50).contains(&advance), "{advance}");
}

#[tokio::test(start_paused = true)]
async fn who_falls_behind_is_cut_off_and_nobody_else() {
    let stage = stage();
    let [mut quick, mut slow] = [stage.feed().await, stage.feed().await];
    let (start, _) = take(&mut slow, 0.1).await;
    assert!(!start.is_empty());
    stage.tell(stage.load(Then::Loop)).await;
    let (played, ended) = take(&mut quick, 35.0).await;
    assert!(!ended);
    Taken::from(&played).keeps_time();
    let (_, ended) = take(&mut slow, 1.0).await;
    assert!(ended);
    assert!(slow.next().await.is_none(), "and stays so");
    assert_eq!(stage.mode(), Mode::Playing);
}

#[tokio::test(start_paused = true)]
async fn silence_is_broken_once_a_second() {
    let stage = stage();
    let mut feed = stage.feed().await;
    let (bytes, ended) = take(&mut feed, 10.5).await;
    assert!(!ended);
    assert_eq!(Taken::from(&bytes).nulls, 10);
}

#[tokio::test(start_paused = true)]
async fn a_show_waits_for_its_reader() {
    let stage = stage();
    stage.tell(Command::Show(stage.clip())).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let waiting = stage.decks.main().state().status;
    assert_eq!(
        (waiting.mode, waiting.position),
        (Mode::Playing, Ticks::ZERO)
    );
    assert!(waiting.duration.as_secs_f64() > SECONDS - 0.1);

    // One that leaves at once has only looked.
    drop(take(&mut stage.feed().await, 0.5).await);
    tokio::time::sleep(Duration::from_secs(5)).await;
    let waiting = stage.decks.main().state().status;
    assert_eq!(
        (waiting.mode, waiting.position),
        (Mode::Playing, Ticks::ZERO)
    );

    let mut feed = stage.feed().await;
    let (bytes, _) = take(&mut feed, 1.5).await;
    let taken = Taken::from(&bytes);
    let pictures = pictures_of(&stage.clip());
    assert!(taken.pictures[0].2.starts_with(&pictures[0]));
    assert!((44..60).contains(&taken.pictures.len()));
    assert_eq!(stage.mode(), Mode::Playing);
    drop(feed);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(stage.mode(), Mode::Idle, "nobody watches");
}

#[tokio::test(start_paused = true)]
async fn a_show_begins_at_once_where_somebody_watches_and_takes_the_place_of_another() {
    let stage = stage();
    let mut feed = stage.feed().await;
    let (mut bytes, _) = take(&mut feed, 0.5).await;
    for _ in 0..2 {
        stage.tell(Command::Show(stage.clip())).await;
        bytes.extend(take(&mut feed, 2.0).await.0);
    }
    assert_eq!(stage.mode(), Mode::Playing);
    bytes.extend(take(&mut feed, 4.0).await.0);
    assert_eq!(stage.mode(), Mode::Idle, "it is over");
    Taken::from(&bytes).keeps_time();
}

#[tokio::test(start_paused = true)]
async fn what_is_loaded_by_hand_plays_for_nobody_as_well() {
    let stage = stage();
    stage.tell(stage.load(Then::Hold)).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    drop(take(&mut stage.feed().await, 0.5).await);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let state = stage.decks.main().state().status;
    assert_eq!(state.mode, Mode::Playing);
    let position = state.position.as_secs_f64();
    assert!((2.2..2.6).contains(&position), "{position}");
}

#[tokio::test(start_paused = true)]
async fn commands_to_an_empty_deck_are_refused_and_seeks_are_kept_within() {
    let stage = stage();
    for command in [Command::Play, Command::Pause, Command::Step(1), speed(2.0)] {
        assert_eq!(stage.try_tell(command).await.err(), Some(Refused::Empty));
    }
    assert_eq!(
        stage.tell(Command::Stop).await.state.status.mode,
        Mode::Idle
    );
    stage.tell(stage.load(Then::Hold)).await;
    let far = Command::Seek(Seek::To(Ticks::from_secs_f64(1e9)));
    assert!(stage.tell(far).await.clamped);
    let near = Command::Seek(Seek::To(Ticks::SECOND));
    let done = stage.tell(near).await;
    assert!(!done.clamped);
    assert_eq!(done.state.status.position, Ticks::SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_clip_that_is_let_go_leaves_the_deck_idle() {
    let stage = empty(Recorder::new(Limits {
        memory: 16 << 20,
        keep: None,
    }));
    let more = large_video(2.0);
    stage.record(&more);
    let mut feed = stage.feed().await;
    stage.tell(stage.load(Then::Loop)).await;
    take(&mut feed, 0.5).await;
    // Between two pictures comes so much, and so much of it is held by others, that memory runs short.
    let held: Vec<Arc<Clip>> = std::iter::repeat_with(|| {
        stage.record(&more);
        stage.clip()
    })
    .take(40)
    .collect();
    let (_, ended) = take(&mut feed, 0.5).await;
    assert!(!ended, "the feed goes on");
    assert_eq!(stage.decks.main().state().lost, 1);
    drop(held);
    assert_eq!(stage.mode(), Mode::Idle);
    stage.tell(stage.load(Then::Hold)).await;
    assert_eq!(stage.mode(), Mode::Playing);
}

#[tokio::test(start_paused = true)]
async fn two_may_work_the_controls_at_once() {
    let stage = stage();
    let mut feed = stage.feed().await;
    stage.tell(stage.load(Then::Loop)).await;
    let controller = |rate: f64| {
        let deck = stage.decks.main().clone();
        async move {
            for round in 0..50_i32 {
                let to = Ticks::from_secs_f64(f64::from(round % 7) * 0.5);
                for command in [
                    Command::Seek(Seek::To(to)),
                    speed(rate),
                    Command::Pause,
                    Command::Play,
                ] {
                    deck.command(command).await.expect("it can");
                    tokio::time::sleep(Duration::from_millis(7)).await;
                }
            }
        }
    };
    let (_, _, (bytes, ended)) =
        tokio::join!(controller(0.5), controller(2.0), take(&mut feed, 5.0));
    assert!(!ended);
    Taken::from(&bytes).keeps_time();
    assert_eq!(stage.mode(), Mode::Playing);
}

#[tokio::test(start_paused = true)]
async fn a_fault_ends_neither_the_deck_nor_the_program() {
    let stage = stage();
    let mut feed = stage.feed().await;
    stage.tell(stage.load(Then::Hold)).await;
    assert_eq!(
        stage.try_tell(Command::Fault).await.err(),
        Some(Refused::Fault)
    );
    let (_, ended) = take(&mut feed, 1.0).await;
    assert!(ended, "its readers connect again");
    assert_eq!(stage.mode(), Mode::Idle);
    let mut feed = stage.feed().await;
    stage.tell(stage.load(Then::Hold)).await;
    let (bytes, ended) = take(&mut feed, 1.0).await;
    assert!(!ended);
    Taken::from(&bytes).keeps_time();
}

#[tokio::test(start_paused = true)]
async fn other_streams_end_the_feed() {
    let stage = stage();
    let sound_only = stage.recorder.add_channel("sound");
    record(&sound_only, &without_video(&video(3.0)), clock::now());
    let mut feed = stage.feed().await;
    stage.tell(stage.load(Then::Hold)).await;
    assert!(!take(&mut feed, 1.0).await.1);
    let clip = sound_only
        .clip(Selection::All, clock::now())
        .expect("recorded");
    stage.tell(Command::Show(clip)).await;
    assert!(take(&mut feed, 0.5).await.1);
    // Who comes back at once sees it from its start.
    let (bytes, ended) = take(&mut stage.feed().await, 1.0).await;
    assert!(!ended);
    assert!(!Taken::from(&bytes).sounds.is_empty());
}

/// The same stream with sound alone: tables that say so, and its packets.
fn without_video(bytes: &[u8]) -> Vec<u8> {
    let recorder = recorder();
    let channel = recorder.add_channel("main");
    record(&channel, bytes, clock::now());
    let clip = channel
        .clip(Selection::All, clock::now())
        .expect("recorded");
    let mut config = clip.program().config().clone();
    config.streams.remove(0);
    let mut muxer = lookback_mpegts::Muxer::new(config);
    let mut units = clip.units();
    let mut out = Vec::new();
    while let Some(unit) = units.next().expect("it is all there") {
        if unit.stream == 0 {
            continue;
        }
        muxer.write_tables(&mut out);
        let pieces: Vec<&[u8]> = unit.payload.iter().map(AsRef::as_ref).collect();
        muxer.write_unit(
            &mut out,
            lookback_mpegts::Unit {
                stream: unit.stream - 1,
                pts: unit.pts,
                dts: unit.dts,
                random_access: true,
                pcr: Some(Pcr::from(unit.dts)),
                payload: &pieces,
            },
        );
    }
    out
}

/// What is recorded while it is played reaches the readers as it comes.
#[tokio::test(start_paused = true)]
async fn live_goes_on_with_what_is_recorded() {
    for (show, loaded) in [
        (Show::Last, true),
        (
            Show::Live {
                channel: None,
                delay: Duration::ZERO,
            },
            false,
        ),
    ] {
        let stage = idle(recorder(), show);
        let bytes = video(SECONDS);
        let channel = stage.recorder.channel("main").expect("just added");
        let mut writer = channel.connect("test", clock::now()).expect("free");
        let (first, second) = bytes.split_at(bytes.len() / 2 / PACKET_LEN * PACKET_LEN);
        writer.write(first, clock::now());
        if loaded {
            let live = Live {
                channel: Arc::clone(&channel),
                delay: Ticks(0),
            };
            let load = Load {
                items: vec![Item {
                    source: Source::Live(live),
                    speed: Speed::NORMAL,
                    continues: false,
                }],
                play: true,
                then: Then::Hold,
            };
            assert!(stage.tell(Command::Load(load)).await.state.status.live);
        }
        let mut feed = stage.feed().await;
        let (before, _) = take(&mut feed, 3.0).await;
        writer.write(second, clock::now());
        let (after, ended) = take(&mut feed, 3.0).await;
        assert!(!ended);
        let all = [before, after].concat();
        let taken = Taken::from(&all);
        taken.keeps_time();
        let all_pictures = pictures_of(&stage.clip());
        let newest = &all_pictures[all_pictures.len() - 2];
        assert!(
            taken
                .pictures
                .iter()
                .any(|picture| picture.2.starts_with(newest)),
            "the newest is shown"
        );
    }
}

/// An hour of a deck at work, as libavformat reads it.
#[tokio::test(start_paused = true)]
async fn an_hour_of_feed_is_read_without_a_word() {
    let stage = stage();
    let mut feed = stage.feed().await;
    let mut ffmpeg = Ffmpeg::start();
    let until = Instant::now() + Duration::from_secs(3600);
    let mut turn = 0_u32;
    while Instant::now() < until {
        let commands = match turn % 6 {
            0 => vec![stage.load(Then::Loop)],
            1 => vec![Command::Pause, Command::Step(-1), Command::Step(3)],
            2 => vec![Command::Play, Command::Seek(Seek::To(Ticks(100_000)))],
            3 => vec![speed(0.1 + f64::from(turn % 8) / 10.0)],
            4 => vec![speed(-4.0), Command::Seek(Seek::Out)],
            _ => vec![speed(4.0)],
        };
        for command in commands {
            stage.tell(command).await;
        }
        // Never in step with the pictures.
        let seconds = 7.0 + f64::from(turn * 37 % 100) / 10.0;
        let (bytes, ended) = take(&mut feed, seconds).await;
        assert!(!ended);
        ffmpeg.read(&bytes);
        turn += 1;
    }
    assert_eq!(ffmpeg.end(), "");
}

/// ffmpeg, which takes apart what it is given.
struct Ffmpeg(std::process::Child);

impl Ffmpeg {
    fn start() -> Self {
        let child = std::process::Command::new("ffmpeg")
            .args(["-hide_banner", "-nostats", "-v", "warning", "-f", "mpegts"])
            .args(["-i", "-", "-map", "0", "-c", "copy", "-f", "null", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn();
        Self(child.expect("ffmpeg is installed"))
    }

    fn read(&mut self, bytes: &[u8]) {
        let stdin = self.0.stdin.as_mut().expect("it is piped");
        stdin.write_all(bytes).expect("it reads");
    }

    /// What it had to say.
    fn end(self) -> String {
        let output = self.0.wait_with_output().expect("it ends");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    }
}

/// What somebody at the controls may do, in numbers.
fn command(stage: &Stage, kind: u8, value: f64) -> Command {
    match kind {
        0 => stage.load([Then::Hold, Then::Loop, Then::Idle, Then::Live][(value * 3.99) as usize]),
        1 => Command::Pause,
        2 => Command::Play,
        3 => Command::Seek(Seek::To(Ticks::from_secs_f64(value * 5.0 - 0.5))),
        4 => Command::Step((value * 20.0) as i32 - 10),
        5 => speed(0.05 + value * 3.9),
        6 => speed(-1.0 - value * 15.0),
        7 => speed(4.1 + value * 11.0),
        8 => speed(1.0),
        9 => Command::Seek(Seek::Live),
        _ => Command::Stop,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(40) })]

    /// Counters, clock and timestamps of the feed, whatever is done to the deck, and a decodable picture behind
    /// each jump.
    #[test]
    fn any_commands_give_a_feed_that_keeps_time(
        commands in prop::collection::vec((0u8..11, 0.0..1.0f64, 0.0..2.0f64), 1..15),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime");
        let bytes = runtime.block_on(async {
            let stage = stage();
            let mut feed = stage.feed().await;
            let mut bytes = Vec::new();
            for (kind, value, seconds) in commands {
                // What an empty deck refuses is as good.
                let _ = stage.try_tell(command(&stage, kind, value)).await;
                let (more, ended) = take(&mut feed, seconds).await;
                assert!(!ended);
                bytes.extend(more);
            }
            bytes
        });
        let taken = Taken::from(&bytes);
        taken.keeps_time();
        let has_parameters = |picture: &[u8]| picture.windows(4).any(|start| start == [0, 0, 1, 0x67]);
        for (_, is_key, picture) in &taken.pictures {
            prop_assert!(!is_key || has_parameters(picture));
        }
    }
}
