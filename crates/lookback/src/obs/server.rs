//! The lookback that OBS is to record into: where it takes video, and what has arrived.

use std::future::Future;
use std::net::IpAddr;
use std::path::Path;

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
        std::fs::metadata(Path::new(source)).is_ok_and(|found| found.file_type().is_fifo())
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
