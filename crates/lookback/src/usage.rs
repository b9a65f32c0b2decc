//! What the user can put right: said in one line, before anything runs.

use std::fmt::{self, Display};

/// A mistake in what was asked for, or something in the way on this machine: one line that says what
/// arrived and what to do.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Usage(String);

impl Usage {
    pub(crate) fn new(line: impl Into<String>) -> Self {
        Self(line.into())
    }
}

impl Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}
