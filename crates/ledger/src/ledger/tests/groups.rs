//! Groups in a full table: one prefix stands for neighbours of whom every one is banned, and for nobody else.

use super::*;
use crate::{HAND_OVER_AHEAD, KernelChange, Stats};
use alloc::vec::Vec;
use proptest::prelude::*;

fn small(max: usize) -> Ledger {
    Ledger::new(Policy { bans_max: max, bans_v6_max: Some(2), nets_max: 8, ..Policy::default() })
}

fn operators(who: &str) -> Claim {
    local(who, Reasons::MANUAL, Grade::Operator, 500)
}

/// A full table of `192.0.2.0` to `192.0.2.3`, the kernel already told; the first of them ends first.
fn four() -> Ledger {
    let mut ledger = small(4);
    for (last, until) in [(0, 100), (1, 200), (2, 300), (3, 400)] {
        changed(ledger.enter(trap(&format!("192.0.2.{last}"), until), NOW));
    }
    ledger.take_kernel_changes();
    ledger
}

/// The same as one group, and `198.51.100.1`.
fn grouped() -> Ledger {
    let mut ledger = four();
    changed(ledger.enter(trap("198.51.100.1", 500), NOW));
    ledger.take_kernel_changes();
    ledger
}

/// What the kernel is told: `+` an entry with the second it ends in, `-` one that goes.
fn told(ledger: &mut Ledger) -> Vec<String> {
    let word = |change| match change {
        KernelChange::Enforce(what) => format!("+{} {}", what.subject, what.until.map_or(0, |until| until.since(NOW).as_secs())),
        KernelChange::Release(subject) => format!("-{subject}"),
    };
    ledger.take_kernel_changes().into_iter().map(word).collect()
}

fn held(ledger: &Ledger) -> Vec<String> {
    ledger.intent().map(|what| what.subject.to_string()).collect()
}

fn names(changes: &[Change]) -> Vec<String> {
    changes.iter().map(|change| format!("{} {:?}", change.ban.subject, change.cause)).collect()
}

#[test]
fn a_full_table_groups_what_is_complete_before_a_claim_is_refused() {
    let mut ledger = four();
    let change = changed(ledger.enter(trap("198.51.100.1", 500), NOW));
    assert_eq!((change.also, held(&ledger)), (vec![], vec!["192.0.2.0/30".into(), "198.51.100.1/32".into()]));
    let expected =
        ["+192.0.2.0/30 100", "-192.0.2.0/32", "-192.0.2.1/32", "-192.0.2.2/32", "-192.0.2.3/32", "+198.51.100.1/32 500"];
    assert_eq!(told(&mut ledger), expected, "the group stands before its members' entries go, and they go before another comes");
    let Stats { bans, enforced, groups, grouped, .. } = ledger.stats();
    assert_eq!((bans, enforced, groups, grouped), (5, 5, 1, 4));
    let ban = ledger.ban(&subject("192.0.2.2")).unwrap();
    assert_eq!((ban.until, ban.enforced), (Some(at(300)), true), "the ban is what it was");
    assert_eq!(ledger.group_of(&ban.subject), Some(subject("192.0.2.0/30")));
    for more in 2..5 {
        changed(ledger.enter(trap(&format!("198.51.100.{}", more * 2), 500), NOW));
    }
    assert!(matches!(refused(ledger.enter(trap("198.51.100.99", 500), NOW)), Refusal::Full { .. }), "nothing more is complete");
}

#[test]
fn nothing_is_grouped_while_there_is_room() {
    let mut ledger = small(5);
    for last in 0..4 {
        changed(ledger.enter(trap(&format!("192.0.2.{last}"), 100), NOW));
    }
    changed(ledger.enter(trap("198.51.100.1", 100), NOW));
    assert_eq!((held(&ledger).len(), ledger.stats().groups), (5, 0));
}

#[test]
fn own_evidence_is_grouped_before_it_gives_way_to_stronger() {
    let mut ledger = four();
    changed(ledger.enter(Claim { grade: Grade::Hostile, ..trap("198.51.100.1", 500) }, NOW));
    assert_eq!((ledger.stats().groups, ledger.stats().waiting), (1, 0));
}

