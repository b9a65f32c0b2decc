//! The settings: one definition for each, in [`Options`].
//!
//! A field of [`Options`] is at once the flag (`--play-to`), the environment variable
//! (`LOOKBACK_PLAY_TO`), the key in the TOML file (`play-to`), the help text and the default. The
//! file's values take the place of the defaults before the command line is read ([`file`]), so the
//! order of precedence is clap's own: flag, environment, file, default. [`Settings`] is what comes
//! out once everything has been checked against the others and against the machine.

mod endpoint;
mod file;
mod idle;
mod name;
mod obs;
mod period;
mod quantity;
mod size;

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use lookback_replay::WhenFull;
use sysinfo::{MemoryRefreshKind, RefreshKind, System};
use tracing_subscriber::filter::Targets;

pub(crate) use self::endpoint::Endpoint;
pub(crate) use self::file::{presets, with_file};
pub(crate) use self::idle::{IdleOf, Show};
pub(crate) use self::name::Name;
pub(crate) use self::obs::{ObsPart, ObsSettings};
pub(crate) use self::period::Period;
pub(crate) use self::size::Size;
use crate::convert::{Limits, Presets};
use crate::http::Token;
use crate::library::{self, Template};
use crate::sink::PlayTo;
use crate::source::{self, Input};
use crate::usage::Usage;

