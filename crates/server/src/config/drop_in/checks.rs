//! What rtcd refuses, in its order and in its words (rtcd: `IsValid` of its configurations); the place and the key stand before them.

use super::{
    names::Settings,
    raw::{IceServer, Short},
};
use crate::config::{
    values::Set,
    written::{ConfigError, Origin},
};

/// rtcd's range of media ports.
const PORTS: std::ops::RangeInclusive<i64> = 80..=49_151;
const MINUTES_OF_A_WEEK: i64 = 7 * 24 * 60;

/// What is wrong with a value.
pub(super) fn wrong<T>(set: &Set<T>, key: &str, problem: impl std::fmt::Display) -> ConfigError {
    at(&set.origin, key, problem)
}

pub(super) fn at(origin: &Origin, key: &str, problem: impl std::fmt::Display) -> ConfigError {
    ConfigError::at(origin, format!("{key}: {problem}"))
}

/// Refuses what rtcd refuses. What must be there together is checked here unless something of it `is_ours`, and else once all settings are
/// known.
pub(super) fn check(settings: &Settings, is_ours: &dyn Fn(&str) -> bool) -> Result<(), ConfigError> {
    check_security(settings, is_ours)?;
    check_http(settings, is_ours)?;
    check_rtc(settings)?;
    if let Some(set) = settings.data_source.as_ref().filter(|set| set.value.is_empty()) {
        return Err(wrong(set, "store.data_source", "invalid DataSource value: should not be empty"));
    }
    check_logger(settings)?;
    // rtcd looks at it when the rest is good and the service is made.
    match &settings.expiration_minutes {
        Some(set) if set.value <= 0 => {
            let problem = "failed to create session cache: invalid ExpirationMinutes value: should be a positive number";
            Err(wrong(set, "api.security.session_cache.expiration_minutes", problem))
        }
        _ => Ok(()),
    }
}

fn check_security(settings: &Settings, is_ours: &dyn Fn(&str) -> bool) -> Result<(), ConfigError> {
    let keys = ["enable_admin", "admin_secret_key", "admin_secret_key_file"];
    if keys.iter().any(|key| is_ours(&format!("faces.rtcd.{key}"))) {
        return Ok(());
    }
    match &settings.enable_admin {
        Some(set) if set.value && is_missing(settings.admin_secret_key.as_ref()) => {
            Err(no_admin_key(&set.origin))
        }
        _ => Ok(()),
    }
}

fn check_http(settings: &Settings, is_ours: &dyn Fn(&str) -> bool) -> Result<(), ConfigError> {
    if let Some(set) = settings.listen_address.as_ref().filter(|set| set.value.is_empty()) {
        let problem = "failed to validate http config: invalid ListenAddress value: should not be empty";
        return Err(wrong(set, "api.http.listen_address", problem));
    }
    if ["tls", "cert_file", "key_file"].iter().any(|key| is_ours(&format!("faces.rtcd.{key}"))) {
        return Ok(());
    }
    let Some(set) = settings.tls_enable.as_ref().filter(|set| set.value) else { return Ok(()) };
    let files = [&settings.tls_cert_file, &settings.tls_cert_key].map(|file| is_missing(file.as_ref()));
    match files {
        [false, false] => Ok(()),
        [has_no_cert, _] => Err(no_tls_file(&set.origin, has_no_cert)),
    }
}

fn is_missing(set: Option<&Set<String>>) -> bool {
    set.is_none_or(|set| set.value.is_empty())
}

/// What rtcd says of an admin without a key.
pub(in crate::config) fn no_admin_key(origin: &Origin) -> ConfigError {
    let problem = "failed to validate admin config: invalid AdminSecretKey value: should not be empty";
    at(origin, "api.security.admin_secret_key", problem)
}

/// What rtcd says of TLS without a certificate, or without its key.
pub(in crate::config) fn no_tls_file(origin: &Origin, has_no_cert: bool) -> ConfigError {
    let (key, rtcds) = if has_no_cert { ("cert_file", "CertFile") } else { ("cert_key", "CertKey") };
    let problem = format!(
        "failed to validate http config: invalid TLS config: invalid {rtcds} value: should not be empty"
    );
    at(origin, &format!("api.http.tls.{key}"), problem)
}

/// What rtcd says of files that are no certificate and its key; `keys` are ours.
pub(in crate::config) fn no_certificate(
    origin: &Origin,
    keys: &[&str],
    error: &dyn std::fmt::Display,
) -> ConfigError {
    let rtcds =
        |key: &&str| if *key == "cert_file" { "api.http.tls.cert_file" } else { "api.http.tls.cert_key" };
    let keys: Vec<_> = keys.iter().map(rtcds).collect();
    let problem =
        format!("failed to validate http config: invalid TLS config: failed to load cert files: {error}");
    at(origin, &keys.join(", "), problem)
}

