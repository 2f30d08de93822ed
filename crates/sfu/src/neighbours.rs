//! Other shards of the same port: a datagram that is theirs is handed over once.
//!
//! A STUN request names its shard by the first two characters of our ufrag. Everything else goes by what the owner has told: it tells
//! only of paths that one of its participants has proven, so a forged source address moves nothing and pushes nothing out.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::command::ShardIndex;
use crate::path::{Note, Notice, Path};

/// Paths of others that are remembered. Their owners know at most 16 a participant; more than this is told again with the next check.
const MAX_LEARNT: usize = 65_536;
/// STUN requests on unproven paths handed over in a second. A call needs about ten; whoever loses against a flood tries again.
const UNPROVEN_PER_SECOND: u32 = 2_000;

#[derive(Debug, Default)]
pub(crate) struct Neighbours {
    /// Shards of this port, this one too; 0 or 1: there is nobody else.
    count: u8,
    me: Option<ShardIndex>,
    learnt: HashMap<Path, ShardIndex>,
    /// Own paths on which others receive, with a bit for each of them.
    told: HashMap<Path, u64>,
    second: Option<Instant>,
    used: u32,
}

impl Neighbours {
    pub(crate) fn new(me: ShardIndex, count: u8) -> Self {
        Self { count, me: Some(me), ..Self::default() }
    }

    /// The other shard that a user fragment names, if there is such a one.
    pub(crate) fn named(&self, ufrag: &str) -> Option<ShardIndex> {
        crate::ufrag::shard_of(ufrag).filter(|index| index.0 < self.count && Some(*index) != self.me)
    }

    pub(crate) fn owner_of(&self, path: &Path) -> Option<ShardIndex> {
        self.learnt.get(path).copied()
    }

    /// How many paths of others are known.
    pub(crate) fn learnt(&self) -> usize {
        self.learnt.len()
    }

    /// Whether one more unproven request may be handed over.
    pub(crate) fn spend(&mut self, now: Instant) -> bool {
        if self.second.is_none_or(|second| now.saturating_duration_since(second) >= Duration::from_secs(1)) {
            (self.second, self.used) = (Some(now), 0);
        }
        self.used = self.used.saturating_add(1);
        self.used <= UNPROVEN_PER_SECOND
    }

    /// Takes what another shard tells.
    pub(crate) fn hear(&mut self, from: ShardIndex, note: Note) {
        match note {
            Note::Mine(path) => {
                if self.learnt.len() < MAX_LEARNT || self.learnt.contains_key(&path) {
                    self.learnt.insert(path, from);
                }
            }
            Note::NotMine(path) => {
                if self.owner_of(&path) == Some(from) {
                    self.learnt.remove(&path);
                }
            }
        }
    }

    /// What to tell a shard that has handed over on a proven path. It is told again with every check, since a note may be lost.
    pub(crate) fn tell(&mut self, to: ShardIndex, path: Path) -> Notice {
        *self.told.entry(path).or_default() |= bit(to);
        Notice::Note(to, Note::Mine(path))
    }

    /// What to tell whom when a path is nobody's any more.
    pub(crate) fn forget(&mut self, path: Path) -> impl Iterator<Item = Notice> {
        let told = self.told.remove(&path).unwrap_or_default();
        let shards = (0..64).map(ShardIndex).filter(move |index| told & bit(*index) != 0);
        shards.map(move |index| Notice::Note(index, Note::NotMine(path)))
    }

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.learnt.is_empty() && self.told.is_empty()
    }
}

fn bit(index: ShardIndex) -> u64 {
    1_u64.checked_shl(index.0.into()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;
    use crate::shard::Transport;

    #[test]
    fn only_the_owner_takes_its_paths_back() {
        let mut neighbours = Neighbours::new(ShardIndex(9), 4);
        let (one, two) = (ShardIndex(1), ShardIndex(2));
        neighbours.hear(one, Note::Mine(path(1)));
        neighbours.hear(two, Note::NotMine(path(1)));
        assert_eq!(neighbours.owner_of(&path(1)), Some(one));
        neighbours.hear(two, Note::Mine(path(1)));
        neighbours.hear(one, Note::NotMine(path(1)));
        assert_eq!(neighbours.owner_of(&path(1)), Some(two));
        neighbours.hear(two, Note::NotMine(path(1)));
        assert!(neighbours.is_empty());
    }

    #[test]
    fn a_fragment_names_another_shard_that_exists() {
        let neighbours = Neighbours::new(ShardIndex(1), 3);
        for (digits, expected) in [("00", Some(0)), ("01", None), ("02", Some(2)), ("03", None), ("ff", None)]
        {
            let ufrag = format!("{digits}aaaaaaaaaaaaaaaa");
            assert_eq!(neighbours.named(&ufrag), expected.map(ShardIndex), "{digits}");
        }
        assert_eq!(Neighbours::default().named("00aaaaaaaaaaaaaaaa"), None);
    }

    #[test]
    fn who_was_told_is_told_the_end() {
        let mut neighbours = Neighbours::new(ShardIndex(9), 64);
        for index in [0, 63] {
            let notice = neighbours.tell(ShardIndex(index), path(1));
            assert_eq!(notice, Notice::Note(ShardIndex(index), Note::Mine(path(1))));
        }
        let ends = [0, 63].map(|index| Notice::Note(ShardIndex(index), Note::NotMine(path(1))));
        assert_eq!(neighbours.forget(path(1)).collect::<Vec<_>>(), ends);
        assert_eq!(neighbours.forget(path(1)).count(), 0);
    }

    #[test]
    fn what_is_learnt_and_what_is_handed_over_unproven_is_bounded() {
        let mut neighbours = Neighbours::new(ShardIndex(9), 2);
        for port in 0..=u16::MAX {
            neighbours.hear(ShardIndex(1), Note::Mine(path(port)));
        }
        let other = Path { transport: Transport::Tcp, ..path(1) };
        neighbours.hear(ShardIndex(1), Note::Mine(other));
        assert_eq!((neighbours.learnt.len(), neighbours.owner_of(&other)), (MAX_LEARNT, None));

        let now = Instant::now();
        let spent = |neighbours: &mut Neighbours, now| (0..9_999).filter(|_| neighbours.spend(now)).count();
        assert_eq!(spent(&mut neighbours, now), 2_000);
        assert_eq!(spent(&mut neighbours, now + Duration::from_millis(999)), 0);
        assert_eq!(spent(&mut neighbours, now + Duration::from_secs(1)), 2_000);
    }

    fn path(port: u16) -> Path {
        Path {
            transport: Transport::Udp,
            source: SocketAddr::from(([192, 0, 2, 1], port)),
            destination: SocketAddr::from(([198, 51, 100, 1], 8443)),
        }
    }
}
