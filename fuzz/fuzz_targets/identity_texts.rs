//! Whatever is said to be a secret, a fingerprint, a key or a signature. What is read is written back the same.
#![no_main]

use identity::{
    Fingerprint, KeyHash, PublicKey, Secret, TokenKind, hash, hash_realm_token, verify_first_message,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Ok(text) = str::from_utf8(input) else { return };
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    let secret = Secret::new(first);
    for kind in
        [TokenKind::Invite, TokenKind::Session, TokenKind::SignIn, TokenKind::Console, TokenKind::Admin]
    {
        if hash(kind, &secret).is_ok() {
            assert!(first.starts_with(kind.prefix()) && first.len() == 47);
        }
    }
    if let Ok(fingerprint) = Fingerprint::parse(first) {
        assert_eq!(Fingerprint::parse(&fingerprint.to_string()), Ok(fingerprint));
    }
    if let Ok(hash) = first.parse::<KeyHash>() {
        assert_eq!(hash.to_string().parse(), Ok(hash));
    }
    assert!(hash_realm_token(&secret).is_err() || first.len() == 32);
    if let Ok(key) = PublicKey::parse(first) {
        assert_eq!(key.to_string(), first);
        // Nobody has signed with it.
        assert!(verify_first_message(&key, &[0; 32], &secret, rest.as_bytes()).is_err());
    }
});
