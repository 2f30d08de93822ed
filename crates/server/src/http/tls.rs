//! Certificates: the operator's files, or one that the server makes and keeps.

use std::{
    fs, io,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use x509_cert::{
    Certificate,
    der::DecodePem,
    ext::pkix::{SubjectAltName, name::GeneralName},
};

/// Name of the made certificate in the data folder; clients on the same machine may trust it.
pub const CERTIFICATE_FILE: &str = "tls-cert.pem";
const KEY_FILE: &str = "tls-key.pem";

/// How long a made certificate is good, and how long before its end a start makes another: browsers refuse certificates of more than
/// 825 days.
const LIFETIME: Duration = Duration::from_secs(800 * 24 * 3_600);
const RENEWAL: Duration = Duration::from_secs(60 * 24 * 3_600);
/// Clocks of clients may be behind ours.
const CLOCK_SKEW: Duration = Duration::from_secs(24 * 3_600);

/// Why there is no usable certificate. The texts are for the operator.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file cannot be read or written.
    #[error("{path}: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// From the operating system.
        source: io::Error,
    },
    /// The file holds no certificate or key in PEM form.
    #[error("{path}: expected {expected} in PEM form")]
    NotPem {
        /// Which.
        path: PathBuf,
        /// What.
        expected: &'static str,
    },
    /// Certificate and key are unusable or do not belong together.
    #[error("the certificate cannot be used: {0}")]
    Unusable(#[from] rustls::Error),
    /// No certificate could be made for these names.
    #[error("no certificate could be made: {0}")]
    NotMade(#[from] rcgen::Error),
}

/// Reads the operator's certificate chain and key.
pub fn from_files(cert: &Path, key: &Path) -> Result<Arc<ServerConfig>, TlsError> {
    config(read_chain(cert)?, read_key(key)?)
}

/// Reads a certificate chain.
pub fn read_chain(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let wrong = || TlsError::NotPem { path: file.into(), expected: "a certificate chain" };
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&read(file)?).collect();
    chain.ok().filter(|chain| !chain.is_empty()).ok_or_else(wrong)
}

/// Reads a private key.
pub fn read_key(file: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let wrong = |_| TlsError::NotPem { path: file.into(), expected: "a private key" };
    PrivateKeyDer::from_pem_slice(&read(file)?).map_err(wrong)
}

/// Returns what a listener shows, if the key is that of the chain's first certificate.
pub fn config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<Arc<ServerConfig>, TlsError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Returns the certificate of the data folder. Makes another (ECDSA P-256) when there is none, when it ends soon, or when it does not
/// stand for exactly these names and addresses.
pub fn self_signed(folder: &Path, names: &[String], now: SystemTime) -> Result<Arc<ServerConfig>, TlsError> {
    let (cert, key) = (folder.join(CERTIFICATE_FILE), folder.join(KEY_FILE));
    if key.exists()
        && is_good(&cert, names, now)
        && let Ok(config) = from_files(&cert, &key)
    {
        return Ok(config);
    }
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
    let mut params = rcgen::CertificateParams::new(names)?;
    params.distinguished_name.push(rcgen::DnType::CommonName, "countersign");
    params.not_before = (now - CLOCK_SKEW).into();
    params.not_after = (now + LIFETIME).into();
    params.key_usages = vec![rcgen::KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
    let made = params.self_signed(&pair)?;
    // The key first: a certificate without its key is made anew at the next start.
    write_private(&key, pair.serialize_pem().as_bytes())?;
    write_private(&cert, made.pem().as_bytes())?;
    from_files(&cert, &key)
}

fn is_good(cert: &Path, names: &[String], now: SystemTime) -> bool {
    let Some(certificate) = fs::read(cert).ok().and_then(|pem| Certificate::from_pem(pem).ok()) else {
        return false;
    };
    let ends = certificate.tbs_certificate().validity().not_after.to_system_time();
    if ends < now + RENEWAL {
        return false;
    }
    let mut wanted = names.to_vec();
    let mut present = subject_names(&certificate);
    wanted.sort_unstable();
    present.sort_unstable();
    wanted == present
}

fn subject_names(certificate: &Certificate) -> Vec<String> {
    let Ok(Some((_, SubjectAltName(names)))) = certificate.tbs_certificate().get_extension() else {
        return Vec::new();
    };
    names
        .iter()
        .filter_map(|name| match name {
            GeneralName::DnsName(name) => Some(name.to_string()),
            GeneralName::IpAddress(bytes) => match bytes.as_bytes().len() {
                4 => <[u8; 4]>::try_from(bytes.as_bytes())
                    .ok()
                    .map(|v4| std::net::IpAddr::from(v4).to_string()),
                _ => <[u8; 16]>::try_from(bytes.as_bytes())
                    .ok()
                    .map(|v6| std::net::IpAddr::from(v6).to_string()),
            },
            _ => None,
        })
        .collect()
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(path).map_err(|source| TlsError::Io { path: path.into(), source })
}

/// Writes a file that only its owner may read, whole or not at all.
fn write_private(path: &Path, content: &[u8]) -> Result<(), TlsError> {
    let draft = path.with_extension("pem.new");
    let write = || {
        _ = fs::remove_file(&draft);
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&draft, path)
    };
    write().map_err(|source| TlsError::Io { path: path.into(), source })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_made_certificate_is_kept_until_names_or_time_change() {
        let folder = tempfile::tempdir().unwrap();
        let now = SystemTime::now();
        let made = |names: &[String], now| {
            self_signed(folder.path(), names, now).unwrap();
            fs::read(folder.path().join(CERTIFICATE_FILE)).unwrap()
        };
        let two = names(&["localhost", "127.0.0.1", "::1"]);
        let first = made(&two, now);
        assert_eq!(made(&two, now), first);
        assert_eq!(made(&names(&["::1", "localhost", "127.0.0.1"]), now), first, "the order says nothing");
        let renamed = made(&names(&["call.example"]), now);
        assert_ne!(renamed, first);
        let later = now + LIFETIME - RENEWAL + Duration::from_secs(60);
        assert_ne!(made(&names(&["call.example"]), later), renamed, "it ends soon");
    }

    #[test]
    fn both_files_are_private_and_what_is_damaged_is_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let now = SystemTime::now();
        self_signed(folder.path(), &names(&["localhost"]), now).unwrap();
        for file in [CERTIFICATE_FILE, KEY_FILE] {
            let mode = fs::metadata(folder.path().join(file)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{file}");
        }
        fs::write(folder.path().join(KEY_FILE), "damaged").unwrap();
        self_signed(folder.path(), &names(&["localhost"]), now).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn files_that_are_no_certificate_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let (cert, key) = (folder.path().join("c.pem"), folder.path().join("k.pem"));
        let error = from_files(&cert, &key).unwrap_err().to_string();
        assert!(error.contains("c.pem: No such file"), "{error}");
        fs::write(&cert, "nothing").unwrap();
        let error = from_files(&cert, &key).unwrap_err().to_string();
        assert!(error.ends_with("c.pem: expected a certificate chain in PEM form"), "{error}");
    }
}
