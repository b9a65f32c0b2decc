//! Many channels at once, each at the pace of its recording.

use std::path::PathBuf;
use std::time::Instant;

use super::Setting;
use super::process::eventually;
use super::report::Row;
use super::server::{Counters, Lookback};
use super::stream::{self, BIT_RATE, Target, free_ports};
use crate::step::Result;

const CHANNELS: usize = 64;
const SECONDS: u64 = 8;

/// A source that is kept waiting for longer drops pictures: OBS's buffer for its output is of that size.
const LATE_MAX_MS: u128 = 500;

pub(crate) fn rows(setting: &Setting) -> Result<Vec<Row>> {
    let fifos = (0..CHANNELS).map(|n| setting.folder.file(&format!("{n}.fifo")));
    let fifos: Vec<(String, Target)> = fifos
        .map(|path| (path.clone(), Target::Fifo(PathBuf::from(path))))
        .collect();
    let ports: Vec<(String, Target)> = free_ports(CHANNELS)?
        .into_iter()
        .map(|port| format!("127.0.0.1:{port}"))
        .map(|address| (format!("tcp://{address}"), Target::Tcp(address)))
        .collect();
    Ok(vec![
        record(setting, "FIFO", fifos)?,
        record(setting, "TCP", ports)?,
    ])
}

fn record(setting: &Setting, kind: &str, inputs: Vec<(String, Target)>) -> Result<Row> {
    let (inputs, targets): (Vec<String>, Vec<Target>) = inputs.into_iter().unzip();
    let mut arguments = vec!["--memory".to_owned(), "1GiB".to_owned()];
    for (n, input) in inputs.iter().enumerate() {
        arguments.extend(["--input".to_owned(), format!("c{n}={input}")]);
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let lookback = Lookback::start(&setting.program, setting.folder.path(), &arguments)?;

    let len = usize::try_from(BIT_RATE / 8 * SECONDS).unwrap_or(usize::MAX);
    let sent = &setting.stream.bytes()[..len.min(setting.stream.bytes().len())];
    let before = lookback.process.processor_time()?;
    let started = Instant::now();
    let late = stream::send_paced(&targets, sent)?;
    let seconds = started.elapsed().as_secs_f64();
    let used = (lookback.process.processor_time()? - before).as_secs_f64();

    let whole = Counters {
        received: sent.len() as u64,
        discarded: 0,
        problems: 0,
    };
    let mut lost = 0;
    for n in 0..CHANNELS {
        let channel = format!("c{n}");
        eventually("a channel receives what was sent", || {
            Ok((lookback.counters(&channel)?.received >= whole.received).then_some(()))
        })?;
        lost += usize::from(lookback.counters(&channel)? != whole);
    }
    let late = late.as_millis();
    let note = format!(
        "{lost} channels with losses, a source waited {late} ms at most; {:.0} % of one core",
        used / seconds * 100.0
    );
    let what = format!(
        "{CHANNELS} channels of {} Mbit/s, {kind}",
        BIT_RATE / 1_000_000
    );
    let value = format!(
        "{:.2} GB",
        super::gigabytes(whole.received * CHANNELS as u64)
    );
    let met = lost == 0 && late <= LATE_MAX_MS;
    Ok(Row::bounded(&what, value, &note, "nothing lost", met))
}
