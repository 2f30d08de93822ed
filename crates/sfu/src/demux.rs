//! Which participant a datagram is for, in constant time.
//!
//! A STUN binding request names its participant by our ufrag. Once the participant has accepted it (message integrity included), the pair of
//! addresses it travelled on names the participant for everything else, so nobody can move another's media
//! by a forged source alone. A participant who forges another's can, with its own credentials, until the other's next check.

use std::collections::{HashMap, VecDeque};

use str0m::ice::StunMessage;

use crate::command::ShardIndex;
use crate::neighbours::Neighbours;
use crate::path::{Note, Notice, Path, Standing};
use crate::shard::{Seat, Transport};

/// Pairs of addresses remembered for one participant; the oldest is forgotten first. Browsers use a handful.
const MAX_PATHS: usize = 16;
/// Of them, over TCP: each is a connection with buffers. Chromium opens two, and two more after an ICE restart.
const MAX_STREAMS: usize = 4;
/// User fragments of ours that one participant may be called by: the newest, and the one before an ICE restart.
const MAX_UFRAGS: usize = 2;

#[derive(Debug, Default)]
pub(crate) struct Demux {
    by_path: HashMap<Path, Seat>,
    by_ufrag: HashMap<String, Seat>,
    seats: HashMap<Seat, Known>,
    pub neighbours: Neighbours,
    /// For other shards and for the driver, not yet passed on.
    pub notices: VecDeque<Notice>,
}

#[derive(Debug, Default)]
struct Known {
    ufrags: VecDeque<String>,
    paths: VecDeque<Path>,
}

/// What the demultiplexer knows of a datagram.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// On a proven path.
    Proven(Seat),
    /// A STUN request that names this seat; the path counts once the seat has accepted it.
    Claimed(Seat),
    /// Another shard's.
    Elsewhere(ShardIndex),
    /// Nobody's.
    Stranger,
}

impl Demux {
    pub(crate) fn expect(&mut self, seat: Seat, ufrag: &str) {
        let known = self.seats.entry(seat).or_default();
        if !known.ufrags.iter().any(|had| had == ufrag) {
            known.ufrags.push_back(ufrag.to_owned());
            self.by_ufrag.insert(ufrag.to_owned(), seat);
            if known.ufrags.len() > MAX_UFRAGS
                && let Some(forgotten) = known.ufrags.pop_front()
            {
                self.by_ufrag.remove(&forgotten);
            }
        }
    }

    /// Whether a participant is known by a user fragment.
    pub(crate) fn expects(&self, seat: Seat, ufrag: &str) -> bool {
        self.by_ufrag.get(ufrag) == Some(&seat)
    }

    pub(crate) fn route(&self, path: Path, contents: &[u8]) -> Route {
        let proven = self.by_path.get(&path);
        let ufrag = if is_stun(contents) { local_ufrag(contents) } else { None };
        let claimed = ufrag.as_ref().and_then(|ufrag| self.by_ufrag.get(ufrag));
        match (claimed, proven) {
            (Some(claimed), Some(proven)) if claimed == proven => Route::Proven(*proven),
            (Some(claimed), _) => Route::Claimed(*claimed),
            (None, proven) => {
                let named = ufrag.and_then(|ufrag| self.neighbours.named(&ufrag));
                let proven = proven.map(|seat| Route::Proven(*seat));
                let learnt = || self.neighbours.owner_of(&path).map(Route::Elsewhere);
                named.map(Route::Elsewhere).or(proven).or_else(learnt).unwrap_or(Route::Stranger)
            }
        }
    }

