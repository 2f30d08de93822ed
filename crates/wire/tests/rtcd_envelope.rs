//! The bodies of rtcd's registration, against what the real server said.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

use proptest::prelude::*;
use serde_json::Value;
use wire::Masked;
use wire::rtcd::envelope::{Answer, Credentials, MAX_BODY};

#[test]
fn the_captured_bodies_are_read_or_refused_in_the_captured_words() {
    let file = include_str!("vectors/rtcd/http.json");
    let vectors: Value = serde_json::from_str(file).unwrap();
    let mut faults = 0;
    for exchange in vectors["exchanges"].as_array().unwrap() {
        let (request, response) = (&exchange["request"], &exchange["response"]);
        let is_json = response["headers"]["Content-Type"] == "application/json";
        let path = request["path"].as_str().unwrap();
        if !is_json || !["/register", "/login", "/unregister"].contains(&path) {
            continue;
        }
        let said = response["body"].as_str().unwrap();
        let answer: Value = serde_json::from_str(said).unwrap();
        let text = |member: &str| answer[member].as_str().map(str::to_owned);
        let again = Answer {
            code: text("code").unwrap().parse().unwrap(),
            error: text("error"),
            client_id: text("clientID"),
            bearer_token: text("bearerToken").map(Masked),
        };
        assert_eq!(again.encode(), said);
        if let Err(fault) = Credentials::decode(request["body"].as_str().unwrap().as_bytes())
            && answer["code"] == "400"
        {
            assert_eq!(fault.to_string(), answer["error"], "{}", exchange["name"]);
            faults += 1;
        }
    }
    assert_eq!(faults, 9);
}

/// Id and key, or the fault.
type Read = Result<(String, String), String>;

#[test]
fn bodies() {
    let read = |id: &str, key: &str| Ok((id.to_owned(), key.to_owned()));
    let fault = |text: &str| Err(text.to_owned());
    let in_string = "json: cannot unmarshal {} into Go value of type string";
    let rows: [(&[u8], Read); 39] = [
        (br#"{"clientID":"a","authKey":"k"}"#, read("a", "k")),
        (b" {\r\n\t\"authKey\" : \"k\" , \"clientID\" : \"a\" } ] trailing", read("a", "k")),
        (br#"{"clientID":"a","clientID":"b"}"#, read("b", "")),
        (br#"{"clientID":null,"ClientID":"x"}"#, read("", "")),
        (br#"{"x":"y"}"#, read("", "")),
        (b"null", read("", "")),
        (b"nullnull", read("", "")),
        (br#"{"clientID":"\u0061\n\"\\\/\u00fc\ud83d\ude00"}"#, read("a\n\"\\/\u{fc}\u{1f600}", "")),
        (br#"{"clientID":"\ud83dx\ude00\ud83d\u0041"}"#, read("\u{fffd}x\u{fffd}\u{fffd}A", "")),
        (b"{\"clientID\":\"\xf0\x9f\x98x\"}", read("\u{fffd}\u{fffd}\u{fffd}x", "")),
        (b"", fault("EOF")),
        (b" \n", fault("EOF")),
        (b"{", fault("unexpected EOF")),
        (br#"{"clientID"#, fault("unexpected EOF")),
        (br#"{"clientID":"a""#, fault("unexpected EOF")),
        (b"nul", fault("unexpected EOF")),
        (b"-", fault("unexpected EOF")),
        (b"}", fault("invalid character '}' looking for beginning of value")),
        (b"{,", fault("invalid character ',' looking for beginning of object key string")),
        (br#"{"a":"b",}"#, fault("invalid character '}' looking for beginning of object key string")),
        (br#"{"a" "b"}"#, fault("invalid character '\"' after object key")),
        (br#"{"a":"b" "c"}"#, fault("invalid character '\"' after object key:value pair")),
        (br#"{"a":[1 2]}"#, fault("invalid character '2' after array element")),
        (b"{\"a\":\"\n\"}", fault("invalid character '\\n' in string literal")),
        (br#"{"a":"\x"}"#, fault("invalid character 'x' in string escape code")),
        (br#"{"a":"\u00g0"}"#, fault("invalid character 'g' in \\u hexadecimal character escape")),
        (b"trie", fault("invalid character 'i' in literal true (expecting 'u')")),
        (br#"{"a":-x}"#, fault("invalid character 'x' in numeric literal")),
        (br#"{"a":1.x}"#, fault("invalid character 'x' after decimal point in numeric literal")),
        (br#"{"a":1ex}"#, fault("invalid character 'x' in exponent of numeric literal")),
        (br#"{"a":01}"#, fault("invalid character '1' after object key:value pair")),
        (b"'", fault("invalid character '\\'' looking for beginning of value")),
        (b"\xef\xbb\xbf{}", fault("invalid character '\u{ef}' looking for beginning of value")),
        (br#"{"clientID":{"b":["c",{}]}}"#, fault(&in_string.replace("{}", "object"))),
        (br#"{"clientID":[],"authKey":-1.5e+3}"#, fault(&in_string.replace("{}", "array"))),
        (br#"{"clientID":true}"#, fault(&in_string.replace("{}", "bool"))),
        (br#"{"x":0}"#, fault(&in_string.replace("{}", "number"))),
        (br#"{"x":0,"clientID"}"#, fault("invalid character '}' after object key")),
        (b"\"x\"", fault("json: cannot unmarshal string into Go value of type map[string]string")),
    ];
    for (body, expected) in rows {
        let found = Credentials::decode(body);
        let found = found.map(|read| (read.client_id, read.auth_key.0)).map_err(|fault| fault.to_string());
        assert_eq!(found, expected, "{}", String::from_utf8_lossy(body));
    }
}

#[test]
fn what_is_too_much_is_refused() {
    let long = format!("{{\"clientID\":\"{}\"}}", "a".repeat(MAX_BODY));
    let fault = Credentials::decode(long.as_bytes()).unwrap_err();
    assert_eq!(fault.to_string(), "http: request body too large");
    for deep in ["[".repeat(MAX_BODY), "{\"a\":".repeat(800)] {
        assert_eq!(Credentials::decode(deep.as_bytes()).unwrap_err().to_string(), "exceeded max depth");
    }
}

#[test]
fn a_key_and_a_token_do_not_print() {
    let read = Credentials::decode(br#"{"clientID":"a","authKey":"hunter2"}"#).unwrap();
    let answer = Answer { bearer_token: Some(Masked("hunter2".into())), ..Answer::default() };
    assert!(!format!("{read:?}{answer:?}").contains("hunter2"));
}

proptest! {
    #[test]
    fn what_serde_writes_is_read(id: String, key: String) {
        let body = serde_json::json!({"clientID": id, "authKey": key}).to_string();
        prop_assume!(body.len() <= MAX_BODY);
        let read = Credentials::decode(body.as_bytes()).unwrap();
        prop_assert_eq!((read.client_id, read.auth_key.0), (id, key));
    }

    #[test]
    fn what_is_answered_is_json(id: String, error: String) {
        let answer = Answer { code: 400, client_id: Some(id.clone()), error: Some(error.clone()), ..Answer::default() };
        let read: Value = serde_json::from_str(&answer.encode()).unwrap();
        prop_assert_eq!(read, serde_json::json!({"clientID": id, "code": "400", "error": error}));
    }

    #[test]
    fn whatever_comes_is_read_or_refused(body: Vec<u8>) {
        let strict = serde_json::from_slice::<std::collections::BTreeMap<String, Option<String>>>(&body).is_ok();
        prop_assert!(Credentials::decode(&body).is_ok() || !strict);
    }
}
