//! What is being recorded, in a deck: the card is recorded and played on the same virtual clock.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};
use std::task::Waker;
use std::time::{Duration, Instant};

use lookback_deck::{Deck, Idle, Item, Live, Load, Mode, Next, Output, Seek, Source, Speed, Then};
use lookback_mpegts::Ticks;
use lookback_replay::{Channel, Limits, Recorder, Selection, Unit, Wall, Writer};
use lookback_testcard::{Chunk, Config, Stream, TestCard};
use proptest::prelude::*;

const FPS: u64 = 30;
const FRAME: i64 = 3000;

/// The number of each picture by its bytes.
static NUMBERS: LazyLock<HashMap<Vec<u8>, u64>> = LazyLock::new(|| {
    let mut card = card();
    (0..90 * FPS).map(|n| (card.picture(n), n)).collect()
});

fn card() -> TestCard {
    let config = Config {
        width: 320,
        height: 180,
        fps: FPS as u32,
        ..Config::default()
    };
    TestCard::new(config).expect("a known size")
}

/// The card as it is recorded, made once.
static CHUNKS: LazyLock<Vec<Chunk>> = LazyLock::new(|| {
    let seconds = |chunk: &Chunk| chunk.due < Ticks(90 * 90_000);
    Stream::new(card(), 0, Ticks::SECOND)
        .take_while(seconds)
        .collect()
});

struct Studio {
    _recorder: Arc<Recorder>,
    channel: Arc<Channel>,
    writer: Writer,
    stream: std::iter::Peekable<std::slice::Iter<'static, Chunk>>,
    deck: Deck,
    start: Instant,
    /// Time since then.
    now: Duration,
    /// The source sends nothing.
    stalls: bool,
    sent: Vec<(Duration, Output)>,
}

impl Studio {
    fn new(idle: impl FnOnce(Arc<Channel>) -> Idle) -> Self {
        let recorder = Recorder::new(Limits {
            memory: 64 << 20,
            keep: Some(Duration::from_secs(20)),
        });
        let channel = recorder.add_channel("main");
        let writer = channel.connect("card", Wall(0)).expect("free");
        Self {
            _recorder: recorder,
            deck: Deck::new(idle(Arc::clone(&channel))),
            channel,
            writer,
            stream: CHUNKS.iter().peekable(),
            start: Instant::now(),
            now: Duration::ZERO,
            stalls: false,
            sent: Vec::new(),
        }
    }

    fn load_live(&mut self, delay: Ticks) {
        let live = Live {
            channel: Arc::clone(&self.channel),
            delay,
        };
        self.load(Source::Live(live), Then::Hold);
    }

    fn load(&mut self, source: Source, then: Then) {
        let item = Item {
            source,
            speed: Speed::NORMAL,
            continues: false,
        };
        let load = Load {
            items: vec![item],
            play: true,
            then,
        };
        self.deck.load(load, self.start + self.now);
    }

    /// Lets time pass, in which the card is recorded and the deck sends what is due.
    fn run(&mut self, seconds: f64) {
        let until = self.now + Duration::from_secs_f64(seconds);
        let due = |at: Ticks| Duration::from_micros(at.0 as u64 * 100 / 9);
        loop {
            while let Some(chunk) = self.stream.next_if(|chunk| due(chunk.due) <= self.now) {
                if !self.stalls {
                    let wall = Wall(self.now.as_micros() as i64);
                    self.writer.write(&chunk.bytes, wall);
                }
            }
            let recorded = due(self.stream.peek().expect("no test takes so long").due);
            let sent = match self.deck.poll(self.instant(), Waker::noop()) {
                Next::Now(output) => {
                    self.sent.push((self.now, output));
                    continue;
                }
                Next::At(at) => at - self.start,
                Next::Command => recorded,
            };
            if self.now == until {
                return;
            }
            self.now = recorded.min(sent).min(until);
        }
    }

    fn take(&mut self) -> Vec<Shown> {
        let sent = std::mem::take(&mut self.sent);
        let pictures = sent.into_iter().filter_map(|(at, output)| match output {
            Output::Unit(unit) if unit.stream == 0 => Some(Shown {
                number: NUMBERS[&unit.payload.concat()],
                pts: unit.pts.0,
                at: at.as_secs_f64(),
            }),
            _ => None,
        });
        pictures.collect()
    }

