//! Which two sessions have agreed to call each other.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use identity::SessionId;

/// How long an agreement is good.
pub const GOOD_FOR: Duration = Duration::from_secs(24 * 60 * 60);
/// Offers to one session that it has not accepted, within [`MINUTE`].
const OFFERS: usize = 4;
const MINUTE: Duration = Duration::from_secs(60);
/// Pairs that are remembered. Beyond, the pair that has been silent for longest is forgotten.
const PAIRS: usize = 4_096;

/// What one session says to another towards a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step<'a> {
    /// It wants to call.
    Offer,
    /// It agrees to an offer.
    Accept,
    /// It describes what it sends, from certificates with these fingerprints.
    Describe(&'a [String]),
    /// It names an address.
    Candidate,
    /// It ends the dialog: hangs up, refuses, or takes its offer back.
    End,
}

/// What becomes of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passage {
    /// The other hears it, and the dialog is another one afterwards.
    Moves,
    /// The other hears it.
    Through,
    /// The other is spared it: it was asked often enough.
    Spared,
}

/// The step does not follow from what was said before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OutOfTurn {
    /// Nobody has offered what is accepted.
    #[error("there is no offer")]
    NoOffer,
    /// The two have not agreed to call each other.
    #[error("there is no dialog")]
    NoDialog,
    /// The certificate is another one than in this dialog before.
    #[error("another certificate")]
    OtherCertificate,
}

/// What two sessions have agreed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreement {
    /// When.
    pub at: Instant,
    /// The fingerprints that each named first.
    pub pinned: [Vec<String>; 2],
}

/// The dialogs of one realm.
#[derive(Debug, Default)]
pub struct Dialogs {
    pairs: BTreeMap<(SessionId, SessionId), Dialog>,
}

#[derive(Debug)]
struct Dialog {
    /// Of the smaller session, and of the other.
    sides: [Side; 2],
    agreed: Option<Instant>,
    last: Instant,
}

#[derive(Debug, Default)]
struct Side {
    /// Its offers that were not accepted, for counting.
    offers: VecDeque<Instant>,
    /// The latest of them, while it may be accepted.
    open: Option<Instant>,
    /// The fingerprints that it named first in this dialog.
    pinned: Vec<String>,
}

impl Dialogs {
    /// Takes one step of `from` towards `to`.
    ///
    /// # Errors
    /// As [`OutOfTurn`] says; nothing has changed.
    pub fn handle_step(
        &mut self,
        now: Instant,
        from: SessionId,
        to: SessionId,
        step: Step<'_>,
    ) -> Result<Passage, OutOfTurn> {
        match step {
            Step::Offer => Ok(self.offer(now, from, to)),
            Step::Accept => self.accept(now, from, to),
            Step::Describe(fingerprints) => self.describe(now, from, to, fingerprints),
            Step::Candidate => self.agreed(now, from, to).map(|_| Passage::Through),
            Step::End => Ok(self.end(from, to)),
        }
    }

    /// Returns what two sessions have agreed on; of the fingerprints those of `one` come first.
    #[must_use]
    pub fn agreement(&self, one: SessionId, other: SessionId) -> Option<Agreement> {
        let dialog = self.pairs.get(&pair(one, other))?;
        let [mut first, mut second] = dialog.sides.each_ref().map(|side| side.pinned.clone());
        if other < one {
            std::mem::swap(&mut first, &mut second);
        }
        Some(Agreement { at: dialog.agreed?, pinned: [first, second] })
    }

    /// Puts back what two sessions had agreed on, as [`Self::agreement`] told it.
    pub fn restore(&mut self, one: SessionId, other: SessionId, agreement: Agreement) {
        self.make_room(one, other);
        let [mut first, mut second] = agreement.pinned;
        if other < one {
            std::mem::swap(&mut first, &mut second);
        }
        let sides = [first, second].map(|pinned| Side { pinned, ..Side::default() });
        let dialog = Dialog { sides, agreed: Some(agreement.at), last: agreement.at };
        self.pairs.insert(pair(one, other), dialog);
    }

