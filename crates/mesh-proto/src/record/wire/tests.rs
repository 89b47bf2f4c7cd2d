//! What records survive, and what they are refused for.

use super::*;
use crate::testing::{ban, hour, key, record, signed, tag, wall};
use alloc::{string::ToString, vec};
use proptest::prelude::*;

fn checked(record: &Record) -> Result<(), RecordError> {
    check(record, tag(), tag(), wall(0))
}

#[test]
fn a_record_comes_out_as_it_went_in() {
    let said = Said::Ban {
        reasons: Reasons::TRAP | Reasons::SCAN,
        grade: Grade::Hostile,
        scope: Scope::Dark,
        ttl: Duration::from_millis(90_061_001),
        score: 99,
        note: Some("it tried root:root — twice".to_string()),
    };
    for said in [said, ban(hour()), Said::Unban] {
        for about in ["203.0.113.7", "203.0.113.0/24", "2001:db8::/64", "2001:db8::1"] {
            let signed = signed(1, about, said.clone(), 5);
            let (record, signed_for) = read(&signed.raw).unwrap();
            assert_eq!((&record, signed_for), (&*signed.record, tag()));
            assert_eq!(verify(&signed.raw, record.origin), Ok(()));
            assert_eq!(checked(&record), Ok(()));
        }
    }
}

#[test]
fn a_record_stays_small() {
    let long = Said::Ban {
        reasons: Reasons::all(),
        grade: Grade::Operator,
        scope: Scope::All,
        ttl: TTL_MAX,
        score: 100,
        note: Some("x".repeat(NOTE_BYTES_MAX)),
    };
    let mut longest = record(1, "2001:db8::1", long, 0);
    longest.origin_name = "n".repeat(63).parse().unwrap();
    longest.linger = TTL_MAX;
    assert!(sign(longest, tag(), &key(1)).unwrap().raw.len() <= RECORD_BYTES_MAX);
    let usual = signed(1, "203.0.113.7", ban(hour()), 0).raw.len();
    assert!(usual <= 150, "{usual} bytes");
}

#[test]
fn what_is_too_long_is_cut_at_a_character() {
    let said = Said::Ban {
        reasons: Reasons::MANUAL,
        grade: Grade::Operator,
        scope: Scope::All,
        ttl: TTL_MAX * 9,
        score: 255,
        note: Some("ä".repeat(NOTE_BYTES_MAX)),
    };
    let Said::Ban { ttl, score, note, .. } = record(1, "203.0.113.7", said, 0).said else { panic!("it was a ban") };
    assert_eq!((ttl, score, note.unwrap()), (TTL_MAX, 100, "ä".repeat(NOTE_BYTES_MAX / 2)));
}

#[test]
fn a_flipped_bit_anywhere_is_refused() {
    let signed = signed(1, "203.0.113.7", ban(hour()), 0);
    for bit in 0..signed.raw.len() * 8 {
        let mut bent = signed.raw.to_vec();
        bent[bit / 8] ^= 1 << (bit % 8);
        let verdict = read(&bent).and_then(|(record, _)| verify(&bent, record.origin));
        assert!(verdict.is_err(), "bit {bit}");
    }
}

#[test]
fn every_truncation_and_every_excess_is_refused() {
    let signed = signed(1, "203.0.113.7", ban(hour()), 0);
    for len in 0..signed.raw.len() {
        assert!(read(&signed.raw[..len]).and_then(|(r, _)| verify(&signed.raw[..len], r.origin)).is_err(), "{len}");
    }
    assert_eq!(read(&vec![VERSION; RECORD_BYTES_MAX + 1]).unwrap_err(), RecordError::Malformed);
}

#[test]
fn fields_of_later_versions_are_skipped_and_still_signed() {
    let origin = key(1);
    let old = signed(1, "203.0.113.7", ban(hour()), 0);
    let mut raw = old.raw[..old.raw.len() - SIGNATURE_LENGTH].to_vec();
    raw.extend_from_slice(b"a field of tomorrow");
    let signature = origin.sign(&signed_bytes(&raw));
    raw.extend_from_slice(&signature.to_bytes());
    let (record, _) = read(&raw).unwrap();
    assert_eq!((&record, verify(&raw, record.origin)), (&*old.record, Ok(())));
}

#[test]
fn a_signature_for_another_purpose_is_none() {
    let old = signed(1, "203.0.113.7", ban(hour()), 0);
    let mut raw = old.raw[..old.raw.len() - SIGNATURE_LENGTH].to_vec();
    let bare = key(1).sign(&raw);
    raw.extend_from_slice(&bare.to_bytes());
    assert_eq!(verify(&raw, old.record.origin), Err(RecordError::Signature));
    let mut stranger = record(1, "203.0.113.7", ban(hour()), 0);
    stranger.origin = NodeId([0; 32]);
    let weak = sign(stranger, tag(), &key(1)).unwrap();
    assert_eq!(verify(&weak.raw, weak.record.origin), Err(RecordError::Signature), "a weak key signs nothing");
}

