//! What goes out, beside nginx, which sends the same bytes from tmpfs by sendfile.
//!
//! Of a whole answer the throughput and the processor time are measured; the time to its first byte
//! with requests that end there. Each request comes on a connection of its own, as those of players do.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use super::client::Client;
use super::process::Process;
use super::report::{Rounds, Row, Target, Unit, median};
use super::server::{Lookback, Nginx};
use super::stream::{self, ffmpeg};
use super::{ROUNDS, Setting, gigabytes, in_turns};
use crate::step::{Failure, Result, run};

/// Requests in a round, where one is too short to tell.
const REQUESTS: u64 = 100;
const RANGE_LEN: u64 = 1_000_000;

/// The name under which nginx has the bytes of the clip.
const COPY: &str = "clip.ts";

pub(crate) fn rows(setting: &Setting) -> Result<Vec<Row>> {
    let lookback = full_lookback(setting)?;
    let clip = lookback.clip()?;
    let len = copy(setting, &lookback, &clip)?;
    let nginx = Nginx::start(setting.folder.path())?;
    let theirs = Server {
        address: nginx.address,
        process: &nginx.process,
        path: &format!("/{COPY}"),
    };
    let ours = |path| Server {
        address: lookback.address,
        process: &lookback.process,
        path,
    };
    let mut rows = whole("/video", &ours("/video"), &theirs, len)?;
    rows.extend(whole("/clips", &ours(&clip), &theirs, len)?);
    rows.extend(ranges(&ours(&clip), &theirs, len)?);
    rows.push(beside_ffmpeg(setting, &ours(&clip), len)?);
    rows.push(mp4_beside_ffmpeg(setting, &lookback)?);
    Ok(rows)
}

/// An MP4 of a minute: of everything it would leave no memory for what is found out about it. Each time it is
/// that of a new clip, so that finding out counts; the rate is that of the transport stream's bytes, of which both
/// make the same.
fn mp4_beside_ffmpeg(setting: &Setting, lookback: &Lookback) -> Result<Row> {
    const MINUTE: &str = "{\"last\": \"60s\"}";
    let len = copy(setting, lookback, &lookback.clip_of(MINUTE)?)?;
    let (mut rate, output) = (Rounds::default(), setting.folder.file("clip.mp4"));
    for round in 0..ROUNDS {
        let path = lookback.clip_of(MINUTE)?.replace(".ts", ".mp4");
        let (a, b) = in_turns(
            round,
            || {
                let ours = Server {
                    address: lookback.address,
                    process: &lookback.process,
                    path: &path,
                };
                Ok(gigabytes(len) / (ours.fetch(&[None])?.total_ms / 1e3))
            },
            || {
                let mut ffmpeg = ffmpeg();
                ffmpeg.args(["-i", &setting.folder.file(COPY), "-map", "0", "-c", "copy"]);
                ffmpeg.arg(&output);
                let started = Instant::now();
                run(&mut ffmpeg)?;
                Ok(gigabytes(len) / started.elapsed().as_secs_f64())
            },
        )?;
        rate.push(a, b);
    }
    let what = "/clips as MP4, a minute: throughput";
    Ok(Row::compared(
        what,
        Unit::GigabytesPerSecond,
        &rate,
        "ffmpeg -c copy to a file in RAM",
        Some(Target::AtLeast(3.0)),
    ))
}

/// lookback with as much in it as its memory holds, and nothing that comes in.
pub(crate) fn full_lookback(setting: &Setting) -> Result<Lookback> {
    let fifo = setting.folder.file("full.fifo");
    let arguments = ["--input", &fifo, "--memory", "512MiB"];
    let lookback = Lookback::start(&setting.program, setting.folder.path(), &arguments)?;
    let fifo = stream::Target::Fifo(PathBuf::from(fifo));
    stream::send(&fifo, setting.stream.bytes())?;
    lookback.wait_for_bytes(setting.stream.len())?;
    Ok(lookback)
}

/// Saves the clip where nginx finds it, and gives its length.
fn copy(setting: &Setting, lookback: &Lookback, clip: &str) -> Result<u64> {
    let failed = |error: std::io::Error| Failure::check(format!("cannot save the clip: {error}"));
    let mut file = BufWriter::new(File::create(setting.folder.file(COPY)).map_err(failed)?);
    let mut client = Client::connect(lookback.address)?;
    let head = client.ask(&format!("GET {clip}"), "", "")?;
    let mut written = Ok(());
    client.body(&head, |bytes| {
        if written.is_ok() {
            written = file.write_all(bytes);
        }
    })?;
    written.and_then(|()| file.flush()).map_err(failed)?;
    Ok(head.body_len)
}

struct Server<'a> {
    address: SocketAddr,
    process: &'a Process,
    path: &'a str,
}

/// What some requests took; of the times the median.
struct Cost {
    first_byte_ms: f64,
    total_ms: f64,
    processor_seconds: f64,
    bytes: u64,
}

impl Cost {
    fn rate(&self) -> f64 {
        gigabytes(self.bytes) / (self.total_ms / 1e3)
    }

    fn processor_seconds_per_gigabyte(&self) -> f64 {
        self.processor_seconds / gigabytes(self.bytes)
    }
}

