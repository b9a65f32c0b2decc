//! The bytes that all are measured on, and how they are sent.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::step::{Failure, Result, run};
use crate::workspace::target;

/// Bits a second of the stream, nearly.
pub(crate) const BIT_RATE: u64 = 50_000_000;

/// A turn of it is repeated until there is a gigabyte.
pub(crate) const TURNS: u32 = 11;
const TURN_SECONDS: u32 = 16;

/// Bytes of a transport packet.
const PACKET_LEN: usize = 188;

/// H.264 and AAC on one continuous timeline, as it would be recorded.
pub(crate) struct Stream(Vec<u8>);

impl Stream {
    /// Makes so many turns of it, unless an earlier run has.
    pub(crate) fn prepare(bit_rate: u64, turns: u32) -> Result<Self> {
        let folder = target().join("compare");
        let failed = |error: io::Error| Failure::check(format!("{}: {error}", folder.display()));
        fs::create_dir_all(&folder).map_err(failed)?;
        let path = folder.join(format!("stream-{}x{turns}.ts", bit_rate / 1_000_000));
        if !path.exists() {
            let (turn, made) = (folder.join("turn.ts"), folder.join("stream.new.ts"));
            make_turn(&turn, bit_rate)?;
            repeat(&turn, &made, turns)?;
            fs::rename(made, &path).map_err(failed)?;
            fs::remove_file(turn).map_err(failed)?;
        }
        Ok(Self(fs::read(path).map_err(failed)?))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Its first bytes: up to so many, in whole packets.
    pub(crate) fn up_to(&self, len: usize) -> &[u8] {
        let len = len.min(self.0.len());
        &self.0[..len - len % PACKET_LEN]
    }

    /// One of `count` parts that follow each other, in whole packets.
    pub(crate) fn part(&self, n: usize, count: usize) -> &[u8] {
        let len = self.up_to(self.0.len() / count).len();
        &self.0[n * len..][..len]
    }

    pub(crate) fn len(&self) -> u64 {
        self.0.len() as u64
    }
}

/// Noise over the test picture, since without it there would be nothing to spend the bits on.
fn make_turn(path: &Path, bit_rate: u64) -> Result {
    let rate = bit_rate.to_string();
    let seconds = TURN_SECONDS.to_string();
    let mut ffmpeg = ffmpeg();
    ffmpeg.args(["-f", "lavfi", "-i", PICTURE, "-f", "lavfi", "-i", SOUND]);
    ffmpeg.args(["-t", &seconds, "-c:v", "libx264", "-preset", "ultrafast"]);
    ffmpeg.args(["-pix_fmt", "yuv420p", "-g", "60", "-bf", "2", "-b:v", &rate]);
    ffmpeg.args(["-minrate", &rate, "-maxrate", &rate, "-bufsize", &rate]);
    ffmpeg.args(["-c:a", "aac", "-b:a", "160k", "-f", "mpegts"]);
    run(ffmpeg.arg(path))
}

const PICTURE: &str = "testsrc2=size=1920x1080:rate=60,noise=alls=20:allf=t";
const SOUND: &str = "sine=frequency=440:sample_rate=48000";

fn repeat(turn: &Path, path: &Path, turns: u32) -> Result {
    let mut ffmpeg = ffmpeg();
    // At this rate the sound begins behind what ffmpeg looks at by itself.
    ffmpeg.args(["-probesize", "50M"]);
    ffmpeg.args(["-stream_loop", &(turns - 1).to_string(), "-i"]);
    ffmpeg.arg(turn);
    ffmpeg.args(["-map", "0", "-c", "copy", "-f", "mpegts"]);
    run(ffmpeg.arg(path))
}

/// ffmpeg, as quiet as it can be.
pub(crate) fn ffmpeg() -> Command {
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-nostdin", "-v", "error", "-y"]);
    ffmpeg
}

/// Where to send bytes.
#[derive(Clone)]
pub(crate) enum Target {
    Fifo(PathBuf),
    Tcp(String),
}

impl Target {
    /// Opens it; who reads must be there.
    pub(crate) fn open(&self) -> Result<Box<dyn Write + Send>> {
        let opened: io::Result<Box<dyn Write + Send>> = match self {
            Self::Fifo(path) => OpenOptions::new()
                .write(true)
                .open(path)
                .map(|pipe| Box::new(pipe) as _),
            Self::Tcp(address) => TcpStream::connect(address).map(|stream| Box::new(stream) as _),
        };
        opened.map_err(|error| Failure::check(format!("nobody reads: {error}")))
    }
}

/// Sends bytes as fast as they are read.
pub(crate) fn send(target: &Target, bytes: &[u8]) -> Result {
    let mut target = target.open()?;
    for piece in bytes.chunks(PIECE_LEN) {
        target.write_all(piece).map_err(refused)?;
    }
    Ok(())
}

const PIECE_LEN: usize = 256 << 10;

/// Sends the same bytes to all targets, paced. Gives by how much it was late at worst.
pub(crate) fn send_paced(targets: &[Target], bytes: &[u8]) -> Result<Duration> {
    let mut open = Vec::new();
    for target in targets {
        open.push(target.open()?);
    }
    let mut late = Duration::ZERO;
    for (piece, behind) in paced(bytes, BIT_RATE) {
        for target in &mut open {
            target.write_all(piece).map_err(refused)?;
        }
        late = late.max(behind());
    }
    Ok(late)
}

/// Sends bytes at so many bits a second, until that is enough.
pub(crate) fn send_until(
    is_enough: &AtomicBool,
    target: &Target,
    bytes: &[u8],
    bit_rate: u64,
) -> Result {
    let mut target = target.open()?;
    for (piece, _) in paced(bytes, bit_rate) {
        if is_enough.load(Ordering::Relaxed) {
            return Ok(());
        }
        target.write_all(piece).map_err(refused)?;
    }
    Err(Failure::check(
        "all was sent before the measurement was over",
    ))
}

/// Pieces, each at its time, and how far behind the time of the next one is then.
fn paced(bytes: &[u8], bit_rate: u64) -> impl Iterator<Item = (&[u8], impl Fn() -> Duration)> {
    let len = usize::try_from(bit_rate / 8 / TICKS_PER_SECOND).unwrap_or(1);
    let started = Instant::now();
    bytes.chunks(len).zip(0..).map(move |(piece, tick)| {
        let due = Duration::from_secs(1) / TICKS_PER_SECOND as u32 * tick;
        thread::sleep(due.saturating_sub(started.elapsed()));
        let next = due + Duration::from_secs(1) / TICKS_PER_SECOND as u32;
        (piece, move || started.elapsed().saturating_sub(next))
    })
}

/// Half a picture of 60 a second: a source sends no more evenly.
const TICKS_PER_SECOND: u64 = 120;

fn refused(error: io::Error) -> Failure {
    Failure::check(format!("a reader has gone: {error}"))
}

/// Ports that nobody listens on. They are found together, so that no two are the same.
pub(crate) fn free_ports(count: usize) -> Result<Vec<u16>> {
    let bind = |_| TcpListener::bind("127.0.0.1:0");
    let listeners: io::Result<Vec<TcpListener>> = (0..count).map(bind).collect();
    let ports = listeners.and_then(|listeners| {
        let address = |listener: &TcpListener| listener.local_addr();
        listeners
            .iter()
            .map(address)
            .map(|found| found.map(|it| it.port()))
            .collect()
    });
    ports.map_err(|error| Failure::check(format!("no free ports: {error}")))
}
