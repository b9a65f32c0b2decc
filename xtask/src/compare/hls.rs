//! 200 viewers of one channel that is being recorded, beside nginx, which has the same playlist and segments
//! in tmpfs.
//!
//! Each viewer does what a player does, on a connection that it keeps: it loads the playlist again and again, and each
//! segment that is new. The same viewers watch lookback and nginx in turns. After that they watch lookback with low
//! latency, which a server of files cannot do: each asks for the playlist that is still to come, and for each part in it.
//!
//! The viewers are threads of this program, and so in neither server's processor time; what lookback needs for
//! recording is taken off. Into tmpfs segments are copied from lookback while nobody is measured who asks it.

use std::collections::VecDeque;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::client::Client;
use super::process::{Process, eventually};
use super::report::{Rounds, Row, Unit, median};
use super::server::{Lookback, Nginx};
use super::stream::{self, Stream, Target};
use super::{Folder, gigabytes, in_turns};
use crate::step::{Failure, Result};

const VIEWERS: usize = 200;
const BIT_RATE: u64 = 10_000_000;

/// Turns of the stream, 16 s each: more than all of this takes.
const TURNS: u32 = 10;

const ROUNDS: usize = 3;
/// How long they watch in each round.
const ROUND: Duration = Duration::from_secs(10);
/// How long nobody watches, to see what recording takes.
const IDLE: Duration = Duration::from_secs(5);

const LIMIT_MIB: u64 = 256;

/// Where both servers have the playlist.
const PLAYLIST: &str = "/hls/main/all.m3u8";

pub(crate) fn rows(program: &Path, folder: &Folder) -> Result<Vec<Row>> {
    let stream = Stream::prepare(BIT_RATE, TURNS)?;
    let fifo = folder.file("hls.fifo");
    let memory = format!("{LIMIT_MIB}MiB");
    let arguments = ["--input", &fifo, "--memory", &memory];
    let lookback = Lookback::start(program, folder.path(), &arguments)?;
    let nginx = Nginx::start(folder.path())?;
    let fifo = Target::Fifo(PathBuf::from(fifo));
    let is_enough = AtomicBool::new(false);
    thread::scope(|scope| {
        let sent = scope.spawn(|| stream::send_until(&is_enough, &fifo, stream.bytes(), BIT_RATE));
        let rows = measure(&lookback, &nginx, folder.path());
        is_enough.store(true, Ordering::Relaxed);
        sent.join().expect("sending does not panic")?;
        rows
    })
}

fn measure(lookback: &Lookback, nginx: &Nginx, folder: &Path) -> Result<Vec<Row>> {
    eventually("there are segments", || {
        let loaded = Client::connect(lookback.address)?.text(PLAYLIST);
        Ok(loaded
            .ok()
            .filter(|text| text.matches("#EXTINF").count() > 3)
            .map(drop))
    })?;
    let before = lookback.process.processor_time()?;
    thread::sleep(IDLE);
    let recording = (lookback.process.processor_time()? - before).div_f64(IDLE.as_secs_f64());
    let ours = Served {
        address: lookback.address,
        process: &lookback.process,
        recording,
    };
    let theirs = Served {
        address: nginx.address,
        process: &nginx.process,
        recording: Duration::ZERO,
    };
    let mut rounds = Rounds::default();
    let (mut segments, mut files, mut parts) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let (a, b) = in_turns(
            round,
            || ours.watched(Way::Segments),
            || beside_a_copier(lookback.address, folder, || theirs.watched(Way::Segments)),
        )?;
        rounds.push(a.seconds_per_gigabyte(), b.seconds_per_gigabyte());
        segments.push(a);
        files.push(b);
        parts.push(ours.watched(Way::Parts)?);
    }
    let mut rows = vec![Row::compared(
        &format!("HLS, {VIEWERS} viewers: processor time"),
        Unit::SecondsPerGigabyte,
        &rounds,
        "nginx",
        None,
    )];
    for (name, all) in [
        ("HLS, segments", &segments),
        ("HLS, segments by nginx", &files),
        ("HLS, low latency", &parts),
    ] {
        rows.push(delivered(name, all));
    }
    rows.push(memory(lookback)?);
    Ok(rows)
}

