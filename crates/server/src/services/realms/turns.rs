//! Who is next, of those who wait for a key to be checked: address by address, and at each address client by client.

use std::collections::{BTreeSet, VecDeque};

use identity::RealmId;

use crate::http::peer::AddressBlock;

/// Jobs of one client that wait at one address: as many as may fail in a minute before failures are refused.
const OF_A_CLIENT: usize = 64;
/// Jobs that wait at one address: as many as it may have connections.
const OF_AN_ADDRESS: usize = 256;
/// Jobs that wait in all: as many as there may be connections.
const ALL: usize = 4_096;

/// Whether an address has failed so often that it comes after those who have not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// In turn.
    Prompt,
    /// Only when nobody in turn can be served.
    Late,
}

/// Jobs that wait. Never are two of one client at work at once, so that a flood on one leaves the others a worker.
#[derive(Debug)]
pub(super) struct Turns<J> {
    prompt: Ring<J>,
    late: Ring<J>,
    at_work: BTreeSet<RealmId>,
    waiting: usize,
}

/// Addresses in the order of their turns.
#[derive(Debug)]
struct Ring<J>(VecDeque<(AddressBlock, Line<J>)>);

/// Clients of one address in the order of their turns, each with its jobs, oldest first.
#[derive(Debug)]
struct Line<J>(VecDeque<(RealmId, VecDeque<J>)>);

impl<J> Turns<J> {
    pub(super) fn new() -> Self {
        Self {
            prompt: Ring(VecDeque::new()),
            late: Ring(VecDeque::new()),
            at_work: BTreeSet::new(),
            waiting: 0,
        }
    }

    /// Adds a job; returns whether there was room for it.
    #[must_use]
    pub(super) fn push(&mut self, standing: Standing, from: AddressBlock, realm: &RealmId, job: J) -> bool {
        let ring = match standing {
            Standing::Prompt => &mut self.prompt,
            Standing::Late => &mut self.late,
        };
        let added = self.waiting < ALL && ring.push(from, realm, job);
        self.waiting += usize::from(added);
        added
    }

    /// Takes the next job out; its client is at work until [`Turns::done`].
    pub(super) fn next(&mut self) -> Option<(RealmId, J)> {
        let taken = self.prompt.take(&self.at_work).or_else(|| self.late.take(&self.at_work));
        let (realm, job) = taken?;
        self.at_work.insert(realm.clone());
        self.waiting = self.waiting.saturating_sub(1);
        Some((realm, job))
    }

    /// A job of this client is done.
    pub(super) fn done(&mut self, realm: &RealmId) {
        self.at_work.remove(realm);
    }
}

impl<J> Ring<J> {
    fn push(&mut self, from: AddressBlock, realm: &RealmId, job: J) -> bool {
        match self.0.iter_mut().find(|(address, _)| *address == from) {
            Some((_, line)) => line.push(realm, job),
            None => {
                let jobs = VecDeque::from([(realm.clone(), VecDeque::from([job]))]);
                self.0.push_back((from, Line(jobs)));
                true
            }
        }
    }

    fn take(&mut self, at_work: &BTreeSet<RealmId>) -> Option<(RealmId, J)> {
        let index = self.0.iter().position(|(_, line)| line.first_free(at_work).is_some())?;
        let (address, mut line) = self.0.remove(index)?;
        let taken = line.take(at_work);
        if !line.0.is_empty() {
            self.0.push_back((address, line));
        }
        taken
    }
}

impl<J> Line<J> {
    fn push(&mut self, realm: &RealmId, job: J) -> bool {
        let waiting: usize = self.0.iter().map(|(_, jobs)| jobs.len()).sum();
        if waiting >= OF_AN_ADDRESS {
            return false;
        }
        match self.0.iter_mut().find(|(known, _)| known == realm) {
            Some((_, jobs)) if jobs.len() >= OF_A_CLIENT => return false,
            Some((_, jobs)) => jobs.push_back(job),
            None => self.0.push_back((realm.clone(), VecDeque::from([job]))),
        }
        true
    }

    fn first_free(&self, at_work: &BTreeSet<RealmId>) -> Option<usize> {
        self.0.iter().position(|(realm, _)| !at_work.contains(realm))
    }

