//! What the plugin asks before it trusts this host with calls: which version it is, and how busy (rtcd service/version.go, service/system.go).

use std::fs;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::time::MissedTickBehavior;

const PERIOD: Duration = Duration::from_secs(1);
/// The load that is told while nobody may join: the plugin takes the host with the least, and this one only if it has no other. More than
/// a machine can have: a second over the step of the counter is 100.
pub(super) const DRAINING: f64 = 1_000_000.0;
/// The step of the kernel's counters (proc_stat(5), USER_HZ).
const TICK: Duration = Duration::from_millis(10);

/// Returns the body of `/version`. The plugin compares `buildVersion` as a semantic version, whose build metadata say who we are.
pub(super) fn version() -> String {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    format!(
        "{{\"buildDate\":\"\",\"buildVersion\":\"v1.2.6+countersign.{}\",\"buildHash\":\"\",\"goVersion\":\"rust{}\",\"goOS\":\"{}\",\
         \"goArch\":\"{architecture}\"}}\n",
        env!("CARGO_PKG_VERSION"),
        env!("CARGO_PKG_RUST_VERSION"),
        std::env::consts::OS,
    )
}

/// The load of the machine on rtcd's scale, since the plugin compares hosts by it: seconds that went by over seconds that the processors
/// were idle, all of them together. `1/N` for N idle processors; large, and never infinite, when none was.
#[derive(Debug)]
pub(super) struct Load(Mutex<Sample>);

#[derive(Debug, Clone, Copy)]
struct Sample {
    at: Instant,
    idle: Option<Duration>,
    load: f64,
}

impl Load {
    /// Begins with the load since the machine was started.
    pub(super) fn new() -> Arc<Self> {
        let idle = idle();
        let load = uptime().zip(idle).map_or(0.0, |(uptime, idle)| ratio(uptime, idle));
        Arc::new(Self(Mutex::new(Sample { at: Instant::now(), idle, load })))
    }

    /// Measures every second, until nobody asks any more.
    pub(super) async fn measure(load: Weak<Self>) {
        let mut ticks = tokio::time::interval(PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The first tick comes at once.
        ticks.tick().await;
        loop {
            ticks.tick().await;
            let Some(load) = load.upgrade() else { return };
            load.take(Instant::now(), idle());
        }
    }

    /// Returns the body of `/system`.
    pub(super) fn body(&self) -> String {
        let load = self.0.lock().unwrap_or_else(PoisonError::into_inner).load;
        body(load)
    }

    fn take(&self, at: Instant, idle: Option<Duration>) {
        let mut sample = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = *sample;
        let load = before.idle.zip(idle).map(|(before, now)| now.saturating_sub(before));
        let load = load.map_or(before.load, |gained| ratio(at.saturating_duration_since(before.at), gained));
        *sample = Sample { at, idle, load };
    }
}

/// Returns the body of `/system` for a load.
pub(super) fn body(load: f64) -> String {
    format!("{{\"cpu_load\":{load}}}\n")
}

/// At least one step of the counter is taken for idle: nobody can tell less from nothing.
fn ratio(elapsed: Duration, idle: Duration) -> f64 {
    elapsed.as_secs_f64() / idle.max(TICK).as_secs_f64()
}

/// What all processors together were idle since the start of the machine, waiting for disks not included (proc_stat(5)).
fn idle() -> Option<Duration> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let ticks: u32 = stat.lines().next()?.strip_prefix("cpu ")?.split_whitespace().nth(3)?.parse().ok()?;
    Some(TICK.saturating_mul(ticks))
}

fn uptime() -> Option<Duration> {
    let uptime = fs::read_to_string("/proc/uptime").ok()?;
    Duration::try_from_secs_f64(uptime.split_whitespace().next()?.parse().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_load_is_finite_and_never_negative() {
        let begun = Instant::now();
        let second = Duration::from_secs(1);
        let rows = [
            ("four idle processors", Some(10 * second), Some(14 * second), 0.25),
            ("half of four busy", Some(10 * second), Some(12 * second), 0.5),
            ("all busy", Some(10 * second), Some(10 * second), 100.0),
            ("the counter stepped back", Some(10 * second), Some(9 * second), 100.0),
            ("no counter", None, None, 7.0),
            ("the first look at a counter", None, Some(second), 7.0),
        ];
        for (what, before, now, expected) in rows {
            let load = Load(Mutex::new(Sample { at: begun, idle: before, load: 7.0 }));
            load.take(begun + second, now);
            assert_eq!(load.body(), format!("{{\"cpu_load\":{expected}}}\n"), "{what}");
        }
    }

    #[test]
    fn there_is_a_load_from_the_beginning() {
        let body: serde_json::Value = serde_json::from_str(&Load::new().body()).unwrap();
        assert!(body["cpu_load"].as_f64().unwrap() > 0.0, "{body}");
    }

    #[test]
    fn the_version_is_one_that_the_plugin_takes() {
        let version: serde_json::Value = serde_json::from_str(&version()).unwrap();
        let build = version["buildVersion"].as_str().unwrap();
        assert!(build.starts_with("v1.2.6+countersign."), "{build}");
        let fields = ["buildDate", "buildVersion", "buildHash", "goVersion", "goOS", "goArch"];
        assert!(
            version.as_object().unwrap().len() == 6 && fields.iter().all(|field| version[field].is_string())
        );
    }
}
