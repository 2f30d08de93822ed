//! What holds for the face of verto's clients (reference on verto, 8.8).

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use identity::RelayCredentials;

use super::{
    checked::{Files, Proxy, Tls, bound_url, check_public_url, proxy},
    file,
    public_url::PublicUrl,
    values::{Count, Set, size},
    written::ConfigError,
};
use crate::services::{IceServers, RelayAccess};

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
    /// What clients are told for ICE.
    pub ice: IceServers,
    /// After how long without use a client is forgotten.
    pub client_idle: Duration,
    /// After how long without use a channel is ended; `None`: never.
    pub channel_idle: Option<Duration>,
    /// Whether the others of a channel are told that a client has left when it was revoked.
    pub gone_on_revoke: bool,
    /// After how long without a message a client is sent `verto.ping`; `None`: never.
    pub server_ping: Option<Duration>,
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
/// Short, since who is here gets another; long enough that servers' clocks may differ by minutes.
const DEFAULT_RELAY_LIFE: Duration = Duration::from_secs(15 * 60);
const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8082);

impl Default for Verto {
    fn default() -> Self {
        Self {
            listen: DEFAULT_LISTEN,
            tls: Tls::Off,
            proxy: Proxy::Absent,
            limits: VertoLimits::default(),
            ice: IceServers::default(),
            client_idle: DEFAULT_CLIENT_IDLE,
            channel_idle: None,
            gone_on_revoke: false,
            server_ping: None,
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
        limits: &file::VertoLimits,
        warnings: &mut Vec<String>,
    ) -> Result<Option<Self>, ConfigError> {
        let enabled = verto.enabled.as_ref().is_some_and(|set| set.value);
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
        let relay = relay_access(&verto)?;
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
            limits: VertoLimits::check(limits),
            ice: IceServers { urls: verto.ice_servers.map_or_else(Vec::new, |set| set.value.0), relay },
            client_idle: verto.client_idle_days.map_or(DEFAULT_CLIENT_IDLE, |set| days(set.value)),
            channel_idle: verto.channel_idle_days.map(|set| days(set.value)),
            gone_on_revoke: verto.gone_on_revoke.is_some_and(|set| set.value),
            server_ping: verto.server_ping_seconds.map(|set| Duration::from_secs(set.value.0.into())),
            public_url,
        };
        Ok(enabled.then_some(checked))
    }
}

fn relay_access(verto: &file::Verto) -> Result<RelayAccess, ConfigError> {
    match (&verto.turn_username, &verto.turn_password, &verto.turn_secret) {
        (None, None, None) => Ok(RelayAccess::Open),
        (None, None, Some(secret)) => {
            let good_for = verto.turn_minutes.as_ref().map_or(DEFAULT_RELAY_LIFE, |set| set.value.0);
            Ok(RelayAccess::Shared { secret: secret.value.0.clone(), good_for })
        }
        (Some(username), Some(password), None) => Ok(RelayAccess::Fixed(RelayCredentials {
            username: username.value.clone(),
            password: password.value.0.clone(),
        })),
        (Some(_), _, Some(secret)) | (_, Some(_), Some(secret)) => {
            let problem =
                "faces.verto.turn_secret: expected this or turn_username and turn_password, found both";
            Err(ConfigError::at(&secret.origin, problem))
        }
        (Some(username), None, None) => {
            Err(ConfigError::at(&username.origin, "faces.verto.turn_username: needs turn_password"))
        }
        (None, Some(password), None) => {
            Err(ConfigError::at(&password.origin, "faces.verto.turn_password: needs turn_username"))
        }
    }
}

impl VertoLimits {
    fn check(limits: &file::VertoLimits) -> Self {
        let default = Self::default();
        let count = |set: &Option<Set<Count>>, otherwise| set.as_ref().map_or(otherwise, |set| set.value.0);
        let size = |set: &Option<Set<Count>>, otherwise| size(set.as_ref(), otherwise);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Override, load};

    fn checked(sets: &[(&str, &str)]) -> Result<Option<Verto>, ConfigError> {
        let flag = |(key, value): &(&str, &str)| {
            let key = format!("faces.verto.{key}");
            Override { flag: format!("--set {key}={value}"), key, value: (*value).to_owned() }
        };
        let flags: Vec<_> = sets.iter().map(flag).collect();
        Ok(load(None, [], &flags)?.verto)
    }

