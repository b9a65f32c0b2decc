//! Does arbitrary things to a recorder, and holds each clip to what was sent.
#![no_main]
#![allow(
    dead_code,
    unused_imports,
    reason = "the tests use more of what they share with the targets"
)]

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/replay/tests/replay/arbitrary.rs"]
mod arbitrary;
#[path = "../../crates/replay/tests/replay/support/mod.rs"]
mod support;

fuzz_target!(|script: &[u8]| arbitrary::run_session(script));
