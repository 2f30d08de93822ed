//! One WebSocket of a participant, from hello to goodbye.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use axum::extract::ws::{Utf8Bytes, WebSocket};
use futures_util::FutureExt;
use hub::PuntReason;
use identity::Secret;
use tokio::sync::watch;
use tokio::time::timeout;
use wire::rooms::{Nonce, ServerMessage};

use super::connection::{self, FirstMessage, Intent, Speech};
use crate::ambient::random;
use crate::app::App;
use crate::http::crowd;
use crate::http::limits::{Action, Key};
use crate::http::peer::Peer;
use crate::http::pump::{self, Heard, Hearing, Speaking};
use crate::outbox::{Outbox, outbox};
use crate::services::{Admitted, Complaint, Refusal, Seat, Told};

/// How long a stranger may wait with the first message.
const FIRST_MESSAGE: Duration = Duration::from_secs(10);
/// Close codes of this face (RFC 6455 §7.4.2: 4000–4999 are an application's own).
const CLOSED: u16 = 4_000;
const NOT_BELIEVED: u16 = 4_001;

/// Serves one socket until it ends. `place` is the stranger's place in the waiting crowd.
pub(super) async fn talk(app: App, socket: WebSocket, from: Peer, place: crowd::Seat) {
    let stopping = app.stopping();
    let (mut hearing, mut speaking) = pump::split(socket);
    let believed = greet(&app, &mut hearing, &mut speaking, from, stopping.clone()).await;
    drop(place);
    let ending = match believed {
        Ok(admitted) => serve(&app, admitted, &mut hearing, &mut speaking, from, stopping).await,
        Err(ending) => ending,
    };
    let (words, code) = match ending {
        Ending::Gone => return speaking.echo().await,
        Ending::Goodbye(reason) => (connection::goodbye(reason), CLOSED),
        Ending::TurnedAway(refusal) => {
            let code = if refusal == Refusal::Denied { NOT_BELIEVED } else { CLOSED };
            (connection::turned_away(&refusal), code)
        }
    };
    speaking.farewell(Some(words.encode()), code).await;
    hearing.fade().await;
}

/// How a socket ends.
enum Ending {
    /// From the other side.
    Gone,
    /// From ours.
    Goodbye(PuntReason),
    /// Before it began.
    TurnedAway(Refusal),
}

async fn greet(
    app: &App,
    hearing: &mut Hearing,
    speaking: &mut Speaking,
    from: Peer,
    mut stopping: watch::Receiver<bool>,
) -> Result<Admitted, Ending> {
    let nonce = random().map_err(Ending::TurnedAway)?;
    let hello = ServerMessage::Hello { nonce: Nonce(nonce) };
    speaking.say(hello.encode()).await.map_err(|_| Ending::Gone)?;
    let heard = tokio::select! {
        heard = timeout(FIRST_MESSAGE, hearing.next()) => heard,
        _ = stopping.wait_for(|stopping| *stopping) => return Err(Ending::Goodbye(PuntReason::Shutdown)),
    };
    let first = match heard {
        Ok(Heard::Text(text)) => connection::first_message(text.as_bytes()),
        Ok(Heard::Binary) => None,
        Err(_) => return Err(Ending::TurnedAway(Refusal::Denied)),
        Ok(Heard::Gone) => return Err(Ending::Gone),
    };
    let Some(FirstMessage { token, signature }) = first else {
        return Err(Ending::TurnedAway(app.accounts.unreadable(from)));
    };
    believe(app, &token, &nonce, &signature, from).await.map_err(Ending::TurnedAway)
}

async fn believe(
    app: &App,
    token: &Secret,
    nonce: &[u8; 32],
    signature: &[u8; 64],
    from: Peer,
) -> Result<Admitted, Refusal> {
    app.limits.check(Action::Authenticate, from)?;
    app.accounts.participant(token, nonce, signature, from).await
}

