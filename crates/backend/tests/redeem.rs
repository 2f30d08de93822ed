//! An invite gives as many sessions as it says, however many ask at once, and one answer to everybody else.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

mod fixture;

use std::time::Duration;

use backend::StoreError;
use fixture::{Fixture, INVITE, LATER, NOW, ROOM, entry, invite_token, new_invite, new_session};
use identity::{InviteId, SessionId, UnixMillis};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_a_hundred_at_once_ten_redeem_an_invite_of_ten_uses() {
    let fixture = Fixture::with_invite(10).await;
    let redeems: Vec<_> = (0..100)
        .map(|number| {
            let store = fixture.store.clone();
            tokio::spawn(async move {
                store
                    .redeem_invite(&invite_token(1), &new_session(number), NOW, |_| entry("invite.redeem"))
                    .await
            })
        })
        .collect();
    let mut redeemed = Vec::new();
    for (number, redeem) in redeems.into_iter().enumerate() {
        if redeem.await.unwrap().unwrap().is_some() {
            redeemed.push(SessionId(u128::try_from(number).unwrap()));
        }
    }
    assert_eq!(redeemed.len(), 10);
    let mut sessions: Vec<_> =
        fixture.store.sessions_of_room(ROOM, NOW).await.unwrap().iter().map(|session| session.id).collect();
    sessions.sort();
    assert_eq!(sessions, redeemed);
    assert_eq!(fixture.store.invites_of(ROOM).await.unwrap()[0].used, 10);
    assert_eq!(fixture.audit_actions().await.iter().filter(|action| *action == "invite.redeem").count(), 10);
}

#[tokio::test]
async fn every_refusal_is_the_same_answer_and_changes_nothing() {
    let fixture = Fixture::with_invite(1).await;
    let store = &fixture.store;
    store.create_invite(&new_invite(InviteId(2), 2, 9), &entry("invite.create")).await.unwrap();
    store.create_invite(&new_invite(InviteId(3), 3, 9), &entry("invite.create")).await.unwrap();
    store.revoke_invite(ROOM, InviteId(2), NOW, &entry("invite.revoke")).await.unwrap();
    fixture.redeem(1, 100, NOW).await.unwrap();
    let before = store.audit_page(None, 200).await.unwrap();

    let rows = [
        ("unknown", 99, NOW),
        ("used up", 1, NOW),
        ("revoked", 2, NOW),
        ("expired", 3, LATER),
        ("expired long ago", 3, UnixMillis::MAX),
    ];
    for (what, invite, now) in rows {
        assert_eq!(fixture.redeem(invite, 200, now).await, None, "{what}");
    }
    assert_eq!(store.audit_page(None, 200).await.unwrap(), before);
    assert_eq!(store.session_by_token(&new_session(200).token).await.unwrap(), None);
    let used: Vec<_> = store.invites_of(ROOM).await.unwrap().iter().map(|invite| invite.used).collect();
    assert_eq!(used, [0, 0, 1]);
    assert!(fixture.redeem(3, 200, UnixMillis(LATER.0 - 1)).await.is_some());
}

#[tokio::test]
async fn a_session_id_that_is_taken_costs_the_invite_no_use() {
    let fixture = Fixture::with_invite(2).await;
    fixture.redeem(1, 1, NOW).await.unwrap();
    let again = fixture.store.redeem_invite(&invite_token(1), &new_session(1), NOW, |_| entry("again")).await;
    assert_eq!(again, Err(StoreError::Conflict));
    assert_eq!(fixture.store.invites_of(ROOM).await.unwrap()[0].used, 1);
}

#[tokio::test]
async fn the_audit_line_of_a_redeem_is_told_what_was_redeemed() {
    let fixture = Fixture::with_invite(1).await;
    let told = fixture
        .store
        .redeem_invite(&invite_token(1), &new_session(1), NOW, |redeemed| {
            let mut line = entry("invite.redeem");
            line.detail = format!("{} {}", redeemed.room, redeemed.invite);
            line
        })
        .await;
    assert!(told.unwrap().is_some());
    let newest = fixture.store.audit_page(None, 1).await.unwrap();
    assert_eq!(newest[0].entry.detail, format!("{ROOM} {INVITE}"));
}

#[tokio::test]
async fn callers_that_go_away_leave_no_half_change_behind() {
    let fixture = Fixture::with_invite(10_000).await;
    let mut stayed = 0;
    for number in 0..300_u32 {
        let (invite, session) = (invite_token(1), new_session(number.into()));
        let redeem = fixture.store.redeem_invite(&invite, &session, NOW, |_| entry("invite.redeem"));
        // The turns sweep over the length of a redeem, so that callers leave at every stage of it.
        tokio::select! {
            biased;
            redeemed = redeem => stayed += usize::from(redeemed.unwrap().is_some()),
            () = turns(number * 10) => {}
        }
    }
    assert!(fixture.redeem(1, 1_000, NOW).await.is_some());
    let sessions = fixture.store.sessions_of_room(ROOM, NOW).await.unwrap().len();
    let used = fixture.store.invites_of(ROOM).await.unwrap()[0].used;
    let lines = fixture.audit_actions_of("invite.redeem").await;
    assert_eq!((usize::try_from(used).unwrap(), lines), (sessions, sessions));
    assert!((1..300).contains(&stayed) && sessions > stayed, "{stayed} of 300 stayed");
}

async fn turns(count: u32) {
    for _ in 0..count {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_reader_waits_for_no_writer() {
    let fixture = Fixture::with_invite(1).await;
    fixture.redeem(1, 1, NOW).await.unwrap();
    // Another process holds the write lock for the whole of the test.
    sqlx::any::install_default_drivers();
    let lock = sqlx::AnyPool::connect(&format!("sqlite://{}", fixture.file().display())).await.unwrap();
    let held = lock.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let token = new_session(1).token;
    let found = fixture.store.session_by_token(&token);
    let found = tokio::time::timeout(Duration::from_secs(2), found).await.expect("it waited for the lock");
    assert!(found.unwrap().is_some());
    held.rollback().await.unwrap();
}
