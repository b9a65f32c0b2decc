//! The command line.

use std::ffi::OsString;
use std::path::Path;

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::control::DeckCommand;
use crate::doctor::DoctorOptions;
use crate::instant::ReplayOptions;
use crate::keep::KeepCommand;
use crate::link::LinkOptions;
use crate::manual::ManualCommand;
use crate::obs::ObsCommand;
use crate::settings::{Options, presets, with_file};
use crate::status::StatusOptions;
use crate::usage::Usage;
use crate::work::WorkCommand;

/// Instant replay for OBS: the last minutes of live video in RAM, watched again at once.
///
/// Without a command it records and serves. Each option is also a key of the settings file.
#[derive(Debug, Parser)]
#[command(
    name = "lookback",
    version,
    args_conflicts_with_subcommands = true,
    after_help = EXIT_CODES
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: Options,
}

const EXIT_CODES: &str = "\
Exit codes: 0 done; 1 begun, but not brought to its end, or found wrong by doctor; 2 not done, because of a mistake or a refusal; \
3 no server answers; 130 interrupted. With any but 0, one line of standard error says why.";

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Record and serve (the same as no command).
    Serve(Options),
    /// Record and serve a built-in test picture with sound: needs neither OBS nor ffmpeg.
    Demo(Options),
    /// Show what a running lookback is doing.
    Status(StatusOptions),
    /// Put the last seconds on the program of OBS, in slow motion, and go back.
    Replay(ReplayOptions),
    #[command(flatten)]
    Deck(DeckCommand),
    #[command(flatten)]
    Keep(KeepCommand),
    #[command(flatten)]
    Work(WorkCommand),
    /// Prepare OBS over obs-websocket, look at it, and put it back.
    #[command(subcommand)]
    Obs(ObsCommand),
    /// Show a link, and its QR code, that opens the page of a running lookback on another device.
    Link(LinkOptions),
    /// Say what is wrong with this machine's set-up, and what to do about it.
    Doctor(DoctorOptions),
    #[command(flatten)]
    Manual(ManualCommand),
}

/// What the command line comes to.
pub(crate) enum Asked {
    /// Something to run.
    Run(Box<Command>),
    /// Help, or the version, as clap prints it.
    Text(clap::Error),
}

/// All that can be asked for, as clap knows it.
pub(crate) fn definition() -> clap::Command {
    Cli::command()
}

/// Reads the command line, the environment, and the settings file if one is named.
pub(crate) fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Asked, Usage> {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let mut cli = match parse(definition(), &arguments) {
        Ok(cli) => cli,
        Err(error) if is_text(&error) => return Ok(Asked::Text(error)),
        Err(error) => return Err(Usage::new(on_one_line(&error))),
    };
    if let Some(path) = cli.config() {
        let text = read_file(path)?;
        let command = with_file(definition(), path, &text)?;
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
            Some(_) => None,
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
    // A list of what is missing stands on lines below a colon.
    let told = told.join("; ").replace(":; ", ": ");
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
        definition().debug_assert();
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
            (&["--input", "srt://0.0.0.0:9?mode=caller"], "listens"),
            (&["--config", "/nowhere/lookback.toml"], "/nowhere"),
            (&["--memory"], "value"),
            (&["completions"], "not provided: <SHELL>"),
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

    /// The reference and the definition name the same commands and the same options.
    #[test]
    fn reference_names_every_command_and_option() {
        const PAGE: &str = include_str!("../../../docs/reference/command-line.md");
        const SHARED: [&str; 3] = ["server", "token-file", "json"];
        let section = |title: &str| {
            let heading = |line: &str| {
                line.trim_start_matches("## ")
                    .split(", ")
                    .any(|name| name == title)
            };
            PAGE.split("\n## ")
                .find(|section| heading(section.lines().next().unwrap_or_default()))
        };
        let shared = section("Asking a server").expect("the section");
        let mut definition = definition();
        definition.build();
        // Of a command with commands of its own, each has a section.
        let commands = definition.get_subcommands();
        let commands = commands.filter(|command| command.get_name() != "help");
        let commands = commands.flat_map(|command| {
            let name = command.get_name();
            let own = command
                .get_subcommands()
                .filter(|own| own.get_name() != "help");
            let own: Vec<_> = own
                .map(|own| (format!("{name} {}", own.get_name()), own))
                .collect();
            match own.is_empty() {
                true => vec![(name.to_owned(), command)],
                false => own,
            }
        });
        for (name, command) in commands {
            let told = section(&format!("lookback {name}")).unwrap_or_else(|| panic!("no {name}"));
            let asks = command.get_arguments().any(|arg| arg.get_id() == "server");
            let options: Vec<&str> = command
                .get_arguments()
                .filter_map(clap::Arg::get_long)
                .collect();
            // All that demo takes, it shares with serve.
            let own = options.iter().filter(|option| {
                let is_shared = asks && SHARED.contains(option);
                assert!(
                    !is_shared || shared.contains(&format!("`--{option}")),
                    "{option}"
                );
                **option != "help" && !is_shared && name != "demo"
            });
            for option in own {
                assert!(told.contains(&format!("`--{option}")), "{name}: --{option}");
            }
            let words = told.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
            for word in words
                .filter_map(|word| word.strip_prefix("--"))
                .filter(|word| word.starts_with(|c: char| c.is_ascii_alphabetic()))
            {
                assert!(options.contains(&word), "{name} has no --{word}");
            }
        }
    }
}
