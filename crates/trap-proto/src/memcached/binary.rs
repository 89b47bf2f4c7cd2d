//! memcached's binary protocol (`protocol_binary.h`, `proto_bin.c` of 1.6): one packet in, one packet out; many for statistics.
//!
//! SASL is off, as Debian has it: whoever tries to log in is told that there is no such command, and has told his password.

use super::{
    item::{Flush, Item},
    session::{ITEM_BYTES_MAX, KEPT_BYTES_MAX},
    statistics,
};
use crate::{
    Era, FIELD_BYTES_MAX, Findings, Flow,
    packets::Packets,
    store::{KEY_BYTES_MAX, Store},
};
use alloc::{format, sync::Arc, vec::Vec};
use honeymesh_types::{Signs, WallTime};

/// The first byte of what is asked, and of what is answered.
pub(super) const REQUEST: u8 = 0x80;
const RESPONSE: u8 = 0x81;
/// Magic, command, length of the key, length of what is in front of it, kind of data, status, length of all of it, a mark, a number.
const HEAD_BYTES: usize = 24;
/// The most that is kept of what is behind a head, in bytes.
const BODY_BYTES_MAX: usize = KEPT_BYTES_MAX + KEY_BYTES_MAX + 64;

const GET: u8 = 0x00;
const SET: u8 = 0x01;
const ADD: u8 = 0x02;
const REPLACE: u8 = 0x03;
const DELETE: u8 = 0x04;
const INCREMENT: u8 = 0x05;
const DECREMENT: u8 = 0x06;
const QUIT: u8 = 0x07;
const FLUSH: u8 = 0x08;
const NOOP: u8 = 0x0a;
const VERSION: u8 = 0x0b;
const GETK: u8 = 0x0c;
const APPEND: u8 = 0x0e;
const PREPEND: u8 = 0x0f;
const STAT: u8 = 0x10;
const TOUCH: u8 = 0x1c;
const GAT: u8 = 0x1d;
const GATK: u8 = 0x23;
const SASL_LIST: u8 = 0x20;
const SASL_AUTH: u8 = 0x21;
const SASL_STEP: u8 = 0x22;

/// Commands that say nothing where all went well, and what they are otherwise.
const QUIET: [(u8, u8); 14] = [
    (0x09, GET),
    (0x0d, GETK),
    (0x11, SET),
    (0x12, ADD),
    (0x13, REPLACE),
    (0x14, DELETE),
    (0x15, INCREMENT),
    (0x16, DECREMENT),
    (0x17, QUIT),
    (0x18, FLUSH),
    (0x19, APPEND),
    (0x1a, PREPEND),
    (0x1e, GAT),
    (0x24, GATK),
];

/// An increment that makes nothing where there is nothing.
const MAKES_NOTHING: u32 = u32::MAX;

