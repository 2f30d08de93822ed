//! The table of rtcd's settings: every variable and every key, its kind, rtcd's default, and what becomes of it here. The table in
//! `docs/faces/rtcd.md` is made from this.

use std::fmt::Write;

use super::raw::{IceServers, Kind, NumberOrText, Raw, Raws, Short};
use crate::config::{
    values::Set,
    written::{ConfigError, Origin},
};

/// One setting, for the documentation and for messages.
#[derive(Debug, Clone, Copy)]
pub(super) struct Name {
    /// In the file; empty: the environment only.
    pub(super) key: &'static str,
    /// In the environment.
    pub(super) variable: &'static str,
    /// What rtcd takes when nothing is written.
    pub(super) default: &'static str,
    pub(super) fate: Fate,
    /// What it becomes, or why it does nothing.
    pub(super) becomes: &'static str,
}

/// What becomes of a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is a setting here too.
    Read,
    /// It means something here, in another form.
    Mapped,
    /// It is checked, does nothing, and a warning at the start says so.
    Ignored,
}

/// Defines the settings: a struct whose fields are optional, how it is read, and the table of their names.
macro_rules! settings {
    ( $( $field:ident: $type:ty = $key:literal, $variable:literal, $default:literal, $fate:ident $becomes:literal; )* ) => {
        /// What is written of rtcd's settings: the variable, or else the file.
        #[derive(Debug)]
        pub(super) struct Settings {
            $( pub(super) $field: Option<Set<$type>>, )*
        }

        /// Every setting.
        pub(super) const NAMES: &[Name] = &[
            $( Name { key: $key, variable: $variable, default: $default, fate: Fate::$fate, becomes: $becomes }, )*
        ];

        impl Settings {
            pub(super) fn read(raws: &mut Raws) -> Result<Self, ConfigError> {
                Ok(Self { $( $field: take(raws, $key)?, )* })
            }
        }
    };
}

settings! {
    listen_address: String = "api.http.listen_address", "RTCD_API_HTTP_LISTENADDRESS", ":8045",
        Read "`faces.rtcd.listen`. Without an address: every one. It may be plain off loopback, with a warning at every start.";
    tls_enable: bool = "api.http.tls.enable", "RTCD_API_HTTP_TLS_ENABLE", "false",
        Read "`faces.rtcd.tls`: \"files\" or \"off\".";
    tls_cert_file: String = "api.http.tls.cert_file", "RTCD_API_HTTP_TLS_CERTFILE", "",
        Read "`faces.rtcd.cert_file`, when TLS is enabled.";
    tls_cert_key: String = "api.http.tls.cert_key", "RTCD_API_HTTP_TLS_CERTKEY", "",
        Read "`faces.rtcd.key_file`, when TLS is enabled.";
    enable_admin: bool = "api.security.enable_admin", "RTCD_API_SECURITY_ENABLEADMIN", "false",
        Read "`faces.rtcd.enable_admin`.";
    admin_secret_key: String = "api.security.admin_secret_key", "RTCD_API_SECURITY_ADMINSECRETKEY", "",
        Read "`faces.rtcd.admin_secret_key`. One of less than 16 bytes is taken, with a warning.";
    allow_self_registration: bool = "api.security.allow_self_registration", "RTCD_API_SECURITY_ALLOWSELFREGISTRATION", "false",
        Read "`faces.rtcd.allow_self_registration`.";
    expiration_minutes: i64 = "api.security.session_cache.expiration_minutes",
        "RTCD_API_SECURITY_SESSIONCACHE_EXPIRATIONMINUTES", "1440",
        Read "`faces.rtcd.session_expiration_minutes`. More than a year is taken for a year, with a warning.";
    ice_address_udp: String = "rtc.ice_address_udp", "RTCD_RTC_ICEADDRESSUDP", "",
        Mapped "`media.listen_udp`, with the port. As in rtcd, of the UDP and the TCP addresses an empty list is as the other one.";
    ice_port_udp: i64 = "rtc.ice_port_udp", "RTCD_RTC_ICEPORTUDP", "8443",
        Mapped "`media.listen_udp`, with the addresses.";
    ice_address_tcp: String = "rtc.ice_address_tcp", "RTCD_RTC_ICEADDRESSTCP", "",
        Mapped "`media.listen_tcp`, with the port.";
    ice_port_tcp: i64 = "rtc.ice_port_tcp", "RTCD_RTC_ICEPORTTCP", "8443",
        Mapped "`media.listen_tcp`, with the addresses.";
    enable_ipv6: bool = "rtc.enable_ipv6", "RTCD_RTC_ENABLEIPV6", "false",
        Mapped "Whether `media.listen_udp` and `media.listen_tcp` have IPv6 addresses.";
    ice_host_override: String = "rtc.ice_host_override", "RTCD_RTC_ICEHOSTOVERRIDE", "",
        Mapped "`media.advertise`: an IP address, a host name, or `external/local,external/local`.";
    ice_host_port_override: NumberOrText = "rtc.ice_host_port_override", "RTCD_RTC_ICEHOSTPORTOVERRIDE", "",
        Mapped "`media.advertise_port`: a port or `local/port,local/port`. It holds for host names too.";
    ice_servers: IceServers = "rtc.ice_servers", "RTCD_RTC_ICESERVERS", "",
        Mapped "STUN: `media.stun`, the first 8; the port may be left out. TURN: checked and not used, since this server sends through no relay.";
    turn_secret: String = "rtc.turn.static_auth_secret", "RTCD_RTC_TURNCONFIG_STATICAUTHSECRET", "",
        Ignored "this server sends through no relay; Mattermost gives its users their TURN credentials itself";
    turn_expiration_minutes: i64 = "rtc.turn.credentials_expiration_minutes",
        "RTCD_RTC_TURNCONFIG_CREDENTIALSEXPIRATIONMINUTES", "1440",
        Ignored "this server sends through no relay; Mattermost gives its users their TURN credentials itself";
    udp_sockets_count: i64 = "rtc.udp_sockets_count", "RTCD_RTC_UDPSOCKETSCOUNT", "100 a processor",
        Ignored "each media thread has one socket an address, which is enough; `media.shards` says how many threads there are";
    nack_buffer_size: Short = "rtc.nack_buffer_size", "RTCD_RTC_NACKBUFFERSIZE", "256",
        Ignored "what is kept to be sent again is bounded by the engine";
    nack_disable_copy: bool = "rtc.nack_disable_copy", "RTCD_RTC_NACKDISABLECOPY", "true",
        Ignored "packets are never shared with what is changed, so there is nothing to choose";
    data_source: String = "store.data_source", "RTCD_STORE_DATASOURCE", "/tmp/rtcd_db",
        Mapped "`data_dir`: its subfolder `countersign`, since the store has another form (`countersign import rtcd` takes its clients over). A temporary folder is not taken: `data_dir` stays what it is, with a warning.";
    enable_console: bool = "logger.enable_console", "RTCD_LOGGER_ENABLECONSOLE", "true",
        Mapped "The log is on standard error always; when this is false, it is as loud and in the form that is written for the file.";
    console_json: bool = "logger.console_json", "RTCD_LOGGER_CONSOLEJSON", "false",
        Mapped "`log.format`.";
    console_level: String = "logger.console_level", "RTCD_LOGGER_CONSOLELEVEL", "INFO",
        Mapped "`log.level`: panic and fatal are \"error\", trace is \"debug\".";
    enable_file: bool = "logger.enable_file", "RTCD_LOGGER_ENABLEFILE", "true",
        Ignored "the log is written to standard error only, for the service manager or the container to keep";
    file_json: bool = "logger.file_json", "RTCD_LOGGER_FILEJSON", "true",
        Ignored "the log is written to standard error only, for the service manager or the container to keep";
    file_level: String = "logger.file_level", "RTCD_LOGGER_FILELEVEL", "DEBUG",
        Ignored "the log is written to standard error only, for the service manager or the container to keep";
    file_location: String = "logger.file_location", "RTCD_LOGGER_FILELOCATION", "rtcd.log",
        Ignored "the log is written to standard error only, for the service manager or the container to keep";
    enable_color: bool = "logger.enable_color", "RTCD_LOGGER_ENABLECOLOR", "false",
        Ignored "the log has colours on a terminal, and only there";
}

