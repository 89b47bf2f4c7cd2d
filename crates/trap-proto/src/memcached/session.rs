//! One connection to memcached.

use super::statistics;
use crate::{
    Era, FIELD_BYTES_MAX, Findings, Flow,
    dialogue::Dialogue,
    store::{KEY_BYTES_MAX, Store},
};
use alloc::{
    format,
    string::{String, ToString},
    sync::Arc,
    vec::Vec,
};
use honeymesh_types::{Signs, WallTime};

/// The longest value that may be announced, in bytes: memcached's own limit. A longer one is swallowed.
pub(super) const ITEM_BYTES_MAX: u64 = 1_048_576;
/// What is kept of a value, in bytes; a longer one is refused as out of memory.
pub(super) const KEPT_BYTES_MAX: usize = 12 * 1_024;
/// Words of a line that are looked at.
const WORDS_MAX: usize = 64;
/// What the values in one answer to `get` have together at most, in bytes.
const VALUES_BYTES_MAX: usize = 16 * 1_024;
/// Flags and number that stand in front of a stored value.
const HEAD_BYTES: usize = 12;

const BAD_LINE: &str = "CLIENT_ERROR bad command line format\r\n";

/// How a value is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Set,
    Add,
    Replace,
    Append,
    Prepend,
    Cas(u64),
}

/// A value that is coming.
struct Coming {
    way: Way,
    key: Vec<u8>,
    flags: u32,
    /// Its length, and how much of it is still missing, its line end not counted.
    bytes: u64,
    missing: u64,
    kept: Vec<u8>,
    /// What stands where its line end belongs.
    end: [u8; 2],
    quiet: bool,
}

impl Coming {
    const fn is_too_large(&self) -> bool {
        self.bytes > ITEM_BYTES_MAX
    }
}

/// One connection to memcached.
pub(super) struct MemcachedTalk {
    version: Arc<str>,
    era: Era,
    store: Store,
    coming: Option<Coming>,
    stored: u64,
    findings: Findings,
}

impl MemcachedTalk {
    pub(super) const fn new(version: Arc<str>, era: Era, findings: Findings) -> Self {
        Self { version, era, store: Store::new(), coming: None, stored: 0, findings }
    }

    fn command(&mut self, words: &[&[u8]], now: WallTime, answer: &mut Vec<u8>) -> Flow {
        let reply = match words {
            [verb @ (b"get" | b"gets"), keys @ ..] if !keys.is_empty() => return self.get(*verb == b"gets", keys, answer),
            [verb @ (b"set" | b"add" | b"replace" | b"append" | b"prepend" | b"cas"), rest @ ..] => {
                return self.announce(verb, rest, answer);
            }
            [b"delete", key, ..] if self.store.remove(key) => "DELETED\r\n".to_string(),
            [b"touch", key, _] if self.store.get(key).is_some() => "TOUCHED\r\n".to_string(),
            [b"delete" | b"touch", _, ..] => "NOT_FOUND\r\n".to_string(),
            [verb @ (b"incr" | b"decr"), key, by, ..] => self.count(*verb == b"incr", key, by),
            [b"version"] => format!("VERSION {}\r\n", self.version),
            [b"stats", rest @ ..] => statistics::text(rest, &self.version, self.era, self.store.len(), now),
            [b"flush_all", ..] => {
                self.store.clear();
                self.findings.signs |= Signs::RULE;
                "OK\r\n".to_string()
            }
            [b"verbosity", _, ..] => "OK\r\n".to_string(),
            [b"mn"] => "MN\r\n".to_string(),
            [b"mg" | b"me", _, ..] => "EN\r\n".to_string(),
            [b"lru_crawler", b"metadump", _] => "END\r\n".to_string(),
            [b"shutdown", ..] => {
                self.findings.signs |= Signs::RULE;
                "ERROR: shutdown not enabled\r\n".to_string()
            }
            [b"quit"] => return Flow::Close,
            // A request for a web server.
            [_, .., last] if last.starts_with(b"HTTP/") => {
                self.findings.signs |= Signs::MALFORMED;
                return Flow::Close;
            }
            _ => {
                self.findings.signs |= Signs::MALFORMED;
                "ERROR\r\n".to_string()
            }
        };
        let is_quiet = words.len() > 1 && words.last() == Some(&b"noreply".as_slice());
        if !is_quiet {
            answer.extend_from_slice(reply.as_bytes());
        }
        Flow::Telling
    }

