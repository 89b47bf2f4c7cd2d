//! Reads patterns as GNU's programs, bash and mawk do, and makes of them what automata are built of. No text is put together on the
//! way, so nothing has to be escaped.

use super::{DEPTH_MAX, REPEATS_MAX, STACKED_MAX};
use crate::shell::debian::expand::is_named;
use alloc::{boxed::Box, vec::Vec};
use regex_syntax::hir::{Capture, Class, ClassBytes, ClassBytesRange, Dot, Hir, Look, Repetition};

/// Who reads a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Tool {
    Grep,
    Sed,
    /// What stands behind `=~`.
    Bash,
    Awk,
}

/// How a pattern is written.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Syntax {
    pub(in super::super) tool: Tool,
    /// `+`, `?`, `|`, `(` and `{` mean something without a backslash.
    pub(in super::super) is_extended: bool,
    /// Upper and lower case are alike.
    pub(in super::super) folds: bool,
}

/// What is wrong with a pattern, in GNU's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Wrong {
    Bracket,
    Open,
    Close,
    Brace,
    Interval,
    Range,
    ClassName,
    /// `[:space:]` without brackets around it: `grep` alone minds.
    ClassAlone,
    Backslash,
    Reference,
    Preceding,
    /// Larger than the bounds, or the work is used up.
    Large,
    /// In PCRE's words.
    Perl(&'static str),
}

impl Wrong {
    pub(in super::super) const fn text(self) -> &'static str {
        match self {
            Self::Bracket => "Unmatched [, [^, [:, [., or [=",
            Self::Open => "Unmatched ( or \\(",
            Self::Close => "Unmatched ) or \\)",
            Self::Brace => "Unmatched \\{",
            Self::Interval => "Invalid content of \\{\\}",
            Self::Range => "Invalid range end",
            Self::ClassName => "Invalid character class name",
            Self::ClassAlone => "character class syntax is [[:space:]], not [:space:]",
            Self::Backslash => "Trailing backslash",
            Self::Reference => "Invalid back reference",
            Self::Preceding => "Invalid preceding regular expression",
            Self::Large => "Regular expression too big",
            Self::Perl(text) => text,
        }
    }
}

/// A pattern that was read.
pub(super) struct Read {
    pub(super) hir: Hir,
    /// Groups of it.
    pub(super) groups: usize,
    /// What stands at the beginning of an expression and repeats nothing: `grep` warns of it.
    pub(super) repeats_nothing: Option<&'static str>,
}

/// One element, and whether a repetition behind it repeats it.
enum Atom {
    One(Hir),
    /// What stands here repeats nothing and is passed over.
    Nothing,
    /// Behind it an expression begins anew: `*` is a star.
    Begins(Hir),
}

struct Reader<'a> {
    rest: &'a [u8],
    syntax: Syntax,
    keeps_groups: bool,
    groups: usize,
    /// Groups that have ended, a bit each.
    ended: u16,
    repeats_nothing: Option<&'static str>,
}

/// Reads one pattern; groups are kept apart if they are asked for.
pub(super) fn read(pattern: &[u8], syntax: Syntax, keeps_groups: bool) -> Result<Read, Wrong> {
    let mut reader = Reader { rest: pattern, syntax, keeps_groups, groups: 0, ended: 0, repeats_nothing: None };
    let hir = reader.choice(0)?;
    // Only a parenthesis that closes nothing is left over.
    if !reader.rest.is_empty() {
        return Err(Wrong::Close);
    }
    Ok(Read { hir, groups: reader.groups, repeats_nothing: reader.repeats_nothing })
}

/// A text that means itself.
pub(super) fn fixed(text: &[u8], folds: bool) -> Hir {
    Hir::concat(text.iter().map(|byte| literal(*byte, folds)).collect())
}

fn literal(byte: u8, folds: bool) -> Hir {
    if !folds || !byte.is_ascii_alphabetic() {
        return Hir::literal([byte]);
    }
    class([byte.to_ascii_lowercase(), byte.to_ascii_uppercase()].map(|byte| (byte, byte)), false)
}

