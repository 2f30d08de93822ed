//! A login: believed, then acted upon.

use std::fmt;
use std::sync::atomic::Ordering;

use backend::{Entry, Outcome, StoreError};
use identity::{
    ChannelId, ChannelRules, ClientId, ClientLogin, ClientRecord, Content, Denied, Grant, NotAClient,
    Permission, Permissions, Principal, ProofKey, Secret, TokenHash, UnixMillis, hash_hex, verify_client,
    verify_client_proof,
};

use super::inside::Place;
use super::{Channels, Door};
use crate::ambient::now;
use crate::audit::{Act, entry};
use crate::http::limits::{Action, Key};
use crate::services::Refusal;

/// As the audit record calls it.
const ACTION: &str = "client.login";

/// What a `login` says.
#[derive(Debug)]
pub struct Login<'a> {
    /// The client's id; what stands behind an `@` is cut off.
    pub login: &'a str,
    /// The password.
    pub passwd: &'a Secret,
    /// `params.sessid`, if it is there.
    pub sessid: Option<&'a str>,
    /// A proof of possession, if there is one.
    pub proof: Option<ClientProof<'a>>,
}

/// What proves that a client has the key that it named.
#[derive(Debug, Clone, Copy)]
pub struct ClientProof<'a> {
    /// The challenge of this connection, as it stood in `error.data.nonce` of a -32000.
    pub nonce: &'a [u8; 32],
    /// `loginParams.signature`.
    pub signature: &'a str,
}

/// A login that is believed, and has not been acted upon.
#[derive(Debug)]
pub struct Believed {
    /// Of which channel.
    pub channel: ChannelId,
    /// Who.
    pub client: ClientId,
    /// Clients that may be logged in at once.
    pub capacity: usize,
    /// The connection's session id.
    pub sessid: Secret,
    password: TokenHash,
    content: Content,
    proof_key: Option<ProofKey>,
}

/// A client that is in its channel, on one connection. Dropping it is leaving: the time of the lease begins, unless the client has entered
/// by another connection since.
#[derive(Debug)]
pub struct Member {
    /// Of which channel.
    pub channel: ChannelId,
    /// Who.
    pub client: ClientId,
    /// The connection's session id: goes to its owner only, never to others or a log.
    pub sessid: Secret,
    /// Clients that may be logged in at once.
    pub capacity: usize,
    /// What may be said.
    pub content: Content,
    /// The key that it has proven to hold: peers may believe what it signs.
    pub proof_key: Option<ProofKey>,
    /// To signal in the realm of its channel.
    pub grant: Grant,
    place: Place,
}

impl Member {
    /// Returns whether it is one still, and was not revoked.
    #[must_use]
    pub fn is_in(&self) -> bool {
        self.place.is_held()
    }
}

/// Why a login is refused. It prints what the client is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginRefused {
    /// Whatever is wrong. After too many failures of this client, or of this address, the socket is closed.
    Denied {
        /// Whether to close.
        close: bool,
    },
    /// Everything is well but the session id, which the channel demands. A failure like the others.
    MissingSessid {
        /// Whether to close.
        close: bool,
    },
    /// Something inside does not work; the log says what. No failure of the client's.
    Unavailable,
}

impl fmt::Display for LoginRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Denied { .. } => "Authentication Failure",
            Self::MissingSessid { .. } => "Missing sessid",
            Self::Unavailable => "Not available",
        })
    }
}

impl Channels {
    /// Believes a login, or not. Changes nothing but the counters of failures. What is wrong makes no difference in time.
    ///
    /// # Errors
    /// As [`LoginRefused`] says.
    pub async fn believe(&self, door: &Door, login: &Login<'_>) -> Result<Believed, LoginRefused> {
        let name = login.login.split('@').next().unwrap_or_default();
        let claimed = name.parse::<ClientId>().ok();
        // What is no id is looked up as one that no client has.
        let id = claimed.unwrap_or(ClientId::from_random(0));
        let found = self.store.client(id).await.map_err(|error| {
            // The conversion writes the line.
            let _ = Refusal::from(error);
            LoginRefused::Unavailable
        })?;
        let found = found.as_ref().map(|(record, rules)| (record, rules));
        match self.verify(door, login, found, now()) {
            Ok(believed) => Ok(believed),
            Err(refused) => Err(self.failed(door, claimed, found.map(|(record, _)| record), refused)),
        }
    }

