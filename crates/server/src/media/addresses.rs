//! Which address a client is told, and which of ours it stands for.
//!
//! str0m drops a datagram whose destination is not exactly a candidate, so behind a translated address, or on a wildcard socket, the
//! driver writes the candidate's address into what it receives, and maps it back when it sends.

use std::net::{IpAddr, SocketAddr};

/// Interface names of container bridges: their addresses mean nothing to a client elsewhere.
const CONTAINER_BRIDGES: [&str; 10] =
    ["docker", "br-", "veth", "virbr", "cni", "podman", "lxc", "lxd", "flannel", "cali"];

/// An address that clients are told instead of the local one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Advertise {
    /// As clients see it.
    pub ip: IpAddr,
    /// `None`: the port that is bound.
    pub port: Option<u16>,
}

impl From<SocketAddr> for Advertise {
    fn from(address: SocketAddr) -> Self {
        Self { ip: address.ip(), port: Some(address.port()) }
    }
}

/// A local address and the candidate it stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Way {
    /// Index of the socket.
    pub socket: usize,
    pub local: SocketAddr,
    pub candidate: SocketAddr,
}

/// All ways in, and back out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ways(Vec<Way>);

impl Ways {
    /// `bound`: what each socket is bound to, and how it looks from outside, if that was found out; it counts where nothing is configured.
    /// `interfaces`: name and address of what this machine has.
    pub(super) fn new(
        bound: &[(SocketAddr, Option<Advertise>)],
        configured: &[Advertise],
        interfaces: &[(String, IpAddr)],
    ) -> Self {
        let mut ways = Vec::new();
        for (socket, (bound, found)) in bound.iter().enumerate() {
            let advertise = if configured.is_empty() { found.as_slice() } else { configured };
            for ip in local_ips(*bound, interfaces) {
                let local = SocketAddr::new(ip, bound.port());
                ways.extend(candidates(local, advertise).map(|candidate| Way { socket, local, candidate }));
            }
        }
        Self(ways)
    }

    /// Every address to tell clients, once.
    pub(super) fn candidates(&self) -> Vec<SocketAddr> {
        let mut candidates: Vec<SocketAddr> = self.0.iter().map(|way| way.candidate).collect();
        candidates.sort_unstable();
        candidates.dedup();
        candidates
    }

    /// The candidate that a datagram to `ip` on a socket came for. `None` as `ip`: the system did not say.
    pub(super) fn inward(&self, socket: usize, ip: Option<IpAddr>) -> Option<SocketAddr> {
        let mut ways = self.0.iter().filter(|way| way.socket == socket);
        ways.find(|way| ip.is_none_or(|ip| way.local.ip() == ip.to_canonical())).map(|way| way.candidate)
    }

    /// Socket and source address for what leaves from a candidate. No source address: any of several would do, the system chooses.
    pub(super) fn outward(&self, candidate: SocketAddr) -> Option<(usize, Option<IpAddr>)> {
        let mut ways = self.0.iter().filter(|way| way.candidate == candidate);
        let first = ways.next()?;
        let only = ways.next().is_none();
        Some((first.socket, only.then(|| first.local.ip())))
    }
}

/// The addresses that a bound socket receives on. Loopback and container bridges only if there is nothing else.
fn local_ips(bound: SocketAddr, interfaces: &[(String, IpAddr)]) -> Vec<IpAddr> {
    if !bound.ip().is_unspecified() {
        return vec![bound.ip()];
    }
    let family = interfaces.iter().filter(|(_, ip)| ip.is_ipv4() == bound.is_ipv4() && !is_link_local(*ip));
    let bridge = |name: &str| CONTAINER_BRIDGES.iter().any(|prefix| name.starts_with(prefix));
    let all: Vec<IpAddr> = family.clone().map(|(_, ip)| *ip).collect();
    let public: Vec<IpAddr> =
        family.filter(|(name, ip)| !ip.is_loopback() && !bridge(name)).map(|(_, ip)| *ip).collect();
    if public.is_empty() { all } else { public }
}

fn candidates(local: SocketAddr, advertise: &[Advertise]) -> impl Iterator<Item = SocketAddr> {
    let same_family = advertise.iter().filter(move |given| given.ip.is_ipv4() == local.is_ipv4());
    let given: Vec<SocketAddr> =
        same_family.map(|given| SocketAddr::new(given.ip, given.port.unwrap_or(local.port()))).collect();
    let plain = advertise.is_empty().then_some(local);
    given.into_iter().chain(plain)
}

fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_told_what_reaches_us() {
        let host =
            [("lo", "127.0.0.1"), ("eth0", "192.0.2.7"), ("docker0", "172.17.0.1"), ("eth0", "fe80::1")];
        let lonely = [("lo", "127.0.0.1")];
        type Row<'a> = (&'a str, &'a [&'a str], &'a [(&'a str, &'a str)], &'a [&'a str]);
        let bridges = [("podman0", "10.88.0.1"), ("cali12", "10.1.0.1"), ("eth0", "192.0.2.7")];
        let rows: [Row<'_>; 9] = [
            ("0.0.0.0:8443", &[], &host, &["192.0.2.7:8443"]),
            ("0.0.0.0:8443", &[], &lonely, &["127.0.0.1:8443"]),
            ("127.0.0.1:9", &[], &host, &["127.0.0.1:9"]),
            ("0.0.0.0:8443", &["203.0.113.5"], &host, &["203.0.113.5:8443"]),
            ("0.0.0.0:8443", &["203.0.113.5:443", "2001:db8::1"], &host, &["203.0.113.5:443"]),
            ("[::]:8443", &[], &host, &[]),
            ("[::]:8443", &[], &[("eth0", "2001:db8::7"), ("lo", "::1")], &["[2001:db8::7]:8443"]),
            ("[::]:8443", &[], &[("lo", "::1")], &["[::1]:8443"]),
            ("0.0.0.0:8443", &[], &bridges, &["192.0.2.7:8443"]),
        ];
        for (bound, advertise, interfaces, expected) in rows {
            let ways = ways(bound, advertise, interfaces);
            let expected: Vec<SocketAddr> = expected.iter().map(|text| text.parse().unwrap()).collect();
            assert_eq!(ways.candidates(), expected, "{bound} {advertise:?}");
        }
    }

    #[test]
    fn what_was_found_out_counts_where_nothing_is_configured() {
        let bound = "0.0.0.0:8443".parse().unwrap();
        let interfaces = [("eth0".to_owned(), "192.0.2.7".parse().unwrap())];
        let found = Advertise { ip: "203.0.113.5".parse().unwrap(), port: Some(4_711) };
        let configured = Advertise { ip: "203.0.113.9".parse().unwrap(), port: None };
        let told = |configured: &[Advertise]| {
            Ways::new(&[(bound, Some(found))], configured, &interfaces).candidates()
        };
        assert_eq!(told(&[]), ["203.0.113.5:4711".parse().unwrap()]);
        assert_eq!(told(&[configured]), ["203.0.113.9:8443".parse().unwrap()]);
    }

    #[test]
    fn a_translated_address_is_mapped_in_and_out() {
        let ways = ways("0.0.0.0:8443", &["203.0.113.5:443"], &[("eth0", "192.0.2.7")]);
        let candidate = "203.0.113.5:443".parse().unwrap();
        let local: IpAddr = "192.0.2.7".parse().unwrap();
        assert_eq!(ways.inward(0, Some(local)), Some(candidate));
        assert_eq!(ways.inward(0, None), Some(candidate));
        assert_eq!(ways.inward(0, Some("192.0.2.8".parse().unwrap())), None);
        assert_eq!(ways.inward(1, Some(local)), None);
        assert_eq!(ways.outward(candidate), Some((0, Some(local))));
        assert_eq!(ways.outward("203.0.113.5:444".parse().unwrap()), None);
    }

    fn ways(bound: &str, advertise: &[&str], interfaces: &[(&str, &str)]) -> Ways {
        let advertise: Vec<Advertise> = advertise
            .iter()
            .map(|text| match text.parse::<SocketAddr>() {
                Ok(address) => Advertise { ip: address.ip(), port: Some(address.port()) },
                Err(_) => Advertise { ip: text.parse().unwrap(), port: None },
            })
            .collect();
        let interfaces: Vec<_> =
            interfaces.iter().map(|(name, ip)| ((*name).to_owned(), ip.parse().unwrap())).collect();
        Ways::new(&[(bound.parse().unwrap(), None)], &advertise, &interfaces)
    }
}
