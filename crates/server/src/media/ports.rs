//! Takes the ports, so that every media thread has a socket for each.

use std::io;
use std::net::{SocketAddr, UdpSocket};

use super::sockets::{MediaSocket, Port, reserve};

/// A free port that was found may be taken by another before all sockets have it.
const ATTEMPTS: usize = 8;

/// One socket a thread, all on one address.
pub(super) struct UdpPort {
    pub bound: SocketAddr,
    /// How the port looks from outside, if that was found out.
    pub outer: Option<SocketAddr>,
    pub sockets: Vec<MediaSocket>,
}

/// Binds `threads` sockets to an address; port 0: to a free port. Before they share the port, `look` may use it.
pub(super) fn bind_udp(
    address: SocketAddr,
    threads: usize,
    look: impl Fn(&UdpSocket) -> Option<SocketAddr>,
) -> io::Result<UdpPort> {
    let mut attempts = ATTEMPTS;
    loop {
        attempts -= 1;
        match bind_once(address, threads, &look) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && address.port() == 0 && attempts > 0 => {
            }
            bound => return bound,
        }
    }
}

fn bind_once(
    address: SocketAddr,
    threads: usize,
    look: impl Fn(&UdpSocket) -> Option<SocketAddr>,
) -> io::Result<UdpPort> {
    let reserved = reserve(address)?;
    let bound = reserved.local_addr()?;
    let outer = look(&reserved);
    drop(reserved);
    let port = if threads > 1 { Port::Shared } else { Port::Own };
    let sockets = (0..threads).map(|_| MediaSocket::bind(bound, port)).collect::<io::Result<_>>()?;
    Ok(UdpPort { bound, outer, sockets })
}

/// Binds all addresses, at once: each may ask STUN servers, which takes its time. Where every IPv4 address is taken already, a machine that
/// cannot take every IPv6 address goes on without.
pub(super) fn bind_all<T: Send>(
    addresses: &[SocketAddr],
    bind: impl Fn(SocketAddr) -> io::Result<T> + Sync,
) -> Result<Vec<T>, (SocketAddr, io::Error)> {
    let mut bound = Vec::new();
    let tries: Vec<io::Result<T>> = std::thread::scope(|scope| {
        let begin = |address: &SocketAddr| {
            let (address, bind) = (*address, &bind);
            std::thread::Builder::new().spawn_scoped(scope, move || bind(address))
        };
        let begun: Vec<_> = addresses.iter().map(begin).collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, io::Result<T>>| thread.join();
        begun
            .into_iter()
            .map(|begun| join(begun?).unwrap_or_else(|_| Err(io::ErrorKind::Other.into())))
            .collect()
    });
    for (address, tried) in addresses.iter().zip(tries) {
        let beside = |other: &SocketAddr| other.is_ipv4() && other.ip().is_unspecified();
        let optional = address.is_ipv6() && address.ip().is_unspecified() && addresses.iter().any(beside);
        match tried {
            Ok(port) => bound.push(port),
            Err(error) if optional => {
                tracing::warn!(%address, %error, "media go on over IPv4 alone");
            }
            Err(error) => return Err((*address, error)),
        }
    }
    Ok(bound)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn a_port_is_shared_with_our_threads_and_with_nobody_else() {
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let port = bind_udp(address, 4, |_| None).unwrap();
        assert!(port.bound.port() != 0);
        assert_eq!(
            port.sockets.iter().filter(|one| one.socket.local_addr().unwrap() == port.bound).count(),
            4
        );
        for threads in [1, 4] {
            let again = bind_udp(port.bound, threads, |_| None).err().map(|error| error.kind());
            assert_eq!(again, Some(io::ErrorKind::AddrInUse), "{threads}");
        }
    }

    #[test]
    fn addresses_are_bound_at_once() {
        let all = ["127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"].map(|text| text.parse().unwrap());
        let (begun, until) = (AtomicUsize::new(0), Instant::now() + Duration::from_secs(10));
        let wait_for_the_others = |_| {
            begun.fetch_add(1, Ordering::Relaxed);
            while begun.load(Ordering::Relaxed) < all.len() && Instant::now() < until {
                std::thread::sleep(Duration::from_millis(1));
            }
            Ok(begun.load(Ordering::Relaxed))
        };
        assert_eq!(bind_all(&all, wait_for_the_others).unwrap(), [3, 3, 3]);
    }

    #[test]
    fn every_ipv6_address_is_taken_beside_every_ipv4_address_if_it_can_be() {
        let all: [SocketAddr; 2] = ["0.0.0.0:1".parse().unwrap(), "[::]:1".parse().unwrap()];
        let without_ipv6 = |address: SocketAddr| match address {
            SocketAddr::V4(_) => Ok(address),
            SocketAddr::V6(_) => Err(io::ErrorKind::AddrNotAvailable.into()),
        };
        assert_eq!(bind_all(&all, without_ipv6).unwrap(), [all[0]]);
        assert_eq!(bind_all(&all, Ok).unwrap(), all);
        for needed in [&all[1..], &["[::1]:1".parse().unwrap(), all[0]]] {
            assert_eq!(bind_all(needed, without_ipv6).unwrap_err().0, needed[0]);
        }
    }
}
