//! One WebSocket of a realm's server, from hello to its end.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, close_code};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{FutureExt, SinkExt, StreamExt};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout, timeout_at};
use wire::rtcd::{ClientMessage, MAX_MESSAGE, ServerMessage};

use super::connection::{self, Intent};
use crate::ambient::random;
use crate::app::App;
use crate::metrics::rtcd::{RtcdFigures, Way};
use crate::services::Caller;
use crate::services::hosting::{Line, Next, Over};

/// rtcd service/ws/server.go: how often the other side is asked whether it is there, and for how long it may leave that unanswered. What
/// it says otherwise does not count.
const PING: Duration = Duration::from_secs(10);
const DEAD: Duration = Duration::from_secs(20);
/// How long one message may take to leave.
const WRITE: Duration = Duration::from_secs(10);
/// How long the last frame may take, and then the other side's answer to it.
const FAREWELL: Duration = Duration::from_secs(2);

/// How a socket ends.
enum Ending {
    /// With a close code (RFC 6455 §7.4.1).
    Code(u16),
    /// The other side closed, and its frame is sent back (RFC 6455 §5.5.1).
    Echo,
    /// Without a word: nobody would hear it.
    Mute,
}

/// Serves one socket until it ends. Its sessions go on without it, unless the realm itself has ended.
pub(super) async fn talk(app: App, socket: WebSocket, caller: Caller) {
    let stopping = app.stopping();
    let (sink, stream) = socket.split();
    let realm = caller.realm().cloned();
    // The admin hosts no calls: it hears hello, and nothing that it says is of matter.
    let line = realm.as_ref().map(|realm| app.hosting.open(realm, app.next_connection()));
    let mut speaking = Speaking { sink };
    let mut hearing = Hearing { stream, dead: Instant::now() + DEAD };
    let figures = &app.figures;
    figures.sockets(realm.as_ref(), 1);
    let listen = listen(&app, line.as_deref(), &mut hearing, caller, stopping);
    let speak = speak(figures, line.clone(), &mut speaking);
    let both = async {
        tokio::select! {
            ending = listen => ending,
            ending = speak => ending,
        }
    };
    let ending = AssertUnwindSafe(both).catch_unwind().await;
    if let Some(line) = &line {
        app.hosting.close(line);
    }
    figures.sockets(realm.as_ref(), -1);
    match ending {
        Ok(Ending::Code(code)) => {
            speaking.farewell(code).await;
            hearing.fade().await;
        }
        Ok(Ending::Echo) => speaking.echo().await,
        Ok(Ending::Mute) => (),
        Err(_) => tracing::error!("a socket's step panicked; its sessions go on"),
    }
}

async fn listen(
    app: &App,
    line: Option<&Line>,
    hearing: &mut Hearing,
    mut caller: Caller,
    mut stopping: watch::Receiver<bool>,
) -> Ending {
    loop {
        let heard = tokio::select! {
            // Nothing more is heard of who is registered no more: its sessions would outlive the end of all others.
            biased;
            () = caller.ended() => {
                // Its calls are ended by whoever unregistered it.
                line.inspect(|line| line.end(Over::Unregistered));
                return Ending::Code(close_code::POLICY);
            }
            heard = hearing.next() => heard,
            _ = stopping.wait_for(|stopping| *stopping) => return Ending::Code(close_code::AWAY),
        };
        match heard {
            Heard::Message(frame) => {
                app.hosting.ready().await;
                hear(app, line, &frame);
            }
            Heard::Pong => _ = line.inspect(|line| line.is_answered()),
            Heard::Text => tracing::debug!("a text frame was passed over"),
            Heard::TooLarge => return Ending::Code(close_code::SIZE),
            Heard::Broken => return Ending::Code(close_code::PROTOCOL),
            Heard::NotUtf8 => return Ending::Code(close_code::INVALID),
            Heard::Closed => return Ending::Echo,
            Heard::Gone => return Ending::Mute,
        }
    }
}

/// Does what a frame says, before the next one is looked at.
fn hear(app: &App, line: Option<&Line>, frame: &[u8]) {
    let (hosting, figures) = (&app.hosting, &app.figures);
    let realm = line.map(|line| &line.realm);
    let (intent, kind) = match connection::intent(frame) {
        Ok(read) => read,
        Err(error) => {
            tracing::debug!(%error, "a frame cannot be read");
            figures.socket_message(realm, Way::In, "unknown");
            if let Some((line, session)) = line.zip(ClientMessage::refused_join(frame)) {
                hosting.refuse(line, session);
            }
            return;
        }
    };
    figures.socket_message(realm, Way::In, kind);
    let Some(line) = line else { return };
    match intent {
        Intent::Join(joining) => hosting.join(line, joining),
        Intent::Reconnect(session) => hosting.reconnect(line, &session),
        Intent::Leave(session) => hosting.leave(line, &session),
        Intent::Signal(session, signal) => hosting.signal(line, &session, signal),
    }
}

