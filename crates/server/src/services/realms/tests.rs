//! Who is believed, and until when.

use std::sync::Mutex;
use std::time::Duration;

use futures_util::FutureExt;
use identity::{Grant, Permission, Permissions, Principal, UnixMillis, UserId};
use tempfile::TempDir;
use tokio::time::timeout;
use wire::rtcd::authorization::Authorization;

use super::turns::Standing;
use super::*;
use crate::audit::Audit;

const KEY: &str = "Ey4-H_BJA00_TVByPi8DozE12ekN3S7L";
const ADMIN_KEY: &str = "admin_secret_key";
/// The bound for whoever is unregistered.
const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn what_an_authorization_header_makes_of_somebody() {
    let fixture = Fixture::new(day()).await;
    let realms = &fixture.realms;
    fixture.register("clientA").await;
    let token = realms.log_in("clientA".into(), &Secret::new(KEY), from()).await.unwrap();
    let replaced = token.expose().to_owned();
    let token = realms.log_in("clientA".into(), &Secret::new(KEY), from()).await.unwrap();
    let wrong = KEY.to_lowercase();
    let (admin, client) = (Ok(None), Ok(Some("clientA")));
    let rows = [
        (None, Err(NotBelieved::NoCredential)),
        (Some(String::new()), Err(NotBelieved::NoCredential)),
        (Some("Token abc".into()), Err(NotBelieved::NoCredential)),
        (Some(Authorization::basic("", ADMIN_KEY)), admin.clone()),
        (Some(Authorization::basic("clientA", ADMIN_KEY)), admin),
        (Some(Authorization::basic("", KEY)), Err(NotBelieved::Nameless)),
        (Some(Authorization::basic("clientA", KEY)), client.clone()),
        (Some(Authorization::basic("clientA", &wrong)), Err(NotBelieved::WrongKey)),
        (Some(Authorization::basic("clientA", "")), Err(NotBelieved::WrongKey)),
        (Some(Authorization::basic("clienta", KEY)), Err(NotBelieved::WrongKey)),
        (Some("Basic /zpi".into()), Err(NotBelieved::WrongKey)),
        (Some(format!("Bearer {}", token.expose())), client),
        (Some(format!("Bearer {} ", token.expose())), Err(NotBelieved::BadToken)),
        (Some(format!("bearer {}", token.expose())), Err(NotBelieved::NoCredential)),
        (Some(format!("Bearer {replaced}")), Err(NotBelieved::BadToken)),
        (Some("Bearer ".into()), Err(NotBelieved::BadToken)),
        (Some(format!("Bearer {ADMIN_KEY}")), Err(NotBelieved::BadToken)),
    ];
    for (header, expected) in rows {
        let caller = realms.caller(header.as_deref().map(str::as_bytes), from()).await;
        let found = caller.map(|caller| caller.realm().map(|realm| realm.as_str().to_owned()));
        assert_eq!(found, expected.map(|realm: Option<&str>| realm.map(str::to_owned)), "{header:?}");
    }
}

#[tokio::test]
async fn a_client_hosts_calls_of_its_own_realm_and_nothing_else() {
    let fixture = Fixture::new(day()).await;
    fixture.register("clientA").await;
    let caller = fixture.caller("clientA").await.unwrap();
    let grant = caller.grant().unwrap();
    let rows = [
        (Permission::HostCalls, RealmId::new("clientA"), true),
        (Permission::HostCalls, RealmId::new("clientB"), false),
        (Permission::HostCalls, RealmId::installation(), false),
        (Permission::ManageRealm, RealmId::new("clientA"), false),
        (Permission::ManageRealm, RealmId::installation(), false),
        (Permission::Moderate, RealmId::new("clientA"), false),
    ];
    for (permission, realm, expected) in rows {
        assert_eq!(grant.require(permission, &realm, now()).is_ok(), expected, "{permission} {realm:?}");
    }
}

