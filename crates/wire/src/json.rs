//! Reads one JSON object with everything bounded: bytes, depth, and each member named once.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::DecodeError;

/// Levels of objects and arrays. The deepest message of our own has three; the rest is room for unknown members.
pub(crate) const MAX_DEPTH: usize = 8;

/// A range of whole numbers that begins at 1, and how it is told to whoever is not in it.
pub(crate) struct Range {
    pub(crate) most: u32,
    pub(crate) said: &'static str,
}

impl Range {
    /// How many may use an invite.
    pub(crate) const USES: Self = Self { most: 10_000, said: "a whole number from 1 to 10,000" };
    /// For how many seconds an invite is good: at most a year.
    pub(crate) const LIFETIME: Self = Self { most: 31_536_000, said: "a whole number from 1 to 31,536,000" };
    /// Whatever has 32 bits.
    pub(crate) const POSITIVE: Self = Self { most: u32::MAX, said: "a whole number from 1 to 4,294,967,295" };
}

/// A decoded object whose members are taken out one by one, each with its form.
#[derive(Debug)]
pub(crate) struct Object(Map<String, Value>);

impl Object {
    /// Reads `bytes`, which may not be more than `limit`.
    pub(crate) fn read(bytes: &[u8], limit: usize) -> Result<Self, DecodeError> {
        if bytes.len() > limit {
            return Err(DecodeError::TooLarge { limit });
        }
        read_members(bytes, MAX_DEPTH).map(Self)
    }

    /// Takes a text of at most `limit` bytes.
    pub(crate) fn text(&mut self, member: &'static str, limit: usize) -> Result<String, DecodeError> {
        match self.0.remove(member) {
            None => Err(DecodeError::Missing(member)),
            Some(Value::String(text)) if text.len() <= limit => Ok(text),
            Some(_) => Err(DecodeError::Wrong { member, expected: "a text of the allowed length" }),
        }
    }

    /// Takes a text of at most `limit` bytes, if the member is there.
    pub(crate) fn optional_text(
        &mut self,
        member: &'static str,
        limit: usize,
    ) -> Result<Option<String>, DecodeError> {
        if self.has(member) { self.text(member, limit).map(Some) } else { Ok(None) }
    }

    /// Returns whether the member is there, and was not taken.
    pub(crate) fn has(&self, member: &str) -> bool {
        self.0.contains_key(member)
    }

    /// Refuses what nobody took.
    pub(crate) fn end(self) -> Result<(), DecodeError> {
        if self.0.is_empty() { Ok(()) } else { Err(DecodeError::UnknownMember) }
    }

    /// Takes a whole number, if the member is there.
    pub(crate) fn number(&mut self, member: &'static str) -> Result<Option<u64>, DecodeError> {
        match self.0.remove(member) {
            None => Ok(None),
            Some(value) => match value.as_u64() {
                Some(number) => Ok(Some(number)),
                None => Err(DecodeError::Wrong { member, expected: "a whole number" }),
            },
        }
    }

    /// Takes a whole number of this range, if the member is there.
    pub(crate) fn ranged(&mut self, member: &'static str, range: &Range) -> Result<Option<u32>, DecodeError> {
        let Some(value) = self.0.remove(member) else { return Ok(None) };
        let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
        match number.filter(|number| (1..=range.most).contains(number)) {
            Some(number) => Ok(Some(number)),
            None => Err(DecodeError::Wrong { member, expected: range.said }),
        }
    }

    /// Takes a text for people, of at most `limit` bytes, that passes; `said` is how it is told to whoever has another.
    pub(crate) fn shown(
        &mut self,
        member: &'static str,
        limit: usize,
        said: &'static str,
        passes: impl Fn(&str) -> bool,
    ) -> Result<String, DecodeError> {
        match self.text(member, limit) {
            Ok(text) if passes(&text) => Ok(text),
            Ok(_) | Err(DecodeError::Wrong { .. }) => Err(DecodeError::Wrong { member, expected: said }),
            Err(other) => Err(other),
        }
    }

    /// Takes `true` or `false`.
    pub(crate) fn flag(&mut self, member: &'static str) -> Result<bool, DecodeError> {
        match self.0.remove(member) {
            None => Err(DecodeError::Missing(member)),
            Some(Value::Bool(flag)) => Ok(flag),
            Some(_) => Err(DecodeError::Wrong { member, expected: "true or false" }),
        }
    }

    /// Takes a list of texts, if the member is there.
    pub(crate) fn texts(&mut self, member: &'static str) -> Result<Option<Vec<String>>, DecodeError> {
        let wrong = DecodeError::Wrong { member, expected: "a list of texts" };
        match self.0.remove(member) {
            None => Ok(None),
            Some(Value::Array(items)) => items
                .into_iter()
                .map(|item| match item {
                    Value::String(text) => Ok(text),
                    _ => Err(wrong.clone()),
                })
                .collect::<Result<_, _>>()
                .map(Some),
            Some(_) => Err(wrong),
        }
    }

