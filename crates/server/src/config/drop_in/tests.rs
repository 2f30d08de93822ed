use std::path::PathBuf;

use super::*;
use crate::config::{Checked, LogFormat, Proxy, Tls, load_with_rtcd};

pub(super) fn load(rtcd_file: &str, ours: &str, variables: &[(&str, &str)]) -> Result<Checked, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        (!text.is_empty()).then_some(path)
    };
    let (rtcds, ours) = (write("rtcd.toml", rtcd_file), write("ours.toml", ours));
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    load_with_rtcd(ours.as_deref(), rtcds.as_deref(), variables, &[])
}

/// The error, without the temporary folder of the file.
pub(super) fn error(rtcd_file: &str, variables: &[(&str, &str)]) -> String {
    let text = load(rtcd_file, "", variables).expect_err(rtcd_file).to_string();
    text.rsplit_once("/rtcd.toml").map_or(text.clone(), |(_, rest)| format!("rtcd.toml{rest}"))
}

/// One setting in the form of the file.
pub(super) fn in_file(key: &str, value: &str) -> String {
    match key.rsplit_once('.') {
        Some((section, name)) => format!("[{section}]\n{name} = {value}\n"),
        None => format!("{key} = {value}\n"),
    }
}

fn variable(key: &str) -> &'static str {
    names::name(key).unwrap().variable
}

/// What a setting changes: key, other settings that it needs, value in a variable, in the file, and what is seen then.
type Row = (
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static str,
    &'static str,
    fn(&Checked) -> String,
    &'static str,
);

fn rtcd(checked: &Checked) -> &crate::config::Rtcd {
    checked.rtcd.as_ref().unwrap()
}

fn files(checked: &Checked) -> String {
    match &rtcd(checked).tls {
        Tls::Files { cert, key } => format!("{} {}", cert.path.display(), key.path.display()),
        other => format!("{other:?}"),
    }
}

fn warned(checked: &Checked) -> String {
    let about = |warning: &String| {
        let (_, rest) = warning.split_once(": ")?;
        rest.split_once(" has no effect here: ").map(|(key, reason)| format!("{key} {}", !reason.is_empty()))
    };
    checked.warnings.iter().filter_map(about).collect::<Vec<_>>().join(",")
}

const TLS: &[(&str, &str)] = &[
    ("RTCD_API_HTTP_TLS_ENABLE", "true"),
    ("RTCD_API_HTTP_TLS_CERTFILE", "/c.pem"),
    ("RTCD_API_HTTP_TLS_CERTKEY", "/k.pem"),
];
const ADMIN: &[(&str, &str)] =
    &[("RTCD_API_SECURITY_ENABLEADMIN", "true"), ("RTCD_API_SECURITY_ADMINSECRETKEY", "0123456789abcdef")];
pub(super) const FILE_OFF: &[(&str, &str)] = &[("RTCD_LOGGER_ENABLEFILE", "false")];

const SECRET: &[(&str, &str)] = &[("RTCD_RTC_TURNCONFIG_STATICAUTHSECRET", "hunter2")];

