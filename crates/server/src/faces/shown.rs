//! Our values in the words of the wire, and back.

use hub::{Present, Standing};
use identity::{ChannelId, Permission, Permissions};
use wire::Masked;
use wire::channels::{ClientIssued, IceServer, IceTold};
use wire::rooms::{self as wire_rooms, Id, MemberShown};

use crate::services::{Given, IceOffer, IceOffers, muted};

/// Shows what a client of a channel gets.
pub(super) fn client_issued(channel: ChannelId, given: &Given) -> ClientIssued {
    ClientIssued {
        client_id: given.client.to_string(),
        password: Masked(given.password.expose().to_owned()),
        channel_id: channel.to_string(),
        expires_in: given.good_for.as_secs(),
        socket: format!("/peers/{channel}/clients"),
        topic: String::new(),
        ice: ice_told(&given.ice),
    }
}

/// Shows what a client is told for ICE.
pub(super) fn ice_told(offers: &IceOffers) -> IceTold {
    IceTold {
        ice_servers: offers.servers.iter().map(ice_server).collect(),
        ice_expires_in: offers.good_for.map(|good_for| good_for.as_secs()),
    }
}

fn ice_server(offer: &IceOffer) -> IceServer {
    let credentials = offer.credentials.as_ref();
    IceServer {
        urls: offer.urls.clone(),
        username: credentials.map(|shown| shown.username.clone()),
        credential: credentials.map(|shown| Masked(shown.password.expose().to_owned())),
    }
}

/// Shows a member of a room.
pub(super) fn member(present: &Present) -> MemberShown {
    MemberShown {
        participant_id: Id(present.session.id.0),
        name: present.session.name.clone(),
        permissions: rights(present.session.grant.permissions()),
        connected: present.standing == Standing::Attached,
        muted: muted(present.state).map(source).collect(),
    }
}

/// Shows what somebody may do in a room.
pub(super) fn rights(permissions: Permissions) -> Vec<wire_rooms::Permission> {
    let shown = |permission| match permission {
        Permission::Speak => Some(wire_rooms::Permission::Speak),
        Permission::UseCamera => Some(wire_rooms::Permission::Camera),
        Permission::ShareScreen => Some(wire_rooms::Permission::Share),
        Permission::Moderate => Some(wire_rooms::Permission::Moderate),
        Permission::ManageRealm | Permission::HostCalls | Permission::Signal => None,
    };
    permissions.iter().filter_map(shown).collect()
}

/// Reads what somebody is to be allowed.
pub(super) fn permissions(listed: &[wire_rooms::Permission]) -> Permissions {
    let read = |permission: &wire_rooms::Permission| match permission {
        wire_rooms::Permission::Speak => Permission::Speak,
        wire_rooms::Permission::Camera => Permission::UseCamera,
        wire_rooms::Permission::Share => Permission::ShareScreen,
        wire_rooms::Permission::Moderate => Permission::Moderate,
    };
    listed.iter().map(read).collect()
}

/// Shows a source.
pub(super) fn source(source: sfu::Source) -> wire_rooms::Source {
    match source {
        sfu::Source::Voice => wire_rooms::Source::Voice,
        sfu::Source::Camera => wire_rooms::Source::Camera,
        sfu::Source::Screen => wire_rooms::Source::Screen,
        sfu::Source::ScreenAudio => wire_rooms::Source::ScreenAudio,
    }
}

/// Reads a source.
pub(super) fn read_source(source: wire_rooms::Source) -> sfu::Source {
    match source {
        wire_rooms::Source::Voice => sfu::Source::Voice,
        wire_rooms::Source::Camera => sfu::Source::Camera,
        wire_rooms::Source::Screen => sfu::Source::Screen,
        wire_rooms::Source::ScreenAudio => sfu::Source::ScreenAudio,
    }
}
