//! Whom a node believes, how far, and what becomes of liars.

use super::{
    world::{World, member, member_of},
    *,
};
use crate::{PeerRule, PeerWord};
use honeymesh_types::NodeId;

const CANARY: &str = "240.1.2.3";

fn settle(world: &mut World) {
    world.run(Duration::from_secs(5));
}

fn rule(node: PeerWord, trust: Option<Trust>, owner: Option<&str>) -> PeerRule {
    PeerRule { node, cluster: None, trust, owner: owner.map(|owner| owner.parse().unwrap()) }
}

fn by_name(name: &str, trust: Option<Trust>, owner: Option<&str>) -> PeerRule {
    rule(PeerWord::Name(name.parse().unwrap()), trust, owner)
}

fn id(index: u8) -> NodeId {
    Node::new(member(index, key(1), Trust::Enforce), START).clusters[0].mesh.identity()
}

fn by_key(index: u8, trust: Option<Trust>, owner: Option<&str>) -> PeerRule {
    rule(PeerWord::Key(id(index)), trust, owner)
}

/// Node 1 judges by `trust` and `rules`; the others just say things.
fn judged(count: u8, trust: Trust, rules: Vec<PeerRule>) -> World {
    let judge = Config { peers: rules, canaries: vec!["240.1.0.0/16".parse().unwrap()], ..member(1, key(1), trust) };
    World::new([judge].into_iter().chain((2..=count).map(|index| member(index, key(1), Trust::Enforce))).collect())
}

fn say(world: &mut World, index: u8, who: &str) {
    world.feed(index, Input::Visit(visit(who, b"x")));
    settle(world);
}

#[test]
fn two_owners_make_a_ban_and_two_nodes_of_one_owner_do_not() {
    let owners = vec![by_key(2, None, Some("acme")), by_key(3, None, Some("acme"))];
    let mut world = judged(4, Trust::Corroborate, owners);
    say(&mut world, 2, ATTACKER);
    say(&mut world, 3, ATTACKER);
    let why = world.one(1).node.why(ip(ATTACKER));
    assert!(why.verdict.starts_with("not dropped (1 of 2 owners say so), else banned"), "{}", why.verdict);
    let waits = why.bans[0].corroboration.unwrap();
    assert_eq!((waits.owners, waits.needed), (1, 2));
    assert!(waits.waits_until > world.now.wall);
    assert_eq!(world.one(1).node.status().ledger.uncorroborated, 1);
    say(&mut world, 4, ATTACKER);
    assert!(world.one(1).drops(ATTACKER), "another owner");
    assert_eq!(world.one(1).node.status().ledger.uncorroborated, 0);
}

#[test]
fn the_second_owner_must_speak_within_the_window() {
    let mut world = judged(3, Trust::Corroborate, Vec::new());
    say(&mut world, 2, ATTACKER);
    world.run(Duration::from_mins(10));
    say(&mut world, 3, ATTACKER);
    assert!(!world.one(1).drops(ATTACKER), "ten minutes and five seconds");
    say(&mut world, 2, "203.0.113.8");
    world.run(Duration::from_mins(9));
    say(&mut world, 3, "203.0.113.8");
    assert!(world.one(1).drops("203.0.113.8"));
}

#[test]
fn a_peers_own_trust_takes_the_place_of_the_clusters() {
    let rules = vec![by_key(2, Some(Trust::Enforce), None), by_key(3, Some(Trust::Observe), None)];
    let mut world = judged(4, Trust::Corroborate, rules);
    say(&mut world, 3, "203.0.113.3");
    say(&mut world, 4, "203.0.113.3");
    assert!(!world.one(1).drops("203.0.113.3"), "an observed peer has no vote");
    say(&mut world, 2, "203.0.113.2");
    assert!(world.one(1).drops("203.0.113.2"));
}

