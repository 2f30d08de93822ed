//! rtcd's settings as they are written: a line of its file (TOML), or a variable of the environment, read as Go reads them.

use std::{collections::BTreeMap, path::Path};

use toml::de::{DeTable, DeValue};

use crate::config::written::{ConfigError, Origin, line_of};

/// A value as it was written.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Raw {
    /// Of a variable: what it means depends on the name.
    Variable(String),
    Text(String),
    Number(i64),
    Flag(bool),
    List(Vec<Self>),
    Table(BTreeMap<String, Self>),
    /// Any other value, by the name of its type.
    Other(&'static str),
}

/// Every value by its key (`rtc.ice_port_udp`), with its place.
pub(super) type Raws = BTreeMap<String, (Origin, Raw)>;

/// Reads rtcd's file. Tables are sections, whatever their depth.
pub(super) fn read_file(path: &Path) -> Result<Raws, ConfigError> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|error| ConfigError::Unreadable { path: name.clone(), reason: error.to_string() })?;
    read_toml(&name, &text)
}

pub(super) fn read_toml(path: &str, text: &str) -> Result<Raws, ConfigError> {
    let place = |offset: usize| Origin::RtcdFile { path: path.to_owned(), line: line_of(text, offset) };
    let document = DeTable::parse(text)
        .map_err(|error| ConfigError::at(&place(error.span().unwrap_or(0..0).start), error.message()))?;
    let mut raws = Raws::new();
    flatten(document.get_ref(), "", &place, &mut raws);
    Ok(raws)
}

/// The parser bounds the depth.
fn flatten(table: &DeTable<'_>, above: &str, place: &impl Fn(usize) -> Origin, raws: &mut Raws) {
    for (key, value) in table {
        let name = key.get_ref();
        let path = if above.is_empty() { name.to_string() } else { format!("{above}.{name}") };
        match value.get_ref() {
            DeValue::Table(section) => flatten(section, &path, place, raws),
            other => _ = raws.insert(path, (place(key.span().start), raw(other))),
        }
    }
}

fn raw(value: &DeValue<'_>) -> Raw {
    match value {
        DeValue::String(text) => Raw::Text(text.to_string()),
        DeValue::Boolean(flag) => Raw::Flag(*flag),
        DeValue::Integer(number) => {
            let digits = number.as_str().replace('_', "");
            i64::from_str_radix(&digits, number.radix()).map_or(Raw::Other("integer"), Raw::Number)
        }
        DeValue::Array(items) => Raw::List(items.iter().map(|item| raw(item.get_ref())).collect()),
        DeValue::Table(table) => Raw::Table(
            table.iter().map(|(key, value)| (key.get_ref().to_string(), raw(value.get_ref()))).collect(),
        ),
        DeValue::Float(_) | DeValue::Datetime(_) => Raw::Other(value.type_str()),
    }
}

/// A kind of value that a setting can have.
pub(super) trait Kind: Sized {
    /// Completes "expected …".
    const EXPECTED: &'static str;

    /// `None`: it is something else.
    fn read(raw: &Raw) -> Option<Self>;
}

impl Kind for String {
    const EXPECTED: &'static str = "a text";

    fn read(raw: &Raw) -> Option<Self> {
        match raw {
            Raw::Variable(text) | Raw::Text(text) => Some(text.clone()),
            Raw::Number(_) | Raw::Flag(_) | Raw::List(_) | Raw::Table(_) | Raw::Other(_) => None,
        }
    }
}

impl Kind for bool {
    const EXPECTED: &'static str = "true or false";

    /// Go: `strconv.ParseBool`.
    fn read(raw: &Raw) -> Option<Self> {
        match raw {
            Raw::Flag(flag) => Some(*flag),
            Raw::Variable(text) => match text.as_str() {
                "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
                "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(false),
                _ => None,
            },
            Raw::Text(_) | Raw::Number(_) | Raw::List(_) | Raw::Table(_) | Raw::Other(_) => None,
        }
    }
}