    fn get(&self, numbered: bool, keys: &[&[u8]], answer: &mut Vec<u8>) -> Flow {
        if keys.iter().any(|key| key.len() > KEY_BYTES_MAX) {
            answer.extend_from_slice(BAD_LINE.as_bytes());
            return Flow::Telling;
        }
        let before = answer.len();
        for key in keys {
            let Some(item) = self.store.get(key).and_then(Item::read) else { continue };
            // The same key again and again would make a long answer of a short question.
            if answer.len() - before + item.value.len() > VALUES_BYTES_MAX {
                break;
            }
            let number = if numbered { format!(" {}", item.number) } else { String::new() };
            answer.extend_from_slice(b"VALUE ");
            answer.extend_from_slice(key);
            answer.extend_from_slice(format!(" {} {}{number}\r\n", item.flags, item.value.len()).as_bytes());
            answer.extend_from_slice(item.value);
            answer.extend_from_slice(b"\r\n");
        }
        answer.extend_from_slice(b"END\r\n");
        Flow::Telling
    }

    /// `set key flags exptime bytes [noreply]`, and for `cas` a number more.
    fn announce(&mut self, verb: &[u8], words: &[&[u8]], answer: &mut Vec<u8>) -> Flow {
        let (quiet, words) = match words {
            [words @ .., b"noreply"] => (true, words),
            words => (false, words),
        };
        let is_cas = verb == b"cas";
        if words.len() != if is_cas { 5 } else { 4 } {
            answer.extend_from_slice(b"ERROR\r\n");
            return Flow::Telling;
        }
        let number = |at: usize| words.get(at).and_then(|digits| parse::<u64>(digits));
        let way = if is_cas { number(4).map(Way::Cas) } else { Some(way(verb)) };
        let flags = words.get(1).and_then(|digits| parse::<u32>(digits));
        let (Some(way), Some(flags), Some(bytes), true) = (way, flags, number(3), words[0].len() <= KEY_BYTES_MAX) else {
            self.findings.signs |= Signs::MALFORMED;
            answer.extend_from_slice(BAD_LINE.as_bytes());
            return Flow::Telling;
        };
        // More than is ever sent; two more must fit into the number.
        let missing = bytes.min(u64::MAX - 2);
        let coming = Coming { way, key: words[0].to_vec(), flags, bytes, missing, kept: Vec::new(), end: [0; 2], quiet };
        if coming.is_too_large() {
            answer.extend_from_slice(b"SERVER_ERROR object too large for cache\r\n");
        }
        self.coming = Some(coming);
        Flow::Continue
    }

    fn put(&mut self, coming: &Coming) -> &'static str {
        let old = self.store.get(&coming.key).and_then(Item::read);
        let value = match (coming.way, &old) {
            (Way::Set, _) | (Way::Add, None) | (Way::Replace, Some(_)) => coming.kept.clone(),
            (Way::Append, Some(old)) => [old.value, coming.kept.as_slice()].concat(),
            (Way::Prepend, Some(old)) => [coming.kept.as_slice(), old.value].concat(),
            (Way::Cas(number), Some(old)) if old.number == number => coming.kept.clone(),
            (Way::Cas(_), Some(_)) => return "EXISTS\r\n",
            (Way::Cas(_), None) => return "NOT_FOUND\r\n",
            _ => return "NOT_STORED\r\n",
        };
        self.stored += 1;
        let item = Item { flags: coming.flags, number: self.stored, value: &value }.write();
        let fits = value.len() <= KEPT_BYTES_MAX && coming.bytes <= KEPT_BYTES_MAX as u64;
        if fits && self.store.set(&coming.key, &item) { "STORED\r\n" } else { "SERVER_ERROR out of memory storing object\r\n" }
    }

    fn count(&mut self, up: bool, key: &[u8], by: &[u8]) -> String {
        let Some(by) = parse::<u64>(by) else { return "CLIENT_ERROR invalid numeric delta argument\r\n".to_string() };
        let Some(item) = self.store.get(key).and_then(Item::read) else { return "NOT_FOUND\r\n".to_string() };
        let room = item.value.len();
        let Some(before) = parse::<u64>(item.value.trim_ascii_end()) else {
            return "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n".to_string();
        };
        let after = if up { before.wrapping_add(by) } else { before.saturating_sub(by) }.to_string();
        let head = self.store.get(key).and_then(|item| item.get(..HEAD_BYTES)).unwrap_or_default().to_vec();
        // A shorter number is written over the longer one.
        if self.store.set(key, &[head.as_slice(), format!("{after:<room$}").as_bytes()].concat()) {
            after + "\r\n"
        } else {
            "SERVER_ERROR out of memory in incr\r\n".to_string()
        }
    }
}

