//! `lookback completions` and `lookback man`: what a shell and `man` know of the command line, made of
//! its one definition.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use clap_complete::Shell;

use crate::client::{self, Failure};

/// What helps with the command line.
#[derive(Debug, Subcommand)]
pub(crate) enum ManualCommand {
    /// Print a script that teaches a shell to complete these commands.
    Completions {
        /// The shell it is for.
        shell: Shell,
    },
    /// Write manual pages: lookback.1, and one for each command.
    Man {
        /// The folder to write them to; it is made if missing.
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
}

/// Makes it of the definition of the command line.
pub(crate) fn run(command: &ManualCommand, definition: clap::Command) -> ExitCode {
    client::finish(match command {
        ManualCommand::Completions { shell } => {
            // A reader that has seen enough, such as `head`, is no error.
            let _ = io::stdout().write_all(&completions(*shell, definition));
            Ok(String::new())
        }
        ManualCommand::Man { folder } => pages(folder, definition),
    })
}

fn completions(shell: Shell, mut definition: clap::Command) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut definition, "lookback", &mut script);
    script
}

fn pages(folder: &Path, definition: clap::Command) -> Result<String, Failure> {
    let written =
        std::fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(definition, folder));
    written.map_err(|error| Failure::mistake(format!("{}: {error}", folder.display())))?;
    Ok(format!(
        "written: try man {}",
        folder.join("lookback.1").display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::definition;

    #[test]
    fn shells_learn_each_command() {
        for shell in [
            Shell::Bash,
            Shell::Elvish,
            Shell::Fish,
            Shell::PowerShell,
            Shell::Zsh,
        ] {
            let script = String::from_utf8(completions(shell, definition())).expect("text");
            for command in definition().get_subcommands() {
                let name = command.get_name();
                assert!(script.contains(name), "{shell}: {name}");
            }
            assert!(script.contains("when-full"), "{shell}: an option");
        }
    }

    #[test]
    fn each_command_has_a_page() {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = folder.path().join("man1");
        let told = pages(&folder, definition()).unwrap_or_else(|error| panic!("{error}"));
        assert!(told.contains("lookback.1"), "{told}");
        let page = |name: &str| std::fs::read_to_string(folder.join(name)).expect(name);
        assert!(page("lookback.1").contains("Exit codes"));
        for command in definition().get_subcommands() {
            let text = page(&format!("lookback-{}.1", command.get_name()));
            for option in command.get_arguments().filter_map(clap::Arg::get_long) {
                // roff writes a hyphen like this.
                let option = option.replace('-', "\\-");
                assert!(text.contains(&option), "{option} in {text}");
            }
        }
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("file");
        std::fs::write(&file, "").expect("a file");
        let error = pages(&file.join("man"), definition()).expect_err("a file is no folder");
        assert!(error.to_string().contains("file"), "{error}");
    }
}
