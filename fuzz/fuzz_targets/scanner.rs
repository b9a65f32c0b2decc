//! Records arbitrary bytes, and plays what came of them.
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

fuzz_target!(|input: &[u8]| arbitrary::record_soup(input));
