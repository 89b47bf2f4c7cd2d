//! A trap for any other TCP service: a banner and rules that say what to expect and what to answer.

mod define;
mod hex;
mod reply;
mod search;
mod session;

pub use define::{DefinitionError, Problem};
pub use search::SearchError;
pub use session::ScriptSession;

use alloc::{
    string::{String, ToString},
    sync::Arc,
    vec::Vec,
};
use core::ops::Range;
use reply::Piece;
use search::Search;
use serde::{Deserialize, Serialize};

/// The most rules in one script.
pub const RULES_MAX: usize = 64;
/// The longest text or byte pattern a rule expects, in bytes.
pub const PATTERN_BYTES_MAX: usize = 256;
/// The longest answer of a rule, banner or `otherwise`, in bytes.
pub const ANSWER_TEXT_BYTES_MAX: usize = 4_096;
/// The longest line that is looked at; the rest of a longer one is skipped, and it is called malformed.
pub const LINE_BYTES_MAX: usize = 1_024;
/// The longest name of a state or captured field, in bytes.
pub const WORD_BYTES_MAX: usize = 32;
/// The state every session begins in.
pub const START: &str = "start";

/// What a script's rules are held against.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Frames {
    /// Each line, without its LF or CR LF.
    #[default]
    Lines,
    /// The stream itself: a rule's pattern is looked for at every position, and what no rule expects is skipped.
    Bytes,
}

/// A script as an operator writes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScriptDefinition {
    /// What the rules are held against.
    pub frames: Frames,
    /// The answer to a line that no rule expects, as it is; `None`: silence. Only with [`Frames::Lines`].
    pub otherwise: Option<String>,
    /// The rules: the first one that expects what was said decides.
    pub rules: Vec<RuleDefinition>,
}

/// One `[[trap.rule]]` as an operator writes it.
///
/// At most one of `expect`, `contains`, `expect_hex` and `regex`; with none of them it expects any line. Answers are sent
/// as they are, but that `{name}` and `{1}` stand for what this rule has captured: write `\r\n` where the service would.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleDefinition {
    /// The line begins with this text.
    pub expect: Option<String>,
    /// The line has this text somewhere.
    pub contains: Option<String>,
    /// The line, or the stream, begins with these bytes: pairs of hexadecimal digits, spaces allowed; `??` stands for any
    /// byte, and `{name:2}` for any two, which are captured.
    pub expect_hex: Option<String>,
    /// The line has something that this regular expression describes; its named groups become fields.
    pub regex: Option<String>,
    /// ASCII letters match in either case.
    pub ignore_case: bool,
    /// What is sent back.
    pub answer: Option<String>,
    /// What is sent back, as pairs of hexadecimal digits; `{name}` stands for captured bytes.
    pub answer_hex: Option<String>,
    /// How long the answer is kept back, in milliseconds: at most [`DELAY_MS_MAX`](crate::DELAY_MS_MAX) with its jitter.
    pub delay_ms: u32,
    /// By how much longer at most, in milliseconds; how much differs each time.
    pub jitter_ms: u32,
    /// The field that keeps the rest of the line after what was expected: `a-z 0-9 _`.
    pub capture: Option<String>,
    /// The rule holds only in this state; without it, in every state. A session begins in `START`.
    pub when: Option<String>,
    /// The state after this rule.
    pub next: Option<String>,
    /// Close after the answer.
    pub close: bool,
    /// Report at once.
    pub telling: bool,
    /// Whoever says this is hostile (`Signs::RULE`). Reported at once.
    pub hostile: bool,
    /// This is a try to log in (`Signs::CREDENTIALS`). Reported at once.
    pub credentials: bool,
    /// Only a thief can know this (`Signs::BAIT`). Reported at once.
    pub bait: bool,
}

/// A checked script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script(Arc<Checked>);

#[derive(Debug, PartialEq, Eq)]
struct Checked {
    banner: Vec<u8>,
    frames: Frames,
    otherwise: Vec<u8>,
    rules: Vec<Rule>,
}

#[derive(Debug, PartialEq, Eq)]
struct Rule {
    pattern: Pattern,
    ignore_case: bool,
    /// What is captured, by its number from 1: the field that keeps it, if it has a name.
    groups: Vec<Option<String>>,
    answer: Vec<Piece>,
    /// The rest behind what was expected is the last of the groups.
    captures_rest: bool,
    when: Option<usize>,
    next: Option<usize>,
    delay_ms: u32,
    jitter_ms: u32,
    signs: honeymesh_types::Signs,
    flow: crate::Flow,
}

#[derive(Debug, PartialEq, Eq)]
enum Pattern {
    Any,
    Prefix(Shape),
    Within(Vec<u8>),
    Search(Search),
}

/// Bytes of which some may be any, and where in it something is captured.
#[derive(Debug, Default, PartialEq, Eq)]
struct Shape {
    bytes: Vec<Option<u8>>,
    groups: Vec<Range<usize>>,
}

/// What a rule found in a line: the whole match, then each group, empty where it took no part.
type Found = Vec<Range<usize>>;

impl Script {
    /// Checks a script.
    ///
    /// # Errors
    /// The first thing that is wrong, with the number of its rule, counted from 1.
    pub fn new(banner: Option<&str>, definition: &ScriptDefinition) -> Result<Self, DefinitionError> {
        define::checked(banner, definition).map(|checked| Self(Arc::new(checked)))
    }

    /// A new connection; `seed` makes the jitter of its delays.
    #[must_use]
    pub fn session(&self, seed: u64) -> ScriptSession {
        ScriptSession::new(Arc::clone(&self.0), seed)
    }
}

impl Rule {
    /// What it finds in `line`, if this rule expects `line`.
    fn found(&self, line: &[u8]) -> Option<Found> {
        let mut found = match &self.pattern {
            Pattern::Any => alloc::vec![0..0],
            Pattern::Prefix(shape) => {
                let head = line.get(..shape.bytes.len())?;
                self.fits(head, shape).then(|| shape.found())?
            }
            Pattern::Within(part) => self.find(line, part).map(|at| alloc::vec![at..at + part.len()])?,
            Pattern::Search(search) => search.find(line)?,
        };
        if self.captures_rest {
            let end = found.first().map_or(0, |whole| whole.end);
            found.push(end..line.len());
        }
        Some(found)
    }

    /// Are these bytes the beginning of what is expected?
    fn fits(&self, said: &[u8], shape: &Shape) -> bool {
        said.iter().zip(&shape.bytes).all(|(said, wanted)| match wanted {
            None => true,
            Some(wanted) if self.ignore_case => said.eq_ignore_ascii_case(wanted),
            Some(wanted) => said == wanted,
        })
    }

    /// Linear in the line, whatever the line and the pattern are.
    fn find(&self, line: &[u8], part: &[u8]) -> Option<usize> {
        if self.ignore_case {
            return memchr::memmem::find(&line.to_ascii_lowercase(), &part.to_ascii_lowercase());
        }
        memchr::memmem::find(line, part)
    }
}

impl Shape {
    fn of(bytes: &[u8]) -> Self {
        Self { bytes: bytes.iter().copied().map(Some).collect(), groups: Vec::new() }
    }

    fn found(&self) -> Found {
        core::iter::once(0..self.bytes.len()).chain(self.groups.iter().cloned()).collect()
    }
}

/// The state's number: the place of its name among all names, [`START`] first.
fn states(definition: &ScriptDefinition) -> Vec<String> {
    let mut names = alloc::vec![START.to_string()];
    for name in definition.rules.iter().filter_map(|rule| rule.when.as_ref()) {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    names
}
