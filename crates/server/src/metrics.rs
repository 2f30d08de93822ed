//! The server's own counters (not the clients' telemetry), as OpenMetrics text. One field a figure; `Metrics::new` names them all.

pub mod rtcd;
pub mod verto;

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use axum::http::{Method, StatusCode};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric, text::encode},
    metrics::{
        MetricType,
        counter::{ConstCounter, Counter},
        family::Family,
        gauge::ConstGauge,
    },
    registry::Registry,
};
use sfu::Stats;

use self::verto::VertoFigures;
use crate::{
    app::Census,
    media::{MediaPool, ShardFigures},
};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: String,
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabel {
    kind: &'static str,
}

/// All counters. Cheap to count, and never locked by the media path.
pub struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    refusals: Family<KindLabel, Counter>,
    verto: VertoFigures,
    board: Board,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Returns all counters at zero.
    #[must_use]
    pub fn new() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("countersign"),
            requests: Family::default(),
            refusals: Family::default(),
            verto: VertoFigures::default(),
            board: Board::default(),
        };
        let registry = &mut metrics.registry;
        registry.register("http_requests", "Requests answered, by route", metrics.requests.clone());
        registry.register("refusals", "Requests and messages refused, by kind", metrics.refusals.clone());
        metrics.verto.register(registry);
        registry.register_collector(Box::new(metrics.board.clone()));
        metrics
    }

    /// Counts an answered request. `route` is the pattern, never the path, so that the number of series is bounded.
    pub fn request(&self, method: &Method, route: String, status: StatusCode) {
        const KNOWN: [Method; 6] =
            [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
        let method = if KNOWN.contains(method) { method.to_string() } else { "other".to_owned() };
        self.requests.get_or_create(&RequestLabels { method, route, status: status.as_u16() }).inc();
    }

    /// Counts a refusal, over HTTP or on a socket; `kind` is the code that the client saw.
    pub fn refused(&self, kind: &'static str) {
        self.refusals.get_or_create(&KindLabel { kind }).inc();
    }

    /// Returns the counters of the verto face.
    #[must_use]
    pub fn verto(&self) -> VertoFigures {
        self.verto.clone()
    }

    /// From here on the text tells of these; they are asked at each scrape, and wait for nobody.
    pub fn watch(&self, media: MediaPool, census: Census) {
        _ = self.board.0.set((media, census));
    }

    /// Returns everything as OpenMetrics text.
    pub fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// Figures that others keep.
#[derive(Clone, Default)]
struct Board(Arc<OnceLock<(MediaPool, Census)>>);

impl fmt::Debug for Board {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Board")
    }
}

type Figure = (&'static str, &'static str, fn(&Stats) -> u64);

const COUNTERS: [Figure; 8] = [
    ("media_datagrams_in", "Datagrams received", |stats| stats.datagrams_in),
    ("media_datagrams_out", "Datagrams sent", |stats| stats.datagrams_out),
    ("media_bytes_in", "UDP payload bytes received", |stats| stats.bytes_in),
    ("media_bytes_out", "UDP payload bytes sent", |stats| stats.bytes_out),
    ("media_stranger_datagrams", "Datagrams that were nobody's", |stats| stats.strangers),
    ("media_forwarded_packets", "RTP packets forwarded, once a viewer", |stats| stats.forwarded),
    ("media_keyframes_asked", "Key frames asked of publishers", |stats| stats.keyframes_asked),
    ("participant_panics", "Participants removed by a panic; a defect", |stats| stats.panics),
];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ShardLabel {
    shard: u32,
}

/// A figure of each media thread, so that an uneven load is seen.
type ShardFigure = (&'static str, &'static str, MetricType, fn(&ShardFigures) -> f64);

