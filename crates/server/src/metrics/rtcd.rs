//! Figures under rtcd's names (rtcd service/perf/metrics.go), so that its dashboards and alerts go on. Text format 0.0.4, whose counters and
//! gauges are named as they are here; that of `Metrics` would name them differently.

use std::{
    collections::BTreeMap,
    fmt::Write,
    fs,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use identity::RealmId;

/// Series of one family. Beyond them what is counted goes to one series whose labels are `other`.
const MOST_SERIES: usize = 4_096;

const LATENCY: &[f64] =
    &[0.001, 0.005, 0.0075, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.3, 0.4, 0.5, 0.75, 1.0];
const LOSS: &[f64] = &[0.001, 0.005, 0.0075, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0];
const DEFAULT: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Which way something goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// To us.
    In,
    /// From us.
    Out,
}

impl Way {
    const fn text(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Out => "out",
        }
    }
}

/// What a family counts, and what its histogram's buckets are.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Counter,
    Gauge,
    Histogram(&'static [f64]),
}

#[derive(Debug)]
struct Family {
    name: &'static str,
    help: &'static str,
    /// In alphabetical order.
    labels: &'static [&'static str],
    kind: Kind,
    series: Mutex<BTreeMap<Vec<String>, Value>>,
}

#[derive(Debug, Clone, PartialEq)]
enum Value {
    Number(i64),
    Histogram { buckets: Vec<u64>, sum: f64, count: u64 },
}

/// The figures; clones are one.
#[derive(Debug, Clone)]
pub struct RtcdFigures(Arc<Families>);

/// Declares the families: the name of a field is that of the figure without `rtcd_`.
macro_rules! families {
    ($( $field:ident: $help:literal, $labels:expr, $kind:expr; )*) => {
        #[derive(Debug)]
        struct Families {
            $( $field: Family, )*
        }

        impl Families {
            fn new() -> Self {
                Self {
                    $( $field: Family {
                        name: concat!("rtcd_", stringify!($field)),
                        help: $help,
                        labels: &$labels,
                        kind: $kind,
                        series: Mutex::default(),
                    }, )*
                }
            }

            fn each(&self) -> impl Iterator<Item = &Family> {
                [$( &self.$field ),*].into_iter()
            }
        }
    };
}

families! {
    rtc_client_jitter: "Client latency jitter", ["groupID"], Kind::Histogram(LATENCY);
    rtc_client_loss_rate: "Client loss rate", ["groupID"], Kind::Histogram(LOSS);
    rtc_client_rtt: "Client round trip time", ["groupID"], Kind::Histogram(LATENCY);
    rtc_conn_states_total: "Total number of RTC connection state changes", ["type"], Kind::Counter;
    rtc_connection_time: "Time taken to establish the connection", ["groupID"], Kind::Histogram(DEFAULT);
    rtc_dc_open_time: "Time taken to open the data channel", ["groupID"], Kind::Histogram(DEFAULT);
    rtc_errors_total: "Total number of RTC related errors", ["groupID", "type"], Kind::Counter;
    rtc_rtp_tracks_total: "Total number of active RTP tracks", ["direction", "groupID", "type"], Kind::Gauge;
    rtc_rtp_tracks_writes_time: "Time taken to write to RTP tracks", ["groupID", "type"], Kind::Histogram(LATENCY);
    rtc_sessions_total: "Total number of active RTC sessions", ["groupID"], Kind::Gauge;
    rtc_signaling_lock_grab_time: "Time taken to acquire the signaling lock", ["groupID"], Kind::Histogram(DEFAULT);
    rtc_signaling_lock_locked_time: "Time the signaling lock was held", ["groupID"], Kind::Histogram(DEFAULT);
    ws_connections_total: "Total number of active WebSocket sessions", ["clientID"], Kind::Gauge;
    ws_messages_total: "Total number of sent/received WebSocket messages", ["clientID", "direction", "type"], Kind::Counter;
}

impl Default for RtcdFigures {
    fn default() -> Self {
        Self::new()
    }
}

