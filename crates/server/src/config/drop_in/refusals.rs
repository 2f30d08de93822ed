//! What is refused, and in which words.

use super::names::NAMES;
use super::tests::{FILE_OFF, error, in_file, load};
use crate::config::{Tls, load_with_rtcd};

/// Section 5 of the reference: what rtcd refuses is refused in its words, after the place and the key.
#[test]
fn what_rtcd_refuses_is_refused_in_its_words() {
    let weeks = &[("RTCD_RTC_TURNCONFIG_STATICAUTHSECRET", "s")][..];
    type Refused<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], &'a str);
    let rows: [Refused<'_>; 41] = [
        (
            "api.http.listen_address",
            "\"\"",
            &[],
            "failed to validate http config: invalid ListenAddress value: should not be empty",
        ),
        (
            "api.http.listen_address",
            "\"8045\"",
            &[],
            "expected [host]:port, found \"8045\": there is no port",
        ),
        (
            "api.http.listen_address",
            "\":http\"",
            &[],
            "expected [host]:port, found \":http\": the port is no number",
        ),
        (
            "api.security.session_cache.expiration_minutes",
            "0",
            &[],
            "failed to create session cache: invalid ExpirationMinutes value: should be a positive number",
        ),
        (
            "rtc.ice_address_udp",
            "\"10.0.0.5, x\"",
            &[],
            "invalid ICEAddressUDP value: invalid ICEAddress value: x is not a valid IP address",
        ),
        (
            "rtc.ice_address_udp",
            "\"10.0.0.5,\"",
            &[],
            "invalid ICEAddressUDP value: invalid ICEAddress value:  is not a valid IP address",
        ),
        (
            "rtc.ice_address_tcp",
            "\"x\"",
            &[],
            "invalid ICEAddressTCP value: invalid ICEAddress value: x is not a valid IP address",
        ),
        ("rtc.ice_port_udp", "79", &[], "invalid ICEPortUDP value: 79 is not in allowed range [80, 49151]"),
        ("rtc.ice_port_udp", "-1", &[], "invalid ICEPortUDP value: -1 is not in allowed range [80, 49151]"),
        (
            "rtc.ice_port_tcp",
            "49152",
            &[],
            "invalid ICEPortTCP value: 49152 is not in allowed range [80, 49151]",
        ),
        ("rtc.ice_servers", "[{}]", &[], "invalid ICEServers value: invalid empty URLs"),
        ("rtc.ice_servers", "[\"\"]", &[], "invalid ICEServers value: invalid empty URL"),
        (
            "rtc.ice_servers",
            "[\"http://a\"]",
            &[],
            "invalid ICEServers value: URL is not a valid STUN/TURN server",
        ),
        (
            "rtc.ice_servers",
            "[{urls = [\"stun:a\", \"turn:a\"]}]",
            &[],
            "invalid ICEServers value: URL is not a valid STUN/TURN server",
        ),
        (
            "rtc.ice_servers",
            "[\"stun:a:0\"]",
            &[],
            "invalid ICEServers value: stun:a:0 names no host and port",
        ),
        (
            "rtc.ice_servers",
            "[1]",
            &[],
            "expected a list of URLs, or of tables with urls, username and credential (in a variable: as JSON), found something else",
        ),
        (
            "rtc.turn.credentials_expiration_minutes",
            "0",
            weeks,
            "invalid TURNConfig: invalid CredentialsExpirationMinutes value: should be a positive number",
        ),
        (
            "rtc.turn.credentials_expiration_minutes",
            "10080",
            weeks,
            "invalid TURNConfig: invalid CredentialsExpirationMinutes value: should be less than 1 week",
        ),
        (
            "rtc.ice_host_port_override",
            "79",
            &[],
            "invalid ICEHostPortOverride value: 79 is not in allowed range [80, 49151]",
        ),
        (
            "rtc.ice_host_port_override",
            "\"49152\"",
            &[],
            "invalid ICEHostPortOverride value: 49152 is not in allowed range [80, 49151]",
        ),
        (
            "rtc.ice_host_port_override",
            "\"x\"",
            &[],
            "invalid ICEHostPortOverride value: failed to parse mapping: invalid map pairing syntax",
        ),
        (
            "rtc.ice_host_port_override",
            "\"127.0.0.1/1/2\"",
            &[],
            "invalid ICEHostPortOverride value: failed to parse mapping: invalid map pairing syntax",
        ),
        (
            "rtc.ice_host_port_override",
            "\"127.0.0.1/x\"",
            &[],
            "invalid ICEHostPortOverride value: failed to parse mapping: failed to parse port number: \"x\" is no number",
        ),
        (
            "rtc.ice_host_port_override",
            "\"127.0.0.1/8443,127.0.0.1/8444\"",
            &[],
            "invalid ICEHostPortOverride value: failed to parse mapping: duplicate mapping found for 127.0.0.1",
        ),
        (
            "rtc.ice_host_port_override",
            "\"127.0.0.1/8443,127.0.0.2/8443\"",
            &[],
            "invalid ICEHostPortOverride value: failed to parse mapping: duplicate port found for 8443",
        ),
        (
            "rtc.ice_host_port_override",
            "\"here/8443\"",
            &[],
            "invalid ICEHostPortOverride value: failed to parse mapping: \"here\" is not a valid IP address",
        ),
        (
            "rtc.ice_host_override",
            "\"https://calls.example\"",
            &[],
            "expected pairs of IP addresses of one family, external/local, separated by commas, found \"https://calls.example\"",
        ),
        (
            "rtc.ice_host_override",
            "\"203.0.113.5:8443\"",
            &[],
            "expected an IP address, a host name, or pairs external/local of IP addresses separated by commas, found \"203.0.113.5:8443\"; a port belongs in rtc.ice_host_port_override",
        ),
        (
            "rtc.ice_host_override",
            "\"203.0.113.5/10.0.0.5,203.0.113.6\"",
            &[],
            "expected pairs of IP addresses of one family, external/local, separated by commas, found \"203.0.113.6\"",
        ),
        (
            "rtc.ice_host_override",
            "\"203.0.113.5/fd00::1\"",
            &[],
            "expected pairs of IP addresses of one family, external/local, separated by commas, found \"203.0.113.5/fd00::1\"",
        ),
        ("rtc.udp_sockets_count", "0", &[], "invalid UDPSocketsCount value: should be greater than 0"),
        ("rtc.nack_buffer_size", "16", &[], "invalid NACKBufferSize value: should be at least 32"),
        ("rtc.nack_buffer_size", "16384", &[], "invalid NACKBufferSize value: should not exceed 8192"),
        (
            "rtc.nack_buffer_size",
            "100",
            &[],
            "invalid NACKBufferSize value: must be a power of 2 (32, 64, 128, 256, 512, 1024, 2048, 4096, 8192)",
        ),
        ("rtc.nack_buffer_size", "65536", &[], "expected a whole number, 0 to 65535, found 65536"),
        ("store.data_source", "\"\"", &[], "invalid DataSource value: should not be empty"),
        ("logger.enable_console", "false", FILE_OFF, "should enable at least one logging target"),
        ("logger.console_level", "\"loud\"", &[], "invalid ConsoleLevel value \"loud\""),
        ("logger.file_level", "\"\"", &[], "invalid FileLevel value \"\""),
        ("logger.file_location", "\"\"", &[], "invalid FileLocation value: should not be empty"),
        ("rtc.enable_ipv6", "\"true\"", &[], "expected true or false, found something else"),
    ];
    for (key, written, others, expected) in rows {
        assert_eq!(error(&in_file(key, written), others), format!("rtcd.toml:2: {key}: {expected}"));
    }
    assert!(error("[rtc\n", &[]).starts_with("rtcd.toml:1: "));
    let nowhere = load_with_rtcd(None, Some("/nowhere/rtcd.toml".as_ref()), [], &[]).unwrap_err().to_string();
    assert!(nowhere.starts_with("/nowhere/rtcd.toml: cannot be read: "), "{nowhere}");
}

