//! The service beside an engine that only notes what it is told.

mod engine;
mod lines;
mod realms;
mod sessions;
mod signalling;
mod streams;

use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::FutureExt;
use sfu::{Command, EventKind, JoinRefusal, LeaveReason, ParticipantId, RoomId, Sending, SignalRefusal};

use super::*;
use crate::media::Busy;

const FINGERPRINT: &str = "a=fingerprint:sha-256 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF\r\n";
const QUOTAS: Quotas = Quotas { sessions: 6, sessions_of_realm: 4, sessions_of_call: 3 };

/// A service, and what its engine was told.
struct Stage {
    hosting: Hosting,
    told: Arc<Mutex<Vec<(RoomId, Command)>>>,
    full: Arc<AtomicBool>,
    connections: u64,
}

impl Stage {
    fn new() -> Self {
        let told = Arc::<Mutex<Vec<_>>>::default();
        let full = Arc::<AtomicBool>::default();
        let (noting, deaf) = (told.clone(), full.clone());
        let engine: Engine = Box::new(move |room, command| {
            if deaf.load(Ordering::Relaxed) {
                return Err(Busy);
            }
            noting.lock().unwrap().push((room, command));
            Ok(())
        });
        let hosting = Hosting::with_engine(engine, DIALECT, QUOTAS, RtcdFigures::new());
        Self { hosting, told, full, connections: 0 }
    }

    fn open(&mut self, realm: &str) -> Arc<Line> {
        self.connections += 1;
        self.hosting.open(&RealmId::new(realm), ConnectionId(self.connections))
    }

    fn join(&self, line: &Line, call: &str, session: &str) {
        self.join_as(line, call, session, Props::default());
    }

    fn join_as(&self, line: &Line, call: &str, session: &str, props: Props) {
        let user = format!("user of {session}");
        self.hosting.join(line, Joining { call: call.into(), user, session: session.into(), props });
    }

    /// What the engine was told since the last time.
    fn told(&self) -> Vec<String> {
        self.take().into_iter().map(|(_, command)| shorten(&command)).collect()
    }

    fn take(&self) -> Vec<(RoomId, Command)> {
        std::mem::take(&mut self.told.lock().unwrap())
    }

    fn event(&self, realm: &str, session: &str, kind: EventKind) {
        let incarnation = self.incarnation(realm, session);
        self.event_of(realm, session, incarnation, kind);
    }

    fn incarnation(&self, realm: &str, session: &str) -> u32 {
        let id = SessionId::named(&RealmId::new(realm), session);
        self.hosting.table().sessions[&id].incarnation
    }

    fn event_of(&self, realm: &str, session: &str, incarnation: u32, kind: EventKind) {
        let participant = participant(realm, session);
        let other = self.hosting.take(Event { participant, incarnation, kind }, Instant::now());
        assert_eq!(other, None);
    }

    fn offer(&self, line: &Line, session: &str, sdp: &str) {
        self.hosting.signal(line, session, Signal::Described(Description::Offer(sdp.into())));
    }

    fn later(&self, time: Duration) {
        self.hosting.table().tick(Instant::now() + time);
    }
}

/// Everything that waits on a connection.
fn heard(line: &Line) -> Vec<String> {
    let mut heard = Vec::new();
    while let Some(Next::Say(Said { place, news })) = line.next().now_or_never() {
        let news = match news {
            News::Candidate(text) => format!("candidate {text}"),
            News::Described(Description::Offer(sdp)) => format!("offer {sdp}"),
            News::Described(Description::Answer(sdp)) => {
                format!("answer {}", sdp.lines().next().unwrap_or_default())
            }
            News::Speaks(speaks) => format!("speaks {speaks}"),
            News::Ended => "ended".into(),
        };
        heard.push(format!("{} {}: {news}", place.call, place.name));
    }
    heard
}

fn participant(realm: &str, session: &str) -> ParticipantId {
    ParticipantId(SessionId::named(&RealmId::new(realm), session).0)
}

fn shorten(command: &Command) -> String {
    match command {
        Command::Join { profile, .. } => format!("join {}", profile.stream),
        Command::Offer { id, sources, .. } => format!("offer {id} {sources:?}"),
        Command::Answer { id, sdp, .. } => format!("answer {id} {sdp}"),
        Command::Name { sources, .. } => format!("name {sources:?}"),
        Command::Mute { source, muted, .. } => format!("mute {source:?} {muted}"),
        Command::Candidate { candidate, .. } => format!("candidate {candidate}"),
        Command::Data { label, bytes, .. } => format!("data {label} {}", String::from_utf8_lossy(bytes)),
        Command::Repeat { .. } => "repeat".into(),
        Command::Lock { .. } => "lock".into(),
        Command::Unlock { .. } => "unlock".into(),
        Command::Deliver { label, id, .. } => format!("deliver {label} {id}"),
        Command::Leave { .. } => "leave".into(),
        other => panic!("{other:?}"),
    }
}

/// A dialect for reading with one's eyes.
const DIALECT: Dialect = Dialect {
    is_description: |bytes| bytes.starts_with(b"offer"),
    read: |bytes| match bytes {
        b"ping" => Some(FromChannel::Ping),
        b"lock" => Some(FromChannel::Lock),
        b"unlock" => Some(FromChannel::Unlock),
        other => {
            let sdp = String::from_utf8(other.strip_prefix(b"offer ")?.to_vec()).ok()?;
            Some(FromChannel::Described(Description::Offer(sdp)))
        }
    },
    write: |words| {
        let text = match words {
            ToChannel::Map(tracks) => {
                let tracks =
                    tracks.iter().map(|track| format!("{} {:?} {}", track.mid, track.source, track.sender));
                format!("map {}", tracks.collect::<Vec<_>>().join(","))
            }
            ToChannel::Described(Description::Offer(sdp)) => format!("offer {sdp}"),
            ToChannel::Described(Description::Answer(sdp)) => format!("answer {sdp}"),
            other => format!("{other:?}"),
        };
        (text.into_bytes(), true)
    },
};

/// An offer that sends these: mid, whether it is sound, stream.
fn sdp(sends: &[(&str, bool, &str)]) -> String {
    let section = |(mid, audio, stream): &(&str, bool, &str)| {
        let (kind, pt) = if *audio { ("audio", 111) } else { ("video", 96) };
        format!("m={kind} 9 UDP/TLS/RTP/SAVPF {pt}\r\na=mid:{mid}\r\na=sendrecv\r\na=msid:{stream} t\r\n")
    };
    format!("v=0\r\n{FINGERPRINT}{}", sends.iter().map(section).collect::<String>())
}

fn our_offer(id: u32, sdp: String, sending: Vec<Sending>) -> EventKind {
    EventKind::Offer { id, sdp, sending, waited: Duration::ZERO }
}

fn answer(id: u32) -> EventKind {
    let candidates = "a=candidate:1 1 udp 1 192.0.2.1 8443 typ host\r\na=candidate:2 1 tcp 1 192.0.2.1 8443 typ host tcptype passive\r\n";
    EventKind::Answer {
        id,
        sdp: format!("answer-{id}\r\nm=application 9\r\n{candidates}m=audio 9\r\na=candidate:3 x\r\n"),
    }
}
