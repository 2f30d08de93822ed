use crate::possession::NOBODY;
use crate::{Grant, PublicKey, Secret, TokenHash, TokenKind, UnixMillis, hash, verify_first_message};

/// Why a credential was not believed. Logged in full, told to the caller only as "denied".
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// Nothing is known by that name or hash.
    #[error("unknown")]
    Unknown,
    /// The record is of another secret.
    #[error("wrong secret")]
    WrongSecret,
    /// It was good once.
    #[error("expired")]
    Expired,
    /// It was taken back.
    #[error("revoked")]
    Revoked,
    /// The text is not in the form of such a token.
    #[error("not a token of this kind")]
    BadToken,
    /// The signature is not of the key that the token is bound to, or not of this connection's challenge.
    #[error("bad proof of possession")]
    BadProof,
}

/// The stored half of an opaque token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRecord {
    /// What the store keeps of the token's text.
    pub hash: TokenHash,
    /// What the token's holder may do, and until when.
    pub grant: Grant,
    /// When it was taken back, if it was.
    pub revoked: Option<UnixMillis>,
}

/// The stored half of a session token that is bound to a browser's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParticipantRecord {
    /// The token.
    pub token: TokenRecord,
    /// The key that has to sign.
    pub key: PublicKey,
}

/// Verifies a token against the record that was found for it; an absent record costs the same comparison.
///
/// # Errors
/// `Unknown`, `WrongSecret`, `Revoked`, `Expired`.
pub fn verify_token(
    presented: &TokenHash,
    record: Option<&TokenRecord>,
    now: UnixMillis,
) -> Result<Grant, Denied> {
    let kept = record.map_or(TokenHash::from_bytes([0; 32]), |record| record.hash);
    let matches = *presented == kept;
    let record = record.ok_or(Denied::Unknown)?;
    if !matches {
        return Err(Denied::WrongSecret);
    }
    if record.revoked.is_some() {
        return Err(Denied::Revoked);
    }
    if record.grant.is_expired(now) {
        return Err(Denied::Expired);
    }
    Ok(record.grant.clone())
}

/// Verifies a session token and the proof that its holder has the key it is bound to; an absent record costs the same signature
/// verification, made against a key that nobody uses.
///
/// # Errors
/// `BadToken` and those of [`verify_token`] for the token, `BadProof` for the signature.
pub fn verify_participant(
    token: &Secret,
    nonce: &[u8; 32],
    signature: &[u8],
    record: Option<&ParticipantRecord>,
    now: UnixMillis,
) -> Result<Grant, Denied> {
    let presented = hash(TokenKind::Session, token)?;
    let key = record.map_or(&NOBODY, |record| &record.key);
    let proof = verify_first_message(key, nonce, token, signature);
    let grant = verify_token(&presented, record.map(|record| &record.token), now)?;
    proof.map(|()| grant)
}
