//! Who is asking, and what may they do.
//!
//! This crate does not load, store, send or time anything: no clock, no I/O, no chance. The caller loads a record, brings the time
//! and the random bytes, and gets a [`Grant`] or the reason why not.
//!
//! The road: a [`Credential`] was shown; `verify` finds the [`Principal`] it proves; the [`Grant`] says what that principal may do
//! and until when; a [`Session`] is its live presence.

mod channel_rules;
mod client;
mod fingerprint;
mod grant;
mod id;
mod malformed;
mod permission;
mod possession;
mod principal;
mod proof_key;
mod realm_key;
mod relay;
mod relay_record;
mod secret;
mod time;
mod token;
mod verify;

pub use channel_rules::{Admission, ChannelRules, Content, CookieBinding, Delivery, SessidPolicy};
pub use client::{
    ClientLogin, ClientRecord, NotAClient, PasswordLife, PasswordState, SessionName, Terms, hash_hex,
    mint_hex, verify_client,
};
pub use fingerprint::Fingerprint;
pub use grant::{Forbidden, Grant, Session};
pub use id::{ChannelId, ClientId, InviteId, RealmId, RoomKey, SessionId, UserId};
pub use malformed::Malformed;
pub use permission::{Permission, Permissions};
pub use possession::{PublicKey, verify_first_message};
pub use principal::{Principal, Subject};
pub use proof_key::{ProofKey, verify_client_proof};
pub use realm_key::{
    BadRealmKey, KeyHash, REALM_KEY_LENGTH, check_realm_key, hash_realm_token, mint_realm_token,
    verify_realm_key,
};
pub use relay::{BadRelayRequest, RelayCredentials, relay_credentials};
pub use relay_record::{RecordKey, Relayed, verify_record};
pub use secret::Secret;
pub use time::UnixMillis;
pub use token::{TokenHash, TokenKind, hash, mint};
pub use verify::{Denied, ParticipantRecord, TokenRecord, verify_participant, verify_token};
