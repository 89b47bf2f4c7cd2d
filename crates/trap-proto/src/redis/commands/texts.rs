//! Texts.

use super::{
    Reply, Server,
    expiry::{Until, until},
    stored::{NO_INTEGER, OVERFLOW, SYNTAX, is, whole},
};
use crate::{
    redis::data::{
        Entry, NO_MEMORY, Refusal,
        number::{double, integer, sum},
        value::{Text, Value},
    },
    store::VALUE_BYTES_MAX,
};
use alloc::{format, vec::Vec};

const NO_FLOAT: Refusal = "-ERR value is not a valid float\r\n";
const ENDLESS: Refusal = "-ERR increment would produce NaN or Infinity\r\n";
const NO_OFFSET: Refusal = "-ERR offset is out of range\r\n";
const NO_BIT_OFFSET: Refusal = "-ERR bit offset is not an integer or out of range\r\n";
const NO_BIT: Refusal = "-ERR bit is not an integer or out of range\r\n";
/// The longest text that Redis lets anybody make, in bytes.
const TEXT_BYTES_MAX: i64 = 512 * 1_024 * 1_024;

/// What `SET` is told besides.
#[derive(Clone, Copy, Debug, Default)]
struct Asked {
    nx: bool,
    xx: bool,
    gets: bool,
    keeps: bool,
    until: Option<Until>,
}

impl Server {
    /// Commands on texts.
    pub(super) fn texts(&mut self, command: &[u8], words: &[Vec<u8>], reply: &mut Reply<'_>) -> Result<(), Refusal> {
        match (command, words) {
            (b"get", [key]) => reply.bulk_or_nil(self.bytes_of(key)?),
            (b"set", [key, value, options @ ..]) => return self.text_set(key, value, options, reply),
            (b"setnx", [key, value]) => {
                let is_there = self.data.has(key);
                if !is_there {
                    self.data.put_text(key, value)?;
                }
                reply.number(usize::from(!is_there));
            }
            (b"setex" | b"psetex", [key, time, value]) => {
                let until = self.until_ms(command, if command == b"setex" { Until::In(1_000) } else { Until::In(1) }, time)?;
                self.data.put(key, Entry { value: Value::text(value), until_ms: Some(until) })?;
                reply.raw("+OK\r\n");
            }
            (b"getset", [key, value]) => {
                reply.bulk_or_nil(self.bytes_of(key)?);
                self.data.put_text(key, value)?;
            }
            (b"getdel", [key]) => {
                reply.bulk_or_nil(self.bytes_of(key)?);
                self.data.remove(key);
            }
            (b"getex", [key, options @ ..]) => return self.text_kept(key, options, reply),
            (b"strlen", [key]) => reply.number(self.bytes_of(key)?.map_or(0, <[u8]>::len)),
            (b"append", [key, more]) => return self.appended(key, more, reply),
            (b"incr", [key]) => return self.counted(key, 1, reply),
            (b"decr", [key]) => return self.counted(key, -1, reply),
            (b"incrby", [key, by]) => return self.counted(key, whole(by)?, reply),
            (b"decrby", [key, by]) => {
                let by = whole(by)?.checked_neg().ok_or("-ERR decrement would overflow\r\n")?;
                return self.counted(key, by, reply);
            }
            (b"incrbyfloat", [key, by]) => {
                let before = self.bytes_of(key)?.unwrap_or(b"0");
                double(before).and(double(by)).ok_or(NO_FLOAT)?;
                let after = sum(before, by).ok_or(ENDLESS)?;
                self.rewritten(key, after.clone(), false)?;
                reply.bulk(&after);
            }
            (b"mget", keys) => {
                reply.array(keys.len());
                keys.iter().for_each(|key| reply.bulk_or_nil(self.bytes_of(key).unwrap_or_default()));
            }
            (b"mset" | b"msetnx", pairs) => return self.texts_set(command, pairs, reply),
            (b"getrange" | b"substr", [key, from, to]) => {
                let (from, to) = (whole(from)?, whole(to)?);
                reply.bulk(part(self.bytes_of(key)?.unwrap_or_default(), from, to));
            }
            (b"setrange", [key, offset, value]) => return self.overwritten(key, whole(offset)?, value, reply),
            (b"getbit", [key, offset]) => {
                let (at, bit) = bit_of(offset)?;
                let byte = self.bytes_of(key)?.and_then(|bytes| bytes.get(at)).copied().unwrap_or_default();
                reply.number(usize::from(byte >> bit & 1));
            }
            (b"setbit", [key, offset, value]) => return self.bit_set(key, offset, value, reply),
            (b"bitcount", [key]) => {
                let ones = ones_of(self.bytes_of(key)?.unwrap_or_default());
                self.steps.spend(ones.1)?;
                reply.number(ones.0);
            }
            (b"bitcount", [key, from, to]) => {
                let (from, to) = (whole(from)?, whole(to)?);
                let ones = ones_of(part(self.bytes_of(key)?.unwrap_or_default(), from, to));
                self.steps.spend(ones.1)?;
                reply.number(ones.0);
            }
            _ => return Err(SYNTAX),
        }
        Ok(())
    }