impl Kind for i64 {
    const EXPECTED: &'static str = "a whole number";

    fn read(raw: &Raw) -> Option<Self> {
        match raw {
            Raw::Number(number) => Some(*number),
            Raw::Variable(text) => go_integer(text),
            Raw::Text(_) | Raw::Flag(_) | Raw::List(_) | Raw::Table(_) | Raw::Other(_) => None,
        }
    }
}

/// Go: `strconv.ParseInt` with base 0, but for underscores: a number may begin with 0x, 0o, 0b, or 0, which is octal.
fn go_integer(text: &str) -> Option<i64> {
    let (sign, digits) = match text.strip_prefix(['-', '+']) {
        Some(digits) if text.starts_with('-') => ("-", digits),
        Some(digits) => ("", digits),
        None => ("", text),
    };
    let lower = digits.to_ascii_lowercase();
    let (radix, digits) = match lower.get(..2) {
        Some("0x") => (16, lower.get(2..)?),
        Some("0o") => (8, lower.get(2..)?),
        Some("0b") => (2, lower.get(2..)?),
        Some(two) if two.starts_with('0') => (8, lower.get(1..)?),
        _ => (10, lower.as_str()),
    };
    let unsigned = digits.bytes().all(|byte| byte.is_ascii_alphanumeric());
    unsigned.then(|| i64::from_str_radix(&format!("{sign}{digits}"), radix).ok()).flatten()
}

/// A 16-bit number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Short(pub(super) u16);

impl Kind for Short {
    const EXPECTED: &'static str = "a whole number, 0 to 65535";

    fn read(raw: &Raw) -> Option<Self> {
        i64::read(raw).and_then(|number| number.try_into().ok()).map(Self)
    }
}

/// A number or a text, as a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NumberOrText(pub(super) String);

impl Kind for NumberOrText {
    const EXPECTED: &'static str = "a whole number or a text";

    fn read(raw: &Raw) -> Option<Self> {
        match raw {
            Raw::Variable(text) | Raw::Text(text) => Some(Self(text.clone())),
            Raw::Number(number) => Some(Self(number.to_string())),
            Raw::Flag(_) | Raw::List(_) | Raw::Table(_) | Raw::Other(_) => None,
        }
    }
}

/// A STUN or TURN server. Of its credentials only what matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct IceServer {
    pub(super) urls: Vec<String>,
    pub(super) has_credentials: bool,
}

/// A list of [`IceServer`]s.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct IceServers(pub(super) Vec<IceServer>);

impl Kind for IceServers {
    const EXPECTED: &'static str =
        "a list of URLs, or of tables with urls, username and credential (in a variable: as JSON)";

    fn read(raw: &Raw) -> Option<Self> {
        let (items, in_variable) = match raw {
            Raw::Variable(text) => (serde_json::from_str::<Vec<serde_json::Value>>(text).ok()?, true),
            Raw::List(items) => (items.iter().map(json).collect::<Option<_>>()?, false),
            Raw::Text(_) | Raw::Number(_) | Raw::Flag(_) | Raw::Table(_) | Raw::Other(_) => return None,
        };
        let texts: Option<Vec<String>> = items.iter().map(|item| item.as_str().map(str::to_owned)).collect();
        if let Some(urls) = texts.filter(|_| in_variable) {
            // All URLs of a variable are one server's.
            return Some(Self(vec![IceServer { urls, has_credentials: false }]));
        }
        items.iter().map(|item| ice_server(item, in_variable)).collect::<Option<_>>().map(Self)
    }
}

fn json(raw: &Raw) -> Option<serde_json::Value> {
    Some(match raw {
        Raw::Text(text) => text.as_str().into(),
        Raw::List(items) => items.iter().map(json).collect::<Option<Vec<_>>>()?.into(),
        Raw::Table(table) => {
            let fields = table.iter().map(|(key, value)| Some((key.clone(), json(value)?)));
            serde_json::Value::Object(fields.collect::<Option<_>>()?)
        }
        Raw::Variable(_) | Raw::Number(_) | Raw::Flag(_) | Raw::Other(_) => return None,
    })
}

