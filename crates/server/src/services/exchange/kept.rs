//! Dialogs beyond the process: a call outlives the server that brought it about, and may want to change its media afterwards.

use std::time::{Duration, Instant};

use backend::{DialogRecord, DialogSide};
use hub::Agreement;
use identity::{ClientId, UnixMillis};

use super::{Exchange, Party};
use crate::ambient::now;
use crate::services::Refusal;

impl Exchange {
    /// Keeps what has become of the dialog of two clients. Where that fails the dialog goes on, and ends with the process.
    pub async fn keep(&self, party: Party<'_>, to: ClientId) {
        let from = party.client;
        // Whoever writes last writes what holds at last.
        let _turn = self.keeping.lock().await;
        let agreement = self.agreement(party, to);
        let kept = match agreement {
            Some(Agreement { at, pinned: [ours, theirs] }) => {
                let sides =
                    [(from, ours), (to, theirs)].map(|(client, pinned)| DialogSide { client, pinned });
                self.store.keep_dialog(&DialogRecord { sides, agreed_at: before_now(at) }).await
            }
            None => self.store.drop_dialog(from, to).await,
        };
        if let Err(error) = kept {
            tracing::warn!(%error, "what two clients agreed on is not kept");
        }
    }

    /// Takes up the dialogs that were kept; before anybody is here.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`].
    pub async fn recall(&self) -> Result<(), Refusal> {
        let kept = self.store.dialogs().await?;
        let mut live = self.live();
        for (channel, DialogRecord { sides: [one, other], agreed_at }) in kept {
            let Some(at) = instant_of(agreed_at) else { continue };
            let agreement = Agreement { at, pinned: [one.pinned, other.pinned] };
            let dialogs = live.dialogs.entry(channel).or_default();
            dialogs.restore(one.client.session(), other.client.session(), agreement);
        }
        Ok(())
    }

    fn agreement(&self, party: Party<'_>, to: ClientId) -> Option<Agreement> {
        self.live().dialogs.get(&party.channel)?.agreement(party.client.session(), to.session())
    }
}

fn before_now(at: Instant) -> UnixMillis {
    let age = u64::try_from(at.elapsed().as_millis()).unwrap_or(u64::MAX);
    UnixMillis(now().0.saturating_sub(age))
}

/// A time to come, by a clock that was set back, is now. `None`: it was before this machine began to count.
fn instant_of(at: UnixMillis) -> Option<Instant> {
    Instant::now().checked_sub(Duration::from_millis(now().0.saturating_sub(at.0)))
}
