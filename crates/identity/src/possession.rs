use std::fmt;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ParsedPublicKey, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::fingerprint::sha256;
use crate::{Denied, Malformed, Secret};

/// What a first message signs begins with this, so that its signature is good for nothing else (docs/faces/rooms.md, "Authentication").
const FIRST_MESSAGE: &[u8] = b"countersign rooms v1 authenticate\0";

const POINT_LENGTH: usize = 65;
const EXPECTED: Malformed = Malformed { expected: "base64url of an uncompressed P-256 point" };

/// An ECDSA P-256 key of a browser; its point lies on the curve. Text form: base64url of the 65-byte uncompressed point (SEC 1 §2.3.3).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey([u8; POINT_LENGTH]);

impl PublicKey {
    /// Parses the text form.
    ///
    /// # Errors
    /// Anything but 87 characters of unpadded base64url that decode to a point of the curve.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let mut point = [0; POINT_LENGTH];
        let length = URL_SAFE_NO_PAD.decode_slice(text, &mut point).map_err(|_| EXPECTED)?;
        if length != POINT_LENGTH || point.first() != Some(&4) {
            return Err(EXPECTED);
        }
        ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).map_err(|_| EXPECTED)?;
        Ok(Self(point))
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

/// Verifies that whoever shows `token` on the connection that we gave `nonce` holds the private half of `key`.
///
/// `signature` is the 64-byte r ‖ s form of WebCrypto, over the ASCII bytes `countersign rooms v1 authenticate`, a zero byte, the
/// nonce, and the SHA-256 of the token's text (docs/faces/rooms.md, "Authentication").
///
/// # Errors
/// [`Denied::BadProof`] for every other signature.
pub fn verify_first_message(
    key: &PublicKey,
    nonce: &[u8; 32],
    token: &Secret,
    signature: &[u8],
) -> Result<(), Denied> {
    let message = [FIRST_MESSAGE, nonce, &sha256(token.expose().as_bytes())].concat();
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key.0)
        .verify(&message, signature)
        .map_err(|_| Denied::BadProof)
}

/// Stands in for the key of a session that does not exist, so that its absence costs a verification too. The public key of RFC 6979
/// §A.2.5.
pub(crate) const NOBODY: PublicKey = PublicKey([
    0x04, 0x60, 0xfe, 0xd4, 0xba, 0x25, 0x5a, 0x9d, 0x31, 0xc9, 0x61, 0xeb, 0x74, 0xc6, 0x35, 0x6d, 0x68,
    0xc0, 0x49, 0xb8, 0x92, 0x3b, 0x61, 0xfa, 0x6c, 0xe6, 0x69, 0x62, 0x2e, 0x60, 0xf2, 0x9f, 0xb6, 0x79,
    0x03, 0xfe, 0x10, 0x08, 0xb8, 0xbc, 0x99, 0xa4, 0x1a, 0xe9, 0xe9, 0x56, 0x28, 0xbc, 0x64, 0xf2, 0xf1,
    0xb2, 0x0c, 0x2d, 0x7e, 0x9f, 0x51, 0x77, 0xa3, 0xc2, 0x94, 0xd4, 0x46, 0x22, 0x99,
]);

#[cfg(test)]
mod tests {
    use super::*;

    // Made with python-cryptography (OpenSSL): private key SHA-256("countersign test vector"), token css_ over the bytes 0..32,
    // nonce the bytes 100..132, signature as r ‖ s.
    const KEY: &str =
        "BCznr37kovIyUqk6UwXJb6JW44BWTFccW2KfWD9H-_zTmkJZ8uvsgZJjgv2cKRf943kv1yE2LOnqddjXU9h3PGw";
    const TOKEN: &str = "css_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
    const SIGNATURE: &str =
        "Is3dmAYMBy92i21Y_6sncLBRc7yzlMW4aPYqfdec55C921ofQePmjrlYMzFuwBtqdd8cmOBPaOTqTgpAPdSihQ";

    fn nonce() -> [u8; 32] {
        std::array::from_fn(|index| 100 + u8::try_from(index).unwrap())
    }

    fn signature() -> Vec<u8> {
        URL_SAFE_NO_PAD.decode(SIGNATURE).unwrap()
    }

    #[test]
    fn the_signature_of_another_implementation_is_accepted() {
        let key = PublicKey::parse(KEY).unwrap();
        assert_eq!(verify_first_message(&key, &nonce(), &Secret::new(TOKEN), &signature()), Ok(()));
    }

    #[test]
    fn a_signature_over_anything_else_is_refused() {
        let key = PublicKey::parse(KEY).unwrap();
        let token = Secret::new(TOKEN);
        let mut other_nonce = nonce();
        other_nonce[31] ^= 1;
        let other_token = Secret::new(TOKEN.replace("AAEC", "AAED"));
        let flipped = |index: usize| {
            let mut bytes = signature();
            bytes[index] ^= 1;
            bytes
        };
        let rows = [
            ("another key", &NOBODY, nonce(), &token, signature()),
            ("another nonce", &key, other_nonce, &token, signature()),
            ("another token", &key, nonce(), &other_token, signature()),
            ("another r", &key, nonce(), &token, flipped(0)),
            ("another s", &key, nonce(), &token, flipped(63)),
            ("no signature", &key, nonce(), &token, Vec::new()),
            ("all zeros", &key, nonce(), &token, vec![0; 64]),
            ("a byte less", &key, nonce(), &token, signature()[..63].to_vec()),
            ("a byte more", &key, nonce(), &token, [signature(), vec![0]].concat()),
        ];
        for (what, key, nonce, token, signature) in rows {
            let answer = verify_first_message(key, &nonce, token, &signature);
            assert_eq!(answer, Err(Denied::BadProof), "{what}");
        }
    }

    #[test]
    fn only_the_text_of_a_point_on_the_curve_is_a_key() {
        assert_eq!(PublicKey::parse(KEY).map(|key| key.to_string()).as_deref(), Ok(KEY));
        assert_eq!(PublicKey::parse(&NOBODY.to_string()), Ok(NOBODY));
        let point = URL_SAFE_NO_PAD.decode(KEY).unwrap();
        let encoded = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let with = |index: usize, byte: u8| {
            let mut bytes = point.clone();
            bytes[index] = byte;
            encoded(&bytes)
        };
        let rows = [
            String::new(),
            format!("{KEY}="),
            format!("{KEY}A"),
            KEY.replace('-', "+"),
            encoded(&[0]),
            encoded(&[0; 65]),
            encoded(&[[4].as_slice(), &[0; 64]].concat()),
            encoded(&[[4].as_slice(), &[0xff; 64]].concat()),
            with(0, 2),
            with(0, 6),
            with(64, point[64] ^ 1),
            encoded(&[[2].as_slice(), &point[1..33]].concat()),
            "A".repeat(10_000),
        ];
        for row in rows {
            assert_eq!(PublicKey::parse(&row), Err(EXPECTED), "{row:?}");
        }
    }
}