#[tokio::test]
async fn whoever_was_believed_ends_with_the_client() {
    let fixture = Fixture::new(day()).await;
    let realms = &fixture.realms;
    for id in ["clientA", "clientB"] {
        fixture.register(id).await;
    }
    let token = realms.log_in("clientA".into(), &Secret::new(KEY), from()).await.unwrap();
    let bearer = format!("Bearer {}", token.expose());
    let mut by_key = fixture.caller("clientA").await.unwrap();
    let mut by_token = realms.caller(Some(bearer.as_bytes()), from()).await.unwrap();
    let mut other = fixture.caller("clientB").await.unwrap();
    let mut admin = Caller::admin();
    // Nothing else ends anybody: neither another login, nor the end of another client.
    realms.log_in("clientA".into(), &Secret::new(KEY), from()).await.unwrap();
    assert!(timeout(Duration::from_millis(50), by_key.ended()).await.is_err());
    realms.unregister(&by_key.clone(), "clientA".into(), from()).await.unwrap();
    for (what, ended) in [("key", &mut by_key), ("token", &mut by_token)] {
        timeout(SECOND, ended.ended()).await.unwrap_or_else(|_| panic!("{what}"));
    }
    for lives in [&mut other, &mut admin] {
        assert!(timeout(Duration::from_millis(50), lives.ended()).await.is_err());
    }
    assert_eq!(fixture.caller("clientA").await.unwrap_err(), NotBelieved::WrongKey);
    assert_eq!(realms.caller(Some(bearer.as_bytes()), from()).await.unwrap_err(), NotBelieved::BadToken);
    // Who registers the same id anew is somebody else: the old ones stay ended, the new one lives.
    fixture.register("clientA").await;
    let mut anew = fixture.caller("clientA").await.unwrap();
    timeout(SECOND, by_key.ended()).await.unwrap();
    assert!(timeout(Duration::from_millis(50), anew.ended()).await.is_err());
    realms.unregister_as_operator(&operator(), &RealmId::new("clientA"), from()).await.unwrap();
    timeout(SECOND, anew.ended()).await.unwrap();
}

#[tokio::test]
async fn an_end_is_an_end_when_its_asker_has_gone_away() {
    let fixture = Fixture::new(day()).await;
    let realms = &fixture.realms;
    fixture.register("clientA").await;
    let mut believed = fixture.caller("clientA").await.unwrap();
    // As a handler whose client hangs up: asked for, and dropped.
    let (caller, realm) = (Caller::admin(), RealmId::new("clientA"));
    let mut asking = Box::pin(realms.unregister(&caller, "clientA".into(), from()));
    assert!((&mut asking).now_or_never().is_none());
    drop(asking);
    while realms.store.realm(&realm).await.unwrap().is_some() {
        tokio::task::yield_now().await;
    }
    timeout(SECOND, believed.ended()).await.unwrap();
    while fixture.ended.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(*fixture.ended.lock().unwrap(), [realm]);
}

#[tokio::test]
async fn a_token_expires_by_the_clock_whether_it_was_used_or_not() {
    let fixture = Fixture::new(Duration::from_millis(300)).await;
    fixture.register("clientA").await;
    let token = fixture.realms.log_in("clientA".into(), &Secret::new(KEY), from()).await.unwrap();
    let given = std::time::Instant::now();
    let bearer = format!("Bearer {}", token.expose());
    let refused = loop {
        match fixture.realms.caller(Some(bearer.as_bytes()), from()).await {
            Ok(_) => assert!(given.elapsed() < 20 * SECOND),
            Err(refused) => break refused,
        }
    };
    assert_eq!(refused, NotBelieved::ExpiredToken);
    assert_eq!(refused.to_string(), "authentication failed: session is expired");
}

#[tokio::test]
async fn a_right_key_is_hashed_once_and_a_changed_one_again() {
    let fixture = Fixture::new(day()).await;
    fixture.register("clientA").await;
    // Registration hashes, and proves the key at the same time.
    let begun = std::time::Instant::now();
    for _ in 0..200 {
        fixture.caller("clientA").await.unwrap();
    }
    assert!(begun.elapsed() < 8 * SECOND, "20 ms each would not do for a hash: {:?}", begun.elapsed());
    let other = Authorization::basic("clientA", &KEY.to_lowercase());
    assert!(fixture.realms.caller(Some(other.as_bytes()), from()).await.is_err());
}

