//! What the tests share: streams to record, a recorder in virtual time, and a strict reader of clips.

pub(crate) mod checker;
pub(crate) mod damage;
pub(crate) mod rig;
mod shapes;
pub(crate) mod synthetic;

pub(crate) use checker::{Checked, Found, Gaps, check, demux};
pub(crate) use rig::{Rig, read_all, seconds};
pub(crate) use shapes::shapes;
pub(crate) use synthetic::{FRAME, Options, SOUND_PID, Sent, Synthetic, VIDEO_PID};

/// So many cases; what fails becomes a test of its own instead of a seed in a file.
pub(crate) fn cases(cases: u32) -> proptest::test_runner::Config {
    proptest::test_runner::Config {
        cases,
        failure_persistence: None,
        ..Default::default()
    }
}