/// `rtcd_rtc_rtp_tracks_writes_time` has no series: packets are not written one by one to tracks here, but leave in batches. What stands in
/// its place are the figures of the media threads (`docs/faces/rtcd.md`, The machine).
///
/// Labels other than a realm are fixed texts, never what a client wrote: the number of series is bounded.
impl RtcdFigures {
    /// Returns all figures, nothing counted yet.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Families::new()))
    }

    /// So many tracks more, or fewer. `media` is the MIME type: `audio/opus`, `video/VP8`, `video/AV1`, `unknown`.
    pub fn tracks(&self, realm: &RealmId, way: Way, media: &'static str, more: i64) {
        self.0.rtc_rtp_tracks_total.add(&[way.text(), realm.as_str(), media], more);
    }

    /// So many sessions more, or fewer.
    pub fn sessions(&self, realm: &RealmId, more: i64) {
        self.0.rtc_sessions_total.add(&[realm.as_str()], more);
    }

    /// A media connection is `connected`, `disconnected`, `failed` or `closed`.
    pub fn connection_state(&self, state: &'static str) {
        self.0.rtc_conn_states_total.add(&[state], 1);
    }

    /// Something went wrong: `signaling`, `ice`, `rtp`, `track` or `signaling_lock_timeout`.
    pub fn error(&self, realm: &RealmId, kind: &'static str) {
        self.0.rtc_errors_total.add(&[realm.as_str(), kind], 1);
    }

    /// From the join until the media connection was there.
    pub fn connection_time(&self, realm: &RealmId, took: Duration) {
        self.0.rtc_connection_time.observe(&[realm.as_str()], took.as_secs_f64());
    }

    /// From the first answer until the data channel was open.
    pub fn channel_open_time(&self, realm: &RealmId, took: Duration) {
        self.0.rtc_dc_open_time.observe(&[realm.as_str()], took.as_secs_f64());
    }

    /// How long we waited for the signaling lock.
    pub fn lock_grab_time(&self, realm: &RealmId, took: Duration) {
        self.0.rtc_signaling_lock_grab_time.observe(&[realm.as_str()], took.as_secs_f64());
    }

    /// How long the signaling lock was held, by us or by a client.
    pub fn lock_held_time(&self, realm: &RealmId, took: Duration) {
        self.0.rtc_signaling_lock_locked_time.observe(&[realm.as_str()], took.as_secs_f64());
    }

    /// The loss that a client measured, 0 to 1; what is no such number is not counted.
    pub fn client_loss_rate(&self, realm: &RealmId, loss: f64) {
        self.0.rtc_client_loss_rate.observe(&[realm.as_str()], loss);
    }

    /// The round-trip time that a client measured, in seconds.
    pub fn client_round_trip(&self, realm: &RealmId, seconds: f64) {
        self.0.rtc_client_rtt.observe(&[realm.as_str()], seconds);
    }

    /// The jitter that a client measured, in seconds.
    pub fn client_jitter(&self, realm: &RealmId, seconds: f64) {
        self.0.rtc_client_jitter.observe(&[realm.as_str()], seconds);
    }

    /// So many WebSockets more, or fewer; the admin's realm is the empty text.
    pub fn sockets(&self, realm: Option<&RealmId>, more: i64) {
        self.0.ws_connections_total.add(&[realm.map_or("", RealmId::as_str)], more);
    }

    /// A message of a WebSocket; what is none of the known types is `unknown`.
    pub fn socket_message(&self, realm: Option<&RealmId>, way: Way, kind: &'static str) {
        self.0.ws_messages_total.add(&[realm.map_or("", RealmId::as_str), way.text(), kind], 1);
    }

    /// Returns everything, and what the system says of this process.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a String does not fail.
        let _ = process(&mut text);
        for family in self.0.each() {
            let _ = family.write(&mut text);
        }
        text
    }
}

impl Family {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Vec<String>, Value>> {
        self.series.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the value of one series.
    fn change(&self, labels: &[&str], change: impl FnOnce(&mut Value)) {
        let mut series = self.lock();
        let mut labels: Vec<String> = labels.iter().map(|label| (*label).to_owned()).collect();
        if series.len() >= MOST_SERIES && !series.contains_key(&labels) {
            labels = vec!["other".to_owned(); labels.len()];
        }
        change(series.entry(labels).or_insert_with(|| match self.kind {
            Kind::Counter | Kind::Gauge => Value::Number(0),
            Kind::Histogram(bounds) => {
                Value::Histogram { buckets: vec![0; bounds.len()], sum: 0.0, count: 0 }
            }
        }));
    }

