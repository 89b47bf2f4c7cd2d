//! Sorted sets: what is made of several.

use super::{
    Reply, Server,
    stored::{SYNTAX, count, is, whole},
};
use crate::redis::data::{
    Refusal, WRONG_TYPE,
    number::double,
    order::Name,
    value::{Sorted, Value},
};
use alloc::{collections::BTreeMap, format, vec, vec::Vec};

const NO_WEIGHT: Refusal = "-ERR weight value is not a float\r\n";
const LIMIT_BELOW: Refusal = "-ERR LIMIT can't be negative\r\n";

/// How two scores of one member become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Aggregate {
    Sum,
    Min,
    Max,
}

impl Aggregate {
    fn of(self, one: f64, other: f64) -> f64 {
        match self {
            Self::Sum => number(one + other),
            Self::Min => one.min(other),
            Self::Max => one.max(other),
        }
    }
}

/// Without bounds and back is nought.
const fn number(score: f64) -> f64 {
    if score.is_nan() { 0.0 } else { score }
}

/// What is asked besides.
#[derive(Clone, Debug)]
struct Asked {
    weights: Vec<f64>,
    aggregate: Aggregate,
    with_scores: bool,
    limit: usize,
}

impl Asked {
    fn new(command: &[u8], keys: usize, options: &[Vec<u8>]) -> Result<Self, Refusal> {
        let mut asked = Self { weights: vec![1.0; keys], aggregate: Aggregate::Sum, with_scores: false, limit: 0 };
        let is_count = command == b"zintercard";
        let is_weighed = !is_count && !command.starts_with(b"zdiff");
        let is_shown = !is_count && !command.ends_with(b"store");
        let mut rest = options;
        while let Some((option, behind)) = rest.split_first() {
            rest = match (option, behind) {
                (option, behind) if is_weighed && is(option, "weights") && behind.len() >= keys => {
                    let (weights, behind) = behind.split_at_checked(keys).ok_or(SYNTAX)?;
                    asked.weights = weights.iter().map(|weight| double(weight).ok_or(NO_WEIGHT)).collect::<Result<_, _>>()?;
                    behind
                }
                (option, [how, behind @ ..]) if is_weighed && is(option, "aggregate") => {
                    asked.aggregate = match how {
                        how if is(how, "sum") => Aggregate::Sum,
                        how if is(how, "min") => Aggregate::Min,
                        how if is(how, "max") => Aggregate::Max,
                        _ => return Err(SYNTAX),
                    };
                    behind
                }
                (option, behind) if is_shown && is(option, "withscores") => {
                    asked.with_scores = true;
                    behind
                }
                (option, [limit, behind @ ..]) if is_count && is(option, "limit") => {
                    asked.limit = count(limit, LIMIT_BELOW)?;
                    behind
                }
                _ => return Err(SYNTAX),
            };
        }
        Ok(asked)
    }
}

/// One of those that others are made of.
type Source<'a> = (Vec<(&'a Name, f64)>, Option<&'a Value>);

impl Server {
    /// Commands on several sorted sets, or sets.
    pub(super) fn unions(&mut self, command: &[u8], words: &[Vec<u8>], reply: &mut Reply<'_>) -> Result<(), Refusal> {
        let (to, words) =
            if command.ends_with(b"store") { (words.first(), words.get(1..).unwrap_or_default()) } else { (None, words) };
        let [number, rest @ ..] = words else { return Err(SYNTAX) };
        let keys = match usize::try_from(whole(number)?) {
            Ok(keys @ 1..) => keys,
            _ => {
                let name = core::str::from_utf8(command).unwrap_or_default();
                reply.raw(&format!("-ERR at least 1 input key is needed for '{name}' command\r\n"));
                return Ok(());
            }
        };
        let (keys, options) = rest.split_at_checked(keys).ok_or(SYNTAX)?;
        let sources: Vec<Source<'_>> = keys.iter().map(|key| self.source(key)).collect::<Result<_, _>>()?;
        let asked = Asked::new(command, keys.len(), options)?;
        let scores = match command {
            command if command.starts_with(b"zunion") => united(&sources, &asked),
            command if command.starts_with(b"zdiff") => without(&sources),
            _ => shared(&sources, &asked),
        };
        if command == b"zintercard" {
            reply.number(if asked.limit == 0 { scores.len() } else { scores.len().min(asked.limit) });
            return Ok(());
        }
        let mut sorted = Sorted::for_members(0, 0, self.data.salt);
        scores.into_iter().for_each(|(name, score)| sorted.set(&name, score));
        match to {
            Some(to) => self.sorted_put(to, sorted, reply),
            None => {
                let members: Vec<(&[u8], f64)> = sorted.iter().map(|(name, score)| (&**name, score)).collect();
                reply.members(&members, asked.with_scores);
                Ok(())
            }
        }
    }

    /// The members of a set have the score 1.
    fn source(&self, key: &[u8]) -> Result<Source<'_>, Refusal> {
        let value = self.data.value(key);
        Ok(match value {
            None => (Vec::new(), None),
            Some(Value::Set(set)) => (set.names().map(|name| (name, 1.0)).collect(), value),
            Some(Value::Sorted(sorted)) => (sorted.iter().collect(), value),
            Some(_) => return Err(WRONG_TYPE),
        })
    }
}

/// The score that a member has in a source.
fn score_in(source: &Source<'_>, name: &[u8]) -> Option<f64> {
    match source.1? {
        Value::Set(set) => set.has(name).then_some(1.0),
        Value::Sorted(sorted) => sorted.score(name),
        _ => None,
    }
}

fn united(sources: &[Source<'_>], asked: &Asked) -> BTreeMap<Name, f64> {
    let mut scores = BTreeMap::new();
    for ((members, _), weight) in sources.iter().zip(&asked.weights) {
        for (name, score) in members {
            let score = number(score * weight);
            scores.entry(Name::clone(name)).and_modify(|known| *known = asked.aggregate.of(*known, score)).or_insert(score);
        }
    }
    scores
}

fn shared(sources: &[Source<'_>], asked: &Asked) -> BTreeMap<Name, f64> {
    let mut order: Vec<(&Source<'_>, f64)> = sources.iter().zip(asked.weights.iter().copied()).collect();
    order.sort_by_key(|(source, _)| source.0.len());
    let Some(((first, weight), others)) = order.split_first() else { return BTreeMap::new() };
    let of = |(name, score): &(&Name, f64)| {
        let mut sum = number(score * weight);
        for (other, weight) in others {
            sum = asked.aggregate.of(sum, score_in(other, name)? * weight);
        }
        Some((Name::clone(name), sum))
    };
    first.0.iter().filter_map(of).collect()
}

fn without(sources: &[Source<'_>]) -> BTreeMap<Name, f64> {
    let Some(((first, _), others)) = sources.split_first() else { return BTreeMap::new() };
    let mut scores: BTreeMap<Name, f64> = first.iter().map(|(name, score)| (Name::clone(name), *score)).collect();
    for (name, _) in others.iter().flat_map(|(members, _)| members) {
        scores.remove(*name);
    }
    scores
}
