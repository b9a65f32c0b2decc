//! `lookback obs setup`, `status` and `undo`: what is asked for on the command line, and what is said.

use std::future::Future;
use std::io::{self, BufRead, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::json;

use super::connection::{Connection, OpenError, Subscriptions};
use super::encoder::{self, Choice};
use super::journal::Output;
use super::outputs;
use super::password::Password;
use super::report::Report;
use super::server::is_loopback;
use super::setup::{Operator, Outcome, Plan, Wanted};
use super::undo;
use crate::client::{self, Failure, ServerOptions};
use crate::settings::Endpoint;

/// What OBS is to be prepared for, or freed of.
#[derive(Debug, Subcommand)]
pub(crate) enum ObsCommand {
    /// Have OBS record into a running lookback, and give it a scene for replays.
    Setup(SetupOptions),
    /// Show what OBS is, whether it is set up, and what is wrong.
    Status(StatusOptions),
    /// Put OBS back as it was before the set-up.
    Undo(UndoOptions),
}

/// Which OBS is meant, and what is ours in it.
#[derive(Args, Clone, Debug)]
pub(crate) struct ObsOptions {
    /// The machine that OBS runs on.
    #[arg(
        long,
        value_name = "HOST",
        env = "LOOKBACK_OBS_HOST",
        hide_env_values = true,
        default_value = "127.0.0.1"
    )]
    pub(crate) host: String,
    /// The port of its obs-websocket: Tools > WebSocket Server Settings.
    #[arg(
        long,
        value_name = "PORT",
        env = "LOOKBACK_OBS_PORT",
        hide_env_values = true,
        default_value_t = 4455
    )]
    pub(crate) port: u16,
    /// File with the password of obs-websocket in its first line, if it asks for one [default: what the
    /// environment variable LOOKBACK_OBS_PASSWORD holds].
    #[arg(
        long,
        value_name = "FILE",
        env = "LOOKBACK_OBS_PASSWORD_FILE",
        hide_env_values = true
    )]
    pub(crate) password_file: Option<PathBuf>,
    /// The profile that is made, and recorded in.
    #[arg(long, value_name = "NAME", default_value = "lookback")]
    pub(crate) profile: String,
}

/// How OBS is to be set up.
#[derive(Args, Debug)]
pub(crate) struct SetupOptions {
    #[command(flatten)]
    pub(crate) obs: ObsOptions,
    /// The encoder, by FFmpeg's name of it, such as hevc_nvenc, or the best one that works.
    #[arg(long, value_name = "auto|NAME", default_value = "auto")]
    pub(crate) encoder: Choice,
    /// Kilobits each second [default: what suits the size and the rate of the pictures].
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(100..=500_000))]
    pub(crate) bitrate: Option<u32>,
    /// The scene that is made for replays.
    #[arg(long, value_name = "NAME", default_value = "Replay")]
    pub(crate) scene: String,
    /// Go ahead where OBS streams or records, which ends it.
    #[arg(long, short)]
    pub(crate) yes: bool,
    /// Say what would be done, and do nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) server: ServerOptions,
}

/// How to ask for the status of OBS.
#[derive(Args, Debug)]
pub(crate) struct StatusOptions {
    #[command(flatten)]
    pub(crate) obs: ObsOptions,
    /// Print JSON, for programs, and nothing for people.
    #[arg(long)]
    pub(crate) json: bool,
}

/// How to go back.
#[derive(Args, Debug)]
pub(crate) struct UndoOptions {
    #[command(flatten)]
    pub(crate) obs: ObsOptions,
    /// Go ahead where OBS streams, or records something else, which ends it.
    #[arg(long, short)]
    pub(crate) yes: bool,
}

/// Has it carried out, and shows what came of it.
pub(crate) fn run(command: &ObsCommand) -> ExitCode {
    match command {
        ObsCommand::Setup(options) => finish(setup(options)),
        ObsCommand::Status(options) => finish(status(options)),
        ObsCommand::Undo(options) => finish(undo(options)),
    }
}

fn finish(work: impl Future<Output = Result<String, Failure>>) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    client::finish(match runtime {
        Ok(runtime) => runtime.block_on(work),
        Err(error) => Err(Failure::failed(format!("cannot start: {error}"))),
    })
}

async fn setup(options: &SetupOptions) -> Result<String, Failure> {
    let terminal = Terminal {
        yes: options.yes,
        quiet: options.server.json,
    };
    let wanted = wanted(options).await?;
    let studio = connect(&options.obs, &terminal).await?;
    let plan = Plan::make(&studio, &options.server, &wanted).await?;
    if options.dry_run {
        let steps = plan.steps();
        return Ok(match options.server.json {
            true => json!({"steps": steps}).to_string(),
            false => steps.join("\n"),
        });
    }
    let outcome = plan.carry_out(&studio, &options.server, &terminal).await?;
    let (is_changed, proof) = match &outcome {
        Outcome::Unchanged(proof) => (false, proof),
        Outcome::Done(proof) => (true, proof),
    };
    if options.server.json {
        return Ok(json!({"changed": is_changed, "proof": proof}).to_string());
    }
    let first = match is_changed {
        true => "OBS records into lookback",
        false => "nothing to do: OBS is set up, and records into lookback",
    };
    Ok(format!("{first}: {proof}\n\n{}", next_steps(&wanted)))
}