    fn bytes_of(&self, key: &[u8]) -> Result<Option<&[u8]>, Refusal> {
        Ok(self.data.text(key)?.map(|text| text.bytes.as_slice()))
    }

    /// Another text behind the same key, which is there as long as before.
    fn rewritten(&mut self, key: &[u8], mut bytes: Vec<u8>, is_raw: bool) -> Result<(), Refusal> {
        // Only what it says is counted.
        bytes.shrink_to_fit();
        let until_ms = self.data.entry(key).and_then(|entry| entry.until_ms);
        self.data.put(key, Entry { value: Value::Text(Text { bytes, is_raw }), until_ms })
    }

    fn text_set(&mut self, key: &[u8], value: &[u8], options: &[Vec<u8>], reply: &mut Reply<'_>) -> Result<(), Refusal> {
        let (mut asked, mut rest) = (Asked::default(), options);
        while let Some((option, behind)) = rest.split_first() {
            let is_bound = asked.keeps || asked.until.is_some();
            rest = behind;
            match option {
                option if is(option, "nx") && !asked.xx => asked.nx = true,
                option if is(option, "xx") && !asked.nx => asked.xx = true,
                option if is(option, "get") => asked.gets = true,
                option if is(option, "keepttl") && asked.until.is_none() => asked.keeps = true,
                option => {
                    let kind = until(option).filter(|_| !is_bound).ok_or(SYNTAX)?;
                    let (time, behind) = behind.split_first().ok_or(SYNTAX)?;
                    rest = behind;
                    asked.until = Some(Until::At(self.until_ms(b"set", kind, time)?));
                }
            }
        }
        let is_there = self.data.has(key);
        let is_refused = (asked.nx && is_there) || (asked.xx && !is_there);
        if asked.gets {
            reply.bulk_or_nil(self.bytes_of(key)?);
        } else if is_refused {
            reply.nil();
        } else {
            reply.raw("+OK\r\n");
        }
        if is_refused {
            return Ok(());
        }
        let until_ms = match asked.until {
            Some(Until::At(until_ms)) => Some(until_ms),
            _ if asked.keeps => self.data.entry(key).and_then(|entry| entry.until_ms),
            _ => None,
        };
        self.data.put(key, Entry { value: Value::text(value), until_ms })
    }

    fn text_kept(&mut self, key: &[u8], options: &[Vec<u8>], reply: &mut Reply<'_>) -> Result<(), Refusal> {
        let until_ms = match options {
            [] => None,
            [option] if is(option, "persist") => Some(None),
            [option, time] => Some(Some((until(option).ok_or(SYNTAX)?, time))),
            _ => return Err(SYNTAX),
        };
        let Some(bytes) = self.bytes_of(key)? else {
            reply.nil();
            return Ok(());
        };
        reply.bulk(bytes);
        match until_ms {
            None => {}
            Some(None) => self.data.keep_until(key, None),
            Some(Some((kind, time))) => {
                let until_ms = self.until_ms(b"getex", kind, time)?;
                self.kept_until(key, until_ms);
            }
        }
        Ok(())
    }

