use std::sync::Mutex;

use backend::ChannelRecord;
use identity::{
    Admission, ChannelRules, CookieBinding, Grant, Permissions, Principal, Secret, SessidPolicy, UserId,
};
use tempfile::TempDir;

use super::*;
use crate::http::limits::Action;
use crate::http::peer::Peer;

const SESSION: &str = "5f0cba6e-2cc8-4b0e-a1f6-0d7d5c2f4a11";
/// Long enough for one step of a story, short enough to wait for.
const MOMENT: Duration = Duration::from_millis(1_500);

struct Stage {
    channels: Arc<Channels>,
    channel: ChannelId,
    told: Arc<Mutex<Vec<News>>>,
    _folder: TempDir,
}

/// What a client got, and the door by which it comes.
struct Client {
    id: ClientId,
    password: Secret,
    door: Door,
}

impl Stage {
    async fn new(rules: ChannelRules) -> Self {
        Self::with(rules, VertoLimits::default()).await
    }

    async fn with(rules: ChannelRules, limits: VertoLimits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store.db")).await.unwrap();
        let (audit, task) = Audit::new(store.clone());
        tokio::spawn(task.run());
        let rates = Limits::new()
            .per_minute(Action::Issue, 1_000)
            .per_minute(Action::ClientDenied, limits.login_failures_per_minute);
        let config = ChannelsConfig {
            gone_on_revoke: false,
            server_ping: None,
            public_url: PublicUrl::parse("https://meet.example").unwrap(),
            limits,
            ice: IceServers::default(),
            client_idle: Duration::from_secs(1),
            channel_idle: None,
        };
        let told = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&told);
        let tell = Box::new(move |news| heard.lock().unwrap().push(news));
        let (channels, left) = Channels::new(store, audit, Arc::new(rates), config, tell);
        tokio::spawn(left.run());
        let made = channels.create(&operator(), None, rules, peer(9)).await.unwrap();
        Self { channels, channel: made.channel.id, told, _folder: folder }
    }

    fn door(&self) -> Door {
        let origin = ClaimedOrigin::Own("https://meet.example".into());
        Door { channel: Some(self.channel), origin, visitor: None, from: peer(1) }
    }

    async fn issue(&self, door: Door) -> Client {
        let wish = Wish { session: Some(SESSION.into()), ..Wish::default() };
        let given = self.channels.issue(&door, self.channel, wish).await.unwrap();
        Client { id: given.client, password: given.password, door: Door { visitor: given.visitor, ..door } }
    }

    async fn believe(&self, client: &Client, sessid: Option<&str>) -> Result<Believed, LoginRefused> {
        let login = client.id.to_string();
        let login = Login { login: &login, passwd: &client.password, sessid, proof: None };
        self.channels.believe(&client.door, &login).await
    }

    async fn enter(&self, client: &Client) -> Result<Member, LoginRefused> {
        let believed = self.believe(client, Some(SESSION)).await?;
        self.channels.enter(&client.door, believed).await
    }

    /// Waits until the store knows that nobody is connected any more.
    async fn left(&self, client: &Client) {
        for _ in 0..200 {
            let (record, _) = self.channels.store.client(client.id).await.unwrap().unwrap();
            if record.life.dropped.is_some() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("it was not written down that a client has left");
    }
}

fn open() -> ChannelRules {
    ChannelRules { admission: Admission::Open, ..ChannelRules::default() }
}

fn operator() -> Grant {
    let permissions = Permissions::NONE.with(identity::Permission::ManageRealm);
    Grant::new(Principal::operator(UserId::new("ana")), permissions, UnixMillis::MAX)
}

fn peer(last: u8) -> Peer {
    Peer::new([203, 0, 113, last].into())
}

const DENIED: LoginRefused = LoginRefused::Denied { close: false };

#[tokio::test]
async fn a_capacity_of_another_configuration_hinders_no_other_change() {
    let limits = VertoLimits { capacity_max: 20, ..VertoLimits::default() };
    let stage = Stage::with(open(), limits).await;
    let channel = ChannelRecord {
        id: ChannelId::from_random(1),
        rules: ChannelRules { capacity: 64, ..open() },
        created_at: now(),
    };
    let line = entry(Act::by("", "channel.create", "", peer(9)));
    stage.channels.store.create_channel(&channel, &line).await.unwrap();
    let (grant, id) = (operator(), channel.id);
    let renamed = |rules| Ok(ChannelRules { topic: "Fire drill".into(), ..rules });
    let view = stage.channels.change(&grant, id, renamed, peer(9)).await.unwrap();
    assert_eq!((view.channel.rules.capacity, view.channel.rules.topic.as_str()), (64, "Fire drill"));
    let larger = |rules| Ok(ChannelRules { capacity: 65, ..rules });
    assert!(matches!(stage.channels.change(&grant, id, larger, peer(9)).await, Err(Refusal::Malformed(_))));
}

