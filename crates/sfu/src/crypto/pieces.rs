//! Handshake messages whose pieces overlap (RFC 6347 §4.2.3). dimpl joins pieces that follow each other; of those that overlap, as after a
//! change of size between two sendings, it waits for one that never comes. So what had come already is cut off before dimpl sees it.

/// Record header (RFC 6347 §4.1), and the header of a piece (§4.2.2).
const RECORD: usize = 13;
const HEADER: usize = 12;
const HANDSHAKE: u8 = 22;
/// Pieces of one message that are remembered; dimpl takes 50 datagrams.
const MOST: usize = 64;

/// What of a datagram is to be seen.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// It is no piece, or brings nothing twice.
    AsItIs,
    /// What had come before is cut off.
    Cut(Vec<u8>),
    /// All of it had come, and other pieces are missing.
    Nothing,
}

/// What has come of the message that the other side is sending.
#[derive(Debug, Default)]
pub(crate) struct Pieces {
    message: u16,
    /// From and to, apart from each other, in order.
    have: Vec<(usize, usize)>,
}

impl Pieces {
    /// Says what of a datagram dimpl is to see.
    pub(crate) fn take(&mut self, datagram: &[u8]) -> Seen {
        self.cut(datagram).unwrap_or(Seen::AsItIs)
    }

    fn cut(&mut self, datagram: &[u8]) -> Option<Seen> {
        let (record, rest) = datagram.split_first_chunk::<RECORD>()?;
        let (header, body) = rest.split_first_chunk::<HEADER>()?;
        let [kind, _, _, 0, 0, .., high, low] = *record else { return None };
        let [_, l1, l2, l3, m1, m2, o1, o2, o3, p1, p2, p3] = *header;
        let is_one = usize::from(u16::from_be_bytes([high, low])) == rest.len();
        if kind != HANDSHAKE || !is_one || number([p1, p2, p3]) != body.len() {
            return None;
        }
        let (message, length, from) =
            (u16::from_be_bytes([m1, m2]), number([l1, l2, l3]), number([o1, o2, o3]));
        let to = from + body.len();
        if to > length || message < self.message {
            return None;
        }
        if message > self.message {
            (self.message, self.have) = (message, Vec::new());
        }
        let Some((new_from, new_to)) = self.missing(from, to) else {
            // All of it has come: the other side sends it again, and dimpl answers again.
            let is_complete = self.have.iter().map(|(from, to)| to - from).sum::<usize>() == length;
            return (!is_complete).then_some(Seen::Nothing);
        };
        self.note(new_from, new_to);
        if (new_from, new_to) == (from, to) {
            return None;
        }
        let body = body.get(new_from - from..new_to - from)?;
        let mut cut = datagram.get(..RECORD + HEADER)?.to_vec();
        cut.get_mut(11..RECORD)?.copy_from_slice(&u16::try_from(HEADER + body.len()).ok()?.to_be_bytes());
        cut.get_mut(RECORD + 6..RECORD + 9)?.copy_from_slice(&three(new_from)?);
        cut.get_mut(RECORD + 9..RECORD + HEADER)?.copy_from_slice(&three(body.len())?);
        cut.extend_from_slice(body);
        Some(Seen::Cut(cut))
    }

    /// Returns the first part of this that has not come, if there is any.
    fn missing(&self, mut from: usize, mut to: usize) -> Option<(usize, usize)> {
        for (had_from, had_to) in &self.have {
            if *had_from <= from && from < *had_to {
                from = *had_to;
            } else if from < *had_from {
                to = to.min(*had_from);
            }
        }
        (from < to).then_some((from, to))
    }

    fn note(&mut self, from: usize, to: usize) {
        if self.have.len() < MOST {
            let at = self.have.partition_point(|had| *had < (from, to));
            self.have.insert(at, (from, to));
        }
    }
}

fn number([high, middle, low]: [u8; 3]) -> usize {
    usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low)
}

fn three(number: usize) -> Option<[u8; 3]> {
    let [0, high, middle, low] = u32::try_from(number).ok()?.to_be_bytes() else { return None };
    Some([high, middle, low])
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use str0m_proto::crypto::DtlsVersion;
    use str0m_proto::crypto::dtls::{DtlsInstance, DtlsOutput};

    use super::*;
    use crate::crypto::provider;

    #[test]
    fn a_client_hello_in_pieces_is_read() {
        type Cut = fn(usize) -> Vec<(usize, usize)>;
        let rows: [(&str, Cut, bool); 8] = [
            ("whole", |end| vec![(0, end)], true),
            ("two", |end| vec![(0, 50), (50, end)], true),
            ("the second first", |end| vec![(50, end), (0, 50)], true),
            ("overlapping", |end| vec![(0, 50), (30, end)], true),
            ("overlapping, the second first", |end| vec![(30, end), (0, 50)], true),
            ("one inside another", |end| vec![(0, 60), (20, 40), (50, end)], true),
            ("again in other pieces", |end| vec![(0, 40), (0, 20), (20, 60), (60, end)], true),
            ("a part is missing", |end| vec![(0, 50), (60, end)], false),
        ];
        for (what, pieces, expected) in rows {
            let now = Instant::now();
            let [mut client, mut server] = [true, false].map(|active| instance(active, now));
            let hello = said(&mut *client).remove(0);
            let body = &hello[RECORD + HEADER..];
            for (from, to) in pieces(body.len()) {
                server.handle_packet(&piece(&hello, from, &body[from..to])).unwrap();
            }
            server.handle_timeout(now + Duration::from_millis(1)).unwrap();
            let answered = said(&mut *server);
            assert_eq!(!answered.is_empty(), expected, "{what}");
        }
    }

    #[test]
    fn what_is_no_piece_stays_as_it_is() {
        let mut rng = fastrand::Rng::with_seed(1);
        for _ in 0..20_000 {
            let mut pieces = Pieces::default();
            for _ in 0..3 {
                let mut bytes: Vec<u8> = (0..rng.usize(..60)).map(|_| rng.u8(..4)).collect();
                if let Some(kind) = bytes.first_mut() {
                    *kind = HANDSHAKE;
                }
                if let Seen::Cut(cut) = pieces.take(&bytes) {
                    assert!(cut.len() < bytes.len());
                }
            }
        }
        assert_eq!(Pieces::default().take(&[]), Seen::AsItIs);
    }

    fn instance(active: bool, now: Instant) -> Box<dyn DtlsInstance> {
        let provider = provider().unwrap();
        let certificate = str0m_aws_lc_rs::default_provider().dtls_provider.generate_certificate().unwrap();
        let mut made = provider.dtls_provider.new_dtls(&certificate, now, DtlsVersion::Dtls12, None).unwrap();
        made.set_active(active);
        made.handle_timeout(now).unwrap();
        made
    }

    fn said(instance: &mut dyn DtlsInstance) -> Vec<Vec<u8>> {
        let (mut said, mut buffer) = (Vec::new(), [0; 2_048]);
        while let DtlsOutput::Packet(packet) = instance.poll_output(&mut buffer) {
            said.push(packet.to_vec());
        }
        said
    }

    fn piece(hello: &[u8], from: usize, body: &[u8]) -> Vec<u8> {
        let mut piece = hello[..RECORD + HEADER].to_vec();
        piece[11..RECORD].copy_from_slice(&u16::try_from(HEADER + body.len()).unwrap().to_be_bytes());
        piece[RECORD + 6..RECORD + 9].copy_from_slice(&three(from).unwrap());
        piece[RECORD + 9..].copy_from_slice(&three(body.len()).unwrap());
        piece.extend_from_slice(body);
        piece
    }
}
