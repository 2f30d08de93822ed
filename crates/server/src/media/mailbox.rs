//! What other threads put before a media thread: datagrams of its participants, notes of other shards, and connections.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mio::Waker;
use sfu::{Datagram, Note, ShardIndex};

use super::streams::Newcomer;

/// Datagrams that may wait, some 20 ms of a busy call; one more is dropped, as the network may.
const MAX_DATAGRAMS: usize = 1_024;
/// Notes that may wait; one more is lost, and is told again with the next check of its path.
const MAX_NOTES: usize = 4_096;
/// Connections that may wait; one more is closed, and its client comes again.
const MAX_NEWCOMERS: usize = 256;
/// What a datagram may have to be handed over; media have less than 1,500 bytes.
const MAX_BYTES: usize = 2_048;

/// One thing for a media thread.
#[derive(Debug)]
pub(super) enum Letter {
    /// A datagram that came to the wrong shard.
    Datagram { from: ShardIndex, source: SocketAddr, destination: SocketAddr, contents: Vec<u8> },
    /// What another shard tells.
    Note { from: ShardIndex, note: Note },
    /// A connection over TCP that names this shard.
    Newcomer(Newcomer),
}

/// The letters of one media thread.
#[derive(Debug)]
pub(super) struct Mailbox {
    inner: Mutex<Inner>,
    waker: Arc<Waker>,
}

#[derive(Debug, Default)]
struct Inner {
    letters: Vec<Letter>,
    datagrams: usize,
    notes: usize,
    newcomers: usize,
    /// Whether the thread has been woken for the letters that lie here.
    woken: bool,
    /// Memory of datagrams that have been read.
    spare: Vec<Vec<u8>>,
}

impl Mailbox {
    pub(super) fn new(waker: Arc<Waker>) -> Self {
        Self { inner: Mutex::default(), waker }
    }

    /// Puts in a datagram; returns whether there was room. The thread learns of it by [`Mailbox::wake_reader`], so that it finds a whole
    /// batch: what it makes of datagrams that came together leaves together.
    pub(super) fn put_datagram(&self, from: ShardIndex, datagram: Datagram<'_>) -> bool {
        let Datagram { source, destination, contents: bytes, .. } = datagram;
        let mut inner = self.inner();
        if inner.datagrams >= MAX_DATAGRAMS || bytes.len() > MAX_BYTES {
            return false;
        }
        inner.datagrams += 1;
        let mut contents = inner.spare.pop().unwrap_or_default();
        contents.clear();
        contents.extend_from_slice(bytes);
        inner.letters.push(Letter::Datagram { from, source, destination, contents });
        true
    }

    /// Puts in a note, as [`Mailbox::put_datagram`]; returns whether there was room.
    pub(super) fn put_note(&self, from: ShardIndex, note: Note) -> bool {
        let mut inner = self.inner();
        if inner.notes >= MAX_NOTES {
            return false;
        }
        inner.notes += 1;
        inner.letters.push(Letter::Note { from, note });
        true
    }

    /// Puts in a connection, and wakes the thread; returns whether there was room.
    pub(super) fn put_stream(&self, newcomer: Newcomer) -> bool {
        let mut inner = self.inner();
        if inner.newcomers >= MAX_NEWCOMERS {
            return false;
        }
        inner.newcomers += 1;
        inner.letters.push(Letter::Newcomer(newcomer));
        drop(inner);
        self.wake_reader();
        true
    }

    /// Takes everything out, in order, into `letters`, which is empty.
    pub(super) fn take(&self, letters: &mut Vec<Letter>) {
        let mut inner = self.inner();
        std::mem::swap(&mut inner.letters, letters);
        (inner.datagrams, inner.notes, inner.newcomers, inner.woken) = (0, 0, 0, false);
    }

    /// Wakes the thread if anything lies here that it has not been woken for.
    pub(super) fn wake_reader(&self) {
        let mut inner = self.inner();
        if !inner.letters.is_empty() && !std::mem::replace(&mut inner.woken, true) {
            drop(inner);
            wake(&self.waker);
        }
    }

    /// Gives memory of datagrams back, to be used again.
    pub(super) fn give_back(&self, memory: &mut Vec<Vec<u8>>) {
        let mut inner = self.inner();
        let room = MAX_DATAGRAMS.saturating_sub(inner.spare.len());
        inner.spare.extend(memory.drain(..).take(room));
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wakes a media thread; it comes by itself within a second at the latest.
pub(super) fn wake(waker: &Waker) {
    let woken: io::Result<()> = waker.wake();
    if let Err(error) = woken {
        tracing::warn!(%error, "a media thread could not be woken");
    }
}

#[cfg(test)]
mod tests {
    use mio::{Poll, Token};
    use sfu::{Path, Transport};

    use super::*;

    #[test]
    fn letters_keep_their_order_and_their_bounds() {
        let poll = Poll::new().unwrap();
        let mailbox = Mailbox::new(Arc::new(Waker::new(poll.registry(), Token(0)).unwrap()));
        let address = SocketAddr::from(([192, 0, 2, 1], 1));
        let (source, destination, transport) = (address, address, Transport::Udp);
        let put = |contents: &[u8]| {
            mailbox.put_datagram(ShardIndex(1), Datagram { transport, source, destination, contents })
        };
        let note = Note::Mine(Path { transport, source, destination });
        let mut letters = Vec::new();
        for _ in 0..2 {
            assert!(put(&[1]) && mailbox.put_note(ShardIndex(2), note) && !put(&[0; 2_049]));
            assert_eq!((1..2_000).filter(|_| put(&[2])).count(), MAX_DATAGRAMS - 1);
            assert_eq!((1..9_000).filter(|_| mailbox.put_note(ShardIndex(2), note)).count(), MAX_NOTES - 1);
            mailbox.take(&mut letters);
            assert_eq!(letters.len(), MAX_DATAGRAMS + MAX_NOTES);
            assert!(matches!(&letters[0], Letter::Datagram { contents, .. } if *contents == [1]));
            assert!(matches!(letters[1], Letter::Note { from: ShardIndex(2), .. }));
            let memory = letters.drain(..).filter_map(|letter| match letter {
                Letter::Datagram { contents, .. } => Some(contents),
                Letter::Note { .. } | Letter::Newcomer(_) => None,
            });
            mailbox.give_back(&mut memory.collect());
        }
        assert_eq!(mailbox.inner().spare.len(), MAX_DATAGRAMS);
    }
}