/// Settings as they are written; see the module's documentation.
#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// Where the video of a channel comes from; repeat it for more [default: this system's pipe for
    /// OBS, and tcp://127.0.0.1:1689, both on channel main].
    ///
    /// A FIFO's path (made if missing), a file's path (read once), \\.\pipe\NAME on Windows, "-" for
    /// standard input, tcp://HOST:PORT (listens), udp://HOST:PORT (listens), or
    /// srt://HOST:PORT[?passphrase=WORD] (listens, through ffmpeg).
    #[arg(long, value_name = "[CHANNEL=]SOURCE", env = "LOOKBACK_INPUT")]
    pub(crate) input: Vec<Input>,

    /// Where players, browsers and tools connect.
    #[arg(
        long,
        value_name = "HOST:PORT",
        env = "LOOKBACK_LISTEN",
        default_value = "127.0.0.1:1688"
    )]
    pub(crate) listen: Endpoint,

    /// Memory for everything that is recorded.
    #[arg(
        long,
        value_name = "SIZE",
        env = "LOOKBACK_MEMORY",
        default_value = "512MiB"
    )]
    pub(crate) memory: Size,

    /// Longest look back of a channel [default: as much as the memory holds].
    #[arg(long, value_name = "DURATION", env = "LOOKBACK_KEEP")]
    pub(crate) keep: Option<Period>,

    /// What happens when there is no room for another replay beside what the channels look back on.
    #[arg(
        long,
        value_name = "WHAT",
        env = "LOOKBACK_WHEN_FULL",
        value_enum,
        default_value_t
    )]
    pub(crate) when_full: Full,

    /// How far channels must be able to look back beside all replays [default: 30s, or half of the memory
    /// where that is less].
    #[arg(long, value_name = "DURATION", env = "LOOKBACK_KEEP_LIVE")]
    pub(crate) keep_live: Option<Period>,

    /// A deck, which plays what was recorded at /decks/NAME.ts; repeat it for more. There always is one
    /// called main, which /play means.
    #[arg(
        long,
        value_name = "NAME",
        env = "LOOKBACK_DECK",
        default_value = "main"
    )]
    pub(crate) deck: Vec<Name>,

    /// What the feed of an empty deck shows: the last picture ("last"), black (of H.264 and HEVC), or what is
    /// recorded ("live"); repeat it for each deck [default: last].
    ///
    /// live:CHANNEL is that channel, and live+10s is ten seconds late; live:CHANNEL+10s is both.
    #[arg(long, value_name = "[DECK=]SHOW", env = "LOOKBACK_IDLE")]
    pub(crate) idle: Vec<IdleOf>,

    /// Where a deck also plays, main unless another is named: a FIFO's path (made if missing), \\.\pipe\NAME
    /// on Windows, or tcp://HOST:PORT (listens); repeat it for more [default: this system's pipe for a media
    /// source].
    #[arg(long, value_name = "[DECK=]SINK", env = "LOOKBACK_PLAY_TO")]
    pub(crate) play_to: Vec<PlayTo>,

    /// Folder that exports are written to [default: none: nothing is ever written].
    #[arg(long, value_name = "DIR", env = "LOOKBACK_LIBRARY")]
    pub(crate) library: Option<PathBuf>,

    /// Write each replay to the library when it is complete: as ts, mp4, or by a preset [default: none].
    #[arg(long, value_name = "FORMAT", env = "LOOKBACK_AUTO_EXPORT")]
    pub(crate) auto_export: Option<String>,

    /// How files in the library are called. {n} is the first number that is free.
    #[arg(
        long,
        value_name = "TEMPLATE",
        env = "LOOKBACK_LIBRARY_NAME",
        default_value = library::NAME_DEFAULT
    )]
    pub(crate) library_name: Template,

    /// The ffmpeg that converts, and receives SRT.
    #[arg(
        long,
        value_name = "PATH",
        env = "LOOKBACK_FFMPEG",
        default_value = "ffmpeg"
    )]
    pub(crate) ffmpeg: PathBuf,

    /// Conversions at a time; more wait.
    #[arg(
        long,
        value_name = "NUMBER",
        env = "LOOKBACK_JOBS",
        default_value = "1",
        value_parser = clap::value_parser!(u8).range(1..=32)
    )]
    pub(crate) jobs: u8,

    /// How long a conversion may take.
    #[arg(
        long,
        value_name = "DURATION",
        env = "LOOKBACK_JOB_TIME",
        default_value = "1h"
    )]
    pub(crate) job_time: Period,

    /// How long an ffmpeg in which nothing moves is waited for.
    #[arg(
        long,
        value_name = "DURATION",
        env = "LOOKBACK_JOB_STALL",
        default_value = "1min"
    )]
    pub(crate) job_stall: Period,

    /// Connect to obs-websocket: watch over OBS, and put instant replays on its program
    /// [without HOST:PORT: 127.0.0.1:4455; default: OBS is left alone].
    ///
    /// The settings file has a table for it: [obs] with the keys address, password-file, scene and off.
    #[arg(
        long,
        value_name = "HOST:PORT",
        env = "LOOKBACK_OBS",
        num_args = 0..=1,
        default_missing_value = "127.0.0.1:4455"
    )]
    pub(crate) obs: Option<Endpoint>,

    /// File with the password of obs-websocket; also the variable LOOKBACK_OBS_PASSWORD [default: none].
    #[arg(long, value_name = "FILE", env = "LOOKBACK_OBS_PASSWORD_FILE")]
    pub(crate) obs_password_file: Option<PathBuf>,

    /// The scene in OBS that has a deck's media source, for instant replays.
    #[arg(
        long,
        value_name = "NAME",
        env = "LOOKBACK_OBS_SCENE",
        default_value = "Replay"
    )]
    pub(crate) obs_scene: String,

    /// What is not done in OBS; repeat it for more [default: all of it is done].
    #[arg(
        long,
        value_name = "PART",
        env = "LOOKBACK_OBS_OFF",
        value_enum,
        value_delimiter = ','
    )]
    pub(crate) obs_off: Vec<ObsPart>,

    /// File with the token that clients must show; required when --listen is not a loopback address.
    #[arg(long, value_name = "FILE", env = "LOOKBACK_TOKEN_FILE")]
    pub(crate) token_file: Option<PathBuf>,

    /// File with a second token, for those who may look at everything and change nothing.
    #[arg(long, value_name = "FILE", env = "LOOKBACK_VIEW_TOKEN_FILE")]
    pub(crate) view_token_file: Option<PathBuf>,

    /// Another name by which clients reach this server, such as the machine's or a proxy's; repeat
    /// it for more.
    #[arg(long, value_name = "NAME", env = "LOOKBACK_ALLOW_HOST")]
    pub(crate) allow_host: Vec<String>,

    /// How much is logged: error, warn, info, debug or trace, also for a part: hyper=debug.
    #[arg(
        long,
        value_name = "LEVEL",
        env = "LOOKBACK_LOG",
        default_value = "info"
    )]
    pub(crate) log: Targets,

    /// Settings file (TOML); its keys are the names of these options.
    #[arg(long, value_name = "FILE", env = "LOOKBACK_CONFIG")]
    pub(crate) config: Option<PathBuf>,

    /// The presets of the settings file, beside the built-in ones; no option can say so much.
    #[arg(skip)]
    pub(crate) presets: Option<Presets>,
}

