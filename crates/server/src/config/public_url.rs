//! The address that users see.

use std::{fmt, net::IpAddr};

use axum::http::Uri;

/// Whether connections are encrypted, as users see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Plain.
    Http,
    /// Over TLS, ours or a proxy's.
    Https,
}

/// `scheme://host[:port]`: an origin, without path, user or query. Prints without the scheme's own port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl {
    scheme: Scheme,
    host: String,
    port: u16,
}

impl PublicUrl {
    /// Returns the URL of this host, which may be a name, an IPv4 or an IPv6 address without brackets.
    #[must_use]
    pub fn new(scheme: Scheme, host: &str, port: u16) -> Self {
        Self { scheme, host: host.to_ascii_lowercase(), port }
    }

    /// Reads the text form. The error says what was expected.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        const EXPECTED: &str = "http:// or https://, a host and perhaps a port, without a path";
        let uri: Uri = text.parse().map_err(|_| EXPECTED)?;
        let scheme = match uri.scheme_str() {
            Some("http") => Scheme::Http,
            Some("https") => Scheme::Https,
            _ => return Err(EXPECTED),
        };
        let authority = uri.authority().ok_or(EXPECTED)?;
        if authority.as_str().contains('@') || !matches!(uri.path(), "" | "/") || text.contains(['?', '#']) {
            return Err(EXPECTED);
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        // `Authority::port` is silent about a port that is no number.
        let port = match authority.as_str().strip_prefix(authority.host()).unwrap_or("") {
            "" => scheme.own_port(),
            rest => rest.strip_prefix(':').and_then(|port| port.parse().ok()).ok_or(EXPECTED)?,
        };
        if host.is_empty() || port == 0 {
            return Err(EXPECTED);
        }
        Ok(Self::new(scheme, host, port))
    }

    /// Whether it is encrypted.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The name or address, in lower case, IPv6 without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, the scheme's own when none is written.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether it names this machine only: `localhost` or a loopback address.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.host == "localhost" || self.host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
    }
}

impl Scheme {
    fn own_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
        };
        if self.host.contains(':') {
            write!(f, "{scheme}://[{}]", self.host)?;
        } else {
            write!(f, "{scheme}://{}", self.host)?;
        }
        if self.port == self.scheme.own_port() { Ok(()) } else { write!(f, ":{}", self.port) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_and_printed() {
        let table = [
            ("http://127.0.0.1:8080", Some("http://127.0.0.1:8080")),
            ("https://Call.Example", Some("https://call.example")),
            ("https://call.example:443/", Some("https://call.example")),
            ("http://[::1]:8080", Some("http://[::1]:8080")),
            ("call.example", None),
            ("/r/1", None),
            ("ftp://call.example", None),
            ("https://call.example/path", None),
            ("https://call.example?query", None),
            ("https://user@call.example", None),
            ("https://call.example:0", None),
            ("https://call.example:99999", None),
            ("", None),
        ];
        for (text, expected) in table {
            let read = PublicUrl::parse(text).ok().map(|url| url.to_string());
            assert_eq!(read.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn loopback_has_several_names() {
        for (text, expected) in [
            ("http://localhost", true),
            ("http://127.0.0.1", true),
            ("http://[::1]:1", true),
            ("http://10.0.0.1", false),
            ("http://localhost.example", false),
        ] {
            assert_eq!(PublicUrl::parse(text).unwrap().is_loopback(), expected, "{text}");
        }
    }
}
