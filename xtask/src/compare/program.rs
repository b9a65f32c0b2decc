//! The program itself: how large it is, and how soon it is there.

use std::fs;
use std::time::Instant;

use super::Setting;
use super::report::{Row, median};
use super::server::Lookback;
use crate::step::{Failure, Result};

const STARTS: usize = 21;
const STARTS_MS: f64 = 50.0;
const SIZE_MB: f64 = 15.0;

pub(crate) fn rows(setting: &Setting) -> Result<Vec<Row>> {
    let mut times = Vec::new();
    for n in 0..STARTS {
        let fifo = setting.folder.file(&format!("start-{n}.fifo"));
        let started = Instant::now();
        Lookback::start(&setting.program, setting.folder.path(), &["--input", &fifo])?;
        times.push(started.elapsed().as_secs_f64() * 1e3);
    }
    let start = median(times.into_iter());
    let program = fs::metadata(&setting.program)
        .map_err(|error| Failure::check(format!("{}: {error}", setting.program.display())))?;
    let size = program.len() as f64 / 1e6;
    Ok(vec![
        Row::bounded(
            "start until it listens",
            format!("{start:.1} ms"),
            "",
            &format!("under {STARTS_MS} ms"),
            start < STARTS_MS,
        ),
        Row::bounded(
            "size of the program",
            format!("{size:.1} MB"),
            "",
            &format!("under {SIZE_MB} MB"),
            size < SIZE_MB,
        ),
    ])
}