    fn add(&self, labels: &[&str], more: i64) {
        self.change(labels, |value| {
            if let Value::Number(number) = value {
                *number = number.saturating_add(more);
            }
        });
    }

    fn observe(&self, labels: &[&str], observed: f64) {
        let (Kind::Histogram(bounds), true) = (self.kind, observed.is_finite() && observed >= 0.0) else {
            return;
        };
        self.change(labels, |value| {
            if let Value::Histogram { buckets, sum, count } = value {
                for (bucket, _) in buckets.iter_mut().zip(bounds).filter(|(_, bound)| observed <= **bound) {
                    *bucket = bucket.saturating_add(1);
                }
                *sum += observed;
                *count = count.saturating_add(1);
            }
        });
    }

    fn write(&self, text: &mut String) -> std::fmt::Result {
        let (name, bounds, kind): (_, &[f64], _) = match self.kind {
            Kind::Counter => (self.name, &[], "counter"),
            Kind::Gauge => (self.name, &[], "gauge"),
            Kind::Histogram(bounds) => (self.name, bounds, "histogram"),
        };
        head(text, name, self.help, kind)?;
        for (values, value) in self.lock().iter() {
            let labels = labels(self.labels, values);
            match value {
                Value::Number(number) => writeln!(text, "{name}{{{labels}}} {number}")?,
                Value::Histogram { buckets, sum, count } => {
                    for (bound, bucket) in bounds.iter().zip(buckets) {
                        writeln!(text, "{name}_bucket{{{labels},le=\"{bound}\"}} {bucket}")?;
                    }
                    writeln!(text, "{name}_bucket{{{labels},le=\"+Inf\"}} {count}")?;
                    writeln!(text, "{name}_sum{{{labels}}} {sum}\n{name}_count{{{labels}}} {count}")?;
                }
            }
        }
        Ok(())
    }
}

fn head(text: &mut String, name: &str, help: &str, kind: &str) -> std::fmt::Result {
    writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}")
}

fn labels(names: &[&str], values: &[String]) -> String {
    let escaped = |value: &str| value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let labels = names.iter().zip(values).map(|(name, value)| format!("{name}=\"{}\"", escaped(value)));
    labels.collect::<Vec<_>>().join(",")
}

/// What Linux says of this process; where there is no /proc, nothing.
fn process(text: &mut String) -> std::fmt::Result {
    for (name, help, kind, value) in process_figures() {
        if let Some(value) = value {
            let name = format!("rtcd_process_{name}");
            head(text, &name, help, kind)?;
            writeln!(text, "{name} {value}")?;
        }
    }
    Ok(())
}

type ProcessFigure = (&'static str, &'static str, &'static str, Option<f64>);

fn process_figures() -> [ProcessFigure; 7] {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name of the process stands in brackets, and may hold spaces: the third field (proc_pid_stat(5)) comes after the last bracket.
    let fields: Vec<f64> = stat
        .rsplit_once(')')
        .map(|(_, rest)| rest.split_whitespace().map(|field| field.parse().unwrap_or(0.0)).collect())
        .unwrap_or_default();
    let field = |number: usize| fields.get(number.checked_sub(3)?).copied();
    let ticks = float(rustix::param::clock_ticks_per_second());
    let seconds = |ticked: f64| ticked / ticks;
    let cpu = field(14).zip(field(15)).map(|(user, system)| seconds(user + system));
    let resident = field(24).map(|pages| pages * float(rustix::param::page_size() as u64));
    let open = fs::read_dir("/proc/self/fd").ok().map(|entries| float(entries.count() as u64));
    // Without a limit: as Go shows it.
    let limit = |resource| rustix::process::getrlimit(resource).current.map_or(u64::MAX as f64, float);
    [
        ("cpu_seconds_total", "Total user and system CPU time spent in seconds.", "counter", cpu),
        (
            "max_fds",
            "Maximum number of open file descriptors.",
            "gauge",
            Some(limit(rustix::process::Resource::Nofile)),
        ),
        ("open_fds", "Number of open file descriptors.", "gauge", open),
        ("resident_memory_bytes", "Resident memory size in bytes.", "gauge", resident),
        (
            "start_time_seconds",
            "Start time of the process since unix epoch in seconds.",
            "gauge",
            booted_at().zip(field(22)).map(|(booted, after)| booted + seconds(after)),
        ),
        ("virtual_memory_bytes", "Virtual memory size in bytes.", "gauge", field(23)),
        (
            "virtual_memory_max_bytes",
            "Maximum amount of virtual memory available in bytes.",
            "gauge",
            Some(limit(rustix::process::Resource::As)),
        ),
    ]
}

/// When the system started, in seconds since the Unix epoch (proc_stat(5), `btime`).
fn booted_at() -> Option<f64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    stat.lines().find_map(|line| line.strip_prefix("btime ")).and_then(|seconds| seconds.trim().parse().ok())
}

