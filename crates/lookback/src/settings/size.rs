//! Sizes of memory, as people write them.

use std::fmt;
use std::str::FromStr;

use serde::de::{self, Deserialize, Deserializer};

use super::quantity;

/// A number of bytes: `200MB`, `1.5GiB`.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Size(pub(crate) u64);

impl Size {
    pub(crate) const fn mebibytes(count: u64) -> Self {
        Self(count << 20)
    }
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (number, unit, rest) = quantity::split(text.trim());
        let bytes = UNITS
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(unit));
        match bytes.and_then(|(_, bytes)| quantity::scale(number, *bytes)) {
            Some(bytes) if rest.is_empty() => Ok(Self(bytes)),
            _ => Err("write a size as a number with a unit, such as 200MB or 1.5GiB".to_owned()),
        }
    }
}

impl fmt::Display for Size {
    /// In the largest unit that needs no fraction, so that what is shown reads back as the same size.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = |(_, unit): &&(&str, u64)| self.0 >= *unit && self.0.is_multiple_of(*unit);
        match UNITS.iter().find(whole) {
            Some((name, unit)) => write!(f, "{}{name}", self.0 / unit),
            None => write!(f, "{}B", self.0),
        }
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse()
            .map_err(|error| de::Error::custom(format!("{text:?}: {error}")))
    }
}

/// Largest first, and the binary unit before the decimal one of the same rank.
const UNITS: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("TB", 1_000_000_000_000),
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("kB", 1_000),
    ("B", 1),
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn people_write_sizes_like_this() {
        for (text, bytes) in [
            ("200MB", 200_000_000),
            ("200 mb", 200_000_000),
            ("1.5GiB", 3 << 29),
            ("512MiB", 512 << 20),
            ("16KiB", 16 << 10),
            ("4096B", 4096),
        ] {
            assert_eq!(text.parse(), Ok(Size(bytes)), "{text}");
        }
    }

    #[test]
    fn anything_else_is_told_how() {
        for text in [
            "",
            "512",
            "200M",
            "MB",
            "-1MB",
            "1MB2",
            "1e3MB",
            "99999999TiB",
            "12 parsecs",
        ] {
            let error = text.parse::<Size>().expect_err(text);
            assert!(error.contains("200MB"), "{error}");
        }
    }

    #[test]
    fn shown_without_fraction() {
        assert_eq!(Size::mebibytes(512).to_string(), "512MiB");
        assert_eq!(Size(200_000_000).to_string(), "200MB");
        assert_eq!(Size(0).to_string(), "0B");
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(bytes: u64) {
            prop_assert_eq!(Size(bytes).to_string().parse(), Ok(Size(bytes)));
        }

        #[test]
        fn no_text_panics(text in ".*") {
            let _ = text.parse::<Size>();
        }
    }
}
