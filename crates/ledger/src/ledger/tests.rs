//! Tests of the ledger: tables of what goes in and what comes out, and a naive model beside it.

extern crate std;

mod full;
mod groups;
mod model;
mod projection;
mod trust;

use super::*;
use crate::{
    CLAIMS_PEER_MAX, Claim, Class, EXPIRE_BATCH_MAX, Entered, NOTE_BYTES_MAX, Origin, Protected, Protection, Reach, Refusal,
    Ttls, Whose,
};
use alloc::{
    format,
    string::{String, ToString},
    vec,
};
use core::time::Duration;
use honeymesh_types::{EventId, Grade, NodeId, Scope, Trust, WallTime};

const NOW: WallTime = WallTime(1_000_000_000_000);

pub(super) fn subject(text: &str) -> Subject {
    text.parse().unwrap()
}

fn at(secs: u64) -> WallTime {
    NOW.plus(Duration::from_secs(secs))
}

fn ledger() -> Ledger {
    Ledger::new(Policy::default())
}

fn local(who: &str, reasons: Reasons, grade: Grade, until: u64) -> Claim {
    Claim::local(subject(who), "here", reasons, grade, NOW, Some(at(until)))
}

fn trap(who: &str, until: u64) -> Claim {
    Claim { reach: Reach::Mesh, ..local(who, Reasons::TRAP, Grade::Payload, until) }
}

fn forged(who: &str, until: u64) -> Claim {
    Claim { scope: Scope::Dark, ..local(who, Reasons::SCAN, Grade::Spoofable, until) }
}

pub(super) fn peer_origin(index: u8) -> Origin {
    Origin::Peer { cluster: "mesh".parse().unwrap(), node: NodeId([index; 32]) }
}

fn peer(who: &str, index: u8, trust: Trust, until: u64) -> Claim {
    Claim { origin: peer_origin(index), origin_name: format!("peer-{index}"), trust, ..trap(who, until) }
}

fn changed(entered: Entered) -> Change {
    match entered {
        Entered::Changed { change, displaced: None } => *change,
        other => panic!("{other:?}"),
    }
}

fn refused(entered: Entered) -> Refusal {
    match entered {
        Entered::Refused(refusal) => refusal,
        other => panic!("{other:?}"),
    }
}

fn protected(net: &str, why: Protection) -> Protected {
    Protected { net: net.parse().unwrap(), why }
}

const WHO: &str = "203.0.113.7";

#[test]
fn reasons_stack_and_end_one_by_one() {
    let mut ledger = ledger();
    changed(ledger.enter(trap(WHO, 100), NOW));
    let scan = Claim { scope: Scope::Dark, ..local(WHO, Reasons::SCAN, Grade::Reactive, 50) };
    let both = changed(ledger.enter(scan, NOW));
    assert_eq!(both.ban.reasons, Reasons::TRAP | Reasons::SCAN);
    assert_eq!((both.ban.grade, both.ban.scope, both.ban.until), (Grade::Payload, Scope::All, Some(at(100))));
    let [lowered] = &ledger.expire(at(50))[..] else { panic!() };
    assert_eq!((lowered.kind, lowered.ban.reasons), (ChangeKind::Lowered, Reasons::TRAP));
    assert_eq!(lowered.claims[0].reasons, Reasons::SCAN);
    let [gone] = &ledger.expire(at(100))[..] else { panic!() };
    assert_eq!((gone.kind, gone.enforce, ledger.len()), (ChangeKind::Expired, None, 0));
}

#[test]
fn two_origins_ban_and_one_withdraws_so_the_other_holds() {
    // fail2ban issue 3956: two jails ban, one unbans, and the list loses the ban.
    let mut ledger = ledger();
    changed(ledger.enter(peer(WHO, 1, Trust::Enforce, 100), NOW));
    changed(ledger.enter(peer(WHO, 2, Trust::Enforce, 200), NOW));
    assert_eq!(ledger.ban(&subject(WHO)).unwrap().origins, ["peer-1", "peer-2"]);
    let lowered = ledger.withdraw(&subject(WHO), &peer_origin(2), NOW).unwrap();
    assert_eq!((lowered.kind, lowered.ban.until, lowered.ban.enforced), (ChangeKind::Lowered, Some(at(100)), true));
    assert_eq!(ledger.withdraw(&subject(WHO), &peer_origin(2), NOW), None, "it had only one");
    assert_eq!(ledger.withdraw(&subject(WHO), &peer_origin(1), NOW).unwrap().kind, ChangeKind::Lifted);
}

