use std::{net::SocketAddr, path::PathBuf, time::Duration};

use super::{file::SECTIONS, *};
use crate::media::AdvertisePort;

fn from_toml(text: &str) -> Result<Checked, ConfigError> {
    let mut entries = written::Entries::default();
    entries.add_toml("c.toml", text, file::File::is_section)?;
    Checked::check(file::File::read(entries)?, Vec::new())
}

fn from_environment(variables: &[(&str, &str)]) -> Result<Checked, ConfigError> {
    load(None, variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())), &[])
}

fn flag(key: &str, value: &str) -> Override {
    Override { key: key.to_owned(), value: value.to_owned(), flag: format!("--set {key}={value}") }
}

#[test]
fn mistakes_are_named_with_their_place_and_what_was_expected() {
    let table = [
        ("[http]\nlisten = \"nowhere\"", "c.toml:2: http.listen: expected an IP address and port"),
        ("[http]\nlisten = 8080", "c.toml:2: http.listen: expected an IP address and port"),
        ("[http]\n\nlisen = \"127.0.0.1:1\"", "c.toml:3: http.lisen: unknown key; did you mean http.listen?"),
        ("[htp]\nlisten = \"127.0.0.1:1\"", "c.toml:2: htp.listen: unknown key; did you mean http.listen?"),
        ("data_dirs = \"x\"", "c.toml:1: data_dirs: unknown key; did you mean data_dir?"),
        ("[http]\nfrobnicate = 1", "c.toml:2: http.frobnicate: unknown key; [http] has listen, public_url"),
        ("[quux]", "c.toml:1: quux: unknown key; expected data_dir or a section of [http]"),
        ("http = 3", "c.toml:1: http: expected a section [http], found 3"),
        (
            "[http]\ntrusted_proxy = \"yes\"",
            "c.toml:2: http.trusted_proxy: expected true or false, found \"yes\"",
        ),
        ("[http]\ntls = \"on\"", "c.toml:2: http.tls: expected \"off\", \"self-signed\" or \"files\""),
        ("[http]\ntls = \"files\"", "c.toml:2: http.tls: \"files\" needs both cert_file and key_file"),
        ("[http]\ncert_file = \"a.pem\"", "c.toml:2: http.cert_file: is read only with tls = \"files\""),
        (
            "[http]\nlisten = \"0.0.0.0:80\"\ntls = \"off\"",
            "c.toml:3: http.tls: \"off\" on 0.0.0.0:80, which is not",
        ),
        ("[http]\npublic_url = \"call.example\"", "c.toml:2: http.public_url: expected http:// or https://"),
        (
            "[http]\npublic_url = \"https://call.example\"",
            "c.toml:2: http.public_url: expected http://, since tls",
        ),
        (
            "[http]\ntls = \"self-signed\"\npublic_url = \"http://call.example\"",
            "c.toml:3: http.public_url: expected https://, since tls is on",
        ),
        ("[media]\nlisten_udp = []", "c.toml:2: media.listen_udp: expected an IP address and port"),
        ("[media]\nlisten_udp = [\"0.0.0.0:1\", 2]", "c.toml:2: media.listen_udp: expected"),
        (
            "[media]\nadvertise = [\"http://call.example\"]",
            "c.toml:2: media.advertise: expected a list of IP addresses or host names",
        ),
        (
            "[media]\nadvertise_port = 0",
            "c.toml:2: media.advertise_port: expected a port, 1 to 65535, or a list",
        ),
        (
            "[media]\nadvertise_port = [\"8443\"]",
            "c.toml:2: media.advertise_port: expected a port, 1 to 65535",
        ),
        ("[media]\nstun = [\"stun:a.example\"]", "c.toml:2: media.stun: expected a list of servers such as"),
        ("[media]\nstun = [\":3478\"]", "c.toml:2: media.stun: expected a list of servers such as"),
        ("[media]\nshards = 0", "c.toml:2: media.shards: expected a whole number, 1 to 64, found 0"),
        ("[media]\nshards = 65", "c.toml:2: media.shards: expected a whole number, 1 to 64"),
        ("[media]\nshards = \"4\"", "c.toml:2: media.shards: expected a whole number, 1 to 64"),
        ("[log]\nlevel = \"loud\"", "c.toml:2: log.level: expected \"error\", \"warn\""),
        (
            "[store]\nurl = \"postgres://db\"",
            "c.toml:2: store.url: expected \"sqlite:\" and the path of a file",
        ),
        (
            "[shutdown]\ndeadline_s = 0",
            "c.toml:2: shutdown.deadline_s: expected a whole number of seconds, 1 to 300",
        ),
        (
            "[audit]\nkeep_days = -1",
            "c.toml:2: audit.keep_days: expected a whole number of days, 0 to 1000000",
        ),
        ("[shutdown]\ndeadline_s = 1.5", "c.toml:2: shutdown.deadline_s: expected"),
        ("\n[http\n", "c.toml:2: "),
        ("[http]\nlisten = \"127.0.0.1:1\"\nlisten = \"127.0.0.1:2\"", "c.toml:3: duplicate key"),
        ("a.b.c = 1", "c.toml:1: a.b: unknown key"),
        ("[faces.rtcd]\nenabled = 1", "c.toml:2: faces.rtcd.enabled: expected true or false, found 1"),
        (
            "[faces.rtcd]\nfrobnicate = 1",
            "c.toml:2: faces.rtcd.frobnicate: unknown key; [faces.rtcd] has enabled, listen",
        ),
        ("[faces.rtcd.tls]\nenable = true", "c.toml:1: faces.rtcd.tls: expected \"off\", \"self-signed\""),
        (
            "[faces.peerbok]\nx = 1",
            "c.toml:1: faces.peerbok: unknown key; expected data_dir or a section of [http]",
        ),
    ];
    for (text, expected) in table {
        let error = from_toml(text).expect_err(text).to_string();
        assert!(error.starts_with(expected), "{text}\n  said {error}\n  not  {expected}");
    }
}

