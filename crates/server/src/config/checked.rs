//! What the program relies on: every value present, every combination sensible.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    num::NonZero,
    path::PathBuf,
    time::Duration,
};

use super::{
    Rtcd, Verto, drop_in, file,
    public_url::{PublicUrl, Scheme},
    values::{LogFormat, LogLevel, Set, TlsMode},
    written::{ConfigError, Origin},
};
use crate::http::tls::{self, TlsError};
use crate::media::{Advertise, AdvertisePort};

/// The checked configuration.
#[derive(Debug, Clone)]
pub struct Checked {
    /// Folder for everything that must survive.
    pub data_dir: PathBuf,
    /// The main listener.
    pub http: Http,
    /// Sound and pictures.
    pub media: Media,
    /// The face that rtcd's clients see, if there is one.
    pub rtcd: Option<Rtcd>,
    /// The face that verto's clients see, if there is one.
    pub verto: Option<Verto>,
    /// Address of the listener with nothing but metrics.
    pub metrics_listen: Option<SocketAddr>,
    /// The log.
    pub log: Log,
    /// The SQLite file of the store.
    pub store_file: PathBuf,
    /// How long lines of the audit record are kept; `None`: for ever.
    pub audit_keep: Option<Duration>,
    /// How long a stop may take.
    pub shutdown_deadline: Duration,
    /// What the operator should know although it is no error.
    pub warnings: Vec<String>,
}

/// The main listener.
#[derive(Debug, Clone)]
pub struct Http {
    /// Where to listen; port 0 takes any free one.
    pub listen: SocketAddr,
    /// How it encrypts.
    pub tls: Tls,
    /// Whether a reverse proxy stands before it.
    pub proxy: Proxy,
    public_url: Option<PublicUrl>,
}

/// How the main listener encrypts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tls {
    /// Not at all: loopback, or behind a proxy that does.
    Off,
    /// With a certificate that the server makes and keeps in the data folder.
    SelfSigned,
    /// With the operator's certificate.
    Files {
        /// PEM chain.
        cert: PemFile,
        /// PEM private key.
        key: PemFile,
    },
}

/// A file of the operator's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PemFile {
    /// The file.
    pub path: PathBuf,
    /// Where it was named.
    origin: Origin,
}

/// Whether a reverse proxy stands before the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proxy {
    /// Clients connect directly; forwarding headers are ignored.
    Absent,
    /// Every connection comes from a proxy that encrypts, and appends the client's address to `X-Forwarded-For`.
    Trusted,
}

/// Sound and pictures.
#[derive(Debug, Clone)]
pub struct Media {
    /// Where to listen for UDP; port 0 takes any free one. Never empty.
    pub listen_udp: Vec<SocketAddr>,
    /// Where to listen for TCP; empty: not at all.
    pub listen_tcp: Vec<SocketAddr>,
    /// What clients are told; empty: the addresses of the interfaces.
    pub advertise: Vec<Advertise>,
    /// The port of advertised addresses that have none of their own.
    pub advertise_port: Option<AdvertisePort>,
    /// STUN servers, each `host:port`.
    pub stun: Vec<String>,
    /// Media threads, 1 to 64.
    pub shards: u8,
    /// Whether DTLS 1.3 is allowed beside 1.2.
    pub dtls_1_3: bool,
}

/// The log.
#[derive(Debug, Clone, Copy)]
pub struct Log {
    /// How much.
    pub level: LogLevel,
    /// How a line looks.
    pub format: LogFormat,
}

const DEFAULT_DATA_DIR: &str = "./countersign-data";
const DEFAULT_HTTP: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);
const DEFAULT_MEDIA: [SocketAddr; 2] = [
    SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 8443),
    SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), 8443),
];
const DEFAULT_SHUTDOWN: Duration = Duration::from_secs(5);
/// A year: long enough to look into what is noticed late.
const DEFAULT_AUDIT_DAYS: u32 = 365;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const MOST_DEFAULT_SHARDS: u8 = 16;
const STORE_FILE: &str = "countersign.sqlite";