fn ice_server(item: &serde_json::Value, in_variable: bool) -> Option<IceServer> {
    if let Some(url) = item.as_str().filter(|_| !in_variable) {
        return Some(IceServer { urls: vec![url.to_owned()], has_credentials: false });
    }
    let fields = item.as_object()?;
    let text = |name: &str| fields.get(name).map_or(Some(""), |value| value.as_str());
    let urls = fields.get("urls").map_or(Some(Vec::new()), |urls| {
        urls.as_array()?.iter().map(|url| url.as_str().map(str::to_owned)).collect()
    });
    let has_credentials = !text("username")?.is_empty() || !text("credential")?.is_empty();
    Some(IceServer { urls: urls?, has_credentials })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_flags_of_variables_are_those_of_go() {
        let number = |text: &str| i64::read(&Raw::Variable(text.to_owned()));
        for (text, expected) in [
            ("8443", 8443),
            ("+1", 1),
            ("-1", -1),
            ("0x20", 32),
            ("0b11", 3),
            ("0o17", 15),
            ("017", 15),
            ("0", 0),
        ] {
            assert_eq!(number(text), Some(expected), "{text}");
        }
        for text in ["", " 1", "1 ", "1.5", "08", "x", "-", "+-1", "0x", "99999999999999999999"] {
            assert_eq!(number(text), None, "{text}");
        }
        let flag = |text: &str| bool::read(&Raw::Variable(text.to_owned()));
        for text in ["1", "t", "T", "TRUE", "true", "True"] {
            assert_eq!(flag(text), Some(true), "{text}");
        }
        for text in ["0", "f", "F", "FALSE", "false", "False"] {
            assert_eq!(flag(text), Some(false), "{text}");
        }
        for text in ["", "tRUE", "yes", "on", " true", "2"] {
            assert_eq!(flag(text), None, "{text}");
        }
        assert_eq!(Short::read(&Raw::Variable("65536".into())), None);
        assert_eq!(i64::read(&Raw::Text("1".into())), None);
    }

    #[test]
    fn servers_are_written_in_five_ways() {
        let variable = |text: &str| {
            IceServers::read(&Raw::Variable(text.to_owned())).map(|IceServers(servers)| {
                servers
                    .into_iter()
                    .map(|server| (server.urls.join(" "), server.has_credentials))
                    .collect::<Vec<_>>()
            })
        };
        assert_eq!(variable(r#"["stun:a","stun:b"]"#), Some(vec![("stun:a stun:b".into(), false)]));
        let objects = r#"[{"urls":["turn:a"],"username":"u","credential":"c"},{"urls":["stun:b"]}]"#;
        assert_eq!(variable(objects), Some(vec![("turn:a".into(), true), ("stun:b".into(), false)]));
        for text in
            ["", "stun:a", r#"[1]"#, r#"["stun:a",{"urls":["stun:b"]}]"#, r#"[{"urls":"stun:a"}]"#, "{}"]
        {
            assert_eq!(variable(text), None, "{text}");
        }
        let file =
            "[rtc]\nice_servers = [\"stun:a\", {urls = [\"turn:b\"], username = \"u\", credential = \"c\"}]";
        let raws = read_toml("r.toml", file).unwrap();
        let (origin, raw) = raws.get("rtc.ice_servers").unwrap();
        assert_eq!(origin.to_string(), "r.toml:2");
        let IceServers(servers) = IceServers::read(raw).unwrap();
        assert_eq!((servers.len(), servers[0].urls.len(), servers[1].has_credentials), (2, 1, true));
        let tables = read_toml("r.toml", "[[rtc.ice_servers]]\nurls = [\"stun:a\"]").unwrap();
        assert!(IceServers::read(&tables["rtc.ice_servers"].1).is_some());
    }
}
