//! What runs a deck: hands it the clock and the commands, and everybody what it gives.
//!
//! It waits for nobody. Readers that do not keep up miss something, which they notice themselves
//! ([`Feed`]). A fault in the deck ends neither the program nor this: the deck begins anew, with feeds
//! that are new as well.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Wake, Waker};
use std::time::{Duration, Instant};

use lookback_deck::{
    Deck, Idle, Item, Load, Mode, Next, Output, Source, Speed, Status, Then, black_of, preroll_of,
};
use lookback_replay::{Clip, Recorder, Selection};
use tokio::sync::{Notify, broadcast, mpsc, watch};
use tracing::{error, info, warn};

use super::{Command, Done, Feed, Refused, Request, State};
use crate::clock;

/// See the module's documentation.
pub(super) struct Task {
    name: Arc<str>,
    recorder: Arc<Recorder>,
    idle: Idle,
    deck: Deck,
    /// What `/play` wants to be seen from its start.
    show: Show,
    outputs: broadcast::Sender<Arc<Output>>,
    /// Whether there are readers who have joined when there was nothing to give, and nothing has come since.
    bare: bool,
    /// Told by a reader that leaves.
    left: Arc<Notify>,
    /// Told by a channel that is played while it is recorded.
    more: Arc<More>,
    state: State,
    shown: watch::Sender<State>,
    /// When the position was told last.
    told_at: Instant,
    change: Arc<watch::Sender<()>>,
}

/// How a play of [`Command::Show`] stands.
enum Show {
    /// There is none.
    Nothing,
    /// It begins with the first reader.
    Waiting(Arc<Clip>),
    /// It began then.
    Seen(Arc<Clip>, Instant),
}

/// Units that a reader may be behind: more than any jump sends at once, and less than a client sends
/// in the time in which one that has stopped reading is cut off.
const BEHIND_MAX: usize = 2048;

/// Others are told of the position so often while it moves.
const TELL_EVERY: Duration = Duration::from_millis(200);

/// As long as there is nothing to give to a reader, it is looked for so often.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// A reader that leaves so soon only looked at what there is, as OBS does when it opens an input: the
/// next one gets the clip from its start.
const LOOKED_ONLY: Duration = Duration::from_secs(1);

/// What a reader of a deck in which nothing is loaded sees: the newest of the default channel.
const NEWEST: Selection = Selection::Last(Duration::from_secs(1));

impl Task {
    pub(super) fn new(
        name: Arc<str>,
        recorder: Arc<Recorder>,
        idle: Idle,
        shown: watch::Sender<State>,
        change: Arc<watch::Sender<()>>,
    ) -> Self {
        Self {
            name,
            recorder,
            deck: Deck::new(idle.clone()),
            idle,
            show: Show::Nothing,
            outputs: broadcast::Sender::new(BEHIND_MAX),
            bare: false,
            left: Arc::default(),
            more: Arc::default(),
            state: State::IDLE,
            shown,
            told_at: clock::instant(),
            change,
        }
    }

