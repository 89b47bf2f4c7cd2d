//! Sets.

use super::{
    Reply, Server,
    stored::{NOT_POSITIVE, SYNTAX, count, is, keys_of, whole},
};
use crate::redis::data::{
    Entry, NO_MEMORY, Refusal,
    order::{Name, Places},
    value::{Kind, Set, Value},
};
use alloc::vec::Vec;

const TOO_MANY_KEYS: Refusal = "-ERR Number of keys can't be greater than number of args\r\n";
const LIMIT_BELOW: Refusal = "-ERR LIMIT can't be negative\r\n";

/// What is made of several sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Made {
    Inter,
    Union,
    Diff,
}

impl Server {
    /// Commands on sets.
    pub(super) fn sets(&mut self, command: &[u8], words: &[Vec<u8>], reply: &mut Reply<'_>) -> Result<(), Refusal> {
        match (command, words) {
            (b"sadd", [key, members @ ..]) => self.joined(key, members, reply),
            (b"srem", [key, members @ ..]) => self.left(key, members, reply),
            (b"smembers", [key]) => {
                self.given(self.data.set(key)?, reply);
                Ok(())
            }
            (b"sismember", [key, member]) => {
                reply.number(usize::from(self.data.set(key)?.is_some_and(|set| set.has(member))));
                Ok(())
            }
            (b"smismember", [key, members @ ..]) => {
                let set = self.data.set(key)?;
                reply.array(members.len());
                members.iter().for_each(|member| reply.number(usize::from(set.is_some_and(|set| set.has(member)))));
                Ok(())
            }
            (b"scard", [key]) => {
                reply.number(self.data.set(key)?.map_or(0, Set::len));
                Ok(())
            }
            (b"spop", [key]) => self.drawn(key, true, reply),
            (b"srandmember", [key]) => self.drawn(key, false, reply),
            (b"spop", [key, most]) => self.drawn_many(key, count(most, NOT_POSITIVE)?, reply),
            (b"srandmember", [key, most]) => self.shown_many(key, whole(most)?, reply),
            (b"smove", [from, to, member]) => self.set_move(from, to, member, reply),
            (b"sinter", keys) => self.made(Made::Inter, None, keys, reply),
            (b"sunion", keys) => self.made(Made::Union, None, keys, reply),
            (b"sdiff", keys) => self.made(Made::Diff, None, keys, reply),
            (b"sinterstore", [to, keys @ ..]) => self.made(Made::Inter, Some(to), keys, reply),
            (b"sunionstore", [to, keys @ ..]) => self.made(Made::Union, Some(to), keys, reply),
            (b"sdiffstore", [to, keys @ ..]) => self.made(Made::Diff, Some(to), keys, reply),
            (b"sintercard", words) => self.common(words, reply),
            _ => Err(SYNTAX),
        }
    }

    fn given(&self, set: Option<&Set>, reply: &mut Reply<'_>) {
        reply.set(set.map_or(0, Set::len));
        set.into_iter().flat_map(Set::names).for_each(|name| reply.bulk(name));
    }

    fn joined(&mut self, key: &[u8], members: &[Vec<u8>], reply: &mut Reply<'_>) -> Result<(), Refusal> {
        let is_new = self.data.set(key)?.is_none();
        let first = members.first().ok_or(SYNTAX)?;
        let new = Set::for_members(first, members.len(), self.data.salt);
        let joined = self.data.change(key, Some(Value::Set(new)), |value| {
            let Value::Set(set) = value else { return 0 };
            if !is_new {
                set.expect(members.len());
            }
            members.iter().filter(|member| set.join(member)).count()
        });
        reply.number(joined.unwrap_or_default());
        Ok(())
    }

    fn left(&mut self, key: &[u8], members: &[Vec<u8>], reply: &mut Reply<'_>) -> Result<(), Refusal> {
        self.data.set(key)?;
        let left = self.data.change(key, None, |value| {
            let Value::Set(set) = value else { return 0 };
            members.iter().filter(|member| set.remove(member).is_some()).count()
        });
        reply.number(left.unwrap_or_default());
        Ok(())
    }

    /// One that nobody can foresee.
    fn drawn(&mut self, key: &[u8], is_taken: bool, reply: &mut Reply<'_>) -> Result<(), Refusal> {
        let all = self.data.set(key)?.map_or(0, Set::len);
        let index = self.random(all);
        let name = self.data.set(key)?.and_then(|set| set.names().nth(index)).map(Name::clone);
        reply.bulk_or_nil(name.as_deref());
        if let Some(name) = name.filter(|_| is_taken) {
            self.data.change(key, None, |value| if let Value::Set(set) = value { set.remove(&name) } else { None });
        }
        Ok(())
    }

    fn drawn_many(&mut self, key: &[u8], most: usize, reply: &mut Reply<'_>) -> Result<(), Refusal> {
        let all = self.data.set(key)?.map_or(0, Set::len);
        if most >= all {
            self.made(Made::Union, None, core::slice::from_ref(&key.to_vec()), reply)?;
            self.data.remove(key);
            return Ok(());
        }
        let chosen = self.some_of(all, most);
        let names = self.chosen(key, &chosen)?;
        reply.set(names.len());
        names.iter().for_each(|name| reply.bulk(name));
        self.data.change(key, None, |value| {
            if let Value::Set(set) = value {
                for name in &names {
                    set.remove(name);
                }
            }
        });
        Ok(())
    }

