//! Data channels of one participant: their names, what waits for them, and how much may come.

use std::collections::VecDeque;
use std::time::Instant;

use str0m::Rtc;
use str0m::channel::ChannelId;

use crate::command::EventKind;

/// Bytes of one message, in either direction.
pub(crate) const MAX_MESSAGE: u32 = 64 * 1024;
/// Bytes that SCTP holds for all channels of a participant.
pub(crate) const MAX_BUFFERED: usize = 256 * 1024;
/// Messages that wait for one channel beside that, and their bytes.
const MAX_WAITING: usize = 1_024;
const MAX_WAITING_BYTES: usize = 1024 * 1024;
/// Below this much of what SCTP holds, what waits goes on.
const LOW_WATER: usize = 64 * 1024;
/// Channels of one participant. Faces need one or two.
const MAX_CHANNELS: usize = 8;
const MAX_LABEL: usize = 64;
/// What one participant may send us, on average and at once. A terminal's output is far below; the rest is a flood.
const BYTES_PER_SECOND: u64 = 1024 * 1024;
const MESSAGES_PER_SECOND: u64 = 200;
const SECONDS_AT_ONCE: u64 = 4;

/// The open channels, and what of the allowance is used.
#[derive(Debug, Default)]
pub(crate) struct Channels {
    open: Vec<Channel>,
    bytes: Spent,
    messages: Spent,
}

#[derive(Debug)]
struct Channel {
    id: ChannelId,
    label: String,
    waiting: VecDeque<(bool, Vec<u8>)>,
    waiting_bytes: usize,
    /// Who wants to know when all of it has arrived.
    awaited: Option<u32>,
}

/// The participant sends more than anybody needs.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Flood;

/// A bucket that leaks.
#[derive(Debug, Default)]
struct Spent {
    /// In thousandths.
    level: u64,
    at: Option<Instant>,
}

impl Spent {
    fn take(&mut self, now: Instant, amount: u64, per_second: u64) -> Result<(), Flood> {
        let elapsed = self.at.map_or(0, |at| now.saturating_duration_since(at).as_millis());
        self.at = Some(now);
        let leaked = u64::try_from(elapsed).unwrap_or(u64::MAX).saturating_mul(per_second);
        self.level = self.level.saturating_sub(leaked).saturating_add(amount.saturating_mul(1_000));
        if self.level > per_second * 1_000 * SECONDS_AT_ONCE { Err(Flood) } else { Ok(()) }
    }
}

impl Channels {
    /// Notes an open channel; it counts as a message. One too many is closed.
    ///
    /// # Errors
    /// [`Flood`].
    pub(crate) fn opened(
        &mut self,
        now: Instant,
        rtc: &mut Rtc,
        id: ChannelId,
        label: String,
    ) -> Result<Option<EventKind>, Flood> {
        self.messages.take(now, 1, MESSAGES_PER_SECOND)?;
        let taken = self.open.iter().any(|channel| channel.label == label);
        if self.open.len() >= MAX_CHANNELS || label.len() > MAX_LABEL || taken {
            rtc.direct_api().close_data_channel(id);
            return Ok(None);
        }
        if let Some(mut channel) = rtc.channel(id) {
            channel.set_buffered_amount_low_threshold(LOW_WATER);
        }
        let waiting = VecDeque::new();
        self.open.push(Channel { id, label: label.clone(), waiting, waiting_bytes: 0, awaited: None });
        Ok(Some(EventKind::DataOpen { label }))
    }

    /// Whether there is a channel.
    pub(crate) fn any_open(&self) -> bool {
        !self.open.is_empty()
    }

    /// Notes that a channel is gone; what waited for others may go on.
    pub(crate) fn closed(&mut self, rtc: &mut Rtc, id: ChannelId) {
        self.open.retain(|channel| channel.id != id);
        self.pump(rtc);
    }

