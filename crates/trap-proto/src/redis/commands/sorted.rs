//! Sorted sets: their members, one by one.

use super::{
    Reply, Server,
    stored::{NOT_POSITIVE, OUT_OF_RANGE, SYNTAX, count, float, is, keys_of, whole},
    waiting::timeout,
};
use crate::redis::data::{
    Refusal,
    order::Name,
    value::{Sorted, Value},
};
use alloc::vec::Vec;

const NO_NUMBER: Refusal = "-ERR resulting score is not a number (NaN)\r\n";
const BOTH: Refusal = "-ERR XX and NX options at the same time are not compatible\r\n";
const SEVERAL: Refusal = "-ERR GT, LT, and/or NX options at the same time are not compatible\r\n";
const ONE_PAIR: Refusal = "-ERR INCR option supports a single increment-element pair\r\n";
const NO_COUNT: Refusal = "-ERR count should be greater than 0\r\n";
const TOO_MANY: Refusal = "-ERR wrong number of arguments for 'zrank' command\r\n";
const TOO_MANY_BACK: Refusal = "-ERR wrong number of arguments for 'zrevrank' command\r\n";

/// What `ZADD` is told besides.
#[derive(Clone, Copy, Debug, Default)]
struct Flags {
    nx: bool,
    xx: bool,
    gt: bool,
    lt: bool,
    ch: bool,
    incr: bool,
}

/// What became of one member.
#[derive(Clone, Copy, Debug, Default)]
struct Became {
    is_added: bool,
    is_changed: bool,
    /// Its score, unless the flags forbade it.
    score: Option<f64>,
}

fn one_added(sorted: &mut Sorted, flags: Flags, score: f64, member: &[u8]) -> Result<Became, Refusal> {
    let old = sorted.score(member);
    let new = if flags.incr { old.unwrap_or_default() + score } else { score };
    if new.is_nan() {
        return Err(NO_NUMBER);
    }
    let is_refused = match old {
        Some(old) => flags.nx || (flags.gt && new <= old) || (flags.lt && new >= old),
        None => flags.xx,
    };
    if is_refused {
        return Ok(Became::default());
    }
    #[expect(clippy::float_cmp, reason = "whether it is the same score")]
    let is_changed = old.is_some_and(|old| old != new);
    if old.is_none() || is_changed {
        sorted.set(member, new);
    }
    Ok(Became { is_added: old.is_none(), is_changed, score: Some(new) })
}

impl Server {
    /// Commands on members of sorted sets.
    pub(super) fn sorted(&mut self, command: &[u8], words: &[Vec<u8>], reply: &mut Reply<'_>) -> Result<(), Refusal> {
        match (command, words) {
            (b"zadd", [key, rest @ ..]) => self.scored(key, rest, Flags::default(), reply),
            (b"zincrby", [key, pair @ ..]) => self.scored(key, pair, Flags { incr: true, ..Flags::default() }, reply),
            (b"zscore", [key, member]) => {
                score_or_nil(self.data.sorted(key)?.and_then(|sorted| sorted.score(member)), reply);
                Ok(())
            }
            (b"zmscore", [key, members @ ..]) => {
                let sorted = self.data.sorted(key)?;
                reply.array(members.len());
                members.iter().for_each(|member| score_or_nil(sorted.and_then(|sorted| sorted.score(member)), reply));
                Ok(())
            }
            (b"zcard", [key]) => {
                reply.number(self.data.sorted(key)?.map_or(0, Sorted::len));
                Ok(())
            }
            (b"zrank" | b"zrevrank", [key, member, options @ ..]) => {
                self.ranked(command == b"zrevrank", key, member, options, reply)
            }
            (b"zrem", [key, members @ ..]) => {
                self.data.sorted(key)?;
                let gone = self.data.change(key, None, |value| {
                    let Value::Sorted(sorted) = value else { return 0 };
                    members.iter().filter(|member| sorted.remove(member).is_some()).count()
                });
                reply.number(gone.unwrap_or_default());
                Ok(())
            }
            (b"zpopmin" | b"zpopmax", [key]) => self.ends(key, command == b"zpopmin", None, reply),
            (b"zpopmin" | b"zpopmax", [key, most]) => {
                let most = count(most, NOT_POSITIVE)?;
                self.ends(key, command == b"zpopmin", Some(most), reply)
            }
            (b"bzpopmin" | b"bzpopmax", [keys @ .., wait]) => self.end_or_waiting(keys, command == b"bzpopmin", wait, reply),
            (b"zmpop", words) => self.ends_of_many(words, None, reply),
            (b"bzmpop", [wait, words @ ..]) => self.ends_of_many(words, Some(wait), reply),
            (b"zrandmember", [key]) => {
                let all = self.data.sorted(key)?.map_or(0, Sorted::len);
                let index = self.random(all);
                reply.bulk_or_nil(self.data.sorted(key)?.and_then(|sorted| sorted.iter().nth(index)).map(|(name, _)| &**name));
                Ok(())
            }
            (b"zrandmember", [key, most, options @ ..]) => self.members_shown(key, whole(most)?, options, reply),
            _ => Err(SYNTAX),
        }
    }

