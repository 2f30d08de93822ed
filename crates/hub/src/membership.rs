//! Who is in which channel, in order of joining.

use std::collections::{BTreeMap, BTreeSet};

use identity::SessionId;

use crate::{Channel, Refused};

/// Both directions of the relation, kept equal.
#[derive(Debug, Default)]
pub(crate) struct Membership {
    members: BTreeMap<Channel, Vec<SessionId>>,
    channels: BTreeMap<SessionId, BTreeSet<Channel>>,
}

impl Membership {
    /// Adds a member at the end.
    pub(crate) fn join(
        &mut self,
        session: SessionId,
        channel: Channel,
        max_members: usize,
        max_channels: usize,
    ) -> Result<(), Refused> {
        if self.members(&channel).len() >= max_members {
            return Err(Refused::ChannelFull);
        }
        if self.channels.get(&session).map_or(0, BTreeSet::len) >= max_channels {
            return Err(Refused::TooManyChannels);
        }
        self.members.entry(channel.clone()).or_default().push(session);
        self.channels.entry(session).or_default().insert(channel);
        Ok(())
    }

    /// Takes a member out; an empty channel is forgotten.
    pub(crate) fn leave(&mut self, session: SessionId, channel: &Channel) -> Result<(), Refused> {
        if !self.contains(session, channel) {
            return Err(Refused::NotAMember);
        }
        if let Some(members) = self.members.get_mut(channel) {
            members.retain(|member| *member != session);
            if members.is_empty() {
                self.members.remove(channel);
            }
        }
        if let Some(channels) = self.channels.get_mut(&session) {
            channels.remove(channel);
            if channels.is_empty() {
                self.channels.remove(&session);
            }
        }
        Ok(())
    }

    pub(crate) fn contains(&self, session: SessionId, channel: &Channel) -> bool {
        self.channels.get(&session).is_some_and(|channels| channels.contains(channel))
    }

    /// In order of joining.
    pub(crate) fn members(&self, channel: &Channel) -> &[SessionId] {
        self.members.get(channel).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn channels(&self, session: SessionId) -> impl Iterator<Item = &Channel> {
        self.channels.get(&session).into_iter().flatten()
    }
}
