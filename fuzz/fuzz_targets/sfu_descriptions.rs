//! Offers and answers of one of two in a room, as texts. Nothing may panic, not even where the shard would catch it; every offer gets an
//! answer or a refusal, or ends the connection; the other one stays.
//!
//! The input is text: `== offer` or `== answer` begins a description, `== name` lines of a mid and the number of a source, and an input that
//! begins with `!` is of a client of demanding manners.
//!
//! In a description `@7` stands for line 7 of what a good client would answer to our
//! latest offer.
#![no_main]

use std::time::{Duration, Instant};

use fuzz::room::{ANA, DEMANDING, events, shard_for, sources, wire_form};
use libfuzzer_sys::{Corpus, fuzz_mutator, fuzz_target};
use sfu::{Command, EventKind, Manners, Shard, Source};

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    fuzz::lines::mutate(data, size, max_size, seed)
});

fuzz_target!(|text: &[u8]| -> Corpus {
    let Ok(text) = str::from_utf8(text) else { return Corpus::Reject };
    let mut talk = Talk::new(if text.starts_with('!') { DEMANDING } else { Manners::default() });
    for (id, said) in (0..).zip(text.split("== ").skip(1).take(6)) {
        let mut lines = said.lines();
        match lines.next() {
            Some("offer") => talk.offer(id, lines),
            Some("answer") => talk.answer(lines),
            Some("name") => talk.name(lines),
            _ => {}
        }
    }
    assert_eq!(talk.shard.stats().panics, 0);
    Corpus::Keep
});

struct Talk {
    now: Instant,
    shard: Shard,
    /// Ana's lines that her later descriptions repeat: fingerprint and ICE credentials.
    own: Vec<String>,
    /// Number of our latest offer, and what a good client would answer.
    pending: (u32, Vec<String>),
    here: bool,
}

impl Talk {
    fn new(manners: Manners) -> Self {
        let now = Instant::now();
        Self { now, shard: shard_for(now, manners), own: Vec::new(), pending: (0, Vec::new()), here: true }
    }

    fn offer<'a>(&mut self, id: u32, lines: impl Iterator<Item = &'a str>) {
        let sdp = self.filled_in(lines);
        let own = ["a=fingerprint:", "a=ice-ufrag:", "a=ice-pwd:"];
        self.own = own
            .iter()
            .filter_map(|prefix| sdp.lines().find(|line| line.starts_with(prefix)))
            .map(str::to_owned)
            .collect();
        let sources = sources(&sdp);
        let command = Command::Offer { participant: ANA, id, sdp, sources };
        let said = self.obey(command);
        let replies = said.iter().filter(|kind| match kind {
            EventKind::Answer { id: of, .. } | EventKind::Refused { id: of, .. } => *of == id,
            EventKind::Left(_) => true,
            _ => false,
        });
        assert!(!self.here || replies.count() > 0, "an offer without a reply");
        self.here &= !said.iter().any(|kind| matches!(kind, EventKind::Left(_)));
    }

    fn answer<'a>(&mut self, lines: impl Iterator<Item = &'a str>) {
        let sdp = self.filled_in(lines);
        let said = self.obey(Command::Answer { participant: ANA, id: self.pending.0, sdp });
        self.here &= !said.iter().any(|kind| matches!(kind, EventKind::Left(_)));
    }

    fn name<'a>(&mut self, lines: impl Iterator<Item = &'a str>) {
        let named = lines.filter_map(|line| line.split_once(' ')).map(|(mid, number)| {
            let source = number.parse().ok().and_then(|number: usize| Source::ALL.get(number).copied());
            (mid.to_owned(), source)
        });
        let said = self.obey(Command::Name { participant: ANA, sources: named.collect() });
        self.here &= !said.iter().any(|kind| matches!(kind, EventKind::Left(_)));
    }

    fn obey(&mut self, command: Command) -> Vec<EventKind> {
        self.shard.handle_command(self.now, command);
        let mut said = self.heard();
        for _ in 0..3 {
            self.now += Duration::from_millis(300);
            self.shard.handle_timeout(self.now);
            said.extend(self.heard());
        }
        said
    }

    fn heard(&mut self) -> Vec<EventKind> {
        let said = events(&mut self.shard).into_iter().filter(|event| event.participant == ANA);
        let said: Vec<EventKind> = said.map(|event| event.kind).collect();
        for kind in &said {
            if let EventKind::Offer { id, sdp, .. } = kind {
                self.pending = (*id, self.answered(sdp));
            }
        }
        said
    }

    fn filled_in<'a>(&self, lines: impl Iterator<Item = &'a str>) -> String {
        let fill = |line: &'a str| {
            let place = line.strip_prefix('@').and_then(|place| place.parse::<usize>().ok());
            place.map_or(Some(line), |place| self.pending.1.get(place).map(String::as_str))
        };
        wire_form(&lines.filter_map(fill).collect::<Vec<_>>())
    }

    /// The lines of a good answer.
    fn answered(&self, offer: &str) -> Vec<String> {
        let ours = ["a=ssrc", "a=msid:", "a=candidate:", "a=end-of-candidates", "a=ice-lite"];
        let lines = offer.lines().filter(|line| !ours.iter().any(|prefix| line.starts_with(prefix)));
        let answered = |line: &str| {
            let name = line.split_inclusive(':').next().unwrap_or(line);
            let own = self.own.iter().find(|own| name.ends_with(':') && own.starts_with(name));
            match line {
                "a=sendonly" => "a=recvonly".to_owned(),
                "a=recvonly" => "a=sendonly".to_owned(),
                "a=setup:actpass" => "a=setup:active".to_owned(),
                _ if line.starts_with("a=simulcast:recv") || line.starts_with("a=rid:") => {
                    line.replace("recv", "send")
                }
                _ => own.cloned().unwrap_or_else(|| line.to_owned()),
            }
        };
        lines.map(answered).collect()
    }
}
