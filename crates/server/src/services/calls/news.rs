use sfu::{LeaveReason, Sending, SignalRefusal};

/// What the media engine has to say to a participant. `label` is the client's name for its media connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MediaNews {
    /// Our answer to the participant's offer.
    Answer {
        /// Which media connection.
        label: String,
        /// Of the offer.
        id: u32,
        /// RFC 8866 text.
        sdp: String,
    },
    /// Our offer.
    Offer {
        /// Which media connection.
        label: String,
        /// To be repeated in the answer.
        id: u32,
        /// RFC 8866 text.
        sdp: String,
        /// Everything that we send after this offer.
        sending: Vec<Sending>,
    },
    /// A description was refused and changed nothing.
    Refused {
        /// Which media connection.
        label: String,
        /// Which of the participant's descriptions.
        described: Described,
        /// Why.
        refusal: SignalRefusal,
    },
    /// The media connection is gone, though the participant did not ask for that.
    Lost {
        /// Which media connection.
        label: String,
        /// Why.
        reason: LeaveReason,
    },
}

/// Which description of a participant is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Described {
    /// An offer.
    Offer,
    /// An answer.
    Answer,
}
