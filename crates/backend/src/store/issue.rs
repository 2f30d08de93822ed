//! The one step that makes somebody a client of a channel, or gives a client another password.

use sqlx::any::AnyRow;
use sqlx::{Any, Transaction};

use identity::{Admission, ChannelId, ClientId, CookieBinding, ProofKey, SessionName, TokenHash, UnixMillis};

use super::column::{number, optional, optional_time, parsed, stored};
use super::{AuditEntry, Store, StoreError, audit};

/// What somebody wants who wants to be a client.
#[derive(Debug, Clone)]
pub struct Issue {
    /// Of which channel.
    pub channel: ChannelId,
    /// What it calls its session, if it has a name for it.
    pub session: Option<SessionName>,
    /// For whom.
    pub bearer: Bearer,
    /// The id of a client that is made.
    pub client: ClientId,
    /// The hash of the password that is given.
    pub password: TokenHash,
    /// The key that it wants to be bound to.
    pub proof_key: Option<ProofKey>,
    /// Clients that the channel may have.
    pub most: u32,
    /// When.
    pub at: UnixMillis,
}

/// For whom a password is.
#[derive(Debug, Clone)]
pub enum Bearer {
    /// A browser, known by its cookie.
    Visitor {
        /// The hash of the cookie that it has shown.
        shown: Option<TokenHash>,
        /// The hash of the cookie that it is given if it is not known by the one it has shown.
        fresh: TokenHash,
        /// The hash of the invitation that it has shown.
        invitation: Option<TokenHash>,
    },
    /// Somebody without cookies, for whom an operator asks.
    Headless,
}

/// What was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Issued {
    /// To whom: the client that is made, or the one that calls its session so.
    pub client: ClientId,
    /// Whether the visitor is another than the one whose cookie was shown.
    pub is_new_visitor: bool,
}

/// Why nothing was given. Nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotIssued {
    /// There is no such channel.
    NoChannel,
    /// The session is one of another channel.
    OtherChannel,
    /// A client of that visitor was revoked.
    Barred,
    /// The session is another visitor's, or was revoked.
    NotYours,
    /// The channel wants an invitation that is good, or a cookie.
    NotAdmitted,
    /// The channel has as many clients as it may.
    Full,
}

/// What a transaction has found out about who asks.
struct Asker {
    admission: Admission,
    known: Option<TokenHash>,
    owned: Option<ClientId>,
}

impl Store {
    /// Gives a password. A session that is known gets the client that it had; of an older password nothing is left. `entry` writes the audit
    /// line of a success; a refusal leaves no trace here and is the caller's to record.
    ///
    /// # Errors
    /// `Conflict` when an id or a hash is taken, `Unavailable`, `Corrupt`.
    pub async fn issue_client(
        &self,
        issue: &Issue,
        entry: impl FnOnce(&Issued) -> AuditEntry + Send,
    ) -> Result<Result<Issued, NotIssued>, StoreError> {
        let mut change = self.write().await?;
        let asker = match look(&mut change, issue).await? {
            Ok(asker) => asker,
            Err(refused) => return Ok(Err(refused)),
        };
        let client = match asker.owned {
            Some(client) => client,
            None => match admit(&mut change, issue, &asker).await? {
                Ok(visitor) => make(&mut change, issue, visitor).await?,
                Err(refused) => return Ok(Err(refused)),
            },
        };
        put_password(&mut change, client, issue).await?;
        let issued = Issued { client, is_new_visitor: asker.known.is_none() };
        audit::append(&mut change, &entry(&issued)).await?;
        change.commit().await?;
        Ok(Ok(issued))
    }
}

