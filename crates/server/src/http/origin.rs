//! Whose page a request comes from.

use axum::http::{HeaderMap, header};

use super::problem::Problem;
use crate::config::PublicUrl;

/// What the `Origin` header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A page of this server.
    Own,
    /// Some other page, or a header that names none.
    Foreign,
    /// No header: not a browser, or a browser's plain navigation.
    Absent,
}

/// The server's own origin. When it is on loopback, `localhost`, `127.0.0.1` and `[::1]` are alike, with the same scheme and port.
#[derive(Debug, Clone)]
pub struct OwnOrigin(PublicUrl);

impl OwnOrigin {
    /// Returns the origin of the public URL.
    #[must_use]
    pub fn new(public_url: PublicUrl) -> Self {
        Self(public_url)
    }

    /// Says whose page the request comes from. Several `Origin` headers are foreign.
    #[must_use]
    pub fn judge(&self, headers: &HeaderMap) -> Origin {
        let mut values = headers.get_all(header::ORIGIN).iter();
        let Some(first) = values.next() else { return Origin::Absent };
        if values.next().is_some() {
            return Origin::Foreign;
        }
        match first.to_str().ok().and_then(|text| PublicUrl::parse(text).ok()) {
            Some(claimed) if self.is(&claimed) => Origin::Own,
            _ => Origin::Foreign,
        }
    }

    /// For what a stranger's page must not reach: refuses a foreign origin. A client that is no browser sends none and passes.
    pub fn refuse_foreign(&self, headers: &HeaderMap) -> Result<(), Problem> {
        match self.judge(headers) {
            Origin::Own | Origin::Absent => Ok(()),
            Origin::Foreign => Err(Problem::ORIGIN_REFUSED),
        }
    }

    /// For what a cookie authorises: refuses everything but our own origin.
    pub fn require_own(&self, headers: &HeaderMap) -> Result<(), Problem> {
        match self.judge(headers) {
            Origin::Own => Ok(()),
            Origin::Absent | Origin::Foreign => Err(Problem::ORIGIN_REFUSED),
        }
    }

    fn is(&self, claimed: &PublicUrl) -> bool {
        let own = &self.0;
        if own.scheme() != claimed.scheme() || own.port() != claimed.port() {
            return false;
        }
        own.host() == claimed.host() || (own.is_loopback() && claimed.is_loopback())
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn origins_are_told_apart() {
        let table: [(&str, &[&str], Origin); 14] = [
            ("http://127.0.0.1:8080", &["http://127.0.0.1:8080"], Origin::Own),
            ("http://127.0.0.1:8080", &["http://localhost:8080"], Origin::Own),
            ("http://localhost:8080", &["http://[::1]:8080"], Origin::Own),
            ("http://127.0.0.1:8080", &["https://127.0.0.1:8080"], Origin::Foreign),
            ("http://127.0.0.1:8080", &["http://127.0.0.1:8081"], Origin::Foreign),
            ("http://127.0.0.1:8080", &["http://localhost.evil.example:8080"], Origin::Foreign),
            ("https://call.example", &["https://call.example"], Origin::Own),
            ("https://call.example", &["https://call.example:443"], Origin::Own),
            ("https://call.example", &["https://localhost"], Origin::Foreign),
            ("https://call.example", &["https://call.example.evil"], Origin::Foreign),
            ("https://call.example", &["null"], Origin::Foreign),
            ("https://call.example", &[""], Origin::Foreign),
            ("https://call.example", &["https://call.example", "https://call.example"], Origin::Foreign),
            ("https://call.example", &[], Origin::Absent),
        ];
        for (own, claimed, expected) in table {
            let mut headers = HeaderMap::new();
            for origin in claimed {
                headers.append(header::ORIGIN, HeaderValue::from_static(origin));
            }
            let origin = OwnOrigin::new(PublicUrl::parse(own).unwrap());
            assert_eq!(origin.judge(&headers), expected, "{own} {claimed:?}");
            assert_eq!(origin.refuse_foreign(&headers).is_ok(), expected != Origin::Foreign);
            assert_eq!(origin.require_own(&headers).is_ok(), expected == Origin::Own);
        }
    }
}
