//! From a checked configuration to a running server, and to its end.

use std::{
    collections::BTreeSet,
    io,
    net::{IpAddr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use axum::middleware;
use backend::{FolderError, Store, StoreError, folder};
use identity::{Secret, TokenHash, TokenKind, hash};
use rustls::ServerConfig;

use crate::{
    ambient,
    app::{App, Parts, Tasks},
    config::{self, Checked, Proxy, PublicUrl, Tls},
    faces,
    folder_lock::{FolderLock, NotTaken},
    http::{
        connections::{Seating, Seats},
        doors,
        health::{Health, guarded_metrics_routes, health_routes, open_metrics_routes},
        listener::{Listening, bind, serve, serve_with},
        plain_doors,
        problem::in_problem_namespace,
        tls::{self, TlsError},
    },
    media::{MediaConfig, MediaError, MediaPool, StartedMedia},
    metrics::Metrics,
    services::{ChannelsConfig, RealmRules, Refusal, Registration},
    whereabouts::Whereabouts,
};

/// Why the server did not start. The texts are for the operator.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data folder cannot be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// Another server runs on this data folder, or it cannot be written.
    #[error(transparent)]
    Taken(#[from] NotTaken),
    /// The store cannot be opened.
    #[error("the store {}: {source}", file.display())]
    Store {
        /// Its file.
        file: PathBuf,
        /// Why.
        source: StoreError,
    },
    /// The media engine did not start.
    #[error(transparent)]
    Media(#[from] MediaError),
    /// There is no usable certificate.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// From the operating system.
        source: io::Error,
    },
    /// The file that tells other commands where the server listens cannot be written.
    #[error("the data folder cannot be written: {source}")]
    Whereabouts {
        /// From the operating system.
        source: io::Error,
    },
    /// A service refused to begin.
    #[error("the services did not start ({0:?}); the log says more")]
    Services(Refusal),
}

impl From<Refusal> for StartError {
    fn from(refusal: Refusal) -> Self {
        Self::Services(refusal)
    }
}

/// How late the end of the last call may be noticed.
const DRAIN_STEP: Duration = Duration::from_millis(100);

/// The way in.
pub struct Server;

/// Where a server listens, with the ports that were really taken.
#[derive(Debug, Clone)]
pub struct Addresses {
    /// The main listener.
    pub http: SocketAddr,
    /// Media over UDP.
    pub media_udp: Vec<SocketAddr>,
    /// Media over TCP.
    pub media_tcp: Vec<SocketAddr>,
    /// The listener with nothing but metrics.
    pub metrics: Option<SocketAddr>,
    /// The listener of the rtcd face.
    pub rtcd: Option<SocketAddr>,
    /// The listener of the verto face.
    pub verto: Option<SocketAddr>,
}

/// A running server. Dropping it cuts everything off; [`Running::stop`] says goodbye first.
pub struct Running {
    /// Where it listens.
    pub addresses: Addresses,
    /// As users see it.
    pub public_url: PublicUrl,
    /// A link that signs one browser in to the console, once.
    pub sign_in_url: Secret,
    data_dir: PathBuf,
    health: Health,
    main: Listening,
    /// Serves until the end; nobody waits for it.
    rtcd: Option<Listening>,
    verto: Option<Listening>,
    #[expect(dead_code, reason = "held: dropping it ends the listener")]
    metrics_listener: Option<Listening>,
    media: MediaPool,
    /// How long a stop waits for calls of the rtcd face.
    patience: Duration,
    app: Option<App>,
    tasks: Option<Tasks>,
    store: Store,
    #[expect(dead_code, reason = "held: others stay out of the data folder until the end")]
    lock: FolderLock,
}

impl Server {
    /// Starts the server, inside a tokio runtime: data folder, admin token, store, addresses, media, services, doors, in this order.
    /// What was begun is undone when a later step fails. Port 0 works everywhere.
    ///
    /// # Errors
    /// As [`StartError`] says.
    pub async fn start(config: Checked) -> Result<Running, StartError> {
        for warning in &config.warnings {
            tracing::warn!("{warning}");
        }
        let ground = Ground::prepare(config).await?;
        let (config, seed) = (media_config(&ground.config), ambient::random()?);
        // STUN servers may take seconds.
        let media = tokio::task::spawn_blocking(move || MediaPool::start(&config, seed));
        let media = media.await.map_err(|error| MediaError::System(io::Error::other(error)))??;
        let pool = media.pool.clone();
        let begun = Running::begin(ground, media).await;
        if begun.is_err() {
            pool.stop();
        }
        begun
    }
}

/// What there is before the media and the services.
struct Ground {
    config: Checked,
    lock: FolderLock,
    admin_token: TokenHash,
    store: Store,
    sockets: Sockets,
    public_url: PublicUrl,
    certificate: Option<Certificate>,
    rtcd_certificate: Option<Certificate>,
    verto_certificate: Option<Certificate>,
    channels: ChannelsConfig,
}

impl Ground {
    async fn prepare(config: Checked) -> Result<Self, StartError> {
        let folder = config.data_dir.as_path();
        folder::prepare(folder)?;
        let lock = FolderLock::take(folder)?;
        let token = folder::admin_token(folder, ambient::random()?)?;
        let admin_token = hash(TokenKind::Admin, &token)
            .map_err(|_| FolderError::MalformedToken { file: folder.join("admin-token") })?;
        let in_store = |source| StartError::Store { file: config.store_file.clone(), source };
        let store = Store::open(&config.store_file).await.map_err(in_store)?;
        // Whoever was connected to an earlier process is not any more.
        store.leave_all_clients(ambient::now()).await.map_err(in_store)?;
        // Before the services, since links and the certificate name the port.
        let sockets = Sockets::bind(&config)?;
        let public_url = config.http.public_url(sockets.main_address);
        let channels = channels_config(&config, &sockets);
        let names = names(&sockets.bound(), [&public_url, &channels.public_url]);
        let show = |tls: &Tls| certificate(tls, &config.data_dir, &names);
        let certificate = show(&config.http.tls)?;
        let rtcd_certificate = config.rtcd.as_ref().map_or(Ok(None), |rtcd| show(&rtcd.tls))?;
        let verto_certificate = config.verto.as_ref().map_or(Ok(None), |verto| show(&verto.tls))?;
        Ok(Self {
            config,
            lock,
            admin_token,
            store,
            sockets,
            public_url,
            certificate,
            rtcd_certificate,
            verto_certificate,
            channels,
        })
    }
}

impl Running {
    async fn begin(ground: Ground, media: StartedMedia) -> Result<Self, StartError> {
        let Ground { config, lock, admin_token, store, sockets, public_url, certificate, .. } = ground;
        let (rtcd_certificate, verto_certificate) = (ground.rtcd_certificate, ground.verto_certificate);
        let metrics = Arc::new(Metrics::new());
        let (app, tasks) = App::start(Parts {
            store: store.clone(),
            media: media.pool.clone(),
            events: media.events,
            admin_token,
            realm_rules: config.rtcd.as_ref().map_or_else(RealmRules::default, realm_rules),
            channels: ground.channels,
            verto_figures: metrics.verto(),
            audit_keep: config.audit_keep,
            public_url: public_url.clone(),
            warnings: config.warnings.clone(),
        })?;
        app.exchange.recall().await?;
        metrics.watch(media.pool.clone(), app.census());
        let sign_in_url = Secret::new(app.accounts.start_link(&public_url).await?);
        let health = Health::default();
        let (accounts, limits) = (Arc::clone(&app.accounts), Arc::clone(&app.limits));
        let routes = faces::routes(app.clone(), config.verto.is_some())
            .merge(health_routes(health.clone()))
            .merge(guarded_metrics_routes(Arc::clone(&metrics), accounts, limits));
        let rtcd = config.rtcd.as_ref().zip(sockets.rtcd);
        let rtcd = rtcd.map(|(config, socket)| {
            let tls = rtcd_certificate.map(|shown| shown.config);
            serve_rtcd(socket, config, tls, app.clone(), Arc::clone(&metrics))
        });
        let rtcd = rtcd.transpose()?;
        let verto = config.verto.as_ref().zip(sockets.verto);
        let verto = verto.map(|(config, socket)| {
            let tls = verto_certificate.map(|shown| shown.config);
            serve_verto(socket, config, tls, app.clone(), Arc::clone(&metrics))
        });
        let verto = verto.transpose()?;
        let routes = doors(routes, &public_url, config.http.proxy, Arc::clone(&metrics))
            .layer(middleware::from_fn(faces::channels_in_their_namespace));
        let (tls, file) = certificate.map(|shown| (shown.config, shown.file)).unzip();
        let here = Whereabouts { address: sockets.main_address, certificate: file };
        let serving = |source| StartError::Listen { address: here.address, source };
        let main = serve(sockets.main, routes, tls, config.http.proxy, Seats::USUAL).map_err(serving)?;
        let open_metrics =
            |socket| serve(socket, open_metrics_routes(metrics), None, Proxy::Absent, Seats::USUAL);
        let metrics_listener = sockets.metrics.map(open_metrics).transpose().map_err(serving)?;
        here.write(&config.data_dir).map_err(|source| StartError::Whereabouts { source })?;
        let addresses = Addresses {
            http: main.address(),
            media_udp: media.bound,
            media_tcp: media.bound_tcp,
            metrics: metrics_listener.as_ref().map(Listening::address),
            rtcd: rtcd.as_ref().map(Listening::address),
            verto: verto.as_ref().map(Listening::address),
        };
        tracing::info!(http = %addresses.http, media = ?addresses.media_udp, media_tcp = ?addresses.media_tcp, rtcd = ?addresses.rtcd, verto = ?addresses.verto, "started");
        Ok(Self {
            addresses,
            public_url,
            sign_in_url,
            data_dir: config.data_dir,
            health,
            main,
            rtcd,
            verto,
            metrics_listener,
            media: media.pool,
            patience: config.rtcd.as_ref().map(|rtcd| rtcd.drain).unwrap_or_default(),
            app: Some(app),
            tasks: Some(tasks),
            store,
            lock,
        })
    }

    /// Waits until a part that should run as long as the server has ended, such as the media thread.
    pub async fn failed(&mut self) {
        match &mut self.tasks {
            Some(tasks) => tasks.one_ended().await,
            None => std::future::pending().await,
        }
    }

    /// Lets nobody join the calls of the rtcd face any more, and waits until the last of them has ended, as rtcd does, but not longer than
    /// its setting says. Everything else goes on meanwhile. Dropped, it waits no more.
    pub async fn drain(&self) {
        let Some(app) = self.app.as_ref().filter(|_| !self.patience.is_zero()) else { return };
        app.hosting.drain();
        let begun = Instant::now();
        let (sessions, calls) = app.hosting.count();
        if sessions > 0 {
            tracing::info!(sessions, calls, longest = ?self.patience, "waiting for calls to end; a signal ends the wait");
        }
        while app.hosting.count().0 > 0 && begun.elapsed() < self.patience {
            tokio::time::sleep(DRAIN_STEP).await;
        }
    }

    /// Takes no more connections, says goodbye to everyone, closes the rooms, writes what is not written, and ends, within `deadline`;
    /// what is not done then is cut off.
    pub async fn stop(mut self, deadline: Duration) {
        let begun = Instant::now();
        self.health.stop();
        for listener in [Some(&self.main), self.rtcd.as_ref(), self.verto.as_ref()].into_iter().flatten() {
            listener.stop_accepting(deadline.mul_f32(0.6));
        }
        let ended = tokio::time::timeout(deadline, self.wind_down(deadline)).await.is_ok();
        tracing::info!(took = ?begun.elapsed(), complete = ended, "stopped");
    }

    async fn wind_down(&mut self, deadline: Duration) {
        if let Some(app) = self.app.take() {
            // Some of the time is left for what follows.
            app.say_goodbye(deadline.mul_f32(0.6)).await;
        }
        self.main.ended().await;
        for face in [&mut self.rtcd, &mut self.verto].into_iter().flatten() {
            face.ended().await;
        }
        let media = self.media.clone();
        _ = tokio::task::spawn_blocking(move || media.stop()).await;
        if let Some(tasks) = self.tasks.take() {
            tasks.finish(deadline.mul_f32(0.2)).await;
        }
        self.store.close().await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Not waited for: the end of the time for a stop has come, or nobody asked for one.
        self.media.tell_to_stop();
        Whereabouts::remove(&self.data_dir);
    }
}

/// What is listened on for HTTP.
struct Sockets {
    main: TcpListener,
    main_address: SocketAddr,
    metrics: Option<TcpListener>,
    rtcd: Option<TcpListener>,
    verto: Option<TcpListener>,
}

impl Sockets {
    fn bind(config: &Checked) -> Result<Self, StartError> {
        let open = |address| bind(address).map_err(|source| StartError::Listen { address, source });
        let main = open(config.http.listen)?;
        let main_address =
            main.local_addr().map_err(|source| StartError::Listen { address: config.http.listen, source })?;
        let metrics = config.metrics_listen.map(open).transpose()?;
        let rtcd = config.rtcd.as_ref().map(|rtcd| open(rtcd.listen)).transpose()?;
        let verto = config.verto.as_ref().map(|verto| open(verto.listen)).transpose()?;
        Ok(Self { main, main_address, metrics, rtcd, verto })
    }

    /// The addresses of those listeners that may encrypt.
    fn bound(&self) -> Vec<IpAddr> {
        let [rtcd, verto] = [&self.rtcd, &self.verto]
            .map(|socket| socket.as_ref().and_then(|socket| socket.local_addr().ok()));
        [Some(self.main_address), rtcd, verto].into_iter().flatten().map(|address| address.ip()).collect()
    }
}

fn realm_rules(rtcd: &config::Rtcd) -> RealmRules {
    RealmRules {
        admin_key: rtcd.admin_key.clone(),
        registration: if rtcd.allow_self_registration { Registration::Open } else { Registration::AdminOnly },
        token_good_for: rtcd.session_expiration,
    }
}

/// Where there is no such face, its defaults stand in: nobody reaches what they are for.
fn channels_config(config: &Checked, sockets: &Sockets) -> ChannelsConfig {
    let face = config.verto.clone().unwrap_or_default();
    let bound = sockets.verto.as_ref().and_then(|socket| socket.local_addr().ok());
    ChannelsConfig {
        public_url: face.public_url(bound.unwrap_or(face.listen)),
        limits: face.limits,
        ice: face.ice,
        client_idle: face.client_idle,
        channel_idle: face.channel_idle,
        gone_on_revoke: face.gone_on_revoke,
        server_ping: face.server_ping,
    }
}

fn serve_verto(
    socket: TcpListener,
    config: &config::Verto,
    tls: Option<Arc<ServerConfig>>,
    app: App,
    metrics: Arc<Metrics>,
) -> Result<Listening, StartError> {
    let public_url = app.channels.public_url().clone();
    let routes = doors(faces::verto::routes(app), &public_url, config.proxy, metrics)
        .layer(middleware::from_fn(in_problem_namespace));
    let seats = Seats::USUAL.with(config.limits.sockets_per_address, config.limits.sockets);
    serve(socket, routes, tls, config.proxy, seats)
        .map_err(|source| StartError::Listen { address: config.listen, source })
}

fn serve_rtcd(
    socket: TcpListener,
    config: &config::Rtcd,
    tls: Option<Arc<ServerConfig>>,
    app: App,
    metrics: Arc<Metrics>,
) -> Result<Listening, StartError> {
    let settings = faces::rtcd::Settings { open_metrics: config.open_metrics };
    let routes = faces::rtcd::routes(app, settings);
    let routes = plain_doors(routes, faces::rtcd::PATIENCE, config.proxy, metrics);
    let seats = Seats::USUAL.with(config.sockets_per_address, config.sockets);
    let seating = Seating::new(config.proxy, seats);
    serve_with(socket, routes, tls, seating, faces::rtcd::READ)
        .map_err(|source| StartError::Listen { address: config.listen, source })
}

/// What a listener shows.
struct Certificate {
    config: Arc<ServerConfig>,
    file: PathBuf,
}

fn certificate(tls: &Tls, folder: &Path, names: &[String]) -> Result<Option<Certificate>, StartError> {
    let (config, file) = match tls {
        Tls::Off => return Ok(None),
        Tls::Files { cert, key } => (tls::from_files(&cert.path, &key.path)?, absolute(&cert.path)),
        Tls::SelfSigned => {
            let made = tls::self_signed(folder, names, SystemTime::now())?;
            (made, absolute(&folder.join(tls::CERTIFICATE_FILE)))
        }
    };
    Ok(Some(Certificate { config, file }))
}

/// Every name by which somebody may come, for a made certificate: all listeners show the same.
fn names(bound: &[IpAddr], public_urls: [&PublicUrl; 2]) -> Vec<String> {
    let mut names: BTreeSet<String> = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).into();
    names.extend(public_urls.map(|url| url.host().to_owned()));
    if bound.iter().any(IpAddr::is_unspecified) {
        let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
        names.extend(
            interfaces.into_iter().filter(|one| !one.is_link_local()).map(|one| one.ip().to_string()),
        );
    }
    names.extend(bound.iter().filter(|address| !address.is_unspecified()).map(IpAddr::to_string));
    names.into_iter().collect()
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

fn media_config(config: &Checked) -> MediaConfig {
    let media = &config.media;
    MediaConfig {
        shards: media.shards,
        dtls_1_3: media.dtls_1_3,
        listen_udp: media.listen_udp.clone(),
        listen_tcp: media.listen_tcp.clone(),
        advertise: media.advertise.clone(),
        advertise_port: media.advertise_port.clone(),
        stun: media.stun.clone(),
    }
}
