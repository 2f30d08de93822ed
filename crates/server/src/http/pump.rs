//! A WebSocket as a face uses it: one half hears, the other speaks; neither waits for ever.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use hub::PuntReason;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout, timeout_at};

use crate::outbox::{Next, Outlet};

/// How often the other side is asked whether it is there.
const PING: Duration = Duration::from_secs(15);
/// Without any frame for this long, three pings, the other side is gone.
const DEAD: Duration = Duration::from_secs(45);
/// How long one message may take to leave; a client that does not read makes the socket's buffer full, and then this runs out.
const WRITE: Duration = Duration::from_secs(10);
/// How long a goodbye may take, and then the other side's answer to it.
const FAREWELL: Duration = Duration::from_secs(2);

/// The half that hears.
#[derive(Debug)]
pub struct Hearing {
    stream: SplitStream<WebSocket>,
    dead: Instant,
}

/// The half that speaks.
#[derive(Debug)]
pub struct Speaking {
    sink: SplitSink<WebSocket, Message>,
}

/// What was heard.
#[derive(Debug)]
pub enum Heard {
    /// A text message.
    Text(Utf8Bytes),
    /// A message that is no text.
    Binary,
    /// The other side closed, broke the protocol, or has been silent for too long.
    Gone,
}

/// Takes a socket apart.
#[must_use]
pub fn split(socket: WebSocket) -> (Hearing, Speaking) {
    let (sink, stream) = socket.split();
    (Hearing { stream, dead: Instant::now() + DEAD }, Speaking { sink })
}

impl Hearing {
    /// Waits for the next message; may be dropped and called again without loss.
    pub async fn next(&mut self) -> Heard {
        loop {
            let Ok(Some(Ok(message))) = timeout_at(self.dead, self.stream.next()).await else {
                return Heard::Gone;
            };
            self.dead = Instant::now() + DEAD;
            match message {
                Message::Text(text) => return Heard::Text(text),
                Message::Binary(_) => return Heard::Binary,
                Message::Ping(_) | Message::Pong(_) => (),
                Message::Close(_) => return Heard::Gone,
            }
        }
    }

    /// Lets the other side answer a close, so that the last words are not lost with the socket.
    pub async fn fade(mut self) {
        let closing = async { while let Some(Ok(_)) = self.stream.next().await {} };
        let _ = timeout(FAREWELL, closing).await;
    }
}

impl Speaking {
    /// Says one message.
    ///
    /// # Errors
    /// The other side does not read, or is gone.
    pub async fn say(&mut self, text: String) -> Result<(), PuntReason> {
        self.send(Message::Text(text.into())).await
    }

    /// Says what comes out of the outlet, and pings, until there is a reason to end. `encode` may make several messages of one, or none.
    pub async fn say_all<T>(
        &mut self,
        outlet: &mut Outlet<T>,
        mut encode: impl FnMut(T) -> Vec<String>,
    ) -> PuntReason {
        let mut ping = interval(PING);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let messages = tokio::select! {
                next = outlet.next() => match next {
                    Next::Say(message) => encode(message).into_iter().map(|text| Message::Text(text.into())).collect(),
                    Next::Close(reason) => return reason,
                },
                _ = ping.tick() => vec![Message::Ping(Bytes::new())],
            };
            let said = tokio::select! {
                said = self.send_each(messages) => said,
                () = outlet.slow() => Err(PuntReason::Slow),
            };
            if let Err(reason) = said {
                return reason;
            }
        }
    }

    /// Says the last words and closes with this code (RFC 6455 §7.4).
    pub async fn farewell(mut self, words: Option<String>, code: u16) {
        let ending = async {
            if let Some(words) = words {
                self.sink.send(Message::Text(words.into())).await?;
            }
            self.sink.send(Message::Close(Some(CloseFrame { code, reason: Utf8Bytes::default() }))).await
        };
        let _ = timeout(FAREWELL, ending).await;
    }

    /// Lets the answer go out that waits since the other side's close frame was read (RFC 6455 §5.5.1), if that is why it is gone.
    pub async fn echo(mut self) {
        let _ = timeout(FAREWELL, self.sink.flush()).await;
    }

    async fn send_each(&mut self, messages: Vec<Message>) -> Result<(), PuntReason> {
        for message in messages {
            self.send(message).await?;
        }
        Ok(())
    }

    async fn send(&mut self, message: Message) -> Result<(), PuntReason> {
        match timeout(WRITE, self.sink.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(PuntReason::Left),
            Err(_) => Err(PuntReason::Slow),
        }
    }
}
