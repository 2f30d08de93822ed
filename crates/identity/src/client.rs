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

#[cfg(test)]
mod tests {
    use super::*;

    const TERMS: Terms = Terms { fresh: Duration::from_secs(60), lease: Duration::from_secs(600) };
    const SESSION: &str = "5f0cba6e-2cc8-4b0e-a1f6-0d7d5c2f4a11";

    fn life(issued: u64, sessid: Option<&str>, dropped: Option<u64>) -> PasswordLife {
        PasswordLife {
            issued: UnixMillis(issued),
            sessid: sessid.map(Secret::new),
            dropped: dropped.map(UnixMillis),
        }
    }

    #[test]
    fn a_password_is_fresh_then_leased_then_dead() {
        use PasswordState::{Dead, Fresh, Leased};
        let rows = [
            ("just given", life(1_000, None, None), 1_000, Fresh),
            ("not used in time", life(1_000, None, None), 60_999, Fresh),
            ("a moment too late", life(1_000, None, None), 61_000, Dead),
            ("connected", life(1_000, Some("s"), None), 1_000, Leased),
            ("connected for a year", life(1_000, Some("s"), None), 31_536_000_000, Leased),
            ("dropped", life(1_000, Some("s"), Some(2_000)), 2_000, Leased),
            ("dropped ten minutes ago, almost", life(1_000, Some("s"), Some(2_000)), 601_999, Leased),
            ("dropped ten minutes ago", life(1_000, Some("s"), Some(2_000)), 602_000, Dead),
            ("a clock that went back", life(1_000, None, None), 0, Fresh),
            ("dropped and never used cannot be", life(1_000, None, Some(2_000)), 61_000, Dead),
        ];
        for (what, life, at, expected) in rows {
            assert_eq!(life.state(TERMS, UnixMillis(at)), expected, "{what}");
        }
    }

    struct Story {
        record: ClientRecord,
        rules: ChannelRules,
    }

    impl Story {
        fn new(policy: SessidPolicy, binding: CookieBinding) -> Self {
            let record = ClientRecord {
                id: ClientId::from_random(7),
                channel: ChannelId::from_random(8),
                session: SessionName::parse(SESSION).unwrap(),
                visitor: Some(TokenHash::from_bytes([2; 32])),
                proof_key: None,
                password: TokenHash::from_bytes([1; 32]),
                life: life(1_000, None, None),
            };
            let rules =
                ChannelRules { sessid_policy: policy, cookie_binding: binding, ..ChannelRules::default() };
            Self { record, rules }
        }

        fn leased(mut self, sessid: &str) -> Self {
            self.record.life.sessid = Some(Secret::new(sessid));
            self
        }

        fn login(&self, login: ClientLogin<'_>) -> Result<String, NotAClient> {
            let found = Some((&self.record, &self.rules));
            verify_client(&login, found, TERMS, UnixMillis(2_000)).map(|sessid| sessid.expose().to_owned())
        }
    }

