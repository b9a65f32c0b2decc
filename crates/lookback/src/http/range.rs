//! Byte ranges (RFC 9110, 14.2): what part of a clip a request asks for.
//!
//! One range is honoured. Several, and what is no range at all, are answered with the whole, as the
//! RFC allows.

use std::ops::Range;

/// What a request asks for.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Wanted {
    /// Everything.
    Whole,
    /// These bytes, at least one.
    Part(Range<u64>),
    /// A part that lies behind the end.
    Unsatisfiable,
}

/// Reads the `Range` header of a request for something that is `len` bytes long.
pub(super) fn wanted(range: Option<&str>, len: u64) -> Wanted {
    let Some((unit, spec)) = range.and_then(|header| header.split_once('=')) else {
        return Wanted::Whole;
    };
    let Some((first, last)) = spec.trim().split_once('-') else {
        return Wanted::Whole;
    };
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return Wanted::Whole;
    }
    let part = match (number(first), number(last)) {
        (Number::Is(first), Number::Absent) => first..len,
        (Number::Is(first), Number::Is(last)) if first <= last => {
            first..last.saturating_add(1).min(len)
        }
        (Number::Absent, Number::Is(count)) => len.saturating_sub(count)..len,
        _ => return Wanted::Whole,
    };
    if part.is_empty() {
        Wanted::Unsatisfiable
    } else {
        Wanted::Part(part)
    }
}

/// Whether the tag of an `If-Range` header lets the range apply. Only a strong tag does, and a date
/// never: the clock of a client says nothing of a clip.
pub(super) fn if_range_holds(if_range: Option<&str>, tag: &str) -> bool {
    if_range.is_none_or(|shown| shown.trim() == tag)
}

/// Whether an `If-None-Match` header names the tag, so that the client has the bytes already.
pub(super) fn none_match_names(if_none_match: Option<&str>, tag: &str) -> bool {
    let strip = |shown: &str| shown.trim().trim_start_matches("W/").to_owned();
    let named = |shown: &str| matches!(strip(shown).as_str(), "*") || strip(shown) == tag;
    if_none_match.is_some_and(|tags| tags.split(',').any(named))
}

enum Number {
    Absent,
    Is(u64),
    /// Not a number.
    Odd,
}

fn number(text: &str) -> Number {
    let text = text.trim();
    match text {
        "" => Number::Absent,
        text if text.bytes().all(|byte| byte.is_ascii_digit()) => {
            // What no length reaches may be as large as it likes.
            Number::Is(text.parse().unwrap_or(u64::MAX))
        }
        _ => Number::Odd,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn as_players_ask() {
        for (header, expected) in [
            ("bytes=0-", Wanted::Part(0..1000)),
            ("bytes=0-1", Wanted::Part(0..2)),
            ("bytes=999-", Wanted::Part(999..1000)),
            ("bytes=0-99999999999999999999999", Wanted::Part(0..1000)),
            ("bytes=-250", Wanted::Part(750..1000)),
            ("bytes=-5000", Wanted::Part(0..1000)),
            ("Bytes = 5-9", Wanted::Part(5..10)),
            ("bytes=1000-", Wanted::Unsatisfiable),
            ("bytes=5000-6000", Wanted::Unsatisfiable),
            ("bytes=-0", Wanted::Unsatisfiable),
        ] {
            assert_eq!(wanted(Some(header), 1000), expected, "{header}");
        }
        assert_eq!(wanted(None, 1000), Wanted::Whole);
        assert_eq!(wanted(Some("bytes=0-"), 0), Wanted::Unsatisfiable);
    }

    #[test]
    fn what_is_no_single_range_gives_the_whole() {
        for header in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=5-3",
            "bytes=a-b",
            "bytes=0-1,5-6",
            "lines=0-1",
        ] {
            assert_eq!(wanted(Some(header), 1000), Wanted::Whole, "{header}");
        }
    }

    #[test]
    fn tags() {
        assert!(if_range_holds(None, "\"x\""));
        assert!(if_range_holds(Some("\"x\""), "\"x\""));
        for other in ["\"y\"", "W/\"x\"", "Wed, 21 Oct 2026 07:28:00 GMT"] {
            assert!(!if_range_holds(Some(other), "\"x\""), "{other}");
        }
        assert!(none_match_names(Some("\"y\", W/\"x\""), "\"x\""));
        assert!(none_match_names(Some("*"), "\"x\""));
        assert!(!none_match_names(Some("\"y\""), "\"x\""));
        assert!(!none_match_names(None, "\"x\""));
    }

    proptest! {
        #[test]
        fn a_part_lies_within_and_is_what_was_asked(first in 0u64..3000, count in 1u64..3000, len in 0u64..2000) {
            let last = first + count - 1;
            let expected = if first < len { Wanted::Part(first..len.min(last + 1)) } else { Wanted::Unsatisfiable };
            prop_assert_eq!(wanted(Some(&format!("bytes={first}-{last}")), len), expected);
        }

        #[test]
        fn any_header_gives_bytes_that_exist(header in "(bytes=)?[0-9,\\- ]{0,24}", len: u64) {
            if let Wanted::Part(part) = wanted(Some(&header), len) {
                prop_assert!(part.start < part.end && part.end <= len);
            }
        }
    }
}
