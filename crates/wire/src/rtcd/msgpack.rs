//! MessagePack (<https://github.com/msgpack/msgpack/blob/master/spec.md>), as much of it as rtcd's messages need: heads that are compared
//! with what is there before anything is kept, and nothing nested deeper than any message needs.

use crate::DecodeError;

/// Levels of maps and arrays in a value that is skipped. The messages themselves have two.
pub(super) const MAX_DEPTH: usize = 8;

/// The head of one value; that of a container is followed by so many values, or twice so many.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Head<'a> {
    Nil,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(&'a [u8]),
    Bytes(&'a [u8]),
    Array(usize),
    Map(usize),
    Other,
}

/// What is still to be read of a message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn head(&mut self) -> Result<Head<'a>, DecodeError> {
        let code = self.byte()?;
        Ok(match code {
            0x00..=0x7f => Head::Int(code.into()),
            0x80..=0x8f => self.map(usize::from(code & 0x0f))?,
            0x90..=0x9f => self.array(usize::from(code & 0x0f))?,
            0xa0..=0xbf => Head::Text(self.take(usize::from(code & 0x1f))?),
            0xc0 => Head::Nil,
            0xc1 => return Err(DecodeError::NotMsgpack),
            0xc2 => Head::Bool(false),
            0xc3 => Head::Bool(true),
            0xc4..=0xc6 => Head::Bytes(self.sized(code - 0xc4)?),
            0xc7..=0xc9 => self.extension(code - 0xc7)?,
            0xca => Head::Float(f32::from_be_bytes(self.array_of()?).into()),
            0xcb => Head::Float(f64::from_be_bytes(self.array_of()?)),
            0xcc..=0xcf => Head::Int(self.unsigned(code - 0xcc)?),
            0xd0 => Head::Int(i8::from_be_bytes(self.array_of()?).into()),
            0xd1 => Head::Int(i16::from_be_bytes(self.array_of()?).into()),
            0xd2 => Head::Int(i32::from_be_bytes(self.array_of()?).into()),
            0xd3 => Head::Int(i64::from_be_bytes(self.array_of()?).into()),
            0xd4..=0xd8 => {
                self.take(1 + (1 << (code - 0xd4)))?;
                Head::Other
            }
            0xd9..=0xdb => Head::Text(self.sized(code - 0xd9)?),
            0xdc | 0xdd => {
                let count = self.length(code - 0xdc + 1)?;
                self.array(count)?
            }
            0xde | 0xdf => {
                let count = self.length(code - 0xde + 1)?;
                self.map(count)?
            }
            0xe0..=0xff => Head::Int(i8::from_be_bytes([code]).into()),
        })
    }

    /// Reads a text, or bytes, or nil for none of them; rtcd's decoder takes one for the other.
    pub(super) fn bytes(&mut self, member: &'static str) -> Result<&'a [u8], DecodeError> {
        match self.head()? {
            Head::Text(bytes) | Head::Bytes(bytes) => Ok(bytes),
            Head::Nil => Ok(&[]),
            _ => Err(DecodeError::Wrong { member, expected: "a text" }),
        }
    }

    /// Reads a whole number of any width.
    pub(super) fn number(&mut self, member: &'static str) -> Result<i128, DecodeError> {
        match self.head()? {
            Head::Int(number) => Ok(number),
            _ => Err(DecodeError::Wrong { member, expected: "a whole number" }),
        }
    }

    /// Passes over one value, whatever it is.
    pub(super) fn skip(&mut self) -> Result<(), DecodeError> {
        self.skip_within(MAX_DEPTH)
    }

    fn skip_within(&mut self, depth: usize) -> Result<(), DecodeError> {
        let count = match self.head()? {
            Head::Array(count) => count,
            Head::Map(count) => count.saturating_mul(2),
            _ => return Ok(()),
        };
        let deeper = depth.checked_sub(1).ok_or(DecodeError::TooDeep { limit: MAX_DEPTH })?;
        (0..count).try_for_each(|_| self.skip_within(deeper))
    }

    /// An array of more values than there are bytes is a lie.
    fn array(&self, count: usize) -> Result<Head<'a>, DecodeError> {
        if count > self.rest.len() { Err(DecodeError::NotMsgpack) } else { Ok(Head::Array(count)) }
    }

    fn map(&self, count: usize) -> Result<Head<'a>, DecodeError> {
        if count > self.rest.len() / 2 { Err(DecodeError::NotMsgpack) } else { Ok(Head::Map(count)) }
    }

    fn extension(&mut self, width: u8) -> Result<Head<'a>, DecodeError> {
        let length = self.length(width)?;
        self.take(1)?;
        self.take(length)?;
        Ok(Head::Other)
    }

    fn sized(&mut self, width: u8) -> Result<&'a [u8], DecodeError> {
        let length = self.length(width)?;
        self.take(length)
    }

    /// Reads a length of 1, 2 or 4 bytes, for a width of 0, 1 or 2.
    fn length(&mut self, width: u8) -> Result<usize, DecodeError> {
        usize::try_from(self.unsigned(width)?).map_err(|_| DecodeError::NotMsgpack)
    }

    fn unsigned(&mut self, width: u8) -> Result<i128, DecodeError> {
        let bytes = self.take(1 << width)?;
        Ok(bytes.iter().fold(0, |number, byte| (number << 8) | i128::from(*byte)))
    }

    fn byte(&mut self) -> Result<u8, DecodeError> {
        let [byte] = self.array_of()?;
        Ok(byte)
    }

    fn array_of<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (array, rest) = self.rest.split_first_chunk().ok_or(DecodeError::NotMsgpack)?;
        self.rest = rest;
        Ok(*array)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(DecodeError::NotMsgpack)?;
        self.rest = rest;
        Ok(taken)
    }
}