impl Checked {
    /// Fills in the defaults and refuses combinations that cannot work, naming the place and what was expected. `warnings` are kept.
    pub(super) fn check(file: file::File, mut warnings: Vec<String>) -> Result<Self, ConfigError> {
        let data_dir = file.top.data_dir.map_or_else(|| PathBuf::from(DEFAULT_DATA_DIR), |set| set.value);
        let store_file = file.store.url.map_or_else(|| data_dir.join(STORE_FILE), |set| set.value.file);
        let audit_days = file.audit.keep_days.map_or(DEFAULT_AUDIT_DAYS, |set| set.value.0);
        Ok(Self {
            data_dir,
            http: Http::check(file.http, &mut warnings)?,
            media: Media {
                listen_udp: file.media.listen_udp.map_or_else(|| DEFAULT_MEDIA.to_vec(), |set| set.value),
                listen_tcp: file.media.listen_tcp.map_or_else(|| DEFAULT_MEDIA.to_vec(), |set| set.value.0),
                advertise: file.media.advertise.map_or_else(Vec::new, |set| set.value),
                advertise_port: file.media.advertise_port.map(|set| set.value),
                stun: file.media.stun.map_or_else(Vec::new, |set| set.value.0),
                shards: file.media.shards.map_or_else(cores, |set| set.value.0),
                dtls_1_3: file.media.dtls_1_3.is_some_and(|set| set.value),
            },
            rtcd: Rtcd::check(file.rtcd, &mut warnings)?,
            verto: Verto::check(file.verto, &file.verto_limits, &mut warnings)?,
            metrics_listen: file.metrics.listen.map(|set| set.value),
            log: Log {
                level: file.log.level.map_or(LogLevel::Info, |set| set.value),
                format: file.log.format.map_or(LogFormat::Text, |set| set.value),
            },
            store_file,
            audit_keep: (audit_days > 0).then(|| DAY.saturating_mul(audit_days)),
            shutdown_deadline: file.shutdown.deadline_s.map_or(DEFAULT_SHUTDOWN, |set| set.value.0),
            warnings,
        })
    }

    /// Loads the certificates that listeners are to show, as a start does. Those who only speak to a running server need not be able to.
    ///
    /// # Errors
    /// A file that cannot be read or is not PEM, or a key that is not the certificate's.
    pub fn check_certificates(&self) -> Result<(), ConfigError> {
        self.http.tls.check_files("http")?;
        self.rtcd.as_ref().map_or(Ok(()), |face| face.tls.check_files("faces.rtcd"))?;
        self.verto.as_ref().map_or(Ok(()), |face| face.tls.check_files("faces.verto"))
    }
}

impl Tls {
    fn check_files(&self, section: &str) -> Result<(), ConfigError> {
        let Self::Files { cert, key } = self else { return Ok(()) };
        let chain =
            tls::read_chain(&cert.path).map_err(|error| cert.wrong(section, &["cert_file"], &error))?;
        let private = tls::read_key(&key.path).map_err(|error| key.wrong(section, &["key_file"], &error))?;
        let both = ["cert_file", "key_file"];
        tls::config(chain, private).map(drop).map_err(|error| cert.wrong(section, &both, &error))
    }
}

impl PemFile {
    fn new(set: &Set<PathBuf>) -> Self {
        Self { path: set.value.clone(), origin: set.origin.clone() }
    }

    /// Names our keys, or rtcd's with what it says then.
    fn wrong(&self, section: &str, keys: &[&str], error: &TlsError) -> ConfigError {
        if self.origin.is_rtcds() {
            return drop_in::no_certificate(&self.origin, keys, error);
        }
        let keys: Vec<_> = keys.iter().map(|key| format!("{section}.{key}")).collect();
        ConfigError::at(&self.origin, format!("{}: {error}", keys.join(", ")))
    }
}