    fn scored(&mut self, key: &[u8], words: &[Vec<u8>], flags: Flags, reply: &mut Reply<'_>) -> Result<(), Refusal> {
        let (mut flags, mut pairs) = (flags, words);
        // `ZINCRBY` takes the same, but no flags: its words are two.
        while let Some((word, rest)) = pairs.split_first() {
            match word {
                word if is(word, "nx") => flags.nx = true,
                word if is(word, "xx") => flags.xx = true,
                word if is(word, "gt") => flags.gt = true,
                word if is(word, "lt") => flags.lt = true,
                word if is(word, "ch") => flags.ch = true,
                word if is(word, "incr") => flags.incr = true,
                _ => break,
            }
            pairs = rest;
        }
        if pairs.is_empty() || pairs.len() % 2 == 1 {
            return Err(SYNTAX);
        }
        if flags.nx && flags.xx {
            return Err(BOTH);
        }
        if [flags.nx, flags.gt, flags.lt].into_iter().filter(|is_set| *is_set).count() > 1 {
            return Err(SEVERAL);
        }
        if flags.incr && pairs.len() > 2 {
            return Err(ONE_PAIR);
        }
        let scores: Vec<f64> = pairs.iter().step_by(2).map(|score| float(score)).collect::<Result<_, _>>()?;
        let members = || pairs.iter().skip(1).step_by(2);
        let is_new = self.data.sorted(key)?.is_none();
        let mut done = Vec::with_capacity(scores.len());
        if !(is_new && flags.xx) {
            let first = members().next().map_or(0, Vec::len);
            let new = Value::Sorted(Sorted::for_members(scores.len(), first, self.data.salt));
            let result = self.data.change(key, Some(new), |value| -> Result<(), Refusal> {
                let Value::Sorted(sorted) = value else { return Ok(()) };
                if !is_new {
                    sorted.expect(scores.len());
                }
                for (score, member) in scores.iter().zip(members()) {
                    done.push(one_added(sorted, flags, *score, member)?);
                }
                Ok(())
            });
            result.unwrap_or(Ok(()))?;
        }
        if flags.incr {
            score_or_nil(done.first().and_then(|became| became.score), reply);
        } else {
            reply.number(done.iter().filter(|became| became.is_added || (flags.ch && became.is_changed)).count());
        }
        Ok(())
    }

    fn ranked(
        &self,
        is_back: bool,
        key: &[u8],
        member: &[u8],
        options: &[Vec<u8>],
        reply: &mut Reply<'_>,
    ) -> Result<(), Refusal> {
        let with_score = match options {
            [] => false,
            [option] if is(option, "withscore") => true,
            [_] => return Err(SYNTAX),
            _ => return Err(if is_back { TOO_MANY_BACK } else { TOO_MANY }),
        };
        let sorted = self.data.sorted(key)?;
        let found = sorted.and_then(|sorted| Some((sorted.rank(member)?, sorted.score(member)?, sorted.len())));
        match found {
            Some((rank, score, all)) => {
                if with_score {
                    reply.array(2);
                }
                reply.number(if is_back { all - 1 - rank } else { rank });
                if with_score {
                    reply.double(score);
                }
            }
            None if with_score => reply.nil_list(),
            None => reply.nil(),
        }
        Ok(())
    }

    fn pop_end(&mut self, key: &[u8], is_first: bool) -> Option<(Name, f64)> {
        self.data.change(key, None, |value| if let Value::Sorted(sorted) = value { sorted.pop(is_first) } else { None }).flatten()
    }

