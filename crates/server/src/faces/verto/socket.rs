//! One WebSocket of a client, from the upgrade to its end.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, close_code};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{FutureExt, SinkExt, StreamExt};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout, timeout_at};
use wire::verto;

use super::connection::{Conversation, written};
use super::upgrade::Face;
use crate::ambient::{now, random};
use crate::services::Door;
use crate::services::exchange::{Line, Next, Over, Said};

/// How often the other side is asked whether it is there; two questions without an answer are enough.
const PING: Duration = Duration::from_secs(25);
const UNANSWERED: u32 = 2;
/// Without any frame for this long, the other side is gone.
const DEAD: Duration = Duration::from_secs(90);
/// How long one message may take to leave.
const WRITE: Duration = Duration::from_secs(10);
/// How long the last words may take, and then the other side's answer to them. Who was punted is gone at once; who is too slow has a
/// network full of what came before.
const FAREWELL: Duration = Duration::from_millis(250);
const SLOW_FAREWELL: Duration = Duration::from_secs(10);
const FADE: Duration = Duration::from_secs(2);
/// Closes a socket whose client was punted (`docs/faces/verto.md`, "The end of a socket").
const PUNTED: u16 = 4001;

/// Serves one socket until it ends.
pub(super) async fn talk(face: Face, socket: WebSocket, door: Door) {
    let Ok(nonce) = random() else { return };
    let (app, path) = (&face.app, door.channel);
    let stopping = app.stopping();
    let line = app.exchange.open(app.next_connection(), path);
    let (sink, stream) = socket.split();
    let unanswered = AtomicU32::new(0);
    let mut hearing = Hearing { stream, unanswered: &unanswered, dead: Instant::now() + DEAD };
    let mut speaking = Speaking { sink, unanswered: &unanswered };
    let mut conversation = Conversation::new(&face, &line, door, nonce);
    let name = conversation.name();
    // Both to their end: a login that has begun is not forgotten halfway.
    let both = async {
        tokio::join!(
            listen(&face, &line, &mut hearing, &mut conversation, stopping),
            speaking.say_all(&line, |said| written(&face, &name, said)),
        )
    };
    let ended = AssertUnwindSafe(both).catch_unwind().await;
    app.exchange.close(&line, path);
    // The time of its lease begins.
    let was_member = conversation.leave();
    match ended {
        Ok(((), over)) => {
            let punt = was_member.then(|| verto::punt(face.next_push()));
            if let (true, Some(reason)) = (was_member, punted(over)) {
                app.verto_figures.punt(reason);
            }
            part(hearing, speaking, over, punt).await;
        }
        Err(_) => tracing::error!("a socket's step panicked; it is closed"),
    }
}

async fn listen(
    face: &Face,
    line: &Line,
    hearing: &mut Hearing<'_>,
    conversation: &mut Conversation<'_>,
    mut stopping: watch::Receiver<bool>,
) {
    let deadline = Instant::now() + face.app.verto_limits.authenticate;
    let ping = face.app.channels.server_ping();
    let mut heard_at = Instant::now();
    loop {
        let heard = tokio::select! {
            biased;
            _ = line.over() => return,
            _ = stopping.wait_for(|stopping| *stopping) => Err(Over::Stopping),
            () = sleep_until(deadline), if conversation.is_stranger() => Err(Over::Denied),
            () = sleep_until(heard_at + ping.unwrap_or_default()), if ping.is_some() && !conversation.is_stranger() => {
                heard_at = Instant::now();
                line.say(Said::Answer(verto::ping(face.next_push(), now().0 / 1_000)));
                continue;
            }
            heard = hearing.next() => heard,
        };
        match heard {
            Ok(frame) => {
                heard_at = Instant::now();
                line.room().await;
                conversation.hear(&frame).await;
            }
            Err(over) => return line.end(over),
        }
    }
}

/// Says the last words and closes; who has closed is answered.
async fn part(hearing: Hearing<'_>, speaking: Speaking<'_>, over: Over, punt: Option<String>) {
    let (words, code) = match over {
        Over::Gone => return speaking.echo().await,
        Over::Stopping => (None, close_code::AWAY),
        Over::Slow => (None, close_code::AGAIN),
        Over::Replaced | Over::Revoked if punt.is_some() => (punt, PUNTED),
        Over::Abusive => (punt, close_code::POLICY),
        Over::Replaced | Over::Revoked | Over::Denied => (None, close_code::POLICY),
        Over::Unreadable(code) => (None, code),
    };
    let close = CloseFrame { code, reason: Utf8Bytes::from_static(reason(over)) };
    speaking.farewell(words, close, if over == Over::Slow { SLOW_FAREWELL } else { FAREWELL }).await;
    hearing.fade().await;
}

