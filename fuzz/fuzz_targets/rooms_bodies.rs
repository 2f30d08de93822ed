//! Whatever comes as the body of a request is read or refused, within its limit.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::rooms::{CreateInvite, CreateRoom, MAX_BODY, Redeem, SignIn};

fuzz_target!(|body: &[u8]| {
    let read = [
        Redeem::decode(body).is_ok(),
        CreateRoom::decode(body).is_ok(),
        CreateInvite::decode(body).is_ok(),
        SignIn::decode(body).is_ok(),
    ];
    assert!(body.len() <= MAX_BODY || !read.contains(&true));
});
