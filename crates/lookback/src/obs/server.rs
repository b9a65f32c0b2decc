//! The lookback that OBS is to record into: where it takes video, and what has arrived.

use std::future::Future;
use std::net::IpAddr;

use crate::client::{self, Failure, ServerOptions};
use crate::http::{ChannelStatus, Status};
use crate::settings::Endpoint;

/// A lookback that can be asked how it is.
pub(crate) trait Server: Sync {
    /// `GET /api/v1/status`
    fn status(&self) -> impl Future<Output = Result<Status, Failure>> + Send;
}

impl Server for ServerOptions {
    async fn status(&self) -> Result<Status, Failure> {
        let options = self.clone();
        let asked = tokio::task::spawn_blocking(move || client::get(&options, "/api/v1/status"));
        let answer = asked.await.expect("asking does not panic")?;
        serde_json::from_str(&answer).map_err(Failure::unreadable)
    }
}

/// The channel that OBS records into.
const CHANNEL: &str = "main";

/// What the server says of that channel.
pub(crate) async fn channel(server: &impl Server) -> Result<ChannelStatus, Failure> {
    let status = server.status().await?;
    main(&status).cloned()
}

/// The channel that OBS records into.
pub(crate) fn main(status: &Status) -> Result<&ChannelStatus, Failure> {
    let mut channels = status.channels.iter();
    channels.find(|channel| channel.name == CHANNEL).ok_or_else(|| {
        Failure::mistake(format!(
            "this lookback has no channel {CHANNEL}: start it without --input, or with --input {CHANNEL}=SOURCE"
        ))
    })
}

/// What OBS can open to send to the channel, the best first. On one machine that is the pipe: it costs
/// less than a socket, and nothing else gets in. From another machine it is TCP.
pub(crate) fn ways(status: &Status, server: &Endpoint, is_local: bool) -> Vec<String> {
    let sources = || {
        let inputs = status
            .inputs
            .iter()
            .filter(|input| input.channel == CHANNEL);
        inputs.map(|input| input.source.as_str())
    };
    let pipes = sources()
        .filter(|source| is_local && is_pipe(source))
        .map(str::to_owned);
    let sockets = sources().filter_map(|source| {
        let endpoint: Endpoint = source.strip_prefix("tcp://")?.parse().ok()?;
        let host = match endpoint.host() {
            "0.0.0.0" | "::" if is_local => "127.0.0.1",
            "0.0.0.0" | "::" => server.host(),
            host if is_loopback(host) && !is_local => return None,
            host => host,
        };
        Some(match host.contains(':') {
            true => format!("tcp://[{host}]:{}", endpoint.port()),
            false => format!("tcp://{host}:{}", endpoint.port()),
        })
    });
    pipes.chain(sockets).collect()
}

/// Whether this is a pipe of this machine, and not a file that is read once.
fn is_pipe(source: &str) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        std::fs::metadata(source).is_ok_and(|found| found.file_type().is_fifo())
    }
    #[cfg(not(unix))]
    {
        crate::source::windows_pipe(source).is_some()
    }
}

/// Whether a host is this machine for certain.
pub(crate) fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn status(sources: &[&str]) -> Status {
        let inputs: Vec<_> = sources
            .iter()
            .map(|source| json!({"channel": "main", "source": source}))
            .chain([json!({"channel": "other", "source": "tcp://127.0.0.1:9"})])
            .collect();
        let status = json!({"version": "1", "channels": [], "decks": [], "inputs": inputs,
            "memory": {"limit_bytes": 1, "used_bytes": 0, "held_bytes": 0, "index_bytes": 0}});
        serde_json::from_value(status).expect("it is a status")
    }

    #[test]
    fn each_machine_has_its_way() {
        let here = "127.0.0.1:1688".parse().expect("an address");
        let there = "10.0.0.5:1688".parse().expect("an address");
        let narrow = status(&["-", "udp://127.0.0.1:5", "tcp://127.0.0.1:1689"]);
        assert_eq!(ways(&narrow, &here, true), ["tcp://127.0.0.1:1689"]);
        assert_eq!(ways(&narrow, &there, false), [""; 0]);
        let wide = status(&["tcp://0.0.0.0:1689", "tcp://[::]:7"]);
        let expected = ["tcp://127.0.0.1:1689", "tcp://127.0.0.1:7"];
        assert_eq!(ways(&wide, &here, true), expected);
        let expected = ["tcp://10.0.0.5:1689", "tcp://10.0.0.5:7"];
        assert_eq!(ways(&wide, &there, false), expected);
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_comes_first_and_a_file_is_no_way() {
        let folder = tempfile::tempdir().expect("a folder");
        let [pipe, file] = ["obs.ts", "film.ts"].map(|name| folder.path().join(name));
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        let fifo = rustix::fs::FileType::Fifo;
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, fifo, mode, 0).expect("a FIFO");
        std::fs::write(&file, "").expect("a file");
        let [pipe, file] = [pipe, file].map(|path| path.display().to_string());
        let status = status(&["tcp://127.0.0.1:1689", &file, &pipe]);
        let here = "127.0.0.1:1688".parse().expect("an address");
        let expected = [pipe.as_str(), "tcp://127.0.0.1:1689"];
        assert_eq!(ways(&status, &here, true), expected);
    }

    #[test]
    fn only_loopback_is_this_machine() {
        for (host, expected) in [
            ("localhost", true),
            ("127.0.0.1", true),
            ("127.9.9.9", true),
            ("::1", true),
            ("10.0.0.5", false),
            ("studio", false),
        ] {
            assert_eq!(is_loopback(host), expected, "{host}");
        }
    }
}