async fn serve(
    app: &App,
    admitted: Admitted,
    hearing: &mut Hearing,
    speaking: &mut Speaking,
    from: Peer,
    stopping: watch::Receiver<bool>,
) -> Ending {
    let connection = app.next_connection();
    let (sender, mut outlet) = outbox();
    let seat = match app.calls.attach(admitted, connection, sender.clone()).await {
        Ok(seat) => seat,
        Err(refusal) => {
            app.calls.disconnected(connection, None).await;
            return Ending::TurnedAway(refusal);
        }
    };
    let participant = Participant { app, seat, from, outbox: sender };
    let mut speech = Speech::default();
    let encode = |told| speech.tell(told).iter().map(ServerMessage::encode).collect();
    let speak = async {
        let reason = speaking.say_all(&mut outlet, encode).await;
        // The listening half ends with it, after the message in hand.
        participant.outbox.close(reason);
        reason
    };
    let both = async { tokio::join!(participant.listen(hearing, stopping), speak) };
    let ended = AssertUnwindSafe(both).catch_unwind().await;
    app.calls.disconnected(connection, Some(seat)).await;
    match ended {
        Ok((Listened::Gone, _)) => Ending::Gone,
        Ok((Listened::Closed, reason)) => Ending::Goodbye(reason),
        Err(_) => {
            tracing::error!("a socket's step panicked; its session lingers");
            Ending::Gone
        }
    }
}

struct Participant<'a> {
    app: &'a App,
    seat: Seat,
    from: Peer,
    outbox: Outbox<Told>,
}

enum Listened {
    /// The other side went away.
    Gone,
    /// We close.
    Closed,
}

impl Participant<'_> {
    async fn listen(&self, hearing: &mut Hearing, mut stopping: watch::Receiver<bool>) -> Listened {
        loop {
            let heard = tokio::select! {
                heard = hearing.next() => heard,
                () = self.outbox.closed() => return Listened::Closed,
                _ = stopping.wait_for(|stopping| *stopping) => {
                    self.outbox.close(PuntReason::Shutdown);
                    return Listened::Closed;
                }
            };
            match heard {
                Heard::Text(text) => self.hear(&text).await,
                Heard::Binary => {
                    self.refuse(Refusal::Malformed("not a text message"), "not a text message");
                }
                Heard::Gone => {
                    self.outbox.close(PuntReason::Left);
                    return Listened::Gone;
                }
            }
        }
    }

    async fn hear(&self, text: &Utf8Bytes) {
        if let Err(refusal) = self.app.limits.check(Action::Message, Key::Identity(self.seat.session.0)) {
            self.refuse(refusal, "more than 40 messages a second");
            return;
        }
        match connection::intent(text.as_bytes()) {
            Ok((intent, kind)) => {
                if let Err(refusal) = self.perform(intent).await {
                    let complaint = connection::refused_intent(refusal, kind);
                    self.outbox.say(Told::Refused(complaint));
                }
            }
            Err(complaint) => self.outbox.say(Told::Refused(complaint)),
        }
    }

    fn refuse(&self, refusal: Refusal, said: &str) {
        self.outbox.say(Told::Refused(Complaint { refusal, about: None, said: said.to_owned() }));
    }

    async fn perform(&self, intent: Intent) -> Result<(), Refusal> {
        let (calls, seat) = (&self.app.calls, self.seat);
        match intent {
            Intent::Offer(offer) => {
                self.app.limits.check_offer(offer.sdp.len(), Key::Identity(seat.session.0))?;
                calls.offer(seat, offer)
            }
            Intent::Answer { label, id, sdp } => calls.answer(seat, &label, id, sdp),
            Intent::Candidate { label, candidate } => calls.candidate(seat, &label, candidate),
            Intent::Mute { source, muted } => {
                self.app.limits.check(Action::Mute, Key::Identity(seat.session.0))?;
                calls.mute(seat, source, muted).await
            }
            Intent::View(tiles) => calls.view(seat, tiles),
            Intent::Remove(session) => calls.remove(seat, session, self.from).await,
            Intent::End => calls.end(seat, self.from).await,
            Intent::Leave => calls.leave(seat, self.from).await,
            Intent::Ping => {
                self.outbox.say(Told::Pong);
                Ok(())
            }
        }
    }
}
