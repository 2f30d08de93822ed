//! Builds every service once; [`App`] is what handlers receive.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use backend::Store;
use hub::ConnectionId;
use identity::TokenHash;
use sfu::Event;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::ambient;
use crate::audit::Audit;
use crate::config::{PublicUrl, VertoLimits};
use crate::http::crowd::Crowd;
use crate::http::limits::{Action, Limits};
use crate::http::origin::OwnOrigin;
use crate::hub_driver::{HubDriver, ROOM_LIMITS};
use crate::media::MediaPool;
use crate::metrics::rtcd::RtcdFigures;
use crate::metrics::verto::VertoFigures;
use crate::services::exchange::Exchange;
use crate::services::hosting::Hosting;
use crate::services::{
    Accounts, Calls, CallsParts, Channels, ChannelsConfig, News, RealmRules, Realms, Refusal, Rooms, Tell,
};

/// Sockets of one address that have not authenticated (`docs/faces/rooms.md`, "Limits"), and of all: each may make the server hold one
/// message.
const WAITING_PER_ADDRESS: usize = 8;
const WAITING: usize = 256;

/// Events of the media engine that wait for the calls of rooms. When full, the engine's own queue fills, as it says.
const EVENTS_OF_ROOMS: usize = 256;

/// What every handler receives; clones are one.
#[derive(Clone)]
pub struct App {
    /// Credential → grant.
    pub accounts: Arc<Accounts>,
    /// Rooms and invites.
    pub rooms: Arc<Rooms>,
    /// Tenants that host calls.
    pub realms: Arc<Realms>,
    /// Verto channels, kept.
    pub channels: Arc<Channels>,
    /// Who is in verto channels.
    pub exchange: Arc<Exchange>,
    /// Sockets of the verto face.
    pub verto_sockets: Crowd,
    /// Who is in a call.
    pub calls: Arc<Calls>,
    /// Who is in a call that a realm's own servers host.
    pub hosting: Arc<Hosting>,
    /// Figures under rtcd's names.
    pub figures: RtcdFigures,
    /// Counters of the verto face.
    pub verto_figures: VertoFigures,
    /// How much one address or one session may ask.
    pub limits: Arc<Limits>,
    /// Which pages may.
    pub origin: OwnOrigin,
    /// Where people find us.
    pub public_url: PublicUrl,
    /// Which pages may, at the verto face.
    pub verto_origin: OwnOrigin,
    /// What holds at the verto face.
    pub verto_limits: VertoLimits,
    /// What the operator should know of the configuration.
    pub warnings: Arc<[String]>,
    /// Sockets that have not authenticated.
    pub waiting: Crowd,
    connections: Arc<AtomicU64>,
    stop: Arc<watch::Sender<bool>>,
}

/// What an [`App`] is built of.
pub struct Parts {
    /// The truth.
    pub store: Store,
    /// The way to the media engine.
    pub media: MediaPool,
    /// What the media engine says.
    pub events: mpsc::Receiver<Event>,
    /// What is kept of the admin token.
    pub admin_token: TokenHash,
    /// What holds for tenants.
    pub realm_rules: RealmRules,
    /// What holds for verto channels.
    pub channels: ChannelsConfig,
    /// Counters of the verto face.
    pub verto_figures: VertoFigures,
    /// How long lines of the audit record are kept; `None`: for ever.
    pub audit_keep: Option<Duration>,
    /// Where people find us.
    pub public_url: PublicUrl,
    /// What the operator should know of the configuration.
    pub warnings: Vec<String>,
}

/// The tasks behind an [`App`]. Dropping it ends them; [`Tasks::finish`] lets them end by themselves.
pub struct Tasks {
    tasks: JoinSet<()>,
}

