//! How long a login takes while somebody else is flooded with wrong keys, over real HTTP.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use reqwest::{Client, StatusCode};
use serde_json::json;
use testkit::server::{TestServer, http_client, http_client_from};
use tokio::runtime::Builder;
use tokio::task::JoinSet;

use crate::table::Table;

/// Wrong keys that come against one id, and how many connections they come by.
const FLOOD: usize = 1_000;
const AT_ONCE: usize = 32;
/// Logins that are measured without a flood; with it, as many as fit into it.
const CALM: usize = 200;

const KEY: &str = "Ey4-H_BJA00_TVByPi8DozE12ekN3S7L";
const WRONG: &str = "ey4-h_bja00_tvbypi8doze12ekn3s7l";

pub(crate) fn measure(table: &mut Table) {
    let runtime = Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let server = TestServer::start_with(&[
            ("faces.rtcd.enabled", "true"),
            ("faces.rtcd.listen", "127.0.0.1:0"),
            ("faces.rtcd.allow_self_registration", "true"),
        ])
        .await;
        let client = http_client();
        for id in ["flooded", "other"] {
            let status = post(&client, server.rtcd(), "/register", id, KEY).await;
            assert_eq!(status, StatusCode::CREATED);
        }
        let mut calm = Vec::new();
        for _ in 0..CALM {
            calm.push(log_in(&client, server.rtcd()).await);
        }
        // Nobody's key is known any more: the first login amid the flood has to be hashed.
        let server = server.restart().await;
        let address = server.rtcd();
        let elsewhere = http_client_from([127, 0, 0, 2].into());
        let begun = Instant::now();
        let flood = tokio::spawn(flood(elsewhere, address));
        let (mut first, mut flooded) = (None, Vec::new());
        while !flood.is_finished() {
            let took = log_in(&client, address).await;
            if first.is_none() {
                first = Some(took);
            } else {
                flooded.push(took);
            }
        }
        let refused = flood.await.unwrap();
        assert_eq!(refused, FLOOD);
        table.note("login: p50 alone", milliseconds(percentile(&mut calm, 50)), "ms");
        table.note("login: p99 alone", milliseconds(percentile(&mut calm, 99)), "ms");
        let name = format!("login: while {FLOOD} wrong keys come against another id");
        table.note(format!("{name}, p50"), milliseconds(percentile(&mut flooded, 50)), "ms");
        table.note(format!("{name}, p99"), milliseconds(percentile(&mut flooded, 99)), "ms");
        table.note(format!("{name}, first"), milliseconds(first.unwrap_or_default()), "ms");
        table.note("login: measured amid the flood", flooded.len() as f64, "logins");
        table.note("login: the flood took", begun.elapsed().as_secs_f64(), "s");
    });
}

/// Sends wrong keys, some at a time; returns how many were refused.
async fn flood(client: Client, address: SocketAddr) -> usize {
    let sent = Arc::new(AtomicUsize::new(0));
    let mut senders = JoinSet::new();
    for _ in 0..AT_ONCE {
        let (client, sent) = (client.clone(), Arc::clone(&sent));
        senders.spawn(async move {
            let mut refused = 0;
            while sent.fetch_add(1, Ordering::Relaxed) < FLOOD {
                let status = post(&client, address, "/login", "flooded", WRONG).await;
                refused += usize::from([400, 429].contains(&status.as_u16()));
            }
            refused
        });
    }
    senders.join_all().await.into_iter().sum()
}

async fn log_in(client: &Client, address: SocketAddr) -> Duration {
    let begun = Instant::now();
    assert_eq!(post(client, address, "/login", "other", KEY).await, StatusCode::OK);
    begun.elapsed()
}

async fn post(client: &Client, address: SocketAddr, path: &str, id: &str, key: &str) -> StatusCode {
    let body = json!({"clientID": id, "authKey": key}).to_string();
    let answer = client.post(format!("http://{address}{path}")).body(body).send().await.unwrap();
    let status = answer.status();
    // Read to its end, so that the connection is used again.
    answer.bytes().await.unwrap();
    status
}

pub(crate) fn percentile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort_unstable();
    let place = (times.len() * percent / 100).min(times.len().saturating_sub(1));
    times.get(place).copied().unwrap_or_default()
}

pub(crate) fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