    /// What a message means to the signalling side. `None`: it came by a channel that we do not have.
    ///
    /// # Errors
    /// [`Flood`].
    pub(crate) fn received(
        &mut self,
        now: Instant,
        id: ChannelId,
        binary: bool,
        bytes: Vec<u8>,
    ) -> Result<Option<EventKind>, Flood> {
        self.messages.take(now, 1, MESSAGES_PER_SECOND)?;
        self.bytes.take(now, bytes.len() as u64, BYTES_PER_SECOND)?;
        if bytes.len() > MAX_MESSAGE as usize {
            return Err(Flood);
        }
        let channel = self.open.iter().find(|channel| channel.id == id);
        Ok(channel.map(|channel| EventKind::Data { label: channel.label.clone(), binary, bytes }))
    }

    /// Writes a message, or lets it wait. Returns whether it was taken.
    pub(crate) fn write(&mut self, rtc: &mut Rtc, label: &str, binary: bool, bytes: Vec<u8>) -> bool {
        let Some(channel) = self.open.iter_mut().find(|channel| channel.label == label) else { return false };
        let full = channel.waiting.len() >= MAX_WAITING
            || channel.waiting_bytes.saturating_add(bytes.len()) > MAX_WAITING_BYTES;
        if full || bytes.len() > MAX_MESSAGE as usize {
            return false;
        }
        channel.waiting_bytes += bytes.len();
        channel.waiting.push_back((binary, bytes));
        channel.pump(rtc);
        true
    }

    /// Notes that somebody wants to know when everything written so far has arrived; see [`Channels::delivered`].
    pub(crate) fn deliver(&mut self, rtc: &mut Rtc, label: &str, id: u32) -> Vec<EventKind> {
        let Some(channel) = self.open.iter_mut().find(|channel| channel.label == label) else {
            return vec![EventKind::Delivered { id }];
        };
        channel.awaited = Some(id);
        if let Some(mut channel) = rtc.channel(channel.id) {
            channel.set_buffered_amount_low_threshold(0);
        }
        self.delivered(rtc)
    }

    /// What has arrived of what somebody waits for.
    pub(crate) fn delivered(&mut self, rtc: &mut Rtc) -> Vec<EventKind> {
        self.open.iter_mut().filter_map(|channel| channel.delivered(rtc)).collect()
    }

    /// Goes on with what waits.
    pub(crate) fn pump(&mut self, rtc: &mut Rtc) {
        self.open.iter_mut().for_each(|channel| channel.pump(rtc));
    }
}

impl Channel {
    /// SCTP holds what it has sent until it is acknowledged.
    fn delivered(&mut self, rtc: &mut Rtc) -> Option<EventKind> {
        let mut channel = rtc.channel(self.id)?;
        if !self.waiting.is_empty() || channel.buffered_amount() > 0 {
            return None;
        }
        let id = self.awaited.take()?;
        channel.set_buffered_amount_low_threshold(LOW_WATER);
        Some(EventKind::Delivered { id })
    }

    fn pump(&mut self, rtc: &mut Rtc) {
        let Some(mut channel) = rtc.channel(self.id) else { return };
        while let Some((binary, bytes)) = self.waiting.front() {
            // Not accepted: it goes on when less is buffered. An error: the channel is about to close.
            if !matches!(channel.write(*binary, bytes), Ok(true)) {
                return;
            }
            self.waiting_bytes = self.waiting_bytes.saturating_sub(bytes.len());
            self.waiting.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_flood_is_noticed_and_steady_talk_is_not() {
        let start = Instant::now();
        let mut spent = Spent::default();
        for step in 0..10_000 {
            let now = start + Duration::from_millis(step * 5);
            assert_eq!(spent.take(now, 1, MESSAGES_PER_SECOND), Ok(()), "{step}");
        }
        let now = start + Duration::from_secs(60);
        let taken = (0..10_000).take_while(|_| spent.take(now, 1, MESSAGES_PER_SECOND).is_ok()).count();
        assert_eq!(taken as u64, MESSAGES_PER_SECOND * SECONDS_AT_ONCE);
    }
}
