//! Which address a client is told, and which of ours it stands for.
//!
//! str0m drops a datagram whose destination is not exactly a candidate, so behind a translated address, or on a wildcard socket, the
//! driver writes the candidate's address into what it receives, and maps it back when it sends.

use std::net::{IpAddr, SocketAddr};

use super::advertise::{External, Outside};

/// Interface names of container bridges: their addresses mean nothing to a client elsewhere.
const CONTAINER_BRIDGES: [&str; 10] =
    ["docker", "br-", "veth", "virbr", "cni", "podman", "lxc", "lxd", "flannel", "cali"];

/// A local address and the candidate it stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Way {
    /// Index of the socket.
    pub socket: usize,
    pub local: SocketAddr,
    pub candidate: SocketAddr,
    /// Whether the operator has paired the two: such a way is preferred for what leaves.
    paired: bool,
}

/// All ways in, and back out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ways(Vec<Way>);

impl Ways {
    /// `bound`: what each socket is bound to, and how it looks from outside, if that was found out; it counts where nothing is configured.
    /// `interfaces`: name and address of what this machine has.
    pub(super) fn new(
        bound: &[(SocketAddr, Option<External>)],
        outside: &Outside,
        interfaces: &[(String, IpAddr)],
    ) -> Self {
        let locals = |bound: SocketAddr| local_ips(bound, outside, interfaces);
        let all: Vec<IpAddr> = bound.iter().flat_map(|(bound, _)| locals(*bound)).collect();
        let mut ways = Vec::new();
        for (socket, (bound, found)) in bound.iter().enumerate() {
            let found = Outside { externals: found.iter().copied().collect(), ..outside.clone() };
            let outside = if outside.externals.is_empty() { &found } else { outside };
            for ip in locals(*bound) {
                let others = all.iter().any(|other| other.is_ipv4() == ip.is_ipv4() && !other.is_loopback());
                let local =
                    Local { address: SocketAddr::new(ip, bound.port()), spare: ip.is_loopback() && others };
                ways.extend(local.ways(socket, outside));
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
        let all = || self.0.iter().filter(|way| way.candidate == candidate);
        if let Some(way) = all().find(|way| way.paired) {
            return Some((way.socket, Some(way.local.ip())));
        }
        let mut ways = all();
        let first = ways.next()?;
        let only = ways.next().is_none();
        Some((first.socket, only.then(|| first.local.ip())))
    }
}

/// The addresses that a bound socket receives on. Loopback and container bridges only if there is nothing else, or the operator names them.
fn local_ips(bound: SocketAddr, outside: &Outside, interfaces: &[(String, IpAddr)]) -> Vec<IpAddr> {
    if !bound.ip().is_unspecified() {
        return vec![bound.ip()];
    }
    let family = interfaces.iter().filter(|(_, ip)| ip.is_ipv4() == bound.is_ipv4() && !is_link_local(*ip));
    let bridge = |name: &str| CONTAINER_BRIDGES.iter().any(|prefix| name.starts_with(prefix));
    let named = |ip: IpAddr| outside.externals.iter().any(|external| external.local == Some(ip));
    let all: Vec<IpAddr> = family.clone().map(|(_, ip)| *ip).collect();
    let public = family.filter(|(name, ip)| named(*ip) || (!ip.is_loopback() && !bridge(name)));
    let public: Vec<IpAddr> = public.map(|(_, ip)| *ip).collect();
    if public.is_empty() { all } else { public }
}

/// A local address whose candidates are looked for.
struct Local {
    address: SocketAddr,
    /// Loopback, where there are others: it stands for nothing but itself.
    spare: bool,
}

impl Local {
    /// Those that the operator has paired with it; or else those for every address; or else, as rtcd does, all that are paired with others.
    fn ways(&self, socket: usize, outside: &Outside) -> Vec<Way> {
        let local = self.address;
        let family = outside.externals.iter().filter(|external| external.ip.is_ipv4() == local.is_ipv4());
        let (mine, others): (Vec<&External>, Vec<&External>) =
            family.partition(|external| external.local == Some(local.ip()));
        let (free, of_others): (Vec<&External>, Vec<&External>) =
            others.into_iter().partition(|external| external.local.is_none());
        let paired = !mine.is_empty();
        let told = [mine, free, of_others].into_iter().find(|some| !some.is_empty()).unwrap_or_default();
        let plain =
            if told.is_empty() { outside.externals.is_empty() || outside.local_too } else { self.spare };
        if plain && !paired {
            return vec![Way { socket, local, candidate: local, paired }];
        }
        let candidate = |external: &External| {
            let outer = outside.port.filter(|_| external.ip != local.ip());
            let port = external.port.or(outer).unwrap_or(local.port());
            SocketAddr::new(external.ip, port)
        };
        told.into_iter()
            .map(|external| Way { socket, local, candidate: candidate(external), paired })
            .collect()
    }
}

fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::advertise::{Advertise, Host};
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
        let found = External { ip: "203.0.113.5".parse().unwrap(), port: Some(4_711), local: None };
        let told = |configured: &[&str]| {
            Ways::new(&[(bound, Some(found))], &outside(configured, None), &interfaces).candidates()
        };
        assert_eq!(told(&[]), ["203.0.113.5:4711".parse().unwrap()]);
        assert_eq!(told(&["203.0.113.9"]), ["203.0.113.9:8443".parse().unwrap()]);
        let host = [("eth0", "192.0.2.7"), ("lo", "127.0.0.1")];
        assert_eq!(ways("0.0.0.0:8443", &["local"], &host).candidates(), ["192.0.2.7:8443".parse().unwrap()]);
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

    /// rtcd: T-UT-01, T-UT-03, and the sentence on addresses that no pair names.
    #[test]
    fn an_external_address_may_be_for_one_local_address() {
        let host =
            [("lo", "127.0.0.1"), ("eth0", "10.0.0.5"), ("eth1", "10.0.0.6"), ("docker0", "172.17.0.1")];
        type Row<'a> = (&'a [&'a str], &'a [&'a str]);
        let rows: [Row<'_>; 6] = [
            (
                &["203.0.113.5/10.0.0.5", "203.0.113.6/10.0.0.6"],
                &["10.0.0.5=203.0.113.5:8443", "10.0.0.6=203.0.113.6:8443"],
            ),
            // What no pair names is told as every external address.
            (
                &["203.0.113.5/10.0.0.5", "203.0.113.7/10.0.0.7"],
                &["10.0.0.5=203.0.113.5:8443", "10.0.0.6=203.0.113.5:8443", "10.0.0.6=203.0.113.7:8443"],
            ),
            (&["203.0.113.5", "10.0.0.6/10.0.0.6"], &["10.0.0.5=203.0.113.5:8443", "10.0.0.6=10.0.0.6:8443"]),
            // A bridge is used when somebody names it.
            (
                &["203.0.113.5", "203.0.113.6/172.17.0.1"],
                &["10.0.0.5=203.0.113.5:8443", "10.0.0.6=203.0.113.5:8443", "172.17.0.1=203.0.113.6:8443"],
            ),
            (&["2001:db8::1"], &[]),
            (&["2001:db8::1", "local"], &["10.0.0.5=10.0.0.5:8443", "10.0.0.6=10.0.0.6:8443"]),
        ];
        for (advertise, expected) in rows {
            let Ways(ways) = ways("0.0.0.0:8443", advertise, &host);
            let told: Vec<String> =
                ways.iter().map(|way| format!("{}={}", way.local.ip(), way.candidate)).collect();
            assert_eq!(told, expected, "{advertise:?}");
        }
    }

    /// rtcd: T-UT-01 (loopback and LAN), T-RS-07 (the port is told with external addresses only).
    #[test]
    fn loopback_beside_others_is_itself_and_the_advertised_port_is_for_external_addresses() {
        let bound = |ip: &str| (SocketAddr::new(ip.parse().unwrap(), 8_443), None);
        let told = |bounds: &[&str], advertise: &[&str], port| {
            let bounds: Vec<_> = bounds.iter().map(|ip| bound(ip)).collect();
            let told = Ways::new(&bounds, &outside(advertise, port), &[]).candidates();
            told.iter().map(SocketAddr::to_string).collect::<Vec<_>>()
        };
        assert_eq!(told(&["127.0.0.1", "10.0.0.5"], &["8.8.8.8"], None), ["8.8.8.8:8443", "127.0.0.1:8443"]);
        assert_eq!(told(&["127.0.0.1"], &["8.8.8.8"], None), ["8.8.8.8:8443"]);
        assert_eq!(
            told(&["127.0.0.1", "10.0.0.5"], &["8.8.8.8"], Some(443)),
            ["8.8.8.8:443", "127.0.0.1:8443"]
        );
        assert_eq!(told(&["10.0.0.5"], &[], Some(443)), ["10.0.0.5:8443"]);
        let pairs = ["10.0.0.5/10.0.0.5", "8.8.8.8/10.0.0.6"];
        assert_eq!(told(&["10.0.0.5", "10.0.0.6"], &pairs, Some(443)), ["8.8.8.8:443", "10.0.0.5:8443"]);
        assert_eq!(told(&["10.0.0.5"], &["8.8.8.8:444"], Some(443)), ["8.8.8.8:444"]);
    }

    #[test]
    fn what_leaves_for_a_paired_address_has_its_local_address_as_source() {
        let host = [("eth0", "10.0.0.5"), ("eth1", "10.0.0.6")];
        let candidate = "203.0.113.6:8443".parse().unwrap();
        let paired = ways("0.0.0.0:8443", &["203.0.113.6/10.0.0.6"], &host);
        assert_eq!(paired.outward(candidate), Some((0, Some("10.0.0.6".parse().unwrap()))));
        assert_eq!(paired.inward(0, Some("10.0.0.5".parse().unwrap())), Some(candidate));
        assert_eq!(ways("0.0.0.0:8443", &["203.0.113.6"], &host).outward(candidate), Some((0, None)));
    }

    fn outside(advertise: &[&str], port: Option<u16>) -> Outside {
        let mut outside = Outside { port, ..Outside::default() };
        for text in advertise {
            let Advertise { host, port, local } = Advertise::parse(text).unwrap();
            match host {
                Host::Ip(ip) => outside.externals.push(External { ip, port, local }),
                Host::Local => outside.local_too = true,
                Host::Name(name) => panic!("{name}"),
            }
        }
        outside
    }

    fn ways(bound: &str, advertise: &[&str], interfaces: &[(&str, &str)]) -> Ways {
        let interfaces: Vec<_> =
            interfaces.iter().map(|(name, ip)| ((*name).to_owned(), ip.parse().unwrap())).collect();
        Ways::new(&[(bound.parse().unwrap(), None)], &outside(advertise, None), &interfaces)
    }
}