/// What does not depend on being admitted: 1, 2, 4 and 5 of the rules of the reference, 8.4.
async fn look(
    change: &mut Transaction<'static, Any>,
    issue: &Issue,
) -> Result<Result<Asker, NotIssued>, StoreError> {
    let channel = sqlx::query("SELECT admission, cookie_binding FROM channels WHERE channel_id = $1")
        .bind(issue.channel.to_string())
        .fetch_optional(&mut **change)
        .await?;
    let Some(channel) = channel else { return Ok(Err(NotIssued::NoChannel)) };
    let session = match &issue.session {
        Some(session) => find_session(change, session).await?,
        None => None,
    };
    if let Some(row) = &session
        && parsed::<ChannelId>(row, "channel_id")? != issue.channel
    {
        return Ok(Err(NotIssued::OtherChannel));
    }
    let known = match issue.bearer {
        Bearer::Visitor { shown: Some(shown), .. } if is_visitor(change, shown).await? => Some(shown),
        Bearer::Visitor { .. } => None,
        Bearer::Headless
            if parsed::<CookieBinding>(&channel, "cookie_binding")? == CookieBinding::Required =>
        {
            return Ok(Err(NotIssued::NotAdmitted));
        }
        Bearer::Headless => None,
    };
    if let Some(visitor) = known
        && has_row(change, "channel_bars", issue.channel, visitor).await?
    {
        return Ok(Err(NotIssued::Barred));
    }
    let owned = match session.as_ref().map(|row| owner(row, &issue.bearer, known)).transpose()? {
        Some(None) => return Ok(Err(NotIssued::NotYours)),
        Some(owned) => owned,
        None => None,
    };
    Ok(Ok(Asker { admission: parsed(&channel, "admission")?, known, owned }))
}

async fn find_session(
    change: &mut Transaction<'static, Any>,
    session: &SessionName,
) -> Result<Option<AnyRow>, StoreError> {
    Ok(sqlx::query(
        "SELECT client_id, channel_id, visitor_hash, revoked_at
         FROM channel_clients WHERE session_id = $1",
    )
    .bind(session.expose())
    .fetch_optional(&mut **change)
    .await?)
}

/// Returns the client of a session, if it is that of who asks.
fn owner(row: &AnyRow, bearer: &Bearer, known: Option<TokenHash>) -> Result<Option<ClientId>, StoreError> {
    let bound: Option<TokenHash> = optional(row, "visitor_hash")?;
    let is_theirs = match bearer {
        Bearer::Visitor { .. } => known.is_some() && bound == known,
        Bearer::Headless => bound.is_none(),
    };
    let is_revoked = optional_time(row, "revoked_at")?.is_some();
    if is_theirs && !is_revoked { parsed(row, "client_id").map(Some) } else { Ok(None) }
}

/// 6 and 7 of the rules: takes a use of an invitation where one is needed. Returns whose the client will be.
async fn admit(
    change: &mut Transaction<'static, Any>,
    issue: &Issue,
    asker: &Asker,
) -> Result<Result<Option<TokenHash>, NotIssued>, StoreError> {
    let (visitor, invitation) = match issue.bearer {
        Bearer::Headless => (None, None),
        Bearer::Visitor { fresh, invitation, .. } => (Some(asker.known.unwrap_or(fresh)), invitation),
    };
    let is_admitted = match (asker.admission, visitor) {
        (Admission::Open, _) | (Admission::Invitation, None) => true,
        (Admission::Invitation, Some(_)) => match asker.known {
            Some(known) => has_row(change, "channel_admissions", issue.channel, known).await?,
            None => false,
        },
    };
    if !is_admitted && !take_use(change, issue, invitation).await? {
        return Ok(Err(NotIssued::NotAdmitted));
    }
    let clients = sqlx::query(
        "SELECT count(*) AS clients FROM channel_clients WHERE channel_id = $1 AND revoked_at IS NULL",
    )
    .bind(issue.channel.to_string())
    .fetch_one(&mut **change)
    .await?;
    if number::<u64>(&clients, "clients")? >= u64::from(issue.most) {
        return Ok(Err(NotIssued::Full));
    }
    if let Some(visitor) = visitor {
        if asker.known.is_none() {
            sqlx::query("INSERT INTO visitors (visitor_hash, created_at) VALUES ($1, $2)")
                .bind(visitor.to_hex())
                .bind(stored(issue.at.0))
                .execute(&mut **change)
                .await?;
        }
        if !is_admitted {
            sqlx::query("INSERT INTO channel_admissions (channel_id, visitor_hash) VALUES ($1, $2)")
                .bind(issue.channel.to_string())
                .bind(visitor.to_hex())
                .execute(&mut **change)
                .await?;
        }
    }
    Ok(Ok(visitor))
}

