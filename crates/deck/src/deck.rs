//! The state machine.

use std::collections::VecDeque;
use std::ops::Range;
use std::task::Waker;
use std::time::{Duration, Instant};

use lookback_mpegts::Ticks;
use lookback_replay::{Gone, Program, Unit};

use crate::command::{Idle, Item, Load, Seek, Then};
use crate::head::{Fetched, Head, Pending};
use crate::output::{Mode, Next, Output, Status};
use crate::preroll::{black_of, preroll};
use crate::reader::{Live, Reader, Source};
use crate::sound::Sound;
use crate::speed::{Gait, Speed};
use crate::stretch::{Stretch, duration};

/// Where the feed's timeline begins: its clock runs ahead of the pictures and must not be negative.
const FEED_START: Ticks = Ticks(10 * 90_000);

/// How long a picture is shown until more is known.
pub(crate) const FRAME: Ticks = Ticks(3000);

/// How much earlier than it is shown everything is sent. It is also how long a command takes to be seen while
/// pictures move, so it is as short as a player bears: measured with OBS (docs/design/decks.md).
const LEAD: Duration = Duration::from_millis(50);

/// Who asks later than that has slept, or the clock has jumped: nobody has seen what should have been shown
/// meanwhile.
const LATE_MAX: Duration = Duration::from_secs(1);

/// How far a deck that shows what is being recorded may fall behind before it catches up.
const BEHIND_MAX: Ticks = Ticks(90_000);

/// See the crate's documentation.
pub struct Deck {
    idle: Idle,
    items: Vec<Item>,
    at: usize,
    then: Then,
    mode: Mode,
    speed: Speed,
    head: Option<Head>,
    /// The feed's time behind all that was sent.
    next: Ticks,
    /// When that is shown.
    next_shown: Option<Instant>,
    /// Where in the feed the newest picture is.
    last_picture: Option<Ticks>,
    program: Option<Program>,
    /// The program is to be told even if it is the same.
    announce: bool,
    sound: Sound,
    outbox: VecDeque<Output>,
}

impl Deck {
    /// A deck with nothing in it.
    pub fn new(idle: Idle) -> Self {
        Self {
            idle,
            items: Vec::new(),
            at: 0,
            then: Then::Hold,
            mode: Mode::Idle,
            speed: Speed::NORMAL,
            head: None,
            next: FEED_START,
            next_shown: None,
            last_picture: None,
            program: None,
            announce: false,
            sound: Sound::default(),
            outbox: VecDeque::new(),
        }
    }

    /// Puts something else in.
    pub fn load(&mut self, load: Load, now: Instant) {
        self.items = load.items;
        self.then = load.then;
        self.mode = if load.play {
            Mode::Playing
        } else {
            Mode::Paused
        };
        self.announce = true;
        self.enter(0, now);
    }

    /// Lets the pictures move: from where they stand, or at the end from the next item, or from the start.
    pub fn play(&mut self, now: Instant) {
        if self.mode != Mode::Paused {
            return;
        }
        self.mode = Mode::Playing;
        if !self.at_end() {
            match &self.head {
                // What the pictures that follow refer to is gone since the picture stands.
                Some(head) if head.reorders => self.go(head.picture(), now),
                _ => self.resume(now),
            }
        } else if self.at + 1 < self.items.len() {
            self.enter(self.at + 1, now);
        } else {
            self.enter(self.at, now);
        }
    }

    /// Lets the picture stand.
    pub fn pause(&mut self) {
        if self.mode == Mode::Playing {
            self.mode = Mode::Paused;
            if let Some(head) = &mut self.head {
                head.follows = false;
            }
            self.come_to_rest();
        }
    }

    /// Empties the deck.
    pub fn stop(&mut self) {
        match self.mode {
            Mode::Idle => return,
            Mode::Playing => self.come_to_rest(),
            Mode::Paused => {}
        }
        self.items.clear();
        self.head = None;
        self.at = 0;
        self.mode = Mode::Idle;
        if matches!(self.idle, Idle::Black) {
            self.send_black();
        }
    }

