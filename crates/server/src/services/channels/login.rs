use std::fmt;

use identity::{ChannelId, ClientId, Content, Grant, ProofKey, Secret};

/// What a `login` says.
#[derive(Debug)]
pub struct Login<'a> {
    /// The client's id; what stands behind an `@` is cut off.
    pub login: &'a str,
    /// The password.
    pub passwd: &'a Secret,
    /// `params.sessid`, if it is there.
    pub sessid: Option<&'a str>,
    /// A proof of possession, if there is one.
    pub proof: Option<ClientProof<'a>>,
}

/// What proves that a client has the key that it named.
#[derive(Debug, Clone, Copy)]
pub struct ClientProof<'a> {
    /// The challenge of this connection, as it stood in `error.data.nonce` of a -32000.
    pub nonce: &'a [u8; 32],
    /// `loginParams.signature`.
    pub signature: &'a str,
}

/// A login that is believed, and has not been acted upon.
#[derive(Debug)]
pub struct Believed {
    /// Of which channel.
    pub channel: ChannelId,
    /// Who.
    pub client: ClientId,
    /// Clients that may be logged in at once.
    pub capacity: usize,
    sessid: Secret,
}

/// A client that is in its channel, on one connection.
#[derive(Debug, Clone)]
pub struct Member {
    /// Of which channel.
    pub channel: ChannelId,
    /// Who.
    pub client: ClientId,
    /// The connection's session id: goes to its owner only, never to others or a log.
    pub sessid: Secret,
    /// Clients that may be logged in at once.
    pub capacity: usize,
    /// What may be said.
    pub content: Content,
    /// The key that it has proven to hold: peers may believe what it signs.
    pub proof_key: Option<ProofKey>,
    /// To signal in the realm of its channel.
    pub grant: Grant,
    /// Tells its connections apart.
    ticket: u64,
}

/// Why a login is refused. It prints what the client is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginRefused {
    /// Whatever is wrong. After too many failures of this client, or of this address, the socket is closed.
    Denied {
        /// Whether to close.
        close: bool,
    },
    /// Everything is well but the session id, which the channel demands. A failure like the others.
    MissingSessid {
        /// Whether to close.
        close: bool,
    },
    /// Something inside does not work; the log says what. No failure of the client's.
    Unavailable,
}

impl fmt::Display for LoginRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Denied { .. } => "Authentication Failure",
            Self::MissingSessid { .. } => "Missing sessid",
            Self::Unavailable => "Not available",
        })
    }
}