#[expect(clippy::cast_precision_loss, reason = "the text format has the same precision")]
fn float(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value as Json;

    use super::*;

    fn captured() -> Json {
        let file = include_str!("../../../wire/tests/vectors/rtcd/metrics.json");
        serde_json::from_str(file).unwrap()
    }

    #[test]
    fn names_helps_and_types_are_the_captured_ones() {
        let text = RtcdFigures::new().text();
        let heads = |lines: Vec<&str>| -> BTreeSet<String> {
            lines.into_iter().filter(|line| line.starts_with("# ")).map(str::to_owned).collect()
        };
        let captured = captured();
        let lines = captured["rtcd_lines"].as_str().map_or_else(
            || captured["rtcd_lines"].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect(),
            |lines| lines.lines().collect::<Vec<_>>(),
        );
        assert_eq!(heads(text.lines().collect()), heads(lines));
        // A process that has just begun has used less time than the system counts.
        let least = [
            ("cpu_seconds_total", 0.0),
            ("open_fds", 1.0),
            ("resident_memory_bytes", 1.0),
            ("start_time_seconds", 1.0),
        ];
        for (name, least) in least {
            let line = format!("rtcd_process_{name} ");
            let value = text.lines().find_map(|found| found.strip_prefix(&line)).unwrap();
            assert!(value.parse::<f64>().unwrap() >= least, "{name} {value}");
        }
    }

    #[test]
    fn series_look_as_the_captured_ones() {
        let (figures, a) = (RtcdFigures::new(), RealmId::new("clientA"));
        figures.client_jitter(&a, 0.003);
        figures.client_loss_rate(&a, 0.05);
        figures.client_round_trip(&a, 0.12);
        for _ in 0..3 {
            figures.error(&a, "signaling");
        }
        figures.sessions(&a, 3);
        figures.sessions(&a, -1);
        figures.tracks(&a, Way::Out, "audio/opus", 1);
        figures.sockets(None, 1);
        figures.sockets(None, -1);
        figures.socket_message(Some(&a), Way::In, "hello");
        let text = figures.text();
        let captured = captured();
        let captured: BTreeSet<&str> = match &captured["rtcd_lines"] {
            Json::String(lines) => lines.lines().collect(),
            lines => lines.as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect(),
        };
        let mine: Vec<&str> = text
            .lines()
            .filter(|line| line.starts_with("rtcd_rtc_") || line.starts_with("rtcd_ws_"))
            .collect();
        assert_eq!(mine.len(), 17 + 15 + 17 + 5);
        for line in mine {
            assert!(captured.contains(line), "{line}");
        }
    }

    #[test]
    fn series_are_bounded_and_nonsense_is_not_counted() {
        let figures = RtcdFigures::new();
        for number in 0..MOST_SERIES + 10 {
            figures.sessions(&RealmId::new(format!("client{number}")), 1);
        }
        let text = figures.text();
        assert!(text.contains("rtcd_rtc_sessions_total{groupID=\"other\"} 10"));
        assert_eq!(figures.0.rtc_sessions_total.lock().len(), MOST_SERIES + 1);
        let odd = RealmId::new("a\"b\\c\nd");
        for observed in [f64::NAN, f64::INFINITY, -1.0, 0.5] {
            figures.client_jitter(&odd, observed);
        }
        assert!(figures.text().contains("rtcd_rtc_client_jitter_count{groupID=\"a\\\"b\\\\c\\nd\"} 1\n"));
    }
}
