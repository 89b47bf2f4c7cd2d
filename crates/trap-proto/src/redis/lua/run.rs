//! Reckons out a script, or only reads it.

use super::{
    Script, Stop, library,
    read::{Reader, Word},
    value::Value,
};
use crate::{store::VALUE_BYTES_MAX, text::hex};
use alloc::{format, string::String, vec::Vec};
use sha1::{Digest, Sha1};

/// How deep expressions may be inside one another.
const DEPTH_MAX: u32 = 24;
/// Names that a script may have.
const LOCALS_MAX: usize = 32;
/// Commands that it may run.
const CALLS_MAX: usize = 16;
/// The most room that one value may take, and all of a list together, in bytes.
const WEIGHT_MAX: usize = 2 * VALUE_BYTES_MAX;
/// How tight the tightest sign in front of a value is.
const UNARY: u8 = 8;
const POWER: u8 = 10;
/// The highest power that is reckoned out.
const EXPONENT_MAX: f64 = 64.0;

/// A command's answer.
type Call<'a> = &'a mut dyn FnMut(&[Vec<u8>]) -> Vec<u8>;

/// Where a value is from, for what is said when it is the wrong one.
#[derive(Clone, Debug)]
enum From {
    Nowhere,
    Global(Vec<u8>),
    Local(Vec<u8>),
    Field(Vec<u8>),
}

pub(super) struct Run<'a, 'c> {
    reader: Reader<'a>,
    /// The next word, how it is written, and its line.
    word: Word,
    written: &'a [u8],
    line: u32,
    script: &'a Script<'a>,
    locals: Vec<(Vec<u8>, Value)>,
    depth: u32,
    calls: usize,
    /// Without it, it is only read.
    call: Option<Call<'c>>,
}

impl<'a, 'c> Run<'a, 'c> {
    pub(super) fn new(script: &'a Script<'a>, call: Option<Call<'c>>) -> Self {
        Self {
            reader: Reader::new(script.text),
            word: Word::End,
            written: b"",
            line: 1,
            script,
            locals: Vec::new(),
            depth: 0,
            calls: 0,
            call,
        }
    }

    /// Bytes that were not read.
    #[cfg(test)]
    pub(super) const fn left(&self) -> usize {
        self.reader.left()
    }

    /// All of it; what it gives back.
    pub(super) fn chunk(&mut self) -> Result<Value, Stop> {
        self.step()?;
        loop {
            match self.word {
                Word::End => return Ok(Value::Nil),
                Word::Sign("return") => return self.give_back(),
                Word::Sign("local") => self.local()?,
                Word::Sign("do" | "if" | "for" | "while" | "function" | "repeat" | "break") => return Err(Stop::Unknown),
                _ => self.statement()?,
            }
            if self.is(";") {
                self.step()?;
            }
        }
    }

    fn give_back(&mut self) -> Result<Value, Stop> {
        self.step()?;
        let mut value = Value::Nil;
        if self.word != Word::End && !self.is(";") {
            value = self.values()?.into_iter().next().unwrap_or(Value::Nil);
        }
        if self.is(";") {
            self.step()?;
        }
        if self.word == Word::End { Ok(value) } else { self.refuse("'<eof>' expected") }
    }

    fn local(&mut self) -> Result<(), Stop> {
        self.step()?;
        if self.is("function") {
            return Err(Stop::Unknown);
        }
        let mut names = Vec::new();
        loop {
            names.push(self.name()?);
            if !self.take(",")? {
                break;
            }
        }
        let mut values = if self.take("=")? { self.values()? } else { Vec::new() }.into_iter();
        for name in names {
            if self.locals.len() >= LOCALS_MAX {
                return Err(Stop::Unknown);
            }
            self.locals.push((name, values.next().unwrap_or(Value::Nil)));
        }
        Ok(())
    }

    /// A call; to give something a name that is not `local` is not allowed.
    fn statement(&mut self) -> Result<(), Stop> {
        let is_name = matches!(self.word, Word::Name(_));
        let (_, from, is_call) = self.suffixed()?;
        if self.is("=") || self.is(",") {
            // A local name could be given something else: that is not reckoned with.
            return match from {
                From::Global(_) if is_name => {
                    while !matches!(self.word, Word::End) {
                        self.step()?;
                    }
                    self.fail("Attempt to modify a readonly table").map(drop)
                }
                _ => Err(Stop::Unknown),
            };
        }
        if is_call { Ok(()) } else { self.refuse("'=' expected") }
    }