const SHARD_FIGURES: [ShardFigure; 14] = [
    ("media_shard_cpu_seconds", "Processor time", MetricType::Counter, |one| one.cpu.as_secs_f64()),
    ("media_shard_participants", "Media connections", MetricType::Gauge, |one| float(one.stats.participants)),
    ("media_shard_datagrams_in", "Datagrams received", MetricType::Counter, |one| {
        float(one.stats.datagrams_in)
    }),
    ("media_shard_datagrams_out", "Datagrams sent", MetricType::Counter, |one| {
        float(one.stats.datagrams_out)
    }),
    ("media_shard_handed_over", "Datagrams given to the shard whose they are", MetricType::Counter, |one| {
        float(one.stats.handed_over)
    }),
    ("media_shard_taken_over", "Datagrams that another shard had received", MetricType::Counter, |one| {
        float(one.stats.taken_over)
    }),
    (
        "media_shard_handover_dropped",
        "Datagrams and notes that were too many to be handed over",
        MetricType::Counter,
        |one| float(one.handover_dropped.saturating_add(one.stats.not_handed_over)),
    ),
    (
        "media_shard_data_lost",
        "Data-channel messages that the signalling side had no room for",
        MetricType::Counter,
        |one| float(one.data_lost),
    ),
    ("media_shard_learnt_paths", "Paths known to be another shard's", MetricType::Gauge, |one| {
        float(one.stats.learnt_paths)
    }),
    ("media_shard_gso_sends", "UDP sends of several datagrams in one", MetricType::Counter, |one| {
        float(one.joined_sends)
    }),
    ("media_shard_gso_segments", "Datagrams that left in them", MetricType::Counter, |one| {
        float(one.joined_datagrams)
    }),
    ("media_shard_tcp_connections", "Connections over TCP", MetricType::Gauge, |one| {
        float(one.tcp_connections)
    }),
    (
        "media_shard_tcp_dropped",
        "Packets that slow readers over TCP have not got",
        MetricType::Counter,
        |one| float(one.tcp_dropped),
    ),
    ("media_shard_send_lost", "Datagrams that the system did not take", MetricType::Counter, |one| {
        float(one.send_lost)
    }),
];

/// Counters of the metrics format are floating-point numbers anyway; they are exact up to 2^53.
#[expect(clippy::cast_precision_loss, reason = "the text format has the same precision")]
fn float(count: u64) -> f64 {
    count as f64
}

fn encode_shards(encoder: &mut DescriptorEncoder, shards: &[ShardFigures]) -> Result<(), fmt::Error> {
    for (name, help, kind, figure) in SHARD_FIGURES {
        let mut family = encoder.encode_descriptor(name, help, None, kind)?;
        for (shard, figures) in (0..).zip(shards) {
            let label = ShardLabel { shard };
            let each = family.encode_family(&label)?;
            match kind {
                MetricType::Counter => ConstCounter::new(figure(figures)).encode(each)?,
                _ => ConstGauge::new(figure(figures)).encode(each)?,
            }
        }
    }
    Ok(())
}

impl Collector for Board {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let (shards, present) =
            self.0.get().map(|(media, census)| (media.figures(), census.take())).unwrap_or_default();
        let stats: Stats = shards.iter().map(|figures| figures.stats).sum();
        encode_shards(&mut encoder, &shards)?;
        for (name, help, figure) in COUNTERS {
            let counter = ConstCounter::new(figure(&stats));
            counter.encode(encoder.encode_descriptor(name, help, None, MetricType::Counter)?)?;
        }
        let gauge = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        let gauges = [
            ("media_participants", "Media connections", stats.participants),
            ("media_rooms", "Rooms with media", stats.rooms),
            ("sessions", "Sessions attached or lingering", gauge(present.sessions)),
            ("rooms", "Rooms with sessions", gauge(present.rooms)),
            ("connections", "Open WebSockets", gauge(present.connections)),
            ("verto_clients", "Clients in verto channels", gauge(present.verto_clients)),
            ("verto_sockets", "Open WebSockets of the verto face", gauge(present.verto_sockets)),
        ];
        for (name, help, value) in gauges {
            ConstGauge::new(value).encode(encoder.encode_descriptor(
                name,
                help,
                None,
                MetricType::Gauge,
            )?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_told_by_route_and_kind() {
        let metrics = Metrics::new();
        metrics.request(&Method::GET, "/r/{room_id}".to_owned(), StatusCode::OK);
        metrics.request(&Method::from_bytes(b"BREW").unwrap(), "none".to_owned(), StatusCode::NOT_FOUND);
        metrics.refused("denied");
        metrics.verto().refused(-32_001);
        metrics.verto().punt("revoked");
        let text = metrics.text().unwrap();
        for line in [
            "countersign_http_requests_total{method=\"GET\",route=\"/r/{room_id}\",status=\"200\"} 1",
            "countersign_http_requests_total{method=\"other\",route=\"none\",status=\"404\"} 1",
            "countersign_refusals_total{kind=\"denied\"} 1",
            "countersign_sessions 0",
            "countersign_participant_panics_total 0",
            "countersign_media_participants 0",
            "countersign_verto_clients 0",
            "countersign_verto_refusals_total{code=\"-32001\"} 1",
            "countersign_verto_punts_total{reason=\"revoked\"} 1",
        ] {
            assert!(text.lines().any(|present| present == line), "{line} is not in\n{text}");
        }
    }
}