impl App {
    /// Builds the services and starts their tasks, inside a tokio runtime.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`] when the operating system has no chance to give.
    pub fn start(parts: Parts) -> Result<(Self, Tasks), Refusal> {
        let Parts { store, media, events, admin_token, realm_rules, channels, .. } = parts;
        let Parts { verto_figures, audit_keep, public_url, warnings, .. } = parts;
        let mut tasks = JoinSet::new();
        let (audit, audit_task) = Audit::new(store.clone());
        tasks.spawn(audit_task.keep(audit_keep).run());
        let (driver, hub, expired) = HubDriver::new(ROOM_LIMITS);
        tasks.spawn(driver.run());
        let limits = Arc::new(
            Limits::new()
                .per_minute(Action::Issue, channels.limits.issues_per_minute)
                .per_minute(Action::ClientDenied, channels.limits.login_failures_per_minute),
        );
        let parts = CallsParts {
            store: store.clone(),
            audit: audit.clone(),
            hub: hub.clone(),
            limits: limits.clone(),
            dialect: crate::faces::rooms::DIALECT,
        };
        let figures = RtcdFigures::new();
        let hosting = Arc::new(Hosting::new(media.clone(), crate::faces::rtcd::DIALECT, figures.clone()));
        let calls = Arc::new(Calls::new(parts, media));
        let (rest, others) = mpsc::channel(EVENTS_OF_ROOMS);
        let running = hosting.clone();
        tasks.spawn(async move { running.run(events, rest).await });
        let running = calls.clone();
        tasks.spawn(async move { running.run(others).await });
        tasks.spawn(Calls::forget(Arc::downgrade(&calls), expired));
        let hosts = hosting.clone();
        let ended = Box::new(move |realm: &_| hosts.end_realm(realm));
        let realms = Realms::new(store.clone(), audit.clone(), limits.clone(), realm_rules, ended)?;
        let (verto_origin, verto_limits) = (OwnOrigin::new(channels.public_url.clone()), channels.limits);
        let takeovers = usize::try_from(verto_limits.takeovers_per_minute).unwrap_or(usize::MAX);
        let seed = ambient::random()?;
        let exchange = Exchange::new(store.clone(), audit.clone(), &seed, verto_limits.takeover, takeovers)?;
        let exchange = Arc::new(exchange);
        let tell = tell_live(exchange.clone(), &channels);
        let (channels, left) = Channels::new(store.clone(), audit.clone(), limits.clone(), channels, tell);
        tasks.spawn(left.run());
        let app = Self {
            accounts: Arc::new(Accounts::new(store.clone(), audit.clone(), admin_token)),
            rooms: Arc::new(Rooms::new(store, audit, hub, public_url.clone())),
            realms: Arc::new(realms),
            channels,
            exchange,
            verto_sockets: Crowd::new(verto_limits.sockets_per_address, verto_limits.sockets),
            calls,
            hosting,
            figures,
            verto_figures,
            limits,
            origin: OwnOrigin::new(public_url.clone()),
            public_url,
            verto_origin,
            verto_limits,
            warnings: warnings.into(),
            waiting: Crowd::new(WAITING_PER_ADDRESS, WAITING),
            connections: Arc::default(),
            stop: Arc::new(watch::channel(false).0),
        };
        Ok((app, Tasks { tasks }))
    }

    /// Says goodbye on every socket, and returns when all of them are closed, or when the time is over.
    pub async fn say_goodbye(&self, within: Duration) {
        self.hosting.drain();
        self.stop.send_replace(true);
        if tokio::time::timeout(within, self.stop.closed()).await.is_err() {
            tracing::warn!("some clients did not take their goodbye in time");
        }
    }

    /// Returns a way to count who is here, which keeps nothing alive.
    #[must_use]
    pub fn census(&self) -> Census {
        let (calls, exchange) = (Arc::downgrade(&self.calls), Arc::downgrade(&self.exchange));
        Census { calls, exchange, stop: Arc::downgrade(&self.stop) }
    }

    /// Returns a number that no other connection of this process has.
    pub(crate) fn next_connection(&self) -> ConnectionId {
        ConnectionId(self.connections.fetch_add(1, Ordering::Relaxed))
    }

    /// Returns what turns true when the server stops; whoever holds it is waited for.
    pub(crate) fn stopping(&self) -> watch::Receiver<bool> {
        self.stop.subscribe()
    }
}

/// Returns what carries the news of the kept channels to the live side.
fn tell_live(live: Arc<Exchange>, channels: &ChannelsConfig) -> Tell {
    let domain = channels.gone_on_revoke.then(|| channels.public_url.host().to_owned());
    Box::new(move |news| match news {
        News::Revoked { channel, client } => {
            let domain = domain.as_deref();
            let gone = domain.map(|domain| crate::faces::verto::last_words(channel, client, domain));
            live.revoke(channel, client, gone.as_ref());
        }
        News::Ended { channel } => live.end(channel),
    })
}

/// Counts who is here, for the metrics.
#[derive(Clone)]
pub struct Census {
    calls: Weak<Calls>,
    exchange: Weak<Exchange>,
    stop: Weak<watch::Sender<bool>>,
}

/// Who is here at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Present {
    /// Sessions that are attached or linger.
    pub sessions: usize,
    /// Rooms with such sessions.
    pub rooms: usize,
    /// Open WebSockets.
    pub connections: usize,
    /// Clients in verto channels.
    pub verto_clients: usize,
    /// Those of the WebSockets that are of the verto face.
    pub verto_sockets: usize,
}

impl Census {
    /// Counts; nobody is here once the [`App`] is gone.
    #[must_use]
    pub fn take(&self) -> Present {
        let (sessions, rooms) = self.calls.upgrade().map(|calls| calls.count()).unwrap_or_default();
        let connections = self.stop.upgrade().map(|stop| stop.receiver_count()).unwrap_or_default();
        let exchange = self.exchange.upgrade();
        let (verto_clients, verto_sockets) = exchange.map(|exchange| exchange.count()).unwrap_or_default();
        Present { sessions, rooms, connections, verto_clients, verto_sockets }
    }
}

impl Tasks {
    /// Waits until a task has ended; while the server runs, only a failure makes one end.
    pub async fn one_ended(&mut self) {
        if let Some(Err(error)) = self.tasks.join_next().await {
            tracing::error!(%error, "a task has failed");
        }
    }

    /// Waits until every task has ended, which they do once the [`App`] and the media engine are gone; afterwards everything is written.
    pub async fn finish(mut self, within: Duration) {
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(within, ended).await.is_err() {
            tracing::warn!("some tasks did not end in time");
        }
    }
}
