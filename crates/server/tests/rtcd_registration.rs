//! Registration, login, Basic and Bearer of the rtcd face over real HTTP: everything that was captured from the real server, and what is
//! better than there.
#![allow(clippy::disallowed_methods, reason = "times are read from the clock")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use testkit::server::{TestServer, answer, http_client, http_client_from};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const ADMIN: &str = "admin_secret_key";
const KEY: &str = "Ey4-H_BJA00_TVByPi8DozE12ekN3S7L";
const OTHER_KEY: &str = "ey4-h_bja00_tvbypi8doze12ekn3s7l";

#[tokio::test]
async fn every_captured_exchange_is_answered_as_captured() {
    let vectors: Value =
        serde_json::from_str(include_str!("../../wire/tests/vectors/rtcd/http.json")).unwrap();
    let mut replay: Option<Replay> = None;
    let mut replayed = 0;
    for exchange in vectors["exchanges"].as_array().unwrap() {
        let settings = exchange["server_config"].as_str().unwrap();
        if replay.as_ref().is_none_or(|replay| replay.settings != settings) {
            replay = Some(Replay::start(settings).await);
        }
        let name = exchange["name"].as_str().unwrap();
        // Calls and their WebSocket are shown elsewhere.
        if ["ws:", "sessions:", "session:"].iter().any(|part| name.starts_with(part)) {
            continue;
        }
        replay.as_mut().unwrap().play(name, exchange).await;
        replayed += 1;
    }
    assert_eq!(replayed, 66);
}

/// A server with some of the captured settings, and the tokens that stand for the captured ones.
struct Replay {
    settings: String,
    server: TestServer,
    tokens: BTreeMap<String, String>,
}

impl Replay {
    async fn start(settings: &str) -> Self {
        let (admin, open) = match settings {
            "admin+self" => ("true", "true"),
            "admin" => ("true", "false"),
            "self" => ("false", "true"),
            "none" => ("false", "false"),
            other => panic!("{other}"),
        };
        let server = start(&[
            ("faces.rtcd.enable_admin", admin),
            ("faces.rtcd.allow_self_registration", open),
            ("faces.rtcd.open_metrics", "true"),
        ])
        .await;
        Self { settings: settings.into(), server, tokens: BTreeMap::new() }
    }

    async fn play(&mut self, name: &str, exchange: &Value) {
        let (request, captured) = (&exchange["request"], &exchange["response"]);
        let mut headers = BTreeMap::new();
        for (header, value) in request["headers"].as_object().unwrap() {
            let mut value = value.as_str().unwrap().to_owned();
            for (theirs, ours) in &self.tokens {
                value = value.replace(theirs, ours);
            }
            headers.insert(header.clone(), value);
        }
        let place = format!("{} / {name}", self.settings);
        if place == "admin / unregister: own" {
            // Captured after a client had registered it, which only the admin may here.
            let body = json!({"clientID": "clientC", "authKey": KEY}).to_string();
            let admin = BTreeMap::from([("Authorization".to_owned(), basic("", ADMIN))]);
            let made = raw(self.server.rtcd(), "POST", "/register", &admin, &body).await;
            assert_eq!(made.status, 201, "{}", made.body);
        }
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let (method, path) = (text(&request["method"]), text(&request["path"]));
        let found = raw(self.server.rtcd(), &method, &path, &headers, &text(&request["body"])).await;
        let same_body = self.compare(&place, captured, &found);
        self.compare_headers(&place, captured, &found, same_body);
    }