/// A stored value with what stands in front of it.
pub(super) struct Item<'a> {
    pub(super) flags: u32,
    pub(super) number: u64,
    pub(super) value: &'a [u8],
}

impl<'a> Item<'a> {
    pub(super) fn read(stored: &'a [u8]) -> Option<Self> {
        let (flags, rest) = stored.split_first_chunk()?;
        let (number, value) = rest.split_first_chunk()?;
        Some(Self { flags: u32::from_be_bytes(*flags), number: u64::from_be_bytes(*number), value })
    }

    /// As it is stored.
    pub(super) fn write(&self) -> Vec<u8> {
        [&self.flags.to_be_bytes()[..], &self.number.to_be_bytes(), self.value].concat()
    }
}

fn way(verb: &[u8]) -> Way {
    match verb {
        b"add" => Way::Add,
        b"replace" => Way::Replace,
        b"append" => Way::Append,
        b"prepend" => Way::Prepend,
        _ => Way::Set,
    }
}

fn parse<T: core::str::FromStr>(digits: &[u8]) -> Option<T> {
    core::str::from_utf8(digits).ok()?.parse().ok()
}

impl Dialogue for MemcachedTalk {
    /// memcached's own limit; it closes on a longer one.
    const LINE_BYTES_MAX: usize = 2_048;
    const REPLY_BYTES_MAX: usize = 20 * 1_024;

    fn line(&mut self, line: &[u8], now: WallTime, answer: &mut Vec<u8>) -> Flow {
        self.findings.note("command", line);
        if line.len() >= Self::LINE_BYTES_MAX {
            return Flow::Close;
        }
        let words: Vec<&[u8]> = line.split(|byte| *byte == b' ').filter(|word| !word.is_empty()).take(WORDS_MAX).collect();
        self.command(&words, now, answer)
    }

    fn announced(&self) -> u64 {
        self.coming.as_ref().map_or(0, |coming| coming.missing + 2)
    }

    fn piece(&mut self, byte: u8, last: bool, answer: &mut Vec<u8>) -> Flow {
        let Some(coming) = &mut self.coming else { return Flow::Continue };
        if coming.missing == 0 {
            coming.end = [coming.end[1], byte];
        } else {
            coming.missing -= 1;
            if coming.kept.len() < KEPT_BYTES_MAX {
                coming.kept.push(byte);
            }
        }
        if !last {
            return Flow::Continue;
        }
        let Some(coming) = self.coming.take() else { return Flow::Continue };
        self.note_value(&coming);
        if coming.is_too_large() {
            return Flow::Telling;
        }
        let reply = if coming.end == *b"\r\n" { self.put(&coming) } else { "CLIENT_ERROR bad data chunk\r\n" };
        if !coming.quiet {
            answer.extend_from_slice(reply.as_bytes());
        }
        Flow::Telling
    }

    fn finish(&mut self) {
        if let Some(coming) = self.coming.take() {
            self.note_value(&coming);
        }
    }

    fn findings(&mut self) -> &mut Findings {
        &mut self.findings
    }
}

impl MemcachedTalk {
    fn note_value(&mut self, coming: &Coming) {
        self.findings.note("value", &coming.kept[..coming.kept.len().min(2 * FIELD_BYTES_MAX)]);
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        Flow, Memcached, Persona,
        drive::{self, Heard, said},
    };
    use alloc::{format, string::String, vec::Vec};
    use honeymesh_types::Signs;
    use proptest::prelude::*;

    fn memcached() -> Memcached {
        Memcached::of(&Persona::of([7; 32]))
    }

    fn talk(bytes: &[u8]) -> Heard {
        drive::whole(&mut memcached().session(), bytes)
    }

    fn replies(bytes: &str) -> String {
        said(&talk(bytes.as_bytes()).answer).replace("\r\n", "|")
    }

