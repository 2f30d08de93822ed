use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Json, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use identity::RealmId;
use serde::Deserialize;
use wire::Masked;
use wire::rtcd::administration::{AddRealm, RealmAdded, RealmList, RealmListed};

use crate::app::App;
use crate::http::body::JsonBytes;
use crate::http::operator::Operator;
use crate::http::peer::Peer;
use crate::http::problem::Problem;

/// `/v1/admin/realms`: the clients of the rtcd face.
pub(super) fn routes(app: App) -> Router {
    Router::new().route("/v1/admin/realms", get(list).post(add).delete(remove)).with_state(app)
}

async fn list(State(app): State<App>, Operator(grant): Operator) -> Result<Json<RealmList>, Problem> {
    let realms =
        app.realms.list(&grant).await?.into_iter().map(|realm| RealmListed {
            realm_id: realm.id.as_str().to_owned(),
            created_at: realm.created_at.0,
        });
    Ok(Json(RealmList { realms: realms.collect() }))
}

async fn add(
    State(app): State<App>,
    Operator(grant): Operator,
    from: Peer,
    body: JsonBytes,
) -> Result<Response, Problem> {
    let AddRealm { realm_id } = body.read(AddRealm::decode)?;
    let (realm, key) = app.realms.register_as_operator(&grant, realm_id, from).await?;
    let body = RealmAdded { realm_id: realm.as_str().to_owned(), key: Masked(key.expose().to_owned()) };
    Ok((StatusCode::CREATED, [(header::CACHE_CONTROL, "no-store")], Json(body)).into_response())
}

/// `?realm_id=`: an id may be anything, `..` and `/` too, which no path could hold.
#[derive(Deserialize)]
struct Which {
    realm_id: String,
}

async fn remove(
    State(app): State<App>,
    Operator(grant): Operator,
    from: Peer,
    which: Result<Query<Which>, QueryRejection>,
) -> Result<StatusCode, Problem> {
    let Query(Which { realm_id }) = which.map_err(|_| Problem::malformed("realm_id is missing."))?;
    let realm = RealmId::new(realm_id);
    app.realms.unregister_as_operator(&grant, &realm, from).await?;
    Ok(StatusCode::NO_CONTENT)
}
