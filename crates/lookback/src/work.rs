//! `lookback convert`, `export` and `presets`: conversions by a running server, with a bar while they
//! last.

use std::fs::{self, File};
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use crate::client::{self, Failure, ServerOptions};
use crate::settings::{Name, Size};
use crate::signals;
use crate::time;

/// What a running server is to make of what it has recorded.
#[derive(Debug, Subcommand)]
pub(crate) enum WorkCommand {
    /// Convert a replay, a clip or a part of the recording with a preset, and save the result here.
    Convert(ConvertOptions),
    /// Write a replay, a clip or a part of the recording to the server's library.
    Export(ExportOptions),
    /// List the presets and their parameters.
    Presets(ServerOptions),
}

/// Of what; without a word, of all that is recorded.
#[derive(Args, Debug)]
pub(crate) struct SourceOptions {
    /// A replay, or a clip that was made before, by its id.
    #[arg(value_name = "ID", conflicts_with_all = ["last", "from", "to"])]
    id: Option<String>,
    /// The last so much of the recording, such as 10s.
    #[arg(long, value_name = "DURATION", conflicts_with_all = ["from", "to"])]
    last: Option<String>,
    /// From then on: a time, or so long ago, such as -1min.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = time::asked)]
    from: Option<String>,
    /// Until then: a time, or so long ago, such as -30s.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = time::asked)]
    to: Option<String>,
    /// Of this channel; with a replay, that angle of it.
    #[arg(long, value_name = "NAME")]
    channel: Option<Name>,
    /// Begin so many seconds behind the start of that, exact to the picture.
    #[arg(long = "in", value_name = "SECONDS")]
    in_s: Option<f64>,
    /// End so many seconds behind the start of that.
    #[arg(long = "out", value_name = "SECONDS")]
    out_s: Option<f64>,
    /// A parameter of the preset, such as size=25MB; repeat it for more.
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = setting)]
    set: Vec<(String, String)>,
    #[command(flatten)]
    server: ServerOptions,
}

/// How to convert.
#[derive(Args, Debug)]
pub(crate) struct ConvertOptions {
    /// How to convert; `lookback presets` lists what there is.
    #[arg(long, value_name = "NAME")]
    preset: String,
    /// The file to write, or - for standard output [default: a name with the channel and the time].
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    source: SourceOptions,
}

/// What to write.
#[derive(Args, Debug)]
pub(crate) struct ExportOptions {
    /// ts, which is what was recorded, mp4, or a preset.
    #[arg(long, value_name = "FORMAT", default_value = "ts")]
    format: String,
    /// What to call it.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// What to find it by; repeat it for more.
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    #[command(flatten)]
    source: SourceOptions,
}

fn setting(text: &str) -> Result<(String, String), &'static str> {
    let (name, value) = text.split_once('=').ok_or("write it as NAME=VALUE")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

/// Has it done, and shows what came out.
pub(crate) fn run(command: &WorkCommand) -> ExitCode {
    client::finish(match command {
        WorkCommand::Convert(options) => convert(options),
        WorkCommand::Export(options) => export(options),
        WorkCommand::Presets(server) => presets(server),
    })
}

fn convert(options: &ConvertOptions) -> Result<String, Failure> {
    let source = &options.source;
    let output = options.output.as_deref();
    // Before the work, not after it.
    if let Some(path) = output.filter(|path| path.as_os_str() != "-")
        && path.exists()
    {
        return Err(in_the_way(path));
    }
    let mut body = source.body();
    body["preset"] = options.preset.as_str().into();
    let job = finished(source, "convert", &body)?;
    let (Some(url), Some(file)) = (
        job["result"]["url"].as_str(),
        job["result"]["file"].as_str(),
    ) else {
        return Err(Failure::failed("the job has no result".to_owned()));
    };
    let path = output.unwrap_or(Path::new(file));
    let line = format!("{}: {}", path.display(), size(&job["result"]["bytes"]));
    if path.as_os_str() == "-" {
        client::download(&source.server, url, &mut io::stdout())?;
        return Ok(String::new());
    }
    save(&source.server, url, path)?;
    Ok(if source.server.json {
        job.to_string()
    } else {
        line
    })
}

fn export(options: &ExportOptions) -> Result<String, Failure> {
    let mut body = options.source.body();
    body["format"] = options.format.as_str().into();
    body["tags"] = options.tags.as_slice().into();
    if let Some(name) = &options.name {
        body["name"] = name.as_str().into();
    }
    let job = finished(&options.source, "export", &body)?;
    if options.source.server.json {
        return Ok(job.to_string());
    }
    let name = job["result"]["library"].as_str().unwrap_or_default();
    Ok(format!("{name}: {}", size(&job["result"]["bytes"])))
}

fn presets(server: &ServerOptions) -> Result<String, Failure> {
    let answer = client::get(server, "/api/v1/presets")?;
    if server.json {
        return Ok(answer);
    }
    let presets: Vec<Value> = serde_json::from_str(&answer).map_err(Failure::unreadable)?;
    Ok(presets.iter().map(described).collect())
}