#[tokio::test]
async fn operators_only_manage_clients_and_get_a_key_that_works() {
    let fixture = Fixture::new(day()).await;
    let realms = &fixture.realms;
    let (realm, key) = realms.register_as_operator(&operator(), "clientA".into(), from()).await.unwrap();
    assert_eq!((realm.as_str(), key.expose().len()), ("clientA", 32));
    let header = Authorization::basic("clientA", key.expose());
    let caller = realms.caller(Some(header.as_bytes()), from()).await.unwrap();
    let refused = [
        realms.list(caller.grant().unwrap()).await.map(|_| ()),
        realms.register_as_operator(caller.grant().unwrap(), "b".into(), from()).await.map(|_| ()),
        realms.unregister_as_operator(caller.grant().unwrap(), &realm, from()).await,
    ];
    assert_eq!(refused, [const { Err(Refusal::Forbidden) }; 3]);
    let again = realms.register_as_operator(&operator(), "clientA".into(), from()).await;
    assert_eq!(again.map(|_| ()), Err(Refusal::Conflict));
    for id in ["", &"x".repeat(65)] {
        let refused = realms.register_as_operator(&operator(), id.into(), from()).await.map(|_| ());
        assert_eq!(refused, Err(Refusal::Malformed("realm_id: 1 to 64 bytes")));
    }
    assert_eq!(realms.list(&operator()).await.unwrap().len(), 1);
}

#[tokio::test]
async fn failures_with_one_id_are_refused_after_sixty_wherever_they_come_from() {
    let fixture = Fixture::new(day()).await;
    let realms = &fixture.realms;
    for id in ["clientA", "clientB"] {
        fixture.register(id).await;
    }
    let record = |id: &str| {
        let realm = RealmId::new(id);
        async move { realms.store.realm(&realm).await.unwrap().unwrap() }
    };
    let (a, b) = (record("clientA").await, record("clientB").await);
    let fail = |record: &RealmRecord, last: u8| {
        let elsewhere = Peer::new([198, 51, 100, last].into());
        realms.unproven(&record.id, Some(record), elsewhere, "realm.login")
    };
    let failures: Vec<_> = (0..200).map(|last| fail(&a, last)).collect();
    assert!(failures[..60].iter().all(|failure| *failure == Unproven::WrongKey));
    let refused = failures.iter().filter(|failure| matches!(failure, Unproven::TooMany(_))).count();
    assert!(refused > 100, "{refused}");
    let standing = |last: u8| realms.late.standing(Peer::new([198, 51, 100, last].into()).block());
    assert_eq!((standing(1), standing(199)), (Standing::Prompt, Standing::Late), "who went on comes last");
    assert_eq!(fail(&b, 250), Unproven::WrongKey, "another id");
    assert_eq!(standing(250), Standing::Prompt);
    fixture.caller("clientA").await.unwrap();
}

struct Fixture {
    realms: Realms,
    ended: Arc<Mutex<Vec<RealmId>>>,
    _folder: TempDir,
}

impl Fixture {
    async fn new(token_good_for: Duration) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store.db")).await.unwrap();
        let (audit, task) = Audit::new(store.clone());
        tokio::spawn(task.run());
        let rules = Rules {
            admin_key: Some(Secret::new(ADMIN_KEY)),
            registration: Registration::Open,
            token_good_for,
        };
        let noted = Arc::<Mutex<Vec<RealmId>>>::default();
        let note = Arc::clone(&noted);
        let ended = Box::new(move |realm: &RealmId| note.lock().unwrap().push(realm.clone()));
        let realms = Realms::new(store, audit, Arc::new(Limits::new()), rules, ended).unwrap();
        Self { realms, ended: noted, _folder: folder }
    }

    async fn register(&self, id: &str) {
        let registrar = self.realms.registrar(None, from()).await.unwrap();
        self.realms.register(&registrar, id.into(), Secret::new(KEY), from()).await.unwrap();
    }

    async fn caller(&self, id: &str) -> Result<Caller, NotBelieved> {
        self.realms.caller(Some(Authorization::basic(id, KEY).as_bytes()), from()).await
    }
}

fn from() -> Peer {
    Peer::new([203, 0, 113, 1].into())
}

fn day() -> Duration {
    Duration::from_secs(24 * 60 * 60)
}

fn operator() -> Grant {
    let may = Permissions::NONE.with(Permission::ManageRealm);
    Grant::new(Principal::operator(UserId::new("ana")), may, UnixMillis::MAX)
}