/// What was delivered in all rounds.
fn delivered(name: &str, rounds: &[Cost]) -> Row {
    let sum = |of: fn(&Cost) -> u64| rounds.iter().map(of).sum::<u64>();
    let (pieces, late) = (sum(|cost| cost.seen.pieces), sum(|cost| cost.seen.late));
    let slowest = rounds.iter().map(|cost| cost.seen.slowest).max();
    let cores = median(rounds.iter().map(Cost::cores));
    let note = format!(
        "{pieces} pieces, {late} late, the slowest took {} ms; {:.0} % of one core; {:.3} s/GB",
        slowest.unwrap_or_default().as_millis(),
        cores * 100.0,
        median(rounds.iter().map(Cost::seconds_per_gigabyte)),
    );
    let bytes = sum(|cost| cost.seen.bytes);
    let value = format!("{:.2} GB", gigabytes(bytes));
    Row::bounded(name, value, &note, "none late", late == 0 && pieces > 0)
}

fn memory(lookback: &Lookback) -> Result<Row> {
    let limit = LIMIT_MIB << 20;
    let bound = limit * 103 / 100 + (16 << 20);
    let peak = lookback.process.resident()?.peak_bytes;
    let show = |bytes: u64| format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20));
    Ok(Row::bounded(
        &format!("HLS, resident, limit {}", show(limit)),
        show(peak),
        "most ever, with all of these viewers",
        &format!("at most {}", show(bound)),
        peak <= bound,
    ))
}

/// How a viewer keeps up.
#[derive(Clone, Copy)]
enum Way {
    /// It loads the playlist as often as its segments are long.
    Segments,
    /// It waits for the playlist with the next part in it.
    Parts,
}

/// A server that is watched.
struct Served<'a> {
    address: SocketAddr,
    process: &'a Process,
    /// Processor time for each second that it takes without viewers.
    recording: Duration,
}

/// What some viewers got, and what that took.
struct Cost {
    seen: Seen,
    processor: Duration,
    elapsed: Duration,
}

/// What a viewer got.
#[derive(Default)]
struct Seen {
    /// Segments or parts.
    pieces: u64,
    /// Those that took longer to get than a player has in hand: a segment, or three parts.
    late: u64,
    slowest: Duration,
    /// All that came, playlists included.
    bytes: u64,
}

impl Cost {
    fn seconds_per_gigabyte(&self) -> f64 {
        self.processor.as_secs_f64() / gigabytes(self.seen.bytes)
    }

    fn cores(&self) -> f64 {
        self.processor.as_secs_f64() / self.elapsed.as_secs_f64()
    }
}

impl Served<'_> {
    /// All viewers watch, for the time of a round.
    fn watched(&self, way: Way) -> Result<Cost> {
        let before = self.process.processor_time()?;
        let started = Instant::now();
        let until = started + ROUND;
        let seen = thread::scope(|scope| {
            let viewers: Vec<_> = (0..VIEWERS)
                .map(|n| scope.spawn(move || Viewer::watch(self.address, way, n, until)))
                .collect();
            let mut all = Seen::default();
            for viewer in viewers {
                all.add(&viewer.join().expect("a viewer does not panic")?);
            }
            Ok(all)
        })?;
        let elapsed = started.elapsed();
        let used = self.process.processor_time()? - before;
        Ok(Cost {
            seen,
            processor: used.saturating_sub(self.recording.mul_f64(elapsed.as_secs_f64())),
            elapsed,
        })
    }
}

impl Seen {
    fn add(&mut self, other: &Self) {
        self.pieces += other.pieces;
        self.late += other.late;
        self.slowest = self.slowest.max(other.slowest);
        self.bytes += other.bytes;
    }
}

/// Somebody who watches.
struct Viewer {
    client: Client,
    seen: Seen,
    /// The last piece that it has.
    last: Option<(u64, usize)>,
}