const ROWS: [Row; 32] = [
    ("api.http.listen_address", &[], ":8046", "\":8046\"", |all| rtcd(all).listen.port().to_string(), "8046"),
    ("api.http.tls.enable", TLS, "1", "true", files, "/c.pem /k.pem"),
    ("api.http.tls.cert_file", TLS, "/d.pem", "\"/d.pem\"", files, "/d.pem /k.pem"),
    ("api.http.tls.cert_key", TLS, "/l.pem", "\"/l.pem\"", files, "/c.pem /l.pem"),
    (
        "api.security.enable_admin",
        ADMIN,
        "T",
        "true",
        |all| rtcd(all).admin_key.is_some().to_string(),
        "true",
    ),
    (
        "api.security.admin_secret_key",
        ADMIN,
        "fedcba9876543210",
        "\"fedcba9876543210\"",
        |all| rtcd(all).admin_key.as_ref().unwrap().expose().to_owned(),
        "fedcba9876543210",
    ),
    (
        "api.security.allow_self_registration",
        &[],
        "TRUE",
        "true",
        |all| rtcd(all).allow_self_registration.to_string(),
        "true",
    ),
    (
        "api.security.session_cache.expiration_minutes",
        &[],
        "5",
        "5",
        |all| rtcd(all).session_expiration.as_secs().to_string(),
        "300",
    ),
    (
        "rtc.ice_address_udp",
        &[],
        "10.0.0.5, 10.0.0.6",
        "\"10.0.0.5,10.0.0.6\"",
        |all| format!("{:?} {:?}", all.media.listen_udp, all.media.listen_tcp),
        "[10.0.0.5:8443, 10.0.0.6:8443] [10.0.0.5:8443, 10.0.0.6:8443]",
    ),
    (
        "rtc.ice_port_udp",
        &[],
        "8444",
        "8444",
        |all| format!("{:?} {:?}", all.media.listen_udp, all.media.listen_tcp),
        "[0.0.0.0:8444] [0.0.0.0:8443]",
    ),
    (
        "rtc.ice_address_tcp",
        &[("RTCD_RTC_ICEADDRESSUDP", "10.0.0.5")],
        "10.0.0.6",
        "\"10.0.0.6\"",
        |all| format!("{:?} {:?}", all.media.listen_udp, all.media.listen_tcp),
        "[10.0.0.5:8443] [10.0.0.6:8443]",
    ),
    (
        "rtc.ice_port_tcp",
        &[],
        "80",
        "80",
        |all| format!("{:?} {:?}", all.media.listen_udp, all.media.listen_tcp),
        "[0.0.0.0:8443] [0.0.0.0:80]",
    ),
    (
        "rtc.enable_ipv6",
        &[],
        "true",
        "true",
        |all| format!("{:?} {:?}", all.media.listen_udp, all.media.listen_tcp),
        "[0.0.0.0:8443, [::]:8443] [0.0.0.0:8443, [::]:8443]",
    ),
    (
        "rtc.ice_host_override",
        &[],
        "203.0.113.5/10.0.0.5,203.0.113.6/10.0.0.6",
        "\"203.0.113.5/10.0.0.5, 203.0.113.6/10.0.0.6\"",
        |all| format!("{:?}", all.media.advertise.iter().map(|one| one.local.unwrap()).collect::<Vec<_>>()),
        "[10.0.0.5, 10.0.0.6]",
    ),
    (
        "rtc.ice_host_port_override",
        &[],
        "443",
        "443",
        |all| format!("{:?}", all.media.advertise_port.clone().unwrap()),
        "Number(443)",
    ),
    (
        "rtc.ice_servers",
        &[],
        r#"["stun:a.example","stuns:b.example:99?x=y"]"#,
        r#"["stun:a.example", {urls = ["stuns:b.example:99?x=y"]}]"#,
        |all| all.media.stun.join(" "),
        "a.example:3478 b.example:99",
    ),
    (
        "rtc.turn.static_auth_secret",
        &[],
        "hunter2",
        "\"hunter2\"",
        warned,
        "rtc.turn.static_auth_secret true",
    ),
    (
        "rtc.turn.credentials_expiration_minutes",
        SECRET,
        "10",
        "10",
        warned,
        "rtc.turn.static_auth_secret true,rtc.turn.credentials_expiration_minutes true",
    ),
    ("rtc.udp_sockets_count", &[], "10", "10", warned, "rtc.udp_sockets_count true"),
    ("rtc.nack_buffer_size", &[], "0", "0", warned, "rtc.nack_buffer_size true"),
    ("rtc.nack_disable_copy", &[], "false", "false", warned, "rtc.nack_disable_copy true"),
    (
        "store.data_source",
        &[],
        "/srv/rtcd",
        "\"/srv/rtcd\"",
        |all| all.store_file.display().to_string(),
        "/srv/rtcd/countersign/countersign.sqlite",
    ),
    (
        "logger.enable_console",
        &[("RTCD_LOGGER_FILELEVEL", "WARN"), ("RTCD_LOGGER_CONSOLELEVEL", "DEBUG")],
        "false",
        "false",
        |all| all.log.level.to_string(),
        "warn",
    ),
    (
        "logger.console_json",
        &[],
        "true",
        "true",
        |all| (all.log.format == LogFormat::Json).to_string(),
        "true",
    ),
    ("logger.console_level", &[], "Fatal", "\"Fatal\"", |all| all.log.level.to_string(), "error"),
    ("logger.enable_file", &[], "true", "true", warned, "logger.enable_file true"),
    ("logger.file_json", &[], "true", "true", warned, "logger.file_json true"),
    ("logger.file_level", &[], "debug", "\"debug\"", warned, "logger.file_level true"),
    ("logger.file_location", &[], "rtcd.log", "\"rtcd.log\"", warned, "logger.file_location true"),
    ("logger.enable_color", FILE_OFF, "true", "true", warned, "logger.enable_color true"),
    // What need not be said is not said.
    (
        "rtc.turn.static_auth_secret",
        &[("RTCD_RTC_TURNCONFIG_CREDENTIALSEXPIRATIONMINUTES", "10")],
        "",
        "\"\"",
        warned,
        "",
    ),
    ("logger.enable_file", &[("RTCD_LOGGER_FILELEVEL", "INFO")], "false", "false", warned, ""),
];

