//! rtcd's own settings, for a start with the environment or the file that rtcd was started with: `names.rs` is the table of them, `raw.rs`
//! how they are read, `checks.rs` what rtcd refuses, and here and in `network.rs` what they become: values of our own keys.
//!
//! For each key the order is: flag, our variable, rtcd's variable, our file, rtcd's file, rtcd's default (when there is any setting of
//! rtcd's at all), our default. A key of ours that several of rtcd's settings make ranks as the highest of them.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs},
    path::{Path, PathBuf},
};

use super::{
    values::{LogLevel, Set},
    written::{ConfigError, Entry, Origin, Written},
};

mod checks;
mod names;
mod network;
mod raw;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod tests;

pub(super) use checks::{no_admin_key, no_certificate, no_tls_file};
pub use names::rtcd_markdown;
use names::{NAMES, SWITCHES, Settings, does_nothing};
use raw::{Raw, Raws};

/// What rtcd's variables begin with.
const PREFIX: &str = "RTCD_";
/// In an rtcd store's folder, our data folder.
const SUBFOLDER: &str = "countersign";
/// Where rtcd keeps its store when nothing is written.
const RTCDS_STORE: &str = "/tmp/rtcd_db";
const MINUTES_OF_A_YEAR: i64 = 525_600;

/// What rtcd's settings say of our keys, with how they rank among what we are told otherwise.
#[derive(Debug, Default)]
pub(super) struct Mapping {
    /// After everything else.
    pub(super) defaults: Vec<(String, Entry)>,
    /// After our file.
    pub(super) file: Vec<(String, Entry)>,
    /// Before our file.
    pub(super) variables: Vec<(String, Entry)>,
    /// What the operator should know.
    pub(super) warnings: Vec<String>,
}

/// Where rtcd finds its file when none is named, from the folder in which it is started.
pub const RTCDS_FILE: &str = "config/config.toml";

/// Returns the warning for a file of rtcd's that rtcd would have found by itself; `None`: there is none, or it is another program's.
///
/// It is not read. Whoever may write to the folder in which somebody happens to start this server would open it to every address: nothing
/// comes from there that the operator has not named.
#[must_use]
pub fn unread_file(path: &Path) -> Option<String> {
    let raws = path.is_file().then(|| raw::read_file(path).ok()).flatten()?;
    raws.keys().any(|key| names::name(key).is_some()).then(|| {
        let path = path.display();
        format!("{path} has settings of rtcd's and is not read: rtcd finds it by itself, here it is named: --rtcd-config {path}")
    })
}

/// Reads rtcd's file, if one is named, and rtcd's variables. The mapping is empty when there is none of its settings. `is_ours` says which
/// of our keys are written somewhere.
pub(super) fn read(
    file: Option<&Path>,
    environment: &[(String, String)],
    is_ours: &dyn Fn(&str) -> bool,
) -> Result<Mapping, ConfigError> {
    let raws = file.map_or_else(|| Ok(Raws::new()), raw::read_file)?;
    map(raws, file.is_some(), environment, is_ours)
}

fn map(
    mut raws: Raws,
    has_file: bool,
    environment: &[(String, String)],
    is_ours: &dyn Fn(&str) -> bool,
) -> Result<Mapping, ConfigError> {
    let mut mapping = Mapping::default();
    let mut present = has_file;
    for (variable, value) in environment {
        if let Some(name) = NAMES.iter().find(|name| name.variable == variable) {
            let origin = Origin::RtcdVariable(variable.clone());
            raws.insert(name.key.to_owned(), (origin, Raw::Variable(value.clone())));
            present = true;
        } else if let Some(switch) = SWITCHES.iter().find(|switch| switch.variable == variable) {
            mapping.warnings.push(format!("{variable} has no effect here: {}", switch.becomes));
        } else if variable.starts_with(PREFIX) && !is_service_link(variable) {
            let near = nearest(NAMES.iter().map(|name| name.variable), variable);
            mapping.warnings.push(format!("{variable} is no setting of rtcd's, and has no effect{near}"));
        }
    }
    if !present {
        return Ok(mapping);
    }
    let settings = Settings::read(&mut raws)?;
    // As in rtcd, other keys are no error.
    for (key, (origin, _)) in &raws {
        let near = nearest(NAMES.iter().map(|name| name.key), key);
        mapping.warnings.push(format!("{origin}: {key} is no setting of rtcd's, and has no effect{near}"));
    }
    checks::check(&settings, is_ours)?;
    face(&settings, &mut mapping)?;
    network::map(&settings, &mut mapping)?;
    store(&settings, &mut mapping);
    log(&settings, &mut mapping);
    Ok(mapping)
}

