//! Numbers of segments: a channel's pictures in stretches of about two seconds, each from a keyframe on.
//!
//! A key is given its place when it comes, and keeps it: what a segment is and how it is numbered does not
//! depend on who asks, nor on how much of the log is left.

use lookback_mpegts::Ticks;

/// How long a segment is at least, if its run does not end before. The last key in front of two seconds is taken
/// for the one at two seconds: timestamps are rounded, and encoders are not exact.
const LENGTH_MIN: Ticks = Ticks(Ticks::SECOND.0 * 18 / 10);

/// Where a key is among the segments of its channel.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Place {
    /// Segments before its own.
    pub(crate) segment: u64,
    /// Runs before its own.
    pub(crate) run: u64,
    /// From which offset on the parameter sets hold with which it is decoded.
    pub(crate) parameters: u64,
    /// Whether its segment begins with it.
    pub(crate) is_start: bool,
    /// Whether its segment is the first of its run.
    pub(crate) is_first: bool,
}

/// Counts the segments of a channel.
#[derive(Default)]
pub(crate) struct Numbering {
    newest: Option<Newest>,
    longest: Ticks,
}

/// The segment that the last key was in.
struct Newest {
    run_start: u64,
    since: Ticks,
    place: Place,
}

impl Numbering {
    /// The place of the next key, of the run that begins at `run_start`. Only where it `is_whole` a segment can
    /// begin with it.
    pub(crate) fn place(
        &mut self,
        run_start: u64,
        parameters: u64,
        pts: Ticks,
        is_whole: bool,
    ) -> Place {
        let of_newest = self.newest.as_ref().map(|newest| newest.place);
        let goes_on = Place {
            is_start: false,
            ..of_newest.unwrap_or_default()
        };
        if !is_whole {
            return goes_on;
        }
        let begins = Place {
            segment: of_newest.map_or(0, |newest| newest.segment + 1),
            run: of_newest.map_or(0, |newest| newest.run + 1),
            parameters,
            is_start: true,
            is_first: true,
        };
        let place = match &self.newest {
            Some(Newest { since, place, .. }) if !self.is_new(run_start) => {
                let is_due = pts - *since >= LENGTH_MIN || parameters != place.parameters;
                if !is_due {
                    return goes_on;
                }
                self.longest = self.longest.max(pts - *since);
                Place {
                    run: place.run,
                    is_first: false,
                    ..begins
                }
            }
            _ => begins,
        };
        self.newest = Some(Newest {
            run_start,
            since: pts,
            place,
        });
        place
    }

    fn is_new(&self, run_start: u64) -> bool {
        let newest = self.newest.as_ref();
        newest.is_none_or(|newest| newest.run_start != run_start)
    }

    /// The segment that the last key was in.
    pub(crate) fn newest(&self) -> Option<u64> {
        self.newest.as_ref().map(|newest| newest.place.segment)
    }

    /// The length of the longest segment so far.
    pub(crate) fn longest(&self) -> Ticks {
        self.longest
    }

    /// A run has ended with a segment of this length.
    pub(crate) fn ended_with(&mut self, length: Ticks) {
        self.longest = self.longest.max(length);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HALF_SECOND: i64 = Ticks::SECOND.0 / 2;

    fn numbers(keys: &[(u64, u64, i64)]) -> Vec<(u64, u64, bool, bool)> {
        let mut numbering = Numbering::default();
        keys.iter()
            .map(|&(run, parameters, at)| numbering.place(run, parameters, Ticks(at), true))
            .map(|place| (place.segment, place.run, place.is_start, place.is_first))
            .collect()
    }

    #[test]
    fn a_segment_is_two_seconds_of_short_groups() {
        let keys: Vec<_> = (0..9).map(|n| (0, 0, n * HALF_SECOND)).collect();
        let starts: Vec<bool> = numbers(&keys).iter().map(|key| key.2).collect();
        let expected = [0, 4, 8].map(|start| {
            let mut row = [false; 9];
            row[start] = true;
            row
        });
        for (at, starts) in starts.iter().enumerate() {
            assert_eq!(*starts, expected.iter().any(|row| row[at]), "key {at}");
        }
    }

    #[test]
    fn runs_and_parameter_sets_begin_segments() {
        let keys = [(0, 0, 0), (0, 0, HALF_SECOND), (700, 700, 5), (700, 900, 6)];
        let expected = [
            (0, 0, true, true),
            (0, 0, false, true),
            (1, 1, true, true),
            (2, 1, true, false),
        ];
        assert_eq!(numbers(&keys), expected);
    }

    #[test]
    fn no_segment_begins_with_a_damaged_key() {
        let mut numbering = Numbering::default();
        numbering.place(0, 0, Ticks(0), true);
        let damaged = numbering.place(0, 0, Ticks::SECOND + Ticks::SECOND, false);
        assert_eq!((damaged.segment, damaged.is_start), (0, false));
        let whole = numbering.place(0, 0, Ticks(Ticks::SECOND.0 * 3), true);
        assert_eq!((whole.segment, whole.is_start), (1, true));
        assert_eq!(numbering.longest(), Ticks(Ticks::SECOND.0 * 3));
        // Nor a run.
        assert!(!numbering.place(9, 9, Ticks(0), false).is_start);
        let whole = numbering.place(9, 9, Ticks(5), true);
        assert_eq!((whole.segment, whole.run, whole.is_first), (2, 1, true));
    }

    proptest! {
        #[test]
        fn numbers_count_up_and_lengths_are_bounded(
            keys in prop::collection::vec((1i64..400_000, prop::bool::weighted(0.05)), 1..200),
        ) {
            let mut numbering = Numbering::default();
            let (mut run, mut at, mut last) = (0u64, 0i64, None::<(Place, i64, i64)>);
            for (step, new_run) in keys {
                run += u64::from(new_run);
                at += step;
                let place = numbering.place(run, run, Ticks(at), true);
                if let Some((before, since, key)) = last {
                    prop_assert_eq!(place.segment - before.segment, u64::from(place.is_start));
                    prop_assert_eq!(place.run - before.run, u64::from(new_run));
                    prop_assert!(!new_run || place.is_start);
                    if place.is_start && !new_run {
                        // No key before this one was late enough.
                        prop_assert!(at - since >= LENGTH_MIN.0 && (key == since || key - since < LENGTH_MIN.0));
                        prop_assert!(numbering.longest() >= Ticks(at - since));
                    }
                    last = Some((place, if place.is_start { at } else { since }, at));
                } else {
                    prop_assert!(place.is_start && place.is_first && place.segment == 0);
                    last = Some((place, at, at));
                }
            }
        }
    }
}