#[test]
fn every_name_does_what_the_table_says_from_either_place() {
    for (key, others, value, written, seen, expected) in ROWS {
        let name = variable(key);
        let others: Vec<(&str, &str)> = others.iter().copied().filter(|(other, _)| *other != name).collect();
        let mut with = others.clone();
        with.push((name, value));
        let checked = load("", "", &with).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(seen(&checked), expected, "{name}");
        assert!(!format!("{:?}", checked.warnings).contains("hunter2"));
        let checked =
            load(&in_file(key, written), "", &others).unwrap_or_else(|error| panic!("{key}: {error}"));
        assert_eq!(seen(&checked), expected, "{key}");
        // The variable comes before the file.
        let nonsense = if written.starts_with(['"', '[']) { "\"nonsense\"" } else { "[\"nonsense\"]" };
        let checked =
            load(&in_file(key, nonsense), "", &with).unwrap_or_else(|error| panic!("{key}: {error}"));
        assert_eq!(seen(&checked), expected, "{key} and {name}");
    }
    for name in NAMES {
        assert!(ROWS.iter().any(|row| row.0 == name.key), "{} has no row", name.key);
    }
}

#[test]
fn names_are_rtcds_and_each_is_there_once() {
    for name in NAMES {
        // RTCD_, the sections, and the last part without underscores; two have names of their own.
        let plain = name.key.replace("_", "").replace('.', "_").to_uppercase();
        let expected = plain.replace("RTC_TURN_", "RTC_TURNCONFIG_");
        assert_eq!(name.variable, format!("RTCD_{expected}"));
        assert_eq!(NAMES.iter().filter(|other| other.key == name.key).count(), 1);
        assert!(!name.becomes.is_empty() && !name.becomes.contains('|'));
    }
    assert_eq!(NAMES.len(), 30);
}