    /// Compares status and body; returns whether the body has the captured length.
    fn compare(&mut self, place: &str, captured: &Value, found: &Raw) -> bool {
        let status = captured["status"].as_u64().unwrap();
        let body = captured["body"].as_str().unwrap();
        let differs = |expected: u64, text: &str| {
            assert_eq!((u64::from(found.status), found.body.as_str()), (expected, text), "{place}");
            false
        };
        match place {
            "admin+self / pprof heap" | "admin+self / pprof goroutine" => {
                differs(404, "404 page not found\n")
            }
            // Only the admin registers others.
            "admin / register: by a registered client" => {
                differs(403, "{\"code\":\"403\",\"error\":\"registration not enabled\"}\n")
            }
            "admin+self / version" => {
                let (theirs, ours) = (keys(body), keys(&found.body));
                assert_eq!((u64::from(found.status), ours), (status, theirs), "{place}");
                false
            }
            "admin+self / system" => {
                let load: Value = serde_json::from_str(&found.body).unwrap();
                assert!(load["cpu_load"].as_f64().unwrap() > 0.0, "measured before the first request");
                false
            }
            "admin+self / metrics" => {
                assert_eq!(u64::from(found.status), status);
                assert!(found.body.contains("# TYPE rtcd_ws_connections_total gauge\n"), "{}", found.body);
                false
            }
            "admin+self / login" | "admin+self / login: first token" => {
                let token = |body: &str| -> String {
                    let body: Value = serde_json::from_str(body).unwrap();
                    assert_eq!((&body["code"], body.as_object().unwrap().len()), (&json!("200"), 2));
                    body["bearerToken"].as_str().unwrap().to_owned()
                };
                self.tokens.insert(token(body), token(&found.body));
                true
            }
            _ => {
                assert_eq!((u64::from(found.status), found.body.as_str()), (status, body), "{place}");
                true
            }
        }
    }

    fn compare_headers(&self, place: &str, captured: &Value, found: &Raw, same_body: bool) {
        let theirs = captured["headers"].as_object().unwrap();
        let theirs: BTreeMap<String, &str> =
            theirs.iter().map(|(name, value)| (name.to_lowercase(), value.as_str().unwrap())).collect();
        let names = |headers: &BTreeSet<String>| -> BTreeSet<String> {
            headers
                .iter()
                .filter(|name| !["connection", "content-length"].contains(&name.as_str()))
                .cloned()
                .collect()
        };
        let (ours, wanted) = (found.headers.keys().cloned().collect(), theirs.keys().cloned().collect());
        if !place.contains("pprof") {
            assert_eq!(names(&ours), names(&wanted), "{place}");
            assert_eq!(
                found.headers.get("content-type").map(String::as_str),
                theirs.get("content-type").copied()
            );
            assert_eq!(
                found.headers.get("location").map(String::as_str),
                theirs.get("location").copied(),
                "{place}"
            );
        }
        if same_body {
            assert_eq!(found.headers["content-length"], theirs["content-length"], "{place}");
        }
    }
}

#[tokio::test]
async fn clients_keys_and_tokens_survive_a_restart() {
    let server = start(&[("faces.rtcd.allow_self_registration", "true")]).await;
    let client = http_client();
    assert_eq!(
        register(&client, &server, "clientA").await,
        (StatusCode::CREATED, json!({"clientID": "clientA", "code": "201"}))
    );
    let (_, first) = log_in(&client, &server, "clientA", KEY).await;
    let (_, second) = log_in(&client, &server, "clientA", KEY).await;
    let server = server.restart().await;
    let tokens = [&first, &second].map(|answer| answer["bearerToken"].as_str().unwrap().to_owned());
    // Who names another client than itself has been believed.
    let names_another = async |request: reqwest::RequestBuilder| {
        answer(request.body(json!({"clientID": "other"}).to_string())).await.0
    };
    let ask = || client.post(url(&server, "/unregister"));
    assert_eq!(names_another(ask().basic_auth("clientA", Some(KEY))).await, StatusCode::FORBIDDEN);
    assert_eq!(names_another(ask().basic_auth("clientA", Some(OTHER_KEY))).await, StatusCode::UNAUTHORIZED);
    assert_eq!(names_another(ask().bearer_auth(&tokens[1])).await, StatusCode::FORBIDDEN);
    assert_eq!(names_another(ask().bearer_auth(&tokens[0])).await, StatusCode::UNAUTHORIZED, "replaced");
    let (status, said) = register(&client, &server, "clientA").await;
    assert_eq!(
        (status, &said["error"]),
        (StatusCode::BAD_REQUEST, &json!("registration failed: already registered"))
    );
    assert_eq!(log_in(&client, &server, "clientA", KEY).await.0, StatusCode::OK);
}

