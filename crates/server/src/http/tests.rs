use std::{net::SocketAddr, path::Path, time::SystemTime};

use axum::{
    body::{Body, Bytes},
    routing::{get, post},
};
use backend::{AuditRecord, Outcome, Store};
use identity::{Secret, TokenKind, hash, mint};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::connections::Seats;
use super::{
    body::JsonBytes,
    health::{Health, guarded_metrics_routes, health_routes, open_metrics_routes},
    limits::Limits,
    listener::{Listening, bind, serve},
    peer::Peer,
    *,
};
use crate::{audit::Audit, services::Accounts};

const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

struct Stand {
    listening: Listening,
    health: Health,
    admin: Secret,
    url: String,
    store: Store,
    #[expect(dead_code, reason = "held: the store is in it")]
    folder: tempfile::TempDir,
}

impl Stand {
    async fn plain(proxy: Proxy) -> Self {
        Self::new(proxy, None).await
    }

    async fn new(proxy: Proxy, certificates: Option<&Path>) -> Self {
        let metrics = Arc::new(Metrics::new());
        let admin = mint(TokenKind::Admin, [7; 32]);
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store.db")).await.unwrap();
        let (audit, task) = Audit::new(store.clone());
        tokio::spawn(task.run());
        let kept = hash(TokenKind::Admin, &admin).unwrap();
        let accounts = Arc::new(Accounts::new(store.clone(), audit, kept));
        let health = Health::default();
        let socket = bind(ANY_PORT).unwrap();
        let scheme = if certificates.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{}", socket.local_addr().unwrap());
        let routes = Router::new()
            .route("/peer", get(async |peer: Peer| peer.address().to_string()))
            .route("/echo", post(async |JsonBytes(bytes): JsonBytes| bytes))
            .merge(crate::faces::console::assets::routes())
            .merge(health_routes(health.clone()))
            .merge(guarded_metrics_routes(Arc::clone(&metrics), accounts, Arc::new(Limits::new())));
        let routes = doors(routes, &PublicUrl::parse(&url).unwrap(), proxy, metrics);
        let names = ["127.0.0.1".to_owned(), "localhost".to_owned()];
        let tls = certificates.map(|folder| tls::self_signed(folder, &names, SystemTime::now()).unwrap());
        let listening = serve(socket, routes, tls, proxy, Seats::USUAL).unwrap();
        Self { listening, health, admin, url, store, folder }
    }

    async fn get(&self, path: &str) -> reqwest::Response {
        client(&[]).get(format!("{}{path}", self.url)).send().await.unwrap()
    }
}

/// Trusts these certificates only.
fn client(trusted: &[u8]) -> reqwest::Client {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(trusted) {
        roots.add(certificate.unwrap()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    reqwest::Client::builder().no_proxy().tls_backend_preconfigured(config).build().unwrap()
}

#[tokio::test]
async fn every_answer_forbids_what_pages_do_not_need() {
    let stand = Stand::plain(Proxy::Absent).await;
    for path in ["/", "/healthz", "/r/0123", "/nowhere/at/all", "/metrics"] {
        let answer = stand.get(path).await;
        let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        let policy = header("content-security-policy");
        for directive in
            ["default-src 'none'", "script-src 'self';", "style-src 'self';", "frame-ancestors 'none'"]
        {
            assert!(policy.contains(directive), "{path}: {policy}");
        }
        assert!(
            policy.contains(&format!("connect-src 'self' ws://{}", stand.listening.address())),
            "{policy}"
        );
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(header("referrer-policy"), "no-referrer", "{path}");
        assert_eq!(header("cross-origin-opener-policy"), "same-origin", "{path}");
        assert_eq!(header("x-request-id").len(), 16, "{path}");
        assert!(!answer.headers().contains_key("strict-transport-security"), "{path}: plain HTTP");
    }
}

#[tokio::test]
async fn errors_are_problems() {
    let stand = Stand::plain(Proxy::Absent).await;
    let echo = || client(&[]).post(format!("{}/echo", stand.url));
    let json = || echo().header("content-type", "application/json");
    let table = [
        (client(&[]).get(format!("{}/nowhere/at/all", stand.url)), 404, "not-found"),
        (client(&[]).get(format!("{}/%ff", stand.url)), 404, "not-found"),
        (client(&[]).get(format!("{}/assets/%ff", stand.url)), 404, "not-found"),
        (client(&[]).get(format!("{}/echo", stand.url)), 405, "method-not-allowed"),
        (echo().body("{}"), 415, "not-json"),
        (json().body(format!("\"{}\"", "x".repeat(9_000))), 413, "too-large"),
        (client(&[]).get(format!("{}/metrics", stand.url)), 401, "denied"),
    ];
    for (request, status, code) in table {
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), status);
        assert_eq!(answer.headers()["content-type"], "application/problem+json", "{code}");
        assert_eq!(answer.headers()["cache-control"], "no-store", "{code}");
        let problem: Value = answer.json().await.unwrap();
        assert_eq!(problem["type"], format!("urn:countersign:{code}"));
        assert_eq!(problem["status"], status);
    }
    assert_eq!(json().body("[1]").send().await.unwrap().text().await.unwrap(), "[1]");
}

#[tokio::test]
async fn a_body_that_does_not_come_is_given_up() {
    let routes = Router::new().route("/echo", post(async |JsonBytes(bytes): JsonBytes| bytes)).layer(
        middleware::from_fn_with_state(Patience { limit: Duration::from_millis(1), ..PATIENCE }, give_up),
    );
    let stalled = Body::from_stream(futures_util::stream::pending::<Result<Bytes, std::io::Error>>());
    let request = Request::post("/echo").header("content-type", "application/json").body(stalled).unwrap();
    let answer = tower::ServiceExt::oneshot(routes, request).await.unwrap();
    assert_eq!(answer.status(), 408);
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
}

