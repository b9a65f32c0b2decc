//! The command line.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use lookback_deck::Speed;

use crate::settings::{Name, Options, presets, with_file};
use crate::usage::Usage;
use crate::work::WorkCommand;

/// Instant replay for OBS: the last minutes of live video in RAM, watched again at once.
///
/// Without a command it records and serves. Each option is also a key of the settings file.
#[derive(Debug, Parser)]
#[command(name = "lookback", version, args_conflicts_with_subcommands = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: Options,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Record and serve (the same as no command).
    Serve(Options),
    /// Record and serve a built-in test picture with sound: needs neither OBS nor ffmpeg.
    Demo(Options),
    /// Show what a running lookback is doing.
    Status(StatusOptions),
    #[command(flatten)]
    Deck(DeckCommand),
    #[command(flatten)]
    Keep(KeepCommand),
    #[command(flatten)]
    Work(WorkCommand),
}

/// Which server to ask.
#[derive(Args, Debug)]
pub(crate) struct ServerOptions {
    /// The server to ask.
    #[arg(
        long,
        value_name = "URL",
        env = "LOOKBACK_SERVER",
        default_value = "http://127.0.0.1:1688"
    )]
    pub(crate) server: String,
    /// File with the server's token, if it asks for one.
    #[arg(long, value_name = "FILE", env = "LOOKBACK_TOKEN_FILE")]
    pub(crate) token_file: Option<PathBuf>,
}

/// How to ask for the status.
#[derive(Args, Debug)]
pub(crate) struct StatusOptions {
    #[command(flatten)]
    pub(crate) server: ServerOptions,
    /// Print the answer as it came, for programs.
    #[arg(long)]
    pub(crate) json: bool,
}

/// What a deck of a running server is to do.
#[derive(Debug, Subcommand)]
pub(crate) enum DeckCommand {
    /// Play on, or what is named.
    Play(PlayOptions),
    /// Let the picture stand.
    Pause(DeckOptions),
    /// Go to another moment of what is loaded.
    Seek {
        /// Seconds from the start (3.5), forward (+5) or back (-10) from here, "in", "out" or "live".
        #[arg(allow_hyphen_values = true)]
        to: Place,
        #[command(flatten)]
        deck: DeckOptions,
    },
    /// Play at another speed: 0.05 to 16, or -1 to -16 to rewind.
    Speed {
        /// 1 is real time.
        #[arg(allow_hyphen_values = true, value_parser = speed)]
        speed: f64,
        #[command(flatten)]
        deck: DeckOptions,
    },
    /// Show the next picture, or one so many further or back.
    Step {
        /// How many; less than 0 goes back.
        #[arg(allow_hyphen_values = true, default_value_t = 1)]
        frames: i32,
        #[command(flatten)]
        deck: DeckOptions,
    },
    /// Empty the deck.
    Stop(DeckOptions),
}

/// What is to be kept of what a running server has recorded, or not.
#[derive(Debug, Subcommand)]
pub(crate) enum KeepCommand {
    /// Keep a moment as a replay: at once, of any length, without a copy.
    Save(SaveOptions),
    /// List the replays, the newest first.
    List(ListOptions),
    /// Delete replays.
    Delete {
        /// Their ids, as list shows them.
        #[arg(required = true, value_name = "ID")]
        ids: Vec<String>,
        #[command(flatten)]
        server: ServerOptions,
    },
    /// List what lies in the server's library, the newest first.
    Library {
        /// Print the answer as it came, for programs.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        server: ServerOptions,
    },
    /// Read a transport stream of the library back into memory, as a replay.
    Restore {
        /// Its name, as library shows it.
        #[arg(value_name = "FILE")]
        file: String,
        #[command(flatten)]
        server: ServerOptions,
    },
    /// Forget what the channels can look back on; replays stay.
    Clear {
        /// Of this channel only; repeat it for more [default: of all].
        #[arg(long, value_name = "NAME")]
        channel: Vec<Name>,
        #[command(flatten)]
        server: ServerOptions,
    },
}

