//! A certificate as an operator has one: made out by somebody else, in files.

use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;

/// The files of a server called `localhost`; they are gone when this is dropped.
pub struct CertificateFiles {
    folder: TempDir,
    /// Whom clients trust, in PEM form: not the server's own certificate, nor its issuer's.
    pub root: Vec<u8>,
}

impl CertificateFiles {
    /// Makes a root, an authority that it vouches for, and a server's certificate of that authority.
    #[must_use]
    pub fn new() -> Self {
        let authority = |name: &str| {
            let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.distinguished_name.push(rcgen::DnType::CommonName, name);
            params
        };
        let root = CertifiedIssuer::self_signed(authority("root"), KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let issuer = CertifiedIssuer::signed_by(authority("authority"), key, &root).unwrap();
        let key = KeyPair::generate().unwrap();
        let server = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let server = server.signed_by(&key, &issuer).unwrap();
        let files = Self { folder: tempfile::tempdir().unwrap(), root: root.pem().into_bytes() };
        std::fs::write(files.chain(), server.pem() + &issuer.pem()).unwrap();
        std::fs::write(files.key(), key.serialize_pem()).unwrap();
        files
    }

    /// The file with the server's certificate and that of its issuer.
    #[must_use]
    pub fn chain(&self) -> PathBuf {
        self.folder.path().join("chain.pem")
    }

    /// The file with the key.
    #[must_use]
    pub fn key(&self) -> PathBuf {
        self.folder.path().join("key.pem")
    }
}

impl Default for CertificateFiles {
    fn default() -> Self {
        Self::new()
    }
}
