//! What a client asks, in the order in which it is looked at: can it be read, is it too much, who asks, may they, and then it is done.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hub::Speaker;
use identity::{ClientId, Secret};
use serde_json::{Map, Value, json};
use wire::verto::{self, Call, Credentials, Fault, Frame, Id, MAX_ECHO};

use super::talk::{self, Talking};
use super::upgrade::Face;
use crate::services::exchange::{Line, NoSeat, Over, Pace, Party, Rate, Said};
use crate::services::{Believed, ClientProof, ClientRefused, Door, Login, Member};

/// One socket's side of the talk.
pub(super) struct Conversation<'a> {
    face: &'a Face,
    line: &'a Line,
    door: Door,
    /// What this connection's proofs of possession sign.
    nonce: [u8; 32],
    pace: Pace,
    failures: u32,
    member: Option<Member>,
    name: Name,
}

/// What the client calls its session, once it is believed; who speaks to it has to know it too.
pub(super) type Name = Arc<OnceLock<Secret>>;

/// The members of an answer.
pub(super) type Members = Map<String, Value>;

/// How a request ends.
pub(super) enum Done {
    /// Well.
    Result(Members),
    /// Refused, with these members beside code and text.
    Refused(Fault, Members),
    /// Refused, and told so in a result.
    RefusedInResult(Fault),
    /// It was answered already.
    Answered,
}

impl From<Fault> for Done {
    fn from(fault: Fault) -> Self {
        Self::Refused(fault, Members::new())
    }
}

impl<'a> Conversation<'a> {
    pub(super) fn new(face: &'a Face, line: &'a Line, door: Door, nonce: [u8; 32]) -> Self {
        let limits = &face.app.verto_limits;
        let messages = Rate { per_second: limits.messages_per_second, burst: limits.message_burst };
        let broadcasts = Rate { per_second: limits.broadcasts_per_second, burst: limits.broadcast_burst };
        let pace = Pace::new(Instant::now(), messages, broadcasts);
        Self { face, line, door, nonce, pace, failures: 0, member: None, name: Name::default() }
    }

    pub(super) fn name(&self) -> Name {
        self.name.clone()
    }

    pub(super) const fn is_stranger(&self) -> bool {
        self.member.is_none()
    }

    /// Takes the client out of its channel; returns whether there was one.
    pub(super) fn leave(&mut self) -> bool {
        self.member.take().is_some()
    }

    /// Does what a frame asks for, and answers it.
    pub(super) async fn hear(&mut self, text: &str) {
        let frame = Frame::read(text);
        if self.pace.is_over_messages(Instant::now()) {
            return self.refuse(&frame);
        }
        match frame {
            Frame::SpeedTest | Frame::Acknowledgement => (),
            Frame::Invalid(id) => {
                self.count(Fault::InvalidRequest);
                self.say(verto::error(id.as_ref(), Fault::InvalidRequest, Members::new()));
            }
            Frame::Request(mut request) => {
                let id = request.id.take();
                let done = self.perform(id.as_ref(), request.call()).await;
                self.answer(id.as_ref(), done);
            }
        }
    }

    /// Refuses what is too much; what gets no answer gets none now either.
    fn refuse(&mut self, frame: &Frame) {
        let id = match frame {
            Frame::SpeedTest | Frame::Acknowledgement => None,
            Frame::Invalid(id) => Some(id.as_ref()),
            Frame::Request(request) => request.id.as_ref().map(Some),
        };
        if let Some(id) = id {
            self.say(verto::error(id, Fault::RateLimit, Members::new()));
        }
        self.count(Fault::RateLimit);
        self.refused();
    }

    fn refused(&mut self) {
        if self.pace.is_abuse(Instant::now()) {
            self.line.end(Over::Abusive);
            if let Some(member) = &self.member {
                self.face.app.exchange.note("client.punt", member.channel, member.client, self.door.from);
            }
        }
    }

    async fn perform(&mut self, id: Option<&Id>, call: Call) -> Done {
        let Some(member) = &self.member else {
            return match call {
                Call::Login(login) => self.log_in(id, login).await,
                _ => self.must_log_in(),
            };
        };
        let done = match call {
            Call::Login(login) => return self.log_in_again(login).await,
            Call::Echo(params) => echo(params),
            Call::Ping => Done::Result(Members::from_iter([("message".to_owned(), "PONG".into())])),
            Call::Unknown => Fault::UnknownMethod.into(),
            Call::Subscribe(_)
            | Call::Unsubscribe(_)
            | Call::Broadcast(_)
            | Call::Info(_)
            | Call::IceServers => {
                let party = Party { line: self.line, channel: member.channel, client: member.client };
                let mut talking = Talking { face: self.face, member, party, pace: &mut self.pace };
                talk::perform(&mut talking, call).await
            }
        };
        if refusal(&done) == Some(Fault::RateLimit) {
            self.refused();
        }
        done
    }

    fn must_log_in(&self) -> Done {
        let data = json!({"nonce": URL_SAFE_NO_PAD.encode(self.nonce), "methods": ["passwd", "pop-ed25519"]});
        Done::Refused(Fault::AuthenticationRequired, Members::from_iter([("data".to_owned(), data)]))
    }

