//! Crypto whose chance comes from the stage's seed as far as it shows on the network, and which gives an attacker its own keys.
//!
//! Keys, key shares and signatures are real and random. What shows of them is their length: certificates and signatures have one
//! length each here, and the rest of DTLS (back-off, hello bytes, nonces) is seeded.

use std::cell::Cell;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Instant;

use dimpl::crypto::{Buf, KeyProvider, SigningKey};
use dimpl::{Config, Dtls, HashAlgorithm, SignatureAlgorithm};
use str0m::DATAGRAM_MTU_TARGET;
use str0m_proto::crypto::dtls::{
    DtlsCert, DtlsImplError, DtlsInstance, DtlsOutput, DtlsProvider, ProtocolVersion,
};
use str0m_proto::crypto::{
    AeadAes256GcmCipher, CryptoError, CryptoProvider, DtlsVersion, SrtpProvider, SupportedAeadAes128Gcm,
    SupportedAeadAes256Gcm, SupportedAes128CmSha1_80,
};

/// The commonest length of a P-256 signature in DER, and of a certificate made by [`certificate`].
const SIGNATURE_LENGTH: usize = 71;
const CERTIFICATE_LENGTH: usize = 326;
/// Certificates and DTLS seeds that the clients of one process share.
const POOL: usize = 32;
/// Draws until one has the length asked for; about every third has.
const DRAWS: usize = 1_000;

thread_local! {
    static NEXT: Cell<usize> = const { Cell::new(0) };
}

/// Begins a stage's chance anew on this thread.
pub(crate) fn seed(seed: u64) {
    fastrand::seed(seed);
    NEXT.set(usize::try_from(seed % POOL as u64).unwrap());
}

/// The provider of the shard and of honest clients.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    static MADE: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    Arc::clone(MADE.get_or_init(|| {
        Arc::new(CryptoProvider {
            dtls_provider: Box::leak(Box::new(SeededDtls::new(None))),
            ..str0m_aws_lc_rs::default_provider()
        })
    }))
}

/// What an attacker knows and may do beneath its own str0m.
#[derive(Debug, Clone, Default)]
pub struct Backdoor {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Session key of the RTCP that it sends, and the salt of its nonces.
    rtcp: Option<([u8; 32], [u8; 12])>,
    next_index: u32,
    /// SCTP packets to be sent as they are.
    sctp: Vec<Vec<u8>>,
}

impl Backdoor {
    /// A provider for one client, which opens this door to it.
    pub(crate) fn provider(&self) -> Arc<CryptoProvider> {
        let stock = str0m_aws_lc_rs::default_provider();
        let gcm: &'static dyn SupportedAeadAes256Gcm =
            Box::leak(Box::new(TellingGcm { stock: stock.srtp_provider, door: self.clone() }));
        Arc::new(CryptoProvider {
            dtls_provider: Box::leak(Box::new(SeededDtls::new(Some(self.clone())))),
            srtp_provider: Box::leak(Box::new(TellingSrtp { stock: stock.srtp_provider, gcm })),
            ..stock
        })
    }

    /// Seals an RTCP packet (RFC 7714 §9) as the client's next one. `None` until the client has sent its first.
    #[must_use]
    pub fn seal_rtcp(&self, packet: &[u8]) -> Option<Vec<u8>> {
        let mut inner = self.inner.lock().unwrap();
        let (key, salt) = inner.rtcp?;
        inner.next_index += 1;
        // Far ahead of what str0m counts.
        let index = 0x4000_0000 + inner.next_index;
        let flagged = (0x8000_0000 | index).to_be_bytes();
        let mut aad = [0; 12];
        aad[..8].copy_from_slice(&packet[..8]);
        aad[8..].copy_from_slice(&flagged);
        let mut iv = salt;
        packet[4..8].iter().zip(&mut iv[2..6]).for_each(|(byte, iv)| *iv ^= byte);
        index.to_be_bytes().iter().zip(&mut iv[8..12]).for_each(|(byte, iv)| *iv ^= byte);
        let mut sealed = packet[..8].to_vec();
        sealed.resize(packet.len() + 16, 0);
        let stock = str0m_aws_lc_rs::default_provider().srtp_provider;
        let mut cipher = stock.aead_aes_256_gcm().create_cipher(key, true);
        cipher.encrypt(&iv, &aad, &packet[8..], &mut sealed[8..]).unwrap();
        sealed.extend(flagged);
        Some(sealed)
    }

