//! A port at which players connect.

use std::fmt;
use std::io;

use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;
use tracing::warn;

use crate::settings::Endpoint;
use crate::source::PAUSE;
use crate::usage::Usage;

/// A listening port.
#[derive(Debug)]
pub(crate) struct Port {
    endpoint: Endpoint,
    listener: TcpListener,
}

impl Port {
    /// Starts to listen.
    pub(super) fn bind(endpoint: &Endpoint) -> Result<Self, Usage> {
        let listen = |address| {
            let listener = std::net::TcpListener::bind(address)?;
            listener.set_nonblocking(true)?;
            TcpListener::from_std(listener)
        };
        let listener = endpoint.resolve().and_then(listen);
        let listener = listener.map_err(|error| match error.kind() {
            io::ErrorKind::AddrInUse => Usage::new(format!(
                "tcp://{endpoint} is in use by another program: stop it, or name another port with \
                 --play-to tcp://HOST:PORT"
            )),
            _ => Usage::new(format!("cannot listen on tcp://{endpoint}: {error}")),
        })?;
        Ok(Self {
            endpoint: endpoint.clone(),
            listener,
        })
    }

    /// Waits for a reader.
    pub(crate) async fn reader(&self) -> TcpStream {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    // Pictures are to go at once, not when there are enough of them.
                    if let Err(error) = stream.set_nodelay(true) {
                        warn!("{self}: {error}");
                    }
                    return stream;
                }
                Err(error) => {
                    warn!("{self} cannot accept: {error}");
                    sleep(PAUSE).await;
                }
            }
        }
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tcp://{}", self.endpoint)
    }
}
