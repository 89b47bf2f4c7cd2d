//! One connection to memcached.

use super::{
    item::{self, Flush, Item},
    manage::{self, BAD_LINE, parse, signed, word},
    statistics,
};
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
/// Words of a line that are looked at: as many as fit into one.
const WORDS_MAX: usize = 1_024;
/// What the values in one answer to `get` have together at most, in bytes.
const VALUES_BYTES_MAX: usize = 16 * 1_024;
const BAD_TIME: &str = "CLIENT_ERROR invalid exptime argument\r\n";

/// How a value is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Way {
    #[default]
    Set,
    Add,
    Replace,
    /// Behind what is there; where nothing is, it may be made.
    Append {
        makes: bool,
    },
    Prepend {
        makes: bool,
    },
    /// If the value still has this number; an older one may be stored as out of date.
    Cas {
        number: u64,
        makes_stale: bool,
    },
}

/// A value that is coming.
#[derive(Default)]
pub(super) struct Coming {
    pub(super) way: Way,
    pub(super) key: Vec<u8>,
    pub(super) flags: u32,
    pub(super) ends: u64,
    /// The number that the old value must have, and the new one's.
    pub(super) number: Option<u64>,
    pub(super) new_number: Option<u64>,
    /// When it was announced.
    pub(super) now: WallTime,
    /// Its length, and how much of it is still missing, its line end not counted.
    pub(super) bytes: u64,
    pub(super) missing: u64,
    pub(super) kept: Vec<u8>,
    /// What stands where its line end belongs.
    pub(super) end: [u8; 2],
    pub(super) is_quiet: bool,
    pub(super) is_binary: bool,
    /// It is swallowed, and this is said then.
    pub(super) refused: Option<&'static str>,
    /// The flags of a meta command.
    pub(super) meta: Option<Vec<Vec<u8>>>,
}

impl Coming {
    /// What is said to a value that is longer than any.
    pub(super) fn refusal(&self) -> Option<&'static str> {
        (self.bytes > ITEM_BYTES_MAX).then_some("SERVER_ERROR object too large for cache\r\n")
    }
}

/// One connection to memcached.
pub(super) struct MemcachedTalk {
    version: Arc<str>,
    era: Era,
    pub(super) store: Store,
    flush: Flush,
    pub(super) coming: Option<Coming>,
    /// Values that were stored: the last one's number.
    pub(super) stored: u64,
    /// It is told of what others do from here on, and not listened to.
    is_watching: bool,
    pub(super) findings: Findings,
}

impl MemcachedTalk {
    pub(super) const fn new(version: Arc<str>, era: Era, findings: Findings) -> Self {
        Self { version, era, store: Store::new(), flush: Flush::none(), coming: None, stored: 0, is_watching: false, findings }
    }

