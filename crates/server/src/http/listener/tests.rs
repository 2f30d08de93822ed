use std::net::{IpAddr, Ipv4Addr};

use axum::routing::get;
use futures_util::future::join_all;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, timeout},
};
use tokio_rustls::TlsConnector;

use super::*;
use crate::http::tls::{CERTIFICATE_FILE, self_signed};

/// The time for a head, and what a busy machine may add.
const HEAD: Duration = Duration::from_millis(400);
const LATE: Duration = Duration::from_secs(20);
const REQUEST: &str = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";

struct Door {
    listening: Listening,
    connector: TlsConnector,
}

impl Door {
    fn open(encryption: Encryption, seats: Seats) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config =
            self_signed(folder.path(), &["localhost".to_owned()], std::time::SystemTime::now()).unwrap();
        let mut roots = RootCertStore::empty();
        let pem = std::fs::read(folder.path().join(CERTIFICATE_FILE)).unwrap();
        roots.add(CertificateDer::from_pem_slice(&pem).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let client =
            ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let connector =
            TlsConnector::from(Arc::new(client.with_root_certificates(roots).with_no_client_auth()));
        let tls = (encryption == Encryption::Tls).then_some(config);
        let routes = Router::new().route("/healthz", get(async || "ok\n"));
        let socket = bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
        let listening = serve_with(socket, routes, tls, Seating::new(Proxy::Absent, seats), HEAD).unwrap();
        Self { listening, connector }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.listening.address()).await.unwrap()
    }

    async fn encrypted(&self) -> impl AsyncRead + AsyncWrite + Unpin {
        let name = ServerName::try_from("localhost").unwrap();
        self.connector.connect(name, self.connect().await).await.unwrap()
    }
}

#[derive(PartialEq, Clone, Copy)]
enum Encryption {
    Off,
    Tls,
}

/// Says these bytes, and returns what is answered until the end of the connection.
async fn until_closed(mut stream: impl AsyncRead + AsyncWrite + Unpin, said: &[u8]) -> Vec<u8> {
    stream.write_all(said).await.unwrap();
    let begun = Instant::now();
    let mut heard = Vec::new();
    // A reset is an end, too.
    let end = timeout(LATE, stream.read_to_end(&mut heard)).await;
    assert!(end.is_ok(), "still open after {:?}: {:?}", begun.elapsed(), String::from_utf8_lossy(said));
    heard
}

#[tokio::test]
async fn whoever_says_no_whole_head_is_closed() {
    let heads: [&[u8]; 5] = [b"", b"P", b"PRI * HTTP/2.0\r\n\r\nS", b"G", b"GET / HTTP/1.1\r\nhost: x\r\n"];
    for encryption in [Encryption::Off, Encryption::Tls] {
        let door = Door::open(encryption, Seats::USUAL);
        let all = heads.map(async |head| match encryption {
            Encryption::Off => until_closed(door.connect().await, head).await,
            Encryption::Tls => until_closed(door.encrypted().await, head).await,
        });
        for heard in join_all(all).await {
            assert!(!heard.starts_with(b"HTTP/1.1 2"), "{:?}", String::from_utf8_lossy(&heard));
        }
    }
}

#[tokio::test]
async fn http_2_is_not_served() {
    // The preface and empty SETTINGS (RFC 9113 §3.4).
    const BEGINNING: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    const SETTINGS: u8 = 4;
    for encryption in [Encryption::Off, Encryption::Tls] {
        let door = Door::open(encryption, Seats::USUAL);
        let heard = match encryption {
            Encryption::Off => until_closed(door.connect().await, BEGINNING).await,
            Encryption::Tls => until_closed(door.encrypted().await, BEGINNING).await,
        };
        assert_ne!(heard.get(3), Some(&SETTINGS), "{heard:?}");
        assert!(heard.is_empty() || heard.starts_with(b"HTTP/1.1 4"), "{heard:?}");
    }
}

#[tokio::test]
async fn a_kept_connection_that_goes_silent_is_closed() {
    for encryption in [Encryption::Off, Encryption::Tls] {
        let door = Door::open(encryption, Seats::USUAL);
        let twice = REQUEST.repeat(2);
        let heard = match encryption {
            Encryption::Off => until_closed(door.connect().await, twice.as_bytes()).await,
            Encryption::Tls => until_closed(door.encrypted().await, twice.as_bytes()).await,
        };
        let heard = String::from_utf8(heard).unwrap();
        assert_eq!(heard.matches("HTTP/1.1 200 OK").count(), 2, "{heard}");
    }
}

#[tokio::test]
async fn who_is_still_speaking_hears_the_refusal() {
    const LENGTH: usize = 8_000_000;
    for encryption in [Encryption::Off, Encryption::Tls] {
        let door = Door::open(encryption, Seats::USUAL);
        let mut said =
            format!("POST /nowhere HTTP/1.1\r\nhost: x\r\ncontent-length: {LENGTH}\r\n\r\n").into_bytes();
        said.resize(said.len() + LENGTH, b'x');
        let heard = match encryption {
            Encryption::Off => until_closed(door.connect().await, &said).await,
            Encryption::Tls => until_closed(door.encrypted().await, &said).await,
        };
        let heard = String::from_utf8(heard).unwrap();
        assert!(heard.starts_with("HTTP/1.1 404"), "{heard}");
    }
}

#[tokio::test]
async fn the_silent_do_not_keep_their_seats() {
    let door = Door::open(Encryption::Off, Seats { per_address: 2, total: 2 });
    // Taken in the order in which they come.
    let silent = [door.connect().await, door.connect().await];
    let entered = async {
        loop {
            let mut stream = door.connect().await;
            let mut heard = [0; 12];
            let asked = stream.write_all(REQUEST.as_bytes()).await;
            if asked.is_ok() && stream.read_exact(&mut heard).await.is_ok() {
                break heard;
            }
        }
    };
    let heard = timeout(LATE, entered).await.expect("the seats are never free");
    assert_eq!(&heard, b"HTTP/1.1 200");
    drop(silent);
}

#[tokio::test]
async fn what_is_under_way_ends_and_what_takes_longer_is_cut_off() {
    let (begun, mut beginning) = tokio::sync::mpsc::channel(2);
    let (go, _) = tokio::sync::broadcast::channel::<()>(1);
    let wait = {
        let go = go.clone();
        async move || {
            let mut going = go.subscribe();
            begun.send(()).await.unwrap();
            _ = going.recv().await;
            "done"
        }
    };
    let routes = Router::new().route("/short", get(wait)).route("/long", get(std::future::pending::<()>));
    let socket = bind(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0)).unwrap();
    let seating = Seating::new(Proxy::Absent, Seats::USUAL);
    let mut listening = serve_with(socket, routes, None, seating, LATE).unwrap();
    let ask = async |path: &str| {
        let mut stream = TcpStream::connect(listening.address()).await.unwrap();
        stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).await.unwrap();
        stream
    };
    let (short, long) = (ask("/short").await, ask("/long").await);
    beginning.recv().await.unwrap();
    listening.stop_accepting(Duration::from_millis(500));
    go.send(()).unwrap();
    let heard = String::from_utf8(until_closed(short, b"").await).unwrap();
    assert!(heard.ends_with("done"), "{heard}");
    timeout(LATE, listening.ended()).await.expect("it waits for what never ends");
    assert!(until_closed(long, b"").await.is_empty());
}
