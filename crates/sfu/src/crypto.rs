//! The crypto provider: aws-lc-rs, with one DTLS configuration for all peers.
//!
//! The stock provider builds and validates a DTLS configuration for every peer, 1.3–1.7 ms each; a shared one makes it 25 µs. It also sets
//! up the AES key of AES-CM, which peers without GCM get, for every packet; ours once.

mod key;
pub(crate) mod pieces;
mod srtp;

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use dimpl::{Config, Dtls};
use str0m::DATAGRAM_MTU_TARGET;
use str0m_proto::crypto::dtls::{
    DtlsCert, DtlsImplError, DtlsInstance, DtlsOutput, DtlsProvider, ProtocolVersion,
};
use str0m_proto::crypto::{CryptoError, CryptoProvider, DtlsVersion};

use pieces::{Pieces, Seen};

/// A DTLS certificate with its key.
#[derive(Clone)]
pub struct Certificate {
    /// X.509, DER.
    pub certificate: Vec<u8>,
    /// ECDSA P-256 or P-384, PKCS #8 DER.
    pub private_key: Vec<u8>,
}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Certificate(..)")
    }
}

impl Certificate {
    pub(crate) fn to_dtls(&self) -> DtlsCert {
        DtlsCert { certificate: self.certificate.clone(), private_key: self.private_key.clone() }
    }
}

/// Returns the provider that every `Rtc` of a process shares.
///
/// # Errors
/// When aws-lc-rs cannot back the DTLS configuration.
pub fn provider() -> Result<Arc<CryptoProvider>, CryptoError> {
    static SHARED: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    match SHARED.get() {
        Some(shared) => Ok(Arc::clone(shared)),
        None => make_provider().map(|made| Arc::clone(SHARED.get_or_init(|| made))),
    }
}

fn make_provider() -> Result<Arc<CryptoProvider>, CryptoError> {
    let stock = dimpl::crypto::aws_lc_rs::default_provider();
    // The trait objects must live for ever; one provider is made per process.
    let key_provider = Box::leak(Box::new(key::RememberedKey::new(stock.key_provider)));
    let config = Config::builder()
        .with_crypto_provider(dimpl::crypto::CryptoProvider { key_provider, ..stock })
        // ICE proves the return path before DTLS starts, so the cookie exchange is a round trip for nothing.
        .use_server_cookie(false)
        .mtu(DATAGRAM_MTU_TARGET)
        .build()
        .map_err(|error| CryptoError::Other(format!("DTLS configuration: {error}")))?;
    let dtls = CachedDtls { config: Arc::new(config) };
    Ok(Arc::new(CryptoProvider {
        dtls_provider: Box::leak(Box::new(dtls)),
        srtp_provider: &srtp::CACHED,
        ..str0m_aws_lc_rs::default_provider()
    }))
}

#[derive(Debug)]
struct CachedDtls {
    config: Arc<Config>,
}

impl DtlsProvider for CachedDtls {
    fn generate_certificate(&self) -> Option<DtlsCert> {
        // Certificates are always given (`ShardConfig::certificate`).
        None
    }

    fn new_dtls(
        &self,
        certificate: &DtlsCert,
        now: Instant,
        version: DtlsVersion,
        mtu: Option<usize>,
    ) -> Result<Box<dyn DtlsInstance>, CryptoError> {
        if mtu.is_some_and(|mtu| mtu != self.config.mtu()) {
            return Err(CryptoError::Other("one MTU for all peers".into()));
        }
        let config = Arc::clone(&self.config);
        let dtls = match version {
            DtlsVersion::Dtls12 => Dtls::new_12(config, certificate.clone(), now),
            DtlsVersion::Dtls13 => Dtls::new_13(config, certificate.clone(), now),
            DtlsVersion::Auto => Dtls::new_auto(config, certificate.clone(), now),
            other => return Err(CryptoError::Other(format!("DTLS version {other}"))),
        };
        Ok(Box::new(Instance { dtls, pieces: Pieces::default() }))
    }
}

struct Instance {
    dtls: Dtls,
    pieces: Pieces,
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
        match self.pieces.take(packet) {
            Seen::AsItIs => self.dtls.handle_packet(packet),
            Seen::Cut(cut) => self.dtls.handle_packet(&cut),
            Seen::Nothing => Ok(()),
        }
    }

    fn poll_output<'a>(&mut self, buf: &'a mut [u8]) -> DtlsOutput<'a> {
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