    #[test]
    fn the_face_is_on_when_anything_of_it_is_written() {
        assert!(checked(&[]).unwrap().is_none());
        assert!(checked(&[("enabled", "false"), ("listen", "127.0.0.1:1")]).unwrap().is_none());
        for set in [("enabled", "true"), ("listen", "127.0.0.1:8082"), ("limits.sockets", "10000")] {
            let verto = checked(&[set]).unwrap().unwrap();
            assert_eq!((verto.listen.to_string(), verto.tls.clone()), ("127.0.0.1:8082".into(), Tls::Off));
            assert_eq!((verto.limits, verto.gone_on_revoke), (VertoLimits::default(), false));
            assert_eq!(verto.public_url(verto.listen).to_string(), "http://127.0.0.1:8082");
        }
    }

    #[test]
    fn what_is_written_holds() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("countersign.toml");
        let text = "[faces.verto]\nlisten = \"0.0.0.0:9\"\npublic_url = \"https://meet.example\"\nclient_idle_days = 1\n\
             channel_idle_days = 2\ngone_on_revoke = true\nserver_ping_seconds = 30\nice_servers = [\"stun:a\", \"turn:b:1?transport=tcp\"]\nturn_secret = \"hunter2\"\n\
             turn_minutes = 7\n\
             [faces.verto.limits]\nmessage_bytes = 1\nmessages_per_second = 2\nmessage_burst = 3\nbroadcasts_per_second = 4\n\
             broadcast_burst = 5\nauthenticate_seconds = 6\nlogin_failures_per_socket = 7\nlogin_failures_per_minute = 8\n\
             issues_per_minute = 9\nclients_per_channel = 10\ncapacity_max = 11\nsockets_per_address = 12\nsockets = 13\n\
             takeover_seconds = 14\ntakeovers_per_minute = 15\nfresh_seconds = 16\nlease_seconds = 17\n";
        std::fs::write(&file, text).unwrap();
        let verto = load(Some(&file), [], &[]).unwrap().verto.unwrap();
        assert_eq!(verto.tls, Tls::SelfSigned);
        assert_eq!((verto.client_idle, verto.channel_idle, verto.gone_on_revoke), (DAY, Some(DAY * 2), true));
        assert_eq!(verto.server_ping, Some(Duration::from_secs(30)));
        assert_eq!(verto.ice.urls, ["stun:a", "turn:b:1?transport=tcp"]);
        assert!(matches!(verto.ice.relay, RelayAccess::Shared { good_for, .. } if good_for.as_secs() == 420));
        assert!(!format!("{verto:?}").contains("hunter2"));
        let seconds = Duration::from_secs;
        let expected = VertoLimits {
            message_bytes: 1,
            messages_per_second: 2,
            message_burst: 3,
            broadcasts_per_second: 4,
            broadcast_burst: 5,
            authenticate: seconds(6),
            login_failures_per_socket: 7,
            login_failures_per_minute: 8,
            issues_per_minute: 9,
            clients_per_channel: 10,
            capacity_max: 11,
            sockets_per_address: 12,
            sockets: 13,
            takeover: seconds(14),
            takeovers_per_minute: 15,
            fresh: seconds(16),
            lease: seconds(17),
        };
        assert_eq!(verto.limits, expected);
    }

    #[test]
    fn mistakes_are_named_and_secrets_are_not() {
        let table: [(&[(&str, &str)], &str); 11] = [
            (&[("limits.sockets", "0")], "faces.verto.limits.sockets: expected a whole number, 1 to 1000000"),
            (&[("limits.socket", "1")], "did you mean faces.verto.limits.sockets?"),
            (&[("tls", "off"), ("listen", "0.0.0.0:1")], "faces.verto.tls: \"off\" on 0.0.0.0:1"),
            (&[("public_url", "https://a.example")], "faces.verto.public_url: expected http://"),
            (&[("ice_servers", "http:a")], "faces.verto.ice_servers: expected a list of servers"),
            (&[("ice_servers", "stun:a?transport=udp")], "faces.verto.ice_servers: expected"),
            (&[("turn_username", "a")], "faces.verto.turn_username: needs turn_password"),
            (
                &[("turn_minutes", "0")],
                "faces.verto.turn_minutes: expected a whole number of minutes, 1 to 10080",
            ),
            (
                &[("turn_minutes", "10081")],
                "faces.verto.turn_minutes: expected a whole number of minutes, 1 to",
            ),
            (&[("turn_password", "hunter2")], "faces.verto.turn_password: needs turn_username"),
            (
                &[("turn_secret", "hunter2"), ("turn_username", "a")],
                "faces.verto.turn_secret: expected this or turn_username and turn_password, found both",
            ),
        ];
        for (sets, expected) in table {
            let error = checked(sets).unwrap_err().to_string();
            // The flag itself is the place, and is shown as it was written.
            let error = error
                .replace("--set faces.verto.turn_password=hunter2", "")
                .replace("--set faces.verto.turn_secret=hunter2", "");
            assert!(error.contains(expected) && !error.contains("hunter2"), "{error}\n  not {expected}");
        }
    }
}
