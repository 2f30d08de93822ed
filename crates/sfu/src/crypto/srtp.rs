//! SRTP ciphers: AES-CM with its key schedule kept; GCM as aws-lc-rs has it.

use aws_lc_rs::cipher::{AES_128, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;
use str0m_proto::crypto::{
    Aes128CmSha1_80Cipher, CryptoError, SrtpProvider, SupportedAeadAes128Gcm, SupportedAeadAes256Gcm,
    SupportedAes128CmSha1_80,
};

/// The one provider.
pub(super) static CACHED: Cached = Cached;

#[derive(Debug)]
pub(super) struct Cached;

fn stock() -> &'static dyn SrtpProvider {
    str0m_aws_lc_rs::default_provider().srtp_provider
}

impl SrtpProvider for Cached {
    fn aes_128_cm_sha1_80(&self) -> &'static dyn SupportedAes128CmSha1_80 {
        &CounterMode
    }

    fn aead_aes_128_gcm(&self) -> &'static dyn SupportedAeadAes128Gcm {
        stock().aead_aes_128_gcm()
    }

    fn aead_aes_256_gcm(&self) -> &'static dyn SupportedAeadAes256Gcm {
        stock().aead_aes_256_gcm()
    }

    fn srtp_aes_128_ecb_round(&self, key: &[u8], input: &[u8], output: &mut [u8]) {
        stock().srtp_aes_128_ecb_round(key, input, output);
    }

    fn srtp_aes_256_ecb_round(&self, key: &[u8], input: &[u8], output: &mut [u8]) {
        stock().srtp_aes_256_ecb_round(key, input, output);
    }
}

#[derive(Debug)]
struct CounterMode;

impl SupportedAes128CmSha1_80 for CounterMode {
    fn create_cipher(&self, key: [u8; 16], _encrypt: bool) -> Box<dyn Aes128CmSha1_80Cipher> {
        // Cannot fail: the key has the length of the algorithm. If it did, every packet would.
        let key = UnboundCipherKey::new(&AES_128, &key).and_then(EncryptingKey::ctr).ok();
        Box::new(CounterModeCipher { key })
    }
}

struct CounterModeCipher {
    key: Option<EncryptingKey>,
}

impl std::fmt::Debug for CounterModeCipher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CounterModeCipher(..)")
    }
}

impl Aes128CmSha1_80Cipher for CounterModeCipher {
    fn encrypt(&mut self, iv: &[u8; 16], input: &[u8], output: &mut [u8]) -> Result<(), CryptoError> {
        let failed = || CryptoError::Other("AES-CM".into());
        let key = self.key.as_ref().ok_or_else(failed)?;
        let output = output.get_mut(..input.len()).ok_or_else(failed)?;
        output.copy_from_slice(input);
        let context = EncryptionContext::Iv128(FixedLength::from(iv));
        key.less_safe_encrypt(output, context).map_err(|_| failed())?;
        Ok(())
    }

    fn decrypt(&mut self, iv: &[u8; 16], input: &[u8], output: &mut [u8]) -> Result<(), CryptoError> {
        self.encrypt(iv, input, output)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counter_mode_gives_what_the_stock_cipher_gives() {
        let key = [7; 16];
        let mut ours = CACHED.aes_128_cm_sha1_80().create_cipher(key, true);
        let mut theirs = stock().aes_128_cm_sha1_80().create_cipher(key, true);
        for length in [0, 1, 15, 16, 100, 1_200] {
            let input: Vec<u8> = (0..=u8::MAX).cycle().take(length).collect();
            let (mut one, mut other) = (vec![0; length + 10], vec![0; length + 10]);
            for iv in [[0; 16], [9; 16]] {
                ours.encrypt(&iv, &input, &mut one).unwrap();
                theirs.encrypt(&iv, &input, &mut other).unwrap();
                assert_eq!(one, other, "{length}");
                let mut back = vec![0; length];
                ours.decrypt(&iv, &one[..length], &mut back).unwrap();
                assert_eq!(back, input);
            }
        }
    }
}
