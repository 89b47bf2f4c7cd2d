//! Patterns of `grep -P`, as far as they are regular: what stands before `\K`, in `(?<=…)` at the beginning and in `(?=…)` at the end is
//! looked for and not told. Of the rest of what Perl's patterns can (other lookarounds, back-references) nothing is ever found.

use super::{DEPTH_MAX, Wrong};
use alloc::{boxed::Box, string::String, vec::Vec};
use core::fmt::Write;
use regex_syntax::{
    Error, ParserBuilder,
    ast::ErrorKind,
    hir::{Capture, Hir, HirKind, Repetition},
};

/// How deep groups, repetitions, sequences and choices may stand in each other: each group takes up to four of them.
const NESTING_MAX: u32 = 4 * DEPTH_MAX as u32;

/// A pattern that was read.
pub(super) struct Read {
    pub(super) hir: Hir,
    /// What it finds is its first group, not all of it.
    pub(super) is_inner: bool,
}

/// What is looked for before what is told, that, and what is looked for behind it.
#[derive(Default)]
struct Parts<'a> {
    before: Option<&'a str>,
    own: &'a str,
    behind: Option<&'a str>,
}

pub(super) fn read(pattern: &[u8], folds: bool) -> Result<Read, Wrong> {
    let text = pattern.iter().fold(String::with_capacity(pattern.len()), |mut text, byte| {
        match byte.is_ascii() {
            true => text.push(char::from(*byte)),
            // Octets, not characters, are what is looked for.
            false => drop(write!(text, "\\x{byte:02x}")),
        }
        text
    });
    let Some(parts) = parts(&text) else { return Ok(Read { hir: Hir::fail(), is_inner: false }) };
    let mut parser = ParserBuilder::new();
    parser.unicode(false).utf8(false).case_insensitive(folds).nest_limit(NESTING_MAX);
    let parse = |part: &str| match parser.build().parse(part) {
        Ok(hir) => Ok(without_groups(hir)),
        Err(error) => told(&error).map_or_else(|| Ok(Hir::fail()), Err),
    };
    let own = parse(parts.own)?;
    if parts.before.is_none() && parts.behind.is_none() {
        return Ok(Read { hir: own, is_inner: false });
    }
    let own = Hir::capture(Capture { index: 1, name: None, sub: Box::new(own) });
    let around = |part: Option<&str>| part.map_or_else(|| Ok(Hir::empty()), &parse);
    Ok(Read { hir: Hir::concat(alloc::vec![around(parts.before)?, own, around(parts.behind)?]), is_inner: true })
}

/// What PCRE says; `None` of what is right there and cannot be found here.
fn told(error: &Error) -> Option<Wrong> {
    let Error::Parse(error) = error else { return None };
    Some(Wrong::Perl(match error.kind() {
        ErrorKind::GroupUnclosed => "missing closing parenthesis",
        ErrorKind::GroupUnopened => "unmatched closing parenthesis",
        ErrorKind::ClassUnclosed => "missing terminating ] for character class",
        ErrorKind::ClassRangeInvalid => "range out of order in character class",
        ErrorKind::RepetitionMissing => "quantifier does not follow a repeatable item",
        ErrorKind::RepetitionCountInvalid => "numbers out of order in {} quantifier",
        ErrorKind::EscapeUnexpectedEof => "\\ at end of pattern",
        ErrorKind::NestLimitExceeded(_) => return Some(Wrong::Large),
        _ => return None,
    }))
}

/// Groups tell nothing here. As deep as the parser lets patterns be.
fn without_groups(hir: Hir) -> Hir {
    match hir.into_kind() {
        HirKind::Empty => Hir::empty(),
        HirKind::Literal(literal) => Hir::literal(literal.0),
        HirKind::Class(class) => Hir::class(class),
        HirKind::Look(look) => Hir::look(look),
        HirKind::Capture(capture) => without_groups(*capture.sub),
        HirKind::Repetition(Repetition { min, max, greedy, sub }) => {
            Hir::repetition(Repetition { min, max, greedy, sub: Box::new(without_groups(*sub)) })
        }
        HirKind::Concat(subs) => Hir::concat(subs.into_iter().map(without_groups).collect()),
        HirKind::Alternation(subs) => Hir::alternation(subs.into_iter().map(without_groups).collect()),
    }
}

/// A pattern's parts; `None` if it cannot be divided so.
fn parts(pattern: &str) -> Option<Parts<'_>> {
    let outer = outer(pattern);
    let is_choice = outer.iter().any(|(at, _)| pattern[*at..].starts_with('|'));
    let kept = outer.iter().rfind(|(at, _)| pattern[*at..].starts_with("\\K")).map(|(at, _)| *at);
    let looks_back = pattern.starts_with("(?<=").then(|| outer.first().map(|(_, end)| *end)).flatten();
    let ahead = outer.last().filter(|(at, end)| pattern[*at..].starts_with("(?=") && *end == pattern.len());
    let mut parts = Parts { own: pattern, ..Parts::default() };
    if let Some((at, end)) = ahead {
        parts.behind = pattern.get(at + 3..end - 1);
        parts.own = pattern.get(..*at)?;
    }
    match (kept, looks_back) {
        (Some(at), None) => {
            parts.before = pattern.get(..at);
            parts.own = parts.own.get(at + 2..)?;
        }
        (None, Some(end)) => {
            parts.before = pattern.get(4..end.checked_sub(1)?);
            parts.own = parts.own.get(end..)?;
        }
        (None, None) => {}
        (Some(_), Some(_)) => return None,
    }
    let is_divided = parts.before.is_some() || parts.behind.is_some();
    (!is_divided || !is_choice).then_some(parts)
}

/// Where its outermost elements begin and end: groups, brackets, escapes, octets.
fn outer(pattern: &str) -> Vec<(usize, usize)> {
    let bytes = pattern.as_bytes();
    let (mut all, mut at, mut depth, mut opened) = (Vec::new(), 0, 0_usize, 0);
    while let Some(byte) = bytes.get(at) {
        let length = match byte {
            b'\\' => 2,
            b'[' => {
                let first = at + 1 + usize::from(bytes.get(at + 1) == Some(&b'^'));
                let end = bytes.iter().enumerate().skip(first + 1).find(|(_, byte)| **byte == b']');
                end.map_or(bytes.len(), |(end, _)| end + 1) - at
            }
            _ => 1,
        };
        let (begun, end) = (at, (at + length).min(bytes.len()));
        at = end;
        match byte {
            b'(' => {
                if depth == 0 {
                    opened = begun;
                }
                depth += 1;
            }
            b')' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    all.push((opened, end));
                }
            }
            _ if depth == 0 => all.push((begun, end)),
            _ => {}
        }
    }
    all
}
