//! What the operator wants: `file.rs` is what may be written, `checked.rs` what the program relies on.

use std::path::Path;

mod checked;
mod drop_in;
mod file;
mod public_url;
mod reference;
mod rtcd;
mod values;
mod verto;
mod written;

pub use checked::{Checked, Http, Log, Media, PemFile, Proxy, Tls};
pub use drop_in::{RTCDS_FILE, rtcd_markdown, unread_file};
pub use public_url::{PublicUrl, Scheme};
pub use reference::{example, markdown};
pub use rtcd::Rtcd;
pub use values::{LogFormat, LogLevel};
pub use verto::{Verto, VertoLimits};
pub use written::{ConfigError, ENVIRONMENT_PREFIX, Origin};

/// One flag that sets a key.
#[derive(Debug, Clone)]
pub struct Override {
    /// `data_dir`, `http.listen`.
    pub key: String,
    /// As it was written; lists are separated by commas.
    pub value: String,
    /// The whole flag, for messages.
    pub flag: String,
}

/// Reads the configuration: `file`, then the variables of `environment` that are ours, then `flags`; the later wins. rtcd's own variables
/// count too: [`load_with_rtcd`].
pub fn load(
    file: Option<&Path>,
    environment: impl IntoIterator<Item = (String, String)>,
    flags: &[Override],
) -> Result<Checked, ConfigError> {
    load_with_rtcd(file, None, environment, flags)
}

/// As [`load`], with rtcd's own file. Of rtcd's settings its variables come before `file`, and its file after it; when there is any, its
/// defaults come before ours.
pub fn load_with_rtcd(
    file: Option<&Path>,
    rtcd_file: Option<&Path>,
    environment: impl IntoIterator<Item = (String, String)>,
    flags: &[Override],
) -> Result<Checked, ConfigError> {
    let environment: Vec<(String, String)> = environment.into_iter().collect();
    let (mut in_file, mut above) = (written::Entries::default(), written::Entries::default());
    if let Some(path) = file {
        in_file.add_file(path, file::File::is_section)?;
    }
    above.add_environment(environment.iter().cloned());
    for flag in flags {
        above.add_flag(&flag.key, &flag.value, flag.flag.clone());
    }
    let is_ours = |key: &str| in_file.has(key) || above.has(key);
    let rtcds = drop_in::read(rtcd_file, &environment, &is_ours)?;
    let mut entries = written::Entries::default();
    entries.add_mapped(rtcds.defaults);
    entries.add_mapped(rtcds.file);
    entries.add(in_file);
    entries.add_mapped(rtcds.variables);
    entries.add(above);
    Checked::check(file::File::read(entries)?, rtcds.warnings)
}

#[cfg(test)]
mod tests;