    /// Sends bytes as an SCTP packet, at the next turn of the client's DTLS.
    pub fn send_sctp(&self, packet: Vec<u8>) {
        self.inner.lock().unwrap().sctp.push(packet);
    }
}

/// Makes what stories share, so that none of them does and has other chance left than the next.
pub(crate) fn fill_pools() {
    certificates();
    provider();
    (0..POOL).for_each(|index| _ = config(index));
}

/// A certificate out of the pool; the next one at every call.
pub(crate) fn certificate() -> DtlsCert {
    certificates()[turn() % POOL].clone()
}

fn certificates() -> &'static [DtlsCert] {
    static MADE: OnceLock<Vec<DtlsCert>> = OnceLock::new();
    MADE.get_or_init(|| (0..POOL).map(|_| make_certificate()).collect())
}

fn make_certificate() -> DtlsCert {
    let stock = str0m_aws_lc_rs::default_provider().dtls_provider;
    let mut made = std::iter::repeat_with(|| stock.generate_certificate().unwrap()).take(DRAWS);
    made.find(|made| made.certificate.len() == CERTIFICATE_LENGTH).unwrap()
}

fn turn() -> usize {
    NEXT.with(|next| next.replace(next.get() + 1))
}

#[derive(Debug)]
struct SeededDtls {
    door: Option<Backdoor>,
}

impl SeededDtls {
    fn new(door: Option<Backdoor>) -> Self {
        Self { door }
    }
}

impl DtlsProvider for SeededDtls {
    fn generate_certificate(&self) -> Option<DtlsCert> {
        Some(certificate())
    }

    fn new_dtls(
        &self,
        certificate: &DtlsCert,
        now: Instant,
        version: DtlsVersion,
        _mtu: Option<usize>,
    ) -> Result<Box<dyn DtlsInstance>, CryptoError> {
        let (config, certificate) = (config(turn() % POOL), certificate.clone());
        let dtls = match version {
            DtlsVersion::Dtls12 => Dtls::new_12(config, certificate, now),
            DtlsVersion::Dtls13 => Dtls::new_13(config, certificate, now),
            _ => Dtls::new_auto(config, certificate, now),
        };
        Ok(Box::new(Instance { dtls, door: self.door.clone() }))
    }
}

/// One of the pool's configurations: each is costly to make.
fn config(index: usize) -> Arc<Config> {
    static MADE: [OnceLock<Arc<Config>>; POOL] = [const { OnceLock::new() }; POOL];
    Arc::clone(MADE[index].get_or_init(|| {
        let crypto = dimpl::crypto::CryptoProvider {
            key_provider: &EvenKeys,
            ..dimpl::crypto::aws_lc_rs::default_provider()
        };
        let config = Config::builder()
            .with_crypto_provider(crypto)
            .dangerously_set_rng_seed(index as u64)
            .use_server_cookie(false)
            .mtu(DATAGRAM_MTU_TARGET)
            .build();
        Arc::new(config.unwrap())
    }))
}

/// Keys whose signatures are all of one length.
#[derive(Debug)]
struct EvenKeys;

#[derive(Debug)]
struct EvenKey(Box<dyn SigningKey>);

impl KeyProvider for EvenKeys {
    fn load_private_key(&self, key_der: &[u8]) -> Result<Box<dyn SigningKey>, dimpl::CryptoError> {
        let stock = dimpl::crypto::aws_lc_rs::default_provider().key_provider;
        Ok(Box::new(EvenKey(stock.load_private_key(key_der)?)))
    }
}

impl SigningKey for EvenKey {
    fn sign(&mut self, data: &[u8], hash: HashAlgorithm, out: &mut Buf) -> Result<(), dimpl::CryptoError> {
        for _ in 0..DRAWS {
            self.0.sign(data, hash, out)?;
            if out.len() == SIGNATURE_LENGTH {
                return Ok(());
            }
        }
        panic!("no signature of {SIGNATURE_LENGTH} bytes");
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.0.algorithm()
    }

    fn hash_algorithm(&self) -> HashAlgorithm {
        self.0.hash_algorithm()
    }

    fn supported_hash_algorithms(&self) -> &[HashAlgorithm] {
        self.0.supported_hash_algorithms()
    }
}

struct Instance {
    dtls: Dtls,
    door: Option<Backdoor>,
}

impl std::fmt::Debug for Instance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Dtls(..)")
    }
}

