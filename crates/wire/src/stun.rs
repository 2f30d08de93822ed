//! Asking a STUN server how we look from outside: a binding request and the address in its answer (RFC 8489).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Bytes of a message without attributes (§5).
pub const HEADER: usize = 20;
const COOKIE: [u8; 4] = [0x21, 0x12, 0xA4, 0x42];
const BINDING_REQUEST: [u8; 2] = [0x00, 0x01];
const BINDING_SUCCESS: [u8; 2] = [0x01, 0x01];
const XOR_MAPPED_ADDRESS: [u8; 2] = [0x00, 0x20];

/// Tells answers apart (§5); must not be guessable, or others could answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transaction(pub [u8; 12]);

/// Returns a binding request.
#[must_use]
pub fn request(transaction: Transaction) -> [u8; HEADER] {
    let mut message = [0; HEADER];
    let bytes = BINDING_REQUEST.into_iter().chain([0, 0]).chain(COOKIE).chain(transaction.0);
    message.iter_mut().zip(bytes).for_each(|(place, byte)| *place = byte);
    message
}

/// Returns the address from which the server got our request; `None`: this is no success response to it, or has no such address.
#[must_use]
pub fn mapped_address(message: &[u8], transaction: Transaction) -> Option<SocketAddr> {
    let (kind, rest) = message.split_first_chunk::<2>()?;
    let (length, rest) = rest.split_first_chunk::<2>()?;
    let (cookie, rest) = rest.split_first_chunk::<4>()?;
    let (answered, mut attributes) = rest.split_first_chunk::<12>()?;
    if (*kind, *cookie, *answered) != (BINDING_SUCCESS, COOKIE, transaction.0)
        || usize::from(u16::from_be_bytes(*length)) != attributes.len()
    {
        return None;
    }
    loop {
        let (kind, rest) = attributes.split_first_chunk::<2>()?;
        let (length, rest) = rest.split_first_chunk::<2>()?;
        let length = usize::from(u16::from_be_bytes(*length));
        let (value, rest) = rest.split_at_checked(length)?;
        if *kind == XOR_MAPPED_ADDRESS {
            return unmask(value, transaction);
        }
        // Attributes begin at multiples of four bytes (§14).
        attributes = rest.get(length.next_multiple_of(4) - length..)?;
    }
}

/// §14.2.
fn unmask(value: &[u8], transaction: Transaction) -> Option<SocketAddr> {
    let ([_, family], rest) = value.split_first_chunk::<2>()?;
    let (port, address) = rest.split_first_chunk::<2>()?;
    let [first, second, ..] = COOKIE;
    let port = u16::from_be_bytes(*port) ^ u16::from_be_bytes([first, second]);
    let ip = match family {
        1 => IpAddr::V4(Ipv4Addr::from(
            u32::from_be_bytes(address.try_into().ok()?) ^ u32::from_be_bytes(COOKIE),
        )),
        2 => {
            let mut mask = [0; 16];
            mask.iter_mut()
                .zip(COOKIE.into_iter().chain(transaction.0))
                .for_each(|(place, byte)| *place = byte);
            IpAddr::V6(Ipv6Addr::from(
                u128::from_be_bytes(address.try_into().ok()?) ^ u128::from_be_bytes(mask),
            ))
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// RFC 5769 §2.2 and §2.3: their transaction and addresses, without the attributes that we do not read.
    const SAMPLE: Transaction =
        Transaction([0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae]);
    const IPV4: [u8; 12] = [0x00, 0x20, 0x00, 0x08, 0x00, 0x01, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43];
    const IPV6: [u8; 24] = [
        0x00, 0x20, 0x00, 0x14, 0x00, 0x02, 0xa1, 0x47, 0x01, 0x13, 0xa9, 0xfa, 0xa5, 0xd3, 0xf1, 0x79, 0xbc,
        0x25, 0xf4, 0xb5, 0xbe, 0xd2, 0xb9, 0xd9,
    ];
    /// SOFTWARE of 11 bytes and its padding.
    const SOFTWARE: [u8; 16] = *b"\x80\x22\x00\x0btest vector ";

    #[test]
    fn the_addresses_of_rfc_5769_are_read() {
        let rows = [
            (IPV4.to_vec(), Some("192.0.2.1:32853")),
            (IPV6.to_vec(), Some("[2001:db8:1234:5678:11:2233:4455:6677]:32853")),
            ([&SOFTWARE[..], &IPV4].concat(), Some("192.0.2.1:32853")),
            (SOFTWARE.to_vec(), None),
            (IPV4[..11].to_vec(), None),
            ([0, 0x20, 0, 4, 0, 1, 1, 1].to_vec(), None),
            ([0, 0x20, 0, 8, 0, 3, 1, 1, 1, 1, 1, 1].to_vec(), None),
            (vec![], None),
        ];
        for (attributes, expected) in rows {
            let message = response(&attributes);
            let expected = expected.map(|text| text.parse().unwrap());
            assert_eq!(mapped_address(&message, SAMPLE), expected, "{attributes:?}");
        }
    }

    #[test]
    fn only_a_success_response_to_the_request_counts() {
        let good = response(&IPV4);
        assert!(mapped_address(&good, SAMPLE).is_some());
        for place in 0..HEADER {
            let mut bad = good.clone();
            bad[place] ^= 1;
            assert_eq!(mapped_address(&bad, SAMPLE), None, "byte {place}");
        }
        assert_eq!(mapped_address(&request(SAMPLE), SAMPLE), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = mapped_address(&response(&bytes), SAMPLE);
            let _ = mapped_address(&bytes, SAMPLE);
        }
    }

    fn response(attributes: &[u8]) -> Vec<u8> {
        let length = u16::try_from(attributes.len()).unwrap().to_be_bytes();
        [&BINDING_SUCCESS[..], &length, &COOKIE, &SAMPLE.0, attributes].concat()
    }
}
