//! Nodes that are let in by an authority, turned away by it, or set aside by an operator.

use super::{
    world::{World, member},
    *,
};
use honeymesh_mesh_proto::Admission;
use honeymesh_types::NodeId;

const OTHER: &str = "203.0.113.8";

fn settle(world: &mut World) {
    world.run(Duration::from_secs(8));
}

/// The public half of the secret `[9; 32]`, found by asking a mesh that has that identity.
fn authority() -> NodeId {
    let mut config = cluster(9, key(1), Trust::Enforce).mesh;
    config.identity = zeroize::Zeroizing::new([9; 32]);
    honeymesh_mesh_proto::Mesh::new(config, START).identity()
}

/// Node `index` of a cluster with an authority, whose secret is on node 1.
fn governed(index: u8) -> Config {
    let mut config = member(index, key(1), Trust::Enforce);
    let secret = (index == 1).then(|| zeroize::Zeroizing::new([9; 32]));
    config.clusters[0].mesh.admission = Admission { authority: Some(authority()), secret, ..Admission::default() };
    config
}

/// A cluster whose node 1 has let in the others.
fn world(count: u8) -> World {
    let mut bench = honeymesh_mesh_proto::Mesh::new(governed(1).clusters[0].mesh.clone(), START);
    let admitted = (1..=count).map(|index| {
        let mut config = governed(index);
        let node = honeymesh_mesh_proto::Mesh::new(config.clusters[0].mesh.clone(), START).identity();
        let name = config.name.clone();
        let deed = bench.certify(node, &name, &name, START, &mut Vec::new()).unwrap();
        config.clusters[0].mesh.admission.certificate = Some(deed.raw.to_vec());
        config
    });
    World::new(admitted.collect())
}

fn revoke(world: &mut World, on: u8, who: &str, revoked: bool) -> Result<Done, Refused> {
    world.order(on, Order::Revoke { who: who.into(), revoked })
}

fn ban_both(world: &mut World) {
    world.feed(3, Input::Visit(visit(ATTACKER, b"x")));
    world.feed(3, Input::Visit(visit(OTHER, b"x")));
    world.feed(2, Input::Visit(visit(OTHER, b"x")));
    settle(world);
    assert!((1..=3).all(|index| world.one(index).drops(ATTACKER) && world.one(index).drops(OTHER)));
}

#[test]
fn a_revocation_withdraws_exactly_that_nodes_bans_everywhere_and_for_good() {
    let mut world = world(4);
    ban_both(&mut world);
    let done = revoke(&mut world, 1, "edge-3", true).unwrap();
    let words = done.to_string();
    assert!(words.starts_with("edge-3 (") && words.contains(") is revoked on every node of primary; 2 bans"), "{words}");
    settle(&mut world);
    for index in [1, 2, 4] {
        assert!(!world.one(index).drops(ATTACKER) && world.one(index).drops(OTHER), "node {index}");
        let ban = world.one(index).node.ban(&subject(OTHER)).unwrap();
        assert_eq!(ban.origins, ["edge-2"], "node {index}");
        let event = world.one(index).told(EventKind::Unban)[0];
        assert_eq!(field(event, "how"), "lifted by the revocation of edge-3");
    }
    world.feed(3, Input::Visit(visit("203.0.113.9", b"x")));
    settle(&mut world);
    assert!(!world.one(1).drops("203.0.113.9"), "it goes on talking in vain");
    let mut config = governed(2);
    config.clusters[0].mesh.boot_salt += world.now.mono.0;
    world.restart(2, config);
    world.run(Duration::from_secs(20));
    assert!(!world.one(2).drops(ATTACKER) && world.one(2).drops(OTHER), "a restart forgets neither");
    assert_eq!(world.one(2).node.peers()[0].own.standing, crate::Standing::Certified, "its certificate was kept, too");

    assert!(revoke(&mut world, 1, "edge-3", false).unwrap().to_string().contains("is restored on every node"));
    world.run(Duration::from_secs(60));
    assert!((1..=4).all(|index| world.one(index).drops(ATTACKER)), "what it still says counts again");
}

#[test]
fn without_the_secret_a_revocation_is_local_and_survives_a_restart() {
    let mut world = World::friends(3);
    ban_both(&mut world);
    let words = revoke(&mut world, 1, "edge-3", true).unwrap().to_string();
    assert!(words.contains("is revoked on this node only in primary"), "{words}");
    settle(&mut world);
    assert!(!world.one(1).drops(ATTACKER) && world.one(1).drops(OTHER) && world.one(2).drops(ATTACKER));
    world.feed(3, Input::Visit(visit("203.0.113.9", b"x")));
    settle(&mut world);
    assert!(!world.one(1).drops("203.0.113.9") && world.one(2).drops("203.0.113.9"));
    let prints: Vec<u128> = (1..=3).map(|index| world.one(index).node.peers()[0].fingerprint).collect();
    assert!(prints.iter().all(|print| *print == prints[0]), "all still hold the same set");
    let mut config = member(1, key(1), Trust::Enforce);
    config.clusters[0].mesh.boot_salt += world.now.mono.0;
    world.restart(1, config);
    settle(&mut world);
    assert!(!world.one(1).drops(ATTACKER) && world.one(1).drops(OTHER));
    revoke(&mut world, 1, "edge-3", false).unwrap();
    assert!(world.one(1).drops(ATTACKER) && world.one(1).drops("203.0.113.9"), "at once, from the set");
}

#[test]
fn whoever_is_meant_must_be_one_other_node() {
    let mut world = World::friends(3);
    assert!(matches!(revoke(&mut world, 1, "edge-9", true), Err(Refused::UnknownNode(_))));
    assert!(matches!(revoke(&mut world, 1, "edge-1", true), Err(Refused::OwnNode(_))));
    let ids: Vec<String> = (2..=3).map(|index| world.one(index).node.peers()[0].identity.to_string()).collect();
    assert!(revoke(&mut world, 1, &ids[0][..6], true).is_ok());
    assert!(matches!(revoke(&mut world, 1, &ids[0][..3], true), Err(Refused::UnknownNode(_))), "too little of it");
    let mut twins = World::new(
        (1..=3_u8)
            .map(|index| {
                let mut config = member(index, key(1), Trust::Enforce);
                if index > 1 {
                    config.clusters[0].mesh.node_name = "twin".parse().unwrap();
                }
                config
            })
            .collect(),
    );
    match revoke(&mut twins, 1, "twin", true) {
        Err(Refused::AmbiguousNode { nodes, .. }) => assert!(nodes.contains("twin (") && nodes.contains(", "), "{nodes}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn many_bans_are_withdrawn_in_batches() {
    let mut world = World::friends(2);
    let many = u32::try_from(WITHDRAW_BATCH_MAX + 200).unwrap();
    for n in 0..many {
        let who = Ipv4Addr::from(u32::from(Ipv4Addr::new(198, 51, 100, 0)) + n).to_string();
        world.feed(2, Input::Order { id: OrderId(2), order: ban_order(&who) });
        if n % 400 == 399 {
            world.run(Duration::from_secs(2));
        }
    }
    world.run(Duration::from_secs(20));
    assert_eq!(world.one(1).node.bans().count(), many as usize);
    revoke(&mut world, 1, "edge-2", true).unwrap();
    assert_eq!(world.one(1).node.bans().count(), 200, "the first batch at once");
    world.run(Duration::from_millis(50));
    assert_eq!(world.one(1).node.bans().count(), 0);
}