#[test]
fn entering_again_never_shortens_or_lowers() {
    let mut ledger = ledger();
    let hostile = Claim { grade: Grade::Hostile, score: 90, ..trap(WHO, 100) };
    changed(ledger.enter(hostile, NOW));
    assert_eq!(ledger.enter(Claim { grade: Grade::Handshake, ..trap(WHO, 50) }, NOW), Entered::Unchanged);
    let longer = changed(ledger.enter(Claim { grade: Grade::Handshake, ..trap(WHO, 150) }, at(1)));
    assert_eq!((longer.ban.grade, longer.ban.until, longer.ban.since), (Grade::Hostile, Some(at(150)), NOW));
    assert_eq!((longer.claims[0].score, longer.before.unwrap().until), (90, Some(at(100))));
    let for_ever = changed(ledger.enter(Claim { until: None, ..trap(WHO, 0) }, at(2)));
    assert_eq!((for_ever.ban.until, for_ever.enforce.unwrap().until), (None, None));
    assert_eq!(ledger.enter(trap(WHO, 999), NOW), Entered::Unchanged);
    assert_eq!(ledger.wake_at(), None, "nothing ends");
}

#[test]
fn a_forged_scan_never_prolongs_what_was_proved() {
    let mut ledger = ledger();
    changed(ledger.enter(trap(WHO, 100), NOW));
    let both = changed(ledger.enter(forged(WHO, 500), NOW));
    assert_eq!((both.ban.scope, both.ban.until), (Scope::All, Some(at(500))));
    let kernel = both.enforce.unwrap();
    assert_eq!((kernel.scope, kernel.until), (Scope::All, Some(at(100))), "the kernel ends the full ban on its own time");
    let [lowered] = &ledger.expire(at(100))[..] else { panic!() };
    let kernel = lowered.enforce.unwrap();
    assert_eq!((kernel.scope, kernel.until, kernel.grade), (Scope::Dark, Some(at(500)), Grade::Spoofable));
}

#[test]
fn peers_words_are_marked_and_live_no_longer_than_allowed() {
    let ttl = Ttls { mesh: Duration::from_secs(60), ..Ttls::default() };
    let mut ledger = Ledger::new(Policy { ttl, ..Policy::default() });
    let ban = changed(ledger.enter(peer(WHO, 1, Trust::Enforce, 5_000), NOW)).ban;
    assert_eq!((ban.reasons, ban.until, ban.enforced), (Reasons::TRAP | Reasons::MESH, Some(at(60)), true));
    let for_ever = Claim { until: None, ..peer("198.51.100.1", 1, Trust::Enforce, 0) };
    assert_eq!(changed(ledger.enter(for_ever, NOW)).ban.until, Some(at(60)));
    let late = refused(ledger.enter(peer("198.51.100.2", 1, Trust::Enforce, 5_000), at(61)));
    assert_eq!(late, Refusal::Expired { subject: subject("198.51.100.2") });
}

#[test]
fn a_peer_has_one_word_and_the_last_one_holds_whatever_comes_first() {
    let early = Claim { grade: Grade::Hostile, ..peer(WHO, 1, Trust::Enforce, 500) };
    let late = Claim { since: at(5), last: at(5), ..peer(WHO, 1, Trust::Enforce, 100) };
    for order in [[early.clone(), late.clone()], [late, early]] {
        let mut ledger = ledger();
        order.into_iter().for_each(|claim| assert!(!matches!(ledger.enter(claim, at(6)), Entered::Refused(_))));
        let ban = ledger.ban(&subject(WHO)).unwrap();
        assert_eq!((ban.until, ban.grade, ban.since), (Some(at(100)), Grade::Payload, at(5)));
    }
}

#[test]
fn trust_decides_what_a_peers_word_may_do() {
    // (trust of each claim with the index of its node; enforced)
    let cases: [(&[(u8, Trust)], bool); 8] = [
        (&[(1, Trust::Observe)], false),
        (&[(1, Trust::Observe), (2, Trust::Observe)], false),
        (&[(1, Trust::Corroborate)], false),
        (&[(1, Trust::Corroborate), (2, Trust::Corroborate)], true),
        (&[(1, Trust::Corroborate), (2, Trust::Observe)], false),
        (&[(1, Trust::Corroborate), (1, Trust::Corroborate)], false),
        (&[(1, Trust::Enforce)], true),
        (&[(1, Trust::Override)], true),
    ];
    for (claims, enforced) in cases {
        let mut ledger = ledger();
        for (index, trust) in claims {
            let _ = ledger.enter(peer(WHO, *index, *trust, 100), NOW);
        }
        let ban = ledger.ban(&subject(WHO)).unwrap();
        assert_eq!((ban.enforced, ledger.enforcement(&subject(WHO)).is_some()), (enforced, enforced), "{claims:?}");
        assert_eq!(ledger.stats().enforced, usize::from(enforced));
    }
}

