//! Who hears what.
//!
//! A [`Hub`] knows which sessions are attached to which connections, which channels they have joined, and who is present there. It has
//! no socket, no clock and no store; it does not know who may do what (its callers have checked), what a message means (a body is
//! text), nor any media.
//!
//! Contract: give it one input, with the time. Then take outputs until there are none. Then sleep until the deadline it names, or the
//! next input. An input that is refused has changed nothing.

mod channel;
mod dialogs;
mod hub;
mod membership;
mod message;
mod topics;

pub use channel::Channel;
pub use dialogs::{Agreement, Dialogs, GOOD_FOR, OutOfTurn, Passage, Step};
pub use hub::{Hub, Limits};
pub use message::{ConnectionId, Event, Input, Media, Output, Present, PuntReason, Refused, Standing, State};
pub use topics::{Heard, NoSeat, Speaker, Subscribed, TopicLimits, TopicOutput, Topics};
