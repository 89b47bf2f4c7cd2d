//! Lists.

use super::{
    Reply, Server,
    stored::{NO_INDEX, NO_KEY, NOT_POSITIVE, SYNTAX, count, is, keys_of, span, whole},
    waiting::timeout,
};
use crate::redis::data::{
    NO_MEMORY, Refusal,
    number::integer,
    value::{Kind, List, Value},
};
use alloc::vec::Vec;

const NO_RANK: Refusal = "-ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to start \
    from the end of the list\r\n";
const COUNT_BELOW: Refusal = "-ERR COUNT can't be negative\r\n";
const LENGTH_BELOW: Refusal = "-ERR MAXLEN can't be negative\r\n";
const NO_COUNT: Refusal = "-ERR count should be greater than 0\r\n";
const TOO_MANY: Refusal = "-ERR wrong number of arguments for 'lpop' command\r\n";
const TOO_MANY_RIGHT: Refusal = "-ERR wrong number of arguments for 'rpop' command\r\n";

/// Which of a list's ends a word says; whether it is the left one.
fn is_left(word: &[u8]) -> Result<bool, Refusal> {
    match word {
        _ if is(word, "left") => Ok(true),
        _ if is(word, "right") => Ok(false),
        _ => Err(SYNTAX),
    }
}

/// Which one a number says, which is counted from the end where it is below nought.
fn index_of(number: i64, all: usize) -> Option<usize> {
    let from_end = || usize::try_from(number.unsigned_abs()).ok().and_then(|back| all.checked_sub(back));
    if number < 0 { from_end() } else { usize::try_from(number).ok().filter(|index| *index < all) }
}

/// Whether two values are the same: most are not from their first byte on, and there may be a thousand.
fn is_same(value: &[u8], wanted: &[u8]) -> bool {
    value.len() == wanted.len() && value.first() == wanted.first() && value == wanted
}

impl Server {
    /// Commands on lists.
    pub(super) fn lists(&mut self, command: &[u8], words: &[Vec<u8>], reply: &mut Reply<'_>) -> Result<(), Refusal> {
        match (command, words) {
            (b"lpush" | b"rpush" | b"lpushx" | b"rpushx", [key, values @ ..]) => {
                self.pushed(key, values, command[0] == b'l', command.ends_with(b"x"), reply)
            }
            (b"lpop" | b"rpop", [key, rest @ ..]) => self.popped(key, rest, command == b"lpop", reply),
            (b"llen", [key]) => {
                reply.number(self.data.list(key)?.map_or(0, List::len));
                Ok(())
            }
            (b"lrange", [key, from, to]) => self.list_range(key, whole(from)?, whole(to)?, reply),
            (b"lindex", [key, index]) => self.list_index(key, index, reply),
            (b"lset", [key, index, value]) => self.list_set(key, index, value, reply),
            (b"lrem", [key, count, value]) => self.list_remove(key, whole(count)?, value, reply),
            (b"ltrim", [key, from, to]) => self.list_trim(key, whole(from)?, whole(to)?, reply),
            (b"linsert", [key, place, pivot, value]) => self.list_insert(key, place, pivot, value, reply),
            (b"lpos", [key, value, options @ ..]) => self.list_position(key, value, options, reply),
            (b"lmove", [from, to, one, other]) => self.moved(from, to, (is_left(one)?, is_left(other)?), reply).map(drop),
            (b"rpoplpush", [from, to]) => self.moved(from, to, (false, true), reply).map(drop),
            (b"blmove", [from, to, one, other, wait]) => {
                let ends = (is_left(one)?, is_left(other)?);
                self.moved_or_waiting(from, to, ends, wait, reply)
            }
            (b"brpoplpush", [from, to, wait]) => self.moved_or_waiting(from, to, (false, true), wait, reply),
            (b"blpop" | b"brpop", [keys @ .., wait]) => self.popped_or_waiting(keys, command == b"blpop", wait, reply),
            (b"lmpop", words) => self.popped_many(words, None, reply),
            (b"blmpop", [wait, words @ ..]) => self.popped_many(words, Some(wait), reply),
            _ => Err(SYNTAX),
        }
    }

    fn pushed(
        &mut self,
        key: &[u8],
        values: &[Vec<u8>],
        is_left: bool,
        is_known: bool,
        reply: &mut Reply<'_>,
    ) -> Result<(), Refusal> {
        if self.data.list(key)?.is_none() && is_known {
            reply.number(0);
            return Ok(());
        }
        let all = self.data.change(key, Some(Value::List(List::default())), |value| {
            let Value::List(list) = value else { return 0 };
            list.expect(values.iter());
            values.iter().for_each(|value| list.push(is_left, value.clone()));
            list.len()
        });
        reply.number(all.unwrap_or_default());
        Ok(())
    }

    fn pop_one(&mut self, key: &[u8], is_left: bool) -> Option<Vec<u8>> {
        self.data.change(key, None, |value| if let Value::List(list) = value { list.pop(is_left) } else { None }).flatten()
    }

