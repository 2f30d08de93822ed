//! What a forwarded packet costs, beside what no forwarder can do without.

use std::net::UdpSocket;
use std::time::Duration;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use sfu::RoomId;
use sfu::Source::{self, Camera, Voice};
use testkit::measure::{Hall, PACKETS_PER_FRAME, cpu};

use crate::table::Table;
use crate::{ROUNDS, median};

/// Batches of a round; fewer where there are many viewers.
const BATCHES: usize = 50;
/// Steps of virtual time: one packet of sound, one picture.
const EVERY: [(Source, Duration, usize, usize); 2] = [
    (Voice, Duration::from_millis(20), 1, 100),
    (Camera, Duration::from_millis(33), PACKETS_PER_FRAME, 1_200),
];

pub(crate) fn measure(table: &mut Table) {
    for (source, every, batch, bytes) in EVERY {
        for subscribers in [10, 100, 500] {
            for adapts in [false, true] {
                // The estimate costs sound nothing: it is of pictures.
                if adapts && source.is_audio() {
                    continue;
                }
                let mut call = Call::new(source, every, subscribers, adapts);
                let rounds: Vec<(u64, u64)> =
                    (0..ROUNDS).map(|_| (call.forward(), call.floor(bytes, batch))).collect();
                let cost = median(rounds.iter().map(|(cost, _)| *cost).collect());
                let floor = median(rounds.iter().map(|(_, floor)| *floor).collect());
                let ratio = cost as f64 / floor as f64;
                let kind = match (source, adapts) {
                    (Voice, _) => "audio",
                    (_, false) => "video",
                    (_, true) => "video, estimated and paced",
                };
                let name = format!("{kind}, {subscribers} subscribers");
                table.note(format!("{name}: a forwarded packet"), cost as f64, "ns");
                table.note(format!("{name}: seal + plain send"), floor as f64, "ns");
                let target = if source == Voice { 2.0 } else { 1.3 };
                if subscribers == 10 {
                    table.judge(format!("{name}: ratio"), ratio, "", target);
                } else {
                    table.note(format!("{name}: ratio"), ratio, "");
                }
            }
        }
    }
}

/// One publisher, and subscribers that only listen.
struct Call {
    hall: Hall,
    source: Source,
    every: Duration,
    subscribers: usize,
    batches: usize,
}

impl Call {
    fn new(source: Source, every: Duration, subscribers: usize, adapts: bool) -> Self {
        let mut hall = Hall::new(adapts);
        hall.fill(RoomId(1), 1, &[source]);
        hall.fill(RoomId(1), subscribers, &[]);
        let batches = (BATCHES * 10 / subscribers).max(8);
        let mut call = Self { hall, source, every, subscribers, batches };
        // Until what is kept for retransmission is full.
        call.publish(40);
        call
    }

    fn publish(&mut self, batches: usize) {
        for _ in 0..batches {
            self.hall.publish(0, self.source);
            self.hall.run(self.every);
        }
    }

    /// Returns ns per packet and subscriber: everything that the shard does meanwhile, feedback and timers too.
    fn forward(&mut self) -> u64 {
        let heard = self.heard();
        let before = self.hall.shard.stats().forwarded;
        self.hall.take_spent();
        self.publish(self.batches);
        let spent = self.hall.take_spent();
        let forwarded = self.hall.shard.stats().forwarded - before;
        let packets = self.batches * if self.source.is_audio() { 1 } else { PACKETS_PER_FRAME };
        let expected = (packets * self.subscribers) as u64;
        assert!(forwarded >= expected * 9 / 10, "{forwarded} of {expected} forwarded");
        let heard = self.heard() - heard;
        assert!(heard >= expected * 9 / 10, "{heard} of {expected} heard");
        spent.as_nanos() as u64 / forwarded
    }

    fn heard(&self) -> u64 {
        self.hall.callers.iter().flatten().map(|caller| caller.heard).sum()
    }

    /// Returns ns to seal one packet and send it alone.
    fn floor(&self, bytes: usize, batch: usize) -> u64 {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let keys = (0..self.subscribers)
            .map(|index| LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &[index as u8; 32]).unwrap()));
        let listeners: Vec<_> = self.hall.addresses().into_iter().skip(1).zip(keys).collect();
        let mut packet = vec![0_u8; 12 + bytes + 16];
        let mut spent = Duration::ZERO;
        for round in 0..self.batches as u64 {
            let start = cpu();
            for (address, key) in &listeners {
                for part in 0..batch as u64 {
                    let mut nonce = [0; 12];
                    nonce[4..].copy_from_slice(&(round * 64 + part).to_be_bytes());
                    let (header, payload) = packet.split_at_mut(12);
                    let (payload, tag) = payload.split_at_mut(bytes);
                    let nonce = Nonce::assume_unique_for_key(nonce);
                    let sealed = key.seal_in_place_separate_tag(nonce, Aad::from(&*header), payload).unwrap();
                    tag.copy_from_slice(sealed.as_ref());
                    socket.send_to(&packet, address).unwrap();
                }
            }
            spent += cpu() - start;
            (0..self.subscribers).for_each(|index| self.hall.discard(index + 1, batch));
        }
        spent.as_nanos() as u64 / (self.batches * batch * self.subscribers) as u64
    }
}