/// Which moment to keep; without a word, all that there is.
#[derive(Args, Debug)]
pub(crate) struct SaveOptions {
    /// The last so much of the recording, such as 30s.
    #[arg(long, value_name = "DURATION", conflicts_with_all = ["from", "to"])]
    pub(crate) last: Option<String>,
    /// From then on: a time, or so long ago, such as -1min.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(crate) from: Option<String>,
    /// Until then: a time, or so long ago, such as -30s.
    #[arg(
        long,
        value_name = "TIME",
        allow_hyphen_values = true,
        conflicts_with = "plus"
    )]
    pub(crate) to: Option<String>,
    /// And so much of what comes next: it is there at once, and grows.
    #[arg(long, value_name = "DURATION")]
    pub(crate) plus: Option<String>,
    /// What it is called [default: a number].
    #[arg(long, value_name = "TEXT")]
    pub(crate) name: Option<String>,
    /// Of this channel only; repeat it for more [default: of all].
    #[arg(long, value_name = "NAME")]
    pub(crate) channel: Vec<Name>,
    /// A word to find it by; repeat it for more.
    #[arg(long, value_name = "TEXT")]
    pub(crate) tag: Vec<String>,
    /// Lock it, so that it is neither deleted nor dropped to make room.
    #[arg(long)]
    pub(crate) lock: bool,
    /// Then forget what the channels can look back on.
    #[arg(long)]
    pub(crate) clear: bool,
    /// Print the answer as it came, for programs.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) server: ServerOptions,
}

/// Which replays to list.
#[derive(Args, Debug)]
pub(crate) struct ListOptions {
    /// Those with this in their names.
    #[arg(value_name = "SEARCH")]
    pub(crate) search: Option<String>,
    /// Those with this tag.
    #[arg(long, value_name = "TEXT")]
    pub(crate) tag: Option<String>,
    /// Those that end after this: a time, or so long ago, such as -10min.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(crate) from: Option<String>,
    /// Those that begin before this: a time, or so long ago, such as -5min.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(crate) to: Option<String>,
    /// Print the answer as it came, for programs.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) server: ServerOptions,
}

/// Which deck is meant.
#[derive(Args, Debug)]
pub(crate) struct DeckOptions {
    /// The deck that is meant.
    #[arg(long = "deck", value_name = "NAME", default_value = "main")]
    pub(crate) deck: Name,
    #[command(flatten)]
    pub(crate) server: ServerOptions,
}

/// What to play; without a word, what is loaded plays on.
#[derive(Args, Debug)]
pub(crate) struct PlayOptions {
    /// The last so much of the recording, such as 10s.
    #[arg(long, value_name = "DURATION", conflicts_with_all = ["from", "to"])]
    pub(crate) last: Option<String>,
    /// From then on: a time, or so long ago, such as -1min.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(crate) from: Option<String>,
    /// Until then: a time, or so long ago, such as -30s.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(crate) to: Option<String>,
    /// Of this channel.
    #[arg(long, value_name = "NAME")]
    pub(crate) channel: Option<String>,
    /// A clip that was made before, by its id.
    #[arg(long, value_name = "ID", conflicts_with_all = ["last", "from", "to", "channel"])]
    pub(crate) clip: Option<String>,
    /// What is being recorded, as it comes.
    #[arg(long, conflicts_with_all = ["last", "from", "to", "clip"])]
    pub(crate) live: bool,
    /// A replay, by its id; with --channel, that angle of it.
    #[arg(long, value_name = "ID", conflicts_with_all = ["last", "from", "to", "clip"])]
    pub(crate) replay: Option<String>,
    #[command(flatten)]
    pub(crate) deck: DeckOptions,
}

impl PlayOptions {
    pub(crate) fn names_something(&self) -> bool {
        let selection = [&self.last, &self.from, &self.to, &self.channel];
        let mut words = selection.into_iter().chain([&self.clip, &self.replay]);
        words.any(Option::is_some) || self.live
    }
}

/// Where to go in what is loaded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Place {
    /// So many seconds behind the start.
    At(f64),
    /// So many seconds further, or back.
    By(f64),
    /// The start.
    In,
    /// The end.
    Out,
    /// What is being recorded.
    Live,
}

impl FromStr for Place {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "in" => return Ok(Self::In),
            "out" => return Ok(Self::Out),
            "live" => return Ok(Self::Live),
            _ => {}
        }
        let seconds = text
            .parse()
            .ok()
            .filter(|seconds: &f64| seconds.is_finite());
        match seconds {
            Some(seconds) if text.starts_with(['+', '-']) => Ok(Self::By(seconds)),
            Some(seconds) => Ok(Self::At(seconds)),
            None => Err("write it as 3.5, +5, -10, in, out or live"),
        }
    }
}

fn speed(text: &str) -> Result<f64, String> {
    let speed = text.parse().map_err(|_| "a speed is a number".to_owned())?;
    Speed::new(speed)
        .map(Speed::value)
        .map_err(|error| error.to_string())
}

/// What the command line comes to.
pub(crate) enum Asked {
    /// Something to run.
    Run(Box<Command>),
    /// Help, or the version, as clap prints it.
    Text(clap::Error),
}

