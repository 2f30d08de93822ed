//! What we must know of a description before str0m sees it, and what we change in it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use str0m::IceCreds;
use str0m::media::Mid;

use crate::command::SignalRefusal;

/// Bytes of one description; 100 participants with two tracks each need about 300 kB.
pub(crate) const MAX_SDP: usize = 512 * 1024;
/// The longest line lists the streams (`a=msid-semantic`) or the m-lines (`a=group:BUNDLE`) of a full room.
const MAX_LINE: usize = 16 * 1024;
/// M-lines of one description: a data channel, what the participant sends on or has sent on, and what we have opened.
pub(crate) const MAX_SECTIONS: usize = 288;
/// Lines of one description. A browser in a full room writes about 15,000.
const MAX_LINES: usize = 32_768;
/// Payload types of one m-line.
const MAX_FORMATS: usize = 64;
/// Lines of one m-line, and those of them of one kind: what is made of many of them grows with their square. Chromium writes at most 125,
/// with three layers and all its codecs.
const MAX_LINES_OF_SECTION: usize = 512;
const MAX_OF_KIND: [(&str, usize); 5] =
    [("a=rid:", 8), ("a=ssrc", 64), ("a=extmap:", 32), ("a=rtpmap:", MAX_FORMATS), ("a=fmtp:", MAX_FORMATS)];
/// Characters of the two parts of ICE credentials (RFC 8839 §5.4).
const UFRAG: RangeInclusive<usize> = 4..=256;
const PASSWORD: RangeInclusive<usize> = 22..=256;

/// The header extension whose numbers a receiver reports (draft-holmer-rmcat-transport-wide-cc-extensions-01).
const TRANSPORT_WIDE_NUMBER: &str = "draft-holmer-rmcat-transport-wide-cc-extensions-01";

/// The parts of a description that decide whether it is let in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outline {
    /// The one certificate that every `a=fingerprint` names (RFC 8122), SHA-256.
    pub fingerprint: [u8; 32],
    pub sections: Vec<Section>,
}

impl Outline {
    pub(crate) fn mids(&self) -> impl Iterator<Item = &str> {
        self.sections.iter().map(|section| section.mid.as_str())
    }
}

/// The m-lines of a description of ours, in order.
pub(crate) fn mids(sdp: &str) -> impl Iterator<Item = &str> {
    sdp.lines().filter_map(|line| line.strip_prefix("a=mid:"))
}

/// One m-line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Section {
    pub mid: String,
    pub kind: Kind,
    /// Whether the author of the description wants to send on it.
    pub sends: bool,
    /// Whether what it would send there is of a stream (RFC 8830): otherwise nobody can say what it is.
    pub streamed: bool,
}

/// What the author of a description says of an m-line on which it means to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stream {
    /// The first token of its msid (RFC 8830); empty where there is none.
    pub id: String,
    /// Whether it is sound; otherwise it is a picture.
    pub is_audio: bool,
}

/// Reads mid → stream of every m-line on which the author of a description means to send. Of several msids the first counts, and those of
/// the m-line before those of its SSRCs.
///
/// # Errors
/// Where [`Command::Offer`](crate::Command::Offer) with the same description would be refused: too large, no or several different
/// fingerprints, m-lines without or with equal mids.
pub fn streams(sdp: &str) -> Result<BTreeMap<String, Stream>, SignalRefusal> {
    let outline = outline(sdp)?;
    let texts = split_sections(sdp).into_iter().filter(|section| section.starts_with("m="));
    let sending = outline.sections.into_iter().zip(texts).filter(|(section, _)| section.sends);
    Ok(sending
        .map(|(section, text)| {
            let stream = Stream { id: stream_id(text), is_audio: section.kind == Kind::Audio };
            (section.mid, stream)
        })
        .collect())
}

fn stream_id(section: &str) -> String {
    let of = |is: fn(&str) -> bool| section.lines().filter(move |line| is(line)).find_map(msid_of);
    let msid = of(|line| line.starts_with("a=msid:")).or_else(|| of(|line| line.starts_with("a=ssrc:")));
    msid.and_then(stream_in).unwrap_or_default().to_owned()
}

/// The stream that a line of an m-line names.
fn stream_of(line: &str) -> Option<&str> {
    msid_of(line).and_then(stream_in)
}

