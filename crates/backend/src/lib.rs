//! Where things are kept.
//!
//! This crate decides nothing: it neither believes a credential (`identity` does) nor limits who may ask (`server` does). It keeps the
//! data folder closed to others, and what it has acknowledged survives the end of the process and of the power.

pub mod folder;
pub mod store;

pub use folder::FolderError;
pub use store::{
    AuditEntry, AuditRecord, Bearer, ChannelRecord, ConsoleKind, DialogRecord, DialogSide, Entry, Expiry,
    InviteRecord, Issue, Issued, Leaving, ListedClient, NewConsoleToken, NewInvitation, NewInvite,
    NewRealmToken, NewRoom, NewSession, NotIssued, Outcome, RealmRecord, Redeemed, RoomRecord, SessionRecord,
    Store, StoreError,
};
