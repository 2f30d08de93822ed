//! Who did what: the handle that every service gets, and the task that writes.
//!
//! An act that changes the store is written by the store in the same transaction, from an entry that [`entry`] makes. What changes
//! nothing comes here: an authentication that succeeded is written before its caller goes on, together with whatever else waits; one
//! that failed is counted with those alike and written within a second, so that a flood costs one line and one flush a second.
//!
//! The same task forgets what is older than the configuration says, between two writes: a few lines at a time, so that nobody waits.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::Duration;

use backend::{AuditEntry, Expiry, Outcome, Store};
use identity::UnixMillis;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::MissedTickBehavior;

use crate::ambient::now;
use crate::http::peer::Peer;
use crate::services::Refusal;

/// Entries that wait for the task. A success waits for room; a failure that finds none is told to the log only. The limits of the
/// faces let far fewer through than this in the time of one write.
const QUEUE: usize = 8_192;
/// Kinds of failures that are counted apart within one second; the rest go into one line.
const KINDS: usize = 512;
const FLUSH: Duration = Duration::from_secs(1);
/// How often it is looked for lines that are too old.
const FORGET: Duration = Duration::from_secs(24 * 60 * 60);
/// Lines that are deleted in one change, which takes a few milliseconds.
const FORGOTTEN_AT_ONCE: u32 = 500;

/// The action of the line that has the key of all records of calls until the next such line: the newest is never forgotten.
pub(crate) const RELAY_KEY: &str = "relay.key";

/// What happened, who did it and from where.
#[derive(Debug, Clone, Copy)]
pub struct Act<'a> {
    /// Who, as far as believed; empty for a stranger.
    pub actor: &'a str,
    /// What, as `subject.verb`.
    pub action: &'static str,
    /// To what; empty if unknown. Never a text that a stranger wrote.
    pub subject: &'a str,
    /// From where; `None` for the server itself.
    pub from: Option<Peer>,
    /// Anything else; never a text that a stranger wrote.
    pub detail: &'a str,
}

impl<'a> Act<'a> {
    /// Returns an act of which there is no more to say.
    #[must_use]
    pub fn by(actor: &'a str, action: &'static str, subject: &'a str, from: Peer) -> Self {
        Self { actor, action, subject, from: Some(from), detail: "" }
    }
}

/// Makes the line of an act that succeeds.
#[must_use]
pub fn entry(act: Act<'_>) -> AuditEntry {
    line(act, Outcome::Accepted)
}

fn line(act: Act<'_>, outcome: Outcome) -> AuditEntry {
    AuditEntry {
        at: now(),
        actor: act.actor.to_owned(),
        action: act.action.to_owned(),
        subject: act.subject.to_owned(),
        outcome,
        address: act.from.map(|peer| peer.to_string()).unwrap_or_default(),
        count: 1,
        detail: act.detail.to_owned(),
    }
}

/// The way to the audit task.
#[derive(Debug, Clone)]
pub struct Audit {
    lines: mpsc::Sender<Line>,
}

#[derive(Debug)]
enum Line {
    Awaited(AuditEntry, oneshot::Sender<Result<(), Refusal>>),
    Counted(AuditEntry),
}

impl Audit {
    /// Makes the handle, and the task to be run.
    #[must_use]
    pub fn new(store: Store) -> (Self, AuditTask) {
        let (lines, waiting) = mpsc::channel(QUEUE);
        (Self { lines }, AuditTask { store, waiting, counted: BTreeMap::new(), keep: None })
    }

    /// Writes an act that succeeded; returns once it is kept.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`]: it is not kept, and so must not have happened.
    pub async fn accepted(&self, act: Act<'_>) -> Result<(), Refusal> {
        let (kept, answer) = oneshot::channel();
        let awaited = Line::Awaited(entry(act), kept);
        self.lines.send(awaited).await.map_err(|_| Refusal::Unavailable)?;
        answer.await.map_err(|_| Refusal::Unavailable)?
    }

    /// Counts an act that was to be written by the store and was refused.
    pub fn refused(&self, act: &AuditEntry) {
        self.count(AuditEntry { outcome: Outcome::Refused, ..act.clone() });
    }

    /// Counts an act that was refused, or one too frequent for a line of its own; it is written within a second.
    pub fn counted(&self, act: Act<'_>, outcome: Outcome) {
        self.count(line(act, outcome));
    }

    fn count(&self, line: AuditEntry) {
        if let Err(lost) = self.lines.try_send(Line::Counted(line)) {
            let (TrySendError::Full(line) | TrySendError::Closed(line)) = lost;
            let (Line::Awaited(AuditEntry { action, .. }, _) | Line::Counted(AuditEntry { action, .. })) =
                line;
            tracing::warn!(action, "an audit line was lost: too many wait");
        }
    }
}