/// Why a client is sent away, if it is.
const fn punted(over: Over) -> Option<&'static str> {
    match over {
        Over::Replaced => Some("replaced"),
        Over::Revoked => Some("revoked"),
        Over::Abusive => Some("abusive"),
        Over::Gone | Over::Stopping | Over::Slow | Over::Denied | Over::Unreadable(_) => None,
    }
}

/// What a page may tell its person of a punt, which has the same words for everything.
const fn reason(over: Over) -> &'static str {
    match over {
        Over::Replaced => "replaced",
        Over::Revoked => "revoked",
        Over::Gone | Over::Stopping | Over::Slow | Over::Abusive | Over::Denied | Over::Unreadable(_) => "",
    }
}

/// The half that hears.
struct Hearing<'a> {
    stream: SplitStream<WebSocket>,
    unanswered: &'a AtomicU32,
    dead: Instant,
}

impl Hearing<'_> {
    /// Waits for the next text; may be dropped and called again without loss.
    async fn next(&mut self) -> Result<Utf8Bytes, Over> {
        loop {
            let Ok(message) = timeout_at(self.dead, self.stream.next()).await else { return Err(Over::Gone) };
            self.dead = Instant::now() + DEAD;
            match message {
                Some(Ok(Message::Text(text))) => return Ok(text),
                Some(Ok(Message::Binary(_))) => return Err(Over::Unreadable(close_code::UNSUPPORTED)),
                Some(Ok(Message::Pong(_))) => self.unanswered.store(0, Ordering::Relaxed),
                Some(Ok(Message::Ping(_))) => (),
                Some(Ok(Message::Close(_))) | None => return Err(Over::Gone),
                Some(Err(error)) => return Err(fault(error)),
            }
        }
    }

    /// Lets the other side take the close frame before the socket is gone.
    async fn fade(mut self) {
        let closing = async { while let Some(Ok(_)) = self.stream.next().await {} };
        let _ = timeout(FADE, closing).await;
    }
}

fn fault(error: axum::Error) -> Over {
    use tungstenite::Error;
    match error.into_inner().downcast_ref::<Error>() {
        Some(Error::Capacity(_)) => Over::Unreadable(close_code::SIZE),
        Some(Error::Utf8(_)) => Over::Unreadable(close_code::INVALID),
        Some(Error::Protocol(_)) => Over::Unreadable(close_code::PROTOCOL),
        _ => Over::Gone,
    }
}

/// The half that speaks.
struct Speaking<'a> {
    sink: SplitSink<WebSocket, Message>,
    unanswered: &'a AtomicU32,
}

impl Speaking<'_> {
    /// Says what waits on the line, and pings, until the line is over.
    async fn say_all(&mut self, line: &Line, text: impl Fn(Said) -> String) -> Over {
        let mut ping = interval(PING);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ping.reset();
        loop {
            let message = tokio::select! {
                next = line.next() => match next {
                    Next::Say(said) => Message::Text(text(said).into()),
                    Next::Over(over) => return over,
                },
                _ = ping.tick() => {
                    if self.unanswered.fetch_add(1, Ordering::Relaxed) >= UNANSWERED {
                        line.end(Over::Gone);
                    }
                    Message::Ping(Bytes::new())
                }
            };
            let said = tokio::select! {
                said = timeout(WRITE, self.sink.send(message)) => said,
                // Whoever is punted or does not read is not waited for.
                () = line.cut() => continue,
            };
            match said {
                Ok(Ok(())) => (),
                Ok(Err(_)) => line.end(Over::Gone),
                Err(_) => line.end(Over::Slow),
            }
        }
    }

    /// Lets the answer go out that waits since the other side's close frame was read (RFC 6455 §5.5.1), if that is why it is gone.
    async fn echo(mut self) {
        let _ = timeout(FAREWELL, self.sink.flush()).await;
    }

    async fn farewell(mut self, words: Option<String>, close: CloseFrame, patience: Duration) {
        let close = Message::Close(Some(close));
        let ending = async {
            if let Some(words) = words {
                self.sink.send(Message::Text(words.into())).await?;
            }
            self.sink.send(close).await
        };
        let _ = timeout(patience, ending).await;
    }
}