fn class(ranges: impl IntoIterator<Item = (u8, u8)>, not: bool) -> Hir {
    let mut class = ClassBytes::new(ranges.into_iter().map(|(from, to)| ClassBytesRange::new(from, to)));
    if not {
        class.negate();
    }
    Hir::class(Class::Bytes(class))
}

fn named(name: &[u8]) -> impl Iterator<Item = (u8, u8)> {
    (0..=u8::MAX).filter(move |byte| is_named(name, *byte)).map(|byte| (byte, byte))
}

impl Reader<'_> {
    fn choice(&mut self, depth: u8) -> Result<Hir, Wrong> {
        if depth > DEPTH_MAX {
            return Err(Wrong::Large);
        }
        let mut ways = alloc::vec![self.sequence(depth)?];
        while self.takes(b'|') {
            ways.push(self.sequence(depth)?);
        }
        Ok(Hir::alternation(ways))
    }

    /// An operator, which has a backslash before it in a basic pattern.
    fn takes(&mut self, operator: u8) -> bool {
        let behind = match self.rest {
            [first, behind @ ..] if self.syntax.is_extended && *first == operator => behind,
            [b'\\', first, behind @ ..] if !self.syntax.is_extended && *first == operator => behind,
            _ => return false,
        };
        self.rest = behind;
        true
    }

    fn is_next(&self, operator: u8) -> bool {
        let behind = if self.syntax.is_extended { Some(self.rest) } else { self.rest.strip_prefix(b"\\") };
        behind.and_then(<[u8]>::first) == Some(&operator)
    }

    /// Whether a parenthesis that closes stands here. `grep -E` takes one that closes nothing for itself.
    fn closes(&self, depth: u8) -> bool {
        let is_plain = depth == 0 && self.syntax.is_extended && self.syntax.tool == Tool::Grep;
        self.is_next(b')') && !is_plain
    }

    fn sequence(&mut self, depth: u8) -> Result<Hir, Wrong> {
        let (mut items, mut begins) = (Vec::new(), true);
        while !self.rest.is_empty() && !self.is_next(b'|') && !self.closes(depth) {
            let is_first = items.is_empty();
            match self.atom(depth, is_first, begins)? {
                Atom::One(hir) => {
                    items.push(self.repeated(hir)?);
                    begins = false;
                }
                Atom::Begins(hir) => {
                    items.push(hir);
                    begins = true;
                }
                Atom::Nothing => {}
            }
        }
        Ok(Hir::concat(items))
    }

    fn repeated(&mut self, mut hir: Hir) -> Result<Hir, Wrong> {
        let mut stacked = 0;
        while let Some((min, max)) = self.repeats()? {
            stacked += 1;
            if stacked > STACKED_MAX {
                return Err(Wrong::Large);
            }
            hir = Hir::repetition(Repetition { min, max, greedy: true, sub: Box::new(hir) });
        }
        Ok(hir)
    }

    /// What repeats stands where nothing is to be repeated: `None` if it does not.
    fn repeats_nothing(&mut self) -> Result<Option<Atom>, Wrong> {
        let operators: [(u8, &str); 4] = [
            (b'*', "* at start of expression"),
            (b'+', "+ at start of expression"),
            (b'?', "? at start of expression"),
            (b'{', "{...} at start of expression"),
        ];
        let is_extended = self.syntax.is_extended;
        let is_here = |operator: u8| if operator == b'*' { self.rest.first() == Some(&b'*') } else { self.is_next(operator) };
        let Some((operator, warning)) = operators.into_iter().find(|(operator, _)| is_here(*operator)) else { return Ok(None) };
        let is_plain = !is_extended && (operator != b'{' || self.syntax.tool == Tool::Grep);
        if is_plain {
            self.rest = &self.rest[if operator == b'*' { 1 } else { 2 }..];
            return Ok(Some(Atom::One(literal(operator, false))));
        }
        if self.syntax.tool != Tool::Grep {
            return Err(Wrong::Preceding);
        }
        self.repeats_nothing.get_or_insert(warning);
        self.rest = &self.rest[1..];
        Ok(Some(Atom::Nothing))
    }

    fn atom(&mut self, depth: u8, is_first: bool, begins: bool) -> Result<Atom, Wrong> {
        if begins && let Some(atom) = self.repeats_nothing()? {
            return Ok(atom);
        }
        if self.takes(b'(') {
            return self.group(depth).map(Atom::One);
        }
        let Syntax { is_extended, folds, tool } = self.syntax;
        let Some((first, behind)) = self.rest.split_first() else { return Ok(Atom::Nothing) };
        self.rest = behind;
        let ends = || behind.is_empty() || matches!(behind, [b'\\', b'|' | b')', ..]);
        Ok(match first {
            b'.' => Atom::One(Hir::dot(Dot::AnyByte)),
            b'^' if !is_extended && is_first => Atom::Begins(Hir::look(Look::Start)),
            b'^' if is_extended => self.anchor(Look::Start),
            b'$' if is_extended || ends() => self.anchor(Look::End),
            b'[' => Atom::One(self.bracket()?),
            b'\\' => match tool {
                Tool::Awk => Atom::One(self.awk_escaped()?),
                _ => self.escaped()?,
            },
            byte => Atom::One(literal(*byte, folds)),
        })
    }

    /// `grep` repeats what has no width, the others begin anew behind it.
    fn anchor(&self, look: Look) -> Atom {
        if self.syntax.tool == Tool::Grep { Atom::One(Hir::look(look)) } else { Atom::Begins(Hir::look(look)) }
    }

    fn group(&mut self, depth: u8) -> Result<Hir, Wrong> {
        self.groups += 1;
        let number = self.groups;
        let sub = self.choice(depth + 1)?;
        if !self.takes(b')') {
            return Err(Wrong::Open);
        }
        if number > super::GROUPS_MAX {
            return Ok(sub);
        }
        self.ended |= 1 << number;
        if !self.keeps_groups {
            return Ok(sub);
        }
        let index = u32::try_from(number).map_err(|_| Wrong::Large)?;
        Ok(Hir::capture(Capture { index, name: None, sub: Box::new(sub) }))
    }

    /// Behind a backslash, for GNU's programs.
    fn escaped(&mut self) -> Result<Atom, Wrong> {
        let Some((escaped, behind)) = self.rest.split_first() else { return Err(Wrong::Backslash) };
        self.rest = behind;
        let word = || named(b"alnum").chain([(b'_', b'_')]);
        Ok(match escaped {
            b'w' => Atom::One(class(word(), false)),
            b'W' => Atom::One(class(word(), true)),
            b's' => Atom::One(class(named(b"space"), false)),
            b'S' => Atom::One(class(named(b"space"), true)),
            b'b' => self.anchor(Look::WordAscii),
            b'B' => self.anchor(Look::WordAsciiNegate),
            b'<' => self.anchor(Look::WordStartAscii),
            b'>' => self.anchor(Look::WordEndAscii),
            b'`' => self.anchor(Look::Start),
            b'\'' => self.anchor(Look::End),
            b'1'..=b'9' if self.ended >> (escaped - b'0') & 1 == 0 => return Err(Wrong::Reference),
            // What a group has found cannot be asked for again in linear time: nothing fits here.
            b'1'..=b'9' => Atom::One(Hir::fail()),
            _ if self.syntax.tool == Tool::Sed => Atom::One(self.sed_escaped(*escaped)),
            other => Atom::One(literal(*other, self.syntax.folds)),
        })
    }

    fn sed_escaped(&mut self, escaped: u8) -> Hir {
        let (byte, length) = sed_byte(escaped, self.rest).unwrap_or((escaped, 0));
        self.rest = &self.rest[length..];
        literal(byte, self.syntax.folds)
    }

    fn awk_escaped(&mut self) -> Result<Hir, Wrong> {
        let Some((escaped, behind)) = self.rest.split_first() else { return Err(Wrong::Backslash) };
        self.rest = behind;
        let (byte, length) = awk_byte(*escaped, behind);
        self.rest = &self.rest[length..];
        Ok(Hir::literal([byte]))
    }

    /// How often what stands before is repeated at least and at most; `None` if it is not.
    fn repeats(&mut self) -> Result<Option<(u32, Option<u32>)>, Wrong> {
        if let [b'*', behind @ ..] = self.rest {
            self.rest = behind;
            return Ok(Some((0, None)));
        }
        if self.takes(b'+') {
            return Ok(Some((1, None)));
        }
        if self.takes(b'?') {
            return Ok(Some((0, Some(1))));
        }
        let before = self.rest;
        if !self.takes(b'{') {
            return Ok(None);
        }
        match self.interval() {
            Ok(interval) => Ok(Some(interval)),
            // `grep -E` and `awk` take what is no interval for itself.
            Err(None) if self.syntax.is_extended && matches!(self.syntax.tool, Tool::Grep | Tool::Awk) => {
                self.rest = before;
                Ok(None)
            }
            Err(None) => Err(if memchr::memchr(b'}', before).is_some() { Wrong::Interval } else { Wrong::Brace }),
            Err(Some(wrong)) => Err(wrong),
        }
    }

    /// What stands between braces. `Err(None)`: it is no interval.
    fn interval(&mut self) -> Result<(u32, Option<u32>), Option<Wrong>> {
        let least = self.number()?;
        let (min, max) = if let [b',', behind @ ..] = self.rest {
            self.rest = behind;
            (least.unwrap_or(0), self.number()?)
        } else {
            let count = least.ok_or(None)?;
            (count, Some(count))
        };
        if !self.takes(b'}') {
            return Err(None);
        }
        if max.is_some_and(|max| max < min) {
            return Err(Some(Wrong::Interval));
        }
        Ok((min, max))
    }

    fn number(&mut self) -> Result<Option<u32>, Option<Wrong>> {
        let digits = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (digits, behind) = self.rest.split_at(digits);
        self.rest = behind;
        if digits.is_empty() {
            return Ok(None);
        }
        let number = core::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
        number.filter(|number| *number <= REPEATS_MAX).map(Some).ok_or(Some(Wrong::Large))
    }

    /// What stands behind `[`.
    fn bracket(&mut self) -> Result<Hir, Wrong> {
        let whole = self.rest;
        let not = self.rest.first() == Some(&b'^');
        self.rest = &self.rest[usize::from(not)..];
        let (mut ranges, mut is_first) = (Vec::new(), true);
        loop {
            match self.rest {
                [] => return Err(Wrong::Bracket),
                [b']', behind @ ..] if !is_first => {
                    let inside = &whole[..whole.len() - self.rest.len()];
                    self.rest = behind;
                    if self.syntax.tool == Tool::Grep && inside.len() > 2 && inside.starts_with(b":") && inside.ends_with(b":") {
                        return Err(Wrong::ClassAlone);
                    }
                    break;
                }
                [b'[', b':', inside @ ..] => {
                    let end = memchr::memmem::find(inside, b":]").ok_or(Wrong::Bracket)?;
                    self.class_named(&inside[..end], &mut ranges)?;
                    self.rest = &inside[end + 2..];
                    if matches!(self.rest, [b'-', next, ..] if *next != b']') {
                        return Err(Wrong::Range);
                    }
                }
                _ => self.range(is_first, &mut ranges)?,
            }
            is_first = false;
        }
        let mut class = ClassBytes::new(ranges.into_iter().map(|(from, to)| ClassBytesRange::new(from, to)));
        if self.syntax.folds {
            class.case_fold_simple();
        }
        if not {
            class.negate();
        }
        Ok(Hir::class(Class::Bytes(class)))
    }

    fn class_named(&self, name: &[u8], ranges: &mut Vec<(u8, u8)>) -> Result<(), Wrong> {
        let before = ranges.len();
        ranges.extend(named(name));
        if ranges.len() == before { Err(Wrong::ClassName) } else { Ok(()) }
    }

    /// One byte of a bracket, or two with a hyphen between.
    fn range(&mut self, is_first: bool, ranges: &mut Vec<(u8, u8)>) -> Result<(), Wrong> {
        let is_hyphen = !is_first && matches!(self.rest, [b'-', next, ..] if *next != b']' && *next != b'-');
        if is_hyphen && self.syntax.tool != Tool::Awk {
            return Err(Wrong::Range);
        }
        let from = self.bracketed()?;
        let to = match self.rest {
            [b'-', next, ..] if *next != b']' => {
                self.rest = &self.rest[1..];
                if self.rest.starts_with(b"[:") {
                    return Err(Wrong::Range);
                }
                self.bracketed()?
            }
            _ => from,
        };
        if from > to {
            return Err(Wrong::Range);
        }
        ranges.push((from, to));
        Ok(())
    }

    /// One byte of a bracket.
    fn bracketed(&mut self) -> Result<u8, Wrong> {
        let (byte, length) = match self.rest {
            [b'[', kind @ (b'.' | b'='), byte, end, b']', ..] if kind == end => (*byte, 5),
            [b'\\', escaped, behind @ ..] if self.syntax.tool == Tool::Awk => {
                let (byte, length) = awk_byte(*escaped, behind);
                (byte, 2 + length)
            }
            [b'\\', escaped, behind @ ..] if self.syntax.tool == Tool::Sed => match sed_byte(*escaped, behind) {
                Some((byte, length)) => (byte, 2 + length),
                None => (b'\\', 1),
            },
            [byte, ..] => (*byte, 1),
            [] => return Err(Wrong::Bracket),
        };
        self.rest = &self.rest[length..];
        Ok(byte)
    }
}

