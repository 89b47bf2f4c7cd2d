//! What is remembered of touches, and when they are a scan.

use super::*;
use alloc::{format, vec::Vec};
use honeymesh_types::{Grade, Reasons, Scope};
use proptest::prelude::*;

const NOW: WallTime = WallTime(1_767_225_600_000_000);
const HOUR: Duration = Duration::from_secs(3_600);

fn source(index: u32) -> Subject {
    Subject::host(core::net::Ipv4Addr::from_bits(index).into())
}

fn peer(index: u32) -> NodeId {
    let mut id = [0; 32];
    id[..4].copy_from_slice(&index.to_be_bytes());
    NodeId(id)
}

fn saw(index: u32, alone: bool) -> Saw {
    Saw { witness: Witness::Node(peer(index)), name: format!("n{index}"), alone, ports: 1 }
}

fn owned(index: u32, owner: &str) -> Saw {
    Saw { witness: Witness::Owner(owner.into()), ..saw(index, false) }
}

#[test]
fn one_touch_here_and_one_on_each_of_two_others_is_a_scan_and_less_is_not() {
    let policy = SlowPolicy::default();
    let judge = |own, others: &[Saw]| judge_slow(own, others, 3, 2, policy);
    let verdict = judge(1, &[saw(1, true), saw(2, true)]).unwrap();
    assert_eq!((verdict.grade, verdict.reasons, verdict.scope), (Grade::Handshake, Reasons::SCAN, Scope::All));
    assert_eq!(verdict.findings, ["slow scan: finished handshakes with 3 dark ports of 3 nodes within 24h: here 1, n1 1, n2 1"]);
    assert_eq!(judge(2, &[saw(1, true)]), None, "one other alone is no witness for three");
    assert_eq!(judge(0, &[saw(1, true), saw(2, true), saw(3, true)]), None, "whom this node never met, it does not ban");
    let long: Vec<Saw> = (0..40).map(|index| saw(index, true)).collect();
    assert!(judge(1, &long).unwrap().findings[0].ends_with("here 1, n0 1, n1 1, n2 1, n3 1, n4 1, 35 more nodes"));
    assert!(judge(1, &long).unwrap().findings[0].len() <= 200);
}

#[test]
fn nodes_of_one_owner_are_one_witness_and_few_who_only_corroborate_are_none() {
    let judge = |others: &[Saw], quorum, witnesses| {
        judge_slow(1, others, 2, quorum, SlowPolicy { witnesses, ..SlowPolicy::default() }).is_some()
    };
    assert!(!judge(&[owned(1, "acme"), owned(2, "acme")], 2, 3));
    assert!(judge(&[owned(1, "acme"), owned(2, "other")], 2, 3));
    assert!(!judge(&[owned(1, "acme"), owned(2, "other")], 3, 3), "three must agree to ban anybody");
    assert!(!judge(&[owned(1, "acme")], 2, 2), "whoever may not ban alone does not so by a lie about one of ours");
    assert!(judge(&[saw(1, true)], 2, 2), "who is trusted to ban alone could have done so");
    assert!(judge(&[saw(1, true), owned(2, "acme")], 9, 3));
}

#[test]
fn the_same_touch_is_news_again_only_after_a_while() {
    let mut own = Touches::default();
    assert!(own.note(source(1), 23, NOW, HOUR));
    assert!(!own.note(source(1), 23, NOW.plus(HOUR / 4), HOUR));
    assert!(own.note(source(1), 23, NOW.plus(HOUR / 3), HOUR));
    assert!(own.note(source(1), 24, NOW, HOUR));
    assert_eq!(own.of(source(1), NOW.plus(HOUR / 3)).collect::<Vec<_>>(), [(23, NOW.plus(HOUR / 3))]);
    own.forget(source(1));
    assert!(own.is_empty());
}

