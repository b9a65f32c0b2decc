//! Passes: what stands in a link to the page, in the place of a token.
//!
//! A browser writes down every address that it was led to, in its history and perhaps in an account in a cloud, and a code on a
//! screen can be on a picture of that screen. So a link has no token in it but a random text that stands for one for
//! [`VALID`], and opens nothing but a session.

use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::guard::Access;
use super::token::Token;

/// Long enough to let a few tablets in, one after the other.
pub(super) const VALID: Duration = Duration::from_secs(10 * 60);

/// Each time that links are asked for makes two, of which the oldest go first.
const COUNT_MAX: usize = 64;

/// Those that are valid.
#[derive(Debug, Default)]
pub(super) struct Passes(Mutex<Vec<Pass>>);

#[derive(Debug)]
struct Pass {
    text: Token,
    access: Access,
    until: Instant,
}

impl Passes {
    /// A new one, for somebody who then may do so much.
    pub(super) fn issue(&self, access: Access, now: Instant) -> String {
        let mut random = [0; 16];
        getrandom::fill(&mut random).expect("every system that this runs on gives random bytes");
        let text = random.iter().fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").expect("a String takes any text");
            text
        });
        let pass = Pass {
            text: text.parse().expect("32 digits are a token"),
            access,
            until: now + VALID,
        };
        let mut passes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        passes.retain(|pass| pass.until > now);
        if passes.len() == COUNT_MAX {
            passes.remove(0);
        }
        passes.push(pass);
        text
    }

    /// What it lets somebody do who shows this.
    pub(super) fn access(&self, shown: &str, now: Instant) -> Option<Access> {
        let passes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let pass = passes
            .iter()
            .find(|pass| pass.until > now && pass.text.is(shown))?;
        Some(pass.access)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_another_and_stands_for_what_it_was_made_for_until_its_time_is_over() {
        let (passes, now) = (Passes::default(), Instant::now());
        let full = passes.issue(Access::Full, now);
        let view = passes.issue(Access::View, now);
        assert_ne!(full, view);
        let just_before = now + VALID - Duration::from_millis(1);
        for _ in 0..2 {
            assert_eq!(passes.access(&full, just_before), Some(Access::Full));
            assert_eq!(passes.access(&view, just_before), Some(Access::View));
        }
        assert_eq!(passes.access(&full, now + VALID), None);
        assert_eq!(passes.access("", now), None);
        assert_eq!(passes.access(&full[1..], now), None);
    }

    #[test]
    fn they_do_not_add_up() {
        let (passes, now) = (Passes::default(), Instant::now());
        let first = passes.issue(Access::Full, now);
        let second = passes.issue(Access::Full, now);
        for _ in 1..COUNT_MAX {
            passes.issue(Access::View, now);
        }
        assert_eq!(passes.access(&first, now), None);
        assert_eq!(passes.access(&second, now), Some(Access::Full));
        passes.issue(Access::Full, now + VALID);
        let held = passes.0.lock().expect("nobody panicked");
        assert_eq!(held.len(), 1);
    }
}
