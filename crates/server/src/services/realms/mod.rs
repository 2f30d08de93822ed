//! Tenants that host calls: who they are, what they show, and until when they are believed (rtcd's clients).

mod caller;

pub use caller::{Caller, NotBelieved};

use crate::http::peer::Peer;

/// Registers tenants, and believes them.
#[derive(Debug)]
pub struct Realms {}

impl Realms {
    /// Believes what an `Authorization` header says: Basic with the key of a realm or the admin's, or Bearer with a token of
    /// [`Realms::log_in`] (rtcd service/auth.go).
    ///
    /// # Errors
    /// As [`NotBelieved`] says. A right key is never refused because of others' failures.
    pub async fn caller(&self, authorization: Option<&[u8]>, from: Peer) -> Result<Caller, NotBelieved> {
        let _ = (authorization, from);
        std::future::ready(Err(NotBelieved::Unavailable)).await
    }
}
