//! Which servers a page is told for ICE, and what it shows to those that relay.

use std::time::Duration;

use identity::{ClientId, RelayCredentials, Secret, UnixMillis, relay_credentials};

/// How long made credentials are good: a call that lasts longer asks again by then. They cannot be taken back.
const GOOD_FOR: Duration = Duration::from_secs(6 * 60 * 60);

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
    Shared(Secret),
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
    pub fn offer(&self, client: ClientId, at: UnixMillis) -> Vec<IceOffer> {
        let (plain, relays): (Vec<_>, Vec<_>) =
            self.urls.iter().cloned().partition(|url| url.starts_with("stun"));
        let credentials = match &self.relay {
            RelayAccess::Open => None,
            RelayAccess::Fixed(credentials) => Some(credentials.clone()),
            RelayAccess::Shared(secret) => {
                let expires = at.saturating_add(GOOD_FOR).0 / 1_000;
                relay_credentials(secret, &client.to_string(), expires, at).ok()
            }
        };
        [IceOffer { urls: plain, credentials: None }, IceOffer { urls: relays, credentials }]
            .into_iter()
            .filter(|offer| !offer.urls.is_empty())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn urls() -> Vec<String> {
        ["stun:a", "turn:b?transport=udp", "turns:c"].map(str::to_owned).into()
    }

    #[test]
    fn only_relays_get_credentials() {
        let client = ClientId::from_random(1);
        let shared = IceServers { urls: urls(), relay: RelayAccess::Shared(Secret::new("secret")) };
        let [plain, relays] = shared.offer(client, UnixMillis(1_000_000)).try_into().unwrap();
        assert_eq!((plain.urls, plain.credentials), (vec!["stun:a".to_owned()], None));
        assert_eq!(relays.urls, urls()[1..]);
        assert_eq!(relays.credentials.unwrap().username, format!("22600:{client}"));
        let fixed = RelayCredentials { username: "n".into(), password: Secret::new("p") };
        let all = IceServers { urls: urls(), relay: RelayAccess::Fixed(fixed.clone()) };
        assert_eq!(all.offer(client, UnixMillis(0))[1].credentials, Some(fixed));
        assert_eq!(IceServers::default().offer(client, UnixMillis(0)), []);
    }
}
