//! The key that a verto client may bind its password to (reference on verto, 5.4, 5): Ed25519 (RFC 8032), as browsers make it.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::signature::{ED25519, ParsedPublicKey, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::{ChannelId, ClientId, Denied, Malformed};

/// What a login signs begins with this, so that its signature is good for nothing else.
const LOGIN: &[u8] = b"countersign verto v1 login\0";
const KEY_LENGTH: usize = 32;
const SIGNATURE_LENGTH: usize = 64;
const EXPECTED: Malformed = Malformed { expected: "base64url of an Ed25519 public key" };

/// An Ed25519 public key. Text form: 43 characters of unpadded base64url.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ProofKey([u8; KEY_LENGTH]);

impl FromStr for ProofKey {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let mut key = [0; KEY_LENGTH];
        let length = URL_SAFE_NO_PAD.decode_slice(text, &mut key).map_err(|_| EXPECTED)?;
        if length != KEY_LENGTH {
            return Err(EXPECTED);
        }
        ParsedPublicKey::new(&ED25519, key).map_err(|_| EXPECTED)?;
        Ok(Self(key))
    }
}

impl fmt::Display for ProofKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for ProofKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProofKey({self})")
    }
}

/// Verifies that whoever logs in on the connection that we gave `nonce` holds the private half of `key`.
///
/// `signature` is unpadded base64url of 64 bytes over: the ASCII bytes `countersign verto v1 login`, a zero byte, the nonce, and then, each
/// followed by a zero byte, the channel's id, the client's id, and the origin of the page, which is empty where none was told.
///
/// # Errors
/// [`Denied::BadProof`] for every other signature.
pub fn verify_client_proof(
    key: &ProofKey,
    nonce: &[u8; 32],
    channel: ChannelId,
    client: ClientId,
    origin: &str,
    signature: &str,
) -> Result<(), Denied> {
    let mut given = [0; SIGNATURE_LENGTH];
    let length = URL_SAFE_NO_PAD.decode_slice(signature, &mut given).map_err(|_| Denied::BadProof)?;
    if length != SIGNATURE_LENGTH {
        return Err(Denied::BadProof);
    }
    let (channel, client) = (channel.to_string(), client.to_string());
    let parts: [&[u8]; 8] =
        [LOGIN, nonce, channel.as_bytes(), b"\0", client.as_bytes(), b"\0", origin.as_bytes(), b"\0"];
    UnparsedPublicKey::new(&ED25519, key.0).verify(&parts.concat(), &given).map_err(|_| Denied::BadProof)
}

#[cfg(test)]
mod tests {
    use super::*;

    // The key of RFC 8032 §7.1, test 1; the signature was made by Node (OpenSSL) over the nonce of the bytes 100..132.
    const KEY: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
    const CHANNEL: &str = "0b38fc9b-ea40-46cb-b7a9-ee9dd01ae7bb";
    const CLIENT: &str = "5f0cba6e-2cc8-4b0e-a1f6-0d7d5c2f4a11";
    const ORIGIN: &str = "https://meet.example";
    const SIGNATURE: &str =
        "Z749HDNLCLWZ3pbj29M9dFjF6E7LZRs3I__n4KxlpfMl-POdGbZBZSd9knUn9Zx_BaYzglQ7Zfkw_XPL9j9JBQ";

    fn nonce() -> [u8; 32] {
        std::array::from_fn(|index| 100 + u8::try_from(index).unwrap())
    }

    #[test]
    fn only_the_signature_of_this_login_is_accepted() {
        let other = ChannelId::from_random(1).to_string();
        let mut later = nonce();
        later[0] ^= 1;
        let flipped = SIGNATURE.replace("Z749", "Z748");
        let rows = [
            ("good", nonce(), CHANNEL, CLIENT, ORIGIN, SIGNATURE, true),
            ("another nonce", later, CHANNEL, CLIENT, ORIGIN, SIGNATURE, false),
            ("another channel", nonce(), &other, CLIENT, ORIGIN, SIGNATURE, false),
            ("another client", nonce(), CHANNEL, &other, ORIGIN, SIGNATURE, false),
            ("another page", nonce(), CHANNEL, CLIENT, "https://evil.example", SIGNATURE, false),
            ("no page", nonce(), CHANNEL, CLIENT, "", SIGNATURE, false),
            ("another signature", nonce(), CHANNEL, CLIENT, ORIGIN, &flipped, false),
            ("none", nonce(), CHANNEL, CLIENT, ORIGIN, "", false),
            ("too long", nonce(), CHANNEL, CLIENT, ORIGIN, &SIGNATURE.repeat(2), false),
        ];
        let key: ProofKey = KEY.parse().unwrap();
        for (what, nonce, channel, client, origin, signature, expected) in rows {
            let (channel, client) = (channel.parse().unwrap(), client.parse().unwrap());
            let answer = verify_client_proof(&key, &nonce, channel, client, origin, signature);
            assert_eq!(answer, if expected { Ok(()) } else { Err(Denied::BadProof) }, "{what}");
        }
    }

    #[test]
    fn a_key_is_the_text_of_32_bytes() {
        assert_eq!(KEY.parse::<ProofKey>().map(|key| key.to_string()).as_deref(), Ok(KEY));
        for text in
            ["", "A", &format!("{KEY}="), &format!("{KEY}A"), &KEY.replace('_', "/"), &"A".repeat(10_000)]
        {
            assert_eq!(text.parse::<ProofKey>(), Err(EXPECTED), "{text:.50}");
        }
    }
}
