//! A few nodes that know each other.

use super::{
    world::{World, member},
    *,
};

fn settle(world: &mut World) {
    world.run(Duration::from_secs(5));
}

#[test]
fn a_ban_reaches_nodes_the_attacker_never_touched_and_an_unban_frees_it_everywhere() {
    let mut world = World::friends(3);
    world.feed(1, Input::Visit(Visit { signs: Signs::CREDENTIALS, ..visit(ATTACKER, b"root:root") }));
    settle(&mut world);
    for index in 1..=3 {
        assert!(world.one(index).drops(ATTACKER), "node {index}");
    }
    let ban = world.one(2).node.ban(&subject(ATTACKER)).unwrap();
    assert_eq!((ban.reasons, ban.grade, ban.origins), (Reasons::TRAP | Reasons::MESH, Grade::Hostile, vec!["edge-1".into()]));
    let event = world.one(3).told(EventKind::Ban)[0];
    assert_eq!((field(event, "by"), field(event, "cluster"), field(event, "origin").len()), ("edge-1", "primary", 64));
    let why = world.one(3).node.why(ip(ATTACKER));
    assert_eq!((why.bans[0].records.len(), why.bans[0].records[0].record.origin_name.as_str()), (1, "edge-1"));

    let done = world.order(2, unban_order(ATTACKER)).unwrap();
    assert_eq!(done.to_string(), "203.0.113.7/32 is not banned any more; said to primary");
    settle(&mut world);
    for index in 1..=3 {
        assert!(!world.one(index).drops(ATTACKER) && world.one(index).node.bans().count() == 0, "node {index}");
    }
    let event = world.one(1).told(EventKind::Unban)[0];
    assert_eq!((field(event, "by"), field(event, "how")), ("edge-2", "lifted by edge-2"));
    assert_eq!(world.one(1).node.why(ip(ATTACKER)).verdict, "not banned: the ban of 203.0.113.7/32 ended (lifted by edge-2)");
    assert!(!world.one(1).node.why(ip(ATTACKER)).records.is_empty(), "the unban is shown with its signature");
}

#[test]
fn an_unban_that_waits_is_answered_with_who_has_it_and_who_has_not_said_so() {
    let mut world = World::friends(4);
    world.feed(1, Input::Visit(visit(ATTACKER, b"x")));
    settle(&mut world);
    let unban =
        |seconds| Order::Unban { subject: subject(ATTACKER), reach: Reach::Mesh, wait: Some(Duration::from_secs(seconds)) };
    let waits = world.feed(2, Input::Order { id: OrderId(7), order: unban(30) });
    assert!(!waits.iter().any(|output| matches!(output, Output::Reply { .. })), "{waits:?}");
    assert!(!world.one(2).drops(ATTACKER), "it is lifted here all the same");
    world.run(Duration::from_millis(300));
    let said = |world: &World, order| match world.one(2).replies.iter().find(|(id, _)| *id == OrderId(order)) {
        Some((_, Ok(Done::Unbanned { confirmed, unconfirmed, .. }))) => Some((confirmed.join(" "), unconfirmed.join(" "))),
        _ => None,
    };
    assert_eq!(said(&world, 7), Some(("edge-2 edge-1 edge-3 edge-4".into(), String::new())), "long before the time is over");

    world.cut = vec![3];
    world.feed(2, Input::Order { id: OrderId(8), order: unban(2) });
    world.run(Duration::from_millis(1_900));
    assert_eq!(said(&world, 8), None);
    world.run(Duration::from_millis(200));
    assert_eq!(said(&world, 8), Some(("edge-2 edge-1 edge-4".into(), "edge-3".into())));
}

#[test]
fn an_unban_wins_over_a_ban_that_was_said_before_and_arrives_after() {
    let mut world = World::friends(3);
    world.cut = vec![1];
    world.feed(1, Input::Visit(visit(ATTACKER, b"x")));
    settle(&mut world);
    assert!(!world.one(2).drops(ATTACKER));
    let done = world.order(2, unban_order(ATTACKER)).unwrap();
    assert_eq!(done.to_string(), "203.0.113.7/32 was not banned here; said to primary");
    settle(&mut world);
    world.cut.clear();
    world.run(Duration::from_secs(60));
    for index in 1..=3 {
        assert!(!world.one(index).drops(ATTACKER), "node {index}");
    }
}

