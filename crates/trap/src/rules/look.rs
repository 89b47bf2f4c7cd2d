//! Rules, held against what was said.

use super::{RULE_LOOK_MAX, RULE_PIECES_MAX, RULE_POINTS, RULES_CUT, RULES_FIELD, Rules, purse::worked};
use boreal::{MetadataValue, Scanner, scanner::EvaluatedRule};
use honeymesh_detect::{FACT_BYTES_MAX, Recogniser, Sight, Tally, is_named_layer, program_begins};
use honeymesh_types::{RULE_MARK_BYTES_MAX, RULE_MARKS_MAX, RuleMark};
use std::{
    collections::{BTreeMap, HashSet},
    time::Duration,
};

/// What a rule says of itself, in its `meta`: in words ...
const DESCRIPTION: &str = "description";
/// ... what it adds to the score, the first of these that it has ...
pub(super) const SCORES: [&str; 2] = ["score", "severity"];
/// ... and whether whoever it matches has attacked, whatever else was sent.
pub(super) const HOSTILE: &str = "hostile";
/// What stands between a head and its body.
const BODY: &[u8] = b"\r\n\r\n";

/// Whatever looks at what a stranger said: the recognisers, and the operator's rules if there are any.
pub struct Eyes {
    recogniser: Recogniser,
    rules: Option<Rules>,
}

impl Eyes {
    /// Eyes for these honeytokens, as [`Recogniser::new`] takes them, and these rules.
    #[must_use]
    pub fn new(tokens: &[String], rules: Option<Rules>) -> Self {
        Self { recogniser: Recogniser::new(tokens), rules }
    }

    #[cfg(test)]
    pub(super) const fn rules(&self) -> Option<&Rules> {
        self.rules.as_ref()
    }

    /// As [`Recogniser::look`]; the rules see what was said and each layer that was opened in it. Once the rules have
    /// had their time they are at rest, which the field `rules` says by ending in `+`.
    #[must_use]
    pub fn look(&self, said: &[u8], fields: &BTreeMap<String, String>, answered: &Tally) -> Sight {
        let Some(rules) = &self.rules else { return self.recogniser.look(said, fields, answered) };
        let mut look = Look::with(rules);
        let mut sight = self.recogniser.look_with(said, fields, answered, |bytes, layers| look.at_layer(bytes, layers));
        look.tell(&mut sight);
        sight
    }
}

/// One look at one report.
struct Look<'a> {
    rules: &'a Rules,
    /// Namespace and name of what has matched.
    seen: HashSet<(&'a str, &'a str)>,
    marks: Vec<RuleMark>,
    names: String,
    pieces: usize,
    worked: Duration,
    is_cut: bool,
}

impl<'a> Look<'a> {
    fn with(rules: &'a Rules) -> Self {
        let (seen, marks, names) = (HashSet::new(), Vec::new(), String::new());
        Self { rules, seen, marks, names, pieces: 0, worked: Duration::ZERO, is_cut: false }
    }

    /// A layer; and what in it a rule about files would take for the whole file.
    fn at_layer(&mut self, bytes: &[u8], layers: &[&'static str]) {
        self.at(bytes, layers);
        let body = bytes.windows(BODY.len()).position(|four| four == BODY).map(|place| place + BODY.len());
        let parts = [body, program_begins(bytes)];
        for (index, begins) in parts.into_iter().enumerate() {
            let is_new = |begins: &usize| *begins > 0 && *begins < bytes.len() && !parts[..index].contains(&Some(*begins));
            if let Some(begins) = begins.filter(is_new) {
                self.at(&bytes[begins..], layers);
            }
        }
    }

    fn at(&mut self, bytes: &[u8], layers: &[&'static str]) {
        if self.pieces >= RULE_PIECES_MAX || self.worked >= RULE_LOOK_MAX || !self.rules.purse.has_some() {
            self.is_cut = true;
            return;
        }
        self.pieces += 1;
        let begun = worked();
        // What might take too long is not begun: boreal asks for the time too seldom to be stopped.
        let matched = self.rules.toll.allows(bytes).then(|| self.rules.scanner.scan_mem(bytes));
        let taken = worked().saturating_sub(begun);
        self.worked += taken;
        self.rules.purse.spend(taken);
        // What had matched until it was cut counts.
        let (is_cut, matched) = match matched {
            None => (true, Vec::new()),
            Some(Ok(result)) => (false, result.rules),
            Some(Err((_, result))) => (true, result.rules),
        };
        self.is_cut |= is_cut;
        for rule in matched {
            if self.seen.insert((rule.namespace, rule.name)) {
                self.take(&rule, layers);
            }
        }
    }

    fn take(&mut self, rule: &EvaluatedRule<'a>, layers: &[&'static str]) {
        let between = usize::from(!self.names.is_empty());
        if self.marks.len() >= RULE_MARKS_MAX || self.names.len() + between + rule.name.len() + RULES_CUT.len() > FACT_BYTES_MAX {
            self.is_cut = true;
            return;
        }
        self.marks.push(mark(&self.rules.scanner, rule, layers));
        self.names.push_str(&" "[..between]);
        self.names.push_str(rule.name);
    }

    fn tell(mut self, sight: &mut Sight) {
        if self.is_cut {
            self.names.push_str(RULES_CUT);
        }
        if !self.names.is_empty() {
            sight.facts.insert(RULES_FIELD, self.names);
        }
        sight.marks.rules = self.marks;
    }
}

/// The points that a number in `meta` is.
pub(super) fn points_of(number: i64) -> Option<u8> {
    u8::try_from(number).ok().filter(|points| *points <= honeymesh_types::RULE_POINTS_MAX)
}

fn mark(scanner: &Scanner, rule: &EvaluatedRule<'_>, layers: &[&'static str]) -> RuleMark {
    let told = |key: &str| {
        let told = rule.metadatas.iter().find(|told| scanner.get_string_symbol(told.name) == key);
        told.map(|told| told.value)
    };
    let points = SCORES.iter().find_map(|key| match told(key) {
        Some(MetadataValue::Integer(number)) => points_of(number),
        _ => None,
    });
    let mut words = format!("{} of {}", rule.name, rule.namespace);
    let wrapped: Vec<&str> = layers.iter().copied().filter(|layer| is_named_layer(layer)).collect();
    if !wrapped.is_empty() {
        words.push_str(&format!(" (in {})", wrapped.join(" in ")));
    }
    if let Some(MetadataValue::Bytes(text)) = told(DESCRIPTION) {
        words.push_str(": ");
        words.push_str(&String::from_utf8_lossy(scanner.get_bytes_symbol(text)));
    }
    RuleMark {
        words: honeymesh_trap_proto::safe_text(words.as_bytes(), RULE_MARK_BYTES_MAX),
        points: points.unwrap_or(RULE_POINTS),
        is_hostile: matches!(told(HOSTILE), Some(MetadataValue::Boolean(true))),
    }
}