/// Writes values in the shortest form, as rtcd does where it has a choice.
#[derive(Debug, Default)]
pub(super) struct Writer(Vec<u8>);

impl Writer {
    pub(super) fn text(mut self, text: &str) -> Self {
        match u8::try_from(text.len()) {
            Ok(length @ 0..32) => self.0.push(0xa0 | length),
            _ => self.sized(text.len(), [0xd9, 0xda, 0xdb]),
        }
        self.0.extend_from_slice(text.as_bytes());
        self
    }

    pub(super) fn bytes(mut self, bytes: &[u8]) -> Self {
        self.sized(bytes.len(), [0xc4, 0xc5, 0xc6]);
        self.0.extend_from_slice(bytes);
        self
    }

    /// Writes the head of a map of so many pairs.
    pub(super) fn map(mut self, count: usize) -> Self {
        match u8::try_from(count) {
            Ok(count @ 0..16) => self.0.push(0x80 | count),
            _ => match u16::try_from(count) {
                Ok(count) => self.extend(0xde, &count.to_be_bytes()),
                Err(_) => self.extend(0xdf, &u32::try_from(count).unwrap_or(u32::MAX).to_be_bytes()),
            },
        }
        self
    }

    pub(super) fn flag(mut self, flag: bool) -> Self {
        self.0.push(if flag { 0xc3 } else { 0xc2 });
        self
    }

    /// Writes a small number in one byte where that is enough.
    pub(super) fn number(mut self, number: u8) -> Self {
        if number > 0x7f {
            self.extend(0xcc, &[number]);
        } else {
            self.0.push(number);
        }
        self
    }

    /// Writes a small number in two bytes, as rtcd writes the types of the data channel.
    pub(super) fn wide_number(mut self, number: u8) -> Self {
        self.extend(0xcc, &[number]);
        self
    }

    pub(super) fn float(mut self, float: f64) -> Self {
        self.extend(0xcb, &float.to_be_bytes());
        self
    }

    pub(super) fn end(self) -> Vec<u8> {
        self.0
    }