#[tokio::test]
async fn ten_clients_register_at_once_and_of_ten_with_one_id_one() {
    let server = start(&[("faces.rtcd.allow_self_registration", "true")]).await;
    let client = http_client();
    let each = |number: usize, id: String| {
        let body = json!({"clientID": id, "authKey": KEY}).to_string();
        let request = client.post(url(&server, "/register")).body(body);
        tokio::spawn(async move { (number, answer(request).await.0) })
    };
    let tries: Vec<_> = (0..20)
        .map(|number| each(number, if number < 10 { format!("client{number}") } else { "same".into() }))
        .collect();
    let mut made = BTreeMap::<bool, usize>::new();
    for one in tries {
        let (number, status) = one.await.unwrap();
        if status == StatusCode::CREATED {
            *made.entry(number < 10).or_default() += 1;
        }
    }
    assert_eq!(made, BTreeMap::from([(true, 10), (false, 1)]));
}

#[tokio::test]
async fn only_the_admin_registers_when_others_may_not_themselves() {
    let server = start(&[("faces.rtcd.enable_admin", "true")]).await;
    let client = http_client();
    let body = |id: &str| json!({"clientID": id, "authKey": KEY}).to_string();
    let ask = |id: &str| client.post(url(&server, "/register")).body(body(id));
    assert_eq!(answer(ask("a").basic_auth("", Some(ADMIN))).await.0, StatusCode::CREATED);
    let (_, logged) = log_in(&client, &server, "a", KEY).await;
    let token = logged["bearerToken"].as_str().unwrap();
    let rows = [
        ("nothing", ask("b"), 401),
        ("its own key", ask("b").basic_auth("a", Some(KEY)), 403),
        ("its token", ask("b").bearer_auth(token), 403),
        ("a beginning of the admin key", ask("b").basic_auth("", Some("admin_secret_ke")), 401),
        ("the admin key and more", ask("b").basic_auth("", Some("admin_secret_key_")), 401),
        ("no password", ask("b").basic_auth("", None::<&str>), 401),
        ("the admin key as a token", ask("b").bearer_auth(ADMIN), 401),
        ("the admin key", ask("b").basic_auth("whoever", Some(ADMIN)), 201),
    ];
    for (what, request, expected) in rows {
        assert_eq!(answer(request).await.0.as_u16(), expected, "{what}");
    }
    // The realm of the installation itself has no name that anybody could register.
    let installation = answer(ask("").basic_auth("", Some(ADMIN))).await;
    assert_eq!(installation.1["error"], "registration failed: error: empty key");
}

#[tokio::test]
async fn bodies_and_ids_are_bounded() {
    let server = start(&[("faces.rtcd.allow_self_registration", "true")]).await;
    let client = http_client();
    let post = async |path: &str, body: String| answer(client.post(url(&server, path)).body(body)).await;
    for path in ["/register", "/login"] {
        for length in [4_097, 100_000, 3_000_000] {
            let (status, said) = post(path, "x".repeat(length)).await;
            assert_eq!((status.as_u16(), &said["code"]), (413, &json!("413")), "{path} {length}");
        }
        let (status, _) = post(path, format!("{{\"clientID\":{}", "[".repeat(4_000))).await;
        assert_eq!(status.as_u16(), 400, "{path}");
    }
    let register = |id: String| post("/register", json!({"clientID": id, "authKey": KEY}).to_string());
    assert_eq!(register("x".repeat(64)).await.0, StatusCode::CREATED);
    let (status, said) = register("x".repeat(65)).await;
    assert_eq!(
        (status, &said["error"]),
        (StatusCode::BAD_REQUEST, &json!("registration failed: failed to set key: error: key too large"))
    );
    // What looks like a command to a database or to a terminal is an id like any other.
    for id in ["'; DROP TABLE realms; --", "a\u{0}b", "\u{1b}[2J", "ü", "<script>"] {
        let (status, said) = register(id.into()).await;
        assert_eq!((status, &said["clientID"]), (StatusCode::CREATED, &json!(id)));
        assert_eq!(log_in(&client, &server, id, KEY).await.0, StatusCode::OK, "{id:?}");
    }
}

