//! What may be written: every key, its type, its documentation and its default. The example file and `docs/configuration.md` are made
//! from this.

use std::{net::SocketAddr, path::PathBuf};

use super::{
    public_url::PublicUrl,
    values::{
        AdminKey, Count, Hidden, IceUrls, KeepDays, LogFormat, LogLevel, Minutes, Patience, RelayMinutes,
        Seconds, Servers, Set, Setting, Shards, SomeAddresses, StoreUrl, TlsMode,
    },
    written::{ConfigError, Entries},
};
use crate::media::{Advertise, AdvertisePort};

/// One key, for the documentation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Key {
    /// Its section; empty at the top level.
    pub(super) section: &'static str,
    /// Its name in the section.
    pub(super) name: &'static str,
    /// Its documentation, one item a line.
    pub(super) lines: &'static [&'static str],
    /// What holds when it is not written, or a sample value when that depends.
    pub(super) sample: &'static str,
    /// Whether `sample` is the default.
    pub(super) standing: Standing,
}

/// What the sample of a key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// The value that holds when nothing is written.
    Default,
    /// A possible value; the documentation says what holds when nothing is written.
    Example,
}

impl Key {
    /// The key as environment, flags and messages name it: `data_dir`, `http.listen`.
    #[must_use]
    pub(super) fn path(&self) -> String {
        if self.section.is_empty() { self.name.to_owned() } else { format!("{}.{}", self.section, self.name) }
    }
}

