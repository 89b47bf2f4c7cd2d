//! What the kernel holds against what it should hold.
//!
//! A million exact bans are compared by looking each intent up and marking what was found; what stays unmarked is too
//! much. Prefixes are few and are compared as two sorted lists.

use crate::{
    Drift, Error,
    bans::Stash,
    deadline,
    lines::{Lines, Seat, Shape},
    spot::Spot,
    ticks::Clock,
};
use honeymesh_types::{Enforcement, Now, Subject};
use honeymesh_xdp_abi::{BanEntry, FOREVER, Life};
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// How far an end may be off before it counts: the two clocks drift against each other while one of them is disciplined, and the kernel's
/// ends are rounded up. So what ends within this time by itself is not told as too much either.
const DEADLINE_SLACK: Duration = Duration::from_secs(2);
/// How many intents are looked up together, and have memory meanwhile.
pub(crate) const BATCH: usize = 1 << 18;

/// The difference, and what mends it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) drift: Drift,
    /// To be raised: missing or different.
    pub(crate) raise: Vec<Enforcement>,
    /// To be removed: extra, or expired.
    pub(crate) remove: Vec<Spot>,
}

/// What the kernel holds.
pub(crate) struct Actual<'a> {
    pub(crate) v4: &'a dyn Exact,
    pub(crate) v6: &'a dyn Exact,
    pub(crate) nets: Vec<(Spot, BanEntry)>,
}

/// One family's exact bans, to look at.
pub(crate) trait Exact {
    /// Is it certain that there are none?
    fn is_empty(&self) -> bool;
    /// The lives of these keys' bans, in their order, and their marks are set.
    fn find(&self, keys: &[u64], marks: &mut Marks) -> Result<Vec<Option<Life>>, Error>;
    /// Every key without a mark.
    fn unmarked(&self, marks: &Marks) -> Result<Vec<(u64, Life)>, Error>;
}

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    lines: Vec<u64>,
    stashed: BTreeSet<u64>,
}

impl Marks {
    fn set(&mut self, index: usize) {
        if self.lines.len() <= index / 64 {
            self.lines.resize(index / 64 + 1, 0);
        }
        self.lines[index / 64] |= 1 << (index % 64);
    }

    fn has(&self, index: usize) -> bool {
        self.lines.get(index / 64).is_some_and(|word| word >> (index % 64) & 1 == 1)
    }
}

/// A reader of lines and hash table, which the writer may change meanwhile.
pub(crate) struct Reader<'a, S, T> {
    pub(crate) lines: &'a Lines<S>,
    pub(crate) stash: &'a T,
    /// How many there are, as far as is known.
    pub(crate) len: Option<usize>,
}

impl<S: Shape, T: Stash> Exact for Reader<'_, S, T> {
    fn is_empty(&self) -> bool {
        self.len == Some(0)
    }

    fn find(&self, keys: &[u64], marks: &mut Marks) -> Result<Vec<Option<Life>>, Error> {
        let _walk = self.lines.walk();
        let (mut lives, mut stashed) = (vec![None; keys.len()], Vec::new());
        self.lines.seats(keys, |index, seat| match seat {
            Seat::Line { element, way } => {
                marks.set(element as usize * S::WAYS + way);
                if self.lines.is_shown(element, keys[index]) {
                    lives[index] = Some(S::life(&self.lines.line(element), way));
                }
            }
            Seat::Stash => stashed.push(index),
            Seat::None => {}
        });
        for index in stashed {
            if let Some(way) = self.stash.get(keys[index])? {
                marks.stashed.insert(keys[index]);
                lives[index] = Some(Life(way.life));
            }
        }
        Ok(lives)
    }

    fn unmarked(&self, marks: &Marks) -> Result<Vec<(u64, Life)>, Error> {
        let mut left = Vec::new();
        self.lines.each(|element, way, key| {
            if !marks.has(element as usize * S::WAYS + way) {
                left.push((key, S::life(&self.lines.line(element), way)));
            }
        });
        let stashed = self.stash.all()?.into_iter().filter(|(key, _)| !marks.stashed.contains(key));
        left.extend(stashed.map(|(key, way)| (key, Life(way.life))));
        Ok(left)
    }
}