    fn values(&mut self) -> Result<Vec<Value>, Stop> {
        let (mut values, mut weight) = (Vec::new(), 0);
        loop {
            values.push(self.one_more(&mut weight)?);
            if !self.take(",")? {
                return Ok(values);
            }
        }
    }

    /// One value more of several that weigh so much together: a name is three bytes of a script, and what it stands for thousands.
    fn one_more(&mut self, weight: &mut usize) -> Result<Value, Stop> {
        let value = self.value(0)?;
        *weight += value.weight();
        if *weight <= WEIGHT_MAX { Ok(value) } else { Err(Stop::Unknown) }
    }

    /// Values with signs between them that are tighter than `limit` (Lua 5.1, section 2.5.6).
    fn value(&mut self, limit: u8) -> Result<Value, Stop> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(Stop::Unknown);
        }
        let (mut left, mut from) = self.signed()?;
        while let Word::Sign(sign) = self.word {
            let Some((_, right_tight)) = tightness(sign).filter(|(tight, _)| *tight > limit) else { break };
            self.step()?;
            let skipped = matches!((sign, left.is_true()), ("and", false) | ("or", true));
            // What is not reckoned out is still read.
            let call = if skipped { self.call.take() } else { None };
            let right = self.value(right_tight);
            self.call = call.or_else(|| self.call.take());
            left = if skipped { left } else { self.joined(sign, left, &from, right?)? };
            from = From::Nowhere;
        }
        self.depth -= 1;
        Ok(left)
    }

    fn signed(&mut self) -> Result<(Value, From), Stop> {
        let Word::Sign(sign @ ("not" | "-" | "#")) = self.word else {
            return self.simple();
        };
        self.step()?;
        let value = self.value(UNARY)?;
        let result = match (sign, &value) {
            ("not", value) => Value::Bool(!value.is_true()),
            ("-", value) => match value.number() {
                Some(number) => Value::Number(-number),
                None => self.fail(&format!("attempt to perform arithmetic on a {} value", value.kind()))?,
            },
            (_, Value::Text(text)) => count(text.len()),
            (_, Value::Table(placed, _)) => count(placed.len()),
            (_, value) => self.fail(&format!("attempt to get length of a {} value", value.kind()))?,
        };
        Ok((result, From::Nowhere))
    }

    fn simple(&mut self) -> Result<(Value, From), Stop> {
        let value = match &self.word {
            Word::Number(number) => Value::Number(*number),
            Word::Text(text) => Value::Text(text.clone()),
            Word::Sign("nil") => Value::Nil,
            Word::Sign("true") => Value::Bool(true),
            Word::Sign("false") => Value::Bool(false),
            Word::Sign("{") => return Ok((self.table()?, From::Nowhere)),
            Word::Sign("function" | "...") => return Err(Stop::Unknown),
            _ => {
                let (value, from, _) = self.suffixed()?;
                return Ok((value, from));
            }
        };
        self.step()?;
        Ok((value, From::Nowhere))
    }

    /// A name or something in brackets, with all that is behind it; whether the last of that is a call.
    fn suffixed(&mut self) -> Result<(Value, From, bool), Stop> {
        let (mut value, mut from) = self.primary()?;
        let mut is_call = false;
        loop {
            match &self.word {
                Word::Sign(".") => {
                    self.step()?;
                    let name = self.name()?;
                    (value, from, is_call) = (self.field(&value, &from, &Value::Text(name.clone()))?, From::Field(name), false);
                }
                Word::Sign("[") => {
                    self.step()?;
                    let key = self.value(0)?;
                    self.expect("]")?;
                    let named = key.text().map_or(From::Nowhere, |name| From::Field(name.into_owned()));
                    (value, from, is_call) = (self.field(&value, &from, &key)?, named, false);
                }
                Word::Sign(":") => {
                    self.step()?;
                    let _ = (self.name()?, self.arguments()?);
                    let text_or_table = matches!(value, Value::Text(_) | Value::Table(..) | Value::Library(_));
                    if text_or_table && self.call.is_some() {
                        return Err(Stop::Unknown);
                    }
                    (value, from, is_call) = (self.wrong("index", &value, &from)?, From::Nowhere, true);
                }
                Word::Sign("(" | "{") | Word::Text(_) => {
                    let arguments = self.arguments()?;
                    (value, from, is_call) = (self.called(&value, &from, &arguments)?, From::Nowhere, true);
                }
                _ => return Ok((value, from, is_call)),
            }
        }
    }

    fn primary(&mut self) -> Result<(Value, From), Stop> {
        if self.take("(")? {
            let value = self.value(0)?;
            self.expect(")")?;
            return Ok((value, From::Nowhere));
        }
        let Word::Name(name) = self.word.clone() else { return self.refuse("unexpected symbol") };
        self.step()?;
        if let Some((_, value)) = self.locals.iter().rev().find(|(local, _)| *local == name) {
            return Ok((value.clone(), From::Local(name)));
        }
        let list = |values: &[Vec<u8>]| Value::Table(values.iter().cloned().map(Value::Text).collect(), Vec::new());
        let value = match name.as_slice() {
            b"KEYS" => list(self.script.keys),
            b"ARGV" => list(self.script.arguments),
            _ => match library::global(&name) {
                Some(value) => value,
                // Something may be given to it, which is not allowed in another way.
                None if self.is("=") => Value::Nil,
                None => self.missing(&name)?,
            },
        };
        Ok((value, From::Global(name)))
    }

    fn missing(&self, name: &[u8]) -> Result<Value, Stop> {
        self.fail(&format!("Script attempted to access nonexistent global variable '{}'", String::from_utf8_lossy(name)))
    }

    fn arguments(&mut self) -> Result<Vec<Value>, Stop> {
        match &self.word {
            Word::Text(text) => {
                let text = Value::Text(text.clone());
                self.step()?;
                Ok([text].into())
            }
            Word::Sign("{") => Ok([self.table()?].into()),
            _ => {
                self.step()?;
                let values = if self.is(")") { Vec::new() } else { self.values()? };
                self.expect(")")?;
                Ok(values)
            }
        }
    }

    fn table(&mut self) -> Result<Value, Stop> {
        self.depth += 1;
        self.step()?;
        let (mut placed, mut named, mut weight) = (Vec::new(), Vec::new(), 0);
        while !self.is("}") {
            let mut ahead = self.reader.clone();
            let is_named = matches!(self.word, Word::Name(_)) && ahead.next().is_ok_and(|(word, _)| word == Word::Sign("="));
            if is_named {
                let name = self.name()?;
                self.expect("=")?;
                named.push((name, self.one_more(&mut weight)?));
            } else if self.is("[") {
                return Err(Stop::Unknown);
            } else {
                placed.push(self.one_more(&mut weight)?);
            }
            if !self.take(",")? && !self.take(";")? {
                break;
            }
        }
        self.depth -= 1;
        self.expect("}")?;
        bounded(Value::Table(placed, named))
    }

    /// What a table has.
    fn field(&self, value: &Value, from: &From, key: &Value) -> Result<Value, Stop> {
        match (value, key) {
            (Value::Library("_G"), Value::Text(name)) => match library::global(name) {
                Some(value) => Ok(value),
                None => self.missing(name),
            },
            (Value::Library(library), key) => Ok(key.text().map_or(Value::Nil, |name| library::field(library, &name))),
            (Value::Table(placed, _), Value::Number(number)) => {
                let at = (1..=placed.len()).find(|at| count(*at) == Value::Number(*number));
                Ok(at.and_then(|at| placed.get(at - 1)).cloned().unwrap_or(Value::Nil))
            }
            (Value::Table(_, named), key) => {
                let found = key.text().and_then(|key| named.iter().rev().find(|(name, _)| **name == *key));
                Ok(found.map_or(Value::Nil, |(_, value)| value.clone()))
            }
            // A text's methods.
            (Value::Text(_), _) => Err(Stop::Unknown),
            _ => self.wrong("index", value, from),
        }
    }

    fn called(&mut self, value: &Value, from: &From, arguments: &[Value]) -> Result<Value, Stop> {
        if self.call.is_none() {
            return Ok(Value::Nil);
        }
        let Value::Function(library, function) = value else { return self.wrong("call", value, from) };
        match (*library, *function, arguments) {
            ("redis", "call", _) => self.command(arguments, true),
            ("redis", "pcall", _) => self.command(arguments, false),
            ("redis", "status_reply", [Value::Text(text)]) => Ok(one("ok", text)),
            ("redis", "error_reply", [Value::Text(text)]) => {
                let text = text.strip_prefix(b"-").unwrap_or(text);
                // The first word is a code, if there is more than one.
                let code: &[u8] = if text.contains(&b' ') { b"" } else { b"ERR " };
                Ok(one("err", &[code, text].concat()))
            }
            ("redis", "sha1hex", [value]) => {
                let text = value.text().unwrap_or_default();
                Ok(Value::Text(hex(&Sha1::digest(&*text)).into_bytes()))
            }
            ("redis", "log" | "setresp" | "set_repl" | "breakpoint" | "debug", _) => Ok(Value::Nil),
            ("", "tostring", [value]) => match value {
                Value::Nil => Ok(Value::Text(b"nil".to_vec())),
                Value::Bool(is_true) => Ok(Value::Text(format!("{is_true}").into_bytes())),
                value => value.text().map(|text| Value::Text(text.into_owned())).ok_or(Stop::Unknown),
            },
            ("redis", "acl_check_cmd", [_, ..]) => Ok(Value::Bool(true)),
            // Of which there is room for one.
            ("", "unpack", [Value::Table(placed, _)]) => Ok(placed.first().cloned().unwrap_or(Value::Nil)),
            ("math", "floor", [value]) => value.number().map(|number| Value::Number(floor(number))).ok_or(Stop::Unknown),
            ("", "tonumber", [value]) => Ok(value.number().map_or(Value::Nil, Value::Number)),
            ("", "type", [value]) => Ok(Value::Text(value.kind().into())),
            ("", "error", [value]) => match value.text() {
                Some(text) => self.fail(&String::from_utf8_lossy(&text)),
                None => Err(Stop::Unknown),
            },
            ("string", "len", [Value::Text(text)]) => Ok(count(text.len())),
            ("string", "upper", [Value::Text(text)]) => Ok(Value::Text(text.to_ascii_uppercase())),
            ("string", "lower", [Value::Text(text)]) => Ok(Value::Text(text.to_ascii_lowercase())),
            ("string", "reverse", [Value::Text(text)]) => Ok(Value::Text(text.iter().rev().copied().collect())),
            _ => Err(Stop::Unknown),
        }
    }

    fn command(&mut self, arguments: &[Value], raises: bool) -> Result<Value, Stop> {
        self.calls += 1;
        if self.calls > CALLS_MAX {
            return Err(Stop::Unknown);
        }
        let words: Option<Vec<Vec<u8>>> =
            arguments.iter().map(|value| value.text().map(alloc::borrow::Cow::into_owned)).collect();
        let answer = match words {
            Some(words) if words.is_empty() => b"-ERR Please specify at least one argument for this redis lib call\r\n".to_vec(),
            None => b"-ERR Lua redis lib command arguments must be strings or integers\r\n".to_vec(),
            Some(words) => match &mut self.call {
                Some(call) => call(&words),
                None => return Ok(Value::Nil),
            },
        };
        match Value::of_answer(&answer) {
            Some((Value::Table(_, named), _)) if raises && named.iter().any(|(name, _)| name == b"err") => {
                let words = named.iter().filter_map(|(_, value)| value.text()).next().unwrap_or_default().into_owned();
                Err(Stop::Fails(words, self.line))
            }
            Some((value, _)) => bounded(value),
            None => Err(Stop::Unknown),
        }
    }

    fn joined(&self, sign: &str, left: Value, from: &From, right: Value) -> Result<Value, Stop> {
        match sign {
            "and" | "or" => Ok(right),
            "==" => Ok(Value::Bool(left == right)),
            "~=" => Ok(Value::Bool(left != right)),
            "<" | ">" | "<=" | ">=" => self.compared(sign, &left, &right),
            ".." => match (left.text(), right.text()) {
                (Some(one), Some(other)) => bounded(Value::Text([&*one, &*other].concat())),
                (None, _) => self.wrong("concatenate", &left, from),
                _ => self.wrong("concatenate", &right, &From::Nowhere),
            },
            _ => match (left.number(), right.number()) {
                (Some(one), Some(other)) => reckoned(sign, one, other).map(Value::Number).ok_or(Stop::Unknown),
                (None, _) => self.wrong("perform arithmetic on", &left, from),
                _ => self.wrong("perform arithmetic on", &right, &From::Nowhere),
            },
        }
    }

    fn compared(&self, sign: &str, left: &Value, right: &Value) -> Result<Value, Stop> {
        let order = match (left, right) {
            (Value::Number(left), Value::Number(right)) => left.partial_cmp(right),
            (Value::Text(left), Value::Text(right)) => Some(left.cmp(right)),
            _ => {
                let kinds = (left.kind(), right.kind());
                let words =
                    if kinds.0 == kinds.1 { format!("two {} values", kinds.0) } else { format!("{} with {}", kinds.0, kinds.1) };
                return self.fail(&format!("attempt to compare {words}"));
            }
        };
        Ok(Value::Bool(order.is_some_and(|order| match sign {
            "<" => order.is_lt(),
            ">" => order.is_gt(),
            "<=" => order.is_le(),
            _ => order.is_ge(),
        })))
    }

    /// It is what this cannot be done to.
    fn wrong(&self, done: &str, value: &Value, from: &From) -> Result<Value, Stop> {
        let (place, name) = match from {
            From::Nowhere => return self.fail(&format!("attempt to {done} a {} value", value.kind())),
            From::Global(name) => ("global", name),
            From::Local(name) => ("local", name),
            From::Field(name) => ("field", name),
        };
        self.fail(&format!("attempt to {done} {place} '{}' (a {} value)", String::from_utf8_lossy(name), value.kind()))
    }

    /// It fails where it is; while it is only read it goes on.
    fn fail(&self, words: &str) -> Result<Value, Stop> {
        match self.call {
            Some(_) => Err(Stop::Fails(format!("ERR user_script:{}: {words}", self.line).into_bytes(), self.line)),
            None => Ok(Value::Nil),
        }
    }

    fn refuse<T>(&self, words: &str) -> Result<T, Stop> {
        Err(Stop::Compile(format!("{words} near '{}'", String::from_utf8_lossy(self.written)), self.line))
    }

    fn step(&mut self) -> Result<(), Stop> {
        (self.word, self.written) = self.reader.next()?;
        self.line = self.reader.line;
        Ok(())
    }

    fn is(&self, sign: &str) -> bool {
        matches!(self.word, Word::Sign(word) if word == sign)
    }

    fn take(&mut self, sign: &str) -> Result<bool, Stop> {
        let is = self.is(sign);
        if is {
            self.step()?;
        }
        Ok(is)
    }

    fn expect(&mut self, sign: &str) -> Result<(), Stop> {
        if self.take(sign)? { Ok(()) } else { self.refuse(&format!("'{sign}' expected")) }
    }

    fn name(&mut self) -> Result<Vec<u8>, Stop> {
        let Word::Name(name) = self.word.clone() else { return self.refuse("'<name>' expected") };
        self.step()?;
        Ok(name)
    }
}