#[test]
fn what_must_be_there_together_is_named_in_rtcds_words() {
    let rows: [(&[(&str, &str)], &str); 5] = [
        (
            &[("RTCD_API_SECURITY_ENABLEADMIN", "true")],
            "RTCD_API_SECURITY_ENABLEADMIN: api.security.admin_secret_key: failed to validate admin config: \
             invalid AdminSecretKey value: should not be empty",
        ),
        (
            &[("RTCD_API_HTTP_TLS_ENABLE", "true"), ("RTCD_API_HTTP_TLS_CERTKEY", "/k")],
            "RTCD_API_HTTP_TLS_ENABLE: api.http.tls.cert_file: failed to validate http config: invalid TLS config: \
             invalid CertFile value: should not be empty",
        ),
        (
            &[("RTCD_API_HTTP_TLS_ENABLE", "true"), ("RTCD_API_HTTP_TLS_CERTFILE", "/c")],
            "RTCD_API_HTTP_TLS_ENABLE: api.http.tls.cert_key: failed to validate http config: invalid TLS config: \
             invalid CertKey value: should not be empty",
        ),
        (
            &[("RTCD_RTC_ICEADDRESSUDP", "fd00::1")],
            "RTCD_RTC_ICEADDRESSUDP: rtc.ice_address_udp, rtc.ice_address_tcp: no valid address to listen on was found: \
             all are IPv6, and rtc.enable_ipv6 is false",
        ),
        (
            &[("RTCD_RTC_ICESERVERS", "[]")],
            "RTCD_RTC_ICESERVERS: rtc.ice_servers: invalid ICEServers value: invalid empty URLs",
        ),
    ];
    for (variables, expected) in rows {
        assert_eq!(error("", variables), expected);
    }
}

