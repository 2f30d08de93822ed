//! The binary as an operator uses it.
#![allow(clippy::disallowed_methods, reason = "the time that a stop takes is read from the clock")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper that fails fails its test"
)]

mod support;

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

fn countersign(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = support::on_loopback(folder);
    command.args(arguments);
    command
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    countersign(folder, arguments).output().unwrap()
}

fn printed(folder: &Path, arguments: &[&str]) -> String {
    support::printed(run(folder, arguments))
}

struct Serving {
    child: Child,
    line: String,
}

impl Serving {
    fn start(folder: &Path, arguments: &[&str]) -> Self {
        let mut child =
            countersign(folder, arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        Self { child, line }
    }

    /// Says SIGTERM; returns the exit code, what else was printed and the log.
    fn stop(mut self) -> (Option<i32>, String, String) {
        let process = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(process, rustix::process::Signal::TERM).unwrap();
        let (mut rest, mut log) = (String::new(), String::new());
        self.child.stdout.take().unwrap().read_to_string(&mut rest).unwrap();
        self.child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        (self.child.wait().unwrap().code(), rest, log)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

#[test]
fn a_wrong_configuration_ends_with_status_2_and_its_place() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("c.toml"), "[http]\n# a comment\nlisen = \"127.0.0.1:1\"\n").unwrap();
    for command in [["config", "check"].as_slice(), &["serve"], &[]] {
        let output = run(folder.path(), &[&["--config", "c.toml"], command].concat());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{command:?}: {said}");
        assert_eq!(said, "countersign: c.toml:3: http.lisen: unknown key; did you mean http.listen?\n");
        assert!(output.stdout.is_empty());
    }
    assert!(!folder.path().join("data").exists(), "nothing was begun");
    assert_eq!(printed(folder.path(), &["config", "check"]), "ok");
}

#[test]
fn certificates_that_are_not_there_are_a_wrong_configuration() {
    let folder = tempfile::tempdir().unwrap();
    for section in ["http", "faces.rtcd", "faces.verto"] {
        let sets = ["tls=files", "cert_file=/nowhere/c.pem", "key_file=/nowhere/k.pem"];
        let sets = sets.map(|set| format!("{section}.{set}"));
        let enabled = (section != "http").then(|| format!("{section}.enabled=true"));
        let sets: Vec<&str> = sets.iter().chain(&enabled).flat_map(|set| ["--set", set.as_str()]).collect();
        for command in [["config", "check"].as_slice(), &["serve"]] {
            let output = run(folder.path(), &[command, &sets].concat());
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(2), "{command:?}: {said}");
            let expected = format!(": {section}.cert_file: /nowhere/c.pem: No such file");
            assert!(said.contains(&expected) && output.stdout.is_empty(), "{command:?}: {said}");
        }
        // Whoever only speaks to a running server may not be able to read its key.
        let said = run(folder.path(), &[&["room", "list"], sets.as_slice()].concat());
        assert!(String::from_utf8_lossy(&said.stderr).contains("no server runs with the data folder"));
    }
    assert!(!folder.path().join("data").exists(), "nothing was begun");
}

#[test]
fn the_printed_example_is_a_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let example = printed(folder.path(), &["config", "print"]);
    std::fs::write(folder.path().join("c.toml"), &example).unwrap();
    assert_eq!(printed(folder.path(), &["config", "check", "--config", "c.toml"]), "ok");
    let document = include_str!("../../../docs/configuration.md");
    assert_eq!(printed(folder.path(), &["config", "print", "--markdown"]), document.trim());
}

#[test]
fn an_exposed_folder_stops_the_start_with_the_command_that_mends_it() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    std::fs::set_permissions(&data, std::fs::Permissions::from_mode(0o755)).unwrap();
    let output = run(folder.path(), &["serve"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("chmod") && said.contains("data"), "{said}");
}

#[test]
fn an_operator_makes_shows_and_ends_a_room() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let nobody = run(here, &["room", "list"]);
    assert!(String::from_utf8_lossy(&nobody.stderr).contains("no server runs with the data folder"));

    let serving = Serving::start(here, &["serve"]);
    let link =
        serving.line.trim().strip_prefix("Open this link to sign in: http://127.0.0.1:").unwrap().to_owned();
    assert!(link.contains("/#sign-in=csl_"), "{link}");
    manage(here);
    let (code, rest, log) = serving.stop();
    assert_eq!((code, rest.as_str()), (Some(0), ""), "{log}");
    for secret in ["csa_", "csi_", "csl_", "css_", "csc_"] {
        assert!(!log.contains(secret), "{secret} in the log:\n{log}");
    }
    private(&here.join("data"));
}

