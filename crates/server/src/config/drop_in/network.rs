//! rtcd's addresses, ports, overrides and servers, as `[media]` says them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{
    Mapping,
    checks::{addresses, is_port, out_of_range, wrong},
    names::{Settings, does_nothing},
};
use crate::{
    config::{
        values::{MAX_SERVERS, Set, stun_server},
        written::{ConfigError, Origin, Written},
    },
    media::is_host_name,
};

const PORT: u16 = 8_443;

/// Adds all of `[media]`.
pub(super) fn map(settings: &Settings, mapping: &mut Mapping) -> Result<(), ConfigError> {
    listen(settings, mapping)?;
    if let Some(set) = settings.ice_host_override.as_ref().filter(|set| !set.value.is_empty()) {
        let mut told = host_override(set)?;
        if is_true(settings.enable_ipv6.as_ref()) {
            // The other family's addresses stay as they are.
            told.push("local".to_owned());
        }
        mapping.add("media.advertise", &set.origin, list(told));
    }
    if let Some(set) = settings.ice_host_port_override.as_ref()
        && let Some(port) = port_override(settings)?
    {
        mapping.add("media.advertise_port", &set.origin, port);
    }
    if let Some(set) = &settings.ice_servers {
        servers(settings, mapping, &set.origin)?;
    }
    idle(settings, mapping);
    Ok(())
}

/// Tells of what does nothing. A TURN secret that is empty says nothing, and without one nor does its time.
fn idle(settings: &Settings, mapping: &mut Mapping) {
    let secret = settings.turn_secret.as_ref().filter(|set| !set.value.is_empty());
    let minutes = settings.turn_expiration_minutes.as_ref().filter(|_| secret.is_some());
    let written = [
        (secret.map(|set| &set.origin), "rtc.turn.static_auth_secret"),
        (minutes.map(|set| &set.origin), "rtc.turn.credentials_expiration_minutes"),
        (settings.udp_sockets_count.as_ref().map(|set| &set.origin), "rtc.udp_sockets_count"),
        (settings.nack_buffer_size.as_ref().map(|set| &set.origin), "rtc.nack_buffer_size"),
        (settings.nack_disable_copy.as_ref().map(|set| &set.origin), "rtc.nack_disable_copy"),
    ];
    for (origin, key) in written {
        mapping.warnings.extend(origin.map(|origin| does_nothing(origin, key)));
    }
}

fn is_true(set: Option<&Set<bool>>) -> bool {
    set.is_some_and(|set| set.value)
}

fn list(texts: Vec<String>) -> Written {
    Written::List(texts.into_iter().map(Written::Text).collect())
}

/// Of several places, the one that ranks highest stands for all.
fn listen(settings: &Settings, mapping: &mut Mapping) -> Result<(), ConfigError> {
    let udp = addresses(settings.ice_address_udp.as_ref(), "rtc.ice_address_udp", "ICEAddressUDP")?;
    let tcp = addresses(settings.ice_address_tcp.as_ref(), "rtc.ice_address_tcp", "ICEAddressTCP")?;
    let ipv6 = is_true(settings.enable_ipv6.as_ref());
    let addresses = [settings.ice_address_udp.as_ref(), settings.ice_address_tcp.as_ref()];
    let addresses = || addresses.into_iter().flatten().map(|set| &set.origin);
    let common: Vec<&Origin> =
        addresses().chain(settings.enable_ipv6.as_ref().map(|set| &set.origin)).collect();
    let of = |own: &[IpAddr], other: &[IpAddr]| -> Result<Vec<IpAddr>, ConfigError> {
        let written = if own.is_empty() { other } else { own };
        let mut served: Vec<IpAddr> = Vec::new();
        for ip in written.iter().filter(|ip| ipv6 || ip.is_ipv4()) {
            if !served.contains(ip) {
                served.push(*ip);
            }
        }
        match (written.is_empty(), served.is_empty()) {
            (true, _) if ipv6 => Ok(vec![Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()]),
            (true, _) => Ok(vec![Ipv4Addr::UNSPECIFIED.into()]),
            (false, false) => Ok(served),
            (false, true) => {
                let problem =
                    "no valid address to listen on was found: all are IPv6, and rtc.enable_ipv6 is false";
                let place = addresses().next().unwrap_or(&Origin::RtcdDefault);
                Err(ConfigError::at(place, format!("rtc.ice_address_udp, rtc.ice_address_tcp: {problem}")))
            }
        }
    };
    let left_out = udp.iter().chain(&tcp).filter(|ip| !ipv6 && ip.is_ipv6());
    for ip in left_out {
        let place = addresses().next().unwrap_or(&Origin::RtcdDefault);
        mapping.warnings.push(format!("{place}: {ip} is not listened on, since rtc.enable_ipv6 is false"));
    }
    let rows = [
        ("media.listen_udp", &udp, &tcp, settings.ice_port_udp.as_ref()),
        ("media.listen_tcp", &tcp, &udp, settings.ice_port_tcp.as_ref()),
    ];
    for (key, own, other, port) in rows {
        let number = port.map_or(Some(PORT), |set| set.value.try_into().ok()).unwrap_or(PORT);
        let bound = of(own, other)?.into_iter().map(|ip| SocketAddr::new(ip, number).to_string()).collect();
        let places = common.iter().copied().chain(port.map(|set| &set.origin));
        mapping.add(key, super::highest(places), list(bound));
    }
    Ok(())
}