#[test]
fn one_node_in_two_clusters_is_one_witness() {
    let mut ledger = ledger();
    for cluster in ["a", "b"] {
        let origin = Origin::Peer { cluster: cluster.parse().unwrap(), node: NodeId([1; 32]) };
        changed(ledger.enter(Claim { origin, ..peer(WHO, 1, Trust::Corroborate, 100) }, NOW));
    }
    assert!(!ledger.ban(&subject(WHO)).unwrap().enforced);
}

#[test]
fn an_observed_word_never_widens_what_is_enforced() {
    let mut ledger = ledger();
    changed(ledger.enter(forged(WHO, 100), NOW));
    let both = changed(ledger.enter(peer(WHO, 1, Trust::Observe, 500), NOW));
    assert_eq!((both.ban.scope, both.ban.until, both.ban.reasons), (Scope::Dark, Some(at(100)), Reasons::SCAN));
    assert_eq!(both.enforce, both.enforce_before);
    let claims = ledger.claims(&subject(WHO));
    assert_eq!(claims.iter().map(|(_, counts)| *counts).collect::<Vec<_>>(), [true, false], "shown, but not counted");
    let [lowered] = &ledger.expire(at(100))[..] else { panic!() };
    assert_eq!((lowered.enforce, lowered.ban.enforced, lowered.ban.scope), (None, false, Scope::All));
}

#[test]
fn observing_enforces_nothing_and_keeps_everything() {
    let mut ledger = Ledger::new(Policy { mode: Mode::Observe, ..Policy::default() });
    let change = changed(ledger.enter(trap(WHO, 100), NOW));
    assert_eq!((change.enforce, change.ban.enforced), (None, false));
    assert_eq!((ledger.intent().count(), ledger.stats().enforced, ledger.len()), (0, 0, 1));
    ledger.set_mode(Mode::Enforce);
    assert_eq!((ledger.intent().count(), ledger.stats().enforced), (1, 1));
    assert!(ledger.ban(&subject(WHO)).unwrap().enforced);
}

#[test]
fn nobody_bans_what_is_protected() {
    let nets = [
        protected("10.0.0.0/8", Protection::Allowlist),
        protected("192.0.2.1/32", Protection::Own),
        protected("192.0.2.254/32", Protection::Gateway),
        protected("2001:db8::53/128", Protection::Resolver),
        protected("198.51.100.3/32", Protection::Peer),
        protected("198.51.100.9/32", Protection::Operator),
    ];
    let mut ledger = ledger();
    assert!(ledger.protect(&nets, NOW).is_empty());
    let manual = |who: &str| Claim { force: true, ..local(who, Reasons::MANUAL, Grade::Operator, 100) };
    for who in
        ["10.1.2.3", "10.0.0.0/8", "10.3.0.0/16", "192.0.2.1", "192.0.2.254", "2001:db8::53", "198.51.100.3", "198.51.100.9"]
    {
        for claim in [manual(who), trap(who, 100), forged(who, 100), peer(who, 1, Trust::Override, 100)] {
            assert!(matches!(refused(ledger.enter(claim, NOW)), Refusal::Protected { .. }), "{who}");
        }
    }
    let words = refused(ledger.enter(manual("192.0.2.254"), NOW)).to_string();
    assert_eq!(words, "192.0.2.254/32 is never banned: it is inside 192.0.2.254/32, which is a gateway");
    assert_eq!(ledger.stats().refusals.protected, 33);
    changed(ledger.enter(manual("192.0.2.0/24"), NOW));
    let why = ledger.why("192.0.2.1".parse().unwrap());
    assert_eq!((why.bans.len(), why.protected), (1, vec![nets[1]]), "a ban around it is shown with what protects it");
}