    /// Goes to another moment of the item. Gives whether that was within it: otherwise it goes to the end
    /// that is nearest.
    pub fn seek(&mut self, seek: Seek, now: Instant) -> bool {
        let (Some(range), false) = (self.range(), self.mode == Mode::Idle) else {
            return false;
        };
        let edge = self
            .head
            .as_ref()
            .and_then(|head| head.reader.edge_of(&range));
        let last = edge.unwrap_or(range.end - self.frame()).max(range.start);
        let wanted = match seek {
            Seek::To(at) => range.start + at,
            Seek::By(by) => self.position(now) + by,
            Seek::In => range.start,
            Seek::Out => last,
            Seek::Live => {
                self.go_live(now);
                return true;
            }
        };
        let clamped = wanted.clamp(range.start, last);
        self.go(clamped, now);
        clamped == wanted || wanted < range.end && wanted > range.start
    }

    /// Shows the picture that is so many further, or back.
    ///
    /// # Errors
    /// If the clip had to be let go.
    pub fn step(&mut self, pictures: i32, now: Instant) -> Result<(), Gone> {
        self.pause();
        let (Some(head), false) = (&self.head, self.mode == Mode::Idle) else {
            return Ok(());
        };
        let wanted = head.reader.neighbour(head.picture(), pictures)?;
        let wanted = wanted.max(head.reader.timeline().start);
        if wanted != head.picture() {
            self.go(wanted, now);
        }
        Ok(())
    }

    /// Plays at another speed from here on.
    pub fn set_speed(&mut self, speed: Speed, now: Instant) {
        if self.mode == Mode::Idle {
            return;
        }
        let before = std::mem::replace(&mut self.speed, speed);
        if self.mode != Mode::Playing || before == speed {
            return;
        }
        if before.gait() == Gait::Keys || speed.gait() == Gait::Keys {
            let position = self.position(now);
            self.go(position, now);
        } else {
            self.resume(now);
        }
    }

    /// What is due. To be asked again until it says otherwise. `waker` is told when there is more of what is
    /// being recorded.
    pub fn poll(&mut self, now: Instant, waker: &Waker) -> Next {
        loop {
            if let Some(output) = self.outbox.pop_front() {
                return Next::Now(output);
            }
            if let (Mode::Idle, None, Idle::Live(live)) = (self.mode, &self.head, &self.idle) {
                self.speed = Speed::NORMAL;
                self.begin(Reader::new(&Source::Live(live.clone())), now);
            }
            let Some(head) = &mut self.head else {
                return Next::Command;
            };
            let standing = self.mode == Mode::Paused && !head.cue;
            if standing {
                return Next::Command;
            }
            if head.pending.is_none() {
                match self.fetch(now, waker) {
                    Ok(true) => {}
                    Ok(false) => return Next::Command,
                    Err(Gone) => {
                        self.stop();
                        self.outbox.push_back(Output::Lost);
                    }
                }
                continue;
            }
            match self.due() {
                Some(due) if due > now => return Next::At(due),
                _ => self.send(now),
            }
        }
    }

    /// The deck at `now`.
    pub fn status(&self, now: Instant) -> Status {
        let is_loaded = self.mode != Mode::Idle;
        let range = self.range().filter(|_| is_loaded);
        let range = range.unwrap_or(Ticks(0)..Ticks(0));
        Status {
            mode: self.mode,
            item: self.at,
            items: self.items.len(),
            position: self.position(now).clamp(range.start, range.end) - range.start,
            duration: range.end - range.start,
            speed: self.speed,
            live: is_loaded && self.head.as_ref().is_some_and(|head| head.follows),
        }
    }

    /// The feed's time behind all that was sent.
    pub fn feed_time(&self) -> Ticks {
        self.next
    }

