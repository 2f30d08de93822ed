//! What a client of a channel may ask: to hear it, to speak to all of it, and to speak to one of it.

use std::sync::Arc;
use std::time::Instant;

use hub::{OutOfTurn, Passage, Step};
use identity::{ChannelId, ClientId, Content};
use serde_json::{Value, json};
use wire::verto::content::Said;
use wire::verto::{self, Broadcast, Call, Fault, Info, MAX_BODY, MAX_NAME, MAX_NAMES, MAX_PAYLOAD};

use super::connection::{Done, Members};
use super::upgrade::Face;
use crate::faces::shown::ice_told;
use crate::services::Member;
use crate::services::exchange::{Pace, Party};

/// A client, and how fast it talks.
pub(super) struct Talking<'a> {
    pub(super) face: &'a Face,
    pub(super) member: &'a Member,
    pub(super) party: Party<'a>,
    pub(super) pace: &'a mut Pace,
}

pub(super) async fn perform(talking: &mut Talking<'_>, call: Call) -> Done {
    match call {
        Call::Subscribe(names) => talking.subscribe(names),
        Call::Unsubscribe(names) => talking.unsubscribe(names),
        Call::Broadcast(broadcast) => talking.broadcast(&broadcast),
        Call::Info(Info::CallControl) => Fault::UnknownMethod.into(),
        Call::Info(Info::Incomplete) => Fault::NoMessage.into(),
        Call::Info(Info::Message { to, body, signature }) => {
            talking.tell(&to, &body.0, signature).await.unwrap_or_else(Done::from)
        }
        Call::IceServers => talking.ice_servers(),
        Call::Login(_) | Call::Echo(_) | Call::Ping | Call::Unknown => Fault::UnknownMethod.into(),
    }
}