#[test]
fn what_becomes_protected_is_lifted_and_what_stops_being_so_can_be_banned_again() {
    let mut ledger = ledger();
    for who in ["10.1.2.3", "10.1.0.0/16", "10.0.0.0/8", "11.0.0.1"] {
        let _ = ledger.enter(Claim { force: true, ..trap(who, 100) }, NOW);
    }
    let lifted = ledger.protect(&[protected("10.1.0.0/16", Protection::Allowlist)], NOW);
    let subjects: Vec<String> = lifted.iter().map(|change| change.ban.subject.to_string()).collect();
    assert_eq!(subjects, ["10.1.0.0/16", "10.1.2.3/32"], "a wider ban and others stay");
    assert!(lifted.iter().all(|change| change.kind == ChangeKind::Lifted && change.enforce_before.is_some()));
    assert!(matches!(lifted[0].cause, Cause::Protected { why: Protection::Allowlist, .. }));
    assert!(ledger.protect(&[], NOW).is_empty());
    changed(ledger.enter(trap("10.1.2.3", 100), NOW));
}

#[test]
fn wide_prefixes_need_force_and_never_come_from_a_peer() {
    let mut ledger = ledger();
    for who in ["0.0.0.0/0", "::/0"] {
        let forced = Claim { force: true, ..local(who, Reasons::MANUAL, Grade::Operator, 100) };
        assert!(matches!(refused(ledger.enter(forced, NOW)), Refusal::Everybody { .. }), "{who}");
    }
    for who in ["10.0.0.0/15", "2001::/31", "0.0.0.0/1", "8000::/1"] {
        assert!(matches!(refused(ledger.enter(trap(who, 100), NOW)), Refusal::TooWide { .. }), "{who}");
        let forced = Claim { force: true, ..peer(who, 1, Trust::Override, 100) };
        assert!(matches!(refused(ledger.enter(forced, NOW)), Refusal::WideFromPeer { .. }), "{who}");
        changed(ledger.enter(Claim { force: true, ..trap(who, 100) }, NOW));
    }
    changed(ledger.enter(peer("10.0.0.0/16", 1, Trust::Enforce, 100), NOW));
}

#[test]
fn void_claims_stay_outside() {
    let mut ledger = ledger();
    assert!(matches!(refused(ledger.enter(trap(WHO, 0), NOW)), Refusal::Expired { .. }));
    let silent = Claim { reasons: Reasons::empty(), ..trap(WHO, 9) };
    assert!(matches!(refused(ledger.enter(silent, NOW)), Refusal::NoReason { .. }));
    let forgeable = Claim { grade: Grade::Spoofable, ..peer(WHO, 1, Trust::Override, 9) };
    assert!(matches!(refused(ledger.enter(forgeable, NOW)), Refusal::SpoofableFromPeer { .. }));
    assert!(ledger.is_empty());
}

#[test]
fn forgeable_evidence_has_a_budget() {
    let mut ledger = Ledger::new(Policy { spoofable_max: 2, ..Policy::default() });
    changed(ledger.enter(forged("203.0.113.1", 10), NOW));
    changed(ledger.enter(forged("203.0.113.2", 20), NOW));
    assert_eq!(refused(ledger.enter(forged("203.0.113.3", 10), NOW)), Refusal::SpoofableBudget { spoofable_max: 2 });
    changed(ledger.enter(forged("203.0.113.1", 30), NOW));
    changed(ledger.enter(trap("203.0.113.3", 10), NOW));
    ledger.expire(at(20));
    changed(ledger.enter(forged("203.0.113.3", 30), at(20)));
    assert_eq!(ledger.stats().spoofable, 2);
}

#[test]
fn a_full_table_gives_way_to_a_proof_but_to_nothing_weaker() {
    let mut ledger = Ledger::new(Policy { bans_max: 3, ..Policy::default() });
    changed(ledger.enter(peer("203.0.113.1", 1, Trust::Enforce, 10), NOW));
    changed(ledger.enter(forged("203.0.113.2", 50), NOW));
    changed(ledger.enter(trap("203.0.113.3", 5), NOW));
    let full = Refusal::Full { class: Class::Hosts4, max: 3 };
    assert_eq!(refused(ledger.enter(forged("203.0.113.9", 100), NOW)), full);
    for (who, victim) in [("203.0.113.10", "203.0.113.2/32"), ("203.0.113.21", "203.0.113.1/32")] {
        let Entered::Changed { displaced: Some(displaced), .. } = ledger.enter(trap(who, 100), NOW) else { panic!() };
        assert_eq!((displaced.ban.subject.to_string().as_str(), displaced.cause), (victim, Cause::Displaced));
        assert_eq!(displaced.kind, ChangeKind::Lifted);
    }
    assert_eq!(refused(ledger.enter(trap("203.0.113.32", 100), NOW)), full);
    changed(ledger.enter(forged("203.0.113.10", 100), NOW));
}

