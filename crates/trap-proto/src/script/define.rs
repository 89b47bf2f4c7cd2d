//! Checks an operator's script: every mistake is found before a stranger can.

use super::{
    ANSWER_TEXT_BYTES_MAX, Checked, Frames, PATTERN_BYTES_MAX, Pattern, RULES_MAX, Rule, RuleDefinition, START, ScriptDefinition,
    Shape, WORD_BYTES_MAX, hex,
    reply::{self, Piece},
    search::{Search, SearchError},
    states,
};
use crate::{DELAY_MS_MAX, Flow};
use alloc::{
    string::{String, ToString},
    vec::Vec,
};
use honeymesh_types::Signs;

/// What is wrong with a script, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DefinitionError {
    /// The banner is too long.
    #[error("banner: {0}")]
    Banner(Problem),
    /// `otherwise` is too long or cannot be used.
    #[error("otherwise: {0}")]
    Otherwise(Problem),
    /// More rules than [`RULES_MAX`].
    #[error("{0} rules; {RULES_MAX} are allowed")]
    Rules(usize),
    /// One rule is wrong.
    #[error("rule {number}: {problem}")]
    Rule {
        /// Its number, counted from 1.
        number: usize,
        /// What is wrong with it.
        problem: Problem,
    },
}

/// What is wrong with one value of a script.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Too long.
    #[error("`{key}` is {bytes} bytes long; {max} are allowed")]
    Long {
        /// The key.
        key: &'static str,
        /// How long it is.
        bytes: usize,
        /// How long it may be.
        max: usize,
    },
    /// Empty where that means nothing.
    #[error("`{0}` is empty; leave it out to expect any line")]
    Empty(&'static str),
    /// More than one pattern.
    #[error("it has more than one of `expect`, `contains`, `expect_hex` and `regex`; keep one, or make two rules")]
    Patterns,
    /// More than one answer.
    #[error("it has both `answer` and `answer_hex`; keep one")]
    Answers,
    /// No regular expression.
    #[error("`regex`, {0}")]
    Search(#[from] SearchError),
    /// A group of bytes without a length.
    #[error("`{key}`: {{{name}}} has no length; write {{{name}:2}} for two bytes, 1 to 255")]
    Length {
        /// The key.
        key: &'static str,
        /// The group's name, cut short.
        name: String,
    },
    /// Bytes of which each may be any.
    #[error("`{0}` fits everything; write at least one byte that is known")]
    Shapeless(&'static str),
    /// An answer names what is not captured.
    #[error("`{key}` has {{{name}}}, but the rule captures nothing of that name; write {{{{{name}}}}} for the text itself")]
    Group {
        /// The key.
        key: &'static str,
        /// The name, cut short.
        name: String,
    },
    /// The same name twice.
    #[error("it captures `{0}` twice; give each group a name of its own")]
    Twice(String),
    /// Too long a wait.
    #[error("`delay` and `jitter` are {0} ms together; {DELAY_MS_MAX} are allowed")]
    Delay(u64),
    /// Not hexadecimal.
    #[error("`{key}` is not pairs of hexadecimal digits: `{text}`")]
    Hex {
        /// The key.
        key: &'static str,
        /// The text, cut short.
        text: String,
    },
    /// A line feed in a pattern that is held against lines.
    #[error("`{0}` has a line feed, but a line never does; use frames = \"bytes\", or two rules with `when` and `next`")]
    LineFeed(&'static str),
    /// Only with lines.
    #[error("`{0}` needs frames = \"lines\"")]
    NeedsLines(&'static str),
    /// A stream needs a pattern.
    #[error("with frames = \"bytes\" a rule needs `expect` or `expect_hex`")]
    NoPattern,
    /// A name with other characters.
    #[error("`{key}` = `{text}`: 1 to {WORD_BYTES_MAX} of the characters a-z 0-9 _ are allowed")]
    Word {
        /// The key.
        key: &'static str,
        /// The text, cut short.
        text: String,
    },
    /// `next` leads to a state of which no rule knows.
    #[error("next = `{0}`, but no rule has when = `{0}`")]
    Nowhere(String),
    /// `when` names a state to which no rule leads.
    #[error("when = `{0}`, but no rule has next = `{0}`")]
    Unreachable(String),
    /// An earlier rule takes everything.
    #[error("it is never reached: rule {0} expects any line")]
    Shadowed(usize),
}

impl DefinitionError {
    /// Which rule is wrong, counted from 1, if it is one of them.
    #[must_use]
    pub const fn rule(&self) -> Option<usize> {
        match self {
            Self::Rule { number, .. } => Some(*number),
            _ => None,
        }
    }

    /// The key that is wrong, if it is one.
    #[must_use]
    pub const fn key(&self) -> Option<&'static str> {
        match self {
            Self::Banner(_) => Some("banner"),
            Self::Otherwise(_) => Some("otherwise"),
            Self::Rules(_) => None,
            Self::Rule { problem, .. } => problem.key(),
        }
    }
}

impl Problem {
    const fn key(&self) -> Option<&'static str> {
        match self {
            Self::Long { key, .. }
            | Self::Hex { key, .. }
            | Self::Word { key, .. }
            | Self::Length { key, .. }
            | Self::Group { key, .. }
            | Self::Empty(key)
            | Self::LineFeed(key)
            | Self::NeedsLines(key)
            | Self::Shapeless(key) => Some(key),
            Self::Search(_) => Some("regex"),
            Self::Delay(_) => Some("delay"),
            Self::Answers => Some("answer_hex"),
            Self::Nowhere(_) => Some("next"),
            Self::Unreachable(_) => Some("when"),
            Self::Patterns | Self::NoPattern | Self::Twice(_) | Self::Shadowed(_) => None,
        }
    }
}

pub(super) fn checked(banner: Option<&str>, definition: &ScriptDefinition) -> Result<Checked, DefinitionError> {
    let text = |key, text: Option<&str>| bounded(key, text.unwrap_or_default().as_bytes().to_vec(), ANSWER_TEXT_BYTES_MAX);
    let banner = text("banner", banner).map_err(DefinitionError::Banner)?;
    let otherwise = text("otherwise", definition.otherwise.as_deref()).map_err(DefinitionError::Otherwise)?;
    if definition.frames == Frames::Bytes && definition.otherwise.is_some() {
        return Err(DefinitionError::Otherwise(Problem::NeedsLines("otherwise")));
    }
    if definition.rules.len() > RULES_MAX {
        return Err(DefinitionError::Rules(definition.rules.len()));
    }
    let names = states(definition);
    let mut rules = Vec::with_capacity(definition.rules.len());
    for (index, given) in definition.rules.iter().enumerate() {
        let problem = |problem| DefinitionError::Rule { number: index + 1, problem };
        reached(&definition.rules, index).map_err(problem)?;
        rules.push(rule(given, definition.frames, &names).map_err(problem)?);
    }
    Ok(Checked { banner, frames: definition.frames, otherwise, rules })
}

fn rule(given: &RuleDefinition, frames: Frames, names: &[String]) -> Result<Rule, Problem> {
    let (pattern, mut groups) = pattern(given, frames)?;
    let rest = capture(given, frames)?;
    let is_new = matches!(pattern, Pattern::Search(_)) || !groups.is_empty();
    let captures_rest = rest.is_some();
    groups.extend(rest.map(Some));
    once_each(&groups)?;
    let delay = u64::from(given.delay_ms) + u64::from(given.jitter_ms);
    if delay > u64::from(DELAY_MS_MAX) {
        return Err(Problem::Delay(delay));
    }
    Ok(Rule {
        pattern,
        ignore_case: given.ignore_case,
        answer: answer(given, &groups, is_new)?,
        groups,
        captures_rest,
        when: state("when", given.when.as_deref(), names)?,
        next: state("next", given.next.as_deref(), names)?,
        delay_ms: given.delay_ms,
        jitter_ms: given.jitter_ms,
        signs: signs(given),
        flow: flow(given),
    })
}

/// The pattern, and the names of what it captures.
fn pattern(given: &RuleDefinition, frames: Frames) -> Result<(Pattern, Vec<Option<String>>), Problem> {
    let needs_lines = |key| if frames == Frames::Bytes { Err(Problem::NeedsLines(key)) } else { Ok(()) };
    let text = |key, text: &str| expected(key, text.as_bytes().to_vec(), frames);
    match (&given.expect, &given.contains, &given.expect_hex, &given.regex) {
        (None, None, None, None) if frames == Frames::Bytes => Err(Problem::NoPattern),
        (None, None, None, None) => Ok((Pattern::Any, Vec::new())),
        (Some(prefix), None, None, None) => Ok((Pattern::Prefix(Shape::of(&text("expect", prefix)?)), Vec::new())),
        (None, Some(part), None, None) => {
            needs_lines("contains")?;
            Ok((Pattern::Within(text("contains", part)?), Vec::new()))
        }
        (None, None, Some(digits), None) => {
            let (shape, names) = hex::pattern("expect_hex", digits)?;
            let known = shape.bytes.iter().map(|byte| byte.unwrap_or_default()).collect();
            expected("expect_hex", known, frames)?;
            Ok((Pattern::Prefix(shape), names))
        }
        (None, None, None, Some(expression)) => {
            needs_lines("regex")?;
            bounded("regex", expression.as_bytes().to_vec(), PATTERN_BYTES_MAX)?;
            let search = Search::new(expression, given.ignore_case)?;
            let names = search.groups()?;
            Ok((Pattern::Search(search), names))
        }
        _ => Err(Problem::Patterns),
    }
}

fn once_each(groups: &[Option<String>]) -> Result<(), Problem> {
    let named = || groups.iter().flatten();
    let twice = named().enumerate().find(|(place, name)| named().take(*place).any(|earlier| earlier == *name));
    twice.map_or(Ok(()), |(_, name)| Err(Problem::Twice(name.clone())))
}

fn expected(key: &'static str, bytes: Vec<u8>, frames: Frames) -> Result<Vec<u8>, Problem> {
    if bytes.is_empty() {
        return Err(Problem::Empty(key));
    }
    if frames == Frames::Lines && bytes.contains(&b'\n') {
        return Err(Problem::LineFeed(key));
    }
    bounded(key, bytes, PATTERN_BYTES_MAX)
}

fn answer(given: &RuleDefinition, groups: &[Option<String>], is_strict: bool) -> Result<Vec<Piece>, Problem> {
    let (key, pieces) = match (&given.answer, &given.answer_hex) {
        (Some(_), Some(_)) => return Err(Problem::Answers),
        (Some(text), None) => ("answer", reply::text("answer", text, groups, is_strict)?),
        (None, Some(digits)) => ("answer_hex", hex::answer("answer_hex", digits, groups)?),
        (None, None) => return Ok(Vec::new()),
    };
    match reply::fixed_bytes(&pieces) {
        bytes if bytes > ANSWER_TEXT_BYTES_MAX => Err(Problem::Long { key, bytes, max: ANSWER_TEXT_BYTES_MAX }),
        _ => Ok(pieces),
    }
}

fn capture(given: &RuleDefinition, frames: Frames) -> Result<Option<String>, Problem> {
    match &given.capture {
        None => Ok(None),
        Some(_) if frames == Frames::Bytes => Err(Problem::NeedsLines("capture")),
        Some(name) => word("capture", name).map(Some),
    }
}

fn state(key: &'static str, name: Option<&str>, names: &[String]) -> Result<Option<usize>, Problem> {
    let Some(name) = name else { return Ok(None) };
    let name = word(key, name)?;
    let place = names.iter().position(|known| *known == name);
    place.map(Some).ok_or(Problem::Nowhere(name))
}

/// Can rule `index` ever be reached?
fn reached(rules: &[RuleDefinition], index: usize) -> Result<(), Problem> {
    let (earlier, this) = (rules.get(..index).unwrap_or_default(), rules.get(index));
    let Some(this) = this else { return Ok(()) };
    let takes_all = |rule: &RuleDefinition| {
        rule.expect.is_none()
            && rule.contains.is_none()
            && rule.expect_hex.is_none()
            && rule.regex.is_none()
            && (rule.when.is_none() || rule.when == this.when)
    };
    if let Some(place) = earlier.iter().position(takes_all) {
        return Err(Problem::Shadowed(place + 1));
    }
    match &this.when {
        Some(name) if name != START && !rules.iter().any(|rule| rule.next.as_ref() == Some(name)) => {
            Err(Problem::Unreachable(shortened(name)))
        }
        _ => Ok(()),
    }
}

fn signs(given: &RuleDefinition) -> Signs {
    let flags = [(given.hostile, Signs::RULE), (given.credentials, Signs::CREDENTIALS), (given.bait, Signs::BAIT)];
    flags.into_iter().filter(|(set, _)| *set).fold(Signs::empty(), |signs, (_, sign)| signs | sign)
}

fn flow(given: &RuleDefinition) -> Flow {
    if given.close {
        Flow::Close
    } else if given.telling || given.hostile || given.credentials || given.bait {
        Flow::Telling
    } else {
        Flow::Continue
    }
}

fn bounded(key: &'static str, bytes: Vec<u8>, max: usize) -> Result<Vec<u8>, Problem> {
    if bytes.len() > max { Err(Problem::Long { key, bytes: bytes.len(), max }) } else { Ok(bytes) }
}

fn word(key: &'static str, text: &str) -> Result<String, Problem> {
    if is_word(text) { Ok(text.to_string()) } else { Err(Problem::Word { key, text: shortened(text) }) }
}

/// A name of a state or a field.
pub(super) fn is_word(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    !text.is_empty() && text.len() <= WORD_BYTES_MAX && text.bytes().all(allowed)
}

pub(super) fn shortened(text: &str) -> String {
    text.chars().take(WORD_BYTES_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Script;

    fn rule_expecting(text: &str) -> RuleDefinition {
        RuleDefinition { expect: Some(text.into()), ..RuleDefinition::default() }
    }

    fn lines(rules: Vec<RuleDefinition>) -> ScriptDefinition {
        ScriptDefinition { rules, ..ScriptDefinition::default() }
    }

    fn error_of(definition: &ScriptDefinition) -> String {
        Script::new(None, definition).unwrap_err().to_string()
    }

    #[test]
    fn every_mistake_names_its_rule_and_the_mend() {
        let good = rule_expecting("HELO");
        let table = [
            (rule_expecting(""), "rule 2: `expect` is empty; leave it out to expect any line"),
            (rule_expecting(&"x".repeat(257)), "rule 2: `expect` is 257 bytes long; 256 are allowed"),
            (
                RuleDefinition { contains: Some("x".into()), ..rule_expecting("y") },
                "rule 2: it has more than one of `expect`, `contains`, `expect_hex` and `regex`; keep one, or make two rules",
            ),
            (
                RuleDefinition { expect_hex: Some("0x03".into()), ..RuleDefinition::default() },
                "rule 2: `expect_hex` is not pairs of hexadecimal digits: `0x03`",
            ),
            (
                RuleDefinition { expect_hex: Some("030".into()), ..RuleDefinition::default() },
                "rule 2: `expect_hex` is not pairs of hexadecimal digits: `030`",
            ),
            (
                RuleDefinition { answer: Some("a".into()), answer_hex: Some("00".into()), ..rule_expecting("y") },
                "rule 2: it has both `answer` and `answer_hex`; keep one",
            ),
            (
                RuleDefinition { capture: Some("User Name".into()), ..rule_expecting("y") },
                "rule 2: `capture` = `User Name`: 1 to 32 of the characters a-z 0-9 _ are allowed",
            ),
            (
                RuleDefinition { next: Some("auth".into()), ..rule_expecting("y") },
                "rule 2: next = `auth`, but no rule has when = `auth`",
            ),
            (
                RuleDefinition { when: Some("auth".into()), ..rule_expecting("y") },
                "rule 2: when = `auth`, but no rule has next = `auth`",
            ),
            (
                RuleDefinition { answer: Some("x".repeat(4_097)), ..rule_expecting("y") },
                "rule 2: `answer` is 4097 bytes long; 4096 are allowed",
            ),
        ];
        for (bad, message) in table.into_iter().chain(newer()) {
            assert_eq!(error_of(&lines(alloc::vec![good.clone(), bad])), message);
        }
        assert!(error_of(&lines(alloc::vec![rule_expecting("a\nb")])).starts_with("rule 1: `expect` has a line feed"));
    }

    /// What regular expressions, groups and delays can be wrong with.
    fn newer() -> [(RuleDefinition, &'static str); 5] {
        let searching = |text: &str| RuleDefinition { regex: Some(text.into()), ..RuleDefinition::default() };
        [
            (
                searching("^USER (.*"),
                "rule 2: `regex`, character 7: unclosed group; write a backslash before a character that shall stand for itself",
            ),
            (
                RuleDefinition { answer: Some("331 {user}".into()), ..searching("^USER (?<name>.*)") },
                "rule 2: `answer` has {user}, but the rule captures nothing of that name; write {{user}} for the text itself",
            ),
            (
                RuleDefinition { expect_hex: Some("00 {id}".into()), ..RuleDefinition::default() },
                "rule 2: `expect_hex`: {id} has no length; write {id:2} for two bytes, 1 to 255",
            ),
            (
                RuleDefinition { capture: Some("a".into()), ..searching("(?<a>.)") },
                "rule 2: it captures `a` twice; give each group a name of its own",
            ),
            (
                RuleDefinition { delay_ms: 9_000, jitter_ms: 1_001, ..rule_expecting("y") },
                "rule 2: `delay` and `jitter` are 10001 ms together; 10000 are allowed",
            ),
        ]
    }

    #[test]
    fn a_mistake_knows_its_rule_and_key() {
        let searching = RuleDefinition { regex: Some("(".into()), ..RuleDefinition::default() };
        let error = Script::new(None, &lines(alloc::vec![rule_expecting("x"), searching])).unwrap_err();
        assert_eq!((error.rule(), error.key()), (Some(2), Some("regex")));
    }

    #[test]
    fn a_rule_behind_one_that_takes_everything_is_refused() {
        let all = RuleDefinition::default();
        assert_eq!(
            error_of(&lines(alloc::vec![all.clone(), rule_expecting("y")])),
            "rule 2: it is never reached: rule 1 expects any line"
        );
        let asked = RuleDefinition { next: Some("auth".into()), ..rule_expecting("y") };
        let in_auth = RuleDefinition { when: Some("auth".into()), ..all };
        assert!(
            Script::new(None, &lines(alloc::vec![asked, in_auth, rule_expecting("z")])).is_ok(),
            "it takes all only in its state"
        );
    }

    #[test]
    fn a_stream_of_bytes_takes_no_words_for_lines() {
        let bytes = |rule| ScriptDefinition { frames: Frames::Bytes, rules: alloc::vec![rule], otherwise: None };
        assert_eq!(
            error_of(&bytes(RuleDefinition::default())),
            "rule 1: with frames = \"bytes\" a rule needs `expect` or `expect_hex`"
        );
        let contains = RuleDefinition { contains: Some("x".into()), ..RuleDefinition::default() };
        assert_eq!(error_of(&bytes(contains)), "rule 1: `contains` needs frames = \"lines\"");
        let capture = RuleDefinition { capture: Some("x".into()), ..rule_expecting("y") };
        assert_eq!(error_of(&bytes(capture)), "rule 1: `capture` needs frames = \"lines\"");
        let otherwise = ScriptDefinition { otherwise: Some("?".into()), ..bytes(rule_expecting("y")) };
        assert_eq!(error_of(&otherwise), "otherwise: `otherwise` needs frames = \"lines\"");
        assert!(Script::new(None, &bytes(rule_expecting("a\nb"))).is_ok(), "a stream has line feeds");
    }

    #[test]
    fn the_whole_script_is_bounded() {
        assert_eq!(error_of(&lines(alloc::vec![rule_expecting("x"); RULES_MAX + 1])), "65 rules; 64 are allowed");
        let long = "x".repeat(ANSWER_TEXT_BYTES_MAX + 1);
        let error = Script::new(Some(&long), &ScriptDefinition::default()).unwrap_err().to_string();
        assert_eq!(error, "banner: `banner` is 4097 bytes long; 4096 are allowed");
    }
}