#[test]
fn an_unban_by_a_slow_clock_lifts_what_it_answers() {
    for micros in [0, 1, 500, 999] {
        let mut world = World::friends(2);
        world.machines[1].behind = Duration::from_secs(20);
        world.run(Duration::from_micros(micros));
        world.feed(1, Input::Visit(visit(ATTACKER, b"x")));
        settle(&mut world);
        assert!(world.one(2).drops(ATTACKER));
        world.order(2, unban_order(ATTACKER)).unwrap();
        settle(&mut world);
        assert!(!world.one(1).drops(ATTACKER) && !world.one(2).drops(ATTACKER), "{micros} us into the millisecond");
    }
}

#[test]
fn new_evidence_after_an_unban_bans_again_everywhere() {
    let mut world = World::friends(3);
    world.feed(1, Input::Visit(visit(ATTACKER, b"x")));
    settle(&mut world);
    world.order(3, unban_order(ATTACKER)).unwrap();
    settle(&mut world);
    world.feed(1, Input::Visit(visit(ATTACKER, b"x")));
    settle(&mut world);
    assert!((1..=3).all(|index| world.one(index).drops(ATTACKER)));
}

#[test]
fn a_wrong_key_learns_nothing_and_says_nothing() {
    let stranger = member(3, key(2), Trust::Override);
    let mut world = World::new(vec![member(1, key(1), Trust::Enforce), member(2, key(1), Trust::Enforce), stranger]);
    world.feed(1, Input::Visit(visit(ATTACKER, b"x")));
    world.feed(3, Input::Visit(visit("203.0.113.33", b"x")));
    world.run(Duration::from_secs(30));
    assert!(world.one(2).drops(ATTACKER) && !world.one(3).drops(ATTACKER));
    assert!(!world.one(1).drops("203.0.113.33") && !world.one(2).drops("203.0.113.33"));
    assert_eq!(world.one(3).node.status().clusters[0].1, 0, "it meets nobody");
    assert!(world.one(1).node.peers()[0].stats.refused.total() > 0);
}

#[test]
fn a_forged_scan_never_leaves_the_node() {
    let mut world = World::friends(2);
    let before = world.one(1).node.status().counters.published;
    world.feed(1, scan(ATTACKER, true));
    world.feed(1, Input::Visit(Visit { transport: Transport::Udp, ..visit(ATTACKER, b"x") }));
    world.run(Duration::from_secs(30));
    assert!(world.one(1).drops(ATTACKER) && !world.one(2).drops(ATTACKER));
    assert_eq!((world.one(1).node.status().counters.published, world.one(2).node.status().counters.records), (before, 0));
}

#[test]
fn an_observing_node_says_nothing_but_hears() {
    let observer = Config { policy: Policy { mode: Mode::Observe, ..Policy::default() }, ..member(1, key(1), Trust::Enforce) };
    let mut world = World::new(vec![observer, member(2, key(1), Trust::Enforce)]);
    world.feed(1, Input::Visit(visit(ATTACKER, b"x")));
    world.order(1, ban_order("203.0.113.8")).unwrap();
    world.feed(2, Input::Visit(visit("203.0.113.9", b"x")));
    world.run(Duration::from_secs(30));
    assert!(world.one(1).kernel.is_empty() && !world.one(2).drops(ATTACKER) && !world.one(2).drops("203.0.113.8"));
    assert!(!world.one(1).node.ban(&subject("203.0.113.9")).unwrap().enforced);
    let done = world.order(1, unban_order("203.0.113.9")).unwrap();
    assert!(done.to_string().ends_with("said to primary"), "an unban helps, so it travels even then");
    settle(&mut world);
    assert!(!world.one(2).drops("203.0.113.9"));
}

