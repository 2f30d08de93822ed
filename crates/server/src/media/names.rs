//! Advertised names: what they stand for at the start, and what clients are told when that changes.
//!
//! Inside, a candidate stays what it was at the start for as long as the server runs, since running sessions know it by that. When a name
//! stands for another address later, the descriptions that go out say so.

use std::collections::BTreeMap;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;

use super::advertise::{Advertise, External, Host};

/// From the start of a look-up until all names must have been found.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// How often names are looked up again.
const EVERY: Duration = Duration::from_secs(30);

/// The addresses of names; a name without any is left out.
type Found = BTreeMap<String, Vec<IpAddr>>;

/// One name and one family, as it was at the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    name: String,
    ip: IpAddr,
}

/// A name of the configuration that stands for nothing we could use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NoSuchName(pub String);

/// Returns what is advertised, with the names' addresses, and the names. Of a name the first address of each family that is `served` counts.
pub(super) fn settle(
    advertise: &[Advertise],
    served: impl Fn(IpAddr) -> bool,
    look_up: impl FnOnce(&[String]) -> Found,
) -> Result<(Vec<External>, Vec<Named>), NoSuchName> {
    let names = names(advertise);
    let found = if names.is_empty() { Found::new() } else { look_up(&names) };
    let (mut externals, mut named) = (Vec::new(), Vec::<Named>::new());
    for Advertise { host, port, local } in advertise {
        let name = match host {
            Host::Ip(ip) => {
                externals.push(External { ip: *ip, port: *port, local: *local });
                continue;
            }
            Host::Local => continue,
            Host::Name(name) => name,
        };
        let fits = |ip: &IpAddr| served(*ip) && local.is_none_or(|local| local.is_ipv4() == ip.is_ipv4());
        let ips: Vec<IpAddr> = found.get(name).into_iter().flatten().copied().filter(fits).collect();
        let firsts = [true, false].map(|ipv4| ips.iter().copied().find(|ip| ip.is_ipv4() == ipv4));
        if ips.is_empty() {
            return Err(NoSuchName(name.clone()));
        }
        for ip in firsts.into_iter().flatten() {
            externals.push(External { ip, port: *port, local: *local });
            named.push(Named { name: name.clone(), ip });
        }
    }
    Ok((externals, named))
}

