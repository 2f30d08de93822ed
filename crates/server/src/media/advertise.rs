//! What the operator wants clients to be told of this machine's addresses, as it is written, and as it is known once names are looked up.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// RFC 1035 §2.3.4.
const LONGEST_NAME: usize = 253;
const LONGEST_LABEL: usize = 63;

/// An address that clients are told instead of a local one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advertise {
    /// What it is.
    pub host: Host,
    /// `None`: the advertised port, if there is one, or the port that is bound.
    pub port: Option<u16>,
    /// The local address that it stands for; `None`: every one of its family.
    pub local: Option<IpAddr>,
}

/// How an advertised address is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// As it is.
    Ip(IpAddr),
    /// By a name, which is looked up at the start and again from time to time.
    Name(String),
    /// As the local addresses are, where nothing else is told of their family.
    Local,
}

impl From<IpAddr> for Advertise {
    fn from(ip: IpAddr) -> Self {
        Self { host: Host::Ip(ip), port: None, local: None }
    }
}

impl Advertise {
    /// Reads `host`, `host:port`, `host/local`, `host:port/local` or `local`. A host is an IP address or a name; `local` is an IP address,
    /// of the same family if the host is one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text == "local" {
            return Some(Self { host: Host::Local, port: None, local: None });
        }
        let (outside, local) = match text.split_once('/') {
            Some((outside, local)) => (outside, Some(local.parse::<IpAddr>().ok()?)),
            None => (text, None),
        };
        let (host, port) = host_and_port(outside)?;
        let fits = match (&host, local) {
            (Host::Ip(ip), Some(local)) => ip.is_ipv4() == local.is_ipv4(),
            _ => true,
        };
        fits.then_some(Self { host, port, local })
    }
}

fn host_and_port(text: &str) -> Option<(Host, Option<u16>)> {
    if let Ok(ip) = text.parse::<IpAddr>() {
        return Some((Host::Ip(ip), None));
    }
    if let Ok(address) = text.parse::<SocketAddr>() {
        return (address.port() > 0).then_some((Host::Ip(address.ip()), Some(address.port())));
    }
    if let Some(inner) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
        return inner.parse::<Ipv6Addr>().ok().map(|ip| (Host::Ip(ip.into()), None));
    }
    let (name, port) = match text.split_once(':') {
        Some((name, port)) => (name, Some(port.parse::<u16>().ok().filter(|port| *port > 0)?)),
        None => (text, None),
    };
    is_host_name(name).then(|| (Host::Name(name.to_owned()), port))
}

/// Whether a text may be looked up. What ends in a number is a mistyped IPv4 address.
#[must_use]
pub fn is_host_name(text: &str) -> bool {
    let name = text.strip_suffix('.').unwrap_or(text);
    let good = |label: &str| {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        (1..=LONGEST_LABEL).contains(&label.len())
            && label.bytes().all(known)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let last = name.rsplit('.').next().unwrap_or_default();
    name.len() <= LONGEST_NAME && name.split('.').all(good) && !last.bytes().all(|byte| byte.is_ascii_digit())
}

/// The port that clients are told with an address that is not a local one and that has no port of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AdvertisePort {
    /// This one.
    Number(u16),
    /// That of the first local address which is one of this machine's: several machines may share a configuration.
    OfLocal(Vec<(IpAddr, u16)>),
}

impl AdvertisePort {
    /// Returns the port for a machine with these addresses.
    #[must_use]
    pub fn on(&self, here: &[IpAddr]) -> Option<u16> {
        match self {
            Self::Number(port) => Some(*port),
            Self::OfLocal(ports) => {
                ports.iter().find(|(local, _)| here.contains(local)).map(|(_, port)| *port)
            }
        }
    }
}

/// An advertised address that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct External {
    pub ip: IpAddr,
    /// `None`: as [`Advertise::port`].
    pub port: Option<u16>,
    /// As [`Advertise::local`].
    pub local: Option<IpAddr>,
}

/// Everything that clients are told instead of local addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Outside {
    pub externals: Vec<External>,
    /// Whether a local address of a family without an external one is told as it is. It is, too, when there are no externals at all.
    pub local_too: bool,
    /// For externals without a port.
    pub port: Option<u16>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_advertised_address_is_written_in_several_ways() {
        let name = |text: &str| Host::Name(text.to_owned());
        let ip = |text: &str| Host::Ip(text.parse().unwrap());
        let local = |text: &str| Some(text.parse::<IpAddr>().unwrap());
        let table = [
            ("203.0.113.5", ip("203.0.113.5"), None, None),
            ("203.0.113.5:443", ip("203.0.113.5"), Some(443), None),
            ("2001:db8::1", ip("2001:db8::1"), None, None),
            ("[2001:db8::1]", ip("2001:db8::1"), None, None),
            ("[2001:db8::1]:443", ip("2001:db8::1"), Some(443), None),
            ("calls.example.org", name("calls.example.org"), None, None),
            ("calls:443", name("calls"), Some(443), None),
            ("203.0.113.5/10.0.0.5", ip("203.0.113.5"), None, local("10.0.0.5")),
            ("calls.example.org:443/10.0.0.5", name("calls.example.org"), Some(443), local("10.0.0.5")),
            ("local", Host::Local, None, None),
        ];
        for (text, host, port, local) in table {
            assert_eq!(Advertise::parse(text), Some(Advertise { host, port, local }), "{text}");
        }
    }

    #[test]
    fn what_is_no_address_and_no_name_is_refused() {
        for text in [
            "",
            "203.0.113",
            "203.0.113.300",
            "203.0.113.5:0",
            "203.0.113.5:x",
            "calls.example.org:70000",
            "https://calls.example.org",
            "calls example",
            "-calls.example",
            "calls..example",
            "203.0.113.5/calls",
            "203.0.113.5/",
            "/10.0.0.5",
            "203.0.113.5/2001:db8::1",
            "203.0.113.5/10.0.0.5/10.0.0.6",
            "[calls]",
        ] {
            assert_eq!(Advertise::parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_port_is_that_of_the_first_address_which_is_here() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let ports = AdvertisePort::OfLocal(vec![(ip("10.0.0.5"), 8_443), (ip("10.0.0.6"), 8_444)]);
        assert_eq!(ports.on(&[ip("127.0.0.1"), ip("10.0.0.6")]), Some(8_444));
        assert_eq!(ports.on(&[ip("10.0.0.6"), ip("10.0.0.5")]), Some(8_443));
        assert_eq!(ports.on(&[ip("127.0.0.1")]), None);
        assert_eq!(AdvertisePort::Number(9).on(&[]), Some(9));
    }
}
