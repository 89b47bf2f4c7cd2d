//! What a script reckons with.

use alloc::{borrow::Cow, format, string::String, vec::Vec};

/// Digits that a number is shown with.
const DIGITS: usize = 14;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) enum Value {
    Nil,
    Bool(bool),
    Number(f64),
    Text(Vec<u8>),
    /// What has a place, and what has a name.
    Table(Vec<Self>, Vec<(Vec<u8>, Self)>),
    /// One of the language's own, or of the server's, by its name; and the table that has it.
    Function(&'static str, &'static str),
    Library(&'static str),
}

impl Value {
    pub(super) const fn is_true(&self) -> bool {
        !matches!(self, Self::Nil | Self::Bool(false))
    }

    /// What `type` says.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Nil => "nil",
            Self::Bool(_) => "boolean",
            Self::Number(_) => "number",
            Self::Text(_) => "string",
            Self::Table(..) | Self::Library(_) => "table",
            Self::Function(..) => "function",
        }
    }

    /// As text, if it is one or a number.
    pub(in super::super) fn text(&self) -> Option<Cow<'_, [u8]>> {
        match self {
            Self::Text(text) => Some(Cow::Borrowed(text)),
            Self::Number(number) => Some(Cow::Owned(shown(*number).into_bytes())),
            _ => None,
        }
    }

    /// As a number, if it is one or is written like one.
    pub(super) fn number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) => super::read::number(text.trim_ascii()),
            _ => None,
        }
    }

    /// How much room it takes, in bytes.
    pub(super) fn weight(&self) -> usize {
        let own = match self {
            Self::Text(text) => text.len(),
            Self::Table(placed, named) => {
                let named = named.iter().map(|(name, value)| name.len() + value.weight());
                placed.iter().map(Self::weight).chain(named).sum()
            }
            _ => 0,
        };
        own + size_of::<Self>()
    }

    /// What an answer of the server is in Lua, and what stands behind it.
    pub(super) fn of_answer(answer: &[u8]) -> Option<(Self, &[u8])> {
        let end = memchr::memmem::find(answer, b"\r\n")?;
        let (line, rest) = (&answer[..end], &answer[end + 2..]);
        let (kind, text) = line.split_first()?;
        let count = || core::str::from_utf8(text).ok()?.parse::<i64>().ok();
        let named = |name: &[u8]| Self::Table(Vec::new(), [(name.to_vec(), Self::Text(text.to_vec()))].into());
        Some(match kind {
            b'+' => (named(b"ok"), rest),
            b'-' => (named(b"err"), rest),
            b':' => (Self::Number(super::read::number(text)?), rest),
            b'$' => match usize::try_from(count()?) {
                Ok(length) => (Self::Text(rest.get(..length)?.to_vec()), rest.get(length + 2..)?),
                Err(_) => (Self::Bool(false), rest),
            },
            b'*' => {
                let (mut values, mut rest) = (Vec::new(), rest);
                if count()? < 0 {
                    return Some((Self::Bool(false), rest));
                }
                for _ in 0..count()? {
                    let (value, behind) = Self::of_answer(rest)?;
                    values.push(value);
                    rest = behind;
                }
                (Self::Table(values, Vec::new()), rest)
            }
            _ => return None,
        })
    }
}

/// A number as `%.14g` shows it.
pub(super) fn shown(number: f64) -> String {
    if number.is_nan() {
        return if number.is_sign_negative() { "-nan" } else { "nan" }.into();
    }
    if number.is_infinite() {
        return if number > 0.0 { "inf" } else { "-inf" }.into();
    }
    let scientific = format!("{number:.*e}", DIGITS - 1);
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let trimmed = |text: &str| {
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').into() } else { String::from(text) }
    };
    if (-4..14).contains(&exponent) {
        let decimals = usize::try_from(13 - exponent).unwrap_or_default();
        return trimmed(&format!("{number:.decimals$}"));
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{}e{sign}{:02}", trimmed(digits), exponent.unsigned_abs())
}
