//! What the server says of a message that it handed from one client of a verto channel to another, so that it cannot be said differently
//! later: who, to whom, when, which step towards a call, and the digest of the body. Never the body.

use std::fmt;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::fingerprint::sha256;
use crate::{ChannelId, ClientId, Malformed, UnixMillis};

/// What is signed begins with this, so that its signature is good for nothing else.
const RECORD: &str = "countersign verto v1 relay";

/// A message that was handed on.
#[derive(Debug, Clone, Copy)]
pub struct Relayed<'a> {
    /// In which channel.
    pub channel: ChannelId,
    /// Who said it.
    pub from: ClientId,
    /// Who was told.
    pub to: ClientId,
    /// Which step towards a call, as a word.
    pub step: &'static str,
    /// What was said; only its SHA-256 is kept.
    pub body: &'a str,
    /// When.
    pub at: UnixMillis,
}

/// The key with which the server signs its records (Ed25519, RFC 8032).
pub struct RecordKey(Ed25519KeyPair);

impl RecordKey {
    /// Makes a key of 32 bytes of the operating system's chance.
    ///
    /// # Errors
    /// The library takes no key of these bytes.
    pub fn from_seed(seed: &[u8; 32]) -> Result<Self, Malformed> {
        Ed25519KeyPair::from_seed_unchecked(seed)
            .map(Self)
            .map_err(|_| Malformed { expected: "an Ed25519 seed" })
    }

    /// Returns the public half: unpadded base64url of 32 bytes.
    #[must_use]
    pub fn public(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0.public_key())
    }

    /// Returns the record: one line that [`verify_record`] believes. IDs stand in it in their short form.
    #[must_use]
    pub fn seal(&self, relayed: &Relayed<'_>) -> String {
        let Relayed { channel, from, to, step, body, at } = relayed;
        let digest = sha256(body.as_bytes()).map(|byte| format!("{byte:02x}")).concat();
        let (channel, from, to) = (channel.short(), from.short(), to.short());
        let said = format!("{step} {channel} {from} {to} {} {digest}", at.0);
        let signature = URL_SAFE_NO_PAD.encode(self.0.sign(signed(&said).as_bytes()));
        format!("{said} {signature}")
    }
}

impl fmt::Debug for RecordKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecordKey({})", self.public())
    }
}

/// Says whether the holder of this public key has made the record.
#[must_use]
pub fn verify_record(key: &str, record: &str) -> bool {
    let Some((said, signature)) = record.rsplit_once(' ') else { return false };
    let (Ok(key), Ok(signature)) = (URL_SAFE_NO_PAD.decode(key), URL_SAFE_NO_PAD.decode(signature)) else {
        return false;
    };
    UnparsedPublicKey::new(&ED25519, key).verify(signed(said).as_bytes(), &signature).is_ok()
}

fn signed(said: &str) -> String {
    format!("{RECORD}\0{said}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_believed_as_it_was_made_and_in_no_other_form() {
        let key = RecordKey::from_seed(&[7; 32]).unwrap();
        let relayed = Relayed {
            channel: ChannelId::from_random(1 << 96),
            from: ClientId::from_random(2 << 96),
            to: ClientId::from_random(3 << 96),
            step: "offer",
            body: "the body",
            at: UnixMillis(1_790_000_000_000),
        };
        let record = key.seal(&relayed);
        // printf 'the body' | sha256sum
        let digest = "fa8242e99f48966ca514092b4233b446851f42b57ad5031bf133e1dd76787f3e";
        let said = format!("offer 00000001.. 00000002.. 00000003.. 1790000000000 {digest} ");
        assert!(record.starts_with(&said) && !record.contains("the body"), "{record}");
        assert!(verify_record(&key.public(), &record));
        let other = RecordKey::from_seed(&[8; 32]).unwrap();
        assert!(!verify_record(&other.public(), &record));
        assert!(!verify_record(&key.public(), &record.replace("offer", "close")));
        assert!(!verify_record(&key.public(), &record.replace("00000003", "00000004")));
        assert!(!verify_record(&key.public(), "offer"));
        assert!(!verify_record("", &record));
    }
}