#[test]
fn what_is_weak_gives_way_first_and_comes_back_through_a_group_without_a_gap() {
    let mut ledger = small(3);
    changed(ledger.enter(peer("198.51.100.9", 1, Trust::Enforce, 500), NOW));
    for who in ["192.0.2.0", "192.0.2.1"] {
        changed(ledger.enter(trap(who, 100), NOW));
    }
    ledger.take_kernel_changes();
    let Entered::Changed { displaced: Some(gone), .. } = ledger.enter(trap("198.51.100.1", 500), NOW) else { panic!() };
    assert_eq!((names(&[*gone]), ledger.stats().groups), (vec!["198.51.100.9/32 Displaced".into()], 0));
    assert!(ledger.has_readmissions(NOW));
    assert_eq!(names(&ledger.readmit(NOW)), ["198.51.100.9/32 Returned"]);
    assert_eq!(told(&mut ledger), ["+192.0.2.0/31 100", "-192.0.2.0/32", "-192.0.2.1/32", "+198.51.100.1/32 500"]);
}

#[test]
fn exact_ends_are_not_given_up_for_what_is_observed_or_may_be_forged() {
    for weak in [peer("198.51.100.1", 1, Trust::Observe, 100), forged("198.51.100.1", 100)] {
        let mut ledger = four();
        assert!(matches!(refused(ledger.enter(weak, NOW)), Refusal::Full { .. }));
        assert_eq!((ledger.stats().groups, ledger.has_readmissions(NOW)), (0, false));
    }
}

#[test]
fn who_is_not_wholly_banned_keeps_the_group_from_being_made() {
    let spared = [
        None,
        Some(Claim { scope: Scope::Dark, ..trap("192.0.2.3", 100) }),
        Some(peer("192.0.2.3", 1, Trust::Observe, 100)),
        Some(peer("192.0.2.3", 1, Trust::Corroborate, 100)),
        Some(operators("192.0.2.3")),
        Some(trap("192.0.2.3", HAND_OVER_AHEAD.as_secs())),
    ];
    for fourth in spared {
        let mut ledger = small(3 + usize::from(fourth.is_some()));
        for last in 0..3 {
            changed(ledger.enter(Claim { grade: Grade::Hostile, ..trap(&format!("192.0.2.{last}"), 100) }, NOW));
        }
        fourth.clone().into_iter().for_each(|fourth| drop(changed(ledger.enter(fourth, NOW))));
        let _ = ledger.enter(Claim { grade: Grade::Hostile, ..trap("198.51.100.1", 100) }, NOW);
        let _ = ledger.enter(Claim { grade: Grade::Hostile, ..trap("198.51.100.3", 100) }, NOW);
        assert_eq!(ledger.group_of(&subject("192.0.2.0")), Some(subject("192.0.2.0/31")), "{fourth:?}");
        assert_eq!(ledger.group_of(&subject("192.0.2.2")), None, "{fourth:?}");
        assert!(!held(&ledger).contains(&"192.0.2.0/30".into()), "{fourth:?}");
    }
}

#[test]
fn customers_are_grouped_up_to_a_56_and_addresses_up_to_a_24() {
    let mut ledger = Ledger::new(Policy { bans_max: 512, ..Policy::default() });
    for index in 0..512 {
        changed(ledger.enter(trap(&format!("192.0.{}.{}", index / 256, index % 256), 100), NOW));
        changed(ledger.enter(trap(&format!("2001:db8:0:{index:x}::/64"), 100), NOW));
    }
    for who in ["198.51.100.1", "2001:db8:1::/64"] {
        changed(ledger.enter(trap(who, 100), NOW));
    }
    let nets: Vec<String> = held(&ledger).into_iter().filter(|net| net.ends_with("/24") || net.ends_with("/56")).collect();
    assert_eq!((nets, ledger.stats().groups), (vec!["192.0.0.0/24".into(), "2001:db8::/56".into()], 2));
}

