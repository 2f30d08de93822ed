//! A real server on free ports of loopback, with a data folder of its own; both are gone when it is dropped.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use server::config::{Override, load};
use server::{Running, Server};
use tempfile::TempDir;

/// How often a registration is tried again that was too much at once.
const REGISTRATIONS: usize = 10;

/// A running server and what its operator knows.
pub struct TestServer {
    running: Option<Running>,
    admin_token: String,
    /// Where it listens.
    pub address: SocketAddr,
    folder: TempDir,
    variables: Vec<(String, String)>,
    more: Vec<(String, String)>,
}

impl TestServer {
    /// Starts a server with a new data folder.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// The same, with other configuration besides: keys and values.
    pub async fn start_with(more: &[(&str, &str)]) -> Self {
        Self::start_with_variables(&[], more).await
    }

    /// The same, with variables of the environment too.
    pub async fn start_with_variables(variables: &[(&str, &str)], more: &[(&str, &str)]) -> Self {
        Self::start_in_with(tempfile::tempdir().unwrap(), owned(variables), owned(more)).await
    }

    /// The same, with the rtcd face, where anybody may register.
    pub async fn start_rtcd() -> Self {
        let face = [
            ("enabled", "true"),
            ("listen", "127.0.0.1:0"),
            ("allow_self_registration", "true"),
            ("open_metrics", "true"),
        ];
        let keys = face.map(|(key, value)| (format!("faces.rtcd.{key}"), value));
        let more: Vec<_> = keys.iter().map(|(key, value)| (key.as_str(), *value)).collect();
        Self::start_with(&more).await
    }

    /// The same, with the verto face, and other keys of it: `limits.fresh_seconds`.
    pub async fn start_verto(more: &[(&str, &str)]) -> Self {
        let face = [("enabled", "true"), ("listen", "127.0.0.1:0")];
        let keys: Vec<_> =
            face.iter().chain(more).map(|(key, value)| (format!("faces.verto.{key}"), *value)).collect();
        let more: Vec<_> = keys.iter().map(|(key, value)| (key.as_str(), *value)).collect();
        Self::start_with(&more).await
    }

    async fn start_in_with(
        folder: TempDir,
        variables: Vec<(String, String)>,
        more: Vec<(String, String)>,
    ) -> Self {
        let data = folder.path().join("data");
        let flag = |key: &str, value: &str| Override {
            key: key.into(),
            value: value.into(),
            flag: format!("--set {key}={value}"),
        };
        let flags = [
            flag("data_dir", data.to_str().unwrap()),
            flag("http.listen", "127.0.0.1:0"),
            flag("media.listen_udp", "127.0.0.1:0"),
            flag("media.listen_tcp", "127.0.0.1:0"),
        ];
        let others = more.iter().map(|(key, value)| flag(key, value));
        let flags: Vec<Override> = flags.into_iter().chain(others).collect();
        let running = Server::start(load(None, variables.clone(), &flags).unwrap()).await.unwrap();
        let admin_token = std::fs::read_to_string(data.join("admin-token")).unwrap().trim().to_owned();
        let address = running.addresses.http;
        Self { running: Some(running), admin_token, address, folder, variables, more }
    }

    /// Stops it, and starts another one in the same data folder; its port is another one.
    pub async fn restart(mut self) -> Self {
        self.running.take().unwrap().stop(Duration::from_secs(5)).await;
        Self::start_in_with(self.folder, self.variables, self.more).await
    }

    /// Waits as a stop does for the calls of the rtcd face, without stopping then.
    pub async fn drain(&self) {
        self.running.as_ref().unwrap().drain().await;
    }

    /// Says goodbye to everybody and ends.
    pub async fn stop(mut self) {
        self.running.take().unwrap().stop(Duration::from_secs(5)).await;
    }

    /// The link that was printed at the start.
    pub fn sign_in_url(&self) -> String {
        self.running.as_ref().unwrap().sign_in_url.expose().to_owned()
    }

    /// Where it takes media over TCP.
    pub fn media_tcp(&self) -> SocketAddr {
        self.running.as_ref().unwrap().addresses.media_tcp[0]
    }

    /// Where it listens for media over UDP.
    pub fn media_udp(&self) -> SocketAddr {
        self.running.as_ref().unwrap().addresses.media_udp[0]
    }

    /// Where the rtcd face listens; it has to be enabled.
    pub fn rtcd(&self) -> SocketAddr {
        self.running.as_ref().unwrap().addresses.rtcd.unwrap()
    }