    fn texts_set(&mut self, command: &[u8], pairs: &[Vec<u8>], reply: &mut Reply<'_>) -> Result<(), Refusal> {
        if pairs.len() % 2 == 1 {
            return Err(if command == b"mset" {
                "-ERR wrong number of arguments for 'mset' command\r\n"
            } else {
                "-ERR wrong number of arguments for 'msetnx' command\r\n"
            });
        }
        if command == b"msetnx" && pairs.iter().step_by(2).any(|key| self.data.has(key)) {
            reply.number(0);
            return Ok(());
        }
        for pair in pairs.chunks(2) {
            if let [key, value] = pair {
                self.data.put_text(key, value)?;
            }
        }
        reply.raw(if command == b"mset" { "+OK\r\n" } else { ":1\r\n" });
        Ok(())
    }

    fn appended(&mut self, key: &[u8], more: &[u8], reply: &mut Reply<'_>) -> Result<(), Refusal> {
        let before = self.bytes_of(key)?;
        let bytes = [before.unwrap_or_default(), more].concat();
        if bytes.len() > VALUE_BYTES_MAX {
            return Err(NO_MEMORY);
        }
        let (count, is_raw) = (bytes.len(), before.is_some());
        self.rewritten(key, bytes, is_raw)?;
        reply.number(count);
        Ok(())
    }

    fn counted(&mut self, key: &[u8], by: i64, reply: &mut Reply<'_>) -> Result<(), Refusal> {
        let before = self.bytes_of(key)?.map_or(Some(0), integer).ok_or(NO_INTEGER)?;
        let after = before.checked_add(by).ok_or(OVERFLOW)?;
        self.rewritten(key, format!("{after}").into_bytes(), false)?;
        reply.integer(after);
        Ok(())
    }

    fn overwritten(&mut self, key: &[u8], offset: i64, value: &[u8], reply: &mut Reply<'_>) -> Result<(), Refusal> {
        let at = usize::try_from(offset).map_err(|_| NO_OFFSET)?;
        let mut bytes = self.bytes_of(key)?.unwrap_or_default().to_vec();
        if !value.is_empty() {
            if offset.saturating_add(i64::try_from(value.len()).unwrap_or(i64::MAX)) > TEXT_BYTES_MAX {
                return Err("-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n");
            }
            let end = at + value.len();
            if end > VALUE_BYTES_MAX {
                return Err(NO_MEMORY);
            }
            bytes.resize(bytes.len().max(end), 0);
            bytes[at..end].copy_from_slice(value);
            self.rewritten(key, bytes.clone(), true)?;
        }
        reply.number(bytes.len());
        Ok(())
    }

    fn bit_set(&mut self, key: &[u8], offset: &[u8], value: &[u8], reply: &mut Reply<'_>) -> Result<(), Refusal> {
        let (at, bit) = bit_of(offset)?;
        let one = match value {
            b"0" => 0,
            b"1" => 1,
            _ => return Err(NO_BIT),
        };
        let mut bytes = self.bytes_of(key)?.unwrap_or_default().to_vec();
        if at >= VALUE_BYTES_MAX {
            return Err(NO_MEMORY);
        }
        bytes.resize(bytes.len().max(at + 1), 0);
        let old = bytes[at] >> bit & 1;
        bytes[at] = bytes[at] & !(1 << bit) | one << bit;
        self.rewritten(key, bytes, true)?;
        reply.number(usize::from(old));
        Ok(())
    }
}

/// The byte in which a bit is, and how far it is from that one's last.
fn bit_of(offset: &[u8]) -> Result<(usize, u32), Refusal> {
    let offset = integer(offset).filter(|offset| (0..TEXT_BYTES_MAX * 8).contains(offset)).ok_or(NO_BIT_OFFSET)?;
    let bit = 7 - u32::try_from(offset % 8).unwrap_or_default();
    Ok((usize::try_from(offset / 8).map_err(|_| NO_BIT_OFFSET)?, bit))
}

/// How many bits are one, and how many elements that costs.
fn ones_of(bytes: &[u8]) -> (usize, usize) {
    (bytes.iter().map(|byte| byte.count_ones() as usize).sum(), bytes.len() / 16)
}

/// What is from one place to another one, which are counted from the end where they are below nought.
fn part(bytes: &[u8], from: i64, to: i64) -> &[u8] {
    let (from, many) = super::stored::span(from, to, bytes.len());
    bytes.get(from..from + many).unwrap_or_default()
}