/// What happens when there is no room for a replay.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub(crate) enum Full {
    /// It is refused, and what to delete is named.
    #[default]
    Refuse,
    /// The oldest replay that is not locked is dropped.
    DropOldest,
    /// The oldest replay that is not locked is written to the library, and let go then.
    Move,
}

/// What to run with: checked, and ready to be used.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) inputs: Vec<Input>,
    pub(crate) listen: SocketAddr,
    /// Names in `Host` that mean this server, besides those of the loopback interface.
    pub(crate) hosts: Vec<String>,
    pub(crate) memory: Size,
    pub(crate) keep: Option<Duration>,
    pub(crate) when_full: WhenFull,
    /// Whether the oldest replays go to the library where memory is full.
    pub(crate) moves: bool,
    /// What each replay is written to the library as.
    pub(crate) auto_export: Option<String>,
    pub(crate) keep_live: Option<Duration>,
    /// Each once, and main first.
    pub(crate) decks: Vec<DeckSettings>,
    pub(crate) play_to: Vec<PlayTo>,
    pub(crate) token: Option<Token>,
    pub(crate) view_token: Option<Token>,
    pub(crate) library: Option<(PathBuf, Template)>,
    pub(crate) presets: Presets,
    pub(crate) ffmpeg: PathBuf,
    pub(crate) jobs: usize,
    pub(crate) job_limits: Limits,
    pub(crate) obs: Option<ObsSettings>,
}

/// One deck.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct DeckSettings {
    pub(crate) name: Name,
    pub(crate) idle: Show,
}

impl Settings {
    /// Checks what was asked for.
    pub(crate) fn new(options: Options) -> Result<Self, Usage> {
        let listen = options.listen.resolve().map_err(|error| {
            Usage::new(format!(
                "--listen {}: no such address here ({error})",
                options.listen
            ))
        })?;
        let token = options
            .token_file
            .as_deref()
            .map(|path| read_token("--token-file", path))
            .transpose()?;
        let view_token = options
            .view_token_file
            .as_deref()
            .map(|path| read_token("--view-token-file", path))
            .transpose()?;
        if view_token.is_some() && token.is_none() {
            return Err(Usage::new(
                "--view-token-file says who may only look: add --token-file FILE for those who may do more",
            ));
        }
        if !listen.ip().is_loopback() && token.is_none() {
            return Err(Usage::new(format!(
                "--listen {listen} lets other machines in: add --token-file FILE with a token that \
                 they must show, or listen on 127.0.0.1:{}",
                listen.port()
            )));
        }
        check_memory(options.memory, installed_memory())?;
        let decks = decks(options.deck, options.idle)?;
        let play_to = match options.play_to.is_empty() {
            true => vec![PlayTo::by_default()?],
            false => options.play_to,
        };
        for play_to in &play_to {
            known(&decks, &play_to.deck, "--play-to")?;
        }
        let mut hosts = options.allow_host;
        hosts.push(options.listen.host().to_owned());
        if options.library.is_none() {
            for (name, is_given) in [
                ("--auto-export", options.auto_export.is_some()),
                ("--when-full move", options.when_full == Full::Move),
            ] {
                if is_given {
                    return Err(Usage::new(format!(
                        "{name} writes to the library: add --library DIR"
                    )));
                }
            }
        }
        Ok(Self {
            inputs: match options.input.is_empty() {
                true => source::default_inputs()?,
                false => options.input,
            },
            listen,
            hosts,
            memory: options.memory,
            keep: options.keep.map(Duration::from),
            when_full: match options.when_full {
                Full::Refuse => WhenFull::Refuse,
                Full::DropOldest => WhenFull::DropOldest,
                // What has to be moved is told by the refusal.
                Full::Move => WhenFull::Refuse,
            },
            moves: options.when_full == Full::Move,
            auto_export: options.auto_export,
            keep_live: options.keep_live.map(Duration::from),
            decks,
            play_to,
            token,
            view_token,
            library: options.library.map(|folder| (folder, options.library_name)),
            presets: options.presets.unwrap_or_else(Presets::built_in),
            ffmpeg: options.ffmpeg,
            jobs: options.jobs.into(),
            job_limits: Limits {
                stall: options.job_stall.into(),
                time: options.job_time.into(),
            },
            obs: options.obs.map(|address| ObsSettings {
                address,
                password_file: options.obs_password_file,
                scene: options.obs_scene,
                off: options.obs_off,
            }),
        })
    }
}