    fn command(&mut self, words: &[&[u8]], now: WallTime, answer: &mut Vec<u8>) -> Flow {
        let [verb, rest @ ..] = words else { return self.unknown(words, answer) };
        self.flush.come(&mut self.store, *verb == b"flush_all", now);
        let reply = match (*verb, rest) {
            ([b'm', command], rest) => return self.meta(*command, rest, now, answer),
            (b"get" | b"bget", [_, ..]) => return self.get(false, None, rest, now, answer),
            (b"gets", [_, ..]) => return self.get(true, None, rest, now, answer),
            (verb @ (b"gat" | b"gats"), [lives, keys @ ..]) => match signed(lives) {
                Some(lives) => return self.get(verb == b"gats", Some(item::ends(lives, now)), keys, now, answer),
                None => BAD_TIME.to_string(),
            },
            (verb @ (b"set" | b"add" | b"replace" | b"append" | b"prepend" | b"cas"), rest) => {
                return self.announce(verb, rest, now, answer);
            }
            (b"delete", [key, behind @ ..]) => self.delete(key, behind, now),
            (b"touch", [key, lives] | [key, lives, _]) => self.touch(key, lives, now),
            (verb @ (b"incr" | b"decr"), [key, by] | [key, by, _]) => self.count(verb == b"incr", key, by, now),
            (b"version", _) => format!("VERSION {}\r\n", self.version),
            (b"stats", rest) => statistics::text(rest, &self.version, self.era, self.store.len(), now),
            (b"flush_all", rest) => match manage::flush(rest) {
                Ok(delay) => {
                    self.flush.ask(delay.into(), &mut self.store, statistics::started(self.era, now), now);
                    self.findings.signs |= Signs::RULE;
                    "OK\r\n".to_string()
                }
                Err(why) => why.to_string(),
            },
            (b"verbosity", rest) => manage::verbosity(rest).to_string(),
            (b"cache_memlimit", rest) => manage::memory(rest).to_string(),
            (b"lru", rest) => manage::lru(rest).to_string(),
            (b"slabs", rest) => manage::slabs(rest).to_string(),
            (b"watch", rest) => {
                let (said, is_watching) = manage::watch(rest);
                self.is_watching = is_watching;
                said.to_string()
            }
            (b"lru_crawler", [what @ (b"metadump" | b"mgdump"), classes]) if manage::is_classes(classes) => {
                return self.dump(what == b"mgdump", now, answer);
            }
            (b"lru_crawler", rest) => manage::crawler(rest).to_string(),
            (b"shutdown", _) => {
                self.findings.signs |= Signs::RULE;
                "ERROR: shutdown not enabled\r\n".to_string()
            }
            (b"quit", _) => return Flow::Close,
            _ => return self.unknown(words, answer),
        };
        let is_quiet = words.len() > 1 && words.last() == Some(&b"noreply".as_slice());
        if !is_quiet {
            answer.extend_from_slice(reply.as_bytes());
        }
        Flow::Telling
    }

    fn unknown(&mut self, words: &[&[u8]], answer: &mut Vec<u8>) -> Flow {
        self.findings.signs |= Signs::MALFORMED;
        // A request for a web server.
        if words.len() > 1 && words.last().is_some_and(|last| last.starts_with(b"HTTP/")) {
            return Flow::Close;
        }
        answer.extend_from_slice(b"ERROR\r\n");
        Flow::Telling
    }