    /// Runs for as long as somebody can ask.
    pub(super) async fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        let mut event = Event::Due;
        loop {
            let due = self.survive(event);
            let moves = self.state.status.mode == Mode::Playing;
            let tell = moves.then(|| clock::instant() + TELL_EVERY);
            let look = self.bare.then(|| clock::instant() + LOOK_AGAIN);
            let wake = [due, tell, look].into_iter().flatten().min();
            let (left, more) = (Arc::clone(&self.left), Arc::clone(&self.more));
            event = tokio::select! {
                request = requests.recv() => match request {
                    Some(request) => Event::Asked(request),
                    None => return,
                },
                () = left.notified() => Event::Left,
                () = more.0.notified() => Event::Due,
                () = clock::until(wake) => Event::Due,
            };
        }
    }

    /// Lets the deck begin anew when it meets a fault.
    fn survive(&mut self, event: Event) -> Option<Instant> {
        let done = catch_unwind(AssertUnwindSafe(|| self.turn(event)));
        done.unwrap_or_else(|_| {
            error!(
                "deck {} met a fault in lookback, and begins anew",
                self.name
            );
            self.deck = Deck::new(self.idle.clone());
            self.show = Show::Nothing;
            // Its time begins anew too, and no reader could follow.
            self.outputs = broadcast::Sender::new(BEHIND_MAX);
            self.tell(clock::instant());
            None
        })
    }

    /// Does what is asked and what is due. Gives when something is due again.
    fn turn(&mut self, event: Event) -> Option<Instant> {
        match event {
            Event::Due => self.welcome(),
            Event::Left => self.reader_left(clock::instant()),
            Event::Asked(Request::Command(command, answer)) => {
                let done = self.command(command, clock::instant());
                let due = self.send_what_is_due();
                let state = self.state;
                // Who has asked may have left.
                let _ = answer.send(done.map(|clamped| Done { state, clamped }));
                return due;
            }
            Event::Asked(Request::Join(answer)) => {
                // One who has left again is noticed by the drop of the feed.
                let _ = answer.send(self.join(clock::instant()));
            }
        }
        self.send_what_is_due()
    }

    /// Gives whether a seek was clamped.
    fn command(&mut self, command: Command, now: Instant) -> Result<bool, Refused> {
        match command {
            Command::Load(load) => {
                self.show = Show::Nothing;
                self.deck.load(load, now);
                return Ok(false);
            }
            Command::Show(clip) => {
                self.show = Show::Waiting(clip);
                if self.outputs.receiver_count() > 0 {
                    self.begin(now);
                } else {
                    self.deck.stop();
                }
                return Ok(false);
            }
            Command::Stop => {
                self.show = Show::Nothing;
                self.deck.stop();
                return Ok(false);
            }
            #[cfg(test)]
            Command::Fault => panic!("a fault, as the test wants it"),
            _ => {}
        }
        // Whoever works the controls does not wait for a reader.
        self.begin(now);
        if self.deck.status(now).mode == Mode::Idle {
            return Err(Refused::Empty);
        }
        match command {
            Command::Play => self.deck.play(now),
            Command::Pause => self.deck.pause(),
            Command::Seek(to) => return Ok(!self.deck.seek(to, now)),
            Command::Step(pictures) => self.deck.step(pictures, now)?,
            Command::Speed(speed) => self.deck.set_speed(speed, now),
            _ => {}
        }
        Ok(false)
    }

    /// Begins the play that waits for a reader, if one does.
    fn begin(&mut self, now: Instant) {
        if let Show::Waiting(clip) = &self.show {
            let clip = Arc::clone(clip);
            let seconds = clip.duration().as_secs_f64();
            info!(
                "deck {}: plays {seconds:.1} s of {}",
                self.name,
                clip.channel()
            );
            self.show = Show::Seen(Arc::clone(&clip), now);
            self.deck.load(once(clip), now);
        }
    }

    /// In one step, so that the reader misses nothing and gets nothing twice.
    fn join(&mut self, now: Instant) -> Feed {
        let outputs = self.outputs.subscribe();
        let waited_for = matches!(self.show, Show::Waiting(_));
        let start = if waited_for {
            self.begin(now);
            Vec::new()
        } else {
            let start = self.preroll();
            self.bare |= start.is_empty();
            start
        };
        Feed::new(start, outputs, Arc::clone(&self.left))
    }

    /// Gives those who have joined too early what they would be given now. A player gets to know the streams
    /// by it: of a play, the first pictures would go into that.
    fn welcome(&mut self) {
        if !self.bare {
            return;
        }
        for output in self.preroll() {
            self.publish(output);
        }
    }

    /// What shows a reader at once which streams there are, and a picture.
    fn preroll(&self) -> Vec<Output> {
        let of_deck = self.deck.preroll().unwrap_or_default();
        if !of_deck.is_empty() {
            return of_deck;
        }
        let channels = self.recorder.channels();
        let newest = channels
            .first()
            .and_then(|channel| channel.clip(NEWEST, clock::now()).ok());
        let Some(clip) = newest else {
            return Vec::new();
        };
        let end = self.deck.feed_time();
        if matches!(self.idle, Idle::Black) {
            let black = black_of(&clip.program(), end);
            if !black.is_empty() {
                return black;
            }
        }
        let mut outputs = preroll_of(&clip, clip.timeline().end, end).unwrap_or_default();
        outputs.push(Output::Still);
        outputs
    }

    fn reader_left(&mut self, now: Instant) {
        if self.outputs.receiver_count() > 0 {
            return;
        }
        if let Show::Seen(clip, began) = &self.show {
            self.show = if now.duration_since(*began) < LOOKED_ONLY {
                Show::Waiting(Arc::clone(clip))
            } else {
                info!("deck {}: nobody watches any more", self.name);
                Show::Nothing
            };
            self.deck.stop();
        }
    }

    fn send_what_is_due(&mut self) -> Option<Instant> {
        let waker = Waker::from(Arc::clone(&self.more));
        let due = loop {
            match self.deck.poll(clock::instant(), &waker) {
                Next::Now(output) => self.publish(output),
                Next::At(due) => break Some(due),
                Next::Command => break None,
            }
        };
        self.tell(clock::instant());
        due
    }

    fn publish(&mut self, output: Output) {
        match output {
            Output::Ended => self.state.ended += 1,
            Output::Unit(_) => self.bare = false,
            Output::Lost => {
                self.state.lost += 1;
                warn!("deck {}: the clip was let go: memory ran short", self.name);
            }
            _ => {}
        }
        // Without readers nobody needs it.
        let _ = self.outputs.send(Arc::new(output));
    }

    /// Tells everybody what has changed; of the position, a few times a second.
    fn tell(&mut self, now: Instant) {
        self.state.status = self.status(now);
        if matches!(self.show, Show::Seen(..)) && self.state.status.mode == Mode::Idle {
            self.show = Show::Nothing;
        }
        let told = *self.shown.borrow();
        let moved = told.status.position != self.state.status.position;
        let standing = State {
            status: Status {
                position: told.status.position,
                ..self.state.status
            },
            ..self.state
        };
        let is_due = self.state.status.mode != Mode::Playing || self.told_at + TELL_EVERY <= now;
        if standing != told || moved && is_due {
            self.told_at = now;
            self.shown.send_replace(self.state);
            self.change.send_replace(());
        }
    }

    fn status(&self, now: Instant) -> Status {
        match &self.show {
            Show::Waiting(clip) => {
                let timeline = clip.timeline();
                Status {
                    mode: Mode::Playing,
                    items: 1,
                    duration: timeline.end - timeline.start,
                    ..State::IDLE.status
                }
            }
            _ => self.deck.status(now),
        }
    }
}

/// Wakes the task when more was recorded.
#[derive(Default)]
struct More(Notify);

impl Wake for More {
    fn wake(self: Arc<Self>) {
        self.0.notify_one();
    }
}

/// What wakes the task.
enum Event {
    Due,
    Asked(Request),
    Left,
}

/// A clip that plays to its end, and that is all.
fn once(clip: Arc<Clip>) -> Load {
    Load {
        items: vec![Item {
            source: Source::Clip(clip),
            continues: false,
            speed: Speed::NORMAL,
        }],
        play: true,
        then: Then::Idle,
    }
}
