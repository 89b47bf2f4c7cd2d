//! What a line of a POSIX shell is made of, and how it is read: lists of pipelines of commands, whose words are still to be expanded.

mod read;
mod word;

pub(super) use read::{Text, Trouble};
pub(super) use word::{between_quotes, name_bytes};

use super::words::Joint;
use alloc::{rc::Rc, vec::Vec};

/// Commands, words and their parts that are read of one text at most; what stands behind is not run.
const PIECES_MAX: usize = 2_048;
/// Lists inside lists.
const DEPTH_MAX: u8 = 12;

/// Pipelines, one after the other.
#[derive(Debug, Default)]
pub(super) struct List(pub(super) Vec<Item>);

/// A pipeline, and what stands before it.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) joint: Joint,
    pub(super) is_negated: bool,
    pub(super) in_background: bool,
    pub(super) pipeline: Vec<Node>,
}

/// A command with what its input and output are redirected to.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) body: Body,
    pub(super) redirects: Vec<Redirect>,
    /// Which line of the text it stands in, from 1 on.
    pub(super) line: u32,
}

#[derive(Debug)]
pub(super) enum Body {
    Simple {
        assignments: Vec<Assignment>,
        words: Vec<Word>,
    },
    /// `{ }`.
    Group(List),
    /// `( )`.
    Inner(List),
    If {
        arms: Vec<(List, List)>,
        otherwise: List,
    },
    /// `while`, or `until`.
    Loop {
        condition: List,
        is_until: bool,
        body: List,
    },
    For {
        name: Vec<u8>,
        words: Vec<Word>,
        body: List,
    },
    /// `for ((…; …; …))`: the three texts between.
    Count {
        sums: [Vec<u8>; 3],
        body: List,
    },
    Case {
        word: Word,
        arms: Vec<(Vec<Word>, List)>,
    },
    Function {
        name: Vec<u8>,
        body: Rc<Node>,
        /// As it was said.
        text: Vec<u8>,
    },
}

/// `name=word`, `name+=word`, `name[1]=word` and `name=(words)`.
#[derive(Debug)]
pub(super) struct Assignment {
    pub(super) name: Vec<u8>,
    pub(super) index: Option<Vec<u8>>,
    pub(super) appends: bool,
    pub(super) value: Assigned,
}

#[derive(Debug)]
pub(super) enum Assigned {
    One(Word),
    Several(Vec<Word>),
}

/// Where something comes from or goes to.
#[derive(Debug)]
pub(super) struct Redirect {
    pub(super) number: u8,
    pub(super) kind: Kind,
    pub(super) word: Word,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `<`.
    From,
    /// `<<` and `<<<`: the word is the text.
    Here,
    /// `>`.
    To,
    /// `>>`.
    Append,
    /// `>&`: the word is a number.
    Same,
    /// `&>`, and `&>>` alike.
    Both,
}

/// A word, as parts that are put together once they are expanded.
pub(super) type Word = Vec<Part>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// As it stands there: patterns and `~` mean something in it.
    Plain(Vec<u8>),
    /// As it stood between quotes.
    Quoted(Vec<u8>),
    /// `$name` and `${name…}`: what is done with the value, and by what.
    Value { name: Vec<u8>, change: Option<(&'static [u8], Word)>, is_quoted: bool },
    /// `$(…)` and backticks: the text between.
    Output { text: Vec<u8>, is_quoted: bool },
    /// `$((…))`: the text between.
    Sum { text: Vec<u8>, is_quoted: bool },
    /// `<(…)`, or `>(…)` if it is written: the text between.
    File { text: Vec<u8>, is_written: bool },
}

/// The text of a word that is nothing but plain.
pub(super) fn plain(word: &Word) -> Option<&[u8]> {
    match word.as_slice() {
        [Part::Plain(text)] => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
