//! What waits to be said on one connection.

use hub::PuntReason;
use tokio::sync::{mpsc, watch};

/// Messages that wait for a client to read them. A roster of 100 and the offers that go with it are far below; a client that is 256
/// messages behind does not read, and is punted so that it costs no more memory.
pub const CAPACITY: usize = 256;

/// Where anybody puts what a connection is to be told. Never blocks.
#[derive(Debug)]
pub struct Outbox<T> {
    queue: mpsc::Sender<T>,
    closed: watch::Sender<Option<PuntReason>>,
}

/// The connection's end of an [`Outbox`].
#[derive(Debug)]
pub struct Outlet<T> {
    queue: mpsc::Receiver<T>,
    closed: watch::Receiver<Option<PuntReason>>,
}

/// What comes out of an [`Outlet`].
#[derive(Debug, PartialEq, Eq)]
pub enum Next<T> {
    /// To be said.
    Say(T),
    /// To be said goodbye with; nothing follows.
    Close(PuntReason),
}

/// Makes both ends.
#[must_use]
pub fn outbox<T>() -> (Outbox<T>, Outlet<T>) {
    let (sender, queue) = mpsc::channel(CAPACITY);
    let (closing, closed) = watch::channel(None);
    (Outbox { queue: sender, closed: closing }, Outlet { queue, closed })
}

impl<T> Clone for Outbox<T> {
    fn clone(&self) -> Self {
        Self { queue: self.queue.clone(), closed: self.closed.clone() }
    }
}

impl<T> Outbox<T> {
    /// Adds a message. When there is no room the connection is closed as [`PuntReason::Slow`]; whatever is said to a closed connection
    /// is lost.
    pub fn say(&self, message: T) {
        if let Err(mpsc::error::TrySendError::Full(_)) = self.queue.try_send(message) {
            self.close(PuntReason::Slow);
        }
    }

    /// Closes the connection; the first reason stands.
    pub fn close(&self, reason: PuntReason) {
        self.closed.send_if_modified(|closed| {
            let first = closed.is_none();
            if first {
                *closed = Some(reason);
            }
            first
        });
    }

    /// Waits until the connection is closed.
    pub async fn closed(&self) {
        let mut closed = self.closed.subscribe();
        let _ = closed.wait_for(Option::is_some).await;
    }

    /// Returns whether the connection was closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closed.borrow().is_some() || self.queue.is_closed()
    }
}

impl<T> Outlet<T> {
    /// Waits for what comes next. What waited before an orderly end is said first; a slow client hears no more.
    pub async fn next(&mut self) -> Next<T> {
        let closed = *self.closed.borrow_and_update();
        if let Some(reason) = closed {
            return self.rest(reason);
        }
        tokio::select! {
            biased;
            changed = self.closed.changed() => {
                let reason = if changed.is_ok() { *self.closed.borrow_and_update() } else { None };
                self.rest(reason.unwrap_or(PuntReason::Left))
            }
            Some(message) = self.queue.recv() => Next::Say(message),
        }
    }

    /// Waits until the connection is closed as too slow; its writer may be stuck in one message just then.
    pub async fn slow(&self) {
        let mut closed = self.closed.clone();
        if closed.wait_for(|closed| *closed == Some(PuntReason::Slow)).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    fn rest(&mut self, reason: PuntReason) -> Next<T> {
        if reason == PuntReason::Slow {
            return Next::Close(reason);
        }
        self.queue.try_recv().map_or(Next::Close(reason), Next::Say)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_said_before_the_end_is_heard_before_it() {
        let (sender, mut outlet) = outbox();
        sender.say(1);
        sender.say(2);
        sender.close(PuntReason::Removed);
        sender.close(PuntReason::Shutdown);
        assert_eq!(outlet.next().await, Next::Say(1));
        assert_eq!(outlet.next().await, Next::Say(2));
        assert_eq!(outlet.next().await, Next::Close(PuntReason::Removed));
    }

    #[tokio::test]
    async fn a_client_that_does_not_read_is_closed_as_slow() {
        let (sender, mut outlet) = outbox();
        for number in 0..=CAPACITY {
            assert!(!sender.is_closed(), "{number}");
            sender.say(number);
        }
        assert!(sender.is_closed());
        assert_eq!(outlet.next().await, Next::Close(PuntReason::Slow));
    }
}
