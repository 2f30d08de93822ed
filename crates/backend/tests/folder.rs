//! The data folder is closed to others, or the start is refused with the command that closes it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use backend::{FolderError, folder};
use identity::TokenKind;
use tempfile::TempDir;

#[test]
fn a_folder_that_is_not_there_is_made_closed() {
    let outer = tempfile::tempdir().unwrap();
    for name in ["data", "a/b/data"] {
        let data = outer.path().join(name);
        folder::prepare(&data).unwrap();
        assert_eq!(mode(&data), 0o700, "{name}");
        folder::prepare(&data).unwrap();
    }
}

#[test]
fn a_file_in_the_place_of_the_folder_is_refused() {
    let data = closed_folder();
    let file = data.path().join("data");
    fs::write(&file, "").unwrap();
    for path in [file.clone(), file.join("data")] {
        assert!(matches!(folder::prepare(&path), Err(FolderError::Io { .. })), "{path:?}");
    }
}

#[test]
fn an_open_folder_is_refused_with_the_command_that_closes_it() {
    let data = closed_folder();
    for open in [0o755, 0o750, 0o711, 0o705, 0o701, 0o710, 0o777] {
        set_mode(data.path(), open);
        let refused = folder::prepare(data.path()).unwrap_err();
        let text = refused.to_string();
        assert!(
            text.ends_with(&format!("close it with: chmod 700 {}", data.path().display())),
            "{open:o}: {text}"
        );
        mend(refused);
        assert_eq!(mode(data.path()), 0o700);
        folder::prepare(data.path()).unwrap();
    }
}

#[test]
fn an_open_file_is_refused_with_the_command_that_closes_it() {
    let data = closed_folder();
    let file = data.path().join("countersign.db");
    fs::write(&file, "").unwrap();
    for open in [0o644, 0o640, 0o604, 0o620, 0o601] {
        set_mode(&file, open);
        let refused = folder::prepare(data.path()).unwrap_err();
        let text = refused.to_string();
        assert!(text.ends_with(&format!("close it with: chmod 600 {}", file.display())), "{open:o}: {text}");
        mend(refused);
        assert_eq!(mode(&file), 0o600);
        folder::prepare(data.path()).unwrap();
    }
}

#[test]
fn one_command_closes_everything_whatever_its_name() {
    let data = closed_folder();
    let inner = data.path().join("in ner's $(touch x)");
    fs::create_dir(&inner).unwrap();
    let names = ["plain", "-rf", "with space", "quote'd", "$HOME", "new\nline"];
    for file in names.map(|name| inner.join(name)) {
        fs::write(&file, "").unwrap();
        set_mode(&file, 0o666);
    }
    set_mode(&inner, 0o755);
    set_mode(data.path(), 0o750);
    mend(folder::prepare(data.path()).unwrap_err());
    folder::prepare(data.path()).unwrap();
    assert_eq!((mode(data.path()), mode(&inner)), (0o700, 0o700));
    for name in names {
        assert_eq!(mode(&inner.join(name)), 0o600, "{name:?}");
    }
}

#[test]
fn a_link_inside_is_not_followed() {
    let (data, outside) = (closed_folder(), closed_folder());
    set_mode(outside.path(), 0o755);
    symlink(outside.path(), data.path().join("outside")).unwrap();
    symlink(data.path(), data.path().join("loop")).unwrap();
    symlink("nowhere", data.path().join("nowhere")).unwrap();
    folder::prepare(data.path()).unwrap();
}

#[test]
fn a_data_folder_behind_a_link_is_checked_itself() {
    let outer = tempfile::tempdir().unwrap();
    let (data, link) = (outer.path().join("data"), outer.path().join("link"));
    fs::create_dir(&data).unwrap();
    symlink(&data, &link).unwrap();
    set_mode(&data, 0o755);
    mend(folder::prepare(&link).unwrap_err());
    assert_eq!(mode(&data), 0o700);
    folder::prepare(&link).unwrap();
}

#[test]
fn the_admin_token_is_made_once() {
    let data = closed_folder();
    let file = data.path().join("admin-token");
    let made = folder::admin_token(data.path(), [1; 32]).unwrap();
    assert_eq!(made, identity::mint(TokenKind::Admin, [1; 32]));
    assert_eq!(fs::read_to_string(&file).unwrap(), format!("{}\n", made.expose()));
    assert_eq!(mode(&file), 0o600);
    assert_eq!(folder::admin_token(data.path(), [2; 32]).unwrap(), made);
    let names: Vec<_> = fs::read_dir(data.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["admin-token"]);
    folder::prepare(data.path()).unwrap();
}

#[test]
fn an_admin_token_without_its_line_end_is_good() {
    let data = closed_folder();
    let token = identity::mint(TokenKind::Admin, [1; 32]);
    fs::write(data.path().join("admin-token"), token.expose()).unwrap();
    assert_eq!(folder::admin_token(data.path(), [2; 32]).unwrap(), token);
}

#[test]
fn a_file_that_holds_no_admin_token_is_refused_and_kept() {
    let data = closed_folder();
    let file = data.path().join("admin-token");
    let token = identity::mint(TokenKind::Admin, [1; 32]);
    let session = identity::mint(TokenKind::Session, [1; 32]);
    let rows: [Vec<u8>; 6] = [
        Vec::new(),
        b"\n".to_vec(),
        session.expose().into(),
        token.expose().as_bytes()[..46].to_vec(),
        format!("{}\n{}\n", token.expose(), token.expose()).into_bytes(),
        vec![0xff; 100],
    ];
    for row in rows {
        fs::write(&file, &row).unwrap();
        let refused = folder::admin_token(data.path(), [2; 32]);
        assert!(matches!(refused, Err(FolderError::MalformedToken { .. })), "{row:?}");
        assert!(!format!("{refused:?}").contains("csa_"));
        assert_eq!(fs::read(&file).unwrap(), row);
    }
}

#[test]
fn of_many_first_starts_one_makes_the_token_of_all() {
    let data = closed_folder();
    let starts = std::thread::scope(|scope| {
        let start = |number| {
            scope.spawn({
                let data = &data;
                move || folder::admin_token(data.path(), [number; 32]).unwrap()
            })
        };
        let starts: Vec<_> = (0..8).map(start).collect();
        starts.into_iter().map(|start| start.join().unwrap()).collect::<Vec<_>>()
    });
    assert!(starts.iter().all(|token| *token == starts[0]));
}

fn closed_folder() -> TempDir {
    tempfile::Builder::new().permissions(Permissions::from_mode(0o700)).tempdir().unwrap()
}

/// Runs the command that the refusal names, as an operator would.
fn mend(refused: FolderError) {
    let FolderError::Exposed { mending, .. } = refused else { unreachable!("{refused}") };
    assert!(Command::new("sh").args(["-c", &mending]).status().unwrap().success(), "{mending}");
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}