fn described(preset: &Value) -> String {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        value => value.to_string(),
    };
    let mut lines = format!("{:<10}{}\n", text(&preset["name"]), text(&preset["about"]));
    if let Some(missing) = preset["missing"].as_str() {
        lines += &format!("{:10}NOT HERE: {missing}\n", "");
    }
    for (name, parameter) in preset["parameters"].as_object().into_iter().flatten() {
        let values = match &parameter["choices"] {
            Value::Array(choices) => choices.iter().map(text).collect::<Vec<_>>().join(", "),
            _ if parameter["min"].is_null() => "seconds".to_owned(),
            _ => format!("{} to {}", text(&parameter["min"]), text(&parameter["max"])),
        };
        let about = text(&parameter["about"]);
        let default = text(&parameter["default"]);
        lines += &format!("{:10}{name}={default}: {about} ({values})\n", "");
    }
    lines
}

impl SourceOptions {
    fn body(&self) -> Value {
        let parameters: Map<String, Value> = self
            .set
            .iter()
            .map(|(name, value)| (name.clone(), value.as_str().into()))
            .collect();
        let mut body = json!({"parameters": parameters});
        for (key, value) in [("in_s", self.in_s), ("out_s", self.out_s)] {
            if let Some(value) = value {
                body[key] = value.into();
            }
        }
        body
    }

    /// Where a command of what is meant is found; a clip is made if it has to be.
    fn path(&self, command: &str) -> Result<String, Failure> {
        let Some(id) = &self.id else {
            return Ok(format!("/api/v1/clips/{}/{command}", self.clip()?));
        };
        let answer = client::get(&self.server, "/api/v1/replays")?;
        let replays: Vec<Value> = serde_json::from_str(&answer).map_err(Failure::unreadable)?;
        let is_replay = replays.iter().any(|replay| replay["id"] == **id);
        let id = client::escaped(id);
        match (is_replay, &self.channel) {
            (true, None) => Ok(format!("/api/v1/replays/{id}/{command}")),
            (true, Some(angle)) => Ok(format!("/api/v1/replays/{id}/{command}?channel={angle}")),
            (false, None) => Ok(format!("/api/v1/clips/{id}/{command}")),
            (false, Some(_)) => Err(Failure::mistake(format!(
                "--channel: there is no replay {id}, and a clip is of one channel"
            ))),
        }
    }

    /// Makes the clip that is meant. Gives its id.
    fn clip(&self) -> Result<String, Failure> {
        let mut body = json!({});
        if let Some(channel) = &self.channel {
            body["channel"] = channel.as_str().into();
        }
        for (key, value) in [("last", &self.last), ("from", &self.from), ("to", &self.to)] {
            if let Some(value) = value {
                body[key] = value.as_str().into();
            }
        }
        let answer = client::post(&self.server, "/api/v1/clips", &body)?;
        let clip: Value = serde_json::from_str(&answer).map_err(Failure::unreadable)?;
        Ok(clip["id"].as_str().unwrap_or_default().to_owned())
    }
}

/// How often a job is asked for.
const ASK_EVERY: Duration = Duration::from_millis(200);

/// Has a job done, and shows how far it is. Gives it when it is done.
fn finished(source: &SourceOptions, command: &str, body: &Value) -> Result<Value, Failure> {
    let answer = client::post(&source.server, &source.path(command)?, body)?;
    let mut job: Value = serde_json::from_str(&answer).map_err(Failure::unreadable)?;
    let path = format!("/api/v1/jobs/{}", job["id"].as_str().unwrap_or_default());
    let stop = when_stopped();
    let mut bar = Bar::new();
    while ["queued", "running"]
        .iter()
        .any(|state| job["state"] == *state)
    {
        bar.show(&job);
        thread::sleep(ASK_EVERY);
        if stop.swap(false, Ordering::Relaxed) {
            // What nobody waits for any more is not to use the machine.
            client::delete(&source.server, &path)?;
        }
        let answer = client::get(&source.server, &path)?;
        job = serde_json::from_str(&answer).map_err(Failure::unreadable)?;
    }
    drop(bar);
    if job["state"] == "done" {
        return Ok(job);
    }
    let detail = job["error"]["detail"].as_str();
    Err(Failure::failed(
        detail.unwrap_or("the job failed").to_owned(),
    ))
}

/// The exit code of a program that was interrupted.
const INTERRUPTED: i32 = 130;

/// Becomes true when the user wants to stop.
fn when_stopped() -> Arc<AtomicBool> {
    let stopped = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&stopped);
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        // Without it the system's own way to stop remains.
        if let Ok(runtime) = runtime {
            runtime.block_on(async {
                if let Ok(stop) = signals::stop() {
                    stop.await;
                    told.store(true, Ordering::Relaxed);
                }
                // Who asks twice does not want to wait for an answer.
                if let Ok(stop) = signals::stop() {
                    stop.await;
                    std::process::exit(INTERRUPTED);
                }
            });
        }
    });
    stopped
}

