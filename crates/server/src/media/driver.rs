//! The loop of one media thread: wait for bytes, a letter, a command or a deadline; give it to the shard; perform what comes out.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Token};
use sfu::{Command, Datagram, Shard, Transport};
use tokio::sync::watch;

use super::figures::{ShardFigures, thread_cpu};
use super::leavers::Leavers;
use super::mailbox::{Letter, Mailbox};
use super::outlet::Outlet;
use super::sockets::{Buffers, MediaSocket};
use super::streams::Newcomer;

pub(super) const WAKE: Token = Token(usize::MAX);
/// Batches taken of one socket before commands and timers get their turn.
const BATCHES_PER_TURN: usize = 8;
/// Datagrams given to the shard before what it makes of them is sent: enough to find neighbours for one destination, and few enough that
/// what waits to be sent stays small in a large room.
const DATAGRAMS_IN_A_ROW: usize = 64;
/// A datagram of a picture comes in company. Where few have come, the rest is waited for this long, so that what they make for one viewer
/// leaves in one send. Sound comes alone, and is not kept waiting.
const COMPANY: Duration = Duration::from_micros(100);
const OF_A_PICTURE: usize = 700;
const FEW: usize = 16;
/// Commands taken before packets get their turn, if they are cheap; a description may cost milliseconds, and ends the turn.
const COMMANDS_PER_TURN: usize = 64;
/// How often counters are copied out.
const STATS_EVERY: Duration = Duration::from_secs(1);

/// How a thread hears of others.
pub(super) struct Ears {
    pub poll: Poll,
    pub commands: Receiver<Command>,
    pub leavers: Leavers,
    pub mailbox: Arc<Mailbox>,
    /// Set when the threads are to end, or one has ended: the others follow. It overtakes every command.
    pub over: Arc<AtomicBool>,
}

pub(super) struct Driver {
    ears: Ears,
    shard: Shard,
    sockets: Vec<MediaSocket>,
    outlet: Outlet,
    /// Connections that may have something to read.
    ready: Vec<usize>,
    letters: Vec<Letter>,
    /// Memory of letters that were read.
    read: Vec<Vec<u8>>,
    publish: watch::Sender<ShardFigures>,
    publish_at: Instant,
}

impl Driver {
    pub(super) fn new(
        ears: Ears,
        shard: Shard,
        mut sockets: Vec<MediaSocket>,
        outlet: Outlet,
        publish: watch::Sender<ShardFigures>,
    ) -> io::Result<Self> {
        for (index, socket) in sockets.iter_mut().enumerate() {
            ears.poll.registry().register(&mut socket.socket, Token(index), Interest::READABLE)?;
        }
        let (ready, letters, read, publish_at) = (Vec::new(), Vec::new(), Vec::new(), Instant::now());
        Ok(Self { ears, shard, sockets, outlet, ready, letters, read, publish, publish_at })
    }

    /// Runs until told to stop, or until nobody is left to tell.
    pub(super) fn run(mut self) {
        let over = Over(Arc::clone(&self.ears.over));
        if let Err(error) = self.turn_until_stopped() {
            tracing::error!(%error, "a media thread has failed");
        }
        drop(over);
    }

