//! A trap for any other TCP service: a banner and rules that say what to expect and what to answer.

mod define;
mod session;

pub use define::{DefinitionError, Problem};
pub use session::ScriptSession;

use alloc::{
    string::{String, ToString},
    sync::Arc,
    vec::Vec,
};
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
/// At most one of `expect`, `contains` and `expect_hex`; with none of them it expects any line. Answers are sent as
/// they are: write `\r\n` where the service would.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleDefinition {
    /// The line begins with this text.
    pub expect: Option<String>,
    /// The line has this text somewhere.
    pub contains: Option<String>,
    /// The line, or the stream, begins with these bytes: pairs of hexadecimal digits, spaces allowed.
    pub expect_hex: Option<String>,
    /// ASCII letters match in either case.
    pub ignore_case: bool,
    /// What is sent back.
    pub answer: Option<String>,
    /// What is sent back, as pairs of hexadecimal digits.
    pub answer_hex: Option<String>,
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
    answer: Vec<u8>,
    capture: Option<String>,
    when: Option<usize>,
    next: Option<usize>,
    signs: honeymesh_types::Signs,
    flow: crate::Flow,
}

#[derive(Debug, PartialEq, Eq)]
enum Pattern {
    Any,
    Prefix(Vec<u8>),
    Within(Vec<u8>),
}

impl Script {
    /// Checks a script.
    ///
    /// # Errors
    /// The first thing that is wrong, with the number of its rule, counted from 1.
    pub fn new(banner: Option<&str>, definition: &ScriptDefinition) -> Result<Self, DefinitionError> {
        define::checked(banner, definition).map(|checked| Self(Arc::new(checked)))
    }

    /// A new connection.
    #[must_use]
    pub fn session(&self) -> ScriptSession {
        ScriptSession::new(Arc::clone(&self.0))
    }
}

impl Rule {
    /// What follows the expected part of `line`, if this rule expects `line`.
    fn rest<'a>(&self, line: &'a [u8]) -> Option<&'a [u8]> {
        match &self.pattern {
            Pattern::Any => Some(line),
            Pattern::Prefix(prefix) => {
                let (head, rest) = line.split_at_checked(prefix.len())?;
                self.same(head, prefix).then_some(rest)
            }
            Pattern::Within(part) => self.find(line, part).and_then(|at| line.get(at + part.len()..)),
        }
    }

    fn same(&self, said: &[u8], pattern: &[u8]) -> bool {
        if self.ignore_case { said.eq_ignore_ascii_case(pattern) } else { said == pattern }
    }

    /// Linear in the line, whatever the line and the pattern are.
    fn find(&self, line: &[u8], part: &[u8]) -> Option<usize> {
        if self.ignore_case {
            return memchr::memmem::find(&line.to_ascii_lowercase(), &part.to_ascii_lowercase());
        }
        memchr::memmem::find(line, part)
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
