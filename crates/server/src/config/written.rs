//! Everything that somebody wrote, still as text, with the place where it stands: file, then environment, then flags.

use std::{collections::BTreeMap, fmt, ops::Range, path::Path};

use toml::de::{DeTable, DeValue};

/// Names of environment variables that are ours.
pub const ENVIRONMENT_PREFIX: &str = "COUNTERSIGN__";

/// Where a value was written; prints as `file:line`, the name of a variable, or the flag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A line of the configuration file.
    File {
        /// The file, as it was named.
        path: String,
        /// From 1.
        line: usize,
    },
    /// An environment variable.
    Variable(String),
    /// A command line flag.
    Flag(String),
    /// A line of rtcd's own configuration file.
    RtcdFile {
        /// The file, as it was named.
        path: String,
        /// From 1.
        line: usize,
    },
    /// One of rtcd's environment variables.
    RtcdVariable(String),
    /// What rtcd takes when nothing is written.
    RtcdDefault,
}

impl Origin {
    /// Whether this is one of rtcd's own settings, where what rtcd does is the explicit choice.
    #[must_use]
    pub fn is_rtcds(&self) -> bool {
        match self {
            Self::RtcdFile { .. } | Self::RtcdVariable(_) | Self::RtcdDefault => true,
            Self::File { .. } | Self::Variable(_) | Self::Flag(_) => false,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line } | Self::RtcdFile { path, line } => write!(f, "{path}:{line}"),
            Self::Variable(name) | Self::RtcdVariable(name) => f.write_str(name),
            Self::Flag(flag) => f.write_str(flag),
            Self::RtcdDefault => f.write_str("rtcd's default"),
        }
    }
}

/// Why the configuration cannot be used: where, and what was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{path}: cannot be read: {reason}")]
    Unreadable {
        /// The file, as it was named.
        path: String,
        /// From the operating system.
        reason: String,
    },
    /// A place holds something that cannot be used.
    #[error("{origin}: {problem}")]
    Wrong {
        /// Where.
        origin: Origin,
        /// What is wrong, and what was expected.
        problem: String,
    },
}

impl ConfigError {
    pub(super) fn at(origin: &Origin, problem: impl Into<String>) -> Self {
        Self::Wrong { origin: origin.clone(), problem: problem.into() }
    }
}

/// A value as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Written {
    /// From the environment or a flag: what it means depends on the key.
    Loose(String),
    /// A TOML string.
    Text(String),
    /// A TOML integer.
    Number(i64),
    /// A TOML boolean.
    Flag(bool),
    /// A TOML array.
    List(Vec<Self>),
    /// Any other TOML value, by the name of its type.
    Other(&'static str),
}

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loose(text) | Self::Text(text) => write!(f, "{text:?}"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Flag(flag) => write!(f, "{flag}"),
            Self::List(_) => f.write_str("a list"),
            Self::Other(kind) => write!(f, "a value of type {kind}"),
        }
    }
}

/// What a key was given, and where.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// The place of the winning value.
    pub(super) origin: Origin,
    /// The winning value.
    pub(super) value: Written,
}

/// All entries by key (`data_dir`, `http.listen`); a later layer replaces an earlier one.
#[derive(Debug, Default)]
pub(super) struct Entries(BTreeMap<String, Entry>);

