//! What was acknowledged is there after kill -9.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test")]

mod fixture;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use backend::{
    Bearer, ChannelRecord, Entry, Issue, Issued, NewInvitation, NewRealmToken, RealmRecord, Store,
};
use fixture::{LATER, NOW, ROOM, entry, invite_token, new_invite, new_room, new_session, session_token_hash};
use identity::{ChannelId, ChannelRules, ClientId, InviteId, RealmId, RoomKey, Secret};
use sqlx::Row;

/// Names the database to the child, which is this test program, run again.
const STORE: &str = "COUNTERSIGN_TEST_STORE";

#[tokio::test]
async fn what_was_acknowledged_survives_kill_9() {
    // The test runs itself as the process that is killed.
    if let Some(file) = std::env::var_os(STORE) {
        return write_until_killed(Path::new(&file)).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("countersign.db");
    let store = Store::open(&file).await.unwrap();
    store.create_room(&new_room(ROOM), &entry("room.create")).await.unwrap();
    store.create_invite(&new_invite(InviteId(1), 1, 1_000_000), &entry("invite.create")).await.unwrap();
    store.close().await;

    let mut acknowledged = BTreeSet::new();
    for patience in [1, 7, 40, 90, 150] {
        acknowledged.extend(write_and_kill(&file, acknowledged.len(), patience));
        let store = Store::open(&file).await.unwrap();
        for number in &acknowledged {
            let token = session_token_hash(*number);
            assert!(store.session_by_token(&token).await.unwrap().is_some(), "session {number} is lost");
            assert!(store.room(RoomKey(*number)).await.unwrap().is_some(), "room {number} is lost");
            let realm = new_realm(*number);
            assert_eq!(store.realm(&realm.id).await, Ok(Some(realm)), "realm {number} is lost or changed");
            assert!(store.realm_token(&token).await.unwrap().is_some(), "token of realm {number} is lost");
            let (channel, client) = (new_channel(*number), ClientId::from_random(*number));
            assert_eq!(
                store.channel(channel.id).await,
                Ok(Some(channel.clone())),
                "channel {number} is lost"
            );
            let (kept, rules) = store.client(client).await.unwrap().unwrap();
            let lease = Some(Secret::new(client.to_string()));
            assert_eq!(
                (kept.password, kept.life.sessid, rules),
                (token, lease, channel.rules),
                "client {number}"
            );
        }
        // A change is there whole or not at all.
        let sessions = store.sessions_of_room(ROOM, NOW).await.unwrap().len();
        let invites = store.invites_of(ROOM).await.unwrap();
        let used: Vec<_> = invites.iter().map(|invite| usize::try_from(invite.used).unwrap()).collect();
        assert_eq!(used, [sessions]);
        assert_eq!(count(&file, "SELECT count(*) FROM audit WHERE action = 'invite.redeem'").await, sessions);
        assert_eq!(integrity(&file).await, "ok");
        store.close().await;
    }
    assert!(acknowledged.len() >= 288);
}

/// Runs the child until it has acknowledged `patience` pairs of rows, kills it, and returns all that it had acknowledged.
fn write_and_kill(file: &Path, round: usize, patience: usize) -> Vec<u128> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "what_was_acknowledged_survives_kill_9", "--nocapture"])
        .env(STORE, file)
        .env("COUNTERSIGN_TEST_ROUND", (round + 1).to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut acknowledged = Vec::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        if let Some(number) = line.unwrap().strip_prefix("written ").and_then(|rest| rest.strip_suffix('.')) {
            acknowledged.push(number.parse().unwrap());
        }
        if acknowledged.len() == patience {
            child.kill().unwrap();
        }
    }
    assert!(!child.wait().unwrap().success());
    acknowledged
}

async fn write_until_killed(file: &Path) {
    let round: u128 = std::env::var("COUNTERSIGN_TEST_ROUND").unwrap().parse().unwrap();
    let store = Store::open(file).await.unwrap();
    println!();
    for step in 0.. {
        let number = round * 1_000_000 + step;
        store.create_room(&new_room(RoomKey(number)), &entry("room.create")).await.unwrap();
        let mut session = new_session(number);
        session.expires_at = LATER;
        let redeemed = store.redeem_invite(&invite_token(1), &session, NOW, |_| entry("invite.redeem")).await;
        assert!(redeemed.unwrap().is_some());
        let realm = new_realm(number);
        store.register_realm(&realm, &entry("realm.register")).await.unwrap();
        // Any 32 bytes will do for the hash of a token.
        let hash = session_token_hash(number);
        let token = NewRealmToken { realm: realm.id, key: realm.key, hash, expires_at: LATER };
        store.put_realm_token(&token, &entry("realm.login")).await.unwrap();
        write_channel(&store, number).await;
        println!("written {number}.");
        std::io::stdout().flush().unwrap();
    }
}

/// A channel, an invitation to it that is used up, and a client that came by it and has entered.
async fn write_channel(store: &Store, number: u128) {
    let (channel, password) = (new_channel(number), session_token_hash(number));
    let client = ClientId::from_random(number);
    store.create_channel(&channel, &entry("channel.create")).await.unwrap();
    let (id, token) = (channel.id, invite_token(number));
    let invitation = NewInvitation { channel: id, token, uses: 1, created_at: NOW, expires_at: LATER };
    store.create_invitation(&invitation, &entry("channel.invite")).await.unwrap();
    let bearer = Bearer::Visitor { shown: None, fresh: password, invitation: Some(token) };
    let issue =
        Issue { channel: id, session: None, bearer, client, password, proof_key: None, most: 1, at: NOW };
    let issued = store.issue_client(&issue, |_| entry("client.issue")).await.unwrap();
    assert_eq!(issued, Ok(Issued { client, is_new_visitor: true }));
    let lease = Entry { client, password, sessid: Secret::new(client.to_string()), ticket: 0, at: NOW };
    store.enter_client(&lease, &entry("client.login")).await.unwrap();
}

fn new_channel(number: u128) -> ChannelRecord {
    let origins = vec!["https://a.example".to_owned(), "https://b.example".to_owned()];
    let rules = ChannelRules { topic: number.to_string(), origins, ..ChannelRules::default() };
    ChannelRecord { id: ChannelId::from_random(number), rules, created_at: NOW }
}

fn new_realm(number: u128) -> RealmRecord {
    // Captured from rtcd: `vectors/rtcd/auth.json`.
    let key = "$2a$10$zd2dZy95sa5UohIbsBDVdOwhWa.l4H1Ucx/nb0uIilF5lLku9gFGm".parse().unwrap();
    RealmRecord { id: RealmId::new(number.to_string()), key, created_at: NOW }
}

async fn integrity(file: &Path) -> String {
    let pool = sqlx::AnyPool::connect(&format!("sqlite://{}", file.display())).await.unwrap();
    sqlx::query("PRAGMA integrity_check").fetch_one(&pool).await.unwrap().get(0)
}

async fn count(file: &Path, query: &'static str) -> usize {
    let pool = sqlx::AnyPool::connect(&format!("sqlite://{}", file.display())).await.unwrap();
    let counted: i64 = sqlx::query(query).fetch_one(&pool).await.unwrap().get(0);
    usize::try_from(counted).unwrap()
}
