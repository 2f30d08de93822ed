//! What an operator and a holder of an invite see over HTTP.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use testkit::clients::rooms::{Browser, Socket};
use testkit::server::{TestServer, answer, http_client};

#[tokio::test]
async fn the_contract_of_the_outside() {
    let server = TestServer::start().await;
    let (status, room) =
        answer(server.admin(Method::POST, "/v1/admin/rooms").json(&json!({"name": " Standup "}))).await;
    assert_eq!((status, &room["name"]), (StatusCode::CREATED, &json!("Standup")));
    let id = room["room_id"].as_str().unwrap();
    let path = format!("/v1/admin/rooms/{id}");
    let body = json!({"uses": 2, "expires_in": 3600, "permissions": ["share", "speak", "camera"]});
    let (status, invite) = answer(server.admin(Method::POST, &format!("{path}/invites")).json(&body)).await;
    assert_eq!((status, &invite["uses"]), (StatusCode::CREATED, &json!(2)));
    assert_eq!(invite["permissions"], json!(["speak", "camera", "share"]));
    let url = invite["url"].as_str().unwrap();
    let prefix = format!("http://{}/r/{id}#csi_", server.address);
    assert!(url.starts_with(&prefix) && url.len() == prefix.len() + 43, "{prefix}");

    let secret = url.split_once('#').unwrap().1;
    let ana = Browser::join(&server, secret, "Ana").await;
    let (mut socket, _) = ana.enter(&server).await;
    socket.roster_of(1).await;
    let shown = server.room(id).await;
    assert_eq!(
        (&shown["participants"][0]["participant_id"], &shown["participants"][0]["name"]),
        (&json!(ana.id), &json!("Ana"))
    );
    assert_eq!((&shown["invites"][0]["used"], &shown["invites"][0]["revoked"]), (&json!(1), &json!(false)));
    let (_, list) = answer(server.admin(Method::GET, "/v1/admin/rooms")).await;
    assert_eq!(list["rooms"][0]["participants"], 1);

    let participant = format!("{path}/participants/{}", ana.id);
    assert_eq!(
        answer(server.admin(Method::DELETE, &participant)).await,
        (StatusCode::NO_CONTENT, Value::Null)
    );
    assert_eq!(socket.end().await, (json!({"type": "goodbye", "reason": "removed"}), Some(4000)));
    assert_eq!(answer(server.admin(Method::DELETE, &participant)).await.0, StatusCode::NOT_FOUND);
    assert_eq!(server.room(id).await["participants"], json!([]));

    let ben = Browser::join(&server, secret, "Ben").await;
    let (mut socket, _) = ben.enter(&server).await;
    let revoke = format!("{path}/invites/{}", invite["invite_id"].as_str().unwrap());
    assert_eq!(answer(server.admin(Method::DELETE, &revoke)).await.0, StatusCode::NO_CONTENT);
    assert_eq!(socket.end().await.0, json!({"type": "goodbye", "reason": "revoked"}));
    assert_eq!(answer(server.admin(Method::DELETE, &path)).await.0, StatusCode::NO_CONTENT);
    assert_eq!(answer(server.admin(Method::DELETE, &path)).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_operator_sees_what_the_configuration_warns_of() {
    let server = TestServer::start().await;
    let status = |server: &TestServer| answer(server.admin(Method::GET, "/v1/admin/status"));
    let (code, body) = status(&server).await;
    assert_eq!((code, body), (StatusCode::OK, json!({"version": env!("CARGO_PKG_VERSION"), "warnings": []})));
    let plain = [("http.trusted_proxy", "true")];
    let (_, body) = status(&TestServer::start_with(&plain).await).await;
    assert_eq!(
        body["warnings"],
        json!(["http.public_url is not set: links name the listener, not the proxy"])
    );
}

#[tokio::test]
async fn without_a_credential_nothing_is_told() {
    let server = TestServer::start().await;
    let room = server.create_room().await;
    let rows = [
        (Method::GET, "/v1/admin/rooms".to_owned()),
        (Method::POST, "/v1/admin/rooms".to_owned()),
        (Method::GET, format!("/v1/admin/rooms/{room}")),
        (Method::DELETE, format!("/v1/admin/rooms/{room}")),
        (Method::GET, "/v1/admin/rooms/unknown".to_owned()),
        (Method::POST, format!("/v1/admin/rooms/{room}/invites")),
        (Method::GET, "/v1/admin/audit".to_owned()),
        (Method::GET, "/v1/admin/status".to_owned()),
        (Method::POST, "/v1/admin/sign-in-links".to_owned()),
        (Method::GET, "/v1/console/me".to_owned()),
    ];
    for (method, path) in rows {
        let body = json!({"name": "x"});
        let bare = answer(server.request(method.clone(), &path).json(&body)).await;
        let wrong = format!("csa_{}", "A".repeat(43));
        let wrong = answer(server.request(method, &path).bearer_auth(wrong).json(&body)).await;
        assert_eq!(
            (bare.0, &bare.1["type"]),
            (StatusCode::UNAUTHORIZED, &json!("urn:countersign:denied")),
            "{path}"
        );
        assert_eq!(bare, wrong, "{path}");
    }
}

#[tokio::test]
async fn what_cannot_be_is_refused_with_its_status() {
    let server = TestServer::start().await;
    let room = server.create_room().await;
    let invites = format!("/v1/admin/rooms/{room}/invites");
    let nowhere = format!("/v1/admin/rooms/{}/invites", "0".repeat(32));
    let rows = [
        ("/v1/admin/rooms", "{", 400),
        ("/v1/admin/rooms", "{}", 400),
        ("/v1/admin/rooms", r#"{"name":" "}"#, 400),
        ("/v1/admin/rooms", r#"{"name":"a","name":"b"}"#, 400),
        (&invites, r#"{"uses":0}"#, 400),
        (&invites, r#"{"permissions":["manage"]}"#, 400),
        (&nowhere, "{}", 404),
        ("/v1/admin/rooms/x/invites", "{}", 404),
        ("/v1/admin/rooms", &" ".repeat(9_000), 413),
    ];
    for (path, body, status) in rows {
        let request = server.admin(Method::POST, path).header("content-type", "application/json");
        let (answered, problem) = answer(request.body(body.to_owned())).await;
        assert_eq!((answered.as_u16(), &problem["status"]), (status, &json!(status)), "{path} {body:.40}");
    }
    for path in [
        "%ff".to_owned(),
        format!("{room}/invites/%ff"),
        format!("{room}/participants/%ff"),
        "x/y".to_owned(),
    ] {
        let (status, problem) =
            answer(server.admin(Method::DELETE, &format!("/v1/admin/rooms/{path}"))).await;
        assert_eq!((status.as_u16(), &problem["type"]), (404, &json!("urn:countersign:not-found")), "{path}");
    }
    let plain = server.admin(Method::POST, "/v1/admin/rooms").body(r#"{"name":"a"}"#);
    assert_eq!(answer(plain).await.0, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    for query in ["limit=0", "limit=201", "before=x", "room_id=x", "room_id="] {
        let page = answer(server.admin(Method::GET, &format!("/v1/admin/audit?{query}"))).await;
        assert_eq!(page.0, StatusCode::BAD_REQUEST, "{query}");
    }
}

#[tokio::test]
async fn who_says_what_cannot_be_is_told_which_member_and_what_it_must_be() {
    let server = TestServer::start_verto(&[]).await;
    let room = server.create_room().await;
    let channel = server.create_channel(&json!({})).await;
    let (rooms, channels) = ("/v1/admin/rooms".to_owned(), "/v1/admin/channels".to_owned());
    let (invites, invitations) =
        (format!("{rooms}/{room}/invites"), format!("{channels}/{channel}/invitations"));
    let name = "name must be 1 to 64 characters of text that can be seen.";
    let rows = [
        (&rooms, json!({}), "name must be there."),
        (&rooms, json!({"name": ""}), name),
        (&rooms, json!({"name": "x".repeat(70)}), name),
        (&rooms, json!({"name": "x".repeat(2_000)}), name),
        (&rooms, json!({"name": "\u{200b}"}), name),
        (&invites, json!({"uses": 0}), "uses must be a whole number from 1 to 10,000."),
        (&invites, json!({"uses": "1"}), "uses must be a whole number from 1 to 10,000."),
        (&invites, json!({"expires_in": -1}), "expires_in must be a whole number from 1 to 31,536,000."),
        (
            &invites,
            json!({"permissions": ["fly"]}),
            "permissions must be a list of speak, camera, share and moderate.",
        ),
        (&invitations, json!({"ttl": 0}), "ttl must be a whole number from 1 to 31,536,000."),
        (&channels, json!({"capacity": 0}), "capacity must be a whole number from 1 to 4,294,967,295."),
        (
            &channels,
            json!({"topic": "x".repeat(129)}),
            "topic must be empty, or at most 128 characters of text that can be seen.",
        ),
    ];
    for (path, body, detail) in rows {
        let (status, problem) = answer(server.admin(Method::POST, path).json(&body)).await;
        assert_eq!(
            (status, &problem["detail"]),
            (StatusCode::BAD_REQUEST, &json!(detail)),
            "{path}: {problem}"
        );
    }
    let (_, problem) = answer(server.admin(Method::GET, "/v1/admin/rooms/x")).await;
    assert!(problem.get("detail").is_none(), "{problem}");
}

#[tokio::test]
async fn where_there_is_nothing_a_person_sees_a_page_and_a_program_a_problem() {
    const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    let server = TestServer::start_verto(&[]).await;
    let page = server.request(Method::GET, "/").send().await.unwrap();
    let policy = |answer: &reqwest::Response| answer.headers()["content-security-policy"].clone();
    let expected = (policy(&page), page.text().await.unwrap());
    for path in ["/r/", "/nowhere", "/nowhere/at/all", "/v1/nowhere", "/%ff", "/r/x/y"] {
        let seen = server.request(Method::GET, path).header("accept", BROWSER).send().await.unwrap();
        assert_eq!(
            (seen.status(), seen.headers()["cache-control"].as_bytes()),
            (StatusCode::NOT_FOUND, &b"no-store"[..])
        );
        assert_eq!(seen.headers()["content-type"], "text/html; charset=utf-8", "{path}");
        assert_eq!((policy(&seen), seen.text().await.unwrap()), expected, "{path}");
        for (method, accept) in
            [(Method::GET, "*/*"), (Method::GET, "application/json"), (Method::PUT, BROWSER)]
        {
            let told = server.request(method.clone(), path).header("accept", accept).send().await.unwrap();
            assert_eq!(told.status(), StatusCode::NOT_FOUND, "{method} {path}");
            assert_eq!(
                told.headers()["content-type"],
                "application/problem+json",
                "{method} {path} {accept}"
            );
        }
    }
    let on_verto = format!("http://{}/nowhere", server.verto());
    let seen = http_client().get(&on_verto).header("accept", BROWSER).send().await.unwrap();
    assert_eq!((seen.status(), seen.text().await.unwrap()), (StatusCode::NOT_FOUND, expected.1));
    assert_eq!(answer(http_client().get(&on_verto)).await.1["type"], "urn:countersign:problem:not-found");
    let asset = server.request(Method::GET, "/assets/nothing.js").header("accept", "*/*");
    assert_eq!(answer(asset).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn refused_invites_look_alike() {
    let server = TestServer::start().await;
    let room = server.create_room().await;
    let other = server.create_room().await;
    let (_, used_up) = server.invite(&room, 1, &[]).await;
    let (revoked_id, revoked) = server.invite(&room, 1, &[]).await;
    let (_, ended) = server.invite(&other, 1, &[]).await;
    Browser::join(&server, &used_up, "Ana").await;
    for path in [format!("/v1/admin/rooms/{room}/invites/{revoked_id}"), format!("/v1/admin/rooms/{other}")] {
        assert_eq!(answer(server.admin(Method::DELETE, &path)).await.0, StatusCode::NO_CONTENT);
    }
    let session = Browser::join(&server, &server.invite(&room, 1, &[]).await.1, "Ben").await.token;
    let unknown = format!("csi_{}", "A".repeat(43));
    let browser = Browser::new();
    let mut answers = Vec::new();
    for invite in [&unknown, &used_up, &revoked, &ended, &session, "", "x"] {
        answers.push(browser.redeem(&server, invite, "Eve").await);
    }
    assert_eq!(
        (answers[0].0, &answers[0].1["type"]),
        (StatusCode::FORBIDDEN, &json!("urn:countersign:invite-refused"))
    );
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
}

#[tokio::test]
async fn a_redeemer_shows_good_keys_or_spends_nothing() {
    let server = TestServer::start().await;
    let room = server.create_room().await;
    let (_, invite) = server.invite(&room, 1, &[]).await;
    let browser = Browser::new();
    let good = json!({
        "invite": invite, "name": "Ana", "fingerprint": browser.fingerprint, "public_key": browser.public_key(),
    });
    let rows = [("fingerprint", "sha-1 AA"), ("public_key", "AAAA"), ("name", "a\u{7}b"), ("name", "")];
    for (member, value) in rows {
        let mut bad = good.clone();
        bad[member] = json!(value);
        let (status, problem) = answer(server.request(Method::POST, "/v1/rooms/redeem").json(&bad)).await;
        assert_eq!(
            (status.as_u16(), &problem["type"]),
            (400, &json!("urn:countersign:malformed")),
            "{member}"
        );
    }
    let foreign = server.request(Method::POST, "/v1/rooms/redeem").header("origin", "http://evil.example");
    assert_eq!(answer(foreign.json(&good)).await.0, StatusCode::FORBIDDEN);
    assert_eq!(
        answer(server.request(Method::POST, "/v1/rooms/redeem").json(&good)).await.0,
        StatusCode::CREATED
    );
}

#[tokio::test]
async fn a_link_signs_in_once_and_the_cookie_needs_our_own_page() {
    let server = TestServer::start().await;
    let link = server.sign_in_url().split_once("#sign-in=").unwrap().1.to_owned();
    let own = format!("http://{}", server.address);
    let sign_in = || server.request(Method::POST, "/v1/console/sign-in").json(&json!({"link": link}));
    let response = sign_in().header("origin", &own).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::NO_CONTENT);
    let cookie = response.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(cookie.contains("HttpOnly; SameSite=Strict") && !cookie.contains("Secure"), "attributes");
    let cookie = cookie.split(';').next().unwrap().to_owned();
    let (status, problem) = answer(sign_in()).await;
    assert_eq!((status, &problem["type"]), (StatusCode::FORBIDDEN, &json!("urn:countersign:denied")));

    let with = |method, path: &str| server.request(method, path).header("cookie", &cookie);
    let (status, me) = answer(with(Method::GET, "/v1/console/me")).await;
    assert_eq!((status, &me["operator"]), (StatusCode::OK, &json!("operator")));
    let room = json!({"name": "Standup"});
    let rows = [(None, 403), (Some("http://evil.example"), 403), (Some(own.as_str()), 201)];
    for (origin, expected) in rows {
        let mut request = with(Method::POST, "/v1/admin/rooms").json(&room);
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        assert_eq!(answer(request).await.0.as_u16(), expected, "{origin:?}");
    }
    let (status, fresh) = answer(with(Method::POST, "/v1/admin/sign-in-links").header("origin", &own)).await;
    assert_eq!(status, StatusCode::CREATED);
    assert!(fresh["url"].as_str().unwrap().contains("/#sign-in=csl_"), "{status}");
    let out = answer(with(Method::POST, "/v1/console/sign-out").header("origin", &own)).await;
    assert_eq!(out.0, StatusCode::NO_CONTENT);
    assert_eq!(answer(with(Method::GET, "/v1/console/me")).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_room_is_asked_for_what_happened_there() {
    let server = TestServer::start().await;
    let (room, other) = (server.create_room().await, server.create_room().await);
    let (invite_id, invite) = server.invite(&room, 1, &["speak"]).await;
    let ana = Browser::join(&server, &invite, "Ana").await;
    ana.enter(&server).await;
    let path = |room: &str| format!("/v1/admin/rooms/{room}/participants/{}", ana.id);
    assert_eq!(answer(server.admin(Method::DELETE, &path(&other))).await.0, StatusCode::NOT_FOUND);
    assert_eq!(answer(server.admin(Method::DELETE, &path(&room))).await.0, StatusCode::NO_CONTENT);
    let lines = async |room: &str| {
        let path = format!("/v1/admin/audit?limit=200&room_id={room}");
        let (status, page) = answer(server.admin(Method::GET, &path)).await;
        assert_eq!(status, StatusCode::OK);
        let words = |line: &Value| {
            ["action", "outcome", "subject", "detail"].map(|member| line[member].as_str().unwrap().to_owned())
        };
        page["records"].as_array().unwrap().iter().map(|line| words(line).join(" ")).collect::<Vec<_>>()
    };
    let accepted: Vec<_> =
        lines(&room).await.into_iter().filter(|line| line.contains(" accepted ")).collect();
    assert_eq!(
        accepted,
        [
            format!("session.remove accepted {} room {room}", ana.id),
            format!("session.authenticate accepted {room} "),
            format!("invite.redeem accepted {invite_id} "),
            format!("invite.create accepted {invite_id} room {room}, uses 1, may speak"),
            format!("room.create accepted {room} "),
        ]
    );
    assert_eq!(lines(&other).await, [format!("room.create accepted {other} ")]);
    assert_eq!(lines(&"0".repeat(32)).await, [""; 0]);
}

#[tokio::test]
async fn an_open_console_is_one_line_of_the_record() {
    let server = TestServer::start().await;
    let link = server.sign_in_url().split_once("#sign-in=").unwrap().1.to_owned();
    let request = server.request(Method::POST, "/v1/console/sign-in").json(&json!({"link": link}));
    let cookie = request.send().await.unwrap().headers()["set-cookie"].to_str().unwrap().to_owned();
    let cookie = cookie.split(';').next().unwrap().to_owned();
    for _ in 0..5 {
        let polled = server.request(Method::GET, "/v1/admin/rooms").header("cookie", &cookie);
        assert_eq!(answer(polled).await.0, StatusCode::OK);
        assert_eq!(answer(server.admin(Method::GET, "/v1/admin/rooms")).await.0, StatusCode::OK);
    }
    // Everything is written when the server has ended.
    let server = server.restart().await;
    let (_, page) = answer(server.admin(Method::GET, "/v1/admin/audit?limit=200")).await;
    let counts = |action: &str| {
        let alike = page["records"].as_array().unwrap().iter().rev().filter(|line| line["action"] == action);
        alike.map(|line| line["count"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(counts("console.authenticate"), [1]);
    assert_eq!(counts("admin.authenticate").first(), Some(&1));
}

#[tokio::test]
async fn acts_and_authentications_are_on_record() {
    let server = TestServer::start().await;
    let room = server.create_room().await;
    let (_, invite) = server.invite(&room, 1, &["speak"]).await;
    let ana = Browser::join(&server, &invite, "Ana").await;
    ana.enter(&server).await;
    Browser::new().redeem(&server, "csi_unknown", "Eve").await;
    let mut stranger = Socket::open(&server).await;
    stranger.next().await;
    stranger.say_text("let me in").await;
    assert_eq!(stranger.end().await.1, Some(4001));
    let nowhere = format!("/v1/admin/rooms/{}", "0".repeat(32));
    assert_eq!(answer(server.admin(Method::DELETE, &nowhere)).await.0, StatusCode::NOT_FOUND);
    let server = server.restart().await;
    let (_, page) = answer(server.admin(Method::GET, "/v1/admin/audit?limit=200")).await;
    let lines: Vec<_> = page["records"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| {
            format!(
                "{} {} {}",
                line["actor"].as_str().unwrap(),
                line["action"].as_str().unwrap(),
                line["outcome"].as_str().unwrap()
            )
        })
        .collect();
    for expected in [
        "start console.link accepted".to_owned(),
        "operator room.create accepted".to_owned(),
        "operator invite.create accepted".to_owned(),
        format!("{} invite.redeem accepted", ana.id),
        format!("{} session.authenticate accepted", ana.id),
        " invite.redeem refused".to_owned(),
        " session.authenticate refused".to_owned(),
        "operator room.end refused".to_owned(),
        "operator admin.authenticate accepted".to_owned(),
    ] {
        assert!(lines.contains(&expected), "{expected}: {lines:#?}");
    }
    let text = page.to_string();
    for secret in [&invite, &ana.token] {
        assert!(!text.contains(secret.as_str()), "a secret is on record");
    }
}
