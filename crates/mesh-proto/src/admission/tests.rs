//! The bytes of deeds, and the register's bounds.

use super::*;
use crate::testing::{key, tag, wall};
use alloc::{format, string::String};

fn node(n: u16) -> NodeId {
    let mut node = [7; 32];
    node[..2].copy_from_slice(&n.to_be_bytes());
    NodeId(node)
}

fn deed(n: u16, said: Deeds) -> Deed {
    Deed::sign(node(n), said, tag(), &key(200)).unwrap()
}

fn certificate(n: u16, until: u64) -> Deed {
    let said = Deeds::Certificate {
        name: "edge-1".parse().unwrap(),
        owner: "ops".parse().unwrap(),
        from: WallTime::from_millis(0),
        until: WallTime::from_millis(until),
    };
    deed(n, said)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_bytes_of_deeds_are_fixed() {
    let print = |deed: &Deed| format!("{} {}", deed.raw.len(), hex(&blake3::hash(&deed.raw).as_bytes()[..8]));
    let unsigned = |deed: &Deed| hex(&deed.raw[..deed.raw.len() - 64]);
    let revoked = deed(1, Deeds::Revoked { at: wall(0) });
    let restored = deed(1, Deeds::Restored { at: wall(0) });
    let head = format!("01{}{}", hex(&tag().0), hex(&node(1).0));
    assert_eq!(unsigned(&certificate(1, 300)), format!("{head}0006656467652d31036f707300ac02"));
    assert_eq!(unsigned(&revoked), format!("{head}0180d0eab6b733"));
    assert_eq!(unsigned(&restored), format!("{head}0280d0eab6b733"));
    assert_eq!(print(&revoked).split(' ').next(), Some("112"));
}

#[test]
fn a_deed_survives_its_bytes_and_only_the_authoritys_is_believed() {
    let authority = NodeId(key(200).verifying_key().to_bytes());
    for deed in [certificate(1, 9), deed(1, Deeds::Revoked { at: wall(1) }), deed(1, Deeds::Restored { at: wall(2) })] {
        let read = Deed::read(&deed.raw, tag()).unwrap();
        assert_eq!(read, deed);
        assert_eq!(read.verify(&authority), Ok(()));
        assert_eq!(read.verify(&node(1)), Err(DeedError::Signature));
        for place in 0..deed.raw.len() {
            let mut bad = deed.raw.to_vec();
            bad[place] ^= 1;
            let is_believed = Deed::read(&bad, tag()).and_then(|deed| deed.verify(&authority)).is_ok();
            assert!(!is_believed, "byte {place}");
        }
    }
}

#[test]
fn the_last_word_of_a_kind_counts_in_any_order() {
    let deeds = [
        deed(1, Deeds::Revoked { at: wall(1) }),
        deed(1, Deeds::Restored { at: wall(2) }),
        deed(1, Deeds::Revoked { at: wall(3) }),
        certificate(1, 5),
        certificate(1, 9),
    ];
    let mut prints = Vec::new();
    for turn in 0..deeds.len() {
        let mut register = Register::default();
        for offset in 0..deeds.len() {
            register.enter(deeds[(turn + offset) % deeds.len()].clone(), wall(0));
        }
        assert!(register.is_revoked(&node(1).0));
        assert_eq!(register.certificate(&node(1).0).unwrap().rank().0, WallTime::from_millis(9));
        assert!(deeds.iter().filter(|deed| register.contains(&deed.raw)).count() == 2);
        prints.push(register.print());
    }
    prints.dedup();
    assert_eq!(prints.len(), 1, "equal registers have equal fingerprints");
}

#[test]
fn a_full_register_forgets_no_revocation_and_refuses_loudly() {
    let (mut register, now) = (Register::default(), wall(0));
    let one = deed(0, Deeds::Revoked { at: now });
    let most = u16::try_from(REVOKED_MAX).unwrap();
    for n in 0..most {
        let deed = Deed { node: node(n), ..one.clone() };
        assert_eq!(register.enter(deed, now), Entered::New);
    }
    assert_eq!(register.enter(Deed { node: node(most), ..one.clone() }, now), Entered::Full);
    let later = deed(5, Deeds::Restored { at: wall(5) });
    assert_eq!(register.enter(later, now), Entered::New, "what is known can change");
    assert_eq!(register.enter(certificate(most, 9), now), Entered::New, "certificates have room of their own");
}

#[test]
fn a_full_register_forgets_who_left_longest_ago() {
    let (mut register, now) = (Register::default(), wall(0));
    let (old, valid) = (certificate(0, 5), certificate(0, wall(9).as_millis()));
    let most = u16::try_from(REGISTER_NODES_MAX).unwrap();
    for n in 0..most {
        let deed = if n == 7 { &old } else { &valid };
        assert_eq!(register.enter(Deed { node: node(n), ..deed.clone() }, now), Entered::New);
    }
    assert_eq!(register.enter(Deed { node: node(most), ..valid.clone() }, now), Entered::New);
    assert!(register.certificate(&node(7).0).is_none());
    assert_eq!(register.enter(Deed { node: node(most + 1), ..valid }, now), Entered::Full);
}