    /// What somebody who joins the feed now has to be given first: the pictures of the last second, in less
    /// time and stamped so that what comes next follows them. Nothing if nothing was shown yet.
    ///
    /// # Errors
    /// If the clip had to be let go.
    pub fn preroll(&self) -> Result<Vec<Output>, Gone> {
        let Some(head) = &self.head else {
            let program = self
                .program
                .as_ref()
                .filter(|_| matches!(self.idle, Idle::Black));
            return Ok(program.map_or(Vec::new(), |program| black_of(program, self.next)));
        };
        let (Some(program), Some(shown)) = (head.reader.program(), head.shown) else {
            return Ok(Vec::new());
        };
        let mut outputs = preroll(&head.reader, &program, shown, self.next)?;
        if self.mode == Mode::Paused && !head.cue {
            outputs.push(Output::Still);
        }
        Ok(outputs)
    }

    fn range(&self) -> Option<Range<Ticks>> {
        Some(self.head.as_ref()?.reader.timeline())
    }

    fn frame(&self) -> Ticks {
        let head = self.head.as_ref().filter(|head| head.keys.is_none());
        head.map_or(FRAME, |head| head.frame)
    }

    fn position(&self, now: Instant) -> Ticks {
        let (Some(range), Some(head)) = (self.range(), &self.head) else {
            return Ticks(0);
        };
        let shown = head.picture();
        let position = match (&head.stretch, self.mode) {
            // Pictures are sent ahead of the moment at which they are shown.
            (Some(stretch), Mode::Playing) if head.keys.is_none() => {
                stretch.shown(now).min(shown.max(stretch.wanted()))
            }
            _ => shown,
        };
        position.clamp(range.start, range.end)
    }

    fn at_end(&self) -> bool {
        let (Some(range), Some(head)) = (self.range(), &self.head) else {
            return true;
        };
        !head.reader.is_live()
            && head
                .shown
                .is_some_and(|shown| shown + head.frame + Ticks(1) >= range.end)
    }

    /// Begins with an item.
    fn enter(&mut self, at: usize, now: Instant) {
        self.at = at;
        self.head = None;
        let Some(item) = self.items.get(at) else {
            return self.stop();
        };
        self.speed = item.speed;
        let reader = Reader::new(&item.source);
        self.begin(reader, now);
    }

    /// Plays what the channel of the item records.
    fn go_live(&mut self, now: Instant) {
        let Some(item) = self.items.get(self.at) else {
            return;
        };
        let live = match &item.source {
            Source::Live(live) => live.clone(),
            Source::Clip(clip) | Source::Part(clip, _) => Live {
                channel: clip.source().clone(),
                delay: Ticks(0),
            },
        };
        self.items = vec![Item {
            source: Source::Live(live),
            speed: Speed::NORMAL,
            continues: false,
        }];
        self.mode = Mode::Playing;
        self.enter(0, now);
    }

    /// Reads something else.
    fn begin(&mut self, reader: Reader, now: Instant) {
        if let Some(program) = reader.program() {
            self.set_program(program);
        }
        let range = reader.timeline();
        let start = match reader.edge_of(&range) {
            Some(edge) => edge.max(range.start),
            None if self.speed.is_reverse() => range.end - Ticks(1),
            None => range.start,
        };
        let follows = reader.is_live() && self.speed == Speed::NORMAL && self.mode != Mode::Paused;
        self.read_from(reader, start, FRAME, now);
        if let Some(head) = &mut self.head {
            head.follows = follows;
        }
    }

    fn set_program(&mut self, program: Program) {
        let known = self.program.as_ref();
        let is_new = known.is_none_or(|known| known.config() != program.config());
        if is_new {
            self.sound = Sound::from(&program, self.next);
        }
        if is_new || self.announce {
            self.outbox.push_back(Output::Program(program.clone()));
        }
        self.announce = false;
        self.program = Some(program);
    }

    /// Reads on from another moment of the item.
    fn go(&mut self, wanted: Ticks, now: Instant) {
        let frame = self.frame();
        if let Some(head) = self.head.take() {
            self.read_from(head.reader, wanted, frame, now);
        }
    }

    fn read_from(&mut self, reader: Reader, wanted: Ticks, frame: Ticks, now: Instant) {
        self.outbox
            .retain(|output| !matches!(output, Output::Still));
        self.hold_clock(now);
        let mut head = Head::at(reader, wanted, frame);
        head.cue = self.mode == Mode::Paused;
        self.head = Some(head);
    }