    fn ends(&mut self, key: &[u8], is_first: bool, most: Option<usize>, reply: &mut Reply<'_>) -> Result<(), Refusal> {
        let many = self.data.sorted(key)?.map_or(0, Sorted::len).min(most.unwrap_or(1));
        let is_nested = most.is_some() && reply.is_resp3;
        reply.array(if is_nested { many } else { many * 2 });
        for (name, score) in (0..many).map_while(|_| self.pop_end(key, is_first)) {
            if is_nested {
                reply.array(2);
            }
            reply.bulk(&name);
            reply.double(score);
        }
        Ok(())
    }

    fn end_or_waiting(&mut self, keys: &[Vec<u8>], is_first: bool, wait: &[u8], reply: &mut Reply<'_>) -> Result<(), Refusal> {
        let wait = timeout(wait)?;
        for key in keys {
            if self.data.sorted(key)?.is_some() {
                reply.array(3);
                reply.bulk(key);
                if let Some((name, score)) = self.pop_end(key, is_first) {
                    reply.bulk(&name);
                    reply.double(score);
                }
                return Ok(());
            }
        }
        self.wait(wait, true, reply);
        Ok(())
    }

    fn ends_of_many(&mut self, words: &[Vec<u8>], wait: Option<&Vec<u8>>, reply: &mut Reply<'_>) -> Result<(), Refusal> {
        let (keys, rest) = keys_of(words, SYNTAX)?;
        let (end, options) = rest.split_first().ok_or(SYNTAX)?;
        let is_first = is(end, "min");
        if !is_first && !is(end, "max") {
            return Err(SYNTAX);
        }
        let most = match options {
            [] => 1,
            [name, most] if is(name, "count") => match count(most, NO_COUNT)? {
                0 => return Err(NO_COUNT),
                most => most,
            },
            _ => return Err(SYNTAX),
        };
        let wait = wait.map(|wait| timeout(wait)).transpose()?;
        for key in keys {
            if let Some(sorted) = self.data.sorted(key)? {
                let many = most.min(sorted.len());
                reply.array(2);
                reply.bulk(key);
                reply.array(many);
                for (name, score) in (0..many).map_while(|_| self.pop_end(key, is_first)) {
                    reply.array(2);
                    reply.bulk(&name);
                    reply.double(score);
                }
                return Ok(());
            }
        }
        match wait {
            Some(wait) => self.wait(wait, true, reply),
            None => reply.nil_list(),
        }
        Ok(())
    }

    fn members_shown(&mut self, key: &[u8], most: i64, options: &[Vec<u8>], reply: &mut Reply<'_>) -> Result<(), Refusal> {
        let with_scores = match options {
            [] => false,
            [option] if is(option, "withscores") => true,
            _ => return Err(SYNTAX),
        };
        if with_scores && !(i64::MIN / 2..=i64::MAX / 2).contains(&most) {
            return Err(OUT_OF_RANGE);
        }
        let all = self.data.sorted(key)?.map_or(0, Sorted::len);
        let many = usize::try_from(most.unsigned_abs()).unwrap_or(usize::MAX);
        let chosen = if most >= 0 || all == 0 { self.some_of(all, many) } else { self.any_of(all, many)? };
        let members: Vec<(&Name, f64)> = self.data.sorted(key)?.into_iter().flat_map(Sorted::iter).collect();
        let shown = chosen.into_iter().filter_map(|index| members.get(index)).map(|(name, score)| (&***name, *score));
        reply.members(&shown.collect::<Vec<_>>(), with_scores);
        Ok(())
    }
}

fn score_or_nil(score: Option<f64>, reply: &mut Reply<'_>) {
    match score {
        Some(score) => reply.double(score),
        None => reply.nil(),
    }
}

impl Reply<'_> {
    /// Members, with their scores or without: in pairs of their own where these can be told.
    pub(super) fn members(&mut self, members: &[(&[u8], f64)], with_scores: bool) {
        let is_nested = with_scores && self.is_resp3;
        self.array(if with_scores && !is_nested { members.len() * 2 } else { members.len() });
        for (name, score) in members {
            if is_nested {
                self.array(2);
            }
            self.bulk(name);
            if with_scores {
                self.double(*score);
            }
        }
    }
}
