//! Whose words count, and when.

use super::*;
use crate::{Backing, Quorum};

const MINUTE: u64 = 60;

/// A word of a peer that must be corroborated, said `said` seconds after the start.
fn said_by(index: u8, owner: Option<&str>, said: u64) -> Claim {
    let backing = Backing { owner: owner.map(String::from), ..Backing::default() };
    Claim { since: at(said), last: at(said), backing, ..peer(WHO, index, Trust::Corroborate, 7_200) }
}

fn is_enforced(ledger: &Ledger) -> bool {
    ledger.ban(&subject(WHO)).unwrap().enforced
}

#[test]
fn it_takes_as_many_owners_as_asked_for_within_the_window() {
    let own = |said| Claim { since: at(said), last: at(said), ..local(WHO, Reasons::TRAP, Grade::Payload, 7_200) };
    let forged = |said| Claim { since: at(said), last: at(said), ..forged(WHO, 7_200) };
    // Who says it when, and whether the first peer's word counts in the end.
    let cases: [(&str, &[Claim], bool); 8] = [
        ("one owner", &[said_by(1, None, 0)], false),
        ("two owners", &[said_by(1, None, 0), said_by(2, None, 10 * MINUTE)], true),
        ("too late", &[said_by(1, None, 0), said_by(2, None, 10 * MINUTE + 1)], false),
        ("two nodes of one owner", &[said_by(1, Some("acme"), 0), said_by(2, Some("acme"), 5)], false),
        ("an owner and somebody else", &[said_by(1, Some("acme"), 0), said_by(2, Some("acme"), 5), said_by(3, None, 9)], true),
        ("this node's own evidence", &[said_by(1, None, 0), own(5)], true),
        ("evidence that may be forged", &[said_by(1, None, 0), forged(5)], false),
        ("in the other order", &[said_by(2, None, 500), said_by(1, None, 0)], true),
    ];
    for (name, claims, expected) in cases {
        let mut ledger = ledger();
        claims.iter().for_each(|claim| drop(ledger.enter(claim.clone(), at(0))));
        let first = ledger.claims(&subject(WHO)).into_iter().find(|(claim, _)| claim.origin == peer_origin(1));
        assert_eq!(first.map(|(_, counts)| counts), Some(expected), "{name}");
    }
}

#[test]
fn three_must_agree_where_three_are_asked_for() {
    let mut ledger = ledger();
    let quorum = Quorum { owners: 3, window: Duration::from_mins(1) };
    let three = |index, said| {
        let claim = said_by(index, None, said);
        Claim { backing: Backing { quorum, ..claim.backing }, ..claim }
    };
    changed(ledger.enter(three(1, 0), NOW));
    changed(ledger.enter(three(2, 30), NOW));
    let waits = ledger.corroboration(&subject(WHO)).unwrap();
    assert_eq!((waits.owners, waits.needed, waits.waits_until), (2, 3, at(90)));
    assert_eq!((is_enforced(&ledger), ledger.stats().uncorroborated), (false, 1));
    changed(ledger.enter(three(3, 60), NOW));
    assert_eq!((is_enforced(&ledger), ledger.stats().uncorroborated, ledger.corroboration(&subject(WHO))), (true, 0, None));
}

#[test]
fn who_joins_an_agreement_that_stands_belongs_to_it_and_it_ends_when_too_few_are_left() {
    let mut ledger = ledger();
    let until = |claim: Claim, secs| Claim { until: Some(at(secs)), ..claim };
    changed(ledger.enter(until(said_by(1, None, 0), 7_200), NOW));
    changed(ledger.enter(until(said_by(2, None, 5), 5_000), NOW));
    changed(ledger.enter(until(said_by(3, None, 4_000), 9_000), at(4_000)));
    assert!(ledger.claims(&subject(WHO)).iter().all(|(_, counts)| *counts));
    ledger.expire(at(5_000));
    assert!(is_enforced(&ledger), "two are left");
    ledger.expire(at(7_200));
    assert!(!is_enforced(&ledger), "one is left");
}

#[test]
fn what_is_said_again_stays_vouched_for() {
    let mut ledger = ledger();
    changed(ledger.enter(said_by(1, None, 0), NOW));
    changed(ledger.enter(said_by(2, None, 5), NOW));
    changed(ledger.enter(said_by(1, None, 3_600), at(3_600)));
    assert!(is_enforced(&ledger));
}

