//! The bound of ingest: a reader that takes bytes into a ring in RAM and drops them.
//!
//! It is a process of its own, `cargo xtask compare --bare-reader`, so that its time is measured as
//! that of lookback is. The ring is as large as lookback's memory, in blocks as large as its slabs, and
//! reads fill a block up as lookback's do. What it does not do is look at a byte, or wait for more
//! than one thing.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::TcpListener;
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::pipe::fcntl_setpipe_size;

use crate::step::{Failure, Result};

/// Bytes in a block of the ring.
const BLOCK_LEN: usize = 1394 * 188;

/// The pipe's buffer that lookback asks for.
const PIPE_LEN: usize = 1 << 20;

/// Reads one writer after the other, for ever; the arguments are `fifo PATH BYTES` or `tcp BYTES`. Tells
/// in a line where it reads, and in another what each writer has brought.
pub(crate) fn run(arguments: &[&str]) -> Result {
    let read = match arguments {
        ["fifo", path, len] => from_fifo(Path::new(path), Ring::new(len)?),
        ["tcp", len] => from_tcp(Ring::new(len)?),
        _ => return Err(Failure::usage("--bare-reader fifo PATH BYTES | tcp BYTES")),
    };
    read.map_err(|error| Failure::check(format!("the bare reader: {error}")))
}

fn from_fifo(path: &Path, mut ring: Ring) -> io::Result<()> {
    mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)?;
    tell("reads", &path.display().to_string())?;
    loop {
        let pipe = File::open(path)?;
        fcntl_setpipe_size(&pipe, PIPE_LEN)?;
        let len = ring.read_all(pipe)?;
        tell("read", &len.to_string())?;
    }
}

fn from_tcp(mut ring: Ring) -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    tell("reads", &listener.local_addr()?.to_string())?;
    loop {
        let (stream, _) = listener.accept()?;
        let len = ring.read_all(stream)?;
        tell("read", &len.to_string())?;
    }
}

fn tell(what: &str, value: &str) -> io::Result<()> {
    let mut output = io::stdout().lock();
    writeln!(output, "{what} {value}")?;
    output.flush()
}

struct Ring {
    blocks: Vec<Vec<u8>>,
    block: usize,
    filled: usize,
}

impl Ring {
    fn new(len: &str) -> Result<Self> {
        let len: usize = len
            .parse()
            .map_err(|error| Failure::usage(format!("{len}: {error}")))?;
        let blocks = (len / BLOCK_LEN).max(1);
        Ok(Self {
            blocks: vec![vec![0; BLOCK_LEN]; blocks],
            block: 0,
            filled: 0,
        })
    }

    fn read_all(&mut self, mut source: impl Read) -> io::Result<u64> {
        let mut total = 0;
        loop {
            if self.filled == BLOCK_LEN {
                self.block = (self.block + 1) % self.blocks.len();
                self.filled = 0;
            }
            match source.read(&mut self.blocks[self.block][self.filled..]) {
                Ok(0) => return Ok(total),
                Ok(len) => {
                    self.filled += len;
                    total += len as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}