#[test]
fn switches_and_strange_names_are_told_and_turn_nothing_on() {
    for (variable, expected) in [
        ("PERF_PROFILES", "PERF_PROFILES has no effect here: there are no profiles"),
        (
            "RTCD_RTC_DTLS_INSECURE_SKIP_HELLOVERIFY",
            "RTCD_RTC_DTLS_INSECURE_SKIP_HELLOVERIFY has no effect here: ",
        ),
        (
            "RTCD_RTC_ICEPORTUPD",
            "RTCD_RTC_ICEPORTUPD is no setting of rtcd's, and has no effect; did you mean RTCD_RTC_ICEPORTUDP?",
        ),
        ("RTCD_FROBNICATE", "RTCD_FROBNICATE is no setting of rtcd's, and has no effect"),
    ] {
        let checked = load("", "", &[(variable, "true")]).unwrap();
        assert!(checked.rtcd.is_none(), "{variable}");
        assert!(
            checked.warnings.len() == 1 && checked.warnings[0].starts_with(expected),
            "{:?}",
            checked.warnings
        );
    }
    // Of Kubernetes, beside a service with the name rtcd.
    let links = [
        ("RTCD_SERVICE_HOST", "10.0.0.1"),
        ("RTCD_PORT", "tcp://10.0.0.1:8045"),
        ("RTCD_PORT_8045_TCP", "x"),
    ];
    let checked = load("", "", &links).unwrap();
    assert!(checked.rtcd.is_none() && checked.warnings.is_empty());
    // T-CMD-03: another section is no error.
    let checked = load("[frobnicate]\nx = 1\n[rtc]\nice_port_upd = 1\n", "", &[]).unwrap();
    let warnings = checked.warnings.join("\n");
    assert!(warnings.contains(":2: frobnicate.x is no setting of rtcd's"), "{warnings}");
    assert!(
        warnings.contains(
            ":4: rtc.ice_port_upd is no setting of rtcd's, and has no effect; did you mean rtc.ice_port_udp?"
        ),
        "{warnings}"
    );
}

/// T-CMD-01, T-CMD-02, and the last of the order: any setting brings rtcd's defaults and the face.
#[test]
fn any_setting_of_rtcds_brings_its_defaults() {
    let none = load("", "", &[("PATH", "/bin")]).unwrap();
    assert!(none.rtcd.is_none() && none.media.listen_udp.len() == 2);
    for checked in [load("# nothing\n", "", &[]), load("", "", &[("RTCD_LOGGER_ENABLEFILE", "false")])] {
        let checked = checked.unwrap();
        let face = rtcd(&checked);
        assert!(face.listen.ip().is_unspecified() && face.listen.port() == 8045);
        assert_eq!(
            (&face.tls, face.proxy, face.session_expiration.as_secs()),
            (&Tls::Off, Proxy::Absent, 86_400)
        );
        assert!(!face.allow_self_registration && face.admin_key.is_none() && !face.open_metrics);
        let every = "0.0.0.0:8443".parse().unwrap();
        assert_eq!((&checked.media.listen_udp, &checked.media.listen_tcp), (&vec![every], &vec![every]));
        assert_eq!(checked.data_dir, PathBuf::from("./countersign-data"));
        assert_eq!(checked.http.listen.to_string(), "127.0.0.1:8080", "the main listener is ours");
        let plain =
            |warning: &&String| warning.starts_with("rtcd's default: the rtcd face is not encrypted on ");
        assert_eq!(checked.warnings.iter().filter(plain).count(), 1, "{:?}", checked.warnings);
    }
}

