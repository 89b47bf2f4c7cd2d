//! `SORT`.

use super::{
    Reply, Server,
    stored::{SYNTAX, is, whole},
};
use crate::{
    redis::data::{
        Data, Entry, NO_MEMORY, Refusal, WRONG_TYPE,
        number::double,
        value::{List, Value},
    },
    store::KEY_BYTES_MAX,
};
use alloc::{borrow::Cow, vec::Vec};
use core::cmp::Ordering;

const NO_NUMBERS: Refusal = "-ERR One or more scores can't be converted into double\r\n";
/// The most that a list made of others is built of, in bytes: more has no room in any case.
const STORED_BYTES_MAX: usize = 64 * 1_024;

/// What is asked.
#[derive(Default)]
struct Asked<'a> {
    is_back: bool,
    is_alpha: bool,
    limit: Option<(i64, i64)>,
    by: Option<Pattern<'a>>,
    gets: Vec<Pattern<'a>>,
    to: Option<&'a [u8]>,
}

impl<'a> Asked<'a> {
    fn new(options: &'a [Vec<u8>], is_read_only: bool) -> Result<Self, Refusal> {
        let mut asked = Self::default();
        let mut rest = options;
        while let Some((option, behind)) = rest.split_first() {
            rest = match (option, behind) {
                (option, behind) if is(option, "asc") => {
                    asked.is_back = false;
                    behind
                }
                (option, behind) if is(option, "desc") => {
                    asked.is_back = true;
                    behind
                }
                (option, behind) if is(option, "alpha") => {
                    asked.is_alpha = true;
                    behind
                }
                (option, [from, many, behind @ ..]) if is(option, "limit") => {
                    asked.limit = Some((whole(from)?, whole(many)?));
                    behind
                }
                (option, [to, behind @ ..]) if !is_read_only && is(option, "store") => {
                    asked.to = Some(to);
                    behind
                }
                (option, [by, behind @ ..]) if is(option, "by") => {
                    asked.by = Some(Pattern::new(by));
                    behind
                }
                (option, [get, behind @ ..]) if is(option, "get") => {
                    asked.gets.push(Pattern::new(get));
                    behind
                }
                _ => return Err(SYNTAX),
            };
        }
        Ok(asked)
    }

    /// Which of so many are given: the first, and how many.
    fn span(&self, all: usize) -> (usize, usize) {
        let Some((from, many)) = self.limit else { return (0, all) };
        let from = usize::try_from(from).unwrap_or(0).min(all);
        let many = usize::try_from(many).unwrap_or(usize::MAX);
        (from, many.min(all - from))
    }
}

/// Where what is sorted by, or given, is found.
#[derive(Clone, Copy)]
enum Pattern<'a> {
    /// The element itself.
    Own,
    /// In the key of this name with the element in the place of its star; in this field of it.
    Named { before: &'a [u8], behind: &'a [u8], field: Option<&'a [u8]> },
    /// Nowhere: it has no star.
    Nowhere,
}

impl<'a> Pattern<'a> {
    /// Read once, and not for each element: it may be long.
    fn new(pattern: &'a [u8]) -> Self {
        if pattern == b"#" {
            return Self::Own;
        }
        let Some(star) = memchr::memchr(b'*', pattern) else { return Self::Nowhere };
        let (before, behind) = (&pattern[..star], &pattern[star + 1..]);
        let arrow = memchr::memmem::find(behind, b"->").filter(|at| at + 2 < behind.len());
        let (behind, field) = arrow.map_or((behind, None), |at| (&behind[..at], Some(&behind[at + 2..])));
        Self::Named { before, behind, field }
    }
}

/// What is found by a pattern with this in the place of its star.
fn found<'d>(data: &'d Data, pattern: Pattern<'_>, word: &'d [u8]) -> Option<Cow<'d, [u8]>> {
    let (before, behind, field) = match pattern {
        Pattern::Own => return Some(Cow::Borrowed(word)),
        Pattern::Nowhere => return None,
        Pattern::Named { before, behind, field } => (before, behind, field),
    };
    // No key has a longer name, so none is made up.
    if before.len() + word.len() + behind.len() > KEY_BYTES_MAX {
        return None;
    }
    let value = data.value(&[before, word, behind].concat())?;
    match (value, field) {
        (Value::Hash(hash), Some(field)) => hash.fields.get(field).map(|value| Cow::Borrowed(value.as_slice())),
        (Value::Text(text), None) => Some(Cow::Borrowed(text.bytes.as_slice())),
        _ => None,
    }
}