/// Writes what the handles are given. Ends when the last of them is gone, with everything written.
#[derive(Debug)]
pub struct AuditTask {
    store: Store,
    waiting: mpsc::Receiver<Line>,
    counted: BTreeMap<Kind, AuditEntry>,
    keep: Option<Duration>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Kind {
    actor: String,
    action: String,
    subject: String,
    address: String,
    detail: String,
    outcome: Outcome,
}

impl Kind {
    fn of(entry: &AuditEntry) -> Self {
        Self {
            actor: entry.actor.clone(),
            action: entry.action.clone(),
            subject: entry.subject.clone(),
            address: entry.address.clone(),
            detail: entry.detail.clone(),
            outcome: entry.outcome,
        }
    }
}

impl AuditTask {
    /// Sets how long lines are kept; `None`: for ever.
    #[must_use]
    pub fn keep(self, keep: Option<Duration>) -> Self {
        Self { keep, ..self }
    }

    /// Runs until nobody can reach it any more.
    pub async fn run(mut self) {
        let mut tick = tokio::time::interval(FLUSH);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut days = tokio::time::interval(FORGET);
        days.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut is_forgetting = false;
        let mut batch = Vec::new();
        loop {
            tokio::select! {
                count = self.waiting.recv_many(&mut batch, QUEUE) => {
                    if count == 0 {
                        self.flush().await;
                        return;
                    }
                    self.take(std::mem::take(&mut batch)).await;
                }
                _ = tick.tick() => self.flush().await,
                _ = days.tick() => is_forgetting = self.expire(now()).await,
                () = std::future::ready(()), if is_forgetting => is_forgetting = self.forget().await,
            }
        }
    }

    /// Marks what is too old; returns whether there may be something to forget, also of what an earlier process has marked.
    async fn expire(&self, at: UnixMillis) -> bool {
        let Some(keep) = self.keep else { return false };
        let keep = u64::try_from(keep.as_millis()).unwrap_or(u64::MAX);
        let expiry = Expiry { before: UnixMillis(at.0.saturating_sub(keep)), but: RELAY_KEY };
        let line = |count: u64| {
            let act = Act { actor: "", action: "audit.forget", subject: "", from: None, detail: "" };
            AuditEntry { at, count: u32::try_from(count).unwrap_or(u32::MAX), ..entry(act) }
        };
        match self.store.expire_audit(expiry, line).await {
            Ok(0) => true,
            Ok(lines) => {
                tracing::info!(lines, "lines of the audit record are too old, and will be forgotten");
                true
            }
            Err(error) => {
                tracing::error!(%error, "lines of the audit record that are too old were not found");
                false
            }
        }
    }

    /// Forgets some of what is marked; returns whether there is more. What fails is tried again the next day.
    async fn forget(&self) -> bool {
        match self.store.delete_expired_audit(FORGOTTEN_AT_ONCE).await {
            Ok(lines) => lines >= u64::from(FORGOTTEN_AT_ONCE),
            Err(error) => {
                tracing::error!(%error, "lines of the audit record that are too old were not forgotten");
                false
            }
        }
    }

    async fn take(&mut self, batch: Vec<Line>) {
        let (mut entries, mut askers) = (Vec::new(), Vec::new());
        for line in batch {
            match line {
                Line::Awaited(entry, asker) => {
                    entries.push(entry);
                    askers.push(asker);
                }
                Line::Counted(entry) => self.count(entry),
            }
        }
        if entries.is_empty() {
            return;
        }
        let kept = self.write(&entries).await;
        for asker in askers {
            let _ = asker.send(kept.clone());
        }
    }

    fn count(&mut self, mut entry: AuditEntry) {
        if self.counted.len() >= KINDS && !self.counted.contains_key(&Kind::of(&entry)) {
            for text in [&mut entry.actor, &mut entry.subject, &mut entry.address, &mut entry.detail] {
                text.clear();
            }
            "many others".clone_into(&mut entry.detail);
        }
        match self.counted.entry(Kind::of(&entry)) {
            Entry::Occupied(mut alike) => {
                let alike = alike.get_mut();
                alike.count = alike.count.saturating_add(entry.count);
            }
            Entry::Vacant(place) => _ = place.insert(entry),
        }
    }

    async fn flush(&mut self) {
        if self.counted.is_empty() {
            return;
        }
        let mut entries: Vec<_> = self.counted.values().cloned().collect();
        entries.sort_by_key(|entry| entry.at);
        // Kept and counted on when the store is out of order, in the same bounded number of kinds.
        if self.write(&entries).await.is_ok() {
            self.counted.clear();
        }
    }