    fn popped(&mut self, key: &[u8], rest: &[Vec<u8>], is_left: bool, reply: &mut Reply<'_>) -> Result<(), Refusal> {
        let most = match rest {
            [] => None,
            [most] => Some(count(most, NOT_POSITIVE)?),
            _ => return Err(if is_left { TOO_MANY } else { TOO_MANY_RIGHT }),
        };
        match (self.data.list(key)?, most) {
            (None, Some(_)) => reply.nil_list(),
            (None, None) => reply.nil(),
            (Some(_), None) => {
                let value = self.pop_one(key, is_left);
                reply.bulk_or_nil(value.as_deref());
            }
            (Some(list), Some(most)) => {
                let many = most.min(list.len());
                self.pop_many(key, is_left, many, reply);
            }
        }
        Ok(())
    }

    fn pop_many(&mut self, key: &[u8], is_left: bool, many: usize, reply: &mut Reply<'_>) {
        reply.array(many);
        for _ in 0..many {
            let value = self.pop_one(key, is_left);
            reply.bulk_or_nil(value.as_deref());
        }
    }

    fn list_range(&self, key: &[u8], from: i64, to: i64, reply: &mut Reply<'_>) -> Result<(), Refusal> {
        let Some(list) = self.data.list(key)? else {
            reply.array(0);
            return Ok(());
        };
        let (from, many) = span(from, to, list.len());
        reply.list(list.iter().skip(from).take(many).map(Vec::as_slice));
        Ok(())
    }

    fn list_index(&self, key: &[u8], index: &[u8], reply: &mut Reply<'_>) -> Result<(), Refusal> {
        let Some(list) = self.data.list(key)? else {
            reply.nil();
            return Ok(());
        };
        let value = index_of(whole(index)?, list.len()).and_then(|index| list.get(index));
        reply.bulk_or_nil(value.map(Vec::as_slice));
        Ok(())
    }

    fn list_set(&mut self, key: &[u8], index: &[u8], value: &[u8], reply: &mut Reply<'_>) -> Result<(), Refusal> {
        let all = self.data.list(key)?.ok_or(NO_KEY)?.len();
        let index = index_of(whole(index)?, all).ok_or(NO_INDEX)?;
        self.data.change(key, None, |old| {
            if let Value::List(list) = old {
                list.expect(core::iter::once(&value.to_vec()));
                list.set(index, value.to_vec());
            }
        });
        reply.raw("+OK\r\n");
        Ok(())
    }

    fn list_remove(&mut self, key: &[u8], most: i64, wanted: &[u8], reply: &mut Reply<'_>) -> Result<(), Refusal> {
        if most == i64::MIN {
            return Err("-ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807\r\n");
        }
        let Some(list) = self.data.list(key)? else {
            reply.number(0);
            return Ok(());
        };
        let all = list.len();
        let most_of_them = usize::try_from(most.unsigned_abs()).ok().filter(|most| *most > 0).unwrap_or(usize::MAX);
        let mut places: Vec<usize> = if most >= 0 {
            list.iter().enumerate().filter(|(_, value)| is_same(value, wanted)).map(|(at, _)| at).take(most_of_them).collect()
        } else {
            let back = list.iter().rev().enumerate().filter(|(_, value)| is_same(value, wanted));
            back.map(|(at, _)| all - 1 - at).take(most_of_them).collect()
        };
        places.sort_unstable();
        if !places.is_empty() {
            self.data.change(key, None, |value| {
                if let Value::List(list) = value {
                    list.remove(&places);
                }
            });
        }
        reply.number(places.len());
        Ok(())
    }

    fn list_trim(&mut self, key: &[u8], from: i64, to: i64, reply: &mut Reply<'_>) -> Result<(), Refusal> {
        if let Some(list) = self.data.list(key)? {
            let (from, many) = span(from, to, list.len());
            let places: Vec<usize> = (0..from).chain(from + many..list.len()).collect();
            self.data.change(key, None, |value| {
                if let Value::List(list) = value {
                    list.remove(&places);
                }
            });
        }
        reply.raw("+OK\r\n");
        Ok(())
    }

    fn list_insert(&mut self, key: &[u8], place: &[u8], pivot: &[u8], new: &[u8], reply: &mut Reply<'_>) -> Result<(), Refusal> {
        let behind = match place {
            _ if is(place, "before") => 0,
            _ if is(place, "after") => 1,
            _ => return Err(SYNTAX),
        };
        if self.data.list(key)?.is_none() {
            reply.number(0);
            return Ok(());
        }
        let all = self.data.change(key, None, |value| {
            let Value::List(list) = value else { return None };
            list.expect(core::iter::once(&new.to_vec()));
            let at = list.iter().position(|value| is_same(value, pivot))?;
            list.insert(at + behind, new.to_vec());
            i64::try_from(list.len()).ok()
        });
        reply.integer(all.flatten().unwrap_or(-1));
        Ok(())
    }

