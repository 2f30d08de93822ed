//! What each protocol looks like on the wire.