fn manage(here: &Path) {
    let room = printed(here, &["room", "create", "Böll & Söhne"]);
    assert!(printed(here, &["room", "list"]).contains(&format!("{room}    0 in  Böll & Söhne")));
    let nameless = run(here, &["room", "create", ""]);
    assert!(String::from_utf8_lossy(&nameless.stderr).contains(": name must be 1 to 64 "), "{nameless:?}");
    let url = printed(here, &["invite", "create", &room, "--uses", "2", "--permissions", "speak,camera"]);
    assert!(url.contains(&format!("/r/{room}#csi_")), "{url}");
    let shown = printed(here, &["room", "show", &room]);
    assert!(shown.contains("0 of 2 used") && shown.contains("speak,camera"), "{shown}");
    let invites = printed(here, &["invite", "list", &room]);
    let invite = invites.split_whitespace().next().unwrap();
    printed(here, &["invite", "revoke", &room, invite]);
    assert!(printed(here, &["invite", "list", &room]).ends_with("revoked"));
    assert!(printed(here, &["sign-in"]).contains("/#sign-in=csl_"));
    assert!(printed(here, &["audit", "--limit", "5"]).lines().count() <= 5);
    printed(here, &["room", "end", &room]);
    let gone = run(here, &["participant", "remove", &room, &"0".repeat(32)]);
    assert_eq!(gone.status.code(), Some(1));
    let said = String::from_utf8_lossy(&gone.stderr).into_owned();
    assert!(said.starts_with("countersign: refused with 404"), "{said}");
    assert!(!run(here, &["room", "end", "../rooms"]).status.success());
}

/// Everything in the data folder is for its owner only.
fn private(data: &Path) {
    use std::os::unix::fs::MetadataExt;

    for entry in std::fs::read_dir(data).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().mode() & 0o077, 0, "{:?}", entry.file_name());
    }
    assert_eq!(std::fs::metadata(data).unwrap().mode() & 0o777, 0o700);
}

#[test]
fn commands_reach_an_encrypted_server() {
    let folder = tempfile::tempdir().unwrap();
    let serving = Serving::start(folder.path(), &["--set", "http.tls=self-signed"]);
    assert!(serving.line.contains("https://127.0.0.1:"), "{}", serving.line);
    let room = printed(folder.path(), &["room", "create", "Encrypted"]);
    assert_eq!(room.len(), 32);
    assert_eq!(serving.stop().0, Some(0));
}

#[test]
fn a_stop_and_a_start_are_quick_and_keep_the_rooms() {
    let folder = tempfile::tempdir().unwrap();
    let serving = Serving::start(folder.path(), &["serve"]);
    let room = printed(folder.path(), &["room", "create", "Kept"]);
    let begun = Instant::now();
    let (code, _, log) = serving.stop();
    assert_eq!(code, Some(0), "{log}");
    assert!(
        begun.elapsed() < Duration::from_secs(2),
        "nobody had to be waited for: {:?}\n{log}",
        begun.elapsed()
    );
    let serving = Serving::start(folder.path(), &["serve"]);
    assert!(printed(folder.path(), &["room", "list"]).contains(&room));
    assert_eq!(serving.stop().0, Some(0));
}

#[test]
fn two_servers_do_not_share_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let first = Serving::start(folder.path(), &["serve"]);
    let second = run(folder.path(), &["serve"]);
    assert_eq!(second.status.code(), Some(1));
    let said = String::from_utf8(second.stderr).unwrap();
    assert_eq!(said.lines().last(), Some("countersign: another server uses the data folder data"), "{said}");
    assert!(!printed(folder.path(), &["room", "create", "Still there"]).is_empty());
    assert_eq!(first.stop().0, Some(0));
}

#[test]
fn a_start_that_fails_tells_each_cause_once() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap();
    let listen = ["--set", &format!("http.listen={taken}")];
    let media = ["--set", &format!("media.listen_tcp={taken}")];
    let in_use = "Address already in use (os error 98)";
    let hint = "[media] listen_tcp = [] does without";
    for (arguments, expected) in [
        (&listen, format!("cannot listen on {taken}: {in_use}")),
        (&media, format!("cannot bind TCP {taken}: {in_use}; {hint}")),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let output = run(folder.path(), &[arguments.as_slice(), &["serve"]].concat());
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert_eq!(said.lines().last(), Some(format!("countersign: {expected}").as_str()), "{said}");
    }
}

#[test]
fn what_nobody_reads_is_no_failure() {
    let folder = tempfile::tempdir().unwrap();
    let serving = Serving::start(folder.path(), &["serve"]);
    assert!(!printed(folder.path(), &["room", "create", "Standup"]).is_empty());
    for command in [
        ["config", "print"].as_slice(),
        &["config", "print", "--markdown"],
        &["config", "check"],
        &["audit"],
        &["room", "list"],
        &["sign-in"],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = countersign(folder.path(), command).stdout(writer).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{command:?}");
        assert!(output.status.success(), "{command:?}");
    }
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = countersign(folder.path(), &["audit"]).stdout(full).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said, "countersign: cannot print: No space left on device (os error 28)\n");
    assert_eq!(output.status.code(), Some(1));
    drop(serving);
}

#[test]
fn a_log_that_cannot_be_written_stops_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut child = countersign(folder.path(), &[]).stdout(Stdio::piped()).stderr(full).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let serving = Serving { child, line };
    assert!(serving.line.contains("/#sign-in="), "it started");
    assert_eq!(printed(folder.path(), &["room", "create", "Standup"]).len(), 32);
}

