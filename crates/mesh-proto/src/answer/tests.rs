//! Answers fit into a datagram and go on where they ended.

use super::*;
use crate::{
    Limits,
    frame::Stub,
    membership::{Ident, Known, News, Share, State, Swim},
    testing::{addr, at, ban, hour, signed, tag, wall},
};
use alloc::{collections::BTreeSet, format};
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

fn members(n: u8) -> Swim {
    let ident = |n: u8| Ident { node: [n; 32], addr: addr(n), incarnation: 1 };
    let mut swim = Swim::new(ident(255), ChaCha8Rng::seed_from_u64(0));
    let known: Vec<Known> = (1..=n).map(|n| Known { ident: ident(n), refuted: 0, state: State::Alive }).collect();
    swim.learn(&known, &|_| true, Share::Keep, at(0), &mut News::default()).unwrap();
    swim
}

fn set(n: u32) -> Set {
    let mut set = Set::new(tag(), &Limits::default());
    for n in 0..n {
        set.offer(&signed(1, &format!("10.0.{}.{}", n / 256, n % 256), ban(hour()), 0));
    }
    set
}

#[test]
fn all_members_are_listed_page_by_page() {
    let members = members(100);
    let (mut seen, mut after, mut pages) = (BTreeSet::new(), None, 0);
    loop {
        let mut next = None;
        answer(Question::Members { after }, &set(0), &members, wall(0), &Room::DATAGRAM, |answer| {
            let Answer::Members { members, next: more } = answer else { panic!("members were asked for") };
            seen.extend(members.iter().map(|item| postcard::from_bytes::<Known>(item).unwrap().ident.node));
            next = more;
        })
        .unwrap();
        pages += 1;
        after = next;
        if next.is_none() {
            break;
        }
    }
    assert_eq!(seen.len(), 100);
    assert!((2..10).contains(&pages), "{pages} pages");
}

#[test]
fn pages_cover_a_part_of_the_trie_exactly() {
    let set = set(600);
    let prefix = Prefix::ROOT.child(5);
    let (mut seen, mut after) = (0, None);
    loop {
        let mut next = None;
        answer(
            Question::Page { prefix, horizon_ms: wall(0).as_millis(), after },
            &set,
            &members(1),
            wall(0),
            &Room::DATAGRAM,
            |answer| {
                let Answer::Page { records, next: more } = answer else { panic!("a page was asked for") };
                seen += records.iter().count();
                next = more;
            },
        )
        .unwrap();
        after = next;
        if next.is_none() {
            break;
        }
    }
    assert_eq!(seen, set.below(prefix, wall(0)).count());
}

#[test]
fn a_fetch_says_how_far_it_came() {
    let set = set(50);
    let ids: Vec<Stub> = set.below(Prefix::ROOT, wall(0)).map(|(id, _)| id.stub()).collect();
    let packed = Ids::pack([Stub::of(1)].into_iter().chain(ids));
    answer(Question::Fetch(Ids(Bytes(&packed))), &set, &members(1), wall(0), &Room::DATAGRAM, |answer| {
        let Answer::Records { handled, records } = answer else { panic!("records were asked for") };
        assert_eq!(usize::from(handled), records.iter().count() + 1, "the unknown id is handled too");
        assert!(handled < 51);
    })
    .unwrap();
}

#[test]
fn what_is_no_part_of_the_trie_is_refused() {
    let bent: Prefix = postcard::from_bytes(&[1, 6]).unwrap();
    let question = Question::Page { prefix: bent, horizon_ms: wall(0).as_millis(), after: None };
    assert_eq!(answer(question, &set(1), &members(1), wall(0), &Room::DATAGRAM, |_| panic!("told")), Err(Refused::Malformed));
}
