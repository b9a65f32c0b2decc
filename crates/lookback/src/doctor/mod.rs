//! `lookback doctor`: what is wrong with this machine's set-up, and what to do about it.
//!
//! Each module looks at one thing: a part that asks the system, a server or OBS, and functions that judge
//! the answer, which is where the tests are. Nothing is changed: what is looked at stays as it is.

mod ffmpeg;
mod finding;
mod machine;
mod obs;
mod profile;
mod server;
mod source;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use self::finding::Finding;
use crate::client::{self, ServerOptions};
use crate::obs::Password;
use crate::settings::{Endpoint, Size};
use crate::source::usual_pipe;
use crate::usage::Usage;

/// What to look at.
#[derive(Args, Debug)]
pub(crate) struct DoctorOptions {
    /// Where obs-websocket listens [default: 127.0.0.1:4455, where it may be missing].
    #[arg(long, value_name = "HOST:PORT")]
    obs: Option<Endpoint>,
    /// File with the password of obs-websocket; LOOKBACK_OBS_PASSWORD holds the password itself.
    #[arg(
        long,
        value_name = "FILE",
        env = "LOOKBACK_OBS_PASSWORD_FILE",
        hide_env_values = true
    )]
    password_file: Option<PathBuf>,
    /// The memory that lookback is to have, where none runs that could be asked.
    #[arg(
        long,
        value_name = "SIZE",
        env = "LOOKBACK_MEMORY",
        hide_env_values = true,
        default_value = "512MiB"
    )]
    memory: Size,
    /// The folder that exports are to be written to.
    #[arg(
        long,
        value_name = "DIR",
        env = "LOOKBACK_LIBRARY",
        hide_env_values = true
    )]
    library: Option<PathBuf>,
    /// The ffmpeg that conversions are to run.
    #[arg(
        long,
        value_name = "PATH",
        env = "LOOKBACK_FFMPEG",
        hide_env_values = true,
        default_value = "ffmpeg"
    )]
    ffmpeg: PathBuf,
    #[command(flatten)]
    server: ServerOptions,
}

/// The exit code for "something does not work".
const UNHEALTHY: u8 = 1;

/// Where obs-websocket listens when nobody has changed it.
const OBS: &str = "127.0.0.1:4455";

/// Looks at everything, and shows what was found.
pub(crate) fn run(options: &DoctorOptions) -> Result<ExitCode, Usage> {
    let (endpoint, _) =
        client::place(&options.server).map_err(|failure| Usage::new(failure.to_string()))?;
    let password = Password::find(options.password_file.as_deref())?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Usage::new(format!("cannot start: {error}")))?;
    let findings = runtime.block_on(examine(options, &endpoint, password.as_ref()));
    // A program that was given up may still be read from.
    runtime.shutdown_background();
    let healthy = finding::is_healthy(&findings);
    let text = match options.server.json {
        true => json!({"healthy": healthy, "findings": findings}).to_string(),
        false => finding::list(&findings),
    };
    // A reader that has seen enough, such as `head`, is no error.
    let _ = writeln!(io::stdout(), "{}", text.trim_end());
    Ok(match healthy {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(UNHEALTHY),
    })
}

/// In the order in which the video goes: OBS, the pipe, lookback, and what it stands on.
async fn examine(
    options: &DoctorOptions,
    endpoint: &Endpoint,
    password: Option<&Password>,
) -> Vec<Finding> {
    let (status, server) = server::look(&options.server, endpoint);
    let taken = server::sources(status.as_ref());
    let mut findings = obs::look(options.obs.as_ref(), password, &taken).await;
    let pipe = usual_pipe();
    // A server may take its video elsewhere: then it does not matter.
    if taken.iter().any(|source| Path::new(source) == pipe) {
        findings.extend(source::pipe(&pipe, status.is_some()));
    }
    findings.push(server);
    match &status {
        Some(status) => findings.extend(status.channels.iter().map(server::channel)),
        None => findings.push(source::port()),
    }
    let memory = status
        .as_ref()
        .map_or_else(|| options.memory.into(), Into::into);
    findings.push(machine::memory(memory));
    findings.extend(machine::clock().await);
    findings.push(machine::library(options.library.as_deref()));
    findings.extend(ffmpeg::look(&options.ffmpeg).await);
    findings
}