#[test]
fn one_subject_keeps_the_strongest_claims_of_peers() {
    let mut ledger = ledger();
    for index in 0..u8::try_from(CLAIMS_PEER_MAX).unwrap() {
        changed(ledger.enter(peer(WHO, index, Trust::Enforce, 100 + u64::from(index)), NOW));
    }
    let claims_max = CLAIMS_PEER_MAX;
    let weaker = peer(WHO, 200, Trust::Enforce, 50);
    assert_eq!(refused(ledger.enter(weaker, NOW)), Refusal::Claims { subject: subject(WHO), claims_max });
    changed(ledger.enter(peer(WHO, 201, Trust::Enforce, 500), NOW));
    changed(ledger.enter(trap(WHO, 1), NOW));
    let origins: Vec<Origin> = ledger.claims(&subject(WHO)).into_iter().map(|(claim, _)| claim.origin).collect();
    assert!(!origins.contains(&peer_origin(0)) && origins.contains(&peer_origin(201)) && origins.contains(&Origin::Local));
    assert_eq!((origins.len(), ledger.stats().origins), (CLAIMS_PEER_MAX + 1, CLAIMS_PEER_MAX + 1), "no origin leaks");
}

#[test]
fn an_unban_lifts_what_was_said_before_it_and_exactly_that_subject() {
    let mut ledger = ledger();
    for who in [WHO, "203.0.113.0/24"] {
        changed(ledger.enter(trap(who, 100), NOW));
    }
    changed(ledger.enter(peer(WHO, 1, Trust::Enforce, 100), NOW));
    let change = ledger.lift(&subject(WHO), NOW, Whose::Everybodys, NOW).unwrap();
    assert_eq!((change.kind, change.claims.len()), (ChangeKind::Lifted, 2));
    assert_eq!(ledger.lift(&subject(WHO), NOW, Whose::Everybodys, NOW), None);
    let covering = ledger.covering(&subject(WHO));
    assert_eq!(covering[0].subject, subject("203.0.113.0/24"), "the wider ban stays");
}

#[test]
fn a_late_word_from_before_the_unban_does_not_undo_it() {
    let mut ledger = ledger();
    ledger.lift(&subject(WHO), at(10), Whose::Everybodys, at(10));
    let late = Claim { since: at(10), last: at(10), ..peer(WHO, 1, Trust::Override, 500) };
    assert_eq!(refused(ledger.enter(late, at(11))), Refusal::Lifted { subject: subject(WHO) });
    let anew = Claim { since: at(11), last: at(11), ..peer(WHO, 1, Trust::Override, 500) };
    changed(ledger.enter(anew, at(11)));
}

#[test]
fn what_was_said_again_after_an_unban_stays() {
    let mut ledger = ledger();
    changed(ledger.enter(trap(WHO, 100), NOW));
    changed(ledger.enter(Claim { since: at(20), last: at(20), ..trap(WHO, 120) }, at(20)));
    assert_eq!(ledger.lift(&subject(WHO), at(10), Whose::Everybodys, at(21)), None);
    assert_eq!(ledger.ban(&subject(WHO)).unwrap().since, at(20), "it begins after the unban");
    assert!(ledger.lift(&subject(WHO), at(20), Whose::Everybodys, at(21)).is_some());
}

#[test]
fn an_unban_may_be_held_to_one_cluster_or_to_peers() {
    let mut ledger = ledger();
    let other = Origin::Peer { cluster: "other".parse().unwrap(), node: NodeId([9; 32]) };
    let claims =
        [trap(WHO, 100), peer(WHO, 1, Trust::Observe, 100), Claim { origin: other, ..peer(WHO, 9, Trust::Enforce, 100) }];
    for claim in claims {
        changed(ledger.enter(claim, NOW));
    }
    let observed = ledger.lift(&subject(WHO), at(1), Whose::Cluster(&"mesh".parse().unwrap()), at(1)).unwrap();
    assert_eq!(observed.claims.iter().map(|claim| claim.origin.clone()).collect::<Vec<_>>(), [peer_origin(1)]);
    let peers = ledger.lift(&subject(WHO), at(1), Whose::Peers, at(1)).unwrap();
    assert_eq!((peers.claims.len(), peers.ban.origins), (1, vec!["here".to_string()]));
}