#[test]
fn at_the_bound_the_oldest_own_touch_gives_way_and_is_counted() {
    let mut own = Touches::default();
    for index in 0..=u32::try_from(TOUCHES_OWN_MAX).unwrap() {
        own.note(source(index), 23, NOW.plus(Duration::from_millis(index.into())), HOUR);
    }
    assert_eq!((own.len(), own.lost(), own.of(source(0), NOW).count()), (TOUCHES_OWN_MAX, 1, 0));
    own.note(source(9_000_000), 23, NOW.plus(HOUR * 3), HOUR);
    assert_eq!((own.len(), own.lost()), (1, 1), "what counts no more goes first, uncounted");
}

#[test]
fn a_peer_that_tells_too_much_loses_its_own_and_nobody_elses() {
    let mut told = Told::default();
    for index in 0..6_000 {
        told.learn(peer(1), source(index), 23, NOW);
    }
    assert!(told.learn(peer(2), source(1), 23, NOW));
    assert_eq!((told.len(), told.lost()), (TOUCHES_PEER_MAX + 1, 6_000 - TOUCHES_PEER_MAX as u64));
    assert_eq!(told.of(source(1), NOW).collect::<Vec<_>>(), [(peer(1), 1), (peer(2), 1)]);
    told.forget_peer(&peer(1));
    assert_eq!((told.len(), told.of(source(1), NOW).count()), (1, 1));
    told.expire(NOW.plus(HOUR));
    assert_eq!((told.len(), told.peers.len()), (0, 0));
}

#[test]
fn all_peers_together_have_a_bound() {
    let mut told = Told::default();
    let peers = u32::try_from(TOUCHES_TOLD_MAX / TOUCHES_PEER_MAX + 2).unwrap();
    for index in 0..peers {
        for about in 0..u32::try_from(TOUCHES_PEER_MAX).unwrap() {
            told.learn(peer(index), source(about), 23, NOW);
        }
    }
    assert_eq!(told.len(), TOUCHES_TOLD_MAX);
    assert!(told.lost() > 0);
    assert!(told.learn(peer(0), source(0), 23, NOW.plus(HOUR)), "what is known is still brought up to date");
}

#[test]
fn more_peers_than_a_cluster_may_have_are_not_heard() {
    let mut told = Told::default();
    let most = u32::try_from(TOUCHES_PEERS_MAX).unwrap();
    assert!((0..most).all(|index| told.learn(peer(index), source(1), 23, NOW)));
    assert!(!told.learn(peer(most), source(1), 23, NOW) && !told.knows(&peer(most)));
    assert_eq!((told.of(source(1), NOW).count(), told.lost()), (TOUCHES_PEERS_MAX, 1));
}

/// Touches as peers tell them.
fn script() -> impl Strategy<Value = Vec<(u32, u32, u16, u64)>> {
    prop::collection::vec((0_u32..4, 0_u32..3, 20_u16..23, 0_u64..7_200), 1..40)
}

proptest! {
    #[test]
    fn order_and_repetition_change_no_verdict(script in script(), seed in any::<u64>(), again in any::<prop::sample::Index>()) {
        let mut shuffled = script.clone();
        shuffled.extend_from_slice(&script[..again.index(script.len())]);
        let mut state = seed;
        for place in (1..shuffled.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            shuffled.swap(place, usize::try_from(state >> 33).unwrap() % (place + 1));
        }
        let heard = |script: &[(u32, u32, u16, u64)]| {
            let mut told = Told::default();
            for (node, about, port, secs) in script {
                told.learn(peer(*node), source(*about), *port, NOW.plus(Duration::from_secs(*secs)));
            }
            told
        };
        prop_assert_eq!(heard(&script), heard(&shuffled));
        // What was lost can only be missing: fewer touches never make a scan of what is none.
        let part = heard(&script[..script.len() / 2]);
        for about in 0..3 {
            let judge = |told: &Told| {
                let others: Vec<Saw> = told.of(source(about), NOW.plus(HOUR)).map(|(node, ports)| Saw {
                    witness: Witness::Node(node), name: "n".into(), alone: true, ports,
                }).collect();
                judge_slow(1, &others, 3, 2, SlowPolicy::default()).is_some()
            };
            prop_assert!(!judge(&part) || judge(&heard(&script)));
        }
    }
}
