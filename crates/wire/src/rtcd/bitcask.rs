//! The files in which rtcd keeps its clients (prologic/bitcask v1.0.2, internal/data/codec): records one after the other, the last one of
//! a key counts, an empty value removes it.

/// Longest key and value that the library writes, in bytes.
const MAX_KEY: usize = 64;
const MAX_VALUE: usize = 65_536;
/// Bytes of a record that are neither key nor value: two lengths before them, checksum and expiry after them.
const FRAME: usize = 4 + 8 + 4 + 8;

/// One record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// A client's id.
    pub key: &'a [u8],
    /// The text of a bcrypt hash; empty when the client was removed.
    pub value: &'a [u8],
}

/// What comes next in a file.
#[derive(Debug, PartialEq, Eq)]
pub enum Next<'a> {
    /// A record, and what follows it.
    Record(Record<'a>, &'a [u8]),
    /// Nothing.
    End,
    /// A record that was not written whole: its writer was cut off.
    Torn,
}

/// Why a file cannot be read further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// Lengths that the library does not write.
    #[error("a record has an impossible length")]
    Length,
    /// The value is not the one that was written.
    #[error("a record does not match its checksum")]
    Checksum,
    /// rtcd writes none.
    #[error("a record has an expiry, which rtcd does not write")]
    Expiry,
}

/// Reads the next record of a file.
///
/// # Errors
/// As [`Damage`] says; nothing after it can be trusted.
pub fn next(bytes: &[u8]) -> Result<Next<'_>, Damage> {
    if bytes.is_empty() {
        return Ok(Next::End);
    }
    let Some((lengths, rest)) = bytes.split_at_checked(12) else { return Ok(Next::Torn) };
    let (key, value) = lengths.split_at(4);
    let (key, value) = (length(key, MAX_KEY)?, length(value, MAX_VALUE)?);
    if rest.len() < key + value + FRAME - 12 {
        return Ok(Next::Torn);
    }
    let (key, rest) = rest.split_at(key);
    let (value, rest) = rest.split_at(value);
    let (checksum, rest) = rest.split_at(4);
    let (expiry, rest) = rest.split_at(8);
    if checksum != crc32(value).to_be_bytes() {
        return Err(Damage::Checksum);
    }
    if expiry != [0; 8] {
        return Err(Damage::Expiry);
    }
    Ok(Next::Record(Record { key, value }, rest))
}

/// Writes a record, as the library does.
#[must_use]
pub fn write(record: Record<'_>) -> Vec<u8> {
    let Record { key, value } = record;
    let [_, _, _, _, a, b, c, d] = (key.len() as u64).to_be_bytes();
    let value_length = (value.len() as u64).to_be_bytes();
    [&[a, b, c, d][..], &value_length, key, value, &crc32(value).to_be_bytes(), &[0; 8]].concat()
}

/// Reads a big-endian length that is at most `most`.
fn length(bytes: &[u8], most: usize) -> Result<usize, Damage> {
    let number = bytes.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    usize::try_from(number).ok().filter(|length| *length <= most).ok_or(Damage::Length)
}

/// CRC-32 (IEEE 802.3), bit by bit: a store holds a hash for each client, and is read once.
fn crc32(bytes: &[u8]) -> u32 {
    let register = bytes.iter().fold(u32::MAX, |register, byte| {
        (0..8).fold(register ^ u32::from(*byte), |register, _| {
            let carry = register & 1 != 0;
            register >> 1 ^ if carry { 0xedb8_8320 } else { 0 }
        })
    });
    !register
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// By hand after the layout, with `python3 -c 'import zlib; print(hex(zlib.crc32(b"hash")))'`.
    const BYTES: &[u8] = b"\0\0\0\x01\0\0\0\0\0\0\0\x04ahash\xd1\xb8\x62\xb8\0\0\0\0\0\0\0\0";

    #[test]
    fn a_record_is_its_lengths_its_parts_its_checksum_and_its_expiry() {
        let record = Record { key: b"a", value: b"hash" };
        assert_eq!(write(record), BYTES);
        assert_eq!(next(BYTES), Ok(Next::Record(record, b"")));
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926, "the usual check value");
    }

    #[test]
    fn what_is_damaged_is_refused() {
        let changed = |place: usize, byte: u8| {
            let mut bytes = BYTES.to_vec();
            bytes[place] = byte;
            bytes
        };
        let rows = [
            ("a key of 2^24 and more", changed(0, 1), Err(Damage::Length)),
            ("a key of 65", changed(3, 65), Err(Damage::Length)),
            ("a value of 2^56 and more", changed(4, 255), Err(Damage::Length)),
            ("another value", changed(14, b'x'), Err(Damage::Checksum)),
            ("another checksum", changed(17, 0), Err(Damage::Checksum)),
            ("an expiry", changed(28, 1), Err(Damage::Expiry)),
            ("nothing", Vec::new(), Ok(Next::End)),
            ("a length cut off", BYTES[..11].to_vec(), Ok(Next::Torn)),
            ("an expiry cut off", BYTES[..28].to_vec(), Ok(Next::Torn)),
            ("a length beyond the end", changed(11, 200), Ok(Next::Torn)),
        ];
        for (what, bytes, expected) in rows {
            assert_eq!(next(&bytes), expected, "{what}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(keys in proptest::collection::vec((".{0,16}", ".{0,80}"), 0..8)) {
            let file: Vec<u8> = keys
                .iter()
                .flat_map(|(key, value)| write(Record { key: key.as_bytes(), value: value.as_bytes() }))
                .collect();
            let mut rest = &file[..];
            for (key, value) in &keys {
                let Ok(Next::Record(record, after)) = next(rest) else { panic!("{rest:?}") };
                prop_assert_eq!(record, Record { key: key.as_bytes(), value: value.as_bytes() });
                rest = after;
            }
            prop_assert_eq!(next(rest), Ok(Next::End));
        }

        #[test]
        fn whatever_comes_is_read_or_refused(bytes: Vec<u8>) {
            if let Ok(Next::Record(_, rest)) = next(&bytes) {
                prop_assert!(rest.len() + FRAME <= bytes.len());
            }
        }
    }
}
