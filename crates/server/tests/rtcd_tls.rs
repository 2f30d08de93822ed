//! The rtcd face over TLS: each sentence of rtcd's security page, with a certificate from files as an operator has them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use reqwest::StatusCode;
use serde_json::{Value, json};
use server::Server;
use server::config::{Override, load};
use sfu::Source;
use testkit::certificate::CertificateFiles;
use testkit::clients::rtcd::{By, Party, Plugin, User};
use testkit::server::{TestServer, answer, http_client, tls_client};
use wire::rtcd::Tracked;

const KEY: &str = "Ey4-H_BJA00_TVByPi8DozE12ekN3S7L";
const OTHER_KEY: &str = "ey4-h_bja00_tvbypi8doze12ekn3s7l";
const REALM: &str = "mattermost";
const CALL: &str = "call";

#[tokio::test]
async fn registration_login_basic_and_bearer_work_over_tls() {
    let server = start(&[("faces.rtcd.tls", "self-signed")]).await;
    let pem = std::fs::read(server.data().join("tls-cert.pem")).unwrap();
    let client = tls_client(&pem);
    let url = |path: &str| format!("https://{}{path}", server.rtcd());
    let body = json!({"clientID": "clientA", "authKey": KEY}).to_string();
    assert_eq!(answer(client.post(url("/register")).body(body.clone())).await.0, StatusCode::CREATED);
    let (_, logged) = answer(client.post(url("/login")).body(body)).await;
    let token = logged["bearerToken"].as_str().unwrap();
    let other = json!({"clientID": "other"}).to_string();
    let ask = || client.post(url("/unregister")).body(other.clone());
    assert_eq!(answer(ask().basic_auth("clientA", Some(KEY))).await.0, StatusCode::FORBIDDEN);
    assert_eq!(answer(ask().bearer_auth(token)).await.0, StatusCode::FORBIDDEN);
    assert_eq!(answer(client.get(url("/version"))).await.0, StatusCode::OK);
    // Nothing is said to who does not encrypt.
    let plain = http_client().get(format!("http://{}/version", server.rtcd())).send().await;
    assert!(plain.is_err());
}

#[tokio::test]
async fn the_whole_security_page_holds_over_tls() {
    let files = CertificateFiles::new();
    let server = as_rtcd(&files).await;
    let client = tls_client(&files.root);
    let base = format!("https://localhost:{}", server.rtcd().port());
    let post = |path: &str, body: Value| client.post(format!("{base}{path}")).body(body.to_string());
    let credentials = |key: &str| json!({"clientID": "clientA", "authKey": key});
    // Registration: JSON, 201 and JSON; what is kept is a hash, of one's own id alone.
    assert_eq!(
        answer(post("/register", credentials(KEY))).await,
        (StatusCode::CREATED, json!({"clientID": "clientA", "code": "201"}))
    );
    let again = answer(post("/register", credentials(OTHER_KEY))).await;
    assert_eq!(again.1["error"], "registration failed: already registered");
    let (mut kept, mut hashed) = (Vec::new(), false);
    for file in std::fs::read_dir(server.data()).unwrap() {
        kept = std::fs::read(file.unwrap().path()).unwrap_or_default();
        let has = |text: &[u8]| kept.windows(text.len()).any(|part| part == text);
        assert!(!has(KEY.as_bytes()), "the key itself is nowhere");
        hashed |= has(b"$2") && has(b"clientA");
    }
    assert!(hashed && !kept.is_empty());
    // Authentication: Basic, and a Bearer token by login.
    let other = || post("/unregister", json!({"clientID": "other"}));
    let (_, logged) = answer(post("/login", credentials(KEY))).await;
    let token = logged["bearerToken"].as_str().unwrap();
    let beheaded = &token[1..];
    let rows = [
        ("its key", other().basic_auth("clientA", Some(KEY)), 403),
        ("another key", other().basic_auth("clientA", Some(OTHER_KEY)), 401),
        ("another id", other().basic_auth("clientB", Some(KEY)), 401),
        ("no credential", other(), 401),
        ("its token", other().bearer_auth(token), 403),
        ("another token", other().bearer_auth(beheaded), 401),
    ];
    for (what, request, expected) in rows {
        assert_eq!(answer(request).await.0.as_u16(), expected, "{what}");
    }
    assert_eq!(answer(post("/login", credentials(OTHER_KEY))).await.0.as_u16(), 400);
    // The WebSocket that relays descriptions and candidates.
    let at = server.rtcd();
    let mut plugin = Plugin::open_over_tls(at, &files.root, "clientA", KEY).await.unwrap();
    assert_eq!(Plugin::open_over_tls(at, &files.root, "clientA", OTHER_KEY).await.err(), Some(401));
    assert_eq!(Plugin::open_over_tls(at, &files.root, "clientB", KEY).await.err(), Some(401));
    // The end of all of it.
    let gone = post("/unregister", json!({"clientID": "clientA"})).bearer_auth(token);
    assert_eq!(answer(gone).await, (StatusCode::OK, json!({"code": "200"})));
    assert_eq!(plugin.next().await, Err(Some(1008)));
    assert_eq!(answer(other().bearer_auth(token)).await.0.as_u16(), 401);
}

