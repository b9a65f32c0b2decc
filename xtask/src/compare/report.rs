//! The table: what was measured, beside what, and whether the target is met.

use std::fmt::{self, Display};

/// One line of the table.
pub(crate) struct Row {
    what: String,
    lookback: String,
    other: String,
    ratio: String,
    target: String,
    met: Option<bool>,
}

/// What a number counts.
#[derive(Clone, Copy)]
pub(crate) enum Unit {
    SecondsPerGigabyte,
    GigabytesPerSecond,
    Milliseconds,
}

/// What is wanted of a ratio.
#[derive(Clone, Copy)]
pub(crate) enum Target {
    AtMost(f64),
    AtLeast(f64),
}

/// Numbers of the same thing, one for each round: lookback's, and that of what it is compared with.
#[derive(Default)]
pub(crate) struct Rounds(Vec<(f64, f64)>);

impl Rounds {
    pub(crate) fn push(&mut self, lookback: f64, other: f64) {
        self.0.push((lookback, other));
    }
}

impl Row {
    /// lookback beside something else, round by round: their medians, and that of the ratios.
    pub(crate) fn compared(
        what: &str,
        unit: Unit,
        rounds: &Rounds,
        other: &str,
        target: Option<Target>,
    ) -> Self {
        let lookback = median(rounds.0.iter().map(|round| round.0));
        let theirs = median(rounds.0.iter().map(|round| round.1));
        let ratios = rounds.0.iter().map(|round| round.0 / round.1);
        let ratio = median(ratios.clone());
        let least = ratios.clone().fold(f64::INFINITY, f64::min);
        let most = ratios.fold(0.0, f64::max);
        Self {
            what: what.to_owned(),
            lookback: unit.show(lookback),
            other: format!("{other}: {}", unit.show(theirs)),
            ratio: format!("{ratio:.2} ({least:.2} to {most:.2})"),
            target: target.map_or_else(String::new, |target| target.to_string()),
            met: target.map(|target| target.is_met(ratio)),
        }
    }

    /// Something with a bound of its own.
    pub(crate) fn bounded(
        what: &str,
        value: impl Display,
        note: &str,
        target: &str,
        met: bool,
    ) -> Self {
        Self {
            what: what.to_owned(),
            lookback: value.to_string(),
            other: note.to_owned(),
            ratio: String::new(),
            target: target.to_owned(),
            met: Some(met),
        }
    }

    fn cells(&self) -> [&str; 6] {
        let met = match self.met {
            Some(true) => "yes",
            Some(false) => "no",
            None => "",
        };
        let Self {
            what,
            lookback,
            other,
            ratio,
            target,
            ..
        } = self;
        [what, lookback, other, ratio, target, met]
    }
}

impl Unit {
    fn show(self, value: f64) -> String {
        match self {
            Self::SecondsPerGigabyte => format!("{value:.3} s/GB"),
            Self::GigabytesPerSecond => format!("{value:.2} GB/s"),
            Self::Milliseconds => format!("{value:.3} ms"),
        }
    }
}

impl Target {
    fn is_met(self, ratio: f64) -> bool {
        match self {
            Self::AtMost(bound) => ratio <= bound,
            Self::AtLeast(bound) => ratio >= bound,
        }
    }
}

impl Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtMost(bound) => write!(f, "at most {bound:.2}"),
            Self::AtLeast(bound) => write!(f, "at least {bound:.2}"),
        }
    }
}

/// The middle one, or the mean of the two in the middle.
pub(crate) fn median(numbers: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = numbers.collect();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => f64::NAN,
        even if even.is_multiple_of(2) => (sorted[middle - 1] + sorted[middle]) / 2.0,
        _ => sorted[middle],
    }
}

/// The rows as a table that reads well as text and is one in Markdown.
pub(crate) fn table(rows: &[Row]) -> String {
    let head = [
        "what",
        "lookback",
        "compared with",
        "ratio (least to most)",
        "target",
        "met",
    ];
    let lines: Vec<[&str; 6]> = [head]
        .into_iter()
        .chain(rows.iter().map(Row::cells))
        .collect();
    let widths: [usize; 6] = std::array::from_fn(|column| {
        lines
            .iter()
            .map(|line| line[column].chars().count())
            .max()
            .unwrap_or(0)
    });
    let show = |cells: [&str; 6]| {
        let cells: Vec<String> = cells
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        format!("| {} |\n", cells.join(" | "))
    };
    let rule = widths.map(|width| "-".repeat(width));
    let mut table = show(lines[0]);
    table += &show(rule.each_ref().map(String::as_str));
    lines[1..].iter().for_each(|line| table += &show(*line));
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median([3.0, 1.0, 100.0].into_iter()), 3.0);
        assert_eq!(median([4.0, 1.0, 2.0, 100.0].into_iter()), 3.0);
        assert!(median(std::iter::empty()).is_nan());
    }

    #[test]
    fn a_ratio_is_that_of_a_round_and_is_held_against_the_target() {
        let mut rounds = Rounds::default();
        // A machine that is half as fast in the second round changes no ratio.
        for (lookback, other) in [(0.30, 0.20), (0.60, 0.40), (0.11, 0.10)] {
            rounds.push(lookback, other);
        }
        let row = |target| Row::compared("it", Unit::SecondsPerGigabyte, &rounds, "bare", target);
        let cells = [
            "it",
            "0.300 s/GB",
            "bare: 0.200 s/GB",
            "1.50 (1.10 to 1.50)",
        ];
        assert_eq!(row(None).cells()[..4], cells);
        assert_eq!(row(None).cells()[4..], ["", ""]);
        assert_eq!(
            row(Some(Target::AtMost(1.25))).cells()[4..],
            ["at most 1.25", "no"]
        );
        assert_eq!(
            row(Some(Target::AtLeast(1.25))).cells()[4..],
            ["at least 1.25", "yes"]
        );
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [Row::bounded("start", "5 ms", "", "under 50 ms", true)];
        let table = table(&rows);
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(
            lines.iter().all(|line| line.len() == lines[0].len()),
            "{table}"
        );
        assert!(lines[2].ends_with("| under 50 ms | yes |"), "{table}");
    }
}
