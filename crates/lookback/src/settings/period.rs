//! Lengths of time, as people write them.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::de::{self, Deserialize, Deserializer};

use super::quantity;

/// A length of time: `90s`, `5min`, `1h30m`. Never zero.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Period(Duration);

impl From<Period> for Duration {
    fn from(period: Period) -> Self {
        period.0
    }
}

impl FromStr for Period {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let explain = || "write a duration with units, such as 90s, 5min or 1h30m".to_owned();
        let mut rest = text.trim();
        let mut micros = 0u64;
        while !rest.is_empty() {
            let (number, unit, after) = quantity::split(rest);
            let (_, unit) = UNITS
                .iter()
                .find(|(name, _)| *name == unit)
                .ok_or_else(explain)?;
            let part = quantity::scale(number, *unit).ok_or_else(explain)?;
            micros = micros.checked_add(part).ok_or_else(explain)?;
            rest = after.trim_start();
        }
        match micros {
            0 if text.trim().is_empty() => Err(explain()),
            0 => Err("a duration must be longer than nothing".to_owned()),
            micros => Ok(Self(Duration::from_micros(micros))),
        }
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut left = u64::try_from(self.0.as_micros()).unwrap_or(u64::MAX);
        for (name, unit) in SHOWN {
            if left >= unit {
                write!(f, "{}{name}", left / unit)?;
                left %= unit;
            }
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse()
            .map_err(|error| de::Error::custom(format!("{text:?}: {error}")))
    }
}

/// In microseconds.
const UNITS: [(&str, u64); 8] = [
    ("us", 1),
    ("ms", 1_000),
    ("s", SECOND),
    ("sec", SECOND),
    ("m", MINUTE),
    ("min", MINUTE),
    ("h", HOUR),
    ("d", DAY),
];
const SHOWN: [(&str, u64); 6] = [
    ("d", DAY),
    ("h", HOUR),
    ("min", MINUTE),
    ("s", SECOND),
    ("ms", 1_000),
    ("us", 1),
];
const SECOND: u64 = 1_000_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn people_write_periods_like_this() {
        for (text, seconds) in [
            ("90s", 90.0),
            ("5min", 300.0),
            ("5 min", 300.0),
            ("1h30m", 5400.0),
            ("1h 30min", 5400.0),
            ("0.5s", 0.5),
            ("1.5h", 5400.0),
            ("250ms", 0.25),
            ("1d", 86400.0),
        ] {
            let period = text.parse::<Period>().map(Duration::from);
            assert_eq!(period, Ok(Duration::from_secs_f64(seconds)), "{text}");
        }
    }

    #[test]
    fn anything_else_is_told_how() {
        for text in [
            "",
            " ",
            "90",
            "s",
            "-5s",
            "1h30",
            "5 parsecs",
            "99999999999999d",
            "1..5s",
        ] {
            let error = text.parse::<Period>().expect_err(text);
            assert!(error.contains("90s"), "{error}");
        }
        assert!("0s".parse::<Period>().is_err());
    }

    #[test]
    fn shown_from_the_largest_unit_down() {
        assert_eq!(
            "5400s".parse::<Period>().map(|it| it.to_string()),
            Ok("1h30min".to_owned())
        );
        assert_eq!(
            "1500ms".parse::<Period>().map(|it| it.to_string()),
            Ok("1s500ms".to_owned())
        );
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(micros in 1..u64::MAX) {
            let period = Period(Duration::from_micros(micros));
            prop_assert_eq!(period.to_string().parse(), Ok(period));
        }

        #[test]
        fn no_text_panics(text in ".*") {
            let _ = text.parse::<Period>();
        }
    }
}