    /// Reads on where reading stopped.
    fn resume(&mut self, now: Instant) {
        self.keep_up(now);
        let shown = self.hold_clock(now);
        let among_keys = self.head.as_ref().is_some_and(|head| head.keys.is_some());
        if self.speed.gait() == Gait::Keys || among_keys {
            let position = self.position(now);
            return self.go(position, now);
        }
        let Some(head) = &mut self.head else { return };
        head.cue = false;
        if self.speed.gait() == Gait::Stretched {
            head.pending.take_if(|pending| pending.unit.stream > 0);
        }
        if let Some(last) = head.last_dts {
            head.stretch = Some(Stretch::resumed(
                last + head.frame,
                self.next,
                self.speed.value(),
                shown,
            ));
        }
    }

    /// What is sent from now on is shown behind all that was sent, and not before now. A picture that was to
    /// stand for long, as in slow motion, is cut short.
    fn hold_clock(&mut self, now: Instant) -> Instant {
        let mut shown = self.next_shown.unwrap_or(now);
        if let Some(soonest) = self
            .last_picture
            .map(|last| last + FRAME)
            .filter(|soonest| *soonest < self.next)
        {
            shown = shown
                .checked_sub(duration(self.next - soonest))
                .unwrap_or(now);
            self.next = soonest;
        }
        let shown = shown.max(now);
        self.next_shown = Some(shown);
        shown
    }

    /// Reads the next unit that this speed needs. Gives whether there was anything.
    fn fetch(&mut self, now: Instant, waker: &Waker) -> Result<bool, Gone> {
        self.keep_up(now);
        let gait = if self.mode == Mode::Paused {
            Gait::Stretched
        } else {
            self.speed.gait()
        };
        let Some(head) = &mut self.head else {
            return Ok(false);
        };
        let pending = match head.fetch(gait, self.speed, waker)? {
            Fetched::Unit(pending) => pending,
            Fetched::Program(program) => {
                self.set_program(program);
                return Ok(true);
            }
            Fetched::Nothing => return Ok(self.reached_the_edge(now)),
            Fetched::End => {
                self.ended(now);
                return Ok(true);
            }
        };
        if head.stretch.is_none() {
            let first = pending.unit.dts;
            let wanted = if gait == Gait::Keys {
                first
            } else {
                head.wanted.max(first)
            };
            let shown = self.next_shown.unwrap_or(now);
            let rate = self.speed.value().abs();
            let mut stretch = Stretch::new(first, wanted, self.next, rate, shown);
            let edge = head.reader.edge_of(&head.reader.timeline());
            if let (Some(edge), true) = (edge, head.follows) {
                stretch.wait(duration(wanted - edge));
            }
            head.stretch = Some(stretch);
        }
        head.pending = Some(pending);
        Ok(true)
    }

    /// Of what is being recorded, the oldest goes, and a deck that stays at the newest keeps up with it.
    fn keep_up(&mut self, now: Instant) {
        let Some(head) = &self.head else { return };
        if !head.reader.is_live() {
            return;
        }
        let window = head.reader.timeline();
        let Some(edge) = head.reader.edge_of(&window) else {
            return;
        };
        let (at, start) = (head.picture(), window.start);
        if head.follows && at + BEHIND_MAX < edge {
            self.go(edge, now);
            if let Some(head) = &mut self.head {
                head.follows = true;
            }
        } else if at < start {
            self.go(start, now);
        }
    }

    /// There is no more of what is being recorded. What was played faster stays there from now on. Gives
    /// whether anything changed by it.
    fn reached_the_edge(&mut self, now: Instant) -> bool {
        if self.mode != Mode::Playing || self.speed <= Speed::NORMAL {
            return false;
        }
        self.set_speed(Speed::NORMAL, now);
        if let Some(head) = &mut self.head {
            head.follows = true;
        }
        true
    }

    fn due(&self) -> Option<Instant> {
        let head = self.head.as_ref()?;
        let (stretch, pending) = (head.stretch?, head.pending.as_ref()?);
        let shown = stretch.shown_at(stretch.feed(pending.unit.dts));
        Some(shown.checked_sub(LEAD).unwrap_or(shown))
    }

