//! Going through what is stored, part by part.

use super::{
    Reply, Server,
    stored::{SYNTAX, is, whole},
};
use crate::redis::data::{
    Refusal, WRONG_TYPE,
    glob::fits,
    number::text_of,
    order::{Places, hash, scanned},
    value::Value,
};
use alloc::{borrow::Cow, format, vec::Vec};

const NO_CURSOR: Refusal = "-ERR invalid cursor\r\n";
const NO_VALUES: Refusal = "-ERR NOVALUES option can only be used in HSCAN\r\n";
/// How many are given at once, if nothing else is said.
const COUNT: usize = 10;

/// What is asked besides.
struct Asked<'a> {
    pattern: &'a [u8],
    count: usize,
    kind: Option<&'a [u8]>,
    is_names_only: bool,
}

/// A name, and what belongs to it.
type Part<'a> = (&'a [u8], Option<Cow<'a, [u8]>>);

impl<'a> Asked<'a> {
    fn new(command: &[u8], options: &'a [Vec<u8>]) -> Result<Self, Refusal> {
        let mut asked = Self { pattern: b"*", count: COUNT, kind: None, is_names_only: false };
        let mut rest = options;
        while let Some((option, behind)) = rest.split_first() {
            rest = match (option, behind) {
                (option, [count, behind @ ..]) if is(option, "count") => {
                    asked.count = usize::try_from(whole(count)?).ok().filter(|count| *count > 0).ok_or(SYNTAX)?;
                    behind
                }
                (option, [pattern, behind @ ..]) if is(option, "match") => {
                    asked.pattern = pattern;
                    behind
                }
                (option, [kind, behind @ ..]) if command == b"scan" && is(option, "type") => {
                    asked.kind = Some(kind);
                    behind
                }
                (option, behind) if is(option, "novalues") => {
                    if command != b"hscan" {
                        return Err(NO_VALUES);
                    }
                    asked.is_names_only = true;
                    behind
                }
                _ => return Err(SYNTAX),
            };
        }
        Ok(asked)
    }
}

fn cursor_of(word: &[u8]) -> Result<u64, Refusal> {
    let digits = core::str::from_utf8(word).ok().filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
    digits.and_then(|digits| digits.parse().ok()).ok_or(NO_CURSOR)
}

impl Server {
    /// `SCAN` and its kin.
    pub(super) fn scan(&mut self, command: &[u8], words: &[Vec<u8>], reply: &mut Reply<'_>) -> Result<(), Refusal> {
        if command == b"scan" {
            let (cursor, options) = words.split_first().ok_or(SYNTAX)?;
            let cursor = cursor_of(cursor)?;
            let asked = Asked::new(command, options)?;
            let salt = self.data.salt;
            let keys = self.data.iter().map(|(name, entry)| (hash(name, salt), (&**name, entry))).collect();
            let (next, keys) = scanned(keys, cursor, asked.count);
            let is_kind = |value: &Value| asked.kind.is_none_or(|kind| is(kind, value.name()));
            let mut left = self.steps.for_patterns();
            let shown = keys.into_iter().filter(|(name, entry)| fits(asked.pattern, name, &mut left) && is_kind(&entry.value));
            let shown = shown.map(|(name, _)| (name, None)).collect();
            self.steps.tried(left)?;
            given(next, shown, reply);
            return Ok(());
        }
        let [key, cursor, options @ ..] = words else { return Err(SYNTAX) };
        let cursor = cursor_of(cursor)?;
        let wanted = match command {
            b"sscan" => "set",
            b"hscan" => "hash",
            _ => "zset",
        };
        let Some(value) = self.data.value(key) else {
            given(0, Vec::new(), reply);
            return Ok(());
        };
        if value.name() != wanted {
            return Err(WRONG_TYPE);
        }
        let asked = Asked::new(command, options)?;
        let (next, parts) = self.parts(value, cursor, &asked);
        let mut left = self.steps.for_patterns();
        let shown = parts.into_iter().filter(|(name, _)| fits(asked.pattern, name, &mut left));
        let shown = shown.map(|(name, more)| (name, more.filter(|_| !asked.is_names_only))).collect();
        self.steps.tried(left)?;
        given(next, shown, reply);
        Ok(())
    }

    /// A part of what is a table; all of what is small.
    fn parts<'v>(&self, value: &'v Value, cursor: u64, asked: &Asked<'_>) -> (u64, Vec<Part<'v>>) {
        let of_score = |score: f64| Some(Cow::Owned(text_of(score).into_bytes()));
        let salt = self.data.salt;
        let placed = |parts: Vec<Part<'v>>| {
            let parts = parts.into_iter().map(|part| (hash(part.0, salt), part)).collect();
            scanned(parts, cursor, asked.count)
        };
        match value {
            Value::Set(set) => {
                let parts = set.names().map(|name| (&**name, None)).collect();
                if set.places() == Places::Table { placed(parts) } else { (0, parts) }
            }
            Value::Hash(hash) => {
                let parts = hash.fields.iter().map(|(name, value)| (&**name, Some(Cow::Borrowed(&**value)))).collect();
                if hash.fields.places() == Places::Table { placed(parts) } else { (0, parts) }
            }
            Value::Sorted(sorted) => match sorted.places() {
                Some(parts) => {
                    let (next, parts) = scanned(parts, cursor, asked.count);
                    (next, parts.into_iter().map(|(name, score)| (&**name, of_score(score))).collect())
                }
                None => (0, sorted.iter().map(|(name, score)| (&**name, of_score(score))).collect()),
            },
            Value::Text(_) | Value::List(_) => (0, Vec::new()),
        }
    }
}

fn given(cursor: u64, parts: Vec<Part<'_>>, reply: &mut Reply<'_>) {
    reply.array(2);
    reply.bulk(format!("{cursor}").as_bytes());
    reply.array(parts.iter().map(|(_, more)| 1 + usize::from(more.is_some())).sum());
    for (name, more) in parts {
        reply.bulk(name);
        if let Some(more) = more {
            reply.bulk(&more);
        }
    }
}
