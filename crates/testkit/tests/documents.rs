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
    let document = std::fs::read_to_string(root().join(RTCD)).unwrap();
    let tables = document.split_once("\n## Differences\n").unwrap().1;
    let mut shown = BTreeMap::<String, usize>::new();
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
        for id in cells[0].split(", ").filter(|id| id.starts_with("T-") || id.starts_with("B-")) {
            *shown.entry(id.to_owned()).or_default() += 1;
        }
    }
    for id in expected() {
        let rows = shown.remove(&id).unwrap_or_default();
        assert!(rows == 1 || (rows > 1 && id.starts_with('B')), "{id}: {rows} rows");
    }
    assert!(shown.is_empty(), "no such lines: {shown:?}");
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

/// `path::name`, the path below `crates/` and without its ending.
fn exists(test: &str) -> bool {
    let Some((file, name)) = test.split_once("::") else { return false };
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
