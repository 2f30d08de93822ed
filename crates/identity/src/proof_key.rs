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
