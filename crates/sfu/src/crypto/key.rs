//! The key of our certificate, parsed once: parsing checks it, which takes as long as a signature, and a handshake needs one.

use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use dimpl::crypto::{Buf, HashAlgorithm, KeyProvider, SignatureAlgorithm, SigningKey};
use dimpl::{CryptoError, CryptoOperation};

/// Remembers the last P-256 key, of which there is one for each process; every other goes the stock way.
#[derive(Debug)]
pub(super) struct RememberedKey {
    stock: &'static dyn KeyProvider,
    last: Mutex<Option<Parsed>>,
}

#[derive(Debug, Clone)]
struct Parsed {
    der: Arc<[u8]>,
    pair: Arc<EcdsaKeyPair>,
}

impl RememberedKey {
    pub(super) fn new(stock: &'static dyn KeyProvider) -> Self {
        Self { stock, last: Mutex::default() }
    }
}

impl KeyProvider for RememberedKey {
    fn load_private_key(&self, der: &[u8]) -> Result<Box<dyn SigningKey>, CryptoError> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(parsed) = last.as_ref().filter(|parsed| *parsed.der == *der) {
            return Ok(Box::new(Signer(Arc::clone(&parsed.pair))));
        }
        let Ok(pair) = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, der) else {
            return self.stock.load_private_key(der);
        };
        let pair = Arc::new(pair);
        *last = Some(Parsed { der: der.into(), pair: Arc::clone(&pair) });
        Ok(Box::new(Signer(pair)))
    }
}

/// Signs with ECDSA on P-256 and SHA-256.
struct Signer(Arc<EcdsaKeyPair>);

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Signer(..)")
    }
}

impl SigningKey for Signer {
    fn sign(&mut self, data: &[u8], hash: HashAlgorithm, out: &mut Buf) -> Result<(), CryptoError> {
        if hash != HashAlgorithm::SHA256 {
            let key_hash = HashAlgorithm::SHA256;
            return Err(CryptoError::SigningKeyHashMismatch { key_hash, requested: hash });
        }
        let signed = self.0.sign(&SystemRandom::new(), data);
        let signature = signed.map_err(|_| CryptoError::OperationFailed(CryptoOperation::Sign))?;
        out.clear();
        out.extend_from_slice(signature.as_ref());
        Ok(())
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::ECDSA
    }

    fn hash_algorithm(&self) -> HashAlgorithm {
        HashAlgorithm::SHA256
    }

    fn supported_hash_algorithms(&self) -> &[HashAlgorithm] {
        &[HashAlgorithm::SHA256]
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, KeyPair, UnparsedPublicKey};

    use super::*;

    #[test]
    fn a_key_is_parsed_once_and_another_is_another() {
        let stock = dimpl::crypto::aws_lc_rs::default_provider().key_provider;
        let keys = RememberedKey::new(stock);
        let ders = [0; 2].map(|_| {
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &SystemRandom::new()).unwrap()
        });
        for der in [&ders[0], &ders[0], &ders[1]] {
            let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, der.as_ref()).unwrap();
            let mut out = Buf::new();
            keys.load_private_key(der.as_ref())
                .unwrap()
                .sign(b"said", HashAlgorithm::SHA256, &mut out)
                .unwrap();
            let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, pair.public_key().as_ref());
            public.verify(b"said", &out).unwrap();
            let parsed = keys.last.lock().unwrap().clone().unwrap();
            let again = keys.load_private_key(der.as_ref()).unwrap();
            assert_eq!(Arc::strong_count(&parsed.pair), 3, "kept, looked at, and lent out");
            drop(again);
        }
        assert!(keys.load_private_key(b"no key").is_err());
    }
}