impl Server<'_> {
    /// Fetches one part after the other; an empty part is everything.
    fn fetch(&self, parts: &[Option<u64>]) -> Result<Cost> {
        let mut client = Client::connect(self.address)?;
        let (mut first, mut total, mut bytes) = (Vec::new(), Vec::new(), 0);
        let before = self.process.processor_time()?;
        for part in parts {
            let started = Instant::now();
            client.again()?;
            let head = client.ask(&format!("GET {}", self.path), &range(*part), "")?;
            first.push(started.elapsed().as_secs_f64() * 1e3);
            client.body(&head, |_| {})?;
            total.push(started.elapsed().as_secs_f64() * 1e3);
            bytes += head.body_len;
        }
        let used = self.process.processor_time()? - before;
        Ok(Cost {
            first_byte_ms: median(first.into_iter()),
            total_ms: median(total.into_iter()),
            processor_seconds: used.as_secs_f64(),
            bytes,
        })
    }

    /// Time to the first byte of the whole, of requests that break off then.
    fn first_byte_ms(&self) -> Result<f64> {
        let mut client = Client::connect(self.address)?;
        let mut times = Vec::new();
        for _ in 0..REQUESTS {
            // What the last request began is over before the next.
            thread::sleep(Duration::from_millis(1));
            let started = Instant::now();
            client.again()?;
            client.ask(&format!("GET {}", self.path), "Connection: close\r\n", "")?;
            times.push(started.elapsed().as_secs_f64() * 1e3);
        }
        Ok(median(times.into_iter()))
    }
}

fn range(from: Option<u64>) -> String {
    let range = from.map(|from| format!("Range: bytes={from}-{}\r\n", from + RANGE_LEN - 1));
    range.unwrap_or_default() + "Connection: close\r\n"
}

/// All of it at once.
fn whole(name: &str, ours: &Server<'_>, theirs: &Server<'_>, len: u64) -> Result<Vec<Row>> {
    let [mut first, mut rate, mut processor] = [(); 3].map(|()| Rounds::default());
    for round in 0..ROUNDS {
        let (a, b) = in_turns(round, || ours.first_byte_ms(), || theirs.first_byte_ms())?;
        first.push(a, b);
        let (a, b) = in_turns(round, || ours.fetch(&[None]), || theirs.fetch(&[None]))?;
        if (a.bytes, b.bytes) != (len, len) {
            return Err(Failure::check(format!(
                "{name} gave {} of {len} bytes",
                a.bytes
            )));
        }
        rate.push(a.rate(), b.rate());
        processor.push(
            a.processor_seconds_per_gigabyte(),
            b.processor_seconds_per_gigabyte(),
        );
    }
    let row = |what, unit, rounds, target| {
        Row::compared(
            &format!("{name}, whole: {what}"),
            unit,
            rounds,
            "nginx",
            target,
        )
    };
    Ok(vec![
        row(
            "first byte",
            Unit::Milliseconds,
            &first,
            Some(Target::AtMost(1.0)),
        ),
        row(
            "throughput",
            Unit::GigabytesPerSecond,
            &rate,
            Some(Target::AtLeast(1.0)),
        ),
        row("processor time", Unit::SecondsPerGigabyte, &processor, None),
    ])
}

/// Parts from all over it, as a player asks for them when it seeks.
fn ranges(ours: &Server<'_>, theirs: &Server<'_>, len: u64) -> Result<Vec<Row>> {
    // A step that has nothing in common with the length visits every part of it.
    let parts: Vec<Option<u64>> = (0..REQUESTS)
        .map(|n| Some(n * 7_654_321 % (len - RANGE_LEN)))
        .collect();
    let [mut first, mut total, mut processor] = [(); 3].map(|()| Rounds::default());
    for round in 0..ROUNDS {
        let (a, b) = in_turns(round, || ours.fetch(&parts), || theirs.fetch(&parts))?;
        first.push(a.first_byte_ms, b.first_byte_ms);
        total.push(a.total_ms, b.total_ms);
        processor.push(
            a.processor_seconds_per_gigabyte(),
            b.processor_seconds_per_gigabyte(),
        );
    }
    let row = |what, unit, rounds, target| {
        Row::compared(
            &format!("/clips, 1 MB of it: {what}"),
            unit,
            rounds,
            "nginx",
            target,
        )
    };
    let target = Some(Target::AtMost(1.0));
    Ok(vec![
        row("first byte", Unit::Milliseconds, &first, target),
        row("last byte", Unit::Milliseconds, &total, target),
        row("processor time", Unit::SecondsPerGigabyte, &processor, None),
    ])
}

/// The other way to get a clip out of a file that is at hand.
fn beside_ffmpeg(setting: &Setting, ours: &Server<'_>, len: u64) -> Result<Row> {
    let mut rate = Rounds::default();
    for round in 0..ROUNDS {
        let (a, b) = in_turns(
            round,
            || Ok(ours.fetch(&[None])?.rate()),
            || {
                let mut ffmpeg = ffmpeg();
                ffmpeg.args(["-i", &setting.folder.file(COPY), "-map", "0", "-c", "copy"]);
                ffmpeg.args(["-f", "mpegts", "/dev/null"]);
                let started = Instant::now();
                run(&mut ffmpeg)?;
                Ok(gigabytes(len) / started.elapsed().as_secs_f64())
            },
        )?;
        rate.push(a, b);
    }
    let what = "/clips, whole: throughput";
    Ok(Row::compared(
        what,
        Unit::GigabytesPerSecond,
        &rate,
        "ffmpeg -c copy to nowhere",
        None,
    ))
}
