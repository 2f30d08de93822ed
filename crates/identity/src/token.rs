use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

use crate::fingerprint::sha256;
use crate::{Denied, Malformed, Secret};

/// What an opaque token opens; told by the first four characters of its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TokenKind {
    /// `csi_`: redeemed for a session.
    Invite,
    /// `css_`: a session in a room.
    Session,
    /// `csl_`: exchanged once for a console session.
    SignIn,
    /// `csc_`: a console session.
    Console,
    /// `csa_`: the administration of this installation.
    Admin,
    /// `csv_`: admits a visitor to a verto channel.
    Invitation,
}

impl TokenKind {
    /// Returns the first four characters of such a token.
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Invite => "csi_",
            Self::Session => "css_",
            Self::SignIn => "csl_",
            Self::Console => "csc_",
            Self::Admin => "csa_",
            Self::Invitation => "csv_",
        }
    }
}

/// Makes a token out of 32 bytes of the operating system's chance: the prefix of its kind and 43 characters of base64url.
#[must_use]
pub fn mint(kind: TokenKind, mut random: [u8; 32]) -> Secret {
    let mut text = String::with_capacity(kind.prefix().len() + 43);
    text.push_str(kind.prefix());
    URL_SAFE_NO_PAD.encode_string(random, &mut text);
    random.zeroize();
    Secret::new(text)
}

/// Returns what the store keeps of a token: the SHA-256 of its text.
///
/// # Errors
/// [`Denied::BadToken`] when the text is not a token of this kind.
pub fn hash(kind: TokenKind, token: &Secret) -> Result<TokenHash, Denied> {
    let body = token.expose().strip_prefix(kind.prefix()).ok_or(Denied::BadToken)?;
    let mut bytes = [0; 32];
    let length = URL_SAFE_NO_PAD.decode_slice(body, &mut bytes);
    bytes.zeroize();
    if length == Ok(32) { Ok(TokenHash(sha256(token.expose().as_bytes()))) } else { Err(Denied::BadToken) }
}

/// SHA-256 of a token's text. Compares in constant time; prints no more than a short beginning. Text form: 64 lower-case hex digits.
#[derive(Clone, Copy)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// Returns the hash with these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns the 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Returns the text form, for the store.
    #[must_use]
    pub fn to_hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl FromStr for TokenHash {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        const EXPECTED: Malformed = Malformed { expected: "64 lower-case hex digits" };
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if text.len() != 64 || !text.bytes().all(is_digit) {
            return Err(EXPECTED);
        }
        let mut bytes = [0; 32];
        for (index, byte) in bytes.iter_mut().enumerate() {
            let pair = text.get(index * 2..index * 2 + 2).ok_or(EXPECTED)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| EXPECTED)?;
        }
        Ok(Self(bytes))
    }
}

impl PartialEq for TokenHash {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for TokenHash {}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, ..] = self.0;
        write!(f, "TokenHash({a:02x}{b:02x}..)")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KINDS: [TokenKind; 6] = [
        TokenKind::Invite,
        TokenKind::Session,
        TokenKind::SignIn,
        TokenKind::Console,
        TokenKind::Admin,
        TokenKind::Invitation,
    ];

    #[test]
    fn a_token_is_its_prefix_and_its_bytes() {
        let zeros = "A".repeat(43);
        for (kind, prefix) in KINDS.into_iter().zip(["csi_", "css_", "csl_", "csc_", "csa_", "csv_"]) {
            assert_eq!(mint(kind, [0; 32]).expose(), format!("{prefix}{zeros}"));
        }
    }

    #[test]
    fn a_hash_is_the_sha256_of_the_whole_text() {
        // printf 'css_%043d' 0 | tr 0 A | openssl dgst -sha256
        let token = mint(TokenKind::Session, [0; 32]);
        let expected = "348af0e7b0449fd58e52c58fdcaf6100e0c9a3073286ad132f882c3c75534048";
        assert_eq!(hash(TokenKind::Session, &token).unwrap().to_hex(), expected);
        assert_eq!(expected.parse(), hash(TokenKind::Session, &token).map_err(|_| unreachable!()));
    }

    #[test]
    fn a_text_in_another_form_is_no_token() {
        let zeros = "A".repeat(43);
        let rows = [
            String::new(),
            "csi_".into(),
            zeros.clone(),
            format!("css_{zeros}"),
            format!("CSI_{zeros}"),
            format!("csi_{zeros}="),
            format!("csi_{zeros}A"),
            format!("csi_{}", "A".repeat(42)),
            format!("csi_{}", "A".repeat(4096)),
            format!(" csi_{zeros}"),
            format!("csi_{zeros}\n"),
            format!("csi_{}+", "A".repeat(42)),
            // Bits beyond the 256 would give one token many texts.
            format!("csi_{}B", "A".repeat(42)),
        ];
        for row in rows {
            assert_eq!(hash(TokenKind::Invite, &Secret::new(row.clone())), Err(Denied::BadToken), "{row:?}");
        }
    }

    #[test]
    fn a_token_of_one_kind_is_no_token_of_another() {
        for minted in KINDS {
            for asked in KINDS {
                let answer = hash(asked, &mint(minted, [7; 32]));
                assert_eq!(answer.is_ok(), minted == asked, "{minted:?} shown as {asked:?}");
            }
        }
    }

    #[test]
    fn a_hash_prints_only_its_beginning() {
        assert_eq!(format!("{:?}", TokenHash([0xab; 32])), "TokenHash(abab..)");
    }

    proptest! {
        #[test]
        fn every_minted_token_is_accepted(random: [u8; 32]) {
            prop_assert!(hash(TokenKind::Admin, &mint(TokenKind::Admin, random)).is_ok());
        }

        #[test]
        fn a_hash_survives_its_text(bytes: [u8; 32]) {
            let hash = TokenHash::from_bytes(bytes);
            prop_assert_eq!(hash.to_hex().parse(), Ok(hash));
        }
    }
}
