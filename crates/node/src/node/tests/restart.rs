//! The same state after a restart.

use super::{
    world::{Machine, Store, World, member},
    *,
};

fn settle(world: &mut World) {
    world.run(Duration::from_secs(5));
}

fn reboot(world: &mut World, index: u8) {
    let mut config = member(index, key(1), Trust::Enforce);
    config.clusters[0].mesh.boot_salt += world.now.mono.0;
    world.restart(index, config);
}

#[test]
fn bans_of_this_node_and_of_peers_survive() {
    let mut world = World::friends(3);
    world.feed(1, Input::Visit(visit(ATTACKER, b"x")));
    world.feed(2, Input::Visit(visit("203.0.113.8", b"x")));
    world.feed(2, scan("203.0.113.9", true));
    let order = Order::Ban {
        subject: subject("203.0.113.10"),
        lifetime: Lifetime::Forever,
        note: Some("n".into()),
        reach: Reach::Mesh,
        force: false,
    };
    world.order(2, order).unwrap();
    settle(&mut world);
    let (before, intent): (Vec<_>, Vec<_>) = (world.one(2).node.bans().collect(), world.one(2).node.intent());
    world.cut = vec![2];
    reboot(&mut world, 2);
    assert_eq!(world.one(2).node.bans().collect::<Vec<_>>(), before);
    assert_eq!(world.one(2).node.intent(), intent);
    assert_eq!(world.one(2).kernel.len(), 4);
    assert_eq!(world.one(2).node.status().counters.not_restored, 0);
}

#[test]
fn a_restart_says_nothing_anew_and_peers_see_no_difference() {
    let mut world = World::friends(2);
    world.feed(1, Input::Visit(visit(ATTACKER, b"x")));
    world.order(1, ban_order("203.0.113.10")).unwrap();
    settle(&mut world);
    reboot(&mut world, 1);
    world.run(Duration::from_secs(30));
    assert_eq!(world.one(1).node.status().counters.published, 0);
    assert_eq!(world.one(1).node.peers()[0].fingerprint, world.one(2).node.peers()[0].fingerprint);
}

#[test]
fn what_was_lifted_does_not_come_back() {
    for by in 1..=2 {
        let mut world = World::friends(3);
        for index in 1..=3 {
            world.feed(index, Input::Visit(visit(ATTACKER, b"x")));
        }
        settle(&mut world);
        world.order(by, unban_order(ATTACKER)).unwrap();
        settle(&mut world);
        for index in 1..=3 {
            reboot(&mut world, index);
            world.run(Duration::from_secs(30));
        }
        for index in 1..=3 {
            assert_eq!(world.one(index).node.bans().count(), 0, "node {index} after an unban on {by}");
        }
    }
}

#[test]
fn what_was_lifted_here_only_does_not_come_back() {
    let mut world = World::friends(2);
    world.feed(2, Input::Visit(visit(ATTACKER, b"x")));
    settle(&mut world);
    world.order(1, Order::Unban { subject: subject(ATTACKER), reach: Reach::Here, wait: None }).unwrap();
    reboot(&mut world, 1);
    world.run(Duration::from_secs(60));
    assert!(!world.one(1).drops(ATTACKER) && world.one(2).drops(ATTACKER));
}

#[test]
fn an_unban_holds_even_if_the_store_lost_the_last_thing_it_was_told() {
    let mut world = World::friends(2);
    world.feed(1, Input::Visit(visit(ATTACKER, b"x")));
    settle(&mut world);
    let claim = world.one(1).node.why(ip(ATTACKER)).bans[0].claims[0].0.clone();
    world.order(2, unban_order(ATTACKER)).unwrap();
    settle(&mut world);
    world.machines[0].store.keep(Keep::Claim(claim));
    reboot(&mut world, 1);
    assert!(!world.one(1).drops(ATTACKER) && world.one(1).store.claims() == 0);
}

#[test]
fn an_unsaid_ban_is_said_after_the_restart() {
    let mut world = World::friends(2);
    world.cut = vec![1];
    world.feed(1, Input::Visit(visit(ATTACKER, b"x")));
    let mut only_claims = Store::default();
    let claims = world.one(1).store.all().into_iter().filter(|keep| matches!(keep, Keep::Claim(_)));
    claims.for_each(|keep| only_claims.keep(keep));
    world.machines[0].store = only_claims;
    reboot(&mut world, 1);
    world.cut.clear();
    world.run(Duration::from_secs(60));
    assert!(world.one(2).drops(ATTACKER));
}

#[test]
fn a_ban_that_peers_handed_back_after_the_store_was_lost_survives_the_next_restart() {
    let mut world = World::friends(2);
    world.feed(1, Input::Visit(visit(ATTACKER, b"x")));
    settle(&mut world);
    world.machines[0].store = Store::default();
    reboot(&mut world, 1);
    world.run(Duration::from_secs(30));
    assert!(world.one(1).drops(ATTACKER), "handed back");
    world.cut = vec![1];
    reboot(&mut world, 1);
    assert!(world.one(1).drops(ATTACKER), "and kept");
}