    /// Takes a list of objects; `None` for `null`.
    pub(crate) fn objects(&mut self, member: &'static str) -> Result<Option<Vec<Self>>, DecodeError> {
        let wrong = DecodeError::Wrong { member, expected: "a list of objects or null" };
        match self.0.remove(member) {
            None => Err(DecodeError::Missing(member)),
            Some(Value::Null) => Ok(None),
            Some(Value::Array(items)) => items
                .into_iter()
                .map(|item| match item {
                    Value::Object(members) => Ok(Self(members)),
                    _ => Err(wrong.clone()),
                })
                .collect::<Result<_, _>>()
                .map(Some),
            Some(_) => Err(wrong),
        }
    }

    /// Takes an object.
    pub(crate) fn object(&mut self, member: &'static str) -> Result<Self, DecodeError> {
        match self.0.remove(member) {
            None => Err(DecodeError::Missing(member)),
            Some(Value::Object(members)) => Ok(Self(members)),
            Some(_) => Err(DecodeError::Wrong { member, expected: "an object" }),
        }
    }

    /// Takes an object whose values are texts.
    pub(crate) fn text_map(&mut self, member: &'static str) -> Result<Vec<(String, String)>, DecodeError> {
        let wrong = DecodeError::Wrong { member, expected: "an object of texts" };
        match self.0.remove(member) {
            None => Err(DecodeError::Missing(member)),
            Some(Value::Object(members)) => members
                .into_iter()
                .map(|(name, value)| match value {
                    Value::String(text) => Ok((name, text)),
                    _ => Err(wrong.clone()),
                })
                .collect(),
            Some(_) => Err(wrong),
        }
    }
}

/// Reads one object of any size, nested no deeper than `deepest`, whose members are named once.
pub(crate) fn read_members(bytes: &[u8], deepest: usize) -> Result<Map<String, Value>, DecodeError> {
    let fault = Cell::new(None);
    let mut decoder = serde_json::Deserializer::from_slice(bytes);
    let read = Strict { depth: 0, deepest, fault: &fault }.deserialize(&mut decoder);
    match read.and_then(|value| decoder.end().map(|()| value)) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => Err(DecodeError::NotAnObject),
        Err(_) => Err(fault.take().unwrap_or(DecodeError::NotJson)),
    }
}

struct Strict<'f> {
    depth: usize,
    deepest: usize,
    /// serde's errors carry only text; the real reason is left here.
    fault: &'f Cell<Option<DecodeError>>,
}

impl Strict<'_> {
    fn deeper<E: serde::de::Error>(&self) -> Result<Strict<'_>, E> {
        if self.depth == self.deepest {
            return Err(self.refuse(DecodeError::TooDeep { limit: self.deepest }));
        }
        Ok(Strict { depth: self.depth + 1, ..*self })
    }

    fn refuse<E: serde::de::Error>(&self, fault: DecodeError) -> E {
        let text = E::custom(&fault);
        self.fault.set(Some(fault));
        text
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(self.deeper()?)? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let value = members.next_value_seed(self.deeper()?)?;
            if object.insert(name, value).is_some() {
                return Err(self.refuse(DecodeError::DuplicateMember));
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_told_as_it_is() {
        for Range { most, said } in [Range::USES, Range::LIFETIME, Range::POSITIVE] {
            assert_eq!(said.replace(',', ""), format!("a whole number from 1 to {most}"));
        }
    }

    #[test]
    fn what_is_not_one_bounded_object_is_refused() {
        let deep = |levels: usize| format!("{{\"a\":{}{}}}", "[".repeat(levels), "]".repeat(levels));
        let rows: [(&str, DecodeError); 10] = [
            ("", DecodeError::NotJson),
            ("{", DecodeError::NotJson),
            ("{}x", DecodeError::NotJson),
            ("\u{feff}{}", DecodeError::NotJson),
            ("[]", DecodeError::NotAnObject),
            ("null", DecodeError::NotAnObject),
            (r#"{"a":1,"a":1}"#, DecodeError::DuplicateMember),
            (r#"{"a":{"b":1,"b":2}}"#, DecodeError::DuplicateMember),
            (&deep(8), DecodeError::TooDeep { limit: MAX_DEPTH }),
            (&deep(30_000), DecodeError::TooDeep { limit: MAX_DEPTH }),
        ];
        for (text, fault) in rows {
            assert_eq!(Object::read(text.as_bytes(), 65_536).unwrap_err(), fault, "{text:.40}");
        }
        assert!(Object::read(deep(7).as_bytes(), 65_536).is_ok());
        assert_eq!(Object::read(b"{}   ", 4).unwrap_err(), DecodeError::TooLarge { limit: 4 });
        assert_eq!(Object::read(b"{\"a\":\"\xff\"}", 40).unwrap_err(), DecodeError::NotJson);
    }
}
