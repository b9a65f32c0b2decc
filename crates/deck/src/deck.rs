//! The state machine.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use lookback_codec::audio_duration;
use lookback_mpegts::Ticks;
use lookback_replay::{Clip, Gone, Program, Unit, Units};

use crate::speed::{Gait, Speed};
use crate::stretch::{Stretch, duration};

/// Where the feed's timeline begins: its clock runs ahead of the pictures and must not be negative.
const FEED_START: Ticks = Ticks(10 * 90_000);

/// Of what somebody who joins is given first.
const PREROLL: Ticks = Ticks(90_000);

/// How long a picture is shown until more is known.
const FRAME: Ticks = Ticks(3000);

/// By how much lengths and timestamps of sound disagree, since both are rounded.
const SOUND_OVERLAP: Ticks = Ticks(90);

/// How much later than pictures of the same time sound may come in a clip.
const SOUND_LATE_MAX: Ticks = Ticks(90_000);

/// Frames of silence in one unit.
const SILENCE_FRAMES_MAX: u64 = 64;

/// How much earlier than it is shown everything is sent. It is also how long a command takes to be seen while
/// pictures move, so it is as short as a player bears: measured with OBS (docs/design/decks.md).
const LEAD: Duration = Duration::from_millis(50);

/// A clip in a deck, and how fast it is played.
#[derive(Clone)]
pub struct Item {
    /// What is played.
    pub clip: Arc<Clip>,
    /// How fast.
    pub speed: Speed,
    /// Where on its timeline it begins and ends, to the picture; `None` for all of it.
    pub span: Option<Range<Ticks>>,
    /// Whether the next item always follows, as the next part of the same.
    pub continues: bool,
}

impl Item {
    fn range(&self) -> Range<Ticks> {
        self.span.clone().unwrap_or_else(|| self.clip.timeline())
    }
}

/// What a deck is loaded with.
pub struct Load {
    /// One after the other. An empty list stops the deck.
    pub items: Vec<Item>,
    /// Whether to play at once; otherwise the first picture stands.
    pub play: bool,
    /// What happens at the end of each.
    pub then: Then,
}

/// What happens at the end of an item.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Then {
    /// The last picture stands.
    #[default]
    Hold,
    /// The deck is empty again.
    Idle,
    /// After the last item, the first.
    Loop,
    /// The next item; behind the last one, its last picture stands.
    Next,
}

/// Where to go.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Seek {
    /// So far behind the start of the item.
    To(Ticks),
    /// So much further, or back.
    By(Ticks),
    /// To the first picture.
    In,
    /// To the last picture.
    Out,
}

/// What a deck is doing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mode {
    /// Nothing is loaded.
    Idle,
    /// A picture stands.
    Paused,
    /// Pictures move.
    Playing,
}

/// A deck at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Status {
    /// What it is doing.
    pub mode: Mode,
    /// Which item it is at, from 0 on.
    pub item: usize,
    /// How many there are.
    pub items: usize,
    /// How far behind the start of the item.
    pub position: Ticks,
    /// Length of the item.
    pub duration: Ticks,
    /// How fast it plays, or would.
    pub speed: Speed,
}

/// What a deck gives.
#[derive(Clone, Debug)]
pub enum Output {
    /// The streams from here on.
    Program(Program),
    /// A unit, with its timestamps in the feed.
    Unit(Unit),
    /// Nothing follows for the moment: what was sent last is to be seen.
    Still,
    /// An item was played to its end.
    Ended,
    /// The clip had to be let go; the deck is idle.
    Lost,
}

/// What a deck does next.
#[derive(Clone, Debug)]
pub enum Next {
    /// This is due.
    Now(Output),
    /// Nothing before this instant.
    At(Instant),
    /// Nothing before the next command.
    Command,
}

/// See the crate's documentation.
pub struct Deck {
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
    /// Up to where each stream of sound has been sent.
    sound: Vec<Ticks>,
    outbox: VecDeque<Output>,
}

