//! The server's own counters (not the clients' telemetry), as OpenMetrics text. One field a figure; `Metrics::new` names them all.

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
        gauge::{ConstGauge, Gauge},
    },
    registry::Registry,
};
use sfu::Stats;

use crate::media::MediaPool;

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

    /// From here on the text contains the figures of these shards.
    pub fn watch_media(&self, pool: MediaPool) {
        _ = self.media.0.set(pool);
    }

    /// Returns everything as OpenMetrics text.
    pub fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// Asks the media threads' published counters at each scrape; they wait for nobody.
#[derive(Clone, Default)]
struct MediaBoard(Arc<OnceLock<MediaPool>>);

impl fmt::Debug for MediaBoard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MediaBoard")
    }
}

type Figure = (&'static str, &'static str, MetricType, fn(&Stats) -> u64);

const COUNTER: MetricType = MetricType::Counter;
const GAUGE: MetricType = MetricType::Gauge;

const FIGURES: [Figure; 10] = [
    ("media_datagrams_in", "Datagrams received", COUNTER, |stats| stats.datagrams_in),
    ("media_datagrams_out", "Datagrams sent", COUNTER, |stats| stats.datagrams_out),
    ("media_bytes_in", "UDP payload bytes received", COUNTER, |stats| stats.bytes_in),
    ("media_bytes_out", "UDP payload bytes sent", COUNTER, |stats| stats.bytes_out),
    ("media_stranger_datagrams", "Datagrams that were nobody's", COUNTER, |stats| stats.strangers),
    ("media_forwarded_packets", "RTP packets forwarded, once a viewer", COUNTER, |stats| stats.forwarded),
    ("media_keyframes_asked", "Key frames asked of publishers", COUNTER, |stats| stats.keyframes_asked),
    ("participant_panics", "Participants removed by a panic; a defect", COUNTER, |stats| stats.panics),
    ("media_participants", "Media connections", GAUGE, |stats| stats.participants),
    ("media_rooms", "Rooms with media", GAUGE, |stats| stats.rooms),
];

impl Collector for MediaBoard {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let stats = self.0.get().map(MediaPool::stats).unwrap_or_default();
        for (name, help, kind, figure) in FIGURES {
            let metric = encoder.encode_descriptor(name, help, None, kind)?;
            match kind {
                MetricType::Counter => ConstCounter::new(figure(&stats)).encode(metric)?,
                _ => ConstGauge::new(figure(&stats)).encode(metric)?,
            }
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
        metrics.sessions.set(3);
        let text = metrics.text().unwrap();
        for line in [
            "countersign_http_requests_total{method=\"GET\",route=\"/r/{room_id}\",status=\"200\"} 1",
            "countersign_http_requests_total{method=\"other\",route=\"none\",status=\"404\"} 1",
            "countersign_refusals_total{kind=\"denied\"} 1",
            "countersign_sessions 3",
            "countersign_participant_panics_total 0",
            "countersign_media_participants 0",
        ] {
            assert!(text.lines().any(|present| present == line), "{line} is not in\n{text}");
        }
    }
}
