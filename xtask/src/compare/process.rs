//! The programs that are compared: started, measured through `/proc`, stopped by their id.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::step::{Failure, Result};

/// Something did not come although there is no reason for it to take so long.
const DEADLINE: Duration = Duration::from_secs(60);

/// A running program, which ends with this value.
pub(crate) struct Process {
    name: &'static str,
    child: Child,
    output: BufReader<ChildStdout>,
}

/// What a process has resident.
#[derive(Clone, Copy)]
pub(crate) struct Resident {
    pub(crate) now_bytes: u64,
    pub(crate) peak_bytes: u64,
}

impl Process {
    /// Starts a program; what it says on standard error is shown.
    pub(crate) fn start(name: &'static str, command: &mut Command) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| Failure::check(format!("{name} does not start: {error}")))?;
        let output = child.stdout.take().expect("it was asked for");
        Ok(Self {
            name,
            child,
            output: BufReader::new(output),
        })
    }

    /// The next line on standard output, without the words it must begin with.
    pub(crate) fn line(&mut self, begin: &str) -> Result<String> {
        let mut line = String::new();
        let read = self.output.read_line(&mut line);
        match line.trim_end().strip_prefix(begin) {
            Some(rest) if read.is_ok() => Ok(rest.to_owned()),
            _ => Err(Failure::check(format!(
                "{} wrote {line:?} instead of \"{begin}...\"",
                self.name
            ))),
        }
    }

    /// Processor time of the process and its children so far, its own and the system's for it.
    pub(crate) fn processor_time(&self) -> Result<Duration> {
        let own = self.child.id();
        let children = read(&format!("/proc/{own}/task/{own}/children"))?;
        let children = children.split_ascii_whitespace().map(str::to_owned);
        let mut nanoseconds = 0;
        for process in children.chain([own.to_string()]) {
            nanoseconds += processor_nanoseconds(&process)?;
        }
        Ok(Duration::from_nanos(nanoseconds))
    }

    pub(crate) fn resident(&self) -> Result<Resident> {
        let status = read(&format!("/proc/{}/status", self.child.id()))?;
        let bytes = |key| {
            let line = status.lines().find_map(|line| line.strip_prefix(key));
            let number = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
            number
                .map(|kilobytes| kilobytes * 1024)
                .ok_or_else(|| Failure::check(format!("no {key} of {}", self.name)))
        };
        Ok(Resident {
            now_bytes: bytes("VmRSS:")?,
            peak_bytes: bytes("VmHWM:")?,
        })
    }
}

/// Of each thread the kernel tells the exact time. Those that have ended are missing, but the programs
/// keep the threads that do the work.
fn processor_nanoseconds(process: &str) -> Result<u64> {
    let folder = format!("/proc/{process}/task");
    let threads = fs::read_dir(&folder).map_err(|error| unreadable(&folder, &error))?;
    let mut sum = 0;
    for thread in threads {
        let path = thread
            .map_err(|error| unreadable(&folder, &error))?
            .path()
            .join("schedstat");
        // A thread may end meanwhile.
        let Ok(text) = fs::read_to_string(&path) else {
            continue;
        };
        let ran = text
            .split(' ')
            .next()
            .and_then(|ran| ran.parse::<u64>().ok());
        sum += ran.ok_or_else(|| Failure::check(format!("{path:?} says {text:?}")))?;
    }
    Ok(sum)
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let started = Instant::now();
        while started.elapsed() < Duration::from_secs(5) {
            if matches!(self.child.try_wait(), Ok(Some(_)) | Err(_)) {
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks again until there is an answer, or something is wrong.
pub(crate) fn eventually<T>(what: &str, mut poll: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let started = Instant::now();
    while started.elapsed() < DEADLINE {
        if let Some(value) = poll()? {
            return Ok(value);
        }
        thread::sleep(Duration::from_millis(5));
    }
    Err(Failure::check(format!(
        "did not happen in {DEADLINE:?}: {what}"
    )))
}

pub(crate) fn read(path: &str) -> Result<String> {
    fs::read_to_string(path).map_err(|error| unreadable(path, &error))
}

fn unreadable(path: &str, error: &std::io::Error) -> Failure {
    Failure::check(format!("{path}: {error}"))
}
