//! Sorted sets: parts of them, by rank, by score and by name.

use super::{
    Reply, Server,
    stored::{SYNTAX, is, span, whole},
};
use crate::redis::data::{
    Entry, Refusal,
    number::double,
    order::Name,
    value::{Sorted, Value},
};
use alloc::vec::Vec;

const NO_SCORES: Refusal = "-ERR min or max is not a float\r\n";
const NO_NAMES: Refusal = "-ERR min or max not valid string range item\r\n";
const LIMIT_OF_RANKS: Refusal = "-ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX\r\n";
const SCORES_OF_NAMES: Refusal = "-ERR syntax error, WITHSCORES not supported in combination with BYLEX\r\n";

/// What a part is cut out by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Rank,
    Score,
    Name,
}

/// One end of a range of scores; whether it is outside.
type ScoreEnd = (f64, bool);

/// One end of a range of names.
#[derive(Clone, Copy, Debug)]
enum NameEnd<'a> {
    /// Before all.
    First,
    /// Behind all.
    Last,
    /// A name; whether it is outside.
    Name(&'a [u8], bool),
}

/// A part of a sorted set.
#[derive(Clone, Copy, Debug)]
enum Range<'a> {
    Ranks(i64, i64),
    Scores(ScoreEnd, ScoreEnd),
    Names(NameEnd<'a>, NameEnd<'a>),
}

fn score_end(word: &[u8]) -> Result<ScoreEnd, Refusal> {
    let (word, is_outside) = word.strip_prefix(b"(").map_or((word, false), |word| (word, true));
    double(word).map(|score| (score, is_outside)).ok_or(NO_SCORES)
}

fn name_end(word: &[u8]) -> Result<NameEnd<'_>, Refusal> {
    match word {
        b"-" => Ok(NameEnd::First),
        b"+" => Ok(NameEnd::Last),
        [b'(', name @ ..] => Ok(NameEnd::Name(name, true)),
        [b'[', name @ ..] => Ok(NameEnd::Name(name, false)),
        _ => Err(NO_NAMES),
    }
}

impl<'a> Range<'a> {
    fn new(by: By, from: &'a [u8], to: &'a [u8]) -> Result<Self, Refusal> {
        Ok(match by {
            By::Rank => Self::Ranks(whole(from)?, whole(to)?),
            By::Score => Self::Scores(score_end(from)?, score_end(to)?),
            By::Name => Self::Names(name_end(from)?, name_end(to)?),
        })
    }

    /// Whether a member is in it; ranks are none of its business.
    fn has(self, name: &[u8], score: f64) -> bool {
        match self {
            Self::Ranks(..) => true,
            Self::Scores((from, is_from_outside), (to, is_to_outside)) => {
                (score > from || (!is_from_outside && score >= from)) && (score < to || (!is_to_outside && score <= to))
            }
            Self::Names(from, to) => {
                let is_behind = match from {
                    NameEnd::First => true,
                    NameEnd::Last => false,
                    NameEnd::Name(from, is_outside) => name > from || (!is_outside && name == from),
                };
                let is_before = match to {
                    NameEnd::First => false,
                    NameEnd::Last => true,
                    NameEnd::Name(to, is_outside) => name < to || (!is_outside && name == to),
                };
                is_behind && is_before
            }
        }
    }

    /// Those that are in it, in their order or from the end on.
    fn of(self, sorted: &Sorted, is_back: bool) -> Vec<(&Name, f64)> {
        let mut all: Vec<(&Name, f64)> = sorted.iter().filter(|(name, score)| self.has(name, *score)).collect();
        if is_back {
            all.reverse();
        }
        if let Self::Ranks(from, to) = self {
            let (from, many) = span(from, to, all.len());
            return all.into_iter().skip(from).take(many).collect();
        }
        all
    }
}

/// What `ZRANGE` and its older kin are asked.
#[derive(Clone, Copy, Debug)]
struct Asked {
    by: Option<By>,
    is_back: Option<bool>,
    with_scores: bool,
    limit: (i64, i64),
}

impl Asked {
    const fn new(by: Option<By>, is_back: Option<bool>) -> Self {
        Self { by, is_back, with_scores: false, limit: (0, -1) }
    }