    fn good() -> ClientLogin<'static> {
        ClientLogin {
            password: TokenHash::from_bytes([1; 32]),
            sessid: Some(SESSION),
            visitor: Some(TokenHash::from_bytes([2; 32])),
            proven: false,
        }
    }

    /// Items 22, 23, 25, 27 and 29 of the reference, as far as they are decided here.
    #[test]
    fn a_session_id_satisfies_the_policy_and_the_lease() {
        use SessidPolicy::{Optional, StrictLoginId, StrictRegistered};
        let own = ClientId::from_random(7).to_string();
        let wrong = Err(NotAClient::Denied(Denied::WrongSession));
        let missing = Err(NotAClient::MissingSessid);
        let ok = |text: &str| Ok(text.to_owned());
        let rows = [
            (StrictLoginId, None, Some(own.as_str()), ok(&own)),
            (StrictLoginId, None, Some(SESSION), wrong.clone()),
            (StrictLoginId, None, None, missing.clone()),
            (StrictLoginId, Some(SESSION), Some(own.as_str()), wrong.clone()),
            (StrictRegistered, None, Some(SESSION), ok(SESSION)),
            (StrictRegistered, None, Some(own.as_str()), wrong.clone()),
            (StrictRegistered, None, None, missing),
            (StrictRegistered, Some(own.as_str()), Some(SESSION), wrong.clone()),
            (Optional, None, Some(SESSION), ok(SESSION)),
            (Optional, None, Some(own.as_str()), wrong.clone()),
            (Optional, None, None, ok(&own)),
            (Optional, Some(SESSION), Some(SESSION), ok(SESSION)),
            (Optional, Some(SESSION), None, ok(&own)),
            (Optional, Some(own.as_str()), Some(own.as_str()), ok(&own)),
            (Optional, Some(own.as_str()), Some(SESSION), wrong.clone()),
            (Optional, None, Some(""), wrong.clone()),
            (Optional, None, Some("a&session_id=5f0cba6e-2cc8-4b0e-a1f6-0d7d5c2f4a11"), wrong.clone()),
            (Optional, None, Some("5F0CBA6E-2CC8-4B0E-A1F6-0D7D5C2F4A11"), wrong),
        ];
        for (policy, leased, said, expected) in rows {
            let story = Story::new(policy, CookieBinding::Required);
            let story = if let Some(leased) = leased { story.leased(leased) } else { story };
            let answer = story.login(ClientLogin { sessid: said, ..good() });
            assert_eq!(answer, expected, "{policy} {leased:?} {said:?}");
        }
    }

    #[test]
    fn a_cookie_that_is_shown_is_the_clients() {
        let own = Some(TokenHash::from_bytes([2; 32]));
        let other = Some(TokenHash::from_bytes([3; 32]));
        let rows = [
            (CookieBinding::Required, own, own, true),
            (CookieBinding::Required, own, other, false),
            (CookieBinding::Required, own, None, false),
            (CookieBinding::Required, None, None, false),
            (CookieBinding::Required, None, other, false),
            (CookieBinding::Optional, own, own, true),
            (CookieBinding::Optional, own, other, false),
            (CookieBinding::Optional, own, None, true),
            (CookieBinding::Optional, None, None, true),
            (CookieBinding::Optional, None, other, false),
        ];
        for (binding, bound, shown, expected) in rows {
            let mut story = Story::new(SessidPolicy::Optional, binding);
            story.record.visitor = bound;
            let answer = story.login(ClientLogin { visitor: shown, ..good() });
            let wanted = if expected { Ok(SESSION.to_owned()) } else { Err(Denied::WrongCookie.into()) };
            assert_eq!(answer, wanted, "{binding} {bound:?} {shown:?}");
        }
    }

    #[test]
    fn everything_else_is_right_before_a_missing_session_id_is_told() {
        let mut story = Story::new(SessidPolicy::StrictRegistered, CookieBinding::Required);
        let said_nothing = ClientLogin { sessid: None, ..good() };
        assert_eq!(story.login(said_nothing), Err(NotAClient::MissingSessid));
        let wrong = ClientLogin { password: TokenHash::from_bytes([9; 32]), ..said_nothing };
        assert_eq!(story.login(wrong), Err(Denied::WrongSecret.into()));
        assert_eq!(
            story.login(ClientLogin { visitor: None, ..said_nothing }),
            Err(Denied::WrongCookie.into())
        );
        story.record.proof_key = Some("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo".parse().unwrap());
        assert_eq!(story.login(said_nothing), Err(Denied::BadProof.into()));
        assert!(story.login(ClientLogin { proven: true, ..good() }).is_ok());
        let late = verify_client(&good(), Some((&story.record, &story.rules)), TERMS, UnixMillis(61_000));
        assert_eq!(late, Err(Denied::Expired.into()));
    }

    #[test]
    fn the_stand_in_of_an_absent_client_opens_nothing() {
        let shown = ClientLogin { password: TokenHash::from_bytes([0; 32]), ..good() };
        assert_eq!(verify_client(&shown, None, TERMS, UnixMillis(0)), Err(Denied::Unknown.into()));
    }

    #[test]
    fn a_password_is_64_digits_of_which_the_hash_is_kept() {
        let password = mint_hex([0xab; 32]);
        assert_eq!(password.expose(), "ab".repeat(32));
        // printf 'ab%.0s' {1..32} | sha256sum
        let expected = "271a413bd339c5709fdceaec41f14f11e9fbfb5042d72d331c65f32b284cd09a";
        assert_eq!(hash_hex(&password).to_hex(), expected);
    }

    #[test]
    fn a_session_has_the_form_of_a_uuid() {
        let rows = [
            (SESSION, true),
            ("5F0CBA6E-2cc8-1b0e-01f6-0d7d5c2f4a11", true),
            ("5f0cba6e2cc84b0ea1f60d7d5c2f4a11", false),
            ("5f0cba6e-2cc8-4b0e-a1f6-0d7d5c2f4a1", false),
            ("5f0cba6e-2cc8-4b0e-a1f6-0d7d5c2f4a1g", false),
            ("5f0cba6e-2cc8-4b0e-a1f60-d7d5c2f4a11", false),
            (" f0cba6e-2cc8-4b0e-a1f6-0d7d5c2f4a11", false),
            ("", false),
        ];
        for (text, expected) in rows {
            assert_eq!(SessionName::parse(text).is_ok(), expected, "{text:?}");
        }
        assert!(!format!("{:?}", SessionName::parse(SESSION)).contains("5f0c"));
    }
}
