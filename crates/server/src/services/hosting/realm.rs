//! The connections of one realm, and what waits while there is none.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hub::ConnectionId;

use super::line::{Line, News, Over, Said};

/// What is kept for a realm whose servers are all away. The end of a session is kept rather than anything else.
const MAX_KEPT: usize = 8_192;
const MAX_KEPT_BYTES: usize = 4 * 1024 * 1024;
/// How long it is kept, and the realm remembered, when no session of it is left. Servers come back within seconds.
const MEMORY: Duration = Duration::from_secs(600);

/// A tenant with a connection, or with sessions.
#[derive(Debug, Default)]
pub(super) struct Realm {
    lines: BTreeMap<ConnectionId, Arc<Line>>,
    pub(super) sessions: usize,
    kept: VecDeque<Said>,
    kept_bytes: usize,
    /// Since when it has no connection.
    away: Option<Instant>,
}

impl Realm {
    /// Adds a connection, which is told what waited.
    pub(super) fn open(&mut self, line: Arc<Line>) {
        self.away = None;
        self.kept_bytes = 0;
        for said in std::mem::take(&mut self.kept) {
            // Of a connection that cannot take this much nobody hears the rest; it is closed as too slow.
            let _ = line.say(said);
        }
        self.lines.insert(line.id, line);
    }

    /// Removes a connection, and says by the others what it was not told: of one that did not read the ends of sessions alone, or its
    /// backlog would make the next one slow too; of one whose realm is unregistered nothing, for the next of that name may be another's.
    /// Of the ends those are passed over whose session `is_back`: it would be taken for that of the new one.
    pub(super) fn close(&mut self, line: &Line, at: Instant, is_back: impl Fn(&Said) -> bool) {
        if self.lines.remove(&line.id).is_some() && self.lines.is_empty() {
            self.away = Some(at);
        }
        let over = line.over();
        let is_owed = |said: &Said| match over {
            Some(Over::Unregistered) => false,
            _ if said.news == News::Ended && is_back(said) => false,
            Some(Over::Slow) => said.news == News::Ended,
            Some(Over::Gone) | None => true,
        };
        for said in line.leftovers().into_iter().filter(is_owed) {
            self.say(None, said);
        }
    }

    /// Says something by the connection by which a session was last heard of. Without that, the end of a session is said on every
    /// connection (who does not know the session passes over it), all else on the newest alone, and without any connection it is kept.
    pub(super) fn say(&mut self, last: Option<ConnectionId>, said: Said) {
        let mut said = match last.and_then(|last| self.lines.get(&last)) {
            Some(line) => match line.say(said) {
                Ok(()) => return,
                Err(said) => said,
            },
            None => said,
        };
        let mut heard = false;
        for line in self.lines.values().rev() {
            match line.say(said.clone()) {
                Ok(()) if said.news != News::Ended => return,
                Ok(()) => heard = true,
                Err(back) => said = back,
            }
        }
        if !heard {
            self.keep(said);
        }
    }

    /// Ends every connection, and forgets what was kept for the next.
    pub(super) fn end(&mut self) {
        self.lines.values().for_each(|line| line.end(Over::Unregistered));
        self.kept.clear();
        self.kept_bytes = 0;
    }

    /// Whether nobody needs it any more.
    pub(super) fn is_over(&self, at: Instant) -> bool {
        let forgotten = |away: Instant| self.kept.is_empty() || at.saturating_duration_since(away) > MEMORY;
        self.lines.is_empty() && self.sessions == 0 && self.away.is_none_or(forgotten)
    }

    fn keep(&mut self, said: Said) {
        self.kept_bytes = self.kept_bytes.saturating_add(said.weight());
        self.kept.push_back(said);
        while self.kept.len() > MAX_KEPT || self.kept_bytes > MAX_KEPT_BYTES {
            let oldest = self.kept.iter().position(|said| said.news != News::Ended).unwrap_or_default();
            let Some(lost) = self.kept.remove(oldest) else { return };
            self.kept_bytes = self.kept_bytes.saturating_sub(lost.weight());
        }
    }
}
