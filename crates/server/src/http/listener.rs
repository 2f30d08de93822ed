//! A listening socket and the task that serves it.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use axum::{
    Router,
    extract::{ConnectInfo, Request},
    middleware,
};
use hyper::{body::Incoming, server::conn::http1, service::Service, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net, pin,
    sync::watch,
    task::{JoinHandle, JoinSet},
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;

use super::{
    connections::{Seated, Seating, Seats},
    host,
};
use crate::config::Proxy;

/// From the beginning of a connection, or from the last answer, to the end of the next headers.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
const TLS_HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes buffered for one connection, headers included; more is answered with 431.
const BUFFER_LIMIT: usize = 32 * 1_024;
const MAX_HEADERS: usize = 64;
/// Until the next try when the operating system gives no connection, for want of file descriptors mostly.
const ACCEPT_AGAIN: Duration = Duration::from_millis(50);

/// A listener that serves; dropping it cuts off everything.
pub struct Listening {
    address: SocketAddr,
    stop: watch::Sender<Option<Duration>>,
    task: JoinHandle<()>,
}

/// Takes the address; port 0 is any free one.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Serves HTTP/1.1 on the listener, over TLS when there is a configuration for it, with [`HEADER_TIMEOUT`].
pub fn serve(
    listener: TcpListener,
    router: Router,
    tls: Option<Arc<ServerConfig>>,
    proxy: Proxy,
    seats: Seats,
) -> io::Result<Listening> {
    serve_with(listener, router, tls, Seating::new(proxy, seats), HEADER_TIMEOUT)
}

/// As [`serve`], with another time in the place of [`HEADER_TIMEOUT`].
pub fn serve_with(
    listener: TcpListener,
    router: Router,
    tls: Option<Arc<ServerConfig>>,
    seating: Seating,
    header_timeout: Duration,
) -> io::Result<Listening> {
    let address = listener.local_addr()?;
    let listener = net::TcpListener::from_std(listener)?;
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(header_timeout)
        .max_buf_size(BUFFER_LIMIT)
        .max_headers(MAX_HEADERS);
    // With its state a router is made ready once, else for each request.
    let router = router.layer(middleware::from_fn(host::named)).with_state(());
    let reception =
        Reception { tls: tls.map(TlsAcceptor::from), http, routes: TowerToHyperService::new(router) };
    let (stop, stopping) = watch::channel(None);
    let task = tokio::spawn(take_in(listener, seating, Arc::new(reception), stopping));
    Ok(Listening { address, stop, task })
}

impl Listening {
    /// Where it really listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no more connections, lets requests under way finish for `grace`, then cuts them off. WebSockets are their face's business.
    pub fn stop_accepting(&self, grace: Duration) {
        self.stop.send_replace(Some(grace));
    }

    /// Waits until the last connection is gone; after [`Self::stop_accepting`].
    pub async fn ended(&mut self) {
        _ = (&mut self.task).await;
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Takes connections until told to stop, and then waits for them. Dropped, it cuts them off.
async fn take_in(
    listener: net::TcpListener,
    seating: Seating,
    reception: Arc<Reception>,
    mut stopping: watch::Receiver<Option<Duration>>,
) {
    let mut connections = JoinSet::new();
    let at_stop = stopping.clone();
    let grace = loop {
        tokio::select! {
            biased;
            grace = told_to_stop(&mut stopping) => break grace,
            // What has ended is forgotten.
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                // Who gets no seat is gone with this.
                Ok((stream, from)) => if let Ok(seated) = seating.seat(stream) {
                    connections.spawn(Arc::clone(&reception).receive(seated, from, at_stop.clone()));
                },
                Err(_) => sleep(ACCEPT_AGAIN).await,
            },
        }
    };
    // Whoever comes is refused from here on.
    drop(listener);
    let all_gone = async { while connections.join_next().await.is_some() {} };
    _ = timeout(grace, all_gone).await;
}

/// Waits for the stop, and returns its grace: none when nobody holds the listener any more.
async fn told_to_stop(stopping: &mut watch::Receiver<Option<Duration>>) -> Duration {
    stopping.wait_for(Option::is_some).await.ok().and_then(|grace| *grace).unwrap_or_default()
}

/// How one connection is served. Only HTTP/1.1 is: what tells the versions apart would await its first bytes for ever.
struct Reception {
    tls: Option<TlsAcceptor>,
    http: http1::Builder,
    routes: TowerToHyperService<Router>,
}

impl Reception {
    async fn receive(
        self: Arc<Self>,
        stream: Seated,
        from: SocketAddr,
        stopping: watch::Receiver<Option<Duration>>,
    ) {
        let Some(tls) = &self.tls else { return self.converse(stream, from, stopping).await };
        if let Ok(Ok(stream)) = timeout(TLS_HANDSHAKE_TIMEOUT, tls.accept(stream)).await {
            self.converse(stream, from, stopping).await;
        }
    }

    async fn converse<S>(&self, stream: S, from: SocketAddr, mut stopping: watch::Receiver<Option<Duration>>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let service = service_fn(|mut request: Request<Incoming>| {
            request.extensions_mut().insert(ConnectInfo(from));
            self.routes.call(request)
        });
        let conversation = self.http.serve_connection(TokioIo::new(stream), service).with_upgrades();
        pin!(conversation);
        // How it ends is the client's business.
        tokio::select! {
            _ = conversation.as_mut() => return,
            _ = told_to_stop(&mut stopping) => conversation.as_mut().graceful_shutdown(),
        }
        _ = conversation.await;
    }
}

#[cfg(test)]
mod tests;