/// Item 63.
#[tokio::test]
async fn v63_a_password_is_good_for_its_first_login_then_for_its_lease() {
    let limits = VertoLimits { lease: MOMENT, ..VertoLimits::default() };
    let stage = Stage::with(open(), limits).await;
    let client = stage.issue(stage.door()).await;
    let member = stage.enter(&client).await.unwrap();
    assert_eq!((member.client, member.sessid.expose()), (client.id, SESSION));
    tokio::time::sleep(MOMENT).await;
    let again = stage.enter(&client).await.expect("connected, however long");
    drop(member);
    assert!(again.is_in(), "only the older connection has left");
    drop(again);
    stage.left(&client).await;
    let stranger =
        Client { door: Door { visitor: Some(Secret::new("0".repeat(64))), ..client.door.clone() }, ..client };
    assert_eq!(stage.enter(&stranger).await.unwrap_err(), DENIED, "another cookie");
    let client = Client { door: Door { visitor: None, ..stranger.door.clone() }, ..stranger };
    assert_eq!(stage.enter(&client).await.unwrap_err(), DENIED, "no cookie");
}

#[tokio::test]
async fn v63_a_lease_ends_ten_minutes_after_the_connection() {
    let limits = VertoLimits { lease: MOMENT, ..VertoLimits::default() };
    let stage = Stage::with(open(), limits).await;
    let client = stage.issue(stage.door()).await;
    drop(stage.enter(&client).await.unwrap());
    stage.left(&client).await;
    drop(stage.enter(&client).await.expect("within the lease, with the same cookie"));
    stage.left(&client).await;
    tokio::time::sleep(MOMENT).await;
    assert_eq!(stage.enter(&client).await.unwrap_err(), DENIED);
}

#[tokio::test]
async fn v63_a_fresh_password_waits_for_a_minute() {
    let stage = Stage::with(open(), VertoLimits { fresh: MOMENT, ..VertoLimits::default() }).await;
    let client = stage.issue(stage.door()).await;
    tokio::time::sleep(MOMENT).await;
    assert_eq!(stage.enter(&client).await.unwrap_err(), DENIED);
}

#[tokio::test]
async fn v63_a_newer_issue_ends_the_older_password_and_not_the_member() {
    let stage = Stage::new(open()).await;
    let older = stage.issue(stage.door()).await;
    let member = stage.enter(&older).await.unwrap();
    let believed = stage.believe(&older, Some(SESSION)).await.unwrap();
    let newer = stage.issue(older.door.clone()).await;
    assert_eq!(newer.id, older.id);
    assert_eq!(stage.enter(&older).await.unwrap_err(), DENIED);
    assert_eq!(stage.channels.enter(&older.door, believed).await.unwrap_err(), DENIED, "believed before");
    assert!(member.is_in());
    let next = stage.enter(&newer).await.unwrap();
    drop(member);
    assert!(next.is_in());
    let (view, clients) = stage.channels.show(&operator(), stage.channel).await.unwrap();
    assert_eq!((view.live, clients.len(), clients[0].is_connected), (1, 1, true));
}

#[tokio::test]
async fn a_login_that_is_only_believed_changes_nothing() {
    let stage = Stage::new(open()).await;
    let client = stage.issue(stage.door()).await;
    let before = stage.channels.store.client(client.id).await.unwrap();
    for _ in 0..3 {
        let believed = stage.believe(&client, Some(SESSION)).await.unwrap();
        assert_eq!((believed.capacity, believed.sessid.expose()), (16, SESSION));
    }
    assert_eq!(stage.channels.store.client(client.id).await.unwrap(), before);
    assert_eq!(stage.channels.list(&operator()).await.unwrap()[0].live, 0);
    assert!(!stage.channels.has_been_in(stage.channel, client.id).await.unwrap());
    drop(stage.enter(&client).await.unwrap());
    assert!(stage.channels.has_been_in(stage.channel, client.id).await.unwrap());
    assert!(!stage.channels.has_been_in(ChannelId::from_random(0), client.id).await.unwrap());
}

