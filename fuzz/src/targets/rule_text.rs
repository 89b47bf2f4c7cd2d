//! An operator's rules as a text of anybody's: it compiles or says why, and what compiled looks at what is said within its bounds.

use crate::Input;
use honeymesh_detect::{FACT_BYTES_MAX, Tally};
use honeymesh_trap::rules::{Eyes, RuleFile, compile};
use honeymesh_types::{RULE_MARK_BYTES_MAX, RULE_MARKS_MAX, RULE_POINTS_MAX, is_unsafe};
use std::collections::BTreeMap;

/// What a text of rules may have here, in octets: compiling is no more than linear in it, but slow.
const TEXT_BYTES_MAX: usize = 2 * 1_024;
/// Problems that are told of one text.
const PROBLEMS_MAX: usize = 1_024;

/// `length | text | what was said`.
pub(super) fn read(data: &[u8]) {
    let mut input = Input::new(data);
    let text = input.part();
    let text = String::from_utf8_lossy(&text[..text.len().min(TEXT_BYTES_MAX)]).into_owned();
    let said = input.rest();
    let files = [RuleFile { name: "any.yar".into(), text }];
    let (rules, unwise) = match compile(&files) {
        Ok(compiled) => compiled,
        Err(wrong) => {
            assert!(!wrong.is_empty() && wrong.len() <= PROBLEMS_MAX, "{} problems", wrong.len());
            return;
        }
    };
    assert!(unwise.len() <= PROBLEMS_MAX, "{} warnings", unwise.len());
    let none = (BTreeMap::new(), Tally::default());
    let sight = Eyes::new(&[], Some(rules)).look(said, &none.0, &none.1);
    assert!(sight.marks.rules.len() <= RULE_MARKS_MAX);
    assert!(sight.facts.get("rules").is_none_or(|told| told.len() <= FACT_BYTES_MAX));
    for rule in &sight.marks.rules {
        assert!(rule.words.len() <= RULE_MARK_BYTES_MAX && !rule.words.chars().any(is_unsafe), "{rule:?}");
        // A rule's name may be longer than all that is told.
        let names_its_file = rule.words.contains(" of any.yar") || rule.words.ends_with('…');
        assert!(rule.points <= RULE_POINTS_MAX && names_its_file, "{rule:?}");
    }
}
