//! The types of values that keys can have, and how each is read.

use std::{
    fmt,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    path::PathBuf,
    str::FromStr,
    time::Duration,
};

use identity::Secret;

use super::{
    public_url::PublicUrl,
    written::{Origin, Written},
};
use crate::media::{Advertise, AdvertisePort, is_host_name};

/// A value with the place where it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Set<T> {
    /// The value.
    pub(super) value: T,
    /// Where it was written.
    pub(super) origin: Origin,
}

/// A type that a key can have.
pub(super) trait Setting: Sized {
    /// Completes "expected …".
    const EXPECTED: &'static str;
    /// Whether what was written must not be shown.
    const SECRET: bool = false;

    /// Reads what was written; `None` when it is something else.
    fn read(written: &Written) -> Option<Self>;
}

fn text(written: &Written) -> Option<&str> {
    match written {
        Written::Loose(text) | Written::Text(text) => Some(text),
        Written::Number(_) | Written::Flag(_) | Written::List(_) | Written::Other(_) => None,
    }
}

/// One value or a list of them; the environment and flags separate by commas.
fn list<T>(written: &Written, one: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
    match written {
        Written::Loose(loose) if loose.trim().is_empty() => Some(Vec::new()),
        Written::Loose(loose) => loose.split(',').map(|item| one(item.trim())).collect(),
        Written::Text(single) => Some(vec![one(single)?]),
        Written::List(items) => items.iter().map(|item| one(text(item)?)).collect(),
        Written::Number(_) | Written::Flag(_) | Written::Other(_) => None,
    }
}

impl Setting for PathBuf {
    const EXPECTED: &'static str = "a path";

    fn read(written: &Written) -> Option<Self> {
        text(written).filter(|path| !path.is_empty()).map(Self::from)
    }
}

impl Setting for SocketAddr {
    const EXPECTED: &'static str = "an IP address and port such as \"127.0.0.1:8080\" or \"[::1]:8080\"";

    fn read(written: &Written) -> Option<Self> {
        text(written)?.parse().ok()
    }
}

impl Setting for Vec<SocketAddr> {
    const EXPECTED: &'static str = "an IP address and port such as \"0.0.0.0:8443\", or a list of them";

    fn read(written: &Written) -> Option<Self> {
        list(written, |item| item.parse().ok()).filter(|addresses| !addresses.is_empty())
    }
}

/// Addresses, or none at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SomeAddresses(pub(super) Vec<SocketAddr>);

impl Setting for SomeAddresses {
    const EXPECTED: &'static str =
        "an IP address and port such as \"0.0.0.0:8443\", or a list of them, which may be empty";

    fn read(written: &Written) -> Option<Self> {
        list(written, |item| item.parse().ok()).map(Self)
    }
}

impl Setting for bool {
    const EXPECTED: &'static str = "true or false";

    fn read(written: &Written) -> Option<Self> {
        match written {
            Written::Flag(flag) => Some(*flag),
            Written::Loose(loose) => loose.trim().parse().ok(),
            Written::Text(_) | Written::Number(_) | Written::List(_) | Written::Other(_) => None,
        }
    }
}

impl Setting for PublicUrl {
    const EXPECTED: &'static str = "http:// or https://, a host and perhaps a port, without a path";

    fn read(written: &Written) -> Option<Self> {
        Self::parse(text(written)?).ok()
    }
}

/// Servers, each `host:port`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Servers(pub(super) Vec<String>);

/// Where STUN servers listen (RFC 8489 §18.6).
const STUN_PORT: u16 = 3_478;
/// As many are asked.
pub(super) const MAX_SERVERS: usize = 8;

/// Completes `host` and `host:port`; an IPv6 address stands in brackets.
pub(super) fn stun_server(text: &str) -> Option<String> {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => {
            (host, port.parse().ok().filter(|port: &u16| *port > 0)?)
        }
        _ => (text, STUN_PORT),
    };
    let is_ipv6 = |inner: &str| inner.parse::<Ipv6Addr>().is_ok();
    let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let good = bracketed.map_or_else(|| host.parse::<Ipv4Addr>().is_ok() || is_host_name(host), is_ipv6);
    good.then(|| format!("{host}:{port}"))
}

impl Setting for Servers {
    const EXPECTED: &'static str = "a list of servers such as \"stun.example.org:3478\", at most 8";

    fn read(written: &Written) -> Option<Self> {
        list(written, stun_server).filter(|servers| servers.len() <= MAX_SERVERS).map(Self)
    }
}

