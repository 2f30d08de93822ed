//! Credential → grant.

mod uses;

use std::time::Duration;

use backend::{ConsoleKind, NewConsoleToken, Outcome, SessionRecord, Store};
use identity::{
    Denied, Grant, InviteId, Permission, Permissions, Principal, RealmId, RoomKey, Secret, Session, Subject,
    TokenHash, TokenKind, UnixMillis, UserId, hash, mint, verify_participant, verify_token,
};

use super::Refusal;
use crate::ambient::{now, random};
use crate::audit::{Act, Audit, entry};
use crate::config::PublicUrl;
use crate::http::peer::Peer;
use uses::Uses;

/// How long a sign-in link is good (`docs/faces/rooms.md`, "Administration").
const LINK_GOOD_FOR: Duration = Duration::from_secs(10 * 60);
/// How long a console session is good.
const CONSOLE_GOOD_FOR: Duration = Duration::from_secs(12 * 60 * 60);
/// The name of whoever runs this installation: there is one.
const OPERATOR: &str = "operator";

/// Believes credentials, or not; and writes down which.
#[derive(Debug)]
pub struct Accounts {
    store: Store,
    audit: Audit,
    admin_token: TokenHash,
    uses: Uses,
}

/// A participant who proved to be one.
#[derive(Debug, Clone)]
pub struct Admitted {
    /// The session.
    pub session: Session,
    /// Its room.
    pub room: RoomKey,
    /// As people see it.
    pub room_name: String,
    /// What let it in.
    pub invite: InviteId,
    /// By which the store finds the session again.
    pub token: TokenHash,
}

/// An operator who came by a link.
#[derive(Debug)]
pub struct SignedIn {
    /// For the cookie.
    pub token: Secret,
    /// How long it is good.
    pub good_for: Duration,
}

impl Accounts {
    /// Makes the service. `admin_token` opens the administration.
    #[must_use]
    pub fn new(store: Store, audit: Audit, admin_token: TokenHash) -> Self {
        Self { store, audit, admin_token, uses: Uses::default() }
    }

    /// Believes the holder of the admin token. That it was used is recorded once an hour and address.
    ///
    /// # Errors
    /// [`Refusal::Denied`].
    pub fn admin(&self, token: &Secret, from: Peer) -> Result<Grant, Refusal> {
        let matches = hash(TokenKind::Admin, token).is_ok_and(|presented| presented == self.admin_token);
        let act = Act::by("", "admin.authenticate", "", from);
        if !matches {
            self.audit.counted(act, Outcome::Refused);
            return Err(Refusal::Denied);
        }
        self.used(&self.admin_token, act, from);
        let permissions = Permissions::NONE.with(Permission::ManageRealm);
        Ok(Grant::new(Principal::operator(UserId::new(OPERATOR)), permissions, UnixMillis::MAX))
    }

    /// Believes the holder of a console session. That it was used is recorded once an hour and address: an open page asks all the time.
    ///
    /// # Errors
    /// [`Refusal::Denied`], [`Refusal::Unavailable`].
    pub async fn console(&self, token: &Secret, from: Peer) -> Result<Grant, Refusal> {
        let found = self.console_grant(token).await?;
        let act = Act::by("", "console.authenticate", "", from);
        match found {
            Ok((grant, token)) => {
                self.used(&token, act, from);
                Ok(grant)
            }
            Err(denied) => {
                self.audit.counted(Act { detail: &denied.to_string(), ..act }, Outcome::Refused);
                Err(Refusal::Denied)
            }
        }
    }

    fn used(&self, credential: &TokenHash, act: Act<'_>, from: Peer) {
        if self.uses.is_new(credential, from, now()) {
            self.audit.counted(Act { actor: OPERATOR, ..act }, Outcome::Accepted);
        }
    }

    async fn console_grant(&self, token: &Secret) -> Result<Result<(Grant, TokenHash), Denied>, Refusal> {
        let presented = match hash(TokenKind::Console, token) {
            Ok(presented) => presented,
            Err(denied) => return Ok(Err(denied)),
        };
        let record = self.store.find_console_token(ConsoleKind::Console, &presented).await?;
        Ok(verify_token(&presented, record.as_ref(), now()).map(|grant| (grant, presented)))
    }

    /// Believes a participant who holds a session token and the key that it is bound to.
    ///
    /// # Errors
    /// [`Refusal::Denied`] whatever is wrong, [`Refusal::Unavailable`].
    pub async fn participant(
        &self,
        token: &Secret,
        nonce: &[u8; 32],
        signature: &[u8; 64],
        from: Peer,
    ) -> Result<Admitted, Refusal> {
        let presented = hash(TokenKind::Session, token);
        let record = match &presented {
            Ok(presented) => self.store.session_by_token(presented).await?,
            Err(_) => None,
        };
        let participant = record.as_ref().map(|record| &record.participant);
        let believed = verify_participant(token, nonce, signature, participant, now());
        let act = Act::by("", "session.authenticate", "", from);
        let (grant, record, token) = match (believed, record, presented) {
            (Ok(grant), Some(record), Ok(token)) => (grant, record, token),
            (believed, record, _) => {
                let denied = believed.err().unwrap_or(Denied::Unknown).to_string();
                let subject = record.map(|record| record.id.to_string()).unwrap_or_default();
                self.audit.counted(Act { subject: &subject, detail: &denied, ..act }, Outcome::Refused);
                return Err(Refusal::Denied);
            }
        };
        let (actor, subject) = (record.id.to_string(), record.room.to_string());
        self.audit.accepted(Act { actor: &actor, subject: &subject, ..act }).await?;
        Ok(admit(record, grant, token))
    }

