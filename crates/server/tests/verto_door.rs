//! By which door a client of a verto channel comes: origins, cookies, the lease of its password, and the key that it holds. The numbers
//! in the names of tests are those of the list in `docs/faces/verto.md`.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "a test of a shell reads the clock")]

use std::time::{Duration, Instant};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::{Method, header};
use serde_json::{Value, json};
use testkit::clients::verto::{Credential, Socket, channel, issue, start};
use testkit::server::{TestServer, http_client};
use tokio::time::sleep;

const FAILURE: &str = "Authentication Failure";
const SESSION: &str = "5f0cba6e-2cc8-4b0e-a1f6-0d7d5c2f4a11";

/// A browser: what it was issued, and its cookie.
struct Visitor {
    credential: Credential,
    cookie: String,
}

impl Visitor {
    /// Asks for a credential, with the cookie of an earlier visit if there is one.
    async fn issue(server: &TestServer, channel: &str, body: &Value, cookie: Option<&str>) -> Self {
        let request = http_client().post(format!("http://{}/v1/channels/{channel}/clients", server.verto()));
        let request =
            cookie.into_iter().fold(request, |request, cookie| request.header(header::COOKIE, cookie));
        let response = request.json(body).send().await.unwrap();
        let set = response.headers().get(header::SET_COOKIE).map(|set| set.to_str().unwrap().to_owned());
        let set = set.map(|set| set.split(';').next().unwrap().to_owned());
        let cookie = set.or(cookie.map(str::to_owned)).unwrap();
        let made: Value = response.json().await.unwrap();
        let text = |member: &str| made[member].as_str().unwrap_or_else(|| panic!("{made}")).to_owned();
        let (client, password) = (text("clientId"), text("password"));
        Self { credential: Credential { channel: channel.to_owned(), client, password }, cookie }
    }

    /// Opens a socket from our own page with this cookie, and tries to log in.
    async fn log_in(&self, server: &TestServer, cookie: Option<&str>) -> (Socket, Value) {
        let origin = format!("http://{}", server.verto());
        let path = format!("/peers/{}/clients", self.credential.channel);
        let mut headers = vec![("origin", origin.as_str())];
        headers.extend(cookie.map(|cookie| ("cookie", cookie)));
        let mut socket = Socket::open_on(server.verto(), &path, &headers).await.unwrap();
        let answer = socket.ask("login", self.credential.login()).await;
        (socket, answer)
    }
}

fn is_in(answer: &Value) -> bool {
    assert!(answer["result"].is_object() || answer["error"]["message"] == FAILURE, "{answer}");
    answer["result"].is_object()
}

#[tokio::test]
async fn v62_a_socket_opens_for_the_channels_own_pages() {
    let server = start(&[]).await;
    let at = server.verto();
    let settings = json!({"cookie_binding": "required", "origins": ["https://site.example"]});
    let closed = channel(&server, settings).await;
    let open = channel(&server, json!({})).await;
    let own = format!("http://{at}");
    let rows = [
        (&closed, Some(own.as_str()), None),
        (&closed, Some("https://site.example"), None),
        (&closed, Some("https://evil.example"), Some(403)),
        (&closed, Some("null"), Some(403)),
        (&closed, None, Some(403)),
        (&open, None, None),
        (&open, Some("https://site.example"), Some(403)),
        (&"x".to_owned(), None, Some(404)),
        (&"00000000-0000-4000-8000-000000000000".to_owned(), None, Some(404)),
    ];
    for (channel, origin, expected) in rows {
        let headers: Vec<_> = origin.into_iter().map(|origin| ("origin", origin)).collect();
        let opened = Socket::open_on(at, &format!("/peers/{channel}/clients"), &headers).await;
        assert_eq!(opened.err(), expected, "{channel} {origin:?}");
    }
    for (origin, expected) in
        [(None, None), (Some("https://site.example"), None), (Some("https://evil.example"), Some(403))]
    {
        let headers: Vec<_> = origin.into_iter().map(|origin| ("origin", origin)).collect();
        assert_eq!(Socket::open_on(at, "/verto", &headers).await.err(), expected, "{origin:?}");
    }
    let client = issue(&server, &open, None).await;
    let headers = [("origin", "https://site.example")];
    let mut socket = Socket::open_on(at, "/verto", &headers).await.unwrap();
    assert!(!is_in(&socket.ask("login", client.login()).await), "the channel's own rule holds at the login");
    let headers = [("origin", own.as_str())];
    let mut socket = Socket::open_on(at, &format!("/peers/{closed}/clients"), &headers).await.unwrap();
    assert!(!is_in(&socket.ask("login", client.login()).await), "another channel's path");
}

#[tokio::test]
async fn what_opens_no_socket_is_a_problem() {
    let server = start(&[]).await;
    let channel = channel(&server, json!({})).await;
    for path in ["/verto".to_owned(), format!("/peers/{channel}/clients")] {
        for (method, expected, code) in [
            (Method::GET, 400, "malformed"),
            (Method::HEAD, 405, ""),
            (Method::POST, 405, "method-not-allowed"),
        ] {
            let request = http_client().request(method.clone(), format!("http://{}{path}", server.verto()));
            let response = request.send().await.unwrap();
            assert_eq!(response.status().as_u16(), expected, "{method} {path}");
            assert_eq!(
                response.headers()[header::CONTENT_TYPE],
                "application/problem+json",
                "{method} {path}"
            );
            if method != Method::HEAD {
                let problem: Value = response.json().await.unwrap();
                assert_eq!(problem["type"], format!("urn:countersign:problem:{code}"), "{method} {path}");
            }
        }
    }
}

