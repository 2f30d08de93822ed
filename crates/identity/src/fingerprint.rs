use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest;

use crate::Malformed;

const EXPECTED: Malformed =
    Malformed { expected: "sha-256 and 32 pairs of hex digits with colons between them" };

/// SHA-256 over a DTLS certificate (RFC 8122 §5). Prints and parses with its hash name: `sha-256 AB:CD:…`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Returns the fingerprint with these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns the fingerprint of a certificate in DER form.
    #[must_use]
    pub fn of_certificate(der: &[u8]) -> Self {
        Self(sha256(der))
    }

    /// Parses the value of an SDP `a=fingerprint` line. Hash name and digits may be of either case; other hashes are refused.
    ///
    /// # Errors
    /// Anything but `sha-256`, one space, and 32 pairs of hex digits with colons between them.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let (name, digits) = text.split_once(' ').ok_or(EXPECTED)?;
        if !name.eq_ignore_ascii_case("sha-256") {
            return Err(EXPECTED);
        }
        let mut bytes = [0; 32];
        let mut pairs = digits.split(':');
        for byte in &mut bytes {
            *byte = pairs.next().and_then(parse_pair).ok_or(EXPECTED)?;
        }
        if pairs.next().is_some() { Err(EXPECTED) } else { Ok(Self(bytes)) }
    }

    /// Returns the 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl FromStr for Fingerprint {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        Self::parse(text)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha-256 ")?;
        for (index, byte) in self.0.iter().enumerate() {
            let colon = if index == 0 { "" } else { ":" };
            write!(f, "{colon}{byte:02X}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    let digest = digest::digest(&digest::SHA256, bytes);
    for (to, from) in hash.iter_mut().zip(digest.as_ref()) {
        *to = *from;
    }
    hash
}

fn parse_pair(pair: &str) -> Option<u8> {
    // from_str_radix takes a leading plus sign, hence the look at each digit.
    let is_hex = pair.len() == 2 && pair.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_hex { u8::from_str_radix(pair, 16).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_fingerprint_in_another_form_is_refused() {
        let pairs = vec!["AB"; 32].join(":");
        let good = format!("sha-256 {pairs}");
        assert_eq!(Fingerprint::parse(&good), Ok(Fingerprint([0xab; 32])));
        assert_eq!(Fingerprint::parse(&good.to_lowercase()), Ok(Fingerprint([0xab; 32])));
        let rows = [
            String::new(),
            "sha-256".into(),
            "sha-256 ".into(),
            pairs.clone(),
            format!("sha-1 {pairs}"),
            format!("sha-512 {pairs}"),
            format!("sha-256  {pairs}"),
            format!(" sha-256 {pairs}"),
            format!("sha-256 {pairs} "),
            format!("sha-256 {pairs}:"),
            format!("sha-256 {pairs}:AB"),
            format!("sha-256 {}", vec!["AB"; 31].join(":")),
            format!("sha-256 +B:{}", vec!["AB"; 31].join(":")),
            format!("sha-256 é:{}", vec!["AB"; 31].join(":")),
            format!("sha-256 {}", "AB".repeat(32)),
        ];
        for row in rows {
            assert_eq!(Fingerprint::parse(&row), Err(EXPECTED), "{row:?}");
        }
    }

    #[test]
    fn a_certificate_has_the_fingerprint_that_openssl_prints() {
        // printf 'countersign' | openssl dgst -sha256 -c
        let expected = "sha-256 EE:DF:D7:49:E2:64:6D:E3:FB:66:B4:71:CE:39:21:77:A3:5F:36:29:5D:66:51:42:34:62:7F:7B:5A:28:09:7B";
        assert_eq!(Fingerprint::of_certificate(b"countersign").to_string(), expected);
    }

    proptest! {
        #[test]
        fn what_prints_parses(bytes: [u8; 32]) {
            let fingerprint = Fingerprint::from_bytes(bytes);
            prop_assert_eq!(Fingerprint::parse(&fingerprint.to_string()), Ok(fingerprint));
        }

        #[test]
        fn whatever_parses_prints_the_same_but_for_case(text in "(?i)(sha-256) ([0-9a-f]{2}:){31}[0-9a-f]{2}|.{0,120}") {
            if let Ok(fingerprint) = Fingerprint::parse(&text) {
                prop_assert!(fingerprint.to_string().eq_ignore_ascii_case(&text));
            }
        }
    }
}
