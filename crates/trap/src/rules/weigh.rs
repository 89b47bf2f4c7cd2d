//! How long somebody who knows the rules could hold them up: tried out where they are checked, not where they work.

use super::{RULE_LOOK_MAX, RuleProblem, Rules, purse::worked};
use boreal::statistics::{CompiledRule, CompiledString};
use std::{collections::BTreeSet, time::Duration};

/// As much as is kept of a session unless told otherwise.
const TRIED_BYTES: usize = 64 * 1_024;
/// How long all that is tried may take; what is not reached is not tried.
const TRIED_MAX: Duration = Duration::from_secs(1);

/// What begins a closer look at one string.
pub(super) struct Probe {
    file: String,
    rule: String,
    string: String,
    octets: Vec<u8>,
}

impl Probe {
    /// Of each string that is more than its fixed octets.
    pub(super) fn of<'a>(rule: &'a CompiledRule, string: &'a CompiledString) -> impl Iterator<Item = Self> + 'a {
        let is_more = string.matching_algo != "Literals";
        let octets = string.literals.iter().filter(move |octets| is_more && !octets.is_empty());
        octets.take(1).map(|octets| Self {
            file: rule.namespace.to_string(),
            rule: rule.name.to_string(),
            string: string.name.clone(),
            octets: octets.to_vec(),
        })
    }
}

impl Rules {
    /// What would take the rules longer than a look may last: zeros alone, or the fixed octets of a string, said again and again.
    pub(super) fn weighed(&self, probes: &[Probe]) -> Vec<RuleProblem> {
        let mut unwise = Vec::new();
        if let Some(ms) = self.slow(vec![0; TRIED_BYTES].as_slice()) {
            let what = format!("64 KiB of zeros hold all traps up for {ms} ms; shorten what conditions go over again and again");
            unwise.push(RuleProblem { file: None, at: None, what });
        }
        let (begun, mut tried) = (worked(), BTreeSet::new());
        for probe in probes {
            if worked().saturating_sub(begun) >= TRIED_MAX {
                break;
            }
            if !tried.insert(&probe.octets) {
                continue;
            }
            let said: Vec<u8> = probe.octets.iter().copied().cycle().take(TRIED_BYTES).collect();
            if let Some(ms) = self.slow(&said) {
                let what = format!(
                    "rule {}: 64 KiB of what ${} begins with hold all traps up for {ms} ms; shorten what it repeats or jumps over",
                    probe.rule, probe.string,
                );
                unwise.push(RuleProblem { file: Some(probe.file.clone()), at: None, what });
            }
        }
        unwise
    }

    /// How long a look at it takes, in ms, if that is too long.
    fn slow(&self, said: &[u8]) -> Option<u128> {
        let before = worked();
        let _whatever_it_finds = self.scanner.scan_mem(said);
        let took = worked().saturating_sub(before);
        (took > RULE_LOOK_MAX).then_some(took.as_millis())
    }
}
