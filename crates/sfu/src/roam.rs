//! A participant whose address changed without ICE having noticed.
//!
//! When a NAT forgets a port, checks and media come from a new one. Browsers that nominate once (Firefox) never nominate the new path,
//! while their consent checks keep it alive, so that str0m would send to the old one for good. What it sends there goes to the proven path.

use std::time::{Duration, Instant};

use crate::path::Path;

/// How long nothing has come by the path that we send to, when another is used in its place. Consent is checked every 5 s (RFC 7675 §5.1).
const SILENT_AFTER: Duration = Duration::from_secs(6);
/// Paths that are watched; the one unused for longest is forgotten.
const MAX_WATCHED: usize = 4;

/// When what came by which path.
#[derive(Debug, Default)]
pub(crate) struct Roaming {
    watched: Vec<(Path, Instant)>,
    /// What str0m sends to.
    nominated: Option<Path>,
    /// What is used in its place.
    instead: Option<Path>,
}

impl Roaming {
    /// Takes note of a packet of the participant's; `check`: one that proves the path.
    pub(crate) fn heard(&mut self, now: Instant, path: Path, check: bool) {
        match self.watched.iter_mut().find(|(had, _)| *had == path) {
            Some((_, at)) => *at = now,
            None => {
                if self.watched.len() >= MAX_WATCHED {
                    let nominated = self.nominated;
                    self.watched.sort_by_key(|(path, at)| (Some(*path) != nominated, std::cmp::Reverse(*at)));
                    self.watched.pop();
                }
                self.watched.push((path, now));
            }
        }
        let Some(nominated) = self.nominated else { return };
        if path == nominated {
            self.instead = None;
        } else if check && self.is_silent(now, nominated) {
            self.instead = Some(path);
        }
    }

    /// Where a packet goes that str0m sends to `path`.
    pub(crate) fn towards(&mut self, path: Path) -> Path {
        if self.nominated != Some(path) {
            self.nominated = Some(path);
            self.instead = None;
        }
        self.instead.unwrap_or(path)
    }

    fn is_silent(&self, now: Instant, path: Path) -> bool {
        let heard = self.watched.iter().find(|(had, _)| *had == path);
        heard.is_none_or(|(_, at)| now.saturating_duration_since(*at) > SILENT_AFTER)
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;
    use crate::shard::Transport;

    #[test]
    fn media_follows_a_participant_whose_nat_forgot_it() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let (old, new) = (path(1), path(2));
        let mut roaming = Roaming::default();
        roaming.heard(at(0), old, true);
        assert_eq!(roaming.towards(old), old);
        // Both paths live: the nominated one is used.
        roaming.heard(at(4), new, true);
        assert_eq!(roaming.towards(old), old);
        // Without proof nothing moves, however long the old one is silent.
        roaming.heard(at(9), new, false);
        assert_eq!(roaming.towards(old), old);
        roaming.heard(at(10), new, true);
        assert_eq!(roaming.towards(old), new);
        roaming.heard(at(11), old, false);
        assert_eq!(roaming.towards(old), old);
        // A new nomination counts.
        assert_eq!(roaming.towards(new), new);
    }

    #[test]
    fn the_path_that_is_sent_to_is_not_forgotten_for_others() {
        let start = Instant::now();
        let mut roaming = Roaming::default();
        assert_eq!(roaming.towards(path(0)), path(0));
        roaming.heard(start, path(0), true);
        for (port, second) in (1..=5).zip(1..) {
            roaming.heard(start + Duration::from_secs(second), path(port), true);
        }
        assert_eq!(roaming.towards(path(0)), path(0));
    }

    #[test]
    fn watched_paths_are_bounded() {
        let now = Instant::now();
        let mut roaming = Roaming::default();
        (0..1_000).for_each(|port| roaming.heard(now, path(port), true));
        assert_eq!(roaming.watched.len(), MAX_WATCHED);
    }

    fn path(port: u16) -> Path {
        Path {
            transport: Transport::Udp,
            source: SocketAddr::from(([192, 0, 2, 1], port)),
            destination: SocketAddr::from(([198, 51, 100, 1], 8443)),
        }
    }
}
