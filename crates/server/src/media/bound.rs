//! Everything that is bound for media, and how clients reach it.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};

use mio::net::TcpListener;

use super::acceptor::bind_tcp;
use super::addresses::Ways;
use super::advertise::{External, Host, Outside};
use super::discovery::outer_address;
use super::names::{Named, NoSuchName, PATIENCE, look_up, settle};
use super::pool::{MediaConfig, MediaError};
use super::ports::{UdpPort, bind_all, bind_udp};

pub(super) struct Bound {
    /// What is bound for UDP.
    pub udp: Vec<SocketAddr>,
    pub ports: Vec<UdpPort>,
    pub ways: Ways,
    /// What is bound for TCP.
    pub tcp: Vec<SocketAddr>,
    pub listeners: Vec<TcpListener>,
    pub tcp_ways: Ways,
    /// The advertised names, to be looked up again.
    pub named: Vec<Named>,
}

impl Bound {
    /// Looks names up, binds the ports with a UDP socket for each of `threads`, and finds out how they look from outside.
    pub(super) fn open(config: &MediaConfig, threads: usize) -> Result<Self, MediaError> {
        let look = |port: &UdpSocket| {
            let asked = config.advertise.is_empty() && !config.stun.is_empty();
            asked.then(|| outer_address(port, &config.stun)).flatten()
        };
        let listened = |ip: IpAddr| config.listen_udp.iter().any(|bound| bound.is_ipv4() == ip.is_ipv4());
        let (externals, named) = settle(&config.advertise, listened, |names| look_up(names, PATIENCE))
            .map_err(|NoSuchName(name)| MediaError::NoSuchName(name))?;
        let ports = bind_all(&config.listen_udp, |address| bind_udp(address, threads, look))
            .map_err(|(address, source)| MediaError::Bind { address, source })?;
        let listeners = bind_all(&config.listen_tcp, bind_tcp)
            .map_err(|(address, source)| MediaError::BindTcp { address, source })?;
        let udp: Vec<SocketAddr> = ports.iter().map(|port| port.bound).collect();
        let tcp = listeners.iter().map(TcpListener::local_addr).collect::<io::Result<Vec<_>>>()?;
        let interfaces: Vec<_> =
            if_addrs::get_if_addrs()?.into_iter().map(|found| (found.name.clone(), found.ip())).collect();
        let here: Vec<IpAddr> =
            interfaces.iter().map(|(_, ip)| *ip).chain(udp.iter().map(SocketAddr::ip)).collect();
        let outside = Outside {
            externals,
            local_too: config.advertise.iter().any(|advertise| advertise.host == Host::Local),
            port: config.advertise_port.as_ref().and_then(|port| port.on(&here)),
        };
        warn_of_strangers(&outside, &here);
        let found: Vec<_> = ports.iter().map(|port| (port.bound, found(port, &outside, &here))).collect();
        let found_tcp: Vec<_> = tcp.iter().map(|bound| (*bound, outer_ip(*bound, &found))).collect();
        let ways = Ways::new(&found, &outside, &interfaces);
        let tcp_ways = Ways::new(&found_tcp, &outside, &interfaces);
        if ways.candidates().is_empty() {
            return Err(MediaError::NoAddress);
        }
        Ok(Self { udp, ports, ways, tcp, listeners, tcp_ways, named })
    }
}

/// How a UDP port looks from outside: as it was found, unless the operator knows the port better.
fn found(port: &UdpPort, outside: &Outside, here: &[IpAddr]) -> Option<External> {
    let found = port.outer?;
    let known = outside.port.filter(|_| !here.contains(&found.ip()));
    Some(External { ip: found.ip(), port: known.or(Some(found.port())), local: None })
}

/// How a TCP port looks from outside: the address that was found for UDP. Its port is that of the UDP port; for TCP ours is the best guess.
fn outer_ip(bound: SocketAddr, found: &[(SocketAddr, Option<External>)]) -> Option<External> {
    let mut outer = found.iter().filter_map(|(_, outer)| *outer);
    let outer = outer.find(|outer| outer.ip.is_ipv4() == bound.is_ipv4())?;
    Some(External { port: None, ..outer })
}

/// A pair with a local address that is not here does nothing for it.
fn warn_of_strangers(outside: &Outside, here: &[IpAddr]) {
    for External { ip, local, .. } in &outside.externals {
        if let Some(local) = local.filter(|local| !here.contains(local)) {
            tracing::warn!(%ip, %local, "no interface of this machine has the local address of an advertised pair");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// rtcd: T-RS-07, the part on STUN.
    #[test]
    fn a_found_address_has_the_port_that_the_operator_knows_unless_it_is_our_own() {
        let outer = |outer: &str, port| {
            let bound = "10.0.0.5:8443".parse().unwrap();
            let port_bound = UdpPort { bound, outer: Some(outer.parse().unwrap()), sockets: Vec::new() };
            let outside = Outside { port, ..Outside::default() };
            let found = found(&port_bound, &outside, &[bound.ip()]);
            let candidates = |found| Ways::new(&[(bound, found)], &outside, &[]).candidates();
            let tcp = outer_ip(bound, &[(bound, found)]);
            [candidates(found), candidates(tcp)]
                .map(|told| told.iter().map(SocketAddr::to_string).collect::<String>())
        };
        assert_eq!(outer("203.0.113.5:4711", None), ["203.0.113.5:4711", "203.0.113.5:8443"]);
        assert_eq!(outer("203.0.113.5:4711", Some(443)), ["203.0.113.5:443", "203.0.113.5:443"]);
        assert_eq!(outer("10.0.0.5:8443", Some(443)), ["10.0.0.5:8443", "10.0.0.5:8443"]);
    }
}