    /// Notes that a participant has accepted a request on a path; `from` is the shard that handed it over.
    pub(crate) fn prove(&mut self, seat: Seat, path: Path, from: Option<ShardIndex>) {
        let Some(known) = self.seats.get_mut(&seat) else { return };
        if let Some(from) = from {
            let notice = self.neighbours.tell(from, path);
            self.notices.push_back(notice);
        }
        let previous = self.by_path.insert(path, seat);
        if previous == Some(seat) {
            // In order of use: the first is forgotten first.
            if known.paths.back() != Some(&path) {
                known.paths.retain(|had| *had != path);
                known.paths.push_back(path);
            }
            return;
        }
        known.paths.push_back(path);
        let forgotten = known.excess();
        if let Some(before) = previous.and_then(|before| self.seats.get_mut(&before)) {
            before.paths.retain(|had| *had != path);
        }
        if path.transport == Transport::Tcp {
            self.notices.push_back(Notice::Stream(path, Standing::Proven));
        }
        if let Some(forgotten) = forgotten {
            self.forget_path(forgotten);
        }
    }

    /// Tells a shard that has handed over on a path that is nobody's here: it may have missed the end of it.
    pub(crate) fn disown(&mut self, path: Path, from: ShardIndex) {
        if !self.by_path.contains_key(&path) {
            self.notices.push_back(Notice::Note(from, Note::NotMine(path)));
        }
    }

    /// Notes that the connection behind a path is closed. Returns whose last way that was.
    pub(crate) fn closed(&mut self, path: Path) -> Option<Seat> {
        let seat = self.by_path.remove(&path)?;
        let known = self.seats.get_mut(&seat)?;
        known.paths.retain(|had| *had != path);
        known.paths.is_empty().then_some(seat)
    }

    pub(crate) fn forget(&mut self, seat: Seat) {
        let Some(known) = self.seats.remove(&seat) else { return };
        for ufrag in &known.ufrags {
            self.by_ufrag.remove(ufrag);
        }
        for path in known.paths {
            if self.by_path.get(&path) == Some(&seat) {
                self.forget_path(path);
            }
        }
    }

    fn forget_path(&mut self, path: Path) {
        self.by_path.remove(&path);
        self.notices.extend(self.neighbours.forget(path));
        if path.transport == Transport::Tcp {
            self.notices.push_back(Notice::Stream(path, Standing::Gone));
        }
    }
}

impl Known {
    /// Takes out the oldest path when there are too many.
    fn excess(&mut self) -> Option<Path> {
        let is_stream = |path: &Path| path.transport == Transport::Tcp;
        let streams = self.paths.iter().filter(|path| is_stream(path)).count();
        let index = if streams > MAX_STREAMS {
            self.paths.iter().position(is_stream)?
        } else {
            (self.paths.len() > MAX_PATHS).then_some(0)?
        };
        self.paths.remove(index)
    }
}

/// The shard that a STUN binding request is for, by the user fragment in it. Nothing is proven by that.
#[must_use]
pub fn shard_of(contents: &[u8]) -> Option<ShardIndex> {
    let message = StunMessage::parse(contents).ok().filter(StunMessage::is_binding_request)?;
    let (ours, _) = message.split_username()?;
    crate::ufrag::shard_of(ours)
}

/// RFC 7983 §7: a first byte of 0–3 is STUN.
pub(crate) fn is_stun(contents: &[u8]) -> bool {
    contents.first().is_some_and(|first| *first < 4)
}

/// RFC 7983 §7 and RFC 5761 §4: RTP's bytes, with one of RTCP's packet types.
pub(crate) fn is_rtcp(contents: &[u8]) -> bool {
    matches!(contents, [128..=191, 192..=223, ..])
}