    fn instant(&self) -> Instant {
        self.start + self.now
    }
}

#[derive(Debug)]
struct Shown {
    number: u64,
    pts: i64,
    /// When it was sent, in seconds.
    at: f64,
}

impl Shown {
    /// How long after it was recorded it is sent.
    fn age(&self) -> f64 {
        self.at - self.number as f64 / FPS as f64
    }
}

#[track_caller]
fn assert_in_a_row(shown: &[Shown]) {
    assert!(!shown.is_empty());
    for pair in shown.windows(2) {
        assert_eq!(pair[1].number, pair[0].number + 1, "{pair:?}");
        assert!(pair[1].pts > pair[0].pts, "{pair:?}");
    }
}

#[test]
fn the_edge_is_shown_as_it_is_recorded() {
    for delay in [0, 2] {
        let mut studio = Studio::new(|_| Idle::Last);
        studio.run(5.0);
        studio.load_live(Ticks(delay * 90_000));
        studio.run(5.0);
        let shown = studio.take();
        assert_in_a_row(&shown);
        assert_eq!(shown[0].number % 15, 0, "it begins on a keyframe");
        assert!(shown[0].at < 5.01, "at once");
        let ages: Vec<f64> = shown[30..].iter().map(Shown::age).collect();
        let behind = delay as f64;
        assert!(
            ages.iter().all(|age| (behind..behind + 0.6).contains(age)),
            "{ages:?}"
        );
        assert!(
            shown[30..]
                .windows(2)
                .all(|pair| pair[1].pts - pair[0].pts == FRAME)
        );
        let status = studio.deck.status(studio.instant());
        assert!(status.live && status.mode == Mode::Playing);
    }
}

#[test]
fn nothing_recorded_yet_is_waited_for() {
    let mut studio = Studio::new(|_| Idle::Last);
    studio.load_live(Ticks(0));
    studio.run(3.0);
    let shown = studio.take();
    assert_in_a_row(&shown);
    assert_eq!(shown[0].number, 0);
}

#[test]
fn live_can_be_paused_rewound_and_caught_up_with() {
    let mut studio = Studio::new(|_| Idle::Last);
    studio.run(5.0);
    studio.load_live(Ticks(0));
    studio.run(1.0);
    studio.deck.pause();
    studio.run(0.1);
    let last = studio.take().last().expect("a picture").number;
    studio.run(4.0);
    assert!(studio.take().is_empty(), "it stands");
    assert!(!studio.deck.status(studio.instant()).live);
    studio.deck.play(studio.instant());
    studio.run(2.0);
    let shown = studio.take();
    assert_in_a_row(&shown);
    assert_eq!(shown[0].number, last + 1, "it goes on where it stood");
    assert!((4.3..4.9).contains(&shown[30].age()), "{}", shown[30].age());

    assert!(
        studio
            .deck
            .seek(Seek::By(Ticks(-3 * 90_000)), studio.instant())
    );
    studio.run(1.0);
    let shown = studio.take();
    assert!(
        (7.3..7.9).contains(&shown[shown.len() - 1].age()),
        "{shown:?}"
    );

    studio
        .deck
        .set_speed(Speed::new(-4.0).expect("good"), studio.instant());
    studio.run(0.5);
    let keys = studio.take();
    assert!(
        keys.len() > 3
            && keys
                .windows(2)
                .all(|pair| pair[1].number + 15 == pair[0].number)
    );

    studio
        .deck
        .set_speed(Speed::new(4.0).expect("good"), studio.instant());
    studio.run(6.0);
    let shown = studio.take();
    assert_in_a_row(&shown);
    assert!(shown[shown.len() - 1].age() < 0.6, "it has caught up");
    let status = studio.deck.status(studio.instant());
    assert!(
        status.live && status.speed == Speed::NORMAL,
        "and stays there"
    );

    assert!(
        !studio
            .deck
            .seek(Seek::By(Ticks(-300 * 90_000)), studio.instant()),
        "clamped"
    );
    studio.run(0.5);
    assert!(studio.take()[0].age() > 18.0, "the start of the window");
    assert!(studio.deck.seek(Seek::Live, studio.instant()));
    studio.run(1.0);
    let shown = studio.take();
    assert!(shown[shown.len() - 1].age() < 0.6);
}

