use std::str::FromStr;
use std::time::Duration;

use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Json, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use identity::{InviteId, RoomKey, SessionId};
use serde::Deserialize;
use wire::rooms::{
    AuditPage, CreateInvite, CreateRoom, Id, InviteCreated, InviteShown, RoomCreated, RoomList, RoomListed,
    RoomShown, SignInLink, Status,
};

use super::realms;
use crate::app::App;
use crate::faces::shown::{member, permissions, rights};
use crate::http::body::JsonBytes;
use crate::http::operator::Operator;
use crate::http::path::Named;
use crate::http::peer::Peer;
use crate::http::problem::Problem;
use crate::services::{AuditRecord, InviteRecord};

const PAGE: u32 = 100;
const LONGEST_PAGE: u32 = 200;

/// All of `/v1/admin/`: the server's status, realms, rooms, their invites and participants, the audit record, sign-in links.
pub fn routes(app: App) -> Router {
    Router::new()
        .route("/v1/admin/status", get(status))
        .route("/v1/admin/rooms", get(list).post(create))
        .route("/v1/admin/rooms/{room_id}", get(show).delete(end))
        .route("/v1/admin/rooms/{room_id}/invites", post(invite))
        .route("/v1/admin/rooms/{room_id}/invites/{invite_id}", delete(revoke))
        .route("/v1/admin/rooms/{room_id}/participants/{participant_id}", delete(remove))
        .route("/v1/admin/audit", get(audit))
        .route("/v1/admin/sign-in-links", post(sign_in_link))
        .with_state(app.clone())
        .merge(realms::routes(app))
}

async fn status(State(app): State<App>, Operator(_): Operator) -> Json<Status> {
    Json(Status { version: env!("CARGO_PKG_VERSION").to_owned(), warnings: app.warnings.to_vec() })
}

async fn create(
    State(app): State<App>,
    Operator(grant): Operator,
    from: Peer,
    body: JsonBytes,
) -> Result<Response, Problem> {
    let CreateRoom { name } = body.read(CreateRoom::decode)?;
    let room = app.rooms.create(&grant, name, from).await?;
    let body = RoomCreated { room_id: Id(room.id.0), name: room.name, created_at: room.created_at.0 };
    Ok((StatusCode::CREATED, Json(body)).into_response())
}

async fn list(State(app): State<App>, Operator(grant): Operator) -> Result<Json<RoomList>, Problem> {
    let listed = app.rooms.list(&grant).await?.into_iter().map(|(room, participants)| RoomListed {
        room_id: Id(room.id.0),
        name: room.name,
        created_at: room.created_at.0,
        participants,
    });
    Ok(Json(RoomList { rooms: listed.collect() }))
}

async fn show(
    State(app): State<App>,
    Operator(grant): Operator,
    Named(room): Named<String>,
) -> Result<Json<RoomShown>, Problem> {
    let view = app.rooms.show(&grant, id::<RoomKey>(&room)?).await?;
    Ok(Json(RoomShown {
        room_id: Id(view.room.id.0),
        name: view.room.name,
        created_at: view.room.created_at.0,
        participants: view.present.iter().map(member).collect(),
        invites: view.invites.iter().map(shown_invite).collect(),
    }))
}

async fn end(
    State(app): State<App>,
    Operator(grant): Operator,
    from: Peer,
    Named(room): Named<String>,
) -> Result<StatusCode, Problem> {
    app.calls.end_as_operator(&grant, id(&room)?, from).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn invite(
    State(app): State<App>,
    Operator(grant): Operator,
    from: Peer,
    Named(room): Named<String>,
    body: JsonBytes,
) -> Result<Response, Problem> {
    let room = id(&room)?;
    let wanted = body.read(CreateInvite::decode)?;
    let good_for = Duration::from_secs(wanted.expires_in.into());
    let may = permissions(&wanted.permissions);
    let invited = app.rooms.invite(&grant, room, wanted.uses, good_for, may, from).await?;
    let body = InviteCreated {
        invite_id: Id(invited.invite.id.0),
        url: invited.url,
        uses: invited.invite.uses,
        expires_at: invited.invite.expires_at.0,
        permissions: wanted.permissions,
    };
    Ok((StatusCode::CREATED, [(header::CACHE_CONTROL, "no-store")], Json(body)).into_response())
}

async fn revoke(
    State(app): State<App>,
    Operator(grant): Operator,
    from: Peer,
    Named((room, invite)): Named<(String, String)>,
) -> Result<StatusCode, Problem> {
    app.calls.revoke_invite(&grant, id(&room)?, id::<InviteId>(&invite)?, from).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn remove(
    State(app): State<App>,
    Operator(grant): Operator,
    from: Peer,
    Named((room, participant)): Named<(String, String)>,
) -> Result<StatusCode, Problem> {
    app.calls.remove_as_operator(&grant, id(&room)?, id::<SessionId>(&participant)?, from).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `?room_id=<room_id>&before=<seq>&limit=<1–200>`.
#[derive(Deserialize)]
struct Paging {
    room_id: Option<String>,
    before: Option<u64>,
    limit: Option<u32>,
}

async fn audit(
    State(app): State<App>,
    Operator(grant): Operator,
    paging: Result<Query<Paging>, QueryRejection>,
) -> Result<Json<AuditPage>, Problem> {
    const EXPECTED: Problem =
        Problem::malformed("room_id is the ID of a room, before is a number, limit is 1 to 200.");
    let Query(Paging { room_id, before, limit }) = paging.map_err(|_| EXPECTED)?;
    let about = room_id.map(|text| text.parse()).transpose().map_err(|_| EXPECTED)?;
    let limit = limit.unwrap_or(PAGE);
    if !(1..=LONGEST_PAGE).contains(&limit) {
        return Err(EXPECTED);
    }
    let records = app.rooms.audit_page(&grant, about, before, limit).await?;
    Ok(Json(AuditPage { records: records.into_iter().map(shown_record).collect() }))
}

async fn sign_in_link(
    State(app): State<App>,
    Operator(grant): Operator,
    from: Peer,
) -> Result<Response, Problem> {
    let url = app.accounts.sign_in_link(&grant, &app.public_url, from).await?;
    let body = Json(SignInLink { url });
    Ok((StatusCode::CREATED, [(header::CACHE_CONTROL, "no-store")], body).into_response())
}

/// What is not an id names nothing.
fn id<T: FromStr>(text: &str) -> Result<T, Problem> {
    text.parse().map_err(|_| Problem::NOT_FOUND)
}

fn shown_invite(invite: &InviteRecord) -> InviteShown {
    InviteShown {
        invite_id: Id(invite.id.0),
        uses: invite.uses,
        used: invite.used,
        expires_at: invite.expires_at.0,
        revoked: invite.revoked_at.is_some(),
        permissions: rights(invite.permissions),
        created_at: invite.created_at.0,
    }
}

fn shown_record(record: AuditRecord) -> wire::rooms::AuditRecord {
    let AuditRecord { seq, entry } = record;
    wire::rooms::AuditRecord {
        seq,
        at: entry.at.0,
        actor: entry.actor,
        action: entry.action,
        subject: entry.subject,
        outcome: entry.outcome.text().to_owned(),
        address: entry.address,
        count: entry.count.into(),
        detail: entry.detail,
    }
}
