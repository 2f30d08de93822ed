//! Commands to a running server, by its `/v1/admin/` with the admin token of the data folder.

use std::{fs, time::Duration};

use anyhow::{Context, anyhow, bail};
use identity::Secret;
use reqwest::Method;
use serde_json::{Map, Value, json};
use server::{config::Checked, whereabouts::Whereabouts};

use crate::{
    cli::{ChannelSettings, ChannelsCommand, InviteCommand, ParticipantCommand, RealmsCommand, RoomCommand},
    pinned,
    printing::say_line,
};

const TIMEOUT: Duration = Duration::from_secs(30);

pub(crate) fn room(config: &Checked, command: &RoomCommand) -> anyhow::Result<()> {
    let server = Remote::of(config)?;
    match command {
        RoomCommand::Create { name } => {
            let made = server.call(Method::POST, &["rooms"], Some(json!({ "name": name })))?;
            say_line!("{}", text(&made, "room_id"))?;
        }
        RoomCommand::List => {
            for room in list(&server.call(Method::GET, &["rooms"], None)?, "rooms") {
                let inside = room["participants"].as_u64().unwrap_or_default();
                say_line!("{}  {inside:>3} in  {}", text(room, "room_id"), text(room, "name"))?;
            }
        }
        RoomCommand::Show { room } => print_room(&server.call(Method::GET, &["rooms", room], None)?)?,
        RoomCommand::End { room } => _ = server.call(Method::DELETE, &["rooms", room], None)?,
    }
    Ok(())
}

pub(crate) fn invite(config: &Checked, command: &InviteCommand) -> anyhow::Result<()> {
    let server = Remote::of(config)?;
    match command {
        InviteCommand::Create { room, uses, expires_in, permissions } => {
            let mut wish = Map::new();
            wish.extend(uses.map(|uses| ("uses".to_owned(), json!(uses))));
            wish.extend(expires_in.map(|seconds| ("expires_in".to_owned(), json!(seconds))));
            wish.extend(permissions.as_ref().map(|list| ("permissions".to_owned(), json!(list))));
            let made = server.call(Method::POST, &["rooms", room, "invites"], Some(Value::Object(wish)))?;
            say_line!("{}", text(&made, "url"))?;
        }
        InviteCommand::List { room } => {
            for invite in list(&server.call(Method::GET, &["rooms", room], None)?, "invites") {
                print_invite("", invite)?;
            }
        }
        InviteCommand::Revoke { room, invite } => {
            server.call(Method::DELETE, &["rooms", room, "invites", invite], None)?;
        }
    }
    Ok(())
}

pub(crate) fn participant(config: &Checked, command: &ParticipantCommand) -> anyhow::Result<()> {
    let ParticipantCommand::Remove { room, participant } = command;
    Remote::of(config)?.call(Method::DELETE, &["rooms", room, "participants", participant], None)?;
    Ok(())
}

pub(crate) fn realms(config: &Checked, command: &RealmsCommand) -> anyhow::Result<()> {
    let server = Remote::of(config)?;
    match command {
        RealmsCommand::List => {
            for realm in list(&server.call(Method::GET, &["realms"], None)?, "realms") {
                // Whoever registered it chose the id: nothing of it may reach the terminal as a command.
                say_line!("{}  since {}", text(realm, "realm_id").escape_debug(), realm["created_at"])?;
            }
        }
        RealmsCommand::Add { id } => {
            let added = server.call(Method::POST, &["realms"], Some(json!({ "realm_id": id })))?;
            say_line!("{}", text(&added, "key"))?;
        }
        RealmsCommand::Remove { id } => {
            let which = format!("?realm_id={}", percent_encoded(id));
            server.call(Method::DELETE, &["realms", &which], None)?;
        }
    }
    Ok(())
}

pub(crate) fn channels(config: &Checked, command: &ChannelsCommand) -> anyhow::Result<()> {
    let server = Remote::of(config)?;
    match command {
        ChannelsCommand::List => {
            for channel in list(&server.call(Method::GET, &["channels"], None)?, "channels") {
                print_channel(channel)?;
            }
        }
        ChannelsCommand::Add { id, settings } => {
            let mut wish = wish(settings);
            wish.extend(id.as_ref().map(|id| ("channelId".to_owned(), json!(id))));
            let made = server.call(Method::POST, &["channels"], Some(Value::Object(wish)))?;
            say_line!("{}", text(&made, "channelId"))?;
        }
        ChannelsCommand::Show { channel } => {
            show_channel(&server.call(Method::GET, &["channels", channel], None)?)?;
        }
        ChannelsCommand::Change { channel, settings } => {
            let change = Value::Object(wish(settings));
            print_channel(&server.call(Method::PATCH, &["channels", channel], Some(change))?)?;
        }
        ChannelsCommand::Remove { channel } => {
            server.call(Method::DELETE, &["channels", channel], None)?;
        }
        ChannelsCommand::Invite { channel, uses, ttl } => {
            let mut wish = Map::new();
            wish.extend(uses.map(|uses| ("uses".to_owned(), json!(uses))));
            wish.extend(ttl.map(|seconds| ("ttl".to_owned(), json!(seconds))));
            let path = ["channels", channel, "invitations"];
            let made = server.call(Method::POST, &path, Some(Value::Object(wish)))?;
            say_line!("{}", text(&made, "link"))?;
        }
        ChannelsCommand::Revoke { channel, client } => {
            server.call(Method::DELETE, &["channels", channel, "clients", client], None)?;
        }
    }
    Ok(())
}