#[test]
fn trust_decides_what_the_cluster_may_do_here() {
    let trusts = [Trust::Enforce, Trust::Enforce, Trust::Observe, Trust::Corroborate];
    let mut world = World::new((1..=4).zip(trusts).map(|(index, trust)| member(index, key(1), trust)).collect());
    world.feed(1, Input::Visit(visit(ATTACKER, b"x")));
    settle(&mut world);
    assert!(world.one(2).drops(ATTACKER) && !world.one(3).drops(ATTACKER) && !world.one(4).drops(ATTACKER));
    assert!(world.one(4).node.why(ip(ATTACKER)).verdict.starts_with("not dropped (1 of 2 owners say so)"));
    world.feed(2, Input::Visit(visit(ATTACKER, b"x")));
    settle(&mut world);
    assert!(!world.one(3).drops(ATTACKER) && world.one(4).drops(ATTACKER), "two nodes agree");
    assert!(!world.one(3).node.ban(&subject(ATTACKER)).unwrap().enforced);
}

#[test]
fn an_observed_clusters_unban_lifts_only_what_that_cluster_said() {
    let mut world = World::new(vec![member(1, key(1), Trust::Observe), member(2, key(1), Trust::Enforce)]);
    world.feed(1, Input::Visit(visit(ATTACKER, b"x")));
    world.feed(2, Input::Visit(visit(ATTACKER, b"x")));
    settle(&mut world);
    world.order(2, unban_order(ATTACKER)).unwrap();
    settle(&mut world);
    assert!(world.one(1).drops(ATTACKER) && !world.one(2).drops(ATTACKER));
    assert_eq!(world.one(1).node.why(ip(ATTACKER)).bans[0].claims.len(), 1);
}

#[test]
fn a_chatty_attacker_does_not_flood_the_mesh() {
    let mut world = hourly();
    for _ in 0..50 {
        world.feed(1, Input::Visit(visit(ATTACKER, b"x")));
        world.run(Duration::from_secs(1));
    }
    assert_eq!(world.one(1).node.status().counters.published, 1);
    world.feed(1, Input::Visit(visit(ATTACKER, b"cat /etc/passwd")));
    world.run(Duration::from_secs(1));
    assert_eq!(world.one(1).node.status().counters.published, 2, "a higher grade is news");
    world.run(Duration::from_mins(8));
    world.feed(1, Input::Visit(visit(ATTACKER, b"x")));
    assert_eq!(world.one(1).node.status().counters.published, 3, "so is a much later end");
}

#[test]
fn a_poisoned_record_is_refused_and_told() {
    let mut world = World::friends(2);
    world.feed(1, Input::Network(facts()));
    for who in ["192.0.2.1", "192.0.2.10", "198.51.100.99"] {
        world.order(2, ban_order(who)).unwrap();
    }
    settle(&mut world);
    assert!(world.one(1).kernel.is_empty() && world.one(1).node.bans().count() == 0);
    let told: Vec<&str> = world.one(1).told(EventKind::Mesh).iter().map(|event| field(event, "refused")).collect();
    assert!(told.len() == 3 && told.iter().all(|why| why.contains("never banned")), "{told:?}");
    assert_eq!(world.one(1).node.status().counters.records_refused, 3);
}

#[test]
fn peers_are_never_banned() {
    let mut world = World::friends(3);
    let error = world.order(1, ban_order("198.18.0.3")).unwrap_err().to_string();
    assert!(error.contains("a mesh peer"), "{error}");
    world.feed(1, Input::Visit(visit("198.18.0.2", b"x")));
    settle(&mut world);
    assert!((1..=3).all(|index| world.one(index).kernel.is_empty()));
}

#[test]
fn a_peer_that_is_gone_stays_protected_for_a_while() {
    let mut world = World::friends(3);
    world.cut = vec![3];
    world.run(Duration::from_secs(60));
    assert!(world.order(1, ban_order("198.18.0.3")).is_err(), "a split must be able to heal");
    world.run(crate::PEER_GRACE + Duration::from_mins(1));
    world
        .order(
            1,
            Order::Ban {
                subject: subject("198.18.0.3"),
                lifetime: Lifetime::Default,
                note: None,
                reach: Reach::Here,
                force: false,
            },
        )
        .unwrap();
}

