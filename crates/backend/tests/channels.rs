//! Channels and their clients, as the store keeps them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

mod fixture;

use backend::{
    Bearer, ChannelRecord, DialogRecord, DialogSide, Entry, Issue, Issued, Leaving, NewInvitation, NotIssued,
    Store, StoreError,
};
use fixture::{Fixture, LATER, NOW, entry, invite_token};
use identity::{
    Admission, ChannelId, ChannelRules, ClientId, CookieBinding, Secret, SessionName, TokenHash, UnixMillis,
};

const SESSION: &str = "5f0cba6e-2cc8-4b0e-a1f6-0d7d5c2f4a11";

fn hash(number: u8) -> TokenHash {
    TokenHash::from_bytes([number; 32])
}

fn id(number: u128) -> ChannelId {
    ChannelId::from_random(number)
}

async fn channel(store: &Store, number: u128, admission: Admission) -> ChannelId {
    let rules = ChannelRules { admission, ..ChannelRules::default() };
    let record = ChannelRecord { id: id(number), rules, created_at: NOW };
    store.create_channel(&record, &entry("channel.create")).await.unwrap();
    record.id
}

fn visitor(shown: Option<u8>, fresh: u8, invitation: Option<u128>) -> Bearer {
    Bearer::Visitor { shown: shown.map(hash), fresh: hash(fresh), invitation: invitation.map(invite_token) }
}

fn issue(channel: ChannelId, bearer: Bearer, client: u128, session: Option<&str>) -> Issue {
    Issue {
        channel,
        session: session.map(|text| SessionName::parse(text).unwrap()),
        bearer,
        client: ClientId::from_random(client),
        password: hash(200),
        proof_key: None,
        most: 3,
        at: NOW,
    }
}

async fn issued(store: &Store, issue: &Issue) -> Result<Issued, NotIssued> {
    store.issue_client(issue, |_| entry("client.issue")).await.unwrap()
}

