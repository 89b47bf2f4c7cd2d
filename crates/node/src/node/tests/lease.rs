//! A ban in the mesh is a lease: said again for as long as its issuer lives and means it.

use super::{
    world::{World, member},
    *,
};

const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

/// Nodes that take each other's word for a week, the longest there is.
fn weekly(count: u8) -> World {
    World::new((1..=count).map(patient).collect())
}

fn patient(index: u8) -> Config {
    let mut policy = Policy::default();
    policy.ttl.mesh = 7 * DAY;
    Config { policy, ..member(index, key(1), Trust::Enforce) }
}

fn for_ever(who: &str) -> Order {
    Order::Ban { subject: subject(who), lifetime: Lifetime::Forever, note: None, reach: Reach::Mesh, force: false }
}

fn published(world: &World) -> u64 {
    world.one(1).node.status().counters.published
}

fn reboot(world: &mut World, index: u8) {
    let mut config = patient(index);
    config.clusters[0].mesh.boot_salt += world.now.mono.0;
    world.restart(index, config);
}

#[test]
fn beyond_the_longest_lease_a_ban_for_ever_holds_everywhere_through_restarts_and_is_gone_at_once_when_lifted() {
    let mut world = weekly(2);
    world.order(1, for_ever(ATTACKER)).unwrap();
    let mut said = 0;
    for day in 0..9 {
        world.run(DAY);
        assert!(world.one(1).drops(ATTACKER) && world.one(2).drops(ATTACKER), "day {day}");
        if day % 3 == 2 {
            said += published(&world);
            reboot(&mut world, 1);
        }
    }
    said += published(&world);
    assert!((2..=3).contains(&said), "{said}: once at first, and again every 3.5 to 5.25 days");
    world.order(1, unban_order(ATTACKER)).unwrap();
    world.run(Duration::from_secs(5));
    assert!(!world.one(1).drops(ATTACKER) && !world.one(2).drops(ATTACKER), "immediately");
    assert_eq!(world.one(1).node.renewals.next(), None, "and it is not said again");
}

#[test]
fn when_the_issuer_is_gone_for_good_the_ban_ends_everywhere_within_the_lease() {
    let mut world = World::friends(3);
    world.order(1, for_ever(ATTACKER)).unwrap();
    world.run(20 * HOUR);
    world.cut = vec![1];
    world.run(6 * HOUR);
    assert!(world.one(2).drops(ATTACKER) && world.one(3).drops(ATTACKER), "it was said again in time: the lease began anew");
    world.run(18 * HOUR);
    assert!(!world.one(2).drops(ATTACKER) && !world.one(3).drops(ATTACKER), "within the lease");
    assert!(world.one(1).drops(ATTACKER), "the issuer means it");
}

#[test]
fn thousands_of_bans_do_not_fall_due_together() {
    let mut config = member(1, key(1), Trust::Enforce);
    config.policy.ttl.mesh = 24 * HOUR;
    let mut bench = Bench::new(config);
    let count = 2_000_u16;
    for index in 0..count {
        let [high, low] = index.to_be_bytes();
        bench.order(for_ever(&format!("203.0.{}.{low}", 64 + high))).1.unwrap();
    }
    let said = |bench: &Bench| bench.node.status().counters.published - u64::from(count);
    bench.pass(12 * HOUR - Duration::from_secs(10));
    assert_eq!(said(&bench), 0, "not before half of the lease");
    let (mut before, mut most) = (0, 0);
    for _ in 0..6 * 60 {
        bench.pass(Duration::from_mins(1));
        most = most.max(said(&bench) - before);
        before = said(&bench);
    }
    bench.pass(Duration::from_secs(20));
    assert_eq!(said(&bench), u64::from(count), "all within three quarters of it");
    assert!(most < 30, "{most} in one minute; evenly spread it is 5 to 6");
}

#[test]
fn what_falls_due_together_after_all_is_said_in_bounded_portions() {
    let config = Config { policy: Policy { mode: Mode::Observe, ..Policy::default() }, ..member(1, key(1), Trust::Enforce) };
    let mut bench = Bench::new(config);
    for index in 0..500_u16 {
        let [high, low] = index.to_be_bytes();
        bench.order(for_ever(&format!("203.0.{}.{low}", 64 + high))).1.unwrap();
    }
    bench.order(Order::SetMode(Mode::Enforce)).1.unwrap();
    let mut said = 0;
    for _ in 0..10 {
        bench.feed(Input::Wake);
        bench.feed(Input::Wake);
        let now = bench.node.status().counters.published;
        assert!(now - said <= crate::RENEW_BATCH_MAX as u64, "{said} {now}");
        said = now;
        bench.now = later(bench.now, crate::RENEW_PAUSE);
    }
    assert_eq!(said, 500);
}

#[test]
fn a_ban_a_little_longer_than_the_lease_is_held_to_its_end() {
    let policy = Policy { ttl: Ttls::all(HOUR), ..Policy::default() };
    let mut world = World::new((1..=2).map(|index| Config { policy, ..member(index, key(1), Trust::Enforce) }).collect());
    let order = Order::Ban {
        subject: subject(ATTACKER),
        lifetime: Lifetime::For(Duration::from_mins(80)),
        note: None,
        reach: Reach::Mesh,
        force: false,
    };
    world.order(1, order).unwrap();
    world.run(Duration::from_mins(79));
    assert!(world.one(2).drops(ATTACKER));
    world.run(Duration::from_mins(2));
    assert!(!world.one(1).drops(ATTACKER) && !world.one(2).drops(ATTACKER));
}
