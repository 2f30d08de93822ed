use std::str::FromStr;
use std::time::Duration;

use axum::Router;
use axum::extract::{Json, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::from_fn;
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
use crate::services::{ChannelView, ClientView};

/// `/v1/admin/channels`: the channels of the verto face, their clients and invitations (reference on verto, 8.2).
pub(crate) fn routes(app: App) -> Router {
    Router::new()
        .route("/v1/admin/channels", get(list).post(create))
        .route("/v1/admin/channels/{channel}", get(show).patch(change).delete(end))
        .route("/v1/admin/channels/{channel}/clients", post(issue))
        .route("/v1/admin/channels/{channel}/clients/{client}", delete(revoke))
        .route("/v1/admin/channels/{channel}/invitations", post(invite))
        .layer(from_fn(in_problem_namespace))
        .with_state(app)
}

async fn create(
    State(app): State<App>,
    Operator(grant): Operator,
    from: Peer,
    body: MaybeJson,
) -> Result<Response, Problem> {
    let CreateChannel { channel_id, settings } = body.read(CreateChannel::decode).await?;
    let id = channel_id.map(|text| setting(&text)).transpose()?;
    let mut rules = ChannelRules::default();
    Change::read(settings)?.apply(&mut rules);
    let made = app.channels.create(&grant, id, rules, from).await?;
    let place = HeaderValue::try_from(format!("/v1/admin/channels/{}", made.channel.id));
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
    let change = Change::read(body.read(ChannelSettings::decode).await?)?;
    let changed = app.channels.change(&grant, channel, |rules| change.apply(rules), from).await?;
    Ok(Json(shown(changed, None)))
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

/// Settings that can be, each left as it is when nothing is said of it.
struct Change(Vec<Box<dyn FnOnce(&mut ChannelRules) + Send>>);

impl Change {
    fn read(said: ChannelSettings) -> Result<Self, Problem> {
        let mut change = Self(Vec::new());
        change.set(said.topic, |rules, topic| rules.topic = topic);
        change.set(said.capacity, |rules, capacity| rules.capacity = capacity);
        change.set(parsed(said.admission)?, |rules, admission| rules.admission = admission);
        change.set(parsed(said.cookie_binding)?, |rules, binding| rules.cookie_binding = binding);
        change.set(parsed(said.sessid_policy)?, |rules, policy| rules.sessid_policy = policy);
        change.set(parsed(said.content)?, |rules, content| rules.content = content);
        change.set(parsed(said.delivery)?, |rules, delivery| rules.delivery = delivery);
        let origins: Option<Result<Vec<String>, Problem>> =
            said.origins.map(|origins| origins.iter().map(|text| origin(text)).collect());
        change.set(origins.transpose()?, |rules, origins| rules.origins = origins);
        Ok(change)
    }

    fn set<T: Send + 'static>(&mut self, said: Option<T>, set: fn(&mut ChannelRules, T)) {
        if let Some(said) = said {
            self.0.push(Box::new(move |rules| set(rules, said)));
        }
    }

    fn apply(self, rules: &mut ChannelRules) {
        for set in self.0 {
            set(rules);
        }
    }
}

fn parsed<T: FromStr>(said: Option<String>) -> Result<Option<T>, Problem> {
    said.map(|text| setting(&text)).transpose()
}

fn setting<T: FromStr>(text: &str) -> Result<T, Problem> {
    text.parse().map_err(|_| Problem::malformed("A member of the body is not in its form or range."))
}

/// An origin is an address without even the slash of an empty path (RFC 6454 §6.2).
fn origin(text: &str) -> Result<String, Problem> {
    match PublicUrl::parse(text) {
        Ok(page) if !text.ends_with('/') => Ok(page.to_string()),
        _ => Err(Problem::malformed("An origin is http:// or https://, a host and perhaps a port.")),
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