#[tokio::test]
async fn who_sends_nothing_is_waited_for_as_long_as_by_rtcd_and_answered_in_its_form() {
    let server = start(&[("faces.rtcd.allow_self_registration", "true")]).await;
    let begun = Instant::now();
    let send = async |request: &str| {
        let mut socket = TcpStream::connect(server.rtcd()).await.unwrap();
        socket.write_all(request.as_bytes()).await.unwrap();
        socket
    };
    let read = async |mut socket: TcpStream| {
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.unwrap();
        (answer, begun.elapsed())
    };
    let idle = async { read(send("GET /version HTTP/1.1\r\nHost: a\r\n\r\n").await).await };
    let stalled = "POST /login HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{";
    let stalled = async { read(send(stalled).await).await };
    let cut_off = async {
        let mut socket = send("POST /register HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{").await;
        socket.shutdown().await.unwrap();
        read(socket).await
    };
    let broken = "POST /login HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n";
    let broken = async { read(send(broken).await).await };
    let (idle, stalled, cut_off, broken) = tokio::join!(idle, stalled, cut_off, broken);
    assert!(idle.0.starts_with("HTTP/1.1 200") && idle.1 > Duration::from_secs(25), "{idle:?}");
    assert!(stalled.1 > Duration::from_secs(25), "{stalled:?}");
    for (answer, fault) in [(stalled, "i/o timeout"), (cut_off, "unexpected EOF"), (broken, "unexpected EOF")]
    {
        let (head, body) = answer.0.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 400"), "{head}");
        assert_eq!(body, format!("{{\"code\":\"400\",\"error\":\"{fault}\"}}\n"));
    }
}

#[tokio::test]
async fn failures_are_refused_after_sixty_and_right_keys_never() {
    let server = start(&[("faces.rtcd.allow_self_registration", "true")]).await;
    let here = http_client();
    let elsewhere = http_client_from([127, 0, 0, 2].into());
    register(&here, &server, "clientA").await;
    let begun = Instant::now();
    let mut statuses = BTreeMap::<u16, u64>::new();
    // Tokens cost no time, so that the minute is not over before the measure is full.
    let bad_token = async || answer(here.post(url(&server, "/unregister")).bearer_auth("nope")).await;
    for _ in 0..400 {
        let (status, said) = bad_token().await;
        assert_eq!(said["code"], status.as_str());
        *statuses.entry(status.as_u16()).or_default() += 1;
    }
    // A measure of 60 that fills again by one a second.
    let most = 61 + begun.elapsed().as_secs();
    assert!((60..=most).contains(&statuses[&401]), "{statuses:?} {most}");
    assert_eq!(statuses[&401] + statuses[&429], 400);
    // Other failures of the address are refused too. A hash may take longer than it takes to be allowed one again, so tokens go on.
    let (mut late, mut tokens) = (Vec::new(), 400);
    for number in 0..6 {
        let body = json!({"clientID": format!("nobody{number}"), "authKey": KEY}).to_string();
        let answered = Cell::new(false);
        let login = async {
            let refused = here.post(url(&server, "/login")).body(body).send().await.unwrap();
            answered.set(true);
            refused
        };
        let meanwhile = async {
            while !answered.get() {
                bad_token().await;
                tokens += 1;
            }
        };
        let (refused, ()) = tokio::join!(login, meanwhile);
        let wait = refused.headers().get("retry-after").map(|wait| wait.to_str().unwrap().to_owned());
        late.push((refused.status().as_u16(), wait));
    }
    assert!(late.contains(&(429, Some("1".into()))), "{late:?}");
    assert_eq!(log_in(&elsewhere, &server, "clientA", OTHER_KEY).await.0.as_u16(), 400);
    for client in [&elsewhere, &here] {
        assert_eq!(log_in(client, &server, "clientA", KEY).await.0, StatusCode::OK);
    }
    let (mut counted, patience) = (0, Instant::now() + Duration::from_secs(10));
    while counted < tokens + 7 && Instant::now() < patience {
        counted = audit_counts(&server, "realm.authenticate", "refused").await
            + audit_counts(&server, "realm.login", "refused").await;
    }
    assert_eq!(counted, tokens + 6 + 1);
}

