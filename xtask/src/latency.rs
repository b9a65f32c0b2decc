//! `cargo xtask latency`: how long it takes from a command to the picture in OBS.
//!
//! What measures it lies with the end-to-end tests, which know how to drive OBS.

use crate::step::{Failure, Result, run};
use crate::tools;
use crate::workspace::cargo;

/// Measures so many plays, by default as many as the documentation tells of, and prints the table.
pub(crate) fn measure(plays: Option<&str>) -> Result {
    let plays = plays.unwrap_or("200");
    if !plays.parse().is_ok_and(|plays: u32| plays > 0) {
        return Err(Failure::usage(format!(
            "--plays {plays}: not a number of plays"
        )));
    }
    tools::ensure(&[tools::MEDIA, tools::OBS])?;
    let mut test = cargo();
    test.args("test --release --package lookback --test e2e --".split(' '));
    test.args("latency::table --exact --ignored --nocapture".split(' '));
    run(test.env("E2E_LATENCY_PLAYS", plays))
}
