//! Regular expressions over lines, in time linear in the line whatever the line is.
//!
//! There is no backtracking: the expression becomes automata, whose sizes are bounded when it is defined.

use super::{Found, WORD_BYTES_MAX};
use alloc::{
    string::{String, ToString},
    vec::Vec,
};
use regex_automata::{
    meta::{self, Regex},
    util::{captures::Captures, syntax},
};

/// The largest automaton of one regular expression, in bytes.
const AUTOMATON_BYTES_MAX: usize = 32 * 1_024;
/// What is remembered of one expression's automaton while it is used, in bytes; more is forgotten and worked out again.
const REMEMBERED_BYTES_MAX: usize = 64 * 1_024;
/// How deep groups and repetitions may stand in each other.
const NESTING_MAX: u32 = 32;
/// The most groups of one expression.
const GROUPS_MAX: usize = 16;

/// A regular expression.
#[derive(Debug)]
pub(super) struct Search {
    text: String,
    ignore_case: bool,
    engine: Regex,
}

/// What is wrong with a regular expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SearchError {
    /// It cannot be read.
    #[error("character {at}: {what}; write a backslash before a character that shall stand for itself")]
    Syntax {
        /// The character where it goes wrong, from 1.
        at: usize,
        /// What is wrong there.
        what: String,
    },
    /// It becomes too large.
    #[error("its automaton is larger than {AUTOMATON_BYTES_MAX} bytes; write smaller counts such as {{1,20}}, or + and *")]
    Large,
    /// Too many groups.
    #[error("{0} groups; {GROUPS_MAX} are allowed: write (?:...) for a group that captures nothing")]
    Groups(usize),
    /// A group's name is no field.
    #[error("group `{0}`: a name is 1 to {WORD_BYTES_MAX} of the characters a-z 0-9 _")]
    Name(String),
}

impl PartialEq for Search {
    fn eq(&self, other: &Self) -> bool {
        (&self.text, self.ignore_case) == (&other.text, other.ignore_case)
    }
}

impl Eq for Search {}

impl Search {
    /// Reads and builds it. Classes and case are ASCII's, and what is searched is bytes.
    pub(super) fn new(text: &str, ignore_case: bool) -> Result<Self, SearchError> {
        let dialect = syntax::Config::new().unicode(false).utf8(false).case_insensitive(ignore_case).nest_limit(NESTING_MAX);
        let expression = syntax::parse_with(text, &dialect).map_err(|error| told(text, &error))?;
        let config = meta::Config::new()
            .nfa_size_limit(Some(AUTOMATON_BYTES_MAX))
            .onepass_size_limit(Some(AUTOMATON_BYTES_MAX))
            .hybrid_cache_capacity(REMEMBERED_BYTES_MAX)
            .utf8_empty(false);
        let engine = meta::Builder::new().configure(config).build_from_hir(&expression).map_err(|_| SearchError::Large)?;
        if engine.captures_len() > GROUPS_MAX + 1 {
            return Err(SearchError::Groups(engine.captures_len() - 1));
        }
        Ok(Self { text: text.to_string(), ignore_case, engine })
    }

    /// The names of its groups, in their order.
    pub(super) fn groups(&self) -> Result<Vec<Option<String>>, SearchError> {
        let names = self.engine.group_info().pattern_names(regex_automata::PatternID::ZERO).skip(1);
        names.map(|name| name.map(field).transpose()).collect()
    }

    /// The leftmost match.
    pub(super) fn find(&self, line: &[u8]) -> Option<Found> {
        let mut captures: Captures = self.engine.create_captures();
        self.engine.captures(line, &mut captures);
        let whole = captures.get_match()?.range();
        let group = |index| captures.get_group(index).map_or(whole.start..whole.start, |span| span.range());
        Some((0..captures.group_len()).map(group).collect())
    }
}

fn field(name: &str) -> Result<String, SearchError> {
    super::define::is_word(name).then(|| name.to_string()).ok_or_else(|| SearchError::Name(name.to_string()))
}

fn told(text: &str, error: &regex_syntax::Error) -> SearchError {
    let (offset, what) = match error {
        regex_syntax::Error::Parse(error) => (error.span().start.offset, error.kind().to_string()),
        regex_syntax::Error::Translate(error) => (error.span().start.offset, error.kind().to_string()),
        _ => (0, "it is not understood".to_string()),
    };
    SearchError::Syntax { at: text.get(..offset).unwrap_or(text).chars().count() + 1, what }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        Search::new(text, false).and_then(|search| search.groups()).unwrap_err().to_string()
    }

    #[test]
    fn a_mistake_is_told_with_its_character() {
        let table = [
            ("^USER (.*", "character 7: unclosed group"),
            ("a**b{2,1}", "character 5: invalid repetition count range"),
            ("ä[z-a]", "character 3: invalid character class range"),
            ("*x", "character 1: repetition operator missing expression"),
            (r"(\w+) \1", "character 7: backreferences are not supported"),
            ("a(?=b)", "character 2: look-around"),
            ("(?<Name>.)", "group `Name`: a name is 1 to 32"),
            ("(?:a{1000}){1000}", "its automaton is larger than 32768 bytes"),
        ];
        for (text, begins) in table {
            assert!(error(text).starts_with(begins), "{text}: {}", error(text));
        }
        assert!(error(&"(a)".repeat(17)).starts_with("17 groups; 16 are allowed"));
        assert!(error(&("(".repeat(40) + &")".repeat(40))).contains("nest"), "{}", error(&"(".repeat(40)));
    }

    /// With backtracking the first line would outlive everybody who waits for it.
    #[test]
    fn what_makes_others_backtrack_without_end_is_answered_at_once() {
        for text in ["^(a+)+$", "(x+x+)+y", "(a|a|aa)*c", "(.*)(.*)(.*)(.*)(.*)b"] {
            let search = Search::new(text, false).unwrap();
            for line in [[b'a'; 1_023], [b'x'; 1_023]] {
                assert_eq!(search.find(&[&line[..], b"!"].concat()), None, "{text}");
            }
        }
    }

    #[test]
    fn groups_are_found_in_bytes() {
        let search = Search::new(r"^@PJL\s+(?<verb>[A-Z]+)(?: (.+))?", true).unwrap();
        assert_eq!(search.groups().unwrap(), [Some("verb".into()), None]);
        assert_eq!(search.find(b"@pjl  info id\xff"), Some(alloc::vec![0..14, 6..10, 11..14]));
        assert_eq!(search.find(b"@PJL ECHO"), Some(alloc::vec![0..9, 5..9, 0..0]));
        assert_eq!(search.find(b"x@PJL ECHO"), None);
        assert_eq!(Search::new(r"\x00\xff(.)", false).unwrap().find(b"..\x00\xff\x80"), Some(alloc::vec![2..5, 4..5]));
    }
}
