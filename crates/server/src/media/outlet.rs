//! Performs what a shard gives: to the network, to the signalling side, to other shards.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use sfu::{Datagram, Event, EventKind, HandOver, Output, Shard, ShardIndex, Transport};
use tokio::sync::mpsc;

use super::addresses::Ways;
use super::departures::Departures;
use super::mailbox::Mailbox;
use super::names::Told;
use super::placement::Placement;
use super::sockets::MediaSocket;
use super::streams::Streams;

/// Data-channel messages that may wait for room, beside all other events.
const DATA_BACKLOG: usize = 512;

/// What a media thread shares with the others.
#[derive(Clone)]
pub(super) struct Shared {
    /// By shard; the thread's own too.
    pub mailboxes: Arc<[Arc<Mailbox>]>,
    pub placement: Arc<Mutex<Placement>>,
    pub events: mpsc::Sender<Event>,
    /// What descriptions say of our addresses.
    pub told: Told,
}

pub(super) struct Outlet {
    me: ShardIndex,
    pub ways: Ways,
    pub departures: Departures,
    pub streams: Streams,
    shared: Shared,
    /// Events that the signalling side has not had room for.
    backlog: VecDeque<Event>,
    /// Other threads that have letters to read, with a bit for each.
    to_wake: u64,
    pub handover_dropped: u64,
    /// Data-channel messages that the signalling side has had no room for.
    pub data_lost: u64,
}

impl Outlet {
    pub(super) fn new(me: ShardIndex, ways: Ways, shared: Shared) -> Self {
        let (departures, streams, backlog) = (Departures::new(), Streams::new(), VecDeque::new());
        let (to_wake, handover_dropped, data_lost) = (0, 0, 0);
        Self { me, ways, departures, streams, shared, backlog, to_wake, handover_dropped, data_lost }
    }

    /// Takes everything that the shard has to give.
    pub(super) fn drain(&mut self, shard: &mut Shard, sockets: &[MediaSocket]) {
        while let Some(output) = shard.poll_output() {
            match output {
                Output::Transmit(transmit) => match transmit.transport {
                    Transport::Udp => self.departures.send(sockets, &self.ways, transmit),
                    Transport::Tcp => self.streams.send(&transmit),
                },
                Output::Event(event) => self.keep(event),
                Output::Note { to, note } => {
                    let taken = self.mailbox(to).is_some_and(|mailbox| mailbox.put_note(self.me, note));
                    self.has_put(to, taken);
                }
                Output::Stream { path, standing } => self.streams.stands(path, standing),
            }
        }
        self.departures.flush(sockets);
        self.streams.closed().for_each(|path| shard.handle_closed(Instant::now(), path));
    }

    /// Gives a datagram to the shard whose it is, which hears of it by [`Outlet::wake_others`].
    pub(super) fn hand_over(&mut self, HandOver { to }: HandOver, datagram: Datagram<'_>) {
        let taken = self.mailbox(to).is_some_and(|mailbox| mailbox.put_datagram(self.me, datagram));
        self.has_put(to, taken);
    }

    /// Wakes the threads that have been given something.
    pub(super) fn wake_others(&mut self) {
        let mut left = std::mem::take(&mut self.to_wake);
        while left != 0 {
            let index = left.trailing_zeros();
            left &= left - 1;
            if let Some(mailbox) = self.shared.mailboxes.get(index as usize) {
                mailbox.wake_reader();
            }
        }
    }

    fn has_put(&mut self, to: ShardIndex, taken: bool) {
        self.handover_dropped += u64::from(!taken);
        self.to_wake |= 1_u64.checked_shl(to.0.into()).unwrap_or_default();
    }

    /// Whether the signalling side has taken every event.
    pub(super) fn is_clear(&self) -> bool {
        self.backlog.is_empty()
    }

    pub(super) fn pass_events(&mut self) {
        while let Some(event) = self.backlog.pop_front() {
            if let Err(error) = self.shared.events.try_send(event) {
                match error {
                    mpsc::error::TrySendError::Full(event) => self.backlog.push_front(event),
                    // Nobody will ever listen: what waits must not keep us from the order to stop.
                    mpsc::error::TrySendError::Closed(_) => self.backlog.clear(),
                }
                return;
            }
        }
    }

    fn keep(&mut self, mut event: Event) {
        if let EventKind::Answer { sdp, .. } | EventKind::Offer { sdp, .. } = &mut event.kind {
            self.shared.told.apply(sdp);
        }
        if let EventKind::Left(_) = event.kind {
            let mut placement = self.shared.placement.lock().unwrap_or_else(PoisonError::into_inner);
            placement.left(event.participant, event.incarnation);
        }
        // Of all that is told only this may be lost, and only this comes at the clients' pace.
        let is_data = matches!(event.kind, EventKind::Data { .. });
        let room = self.shared.events.capacity() > self.shared.events.max_capacity() / 2;
        if is_data && (!room || self.backlog.len() >= DATA_BACKLOG) {
            self.data_lost += 1;
            return;
        }
        self.backlog.push_back(event);
    }

    fn mailbox(&self, to: ShardIndex) -> Option<&Arc<Mailbox>> {
        self.shared.mailboxes.get(usize::from(to.0))
    }
}