/// Compares everything of user space with the intent. Intents that have ended are none; if a subject is named twice, the
/// last counts.
pub(crate) fn compare(actual: Actual<'_>, intent: &[Enforcement], now: Now, clock: &Clock) -> Result<Plan, Error> {
    let intent = in_order(intent);
    let mut plan = Plan::default();
    let (mut marks4, mut marks6) = (Marks::default(), Marks::default());
    let mut nets = Vec::new();
    let is_empty = actual.v4.is_empty() && actual.v6.is_empty();
    if is_empty {
        // All will be missing: a list of a million is not to be moved again and again as it grows.
        plan.raise.reserve(intent.len());
        plan.drift.missing.reserve(intent.len());
    }
    for batch in intent.chunks(BATCH) {
        let ahead = || batch.iter().filter(|what| deadline::is_ahead(what.until, now));
        let (mut keys4, mut keys6) = (Vec::new(), Vec::new());
        for what in ahead().filter(|_| !is_empty) {
            match Spot::home(&what.subject) {
                Spot::Bans4(key) => keys4.push(key.into()),
                Spot::Bans6(key) => keys6.push(key),
                _ => {}
            }
        }
        let mut lives4 = actual.v4.find(&keys4, &mut marks4)?.into_iter();
        let mut lives6 = actual.v6.find(&keys6, &mut marks6)?.into_iter();
        for what in ahead() {
            let held = match Spot::home(&what.subject) {
                Spot::Bans4(_) => lives4.next().flatten(),
                Spot::Bans6(_) => lives6.next().flatten(),
                _ => {
                    nets.push(*what);
                    continue;
                }
            };
            weigh(&mut plan, what, held, now, clock);
        }
    }
    let live = clock.tick(soon_ns(now));
    let (left4, left6) = match is_empty {
        true => (Vec::new(), Vec::new()),
        false => (actual.v4.unmarked(&marks4)?, actual.v6.unmarked(&marks6)?),
    };
    let left4 = left4.into_iter().map(|(key, life)| (Spot::Bans4(crate::lines::low(key)), life));
    let left6 = left6.into_iter().map(|(key, life)| (Spot::Bans6(key), life));
    for (spot, life) in left4.chain(left6) {
        plan.drift.extra.extend(spot.subject().filter(|_| life.is_live(live)));
        plan.remove.push(spot);
    }
    compare_nets(&mut plan, actual.nets, &nets, now);
    let Drift { missing, extra, different, .. } = &mut plan.drift;
    for subjects in [missing, extra, different] {
        subjects.sort();
    }
    Ok(plan)
}

/// What is live then by the kernel's clock has not just ended by the other.
fn soon_ns(now: Now) -> u64 {
    let slack = u64::try_from(DEADLINE_SLACK.as_nanos()).unwrap_or(u64::MAX);
    deadline::boot_ns(now).saturating_add(slack)
}

/// The intent sorted, each subject once. The ledger's is so already.
fn in_order(intent: &[Enforcement]) -> Cow<'_, [Enforcement]> {
    if intent.is_sorted_by(|a, b| a.subject < b.subject) {
        return Cow::Borrowed(intent);
    }
    let last: BTreeMap<Subject, Enforcement> = intent.iter().map(|what| (what.subject, *what)).collect();
    Cow::Owned(last.into_values().collect())
}

fn weigh(plan: &mut Plan, what: &Enforcement, held: Option<Life>, now: Now, clock: &Clock) {
    match held {
        None => plan.drift.missing.push(what.subject),
        Some(life) if is_same_life(life, deadline::life(&deadline::entry(what, 0, now), clock), clock) => return,
        Some(_) => plan.drift.different.push(what.subject),
    }
    plan.raise.push(*what);
}

