//! Child processes: logged to files, stopped by their id when the test is done with them.
//!
//! A child stays in the test's process group, so that whoever ends a hanging test ends its
//! children too.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::eventually;

pub(crate) struct Process {
    name: String,
    child: Child,
    output: PathBuf,
    log: PathBuf,
}

impl Process {
    /// Starts a program whose standard output and standard error go to files in `folder`.
    pub(crate) fn start(name: &str, folder: &Path, command: &mut Command) -> Self {
        let output = folder.join(format!("{name}.out"));
        let log = folder.join(format!("{name}.log"));
        let child = command
            .stdout(File::create(&output).expect("the test's folder takes files"))
            .stderr(File::create(&log).expect("the test's folder takes files"))
            .spawn()
            .unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        Self {
            name: name.to_owned(),
            child,
            output,
            log,
        }
    }

    /// What it has written to standard output so far.
    pub(crate) fn output(&self) -> String {
        read_lossy(&self.output)
    }

    /// What it has written to standard error so far.
    pub(crate) fn log(&self) -> String {
        read_lossy(&self.log)
    }

    pub(crate) fn exit_status(&mut self) -> Option<ExitStatus> {
        self.child
            .try_wait()
            .expect("a child can be asked for its state")
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        let what = format!("{} ends", self.name);
        eventually(what, || self.exit_status())
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        // It may have ended by itself: then there is nobody to tell.
        let _ = kill_process(pid, signal);
    }

    /// The most memory it has ever had in use beside the program file itself, which is several times as
    /// large here as the one that users run.
    pub(crate) fn peak_bytes(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))
            .expect("Linux tells about a running child");
        let bytes = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key));
            let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
            kilobytes
                .and_then(|number| number.parse::<u64>().ok())
                .expect("a number of kB")
                * 1024
        };
        bytes("VmHWM:") - bytes("RssFile:")
    }

    fn stop(&mut self) {
        self.signal(Signal::TERM);
        let started = Instant::now();
        while started.elapsed() < Duration::from_secs(3) {
            if self.exit_status().is_some() {
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
        self.signal(Signal::KILL);
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stop();
        if thread::panicking() {
            let log = self.log();
            let tail: Vec<&str> = log.lines().rev().take(40).collect();
            eprintln!("--- the end of what {} logged:", self.name);
            tail.iter().rev().for_each(|line| eprintln!("{line}"));
        }
    }
}

/// Runs a program to its end and gives what it wrote to standard output; failing fails the test.
pub(crate) fn output_of(command: &mut Command) -> Vec<u8> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{program} does not start: {error}"));
    assert!(
        output.status.success(),
        "{program} ended with {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

fn read_lossy(path: &Path) -> String {
    fs::read(path).map_or_else(
        |_| String::new(),
        |bytes| String::from_utf8_lossy(&bytes).into(),
    )
}