/// What went wrong: the number and its words.
type Status = (u16, &'static str);
const NOT_FOUND: Status = (0x01, "Not found");
const EXISTS: Status = (0x02, "Data exists for key.");
const TOO_LARGE: Status = (0x03, "Too large.");
const INVALID: Status = (0x04, "Invalid arguments");
const NOT_STORED: Status = (0x05, "Not stored.");
const NOT_NUMERIC: Status = (0x06, "Non-numeric server-side value for incr or decr");
const UNKNOWN: Status = (0x81, "Unknown command");
const NO_MEMORY: Status = (0x82, "Out of memory");

/// The head of what is asked.
#[derive(Clone, Copy, Debug, Default)]
struct Head {
    asked: u8,
    /// The same without its wish for silence.
    command: u8,
    quiet: bool,
    key: usize,
    extras: usize,
    body: usize,
    opaque: [u8; 4],
    number: u64,
}

impl Head {
    fn read(head: &[u8]) -> Option<Self> {
        let [REQUEST, asked, k1, k2, extras, _, _, _, b1, b2, b3, b4, o1, o2, o3, o4, number @ ..] = head else { return None };
        let quiet = QUIET.iter().find(|(quiet, _)| quiet == asked);
        Some(Self {
            asked: *asked,
            command: quiet.map_or(*asked, |(_, command)| *command),
            quiet: quiet.is_some(),
            key: usize::from(u16::from_be_bytes([*k1, *k2])),
            extras: usize::from(*extras),
            body: usize::try_from(u32::from_be_bytes([*b1, *b2, *b3, *b4])).unwrap_or(usize::MAX),
            opaque: [*o1, *o2, *o3, *o4],
            number: u64::from_be_bytes(*number.first_chunk()?),
        })
    }

    /// What is refused before anything behind the head is waited for; the connection ends with it.
    fn objection(&self) -> Option<Status> {
        let Self { key, extras, body, .. } = *self;
        if key + extras > body {
            return Some(UNKNOWN);
        }
        if key > KEY_BYTES_MAX {
            return Some(INVALID);
        }
        let is_empty = body == 0;
        let fits = match self.command {
            VERSION | NOOP | QUIT | SASL_LIST => is_empty,
            FLUSH => key == 0 && body == extras && matches!(extras, 0 | 4),
            SET | ADD | REPLACE => extras == 8 && key > 0,
            GET | GETK | DELETE => extras == 0 && key > 0 && body == key,
            INCREMENT | DECREMENT => key > 0 && extras == 20 && body == key + 20,
            APPEND | PREPEND => key > 0 && extras == 0,
            STAT => extras == 0,
            SASL_AUTH | SASL_STEP => extras == 0 && key > 0,
            TOUCH | GAT | GATK => extras == 4 && key > 0,
            _ => true,
        };
        (!fits).then_some(INVALID)
    }

    const fn verb(&self) -> &'static str {
        match self.command {
            GET | GETK => "get",
            SET => "set",
            ADD => "add",
            REPLACE => "replace",
            DELETE => "delete",
            INCREMENT => "incr",
            DECREMENT => "decr",
            QUIT => "quit",
            FLUSH => "flush_all",
            NOOP => "noop",
            VERSION => "version",
            APPEND => "append",
            PREPEND => "prepend",
            STAT => "stats",
            TOUCH => "touch",
            GAT | GATK => "gat",
            SASL_LIST => "sasl list",
            SASL_AUTH | SASL_STEP => "sasl",
            _ => "unknown",
        }
    }
}

/// One connection that speaks it.
pub(super) struct Binary {
    version: Arc<str>,
    era: Era,
    store: Store,
    flush: Flush,
    head: Vec<u8>,
    /// What is behind the head, as much of it as is kept, and how much is still to come.
    asked: Option<(Head, Vec<u8>, usize)>,
    stored: u64,
    findings: Findings,
}

impl Binary {
    pub(super) const fn new(version: Arc<str>, era: Era, findings: Findings) -> Self {
        Self { version, era, store: Store::new(), flush: Flush::none(), head: Vec::new(), asked: None, stored: 0, findings }
    }

    fn head(&mut self, now: WallTime, answer: &mut Vec<u8>) -> Flow {
        let head = core::mem::take(&mut self.head);
        // Another first byte: it is left without a word.
        let Some(head) = Head::read(&head) else {
            self.findings.signs |= Signs::MALFORMED;
            return Flow::Close;
        };
        if let Some(status) = head.objection() {
            self.findings.signs |= Signs::MALFORMED;
            self.findings.note("command", head.verb().as_bytes());
            refuse(&head, status, answer);
            return Flow::Close;
        }
        if head.body == 0 {
            return self.command(&head, &[], now, answer);
        }
        // What is in front of the key of a command that nobody knows was read already, and is then thrown away once more.
        let again = if head.verb() == "unknown" { head.extras } else { 0 };
        self.asked = Some((head, Vec::new(), head.body.saturating_add(again)));
        Flow::Continue
    }

