//! The rtcd face of the binary: what was acknowledged survives kill -9, and what its operator does with clients.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper that fails fails its test"
)]

mod support;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value, json};

const KEY: &str = "Ey4-H_BJA00_TVByPi8DozE12ekN3S7L";

#[test]
fn registration_login_basic_and_bearer_survive_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let mut tokens: Vec<String> = Vec::new();
    for round in 0..3 {
        let serving = Serving::start(folder.path());
        for (number, token) in tokens.iter().enumerate() {
            let id = format!("client{number}");
            // Who names another client than itself has been believed.
            let basic = |key| Some(Credential::Basic(id.clone(), key));
            assert_eq!(serving.post("/unregister", "other", basic(KEY)).0, 403, "{round} {id}");
            assert_eq!(serving.post("/unregister", "other", basic("wrong")).0, 401, "{round} {id}");
            let bearer = Some(Credential::Bearer(token));
            assert_eq!(serving.post("/unregister", "other", bearer).0, 403, "{round} {id}");
            let (status, said) = serving.post("/register", &id, None);
            assert_eq!((status, &said["error"]), (400, &json!("registration failed: already registered")));
        }
        let id = format!("client{round}");
        assert_eq!(serving.post("/register", &id, None), (201, json!({"clientID": id, "code": "201"})));
        let (status, said) = serving.post("/login", &id, None);
        assert_eq!(status, 200);
        tokens.push(said["bearerToken"].as_str().unwrap().to_owned());
        // Child::kill is SIGKILL: nobody says goodbye.
        drop(serving);
    }
}

/// An operator stops rtcd and starts this with rtcd's environment and file: the port, the admin key and the volume are rtcd's.
#[test]
fn rtcds_environment_and_file_are_enough() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let here = folder.path();
    let ports = format!(
        "[rtc]\nice_port_udp = {}\nice_port_tcp = {0}\nice_address_udp = \"127.0.0.1\"\n",
        free_port()
    );
    std::fs::write(here.join("rtcd.toml"), ports).unwrap();
    let start = |arguments: &[&str]| {
        let mut command = support::bare(here);
        command.envs([
            ("RTCD_API_HTTP_LISTENADDRESS", "127.0.0.1:0"),
            ("RTCD_API_SECURITY_ALLOWSELFREGISTRATION", "1"),
            ("RTCD_API_SECURITY_ENABLEADMIN", "true"),
            ("RTCD_API_SECURITY_ADMINSECRETKEY", "admin"),
            ("RTCD_STORE_DATASOURCE", "volume/rtcd_db"),
            ("RTCD_LOGGER_ENABLEFILE", "false"),
            ("RTCD_RTC_UDPSOCKETSCOUNT", "50"),
            ("COUNTERSIGN__HTTP__LISTEN", "127.0.0.1:0"),
        ]);
        command.args(["--rtcd-config", "rtcd.toml"]).args(arguments);
        command
    };
    let checked = start(&["config", "check"]).output().unwrap();
    assert_eq!((checked.status.code(), checked.stdout.as_slice()), (Some(0), b"ok\n".as_slice()));
    let warnings = String::from_utf8(checked.stderr).unwrap();
    let warned: Vec<&str> = warnings.lines().collect();
    assert_eq!(warned.len(), 2, "{warnings}");
    assert!(
        warned[0]
            .starts_with("warning: RTCD_RTC_UDPSOCKETSCOUNT: rtc.udp_sockets_count has no effect here: ")
    );
    assert!(warned[1].starts_with("warning: RTCD_API_SECURITY_ADMINSECRETKEY: the admin key has 5 bytes"));
    let store = here.join("volume/rtcd_db");
    std::fs::create_dir_all(&store).unwrap();
    std::fs::write(store.join("000000000.data"), record_of_client_a()).unwrap();
    let checked = start(&["config", "check"]).output().unwrap();
    let pointed = "volume/rtcd_db holds a store of rtcd's: `countersign import rtcd --data-source volume/rtcd_db` takes";
    assert!(String::from_utf8(checked.stderr).unwrap().contains(pointed));
    let imported = start(&["import", "rtcd", "--data-source", "volume/rtcd_db"]).output().unwrap();
    assert!(String::from_utf8(imported.stdout).unwrap().starts_with("1 of 1 clients registered"));
    let admin = || Some(Credential::Basic("anybody".into(), "admin"));
    for expected in [201, 400] {
        let serving = Serving::from(start(&["serve"]));
        assert_eq!(serving.post("/login", "clientA", None).0, 200);
        assert_eq!(serving.post("/register", "clientB", None).0, expected, "kept on the volume");
        assert_eq!(serving.post("/unregister", "nobody", admin()).0, 400);
    }
    assert!(here.join("volume/rtcd_db/countersign/countersign.sqlite").exists());

    let files = ["ENABLE", "CERTFILE", "CERTKEY"].map(|name| format!("RTCD_API_HTTP_TLS_{name}"));
    let absent = files.iter().zip(["true", "/nowhere/c.pem", "/nowhere/k.pem"]);
    let absent = start(&["config", "check"]).envs(absent).output().unwrap();
    let said = String::from_utf8(absent.stderr).unwrap();
    assert!(
        said.starts_with(
            "countersign: RTCD_API_HTTP_TLS_CERTFILE: api.http.tls.cert_file: failed to validate http config: invalid TLS config: \
             failed to load cert files: /nowhere/c.pem: No such file"
        ),
        "{said}"
    );
    let wrong = start(&["config", "check"]).env("RTCD_RTC_ICEPORTUDP", "").output().unwrap();
    let said = String::from_utf8(wrong.stderr).unwrap();
    let expected = "countersign: RTCD_RTC_ICEPORTUDP: rtc.ice_port_udp: expected a whole number, found nothing; unset it";
    assert!(wrong.status.code() == Some(2) && said.starts_with(expected), "{said}");
}