    /// Where the verto face listens; it has to be enabled.
    pub fn verto(&self) -> SocketAddr {
        self.running.as_ref().unwrap().addresses.verto.unwrap()
    }

    /// Makes a verto channel; returns its id.
    pub async fn create_channel(&self, settings: &Value) -> String {
        let request = self.admin(Method::POST, "/v1/admin/channels").json(settings);
        let (status, channel) = answer(request).await;
        assert_eq!(status, StatusCode::CREATED, "{channel}");
        channel["channelId"].as_str().unwrap().to_owned()
    }

    /// Registers a client of the rtcd face; returns its key. On a machine that has no time it is asked to come again, and does.
    pub async fn register(&self, client: &str) -> String {
        let key = format!("{client:k>32}");
        let said = json!({"clientID": client, "authKey": key});
        let post = || http_client().post(format!("http://{}/register", self.rtcd())).json(&said);
        let mut answered = answer(post()).await;
        for _ in 0..REGISTRATIONS {
            if answered.0 != StatusCode::TOO_MANY_REQUESTS {
                break;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
            answered = answer(post()).await;
        }
        assert_eq!(answered.0, StatusCode::CREATED, "{}", answered.1);
        key
    }

    /// Returns the sum over all series of one of rtcd's metrics.
    pub async fn rtcd_metric(&self, name: &str) -> f64 {
        let response = http_client().get(format!("http://{}/metrics", self.rtcd())).send().await.unwrap();
        let text = response.text().await.unwrap();
        let series = text.lines().filter_map(|line| line.strip_prefix(name));
        let values = series.filter(|rest| rest.starts_with(['{', ' ']));
        values.map(|rest| rest.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
    }

    /// The data folder.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Returns a request without a credential.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        http_client().request(method, format!("http://{}{path}", self.address))
    }

    /// Returns a request with the admin token.
    pub fn admin(&self, method: Method, path: &str) -> RequestBuilder {
        self.request(method, path).bearer_auth(&self.admin_token)
    }

    /// Makes a room; returns its id.
    pub async fn create_room(&self) -> String {
        let body = json!({"name": "Standup"});
        let (status, room) = answer(self.admin(Method::POST, "/v1/admin/rooms").json(&body)).await;
        assert_eq!(status, StatusCode::CREATED, "{room}");
        room["room_id"].as_str().unwrap().to_owned()
    }

    /// Makes an invite; returns its id and its secret.
    pub async fn invite(&self, room: &str, uses: u32, permissions: &[&str]) -> (String, String) {
        let body = json!({"uses": uses, "expires_in": 3600, "permissions": permissions});
        let path = format!("/v1/admin/rooms/{room}/invites");
        let (status, invite) = answer(self.admin(Method::POST, &path).json(&body)).await;
        assert_eq!(status, StatusCode::CREATED, "{invite}");
        let secret = invite["url"].as_str().unwrap().split_once('#').unwrap().1.to_owned();
        (invite["invite_id"].as_str().unwrap().to_owned(), secret)
    }

    /// Returns the sum over all series of a metric; its name without `countersign_`.
    pub async fn metric(&self, name: &str) -> f64 {
        let response = self.admin(Method::GET, "/metrics").send().await.unwrap();
        let text = response.text().await.unwrap();
        let name = format!("countersign_{name}");
        let series = text.lines().filter_map(|line| line.strip_prefix(&name));
        let series = series.map(|rest| rest.strip_prefix("_total").unwrap_or(rest));
        let values = series.filter(|rest| rest.starts_with(['{', ' ']));
        values.map(|rest| rest.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
    }

    /// Returns the room as its operator sees it.
    pub async fn room(&self, room: &str) -> Value {
        let (status, shown) = answer(self.admin(Method::GET, &format!("/v1/admin/rooms/{room}"))).await;
        assert_eq!(status, StatusCode::OK, "{shown}");
        shown
    }
}

/// A client without a memory for cookies.
pub fn http_client() -> Client {
    http_client_from([127, 0, 0, 1].into())
}

/// The same, from this address of loopback.
pub fn http_client_from(address: IpAddr) -> Client {
    // Another test of the process may have been first; it did the same.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    Client::builder().local_address(address).build().unwrap()
}

/// A client that believes this certificate and no other.
pub fn tls_client(pem: &[u8]) -> Client {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    Client::builder().tls_certs_only([reqwest::Certificate::from_pem(pem).unwrap()]).build().unwrap()
}

fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// Sends a request; returns status and JSON, `null` for an empty body.
pub async fn answer(request: RequestBuilder) -> (StatusCode, Value) {
    let response = request.send().await.unwrap();
    let status = response.status();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::Null))
}
