//! What a gigabyte costs that comes in.

use std::path::PathBuf;
use std::time::Instant;

use super::process::Process;
use super::report::{Rounds, Row, Target, Unit};
use super::server::Lookback;
use super::stream::{self, free_ports};
use super::{ROUNDS, Setting, gigabytes, in_turns};
use crate::step::{Failure, Result};

const LIMIT_MIB: usize = 512;

pub(crate) fn rows(setting: &Setting) -> Result<Vec<Row>> {
    let mut rows = through_fifo(setting)?;
    rows.extend(through_tcp(setting)?);
    Ok(rows)
}

fn through_fifo(setting: &Setting) -> Result<Vec<Row>> {
    let [ours, theirs] = ["lookback.fifo", "bare.fifo"].map(|name| setting.folder.file(name));
    let lookback = lookback(setting, &ours)?;
    let (bare, _) = bare_reader(&["fifo", &theirs])?;
    let fifo = |path| stream::Target::Fifo(PathBuf::from(path));
    compare(
        setting,
        "FIFO",
        (&lookback, &fifo(ours)),
        (bare, &fifo(theirs)),
    )
}

fn through_tcp(setting: &Setting) -> Result<Vec<Row>> {
    let ours = format!("127.0.0.1:{}", free_ports(1)?[0]);
    let lookback = lookback(setting, &format!("tcp://{ours}"))?;
    let (bare, theirs) = bare_reader(&["tcp"])?;
    let tcp = stream::Target::Tcp;
    compare(
        setting,
        "TCP",
        (&lookback, &tcp(ours)),
        (bare, &tcp(theirs)),
    )
}

fn lookback(setting: &Setting, input: &str) -> Result<Lookback> {
    let memory = format!("{LIMIT_MIB}MiB");
    let arguments = ["--input", input, "--memory", &memory];
    Lookback::start(&setting.program, setting.folder.path(), &arguments)
}

/// Another process of this program; see [`super::bare`].
fn bare_reader(arguments: &[&str]) -> Result<(Process, String)> {
    let program = std::env::current_exe()
        .map_err(|error| Failure::check(format!("this program has no path: {error}")))?;
    let mut command = std::process::Command::new(program);
    command.args(["compare", "--bare-reader"]).args(arguments);
    let mut process = Process::start(
        "the bare reader",
        command.arg((LIMIT_MIB << 20).to_string()),
    )?;
    let reads = process.line("reads ")?;
    Ok((process, reads))
}

/// What one gigabyte took.
struct Cost {
    processor_seconds: f64,
    seconds: f64,
}

fn compare(
    setting: &Setting,
    kind: &str,
    (lookback, ours): (&Lookback, &stream::Target),
    (mut bare, theirs): (Process, &stream::Target),
) -> Result<Vec<Row>> {
    let stream = &setting.stream;
    let (mut processor, mut rate) = (Rounds::default(), Rounds::default());
    // The first round fills the memory, and is not counted.
    for round in 0..=ROUNDS {
        let total = stream.len() * (round as u64 + 1);
        let (ours, theirs) = in_turns(
            round,
            || {
                let before = lookback.process.processor_time()?;
                let started = Instant::now();
                stream::send(ours, stream.bytes())?;
                let seconds = started.elapsed().as_secs_f64();
                lookback.wait_for_bytes(total)?;
                let used = lookback.process.processor_time()? - before;
                Ok(Cost {
                    processor_seconds: used.as_secs_f64(),
                    seconds,
                })
            },
            || {
                let before = bare.processor_time()?;
                let started = Instant::now();
                stream::send(theirs, stream.bytes())?;
                let seconds = started.elapsed().as_secs_f64();
                let read = bare.line("read ")?;
                if read != stream.len().to_string() {
                    return Err(Failure::check(format!("the bare reader read {read} bytes")));
                }
                let used = bare.processor_time()? - before;
                Ok(Cost {
                    processor_seconds: used.as_secs_f64(),
                    seconds,
                })
            },
        )?;
        if round > 0 {
            let gigabytes = gigabytes(stream.len());
            processor.push(
                ours.processor_seconds / gigabytes,
                theirs.processor_seconds / gigabytes,
            );
            rate.push(gigabytes / ours.seconds, gigabytes / theirs.seconds);
        }
    }
    let row = |what, unit, rounds, target| {
        Row::compared(
            &format!("ingest, {kind}: {what}"),
            unit,
            rounds,
            "bare reader",
            target,
        )
    };
    let target = Some(Target::AtMost(1.25));
    Ok(vec![
        row(
            "processor time",
            Unit::SecondsPerGigabyte,
            &processor,
            target,
        ),
        row("throughput", Unit::GigabytesPerSecond, &rate, None),
    ])
}
