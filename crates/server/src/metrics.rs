//! The server's own counters (not the clients' telemetry), as OpenMetrics text. One field a figure; `Metrics::new` names them all.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use arc_swap::ArcSwap;
use axum::http::{Method, StatusCode};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric, text::encode},
    metrics::{
        MetricType,
        counter::{ConstCounter, Counter},
        family::Family,
        gauge::{ConstGauge, Gauge},
    },
    registry::Registry,
};
use sfu::ShardIndex;

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
    /// Sessions that are attached or linger.
    pub sessions: Gauge,
    /// Rooms with at least one participant.
    pub rooms: Gauge,
    /// Open WebSockets.
    pub connections: Gauge,
    media: MediaBoard,
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
            sessions: Gauge::default(),
            rooms: Gauge::default(),
            connections: Gauge::default(),
            media: MediaBoard::default(),
        };
        let registry = &mut metrics.registry;
        registry.register("http_requests", "Requests answered, by route", metrics.requests.clone());
        registry.register("refusals", "Requests and messages refused, by kind", metrics.refusals.clone());
        registry.register("sessions", "Sessions attached or lingering", metrics.sessions.clone());
        registry.register("rooms", "Rooms with participants", metrics.rooms.clone());
        registry.register("connections", "Open WebSockets", metrics.connections.clone());
        registry.register_collector(Box::new(metrics.media.clone()));
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

    /// Returns where the driver of one shard publishes its figures.
    #[must_use]
    pub fn media_shard(&self, shard: ShardIndex) -> ShardFigures {
        let figures = ShardFigures(Arc::new(ArcSwap::default()));
        self.media.0.lock().unwrap_or_else(PoisonError::into_inner).push((shard, figures.clone()));
        figures
    }

    /// Returns everything as OpenMetrics text.
    pub fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// What one shard has done since its start, and has at the moment. A whole value, published now and then (once a second is enough).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MediaFigures {
    /// Datagrams received.
    pub datagrams_in: u64,
    /// Datagrams sent.
    pub datagrams_out: u64,
    /// Bytes received, without IP and UDP headers.
    pub bytes_in: u64,
    /// Bytes sent, without IP and UDP headers.
    pub bytes_out: u64,
    /// Datagrams that belonged to nobody.
    pub datagrams_dropped: u64,
    /// RTP packets forwarded, counted once a subscriber.
    pub forwarded_packets: u64,
    /// Participants that were removed since a step of theirs panicked.
    pub participant_panics: u64,
    /// Rooms at the moment.
    pub rooms: u64,
    /// Participants at the moment.
    pub participants: u64,
}

/// Where one shard publishes its figures; publishing waits for nobody.
#[derive(Debug, Clone)]
pub struct ShardFigures(Arc<ArcSwap<MediaFigures>>);

impl ShardFigures {
    /// Replaces the figures.
    pub fn publish(&self, figures: MediaFigures) {
        self.0.store(Arc::new(figures));
    }
}

#[derive(Debug, Clone, Default)]
struct MediaBoard(Arc<Mutex<Vec<(ShardIndex, ShardFigures)>>>);

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ShardLabel {
    shard: u8,
}

type Figure = (&'static str, &'static str, MetricType, fn(&MediaFigures) -> u64);

const FIGURES: [Figure; 9] = [
    ("media_datagrams_in", "Datagrams received", MetricType::Counter, |f| f.datagrams_in),
    ("media_datagrams_out", "Datagrams sent", MetricType::Counter, |f| f.datagrams_out),
    ("media_bytes_in", "Bytes received", MetricType::Counter, |f| f.bytes_in),
    ("media_bytes_out", "Bytes sent", MetricType::Counter, |f| f.bytes_out),
    ("media_datagrams_dropped", "Datagrams of nobody", MetricType::Counter, |f| f.datagrams_dropped),
    ("media_forwarded_packets", "Packets forwarded", MetricType::Counter, |f| f.forwarded_packets),
    ("participant_panics", "Participants removed by a panic", MetricType::Counter, |f| f.participant_panics),
    ("media_rooms", "Rooms with media", MetricType::Gauge, |f| f.rooms),
    ("media_participants", "Participants with media", MetricType::Gauge, |f| f.participants),
];

impl Collector for MediaBoard {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let shards: Vec<_> = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for (name, help, kind, figure) in FIGURES {
            let mut family = encoder.encode_descriptor(name, help, None, kind)?;
            for (shard, figures) in &shards {
                let value = figure(&figures.0.load());
                let label = ShardLabel { shard: shard.0 };
                let metric = family.encode_family(&label)?;
                match kind {
                    MetricType::Counter => ConstCounter::new(value).encode(metric)?,
                    _ => ConstGauge::new(value).encode(metric)?,
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_told_by_route_kind_and_shard() {
        let metrics = Metrics::new();
        metrics.request(&Method::GET, "/r/{room_id}".to_owned(), StatusCode::OK);
        metrics.request(&Method::from_bytes(b"BREW").unwrap(), "none".to_owned(), StatusCode::NOT_FOUND);
        metrics.refused("denied");
        metrics.sessions.set(3);
        let shard = metrics.media_shard(ShardIndex(1));
        shard.publish(MediaFigures { participant_panics: 1, participants: 2, ..MediaFigures::default() });
        let text = metrics.text().unwrap();
        for line in [
            "countersign_http_requests_total{method=\"GET\",route=\"/r/{room_id}\",status=\"200\"} 1",
            "countersign_http_requests_total{method=\"other\",route=\"none\",status=\"404\"} 1",
            "countersign_refusals_total{kind=\"denied\"} 1",
            "countersign_sessions 3",
            "countersign_participant_panics_total{shard=\"1\"} 1",
            "countersign_media_participants{shard=\"1\"} 2",
        ] {
            assert!(text.lines().any(|present| present == line), "{line} is not in\n{text}");
        }
    }
}