#[test]
fn nothing_written_is_a_configuration() {
    let checked = from_toml("").unwrap();
    assert_eq!(checked.data_dir, PathBuf::from("./countersign-data"));
    assert_eq!(checked.http.listen, "127.0.0.1:8080".parse().unwrap());
    assert_eq!((&checked.http.tls, checked.http.proxy), (&Tls::Off, Proxy::Absent));
    assert_eq!(checked.http.public_url(checked.http.listen).to_string(), "http://127.0.0.1:8080");
    assert_eq!(checked.media.listen_udp, ["0.0.0.0:8443", "[::]:8443"].map(|text| text.parse().unwrap()));
    assert_eq!(checked.store_file, PathBuf::from("./countersign-data/countersign.sqlite"));
    assert_eq!((checked.shutdown_deadline, checked.metrics_listen), (Duration::from_secs(5), None));
    assert_eq!(checked.audit_keep, Some(Duration::from_secs(365 * 86_400)));
    assert_eq!(from_toml("[audit]\nkeep_days = 0").unwrap().audit_keep, None);
    assert!(from_toml("[media]\nlisten_tcp = []").unwrap().media.listen_tcp.is_empty());
    assert!(checked.warnings.is_empty() && (1..=16).contains(&checked.media.shards));
}

#[test]
fn a_file_says_everything() {
    let text = r#"
        data_dir = "/srv/cs"
        http.listen = "0.0.0.0:443"
        [media]
        listen_udp = ["10.0.0.1:8443", "[::]:8443"]
        listen_tcp = "10.0.0.1:8443"
        advertise = ["203.0.113.10", "203.0.113.10:9000", "2001:db8::1"]
        advertise_port = "10.0.0.1/9001"
        stun = ["stun.example", "[2001:db8::2]:3479"]
        shards = 64
        [faces.rtcd]
        enabled = true
        session_expiration_minutes = 5
        [metrics]
        listen = "127.0.0.1:9100"
        [log]
        level = "debug"
        format = "json"
        [store]
        url = "sqlite:///srv/cs.sqlite"
        [audit]
        keep_days = 90
        [shutdown]
        deadline_s = 30
    "#;
    let checked = from_toml(text).unwrap();
    assert_eq!(checked.http.tls, Tls::SelfSigned, "not loopback");
    assert_eq!(checked.rtcd.as_ref().unwrap().session_expiration, Duration::from_secs(300));
    assert_eq!((checked.media.listen_udp.len(), checked.media.shards), (2, 64));
    assert_eq!(
        checked.media.advertise.iter().map(|advertised| advertised.port).collect::<Vec<_>>(),
        [None, Some(9000), None]
    );
    let local = "10.0.0.1".parse().unwrap();
    assert_eq!(checked.media.advertise_port, Some(AdvertisePort::OfLocal(vec![(local, 9001)])));
    assert_eq!(checked.media.stun, ["stun.example:3478", "[2001:db8::2]:3479"]);
    assert_eq!(checked.media.listen_tcp, ["10.0.0.1:8443".parse().unwrap()]);
    assert!(checked.warnings.is_empty());
    assert_eq!((checked.log.level, checked.log.format), (LogLevel::Debug, LogFormat::Json));
    assert_eq!(checked.store_file, PathBuf::from("/srv/cs.sqlite"));
    assert_eq!(checked.audit_keep, Some(Duration::from_secs(90 * 86_400)));
    assert_eq!(checked.shutdown_deadline, Duration::from_secs(30));
}