/// Item 58, as far as it is decided here.
#[tokio::test]
async fn v58_whoever_is_revoked_is_out_at_once_whatever_it_was_about_to_do() {
    let stage = Stage::new(open()).await;
    let client = stage.issue(stage.door()).await;
    let member = stage.enter(&client).await.unwrap();
    let believed = stage.believe(&client, Some(SESSION)).await.unwrap();
    stage.channels.revoke(&operator(), stage.channel, client.id, peer(9)).await.unwrap();
    let news = News::Revoked { channel: stage.channel, client: client.id };
    assert_eq!(*stage.told.lock().unwrap(), [news]);
    assert!(!member.is_in() && !stage.channels.is_in(&member));
    assert_eq!(stage.channels.enter(&client.door, believed).await.unwrap_err(), DENIED);
    assert_eq!(stage.enter(&client).await.unwrap_err(), DENIED);
    assert!(!stage.channels.has_been_in(stage.channel, client.id).await.unwrap());
    let again = stage.channels.revoke(&operator(), stage.channel, client.id, peer(9)).await;
    assert_eq!(again, Err(Refusal::NotFound));
    assert_eq!(stage.channels.list(&operator()).await.unwrap()[0].live, 0);
}

#[tokio::test]
async fn a_channel_that_ends_takes_its_members_with_it() {
    let stage = Stage::new(open()).await;
    let client = stage.issue(stage.door()).await;
    let member = stage.enter(&client).await.unwrap();
    stage.channels.end(&operator(), stage.channel, peer(9)).await.unwrap();
    assert_eq!(*stage.told.lock().unwrap(), [News::Ended { channel: stage.channel }]);
    assert!(!member.is_in());
    assert_eq!(stage.enter(&client).await.unwrap_err(), DENIED);
    assert_eq!(stage.channels.admit_socket(&client.door).await, Err(Refusal::NotFound));
}

/// Items 22 and 27; the sessions' rules as such are tested where they are decided.
#[tokio::test]
async fn v22_a_strict_channel_says_that_a_session_id_is_missing() {
    let rules = ChannelRules { sessid_policy: SessidPolicy::StrictRegistered, ..open() };
    let stage = Stage::new(rules).await;
    let client = stage.issue(stage.door()).await;
    let missing = stage.believe(&client, None).await.unwrap_err();
    assert_eq!(missing.to_string(), "Missing sessid");
    let other = stage.believe(&client, Some("6f0cba6e-2cc8-4b0e-a1f6-0d7d5c2f4a12")).await.unwrap_err();
    assert_eq!(other.to_string(), "Authentication Failure");
}

/// Items 18 and 19.
#[tokio::test]
async fn v19_whatever_is_wrong_is_answered_alike() {
    let stage = Stage::new(open()).await;
    let client = stage.issue(stage.door()).await;
    let id = client.id.to_string();
    let (upper, domain) = (id.to_uppercase(), format!("{id}@anything@else"));
    let wrong = Secret::new("0".repeat(64));
    let elsewhere = Door { channel: Some(ChannelId::from_random(1)), ..client.door.clone() };
    let foreign = Door { origin: ClaimedOrigin::Other("https://evil.example".into()), ..client.door.clone() };
    let unreadable = Door { origin: ClaimedOrigin::Unreadable, ..client.door.clone() };
    let nowhere = Door { origin: ClaimedOrigin::Absent, ..client.door.clone() };
    let any = Door { channel: None, ..client.door.clone() };
    let rows = [
        (&client.door, id.as_str(), &client.password, true),
        (&any, &id, &client.password, true),
        (&client.door, &domain, &client.password, true),
        (&client.door, &id, &wrong, false),
        (&client.door, &upper, &client.password, false),
        (&client.door, "nobody", &client.password, false),
        (&client.door, "", &client.password, false),
        (&client.door, "5f0cba6e-2cc8-4b0e-a1f6-0d7d5c2f4a11", &client.password, false),
        (&elsewhere, &id, &client.password, false),
        (&foreign, &id, &client.password, false),
        (&unreadable, &id, &client.password, false),
        (&nowhere, &id, &client.password, false),
    ];
    for (door, login, passwd, expected) in rows {
        let shown = Login { login, passwd, sessid: Some(SESSION), proof: None };
        let answer = stage.channels.believe(door, &shown).await.map(|believed| believed.client);
        assert_eq!(answer, if expected { Ok(client.id) } else { Err(DENIED) }, "{login} {door:?}");
    }
}

