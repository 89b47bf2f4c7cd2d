//! What makes the set a CRDT: order, repetition and loss do not matter.

use super::*;
use crate::{
    Said,
    testing::{ban, hour, signed, subject, tag, wall},
};
use core::time::Duration;
use proptest::prelude::*;

const WHO: &str = "203.0.113.7";

fn set() -> Set {
    Set::new(tag(), &Limits::default())
}

fn limited(origin_records_max: usize, records_max: usize) -> Set {
    Set::new(tag(), &Limits { origin_records_max, records_max, ..Limits::default() })
}

fn ids(set: &Set) -> Vec<RecordId> {
    set.records.keys().copied().collect()
}

/// Everything that is kept twice must agree.
fn assert_sound(set: &Set) {
    let count = set.records.len();
    assert_eq!((set.slots.len(), set.ends.len()), (count, count));
    assert_eq!(set.origins.values().map(BTreeSet::len).sum::<usize>(), count);
    let total = set.records.keys().fold(0_u128, |sum, id| sum.wrapping_add(set.tallies.print(id)));
    assert_eq!(set.fingerprint(WallTime(0)), total);
    assert_eq!(set.tally(Prefix::ROOT, WallTime(0)).count as usize, count);
    for children in [set.children(Prefix::ROOT, WallTime(0)), set.children(Prefix::ROOT, wall(0))] {
        assert!(children.iter().map(|tally| tally.count as usize).sum::<usize>() <= count);
    }
}

#[test]
fn the_last_writer_wins_a_slot() {
    let (old, new) = (signed(1, WHO, ban(hour()), 1), signed(1, WHO, ban(hour()), 2));
    let mut set = set();
    assert_eq!(set.offer(&old), Offer::Entered { replaced: false, evicted: 0 });
    assert_eq!(set.offer(&old), Offer::Known);
    assert_eq!(set.offer(&new), Offer::Entered { replaced: true, evicted: 0 });
    assert_eq!(set.offer(&old), Offer::Superseded);
    assert_eq!(ids(&set), [new.id()]);
}

#[test]
fn an_unban_covers_every_origin_and_only_its_subject() {
    let mut set = set();
    for n in 1..4 {
        set.offer(&signed(n, WHO, ban(hour()), n.into()));
    }
    let wider = signed(1, "203.0.113.0/24", ban(hour()), 1);
    set.offer(&wider);
    let unban = signed(9, WHO, Said::Unban, 3);
    assert_eq!(set.offer(&unban), Offer::Entered { replaced: false, evicted: 0 });
    assert_eq!(set.offer(&signed(5, WHO, ban(hour()), 3)), Offer::Superseded, "said in the same instant: the unban wins");
    assert_eq!(set.about(&subject(WHO)).count(), 1);
    assert!(set.contains(&wider.id()));
    assert_eq!(set.offer(&signed(5, WHO, ban(hour()), 4)), Offer::Entered { replaced: false, evicted: 0 });
    assert_sound(&set);
}

#[test]
fn bans_of_one_subject_by_several_origins_stand_side_by_side() {
    let mut set = set();
    set.offer(&signed(1, WHO, ban(hour()), 1));
    set.offer(&signed(2, WHO, ban(hour()), 1));
    assert_eq!(set.about(&subject(WHO)).count(), 2);
}

#[test]
fn records_leave_at_their_end_and_are_forgotten_after_the_grace() {
    let mut set = set();
    set.offer(&signed(1, WHO, ban(Duration::from_secs(10)), 0));
    set.offer(&signed(2, WHO, ban(hour()), 0));
    let (alone, grace) = (signed(2, WHO, ban(hour()), 0), u64::try_from(GRACE.as_millis()).unwrap());
    assert_eq!((set.count(wall(9_999)), set.count(wall(10_000))), (2, 1));
    assert_eq!(set.fingerprint(wall(10_000)), set.tallies.print(&alone.id()));
    assert_eq!(set.tally(Prefix::ROOT, wall(10_000)).count, 1);
    set.expire(wall(10_000 + grace - 1));
    assert_eq!(set.records.len(), 2);
    set.expire(wall(10_000 + grace));
    assert_eq!(ids(&set), [alone.id()]);
    assert_sound(&set);
}

#[test]
fn two_clocks_agree_on_a_horizon() {
    let (mut fast, mut slow) = (set(), set());
    for n in 0..20 {
        let record = signed(1, &alloc::format!("203.0.113.{n}"), ban(Duration::from_secs(n + 1)), 0);
        fast.offer(&record);
        slow.offer(&record);
    }
    fast.expire(wall(80_000));
    slow.expire(wall(5_000));
    for horizon in [5_000, 10_000, 15_000] {
        assert_eq!(fast.fingerprint(wall(horizon)), slow.fingerprint(wall(horizon)));
        assert_eq!(fast.children(Prefix::ROOT, wall(horizon)), slow.children(Prefix::ROOT, wall(horizon)));
    }
}

