//! Which participant a datagram is for, in constant time.
//!
//! A STUN binding request names its participant by our ufrag. Once the participant has accepted it (message integrity included), the pair of
//! addresses it travelled on names the participant for everything else, so nobody can move another's media by a forged source.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;

use str0m::ice::StunMessage;

use crate::shard::Seat;

/// Pairs of addresses remembered for one participant; the oldest is forgotten first. Browsers use a handful.
const MAX_PATHS: usize = 16;
/// User fragments of ours that one participant may be called by: the newest, and the one before an ICE restart.
const MAX_UFRAGS: usize = 2;

/// A remote and a local address.
type Path = (SocketAddr, SocketAddr);

#[derive(Debug, Default)]
pub(crate) struct Demux {
    by_path: HashMap<Path, Seat>,
    by_ufrag: HashMap<String, Seat>,
    seats: HashMap<Seat, Known>,
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

    pub(crate) fn route(&self, source: SocketAddr, destination: SocketAddr, contents: &[u8]) -> Route {
        let proven = self.by_path.get(&(source, destination));
        if !is_stun(contents) {
            return proven.map_or(Route::Stranger, |seat| Route::Proven(*seat));
        }
        let claimed = local_ufrag(contents).and_then(|ufrag| self.by_ufrag.get(&ufrag));
        match (claimed, proven) {
            (Some(claimed), Some(proven)) if claimed == proven => Route::Proven(*proven),
            (Some(claimed), _) => Route::Claimed(*claimed),
            (None, Some(proven)) => Route::Proven(*proven),
            (None, None) => Route::Stranger,
        }
    }

    pub(crate) fn prove(&mut self, seat: Seat, source: SocketAddr, destination: SocketAddr) {
        let path = (source, destination);
        let Some(known) = self.seats.get_mut(&seat) else { return };
        known.paths.push_back(path);
        let forgotten = (known.paths.len() > MAX_PATHS).then(|| known.paths.pop_front()).flatten();
        let previous = self.by_path.insert(path, seat);
        if let Some(before) =
            previous.filter(|before| *before != seat).and_then(|before| self.seats.get_mut(&before))
        {
            before.paths.retain(|had| *had != path);
        }
        if let Some(forgotten) = forgotten {
            self.by_path.remove(&forgotten);
        }
    }

    pub(crate) fn forget(&mut self, seat: Seat) {
        let Some(known) = self.seats.remove(&seat) else { return };
        for ufrag in &known.ufrags {
            self.by_ufrag.remove(ufrag);
        }
        for path in &known.paths {
            if self.by_path.get(path) == Some(&seat) {
                self.by_path.remove(path);
            }
        }
    }
}

/// RFC 7983 §7: a first byte of 0–3 is STUN.
fn is_stun(contents: &[u8]) -> bool {
    contents.first().is_some_and(|first| *first < 4)
}

/// Our part of the USERNAME (RFC 8445 §7.2.2).
fn local_ufrag(contents: &[u8]) -> Option<String> {
    let message = StunMessage::parse(contents).ok()?;
    message.split_username().map(|(local, _)| local.to_owned())
}

#[cfg(test)]
mod tests {
    use slotmap::SlotMap;

    use super::*;

    #[test]
    fn only_a_proven_path_carries_media_and_it_moves_only_by_proof() {
        let mut seats = SlotMap::<Seat, ()>::with_key();
        let (ana, ben) = (seats.insert(()), seats.insert(()));
        let (remote, local) = (address(1), address(2));
        let mut demux = Demux::default();
        demux.expect(ana, "00ana");
        demux.expect(ben, "00ben");

        assert_eq!(demux.route(remote, local, &[128, 0]), Route::Stranger);
        demux.prove(ana, remote, local);
        assert_eq!(demux.route(remote, local, &[128, 0]), Route::Proven(ana));
        assert_eq!(demux.route(remote, address(3), &[128, 0]), Route::Stranger);

        demux.prove(ben, remote, local);
        demux.forget(ana);
        assert_eq!(demux.route(remote, local, &[128, 0]), Route::Proven(ben));
        demux.forget(ben);
        assert_eq!(demux.route(remote, local, &[128, 0]), Route::Stranger);
        assert!(demux.by_path.is_empty() && demux.by_ufrag.is_empty());
    }

    #[test]
    fn paths_are_bounded() {
        let mut seats = SlotMap::<Seat, ()>::with_key();
        let ana = seats.insert(());
        let mut demux = Demux::default();
        demux.expect(ana, "00ana");
        (0..1_000).for_each(|port| demux.prove(ana, address(port), address(1)));
        assert_eq!(demux.by_path.len(), MAX_PATHS);
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
            assert_eq!(demux.route(address(1), address(2), contents), Route::Stranger, "{contents:?}");
        }
    }

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], port))
    }
}
