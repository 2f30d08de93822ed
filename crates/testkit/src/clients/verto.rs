//! A client of a verto channel, frame by frame: JSON-RPC over a WebSocket. Every frame that it hears is read by a strict parser.

use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::{SinkExt, StreamExt};
use reqwest::{Method, StatusCode};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::server::{TestServer, answer};

/// Longer than anything takes that is going to happen.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a client was issued.
#[derive(Debug, Clone)]
pub struct Credential {
    /// Of which channel.
    pub channel: String,
    /// Who.
    pub client: String,
    /// Its password.
    pub password: String,
}

impl Credential {
    /// Returns the parameters of a `login`.
    pub fn login(&self) -> Value {
        json!({"login": self.client, "passwd": self.password})
    }

    /// The same, with a session ID.
    pub fn login_as(&self, sessid: &str) -> Value {
        json!({"login": self.client, "passwd": self.password, "sessid": sessid})
    }
}

/// Starts a server with the verto face and these of its limits.
pub async fn start(limits: &[(&str, u32)]) -> TestServer {
    let keys: Vec<_> =
        limits.iter().map(|(key, value)| (format!("limits.{key}"), value.to_string())).collect();
    let more: Vec<_> = keys.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    TestServer::start_verto(&more).await
}

/// Makes a channel for clients without cookies, with other settings besides; returns its ID.
pub async fn channel(server: &TestServer, more: Value) -> String {
    let mut settings = json!({"admission": "open", "cookie_binding": "optional", "content": "opaque"});
    settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    server.create_channel(&settings).await
}

/// Issues a client of a channel, for this session ID if there is one.
pub async fn issue(server: &TestServer, channel: &str, session: Option<&str>) -> Credential {
    let body = session.map_or(json!({}), |session| json!({"sessionId": session}));
    let path = format!("/v1/admin/channels/{channel}/clients");
    let (status, made) = answer(server.admin(Method::POST, &path).json(&body)).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let text = |member: &str| made[member].as_str().unwrap().to_owned();
    Credential { channel: channel.to_owned(), client: text("clientId"), password: text("password") }
}

/// One socket.
pub struct Socket {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    asked: u64,
    /// What came while something else was awaited.
    pushed: VecDeque<Value>,
}

impl Socket {
    /// Opens a socket on `/verto`.
    pub async fn open(server: SocketAddr) -> Self {
        Self::open_on(server, "/verto", &[]).await.unwrap()
    }

    /// Opens a socket on this path, with these headers.
    ///
    /// # Errors
    /// The status with which the server refused.
    pub async fn open_on(
        server: SocketAddr,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, u16> {
        let mut request = format!("ws://{server}{path}").into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        match connect_async(request).await {
            Ok((stream, _)) => Ok(Self { stream, asked: 0, pushed: VecDeque::new() }),
            Err(Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    /// Opens a socket, logs in and hears that it may go on.
    pub async fn member(server: SocketAddr, credential: &Credential) -> Self {
        let mut socket = Self::open(server).await;
        let answer = socket.ask("login", credential.login()).await;
        assert_eq!(answer["result"]["message"], "logged in", "{answer}");
        assert_eq!(socket.push().await["method"], "verto.clientReady");
        socket
    }

    /// The same, and subscribes to the whole channel.
    pub async fn listener(server: SocketAddr, credential: &Credential) -> Self {
        let mut socket = Self::member(server, credential).await;
        let answer = socket.ask("verto.subscribe", json!({"eventChannel": credential.channel})).await;
        assert_eq!(answer["result"]["subscribedChannels"], json!([credential.channel]), "{answer}");
        socket
    }

    /// Sends a text frame; a server that closes may not take it.
    pub async fn say(&mut self, text: impl Into<String>) {
        self.send(Message::text(text.into())).await;
    }

    /// Sends any frame; a server that closes may not take it.
    pub async fn send(&mut self, message: Message) {
        let _ = timeout(PATIENCE, self.stream.send(message)).await.expect("the server does not read");
    }

    /// Sends a request; returns its id.
    pub async fn request(&mut self, method: &str, params: Value) -> u64 {
        self.asked += 1;
        let id = self.asked;
        self.say(json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).to_string()).await;
        id
    }

    /// Sends a request and waits for its answer; pushes are kept.
    pub async fn ask(&mut self, method: &str, params: Value) -> Value {
        let id = self.request(method, params).await;
        self.answer(&json!(id)).await
    }

    /// Waits for the answer with this id; pushes are kept.
    pub async fn answer(&mut self, id: &Value) -> Value {
        loop {
            let heard = self.next().await.unwrap_or_else(|code| panic!("closed: {code:?}"));
            if heard.get("method").is_none() && heard["id"] == *id {
                return heard;
            }
            self.pushed.push_back(heard);
        }
    }

    /// Waits for the next push.
    pub async fn push(&mut self) -> Value {
        match self.pushed.pop_front() {
            Some(pushed) => pushed,
            None => self.next().await.unwrap_or_else(|code| panic!("closed: {code:?}")),
        }
    }

    /// Returns the next frame; or the code with which the server closed, if it gave one.
    ///
    /// # Errors
    /// The close code.
    pub async fn next(&mut self) -> Result<Value, Option<u16>> {
        timeout(PATIENCE, self.maybe_next()).await.expect("the server says nothing")
    }

    /// The same, for as long as it takes. May be dropped and called again without loss.
    ///
    /// # Errors
    /// As [`Socket::next`].
    pub async fn maybe_next(&mut self) -> Result<Value, Option<u16>> {
        loop {
            match self.stream.next().await {
                Some(Ok(Message::Text(text))) => return Ok(strict(&text)),
                Some(Ok(Message::Close(frame))) => return Err(frame.map(|frame| frame.code.into())),
                Some(Ok(_)) => (),
                Some(Err(_)) | None => return Err(None),
            }
        }
    }

    /// Returns the next frame of whatever kind.
    pub async fn raw(&mut self) -> Option<Message> {
        self.stream.next().await?.ok()
    }

    /// Waits until the server closes; returns what it said before, and its code.
    pub async fn last_words(&mut self) -> (Vec<Value>, Option<u16>) {
        let mut words = Vec::from(std::mem::take(&mut self.pushed));
        loop {
            match self.next().await {
                Ok(heard) => words.push(heard),
                Err(code) => return (words, code),
            }
        }
    }

    /// Returns whether the server has nothing to say: it answers an echo, and nothing else comes before or in some time after.
    pub async fn is_quiet(&mut self) -> bool {
        let answer = self.ask("echo", json!({"still": "here"})).await;
        assert_eq!(answer["result"]["still"], "here", "{answer}");
        let waited = timeout(Duration::from_millis(100), self.maybe_next()).await;
        self.pushed.is_empty() && waited.is_err()
    }
}

/// Returns the base64 of a JSON object, as tessercat's clients write it.
pub fn packed(object: &Value) -> String {
    STANDARD.encode(object.to_string())
}

/// Reads JSON in which no object names a member twice.
pub fn strict(text: &str) -> Value {
    let Strict = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    serde_json::from_str(text).unwrap()
}

struct Strict;

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self, A::Error> {
        while items.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self, A::Error> {
        let mut names = BTreeSet::new();
        while let Some((name, Self)) = members.next_entry::<String, Self>()? {
            assert!(names.insert(name.clone()), "{name} stands twice");
        }
        Ok(self)
    }
}
