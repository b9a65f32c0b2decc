//! A port that takes MPEG-TS in datagrams, from one sender at a time.
//!
//! Datagrams have no end: two seconds of silence are taken for it.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use lookback_replay::Writer;
use socket2::SockRef;
use tokio::net::UdpSocket;
use tokio::time::{sleep, timeout};
use tracing::warn;

use super::{Feed, PAUSE};
use crate::clock;
use crate::settings::Endpoint;
use crate::usage::Usage;

/// A bound port.
#[derive(Debug)]
pub(crate) struct Source {
    socket: UdpSocket,
}

/// A keyframe comes as a burst; the system's default of about 200 KiB would lose part of it.
const RECEIVE_BUFFER: usize = 8 << 20;
const DATAGRAM_MAX: usize = 65_536;
const SILENCE: Duration = Duration::from_secs(2);

impl Source {
    /// Starts to listen, and joins the group if the address is one.
    pub(super) fn bind(endpoint: &Endpoint) -> Result<Self, Usage> {
        let socket = endpoint.resolve().and_then(open).map_err(|error| match error.kind() {
            io::ErrorKind::AddrInUse => Usage::new(format!(
                "udp://{endpoint} is in use by another program: stop it, or name another port with \
                 --input udp://HOST:PORT"
            )),
            _ => Usage::new(format!("cannot listen on udp://{endpoint}: {error}")),
        })?;
        Ok(Self { socket })
    }

    #[cfg(test)]
    pub(super) fn address(&self) -> SocketAddr {
        self.socket
            .local_addr()
            .expect("a bound socket has an address")
    }

    /// Records each sender, for ever.
    pub(super) async fn run(self, feed: Feed) {
        let mut datagram = vec![0; DATAGRAM_MAX];
        loop {
            match self.socket.recv_from(&mut datagram).await {
                Ok((len, sender)) => match feed.connect() {
                    Some(mut writer) => {
                        writer.write(&datagram[..len], clock::now());
                        self.record(&feed, writer, sender, &mut datagram).await;
                    }
                    None => self.discard(&mut datagram).await,
                },
                Err(error) if is_answer(&error) => {}
                Err(error) => {
                    warn!("{}: {}: {error}", feed.channel.name(), feed.name);
                    sleep(PAUSE).await;
                }
            }
        }
    }

    /// Records one sender until it is silent.
    async fn record(
        &self,
        feed: &Feed,
        mut writer: Writer,
        sender: SocketAddr,
        datagram: &mut [u8],
    ) {
        let mut reported = false;
        let how = loop {
            match timeout(SILENCE, self.receive(sender, &mut reported, feed, datagram)).await {
                Ok(Ok(len)) => writer.write(&datagram[..len], clock::now()),
                Ok(Err(error)) => break Err(error),
                Err(_silence) => break Ok(()),
            }
        };
        drop(writer);
        feed.ended(&how);
    }

    /// The next datagram of this sender.
    async fn receive(
        &self,
        sender: SocketAddr,
        reported: &mut bool,
        feed: &Feed,
        datagram: &mut [u8],
    ) -> io::Result<usize> {
        loop {
            match self.socket.recv_from(datagram).await {
                Ok((len, from)) if from == sender => return Ok(len),
                Ok(_) => {
                    if !*reported {
                        feed.report_second();
                        *reported = true;
                    }
                }
                Err(error) if is_answer(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Drops what comes while the channel is busy, for as long as a pause.
    async fn discard(&self, datagram: &mut [u8]) {
        let drop_all = async {
            loop {
                if let Err(error) = self.socket.recv_from(datagram).await
                    && !is_answer(&error)
                {
                    return;
                }
            }
        };
        // The pause is over, or the socket is out of order, which the next read will show.
        let _ = timeout(PAUSE, drop_all).await;
    }
}

/// Windows reports what became of datagrams that were sent from the port; we send none.
fn is_answer(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::ConnectionReset
}

fn open(address: SocketAddr) -> io::Result<UdpSocket> {
    let group = address.ip().is_multicast();
    // A group's address cannot be bound everywhere; its port on all interfaces can.
    let bind = if group {
        SocketAddr::new(any(address.ip()), address.port())
    } else {
        address
    };
    let socket = std::net::UdpSocket::bind(bind)?;
    match address.ip() {
        IpAddr::V4(ip) if group => {
            socket.join_multicast_v4(&ip, &std::net::Ipv4Addr::UNSPECIFIED)?
        }
        IpAddr::V6(ip) if group => socket.join_multicast_v6(&ip, 0)?,
        _ => {}
    }
    SockRef::from(&socket).set_recv_buffer_size(RECEIVE_BUFFER)?;
    socket.set_nonblocking(true)?;
    UdpSocket::from_std(socket)
}

fn any(like: IpAddr) -> IpAddr {
    match like {
        IpAddr::V4(_) => std::net::Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => std::net::Ipv6Addr::UNSPECIFIED.into(),
    }
}