fn names(advertise: &[Advertise]) -> Vec<String> {
    let mut names: Vec<String> = advertise
        .iter()
        .filter_map(|advertise| match &advertise.host {
            Host::Name(name) => Some(name.clone()),
            Host::Ip(_) | Host::Local => None,
        })
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Asks the system, which cannot be given a time: each name has a thread of its own, and those that are late are not waited for.
pub(super) fn look_up(names: &[String], within: Duration) -> Found {
    let (tell, told) = channel();
    for name in names {
        let (tell, name) = (tell.clone(), name.clone());
        let thread = std::thread::Builder::new().name("media-name".into()).spawn(move || {
            let addresses = (name.as_str(), 0).to_socket_addrs().into_iter().flatten();
            let ips: Vec<IpAddr> = addresses.map(|address| address.ip()).collect();
            // Nobody listens any more once the time is over.
            _ = tell.send((name, ips));
        });
        if let Err(error) = thread {
            tracing::warn!(%error, "a thread to look up a name");
        }
    }
    drop(tell);
    let until = Instant::now() + within;
    let mut found = Found::new();
    while let Ok((name, ips)) = told.recv_timeout(until.saturating_duration_since(Instant::now())) {
        if !ips.is_empty() {
            found.insert(name, ips);
        }
    }
    found
}

/// What clients are told instead of the addresses that names had at the start. Empty until one has changed.
#[derive(Debug, Clone, Default)]
pub(super) struct Told(Arc<ArcSwap<BTreeMap<IpAddr, IpAddr>>>);

impl Told {
    /// Writes the addresses of today into the candidates of a description of ours.
    pub(super) fn apply(&self, sdp: &mut String) {
        let changed = self.0.load();
        if !changed.is_empty() {
            *sdp = sdp.split_inclusive('\n').map(|line| retold(line, &changed)).collect();
        }
    }

    /// Takes what a look-up has found. A name keeps its address as long as that is among those found, and when nothing was found. Of several
    /// names that stood for one address at the start the last counts.
    fn learn(&self, named: &[Named], found: &Found) {
        let before = self.0.load_full();
        let mut changed = BTreeMap::new();
        for Named { name, ip } in named {
            let now = before.get(ip).copied().unwrap_or(*ip);
            let family = found.get(name).into_iter().flatten().filter(|new| new.is_ipv4() == ip.is_ipv4());
            let next = match family.clone().find(|new| **new == now).or_else(|| family.clone().next()) {
                Some(next) => *next,
                None => {
                    tracing::warn!(name, address = %now, "an advertised name is not found: clients are told its last address");
                    now
                }
            };
            if next != now {
                tracing::info!(name, %next, "an advertised name has another address, which new sessions are told");
            }
            if next != *ip {
                changed.insert(*ip, next);
            }
        }
        self.0.store(Arc::new(changed));
    }

    /// Looks the names up again and again, until `over`; to be woken by unparking. The thread is not waited for, since a look-up may take long.
    pub(super) fn watch(
        &self,
        named: Vec<Named>,
        over: Arc<AtomicBool>,
    ) -> std::io::Result<Option<std::thread::Thread>> {
        if named.is_empty() {
            return Ok(None);
        }
        let told = self.clone();
        let names: Vec<String> = named.iter().map(|named| named.name.clone()).collect();
        let run = move || {
            let mut next = Instant::now() + EVERY;
            while !over.load(Ordering::Relaxed) {
                std::thread::park_timeout(next.saturating_duration_since(Instant::now()));
                if Instant::now() >= next {
                    told.learn(&named, &look_up(&names, PATIENCE));
                    next = Instant::now() + EVERY;
                }
            }
        };
        let thread = std::thread::Builder::new().name("media-names".into()).spawn(run)?;
        Ok(Some(thread.thread().clone()))
    }
}

/// `a=candidate:1 1 udp 2130706175 203.0.113.5 8443 typ host`: the fifth field is the address.
fn retold(line: &str, changed: &BTreeMap<IpAddr, IpAddr>) -> String {
    let fields = || line.split(' ');
    let old = fields().nth(4).filter(|_| line.starts_with("a=candidate:"));
    match old.and_then(|old| old.parse().ok()).and_then(|old: IpAddr| changed.get(&old)) {
        None => line.to_owned(),
        Some(new) => {
            let new = new.to_string();
            let fields: Vec<&str> =
                fields().enumerate().map(|(at, field)| if at == 4 { &new } else { field }).collect();
            fields.join(" ")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn found(names: &[(&str, &[&str])]) -> Found {
        names
            .iter()
            .map(|(name, ips)| ((*name).to_owned(), ips.iter().map(|text| ip(text)).collect()))
            .collect()
    }

    #[test]
    fn a_name_stands_for_one_address_of_each_family_that_is_served() {
        let advertise: Vec<Advertise> =
            ["calls:443", "8.8.8.8", "local"].iter().map(|text| Advertise::parse(text).unwrap()).collect();
        let both = found(&[("calls", &["2001:db8::1", "203.0.113.5", "203.0.113.6"])]);
        let told = |served: fn(IpAddr) -> bool, found: &Found| {
            let (externals, named) = settle(&advertise, served, |names| {
                assert_eq!(names, ["calls"]);
                found.clone()
            })?;
            let shown = externals.iter().map(|one| format!("{} {:?}", one.ip, one.port)).collect::<Vec<_>>();
            Ok::<_, NoSuchName>((shown, named.len()))
        };
        assert_eq!(
            told(|_| true, &both),
            Ok((
                vec!["203.0.113.5 Some(443)".into(), "2001:db8::1 Some(443)".into(), "8.8.8.8 None".into()],
                2
            ))
        );
        assert_eq!(
            told(|ip| ip.is_ipv4(), &both),
            Ok((vec!["203.0.113.5 Some(443)".into(), "8.8.8.8 None".into()], 1))
        );
        assert_eq!(told(|_| true, &Found::new()), Err(NoSuchName("calls".into())));
        assert_eq!(
            told(|ip| ip.is_ipv4(), &found(&[("calls", &["2001:db8::1"])])),
            Err(NoSuchName("calls".into()))
        );
        let none = settle(&[Advertise::from(ip("8.8.8.8"))], |_| true, |_| panic!("there is no name"));
        assert!(none.is_ok());
    }

    #[test]
    fn descriptions_name_the_address_that_a_name_has_now() {
        let (told, named) = (Told::default(), [Named { name: "calls".into(), ip: ip("203.0.113.5") }]);
        let written = "v=0\r\nc=IN IP4 203.0.113.5\r\n\
                       a=candidate:7 1 udp 21 203.0.113.5 8443 typ host\r\n\
                       a=candidate:8 1 tcp 20 203.0.113.5 8443 typ host tcptype passive\r\n\
                       a=candidate:9 1 udp 19 10.0.0.5 8443 typ host\r\n";
        let says = |address: &str| {
            let mut sdp = written.to_owned();
            told.apply(&mut sdp);
            let expected = written.replace(" 203.0.113.5 8443", &format!(" {address} 8443"));
            assert_eq!(sdp, expected, "{address}");
        };
        says("203.0.113.5");
        told.learn(&named, &found(&[("calls", &["203.0.113.9", "203.0.113.5"])]));
        says("203.0.113.5");
        told.learn(&named, &found(&[("calls", &["2001:db8::1", "203.0.113.9"])]));
        says("203.0.113.9");
        // A look-up that fails changes nothing.
        told.learn(&named, &Found::new());
        says("203.0.113.9");
        told.learn(&named, &found(&[("calls", &["203.0.113.5"])]));
        says("203.0.113.5");
    }

    #[test]
    fn the_system_knows_this_machine_and_the_watch_ends() {
        let found = look_up(&["localhost".into(), "nobody.invalid".into()], Duration::from_secs(1));
        assert!(found["localhost"].iter().all(IpAddr::is_loopback));
        assert!(!found.contains_key("nobody.invalid"));
        let over = Arc::<AtomicBool>::default();
        let told = Told::default();
        assert!(told.watch(Vec::new(), over.clone()).unwrap().is_none());
        let named = vec![Named { name: "localhost".into(), ip: ip("127.0.0.1") }];
        let thread = told.watch(named, over.clone()).unwrap().unwrap();
        over.store(true, Ordering::Relaxed);
        thread.unpark();
        let until = Instant::now() + Duration::from_secs(5);
        while Arc::strong_count(&over) > 1 {
            assert!(Instant::now() < until, "the thread goes on");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}
