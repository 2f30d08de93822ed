//! Who is told to leave, before the media thread comes to it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sfu::{Command, ParticipantId};

/// Participants whose leaving waits among the commands to one media thread, with how many times. What they said before is of no matter any
/// more, and the costly of it need not be worked off. Looked at for descriptions only, never for packets.
#[derive(Debug, Clone, Default)]
pub(super) struct Leavers(Arc<Mutex<BTreeMap<ParticipantId, usize>>>);

impl Leavers {
    /// Hands a command on by `send`, and notes it if it is a leaving that was taken; the thread does not come to it before.
    pub(super) fn noting<E>(
        &self,
        command: Command,
        send: impl FnOnce(Command) -> Result<(), E>,
    ) -> Result<(), E> {
        let Command::Leave { participant } = command else { return send(command) };
        let mut leaving = self.lock();
        send(command)?;
        *leaving.entry(participant).or_default() += 1;
        Ok(())
    }

    /// Forgets one leaving, since the thread has come to it: what follows is of another media connection.
    pub(super) fn come_to(&self, participant: ParticipantId) {
        let mut leaving = self.lock();
        if let Some(times) = leaving.get_mut(&participant) {
            *times -= 1;
            if *times == 0 {
                leaving.remove(&participant);
            }
        }
    }

    pub(super) fn contains(&self, participant: ParticipantId) -> bool {
        self.lock().contains_key(&participant)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ParticipantId, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
