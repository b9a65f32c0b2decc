//! What is resident, beside the limit.

use std::path::PathBuf;
use std::thread;

use super::client::Client;
use super::report::Row;
use super::server::Lookback;
use super::{Setting, stream};
use crate::step::Result;

const LIMIT_MIB: u64 = 128;
const LIMIT: u64 = LIMIT_MIB << 20;

/// Readers that ask for everything and then read no more.
const STALLED: usize = 50;
const CLIPS: usize = 20;

pub(crate) fn rows(setting: &Setting) -> Result<Vec<Row>> {
    let fifo = setting.folder.file("memory.fifo");
    let memory = format!("{LIMIT_MIB}MiB");
    let arguments = ["--input", &fifo, "--memory", &memory];
    let lookback = Lookback::start(&setting.program, setting.folder.path(), &arguments)?;
    let fifo = stream::Target::Fifo(PathBuf::from(fifo));
    let stream = &setting.stream;

    stream::send(&fifo, stream.bytes())?;
    lookback.wait_for_bytes(stream.len())?;
    let idle = lookback.process.resident()?.now_bytes;

    let mut stalled = Vec::new();
    for round in 0..STALLED {
        if round < CLIPS {
            lookback.clip()?;
        }
        let mut client = Client::connect(lookback.address)?;
        client.ask("GET /video", "", "")?;
        stalled.push(client);
        // Each sees another part of the stream.
        let piece = stream.bytes().len() / STALLED;
        stream::send(&fifo, &stream.bytes()[round * piece..][..piece])?;
    }
    thread::scope(|scope| {
        let recording = scope.spawn(|| stream::send(&fifo, stream.bytes()));
        while !recording.is_finished() {
            read_everything(&lookback)?;
        }
        recording.join().expect("sending does not panic")
    })?;
    let peak = lookback.process.resident()?.peak_bytes;
    drop(stalled);

    let turns = stream.len() / LIMIT;
    let busy = format!(
        "{} turns, {STALLED} stalled readers, {CLIPS} clips, one reader",
        3 * turns
    );
    Ok(vec![
        row("resident, idle", &format!("after {turns} turns"), idle),
        row("resident, most ever", &busy, peak),
    ])
}

/// While recording goes on at full speed a clip of everything may have to be let go: then its reader is
/// cut off, which is what is wanted.
fn read_everything(lookback: &Lookback) -> Result {
    let mut client = Client::connect(lookback.address)?;
    let head = client.ask("GET /video", "Connection: close\r\n", "")?;
    let _ = client.body(&head, |_| {});
    Ok(())
}

fn row(what: &str, note: &str, bytes: u64) -> Row {
    let bound = LIMIT * 103 / 100 + (16 << 20);
    let show = |bytes: u64| format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20));
    let what = format!("{what}, limit {}", show(LIMIT));
    Row::bounded(
        &what,
        show(bytes),
        note,
        &format!("at most {}", show(bound)),
        bytes <= bound,
    )
}
