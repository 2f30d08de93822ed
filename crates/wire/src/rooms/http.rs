//! Bodies of HTTP requests and answers: redeeming, administration, the console.

use serde::Serialize;

use super::client::MAX_SECRET;
use super::{Id, MAX_BODY, MemberShown, Permission, name};
use crate::json::{Object, Range};
use crate::{DecodeError, Masked};

/// `POST /v1/rooms/redeem`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redeem {
    /// The invite's secret.
    pub invite: Masked,
    /// As the others will see it; trimmed.
    pub name: String,
    /// `sha-256 AB:CD:…`, form not checked.
    pub fingerprint: String,
    /// base64url of a P-256 point, form not checked.
    pub public_key: String,
}

impl Redeem {
    /// Reads a body of at most [`MAX_BODY`] bytes.
    ///
    /// # Errors
    /// Not one bounded JSON object, or a member that is missing or of another form.
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let mut object = Object::read(body, MAX_BODY)?;
        Ok(Self {
            invite: Masked(object.text("invite", MAX_SECRET)?),
            name: name(&mut object)?,
            fingerprint: object.text("fingerprint", 128)?,
            public_key: object.text("public_key", 128)?,
        })
    }
}

/// 201 of `POST /v1/rooms/redeem`.
#[derive(Debug, Serialize)]
pub struct Redeemed {
    /// Who the browser now is.
    pub participant_id: Id,
    /// The session's secret; never logged.
    pub session_token: String,
    /// The room.
    pub room_id: Id,
    /// As people see it.
    pub room_name: String,
    /// The participant's name.
    pub name: String,
    /// The participant's rights.
    pub permissions: Vec<Permission>,
    /// When the token is void, in milliseconds since the Unix epoch.
    pub expires_at: u64,
}

/// `POST /v1/admin/rooms`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateRoom {
    /// As people will see it; trimmed.
    pub name: String,
}

impl CreateRoom {
    /// Reads a body of at most [`MAX_BODY`] bytes.
    ///
    /// # Errors
    /// As [`Redeem::decode`].
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let mut object = Object::read(body, MAX_BODY)?;
        Ok(Self { name: name(&mut object)? })
    }
}

/// `POST /v1/admin/rooms/{room_id}/invites`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateInvite {
    /// How many may redeem it: 1–10,000, by default 1.
    pub uses: u32,
    /// Good for so many seconds: 1–31,536,000, by default a day.
    pub expires_in: u32,
    /// What those who come by it may do; sorted, each once; by default speak, camera, share.
    pub permissions: Vec<Permission>,
}

impl CreateInvite {
    /// Reads a body of at most [`MAX_BODY`] bytes.
    ///
    /// # Errors
    /// As [`Redeem::decode`]; also a number out of its range, or an unknown permission.
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let mut object = Object::read(body, MAX_BODY)?;
        Ok(Self {
            uses: object.ranged("uses", &Range::USES)?.unwrap_or(1),
            expires_in: object.ranged("expires_in", &Range::LIFETIME)?.unwrap_or(86_400),
            permissions: permissions(&mut object)?,
        })
    }
}

fn permissions(object: &mut Object) -> Result<Vec<Permission>, DecodeError> {
    const WRONG: DecodeError =
        DecodeError::Wrong { member: "permissions", expected: "a list of speak, camera, share and moderate" };
    let Some(listed) = object.texts("permissions").map_err(|_| WRONG)? else {
        return Ok(vec![Permission::Speak, Permission::Camera, Permission::Share]);
    };
    let mut permissions =
        listed.iter().map(|text| Permission::parse(text)).collect::<Option<Vec<_>>>().ok_or(WRONG)?;
    permissions.sort_unstable();
    permissions.dedup();
    Ok(permissions)
}

/// 201 of `POST /v1/admin/rooms`.
#[derive(Debug, Serialize)]
pub struct RoomCreated {
    /// The room.
    pub room_id: Id,
    /// As people see it.
    pub name: String,
    /// In milliseconds since the Unix epoch.
    pub created_at: u64,
}

