//! The log, on standard error.

use std::io::IsTerminal;

use server::config::{Log, LogFormat};
use tracing_subscriber::{EnvFilter, fmt};

/// Those that read what participants send: whoever makes one of them warn could do it until the disk is full. What it comes to, ours say.
const TALKED_INTO: [&str; 4] = ["str0m", "sctp_proto", "dimpl", "is"];

/// Starts logging. The level is that of our own crates; what libraries say below a warning could hold what a log must not.
pub(crate) fn start(log: Log) {
    let level = log.level;
    let foreign = if level == server::config::LogLevel::Error { "error" } else { "warn" };
    let ours = ["countersign", "server", "backend", "hub", "sfu", "identity", "wire"];
    let ours = ours.iter().map(|name| format!("{name}={level}"));
    let silent = TALKED_INTO.iter().map(|name| format!("{name}=off"));
    let directives: Vec<String> = ours.chain(silent).collect();
    let filter = EnvFilter::new(format!("{foreign},{}", directives.join(",")));
    // On a full disk or a closed pipe a line is lost; telling of that on the same stream would panic whoever had something to say.
    let builder = fmt().with_env_filter(filter).with_writer(std::io::stderr).log_internal_errors(false);
    match log.format {
        LogFormat::Text => builder.with_ansi(std::io::stderr().is_terminal()).init(),
        LogFormat::Json => builder.json().init(),
    }
}
