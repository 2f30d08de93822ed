//! What the tracks that a participant is sent are called in its descriptions.

use rand::Rng;
use rand::distr::Alphanumeric;

use crate::command::{Names, Source};
use crate::sdp::split_sections;

/// Most characters of either part of an msid (RFC 8830 §2).
const MAX_PART: usize = 64;
const SUFFIX: usize = 8;

/// Name of a track.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Name {
    pub stream: String,
    pub track: String,
    /// The same for all that is to be kept in step (RFC 3550 §6.5.1).
    pub cname: String,
}

impl Name {
    /// The name of a publisher's track; `stream` is how the publisher wants to be called.
    pub(crate) fn new(names: Names, stream: &str, source: Source, rng: &mut impl Rng) -> Self {
        let stream: String = stream.chars().filter(is_token).take(MAX_PART).collect();
        match names {
            Names::Plain => plain(&stream, source),
            Names::Telling => {
                let suffix: String = (0..SUFFIX).map(|_| char::from(rng.sample(Alphanumeric))).collect();
                telling(stream, source, &suffix)
            }
        }
    }
}

/// What is seen and heard together shares a stream, so that receivers keep it in step.
fn plain(stream: &str, source: Source) -> Name {
    let (suffix, kind) = match source {
        Source::Voice => ("", "voice"),
        Source::Camera => ("", "camera"),
        Source::Screen => ("-screen", "screen"),
        Source::ScreenAudio => ("-screen", "screen-audio"),
    };
    let track = cut(&format!("{kind}_{stream}"));
    Name { stream: cut(&format!("{stream}{suffix}")), cname: track.clone(), track }
}

fn telling(stream: String, source: Source, suffix: &str) -> Name {
    let kind = match source {
        Source::Voice => "voice",
        Source::Camera => "video",
        Source::Screen => "screen",
        Source::ScreenAudio => "screen-audio",
    };
    let room = MAX_PART - kind.len() - suffix.len() - 2;
    let publisher: String = stream.chars().take(room).collect();
    Name { track: format!("{kind}_{publisher}_{suffix}"), cname: stream.clone(), stream }
}

fn cut(text: &str) -> String {
    text.chars().take(MAX_PART).collect()
}

/// RFC 4566 §9, token-char.
fn is_token(char: &char) -> bool {
    matches!(char, '!' | '#'..='\'' | '*' | '+' | '-' | '.' | '0'..='9' | 'A'..='Z' | '^'..='~')
}

/// Writes the names into a description of ours: for each m-line on which we send the one that `name_of(mid)` gives, and none for any other.
pub(crate) fn write<'a>(sdp: &str, name_of: impl Fn(&str) -> Option<&'a Name>) -> String {
    let mut text = String::with_capacity(sdp.len());
    for section in split_sections(sdp) {
        let mid = section.lines().find_map(|line| line.strip_prefix("a=mid:")).map(str::trim_end);
        let sends = section.lines().any(|line| matches!(line, "a=sendrecv" | "a=sendonly"));
        let name = mid.filter(|_| sends).and_then(&name_of);
        write_section(section, name, &mut text);
    }
    text
}