/// Defines a section: a struct whose fields are optional, how it is read, and the table of its keys.
macro_rules! section {
    (
        $(#[doc = $about:literal])*
        $section:ident = $path:literal {
            $( $(#[doc = $line:literal])* $key:ident: $type:ty = $standing:ident $sample:literal, )*
        }
    ) => {
        $(#[doc = $about])*
        #[derive(Debug, Default)]
        pub(super) struct $section {
            $( $(#[doc = $line])* pub(super) $key: Option<Set<$type>>, )*
        }

        impl $section {
            const ABOUT: &'static [&'static str] = &[$( $about ),*];
            const KEYS: &'static [Key] = &[$( Key {
                section: $path,
                name: stringify!($key),
                lines: &[$( $line ),*],
                sample: $sample,
                standing: Standing::$standing,
            } ),*];

            fn take(entries: &mut Entries) -> Result<Self, ConfigError> {
                Ok(Self { $( $key: take(entries, $path, stringify!($key))?, )* })
            }
        }
    };
}

section! {
    /// Keys outside a section.
    Top = "" {
        /// Folder for everything that must survive a restart: the store, the admin token, the generated certificate.
        /// It is made at the first start, for the server's user only (mode 0700). A folder that others can read stops the start.
        data_dir: PathBuf = Default "\"./countersign-data\"",
    }
}

section! {
    /// The main listener: pages, rooms, administration, health.
    Http = "http" {
        /// Address and port to listen on. Port 0 takes any free one.
        listen: SocketAddr = Default "\"127.0.0.1:8080\"",
        /// The address that users see, in invite links and as the only origin whose pages may connect.
        /// When it is not written: the scheme and address of `listen`.
        public_url: PublicUrl = Example "\"https://call.example.org\"",
        /// "off", "self-signed" (the server makes a certificate and keeps it in the data folder) or "files".
        /// When it is not written: "off" on a loopback address, "self-signed" elsewhere, since browsers give
        /// cameras only to loopback or encrypted pages. "off" elsewhere is refused unless `trusted_proxy` is true.
        tls: TlsMode = Example "\"self-signed\"",
        /// PEM file with the certificate chain, for tls = "files".
        cert_file: PathBuf = Example "\"/etc/countersign/cert.pem\"",
        /// PEM file with the private key, for tls = "files".
        key_file: PathBuf = Example "\"/etc/countersign/key.pem\"",
        /// Every connection comes from a reverse proxy that encrypts and appends the client's address to X-Forwarded-For.
        /// The last entry of that header is then taken for the client's address.
        trusted_proxy: bool = Default "false",
    }
}

section! {
    /// Sound and pictures.
    Media = "media" {
        /// Address and port for media over UDP, or a list of them. Port 0 takes any free one.
        /// Where "[::]" cannot be bound beside "0.0.0.0", as on a machine without IPv6, the server goes on without it.
        listen_udp: Vec<SocketAddr> = Default "[\"0.0.0.0:8443\", \"[::]:8443\"]",
        /// Address and port for media over TCP, or a list of them, for clients whose UDP is blocked. Port 0 takes any free one;
        /// an empty list: no media over TCP.
        listen_tcp: SomeAddresses = Default "[\"0.0.0.0:8443\", \"[::]:8443\"]",
        /// Addresses that clients are told to send media to, each `ip`, `ip:port`, `name` or `name:port`, when they differ from those
        /// listened on (behind NAT). An entry may end in `/` and the one local address that it is for: "203.0.113.10/10.0.0.5".
        /// Names are looked up at the start, which fails when one is not found, and every 30 s for those who come later. The entry
        /// "local" tells the addresses of a family as they are where no other entry is of that family.
        /// When it is not written: the addresses of this machine's interfaces, without those of loopback and container bridges unless
        /// there are no others.
        advertise: Vec<Advertise> = Example "[\"203.0.113.10\"]",
        /// The port that clients are told with addresses of `advertise` that have none, or that STUN servers have found, when it is not
        /// the port listened on: a number, or a list of `local ip/port`, of which the first counts that is an address of this machine.
        advertise_port: AdvertisePort = Example "443",
        /// STUN servers, `host` or `host:port` (3478 when it is not written), at most 8. They are asked at the start, all at once, from
        /// the media port, how it looks from outside, when `advertise` is not written.
        /// When they disagree, or none answers within 3 s, the addresses of this machine's interfaces are told.
        stun: Servers = Example "[\"stun.example.org:3478\"]",
        /// Media threads, 1 to 64; each carries rooms of its own. When it is not written: one a processor core, at most 16.
        shards: Shards = Example "4",
        /// Whether clients may use DTLS 1.3. It takes the first SRTP cipher that the client names, which with Chromium is AES-CM and costs
        /// two to four times as much a packet as AES-GCM, which 1.2 takes.
        dtls_1_3: bool = Default "false",
    }
}

section! {
    /// A drop-in for Mattermost's rtcd: docs/faces/rtcd.md. It has a listener of its own; media go the way of `[media]`.
    Rtcd = "faces.rtcd" {
        /// Whether there is this face at all. When it is not written and there is any of rtcd's own settings: true.
        enabled: bool = Default "false",
        /// Address and port to listen on. Port 0 takes any free one. rtcd itself listens on every address, port 8045.
        listen: SocketAddr = Default "\"127.0.0.1:8045\"",
        /// "off", "self-signed" or "files", as `http.tls`. When it is not written: "off" on a loopback address, "self-signed" elsewhere.
        /// "off" elsewhere is refused unless `trusted_proxy` is true, or rtcd's own settings name the address: clients send their keys
        /// with every request.
        tls: TlsMode = Example "\"files\"",
        /// PEM file with the certificate chain, for tls = "files".
        cert_file: PathBuf = Example "\"/etc/countersign/cert.pem\"",
        /// PEM file with the private key, for tls = "files".
        key_file: PathBuf = Example "\"/etc/countersign/key.pem\"",
        /// Every connection comes from a reverse proxy that encrypts and appends the client's address to X-Forwarded-For.
        trusted_proxy: bool = Default "false",
        /// Whether whoever can reach this listener may register a client. When it is false, only the admin may.
        allow_self_registration: bool = Default "false",
        /// Whether the admin key opens registration, unregistration and the metrics, as the password of Basic authentication.
        enable_admin: bool = Default "false",
        /// The admin key, at least 16 bytes; needed with enable_admin. It is never shown again.
        admin_secret_key: AdminKey = Example "\"a long random text\"",
        /// A file with the admin key instead; a line end at its end does not count.
        admin_secret_key_file: PathBuf = Example "\"/run/secrets/rtcd-admin\"",
        /// Whether /metrics of this listener needs no admin key, as a Prometheus that scrapes rtcd expects.
        open_metrics: bool = Default "false",
        /// Minutes that a bearer token is good, 1 to 525600.
        session_expiration_minutes: Minutes = Default "1440",
        /// Minutes, 0 to 1440, that a stop waits for this face's calls to end by themselves. Nobody joins any more meanwhile, and /system
        /// tells a load by which the plugin takes another host. A second signal ends the wait.
        drain_minutes: Patience = Default "60",
        /// Connections that one address may keep to this listener, 1 to 1000000, beside 256 for its requests: all servers behind one NAT or
        /// load balancer have one address, and the plugin of each keeps up to 100. Behind a `trusted_proxy` only `sockets` counts.
        sockets_per_address: Count = Default "4096",
        /// Connections in all, 1 to 1000000, beside 4096 for requests. Each is an open file: the server may open as many as the hard limit
        /// of its process says (`ulimit -Hn`).
        sockets: Count = Default "16384",
    }
}

section! {
    /// Channels for verto's clients: docs/faces/verto.md. The face has a listener of its own; it is on when any key of this section or of
    /// `[faces.verto.limits]` is written.
    Verto = "faces.verto" {
        /// Whether there is this face at all. When it is not written and another key of these sections is: true.
        enabled: bool = Default "false",
        /// Address and port to listen on. Port 0 takes any free one.
        listen: SocketAddr = Default "\"127.0.0.1:8082\"",
        /// "off", "self-signed" or "files", as `http.tls`. When it is not written: "off" on a loopback address, "self-signed" elsewhere.
        /// "off" elsewhere is refused unless `trusted_proxy` is true.
        tls: TlsMode = Example "\"files\"",
        /// PEM file with the certificate chain, for tls = "files".
        cert_file: PathBuf = Example "\"/etc/countersign/cert.pem\"",
        /// PEM file with the private key, for tls = "files".
        key_file: PathBuf = Example "\"/etc/countersign/key.pem\"",
        /// Every connection comes from a reverse proxy that encrypts and appends the client's address to X-Forwarded-For.
        trusted_proxy: bool = Default "false",
        /// The address that visitors see. Its origin is our own, and its host the domain of `userid`.
        /// When it is not written: the scheme and address of `listen`.
        public_url: PublicUrl = Example "\"https://meet.example.org\"",
        /// Servers that pages are told for ICE, a list of at most 8: "stun:host:port", "turn:host:port?transport=udp", "turns:host:port".
        ice_servers: IceUrls = Example "[\"turn:turn.example.org:3478\"]",
        /// The name that opens those of them that relay, for everybody; needs turn_password.
        turn_username: String = Example "\"visitors\"",
        /// The password to that name. Whoever may enter a channel learns it. It is not shown by the server's own commands.
        turn_password: Hidden = Example "\"a text\"",
        /// Instead of name and password: the secret that they share with this server (coturn: static-auth-secret). Each client then gets a
        /// name and a password of its own, good for turn_minutes.
        turn_secret: Hidden = Example "\"a long random text\"",
        /// Minutes, 1 to 10080, that such a password is good. It cannot be taken back: for so long, whoever was revoked can still have a
        /// relay. Pages of ours ask for the next one in good time; a call that is up needs none. The clocks of both servers must agree.
        turn_minutes: RelayMinutes = Default "15",
        /// Days after which a client that nobody has used is forgotten, 1 to 1000000. Its visitor may become another one.
        client_idle_days: Count = Default "14",
        /// Days after which a channel that nobody has used is deleted, 1 to 1000000. When it is not written: never.
        channel_idle_days: Count = Example "365",
        /// Whether the others of a channel are told "gone" in the name of a client that is revoked. Their pages then hang up on it, which is
        /// all that a server can do about media that go from browser to browser.
        gone_on_revoke: bool = Default "false",
        /// Seconds without a message after which a client is sent `verto.ping`, 1 to 1000000; FreeSWITCH does so after 30. Whether somebody is
        /// there is found out by WebSocket's own pings in any case. When it is not written: never, since some clients log it as an error.
        server_ping_seconds: Count = Example "30",
    }
}

section! {
    /// How much clients of verto channels may do. Each is a whole number, 1 to 1000000.
    VertoLimits = "faces.verto.limits" {
        /// Bytes of one message on a socket; a larger one closes it.
        message_bytes: Count = Default "65536",
        /// Messages a second and connection, in the long run.
        messages_per_second: Count = Default "20",
        /// Messages of a connection at once.
        message_burst: Count = Default "80",
        /// Broadcasts a second and connection, in the long run.
        broadcasts_per_second: Count = Default "2",
        /// Broadcasts of a connection at once.
        broadcast_burst: Count = Default "10",
        /// Seconds from the opening of a socket to its login.
        authenticate_seconds: Count = Default "20",
        /// Logins of a socket that fail, before it is closed.
        login_failures_per_socket: Count = Default "3",
        /// Logins that fail, a minute and client, and a minute and address; a further one closes its socket.
        login_failures_per_minute: Count = Default "10",
        /// Passwords given, a minute and address.
        issues_per_minute: Count = Default "10",
        /// Clients of a channel, logged in or not.
        clients_per_channel: Count = Default "200",
        /// Greatest `capacity` that a channel may have.
        capacity_max: Count = Default "64",
        /// Sockets of an address.
        sockets_per_address: Count = Default "32",
        /// Sockets in all.
        sockets: Count = Default "10000",
        /// Seconds between two takeovers of one client.
        takeover_seconds: Count = Default "5",
        /// Takeovers of one client a minute.
        takeovers_per_minute: Count = Default "6",
        /// Seconds that a password waits for its first login.
        fresh_seconds: Count = Default "60",
        /// Seconds that a password is good after the loss of its connection.
        lease_seconds: Count = Default "600",
    }
}

section! {
    /// The server's own counters.
    Metrics = "metrics" {
        /// Address and port of a plain listener with nothing but /metrics, without a token: for a private network.
        /// When it is not written: only /metrics of the main listener, which needs the admin token.
        listen: SocketAddr = Example "\"127.0.0.1:9100\"",
    }
}

section! {
    /// The log, on standard error. It holds no secrets, no session descriptions and no whole addresses of clients.
    Log = "log" {
        /// "error", "warn", "info" or "debug".
        level: LogLevel = Default "\"info\"",
        /// "text" or "json" (one object a line).
        format: LogFormat = Default "\"text\"",
    }
}

section! {
    /// Rooms, invites, sessions and the audit record.
    Store = "store" {
        /// URL of the store; this release has SQLite only. When it is not written: a file in the data folder.
        url: StoreUrl = Example "\"sqlite:///var/lib/countersign/countersign.sqlite\"",
    }
}

section! {
    /// Who did what: the audit record.
    Audit = "audit" {
        /// Days that its lines are kept, 0 to 1000000; 0: for ever. Once a day older ones are deleted, a few at a time, and a line says how
        /// many. The file of the store does not shrink by it; the room is used again.
        keep_days: KeepDays = Default "365",
    }
}

section! {
    /// The end, after SIGTERM or SIGINT.
    Shutdown = "shutdown" {
        /// Seconds for saying goodbye to everyone, 1 to 300. What is not done then is cut off.
        deadline_s: Seconds = Default "5",
    }
}

/// Everything that was written. `None` everywhere is a valid configuration.
#[derive(Debug, Default)]
pub(super) struct File {
    /// Keys outside a section.
    pub(super) top: Top,
    /// `[http]`
    pub(super) http: Http,
    /// `[media]`
    pub(super) media: Media,
    /// `[faces.rtcd]`
    pub(super) rtcd: Rtcd,
    /// `[faces.verto]`
    pub(super) verto: Verto,
    /// `[faces.verto.limits]`
    pub(super) verto_limits: VertoLimits,
    /// `[metrics]`
    pub(super) metrics: Metrics,
    /// `[log]`
    pub(super) log: Log,
    /// `[store]`
    pub(super) store: Store,
    /// `[audit]`
    pub(super) audit: Audit,
    /// `[shutdown]`
    pub(super) shutdown: Shutdown,
}

/// A section, for the documentation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Section {
    /// Its name; empty at the top level.
    pub(super) name: &'static str,
    /// What it is about, one item a line.
    pub(super) about: &'static [&'static str],
    /// Its keys.
    pub(super) keys: &'static [Key],
}

