//! A full table: neighbours who are all banned share an entry, are still told one by one, and are the same after a restart.

use super::{
    world::{Machine, World},
    *,
};

fn full(max: usize) -> Config {
    let mut config = config(1);
    config.policy.bans_max = max;
    config
}

/// Whom a kernel drops.
fn drops(machine: &Machine, who: &str) -> bool {
    machine.kernel.values().any(|what| what.scope == Scope::All && what.subject.contains(ip(who)))
}

#[test]
fn a_full_table_groups_neighbours_and_says_of_each_whose_entry_stands_for_it() {
    let mut bench = Bench::new(full(2));
    for who in ["203.0.113.6", ATTACKER] {
        bench.feed(Input::Visit(visit(who, b"x")));
    }
    let out = bench.feed(Input::Visit(visit("198.51.100.7", b"x")));
    let expected = [
        "enforce 203.0.113.6/31 all",
        "release 203.0.113.6/32",
        "release 203.0.113.7/32",
        "enforce 198.51.100.7/32 all",
        "keep 198.51.100.7/32 trap",
    ];
    assert_eq!(words(&out)[..5], expected);
    assert!(events(&out, EventKind::Unban).is_empty(), "no ban ended");
    let why = bench.node.why(ip(ATTACKER));
    assert_eq!((why.bans.len(), why.bans[0].group), (1, Some(subject("203.0.113.6/31"))));
    let verdict = "banned as 203.0.113.7/32 for trap (payload), scope all, by edge-1, enforced by the entry of 203.0.113.6/31";
    assert_eq!(why.verdict, verdict);
    let (out, _) = bench.order(unban_order(ATTACKER));
    assert_eq!(words(&out)[..2], ["enforce 203.0.113.6/32 all", "release 203.0.113.6/31"]);
    let gone = events(&out, EventKind::Unban);
    assert_eq!(gone.iter().map(|event| event.subject.unwrap().to_string()).collect::<Vec<_>>(), ["203.0.113.7/32"]);
}

#[test]
fn what_gives_way_when_a_group_is_taken_apart_is_told_and_comes_back() {
    let mut bench = Bench::new(full(2));
    for who in ["203.0.113.6", ATTACKER, "198.51.100.7"] {
        bench.feed(Input::Visit(visit(who, b"x")));
    }
    bench.pass(Duration::from_secs(1));
    bench.feed(Input::Visit(visit("198.51.100.9", b"x")));
    let (out, _) = bench.order(unban_order(ATTACKER));
    let expected = ["release 198.51.100.7/32", "enforce 203.0.113.6/32 all", "release 203.0.113.6/31"];
    assert_eq!(words(&out)[..3], expected, "an address goes before another comes, and that stands before the group goes");
    let gone = events(&out, EventKind::Unban);
    let how: Vec<&str> = gone.iter().map(|event| field(event, "how")).collect();
    assert_eq!(how, ["lifted by operator", "gave way: the ban table was full; it comes back when there is room"]);
    let (out, _) = bench.order(unban_order("198.51.100.9"));
    let words = words(&out);
    assert_eq!(words[..2], ["release 198.51.100.9/32", "enforce 198.51.100.7/32 all"]);
    assert!(words.contains(&"keep 198.51.100.7/32 trap".into()), "{words:?}");
}

#[test]
fn a_restart_with_a_full_table_holds_the_same_bans_and_the_same_entries() {
    let mut world = World::new(vec![full(16)]);
    let alone = (0..15).map(|index| format!("198.51.100.{}", index * 2));
    let block = (0..16).map(|last| format!("203.0.113.{}", 15 - last));
    let everybody: Vec<String> = alone.chain(block).collect();
    for who in &everybody {
        world.feed(1, Input::Visit(visit(who, b"x")));
    }
    assert!(world.one(1).node.bans().count() == 31 && world.one(1).kernel.len() < 17);
    let (before, kernel) = (world.one(1).node.bans().collect::<Vec<_>>(), world.one(1).kernel.clone());
    world.restart(1, full(16));
    world.run(Duration::from_secs(60));
    let machine = world.one(1);
    assert_eq!(machine.node.bans().collect::<Vec<_>>(), before);
    assert_eq!((machine.kernel.clone(), machine.store.claims()), (kernel, 31), "nothing is written anew, nothing forgotten");
    assert!(everybody.iter().all(|who| drops(machine, who)));
    assert!(!["203.0.113.16", "198.51.100.1"].into_iter().any(|who| drops(machine, who)), "nobody else");
}
