//! `cargo xtask test`: every check, in the order in which they fail fastest.

use crate::openapi;
use crate::page;
use crate::step::{Result, Steps, run, succeeds};
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
    let has_page = page::can_be_built();
    if has_page {
        steps.run("the control page", page::check)?;
    }
    steps.run("clippy", || {
        run(cargo().args("clippy --workspace --all-targets -- -D warnings".split(' ')))
    })?;
    // Advisories are left to `cargo xtask deny`: they need the network and change by the day, and a
    // commit that passed has to pass again. To build the tool takes longer than all the rest.
    steps.run("licences, bans, sources", || {
        if succeeds(cargo().args(["deny", "--version"])) {
            run(cargo().args("deny check licenses bans sources".split(' ')))
        } else {
            eprintln!("left out: `cargo xtask deny` installs cargo-deny, and runs it");
            Ok(())
        }
    })?;

    let mut nextest = cargo();
    nextest.args(["nextest", "run", "--workspace"]);
    nextest.env(
        "E2E_OPENAPI",
        steps.run("what reads OpenAPI", openapi::packages)?,
    );
    if !has_page {
        nextest.args(["-E", &format!("not ({})", page::TESTS)]);
    }
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
    if !has_page {
        eprintln!("but for the control page, which was left out");
    }
    Ok(())
}

/// Everything cargo-deny knows, with fresh advisories.
pub(crate) fn deny() -> Result {
    ensure_cargo_command("deny", DENY)?;
    run(cargo().args(["deny", "check"]))
}
