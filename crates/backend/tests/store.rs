//! What goes into the store comes out of it, and what is not there is refused.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

mod fixture;

use std::os::unix::fs::PermissionsExt;

use backend::{ConsoleKind, NewConsoleToken, Store, StoreError};
use fixture::{Fixture, INVITE, KEY, LATER, NOW, ROOM, entry, new_invite, new_room, new_session, secret};
use identity::{
    Fingerprint, InviteId, Permission, Principal, RoomKey, SessionId, TokenHash, TokenKind, UnixMillis,
    UserId, hash,
};

#[tokio::test]
async fn a_room_comes_back_as_it_was_made() {
    let fixture = Fixture::new().await;
    let store = &fixture.store;
    store.create_room(&new_room(ROOM), &entry("room.create")).await.unwrap();
    let room = store.room(ROOM).await.unwrap().unwrap();
    assert_eq!((room.id, room.name.as_str(), room.created_at), (ROOM, "Weekly – «ü»", NOW));
    assert_eq!(room.ended_at, None);
    assert_eq!(store.rooms().await.unwrap(), [room]);
    assert_eq!(store.room(RoomKey(1)).await.unwrap(), None);
}

#[tokio::test]
async fn an_id_is_given_once_and_a_refused_change_leaves_no_audit_line() {
    let fixture = Fixture::with_invite(1).await;
    let store = &fixture.store;
    let again = store.create_room(&new_room(ROOM), &entry("again")).await;
    assert_eq!(again, Err(StoreError::Conflict));
    for (id, token) in [(INVITE, 2), (InviteId(2), 1)] {
        let again = store.create_invite(&new_invite(id, token, 1), &entry("again")).await;
        assert_eq!(again, Err(StoreError::Conflict), "{id} {token}");
    }
    assert_eq!(fixture.audit_actions().await, ["room.create", "invite.create"]);
}