fn msid_of(line: &str) -> Option<&str> {
    let of_ssrc = || Some(line.strip_prefix("a=ssrc:")?.split_once(" msid:")?.1);
    line.strip_prefix("a=msid:").or_else(of_ssrc)
}

fn stream_in(msid: &str) -> Option<&str> {
    // "-": of no stream (RFC 8830 §2).
    msid.split_whitespace().next().filter(|id| *id != "-")
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Audio,
    Video,
    Application,
}

/// Reads the outline of a description.
///
/// # Errors
/// Too large or too long, no or several different fingerprints, a hash other than SHA-256, m-lines without or with equal mids, ICE
/// credentials of a length that there is not.
pub(crate) fn outline(sdp: &str) -> Result<Outline, SignalRefusal> {
    if sdp.len() > MAX_SDP {
        return Err(SignalRefusal::TooLarge);
    }
    // A lone CR is a line end to some parsers: a second fingerprint could hide behind it.
    if sdp.contains('\0') || sdp.split('\r').skip(1).any(|after| !after.starts_with('\n')) {
        return Err(SignalRefusal::BadSdp);
    }
    let mut fingerprint = None;
    let mut sections: Vec<Section> = Vec::new();
    let mut lines = Lines::default();
    for line in sdp.lines() {
        lines.count(line)?;
        if let Some(media) = line.strip_prefix("m=") {
            if sections.len() >= MAX_SECTIONS || media.split(' ').count() > MAX_FORMATS {
                return Err(SignalRefusal::TooLarge);
            }
            let (kind, sends) = (kind(media)?, sends_by_default(media));
            sections.push(Section { mid: String::new(), kind, sends, streamed: false });
        } else if let Some(value) = line.strip_prefix("a=fingerprint:") {
            let named = parse_fingerprint(value).ok_or(SignalRefusal::Fingerprint)?;
            if fingerprint.is_some_and(|before| before != named) {
                return Err(SignalRefusal::Fingerprint);
            }
            fingerprint = Some(named);
        } else if has_bad_credential(line) {
            return Err(SignalRefusal::BadSdp);
        } else if let Some(section) = sections.last_mut() {
            read_attribute(line, section);
        }
    }
    check_mids(&sections)?;
    Ok(Outline { fingerprint: fingerprint.ok_or(SignalRefusal::Fingerprint)?, sections })
}

/// Counts lines, and refuses more than anybody needs.
#[derive(Default)]
struct Lines {
    all: usize,
    of_section: usize,
    of_kind: [usize; MAX_OF_KIND.len()],
}

impl Lines {
    fn count(&mut self, line: &str) -> Result<(), SignalRefusal> {
        if line.starts_with("m=") {
            *self = Self { all: self.all, ..Self::default() };
        }
        // They are left out before anything is made of them.
        let is_read = usize::from(!line.starts_with("a=candidate:"));
        self.all += is_read;
        self.of_section += is_read;
        let mut fits =
            line.len() <= MAX_LINE && self.all <= MAX_LINES && self.of_section <= MAX_LINES_OF_SECTION;
        for (count, (prefix, most)) in self.of_kind.iter_mut().zip(MAX_OF_KIND) {
            *count += usize::from(line.starts_with(prefix));
            fits &= *count <= most;
        }
        if fits { Ok(()) } else { Err(SignalRefusal::TooLarge) }
    }
}

fn has_bad_credential(line: &str) -> bool {
    let is_out_of = |range: RangeInclusive<usize>, text: &str| !range.contains(&text.trim_end().len());
    match line.split_once(':') {
        Some(("a=ice-ufrag", ufrag)) => is_out_of(UFRAG, ufrag),
        Some(("a=ice-pwd", password)) => is_out_of(PASSWORD, password),
        _ => false,
    }
}

fn kind(media: &str) -> Result<Kind, SignalRefusal> {
    match media.split(' ').next() {
        Some("audio") => Ok(Kind::Audio),
        Some("video") => Ok(Kind::Video),
        Some("application") => Ok(Kind::Application),
        _ => Err(SignalRefusal::BadSdp),
    }
}