    /// Those with these numbers, which are in their order.
    fn chosen(&self, key: &[u8], chosen: &[usize]) -> Result<Vec<Name>, Refusal> {
        let names = self.data.set(key)?.into_iter().flat_map(Set::names).enumerate();
        let mut wanted = chosen.iter().peekable();
        Ok(names
            .filter(|(index, _)| wanted.next_if(|next| *next == index).is_some())
            .map(|(_, name)| Name::clone(name))
            .collect())
    }

    fn shown_many(&mut self, key: &[u8], most: i64, reply: &mut Reply<'_>) -> Result<(), Refusal> {
        let all = self.data.set(key)?.map_or(0, Set::len);
        let many = usize::try_from(most.unsigned_abs()).unwrap_or(usize::MAX);
        let names = if all == 0 || most >= 0 {
            let chosen = self.some_of(all, many);
            self.chosen(key, &chosen)?
        } else {
            let names: Vec<Name> = self.data.set(key)?.into_iter().flat_map(Set::names).map(Name::clone).collect();
            self.any_of(all, many)?.into_iter().filter_map(|index| names.get(index).map(Name::clone)).collect()
        };
        reply.list(names.iter().map(|name| &**name));
        Ok(())
    }

    fn set_move(&mut self, from: &[u8], to: &[u8], member: &[u8], reply: &mut Reply<'_>) -> Result<(), Refusal> {
        let Some(set) = self.data.set(from)? else {
            reply.number(0);
            return Ok(());
        };
        let is_there = set.has(member);
        self.data.set(to)?;
        if is_there && from != to {
            if !self.data.has_room(to, Kind::Set, 1, member.len()) {
                return Err(NO_MEMORY);
            }
            self.data.change(from, None, |value| if let Value::Set(set) = value { set.remove(member) } else { None });
            let new = Set::for_members(member, 1, self.data.salt);
            self.data.change(
                to,
                Some(Value::Set(new)),
                |value| if let Value::Set(set) = value { set.join(member) } else { false },
            );
        }
        reply.number(usize::from(is_there));
        Ok(())
    }

    /// The sets behind keys.
    fn sources(&self, keys: &[Vec<u8>]) -> Result<Vec<Option<&Set>>, Refusal> {
        keys.iter().map(|key| self.data.set(key)).collect()
    }

    /// What all of them have, from the smallest on, and what that one is.
    fn shared<'a>(sources: &[Option<&'a Set>]) -> (Vec<&'a Name>, Places) {
        let Some(mut sets) = sources.iter().copied().collect::<Option<Vec<&Set>>>() else { return (Vec::new(), Places::Packed) };
        sets.sort_by_key(|set| set.len());
        let Some((smallest, others)) = sets.split_first() else { return (Vec::new(), Places::Packed) };
        let is_shared = |name: &&Name| others.iter().all(|other| other.has(name));
        (smallest.names().filter(is_shared).collect(), smallest.places())
    }

    fn made(&mut self, made: Made, to: Option<&Vec<u8>>, keys: &[Vec<u8>], reply: &mut Reply<'_>) -> Result<(), Refusal> {
        let sources = self.sources(keys)?;
        let salt = self.data.salt;
        let set = if made == Made::Inter {
            let (names, places) = Self::shared(&sources);
            if to.is_none() {
                reply.set(names.len());
                names.into_iter().for_each(|name| reply.bulk(name));
                return Ok(());
            }
            let mut set = Set::new(if places == Places::Numbers { places } else { Places::Packed }, salt);
            for name in names {
                set.join(name);
            }
            set.settle();
            set
        } else {
            let is_numbers = sources.iter().flatten().all(|set| set.places() == Places::Numbers);
            let mut set = Set::new(if to.is_some() || is_numbers { Places::Numbers } else { Places::Table }, salt);
            let (first, others) =
                if made == Made::Union { (sources.len(), &[][..]) } else { (1, sources.get(1..).unwrap_or_default()) };
            let mut taken = Set::new(Places::Packed, salt);
            for name in others.iter().flatten().flat_map(|set| set.names()) {
                taken.insert(name, ());
            }
            for name in sources.iter().take(first).flatten().flat_map(|set| set.names()).filter(|name| !taken.has(name)) {
                set.join(name);
            }
            set
        };
        match to {
            None => self.given(Some(&set), reply),
            Some(to) => {
                let many = set.len();
                self.data.put(to, Entry { value: Value::Set(set), until_ms: None })?;
                reply.number(many);
            }
        }
        Ok(())
    }

    fn common(&self, words: &[Vec<u8>], reply: &mut Reply<'_>) -> Result<(), Refusal> {
        let (keys, rest) = keys_of(words, TOO_MANY_KEYS)?;
        let limit = match rest {
            [] => 0,
            [name, limit] if is(name, "limit") => count(limit, LIMIT_BELOW)?,
            _ => return Err(SYNTAX),
        };
        let many = Self::shared(&self.sources(keys)?).0.len();
        reply.number(if limit == 0 { many } else { many.min(limit) });
        Ok(())
    }
}