#[test]
fn a_newcomer_that_completes_a_pair_needs_no_room() {
    let mut ledger = small(2);
    for who in ["192.0.2.0", "198.51.100.1"] {
        changed(ledger.enter(trap(who, 100), NOW));
    }
    ledger.take_kernel_changes();
    changed(ledger.enter(trap("192.0.2.1", 50), NOW));
    assert_eq!(told(&mut ledger), ["+192.0.2.0/31 50", "-192.0.2.0/32"]);
}

#[test]
fn two_that_wait_for_room_come_in_as_soon_as_they_are_a_pair() {
    let mut ledger = small(2);
    for who in ["198.51.100.1", "198.51.100.3"] {
        changed(ledger.enter(trap(who, 100), NOW));
    }
    ledger.take_kernel_changes();
    assert!(matches!(refused(ledger.enter(peer("192.0.2.0", 1, Trust::Enforce, 60), NOW)), Refusal::Full { .. }));
    let change = changed(ledger.enter(trap("192.0.2.1", 50), NOW));
    assert_eq!(names(&change.also), ["192.0.2.0/32 Returned"]);
    assert_eq!((told(&mut ledger), ledger.stats().waiting), (vec!["+192.0.2.0/31 50".into()], 0));
}

#[test]
fn a_group_grows_into_its_neighbourhood_when_room_is_needed_again() {
    let mut ledger = small(4);
    for who in ["192.0.2.0", "192.0.2.1", "198.51.100.1", "198.51.100.3", "198.51.100.5", "192.0.2.2"] {
        changed(ledger.enter(trap(who, 100), NOW));
    }
    assert_eq!(held(&ledger), ["192.0.2.0/31", "192.0.2.2/32", "198.51.100.1/32", "198.51.100.3/32", "198.51.100.5/32"]);
    ledger.take_kernel_changes();
    changed(ledger.enter(trap("192.0.2.3", 90), NOW));
    assert_eq!(told(&mut ledger), ["+192.0.2.0/30 90", "-192.0.2.2/32", "-192.0.2.0/31"]);
}

#[test]
fn a_member_that_is_let_in_takes_the_group_apart_and_the_weakest_waits_for_the_others() {
    let mut ledger = grouped();
    for who in ["198.51.100.3", "198.51.100.5"] {
        changed(ledger.enter(Claim { grade: Grade::Hostile, ..trap(who, 500) }, NOW));
    }
    changed(ledger.enter(peer("198.51.100.7", 1, Trust::Enforce, 500), NOW));
    ledger.take_kernel_changes();
    let change = ledger.lift(&subject("192.0.2.1"), NOW, Whose::Everybodys, NOW).unwrap();
    assert_eq!(names(&change.also), ["198.51.100.7/32 Displaced"]);
    assert_eq!(told(&mut ledger), ["-198.51.100.7/32", "+192.0.2.2/31 300", "+192.0.2.0/32 100", "-192.0.2.0/30"]);
    let change = ledger.lift(&subject("192.0.2.3"), NOW, Whose::Everybodys, NOW).unwrap();
    assert_eq!(names(&change.also), ["192.0.2.0/32 Displaced"], "of the same rank the one that ends first");
    assert_eq!(told(&mut ledger), ["-192.0.2.0/32", "+192.0.2.2/32 300", "-192.0.2.2/31"]);
}

#[test]
fn a_member_that_is_enforced_less_leaves_its_group() {
    let mut ledger = small(2);
    changed(ledger.enter(peer("192.0.2.0", 1, Trust::Enforce, 60), NOW));
    changed(ledger.enter(forged("192.0.2.0", 90), NOW));
    for who in ["192.0.2.1", "198.51.100.1"] {
        changed(ledger.enter(peer(who, 1, Trust::Enforce, 100), NOW));
    }
    ledger.take_kernel_changes();
    let change = ledger.withdraw(&subject("192.0.2.0"), &peer_origin(1), NOW).unwrap();
    assert_eq!((change.kind, change.ban.scope), (ChangeKind::Lowered, Scope::Dark));
    assert_eq!(names(&change.also), ["192.0.2.0/32 Displaced"], "it is the weakest now");
    assert_eq!(told(&mut ledger), ["+192.0.2.1/32 100", "-192.0.2.0/31"]);
}

