//! What a node does for those for which it is a relay.

use super::*;
use honeymesh_mesh_proto::{Effect, MemberChange};

/// Is this address on the never-ban set after the last thing that happened?
fn is_protected(node: &Node, addr: IpAddr) -> bool {
    node.protected().iter().any(|one| one.net.contains(&addr))
}

#[test]
fn a_relay_never_bans_the_address_that_its_guest_calls_from() {
    let clusters = vec![cluster(1, key(1), Trust::Enforce)];
    let mut node = Node::new(Config { clusters, ..config(1) }, START);
    let (addr, mut out) = (ip(ATTACKER), Vec::new());
    let order = |node: &mut Node, out: &mut Vec<Output>| {
        let ban =
            Order::Ban { subject: subject(ATTACKER), lifetime: Lifetime::Default, note: None, reach: Reach::Here, force: false };
        out.clear();
        node.handle(Input::Order { id: OrderId(1), order: ban }, START, out);
        out.iter().any(|output| matches!(output, Output::Enforce(_)))
    };
    assert!(order(&mut node, &mut out), "before it calls, it is anybody");
    node.take_effects(0, vec![Effect::Guest { addr, change: MemberChange::Up }]);
    node.handle(Input::Wake, START, &mut out);
    assert!(is_protected(&node, addr) && out.contains(&Output::Release(subject(ATTACKER))), "{out:?}");
    assert!(!order(&mut node, &mut out));
    node.take_effects(0, vec![Effect::Guest { addr, change: MemberChange::Down }]);
    node.handle(Input::Wake, later(START, PEER_GRACE / 2), &mut out);
    assert!(is_protected(&node, addr), "it may call again");
    node.handle(Input::Wake, later(START, PEER_GRACE), &mut out);
    node.handle(Input::Wake, later(START, PEER_GRACE), &mut out);
    assert!(!is_protected(&node, addr));
}
