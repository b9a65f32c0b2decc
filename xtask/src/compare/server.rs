//! The servers: lookback, as it is released, and nginx.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::client::Client;
use super::process::{Process, eventually};
use super::stream::free_ports;
use crate::step::{Failure, Result, run};
use crate::workspace::{cargo, target};

/// Builds the program and gives its place.
pub(crate) fn build() -> Result<PathBuf> {
    run(cargo().args(["build", "--release", "--package", "lookback", "--bins"]))?;
    Ok(target().join("release/lookback"))
}

/// lookback, running.
pub(crate) struct Lookback {
    pub(crate) process: Process,
    pub(crate) address: SocketAddr,
}

/// A channel's counters.
#[derive(Debug, PartialEq)]
pub(crate) struct Counters {
    pub(crate) received: u64,
    pub(crate) discarded: u64,
    pub(crate) problems: u64,
}

impl Lookback {
    /// Starts it on a port of its own choice, and waits until it says that it listens.
    pub(crate) fn start(program: &Path, folder: &Path, arguments: &[&str]) -> Result<Self> {
        let mut command = Command::new(program);
        command
            .args(["--listen", "127.0.0.1:0", "--log", "error"])
            .args(arguments)
            .current_dir(folder)
            .env("HOME", folder)
            .env("XDG_RUNTIME_DIR", folder);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("LOOKBACK_") {
                command.env_remove(name);
            }
        }
        let mut process = Process::start("lookback", &mut command)?;
        let address = process.line("listening on http://")?;
        let address = address
            .parse()
            .map_err(|error| Failure::check(format!("lookback listens on {address}: {error}")))?;
        Ok(Self { process, address })
    }

    pub(crate) fn counters(&self, channel: &str) -> Result<Counters> {
        let mut client = Client::connect(self.address)?;
        let head = client.ask("GET /metrics", "Connection: close\r\n", "")?;
        let mut page = Vec::new();
        client.body(&head, |bytes| page.extend_from_slice(bytes))?;
        let page = String::from_utf8_lossy(&page);
        let counter = |name: &str| {
            let begin = format!("lookback_{name}{{channel=\"{channel}\"}} ");
            page.lines()
                .find_map(|line| line.strip_prefix(&begin)?.parse().ok())
                .ok_or_else(|| Failure::check(format!("/metrics has no {begin}")))
        };
        Ok(Counters {
            received: counter("received_bytes_total")?,
            discarded: counter("discarded_bytes_total")?,
            problems: counter("problems_total")?,
        })
    }

    /// Waits until the default channel has received so much in all.
    pub(crate) fn wait_for_bytes(&self, total: u64) -> Result {
        eventually("lookback receives all that was sent", || {
            Ok((self.counters("main")?.received >= total).then_some(()))
        })
    }

    /// Makes a clip of all there is, and gives its path.
    pub(crate) fn clip(&self) -> Result<String> {
        self.clip_of("{}")
    }

    /// Makes a clip of a selection, and gives its path.
    pub(crate) fn clip_of(&self, selection: &str) -> Result<String> {
        let mut client = Client::connect(self.address)?;
        let head = client.ask("POST /api/v1/clips", JSON, selection)?;
        head.header("location")
            .map(str::to_owned)
            .ok_or_else(|| Failure::check("a clip without a location"))
    }
}

/// What a request with a body needs.
pub(crate) const JSON: &str = "Content-Type: application/json\r\n";

/// nginx, serving the files of a folder.
pub(crate) struct Nginx {
    pub(crate) process: Process,
    pub(crate) address: SocketAddr,
}

impl Nginx {
    pub(crate) fn start(folder: &Path) -> Result<Self> {
        let address = SocketAddr::from(([127, 0, 0, 1], free_ports(1)?[0]));
        let config = folder.join("nginx.conf");
        fs::write(&config, nginx_config(folder, address))
            .map_err(|error| Failure::check(format!("{}: {error}", config.display())))?;
        let mut command = Command::new(NGINX);
        command.args(["-e", "stderr", "-p"]).arg(folder);
        let process = Process::start("nginx", command.arg("-c").arg(config))?;
        eventually("nginx listens", || Ok(TcpStream::connect(address).ok()))?;
        Ok(Self { process, address })
    }
}

/// Where Debian puts it; a user's search path does not have it.
pub(crate) const NGINX: &str = "/usr/sbin/nginx";

/// As one would set it up to send large files fast.
fn nginx_config(folder: &Path, address: SocketAddr) -> String {
    let folder = folder.display();
    let places: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("    {kind}_temp_path {folder}/nginx-{kind};\n"))
        .concat();
    format!(
        "daemon off;\npid {folder}/nginx.pid;\nworker_processes auto;\nerror_log stderr error;\n\
         events {{}}\nhttp {{\n{places}    access_log off;\n    sendfile on;\n    tcp_nopush on;\n    \
         default_type video/mp2t;\n    server {{ listen {address}; root {folder}; }}\n}}\n"
    )
}
