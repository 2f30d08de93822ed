//! The `Authorization` header of a request (rtcd service/auth.go, Go net/http).

use std::fmt;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

use crate::Masked;

/// Go's decoder lets bits beyond the last byte be.
const BASE64: GeneralPurpose =
    GeneralPurpose::new(&STANDARD, GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true));

/// What a header shows.
#[derive(Clone, PartialEq, Eq)]
pub enum Authorization {
    /// RFC 7617. What is no UTF-8 names nobody and is no key.
    Basic {
        /// Before the first colon.
        name: Option<String>,
        /// After it; a secret.
        password: Option<Masked>,
    },
    /// RFC 6750: a token; a secret.
    Bearer(Masked),
}

impl Authorization {
    /// Reads a header. What begins with exactly `Bearer ` is that, whatever follows; everything else is Basic, whose name may be of
    /// either case, or nothing.
    #[must_use]
    pub fn decode(header: &[u8]) -> Option<Self> {
        if let Some(token) = header.strip_prefix(b"Bearer ") {
            // A token that is no UTF-8 is nobody's, as the empty one.
            return Some(Self::Bearer(Masked(text(token).unwrap_or_default())));
        }
        let (scheme, encoded) = header.split_at_checked(6)?;
        if !scheme.eq_ignore_ascii_case(b"Basic ") {
            return None;
        }
        let decoded = BASE64.decode(encoded).ok()?;
        let colon = decoded.iter().position(|byte| *byte == b':')?;
        let (name, password) = decoded.split_at(colon);
        Some(Self::Basic { name: text(name), password: password.get(1..).and_then(text).map(Masked) })
    }

    /// Returns the header that shows a name and a password.
    #[must_use]
    pub fn basic(name: &str, password: &str) -> String {
        format!("Basic {}", BASE64.encode(format!("{name}:{password}")))
    }
}

impl fmt::Debug for Authorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Basic { .. } => "Basic(..)",
            Self::Bearer(_) => "Bearer(..)",
        })
    }
}

fn text(bytes: &[u8]) -> Option<String> {
    std::str::from_utf8(bytes).ok().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers() {
        let basic = |name: &str, password: &str| {
            Some(Authorization::Basic { name: Some(name.into()), password: Some(Masked(password.into())) })
        };
        let bearer = |token: &str| Some(Authorization::Bearer(Masked(token.into())));
        let rows: [(&[u8], Option<Authorization>); 21] = [
            (b"Basic Y2xpZW50QTpFeTQtSF9C", basic("clientA", "Ey4-H_B")),
            (b"bASIC Y2xpZW50QTpFeTQtSF9C", basic("clientA", "Ey4-H_B")),
            (b"Basic OmFkbWlu", basic("", "admin")),
            (b"Basic YTpiOmM=", basic("a", "b:c")),
            (b"Basic YTo=", basic("a", "")),
            (b"Basic Og==", basic("", "")),
            // Bits beyond the last byte.
            (b"Basic YTp=", basic("a", "")),
            (b"Basic YTo", None),
            (b"Basic  YTo=", None),
            (b"Basic YTo=\t", None),
            (b"Basic YQ==", None),
            (b"Basic", None),
            (b"Basic ", None),
            (b"", None),
            (b"Token abc", None),
            (b"Bearer abc", bearer("abc")),
            (b"Bearer  abc ", bearer(" abc ")),
            (b"Bearer ", bearer("")),
            (b"Bearer", None),
            (b"bearer abc", None),
            (b"Bearer \xff", bearer("")),
        ];
        for (header, expected) in rows {
            let shown = String::from_utf8_lossy(header).into_owned();
            assert!(Authorization::decode(header) == expected, "{shown}");
        }
        let nobody = Authorization::Basic { name: None, password: Some(Masked("b".into())) };
        assert!(Authorization::decode(b"Basic /zpi") == Some(nobody));
        let keyless = Authorization::Basic { name: Some("a".into()), password: None };
        assert!(Authorization::decode(b"Basic YTr/") == Some(keyless));
        assert!(Authorization::decode(Authorization::basic("ü", "x:y").as_bytes()) == basic("ü", "x:y"));
    }

    #[test]
    fn nothing_of_it_prints() {
        for header in ["Basic Y2xpZW50QTpFeTQtSF9C", "Bearer Ey4-H_B"] {
            let shown = format!("{:?}", Authorization::decode(header.as_bytes()));
            assert!(!shown.contains("Ey4") && !shown.contains("client"), "{shown}");
        }
    }
}