/// How tight a sign is to what is left of it, and to what is right of it.
fn tightness(sign: &str) -> Option<(u8, u8)> {
    Some(match sign {
        "or" => (1, 1),
        "and" => (2, 2),
        "<" | ">" | "<=" | ">=" | "~=" | "==" => (3, 3),
        ".." => (5, 4),
        "+" | "-" => (6, 6),
        "*" | "/" | "%" => (7, 7),
        "^" => (POWER, POWER - 1),
        _ => return None,
    })
}

fn reckoned(sign: &str, one: f64, other: f64) -> Option<f64> {
    Some(match sign {
        "+" => one + other,
        "-" => one - other,
        "*" => one * other,
        "/" => one / other,
        "%" => {
            let rest = one % other;
            if rest != 0.0 && (rest < 0.0) != (other < 0.0) { rest + other } else { rest }
        }
        _ => {
            let mut times = (0.0..=EXPONENT_MAX).contains(&other).then_some(other)?;
            let mut power = 1.0;
            while times >= 1.0 {
                power *= one;
                times -= 1.0;
            }
            return (times == 0.0).then_some(power);
        }
    })
}

fn floor(number: f64) -> f64 {
    let rest = number % 1.0;
    number - rest - if rest < 0.0 { 1.0 } else { 0.0 }
}

fn bounded(value: Value) -> Result<Value, Stop> {
    if value.weight() <= WEIGHT_MAX { Ok(value) } else { Err(Stop::Unknown) }
}

fn one(name: &str, text: &[u8]) -> Value {
    Value::Table(Vec::new(), [(name.into(), Value::Text(text.to_vec()))].into())
}

/// A length, which is never more than a few thousand.
fn count(length: usize) -> Value {
    Value::Number(f64::from(u32::try_from(length).unwrap_or(u32::MAX)))
}
