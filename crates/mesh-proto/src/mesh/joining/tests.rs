//! A new machine and the node that made its token.

use super::*;
use crate::{
    Admission, Config, Key, Mesh,
    admission::{Joining, public_key},
    mesh::tests::bent,
    testing::{addr, at, config, tag},
};
use alloc::format;
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

const SECRET: [u8; 32] = [5; 32];

fn hour() -> Duration {
    Duration::from_secs(3_600)
}

fn issuer(governed: bool) -> Mesh {
    let authority = governed.then(|| public_key(&[200; 32]));
    let admission = Admission { authority, secret: governed.then(|| [200; 32].into()), ..Admission::default() };
    Mesh::new(Config { admission, ..config(1, &[]) }, at(0))
}

fn joining(token: &JoinToken, n: u8, millis: u64) -> Joining {
    Joining::new(token, &[n; 32], &format!("node-{n}").parse().unwrap(), [n; 12], at(millis).wall).unwrap()
}

/// What the issuer answers, if it does.
fn ask(mesh: &mut Mesh, joining: &Joining, millis: u64) -> Option<Result<crate::Granted, JoinRefused>> {
    let mut out = Vec::new();
    mesh.datagram(addr(77), joining.datagram(), at(millis), &mut out);
    out.iter().find_map(|effect| match effect {
        Effect::Send { to, bytes } if *to == addr(77) => joining.answer(bytes),
        _ => None,
    })
}

fn refusal(mesh: &mut Mesh, joining: &Joining, millis: u64) -> Option<JoinRefused> {
    ask(mesh, joining, millis).and_then(Result::err)
}

#[test]
fn a_token_lets_one_machine_in_with_keys_and_certificate() {
    for governed in [true, false] {
        let mut mesh = issuer(governed);
        let owner = Some("ops".parse().unwrap());
        let text = mesh.issue_token(hour(), owner, SECRET, at(0).wall).unwrap().to_text();
        let token = JoinToken::parse(&text).unwrap();
        assert_eq!((token.cluster.as_str(), token.addr), ("test", addr(1)));
        let join = joining(&token, 7, 1_000);
        let granted = ask(&mut mesh, &join, 1_000).unwrap().unwrap();
        assert_eq!(granted.keys.keys(), [Key::from_bytes([1; 32])]);
        assert_eq!(granted.authority.is_some(), governed);
        let node = public_key(&[7; 32]);
        if governed {
            let deed = Deed::read(&granted.certificate, tag()).unwrap();
            assert_eq!((deed.node, deed.verify(&granted.authority.unwrap())), (node, Ok(())));
            assert_eq!(mesh.admission(node).owner.unwrap().as_str(), "ops");
        }
        assert!(ask(&mut mesh, &join, 2_000).unwrap().is_ok(), "the answer may have been lost: it may ask again");
        let other = joining(&token, 8, 2_000);
        assert_eq!(refusal(&mut mesh, &other, 2_000), Some(JoinRefused::Used));
    }
}

#[test]
fn what_keeps_a_machine_out_is_said() {
    let mut mesh = issuer(true);
    let token = mesh.issue_token(hour(), None, SECRET, at(0).wall).unwrap();
    assert_eq!(refusal(&mut mesh, &joining(&token, 7, 100_000), 1_000), Some(JoinRefused::Clock));
    assert_eq!(refusal(&mut mesh, &joining(&token, 7, 3_600_000), 3_600_000), Some(JoinRefused::Expired));
    let mut out = Vec::new();
    let token = mesh.issue_token(hour(), None, [6; 32], at(0).wall).unwrap();
    mesh.revoke(public_key(&[7; 32]), true, at(0), &mut out).unwrap();
    assert_eq!(refusal(&mut mesh, &joining(&token, 7, 0), 0), Some(JoinRefused::Authority));
}

#[test]
fn a_token_survives_a_restart_as_a_hash() {
    let mut mesh = issuer(true);
    let token = mesh.issue_token(hour(), Some("ops".parse().unwrap()), SECRET, at(0).wall).unwrap();
    let kept = mesh.tokens();
    let digits: String = SECRET.iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(!kept.contains(&digits) && token.to_text().contains(&digits));
    let mut again = issuer(true);
    again.restore_tokens(&format!("{kept} rubbish a:b:c:d"));
    assert_eq!(again.tokens(), kept);
    assert!(ask(&mut again, &joining(&token, 7, 10), 10).unwrap().is_ok());
    let mut third = issuer(true);
    third.restore_tokens(&again.tokens());
    assert_eq!(refusal(&mut third, &joining(&token, 8, 20), 20), Some(JoinRefused::Used), "used stays used");
}