/// Where an item is being read.
struct Head {
    units: Units,
    /// The moment to come to.
    wanted: Ticks,
    /// What may be seen.
    range: Range<Ticks>,
    /// Where it ends before the clip does: when the last of its pictures is decoded.
    last: Option<Ticks>,
    /// Only the picture at `wanted` is to be shown.
    cue: bool,
    /// Made when the first unit is known.
    stretch: Option<Stretch>,
    pending: Option<Pending>,
    /// The keyframe that was read last, and the first, where only keyframes are shown.
    keys: Option<(Ticks, Ticks)>,
    /// The picture that was sent last.
    shown: Option<Ticks>,
    /// How long pictures are shown, in the clip.
    frame: Ticks,
    last_dts: Option<Ticks>,
}

/// A unit that was read.
struct Pending {
    /// Its place in the clip.
    pts: Ticks,
    /// With its timestamps along the way that the deck takes through the clip: the same as in the clip, or
    /// where only keyframes are shown, the distance from the first.
    unit: Unit,
}

impl Default for Deck {
    fn default() -> Self {
        Self::new()
    }
}

impl Deck {
    /// A deck with nothing in it.
    pub fn new() -> Self {
        Self {
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
            sound: Vec::new(),
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
        self.enter(0, now);
    }

    /// Lets the pictures move: from where they stand, or at the end from the next item, or from the start.
    pub fn play(&mut self, now: Instant) {
        if self.mode != Mode::Paused {
            return;
        }
        self.mode = Mode::Playing;
        if !self.at_end() {
            self.resume(now);
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
            self.come_to_rest();
        }
    }

    /// Empties the deck.
    pub fn stop(&mut self) {
        if self.mode == Mode::Playing {
            self.come_to_rest();
        }
        self.items.clear();
        self.head = None;
        self.at = 0;
        self.mode = Mode::Idle;
    }

    /// Goes to another moment of the item. Gives whether that was within it: otherwise it goes to the end
    /// that is nearest.
    pub fn seek(&mut self, seek: Seek, now: Instant) -> bool {
        let Some(range) = self.range() else {
            return false;
        };
        let last = range.end - self.frame();
        let wanted = match seek {
            Seek::To(at) => range.start + at,
            Seek::By(by) => self.position(now) + by,
            Seek::In => range.start,
            Seek::Out => last,
        };
        let clamped = wanted.clamp(range.start, last.max(range.start));
        self.go(clamped, now);
        clamped == wanted || wanted < range.end && wanted > range.start
    }

    /// Shows the picture that is so many further, or back.
    ///
    /// # Errors
    /// If the clip had to be let go.
    pub fn step(&mut self, pictures: i32, now: Instant) -> Result<(), Gone> {
        self.pause();
        let (Some(item), Some(head)) = (self.items.get(self.at), &self.head) else {
            return Ok(());
        };
        let wanted = neighbour(&item.clip, head.picture(), pictures)?;
        if item.range().contains(&wanted) {
            self.go(wanted, now);
        }
        Ok(())
    }

    /// Plays at another speed from here on.
    pub fn set_speed(&mut self, speed: Speed, now: Instant) {
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

    /// What is due. To be asked again until it says otherwise.
    pub fn poll(&mut self, now: Instant) -> Next {
        loop {
            if let Some(output) = self.outbox.pop_front() {
                return Next::Now(output);
            }
            let Some(head) = &mut self.head else {
                return Next::Command;
            };
            let standing = self.mode == Mode::Paused && !head.cue;
            if standing {
                return Next::Command;
            }
            if head.pending.is_none() {
                match self.fetch(now) {
                    Ok(true) => {}
                    Ok(false) => self.ended(now),
                    Err(Gone) => {
                        self.stop();
                        self.outbox.push_back(Output::Lost);
                    }
                }
                continue;
            }
            match self.due() {
                Some(due) if due > now => return Next::At(due),
                _ => self.send(),
            }
        }
    }

    /// The deck at `now`.
    pub fn status(&self, now: Instant) -> Status {
        let range = self.range().unwrap_or(Ticks(0)..Ticks(0));
        Status {
            mode: self.mode,
            item: self.at,
            items: self.items.len(),
            position: self.position(now) - range.start,
            duration: range.end - range.start,
            speed: self.speed,
        }
    }

    /// The feed's time behind all that was sent.
    pub fn feed_time(&self) -> Ticks {
        self.next
    }

    /// What somebody who joins the feed now has to be given first: the pictures of the last second, stamped
    /// so that what comes next follows them. Nothing if nothing was shown yet.
    ///
    /// # Errors
    /// If the clip had to be let go.
    pub fn preroll(&self) -> Result<Vec<Output>, Gone> {
        let shown = self.head.as_ref().and_then(|head| head.shown);
        match (self.items.get(self.at), shown) {
            (Some(item), Some(shown)) => preroll_of(&item.clip, shown, self.next),
            _ => Ok(Vec::new()),
        }
    }

    fn range(&self) -> Option<Range<Ticks>> {
        Some(self.items.get(self.at)?.range())
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
        head.shown
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
        let program = item.clip.program();
        if self
            .program
            .as_ref()
            .is_none_or(|known| known.config() != program.config())
        {
            self.sound = vec![self.next; program.codecs().len()];
            self.outbox.push_back(Output::Program(program.clone()));
            self.program = Some(program);
        }
        let range = item.range();
        let start = if item.speed.is_reverse() {
            range.end - Ticks(1)
        } else {
            range.start
        };
        self.go(start, now);
    }

    /// Reads on from another moment of the item.
    fn go(&mut self, wanted: Ticks, now: Instant) {
        let Some(item) = self.items.get(self.at) else {
            return;
        };
        let mut units = item.clip.units();
        units.seek(wanted);
        let range = item.range();
        let is_cut = range.end < item.clip.timeline().end;
        // A clip that was let go says so when it is read.
        let last = is_cut.then(|| last_before(&item.clip, range.end).unwrap_or(range.end));
        self.outbox
            .retain(|output| !matches!(output, Output::Still));
        self.hold_clock(now);
        self.head = Some(Head {
            units,
            wanted,
            range,
            last,
            cue: self.mode == Mode::Paused,
            stretch: None,
            pending: None,
            keys: None,
            shown: None,
            frame: self.frame(),
            last_dts: None,
        });
    }

    /// Reads on where reading stopped.
    fn resume(&mut self, now: Instant) {
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

    /// Reads the next unit that this speed needs. Gives whether there is one.
    fn fetch(&mut self, now: Instant) -> Result<bool, Gone> {
        let gait = if self.mode == Mode::Paused {
            Gait::Stretched
        } else {
            self.speed.gait()
        };
        let Some(head) = &mut self.head else {
            return Ok(false);
        };
        let pending = match gait {
            Gait::Keys => head.next_key(self.speed)?,
            Gait::Real | Gait::Stretched => head.next_unit(gait)?,
        };
        let Some(pending) = pending else {
            return Ok(false);
        };
        if head.stretch.is_none() {
            let first = pending.unit.dts;
            let wanted = if gait == Gait::Keys {
                first
            } else {
                head.wanted.max(first)
            };
            let shown = self.next_shown.unwrap_or(now);
            head.stretch = Some(Stretch::new(
                first,
                wanted,
                self.next,
                self.speed.value().abs(),
                shown,
            ));
        }
        head.pending = Some(pending);
        Ok(true)
    }

    fn due(&self) -> Option<Instant> {
        let head = self.head.as_ref()?;
        let (stretch, pending) = (head.stretch?, head.pending.as_ref()?);
        let shown = stretch.shown_at(stretch.feed(pending.unit.dts));
        Some(shown.checked_sub(LEAD).unwrap_or(shown))
    }

    fn send(&mut self) {
        let Some(head) = &mut self.head else { return };
        let (Some(stretch), Some(Pending { pts, mut unit })) = (head.stretch, head.pending.take())
        else {
            return;
        };
        let dts = unit.dts;
        let shown_until = unit.pts + head.frame;
        unit.pts = stretch.feed(unit.pts);
        unit.dts = stretch.feed(unit.dts);
        if unit.stream > 0 {
            return self.send_sound(unit);
        }
        if let Some(last) = head.last_dts.filter(|last| dts > *last) {
            head.frame = dts - last;
        }
        head.last_dts = Some(dts);
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

    /// Sends recorded sound, unless there is silence in its place already.
    fn send_sound(&mut self, unit: Unit) {
        let codec = self
            .program
            .as_ref()
            .and_then(|program| program.codecs().get(unit.stream).copied());
        let (Some(until), Some(codec)) = (self.sound.get_mut(unit.stream), codec) else {
            return;
        };
        if unit.pts + SOUND_OVERLAP >= *until {
            // What is silent afterwards begins where this ends.
            let length = audio_duration(codec, &unit.payload.concat()).unwrap_or(1);
            *until = unit.pts + Ticks(length);
            self.outbox.push_back(Output::Unit(unit));
        }
    }

    fn fill_with_silence(&mut self, until: Ticks) {
        let Some(program) = &self.program else { return };
        for (stream, sent) in self.sound.iter_mut().enumerate().skip(1) {
            let Some(silence) = program.silence(stream) else {
                continue;
            };
            let missing = (until - *sent).0;
            if missing <= 0 || silence.ticks <= 0 {
                continue;
            }
            let frames = missing
                .unsigned_abs()
                .div_ceil(silence.ticks.unsigned_abs())
                .min(SILENCE_FRAMES_MAX);
            let payload = Bytes::copy_from_slice(&silence.payload);
            self.outbox.push_back(Output::Unit(Unit {
                stream,
                pts: *sent,
                dts: *sent,
                random_access: true,
                payload: vec![payload; frames as usize],
            }));
            *sent += Ticks(frames as i64 * silence.ticks);
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

impl Head {
    /// The picture that was sent last, or the one that is on its way.
    fn picture(&self) -> Ticks {
        match self.shown {
            Some(shown) if self.keys.is_some() => shown,
            Some(shown) => shown.max(self.wanted),
            None => self.wanted,
        }
    }

    fn next_unit(&mut self, gait: Gait) -> Result<Option<Pending>, Gone> {
        while let Some(unit) = self.units.next()? {
            let sound = unit.stream > 0;
            if let Some(last) = self.last {
                // Sound may come later than the pictures it belongs to.
                if !sound && unit.dts >= self.range.end + SOUND_LATE_MAX {
                    return Ok(None);
                }
                let is_beyond = if sound {
                    unit.pts >= self.range.end
                } else {
                    unit.dts > last
                };
                if is_beyond {
                    continue;
                }
            }
            if !sound || gait == Gait::Real && unit.pts >= self.wanted {
                return Ok(Some(Pending {
                    pts: unit.pts,
                    unit,
                }));
            }
        }
        Ok(None)
    }

    /// The next keyframe in the direction of `speed`.
    fn next_key(&mut self, speed: Speed) -> Result<Option<Pending>, Gone> {
        if let (true, Some((last, _))) = (speed.is_reverse(), self.keys) {
            self.units.seek(last - Ticks(1));
        }
        let before_start = |unit: &Unit| unit.pts < self.range.start && !speed.is_reverse();
        let mut found = self.units.next_key()?;
        while found.as_ref().is_some_and(before_start) {
            found = self.units.next_key()?;
        }
        let Some(mut unit) = found.filter(|unit| self.range.contains(&unit.pts)) else {
            return Ok(None);
        };
        let pts = unit.pts;
        let (last, first) = self.keys.unwrap_or((pts, pts));
        let stands = self.keys.is_some()
            && (if speed.is_reverse() {
                pts >= last
            } else {
                pts <= last
            });
        if stands {
            return Ok(None);
        }
        self.keys = Some((pts, first));
        unit.pts = Ticks((pts.0 - first.0).abs());
        unit.dts = unit.pts;
        Ok(Some(Pending { pts, unit }))
    }
}

/// The pictures and the sound of the second up to the picture at `shown`, stamped to end at `end` of a feed.
///
/// # Errors
/// If the clip had to be let go.
pub fn preroll_of(clip: &Arc<Clip>, shown: Ticks, end: Ticks) -> Result<Vec<Output>, Gone> {
    let mut units = clip.units();
    units.seek(shown - PREROLL);
    let mut taken: Vec<Unit> = Vec::new();
    let mut last = None;
    while let Some(unit) = units.next()? {
        let is_picture = unit.stream == 0;
        let arrived = is_picture && unit.pts >= shown;
        if is_picture {
            last = last.max(Some(unit.pts));
        }
        taken.push(unit);
        if arrived {
            break;
        }
    }
    let frame = match &taken
        .iter()
        .filter(|unit| unit.stream == 0)
        .map(|unit| unit.dts)
        .collect::<Vec<_>>()[..]
    {
        [.., before, last] => *last - *before,
        _ => FRAME,
    };
    let shift = end - frame - last.unwrap_or(shown);
    let stamped = taken
        .into_iter()
        .filter(|unit| unit.pts + shift < end)
        .map(|mut unit| {
            unit.pts += shift;
            unit.dts += shift;
            Output::Unit(unit)
        });
    Ok(std::iter::once(Output::Program(clip.program()))
        .chain(stamped)
        .collect())
}

/// When the last of the pictures is decoded that are shown before `end`.
fn last_before(clip: &Arc<Clip>, end: Ticks) -> Result<Ticks, Gone> {
    let mut units = clip.units();
    units.seek(end - Ticks(1));
    let mut last = Ticks(i64::MIN);
    while let Some(unit) = units.next()? {
        if unit.stream > 0 {
            continue;
        }
        if unit.dts >= end {
            break;
        }
        if unit.pts < end {
            last = last.max(unit.dts);
        }
    }
    Ok(last)
}

/// The picture that is shown so many after (or before) the one at `from`; at the ends, the last there is.
fn neighbour(clip: &Arc<Clip>, from: Ticks, pictures: i32) -> Result<Ticks, Gone> {
    let back = pictures < 0;
    let count = pictures.unsigned_abs() as usize;
    let mut units = clip.units();
    let mut start = if back { from - Ticks(1) } else { from };
    loop {
        units.seek(start);
        let mut found: Vec<Ticks> = Vec::new();
        let mut first = None;
        while let Some(unit) = units.next()? {
            if unit.stream > 0 {
                continue;
            }
            first.get_or_insert(unit.pts);
            if back && unit.dts >= from || !back && found.len() >= count + REORDER_MAX {
                break;
            }
            if if back {
                unit.pts < from
            } else {
                unit.pts > from
            } {
                found.push(unit.pts);
            }
        }
        found.sort_unstable();
        if !back {
            return Ok(found
                .get(count.saturating_sub(1))
                .or(found.last())
                .copied()
                .unwrap_or(from));
        }
        let first = first.unwrap_or(from);
        if found.len() >= count {
            return Ok(found[found.len() - count]);
        }
        if first <= clip.timeline().start {
            return Ok(found.first().copied().unwrap_or(from));
        }
        start = first - Ticks(1);
    }
}

/// Pictures that a codec may hold back to show them in another order.
const REORDER_MAX: usize = 16;
