//! The task that owns the hub: feeds it, and performs what it puts out.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hub::{Channel, ConnectionId, Event, Hub, Input, Limits, Output, Present, Refused};
use identity::{Principal, SessionId};
use tokio::sync::{mpsc, oneshot};

use crate::outbox::Outbox;
use crate::services::{Refusal, Told};

/// Inputs that wait for the hub. When it is full, whoever has an input waits: a face then stops reading its socket.
const INPUTS: usize = 4_096;
/// Sessions whose end waits to be noticed; the hub waits when it is full. Its reader never waits for the hub.
const EXPIRED: usize = 1_024;

/// `docs/faces/rooms.md`, "Reconnecting" and "Limits".
pub const ROOM_LIMITS: Limits = Limits {
    linger: Duration::from_secs(30),
    linger_without_media: Duration::from_secs(10),
    members: 100,
    channels: 8,
};

/// How everybody else reaches the hub.
#[derive(Debug, Clone)]
pub struct HubHandle {
    orders: mpsc::Sender<Order>,
}

#[derive(Debug)]
enum Order {
    Open(ConnectionId, Principal, Outbox<Told>, oneshot::Sender<Result<(), Refused>>),
    Input(Input, oneshot::Sender<Result<(), Refused>>),
    Present(Channel, oneshot::Sender<Arc<[Present]>>),
}

/// Why the hub did not do it.
#[derive(Debug, PartialEq, Eq)]
pub enum HubRefused {
    /// It says why.
    Refused(Refused),
    /// It has stopped.
    Stopped,
}

impl From<HubRefused> for Refusal {
    fn from(refused: HubRefused) -> Self {
        match refused {
            HubRefused::Refused(refused) => match refused {
                Refused::NoSession | Refused::NotAMember => Self::NotFound,
                Refused::OtherPrincipal | Refused::OtherRealm => Self::Denied,
                Refused::AlreadyOpen | Refused::NotOpen => Self::Conflict,
                Refused::TooManyChannels | Refused::ChannelFull => {
                    Self::Busy { retry_after: Duration::from_secs(10) }
                }
            },
            HubRefused::Stopped => Self::Unavailable,
        }
    }
}

impl HubHandle {
    /// Opens a connection; what its sessions hear goes to `outbox`.
    ///
    /// # Errors
    /// [`Refused::AlreadyOpen`], or the hub has stopped.
    pub async fn open(
        &self,
        connection: ConnectionId,
        principal: Principal,
        outbox: Outbox<Told>,
    ) -> Result<(), HubRefused> {
        self.ask(|answer| Order::Open(connection, principal, outbox, answer)).await
    }

    /// Gives the hub an input other than [`Input::Open`].
    ///
    /// # Errors
    /// What the hub says, or it has stopped.
    pub async fn input(&self, input: Input) -> Result<(), HubRefused> {
        self.ask(|answer| Order::Input(input, answer)).await
    }

    /// Returns who is in a channel, in order of joining.
    ///
    /// # Errors
    /// The hub has stopped.
    pub async fn present(&self, channel: Channel) -> Result<Arc<[Present]>, HubRefused> {
        let (answer, answered) = oneshot::channel();
        self.orders.send(Order::Present(channel, answer)).await.map_err(|_| HubRefused::Stopped)?;
        answered.await.map_err(|_| HubRefused::Stopped)
    }

    async fn ask(
        &self,
        order: impl FnOnce(oneshot::Sender<Result<(), Refused>>) -> Order,
    ) -> Result<(), HubRefused> {
        let (answer, answered) = oneshot::channel();
        self.orders.send(order(answer)).await.map_err(|_| HubRefused::Stopped)?;
        answered.await.map_err(|_| HubRefused::Stopped)?.map_err(HubRefused::Refused)
    }
}

/// The hub and the outboxes of its connections. Ends when the last [`HubHandle`] is gone.
#[derive(Debug)]
pub struct HubDriver {
    hub: Hub,
    orders: mpsc::Receiver<Order>,
    outboxes: BTreeMap<ConnectionId, Outbox<Told>>,
    expired: mpsc::Sender<SessionId>,
}

impl HubDriver {
    /// Makes a driver, the handle to it, and where the sessions come out that lingered too long.
    #[must_use]
    pub fn new(limits: Limits) -> (Self, HubHandle, mpsc::Receiver<SessionId>) {
        let (orders, received) = mpsc::channel(INPUTS);
        let (expired, expiring) = mpsc::channel(EXPIRED);
        let driver = Self { hub: Hub::new(limits), orders: received, outboxes: BTreeMap::new(), expired };
        (driver, HubHandle { orders }, expiring)
    }

    /// Runs until nobody can reach it any more.
    pub async fn run(mut self) {
        loop {
            let deadline = self.hub.poll_timeout().map(|(deadline, _)| deadline);
            tokio::select! {
                order = self.orders.recv() => match order {
                    Some(order) => self.perform(order),
                    None => return,
                },
                () = sleep_until(deadline) => self.hub.handle_timeout(Instant::now()),
            }
            self.drain().await;
        }
    }

    fn perform(&mut self, order: Order) {
        let now = Instant::now();
        match order {
            Order::Open(connection, principal, outbox, answer) => {
                let done = self.hub.handle_input(now, Input::Open { connection, principal });
                if done.is_ok() {
                    self.outboxes.insert(connection, outbox);
                }
                let _ = answer.send(done);
            }
            Order::Input(input, answer) => {
                if let Input::Drop { connection } = input {
                    self.outboxes.remove(&connection);
                }
                let _ = answer.send(self.hub.handle_input(now, input));
            }
            Order::Present(channel, answer) => {
                let _ = answer.send(self.hub.present(&channel));
            }
        }
    }

    async fn drain(&mut self) {
        while let Some(output) = self.hub.poll_output() {
            match output {
                Output::Deliver { connection, event, .. } => self.deliver(connection, event),
                Output::Close { connection, reason } => {
                    if let Some(outbox) = self.outboxes.remove(&connection) {
                        outbox.close(reason);
                    }
                }
                Output::Expired(session) => {
                    let _ = self.expired.send(session).await;
                }
            }
        }
    }

    fn deliver(&mut self, connection: ConnectionId, event: Event) {
        let Some(outbox) = self.outboxes.get(&connection) else {
            return;
        };
        outbox.say(Told::Event(event));
        if outbox.is_closed() {
            // It was too slow: whoever else is in its channels sees at once that it hears nothing.
            self.outboxes.remove(&connection);
            let _ = self.hub.handle_input(Instant::now(), Input::Drop { connection });
        }
    }
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}
