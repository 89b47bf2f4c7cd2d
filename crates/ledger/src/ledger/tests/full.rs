//! A full table: nothing stronger gives way to anything weaker, nothing is lost, and what gave way comes back.

use super::*;
use alloc::{collections::BTreeSet, vec::Vec};
use proptest::{prelude::*, sample::select};

fn small() -> Ledger {
    Ledger::new(Policy { bans_max: 2, bans_v6_max: Some(1), nets_max: 1, ..Policy::default() })
}

fn displaced(entered: Entered) -> String {
    match entered {
        Entered::Changed { displaced: Some(gone), .. } => format!("{} {:?}", gone.ban.subject, gone.cause),
        other => panic!("{other:?}"),
    }
}

fn subjects(changes: &[Change]) -> Vec<String> {
    changes.iter().map(|change| format!("{} {:?}", change.ban.subject, change.cause)).collect()
}

#[test]
fn what_is_weakest_gives_way_and_comes_back_strongest_first() {
    let mut ledger = small();
    changed(ledger.enter(peer("192.0.2.1", 1, Trust::Observe, 500), NOW));
    changed(ledger.enter(forged("192.0.2.2", 500), NOW));
    assert_eq!(displaced(ledger.enter(peer("192.0.2.3", 1, Trust::Enforce, 500), NOW)), "192.0.2.1/32 Displaced");
    assert_eq!(displaced(ledger.enter(trap("192.0.2.4", 10), NOW)), "192.0.2.2/32 Displaced");
    let hostile = Claim { grade: Grade::Hostile, ..peer("192.0.2.5", 2, Trust::Enforce, 500) };
    assert_eq!(displaced(ledger.enter(hostile, NOW)), "192.0.2.3/32 Displaced");
    let refusal = refused(ledger.enter(peer("192.0.2.6", 1, Trust::Corroborate, 500), NOW));
    assert_eq!(
        refusal.to_string(),
        "the ban table is full (2 IPv4 addresses), and nothing in it is weaker; raise `max` in [bans] or lift some"
    );
    assert_eq!((ledger.stats().waiting, ledger.has_readmissions(NOW)), (3, false), "forgeable evidence does not wait");
    assert_eq!(ledger.expire(at(10)).len(), 1);
    assert!(ledger.has_readmissions(at(10)));
    assert_eq!(subjects(&ledger.readmit(at(10))), ["192.0.2.3/32 Returned"]);
    ledger.lift(&subject("192.0.2.5"), at(11), Whose::Everybodys, at(11));
    assert_eq!(subjects(&ledger.readmit(at(11))), ["192.0.2.6/32 Returned"]);
    assert_eq!(ledger.stats().waiting, 1);
}

#[test]
fn what_is_over_goes_before_anything_that_lives() {
    let mut ledger = small();
    changed(ledger.enter(trap("192.0.2.1", 10), NOW));
    changed(ledger.enter(peer("192.0.2.2", 1, Trust::Observe, 500), NOW));
    assert_eq!(
        displaced(ledger.enter(Claim { since: at(10), last: at(10), ..trap("192.0.2.3", 500) }, at(10))),
        "192.0.2.1/32 Ended"
    );
}

#[test]
fn families_and_prefixes_have_limits_of_their_own() {
    let mut ledger = small();
    for who in ["192.0.2.1", "192.0.2.2", "198.51.100.0/24", "2001:db8:1::/64", "2001:db8:2::/48"] {
        changed(ledger.enter(trap(who, 100), NOW));
    }
    for (who, word) in
        [("192.0.2.3", "`max`"), ("203.0.113.0/24", "lift some"), ("2001:db8:3::/64", "`max_v6`"), ("2001:db8:3::1", "prefixes")]
    {
        let words = refused(ledger.enter(trap(who, 100), NOW)).to_string();
        assert!(words.contains(word), "{words}");
    }
    let manual = local("203.0.113.0/24", Reasons::MANUAL, Grade::Operator, 100);
    assert_eq!(displaced(ledger.enter(manual, NOW)), "198.51.100.0/24 Displaced");
}

#[test]
fn an_operators_word_never_gives_way_and_never_waits() {
    let mut ledger = small();
    let manual = |who: &str| local(who, Reasons::MANUAL, Grade::Operator, 100);
    changed(ledger.enter(manual("192.0.2.1"), NOW));
    changed(ledger.enter(manual("192.0.2.2"), NOW));
    let hostile = Claim { grade: Grade::Hostile, ..trap("192.0.2.3", 100) };
    for claim in [manual("192.0.2.4"), hostile, peer("192.0.2.5", 1, Trust::Override, 100)] {
        assert!(matches!(refused(ledger.enter(claim, NOW)), Refusal::Full { .. }));
    }
    ledger.lift(&subject("192.0.2.1"), NOW, Whose::Everybodys, NOW);
    ledger.lift(&subject("192.0.2.2"), NOW, Whose::Everybodys, NOW);
    let back = subjects(&ledger.readmit(NOW));
    assert_eq!(back, ["192.0.2.3/32 Returned", "192.0.2.5/32 Returned"], "a refused order must not surprise anybody later");
}