    fn options(mut self, options: &[Vec<u8>], is_stored: bool) -> Result<Self, Refusal> {
        let mut rest = options;
        while let Some((option, behind)) = rest.split_first() {
            rest = behind;
            match (option, behind) {
                (option, _) if !is_stored && is(option, "withscores") => self.with_scores = true,
                (option, [offset, many, behind @ ..]) if is(option, "limit") => {
                    self.limit = (whole(offset)?, whole(many)?);
                    rest = behind;
                }
                (option, _) if self.is_back.is_none() && is(option, "rev") => self.is_back = Some(true),
                (option, _) if self.by.is_none() && is(option, "bylex") => self.by = Some(By::Name),
                (option, _) if self.by.is_none() && is(option, "byscore") => self.by = Some(By::Score),
                _ => return Err(SYNTAX),
            }
        }
        match self.by.unwrap_or(By::Rank) {
            By::Rank if self.limit.1 != -1 => Err(LIMIT_OF_RANKS),
            By::Name if self.with_scores => Err(SCORES_OF_NAMES),
            _ => Ok(self),
        }
    }
}

impl Server {
    /// Commands on parts of sorted sets.
    pub(super) fn ranges(&mut self, command: &[u8], words: &[Vec<u8>], reply: &mut Reply<'_>) -> Result<(), Refusal> {
        let asked = match command {
            b"zrange" | b"zrangestore" => Asked::new(None, None),
            b"zrevrange" => Asked::new(Some(By::Rank), Some(true)),
            b"zrangebyscore" => Asked::new(Some(By::Score), Some(false)),
            b"zrevrangebyscore" => Asked::new(Some(By::Score), Some(true)),
            b"zrangebylex" => Asked::new(Some(By::Name), Some(false)),
            b"zrevrangebylex" => Asked::new(Some(By::Name), Some(true)),
            _ => return self.counted_or_removed(command, words, reply),
        };
        let (to, words) =
            if command == b"zrangestore" { (words.first(), words.get(1..).unwrap_or_default()) } else { (None, words) };
        let [key, from, until, options @ ..] = words else { return Err(SYNTAX) };
        let asked = asked.options(options, to.is_some())?;
        let (by, is_back) = (asked.by.unwrap_or(By::Rank), asked.is_back.unwrap_or_default());
        let range = if is_back && by != By::Rank { Range::new(by, until, from)? } else { Range::new(by, from, until)? };
        let members = self.data.sorted(key)?.map(|sorted| range.of(sorted, is_back)).unwrap_or_default();
        let offset = usize::try_from(asked.limit.0).unwrap_or(usize::MAX);
        let most = usize::try_from(asked.limit.1).unwrap_or(usize::MAX);
        let members: Vec<(&[u8], f64)> =
            members.into_iter().skip(offset).take(most).map(|(name, score)| (&**name, score)).collect();
        let Some(to) = to else {
            reply.members(&members, asked.with_scores);
            return Ok(());
        };
        let mut sorted = Sorted::for_members(0, 0, self.data.salt);
        members.iter().for_each(|(name, score)| sorted.set(name, *score));
        self.sorted_put(to, sorted, reply)
    }

    /// Stores what was made of others, and says how many it has.
    pub(super) fn sorted_put(&mut self, to: &[u8], mut sorted: Sorted, reply: &mut Reply<'_>) -> Result<(), Refusal> {
        let many = sorted.len();
        sorted.settle();
        self.data.put(to, Entry { value: Value::Sorted(sorted), until_ms: None })?;
        reply.number(many);
        Ok(())
    }

    fn counted_or_removed(&mut self, command: &[u8], words: &[Vec<u8>], reply: &mut Reply<'_>) -> Result<(), Refusal> {
        let [key, from, to] = words else { return Err(SYNTAX) };
        let by = match command {
            b"zcount" | b"zremrangebyscore" => By::Score,
            b"zlexcount" | b"zremrangebylex" => By::Name,
            _ => By::Rank,
        };
        let range = Range::new(by, from, to)?;
        let names: Vec<Name> = match self.data.sorted(key)? {
            Some(sorted) => range.of(sorted, false).into_iter().map(|(name, _)| Name::clone(name)).collect(),
            None => Vec::new(),
        };
        if command.starts_with(b"zrem") {
            self.data.change(key, None, |value| {
                if let Value::Sorted(sorted) = value {
                    for name in &names {
                        sorted.remove(name);
                    }
                }
            });
        }
        reply.number(names.len());
        Ok(())
    }
}
