use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroize;

/// A text that never prints, compares in constant time (for texts of one length), and is wiped when dropped.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Takes the text over.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns the text itself: for hashing it, for the one answer or link that hands it out, and for nothing else.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_never_prints() {
        let secret = Secret::new("hunter2");
        assert_eq!(
            format!("{secret} {secret:?} {secret:#?} {secret:>20}"),
            "Secret(..) Secret(..) Secret(..) Secret(..)"
        );
    }

    #[test]
    fn secrets_are_equal_when_their_texts_are() {
        assert_eq!(Secret::new("a"), Secret::new("a"));
        for other in ["b", "", "aa"] {
            assert_ne!(Secret::new("a"), Secret::new(other), "{other:?}");
        }
    }
}