#[test]
fn variables_come_before_our_file_and_rtcds_file_after_it() {
    let rtcds = "[api.http]\nlisten_address = \"127.0.0.1:1\"\n[rtc]\nice_port_udp = 1001\nice_host_override = \"203.0.113.1\"\n\
                 [store]\ndata_source = \"/srv/rtcd\"\n";
    let ours = "data_dir = \"/srv/ours\"\n[faces.rtcd]\nlisten = \"127.0.0.1:2\"\n[media]\nlisten_udp = \"10.0.0.1:1002\"\n\
                advertise = \"203.0.113.2\"\n";
    let variables = [
        ("RTCD_API_HTTP_LISTENADDRESS", "127.0.0.1:3"),
        ("RTCD_RTC_ICEPORTUDP", "1003"),
        ("RTCD_RTC_ICEHOSTOVERRIDE", "203.0.113.3"),
        ("RTCD_STORE_DATASOURCE", "/srv/variable"),
    ];
    let seen = |checked: &Checked| {
        let advertise = checked.media.advertise[0].clone();
        let told = if advertise == crate::media::Advertise::parse("203.0.113.1").unwrap() {
            1
        } else if advertise == crate::media::Advertise::parse("203.0.113.2").unwrap() {
            2
        } else {
            3
        };
        let udp = checked.media.listen_udp[0].to_string();
        (rtcd(checked).listen.port(), udp, told, checked.data_dir.display().to_string())
    };
    let expected = |port, udp: &str, told, folder: &str| (port, udp.to_owned(), told, folder.to_owned());
    let rtcds_alone = load(rtcds, "", &[]).unwrap();
    assert_eq!(seen(&rtcds_alone), expected(1, "0.0.0.0:1001", 1, "/srv/rtcd/countersign"));
    let with_ours = load(rtcds, ours, &[]).unwrap();
    assert_eq!(seen(&with_ours), expected(2, "10.0.0.1:1002", 2, "/srv/ours"));
    let all = load(rtcds, ours, &variables).unwrap();
    assert_eq!(seen(&all), expected(3, "0.0.0.0:1003", 3, "/srv/variable/countersign"));
    // Before all of them, our own variable; and our file may say that there is no face.
    let mut with_own = variables.to_vec();
    with_own.push(("COUNTERSIGN__FACES__RTCD__LISTEN", "127.0.0.1:4"));
    assert_eq!(rtcd(&load(rtcds, ours, &with_own).unwrap()).listen.port(), 4);
    assert!(load(rtcds, "[faces.rtcd]\nenabled = false\n", &variables).unwrap().rtcd.is_none());
}

#[test]
fn rtcds_own_address_may_be_plain_and_its_key_short_and_ours_may_not() {
    let exposed = ("RTCD_API_HTTP_LISTENADDRESS", "203.0.113.5:8045");
    let checked = load("", "", &[exposed]).unwrap();
    assert_eq!(rtcd(&checked).tls, Tls::Off);
    assert!(checked.warnings.iter().any(|warning| {
        warning.starts_with("RTCD_API_HTTP_LISTENADDRESS: the rtcd face is not encrypted on 203.0.113.5:8045")
    }));
    let loopback = load("", "", &[("RTCD_API_HTTP_LISTENADDRESS", "localhost:8045")]).unwrap();
    assert_eq!((rtcd(&loopback).listen.to_string(), loopback.warnings.len()), ("127.0.0.1:8045".into(), 0));
    let proxied = load("", "[faces.rtcd]\ntrusted_proxy = true\n", &[exposed]).unwrap();
    assert!(proxied.warnings.is_empty(), "{:?}", proxied.warnings);
    let encrypted = load("", "[faces.rtcd]\ntls = \"self-signed\"\n", &[exposed]).unwrap();
    assert!(rtcd(&encrypted).tls == Tls::SelfSigned && encrypted.warnings.is_empty());
    // An address of ours is not rtcd's choice.
    let ours = "[faces.rtcd]\nlisten = \"203.0.113.5:8045\"\n";
    assert_eq!(rtcd(&load("", ours, FILE_OFF).unwrap()).tls, Tls::SelfSigned);
    let refused = load("", ours, &[("RTCD_API_HTTP_TLS_ENABLE", "false")]).unwrap_err().to_string();
    assert!(
        refused.starts_with("RTCD_API_HTTP_TLS_ENABLE: faces.rtcd.tls: \"off\" on 203.0.113.5:8045"),
        "{refused}"
    );
    // rtcd's files are left alone when we say something else.
    let written = "[api.http]\nlisten_address = \"203.0.113.5:8045\"\n[api.http.tls]\nenable = true\ncert_file = \"/c\"\ncert_key = \"/k\"\n";
    let mode = |ours: &str| rtcd(&load(written, ours, &[]).unwrap()).tls.clone();
    let Tls::Files { cert, key } = mode("") else { panic!("rtcd's own") };
    assert_eq!((cert.path, key.path), ("/c".into(), "/k".into()));
    assert_eq!(mode("[faces.rtcd]\ntls = \"self-signed\"\n"), Tls::SelfSigned);
    assert_eq!(mode("[faces.rtcd]\ntls = \"off\"\n"), Tls::Off);

    let admin = [("RTCD_API_SECURITY_ENABLEADMIN", "true"), ("RTCD_API_SECURITY_ADMINSECRETKEY", "hunter2")];
    let checked = load("", "", &admin).unwrap();
    assert_eq!(rtcd(&checked).admin_key.as_ref().unwrap().expose(), "hunter2");
    let said = checked.warnings.join("\n");
    assert!(
        said.contains("RTCD_API_SECURITY_ADMINSECRETKEY: the admin key has 7 bytes")
            && !said.contains("hunter2")
    );
    let ours = "[faces.rtcd]\nenable_admin = true\nadmin_secret_key = \"hunter2\"\n";
    assert!(
        load("", ours, FILE_OFF).unwrap_err().to_string().contains("expected a text of at least 16 bytes")
    );
    // Ours in a file comes before rtcd's file, and after rtcd's variable.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    std::fs::write(&path, "a key of a good length").unwrap();
    let ours = format!("[faces.rtcd]\nadmin_secret_key_file = \"{}\"\n", path.display());
    let file = "[api.security]\nenable_admin = true\nadmin_secret_key = \"hunter2\"\n";
    let key = |checked: Checked| rtcd(&checked).admin_key.as_ref().unwrap().expose().to_owned();
    assert_eq!(key(load(file, &ours, &[]).unwrap()), "a key of a good length");
    assert_eq!(key(load(file, &ours, &admin).unwrap()), "hunter2");
}

