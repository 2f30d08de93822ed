use crate::Secret;

/// What was presented, not yet believed.
#[derive(Debug)]
pub enum Credential {
    /// One of our own opaque tokens: the admin token, or a console session.
    Token(Secret),
    /// A one-time sign-in link.
    Link(Secret),
    /// The secret of an invite.
    Invite(Secret),
    /// A session token together with the proof that its holder has the key it is bound to.
    Participant {
        /// The session token.
        token: Secret,
        /// The challenge we gave to this connection.
        nonce: [u8; 32],
        /// The answer to it, as [`crate::verify_first_message`] wants it.
        signature: Vec<u8>,
    },
}