#[test]
fn a_low_limit_of_open_files_is_raised_as_far_as_the_operator_allows() {
    let folder = tempfile::tempdir().unwrap();
    let binary = countersign(folder.path(), &[]);
    let mut shell = Command::new("sh");
    shell
        .args(["-c", "ulimit -Sn 128 && exec \"$@\"", "sh"])
        .arg(binary.get_program())
        .args(binary.get_args());
    shell.current_dir(folder.path()).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = shell.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let serving = Serving { child, line };
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", serving.child.id())).unwrap();
    let files: Vec<_> = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))
        .unwrap()
        .split_whitespace()
        .collect();
    let [soft, hard, ..] = files.as_slice() else { panic!("{files:?}") };
    assert_eq!(soft, hard);
}

/// 8.7 of the reference on verto, by the commands; the process is killed, not stopped.
#[test]
fn channels_are_kept_by_commands_and_over_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let face = ["serve", "--set", "faces.verto.listen=127.0.0.1:0"];
    let channel = "0b38fc9b-ea40-46cb-b7a9-ee9dd01ae7bb";
    let serving = Serving::start(folder, &face);
    let add = [
        "channels",
        "add",
        "--id",
        channel,
        "--topic",
        "Tea",
        "--origins",
        "https://a.example,http://b.example",
    ];
    assert_eq!(printed(folder, &add), channel);
    assert!(!run(folder, &add).status.success(), "the id is taken");
    drop(serving);

    let serving = Serving::start(folder, &face);
    assert_eq!(printed(folder, &["channels", "list"]), format!("{channel}    0 in  Tea"));
    let change = ["channels", "change", channel, "--admission", "open", "--origins", "", "--capacity", "3"];
    assert_eq!(printed(folder, &change), format!("{channel}    0 in  Tea"));
    let shown = printed(folder, &["channels", "show", channel]);
    for line in ["  admission open", "  delivery off", "  capacity 3", "  origins \n"] {
        assert!(shown.contains(line), "{line:?} is not in\n{shown}");
    }
    let link = printed(folder, &["channels", "invite", channel, "--uses", "5", "--ttl", "60"]);
    assert!(link.contains(&format!("/join/{channel}#csv_")), "{link}");
    let refused = run(folder, &["channels", "revoke", channel, channel]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("404"), "there is no such client");
    printed(folder, &["channels", "remove", channel]);
    assert_eq!(printed(folder, &["channels", "list"]), "");
    drop(serving);
}

/// Item 64 of the reference on verto, and S15: neither the log at its most talkative nor the audit record holds what opens anything.
#[test]
fn v64_no_line_of_the_log_holds_a_password_a_session_or_a_body() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let face = ["serve", "--set", "faces.verto.listen=127.0.0.1:0", "--set", "log.level=debug"];
    let serving = Serving::start(folder, &face);
    let channel = printed(folder, &["channels", "add", "--topic", "Rumpelstilzchen"]);
    let link = printed(folder, &["channels", "invite", &channel]);
    let (page, invitation) = link.split_once('#').unwrap();
    let address = page.strip_prefix("http://").unwrap().split_once('/').unwrap().0;
    let session = "5f0cba6e-2cc8-4b0e-a1f6-0d7d5c2f4a11";
    let body = format!(r#"{{"sessionId":"{session}","invitation":"{invitation}"}}"#);
    let issued = asked(address, "POST", &format!("/v1/channels/{channel}/clients"), "", &body);
    let part = |text: &str, before: &str, length: usize| {
        text.split_once(before).unwrap_or_else(|| panic!("{before} is not in {text}")).1[..length].to_owned()
    };
    let first = part(&issued, r#""password":""#, 64);
    let cookie = part(&issued, "__Host-countersign-visitor=", 64);
    let path = format!("/peers/{channel}/sessions?sessionId={session}");
    let again = asked(address, "GET", &path, &format!("Cookie: __Host-countersign-visitor={cookie}\r\n"), "");
    let second = part(&again, r#""password":""#, 64);
    for (method, path, body) in
        [("GET", path.as_str(), ""), ("POST", &path, &body), ("PUT", &path, "Rumpelstilzchen")]
    {
        assert!(asked(address, method, path, "", body).starts_with("HTTP/1.1 4"));
    }
    // What is refused is written within a second.
    let tries = (0..50).map(|_| {
        std::thread::sleep(Duration::from_millis(100));
        printed(folder, &["audit"])
    });
    let mut tries = tries.filter(|audit| audit.contains("another visitor's session"));
    let audit = tries.next().expect("refusals are in the audit record");
    assert!(audit.contains("client.issue"), "{audit}");
    let (_, rest, log) = serving.stop();
    assert!(log.contains("answered"), "the log is as talkative as it can be: {log}");
    for secret in [&first, &second, &cookie, session, invitation, "Rumpelstilzchen", &channel] {
        for text in [&audit, &rest, &log] {
            assert!(!text.contains(secret), "{secret} is in\n{text}");
        }
    }
}

/// Asks once, and returns the whole answer.
fn asked(address: &str, method: &str, path: &str, more: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {length}\r\n{more}\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