    /// Refuses a first message that could not even be read.
    #[must_use]
    pub fn unreadable(&self, from: Peer) -> Refusal {
        let act = Act { detail: "malformed", ..Act::by("", "session.authenticate", "", from) };
        self.audit.counted(act, Outcome::Refused);
        Refusal::Denied
    }

    /// Makes a one-time sign-in link for the operator.
    ///
    /// # Errors
    /// [`Refusal::Forbidden`] without the permission, [`Refusal::Unavailable`].
    pub async fn sign_in_link(
        &self,
        grant: &Grant,
        public_url: &PublicUrl,
        from: Peer,
    ) -> Result<String, Refusal> {
        grant.require(Permission::ManageRealm, &RealmId::installation(), now())?;
        self.link(public_url, &actor(grant), Some(from)).await
    }

    /// Makes the link that is printed at the start: whoever sees the terminal is the operator.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`].
    pub async fn start_link(&self, public_url: &PublicUrl) -> Result<String, Refusal> {
        self.link(public_url, "start", None).await
    }

    async fn link(&self, public_url: &PublicUrl, actor: &str, from: Option<Peer>) -> Result<String, Refusal> {
        let secret = mint(TokenKind::SignIn, random()?);
        let link = console_token(TokenKind::SignIn, ConsoleKind::SignIn, &secret, LINK_GOOD_FOR)?;
        let act = Act { actor, action: "console.link", subject: OPERATOR, from, detail: "" };
        self.store.put_console_token(&link, &entry(act)).await?;
        Ok(format!("{public_url}/#sign-in={}", secret.expose()))
    }

    /// Exchanges a sign-in link for a console session, once.
    ///
    /// # Errors
    /// [`Refusal::Denied`] for a link that is unknown, used or expired; [`Refusal::Unavailable`].
    pub async fn sign_in(&self, link: &Secret, from: Peer) -> Result<SignedIn, Refusal> {
        let act = Act::by("", "console.sign-in", "", from);
        let refused = || {
            self.audit.counted(act, Outcome::Refused);
            Refusal::Denied
        };
        let presented = hash(TokenKind::SignIn, link).map_err(|_| refused())?;
        let token = mint(TokenKind::Console, random()?);
        let kept = console_token(TokenKind::Console, ConsoleKind::Console, &token, CONSOLE_GOOD_FOR)?;
        let accepted = entry(Act { actor: OPERATOR, subject: OPERATOR, ..act });
        match self.store.exchange_sign_in(&presented, &kept, &accepted).await {
            Ok(()) => Ok(SignedIn { token, good_for: CONSOLE_GOOD_FOR }),
            Err(backend::StoreError::NotFound) => Err(refused()),
            Err(error) => Err(error.into()),
        }
    }

    /// Ends a console session; ending one that is not there is no error.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`].
    pub async fn sign_out(&self, token: &Secret, from: Peer) -> Result<(), Refusal> {
        let Ok(presented) = hash(TokenKind::Console, token) else {
            return Ok(());
        };
        let act = Act::by(OPERATOR, "console.sign-out", OPERATOR, from);
        match self.store.delete_console_token(&presented, &entry(act)).await {
            Ok(()) | Err(backend::StoreError::NotFound) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// Returns how the audit record names the holder of a grant.
pub(super) fn actor(grant: &Grant) -> String {
    match &grant.principal().subject {
        Subject::Operator(user) => user.as_str().to_owned(),
        Subject::Guest(session) => session.to_string(),
        Subject::Client(client) => client.short(),
        Subject::Service => super::realms::shown(&grant.principal().realm),
    }
}

fn admit(record: SessionRecord, grant: Grant, token: TokenHash) -> Admitted {
    Admitted {
        session: Session { id: record.id, name: record.name, grant },
        room: record.room,
        room_name: record.room_name,
        invite: record.invite,
        token,
    }
}

fn console_token(
    form: TokenKind,
    kind: ConsoleKind,
    secret: &Secret,
    good_for: Duration,
) -> Result<NewConsoleToken, Refusal> {
    let created_at = now();
    Ok(NewConsoleToken {
        hash: hash(form, secret).map_err(|_| Refusal::Unavailable)?,
        kind,
        operator: UserId::new(OPERATOR),
        created_at,
        expires_at: created_at.saturating_add(good_for),
    })
}
