//! What the kernel holds against what it should hold.

use crate::{Drift, deadline, spot::Spot};
use honeymesh_types::{Enforcement, Now, Subject};
use honeymesh_xdp_abi::{BanEntry, FOREVER};
use std::{collections::BTreeMap, time::Duration};

/// How far an end may be off before it counts: the two clocks drift against each other while one of them is disciplined.
const DEADLINE_SLACK: Duration = Duration::from_secs(2);

/// The difference, and what mends it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) drift: Drift,
    /// To be raised: missing or different.
    pub(crate) raise: Vec<Enforcement>,
    /// To be removed: extra, or expired.
    pub(crate) remove: Vec<Spot>,
}

/// Compares every entry of user space's tables with the intent. Intents that have ended are none; if a subject is
/// named twice, the last counts.
pub(crate) fn compare(actual: Vec<(Spot, BanEntry)>, intent: &[Enforcement], now: Now) -> Plan {
    let mut plan = Plan::default();
    let mut held: BTreeMap<Subject, Vec<(Spot, BanEntry)>> = BTreeMap::new();
    for (spot, entry) in actual {
        match spot.subject() {
            Some(subject) => held.entry(subject).or_default().push((spot, entry)),
            None => plan.remove.push(spot),
        }
    }
    let wanted: BTreeMap<Subject, &Enforcement> =
        intent.iter().filter(|what| deadline::is_ahead(what.until, now)).map(|what| (what.subject, what)).collect();
    for (subject, what) in wanted {
        match held.remove(&subject).as_deref() {
            None => plan.drift.missing.push(subject),
            Some([(spot, entry)]) if is_same(*spot, *entry, what, now) => continue,
            Some(_) => plan.drift.different.push(subject),
        }
        plan.raise.push(*what);
    }
    for (subject, entries) in held {
        if entries.iter().any(|(_, entry)| entry.is_live(deadline::boot_ns(now))) {
            plan.drift.extra.push(subject);
        }
        plan.remove.extend(entries.iter().map(|(spot, _)| *spot));
    }
    plan
}

fn is_same(spot: Spot, entry: BanEntry, what: &Enforcement, now: Now) -> bool {
    let wanted = deadline::entry(what, 0, now);
    let is_same_end = match (entry.deadline_ns, wanted.deadline_ns) {
        (FOREVER, other) | (other, FOREVER) => other == FOREVER,
        (held, wanted) => u128::from(held.abs_diff(wanted)) <= DEADLINE_SLACK.as_nanos(),
    };
    spot == Spot::home(&what.subject, what.scope)
        && is_same_end
        && BanEntry { hits: entry.hits, deadline_ns: entry.deadline_ns, ..wanted } == entry
}

#[cfg(test)]
mod tests {
    use super::*;
    use honeymesh_types::{Grade, MonoTime, Reasons, Scope, WallTime};

    const NOW: Now = Now { wall: WallTime(1_000_000_000_000), mono: MonoTime(5_000_000_000) };

    fn ban(subject: &str, scope: Scope, until: Option<u64>) -> Enforcement {
        let until = until.map(|seconds| NOW.wall.plus(Duration::from_secs(seconds)));
        Enforcement { subject: subject.parse().unwrap(), reasons: Reasons::SCAN, grade: Grade::Spoofable, scope, until }
    }

    fn held(what: &Enforcement) -> (Spot, BanEntry) {
        (Spot::home(&what.subject, what.scope), deadline::entry(what, 7, NOW))
    }

    fn names(subjects: &[Subject]) -> Vec<String> {
        subjects.iter().map(Subject::to_string).collect()
    }

    #[test]
    fn equal_is_equal_whatever_the_hits_and_a_second_of_drift() {
        let what = ban("203.0.113.7", Scope::All, Some(60));
        let mut entry = held(&what);
        entry.1.deadline_ns += 1_000_000_000;
        assert_eq!(compare(vec![entry], &[what], NOW), Plan::default());
        let forever = ban("2001:db8::/32", Scope::All, None);
        assert_eq!(compare(vec![held(&forever)], &[forever], NOW), Plan::default());
    }

    #[test]
    fn missing_extra_and_different_are_told_apart() {
        let kept = ban("203.0.113.1", Scope::All, Some(60));
        let missing = ban("203.0.113.2", Scope::All, None);
        let extra = ban("203.0.113.3", Scope::Dark, Some(60));
        let changed = ban("203.0.113.4", Scope::Dark, Some(60));
        let wider = Enforcement { scope: Scope::All, ..changed };
        let plan = compare(vec![held(&kept), held(&extra), held(&changed)], &[kept, missing, wider], NOW);
        assert_eq!(names(&plan.drift.missing), ["203.0.113.2/32"]);
        assert_eq!(names(&plan.drift.extra), ["203.0.113.3/32"]);
        assert_eq!(names(&plan.drift.different), ["203.0.113.4/32"]);
        assert_eq!(plan.raise, [missing, wider]);
        assert_eq!(plan.remove, [held(&extra).0]);
    }

    #[test]
    fn each_difference_of_an_entry_counts() {
        let what = ban("203.0.113.4", Scope::All, Some(60));
        let changes: [fn(&mut BanEntry); 5] = [
            |entry| entry.deadline_ns += 3_000_000_000,
            |entry| entry.deadline_ns = FOREVER,
            |entry| entry.reasons = 1,
            |entry| entry.grade = 4,
            |entry| entry.bits = 24,
        ];
        for change in changes {
            let mut entry = held(&what);
            change(&mut entry.1);
            assert_eq!(compare(vec![entry], &[what], NOW).drift.different, [what.subject], "{entry:?}");
        }
    }

    #[test]
    fn two_entries_for_one_subject_are_different() {
        let what = ban("203.0.113.4", Scope::All, Some(60));
        let stale = Enforcement { scope: Scope::Dark, ..what };
        let plan = compare(vec![held(&what), held(&stale)], &[what], NOW);
        assert_eq!((plan.drift.different, plan.raise), (vec![what.subject], vec![what]));
    }

    #[test]
    fn what_has_ended_is_neither_missing_nor_extra_but_swept() {
        let ended = ban("203.0.113.4", Scope::All, Some(0));
        let plan = compare(vec![held(&ended)], &[ended], NOW);
        assert!(plan.drift.is_none() && plan.raise.is_empty());
        assert_eq!(plan.remove, [held(&ended).0]);
    }
}