    async fn log_in(&mut self, id: Option<&Id>, login: verto::Login) -> Done {
        let shown = match login {
            verto::Login::Priming => return self.must_log_in(),
            verto::Login::Malformed => None,
            verto::Login::Shown(credentials) => Some(credentials),
        };
        let believed = match self.believe(shown).await {
            Ok(believed) => believed,
            Err(refused) => return self.fail(refused),
        };
        let app = &self.face.app;
        let seat = match app.exchange.reserve(believed.channel, believed.client, believed.capacity) {
            Ok(seat) => seat,
            Err(no_seat) => {
                app.exchange.note_no_seat(no_seat, believed.channel, believed.client, self.door.from);
                return fault(no_seat).into();
            }
        };
        let member = match app.channels.enter(&self.door, believed).await {
            Ok(member) => member,
            Err(refused) => return self.fail(refused),
        };
        let sessid = member.sessid.clone();
        let mut welcome = Vec::with_capacity(2);
        welcome.extend(id.map(|id| Said::Answer(verto::result(id, logged_in(), Some(sessid.expose())))));
        welcome.push(Said::Ready);
        let attached = seat.attach(self.line, &self.door, welcome);
        if attached.is_err() || !app.channels.is_in(&member) {
            // It was revoked on the way in.
            app.exchange.revoke(member.channel, member.client, None);
            return Fault::AuthenticationFailure.into();
        }
        let _ = self.name.set(sessid);
        self.member = Some(member);
        Done::Answered
    }

    /// On a connection that is logged in, its own credential is good, and no other.
    async fn log_in_again(&mut self, login: verto::Login) -> Done {
        let shown = match login {
            verto::Login::Priming => return Fault::AuthenticationFailure.into(),
            verto::Login::Malformed => None,
            verto::Login::Shown(credentials) => Some(credentials),
        };
        match (self.believe(shown).await, &self.member) {
            (Ok(believed), Some(member))
                if believed.client == member.client && believed.channel == member.channel =>
            {
                Done::Result(logged_in())
            }
            (Ok(_), _) => self.fail(ClientRefused::Denied { close: false }),
            (Err(refused), _) => self.fail(refused),
        }
    }

    /// Nothing is shown where what was shown could not be good; it fails like anything else.
    async fn believe(&self, shown: Option<Credentials>) -> Result<Believed, ClientRefused> {
        let (name, password, sessid, signature) = shown.map_or_else(Default::default, |shown| {
            (shown.name, shown.password.0, shown.sessid.map(|sessid| sessid.0), shown.signature)
        });
        let proof = signature.as_deref().map(|signature| ClientProof { nonce: &self.nonce, signature });
        let passwd = &Secret::new(password);
        let login = Login { login: &name, passwd, sessid: sessid.as_deref(), proof };
        self.face.app.channels.believe(&self.door, &login).await
    }

    fn fail(&mut self, refused: ClientRefused) -> Done {
        let (fault, close) = match refused {
            ClientRefused::Denied { close } => (Fault::AuthenticationFailure, close),
            ClientRefused::MissingSessid { close } => (Fault::MissingSessid, close),
            ClientRefused::Unavailable => return Fault::Internal.into(),
        };
        self.failures = self.failures.saturating_add(1);
        if close {
            self.failures = self.failures.max(self.face.app.verto_limits.login_failures_per_socket);
        }
        fault.into()
    }

    fn answer(&self, id: Option<&Id>, done: Done) {
        let sessid = self.member.as_ref().map(|member| member.sessid.expose());
        if let Some(fault) = refusal(&done) {
            self.count(fault);
        }
        if let Some(id) = id {
            match done {
                Done::Result(members) => self.say(verto::result(id, members, sessid)),
                Done::Refused(fault, more) => self.say(verto::error(Some(id), fault, more)),
                Done::RefusedInResult(fault) => {
                    self.say(verto::result(id, verto::refused_in_result(fault), sessid));
                }
                Done::Answered => (),
            }
        }
        if self.failures >= self.face.app.verto_limits.login_failures_per_socket {
            self.line.end(Over::Denied);
        }
    }

    fn count(&self, fault: Fault) {
        self.face.app.verto_figures.refused(fault.code());
    }

    fn say(&self, text: String) {
        self.line.say(Said::Answer(text));
    }
}

/// Writes what a client is told.
pub(super) fn written(face: &Face, name: &Name, said: Said) -> String {
    match said {
        Said::Answer(text) => text,
        Said::Ready => verto::client_ready(face.next_push()),
        Said::Told(told) => verto::info(face.next_push(), &told.message),
        Said::Heard(heard) => {
            // A session ID is told to nobody but its owner; everybody else knows a client by its own ID.
            let sessid = match heard.speaker {
                Speaker::Itself => name.get().map_or_else(String::new, |name| name.expose().to_owned()),
                Speaker::Other(session) => ClientId::of_session(session).to_string(),
            };
            verto::event(face.next_push(), &heard.body, &sessid, heard.serial, &heard.topic)
        }
    }
}

fn logged_in() -> Members {
    Members::from_iter([("message".to_owned(), "logged in".into())])
}

fn echo(params: Option<Members>) -> Done {
    let Some(mut params) = params else { return Fault::NoParams.into() };
    params.remove("passwd");
    if Value::Object(params.clone()).to_string().len() > MAX_ECHO {
        return Fault::TooLarge.into();
    }
    Done::Result(params)
}

fn fault(no_seat: NoSeat) -> Fault {
    match no_seat {
        NoSeat::InUse => Fault::SessionInUse,
        NoSeat::Full => Fault::ChannelFull,
        NoSeat::TakenBack => Fault::AuthenticationFailure,
    }
}

fn refusal(done: &Done) -> Option<Fault> {
    match done {
        Done::Refused(fault, _) | Done::RefusedInResult(fault) => Some(*fault),
        Done::Result(_) | Done::Answered => None,
    }
}