#[test]
fn those_who_stay_banned_are_handed_over_before_the_groups_entry_ends() {
    let mut ledger = grouped();
    ledger.policy.bans_max = 5;
    assert_eq!(ledger.wake_at(), Some(at(98)));
    assert!(ledger.expire(at(97)).is_empty() && told(&mut ledger).is_empty());
    assert!(ledger.expire(at(98)).is_empty(), "no ban changes");
    assert_eq!(
        told(&mut ledger),
        ["+192.0.2.2/31 300", "+192.0.2.1/32 200"],
        "the old entry stays for the one that ends with it"
    );
    assert_eq!((ledger.group_of(&subject("192.0.2.0")), ledger.wake_at()), (Some(subject("192.0.2.0/30")), Some(at(100))));
    assert_eq!(names(&ledger.expire(at(100))), ["192.0.2.0/32 Ended"]);
    assert_eq!(told(&mut ledger), ["-192.0.2.0/30"]);
}

#[test]
fn a_group_of_one_end_ends_as_one() {
    let mut ledger = small(2);
    for who in ["192.0.2.0", "192.0.2.1", "198.51.100.1"] {
        changed(ledger.enter(trap(who, 100), NOW));
    }
    ledger.take_kernel_changes();
    assert!(ledger.expire(at(98)).is_empty() && told(&mut ledger).is_empty());
    assert_eq!(ledger.expire(at(100)).len(), 3);
    assert_eq!(told(&mut ledger), ["-198.51.100.1/32", "-192.0.2.0/31"]);
}

#[test]
fn a_group_follows_the_ends_of_its_members() {
    let mut ledger = grouped();
    changed(ledger.enter(trap("192.0.2.2", 999), NOW));
    assert!(told(&mut ledger).is_empty(), "it was not the first to end");
    changed(ledger.enter(trap("192.0.2.0", 150), NOW));
    assert_eq!(told(&mut ledger), ["+192.0.2.0/30 150"]);
    changed(ledger.enter(trap("192.0.2.0", 999), NOW));
    assert_eq!(told(&mut ledger), ["+192.0.2.0/30 200"]);
}

#[test]
fn who_is_banned_for_longer_at_the_last_moment_is_not_let_in_with_the_old_end() {
    let mut ledger = grouped();
    ledger.policy.bans_max = 5;
    ledger.expire(at(98));
    ledger.take_kernel_changes();
    changed(ledger.enter(trap("192.0.2.0", 900), at(99)));
    assert_eq!(told(&mut ledger), ["+192.0.2.0/32 900", "-192.0.2.0/30"], "nobody needs it any more");
}

#[test]
fn an_operators_word_takes_a_member_out_and_is_refused_where_nothing_gives_way() {
    let mut ledger = grouped();
    changed(ledger.enter(operators("192.0.2.3"), NOW));
    assert_eq!(told(&mut ledger), ["+192.0.2.0/31 100", "+192.0.2.2/32 300", "+192.0.2.3/32 500", "-192.0.2.0/30"]);
    for who in ["198.51.100.4", "198.51.100.6", "198.51.100.8"] {
        assert!(matches!(ledger.enter(operators(who), NOW), Entered::Changed { .. }));
    }
    for who in ["198.51.100.10", "192.0.2.0"] {
        assert!(matches!(refused(ledger.enter(operators(who), NOW)), Refusal::Full { .. }), "{who}");
    }
    assert_eq!(ledger.group_of(&subject("192.0.2.0")), Some(subject("192.0.2.0/31")), "nothing was changed");
}

#[test]
fn a_banned_prefix_and_a_group_never_share_an_entry() {
    let mut ledger = grouped();
    changed(ledger.enter(Claim { scope: Scope::Dark, ..trap("192.0.2.0/30", 600) }, NOW));
    assert_eq!(told(&mut ledger), ["+192.0.2.0/31 100", "+192.0.2.2/31 300", "+192.0.2.0/30 600"]);
    assert_eq!(ledger.enforcement(&subject("192.0.2.0/30")).unwrap().scope, Scope::Dark);
    ledger.lift(&subject("192.0.2.0/30"), NOW, Whose::Everybodys, NOW);
    assert_eq!(told(&mut ledger), ["-192.0.2.0/30"]);
}