/// rtcd reads `config/config.toml` of the folder in which it is started. Here a line says why there is no rtcd.
#[test]
fn a_file_that_rtcd_would_find_by_itself_is_told_and_not_read() {
    const TOLD: &str = "config/config.toml has settings of rtcd's and is not read: rtcd finds it by itself, here it is named: \
                        --rtcd-config config/config.toml";
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let check = |file: &str, arguments: &[&str]| {
        std::fs::create_dir_all(here.join("config")).unwrap();
        std::fs::write(here.join("config/config.toml"), file).unwrap();
        let checked =
            support::bare(here).args(["--data-dir", "data", "config", "check"]).args(arguments).output();
        let checked = checked.unwrap();
        assert!(checked.status.success(), "{file}");
        String::from_utf8(checked.stderr).unwrap()
    };
    let of_rtcd = "[logger]\nenable_file = false\n[rtc]\nice_port_udp = 8443\n";
    assert!(!check(of_rtcd, &["--rtcd-config", "config/config.toml"]).contains("is not read"));
    for of_others in ["", "[server]\nport = 1\n", "no TOML"] {
        assert_eq!(check(of_others, &[]), "", "{of_others}");
    }
    assert_eq!(check(of_rtcd, &[]), format!("warning: {TOLD}\n"));
    let mut serving =
        support::on_loopback(here).arg("serve").stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let log = BufReader::new(serving.stderr.take().unwrap()).lines().map(Result::unwrap);
    let mut said = Vec::new();
    for line in log {
        let started = line.contains(": started ");
        said.push(line);
        if started {
            break;
        }
    }
    serving.kill().unwrap();
    serving.wait().unwrap();
    assert!(said.iter().any(|line| line.contains(TOLD)), "{said:?}");
    assert!(said.last().unwrap().contains("rtcd=None"), "{said:?}");
}

/// A port that rtcd would take.
fn free_port() -> u16 {
    let free = |port: &u16| std::net::UdpSocket::bind(("127.0.0.1", *port)).is_ok();
    let seed = u16::try_from(std::process::id() % 20_000).unwrap();
    (20_000 + seed..49_000).find(free).unwrap()
}