impl Http {
    /// Returns the address that users see, given where the listener really is.
    #[must_use]
    pub fn public_url(&self, bound: SocketAddr) -> PublicUrl {
        self.public_url.clone().unwrap_or_else(|| bound_url(&self.tls, bound))
    }

    fn check(http: file::Http, warnings: &mut Vec<String>) -> Result<Self, ConfigError> {
        let listen = http.listen.as_ref().map_or(DEFAULT_HTTP, |set| set.value);
        let proxy = proxy(http.trusted_proxy.as_ref());
        let files = Files {
            section: "http",
            tls: &http.tls,
            cert: &http.cert_file,
            key: &http.key_file,
            plain: false,
        };
        let tls = files.check(listen, proxy)?;
        let public_url = check_public_url("http", http.public_url, &tls, proxy, warnings)?;
        Ok(Self { listen, tls, proxy, public_url })
    }
}

/// Returns the address of a listener, for those who use it as it is.
pub(super) fn bound_url(tls: &Tls, bound: SocketAddr) -> PublicUrl {
    let scheme = if *tls == Tls::Off { Scheme::Http } else { Scheme::Https };
    let address = bound.ip();
    let address = if address.is_unspecified() { interface_address(address) } else { address };
    PublicUrl::new(scheme, &address.to_string(), bound.port())
}

pub(super) fn proxy(trusted: Option<&Set<bool>>) -> Proxy {
    match trusted {
        Some(Set { value: true, .. }) => Proxy::Trusted,
        Some(Set { value: false, .. }) | None => Proxy::Absent,
    }
}

/// What is written of the encryption of a listener.
pub(super) struct Files<'a> {
    pub(super) section: &'static str,
    pub(super) tls: &'a Option<Set<TlsMode>>,
    pub(super) cert: &'a Option<Set<PathBuf>>,
    pub(super) key: &'a Option<Set<PathBuf>>,
    /// Whether the address comes from rtcd's own settings, which say whether it encrypts; then it may be plain anywhere.
    pub(super) plain: bool,
}

impl<'a> Files<'a> {
    pub(super) fn check(&self, listen: SocketAddr, proxy: Proxy) -> Result<Tls, ConfigError> {
        let Self { section, .. } = self;
        let mode = match self.tls {
            Some(set) => set.value,
            None if listen.ip().is_loopback() || self.plain => TlsMode::Off,
            None => TlsMode::SelfSigned,
        };
        if let Some(set) = self.tls
            && mode == TlsMode::Off
            && !listen.ip().is_loopback()
            && proxy == Proxy::Absent
            && !self.plain
        {
            let problem = format!(
                "{section}.tls: \"off\" on {listen}, which is not a loopback address; expected \"self-signed\" or \"files\", \
                 or trusted_proxy = true when a reverse proxy encrypts"
            );
            return Err(ConfigError::at(&set.origin, problem));
        }
        // Our own settings may say otherwise than rtcd's, which its files are for.
        let written = |file: &'a Option<Set<PathBuf>>| {
            file.as_ref().filter(|set| mode == TlsMode::Files || !set.origin.is_rtcds())
        };
        let (cert, key) = (written(self.cert), written(self.key));
        if mode != TlsMode::Files {
            let (name, stray) = match (cert, key) {
                (Some(set), _) => ("cert_file", set),
                (None, Some(set)) => ("key_file", set),
                (None, None) => return Ok(if mode == TlsMode::Off { Tls::Off } else { Tls::SelfSigned }),
            };
            let problem =
                format!("{section}.{name}: is read only with tls = \"files\"; expected that, or no {name}");
            return Err(ConfigError::at(&stray.origin, problem));
        }
        match (self.tls, cert, key) {
            (_, Some(cert), Some(key)) => Ok(Tls::Files { cert: PemFile::new(cert), key: PemFile::new(key) }),
            (Some(set), cert, _) if set.origin.is_rtcds() => {
                Err(drop_in::no_tls_file(&set.origin, cert.is_none()))
            }
            (Some(set), ..) => {
                let problem = format!("{section}.tls: \"files\" needs both cert_file and key_file");
                Err(ConfigError::at(&set.origin, problem))
            }
            (None, ..) => Ok(Tls::SelfSigned),
        }
    }
}

