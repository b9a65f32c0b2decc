//! By which addresses other machines reach this one.
//!
//! They are looked up when they are asked for: a laptop changes networks while lookback runs.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use sysinfo::Networks;

/// Where others reach what listens here, the likeliest first; nowhere if that is the loopback interface.
pub(crate) fn reaching(listen: SocketAddr) -> Vec<IpAddr> {
    match listen.ip() {
        address if address.is_loopback() => Vec::new(),
        address if address.is_unspecified() => {
            let networks = Networks::new_with_refreshed_list();
            let networks = networks.iter().flat_map(|networks| networks.values());
            let addresses = networks.flat_map(|network| network.ip_networks());
            let routed = routed(address);
            // Where the system does not list them, that one is known all the same.
            let found = addresses.map(|network| network.addr).chain(routed);
            likeliest_first(found.collect(), address, routed)
        }
        address => vec![address],
    }
}

/// The address that this machine shows the world: that of its default route. Nothing is sent to find it.
fn routed(listen: IpAddr) -> Option<IpAddr> {
    // Both are for documentation, and lead nowhere.
    let somewhere: IpAddr = match listen {
        IpAddr::V4(_) => Ipv4Addr::new(192, 0, 2, 1).into(),
        IpAddr::V6(_) => Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into(),
    };
    let socket = UdpSocket::bind((listen, 0)).ok()?;
    socket.connect((somewhere, 9)).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

/// Those that reach a socket that listens on every address of its kind.
fn likeliest_first(mut found: Vec<IpAddr>, listen: IpAddr, routed: Option<IpAddr>) -> Vec<IpAddr> {
    // Where sockets take both kinds, as everywhere but on Windows, the short ones are typed and scanned more easily.
    let takes_short = listen.is_ipv4() || cfg!(unix);
    found.retain(|address| match address {
        IpAddr::V4(address) => takes_short && !address.is_loopback() && !address.is_link_local(),
        IpAddr::V6(address) => {
            listen.is_ipv6() && !address.is_loopback() && !address.is_unicast_link_local()
        }
    });
    found.sort_by_key(|address| (Some(*address) != routed, *address));
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ordered(listen: &str, routed: &str) -> Vec<String> {
        let found = [
            "127.0.0.1",
            "172.17.0.1",
            "169.254.3.4",
            "192.168.1.5",
            "::1",
            "fe80::1",
            "fd00::5",
            "192.168.1.5",
        ];
        let address = |text: &str| text.parse().expect("an address");
        let found = found.map(address).to_vec();
        let found = likeliest_first(found, address(listen), Some(address(routed)));
        found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_default_route_comes_first_and_what_nobody_reaches_is_left_out() {
        assert_eq!(
            ordered("0.0.0.0", "192.168.1.5"),
            ["192.168.1.5", "172.17.0.1"]
        );
        assert_eq!(
            ordered("0.0.0.0", "172.17.0.1"),
            ["172.17.0.1", "192.168.1.5"]
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_socket_for_both_kinds_is_reached_by_both() {
        assert_eq!(
            ordered("::", "fd00::5"),
            ["fd00::5", "172.17.0.1", "192.168.1.5"]
        );
    }

    #[test]
    fn one_address_is_what_it_is_and_loopback_is_nowhere() {
        let listen = |text: &str| reaching(text.parse().expect("an address"));
        assert_eq!(
            listen("192.0.2.7:1688"),
            [IpAddr::from(Ipv4Addr::new(192, 0, 2, 7))]
        );
        assert_eq!(listen("127.0.0.1:1688"), [] as [IpAddr; 0]);
        assert_eq!(listen("[::1]:1688"), [] as [IpAddr; 0]);
    }
}