    async fn write(&self, entries: &[AuditEntry]) -> Result<(), Refusal> {
        self.store.append_audit(entries).await.map_err(Refusal::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_flood_of_failures_is_one_line_and_a_success_is_kept_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store.db")).await.unwrap();
        let (audit, task) = Audit::new(store.clone());
        let task = tokio::spawn(task.run());
        let act =
            |actor, detail| Act { actor, action: "session.authenticate", subject: "", from: None, detail };
        for _ in 0..1_000 {
            audit.counted(act("", "bad proof"), Outcome::Refused);
        }
        audit.counted(act("", "unknown"), Outcome::Refused);
        audit.accepted(act("ana", "")).await.unwrap();
        let page = store.audit_page(None, 10).await.unwrap();
        assert_eq!(page.iter().filter(|record| record.entry.actor == "ana").count(), 1);
        drop(audit);
        task.await.unwrap();
        let mut lines: Vec<_> = store.audit_page(None, 10).await.unwrap();
        lines.retain(|record| record.entry.outcome == Outcome::Refused);
        let total: u32 = lines.iter().map(|record| record.entry.count).sum();
        assert_eq!(total, 1_001);
        assert!(lines.len() <= 4, "{lines:?}");
    }

    #[tokio::test]
    async fn what_is_too_old_is_forgotten_by_the_time_that_it_is() {
        const DAY: u64 = 24 * 60 * 60 * 1_000;
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store.db")).await.unwrap();
        let (audit, task) = Audit::new(store.clone());
        let task = task.keep(Some(Duration::from_millis(2 * DAY)));
        let blank = entry(Act { actor: "", action: "a", subject: "", from: None, detail: "" });
        let at = |day: u64, action: &str| AuditEntry {
            at: UnixMillis(day * DAY),
            action: action.into(),
            ..blank.clone()
        };
        store.append_audit(&[at(10, RELAY_KEY), at(10, "a"), at(11, "b"), at(12, "c")]).await.unwrap();
        let left = async || {
            let mut lines = store.audit_page(None, 100).await.unwrap();
            lines.reverse();
            lines
                .into_iter()
                .map(|line| format!("{} {}", line.entry.action, line.entry.count))
                .collect::<Vec<_>>()
        };
        // The day on which it is looked; what is left afterwards.
        let table: [(u64, &[&str]); 4] = [
            (12, &["relay.key 1", "a 1", "b 1", "c 1"]),
            (13, &["relay.key 1", "b 1", "c 1", "audit.forget 1"]),
            (14, &["relay.key 1", "c 1", "audit.forget 1", "audit.forget 1"]),
            (99, &["relay.key 1", "audit.forget 3"]),
        ];
        for (day, expected) in table {
            assert!(task.expire(UnixMillis(day * DAY)).await, "day {day}");
            assert!(!task.forget().await, "day {day}");
            assert_eq!(left().await, expected, "day {day}");
        }
        let for_ever = task.keep(None);
        assert!(!for_ever.expire(UnixMillis(9_999 * DAY)).await);
        drop(audit);
    }

    #[tokio::test]
    async fn lines_are_written_while_many_are_forgotten() {
        const OLD: u32 = FORGOTTEN_AT_ONCE * 4 + 1;
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store.db")).await.unwrap();
        let blank = entry(Act { actor: "", action: "old", subject: "", from: None, detail: "" });
        let old: Vec<_> =
            (1..=OLD).map(|at| AuditEntry { at: UnixMillis(at.into()), ..blank.clone() }).collect();
        store.append_audit(&old).await.unwrap();
        let (audit, task) = Audit::new(store.clone());
        let task = tokio::spawn(task.keep(Some(Duration::from_secs(60))).run());
        let is_kept = |line: &backend::AuditRecord| line.entry.action != "old";
        let mut written = 0;
        while !store.audit_page(None, OLD + 100).await.unwrap().iter().all(is_kept) {
            audit
                .accepted(Act { actor: "ana", action: "new", subject: "", from: None, detail: "" })
                .await
                .unwrap();
            written += 1;
        }
        let page = store.audit_page(None, OLD).await.unwrap();
        let count = |action: &str| page.iter().filter(|line| line.entry.action == action).count();
        assert!(written > 0);
        assert_eq!((count("new"), count("audit.forget")), (written, 1));
        drop(audit);
        task.await.unwrap();
    }

    #[tokio::test]
    async fn kinds_are_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store.db")).await.unwrap();
        let (_, mut task) = Audit::new(store);
        for number in 0..10_000 {
            let subject = number.to_string();
            let act = Act { actor: "", action: "invite.redeem", subject: &subject, from: None, detail: "" };
            task.count(line(act, Outcome::Refused));
        }
        assert_eq!(task.counted.len(), KINDS + 1);
        assert_eq!(task.counted.values().map(|entry| entry.count).sum::<u32>(), 10_000);
    }
}