/// What one is sorted by.
enum Weight<'d> {
    Number(f64),
    Text(Option<Cow<'d, [u8]>>),
}

fn weighed<'d>(data: &'d Data, asked: &Asked<'_>, word: &'d [u8]) -> Result<Weight<'d>, Refusal> {
    let own = match asked.by {
        None => Some(Cow::Borrowed(word)),
        Some(by) => found(data, by, word),
    };
    if asked.is_alpha {
        return Ok(Weight::Text(own));
    }
    let number = own.map_or(Some(0.0), |text| if text.is_empty() { Some(0.0) } else { double(&text) });
    number.map(Weight::Number).ok_or(NO_NUMBERS)
}

fn compared(asked: &Asked<'_>, (one, first): &(&[u8], Weight<'_>), (other, second): &(&[u8], Weight<'_>)) -> Ordering {
    let order = match (first, second) {
        (Weight::Number(first), Weight::Number(second)) => {
            first.partial_cmp(second).unwrap_or(Ordering::Equal).then_with(|| one.cmp(other))
        }
        (Weight::Text(first), Weight::Text(second)) => first.cmp(second),
        _ => Ordering::Equal,
    };
    if asked.is_back { order.reverse() } else { order }
}

impl Server {
    /// `SORT`, and the same that stores nothing.
    pub(super) fn sort(&mut self, command: &[u8], words: &[Vec<u8>], reply: &mut Reply<'_>) -> Result<(), Refusal> {
        let (key, options) = words.split_first().ok_or(SYNTAX)?;
        let mut asked = Asked::new(options, command == b"sort_ro")?;
        let mut is_sorted = asked.by.is_none_or(|by| matches!(by, Pattern::Named { .. }));
        let value = self.data.value(key);
        let mut all: Vec<&[u8]> = match value {
            None => Vec::new(),
            Some(Value::List(list)) => list.iter().map(Vec::as_slice).collect(),
            Some(Value::Set(set)) => set.names().map(|name| &**name).collect(),
            Some(Value::Sorted(sorted)) => sorted.iter().map(|(name, _)| &**name).collect(),
            Some(_) => return Err(WRONG_TYPE),
        };
        let is_set = matches!(value, Some(Value::Set(_)));
        if !is_sorted && is_set && asked.to.is_some() {
            (is_sorted, asked.is_alpha, asked.by) = (true, true, None);
        }
        if is_sorted {
            let weights = all.iter().map(|word| Ok((*word, weighed(&self.data, &asked, word)?)));
            let mut weights = weights.collect::<Result<Vec<_>, Refusal>>()?;
            weights.sort_by(|one, other| compared(&asked, one, other));
            all = weights.into_iter().map(|(word, _)| word).collect();
        } else if asked.is_back && !is_set {
            all.reverse();
        }
        let (from, many) = asked.span(all.len());
        let gets = if asked.gets.is_empty() { &[Pattern::Own][..] } else { &asked.gets };
        let chosen = all.iter().skip(from).take(many).flat_map(|word| gets.iter().map(|get| found(&self.data, *get, word)));
        let Some(to) = asked.to else {
            reply.array(many * gets.len());
            chosen.for_each(|value| reply.bulk_or_nil(value.as_deref()));
            return Ok(());
        };
        let (mut list, mut bytes) = (List::default(), 0);
        for value in chosen {
            let value = value.unwrap_or_default().into_owned();
            bytes += value.len() + 1;
            if bytes > STORED_BYTES_MAX {
                return Err(NO_MEMORY);
            }
            list.expect(core::iter::once(&value));
            list.push(false, value);
        }
        let stored = list.len();
        self.data.put(to, Entry { value: Value::List(list), until_ms: None })?;
        reply.number(stored);
        Ok(())
    }
}
