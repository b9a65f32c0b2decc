//! `cargo xtask compare`: the numbers that lookback is built for, each beside what it is measured
//! against.
//!
//! Machines differ, and the same machine differs from minute to minute. So whatever is compared runs
//! in turns, on the same bytes, in several rounds, and what counts is the median of the rounds'
//! ratios; and of what a program costs, processor time rather than time. The table goes to standard
//! output, everything else to standard error.
//!
//! | module | what it measures | beside |
//! |---|---|---|
//! | [`ingest`] | processor time for each gigabyte that comes in | [`bare`], which only reads |
//! | [`serving`] | first byte, throughput and processor time of what goes out | nginx, ffmpeg |
//! | [`clips`] | making a clip | a request that does nothing |
//! | [`memory`] | resident memory | the limit |
//! | [`hls`] | 200 viewers of a channel that is recorded meanwhile | nginx |
//! | [`channels`] | 64 channels at once | what was sent |
//! | [`program`] | size and start | |

pub(crate) mod bare;
mod channels;
mod client;
mod clips;
mod hls;
mod ingest;
mod memory;
mod process;
mod program;
mod report;
mod server;
mod serving;
mod stream;

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::thread;

use report::Row;
use stream::{BIT_RATE, Stream, TURNS};

use crate::step::{Failure, Result, Steps};
use crate::tools::{self, Tool};

/// Times that each measurement is repeated.
const ROUNDS: usize = 11;

const TOOLS: &[Tool] = &[
    Tool {
        file: "ffmpeg",
        package: "ffmpeg",
    },
    Tool {
        file: server::NGINX,
        package: "nginx-light",
    },
];

/// What all measurements need.
struct Setting {
    program: PathBuf,
    stream: Stream,
    folder: Folder,
}

/// Measures everything and prints the table.
pub(crate) fn everything() -> Result {
    let mut steps = Steps::new();
    let setting = steps.run("what is compared, and on what", || {
        tools::ensure(&[TOOLS])?;
        Ok(Setting {
            program: server::build()?,
            stream: Stream::prepare(BIT_RATE, TURNS)?,
            folder: Folder::new()?,
        })
    })?;
    let machine = machine()?;
    let mut rows = steps.run("ingest", || ingest::rows(&setting))?;
    rows.extend(steps.run("serving", || serving::rows(&setting))?);
    rows.extend(steps.run("clips", || clips::rows(&setting))?);
    rows.extend(steps.run("HLS", || hls::rows(&setting.program, &setting.folder))?);
    rows.extend(steps.run("memory", || memory::rows(&setting))?);
    rows.extend(steps.run("channels", || channels::rows(&setting))?);
    rows.extend(steps.run("the program", || program::rows(&setting))?);
    print(&format!("{machine}; {ROUNDS} rounds"), &rows)
}

/// Measures HLS alone.
pub(crate) fn hls() -> Result {
    let mut steps = Steps::new();
    let (program, folder) = steps.run("what is compared, and on what", || {
        tools::ensure(&[TOOLS])?;
        Ok((server::build()?, Folder::new()?))
    })?;
    let machine = machine()?;
    let rows = steps.run("HLS", || hls::rows(&program, &folder))?;
    print(&machine, &rows)
}

fn print(machine: &str, rows: &[Row]) -> Result {
    let table = report::table(rows);
    std::io::stdout()
        .write_all(format!("\n{machine}\n\n{table}").as_bytes())
        .map_err(|error| Failure::check(format!("standard output: {error}")))
}

/// What it runs on, and how much else goes on there.
fn machine() -> Result<String> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let memory = process::read("/proc/meminfo")?;
    let kilobytes = memory
        .split_ascii_whitespace()
        .nth(1)
        .and_then(|number| number.parse::<f64>().ok());
    let kernel = process::read("/proc/sys/kernel/osrelease")?;
    let kernel: Vec<&str> = kernel.trim().split(['.', '-']).take(2).collect();
    let load = process::read("/proc/loadavg")?;
    Ok(format!(
        "{threads} cores, {:.0} GB of memory, Linux {}; load at the start {}",
        kilobytes.unwrap_or(f64::NAN) * 1024.0 / 1e9,
        kernel.join("."),
        load.split(' ').next().unwrap_or("unknown")
    ))
}

/// A folder in RAM, which goes with this value.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Self> {
        let path = PathBuf::from(format!("/dev/shm/lookback-compare-{}", std::process::id()));
        let failed = |error: std::io::Error| Failure::check(format!("{}: {error}", path.display()));
        fs::create_dir(&path).map_err(failed)?;
        // Started by root, nginx reads as nobody.
        fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).map_err(failed)?;
        Ok(Self(path))
    }

    fn path(&self) -> &Path {
        &self.0
    }

    /// A file in it, as an argument.
    fn file(&self, name: &str) -> String {
        format!("{}/{name}", self.0.display())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("{} stays: {error}", self.0.display());
        }
    }
}

/// One round of two things in turns: who goes first changes, since the first may warm the memory up for
/// the other.
fn in_turns<T>(
    round: usize,
    lookback: impl FnOnce() -> Result<T>,
    other: impl FnOnce() -> Result<T>,
) -> Result<(T, T)> {
    if round.is_multiple_of(2) {
        let lookback = lookback()?;
        Ok((lookback, other()?))
    } else {
        let other = other()?;
        Ok((lookback()?, other))
    }
}

/// Bytes as one counts them when one compares rates.
fn gigabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e9
}