    /// All of it is there.
    fn command(&mut self, head: &Head, body: &[u8], now: WallTime, answer: &mut Vec<u8>) -> Flow {
        let (extras, rest) = body.split_at_checked(head.extras).unwrap_or_default();
        let (key, value) = rest.split_at_checked(head.key).unwrap_or((rest, &[]));
        self.note(head, key, value);
        self.flush.come(&mut self.store, head.command == FLUSH, now);
        match head.command {
            GET | GETK | GAT | GATK => self.get(head, key, answer),
            SET | ADD | REPLACE | APPEND | PREPEND => self.put(head, extras, key, value, answer),
            DELETE => {
                let is =
                    self.store.get(key).and_then(Item::read).is_some_and(|item| head.number == 0 || head.number == item.number);
                match (self.store.get(key).is_some(), is) {
                    (false, _) => refuse(head, NOT_FOUND, answer),
                    (true, false) => refuse(head, EXISTS, answer),
                    (true, true) => {
                        self.store.remove(key);
                        agree(head, 0, answer);
                    }
                }
            }
            INCREMENT | DECREMENT => self.count(head, extras, key, answer),
            TOUCH => match self.store.get(key).and_then(Item::read) {
                Some(item) => respond(head, 0, &item.flags.to_be_bytes(), &[], &[], item.number, answer),
                None => refuse(head, NOT_FOUND, answer),
            },
            FLUSH => {
                let delay = extras.first_chunk().map_or(0, |delay| u32::from_be_bytes(*delay));
                self.flush.ask(delay.into(), &mut self.store, statistics::started(self.era, now), now);
                self.findings.signs |= Signs::RULE;
                agree(head, 0, answer);
            }
            NOOP => agree(head, 0, answer),
            VERSION => respond(head, 0, &[], &[], self.version.as_bytes(), 0, answer),
            STAT => self.statistics(head, key, now, answer),
            QUIT => {
                agree(head, 0, answer);
                return Flow::Close;
            }
            _ => refuse(head, UNKNOWN, answer),
        }
        Flow::Telling
    }

    fn note(&mut self, head: &Head, key: &[u8], value: &[u8]) {
        let said = [head.verb().as_bytes(), b" ", key].concat();
        self.findings.note("command", said.trim_ascii_end());
        match head.command {
            SET | ADD | REPLACE | APPEND | PREPEND => {
                self.findings.note("value", &value[..value.len().min(2 * FIELD_BYTES_MAX)]);
            }
            SASL_AUTH | SASL_STEP => {
                self.findings.note("mechanism", key);
                // PLAIN (RFC 4616): on whose behalf, who, the password.
                let mut parts = value.splitn(3, |byte| *byte == 0).skip(1);
                if let (b"PLAIN", Some(username), Some(password)) = (key, parts.next(), parts.next()) {
                    self.findings.note("username", username);
                    self.findings.note("password", password);
                    self.findings.signs |= Signs::CREDENTIALS;
                }
            }
            _ => {}
        }
    }

    fn get(&self, head: &Head, key: &[u8], answer: &mut Vec<u8>) {
        let shown = if matches!(head.command, GETK | GATK) { key } else { &[] };
        match self.store.get(key).and_then(Item::read) {
            Some(item) => respond(head, 0, &item.flags.to_be_bytes(), shown, item.value, item.number, answer),
            None if head.quiet => {}
            None if !shown.is_empty() => respond(head, NOT_FOUND.0, &[], shown, &[], 0, answer),
            None => refuse(head, NOT_FOUND, answer),
        }
    }

    fn put(&mut self, head: &Head, extras: &[u8], key: &[u8], value: &[u8], answer: &mut Vec<u8>) {
        let bytes = head.body - head.extras - head.key;
        if bytes as u64 > ITEM_BYTES_MAX {
            return refuse(head, TOO_LARGE, answer);
        }
        let old = self.store.get(key).and_then(Item::read);
        let flags = match (extras.first_chunk(), &old) {
            (Some(flags), _) => u32::from_be_bytes(*flags),
            (None, old) => old.as_ref().map_or(0, |old| old.flags),
        };
        let value = match (head.command, &old) {
            (SET | REPLACE, Some(old)) if head.number != 0 && head.number != old.number => return refuse(head, EXISTS, answer),
            (SET, None) if head.number != 0 => return refuse(head, NOT_FOUND, answer),
            (SET, _) | (ADD, None) | (REPLACE, Some(_)) => value.to_vec(),
            (APPEND, Some(old)) => [old.value, value].concat(),
            (PREPEND, Some(old)) => [value, old.value].concat(),
            (ADD, Some(_)) => return refuse(head, EXISTS, answer),
            (REPLACE, None) => return refuse(head, NOT_FOUND, answer),
            _ => return refuse(head, NOT_STORED, answer),
        };
        if bytes > KEPT_BYTES_MAX || !self.keep(key, flags, &value) {
            return refuse(head, NO_MEMORY, answer);
        }
        agree(head, self.stored, answer);
    }

    fn keep(&mut self, key: &[u8], flags: u32, value: &[u8]) -> bool {
        self.stored += 1;
        value.len() <= KEPT_BYTES_MAX
            && self.store.set(key, &Item { flags, number: self.stored, value, ..Item::default() }.write())
    }

