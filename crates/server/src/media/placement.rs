//! Which shard has which room. A room is placed with its first join, and stays while anybody is in it.

use std::collections::BTreeMap;

use sfu::{ParticipantId, RoomId};

/// All rooms with media. A join counts from when it was ordered, and until the shard says that this very media connection is gone: who joins
/// while the last one's farewell is on its way finds the room where it is.
#[derive(Debug)]
pub(super) struct Placement {
    /// Media connections of each shard.
    load: Vec<usize>,
    rooms: BTreeMap<RoomId, Home>,
    seats: BTreeMap<ParticipantId, Seat>,
}

#[derive(Debug)]
struct Home {
    shard: usize,
    members: usize,
}

#[derive(Debug, Clone, Copy)]
struct Seat {
    room: RoomId,
    incarnation: u32,
}

impl Placement {
    pub(super) fn new(shards: usize) -> Self {
        Self { load: vec![0; shards], rooms: BTreeMap::new(), seats: BTreeMap::new() }
    }

    /// Returns where a room is, if anybody is in it.
    pub(super) fn shard_of(&self, room: RoomId) -> Option<usize> {
        self.rooms.get(&room).map(|home| home.shard)
    }

    /// Returns where to place a room: with the fewest participants, and among equals where the thread has worked least of late.
    pub(super) fn choose(&self, worked: impl Fn(usize) -> u128) -> usize {
        let shards = self.load.iter().enumerate();
        shards.min_by_key(|(shard, load)| (**load, worked(*shard))).map_or(0, |(shard, _)| shard)
    }

    /// Returns the other room in which a participant is, and its shard.
    pub(super) fn other_room(&self, participant: ParticipantId, room: RoomId) -> Option<(RoomId, usize)> {
        let seat = self.seats.get(&participant).filter(|seat| seat.room != room)?;
        self.shard_of(seat.room).map(|shard| (seat.room, shard))
    }

    /// Notes a join that was ordered.
    pub(super) fn enter(&mut self, shard: usize, room: RoomId, participant: ParticipantId, incarnation: u32) {
        let before = self.seats.insert(participant, Seat { room, incarnation });
        if before.is_some_and(|seat| seat.room == room) {
            return;
        }
        self.rooms.entry(room).or_insert(Home { shard, members: 0 }).members += 1;
        if let Some(load) = self.load.get_mut(shard) {
            *load += 1;
        }
        if let Some(before) = before {
            self.one_less(before.room);
        }
    }

    /// Notes that a media connection is gone, or never came to be. One in the place of which another was ordered is of no matter.
    pub(super) fn left(&mut self, participant: ParticipantId, incarnation: u32) {
        if self.seats.get(&participant).is_some_and(|seat| seat.incarnation == incarnation)
            && let Some(seat) = self.seats.remove(&participant)
        {
            self.one_less(seat.room);
        }
    }

    fn one_less(&mut self, room: RoomId) {
        let Some(home) = self.rooms.get_mut(&room) else { return };
        home.members = home.members.saturating_sub(1);
        if let Some(load) = self.load.get_mut(home.shard) {
            *load = load.saturating_sub(1);
        }
        if home.members == 0 {
            self.rooms.remove(&room);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANA: ParticipantId = ParticipantId(1);
    const BEN: ParticipantId = ParticipantId(2);
    const ROOM: RoomId = RoomId(1);
    const OTHER: RoomId = RoomId(2);

    #[test]
    fn a_room_stays_while_anybody_is_in_it_or_on_the_way() {
        let mut placement = Placement::new(2);
        placement.enter(1, ROOM, ANA, 1);
        placement.enter(1, ROOM, ANA, 2);
        placement.left(ANA, 1);
        assert_eq!(placement.shard_of(ROOM), Some(1), "that was the connection before");
        placement.enter(1, ROOM, BEN, 3);
        placement.left(ANA, 2);
        placement.left(ANA, 2);
        assert_eq!((placement.shard_of(ROOM), placement.load[1]), (Some(1), 1));
        placement.left(BEN, 3);
        assert_eq!((placement.shard_of(ROOM), placement.load[1], placement.seats.len()), (None, 0, 0));
    }

    #[test]
    fn a_room_is_placed_where_the_fewest_are_and_then_where_least_is_done() {
        let mut placement = Placement::new(3);
        let worked = |shard| [5, 9, 3][shard];
        assert_eq!(placement.choose(worked), 2);
        placement.enter(2, ROOM, ANA, 1);
        assert_eq!(placement.choose(worked), 0);
        placement.enter(0, OTHER, BEN, 1);
        assert_eq!(placement.choose(worked), 1);
    }

    #[test]
    fn a_participant_is_in_one_room() {
        let mut placement = Placement::new(2);
        placement.enter(0, ROOM, ANA, 1);
        assert_eq!(placement.other_room(ANA, ROOM), None);
        assert_eq!(placement.other_room(ANA, OTHER), Some((ROOM, 0)));
        placement.enter(1, OTHER, ANA, 2);
        placement.left(ANA, 1);
        assert_eq!((placement.shard_of(ROOM), placement.shard_of(OTHER)), (None, Some(1)));
        assert_eq!(placement.load, [0, 1]);
    }
}