/// `203.0.113.5`, `calls.example.org` or `203.0.113.5/10.0.0.5,203.0.113.6/10.0.0.6`.
fn host_override(set: &Set<String>) -> Result<Vec<String>, ConfigError> {
    const KEY: &str = "rtc.ice_host_override";
    let text = set.value.trim();
    if text.contains('/') {
        let pair = |item: &str| {
            let ips = item.split_once('/').and_then(|(external, local)| {
                Some((external.trim().parse::<IpAddr>().ok()?, local.trim().parse::<IpAddr>().ok()?))
            });
            match ips {
                Some((external, local)) if external.is_ipv4() == local.is_ipv4() => {
                    Ok(format!("{external}/{local}"))
                }
                _ => {
                    let problem = format!(
                        "expected pairs of IP addresses of one family, external/local, separated by commas, found {item:?}"
                    );
                    Err(wrong(set, KEY, problem))
                }
            }
        };
        return text.split(',').map(|item| pair(item.trim())).collect();
    }
    if text.parse::<IpAddr>().is_ok() || is_host_name(text) {
        return Ok(vec![text.to_owned()]);
    }
    let problem = format!(
        "expected an IP address, a host name, or pairs external/local of IP addresses separated by commas, found {text:?}; \
         a port belongs in rtc.ice_host_port_override"
    );
    Err(wrong(set, KEY, problem))
}

/// A port, or `local/port,local/port`; `None` when nothing is written.
pub(super) fn port_override(settings: &Settings) -> Result<Option<Written>, ConfigError> {
    const KEY: &str = "rtc.ice_host_port_override";
    let Some(set) = settings.ice_host_port_override.as_ref().filter(|set| !set.value.0.is_empty()) else {
        return Ok(None);
    };
    let text = set.value.0.as_str();
    if let Ok(number) = text.parse::<i64>() {
        let good = is_port(number);
        let refused = || wrong(set, KEY, out_of_range("ICEHostPortOverride", number));
        return good.then_some(Some(Written::Number(number))).ok_or_else(refused);
    }
    let failed = |problem: String| {
        wrong(set, KEY, format!("invalid ICEHostPortOverride value: failed to parse mapping: {problem}"))
    };
    let (mut locals, mut ports, mut pairs) = (Vec::new(), Vec::new(), Vec::new());
    for item in text.split(',').map(str::trim) {
        let (local, number) = item
            .split_once('/')
            .filter(|(_, number)| !number.contains('/'))
            .ok_or_else(|| failed("invalid map pairing syntax".to_owned()))?;
        let port: i64 = number
            .parse()
            .map_err(|_| failed(format!("failed to parse port number: {number:?} is no number")))?;
        let local: IpAddr =
            local.parse().map_err(|_| failed(format!("{local:?} is not a valid IP address")))?;
        if locals.contains(&local) {
            return Err(failed(format!("duplicate mapping found for {local}")));
        }
        if ports.contains(&port) {
            return Err(failed(format!("duplicate port found for {port}")));
        }
        if !is_port(port) {
            return Err(wrong(set, KEY, out_of_range("ICEHostPortOverride", port)));
        }
        locals.push(local);
        ports.push(port);
        pairs.push(format!("{local}/{port}"));
    }
    Ok(Some(list(pairs)))
}

fn servers(settings: &Settings, mapping: &mut Mapping, origin: &Origin) -> Result<(), ConfigError> {
    const KEY: &str = "rtc.ice_servers";
    let all = settings.ice_servers.iter().flat_map(|set| &set.value.0);
    let (stun, turn): (Vec<_>, Vec<_>) = all.partition(|server| server.is_stun());
    let read = |url: &String| {
        let (_, rest) = url.split_once(':').unwrap_or(("", url));
        let address = rest.split('?').next().unwrap_or(rest);
        let problem = || format!("invalid ICEServers value: {url} names no host and port");
        stun_server(address).ok_or_else(|| super::checks::at(origin, KEY, problem()))
    };
    let urls = stun.iter().flat_map(|server| &server.urls);
    let mut found = urls.map(read).collect::<Result<Vec<_>, _>>()?;
    if found.len() > MAX_SERVERS {
        found.truncate(MAX_SERVERS);
        mapping
            .warnings
            .push(format!("{origin}: {KEY}: only the first {MAX_SERVERS} STUN servers are asked"));
    }
    if !found.is_empty() {
        mapping.add("media.stun", origin, list(found));
    }
    let (count, own) = (turn.len(), turn.iter().filter(|server| server.has_credentials).count());
    if count > 0 {
        mapping.warnings.push(format!(
            "{origin}: {KEY}: {count} TURN entries ({own} with credentials) are checked and not used: this server itself uses no \
             relay; what Mattermost gives its users goes on working"
        ));
    }
    Ok(())
}