/// Section 5 of the reference: security, http, RTC, store, logger; and the tokens' time when the service is made.
#[test]
fn of_several_faults_the_one_is_named_that_rtcd_looks_at_first() {
    let faults = [
        ("RTCD_API_SECURITY_ENABLEADMIN", "true"),
        ("RTCD_API_HTTP_LISTENADDRESS", ""),
        ("RTCD_API_HTTP_TLS_ENABLE", "true"),
        ("RTCD_RTC_ICEPORTUDP", "79"),
        ("RTCD_STORE_DATASOURCE", ""),
        ("RTCD_LOGGER_CONSOLELEVEL", "loud"),
        ("RTCD_API_SECURITY_SESSIONCACHE_EXPIRATIONMINUTES", "0"),
    ];
    for from in 0..faults.len() {
        let said = error("", &faults[from..]);
        assert!(said.starts_with(faults[from].0), "{said}\n  not {}", faults[from].0);
    }
}

/// Our own settings may give what rtcd's lack.
#[test]
fn what_our_own_settings_give_is_not_missed() {
    let ours =
        "[faces.rtcd]\nadmin_secret_key = \"0123456789abcdef\"\ncert_file = \"/c\"\nkey_file = \"/k\"\n";
    let rtcds = [("RTCD_API_SECURITY_ENABLEADMIN", "true"), ("RTCD_API_HTTP_TLS_ENABLE", "true")];
    let face = load("", ours, &rtcds).unwrap().rtcd.unwrap();
    assert!(face.admin_key.is_some() && matches!(face.tls, Tls::Files { .. }));
    let off = "[faces.rtcd]\ntls = \"self-signed\"\nenable_admin = false\n";
    let said = load("", off, &rtcds).unwrap_err().to_string();
    assert!(said.starts_with("RTCD_API_SECURITY_ENABLEADMIN: api.security.admin_secret_key: "), "{said}");
}

#[test]
fn a_number_or_a_flag_that_is_set_to_nothing_is_an_error_and_a_text_is_empty() {
    for name in NAMES {
        let refused = load("", "", &[(name.variable, "")]).map(drop).map_err(|error| error.to_string());
        let empty = format!("{}: {}: expected ", name.variable, name.key);
        let is_text = matches!(
            name.key.rsplit('.').next().unwrap(),
            "cert_file"
                | "cert_key"
                | "admin_secret_key"
                | "ice_address_udp"
                | "ice_address_tcp"
                | "ice_host_override"
                | "ice_host_port_override"
                | "static_auth_secret"
        );
        let must_not_be_empty = matches!(
            name.key.rsplit('.').next().unwrap(),
            "listen_address" | "data_source" | "console_level" | "file_level" | "file_location"
        );
        match refused {
            Ok(()) => assert!(is_text, "{}", name.variable),
            Err(error) if error.starts_with(&empty) => {
                assert!(
                    !is_text
                        && !must_not_be_empty
                        && error.ends_with("found nothing; unset it to have the default"),
                    "{error}"
                );
            }
            Err(error) => assert!(must_not_be_empty, "{error}"),
        }
    }
    // It hides what the file says.
    let file = in_file("rtc.ice_host_override", "\"203.0.113.5\"");
    assert_eq!(load(&file, "", &[]).unwrap().media.advertise.len(), 1);
    assert!(load(&file, "", &[("RTCD_RTC_ICEHOSTOVERRIDE", "")]).unwrap().media.advertise.is_empty());
}
