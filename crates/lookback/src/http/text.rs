//! Names and tags as users give them: any script, one line, of bounded length.

use super::problem::Problem;

/// Characters of a name.
const NAME_MAX: usize = 200;

/// Characters of a tag.
const TAG_MAX: usize = 50;

/// Tags of one replay.
const TAGS_MAX: usize = 32;

/// A name in one line: what controls a terminal or turns the direction of writing is left out.
pub(super) fn name(given: &str) -> Result<String, Problem> {
    line(given, NAME_MAX, "bad_name", "a name")
}

/// Tags, each once.
pub(super) fn tags(given: &[String]) -> Result<Vec<String>, Problem> {
    if given.len() > TAGS_MAX {
        let detail = format!("there are {} tags, and {TAGS_MAX} at most", given.len());
        return Err(Problem::unprocessable("bad_tags", detail));
    }
    let mut tags = Vec::new();
    for tag in given {
        let tag = line(tag, TAG_MAX, "bad_tags", "a tag")?;
        if !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    Ok(tags)
}

fn line(given: &str, max: usize, code: &'static str, what: &str) -> Result<String, Problem> {
    let plain: String = given
        .chars()
        .filter(|c| !turns(*c))
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let words: Vec<&str> = plain.split_whitespace().collect();
    let line = words.join(" ");
    match line.chars().count() {
        0 => Err(Problem::unprocessable(
            code,
            format!("{what} has at least one character"),
        )),
        count if count > max => {
            let detail = format!("{what} has {max} characters at most, not {count}");
            Err(Problem::unprocessable(code, detail))
        }
        _ => Ok(line),
    }
}

/// Whether a character turns the direction of writing.
fn turns(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A name as it may stand in a header and be the name of a file anywhere.
pub(super) fn file_name(name: &str) -> String {
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || c == '-' {
            c
        } else {
            '_'
        }
    };
    name.chars().take(60).map(plain).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_one_plain_line() {
        for (given, cleaned) in [
            ("Goal", "Goal"),
            ("  a\tb\r\nc  ", "a b c"),
            ("\u{1b}[31mred\u{7}", "[31mred"),
            ("Zürich 1:0 / 東京", "Zürich 1:0 / 東京"),
            ("ab\u{202e}cd", "abcd"),
            ("CON", "CON"),
        ] {
            assert_eq!(name(given).ok().as_deref(), Some(cleaned), "{given:?}");
        }
        for given in [
            "",
            " \n ",
            "\u{202e}",
            &"x".repeat(NAME_MAX + 1),
            &"ä".repeat(10_000),
        ] {
            assert_eq!(
                name(given).map_err(|problem| problem.code()),
                Err("bad_name")
            );
        }
        assert!(name(&"ä".repeat(NAME_MAX)).is_ok());
    }

    #[test]
    fn tags_are_few_and_each_is_there_once() {
        let owned = |tags: &[&str]| tags.iter().map(|&tag| tag.to_owned()).collect::<Vec<_>>();
        let cleaned = tags(&owned(&["goal", " goal ", "red"]));
        assert_eq!(cleaned.ok(), Some(owned(&["goal", "red"])));
        let many: Vec<String> = (0..=TAGS_MAX).map(|n| n.to_string()).collect();
        for given in [many, owned(&[""]), vec!["x".repeat(TAG_MAX + 1)]] {
            assert_eq!(
                tags(&given).map_err(|problem| problem.code()),
                Err("bad_tags")
            );
        }
    }

    proptest! {
        #[test]
        fn any_name_is_safe_in_a_header_and_a_terminal(given in ".{0,300}") {
            if let Ok(name) = name(&given) {
                prop_assert!(!name.chars().any(|c| c.is_control() || turns(c)));
                prop_assert!(file_name(&name).is_ascii());
                // What is cleaned stays as it is.
                prop_assert_eq!(super::name(&name).ok(), Some(name));
            }
        }
    }
}
