//! Which clients are in their channels at this moment.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use backend::Leaving;
use identity::{ChannelId, ClientId};
use tokio::sync::mpsc::UnboundedSender;

use crate::ambient::now;

/// All connections of clients, by channel; as many as the live side lets in.
#[derive(Debug)]
pub(super) struct Inside {
    channels: Mutex<HashMap<ChannelId, Clients>>,
    /// What is said of those who leave; each of them was let in, so they are bounded as the connections are.
    leavings: UnboundedSender<Leaving>,
}

type Clients = HashMap<ClientId, BTreeSet<u64>>;

/// A client's place in its channel, by one connection; dropping it is leaving.
#[derive(Debug)]
pub(super) struct Place {
    inside: Arc<Inside>,
    channel: ChannelId,
    client: ClientId,
    ticket: u64,
}

impl Inside {
    pub(super) fn new(leavings: UnboundedSender<Leaving>) -> Arc<Self> {
        Arc::new(Self { channels: Mutex::default(), leavings })
    }

    pub(super) fn enter(self: &Arc<Self>, channel: ChannelId, client: ClientId, ticket: u64) -> Place {
        self.lock().entry(channel).or_default().entry(client).or_default().insert(ticket);
        Place { inside: Arc::clone(self), channel, client, ticket }
    }

    /// Returns how many clients are in a channel.
    pub(super) fn count(&self, channel: ChannelId) -> usize {
        self.lock().get(&channel).map_or(0, HashMap::len)
    }

    pub(super) fn has(&self, channel: ChannelId, client: ClientId) -> bool {
        self.lock().get(&channel).is_some_and(|clients| clients.contains_key(&client))
    }

    /// Puts a client out of its channel, by whatever connections it is there.
    pub(super) fn forget_client(&self, channel: ChannelId, client: ClientId) {
        if let Some(clients) = self.lock().get_mut(&channel) {
            clients.remove(&client);
        }
    }

    pub(super) fn forget_channel(&self, channel: ChannelId) {
        self.lock().remove(&channel);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ChannelId, Clients>> {
        self.channels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Whether it is still there: its client was not put out.
    pub(super) fn is_held(&self) -> bool {
        let channels = self.inside.lock();
        let tickets = channels.get(&self.channel).and_then(|clients| clients.get(&self.client));
        tickets.is_some_and(|tickets| tickets.contains(&self.ticket))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Self { channel, client, ticket, .. } = *self;
        let mut channels = self.inside.lock();
        if let Some(clients) = channels.get_mut(&channel) {
            if let Some(tickets) = clients.get_mut(&client) {
                tickets.remove(&ticket);
                if tickets.is_empty() {
                    clients.remove(&client);
                }
            }
            if clients.is_empty() {
                channels.remove(&channel);
            }
        }
        drop(channels);
        // Nobody listens when the server has ended; its next start takes everybody for dropped.
        _ = self.inside.leavings.send(Leaving { client, ticket, at: now() });
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::unbounded_channel;

    use super::*;

    #[test]
    fn a_client_is_inside_while_any_of_its_connections_is() {
        let (leavings, mut left) = unbounded_channel();
        let inside = Inside::new(leavings);
        let (channel, client) = (ChannelId::from_random(1), ClientId::from_random(2));
        let old = inside.enter(channel, client, 1);
        let new = inside.enter(channel, client, 2);
        assert_eq!(inside.count(channel), 1);
        drop(old);
        assert_eq!(left.try_recv().unwrap().ticket, 1);
        assert!(inside.has(channel, client) && new.is_held());
        inside.forget_client(channel, client);
        assert!(!inside.has(channel, client) && !new.is_held());
        let again = inside.enter(channel, client, 3);
        drop(new);
        assert!(again.is_held(), "an older connection takes its own place only");
        drop(again);
        assert!(inside.lock().is_empty());
    }
}