async fn speak(figures: &RtcdFigures, line: Option<Arc<Line>>, speaking: &mut Speaking) -> Ending {
    let Ok(random) = random() else { return Ending::Code(close_code::ERROR) };
    let client = line.as_ref().map(|line| line.realm.as_str().to_owned()).unwrap_or_default();
    let hello = ServerMessage::Hello { client, connection: connection::connection_id(random) };
    if speaking.say(hello.encode()).await.is_err() {
        return Ending::Mute;
    }
    let mut ping = interval(PING);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ping.reset();
    loop {
        let message = tokio::select! {
            next = next(line.as_deref()) => match next {
                Next::Say(said) => {
                    let message = connection::message(said);
                    // rtcd counts no others.
                    let kind = match &message {
                        ServerMessage::Rtc(_) => Some("rtc"),
                        ServerMessage::Vad(_) => Some("vad"),
                        ServerMessage::Hello { .. } | ServerMessage::Close { .. } => None,
                    };
                    kind.inspect(|kind| figures.socket_message(line.as_deref().map(|line| &line.realm), Way::Out, kind));
                    Message::Binary(message.encode().into())
                }
                Next::Over(Over::Gone) => return Ending::Mute,
                Next::Over(Over::Slow | Over::Unregistered) => return Ending::Code(close_code::POLICY),
            },
            _ = ping.tick() => {
                line.as_deref().inspect(|line| line.asks());
                Message::Ping(Bytes::new())
            }
        };
        if speaking.send(message).await.is_err() {
            return Ending::Mute;
        }
    }
}

async fn next(line: Option<&Line>) -> Next {
    match line {
        Some(line) => line.next().await,
        None => std::future::pending().await,
    }
}

/// The half that hears.
struct Hearing {
    stream: SplitStream<WebSocket>,
    dead: Instant,
}

enum Heard {
    Message(Bytes),
    /// It is there.
    Pong,
    Text,
    TooLarge,
    /// The other side broke the protocol.
    Broken,
    /// It sent a text that is none; all frames after it are void (RFC 6455 §8.1).
    NotUtf8,
    /// It closed.
    Closed,
    /// It is not there any more, or has not answered for too long.
    Gone,
}

impl Hearing {
    /// Waits for the next message; may be dropped and called again without loss.
    async fn next(&mut self) -> Heard {
        loop {
            let Ok(message) = timeout_at(self.dead, self.stream.next()).await else {
                return Heard::Gone;
            };
            match message {
                Some(Ok(Message::Binary(frame))) if frame.len() > MAX_MESSAGE => return Heard::TooLarge,
                Some(Ok(Message::Binary(frame))) => return Heard::Message(frame),
                Some(Ok(Message::Text(_))) => return Heard::Text,
                Some(Ok(Message::Pong(_))) => {
                    self.dead = Instant::now() + DEAD;
                    return Heard::Pong;
                }
                Some(Ok(Message::Ping(_))) => (),
                Some(Ok(Message::Close(_))) => return Heard::Closed,
                None => return Heard::Gone,
                Some(Err(error)) => return fault(error),
            }
        }
    }

    /// Lets the other side take the close frame before the socket is gone.
    async fn fade(mut self) {
        let closing = async { while let Some(Ok(_)) = self.stream.next().await {} };
        let _ = timeout(FAREWELL, closing).await;
    }
}

fn fault(error: axum::Error) -> Heard {
    use tungstenite::Error;
    match error.into_inner().downcast_ref::<Error>() {
        Some(Error::Capacity(_)) => Heard::TooLarge,
        Some(Error::Protocol(_)) => Heard::Broken,
        Some(Error::Utf8(_)) => Heard::NotUtf8,
        _ => Heard::Gone,
    }
}

/// The half that speaks.
struct Speaking {
    sink: SplitSink<WebSocket, Message>,
}

/// The other side does not read, or is gone.
struct Deaf;

impl Speaking {
    async fn say(&mut self, bytes: Vec<u8>) -> Result<(), Deaf> {
        self.send(Message::Binary(bytes.into())).await
    }

    async fn send(&mut self, message: Message) -> Result<(), Deaf> {
        match timeout(WRITE, self.sink.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Deaf),
        }
    }

    /// Lets the answer go out that waits since the other side's close frame was read.
    async fn echo(mut self) {
        let _ = timeout(FAREWELL, self.sink.flush()).await;
    }

    async fn farewell(mut self, code: u16) {
        let close = Message::Close(Some(CloseFrame { code, reason: Utf8Bytes::default() }));
        let _ = timeout(FAREWELL, self.sink.send(close)).await;
    }
}
