//! Who is on the other end: the client's address, and the forms of it that limits and logs use.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use axum::{
    extract::{ConnectInfo, FromRequestParts, Request, State},
    http::{HeaderMap, request::Parts},
    middleware::Next,
    response::Response,
};

use super::problem::Problem;
use crate::config::Proxy;

/// The address of a client. Prints masked, so that a log line cannot name a person.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Peer(IpAddr);

/// What one subscriber usually owns: an IPv4 address, or an IPv6 /64. Limits count by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AddressBlock(IpAddr);

impl Peer {
    /// Returns the peer of this address; an IPv4 address inside IPv6 counts as IPv4.
    #[must_use]
    pub fn new(address: IpAddr) -> Self {
        Self(address.to_canonical())
    }

    /// The whole address; not for logs.
    #[must_use]
    pub fn address(self) -> IpAddr {
        self.0
    }

    /// The block that limits count by.
    #[must_use]
    pub fn block(self) -> AddressBlock {
        match self.0 {
            IpAddr::V4(_) => AddressBlock(self.0),
            IpAddr::V6(address) => {
                let network = u128::from(address) & (u128::MAX << 64);
                AddressBlock(IpAddr::V6(Ipv6Addr::from(network)))
            }
        }
    }

    /// The form for logs and the audit record: `203.0.113.x`, or the first 48 bits as `2001:db8:1::x`.
    #[must_use]
    pub fn masked(self) -> String {
        match self.0 {
            IpAddr::V4(address) => {
                let [a, b, c, _] = address.octets();
                format!("{a}.{b}.{c}.x")
            }
            IpAddr::V6(address) => {
                let [a, b, c, ..] = address.segments();
                format!("{a:x}:{b:x}:{c:x}::x")
            }
        }
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

impl<S: Sync> FromRequestParts<S> for Peer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().copied().ok_or(Problem::UNAVAILABLE)
    }
}

/// Middleware: finds out the client's address and leaves it in the request as a [`Peer`].
pub async fn identify(State(proxy): State<Proxy>, mut request: Request, next: Next) -> Response {
    let socket = request
        .extensions()
        .get::<ConnectInfo<SocketAddr>>()
        .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |info| info.0.ip());
    let address = match proxy {
        Proxy::Absent => socket,
        Proxy::Trusted => last_forwarded(request.headers()).unwrap_or(socket),
    };
    request.extensions_mut().insert(Peer::new(address));
    next.run(request).await
}

/// The entry that the proxy itself wrote: the last one of the last `X-Forwarded-For`. Those before it are the client's claim.
fn last_forwarded(headers: &HeaderMap) -> Option<IpAddr> {
    let line = headers.get_all("x-forwarded-for").iter().next_back()?.to_str().ok()?;
    let entry = line.rsplit(',').next()?.trim();
    let bare = entry.trim_start_matches('[').trim_end_matches(']');
    bare.parse().ok().or_else(|| entry.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn an_address_has_a_block_and_a_masked_form() {
        let table = [
            ("203.0.113.77", "203.0.113.77", "203.0.113.x"),
            ("::ffff:203.0.113.77", "203.0.113.77", "203.0.113.x"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::", "2001:db8:1::x"),
            ("::1", "::", "0:0:0::x"),
        ];
        for (text, block, masked) in table {
            let peer = Peer::new(text.parse().unwrap());
            assert_eq!(peer.block(), AddressBlock(block.parse().unwrap()), "{text}");
            assert_eq!(peer.masked(), masked, "{text}");
            assert_eq!(format!("{peer:?} {peer}"), format!("{masked} {masked}"), "{text}");
        }
    }

    #[test]
    fn only_the_entry_of_the_proxy_counts() {
        let table: [(&[&str], Option<&str>); 7] = [
            (&["198.51.100.7"], Some("198.51.100.7")),
            (&["10.0.0.1, 198.51.100.7"], Some("198.51.100.7")),
            (&["10.0.0.1", "198.51.100.7"], Some("198.51.100.7")),
            (&["[2001:db8::1]"], Some("2001:db8::1")),
            (&["198.51.100.7:4711"], Some("198.51.100.7")),
            (&["198.51.100.7, unknown"], None),
            (&[], None),
        ];
        for (lines, expected) in table {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append("x-forwarded-for", HeaderValue::from_static(line));
            }
            assert_eq!(last_forwarded(&headers), expected.map(|text| text.parse().unwrap()), "{lines:?}");
        }
    }
}
