//! What the members of one room have in common.

use std::collections::BTreeSet;
use std::sync::Arc;

use identity::SessionId;

/// Who is in a room, and who speaks there.
#[derive(Debug, Default)]
pub(super) struct Room {
    pub(super) members: BTreeSet<SessionId>,
    speaking: BTreeSet<SessionId>,
    active: Option<SessionId>,
}

/// Who speaks in a room, whole.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Speakers {
    /// Whom the room listens to.
    pub active: Option<SessionId>,
    /// Everybody who speaks at this moment.
    pub speaking: Arc<[SessionId]>,
}

impl Room {
    /// Notes that somebody has begun or ceased to speak; returns whether that changes anything, as the next two do.
    pub(super) fn speaks(&mut self, session: SessionId, speaks: bool) -> bool {
        if speaks { self.speaking.insert(session) } else { self.speaking.remove(&session) }
    }

    /// Notes to whom the room listens.
    pub(super) fn listens_to(&mut self, session: SessionId) -> bool {
        self.active.replace(session) != Some(session)
    }

    /// Notes that somebody is not to be heard any more.
    pub(super) fn falls_silent(&mut self, session: SessionId) -> bool {
        let spoke = self.speaks(session, false);
        self.active.take_if(|active| *active == session).is_some() || spoke
    }

    /// Returns who speaks.
    pub(super) fn speakers(&self) -> Speakers {
        Speakers { active: self.active, speaking: self.speaking.iter().copied().collect() }
    }

    /// Returns whether nobody speaks, and nobody has spoken last.
    pub(super) fn is_silent(&self) -> bool {
        self.active.is_none() && self.speaking.is_empty()
    }
}
