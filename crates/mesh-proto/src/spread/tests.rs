//! When records go out, and how many.

use super::*;
use crate::testing::{ban, hour, signed};

const DUTY: Option<Duty> = Some(Duty::of_origin(ShortId(1)));
const WIDE: usize = 16;

fn spread(records: usize) -> Spread {
    let mut spread = Spread::default();
    let one = signed(1, "203.0.113.7", ban(hour()), 0);
    (0..records).for_each(|_| {
        spread.add(one.clone(), None, DUTY);
    });
    spread
}

#[test]
fn the_first_record_of_a_quiet_node_goes_at_once_and_the_next_ones_together() {
    let mut spread = spread(1);
    assert_eq!(spread.flush(MonoTime::from_millis(100), WIDE).len(), 1);
    let one = signed(1, "203.0.113.7", ban(hour()), 0);
    spread.add(one.clone(), None, DUTY);
    spread.add(one, None, DUTY);
    assert_eq!(spread.wake_at(), MonoTime::from_millis(105));
    assert!(spread.flush(MonoTime::from_millis(104), WIDE).is_empty());
    let parcels = spread.flush(MonoTime::from_millis(105), WIDE);
    assert_eq!((parcels.len(), parcels[0].packer.list().iter().count()), (1, 2));
    assert_eq!(spread.flush_at(), MonoTime::MAX);
}

#[test]
fn what_was_pushed_is_told_once_a_moment_later() {
    let mut spread = spread(1);
    spread.flush(MonoTime::from_millis(100), WIDE);
    assert_eq!(spread.wake_at(), MonoTime::from_millis(250));
    assert!(spread.told(MonoTime::from_millis(249)).is_empty());
    let one = signed(1, "203.0.113.7", ban(hour()), 0);
    assert_eq!(spread.told(MonoTime::from_millis(250)), [one.id().stub()]);
    assert_eq!((spread.told(MonoTime::MAX).len(), spread.wake_at()), (0, MonoTime::MAX));
}

#[test]
fn an_import_is_told_in_lists_that_fit() {
    let mut spread = spread(300);
    while spread.flush_at() != MonoTime::MAX {
        spread.flush(spread.flush_at(), WIDE);
    }
    let (mut told, mut lists) = (0, 0);
    while spread.wake_at() != MonoTime::MAX {
        let list = spread.told(spread.wake_at()).len();
        assert!((1..=IDS_MAX).contains(&list));
        (told, lists) = (told + list, lists + 1);
    }
    assert_eq!(told, 300);
    assert!(lists < 10, "{lists}");
}

#[test]
fn an_import_goes_out_in_even_portions() {
    let mut spread = spread(100);
    let mut sent = 0;
    let mut flushes = 0;
    while spread.flush_at() != MonoTime::MAX {
        let parcels = spread.flush(spread.flush_at(), WIDE);
        assert!(parcels.len() * WIDE <= FLUSH_DATAGRAMS_MAX);
        sent += parcels.iter().map(|parcel| parcel.packer.list().iter().count()).sum::<usize>();
        flushes += 1;
    }
    assert_eq!((sent, flushes), (100, 4));
}

#[test]
fn who_knows_a_record_is_not_told_it() {
    let mut spread = Spread::default();
    let one = signed(1, "203.0.113.7", ban(hour()), 0);
    spread.add(one.clone(), Some(ShortId(5)), None);
    let origin = ShortId::of(&one.record.origin.0);
    assert_eq!(spread.flush(MonoTime(0), WIDE)[0].except, [ShortId(5), origin]);
}

#[test]
fn the_queue_is_bounded() {
    let mut spread = spread(QUEUE_MAX);
    assert!(!spread.add(signed(1, "203.0.113.7", ban(hour()), 0), None, DUTY));
}

#[test]
fn records_of_one_duty_go_together_and_of_another_apart() {
    let mut spread = Spread::default();
    let other = Some(Duty { after: ShortId(1), until: ShortId(9) });
    let one = signed(1, "203.0.113.7", ban(hour()), 0);
    for duty in [DUTY, DUTY, other, None, None] {
        spread.add(one.clone(), None, duty);
    }
    let parcels = spread.flush(MonoTime(0), 1);
    assert_eq!(parcels.iter().map(|parcel| parcel.duty).collect::<Vec<_>>(), [DUTY, other, None]);
    assert_eq!(parcels.iter().map(|parcel| parcel.records.len()).collect::<Vec<_>>(), [2, 1, 2]);
}

#[test]
fn a_duty_that_comes_after_its_record_is_done_once() {
    let mut spread = Spread::default();
    let one = signed(1, "203.0.113.7", ban(hour()), 0);
    assert!(!spread.serve(one.id().stub()));
    (0..UNSERVED_MAX + 9).for_each(|_| {
        spread.add(one.clone(), None, None);
    });
    assert_eq!(spread.unserved.len(), UNSERVED_MAX);
    spread.unserved.truncate(1);
    assert!(spread.serve(one.id().stub()) && !spread.serve(one.id().stub()));
}
