//! From text to rules, or to every mistake with its place and its mend.

use super::{
    RULE_AUTOMATA_MAX, RULE_BYTES_MAX, RULE_FILES_MAX, RULE_LOOK_MAX, RULE_LOOSE_STRINGS_MAX, RULE_MATCHES_MAX, RULE_MODULES,
    RULE_STEPS_MAX, RULE_STRINGS_MAX, RULES_MAX, RuleFile, Rules,
    look::{self, SCORES},
    purse::Purse,
    reach::{REACH_MAX, Reach},
    toll::Tolls,
};
use boreal::{
    Compiler, MetadataValue, Scanner,
    compiler::{AddRuleError, AddRuleStatus, CompilerParams},
    scanner::ScanParams,
    statistics::CompiledString,
};

/// What boreal calls the way of finding a string that has no fixed part.
const LOOSE: &str = "Raw";
/// What is told of such a string.
const LOOSE_TOLD: &str = "has no two fixed octets in a row, or has ^ or $, so that everything is searched for it from end to end; \
                          give it some (instead of ^ a string in quotes and `$a at 0`), or leave it out";
/// An expression whose hits may be fewer than this in a piece is warned of.
const HITS_MIN: u64 = 512;
/// What it calls each automaton that is made while it looks.
const AUTOMATON: &str = "Dfa";

/// Something wrong with rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleProblem {
    /// In this file; `None`: with all of them together.
    pub file: Option<String>,
    /// At this octet of it.
    pub at: Option<usize>,
    /// What is wrong, a semicolon, and how to mend it.
    pub what: String,
}

/// Counts what is bounded, and keeps what each hit may cost.
#[derive(Default)]
struct Counted {
    rules: usize,
    strings: usize,
    loose: usize,
    automata: usize,
    tolls: Tolls,
}

/// Compiles rules; each file is a namespace of its own. Besides them, what they can do without but should not.
///
/// # Errors
/// The first mistake of each file, or the bound that all together exceed. Nothing is kept then.
pub fn compile_rules(files: &[RuleFile]) -> Result<(Rules, Vec<RuleProblem>), Vec<RuleProblem>> {
    built(files)
}

/// The same, and tries how long conditions take.
///
/// # Errors
/// As [`compile_rules`].
pub fn check_rules(files: &[RuleFile]) -> Result<Vec<RuleProblem>, Vec<RuleProblem>> {
    let (rules, mut unwise) = built(files)?;
    unwise.extend(rules.weighed());
    Ok(unwise)
}

fn built(files: &[RuleFile]) -> Result<(Rules, Vec<RuleProblem>), Vec<RuleProblem>> {
    fits(files)?;
    let mut compiler = Compiler::new();
    let strings = CompilerParams::default().max_strings_per_rule(RULE_STRINGS_MAX);
    compiler.set_params(strings.disable_includes(true).compute_statistics(true));
    let (mut wrong, mut unwise, mut counted) = (Vec::new(), Vec::new(), Counted::default());
    for file in files {
        match compiler.add_rules_str_in_namespace(&file.text, &file.name) {
            Err(error) => wrong.push(problem(file, &error)),
            Ok(status) => {
                unwise.extend(status.warnings().map(|warning| problem(file, warning)));
                counted.add(file, &status, &mut unwise);
                counted.fits().map_err(|problem| vec![problem])?;
            }
        }
    }
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let mut scanner = compiler.finalize();
    unwise.extend(scanner.rules().flat_map(|rule| told_wrong(&scanner, &rule)));
    let limits = ScanParams::default().string_max_nb_matches(RULE_MATCHES_MAX).timeout_duration(Some(RULE_LOOK_MAX));
    // What matched is never shown, only which rule.
    scanner.set_scan_params(limits.match_max_length(0));
    let Some(toll) = counted.tolls.ready() else {
        let what = "all strings together are too much for one automaton; leave some out".to_owned();
        return Err(vec![RuleProblem { file: None, at: None, what }]);
    };
    Ok((Rules { scanner, purse: Purse::new(), toll }, unwise))
}

fn fits(files: &[RuleFile]) -> Result<(), Vec<RuleProblem>> {
    let bytes: usize = files.iter().map(|file| file.text.len()).sum();
    let too_many = |what: String| Err(vec![RuleProblem { file: None, at: None, what }]);
    if files.len() > RULE_FILES_MAX {
        return too_many(format!("{} files; keep {RULE_FILES_MAX} at most, several rules may share one", files.len()));
    }
    if bytes > RULE_BYTES_MAX {
        return too_many(format!("{bytes} octets of rules; keep {RULE_BYTES_MAX} at most"));
    }
    Ok(())
}