/// How a listener encrypts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TlsMode {
    /// Not at all.
    Off,
    /// With a certificate that the server makes and keeps in the data folder.
    SelfSigned,
    /// With the operator's certificate.
    Files,
}

impl Setting for TlsMode {
    const EXPECTED: &'static str = "\"off\", \"self-signed\" or \"files\"";

    fn read(written: &Written) -> Option<Self> {
        match text(written)? {
            "off" => Some(Self::Off),
            "self-signed" => Some(Self::SelfSigned),
            "files" => Some(Self::Files),
            _ => None,
        }
    }
}

impl Setting for Vec<Advertise> {
    const EXPECTED: &'static str = "a list of IP addresses or host names, each with or without a port, and with or without \
         \"/\" and a local IP address of the same family";

    fn read(written: &Written) -> Option<Self> {
        list(written, Advertise::parse)
    }
}

impl Setting for AdvertisePort {
    const EXPECTED: &'static str =
        "a port, 1 to 65535, or a list of local IP addresses and ports such as \"10.0.0.5/8443\"";

    fn read(written: &Written) -> Option<Self> {
        let port = |text: &str| text.parse().ok().filter(|port: &u16| *port > 0);
        let number = match written {
            Written::Number(number) => port(&number.to_string()),
            Written::Loose(loose) => port(loose.trim()),
            Written::Text(_) | Written::Flag(_) | Written::List(_) | Written::Other(_) => None,
        };
        if let Some(number) = number {
            return Some(Self::Number(number));
        }
        let pair = |item: &str| {
            let (local, number) = item.split_once('/')?;
            Some((local.parse().ok()?, port(number)?))
        };
        list(written, pair).filter(|pairs| !pairs.is_empty()).map(Self::OfLocal)
    }
}

/// How much is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLevel {
    /// Only what needs somebody's attention.
    Error,
    /// Also what may need it soon.
    Warn,
    /// Also starts, stops and administrative acts.
    Info,
    /// Also each step of a connection.
    Debug,
}

impl fmt::Display for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
        })
    }
}

impl Setting for LogLevel {
    const EXPECTED: &'static str = "\"error\", \"warn\", \"info\" or \"debug\"";

    fn read(written: &Written) -> Option<Self> {
        match text(written)? {
            "error" => Some(Self::Error),
            "warn" => Some(Self::Warn),
            "info" => Some(Self::Info),
            "debug" => Some(Self::Debug),
            _ => None,
        }
    }
}

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Setting for LogFormat {
    const EXPECTED: &'static str = "\"text\" or \"json\"";

    fn read(written: &Written) -> Option<Self> {
        match text(written)? {
            "text" => Some(Self::Text),
            "json" => Some(Self::Json),
            _ => None,
        }
    }
}

/// Where the store is: a file, since this release has SQLite only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StoreUrl {
    /// The file of `sqlite:…`.
    pub(super) file: PathBuf,
}

impl Setting for StoreUrl {
    const EXPECTED: &'static str = "\"sqlite:\" and the path of a file (this release has no other store)";

    fn read(written: &Written) -> Option<Self> {
        let rest = text(written)?.strip_prefix("sqlite:")?;
        let path = rest.strip_prefix("//").unwrap_or(rest);
        let is_file = !path.is_empty() && !path.starts_with(':') && !path.contains('?');
        is_file.then(|| Self { file: PathBuf::from(path) })
    }
}

/// A key that opens an administration; [`AdminKey::is_long_enough`] says whether an operator may choose it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AdminKey(pub(super) Secret);

impl AdminKey {
    /// Shortest key that an operator may choose, in bytes.
    pub(super) const SHORTEST: usize = 16;
    pub(super) const EXPECTED: &'static str = "a text of at least 16 bytes";

    pub(super) fn is_long_enough(&self) -> bool {
        self.0.expose().len() >= Self::SHORTEST
    }
}

impl Setting for AdminKey {
    const EXPECTED: &'static str = Self::EXPECTED;
    const SECRET: bool = true;

    fn read(written: &Written) -> Option<Self> {
        text(written).map(|text| Self(Secret::new(text)))
    }
}

/// A text that is never shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hidden(pub(super) Secret);

impl Setting for Hidden {
    const EXPECTED: &'static str = "a text that is not empty";
    const SECRET: bool = true;

    fn read(written: &Written) -> Option<Self> {
        text(written).filter(|text| !text.is_empty()).map(|text| Self(Secret::new(text)))
    }
}

