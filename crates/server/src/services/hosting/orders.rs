//! The way to the media engine, on which nothing is lost and nothing overtakes.

use std::collections::VecDeque;
use std::fmt;

use sfu::{Command, RoomId};

use crate::media::Busy;

/// The way to the media engine.
pub(super) type Engine = Box<dyn Fn(RoomId, Command) -> Result<(), Busy> + Send + Sync>;

/// Orders that may wait for a media thread whose queue is full; it empties that within a millisecond or two. Beyond it the engine is taken
/// to have ended: orders are dropped.
const MAX_WAITING: usize = 16_384;

/// When so many wait, connections are not read until they are fewer: whoever floods waits for the engine, and nobody's orders are dropped.
const MANY_WAITING: usize = 1_024;

/// Orders that the engine has taken, or will.
pub(super) struct Orders {
    engine: Engine,
    waiting: VecDeque<(RoomId, Command)>,
}

impl fmt::Debug for Orders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Orders").field("waiting", &self.waiting.len()).finish_non_exhaustive()
    }
}

impl Orders {
    pub(super) fn new(engine: Engine) -> Self {
        Self { engine, waiting: VecDeque::new() }
    }

    /// Gives an order to the engine, behind those that wait.
    pub(super) fn give(&mut self, room: RoomId, command: Command) {
        if self.waiting.is_empty() && (self.engine)(room, command.clone()).is_ok() {
            return;
        }
        if self.waiting.len() < MAX_WAITING {
            self.waiting.push_back((room, command));
        } else {
            tracing::error!("the media engine takes no orders");
        }
    }

    /// Offers to the engine what waits.
    pub(super) fn retry(&mut self) {
        while let Some((room, command)) = self.waiting.front() {
            if (self.engine)(*room, command.clone()).is_err() {
                return;
            }
            self.waiting.pop_front();
        }
    }

    /// Whether so many wait that nobody should give more.
    pub(super) fn are_many(&self) -> bool {
        self.waiting.len() >= MANY_WAITING
    }

    /// Whether something waits.
    pub(super) fn are_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }
}