#[tokio::test]
async fn too_many_failures_close_sockets_and_keep_no_right_password_out() {
    let limits = VertoLimits { login_failures_per_minute: 3, ..VertoLimits::default() };
    let stage = Stage::with(open(), limits).await;
    let client = stage.issue(stage.door()).await;
    let fail = async |last: u8, login: &str| {
        let door = Door { from: peer(last), ..client.door.clone() };
        let wrong = Secret::new("wrong");
        let login = Login { login, passwd: &wrong, sessid: None, proof: None };
        stage.channels.believe(&door, &login).await.unwrap_err()
    };
    let closed = LoginRefused::Denied { close: true };
    let (id, nobody) = (client.id.to_string(), ClientId::from_random(1).to_string());
    for expected in [DENIED, DENIED, DENIED, closed] {
        assert_eq!(fail(50, "nobody").await, expected, "of one address");
    }
    for (last, expected) in [(60, DENIED), (61, DENIED), (62, DENIED), (63, closed)] {
        assert_eq!(fail(last, &id).await, expected, "with one id");
        assert_eq!(fail(last + 100, &nobody).await, expected, "with one that nobody has");
    }
    assert!(stage.believe(&client, Some(SESSION)).await.is_ok());
}

/// Item 62.
#[tokio::test]
async fn v62_a_door_is_open_to_the_pages_of_its_channel() {
    let listed = ClaimedOrigin::Other("https://a.example".into());
    let foreign = ClaimedOrigin::Other("https://evil.example".into());
    let own = ClaimedOrigin::Own("https://meet.example".into());
    for binding in [CookieBinding::Required, CookieBinding::Optional] {
        let origins = vec!["https://a.example".to_owned()];
        let stage = Stage::new(ChannelRules { cookie_binding: binding, origins, ..open() }).await;
        let absent = if binding == CookieBinding::Optional { Ok(()) } else { Err(Refusal::Forbidden) };
        let here = Some(stage.channel);
        let rows = [
            (here, &own, Ok(())),
            (here, &listed, Ok(())),
            (here, &foreign, Err(Refusal::Forbidden)),
            (here, &ClaimedOrigin::Unreadable, Err(Refusal::Forbidden)),
            (here, &ClaimedOrigin::Absent, absent),
            (None, &own, Ok(())),
            (None, &listed, Ok(())),
            (None, &foreign, Err(Refusal::Forbidden)),
            (None, &ClaimedOrigin::Unreadable, Err(Refusal::Forbidden)),
            (None, &ClaimedOrigin::Absent, Ok(())),
            (Some(ChannelId::from_random(1)), &own, Err(Refusal::NotFound)),
            (Some(ChannelId::from_random(1)), &foreign, Err(Refusal::NotFound)),
        ];
        for (channel, origin, expected) in rows {
            let door = Door { channel, origin: origin.clone(), ..stage.door() };
            assert_eq!(
                stage.channels.admit_socket(&door).await,
                expected,
                "{binding} {channel:?} {origin:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_client_that_nobody_uses_is_forgotten_and_its_visitor_with_it() {
    let stage = Stage::new(open()).await;
    let idle = stage.issue(stage.door()).await;
    let other = Wish::default();
    let given = stage.channels.issue(&stage.door(), stage.channel, other).await.unwrap();
    let busy = Client {
        id: given.client,
        password: given.password,
        door: Door { visitor: given.visitor, ..stage.door() },
    };
    let believed = stage.believe(&busy, None).await.unwrap();
    let member = stage.channels.enter(&busy.door, believed).await.unwrap();
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    stage.channels.sweep().await.unwrap();
    let clients = stage.channels.store.clients_of(stage.channel).await.unwrap();
    assert_eq!(clients.iter().map(|client| client.id).collect::<Vec<_>>(), [busy.id]);
    let known = async |door: &Door| {
        let shown = identity::hash_hex(door.visitor.as_ref().unwrap());
        stage.channels.store.knows_visitor(&shown).await.unwrap()
    };
    assert!(!known(&idle.door).await && known(&busy.door).await);
    drop(member);
}
