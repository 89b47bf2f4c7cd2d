//! An operator's rules: whatever is said, they disturb nothing else, and what is told of them is bounded and harmless.

use honeymesh_detect::{FACT_BYTES_MAX, Recogniser, Tally};
use honeymesh_trap::rules::{Eyes, RuleFile, compile};
use honeymesh_types::{RULE_MARK_BYTES_MAX, RULE_MARKS_MAX, RULE_POINTS_MAX, is_unsafe};
use std::{collections::BTreeMap, sync::LazyLock};

/// Jumps, repetitions in repetitions, wide and xored strings, no fixed part, conditions that count, loop and read beyond the end.
const NASTY: &str = r#"
import "math"
import "string"
rule needle { strings: $a = "needle" nocase condition: $a }
rule jumps { strings: $a = { 61 61 [0-200] 62 ?? [1-9] (63 | 64 65) } condition: $a }
rule repeats { strings: $a = /(a|ab|abc){2,40}[^x]{0,80}x/ condition: $a }
rule anything { strings: $a = /aa.{0,200}b\d[xy]/s condition: #a > 2 or @a[1] < 9 or !a[1] > 50 }
rule loose { strings: $a = /[a-z]+[0-9]+/ condition: #a > 3 }
rule wide { strings: $a = "wget" wide ascii $b = "password" xor(1-255) $c = "curl http" base64 base64wide condition: any of them }
rule words { strings: $a = /\bsh\b/ fullword wide ascii condition: $a }
rule loops { strings: $a = "a" condition: for all i in (1..#a) : (for any j in (i..#a) : (@a[j] - @a[i] > 3)) }
rule beyond { condition: uint32(filesize - 3) == 1 or uint32be(filesize * 9) == 1 or int8(-1) == 0 or filesize \ 3 == 7 }
rule mean { condition: math.entropy(0, filesize) > 5.0 or math.mean(filesize, 9) > 1.0 or string.length("a") == 2 }
private rule quiet { condition: filesize > 5 }
rule depends { meta: description = "\x1b[2J\xff\n<b>" score = 7 hostile = true condition: quiet and not needle }
"#;

static ALONE: LazyLock<Recogniser> = LazyLock::new(|| Recogniser::new(&[]));

/// What was said.
pub(super) fn look(said: &[u8]) {
    static EYES: LazyLock<Eyes> = LazyLock::new(|| {
        let files = [RuleFile { name: "nasty.yar".into(), text: NASTY.into() }];
        let (rules, _unwise) = compile(&files).unwrap_or_else(|wrong| panic!("{wrong:?}"));
        Eyes::new(&[], Some(rules))
    });
    let none = (BTreeMap::new(), Tally::default());
    let mut sight = EYES.look(said, &none.0, &none.1);
    let rules = std::mem::take(&mut sight.marks.rules);
    let told = sight.facts.remove("rules").unwrap_or_default();
    assert_eq!(sight, ALONE.look(said, &none.0, &none.1), "rules change nothing else");
    assert!(rules.len() <= RULE_MARKS_MAX && told.len() <= FACT_BYTES_MAX);
    for rule in &rules {
        assert!(rule.words.len() <= RULE_MARK_BYTES_MAX && !rule.words.chars().any(is_unsafe), "{rule:?}");
        assert!(rule.points <= RULE_POINTS_MAX);
    }
    let names: Vec<&str> = told.trim_end_matches('+').split_whitespace().collect();
    assert_eq!(names.len(), rules.len(), "{told}");
    assert!(names.iter().zip(&rules).all(|(name, rule)| rule.words.starts_with(&format!("{name} of nasty.yar"))), "{rules:?}");
    if !told.ends_with('+') {
        let is_there = said.to_ascii_lowercase().windows(6).any(|six| six == b"needle");
        assert!(!is_there || names.contains(&"needle"), "the needle was not found");
        assert!(said.len() <= 5 || is_there || names.contains(&"depends"), "what depends on others was not found: {names:?}");
    }
}
