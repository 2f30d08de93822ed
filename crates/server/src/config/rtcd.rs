//! What holds for the face that rtcd's clients see.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::Path,
    time::Duration,
};

use identity::Secret;

use super::{
    checked::{Files, Proxy, Tls, proxy},
    drop_in, file,
    values::{AdminKey, Set, size},
    written::{ConfigError, Origin},
};

/// The face that rtcd's clients see.
#[derive(Debug, Clone)]
pub struct Rtcd {
    /// Where to listen; port 0 takes any free one.
    pub listen: SocketAddr,
    /// How it encrypts.
    pub tls: Tls,
    /// Whether a reverse proxy stands before it.
    pub proxy: Proxy,
    /// Whether whoever can reach the listener may register a client.
    pub allow_self_registration: bool,
    /// Opens the administration, if there is one.
    pub admin_key: Option<Secret>,
    /// Whether the metrics need no admin key.
    pub open_metrics: bool,
    /// How long a bearer token is good.
    pub session_expiration: Duration,
    /// How long a stop waits for calls to end.
    pub drain: Duration,
    /// Connections that an address may keep, beside those for requests.
    pub sockets_per_address: usize,
    /// As many in all.
    pub sockets: usize,
}

const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8045);
const DEFAULT_DRAIN: Duration = Duration::from_secs(60 * 60);
/// A fleet of Mattermost servers behind one address, each with the 100 connections that the plugin keeps.
const DEFAULT_SOCKETS_PER_ADDRESS: usize = 4_096;
const DEFAULT_SOCKETS: usize = 16_384;
const DEFAULT_EXPIRATION: Duration = Duration::from_secs(24 * 60 * 60);
/// A key file that is larger holds something else.
const LONGEST_KEY_FILE: u64 = 4_096;

impl Rtcd {
    /// Everything is checked also when the face is off, so that a mistake shows before it matters.
    pub(super) fn check(rtcd: file::Rtcd, warnings: &mut Vec<String>) -> Result<Option<Self>, ConfigError> {
        let listen = rtcd.listen.as_ref().map_or(DEFAULT_LISTEN, |set| set.value);
        let proxy = proxy(rtcd.trusted_proxy.as_ref());
        let plain = rtcd.listen.as_ref().is_some_and(|set| set.origin.is_rtcds());
        let files = Files {
            section: "faces.rtcd",
            tls: &rtcd.tls,
            cert: &rtcd.cert_file,
            key: &rtcd.key_file,
            plain,
        };
        let enabled = is_true(rtcd.enabled.as_ref());
        let mut said = Vec::new();
        // In rtcd's order: the admin, then the listener.
        let admin_key = admin_key(&rtcd, &mut said)?;
        let checked = Self {
            listen,
            tls: files.check(listen, proxy)?,
            proxy,
            allow_self_registration: is_true(rtcd.allow_self_registration.as_ref()),
            admin_key,
            open_metrics: is_true(rtcd.open_metrics.as_ref()),
            session_expiration: rtcd.session_expiration_minutes.map_or(DEFAULT_EXPIRATION, |set| set.value.0),
            drain: rtcd.drain_minutes.map_or(DEFAULT_DRAIN, |set| set.value.0),
            sockets_per_address: size(rtcd.sockets_per_address.as_ref(), DEFAULT_SOCKETS_PER_ADDRESS),
            sockets: size(rtcd.sockets.as_ref(), DEFAULT_SOCKETS),
        };
        if let Some(set) = rtcd.listen.filter(|_| checked.is_exposed()) {
            said.push(format!(
                "{}: the rtcd face is not encrypted on {listen}, as rtcd's own settings have it: keys of clients cross the network in the \
                 clear; RTCD_API_HTTP_TLS_ENABLE or faces.rtcd.tls encrypts",
                set.origin
            ));
        }
        if enabled {
            warnings.extend(said);
        }
        Ok(enabled.then_some(checked))
    }
}

