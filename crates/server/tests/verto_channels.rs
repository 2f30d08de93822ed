//! Channels over HTTP: what their operators do, and how visitors become clients (reference on verto, 8.1 to 8.4 and 8.6 to 8.7).
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code: a broken assumption should fail the test, loudly"
)]
#![allow(clippy::disallowed_methods, reason = "a test of a shell reads the clock")]

use identity::{Secret, UnixMillis, relay_credentials};
use reqwest::header::{self, HeaderValue};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use testkit::clients::verto;
use testkit::server::{TestServer, answer, http_client};

const SESSION: &str = "5f0cba6e-2cc8-4b0e-a1f6-0d7d5c2f4a11";
const OTHER_SESSION: &str = "6f0cba6e-2cc8-4b0e-a1f6-0d7d5c2f4a12";
const STRANGE: &str = "0b38fc9b-ea40-46cb-b7a9-ee9dd01ae7bb";
const COOKIE: &str = "__Host-countersign-visitor";

#[tokio::test]
async fn a_channel_is_made_listed_changed_and_deleted() {
    let server = TestServer::start_verto(&[]).await;
    let response = server.admin(Method::POST, "/v1/admin/channels").send().await.unwrap();
    assert_eq!(response.status(), StatusCode::CREATED);
    let place = response.headers()[header::LOCATION].to_str().unwrap().to_owned();
    let made: Value = response.json().await.unwrap();
    let id = made["channelId"].as_str().unwrap();
    assert_eq!(place, format!("/v1/admin/channels/{id}"));
    let created = made["created"].as_u64().unwrap();
    assert!(created > 1_700_000_000 && created < 100_000_000_000, "in seconds: {created}");
    let expected = json!({"channelId": id, "topic": "", "admission": "invitation", "capacity": 16, "cookie_binding": "required",
        "sessid_policy": "optional", "content": "strict", "origins": [], "created": created, "live": 0});
    assert_eq!(made, expected);

    let settings = json!({"channelId": STRANGE, "topic": "Übung", "admission": "open", "capacity": 64,
        "cookie_binding": "optional", "sessid_policy": "strict-registered", "content": "opaque",
        "origins": ["https://A.example", "http://b.example:8080"]});
    assert_eq!(server.create_channel(&settings).await, STRANGE);
    let (_, list) = answer(server.admin(Method::GET, "/v1/admin/channels")).await;
    assert_eq!(list["channels"][0], expected);
    assert_eq!(list["channels"][1]["origins"], json!(["https://a.example", "http://b.example:8080"]));
    assert_eq!(list["channels"].as_array().unwrap().len(), 2);
    let (status, _) = answer(server.admin(Method::POST, "/v1/admin/channels").json(&settings)).await;
    assert_eq!(status, StatusCode::CONFLICT);

    let change = json!({"topic": "Fire drill", "origins": [], "delivery": "page"});
    let (status, changed) = answer(server.admin(Method::PATCH, &place).json(&change)).await;
    assert_eq!(status, StatusCode::OK, "{changed}");
    let (_, shown) = answer(server.admin(Method::GET, &place)).await;
    assert_eq!(
        (&shown["topic"], &shown["delivery"], &shown["admission"], &shown["clients"]),
        (&json!("Fire drill"), &json!("page"), &json!("invitation"), &json!([]))
    );

    for expected in [StatusCode::NO_CONTENT, StatusCode::NOT_FOUND] {
        assert_eq!(answer(server.admin(Method::DELETE, &place)).await.0, expected);
    }
    assert_eq!(answer(server.admin(Method::GET, &place)).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_an_operator_does_not_say_fits_what_is_configured() {
    let server = TestServer::start_verto(&[("limits.capacity_max", "4")]).await;
    let (status, made) = answer(server.admin(Method::POST, "/v1/admin/channels")).await;
    assert_eq!((status, &made["capacity"]), (StatusCode::CREATED, &json!(4)), "{made}");
}

#[tokio::test]
async fn below_the_path_of_the_channels_every_problem_has_their_form() {
    let server = TestServer::start_verto(&[]).await;
    let ours = "urn:countersign";
    let theirs = "urn:countersign:problem";
    let below = format!("/v1/admin/channels/{STRANGE}/nothing/at/all");
    let table = [
        (Method::PUT, "/v1/admin/channels", 405, theirs, "method-not-allowed"),
        (
            Method::GET,
            &format!("/v1/admin/channels/{STRANGE}/invitations"),
            405,
            theirs,
            "method-not-allowed",
        ),
        (Method::GET, "/v1/admin/channels/", 404, theirs, "not-found"),
        (Method::GET, &below, 404, theirs, "not-found"),
        (Method::GET, "/v1/admin/channelses", 404, ours, "not-found"),
        (Method::PUT, "/v1/admin/rooms", 405, ours, "method-not-allowed"),
    ];
    for (method, path, expected, namespace, code) in table {
        let (status, problem) = answer(server.admin(method.clone(), path)).await;
        assert_eq!(
            (status.as_u16(), &problem["type"]),
            (expected, &json!(format!("{namespace}:{code}"))),
            "{method} {path}"
        );
    }
}

#[tokio::test]
async fn an_operator_is_told_what_is_wrong() {
    let server = TestServer::start_verto(&[("limits.capacity_max", "20")]).await;
    let channel = server.create_channel(&json!({})).await;
    let path = format!("/v1/admin/channels/{channel}");
    let large = format!(r#"{{"topic":"{}"}}"#, "x".repeat(4_096));
    let bodies = [
        (r#"{"topic":"a","topic":"b"}"#, 400),
        (r#"{"unknown":1}"#, 400),
        (r#"{"capacity":0}"#, 400),
        (r#"{"capacity":21}"#, 400),
        (r#"{"capacity":"2"}"#, 400),
        (r#"{"admission":"closed"}"#, 400),
        (r#"{"cookie_binding":"none"}"#, 400),
        (r#"{"sessid_policy":""}"#, 400),
        (r#"{"content":"Strict"}"#, 400),
        (r#"{"origins":["https://a.example/"]}"#, 400),
        (r#"{"origins":["*"]}"#, 400),
        (r#"{"origins":["null"]}"#, 400),
        ("[]", 400),
        ("{", 400),
        (&large, 413),
    ];
    for (body, expected) in bodies {
        for (method, path) in [(Method::POST, "/v1/admin/channels"), (Method::PATCH, &path)] {
            let response = server.admin(method, path).body(body.to_owned()).send().await.unwrap();
            assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json", "{body:.40}");
            let status = response.status().as_u16();
            let problem: Value = response.json().await.unwrap();
            assert_eq!(status, expected, "{body:.40} {problem}");
            let name = if expected == 413 { "too-large" } else { "malformed" };
            assert_eq!(problem["type"], format!("urn:countersign:problem:{name}"));
        }
    }
    for id in ["x", &STRANGE.to_uppercase(), "0b38fc9b-ea40-16cb-b7a9-ee9dd01ae7bb"] {
        let body = json!({"channelId": id});
        let (status, _) = answer(server.admin(Method::POST, "/v1/admin/channels").json(&body)).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{id}");
    }
    for unknown in ["x", STRANGE, &channel.to_uppercase()] {
        let path = format!("/v1/admin/channels/{unknown}");
        let requests = [
            (Method::GET, path.clone()),
            (Method::PATCH, path.clone()),
            (Method::DELETE, path.clone()),
            (Method::POST, format!("{path}/clients")),
            (Method::POST, format!("{path}/invitations")),
            (Method::DELETE, format!("{path}/clients/{STRANGE}")),
        ];
        for (method, path) in requests {
            let (status, problem) = answer(server.admin(method.clone(), &path).body("{}")).await;
            assert_eq!(status, StatusCode::NOT_FOUND, "{method} {path} {problem}");
            assert_eq!(problem["type"], "urn:countersign:problem:not-found");
        }
    }
    for client in ["x", STRANGE] {
        let (status, _) = answer(server.admin(Method::DELETE, &format!("{path}/clients/{client}"))).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{client}");
    }
    for body in [r#"{"uses":0}"#, r#"{"uses":10001}"#, r#"{"ttl":0}"#, r#"{"ttl":31536001}"#, r#"{"use":1}"#]
    {
        let request = server.admin(Method::POST, &format!("{path}/invitations")).body(body);
        assert_eq!(answer(request).await.0, StatusCode::BAD_REQUEST, "{body}");
    }
}

#[tokio::test]
async fn only_the_admin_token_administers_and_only_at_the_main_listener() {
    let server = TestServer::start_verto(&[]).await;
    let channel = server.create_channel(&json!({})).await;
    let path = format!("/v1/admin/channels/{channel}");
    let mut told = Vec::new();
    for request in [
        server.request(Method::GET, &path),
        server.request(Method::GET, &path).bearer_auth("csa_wrong"),
        server.request(Method::DELETE, "/v1/admin/channels/x").bearer_auth(""),
    ] {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(response.headers()[header::WWW_AUTHENTICATE], "Bearer");
        told.push(response.text().await.unwrap());
    }
    assert!(told.iter().all(|text| *text == told[0] && text.contains("urn:countersign:problem:denied")));
    // S16.
    let token = std::fs::read_to_string(server.data().join("admin-token")).unwrap();
    for path in ["/v1/admin/channels", "/v1/admin/rooms", &path] {
        let response = at(&server, Method::GET, path).bearer_auth(token.trim()).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
        assert!(response.text().await.unwrap().contains("urn:countersign:problem:not-found"));
    }
    let without = TestServer::start().await;
    assert_eq!(answer(without.admin(Method::GET, "/v1/admin/channels")).await.0, StatusCode::NOT_FOUND);
}

/// Item 59.
#[tokio::test]
async fn v59_an_issue_gives_hex_strings_to_a_cookie_and_to_no_cache() {
    let server = TestServer::start_verto(&[]).await;
    let channel = server.create_channel(&json!({"admission": "open", "topic": "Tea"})).await;
    let response = post(&server, &channel, &json!({})).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::CREATED);
    let cookie = cookie_of(&response);
    let set = response.headers()[header::SET_COOKIE].to_str().unwrap();
    assert_eq!(set, format!("{COOKIE}={cookie}; Path=/; Secure; HttpOnly; SameSite=Strict"));
    assert!(is_hex(&cookie) && cookie.len() == 64);
    assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
    assert_eq!(response.headers()[header::REFERRER_POLICY], "no-referrer");
    let issued: Value = response.json().await.unwrap();
    let (client, password) = (issued["clientId"].as_str().unwrap(), issued["password"].as_str().unwrap());
    assert!(is_hex(client) && client.len() == 36 && is_hex(password) && password.len() == 64);
    assert_eq!(
        issued,
        json!({"clientId": client, "password": password, "channelId": channel, "expiresIn": 60,
            "socket": format!("/peers/{channel}/clients"), "topic": "Tea"})
    );

    let response = session(&server, &channel, Some(OTHER_SESSION)).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
    assert_eq!(response.headers()[header::REFERRER_POLICY], "no-referrer");
    assert_ne!(cookie_of(&response), cookie);
    let given: Value = response.json().await.unwrap();
    assert!(is_hex(given["password"].as_str().unwrap()) && given.as_object().unwrap().len() == 2, "{given}");
}

/// Item 60, S2.
#[tokio::test]
async fn v60_a_known_session_is_its_cookies_and_nobody_elses() {
    let server = TestServer::start_verto(&[("limits.issues_per_minute", "100")]).await;
    for binding in ["required", "optional"] {
        let channel = server.create_channel(&json!({"admission": "open", "cookie_binding": binding})).await;
        let name = if binding == "required" { SESSION } else { OTHER_SESSION };
        let response = session(&server, &channel, Some(name)).send().await.unwrap();
        let cookie = cookie_of(&response);
        let first: Value = response.json().await.unwrap();
        let again =
            session(&server, &channel, Some(name)).header(header::COOKIE, format!("a=b; {COOKIE}={cookie}"));
        let response = again.send().await.unwrap();
        assert_eq!(cookie_of(&response), cookie);
        let second: Value = response.json().await.unwrap();
        assert_eq!(first["clientId"], second["clientId"]);
        assert_ne!(first["password"], second["password"]);
        let stranger = cookie_of(&post(&server, &channel, &json!({})).send().await.unwrap());
        for shown in [None, Some(stranger), Some("0".repeat(64)), Some(cookie.to_uppercase())] {
            let requests = [
                session(&server, &channel, Some(name)),
                post(&server, &channel, &json!({"sessionId": name})),
            ];
            for request in requests {
                let request = match &shown {
                    Some(shown) => request.header(header::COOKIE, format!("{COOKIE}={shown}")),
                    None => request,
                };
                let (status, problem) = answer(request).await;
                assert_eq!(status, StatusCode::NOT_FOUND, "{shown:?} {problem}");
            }
        }
    }
}

/// Item 61, and the order of the rules of 8.4.
/// What else runs on this host may set cookies of any bytes.
#[tokio::test]
async fn cookies_of_others_hide_no_visitor() {
    let server = TestServer::start_verto(&[]).await;
    let channel = server.create_channel(&json!({"admission": "open"})).await;
    let named = json!({"sessionId": SESSION});
    let visitor = cookie_of(&post(&server, &channel, &named).send().await.unwrap());
    let cookies = format!("name=Zoë; {COOKIE}={visitor}; x");
    let cookies = HeaderValue::from_bytes(cookies.as_bytes()).unwrap();
    let again = post(&server, &channel, &named).header(header::COOKIE, cookies);
    assert_eq!(status(again).await, 201);
}

#[tokio::test]
async fn v61_a_missing_malformed_or_foreign_session_is_refused() {
    let server = TestServer::start_verto(&[("limits.issues_per_minute", "3")]).await;
    let (one, two) = (
        server.create_channel(&json!({"admission": "open"})).await,
        server.create_channel(&json!({"admission": "open", "origins": ["https://a.example"]})).await,
    );
    assert_eq!(session(&server, &one, Some(SESSION)).send().await.unwrap().status(), StatusCode::OK);
    for _ in 0..5 {
        for bad in [None, Some(""), Some("x"), Some("5f0cba6e2cc84b0ea1f60d7d5c2f4a11")] {
            assert_eq!(status(session(&server, &one, bad)).await, 403, "{bad:?}");
        }
        assert_eq!(status(session(&server, &two, Some(SESSION))).await, 403, "another channel's");
        assert_eq!(status(post(&server, &one, &json!({"sessionId": "x"}))).await, 403);
        assert_eq!(status(post(&server, &two, &json!({"sessionId": SESSION}))).await, 403);
        for body in [json!({"sessionId": 5}), json!({"session": SESSION}), json!([])] {
            assert_eq!(status(post(&server, &one, &body)).await, 400, "{body}");
        }
        let large = json!({"invitation": "x".repeat(4_096)});
        assert_eq!(status(post(&server, &one, &large)).await, 413);
        for unknown in [STRANGE, "x", &one.to_uppercase()] {
            assert_eq!(status(session(&server, unknown, None)).await, 404);
            let foreign = post(&server, unknown, &json!({"sessionId": "x"}));
            assert_eq!(status(foreign.header(header::ORIGIN, "https://evil.example")).await, 404);
        }
        for origin in ["https://evil.example", "null", "https://a.example.evil", "http://a.example"] {
            let request = session(&server, &two, None).header(header::ORIGIN, origin);
            let (status, problem) = answer(request).await;
            assert_eq!(
                (status.as_u16(), problem["type"].as_str()),
                (403, Some("urn:countersign:problem:origin-refused"))
            );
        }
    }
    // None of them counted: 2 of 3 are left.
    let own = format!("http://{}", server.verto());
    for origin in ["https://a.example", &own] {
        assert_eq!(status(post(&server, &two, &json!({})).header(header::ORIGIN, origin)).await, 201);
    }
    let response = session(&server, &one, Some(SESSION)).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS, "before the session is looked at");
    let wait: u64 = response.headers()[header::RETRY_AFTER].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    // An operator's requests are not counted.
    let headless = server.create_channel(&json!({"cookie_binding": "optional"})).await;
    for _ in 0..5 {
        let request = server.admin(Method::POST, &format!("/v1/admin/channels/{headless}/clients"));
        assert_eq!(answer(request).await.0, StatusCode::CREATED);
    }
}

#[tokio::test]
async fn an_invitation_admits_as_many_as_it_says_each_for_good() {
    let server = TestServer::start_verto(&[("limits.issues_per_minute", "100")]).await;
    let channel = server.create_channel(&json!({})).await;
    let other = server.create_channel(&json!({})).await;
    let path = format!("/v1/admin/channels/{channel}/invitations");
    let (status_, made) =
        answer(server.admin(Method::POST, &path).json(&json!({"uses": 2, "ttl": 60}))).await;
    assert_eq!((status_, &made["expiresIn"]), (StatusCode::CREATED, &json!(60)));
    let invitation = made["invitation"].as_str().unwrap();
    assert_eq!(made["link"], format!("http://{}/join/{channel}#{invitation}", server.verto()));
    let invited = json!({"invitation": invitation});
    assert_eq!(status(post(&server, &channel, &json!({}))).await, 403);
    assert_eq!(status(post(&server, &other, &invited)).await, 403, "of another channel");
    assert_eq!(status(post(&server, &channel, &json!({"invitation": "csv_x"}))).await, 403);

    let response = post(&server, &channel, &invited).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::CREATED);
    let ana = format!("{COOKIE}={}", cookie_of(&response));
    // She needs it no more, and takes nothing from others when she shows it again.
    for body in [json!({}), invited.clone(), json!({"invitation": "csv_x"})] {
        assert_eq!(status(post(&server, &channel, &body).header(header::COOKIE, &ana)).await, 201);
    }
    assert_eq!(status(session(&server, &channel, Some(SESSION)).header(header::COOKIE, &ana)).await, 200);
    assert_eq!(status(post(&server, &other, &json!({})).header(header::COOKIE, &ana)).await, 403);
    assert_eq!(status(post(&server, &channel, &invited)).await, 201, "the second use");
    assert_eq!(status(post(&server, &channel, &invited)).await, 403, "used up");

    let brief = json!({"uses": 1, "ttl": 1});
    let (_, made) = answer(server.admin(Method::POST, &path).json(&brief)).await;
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    let late = json!({"invitation": made["invitation"]});
    assert_eq!(status(post(&server, &channel, &late)).await, 403, "expired");
}

#[tokio::test]
async fn a_channel_has_so_many_clients_and_a_refusal_uses_no_invitation_up() {
    let limits = [("limits.clients_per_channel", "2"), ("limits.issues_per_minute", "100")];
    let server = TestServer::start_verto(&limits).await;
    let channel = server.create_channel(&json!({"cookie_binding": "optional"})).await;
    let path = format!("/v1/admin/channels/{channel}");
    let mut clients = Vec::new();
    for _ in 0..2 {
        let (_, issued) = answer(server.admin(Method::POST, &format!("{path}/clients"))).await;
        clients.push(issued["clientId"].as_str().unwrap().to_owned());
    }
    let (status_, _) = answer(server.admin(Method::POST, &format!("{path}/clients"))).await;
    assert_eq!(status_, StatusCode::CONFLICT);
    let (_, made) = answer(server.admin(Method::POST, &format!("{path}/invitations"))).await;
    let invited = json!({"invitation": made["invitation"]});
    assert_eq!(status(post(&server, &channel, &invited)).await, 403);
    let revoke = server.admin(Method::DELETE, &format!("{path}/clients/{}", clients[0]));
    assert_eq!(answer(revoke).await.0, StatusCode::NO_CONTENT);
    assert_eq!(status(post(&server, &channel, &invited)).await, 201);
    let (_, shown) = answer(server.admin(Method::GET, &path)).await;
    let listed = shown["clients"].as_array().unwrap();
    assert_eq!(listed.len(), 2);
    assert_eq!(listed[0]["clientId"], json!(clients[1]));
    assert_eq!((&listed[0]["connected"], listed[0].as_object().unwrap().len()), (&json!(false), 3));
}

#[tokio::test]
async fn a_client_without_cookies_is_issued_by_the_operator_alone() {
    let server = TestServer::start_verto(&[]).await;
    let strict = server.create_channel(&json!({"admission": "open"})).await;
    let channel = server.create_channel(&json!({"cookie_binding": "optional"})).await;
    let issue = |channel: &str| server.admin(Method::POST, &format!("/v1/admin/channels/{channel}/clients"));
    assert_eq!(answer(issue(&strict)).await.0, StatusCode::CONFLICT);
    let named = json!({"sessionId": SESSION});
    let response = issue(&channel).json(&named).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::CREATED);
    assert!(response.headers().get(header::SET_COOKIE).is_none());
    assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
    let first: Value = response.json().await.unwrap();
    assert_eq!((&first["expiresIn"], first.as_object().unwrap().len()), (&json!(60), 5));
    let (_, second) = answer(issue(&channel).json(&named)).await;
    assert_eq!(first["clientId"], second["clientId"]);
    assert_ne!(first["password"], second["password"]);
    for body in [json!({"sessionId": "x"}), json!({"invitation": "x"})] {
        assert_eq!(answer(issue(&channel).json(&body)).await.0, StatusCode::BAD_REQUEST, "{body}");
    }
    assert_eq!(status(session(&server, &channel, Some(SESSION))).await, 404, "not a visitor's");
    let visitors = session(&server, &strict, Some(OTHER_SESSION));
    assert_eq!(status(visitors).await, 200);
    let stolen = issue(&channel).json(&json!({"sessionId": OTHER_SESSION}));
    assert_eq!(answer(stolen).await.0, StatusCode::CONFLICT);
}

/// Item 58, as far as it is over HTTP.
#[tokio::test]
async fn v58_who_is_revoked_is_barred_and_not_taken_for_a_stranger() {
    let server = TestServer::start_verto(&[]).await;
    let channel = server.create_channel(&json!({"admission": "open"})).await;
    let other = server.create_channel(&json!({"admission": "open"})).await;
    let response = session(&server, &channel, Some(SESSION)).send().await.unwrap();
    let cookie = format!("{COOKIE}={}", cookie_of(&response));
    let given: Value = response.json().await.unwrap();
    let path = format!("/v1/admin/channels/{channel}/clients/{}", given["clientId"].as_str().unwrap());
    let elsewhere = path.replace(&channel, &other);
    assert_eq!(answer(server.admin(Method::DELETE, &elsewhere)).await.0, StatusCode::NOT_FOUND);
    for expected in [StatusCode::NO_CONTENT, StatusCode::NOT_FOUND] {
        assert_eq!(answer(server.admin(Method::DELETE, &path)).await.0, expected);
    }
    for request in [
        session(&server, &channel, Some(SESSION)),
        session(&server, &channel, Some(OTHER_SESSION)),
        post(&server, &channel, &json!({})),
    ] {
        assert_eq!(status(request.header(header::COOKIE, &cookie)).await, 403);
    }
    assert_eq!(status(session(&server, &channel, Some(SESSION))).await, 404, "the session is dead");
    assert_eq!(status(post(&server, &other, &json!({})).header(header::COOKIE, &cookie)).await, 201);
    let (_, shown) = answer(server.admin(Method::GET, &format!("/v1/admin/channels/{channel}"))).await;
    assert_eq!(shown["clients"], json!([]));
}

#[tokio::test]
async fn a_deleted_channel_is_nowhere() {
    let server = TestServer::start_verto(&[]).await;
    let channel = server.create_channel(&json!({"admission": "open"})).await;
    let paths = [format!("/peers/{channel}"), format!("/join/{channel}")];
    assert_eq!(status(session(&server, &channel, Some(SESSION))).await, 200);
    for path in &paths {
        let response = at(&server, Method::GET, path).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
        let policy = response.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{policy}");
    }
    let path = format!("/v1/admin/channels/{channel}");
    assert_eq!(answer(server.admin(Method::DELETE, &path)).await.0, StatusCode::NO_CONTENT);
    for path in &paths {
        assert_eq!(status(at(&server, Method::GET, path)).await, 404, "{path}");
    }
    assert_eq!(status(session(&server, &channel, Some(SESSION))).await, 404);
    assert_eq!(status(post(&server, &channel, &json!({}))).await, 404);
    // The id is free again; nothing of the old channel is in the new one.
    let again = json!({"channelId": channel, "admission": "open"});
    assert_eq!(server.create_channel(&again).await, channel);
    assert_eq!(status(session(&server, &channel, Some(SESSION))).await, 200);
}

#[tokio::test]
async fn channels_clients_visitors_and_invitations_survive_a_restart() {
    let server = TestServer::start_verto(&[]).await;
    let channel = server.create_channel(&json!({"topic": "Kept"})).await;
    let path = format!("/v1/admin/channels/{channel}");
    let (_, made) =
        answer(server.admin(Method::POST, &format!("{path}/invitations")).json(&json!({"uses": 2}))).await;
    let invited = json!({"sessionId": SESSION, "invitation": made["invitation"]});
    let response = post(&server, &channel, &invited).send().await.unwrap();
    let cookie = format!("{COOKIE}={}", cookie_of(&response));
    let first: Value = response.json().await.unwrap();

    let server = server.restart().await;
    let (_, shown) = answer(server.admin(Method::GET, &path)).await;
    assert_eq!((&shown["topic"], &shown["clients"][0]["clientId"]), (&json!("Kept"), &first["clientId"]));
    let (_, again) = answer(session(&server, &channel, Some(SESSION)).header(header::COOKIE, &cookie)).await;
    assert_eq!(again["clientId"], first["clientId"]);
    let invited = json!({"invitation": made["invitation"]});
    assert_eq!(status(post(&server, &channel, &invited)).await, 201, "one use is left");
    assert_eq!(status(post(&server, &channel, &invited)).await, 403);
}

/// `delivery` of the issue; item 64 for every other page.
#[tokio::test]
async fn v64_a_page_carries_a_password_only_where_that_is_set_and_only_for_a_known_visitor() {
    let server = TestServer::start_verto(&[("limits.issues_per_minute", "100")]).await;
    let plain = server.create_channel(&json!({"admission": "open"})).await;
    let carrying = server.create_channel(&json!({"admission": "open", "delivery": "page"})).await;
    let closed = server.create_channel(&json!({"delivery": "page"})).await;
    let cookie = format!("{COOKIE}={}", cookie_of(&post(&server, &plain, &json!({})).send().await.unwrap()));
    let page = async |path: String, cookie: Option<&str>| {
        let request = at(&server, Method::GET, &path);
        let request =
            if let Some(cookie) = cookie { request.header(header::COOKIE, cookie) } else { request };
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
        assert!(response.headers().get(header::SET_COOKIE).is_none());
        response.text().await.unwrap()
    };
    let strange = format!("{COOKIE}={}", "0".repeat(64));
    for (path, cookie) in [
        (format!("/peers/{plain}"), Some(cookie.as_str())),
        (format!("/join/{carrying}"), Some(&cookie)),
        (format!("/peers/{carrying}"), None),
        (format!("/peers/{carrying}"), Some(&strange)),
        (format!("/peers/{closed}"), Some(&cookie)),
    ] {
        let text = page(path.clone(), cookie).await;
        assert!(!text.contains("<input"), "{path} {cookie:?}");
    }
    let value = |text: &str, id: &str| {
        let at = text.split_once(&format!("<input type=\"hidden\" id=\"{id}\" value=\"")).unwrap().1;
        at.split_once('"').unwrap().0.to_owned()
    };
    let foreign = at(&server, Method::GET, &format!("/peers/{carrying}")).header(header::COOKIE, &cookie);
    let foreign = foreign.header(header::ORIGIN, "https://elsewhere.example").send().await.unwrap();
    assert!(!foreign.text().await.unwrap().contains("<input"), "not for a page of somebody else");
    let first = page(format!("/peers/{carrying}"), Some(&cookie)).await;
    assert_eq!(value(&first, "channelId"), carrying);
    assert!(is_hex(&value(&first, "clientId")) && value(&first, "password").len() == 64);
    let second = page(format!("/peers/{carrying}"), Some(&cookie)).await;
    assert_eq!(value(&first, "clientId"), value(&second, "clientId"));
    assert_ne!(value(&first, "password"), value(&second, "password"));
}

#[tokio::test]
async fn what_only_looks_is_given_nothing() {
    let server = TestServer::start_verto(&[]).await;
    let known = server.create_channel(&json!({"admission": "open"})).await;
    let cookie = format!("{COOKIE}={}", cookie_of(&post(&server, &known, &json!({})).send().await.unwrap()));
    let channel = server.create_channel(&json!({"admission": "open", "delivery": "page"})).await;
    for (path, expected) in [
        (format!("/v1/channels/{channel}/clients"), 405),
        (format!("/peers/{channel}/sessions?sessionId={SESSION}"), 405),
        (format!("/peers/{channel}"), 200),
        (format!("/join/{channel}"), 200),
    ] {
        let request = at(&server, Method::HEAD, &path).header(header::COOKIE, &cookie);
        let response = request.send().await.unwrap();
        assert_eq!(response.status().as_u16(), expected, "{path}");
        assert_eq!(response.headers().contains_key(header::ALLOW), expected == 405, "{path}");
        assert!(!response.headers().contains_key(header::SET_COOKIE), "{path}");
    }
    let (_, shown) = answer(server.admin(Method::GET, &format!("/v1/admin/channels/{channel}"))).await;
    assert_eq!(shown["clients"], json!([]), "nobody became a client");
}

#[tokio::test]
async fn a_page_is_told_the_servers_for_ice() {
    let keys = [("ice_servers", "stun:a,turn:b"), ("turn_username", "visitors"), ("turn_password", "secret")];
    let server = TestServer::start_verto(&keys).await;
    let channel = server.create_channel(&json!({"admission": "open"})).await;
    let (_, issued) = answer(post(&server, &channel, &json!({}))).await;
    let expected =
        json!([{"urls": ["stun:a"]}, {"urls": ["turn:b"], "username": "visitors", "credential": "secret"}]);
    assert_eq!(issued["iceServers"], expected);
    assert_eq!(issued["iceExpiresIn"], Value::Null, "a fixed password does not end");
}

#[tokio::test]
async fn who_is_in_a_channel_is_told_of_relays_again_and_nobody_else() {
    let keys = [("ice_servers", "stun:a,turn:b"), ("turn_secret", "secret"), ("turn_minutes", "5")];
    let server = TestServer::start_verto(&keys).await;
    let channel = verto::channel(&server, json!({})).await;
    let ana = verto::issue(&server, &channel, None).await;
    let mut socket = verto::Socket::open(server.verto()).await;
    let refused = socket.ask("countersign.iceServers", json!({})).await;
    assert_eq!(refused["error"]["code"], -32000);
    let mut socket = verto::Socket::member(server.verto(), &ana).await;
    let before = unix_seconds();
    let told = socket.ask("countersign.iceServers", json!({})).await["result"].take();
    assert_eq!((&told["iceExpiresIn"], &told["sessid"]), (&json!(300), &json!(ana.client)));
    let [plain, relay] = told["iceServers"].as_array().unwrap().as_slice() else { panic!("{told}") };
    assert_eq!(plain, &json!({"urls": ["stun:a"]}));
    assert_eq!(relay["urls"], json!(["turn:b"]));
    let (end, name) = relay["username"].as_str().unwrap().split_once(':').unwrap();
    assert_eq!(name, ana.client);
    let end: u64 = end.parse().unwrap();
    assert!((before + 300..=unix_seconds() + 300).contains(&end), "{before} {end}");
    let made = relay_credentials(&Secret::new("secret"), name, end, UnixMillis(before * 1_000)).unwrap();
    assert_eq!(relay["credential"], made.password.expose());
}

fn unix_seconds() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

fn at(server: &TestServer, method: Method, path: &str) -> RequestBuilder {
    http_client().request(method, format!("http://{}{path}", server.verto()))
}

fn post(server: &TestServer, channel: &str, body: &Value) -> RequestBuilder {
    at(server, Method::POST, &format!("/v1/channels/{channel}/clients")).json(body)
}

fn session(server: &TestServer, channel: &str, session: Option<&str>) -> RequestBuilder {
    let query = session.map_or_else(String::new, |session| format!("?sessionId={session}"));
    at(server, Method::GET, &format!("/peers/{channel}/sessions{query}"))
}

async fn status(request: RequestBuilder) -> u16 {
    request.send().await.unwrap().status().as_u16()
}

fn cookie_of(response: &Response) -> String {
    let set = response.headers().get(header::SET_COOKIE).unwrap().to_str().unwrap();
    let (name, value) = set.split_once(';').unwrap().0.split_once('=').unwrap();
    assert_eq!(name, COOKIE);
    value.to_owned()
}

fn is_hex(text: &str) -> bool {
    text.len() >= 36 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b'-'))
}
