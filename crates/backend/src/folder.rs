//! The data folder: nobody but its owner reads anything in it.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use identity::{Secret, TokenKind, hash, mint};
use rustix::fs::Mode;

/// The permission bits of the group and of others.
const OTHERS: u32 = 0o077;

/// Name of the file that holds the admin token.
const ADMIN_TOKEN: &str = "admin-token";

/// Longest admin-token file that is read, in bytes; a token and its line end take 48.
const ADMIN_TOKEN_LIMIT: u64 = 256;

/// Why the data folder cannot be used. The texts are for the operator.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// The group or others can reach into it.
    #[error("the data folder {} is open to other users of this machine; close it with: {mending}", folder.display())]
    Exposed {
        /// The data folder.
        folder: PathBuf,
        /// The shell command that closes everything that was found open.
        mending: String,
    },
    /// The admin token's file holds something else.
    #[error("{} does not hold an admin token; remove it, and the next start makes another one", file.display())]
    MalformedToken {
        /// The file.
        file: PathBuf,
    },
    /// The operating system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Keeps every file that this process makes from the group and from others: sets the umask to 077. Called once, before any thread.
pub fn keep_new_files_private() {
    rustix::process::umask(Mode::from_raw_mode(OTHERS));
}

/// Makes the data folder (mode 0700) where there is none; otherwise checks that it and all within it is closed to others.
///
/// # Errors
/// `Exposed`, with the command that mends it; `Io`.
pub fn prepare(folder: &Path) -> Result<(), FolderError> {
    let folder = std::path::absolute(folder).map_err(at(folder))?;
    match DirBuilder::new().mode(0o700).create(&folder) {
        Ok(()) => return sync_parent(&folder).map_err(at(&folder)),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) if error.kind() == ErrorKind::NotFound => return create_with_parents(&folder),
        Err(source) => return Err(FolderError::Io { path: folder, source }),
    }
    if !fs::metadata(&folder).map_err(at(&folder))?.is_dir() {
        return Err(FolderError::Io { path: folder, source: ErrorKind::NotADirectory.into() });
    }
    let exposed = find_exposed(&folder)?;
    let mending = exposed.mending();
    if mending.is_empty() { Ok(()) } else { Err(FolderError::Exposed { folder, mending }) }
}

/// Returns the admin token of this data folder; makes it out of `random`, 32 bytes of the operating system's chance, where there is
/// none. Its file has mode 0600 and appears whole or not at all.
///
/// # Errors
/// `MalformedToken` when the file holds something else, `Io`.
pub fn admin_token(folder: &Path, random: [u8; 32]) -> Result<Secret, FolderError> {
    let file = folder.join(ADMIN_TOKEN);
    if let Some(token) = read_admin_token(&file)? {
        return Ok(token);
    }
    let token = mint(TokenKind::Admin, random);
    match write_whole(&file, &token) {
        Ok(()) => Ok(token),
        // Another process was first: its token is the one that stands.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            read_admin_token(&file)?.ok_or(FolderError::MalformedToken { file })
        }
        Err(source) => Err(FolderError::Io { path: file, source }),
    }
}

/// Makes an empty file of mode 0600 where there is none.
pub(crate) fn create_private_file(file: &Path) -> io::Result<()> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(file) {
        Ok(_) => sync_parent(file),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

fn create_with_parents(folder: &Path) -> Result<(), FolderError> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(at(folder))?;
    sync_parent(folder).map_err(at(folder))
}

/// What of a data folder the group or others can reach into.
#[derive(Default)]
struct Exposed {
    folders: Vec<PathBuf>,
    files: Vec<PathBuf>,
}

impl Exposed {
    /// Returns the command that closes all of it; empty when there is nothing to close.
    fn mending(&self) -> String {
        let commands = [("chmod 700", &self.folders), ("chmod 600", &self.files)];
        let commands = commands.into_iter().filter(|(_, paths)| !paths.is_empty());
        let commands = commands.map(|(command, paths)| {
            paths.iter().fold(command.to_owned(), |line, path| format!("{line} {}", quoted(path)))
        });
        commands.collect::<Vec<_>>().join(" && ")
    }
}

fn find_exposed(folder: &Path) -> Result<Exposed, FolderError> {
    let mut exposed = Exposed::default();
    let mut pending = vec![folder.to_owned()];
    while let Some(path) = pending.pop() {
        let found = match if path == folder { fs::metadata(&path) } else { fs::symlink_metadata(&path) } {
            Ok(found) => found,
            // SQLite's own files come and go while another process has the store open.
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(source) => return Err(FolderError::Io { path, source }),
        };
        // A link has no permissions of its own.
        let open = !found.is_symlink() && found.permissions().mode() & OTHERS != 0;
        if found.is_dir() {
            for entry in fs::read_dir(&path).map_err(at(&path))? {
                pending.push(entry.map_err(at(&path))?.path());
            }
            if open {
                exposed.folders.push(path);
            }
        } else if open {
            exposed.files.push(path);
        }
    }
    exposed.folders.sort();
    exposed.files.sort();
    Ok(exposed)
}

/// Returns the path as a shell takes it for one word.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@".contains(c);
    if text.chars().all(is_plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

fn read_admin_token(file: &Path) -> Result<Option<Secret>, FolderError> {
    let opened = match File::open(file) {
        Ok(opened) => opened,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(FolderError::Io { path: file.to_owned(), source }),
    };
    let malformed = || FolderError::MalformedToken { file: file.to_owned() };
    let mut text = String::new();
    opened.take(ADMIN_TOKEN_LIMIT).read_to_string(&mut text).map_err(|error| match error.kind() {
        ErrorKind::InvalidData => malformed(),
        _ => FolderError::Io { path: file.to_owned(), source: error },
    })?;
    text.truncate(text.trim_ascii_end().len());
    let token = Secret::new(text);
    hash(TokenKind::Admin, &token).map_err(|_| malformed())?;
    Ok(Some(token))
}

/// Writes the token beside its place and links it there, so that a crash in between leaves no half file, and a file that is there is
/// not replaced.
fn write_whole(file: &Path, token: &Secret) -> io::Result<()> {
    // Two first starts at once draw different tokens, hence write different drafts.
    let name = hash(TokenKind::Admin, token).map_err(io::Error::other)?.to_hex();
    let draft = file.with_extension(format!("{name}.draft"));
    let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    let placed = fill(opened, token).and_then(|()| fs::hard_link(&draft, file));
    fs::remove_file(&draft)?;
    placed?;
    sync_parent(file)
}

fn fill(mut file: File, token: &Secret) -> io::Result<()> {
    file.write_all(token.expose().as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()
}

/// Flushes the folder that a path stands in, so that its name is there after a power cut.
fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

fn at(path: &Path) -> impl Fn(io::Error) -> FolderError {
    let path = path.to_owned();
    move |source| FolderError::Io { path: path.clone(), source }
}