impl Mapping {
    fn add(&mut self, key: &str, origin: &Origin, value: Written) {
        let ranked = match origin {
            Origin::RtcdVariable(_) => &mut self.variables,
            Origin::RtcdFile { .. } => &mut self.file,
            _ => &mut self.defaults,
        };
        ranked.push((key.to_owned(), Entry { origin: origin.clone(), value }));
    }

    fn add_flag(&mut self, key: &str, set: Option<&Set<bool>>) {
        if let Some(set) = set {
            self.add(key, &set.origin, Written::Flag(set.value));
        }
    }
}

/// Of several places, a variable, or else a line of the file, or else the default.
fn highest<'a>(places: impl Iterator<Item = &'a Origin>) -> &'a Origin {
    let rank = |origin: &&Origin| match origin {
        Origin::RtcdVariable(_) => 2,
        Origin::RtcdFile { .. } => 1,
        _ => 0,
    };
    places.max_by_key(rank).unwrap_or(&Origin::RtcdDefault)
}

/// Kubernetes gives these to every container beside a service with the name rtcd.
fn is_service_link(variable: &str) -> bool {
    variable == "RTCD_PORT" || variable.starts_with("RTCD_PORT_") || variable.starts_with("RTCD_SERVICE_")
}

fn nearest(known: impl Iterator<Item = &'static str>, written: &str) -> String {
    known
        .map(|candidate| (strsim::osa_distance(written, candidate), candidate))
        .min()
        .filter(|(distance, _)| *distance <= 4)
        .map_or_else(String::new, |(_, candidate)| format!("; did you mean {candidate}?"))
}

fn face(settings: &Settings, mapping: &mut Mapping) -> Result<(), ConfigError> {
    mapping.add("faces.rtcd.enabled", &Origin::RtcdDefault, Written::Flag(true));
    let default = Set { value: ":8045".to_owned(), origin: Origin::RtcdDefault };
    let set = settings.listen_address.as_ref().unwrap_or(&default);
    mapping.add("faces.rtcd.listen", &set.origin, Written::Text(listen_address(set)?.to_string()));
    if let Some(set) = &settings.tls_enable {
        let mode = if set.value { "files" } else { "off" };
        mapping.add("faces.rtcd.tls", &set.origin, Written::Text(mode.to_owned()));
    }
    let encrypts = settings.tls_enable.as_ref().is_some_and(|set| set.value);
    let texts = [
        ("faces.rtcd.cert_file", settings.tls_cert_file.as_ref().filter(|_| encrypts)),
        ("faces.rtcd.key_file", settings.tls_cert_key.as_ref().filter(|_| encrypts)),
        ("faces.rtcd.admin_secret_key", settings.admin_secret_key.as_ref()),
    ];
    for (key, set) in texts {
        if let Some(set) = set.filter(|set| !set.value.is_empty()) {
            mapping.add(key, &set.origin, Written::Text(set.value.clone()));
        }
    }
    mapping.add_flag("faces.rtcd.enable_admin", settings.enable_admin.as_ref());
    mapping.add_flag("faces.rtcd.allow_self_registration", settings.allow_self_registration.as_ref());
    if let Some(set) = &settings.expiration_minutes {
        let minutes = set.value.min(MINUTES_OF_A_YEAR);
        if minutes < set.value {
            let key = "api.security.session_cache.expiration_minutes";
            mapping.warnings.push(format!("{}: {key}: is taken for {minutes}, a year", set.origin));
        }
        mapping.add("faces.rtcd.session_expiration_minutes", &set.origin, Written::Number(minutes));
    }
    Ok(())
}