    /// Each was said to a real memcached 1.6.18, which answered the same.
    #[test]
    fn commands_are_answered_as_memcached_does() {
        let table = [
            ("version\r\nfoo\r\nget\r\nget a\r\n\r\nGET a\r\n", "VERSION 1.6.38|ERROR|ERROR|END|ERROR|ERROR|"),
            ("set a 0 0 3\r\nabc\r\nget a b\r\ngets a\r\n", "STORED|VALUE a 0 3|abc|END|VALUE a 0 3 1|abc|END|"),
            ("set a 0 0 3\r\nabcd\r\nversion\r\n", "CLIENT_ERROR bad data chunk|ERROR|VERSION 1.6.38|"),
            ("set a\r\n", "ERROR|"),
            ("set a 0 0 x\r\nversion\r\n", "CLIENT_ERROR bad command line format|VERSION 1.6.38|"),
            (
                "set a 5 0 1\r\n1\r\nincr a 5\r\nget a\r\ndelete a\r\ndelete a\r\nincr a 1\r\n",
                "STORED|6|VALUE a 5 1|6|END|DELETED|NOT_FOUND|NOT_FOUND|",
            ),
            ("set a 0 0 2\r\n12\r\ndecr a 5\r\nget a\r\nincr a 1\r\n", "STORED|7|VALUE a 0 2|7 |END|8|"),
            (
                "add q 0 0 1 noreply\r\nz\r\nadd q 0 0 1\r\nz\r\ntouch q 0\r\nshutdown\r\n",
                "NOT_STORED|TOUCHED|ERROR: shutdown not enabled|",
            ),
            (
                "append z 0 0 1\r\n1\r\nreplace z 0 0 1\r\n1\r\ncas z 0 0 1 99\r\n1\r\nset z 0 0 1\r\na\r\nincr z 1\r\n",
                "NOT_STORED|NOT_STORED|NOT_FOUND|STORED|CLIENT_ERROR cannot increment or decrement non-numeric value|",
            ),
            ("mn\r\nstats foo\r\nstats reset\r\nstats items\r\nflush_all\r\nverbosity 1\r\n", "MN|ERROR|RESET|END|OK|OK|"),
            ("quit\r\nversion\r\n", ""),
        ];
        for (bytes, answer) in table {
            assert_eq!(replies(bytes), answer, "{bytes:?}");
        }
        assert_eq!(replies(&format!("get {}\r\n", "x".repeat(251))), "CLIENT_ERROR bad command line format|");
        let stats = replies("stats\r\n");
        assert!(
            stats.starts_with("STAT pid 640|STAT uptime ") && stats.contains("|STAT version 1.6.38|") && stats.ends_with("|END|")
        );
    }

    #[test]
    fn each_command_is_a_report_with_what_it_stores() {
        let heard = talk(b"set shell 0 0 11\r\n<?php x() ?\r\nflush_all\r\n");
        let fields = &heard.reports[0].0.fields;
        assert_eq!((fields["command"].as_str(), fields["value"].as_str()), ("set shell 0 0 11", "<?php x() ?"));
        assert_eq!((heard.reports[1].0.fields["command"].as_str(), heard.reports[1].0.signs), ("flush_all", Signs::RULE));
        assert_eq!(talk(b"set a 0 0 99\r\nhalf").findings.fields["value"], "half");
    }

    #[test]
    fn values_are_bounded_and_what_was_only_announced_takes_no_room() {
        let large = format!("set a 0 0 20000\r\n{}\r\nget a\r\n", "x".repeat(20_000));
        assert_eq!(replies(&large), "SERVER_ERROR out of memory storing object|END|");
        for bytes in ["2000000", "18446744073709551615"] {
            assert_eq!(replies(&format!("set a 0 0 {bytes}\r\nx")), "SERVER_ERROR object too large for cache|");
        }
        let many = format!("set a 0 0 9000\r\n{}\r\nget{}\r\n", "x".repeat(9_000), " a".repeat(60));
        assert!(talk(many.as_bytes()).answer.len() < 20_000);
        assert_eq!(talk(&[b'x'; 5_000]).flow, Flow::Close);
    }

    fn chat() -> impl Strategy<Value = Vec<u8>> {
        let word = prop_oneof![
            Just(b"set a 0 0 4\r\n".to_vec()),
            Just(b"append a 1 0 3 noreply\r\nabc\r\n".to_vec()),
            Just(b"1234\r\n".to_vec()),
            Just(b"get a a a\r\nincr a 3\r\n".to_vec()),
            Just(b"stats\r\nstats settings\r\n".to_vec()),
            Just(format!("set b 0 0 12000\r\n{}\r\nget b b b\r\n", "v".repeat(12_000)).into_bytes()),
            Just(alloc::vec![b'x'; 3_000]),
            proptest::collection::vec(any::<u8>(), 0..20),
        ];
        proptest::collection::vec(word, 0..30).prop_map(|words| words.concat())
    }

    proptest! {
        #[test]
        fn no_bytes_break_it_and_packets_do_not_matter(bytes in prop_oneof![drive::noise(), chat()], cuts in drive::cuts()) {
            drive::law(|| memcached().session(), &bytes, &cuts)?;
        }
    }
}
