//! What a command says, and what is said of its failure.

use std::fmt;
use std::io::{self, Write};

/// Nobody reads any more, as after `head`: the rest of a command's words is for nobody.
#[derive(Debug)]
pub(crate) struct NobodyReads;

impl fmt::Display for NobodyReads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nobody reads what is printed")
    }
}

impl std::error::Error for NobodyReads {}

/// Prints a text on standard output, as it is.
///
/// # Errors
/// [`NobodyReads`], or what the operating system says.
pub(crate) fn say(text: impl fmt::Display) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match write!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(NobodyReads.into()),
        said => said.map_err(|error| anyhow::Error::new(error).context("cannot print")),
    }
}

/// Formats a line and prints it, as [`say`] does.
macro_rules! say_line {
    ($($line:tt)*) => {
        $crate::printing::say(format_args!("{}\n", format_args!($($line)*)))
    };
}
pub(crate) use say_line;

/// Prints a line on standard error; where it cannot be read, nothing can be told.
pub(crate) fn complain(line: impl fmt::Display) {
    _ = writeln!(io::stderr(), "{line}");
}

/// Returns what went wrong and why, each cause once: most of our errors tell theirs themselves.
pub(crate) fn reason(error: &anyhow::Error) -> String {
    let mut told = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if told.is_empty() {
            told = cause;
        } else if !told.contains(&cause) {
            told = format!("{told}: {cause}");
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_is_told_once() {
        let inner = || io::Error::from(io::ErrorKind::AddrInUse);
        let telling = anyhow::Error::new(inner()).context(format!("cannot listen on here: {}", inner()));
        assert_eq!(reason(&telling), "cannot listen on here: address in use");
        let silent = anyhow::Error::new(inner()).context("no door").context("no house");
        assert_eq!(reason(&silent), "no house: no door: address in use");
    }
}
