//! The binary in a folder of its own.

use std::path::Path;
use std::process::{Command, Output, Stdio};

/// The binary in this folder, without what the environment says.
pub(crate) fn bare(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if name.starts_with("COUNTERSIGN__") || name.starts_with("RTCD_") {
            command.env_remove(name);
        }
    }
    command.current_dir(folder).stdin(Stdio::null());
    command
}

/// The same, with a data folder and on free ports of loopback.
pub(crate) fn on_loopback(folder: &Path) -> Command {
    let mut command = bare(folder);
    let sets = ["http.listen=127.0.0.1:0", "media.listen_udp=127.0.0.1:0", "media.listen_tcp=127.0.0.1:0"];
    command.args(["--data-dir", "data"]).args(sets.iter().flat_map(|set| ["--set", set]));
    command
}

/// Returns what a command that succeeded printed.
pub(crate) fn printed(output: Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