fn decks(named: Vec<Name>, idles: Vec<IdleOf>) -> Result<Vec<DeckSettings>, Usage> {
    let mut decks: Vec<DeckSettings> = Vec::new();
    for name in std::iter::once(Name::main()).chain(named) {
        if decks.iter().all(|deck| deck.name != name) {
            let idle = Show::default();
            decks.push(DeckSettings { name, idle });
        }
    }
    for idle in idles {
        if let Some(name) = &idle.deck {
            known(&decks, name, "--idle")?;
        }
        for deck in &mut decks {
            if idle.deck.as_ref().is_none_or(|name| *name == deck.name) {
                deck.idle = idle.show.clone();
            }
        }
    }
    Ok(decks)
}

fn known(decks: &[DeckSettings], name: &Name, option: &str) -> Result<(), Usage> {
    if decks.iter().any(|deck| deck.name == *name) {
        return Ok(());
    }
    Err(Usage::new(format!(
        "{option} names deck {name}, which there is not: add --deck {name}"
    )))
}

/// A GOP of a high bit rate and what surrounds it must fit.
const MEMORY_MIN: Size = Size::mebibytes(16);

fn check_memory(wanted: Size, installed: Size) -> Result<(), Usage> {
    if wanted < MEMORY_MIN {
        return Err(Usage::new(format!(
            "--memory {wanted} is too little to look back on: give it at least {MEMORY_MIN}"
        )));
    }
    if wanted >= installed {
        return Err(Usage::new(format!(
            "--memory {wanted} is more than this machine has ({}MiB): take at most half of it, such \
             as --memory {}MiB",
            installed.0 >> 20,
            installed.0 >> 21
        )));
    }
    Ok(())
}

/// What this machine has, or the container that we run in. Where neither can be told, no bound.
fn installed_memory() -> Size {
    let what = RefreshKind::nothing().with_memory(MemoryRefreshKind::nothing().with_ram());
    let Ok(system) = System::new_with_specifics(what) else {
        return Size(u64::MAX);
    };
    let container = system
        .cgroup_limits()
        .map_or(0, |limits| limits.total_memory);
    let known = [system.total_memory(), container]
        .into_iter()
        .filter(|bytes| *bytes > 0);
    Size(known.min().unwrap_or(u64::MAX))
}