impl Counted {
    fn add(&mut self, file: &RuleFile, status: &AddRuleStatus, unwise: &mut Vec<RuleProblem>) {
        for rule in status.statistics() {
            self.rules += 1;
            self.strings += rule.strings.len();
            let automata = |string: &CompiledString| string.matching_algo.matches(AUTOMATON).count();
            self.automata += rule.strings.iter().map(automata).sum::<usize>();
            for string in &rule.strings {
                let is_loose = string.matching_algo == LOOSE;
                self.loose += usize::from(is_loose);
                self.tolls.add(string, is_loose);
                if let Some(what) = far(string).or_else(|| is_loose.then(|| LOOSE_TOLD.to_owned())) {
                    let what = format!("rule {}: ${} {what}", rule.name, string.name);
                    unwise.push(RuleProblem { file: Some(file.name.clone()), at: file.text.find(&string.expr), what });
                }
            }
        }
    }

    fn fits(&self) -> Result<(), RuleProblem> {
        let bounds = [
            (self.rules, RULES_MAX, "rules"),
            (self.strings, RULE_STRINGS_MAX, "strings"),
            (self.automata, RULE_AUTOMATA_MAX, "automata of expressions"),
            (self.loose, RULE_LOOSE_STRINGS_MAX, "strings without two fixed octets in a row, or with ^ or $"),
        ];
        match bounds.iter().find(|(count, most, _)| count > most) {
            None => Ok(()),
            Some((_, most, what)) => {
                Err(RuleProblem { file: None, at: None, what: format!("more than {most} {what}; keep {most} at most") })
            }
        }
    }
}

/// What is told of a string that reaches so far from its fixed octets that few of them suffice to shut the rules' eyes.
fn far(string: &CompiledString) -> Option<String> {
    let hits = RULE_STEPS_MAX / Reach::of(string)?.steps_max();
    (hits < HITS_MIN).then(|| {
        format!(
            "reaches so far from its fixed octets that a long piece in which they stand more than {hits} times is not looked at; \
             begin with the fixed octets or with one octet of what is repeated, give repetitions and jumps a small end \
             ({{0,64}} instead of * or +, {REACH_MAX} is the most), or split it into two strings"
        )
    })
}

/// One of boreal's, in one line, with its mend.
fn problem(file: &RuleFile, error: &AddRuleError) -> RuleProblem {
    let told = error.to_diagnostic();
    let label = told.labels.first();
    let detail = label.map(|label| label.message.as_str()).filter(|detail| !detail.is_empty());
    let what = [Some(told.message.as_str()), detail].into_iter().flatten().collect::<Vec<_>>().join(": ");
    let what = format!("{}; {}", what.replace('\n', " "), mend(&told.message));
    RuleProblem { file: Some(file.name.clone()), at: label.map(|label| label.range.start), what }
}

fn mend(message: &str) -> String {
    let modules = RULE_MODULES.join(", ");
    match message {
        "includes are not allowed" => {
            "they could name any file: put the rules into the folder, where every *.yar and *.yara is read".into()
        }
        _ if message.starts_with("unknown import") => format!("modules here are {modules}; leave out what needs another"),
        _ if message.starts_with("unknown identifier") => {
            format!("nothing here has that name: rules of this file that stand above, and the modules {modules}, imported, do")
        }
        _ if message.ends_with("is unused") => "use it in the condition, or leave it out".into(),
        _ => "mend the rule here".into(),
    }
}

/// What a rule says of itself that cannot be understood.
fn told_wrong(scanner: &Scanner, rule: &boreal::scanner::RuleDetails<'_>) -> Vec<RuleProblem> {
    let told = rule.metadatas.iter().filter_map(|told| {
        let name = scanner.get_string_symbol(told.name);
        let mend = match (name, told.value) {
            (_, MetadataValue::Integer(points)) if SCORES.contains(&name) && look::points_of(points).is_none() => {
                "write a whole number from 0 to 100"
            }
            (_, MetadataValue::Bytes(_) | MetadataValue::Boolean(_)) if SCORES.contains(&name) => {
                "only a whole number from 0 to 100 counts here"
            }
            (look::HOSTILE, MetadataValue::Bytes(_) | MetadataValue::Integer(_)) => "only true and false count here",
            _ => return None,
        };
        Some(format!("rule {}: `{name}` in meta is not understood and does not count; {mend}", rule.name))
    });
    told.map(|what| RuleProblem { file: Some(rule.namespace.to_owned()), at: None, what }).collect()
}