#[test]
fn hearsay_corroborates_nobody() {
    let mut ledger = ledger();
    let hearsay = |index, said| {
        let claim = said_by(index, None, said);
        Claim { backing: Backing { hearsay: true, ..claim.backing }, ..claim }
    };
    changed(ledger.enter(said_by(1, None, 0), NOW));
    changed(ledger.enter(hearsay(2, 5), NOW));
    changed(ledger.enter(hearsay(3, 6), NOW));
    assert!(!is_enforced(&ledger));
    changed(ledger.enter(said_by(4, None, 7), NOW));
    assert!(is_enforced(&ledger), "two witnesses");
}

#[test]
fn a_liars_bans_are_withdrawn_and_those_that_others_said_too_stay() {
    let mut ledger = ledger();
    changed(ledger.enter(peer(WHO, 1, Trust::Enforce, 100), NOW));
    changed(ledger.enter(peer("203.0.113.8", 1, Trust::Enforce, 100), NOW));
    changed(ledger.enter(peer("203.0.113.8", 2, Trust::Enforce, 100), NOW));
    changed(ledger.enter(trap("203.0.113.9", 100), NOW));
    changed(ledger.enter(peer("203.0.113.9", 1, Trust::Enforce, 100), NOW));
    drop(ledger.take_kernel_changes());
    let told = ledger.reconsider(&peer_origin(1), |_| Trust::Observe, &Backing::default(), NOW);
    assert_eq!((told.withdrawn, told.enforced.len()), (vec![subject(WHO)], 0));
    assert_eq!(ledger.take_kernel_changes().first(), Some(&crate::KernelChange::Release(subject(WHO))));
    assert_eq!((ledger.stats().enforced, ledger.len()), (2, 3), "shown still");
    let told = ledger.reconsider(&peer_origin(1), |_| Trust::Enforce, &Backing::default(), NOW);
    assert_eq!((told.enforced, ledger.stats().enforced), (vec![subject(WHO)], 3));
}

#[test]
fn a_liar_takes_his_vote_with_him_and_an_owner_that_becomes_known_too() {
    let mut ledger = ledger();
    changed(ledger.enter(said_by(1, None, 0), NOW));
    changed(ledger.enter(said_by(2, None, 5), NOW));
    ledger.reconsider(&peer_origin(1), |_| Trust::Observe, &Backing::default(), NOW);
    assert!(!is_enforced(&ledger));
    ledger.reconsider(&peer_origin(1), |_| Trust::Corroborate, &Backing::default(), NOW);
    assert!(is_enforced(&ledger));
    let acme = Backing { owner: Some("acme".into()), ..Backing::default() };
    ledger.reconsider(&peer_origin(1), |_| Trust::Corroborate, &acme, NOW);
    ledger.reconsider(&peer_origin(2), |_| Trust::Corroborate, &acme, NOW);
    assert_eq!((is_enforced(&ledger), ledger.stats().uncorroborated), (false, 1), "one owner after all");
}

#[test]
fn what_waits_for_room_is_believed_as_its_origin_is() {
    let mut ledger = Ledger::new(Policy { bans_max: 1, ..Policy::default() });
    changed(ledger.enter(trap(WHO, 100), NOW));
    refused(ledger.enter(peer("203.0.113.8", 1, Trust::Enforce, 200), NOW));
    ledger.reconsider(&peer_origin(1), |_| Trust::Observe, &Backing::default(), NOW);
    ledger.expire(at(100));
    ledger.readmit(at(100));
    let ban = ledger.ban(&subject("203.0.113.8"));
    assert!(ban.is_none_or(|ban| !ban.enforced));
}

#[test]
fn an_operators_unban_beats_peers_that_are_not_trusted_to_override() {
    let mut ledger = ledger();
    changed(ledger.enter(peer(WHO, 1, Trust::Enforce, 100), NOW));
    ledger.lift(&subject(WHO), at(0), Whose::Everybodys, at(0));
    ledger.hold(subject(WHO), at(50), at(0));
    let again = |trust, said| Claim { since: at(said), last: at(said), ..peer(WHO, 1, trust, 500) };
    let refusal = refused(ledger.enter(again(Trust::Enforce, 40), at(40)));
    assert_eq!(refusal.to_string(), "203.0.113.7/32 was freed by an operator of this node");
    changed(ledger.enter(again(Trust::Override, 41), at(41)));
    ledger.withdraw(&subject(WHO), &peer_origin(1), at(42));
    changed(ledger.enter(again(Trust::Enforce, 51), at(51)));
    ledger.lift(&subject(WHO), at(52), Whose::Everybodys, at(52));
    ledger.hold(subject(WHO), at(99), at(52));
    assert!(ledger.unhold(&subject(WHO)) && !ledger.unhold(&subject(WHO)));
    changed(ledger.enter(again(Trust::Enforce, 60), at(60)));
}
