//! Which units go on with the timeline of a run, and where a new one begins.

use lookback_codec::Access;
use lookback_mpegts::{Ticks, Unwrapper};

use super::assembler::Open;
use crate::run::Run;

/// A step between the timestamps of two units of one track that is no longer taken for a pause.
const JUMP: Ticks = Ticks(10 * 90_000);

/// Sound that steps back less than this is left out rather than taken for a new timeline.
const SLIP: Ticks = Ticks(90_000);

/// How far apart the keys of a stream without video are.
const AUDIO_KEY_INTERVAL: Ticks = Ticks(90_000 / 2);

/// A stream whose only entry points are gradual ones is cut at those, after this long without a
/// better one.
const GRADUAL_AFTER: Ticks = Ticks(10 * 90_000);

/// PTS and DTS of a unit, as the run counts them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Time {
    pub(super) pts: Ticks,
    pub(super) dts: Ticks,
}

/// Where a unit belongs.
pub(super) enum Verdict {
    Fits(Time),
    /// The timeline jumps here.
    Jump,
    /// Belongs to no timeline: the end of the one before, or sound that slipped back.
    Stray,
}

/// What the timestamps of a track tell.
#[derive(Clone, Copy)]
pub(super) enum Order {
    /// Sound, and what else is not cut on: they rise.
    Sound,
    /// When a picture is decoded: they rise, or else a new timeline begins.
    Decoded,
    /// When a picture is shown.
    Shown,
}

/// The timeline of the current run.
#[derive(Default)]
pub(super) struct Timeline {
    unwrapper: Unwrapper,
    /// DTS of the first complete unit of the track that is cut on.
    first: Option<Ticks>,
    /// DTS of the newest complete unit of that track.
    complete: Option<Ticks>,
    /// DTS of the newest unit of any track.
    latest: Option<Ticks>,
    /// DTS of the newest unit of each track.
    tracks: Vec<Option<Ticks>>,
    /// DTS of the newest key that needs no patience.
    clean_key: Option<Ticks>,
    /// PTS of the newest key.
    key: Option<Ticks>,
}

impl Timeline {
    pub(super) fn new(tracks: usize) -> Self {
        Self {
            tracks: vec![None; tracks],
            ..Self::default()
        }
    }

    /// DTS of the newest unit, whatever its track.
    pub(super) fn latest(&self) -> Option<Ticks> {
        self.latest
    }

    pub(super) fn has_key(&self) -> bool {
        self.key.is_some()
    }

    /// Judges a unit with these timestamps of 33 bits.
    pub(super) fn place(
        &mut self,
        track: usize,
        order: Order,
        pts: u64,
        dts: Option<u64>,
    ) -> Verdict {
        let before = self.unwrapper.clone();
        let dts = self.unwrapper.unwrap(dts.unwrap_or(pts));
        let pts = Ticks::from_raw_near(pts, dts);
        let verdict = self.judge(track, order, Time { pts, dts });
        if !matches!(verdict, Verdict::Fits(_)) {
            // What does not belong here must not pull the timeline with it.
            self.unwrapper = before;
        }
        verdict
    }

    fn judge(&self, track: usize, order: Order, time: Time) -> Verdict {
        let away = |other: Ticks| time.dts.0 - other.0;
        let near_latest = self
            .latest
            .is_none_or(|latest| away(latest).abs() <= JUMP.0);
        let Some(last) = self.tracks[track] else {
            // The first of its track: after a jump, tracks come over one after the other.
            return match near_latest {
                true => Verdict::Fits(time),
                false => Verdict::Stray,
            };
        };
        let step = away(last);
        match step {
            1.. if step <= JUMP.0 || near_latest => Verdict::Fits(time),
            1.. => Verdict::Jump,
            _ if step <= -SLIP.0 => Verdict::Jump,
            _ => match order {
                Order::Sound => Verdict::Stray,
                Order::Decoded => Verdict::Jump,
                Order::Shown => Verdict::Fits(time),
            },
        }
    }

    /// A unit has begun here.
    pub(super) fn begun(&mut self, track: usize, time: Time) {
        let latest = self.latest.map_or(time.dts, |latest| latest.max(time.dts));
        self.latest = Some(latest);
        self.tracks[track] = Some(time.dts);
    }

    /// Whether a clip can begin with this unit, of which all has come.
    pub(super) fn is_key(&self, run: &Run, track: usize, open: &Open, time: Time) -> bool {
        if open.damaged {
            return false;
        }
        if run.tracks[track].codec.is_audio() {
            let far = |last: Ticks| time.pts.0 - last.0 >= AUDIO_KEY_INTERVAL.0;
            return track == run.cut && self.key.is_none_or(far);
        }
        let Some(picture) = open.picture else {
            return false;
        };
        let decodable =
            picture.has_parameter_sets || (track == run.cut && !run.parameters.is_empty());
        decodable
            && match picture.access {
                Access::Closed | Access::Open => true,
                Access::Gradual(_) => self
                    .clean_key
                    .is_none_or(|last| time.dts.0 - last.0 > GRADUAL_AFTER.0),
                Access::None => picture.intra && open.random_access,
            }
    }

    /// The unit is a key; a clean one needs no patience to decode.
    pub(super) fn key(&mut self, time: Time, is_clean: bool) {
        self.key = Some(time.pts);
        if is_clean {
            self.clean_key = Some(time.dts);
        }
    }

    /// A unit of the track that is cut on is complete; gives how long after the last one it comes, where it does.
    pub(super) fn completed(&mut self, time: Time) -> Option<Ticks> {
        self.first.get_or_insert(time.dts);
        let last = self.complete.replace(time.dts)?;
        (time.dts > last).then(|| time.dts - last)
    }

    /// Whether no key has come for so long that something is wrong.
    pub(super) fn lacks_key(&self) -> bool {
        let (Some(first), Some(newest)) = (self.first, self.complete) else {
            return false;
        };
        self.key.is_none() && newest.0 - first.0 > JUMP.0
    }
}