#[tokio::test]
async fn a_flood_on_one_id_does_not_delay_another_login() {
    let server = start(&[("faces.rtcd.allow_self_registration", "true")]).await;
    let client = http_client();
    register(&client, &server, "clientA").await;
    register(&client, &server, "clientB").await;
    let begun = Instant::now();
    assert_eq!(log_in(&client, &server, "clientB", OTHER_KEY).await.0, StatusCode::BAD_REQUEST);
    let alone = begun.elapsed();
    // After a restart no key is known yet: the first login has to be hashed amid the flood.
    let server = server.restart().await;
    let address = server.rtcd();
    let (answered, mut answers) = tokio::sync::mpsc::unbounded_channel();
    for _ in 0..200 {
        let (answered, client) = (answered.clone(), client.clone());
        tokio::spawn(async move {
            let body = json!({"clientID": "clientA", "authKey": OTHER_KEY}).to_string();
            let refused = client.post(format!("http://{address}/login")).body(body).send().await;
            let _ = answered.send(refused.is_ok());
        });
    }
    // The flood is there.
    answers.recv().await.unwrap();
    let mut slowest = Duration::ZERO;
    for _ in 0..20 {
        let begun = Instant::now();
        assert_eq!(log_in(&client, &server, "clientB", KEY).await.0, StatusCode::OK);
        slowest = slowest.max(begun.elapsed());
    }
    assert!(answers.len() < 199, "there was a flood all the time");
    // Sixty wrong keys are hashed, one after the other; on a busy machine each takes its time.
    assert!(slowest < Duration::from_secs(2).max(20 * alone), "{slowest:?}, {alone:?} without a flood");
}

#[tokio::test]
async fn an_unknown_id_takes_as_long_as_a_wrong_key() {
    let server = start(&[("faces.rtcd.allow_self_registration", "true")]).await;
    let client = http_client();
    register(&client, &server, "clientA").await;
    let took = async |id: &str| {
        let begun = Instant::now();
        let request = client.post(url(&server, "/unregister")).basic_auth(id, Some(OTHER_KEY));
        assert_eq!(answer(request).await.1["error"], "authentication failed", "the same words");
        begun.elapsed()
    };
    let (mut known, mut unknown) = (Duration::MAX, Duration::MAX);
    let alike = |known: Duration, unknown: Duration| known < unknown * 2 && unknown < known * 2;
    // In turn, and a busy machine needs more turns before each was once undisturbed; what is really faster stays so.
    for turn in 0..25 {
        known = known.min(took("clientA").await);
        unknown = unknown.min(took("clientX").await);
        if turn >= 5 && alike(known, unknown) {
            break;
        }
    }
    assert!(alike(known, unknown), "{known:?} {unknown:?}");
}

