//! How far an expression may go from where it was noticed, and so what one hit of it costs at most.

use boreal::statistics::CompiledString;
use boreal_parser::{
    hex_string::{Token, parse_hex_string},
    regex::{AssertionKind, Node, RepetitionKind, RepetitionRange, parse_regex},
};

/// So far boreal goes from the fixed octets of an expression, each way; what lies beyond does not match.
pub(super) const REACH_MAX: usize = 4_096;
/// What beginning a walk costs, in steps.
const CALL_STEPS: u64 = 64;
/// An automaton that is made while it walks costs a step more for so many of its parts.
const PARTS_A_STEP: u64 = 64;
/// Nothing bounds it.
const ENDLESS: usize = usize::MAX;

/// How long what it matches may be, and how many parts its automaton has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) longest: usize,
    pub(super) parts: usize,
    pub(super) is_anchored: bool,
}

impl Shape {
    const NONE: Self = Self { longest: 0, parts: 0, is_anchored: false };
    /// Of what is not understood.
    const UNKNOWN: Self = Self { longest: ENDLESS, parts: REACH_MAX, is_anchored: false };

    const fn one() -> Self {
        Self { longest: 1, parts: 1, is_anchored: false }
    }

    /// Of a string as a rule declares it: `$a = /…/s wide`.
    pub(super) fn of(declared: &str) -> Self {
        let value = declared.split_once('=').map_or("", |(_, value)| value.trim_start());
        let shape = match value.as_bytes() {
            [b'/', b'/' | b'*', ..] => None,
            [b'/', ..] => parse_regex(value).ok().map(|regex| Self::of_node(&regex.ast)),
            [b'{', ..] => parse_hex_string(value).ok().map(|tokens| Self::of_tokens(&tokens)),
            _ => None,
        };
        let shape = shape.unwrap_or(Self::UNKNOWN);
        // Two octets for each where it is wide; a name or a class that reads so does no harm.
        if declared.contains("wide") { shape.times(2, 2) } else { shape }
    }

    fn of_node(node: &Node) -> Self {
        match node {
            Node::Assertion(kind) => Self { is_anchored: matches!(kind, AssertionKind::StartLine), ..Self::NONE },
            Node::Empty => Self::NONE,
            Node::Class(_) | Node::Dot | Node::Literal(_) => Self::one(),
            Node::Char(char) => Self::one().times(char.c.len_utf8(), char.c.len_utf8()),
            Node::Group(inner) => Self::of_node(inner),
            Node::Concat(nodes) => Self::row(nodes.iter().map(Self::of_node)),
            Node::Alternation(nodes) => Self::either(nodes.iter().map(Self::of_node)),
            Node::Repetition { node, kind, .. } => {
                let (most, made) = match kind {
                    RepetitionKind::ZeroOrOne => (1, 1),
                    RepetitionKind::ZeroOrMore | RepetitionKind::OneOrMore => (ENDLESS, 1),
                    RepetitionKind::Range(RepetitionRange::AtLeast(least)) => (ENDLESS, *least as usize + 1),
                    RepetitionKind::Range(RepetitionRange::Exactly(most) | RepetitionRange::Bounded(_, most)) => {
                        (*most as usize, *most as usize)
                    }
                };
                Self { is_anchored: false, ..Self::of_node(node).times(most, made) }
            }
        }
    }

    fn of_tokens(tokens: &[Token]) -> Self {
        Self::row(tokens.iter().map(|token| match token {
            Token::Jump(jump) => {
                let most = jump.to.map_or(ENDLESS, |to| to as usize);
                Self::one().times(most, jump.to.unwrap_or(jump.from + 1) as usize)
            }
            Token::Alternatives(several) => Self::either(several.iter().map(|tokens| Self::of_tokens(tokens))),
            _ => Self::one(),
        }))
    }

    const fn times(self, most: usize, made: usize) -> Self {
        Self { longest: self.longest.saturating_mul(most), parts: self.parts.saturating_mul(made), ..self }
    }

