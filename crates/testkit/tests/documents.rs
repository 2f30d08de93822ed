//! What the documents say is shown by a test is shown by a test that exists.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code: a broken assumption should fail the test, loudly"
)]

use std::collections::BTreeMap;
use std::path::Path;

const RTCD: &str = "docs/faces/rtcd.md";
const VERTO: &str = "docs/faces/verto.md";

/// Statements of section 6 of the reference for verto.
const STATEMENTS: u32 = 70;
/// Weaknesses of its section 5.2.
const WEAKNESSES: u32 = 26;

/// Kinds of lines of section 8 of the reference for rtcd, and how many there are of each.
const LINES: [(&str, u32); 36] = [
    ("T-CMD", 5),
    ("T-LOG", 6),
    ("T-API", 4),
    ("T-AC", 3),
    ("T-SC", 4),
    ("T-AS", 3),
    ("T-SA", 14),
    ("T-CM", 4),
    ("T-CF", 3),
    ("T-CL", 18),
    ("T-SY", 1),
    ("T-VE", 1),
    ("T-RN", 2),
    ("T-ST", 4),
    ("T-WC", 2),
    ("T-WX", 5),
    ("T-WS", 6),
    ("T-RC", 8),
    ("T-DC", 4),
    ("T-NT", 3),
    ("T-RA", 3),
    ("T-RS", 7),
    ("T-SE", 3),
    ("T-TU", 2),
    ("T-UT", 3),
    ("T-VA", 4),
    ("T-GO-CFG", 1),
    ("T-GO-CLI", 6),
    ("T-GO-WS", 3),
    ("T-GO-RTC", 6),
    ("T-GO-MON", 2),
    ("T-GO-UT", 1),
    ("T-GO-API", 18),
    // Weaknesses: security, correctness, operation. B-42 and B-44 to B-46 are not for one server to cure.
    ("B", 11),
    ("B-2", 10),
    ("B-3", 6),
];
const MORE_WEAKNESSES: [u32; 9] = [40, 41, 43, 47, 48, 49, 50, 51, 52];

#[test]
fn every_line_of_rtcds_behaviour_is_shown_by_a_test_that_exists() {
    let mut shown = shown(RTCD, "Differences", |id| id.starts_with("T-") || id.starts_with("B-"));
    for id in expected() {
        let rows = shown.remove(&id).unwrap_or_default();
        assert!(rows == 1 || (rows > 1 && id.starts_with('B')), "{id}: {rows} rows");
    }
    assert!(shown.is_empty(), "no such lines: {shown:?}");
}

#[test]
fn every_statement_on_verto_is_shown_by_a_test_that_exists() {
    let is_number = |id: &str| id.strip_prefix('S').unwrap_or(id).parse::<u32>().is_ok();
    let shown = shown(VERTO, "Conformance", is_number);
    let statements = (1..=STATEMENTS).map(|number| number.to_string());
    let weaknesses = (1..=WEAKNESSES).map(|number| format!("S{number}"));
    for id in statements.chain(weaknesses) {
        assert_eq!(shown.get(&id), Some(&1), "{id}: rows");
    }
    assert!(shown.values().all(|rows| *rows == 1), "{shown:?}");
}

/// How many rows each line has in the tables from this heading on. Checks that each row names tests, and that they exist.
fn shown(document: &str, heading: &str, is_id: impl Fn(&str) -> bool) -> BTreeMap<String, usize> {
    let document = std::fs::read_to_string(root().join(document)).unwrap();
    let tables = document.split_once(&format!("\n## {heading}\n")).unwrap().1;
    let mut shown = BTreeMap::new();
    for row in tables.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| |")) {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let tests: Vec<&str> = cells.last().unwrap().split('`').skip(1).step_by(2).collect();
        for test in &tests {
            assert!(exists(test), "{test}: there is no such test");
        }
        let is_applicable = !row.contains("| not applicable: ");
        assert!(
            !is_applicable || !tests.is_empty() || cells.last() == Some(&"shown by"),
            "nothing shows {row}"
        );
        for id in cells[0].split(", ").filter(|id| is_id(id)) {
            *shown.entry(id.to_owned()).or_default() += 1;
        }
    }
    shown
}

fn expected() -> Vec<String> {
    let mut expected: Vec<String> = MORE_WEAKNESSES.iter().map(|number| format!("B-{number}")).collect();
    for (kind, count) in LINES {
        match kind {
            "B-2" | "B-3" => expected.extend((0..count).map(|number| format!("{kind}{number}"))),
            _ => expected.extend((1..=count).map(|number| format!("{kind}-{number:02}"))),
        }
    }
    expected
}

/// `path::name`, the path below `crates/` and without its ending; or, of a test with real parts, `tests/…::beginning of its title`.
fn exists(test: &str) -> bool {
    let Some((file, name)) = test.split_once("::") else { return false };
    if file.starts_with("tests/") {
        let source = std::fs::read_to_string(root().join(file)).unwrap_or_default();
        return source.contains(&format!("test(\"{name}"));
    }
    let source = std::fs::read_to_string(root().join(format!("crates/{file}.rs"))).unwrap_or_default();
    let found = source.find(&format!("fn {name}("));
    // Somewhere above it: `#[test]`, `#[tokio::test]`, or a property.
    found.is_some_and(|at| {
        let above = &source[..at];
        let attribute = above.rfind("test]").unwrap_or_default();
        !above[attribute..].contains("\n}")
    })
}

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}