fn is_same_life(held: Life, wanted: Life, clock: &Clock) -> bool {
    let is_same_end = match (held.expiry(), wanted.expiry()) {
        (Life::FOREVER, other) | (other, Life::FOREVER) => other == Life::FOREVER,
        (held, wanted) => held.abs_diff(wanted) <= clock.ticks_in(DEADLINE_SLACK),
    };
    is_same_end && crate::lines::low(held.of_ban().0) == crate::lines::low(wanted.0)
}

fn compare_nets(plan: &mut Plan, actual: Vec<(Spot, BanEntry)>, intent: &[Enforcement], now: Now) {
    let mut held: BTreeMap<Subject, (Spot, BanEntry)> = BTreeMap::new();
    for (spot, entry) in actual {
        // To a trie two keys are one if they differ only in bits behind the prefix.
        match spot.subject().map(|subject| (subject, Spot::home(&subject))) {
            Some((subject, home)) if home.is_prefix() => drop(held.insert(subject, (home, entry))),
            exact => {
                plan.drift.extra.extend(exact.map(|(subject, _)| subject).filter(|_| entry.is_live(soon_ns(now))));
                plan.remove.push(spot);
            }
        }
    }
    for what in intent {
        match held.remove(&what.subject) {
            None => plan.drift.missing.push(what.subject),
            Some((_, entry)) if is_same(entry, deadline::entry(what, 0, now)) => continue,
            Some(_) => plan.drift.different.push(what.subject),
        }
        plan.raise.push(*what);
    }
    for (subject, (spot, entry)) in held {
        if entry.is_live(soon_ns(now)) {
            plan.drift.extra.push(subject);
        }
        plan.remove.push(spot);
    }
}

