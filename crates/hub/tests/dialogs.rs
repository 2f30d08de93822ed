//! Which steps towards a call follow from what was said before.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]
#![allow(clippy::disallowed_methods, reason = "a test may begin at the real time")]

use std::time::{Duration, Instant};

use hub::{Agreement, Dialogs, OutOfTurn, Passage, Step};
use identity::SessionId;

const ANA: SessionId = SessionId(1);
const BEN: SessionId = SessionId(2);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

const MOVES: Result<Passage, OutOfTurn> = Ok(Passage::Moves);
const THROUGH: Result<Passage, OutOfTurn> = Ok(Passage::Through);
const NO_OFFER: Result<Passage, OutOfTurn> = Err(OutOfTurn::NoOffer);
const NO_DIALOG: Result<Passage, OutOfTurn> = Err(OutOfTurn::NoDialog);

/// Who takes a step, which, and what becomes of it.
type Told<'a> = (SessionId, Step<'a>, Result<Passage, OutOfTurn>);

/// Tells a story between the two, and checks what becomes of each step.
fn tell(story: &[Told<'_>]) {
    tell_at(&mut Dialogs::default(), Instant::now(), story);
}

fn tell_at(dialogs: &mut Dialogs, now: Instant, story: &[Told<'_>]) {
    for (number, (from, step, expected)) in story.iter().enumerate() {
        let to = if *from == ANA { BEN } else { ANA };
        assert_eq!(dialogs.handle_step(now, *from, to, *step), *expected, "step {number} of {story:?}");
    }
}

#[test]
fn an_offer_that_was_taken_back_or_refused_cannot_be_accepted() {
    for who_ends in [ANA, BEN] {
        tell(&[
            (ANA, Step::Offer, MOVES),
            (who_ends, Step::End, MOVES),
            (BEN, Step::Accept, NO_OFFER),
            (BEN, Step::Candidate, NO_DIALOG),
            (ANA, Step::Describe(&[]), NO_DIALOG),
            (ANA, Step::Offer, MOVES),
            (BEN, Step::Accept, MOVES),
            (ANA, Step::Candidate, THROUGH),
        ]);
    }
}

#[test]
fn an_end_takes_back_what_both_have_offered() {
    tell(&[
        (ANA, Step::Offer, MOVES),
        (BEN, Step::Offer, MOVES),
        (ANA, Step::End, MOVES),
        (BEN, Step::End, THROUGH),
        (ANA, Step::Accept, NO_OFFER),
        (BEN, Step::Accept, NO_OFFER),
    ]);
}

#[test]
fn offers_that_are_taken_back_are_counted_all_the_same() {
    let (mut dialogs, now) = (Dialogs::default(), Instant::now());
    let asked = [(ANA, Step::Offer, MOVES), (ANA, Step::End, MOVES)];
    for _ in 0..4 {
        tell_at(&mut dialogs, now, &asked);
    }
    let spared = [(ANA, Step::Offer, Ok(Passage::Spared)), (BEN, Step::Accept, NO_OFFER)];
    tell_at(&mut dialogs, now, &spared);
    tell_at(&mut dialogs, now + Duration::from_secs(60), &asked);
}

#[test]
fn a_close_ends_a_dialog_and_what_comes_late_of_it_does_not_pass() {
    tell(&[
        (ANA, Step::Offer, MOVES),
        (BEN, Step::Accept, MOVES),
        (BEN, Step::Candidate, THROUGH),
        (ANA, Step::End, MOVES),
        (BEN, Step::Candidate, NO_DIALOG),
        (BEN, Step::Accept, NO_OFFER),
        (ANA, Step::Offer, MOVES),
        (BEN, Step::Candidate, NO_DIALOG),
        (BEN, Step::Accept, MOVES),
        (BEN, Step::Candidate, THROUGH),
    ]);
}

#[test]
fn offers_and_agreements_are_good_for_a_day() {
    let begun = Instant::now();
    let almost = begun + DAY.saturating_sub(Duration::from_secs(1));
    for (then, accepted) in [(almost, MOVES), (begun + DAY, NO_OFFER)] {
        let mut dialogs = Dialogs::default();
        tell_at(&mut dialogs, begun, &[(ANA, Step::Offer, MOVES)]);
        tell_at(&mut dialogs, then, &[(BEN, Step::Accept, accepted)]);
    }
    for (then, passes) in [(almost, THROUGH), (begun + DAY, NO_DIALOG)] {
        let mut dialogs = Dialogs::default();
        tell_at(&mut dialogs, begun, &[(ANA, Step::Offer, MOVES), (BEN, Step::Accept, MOVES)]);
        tell_at(&mut dialogs, then, &[(BEN, Step::Candidate, passes)]);
    }
}

#[test]
fn what_was_agreed_on_can_be_told_and_put_back() {
    let (begun, mut dialogs) = (Instant::now(), Dialogs::default());
    let his = ["sha-256 AB".to_owned()];
    tell_at(&mut dialogs, begun, &[(ANA, Step::Offer, MOVES)]);
    assert_eq!(dialogs.agreement(ANA, BEN), None);
    tell_at(&mut dialogs, begun, &[(BEN, Step::Accept, MOVES), (BEN, Step::Describe(&his), MOVES)]);
    let told = dialogs.agreement(ANA, BEN).unwrap();
    assert_eq!(told, Agreement { at: begun, pinned: [vec![], his.to_vec()] });
    let mut again = Dialogs::default();
    again.restore(BEN, ANA, dialogs.agreement(BEN, ANA).unwrap());
    assert_eq!(again.agreement(ANA, BEN), Some(told.clone()));
    let other = ["sha-256 CD".to_owned()];
    let refused = Err(OutOfTurn::OtherCertificate);
    tell_at(
        &mut again,
        begun,
        &[(BEN, Step::Describe(&other), refused), (ANA, Step::Describe(&other), MOVES)],
    );
    let mut late = Dialogs::default();
    late.restore(ANA, BEN, told);
    tell_at(&mut late, begun + DAY, &[(ANA, Step::Candidate, NO_DIALOG)]);
}
