//! What waits to be said on one socket of a channel's client.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hub::{ConnectionId, Heard, Speaker};
use identity::SessionId;
use tokio::sync::Notify;

/// Messages that wait for a client to read them, and their bytes (`docs/faces/verto.md`, "Limits"). Who is so far behind does not read,
/// and is closed.
pub(super) const MAX_WAITING: usize = 256;
pub(super) const MAX_WAITING_BYTES: usize = 1024 * 1024;
/// Answers are made while no more than this waits, so that a client that asks faster than it reads slows down itself alone.
const ROOM: usize = 32;
/// What a message costs beside its text, about.
const OVERHEAD: usize = 256;

/// Something that a client is told.
#[derive(Debug, Clone)]
pub enum Said {
    /// The answer to a request, as it is written.
    Answer(String),
    /// It is believed, and may go on.
    Ready,
    /// Somebody spoke to all.
    Heard(Heard),
    /// Somebody spoke to it.
    Told(Told),
}

/// What one client says to another.
#[derive(Debug, Clone)]
pub struct Told {
    /// Who says it.
    pub from: SessionId,
    /// What, in the face's own words.
    pub message: Arc<str>,
}

/// Why nothing more is said on a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// The other side is gone.
    Gone,
    /// The server stops.
    Stopping,
    /// The other side does not read.
    Slow,
    /// The client came back by another socket.
    Replaced,
    /// The client, or its channel, is none any more.
    Revoked,
    /// It went on asking for too much.
    Abusive,
    /// It was not believed too often, or not in time. What was said to it before is said to the end.
    Denied,
    /// It said something that cannot be read; the code of RFC 6455 §7.4.1 says what.
    Unreadable(u16),
}

/// What comes next on a socket.
#[derive(Debug)]
pub enum Next {
    /// To be said.
    Say(Said),
    /// Nothing follows.
    Over(Over),
}

/// One socket, from both of its sides.
#[derive(Debug)]
pub struct Line {
    /// Which.
    pub id: ConnectionId,
    state: Mutex<State>,
    /// For who speaks, for who hears, and for who is cut off in the middle of a word.
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Said>,
    bytes: usize,
    over: Option<Over>,
}

impl Line {
    pub(super) fn new(id: ConnectionId) -> Self {
        Self { id, state: Mutex::default(), changed: Notify::new() }
    }

    /// Adds a message; returns whether there was room. Without room the line is over.
    pub fn say(&self, said: Said) -> bool {
        let mut state = self.state();
        if state.over.is_some() {
            return false;
        }
        let bytes = state.bytes.saturating_add(said.weight());
        let fits = state.waiting.len() < MAX_WAITING && bytes <= MAX_WAITING_BYTES;
        if fits {
            state.bytes = bytes;
            state.waiting.push_back(said);
        } else {
            state.end(Over::Slow);
        }
        drop(state);
        self.changed.notify_waiters();
        fits
    }

    /// Ends it; the first reason stands. What waited is not said, but before [`Over::Denied`].
    pub fn end(&self, over: Over) {
        self.state().end(over);
        self.changed.notify_waiters();
    }

    /// Waits for what comes next.
    pub async fn next(&self) -> Next {
        self.when(|state| match state.waiting.pop_front() {
            Some(said) => {
                state.bytes = state.bytes.saturating_sub(said.weight());
                Some(Next::Say(said))
            }
            None => state.over.map(Next::Over),
        })
        .await
    }

    /// Waits until it is over.
    pub async fn over(&self) -> Over {
        self.when(|state| state.over).await
    }

    /// Waits until little waits, or it is over.
    pub async fn room(&self) {
        self.when(|state| (state.waiting.len() < ROOM || state.over.is_some()).then_some(())).await;
    }

    /// Waits until it is over so that not even a word that was begun needs to be said to its end.
    pub async fn cut(&self) {
        self.when(|state| state.over.filter(|over| *over != Over::Denied).map(|_| ())).await;
    }

    /// Unsays what `session` has said and was not heard yet.
    pub(super) fn unsay(&self, session: SessionId) {
        let mut state = self.state();
        state.waiting.retain(|said| said.speaker() != Some(session));
        state.bytes = state.waiting.iter().map(Said::weight).sum();
    }

    async fn when<T>(&self, mut take: impl FnMut(&mut State) -> Option<T>) -> T {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // From here on nothing is missed, whoever else waits.
            changed.as_mut().enable();
            let taken = take(&mut self.state());
            if let Some(taken) = taken {
                // Whoever waits for room may have it.
                self.changed.notify_waiters();
                return taken;
            }
            changed.await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn end(&mut self, over: Over) {
        if self.over.is_some() {
            return;
        }
        self.over = Some(over);
        if over != Over::Denied {
            self.waiting.clear();
            self.bytes = 0;
        }
    }
}

impl Said {
    fn weight(&self) -> usize {
        let text = match self {
            Self::Answer(text) => text.len(),
            Self::Ready => 0,
            Self::Heard(heard) => heard.body.len(),
            Self::Told(told) => told.message.len(),
        };
        text.saturating_add(OVERHEAD)
    }

    fn speaker(&self) -> Option<SessionId> {
        match self {
            Self::Heard(Heard { speaker: Speaker::Other(session), .. }) => Some(*session),
            Self::Told(told) => Some(told.from),
            Self::Heard(_) | Self::Answer(_) | Self::Ready => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line() -> Line {
        Line::new(ConnectionId(1))
    }

    #[tokio::test]
    async fn who_does_not_read_is_closed_and_costs_no_more() {
        let line = line();
        for number in 0..MAX_WAITING {
            assert!(line.say(Said::Ready), "{number}");
        }
        assert!(!line.say(Said::Ready));
        assert!(matches!(line.next().await, Next::Over(Over::Slow)));
        let line = self::line();
        let text = "x".repeat(MAX_WAITING_BYTES / 4);
        let said = (0..9).filter(|_| line.say(Said::Answer(text.clone()))).count();
        assert_eq!(said, 3, "its bytes are counted too");
    }

    #[tokio::test]
    async fn nothing_is_said_after_a_punt_and_everything_before_a_denial() {
        let punted = line();
        punted.say(Said::Ready);
        punted.end(Over::Replaced);
        punted.end(Over::Gone);
        assert!(!punted.say(Said::Ready));
        assert!(matches!(punted.next().await, Next::Over(Over::Replaced)));
        let denied = line();
        denied.say(Said::Ready);
        denied.end(Over::Denied);
        assert!(matches!(denied.next().await, Next::Say(Said::Ready)));
        assert!(matches!(denied.next().await, Next::Over(Over::Denied)));
    }

    #[tokio::test]
    async fn what_the_revoked_said_is_unsaid() {
        let line = line();
        let told = |from| Said::Told(Told { from: SessionId(from), message: "x".into() });
        line.say(told(1));
        line.say(told(2));
        line.unsay(SessionId(1));
        assert!(matches!(line.next().await, Next::Say(Said::Told(Told { from: SessionId(2), .. }))));
        assert_eq!(line.state().bytes, 0);
    }
}