/// Do two entries mean the same, whatever their hits?
pub(crate) fn is_same(held: BanEntry, wanted: BanEntry) -> bool {
    let is_same_end = match (held.deadline_ns, wanted.deadline_ns) {
        (FOREVER, other) | (other, FOREVER) => other == FOREVER,
        (held, wanted) => u128::from(held.abs_diff(wanted)) <= DEADLINE_SLACK.as_nanos(),
    };
    is_same_end && BanEntry { hits: held.hits, deadline_ns: held.deadline_ns, ..wanted } == held
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{bans::tests::Table, lines::V4, lines::V6, ticks::tests::clock};
    use honeymesh_types::{Grade, MonoTime, Reasons, Scope, WallTime};

    const NOW: Now = Now { wall: WallTime(1_000_000_000_000), mono: MonoTime(86_400_000_000) };

    fn ban(subject: &str, scope: Scope, until: Option<u64>) -> Enforcement {
        let until = until.map(|seconds| NOW.wall.plus(Duration::from_secs(seconds)));
        Enforcement { subject: subject.parse().unwrap(), reasons: Reasons::SCAN, grade: Grade::Spoofable, scope, until }
    }

    fn names(subjects: &[Subject]) -> Vec<String> {
        subjects.iter().map(Subject::to_string).collect()
    }

    type Change = fn(&mut BanEntry);

    /// What a kernel with `held` differs from `intent` in.
    fn plan(held: &[(Enforcement, Change)], intent: &[Enforcement]) -> Plan {
        let (mut v4, mut v6, mut nets) = (Table::<V4>::new(8, 64), Table::<V6>::new(8, 64), Vec::new());
        for (what, change) in held {
            let mut entry = deadline::entry(what, 7, NOW);
            change(&mut entry);
            let life = deadline::life(&entry, &clock());
            match Spot::home(&what.subject) {
                Spot::Bans4(key) => drop(v4.bans.put(key.into(), life, 7).unwrap()),
                Spot::Bans6(key) => drop(v6.bans.put(key, life, 7).unwrap()),
                spot => nets.push((spot, entry)),
            }
        }
        let actual = Actual { v4: &v4.reader(), v6: &v6.reader(), nets };
        compare(actual, intent, NOW, &clock()).unwrap()
    }

    fn as_it_is(_: &mut BanEntry) {}

    #[test]
    fn equal_is_equal_whatever_the_hits_and_a_second_of_drift() {
        let all = ["203.0.113.7", "203.0.113.0/24", "2001:db8:0:7::/64", "2001:db8::/32"];
        let all = all.map(|subject| ban(subject, Scope::All, Some(60)));
        let held = all.map(|what| (what, (|entry| entry.deadline_ns += 1_000_000_000) as Change));
        assert_eq!(plan(&held, &all), Plan::default());
        let forever = ["203.0.113.7", "2001:db8::/32"].map(|subject| ban(subject, Scope::Dark, None));
        assert_eq!(plan(&forever.map(|what| (what, as_it_is as Change)), &forever), Plan::default());
    }

    #[test]
    fn missing_extra_and_different_are_told_apart() {
        for tail in ["", "/31"] {
            let name = |last: u8| format!("203.0.113.{last}{tail}");
            let canonical = |last: u8| if tail.is_empty() { name(last) + "/32" } else { name(last) };
            let kept = ban(&name(2), Scope::All, Some(60));
            let missing = ban(&name(4), Scope::All, None);
            let extra = ban(&name(6), Scope::Dark, Some(60));
            let changed = ban(&name(8), Scope::Dark, Some(60));
            let wider = Enforcement { scope: Scope::All, ..changed };
            let plan = plan(&[(kept, as_it_is), (extra, as_it_is), (changed, as_it_is)], &[wider, kept, missing]);
            assert_eq!(names(&plan.drift.missing), [canonical(4)]);
            assert_eq!(names(&plan.drift.extra), [canonical(6)]);
            assert_eq!(names(&plan.drift.different), [canonical(8)]);
            assert_eq!(plan.raise, [missing, wider]);
            assert_eq!(plan.remove, [Spot::home(&extra.subject)]);
        }
    }

    #[test]
    fn each_difference_of_an_entry_counts() {
        let changes: [fn(&mut BanEntry); 5] = [
            |entry| entry.deadline_ns += 3_000_000_000,
            |entry| entry.deadline_ns = FOREVER,
            |entry| entry.reasons = 1,
            |entry| entry.grade = 4,
            |entry| entry.scope = 0,
        ];
        for subject in ["203.0.113.4", "203.0.113.0/24", "2001:db8:0:7::/64"] {
            let what = ban(subject, Scope::All, Some(60));
            for (index, change) in changes.into_iter().enumerate() {
                assert_eq!(plan(&[(what, change)], &[what]).drift.different, [what.subject], "{subject} {index}");
            }
        }
    }

    #[test]
    fn of_two_intents_for_one_subject_the_last_counts() {
        let what = ban("203.0.113.4", Scope::All, Some(60));
        let stale = Enforcement { scope: Scope::Dark, ..what };
        assert_eq!(plan(&[(what, as_it_is)], &[stale, what]), Plan::default());
    }

    #[test]
    fn what_has_ended_is_neither_missing_nor_extra_but_swept() {
        for subject in ["203.0.113.4", "203.0.113.0/24"] {
            let ended = ban(subject, Scope::All, Some(0));
            let plan = plan(&[(ended, |entry| entry.deadline_ns -= 1_000_000_000)], &[ended]);
            assert!(plan.drift.is_none() && plan.raise.is_empty());
            assert_eq!(plan.remove, [Spot::home(&ended.subject)]);
        }
    }

    #[test]
    fn what_ends_a_moment_later_by_the_kernels_clock_is_not_told_as_too_much_and_goes() {
        for subject in ["203.0.113.4", "2001:db8:0:7::/64", "203.0.113.0/24"] {
            let ended = ban(subject, Scope::All, Some(0));
            for late in [as_it_is as Change, |entry| entry.deadline_ns += 1_000_000_000] {
                let plan = plan(&[(ended, late)], &[ended]);
                assert!(plan.drift.is_none() && plan.raise.is_empty(), "{:?}", plan.drift);
                assert_eq!(plan.remove, [Spot::home(&ended.subject)]);
            }
            let lasting = plan(&[(ended, |entry| entry.deadline_ns += 3_000_000_000)], &[ended]);
            assert_eq!(lasting.drift.extra, [ended.subject]);
        }
    }
}