impl Rtcd {
    fn is_exposed(&self) -> bool {
        self.tls == Tls::Off && self.proxy == Proxy::Absent && !self.listen.ip().is_loopback()
    }
}

fn is_true(set: Option<&Set<bool>>) -> bool {
    set.is_some_and(|set| set.value)
}

fn admin_key(rtcd: &file::Rtcd, warnings: &mut Vec<String>) -> Result<Option<Secret>, ConfigError> {
    if let Some(Set { value, origin }) =
        rtcd.admin_secret_key.as_ref().filter(|set| !set.value.is_long_enough())
    {
        if !origin.is_rtcds() {
            let problem =
                format!("faces.rtcd.admin_secret_key: expected {}, found something else", AdminKey::EXPECTED);
            return Err(ConfigError::at(origin, problem));
        }
        let (length, least) = (value.0.expose().len(), AdminKey::SHORTEST);
        warnings.push(format!(
            "{origin}: the admin key has {length} bytes; one of less than {least} can be guessed"
        ));
    }
    let Some(Set { value: true, origin }) = &rtcd.enable_admin else { return Ok(None) };
    match (&rtcd.admin_secret_key, &rtcd.admin_secret_key_file) {
        (Some(key), None) => Ok(Some(key.value.0.clone())),
        (None, Some(file)) => read_key(&file.value, &file.origin).map(Some),
        // rtcd's variables come before our file, and its file after.
        (Some(Set { value, origin: Origin::RtcdVariable(_) }), Some(_)) => Ok(Some(value.0.clone())),
        (Some(Set { origin: Origin::RtcdFile { .. }, .. }), Some(file)) => {
            read_key(&file.value, &file.origin).map(Some)
        }
        (Some(_), Some(file)) => {
            let problem = "faces.rtcd.admin_secret_key_file: expected this or admin_secret_key, found both";
            Err(ConfigError::at(&file.origin, problem))
        }
        (None, None) if origin.is_rtcds() => Err(drop_in::no_admin_key(origin)),
        (None, None) => {
            let problem = "faces.rtcd.enable_admin: needs admin_secret_key or admin_secret_key_file";
            Err(ConfigError::at(origin, problem))
        }
    }
}

fn read_key(file: &Path, origin: &Origin) -> Result<Secret, ConfigError> {
    let wrong =
        |problem: String| ConfigError::at(origin, format!("faces.rtcd.admin_secret_key_file: {problem}"));
    let about = fs::metadata(file).map_err(|error| wrong(format!("{}: {error}", file.display())))?;
    let expected =
        || wrong(format!("expected a file with a text of at least 16 bytes, found {}", file.display()));
    if about.len() > LONGEST_KEY_FILE {
        return Err(expected());
    }
    let text = fs::read_to_string(file).map_err(|_| expected())?;
    let key = AdminKey(Secret::new(text.trim_end_matches(['\r', '\n'])));
    key.is_long_enough().then_some(key.0).ok_or_else(expected)
}

#[cfg(test)]
mod tests {
    use crate::config::{Checked, ConfigError, Override, Proxy, Tls, load};

    fn checked(sets: &[(&str, &str)]) -> Result<Checked, ConfigError> {
        let sets: Vec<Override> = sets
            .iter()
            .map(|(key, value)| Override {
                key: format!("faces.rtcd.{key}"),
                value: (*value).to_owned(),
                flag: format!("--set {key}"),
            })
            .collect();
        load(None, [], &sets)
    }

    #[test]
    fn the_face_is_off_until_it_is_enabled() {
        assert!(checked(&[]).unwrap().rtcd.is_none());
        let rtcd = checked(&[("enabled", "true")]).unwrap().rtcd.unwrap();
        assert_eq!(
            (rtcd.listen.to_string(), rtcd.tls, rtcd.proxy),
            ("127.0.0.1:8045".into(), Tls::Off, Proxy::Absent)
        );
        assert!(!rtcd.allow_self_registration && !rtcd.open_metrics && rtcd.admin_key.is_none());
        assert_eq!((rtcd.session_expiration.as_secs(), rtcd.drain.as_secs()), (86_400, 3_600));
        assert_eq!((rtcd.sockets_per_address, rtcd.sockets), (4_096, 16_384));
    }