fn wish(settings: &ChannelSettings) -> Map<String, Value> {
    let texts = [
        ("topic", &settings.topic),
        ("admission", &settings.admission),
        ("cookie_binding", &settings.cookie_binding),
        ("sessid_policy", &settings.sessid_policy),
        ("content", &settings.content),
        ("delivery", &settings.delivery),
    ];
    let said = |(name, value): (&str, &Option<String>)| Some((name.to_owned(), json!(value.as_ref()?)));
    let mut wish: Map<String, Value> = texts.into_iter().filter_map(said).collect();
    wish.extend(settings.capacity.map(|capacity| ("capacity".to_owned(), json!(capacity))));
    let origins = settings.origins.as_ref().map(|origins| {
        let origins: Vec<_> = origins.iter().filter(|origin| !origin.is_empty()).collect();
        ("origins".to_owned(), json!(origins))
    });
    wish.extend(origins);
    wish
}

fn show_channel(channel: &Value) -> anyhow::Result<()> {
    print_channel(channel)?;
    for setting in ["admission", "cookie_binding", "sessid_policy", "content", "delivery"] {
        say_line!("  {setting} {}", channel.get(setting).and_then(Value::as_str).unwrap_or("off"))?;
    }
    say_line!("  capacity {}\n  origins {}\nclients:", channel["capacity"], words(channel, "origins"))?;
    for client in list(channel, "clients") {
        let state = if client["connected"] == true { "here" } else { "away" };
        say_line!("  {}  {state}  since {}", text(client, "clientId"), client["created"])?;
    }
    Ok(())
}

fn print_channel(channel: &Value) -> anyhow::Result<()> {
    let (id, topic) = (text(channel, "channelId"), text(channel, "topic"));
    say_line!("{id}  {:>3} in  {}", channel["live"].as_u64().unwrap_or_default(), topic.escape_debug())
}

fn percent_encoded(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(encode).collect()
}

pub(crate) fn sign_in(config: &Checked) -> anyhow::Result<()> {
    let made = Remote::of(config)?.call(Method::POST, &["sign-in-links"], None)?;
    say_line!("{}", text(&made, "url"))?;
    Ok(())
}

/// Prints one JSON object a line.
pub(crate) fn audit(config: &Checked, limit: u16) -> anyhow::Result<()> {
    let page = Remote::of(config)?.call(Method::GET, &["audit", &format!("?limit={limit}")], None)?;
    for record in list(&page, "records") {
        say_line!("{record}")?;
    }
    Ok(())
}

/// The server that uses the same data folder.
struct Remote {
    url: String,
    token: Secret,
    client: reqwest::Client,
    runtime: tokio::runtime::Runtime,
}

impl Remote {
    fn of(config: &Checked) -> anyhow::Result<Self> {
        let folder = &config.data_dir;
        let here = Whereabouts::read(folder)
            .map_err(|_| anyhow!("no server runs with the data folder {}", folder.display()))?;
        let path = folder.join("admin-token");
        let token = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let pem = match &here.certificate {
            Some(path) => Some(fs::read(path).with_context(|| path.display().to_string())?),
            None => None,
        };
        let scheme = if pem.is_some() { "https" } else { "http" };
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(TIMEOUT)
            .tls_backend_preconfigured(pinned::trusting_only(pem.as_deref())?)
            .build()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let url = format!("{scheme}://{}/v1/admin", here.local());
        Ok(Self { url, token: Secret::new(token.trim()), client, runtime })
    }

    /// Sends one request; `path` is checked to be plain words, since ids come from the command line. Null for an answer without a body.
    fn call(&self, method: Method, path: &[&str], body: Option<Value>) -> anyhow::Result<Value> {
        let mut url = self.url.clone();
        for part in path {
            if let Some(query) = part.strip_prefix('?') {
                url = format!("{url}?{query}");
                continue;
            }
            if part.is_empty() || !part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
                bail!("{part:?} is not an id");
            }
            url = format!("{url}/{part}");
        }
        let mut request = self.client.request(method, url).bearer_auth(self.token.expose());
        if let Some(body) = body {
            request = request.json(&body);
        }
        self.runtime.block_on(async {
            let answer = request.send().await.context("the server does not answer")?;
            let status = answer.status();
            let body = answer.text().await.context("the answer broke off")?;
            let value = serde_json::from_str(&body).unwrap_or(Value::Null);
            if status.is_success() {
                return Ok(value);
            }
            let why = ["detail", "title"]
                .map(|member| text(&value, member))
                .into_iter()
                .find(|why| !why.is_empty());
            Err(anyhow!("refused with {status}: {}", why.unwrap_or_default()))
        })
    }
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(value: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> {
    value.get(field).and_then(Value::as_array).into_iter().flatten()
}

fn words(value: &Value, field: &str) -> String {
    list(value, field).filter_map(Value::as_str).collect::<Vec<_>>().join(",")
}

fn print_room(room: &Value) -> anyhow::Result<()> {
    say_line!("{}  {}", text(room, "room_id"), text(room, "name"))?;
    say_line!("participants:")?;
    for participant in list(room, "participants") {
        let state = if participant["connected"] == true { "here" } else { "away" };
        let (id, name) = (text(participant, "participant_id"), text(participant, "name"));
        say_line!("  {id}  {state}  {}  {name}", words(participant, "permissions"))?;
    }
    say_line!("invites:")?;
    for invite in list(room, "invites") {
        print_invite("  ", invite)?;
    }
    Ok(())
}

fn print_invite(indent: &str, invite: &Value) -> anyhow::Result<()> {
    let revoked = if invite["revoked"] == true { "  revoked" } else { "" };
    say_line!(
        "{indent}{}  {} of {} used  until {}  {}{revoked}",
        text(invite, "invite_id"),
        invite["used"],
        invite["uses"],
        invite["expires_at"],
        words(invite, "permissions"),
    )
}