/// Sections in the order of the documentation.
pub(super) const SECTIONS: [Section; 11] = [
    Section { name: "", about: Top::ABOUT, keys: Top::KEYS },
    Section { name: "http", about: Http::ABOUT, keys: Http::KEYS },
    Section { name: "media", about: Media::ABOUT, keys: Media::KEYS },
    Section { name: "faces.rtcd", about: Rtcd::ABOUT, keys: Rtcd::KEYS },
    Section { name: "faces.verto", about: Verto::ABOUT, keys: Verto::KEYS },
    Section { name: "faces.verto.limits", about: VertoLimits::ABOUT, keys: VertoLimits::KEYS },
    Section { name: "metrics", about: Metrics::ABOUT, keys: Metrics::KEYS },
    Section { name: "log", about: Log::ABOUT, keys: Log::KEYS },
    Section { name: "store", about: Store::ABOUT, keys: Store::KEYS },
    Section { name: "audit", about: Audit::ABOUT, keys: Audit::KEYS },
    Section { name: "shutdown", about: Shutdown::ABOUT, keys: Shutdown::KEYS },
];

impl File {
    /// Reads every key; an unknown one or a value of the wrong kind is an error that names the place and what was expected.
    pub(super) fn read(mut entries: Entries) -> Result<Self, ConfigError> {
        entries.turn_on("faces.verto");
        let file = Self {
            top: Top::take(&mut entries)?,
            http: Http::take(&mut entries)?,
            media: Media::take(&mut entries)?,
            rtcd: Rtcd::take(&mut entries)?,
            verto: Verto::take(&mut entries)?,
            verto_limits: VertoLimits::take(&mut entries)?,
            metrics: Metrics::take(&mut entries)?,
            log: Log::take(&mut entries)?,
            store: Store::take(&mut entries)?,
            audit: Audit::take(&mut entries)?,
            shutdown: Shutdown::take(&mut entries)?,
        };
        match entries.left_over() {
            None => Ok(file),
            Some((key, entry)) => Err(ConfigError::at(&entry.origin, unknown(&key))),
        }
    }

