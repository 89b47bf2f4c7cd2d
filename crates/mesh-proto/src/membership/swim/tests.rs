//! What the wrapper adds to the library: order, bounds, sanity.

use super::*;
use crate::testing::{addr, at};
use rand_core::SeedableRng;

fn ident(n: u16, incarnation: u64) -> Ident {
    let mut node = [7; 32];
    node[..2].copy_from_slice(&n.to_be_bytes());
    Ident { node, addr: SocketAddr::from(([10, 0, n.to_be_bytes()[0], n.to_be_bytes()[1]], 7_946)), incarnation }
}

fn swim(n: u16) -> Swim {
    Swim::new(ident(n, 1), ChaCha8Rng::seed_from_u64(n.into()))
}

fn known(ident: Ident, state: State) -> Known {
    Known { ident, refuted: 0, state }
}

/// What it must learn without complaint.
fn teach(swim: &mut Swim, list: &[Known]) {
    learn(swim, list).0.unwrap();
}

fn learn(swim: &mut Swim, list: &[Known]) -> (Result<usize, Refused>, News) {
    let mut news = News::default();
    (swim.learn(list, &|_| true, Share::HandOn, at(0), &mut news), news)
}

#[test]
fn two_nodes_probe_each_other_and_notice_a_death() {
    let (mut one, mut other) = (swim(1), swim(2));
    teach(&mut one, &[known(ident(2, 1), State::Alive)]);
    teach(&mut other, &[known(ident(1, 1), State::Alive)]);
    let mut went = None;
    for millis in 0..30_000 {
        let mut news = News::default();
        one.wake(at(millis), &mut news);
        let is_dead = millis > 5_000;
        for packet in news.packets.into_iter().filter(|_| !is_dead) {
            let mut reply = News::default();
            other.packet(NodeId(ident(1, 1).node), &packet.bytes, &|_| true, at(millis), &mut reply).unwrap();
            for packet in reply.packets {
                one.packet(NodeId(ident(2, 1).node), &packet.bytes, &|_| true, at(millis), &mut News::default()).unwrap();
            }
        }
        if news.changes.contains(&Change::Went(ident(2, 1))) {
            went = went.or(Some(millis));
        }
    }
    assert!((6_000..14_000).contains(&went.unwrap()), "{went:?}");
    assert_eq!((one.live(), one.list(None).len()), (0, 1));
}

#[test]
fn nodes_that_know_each_other_from_before_a_restart_answer_each_other() {
    let (mut one, mut other) =
        (Swim::new(ident(1, 7), ChaCha8Rng::seed_from_u64(1)), Swim::new(ident(2, 9), ChaCha8Rng::seed_from_u64(2)));
    teach(&mut one, &[known(ident(2, 1), State::Alive)]);
    teach(&mut other, &[known(ident(1, 1), State::Alive)]);
    let mut changes = Vec::new();
    for millis in 0..30_000 {
        for (from, to) in [(1, 2), (2, 1)] {
            let (speaker, hearer) = if from == 1 { (&mut one, &mut other) } else { (&mut other, &mut one) };
            let mut news = News::default();
            speaker.wake(at(millis), &mut news);
            let mut reply = News::default();
            for packet in &news.packets {
                hearer.packet(NodeId(ident(from, 1).node), &packet.bytes, &|_| true, at(millis), &mut reply).unwrap();
            }
            for packet in &reply.packets {
                speaker.packet(NodeId(ident(to, 1).node), &packet.bytes, &|_| true, at(millis), &mut news).unwrap();
            }
            changes.extend(news.changes.into_iter().chain(reply.changes).map(|change| (millis < 2_000, change)));
        }
    }
    changes.sort_by_key(|(_, change)| matches!(change, Change::Reborn(ident) if ident.incarnation == 9));
    let lists = [&one, &other].map(|swim| swim.list(None).len());
    assert_eq!(lists, [1, 1], "nobody is in its own list");
    assert_eq!(changes, [(true, Change::Reborn(ident(1, 7))), (true, Change::Reborn(ident(2, 9)))], "nobody is declared down");
}

#[test]
fn that_an_earlier_life_was_declared_down_is_no_news() {
    let mut one = Swim::new(ident(1, 7), ChaCha8Rng::seed_from_u64(1));
    teach(&mut one, &[known(ident(2, 1), State::Alive)]);
    let header = |incarnation| foca::Header {
        src: ident(2, 1),
        src_incarnation: 0,
        dst: ident(1, incarnation),
        message: foca::Message::TurnUndead,
    };
    for (incarnation, then) in [(6, 7), (7, 8)] {
        let whole = packet::write(&packet::Packet::bare(header(incarnation))).unwrap();
        let bytes = packet::shorten(&whole).unwrap().0;
        one.packet(NodeId(ident(2, 1).node), &bytes, &|_| true, at(0), &mut News::default()).unwrap();
        assert_eq!(one.me().incarnation, then);
    }
}

#[test]
fn a_suspect_is_told_at_once_and_one_answer_clears_it() {
    let (mut one, mut other) = (swim(1), swim(2));
    teach(&mut one, &[known(ident(2, 1), State::Alive)]);
    teach(&mut other, &[known(ident(1, 1), State::Alive)]);
    let suspect = |one: &Swim| one.get(ident(2, 1).short()).unwrap();
    let mut told = Vec::new();
    let mut now = 0;
    // Nothing arrives, until the suspicion begins.
    while suspect(&one).state == State::Alive {
        now += 1;
        let mut news = News::default();
        one.wake(at(now), &mut news);
        told = news.packets;
    }
    let warning = told.last().unwrap();
    assert_eq!((warning.to, warning.is_probe, now < 3_000), (ident(2, 1), false, true));
    let mut reply = News::default();
    other.packet(NodeId(ident(1, 1).node), &warning.bytes, &|_| true, at(now), &mut reply).unwrap();
    let answer = reply.packets.last().unwrap();
    one.packet(NodeId(ident(2, 1).node), &answer.bytes, &|_| true, at(now), &mut News::default()).unwrap();
    assert_eq!((suspect(&one).state, suspect(&one).refuted), (State::Alive, 1));
    assert_eq!(one.warnings.due(MonoTime::from_millis(now)), None);
}