#[test]
fn what_waits_is_lifted_and_withdrawn_like_what_holds() {
    let mut ledger = small();
    for who in ["192.0.2.1", "192.0.2.2"] {
        changed(ledger.enter(trap(who, 100), NOW));
    }
    for index in 3..6 {
        let _ = refused(ledger.enter(peer(&format!("192.0.2.{index}"), 1, Trust::Enforce, 100), NOW));
    }
    assert_eq!(ledger.lift(&subject("192.0.2.3"), NOW, Whose::Everybodys, NOW), None);
    assert_eq!(ledger.withdraw(&subject("192.0.2.4"), &peer_origin(1), NOW), None);
    assert_eq!(ledger.stats().waiting, 1);
    ledger.lift(&subject("192.0.2.1"), NOW, Whose::Everybodys, NOW);
    assert_eq!(subjects(&ledger.readmit(NOW)), ["192.0.2.5/32 Returned"]);
}

#[test]
fn a_peers_word_on_somebody_protected_holds_when_the_protection_ends_but_not_on_an_operator() {
    let mut ledger = ledger();
    changed(ledger.enter(peer("192.0.2.1", 1, Trust::Enforce, 100), NOW));
    changed(ledger.enter(trap("192.0.2.2", 100), NOW));
    let lifted = ledger
        .protect(&[protected("192.0.2.0/24", Protection::Allowlist), protected("198.51.100.9/32", Protection::Operator)], NOW);
    assert_eq!(lifted.len(), 2);
    for who in ["192.0.2.3", "198.51.100.9"] {
        assert!(matches!(refused(ledger.enter(peer(who, 1, Trust::Enforce, 100), NOW)), Refusal::Protected { .. }));
    }
    assert!(matches!(refused(ledger.enter(trap("192.0.2.4", 100), NOW)), Refusal::Protected { .. }));
    assert!(ledger.readmit(NOW).is_empty());
    ledger.protect(&[], NOW);
    assert_eq!(subjects(&ledger.readmit(NOW)), ["192.0.2.3/32 Returned", "192.0.2.1/32 Returned"]);
    assert_eq!(ledger.stats().waiting, 0);
}

const WHO: [&str; 8] =
    ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5", "192.0.2.0/24", "198.51.100.0/24", "2001:db8:1::/64"];

fn arb_claim() -> impl Strategy<Value = Claim> {
    let grade = select(&[Grade::Reactive, Grade::Handshake, Grade::Payload, Grade::Hostile][..]);
    let origin = prop_oneof![Just(None), (0_u8..3).prop_map(Some)];
    (select(&WHO[..]), grade, origin, select(Trust::ALL), 1_u64..60).prop_map(|(who, grade, origin, trust, until)| match origin {
        None => Claim { grade, ..trap(who, until) },
        Some(index) => Claim { grade, ..peer(who, index, trust, until) },
    })
}

/// Who says something about whom that holds or waits, and until when.
fn said(ledger: &Ledger) -> BTreeSet<(Subject, Origin, Option<WallTime>, Grade)> {
    let held = ledger.bans().flat_map(|ban| ledger.claims(&ban.subject)).map(|(claim, _)| claim);
    let each = held.chain(ledger.waiting.all().cloned());
    each.map(|claim| (claim.subject, claim.origin, claim.until, claim.grade)).collect()
}

fn is_over(now: WallTime, until: Option<WallTime>) -> bool {
    until.is_some_and(|until| until <= now)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Beside a ledger without limits: the small one knows as much, and holds the strongest.
    #[test]
    fn a_full_table_holds_the_strongest_and_forgets_nothing(
        steps in proptest::collection::vec((arb_claim(), 0_u64..8, prop_oneof![6 => Just(None), 1 => select(&WHO[..]).prop_map(Some)]), 1..60),
    ) {
        let (mut small, mut large) = (small(), ledger());
        let mut now = NOW;
        for (index, (claim, secs, lifted)) in steps.into_iter().enumerate() {
            // Nobody says two things at the same time.
            now = now.plus(Duration::from_secs(secs) + Duration::from_millis(1 + index as u64));
            let until = claim.until.map(|until| now.plus(until.since(NOW)));
            let claim = Claim { since: now, last: now, until, ..claim };
            for ledger in [&mut small, &mut large] {
                ledger.expire(now);
                if let Entered::Changed { change, displaced: Some(gone) } = ledger.enter(claim.clone(), now) {
                    let rank = |claims: &[Claim]| claims.iter().map(crate::rank::Rank::of_claim).max();
                    prop_assert!(gone.cause == Cause::Ended || rank(&gone.claims) < rank(&change.claims), "{gone:?} for {change:?}");
                }
                if let Some(who) = lifted {
                    ledger.lift(&subject(who), now, Whose::Everybodys, now);
                }
                while ledger.has_readmissions(now) {
                    ledger.readmit(now);
                }
            }
            for class in Class::ALL {
                let (count, limit) = (small.count(class), small.policy().limit(class));
                prop_assert!(count <= limit);
                let waiting = small.waiting.strongest(class);
                prop_assert!(count == limit || waiting.is_none(), "room is left unused");
                let weakest = small.queue(class).weakest().map(|(rank, _)| rank);
                prop_assert!(waiting.is_none() || waiting <= weakest, "{waiting:?} waits for {weakest:?}");
            }
            let live = |all: BTreeSet<(Subject, Origin, Option<WallTime>, Grade)>| {
                all.into_iter().filter(|(_, _, until, _)| !is_over(now, *until)).collect::<Vec<_>>()
            };
            prop_assert_eq!(live(said(&small)), live(said(&large)));
        }
    }
}
