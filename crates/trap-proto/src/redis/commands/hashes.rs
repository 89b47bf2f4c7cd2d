//! Hashes.

use super::{
    Reply, Server,
    stored::{NO_FLOAT, OUT_OF_RANGE, OVERFLOW, SYNTAX, is, whole},
};
use crate::redis::data::{
    Refusal,
    number::{double, integer, sum},
    order::{Name, Order},
    value::{Hash, Value},
};
use alloc::{format, vec::Vec};

const NO_VALUE_INTEGER: Refusal = "-ERR hash value is not an integer\r\n";
const NO_VALUE_FLOAT: Refusal = "-ERR hash value is not a float\r\n";
const ENDLESS: Refusal = "-ERR value is NaN or Infinity\r\n";
const ENDLESS_SUM: Refusal = "-ERR increment would produce NaN or Infinity\r\n";

impl Server {
    /// Commands on hashes.
    pub(super) fn hashes(&mut self, command: &[u8], words: &[Vec<u8>], reply: &mut Reply<'_>) -> Result<(), Refusal> {
        let [key, rest @ ..] = words else { return Err(SYNTAX) };
        match (command, rest) {
            (b"hset" | b"hmset", pairs) => return self.fields_set(command, key, pairs, reply),
            (b"hsetnx", [field, value]) => {
                let is_there = self.data.hash(key)?.is_some_and(|hash| hash.fields.has(field));
                if !is_there {
                    self.field_set(key, field, value.clone());
                }
                reply.number(usize::from(!is_there));
            }
            (b"hget", [field]) => reply.bulk_or_nil(self.field(key, field)?),
            (b"hmget", fields) => {
                let hash = self.data.hash(key)?;
                reply.array(fields.len());
                fields
                    .iter()
                    .for_each(|field| reply.bulk_or_nil(hash.and_then(|hash| hash.fields.get(field)).map(Vec::as_slice)));
            }
            (b"hstrlen", [field]) => reply.number(self.field(key, field)?.map_or(0, <[u8]>::len)),
            (b"hexists", [field]) => reply.number(usize::from(self.field(key, field)?.is_some())),
            (b"hlen", []) => reply.number(self.data.hash(key)?.map_or(0, |hash| hash.fields.len())),
            (b"hgetall", []) => {
                let hash = self.data.hash(key)?;
                reply.map(hash.map_or(0, |hash| hash.fields.len()));
                for (name, value) in hash.into_iter().flat_map(|hash| hash.fields.iter()) {
                    reply.bulk(name);
                    reply.bulk(value);
                }
            }
            (b"hkeys" | b"hvals", []) => {
                let hash = self.data.hash(key)?;
                reply.array(hash.map_or(0, |hash| hash.fields.len()));
                let fields = hash.into_iter().flat_map(|hash| hash.fields.iter());
                fields.for_each(|(name, value)| reply.bulk(if command == b"hkeys" { name } else { value }));
            }
            (b"hdel", fields) => {
                self.data.hash(key)?;
                let gone = self.data.change(key, None, |value| {
                    let Value::Hash(hash) = value else { return 0 };
                    fields.iter().filter(|field| hash.remove(field).is_some()).count()
                });
                reply.number(gone.unwrap_or_default());
            }
            (b"hincrby", [field, by]) => self.field_counted(key, field, whole(by)?, reply)?,
            (b"hincrbyfloat", [field, by]) => self.field_added(key, field, by, reply)?,
            (b"hrandfield", []) => {
                let all = self.data.hash(key)?.map_or(0, |hash| hash.fields.len());
                let index = self.random(all);
                reply.bulk_or_nil(self.data.hash(key)?.and_then(|hash| hash.fields.names().nth(index)).map(|name| &**name));
            }
            (b"hrandfield", [most, options @ ..]) => self.fields_shown(key, whole(most)?, options, reply)?,
            _ => return Err(SYNTAX),
        }
        Ok(())
    }