/// The rules of the reference, 8.4, each where those before it are kept and those after it are not.
#[tokio::test]
async fn the_first_rule_that_is_broken_is_told_and_nothing_is_changed() {
    let Fixture { store, folder: _folder } = Fixture::new().await;
    let (one, two) =
        (channel(&store, 1, Admission::Open).await, channel(&store, 2, Admission::Invitation).await);
    issued(&store, &issue(one, visitor(None, 1, None), 1, Some(SESSION))).await.unwrap();
    let revoked = issued(&store, &issue(one, visitor(None, 2, None), 2, None)).await.unwrap().client;
    store.revoke_client(one, revoked, NOW, &entry("client.revoke")).await.unwrap();
    let dead = revoked.to_string();
    let rows = [
        (issue(id(9), visitor(Some(2), 9, None), 9, Some(SESSION)), NotIssued::NoChannel),
        (issue(two, visitor(Some(1), 9, None), 9, Some(SESSION)), NotIssued::OtherChannel),
        (issue(one, visitor(Some(2), 9, None), 9, Some(SESSION)), NotIssued::Barred),
        (issue(one, visitor(Some(2), 9, None), 9, None), NotIssued::Barred),
        (issue(one, visitor(None, 9, None), 9, Some(SESSION)), NotIssued::NotYours),
        (issue(one, visitor(Some(7), 9, None), 9, Some(SESSION)), NotIssued::NotYours),
        (issue(one, visitor(Some(7), 9, None), 9, Some(&dead)), NotIssued::NotYours),
        (issue(two, visitor(Some(1), 9, None), 9, None), NotIssued::NotAdmitted),
        (issue(two, visitor(Some(1), 9, Some(5)), 9, None), NotIssued::NotAdmitted),
        (issue(one, Bearer::Headless, 9, None), NotIssued::NotAdmitted),
    ];
    let before = store.audit_page(None, 200).await.unwrap().len();
    for (issue, expected) in rows {
        assert_eq!(issued(&store, &issue).await, Err(expected), "{issue:?}");
    }
    assert_eq!(store.audit_page(None, 200).await.unwrap().len(), before);
    assert!(!store.knows_visitor(&hash(9)).await.unwrap(), "who got nothing is not kept");
    assert_eq!(store.clients_of(one).await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_invitation_is_used_up_only_by_who_gets_in_by_it() {
    let Fixture { store, folder: _folder } = Fixture::new().await;
    let (one, two) =
        (channel(&store, 1, Admission::Invitation).await, channel(&store, 2, Admission::Invitation).await);
    for (token, channel, expires_at) in [(1, one, LATER), (2, two, LATER), (3, one, NOW)] {
        let token = invite_token(token);
        let invitation = NewInvitation { channel, token, uses: 2, created_at: UnixMillis(0), expires_at };
        store.create_invitation(&invitation, &entry("channel.invite")).await.unwrap();
    }
    let ask = async |shown: Option<u8>, fresh: u8, token: Option<u128>, client: u128| {
        issued(&store, &issue(one, visitor(shown, fresh, token), client, None)).await.map(|_| ())
    };
    let refused = Err(NotIssued::NotAdmitted);
    assert_eq!(ask(None, 1, Some(2), 1).await, refused, "of another channel");
    assert_eq!(ask(None, 1, Some(3), 1).await, refused, "expired");
    assert_eq!(ask(None, 1, Some(1), 1).await, Ok(()));
    assert_eq!(ask(Some(1), 9, Some(1), 2).await, Ok(()), "admitted already");
    assert_eq!(ask(Some(1), 9, None, 3).await, Ok(()));
    assert_eq!(ask(None, 2, Some(1), 4).await, Err(NotIssued::Full));
    let gone = ClientId::from_random(3);
    store.revoke_client(one, gone, NOW, &entry("client.revoke")).await.unwrap();
    assert_eq!(ask(None, 2, Some(1), 4).await, Ok(()), "its use was given back");
    assert_eq!(ask(None, 3, Some(1), 5).await, refused, "used up");
}

#[tokio::test]
async fn a_lease_is_its_newest_connections() {
    let Fixture { store, folder: _folder } = Fixture::new().await;
    let one = channel(&store, 1, Admission::Open).await;
    let client = issued(&store, &issue(one, visitor(None, 1, None), 1, None)).await.unwrap().client;
    let enter = async |ticket, password| {
        let lease = Entry { client, password, sessid: Secret::new("s"), ticket, at: NOW };
        store.enter_client(&lease, &entry("client.login")).await
    };
    let dropped = async || store.client(client).await.unwrap().unwrap().0.life.dropped;
    let leave = async |ticket| store.leave_clients(&[Leaving { client, ticket, at: LATER }]).await.unwrap();
    assert_eq!(enter(1, hash(9)).await, Err(StoreError::NotFound));
    assert!(!store.has_entered(one, client).await.unwrap());
    enter(1, hash(200)).await.unwrap();
    enter(2, hash(200)).await.unwrap();
    leave(1).await;
    assert_eq!(dropped().await, None);
    leave(2).await;
    assert_eq!(dropped().await, Some(LATER));
    enter(3, hash(200)).await.unwrap();
    assert_eq!(dropped().await, None);
    store.leave_all_clients(LATER).await.unwrap();
    assert_eq!(dropped().await, Some(LATER), "at the next start");
    assert!(store.has_entered(one, client).await.unwrap());
    // Another password takes the lease away, and what is said of the connection that had it means nothing.
    issued(&store, &issue(one, visitor(Some(1), 9, None), 1, Some(&client.to_string()))).await.unwrap();
    leave(3).await;
    let life = store.client(client).await.unwrap().unwrap().0.life;
    assert_eq!((life.sessid, life.dropped), (None, None));
}

#[tokio::test]
async fn a_client_without_cookies_is_no_visitors() {
    let Fixture { store, folder: _folder } = Fixture::new().await;
    let rules = ChannelRules { cookie_binding: CookieBinding::Optional, ..ChannelRules::default() };
    let record = ChannelRecord { id: id(1), rules, created_at: NOW };
    store.create_channel(&record, &entry("channel.create")).await.unwrap();
    let made = issued(&store, &issue(id(1), Bearer::Headless, 1, Some(SESSION))).await.unwrap();
    let again = issued(&store, &issue(id(1), Bearer::Headless, 2, Some(SESSION))).await.unwrap();
    assert_eq!((made.client, again.client), (ClientId::from_random(1), ClientId::from_random(1)));
    let stolen = issue(id(1), visitor(None, 1, None), 3, Some(SESSION));
    assert_eq!(issued(&store, &stolen).await, Err(NotIssued::NotYours));
    store.revoke_client(id(1), made.client, NOW, &entry("client.revoke")).await.unwrap();
    assert_eq!(store.client(made.client).await, Ok(None));
    let dead = issue(id(1), Bearer::Headless, 4, Some(SESSION));
    assert_eq!(issued(&store, &dead).await, Err(NotIssued::NotYours));
}

#[tokio::test]
async fn what_nobody_uses_is_forgotten_and_who_is_connected_is_not() {
    let Fixture { store, folder: _folder } = Fixture::new().await;
    let (one, two) = (channel(&store, 1, Admission::Open).await, channel(&store, 2, Admission::Open).await);
    let idle = issued(&store, &issue(one, visitor(None, 1, None), 1, None)).await.unwrap().client;
    let busy = issued(&store, &issue(two, visitor(None, 2, None), 2, None)).await.unwrap().client;
    let barred = issued(&store, &issue(two, visitor(None, 3, None), 3, None)).await.unwrap().client;
    store.revoke_client(two, barred, NOW, &entry("client.revoke")).await.unwrap();
    let lease = Entry { client: busy, password: hash(200), sessid: Secret::new("s"), ticket: 1, at: NOW };
    store.enter_client(&lease, &entry("client.login")).await.unwrap();
    assert_eq!(store.forget_idle_clients(NOW).await, Ok(0), "used at that very moment");
    assert_eq!(store.forget_idle_clients(LATER).await, Ok(2));
    assert_eq!((store.client(idle).await, store.clients_of(two).await.unwrap().len()), (Ok(None), 1));
    for (number, expected) in [(1, false), (2, true), (3, true)] {
        assert_eq!(store.knows_visitor(&hash(number)).await, Ok(expected), "visitor {number}");
    }
    let expired = |_| entry("channel.expire");
    assert_eq!(store.forget_idle_channels(NOW, expired).await, Ok(vec![]));
    assert_eq!(store.forget_idle_channels(LATER, expired).await, Ok(vec![one]));
    assert!(store.channel(two).await.unwrap().is_some());
    store.delete_channel(two, &entry("channel.delete")).await.unwrap();
    assert_eq!(store.client(busy).await, Ok(None));
    store.forget_idle_clients(LATER).await.unwrap();
    assert_eq!(store.knows_visitor(&hash(3)).await, Ok(false), "a bar goes with its channel");
}

#[tokio::test]
async fn a_channel_keeps_its_settings_and_the_order_of_its_origins() {
    let Fixture { store, folder: _folder } = Fixture::new().await;
    let one = channel(&store, 1, Admission::Open).await;
    channel(&store, 0, Admission::Open).await;
    let taken = ChannelRecord { id: one, rules: ChannelRules::default(), created_at: NOW };
    assert_eq!(store.create_channel(&taken, &entry("channel.create")).await, Err(StoreError::Conflict));
    let origins = ["https://b.example", "https://a.example"].map(str::to_owned).to_vec();
    let rules = ChannelRules { topic: "«ü»".into(), origins, capacity: 64, ..ChannelRules::default() };
    store.change_channel(one, &rules, &entry("channel.change")).await.unwrap();
    assert_eq!(store.channel(one).await.unwrap().unwrap().rules, rules);
    let listed = store.channels().await.unwrap();
    assert_eq!(listed.iter().map(|channel| channel.id).collect::<Vec<_>>(), [one, id(0)], "oldest first");
    assert_eq!(listed[0].rules, rules);
    assert_eq!(store.is_origin_of_a_channel("https://a.example").await, Ok(true));
    assert_eq!(store.is_origin_of_a_channel("https://a.example:1").await, Ok(false));
    let unknown = store.change_channel(id(5), &rules, &entry("channel.change")).await;
    assert_eq!(unknown, Err(StoreError::NotFound));
    store.change_channel(one, &ChannelRules::default(), &entry("channel.change")).await.unwrap();
    assert_eq!(store.is_origin_of_a_channel("https://a.example").await, Ok(false));
}

#[tokio::test]
async fn a_dialog_is_kept_until_it_is_over_or_one_of_the_two_is_revoked() {
    let Fixture { store, folder: _folder } = Fixture::new().await;
    let here = channel(&store, 1, Admission::Open).await;
    let mut clients = Vec::new();
    for number in 1..=3 {
        let issue = issue(here, visitor(None, number, None), number.into(), None);
        clients.push(issued(&store, &issue).await.unwrap().client);
    }
    let side = |at: usize, pinned: &[&str]| DialogSide {
        client: clients[at],
        pinned: pinned.iter().map(ToString::to_string).collect(),
    };
    let dialog = |sides, agreed_at| DialogRecord { sides, agreed_at };
    store.keep_dialog(&dialog([side(1, &[]), side(0, &[])], NOW)).await.unwrap();
    let first = dialog([side(0, &["sha-256 AB", "sha-1 CD"]), side(1, &[])], NOW);
    store.keep_dialog(&first).await.unwrap();
    let second = dialog([side(2, &["sha-256 EF"]), side(1, &[])], LATER);
    store.keep_dialog(&second).await.unwrap();
    let turned = dialog([side(1, &[]), side(2, &["sha-256 EF"])], LATER);
    assert_eq!(store.dialogs().await.unwrap(), [(here, first.clone()), (here, turned)]);

    assert_eq!(store.forget_dialogs(LATER).await.unwrap(), 1);
    store.keep_dialog(&first).await.unwrap();
    store.drop_dialog(clients[2], clients[1]).await.unwrap();
    assert_eq!(store.dialogs().await.unwrap(), [(here, first)]);
    store.revoke_client(here, clients[1], LATER, &entry("client.revoke")).await.unwrap();
    assert_eq!(store.dialogs().await.unwrap(), []);
    store.delete_channel(here, &entry("channel.delete")).await.unwrap();
    assert_eq!(store.forget_dialogs(UnixMillis(u64::MAX)).await.unwrap(), 0, "nothing is left");
}
