//! Where a deck reads, and what of it a speed shows.

use std::collections::VecDeque;
use std::task::Waker;

use lookback_mpegts::Ticks;
use lookback_replay::{Gone, Program, Unit};

use crate::reader::{Read, Reader};
use crate::speed::{Gait, Speed};
use crate::stretch::Stretch;

/// How much later than the pictures it belongs to sound may come: libavformat puts up to a third of a second
/// of it into one packet.
const SOUND_LATE_MAX: Ticks = Ticks(36_000);

/// Where an item is being read.
pub(crate) struct Head {
    pub(crate) reader: Reader,
    /// What was read ahead, in the order of the stream.
    ahead: VecDeque<Unit>,
    /// Up to where each stream of sound was read.
    heard: Vec<Option<Ticks>>,
    /// The moment to come to.
    pub(crate) wanted: Ticks,
    /// Only the picture at `wanted` is to be shown.
    pub(crate) cue: bool,
    /// It stays at the edge of what is being recorded.
    pub(crate) follows: bool,
    /// Made when the first unit is known.
    pub(crate) stretch: Option<Stretch>,
    pub(crate) pending: Option<Pending>,
    /// The keyframe that was read last, and the first, where only keyframes are shown.
    pub(crate) keys: Option<(Ticks, Ticks)>,
    /// The picture that was sent last.
    pub(crate) shown: Option<Ticks>,
    /// Whether pictures are shown in another order than they come in.
    pub(crate) reorders: bool,
    /// How long pictures are shown, on the reader's timeline.
    pub(crate) frame: Ticks,
    pub(crate) last_dts: Option<Ticks>,
}

/// A unit that was read.
pub(crate) struct Pending {
    /// Its place on the reader's timeline.
    pub(crate) pts: Ticks,
    /// With its timestamps along the way that the deck takes: the same as on the reader's timeline, or where
    /// only keyframes are shown, the distance from the first.
    pub(crate) unit: Unit,
}

/// What there is to send next.
pub(crate) enum Fetched {
    Unit(Pending),
    Program(Program),
    Nothing,
    End,
}

fn unheard(program: &Program) -> Vec<Option<Ticks>> {
    vec![None; program.codecs().len().saturating_sub(1)]
}

impl From<Unit> for Fetched {
    fn from(unit: Unit) -> Self {
        Self::Unit(Pending {
            pts: unit.pts,
            unit,
        })
    }
}

impl Fetched {
    fn without_unit(read: Read) -> Self {
        match read {
            Read::Unit(unit) => unit.into(),
            Read::Program(program) => Self::Program(program),
            Read::Pending => Self::Nothing,
            Read::End => Self::End,
        }
    }
}

impl Head {
    /// At `wanted`, with nothing read yet.
    pub(crate) fn at(mut reader: Reader, wanted: Ticks, frame: Ticks) -> Self {
        reader.seek(wanted);
        Self {
            heard: reader
                .program()
                .map_or(Vec::new(), |program| unheard(&program)),
            ahead: VecDeque::new(),
            reader,
            wanted,
            cue: false,
            follows: false,
            stretch: None,
            pending: None,
            keys: None,
            shown: None,
            reorders: false,
            frame,
            last_dts: None,
        }
    }

    /// The picture that was sent last, or the one that is on its way.
    pub(crate) fn picture(&self) -> Ticks {
        match self.shown {
            Some(shown) if self.keys.is_some() => shown,
            Some(shown) => shown.max(self.wanted),
            None => self.wanted,
        }
    }

    /// Reads what is shown next.
    pub(crate) fn fetch(
        &mut self,
        gait: Gait,
        speed: Speed,
        waker: &Waker,
    ) -> Result<Fetched, Gone> {
        match gait {
            Gait::Keys => self.next_key(speed, waker),
            Gait::Stretched => self.next_picture(waker),
            Gait::Real => self.next_in_time(waker),
        }
    }

