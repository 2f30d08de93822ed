//! Whatever comes as the body of a registration, as an `Authorization` header or as a file of rtcd's store is read or refused.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::rtcd::authorization::Authorization;
use wire::rtcd::bitcask::{self, Next};
use wire::rtcd::envelope::{Answer, Credentials, MAX_BODY};

fuzz_target!(|bytes: &[u8]| {
    let _ = Authorization::decode(bytes);
    let mut rest = bytes;
    while let Ok(Next::Record(record, after)) = bitcask::next(rest) {
        assert!(bitcask::write(record) == rest[..rest.len() - after.len()]);
        rest = after;
    }
    match Credentials::decode(bytes) {
        Ok(read) => {
            assert!(bytes.len() <= MAX_BODY);
            // What we answer can be read again.
            let answer = Answer { code: 201, client_id: Some(read.client_id.clone()), ..Answer::default() };
            let again = Credentials::decode(answer.encode().as_bytes());
            assert!(answer.encode().len() > MAX_BODY || again.is_ok_and(|again| again.client_id == read.client_id));
        }
        Err(fault) => assert!(!fault.to_string().is_empty()),
    }
});
