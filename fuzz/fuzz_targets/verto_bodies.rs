//! Whatever comes as the body of a request for channels is read or refused, within its limit; and what names something has one spelling.

#![no_main]

use identity::{ChannelId, ClientId, ProofKey, SessionName};
use libfuzzer_sys::fuzz_target;
use wire::channels::{ChannelSettings, CreateChannel, InviteVisitors, IssueClient, IssueHeadless, MAX_BODY};

fuzz_target!(|body: &[u8]| {
    let read = [
        ChannelSettings::decode(body).is_ok(),
        CreateChannel::decode(body).is_ok(),
        IssueHeadless::decode(body).is_ok(),
        InviteVisitors::decode(body).is_ok(),
        IssueClient::decode(body).is_ok(),
    ];
    assert!(body.len() <= MAX_BODY || !read.contains(&true));
    let Ok(text) = std::str::from_utf8(body) else { return };
    let names = [
        text.parse::<ChannelId>().map(|id| id.to_string()),
        text.parse::<ClientId>().map(|id| id.to_string()),
        text.parse::<ProofKey>().map(|key| key.to_string()),
        SessionName::parse(text).map(|session| session.expose().to_owned()),
    ];
    assert!(names.into_iter().flatten().all(|name| name == text));
});