#[test]
fn what_ended_while_the_node_was_down_stays_out_and_is_forgotten() {
    let mut store = Store::default();
    let mut bench = Bench::new(config(1));
    for output in bench.feed(scan(ATTACKER, true)).into_iter().chain(bench.feed(Input::Visit(visit("203.0.113.8", b"x")))) {
        if let Output::Keep(keep) = output {
            store.keep(keep);
        }
    }
    let (machine, out) = Machine::new(config(1), store, later(START, Ttls::SPOOFABLE_DEFAULT));
    assert!(machine.node.ban(&subject(ATTACKER)).is_none() && machine.node.ban(&subject("203.0.113.8")).is_some());
    assert!(words(&out).contains(&"forget 203.0.113.7/32 scan".to_string()));
    assert_eq!(machine.node.status().counters.not_restored, 1);
}

#[test]
fn mode_and_allowlist_survive_until_the_configuration_changes() {
    let mut bench = Bench::new(config(1));
    let mut store = Store::default();
    let orders = [Order::SetMode(Mode::Observe), Order::AllowAdd("203.0.113.0/24".parse().unwrap())];
    for order in orders {
        for output in bench.order(order).0 {
            if let Output::Keep(keep) = output {
                store.keep(keep);
            }
        }
    }
    let (machine, out) = Machine::new(config(1), store.clone(), START);
    assert_eq!((machine.node.mode(), machine.node.allow().len()), (Mode::Observe, 1));
    assert!(words(&out).contains(&"enforcing false".to_string()) && words(&out).contains(&"tell audit".to_string()));
    let mut changed = config(1);
    changed.policy.mode = Mode::Enforce;
    let (machine, _) = Machine::new(changed.clone(), store.clone(), START);
    assert_eq!(machine.node.mode(), Mode::Observe, "the file says what it said then");
    changed.policy.mode = Mode::Observe;
    let (machine, _) = Machine::new(changed, store, START);
    assert_eq!(machine.node.mode(), Mode::Observe);
}

#[test]
fn a_mode_in_a_changed_file_wins_over_the_operators() {
    let kept = Keep::Mode { mode: Mode::Enforce, configured: Mode::Enforce };
    let mut node = Node::new(Config { policy: Policy { mode: Mode::Observe, ..Policy::default() }, ..config(1) }, START);
    node.restore(vec![kept], START, &mut Vec::new());
    assert_eq!(node.mode(), Mode::Observe);
}

#[test]
fn damaged_records_are_counted_and_harmless() {
    let mut world = World::friends(2);
    world.feed(2, Input::Visit(visit(ATTACKER, b"x")));
    settle(&mut world);
    let damage = |keep: Keep| match keep {
        Keep::Record { cluster, subject, id, raw, expires } => {
            let mut raw = raw.to_vec();
            raw[10] ^= 1;
            Keep::Record { cluster, subject, id, raw: raw.into(), expires }
        }
        other => other,
    };
    let kept: Vec<Keep> = world.one(1).store.all().into_iter().map(damage).collect();
    let elsewhere = Keep::Record {
        cluster: "gone".parse().unwrap(),
        subject: subject(ATTACKER),
        id: [0; 32],
        raw: vec![1].into(),
        expires: WallTime::MAX,
    };
    let mut node = Node::new(member(1, key(1), Trust::Enforce), world.now);
    node.restore(kept.into_iter().chain([elsewhere]).collect(), world.now, &mut Vec::new());
    assert_eq!((node.bans().count(), node.status().counters.not_restored), (0, 2));
}

#[test]
fn what_makes_a_ban_stronger_is_kept_without_delay_and_what_repeats_it_may_wait() {
    let mut bench = Bench::new(config(1));
    let kept = |out: &[Output]| {
        let words = words(out).into_iter().filter(|word| word.starts_with("keep ") || word.starts_with("again "));
        words.map(|word| word.split(' ').next().unwrap().to_string()).collect::<Vec<_>>()
    };
    // Connected, and again a moment later; then it spoke, and then it attacked.
    assert_eq!(kept(&bench.feed(Input::Visit(visit(ATTACKER, b"")))), ["keep"]);
    bench.pass(Duration::from_secs(1));
    assert_eq!(kept(&bench.feed(Input::Visit(visit(ATTACKER, b"")))), ["again"]);
    assert_eq!(kept(&bench.feed(Input::Visit(visit(ATTACKER, b"x")))), ["keep"], "a higher grade");
    let attack = Visit { signs: Signs::all(), ..visit(ATTACKER, b"x") };
    assert_eq!(kept(&bench.feed(Input::Visit(attack.clone()))), ["keep"], "a higher grade");
    assert_eq!(kept(&bench.feed(Input::Visit(attack.clone()))), ["again"]);
    // It would end so much later that a crash must not undo it.
    bench.pass(Duration::from_secs(23 * 3_600));
    assert_eq!(kept(&bench.feed(Input::Visit(attack))), ["keep"]);
    // A person's word, though it says what was said before.
    for _ in 0..2 {
        bench.pass(Duration::from_secs(1));
        assert_eq!(kept(&bench.order(ban_order(ATTACKER)).0), ["keep"]);
    }
}
