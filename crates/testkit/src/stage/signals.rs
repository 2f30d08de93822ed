//! Signalling on its way.

use std::collections::VecDeque;
use std::time::Instant;

use sfu::{Command, Event, ParticipantId};

/// Words on their way in one direction. Those of one participant keep their order, as on a socket; those of others may overtake them.
pub(super) struct Lane<T> {
    /// The next first.
    words: VecDeque<(Instant, T)>,
}

/// Something that concerns one participant, or all.
pub(super) trait Word {
    fn whose(&self) -> Option<ParticipantId>;
}

impl<T: Word> Lane<T> {
    pub(super) fn new() -> Self {
        Self { words: VecDeque::new() }
    }

    /// Puts a word on its way that arrives at `at`, or with the one before it.
    pub(super) fn put(&mut self, at: Instant, word: T) {
        let before = self.words.iter().rfind(|(_, had)| had.whose() == word.whose());
        let at = before.map_or(at, |(before, _)| at.max(*before));
        let place = self.words.partition_point(|(had, _)| *had <= at);
        self.words.insert(place, (at, word));
    }

    /// The next one that has arrived by `now`.
    pub(super) fn arrived(&mut self, now: Instant) -> Option<T> {
        self.words.pop_front_if(|(at, _)| *at <= now).map(|(_, word)| word)
    }

    /// When the next one arrives.
    pub(super) fn next(&self) -> Option<Instant> {
        self.words.front().map(|(at, _)| *at)
    }

    /// What is on its way for or from a participant never arrives.
    pub(super) fn lose(&mut self, whose: ParticipantId) {
        self.words.retain(|(_, word)| word.whose() != Some(whose));
    }
}

impl Word for Event {
    fn whose(&self) -> Option<ParticipantId> {
        Some(self.participant)
    }
}

impl Word for Command {
    fn whose(&self) -> Option<ParticipantId> {
        match self {
            Self::Join { participant, .. }
            | Self::Offer { participant, .. }
            | Self::Name { participant, .. }
            | Self::Lock { participant }
            | Self::Unlock { participant }
            | Self::Answer { participant, .. }
            | Self::Repeat { participant }
            | Self::Candidate { participant, .. }
            | Self::Mute { participant, .. }
            | Self::View { participant, .. }
            | Self::Data { participant, .. }
            | Self::Deliver { participant, .. }
            | Self::Leave { participant } => Some(*participant),
            Self::CloseRoom(_) => None,
        }
    }
}
