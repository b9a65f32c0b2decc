//! The token that clients show where the server listens wider than this machine.

use std::fmt;
use std::hint::black_box;
use std::str::FromStr;

/// A secret text. It is never shown: its `Debug` hides it.
#[derive(Clone, Eq, PartialEq)]
pub(crate) struct Token(String);

impl Token {
    /// Whether this is what a client has shown, in a time that does not tell how much of it is right.
    pub(crate) fn is(&self, shown: &str) -> bool {
        let (ours, theirs) = (self.0.as_bytes(), shown.as_bytes());
        let differences = ours
            .iter()
            .zip(theirs)
            .fold(0, |found, (a, b)| black_box(found | (a ^ b)));
        ours.len() == theirs.len() && differences == 0
    }

    /// The text itself, for the cookie of whoever has shown it.
    pub(super) fn secret(&self) -> &str {
        &self.0
    }
}

impl FromStr for Token {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
        if text.len() >= LEN_MIN && text.bytes().all(plain) {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!(
                "a token is one line of at least {LEN_MIN} letters, digits or -._~+/= (make one with: \
                 openssl rand -hex 16)"
            ))
        }
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// Long enough not to be tried out over a network.
const LEN_MIN: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_token_is_right() {
        let token: Token = "0123456789abcdef".parse().expect("long enough");
        assert!(token.is("0123456789abcdef"));
        for wrong in [
            "",
            "0123456789abcde",
            "0123456789abcdeF",
            "0123456789abcdef0",
        ] {
            assert!(!token.is(wrong), "{wrong}");
        }
    }

    #[test]
    fn short_or_odd_ones_are_refused_and_none_is_shown() {
        for text in [
            "",
            "secret",
            "0123456789 abcdef",
            "0123456789abcdé\u{0301}f",
        ] {
            assert!(text.parse::<Token>().is_err(), "{text}");
        }
        let token: Token = "0123456789abcdef".parse().expect("long enough");
        assert!(!format!("{token:?}").contains("0123"));
    }
}