    #[test]
    fn what_is_written_holds() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        std::fs::write(&file, "0123456789abcdef\n").unwrap();
        let rtcd = checked(&[
            ("enabled", "true"),
            ("listen", "0.0.0.0:8045"),
            ("trusted_proxy", "true"),
            ("tls", "off"),
            ("allow_self_registration", "true"),
            ("enable_admin", "true"),
            ("admin_secret_key_file", file.to_str().unwrap()),
            ("open_metrics", "true"),
            ("session_expiration_minutes", "1"),
            ("drain_minutes", "0"),
            ("sockets_per_address", "7"),
            ("sockets", "8"),
        ]);
        let rtcd = rtcd.unwrap().rtcd.unwrap();
        assert_eq!(rtcd.admin_key.as_ref().unwrap().expose(), "0123456789abcdef");
        assert_eq!((rtcd.proxy, rtcd.session_expiration.as_secs()), (Proxy::Trusted, 60));
        assert!(rtcd.allow_self_registration && rtcd.open_metrics && rtcd.drain.is_zero());
        assert_eq!((rtcd.sockets_per_address, rtcd.sockets), (7, 8));
        assert!(!format!("{rtcd:?}").contains("0123456789"));
        // The key counts only when the admin is enabled.
        let off = checked(&[("enabled", "true"), ("admin_secret_key", "0123456789abcdef")]);
        assert!(off.unwrap().rtcd.unwrap().admin_key.is_none());
        let elsewhere = checked(&[("enabled", "true"), ("listen", "0.0.0.0:8045")]);
        assert_eq!(elsewhere.unwrap().rtcd.unwrap().tls, Tls::SelfSigned);
    }

    #[test]
    fn mistakes_are_named_and_keys_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let short = folder.path().join("short");
        std::fs::write(&short, "hunter2\n").unwrap();
        let short = short.to_str().unwrap();
        let table: [(&[(&str, &str)], &str); 10] = [
            (&[("sockets", "0")], "faces.rtcd.sockets: expected a whole number, 1 to 1000000"),
            (
                &[("drain_minutes", "1441")],
                "faces.rtcd.drain_minutes: expected a whole number of minutes, 0 to 1440",
            ),
            (
                &[("admin_secret_key", "hunter2")],
                "faces.rtcd.admin_secret_key: expected a text of at least 16 bytes, found something else",
            ),
            (
                &[("enable_admin", "true")],
                "faces.rtcd.enable_admin: needs admin_secret_key or admin_secret_key_file",
            ),
            (
                &[("enable_admin", "true"), ("admin_secret_key_file", "/nowhere")],
                "faces.rtcd.admin_secret_key_file: /nowhere: No such file",
            ),
            (
                &[("enable_admin", "true"), ("admin_secret_key_file", short)],
                "faces.rtcd.admin_secret_key_file: expected a file with a text of at least 16 bytes",
            ),
            (
                &[
                    ("enable_admin", "true"),
                    ("admin_secret_key_file", short),
                    ("admin_secret_key", "0123456789abcdef"),
                ],
                "faces.rtcd.admin_secret_key_file: expected this or admin_secret_key, found both",
            ),
            (
                &[("listen", "0.0.0.0:8045"), ("tls", "off")],
                "faces.rtcd.tls: \"off\" on 0.0.0.0:8045, which is not a loopback address",
            ),
            (
                &[("session_expiration_minutes", "0")],
                "faces.rtcd.session_expiration_minutes: expected a whole number of minutes, 1 to 525600",
            ),
            (&[("listn", "x")], "faces.rtcd.listn: unknown key; did you mean faces.rtcd.listen?"),
        ];
        for (sets, expected) in table {
            let error = checked(sets).unwrap_err().to_string();
            assert!(error.contains(expected) && !error.contains("hunter2"), "{error}\n  not {expected}");
        }
    }
}