    /// A value that is there and has not ended.
    pub(super) fn item(&self, key: &[u8], now: WallTime) -> Option<Item<'_>> {
        let item = self.store.get(key).and_then(Item::read)?;
        (item.ends == 0 || item.ends > item::seconds(now)).then_some(item)
    }

    /// Stores a value with a number of its own, or with this one; `false` if there is no room.
    pub(super) fn make(&mut self, key: &[u8], item: Item<'_>, number: Option<u64>, now: WallTime) -> bool {
        self.stored += 1;
        let item = Item { number: number.unwrap_or(self.stored), used: item::seconds(now), ..item };
        self.store.set(key, &item.write())
    }

    /// Writes a number over another; a shorter one over the longer one.
    pub(super) fn counted(&mut self, key: &[u8], digits: &str, number: Option<u64>, now: WallTime) -> bool {
        let Some(item) = self.item(key, now) else { return false };
        let room = item.value.len();
        let head = Item { value: &[], ..item }.write();
        let head = Item::read(&head).unwrap_or_default();
        let used = head.used;
        let is_kept = self.make(key, Item { value: format!("{digits:<room$}").as_bytes(), ..head }, number, now);
        if is_kept && digits.len() <= room {
            self.change(key, |item| item.used = used);
        }
        is_kept
    }

    /// Changes what is known of a value that is there.
    fn change(&mut self, key: &[u8], change: impl FnOnce(&mut Item<'_>)) {
        let Some(mut item) = self.store.get(key).and_then(Item::read) else { return };
        change(&mut item);
        let written = item.write();
        self.store.set(key, &written);
    }

    fn delete(&mut self, key: &[u8], behind: &[&[u8]], now: WallTime) -> String {
        if let Err(why) = manage::delete(behind) {
            return why.to_string();
        }
        if key.len() > KEY_BYTES_MAX {
            return BAD_LINE.to_string();
        }
        let is_there = self.item(key, now).is_some();
        self.store.remove(key);
        if is_there { "DELETED\r\n" } else { "NOT_FOUND\r\n" }.to_string()
    }

    fn touch(&mut self, key: &[u8], lives: &[u8], now: WallTime) -> String {
        let said = match signed(lives) {
            _ if key.len() > KEY_BYTES_MAX => BAD_LINE,
            None => BAD_TIME,
            Some(_) if self.item(key, now).is_none() => "NOT_FOUND\r\n",
            Some(lives) => {
                self.change(key, |item| *item = Item { ends: item::ends(lives, now), ..*item }.fetched(now));
                "TOUCHED\r\n"
            }
        };
        said.to_string()
    }

    fn get(&mut self, is_numbered: bool, ends: Option<u64>, keys: &[&[u8]], now: WallTime, answer: &mut Vec<u8>) -> Flow {
        if keys.iter().any(|key| key.len() > KEY_BYTES_MAX) {
            answer.extend_from_slice(BAD_LINE.as_bytes());
            return Flow::Telling;
        }
        let before = answer.len();
        for key in keys {
            let Some(item) = self.item(key, now) else { continue };
            // The same key again and again would make a long answer of a short question.
            if answer.len() - before + item.value.len() > VALUES_BYTES_MAX {
                break;
            }
            let number = if is_numbered { format!(" {}", item.number) } else { String::new() };
            answer.extend_from_slice(b"VALUE ");
            answer.extend_from_slice(key);
            answer.extend_from_slice(format!(" {} {}{number}\r\n", item.flags, item.value.len()).as_bytes());
            answer.extend_from_slice(item.value);
            answer.extend_from_slice(b"\r\n");
            if ends.is_some() || !item.has(item::FETCHED) {
                self.change(key, |item| *item = Item { ends: ends.unwrap_or(item.ends), ..*item }.fetched(now));
            }
        }
        answer.extend_from_slice(b"END\r\n");
        Flow::Telling
    }

    /// `lru_crawler metadump|mgdump`: a line for each value, as far as there is room.
    fn dump(&self, only_keys: bool, now: WallTime, answer: &mut Vec<u8>) -> Flow {
        let before = answer.len();
        for key in self.store.keys() {
            let Some(item) = self.item(key, now).filter(|_| answer.len() - before < VALUES_BYTES_MAX) else { continue };
            let name = percent(key);
            let (size, class) = item.size(key.len());
            let fetched = if item.has(item::FETCHED) { "yes" } else { "no" };
            let ends = if item.ends == 0 { "-1".to_string() } else { item.ends.to_string() };
            let line = match only_keys {
                true => format!("mg {name}\r\n"),
                false => format!(
                    "key={name} exp={ends} la={} cas={} fetch={fetched} cls={class} size={size} flags={}\r\n",
                    item.used, item.number, item.flags
                ),
            };
            answer.extend_from_slice(line.as_bytes());
        }
        answer.extend_from_slice(if only_keys { b"EN\r\n" } else { b"END\r\n" });
        Flow::Telling
    }

    /// `set key flags exptime bytes [noreply]`, and for `cas` a number more.
    fn announce(&mut self, verb: &[u8], words: &[&[u8]], now: WallTime, answer: &mut Vec<u8>) -> Flow {
        let is_cas = verb == b"cas";
        let least = if is_cas { 5 } else { 4 };
        if words.len() != least && words.len() != least + 1 {
            answer.extend_from_slice(b"ERROR\r\n");
            return Flow::Telling;
        }
        let is_quiet = words.last() == Some(&b"noreply".as_slice());
        let number = if is_cas { words.get(4).and_then(|digits| parse::<u64>(digits)) } else { Some(0) };
        let (flags, lives) = (word(words[1]), signed(words[2]));
        let bytes = signed(words[3]).filter(|bytes| *bytes <= i32::MAX - 2).and_then(|bytes| u64::try_from(bytes).ok());
        let known = flags.zip(lives).zip(bytes).zip(number).filter(|_| words[0].len() <= KEY_BYTES_MAX);
        let Some((((flags, lives), bytes), number)) = known else {
            self.findings.signs |= Signs::MALFORMED;
            answer.extend_from_slice(if is_quiet { b"" } else { BAD_LINE.as_bytes() });
            return Flow::Telling;
        };
        let mut coming = Coming {
            way: way(verb, number),
            key: words[0].to_vec(),
            flags,
            ends: item::ends(lives, now),
            now,
            bytes,
            missing: bytes,
            is_quiet,
            ..Coming::default()
        };
        coming.refused = coming.refusal();
        self.coming = Some(coming);
        Flow::Continue
    }

    /// What becomes of a value that has come: `HD` stored, `EX`, `NF` and `NS` not.
    fn put(&mut self, coming: &Coming) -> Result<&'static str, &'static str> {
        let old = self.item(&coming.key, coming.now);
        let bits = if coming.is_binary { item::BINARY } else { 0 };
        let new = Item { flags: coming.flags, ends: coming.ends, bits, value: &coming.kept, ..Item::default() };
        let is_another = |old: &Item<'_>| coming.number.is_some_and(|number| number != 0 && number != old.number);
        let joined;
        let item = match (coming.way, old) {
            (Way::Set, _) | (Way::Add, None) | (Way::Replace, Some(_)) => new,
            (Way::Append { .. } | Way::Prepend { .. }, Some(old)) if is_another(&old) => return Ok("EX"),
            (Way::Append { .. }, Some(old)) => {
                joined = [old.value, new.value].concat();
                Item { value: &joined, bits, ..old }
            }
            (Way::Prepend { .. }, Some(old)) => {
                joined = [new.value, old.value].concat();
                Item { value: &joined, bits, ..old }
            }
            (Way::Append { makes: true } | Way::Prepend { makes: true }, None) => new,
            (Way::Cas { number, .. }, Some(old)) if old.number == number => new,
            (Way::Cas { number, makes_stale: true }, Some(old)) if number < old.number => {
                Item { ends: old.ends, bits: bits | item::STALE | old.bits & item::TOLD, ..new }
            }
            (Way::Cas { .. }, Some(_)) => return Ok("EX"),
            (Way::Cas { .. }, None) => return Ok("NF"),
            _ => return Ok("NS"),
        };
        let fits = item.value.len() <= KEPT_BYTES_MAX && coming.bytes <= KEPT_BYTES_MAX as u64;
        // What is stored is stored beside the old value.
        let written =
            Item { used: item::seconds(coming.now), number: coming.new_number.unwrap_or(self.stored + 1), ..item }.write();
        self.stored += 1;
        if fits && self.store.set(&coming.key, &written) {
            Ok("HD")
        } else {
            Err("SERVER_ERROR out of memory storing object\r\n")
        }
    }

    fn count(&mut self, up: bool, key: &[u8], by: &[u8], now: WallTime) -> String {
        if key.len() > KEY_BYTES_MAX {
            return BAD_LINE.to_string();
        }
        let Some(by) = parse::<u64>(by) else { return "CLIENT_ERROR invalid numeric delta argument\r\n".to_string() };
        let Some(item) = self.item(key, now) else { return "NOT_FOUND\r\n".to_string() };
        let Some(before) = parse::<u64>(item.value.trim_ascii_end()) else {
            return "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n".to_string();
        };
        let after = if up { before.wrapping_add(by) } else { before.saturating_sub(by) }.to_string();
        if self.counted(key, &after, None, now) { after + "\r\n" } else { "SERVER_ERROR out of memory\r\n".to_string() }
    }
}