/// Variables that rtcd reads beside its settings. They are no reason to turn the face on.
pub(super) const SWITCHES: [Name; 2] = [
    Name {
        key: "",
        variable: "RTCD_RTC_DTLS_INSECURE_SKIP_HELLOVERIFY",
        default: "",
        fate: Fate::Ignored,
        becomes: "a DTLS handshake is begun only with an address that ICE has proven",
    },
    Name {
        key: "",
        variable: "PERF_PROFILES",
        default: "",
        fate: Fate::Ignored,
        becomes: "there are no profiles to be had here",
    },
];

fn take<T: Kind>(raws: &mut Raws, key: &str) -> Result<Option<Set<T>>, ConfigError> {
    let Some((origin, raw)) = raws.remove(key) else { return Ok(None) };
    match T::read(&raw) {
        Some(value) => Ok(Some(Set { value, origin })),
        None => {
            // What is of another kind than a number or a flag could be a secret.
            let found = match &raw {
                Raw::Variable(text) if text.is_empty() => "nothing; unset it to have the default".to_owned(),
                Raw::Number(number) => number.to_string(),
                Raw::Flag(flag) => flag.to_string(),
                _ => "something else".to_owned(),
            };
            Err(ConfigError::at(&origin, format!("{key}: expected {}, found {found}", T::EXPECTED)))
        }
    }
}

/// The setting with this key.
pub(super) fn name(key: &str) -> Option<&'static Name> {
    NAMES.iter().find(|name| name.key == key)
}

/// The warning for a setting that does nothing.
pub(super) fn does_nothing(origin: &Origin, key: &str) -> String {
    let reason = name(key).map_or("", |name| name.becomes);
    format!("{origin}: {key} has no effect here: {reason}")
}

/// Returns the table of `docs/faces/rtcd.md`.
#[must_use]
pub fn rtcd_markdown() -> String {
    let mut text = String::from("| key | variable | rtcd's default | here |\n|---|---|---|---|\n");
    for Name { key, variable, default, fate, becomes } in NAMES.iter().chain(&SWITCHES) {
        let code = |text: &str| if text.is_empty() { "–".to_owned() } else { format!("`{text}`") };
        let fate = match fate {
            Fate::Read => "read",
            Fate::Mapped => "mapped",
            Fate::Ignored => "no effect",
        };
        _ = writeln!(text, "| {} | `{variable}` | {} | {fate}: {becomes} |", code(key), code(default));
    }
    text
}
