//! The way of a datagram into the shard, or past it to another.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use str0m::Input;
use str0m::net::Receive;

use crate::command::ShardIndex;
use crate::demux::{Route, is_rtcp, is_stun};
use crate::neighbours::Neighbours;
use crate::participant::Participant;
use crate::path::{HandOver, Note, Path};
use crate::shard::{Datagram, Shard, Transport};

impl Shard {
    /// Tells the shard how many share its port, itself included; before, it hands nothing over.
    pub fn set_shards(&mut self, count: u8) {
        self.demux.neighbours = Neighbours::new(self.config.index, count);
    }

    /// Takes one datagram. A stranger's is counted and forgotten; one of another shard is to be handed over by the driver, which still
    /// has it. Several may be given before the outputs are taken: what they make for one viewer then leaves in one go.
    pub fn handle_datagram(&mut self, now: Instant, datagram: Datagram<'_>) -> Option<HandOver> {
        self.stats.datagrams_in += 1;
        self.stats.bytes_in += datagram.contents.len() as u64;
        let to = self.take_datagram(now, datagram, None)?;
        let known = self.demux.neighbours.owner_of(&datagram.path()) == Some(to);
        // A connection is given to its shard before anything is read from it but its first frame.
        if datagram.transport == Transport::Tcp {
            self.stats.strangers += 1;
            None
        } else if known || self.demux.neighbours.spend(now) {
            self.stats.handed_over += 1;
            Some(HandOver { to })
        } else {
            self.stats.not_handed_over += 1;
            None
        }
    }

    /// Takes one datagram that shard `from` has handed over. It goes no further.
    pub fn handle_handed_over(&mut self, now: Instant, from: ShardIndex, datagram: Datagram<'_>) {
        self.stats.taken_over += 1;
        if self.take_datagram(now, datagram, Some(from)).is_some() {
            self.stats.strangers += 1;
        }
    }

    /// Takes what shard `from` tells.
    pub fn handle_note(&mut self, from: ShardIndex, note: Note) {
        self.demux.neighbours.hear(from, note);
    }

    /// Notes that the connection behind a path is closed. Whoever has no other way is waited for a little: its goodbye may have been lost
    /// with the connection.
    pub fn handle_closed(&mut self, now: Instant, path: Path) {
        let Some(seat) = self.demux.closed(path) else { return };
        if let Some(participant) = self.seats.get_mut(seat) {
            participant.stranded(now);
            self.schedule(seat);
        }
    }

    /// Returns the shard whose it is, if it is another's.
    fn take_datagram(
        &mut self,
        now: Instant,
        datagram: Datagram<'_>,
        from: Option<ShardIndex>,
    ) -> Option<ShardIndex> {
        self.now = self.now.max(now);
        let Datagram { transport, source, destination, contents } = datagram;
        // Parsers of str0m read a stranger's bytes here, before anybody is there who could be taken out for it.
        let read = catch_unwind(AssertUnwindSafe(|| {
            let route = self.demux.route(datagram.path(), contents);
            (route, Receive::new(transport.protocol(), source, destination, contents))
        }));
        self.stats.panics += u64::from(read.is_err());
        let (seat, claimed, received) = match read {
            Ok((Route::Elsewhere(to), _)) => return Some(to),
            Ok((Route::Proven(seat), Ok(received))) => (seat, false, received),
            Ok((Route::Claimed(seat), Ok(received))) => (seat, true, received),
            Ok((Route::Proven(_) | Route::Claimed(_) | Route::Stranger, _)) | Err(_) => {
                self.stats.strangers += 1;
                if let Some(from) = from {
                    self.demux.disown(datagram.path(), from);
                }
                return None;
            }
        };
        // Who is sent nothing has nothing to report that we would use, and says so every second.
        if is_rtcp(contents) && self.seats.get(seat).is_some_and(Participant::is_quiet) {
            return None;
        }
        if self.seats.get_mut(seat).is_some_and(|participant| !participant.ssrcs.admit(contents)) {
            self.stats.strangers += 1;
            return None;
        }
        let check = is_stun(contents);
        let mut accepted = true;
        self.step(now, seat, |participant| {
            participant.clock = participant.clock.max(now);
            let input = Input::Receive(participant.clock, received);
            // A check proves something only if its integrity holds.
            accepted = !(claimed || check) || participant.rtc.accepts(&input);
            if accepted { participant.rtc.handle_input(input) } else { Ok(()) }
        });
        if accepted && let Some(participant) = self.seats.get_mut(seat) {
            participant.roaming.heard(now, datagram.path(), check);
            if check {
                participant.came_back();
            }
        }
        if !accepted {
            self.stats.strangers += 1;
        } else if claimed || check {
            self.demux.prove(seat, datagram.path(), from);
        }
        None
    }
}
