//! Takes the ports, so that every media thread has a socket for each.

use std::io;
use std::net::SocketAddr;

use super::sockets::{MediaSocket, Port, reserve};

/// A free port that was found may be taken by another before all sockets have it.
const ATTEMPTS: usize = 8;

/// One socket a thread, all on one address.
pub(super) struct UdpPort {
    pub bound: SocketAddr,
    pub sockets: Vec<MediaSocket>,
}

/// Binds `threads` sockets to an address; port 0: to a free port.
pub(super) fn bind_udp(address: SocketAddr, threads: usize) -> io::Result<UdpPort> {
    let mut attempts = ATTEMPTS;
    loop {
        attempts -= 1;
        match bind_once(address, threads) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && address.port() == 0 && attempts > 0 => {
            }
            bound => return bound,
        }
    }
}

fn bind_once(address: SocketAddr, threads: usize) -> io::Result<UdpPort> {
    let reserved = reserve(address)?;
    let bound = reserved.local_addr()?;
    drop(reserved);
    let port = if threads > 1 { Port::Shared } else { Port::Own };
    let sockets = (0..threads).map(|_| MediaSocket::bind(bound, port)).collect::<io::Result<_>>()?;
    Ok(UdpPort { bound, sockets })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_shared_with_our_threads_and_with_nobody_else() {
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let port = bind_udp(address, 4).unwrap();
        assert!(port.bound.port() != 0);
        assert_eq!(
            port.sockets.iter().filter(|one| one.socket.local_addr().unwrap() == port.bound).count(),
            4
        );
        for threads in [1, 4] {
            let again = bind_udp(port.bound, threads).err().map(|error| error.kind());
            assert_eq!(again, Some(io::ErrorKind::AddrInUse), "{threads}");
        }
    }
}
