//! One server a data folder.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use rustix::fs::{FlockOperation, flock};

/// Why the folder is not ours. The texts are for the operator.
#[derive(Debug, thiserror::Error)]
pub enum NotTaken {
    /// Another process has it.
    #[error("another server uses the data folder {}", .0.display())]
    InUse(PathBuf),
    /// The operating system refused.
    #[error("the data folder {} cannot be taken: {source}", folder.display())]
    Io {
        /// Which.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Holds the folder; the operating system lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct FolderLock {
    #[expect(dead_code, reason = "held: closing it lets go of the folder")]
    file: File,
}

impl FolderLock {
    /// Takes the folder.
    pub(crate) fn take(folder: &Path) -> Result<Self, NotTaken> {
        let refused = |source: io::Error| match source.kind() {
            io::ErrorKind::WouldBlock => NotTaken::InUse(folder.to_owned()),
            _ => NotTaken::Io { folder: folder.to_owned(), source },
        };
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true).mode(0o600);
        let file = options.open(folder.join("lock")).map_err(refused)?;
        flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|error| refused(error.into()))?;
        Ok(Self { file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_taken_once() {
        let folder = tempfile::tempdir().unwrap();
        let first = FolderLock::take(folder.path()).unwrap();
        let refused = FolderLock::take(folder.path()).unwrap_err().to_string();
        assert_eq!(refused, format!("another server uses the data folder {}", folder.path().display()));
        drop(first);
        FolderLock::take(folder.path()).unwrap();
        let refused = FolderLock::take(&folder.path().join("nowhere")).unwrap_err().to_string();
        assert!(
            refused.ends_with("nowhere cannot be taken: No such file or directory (os error 2)"),
            "{refused}"
        );
    }
}
