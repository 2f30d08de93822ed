use std::str::FromStr;
use std::time::Duration;

use axum::Router;
use axum::extract::{Json, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use identity::{ChannelId, ChannelRules, ClientId, Delivery, SessionName};
use wire::Masked;
use wire::channels::{
    ChannelList, ChannelSettings, ChannelShown, ClientShown, CreateChannel, InvitationMade, InviteVisitors,
    IssueHeadless,
};

use crate::app::App;
use crate::config::PublicUrl;
use crate::faces::shown::client_issued;
use crate::http::body::MaybeJson;
use crate::http::operator::Operator;
use crate::http::path::Named;
use crate::http::peer::Peer;
use crate::http::problem::{Problem, in_problem_namespace};
use crate::services::{ChannelView, ClientView, Refusal};

const CHANNELS: &str = "/v1/admin/channels";

/// `/v1/admin/channels`: the channels of the verto face, their clients and invitations (reference on verto, 8.2).
pub(crate) fn routes(app: App) -> Router {
    Router::new()
        .route(CHANNELS, get(list).post(create))
        .route("/v1/admin/channels/{channel}", get(show).patch(change).delete(end))
        .route("/v1/admin/channels/{channel}/clients", post(issue))
        .route("/v1/admin/channels/{channel}/clients/{client}", delete(revoke))
        .route("/v1/admin/channels/{channel}/invitations", post(invite))
        .with_state(app)
}

/// Middleware for the whole listener: what is below the path of the channels has problems as their contract wants them, whichever door
/// it comes to its end at.
pub(crate) async fn in_their_namespace(request: Request, next: Next) -> Response {
    let below = request.uri().path().strip_prefix(CHANNELS);
    if below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) {
        in_problem_namespace(request, next).await
    } else {
        next.run(request).await
    }
}

async fn create(
    State(app): State<App>,
    Operator(grant): Operator,
    from: Peer,
    body: MaybeJson,
) -> Result<Response, Problem> {
    let CreateChannel { channel_id, settings } = body.read(CreateChannel::decode).await?;
    let id = channel_id.map(|text| text.parse()).transpose();
    let id = id.map_err(|_| Problem::malformed("channelId is a lower-case UUIDv4."))?;
    let rules = changed(app.channels.default_rules(), settings)?;
    let made = app.channels.create(&grant, id, rules, from).await?;
    let place = HeaderValue::try_from(format!("{CHANNELS}/{}", made.channel.id));
    let place = place.map_err(|_| Problem::UNAVAILABLE)?;
    Ok((StatusCode::CREATED, [(header::LOCATION, place)], Json(shown(made, None))).into_response())
}

async fn list(State(app): State<App>, Operator(grant): Operator) -> Result<Json<ChannelList>, Problem> {
    let channels = app.channels.list(&grant).await?.into_iter().map(|view| shown(view, None));
    Ok(Json(ChannelList { channels: channels.collect() }))
}

async fn show(
    State(app): State<App>,
    Operator(grant): Operator,
    Named(channel): Named<String>,
) -> Result<Json<ChannelShown>, Problem> {
    let (view, clients) = app.channels.show(&grant, id(&channel)?).await?;
    let clients = clients.into_iter().map(|ClientView { client, is_connected }| ClientShown {
        client_id: client.id.to_string(),
        created: client.created_at.0 / 1_000,
        connected: is_connected,
    });
    Ok(Json(shown(view, Some(clients.collect()))))
}

async fn change(
    State(app): State<App>,
    Operator(grant): Operator,
    from: Peer,
    Named(channel): Named<String>,
    body: MaybeJson,
) -> Result<Json<ChannelShown>, Problem> {
    let channel = id::<ChannelId>(&channel)?;
    let said = body.read(ChannelSettings::decode).await?;
    let view = app.channels.change(&grant, channel, |rules| changed(rules, said), from).await?;
    Ok(Json(shown(view, None)))
}