/// What cannot be done over obs-websocket, and what to do now.
fn next_steps(wanted: &Wanted) -> String {
    let url = wanted.server_url();
    let Wanted {
        scene,
        profile,
        query,
        ..
    } = wanted;
    format!(
        "play a replay:     lookback play --last 10s, and switch to the scene {scene}\n\
         control page:      Docks > Custom Browser Docks in OBS, with the URL {url}/{query}\n\
         hotkeys in OBS:    save {url}/obs/lookback.lua{query}, and add it in Tools > Scripts\n\
         stream as well:    look at Settings > Output > Streaming first, since OBS lets nobody copy its\n\
         \x20                  encoder's settings into the profile {profile}\n\
         go back:           lookback obs undo"
    )
}

async fn wanted(options: &SetupOptions) -> Result<Wanted, Failure> {
    let (server, token) = client::place(&options.server)?;
    let is_local = is_loopback(&options.obs.host) && is_loopback(server.host());
    if is_loopback(server.host()) && !is_loopback(&options.obs.host) {
        return Err(Failure::mistake(format!(
            "OBS on {} cannot reach lookback at {server}, which is an address of this machine alone: name \
             lookback as OBS reaches it, with --server http://ADDRESS:PORT",
            options.obs.host
        )));
    }
    Ok(Wanted {
        encoder: options.encoder.clone(),
        encoders: encoder::candidates(&options.encoder, is_local).await,
        bitrate_kbit: options.bitrate,
        profile: options.obs.profile.clone(),
        scene: options.scene.clone(),
        server,
        query: token.map_or_else(String::new, |token| {
            format!("?token={}", client::escaped(&token))
        }),
        is_local,
    })
}

async fn status(options: &StatusOptions) -> Result<String, Failure> {
    let terminal = Terminal {
        yes: false,
        quiet: options.json,
    };
    let studio = connect(&options.obs, &terminal).await?;
    let report = Report::of(&studio, &options.obs.profile).await?;
    Ok(match options.json {
        true => serde_json::to_string(&report).expect("it is all texts and numbers"),
        false => report.text(),
    })
}

async fn undo(options: &UndoOptions) -> Result<String, Failure> {
    let terminal = Terminal {
        yes: options.yes,
        quiet: false,
    };
    let studio = connect(&options.obs, &terminal).await?;
    let undone = undo::undo(&studio, &options.obs.profile, &terminal).await?;
    Ok(match (undone.was_set_up, undone.left.is_empty()) {
        (false, _) => format!(
            "nothing to undo: OBS has no profile {}",
            options.obs.profile
        ),
        (true, true) => "OBS is as it was".to_owned(),
        (true, false) => format!("OBS is as it was, except for {}", undone.left.join(" and ")),
    })
}

/// How often a password may be typed in.
const ATTEMPTS: usize = 3;

/// Connects, and asks for the password where there is somebody to ask.
async fn connect(options: &ObsOptions, terminal: &Terminal) -> Result<Connection, Failure> {
    let ObsOptions { host, port, .. } = options;
    let address = match host.contains(':') && !host.starts_with('[') {
        true => format!("[{host}]:{port}"),
        false => format!("{host}:{port}"),
    };
    let address: Endpoint = address.parse().map_err(|_| {
        Failure::mistake(format!("--host {host} is no name or address of a machine"))
    })?;
    let mut password = Password::find(options.password_file.as_deref())
        .map_err(|usage| Failure::mistake(usage.to_string()))?;
    let mut attempts = 0;
    loop {
        let opened = Connection::open(&address, password.as_ref(), Subscriptions::NONE).await;
        match opened {
            Ok((connection, _)) => return Ok(connection),
            Err(OpenError::PasswordNeeded { .. } | OpenError::PasswordWrong { .. })
                if attempts < ATTEMPTS && terminal.can_ask() =>
            {
                attempts += 1;
                password = Some(terminal.ask_password(&address)?);
            }
            Err(error @ OpenError::Unreachable { .. }) => {
                return Err(Failure::absent(error.to_string()));
            }
            Err(error) => return Err(Failure::mistake(error.to_string())),
        }
    }
}

/// Whoever sits before the terminal.
struct Terminal {
    yes: bool,
    quiet: bool,
}

impl Terminal {
    fn can_ask(&self) -> bool {
        !self.quiet && io::stdin().is_terminal() && io::stderr().is_terminal()
    }

    fn ask_password(&self, address: &Endpoint) -> Result<Password, Failure> {
        let prompt = format!(
            "Password of OBS at {address} (Tools > WebSocket Server Settings > Show Connect Info): "
        );
        let typed = rpassword::prompt_password(prompt);
        typed
            .map(Password::new)
            .map_err(|error| Failure::mistake(format!("no password was typed in: {error}")))
    }
}

impl Operator for Terminal {
    fn tell(&self, step: &str) {
        if !self.quiet {
            // Whoever does not listen need not be told.
            let _ = writeln!(io::stdout(), "- {step}");
        }
    }

    fn may_stop(&self, running: &[Output]) -> bool {
        if self.yes || !self.can_ask() {
            return self.yes;
        }
        let mut answer = String::new();
        let listed = outputs::listed(running);
        let _ = write!(io::stderr(), "This ends {listed} in OBS. Go on? [y/N] ");
        let _ = io::stderr().flush();
        let read = io::stdin().lock().read_line(&mut answer);
        read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes")
    }
}