pub(super) fn check_public_url(
    section: &str,
    public_url: Option<Set<PublicUrl>>,
    tls: &Tls,
    proxy: Proxy,
    warnings: &mut Vec<String>,
) -> Result<Option<PublicUrl>, ConfigError> {
    let Some(Set { value: url, origin }) = public_url else {
        if proxy == Proxy::Trusted {
            warnings.push(format!("{section}.public_url is not set: links name the listener, not the proxy"));
        }
        return Ok(None);
    };
    match (url.scheme(), tls, proxy) {
        (Scheme::Http, Tls::SelfSigned | Tls::Files { .. }, Proxy::Absent) => {
            let problem =
                format!("{section}.public_url: expected https://, since tls is on; found \"{url}\"");
            return Err(ConfigError::at(&origin, problem));
        }
        (Scheme::Https, Tls::Off, Proxy::Absent) => {
            let problem = format!(
                "{section}.public_url: expected http://, since tls is off and there is no trusted_proxy; found \"{url}\""
            );
            return Err(ConfigError::at(&origin, problem));
        }
        (Scheme::Http, ..) if !url.is_loopback() => {
            warnings.push(format!(
                "{origin}: {section}.public_url is not encrypted: browsers will not give it a camera"
            ));
        }
        (Scheme::Http | Scheme::Https, ..) => {}
    }
    Ok(Some(url))
}

/// Media threads when nothing is written.
fn cores() -> u8 {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    u8::try_from(cores).map_or(MOST_DEFAULT_SHARDS, |cores| cores.min(MOST_DEFAULT_SHARDS))
}

/// The first address of this machine that others can reach, for links when the listener takes every address.
fn interface_address(listened: IpAddr) -> IpAddr {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let reachable = interfaces.into_iter().filter(|one| !one.is_link_local()).map(|one| one.ip());
    reachable_address(listened, &reachable.collect::<Vec<_>>())
}

/// IPv4 first, since everybody has it; loopback when there is nothing else. What listens on every IPv4 address has no IPv6 address.
fn reachable_address(listened: IpAddr, addresses: &[IpAddr]) -> IpAddr {
    let served = |address: &&IpAddr| !address.is_loopback() && (listened.is_ipv6() || address.is_ipv4());
    let found = addresses.iter().filter(served).min_by_key(|address| address.is_ipv6());
    let loopback = match listened {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
    };
    found.copied().unwrap_or(loopback)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_names_an_address_that_is_listened_on() {
        let table: [(&str, &[&str], &str); 6] = [
            ("0.0.0.0", &["127.0.0.1", "::1", "2001:db8::1", "10.0.0.7"], "10.0.0.7"),
            ("::", &["127.0.0.1", "2001:db8::1", "10.0.0.7", "10.0.0.8"], "10.0.0.7"),
            ("::", &["127.0.0.1", "2001:db8::1"], "2001:db8::1"),
            ("0.0.0.0", &["127.0.0.1", "2001:db8::1"], "127.0.0.1"),
            ("0.0.0.0", &[], "127.0.0.1"),
            ("::", &["::1"], "::1"),
        ];
        for (listened, addresses, expected) in table {
            let addresses: Vec<IpAddr> = addresses.iter().map(|text| text.parse().unwrap()).collect();
            let found = reachable_address(listened.parse().unwrap(), &addresses);
            assert_eq!(found.to_string(), expected, "{listened} {addresses:?}");
        }
    }
}