#[tokio::test]
async fn health_ends_with_the_server() {
    let stand = Stand::plain(Proxy::Absent).await;
    let answer = stand.get("/healthz").await;
    assert_eq!((answer.status().as_u16(), answer.text().await.unwrap().as_str()), (200, "ok\n"));
    stand.health.stop();
    assert_eq!(stand.get("/healthz").await.status(), 503);
}

#[tokio::test]
async fn metrics_are_for_the_admin_token_and_guessing_is_limited() {
    let stand = Stand::plain(Proxy::Absent).await;
    let with = |token: &str| client(&[]).get(format!("{}/metrics", stand.url)).bearer_auth(token).send();
    stand.get("/healthz").await;
    let text = with(stand.admin.expose()).await.unwrap().text().await.unwrap();
    assert!(text.contains("route=\"/healthz\",status=\"200\"} 1"), "{text}");
    assert!(text.ends_with("# EOF\n"), "{text}");
    let wrong = mint(TokenKind::Admin, [8; 32]);
    let mut refused = 0;
    while with(wrong.expose()).await.unwrap().status() == 401 {
        refused += 1;
        assert!(refused < 100, "nobody stops the guessing");
    }
    let answer = with(wrong.expose()).await.unwrap();
    assert_eq!(answer.status(), 429);
    assert!(answer.headers().contains_key("retry-after"));
    assert_eq!(with(stand.admin.expose()).await.unwrap().status(), 200, "the right token always opens");
    let recorded = async |outcome| {
        let is_it = |record: &AuditRecord| {
            (record.entry.action.as_str(), record.entry.outcome) == ("admin.authenticate", outcome)
        };
        while !stand.store.audit_page(None, 200).await.unwrap().iter().any(is_it) {
            tokio::task::yield_now().await;
        }
    };
    for outcome in [Outcome::Accepted, Outcome::Refused] {
        tokio::time::timeout(Duration::from_secs(20), recorded(outcome)).await.expect("it is not on record");
    }
}

#[tokio::test]
async fn the_metrics_listener_asks_for_nothing_and_has_nothing_else() {
    let metrics = Arc::new(Metrics::new());
    let listening =
        serve(bind(ANY_PORT).unwrap(), open_metrics_routes(metrics), None, Proxy::Absent, Seats::USUAL)
            .unwrap();
    let get = |path: &str| client(&[]).get(format!("http://{}{path}", listening.address())).send();
    assert!(get("/metrics").await.unwrap().text().await.unwrap().contains("countersign_sessions 0"));
    assert_eq!(get("/healthz").await.unwrap().status(), 404);
}

#[tokio::test]
async fn the_proxy_says_who_the_client_is_only_when_trusted() {
    for (proxy, expected) in [(Proxy::Absent, "127.0.0.1"), (Proxy::Trusted, "198.51.100.7")] {
        let stand = Stand::plain(proxy).await;
        let request = client(&[]).get(format!("{}/peer", stand.url));
        let answer = request.header("x-forwarded-for", "10.0.0.1, 198.51.100.7").send().await.unwrap();
        assert_eq!(answer.text().await.unwrap(), expected);
    }
}

#[tokio::test]
async fn a_made_certificate_is_trusted_by_whoever_has_it_and_by_nobody_else() {
    let folder = tempfile::tempdir().unwrap();
    let stand = Stand::new(Proxy::Absent, Some(folder.path())).await;
    let certificate = std::fs::read(folder.path().join(tls::CERTIFICATE_FILE)).unwrap();
    let url = format!("{}/healthz", stand.url);
    let answer = client(&certificate).get(&url).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(answer.headers().contains_key("strict-transport-security"));
    assert!(client(&[]).get(&url).send().await.is_err());
    let plain = client(&[]).get(url.replacen("https", "http", 1)).send().await;
    assert!(plain.is_err(), "no plain HTTP on that port");
}

#[tokio::test]
async fn endless_headers_are_refused() {
    let stand = Stand::plain(Proxy::Absent).await;
    let mut stream = tokio::net::TcpStream::connect(stand.listening.address()).await.unwrap();
    let headers = format!("GET / HTTP/1.1\r\nhost: x\r\nendless: {}", "x".repeat(64 * 1_024));
    _ = stream.write_all(headers.as_bytes()).await;
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 431");
}

#[tokio::test]
async fn a_request_names_one_host() {
    let stand = Stand::plain(Proxy::Absent).await;
    for (request, expected) in [
        ("GET /healthz HTTP/1.1\r\n", "400"),
        ("GET /healthz HTTP/1.1\r\nhost: a\r\nhost: a\r\n", "400"),
        ("GET /healthz HTTP/1.1\r\nhost: a b\r\n", "400"),
        ("GET /healthz HTTP/1.1\r\nhost:\r\n", "200"),
        ("GET /healthz HTTP/1.1\r\nhost: [::1]:8045\r\n", "200"),
        ("GET /healthz HTTP/1.0\r\n", "200"),
    ] {
        let mut stream = tokio::net::TcpStream::connect(stand.listening.address()).await.unwrap();
        stream.write_all(format!("{request}connection: close\r\n\r\n").as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert_eq!(&answer[9..12], expected, "{request}{answer}");
    }
}

#[tokio::test]
async fn a_stopped_listener_takes_nobody_and_ends() {
    let mut stand = Stand::plain(Proxy::Absent).await;
    assert_eq!(stand.get("/healthz").await.status(), 200);
    stand.listening.stop_accepting(Duration::from_secs(5));
    stand.listening.ended().await;
    assert!(tokio::net::TcpStream::connect(stand.listening.address()).await.is_err());
}