fn read_token(option: &str, path: &Path) -> Result<Token, Usage> {
    let shown = path.display();
    let text = fs::read_to_string(path)
        .map_err(|error| Usage::new(format!("{option} {shown} cannot be read: {error}")))?;
    text.trim()
        .parse()
        .map_err(|error| Usage::new(format!("{option} {shown}: {error}")))
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, FromArgMatches, Parser};

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        options: Options,
    }

    fn options(arguments: &[&str]) -> Options {
        let arguments = [&["lookback"], arguments].concat();
        Program::parse_from(arguments).options
    }

    /// Without a word on pipes these would be looked for in the user's own folders.
    fn settings(arguments: &[&str]) -> Result<Settings, String> {
        let pipes = ["--input", "-", "--play-to", SINK];
        Settings::new(options(&[&pipes, arguments].concat())).map_err(|error| error.to_string())
    }

    #[test]
    fn each_setting_is_in_the_documents() {
        let readme = include_str!("../../../../README.md");
        let reference = include_str!("../../../../docs/reference/command-line.md");
        for argument in Program::command().get_arguments() {
            let (Some(flag), Some(variable)) = (argument.get_long(), argument.get_env()) else {
                continue;
            };
            let row = |line: &&str| {
                line.starts_with(&format!("| `--{flag} "))
                    || line.starts_with(&format!("| `--{flag}`"))
            };
            let told = readme
                .lines()
                .find(row)
                .unwrap_or_else(|| panic!("--{flag} is not in README.md"));
            assert!(told.contains(&*variable.to_string_lossy()), "{told}");
            assert!(
                reference.lines().any(|line| row(&line)),
                "--{flag} is not in the reference"
            );
        }
    }

    const SINK: &str = if cfg!(windows) {
        r"\\.\pipe\play"
    } else {
        "play.ts"
    };

    #[test]
    fn file_takes_the_place_of_defaults_and_the_command_line_that_of_the_file() {
        let text = "memory = \"1GiB\"\nlisten = \"127.0.0.1:9000\"\ninput = [\"a=x.ts\", \"-\"]";
        let command = || with_file(Program::command(), Path::new("l.toml"), text).expect("valid");
        let parse = |arguments: &[&str]| {
            let matches = command().try_get_matches_from(arguments).expect("valid");
            Program::from_arg_matches(&matches).expect("valid").options
        };
        let from_file = parse(&["lookback"]);
        assert_eq!(from_file.memory, Size::mebibytes(1024));
        assert_eq!(from_file.input.len(), 2);
        assert_eq!(from_file.listen.to_string(), "127.0.0.1:9000");
        let with_flags = parse(&["lookback", "--memory", "2GiB", "--input", "y.ts"]);
        assert_eq!(with_flags.memory, Size::mebibytes(2048));
        assert_eq!(with_flags.input.len(), 1);
        assert_eq!(with_flags.listen.to_string(), "127.0.0.1:9000");
        assert_eq!(options(&[]).memory, Size::mebibytes(512));
    }

    #[test]
    fn every_setting_has_its_environment_variable_and_help() {
        for arg in Program::command().get_arguments() {
            let flag = arg.get_long().expect("settings are long flags");
            let variable = format!("LOOKBACK_{}", flag.to_uppercase().replace('-', "_"));
            assert_eq!(
                arg.get_env().and_then(|name| name.to_str()),
                Some(variable.as_str())
            );
            assert!(arg.get_help().is_some(), "{flag}");
            let names_default = arg
                .get_help()
                .is_some_and(|help| help.to_string().contains("default"));
            let optional = [
                "input",
                "token-file",
                "view-token-file",
                "allow-host",
                "config",
            ]
            .contains(&flag);
            assert!(
                optional || names_default || !arg.get_default_values().is_empty(),
                "{flag}"
            );
        }
    }

    #[test]
    fn memory_must_fit_the_machine() {
        let installed = Size::mebibytes(8192);
        assert_eq!(check_memory(Size::mebibytes(512), installed), Ok(()));
        let error = check_memory(Size::mebibytes(16384), installed)
            .expect_err("too much")
            .to_string();
        assert!(
            error.contains("16GiB") && error.contains("8192MiB"),
            "{error}"
        );
        assert!(check_memory(Size::mebibytes(15), installed).is_err());
        assert!(installed_memory() > MEMORY_MIN && installed_memory() < Size(u64::MAX));
    }

    #[test]
    fn a_wider_address_needs_a_token() {
        let error = settings(&["--listen", "0.0.0.0:1688"]).expect_err("open to all");
        assert!(error.contains("--token-file"), "{error}");
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("token");
        fs::write(&file, "0123456789abcdef\n").expect("a file");
        let file = file.to_str().expect("a plain path");
        let open = settings(&["--listen", "0.0.0.0:1688", "--token-file", file]).expect("guarded");
        assert!(open.token.is_some());
        assert!(settings(&["--token-file", "/nowhere/token"]).is_err());
        assert!(settings(&["--listen", "127.0.0.1:1688"]).is_ok_and(|it| it.token.is_none()));
    }

    #[test]
    fn obs_is_left_alone_unless_it_is_asked_for() {
        let obs = |arguments: &[&str]| settings(arguments).expect("valid").obs;
        assert_eq!(obs(&[]), None);
        assert_eq!(obs(&["--obs-scene", "Slow"]), None);
        let found = obs(&["--obs"]).expect("it is asked for");
        assert_eq!(
            (found.address.to_string().as_str(), found.scene.as_str()),
            ("127.0.0.1:4455", "Replay")
        );
        assert!(found.does(ObsPart::Switch) && found.does(ObsPart::MediaKeys));
        let words = [
            "--obs=pc:1",
            "--obs-off=media-keys,return",
            "--obs-off=switch",
        ];
        let found = obs(&words).expect("it is asked for");
        assert_eq!(found.address.to_string(), "pc:1");
        assert_eq!(
            found.off,
            [ObsPart::MediaKeys, ObsPart::Return, ObsPart::Switch]
        );
    }

    #[test]
    fn obs_has_a_table_in_the_file() {
        let obs = |text: &str| {
            let command = with_file(Program::command(), Path::new("l.toml"), text)?;
            let matches = command.get_matches_from(["lookback"]);
            let options = Program::from_arg_matches(&matches).expect("valid").options;
            Ok::<_, Usage>((
                options.obs.map(|it| it.to_string()),
                options.obs_scene,
                options.obs_off,
            ))
        };
        assert_eq!(
            obs("[obs]\nscene = \"Slow\"\noff = [\"return\", \"switch\"]"),
            Ok((
                Some("127.0.0.1:4455".to_owned()),
                "Slow".to_owned(),
                vec![ObsPart::Return, ObsPart::Switch]
            ))
        );
        for text in ["[obs]\naddress = \"pc:1\"", "obs = \"pc:1\""] {
            let found = obs(text).expect("valid");
            assert_eq!(
                (found.0.as_deref(), found.1.as_str()),
                (Some("pc:1"), "Replay")
            );
        }
        let error = obs("[obs]\nscenes = \"x\"")
            .expect_err("a mistake")
            .to_string();
        assert!(error.contains("did you mean `obs-scene`"), "{error}");
    }

    #[test]
    fn what_is_written_needs_a_library() {
        for words in [&["--auto-export", "mp4"], &["--when-full", "move"]] {
            let error = settings(words).expect_err("nowhere to write to");
            assert!(error.contains("--library"), "{error}");
            let with_library = [&words[..], &["--library", "clips"]].concat();
            assert!(settings(&with_library).is_ok(), "{words:?}");
        }
    }

    #[test]
    fn there_is_always_a_main_deck() {
        let decks = |arguments: &[&str]| {
            let settings = settings(arguments).expect("valid");
            let names = settings.decks.iter().map(|deck| deck.name.to_string());
            names.collect::<Vec<_>>()
        };
        assert_eq!(decks(&[]), ["main"]);
        assert_eq!(
            decks(&["--deck", "b", "--deck=main", "--deck=b"]),
            ["main", "b"]
        );
    }

    #[test]
    fn each_deck_has_its_own_way_to_be_idle() {
        let settings = settings(&["--deck=b", "--idle=live", "--idle=b=last"]).expect("valid");
        let idles: Vec<&Show> = settings.decks.iter().map(|deck| &deck.idle).collect();
        assert!(
            matches!(idles[..], [Show::Live { .. }, Show::Last]),
            "{idles:?}"
        );
    }

    #[test]
    fn what_is_said_of_a_deck_is_of_one_that_there_is() {
        for arguments in [["--idle=b=live"], ["--play-to=b=tcp://127.0.0.1:1"]] {
            let error = settings(&arguments).expect_err("there is no deck b");
            assert!(error.to_string().contains("add --deck b"), "{error}");
        }
    }
}