    fn turn_until_stopped(&mut self) -> io::Result<()> {
        let mut ready = Events::with_capacity(64);
        let mut buffers = Buffers::new()?;
        // mio tells of a socket once until it would block: one that was left unfinished is looked at again without waiting.
        let mut unfinished = vec![false; self.sockets.len()];
        let mut more_commands = false;
        loop {
            self.outlet.wake_others();
            let busy = more_commands || unfinished.contains(&true) || !self.ready.is_empty();
            let wait = if busy { Duration::ZERO } else { self.wait() };
            match self.ears.poll.poll(&mut ready, Some(wait)) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                polled => polled?,
            }
            for event in &ready {
                match unfinished.get_mut(event.token().0) {
                    Some(flag) => *flag = true,
                    None if event.token() == WAKE => {}
                    None => self.stream_is_ready(event),
                }
            }
            self.take_letters();
            self.perform();
            self.read_streams();
            for (index, flag) in unfinished.iter_mut().enumerate() {
                *flag = *flag && self.receive(index, &mut buffers);
            }
            let now = Instant::now();
            if self.shard.poll_timeout().is_some_and(|(deadline, _)| deadline <= now) {
                self.shard.handle_timeout(now);
                self.perform();
            }
            match self.take_commands() {
                Taken::All => more_commands = false,
                Taken::Some => more_commands = true,
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
        if self.outlet.is_clear() { wait } else { wait.min(Duration::from_millis(5)) }
    }

    /// Returns whether there may be more.
    fn receive(&mut self, index: usize, buffers: &mut Buffers) -> bool {
        let mut waited = false;
        for _ in 0..BATCHES_PER_TURN {
            let Some(socket) = self.sockets.get(index) else { return false };
            let received = socket.receive(buffers);
            // Another thread may have told whose these are before it sent what they answer.
            self.take_letters();
            let few = self.take_in_batch(index, buffers);
            if few && !waited {
                waited = true;
                std::thread::sleep(COMPANY);
                continue;
            }
            self.outlet.drain(&mut self.shard, &self.sockets);
            self.outlet.wake_others();
            match received {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.outlet.pass_events();
                    return false;
                }
                // An unreachable peer is reported on the next receive; it is not an error of the socket.
                Err(error) => tracing::debug!(%error, "UDP receive"),
            }
        }
        self.outlet.pass_events();
        true
    }

    /// Gives the shard what was received. Returns whether it is part of a picture whose rest is yet to come.
    fn take_in_batch(&mut self, index: usize, buffers: &Buffers) -> bool {
        let Self { shard, sockets, outlet, .. } = self;
        let (now, mut given, mut picture) = (Instant::now(), 0, false);
        for (source, local, contents) in buffers.datagrams() {
            let Some(destination) = outlet.ways.inward(index, local) else { continue };
            let datagram = Datagram { transport: Transport::Udp, source, destination, contents };
            if let Some(hand_over) = shard.handle_datagram(now, datagram) {
                outlet.hand_over(hand_over, datagram);
            }
            given += 1;
            picture |= contents.len() > OF_A_PICTURE;
            if given % DATAGRAMS_IN_A_ROW == 0 {
                outlet.drain(shard, sockets);
            }
        }
        picture && given < FEW
    }

    fn stream_is_ready(&mut self, event: &mio::event::Event) {
        let slot = event.token().0.saturating_sub(self.sockets.len());
        if event.is_writable() {
            self.outlet.streams.write(slot);
        }
        // A connection that is closed or broken is found out by reading.
        if !self.ready.contains(&slot) {
            self.ready.push(slot);
        }
    }

    fn read_streams(&mut self) {
        let Self { shard, sockets, outlet, ready, .. } = self;
        if ready.is_empty() {
            return;
        }
        ready.retain(|slot| {
            let now = Instant::now();
            let more = outlet.streams.read(now, *slot, |datagram| {
                shard.handle_datagram(now, datagram);
            });
            outlet.drain(shard, sockets);
            more
        });
        outlet.pass_events();
    }

    fn take_in(&mut self, now: Instant, newcomer: Newcomer) {
        let first = newcomer.first.clone();
        let (source, destination) = (newcomer.source, newcomer.destination);
        let registry = self.ears.poll.registry();
        match self.outlet.streams.add(now, registry, self.sockets.len(), newcomer) {
            Ok(true) => {
                let datagram = Datagram { transport: Transport::Tcp, source, destination, contents: &first };
                self.shard.handle_datagram(now, datagram);
            }
            Ok(false) => tracing::debug!("no room for a TCP connection"),
            Err(error) => tracing::debug!(%error, "a TCP connection"),
        }
    }