#[test]
fn a_name_may_cost_trust_but_earns_none() {
    let rules = vec![by_name("edge-2", Some(Trust::Override), None), by_name("edge-3", Some(Trust::Observe), None)];
    let mut world = judged(3, Trust::Corroborate, rules);
    say(&mut world, 2, ATTACKER);
    assert!(!world.one(1).drops(ATTACKER), "anybody may call itself edge-2");
    say(&mut world, 3, ATTACKER);
    assert!(!world.one(1).drops(ATTACKER), "edge-3 is only observed");
}

#[test]
fn an_unban_on_this_node_holds_against_what_peers_go_on_saying_and_over_a_restart() {
    let policy = Policy { ttl: Ttls::all(Duration::from_hours(2)), ..Policy::default() };
    let patient = |index, trust| Config { policy, ..member(index, key(1), trust) };
    let mut world = World::new(vec![patient(1, Trust::Enforce), patient(2, Trust::Enforce), patient(3, Trust::Override)]);
    let order =
        Order::Ban { subject: subject(ATTACKER), lifetime: Lifetime::Forever, note: None, reach: Reach::Mesh, force: false };
    world.order(2, order).unwrap();
    settle(&mut world);
    for index in [1, 3] {
        world.order(index, Order::Unban { subject: subject(ATTACKER), reach: Reach::Here, wait: None }).unwrap();
        assert!(!world.one(index).drops(ATTACKER));
    }
    world.run(Duration::from_mins(10));
    let mut again = patient(1, Trust::Enforce);
    again.clusters[0].mesh.boot_salt += world.now.mono.0;
    world.restart(1, again);
    world.run(Duration::from_mins(85));
    assert!(world.one(2).drops(ATTACKER) && !world.one(1).drops(ATTACKER), "said again, and refused here");
    assert!(world.one(3).drops(ATTACKER), "who may override, does");
    world.order(1, ban_order(ATTACKER)).unwrap();
    assert!(world.one(1).drops(ATTACKER), "and the operator may change his mind");
}

#[test]
fn who_bans_a_canary_is_believed_no_more_until_pardoned() {
    let mut world = judged(3, Trust::Enforce, Vec::new());
    say(&mut world, 2, "203.0.113.2");
    say(&mut world, 3, "203.0.113.23");
    say(&mut world, 2, "203.0.113.23");
    assert!(world.one(1).drops("203.0.113.2") && world.one(1).drops("203.0.113.23"));
    say(&mut world, 2, CANARY);
    let judge = world.one(1);
    assert!(!judge.drops(CANARY) && !judge.drops("203.0.113.2"), "what only the liar said is withdrawn");
    assert!(judge.drops("203.0.113.23"), "what others said too stays");
    assert!(world.one(3).drops(CANARY), "a node without that canary knows nothing of it");

    let liars: Vec<_> = judge.node.quarantined().cloned().collect();
    assert_eq!((liars.len(), liars[0].name.as_str(), liars[0].node, liars[0].subject), (1, "edge-2", id(2), subject(CANARY)));
    let proof = honeymesh_mesh_proto::verify_record(&liars[0].raw).unwrap();
    assert_eq!((proof.origin, proof.subject), (id(2), subject(CANARY)));
    let told = judge.told(EventKind::Mesh).into_iter().find(|event| field(event, "change") == "quarantined").unwrap();
    assert_eq!((field(told, "member"), field(told, "bans")), ("edge-2", "1"));
    assert_eq!((judge.node.status().quarantined, judge.node.status().counters.canaries_banned), (1, 1));

    say(&mut world, 2, "203.0.113.22");
    assert!(!world.one(1).drops("203.0.113.22") && world.one(3).drops("203.0.113.22"), "nor is what comes later");
    assert!(world.order(1, Order::Pardon("edge-3".into())).unwrap_err().to_string().contains("not quarantined"));
    let done = world.order(1, Order::Pardon("edge-2".into())).unwrap();
    assert!(done.to_string().ends_with("is believed again; 2 of its bans are enforced again"), "{done}");
    assert!(world.one(1).drops("203.0.113.2") && world.one(1).drops("203.0.113.22"));
    assert!(!world.one(1).drops(CANARY), "a canary is never banned on a peer's word");
}