#[tokio::test]
async fn v63_a_password_is_good_once_and_then_for_the_same_visitor_while_its_lease_lasts() {
    let server =
        start(&[("lease_seconds", 1), ("takeover_seconds", 1), ("login_failures_per_minute", 100)]).await;
    let channel = channel(&server, json!({"cookie_binding": "required"})).await;
    let body = json!({"sessionId": SESSION});
    let visitor = Visitor::issue(&server, &channel, &body, None).await;
    let other = Visitor::issue(&server, &channel, &json!({}), None).await;
    assert!(!is_in(&visitor.log_in(&server, Some(&other.cookie)).await.1), "fresh, and another's cookie");
    assert!(!is_in(&visitor.log_in(&server, None).await.1), "fresh, and no cookie");
    let (socket, answer) = visitor.log_in(&server, Some(&visitor.cookie)).await;
    assert!(is_in(&answer));
    drop(socket);
    assert!(!is_in(&visitor.log_in(&server, Some(&other.cookie)).await.1), "leased, and another's cookie");
    let (mut socket, answer) = visitor.log_in(&server, Some(&visitor.cookie)).await;
    assert!(is_in(&answer), "it comes back");
    sleep(Duration::from_millis(1_200)).await;
    socket.push().await;
    assert!(socket.is_quiet().await, "while it is connected no time is over");
    let newer = Visitor::issue(&server, &channel, &body, Some(&visitor.cookie)).await;
    assert_eq!(newer.credential.client, visitor.credential.client);
    assert!(socket.is_quiet().await, "a newer password does not end a live socket");
    assert!(!is_in(&visitor.log_in(&server, Some(&visitor.cookie)).await.1), "the older password is dead");
    let (newest, answer) = newer.log_in(&server, Some(&visitor.cookie)).await;
    assert!(is_in(&answer));
    assert_eq!(socket.last_words().await.1, Some(4001), "which the newer one ends by its login");
    drop(newest);
    let begun = Instant::now();
    sleep(Duration::from_millis(1_500)).await;
    assert!(!is_in(&newer.log_in(&server, Some(&visitor.cookie)).await.1), "{:?} later", begun.elapsed());
}

#[tokio::test]
async fn as_many_sockets_open_as_an_address_may_have() {
    let server = start(&[("sockets_per_address", 2)]).await;
    let at = server.verto();
    let first = Socket::open(at).await;
    let _second = Socket::open(at).await;
    assert_eq!(Socket::open_on(at, "/verto", &[]).await.err(), Some(503));
    drop(first);
    let begun = Instant::now();
    while Socket::open_on(at, "/verto", &[]).await.is_err() {
        assert!(begun.elapsed() < Duration::from_secs(5));
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_stolen_password_is_useless_without_the_key_that_it_is_bound_to() {
    let server = start(&[]).await;
    let channel = channel(&server, json!({})).await;
    let key = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
    let public = URL_SAFE_NO_PAD.encode(key.public_key());
    let visitor = Visitor::issue(&server, &channel, &json!({"proofKey": public}), None).await;
    let Credential { client, .. } = &visitor.credential;
    let (mut socket, answer) = visitor.log_in(&server, Some(&visitor.cookie)).await;
    assert!(!is_in(&answer), "the password and the cookie alone");
    let data = socket.ask("login", json!({})).await["error"]["data"].clone();
    assert_eq!(data["methods"], json!(["passwd", "pop-ed25519"]));
    let nonce = URL_SAFE_NO_PAD.decode(data["nonce"].as_str().unwrap()).unwrap();
    let signed = |nonce: &[u8]| {
        let origin = format!("http://{}", server.verto());
        let text = format!("{channel}\0{client}\0{origin}\0");
        let message = [b"countersign verto v1 login\0", nonce, text.as_bytes()].concat();
        let mut params = visitor.credential.login();
        params["loginParams"] = json!({"signature": URL_SAFE_NO_PAD.encode(key.sign(&message))});
        params
    };
    assert!(!is_in(&socket.ask("login", signed(&[0; 32])).await), "another connection's nonce");
    assert!(is_in(&socket.ask("login", signed(&nonce)).await));
    let ben = issue(&server, &channel, None).await;
    let mut bens = Socket::member(server.verto(), &ben).await;
    let msg = json!({"to": ben.client, "body": "x"});
    socket.ask("verto.info", json!({"msg": msg, "signature": "over my fingerprint"})).await;
    let heard = bens.push().await;
    assert_eq!(heard["params"]["signature"], "over my fingerprint");
    assert_eq!(heard["params"]["key"], json!(public), "the key is told by the server");
    bens.ask("verto.info", json!({"msg": {"to": client, "body": "x"}, "signature": "mine"})).await;
    socket.push().await;
    assert!(socket.push().await["params"].get("signature").is_none(), "who has no key signs nothing");
}
