//! Numbers with a unit, such as `1.5GiB` or `90s`, read without rounding: the parts that sizes and
//! periods have in common.

/// Splits the first number and its unit off `text`: `1h30m` is `1`, `h` and the rest `30m`.
pub(super) fn split(text: &str) -> (&str, &str, &str) {
    let number_end = position(text, |c| !(c.is_ascii_digit() || c == '.'));
    let (number, rest) = text.split_at(number_end);
    let unit_end = position(rest, |c| c.is_ascii_digit() || c == '.');
    let (unit, rest) = rest.split_at(unit_end);
    (number, unit.trim(), rest)
}

fn position(text: &str, matches: impl Fn(char) -> bool) -> usize {
    text.find(matches).unwrap_or(text.len())
}

/// The decimal `number` times `unit`, rounded down. `None` for what is no number, or too large.
pub(super) fn scale(number: &str, unit: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let whole = digits(whole)?.checked_mul(unit.into())?;
    let of = 10u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let part = digits(fraction)?.checked_mul(unit.into())? / of;
    u64::try_from(whole.checked_add(part)?).ok()
}

fn digits(text: &str) -> Option<u128> {
    if text.is_empty() {
        return Some(0);
    }
    // A sign is no digit, though `parse` would take it.
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_exact() {
        assert_eq!(scale("1.5", 1 << 30), Some(3 << 29));
        assert_eq!(scale("0.001", 1000), Some(1));
        assert_eq!(scale(".5", 10), Some(5));
        assert_eq!(scale("5.", 10), Some(50));
    }

    #[test]
    fn what_is_no_number_or_too_large_is_none() {
        for text in ["", ".", "1.2.3", "-1", "+1", "x", "18446744073709551616"] {
            assert_eq!(scale(text, 1), None, "{text}");
        }
        assert_eq!(scale("18446744073709551615", 1), Some(u64::MAX));
        assert_eq!(scale("18446744073709551615", 2), None);
    }
}
