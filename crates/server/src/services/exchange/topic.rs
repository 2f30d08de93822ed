//! Which event channels are a channel's own.

use std::sync::Arc;

use identity::ChannelId;

/// Returns the canonical name of an event channel that is the channel's own: its ID, or the ID with a dot and a suffix. The ID may be
/// written in either case; whoever hears one spelling hears the other.
pub(super) fn own(channel: ChannelId, name: &str) -> Option<Arc<str>> {
    let (id, suffix) = match name.split_once('.') {
        None => (name, None),
        Some((id, suffix)) => (id, Some(suffix)),
    };
    if id.to_ascii_lowercase().parse::<ChannelId>().ok()? != channel {
        return None;
    }
    match suffix {
        None => Some(channel.to_string().into()),
        Some(suffix) if suffix.is_empty() || suffix.contains(char::is_control) => None,
        Some(suffix) => Some(format!("{channel}.{suffix}").into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_channels_own_id_and_its_parts_are_its_own() {
        let channel = ChannelId::from_random(0xab << 96);
        let own = |name: &str| own(channel, name).map(|name| name.to_string());
        let id = channel.to_string();
        let other = ChannelId::from_random(0xac << 96).to_string();
        let rows = [
            (id.clone(), Some(id.clone())),
            (id.to_uppercase(), Some(id.clone())),
            (format!("{id}.x"), Some(format!("{id}.x"))),
            (format!("{}.X.y", id.to_uppercase()), Some(format!("{id}.X.y"))),
            (format!("{id}x"), None),
            (format!("{id}."), None),
            (format!("{id}.\n"), None),
            (format!(" {id}"), None),
            (other.clone(), None),
            (format!("{other}.{id}"), None),
            (format!("x.{id}"), None),
            ("*".to_owned(), None),
            (String::new(), None),
            (".".to_owned(), None),
        ];
        for (name, expected) in rows {
            assert_eq!(own(&name), expected, "{name:?}");
        }
    }
}