    fn count(&mut self, head: &Head, extras: &[u8], key: &[u8], answer: &mut Vec<u8>) {
        let number = |at: usize| extras.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |bytes| u64::from_be_bytes(*bytes));
        let expires = extras.get(16..).and_then(<[u8]>::first_chunk).map_or(0, |bytes| u32::from_be_bytes(*bytes));
        let after = match self.store.get(key).and_then(Item::read) {
            None if expires == MAKES_NOTHING => return refuse(head, NOT_FOUND, answer),
            None => number(8),
            Some(item) if head.number != 0 && head.number != item.number => return refuse(head, EXISTS, answer),
            Some(item) => match core::str::from_utf8(item.value).ok().and_then(|digits| digits.trim_end().parse::<u64>().ok()) {
                None => return refuse(head, NOT_NUMERIC, answer),
                Some(before) if head.command == INCREMENT => before.wrapping_add(number(0)),
                Some(before) => before.saturating_sub(number(0)),
            },
        };
        let (flags, before) = self.store.get(key).and_then(Item::read).map_or((0, 0), |item| (item.flags, item.value.len()));
        // A shorter number is written over the longer one.
        if !self.keep(key, flags, format!("{after:<before$}").as_bytes()) {
            return refuse(head, NO_MEMORY, answer);
        }
        if !head.quiet {
            respond(head, 0, &[], &[], &after.to_be_bytes(), self.stored, answer);
        }
    }

    /// Each in a packet of its own, and an empty one behind them.
    fn statistics(&self, head: &Head, of: &[u8], now: WallTime, answer: &mut Vec<u8>) {
        let words: Vec<&[u8]> = of.split(|byte| *byte == b' ').filter(|word| !word.is_empty()).collect();
        let text = statistics::text(&words, &self.version, self.era, self.store.len(), now);
        // Two lists are there in text only, and to count by prefix is agreed to.
        let is_known = match words.as_slice() {
            [b"conns" | b"cachedump", ..] => false,
            [b"detail", _] => true,
            _ => text == "RESET\r\n" || text.ends_with("END\r\n"),
        };
        if !is_known {
            return refuse(head, NOT_FOUND, answer);
        }
        for line in text.lines() {
            if let Some((name, value)) = line.strip_prefix("STAT ").and_then(|line| line.split_once(' ')) {
                respond(head, 0, &[], name.as_bytes(), value.as_bytes(), 0, answer);
            }
        }
        agree(head, 0, answer);
    }
}

/// Appends an answer.
fn respond(head: &Head, status: u16, extras: &[u8], key: &[u8], value: &[u8], number: u64, answer: &mut Vec<u8>) {
    // Keys and values are bounded, far below what the lengths have room for.
    let key_bytes = u16::try_from(key.len()).unwrap_or_default().to_be_bytes();
    let all = u32::try_from(extras.len() + key.len() + value.len()).unwrap_or_default().to_be_bytes();
    answer.extend_from_slice(&[RESPONSE, head.asked, key_bytes[0], key_bytes[1]]);
    answer.extend_from_slice(&[u8::try_from(extras.len()).unwrap_or_default(), 0]);
    answer.extend_from_slice(&status.to_be_bytes());
    answer.extend_from_slice(&all);
    answer.extend_from_slice(&head.opaque);
    answer.extend_from_slice(&number.to_be_bytes());
    [extras, key, value].into_iter().for_each(|part| answer.extend_from_slice(part));
}

/// All went well, of which nothing is said if nothing is to be said.
fn agree(head: &Head, number: u64, answer: &mut Vec<u8>) {
    if !head.quiet {
        respond(head, 0, &[], &[], &[], number, answer);
    }
}

fn refuse(head: &Head, status: Status, answer: &mut Vec<u8>) {
    respond(head, status.0, &[], &[], status.1.as_bytes(), 0, answer);
}

impl Packets for Binary {
    const REPLY_BYTES_MAX: usize = 20 * 1_024;

