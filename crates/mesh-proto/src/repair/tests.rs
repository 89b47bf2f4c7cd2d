//! Repairs between two sets, over a channel that loses what it is told to.

use super::*;
use crate::{
    Limits, Refused, Signed,
    answer::answer,
    frame::{Frame, Message},
    membership::{Ident, Swim},
    testing::{addr, at, ban, hour, signed, tag},
};
use alloc::format;
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

fn records(range: core::ops::Range<u32>) -> Vec<Signed> {
    let record = |n: u32| signed(1, &format!("10.{}.{}.{}", n >> 16 & 255, n >> 8 & 255, n & 255), ban(hour()), n.into());
    range.map(record).collect()
}

fn set(records: &[Signed]) -> Set {
    let mut set = Set::new(tag(), &Limits::default());
    records.iter().for_each(|record| {
        set.offer(record);
    });
    set
}

fn nobody() -> Swim {
    let me = Ident { node: [1; 32], addr: addr(1), incarnation: 0 };
    Swim::new(me, ChaCha8Rng::seed_from_u64(0))
}

fn session(first_number: u32) -> Session {
    let to = To { addr: addr(2), peer: Some(ShortId(2)) };
    Session::new(ShortId(2), to, Errand { records: true, ..Errand::default() }, first_number, at(0))
}

/// What a repair cost.
#[derive(Debug, Default)]
struct Cost {
    questions: usize,
    bytes: usize,
    millis: u64,
    in_flight_max: usize,
}

/// Runs a session to its end; every `lost`th answer never arrives.
fn repair(ours: &mut Set, theirs: &Set, lost: usize) -> (Session, Cost) {
    let (mut session, mut cost, mut now) = (session(7), Cost::default(), at(0));
    let members = nobody();
    while session.progress() == Progress::GoesOn {
        let mut asked: Vec<Vec<u8>> = Vec::new();
        session.pump(ours, now.mono, |number, question| {
            let frame = Frame { clock_ms: 0, known: true, hello: None, message: Message::Ask { number, question } };
            asked.push(frame.write(Vec::new()).unwrap());
        });
        cost.in_flight_max = cost.in_flight_max.max(session.flying.len());
        for question in asked {
            cost.questions += 1;
            cost.bytes += question.len();
            let Message::Ask { number, question } = Frame::read(&question).unwrap().message else { panic!("it asks") };
            let mut answered = Vec::new();
            let tell = |answer: Answer<'_>| {
                let message = Message::Answer { number, answer };
                answered = Frame { clock_ms: 0, known: true, hello: None, message }.write(Vec::new()).unwrap();
            };
            answer(question, theirs, &members, now.wall, &crate::answer::Room::DATAGRAM, tell).unwrap();
            cost.bytes += answered.len();
            if lost == 0 || cost.questions % lost != 0 {
                take(&mut session, ours, theirs, &answered);
            }
        }
        now = at(now.mono.as_millis() + 50);
        cost.millis += 50;
    }
    (session, cost)
}

fn take(session: &mut Session, ours: &mut Set, theirs: &Set, answered: &[u8]) {
    assert!(answered.len() <= crate::frame::FRAME_BYTES_MAX);
    let Message::Answer { number, answer } = Frame::read(answered).unwrap().message else { panic!("it answers") };
    let haul = session.answer(number, answer, ours).expect("it was asked for");
    for raw in haul.records.iter().flat_map(|records| records.iter()) {
        let id = RecordId::of(raw);
        assert!(theirs.contains(&id));
        let (record, _) = crate::record::wire::read(raw).unwrap();
        ours.offer(&Signed::new(record, raw.into(), id));
    }
}

fn is_same(one: &Set, other: &Set) -> bool {
    one.fingerprint(at(0).wall) == other.fingerprint(at(0).wall)
}

#[test]
fn equal_sets_cost_one_question() {
    let all = records(0..500);
    let (session, cost) = repair(&mut set(&all), &set(&all), 0);
    assert_eq!((session.progress(), cost.questions), (Progress::Done, 1));
    assert!(session.gift().unwrap().is_empty());
}