#[test]
fn policy_is_checked_on_receipt() {
    let graded = |grade| {
        let Said::Ban { reasons, scope, ttl, score, note, .. } = ban(hour()) else { panic!("it is a ban") };
        Said::Ban { reasons, grade, scope, ttl, score, note }
    };
    for (about, said, millis, verdict) in [
        ("203.0.113.7", graded(Grade::Reactive), 0, Ok(())),
        ("203.0.113.7", graded(Grade::Spoofable), 0, Err(RecordError::Spoofable)),
        ("10.0.0.0/16", ban(hour()), 0, Ok(())),
        ("10.0.0.0/15", ban(hour()), 0, Err(RecordError::TooWide)),
        ("2001:db8::/32", ban(hour()), 0, Ok(())),
        ("2001:d00::/31", Said::Unban, 0, Err(RecordError::TooWide)),
        ("203.0.113.7", ban(Duration::ZERO), 0, Err(RecordError::Ttl)),
        ("203.0.113.7", ban(TTL_MAX), 0, Ok(())),
        ("203.0.113.7", ban(hour()), 60_000, Ok(())),
        ("203.0.113.7", ban(hour()), 60_001, Err(RecordError::Future)),
    ] {
        assert_eq!(checked(&record(1, about, said.clone(), millis)), verdict, "{about} {said:?} {millis}");
    }
    let mut undying = record(1, "203.0.113.7", ban(TTL_MAX), 0);
    undying.linger = Duration::from_millis(1);
    assert_eq!(checked(&undying), Err(RecordError::Ttl));
    let foreign = ClusterTag::of(&"other".parse().unwrap());
    assert_eq!(check(&record(1, "203.0.113.7", Said::Unban, 0), foreign, tag(), wall(0)), Err(RecordError::Cluster));
}

#[test]
fn what_is_over_is_refused_after_a_grace() {
    let short = record(1, "203.0.113.7", ban(Duration::from_secs(1)), 0);
    let grace = u64::try_from(GRACE.as_millis()).unwrap();
    assert_eq!(check(&short, tag(), tag(), wall(1_000 + grace - 1)), Ok(()));
    assert_eq!(check(&short, tag(), tag(), wall(1_000 + grace)), Err(RecordError::Over));
    assert!(short.is_over(wall(1_000)) && !short.is_over(wall(999)));
}

#[test]
fn an_unban_outlives_every_ban_it_can_lift() {
    let unban = record(1, "203.0.113.7", Said::Unban, 0);
    let ban = record(2, "203.0.113.7", ban(TTL_MAX), 0);
    assert!(unban.leaves() > ban.leaves().plus(GRACE));
}

#[test]
fn the_wire_format_is_fixed() {
    let hash = RecordId::of(&signed(1, "203.0.113.7", ban(hour()), 0).raw);
    assert_eq!(alloc::format!("{hash:?}"), "086eaf4b", "a record's bytes changed: stored and foreign records are lost");
}

proptest! {
    #[test]
    fn no_bytes_do_harm(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let mut versioned = bytes.clone();
        if let Some(first) = versioned.first_mut() {
            *first = VERSION;
        }
        for raw in [bytes, versioned] {
            if let Ok((record, _)) = read(&raw) {
                prop_assert!(verify(&raw, record.origin).is_err());
            }
        }
    }
}

/// Names are words of a small alphabet, whoever signs them; a note is somebody's own words, and is made harmless where it is
/// shown (`crates/honeymesh/tests/sinks`).
#[test]
fn no_member_has_a_name_that_a_terminal_or_a_page_obeys() {
    extern crate std;
    let honest = signed(1, "203.0.113.7", Said::Unban, 5);
    let name = honest.record.origin_name.to_string();
    let place = honest.raw.windows(name.len()).position(|window| window == name.as_bytes()).unwrap();
    let mut refused = 0;
    for file in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../format/tests/hostile")).unwrap() {
        let mut value = std::fs::read(file.unwrap().path()).unwrap();
        value.truncate(127);
        let length = u8::try_from(value.len()).unwrap();
        let raw = [&honest.raw[..place - 1], &[length], &value, &honest.raw[place + name.len()..]].concat();
        match read(&raw) {
            Err(error) => {
                assert_eq!(error, RecordError::Malformed);
                refused += 1;
            }
            Ok((record, _)) => assert!(
                record.origin_name.as_str().bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)),
                "{record:?}"
            ),
        }
    }
    assert!(refused > 100, "{refused} of the corpus are no names");
}