    /// What they make is yet to be performed.
    fn take_letters(&mut self) {
        let mut letters = std::mem::take(&mut self.letters);
        self.ears.mailbox.take(&mut letters);
        let now = Instant::now();
        for (index, letter) in letters.drain(..).enumerate() {
            match letter {
                Letter::Datagram { from, source, destination, contents } => {
                    let transport = Transport::Udp;
                    let datagram = Datagram { transport, source, destination, contents: &contents };
                    self.shard.handle_handed_over(now, from, datagram);
                    self.read.push(contents);
                }
                Letter::Note { from, note } => self.shard.handle_note(from, note),
                Letter::Newcomer(newcomer) => self.take_in(now, newcomer),
            }
            if index % DATAGRAMS_IN_A_ROW == DATAGRAMS_IN_A_ROW - 1 {
                self.outlet.drain(&mut self.shard, &self.sockets);
            }
        }
        self.letters = letters;
        if !self.read.is_empty() {
            self.ears.mailbox.give_back(&mut self.read);
        }
    }

    fn take_commands(&mut self) -> Taken {
        if !self.outlet.is_clear() {
            self.outlet.pass_events();
        }
        for _ in 0..COMMANDS_PER_TURN {
            if self.ears.over.load(Ordering::Relaxed) {
                return self.close();
            }
            if !self.outlet.is_clear() {
                return Taken::All;
            }
            match self.ears.commands.try_recv() {
                Ok(command) => {
                    if self.obey(command) == Cost::High {
                        return Taken::Some;
                    }
                }
                Err(TryRecvError::Disconnected) => return self.close(),
                Err(TryRecvError::Empty) => return Taken::All,
            }
        }
        Taken::Some
    }

    fn obey(&mut self, command: Command) -> Cost {
        let cost = match &command {
            Command::Offer { participant, .. } | Command::Answer { participant, .. } => {
                if self.ears.leavers.contains(*participant) {
                    return Cost::Low;
                }
                Cost::High
            }
            Command::Leave { participant } => {
                self.ears.leavers.come_to(*participant);
                Cost::Low
            }
            Command::Join { .. }
            | Command::Name { .. }
            | Command::Lock { .. }
            | Command::Unlock { .. }
            | Command::Repeat { .. }
            | Command::Candidate { .. }
            | Command::Mute { .. }
            | Command::View { .. }
            | Command::Data { .. }
            | Command::Deliver { .. }
            | Command::CloseRoom(_) => Cost::Low,
        };
        self.shard.handle_command(Instant::now(), command);
        self.perform();
        cost
    }

    fn close(&mut self) -> Taken {
        self.shard.close(Instant::now());
        self.perform();
        Taken::Stop
    }

    fn perform(&mut self) {
        self.outlet.drain(&mut self.shard, &self.sockets);
        self.outlet.pass_events();
    }

    fn publish(&mut self, now: Instant) {
        if now < self.publish_at {
            return;
        }
        self.publish_at = now + STATS_EVERY;
        self.outlet.streams.sweep(now);
        self.perform();
        let departed = self.outlet.departures.departed;
        let (stats, cpu) = (self.shard.stats(), thread_cpu());
        let handover_dropped = self.outlet.handover_dropped;
        let data_lost = self.outlet.data_lost;
        let (tcp_connections, tcp_dropped) = (self.outlet.streams.len() as u64, self.outlet.streams.dropped);
        self.publish.send_modify(|figures| {
            *figures = ShardFigures {
                stats,
                cpu,
                cpu_recent: cpu.saturating_sub(figures.cpu),
                handover_dropped,
                data_lost,
                joined_sends: departed.joined_sends,
                joined_datagrams: departed.joined_datagrams,
                send_lost: departed.lost,
                tcp_connections,
                tcp_dropped,
            };
        });
    }
}

/// Tells the other media threads that one has ended, however it did.
struct Over(Arc<AtomicBool>);

impl Drop for Over {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[derive(Debug, PartialEq)]
enum Taken {
    All,
    Some,
    Stop,
}

#[derive(PartialEq)]
enum Cost {
    Low,
    High,
}

#[cfg(test)]
mod tests;