#[test]
fn a_full_share_keeps_its_newest_and_touches_no_other() {
    let mut set = limited(3, 100);
    let other = signed(2, WHO, ban(hour()), 0);
    set.offer(&other);
    for n in 1..=5_u64 {
        set.offer(&signed(1, &alloc::format!("198.51.100.{n}"), ban(hour()), n));
    }
    assert_eq!((set.records.len(), set.contains(&other.id())), (4, true));
    assert_eq!(set.offer(&signed(1, "198.51.100.9", ban(hour()), 2)), Offer::Quota);
    assert_eq!(set.offer(&signed(1, "198.51.100.9", Said::Unban, 0)), Offer::Entered { replaced: false, evicted: 0 });
    assert_sound(&set);
}

#[test]
fn a_full_set_keeps_its_newest() {
    let mut set = limited(100, 4);
    for n in 1..=6_u8 {
        set.offer(&signed(n, WHO, ban(hour()), n.into()));
    }
    let kept: Vec<u64> = set.slots.values().map(|age| age.0.wall().as_millis() - wall(0).as_millis()).collect();
    assert_eq!((kept.len(), kept.iter().min()), (4, Some(&3)));
    assert_eq!(set.offer(&signed(9, WHO, ban(hour()), 1)), Offer::Quota);
    assert_sound(&set);
}

#[test]
fn a_full_set_never_drops_an_unban_before_what_it_covers() {
    for n in 1..20 {
        let (lifted, unban) = (signed(n, WHO, ban(hour()), 5), signed(n + 20, WHO, Said::Unban, 5));
        let other = signed(1, "198.51.100.1", ban(hour()), 6);
        let outcome = |order: [&Signed; 3]| {
            ids(&order.into_iter().fold(limited(9, 2), |set, record| heard(set, core::slice::from_ref(record))))
        };
        let one = outcome([&lifted, &other, &unban]);
        assert_eq!(one, outcome([&unban, &other, &lifted]), "whichever of the two has the greater id");
        assert!(one.contains(&unban.id()) && !one.contains(&lifted.id()));
    }
}

#[test]
fn tallies_agree_at_every_depth() {
    let mut set = set();
    for n in 0..200_u8 {
        set.offer(&signed(1, &alloc::format!("198.51.{n}.1"), ban(hour()), n.into()));
    }
    let mut todo = Vec::from([Prefix::ROOT]);
    while let Some(prefix) = todo.pop() {
        let children = set.children(prefix, WallTime(0));
        for (n, tally) in children.into_iter().enumerate().filter(|(_, tally)| tally.count > 0) {
            assert_eq!(set.tally(prefix.child(n), WallTime(0)), tally, "{prefix:?} {n}");
            if tally.count > 1 {
                todo.push(prefix.child(n));
            }
        }
    }
}

/// Something somebody says: who, about whom, ban, unban or a page of touches, when.
fn script() -> impl Strategy<Value = Vec<(u8, u8, u8, u64)>> {
    prop::collection::vec((1_u8..4, 1_u8..4, 0_u8..3, 0_u64..12), 1..24)
}

fn spoken(script: &[(u8, u8, u8, u64)]) -> Vec<Signed> {
    let say = |(n, about, kind, millis): &(u8, u8, u8, u64)| {
        let who = alloc::format!("203.0.113.{about}");
        match kind {
            0 => signed(*n, &who, ban(hour()), *millis),
            1 => signed(*n, &who, Said::Unban, *millis),
            _ => page(*n, millis % 3, &who, *millis),
        }
    };
    script.iter().map(say).collect()
}

fn heard(mut set: Set, records: &[Signed]) -> Set {
    records.iter().for_each(|record| {
        set.offer(record);
    });
    set
}

/// What any number of sets that tell each other everything come to.
fn converged(mut sets: Vec<Set>, all: &[Signed]) -> Vec<Vec<RecordId>> {
    for _ in 0..all.len() + 2 {
        let held: BTreeSet<RecordId> = sets.iter().flat_map(ids).collect();
        for set in &mut sets {
            all.iter().filter(|record| held.contains(&record.id())).for_each(|record| {
                set.offer(record);
            });
        }
    }
    sets.iter().for_each(assert_sound);
    sets.iter().map(ids).collect()
}

/// Page `number` of node `n`, about one source.
fn page(n: u8, number: u64, about: &str, millis: u64) -> Signed {
    let touch = crate::Touch { source: subject(about), port: 23, at: wall(millis) };
    signed(n, about, Said::Touches { page: number, ttl: hour(), touches: Vec::from([touch]) }, millis)
}

