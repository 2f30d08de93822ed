//! Bodies of `/register`, `/unregister` and `/login`: flat JSON objects whose values are texts (rtcd service/auth.go).
//!
//! Clients log what rtcd says of a body that it cannot read, so the faults have the words of Go's encoding/json.

use std::borrow::Cow;
use std::fmt::Write;

use crate::Masked;

/// Longest body, in bytes: an id of 64 and a key of 72 take 200 at most, six times as much in escapes.
pub const MAX_BODY: usize = 4 * 1_024;
/// Levels of objects and arrays that are read before the fault is named; Go has 10,000.
const MAX_DEPTH: usize = 32;

/// What a client says of itself. A member that is missing is empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Which client; of any form.
    pub client_id: String,
    /// Its key; of any form.
    pub auth_key: Masked,
}

/// Why a body cannot be read; its text is rtcd's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadBody(Cow<'static, str>);

impl Credentials {
    /// Reads the first JSON value of a body; what follows it does not count, nor do further members that are texts. Of two members of
    /// one name the later counts.
    ///
    /// # Errors
    /// The body is above [`MAX_BODY`], is no JSON, or is no object of texts; `null` counts as empty for both.
    pub fn decode(body: &[u8]) -> Result<Self, BadBody> {
        if body.len() > MAX_BODY {
            return Err(BadBody(Cow::Borrowed("http: request body too large")));
        }
        let mut reader = Reader { rest: body, mismatch: None };
        reader.skip_space();
        if reader.rest.is_empty() {
            return Err(BadBody(Cow::Borrowed("EOF")));
        }
        let mut read = Self { client_id: String::new(), auth_key: Masked(String::new()) };
        match reader.value(0, Some(&mut read))? {
            Kind::Object | Kind::Null => {}
            other => reader.mismatch(other, "map[string]string"),
        }
        reader.mismatch.map_or(Ok(read), Err)
    }

    fn take(&mut self, name: &str, value: String) {
        match name {
            "clientID" => self.client_id = value,
            "authKey" => self.auth_key = Masked(value),
            _ => {}
        }
    }
}

/// What is answered, a flat JSON object of texts: Go clients decode it into a map of strings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// The status of the answer.
    pub code: u16,
    /// Why not.
    pub error: Option<String>,
    /// Who was registered.
    pub client_id: Option<String>,
    /// What was logged in for; a secret.
    pub bearer_token: Option<Masked>,
}

impl Answer {
    /// Returns the body, with its members in alphabetical order and a line end, as Go writes it.
    #[must_use]
    pub fn encode(&self) -> String {
        let code = self.code.to_string();
        let members = [
            ("bearerToken", self.bearer_token.as_ref().map(|token| token.0.as_str())),
            ("clientID", self.client_id.as_deref()),
            ("code", Some(code.as_str())),
            ("error", self.error.as_deref()),
        ];
        let mut text = String::from("{");
        for (name, value) in members.into_iter().filter_map(|(name, value)| Some((name, value?))) {
            let comma = if text.len() == 1 { "" } else { "," };
            // Writing to a String does not fail.
            let _ = write!(text, "{comma}\"{name}\":");
            quote(&mut text, value);
        }
        text.push_str("}\n");
        text
    }
}

/// As Go's encoder: safe inside HTML and JavaScript too.
fn quote(text: &mut String, value: &str) {
    text.push('"');
    for char in value.chars() {
        match char {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\u{8}' => text.push_str("\\b"),
            '\u{c}' => text.push_str("\\f"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '\0'..' ' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                let _ = write!(text, "\\u{:04x}", u32::from(char));
            }
            _ => text.push(char),
        }
    }
    text.push('"');
}

/// The kinds of JSON values, as Go names them in a mismatch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Object,
    Array,
    Text,
    Number,
    Bool,
    Null,
}

/// Reads JSON in one pass, as encoding/json's scanner does; its faults are named where that would name them.
struct Reader<'a> {
    rest: &'a [u8],
    /// The first value of a wrong kind; faults of syntax come before it, wherever they stand.
    mismatch: Option<BadBody>,
}

