//! The operator's YARA rules: compiled from text, and held against what strangers said.
//!
//! [`boreal`] evaluates them, without a line of native code of its own making: the process that plays may run none. It is given the
//! text with the rest of the [`Setting`](crate::Setting), compiles it before it is sealed, and opens no file. Where there are no
//! rules, nothing here is touched.

mod compile;
mod look;
mod purse;
mod reach;
mod toll;
mod weigh;

pub use compile::{RuleProblem, check_rules as check, compile_rules as compile};
#[cfg(not(feature = "testing"))]
pub(crate) use look::Eyes;
#[cfg(feature = "testing")]
pub use look::Eyes;

use boreal::Scanner;
use purse::Purse;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use toll::Toll;

/// Files of rules at most; more are refused.
pub const RULE_FILES_MAX: usize = 256;
/// All their text together, in octets; more is refused.
pub const RULE_BYTES_MAX: usize = 4 << 20;
/// Rules in all of them, private and global ones too; more are refused.
pub const RULES_MAX: usize = 4_096;
/// Strings of all rules; more are refused.
pub const RULE_STRINGS_MAX: usize = 16_384;
/// Strings without two fixed octets in a row, or with `^` or `$`: each has a pass of its own over everything that is said. More are refused.
pub const RULE_LOOSE_STRINGS_MAX: usize = 16;
/// Automata of expressions that are made while they look, one for what stands before an expression's fixed octets and one for what stands
/// behind. More are refused, …
pub const RULE_AUTOMATA_MAX: usize = 1_024;
/// … since each may come to have so many octets if somebody sends it enough disorder of the right kind …
const AUTOMATON_BYTES_MAX: usize = 2 << 20;
/// … so that all rules together, with what compiling them takes, need no more address space than this.
pub const RULE_MEMORY_MAX: usize = RULE_AUTOMATA_MAX * AUTOMATON_BYTES_MAX + (512 << 20);
/// How often one string is found in one piece; `#a` counts no further.
pub const RULE_MATCHES_MAX: u32 = 128;
/// Pieces of one report that are looked at: what was said, its body, a program in it, each opened layer. Further ones are not.
pub const RULE_PIECES_MAX: usize = 64;
/// How long the rules look at one report; it is cut there.
pub const RULE_LOOK_MAX: Duration = Duration::from_millis(50);
/// Steps of automata that one piece may cost at most, reckoned beforehand from how often the fixed octets of expressions stand in it and
/// how far each reaches; a piece that might cost more is not looked at. About a tenth of a second.
pub const RULE_STEPS_MAX: u64 = 1 << 26;
/// Of so many parts of all time the rules have one, whoever says what …
pub const RULE_SHARE: u32 = 4;
/// … saved up to this. While it is spent they do not look.
pub const RULE_SAVED_MAX: Duration = Duration::from_millis(250);
/// What a rule adds to the score that does not say, as a script trap's rule does.
pub const RULE_POINTS: u8 = 40;
/// Modules that a rule may import: none of them reads a file or parses a format.
pub const RULE_MODULES: [&str; 3] = ["math", "string", "time"];

/// The field of an event that names the rules which matched ...
pub(crate) const RULES_FIELD: &str = "rules";
/// ... and what it ends in if there may be more of them.
pub(crate) const RULES_CUT: &str = "+";

/// One file of rules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleFile {
    /// Its name in the folder.
    pub name: String,
    /// What is in it.
    pub text: String,
}

/// Rules that are ready to be held against something.
#[derive(Debug)]
pub struct Rules {
    scanner: Scanner,
    purse: Purse,
    toll: Toll,
}

#[cfg(test)]
mod tests;
