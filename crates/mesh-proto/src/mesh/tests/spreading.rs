//! How bans get everywhere, and how differences are mended.

use super::*;

#[test]
fn a_member_that_hands_nothing_on_delays_a_ban_and_does_not_stop_it() {
    let mut wire = Wire::joined(12);
    // It gives the receipts that are asked of it, so that nobody takes over what it does not do.
    for swallows in [3, 7] {
        let says = if swallows == 3 { 1 } else { 2 };
        wire.cut =
            if swallows == 3 { |from, to| from == addr(3) && to != addr(1) } else { |from, to| from == addr(7) && to != addr(2) };
        let who = format!("203.0.113.{swallows}");
        wire.say(says, &who, ban(hour()));
        wire.run(400);
        let without: Vec<u8> = (1..=12).filter(|n| wire.mesh(*n).records(&subject(&who)).is_empty()).collect();
        assert!(without.is_empty(), "{without:?} do not know of {who}");
        wire.cut = |_, _| false;
    }
}

#[test]
fn a_ban_costs_one_copy_for_each_node_and_a_silent_member_costs_no_more_than_its_part() {
    let mut wire = Wire::joined(12);
    let pushes = |wire: &Wire| sent(wire, |message| matches!(message, Message::Push { .. }));
    wire.sent.clear();
    wire.say(1, WHO, ban(hour()));
    wire.run(400);
    assert_eq!(pushes(&wire), 11);
    wire.cut = |from, to| from == addr(3) || to == addr(3);
    wire.sent.clear();
    wire.say(1, "203.0.113.77", ban(hour()));
    wire.run(1_000);
    let about = subject("203.0.113.77");
    assert!((1..=12).filter(|n| *n != 3).all(|n| !wire.mesh(n).records(&about).is_empty()));
    assert!((12..=20).contains(&pushes(&wire)), "{}", pushes(&wire));
}

#[test]
fn who_was_declared_down_a_moment_ago_still_gets_what_is_said_and_costs_little_if_it_is_down() {
    let mut wire = Wire::joined(12);
    let pushes = |wire: &Wire| sent(wire, |message| matches!(message, Message::Push { .. }));
    let is_down = |wire: &mut Wire, n: u8| {
        let members = wire.mesh(n).members();
        members.iter().any(|member| member.addr == addr(5) && member.state == MemberState::Down)
    };
    wire.cut = |from, to| from == addr(5) || to == addr(5);
    while !(1..=12).filter(|n| *n != 5).all(|n| is_down(&mut wire, n)) {
        wire.run(100);
    }
    wire.sent.clear();
    wire.say(1, "203.0.113.77", ban(hour()));
    wire.run(1_000);
    assert_eq!(pushes(&wire), 10 + 4, "one copy for each, and a few tries");
    // It is back, and nobody knows yet.
    wire.cut = |_, _| false;
    wire.say(2, WHO, ban(hour()));
    assert!(is_down(&mut wire, 1) && !wire.mesh(5).records(&subject(WHO)).is_empty());
    assert_eq!((1..=12).map(|n| wire.mesh(n).stats().pushes_to_gone).sum::<u64>(), 2);
}

#[test]
fn who_was_declared_down_long_ago_costs_nothing() {
    let mut wire = Wire::joined(12);
    wire.cut = |from, to| from == addr(5) || to == addr(5);
    wire.run(45_000);
    wire.sent.clear();
    wire.say(1, WHO, ban(hour()));
    wire.run(1_000);
    assert_eq!(sent(&wire, |message| matches!(message, Message::Push { .. })), 10);
    assert_eq!((1..=12).map(|n| wire.mesh(n).stats().pushes_to_gone).sum::<u64>(), 0);
}

/// Two nodes that have `common` bans in common, and `each` that the other has not heard of.
fn apart(common: u32, each: u32) -> Wire {
    let mut wire = Wire::joined(2);
    for n in 0..common {
        wire.say(1, &format!("10.1.{}.{}", n / 256, n % 256), ban(hour()));
        wire.run(6);
    }
    wire.cut = |_, _| true;
    for n in 0..each {
        for node in [1, 2] {
            wire.say(node, &format!("10.{}.{}.{}", node + 2, n / 256, n % 256), ban(hour()));
        }
    }
    wire.run(300);
    // Nothing of it is sent again.
    for node in [1, 2] {
        wire.mesh(node).receipts = Receipts::default();
    }
    wire.cut = |_, _| false;
    wire.sent.clear();
    wire
}

