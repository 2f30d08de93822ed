//! Rebuilds the crate when the pages that it embeds were built.

use std::path::Path;

fn main() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../console/dist/index.html");
    // A watched file that does not exist means a rebuild every time; only a release pays that for never missing the pages.
    let release = std::env::var("PROFILE").is_ok_and(|profile| profile == "release");
    let watched = if release || page.exists() { page } else { Path::new("build.rs").to_owned() };
    println!("cargo::rerun-if-changed={}", watched.display());
}