#[test]
fn expiry_works_in_batches_and_says_when_to_come_back() {
    let mut ledger = ledger();
    let count = EXPIRE_BATCH_MAX + 5;
    for index in 0..count {
        let addr = core::net::Ipv4Addr::from_bits(0x0b00_0000 + u32::try_from(index).unwrap());
        let claim = Claim { subject: Subject::host(addr.into()), ..trap(WHO, 10) };
        changed(ledger.enter(claim, NOW));
    }
    changed(ledger.enter(trap(WHO, 60), NOW));
    assert_eq!(ledger.wake_at(), Some(at(10)));
    assert!(ledger.expire(at(9)).is_empty());
    assert_eq!((ledger.expire(at(10)).len(), ledger.wake_at()), (EXPIRE_BATCH_MAX, Some(at(10))));
    assert_eq!((ledger.expire(at(10)).len(), ledger.wake_at(), ledger.len()), (5, Some(at(60)), 1));
}

#[test]
fn a_claim_that_is_over_is_not_joined_to_a_new_one() {
    let mut ledger = ledger();
    changed(ledger.enter(Claim { grade: Grade::Hostile, ..trap(WHO, 10) }, NOW));
    let anew = Claim { since: at(20), last: at(20), ..trap(WHO, 30) };
    let ban = changed(ledger.enter(anew, at(20))).ban;
    assert_eq!((ban.grade, ban.since), (Grade::Payload, at(20)));
}

#[test]
fn words_are_bounded_and_the_last_ones_win() {
    let mut ledger = ledger();
    let note = |text: &str| Claim { note: Some(text.into()), ..local(WHO, Reasons::MANUAL, Grade::Operator, 100) };
    let long = changed(ledger.enter(note(&"é".repeat(NOTE_BYTES_MAX)), NOW));
    assert_eq!(long.ban.note.unwrap().len(), NOTE_BYTES_MAX);
    assert_eq!(changed(ledger.enter(note("second"), NOW)).ban.note.unwrap(), "second");
    let silent = Claim { note: None, ..note("") };
    assert_eq!(ledger.enter(silent, NOW), Entered::Unchanged, "silence does not erase words");
    let name = Claim { origin_name: "n".repeat(500), ..trap(WHO, 100) };
    assert_eq!(changed(ledger.enter(name, NOW)).claims[0].origin_name.len(), 63);
}

#[test]
fn claims_come_out_as_they_went_in() {
    let mut ledger = ledger();
    let claim = Claim {
        score: 77,
        note: Some("why".into()),
        evidence: Some(EventId(5)),
        scope: Scope::Dark,
        force: true,
        ..trap("203.0.0.0/8", 100)
    };
    let change = changed(ledger.enter(claim.clone(), NOW));
    assert_eq!((change.claims, ledger.claims(&claim.subject)), (vec![claim.clone()], vec![(claim, true)]));
}

#[test]
fn only_what_may_travel_is_offered_to_the_mesh() {
    let mut ledger = ledger();
    for claim in [trap("203.0.113.1", 9), local("203.0.113.2", Reasons::MANUAL, Grade::Operator, 9), forged("203.0.113.3", 9)] {
        changed(ledger.enter(claim, NOW));
    }
    let _ = ledger.enter(Claim { reach: Reach::Mesh, ..forged("203.0.113.4", 9) }, NOW);
    changed(ledger.enter(peer("203.0.113.5", 1, Trust::Enforce, 9), NOW));
    assert_eq!(ledger.claimed_here().collect::<Vec<_>>(), [subject("203.0.113.1")]);
}

#[test]
fn reasons_are_counted_as_they_come_and_go() {
    let mut ledger = ledger();
    changed(ledger.enter(trap(WHO, 10), NOW));
    changed(ledger.enter(forged(WHO, 20), NOW));
    changed(ledger.enter(peer("203.0.113.8", 1, Trust::Enforce, 30), NOW));
    let counts = |ledger: &Ledger| ledger.stats().by_reason.map(|(_, count)| count);
    assert_eq!(counts(&ledger), [2, 1, 1, 0, 0]);
    ledger.expire(at(10));
    assert_eq!(counts(&ledger), [1, 1, 1, 0, 0]);
    ledger.expire(at(30));
    assert_eq!((counts(&ledger), ledger.stats().origins), ([0; 5], 0));
}