#[test]
fn an_operator_adds_lists_and_removes_clients() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let serving = Serving::start(here);
    let key = printed(here, &["realms", "add", "clientA"]);
    assert_eq!(key.len(), 32);
    let odd = "../\u{1b}[2J&?#ü";
    printed(here, &["realms", "add", odd]);
    let listed = printed(here, &["realms", "list"]);
    assert!(listed.contains("clientA  since 1") && listed.contains("../\\u{1b}[2J&?#ü  since "), "{listed}");
    let again = run(here, &["realms", "add", "clientA"]);
    assert!(String::from_utf8_lossy(&again.stderr).starts_with("countersign: refused with 409"));
    let with_its_key = |expected| {
        let body = json!({"clientID": "clientA", "authKey": key});
        assert_eq!(serving.send("/login", &body, None).0, expected);
    };
    with_its_key(200);
    printed(here, &["realms", "remove", "clientA"]);
    printed(here, &["realms", "remove", odd]);
    with_its_key(400);
    assert_eq!(printed(here, &["realms", "list"]), "");
    let gone = run(here, &["realms", "remove", "clientA"]);
    assert!(String::from_utf8_lossy(&gone.stderr).starts_with("countersign: refused with 404"));
    let audit = printed(here, &["audit"]);
    // What was refused is counted and written a little later.
    let accepted = audit.lines().filter(|line| line.contains("\"accepted\""));
    let count = |action: &str| accepted.clone().filter(|line| line.contains(action)).count();
    assert_eq!((count("realm.register"), count("realm.unregister")), (2, 2), "{audit}");
    assert!(!audit.contains(&key));
}

#[test]
fn the_clients_of_a_store_of_rtcd_are_taken_over_while_nobody_runs() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    std::fs::create_dir(here.join("rtcd_db")).unwrap();
    std::fs::write(here.join("rtcd_db/000000000.data"), record_of_client_a()).unwrap();
    let import = ["import", "rtcd", "--data-source", "rtcd_db"];
    assert_eq!(printed(here, &import), "1 of 1 clients registered; the others were there already");
    let serving = Serving::start(here);
    assert_eq!(serving.post("/login", "clientA", None).0, 200, "no Mattermost server has to register again");
    let running = run(here, &import);
    let said = String::from_utf8_lossy(&running.stderr).into_owned();
    assert!(
        !running.status.success() && said.ends_with("another server uses the data folder data\n"),
        "{said}"
    );
}

/// A store of rtcd's with clientA and its key. The hash was captured from rtcd (`vectors/rtcd/auth.json`), the record made by hand after the
/// layout of its store.
fn record_of_client_a() -> Vec<u8> {
    let kept = b"$2a$10$zd2dZy95sa5UohIbsBDVdOwhWa.l4H1Ucx/nb0uIilF5lLku9gFGm";
    [
        b"\0\0\0\x07\0\0\0\0\0\0\0\x3cclientA".as_slice(),
        kept,
        b"\x9b\x8a\x35\x23".as_slice(),
        b"\0\0\0\0\0\0\0\0",
    ]
    .concat()
}

enum Credential<'a> {
    Basic(String, &'a str),
    Bearer(&'a str),
}

/// A running server, killed when it is dropped.
struct Serving {
    child: Child,
    rtcd: String,
}

impl Serving {
    fn start(folder: &Path) -> Self {
        Self::from(countersign(folder, &["serve"]))
    }

    fn from(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        let mut lines = log.lines().map(Result::unwrap);
        let line = lines.find(|line| line.contains("started")).unwrap();
        let rtcd = line.split_once("rtcd=Some(").unwrap().1.split_once(')').unwrap().0.to_owned();
        // Somebody has to read the rest, or the server waits for it.
        std::thread::Builder::new().spawn(move || lines.for_each(drop)).unwrap();
        Self { child, rtcd }
    }

    fn post(&self, path: &str, id: &str, credential: Option<Credential<'_>>) -> (u16, Value) {
        self.send(path, &json!({"clientID": id, "authKey": KEY}), credential)
    }

    fn send(&self, path: &str, body: &Value, credential: Option<Credential<'_>>) -> (u16, Value) {
        // Another test of the process may have been first; it did the same.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let request = reqwest::Client::new().post(format!("http://{}{path}", self.rtcd));
            let request = match credential {
                Some(Credential::Basic(id, key)) => request.basic_auth(id, Some(key)),
                Some(Credential::Bearer(token)) => request.bearer_auth(token),
                None => request,
            };
            let answer = request.body(body.to_string()).send().await.unwrap();
            let status = answer.status().as_u16();
            (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap())
        })
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn countersign(folder: &Path, arguments: &[&str]) -> Command {
    let face = ["enabled=true", "listen=127.0.0.1:0", "allow_self_registration=true"];
    let mut command = support::on_loopback(folder);
    command.args(face.iter().flat_map(|set| ["--set".to_owned(), format!("faces.rtcd.{set}")]));
    command.args(arguments);
    command
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    countersign(folder, arguments).output().unwrap()
}

fn printed(folder: &Path, arguments: &[&str]) -> String {
    support::printed(run(folder, arguments))
}