    fn field(&self, key: &[u8], field: &[u8]) -> Result<Option<&[u8]>, Refusal> {
        Ok(self.data.hash(key)?.and_then(|hash| hash.fields.get(field)).map(Vec::as_slice))
    }

    fn field_set(&mut self, key: &[u8], field: &[u8], value: Vec<u8>) {
        let new = Value::Hash(Hash::new(self.data.salt));
        self.data.change(key, Some(new), |known| if let Value::Hash(hash) = known { hash.set(field, value) } else { false });
    }

    fn fields_set(&mut self, command: &[u8], key: &[u8], pairs: &[Vec<u8>], reply: &mut Reply<'_>) -> Result<(), Refusal> {
        if pairs.len() % 2 == 1 {
            return Err(if command == b"hset" {
                "-ERR wrong number of arguments for 'hset' command\r\n"
            } else {
                "-ERR wrong number of arguments for 'hmset' command\r\n"
            });
        }
        self.data.hash(key)?;
        let new = Value::Hash(Hash::new(self.data.salt));
        let created = self.data.change(key, Some(new), |value| {
            let Value::Hash(hash) = value else { return 0 };
            hash.expect(pairs.len() / 2, pairs);
            let set = |pair: &&[Vec<u8>]| matches!(pair, [field, value] if hash.set(field, value.clone()));
            pairs.chunks(2).filter(set).count()
        });
        if command == b"hset" {
            reply.number(created.unwrap_or_default());
        } else {
            reply.raw("+OK\r\n");
        }
        Ok(())
    }

    fn field_counted(&mut self, key: &[u8], field: &[u8], by: i64, reply: &mut Reply<'_>) -> Result<(), Refusal> {
        let before = self.field(key, field)?.map_or(Ok(0), |value| integer(value).ok_or(NO_VALUE_INTEGER))?;
        let after = before.checked_add(by).ok_or(OVERFLOW)?;
        self.field_set(key, field, format!("{after}").into_bytes());
        reply.integer(after);
        Ok(())
    }

    fn field_added(&mut self, key: &[u8], field: &[u8], by: &[u8], reply: &mut Reply<'_>) -> Result<(), Refusal> {
        if !double(by).ok_or(NO_FLOAT)?.is_finite() {
            return Err(ENDLESS);
        }
        let before = self.field(key, field)?.unwrap_or(b"0");
        double(before).ok_or(NO_VALUE_FLOAT)?;
        let after = sum(before, by).ok_or(ENDLESS_SUM)?;
        reply.bulk(&after);
        self.field_set(key, field, after);
        Ok(())
    }

    fn fields_shown(&mut self, key: &[u8], most: i64, options: &[Vec<u8>], reply: &mut Reply<'_>) -> Result<(), Refusal> {
        let with_values = match options {
            [] => false,
            [option] if is(option, "withvalues") => true,
            _ => return Err(SYNTAX),
        };
        if with_values && !(i64::MIN / 2..=i64::MAX / 2).contains(&most) {
            return Err(OUT_OF_RANGE);
        }
        let all = self.data.hash(key)?.map_or(0, |hash| hash.fields.len());
        let many = usize::try_from(most.unsigned_abs()).unwrap_or(usize::MAX);
        let chosen = if most >= 0 || all == 0 { self.some_of(all, many) } else { self.any_of(all, many)? };
        let fields: Vec<(&Name, &Vec<u8>)> =
            self.data.hash(key)?.map(|hash| &hash.fields).into_iter().flat_map(Order::iter).collect();
        reply.array(if with_values && !reply.is_resp3 { chosen.len() * 2 } else { chosen.len() });
        for (name, value) in chosen.into_iter().filter_map(|index| fields.get(index)) {
            if with_values && reply.is_resp3 {
                reply.array(2);
            }
            reply.bulk(name);
            if with_values {
                reply.bulk(value);
            }
        }
        Ok(())
    }
}