#[test]
fn nothing_is_kept_in_a_temporary_folder_and_a_store_of_rtcds_is_pointed_at() {
    for folder in ["/tmp/rtcd_db", "/var/tmp/x", "/dev/shm/x"] {
        let checked = load("", "", &[("RTCD_STORE_DATASOURCE", folder)]).unwrap();
        assert_eq!(checked.store_file, PathBuf::from("./countersign-data/countersign.sqlite"), "{folder}");
        let expected = format!("RTCD_STORE_DATASOURCE: store.data_source: {folder} is a temporary folder");
        assert!(
            checked.warnings.iter().any(|warning| warning.starts_with(&expected)),
            "{:?}",
            checked.warnings
        );
    }
    let store = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
    let path = store.path().to_str().unwrap();
    let points = |checked: &Checked| {
        checked.warnings.iter().filter(|warning| warning.contains("countersign import rtcd")).count()
    };
    let checked = load("", "", &[("RTCD_STORE_DATASOURCE", path)]).unwrap();
    assert_eq!((points(&checked), checked.data_dir), (0, store.path().join("countersign")));
    std::fs::write(store.path().join("000000000.data"), "").unwrap();
    assert_eq!(points(&load("", "", &[("RTCD_STORE_DATASOURCE", path)]).unwrap()), 1);
}

