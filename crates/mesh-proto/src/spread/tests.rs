//! When records go out, and how many.

use super::*;
use crate::testing::{ban, hour, signed};

fn spread(records: usize) -> Spread {
    let mut spread = Spread::default();
    let one = signed(1, "203.0.113.7", ban(hour()), 0);
    (0..records).for_each(|_| {
        spread.add(one.clone(), None);
    });
    spread
}

#[test]
fn the_first_record_of_a_quiet_node_goes_at_once_and_the_next_ones_together() {
    let mut spread = spread(1);
    assert_eq!(spread.flush(MonoTime::from_millis(100)).len(), 1);
    let one = signed(1, "203.0.113.7", ban(hour()), 0);
    spread.add(one.clone(), None);
    spread.add(one, None);
    assert_eq!(spread.wake_at(), MonoTime::from_millis(105));
    assert!(spread.flush(MonoTime::from_millis(104)).is_empty());
    let parcels = spread.flush(MonoTime::from_millis(105));
    assert_eq!((parcels.len(), parcels[0].packer.list().iter().count()), (1, 2));
    assert_eq!(spread.flush_at(), MonoTime::MAX);
}

#[test]
fn what_was_pushed_is_told_once_a_moment_later() {
    let mut spread = spread(1);
    spread.flush(MonoTime::from_millis(100));
    assert_eq!(spread.wake_at(), MonoTime::from_millis(200));
    assert!(spread.told(MonoTime::from_millis(199)).is_empty());
    let one = signed(1, "203.0.113.7", ban(hour()), 0);
    assert_eq!(spread.told(MonoTime::from_millis(200)), [one.id().stub()]);
    assert_eq!((spread.told(MonoTime::MAX).len(), spread.wake_at()), (0, MonoTime::MAX));
}

#[test]
fn an_import_is_told_in_lists_that_fit() {
    let mut spread = spread(300);
    while spread.flush_at() != MonoTime::MAX {
        spread.flush(spread.flush_at());
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
        let parcels = spread.flush(spread.flush_at());
        assert!(parcels.len() <= FLUSH_DATAGRAMS_MAX);
        sent += parcels.iter().map(|parcel| parcel.packer.list().iter().count()).sum::<usize>();
        flushes += 1;
    }
    assert_eq!((sent, flushes), (100, 4));
}

#[test]
fn who_knows_a_record_is_not_told_it() {
    let mut spread = Spread::default();
    let one = signed(1, "203.0.113.7", ban(hour()), 0);
    spread.add(one.clone(), Some(ShortId(5)));
    let origin = ShortId::of(&one.record.origin.0);
    assert_eq!(spread.flush(MonoTime(0))[0].except, [ShortId(5), origin]);
}

#[test]
fn the_queue_is_bounded() {
    let mut spread = spread(QUEUE_MAX);
    assert!(!spread.add(signed(1, "203.0.113.7", ban(hour()), 0), None));
}
