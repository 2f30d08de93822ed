//! What is said in verto channels, and what is refused there.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CodeLabel {
    code: i32,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabel {
    reason: &'static str,
}

/// The counters of the verto face; clones are one. Labels are codes and reasons of ours: the number of series is bounded.
#[derive(Debug, Clone, Default)]
pub struct VertoFigures {
    broadcasts: Counter,
    messages: Counter,
    punts: Family<ReasonLabel, Counter>,
    refusals: Family<CodeLabel, Counter>,
}

impl VertoFigures {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register("verto_broadcasts", "Broadcasts on event channels", self.broadcasts.clone());
        registry.register("verto_messages", "Messages that reached another client", self.messages.clone());
        registry.register("verto_punts", "Clients sent away, by reason", self.punts.clone());
        registry.register("verto_refusals", "Requests refused, by JSON-RPC code", self.refusals.clone());
    }

    /// Counts what was said to all who hear an event channel, however many they are.
    pub fn broadcast(&self) {
        self.broadcasts.inc();
    }

    /// Counts what was said to one client, which was there to hear it.
    pub fn message(&self) {
        self.messages.inc();
    }

    /// Counts a client that was sent away: `replaced`, `revoked` or `abusive`.
    pub fn punt(&self, reason: &'static str) {
        self.punts.get_or_create(&ReasonLabel { reason }).inc();
    }

    /// Counts a request that was refused with this code.
    pub fn refused(&self, code: i32) {
        self.refusals.get_or_create(&CodeLabel { code }).inc();
    }
}