#[test]
fn a_few_missing_records_are_found_among_many() {
    let all = records(0..3_000);
    let mut ours = set(&all[20..]);
    let (_, cost) = repair(&mut ours, &set(&all), 0);
    assert!(is_same(&ours, &set(&all)));
    assert!(cost.bytes < 40_000, "{cost:?}");
}

#[test]
fn an_empty_set_pulls_everything_through_a_bounded_window() {
    let all = records(0..3_000);
    let mut ours = set(&[]);
    let (session, cost) = repair(&mut ours, &set(&all), 0);
    assert!(is_same(&ours, &set(&all)));
    assert!(session.is_bulk && cost.in_flight_max <= WINDOW, "{cost:?}");
    assert!(cost.bytes < 3_000 * 180, "{cost:?}");
}

#[test]
fn lost_answers_are_asked_for_again() {
    let all = records(0..2_000);
    for known in [0, 1_990] {
        let mut ours = set(&all[..known]);
        let (session, cost) = repair(&mut ours, &set(&all), 5);
        assert_eq!(session.progress(), Progress::Done);
        assert!(is_same(&ours, &set(&all)), "{known} {cost:?}");
    }
}

#[test]
fn a_peer_that_falls_silent_is_given_up() {
    let all = records(0..500);
    let (session, cost) = repair(&mut set(&[]), &set(&all), 1);
    assert_eq!(session.progress(), Progress::Failed);
    assert!(cost.millis < 15_000, "{cost:?}");
}

#[test]
fn what_the_peer_lacks_is_a_gift_if_it_is_little() {
    let all = records(0..300);
    let (session, _) = repair(&mut set(&all), &set(&all[..295]), 0);
    assert_eq!(session.gift().unwrap().len(), 5);
    let (session, _) = repair(&mut set(&all), &set(&all[..100]), 0);
    assert_eq!(session.gift(), None, "it had better ask");
    let (session, _) = repair(&mut set(&all), &set(&[]), 0);
    assert_eq!(session.gift(), None);
}

#[test]
fn both_sides_meet_in_two_repairs() {
    let all = records(0..1_000);
    let (mut one, mut other) = (set(&all[..700]), set(&all[300..]));
    repair(&mut one, &other, 0);
    repair(&mut other, &one, 0);
    assert!(is_same(&one, &set(&all)) && is_same(&other, &set(&all)));
}

#[test]
fn answers_that_were_not_asked_for_are_refused() {
    let ours = set(&[]);
    let mut session = session(7);
    session.pump(&ours, at(0).mono, |_, _| {});
    assert!(session.answer(6, Answer::Same, &ours).is_none());
    let empty = Records(Bytes(&[]));
    assert!(session.answer(7, Answer::Records { handled: 0, records: empty }, &ours).is_none(), "an answer to another question");
    assert!(session.answer(7, Answer::Same, &ours).is_none(), "twice");
}

#[test]
fn a_page_that_does_not_advance_ends_the_reading() {
    let ours = set(&[]);
    let mut session = session(7);
    session.todo = Vec::from([Task::Page(Prefix::ROOT, Some(5))]);
    session.pump(&ours, at(0).mono, |_, _| {});
    let records = Records(Bytes(&[]));
    assert!(session.answer(7, Answer::Page { records, next: Some(5) }, &ours).is_some());
    assert_eq!(session.progress(), Progress::Done);
}

#[test]
fn nonsense_is_not_answered() {
    let (set, members) = (set(&[]), nobody());
    let far = crate::testing::wall(0).plus(core::time::Duration::from_secs(91)).as_millis();
    let question = Question::Look { prefix: Prefix::ROOT, horizon_ms: far, mine: Tally::default() };
    assert_eq!(
        answer(question, &set, &members, crate::testing::wall(0), &crate::answer::Room::DATAGRAM, |_| panic!("told")),
        Err(Refused::Clock)
    );
}