impl Viewer {
    fn watch(server: SocketAddr, way: Way, n: usize, until: Instant) -> Result<Seen> {
        // People do not come all at once.
        thread::sleep(Duration::from_secs(2) * n as u32 / VIEWERS as u32);
        let mut viewer = Self {
            client: Client::connect(server)?,
            seen: Seen::default(),
            last: None,
        };
        let mut query = String::new();
        while Instant::now() < until {
            let loaded = Instant::now();
            let text = viewer.client.text(&format!("{PLAYLIST}{query}"))?;
            viewer.seen.bytes += text.len() as u64;
            let list = List::of(&text)?;
            if let Some(map) = list.map.as_ref().filter(|_| viewer.last.is_none()) {
                viewer.fetch(map)?;
            }
            match way {
                Way::Segments => {
                    let has_news = viewer.load(&list.segments, 3)?;
                    // RFC 8216 6.3.4
                    let pause = if has_news {
                        list.target
                    } else {
                        list.target / 2
                    };
                    let next = (loaded + pause).min(until);
                    thread::sleep(next.saturating_duration_since(Instant::now()));
                }
                Way::Parts => {
                    viewer.load(&list.parts, 3)?;
                    let (segment, part) = list.next;
                    query = format!("?_HLS_msn={segment}&_HLS_part={part}&_HLS_skip=YES");
                }
            }
        }
        Ok(viewer.seen)
    }

    /// Loads what is new; the first time it begins so many before the end.
    fn load(&mut self, pieces: &[Piece], from_end: usize) -> Result<bool> {
        let first = pieces.len().saturating_sub(from_end);
        let is_new = |piece: &&Piece| self.last.is_none_or(|last| piece.number > last);
        let skipped = if self.last.is_none() { first } else { 0 };
        let new: Vec<&Piece> = pieces.iter().skip(skipped).filter(is_new).collect();
        for piece in &new {
            let asked = Instant::now();
            self.fetch(&piece.path)?;
            let took = asked.elapsed();
            self.seen.pieces += 1;
            self.seen.late += u64::from(took > piece.in_hand);
            self.seen.slowest = self.seen.slowest.max(took);
            self.last = Some(piece.number);
        }
        Ok(!new.is_empty())
    }

    fn fetch(&mut self, path: &str) -> Result {
        let head = self.client.ask(&format!("GET {path}"), "", "")?;
        self.seen.bytes += head.body_len;
        self.client.body(&head, |_| {})
    }
}

/// What a playlist tells.
struct List {
    target: Duration,
    segments: Vec<Piece>,
    parts: Vec<Piece>,
    /// Segment and part that are still to come.
    next: (u64, usize),
    map: Option<String>,
}

/// A segment or a part.
struct Piece {
    number: (u64, usize),
    path: String,
    /// How long what a player has before it lasts.
    in_hand: Duration,
}

impl List {
    fn of(text: &str) -> Result<Self> {
        let strange = |line: &str| Failure::check(format!("a playlist says {line}"));
        let mut list = Self {
            target: Duration::ZERO,
            segments: Vec::new(),
            parts: Vec::new(),
            next: (0, 0),
            map: None,
        };
        let mut length = Duration::ZERO;
        for line in text.lines() {
            let (tag, value) = line.split_once(':').unwrap_or((line, ""));
            let seconds = |text: &str| {
                let seconds = text.parse().map_err(|_| strange(line))?;
                Duration::try_from_secs_f64(seconds).map_err(|_| strange(line))
            };
            let attribute = |name: &str| {
                let (_, rest) = value.split_once(name).ok_or_else(|| strange(line))?;
                let rest = rest.trim_start_matches('"');
                Ok(rest.split([',', '"']).next().unwrap_or_default())
            };
            let path = |uri: &str| format!("/hls/main/{uri}");
            match tag {
                "#EXT-X-TARGETDURATION" => list.target = seconds(value)?,
                "#EXT-X-MEDIA-SEQUENCE" => {
                    list.next.0 = value.parse().map_err(|_| strange(line))?;
                }
                "#EXT-X-SKIP" => {
                    let skipped = attribute("SKIPPED-SEGMENTS=")?;
                    list.next.0 += skipped.parse::<u64>().map_err(|_| strange(line))?;
                }
                "#EXT-X-MAP" => list.map = Some(path(attribute("URI=")?)),
                "#EXTINF" => length = seconds(value.trim_end_matches(','))?,
                "#EXT-X-PART" => {
                    list.parts.push(Piece {
                        number: list.next,
                        path: path(attribute("URI=")?),
                        in_hand: 3 * seconds(attribute("DURATION=")?)?,
                    });
                    list.next.1 += 1;
                }
                uri if !uri.starts_with('#') => {
                    list.segments.push(Piece {
                        number: (list.next.0, 0),
                        path: path(uri),
                        in_hand: length,
                    });
                    list.next = (list.next.0 + 1, 0);
                }
                _ => {}
            }
        }
        Ok(list)
    }
}