    fn sized(&mut self, length: usize, [one, two, four]: [u8; 3]) {
        if let Ok(length) = u8::try_from(length) {
            self.extend(one, &[length]);
        } else if let Ok(length) = u16::try_from(length) {
            self.extend(two, &length.to_be_bytes());
        } else {
            // Nothing that is written comes near 4 GiB.
            self.extend(four, &u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
        }
    }

    fn extend(&mut self, code: u8, bytes: &[u8]) {
        self.0.push(code);
        self.0.extend_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_head_is_read() {
        let long = [&[0xda, 0, 3][..], b"abc"].concat();
        let rows: [(&[u8], Head<'_>); 22] = [
            (&[0x7f], Head::Int(127)),
            (&[0xff], Head::Int(-1)),
            (&[0xcc, 200], Head::Int(200)),
            (&[0xcd, 1, 0], Head::Int(256)),
            (&[0xce, 0, 1, 0, 0], Head::Int(65_536)),
            (&[0xcf, 255, 255, 255, 255, 255, 255, 255, 255], Head::Int(u64::MAX.into())),
            (&[0xd0, 0x80], Head::Int(-128)),
            (&[0xd1, 0xff, 0], Head::Int(-256)),
            (&[0xd2, 0xff, 0xff, 0xff, 0xfe], Head::Int(-2)),
            (&[0xd3, 0x80, 0, 0, 0, 0, 0, 0, 0], Head::Int(i64::MIN.into())),
            (&[0xca, 0x3f, 0x80, 0, 0], Head::Float(1.0)),
            (&[0xcb, 0x3f, 0xd0, 0, 0, 0, 0, 0, 0], Head::Float(0.25)),
            (&[0xc0], Head::Nil),
            (&[0xc3], Head::Bool(true)),
            (&[0xa2, b'h', b'i'], Head::Text(b"hi")),
            (&long, Head::Text(b"abc")),
            (&[0xc4, 1, 9], Head::Bytes(&[9])),
            (&[0x91, 0], Head::Array(1)),
            (&[0xdc, 0, 1, 0], Head::Array(1)),
            (&[0xdf, 0, 0, 0, 1, 0, 0], Head::Map(1)),
            (&[0xd5, 1, 2, 3], Head::Other),
            (&[0xc7, 2, 1, 8, 9], Head::Other),
        ];
        for (bytes, head) in rows {
            assert_eq!(Reader::new(bytes).head(), Ok(head), "{bytes:x?}");
            for cut in 0..bytes.len() {
                let short = Reader::new(&bytes[..cut]).skip();
                assert_eq!(short, Err(DecodeError::NotMsgpack), "{bytes:x?} cut at {cut}");
            }
        }
    }

    #[test]
    fn what_lies_about_its_length_or_is_too_deep_is_refused() {
        let rows: [(&[u8], DecodeError); 7] = [
            (&[], DecodeError::NotMsgpack),
            (&[0xc1], DecodeError::NotMsgpack),
            (&[0xc6, 0xff, 0xff, 0xff, 0xff, 0], DecodeError::NotMsgpack),
            (&[0xdb, 0xff, 0xff, 0xff, 0xff, 0], DecodeError::NotMsgpack),
            (&[0xdd, 0xff, 0xff, 0xff, 0xff, 0], DecodeError::NotMsgpack),
            (&[0xdf, 0xff, 0xff, 0xff, 0xff, 0, 0], DecodeError::NotMsgpack),
            (&[0x91; 4_096], DecodeError::TooDeep { limit: MAX_DEPTH }),
        ];
        for (bytes, fault) in rows {
            assert_eq!(Reader::new(bytes).skip(), Err(fault), "{:x?}", &bytes[..bytes.len().min(8)]);
        }
        let fits = [vec![0x91; MAX_DEPTH], vec![0x00]].concat();
        assert_eq!(Reader::new(&fits).skip(), Ok(()));
    }

    #[test]
    fn what_is_written_is_read_again() {
        for length in [0, 31, 32, 255, 256, 65_535, 65_536] {
            let text = "x".repeat(length);
            let written = Writer::default().text(&text).bytes(text.as_bytes()).end();
            let mut reader = Reader::new(&written);
            assert_eq!(reader.head(), Ok(Head::Text(text.as_bytes())), "{length}");
            assert_eq!(reader.head(), Ok(Head::Bytes(text.as_bytes())), "{length}");
        }
        for count in [0, 15, 16, 65_535, 65_536] {
            let map = [Writer::default().map(count).end(), vec![0; 2 * count]].concat();
            assert_eq!(Reader::new(&map).head(), Ok(Head::Map(count)));
        }
        assert_eq!(Writer::default().number(200).number(7).wide_number(7).end(), [0xcc, 200, 7, 0xcc, 7]);
    }
}
