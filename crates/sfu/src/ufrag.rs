//! The text form of our ICE user fragment: two hex digits that name the shard, then 16 random characters (95 bits).
//!
//! RFC 8445 §5.3 asks for 24 random bits at least. A shard that receives another's datagram reads the owner off the first two characters.

use rand::Rng;
use rand::rngs::StdRng;
use str0m::IceCreds;

use crate::command::ShardIndex;

const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const RANDOM_CHARS: usize = 16;
const PASSWORD_CHARS: usize = 32;

/// Makes the ICE credentials of one media connection.
pub(crate) fn mint(shard: ShardIndex, rng: &mut StdRng) -> IceCreds {
    IceCreds {
        ufrag: format!("{:02x}{}", shard.0, random_text(RANDOM_CHARS, rng)),
        pass: random_text(PASSWORD_CHARS, rng),
    }
}

/// The shard that a user fragment names, if it was made here.
pub(crate) fn shard_of(ufrag: &str) -> Option<ShardIndex> {
    let (digits, rest) = ufrag.split_at_checked(2)?;
    let lower = digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let index = u8::from_str_radix(digits, 16).ok()?;
    (lower && rest.len() == RANDOM_CHARS).then_some(ShardIndex(index))
}

fn random_text(length: usize, rng: &mut StdRng) -> String {
    (0..length)
        .filter_map(|_| ALPHABET.get(rng.random_range(0..ALPHABET.len())))
        .map(|byte| char::from(*byte))
        .collect()
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn a_ufrag_names_its_shard_and_repeats_with_its_seed() {
        let creds = mint(ShardIndex(10), &mut StdRng::from_seed([7; 32]));
        assert_eq!((&creds.ufrag[..2], creds.ufrag.len(), creds.pass.len()), ("0a", 18, 32));
        assert_eq!(creds.ufrag, mint(ShardIndex(10), &mut StdRng::from_seed([7; 32])).ufrag);
        assert_ne!(creds.ufrag, mint(ShardIndex(10), &mut StdRng::from_seed([8; 32])).ufrag);
        assert_eq!(shard_of(&creds.ufrag), Some(ShardIndex(10)));
    }

    #[test]
    fn what_was_not_made_here_names_no_shard() {
        for ufrag in
            ["", "0", "00", "0aXY", "+1aaaaaaaaaaaaaaaa", "0Aaaaaaaaaaaaaaaaa", "0aaaaaaaaaaaaaaaaaa", "ä"]
        {
            assert_eq!(shard_of(ufrag), None, "{ufrag}");
        }
    }
}