impl Entries {
    /// Adds the values of a configuration file. `section` says which names are sections.
    pub(super) fn add_file(
        &mut self,
        path: &Path,
        is_section: impl Fn(&str) -> bool,
    ) -> Result<(), ConfigError> {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|error| ConfigError::Unreadable { path: name.clone(), reason: error.to_string() })?;
        self.add_toml(&name, &text, is_section)
    }

    pub(super) fn add_toml(
        &mut self,
        path: &str,
        text: &str,
        is_section: impl Fn(&str) -> bool,
    ) -> Result<(), ConfigError> {
        let origin =
            |span: Range<usize>| Origin::File { path: path.to_owned(), line: line_of(text, span.start) };
        let document = DeTable::parse(text)
            .map_err(|error| ConfigError::at(&origin(error.span().unwrap_or(0..0)), error.message()))?;
        for (key, value) in document.get_ref() {
            let origin_of_key = origin(key.span());
            let name = key.get_ref().as_ref();
            match value.get_ref() {
                DeValue::Table(section) => {
                    self.add_section(name, section, &origin, &is_section);
                    // An empty section with a wrong name is still a mistake.
                    if section.is_empty() && !is_section(name) {
                        self.set(name.to_owned(), origin_of_key, Written::Other("table"));
                    }
                }
                value if is_section(name) => {
                    let problem = format!("{name}: expected a section [{name}], found {}", written(value));
                    return Err(ConfigError::at(&origin_of_key, problem));
                }
                value => self.set(name.to_owned(), origin_of_key, written(value)),
            }
        }
        Ok(())
    }

    /// A section's name has up to three words.
    fn add_section(
        &mut self,
        name: &str,
        section: &DeTable<'_>,
        origin: &impl Fn(Range<usize>) -> Origin,
        is_section: &impl Fn(&str) -> bool,
    ) {
        for (inner, value) in section {
            let key = format!("{name}.{}", inner.get_ref());
            match value.get_ref() {
                DeValue::Table(deeper) if is_section(&key) => {
                    self.add_section(&key, deeper, origin, is_section);
                }
                value => self.set(key, origin(inner.span()), written(value)),
            }
        }
    }

    /// Adds the variables whose names start with [`ENVIRONMENT_PREFIX`]: `COUNTERSIGN__HTTP__LISTEN` is `http.listen`.
    pub(super) fn add_environment(&mut self, variables: impl IntoIterator<Item = (String, String)>) {
        for (name, value) in variables {
            if let Some(rest) = name.strip_prefix(ENVIRONMENT_PREFIX) {
                let key = rest.to_ascii_lowercase().replace("__", ".");
                self.set(key, Origin::Variable(name), Written::Loose(value));
            }
        }
    }

    /// Adds one flag; `flag` is how it was written.
    pub(super) fn add_flag(&mut self, key: &str, value: &str, flag: String) {
        self.set(key.to_owned(), Origin::Flag(flag), Written::Loose(value.to_owned()));
    }

    /// Adds what rtcd's own settings say of our keys.
    pub(super) fn add_mapped(&mut self, mapped: impl IntoIterator<Item = (String, Entry)>) {
        self.0.extend(mapped);
    }

    /// Adds a later layer.
    pub(super) fn add(&mut self, later: Self) {
        self.0.extend(later.0);
    }

    /// Whether a key was written.
    pub(super) fn has(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    /// Enables a section in which anything is written, unless it says itself whether it is.
    pub(super) fn turn_on(&mut self, section: &str) {
        let first =
            self.0.iter().find(|(key, _)| key.strip_prefix(section).is_some_and(|key| key.starts_with('.')));
        if let Some(origin) = first.map(|(_, entry)| entry.origin.clone()) {
            let enabled = Entry { origin, value: Written::Flag(true) };
            self.0.entry(format!("{section}.enabled")).or_insert(enabled);
        }
    }

    /// Takes the entry of a key out.
    pub(super) fn take(&mut self, key: &str) -> Option<Entry> {
        self.0.remove(key)
    }

    /// Returns an entry that nobody took: its key is unknown.
    pub(super) fn left_over(self) -> Option<(String, Entry)> {
        self.0.into_iter().next()
    }

    fn set(&mut self, key: String, origin: Origin, value: Written) {
        self.0.insert(key, Entry { origin, value });
    }
}

fn written(value: &DeValue<'_>) -> Written {
    match value {
        DeValue::String(text) => Written::Text(text.to_string()),
        DeValue::Boolean(flag) => Written::Flag(*flag),
        DeValue::Integer(number) => {
            let digits = number.as_str().replace('_', "");
            i64::from_str_radix(&digits, number.radix()).map_or(Written::Other("integer"), Written::Number)
        }
        DeValue::Array(items) => Written::List(items.iter().map(|item| written(item.get_ref())).collect()),
        DeValue::Float(_) | DeValue::Datetime(_) | DeValue::Table(_) => Written::Other(value.type_str()),
    }
}

pub(super) fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count().saturating_add(1)
}