#[test]
fn a_proxy_may_encrypt() {
    let text = "[http]\nlisten = \"0.0.0.0:80\"\ntls = \"off\"\ntrusted_proxy = true\npublic_url = \"https://c.example\"";
    let checked = from_toml(text).unwrap();
    assert_eq!((checked.http.tls.clone(), checked.http.proxy), (Tls::Off, Proxy::Trusted));
    assert_eq!(checked.http.public_url(checked.http.listen).to_string(), "https://c.example");
}

#[test]
fn a_public_url_follows_the_port_that_was_taken() {
    let checked = from_toml("[http]\nlisten = \"[::1]:0\"").unwrap();
    let bound: SocketAddr = "[::1]:4711".parse().unwrap();
    assert_eq!(checked.http.public_url(bound).to_string(), "http://[::1]:4711");
}

#[test]
fn the_environment_comes_before_the_file_and_flags_before_both() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.toml");
    std::fs::write(
        &path,
        "[http]\nlisten = \"127.0.0.1:1\"\n[log]\nlevel = \"warn\"\n[shutdown]\ndeadline_s = 1",
    )
    .unwrap();
    let environment = [
        ("COUNTERSIGN__HTTP__LISTEN".to_owned(), "127.0.0.1:2".to_owned()),
        ("COUNTERSIGN__DATA_DIR".to_owned(), "/srv/env".to_owned()),
        ("COUNTERSIGN__HTTP__TRUSTED_PROXY".to_owned(), "true".to_owned()),
        ("COUNTERSIGN__MEDIA__LISTEN_UDP".to_owned(), "10.0.0.1:1, 10.0.0.2:2".to_owned()),
        ("COUNTERSIGN__LOG__LEVEL".to_owned(), "error".to_owned()),
        ("PATH".to_owned(), "/bin".to_owned()),
    ];
    let flags = [flag("http.listen", "127.0.0.1:3"), flag("shutdown.deadline_s", "9")];
    let checked = load(Some(&path), environment, &flags).unwrap();
    assert_eq!(checked.http.listen.port(), 3);
    assert_eq!(checked.http.proxy, Proxy::Trusted);
    assert_eq!(checked.data_dir, PathBuf::from("/srv/env"));
    assert_eq!(checked.media.listen_udp.len(), 2);
    assert_eq!(checked.log.level, LogLevel::Error);
    assert_eq!(checked.shutdown_deadline, Duration::from_secs(9));
}