impl Reader<'_> {
    fn skip_space(&mut self) {
        while let [b' ' | b'\t' | b'\r' | b'\n', rest @ ..] = self.rest {
            self.rest = rest;
        }
    }

    fn next(&mut self) -> Result<u8, BadBody> {
        let (byte, rest) = self.rest.split_first().ok_or(BadBody(Cow::Borrowed("unexpected EOF")))?;
        self.rest = rest;
        Ok(*byte)
    }

    fn next_after_space(&mut self) -> Result<u8, BadBody> {
        self.skip_space();
        self.next()
    }

    fn mismatch(&mut self, found: Kind, wanted: &str) {
        let found = match found {
            Kind::Object => "object",
            Kind::Array => "array",
            Kind::Text => "string",
            Kind::Number => "number",
            Kind::Bool => "bool",
            Kind::Null => return,
        };
        let text = format!("json: cannot unmarshal {found} into Go value of type {wanted}");
        self.mismatch.get_or_insert(BadBody(Cow::Owned(text)));
    }

    /// Reads a value. The members of an object go into `into`, if there is one.
    fn value(&mut self, depth: usize, into: Option<&mut Credentials>) -> Result<Kind, BadBody> {
        if depth > MAX_DEPTH {
            return Err(BadBody(Cow::Borrowed("exceeded max depth")));
        }
        match self.next_after_space()? {
            b'{' => self.object(depth, into).map(|()| Kind::Object),
            b'[' => self.array(depth).map(|()| Kind::Array),
            b'"' => self.text().map(|_| Kind::Text),
            b't' => self.literal("true").map(|()| Kind::Bool),
            b'f' => self.literal("false").map(|()| Kind::Bool),
            b'n' => self.literal("null").map(|()| Kind::Null),
            first @ (b'-' | b'0'..=b'9') => self.number(first).map(|()| Kind::Number),
            other => Err(invalid(other, "looking for beginning of value")),
        }
    }

    fn object(&mut self, depth: usize, mut into: Option<&mut Credentials>) -> Result<(), BadBody> {
        let mut first = self.next_after_space()?;
        if first == b'}' {
            return Ok(());
        }
        loop {
            if first != b'"' {
                return Err(invalid(first, "looking for beginning of object key string"));
            }
            let name = self.text()?;
            match self.next_after_space()? {
                b':' => self.member(depth, &name, into.as_deref_mut())?,
                other => return Err(invalid(other, "after object key")),
            }
            match self.next_after_space()? {
                b',' => first = self.next_after_space()?,
                b'}' => return Ok(()),
                other => return Err(invalid(other, "after object key:value pair")),
            }
        }
    }

    fn member(&mut self, depth: usize, name: &str, into: Option<&mut Credentials>) -> Result<(), BadBody> {
        self.skip_space();
        let Some(into) = into else {
            return self.value(depth + 1, None).map(|_| ());
        };
        if let [b'"', rest @ ..] = self.rest {
            self.rest = rest;
            into.take(name, self.text()?);
            return Ok(());
        }
        match self.value(depth + 1, None)? {
            Kind::Null => into.take(name, String::new()),
            other => self.mismatch(other, "string"),
        }
        Ok(())
    }

    fn array(&mut self, depth: usize) -> Result<(), BadBody> {
        self.skip_space();
        if let [b']', rest @ ..] = self.rest {
            self.rest = rest;
            return Ok(());
        }
        loop {
            self.value(depth + 1, None)?;
            match self.next_after_space()? {
                b',' => {}
                b']' => return Ok(()),
                other => return Err(invalid(other, "after array element")),
            }
        }
    }

    /// Reads what follows the first quote. What is no Unicode becomes U+FFFD.
    fn text(&mut self) -> Result<String, BadBody> {
        let mut bytes = Vec::new();
        loop {
            match self.next()? {
                b'"' => return Ok(lossy(&bytes)),
                b'\\' => {
                    let char = self.escape()?;
                    bytes.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
                }
                control @ 0..0x20 => return Err(invalid(control, "in string literal")),
                byte => bytes.push(byte),
            }
        }
    }

    fn escape(&mut self) -> Result<char, BadBody> {
        Ok(match self.next()? {
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            same @ (b'\\' | b'/' | b'"') => char::from(same),
            b'u' => {
                let unit = self.hex()?;
                char::from_u32(unit).or_else(|| self.second_half(unit)).unwrap_or(char::REPLACEMENT_CHARACTER)
            }
            other => return Err(invalid(other, "in string escape code")),
        })
    }

    fn hex(&mut self) -> Result<u32, BadBody> {
        let mut number = 0;
        for _ in 0..4 {
            let byte = self.next()?;
            let digit = char::from(byte).to_digit(16);
            number =
                number << 4 | digit.ok_or_else(|| invalid(byte, "in \\u hexadecimal character escape"))?;
        }
        Ok(number)
    }

    /// Reads the second half of a pair of surrogates, if that is what follows.
    fn second_half(&mut self, first: u32) -> Option<char> {
        let mut ahead = Reader { rest: self.rest.strip_prefix(b"\\u")?, mismatch: None };
        let second = ahead.hex().ok()?;
        let units = [u16::try_from(first).ok()?, u16::try_from(second).ok()?];
        let char = char::decode_utf16(units).next()?.ok()?;
        self.rest = ahead.rest;
        Some(char)
    }

    fn literal(&mut self, literal: &'static str) -> Result<(), BadBody> {
        for expected in literal.bytes().skip(1) {
            let byte = self.next()?;
            if byte != expected {
                let expected = char::from(expected);
                return Err(invalid(byte, &format!("in literal {literal} (expecting '{expected}')")));
            }
        }
        Ok(())
    }

    fn number(&mut self, first: u8) -> Result<(), BadBody> {
        let leading = if first == b'-' { self.next()? } else { first };
        match leading {
            b'0' => {}
            b'1'..=b'9' => self.digits(),
            other => return Err(invalid(other, "in numeric literal")),
        }
        if let [b'.', rest @ ..] = self.rest {
            self.rest = rest;
            self.digit("after decimal point in numeric literal")?;
        }
        if let [b'e' | b'E', rest @ ..] = self.rest {
            self.rest = rest;
            if let [b'+' | b'-', rest @ ..] = self.rest {
                self.rest = rest;
            }
            self.digit("in exponent of numeric literal")?;
        }
        Ok(())
    }

    /// Reads one digit, and those that follow it.
    fn digit(&mut self, place: &str) -> Result<(), BadBody> {
        let byte = self.next()?;
        if !byte.is_ascii_digit() {
            return Err(invalid(byte, place));
        }
        self.digits();
        Ok(())
    }

    fn digits(&mut self) {
        while let [b'0'..=b'9', rest @ ..] = self.rest {
            self.rest = rest;
        }
    }
}