/// What `sed` makes of an escape, and how many bytes behind its letter belong to it.
pub(in super::super) fn sed_byte(escaped: u8, behind: &[u8]) -> Option<(u8, usize)> {
    let number = |radix: u32, most: usize| {
        let digits = behind.iter().take(most).take_while(|byte| char::from(**byte).is_digit(radix)).count();
        let value = core::str::from_utf8(&behind[..digits]).ok().and_then(|text| u32::from_str_radix(text, radix).ok());
        value.map(|value| (u8::try_from(value & 0xff).unwrap_or_default(), digits))
    };
    match escaped {
        b'a' => Some((7, 0)),
        b'f' => Some((12, 0)),
        b'n' => Some((b'\n', 0)),
        b'r' => Some((b'\r', 0)),
        b't' => Some((b'\t', 0)),
        b'v' => Some((11, 0)),
        b'd' => number(10, 3),
        b'o' => number(8, 3),
        b'x' => number(16, 2),
        _ => None,
    }
}

/// What `awk` makes of an escape, and how many bytes behind its letter belong to it.
fn awk_byte(escaped: u8, behind: &[u8]) -> (u8, usize) {
    match escaped {
        b'a' => (7, 0),
        b'b' => (8, 0),
        b'f' => (12, 0),
        b'n' => (b'\n', 0),
        b'r' => (b'\r', 0),
        b't' => (b'\t', 0),
        b'v' => (11, 0),
        b'0'..=b'7' => {
            let more = behind.iter().take(2).take_while(|byte| matches!(byte, b'0'..=b'7'));
            let value = more.clone().fold(u32::from(escaped - b'0'), |value, digit| value * 8 + u32::from(digit - b'0'));
            (u8::try_from(value & 0xff).unwrap_or_default(), more.count())
        }
        other => (other, 0),
    }
}
