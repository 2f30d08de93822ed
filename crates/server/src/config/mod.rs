//! What the operator wants: `file.rs` is what may be written, `checked.rs` what the program relies on.

mod public_url;

pub use public_url::{PublicUrl, Scheme};

/// Whether a reverse proxy stands before the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proxy {
    /// Clients connect directly; forwarding headers are ignored.
    Absent,
    /// Every connection comes from a proxy that encrypts, and appends the client's address to `X-Forwarded-For`.
    Trusted,
}