#[test]
fn overrides_are_advertised_with_what_else_there_is() {
    let told = |variables: &[(&str, &str)]| format!("{:?}", load("", "", variables).unwrap().media.advertise);
    let is = |entries: &[&str]| {
        format!(
            "{:?}",
            entries.iter().map(|text| crate::media::Advertise::parse(text).unwrap()).collect::<Vec<_>>()
        )
    };
    assert_eq!(told(&[("RTCD_RTC_ICEHOSTOVERRIDE", "203.0.113.5")]), is(&["203.0.113.5"]));
    assert_eq!(told(&[("RTCD_RTC_ICEHOSTOVERRIDE", "calls.example.org")]), is(&["calls.example.org"]));
    let both = [("RTCD_RTC_ICEHOSTOVERRIDE", "203.0.113.5"), ("RTCD_RTC_ENABLEIPV6", "true")];
    assert_eq!(told(&both), is(&["203.0.113.5", "local"]));
    let map = load("", "", &[("RTCD_RTC_ICEHOSTPORTOVERRIDE", "127.0.0.1/8443, fd00::1/8444")]).unwrap();
    let ports = map.media.advertise_port.unwrap();
    assert_eq!(ports.on(&["fd00::1".parse().unwrap()]), Some(8_444));
    // T-RC-03, T-RC-04: TURN among STUN is told, and not asked.
    let servers = r#"[{"urls":["turn:t:3478"],"username":"u","credential":"hunter2"},{"urls":["stun:s"]},{"urls":["turns:t"]}]"#;
    let checked = load("", "", &[("RTCD_RTC_ICESERVERS", servers)]).unwrap();
    assert_eq!(checked.media.stun, ["s:3478"]);
    let said = checked.warnings.join("\n");
    assert!(said.contains(
        "2 TURN entries (1 with credentials) are checked and not used: this server itself uses no relay"
    ));
    assert!(!said.contains("hunter2"));
    let nine: Vec<String> = (0..9).map(|number| format!("\"stun:s{number}\"")).collect();
    let checked = load("", "", &[("RTCD_RTC_ICESERVERS", &format!("[{}]", nine.join(",")))]).unwrap();
    assert!(
        checked.media.stun.len() == 8
            && checked.warnings.join("\n").contains("only the first 8 STUN servers")
    );
    let mixed = load("", "", &[("RTCD_RTC_ICEADDRESSUDP", "10.0.0.5,fd00::1")]).unwrap();
    assert_eq!(mixed.media.listen_udp, ["10.0.0.5:8443".parse().unwrap()]);
    assert!(mixed.warnings.join("\n").contains("fd00::1 is not listened on, since rtc.enable_ipv6 is false"));
    let year = load("", "", &[("RTCD_API_SECURITY_SESSIONCACHE_EXPIRATIONMINUTES", "9999999")]).unwrap();
    assert_eq!(rtcd(&year).session_expiration.as_secs(), 31_536_000);
}

/// T-CMD-04: every key at once, with rtcd's defaults where there are any. T-CMD-05: a variable comes before it.
#[test]
fn a_file_with_every_key_loads() {
    let file = "[api.http]\nlisten_address = \":8045\"\ntls.enable = false\ntls.cert_file = \"\"\ntls.cert_key = \"\"\n\
        [api.security]\nenable_admin = false\nadmin_secret_key = \"\"\nallow_self_registration = false\n\
        session_cache.expiration_minutes = 1440\n\
        [rtc]\nice_address_udp = \"\"\nice_port_udp = 8443\nice_address_tcp = \"\"\nice_port_tcp = 8443\nenable_ipv6 = false\n\
        ice_host_override = \"\"\nice_host_port_override = \"\"\nice_servers = []\nturn.static_auth_secret = \"\"\n\
        turn.credentials_expiration_minutes = 1440\nudp_sockets_count = 400\nnack_buffer_size = 256\nnack_disable_copy = true\n\
        [store]\ndata_source = \"/tmp/rtcd_db\"\n\
        [logger]\nenable_console = true\nconsole_json = false\nconsole_level = \"INFO\"\nenable_file = true\nfile_json = true\n\
        file_level = \"DEBUG\"\nfile_location = \"rtcd.log\"\nenable_color = true\n";
    for name in NAMES {
        let last = name.key.rsplit('.').next().unwrap();
        assert!(file.contains(&format!("{last} = ")), "{} is not in the file", name.key);
    }
    let checked = load(file, "", &[]).unwrap();
    let bare = load("# nothing\n", "", &[]).unwrap();
    let holds = |checked: &Checked| {
        format!("{:?} {:?} {:?} {:?}", checked.rtcd, checked.media, checked.log, checked.data_dir)
    };
    assert_eq!(holds(&checked), holds(&bare));
    let louder = load(file, "", &[("RTCD_LOGGER_CONSOLELEVEL", "DEBUG")]).unwrap();
    assert_eq!(louder.log.level.to_string(), "debug");
    assert!(load(file, "", &[("RTCD_LOGGER_FILELEVEL", "loud")]).is_err());
}

#[test]
fn the_document_has_the_table() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/faces/rtcd.md");
    let document = std::fs::read_to_string(path).unwrap_or_default();
    assert!(document.contains(&rtcd_markdown()), "docs/faces/rtcd.md should contain:\n{}", rtcd_markdown());
}
