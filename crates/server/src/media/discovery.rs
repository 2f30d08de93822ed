//! How our media ports look from outside: asked of STUN servers at the start, from the ports themselves.

use std::collections::BTreeSet;
use std::net::{SocketAddr, ToSocketAddrs, UdpSocket};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use rand::Rng;
use wire::stun::{Transaction, mapped_address, request};

/// From the start until every server must have answered, its name's resolution included.
const PATIENCE: Duration = Duration::from_secs(3);
/// RFC 8489 §6.2.1 begins with this.
const REPEAT: Duration = Duration::from_millis(500);
/// Servers that are asked.
const MAX_SERVERS: usize = 8;

/// Asks all servers from one port; `None` when none answers, or not all the same. `servers` are `host:port`.
pub(super) fn outer_address(port: &UdpSocket, servers: &[String]) -> Option<SocketAddr> {
    let Ok(local) = port.local_addr() else { return None };
    let answers = ask(port, local, &resolve(servers, local)).unwrap_or_else(|error| {
        tracing::warn!(%local, %error, "asking the STUN servers");
        BTreeSet::new()
    });
    let mut answers = answers.into_iter();
    match (answers.next(), answers.next()) {
        (Some(outer), None) => {
            tracing::info!(%local, %outer, "the STUN servers agree on the address to advertise");
            Some(outer)
        }
        (Some(one), Some(other)) => {
            tracing::warn!(%local, %one, %other, "the STUN servers disagree: the local addresses are advertised");
            None
        }
        (None, _) => {
            tracing::warn!(%local, "no STUN server has answered: the local addresses are advertised");
            None
        }
    }
}

/// Their addresses of our family, as they come. The system's resolver cannot be given a time, so each name has a thread of its own.
fn resolve(servers: &[String], local: SocketAddr) -> Receiver<SocketAddr> {
    let (found, addresses) = sync_channel(MAX_SERVERS);
    for server in servers.iter().take(MAX_SERVERS) {
        let (found, server) = (found.clone(), server.clone());
        let thread = std::thread::Builder::new().name("media-stun".into()).spawn(move || {
            let addresses = server.to_socket_addrs().into_iter().flatten();
            match addresses.into_iter().find(|address| address.is_ipv4() == local.is_ipv4()) {
                // Nobody listens any more once the time is over.
                Some(address) => _ = found.send(address),
                None => tracing::warn!(%server, "a STUN server has no address of this family"),
            }
        });
        if let Err(error) = thread {
            tracing::warn!(%error, "a thread to resolve a name");
        }
    }
    addresses
}

/// Returns the different answers.
fn ask(
    port: &UdpSocket,
    local: SocketAddr,
    found: &Receiver<SocketAddr>,
) -> std::io::Result<BTreeSet<SocketAddr>> {
    let transaction = Transaction(rand::rng().random());
    let (until, mut repeat_at) = (Instant::now() + PATIENCE, Instant::now());
    let (mut waiting, mut answers): (Vec<SocketAddr>, _) = (Vec::new(), BTreeSet::new());
    let mut buffer = [0; 1_500];
    let mut asked = 0;
    loop {
        let resolving = match found.try_recv() {
            Ok(address) => {
                asked += 1;
                waiting.push(address);
                repeat_at = Instant::now();
                continue;
            }
            Err(error) => error == std::sync::mpsc::TryRecvError::Empty,
        };
        let now = Instant::now();
        if now >= until || (!resolving && waiting.is_empty()) {
            tracing::debug!(%local, asked, unanswered = waiting.len(), "STUN servers");
            return Ok(answers);
        }
        if now >= repeat_at {
            repeat_at = now + REPEAT;
            for server in &waiting {
                // One that cannot be reached gives no answer.
                let _ = port.send_to(&request(transaction), server);
            }
        }
        port.set_read_timeout(Some(Duration::from_millis(50)))?;
        // Others send to this port too, and the system reports what could not be delivered.
        if let Ok((length, from)) = port.recv_from(&mut buffer)
            && waiting.contains(&from)
            && let Some(outer) = buffer.get(..length).and_then(|bytes| mapped_address(bytes, transaction))
        {
            answers.insert(outer);
            waiting.retain(|server| *server != from);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_all_servers_say_is_the_address_and_nothing_else() {
        let one = server(Some("203.0.113.5:4711"));
        let same = server(Some("203.0.113.5:4711"));
        let other = server(Some("203.0.113.6:4711"));
        let silent = server(None);
        let agreed = Some("203.0.113.5:4711".parse().unwrap());
        let port = UdpSocket::bind("127.0.0.1:0").unwrap();
        assert_eq!(outer_address(&port, &[one.clone(), same.clone()]), agreed);
        assert_eq!(outer_address(&port, &[one.clone(), silent.clone()]), agreed);
        assert_eq!(outer_address(&port, &[one, other, same]), None);
        assert_eq!(outer_address(&port, &[silent, "no name:3478".into(), "[::1]:3478".into()]), None);
        assert_eq!(outer_address(&port, &[]), None);
    }

    /// A STUN server that says this, whoever asks; garbage first.
    fn server(says: Option<&'static str>) -> String {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap().to_string();
        let serve = move || {
            let mut buffer = [0; 100];
            while let Ok((length, from)) = socket.recv_from(&mut buffer) {
                let Some(says) = says else { continue };
                assert_eq!(length, 20);
                let says: std::net::SocketAddrV4 = says.parse().unwrap();
                let port = (says.port() ^ 0x2112).to_be_bytes();
                let ip = (u32::from(*says.ip()) ^ 0x2112_A442).to_be_bytes();
                let head = [&[1, 1, 0, 12], &buffer[4..20], &[0, 0x20, 0, 8, 0, 1]].concat();
                let answer = [&head[..], &port, &ip].concat();
                socket.send_to(&answer[..30], from).unwrap();
                socket.send_to(&answer, from).unwrap();
            }
        };
        std::thread::Builder::new().spawn(serve).unwrap();
        address
    }
}
