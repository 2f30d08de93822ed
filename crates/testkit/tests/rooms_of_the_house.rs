//! The table of rooms in ARCHITECTURE.md is the dependency graph.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    reason = "test code: a broken assumption should fail the test, loudly"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// What no pure crate may name: whatever has a socket, a clock, a disk or chance of its own.
const SHELL_CRATES: [&str; 14] = [
    "tokio",
    "axum",
    "sqlx",
    "mio",
    "socket2",
    "quinn-udp",
    "reqwest",
    "governor",
    "rustix",
    "hyper-util",
    "tempfile",
    "async-nats",
    "if-addrs",
    "fastrand",
];

#[test]
fn the_table_of_rooms_is_the_dependency_graph() {
    let (table, pure) = documented();
    let (ours, others) = real();
    assert_eq!(table, ours, "left: ARCHITECTURE.md, right: the manifests");
    for room in pure {
        let forbidden: Vec<_> =
            others[&room].iter().filter(|name| SHELL_CRATES.contains(&name.as_str())).collect();
        assert!(forbidden.is_empty(), "{room} is pure, but depends on {forbidden:?}");
    }
}

type Arrows = BTreeMap<String, BTreeSet<String>>;

fn documented() -> (Arrows, BTreeSet<String>) {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let (mut table, mut pure) = (Arrows::new(), BTreeSet::new());
    for line in text.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let name = cells[1].trim_matches('`').to_owned();
        let mut arrows: BTreeSet<String> =
            cells[3].split('`').skip(1).step_by(2).map(str::to_owned).collect();
        if cells[3].starts_with("everything but") {
            let (_, all) = real();
            arrows = all.into_keys().filter(|other| *other != name && !arrows.contains(other)).collect();
        }
        if cells[4] == "yes" {
            pure.insert(name.clone());
        }
        table.insert(name, arrows);
    }
    assert!(pure.len() >= 4, "the table was read");
    (table, pure)
}

/// Arrows between our crates, and to others.
fn real() -> (Arrows, Arrows) {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(root())
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let names: BTreeSet<&str> = packages.iter().filter_map(|package| package["name"].as_str()).collect();
    let (mut ours, mut others) = (Arrows::new(), Arrows::new());
    for package in packages {
        let name = package["name"].as_str().unwrap().to_owned();
        let normal =
            package["dependencies"].as_array().unwrap().iter().filter(|found| found["kind"].is_null());
        let (inner, outer): (BTreeSet<String>, BTreeSet<String>) = normal
            .filter_map(|found| found["name"].as_str())
            .map(str::to_owned)
            .partition(|found| names.contains(found.as_str()));
        ours.insert(name.clone(), inner);
        others.insert(name, outer);
    }
    (ours, others)
}

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}