#[test]
fn a_step_is_one_picture_of_what_is_being_recorded() {
    let mut studio = Studio::new(|_| Idle::Last);
    studio.run(5.0);
    studio.load_live(Ticks(0));
    studio.run(1.0);
    studio.deck.pause();
    studio.run(1.0);
    let last = studio.take().last().expect("a picture").number;
    for (step, wanted) in [(-1, last - 1), (-1, last - 2), (1, last - 1)] {
        studio
            .deck
            .step(step, studio.instant())
            .expect("nothing to let go");
        studio.run(0.1);
        assert_eq!(studio.take().last().expect("a picture").number, wanted);
    }
}

#[test]
fn a_pause_that_outlasts_the_window_goes_on_where_it_begins() {
    let mut studio = Studio::new(|_| Idle::Last);
    studio.run(5.0);
    studio.load_live(Ticks(0));
    studio.run(1.0);
    studio.deck.pause();
    studio.run(30.0);
    studio.take();
    studio.deck.play(studio.instant());
    studio.run(1.0);
    let shown = studio.take();
    assert_in_a_row(&shown);
    let age = shown[shown.len() - 1].age();
    assert!((19.0..20.5).contains(&age), "{age}");
}

#[test]
fn a_source_that_stalls_is_caught_up_with() {
    let mut studio = Studio::new(|_| Idle::Last);
    studio.run(5.0);
    studio.load_live(Ticks(0));
    studio.run(1.0);
    studio.stalls = true;
    studio.run(3.0);
    studio.take();
    studio.stalls = false;
    studio.run(4.0);
    let shown = studio.take();
    assert!(shown[shown.len() - 1].age() < 1.5, "{:?}", shown.last());
    assert!(shown.windows(2).all(|pair| pair[1].pts > pair[0].pts));
}

#[test]
fn behind_a_replay_comes_what_is_recorded_now() {
    let mut studio = Studio::new(|_| Idle::Last);
    studio.run(5.0);
    let now = Wall(studio.now.as_micros() as i64);
    let selection = Selection::Last(Duration::from_secs(2));
    let clip = studio.channel.clip(selection, now).expect("recorded");
    studio.load(Source::Clip(clip), Then::Live);
    studio.run(5.0);
    let shown = studio.take();
    let jump = shown
        .windows(2)
        .position(|pair| pair[1].number != pair[0].number + 1);
    let (replay, live) = shown.split_at(jump.expect("it went on") + 1);
    assert!((60..=90).contains(&replay.len()), "{}", replay.len());
    assert_in_a_row(live);
    assert!(live[live.len() - 1].age() < 0.6);
    assert!(studio.deck.status(studio.instant()).live);
}

#[test]
fn an_empty_deck_shows_its_channel() {
    let idle = |channel| {
        Idle::Live(Live {
            channel,
            delay: Ticks(90_000),
        })
    };
    let mut studio = Studio::new(idle);
    studio.run(5.0);
    let shown = studio.take();
    assert_in_a_row(&shown);
    assert!((1.0..1.6).contains(&shown[shown.len() - 1].age()));
    let status = studio.deck.status(studio.instant());
    assert_eq!(
        (status.mode, status.items, status.live),
        (Mode::Idle, 0, false)
    );
    assert!(!studio.deck.preroll().expect("nothing to let go").is_empty());

    let now = Wall(studio.now.as_micros() as i64);
    let clip = studio.channel.clip(Selection::All, now).expect("recorded");
    studio.load(Source::Clip(clip), Then::Idle);
    studio.run(1.0);
    assert_eq!(studio.take()[0].number, 0, "a replay");
    studio.deck.stop();
    studio.run(2.0);
    let shown = studio.take();
    assert!(
        (1.0..1.6).contains(&shown[shown.len() - 1].age()),
        "and back"
    );
}

#[derive(Clone, Debug)]
enum Command {
    Live(i64),
    Replay(Then),
    Pause,
    Play,
    By(i64),
    ToLive,
    Speed(f64),
    Step(i32),
    Stop,
    Stall(bool),
    Clear,
    Wait(u32),
}