#[tokio::test]
async fn descriptions_and_candidates_are_relayed_over_tls() {
    let files = CertificateFiles::new();
    let server = as_rtcd(&files).await;
    let (at, key) = (server.rtcd(), "k".repeat(32));
    let register = tls_client(&files.root).post(format!("https://localhost:{}/register", at.port()));
    let body = json!({"clientID": REALM, "authKey": key});
    assert_eq!(register.json(&body).send().await.unwrap().status(), 201);
    assert_eq!(Plugin::open_over_tls(at, &files.root, REALM, &"x".repeat(32)).await.err(), Some(401));
    let mut party = Party::new(REALM, Plugin::open_over_tls(at, &files.root, REALM, &key).await.unwrap());
    for session in ["ana", "ben"] {
        party.enter(CALL, session, By::Plugin).await;
    }
    party.play_until("both are in", |party| party.users.values().all(User::is_in)).await;
    assert!(party.users.values().all(|user| user.candidates.len() >= 2));
    party.publish("ana", &[Source::Voice]);
    party.play_until("she is heard", |party| party.heard("ben", "ana", Tracked::Voice) > 20).await;
}

#[tokio::test]
async fn files_that_are_no_certificate_and_its_key_stop_the_start() {
    let (files, others) = (CertificateFiles::new(), CertificateFiles::new());
    let nowhere = files.chain().with_file_name("nowhere.pem");
    let rows = [
        ("no such file", &nowhere, &files.key(), "nowhere.pem: No such file"),
        ("a key for a certificate", &files.key(), &files.key(), "key.pem: expected a certificate chain"),
        ("a certificate for a key", &files.chain(), &files.chain(), "chain.pem: expected a private key"),
        ("the key of another", &files.chain(), &others.key(), "the certificate cannot be used"),
    ];
    for (what, chain, key, expected) in rows {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let flags = [
            ("data_dir", data.to_str().unwrap()),
            ("http.listen", "127.0.0.1:0"),
            ("media.listen_udp", "127.0.0.1:0"),
            ("media.listen_tcp", "127.0.0.1:0"),
            ("faces.rtcd.enabled", "true"),
            ("faces.rtcd.listen", "127.0.0.1:0"),
            ("faces.rtcd.tls", "files"),
            ("faces.rtcd.cert_file", chain.to_str().unwrap()),
            ("faces.rtcd.key_file", key.to_str().unwrap()),
        ];
        let flags =
            flags.map(|(key, value)| Override { key: key.into(), value: value.into(), flag: key.into() });
        let refused = Server::start(load(None, [], &flags).unwrap()).await.map(|_| ()).unwrap_err();
        assert!(refused.to_string().contains(expected), "{what}: {refused}");
    }
}

async fn start(more: &[(&str, &str)]) -> TestServer {
    let face = [
        ("faces.rtcd.enabled", "true"),
        ("faces.rtcd.listen", "127.0.0.1:0"),
        ("faces.rtcd.allow_self_registration", "true"),
    ];
    TestServer::start_with(&[&face[..], more].concat()).await
}

/// Starts with rtcd's own variables, as a container of rtcd has them.
async fn as_rtcd(files: &CertificateFiles) -> TestServer {
    let (chain, key) = (files.chain(), files.key());
    let variables = [
        ("RTCD_API_HTTP_TLS_ENABLE", "true"),
        ("RTCD_API_HTTP_TLS_CERTFILE", chain.to_str().unwrap()),
        ("RTCD_API_HTTP_TLS_CERTKEY", key.to_str().unwrap()),
        ("RTCD_API_SECURITY_ALLOWSELFREGISTRATION", "true"),
    ];
    TestServer::start_with_variables(&variables, &[("faces.rtcd.listen", "127.0.0.1:0")]).await
}