#[test]
fn mistakes_in_environment_and_flags_are_named() {
    let table = [
        (
            "COUNTERSIGN__HTTP__LISEN",
            "x",
            "COUNTERSIGN__HTTP__LISEN: http.lisen: unknown key; did you mean http.listen?",
        ),
        ("COUNTERSIGN__LOG__LEVEL", "x", "COUNTERSIGN__LOG__LEVEL: log.level: expected \"error\""),
        ("COUNTERSIGN__", "x", "COUNTERSIGN__: : unknown key"),
        ("COUNTERSIGN__HTTP", "x", "COUNTERSIGN__HTTP: http: unknown key"),
    ];
    for (name, value, expected) in table {
        let error = from_environment(&[(name, value)]).expect_err(name).to_string();
        assert!(error.starts_with(expected), "{error}");
    }
    let error = load(None, [], &[flag("http.tls", "on")]).unwrap_err().to_string();
    assert!(error.starts_with("--set http.tls=on: http.tls: expected \"off\""), "{error}");
}

#[test]
fn a_missing_file_is_named() {
    let error = load(Some("/nowhere/c.toml".as_ref()), [], &[]).unwrap_err().to_string();
    assert!(error.starts_with("/nowhere/c.toml: cannot be read: "), "{error}");
}

#[test]
fn the_example_is_valid_as_it_is_and_key_by_key() {
    from_toml(&example()).unwrap();
    for file::Section { name: section, keys, .. } in SECTIONS {
        for key in keys {
            let text = if section.is_empty() {
                format!("{} = {}", key.name, key.sample)
            } else {
                format!("[{section}]\n{} = {}", key.name, key.sample)
            };
            let mut entries = written::Entries::default();
            entries.add_toml("c.toml", &text, file::File::is_section).unwrap();
            file::File::read(entries).unwrap_or_else(|error| panic!("{text}: {error}"));
        }
    }
}

#[test]
fn the_documented_defaults_are_the_real_ones() {
    let documented: String = SECTIONS
        .iter()
        .flat_map(|section| section.keys.iter().filter(|key| key.standing == file::Standing::Default))
        .map(|key| format!("{} = {}\n", key.path(), key.sample))
        .collect();
    let (mut written, plain) = (from_toml(&documented).unwrap(), from_toml("").unwrap());
    written.warnings.clear();
    assert_eq!(format!("{written:?}"), format!("{plain:?}"));
}

#[test]
fn the_document_is_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md");
    let document = std::fs::read_to_string(path).unwrap_or_default();
    assert!(document == markdown(), "run: countersign config print --markdown > docs/configuration.md");
}

#[test]
fn certificates_of_every_listener_are_loaded_and_the_key_of_a_wrong_one_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let [(cert, key), (_, other)] = ["a", "b"].map(|name| {
        let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        let (cert, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        (write(&format!("{name}-c.pem"), &cert), write(&format!("{name}-k.pem"), &key))
    });
    for section in ["http", "faces.rtcd", "faces.verto"] {
        let check = |cert: &str, key: &str| {
            let on = if section == "http" { "" } else { "enabled = true\n" };
            let text =
                format!("[{section}]\n{on}tls = \"files\"\ncert_file = {cert:?}\nkey_file = {key:?}\n");
            from_toml(&text).unwrap().check_certificates().map_err(|error| error.to_string())
        };
        assert_eq!(check(&cert, &key), Ok(()));
        let rows = [
            ("/nowhere", key.as_str(), format!("{section}.cert_file: /nowhere: No such file")),
            (&key, &key, format!("{section}.cert_file: {key}: expected a certificate chain in PEM form")),
            (&cert, "/nowhere", format!("{section}.key_file: /nowhere: No such file")),
            (&cert, &cert, format!("{section}.key_file: {cert}: expected a private key in PEM form")),
            (
                &cert,
                &other,
                format!("{section}.cert_file, {section}.key_file: the certificate cannot be used: "),
            ),
        ];
        for (cert, key, expected) in rows {
            let said = check(cert, key).unwrap_err();
            assert!(said.contains(&format!(": {expected}")), "{said}\n  not {expected}");
        }
    }
}