#[test]
fn a_page_has_a_slot_for_its_number_whomever_it_is_about_and_no_ban_or_unban_touches_it() {
    let mut set = set();
    let (old, new, next) = (page(1, 1, WHO, 1), page(1, 1, "198.51.100.9", 2), page(1, 2, WHO, 1));
    for one in [&next, &old, &new, &page(2, 1, WHO, 1)] {
        assert!(matches!(set.offer(one), Offer::Entered { .. }));
    }
    assert_eq!((set.offer(&old), set.records.len()), (Offer::Superseded, 3));
    set.offer(&signed(3, WHO, ban(hour()), 1));
    set.offer(&signed(3, WHO, Said::Unban, 5));
    assert_eq!((set.about(&subject(WHO)).count(), set.records.len()), (1, 4), "only the ban is lifted");
    assert_sound(&set);
    assert_eq!(set.of_origin(new.record.origin).count(), 2);
    set.remove_origin(new.record.origin);
    assert_eq!(set.of_origin(new.record.origin).count(), 0);
    assert_sound(&set);
}

#[test]
fn an_origin_keeps_its_newest_pages_whatever_it_bans() {
    let mut set = limited(2, 1_000);
    let most = TOUCH_PAGES_MAX as u64;
    for number in 0..most + 20 {
        set.offer(&page(1, number, WHO, number));
        set.offer(&page(2, number, WHO, number));
    }
    assert_eq!(set.records.len(), 2 * TOUCH_PAGES_MAX);
    assert_eq!(set.offer(&page(1, 3, WHO, 3)), Offer::Quota);
    assert_eq!(set.offer(&signed(1, WHO, ban(hour()), 1)), Offer::Entered { replaced: false, evicted: 0 });
    assert_sound(&set);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn order_and_repetition_do_not_matter(script in script(), order in any::<prop::sample::Index>(), seed in any::<u64>()) {
        let records = spoken(&script);
        let mut shuffled = records.clone();
        shuffled.extend_from_slice(&records[..order.index(records.len())]);
        let mut state = seed;
        for place in (1..shuffled.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            shuffled.swap(place, usize::try_from(state >> 33).unwrap() % (place + 1));
        }
        let (one, other) = (heard(set(), &records), heard(set(), &shuffled));
        prop_assert_eq!(ids(&one), ids(&other));
        prop_assert_eq!(one.fingerprint(wall(0)), other.fingerprint(wall(0)));
        assert_sound(&one);
    }

    #[test]
    fn sets_that_missed_different_things_come_to_the_same(script in script(), missed in any::<u32>()) {
        let records = spoken(&script);
        let part = |bit: u32| -> Vec<Signed> {
            records.iter().enumerate().filter(|(n, _)| missed >> (n % 32) & 1 == bit).map(|(_, r)| r.clone()).collect()
        };
        let whole = ids(&heard(set(), &records));
        for outcome in converged(Vec::from([heard(set(), &part(0)), heard(set(), &part(1))]), &records) {
            prop_assert_eq!(&outcome, &whole);
        }
    }

    #[test]
    fn an_unban_is_never_undone_and_a_newer_ban_holds(script in script()) {
        let records = spoken(&script);
        let set = heard(set(), &records);
        for about in 1..4 {
            let who = subject(&alloc::format!("203.0.113.{about}"));
            let of = |is_ban: bool| {
                let matching = records.iter().filter(move |r| r.record.subject == who && if is_ban { r.record.is_ban() } else { r.record.is_unban() });
                matching.map(|r| r.record.at.wall()).max()
            };
            let stands = set.slots.iter().any(|((subject, kind, _), _)| *subject == who && *kind == Kind::Ban);
            let expected = of(true).is_some_and(|ban| of(false).is_none_or(|unban| ban > unban));
            prop_assert_eq!(stands, expected);
        }
    }

    #[test]
    fn quotas_are_functions_of_the_set(script in script(), missed in any::<u32>()) {
        let records = spoken(&script);
        let part = |bit: u32| -> Vec<Signed> {
            records.iter().enumerate().filter(|(n, _)| missed >> (n % 32) & 1 == bit).map(|(_, r)| r.clone()).collect()
        };
        let sets = Vec::from([heard(limited(2, 6), &part(0)), heard(limited(2, 6), &part(1)), limited(2, 6)]);
        let outcomes = converged(sets, &records);
        prop_assert_eq!(&outcomes[0], &outcomes[1]);
        prop_assert_eq!(&outcomes[0], &outcomes[2]);
        prop_assert!(outcomes[0].len() <= 6);
    }
}