fn write_section(section: &str, name: Option<&Name>, text: &mut String) {
    let mut line_out = |parts: &[&str]| {
        text.extend(parts.iter().copied());
        text.push_str("\r\n");
    };
    for line in section.lines() {
        if line.starts_with("a=msid-semantic:") {
            line_out(&["a=msid-semantic: WMS *"]);
        } else if line.starts_with("a=msid:") {
            if let Some(Name { stream, track, .. }) = name {
                line_out(&["a=msid:", stream, " ", track]);
            }
        } else if let Some(ssrc) = line.strip_prefix("a=ssrc:") {
            // One line of each SSRC stands for all that is said of it.
            let about = ssrc.split_once(" cname:").map(|(ssrc, _)| ssrc);
            if let Some((Name { stream, track, cname }, ssrc)) = name.zip(about) {
                line_out(&["a=ssrc:", ssrc, " cname:", cname]);
                line_out(&["a=ssrc:", ssrc, " msid:", stream, " ", track]);
                line_out(&["a=ssrc:", ssrc, " mslabel:", stream]);
                line_out(&["a=ssrc:", ssrc, " label:", track]);
            }
        } else if !line.starts_with("a=ssrc-group:") || name.is_some() {
            line_out(&[line]);
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    #[test]
    fn telling_names_say_what_a_track_is_and_whose() {
        let mut rng = StdRng::from_seed([1; 32]);
        let mut name = |source| Name::new(Names::Telling, "s1", source, &mut rng);
        for (source, kind) in [
            (Source::Voice, "voice"),
            (Source::Camera, "video"),
            (Source::Screen, "screen"),
            (Source::ScreenAudio, "screen-audio"),
        ] {
            let name = name(source);
            assert_eq!((&*name.stream, &*name.cname), ("s1", "s1"));
            let parts: Vec<&str> = name.track.split('_').collect();
            assert_eq!(parts[..2], [kind, "s1"]);
            assert!(parts[2].len() == 8 && parts[2].bytes().all(|byte| byte.is_ascii_alphanumeric()));
        }
        assert_ne!(name(Source::Voice), name(Source::Voice));
    }

    #[test]
    fn what_is_not_for_a_description_gets_into_none() {
        let mut rng = StdRng::from_seed([1; 32]);
        let evil = "a b\r\na=x:y/z\u{e9}".to_owned() + &"w".repeat(100);
        let name = Name::new(Names::Telling, &evil, Source::ScreenAudio, &mut rng);
        assert!(name.stream.starts_with("abaxyzw") && name.stream.len() == 64);
        assert!(name.track.starts_with("screen-audio_abaxyzw") && name.track.len() == 64);
        let name = Name::new(Names::Plain, &evil, Source::Screen, &mut rng);
        assert!(name.track.starts_with("screen_abaxyzw") && name.track.len() == 64);
    }

    #[test]
    fn names_are_written_where_we_send_and_nowhere_else() {
        let sdp = "v=0\r\na=msid-semantic: WMS x y\r\n\
                   m=audio 9 X 111\r\na=mid:0\r\na=sendonly\r\na=msid:x y\r\na=ssrc:1 cname:c\r\na=ssrc:1 msid:x y\r\n\
                   m=video 9 X 96\r\na=mid:1\r\na=sendrecv\r\na=msid:x y\r\na=ssrc-group:FID 2 3\r\na=ssrc:2 cname:c\r\n\
                   a=ssrc:2 msid:x y\r\na=ssrc:3 cname:c\r\na=ssrc:3 msid:x y\r\n\
                   m=video 9 X 96\r\na=mid:2\r\na=inactive\r\na=msid:x y\r\na=ssrc-group:FID 4 5\r\na=ssrc:4 cname:c\r\n\
                   m=audio 9 X 111\r\na=mid:3\r\na=sendonly\r\na=msid:x y\r\na=ssrc:6 cname:c\r\n";
        let name = |track: &str| Name { stream: "s".into(), track: track.into(), cname: "n".into() };
        let names = [("0", name("v_s_1")), ("1", name("w_s_2")), ("2", name("not sent"))];
        let of = |mid: &str| names.iter().find(|(had, _)| *had == mid).map(|(_, name)| name);
        let expected = "v=0\r\na=msid-semantic: WMS *\r\n\
             m=audio 9 X 111\r\na=mid:0\r\na=sendonly\r\na=msid:s v_s_1\r\na=ssrc:1 cname:n\r\na=ssrc:1 msid:s v_s_1\r\n\
             a=ssrc:1 mslabel:s\r\na=ssrc:1 label:v_s_1\r\n\
             m=video 9 X 96\r\na=mid:1\r\na=sendrecv\r\na=msid:s w_s_2\r\na=ssrc-group:FID 2 3\r\na=ssrc:2 cname:n\r\n\
             a=ssrc:2 msid:s w_s_2\r\na=ssrc:2 mslabel:s\r\na=ssrc:2 label:w_s_2\r\na=ssrc:3 cname:n\r\n\
             a=ssrc:3 msid:s w_s_2\r\na=ssrc:3 mslabel:s\r\na=ssrc:3 label:w_s_2\r\n\
             m=video 9 X 96\r\na=mid:2\r\na=inactive\r\n\
             m=audio 9 X 111\r\na=mid:3\r\na=sendonly\r\n";
        assert_eq!(write(sdp, of), expected);
    }
}