    fn send(&mut self, now: Instant) {
        let Some(head) = &mut self.head else { return };
        let (Some(mut stretch), Some(Pending { pts, mut unit })) =
            (head.stretch, head.pending.take())
        else {
            return;
        };
        let late = now.saturating_duration_since(stretch.shown_at(stretch.feed(unit.dts)));
        if (head.reader.is_live() || late > LATE_MAX) && unit.dts >= stretch.wanted() {
            // What comes late is shown late, and so is all that follows.
            stretch.wait(late);
            head.stretch = Some(stretch);
        }
        let dts = unit.dts;
        let shown_until = unit.pts + head.frame;
        unit.pts = stretch.feed(unit.pts);
        unit.dts = stretch.feed(unit.dts);
        if unit.stream > 0 {
            let program = self.program.as_ref();
            let sound = program.and_then(|program| self.sound.take(program, unit));
            self.outbox.extend(sound.map(Output::Unit));
            return;
        }
        if let Some(last) = head.last_dts.filter(|last| dts > *last) {
            head.frame = dts - last;
        }
        head.last_dts = Some(dts);
        head.reorders |= unit.pts != unit.dts;
        // Pictures come in another order than they are shown in.
        head.shown = Some(match head.shown {
            Some(shown) if head.keys.is_none() => shown.max(pts),
            _ => pts,
        });
        let arrived = head.cue && pts >= head.wanted;
        let is_sounding = self.speed.gait() == Gait::Real && !head.cue && pts >= head.wanted;
        if arrived {
            head.cue = false;
        }
        let until = stretch.feed(shown_until);
        self.next = self.next.max(until);
        self.last_picture = self.last_picture.max(Some(unit.pts));
        self.next_shown = Some(stretch.shown_at(self.next));
        // A player waits for sound before it shows a picture. What is recorded with it may come later.
        let silent_until = if is_sounding {
            stretch.feed(stretch.wanted())
        } else {
            until
        };
        self.fill_with_silence(silent_until);
        self.outbox.push_back(Output::Unit(unit));
        if arrived {
            self.outbox.push_back(Output::Still);
        }
    }

    fn send_black(&mut self) {
        let black = self.program.as_ref().and_then(Program::black);
        let Some(picture) = black else { return };
        let at = self.next;
        self.last_picture = Some(at);
        self.next = at + FRAME;
        self.next_shown = None;
        self.fill_with_silence(self.next);
        self.outbox.push_back(Output::Unit(Unit {
            stream: 0,
            pts: at,
            dts: at,
            random_access: true,
            payload: vec![picture],
        }));
        self.outbox.push_back(Output::Still);
    }

    fn fill_with_silence(&mut self, until: Ticks) {
        if let Some(program) = &self.program {
            let silence = self.sound.fill(program, until);
            self.outbox.extend(silence.into_iter().map(Output::Unit));
        }
    }

    fn ended(&mut self, now: Instant) {
        let last = self.at + 1 == self.items.len();
        let continues = self.items.get(self.at).is_some_and(|item| item.continues);
        if continues && !last && self.mode == Mode::Playing && !self.speed.is_reverse() {
            return self.enter(self.at + 1, now);
        }
        self.outbox.push_back(Output::Ended);
        if self.speed.is_reverse() || self.mode == Mode::Paused {
            return self.hold();
        }
        match self.then {
            Then::Next if !last => self.enter(self.at + 1, now),
            Then::Loop => self.enter(if last { 0 } else { self.at + 1 }, now),
            Then::Idle => self.stop(),
            Then::Live => self.go_live(now),
            Then::Hold | Then::Next => self.hold(),
        }
    }

    fn hold(&mut self) {
        self.mode = Mode::Paused;
        if let Some(head) = &mut self.head {
            head.cue = false;
        }
        self.come_to_rest();
    }

    /// Nothing follows for the moment. The sound of the picture that was sent last does not come any more,
    /// and without any it would not be shown.
    fn come_to_rest(&mut self) {
        self.fill_with_silence(self.next);
        self.outbox.push_back(Output::Still);
    }
}
