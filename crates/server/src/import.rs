//! Takes over what another server has kept.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use backend::{RealmRecord, Store, StoreError, folder};
use identity::{KeyHash, RealmId};
use wire::rtcd::bitcask::{self, Damage, Next};

use crate::ambient::now;
use crate::audit::{Act, entry};
use crate::config::Checked;
use crate::folder_lock::{FolderLock, NotTaken};

/// rtcd begins another file after 1 MiB.
const LONGEST_FILE: u64 = 16 * 1_024 * 1_024;
/// More files than a store of any size has.
const MOST_FILES: usize = 10_000;

/// Why nothing was taken over. The texts are for the operator.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// A file or folder cannot be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// From the operating system.
        source: io::Error,
    },
    /// There is no store of rtcd in the folder.
    #[error("{}: expected the folder of rtcd's store.data_source, with files such as 000000000.data", .0.display())]
    NoStore(PathBuf),
    /// There is more than a store of rtcd has.
    #[error("{}: larger than anything rtcd writes", .0.display())]
    TooLarge(PathBuf),
    /// A file is not as it was written.
    #[error("{}, byte {offset}: {damage}", file.display())]
    Damaged {
        /// Which.
        file: PathBuf,
        /// Where.
        offset: usize,
        /// How.
        damage: Damage,
    },
    /// What is kept for a client is no hash that we can verify.
    #[error("what is kept for the client {0} is no bcrypt hash with a cost of 4 to 14")]
    NotAHash(String),
    /// Our own data folder cannot be used.
    #[error(transparent)]
    Folder(#[from] backend::FolderError),
    /// The server runs, or the folder cannot be written.
    #[error(transparent)]
    Taken(#[from] NotTaken),
    /// Our own store does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What an import did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Imported {
    /// Clients that were found.
    pub found: usize,
    /// Those of them that were taken over; the others were there already, and stay as they were.
    pub registered: usize,
    /// Whether the last file ends in a record that was not written whole, and was left out.
    pub torn: bool,
}

/// Takes over the clients of rtcd's store. All of them or, when something is wrong, none. The server must not run.
///
/// # Errors
/// As [`ImportError`] says.
pub async fn rtcd(config: &Checked, data_source: &Path) -> Result<Imported, ImportError> {
    let (kept, torn) = read(data_source)?;
    let created_at = now();
    let realms: Result<Vec<_>, _> = kept
        .into_iter()
        .map(|(id, value)| {
            let shown = || ImportError::NotAHash(id.escape_default().to_string());
            let key: KeyHash = value.parse().map_err(|_| shown())?;
            Ok::<_, ImportError>(RealmRecord { id: RealmId::new(id.as_str()), key, created_at })
        })
        .collect();
    let realms = realms?;

    folder::prepare(&config.data_dir)?;
    let _lock = FolderLock::take(&config.data_dir)?;
    let store = Store::open(&config.store_file).await?;
    let detail = format!("{} clients of rtcd", realms.len());
    let act = Act { actor: "import", action: "realm.import", subject: "", from: None, detail: &detail };
    let registered = store.import_realms(&realms, &entry(act)).await?;
    store.close().await;
    Ok(Imported { found: realms.len(), registered, torn })
}

/// Returns what is kept for each client, and whether the last record of all is torn.
fn read(folder: &Path) -> Result<(BTreeMap<String, String>, bool), ImportError> {
    let mut files = data_files(folder)?;
    // Their names are numbers of one length.
    files.sort();
    let Some(last) = files.last().cloned() else { return Err(ImportError::NoStore(folder.to_owned())) };
    let (mut kept, mut torn) = (BTreeMap::new(), false);
    for file in files {
        let failed = |source| ImportError::Io { path: file.clone(), source };
        if fs::metadata(&file).map_err(failed)?.len() > LONGEST_FILE {
            return Err(ImportError::TooLarge(file));
        }
        let bytes = fs::read(&file).map_err(failed)?;
        let mut rest = &bytes[..];
        loop {
            let damaged = |damage| ImportError::Damaged {
                file: file.clone(),
                offset: bytes.len() - rest.len(),
                damage,
            };
            match bitcask::next(rest).map_err(damaged)? {
                Next::End => break,
                // A writer that was cut off; nothing can come after it but in damaged files.
                Next::Torn if file == last => {
                    torn = true;
                    break;
                }
                Next::Torn => return Err(damaged(Damage::Length)),
                Next::Record(record, after) => {
                    let key = String::from_utf8_lossy(record.key).into_owned();
                    match record.value {
                        [] => _ = kept.remove(&key),
                        value => _ = kept.insert(key, String::from_utf8_lossy(value).into_owned()),
                    }
                    rest = after;
                }
            }
        }
    }
    Ok((kept, torn))
}

fn data_files(folder: &Path) -> Result<Vec<PathBuf>, ImportError> {
    let failed = |source| ImportError::Io { path: folder.to_owned(), source };
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let is_data = path.extension().is_some_and(|extension| extension == "data");
        let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
        if is_data && name.len() == 9 && name.bytes().all(|byte| byte.is_ascii_digit()) {
            files.push(path);
        }
        if files.len() > MOST_FILES {
            return Err(ImportError::TooLarge(folder.to_owned()));
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;
    use wire::rtcd::bitcask::{Record, write};

    use super::*;
    use crate::config::{Override, load};

    /// Captured from rtcd: `vectors/rtcd/auth.json`.
    const KEPT: &str = "$2a$10$zd2dZy95sa5UohIbsBDVdOwhWa.l4H1Ucx/nb0uIilF5lLku9gFGm";

    #[tokio::test]
    async fn the_last_record_of_a_client_counts_and_who_is_there_stays() {
        let other = KEPT.replace("zd2", "zd3");
        let place = Place::new(&[
            ("000000000.data", &[("a", KEPT), ("b", KEPT), ("c", KEPT)]),
            ("000000001.data", &[("b", ""), ("c", ""), ("c", &other), ("ü/..", KEPT)]),
        ]);
        for name in ["config.json", "index", "0.data", "lock"] {
            fs::write(place.store.join(name), "no records").unwrap();
        }
        let expected = |registered| Imported { found: 3, registered, torn: false };
        assert_eq!(rtcd(&place.config, &place.store).await.unwrap(), expected(3));
        assert_eq!(rtcd(&place.config, &place.store).await.unwrap(), expected(0), "again");
        let found = place.realms().await;
        let wanted = [("a", KEPT), ("c", &other), ("ü/..", KEPT)];
        let found: Vec<_> = found.iter().map(|realm| (realm.id.as_str(), realm.key.to_string())).collect();
        assert_eq!(found, wanted.map(|(id, key)| (id, key.to_owned())));
    }

    #[tokio::test]
    async fn a_record_that_was_cut_off_at_the_end_is_left_out() {
        let place = Place::new(&[("000000000.data", &[("a", KEPT), ("b", KEPT)])]);
        let file = place.store.join("000000000.data");
        let bytes = fs::read(&file).unwrap();
        fs::write(&file, &bytes[..bytes.len() - 5]).unwrap();
        let imported = rtcd(&place.config, &place.store).await.unwrap();
        assert_eq!(imported, Imported { found: 1, registered: 1, torn: true });
    }

    #[tokio::test]
    async fn when_anything_is_wrong_nothing_is_taken_over() {
        let cut = |place: &Place| {
            let file = place.store.join("000000000.data");
            let bytes = fs::read(&file).unwrap();
            fs::write(&file, &bytes[..bytes.len() - 5]).unwrap();
        };
        let flip = |place: &Place| {
            let file = place.store.join("000000001.data");
            let mut bytes = fs::read(&file).unwrap();
            bytes[20] ^= 1;
            fs::write(&file, bytes).unwrap();
        };
        let huge = |place: &Place| {
            let file = fs::File::create(place.store.join("000000002.data")).unwrap();
            file.set_len(LONGEST_FILE + 1).unwrap();
        };
        let none = |place: &Place| {
            for file in ["000000000.data", "000000001.data"] {
                fs::remove_file(place.store.join(file)).unwrap();
            }
        };
        let rows: [(Damaging<'_>, &str); 4] = [
            (&cut, "000000000.data, byte 0: a record has an impossible length"),
            (&flip, "000000001.data, byte 0: a record does not match its checksum"),
            (&huge, "000000002.data: larger than anything rtcd writes"),
            (&none, "expected the folder of rtcd's store.data_source"),
        ];
        for (damage, expected) in rows {
            let place = Place::new(&[("000000000.data", &[("a", KEPT)]), ("000000001.data", &[("b", KEPT)])]);
            damage(&place);
            let error = rtcd(&place.config, &place.store).await.unwrap_err().to_string();
            assert!(error.contains(expected), "{error}\n  not {expected}");
            assert_eq!(place.realms().await, []);
        }
        let place = Place::new(&[("000000000.data", &[("a", KEPT), ("b\u{1b}", "hunter2")])]);
        let error = rtcd(&place.config, &place.store).await.unwrap_err().to_string();
        assert!(error.contains("the client b\\u{1b} is no bcrypt hash"), "{error}");
        let error = rtcd(&place.config, Path::new("/nowhere")).await.unwrap_err().to_string();
        assert!(error.starts_with("/nowhere: No such file"), "{error}");
    }

    type Damaging<'a> = &'a dyn Fn(&Place);

    struct Place {
        store: PathBuf,
        config: Checked,
        _folder: TempDir,
    }

    type Kept<'a> = (&'a str, &'a [(&'a str, &'a str)]);

    impl Place {
        fn new(files: &[Kept<'_>]) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let (store, data) = (folder.path().join("rtcd_db"), folder.path().join("data"));
            fs::create_dir(&store).unwrap();
            for (name, records) in files {
                let record = |(key, value): &(&str, &str)| {
                    write(Record { key: key.as_bytes(), value: value.as_bytes() })
                };
                fs::write(store.join(name), records.iter().flat_map(record).collect::<Vec<u8>>()).unwrap();
            }
            let value = data.to_str().unwrap().to_owned();
            let set = Override { key: "data_dir".into(), value, flag: String::new() };
            Self { store, config: load(None, [], &[set]).unwrap(), _folder: folder }
        }

        async fn realms(&self) -> Vec<RealmRecord> {
            folder::prepare(&self.config.data_dir).unwrap();
            Store::open(&self.config.store_file).await.unwrap().realms().await.unwrap()
        }
    }
}