/// A key with what is no letter, digit or one of `-._~` as percents.
fn percent(key: &[u8]) -> String {
    let mut text = String::new();
    for byte in key {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) {
            text.push(char::from(*byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

fn way(verb: &[u8], number: u64) -> Way {
    match verb {
        b"add" => Way::Add,
        b"replace" => Way::Replace,
        b"append" => Way::Append { makes: false },
        b"prepend" => Way::Prepend { makes: false },
        b"cas" => Way::Cas { number, makes_stale: false },
        _ => Way::Set,
    }
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
        if self.is_watching {
            return Flow::Telling;
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
        let put = match coming.refused {
            Some(why) => Err(why),
            None if coming.end == *b"\r\n" => self.put(&coming),
            None => Err("CLIENT_ERROR bad data chunk\r\n"),
        };
        match (put, &coming.meta) {
            (Ok(code), Some(words)) if code != "HD" || !coming.is_quiet => {
                answer.extend([self.meta_put(code, &coming, words).as_slice(), b"\r\n"].concat());
            }
            (Ok(code), None) if !coming.is_quiet => answer.extend_from_slice(said(code).as_bytes()),
            (Err(why), words) if words.is_some() || !coming.is_quiet => answer.extend_from_slice(why.as_bytes()),
            _ => {}
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

/// What became of a value, in the words of the old commands.
fn said(code: &str) -> &'static str {
    match code {
        "HD" => "STORED\r\n",
        "EX" => "EXISTS\r\n",
        "NF" => "NOT_FOUND\r\n",
        _ => "NOT_STORED\r\n",
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

    /// Each was said to a real memcached 1.6.38, which answered the same.
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
            ("set k 0 0 1\r\n1\r\nflush_all 1\r\nget k\r\nset k 0 0 1\r\n1\r\nget k\r\n", "STORED|OK|END|STORED|END|"),
            ("set k 0 0 1\r\n1\r\nflush_all 2592001\r\nget k\r\n", "STORED|OK|VALUE k 0 1|1|END|"),
            ("set k 0 0 1\r\n1\r\nflush_all 3600\r\nget k\r\nflush_all\r\nget k\r\n", "STORED|OK|VALUE k 0 1|1|END|OK|END|"),
            ("mn\r\nstats foo\r\nstats reset\r\nstats items\r\nflush_all\r\nverbosity 1\r\n", "MN|ERROR|RESET|END|OK|OK|"),
            ("quit\r\nversion\r\n", ""),
        ];
        for (bytes, answer) in table {
            assert_eq!(replies(bytes), answer, "{bytes:?}");
        }
        assert_eq!(replies(&format!("get {}\r\n", "x".repeat(251))), "CLIENT_ERROR bad command line format|");
        let stats = replies("stats\r\n");
        assert!(
            stats.starts_with("STAT pid ")
                && stats.contains("|STAT uptime ")
                && stats.contains("|STAT version 1.6.38|")
                && stats.ends_with("|END|")
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
        assert_eq!(replies("set a 0 0 2000000\r\nx"), "", "it is swallowed before anything is said");
        let whole = format!("set a 0 0 2000000\r\n{}\r\n", "x".repeat(2_000_000));
        assert_eq!(replies(&whole), "SERVER_ERROR object too large for cache|");
        assert_eq!(replies("set a 0 0 18446744073709551615\r\n"), "CLIENT_ERROR bad command line format|");
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
            Just(b"ms a 2 c k s E5\r\nhi\r\nmg a v k h l N30 R60\r\n".to_vec()),
            Just(b"ma b N0 J5 v t\r\nmd a I q\r\nme b\r\ngat 0 a b\r\ntouch a -1\r\nlru_crawler metadump all\r\n".to_vec()),
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
