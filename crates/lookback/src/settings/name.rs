//! Names of channels and decks.

use std::fmt;
use std::str::FromStr;

/// The name of a channel or a deck: short, and the same in a URL, a file name and a shell.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Name(String);

impl Name {
    /// What the only channel, or deck, is called when nobody says otherwise.
    pub(crate) fn main() -> Self {
        Self("main".to_owned())
    }

    /// Takes the name off the front of `NAME=REST`, if there is one.
    pub(crate) fn before_equals(text: &str) -> (Option<Self>, &str) {
        let named = text
            .split_once('=')
            .and_then(|(name, rest)| Some((name.parse().ok()?, rest)));
        named.map_or((None, text), |(name, rest)| (Some(name), rest))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if (1..=LEN_MAX).contains(&text.len()) && text.chars().all(plain) {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!("a name is 1 to {LEN_MAX} letters, digits, - or _"))
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

const LEN_MAX: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_names_only() {
        for name in ["main", "cam-2", "Angle_B", "x"] {
            assert_eq!(name.parse(), Ok(Name(name.to_owned())));
        }
        for name in ["", "a b", "ä", "../x", "a/b", "a.ts", &"x".repeat(33)] {
            assert!(name.parse::<Name>().is_err(), "{name}");
        }
    }
}