#[tokio::test]
async fn what_is_not_there_is_refused_and_leaves_no_audit_line() {
    let fixture = Fixture::with_invite(1).await;
    let (store, refused) = (&fixture.store, entry("refused"));
    fixture.redeem(1, 1, NOW).await.unwrap();
    let elsewhere = RoomKey(0xb0);
    let mut invite = new_invite(InviteId(2), 2, 1);
    invite.room = elsewhere;
    assert_eq!(store.create_invite(&invite, &refused).await, Err(StoreError::NotFound));
    assert_eq!(store.end_room(elsewhere, NOW, &refused).await, Err(StoreError::NotFound));
    assert_eq!(store.revoke_invite(elsewhere, INVITE, NOW, &refused).await, Err(StoreError::NotFound));
    assert_eq!(store.revoke_invite(ROOM, InviteId(9), NOW, &refused).await, Err(StoreError::NotFound));
    let session = SessionId(1);
    assert_eq!(store.revoke_session(elsewhere, session, NOW, &refused).await, Err(StoreError::NotFound));
    assert_eq!(store.revoke_session(ROOM, SessionId(9), NOW, &refused).await, Err(StoreError::NotFound));
    assert_eq!(fixture.audit_actions().await, ["room.create", "invite.create", "invite.redeem"]);
    assert_eq!(store.sessions_of_room(ROOM, NOW).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_session_comes_back_bound_to_its_keys() {
    let fixture = Fixture::with_invite(1).await;
    let redeemed = fixture.redeem(1, 5, NOW).await.unwrap();
    assert_eq!((redeemed.invite, redeemed.room), (INVITE, ROOM));
    assert_eq!(
        (redeemed.room_name.as_str(), redeemed.permissions.to_string().as_str()),
        ("Weekly – «ü»", "speak,share")
    );

    let expected = new_session(5);
    let session = fixture.store.session_by_token(&expected.token).await.unwrap().unwrap();
    assert_eq!((session.id, session.room, session.invite), (SessionId(5), ROOM, INVITE));
    assert_eq!((session.name.as_str(), session.room_name.as_str()), ("Guest 5", "Weekly – «ü»"));
    assert_eq!(session.created_at, NOW);
    assert_eq!(session.participant.key.to_string(), KEY);
    let token = &session.participant.token;
    assert_eq!((token.hash, token.revoked), (expected.token, None));
    assert_eq!(token.grant.principal(), &Principal::guest(SessionId(5)));
    assert_eq!(token.grant.permissions(), redeemed.permissions);
    assert_eq!(
        (token.grant.expires(), token.grant.bound_to()),
        (LATER, [Fingerprint::from_bytes([7; 32])].as_slice())
    );

    assert_eq!(fixture.store.sessions_of_room(ROOM, NOW).await.unwrap(), [session]);
    assert_eq!(fixture.store.sessions_of_room(ROOM, LATER).await.unwrap(), []);
    assert_eq!(fixture.store.session_by_token(&TokenHash::from_bytes([0; 32])).await.unwrap(), None);
}

#[tokio::test]
async fn a_revoked_session_stays_revoked() {
    let fixture = Fixture::with_invite(2).await;
    let store = &fixture.store;
    fixture.redeem(1, 1, NOW).await.unwrap();
    store.revoke_session(ROOM, SessionId(1), NOW, &entry("session.revoke")).await.unwrap();
    let again = store.revoke_session(ROOM, SessionId(1), LATER, &entry("again")).await;
    assert_eq!(again, Err(StoreError::NotFound));
    let session = store.session_by_token(&new_session(1).token).await.unwrap().unwrap();
    assert_eq!(session.participant.token.revoked, Some(NOW));
    assert_eq!(store.sessions_of_room(ROOM, NOW).await.unwrap(), []);
}

#[tokio::test]
async fn a_revoked_invite_takes_its_sessions_along_and_no_others() {
    let fixture = Fixture::with_invite(5).await;
    let store = &fixture.store;
    store.create_invite(&new_invite(InviteId(2), 2, 5), &entry("invite.create")).await.unwrap();
    for (invite, session) in [(1, 1), (1, 2), (1, 3), (2, 4)] {
        fixture.redeem(invite, session, NOW).await.unwrap();
    }
    store.revoke_session(ROOM, SessionId(2), NOW, &entry("session.revoke")).await.unwrap();
    let mut revoked = store.revoke_invite(ROOM, INVITE, LATER, &entry("invite.revoke")).await.unwrap();
    revoked.sort();
    assert_eq!(revoked, [SessionId(1), SessionId(3)]);
    let left = store.sessions_of_room(ROOM, NOW).await.unwrap();
    assert_eq!(left.iter().map(|session| session.id).collect::<Vec<_>>(), [SessionId(4)]);
    assert_eq!(store.revoke_invite(ROOM, INVITE, NOW, &entry("invite.revoke")).await, Ok(vec![]));

    let invites = store.invites_of(ROOM).await.unwrap();
    let seen: Vec<_> = invites.iter().map(|invite| (invite.id, invite.used, invite.revoked_at)).collect();
    assert_eq!(seen, [(InviteId(2), 1, None), (INVITE, 3, Some(LATER))]);
    assert_eq!((invites[1].uses, invites[1].expires_at, invites[1].created_at), (5, LATER, NOW));
    assert_eq!(invites[1].permissions.to_string(), "speak,share");
}

#[tokio::test]
async fn an_ended_room_revokes_its_sessions_and_takes_no_invites() {
    let fixture = Fixture::with_invite(5).await;
    let store = &fixture.store;
    fixture.redeem(1, 1, NOW).await.unwrap();
    assert_eq!(store.end_room(ROOM, NOW, &entry("room.end")).await, Ok(vec![SessionId(1)]));
    assert_eq!(store.end_room(ROOM, NOW, &entry("again")).await, Err(StoreError::NotFound));
    let invite = store.create_invite(&new_invite(InviteId(2), 2, 1), &entry("again")).await;
    assert_eq!(invite, Err(StoreError::NotFound));
    assert_eq!(fixture.redeem(1, 2, NOW).await, None);
    assert_eq!(store.room(ROOM).await.unwrap().unwrap().ended_at, Some(NOW));
    assert_eq!(store.rooms().await.unwrap(), []);
    let session = store.session_by_token(&new_session(1).token).await.unwrap().unwrap();
    assert_eq!(session.participant.token.revoked, Some(NOW));
}

#[tokio::test]
async fn a_sign_in_link_is_exchanged_once() {
    let fixture = Fixture::new().await;
    let store = &fixture.store;
    let link = console_token(ConsoleKind::SignIn, TokenKind::SignIn, 1, LATER);
    store.put_console_token(&link, &entry("link.create")).await.unwrap();
    let found = store.find_console_token(ConsoleKind::SignIn, &link.hash).await.unwrap().unwrap();
    assert_eq!(found.grant.principal(), &Principal::operator(UserId::new("operator")));
    assert!(found.grant.permissions().contains(Permission::ManageRealm));
    assert_eq!(store.find_console_token(ConsoleKind::Console, &link.hash).await, Ok(None));

    let mut exchanges = Vec::new();
    for number in 10..20 {
        let token = console_token(ConsoleKind::Console, TokenKind::Console, number, LATER);
        let (store, link) = (store.clone(), link.hash);
        exchanges.push(tokio::spawn(async move {
            (token.hash, store.exchange_sign_in(&link, &token, &entry("sign-in")).await)
        }));
    }
    let mut signed_in = Vec::new();
    for exchange in exchanges {
        match exchange.await.unwrap() {
            (token, Ok(())) => signed_in.push(token),
            (_, refused) => assert_eq!(refused, Err(StoreError::NotFound)),
        }
    }
    assert_eq!(signed_in.len(), 1);
    let token = store.find_console_token(ConsoleKind::Console, &signed_in[0]).await.unwrap();
    assert_eq!(token.map(|token| token.grant.expires()), Some(LATER));

    store.delete_console_token(&signed_in[0], &entry("sign-out")).await.unwrap();
    assert_eq!(store.find_console_token(ConsoleKind::Console, &signed_in[0]).await, Ok(None));
    let again = store.delete_console_token(&signed_in[0], &entry("again")).await;
    assert_eq!(again, Err(StoreError::NotFound));
    assert_eq!(fixture.audit_actions().await, ["link.create", "sign-in", "sign-out"]);
}

#[tokio::test]
async fn an_expired_link_is_not_exchanged_and_is_forgotten() {
    let fixture = Fixture::new().await;
    let store = &fixture.store;
    let link = console_token(ConsoleKind::SignIn, TokenKind::SignIn, 1, UnixMillis(NOW.0 + 1));
    store.put_console_token(&link, &entry("link.create")).await.unwrap();
    let mut token = console_token(ConsoleKind::Console, TokenKind::Console, 2, LATER);
    token.created_at = UnixMillis(NOW.0 + 1);
    let refused = store.exchange_sign_in(&link.hash, &token, &entry("sign-in")).await;
    assert_eq!(refused, Err(StoreError::NotFound));
    assert!(store.find_console_token(ConsoleKind::SignIn, &link.hash).await.unwrap().is_some());
    store.put_console_token(&token, &entry("link.create")).await.unwrap();
    assert_eq!(store.find_console_token(ConsoleKind::SignIn, &link.hash).await, Ok(None));
}

#[tokio::test]
async fn the_store_is_the_same_after_it_is_opened_again() {
    let fixture = Fixture::with_invite(2).await;
    fixture.redeem(1, 1, NOW).await.unwrap();
    fixture.store.close().await;
    assert!(matches!(fixture.store.rooms().await, Err(StoreError::Unavailable(_))));
    let store = Store::open(&fixture.file()).await.unwrap();
    assert_eq!(store.rooms().await.unwrap().len(), 1);
    assert_eq!(store.invites_of(ROOM).await.unwrap()[0].used, 1);
    assert!(store.session_by_token(&new_session(1).token).await.unwrap().is_some());
    assert_eq!(store.audit_page(None, 9).await.unwrap().len(), 3);
}

#[tokio::test]
async fn every_file_of_the_store_is_closed_to_others() {
    let fixture = Fixture::with_invite(1).await;
    let mut seen = Vec::new();
    for file in std::fs::read_dir(fixture.folder.path()).unwrap() {
        let file = file.unwrap();
        let mode = file.metadata().unwrap().permissions().mode() & 0o777;
        seen.push((file.file_name().into_string().unwrap(), mode));
    }
    seen.sort();
    let expected = ["countersign.db", "countersign.db-shm", "countersign.db-wal"];
    assert_eq!(seen, expected.map(|name| (name.to_owned(), 0o600)));
}

#[tokio::test]
async fn a_path_of_any_characters_is_opened_as_it_is_written() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a b.db", "what?mode=memory", "#1", "100%25", "ü", "+", "'"] {
        let file = folder.path().join(name);
        let store = Store::open(&file).await.unwrap();
        store.create_room(&new_room(ROOM), &entry("room.create")).await.unwrap();
        assert!(std::fs::metadata(&file).unwrap().len() > 0, "{name:?}");
        store.close().await;
    }
}

#[tokio::test]
async fn a_file_that_is_no_database_is_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("countersign.db");
    std::fs::write(&file, "x".repeat(8192)).unwrap();
    assert!(matches!(Store::open(&file).await, Err(StoreError::Corrupt(_))));
}

#[tokio::test]
async fn a_file_in_a_folder_that_is_not_there_is_unavailable() {
    let folder = tempfile::tempdir().unwrap();
    let opened = Store::open(&folder.path().join("no/countersign.db")).await;
    assert!(matches!(opened, Err(StoreError::Unavailable(_))));
}

fn console_token(
    kind: ConsoleKind,
    token: TokenKind,
    number: u128,
    expires_at: UnixMillis,
) -> NewConsoleToken {
    NewConsoleToken {
        hash: hash(token, &secret(token, number)).unwrap(),
        kind,
        operator: UserId::new("operator"),
        created_at: NOW,
        expires_at,
    }
}