    /// Forgets whatever a session has agreed to.
    pub fn forget(&mut self, session: SessionId) {
        self.pairs.retain(|(one, other), _| *one != session && *other != session);
    }

    fn offer(&mut self, now: Instant, from: SessionId, to: SessionId) -> Passage {
        self.make_room(from, to);
        let dialog = self.pairs.entry(pair(from, to)).or_insert_with(|| Dialog {
            sides: Default::default(),
            agreed: None,
            last: now,
        });
        dialog.last = now;
        let Side { offers, open, .. } = dialog.side(from, to);
        let recent = offers.iter().filter(|at| now.saturating_duration_since(**at) < MINUTE).count();
        if recent >= OFFERS {
            return Passage::Spared;
        }
        if offers.len() >= OFFERS {
            offers.pop_front();
        }
        offers.push_back(now);
        *open = Some(now);
        Passage::Moves
    }

    /// Offers stay counted: who takes each of them back asks as often as who does not.
    fn end(&mut self, from: SessionId, to: SessionId) -> Passage {
        let Some(dialog) = self.pairs.get_mut(&pair(from, to)) else { return Passage::Through };
        let mut is_over = dialog.agreed.take().is_some();
        for side in &mut dialog.sides {
            side.pinned.clear();
            is_over |= side.open.take().is_some();
        }
        if is_over { Passage::Moves } else { Passage::Through }
    }

    fn accept(&mut self, now: Instant, from: SessionId, to: SessionId) -> Result<Passage, OutOfTurn> {
        let dialog = self.pairs.get_mut(&pair(from, to)).ok_or(OutOfTurn::NoOffer)?;
        let offered = dialog.side(to, from).open;
        let is_offered = offered.is_some_and(|at| now.saturating_duration_since(at) < GOOD_FOR);
        if !is_offered {
            return Err(OutOfTurn::NoOffer);
        }
        *dialog = Dialog { sides: Default::default(), agreed: Some(now), last: now };
        Ok(Passage::Moves)
    }

    fn describe(
        &mut self,
        now: Instant,
        from: SessionId,
        to: SessionId,
        fingerprints: &[String],
    ) -> Result<Passage, OutOfTurn> {
        let pinned = &mut self.agreed(now, from, to)?.side(from, to).pinned;
        if pinned.is_empty() && !fingerprints.is_empty() {
            *pinned = fingerprints.to_vec();
            return Ok(Passage::Moves);
        }
        if *pinned == fingerprints { Ok(Passage::Through) } else { Err(OutOfTurn::OtherCertificate) }
    }

    fn agreed(&mut self, now: Instant, from: SessionId, to: SessionId) -> Result<&mut Dialog, OutOfTurn> {
        let dialog = self.pairs.get_mut(&pair(from, to)).ok_or(OutOfTurn::NoDialog)?;
        if dialog.agreed.is_none_or(|at| now.saturating_duration_since(at) >= GOOD_FOR) {
            return Err(OutOfTurn::NoDialog);
        }
        dialog.last = now;
        Ok(dialog)
    }

    fn make_room(&mut self, from: SessionId, to: SessionId) {
        if self.pairs.len() < PAIRS || self.pairs.contains_key(&pair(from, to)) {
            return;
        }
        let silent = self.pairs.iter().min_by_key(|(_, dialog)| dialog.last).map(|(pair, _)| *pair);
        silent.map(|pair| self.pairs.remove(&pair));
    }
}

impl Dialog {
    fn side(&mut self, of: SessionId, towards: SessionId) -> &mut Side {
        let [smaller, larger] = &mut self.sides;
        if of < towards { smaller } else { larger }
    }
}

fn pair(one: SessionId, other: SessionId) -> (SessionId, SessionId) {
    if one < other { (one, other) } else { (other, one) }
}