    fn byte(&mut self, byte: u8, now: WallTime, answer: &mut Vec<u8>) -> Flow {
        let Some((head, body, missing)) = &mut self.asked else {
            self.head.push(byte);
            return if self.head.len() < HEAD_BYTES { Flow::Continue } else { self.head(now, answer) };
        };
        *missing -= 1;
        if body.len() < BODY_BYTES_MAX {
            body.push(byte);
        }
        if *missing > 0 {
            return Flow::Continue;
        }
        let (head, body) = (*head, core::mem::take(body));
        self.asked = None;
        self.command(&head, &body, now, answer)
    }

    fn finish(&mut self) {
        if let Some((head, body, _)) = self.asked.take() {
            let (key, value) = body.get(head.extras..).unwrap_or_default().split_at_checked(head.key).unwrap_or_default();
            self.note(&head, key, value);
        }
    }

    fn findings(&mut self) -> &mut Findings {
        &mut self.findings
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        Flow, Memcached, Persona,
        drive::{self, Heard},
    };
    use alloc::{vec, vec::Vec};
    use honeymesh_types::Signs;
    use proptest::prelude::*;

    fn packet(command: u8, extras: &[u8], key: &[u8], value: &[u8]) -> Vec<u8> {
        let [k1, k2] = u16::try_from(key.len()).unwrap().to_be_bytes();
        let all = u32::try_from(extras.len() + key.len() + value.len()).unwrap().to_be_bytes();
        let head = [&[0x80, command, k1, k2, u8::try_from(extras.len()).unwrap(), 0, 0, 0][..], &all, b"mark", &[0; 8]].concat();
        [&head[..], extras, key, value].concat()
    }

    fn talk(bytes: &[u8]) -> Heard {
        drive::whole(&mut Memcached::of(&Persona::of([7; 32])).session(), bytes)
    }

    /// Command, status, and what is behind the head of each answer.
    fn answers(heard: &Heard) -> Vec<(u8, u16, Vec<u8>)> {
        let (mut rest, mut answers) = (heard.answer.as_slice(), Vec::new());
        while let [0x81, command, _, _, _, 0, s1, s2, b1, b2, b3, b4, b'm', b'a', b'r', b'k', behind @ ..] = rest {
            let bytes = usize::try_from(u32::from_be_bytes([*b1, *b2, *b3, *b4])).unwrap();
            answers.push((*command, u16::from_be_bytes([*s1, *s2]), behind[8..8 + bytes].to_vec()));
            rest = &behind[8 + bytes..];
        }
        assert!(rest.is_empty(), "{rest:?}");
        answers
    }

    const NUMBERS: [u8; 20] = [0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0];

    #[test]
    fn what_is_stored_comes_back_and_quiet_ones_are_quiet() {
        let flags = [0, 0, 0, 9, 0, 0, 0, 0];
        let said = [
            packet(0x0b, &[], &[], &[]),
            packet(0x00, &[], b"a", &[]),
            packet(0x09, &[], b"a", &[]),
            packet(0x01, &flags, b"a", b"xyz"),
            packet(0x11, &flags, b"b", b"q"),
            packet(0x0c, &[], b"a", &[]),
            packet(0x0e, &[], b"a", b"!"),
            packet(0x00, &[], b"a", &[]),
            packet(0x02, &flags, b"a", b"z"),
            packet(0x05, &NUMBERS, b"n", &[]),
            packet(0x05, &NUMBERS, b"n", &[]),
            packet(0x05, &NUMBERS, b"a", &[]),
            packet(0x04, &[], b"a", &[]),
            packet(0x04, &[], b"a", &[]),
            packet(0x0a, &[], &[], &[]),
            packet(0x55, &[], &[], &[]),
            packet(0x07, &[], &[], &[]),
        ];
        let heard = talk(&said.concat());
        let expected: Vec<(u8, u16, Vec<u8>)> = vec![
            (0x0b, 0, b"1.6.38".to_vec()),
            (0x00, 1, b"Not found".to_vec()),
            (0x01, 0, vec![]),
            (0x0c, 0, b"\0\0\0\x09axyz".to_vec()),
            (0x0e, 0, vec![]),
            (0x00, 0, b"\0\0\0\x09xyz!".to_vec()),
            (0x02, 2, b"Data exists for key.".to_vec()),
            (0x05, 0, vec![0, 0, 0, 0, 0, 0, 0, 7]),
            (0x05, 0, vec![0, 0, 0, 0, 0, 0, 0, 12]),
            (0x05, 6, b"Non-numeric server-side value for incr or decr".to_vec()),
            (0x04, 0, vec![]),
            (0x04, 1, b"Not found".to_vec()),
            (0x0a, 0, vec![]),
            (0x55, 0x81, b"Unknown command".to_vec()),
            (0x07, 0, vec![]),
        ];
        assert_eq!((answers(&heard), heard.flow), (expected, Flow::Close));
    }