impl Talking<'_> {
    fn subscribe(&self, names: Option<Vec<String>>) -> Done {
        let names = match named(names) {
            Ok(names) => names,
            Err(fault) => return fault.into(),
        };
        let became = self.face.app.exchange.subscribe(self.party, names, MAX_NAME);
        let refused = list("unauthorizedChannels", &became.refused);
        if became.newly.is_empty() && became.already.is_empty() {
            return Done::Refused(Fault::PermissionDenied, Members::from_iter(refused));
        }
        let newly = [("subscribedChannels".to_owned(), json!(became.newly))];
        let others = [list("alreadySubscribedChannels", &became.already), refused];
        Done::Result(newly.into_iter().chain(others.into_iter().flatten()).collect())
    }

    fn unsubscribe(&self, names: Option<Vec<String>>) -> Done {
        let names = match named(names) {
            Ok(names) => names,
            Err(fault) => return fault.into(),
        };
        let (heard, others) = self.face.app.exchange.unsubscribe(self.party, names);
        let others = list("notSubscribedChannels", &others);
        if heard.is_empty() {
            return Done::Refused(Fault::NotSubscribed, Members::from_iter(others));
        }
        Done::Result(list("unsubscribedChannels", &heard).into_iter().chain(others).collect())
    }

    /// A broadcast is refused inside a result, as clients expect it.
    fn broadcast(&mut self, broadcast: &Broadcast) -> Done {
        match self.spread(broadcast) {
            Ok(()) => Done::Result(Members::new()),
            Err(fault) => Done::RefusedInResult(fault),
        }
    }

    fn spread(&mut self, broadcast: &Broadcast) -> Result<(), Fault> {
        if self.pace.is_over_broadcasts(Instant::now()) {
            return Err(Fault::RateLimit);
        }
        let name = broadcast.channel.as_deref().ok_or(Fault::NoChannel)?;
        let exchange = &self.face.app.exchange;
        let own = exchange.topic(self.member.channel, name).filter(|own| own.len() <= MAX_NAME);
        let topic = own.ok_or(Fault::PermissionDenied)?;
        if broadcast.weight() > MAX_PAYLOAD {
            return Err(Fault::TooLarge);
        }
        if self.member.content == Content::Strict {
            broadcast.check().map_err(|_| Fault::ContentRefused)?;
        }
        let userid = format!("{}@{}", self.member.client, self.face.domain);
        let body: Arc<str> = broadcast.shared(&topic, &userid).into();
        exchange.broadcast(self.party, &topic, &body);
        self.face.app.verto_figures.broadcast();
        Ok(())
    }

    async fn tell(&mut self, to: &str, body: &str, signature: Option<String>) -> Result<Done, Fault> {
        let to = self.recipient(to).ok_or(Fault::PermissionDenied)?;
        if self.pace.is_over_recipients(Instant::now(), to) {
            return Err(Fault::RateLimit);
        }
        if body.len() > MAX_BODY {
            return Err(Fault::TooLarge);
        }
        let strict = self.member.content == Content::Strict;
        let said = strict.then(|| Said::read(body)).transpose().map_err(|_| Fault::ContentRefused)?;
        if !self.is_known(to).await? {
            return Err(Fault::PermissionDenied);
        }
        let passage = match said.as_ref().and_then(step) {
            Some(step) => self.take(to, step)?,
            None => Passage::Through,
        };
        if let (Passage::Moves, Some(said)) = (passage, &said) {
            // An offer agrees on nothing yet.
            if *said != Said::Offer {
                self.face.app.exchange.keep(self.party, to).await;
            }
            self.face.app.exchange.record(self.party, to, word(said), body);
        }
        let delivered = passage != Passage::Spared && {
            let beside = self.beside(said.as_ref(), signature);
            let from = self.member.client.to_string();
            let message = verto::message(&from, &format!("{to}@{}", self.face.domain), body, beside);
            self.face.app.exchange.tell(self.party, to, message.into())
        };
        if delivered {
            self.face.app.verto_figures.message();
        }
        let sent = json!({"message": "SENT", "delivered": u8::from(delivered)});
        let Value::Object(sent) = sent else { return Err(Fault::Internal) };
        Ok(Done::Result(sent))
    }

    /// Whoever was revoked a moment ago is told nothing that would outlive it.
    fn ice_servers(&self) -> Done {
        let channels = &self.face.app.channels;
        if !channels.is_in(self.member) {
            return Fault::PermissionDenied.into();
        }
        match serde_json::to_value(ice_told(&channels.ice(self.member.client))) {
            Ok(Value::Object(told)) => Done::Result(told),
            Ok(_) | Err(_) => Fault::Internal.into(),
        }
    }

    /// Reads `<client ID>` or `<client ID>@<our domain>`.
    fn recipient(&self, to: &str) -> Option<ClientId> {
        let id = match to.split_once('@') {
            None => to,
            Some((id, domain)) if domain.eq_ignore_ascii_case(&self.face.domain) => id,
            Some(_) => return None,
        };
        id.parse().ok()
    }

    /// Whether a client is or was in the speaker's own channel. Of all others nothing is told, not even whether they are.
    async fn is_known(&self, to: ClientId) -> Result<bool, Fault> {
        let (app, channel) = (&self.face.app, self.member.channel);
        if app.exchange.is_here(channel, to) {
            return Ok(true);
        }
        app.channels.has_been_in(channel, to).await.map_err(|_| Fault::Internal)
    }

    fn take(&self, to: ClientId, step: Step<'_>) -> Result<Passage, Fault> {
        self.face.app.exchange.step(self.party, to, step).map_err(|out_of_turn| match out_of_turn {
            OutOfTurn::NoOffer | OutOfTurn::NoDialog | OutOfTurn::OtherCertificate => Fault::ContentRefused,
        })
    }

    /// What the server itself says of a message: which certificates it names, and which key its signature is to be verified with. People
    /// can compare it with what the other sees.
    fn beside(&self, said: Option<&Said>, signature: Option<String>) -> Members {
        let mut beside = Members::new();
        if let Some(Said::Description(fingerprints)) = said {
            beside.insert("fingerprints".into(), json!(fingerprints));
        }
        if let (Some(signature), Some(key)) = (signature, &self.member.proof_key) {
            beside.insert("signature".into(), signature.into());
            beside.insert("key".into(), key.to_string().into());
        }
        beside
    }
}

fn step(said: &Said) -> Option<Step<'_>> {
    match said {
        Said::Available => None,
        Said::Offer => Some(Step::Offer),
        Said::Accept => Some(Step::Accept),
        Said::Over => Some(Step::End),
        Said::Description(fingerprints) => Some(Step::Describe(fingerprints)),
        Said::Candidate => Some(Step::Candidate),
    }
}

/// Returns what the others of its channel hear of a client that was revoked, as if it had left: clients of tessercat's close a call with it.
pub fn last_words(channel: ChannelId, client: ClientId, domain: &str) -> Arc<str> {
    verto::gone(&channel.to_string(), &format!("{client}@{domain}")).into()
}

/// The step's name in the audit record.
fn word(said: &Said) -> &'static str {
    match said {
        Said::Available => "available",
        Said::Offer => "offer",
        Said::Accept => "accept",
        Said::Over => "end",
        Said::Description(_) => "describe",
        Said::Candidate => "candidate",
    }
}

fn named(names: Option<Vec<String>>) -> Result<Vec<String>, Fault> {
    let names = names.ok_or(Fault::NoChannel)?;
    if names.len() > MAX_NAMES { Err(Fault::TooManyChannels) } else { Ok(names) }
}

/// A member of an answer, unless it would be empty.
fn list(name: &str, names: &[String]) -> Option<(String, Value)> {
    (!names.is_empty()).then(|| (name.to_owned(), json!(names)))
}