/// Reads the command line, the environment, and the settings file if one is named.
pub(crate) fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Asked, Usage> {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let mut cli = match parse(Cli::command(), &arguments) {
        Ok(cli) => cli,
        Err(error) if is_text(&error) => return Ok(Asked::Text(error)),
        Err(error) => return Err(Usage::new(on_one_line(&error))),
    };
    if let Some(path) = cli.config() {
        let text = read_file(path)?;
        let command = with_file(Cli::command(), path, &text)?;
        let presets = presets(path, &text)?;
        cli = parse(command, &arguments).map_err(|error| Usage::new(on_one_line(&error)))?;
        if let Some(options) = cli.options_mut() {
            options.presets = Some(presets);
        }
    }
    Ok(Asked::Run(Box::new(
        cli.command.unwrap_or(Command::Serve(cli.serve)),
    )))
}

fn parse(command: clap::Command, arguments: &[OsString]) -> Result<Cli, clap::Error> {
    Cli::from_arg_matches(&command.try_get_matches_from(arguments)?)
}

impl Cli {
    fn config(&self) -> Option<&Path> {
        match &self.command {
            None => self.serve.config.as_deref(),
            Some(Command::Serve(options) | Command::Demo(options)) => options.config.as_deref(),
            Some(Command::Status(_) | Command::Deck(_) | Command::Keep(_) | Command::Work(_)) => {
                None
            }
        }
    }

    fn options_mut(&mut self) -> Option<&mut Options> {
        match &mut self.command {
            None => Some(&mut self.serve),
            Some(Command::Serve(options) | Command::Demo(options)) => Some(options),
            Some(_) => None,
        }
    }
}

fn read_file(path: &Path) -> Result<String, Usage> {
    std::fs::read_to_string(path).map_err(|error| {
        Usage::new(format!(
            "--config {} cannot be read: {error}",
            path.display()
        ))
    })
}

fn is_text(error: &clap::Error) -> bool {
    use ErrorKind::{DisplayHelp, DisplayHelpOnMissingArgumentOrSubcommand, DisplayVersion};
    matches!(
        error.kind(),
        DisplayHelp | DisplayHelpOnMissingArgumentOrSubcommand | DisplayVersion
    )
}

/// What clap has to say, without the usage lines that follow it.
pub(crate) fn on_one_line(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let told = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let told: Vec<&str> = told
        .take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more information"))
        .collect();
    let told = told.join("; ");
    told.strip_prefix("error: ").unwrap_or(&told).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(arguments: &[&str]) -> Result<Asked, String> {
        let arguments = [&["lookback"], arguments].concat();
        read(arguments.into_iter().map(OsString::from)).map_err(|error| error.to_string())
    }

    fn command(arguments: &[&str]) -> Command {
        match ask(arguments) {
            Ok(Asked::Run(command)) => *command,
            Ok(Asked::Text(text)) => panic!("{text}"),
            Err(error) => panic!("{error}"),
        }
    }

    #[test]
    fn definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn serve_is_the_default_with_or_without_options() {
        assert!(matches!(command(&[]), Command::Serve(_)));
        assert!(matches!(command(&["serve"]), Command::Serve(_)));
        assert!(matches!(
            command(&["demo", "--memory", "64MiB"]),
            Command::Demo(_)
        ));
        let Command::Serve(options) = command(&["--input", "a=x.ts", "--input=-"]) else {
            panic!("not serve")
        };
        assert_eq!(options.input.len(), 2);
    }

    #[test]
    fn mistakes_are_one_line() {
        for (arguments, word) in [
            (&["--memory", "lots"][..], "200MB"),
            (&["--memroy", "1GiB"], "--memory"),
            (&["sevre"], "serve"),
            (&["--input", "srt://0.0.0.0:9"], "SRT"),
            (&["--config", "/nowhere/lookback.toml"], "/nowhere"),
            (&["--memory"], "value"),
        ] {
            let error = ask(arguments).err().expect("a mistake");
            assert!(error.contains(word), "{error}");
            assert_eq!(error.lines().count(), 1, "{error}");
        }
    }

    #[test]
    fn help_and_version_are_texts() {
        for arguments in [["--help"], ["--version"], ["-V"]] {
            assert!(matches!(ask(&arguments), Ok(Asked::Text(_))));
        }
    }

    #[test]
    fn settings_file_serves_every_command() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("lookback.toml");
        std::fs::write(&path, "keep = \"10min\"").expect("a file");
        let path = path.to_str().expect("a plain path");
        for arguments in [&["--config", path][..], &["demo", "--config", path]] {
            let (Command::Serve(options) | Command::Demo(options)) = command(arguments) else {
                panic!("not a server")
            };
            assert_eq!(
                options.keep.map(|keep| keep.to_string()).as_deref(),
                Some("10min")
            );
        }
    }
}
