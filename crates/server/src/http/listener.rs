//! A listening socket and the task that serves it.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use axum::{Router, middleware};
use axum_server::{
    Handle,
    tls_rustls::{RustlsAcceptor, RustlsConfig},
};
use hyper_util::{
    rt::{TokioExecutor, TokioTimer},
    server::conn::auto::Builder,
};
use rustls::ServerConfig;
use tokio::task::JoinHandle;

use super::{
    connections::{Seating, Seats},
    host,
};
use crate::config::Proxy;

/// From the first byte awaited to the end of the headers; also how long a kept connection may be idle.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
const TLS_HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes buffered for one connection, headers included; more is answered with 431.
const BUFFER_LIMIT: usize = 32 * 1_024;
const MAX_HEADERS: usize = 64;

/// A listener that serves; dropping it cuts off everything.
pub struct Listening {
    address: SocketAddr,
    handle: Handle<SocketAddr>,
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
    let handle = Handle::new();
    let server = axum_server::from_tcp(listener)?.handle(handle.clone());
    let service =
        router.layer(middleware::from_fn(host::named)).into_make_service_with_connect_info::<SocketAddr>();
    let task = match tls {
        None => spawn(tuned(server.acceptor(seating), header_timeout).serve(service)),
        Some(config) => {
            let acceptor = RustlsAcceptor::new(RustlsConfig::from_config(config))
                .handshake_timeout(TLS_HANDSHAKE_TIMEOUT)
                .acceptor(seating);
            spawn(tuned(server.acceptor(acceptor), header_timeout).serve(service))
        }
    };
    Ok(Listening { address, handle, task })
}

impl Listening {
    /// Where it really listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no more connections, lets requests under way finish for `grace`, then cuts them off. WebSockets are their face's business.
    pub fn stop_accepting(&self, grace: Duration) {
        self.handle.graceful_shutdown(Some(grace));
    }

    /// Waits until the last connection is gone; after [`Self::stop_accepting`].
    pub async fn ended(&mut self) {
        _ = (&mut self.task).await;
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.handle.shutdown();
        self.task.abort();
    }
}

fn tuned<A>(
    mut server: axum_server::Server<SocketAddr, A>,
    header_timeout: Duration,
) -> axum_server::Server<SocketAddr, A> {
    let builder = server.http_builder();
    // Not `Server::http1_only`, which would also forbid upgrades. Without it the first bytes are awaited for ever, to tell HTTP/2.
    *builder = std::mem::replace(builder, Builder::new(TokioExecutor::new())).http1_only();
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(header_timeout)
        .max_buf_size(BUFFER_LIMIT)
        .max_headers(MAX_HEADERS);
    server
}

fn spawn(serving: impl Future<Output = io::Result<()>> + Send + 'static) -> JoinHandle<()> {
    tokio::spawn(async move {
        if let Err(error) = serving.await {
            tracing::error!(%error, "a listener ended");
        }
    })
}
