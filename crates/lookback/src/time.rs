//! Moments as people and programs write them, and as answers show them.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::civil::{DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use lookback_replay::Wall;
use serde::de::{self, Deserialize, Deserializer, Visitor};

use crate::settings::Period;

/// A moment: RFC 3339, Unix milliseconds, or an offset from now such as `-30s`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Moment {
    /// Then.
    At(Wall),
    /// So long before now.
    Ago(Duration),
}

impl Moment {
    /// The time of day that is meant when it is `now`.
    pub(crate) fn wall(self, now: Wall) -> Wall {
        match self {
            Self::At(wall) => wall,
            Self::Ago(ago) => now - ago,
        }
    }
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let all_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if all_digits && let Ok(millis) = text.parse() {
            return Ok(Self::At(Wall::from_unix_millis(millis)));
        }
        if let Some(ago) = text.strip_prefix('-')
            && let Ok(period) = ago.parse::<Period>()
        {
            return Ok(Self::Ago(period.into()));
        }
        // In a query an unescaped + of a time zone has become a space.
        match text.replace(' ', "+").parse::<Timestamp>() {
            Ok(timestamp) => Ok(Self::At(Wall(timestamp.as_microsecond()))),
            Err(_) => Err(
                "write a time as 2026-05-01T18:30:00Z, as Unix milliseconds, or as an \
                           offset from now such as -30s"
                    .to_owned(),
            ),
        }
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(MomentVisitor)
    }
}

struct MomentVisitor;

impl Visitor<'_> for MomentVisitor {
    type Value = Moment;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a time (RFC 3339, Unix milliseconds, or an offset such as -30s)")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Moment, E> {
        text.parse()
            .map_err(|error| E::custom(format!("{text:?}: {error}")))
    }

    fn visit_u64<E: de::Error>(self, millis: u64) -> Result<Moment, E> {
        self.visit_i64(i64::try_from(millis).unwrap_or(i64::MAX))
    }

    fn visit_i64<E: de::Error>(self, millis: i64) -> Result<Moment, E> {
        Ok(Moment::At(Wall::from_unix_millis(millis)))
    }
}

/// A moment as answers show it: RFC 3339 in UTC, to the millisecond.
pub(crate) fn rfc3339(wall: Wall) -> String {
    let timestamp = Timestamp::from_millisecond(wall.as_unix_millis()).unwrap_or_default();
    format!("{timestamp:.3}")
}

/// The same as the clock on the wall shows it, in 14 digits for names of files.
pub(crate) fn in_digits(wall: Wall) -> String {
    let timestamp = Timestamp::from_millisecond(wall.as_unix_millis()).unwrap_or_default();
    let here = timestamp.to_zoned(TimeZone::system());
    here.strftime("%Y%m%d%H%M%S").to_string()
}

/// A moment of an answer as the clock on the wall shows it.
pub(crate) fn local(moment: &str) -> String {
    local_in(moment, TimeZone::system())
}

/// A moment as it is written at the command line, as servers take it: times of the clock on the wall are told
/// in UTC, since theirs may be another, and all else is left to them.
pub(crate) fn asked(text: &str) -> Result<String, Infallible> {
    Ok(asked_in(text, TimeZone::system(), Timestamp::now()))
}

/// What a server says, with each moment in it as the clock on the wall shows it.
pub(crate) fn localized(text: &str) -> String {
    text.split(' ').map(local).collect::<Vec<_>>().join(" ")
}

fn local_in(moment: &str, zone: TimeZone) -> String {
    match moment.parse::<Timestamp>() {
        Ok(moment) => moment
            .to_zoned(zone)
            .strftime("%Y-%m-%d %H:%M:%S")
            .to_string(),
        Err(_) => moment.to_owned(),
    }
}

fn asked_in(text: &str, zone: TimeZone, now: Timestamp) -> String {
    if text.parse::<Moment>().is_ok() {
        return text.to_owned();
    }
    let text = text.trim();
    let today = now.to_zoned(zone.clone()).datetime();
    let on_the_wall = match text.parse::<Time>() {
        // Nothing is recorded of what is still to come.
        Ok(time) if time > today.time() => (today - 1.day()).date().to_datetime(time),
        Ok(time) => today.date().to_datetime(time),
        Err(_) => match text.parse::<DateTime>() {
            Ok(moment) => moment,
            Err(_) => return text.to_owned(),
        },
    };
    let moment = on_the_wall.to_zoned(zone);
    moment.map_or(text.to_owned(), |moment| moment.timestamp().to_string())
}

#[cfg(test)]
mod tests {
    use jiff::tz::Offset;
    use proptest::prelude::*;

    use super::*;

    const AT: Wall = Wall(1_777_660_200_123_000);

    #[test]
    fn three_ways_to_say_when() {
        for text in [
            "2026-05-01T18:30:00.123Z",
            "2026-05-01T20:30:00.123+02:00",
            "2026-05-01T20:30:00.123 02:00",
        ] {
            assert_eq!(text.parse(), Ok(Moment::At(AT)), "{text}");
        }
        assert_eq!("1777660200123".parse(), Ok(Moment::At(AT)));
        assert_eq!("-1m30s".parse(), Ok(Moment::Ago(Duration::from_secs(90))));
        assert_eq!(
            Moment::Ago(Duration::from_secs(1)).wall(AT),
            Wall(AT.0 - 1_000_000)
        );
        for text in ["", "-", "30s", "yesterday", "-30", "2026-05-01", "18:30"] {
            assert!(text.parse::<Moment>().is_err(), "{text}");
        }
    }

    #[test]
    fn json_takes_texts_and_numbers() {
        let read =
            |json: &str| serde_json::from_str::<Moment>(json).map_err(|error| error.to_string());
        assert_eq!(read("1777660200123"), Ok(Moment::At(AT)));
        assert_eq!(read("\"2026-05-01T18:30:00.123Z\""), Ok(Moment::At(AT)));
        assert!(read("\"noon\"").expect_err("no time").contains("-30s"));
        assert!(read("true").is_err());
    }

    #[test]
    fn the_clock_on_the_wall() {
        let india = || TimeZone::fixed(Offset::from_seconds(19_800).expect("it is one"));
        let now = "2026-05-01T18:30:00Z".parse().expect("a time");
        assert_eq!(
            local_in("2026-05-01T18:30:00.123Z", india()),
            "2026-05-02 00:00:00"
        );
        assert_eq!(local_in("x", india()), "x");
        for (text, told) in [
            ("2026-05-02 00:00:00", "2026-05-01T18:30:00Z"),
            ("2026-05-01T23:00", "2026-05-01T17:30:00Z"),
            ("00:00", "2026-05-01T18:30:00Z"),
            ("23:59:30.5", "2026-05-01T18:29:30.5Z"),
            ("2026-05-01T20:30:00+02:00", "2026-05-01T20:30:00+02:00"),
            ("2026-05-01T18:30:00Z", "2026-05-01T18:30:00Z"),
            ("1777660200123", "1777660200123"),
            ("-30s", "-30s"),
            ("noon", "noon"),
            ("", ""),
        ] {
            assert_eq!(asked_in(text, india(), now), told, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(millis in 0i64..4_000_000_000_000) {
            let wall = Wall::from_unix_millis(millis);
            prop_assert_eq!(rfc3339(wall).parse(), Ok(Moment::At(wall)));
        }

        #[test]
        fn no_text_panics(text in ".*") {
            let _ = text.parse::<Moment>();
            asked_in(&text, TimeZone::UTC, Timestamp::UNIX_EPOCH);
        }
    }
}