    #[test]
    fn what_is_taken_down_is_what_was_stored_and_who_tried_to_log_in() {
        let heard = talk(&[packet(0x01, &[0; 8], b"shell", b"<?php"), packet(0x21, &[], b"PLAIN", b"\0root\0toor")].concat());
        let fields = |at: usize, name: &str| heard.reports[at].0.fields[name].clone();
        assert_eq!((fields(0, "command"), fields(0, "value")), ("set shell".into(), "<?php".into()));
        assert_eq!((fields(1, "username"), fields(1, "password")), ("root".into(), "toor".into()));
        assert_eq!((heard.reports[1].0.signs, answers(&heard)[1].1), (Signs::CREDENTIALS, 0x81), "SASL is off");
        assert_eq!(talk(&packet(0x08, &[], &[], &[])).findings.signs, Signs::RULE);
        let cut = packet(0x01, &[0; 8], b"shell", b"<?php");
        assert_eq!(talk(&cut[..cut.len() - 1]).findings.fields["value"], "<?ph");
    }

    #[test]
    fn statistics_come_one_by_one() {
        let heard = answers(&talk(&packet(0x10, &[], &[], &[])));
        assert!(heard.len() > 40 && heard[0].2.starts_with(b"pid") && heard.last() == Some(&(0x10, 0, vec![])));
        assert_eq!(answers(&talk(&packet(0x10, &[], b"items", &[]))), [(0x10, 0, vec![])]);
        assert_eq!(answers(&talk(&packet(0x10, &[], b"foo", &[]))), [(0x10, 1, b"Not found".to_vec())]);
    }

    #[test]
    fn what_cannot_be_is_refused_before_it_came_and_ends_it() {
        let mut long = packet(0x00, &[], b"a", &[]);
        long[11] = 0;
        let with_body = packet(0x0b, &[], &[], b"x");
        for (bytes, status) in [(&long[..24], 0x81), (&with_body[..24], 4), (&packet(0x00, &[], &[b'k'; 251], &[])[..24], 4)] {
            let heard = talk(bytes);
            assert_eq!((answers(&heard)[0].1, heard.flow, heard.findings.signs), (status, Flow::Close, Signs::MALFORMED));
        }
        let other = talk(&[packet(0x0a, &[], &[], &[]), b"get a\r\nget a\r\nget a\r\nget".to_vec()].concat());
        assert_eq!((answers(&other).len(), other.flow), (1, Flow::Close), "with the twenty-fourth byte");
        let unknown = talk(&[packet(0x1b, &[0, 0, 0, 1], &[], &[]), packet(0x0a, &[], &[], &[])].concat());
        assert_eq!(answers(&unknown).len(), 1, "and four bytes of the next are gone");
        let large = talk(&packet(0x01, &[0; 8], b"a", &vec![b'x'; 20_000]));
        assert_eq!(answers(&large)[0].1, 0x82);
    }

    fn chat() -> impl Strategy<Value = Vec<u8>> {
        let word = prop_oneof![
            (0_u8..0x30, "[ab]{0,2}", proptest::collection::vec(any::<u8>(), 0..9)).prop_map(|(command, key, value)| packet(
                command,
                &[],
                key.as_bytes(),
                &value
            )),
            (0_u8..0x20, "[ab]").prop_map(|(command, key)| packet(command, &[0; 8], key.as_bytes(), b"12")),
            Just(packet(0x05, &NUMBERS, b"a", &[])),
            Just(packet(0x10, &[], &[], &[])),
            Just(packet(0x01, &[0; 8], b"a", &vec![b'v'; 12_000])),
            Just(packet(0x0c, &[], b"a", &[])),
        ];
        proptest::collection::vec(word, 1..30).prop_map(|words| words.concat())
    }

    proptest! {
        #[test]
        fn no_bytes_break_it_and_packets_do_not_matter(bytes in chat(), cuts in drive::cuts()) {
            drive::law(|| Memcached::of(&Persona::of([7; 32])).session(), &bytes, &cuts)?;
        }
    }
}
