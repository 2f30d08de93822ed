//! What holds for the face of verto's clients (reference on verto, 8.8).

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use super::{
    checked::{Files, Proxy, Tls, bound_url, check_public_url, proxy},
    file,
    public_url::PublicUrl,
    values::{Count, Set},
    written::ConfigError,
};

/// The face of verto's clients.
#[derive(Debug, Clone)]
pub struct Verto {
    /// Where to listen; port 0 takes any free one.
    pub listen: SocketAddr,
    /// How it encrypts.
    pub tls: Tls,
    /// Whether a reverse proxy stands before it.
    pub proxy: Proxy,
    /// How much one may do.
    pub limits: VertoLimits,
    /// After how long without use a client is forgotten.
    pub client_idle: Duration,
    /// After how long without use a channel is ended; `None`: never.
    pub channel_idle: Option<Duration>,
    public_url: Option<PublicUrl>,
}

/// How much clients of verto channels may do; every field is a key of `[faces.verto.limits]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VertoLimits {
    /// Bytes of a message.
    pub message_bytes: usize,
    /// Messages of a connection: sustained, and at once.
    pub messages_per_second: u32,
    /// As many at once.
    pub message_burst: u32,
    /// Broadcasts of a connection: sustained, and at once.
    pub broadcasts_per_second: u32,
    /// As many at once.
    pub broadcast_burst: u32,
    /// From the opening of a socket to its login.
    pub authenticate: Duration,
    /// Failures of a socket before it is closed.
    pub login_failures_per_socket: u32,
    /// Failures of a client and of an address.
    pub login_failures_per_minute: u32,
    /// Passwords given to an address.
    pub issues_per_minute: u32,
    /// Clients of a channel.
    pub clients_per_channel: u32,
    /// Greatest capacity that a channel may have.
    pub capacity_max: u32,
    /// Sockets of an address.
    pub sockets_per_address: usize,
    /// Sockets in all.
    pub sockets: usize,
    /// Between two takeovers of one client.
    pub takeover: Duration,
    /// Takeovers of one client.
    pub takeovers_per_minute: u32,
    /// How long a password waits for its first login.
    pub fresh: Duration,
    /// How long it is good without a connection.
    pub lease: Duration,
}

impl Default for VertoLimits {
    fn default() -> Self {
        Self {
            message_bytes: 65_536,
            messages_per_second: 20,
            message_burst: 80,
            broadcasts_per_second: 2,
            broadcast_burst: 10,
            authenticate: Duration::from_secs(20),
            login_failures_per_socket: 3,
            login_failures_per_minute: 10,
            issues_per_minute: 10,
            clients_per_channel: 200,
            capacity_max: 64,
            sockets_per_address: 32,
            sockets: 10_000,
            takeover: Duration::from_secs(5),
            takeovers_per_minute: 6,
            fresh: Duration::from_secs(60),
            lease: Duration::from_secs(600),
        }
    }
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// As long as tessercat kept them.
const DEFAULT_CLIENT_IDLE: Duration = DAY.saturating_mul(14);
const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8082);

impl Default for Verto {
    fn default() -> Self {
        Self {
            listen: DEFAULT_LISTEN,
            tls: Tls::Off,
            proxy: Proxy::Absent,
            limits: VertoLimits::default(),
            client_idle: DEFAULT_CLIENT_IDLE,
            channel_idle: None,
            public_url: None,
        }
    }
}

impl Verto {
    /// Returns the address that visitors see, given where the listener really is.
    #[must_use]
    pub fn public_url(&self, bound: SocketAddr) -> PublicUrl {
        self.public_url.clone().unwrap_or_else(|| bound_url(&self.tls, bound))
    }

    /// Everything is checked also when the face is off, so that a mistake shows before it matters.
    pub(super) fn check(
        verto: file::Verto,
        limits: file::VertoLimits,
        warnings: &mut Vec<String>,
    ) -> Result<Option<Self>, ConfigError> {
        let enabled = match &verto.enabled {
            Some(set) => set.value,
            None => verto.is_written() || limits.is_written(),
        };
        let listen = verto.listen.as_ref().map_or(DEFAULT_LISTEN, |set| set.value);
        let proxy = proxy(verto.trusted_proxy.as_ref());
        let files = Files {
            section: "faces.verto",
            tls: &verto.tls,
            cert: &verto.cert_file,
            key: &verto.key_file,
            plain: false,
        };
        let tls = files.check(listen, proxy)?;
        let mut said = Vec::new();
        let public_url = check_public_url("faces.verto", verto.public_url, &tls, proxy, &mut said)?;
        if enabled {
            warnings.extend(said);
        }
        let days = |days: Count| DAY.saturating_mul(days.0);
        let checked = Self {
            listen,
            tls,
            proxy,
            limits: VertoLimits::check(&limits),
            client_idle: verto.client_idle_days.map_or(DEFAULT_CLIENT_IDLE, |set| days(set.value)),
            channel_idle: verto.channel_idle_days.map(|set| days(set.value)),
            public_url,
        };
        Ok(enabled.then_some(checked))
    }
}

impl VertoLimits {
    fn check(limits: &file::VertoLimits) -> Self {
        let default = Self::default();
        let count = |set: &Option<Set<Count>>, otherwise| set.as_ref().map_or(otherwise, |set| set.value.0);
        let size = |set: &Option<Set<Count>>, otherwise| {
            set.as_ref().map_or(otherwise, |set| usize::try_from(set.value.0).unwrap_or(usize::MAX))
        };
        let seconds = |set: &Option<Set<Count>>, otherwise| {
            set.as_ref().map_or(otherwise, |set| Duration::from_secs(set.value.0.into()))
        };
        Self {
            message_bytes: size(&limits.message_bytes, default.message_bytes),
            messages_per_second: count(&limits.messages_per_second, default.messages_per_second),
            message_burst: count(&limits.message_burst, default.message_burst),
            broadcasts_per_second: count(&limits.broadcasts_per_second, default.broadcasts_per_second),
            broadcast_burst: count(&limits.broadcast_burst, default.broadcast_burst),
            authenticate: seconds(&limits.authenticate_seconds, default.authenticate),
            login_failures_per_socket: count(
                &limits.login_failures_per_socket,
                default.login_failures_per_socket,
            ),
            login_failures_per_minute: count(
                &limits.login_failures_per_minute,
                default.login_failures_per_minute,
            ),
            issues_per_minute: count(&limits.issues_per_minute, default.issues_per_minute),
            clients_per_channel: count(&limits.clients_per_channel, default.clients_per_channel),
            capacity_max: count(&limits.capacity_max, default.capacity_max),
            sockets_per_address: size(&limits.sockets_per_address, default.sockets_per_address),
            sockets: size(&limits.sockets, default.sockets),
            takeover: seconds(&limits.takeover_seconds, default.takeover),
            takeovers_per_minute: count(&limits.takeovers_per_minute, default.takeovers_per_minute),
            fresh: seconds(&limits.fresh_seconds, default.fresh),
            lease: seconds(&limits.lease_seconds, default.lease),
        }
    }
}