fn invalid(byte: u8, place: &str) -> BadBody {
    let shown = match byte {
        b'\'' => "\\'".to_owned(),
        b'\\' => "\\\\".to_owned(),
        0x07 => "\\a".to_owned(),
        0x08 => "\\b".to_owned(),
        0x0b => "\\v".to_owned(),
        0x0c => "\\f".to_owned(),
        b'\n' => "\\n".to_owned(),
        b'\r' => "\\r".to_owned(),
        b'\t' => "\\t".to_owned(),
        0..0x20 | 0x7f => format!("\\x{byte:02x}"),
        0x80..=0xa0 | 0xad => format!("\\u{byte:04x}"),
        printable => char::from(printable).to_string(),
    };
    BadBody(Cow::Owned(format!("invalid character '{shown}' {place}")))
}

/// As Go's decoder: every byte that is no UTF-8 becomes a U+FFFD of its own.
fn lossy(mut bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    while !bytes.is_empty() {
        let good = match std::str::from_utf8(bytes) {
            Ok(_) => bytes.len(),
            Err(error) => error.valid_up_to(),
        };
        let (valid, rest) = bytes.split_at(good);
        text.push_str(&String::from_utf8_lossy(valid));
        bytes = match rest {
            [] => rest,
            [_, rest @ ..] => {
                text.push(char::REPLACEMENT_CHARACTER);
                rest
            }
        };
    }
    text
}