/// 200 of `GET /v1/admin/rooms`.
#[derive(Debug, Serialize)]
pub struct RoomList {
    /// Those that have not ended.
    pub rooms: Vec<RoomListed>,
}

/// One entry of a [`RoomList`].
#[derive(Debug, Serialize)]
pub struct RoomListed {
    /// The room.
    pub room_id: Id,
    /// As people see it.
    pub name: String,
    /// In milliseconds since the Unix epoch.
    pub created_at: u64,
    /// How many are in it.
    pub participants: usize,
}

/// 200 of `GET /v1/admin/rooms/{room_id}`.
#[derive(Debug, Serialize)]
pub struct RoomShown {
    /// The room.
    pub room_id: Id,
    /// As people see it.
    pub name: String,
    /// In milliseconds since the Unix epoch.
    pub created_at: u64,
    /// Who is in it, in order of joining.
    pub participants: Vec<MemberShown>,
    /// All of its invites, without their secrets.
    pub invites: Vec<InviteShown>,
}

/// An invite, as the operator sees it.
#[derive(Debug, Serialize)]
pub struct InviteShown {
    /// The invite.
    pub invite_id: Id,
    /// How many may redeem it.
    pub uses: u32,
    /// How many have.
    pub used: u32,
    /// In milliseconds since the Unix epoch.
    pub expires_at: u64,
    /// Whether the operator took it back.
    pub revoked: bool,
    /// What those who come by it may do.
    pub permissions: Vec<Permission>,
    /// In milliseconds since the Unix epoch.
    pub created_at: u64,
}

/// 201 of `POST /v1/admin/rooms/{room_id}/invites`.
#[derive(Debug, Serialize)]
pub struct InviteCreated {
    /// The invite.
    pub invite_id: Id,
    /// The link with its secret; never logged, never shown again.
    pub url: String,
    /// How many may redeem it.
    pub uses: u32,
    /// In milliseconds since the Unix epoch.
    pub expires_at: u64,
    /// What those who come by it may do.
    pub permissions: Vec<Permission>,
}

/// 200 of `GET /v1/admin/audit`.
#[derive(Debug, Serialize)]
pub struct AuditPage {
    /// Newest first.
    pub records: Vec<AuditRecord>,
}

/// One line of the audit record.
#[derive(Debug, Serialize)]
pub struct AuditRecord {
    /// Grows with every line.
    pub seq: u64,
    /// In milliseconds since the Unix epoch.
    pub at: u64,
    /// Who did it.
    pub actor: String,
    /// What was done.
    pub action: String,
    /// To what.
    pub subject: String,
    /// `ok`, or why not.
    pub outcome: String,
    /// Masked network address.
    pub address: String,
    /// How many alike events the line stands for.
    pub count: u64,
    /// Anything else that matters.
    pub detail: String,
}

/// 200 of `GET /v1/admin/status`.
#[derive(Debug, Serialize)]
pub struct Status {
    /// Ours.
    pub version: String,
    /// What the operator should know of the configuration, a sentence each; said in the log at the start too.
    pub warnings: Vec<String>,
}

/// 201 of `POST /v1/admin/sign-in-links`.
#[derive(Debug, Serialize)]
pub struct SignInLink {
    /// The link with its secret; never logged.
    pub url: String,
}

/// `POST /v1/console/sign-in`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignIn {
    /// The link's secret.
    pub link: Masked,
}

impl SignIn {
    /// Reads a body of at most [`MAX_BODY`] bytes.
    ///
    /// # Errors
    /// As [`Redeem::decode`].
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let mut object = Object::read(body, MAX_BODY)?;
        Ok(Self { link: Masked(object.text("link", MAX_SECRET)?) })
    }
}

/// 200 of `GET /v1/console/me`.
#[derive(Debug, Serialize)]
pub struct Me {
    /// Who is signed in.
    pub operator: String,
    /// When the cookie is void, in milliseconds since the Unix epoch.
    pub expires_at: u64,
}
