/// A text that is not in the form its type demands. Holds what was expected, never what came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}")]
pub struct Malformed {
    /// The form that was expected.
    pub expected: &'static str,
}