#[test]
fn quarantine_and_pardon_survive_a_restart() {
    let mut world = judged(3, Trust::Enforce, Vec::new());
    say(&mut world, 2, "203.0.113.2");
    say(&mut world, 2, CANARY);
    let again = |world: &World| {
        let mut config = member(1, key(1), Trust::Enforce);
        config.canaries = vec!["240.1.0.0/16".parse().unwrap()];
        config.clusters[0].mesh.boot_salt += world.now.mono.0;
        config
    };
    let config = again(&world);
    world.restart(1, config);
    assert_eq!((world.one(1).node.quarantined().count(), world.one(1).drops("203.0.113.2")), (1, false));
    world.order(1, Order::Pardon(id(2).to_string())).unwrap();
    world.run(Duration::from_secs(30));
    let config = again(&world);
    world.restart(1, config);
    world.run(Duration::from_secs(30));
    assert_eq!((world.one(1).node.quarantined().count(), world.one(1).drops("203.0.113.2")), (0, true));
}

#[test]
fn a_liar_takes_his_corroboration_and_his_unbans_with_him() {
    let mut world = judged(4, Trust::Corroborate, Vec::new());
    say(&mut world, 2, ATTACKER);
    say(&mut world, 3, ATTACKER);
    assert!(world.one(1).drops(ATTACKER));
    say(&mut world, 4, "203.0.113.4");
    say(&mut world, 3, "203.0.113.4");
    say(&mut world, 2, CANARY);
    assert!(!world.one(1).drops(ATTACKER) && world.one(1).drops("203.0.113.4"));
    world.order(2, unban_order("203.0.113.4")).unwrap();
    settle(&mut world);
    assert!(world.one(1).drops("203.0.113.4"), "he may take back only his own word");
}

#[test]
fn a_wider_ban_around_a_canary_is_no_lie() {
    let mut world = judged(2, Trust::Enforce, Vec::new());
    let mut wide = |net: &str| {
        world.order(2, ban_order(net)).unwrap();
        settle(&mut world);
        world.one(1).node.quarantined().count()
    };
    assert_eq!((wide("203.0.0.0/16"), wide("240.1.0.0/16")), (0, 1), "only what lies inside");
}

#[test]
fn canaries_never_leave_the_node() {
    let mut world = judged(2, Trust::Enforce, Vec::new());
    let before = world.one(1).node.status().counters.published;
    say(&mut world, 1, CANARY);
    world.order(1, ban_order("240.1.2.4")).unwrap();
    world.order(1, unban_order("240.1.2.5")).unwrap();
    settle(&mut world);
    assert_eq!(world.one(1).node.status().counters.published, before);
    assert!(world.one(1).drops(CANARY) && !world.one(2).drops(CANARY), "what it saw itself it bans itself");
}

#[test]
fn a_global_ban_and_unban_go_to_every_cluster_that_was_joined() {
    let mut world = World::new(vec![member_of(1, &[('a', 1), ('b', 1)]), member_of(2, &[('a', 1)]), member_of(3, &[('b', 1)])]);
    let done = world.order(1, ban_order(ATTACKER)).unwrap();
    assert_eq!(done.to_string(), "203.0.113.7/32 is banned; said to a, b");
    settle(&mut world);
    assert!((1..=3).all(|index| world.one(index).drops(ATTACKER)));
    world.order(1, unban_order(ATTACKER)).unwrap();
    settle(&mut world);
    assert!((1..=3).all(|index| !world.one(index).drops(ATTACKER)));
}

#[test]
fn without_a_bridge_nothing_crosses() {
    let mut world = World::new(vec![member_of(1, &[('a', 1), ('b', 1)]), member_of(2, &[('a', 1)]), member_of(3, &[('b', 1)])]);
    say(&mut world, 2, ATTACKER);
    world.order(2, ban_order("203.0.113.9")).unwrap();
    world.run(Duration::from_mins(2));
    assert!(world.one(1).drops(ATTACKER) && world.one(1).drops("203.0.113.9"), "the node in both believes it");
    assert_eq!((world.one(3).node.bans().count(), world.one(3).node.status().counters.records), (0, 0));
}