    fn next_picture(&mut self, waker: &Waker) -> Result<Fetched, Gone> {
        while let Some(unit) = self.ahead.pop_front() {
            if unit.stream == 0 {
                return Ok(Fetched::from(unit));
            }
        }
        loop {
            match self.reader.next(waker)? {
                Read::Unit(unit) if unit.stream == 0 => return Ok(Fetched::from(unit)),
                Read::Unit(_) => {}
                other => return Ok(Fetched::without_unit(other)),
            }
        }
    }

    /// Pictures, and before each the sound that is heard by then, which may stand behind it in the stream: a
    /// player waits for it.
    fn next_in_time(&mut self, waker: &Waker) -> Result<Fetched, Gone> {
        loop {
            let picture = self.ahead.iter().position(|unit| unit.stream == 0);
            if let Some(at) = picture.filter(|&at| self.is_complete(at)) {
                return Ok(self.take_until(at));
            }
            match self.reader.next(waker)? {
                Read::Unit(unit) => self.put(unit),
                Read::Program(program) => {
                    // What is of other streams does not mix with it.
                    self.ahead.clear();
                    self.heard = unheard(&program);
                    return Ok(Fetched::Program(program));
                }
                Read::Pending => return Ok(Fetched::Nothing),
                Read::End => {
                    let at = picture.unwrap_or(self.ahead.len());
                    return Ok(match self.ahead.is_empty() {
                        true => Fetched::End,
                        false => self.take_until(at),
                    });
                }
            }
        }
    }

    fn put(&mut self, unit: Unit) {
        if unit.stream > 0 {
            if let Some(heard) = self.heard.get_mut(unit.stream - 1) {
                *heard = (*heard).max(Some(unit.pts));
            }
            if unit.pts < self.wanted {
                return;
            }
        }
        self.ahead.push_back(unit);
    }

    /// Whether all sound was read that is heard before the picture that was read ahead.
    fn is_complete(&self, at: usize) -> bool {
        let picture = &self.ahead[at];
        let newest = self.ahead.iter().rfind(|unit| unit.stream == 0);
        newest.is_some_and(|newest| newest.dts - picture.dts >= SOUND_LATE_MAX)
            || self.heard.iter().all(|heard| *heard > Some(picture.pts))
    }

    /// Sound that is heard before the picture at `at`, or that picture.
    fn take_until(&mut self, at: usize) -> Fetched {
        let picture = self.ahead.get(at).map(|picture| picture.pts);
        let is_before = |unit: &&Unit| unit.stream > 0 && picture.is_none_or(|pts| unit.pts <= pts);
        let sounds = self
            .ahead
            .iter()
            .enumerate()
            .filter(|(_, unit)| is_before(unit));
        let first = sounds.min_by_key(|(_, unit)| unit.pts).map(|(at, _)| at);
        let unit = self.ahead.remove(first.unwrap_or(at));
        unit.map_or(Fetched::End, Fetched::from)
    }

    /// The next keyframe in the direction of `speed`.
    fn next_key(&mut self, speed: Speed, waker: &Waker) -> Result<Fetched, Gone> {
        if let (true, Some((last, _))) = (speed.is_reverse(), self.keys) {
            self.reader.seek(last - Ticks(1));
        }
        let mut unit = match self.reader.next_key(waker)? {
            Read::Unit(unit) => unit,
            other => return Ok(Fetched::without_unit(other)),
        };
        let pts = unit.pts;
        let (last, first) = self.keys.unwrap_or((pts, pts));
        let beyond_the_last = if speed.is_reverse() {
            pts < last
        } else {
            pts > last
        };
        if self.keys.is_some() && !beyond_the_last {
            return Ok(Fetched::End);
        }
        self.keys = Some((pts, first));
        unit.pts = Ticks((pts.0 - first.0).abs());
        unit.dts = unit.pts;
        Ok(Fetched::Unit(Pending { pts, unit }))
    }
}
