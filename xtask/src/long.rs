//! `cargo xtask latency` and `soak`: what OBS and a browser make of what is live, over a longer time than a check may take.
//!
//! All lie with the end-to-end tests, which know how to drive them.

use std::process::Command;

use crate::step::{Failure, Result, run};
use crate::tools;
use crate::workspace::cargo;

/// Measures from a command to the picture for so many plays, by default as many as the documentation
/// tells of, and prints the table.
pub(crate) fn latency(plays: Option<&str>) -> Result {
    let plays = plays.unwrap_or("200");
    if !plays.parse().is_ok_and(|plays: u32| plays > 0) {
        return Err(Failure::usage(format!(
            "--plays {plays}: not a number of plays"
        )));
    }
    tools::ensure(&[tools::MEDIA, tools::OBS])?;
    run(test("latency::table").env("E2E_LATENCY_PLAYS", plays))
}

/// Measures how old the picture on the control page is, and prints the table.
pub(crate) fn page_latency() -> Result {
    tools::ensure(&[tools::MEDIA])?;
    run(&mut test("page::latency::table"))
}

/// Lets a picture stand for ten minutes.
pub(crate) fn soak() -> Result {
    tools::ensure(&[tools::MEDIA, tools::OBS])?;
    run(&mut test("obs::decks::it_stands_for_ten_minutes"))
}

/// One that is ignored otherwise.
fn test(name: &str) -> Command {
    let mut test = cargo();
    test.args("test --release --package lookback --test e2e --".split(' '));
    test.args([name, "--exact", "--ignored", "--nocapture"]);
    test
}