fn is_question(message: &Message<'_>, is_meant: impl Fn(&Question<'_>) -> bool) -> bool {
    matches!(message, Message::Ask { question, .. } if is_meant(question))
}

#[test]
fn one_sketch_mends_a_few_differences_both_ways() {
    let mut wire = apart(300, 12);
    wire.run(2_500);
    assert_eq!(wire.mesh(1).fingerprint(), wire.mesh(2).fingerprint());
    assert_eq!(wire.mesh(1).len(), 324);
    assert!((1..=2).contains(&sent(&wire, |message| matches!(message, Message::Sketch { .. }))));
    assert_eq!(sent(&wire, |message| is_question(message, |asked| !matches!(asked, Question::Fetch(_)))), 0, "nothing is walked");
}

#[test]
fn a_sketch_grows_until_it_tells_a_longer_difference() {
    let mut wire = apart(300, 130);
    wire.run(2_500);
    assert_eq!(wire.mesh(1).fingerprint(), wire.mesh(2).fingerprint());
    assert_eq!(wire.mesh(1).len(), 560);
    let walks =
        sent(&wire, |message| is_question(message, |asked| matches!(asked, Question::Look { .. } | Question::Page { .. })));
    let grown = sent(&wire, |message| is_question(message, |asked| matches!(asked, Question::Symbols { .. })));
    assert_eq!(walks, 0, "nothing is walked");
    assert!((1..=24).contains(&grown), "{grown}");
}

#[test]
fn what_no_sketch_tells_is_walked() {
    let mut wire = apart(10, 480);
    wire.run(5_000);
    assert_eq!(wire.mesh(1).fingerprint(), wire.mesh(2).fingerprint());
    assert_eq!(wire.mesh(1).len(), 970);
    assert!(sent(&wire, |message| is_question(message, |asked| matches!(asked, Question::Look { .. }))) > 0);
}

#[test]
fn only_so_many_sketches_are_read() {
    let mut wire = apart(0, 40);
    let (now, to, mut out) = (wire.now(), To { addr: addr(2), peer: None }, Vec::new());
    for _ in 0..100 {
        let symbols = crate::sketch::Symbols::pack(&wire.mesh(1).set.symbols(crate::sketch::SYMBOLS_SENT, now.wall));
        let (mine, symbols) = (Tally::default(), crate::sketch::Symbols(Bytes(&symbols)));
        wire.mesh(1).post.send(to, Message::Sketch { horizon_ms: now.wall.as_millis(), mine, symbols }, now, &mut out);
    }
    wire.carry(addr(1), out);
    assert_eq!(wire.mesh(2).stats().refused.of(Refused::PeerRate), 60);
    assert_eq!(wire.mesh(1).fingerprint(), wire.mesh(2).fingerprint());
}

#[test]
fn a_page_of_touches_is_everywhere_and_its_later_word_after_a_split() {
    let mut wire = Wire::joined(5);
    let touch = |port| crate::Touch { source: subject(WHO), port, at: crate::testing::wall(3_000) };
    let page = |touches: &[crate::Touch]| Said::Touches { page: 1, ttl: hour(), touches: touches.to_vec() };
    wire.say(1, WHO, page(&[touch(21)]));
    wire.run(50);
    assert!((1..=5).all(|n| wire.mesh(n).len() == 1), "pushed like a ban");
    wire.cut = |from, to| (from == addr(5)) != (to == addr(5));
    wire.say(1, WHO, page(&[touch(21), touch(22)]));
    wire.run(2_000);
    wire.cut = |_, _| false;
    wire.run(5_000);
    let prints: Vec<u128> = (1..=5).map(|n| wire.mesh(n).fingerprint()).collect();
    assert!(prints.iter().all(|print| *print == prints[0]) && wire.mesh(5).len() == 1, "the later word has replaced it");
    assert!(wire.mesh(5).records(&subject(WHO)).is_empty(), "and it is nothing that is said against its subject");
}
