//! What the sets hold against what they should hold.

use super::{
    element::{Element, NOTE_LEN_MAX},
    tier::Class,
};
use crate::{Drift, deadline};
use honeymesh_types::{Enforcement, Now, Scope, Subject};
use ipnet::IpNet;
use std::{collections::BTreeMap, time::Duration};

/// How far an end may be off before it counts ...
const SLACK: Duration = Duration::from_secs(2);
/// ... and the share of the time that is left: the sets' clock is neither set nor slewed, and stands still in a suspend.
const SLACK_SHARE: u64 = 1_000;

/// The difference, and what mends it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) drift: Drift,
    /// To be entered: missing, so nothing stands for them.
    pub(super) enter: Vec<Enforcement>,
    /// To be changed: different.
    pub(super) change: Vec<Enforcement>,
    /// To be lifted: extra.
    pub(super) lift: Vec<IpNet>,
}

impl Plan {
    /// How many subjects differ.
    pub(super) const fn len(&self) -> usize {
        self.enter.len() + self.change.len() + self.lift.len()
    }

    /// Adds what is different elsewhere.
    pub(super) fn add(&mut self, other: Self) {
        self.drift.missing.extend(other.drift.missing);
        self.drift.extra.extend(other.drift.extra);
        self.drift.different.extend(other.drift.different);
        self.enter.extend(other.enter);
        self.change.extend(other.change);
        self.lift.extend(other.lift);
    }
}

/// A ban as an entry.
pub(super) fn element(what: &Enforcement, now: Now) -> Element {
    let left = |until: honeymesh_types::WallTime| until.since(now.wall).as_millis().try_into().unwrap_or(u64::MAX);
    let note = format!("{} {}", what.reasons, what.grade);
    Element {
        class: match what.scope {
            Scope::All => Class::Ban,
            Scope::Dark => Class::Dark,
        },
        net: what.subject.net(),
        left_ms: what.until.map(left),
        note: note.chars().take(NOTE_LEN_MAX).collect(),
        hits: 0,
    }
}

/// Compares entries with the intent. Intents that have ended are none; if a subject is named twice, the last counts.
pub(super) fn compare(actual: Vec<Element>, intent: &[Enforcement], now: Now) -> Plan {
    let mut plan = Plan::default();
    let mut held: BTreeMap<Subject, Vec<Element>> = BTreeMap::new();
    for element in actual {
        held.entry(Subject::new(element.net)).or_default().push(element);
    }
    let ahead = intent.iter().filter(|what| deadline::is_ahead(what.until, now));
    let wanted: BTreeMap<Subject, &Enforcement> = ahead.map(|what| (what.subject, what)).collect();
    for (subject, what) in wanted {
        match held.remove(&subject).as_deref() {
            None => {
                plan.drift.missing.push(subject);
                plan.enter.push(*what);
            }
            Some([one]) if is_same(one, &element(what, now)) => {}
            Some(_) => {
                plan.drift.different.push(subject);
                plan.change.push(*what);
            }
        }
    }
    plan.drift.extra = held.into_keys().collect();
    plan.lift = plan.drift.extra.iter().map(Subject::net).collect();
    plan
}

fn is_same(held: &Element, wanted: &Element) -> bool {
    let is_same_end = match (held.left_ms, wanted.left_ms) {
        (None, None) => true,
        (Some(held), Some(wanted)) => {
            let slack = u64::try_from(SLACK.as_millis()).unwrap_or(0) + wanted / SLACK_SHARE;
            held.abs_diff(wanted) <= slack
        }
        _ => false,
    };
    is_same_end && held.class == wanted.class && held.note == wanted.note
}

#[cfg(test)]
mod tests {
    use super::*;
    use honeymesh_types::{Grade, MonoTime, Reasons, WallTime};

    const NOW: Now = Now { wall: WallTime(1_000_000_000_000), mono: MonoTime(5_000_000_000) };

    fn ban(subject: &str, scope: Scope, seconds: Option<u64>) -> Enforcement {
        let until = seconds.map(|seconds| NOW.wall.plus(Duration::from_secs(seconds)));
        Enforcement { subject: subject.parse().unwrap(), reasons: Reasons::SCAN, grade: Grade::Payload, scope, until }
    }

    fn names(subjects: &[Subject]) -> Vec<String> {
        subjects.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn missing_extra_and_different_are_told_apart() {
        let kept = ban("203.0.113.1", Scope::All, Some(60));
        let missing = ban("203.0.113.0/24", Scope::All, None);
        let extra = ban("203.0.113.3", Scope::Dark, Some(60));
        let changed = ban("2001:db8::/64", Scope::Dark, Some(60));
        let wider = Enforcement { scope: Scope::All, ..changed };
        let held = [kept, extra, changed].map(|what| element(&what, NOW)).to_vec();
        let plan = compare(held, &[kept, missing, wider, ban("203.0.113.9", Scope::All, Some(0))], NOW);
        assert_eq!(names(&plan.drift.missing), ["203.0.113.0/24"]);
        assert_eq!(names(&plan.drift.extra), ["203.0.113.3/32"]);
        assert_eq!(names(&plan.drift.different), ["2001:db8::/64"]);
        assert_eq!((plan.enter, plan.change, plan.lift), (vec![missing], vec![wider], vec![extra.subject.net()]));
    }

    #[test]
    fn each_difference_of_an_entry_counts_but_hits_and_a_moment() {
        let what = ban("203.0.113.4", Scope::All, Some(60));
        let is_same = |change: fn(&mut Element)| {
            let mut held = element(&what, NOW);
            change(&mut held);
            compare(vec![held], &[what], NOW).drift.is_none()
        };
        assert!(is_same(|held| held.hits = 7) && is_same(|held| held.left_ms = Some(58_500)));
        assert!(!is_same(|held| held.left_ms = Some(57_000)) && !is_same(|held| held.left_ms = None));
        assert!(!is_same(|held| held.note = "scan hostile".into()) && !is_same(|held| held.class = Class::Dark));
        let day = ban("203.0.113.4", Scope::All, Some(86_400));
        let slow = Element { left_ms: Some(86_340_000), ..element(&day, NOW) };
        assert!(compare(vec![slow], &[day], NOW).drift.is_none(), "a minute a day is how far clocks drift");
        let both = vec![element(&what, NOW), element(&Enforcement { scope: Scope::Dark, ..what }, NOW)];
        assert_eq!(compare(both, &[what], NOW).drift.different, [what.subject], "two entries for one subject");
    }

    #[test]
    fn a_note_is_what_an_operator_reads() {
        let what = Enforcement { reasons: Reasons::SCAN | Reasons::TRAP, ..ban("203.0.113.4", Scope::All, None) };
        assert_eq!(element(&what, NOW).note, "trap,scan payload");
    }
}