impl DtlsInstance for Instance {
    fn set_active(&mut self, active: bool) {
        self.dtls.set_active(active);
    }

    fn handle_packet(&mut self, packet: &[u8]) -> Result<(), DtlsImplError> {
        self.dtls.handle_packet(packet)
    }

    fn poll_output<'a>(&mut self, buf: &'a mut [u8]) -> DtlsOutput<'a> {
        let waiting = self.door.as_ref().map(|door| std::mem::take(&mut door.inner.lock().unwrap().sctp));
        for packet in waiting.into_iter().flatten() {
            let _ = self.dtls.send_application_data(&packet);
        }
        self.dtls.poll_output(buf)
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), DtlsImplError> {
        self.dtls.handle_timeout(now)
    }

    fn send_application_data(&mut self, data: &[u8]) -> Result<usize, DtlsImplError> {
        self.dtls.send_application_data(data)
    }

    fn is_active(&self) -> bool {
        self.dtls.is_active()
    }

    fn protocol_version(&self) -> Option<ProtocolVersion> {
        self.dtls.protocol_version()
    }

    fn is_closing(&self) -> bool {
        self.dtls.is_closing()
    }

    fn is_closed(&self) -> bool {
        self.dtls.is_closed()
    }

    fn close(&mut self) -> Result<(), DtlsImplError> {
        self.dtls.close()
    }
}

/// The stock SRTP, but for the profile that str0m's ends agree on.
#[derive(Debug)]
struct TellingSrtp {
    stock: &'static dyn SrtpProvider,
    gcm: &'static dyn SupportedAeadAes256Gcm,
}

impl SrtpProvider for TellingSrtp {
    fn aes_128_cm_sha1_80(&self) -> &'static dyn SupportedAes128CmSha1_80 {
        self.stock.aes_128_cm_sha1_80()
    }

    fn aead_aes_128_gcm(&self) -> &'static dyn SupportedAeadAes128Gcm {
        self.stock.aead_aes_128_gcm()
    }

    fn aead_aes_256_gcm(&self) -> &'static dyn SupportedAeadAes256Gcm {
        self.gcm
    }

    fn srtp_aes_128_ecb_round(&self, key: &[u8], input: &[u8], output: &mut [u8]) {
        self.stock.srtp_aes_128_ecb_round(key, input, output);
    }

    fn srtp_aes_256_ecb_round(&self, key: &[u8], input: &[u8], output: &mut [u8]) {
        self.stock.srtp_aes_256_ecb_round(key, input, output);
    }
}

#[derive(Debug)]
struct TellingGcm {
    stock: &'static dyn SrtpProvider,
    door: Backdoor,
}

impl SupportedAeadAes256Gcm for TellingGcm {
    fn create_cipher(&self, key: [u8; 32], encrypt: bool) -> Box<dyn AeadAes256GcmCipher> {
        let stock = self.stock.aead_aes_256_gcm().create_cipher(key, encrypt);
        Box::new(TellingCipher { stock, key, door: self.door.clone() })
    }
}

#[derive(Debug)]
struct TellingCipher {
    stock: Box<dyn AeadAes256GcmCipher>,
    key: [u8; 32],
    door: Backdoor,
}

impl AeadAes256GcmCipher for TellingCipher {
    fn encrypt(
        &mut self,
        iv: &[u8; 12],
        aad: &[u8],
        input: &[u8],
        output: &mut [u8],
    ) -> Result<(), CryptoError> {
        // RFC 5761 §4: RTCP packet types. Only there the authenticated data ends with the index.
        if aad.len() == 12 && (192..=223).contains(&aad[1]) {
            let mut salt = *iv;
            aad[4..8].iter().zip(&mut salt[2..6]).for_each(|(byte, salt)| *salt ^= byte);
            let index = [aad[8] & 0x7F, aad[9], aad[10], aad[11]];
            index.iter().zip(&mut salt[8..12]).for_each(|(byte, salt)| *salt ^= byte);
            self.door.inner.lock().unwrap().rtcp = Some((self.key, salt));
        }
        self.stock.encrypt(iv, aad, input, output)
    }

    fn decrypt(
        &mut self,
        iv: &[u8; 12],
        aads: &[&[u8]],
        input: &[u8],
        output: &mut [u8],
    ) -> Result<usize, CryptoError> {
        self.stock.decrypt(iv, aads, input, output)
    }
}