/// A bar on the terminal; nothing where there is none.
struct Bar {
    on_terminal: bool,
}

impl Bar {
    const WIDTH: usize = 30;

    fn new() -> Self {
        Self {
            on_terminal: io::stderr().is_terminal(),
        }
    }

    fn show(&mut self, job: &Value) {
        if self.on_terminal {
            let _ = write!(io::stderr(), "\r\x1b[K{}", Self::line(job));
        }
    }

    fn line(job: &Value) -> String {
        let progress = &job["progress"];
        let Some(percent) = progress["percent"].as_f64() else {
            return job["state"].as_str().unwrap_or_default().to_owned();
        };
        let full = ((percent / 100.0 * Self::WIDTH as f64) as usize).min(Self::WIDTH);
        let mut line = format!(
            "[{}{}] {percent:.0}%",
            "=".repeat(full),
            " ".repeat(Self::WIDTH - full)
        );
        if let Some(speed) = progress["speed"].as_f64() {
            line += &format!("  {speed:.1}x");
        }
        if let Some(left) = progress["left_s"].as_f64() {
            let left = left as u64;
            line += &format!("  {}:{:02} left", left / 60, left % 60);
        }
        if progress["attempt"].as_u64() > Some(1) {
            line += &format!("  (attempt {}, to fit)", progress["attempt"]);
        }
        line
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if self.on_terminal {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

/// Writes a result to a file that was not there before. What fails leaves none.
fn save(server: &ServerOptions, url: &str, path: &Path) -> Result<(), Failure> {
    let file = File::options().write(true).create_new(true).open(path);
    let mut file = file.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => in_the_way(path),
        _ => Failure::mistake(format!("{}: {error}", path.display())),
    })?;
    let saved = client::download(server, url, &mut file);
    if saved.is_err() {
        drop(file);
        let _ = fs::remove_file(path);
    }
    saved
}

fn in_the_way(path: &Path) -> Failure {
    Failure::mistake(format!(
        "{} is there already: name another file with --output",
        path.display()
    ))
}

/// In units that people use for files.
fn size(bytes: &Value) -> String {
    let bytes = bytes.as_u64().unwrap_or_default();
    match bytes {
        0..1_000 => Size(bytes).to_string(),
        1_000..1_000_000 => format!("{:.0} kB", bytes as f64 / 1e3),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Asked, Command, read};

    fn parse(line: &str) -> Option<WorkCommand> {
        let words = line.split(' ').map(Into::into);
        match read(std::iter::once("lookback".into()).chain(words)) {
            Ok(Asked::Run(command)) => match *command {
                Command::Work(command) => Some(command),
                _ => None,
            },
            _ => None,
        }
    }

    #[test]
    fn words_become_a_request() {
        let line = "convert abc --preset share --set size=25MB --set x=1 --in 2 --out 4.5 -o a.mp4";
        let Some(WorkCommand::Convert(options)) = parse(line) else {
            panic!("not understood")
        };
        assert_eq!(
            options.source.body(),
            json!({"parameters": {"size": "25MB", "x": "1"}, "in_s": 2.0, "out_s": 4.5})
        );
        assert_eq!(options.source.id.as_deref(), Some("abc"));
        assert_eq!(options.output.as_deref(), Some(Path::new("a.mp4")));
        assert!(parse("export --last 10s --name goal --tag a --tag b").is_some());
        assert!(parse("export abc --channel side --format mp4").is_some());
        assert!(parse("presets --json").is_some());
        for line in [
            "convert abc",
            "convert abc --preset share --set size",
            "convert abc --preset share --last 3s",
            "export --last 3s --from -5s",
        ] {
            assert!(parse(line).is_none(), "{line}");
        }
    }

    #[test]
    fn the_bar_tells_how_far_it_is() {
        let progress = json!({"percent": 50.0, "speed": 2.5, "left_s": 65.2, "attempt": 2});
        let line = Bar::line(&json!({"state": "running", "progress": progress}));
        let bar = format!("[{}{}]", "=".repeat(15), " ".repeat(15));
        assert_eq!(
            line,
            format!("{bar} 50%  2.5x  1:05 left  (attempt 2, to fit)")
        );
        assert_eq!(
            Bar::line(&json!({"state": "queued", "progress": null})),
            "queued"
        );
    }

    #[test]
    fn presets_are_told_with_what_they_take() {
        let preset = json!({"name": "gif", "about": "moves", "available": false, "missing": "no ffmpeg",
            "parameters": {"fps": {"type": "integer", "about": "pictures", "min": 1, "max": 50, "default": 15},
                           "kind": {"type": "choice", "about": "how", "choices": ["a", "b"], "default": "a"}}});
        assert_eq!(
            described(&preset),
            "gif       moves\n          NOT HERE: no ffmpeg\n          fps=15: pictures (1 to 50)\n          \
             kind=a: how (a, b)\n"
        );
    }
}
