//! Which servers a page is told for ICE, and what it shows to those that relay.

use std::time::Duration;

use identity::{ClientId, RelayCredentials, Secret, UnixMillis, relay_credentials};

/// The servers, as configured.
#[derive(Debug, Clone, Default)]
pub struct IceServers {
    /// `stun:…`, `turn:…` and `turns:…` (RFC 7064, RFC 7065).
    pub urls: Vec<String>,
    /// How one is let in by those that relay.
    pub relay: RelayAccess,
}

/// How one is let in by a server that relays.
#[derive(Debug, Clone, Default)]
pub enum RelayAccess {
    /// As it lets in everybody.
    #[default]
    Open,
    /// All by the same name and password.
    Fixed(RelayCredentials),
    /// Each for a time, by what a secret makes that it shares with us.
    Shared {
        /// The secret.
        secret: Secret,
        /// How long what it makes is good. That cannot be taken back; a client that is here asks for more of it by then.
        good_for: Duration,
    },
}

/// What a client is told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IceOffers {
    /// The servers.
    pub servers: Vec<IceOffer>,
    /// How long what is shown to them is good; `None`: for ever, or there is nothing of the kind.
    pub good_for: Option<Duration>,
}

/// Servers that one is let in by in the same way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IceOffer {
    /// Their addresses.
    pub urls: Vec<String>,
    /// What one shows to them.
    pub credentials: Option<RelayCredentials>,
}

impl IceServers {
    /// Returns what a client is told.
    #[must_use]
    pub fn offer(&self, client: ClientId, at: UnixMillis) -> IceOffers {
        let (plain, relays): (Vec<_>, Vec<_>) =
            self.urls.iter().cloned().partition(|url| url.starts_with("stun"));
        let (credentials, good_for) = match &self.relay {
            RelayAccess::Open => (None, None),
            RelayAccess::Fixed(credentials) => (Some(credentials.clone()), None),
            RelayAccess::Shared { secret, good_for } => {
                let expires = at.saturating_add(*good_for).0 / 1_000;
                (relay_credentials(secret, &client.to_string(), expires, at).ok(), Some(*good_for))
            }
        };
        let good_for = good_for.filter(|_| !relays.is_empty());
        let all = [IceOffer { urls: plain, credentials: None }, IceOffer { urls: relays, credentials }];
        IceOffers { servers: all.into_iter().filter(|offer| !offer.urls.is_empty()).collect(), good_for }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn urls() -> Vec<String> {
        ["stun:a", "turn:b?transport=udp", "turns:c"].map(str::to_owned).into()
    }

    #[test]
    fn only_relays_get_credentials_and_those_of_a_secret_end() {
        let client = ClientId::from_random(1);
        let minutes = |count: u64| Duration::from_secs(count * 60);
        let shared = |good_for| RelayAccess::Shared { secret: Secret::new("secret"), good_for };
        let fixed = RelayCredentials { username: "n".into(), password: Secret::new("p") };
        // How one is let in; when it is asked, in seconds; the name that is shown to relays, and how long it is good.
        let ends_at = |second: u64| Some(format!("{second}:{client}"));
        let week = minutes(7 * 24 * 60);
        let table = [
            (RelayAccess::Open, 1_000, None, None),
            (RelayAccess::Fixed(fixed), 1_000, Some("n".to_owned()), None),
            (shared(minutes(1)), 1_000, ends_at(1_060), Some(minutes(1))),
            (shared(minutes(1)), 1_059, ends_at(1_119), Some(minutes(1))),
            (shared(minutes(15)), 1_000, ends_at(1_900), Some(minutes(15))),
            (shared(week), 1_000, ends_at(605_800), Some(week)),
        ];
        for (relay, second, username, good_for) in table {
            let servers = IceServers { urls: urls(), relay: relay.clone() };
            let told = servers.offer(client, UnixMillis(second * 1_000 + 999));
            let [plain, relays] = told.servers.try_into().unwrap();
            assert_eq!((plain.urls, plain.credentials), (vec!["stun:a".to_owned()], None), "{relay:?}");
            assert_eq!(relays.urls, urls()[1..], "{relay:?}");
            assert_eq!(relays.credentials.map(|shown| shown.username), username, "{relay:?} at {second}");
            assert_eq!(told.good_for, good_for, "{relay:?}");
        }
    }

    #[test]
    fn where_nothing_relays_nothing_ends() {
        let client = ClientId::from_random(1);
        let relay = RelayAccess::Shared { secret: Secret::new("secret"), good_for: Duration::from_secs(60) };
        let plain = IceServers { urls: vec!["stun:a".into()], relay };
        let told = plain.offer(client, UnixMillis(0));
        assert_eq!((told.servers.len(), told.good_for), (1, None));
        assert_eq!(IceServers::default().offer(client, UnixMillis(0)), IceOffers::default());
    }
}