/// Copies what lookback has to where nginx finds it, while `work` is done, and some time before.
fn beside_a_copier<T>(
    lookback: SocketAddr,
    folder: &Path,
    work: impl FnOnce() -> Result<T>,
) -> Result<T> {
    let mut copier = Copier::new(lookback, folder)?;
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        copier.copy()?;
        let copying = scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_millis(100));
                copier.copy()?;
            }
            copier.clear()
        });
        let done = work();
        is_over.store(true, Ordering::Relaxed);
        copying.join().expect("copying does not panic")?;
        done
    })
}

/// Keeps the newest segments as files, and the playlist beside them.
struct Copier {
    client: Client,
    folder: PathBuf,
    files: VecDeque<(u64, PathBuf)>,
}

impl Copier {
    /// As many as viewers may ask for.
    const KEPT: usize = 6;

    fn new(lookback: SocketAddr, folder: &Path) -> Result<Self> {
        let copier = Self {
            client: Client::connect(lookback)?,
            folder: folder.to_owned(),
            files: VecDeque::new(),
        };
        let kind = copier.file("/hls/main/all");
        fs::create_dir_all(&kind).map_err(|error| unwritable(&kind, &error))?;
        Ok(copier)
    }

    fn copy(&mut self) -> Result {
        let text = self.client.text(PLAYLIST)?;
        let list = List::of(&text)?;
        let newest = self.files.back().map(|(number, _)| *number);
        if newest.is_none()
            && let Some(map) = &list.map
        {
            self.fetch(map)?;
        }
        let from = list.segments.len().saturating_sub(Self::KEPT);
        let new = list.segments[from..].iter();
        for piece in new.filter(|piece| Some(piece.number.0) > newest) {
            let file = self.fetch(&piece.path)?;
            self.files.push_back((piece.number.0, file));
        }
        while self.files.len() > 2 * Self::KEPT {
            let (_, file) = self.files.pop_front().expect("there are some");
            fs::remove_file(&file).map_err(|error| unwritable(&file, &error))?;
        }
        // Under its name it is whole whenever it is read.
        let (new, path) = (self.file("/playlist.new"), self.file(PLAYLIST));
        fs::write(&new, text).map_err(|error| unwritable(&new, &error))?;
        fs::rename(&new, &path).map_err(|error| unwritable(&path, &error))
    }

    fn fetch(&mut self, path: &str) -> Result<PathBuf> {
        let head = self.client.ask(&format!("GET {path}"), "", "")?;
        let mut bytes = Vec::new();
        self.client
            .body(&head, |piece| bytes.extend_from_slice(piece))?;
        let file = self.file(path);
        fs::write(&file, bytes).map_err(|error| unwritable(&file, &error))?;
        Ok(file)
    }

    fn clear(&mut self) -> Result {
        for (_, file) in self.files.drain(..) {
            fs::remove_file(&file).map_err(|error| unwritable(&file, &error))?;
        }
        Ok(())
    }

    /// Where nginx looks for a path.
    fn file(&self, path: &str) -> PathBuf {
        self.folder.join(path.trim_start_matches('/'))
    }
}

fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::check(format!("{}: {error}", path.display()))
}
