use std::sync::Arc;

use identity::{Principal, Session, SessionId};

use crate::Channel;

/// One socket. A connection may carry many sessions, or one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// What happens to the hub.
#[derive(Debug, Clone)]
pub enum Input {
    /// A socket has authenticated; it carries no session yet.
    Open {
        /// The socket.
        connection: ConnectionId,
        /// Who holds it.
        principal: Principal,
    },
    /// Puts a session on an open connection of its own principal. When it was on another, that connection is closed with
    /// [`PuntReason::Replaced`]. A session that lingered keeps its channels and its state.
    Attach {
        /// The session; its name and grant replace those known before.
        session: Session,
        /// The socket.
        connection: ConnectionId,
    },
    /// The socket is gone; its sessions linger, then expire. A connection that is not known is nothing new.
    Drop {
        /// The socket.
        connection: ConnectionId,
    },
    /// Whether the session has media decides how long it lingers.
    SetMedia {
        /// Whose.
        session: SessionId,
        /// What is known of it.
        media: Media,
    },
    /// Makes the session a member of a channel of its own realm.
    Join {
        /// Who.
        session: SessionId,
        /// Where.
        channel: Channel,
    },
    /// Ends a membership.
    Leave {
        /// Who.
        session: SessionId,
        /// Where.
        channel: Channel,
    },
    /// Says something to the other members of a channel.
    Send {
        /// A member.
        from: SessionId,
        /// Where.
        to: Channel,
        /// What.
        body: Arc<str>,
    },
    /// Sets what the presence of a session shows in every channel it is in.
    SetState {
        /// Whose.
        session: SessionId,
        /// What.
        state: State,
    },
    /// Ends a session.
    Punt {
        /// Which.
        session: SessionId,
        /// Why.
        reason: PuntReason,
    },
    /// Ends every connection and session of a principal.
    Revoke {
        /// Whose.
        principal: Principal,
        /// Why.
        reason: PuntReason,
    },
}

/// Whether a session has a media connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Media {
    /// It has one.
    Up,
    /// It has none.
    Gone,
}

/// A small value that a face gives its sessions, and reads in their presence. The hub only carries it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct State(pub u64);

/// Why a session or a connection is ended from our side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PuntReason {
    /// The session said that it leaves.
    Left,
    /// The session went to another connection.
    Replaced,
    /// Somebody who may do so removed it.
    Removed,
    /// What let it in was taken back.
    Revoked,
    /// The call is over for everybody.
    Ended,
    /// Its grant is over.
    Expired,
    /// The client reads slower than there is to say.
    Slow,
    /// The server stops.
    Shutdown,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// To be said on a socket.
    Deliver {
        /// The socket that carries the session.
        connection: ConnectionId,
        /// Which of its sessions is meant.
        session: SessionId,
        /// What.
        event: Event,
    },
    /// A socket is to be closed; the hub has forgotten it already.
    Close {
        /// Which.
        connection: ConnectionId,
        /// Why.
        reason: PuntReason,
    },
    /// A session lingered too long, and is forgotten.
    Expired(SessionId),
}

/// What a session hears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A member of one of its channels spoke.
    Message {
        /// Who.
        from: Principal,
        /// Where.
        channel: Channel,
        /// What.
        body: Arc<str>,
    },
    /// All who are present in one of its channels; replaces what was said before.
    Presence {
        /// Where.
        channel: Channel,
        /// In order of joining.
        present: Arc<[Present]>,
    },
    /// The session is over, though its connection goes on for others.
    Punted(PuntReason),
}

/// A member of a channel, as the others see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Present {
    /// Who.
    pub session: Arc<Session>,
    /// Whether it can hear anything.
    pub standing: Standing,
    /// As last set.
    pub state: State,
}

/// Whether a session has a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It has one.
    Attached,
    /// It is waited for.
    Lingering,
}

/// Why an input was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The connection is open already.
    #[error("the connection is open already")]
    AlreadyOpen,
    /// No such connection.
    #[error("no such connection")]
    NotOpen,
    /// No such session.
    #[error("no such session")]
    NoSession,
    /// The session is not in the channel.
    #[error("the session is not in the channel")]
    NotAMember,
    /// The channel is of another realm than the session.
    #[error("the channel is of another realm")]
    OtherRealm,
    /// The connection or the session is another principal's.
    #[error("held by another principal")]
    OtherPrincipal,
    /// The session is in as many channels as it may.
    #[error("the session is in too many channels")]
    TooManyChannels,
    /// The channel has as many members as it may.
    #[error("the channel is full")]
    ChannelFull,
}