/// One statement for every kind of invitation that is not good.
async fn take_use(
    change: &mut Transaction<'static, Any>,
    issue: &Issue,
    invitation: Option<TokenHash>,
) -> Result<bool, StoreError> {
    let Some(invitation) = invitation else { return Ok(false) };
    let taken = sqlx::query(
        "UPDATE channel_invitations SET used = used + 1
         WHERE token_hash = $1 AND channel_id = $2 AND used < uses AND expires_at > $3",
    )
    .bind(invitation.to_hex())
    .bind(issue.channel.to_string())
    .bind(stored(issue.at.0))
    .execute(&mut **change)
    .await?;
    Ok(taken.rows_affected() > 0)
}

async fn make(
    change: &mut Transaction<'static, Any>,
    issue: &Issue,
    visitor: Option<TokenHash>,
) -> Result<ClientId, StoreError> {
    let session = issue.session.clone().unwrap_or_else(|| SessionName::of(issue.client));
    sqlx::query(
        "INSERT INTO channel_clients (client_id, channel_id, session_id, visitor_hash, created_at, seen_at)
         VALUES ($1, $2, $3, $4, $5, $5)",
    )
    .bind(issue.client.to_string())
    .bind(issue.channel.to_string())
    .bind(session.expose())
    .bind(visitor.map(|visitor| visitor.to_hex()))
    .bind(stored(issue.at.0))
    .execute(&mut **change)
    .await?;
    Ok(issue.client)
}

async fn put_password(
    change: &mut Transaction<'static, Any>,
    client: ClientId,
    issue: &Issue,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO client_passwords (client_id, password_hash, issued_at) VALUES ($1, $2, $3)
         ON CONFLICT (client_id) DO UPDATE SET password_hash = excluded.password_hash, issued_at = excluded.issued_at,
             sessid = NULL, dropped_at = NULL, ticket = NULL",
    )
    .bind(client.to_string())
    .bind(issue.password.to_hex())
    .bind(stored(issue.at.0))
    .execute(&mut **change)
    .await?;
    sqlx::query("UPDATE channel_clients SET seen_at = $1, proof_key = $2 WHERE client_id = $3")
        .bind(stored(issue.at.0))
        .bind(issue.proof_key.map(|key| key.to_string()))
        .bind(client.to_string())
        .execute(&mut **change)
        .await?;
    sqlx::query("UPDATE channels SET used_at = $1 WHERE channel_id = $2")
        .bind(stored(issue.at.0))
        .bind(issue.channel.to_string())
        .execute(&mut **change)
        .await?;
    Ok(())
}

async fn is_visitor(change: &mut Transaction<'static, Any>, visitor: TokenHash) -> Result<bool, StoreError> {
    let found = sqlx::query("SELECT 1 FROM visitors WHERE visitor_hash = $1")
        .bind(visitor.to_hex())
        .fetch_optional(&mut **change)
        .await?;
    Ok(found.is_some())
}

/// Whether a table of (channel, visitor) has this pair.
async fn has_row(
    change: &mut Transaction<'static, Any>,
    table: &'static str,
    channel: ChannelId,
    visitor: TokenHash,
) -> Result<bool, StoreError> {
    let statement = format!("SELECT 1 FROM {table} WHERE channel_id = $1 AND visitor_hash = $2");
    let found = sqlx::query(sqlx::AssertSqlSafe(statement))
        .bind(channel.to_string())
        .bind(visitor.to_hex())
        .fetch_optional(&mut **change)
        .await?;
    Ok(found.is_some())
}
