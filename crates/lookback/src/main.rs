//! Instant replay for OBS: the last minutes of live video in RAM, watched again at once.
//!
//! The program around the recorder of `lookback-replay`: [`settings`] and command line ([`cli`]),
//! [`source`]s that bytes come from, [`http`] and the [`sink`] that they go to. All that knows tokio,
//! files, sockets and the time of day is here.

mod addresses;
mod archive;
mod child;
mod cli;
mod client;
mod clock;
mod control;
mod convert;
mod decks;
mod doctor;
#[cfg(unix)]
mod fifo;
mod http;
mod instant;
mod keep;
mod library;
mod link;
mod log;
mod manual;
mod obs;
mod programs;
mod replays;
mod serve;
mod settings;
mod signals;
mod sink;
mod source;
mod status;
mod table;
#[cfg(test)]
mod testing;
mod time;
mod transport;
mod usage;
mod watch;
mod work;

use std::env;
use std::io::{self, Write};
use std::process::ExitCode;

use cli::{Asked, Command};
use settings::{Options, Settings};
use source::{Address, Input};
use usage::Usage;

/// The exit code of a mistake that the user can put right.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let result = match cli::read(env::args_os()) {
        Ok(Asked::Run(command)) => run(*command),
        Ok(Asked::Text(text)) => {
            // A reader that has seen enough, such as `head`, is no error.
            let _ = text.print();
            Ok(ExitCode::SUCCESS)
        }
        Err(usage) => Err(usage),
    };
    result.unwrap_or_else(|usage| {
        // Where there is no standard error, the exit code has to do.
        let _ = writeln!(io::stderr(), "lookback: {usage}");
        ExitCode::from(USAGE)
    })
}

fn run(command: Command) -> Result<ExitCode, Usage> {
    match command {
        Command::Serve(options) => serve(options),
        Command::Demo(mut options) => {
            options.input.insert(0, Input::main(Address::Demo));
            serve(options)
        }
        Command::Status(options) => Ok(status::run(&options)),
        Command::Deck(command) => Ok(control::run(&command)),
        Command::Replay(options) => Ok(instant::run(&options)),
        Command::Keep(command) => Ok(keep::run(&command)),
        Command::Work(command) => Ok(work::run(&command)),
        Command::Obs(command) => Ok(obs::run(&command)),
        Command::Link(options) => Ok(link::run(&options)),
        Command::Doctor(options) => doctor::run(&options),
        Command::Manual(command) => Ok(manual::run(&command, cli::definition())),
    }
}

fn serve(options: Options) -> Result<ExitCode, Usage> {
    log::start(options.log.clone());
    let settings = Settings::new(options)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Usage::new(format!("cannot start: {error}")))?;
    let result = runtime.block_on(serve::run(settings));
    // Threads that wait in a read or a write are not waited for.
    runtime.shutdown_background();
    result.map(|()| ExitCode::SUCCESS)
}