fn sends_by_default(media: &str) -> bool {
    // RFC 8866 §6.7: sendrecv unless said otherwise. A data channel has no direction.
    !media.starts_with("application")
}

fn read_attribute(line: &str, section: &mut Section) {
    match line {
        "a=sendrecv" | "a=sendonly" => section.sends = section.kind != Kind::Application,
        "a=recvonly" | "a=inactive" => section.sends = false,
        _ => {
            if let Some(mid) = line.strip_prefix("a=mid:") {
                mid.trim_end().clone_into(&mut section.mid);
            }
            section.streamed |= stream_of(line).is_some();
        }
    }
}

fn check_mids(sections: &[Section]) -> Result<(), SignalRefusal> {
    let mut mids: Vec<&str> = sections.iter().map(|section| section.mid.as_str()).collect();
    mids.sort_unstable();
    // str0m cuts a mid to 16 characters; two that differ later would fall together.
    let unusable = mids.iter().any(|mid| mid.is_empty() || mid.len() > 16)
        || mids.windows(2).any(|pair| pair.first() == pair.last());
    if unusable { Err(SignalRefusal::BadSdp) } else { Ok(()) }
}

fn parse_fingerprint(value: &str) -> Option<[u8; 32]> {
    let (hash, digits) = value.trim_end().split_once(' ')?;
    if !hash.eq_ignore_ascii_case("sha-256") || digits.len() != 95 {
        return None;
    }
    let mut bytes = [0; 32];
    let mut pairs = digits.split(':');
    for byte in &mut bytes {
        let pair = pairs
            .next()
            .filter(|pair| pair.len() == 2 && pair.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
        *byte = u8::from_str_radix(pair, 16).ok()?;
    }
    pairs.next().is_none().then_some(bytes)
}

/// Leaves the candidates out of a remote description. An ICE-lite agent is found by the other side's checks; str0m would keep every one,
/// and pair it.
pub(crate) fn without_candidates(sdp: &str) -> String {
    lines_of(sdp, |line| !line.starts_with("a=candidate:"))
}

/// The same, and leaves the transport-wide number out of sound, so that arrivals of sound are reported by neither side.
pub(crate) fn without_reports_of_sound(sdp: &str) -> String {
    let mut sound = false;
    lines_of(sdp, |line| {
        if line.starts_with("m=") {
            sound = line.starts_with("m=audio");
        }
        let reports = sound && line.starts_with("a=extmap:") && line.contains(TRANSPORT_WIDE_NUMBER);
        !(reports || line.starts_with("a=candidate:"))
    })
}

fn lines_of(sdp: &str, mut kept: impl FnMut(&str) -> bool) -> String {
    let mut text = String::with_capacity(sdp.len());
    sdp.split_inclusive('\n').filter(|line| kept(line)).for_each(|line| text.push_str(line));
    text
}

/// Leaves the user fragment out of the candidates of a description of ours. After an ICE restart it would be the one that str0m chose and
/// that ours has replaced, and receivers throw candidates of another fragment away.
pub(crate) fn without_candidate_ufrag(sdp: &str) -> String {
    let mut text = String::with_capacity(sdp.len());
    for line in sdp.split_inclusive('\n') {
        let candidate = Some(line).filter(|line| line.starts_with("a=candidate:"));
        let Some((before, after)) = candidate.and_then(|line| line.split_once(" ufrag ")) else {
            text.push_str(line);
            continue;
        };
        text.push_str(before);
        let end = after.find(|next: char| next.is_whitespace()).unwrap_or(after.len());
        text.push_str(after.get(end..).unwrap_or_default());
    }
    text
}

/// Puts our ICE credentials in the place of those of a description of ours.
pub(crate) fn with_credentials(sdp: &str, creds: &IceCreds) -> String {
    let mut text = String::with_capacity(sdp.len());
    for line in sdp.lines() {
        match line.split_once(':') {
            Some(("a=ice-ufrag", _)) => text.extend(["a=ice-ufrag:", &creds.ufrag]),
            Some(("a=ice-pwd", _)) => text.extend(["a=ice-pwd:", &creds.pass]),
            _ => text.push_str(line),
        }
        text.push_str("\r\n");
    }
    text
}

/// Rewrites a remote description so that we promise to send only where `we_send(mid)`.
///
/// str0m answers `sendrecv` with `sendrecv` and a stream of its own, which the remote takes for a track.
pub(crate) fn keep_only_our_sending(sdp: &str, we_send: impl Fn(&str) -> bool) -> String {
    let mut text = String::with_capacity(sdp.len());
    for section in split_sections(sdp) {
        let mid = section.lines().find_map(|line| line.strip_prefix("a=mid:")).map(str::trim_end);
        let quiet = section.starts_with("m=") && !mid.is_some_and(&we_send);
        let mut has_direction = false;
        for line in section.lines() {
            has_direction |= is_direction(line);
            text.push_str(match line {
                "a=sendrecv" if quiet => "a=sendonly",
                "a=recvonly" if quiet => "a=inactive",
                other => other,
            });
            text.push_str("\r\n");
        }
        let is_media = section.starts_with("m=audio") || section.starts_with("m=video");
        if quiet && is_media && !has_direction {
            text.push_str("a=sendonly\r\n");
        }
    }
    text
}

/// Lists the payload types of pictures in the order in which the offer that is answered lists them.
pub(crate) fn in_order_of(offer: &str, answer: &str) -> String {
    let formats = |section: &str| -> Option<Vec<String>> {
        let line = section.lines().next()?.strip_prefix("m=video ")?;
        let formats: Vec<String> = line.split(' ').skip(2).map(str::to_owned).collect();
        Some(formats).filter(|formats| !formats.is_empty())
    };
    let offered = split_sections(offer);
    let mut text = String::with_capacity(answer.len());
    for (index, section) in split_sections(answer).into_iter().enumerate() {
        let order = offered.get(index).copied().and_then(formats);
        let Some((order, mut answered)) = order.zip(formats(section)) else {
            text.push_str(section);
            continue;
        };
        answered.sort_by_key(|pt| order.iter().position(|offered| offered == pt).unwrap_or(usize::MAX));
        let (line, rest) = section.split_once("\r\n").unwrap_or((section, ""));
        text.extend(line.splitn(4, ' ').take(3).map(|part| format!("{part} ")));
        text.push_str(&answered.join(" "));
        text.push_str("\r\n");
        text.push_str(rest);
    }
    text
}

/// Returns the SSRCs of some m-lines of a description of ours.
pub(crate) fn ssrcs(sdp: &str, of: impl Fn(&str) -> bool) -> BTreeSet<u32> {
    let sections = split_sections(sdp).into_iter().filter(|section| mids(section).any(&of));
    let lines = sections.flat_map(|section| section.lines().filter_map(|line| line.strip_prefix("a=ssrc:")));
    lines.filter_map(|line| line.split(' ').next()?.parse().ok()).collect()
}

/// Moves m-lines of a description of ours into the places of stopped ones, which it then has no more (RFC 8829 §5.2.2): old and new mids.
pub(crate) fn in_place_of(sdp: &str, replaced: &[(Mid, Mid)]) -> String {
    if replaced.is_empty() {
        return sdp.to_owned();
    }
    let mid_of = |section: &str| mids(section).next().map_or_else(|| Mid::from(""), Mid::from);
    let sections: Vec<(Mid, &str)> =
        split_sections(sdp).into_iter().map(|section| (mid_of(section), section)).collect();
    let find = |mid: Mid| sections.iter().find(|(had, _)| *had == mid).copied();
    let placed = sections.iter().copied().filter_map(|(mid, section)| {
        let moved = replaced.iter().any(|(_, new)| *new == mid);
        match replaced.iter().find(|(old, _)| *old == mid) {
            Some((_, new)) => find(*new),
            None => (!moved).then_some((mid, section)),
        }
    });
    let placed: Vec<(Mid, &str)> = placed.collect();
    let mut text = String::with_capacity(sdp.len());
    let (session, media) = placed.split_at(placed.len().min(1));
    for line in session.iter().flat_map(|(_, session)| session.split_inclusive('\n')) {
        match line.strip_prefix("a=group:BUNDLE ") {
            Some(bundled) => text.push_str(&in_order(bundled, media)),
            None => text.push_str(line),
        }
    }
    text.extend(media.iter().map(|(_, section)| *section));
    text
}

/// The group of all m-lines that are in it, in their order, as some read it.
fn in_order(bundled: &str, sections: &[(Mid, &str)]) -> String {
    let bundled: BTreeSet<Mid> = bundled.split_whitespace().map(Mid::from).collect();
    let mids = sections.iter().map(|(mid, _)| mid).filter(|mid| bundled.contains(*mid));
    mids.fold("a=group:BUNDLE".to_owned(), |line, mid| line + " " + mid) + "\r\n"
}

fn is_direction(line: &str) -> bool {
    matches!(line, "a=sendrecv" | "a=sendonly" | "a=recvonly" | "a=inactive")
}

pub(crate) fn split_sections(sdp: &str) -> Vec<&str> {
    let mut starts: Vec<usize> =
        std::iter::once(0).chain(sdp.match_indices("\nm=").map(|(at, _)| at + 1)).collect();
    starts.push(sdp.len());
    starts.windows(2).filter_map(|pair| sdp.get(*pair.first()?..*pair.last()?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const AA: &str =
        "AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA";

    #[test]
    fn an_outline_names_certificate_and_m_lines() {
        let sdp = format!(
            "v=0\r\na=fingerprint:sha-256 {AA}\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=sendonly\r\n\
             a=fingerprint:SHA-256 {}\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=recvonly\r\na=mid:1\r\n\
             m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:2\r\n",
            AA.to_lowercase()
        );
        let outline = outline(&sdp).unwrap();
        assert_eq!(outline.fingerprint, [0xAA; 32]);
        let sections: Vec<_> = outline.sections.iter().map(|s| (s.mid.as_str(), s.kind, s.sends)).collect();
        assert_eq!(
            sections,
            [("0", Kind::Audio, true), ("1", Kind::Video, false), ("2", Kind::Application, false)]
        );
    }

    #[test]
    fn new_m_lines_stand_in_the_places_of_stopped_ones() {
        let sdp = |group: &str, mids: &[(u16, &str)]| {
            let section = |(port, mid): &(u16, &str)| format!("m=audio {port} X 111\r\na=mid:{mid}\r\n");
            let sections: String = mids.iter().map(section).collect();
            format!("v=0\r\na=group:BUNDLE {group}\r\na=ice-lite\r\n{sections}")
        };
        let whole = sdp("a c x y z", &[(9, "a"), (0, "b"), (9, "c"), (0, "d"), (9, "x"), (9, "y"), (9, "z")]);
        let mid = |mid: &str| Mid::from(mid);
        assert_eq!(in_place_of(&whole, &[]), whole);
        assert_eq!(
            in_place_of(&whole, &[(mid("d"), mid("x")), (mid("b"), mid("y"))]),
            sdp("a y c x z", &[(9, "a"), (9, "y"), (9, "c"), (9, "x"), (9, "z")])
        );
    }

    #[test]
    fn streams_are_named_by_the_first_msid_of_what_is_sent() {
        let audio = "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n";
        let video = "m=video 9 UDP/TLS/RTP/SAVPF 96\r\n";
        let sdp = format!(
            "a=fingerprint:sha-256 {AA}\r\na=msid:session level\r\n\
             {audio}a=mid:0\r\na=ssrc:1 msid:late x\r\na=msid:first x\r\na=msid:second x\r\n\
             {video}a=mid:1\r\na=sendonly\r\na=ssrc:1 cname:c\r\na=ssrc:1 msid:of-ssrc x\r\n\
             {video}a=mid:2\r\na=recvonly\r\na=msid:not-sent x\r\n\
             {audio}a=mid:3\r\na=msid:- x\r\n\
             {video}a=mid:4\r\na=msid:\r\n\
             m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:5\r\na=sendrecv\r\n"
        );
        let stream = |id: &str, is_audio| Stream { id: id.into(), is_audio };
        let expected = [
            ("0", stream("first", true)),
            ("1", stream("of-ssrc", false)),
            ("3", stream("", true)),
            ("4", stream("", false)),
        ];
        assert_eq!(streams(&sdp), Ok(expected.map(|(mid, stream)| (mid.to_owned(), stream)).into()));
        assert_eq!(streams("m=audio 9 X 0\r\na=mid:0\r\n"), Err(SignalRefusal::Fingerprint));
    }

    #[test]
    fn unusable_descriptions_are_refused() {
        let good = format!("a=fingerprint:sha-256 {AA}\r\n");
        let audio = "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n";
        let many = |sections: usize, lines| {
            let lines = "a=x\r\n".repeat(lines);
            (0..sections).map(|mid| format!("m=audio 9 X 111\r\na=mid:{mid}\r\n{lines}")).collect::<String>()
        };
        let rows = [
            (audio.to_owned(), SignalRefusal::Fingerprint),
            (
                format!("{good}a=fingerprint:sha-256 {}\r\n{audio}", AA.replacen("AA", "AB", 1)),
                SignalRefusal::Fingerprint,
            ),
            (format!("{good}a=fingerprint:sha-1 AA:BB\r\n{audio}"), SignalRefusal::Fingerprint),
            (format!("a=fingerprint:sha-512 {AA}\r\n{audio}"), SignalRefusal::Fingerprint),
            (format!("a=fingerprint:sha-256 {AA}:AA\r\n{audio}"), SignalRefusal::Fingerprint),
            (format!("{good}{audio}{audio}"), SignalRefusal::BadSdp),
            (format!("{good}{audio}a=x\ra=fingerprint:sha-256 AB\r\n"), SignalRefusal::BadSdp),
            (format!("{good}m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n"), SignalRefusal::BadSdp),
            (format!("{good}m=text 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n"), SignalRefusal::BadSdp),
            (format!("{good}{}", audio.repeat(MAX_SECTIONS + 1)), SignalRefusal::TooLarge),
            (format!("{good}{audio}{}", "a=x\r\n".repeat(MAX_LINES_OF_SECTION)), SignalRefusal::TooLarge),
            (format!("{good}{}{audio}", "a=x\r\n".repeat(MAX_LINES_OF_SECTION)), SignalRefusal::TooLarge),
            (format!("{good}{}", many(MAX_LINES / 500 + 1, 500)), SignalRefusal::TooLarge),
            (format!("{good}{audio}a=ice-ufrag:abc\r\n"), SignalRefusal::BadSdp),
            (format!("{good}{audio}a=ice-ufrag:{}\r\n", "x".repeat(257)), SignalRefusal::BadSdp),
            (format!("{good}{audio}a=ice-pwd:{}\r\n", "x".repeat(21)), SignalRefusal::BadSdp),
            (format!("{good}a={}\r\n", "x".repeat(MAX_LINE)), SignalRefusal::TooLarge),
            ("x".repeat(MAX_SDP + 1), SignalRefusal::TooLarge),
        ];
        for (sdp, refusal) in rows {
            assert_eq!(outline(&sdp), Err(refusal), "{}", &sdp[..sdp.len().min(300)]);
        }
    }

    #[test]
    fn lines_of_which_much_would_be_made_are_counted_for_each_m_line() {
        let good = format!("a=fingerprint:sha-256 {AA}\r\n");
        for (prefix, most) in MAX_OF_KIND {
            let section = |mid, count| {
                let lines = format!("{prefix}1 x\r\n").repeat(count);
                format!("m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:{mid}\r\n{lines}")
            };
            assert!(outline(&format!("{good}{}{}", section(0, most), section(1, most))).is_ok(), "{prefix}");
            let one_more = format!("{good}{}", section(0, most + 1));
            assert_eq!(outline(&one_more), Err(SignalRefusal::TooLarge), "{prefix}");
        }
    }

    #[test]
    fn a_restart_names_the_shard_again() {
        let sdp = "v=0\r\nm=audio 9 X 111\r\na=ice-ufrag:abcd\r\na=ice-pwd:secret\r\na=mid:0\r\n";
        let creds = IceCreds { ufrag: "00new".into(), pass: "other".into() };
        let expected = "v=0\r\nm=audio 9 X 111\r\na=ice-ufrag:00new\r\na=ice-pwd:other\r\na=mid:0\r\n";
        assert_eq!(with_credentials(sdp, &creds), expected);
    }

    #[test]
    fn arrivals_of_sound_are_not_reported() {
        let number =
            "a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01\r\n";
        let level = "a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\n";
        let (sound, picture) = ("m=audio 9 X 111\r\na=mid:0\r\n", "m=video 9 X 96\r\na=mid:1\r\n");
        let found = "a=candidate:1 1 udp 1 198.51.100.1 8443 typ host\r\n";
        let sdp = format!("v=0\r\n{sound}{level}{number}{found}{picture}{number}{sound}{number}");
        let expected = format!("v=0\r\n{sound}{level}{picture}{number}{sound}");
        assert_eq!(without_reports_of_sound(&sdp), expected);
    }

    #[test]
    fn our_candidates_name_no_user_fragment() {
        let sdp = "v=0\r\na=candidate:1 1 udp 1 198.51.100.1 8443 typ host ufrag abcd\r\na=candidate:2 1 tcp 1 ::1 8443 typ host \
                   ufrag abcd tcptype passive\r\na=x: ufrag y\r\n";
        let expected = "v=0\r\na=candidate:1 1 udp 1 198.51.100.1 8443 typ host\r\na=candidate:2 1 tcp 1 ::1 8443 typ host \
                        tcptype passive\r\na=x: ufrag y\r\n";
        assert_eq!(without_candidate_ufrag(sdp), expected);
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_offered_changes_only_the_order_of_payload_types(
            offered in proptest::collection::vec(proptest::sample::select(STOCK.to_vec()), 0..20),
            answered in proptest::collection::vec(proptest::sample::select(STOCK.to_vec()), 0..20),
        ) {
            let text = |lines: &[&str]| lines.iter().map(|line| format!("{line}\r\n")).collect::<String>();
            let answer = text(&answered);
            let ordered = in_order_of(&text(&offered), &answer);
            let sorted = |text: &str| -> Vec<Vec<String>> {
                text.lines().map(|line| { let mut parts: Vec<_> = line.split(' ').map(str::to_owned).collect(); parts.sort(); parts }).collect()
            };
            proptest::prop_assert_eq!(sorted(&ordered), sorted(&answer));
            let unread = streams(&text(&offered));
            proptest::prop_assert!(unread.is_err() || unread.is_ok_and(|streams| streams.len() <= offered.len()));
        }
    }

    const STOCK: [&str; 16] = [
        "v=0",
        "m=video 9 X 45 46 96",
        "m=video 0 X 96",
        "m=video 9 X",
        "m=video",
        "m=audio 9 X 111 63",
        "m=application 9 X webrtc-datachannel",
        "a=mid:0",
        "a=mid:1",
        "a=msid:",
        "a=msid:s t",
        "a=ssrc:1 msid:s",
        "a=ssrc: msid:",
        "a=sendonly",
        "a=inactive",
        "a=fingerprint:sha-256 AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA",
    ];

    #[test]
    fn an_answer_keeps_the_order_of_the_offered_codecs() {
        let offer = "v=0\r\nm=audio 9 X 63 111\r\na=mid:0\r\nm=video 9 X 45 46 96 97 45\r\na=mid:1\r\n";
        let answer = "v=0\r\nm=audio 9 X 111 63\r\na=mid:0\r\nm=video 0 X 96 97 45 46 99\r\na=mid:1\r\nm=video 9 X 1 2\r\n";
        let expected = "v=0\r\nm=audio 9 X 111 63\r\na=mid:0\r\nm=video 0 X 45 46 96 97 99\r\na=mid:1\r\nm=video 9 X 1 2\r\n";
        assert_eq!(in_order_of(offer, answer), expected);
    }

    #[test]
    fn we_promise_to_send_only_where_we_do() {
        let sdp = "v=0\r\nm=audio 9 X 111\r\na=mid:0\r\na=sendrecv\r\nm=video 9 X 96\r\na=recvonly\r\na=mid:1\r\n\
                   m=video 9 X 96\r\na=mid:2\r\na=recvonly\r\nm=audio 9 X 111\r\na=mid:3\r\n";
        let rewritten = keep_only_our_sending(sdp, |mid| mid == "2");
        let expected = "v=0\r\nm=audio 9 X 111\r\na=mid:0\r\na=sendonly\r\nm=video 9 X 96\r\na=inactive\r\na=mid:1\r\n\
                        m=video 9 X 96\r\na=mid:2\r\na=recvonly\r\nm=audio 9 X 111\r\na=mid:3\r\na=sendonly\r\n";
        assert_eq!(rewritten, expected);
    }
}