fn check_rtc(settings: &Settings) -> Result<(), ConfigError> {
    addresses(settings.ice_address_udp.as_ref(), "rtc.ice_address_udp", "ICEAddressUDP")?;
    addresses(settings.ice_address_tcp.as_ref(), "rtc.ice_address_tcp", "ICEAddressTCP")?;
    port(settings.ice_port_udp.as_ref(), "rtc.ice_port_udp", "ICEPortUDP")?;
    port(settings.ice_port_tcp.as_ref(), "rtc.ice_port_tcp", "ICEPortTCP")?;
    if let Some(set) = &settings.ice_servers {
        let bad =
            |problem: &str| wrong(set, "rtc.ice_servers", format!("invalid ICEServers value: {problem}"));
        set.value.0.iter().try_for_each(server).map_err(bad)?;
    }
    check_turn(settings)?;
    super::network::port_override(settings)?;
    if let Some(set) = settings.udp_sockets_count.as_ref().filter(|set| set.value <= 0) {
        let problem = "invalid UDPSocketsCount value: should be greater than 0";
        return Err(wrong(set, "rtc.udp_sockets_count", problem));
    }
    let Some(set) = &settings.nack_buffer_size else { return Ok(()) };
    let problem = match set.value {
        Short(0) => return Ok(()),
        Short(..32) => "should be at least 32",
        Short(8_193..) => "should not exceed 8192",
        Short(size) if size.is_power_of_two() => return Ok(()),
        Short(_) => "must be a power of 2 (32, 64, 128, 256, 512, 1024, 2048, 4096, 8192)",
    };
    Err(wrong(set, "rtc.nack_buffer_size", format!("invalid NACKBufferSize value: {problem}")))
}

/// The addresses of a list; an empty one says nothing.
pub(super) fn addresses(
    set: Option<&Set<String>>,
    key: &str,
    rtcds: &str,
) -> Result<Vec<std::net::IpAddr>, ConfigError> {
    let Some(set) = set.filter(|set| !set.value.is_empty()) else { return Ok(Vec::new()) };
    let read = |text: &str| {
        let bad = || {
            let problem =
                format!("invalid {rtcds} value: invalid ICEAddress value: {text} is not a valid IP address");
            wrong(set, key, problem)
        };
        text.parse().map_err(|_| bad())
    };
    set.value.split(',').map(str::trim).map(read).collect()
}

fn port(set: Option<&Set<i64>>, key: &str, rtcds: &str) -> Result<(), ConfigError> {
    match set {
        Some(set) if !PORTS.contains(&set.value) => Err(wrong(set, key, out_of_range(rtcds, set.value))),
        _ => Ok(()),
    }
}

/// rtcd's words for a port that it does not take.
pub(super) fn out_of_range(rtcds: &str, port: i64) -> String {
    format!("invalid {rtcds} value: {port} is not in allowed range [{}, {}]", PORTS.start(), PORTS.end())
}

/// A port that rtcd takes.
pub(super) fn is_port(port: i64) -> bool {
    PORTS.contains(&port)
}

fn server(server: &IceServer) -> Result<(), &'static str> {
    if server.urls.is_empty() {
        return Err("invalid empty URLs");
    }
    if server.urls.iter().any(String::is_empty) {
        return Err("invalid empty URL");
    }
    if server.is_stun() || server.is_turn() { Ok(()) } else { Err("URL is not a valid STUN/TURN server") }
}

impl IceServer {
    /// Whether all its URLs are of STUN servers.
    pub(super) fn is_stun(&self) -> bool {
        self.urls.iter().all(|url| url.starts_with("stun:") || url.starts_with("stuns:"))
    }

    /// Whether all its URLs are of TURN servers.
    pub(super) fn is_turn(&self) -> bool {
        self.urls.iter().all(|url| url.starts_with("turn:") || url.starts_with("turns:"))
    }
}

fn check_turn(settings: &Settings) -> Result<(), ConfigError> {
    let secret = settings.turn_secret.as_ref().is_some_and(|set| !set.value.is_empty());
    let Some(set) = settings.turn_expiration_minutes.as_ref().filter(|_| secret) else { return Ok(()) };
    let problem = match set.value {
        ..=0 => "should be a positive number",
        1..MINUTES_OF_A_WEEK => return Ok(()),
        _ => "should be less than 1 week",
    };
    let problem = format!("invalid TURNConfig: invalid CredentialsExpirationMinutes value: {problem}");
    Err(wrong(set, "rtc.turn.credentials_expiration_minutes", problem))
}

fn check_logger(settings: &Settings) -> Result<(), ConfigError> {
    let is_on = |set: &Option<Set<bool>>| set.as_ref().is_none_or(|set| set.value);
    let (console, file) = (is_on(&settings.enable_console), is_on(&settings.enable_file));
    if let Some(set) = settings.enable_console.as_ref().filter(|_| !console && !file) {
        return Err(wrong(set, "logger.enable_console", "should enable at least one logging target"));
    }
    let level = |set: Option<&Set<String>>, key, rtcds| match set {
        Some(set) if super::log_level(&set.value).is_none() => {
            Err(wrong(set, key, format!("invalid {rtcds} value {:?}", set.value)))
        }
        _ => Ok(()),
    };
    if console {
        level(settings.console_level.as_ref(), "logger.console_level", "ConsoleLevel")?;
    }
    if !file {
        return Ok(());
    }
    level(settings.file_level.as_ref(), "logger.file_level", "FileLevel")?;
    match settings.file_location.as_ref().filter(|set| set.value.is_empty()) {
        Some(set) => {
            Err(wrong(set, "logger.file_location", "invalid FileLocation value: should not be empty"))
        }
        None => Ok(()),
    }
}