/// Two nodes that take a peer's word for an hour.
fn hourly() -> World {
    let policy = Policy { ttl: Ttls::all(Duration::from_hours(1)), ..Policy::default() };
    World::new((1..=2).map(|index| Config { policy, ..member(index, key(1), Trust::Enforce) }).collect())
}

#[test]
fn a_ban_for_ever_is_said_again_before_its_lease_ends() {
    let mut world = hourly();
    let order =
        Order::Ban { subject: subject(ATTACKER), lifetime: Lifetime::Forever, note: None, reach: Reach::Mesh, force: false };
    world.order(1, order).unwrap();
    for _ in 0..5 {
        world.run(Duration::from_mins(28));
        assert!(world.one(2).drops(ATTACKER), "no gap at {:?}", world.now.mono);
    }
    assert_eq!(world.one(1).node.ban(&subject(ATTACKER)).unwrap().until, None);
    let published = world.one(1).node.status().counters.published;
    assert!((4..=5).contains(&published), "{published}");
    world.order(1, unban_order(ATTACKER)).unwrap();
    world.run(Duration::from_hours(1));
    assert!(!world.one(1).drops(ATTACKER) && !world.one(2).drops(ATTACKER), "and not said again");
}

#[test]
fn a_local_ban_stays_here_whatever_comes_later() {
    let mut world = World::friends(2);
    let order = Order::Ban {
        subject: subject(ATTACKER),
        lifetime: Lifetime::Forever,
        note: Some("mine".into()),
        reach: Reach::Here,
        force: false,
    };
    let done = world.order(1, order).unwrap();
    assert_eq!(done.to_string(), "203.0.113.7/32 is banned for ever; on this node only");
    settle(&mut world);
    assert!(world.one(1).drops(ATTACKER) && !world.one(2).drops(ATTACKER));
    world.feed(1, Input::Visit(visit(ATTACKER, b"x")));
    settle(&mut world);
    let ban = world.one(2).node.ban(&subject(ATTACKER)).unwrap();
    assert_eq!((ban.reasons, ban.note), (Reasons::TRAP | Reasons::MESH, None), "only the evidence travels");
}

#[test]
fn a_forced_wide_ban_is_not_offered_to_peers() {
    let mut world = World::friends(2);
    let order =
        Order::Ban { subject: subject("203.0.0.0/8"), lifetime: Lifetime::Default, note: None, reach: Reach::Mesh, force: true };
    assert!(world.order(1, order).unwrap().to_string().ends_with("on this node only"));
    assert!(world.order(1, unban_order("203.0.0.0/8")).unwrap().to_string().ends_with("on this node only"));
    assert_eq!(world.one(1).node.status().counters.published, 0);
}

#[test]
fn a_local_unban_stays_here_and_is_not_undone_by_what_peers_said_before() {
    let mut world = World::friends(2);
    world.feed(2, Input::Visit(visit(ATTACKER, b"x")));
    settle(&mut world);
    world.order(1, Order::Unban { subject: subject(ATTACKER), reach: Reach::Here, wait: None }).unwrap();
    world.run(Duration::from_secs(60));
    assert!(!world.one(1).drops(ATTACKER) && world.one(2).drops(ATTACKER));
}

#[test]
fn members_that_come_and_go_are_told() {
    let mut world = World::friends(2);
    assert_eq!(world.one(1).node.status().clusters[0].1, 1);
    world.cut = vec![2];
    world.run(Duration::from_secs(60));
    let change = |event: &&Event| field(event, "change").to_string();
    let told: Vec<String> = world.one(1).told(EventKind::Mesh).iter().map(change).collect();
    assert_eq!(told, ["down"]);
}

#[test]
fn a_split_heals_with_the_bans_of_both_sides() {
    let mut world = World::friends(4);
    world.cut = vec![4];
    world.run(Duration::from_secs(30));
    world.feed(1, Input::Visit(visit(ATTACKER, b"x")));
    world.feed(4, Input::Visit(visit("203.0.113.44", b"x")));
    settle(&mut world);
    world.cut.clear();
    world.run(Duration::from_secs(60));
    for index in 1..=4 {
        assert!(world.one(index).drops(ATTACKER) && world.one(index).drops("203.0.113.44"), "node {index}");
    }
}
