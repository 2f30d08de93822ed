//! Realms, their keys and their tokens.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

mod fixture;

use backend::{NewRealmToken, RealmRecord, Store, StoreError};
use fixture::{Fixture, LATER, NOW, entry};
use identity::{Permission, Principal, RealmId, Secret, TokenHash, hash_realm_token, mint_realm_token};

#[tokio::test]
async fn of_those_who_register_one_id_at_once_one_succeeds() {
    let fixture = Fixture::new().await;
    let tries = (1..=10).map(|salt| {
        let store = fixture.store.clone();
        tokio::spawn(async move {
            let realm = realm("a", salt);
            let done = store.register_realm(&realm, &entry("realm.register")).await;
            (realm, done)
        })
    });
    let mut registered = Vec::new();
    for one in tries.collect::<Vec<_>>() {
        match one.await.unwrap() {
            (realm, Ok(())) => registered.push(realm),
            (_, refused) => assert_eq!(refused, Err(StoreError::Conflict)),
        }
    }
    assert_eq!(registered.len(), 1);
    assert_eq!(fixture.store.realm(&RealmId::new("a")).await.unwrap().as_ref(), registered.first());
    assert_eq!(fixture.audit_actions_of("realm.register").await, 1);
}

#[tokio::test]
async fn a_realm_is_found_by_exactly_its_id_until_it_is_unregistered() {
    let fixture = Fixture::new().await;
    let store = &fixture.store;
    let ids = ["clientA", "clienta", "clientA ", "\u{0}", "clientA\u{0}", "ü", "'; DROP TABLE realms; --"];
    for (salt, id) in (1..).zip(ids) {
        store.register_realm(&realm(id, salt), &entry("realm.register")).await.unwrap();
    }
    let store = reopened(&fixture).await;
    assert_eq!(store.realms().await.unwrap().len(), ids.len());
    for (salt, id) in (1..).zip(ids) {
        assert_eq!(store.realm(&RealmId::new(id)).await, Ok(Some(realm(id, salt))), "{id:?}");
    }
    for absent in ["", "client", "CLIENTA"] {
        assert_eq!(store.realm(&RealmId::new(absent)).await, Ok(None), "{absent:?}");
    }
    for expected in [Ok(()), Err(StoreError::NotFound)] {
        let done = store.unregister_realm(&RealmId::new("clientA"), &entry("realm.unregister")).await;
        assert_eq!(done, expected);
    }
    assert_eq!(store.realm(&RealmId::new("clientA")).await, Ok(None));
    assert_eq!(fixture.audit_actions_of("realm.unregister").await, 1);
}

#[tokio::test]
async fn a_token_is_kept_until_another_login_or_the_end_of_its_realm() {
    let fixture = Fixture::new().await;
    let store = &fixture.store;
    store.register_realm(&realm("a", 1), &entry("realm.register")).await.unwrap();
    store.register_realm(&realm("b", 2), &entry("realm.register")).await.unwrap();
    let [first, second, other, stray] = [1, 2, 3, 4].map(token);
    let put = async |id: &str, salt: u8, hash: TokenHash| {
        let token =
            NewRealmToken { realm: RealmId::new(id), key: realm(id, salt).key, hash, expires_at: LATER };
        store.put_realm_token(&token, &entry("realm.login")).await
    };
    assert_eq!(put("a", 1, first).await, Ok(()));
    assert_eq!(put("b", 2, other).await, Ok(()));
    let kept = store.realm_token(&first).await.unwrap().unwrap();
    assert_eq!((kept.hash, kept.revoked), (first, None));
    assert_eq!(kept.grant.principal(), &Principal::service(RealmId::new("a")));
    assert_eq!(kept.grant.expires(), LATER);
    assert!(kept.grant.permissions().contains(Permission::HostCalls));

    assert_eq!(put("a", 1, second).await, Ok(()));
    assert_eq!(put("a", 9, stray).await, Err(StoreError::NotFound), "the key was another one");
    assert_eq!(put("c", 1, stray).await, Err(StoreError::NotFound), "no such realm");
    assert_eq!(put("a", 1, other).await, Err(StoreError::Conflict), "another realm's token");
    let store = reopened(&fixture).await;
    for (what, hash, there) in
        [("replaced", first, false), ("kept", second, true), ("other", other, true), ("stray", stray, false)]
    {
        assert_eq!(store.realm_token(&hash).await.unwrap().is_some(), there, "{what}");
    }
    store.unregister_realm(&RealmId::new("a"), &entry("realm.unregister")).await.unwrap();
    assert!(store.realm_token(&second).await.unwrap().is_none());
    assert!(store.realm_token(&other).await.unwrap().is_some());
}

#[tokio::test]
async fn an_import_leaves_those_who_are_there_as_they_are() {
    let fixture = Fixture::new().await;
    let store = &fixture.store;
    store.register_realm(&realm("a", 1), &entry("realm.register")).await.unwrap();
    let imported = store.import_realms(&[realm("a", 9), realm("b", 2)], &entry("realm.import")).await;
    assert_eq!(imported, Ok(1));
    assert_eq!(store.realms().await, Ok(vec![realm("a", 1), realm("b", 2)]));
    assert_eq!(fixture.audit_actions_of("realm.import").await, 1);
}

fn realm(id: &str, salt: u8) -> RealmRecord {
    // Any hash will do, and this one is made without the work. The last character of each part stands for fewer than six bits.
    let letter = char::from(b'a' + salt).to_string();
    let key = format!("$2a$10${}.{}.", letter.repeat(21), letter.repeat(30)).parse().unwrap();
    RealmRecord { id: RealmId::new(id), key, created_at: NOW }
}

fn token(number: u8) -> TokenHash {
    let token: Secret = mint_realm_token([number; 24]);
    hash_realm_token(&token).unwrap()
}

async fn reopened(fixture: &Fixture) -> Store {
    Store::open(&fixture.file()).await.unwrap()
}
