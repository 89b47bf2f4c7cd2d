//! One bad record costs nobody else's.

use super::*;
use crate::{
    RecordId,
    testing::{ban, hour},
};
use alloc::format;

fn good(n: u8, number: u8) -> Signed {
    crate::testing::signed(n, &format!("192.0.2.{number}"), ban(hour()), number.into())
}

fn bad(n: u8, number: u8) -> Signed {
    let signed = good(n, number);
    let mut raw = signed.raw.to_vec();
    *raw.last_mut().unwrap() ^= 1;
    Signed::new((*signed.record).clone(), raw.clone().into(), RecordId::of(&raw))
}

fn claims(records: Vec<(u64, Signed)>) -> Claims {
    Claims::new(7, [9; 32], records.into_iter().map(|(sender, signed)| (ShortId(sender), signed)).collect())
}

#[test]
fn good_ones_pass_together() {
    for many in [1, 2, 60, 200] {
        let records = (0..many).map(|number| (u64::from(number % 3), good(1 + number % 4, number))).collect();
        let verdicts = claims(records).check();
        assert_eq!((verdicts.good, verdicts.is_split), (alloc::vec![true; many.into()], false));
    }
}

#[test]
fn exactly_the_bad_ones_are_bad_whoever_sent_them_and_wherever_they_are() {
    for places in
        [&[0_u8][..], &[59], &[3, 4], &[0, 20, 40], &(0..60).step_by(3).collect::<Vec<_>>(), &(0..60).collect::<Vec<_>>()]
    {
        let one = |number: u8| if places.contains(&number) { bad(1, number) } else { good(1, number) };
        let records = (0..60).map(|number| (u64::from(number % 3), one(number))).collect();
        let verdicts = claims(records).check();
        let expected: Vec<bool> = (0..60).map(|number| !places.contains(&number)).collect();
        assert_eq!((verdicts.good, verdicts.is_split), (expected, true), "{places:?}");
    }
}

#[test]
fn one_alone_is_judged_alike() {
    assert_eq!(claims(alloc::vec![(1, bad(1, 1))]).check().good, [false]);
    assert_eq!(claims(alloc::vec![(1, good(1, 1))]).check().good, [true]);
    assert!(claims(Vec::new()).check().good.is_empty() && claims(Vec::new()).is_empty());
}

#[test]
fn what_no_sender_may_foresee_is_not_shown() {
    assert_eq!(format!("{:?}", claims(alloc::vec![(1, good(1, 1))])), "Claims { ticket: 7, records: 1, .. }");
}
