//! What each protocol looks like on the wire.
//!
//! Bytes to checked types and back. Knows no user, no permission rule, no socket and no clock: a decoded value has the right form and
//! size, and nothing more is promised about it.

pub mod channels;
pub mod framing;
mod json;
mod legible;
pub mod rooms;
pub mod rtcd;
pub mod stun;
pub mod verto;

use std::fmt;

/// What the other side did wrong in a message. Says nothing about the content, so it may be logged and returned.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Sent more bytes than a message may have.
    #[error("larger than {limit} bytes")]
    TooLarge {
        /// In bytes.
        limit: usize,
    },
    /// Sent something that is not JSON (RFC 8259).
    #[error("not JSON")]
    NotJson,
    /// Sent something that is not MessagePack, or less of it than it declares.
    #[error("not MessagePack")]
    NotMsgpack,
    /// Sent something that is not a whole zlib stream (RFC 1950).
    #[error("not zlib")]
    NotZlib,
    /// Sent JSON that is not an object.
    #[error("not an object")]
    NotAnObject,
    /// Nested deeper than any message needs.
    #[error("nested deeper than {limit}")]
    TooDeep {
        /// In levels of objects and arrays.
        limit: usize,
    },
    /// Named the same member twice in one object.
    #[error("a member stands twice")]
    DuplicateMember,
    /// Named a type that this face does not have.
    #[error("unknown type")]
    UnknownType,
    /// Named a member that this message does not have.
    #[error("a member is unknown")]
    UnknownMember,
    /// Left a member out.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// Gave a member of another form than it must have.
    #[error("{member} must be {expected}")]
    Wrong {
        /// Which member.
        member: &'static str,
        /// Its form, as a noun phrase.
        expected: &'static str,
    },
}

/// Text that must not reach a log: a secret, a session description, an address. Prints as its length.
#[derive(Clone, PartialEq, Eq)]
pub struct Masked(pub String);

impl fmt::Debug for Masked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Masked({} bytes)", self.0.len())
    }
}
