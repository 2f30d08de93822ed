//! The audit record grows and does nothing else.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

mod fixture;

use backend::{AuditEntry, Outcome};
use fixture::{Fixture, entry};
use identity::UnixMillis;

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
