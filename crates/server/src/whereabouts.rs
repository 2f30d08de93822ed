//! Where the server of a data folder listens, for the commands of the same binary.

use std::{
    fs, io,
    io::Write,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

const FILE: &str = "listening.json";

/// Written when the listener is open, removed at a stop; after a crash it names a server that is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Whereabouts {
    /// The main listener.
    pub address: SocketAddr,
    /// The certificate that it shows, in PEM; `None`: it does not encrypt.
    pub certificate: Option<PathBuf>,
}

impl Whereabouts {
    /// Reads the file of this data folder.
    pub fn read(folder: &Path) -> io::Result<Self> {
        serde_json::from_slice(&fs::read(folder.join(FILE))?).map_err(io::Error::other)
    }

    /// Writes the file, for the folder's owner only.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        Self::remove(folder);
        let text = serde_json::to_vec(self).map_err(io::Error::other)?;
        fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(folder.join(FILE))?
            .write_all(&text)
    }

    /// Removes the file.
    pub fn remove(folder: &Path) {
        _ = fs::remove_file(folder.join(FILE));
    }

    /// The address to connect to on the same machine.
    #[must_use]
    pub fn local(&self) -> SocketAddr {
        let ip = match self.address.ip() {
            IpAddr::V4(Ipv4Addr::UNSPECIFIED) => IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(Ipv6Addr::UNSPECIFIED) => IpAddr::V6(Ipv6Addr::LOCALHOST),
            given => given,
        };
        SocketAddr::new(ip, self.address.port())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Whereabouts::read(folder.path()).is_err());
        let here = Whereabouts { address: "0.0.0.0:8080".parse().unwrap(), certificate: None };
        here.write(folder.path()).unwrap();
        here.write(folder.path()).unwrap();
        assert_eq!(Whereabouts::read(folder.path()).unwrap(), here);
        assert_eq!(here.local(), "127.0.0.1:8080".parse().unwrap());
        Whereabouts::remove(folder.path());
        assert!(Whereabouts::read(folder.path()).is_err());
    }
}