impl Setting for String {
    const EXPECTED: &'static str = "a text that is not empty";

    fn read(written: &Written) -> Option<Self> {
        text(written).filter(|text| !text.is_empty()).map(Self::from)
    }
}

/// Addresses of servers for ICE (RFC 7064 §3.1, RFC 7065 §3.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct IceUrls(pub(super) Vec<String>);

fn ice_url(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once(':')?;
    let (server, transport) =
        rest.split_once('?').map_or((rest, None), |(server, query)| (server, Some(query)));
    let takes_transport = match scheme {
        "stun" | "stuns" => false,
        "turn" | "turns" => true,
        _ => return None,
    };
    let is_transport = |query| takes_transport && matches!(query, "transport=udp" | "transport=tcp");
    stun_server(server)?;
    transport.is_none_or(is_transport).then(|| text.to_owned())
}

impl Setting for IceUrls {
    const EXPECTED: &'static str =
        "a list of servers such as \"turn:turn.example.org:3478?transport=udp\", at most 8";

    fn read(written: &Written) -> Option<Self> {
        list(written, ice_url).filter(|urls| urls.len() <= MAX_SERVERS).map(Self)
    }
}

/// A whole number that fits.
fn whole<Number: TryFrom<i64> + FromStr>(written: &Written) -> Option<Number> {
    match written {
        Written::Number(number) => Number::try_from(*number).ok(),
        Written::Loose(loose) => loose.trim().parse().ok(),
        Written::Text(_) | Written::Flag(_) | Written::List(_) | Written::Other(_) => None,
    }
}

/// A time in whole minutes, at least one and at most a year.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Minutes(pub(super) Duration);

impl Setting for Minutes {
    const EXPECTED: &'static str = "a whole number of minutes, 1 to 525600";

    fn read(written: &Written) -> Option<Self> {
        let minutes: u64 = whole(written)?;
        (1..=525_600).contains(&minutes).then(|| Self(Duration::from_secs(minutes * 60)))
    }
}

/// How long something is good that a secret has made, in whole minutes: at most a week, which is what rtcd allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RelayMinutes(pub(super) Duration);

impl Setting for RelayMinutes {
    const EXPECTED: &'static str = "a whole number of minutes, 1 to 10080";

    fn read(written: &Written) -> Option<Self> {
        let minutes: u64 = whole(written)?;
        (1..=10_080).contains(&minutes).then(|| Self(Duration::from_secs(minutes * 60)))
    }
}

/// A time in whole minutes that may be none, at most a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Patience(pub(super) Duration);

impl Setting for Patience {
    const EXPECTED: &'static str = "a whole number of minutes, 0 to 1440";

    fn read(written: &Written) -> Option<Self> {
        let minutes: u64 = whole(written)?;
        (minutes <= 1_440).then(|| Self(Duration::from_secs(minutes * 60)))
    }
}

/// A time in whole seconds, 1 to 300.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seconds(pub(super) Duration);

impl Setting for Seconds {
    const EXPECTED: &'static str = "a whole number of seconds, 1 to 300";

    fn read(written: &Written) -> Option<Self> {
        let seconds: u64 = whole(written)?;
        (1..=300).contains(&seconds).then(|| Self(Duration::from_secs(seconds)))
    }
}

/// A whole number, 1 to 1000000.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Count(pub(super) u32);

impl Setting for Count {
    const EXPECTED: &'static str = "a whole number, 1 to 1000000";

    fn read(written: &Written) -> Option<Self> {
        let count: u32 = whole(written)?;
        (1..=1_000_000).contains(&count).then_some(Self(count))
    }
}

/// Returns the number that was written, or the other one.
pub(super) fn size(set: Option<&Set<Count>>, otherwise: usize) -> usize {
    set.map_or(otherwise, |set| usize::try_from(set.value.0).unwrap_or(usize::MAX))
}

/// Days, at most so many; 0 is without end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct KeepDays(pub(super) u32);

impl Setting for KeepDays {
    const EXPECTED: &'static str = "a whole number of days, 0 to 1000000";

    fn read(written: &Written) -> Option<Self> {
        let days: u32 = whole(written)?;
        (days <= 1_000_000).then_some(Self(days))
    }
}

/// A number of media threads, 1 to 64.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shards(pub(super) u8);

impl Setting for Shards {
    const EXPECTED: &'static str = "a whole number, 1 to 64";

    fn read(written: &Written) -> Option<Self> {
        let count: u8 = whole(written)?;
        (1..=64).contains(&count).then_some(Self(count))
    }
}
