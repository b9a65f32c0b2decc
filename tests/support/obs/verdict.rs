//! What became of the pictures that should have followed a command.

use std::fmt;
use std::time::{Duration, Instant};

use super::eye::Shown;

/// What should follow a command.
pub(crate) struct Expected<'a> {
    /// The pictures, one after the other.
    pub(crate) numbers: &'a [u64],
    /// How long each is on.
    pub(crate) frame: Duration,
    /// So many pictures more may come of what was on before, which were on their way already.
    pub(crate) under_way: u64,
}

/// What did follow.
#[derive(Debug)]
pub(crate) struct Verdict {
    /// From the command to the first picture.
    pub(crate) first: Duration,
    /// From there to the last.
    pub(crate) elapsed: Duration,
    /// How many there are, and how many of them had come or should have when the last one came.
    pub(crate) pictures: usize,
    pub(crate) reached: usize,
    /// Never on, of those.
    pub(crate) lost: usize,
    /// On more than a picture and a half later than the first one promised.
    pub(crate) late: usize,
    /// On in between, although it was nothing's turn but the next picture's.
    pub(crate) strays: usize,
    /// Never seen, but there was time for them between two screenshots.
    pub(crate) unknown: usize,
}

impl Verdict {
    /// Judges what was on after `command`; `None` if there is none of the pictures.
    pub(crate) fn of(command: Instant, shown: &[Shown], expected: &Expected<'_>) -> Option<Self> {
        let Expected { numbers, frame, .. } = *expected;
        let is_of_it = |shown: &Shown| shown.number.is_some_and(|it| numbers.contains(&it));
        let begin = shown.iter().position(is_of_it)?;
        let end = shown.iter().rposition(is_of_it)?;
        let (before, shown) = shown[..=end].split_at(begin);
        let started = shown[0].first;
        let mut verdict = Self {
            first: started - command,
            elapsed: shown[shown.len() - 1].first - started,
            pictures: numbers.len(),
            reached: 0,
            lost: 0,
            late: 0,
            strays: expected.strays_before(before),
            unknown: 0,
        };
        let mut last = before.last().map_or(command, |before| before.last);
        for picture in shown {
            let next = verdict.reached;
            if next == numbers.len() {
                break;
            }
            let turn = numbers[next..]
                .iter()
                .position(|it| picture.number == Some(*it));
            let Some(skipped) = turn else {
                verdict.strays += 1;
                continue;
            };
            if picture.first - last > frame {
                verdict.unknown += skipped;
            } else {
                verdict.lost += skipped;
            }
            let due = started + frame * u32::try_from(next + skipped).expect("a play is short");
            verdict.late += usize::from(picture.first > due + frame * 3 / 2);
            verdict.reached = next + skipped + 1;
            last = picture.last;
        }
        Some(verdict)
    }
}

impl Expected<'_> {
    /// What was on when the command came is none, nor what was under way.
    fn strays_before(&self, before: &[Shown]) -> usize {
        let Some((on, rest)) = before.split_first() else {
            return 0;
        };
        let was_under_way = |shown: &&Shown| {
            let passed = on.number.zip(shown.number);
            passed.is_some_and(|(on, shown)| shown.abs_diff(on) <= self.under_way)
        };
        rest.len() - rest.iter().filter(was_under_way).count()
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            pictures,
            lost,
            late,
            strays,
            unknown,
            ..
        } = self;
        let first = self.first.as_millis();
        write!(
            f,
            "{first} ms, {pictures} pictures, {lost} lost, {late} late, {strays} strays, {unknown} not seen"
        )
    }
}