    fn verify(
        &self,
        door: &Door,
        login: &Login<'_>,
        found: Option<(&ClientRecord, &ChannelRules)>,
        at: UnixMillis,
    ) -> Result<Believed, NotAClient> {
        let password = hash_hex(login.passwd);
        let shown = ClientLogin {
            password,
            sessid: login.sessid,
            visitor: door.visitor.as_ref().map(hash_hex),
            proven: found.is_some_and(|(record, _)| has_proven(door, login, record)),
        };
        let verified = verify_client(&shown, found, self.terms(), at);
        let Some((record, rules)) = found else { return Err(Denied::Unknown.into()) };
        if matches!(verified, Ok(_) | Err(NotAClient::MissingSessid)) && !is_door_of(door, record, rules) {
            return Err(Denied::WrongDoor.into());
        }
        Ok(Believed {
            channel: record.channel,
            client: record.id,
            capacity: usize::try_from(rules.capacity).unwrap_or(usize::MAX),
            sessid: verified?,
            password,
            content: rules.content,
            proof_key: record.proof_key,
        })
    }

    /// Counts a failure, of this address and with this client's id; unknown ids too, so that they are not told apart.
    fn failed(
        &self,
        door: &Door,
        claimed: Option<ClientId>,
        record: Option<&ClientRecord>,
        refused: NotAClient,
    ) -> LoginRefused {
        let reason = match refused {
            NotAClient::Denied(denied) => denied.to_string(),
            NotAClient::MissingSessid => "no session id".to_owned(),
        };
        // The record names known clients only, never a text that a stranger wrote.
        let subject = record.map(|record| record.id.short()).unwrap_or_default();
        let act = Act { detail: &reason, ..Act::by("", ACTION, &subject, door.from) };
        self.audit.counted(act, Outcome::Refused);
        let of_client = claimed.map(|client| Key::Identity(client.session().0));
        let keys = [Some(Key::from(door.from)), of_client];
        let over = |key: Key| self.limits.check(Action::ClientDenied, key).is_err();
        // Both are counted, whatever the first says.
        let close = keys.into_iter().flatten().filter(|key| over(*key)).count() > 0;
        match refused {
            NotAClient::Denied(_) => LoginRefused::Denied { close },
            NotAClient::MissingSessid => LoginRefused::MissingSessid { close },
        }
    }

    /// Makes a member of whoever was believed: its password is leased to this connection. Undone when dropped before it is done.
    ///
    /// # Errors
    /// As [`LoginRefused`] says: it may have been revoked since, or have got another password.
    pub async fn enter(&self, door: &Door, believed: Believed) -> Result<Member, LoginRefused> {
        let Believed { channel, client, capacity, sessid, password, content, proof_key } = believed;
        let ticket = self.tickets.fetch_add(1, Ordering::Relaxed);
        // Before the store has it: a revocation that comes after the store's change finds the place, and one that comes before fails it.
        let place = self.inside.enter(channel, client, ticket);
        let (actor, subject) = (client.short(), channel.short());
        let line = entry(Act::by(&actor, ACTION, &subject, door.from));
        let lease = Entry { client, password, sessid: sessid.clone(), ticket, at: now() };
        match self.store.enter_client(&lease, &line).await {
            Ok(()) => {}
            Err(StoreError::NotFound) => {
                self.audit.refused(&line);
                return Err(LoginRefused::Denied { close: false });
            }
            Err(error) => {
                let _ = Refusal::from(error);
                return Err(LoginRefused::Unavailable);
            }
        }
        let permissions = Permissions::NONE.with(Permission::Signal);
        let grant = Grant::new(Principal::client(channel, client), permissions, UnixMillis::MAX);
        Ok(Member { channel, client, sessid, capacity, content, proof_key, grant, place })
    }
}

/// A client comes by `/verto` or by the path of its own channel, from a page that its channel lets in.
fn is_door_of(door: &Door, record: &ClientRecord, rules: &ChannelRules) -> bool {
    door.channel.is_none_or(|channel| channel == record.channel) && door.origin.may_open(rules)
}

fn has_proven(door: &Door, login: &Login<'_>, record: &ClientRecord) -> bool {
    let (Some(key), Some(proof)) = (&record.proof_key, login.proof) else { return false };
    let origin = door.origin.text();
    verify_client_proof(key, proof.nonce, record.channel, record.id, origin, proof.signature).is_ok()
}
