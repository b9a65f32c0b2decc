//! Steps: named, timed, and the first failure ends the run.

use std::fmt;
use std::process::{Command, ExitCode};
use std::time::Instant;

/// Why a command stopped.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    exit_code: u8,
}

pub(crate) type Result<T = ()> = std::result::Result<T, Failure>;

impl Failure {
    /// A check did not pass, or a program that has to work did not.
    pub(crate) fn check(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            exit_code: 1,
        }
    }

    /// Nothing was tried: the caller has to do something first.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            exit_code: 2,
        }
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.exit_code)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// The steps of one run, with the time each took.
pub(crate) struct Steps {
    started: Instant,
    done: Vec<(&'static str, f64)>,
}

impl Steps {
    pub(crate) fn new() -> Self {
        Self {
            started: Instant::now(),
            done: Vec::new(),
        }
    }

    pub(crate) fn run<T>(
        &mut self,
        name: &'static str,
        work: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        eprintln!("\n==> {name}");
        let started = Instant::now();
        let result = work();
        let seconds = started.elapsed().as_secs_f64();
        match result {
            Ok(value) => {
                eprintln!("<== {name}: {seconds:.1} s");
                self.done.push((name, seconds));
                Ok(value)
            }
            Err(mut failure) => {
                failure.message =
                    format!("FAILED after {seconds:.1} s: {name}\n{}", failure.message);
                Err(failure)
            }
        }
    }

    pub(crate) fn summary(&self) {
        eprintln!("\nall passed:");
        for (name, seconds) in &self.done {
            eprintln!("{seconds:8.1} s  {name}");
        }
        eprintln!("{:8.1} s  in all", self.started.elapsed().as_secs_f64());
    }
}

/// Runs a program with its output shown; anything but success is a failure that names it.
pub(crate) fn run(command: &mut Command) -> Result {
    let line = command_line(command);
    eprintln!("$ {line}");
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Failure::check(format!("`{line}` ended with {status}"))),
        Err(error) => Err(Failure::check(format!(
            "`{line}` could not be started: {error}"
        ))),
    }
}

/// Whether a program can be started and reports success; its output is not shown.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

fn command_line(command: &Command) -> String {
    let mut line = command.get_program().to_string_lossy().into_owned();
    for argument in command.get_args() {
        line.push(' ');
        line.push_str(&argument.to_string_lossy());
    }
    line
}
