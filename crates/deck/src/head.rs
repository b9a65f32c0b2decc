//! Where a deck reads, and what of it a speed shows.

use std::task::Waker;

use lookback_mpegts::Ticks;
use lookback_replay::{Gone, Program, Unit};

use crate::reader::{Read, Reader};
use crate::speed::{Gait, Speed};
use crate::stretch::Stretch;

/// Where an item is being read.
pub(crate) struct Head {
    pub(crate) reader: Reader,
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

impl Head {
    /// At `wanted`, with nothing read yet.
    pub(crate) fn at(mut reader: Reader, wanted: Ticks, frame: Ticks) -> Self {
        reader.seek(wanted);
        Self {
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
            Gait::Real | Gait::Stretched => self.next_unit(gait, waker),
        }
    }

    fn next_unit(&mut self, gait: Gait, waker: &Waker) -> Result<Fetched, Gone> {
        loop {
            match self.reader.next(waker)? {
                Read::Unit(unit) => {
                    let sound = unit.stream > 0;
                    if !sound || gait == Gait::Real && unit.pts >= self.wanted {
                        let pts = unit.pts;
                        return Ok(Fetched::Unit(Pending { pts, unit }));
                    }
                }
                Read::Program(program) => return Ok(Fetched::Program(program)),
                Read::Pending => return Ok(Fetched::Nothing),
                Read::End => return Ok(Fetched::End),
            }
        }
    }

    /// The next keyframe in the direction of `speed`.
    fn next_key(&mut self, speed: Speed, waker: &Waker) -> Result<Fetched, Gone> {
        if let (true, Some((last, _))) = (speed.is_reverse(), self.keys) {
            self.reader.seek(last - Ticks(1));
        }
        let mut unit = match self.reader.next_key(waker)? {
            Read::Unit(unit) => unit,
            Read::Program(program) => return Ok(Fetched::Program(program)),
            Read::Pending => return Ok(Fetched::Nothing),
            Read::End => return Ok(Fetched::End),
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