#[test]
fn nobody_speaks_in_anothers_name() {
    let (mut one, mut other) = (swim(1), swim(2));
    teach(&mut one, &[known(ident(2, 1), State::Alive)]);
    let mut news = News::default();
    for millis in 0..2_000 {
        one.wake(at(millis), &mut news);
    }
    let packet = &news.packets.first().unwrap().bytes;
    let id = |n| NodeId(ident(n, 1).node);
    let verdict = swim(3).packet(id(1), packet, &|_| true, at(0), &mut News::default());
    assert_eq!(verdict, Err(Refused::Malformed), "it is for another");
    assert!(other.packet(id(4), packet, &|_| true, at(0), &mut News::default()).is_ok());
    assert!(other.get(ident(4, 1).short()).is_some() && other.get(ident(1, 1).short()).is_none(), "who sealed it is who says it");
}

#[test]
fn a_packet_comes_out_as_it_went_in_and_is_shorter_on_the_way() {
    let (source, dest) = (ident(1, 3), ident(2, 9));
    let header = foca::Header { src: source, src_incarnation: 4, dst: dest, message: foca::Message::Ping(7) };
    let whole = packet::write(&packet::Packet::bare(header)).unwrap();
    let (short, message) = packet::shorten(&whole).unwrap();
    assert!(matches!(message, foca::Message::Ping(7)) && short.len() + 55 <= whole.len(), "{} {}", short.len(), whole.len());
    assert_eq!(packet::lengthen(&short, source.node, &dest), Some(whole));
    assert_eq!(packet::lengthen(&short, source.node, &source), None);
    assert_eq!(packet::shorten(&short[..3]).map(|_| ()), None);
}

#[test]
fn garbage_is_refused() {
    let mut one = swim(1);
    for len in 0..200 {
        for fill in [0, 1, 0x7f, 0xff] {
            let packet = alloc::vec![fill; len];
            assert!(
                one.packet(NodeId(ident(2, 1).node), &packet, &|_| true, at(0), &mut News::default()).is_err(),
                "{fill} {len}"
            );
        }
    }
    assert!(one.list(None).is_empty());
}

#[test]
fn nonsense_is_not_taken_note_of() {
    let mut one = swim(1);
    let far = at(0).wall.plus(INCARNATION_AHEAD_MAX).as_millis() + 1;
    let bent = |addr: &str| Ident { addr: addr.parse().unwrap(), ..ident(2, 1) };
    for bad in
        [ident(2, far), bent("0.0.0.0:1"), bent("192.0.2.1:0"), bent("224.0.0.1:1"), bent("255.255.255.255:1"), bent("[::]:1")]
    {
        let (learned, _) = learn(&mut one, &[known(bad, State::Alive)]);
        assert_eq!((learned, one.list(None).len()), (Ok(0), 0), "{bad:?}");
    }
}

#[test]
fn the_list_is_bounded_and_the_dead_give_way() {
    let mut one = swim(0);
    let all: Vec<Known> = (1..=MEMBERS_MAX).map(|n| known(ident(u16::try_from(n).unwrap(), 1), State::Alive)).collect();
    assert_eq!(learn(&mut one, &all).0, Ok(MEMBERS_MAX));
    let newcomer = known(ident(60_000, 1), State::Alive);
    assert_eq!(learn(&mut one, &[newcomer]).0, Err(Refused::MembersFull));
    teach(&mut one, &[known(ident(5, 1), State::Down)]);
    assert_eq!(learn(&mut one, &[newcomer]).0, Ok(1));
    assert_eq!((one.list(None).len(), one.get(ident(5, 1).short())), (MEMBERS_MAX, None));
}

#[test]
fn a_node_that_is_told_it_is_down_begins_a_new_life() {
    let mut one = swim(1);
    teach(&mut one, &[known(ident(2, 1), State::Alive)]);
    teach(&mut one, &[known(ident(1, 1), State::Down)]);
    assert_eq!(one.me(), ident(1, 2));
    teach(&mut one, &[known(ident(1, 9), State::Alive)]);
    assert_eq!(one.me(), ident(1, 10), "its clock was set back: it outlives what it was");
}

#[test]
fn a_restarted_node_replaces_itself_at_its_new_address() {
    let mut one = swim(1);
    teach(&mut one, &[known(ident(2, 1), State::Alive)]);
    let moved = Ident { addr: addr(99), ..ident(2, 5) };
    let (_, news) = learn(&mut one, &[known(moved, State::Alive)]);
    assert_eq!(news.changes, [Change::Reborn(moved)]);
    let (_, news) = learn(&mut one, &[known(ident(2, 1), State::Alive)]);
    assert_eq!((news.changes.len(), one.get(moved.short()).unwrap().ident), (0, moved), "the old life is over");
}

#[test]
fn the_configuration_follows_the_size() {
    let mut one = swim(0);
    let all: Vec<Known> = (1..200).map(|n| known(ident(n, 1), State::Alive)).collect();
    teach(&mut one, &all);
    assert_eq!(one.tuned_for, (7, false));
    one.hurry(true);
    assert_eq!(one.tuned_for, (7, true));
    assert!(config(7, false).suspect_to_down_after > config(1, false).suspect_to_down_after);
}