/// As Go listens: without a host on every address, IPv4 and IPv6 at once where there is IPv6; a name is looked up.
fn listen_address(set: &Set<String>) -> Result<SocketAddr, ConfigError> {
    let text = set.value.as_str();
    let wrong = |problem: &str| {
        checks::wrong(
            set,
            "api.http.listen_address",
            format!("expected [host]:port, found {text:?}: {problem}"),
        )
    };
    let (host, port) = text.rsplit_once(':').ok_or_else(|| wrong("there is no port"))?;
    let port: u16 = port.parse().map_err(|_| wrong("the port is no number"))?;
    if host.is_empty() {
        let every = IpAddr::from(Ipv6Addr::UNSPECIFIED);
        let every = if has_ipv6() { every } else { Ipv4Addr::UNSPECIFIED.into() };
        return Ok(SocketAddr::new(every, port));
    }
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let mut found: Vec<SocketAddr> =
        text.to_socket_addrs().map_err(|error| wrong(&error.to_string()))?.collect();
    found.sort_by_key(SocketAddr::is_ipv6);
    found.first().copied().ok_or_else(|| wrong("the name has no address"))
}

fn has_ipv6() -> bool {
    TcpListener::bind(SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0))).is_ok()
}

/// Our data folder is inside of rtcd's, so that it is on the same volume; never in a temporary one.
fn store(settings: &Settings, mapping: &mut Mapping) {
    let written = settings.data_source.as_ref().map(|set| PathBuf::from(&set.value));
    let folder = written.unwrap_or_else(|| PathBuf::from(RTCDS_STORE));
    let place = settings.data_source.as_ref().map_or(&Origin::RtcdDefault, |set| &set.origin);
    if let Some(set) = &settings.data_source {
        if is_temporary(&folder) {
            mapping.warnings.push(format!(
                "{place}: store.data_source: {} is a temporary folder, where clients would be lost with a restart of the machine or the \
                 container: the data folder is that of data_dir",
                folder.display()
            ));
        } else {
            let ours = folder.join(SUBFOLDER).display().to_string();
            mapping.add("data_dir", &set.origin, Written::Text(ours));
        }
    }
    if has_clients(&folder) {
        mapping.warnings.push(format!(
            "{place}: {} holds a store of rtcd's: `countersign import rtcd --data-source {}` takes its clients over, unless that is done \
             already",
            folder.display(),
            folder.display()
        ));
    }
}

fn is_temporary(folder: &Path) -> bool {
    let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    ["/tmp", "/var/tmp", "/dev/shm", "/run"].iter().any(|temporary| folder.starts_with(temporary))
}

fn has_clients(folder: &Path) -> bool {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    files.into_iter().any(|file| file.path().extension().is_some_and(|extension| extension == "data"))
}

/// mlog's levels in any case, as ours.
fn log_level(text: &str) -> Option<LogLevel> {
    match text.to_ascii_lowercase().as_str() {
        "panic" | "fatal" | "error" => Some(LogLevel::Error),
        "warn" => Some(LogLevel::Warn),
        "info" => Some(LogLevel::Info),
        "debug" | "trace" => Some(LogLevel::Debug),
        _ => None,
    }
}

fn log(settings: &Settings, mapping: &mut Mapping) {
    let console = settings.enable_console.as_ref().is_none_or(|set| set.value);
    let (level, json) = if console {
        (&settings.console_level, &settings.console_json)
    } else {
        (&settings.file_level, &settings.file_json)
    };
    if let Some(set) = level
        && let Some(level) = log_level(&set.value)
    {
        mapping.add("log.level", &set.origin, Written::Text(level.to_string()));
    }
    if let Some(set) = json {
        let format = if set.value { "json" } else { "text" };
        mapping.add("log.format", &set.origin, Written::Text(format.to_owned()));
    }
    let file = [
        settings.enable_file.as_ref().map(|set| (&set.origin, "logger.enable_file")),
        settings.file_location.as_ref().map(|set| (&set.origin, "logger.file_location")),
        settings.file_level.as_ref().map(|set| (&set.origin, "logger.file_level")).filter(|_| console),
        settings.file_json.as_ref().map(|set| (&set.origin, "logger.file_json")).filter(|_| console),
    ];
    let off = settings.enable_file.as_ref().is_some_and(|set| !set.value);
    let color = settings.enable_color.as_ref().map(|set| (&set.origin, "logger.enable_color"));
    for (origin, key) in file.into_iter().flatten().filter(|_| !off).chain(color) {
        mapping.warnings.push(does_nothing(origin, key));
    }
}
