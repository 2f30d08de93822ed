//! Changes of a text by whole lines and their numbers: what a description is made of. Changes of bytes are libFuzzer's own.

use libfuzzer_sys::fuzzer_mutate;

/// Lines that mean something in some place, or once did harm to somebody.
const STOCK: &[&str] = &[
    "== offer",
    "== answer",
    "== name",
    "0 0",
    "1 1",
    "1 -",
    "2 2",
    "@0",
    "a=sendrecv",
    "a=sendonly",
    "a=recvonly",
    "a=inactive",
    "a=mid:0",
    "a=mid:1",
    "a=mid:2",
    "a=mid:sixteen_letters_",
    "a=setup:active",
    "a=setup:passive",
    "a=setup:actpass",
    "a=setup:holdconn",
    "a=group:BUNDLE 0 1 2",
    "a=group:BUNDLE",
    "a=rtcp-mux",
    "a=rid:l send",
    "a=rid:m send pt=96,98;max-width=1280;max-br=1500000",
    "a=rid:h recv",
    "a=simulcast:send l;m;h",
    "a=simulcast:send ~l,m;h recv l",
    "a=simulcast:recv h;m;l",
    "a=ssrc-group:FID 1 2",
    "a=ssrc-group:SIM 1 2 3",
    "a=ssrc:1 cname:x",
    "a=ssrc:4294967296 cname:x",
    "a=ssrc:1 msid:s t",
    "a=msid:- t",
    "a=ice-ufrag:abcd",
    "a=ice-pwd:abcdefghijklmnopqrstuvwx",
    "a=ice-lite",
    "a=ice-options:trickle",
    "a=end-of-candidates",
    "a=candidate:1 1 udp 2122194687 192.0.2.2 55952 typ host",
    "a=extmap:15 urn:ietf:params:rtp-hdrext:sdes:mid",
    "a=extmap:0 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",
    "a=extmap:255/recvonly urn:ietf:params:rtp-hdrext:ssrc-audio-level vad=on",
    "a=rtpmap:96 H264/90000",
    "a=rtpmap:96 rtx/90000",
    "a=rtpmap:111 opus/48000/2",
    "a=rtpmap:63 red/48000/2",
    "a=fmtp:63 111/111",
    "a=fmtp:96 apt=96",
    "a=fmtp:97 apt=255",
    "a=fmtp:96 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42",
    "a=fmtp:45 level-idx=5;profile=0;tier=0",
    "a=fmtp:98 profile-id=2",
    "a=rtcp-fb:* nack",
    "a=rtcp-fb:96 ccm fir",
    "a=sctp-port:0",
    "a=max-message-size:18446744073709551615",
    "m=audio 9 UDP/TLS/RTP/SAVPF 111 63",
    "m=audio 0 UDP/TLS/RTP/SAVPF 0",
    "m=video 9 UDP/TLS/RTP/SAVPF 96 97 98",
    "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
    "c=IN IP6 ::",
    "b=AS:0",
    "",
];

const NUMBERS: &[&str] = &[
    "0",
    "1",
    "9",
    "15",
    "16",
    "63",
    "96",
    "97",
    "127",
    "128",
    "255",
    "256",
    "65535",
    "65536",
    "2147483648",
    "4294967295",
    "4294967296",
    "18446744073709551616",
    "-1",
];

/// Changes `data[..size]` and returns its new size, as libFuzzer asks.
pub fn mutate(data: &mut [u8], size: usize, most: usize, seed: u32) -> usize {
    let mut chance = Chance(u64::from(seed) << 1 | 1);
    let Some(text) = data.get(..size).and_then(|bytes| str::from_utf8(bytes).ok()) else {
        return fuzzer_mutate(data, size, most);
    };
    if chance.below(3) == 0 {
        return fuzzer_mutate(data, size, most);
    }
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for _ in 0..=chance.below(4) {
        change(&mut lines, &mut chance);
    }
    let mut text = lines.join("\n").into_bytes();
    text.truncate(most.min(data.len()));
    data[..text.len()].copy_from_slice(&text);
    text.len()
}

fn change(lines: &mut Vec<String>, chance: &mut Chance) {
    if lines.is_empty() {
        lines.push(STOCK[0].to_owned());
    }
    let (one, other) = (chance.below(lines.len()), chance.below(lines.len()));
    match chance.below(8) {
        0 => _ = lines.remove(one),
        1 => lines.insert(other, lines[one].clone()),
        2 => lines.swap(one, other),
        3 => lines.insert(one, STOCK[chance.below(STOCK.len())].to_owned()),
        4 => STOCK[chance.below(STOCK.len())].clone_into(&mut lines[one]),
        5 => {
            let section = section(lines, one);
            let copy = lines[section].to_vec();
            lines.splice(other..other, copy);
        }
        6 => _ = lines.drain(section(lines, one)),
        _ => renumber(&mut lines[one], chance),
    }
}

/// From the m-line at or before a line to the next.
fn section(lines: &[String], line: usize) -> std::ops::Range<usize> {
    let begins = |line: &String| line.starts_with("m=") || line.starts_with("==");
    let start = lines[..=line].iter().rposition(begins).unwrap_or(0);
    let end = lines[line + 1..].iter().position(begins).map_or(lines.len(), |more| line + 1 + more);
    start..end
}

/// Puts another number in the place of one.
fn renumber(line: &mut String, chance: &mut Chance) {
    let digit = |byte: &u8| byte.is_ascii_digit();
    let bytes = line.as_bytes();
    let starts: Vec<usize> =
        (0..bytes.len()).filter(|at| digit(&bytes[*at]) && (*at == 0 || !digit(&bytes[at - 1]))).collect();
    if starts.is_empty() {
        return;
    }
    let start = starts[chance.below(starts.len())];
    let end = start + bytes[start..].iter().take_while(|byte| digit(byte)).count();
    line.replace_range(start..end, NUMBERS[chance.below(NUMBERS.len())]);
}

/// Xorshift: the same seed must give the same change.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % bound.max(1)
    }
}
