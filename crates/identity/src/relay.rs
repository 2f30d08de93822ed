//! Credentials for a TURN server that shares a secret with us, as coturn and rtcd make them
//! (draft-uberti-behave-turn-rest-00 §2.2): the name says until when, and the password proves that we wrote it.

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::STANDARD};

use crate::{Secret, UnixMillis};

/// Farthest end, from now.
const LONGEST_SECONDS: u64 = 7 * 24 * 60 * 60;

/// What a client shows to a TURN server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayCredentials {
    /// `<seconds since 1970 until which it is good>:<name>`.
    pub username: String,
    /// Base64 of HMAC-SHA1 over the username.
    pub password: Secret,
}

/// Why no credentials were made; the texts are rtcd's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadRelayRequest {
    /// There is no name.
    #[error("username should not be empty")]
    NoName,
    /// There is no secret.
    #[error("secret should not be empty")]
    NoSecret,
    /// The end is zero.
    #[error("expirationTS should be a positive number")]
    NoEnd,
    /// The end is more than a week away.
    #[error("expirationTS cannot be more than a week into the future")]
    TooLong,
}

/// Makes credentials for `name` that are good until `expires`, in seconds since 1970.
///
/// # Errors
/// As [`BadRelayRequest`] says.
pub fn relay_credentials(
    secret: &Secret,
    name: &str,
    expires: u64,
    now: UnixMillis,
) -> Result<RelayCredentials, BadRelayRequest> {
    if name.is_empty() {
        return Err(BadRelayRequest::NoName);
    }
    if secret.expose().is_empty() {
        return Err(BadRelayRequest::NoSecret);
    }
    if expires == 0 {
        return Err(BadRelayRequest::NoEnd);
    }
    if expires > (now.0 / 1_000).saturating_add(LONGEST_SECONDS) {
        return Err(BadRelayRequest::TooLong);
    }
    let username = format!("{expires}:{name}");
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret.expose().as_bytes());
    let password = Secret::new(STANDARD.encode(hmac::sign(&key, username.as_bytes())));
    Ok(RelayCredentials { username, password })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The derived example of section 3.12 of the reference on rtcd.
    #[test]
    fn credentials_are_those_that_rtcd_makes() {
        let now = UnixMillis(1_699_999_000_000);
        let made = relay_credentials(&Secret::new("secret"), "s1", 1_700_000_000, now).unwrap();
        assert_eq!(made.username, "1700000000:s1");
        assert_eq!(made.password.expose(), "LkPj316IePGc8iXpodbQTmNcZfI=");
        assert!(!format!("{made:?}").contains("LkPj"));
    }

    /// T-TU-01, as far as it concerns one server.
    #[test]
    fn what_makes_no_sense_is_refused_in_rtcds_words() {
        let now = UnixMillis(1_000_000);
        let refused = |secret: &str, name: &str, expires: u64| {
            relay_credentials(&Secret::new(secret), name, expires, now).map_err(|error| error.to_string())
        };
        let said = |text: &str| Err(text.to_owned());
        assert_eq!(refused("s", "", 1_001), said("username should not be empty"));
        assert_eq!(refused("", "n", 1_001), said("secret should not be empty"));
        assert_eq!(refused("s", "n", 0), said("expirationTS should be a positive number"));
        let week = 1_000 + 7 * 24 * 60 * 60;
        assert!(refused("s", "n", week).is_ok());
        assert_eq!(
            refused("s", "n", week + 1),
            said("expirationTS cannot be more than a week into the future")
        );
    }
}