#[test]
fn unknown_tokens_thieves_of_the_hash_and_damage_get_no_answer() {
    let mut mesh = issuer(true);
    let token = mesh.issue_token(hour(), None, SECRET, at(0).wall).unwrap();
    let stranger = JoinToken::new("test".parse().unwrap(), addr(1), [9; 32]);
    assert!(ask(&mut mesh, &joining(&stranger, 7, 0), 0).is_none());
    // Who has the hash can seal, but does not know the secret.
    let seal = token.seal();
    let thief = Request { secret: seal.0, node: [1; 32], name: "x", clock_ms: at(0).wall.as_millis(), signature: &[0; 64] };
    let sealed = join::seal_up(Way::Request, &seal, tag(), [0; 12], &thief).unwrap();
    let mut out = Vec::new();
    mesh.datagram(addr(77), &sealed, at(0), &mut out);
    assert!(out.iter().all(|effect| matches!(effect, Effect::Refused { why: Refused::Join, .. })));
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let good = joining(&token, 7, 0);
    for step in 0..4_000_u64 {
        let bad = bent(good.datagram(), &mut rng);
        if bad != good.datagram() {
            let mut out = Vec::new();
            mesh.datagram(addr(77), &bad, at(step * 300), &mut out);
            assert!(out.iter().all(|effect| !matches!(effect, Effect::Send { .. } | Effect::Tokens)), "{step}");
            assert!(good.answer(&bad).is_none());
        }
    }
    assert_eq!(mesh.admission(public_key(&[7; 32])).standing, crate::Standing::Uncertified);
}

#[test]
fn guessing_is_metered() {
    let mut mesh = issuer(false);
    for n in 0..200_u8 {
        let guess = JoinToken::new("test".parse().unwrap(), addr(1), [n; 32]);
        assert!(ask(&mut mesh, &joining(&guess, 7, 0), 0).is_none());
    }
    let refused = mesh.stats().refused;
    assert_eq!((refused.of(Refused::Join), refused.of(Refused::JoinRate)), (20, 180));
}

#[test]
fn only_who_may_admit_makes_tokens_and_not_too_many() {
    let mut bystander = issuer(true);
    bystander = {
        let admission = Admission { authority: bystander.authority(), ..Admission::default() };
        Mesh::new(Config { admission, ..config(2, &[]) }, at(0))
    };
    let refused = bystander.issue_token(hour(), None, SECRET, at(0).wall).unwrap_err();
    assert_eq!(refused, IssueError::NoSecret("test".parse().unwrap()));
    let mut lost = Mesh::new(Config { advertise: "0.0.0.0:7946".parse().unwrap(), ..config(2, &[]) }, at(0));
    assert_eq!(lost.issue_token(hour(), None, SECRET, at(0).wall).unwrap_err(), IssueError::NoAddress);
    let mut mesh = issuer(false);
    for n in 0..64_u8 {
        mesh.issue_token(hour(), None, [n; 32], at(0).wall).unwrap();
    }
    assert_eq!(mesh.issue_token(hour(), None, SECRET, at(0).wall).unwrap_err(), IssueError::Full);
    assert!(mesh.issue_token(hour(), None, SECRET, at(3_600_000).wall).is_ok(), "those that are over give way");
}

#[test]
fn a_damaged_token_is_told_without_repeating_it() {
    let text = JoinToken::new("test".parse().unwrap(), addr(1), SECRET).to_text();
    assert_eq!(JoinToken::parse("hello").unwrap_err(), crate::TokenError::Head);
    for cut in [6, 20, text.len() - 1] {
        assert_eq!(JoinToken::parse(&text[..cut]).unwrap_err(), crate::TokenError::Damaged);
    }
    let mut typo = text.to_string();
    let last = if typo.pop() == Some('0') { '1' } else { '0' };
    typo.push(last);
    assert_eq!(JoinToken::parse(&typo).unwrap_err(), crate::TokenError::Damaged);
    assert_eq!(
        *text,
        format!("hmj1.04746573740e3139322e302e322e313a37393436{}{}", "05".repeat(32), &text[text.len() - 8..]),
        "the bytes are fixed"
    );
}

use alloc::string::ToString;
