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
    /// It came without the cookie that the secret was given to, or with another.
    #[error("not the cookie of the password")]
    WrongCookie,
    /// It named another session than its own.
    #[error("not the session of the password")]
    WrongSession,
    /// It came by a path, or from a page, that is not of its channel.
    #[error("not a door of its channel")]
    WrongDoor,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Fingerprint, Permission, Permissions, Principal, SessionId, UserId, mint};
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    const NONCE: [u8; 32] = [9; 32];
    const NOW: UnixMillis = UnixMillis(1_000);

    #[test]
    fn a_token_is_believed_only_when_its_record_is_good() {
        let hash_of = |byte| hash(TokenKind::Console, &mint(TokenKind::Console, [byte; 32])).unwrap();
        let grant = |expires| {
            let permissions = Permissions::NONE.with(Permission::ManageRealm);
            Grant::new(Principal::operator(UserId::new("ana")), permissions, UnixMillis(expires))
        };
        let record = |expires, revoked: Option<u64>| TokenRecord {
            hash: hash_of(1),
            grant: grant(expires),
            revoked: revoked.map(UnixMillis),
        };
        let rows = [
            ("good", hash_of(1), Some(record(1_001, None)), Ok(grant(1_001))),
            ("unknown", hash_of(1), None, Err(Denied::Unknown)),
            ("the stand-in of an absent record", TokenHash::from_bytes([0; 32]), None, Err(Denied::Unknown)),
            ("another's record", hash_of(2), Some(record(1_001, None)), Err(Denied::WrongSecret)),
            ("expired", hash_of(1), Some(record(1_000, None)), Err(Denied::Expired)),
            ("revoked", hash_of(1), Some(record(1_001, Some(999))), Err(Denied::Revoked)),
            ("revoked later than now", hash_of(1), Some(record(1_001, Some(2_000))), Err(Denied::Revoked)),
        ];
        for (what, presented, record, expected) in rows {
            assert_eq!(verify_token(&presented, record.as_ref(), NOW), expected, "{what}");
        }
    }

    #[test]
    fn a_participant_is_believed_only_with_its_token_and_its_key() {
        let (ana, eve) = (Browser::new(), Browser::new());
        let (token, other) = (mint(TokenKind::Session, [1; 32]), mint(TokenKind::Session, [2; 32]));
        let invite = mint(TokenKind::Invite, [1; 32]);
        let record = |expires, revoked: Option<u64>| ana.record(&token, expires, revoked);
        let signed = ana.sign(&NONCE, &token);
        let good = record(1_001, None);
        let rows = [
            ("good", &token, signed.clone(), Some(good.clone()), Ok(good.token.grant.clone())),
            ("unknown", &token, signed.clone(), None, Err(Denied::Unknown)),
            (
                "another's record",
                &other,
                ana.sign(&NONCE, &other),
                Some(good.clone()),
                Err(Denied::WrongSecret),
            ),
            ("a stolen token", &token, eve.sign(&NONCE, &token), Some(good.clone()), Err(Denied::BadProof)),
            (
                "a replayed message",
                &token,
                ana.sign(&[8; 32], &token),
                Some(good.clone()),
                Err(Denied::BadProof),
            ),
            ("no signature", &token, Vec::new(), Some(good.clone()), Err(Denied::BadProof)),
            ("expired", &token, signed.clone(), Some(record(1_000, None)), Err(Denied::Expired)),
            ("revoked", &token, signed.clone(), Some(record(1_001, Some(1))), Err(Denied::Revoked)),
            ("not a session token", &invite, signed.clone(), Some(good.clone()), Err(Denied::BadToken)),
        ];
        for (what, token, signature, record, expected) in rows {
            let answer = verify_participant(token, &NONCE, &signature, record.as_ref(), NOW);
            assert_eq!(answer, expected, "{what}");
        }
    }

    #[test]
    fn the_stand_in_key_opens_nothing_even_for_who_signs_with_it() {
        // Signed with the private key of RFC 6979 §A.2.5; token and nonce as in the tests of `possession`.
        let token = Secret::new("css_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8");
        let nonce = std::array::from_fn(|index| 100 + u8::try_from(index).unwrap());
        let signature = URL_SAFE_NO_PAD
            .decode("Rtnb5MYN7ri35FPRVQWk56yFhuHCIidMQdnvmuIGWjzRZ-p4BpVqUupYGE8qSZia7ojeRbkPqfY_IK4fN0aFiA")
            .unwrap();
        assert_eq!(verify_first_message(&NOBODY, &nonce, &token, &signature), Ok(()));
        assert_eq!(verify_participant(&token, &nonce, &signature, None, NOW), Err(Denied::Unknown));
    }

    struct Browser {
        pair: EcdsaKeyPair,
    }

    impl Browser {
        fn new() -> Self {
            Self { pair: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap() }
        }

        fn sign(&self, nonce: &[u8; 32], token: &Secret) -> Vec<u8> {
            let token_hash = hash(TokenKind::Session, token).unwrap();
            let message =
                [b"countersign rooms v1 authenticate\0".as_slice(), nonce, token_hash.as_bytes()].concat();
            self.pair.sign(&SystemRandom::new(), &message).unwrap().as_ref().to_vec()
        }

        fn record(&self, token: &Secret, expires: u64, revoked: Option<u64>) -> ParticipantRecord {
            let key = URL_SAFE_NO_PAD.encode(self.pair.public_key());
            let grant = Grant::new(
                Principal::guest(SessionId(1)),
                Permissions::NONE.with(Permission::Speak),
                UnixMillis(expires),
            )
            .bind(Fingerprint::from_bytes([3; 32]));
            ParticipantRecord {
                token: TokenRecord {
                    hash: hash(TokenKind::Session, token).unwrap(),
                    grant,
                    revoked: revoked.map(UnixMillis),
                },
                key: PublicKey::parse(&key).unwrap(),
            }
        }
    }
}