async fn end(
    State(app): State<App>,
    Operator(grant): Operator,
    from: Peer,
    Named(channel): Named<String>,
) -> Result<StatusCode, Problem> {
    app.channels.end(&grant, id(&channel)?, from).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn issue(
    State(app): State<App>,
    Operator(grant): Operator,
    from: Peer,
    Named(channel): Named<String>,
    body: MaybeJson,
) -> Result<Response, Problem> {
    let channel = id::<ChannelId>(&channel)?;
    let IssueHeadless { session_id } = body.read(IssueHeadless::decode).await?;
    let session = session_id.map(|text| SessionName::parse(&text.0)).transpose();
    let session = session.map_err(|_| Problem::malformed("sessionId is a UUID."))?;
    let given = app.channels.issue_headless(&grant, channel, session, from).await?;
    let body = Json(client_issued(channel, &given));
    Ok((StatusCode::CREATED, [(header::CACHE_CONTROL, "no-store")], body).into_response())
}

async fn revoke(
    State(app): State<App>,
    Operator(grant): Operator,
    from: Peer,
    Named((channel, client)): Named<(String, String)>,
) -> Result<StatusCode, Problem> {
    app.channels.revoke(&grant, id(&channel)?, id::<ClientId>(&client)?, from).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn invite(
    State(app): State<App>,
    Operator(grant): Operator,
    from: Peer,
    Named(channel): Named<String>,
    body: MaybeJson,
) -> Result<Response, Problem> {
    let channel = id::<ChannelId>(&channel)?;
    let InviteVisitors { uses, ttl } = body.read(InviteVisitors::decode).await?;
    let good_for = Duration::from_secs(ttl.into());
    let invited = app.channels.invite(&grant, channel, uses, good_for, from).await?;
    let body = Json(InvitationMade {
        invitation: Masked(invited.secret.expose().to_owned()),
        link: Masked(invited.link),
        expires_in: ttl,
    });
    Ok((StatusCode::CREATED, [(header::CACHE_CONTROL, "no-store")], body).into_response())
}

/// Returns the rules as they are after what is said of them.
fn changed(before: ChannelRules, said: ChannelSettings) -> Result<ChannelRules, Refusal> {
    Ok(ChannelRules {
        topic: said.topic.unwrap_or(before.topic),
        admission: setting(said.admission, before.admission, "admission is open or invitation.")?,
        capacity: said.capacity.unwrap_or(before.capacity),
        cookie_binding: setting(
            said.cookie_binding,
            before.cookie_binding,
            "cookie_binding is required or optional.",
        )?,
        sessid_policy: setting(
            said.sessid_policy,
            before.sessid_policy,
            "sessid_policy is strict-login-id, strict-registered or optional.",
        )?,
        content: setting(said.content, before.content, "content is strict or opaque.")?,
        delivery: setting(said.delivery, before.delivery, "delivery is off or page.")?,
        origins: match said.origins {
            Some(origins) => origins.iter().map(|text| origin(text)).collect::<Result<_, _>>()?,
            None => before.origins,
        },
    })
}

fn setting<T: FromStr>(said: Option<String>, before: T, values: &'static str) -> Result<T, Refusal> {
    let Some(text) = said else { return Ok(before) };
    text.parse().map_err(|_| Refusal::Malformed(values))
}

/// An origin is an address without even the slash of an empty path (RFC 6454 §6.2).
fn origin(text: &str) -> Result<String, Refusal> {
    match PublicUrl::parse(text) {
        Ok(page) if !text.ends_with('/') => Ok(page.to_string()),
        _ => Err(Refusal::Malformed("An origin is http:// or https://, a host and perhaps a port.")),
    }
}

/// What is not an id names nothing.
fn id<T: FromStr>(text: &str) -> Result<T, Problem> {
    text.parse().map_err(|_| Problem::NOT_FOUND)
}

fn shown(view: ChannelView, clients: Option<Vec<ClientShown>>) -> ChannelShown {
    let ChannelView { channel, live } = view;
    let rules = channel.rules;
    ChannelShown {
        channel_id: channel.id.to_string(),
        topic: rules.topic,
        admission: rules.admission.text(),
        capacity: rules.capacity,
        cookie_binding: rules.cookie_binding.text(),
        sessid_policy: rules.sessid_policy.text(),
        content: rules.content.text(),
        delivery: (rules.delivery != Delivery::Asked).then(|| rules.delivery.text()),
        origins: rules.origins,
        created: channel.created_at.0 / 1_000,
        live,
        clients,
    }
}
