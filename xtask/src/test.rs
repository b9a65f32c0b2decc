//! `cargo xtask test`: every check, in the order in which they fail fastest.

use crate::step::{Result, Steps, run};
use crate::tools::{self, ensure_cargo_command};
use crate::windows;
use crate::workspace::cargo;

/// How much of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    Everything,
    /// Without OBS and Wine.
    Fast,
}

const NEXTEST: &str = "0.9.143";
const DENY: &str = "0.20.2";

/// Runs the checks, and installs what they need.
pub(crate) fn check(scope: Scope) -> Result {
    let mut steps = Steps::new();
    steps.run("formatting", || {
        run(cargo().args("fmt --all --check".split(' ')))
    })?;
    steps.run("programs the tests start", || match scope {
        Scope::Everything => {
            tools::ensure(&[tools::MEDIA, tools::OBS])?;
            windows::tools()
        }
        Scope::Fast => tools::ensure(&[tools::MEDIA]),
    })?;
    steps.run("clippy", || {
        run(cargo().args("clippy --workspace --all-targets -- -D warnings".split(' ')))
    })?;
    // Advisories are left to `cargo xtask deny`: they need the network and change by the day, and a
    // commit that passed has to pass again.
    steps.run("licences, bans, sources", || {
        ensure_cargo_command("deny", DENY)?;
        run(cargo().args("deny check licenses bans sources".split(' ')))
    })?;

    let mut nextest = cargo();
    nextest.args(["nextest", "run", "--workspace"]);
    match scope {
        Scope::Everything => {
            steps.run("clippy for Windows", windows::clippy)?;
            let kit = steps.run("Windows build", windows::kit)?;
            nextest.env("E2E_WINDOWS_KIT", kit);
        }
        Scope::Fast => {
            nextest.args(["--profile", "fast"]);
        }
    }
    steps.run("tests", || {
        ensure_cargo_command("nextest", NEXTEST)?;
        run(&mut nextest)
    })?;
    steps.run("examples in the documentation", || {
        run(cargo().args("test --workspace --doc --quiet".split(' ')))
    })?;
    steps.summary();
    Ok(())
}

/// Everything cargo-deny knows, with fresh advisories.
pub(crate) fn deny() -> Result {
    ensure_cargo_command("deny", DENY)?;
    run(cargo().args(["deny", "check"]))
}
