//! The project's chores, as `cargo xtask COMMAND`.
//!
//! `test` is the one check: what passes here passes everywhere. It installs what it needs, says so,
//! and runs everything from formatting to the real OBS.

#[cfg(target_os = "linux")]
mod compare;
mod long;
mod openapi;
mod page;
mod step;
mod test;
mod tools;
mod windows;
mod workspace;

use std::process::ExitCode;

use step::Failure;
use test::Scope;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  test          every check: formatting, lints, licences, unit, property and end-to-end tests.
                Installs what is missing (on Debian and Ubuntu) and says what
  test --fast   the same without OBS and Wine
  deny          licences, bans and sources, and security advisories (fetches the advisory database)
  compare       lookback beside nginx, ffmpeg and a bare reader, on the same bytes (Linux; takes some
                minutes and 3 GB of memory)
  compare hls   the same of HLS alone: 200 viewers (two minutes, 1 GB of memory)
  latency       from a command to the picture in OBS, 200 times, beside OBS's own replays (takes
                half an hour); --plays N for fewer
  latency page  how old the picture is that the control page shows live in Chromium (two minutes)
  openapi       fetches what compares the OpenAPI document with the server, into target/openapi
  soak          a deck's picture stands in OBS for ten minutes, and goes on
  windows       builds the Windows program, and what it takes to run it here, into target/windows-kit";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let result = match args[..] {
        ["test"] => test::check(Scope::Everything),
        ["test", "--fast"] => test::check(Scope::Fast),
        ["deny"] => test::deny(),
        #[cfg(target_os = "linux")]
        ["compare"] => compare::everything(),
        #[cfg(target_os = "linux")]
        ["compare", "hls"] => compare::hls(),
        #[cfg(target_os = "linux")]
        ["compare", "--bare-reader", ref source @ ..] => compare::bare::run(source),
        #[cfg(not(target_os = "linux"))]
        ["compare", ..] => Err(Failure::usage(
            "`compare` measures through /proc, and runs on Linux only",
        )),
        ["latency"] => long::latency(None),
        ["latency", "page"] => long::page_latency(),
        ["latency", "--plays", plays] => long::latency(Some(plays)),
        ["openapi"] => {
            openapi::packages().map(|folder| eprintln!("E2E_OPENAPI={}", folder.display()))
        }
        ["soak"] => long::soak(),
        ["windows"] => windows::tools().and_then(|()| windows::kit()).map(drop),
        ["help" | "--help" | "-h"] => {
            eprintln!("{USAGE}");
            Ok(())
        }
        _ => Err(Failure::usage(USAGE)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("\n{failure}");
            failure.exit_code()
        }
    }
}
