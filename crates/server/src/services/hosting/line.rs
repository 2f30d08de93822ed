//! What waits to be said on one of a realm's connections.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hub::ConnectionId;
use identity::RealmId;
use tokio::sync::Notify;

use super::{Description, Place};

/// Messages that wait for a server to read them, and their bytes. One connection carries thousands of sessions, and a call that begins
/// makes some messages for each; who is so far behind does not read, and its connection is closed.
pub(super) const MAX_WAITING: usize = 8_192;
pub(super) const MAX_WAITING_BYTES: usize = 16 * 1024 * 1024;
/// What a message costs beside its text, about.
const OVERHEAD: usize = 256;

/// Something about a session that its realm's servers are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Whose.
    pub place: Arc<Place>,
    /// What.
    pub news: News,
}

/// What a realm's servers are told of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// A candidate of ours, RFC 8839 text.
    Candidate(String),
    /// Our offer or answer.
    Described(Description),
    /// The user has begun, or ceased, to speak.
    Speaks(bool),
    /// The session has ended.
    Ended,
}

impl Said {
    /// Which end of a session it is, if it is one.
    fn end(&self) -> Option<usize> {
        (self.news == News::Ended).then(|| Arc::as_ptr(&self.place).addr())
    }

    pub(super) fn weight(&self) -> usize {
        let text = match &self.news {
            News::Candidate(text) | News::Described(Description::Offer(text) | Description::Answer(text)) => {
                text.len()
            }
            News::Speaks(_) | News::Ended => 0,
        };
        text.saturating_add(self.place.name.len()).saturating_add(OVERHEAD)
    }
}

/// One connection of a realm's servers.
#[derive(Debug)]
pub struct Line {
    /// Whose.
    pub realm: RealmId,
    /// Which.
    pub id: ConnectionId,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// The first of them is being said, where `in_hand` says so.
    waiting: VecDeque<Said>,
    in_hand: bool,
    bytes: usize,
    /// Ends of sessions that were written, and how many questions had been then: that the other side has read them is not yet proven.
    unproven: VecDeque<(u64, Said)>,
    /// The ends among those that wait and among the unproven, by where the place of each is held.
    ends: BTreeSet<usize>,
    asked: u64,
    answered: u64,
    over: Option<Over>,
}

/// Why nothing more is said on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// The other side is gone, or we are done with it.
    Gone,
    /// The other side does not read.
    Slow,
    /// The realm is registered no more.
    Unregistered,
}

/// What comes next on a connection.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// To be said.
    Say(Said),
    /// Nothing follows.
    Over(Over),
}

impl Line {
    pub(super) fn new(realm: RealmId, id: ConnectionId) -> Self {
        Self { realm, id, state: Mutex::default(), changed: Notify::new() }
    }

    /// Adds a message, or gives it back where nothing more can be said. The end of a session is not added while it waits here already, or
    /// while nobody knows whether it was heard: connections that break one after the other would have ever more of them.
    pub(super) fn say(&self, said: Said) -> Result<(), Said> {
        let mut state = self.state();
        if state.over.is_some() {
            return Err(said);
        }
        if said.end().is_some_and(|end| state.ends.contains(&end)) {
            return Ok(());
        }
        let bytes = state.bytes.saturating_add(said.weight());
        if state.waiting.len() >= MAX_WAITING || bytes > MAX_WAITING_BYTES {
            state.over = Some(Over::Slow);
            drop(state);
            self.changed.notify_one();
            return Err(said);
        }
        state.bytes = bytes;
        state.ends.extend(said.end());
        state.waiting.push_back(said);
        drop(state);
        self.changed.notify_one();
        Ok(())
    }

    /// Waits for what comes next, when what came before has been said; one caller at a time. Nothing is lost when it is dropped.
    pub async fn next(&self) -> Next {
        self.state().said();
        loop {
            let changed = self.changed.notified();
            {
                let mut state = self.state();
                if let Some(over) = state.over {
                    return Next::Over(over);
                }
                if let Some(said) = state.waiting.front().cloned() {
                    state.in_hand = true;
                    return Next::Say(said);
                }
            }
            changed.await;
        }
    }

    /// Ends it; the first reason stands.
    pub fn end(&self, over: Over) {
        self.state().over.get_or_insert(over);
        self.changed.notify_one();
    }

    /// Returns why it has ended, if it has.
    pub fn over(&self) -> Option<Over> {
        self.state().over
    }

    /// The other side is asked whether it is there.
    pub fn asks(&self) {
        let mut state = self.state();
        state.asked = state.asked.saturating_add(1);
    }

    /// It has answered: what was written before the question has come.
    pub fn is_answered(&self) {
        let mut state = self.state();
        state.answered = state.answered.saturating_add(1).min(state.asked);
        let State { answered, unproven, ends, .. } = &mut *state;
        unproven.retain(|(asked, said)| {
            let is_unproven = *asked >= *answered;
            if !is_unproven {
                said.end().inspect(|end| _ = ends.remove(end));
            }
            is_unproven
        });
    }

    /// Takes what was never said, or not to its end; before it, ends of sessions of which nobody knows whether they were heard.
    pub(super) fn leftovers(&self) -> Vec<Said> {
        let mut state = self.state();
        state.ends.clear();
        let unproven = std::mem::take(&mut state.unproven).into_iter().map(|(_, said)| said);
        unproven.chain(std::mem::take(&mut state.waiting)).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn said(&mut self) {
        if std::mem::take(&mut self.in_hand)
            && let Some(said) = self.waiting.pop_front()
        {
            self.bytes = self.bytes.saturating_sub(said.weight());
            if said.news == News::Ended {
                if self.unproven.len() >= MAX_WAITING
                    && let Some((_, lost)) = self.unproven.pop_front()
                {
                    lost.end().inspect(|end| _ = self.ends.remove(end));
                }
                self.unproven.push_back((self.asked, said));
            }
        }
    }
}