    fn list_position(&self, key: &[u8], wanted: &[u8], options: &[Vec<u8>], reply: &mut Reply<'_>) -> Result<(), Refusal> {
        let (mut rank, mut many, mut length) = (1_i64, None, 0);
        for option in options.chunks(2) {
            match option {
                [name, value] if is(name, "rank") => {
                    rank = whole(value).and_then(|rank| if rank == 0 { Err(NO_RANK) } else { Ok(rank) })?;
                }
                [name, value] if is(name, "count") => many = Some(count(value, COUNT_BELOW)?),
                [name, value] if is(name, "maxlen") => length = count(value, LENGTH_BELOW)?,
                _ => return Err(SYNTAX),
            }
        }
        let list = self.data.list(key)?;
        let all = list.map_or(0, List::len);
        let most = if length == 0 { all } else { length };
        let skipped = usize::try_from(rank.unsigned_abs() - 1).unwrap_or(usize::MAX);
        let wanted_many = many.map_or(1, |many| if many == 0 { all } else { many });
        let values = list.into_iter().flat_map(List::iter);
        let found: Vec<usize> = if rank > 0 {
            let found = values.enumerate().take(most).filter(|(_, value)| is_same(value, wanted)).map(|(at, _)| at);
            found.skip(skipped).take(wanted_many).collect()
        } else {
            let found =
                values.rev().enumerate().take(most).filter(|(_, value)| is_same(value, wanted)).map(|(at, _)| all - 1 - at);
            found.skip(skipped).take(wanted_many).collect()
        };
        match many {
            None => match found.first() {
                Some(index) => reply.number(*index),
                None => reply.nil(),
            },
            Some(_) => {
                reply.array(found.len());
                found.into_iter().for_each(|index| reply.number(index));
            }
        }
        Ok(())
    }

    /// Moves one from a list to another; whether there was one.
    fn moved(
        &mut self,
        from: &[u8],
        to: &[u8],
        (takes_left, gives_left): (bool, bool),
        reply: &mut Reply<'_>,
    ) -> Result<bool, Refusal> {
        let Some(list) = self.data.list(from)? else {
            reply.nil();
            return Ok(false);
        };
        let bytes = if takes_left { list.iter().next() } else { list.iter().next_back() }.map_or(0, Vec::len);
        self.data.list(to)?;
        if from != to && !self.data.has_room(to, Kind::List, 1, bytes) {
            return Err(NO_MEMORY);
        }
        // The list may be one of one that moves to itself: it stays.
        if from == to && list.len() == 1 {
            let value = list.iter().next().cloned();
            reply.bulk_or_nil(value.as_deref());
            return Ok(true);
        }
        let Some(value) = self.pop_one(from, takes_left) else { return Ok(false) };
        reply.bulk(&value);
        self.data.change(to, Some(Value::List(List::default())), |list| {
            if let Value::List(list) = list {
                list.expect(core::iter::once(&value));
                list.push(gives_left, value);
            }
        });
        Ok(true)
    }

    fn moved_or_waiting(
        &mut self,
        from: &[u8],
        to: &[u8],
        ends: (bool, bool),
        wait: &[u8],
        reply: &mut Reply<'_>,
    ) -> Result<(), Refusal> {
        let wait = timeout(wait)?;
        let before = reply.answer.len();
        if !self.moved(from, to, ends, reply)? {
            reply.answer.truncate(before);
            self.wait(wait, false, reply);
        }
        Ok(())
    }

    fn popped_or_waiting(&mut self, keys: &[Vec<u8>], is_left: bool, wait: &[u8], reply: &mut Reply<'_>) -> Result<(), Refusal> {
        let wait = timeout(wait)?;
        for key in keys {
            if self.data.list(key)?.is_some() {
                let value = self.pop_one(key, is_left);
                reply.array(2);
                reply.bulk(key);
                reply.bulk_or_nil(value.as_deref());
                return Ok(());
            }
        }
        self.wait(wait, true, reply);
        Ok(())
    }

    fn popped_many(&mut self, words: &[Vec<u8>], wait: Option<&Vec<u8>>, reply: &mut Reply<'_>) -> Result<(), Refusal> {
        let (keys, rest) = keys_of(words, SYNTAX)?;
        let (end, options) = rest.split_first().ok_or(SYNTAX)?;
        let is_left = is_left(end)?;
        let most = match options {
            [] => 1,
            [name, most] if is(name, "count") => {
                integer(most).and_then(|most| usize::try_from(most).ok()).filter(|most| *most > 0).ok_or(NO_COUNT)?
            }
            _ => return Err(SYNTAX),
        };
        let wait = wait.map(|wait| timeout(wait)).transpose()?;
        for key in keys {
            if let Some(list) = self.data.list(key)? {
                let many = most.min(list.len());
                reply.array(2);
                reply.bulk(key);
                self.pop_many(key, is_left, many, reply);
                return Ok(());
            }
        }
        match wait {
            Some(wait) => self.wait(wait, true, reply),
            None => reply.nil_list(),
        }
        Ok(())
    }
}
