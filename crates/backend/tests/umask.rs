//! The umask is the process's, hence a test program of its own.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use backend::folder;

#[test]
fn files_that_say_nothing_of_their_mode_are_private() {
    folder::keep_new_files_private();
    let folder = tempfile::tempdir().unwrap();
    let (file, inner) = (folder.path().join("file"), folder.path().join("inner"));
    fs::write(&file, "").unwrap();
    fs::create_dir(&inner).unwrap();
    assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(inner).unwrap().permissions().mode() & 0o777, 0o700);
}