fn command() -> impl Strategy<Value = Command> {
    let speed = prop_oneof![Just(1.0), 0.05..4.0f64, 4.1..16.0f64, -16.0..-1.0f64];
    let then = prop_oneof![Just(Then::Hold), Just(Then::Idle), Just(Then::Live)];
    prop_oneof![
        (0i64..300_000).prop_map(Command::Live),
        then.prop_map(Command::Replay),
        Just(Command::Pause),
        Just(Command::Play),
        (-700_000i64..700_000).prop_map(Command::By),
        Just(Command::ToLive),
        speed.prop_map(Command::Speed),
        (-40i32..40).prop_map(Command::Step),
        Just(Command::Stop),
        any::<bool>().prop_map(Command::Stall),
        Just(Command::Clear),
        (0u32..3000).prop_map(Command::Wait),
    ]
}

impl Studio {
    fn obey(&mut self, command: Command) {
        let now = self.instant();
        match command {
            Command::Live(delay) => self.load_live(Ticks(delay)),
            Command::Replay(then) => {
                let wall = Wall(self.now.as_micros() as i64);
                if let Ok(clip) = self.channel.clip(Selection::All, wall) {
                    self.load(Source::Clip(clip), then);
                }
            }
            Command::Pause => self.deck.pause(),
            Command::Play => self.deck.play(now),
            Command::By(by) => drop(self.deck.seek(Seek::By(Ticks(by)), now)),
            Command::ToLive => drop(self.deck.seek(Seek::Live, now)),
            Command::Speed(speed) => self.deck.set_speed(Speed::new(speed).expect("good"), now),
            Command::Step(pictures) => self.deck.step(pictures, now).expect("held"),
            Command::Stop => self.deck.stop(),
            Command::Stall(stalls) => self.stalls = stalls,
            Command::Clear => self.channel.clear(),
            Command::Wait(millis) => self.run(f64::from(millis) / 1000.0),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(60) })]

    #[test]
    fn any_commands_give_a_feed_that_decodes(
        idles_live in any::<bool>(),
        commands in prop::collection::vec(command(), 1..20),
    ) {
        let mut studio = Studio::new(|channel| if idles_live {
            Idle::Live(Live { channel, delay: Ticks(0) })
        } else {
            Idle::Last
        });
        studio.run(1.0);
        for command in commands {
            studio.obey(command);
            let status = studio.deck.status(studio.instant());
            prop_assert!(status.position >= Ticks(0) && status.position <= status.duration, "{status:?}");
        }
        studio.run(1.0);
        for pair in studio.take().windows(2) {
            prop_assert!(pair[1].pts > pair[0].pts, "timestamps rise: {pair:?}");
            // What does not follow the picture before it decodes by itself.
            prop_assert!(pair[1].number == pair[0].number + 1 || pair[1].number % 15 == 0, "{pair:?}");
        }
    }
}

#[test]
fn an_empty_deck_is_black() {
    let mut studio = Studio::new(|_| Idle::Black);
    studio.run(5.0);
    let now = Wall(studio.now.as_micros() as i64);
    let clip = studio.channel.clip(Selection::All, now).expect("recorded");
    let black = clip.program().black().expect("of H.264");
    studio.load(Source::Clip(clip), Then::Idle);
    studio.run(2.0);
    studio.sent.clear();
    studio.deck.stop();
    studio.run(1.0);
    let pictures = |sent: &[(Duration, Output)]| -> Vec<Unit> {
        let pictures = sent.iter().filter_map(|(_, output)| match output {
            Output::Unit(unit) if unit.stream == 0 => Some(unit.clone()),
            _ => None,
        });
        pictures.collect()
    };
    let shown = pictures(&studio.sent);
    assert_eq!(shown.len(), 1);
    assert!(shown[0].random_access && shown[0].payload == [black.clone()]);
    assert!(matches!(studio.sent.last(), Some((_, Output::Still))));

    let preroll = studio.deck.preroll().expect("nothing to let go");
    let preroll: Vec<_> = preroll
        .into_iter()
        .map(|output| (studio.now, output))
        .collect();
    let given = pictures(&preroll);
    assert!(given.len() == 30 && given.iter().all(|unit| unit.payload == [black.clone()]));
    assert!(given.windows(2).all(|pair| pair[1].pts > pair[0].pts));
    assert!(given[29].pts < studio.deck.feed_time());
}