#[tokio::test]
async fn metrics_are_for_the_admin_unless_they_are_open() {
    let server =
        start(&[("faces.rtcd.enable_admin", "true"), ("faces.rtcd.allow_self_registration", "true")]).await;
    let client = http_client();
    register(&client, &server, "clientA").await;
    let ask = || client.get(url(&server, "/metrics"));
    assert_eq!(ask().send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    assert_eq!(
        ask().basic_auth("clientA", Some(KEY)).send().await.unwrap().status(),
        StatusCode::UNAUTHORIZED
    );
    let shown = ask().basic_auth("", Some(ADMIN)).send().await.unwrap();
    assert_eq!(shown.status(), StatusCode::OK);
    assert!(shown.text().await.unwrap().contains("rtcd_process_cpu_seconds_total "));
    // What people open is not here, and what clients ask is not there.
    for path in ["/healthz", "/v1/admin/rooms", "/debug/pprof/heap", "/index.html"] {
        let here = client.get(url(&server, path)).send().await.unwrap();
        assert_eq!(
            (here.status(), here.text().await.unwrap().as_str()),
            (StatusCode::NOT_FOUND, "404 page not found\n")
        );
    }
    let there = client.get(format!("http://{}/version", server.address)).send().await.unwrap();
    assert_ne!(there.headers()["content-type"], "application/json");
}

#[tokio::test]
async fn what_stands_in_the_place_of_write_times_is_told() {
    let server = TestServer::start_rtcd().await;
    let shown = http_client().get(url(&server, "/metrics")).send().await.unwrap().text().await.unwrap();
    assert!(shown.contains("# TYPE rtcd_rtc_rtp_tracks_writes_time histogram\n"));
    assert!(!shown.contains("rtcd_rtc_rtp_tracks_writes_time_"), "and no series of it");
    let own = server.admin(reqwest::Method::GET, "/metrics").send().await.unwrap().text().await.unwrap();
    for name in ["cpu_seconds", "send_lost", "tcp_dropped"] {
        assert!(
            own.contains(&format!("\ncountersign_media_shard_{name}_total{{shard=\"0\"}} ")),
            "{name}: {own}"
        );
    }
}

async fn start(more: &[(&str, &str)]) -> TestServer {
    let face = [
        ("faces.rtcd.enabled", "true"),
        ("faces.rtcd.listen", "127.0.0.1:0"),
        ("faces.rtcd.admin_secret_key", ADMIN),
    ];
    TestServer::start_with(&[&face[..], more].concat()).await
}

fn url(server: &TestServer, path: &str) -> String {
    format!("http://{}{path}", server.rtcd())
}

async fn register(client: &Client, server: &TestServer, id: &str) -> (StatusCode, Value) {
    let body = json!({"clientID": id, "authKey": KEY}).to_string();
    answer(client.post(url(server, "/register")).body(body)).await
}

async fn log_in(client: &Client, server: &TestServer, id: &str, key: &str) -> (StatusCode, Value) {
    let body = json!({"clientID": id, "authKey": key}).to_string();
    answer(client.post(url(server, "/login")).body(body)).await
}

/// Returns how often something was written down by now.
async fn audit_counts(server: &TestServer, action: &str, outcome: &str) -> u64 {
    let (_, page) = answer(server.admin(reqwest::Method::GET, "/v1/admin/audit?limit=200")).await;
    let records = page["records"].as_array().unwrap().iter();
    let alike = records.filter(|record| record["action"] == action && record["outcome"] == outcome);
    alike.map(|record| record["count"].as_u64().unwrap()).sum()
}

fn basic(name: &str, password: &str) -> String {
    wire::rtcd::authorization::Authorization::basic(name, password)
}

fn keys(body: &str) -> BTreeSet<String> {
    let body: Value = serde_json::from_str(body).unwrap();
    body.as_object().unwrap().keys().cloned().collect()
}

/// An answer as it came.
struct Raw {
    status: u16,
    headers: BTreeMap<String, String>,
    body: String,
}

/// Sends a request as it was captured, whatever a library would make of its path.
async fn raw(
    to: SocketAddr,
    method: &str,
    path: &str,
    headers: &BTreeMap<String, String>,
    body: &str,
) -> Raw {
    let mut socket = TcpStream::connect(to).await.unwrap();
    let mut request = format!("{method} {path} HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\n");
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() {
        request.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    socket.write_all(format!("{request}\r\n{body}").as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers = lines.map(|line| line.split_once(": ").unwrap());
    let headers = headers.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
    Raw { status, headers, body: body.to_owned() }
}