/// Our part of the USERNAME (RFC 8445 §7.2.2).
fn local_ufrag(contents: &[u8]) -> Option<String> {
    let message = StunMessage::parse(contents).ok()?;
    message.split_username().map(|(local, _)| local.to_owned())
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use slotmap::SlotMap;

    use super::*;

    #[test]
    fn only_a_proven_path_carries_media_and_it_moves_only_by_proof() {
        let mut seats = SlotMap::<Seat, ()>::with_key();
        let (ana, ben) = (seats.insert(()), seats.insert(()));
        let path = path(1);
        let mut demux = Demux::default();
        demux.expect(ana, "00ana");
        demux.expect(ben, "00ben");

        assert_eq!(demux.route(path, &[128, 0]), Route::Stranger);
        demux.prove(ana, path, None);
        assert_eq!(demux.route(path, &[128, 0]), Route::Proven(ana));
        for other in [
            Path { destination: address(3), ..path },
            Path { source: address(3), ..path },
            Path { transport: Transport::Tcp, ..path },
        ] {
            assert_eq!(demux.route(other, &[128, 0]), Route::Stranger);
        }

        demux.prove(ben, path, None);
        demux.forget(ana);
        assert_eq!(demux.route(path, &[128, 0]), Route::Proven(ben));
        demux.forget(ben);
        assert_eq!(demux.route(path, &[128, 0]), Route::Stranger);
        assert!(demux.by_path.is_empty() && demux.by_ufrag.is_empty());
    }

    #[test]
    fn paths_are_bounded() {
        let mut seats = SlotMap::<Seat, ()>::with_key();
        let ana = seats.insert(());
        let mut demux = Demux::default();
        demux.expect(ana, "00ana");
        (0..1_000).for_each(|port| demux.prove(ana, path(port), None));
        (0..1_000).for_each(|_| demux.prove(ana, path(999), None));
        assert_eq!((demux.by_path.len(), demux.seats[&ana].paths.len()), (MAX_PATHS, MAX_PATHS));
        assert!(demux.notices.is_empty());
    }

    #[test]
    fn user_fragments_are_bounded() {
        let mut seats = SlotMap::<Seat, ()>::with_key();
        let ana = seats.insert(());
        let mut demux = Demux::default();
        (0..1_000).for_each(|restart| demux.expect(ana, &format!("00ana{restart}")));
        assert_eq!(demux.by_ufrag.len(), MAX_UFRAGS);
        assert_eq!(demux.by_ufrag.get("00ana999"), Some(&ana));
    }

    #[test]
    fn garbage_that_looks_like_stun_is_a_strangers() {
        let demux = Demux::default();
        for contents in [&[][..], &[0], &[0, 1, 0, 0], &[0; 20], &[1; 1500]] {
            assert_eq!(demux.route(path(1), contents), Route::Stranger, "{contents:?}");
        }
    }

    #[test]
    fn connections_are_bounded_and_end_with_their_participant() {
        let mut seats = SlotMap::<Seat, ()>::with_key();
        let ana = seats.insert(());
        let mut demux = Demux::default();
        demux.expect(ana, "00ana");
        let stream = |port| Path { transport: Transport::Tcp, ..path(port) };
        for port in 0..6 {
            demux.prove(ana, stream(port), None);
            demux.prove(ana, path(port), None);
        }
        demux.closed(stream(5));
        demux.forget(ana);
        let said: Vec<Notice> = demux.notices.drain(..).collect();
        let proven = |port| Notice::Stream(stream(port), Standing::Proven);
        let gone = |port| Notice::Stream(stream(port), Standing::Gone);
        let crowded = [proven(4), gone(0), proven(5), gone(1)];
        let expected = [[0, 1, 2, 3].map(proven).to_vec(), crowded.to_vec(), [2, 3, 4].map(gone).to_vec()];
        assert_eq!(said, expected.concat());
        assert!(demux.by_path.is_empty());
    }

    #[test]
    fn what_another_shard_has_proven_goes_there_unless_it_is_ours() {
        let mut seats = SlotMap::<Seat, ()>::with_key();
        let ana = seats.insert(());
        let mut demux = Demux { neighbours: Neighbours::new(ShardIndex(0), 2), ..Demux::default() };
        let there = ShardIndex(1);
        demux.expect(ana, "00ana");
        demux.neighbours.hear(there, Note::Mine(path(1)));
        assert_eq!(demux.route(path(1), &[128, 0]), Route::Elsewhere(there));
        demux.prove(ana, path(1), None);
        assert_eq!(demux.route(path(1), &[128, 0]), Route::Proven(ana));
        demux.forget(ana);
        assert_eq!(demux.route(path(1), &[128, 0]), Route::Elsewhere(there));
    }

    fn path(port: u16) -> Path {
        Path { transport: Transport::Udp, source: address(port), destination: address(1) }
    }

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], port))
    }
}