    fn take(&mut self, at_work: &BTreeSet<RealmId>) -> Option<(RealmId, J)> {
        let (realm, mut jobs) = self.0.remove(self.first_free(at_work)?)?;
        let job = jobs.pop_front()?;
        if !jobs.is_empty() {
            self.0.push_back((realm.clone(), jobs));
        }
        Some((realm, job))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::peer::Peer;

    fn address(last: u8) -> AddressBlock {
        Peer::new([203, 0, 113, last].into()).block()
    }

    /// Standing, address, client, and the number of the job.
    type Waiting = (Standing, u8, &'static str, u32);

    fn turns(jobs: &[Waiting]) -> Turns<u32> {
        let mut turns = Turns::new();
        for (standing, from, realm, job) in jobs {
            assert!(turns.push(*standing, address(*from), &RealmId::new(*realm), *job));
        }
        turns
    }

    /// Takes everything out, one after the other.
    fn order(turns: &mut Turns<u32>) -> Vec<u32> {
        let mut order = Vec::new();
        while let Some((realm, job)) = turns.next() {
            order.push(job);
            turns.done(&realm);
        }
        order
    }

    #[test]
    fn addresses_take_turns_and_so_do_clients_of_one_address() {
        use Standing::{Late, Prompt};
        let rows: [(&str, &[Waiting], &[u32]); 5] = [
            ("one client", &[(Prompt, 1, "a", 1), (Prompt, 1, "a", 2)], &[1, 2]),
            (
                "a flood on one client, then another of the same address",
                &[(Prompt, 1, "a", 1), (Prompt, 1, "a", 2), (Prompt, 1, "a", 3), (Prompt, 1, "b", 4)],
                &[1, 4, 2, 3],
            ),
            (
                "a flood of names, then another address",
                &[(Prompt, 1, "a", 1), (Prompt, 1, "b", 2), (Prompt, 1, "c", 3), (Prompt, 2, "d", 4)],
                &[1, 4, 2, 3],
            ),
            (
                "a flood on a client, then that client from elsewhere",
                &[(Prompt, 1, "a", 1), (Prompt, 1, "a", 2), (Prompt, 1, "a", 3), (Prompt, 2, "a", 4)],
                &[1, 4, 2, 3],
            ),
            (
                "floods of addresses that have failed too often",
                &[(Late, 1, "a", 1), (Late, 2, "a", 2), (Prompt, 4, "a", 3), (Prompt, 3, "b", 4)],
                &[3, 4, 1, 2],
            ),
        ];
        for (what, jobs, expected) in rows {
            assert_eq!(order(&mut turns(jobs)), expected, "{what}");
        }
    }

    #[test]
    fn of_one_client_one_is_at_work_at_a_time() {
        use Standing::Prompt;
        let mut turns = turns(&[(Prompt, 1, "a", 1), (Prompt, 2, "a", 2), (Prompt, 3, "b", 3)]);
        let (a, b) = (RealmId::new("a"), RealmId::new("b"));
        assert_eq!(turns.next(), Some((a.clone(), 1)));
        assert_eq!(turns.next(), Some((b.clone(), 3)));
        assert_eq!(turns.next(), None);
        turns.done(&b);
        assert_eq!(turns.next(), None);
        turns.done(&a);
        assert_eq!(turns.next(), Some((a, 2)));
    }

    #[test]
    fn what_waits_is_bounded_for_each_and_for_all() {
        let mut turns = Turns::new();
        let fill = |turns: &mut Turns<u32>, from: u8, realm: &str, tries: usize| {
            let push = |_: &usize| turns.push(Standing::Prompt, address(from), &RealmId::new(realm), 0);
            (0..tries).filter(push).count()
        };
        assert_eq!(fill(&mut turns, 1, "a", 1_000), OF_A_CLIENT);
        assert_eq!(fill(&mut turns, 1, "b", 1), 1, "another client of the same address");
        assert_eq!(fill(&mut turns, 2, "a", 1), 1, "the same client from elsewhere");
        for realm in ["c", "d", "e", "f"] {
            fill(&mut turns, 1, realm, 1_000);
        }
        assert_eq!(turns.waiting, OF_AN_ADDRESS + 1);
        for from in 3..60 {
            for realm in ["a", "b", "c", "d"] {
                fill(&mut turns, from, realm, 64);
            }
        }
        assert_eq!(turns.waiting, ALL);
        assert_eq!(order(&mut turns).len(), ALL);
        assert_eq!(turns.waiting, 0);
    }
}
