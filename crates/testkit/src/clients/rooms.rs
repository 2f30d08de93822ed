//! A browser of the rooms face, without its media.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::{SinkExt, StreamExt};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::server::{TestServer, answer};

/// Longer than anything takes that is going to happen.
const PATIENCE: Duration = Duration::from_secs(20);

/// The keys of a browser, and the session that it redeemed.
pub struct Browser {
    pair: EcdsaKeyPair,
    /// What its media will show.
    pub fingerprint: String,
    /// The secret of its session.
    pub token: String,
    /// Its session.
    pub id: String,
}

impl Browser {
    /// Makes a browser that has redeemed nothing.
    pub fn new() -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let print = digest(&SHA256, pair.public_key().as_ref());
        let pairs: Vec<_> = print.as_ref().iter().map(|byte| format!("{byte:02X}")).collect();
        let fingerprint = format!("sha-256 {}", pairs.join(":"));
        Self { pair, fingerprint, token: String::new(), id: String::new() }
    }

    /// Makes a browser that has redeemed the invite.
    pub async fn join(server: &TestServer, invite: &str, name: &str) -> Self {
        let mut browser = Self::new();
        browser.redeem_as(server, invite, name).await;
        browser
    }

    /// Redeems the invite, and keeps what it gets.
    pub async fn redeem_as(&mut self, server: &TestServer, invite: &str, name: &str) {
        let (status, joined) = self.redeem(server, invite, name).await;
        assert_eq!(status, StatusCode::CREATED, "{joined}");
        self.token = joined["session_token"].as_str().unwrap().to_owned();
        self.id = joined["participant_id"].as_str().unwrap().to_owned();
    }

    /// Redeems; returns whatever the server says.
    pub async fn redeem(&self, server: &TestServer, invite: &str, name: &str) -> (StatusCode, Value) {
        let body = json!({
            "invite": invite, "name": name, "fingerprint": self.fingerprint, "public_key": self.public_key(),
        });
        answer(server.request(Method::POST, "/v1/rooms/redeem").json(&body)).await
    }

    /// The public half of the signing key, as text.
    pub fn public_key(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.pair.public_key())
    }

    /// Signs the hello of a socket.
    pub fn first_message(&self, hello: &Value) -> Value {
        let nonce = URL_SAFE_NO_PAD.decode(hello["nonce"].as_str().unwrap()).unwrap();
        let token = digest(&SHA256, self.token.as_bytes());
        let message = [b"countersign rooms v1 authenticate\0".as_slice(), &nonce, token.as_ref()].concat();
        let signature = self.pair.sign(&SystemRandom::new(), &message).unwrap();
        let signature = URL_SAFE_NO_PAD.encode(signature.as_ref());
        json!({"type": "authenticate", "session_token": self.token, "signature": signature})
    }

    /// Opens a socket and is welcomed; returns the welcome too.
    pub async fn enter(&self, server: &TestServer) -> (Socket, Value) {
        let mut socket = Socket::open(server).await;
        let hello = socket.next().await;
        socket.say(&self.first_message(&hello)).await;
        let welcome = socket.next().await;
        assert_eq!(welcome["type"], "welcome", "{welcome}");
        (socket, welcome)
    }
}

impl Default for Browser {
    fn default() -> Self {
        Self::new()
    }
}

/// A WebSocket of the rooms face.
pub struct Socket {
    stream: WebSocketStream<TcpStream>,
    /// Skipped by [`Socket::next_of`].
    pub skipped: VecDeque<Value>,
}

impl Socket {
    /// Opens one that is let in; nothing has been read from it.
    pub async fn open(server: &TestServer) -> Self {
        Self::open_from(server, [127, 0, 0, 1].into(), None).await.unwrap()
    }

    /// Opens one from this address of loopback, on a page of this origin.
    ///
    /// # Errors
    /// The status with which the server refused.
    pub async fn open_from(server: &TestServer, from: IpAddr, origin: Option<&str>) -> Result<Self, u16> {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::new(from, 0)).unwrap();
        // A client that does not read is noticed sooner.
        socket.set_recv_buffer_size(4_096).unwrap();
        let stream = socket.connect(server.address).await.unwrap();
        let mut request = format!("ws://{}/v1/rooms/ws", server.address).into_client_request().unwrap();
        if let Some(origin) = origin {
            request.headers_mut().insert("origin", origin.parse().unwrap());
        }
        match client_async(request, stream).await {
            Ok((stream, _)) => Ok(Self { stream, skipped: VecDeque::new() }),
            Err(tokio_tungstenite::tungstenite::Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    /// Says a message.
    pub async fn say(&mut self, message: &Value) {
        self.say_text(&message.to_string()).await;
    }

    /// Says any text.
    pub async fn say_text(&mut self, text: &str) {
        timeout(PATIENCE, self.stream.send(Message::text(text))).await.unwrap().unwrap();
    }

    /// Says any text; whether the server still takes it.
    pub async fn try_say(&mut self, text: &str) -> bool {
        matches!(timeout(PATIENCE, self.stream.send(Message::text(text))).await, Ok(Ok(())))
    }

    /// Closes, with this code if there is one.
    pub async fn close(&mut self, code: Option<u16>) {
        let frame = code.map(|code| CloseFrame { code: code.into(), reason: "done".into() });
        timeout(PATIENCE, self.stream.send(Message::Close(frame))).await.unwrap().unwrap();
    }

    /// Returns the next message.
    pub async fn next(&mut self) -> Value {
        match self.heard().await {
            Ok(message) => message,
            Err(code) => panic!("the socket was closed: {code:?}"),
        }
    }

    /// Returns the next message; never, once the socket is closed. May be dropped and called again without loss.
    pub async fn maybe_next(&mut self) -> Value {
        loop {
            match self.stream.next().await {
                Some(Ok(Message::Text(text))) => return serde_json::from_str(&text).unwrap(),
                Some(Ok(_)) => (),
                Some(Err(_)) | None => std::future::pending().await,
            }
        }
    }

    /// Returns the next message of this type.
    pub async fn next_of(&mut self, kind: &str) -> Value {
        loop {
            let message = self.next().await;
            if message["type"] == kind {
                return message;
            }
            self.skipped.push_back(message);
        }
    }

    /// Returns the next roster that has so many participants.
    pub async fn roster_of(&mut self, count: usize) -> Value {
        loop {
            let roster = self.next_of("roster").await;
            if roster["participants"].as_array().unwrap().len() == count {
                return roster;
            }
        }
    }

    /// Reads to the end; returns the last message and the close code.
    pub async fn end(&mut self) -> (Value, Option<u16>) {
        let mut last = Value::Null;
        loop {
            match self.heard().await {
                Ok(message) => last = message,
                Err(code) => return (last, code),
            }
        }
    }

    /// Returns the next message, or the code with which the socket was closed.
    async fn heard(&mut self) -> Result<Value, Option<u16>> {
        loop {
            let next = timeout(PATIENCE, self.stream.next()).await.expect("the server says nothing");
            match next {
                Some(Ok(Message::Text(text))) => return Ok(serde_json::from_str(&text).unwrap()),
                Some(Ok(Message::Close(frame))) => return Err(frame.map(|frame| frame.code.into())),
                Some(Ok(_)) => (),
                Some(Err(_)) | None => return Err(None),
            }
        }
    }
}
