//! The loop of one media thread: wait for bytes, a command or a deadline; give it to the shard; perform what comes out.

use std::collections::VecDeque;
use std::io;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Token, Waker};
use sfu::{Command, Datagram, Event, Output, Shard, Stats, Transport};
use tokio::sync::{mpsc, watch};

use super::addresses::Ways;
use super::departures::Departures;
use super::sockets::{Buffers, MediaSocket};

const WAKE: Token = Token(usize::MAX);
/// Batches taken of one socket before commands and timers get their turn.
const BATCHES_PER_TURN: usize = 8;
/// Datagrams given to the shard before what it makes of them is sent: enough to find neighbours for one destination, and few enough that
/// what waits to be sent stays small in a large room.
const DATAGRAMS_IN_A_ROW: usize = 64;
const COMMANDS_PER_TURN: usize = 64;
/// How often counters are copied out.
const STATS_EVERY: Duration = Duration::from_secs(1);

/// What the thread is told.
#[derive(Debug)]
pub(super) enum Order {
    Command(Command),
    Stop,
}

pub(super) struct Driver {
    poll: Poll,
    shard: Shard,
    sockets: Vec<MediaSocket>,
    ways: Ways,
    departures: Departures,
    orders: Receiver<Order>,
    events: mpsc::Sender<Event>,
    /// Events that the signalling side has not had room for.
    backlog: VecDeque<Event>,
    publish: watch::Sender<Stats>,
    publish_at: Instant,
}

impl Driver {
    pub(super) fn new(
        shard: Shard,
        mut sockets: Vec<MediaSocket>,
        ways: Ways,
        orders: Receiver<Order>,
        events: mpsc::Sender<Event>,
        publish: watch::Sender<Stats>,
    ) -> io::Result<(Self, Waker)> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKE)?;
        for (index, socket) in sockets.iter_mut().enumerate() {
            poll.registry().register(&mut socket.socket, Token(index), Interest::READABLE)?;
        }
        let publish_at = Instant::now();
        let (backlog, departures) = (VecDeque::new(), Departures::new());
        let driver =
            Self { poll, shard, sockets, ways, departures, orders, events, backlog, publish, publish_at };
        Ok((driver, waker))
    }

    /// Runs until told to stop, or until nobody is left to tell.
    pub(super) fn run(mut self) {
        if let Err(error) = self.turn_until_stopped() {
            tracing::error!(%error, "the media thread has failed");
        }
    }

    fn turn_until_stopped(&mut self) -> io::Result<()> {
        let mut ready = Events::with_capacity(64);
        let mut buffers = Buffers::new()?;
        // mio tells of a socket once until it would block: one that was left unfinished is looked at again without waiting.
        let mut unfinished = vec![false; self.sockets.len()];
        let mut more_orders = false;
        loop {
            let wait = if more_orders || unfinished.contains(&true) { Duration::ZERO } else { self.wait() };
            match self.poll.poll(&mut ready, Some(wait)) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                polled => polled?,
            }
            for event in &ready {
                if let Some(flag) = unfinished.get_mut(event.token().0) {
                    *flag = true;
                }
            }
            for (index, flag) in unfinished.iter_mut().enumerate() {
                *flag = *flag && self.receive(index, &mut buffers);
            }
            let now = Instant::now();
            if self.shard.poll_timeout().is_some_and(|(deadline, _)| deadline <= now) {
                self.shard.handle_timeout(now);
                self.perform();
            }
            match self.take_orders() {
                Taken::All => more_orders = false,
                Taken::Some => more_orders = true,
                Taken::Stop => return Ok(()),
            }
            self.publish(now);
        }
    }

    fn wait(&self) -> Duration {
        let now = Instant::now();
        let deadline =
            self.shard.poll_timeout().map_or(self.publish_at, |(deadline, _)| deadline.min(self.publish_at));
        let wait = deadline.saturating_duration_since(now);
        // A blocked backlog has no event that would wake us.
        if self.backlog.is_empty() { wait } else { wait.min(Duration::from_millis(5)) }
    }

    /// Returns whether there may be more.
    fn receive(&mut self, index: usize, buffers: &mut Buffers) -> bool {
        let Self { shard, sockets, ways, departures, backlog, .. } = self;
        let Some(socket) = sockets.get(index) else { return false };
        for _ in 0..BATCHES_PER_TURN {
            let now = Instant::now();
            let mut given = 0;
            let received = socket.receive(buffers, |source, local, contents| {
                if let Some(destination) = ways.inward(index, local) {
                    shard.handle_datagram(
                        now,
                        Datagram { transport: Transport::Udp, source, destination, contents },
                    );
                    given += 1;
                    if given % DATAGRAMS_IN_A_ROW == 0 {
                        send_all(shard, sockets, ways, departures, backlog);
                    }
                }
            });
            send_all(shard, sockets, ways, departures, backlog);
            match received {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.pass_events();
                    return false;
                }
                // An unreachable peer is reported on the next receive; it is not an error of the socket.
                Err(error) => tracing::debug!(%error, "UDP receive"),
            }
        }
        self.pass_events();
        true
    }

    fn take_orders(&mut self) -> Taken {
        if !self.backlog.is_empty() {
            self.pass_events();
        }
        if !self.backlog.is_empty() {
            return Taken::All;
        }
        for _ in 0..COMMANDS_PER_TURN {
            match self.orders.try_recv() {
                Ok(Order::Command(command)) => {
                    self.shard.handle_command(Instant::now(), command);
                    self.perform();
                }
                Ok(Order::Stop) | Err(TryRecvError::Disconnected) => {
                    self.shard.close(Instant::now());
                    self.perform();
                    return Taken::Stop;
                }
                Err(TryRecvError::Empty) => return Taken::All,
            }
        }
        Taken::Some
    }

    fn perform(&mut self) {
        let Self { shard, sockets, ways, departures, backlog, .. } = self;
        send_all(shard, sockets, ways, departures, backlog);
        self.pass_events();
    }

    fn pass_events(&mut self) {
        while let Some(event) = self.backlog.pop_front() {
            if let Err(error) = self.events.try_send(event) {
                match error {
                    mpsc::error::TrySendError::Full(event) => self.backlog.push_front(event),
                    // Nobody will ever listen: what waits must not keep us from the order to stop.
                    mpsc::error::TrySendError::Closed(_) => self.backlog.clear(),
                }
                return;
            }
        }
    }

    fn publish(&mut self, now: Instant) {
        if now >= self.publish_at {
            self.publish_at = now + STATS_EVERY;
            self.publish.send_replace(self.shard.stats());
        }
    }
}

enum Taken {
    All,
    Some,
    Stop,
}

fn send_all(
    shard: &mut Shard,
    sockets: &[MediaSocket],
    ways: &Ways,
    departures: &mut Departures,
    backlog: &mut VecDeque<Event>,
) {
    while let Some(output) = shard.poll_output() {
        match output {
            Output::Transmit(transmit) => departures.send(sockets, ways, transmit),
            Output::Event(event) => backlog.push_back(event),
            Output::Note { .. } | Output::Stream { .. } => {}
        }
    }
    departures.flush(sockets);
}
