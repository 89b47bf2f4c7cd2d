//! What passes alone passes in a batch, and the other way round.

use super::*;
use crate::{
    RecordId,
    testing::{ban, hour, key, record, tag},
};
use alloc::{format, sync::Arc};
use curve25519_dalek::constants::EIGHT_TORSION;
use ed25519_dalek::{Signature, VerifyingKey};

fn good(n: u8, number: usize) -> Signed {
    crate::testing::signed(n, &format!("192.0.2.{number}"), ban(hour()), number as u64)
}

fn changed(signed: &Signed, change: impl Fn(&mut [u8])) -> Signed {
    let mut raw = signed.raw.to_vec();
    change(&mut raw);
    let id = RecordId::of(&raw);
    Signed::new((*signed.record).clone(), Arc::from(raw), id)
}

/// A signature whose commitment has a part of small order: a member can make one for its own records.
fn twisted(n: u8, torsion: EdwardsPoint) -> Signed {
    let signed = wire::sign(record(n, "192.0.2.77", ban(hour()), 5), tag(), &key(n)).unwrap();
    let unsigned = &signed.raw[..signed.raw.len() - SIGNATURE_LENGTH];
    let expanded = ed25519_dalek::hazmat::ExpandedSecretKey::from(&key(n).to_bytes());
    let nonce = Scalar::from(12_345_u64);
    let commitment = (ED25519_BASEPOINT_POINT * nonce + torsion).compress().to_bytes();
    let origin = signed.record.origin.0;
    let hash = Sha512::new().chain_update(commitment).chain_update(origin).chain_update(wire::DOMAIN).chain_update(unsigned);
    let response = nonce + Scalar::from_bytes_mod_order_wide(&hash.finalize().into()) * expanded.scalar;
    changed(&signed, |raw| {
        let at = raw.len() - SIGNATURE_LENGTH;
        raw[at..at + 32].copy_from_slice(&commitment);
        raw[at + 32..].copy_from_slice(response.as_bytes());
    })
}

fn all_good(records: &[Signed], secret: [u8; 32]) -> bool {
    super::all_good(&records.iter().collect::<Vec<_>>(), secret)
}

#[test]
fn many_good_ones_pass_together_and_one_bad_one_fails_them_all() {
    let mut all: Vec<Signed> = (1..200).map(|number| good(if number % 3 == 0 { 1 } else { 2 }, number)).collect();
    assert!(all_good(&all, [7; 32]) && all_good(&[], [7; 32]) && all_good(&all[..1], [7; 32]));
    for place in [0, 77, 198] {
        let kept = all[place].clone();
        for byte in [10, kept.raw.len() - 64, kept.raw.len() - 20] {
            all[place] = changed(&kept, |raw| raw[byte] ^= 1);
            assert!(!all_good(&all, [7; 32]) && verify(&all[place].raw, kept.record.origin).is_err(), "{place} {byte}");
        }
        all[place] = kept;
    }
}

#[test]
fn two_bad_ones_do_not_make_up_for_each_other() {
    let (one, other) = (good(1, 1), good(1, 2));
    let shifted = |signed: &Signed, by: Scalar| {
        changed(signed, |raw| {
            let at = raw.len() - 32;
            let response = Scalar::from_canonical_bytes(raw[at..].try_into().unwrap()).unwrap() + by;
            raw[at..].copy_from_slice(response.as_bytes());
        })
    };
    let pair = [shifted(&one, Scalar::ONE), shifted(&other, -Scalar::ONE)];
    assert!(!all_good(&pair, [7; 32]));
}

#[test]
fn a_part_of_small_order_is_judged_alike_alone_and_in_any_batch() {
    for torsion in EIGHT_TORSION {
        let twisted = twisted(1, torsion);
        let alone = verify(&twisted.raw, twisted.record.origin).is_ok();
        for secret in 0..16 {
            let batch = [good(1, 1), twisted.clone(), good(2, 2)];
            assert_eq!(all_good(&batch, [secret; 32]), alone, "another node may not judge otherwise");
        }
    }
}

#[test]
fn keys_and_commitments_of_small_order_and_odd_spellings_are_refused() {
    for torsion in EIGHT_TORSION {
        assert!(point(&torsion.compress().to_bytes()).is_none());
    }
    let mut beyond = [0xff; 32];
    beyond[31] = 0x7f;
    for first in 0xed..=0xff_u8 {
        beyond[0] = first;
        assert!(point(&beyond).is_none(), "{first:x} is at least the modulus");
    }
    let signed = good(1, 1);
    let high = changed(&signed, |raw| *raw.last_mut().unwrap() |= 0xe0);
    assert!(verify(&high.raw, high.record.origin).is_err(), "a response that is not reduced");
}

#[test]
fn what_the_usual_check_accepts_is_accepted() {
    for number in 1..50 {
        let signed = good(1, number);
        let (unsigned, signature) = signed.raw.split_last_chunk::<SIGNATURE_LENGTH>().unwrap();
        let usual = VerifyingKey::from_bytes(&signed.record.origin.0).unwrap();
        let said = [wire::DOMAIN, unsigned].concat();
        assert!(usual.verify_strict(&said, &Signature::from_bytes(signature)).is_ok());
        assert!(verify(&signed.raw, signed.record.origin).is_ok());
    }
}