#[test]
fn who_becomes_protected_is_out_of_every_group_and_protection_inside_a_64_changes_nothing() {
    let mut ledger = grouped();
    ledger.protect(&[protected("192.0.2.0/32", Protection::Allowlist)], NOW);
    assert_eq!(told(&mut ledger), ["+192.0.2.2/31 300", "+192.0.2.1/32 200", "-192.0.2.0/30"]);
    ledger.protect(&[protected("2001:db8::7/128", Protection::Allowlist)], NOW);
    for customer in 0..3 {
        changed(ledger.enter(trap(&format!("2001:db8:0:{customer}::/64"), 100), NOW));
    }
    assert_eq!(ledger.group_of(&subject("2001:db8::/64")), Some(subject("2001:db8::/63")));
    assert_eq!(ledger.protected_within(&subject("2001:db8::/63")).len(), 1, "the kernel passes it, as in any banned prefix");
}

#[test]
fn while_observing_groups_are_in_the_ledger_and_nothing_is_in_the_kernel() {
    let mut ledger = Ledger::new(Policy { mode: Mode::Observe, bans_max: 2, ..Policy::default() });
    for who in ["192.0.2.0", "192.0.2.1", "198.51.100.1"] {
        changed(ledger.enter(trap(who, 100), NOW));
    }
    assert_eq!((ledger.stats().groups, held(&ledger).len(), told(&mut ledger).len()), (1, 0, 0));
    ledger.set_mode(Mode::Enforce);
    assert_eq!(held(&ledger), ["192.0.2.0/31", "198.51.100.1/32"]);
}

#[test]
fn groups_leave_half_of_the_prefixes_table_to_bans_of_prefixes() {
    let mut ledger = Ledger::new(Policy { bans_max: 6, nets_max: 4, ..Policy::default() });
    let pairs = (0..8).flat_map(|index| [format!("192.0.{index}.0"), format!("192.0.{index}.1")]);
    let entered = pairs.map(|who| ledger.enter(trap(&who, 100), NOW)).filter(|entered| !matches!(entered, Entered::Refused(_)));
    assert_eq!(entered.count(), 10, "six have entries of their own");
    assert_eq!(ledger.stats().groups, 2);
    for net in ["198.51.100.0/24", "203.0.113.0/24"] {
        changed(ledger.enter(trap(net, 100), NOW));
    }
    assert!(matches!(refused(ledger.enter(trap("198.51.0.0/24", 100), NOW)), Refusal::Full { class: Class::Nets4, .. }));
}

#[test]
fn no_more_bans_are_in_groups_than_have_entries_of_their_own() {
    let mut ledger = small(8);
    let mut entered = 0;
    for last in 0..=255 {
        entered += usize::from(matches!(ledger.enter(trap(&format!("192.0.2.{last}"), 100), NOW), Entered::Changed { .. }));
    }
    let stats = ledger.stats();
    assert_eq!((entered, stats.bans, stats.grouped), (16, 16, 8));
}

/// Fifteen that stand alone, and a block of sixteen: more than the table has room for, and yet all have their place.
fn crowd() -> impl Strategy<Value = Vec<Claim>> {
    let grades = proptest::collection::vec(proptest::sample::select(&[Grade::Handshake, Grade::Payload, Grade::Hostile][..]), 31);
    let claims = grades.prop_map(|grades| {
        let alone = (0..15).map(|index| format!("198.51.100.{}", index * 2));
        let block = (0..16).map(|last| format!("192.0.2.{last}"));
        alone.chain(block).zip(grades).map(|(who, grade)| Claim { grade, ..trap(&who, 100) }).collect::<Vec<_>>()
    });
    claims.prop_shuffle()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// So a restart, which hears the same in another order, bans the same.
    #[test]
    fn in_whichever_order_they_come_all_find_their_place(claims in crowd()) {
        let mut ledger = Ledger::new(Policy { bans_max: 16, nets_max: 64, ..Policy::default() });
        for claim in claims {
            let _ = ledger.enter(claim, NOW);
            ledger.readmit(NOW);
        }
        let stats = ledger.stats();
        prop_assert_eq!((stats.bans, stats.enforced, stats.waiting), (31, 31, 0));
    }
}
