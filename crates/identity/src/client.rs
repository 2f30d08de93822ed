//! Clients of verto channels: passwords, the cookies of visitors, and whether a login is believed (reference on verto, 4.5, 5.4, 8.4, 8.5).

use std::fmt::Write;
use std::time::Duration;

use zeroize::Zeroize;

use crate::fingerprint::sha256;
use crate::{
    ChannelId, ChannelRules, ClientId, CookieBinding, Denied, Malformed, ProofKey, Secret, SessidPolicy,
    TokenHash, UnixMillis,
};

/// Longest session id that a client may say, in characters.
const MAX_SESSID: usize = 64;

/// Makes the password of a client, or the cookie of a visitor, out of 32 bytes of the operating system's chance: 64 lower-case hex digits.
#[must_use]
pub fn mint_hex(mut random: [u8; 32]) -> Secret {
    let mut text = String::with_capacity(64);
    for byte in random {
        // Writing to a String does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    random.zeroize();
    Secret::new(text)
}

/// Returns what the store keeps of a password or of a visitor's cookie: the SHA-256 of its text, whatever that is. It needs no slow hash,
/// since its text is 256 bits of chance.
#[must_use]
pub fn hash_hex(secret: &Secret) -> TokenHash {
    TokenHash::from_bytes(sha256(secret.expose().as_bytes()))
}

/// A UUID in its text form, of any version and in either case: what a browser calls its session (`sessionId`). It is a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionName(Secret);

impl SessionName {
    /// Reads the text form.
    ///
    /// # Errors
    /// Anything but 36 characters in the form of a UUID (RFC 9562 §4).
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let is_placed = |(at, byte): (usize, u8)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        };
        if text.len() != 36 || !text.bytes().enumerate().all(is_placed) {
            return Err(Malformed { expected: "a UUID" });
        }
        Ok(Self(Secret::new(text)))
    }

    /// Returns the session of a client that named none: its own id.
    #[must_use]
    pub fn of(client: ClientId) -> Self {
        Self(Secret::new(client.to_string()))
    }

    /// Returns the text, for the store and for comparing it.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

/// How long a password is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// From its issue to its first login.
    pub fresh: Duration,
    /// From the loss of its connection to another login.
    pub lease: Duration,
}

/// What has become of a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordState {
    /// Good for a first login.
    Fresh,
    /// Good for the same session.
    Leased,
    /// Good for nothing.
    Dead,
}

/// What befell a password, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasswordLife {
    /// When it was given.
    pub issued: UnixMillis,
    /// The session id of its first login, once there was one.
    pub sessid: Option<Secret>,
    /// When its connection was lost; `None` while there is one.
    pub dropped: Option<UnixMillis>,
}

impl PasswordLife {
    /// Returns what the password is good for at `now`.
    #[must_use]
    pub fn state(&self, terms: Terms, now: UnixMillis) -> PasswordState {
        let until = |begun: UnixMillis, length| now < begun.saturating_add(length);
        match (&self.sessid, self.dropped) {
            (None, _) if until(self.issued, terms.fresh) => PasswordState::Fresh,
            (Some(_), None) => PasswordState::Leased,
            (Some(_), Some(dropped)) if until(dropped, terms.lease) => PasswordState::Leased,
            (None, _) | (Some(_), Some(_)) => PasswordState::Dead,
        }
    }
}

/// The stored half of a client that is not revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientRecord {
    /// Who it is.
    pub id: ClientId,
    /// Of which channel.
    pub channel: ChannelId,
    /// What it called its session when it got its password.
    pub session: SessionName,
    /// The cookie that the password was given to; `None` for a client without cookies.
    pub visitor: Option<TokenHash>,
    /// The key that has to sign, if it named one when it got its password.
    pub proof_key: Option<ProofKey>,
    /// What is kept of the password.
    pub password: TokenHash,
    /// What befell the password.
    pub life: PasswordLife,
}

/// What somebody shows who wants to be a client.
#[derive(Debug, Clone, Copy)]
pub struct ClientLogin<'a> {
    /// The hash of the password.
    pub password: TokenHash,
    /// The session id, if one was said.
    pub sessid: Option<&'a str>,
    /// The hash of the cookie that came with the connection, if one came.
    pub visitor: Option<TokenHash>,
    /// Whether whoever asks has proven to hold the key that the client named.
    pub proven: bool,
}

/// Why a login is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotAClient {
    /// For the log; the caller learns nothing of it.
    Denied(Denied),
    /// All is well but for the session id, which the channel demands and which was not said.
    MissingSessid,
}

impl From<Denied> for NotAClient {
    fn from(denied: Denied) -> Self {
        Self::Denied(denied)
    }
}

/// Verifies a login against the record and the rules of the channel that were found for it, and returns the connection's session id. An
/// absent record costs the same comparison.
///
/// # Errors
/// As [`NotAClient`] says. That a session id is missing is told only to who has shown everything else.
pub fn verify_client(
    login: &ClientLogin<'_>,
    found: Option<(&ClientRecord, &ChannelRules)>,
    terms: Terms,
    now: UnixMillis,
) -> Result<Secret, NotAClient> {
    let kept = found.map_or(TokenHash::from_bytes([0; 32]), |(record, _)| record.password);
    let matches = login.password == kept;
    let (record, rules) = found.ok_or(Denied::Unknown)?;
    if !matches {
        return Err(Denied::WrongSecret.into());
    }
    if record.life.state(terms, now) == PasswordState::Dead {
        return Err(Denied::Expired.into());
    }
    if !cookie_is_right(login.visitor, record.visitor, rules.cookie_binding) {
        return Err(Denied::WrongCookie.into());
    }
    if record.proof_key.is_some() && !login.proven {
        return Err(Denied::BadProof.into());
    }
    session_id(login.sessid, record, rules.sessid_policy)
}

/// A cookie that is shown has to be the client's, and a client that has none shows none.
fn cookie_is_right(shown: Option<TokenHash>, bound: Option<TokenHash>, binding: CookieBinding) -> bool {
    match (shown, bound) {
        (Some(shown), Some(bound)) => shown == bound,
        (Some(_), None) => false,
        (None, _) => binding == CookieBinding::Optional,
    }
}

/// A password that has been used holds its session to the id that was said then.
fn session_id(said: Option<&str>, record: &ClientRecord, policy: SessidPolicy) -> Result<Secret, NotAClient> {
    let own = record.id.to_string();
    let Some(said) = said else {
        return match policy {
            SessidPolicy::Optional => Ok(Secret::new(own)),
            SessidPolicy::StrictLoginId | SessidPolicy::StrictRegistered => Err(NotAClient::MissingSessid),
        };
    };
    let is_readable = (1..=MAX_SESSID).contains(&said.len())
        && said.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let said = Secret::new(said);
    let registered = || said == record.session.0;
    let is_right = match (policy, &record.life.sessid) {
        (SessidPolicy::StrictLoginId, leased) => {
            said == Secret::new(own) && leased.as_ref().is_none_or(|leased| said == *leased)
        }
        (SessidPolicy::StrictRegistered, leased) => {
            registered() && leased.as_ref().is_none_or(|leased| said == *leased)
        }
        (SessidPolicy::Optional, None) => registered(),
        (SessidPolicy::Optional, Some(leased)) => said == *leased,
    };
    if is_readable && is_right { Ok(said) } else { Err(Denied::WrongSession.into()) }
}