    /// Whether a name at the top level is that of a section.
    #[must_use]
    pub(super) fn is_section(name: &str) -> bool {
        SECTIONS.iter().any(|section| section.name == name && !name.is_empty())
    }
}

fn take<T: Setting>(entries: &mut Entries, section: &str, name: &str) -> Result<Option<Set<T>>, ConfigError> {
    let path = if section.is_empty() { name.to_owned() } else { format!("{section}.{name}") };
    let Some(entry) = entries.take(&path) else { return Ok(None) };
    match T::read(&entry.value) {
        Some(value) => Ok(Some(Set { value, origin: entry.origin })),
        None => {
            let found = if T::SECRET { "something else".to_owned() } else { entry.value.to_string() };
            let problem = format!("{path}: expected {}, found {found}", T::EXPECTED);
            Err(ConfigError::at(&entry.origin, problem))
        }
    }
}

fn unknown(key: &str) -> String {
    let known: Vec<String> = SECTIONS.iter().flat_map(|section| section.keys.iter().map(Key::path)).collect();
    let nearest = known
        .iter()
        .map(|candidate| (strsim::osa_distance(key, candidate), candidate))
        .min()
        .filter(|(distance, _)| *distance <= 4);
    let section = key.rsplit_once('.').map_or(key, |(section, _)| section);
    match nearest {
        Some((_, nearest)) => format!("{key}: unknown key; did you mean {nearest}?"),
        None if File::is_section(section) => {
            let prefix = format!("{section}.");
            let inside: Vec<&str> = known.iter().filter_map(|path| path.strip_prefix(&prefix)).collect();
            format!("{key}: unknown key; [{section}] has {}", inside.join(", "))
        }
        None => {
            let sections: Vec<String> =
                SECTIONS.iter().skip(1).map(|section| format!("[{}]", section.name)).collect();
            format!("{key}: unknown key; expected data_dir or a section of {}", sections.join(", "))
        }
    }
}
