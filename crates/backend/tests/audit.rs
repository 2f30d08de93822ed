//! The audit record grows, and loses its oldest lines where that is wanted.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

mod fixture;

use std::cell::Cell;

use backend::{AuditEntry, Expiry, Outcome, Store};
use fixture::{Fixture, INVITE, LATER, NOW, ROOM, entry, new_room};
use identity::{RoomKey, SessionId, UnixMillis};

const OTHER: RoomKey = RoomKey(0xb0);

#[tokio::test]
async fn a_line_comes_back_as_it_was_written() {
    let fixture = Fixture::new().await;
    let line = AuditEntry {
        at: UnixMillis(1),
        actor: "guest 'a'; DROP TABLE audit; --".into(),
        action: "authenticate".into(),
        subject: "ü".into(),
        outcome: Outcome::Refused,
        address: "2001:db8::/64".into(),
        count: u32::MAX,
        detail: "wrong secret".into(),
    };
    fixture.store.append_audit(&[entry("first"), line.clone()]).await.unwrap();
    let page = fixture.store.audit_page(None, 10).await.unwrap();
    assert_eq!(page[0].entry, line);
    assert_eq!(page[1].entry, entry("first"));
}

#[tokio::test]
async fn pages_go_from_the_newest_to_the_oldest() {
    let fixture = Fixture::new().await;
    let lines: Vec<_> = (0..25).map(|number| entry(&format!("action {number}"))).collect();
    fixture.store.append_audit(&lines).await.unwrap();
    fixture.store.append_audit(&[]).await.unwrap();
    let (mut seen, mut before) = (Vec::new(), None);
    loop {
        let page = fixture.store.audit_page(before, 10).await.unwrap();
        let Some(last) = page.last() else { break };
        assert!(page.len() <= 10);
        before = Some(last.seq);
        seen.extend(page.into_iter().map(|record| record.entry));
    }
    seen.reverse();
    assert_eq!(seen, lines);
    assert_eq!(fixture.store.audit_page(None, 0).await.unwrap(), []);
    assert_eq!(fixture.store.audit_page(Some(0), 10).await.unwrap(), []);
    assert_eq!(fixture.store.audit_page(Some(u64::MAX), 1).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_room_has_its_own_lines_whatever_else_happens() {
    let fixture = Fixture::with_invite(1).await;
    let store = &fixture.store;
    store.create_room(&new_room(OTHER), &entry("room.create")).await.unwrap();
    fixture.redeem(1, 0x51, NOW).await.unwrap();
    let about = |subject: String, action: &str| AuditEntry { subject, ..entry(action) };
    let lines = [
        about(ROOM.to_string(), "of the room"),
        about(OTHER.to_string(), "of another"),
        about(INVITE.to_string(), "of its invite"),
        about(SessionId(0x51).to_string(), "of its guest"),
        about(SessionId(0x52).to_string(), "of nobody's guest"),
    ];
    store.append_audit(&lines).await.unwrap();
    store.append_audit(&vec![entry("noise"); 500]).await.unwrap();
    let gone = about(SessionId(0x51).to_string(), "its guest is removed");
    store.revoke_session(ROOM, SessionId(0x51), LATER, &gone).await.unwrap();
    let actions = async |room, before, limit| {
        let page = store.audit_page_of_room(room, before, limit).await.unwrap();
        page.into_iter().map(|line| (line.entry.action, line.seq)).collect::<Vec<_>>()
    };
    let named = |page: &[(String, u64)]| page.iter().map(|(action, _)| action.clone()).collect::<Vec<_>>();
    let newest = actions(ROOM, None, 2).await;
    assert_eq!(named(&newest), ["its guest is removed", "of its guest"]);
    let older = actions(ROOM, Some(newest[1].1), 200).await;
    assert_eq!(named(&older), ["of its invite", "of the room"]);
    assert_eq!(named(&actions(OTHER, None, 200).await), ["of another"]);
    assert_eq!(actions(RoomKey(0xff), None, 200).await, []);
}

#[tokio::test]
async fn no_line_can_be_changed_deleted_or_replaced() {
    let fixture = Fixture::new().await;
    fixture.store.append_audit(&[entry("one"), entry("two")]).await.unwrap();
    let before = fixture.store.audit_page(None, 10).await.unwrap();
    sqlx::any::install_default_drivers();
    let other = sqlx::AnyPool::connect(&format!("sqlite://{}", fixture.file().display())).await.unwrap();
    let attempts = [
        "UPDATE audit SET detail = 'x'",
        "UPDATE audit SET seq = 99 WHERE seq = 1",
        "UPDATE OR IGNORE audit SET detail = 'x'",
        "DELETE FROM audit",
        "DELETE FROM audit WHERE seq = 1",
        "INSERT OR REPLACE INTO audit VALUES (1, 0, '', '', '', '', '', 1, '')",
        "REPLACE INTO audit VALUES (2, 0, '', '', '', '', '', 1, '')",
        "INSERT INTO audit VALUES (1, 0, '', '', '', '', '', 1, '') ON CONFLICT (seq) DO UPDATE SET detail = 'x'",
    ];
    for attempt in attempts {
        let refused = sqlx::query(attempt).execute(&other).await.unwrap_err().to_string();
        assert!(refused.contains("append-only"), "{attempt}: {refused}");
    }
    assert_eq!(fixture.store.audit_page(None, 10).await.unwrap(), before);
}

#[tokio::test]
async fn only_the_oldest_lines_are_forgotten_and_bit_by_bit() {
    let fixture = Fixture::new().await;
    let store = &fixture.store;
    let at = |at: u64, action: &str| AuditEntry { at: UnixMillis(at), ..entry(action) };
    let lines: Vec<_> = (1..=10).map(|number| at(number * 10, "a")).collect();
    store.append_audit(&lines).await.unwrap();
    // The clock went back for a moment: it is not older than those before it, which are kept.
    store.append_audit(&[at(1, "late"), at(200, "b")]).await.unwrap();

    assert_eq!(expire(store, 10).await, 0, "from 10 on is kept");
    assert_eq!(seqs(store).await, Vec::from_iter(1..=12), "and of nothing there is no line");
    assert_eq!(expire(store, 45).await, 4);
    assert_eq!(seqs(store).await, Vec::from_iter(1..=13), "marked, and on record");
    assert_eq!(store.audit_page(None, 1).await.unwrap()[0].entry.action, "expired 4");
    let mut deleted = Vec::new();
    for _ in 0..3 {
        deleted.push(store.delete_expired_audit(3).await.unwrap());
    }
    assert_eq!(deleted, [3, 1, 0]);
    assert_eq!(seqs(store).await, Vec::from_iter(5..=13));
    assert_eq!(expire(store, 45).await, 0, "it is done once");

    assert_eq!(expire(store, NOW.0 + 1).await, 9);
    assert_eq!(store.delete_expired_audit(100).await, Ok(9));
    assert_eq!(seqs(store).await, [14], "what says so is there");
    store.append_audit(&[at(1, "next")]).await.unwrap();
    assert_eq!(seqs(store).await, [14, 15], "numbers are not used again");
}

#[tokio::test]
async fn a_line_that_is_written_meanwhile_is_not_forgotten() {
    let fixture = Fixture::new().await;
    let store = &fixture.store;
    for round in 1..=50 {
        let at = |at: u64, action: &str| [AuditEntry { at: UnixMillis(at), ..entry(action) }];
        let young = at(round, "young");
        let is_written = Cell::new(false);
        let write = async {
            store.append_audit(&young).await.unwrap();
            is_written.set(true);
        };
        // Again and again until it is written, so that they meet.
        let expire = async {
            while !is_written.get() {
                let expiry = Expiry { before: UnixMillis(round), but: "key" };
                store.expire_audit(expiry, |_| at(0, "expired")[0].clone()).await.unwrap();
            }
        };
        tokio::join!(write, expire);
        store.delete_expired_audit(100).await.unwrap();
        let kept = store.audit_page(None, 100).await.unwrap();
        assert!(kept.iter().any(|line| line.entry == young[0]), "round {round}");
    }
}

#[tokio::test]
async fn a_mark_is_kept_over_a_restart_and_goes_by_the_time_that_is_asked() {
    let fixture = Fixture::new().await;
    let lines: Vec<_> = (1..=6).map(|at| AuditEntry { at: UnixMillis(at), ..entry("a") }).collect();
    fixture.store.append_audit(&lines).await.unwrap();
    assert_eq!(expire(&fixture.store, 5).await, 4);
    fixture.store.close().await;
    let store = Store::open(&fixture.file()).await.unwrap();
    assert_eq!(store.delete_expired_audit(2).await, Ok(2));
    // More is to be kept now than when it was marked; what is gone is gone.
    assert_eq!(expire(&store, 4).await, 0);
    assert_eq!(expire(&store, 6).await, 1);
    assert_eq!(store.delete_expired_audit(100).await, Ok(3));
    assert_eq!(seqs(&store).await, [6, 7, 8]);
}

#[tokio::test]
async fn the_newest_key_outlives_its_time() {
    let fixture = Fixture::new().await;
    let store = &fixture.store;
    let lines = ["key", "a", "key", "a", "a"].map(entry);
    store.append_audit(&lines).await.unwrap();
    let late = NOW.0 + 1;
    assert_eq!(expire(store, late).await, 4, "all but the second key");
    assert_eq!(store.delete_expired_audit(100).await, Ok(4));
    assert_eq!(seqs(store).await, [3, 6]);
    store.append_audit(&["key", "a"].map(entry)).await.unwrap();
    assert_eq!(
        expire(store, late).await,
        3,
        "the key that was kept, the line on that, and what followed the last key"
    );
    assert_eq!(store.delete_expired_audit(100).await, Ok(3));
    assert_eq!(seqs(store).await, [7, 9]);
}

#[tokio::test]
async fn nobody_deletes_what_is_not_marked() {
    let fixture = Fixture::new().await;
    let lines = ["a", "key", "a", "a"].map(entry);
    let early: Vec<_> = lines.into_iter().map(|line| AuditEntry { at: UnixMillis(1), ..line }).collect();
    fixture.store.append_audit(&early).await.unwrap();
    expire(&fixture.store, 2).await;
    let late = [AuditEntry { at: UnixMillis(2), ..entry("kept") }];
    fixture.store.append_audit(&late).await.unwrap();
    sqlx::any::install_default_drivers();
    let other = sqlx::AnyPool::connect(&format!("sqlite://{}", fixture.file().display())).await.unwrap();
    for attempt in
        ["DELETE FROM audit", "DELETE FROM audit WHERE seq = 2", "DELETE FROM audit WHERE seq >= 5"]
    {
        let refused = sqlx::query(attempt).execute(&other).await.unwrap_err().to_string();
        assert!(refused.contains("append-only"), "{attempt}: {refused}");
    }
    assert_eq!(seqs(&fixture.store).await, Vec::from_iter(1..=6));
    assert_eq!(fixture.store.delete_expired_audit(100).await, Ok(3));
    assert_eq!(seqs(&fixture.store).await, [2, 5, 6]);
}

/// Returns how many lines are marked that are older than `before`; "key" is the action of which one stays.
async fn expire(store: &Store, before: u64) -> u64 {
    let expiry = Expiry { before: UnixMillis(before), but: "key" };
    store.expire_audit(expiry, |count| entry(&format!("expired {count}"))).await.unwrap()
}

async fn seqs(store: &Store) -> Vec<u64> {
    let mut seqs: Vec<_> = store.audit_page(None, 100).await.unwrap().iter().map(|line| line.seq).collect();
    seqs.reverse();
    seqs
}