    fn row(shapes: impl Iterator<Item = Self>) -> Self {
        shapes.enumerate().fold(Self::NONE, |all, (index, one)| Self {
            longest: all.longest.saturating_add(one.longest),
            parts: all.parts.saturating_add(one.parts),
            is_anchored: all.is_anchored || index == 0 && one.is_anchored,
        })
    }

    fn either(shapes: impl Iterator<Item = Self>) -> Self {
        shapes.fold(Self::NONE, |all, one| Self {
            longest: all.longest.max(one.longest),
            parts: all.parts.saturating_add(one.parts),
            is_anchored: false,
        })
    }
}

/// What each hit of an expression's fixed octets sets off.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reach {
    left: usize,
    right: usize,
    parts: u64,
}

impl Reach {
    /// Of a string that is noticed by fixed octets and is more than them.
    pub(super) fn of(string: &CompiledString) -> Option<Self> {
        let way = string.matching_algo.strip_prefix("Atomized")?;
        let Shape { longest, parts, .. } = Shape::of(&string.expr);
        let far = longest.min(REACH_MAX);
        let left = if way.contains("reverse: none") { 0 } else { far };
        let right = if way.contains("forward: none") { 0 } else { far };
        Some(Self { left, right, parts: parts as u64 })
    }

    /// Steps at most for a hit that ends here in a piece, with so much behind its beginning: once to the right; and to the left
    /// from each place where the expression might begin, since boreal asks for every such place.
    pub(super) fn steps(self, before_end: usize, behind_begin: usize) -> u64 {
        let (left, right) = (self.left.min(before_end) as u64, self.right.min(behind_begin) as u64);
        let walked = right + left * (left + 1) / 2;
        CALL_STEPS * (2 + left) + walked.saturating_mul(1 + self.parts / PARTS_A_STEP)
    }

    /// Steps of a hit with enough on both sides.
    pub(super) fn steps_max(self) -> u64 {
        self.steps(REACH_MAX, REACH_MAX)
    }
}

/// A string that is searched for from end to end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pass {
    shape: Shape,
    /// A find that is none, since no whole word or not wide, is followed by another search, however often.
    is_filtered: bool,
}

impl Pass {
    pub(super) fn of(string: &CompiledString) -> Self {
        let is_filtered = ["fullword", "wide"].iter().any(|word| string.expr.contains(word));
        Self { shape: Shape::of(&string.expr), is_filtered }
    }

    /// Steps at most in a piece of this length, if it is found so often at most.
    pub(super) fn steps(self, length: usize, found_max: u32) -> u64 {
        let finds = match self {
            Self { shape: Shape { is_anchored: true, .. }, .. } => 1,
            Self { is_filtered: true, .. } => length as u64,
            Self { .. } => u64::from(found_max).min(length as u64),
        };
        // Forth to where it ends and back to where it begins.
        let walked = length as u64 + finds.saturating_mul(2 * self.shape.longest.min(length) as u64);
        CALL_STEPS * finds + walked.saturating_mul(1 + self.shape.parts as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_matched_is_as_long_as_its_parts_say() {
        let table = [
            ("$a = /[a-z0-9.-]{1,64}\\.duckdns\\.org/", 76, 76, false),
            ("$a = /(wget|curl) [^\\n]+x?/ nocase", ENDLESS, 11, false),
            ("$ = /^GET (ab|c){2}/s", 8, 10, true),
            ("$a=/x{3,}y/ wide", ENDLESS, 10, false),
            ("$a = { 4D ?? [0-1000] ( 50 45 | 00 ) }", 1_004, 1_005, false),
            ("$a = { 4D [4-] 50 }", ENDLESS, 7, false),
            ("$a = /* a remark */ /x/", ENDLESS, REACH_MAX, false),
        ];
        for (declared, longest, parts, is_anchored) in table {
            assert_eq!(Shape::of(declared), Shape { longest, parts, is_anchored }, "{declared}");
        }
    }
}
